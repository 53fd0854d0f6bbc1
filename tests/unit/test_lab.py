"""The student's working copy follows the release, and the student's work is never overwritten."""

import json
import sys
from pathlib import Path

import pytest

from course.student.errors import UsageError
from course.student.lab import RECORD, lab, lessons, update

ROOT = Path(__file__).parents[2]
UNIT = "01-convolution/01-convolution.ipynb"


@pytest.fixture
def release(tmp_path):
    publish(tmp_path / "release", "first")
    return tmp_path / "release"


@pytest.fixture
def mine(tmp_path):
    return tmp_path / "my-lessons"


def publish(release, text):
    (release / UNIT).parent.mkdir(parents=True, exist_ok=True)
    (release / UNIT).write_text(text)


def files(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.ipynb")}


def test_a_new_copy_gets_every_lesson(release, mine):
    lines = update(mine, release)
    assert files(mine) == {UNIT: "first"}
    assert lines == [f"new: {mine / UNIT}"]


def test_a_second_update_changes_nothing_and_says_so(release, mine):
    update(mine, release)
    assert update(mine, release) == [f"Your lessons in {mine} are up to date."]


def test_an_untouched_lesson_follows_the_release(release, mine):
    update(mine, release)
    publish(release, "second")
    assert update(mine, release) == [f"updated: {mine / UNIT}"]
    assert files(mine) == {UNIT: "second"}


def test_a_changed_lesson_stays_and_the_newer_release_is_put_beside_it(release, mine):
    update(mine, release)
    (mine / UNIT).write_text("my work")
    publish(release, "second")
    lines = update(mine, release)
    assert files(mine) == {UNIT: "my work", "01-convolution/01-convolution.newer.ipynb": "second"}
    assert len(lines) == 1
    assert "01-convolution.newer.ipynb" in lines[0]


def test_the_newer_release_is_put_beside_only_once(release, mine):
    update(mine, release)
    (mine / UNIT).write_text("my work")
    publish(release, "second")
    update(mine, release)
    assert update(mine, release) == [f"Your lessons in {mine} are up to date."]
    assert len(files(mine)) == 2


def test_work_done_in_the_newer_release_is_kept_too(release, mine):
    update(mine, release)
    (mine / UNIT).write_text("my work")
    publish(release, "second")
    update(mine, release)
    (mine / "01-convolution/01-convolution.newer.ipynb").write_text("more work")
    publish(release, "third")
    update(mine, release)
    assert files(mine) == {
        UNIT: "my work",
        "01-convolution/01-convolution.newer.ipynb": "more work",
        "01-convolution/01-convolution.newer-2.ipynb": "third",
    }


def test_work_is_kept_after_a_release_that_changed_it_back(release, mine):
    update(mine, release)
    (mine / UNIT).write_text("my work")
    publish(release, "second")
    update(mine, release)
    publish(release, "first")
    update(mine, release)
    assert files(mine)[UNIT] == "my work"


def as_notebook(source="x = 1", outputs=(), **metadata):
    cell = {"cell_type": "code", "source": source, "outputs": list(outputs), "metadata": {}}
    return json.dumps({"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def test_a_notebook_that_was_only_opened_still_follows_the_release(release, mine):
    publish(release, as_notebook())
    update(mine, release)
    (mine / UNIT).write_text(as_notebook(["x = ", "1"], language_info={"version": "3.11.7"}))
    publish(release, as_notebook("x = 2"))
    update(mine, release)
    assert files(mine) == {UNIT: as_notebook("x = 2")}


@pytest.mark.parametrize(
    "work", [as_notebook("x = 3"), as_notebook(outputs=[{"output_type": "stream"}]), "[1]", '{"cells": 1}']
)
def test_a_notebook_with_work_or_output_in_it_is_kept(release, mine, work):
    publish(release, as_notebook())
    update(mine, release)
    (mine / UNIT).write_text(work)
    publish(release, as_notebook("x = 2"))
    update(mine, release)
    assert files(mine)[UNIT] == work


@pytest.mark.parametrize("record", [None, "{", "[]", "\xff"])
def test_a_lesson_is_kept_when_the_record_is_lost_or_broken(release, mine, record):
    update(mine, release)
    (mine / UNIT).write_text("my work")
    (mine / RECORD).unlink() if record is None else (mine / RECORD).write_bytes(record.encode("latin-1"))
    publish(release, "second")
    update(mine, release)
    assert files(mine)[UNIT] == "my work"
    assert "second" in files(mine).values()


def test_a_deleted_lesson_comes_back(release, mine):
    update(mine, release)
    (mine / UNIT).unlink()
    update(mine, release)
    assert files(mine) == {UNIT: "first"}


def test_what_jupyterlab_leaves_in_the_release_is_not_a_lesson(release, mine):
    (release / ".ipynb_checkpoints").mkdir()
    (release / ".ipynb_checkpoints/01-convolution-checkpoint.ipynb").write_text("old")
    update(mine, release)
    assert files(mine) == {UNIT: "first"}


def test_a_release_without_lessons_is_an_error_and_makes_no_folder(tmp_path, mine):
    with pytest.raises(UsageError, match="no lessons"):
        update(mine, tmp_path / "nothing-here")
    assert not mine.exists()


@pytest.mark.parametrize("target", [None, "01", "01-convolution"])
def test_a_unit_is_found_by_its_name_its_number_or_as_one_of_all(release, mine, target):
    update(mine, release)
    assert lessons(mine, target) == [mine / UNIT]


@pytest.mark.parametrize("target", ["02", "convolution", "1"])
def test_an_unknown_unit_is_an_error_that_names_the_known_ones(release, mine, target):
    update(mine, release)
    with pytest.raises(UsageError, match="01-convolution"):
        lessons(mine, target)


def test_an_exercise_in_the_place_of_a_unit_is_an_error_that_names_the_command_for_it(mine):
    update(mine, ROOT / "release")
    with pytest.raises(UsageError, match="`convnets check 01 --exercise conv2d`"):
        lessons(mine, "conv2d")


def test_only_the_first_start_opens_the_first_lesson(tmp_path, monkeypatch):
    started = []

    def in_place_of_jupyterlab(_, command, __):
        started.append([part for part in command if "default_url" in part])
        sys.exit(0)

    monkeypatch.setattr("os.execve", in_place_of_jupyterlab)
    for _ in range(2):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit):
            lab(Path("my-lessons"))
    assert started == [["--LabApp.default_url=/lab/tree/00-start-here/00-start-here.ipynb"], []]
