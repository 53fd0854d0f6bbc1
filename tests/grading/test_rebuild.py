"""A submission is only the answers in it: whatever else was done to the notebook changes nothing and is listed."""

import copy
import json

import nbformat
import pytest

from autograder import build
from autograder.rebuild import (
    Unreadable,
    belongs,
    is_solution,
    is_test,
    label,
    plain_cell,
    read_submission,
    rebuild,
    relabelled,
)
from tests.grading.classroom import UNIT, cell, edited, solved


@pytest.fixture
def template(course):
    return build.template(course / "source" / UNIT / f"{UNIT}.py")


def rebuilt(template, notebook):
    """Return the texts of the rebuilt notebook's code, and the changes."""
    made, changes = rebuild(template, [plain_cell(c) for c in notebook.cells])
    return [c.source for c in made.cells if c.cell_type == "code"], changes


def delete_tests(notebook):
    notebook.cells = [c for c in notebook.cells if not c.metadata.get("nbgrader", {}).get("grade")]


def delete_prose(notebook):
    notebook.cells = [c for c in notebook.cells if c.cell_type == "code"]


def double_everything(notebook):
    notebook.cells = [twin for c in notebook.cells for twin in (c, copy.deepcopy(c))]


def reverse(notebook):
    notebook.cells.reverse()


def retype(notebook):
    for c in notebook.cells:
        c.cell_type = "raw"


def retag(notebook):
    for c in notebook.cells:
        c.metadata["tags"] = ["setup", "experiment", "skip-execution"]
        if "nbgrader" in c.metadata:
            c.metadata.nbgrader |= {"solution": False, "grade": True, "locked": True, "task": True}


def absurd_points(notebook):
    for c in notebook.cells:
        if "nbgrader" in c.metadata:
            c.metadata.nbgrader["points"] = 1e300


def edit_tests(notebook):
    for name in ("output_size", "zero_pad", "to_chw"):
        cell(notebook, f"test_{name}").source = "100"


def forget_ids(notebook):
    for c in notebook.cells:
        c.pop("id", None)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (delete_tests, "Cell test_zero_pad was deleted."),
        (delete_prose, ""),
        (double_everything, "Cell zero_pad was there 2 times."),
        (reverse, "Cells were moved."),
        (retype, "Cell zero_pad was made a raw cell."),
        (retag, ""),
        (absurd_points, ""),
        (edit_tests, "Cell test_zero_pad, which is the instructor's, was edited."),
        (forget_ids, ""),
    ],
)
def test_what_was_done_to_the_rest_changes_nothing_and_is_listed(course, template, spoil, said):
    honest, none = rebuilt(template, solved(course))
    assert none == []
    notebook = solved(course)
    spoil(notebook)
    texts, changes = rebuilt(template, notebook)
    texts = [
        text for text in texts if text != "100"
    ]  # an edited test is no more than code of the student's own
    if spoil is double_everything:  # the earlier twin of an answer runs as the student's own code
        texts = list(dict.fromkeys(texts))
    assert texts == honest
    assert said in changes or not said


def test_the_students_own_code_stays_where_it_was(course, template):
    texts, _ = rebuilt(template, edited(course, before="mine = 1", after="also_mine = 2", first="first = 0"))
    place = next(i for i, text in enumerate(texts) if text.startswith("def output_size"))
    assert texts[0] == "first = 0"
    assert (texts[place - 1], texts[place + 1]) == ("mine = 1", "also_mine = 2")


def type_again(notebook):
    return nbformat.v4.new_code_cell("check(output_size)")


def type_elsewhere(notebook):
    notebook.cells.remove(cell(notebook, "test_output_size"))
    return nbformat.v4.new_code_cell("check(output_size)")


def copy_setup(notebook):
    return nbformat.v4.new_code_cell(next(c.source for c in notebook.cells if "import numpy" in c.source))


def copy_setup_with_its_id(notebook):
    return copy.deepcopy(next(c for c in notebook.cells if "import numpy" in c.source))


def copy_test(notebook):
    return copy.deepcopy(cell(notebook, "test_output_size"))


def copy_answer(notebook):
    return copy.deepcopy(cell(notebook, "output_size"))


@pytest.mark.parametrize(
    "again", [type_again, type_elsewhere, copy_setup, copy_setup_with_its_id, copy_test, copy_answer]
)
def test_own_code_below_a_copy_of_an_earlier_cell_still_runs_after_what_it_needs(course, template, again):
    notebook = edited(course, before="first_own = np.zeros(1)")
    new = [again(notebook), nbformat.v4.new_code_cell("shape = zero_pad(np.ones((1, 1, 1, 1)), 1).shape")]
    place = notebook.cells.index(cell(notebook, "to_chw"))
    notebook.cells[place:place] = new
    texts, changes = rebuilt(template, notebook)
    order = ["import numpy", "first_own", "def output_size", "def zero_pad", "shape =", "def to_chw"]
    found = [next(i for i, text in enumerate(texts) if text.startswith(part)) for part in order]
    assert found == sorted(found)
    assert "Cells were moved." not in changes or again is type_elsewhere


def test_the_released_stub_copied_below_an_answer_does_not_replace_it(course, template):
    notebook = solved(course)
    stub = next(c.source for c in template.cells if label(c) == "output_size")
    notebook.cells.append(nbformat.v4.new_code_cell(stub))
    assert rebuilt(template, notebook)[0] == rebuilt(template, solved(course))[0]


def test_a_relabelled_answer_still_runs(course, template):
    notebook = solved(course)
    one, other = cell(notebook, "output_size"), cell(notebook, "zero_pad")
    one.metadata.nbgrader.grade_id, other.metadata.nbgrader.grade_id = "zero_pad", "output_size"
    texts, _ = rebuilt(template, notebook)
    assert sum("def output_size" in text for text in texts) == 1
    assert sum("def zero_pad" in text for text in texts) == 1
    cell(notebook, "zero_pad").metadata.nbgrader.grade_id = "test_to_chw"
    texts, _ = rebuilt(template, notebook)
    assert sum("def output_size" in text and "//" in text for text in texts) == 1


def test_an_edited_experiment_is_not_run_and_an_edited_setup_is_the_students_own(course, template):
    notebook = solved(course)
    for c in notebook.cells:
        if "experiments are not run" in c.source:
            c.source = "train_for_hours()"
        if "import numpy" in c.source:
            c.source += "\nimport math"
    texts, _ = rebuilt(template, notebook)
    assert not any("train_for_hours" in text for text in texts)
    assert sum("import numpy" in text for text in texts) == 2


def test_a_notebook_of_another_unit_does_not_belong(course, template):
    assert belongs(template, [plain_cell(c) for c in solved(course).cells])
    assert belongs(template, [plain_cell(c) for c in nbformat.v4.new_notebook().cells])
    stranger = nbformat.v4.new_code_cell("1", metadata={"nbgrader": {"grade_id": "other"}})
    assert not belongs(template, [plain_cell(stranger)])
    shared = [
        plain_cell(cell)
        for cell in template.cells
        if label(cell) and not (is_solution(cell) or is_test(cell))
    ]
    assert not belongs(template, [*shared, plain_cell(stranger)])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"3",
        b'{"cells": 3}',
        b'{"worksheets": 3}',
        b'{"metadata": {}}',
        b"[" * 100_000,
        b"\x00" * 1000,
        b"PK\x03\x04 a zip file",
    ],
)
def test_what_is_not_a_notebook_is_unreadable_in_one_line(tmp_path, content):
    path = tmp_path / "x.ipynb"
    path.write_bytes(content)
    with pytest.raises(Unreadable) as caught:
        read_submission(path, 1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_any_encoding_is_read(course, template, tmp_path, encoding):
    notebook = edited(course, after="name = 'Zoë'")
    path = tmp_path / "x.ipynb"
    path.write_bytes(json.dumps(notebook, ensure_ascii=False).encode(encoding))
    cells = read_submission(path, 1)
    assert any("Zoë" in c["source"] for c in cells)


def test_format_3_is_read(course, template, tmp_path):
    path = tmp_path / "x.ipynb"
    old = nbformat.convert(solved(course), 3)
    path.write_text(json.dumps(old))
    made, _ = rebuild(template, read_submission(path, 1))
    assert [c.source for c in made.cells if c.cell_type == "code"] == rebuilt(template, solved(course))[0]


def test_absurd_cells_are_dropped_or_read_as_empty(template, tmp_path):
    absurd = [
        3,
        None,
        [],
        {},
        {"cell_type": "code"},
        {"cell_type": "code", "source": 7},
        {"source": ["a", 3, "b"]},
    ]
    absurd += [{"cell_type": "code", "source": "\ud800", "metadata": {"nbgrader": [1]}}]
    absurd += [{"cell_type": [], "source": "x", "id": {}, "metadata": {"nbgrader": {"grade_id": {}}}}]
    path = tmp_path / "x.ipynb"
    path.write_text(json.dumps({"cells": absurd, "nbformat": "four"}))
    made, _ = rebuild(template, read_submission(path, 1))
    nbformat.validate(made)


def test_links_pipes_folders_and_giants_are_unreadable(tmp_path):
    import os

    (tmp_path / "real").write_text("{}")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "giant").write_bytes(b" " * (1 << 20) + b"{}")
    for name in ("link", "pipe", "folder", "giant", "none"):
        with pytest.raises(Unreadable):
            read_submission(tmp_path / name, 1)


def test_code_of_several_functions_stays_where_its_label_says(template):
    cells = [
        {"type": "code", "source": "def zero_pad(x, padding):\n    pass", "grade_id": "to_chw", "id": None}
    ]
    places = {label(cell): i for i, cell in enumerate(template.cells) if label(cell)}
    assert relabelled(template, cells[0], places) == "zero_pad"
    for source in (
        "def to_chw(x): pass\ndef zero_pad(x): pass",
        "def helper(x): pass",
        "zero_pad(1, 2)",
        "not Python (",
    ):
        assert relabelled(template, {**cells[0], "source": source}, places) is None
