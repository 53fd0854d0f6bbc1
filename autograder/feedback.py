"""The page that a student gets back: nbgrader's own feedback template, without the hidden tests."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import nbformat
from jinja2 import pass_context as contextfilter
from nbconvert.exporters import HTMLExporter, TemplateExporter
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.widgetsdatatypefilter import WidgetsDataTypeFilter
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor, Preprocessor
from nbgrader.converters import GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import ClearHiddenTests

from .rebuild import is_solution

UNDESCRIBED = re.compile(r"<img (?![^>]*\balt=)")


class ClearInstructorsTests(ClearHiddenTests):
    """nbgrader's step on the instructor's cells alone: a student may write its marker, and has nothing to hide."""

    def preprocess_cell(self, cell, resources, cell_index):
        """Return the cell without its hidden tests."""
        if is_solution(cell) or cell.metadata.get("convnets", {}).get("own"):
            return cell, resources
        return super().preprocess_cell(cell, resources, cell_index)


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


class Page(HTMLExporter):
    """nbconvert's exporter without its second pass, which reads the finished page again only to describe pictures."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rendered: dict[tuple[str, str], str] = {}

    def from_notebook_node(self, nb, resources=None, **kw):
        """Return the page and its resources."""
        language = nb.metadata.get("language_info", {}).get("name")
        colour = Highlight2HTML(pygments_lexer=language, parent=self)
        self.register_filter("highlight_code", lambda source, **_: self.once("code", source, colour))
        widgets = WidgetsDataTypeFilter(notebook_metadata=nb.metadata, parent=self, resources=resources)
        self.register_filter("filter_data_type", widgets)
        page, resources = TemplateExporter.from_notebook_node(self, nb, self._init_resources(resources), **kw)
        return UNDESCRIBED.sub('<img alt="A picture that the code above drew" ', page), resources

    def once(self, kind: str, source: str, render: Callable[[str], str]) -> str:
        """Return ``render(source)``, rendered once: most cells are the same in every notebook of a class."""
        if len(self.rendered) > 10_000:
            self.rendered.clear()
        if (kind, source) not in self.rendered:
            self.rendered[kind, source] = render(source)
        return self.rendered[kind, source]

    @contextfilter
    def markdown2html(self, context, source):
        """Return prose as HTML."""
        if context.get("cell", {}).get("attachments"):
            return super().markdown2html(context, source)
        return self.once("prose", source, partial(super().markdown2html, context))


@cache
def exporter() -> Page:
    """Return nbgrader's exporter of feedback, made once: its templates take longer than a page."""
    converter = GenerateFeedback(coursedir=CourseDirectory())
    made = Page(config=converter.config)
    for step in (
        ClearInstructorsTests(enforce_metadata=False),
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
