"""The class report: one page, made from grades.csv, that says which ideas the class got wrong."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

from autograder.errors import UsageError

COLUMNS = ("student", "unit", "exercise", "score", "max_score", "verdict", "misconception", "message")
# as they are counted and shown: the mark, the word, and what it says of the student
VERDICTS = {
    "passed": ("✓", "passed"),
    "partial": ("◐", "partly right"),
    "failed": ("✗", "wrong"),
    "missing": ("–", "not written"),
    "timeout": ("∞", "ran out of time"),
    "crashed": ("!", "crashed"),
    "not_graded": ("?", "not graded (a fault of the machinery)"),
}
BINS = 10


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

    @property
    def sentence(self) -> str:
        """What went wrong, out of a message that says first which case it was, then the call, then this."""
        lines = self.message.splitlines() or [""]
        return lines[min(2, len(lines) - 1)].strip()


def report(course: Path, unit: str) -> Path:
    """Write the report on ``unit`` to ``reports/<unit>.html`` in the course folder and return its path.

    Raises UsageError where there are no grades, or none of that unit.
    """
    path = course / "reports" / f"{unit}.html"
    page = render(unit, read_grades(course / "grades.csv", unit), known_hints())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, "utf8")
    return path


def read_grades(path: Path, unit: str) -> list[Grade]:
    """Return the lines of ``unit``, in the file's order."""
    try:
        with path.open(newline="", encoding="utf8") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        raise UsageError(f"There are no grades in {path}: run `convnets grade` first.") from None
    if rows and (lacking := [name for name in COLUMNS if name not in rows[0]]):
        raise UsageError(f"{path} has no column {', '.join(lacking)}.")
    if not any(row["unit"] == unit for row in rows):
        units = ", ".join(sorted({row["unit"] for row in rows})) or "none"
        raise UsageError(f"{path} has no grades of {unit!r}; there are grades of: {units}.")
    return [as_grade(row, path) for row in rows if row["unit"] == unit]


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


def known_hints() -> dict[tuple[str, str], str]:
    """Return the hint of each misconception by the names of its exercise and itself."""
    from course.checks import exercises

    return {(e.name, m.name): m.hint for e in exercises().values() for m in e.misconceptions}


def render(unit: str, grades: list[Grade], hints: dict[tuple[str, str], str]) -> str:
    """Return the page."""
    import jinja2
    from markupsafe import Markup

    from course.checks.message import code

    folder = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=folder, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["code"] = lambda text: Markup(code(text))
    environment.filters["percent"] = lambda share: f"{100 * share:.0f} %"
    environment.filters["points"] = lambda number: f"{number:.2f}".rstrip("0").rstrip(".")
    template = environment.get_template("report.html")
    return template.render(unit=unit, verdicts=VERDICTS, **figures(grades, hints))


def figures(grades: list[Grade], hints: dict[tuple[str, str], str]) -> dict[str, Any]:
    """Return all that the page shows."""
    students = student_rows(grades)
    exercises = exercise_rows(grades)
    shares = [row["share"] for row in students if row["most"]] or [0.0]
    return {
        "students": students,
        "exercises": exercises,
        "misconceptions": misconception_rows(grades, hints, len(students)),
        "stopped": [grade for grade in grades if grade.verdict in ("timeout", "crashed")],
        "not_graded": [grade for grade in grades if grade.verdict == "not_graded"],
        "mean": mean(shares),
        "median": median(shares),
        "full": sum(share == 1 for share in shares),
        "hardest": min(exercises, key=lambda row: row["mean"]),
        "histogram": histogram(shares),
    }


def student_rows(grades: list[Grade]) -> list[dict[str, Any]]:
    """Return for each student the score, the share of the points, and the grade by exercise; the best first.

    What was not graded is nobody's fault: it counts neither for nor against.
    """
    rows = []
    for name, own in grouped(grades, "student").items():
        counted = [grade for grade in own if grade.verdict != "not_graded"]
        score, most = sum(grade.score for grade in counted), sum(grade.max_score for grade in counted)
        by_exercise = {grade.exercise: grade for grade in own}
        rows.append(
            {"name": name, "score": score, "most": most, "share": ratio(score, most), "of": by_exercise}
        )
    return sorted(rows, key=lambda row: (-row["share"], row["name"]))


def exercise_rows(grades: list[Grade]) -> list[dict[str, Any]]:
    """Return for each exercise, in the unit's order, its points, how often each verdict came, and the mean share."""
    return [
        {
            "name": name,
            "points": max(grade.max_score for grade in own),
            "counts": Counter(grade.verdict for grade in own),
            "n": len(own),
            "mean": mean([ratio(g.score, g.max_score) for g in own if g.verdict != "not_graded"] or [0.0]),
        }
        for name, own in grouped(grades, "exercise").items()
    ]


def misconception_rows(
    grades: list[Grade], hints: dict[tuple[str, str], str], class_size: int
) -> list[dict[str, Any]]:
    """Return each wrong idea that was met, with the share of the class that holds it; the commonest first."""
    rows = []
    for exercise, own in grouped(grades, "exercise").items():
        for name, holders in grouped(
            [grade for grade in own if grade.misconception], "misconception"
        ).items():
            names = sorted(grade.student for grade in holders)
            hint = hints.get((exercise, name), "")
            share = len(names) / class_size
            rows.append({"exercise": exercise, "name": name, "students": names, "share": share, "hint": hint})
    return sorted(rows, key=lambda row: -row["share"])


def histogram(shares: Iterable[float]) -> list[dict[str, Any]]:
    """Return how many students are in each tenth of the points; whoever has all is in the last."""
    counts = Counter(min(int(share * BINS), BINS - 1) for share in shares)
    highest = max(counts.values())
    return [{"from": 100 * i // BINS, "count": counts[i], "height": counts[i] / highest} for i in range(BINS)]


def grouped(grades: Iterable[Grade], field: str) -> dict[str, list[Grade]]:
    """Return the grades by one of their fields, in order of appearance."""
    groups: dict[str, list[Grade]] = {}
    for grade in grades:
        groups.setdefault(getattr(grade, field), []).append(grade)
    return groups


def ratio(score: float, most: float) -> float:
    """Return the share of the points; of no points, none."""
    return score / most if most else 0.0
