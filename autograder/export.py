"""Marks for the university's system: nbgrader's final scores, in a file that the system takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import build
from .errors import UsageError
from .formats import FORMATS, Mark, Marks, canvas_title
from .roster import Roster, read_roster

FORGET = "`nbgrader db student remove ID --force` forgets a student with all marks."
NOTHING = (
    "Left empty, since nothing in it could be graded: {}. `convnets grade` says why: "
    "for a damaged file, ask for a new one, and collect it with --update."
)
PART = "Left empty, since a part could not be graded: {}. Grade again, or enter its marks in Formgrader."


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
    said = unplaced(marks, left_behind(course, marks), known)
    if known:
        marks = [mark for mark in marks if known.find(mark.student)]
    said += empty(course, marks)
    if not marks:
        raise UsageError(" ".join(["There is no mark to export.", *said]))
    by_student: dict[str, dict[str, Mark]] = {}
    for mark in marks:
        by_student.setdefault(mark.student, {})[mark.unit] = mark
    graded = [name for name in names if any(name in of for of in by_student.values())]
    if kind == "canvas" and known:
        said += new_columns(graded, known)
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
    comments = [comment for notebook in entry.notebooks for comment in notebook.comments]
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
        {exercise(grade): (grade.score, grade.max_score) for grade in grades},
        {exercise(grade) for grade in grades if grade.manual_score is not None or grade.extra_credit},
        {one.name: one.manual_comment for one in comments if one.manual_comment},
    )


def exercise(grade: Any) -> str:
    """Return the exercise that a graded cell is about."""
    return grade.name.removeprefix("test_")


def left_behind(course: Path, marks: list[Mark]) -> list[Mark]:
    """Return the marks whose hand-in was deleted; none where all were, as at the end of a year."""
    gone = [mark for mark in marks if not (course / "submitted" / mark.student / mark.unit).exists()]
    return gone if len(gone) < len(marks) else []


def unplaced(marks: list[Mark], gone: list[Mark], roster: Roster | None) -> list[str]:
    """Return who is missing, here or on the roster, and whose work is no longer here."""
    left = ", ".join(f"{mark.student} ({mark.unit})" for mark in gone)
    said = [f"No longer in submitted/, though the gradebook has a mark: {left}. {FORGET}"] if gone else []
    if roster is None:
        return said
    students = sorted({mark.student for mark in marks})
    here = {mark.student for mark in marks if mark not in gone}
    rows = [roster.find(student) for student in students]
    pairs = zip(students, rows, strict=True)
    strangers = [student for student, row in pairs if row is None and student in here]
    absent = [roster.name(row) for row in roster.rows if row not in rows]
    said += [f"Not on {roster.path.name}, so not in the file: {', '.join(strangers)}."] if strangers else []
    return said + ([f"On {roster.path.name}, but without a mark: {', '.join(absent)}."] if absent else [])


def empty(course: Path, marks: list[Mark]) -> list[str]:
    """Return who has no score because something could not be graded, and what to do about it."""
    waiting: dict[str, list[str]] = {NOTHING: [], PART: []}
    for mark in marks:
        if mark.score is None:
            page = (
                course / "autograded" / mark.student / mark.unit / f"{mark.unit}.ipynb"
            )  # what Formgrader shows
            waiting[PART if page.exists() else NOTHING].append(f"{mark.student} ({mark.unit})")
    return [line.format(", ".join(who)) for line, who in waiting.items() if who]


def new_columns(units: list[str], roster: Roster) -> list[str]:
    """Return which units Canvas does not know as assignments."""
    new = [unit for unit in units if canvas_title(unit, roster.columns) not in roster.columns]
    return (
        [f"No column of {roster.path.name}, so new assignments to Canvas: {', '.join(new)}."] if new else []
    )
