"""The file that a student uploads: their notebook as it was saved, under the name that graders look for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from course.student.errors import UsageError
from course.student.files import write
from course.student.selfcheck import Answer, read_notebook

HAND_IN = "hand-in"  # the folder of the lessons where it is put
MARKS = {"passed": "✓", "partial": "◐", "missing": "○"}


def make_hand_in(path: Path, folder: Path) -> Path:
    """Copy the notebook at ``path`` into ``folder`` and return where; raises UsageError for one that cannot be graded.

    Outputs stay behind, since a grader runs the code afresh: so the file is small whatever was drawn. The student's
    notebook is only read.
    """
    notebook = read_notebook(path)
    if not any("grade_id" in cell.metadata.get("nbgrader", {}) for cell in notebook.cells):
        raise UsageError(f"{path} has no exercise of the course in it: is it another file under that name?")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.metadata.pop("widgets", None)
    write(folder / path.name, (json.dumps(notebook, indent=1) + "\n").encode())
    return folder / path.name


def summary(answers: Iterable[Answer]) -> Iterator[str]:
    """Yield a line for each exercise, as its check answers, then the count."""
    verdicts = []
    for answer in answers:
        verdicts.append(answer.verdict)
        points = (
            f"{answer.score:g} of {answer.max_score:g} points" if answer.max_score else "could not be checked"
        )
        said = "not written yet" if answer.verdict == "missing" else points
        yield f"{MARKS.get(answer.verdict, '✗')} {answer.exercise:<32} {said}"
    right, blank = verdicts.count("passed"), verdicts.count("missing")
    yield f"{right} of {len(verdicts)} exercises right, {blank} not written yet."
