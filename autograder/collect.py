"""Hand-ins from a zip or folder that Canvas, Moodle or Gradescope made, put where ``convnets grade`` reads them.

How the names in it tell the student, autograder.roster says.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from nbformat import NotebookNode

from course.student.files import write

from . import build
from .archive import Archive, open_archive
from .errors import UsageError
from .roster import Person, Roster, people, read_roster
from .sandbox import Sandbox
from .submissions import SECRET, could_be_of

METADATA, METADATA_MB = "submission_metadata.yml", 20


@dataclass
class Collected:
    """Who handed in what: new, changed, the same as before, left as it was since it differs; and what was not taken, and why."""

    new: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    untimed: list[str] = field(default_factory=list)
    numbered: list[str] = field(default_factory=list)
    problems: dict[str, list[str]] = field(default_factory=dict)

    def note(self, problem: str, who: str) -> None:
        """Note who has a problem, once."""
        if who not in self.problems.setdefault(problem, []):
            self.problems[problem].append(who)

    def __str__(self) -> str:
        counts = {"new": self.new, "updated": self.updated, "unchanged": self.same}
        lines = [", ".join(f"{len(students)} {word}" for word, students in counts.items())]
        if self.kept:
            lines.append(
                f"Kept as it was, though the file has another: {', '.join(self.kept)} (--update takes it)."
            )
        if self.untimed:
            lines.append(
                f"{len(self.untimed)} came without a time of handing in, so late days are not counted there."
            )
        if self.numbered:
            count, one = len(self.numbered), self.numbered[0]
            lines.append(
                f"{count} with a number from Canvas for a name, such as {one}: --roster tells the logins."
            )
        return "\n".join(lines + self.noted())

    def noted(self) -> list[str]:
        """Return what was noted, in a line each."""
        return [f"{problem}: {', '.join(who)}." for problem, who in self.problems.items()]


def collect(
    course: Path, unit: str, source: Path, roster: Path | None = None, update: bool = False
) -> Collected:
    """Put the notebooks of ``unit`` from a zip or folder into ``course``/submitted and return what was done.

    All is read before anything is written. Raises UsageError for an unknown unit, a broken or hostile archive, one without
    notebooks of this unit, or a file that is no roster.
    """
    (path,) = build.find_units(course, [unit])
    known = read_roster(roster)
    limit = Sandbox(config=build.course_config(course)).notebook_mb
    done = Collected()
    with (
        open_archive(source) as archive,
        tempfile.TemporaryDirectory(dir=course, prefix=".collect-") as folder,
    ):
        chosen = choose(archive, unit, known, done)
        take(archive, chosen, build.template(path), Path(folder), limit, done)
        if not chosen:
            said = [f"{source} holds no notebook of {unit} to collect.", *done.noted()]
            raise UsageError(" ".join(said))
        for student, (_, person) in sorted(chosen.items()):
            target = course / "submitted" / student / unit / f"{unit}.ipynb"
            outcome = place(target, (Path(folder) / student).read_bytes(), person.timestamp, update)
            getattr(done, outcome).append(student)
            remark(done, student, person, known, outcome != "kept" and not timestamp_of(target).exists())
    return done


def take(
    archive: Archive,
    chosen: dict[str, tuple[str, Person]],
    template: NotebookNode,
    folder: Path,
    limit: int,
    done: Collected,
) -> None:
    """Copy the chosen notebooks into ``folder``, by student; one of another unit is noted and no longer chosen."""
    for student, (name, _) in list(chosen.items()):
        (folder / student).write_bytes(archive.read(name, limit))
        if not could_be_of(template, folder / student, limit):
            done.note("Without an exercise of this unit, so not collected", f"{student} ({name})")
            del chosen[student]


def remark(done: Collected, student: str, person: Person, roster: Roster | None, untimed: bool) -> None:
    """Note what is not known of somebody whose notebook was placed: when it was handed in, or who they are."""
    if untimed:
        done.untimed.append(student)
    if untimed and person.late:
        done.note("Late, says Canvas, but not by how much", student)
    if person.numbered and roster is None:
        done.numbered.append(student)


def timestamp_of(notebook: Path) -> Path:
    """Return where nbgrader looks for the time at which a notebook was handed in."""
    return notebook.with_name("timestamp.txt")


def choose(
    archive: Archive, unit: str, roster: Roster | None, done: Collected
) -> dict[str, tuple[str, Person]]:
    """Return each student's notebook in an archive, with who they are; what cannot be told is noted in ``done``."""
    metadata = read_metadata(archive)
    found: dict[str, list[tuple[str, Person]]] = {}
    for name in archive.names:
        parts = PurePosixPath(name).parts
        if any(part.startswith((".", "__MACOSX")) for part in parts) or parts[-1] == METADATA:
            continue
        for person in people(name, metadata):
            student = person.student(roster)
            if not student:
                done.note(
                    f"Not on {roster.path.name if roster else 'the roster'}, so left out", person.fallback
                )
            elif name.casefold().endswith(".ipynb"):
                found.setdefault(student, []).append((name, person))
            else:
                found.setdefault(student, [])
    chosen = {}
    for student, notebooks in found.items():
        own = [one for one in notebooks if unit in one[0].rsplit("/", 1)[-1].casefold()] or notebooks
        if len(own) == 1:
            chosen[student] = own[0]
        elif own:
            done.note(
                "Handed in twice, so not collected", f"{student} ({', '.join(name for name, _ in own)})"
            )
        else:
            done.note("Handed in no notebook", student)
    return chosen


def read_metadata(archive: Archive) -> dict[str, Any]:
    """Return what Gradescope says of its submissions, or nothing."""
    import yaml

    found = [name for name in archive.names if PurePosixPath(name).name == METADATA]
    if not found:
        return {}
    try:
        data = yaml.safe_load(archive.read(found[0], METADATA_MB))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{found[0]} in {archive.path} cannot be read: {error}") from None
    return data if isinstance(data, dict) else {}


def place(target: Path, data: bytes, timestamp: str, update: bool) -> str:
    """Put a notebook where it is graded and return what became of it: new, updated, same or kept."""
    exists = target.exists()
    if exists and target.read_bytes() == data:
        return "same"
    if exists and not update:
        return "kept"
    write(target, data)
    for path in (timestamp_of(target), target.with_name(SECRET)):  # of the work that was there before
        path.unlink(missing_ok=True)
    if timestamp:
        write(timestamp_of(target), timestamp.encode())
    return "updated" if exists else "new"
