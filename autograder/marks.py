"""The gradebook, written by the main process alone, through nbgrader's own models."""

from __future__ import annotations

import logging
import os
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import (
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    MissingEntry,
    SubmittedAssignment,
    SubmittedNotebook,
)
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import AssignLatePenalties
from traitlets.config import Config

from . import build
from .errors import UsageError
from .rebuild import is_test, label, one_line
from .scores import NO_RESPONSE, Known, auto_scores
from .submissions import Submission


@dataclass
class Record:
    """What the gradebook holds of one student's unit."""

    auto: dict[str, float | None] = field(default_factory=dict)
    manual: dict[str, float] = field(default_factory=dict)
    extra: dict[str, float] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)  # a person's
    penalty: float | None = None
    due: str = ""  # when, an extension included, and by which rules for late work

    def known(self, unit: str, points: dict[str, float], blank: list[str]) -> Known:
        """Return it together with what the submission itself says."""
        return Known(unit, points, blank, self.manual, self.extra, self.comments, self.penalty)


class Marks:
    """The gradebook of a course."""

    def __init__(self, course: Path, config: Config):
        put_alembic_on_path()
        self.course, self.config = course, config
        config.CourseDirectory.root = str(course.resolve())
        self.directory = CourseDirectory(config=config)
        try:
            self.book = Gradebook(self.directory.db_url, self.directory.course_id)
        except Exception as error:  # whatever the database's driver raises
            raise UsageError(
                f"The gradebook {self.directory.db_url} cannot be opened: {one_line(error)}"
            ) from None

    def close(self) -> None:
        """Close the gradebook."""
        self.book.close()

    def has_unit(self, unit: str, template: NotebookNode) -> bool:
        """Return whether the gradebook knows the unit's cells as they are in ``template``."""
        try:
            known = {cell.name: cell.source for cell in self.book.find_notebook(unit, unit).source_cells}
        except MissingEntry:
            return False
        points = {cell.name: cell.max_score for cell in self.book.find_notebook(unit, unit).grade_cells}
        wanted = [cell for cell in template.cells if label(cell)]
        return known == {label(cell): cell.source for cell in wanted} and all(
            points[label(cell)] == cell.metadata.nbgrader.points for cell in wanted if is_test(cell)
        )

    def enter_unit(self, unit: str) -> None:
        """Let nbgrader enter the unit and its cells."""
        self.book.close()
        try:
            build.generate(self.course, [unit])
        except UsageError:
            raise
        except Exception as error:
            raise UsageError(f"nbgrader cannot enter {unit} in the gradebook: {one_line(error)}") from None
        finally:
            self.book = Gradebook(self.directory.db_url, self.directory.course_id)

    def records(self, unit: str, student: str | None = None) -> dict[str, Record]:
        """Return what the gradebook holds of a unit, by student, in three queries however large the class."""
        found: dict[str, Record] = defaultdict(Record)
        grades, comments, penalties = [self.of_unit(query, unit, student) for query in self.queries()]
        for who, name, auto, manual, extra in grades:
            found[who].auto[name] = auto
            if manual is not None:
                found[who].manual[name] = manual
            if extra:
                found[who].extra[name] = extra
        for who, name, comment in comments:
            if comment:
                found[who].comments[name] = comment
        rules = [self.config.get(name, {}) for name in ("AssignLatePenalties", "LateSubmissionPlugin")]
        due = self.book.find_assignment(unit).duedate
        for who, penalty, extension in penalties:
            found[who].penalty = penalty
            found[who].due = f"{due} {extension} {rules}"
        return found

    def queries(self) -> list[Any]:
        """Return the three queries: grades, a person's comments, penalties."""
        student, submitted = SubmittedAssignment.student_id, SubmittedNotebook.assignment_id
        query = self.book.db.query
        return [
            query(student, BaseCell.name, Grade.auto_score, Grade.manual_score, Grade.extra_credit)
            .join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
            .join(BaseCell, BaseCell.id == Grade.cell_id)
            .join(SubmittedAssignment, SubmittedAssignment.id == submitted),
            query(student, BaseCell.name, Comment.manual_comment)
            .join(SubmittedNotebook, SubmittedNotebook.id == Comment.notebook_id)
            .join(BaseCell, BaseCell.id == Comment.cell_id)
            .join(SubmittedAssignment, SubmittedAssignment.id == submitted),
            query(student, SubmittedNotebook.late_submission_penalty, SubmittedAssignment.extension).join(
                SubmittedAssignment, SubmittedAssignment.id == submitted
            ),
        ]

    def of_unit(self, query: Any, unit: str, student: str | None) -> list[Any]:
        """Return the rows of one unit, and of one student if asked."""
        query = query.filter(SubmittedAssignment.assignment_id == self.book.find_assignment(unit).id)
        return (query.filter(SubmittedAssignment.student_id == student) if student else query).all()

    def write(
        self, submission: Submission, known: Known, verdicts: list[dict[str, Any]] | None, seen: bool
    ) -> None:
        """Write one submission's automatic marks; what a person entered stays.

        Where a person's mark overrules ours, nbgrader asks them to look again, unless they have ``seen`` this very notebook.
        """
        self.book.update_or_create_student(submission.student)
        # without a time, an earlier hand-in's must go too: nobody is late by a time that is not known
        when = {"timestamp": submission.timestamp or None}
        with self.book.db.no_autoflush:  # nbgrader builds the entry piece by piece
            entry = self.book.update_or_create_submission(submission.unit, submission.student, **when)
        notebook = next(book for book in entry.notebooks if book.name == submission.unit)
        scores = auto_scores(known, verdicts)
        for grade in notebook.grades:
            grade.auto_score = scores.get(grade.name)
            if grade.manual_score is None:
                grade.needs_manual_grade = grade.auto_score is None
            elif not seen:
                grade.needs_manual_grade = True
        for comment in notebook.comments:
            comment.auto_comment = NO_RESPONSE if comment.name in known.blank else None
        notebook.late_submission_penalty = None
        late = entry.total_seconds_late > 0
        self.book.db.commit()
        if late:
            self.penalize(submission)

    def penalize(self, submission: Submission) -> None:
        """Let nbgrader's plugin set the penalty for handing in late."""
        about = {"notebook": submission.unit, "assignment": submission.unit, "student": submission.student}
        resources = {"nbgrader": about | {"db_url": self.directory.db_url}}
        step = AssignLatePenalties(config=self.config)
        step.log.setLevel(logging.ERROR)
        step.preprocess(nbformat.v4.new_notebook(), resources)
        self.book.db.expire_all()


def put_alembic_on_path() -> None:
    """Let nbgrader find `alembic`, which it calls by name, where the environment was not activated."""
    folder = str(Path(sys.executable).parent)
    if folder not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", "")])
