"""From verdicts to the marks that a student sees, together with what a person entered in the gradebook."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode

from .rebuild import is_solution, label

NO_RESPONSE = "No response."  # nbgrader's comment on an answer left as it was released


@dataclass
class Known:
    """What is known of a student's unit beside its verdicts: the cells' points, blank answers, a person's entries."""

    unit: str
    points: dict[str, float]
    blank: list[str] = field(default_factory=list)
    manual: dict[str, float] = field(default_factory=dict)
    extra: dict[str, float] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    penalty: float | None = None


def auto_scores(known: Known, verdicts: list[dict[str, Any]] | None) -> dict[str, float | None]:
    """Return the automatic mark of each graded cell; None where a person must look, a fault of ours included."""
    scores: dict[str, float | None] = {name: 0.0 if name in known.blank else None for name in known.points}
    for verdict in verdicts or []:
        graded = verdict["verdict"] != "not_graded"
        scores[verdict["cell"]] = float(verdict["score"]) if graded else None
    return scores


def marks_from(known: Known, verdicts: list[dict[str, Any]] | None) -> dict[str, Any]:
    """Return the marks and comments as the feedback page shows them."""
    auto = auto_scores(known, verdicts)
    scores = {n: known.manual.get(n, auto[n] or 0.0) + known.extra.get(n, 0.0) for n in known.points}
    comments = dict.fromkeys(known.blank, NO_RESPONSE) | known.comments
    return {
        "unit": known.unit,
        "points": known.points,
        "scores": scores,
        "comments": comments,
        "penalty": known.penalty or 0,
    }


def points_of(template: NotebookNode) -> dict[str, float]:
    """Return what each graded cell of a unit is worth."""
    graded = [cell for cell in template.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    return {label(cell) or "": float(cell.metadata.nbgrader.points) for cell in graded}


def blank_answers(notebook: NotebookNode, template: NotebookNode) -> list[str]:
    """Return the solution cells of a rebuilt notebook that are still as released."""
    released = {label(cell): cell.source.strip() for cell in template.cells if is_solution(cell)}
    return [
        label(cell) or ""
        for cell in notebook.cells
        if is_solution(cell) and cell.source.strip() == released.get(label(cell))
    ]
