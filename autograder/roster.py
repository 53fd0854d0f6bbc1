"""Who is who: the students' ids here, and what their university calls them.

That stands in a CSV file that its system exports, the roster, and in the names of the files that the system gives:

- Canvas, "Download Submissions": lovelaceada_LATE_101_202_01-convolution.ipynb; 101 is the student's ID in Canvas.
- Moodle, "Download all submissions": Ada Lovelace_1234_assignsubmission_file_/01-convolution.ipynb, or without the folder; 1234
  is the participant's number in this assignment.
- Gradescope, "Export Submissions": assignment_9_export/submission_77/01-convolution.ipynb, beside submission_metadata.yml.
- Anybody: <student>/01-convolution.ipynb.

With a roster a student's id is their login; without, it is what the name gives.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from .errors import UsageError

# what identifies a student in the files that Canvas, Moodle and Gradescope export; the first that has a value is the id here
LOGINS = ("SIS Login ID", "Username", "SID", "SIS User ID", "ID number", "Email address", "Email", "ID")
# and what else they are known by, as in the names of downloaded files
NAMES = ("Student", "Full name", "Name", "Identifier")
EMAILS = ("Email", "Email address")
NOT_A_STUDENT = (
    "points possible",
    "student, test",
)  # rows of Canvas's file: what work is worth, and its Test Student
MOODLE = re.compile(r"(?:.*/)?(?P<name>[^/]+?)_(?P<number>\d+)_assignsubmission_file_")
CANVAS = re.compile(r"(?:.*/)?(?P<name>[^/_]+)(?P<late>_LATE)?_(?P<number>\d+)_\d+_[^/]+$")
GRADESCOPE = re.compile(r"(?:.*/)?(?P<name>submission_\d+)/")
UNSAFE = re.compile(r"[^\w.@+-]+")


@dataclass
class Roster:
    """The rows of a roster, each a student, by column."""

    path: Path
    columns: list[str]
    rows: list[dict[str, str]]
    indexes: dict[tuple[str, ...], dict[str, list[dict[str, str]]]] = field(default_factory=dict)

    def find(self, value: str, *kinds: tuple[str, ...]) -> dict[str, str] | None:
        """Return the one row that has ``value`` in one of some columns, or else of the next.

        By default in the columns of ids, each before the next, then in those of names. Case does not matter, and the first part
        of an e-mail address will do.
        """
        wanted = value.strip().casefold()
        for columns in kinds or (*((name,) for name in LOGINS), NAMES):
            found = self.index(columns).get(wanted, [])
            if len(found) == 1:
                return found[0]
        return None

    def index(self, columns: tuple[str, ...]) -> dict[str, list[dict[str, str]]]:
        """Return the rows by what they have in some columns."""
        if columns not in self.indexes:
            index = self.indexes.setdefault(columns, {})
            for row in self.rows:
                for value in known_by(row, columns):
                    index.setdefault(value, []).append(row)
        return self.indexes[columns]

    def name(self, row: dict[str, str]) -> str:
        """Return what to call the student of a row."""
        return login(row) or next((row[name] for name in NAMES if row.get(name)), "?")


def read_roster(path: Path | None) -> Roster | None:
    """Return a roster, or None for none; raises UsageError for a file that is none."""
    if path is None:
        return None
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            columns = [name.strip() for name in reader.fieldnames or []]
            reader.fieldnames = columns
            rows = [{k: v.strip() for k, v in row.items() if isinstance(v, str)} for row in reader]
    except OSError as error:
        raise UsageError(f"{path} cannot be read as a roster: {error.strerror}.") from None
    except (ValueError, csv.Error):  # another encoding, or a spreadsheet's own format
        raise UsageError(
            f"{path} is not a CSV file in UTF-8: open it as a spreadsheet, and save it as CSV in UTF-8."
        ) from None
    if not set(columns) & set(LOGINS):
        raise UsageError(f"{path} is no roster: it has none of the columns {', '.join(LOGINS)}.")
    for row in rows:  # Moodle's list of participants has two columns
        parts = (row.get("First name", ""), row.get("Last name", row.get("Surname", "")))
        row.setdefault("Full name", " ".join(parts).strip())
    return Roster(path, columns, [row for row in rows if is_student(row)])


def is_student(row: dict[str, str]) -> bool:
    """Return whether a row is a student: Canvas puts two others in its file."""
    return any(row.values()) and row.get("Student", "").casefold() not in NOT_A_STUDENT


def known_by(row: dict[str, str], columns: tuple[str, ...]) -> set[str]:
    """Return what a student is called in some columns.

    >>> sorted(known_by({"SID": "17", "Email": "Ada@uni.example"}, LOGINS))
    ['17', 'ada', 'ada@uni.example']
    """
    values = {row.get(name, "").casefold() for name in columns}
    return (values | {value.split("@")[0] for value in values if "@" in value}) - {""}


def login(row: dict[str, str]) -> str:
    """Return the id that a student of the roster has here."""
    return next((row[name] for name in LOGINS if row.get(name)), "")


@dataclass(frozen=True)
class Person:
    """Somebody named in an archive: the id that they have without a roster, and by what a roster may know them."""

    fallback: str
    known_as: tuple[tuple[str, tuple[str, ...]], ...]  # a value, and the columns that it may stand in
    timestamp: str = ""
    numbered: bool = False  # the name gives nothing but Canvas's number of the student
    late: bool = False  # so Canvas says, which does not say when

    def student(self, roster: Roster | None) -> str:
        """Return the id here; empty for one who is not on the roster."""
        if roster is None:
            return clean(self.fallback)
        rows = (roster.find(value, columns) for value, columns in self.known_as if value)
        row = next((row for row in rows if row), None)
        return clean(login(row)) if row else ""


def people(name: str, metadata: dict[str, Any]) -> list[Person]:
    """Return whose a file is: one person, a group on Gradescope, or nobody."""
    if match := GRADESCOPE.match(name):
        return submitters(metadata.get(match["name"]), match["name"])
    if match := MOODLE.match(name):
        number, known = f"Participant {match['number']}", match["name"]
        return [Person(known, ((number, ("Identifier",)), (known, NAMES)))]
    if match := CANVAS.match(name):
        known_as = ((match["number"], ("ID",)),)
        return [Person(match["number"], known_as, numbered=True, late=bool(match["late"]))]
    student = PurePosixPath(name).parent.name
    return [Person(student, ((student, LOGINS), (student, NAMES)))] if student else []


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


def clean(text: str) -> str:
    """Return a student's id as a folder can be called.

    >>> clean("Ada Lovelace"), clean("../../etc"), clean("")
    ('Ada-Lovelace', 'etc', '')
    """
    return UNSAFE.sub("-", text).strip(".-")[:100]
