"""Runs the checks of a student's own notebook in a process of its own, and gives each answer as plain text.

The cells go to a child (this module, run as a program) that works them off one by one and answers each
with a line of JSON. A cell that runs for too long is interrupted; a child that ignores that is killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from course.student.errors import UsageError

GRACE = 10  # seconds that an interrupted cell has to end before its process is killed


@dataclass(frozen=True)
class Answer:
    """What the check of one exercise said."""

    exercise: str
    text: str
    score: float = 0.0
    max_score: float = 0.0
    verdict: str = ""  # as of course.checks.Verdict; empty where the check gave none

    @property
    def passed(self) -> bool:
        """Return whether all is right."""
        return self.verdict == "passed"


def check_notebook(path: Path, exercise: str | None = None, seconds: float = 30) -> Iterator[Answer]:
    """Yield the answer of each check in the notebook at ``path``, or only that of ``exercise``.

    Cells tagged ``experiment`` are left out. Raises UsageError for an unreadable notebook or one without it.
    """
    cells = cells_to_run(read_notebook(path), exercise)
    names = [cell["checks"] for cell in cells if cell["checks"]]
    if not names:
        raise UsageError(f"{path} has no check" + (f" for {exercise}." if exercise else "."))
    trouble: dict[str, str] = {}  # exercise -> what went wrong in the cell where it is written
    replies = run_cells(cells, path.parent, seconds)
    for cell, reply in zip(cells, replies, strict=False):
        names = names[1:] if cell["checks"] else names
        if reply["error"] and cell["writes"]:
            trouble[cell["writes"]] = reply["error"]
        if cell["checks"]:
            yield answer(cell["checks"], reply, trouble.get(cell["checks"], ""))
    for name in names:  # the child came to its end before them
        yield Answer(name, f"✗ {name}: not checked, since {reply['error']}")


def answer(exercise: str, reply: dict[str, Any], trouble: str) -> Answer:
    """Return what the student reads about ``exercise``."""
    if reply["verdict"] is None:
        return Answer(exercise, f"✗ {exercise}: {trouble or reply['error'] or 'its check gave no answer.'}")
    text, score, max_score, word = reply["verdict"]
    if trouble:
        text += f"\n  Its own cell failed: {trouble}"
    elif reply["error"]:
        text += f"\n  To be exact, {reply['error']}"
    return Answer(exercise, text, score, max_score, word)


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """Return the notebook at ``path``, or raise UsageError with the reason in one line."""
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise UsageError(f"There is no notebook {path}.") from None
    except Exception as error:  # nbformat lets through whatever its JSON and its schema raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(f"{path} is not a readable notebook: {reason[:120]}{earlier_state(path)}") from None


def earlier_state(path: Path) -> str:
    """Return where JupyterLab kept an earlier state of a notebook, or nothing if it did not."""
    kept = path.parent / ".ipynb_checkpoints" / f"{path.stem}-checkpoint.ipynb"
    return f". JupyterLab kept an earlier state of it: {kept}" if kept.is_file() else ""


def cells_to_run(notebook: nbformat.NotebookNode, exercise: str | None) -> list[dict[str, str]]:
    """Return the code cells up to the last check wanted, each with the exercise that it writes or checks."""
    cells = []
    for cell in notebook.cells:
        if cell.cell_type != "code" or "experiment" in cell.metadata.get("tags", []):
            continue
        grading = cell.metadata.get("nbgrader", {})
        name = grading.get("grade_id", "")
        checks = name.removeprefix("test_") if grading.get("grade") and name.startswith("test_") else ""
        if checks and exercise and checks != exercise:
            continue
        writes = name if grading.get("solution") else ""
        cells.append({"source": cell.source, "checks": checks, "writes": writes})
    last = max((i for i, cell in enumerate(cells) if cell["checks"]), default=-1)
    return cells[: last + 1]


def run_cells(cells: list[dict[str, str]], folder: Path, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield a reply for each cell; fewer when the process ends early."""
    command = [sys.executable, "-m", "course.student.selfcheck"]
    environment = os.environ | {"MPLBACKEND": "agg", "PYTHONUTF8": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "encoding": "utf-8"}
    with subprocess.Popen(command, cwd=folder, env=environment, **pipes) as child:  # type: ignore[call-overload]
        child.stdin.write(json.dumps({"cells": [cell["source"] for cell in cells], "seconds": seconds}))
        child.stdin.close()
        child.stdout.readline()  # "ready": loading torch for the checks is not on the notebook's time
        for cell in cells:
            watchdog = threading.Timer(seconds + GRACE, child.kill)
            watchdog.start()
            line = child.stdout.readline()
            watchdog.cancel()
            if not line:
                child.kill()
                yield {"verdict": None, "error": ended(child.wait(), cell, seconds)}
                return
            yield json.loads(line)


def ended(code: int, cell: dict[str, str], seconds: float) -> str:
    """Return what to say when the process that runs the notebook is gone."""
    first = next(iter(cell["source"].splitlines()), "")
    what = (
        f"ran for over {seconds:g} s and could not be stopped"
        if code == -9
        else f"ended Python (code {code})"
    )
    return f"the cell that begins with `{first}` {what}."


def serve() -> None:
    """Be the child: run the cells that come on standard input, and answer each with a line of JSON."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    from course.checks import exercises

    job = json.load(sys.stdin)
    exercises()
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)  # what the notebook prints is not asked for
    os.dup2(silence, 2)
    replies.write("ready\n")
    shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    for source in job["cells"]:
        replies.write(json.dumps(run_cell(shell, source, job["seconds"])) + "\n")
        replies.flush()
    replies.close()
    os._exit(0)  # threads that the notebook left behind do not matter


def run_cell(shell: Any, source: str, seconds: float) -> dict[str, Any]:
    """Run one cell for at most ``seconds`` and return its verdict and its error, if it has any."""
    import _thread

    from course.checks.subject import describe
    from course.checks.verdict import Verdict

    stopped = threading.Event()
    timer = threading.Timer(seconds, lambda: stopped.set() or _thread.interrupt_main())  # type: ignore
    timer.start()
    try:
        result = shell.run_cell(source)
        timer.cancel()
    except KeyboardInterrupt:  # it came between two lines of the notebook's code
        return {"verdict": None, "error": too_long(seconds)}
    error, value, verdict = result.error_before_exec or result.error_in_exec, result.result, None
    if isinstance(value, Verdict):
        verdict = [value.text, value.score, value.max_score, value.verdict]
    if stopped.is_set():
        return {"verdict": verdict, "error": too_long(seconds)}
    if error is None:
        return {"verdict": verdict, "error": ""}
    failure = describe(error, "raised")
    where = f" in line {failure.line}: `{failure.source}`" if failure.line else ""
    return {"verdict": verdict, "error": f"{failure.type}: {failure.message}{where}"}


def too_long(seconds: float) -> str:
    """Return the sentence for a cell that had to be stopped."""
    return f"it was stopped after {seconds:g} seconds: an endless loop?"


if __name__ == "__main__":
    serve()
