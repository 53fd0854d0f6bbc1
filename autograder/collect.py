"""Hand-ins from a zip or folder that Canvas, Moodle or Gradescope made, put where ``convnets grade`` reads them.

The names that these systems give tell the student:

- Canvas, "Download Submissions": lovelaceada_LATE_101_202_01-convolution.ipynb; 101 is the student's ID in Canvas.
- Moodle, "Download all submissions": Ada Lovelace_1234_assignsubmission_file_/01-convolution.ipynb, or without the folder; 1234
  is the participant's number in this assignment.
- Gradescope, "Export Submissions": assignment_9_export/submission_77/01-convolution.ipynb, beside submission_metadata.yml.
- Anybody: <student>/01-convolution.ipynb.

With a roster a student's id is their login; without, it is what the name gives.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from course.student.files import write

from . import build
from .archive import Archive, open_archive
from .errors import UsageError
from .roster import EMAILS, LOGINS, NAMES, Roster, login, read_roster
from .sandbox import Sandbox
from .submissions import SECRET

METADATA, METADATA_MB = "submission_metadata.yml", 20
MOODLE = re.compile(r"(?:.*/)?(?P<name>[^/]+?)_(?P<number>\d+)_assignsubmission_file_")
CANVAS = re.compile(r"(?:.*/)?(?P<name>[^/_]+)(?:_LATE)?_(?P<number>\d+)_\d+_[^/]+$")
GRADESCOPE = re.compile(r"(?:.*/)?(?P<name>submission_\d+)/")
UNSAFE = re.compile(r"[^\w.@+-]+")


@dataclass(frozen=True)
class Person:
    """Somebody named in an archive: the id that they have without a roster, and by what a roster may know them."""

    fallback: str
    known_as: tuple[tuple[str, tuple[str, ...]], ...]  # a value, and the columns that it may stand in
    timestamp: str = ""

    def student(self, roster: Roster | None) -> str:
        """Return the id here; empty for one who is not on the roster."""
        if roster is None:
            return clean(self.fallback)
        rows = (roster.find(value, columns) for value, columns in self.known_as if value)
        row = next((row for row in rows if row), None)
        return clean(login(row)) if row else ""


@dataclass
class Collected:
    """Who handed in what: new, changed, the same as before, left as it was since it differs; and what was not taken, and why."""

    new: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
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
        lines += [f"{problem}: {', '.join(who)}." for problem, who in self.problems.items()]
        return "\n".join(lines)


def collect(
    course: Path, unit: str, source: Path, roster: Path | None = None, update: bool = False
) -> Collected:
    """Put the notebooks of ``unit`` from a zip or folder into ``course``/submitted and return what was done.

    All is read before anything is written. Raises UsageError for an unknown unit, a broken or hostile archive, one without
    notebooks, or a file that is no roster.
    """
    build.find_units(course, [unit])
    known = read_roster(roster)
    limit = Sandbox(config=build.course_config(course)).notebook_mb
    done = Collected()
    with (
        open_archive(source) as archive,
        tempfile.TemporaryDirectory(dir=course, prefix=".collect-") as folder,
    ):
        chosen = choose(archive, unit, known, done)
        if not chosen and not done.problems:
            raise UsageError(f"{source} holds no notebook, so there is nothing to collect.")
        for student, (name, _) in chosen.items():
            (Path(folder) / student).write_bytes(archive.read(name, limit))
        for student, (_, person) in sorted(chosen.items()):
            target = course / "submitted" / student / unit / f"{unit}.ipynb"
            outcome = place(target, (Path(folder) / student).read_bytes(), person.timestamp, update)
            getattr(done, outcome).append(student)
    return done


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
                done.note(f"Not on {roster.path.name if roster else 'the roster'}", person.fallback)
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


def people(name: str, metadata: dict[str, Any]) -> list[Person]:
    """Return whose a file is: one person, a group on Gradescope, or nobody."""
    if match := GRADESCOPE.match(name):
        return submitters(metadata.get(match["name"]), match["name"])
    if match := MOODLE.match(name):
        number, known = f"Participant {match['number']}", match["name"]
        return [Person(known, ((number, ("Identifier",)), (known, NAMES)))]
    if match := CANVAS.match(name):
        return [Person(match["number"], ((match["number"], ("ID",)),))]
    student = PurePosixPath(name).parent.name
    return [Person(student, ((student, LOGINS), (student, NAMES)))] if student else []


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


def submitters(entry: Any, name: str) -> list[Person]:
    """Return the people of one of Gradescope's submissions; its keys are Ruby's, with a colon before them."""
    entry = entry if isinstance(entry, dict) else {}
    created, group = entry.get(":created_at"), entry.get(":submitters")
    if isinstance(created, datetime):
        created = created.astimezone(UTC) if created.tzinfo else created
    timestamp = f"{created:%Y-%m-%d %H:%M:%S} UTC" if isinstance(created, datetime) else ""
    found = []
    for one in group if isinstance(group, list) else []:
        sid, email, called = (str(one.get(key) or "") for key in (":sid", ":email", ":name"))
        known_as = ((sid, ("SID",)), (email, EMAILS), (called, NAMES))
        found.append(Person(sid or email or called, known_as, timestamp))
    return found or [Person(name, ())]


def place(target: Path, data: bytes, timestamp: str, update: bool) -> str:
    """Put a notebook where it is graded and return what became of it: new, updated, same or kept."""
    exists = target.exists()
    if exists and target.read_bytes() == data:
        return "same"
    if exists and not update:
        return "kept"
    write(target, data)
    for name in ("timestamp.txt", SECRET):  # of the work that was there before
        (target.parent / name).unlink(missing_ok=True)
    if timestamp:
        write(target.parent / "timestamp.txt", timestamp.encode())
    return "updated" if exists else "new"


def clean(text: str) -> str:
    """Return a student's id as a folder can be called.

    >>> clean("Ada Lovelace"), clean("../../etc"), clean("")
    ('Ada-Lovelace', 'etc', '')
    """
    return UNSAFE.sub("-", text).strip(".-")[:100]
