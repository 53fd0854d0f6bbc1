"""What was handed in: submitted/<student>/<unit>/<unit>.ipynb and the files beside it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePath
from typing import Any

import nbformat
from nbformat import NotebookNode

from .build import read_source
from .rebuild import (
    MEGABYTE,
    Unreadable,
    belongs,
    has_exercise,
    is_test,
    label,
    one_line,
    read_file,
    read_submission,
    rebuild,
)
from .remote import seed_of
from .scores import blank_answers
from .store import key_of
from .touched import exercises_of

SECRET = "submission_secret.txt"  # nbgrader's: it names the feedback page that only this student can fetch
FAULT = "The grader itself failed, which costs you nothing: {}"
# Far above any honest hand-in. All notebooks are read in one process, so one of 50 MB of code would hold up everybody.
MOST_CELLS, MOST_CODE_MB = 2000, 4
MOST_FILES, LONGEST_PATH = 1000, 1000


@dataclass
class Submission:
    """One student's hand-in of one unit, rebuilt from the template; ``unreadable`` says why it could not be."""

    student: str
    unit: str
    folder: Path
    key: str = ""
    seed: int = 0
    notebook: NotebookNode | None = None
    changes: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    timestamp: str = ""
    secret: str = ""
    unreadable: str = ""
    blank: list[str] = field(default_factory=list)

    def forget(self) -> None:
        """Let go of the contents: a class of a thousand is known by its keys, and read again one by one."""
        self.notebook, self.files = None, {}

    @property
    def exchange_files(self) -> dict[str, bytes]:
        """What nbgrader's exchange put beside the notebook and wants to find again beside the feedback."""
        notes = {"timestamp.txt": self.timestamp, SECRET: self.secret}
        return {name: text.encode() for name, text in notes.items() if text}

    def job(self, settings: dict) -> dict:
        """Return what a worker needs to grade it, as plain data."""
        files = {name: base64.b64encode(data).decode() for name, data in self.files.items()}
        return {
            "notebook": nbformat.writes(self.notebook),
            "settings": settings,
            "files": files,
            "seed": self.seed,
        }


def find_submissions(course: Path, unit: str) -> list[tuple[str, Path]]:
    """Return the students who handed in ``unit``, with the folder of each."""
    folders = sorted((course / "submitted").glob(f"*/{unit}"))
    return [(folder.parent.name, folder) for folder in folders if folder.is_dir()]


def could_be_of(template: NotebookNode, path: Path, limit_mb: int) -> bool:
    """Return whether a notebook has one of the template's exercises, or cannot be read, so that nobody knows."""
    try:
        return has_exercise(template, read_submission(path, limit_mb))
    except Unreadable:
        return True


def read(
    student: str, unit: str, folder: Path, template: NotebookNode, settings: dict, secret: str
) -> Submission:
    """Return a submission, rebuilt; what cannot be read says so in itself and stops nobody."""
    submission = Submission(
        student, unit, folder, timestamp=read_timestamp(folder), secret=read_secret(folder)
    )
    exercises = exercises_of(label(cell) or "" for cell in template.cells if is_test(cell))
    try:
        cells = read_submission(notebook_in(folder, unit), settings["notebook_mb"])
        check_size(f"{unit}.ipynb", cells)
        if not belongs(template, cells):
            raise Unreadable(f"{unit}.ipynb is not a notebook of {unit}: it has none of its exercises.")
        submission.notebook, submission.changes = rebuild(template, cells)
        submission.blank = blank_answers(submission.notebook, template)
        submission.files = other_files(folder, settings)
        return identified(submission, exercises, settings, secret)
    except Unreadable as error:
        submission.unreadable = str(error)
    except Exception as error:  # whatever else is odd about this one folder
        submission.unreadable = FAULT.format(one_line(error))
    submission.key = key_of(exercises, unit, submission.unreadable)
    return submission


def check_size(name: str, cells: list[dict[str, Any]]) -> None:
    """Raise Unreadable for a notebook that nobody typed."""
    if len(cells) > MOST_CELLS:
        raise Unreadable(
            f"{name} has {len(cells)} cells, and {MOST_CELLS} are the most: delete those that are no work."
        )
    code = sum(len(cell["source"]) for cell in cells if cell["type"] == "code" or cell["grade_id"])
    if code > MOST_CODE_MB * MEGABYTE:
        raise Unreadable(f"{name} has more than {MOST_CODE_MB} MB of code: put data into a file beside it.")


def own_solution(source: Path, settings: dict, secret: str) -> Submission:
    """Return an instructor's own solution of a unit, hidden tests in it, as if somebody had handed it in."""
    notebook = read_source(source)
    submission = Submission("", source.stem, source.parent, notebook=notebook)
    files = other_files(source.parent, settings)
    submission.files = {name: data for name, data in files.items() if name != source.name}
    exercises = exercises_of(label(cell) or "" for cell in notebook.cells if is_test(cell))
    return identified(submission, exercises, settings, secret)


def identified(submission: Submission, exercises: tuple[str, ...], settings: dict, secret: str) -> Submission:
    """Return a submission with the key and the seed that follow from what is in it."""
    assert submission.notebook is not None
    text = [[cell.cell_type, cell.source, cell.metadata] for cell in submission.notebook.cells]
    contents = {name: hashlib.sha256(data).hexdigest() for name, data in submission.files.items()}
    submission.key = key_of(exercises, submission.unit, text, contents, settings, secret)
    submission.seed = seed_of(secret, key_of(exercises, submission.unit, text, contents))
    return submission


def notebook_in(folder: Path, unit: str) -> Path:
    """Return the notebook of a hand-in; raises Unreadable, with what is there instead, where it has another name."""
    path = folder / f"{unit}.ipynb"
    others = sorted(other.name for other in folder.glob("*.ipynb"))
    if others and path.name not in others:
        raise Unreadable(f"There is no {path.name}, only {', '.join(others)}: rename it, and grade again.")
    return path


def other_files(folder: Path, settings: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the plain files that came with the notebook, by path; links are left out, too much is Unreadable.

    What is larger than a file may be (``file_mb``), or all of it than half of ``disk_mb``, could not be put where student
    code runs.
    """
    limit = settings["disk_mb"] * MEGABYTE // 2
    ours = (path for path in folder.rglob("*") if not is_aside(path.relative_to(folder)))
    found = sorted(islice(ours, MOST_FILES + 1))
    if len(found) > MOST_FILES:
        raise Unreadable(f"There are more than {MOST_FILES} files and folders beside the notebook.")
    files, total = {}, 0
    for path in found:
        if path.is_symlink() or not path.is_file() or path.suffix == ".ipynb":
            continue
        name = path.relative_to(folder).as_posix()
        encoded = name.encode("utf8", "ignore")
        if len(encoded) > LONGEST_PATH or encoded.decode() != name:
            raise Unreadable(
                f"Beside the notebook is a file with an impossible name, {name[:100]!r}: rename it."
            )
        if path.stat().st_size > settings["file_mb"] * MEGABYTE:
            raise Unreadable(
                f"{name} is larger than {settings['file_mb']} MB, the most for a file (Sandbox.file_mb)."
            )
        data = read_file(path, limit)
        total += len(data)
        if total > limit:
            raise Unreadable(f"The files beside the notebook are larger than {limit // MEGABYTE} MB.")
        files[name] = data
    return files


def is_aside(place: PurePath) -> bool:
    """Return whether a path in a hand-in is hidden, or nbgrader's, and so no part of the work."""
    return any(part.startswith(".") for part in place.parts) or place.parts[0] in ("timestamp.txt", SECRET)


def read_timestamp(folder: Path) -> str:
    """Return when it was handed in, as nbgrader notes it, or an empty string."""
    from nbgrader.utils import parse_utc

    try:
        text = read_file(folder / "timestamp.txt", 1000).decode().strip()
        return text if text and parse_utc(text) else ""
    except (Unreadable, ValueError, OverflowError):
        return ""


def read_secret(folder: Path) -> str:
    """Return the secret that ``nbgrader submit`` put beside the notebook, or an empty string."""
    try:
        return read_file(folder / SECRET, 1000).decode()
    except (Unreadable, ValueError):
        return ""
