"""`convnets check` runs a student's notebook in a process of its own; each check answers in plain text."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course.student.errors import UsageError
from course.student.selfcheck import check_notebook

RIGHT = {
    "to_chw": "def to_chw(image):\n    return image.transpose(2, 0, 1)",
    "normalize": "def normalize(image, mean, std):\n"
    "    return (image - mean[:, None, None]) / std[:, None, None]",
}
WRONG = "def to_chw(image):\n    return image.reshape(image.shape[2], *image.shape[:2])"
ENDLESS = "def to_chw(image):\n    while True:\n        pass"


@pytest.fixture
def notebook(tmp_path):
    def write(*own_cells, experiment="", **changed):
        cells = [new_code_cell("import numpy as np\nfrom course.checks import check")]
        cells += [new_code_cell(source) for source in own_cells]
        if experiment:
            cells.append(new_code_cell(experiment, metadata={"tags": ["experiment"]}))
        for name, source in (RIGHT | changed).items():
            solution = {"grade_id": name, "solution": True, "grade": False}
            test = {"grade_id": f"test_{name}", "solution": False, "grade": True}
            cells.append(new_code_cell(source, metadata={"nbgrader": solution}))
            cells.append(new_code_cell(f"check({name})", metadata={"nbgrader": test}))
        path = tmp_path / "00-start-here.ipynb"
        nbformat.write(new_notebook(cells=cells), path)
        return path

    return write


def texts(path, *args, **kwargs):
    return {answer.exercise: answer.text for answer in check_notebook(path, *args, **kwargs)}


def test_right_answers_pass(notebook):
    answers = list(check_notebook(notebook()))
    assert [(a.exercise, a.passed, a.score == a.max_score > 0) for a in answers] == [
        ("to_chw", True, True),
        ("normalize", True, True),
    ]


def test_a_wrong_answer_is_explained_in_plain_text_and_the_rest_is_still_checked(notebook):
    wrong, right = check_notebook(notebook(to_chw=WRONG))
    assert not wrong.passed
    assert "Hint" in wrong.text
    assert "<" not in wrong.text
    assert right.passed


def test_one_exercise_can_be_checked_alone(notebook):
    assert list(texts(notebook(), "normalize")) == ["normalize"]


def test_endless_loops_end_in_a_clear_line_and_the_rest_is_still_checked(notebook):
    looping, right = check_notebook(notebook("while True: pass", to_chw=ENDLESS), seconds=4)
    assert "stopped after 4 seconds: an endless loop?" in looping.text
    assert right.passed


def test_a_cell_that_cannot_be_interrupted_is_killed_and_what_it_kept_from_being_checked_is_named(
    notebook, monkeypatch
):
    monkeypatch.setattr("course.student.selfcheck.GRACE", 1)
    stubborn = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
    answers = texts(notebook(normalize=stubborn), seconds=4)
    assert answers["to_chw"].startswith("✓")
    assert "not checked" in answers["normalize"]
    assert "could not be stopped" in answers["normalize"]


def test_a_notebook_that_ends_python_says_which_cell_did(notebook):
    answers = texts(notebook(normalize="import os\nos._exit(5)"))
    assert answers["to_chw"].startswith("✓")
    assert "`import os` ended Python (code 5)" in answers["normalize"]


def test_a_cell_that_does_not_compile_is_named_with_its_line(notebook):
    answers = texts(notebook(to_chw="def to_chw(image):\n    return image.transpose(2, 0, 1"))
    assert "SyntaxError" in answers["to_chw"]
    assert "Traceback" not in answers["to_chw"]


def test_what_else_the_notebook_does_disturbs_neither_the_checks_nor_their_answers(notebook):
    printing = "import os, sys\nprint('{}')\nos.write(1, b'{}\\n')\nsys.stderr.write('no')"
    variables = "json = run_cell = timer = job = shell = None"
    path = notebook(printing, variables, experiment="import os\nos._exit(1)")
    assert all(answer.passed for answer in check_notebook(path))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cells": 3}', "\x00\xff"])
def test_an_unreadable_notebook_is_one_clear_line(tmp_path, content):
    path = tmp_path / "broken.ipynb"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match="broken.ipynb") as raised:
        list(check_notebook(path))
    assert "\n" not in str(raised.value)


def test_a_notebook_that_is_not_there_is_one_clear_line(tmp_path):
    with pytest.raises(UsageError, match="no notebook"):
        list(check_notebook(tmp_path / "nothing.ipynb"))


def test_an_exercise_that_the_notebook_has_not_is_one_clear_line(notebook):
    with pytest.raises(UsageError, match="no check for conv3d"):
        list(check_notebook(notebook(), "conv3d"))
