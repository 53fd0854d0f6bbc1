"""grades.csv as the report reads it."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from autograder.errors import UsageError

COLUMNS = ("student", "unit", "exercise", "score", "max_score", "verdict", "misconception", "message")


@dataclass(frozen=True)
class Grade:
    """One line of grades.csv."""

    student: str
    exercise: str
    score: float
    max_score: float
    verdict: str
    misconception: str
    message: str
    cause: str = ""  # another exercise, in whose wrong answer this one stopped

    @property
    def lost(self) -> float:
        """The points that are missing to all of them."""
        return max(0.0, self.max_score - self.score)

    @property
    def sentence(self) -> str:
        """What went wrong, out of a message that says first which case it was, then the call, then this."""
        lines = self.message.splitlines() or [""]
        return lines[min(2, len(lines) - 1)].strip()


def read_grades(path: Path, unit: str) -> list[Grade]:
    """Return the lines of ``unit``, in the file's order."""
    rows = read_rows(path)
    if not any(row["unit"] == unit for row in rows):
        units = ", ".join(units_of(rows)) or "none"
        raise UsageError(f"{path} has no grades of {unit!r}; there are grades of: {units}.")
    return [as_grade(row, path) for row in rows if row["unit"] == unit]


def known_units(path: Path) -> list[str]:
    """Return the units that have grades."""
    units = units_of(read_rows(path))
    if not units:
        raise UsageError(f"There are no grades in {path}: run `convnets grade` first.")
    return units


def units_of(rows: list[dict[str, str]]) -> list[str]:
    """Return the units of some lines, sorted."""
    return sorted({row["unit"] for row in rows})


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the lines of the file."""
    try:
        with path.open(newline="", encoding="utf8") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        raise UsageError(f"There are no grades in {path}: run `convnets grade` first.") from None
    if rows and (lacking := [name for name in COLUMNS if name not in rows[0]]):
        raise UsageError(f"{path} has no column {', '.join(lacking)}.")
    return rows


def as_grade(row: dict[str, str], path: Path) -> Grade:
    """Return a line of the file with its numbers as numbers."""
    try:
        score, max_score = float(row["score"] or 0), float(row["max_score"])
    except ValueError:
        raise UsageError(
            f"{path}: the score of {row['student']} in {row['exercise']} is no number."
        ) from None
    words = (row["verdict"], row["misconception"], row["message"])
    return Grade(row["student"], row["exercise"], score, max_score, *words)


def graded(grades: Iterable[Grade]) -> list[Grade]:
    """Return what was graded: the rest counts neither for nor against."""
    return [grade for grade in grades if grade.verdict != "not_graded"]


def grouped(grades: Iterable[Grade], field: str) -> dict[str, list[Grade]]:
    """Return the grades by one of their fields, in order of appearance."""
    groups: dict[str, list[Grade]] = {}
    for grade in grades:
        groups.setdefault(getattr(grade, field), []).append(grade)
    return groups


def ratio(score: float, most: float) -> float:
    """Return the share of the points; of no points, none."""
    return score / most if most else 0.0
