"""The student's own copy of the lessons: made from release/, brought up to date, and never overwritten."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import nbformat

from course.student.errors import UsageError
from course.student.files import write
from course.student.progress import passed_in, progress
from course.student.upgrade import is_of_another_release, merge, same

ROOT = Path(__file__).resolve().parent.parent.parent
RECORD = ".convnets-lessons.json"  # in the working copy: file -> checksum of the release it came from
BACKUPS = "backups"  # in the working copy: notebooks as they were before an upgrade
# what a student's JupyterLab goes without: the instructor's tools, and questions about news from the network
SETTINGS = Path(__file__).resolve().parent / "jupyter"


def lab(folder: Path, browser: bool = True, extra: Sequence[str] = (), upgrade: bool = False) -> int:
    """Bring ``folder`` up to date, say what was done, and run JupyterLab there until it is stopped."""
    is_first = not (folder / RECORD).exists()
    for line in update(folder, ROOT / "release", upgrade):
        print(line, flush=True)
    done = progress(folder)
    if any(exercises and any(exercises.values()) for exercises in done.units.values()):
        print(f"\nExercises that have passed:\n{done}\n", flush=True)
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder.resolve()}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # in a container one is root, and Jupyter listens on this machine only
    if is_first:  # from then on JupyterLab opens what was open the last time
        start = next(path.relative_to(folder).as_posix() for path in lessons(folder, None))
        command.append(f"--LabApp.default_url=/lab/tree/{start}")
    command += [*([] if browser else ["--no-browser"]), *extra]
    paths = [str(SETTINGS), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    environment = os.environ | {"JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}
    os.chdir(folder)
    if os.name == "posix":
        os.execve(sys.executable, command, environment)  # Ctrl-C and signals are then JupyterLab's own affair
    return subprocess.call(command, env=environment)


def update(folder: Path, release: Path, upgrade: bool = False) -> list[str]:
    """Copy from ``release`` what ``folder`` has not, and return a line for each thing done.

    A file that the student has not touched follows the release. A notebook that they changed stays as it is until they
    ask for an ``upgrade``: then the newer release is put in its place with their work in it, and the earlier state is
    kept in backups/. Of what cannot be read as a notebook, a newer release is put beside it, once.
    """
    found = [path.relative_to(release) for path in sorted(release.rglob("*")) if path.is_file()]
    files = [
        file for file in found if not any(part.startswith(".") for part in file.parts)
    ]  # .ipynb_checkpoints
    if not files:
        raise UsageError(f"There are no lessons in {release}: make them with `make build`.")
    record = read_record(folder)
    lines = [line for file in files if (line := update_file(file, folder, release, record, upgrade))]
    write(folder / RECORD, json.dumps(record, indent=1, sort_keys=True).encode())
    return lines or [f"Your lessons in {folder} are up to date."]


def update_file(file: Path, folder: Path, release: Path, record: dict[str, str], upgrade: bool) -> str:
    """Bring one file up to date, note the release in ``record``, and return what was done, if anything."""
    newer, mine = release / file, folder / file
    new, known = checksum(newer), record.get(file.as_posix())
    record[file.as_posix()] = new
    if not mine.exists():
        write(mine, newer.read_bytes())
        return f"new: {mine}"
    old = checksum(mine)
    if old == new:
        return ""
    if old == known:
        write(mine, newer.read_bytes())
        return f"updated: {mine}"
    ours, theirs = notebook(mine), notebook(newer)
    # even where this release has been brought in: a backup may have come back, or JupyterLab's open tab been saved
    if known == new and not (ours and theirs and is_of_another_release(ours, theirs)):
        return ""
    if ours is None or theirs is None:
        beside = free_name(mine.with_stem(f"{mine.stem}.newer"))
        write(beside, newer.read_bytes())
        return f"kept: {mine} has your changes; the newer release of it is beside it as {beside.name}"
    merged, notes = merge(ours, theirs)
    if same(merged, ours):
        return ""
    if upgrade:
        return "; ".join([put(merged, mine, folder), *notes])
    record[file.as_posix()] = known or ""
    return (
        f"kept: {mine} has your work. A newer release of it is out: close its tab, and `convnets lab --upgrade` "
        "brings it in"
    )


def put(merged: nbformat.NotebookNode, mine: Path, folder: Path) -> str:
    """Put a notebook in the place of the student's, which is kept in backups/, and return what was done."""
    backup = free_name(folder / BACKUPS / f"{mine.stem}-{date.today()}{mine.suffix}")
    write(backup, mine.read_bytes())
    write(mine, (nbformat.writes(merged) + "\n").encode())
    return f"upgraded: {mine} has your work in the newer release; {backup} is as it was"


def notebook(path: Path) -> nbformat.NotebookNode | None:
    """Return a notebook, or None where there is none that can be read."""
    try:
        return nbformat.read(path, as_version=4)
    except Exception:  # nbformat lets through whatever its JSON and its schema raise
        return None


def free_name(path: Path) -> Path:
    """Return ``path``, or where that is taken the first free one of lesson-2.ipynb, lesson-3.ipynb ..."""
    others = (path.with_stem(f"{path.stem}-{n}") for n in itertools.count(2))
    return next(name for name in itertools.chain([path], others) if not name.exists())


def read_record(folder: Path) -> dict[str, str]:
    """Return the record kept in ``folder``; an unreadable one counts as none, so that all files are kept."""
    try:
        record = json.loads((folder / RECORD).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file; of a notebook only what a student can see, since opening it changes the rest."""
    content = path.read_bytes()
    try:
        cells = json.loads(content)["cells"] if path.suffix == ".ipynb" else None
        seen = [[cell["cell_type"], "".join(cell["source"]), cell.get("outputs")] for cell in cells or ()]
    except (ValueError, KeyError, TypeError):  # not a notebook, whatever its name says
        seen = []
    return hashlib.sha256(json.dumps(seen).encode() if seen else content).hexdigest()


def lessons(folder: Path, target: str | None) -> list[Path]:
    """Return the notebooks that ``target`` means: a path, a unit (``01``, ``01-convolution``), or all."""
    if target and target.endswith(".ipynb"):
        return [Path(target)]
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}: `convnets lab` makes it, or give --dir.")
    units = sorted(path for path in folder.iterdir() if (path / f"{path.name}.ipynb").is_file())
    chosen = [
        unit for unit in units if not target or unit.name == target or unit.name.split("-")[0] == target
    ]
    if chosen:
        return [unit / f"{unit.name}.ipynb" for unit in chosen]
    for unit in units:
        if target in (passed_in(unit / f"{unit.name}.ipynb") or ()):
            command = f"convnets check {unit.name.split('-')[0]} --exercise {target}"
            raise UsageError(f"{target} is no unit but an exercise of {unit.name}: `{command}` checks it.")
    names = ", ".join(unit.name for unit in units) or "none"
    raise UsageError(f"{folder} has no unit {target or 'at all'}; there are: {names}.")
