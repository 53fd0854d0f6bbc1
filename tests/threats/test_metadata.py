"""Metadata: a notebook that was taken apart is marked for its answers, and a broken one costs nobody else anything."""

import copy
import json

import nbformat
import pytest

from autograder.grading import grade
from tests.grading.classroom import PERFECT, WRONG, cell, edited, hand_in, solved
from tests.threats.attack import HONEST

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]


def labelled(notebook):
    return [c for c in notebook.cells if "nbgrader" in c.metadata]


def delete_tests(notebook):
    notebook.cells = [c for c in notebook.cells if not c.metadata.get("nbgrader", {}).get("grade")]


def duplicate(notebook):
    notebook.cells = [twin for c in notebook.cells for twin in (c, copy.deepcopy(c))]


def reorder(notebook):
    notebook.cells.reverse()


def retype(notebook):
    for c in notebook.cells:
        c.cell_type = "markdown" if c.cell_type == "code" else "code"


def retag(notebook):
    for c in notebook.cells:
        c.metadata["tags"] = ["setup", "experiment", "skip-execution", "raises-exception"]


def repoint(notebook):
    one, other = cell(notebook, "zero_pad"), cell(notebook, "to_chw")
    one.metadata.nbgrader.grade_id, other.metadata.nbgrader.grade_id = "to_chw", "zero_pad"


def repoint_at_tests(notebook):
    for name in ("zero_pad", "to_chw"):
        test, answer = cell(notebook, f"test_{name}"), cell(notebook, name)
        test.metadata.nbgrader.grade_id, answer.metadata.nbgrader.grade_id = name, f"test_{name}"


def absurd_points(notebook):
    for c in labelled(notebook):
        c.metadata.nbgrader |= {"points": 1e308, "grade": True, "schema_version": 10**6}


def own_test(notebook):
    new = {
        "grade_id": "bonus",
        "grade": True,
        "points": 100,
        "locked": True,
        "solution": False,
        "schema_version": 3,
    }
    notebook.cells.append(nbformat.v4.new_code_cell("100.0", metadata={"nbgrader": new}))


def unknown_kernel(notebook):
    notebook.metadata["kernelspec"] = {
        "name": "perl6",
        "language": "perl",
        "display_name": "sh -c 'rm -rf /'",
    }


def odd_metadata(notebook):
    for c in labelled(notebook):
        c.metadata.nbgrader |= {"checksum": 3, "cell_type": [], "task": {}, "remove": True}
    notebook.metadata["nbgrader"] = {"autograded": True, "score": 100}
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": "x" * 1000}


def claimed_verdict(notebook):
    for c in notebook.cells:
        c.metadata["convnets"] = {"verdict": "passed", "score": 100}
        if c.cell_type == "code":
            c.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "2.0"}, execution_count=1)]


SPOILERS = [delete_tests, duplicate, reorder, retype, retag, repoint, repoint_at_tests, absurd_points]
SPOILERS += [own_test, unknown_kernel, odd_metadata, claimed_verdict]


def texts(course):
    """Return files that are notebooks all the same: other formats, other encodings, other sizes."""
    wrong = edited(course, WRONG)
    named = edited(course, WRONG, after="name = 'Zoë'")
    fat = edited(course, WRONG)
    fat.cells[-1].outputs = [nbformat.v4.new_output("stream", text="x" * 50_000_000)]
    return {
        "format_3": json.dumps(nbformat.convert(wrong, 3)).encode(),
        "utf_16": json.dumps(named, ensure_ascii=False).encode("utf-16"),
        "latin_1": json.dumps(named, ensure_ascii=False).encode("latin-1"),
        "fifty_megabytes": json.dumps(fat).encode(),
        "minor_version": json.dumps(wrong | {"nbformat_minor": 99}).encode(),
    }


BROKEN = {
    "not_json": b'{"cells": [',
    "nothing": b"",
    "nested": b"[" * 1_000_000,
    "binary": bytes(range(256)) * 100,
    "huge_number": b'{"cells": ' + b"9" * 1_000_000 + b"}",
    "too_big": b" " * (3 << 20) + b"{}",
}


def test_a_class_of_spoilt_notebooks_gets_the_marks_of_its_answers(course):
    for spoil in SPOILERS:
        notebook = edited(course, WRONG)
        spoil(notebook)
        hand_in(course, spoil.__name__, json.dumps(notebook))
    for name, content in texts(course).items():
        hand_in(course, name, content)
    hand_in(course, "ada", solved(course))
    summary = grade(course, workers=2, progress=False)
    assert not summary.not_graded
    marks = {}
    for row in summary.rows:
        marks.setdefault(row["student"], {})[row["exercise"]] = row["score"]
    assert marks.pop("ada") == PERFECT
    assert marks == dict.fromkeys([*(spoil.__name__ for spoil in SPOILERS), *texts(course)], HONEST)
    assert {row["max_score"] for row in summary.rows} == {1.0, 2.0}


def test_a_broken_file_is_not_graded_and_stops_nobody(course):
    config = course / "nbgrader_config.py"
    config.write_text(config.read_text() + "c.Sandbox.notebook_mb = 2\n")
    for name, content in BROKEN.items():
        hand_in(course, name, content)
    hand_in(course, "ada", solved(course))
    summary = grade(course, progress=False)
    assert summary.graded == 1
    assert {one["student"] for one in summary.not_graded} == set(BROKEN)
    assert all(row["score"] == "" for row in summary.rows if row["student"] in BROKEN)
    assert all("\n" not in one["why"] for one in summary.not_graded)
