"""`convnets submit` makes a file that graders take, from whatever state the student's notebook is in."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_output

from autograder.rebuild import read_submission
from autograder.submissions import find_submissions
from course.student import cli
from course.student.errors import UsageError
from course.student.lab import update
from course.student.selfcheck import Answer
from course.student.submit import make_hand_in, summary

ROOT = Path(__file__).parents[2]
UNIT = "00-start-here"
TO_CHW = "def to_chw(image):\n    return image.transpose(2, 0, 1)"


@pytest.fixture
def lessons(tmp_path):
    update(tmp_path / "my-lessons", ROOT / "release")
    return tmp_path / "my-lessons"


@pytest.fixture
def mine(lessons):
    return lessons / UNIT / f"{UNIT}.ipynb"


def change(path, change_cells):
    notebook = nbformat.read(path, 4)
    change_cells({cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in notebook.cells})
    nbformat.write(notebook, path)


def write_to_chw(cells):
    cells["to_chw"].source = TO_CHW


def submit(capsys, *args, code=0):
    with pytest.raises(SystemExit) as left:
        cli.main(["submit", *map(str, args)])
    assert (left.value.code or 0) == code
    said = capsys.readouterr()
    return said.out + said.err


def test_it_says_what_passes_and_what_is_blank_and_does_not_refuse(lessons, mine, capsys):
    change(mine, write_to_chw)
    said = submit(capsys, "00", "--dir", lessons)
    assert f"made: {lessons}/hand-in/{UNIT}.ipynb" in said
    assert "✓ to_chw" in said and "1 of 1 points" in said
    assert "○ normalize" in said and "not written yet" in said
    assert "1 of 2 exercises right, 1 not written yet." in said


def test_the_students_notebook_is_not_touched(lessons, mine, capsys):
    change(mine, write_to_chw)
    before = mine.read_bytes(), mine.stat().st_mtime_ns
    submit(capsys, "00", "--dir", lessons)
    assert (mine.read_bytes(), mine.stat().st_mtime_ns) == before


def test_the_file_is_small_however_much_was_drawn(mine, tmp_path):
    def draw(cells):
        write_to_chw(cells)
        picture = new_output("display_data", {"image/png": "x" * 30_000_000})
        cells["test_to_chw"].outputs = [picture]

    change(mine, draw)
    made = make_hand_in(mine, tmp_path)
    assert made.stat().st_size < 100_000 < mine.stat().st_size


def test_the_answers_and_what_a_grader_knows_them_by_are_all_there(mine, tmp_path):
    change(mine, write_to_chw)
    sent = nbformat.read(make_hand_in(mine, tmp_path), 4)
    kept = nbformat.read(mine, 4)
    assert [(c.source, c.metadata, c.id) for c in sent.cells] == [
        (c.source, c.metadata, c.id) for c in kept.cells
    ]
    nbformat.validate(sent)


def test_the_grader_finds_it_when_it_is_put_where_hand_ins_are_collected(mine, tmp_path):
    collected = tmp_path / "course/submitted/ada" / UNIT
    make_hand_in(mine, collected)
    assert find_submissions(tmp_path / "course", UNIT) == [("ada", collected)]
    assert {"to_chw", "normalize"} <= {
        cell["grade_id"] for cell in read_submission(collected / f"{UNIT}.ipynb", 1)
    }


def test_an_endless_loop_is_handed_in_all_the_same(lessons, mine, capsys):
    def loop(cells):
        cells["to_chw"].source = "def to_chw(image):\n    while True:\n        pass"

    change(mine, loop)
    said = submit(capsys, "00", "--dir", lessons, "--seconds", "3")
    assert "✗ to_chw" in said
    assert (lessons / "hand-in" / f"{UNIT}.ipynb").is_file()


def test_a_cell_that_is_no_python_is_handed_in_all_the_same(lessons, mine, capsys):
    def break_off(cells):
        cells["to_chw"].source = "def to_chw(image:"

    change(mine, break_off)
    assert "✗ to_chw" in submit(capsys, "00", "--dir", lessons)
    assert "def to_chw(image:" in (lessons / "hand-in" / f"{UNIT}.ipynb").read_text()


@pytest.mark.parametrize("content", ["", "{", '{"cells": 3}', "\x00\xff"])
def test_a_broken_notebook_is_one_line_that_says_where_an_earlier_state_is(lessons, mine, capsys, content):
    kept = mine.parent / ".ipynb_checkpoints" / f"{UNIT}-checkpoint.ipynb"
    kept.parent.mkdir()
    shutil.copy(mine, kept)
    mine.write_bytes(content.encode("latin-1"))
    said = submit(capsys, "00", "--dir", lessons, code=2)
    assert said.count("\n") == 1
    assert "not a readable notebook" in said
    assert str(kept) in said
    assert not (lessons / "hand-in").exists()


def test_a_notebook_without_an_exercise_is_not_taken_for_the_unit(mine, tmp_path):
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")]), mine)
    with pytest.raises(UsageError, match="no exercise"):
        make_hand_in(mine, tmp_path)


def test_a_file_in_place_of_a_unit_is_one_clear_line(capsys):
    assert "convnets submit 01" in submit(capsys, "my.ipynb", code=2)


def test_handing_in_again_takes_the_newer_state(mine, tmp_path):
    make_hand_in(mine, tmp_path)
    change(mine, write_to_chw)
    assert "transpose(2, 0, 1)" in make_hand_in(mine, tmp_path).read_text()


def test_what_could_not_be_checked_is_not_called_blank():
    assert list(summary([Answer("conv2d", "✗ conv2d: not checked, since ...")])) == [
        f"✗ {'conv2d':<32} could not be checked",
        "0 of 1 exercises right, 0 not written yet.",
    ]
