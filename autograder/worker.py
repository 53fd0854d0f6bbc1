"""What a worker does: grade one rebuilt notebook and make its feedback page. Plain data in, plain data out."""

from __future__ import annotations

import base64
import threading
from functools import cache
from typing import Any

import nbformat

from course.checks import Verdict, exercises

from .feedback import feedback_page
from .forkserver import server_for
from .isolated import grade_notebook, verdict_data
from .rebuild import is_test, label
from .sandbox import SandboxError
from .scores import Known, marks_from

TRIES = 3  # a fault of the machinery is tried again before the exercise is reported as not graded
# a process has one sandbox and one standard output, and a campus cluster's workers may have threads
ALONE = threading.Lock()


def work(job: dict[str, Any]) -> dict[str, Any]:
    """Grade ``job``, unless it brings its result, and make the feedback page; return both."""
    with ALONE:
        result = job.get("result") or grade(job)
        marks = marks_from(Known(**job["known"]), result["verdicts"])
        return {"result": result, "page": feedback_page(result["notebook"], marks), "marks": marks}


def grade(job: dict[str, Any]) -> dict[str, Any]:
    """Return the executed notebook and its verdicts."""
    server_for(job["settings"])  # starts by itself while the checks, and torch, are being imported
    prepare()
    files = {name: base64.b64decode(data) for name, data in job["files"].items()}
    for _ in range(TRIES):
        notebook = nbformat.reads(job["notebook"], 4)
        tests = [cell for cell in notebook.cells if is_test(cell)]
        try:
            verdicts = grade_notebook(notebook, job["settings"], files, job["seed"])
        except SandboxError as error:
            verdicts = [not_graded(cell, str(error)) for cell in tests]
        if all(verdict.verdict != "not_graded" for verdict in verdicts):
            break
    data = [verdict_data(verdict, cell) for verdict, cell in zip(verdicts, tests, strict=True)]
    return {"notebook": nbformat.writes(notebook), "verdicts": data}


def not_graded(cell: nbformat.NotebookNode, why: str) -> Verdict:
    """Return the verdict of a test cell that never ran."""
    name = (label(cell) or "").removeprefix("test_")
    return Verdict(name, "not_graded", 0, float(cell.metadata.nbgrader.points), text=why)


@cache
def prepare() -> None:
    """Load the checks, and keep torch from using cores that other workers have: its arrays are small here."""
    import torch

    exercises()
    torch.set_num_threads(1)
