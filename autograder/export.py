"""Marks for the university's system: nbgrader's final scores, in a file that the system takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import build
from .errors import UsageError
from .formats import FORMATS, Mark, Marks
from .roster import Roster, read_roster


@dataclass
class Exported:
    """The file that was written, and in a sentence each what it does not hold."""

    path: Path
    remarks: list[str]


def export(
    course: Path, kind: str, units: Iterable[str] = (), out: Path | None = None, roster: Path | None = None
) -> Exported:
    """Write the marks of ``units``, or of all that were graded, for a system of ``FORMATS``; return what was done.

    Raises UsageError for an unknown unit, a gradebook without marks, or a file that is no roster.
    """
    write, ending = FORMATS[kind]
    names = [path.stem for path in build.find_units(course, units)]
    known = read_roster(roster)
    marks = read_marks(course, names)
    said = [*unplaced(marks, known), *empty(marks)]
    if known:
        marks = [mark for mark in marks if known.find(mark.student)]
    if not marks:
        raise UsageError(" ".join(["There is no mark to export.", *said]))
    by_student: dict[str, dict[str, Mark]] = {}
    for mark in marks:
        by_student.setdefault(mark.student, {})[mark.unit] = mark
    graded = [name for name in names if any(name in of for of in by_student.values())]
    path = out or course / f"marks-{kind}.{ending}"
    path.write_bytes(write(Marks(course, graded, by_student, known)))
    return Exported(path, said)


def read_marks(course: Path, units: list[str]) -> list[Mark]:
    """Return what the gradebook holds, by student: a person's marks, extra credit and penalties included."""
    from .marks import Marks as Book

    config = build.course_config(course)
    if "db_url" not in config.CourseDirectory and not (course / "gradebook.db").exists():
        raise UsageError(f"There is no gradebook in {course}: run `convnets grade` first.")
    book = Book(course, config)
    try:
        marks = [as_mark(one) for unit in units for one in book.book.assignment_submissions(unit)]
    finally:
        book.close()
    return sorted(marks, key=lambda mark: (mark.student, mark.unit))


def as_mark(entry: Any) -> Mark:
    """Return a submission of the gradebook as a mark; the score as nbgrader's own export works it out."""
    grades = [grade for notebook in entry.notebooks for grade in notebook.grades]
    ungraded = any(grade.auto_score is None and grade.manual_score is None for grade in grades)
    penalty = entry.late_submission_penalty or 0.0
    return Mark(
        entry.student.id,
        entry.assignment.name,
        None if ungraded else max(0.0, entry.score - penalty),
        entry.score,
        penalty,
        entry.max_score,
        f"{entry.timestamp} UTC" if entry.timestamp else "",
        {grade.name.removeprefix("test_"): (grade.score, grade.max_score) for grade in grades},
    )


def unplaced(marks: list[Mark], roster: Roster | None) -> list[str]:
    """Return who is missing, here or on the roster."""
    if roster is None:
        return []
    students = sorted({mark.student for mark in marks})
    rows = [roster.find(student) for student in students]
    strangers = [student for student, row in zip(students, rows, strict=True) if row is None]
    absent = [roster.name(row) for row in roster.rows if row not in rows]
    said = [f"Not on {roster.path.name}, so not in the file: {', '.join(strangers)}."] if strangers else []
    return said + ([f"On {roster.path.name}, but without a mark: {', '.join(absent)}."] if absent else [])


def empty(marks: list[Mark]) -> list[str]:
    """Return who has no score because something could not be graded."""
    waiting = [f"{mark.student} ({mark.unit})" for mark in marks if mark.score is None]
    return [f"Left empty, since a person must grade them first: {', '.join(waiting)}."] if waiting else []
