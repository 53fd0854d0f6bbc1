"""Who is who: the students' ids here, and what their university calls them, from a CSV file that its system exports."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

from .errors import UsageError

# what identifies a student in the files that Canvas, Moodle and Gradescope export; the first that has a value is the id here
LOGINS = ("SIS Login ID", "Username", "SID", "SIS User ID", "ID number", "Email address", "Email", "ID")
# and what else they are known by, as in the names of downloaded files
NAMES = ("Student", "Full name", "Name", "Identifier")
EMAILS = ("Email", "Email address")
NOT_A_STUDENT = "points possible"  # a row of Canvas's file that is none


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
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as a roster: {error}") from None
    if not set(columns) & set(LOGINS):
        raise UsageError(f"{path} is no roster: it has none of the columns {', '.join(LOGINS)}.")
    for row in rows:  # Moodle's list of participants has two columns
        parts = (row.get("First name", ""), row.get("Last name", row.get("Surname", "")))
        row.setdefault("Full name", " ".join(parts).strip())
    return Roster(path, columns, [row for row in rows if is_student(row)])


def is_student(row: dict[str, str]) -> bool:
    """Return whether a row is a student: Canvas puts what an assignment is worth in one, too."""
    return any(row.values()) and row.get("Student", "").casefold() != NOT_A_STUDENT


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
