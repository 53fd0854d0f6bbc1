"""The progress panel reads the student's own notebooks, and survives whatever is in them."""

import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from course.checks import check
from course.student.progress import passed_here, progress


def checked(name, points, *outputs):
    about = {"grade_id": f"test_{name}", "grade": True, "solution": False, "points": points}
    return new_code_cell(f"check({name})", metadata={"nbgrader": about}, outputs=list(outputs))


def said(score):
    return new_output("execute_result", {"text/plain": score, "text/html": "<b>any</b>"}, execution_count=1)


def write(folder, unit, *cells):
    (folder / unit).mkdir()
    nbformat.write(new_notebook(cells=list(cells)), folder / unit / f"{unit}.ipynb")


@pytest.fixture
def lessons(tmp_path):
    write(tmp_path, "00-first", checked("one", 2, said("2.0")), checked("two", 1, said("0.5")))
    write(tmp_path, "01-second", new_code_cell("1"), checked("three", 3))
    return tmp_path


def test_an_exercise_has_passed_when_its_saved_check_gives_full_marks(lessons):
    assert progress(lessons).units == {"00-first": {"one": True, "two": False}, "01-second": {"three": False}}


def test_the_table_says_how_many_have_passed_and_what_is_next(lessons):
    write(lessons, "02-third", checked("four", 1, said("1.0")))
    assert repr(progress(lessons)).splitlines() == [
        "00-first   ●○  1 of 2  next: two",
        "01-second  ○   0 of 1  next: three",
        "02-third   ●   1 of 1  done",
    ]
    page = progress(lessons)._repr_html_()
    assert "1 of 2" in page and "next: three" in page
    assert 'href="../01-second/01-second.ipynb"' in page


@pytest.mark.parametrize(
    "output",
    [
        new_output("stream", text="2.0"),
        said("nan"),
        said("0"),
        said(["1.", "0"]),
        said("passed"),
    ],
)
def test_no_other_output_counts_as_passed(tmp_path, output):
    write(tmp_path, "00-first", checked("one", 2, output))
    assert progress(tmp_path).units == {"00-first": {"one": False}}


ERROR = new_output("error", ename="NameError", evalue="2.0", traceback=[])


def test_a_check_that_ended_in_an_error_is_neither_passed_nor_failed_and_is_to_be_run_again(tmp_path):
    write(tmp_path, "00-first", checked("one", 2, ERROR), checked("two", 2), checked("three", 2, ERROR))
    write(tmp_path, "01-second", checked("four", 1, said("1.0"), ERROR), checked("five", 1, said("0"), ERROR))
    assert progress(tmp_path).units == {
        "00-first": {"one": None, "two": False, "three": None},
        "01-second": {"four": True, "five": False},
    }
    first, _ = repr(progress(tmp_path)).splitlines()
    assert first.endswith("0 of 3  run again, with its check: one and 1 more; next: two")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"cells": 3}',
        '{"cells": [3]}',
        '{"cells": [{"metadata": []}]}',
        "\x00\xff",
        "[" * 100_000,
    ],
)
def test_a_broken_notebook_is_named_and_the_others_are_shown(lessons, content):
    (lessons / "01-second/01-second.ipynb").write_bytes(content.encode("latin-1"))
    assert progress(lessons).units["00-first"] == {"one": True, "two": False}
    assert "its notebook cannot be read" in repr(progress(lessons))
    assert "its notebook cannot be read" in progress(lessons)._repr_html_()


def test_copies_and_checkpoints_of_a_notebook_are_no_units(lessons):
    (lessons / "00-first/copy.ipynb").write_text("{")
    (lessons / "backups").mkdir()
    (lessons / "backups/00-first-2026-11-21.ipynb").write_text("{")
    assert list(progress(lessons).units) == ["00-first", "01-second"]


def test_html_in_a_folders_name_stays_text(tmp_path):
    write(tmp_path, "<b>", checked("one", 1))
    assert "<b>" not in progress(tmp_path)._repr_html_()


def test_what_has_passed_in_this_kernel_counts_before_the_notebook_is_saved(lessons, monkeypatch):
    def to_chw(image):
        return image.transpose(2, 0, 1)

    class Shell:
        user_ns = {"Out": {1: 5, 2: check(to_chw), 3: check(lambda image: image, name="normalize")}}

    monkeypatch.setattr("IPython.get_ipython", Shell)
    assert passed_here() == {"to_chw"}
    write(lessons, "02-third", checked("to_chw", 1), checked("normalize", 2))
    assert progress(lessons).units["02-third"] == {"to_chw": True, "normalize": False}


def test_a_variable_of_the_students_that_is_called_out_disturbs_nothing(lessons, monkeypatch):
    class Shell:
        user_ns = {"Out": 3}

    monkeypatch.setattr("IPython.get_ipython", Shell)
    assert progress(lessons).units["00-first"]["one"]


def test_it_is_shown_when_the_lab_starts_once_something_has_passed(tmp_path, monkeypatch, capsys):
    from course.student.lab import lab

    release = tmp_path / "release"
    write_release(release)
    monkeypatch.setattr("course.student.lab.ROOT", tmp_path)
    monkeypatch.setattr("os.execve", lambda *_: sys.exit(0))  # in place of JupyterLab
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "my-lessons"

    def start():
        with pytest.raises(SystemExit):
            lab(mine)
        monkeypatch.chdir(tmp_path)
        return capsys.readouterr().out

    assert "of 2" not in start()
    path = mine / "00-first/00-first.ipynb"
    notebook = nbformat.read(path, 4)
    notebook.cells[0].outputs = [said("2.0")]
    nbformat.write(notebook, path)
    assert "●○  1 of 2  next: two" in start()


def write_release(folder):
    folder.mkdir()
    write(folder, "00-first", checked("one", 2), checked("two", 1))
