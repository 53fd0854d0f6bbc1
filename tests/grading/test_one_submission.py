"""What one student hands in, or what goes wrong with it, costs nobody else a mark and ends no run."""

import copy
import csv
import errno
import json
import os
import re
import sqlite3

import pytest
from nbgrader.api import Gradebook
from sqlalchemy.exc import OperationalError

from autograder import build, class_run, fanout
from autograder.grading import COLUMNS, LONGEST_MESSAGE, grade, rows_of, write_rows
from autograder.submissions import FAULT, Submission, read
from autograder.worker import work
from tests.grading.classroom import PERFECT, UNIT, WRONG, edited, hand_in, settings, solved

pytestmark = pytest.mark.sandbox
SPOILT = "# whose grading goes wrong"


def marks(summary, student):
    """Return a student's scores by exercise."""
    return {row["exercise"]: row["score"] for row in summary.rows if row["student"] == student}


def results(course, student):
    """Return what is in a student's folder of autograded/ beside the notebook, by path."""
    folder = course / "autograded" / student / UNIT
    found = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".ipynb"]
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}


def read_one(course, path, **more):
    """Return a hand-in as a run reads it."""
    template = build.template(course / "source" / UNIT / f"{UNIT}.py")
    return read("eve", UNIT, path.parent, template, settings(**more), "")


def faulty(outcome):
    """Return an outcome as of a machine that failed."""
    outcome = copy.deepcopy(outcome)
    for verdict in outcome["result"]["verdicts"]:
        verdict |= {"verdict": "not_graded", "score": 0, "text": "the sandbox does not answer"}
    return outcome


def beside(path, name, text="x"):
    """Put a file beside a notebook."""
    file = path.parent / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.fixture
def spoil(monkeypatch):
    """Return how to have the results of notebooks with ``SPOILT`` in them changed, or other errors raised for them."""

    def start(change):
        def spoilt(job):
            outcome = work(job)
            return change(outcome) if SPOILT in outcome["result"]["notebook"] else outcome

        monkeypatch.setattr(fanout, "work", spoilt)

    return start


def unwritable(outcome):
    outcome["result"]["notebook"] += "\ud800"
    return outcome


def test_a_result_that_cannot_be_written_is_its_students_alone_each_time(course, spoil, monkeypatch):
    hand_in(course, "eve", edited(course, after=SPOILT))
    hand_in(course, "ada", solved(course))
    hand_in(course, "bob", edited(course, WRONG))
    spoil(unwritable)
    monkeypatch.setattr(fanout, "FEW", 3)
    for _ in range(2):
        summary = grade(course, progress=False)
        assert [one["student"] for one in summary.not_graded] == ["eve"]
        assert summary.not_graded[0]["why"].startswith(FAULT.format("")) and summary.graded in (2, 0)
        assert marks(summary, "ada") == PERFECT
        assert set(marks(summary, "eve").values()) == {""}
        assert (course / "grades.csv").read_text().count("eve") == 3
    monkeypatch.setattr(fanout, "work", work)
    assert marks(grade(course, progress=False), "eve") == PERFECT


def test_a_full_disk_ends_the_run(course, monkeypatch):
    hand_in(course, "ada", solved(course))

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(class_run, "write", fail)
    with pytest.raises(OSError, match="No space left"):
        grade(course, progress=False)


@pytest.mark.parametrize(
    ("error", "everybodys"),
    [
        (sqlite3.OperationalError("disk I/O error"), True),
        (OperationalError("insert", {}, Exception("database is locked")), True),
        (OSError(errno.EROFS, "Read-only file system"), True),
        (PermissionError(errno.EACCES, "Permission denied"), False),
        (ValueError("an odd value"), False),
    ],
)
def test_only_what_would_meet_everybody_ends_a_run(error, everybodys):
    assert class_run.concerns_everybody(error) is everybodys


def test_files_beside_the_notebook_may_become_folders_and_folders_files(course):
    path = hand_in(course, "eve", solved(course))
    beside(path, "data")
    beside(path, "old/notes.txt")
    beside(path, "timestamp.txt/x.txt")
    assert grade(course, progress=False).graded == 1
    assert results(course, "eve") == {"data": "x", "old/notes.txt": "x"}
    (path.parent / "data").unlink()
    beside(path, "data/x.txt")
    (path.parent / "old" / "notes.txt").unlink()
    (path.parent / "old").rmdir()
    beside(path, "old")
    beside(path, "n" * 255)
    assert grade(course, progress=False).graded == 1
    assert results(course, "eve") == {"data/x.txt": "x", "old": "x", "n" * 255: "x"}
    assert grade(course, progress=False).from_store == 1


TOO_MUCH = {
    "larger than 1 MB": lambda path: beside(path, "set.bin", "0" * (2**20 + 1)),
    "more than 1000 files": lambda path: [beside(path, f"{n}.txt") for n in range(1001)],
    "impossible name": lambda path: beside(path, os.fsdecode(b"\xff.txt")),
    "impossible name, 'a/a": lambda path: beside(path, "a/" * 501 + "b"),
}


@pytest.mark.parametrize(("words", "spoil"), TOO_MUCH.items(), ids=TOO_MUCH)
def test_files_that_could_not_be_where_student_code_runs_are_refused_and_not_marked_zero(
    course, words, spoil
):
    path = hand_in(course, "eve", solved(course))
    beside(path, ".git/" + "x" * 200, "0" * (2**20 + 1))  # no part of the work
    assert not read_one(course, path, file_mb=1).unreadable
    spoil(path)
    assert words in read_one(course, path, file_mb=1).unreadable


def test_the_largest_file_that_is_taken_arrives(course):
    path = hand_in(course, "eve", edited(course, after="assert len(open('set.bin').read()) == 16 << 20"))
    beside(path, "set.bin", "0" * (16 << 20))
    assert marks(grade(course, progress=False), "eve") == PERFECT


def test_files_beside_the_instructors_solution_that_are_too_much_cost_no_student_a_mark(course):
    source = course / "source" / UNIT / f"{UNIT}.py"
    beside(source, "set.bin", "0" * (17 << 20))
    hand_in(course, "ada", solved(course))
    summary = grade(course, progress=False)
    assert marks(summary, "ada") == PERFECT
    assert "your own solution of 90-tiny was not tried: set.bin is larger than 16 MB" in summary.doubts[0]


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        (["x = 1"] * 2000, "20.. cells, and 2000 are the most"),
        (["x = 1\n" * (1 << 20)], "more than 4 MB of code"),
    ],
)
def test_a_notebook_that_nobody_typed_is_refused(course, sources, words):
    notebook = solved(course)
    notebook.cells += [
        {"cell_type": "code", "metadata": {}, "source": text, "outputs": []} for text in sources
    ]
    path = hand_in(course, "eve", json.dumps(notebook))
    assert re.search(words, read_one(course, path).unreadable)


def test_whatever_else_reading_a_hand_in_raises_is_a_fault_of_ours_with_that_one(course, monkeypatch):
    def fail(*_):
        raise RecursionError("too deep\nby far")

    monkeypatch.setattr("autograder.submissions.rebuild", fail)
    assert read_one(course, hand_in(course, "eve", solved(course))).unreadable == FAULT.format("too deep")


def test_a_message_of_any_length_leaves_grades_csv_readable(course):
    template = build.template(course / "source" / UNIT / f"{UNIT}.py")
    long = Submission("eve", UNIT, course, unreadable="long " * 50_000)
    assert {len(row["message"]) for row in rows_of(long, template, None)} == {LONGEST_MESSAGE}
    row = dict.fromkeys(COLUMNS, "") | {"student": "eve", "unit": UNIT, "message": "\ud800" * 200_000}
    write_rows(course / "grades.csv", [row], [UNIT])  # as before messages were cut
    write_rows(course / "grades.csv", [row | {"unit": "91-other", "message": ""}], ["91-other"])
    csv.field_size_limit(1 << 17)  # Python's own
    with (course / "grades.csv").open(encoding="utf8") as file:
        assert [row["unit"] for row in csv.DictReader(file)] == [UNIT, "91-other"]


def test_a_student_may_write_what_marks_hidden_tests(course):
    text = "# my notes\n### BEGIN HIDDEN TESTS\nnumber = 6 * 7"
    hand_in(
        course, "eve", edited(course, ("// stride + 1", "// stride + 1  ### END HIDDEN TESTS"), after=text)
    )
    assert marks(grade(course, progress=False), "eve") == PERFECT
    page = (course / "feedback" / "eve" / UNIT / f"{UNIT}.html").read_text()
    assert page.count("BEGIN HIDDEN TESTS") == page.count("END HIDDEN TESTS") == 1  # the student's own
    assert "number" in page and "random=5" not in page


@pytest.mark.parametrize("fault", [faulty, RuntimeError])
def test_a_fault_with_a_notebook_that_was_graded_for_somebody_else_is_none(course, spoil, fault):
    for student in ("ada", "bob"):
        hand_in(course, student, edited(course, after=SPOILT))
    outcomes = []

    def second_fails(outcome):
        outcomes.append(outcome)
        if len(outcomes) == 1:
            return outcome
        if fault is faulty:
            return faulty(outcome)
        raise fault("the worker died")

    spoil(second_fails)
    summary = grade(course, progress=False)
    assert len(outcomes) == 2
    assert (summary.graded, summary.from_store, summary.not_graded) == (1, 1, [])
    assert marks(summary, "ada") == marks(summary, "bob") == PERFECT
    pages = [(course / "feedback" / who / UNIT / f"{UNIT}.html").read_text() for who in ("ada", "bob")]
    assert pages[0] == pages[1] and "Score: 5.0 / 5.0" in pages[0]
    assert grade(course, progress=False).from_store == 2


@pytest.mark.parametrize("kind", ["unreadable", "fault"])
def test_no_page_of_an_earlier_hand_in_stands_beside_no_mark_and_nothing_of_a_persons_is_lost(
    course, spoil, kind
):
    beside(hand_in(course, "eve", solved(course)), "data.txt")
    grade(course, progress=False)
    page = course / "feedback" / "eve" / UNIT / f"{UNIT}.html"
    beside(page, "a person's.pdf")
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        book.find_grade("test_to_chw", UNIT, UNIT, "eve").manual_score = 0.5
        book.find_comment("to_chw", UNIT, UNIT, "eve").manual_comment = "Nearly, Eve!"
        book.db.commit()
    spoil(lambda outcome: 1 / 0)
    hand_in(course, "eve", "{" if kind == "unreadable" else edited(course, after=SPOILT))
    assert [one["student"] for one in grade(course, progress=False).not_graded] == ["eve"]
    assert not page.exists()
    assert page.with_name("a person's.pdf").exists()
    assert not list((course / "autograded" / "eve" / UNIT).iterdir())
    hand_in(course, "eve", solved(course))
    assert grade(course, progress=False).from_store == 1
    assert "Nearly, Eve!" in page.read_text() and "Score: 4.5 / 5.0" in page.read_text()
    assert results(course, "eve") == {"data.txt": "x"}
