"""Grading a class: read what was handed in, have it graded, write the gradebook, the folders and grades.csv."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from . import build
from .errors import UsageError
from .rebuild import is_test, label, uses_torch
from .sandbox import Sandbox, require_sandbox
from .scores import points_of
from .store import Store
from .submissions import Submission, find_submissions, read
from .template import find_template

COLUMNS = ("student", "unit", "exercise", "score", "max_score", "verdict", "misconception", "message")
LONGEST_MESSAGE = 4000  # a student's value can make one of any length; the feedback page has the whole of it


@dataclass
class GradingSummary:
    """What a run did: how many submissions it graded, took from the store, could not grade and why; and all rows.

    ``doubts`` are the tests that the instructor's own solution does not pass: what is wrong there costs the whole class.
    """

    graded: int = 0
    from_store: int = 0
    not_graded: list[dict[str, str]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    seconds: float = 0.0
    units: dict[str, dict[str, int]] = field(default_factory=dict)  # graded and from_store, by unit

    def add(self, unit: str, what: str) -> None:
        """Count one more submission of a unit as "graded" or "from_store"."""
        setattr(self, what, getattr(self, what) + 1)
        self.units.setdefault(unit, {"graded": 0, "from_store": 0})[what] += 1

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return dict(vars(self))

    def __str__(self) -> str:
        head = f"{self.graded} graded, {self.from_store} unchanged, {len(self.not_graded)} not graded ({self.seconds:.1f} s)"
        units = [
            f"  {u}: {n['graded']} graded, {n['from_store']} unchanged" for u, n in sorted(self.units.items())
        ]
        failed = ["  not graded: {student} {unit}: {why}".format(**one) for one in self.not_graded]
        return "\n".join(
            [head, *(units if len(units) > 1 else []), *failed, *(f"  look: {d}" for d in self.doubts)]
        )


@dataclass
class Unit:
    """One unit being graded."""

    name: str
    template: NotebookNode
    settings: dict[str, Any]
    points: dict[str, float] = field(default_factory=dict)
    submissions: list[Submission] = field(default_factory=list)
    records: dict[str, Any] = field(default_factory=dict)  # what the gradebook held when the run began


def grade(
    course: Path,
    units: Iterable[str] | None = None,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    unsafe_no_sandbox: bool = False,
    progress: bool = True,
) -> GradingSummary:
    """Grade what is in ``course``/submitted and return what was done.

    Raises UsageError for an unknown unit, nothing handed in, a folder that cannot be written, or no sandbox. A notebook
    that cannot be read is its student's row, not an error.
    """
    from .class_run import ClassRun

    started = time.monotonic()
    course = Path(course)
    names = check_course(course, list(units or []))
    config = build.course_config(course)
    sandbox = Sandbox(config=config)
    sandbox.unsafe = sandbox.unsafe or unsafe_no_sandbox
    if not sandbox.unsafe and scheduler is None:
        require_sandbox()
    store = Store(course / ".convnets")
    try:
        run = ClassRun(course, config, store, list(open_units(course, names, sandbox, store)))
        summary = run.go(workers, scheduler, progress)
    finally:
        store.close()
    write_rows(course / "grades.csv", summary.rows, names)
    summary.seconds = round(time.monotonic() - started, 3)
    return summary


def check_course(course: Path, names: list[str]) -> list[str]:
    """Return the units to grade; raises UsageError where there is nothing to do or no way to do it."""
    known = [path.stem for path in build.find_units(course, names)]
    if not (course / "submitted").is_dir():
        raise UsageError(
            f"{course / 'submitted'} is missing: put hand-ins under submitted/<student>/<unit>/<unit>.ipynb."
        )
    if not os.access(course, os.W_OK):
        raise UsageError(f"{course} cannot be written to, so there is no place for a gradebook.")
    found = [name for name in known if find_submissions(course, name)]
    if not found:
        raise UsageError(
            f"Nobody has handed in {' or '.join(names) if names else 'anything'} under {course / 'submitted'}."
        )
    return found


def open_units(course: Path, names: list[str], sandbox: Sandbox, store: Store) -> Iterator[Unit]:
    """Yield the units with their settings and what was handed in."""
    for name in names:
        template = find_template(course, name)
        assert template is not None  # check_course found its source
        unit = Unit(name, template, sandbox.for_unit(name, uses_torch(template)), points_of(template))
        for student, folder in find_submissions(course, name):
            submission = read(student, name, folder, template, unit.settings, store.secret)
            submission.forget()
            unit.submissions.append(submission)
        yield unit


def rows_of(
    submission: Submission, template: NotebookNode, verdicts: list[dict] | None
) -> list[dict[str, Any]]:
    """Return the rows of grades.csv for one submission; without verdicts none of its exercises was graded."""
    tests = [cell for cell in template.cells if is_test(cell)]
    rows = []
    for number, cell in enumerate(tests):
        verdict = verdicts[number] if verdicts else {"verdict": "not_graded", "text": submission.unreadable}
        rows.append(
            {
                "student": submission.student,
                "unit": submission.unit,
                "exercise": (label(cell) or "").removeprefix("test_"),
                "score": "" if verdict["verdict"] == "not_graded" else verdict["score"],
                "max_score": float(cell.metadata.nbgrader.points),
                "verdict": verdict["verdict"],
                "misconception": verdict.get("misconception", ""),
                "message": shortened(verdict["text"]),
            }
        )
    return rows


def shortened(message: str) -> str:
    """Return a message that a cell of a table can hold.

    >>> len(shortened("long " * 10_000)) == LONGEST_MESSAGE
    True
    """
    return message if len(message) <= LONGEST_MESSAGE else f"{message[: LONGEST_MESSAGE - 4]} ..."


def write_rows(path: Path, rows: list[dict[str, Any]], units: list[str]) -> None:
    """Write grades.csv as a whole or not at all; the rows of units that were not graded now stay."""
    kept = []
    if path.exists():
        csv.field_size_limit(1 << 30)  # an earlier version cut no message
        with path.open(newline="", encoding="utf8") as file:
            kept = [row for row in csv.DictReader(file) if row.get("unit") not in units]
        for row in kept:
            row["message"] = shortened(row.get("message") or "")
    part = path.with_suffix(".part")
    with part.open("w", newline="", encoding="utf8", errors="replace") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(sorted([*kept, *rows], key=lambda row: (row["unit"], row["student"])))
    part.replace(path)
