"""A newer release is brought into a half-done notebook: its corrections arrive, and nothing of the student's goes."""

import copy
import hashlib
import os
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.utils import compute_checksum

from course.student import cli
from course.student.lab import update
from course.student.upgrade import is_unwritten, merge, same

ROOT = Path(__file__).parents[2]
UNIT = "01-convolution/01-convolution.ipynb"
STUB = "def {0}(x):\n    # Your code here.\n    raise NotImplementedError"
WRITTEN = "def {0}(x):\n    return x + 1"


def prose(text):
    return with_digest(new_markdown_cell(text))


def experiment(text):
    return with_digest(new_code_cell(text, metadata={"tags": ["experiment"]}))


def with_digest(cell):
    """Give a cell the id that `convnets build` gives it."""
    cell["id"] = hashlib.sha256(cell.source.encode()).hexdigest()[:12]
    return cell


def exercise(name, text=STUB, check="check({0})"):
    solution = {"grade_id": name, "solution": True, "grade": False, "locked": False}
    test = {"grade_id": f"test_{name}", "solution": False, "grade": True, "locked": True, "points": 1}
    cells = [
        new_code_cell(text.format(name), id=name, metadata={"nbgrader": solution}),
        new_code_cell(check.format(name), id=f"test_{name}", metadata={"nbgrader": test, "editable": False}),
    ]
    for cell in cells:
        cell.metadata.nbgrader["checksum"] = compute_checksum(cell)
    return cells


def release(*cells):
    flat = [part for cell in cells for part in (cell if isinstance(cell, list) else [cell])]
    return new_notebook(cells=copy.deepcopy(flat))


FIRST = release(prose("intro"), exercise("one"), experiment("plot(1)"), exercise("two"), prose("end"))


def half_done():
    """Return the first release with `one` written and checked."""
    mine = copy.deepcopy(FIRST)
    mine.cells[1].source = WRITTEN.format("one")
    mine.cells[2].outputs = [new_output("execute_result", {"text/plain": "1.0"}, execution_count=3)]
    mine.cells[2].execution_count = 3
    return mine


def texts(notebook):
    return [cell.source for cell in notebook.cells]


def test_an_answer_stands_in_the_new_release_with_its_corrected_prose_and_check():
    newer = release(
        prose("intro, corrected"),
        exercise("one", check="check({0})  # more"),
        experiment("plot(1)"),
        exercise("two"),
        prose("end"),
    )
    merged, notes = merge(half_done(), newer)
    assert texts(merged) == [
        "intro, corrected",
        WRITTEN.format("one"),
        "check(one)  # more",
        "plot(1)",
        STUB.format("two"),
        "check(two)",
        "end",
    ]
    assert notes == []
    nbformat.validate(merged)


def test_an_exercise_in_which_nothing_is_written_gets_its_corrected_text():
    corrected = 'def {0}(x):\n    """Better."""\n    # Your code here.\n    raise NotImplementedError'
    merged, _ = merge(half_done(), release(exercise("one"), exercise("two", corrected)))
    assert corrected.format("two") in texts(merged)
    assert STUB.format("two") not in texts(merged)


def test_cells_that_the_new_release_added_arrive_and_those_that_it_removed_go():
    newer = release(prose("intro"), exercise("one"), exercise("three"), exercise("two"), prose("what next"))
    merged, notes = merge(half_done(), newer)
    assert texts(merged) == texts(newer)[:1] + [WRITTEN.format("one")] + texts(newer)[2:]
    assert notes == []


def test_code_for_an_exercise_that_was_renamed_is_kept_and_told():
    newer = release(prose("intro"), exercise("uno"), exercise("two"))
    merged, notes = merge(half_done(), newer)
    assert texts(merged)[:2] == ["intro", WRITTEN.format("one")]
    assert STUB.format("uno") in texts(merged)
    assert "nbgrader" not in merged.cells[1].metadata
    assert notes == ["one is no exercise any more: your code for it is now a cell of your own"]


def test_the_students_own_cells_stay_where_they_were_with_what_they_showed():
    mine = half_done()
    picture = new_output("display_data", {"image/png": "aGk="})
    mine.cells.insert(0, new_markdown_cell("my title"))
    mine.cells.insert(3, new_code_cell("my_plot()", outputs=[picture]))
    mine.cells.append(
        new_markdown_cell("![mine](attachment:a.png)", attachments={"a.png": {"image/png": "aGk="}})
    )
    mine.cells.append(new_code_cell(""))
    merged, _ = merge(mine, release(prose("intro"), exercise("one"), prose("new end")))
    assert texts(merged) == [
        "my title",
        "intro",
        WRITTEN.format("one"),
        "my_plot()",
        "check(one)",
        "![mine](attachment:a.png)",
        "new end",
    ]
    assert merged.cells[3].outputs == [picture]
    assert merged.cells[5].attachments == {"a.png": {"image/png": "aGk="}}


def test_an_edited_experiment_stays_edited_and_one_that_was_corrected_too_stands_beside_the_correction():
    mine = half_done()
    mine.cells[3].source = "plot(99)"
    same_experiment = release(exercise("one"), experiment("plot(1)"))
    assert "plot(99)" in texts(merge(mine, same_experiment)[0])
    assert "plot(1)" not in texts(merge(mine, same_experiment)[0])
    corrected = texts(merge(mine, release(exercise("one"), experiment("plot(2)")))[0])
    assert "plot(99)" in corrected and "plot(2)" in corrected


def test_outputs_stay_with_the_cells_that_made_them_and_not_with_corrected_ones():
    merged, _ = merge(half_done(), release(exercise("one"), prose("new")))
    assert merged.cells[1].outputs == half_done().cells[2].outputs
    merged, _ = merge(half_done(), release(exercise("one", check="check({0}, more)")))
    assert merged.cells[1].outputs == []


def test_of_a_cell_that_was_copied_the_last_one_written_is_the_answer_and_the_other_is_kept():
    mine = half_done()
    mine.cells.insert(3, copy.deepcopy(mine.cells[1]))
    mine.cells[3].source = "def one(x):\n    return 2"
    mine.cells.insert(4, copy.deepcopy(FIRST.cells[1]))
    merged, notes = merge(mine, FIRST)
    answer = next(cell for cell in merged.cells if cell.id == "one")
    assert answer.source == "def one(x):\n    return 2"
    assert texts(merged).index(WRITTEN.format("one")) < texts(merged).index(answer.source)
    assert notes == []
    assert len({cell.id for cell in merged.cells}) == len(merged.cells)


def test_a_cell_that_does_not_compile_is_work_too():
    mine = half_done()
    mine.cells[1].source = "def one(x:"
    assert "def one(x:" in texts(merge(mine, FIRST)[0])


def test_an_upgrade_to_the_release_that_one_has_changes_nothing():
    mine = half_done()
    mine.cells.insert(2, new_code_cell("mine"))
    merged, _ = merge(mine, FIRST)
    assert same(merged, mine)
    assert [cell.get("outputs") for cell in merged.cells] == [cell.get("outputs") for cell in mine.cells]


def test_a_notebook_of_an_older_format_without_ids_keeps_its_work():
    mine = half_done()
    mine.cells.append(new_markdown_cell("my note"))
    mine.nbformat_minor = 4
    for cell in mine.cells:
        del cell["id"]
    merged, _ = merge(mine, FIRST)
    assert texts(merged) == [*texts(half_done()), "my note"]
    nbformat.validate(merged)


@pytest.mark.parametrize(
    ("source", "unwritten"),
    [
        (STUB.format("f"), True),
        ("", True),
        (" \n", True),
        (WRITTEN.format("f"), False),
        ("# my plan: pad first\n" + STUB.format("f"), False),
        (STUB.format("f").replace("# Your code here.", "# Your code here. First pad."), False),
        ("def f(x):\n    y = x\n    raise NotImplementedError", False),
        ("import math\n" + STUB.format("f"), False),
        ("def f(x", False),
    ],
)
def test_what_counts_as_unwritten(source, unwritten):
    cell, _ = exercise("f")
    cell.source = source
    assert is_unwritten(cell) is unwritten


def test_every_exercise_is_released_with_the_checksum_by_which_a_stub_is_known():
    for path in (ROOT / "release").glob("*/*.ipynb"):
        cells = nbformat.read(path, 4).cells
        stubs = [cell for cell in cells if cell.metadata.get("nbgrader", {}).get("solution")]
        assert stubs and all(is_unwritten(cell) for cell in stubs), path


def test_a_plan_written_as_comments_in_a_stub_outlives_two_upgrades():
    mine = half_done()
    mine.cells[4].source = plan = "# MYPLAN: pad, then add up\n" + STUB.format("two")
    corrected = 'def {0}(x):\n    """Better."""\n    raise NotImplementedError'
    merged, _ = merge(mine, release(exercise("one"), exercise("two", corrected)))
    assert plan in texts(merged)
    again, _ = merge(merged, release(exercise("one"), exercise("two", corrected + "  # again")))
    assert plan in texts(again)


@pytest.fixture
def folders(tmp_path):
    """Return a working copy in which `one` is written, and a release that has since been corrected."""
    mine, out = tmp_path / "my-lessons", tmp_path / "release"
    publish(out, FIRST)
    update(mine, out)
    nbformat.write(half_done(), mine / UNIT)
    publish(
        out,
        release(prose("corrected"), exercise("one"), experiment("plot(1)"), exercise("two"), prose("end")),
    )
    return mine, out


def publish(folder, notebook):
    (folder / UNIT).parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / UNIT)


def test_lab_offers_the_upgrade_each_time_and_changes_nothing_before_it_is_asked_for(folders):
    mine, out = folders
    before = (mine / UNIT).read_bytes()
    for _ in range(2):
        (line,) = update(mine, out)
        assert "convnets lab --upgrade" in line
    assert (mine / UNIT).read_bytes() == before
    assert [path.name for path in mine.rglob("*.ipynb")] == ["01-convolution.ipynb"]


def test_an_upgrade_keeps_the_notebook_as_it_was_under_a_name_with_the_date(folders):
    mine, out = folders
    before = (mine / UNIT).read_bytes()
    (line,) = update(mine, out, upgrade=True)
    (backup,) = (mine / "backups").iterdir()
    assert str(backup) in line
    assert backup.name.startswith("01-convolution-20")
    assert backup.read_bytes() == before
    assert texts(nbformat.read(mine / UNIT, 4))[:2] == ["corrected", WRITTEN.format("one")]
    assert update(mine, out) == [f"Your lessons in {mine} are up to date."]


def test_a_lesson_that_went_back_to_the_old_file_is_offered_the_upgrade_again_and_gets_it(folders):
    mine, out = folders
    update(mine, out, upgrade=True)
    (backup,) = (mine / "backups").iterdir()
    (mine / UNIT).write_bytes(backup.read_bytes())  # as JupyterLab's "Overwrite" does it too
    (line,) = update(mine, out)
    assert "convnets lab --upgrade" in line
    (line,) = update(mine, out, upgrade=True)
    assert line.startswith("upgraded:")
    assert texts(nbformat.read(mine / UNIT, 4))[:2] == ["corrected", WRITTEN.format("one")]
    assert update(mine, out, upgrade=True) == [f"Your lessons in {mine} are up to date."]


def test_work_of_every_kind_in_the_release_that_one_has_is_no_reason_for_an_upgrade(folders):
    mine, out = folders
    update(mine, out, upgrade=True)
    notebook = nbformat.read(mine / UNIT, 4)
    notebook.cells[3].source = "plot(99)"
    notebook.cells[4].source = "# a plan\n" + STUB.format("two")
    notebook.cells[0], notebook.cells[6] = notebook.cells[6], notebook.cells[0]
    del notebook.cells[6]
    notebook.cells.append(new_code_cell("mine()"))
    nbformat.write(notebook, mine / UNIT)
    assert update(mine, out, upgrade=True) == [f"Your lessons in {mine} are up to date."]


def test_a_second_upgrade_on_the_same_day_overwrites_no_backup(folders):
    mine, out = folders
    update(mine, out, upgrade=True)
    publish(out, release(prose("corrected again"), exercise("one"), exercise("two")))
    update(mine, out, upgrade=True)
    first, second = sorted((mine / "backups").iterdir(), key=lambda path: len(path.name))
    assert texts(nbformat.read(first, 4))[0] == "intro"
    assert texts(nbformat.read(second, 4))[0] == "corrected"


def test_a_notebook_from_an_earlier_release_in_a_new_folder_is_upgraded_without_its_record(folders, tmp_path):
    _, out = folders
    elsewhere = tmp_path / "new-bundle"
    publish(elsewhere, half_done())
    (line,) = update(elsewhere, out, upgrade=True)
    assert line.startswith("upgraded:")
    assert texts(nbformat.read(elsewhere / UNIT, 4))[:3] == ["corrected", WRITTEN.format("one"), "check(one)"]


def test_where_the_backup_cannot_be_written_the_notebook_stays_as_it_is(folders, monkeypatch):
    mine, out = folders
    before = (mine / UNIT).read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        update(mine, out, upgrade=True)
    assert (mine / UNIT).read_bytes() == before
    assert not list((mine / "backups").iterdir())


def test_the_command_upgrades_and_the_real_lesson_keeps_its_solutions(tmp_path, monkeypatch, capfd):
    mine = tmp_path / "my-lessons"
    earlier = nbformat.read(ROOT / "solutions" / UNIT, 4)
    earlier.cells[0] = prose("# An earlier title")
    publish(mine, earlier)
    monkeypatch.setattr("os.execve", lambda *_: sys.exit(0))  # in place of JupyterLab
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        cli.main(["lab", "--dir", str(mine), "--upgrade"])
    assert f"upgraded: {mine / UNIT}" in capfd.readouterr().out
    upgraded = nbformat.read(mine / UNIT, 4)
    released = nbformat.read(ROOT / "release" / UNIT, 4)
    assert upgraded.cells[0].source == released.cells[0].source
    answers = [c for c in upgraded.cells if c.metadata.get("nbgrader", {}).get("solution")]
    assert len(answers) == 9
    assert not [c for c in answers if "raise NotImplementedError" in c.source]
    assert [c.id for c in upgraded.cells] == [c.id for c in released.cells]
