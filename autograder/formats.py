"""The files that Canvas, Moodle and Gradescope take.

- Canvas: the gradebook's CSV, as its importer reads it (lib/gradebook_importer.rb in github.com/instructure/canvas-lms; guide "How
  do I import grades in the Gradebook?"): Student, ID, SIS User ID, SIS Login ID, Section, the assignments, and a row of what they
  are worth. An assignment called "01-convolution (1234)" in the roster is the one with that id.
- Moodle: any CSV with a column that names the student, mapped at the import (docs.moodle.org/en/Grade_import).
- Gradescope imports no table. It takes an autograder, a zip with setup.sh and run_autograder, which writes results.json for each
  submission (gradescope-autograders.readthedocs.io/en/latest/specs); ours hands out the marks that were given here.

An empty cell is one that these systems leave as it is: work that was not handed in, or that could not be graded.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import run_on_gradescope
from .errors import UsageError
from .roster import Roster

CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
MOODLE = ("Username", "ID number", "Email address")
DIGITS = 6  # of a score that goes out as a number: 1.64, not 1.6400000000000001
OPENING = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins so is a formula in a spreadsheet


@dataclass
class Mark:
    """What a student has for a unit; the score is None where a person must look first."""

    student: str
    unit: str
    score: float | None
    raw: float
    penalty: float
    most: float
    timestamp: str
    exercises: dict[str, tuple[float, float]] = field(default_factory=dict)
    by_hand: set[str] = field(default_factory=set)  # the exercises whose points a person entered
    comments: dict[str, str] = field(default_factory=dict)  # a person's, by exercise or another cell's name


@dataclass
class Marks:
    """All that an export is made from: the marks by student and unit, and who is who."""

    course: Path
    units: list[str]
    by_student: dict[str, dict[str, Mark]]
    roster: Roster | None

    def row(self, student: str) -> dict[str, str]:
        """Return what the roster says of a student, or nothing."""
        return (self.roster.find(student) if self.roster else None) or {}

    def most(self, unit: str) -> float:
        """Return what a unit is worth."""
        return next(of[unit].most for of in self.by_student.values() if unit in of)

    def scores(self, student: str) -> list[str]:
        """Return a student's final scores; empty where there is none."""
        marks = [self.by_student[student].get(unit) for unit in self.units]
        return ["" if mark is None or mark.score is None else points(mark.score) for mark in marks]


def as_csv(rows: Iterable[Iterable[str]]) -> bytes:
    """Return rows as a CSV file; what a student could have chosen never becomes a formula."""
    file = io.StringIO()
    csv.writer(file).writerows([safe(cell) for cell in row] for row in rows)
    return file.getvalue().encode()


def safe(cell: str) -> str:
    """Return a cell that a spreadsheet takes for text, or for a number.

    >>> safe("=1+1"), safe("-0.5"), safe("ada")
    ("'=1+1", '-0.5', 'ada')
    """
    number = re.fullmatch(r"-?\d+(\.\d+)?", cell)
    return f"'{cell}" if cell.startswith(OPENING) and not number else cell


def points(score: float) -> str:
    """Return a score without needless digits.

    >>> points(4.5), points(3.0), points(2 / 3)
    ('4.5', '3', '0.6667')
    """
    return f"{score:.4f}".rstrip("0").rstrip(".")


def plain_csv(marks: Marks) -> bytes:
    """Return a table with a line for each student's unit."""
    rows = [["student", "unit", "score", "max_score", "raw_score", "late_penalty", "timestamp"]]
    for of in marks.by_student.values():
        for m in of.values():
            score = "" if m.score is None else points(m.score)
            rows.append([m.student, m.unit, score, *map(points, (m.most, m.raw, m.penalty)), m.timestamp])
    return as_csv(rows)


def canvas(marks: Marks) -> bytes:
    """Return Canvas's gradebook; without a roster the students' ids are taken for their logins."""
    columns = marks.roster.columns if marks.roster else []
    titles = [canvas_title(unit, columns) for unit in marks.units]
    rows = [[*CANVAS, *titles]]
    rows.append(["    Points Possible", "", "", "", "", *(points(marks.most(unit)) for unit in marks.units)])
    for student in marks.by_student:
        about = marks.row(student) or {"Student": student, "SIS Login ID": student}
        rows.append([*(about.get(name, "") for name in CANVAS), *marks.scores(student)])
    return as_csv(rows)


def canvas_title(unit: str, columns: list[str]) -> str:
    """Return the column of a unit: Canvas's own, with the assignment's id, where the roster has it.

    >>> canvas_title("01-convolution", ["Student", "01-convolution (77)"])
    '01-convolution (77)'
    """
    return next((name for name in columns if re.fullmatch(rf"{re.escape(unit)} \(\d+\)", name)), unit)


def moodle(marks: Marks) -> bytes:
    """Return a table whose first columns can each be mapped to a user at Moodle's import."""
    rows = [[*MOODLE, *marks.units]]
    for student in marks.by_student:
        about = marks.row(student) or {"Email address" if "@" in student else "Username": student}
        rows.append([*(about.get(name, "") for name in MOODLE), *marks.scores(student)])
    return as_csv(rows)


def gradescope(marks: Marks) -> bytes:
    """Return an autograder for Gradescope, as a zip: setup.sh, run_autograder, and each student's results."""
    if len(marks.units) > 1:
        raise UsageError(f"Gradescope takes one assignment at a time: name one of {', '.join(marks.units)}.")
    unit, said = marks.units[0], messages(marks.course)
    found = {
        (marks.row(student).get("Email") or student).casefold(): results(of[unit], said)
        for student, of in marks.by_student.items()
        if of[unit].score is not None
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("setup.sh", "#!/bin/bash\napt-get install -y python3\n")
        archive.writestr("run_autograder", Path(run_on_gradescope.__file__).read_text("utf8"))
        archive.writestr("marks.json", json.dumps(found, indent=1, ensure_ascii=False))
    return file.getvalue()


def results(mark: Mark, said: dict[tuple[str, str, str], str]) -> dict[str, Any]:
    """Return a mark in Gradescope's format; its own score stands above the sum of its tests."""
    tests = [
        {
            "name": name,
            "score": round(score, DIGITS),
            "max_score": most,
            "output": output_of(mark, name, said.get((mark.student, mark.unit, name), "")),
        }
        for name, (score, most) in mark.exercises.items()
    ]
    lines = [f"Less {points(mark.penalty)} points for lateness."] if mark.penalty else []
    lines += [f"{name}: {text}" for name, text in mark.comments.items() if name not in mark.exercises]
    score = None if mark.score is None else round(mark.score, DIGITS)
    return {"score": score, "output": "\n".join(lines), "visibility": "visible", "tests": tests}


def output_of(mark: Mark, name: str, said: str) -> str:
    """Return what a student reads beside an exercise: a person's mark and comment, and then what the checks said."""
    score, most = mark.exercises[name]
    lines = [f"Marked by hand: {points(score)} of {points(most)} points."] if name in mark.by_hand else []
    lines += [f"Comment: {mark.comments[name]}"] if name in mark.comments else []
    return "\n".join([*lines, *(["The checks said:"] if lines and said else []), said]).rstrip("\n")


def messages(course: Path) -> dict[tuple[str, str, str], str]:
    """Return what the checks said, by student, unit and exercise."""
    try:
        with (course / "grades.csv").open(newline="", encoding="utf8") as file:
            return {(r["student"], r["unit"], r["exercise"]): r["message"] for r in csv.DictReader(file)}
    except (FileNotFoundError, KeyError):
        return {}


FORMATS: dict[str, tuple[Callable[[Marks], bytes], str]] = {
    "csv": (plain_csv, "csv"),
    "canvas": (canvas, "csv"),
    "moodle": (moodle, "csv"),
    "gradescope": (gradescope, "zip"),
}
