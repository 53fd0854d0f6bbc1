"""The page that a student gets back: nbgrader's own feedback template, without the hidden tests."""

from __future__ import annotations

from functools import cache
from typing import Any

import nbformat
from nbconvert.exporters import HTMLExporter
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor, Preprocessor
from nbgrader.converters import GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import ClearHiddenTests


class KnownGrades(Preprocessor):
    """Puts marks and comments into the cells as nbgrader's GetGrades does, from what the gradebook's writer read."""

    def preprocess(self, nb, resources):
        """Return the notebook with each cell's score and comment."""
        marks = resources["convnets"]
        for cell in nb.cells:
            about = cell.metadata.get("nbgrader", {})
            name = about.get("grade_id")
            if about.get("grade") or about.get("task"):
                about["score"], about["points"] = marks["scores"].get(name, 0), marks["points"].get(name, 0)
            if about.get("solution") or about.get("task"):
                about["comment"] = marks["comments"].get(name)
        total, penalty = sum(marks["scores"].values()), marks["penalty"] or 0
        resources["nbgrader"] |= {
            "score": total - penalty,
            "max_score": sum(marks["points"].values()),
            "late_penalty": penalty,
        }
        return nb, resources


@cache
def exporter() -> HTMLExporter:
    """Return nbgrader's exporter of feedback, made once: its templates take longer than a page."""
    converter = GenerateFeedback(coursedir=CourseDirectory())
    made = HTMLExporter(config=converter.config)
    for step in (
        ClearHiddenTests(enforce_metadata=False),
        KnownGrades(enabled=True),
        CSSHTMLHeaderPreprocessor(enabled=True),
    ):
        made.register_preprocessor(step, enabled=True)
    return made


def feedback_page(notebook: str, marks: dict[str, Any]) -> str:
    """Return the page for a graded notebook, given as JSON, with ``marks`` as of scores.marks_from."""
    resources = {"unique_key": marks["unit"], "nbgrader": {"notebook": marks["unit"]}, "convnets": marks}
    page, _ = exporter().from_notebook_node(nbformat.reads(notebook, 4), resources=resources)
    return page
