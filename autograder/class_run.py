"""One run over a class: what is known is taken from the store, the rest goes to the workers, and one writer writes."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm
from traitlets.config import Config

from . import fanout
from .feedback import feedback_page
from .grading import GradingSummary, Unit, rows_of
from .marks import Marks, Record
from .rebuild import Unreadable, one_line
from .scores import auto_scores, marks_from
from .store import Store
from .submissions import FAULT, SECRET, Submission, own_solution, read

# the disk takes nothing more, of anybody
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO)


class ClassRun:
    """Grades the submissions of some units and writes all that comes of it."""

    def __init__(self, course: Path, config: Config, store: Store, units: list[Unit]):
        self.course, self.store, self.units = course, store, units
        self.summary = GradingSummary()
        self.rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
        with fanout.deaf_to_interrupts():  # nbgrader starts programs to make or look at its gradebook
            self.marks = Marks(course, config)

    def go(self, workers: int | None, scheduler: str | None, progress: bool) -> GradingSummary:
        """Do it all and return the summary."""
        try:
            waiting = [(unit, one) for unit in self.units for one in self.look_up(unit)]
            total = sum(len(unit.submissions) for unit in self.units)
            with tqdm(
                total=total, initial=total - len(waiting), unit="notebook", disable=not progress
            ) as bar:
                self.work_off(waiting, workers, scheduler, bar)
        finally:
            self.marks.close()
        order = [(unit.name, one.student) for unit in self.units for one in unit.submissions]
        self.summary.rows = [row for key in order for row in self.rows.get(key, [])]
        return self.summary

    def look_up(self, unit: Unit) -> Iterator[Submission]:
        """Yield the submissions of a unit that need a worker; the others are done when this ends."""
        if not self.marks.has_unit(unit.name, unit.template):
            with fanout.deaf_to_interrupts():
                self.marks.enter_unit(unit.name)
        unit.records = self.marks.records(unit.name)
        for submission in unit.submissions:
            if submission.unreadable:
                self.give_up(unit, submission)
            elif (verdicts := self.store.verdicts(submission.key)) and self.is_written(
                unit, submission, verdicts
            ):
                self.count(unit, submission, verdicts)
                self.summary.add(unit.name, "from_store")
            else:
                yield submission

    def is_written(self, unit: Unit, submission: Submission, verdicts: list[dict]) -> bool:
        """Return whether the gradebook and the folders hold this result, and what a person entered since."""
        record = unit.records.get(submission.student)
        if record is None:
            return False
        known = record.known(unit.name, unit.points, submission.blank)
        return (
            record.auto == auto_scores(known, verdicts)
            and self.store.written(submission.student, unit.name)
            == mark_of(submission, marks_from(known, verdicts), record.due)
            and self.file("autograded", submission, "ipynb").exists()
            and self.file("feedback", submission, "html").exists()
        )

    def work_off(
        self, waiting: list[tuple[Unit, Submission]], workers: int | None, scheduler: str | None, bar: tqdm
    ) -> None:
        """Have the waiting submissions graded and write each as it comes."""
        solutions = list(self.solutions())
        if not waiting:
            return
        jobs = (((unit, one), job) for unit, one in waiting if (job := self.job(unit, one)))
        for (unit, submission), outcome in fanout.run(
            chain(solutions, jobs), len(waiting), workers, scheduler
        ):
            if not submission.student:
                self.judge_solution(unit, submission, outcome)
                continue
            try:
                self.finish(unit, submission, outcome)
            except Exception as error:
                if concerns_everybody(error):
                    raise
                self.fail(unit, submission, error)
            bar.update()

    def solutions(self) -> Iterator[tuple[tuple[Unit, Submission], dict[str, Any]]]:
        """Yield a job for each unit whose own solution has not been put through these tests yet."""
        for unit in self.units:
            source = self.course / "source" / unit.name / f"{unit.name}.py"
            try:
                own = own_solution(source, unit.settings, self.store.secret)
            except Unreadable as error:
                self.summary.doubts.append(f"your own solution of {unit.name} was not tried: {error}")
                continue
            if verdicts := self.store.verdicts(own.key):
                self.doubt(unit, verdicts)
            else:
                known = asdict(Record().known(unit.name, unit.points, []))
                yield (unit, own), {"known": known, **own.job(unit.settings)}

    def judge_solution(self, unit: Unit, own: Submission, outcome: dict[str, Any] | Exception) -> None:
        """Note which tests the instructor's own solution does not pass; a fault of the machinery says nothing."""
        if isinstance(outcome, Exception):
            return
        verdicts = outcome["result"]["verdicts"]
        self.doubt(unit, verdicts)
        if all(verdict["verdict"] != "not_graded" for verdict in verdicts):
            self.store.put(own.key, outcome["result"])

    def doubt(self, unit: Unit, verdicts: list[dict]) -> None:
        """Add what a solution got wrong to the summary."""
        for verdict in verdicts:
            if verdict["verdict"] != "passed":
                said = " ".join(verdict["text"].split())
                self.summary.doubts.append(
                    f"your own solution of {unit.name} does not pass test_{verdict['exercise']}, so that test may cost "
                    f"everyone: {said}"
                )

    def job(self, unit: Unit, submission: Submission) -> dict[str, Any] | None:
        """Return what a worker needs; with the result, where it is known and only has to be written."""
        fresh = read(
            submission.student, unit.name, submission.folder, unit.template, unit.settings, self.store.secret
        )
        vars(submission).update(vars(fresh))
        if submission.unreadable:  # it was readable a moment ago
            self.give_up(unit, submission)
            return None
        record = unit.records.get(submission.student) or Record()
        known = asdict(record.known(unit.name, unit.points, submission.blank))
        result = self.store.get(submission.key)
        return {"known": known, **({"result": result} if result else submission.job(unit.settings))}

    def finish(self, unit: Unit, submission: Submission, outcome: dict[str, Any] | Exception) -> None:
        """Write one graded submission: to the store first, then the gradebook, then the folders."""
        made = {} if isinstance(outcome, Exception) else outcome
        stored = self.store.get(submission.key)  # known before, or since the same text came twice in this run
        if isinstance(outcome, Exception) and not stored:
            return self.fail(unit, submission, outcome)
        result = stored or made["result"]
        verdicts = result["verdicts"]
        why = next((verdict["text"] for verdict in verdicts if verdict["verdict"] == "not_graded"), "")
        if not stored and not why:
            self.store.put(submission.key, result)
        graded = self.file("autograded", submission, "ipynb")
        seen = graded.exists() and graded.read_text("utf8") == result["notebook"]
        record = self.write_marks(unit, submission, verdicts, seen)
        now = marks_from(record.known(unit.name, unit.points, submission.blank), verdicts)
        fits = made.get("result") == result and made["marks"] == now  # else late, or marked meanwhile
        self.write_files(
            submission, result["notebook"], made["page"] if fits else feedback_page(result["notebook"], now)
        )
        if why:
            self.not_graded(submission, why)
        else:
            self.store.set_written(submission.student, unit.name, mark_of(submission, now, record.due))
            self.summary.add(unit.name, "from_store" if stored else "graded")
        self.count(unit, submission, verdicts)

    def write_marks(
        self, unit: Unit, submission: Submission, verdicts: list[dict] | None, seen: bool = False
    ) -> Record:
        """Write to the gradebook and return what it holds then."""
        known = Record().known(unit.name, unit.points, submission.blank)
        self.marks.write(submission, known, verdicts, seen)
        return self.marks.records(unit.name, submission.student)[submission.student]

    def fail(self, unit: Unit, submission: Submission, error: Exception) -> None:
        """Enter a submission that could not be graded by a fault of ours."""
        submission.unreadable = FAULT.format(one_line(error))
        self.give_up(unit, submission)

    def give_up(self, unit: Unit, submission: Submission) -> None:
        """Enter a submission that could not be graded: no mark at all, and a person must look.

        What an earlier hand-in left in the folders goes: its page would be published beside no mark. What a person entered
        is in the gradebook and stays.
        """
        self.not_graded(submission, submission.unreadable)
        self.write_marks(unit, submission, None)
        with contextlib.suppress(OSError):
            self.file("feedback", submission, "html").unlink(missing_ok=True)
            clear(self.file("autograded", submission, "ipynb").parent)
        self.count(unit, submission, None)

    def not_graded(self, submission: Submission, why: str) -> None:
        """Put a submission on the list of those not graded, with the reason in a line that every terminal can show."""
        line = "".join(c if c.isprintable() else "?" for c in " ".join(why.split()))
        self.summary.not_graded.append({"student": submission.student, "unit": submission.unit, "why": line})

    def count(self, unit: Unit, submission: Submission, verdicts: list[dict] | None) -> None:
        """Keep the rows of a submission, and let go of the rest of it."""
        self.rows[unit.name, submission.student] = rows_of(submission, unit.template, verdicts)
        submission.forget()

    def file(self, folder: str, submission: Submission, ending: str) -> Path:
        """Return where nbgrader keeps a file of a submission."""
        return self.course / folder / submission.student / submission.unit / f"{submission.unit}.{ending}"

    def exchange_files(self, submission: Submission) -> dict[str, bytes]:
        """Return what `nbgrader release_feedback` wants beside every page, also beside one that did not come that way.

        A page is published under a name that follows from the secret: this one nobody but us can work out.
        """
        text = f"{self.store.secret} {submission.student} {submission.unit}"
        secret = hashlib.sha256(text.encode()).hexdigest()
        return {"timestamp.txt": b"", SECRET: secret.encode(), **submission.exchange_files}

    def write_files(self, submission: Submission, notebook: str, page: str) -> None:
        """Write autograded/ and feedback/, each file as a whole or not at all; what an earlier hand-in had beside it goes."""
        graded = self.file("autograded", submission, "ipynb")
        feedback = self.file("feedback", submission, "html")
        files = {graded.name: notebook.encode(), **submission.files, **submission.exchange_files}
        pages = {**self.exchange_files(submission), feedback.name: page.encode()}
        clear(graded.parent, files)
        for path, contents in ((graded, files), (feedback, pages)):
            for name, data in contents.items():
                write(path.parent / name, data)


def concerns_everybody(error: Exception) -> bool:
    """Return whether an error would meet every submission: the gradebook or the store is out of reach, or the disk full."""
    databases = isinstance(error, SQLAlchemyError | sqlite3.Error)
    return databases or (isinstance(error, OSError) and error.errno in FULL)


def mark_of(submission: Submission, marks: dict[str, Any], due: str) -> str:
    """Return the mark of everything that was written for a submission."""
    text = json.dumps([submission.key, submission.timestamp, submission.secret, marks, due], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def clear(folder: Path, keep: Collection[str] = ()) -> None:
    """Remove what is in a folder of results, but for the files ``keep``."""
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder, and then the folder
        if path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError):  # something in it is kept
                path.rmdir()
        elif path.relative_to(folder).as_posix() not in keep:
            path.unlink()


def write(path: Path, data: bytes) -> None:
    """Write a file as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(".part")  # one process writes, and the longest name has no room for more
    part.write_bytes(data)
    os.replace(part, path)
