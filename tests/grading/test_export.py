"""The exported marks are nbgrader's final scores, in the columns that each system reads."""

import csv
import io
import json
import shutil
import subprocess
import sys
import zipfile

import pytest
from nbgrader.api import Gradebook

from autograder.errors import UsageError
from autograder.export import export
from autograder.formats import Mark, results
from autograder.grading import grade
from tests.grading.classroom import UNIT, WRONG, edited, hand_in, make_course, solved
from tests.grading.test_exchange import Person

OTHER = "91-other"
CANVAS = f"""\
Student,ID,SIS User ID,SIS Login ID,Section,{UNIT} (4711),Final Score
    Points Possible,,,,,5,(read only)
"Lovelace, Ada",101,u1,ada,Monday,,
"Bloggs, Bob",102,u2,bob,Monday,,
"Gone, Gil",109,u9,gil,Monday,,
"""
MOODLE = "First name,Last name,ID number,Email address\nAda,Lovelace,u1,ada@uni.example\nBob,Bloggs,u2,bob@uni.example\n"
GRADESCOPE = "Name,SID,Email\nAda Lovelace,u1,Ada@uni.example\nBob Bloggs,u2,bob@uni.example\n"


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course with two units in its gradebook: a mark by hand, comments, a penalty, and a mark that nobody could give."""
    course = make_course(tmp_path_factory.mktemp("export") / "course")
    other = course / "source" / OTHER / f"{OTHER}.py"
    other.parent.mkdir()
    other.write_text((course / "source" / UNIT / f"{UNIT}.py").read_text())
    with Gradebook(f"sqlite:///{course}/gradebook.db", "tiny") as book:
        for unit in (UNIT, OTHER):
            book.add_assignment(unit)
            book.add_notebook(unit, unit)
            for name, worth in (("test_output_size", 2), ("test_to_chw", 3)):
                book.add_grade_cell(name, unit, unit, max_score=worth, cell_type="code")
        for name in ("output_size", "essay"):
            book.add_solution_cell(name, UNIT, UNIT)
        for student in ("ada", "bob", "cyd", "=1+1"):
            book.add_student(student)
        enter(book, "ada", UNIT, (2, 3))
        enter(book, "ada", OTHER, (2, 0.5))
        enter(book, "bob", UNIT, (0, 3), manual=1.5, extra=0.25, penalty=2)
        for name, comment in (("output_size", "Count again."), ("essay", "Well argued.")):
            book.find_comment(name, UNIT, UNIT, "bob").manual_comment = comment
        enter(book, "cyd", UNIT, (2, None))
        enter(book, "=1+1", UNIT, (0, 1), penalty=4)
        book.db.commit()
    return course


def enter(book, student, unit, auto, manual=None, extra=None, penalty=None):
    """Enter a student's marks for the two exercises of a unit."""
    with book.db.no_autoflush:  # as autograder.marks does
        book.add_submission(unit, student)
    for name, score in zip(("test_output_size", "test_to_chw"), auto, strict=True):
        book.find_grade(name, unit, unit, student).auto_score = score
    first = book.find_grade("test_output_size", unit, unit, student)
    first.manual_score, first.extra_credit = manual, extra
    book.find_submission_notebook(unit, unit, student).late_submission_penalty = penalty


def rows(done):
    """Return the rows of an exported table, each by column."""
    return list(csv.DictReader(io.StringIO(done.path.read_text())))


def roster(tmp_path, text):
    """Write a roster."""
    path = tmp_path / "roster.csv"
    path.write_text(text, "utf-8-sig")
    return path


def test_the_score_counts_marks_by_hand_extra_credit_and_penalties_and_is_never_below_0(course, tmp_path):
    done = export(course, "csv", out=tmp_path / "marks.csv")
    found = {(row["student"], row["unit"]): row for row in rows(done)}
    assert found["bob", UNIT]["score"] == "2.75"  # 1.5 by hand for 0, and 0.25 more, and 3, less 2
    assert (found["bob", UNIT]["raw_score"], found["bob", UNIT]["late_penalty"]) == ("4.75", "2")
    assert (found["ada", OTHER]["score"], found["ada", OTHER]["max_score"]) == ("2.5", "5")
    assert found["'=1+1", UNIT]["score"] == "0"


def test_the_scores_are_those_of_nbgraders_own_export(course, tmp_path):
    Person("instructor", tmp_path / "home", course).nbgrader("export", f"--to={tmp_path / 'theirs.csv'}")
    with (tmp_path / "theirs.csv").open() as file:
        theirs = {(row["student_id"], row["assignment"]): float(row["score"]) for row in csv.DictReader(file)}
    ours = rows(export(course, "csv", out=tmp_path / "ours.csv"))
    assert len(ours) == 5
    for row in ours:
        if row["score"]:
            assert float(row["score"]) == theirs[row["student"].lstrip("'"), row["unit"]]


def test_what_could_not_be_graded_is_left_empty_and_said_never_a_zero(course, tmp_path):
    done = export(course, "csv", out=tmp_path / "marks.csv")
    assert next(row for row in rows(done) if row["student"] == "cyd")["score"] == ""
    (remark,) = done.remarks
    assert remark.startswith(
        f"Left empty, since nothing in it could be graded: cyd ({UNIT}). `convnets grade`"
    )
    assert "ask for a new one, and collect it with --update" in remark


def test_for_what_formgrader_can_open_it_is_named_as_the_place_to_enter_a_mark(course, tmp_path, request):
    request.addfinalizer(lambda: shutil.rmtree(course / "autograded"))
    page = course / "autograded" / "cyd" / UNIT / f"{UNIT}.ipynb"
    page.parent.mkdir(parents=True)
    page.write_text("{}")
    assert export(course, "csv", out=tmp_path / "marks.csv").remarks == [
        f"Left empty, since a part could not be graded: cyd ({UNIT}). Grade again, or enter its marks in Formgrader."
    ]


def test_canvas_gets_its_own_columns_the_points_and_the_assignment_that_it_knows(course, tmp_path):
    done = export(course, "canvas", out=tmp_path / "canvas.csv", roster=roster(tmp_path, CANVAS))
    with done.path.open() as file:
        table = list(csv.reader(file))
    assert table == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", f"{UNIT} (4711)", OTHER],
        ["    Points Possible", "", "", "", "", "5", "5"],
        ["Lovelace, Ada", "101", "u1", "ada", "Monday", "5", "2.5"],
        ["Bloggs, Bob", "102", "u2", "bob", "Monday", "2.75", ""],
    ]


def test_who_is_missing_is_said_in_a_line_each(course, tmp_path):
    done = export(course, "canvas", [UNIT], tmp_path / "canvas.csv", roster(tmp_path, CANVAS))
    assert done.remarks[:2] == [
        "Not on roster.csv, so not in the file: =1+1, cyd.",
        "On roster.csv, but without a mark: gil.",
    ]


def test_canvas_own_test_student_is_nobody(course, tmp_path):
    done = export(
        course,
        "canvas",
        [UNIT],
        tmp_path / "c.csv",
        roster(tmp_path, CANVAS + '"Student, Test",999,,,Monday,,\n'),
    )
    assert "On roster.csv, but without a mark: gil." in done.remarks


def test_a_unit_that_canvas_has_no_column_for_is_said(course, tmp_path):
    path = roster(tmp_path, CANVAS)
    assert not any("column" in line for line in export(course, "canvas", [UNIT], roster=path).remarks)
    says = f"No column of roster.csv, so new assignments to Canvas: {OTHER}."
    assert says in export(course, "canvas", roster=path).remarks
    assert not any("column" in line for line in export(course, "moodle", roster=path).remarks)


def test_a_mark_whose_hand_in_was_deleted_is_told_from_a_stranger(course, tmp_path, request):
    request.addfinalizer(lambda: shutil.rmtree(course / "submitted"))
    for student in ("ada", "bob", "=1+1"):
        (course / "submitted" / student / UNIT).mkdir(parents=True)
    done = export(course, "canvas", [UNIT], tmp_path / "canvas.csv", roster(tmp_path, CANVAS))
    assert done.remarks[0].startswith(
        f"No longer in submitted/, though the gradebook has a mark: cyd ({UNIT}). `nbgrader db student remove"
    )
    assert done.remarks[1] == "Not on roster.csv, so not in the file: =1+1."
    assert not any("Left empty" in line for line in done.remarks)  # cyd is in no file


def test_without_a_roster_ids_are_taken_for_logins(course, tmp_path):
    canvas = rows(export(course, "canvas", out=tmp_path / "canvas.csv"))
    moodle = rows(export(course, "moodle", out=tmp_path / "moodle.csv"))
    assert {"ada", "bob", "cyd"} < {row["SIS Login ID"] for row in canvas}
    assert {"ada", "bob", "cyd"} < {row["Username"] for row in moodle}


def test_a_login_counts_before_a_number_that_another_student_has(course, tmp_path):
    text = "Student,ID,SIS User ID,SIS Login ID\nEve,1,ada,eve\nAda,2,u1,ada\n"
    done = export(course, "canvas", [UNIT], tmp_path / "canvas.csv", roster(tmp_path, text))
    assert rows(done)[1]["Student"] == "Ada"
    assert "On roster.csv, but without a mark: eve." in done.remarks


def test_moodle_gets_a_column_for_each_way_to_know_a_user(course, tmp_path):
    done = export(course, "moodle", [UNIT], tmp_path / "moodle.csv", roster(tmp_path, MOODLE))
    assert rows(done) == [
        {"Username": "", "ID number": "u1", "Email address": "ada@uni.example", UNIT: "5"},
        {"Username": "", "ID number": "u2", "Email address": "bob@uni.example", UNIT: "2.75"},
    ]


def hand_out(archive, folder, email):
    """Do as Gradescope does with an autograder for one submission; return the process and its results."""
    for name in ("source", "results"):
        (folder / name).mkdir(parents=True)
    with zipfile.ZipFile(archive) as zipped:
        assert "setup.sh" in zipped.namelist()
        zipped.extractall(folder / "source")
    (folder / "submission_metadata.json").write_text(json.dumps({"users": [{"email": email, "name": "?"}]}))
    program = [sys.executable, str(folder / "source" / "run_autograder"), str(folder)]
    process = subprocess.run(program, capture_output=True, text=True)
    found = folder / "results" / "results.json"
    return process, json.loads(found.read_text()) if found.exists() else None


def test_gradescope_gets_an_autograder_that_hands_out_the_marks(course, tmp_path):
    done = export(course, "gradescope", [UNIT], tmp_path / "g.zip", roster(tmp_path, GRADESCOPE))
    process, results = hand_out(done.path, tmp_path / "a", "bob@uni.example")
    assert (process.returncode, results["score"]) == (0, 2.75)
    assert [(t["name"], t["score"], t["max_score"]) for t in results["tests"]] == [
        ("output_size", 1.75, 2),
        ("to_chw", 3, 3),
    ]
    assert "lateness" in results["output"]


def test_on_gradescope_a_mark_by_hand_and_a_comment_stand_before_what_the_checks_said(course, tmp_path):
    path = course / "grades.csv"
    path.write_text(
        "student,unit,exercise,message\n"
        f"bob,{UNIT},output_size,✗ output_size: 0 of 2 points\nbob,{UNIT},to_chw,✓ to_chw: 3 of 3 points\n",
        "utf8",
    )
    try:
        done = export(course, "gradescope", [UNIT], tmp_path / "g.zip")
    finally:
        path.unlink()
    _, found = hand_out(done.path, tmp_path / "a", "bob@uni.example")
    assert [test["output"] for test in found["tests"]] == [
        "Marked by hand: 1.75 of 2 points.\nComment: Count again.\nThe checks said:\n✗ output_size: 0 of 2 points",
        "✓ to_chw: 3 of 3 points",
    ]
    assert found["output"] == "Less 2 points for lateness.\nessay: Well argued."


def test_on_gradescope_a_score_has_no_needless_digits():
    found = results(Mark("eve", UNIT, 1.34 + 0.3, 1.34 + 0.3, 0, 5, "", {"to_chw": (0.1 + 0.2, 3)}), {})
    assert json.dumps(found["score"]) == "1.64"
    assert json.dumps(found["tests"][0]["score"]) == "0.3"


def test_on_gradescope_nobody_gets_another_ones_mark_and_nobody_a_zero_for_want_of_one(course, tmp_path):
    done = export(course, "gradescope", [UNIT], tmp_path / "g.zip")
    assert hand_out(done.path, tmp_path / "a", "Ada@uni.example")[1]["score"] == 5
    for number, email in enumerate(("eve@uni.example", "cyd@uni.example")):
        process, results = hand_out(done.path, tmp_path / str(number), email)
        assert process.returncode != 0 and results is None
        assert email in process.stderr


@pytest.mark.parametrize(
    ("kind", "units", "text", "says"),
    [
        ("csv", ["92-none"], None, "no unit called"),
        ("gradescope", [], None, "one assignment at a time"),
        ("canvas", [], "colour,shape\nred,round\n", "is no roster"),
        ("canvas", [], "Student,ID\nNobody,7\n", "no mark to export. Not on roster.csv"),
    ],
)
def test_a_wrong_call_is_one_clear_line(course, tmp_path, kind, units, text, says):
    path = roster(tmp_path, text) if text else None
    with pytest.raises(UsageError, match=says) as caught:
        export(course, kind, units, tmp_path / "out", path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_course_without_a_gradebook_is_told_what_to_run_and_gets_none(tmp_path):
    course = make_course(tmp_path / "course")
    with pytest.raises(UsageError, match="convnets grade"):
        export(course, "csv")
    assert not (course / "gradebook.db").exists()


@pytest.mark.sandbox
def test_the_marks_of_a_graded_class_are_exported_with_nbgraders_late_days(tmp_path):
    course = make_course(tmp_path / "course", "c.LateSubmissionPlugin.penalty_method = 'zero'\n")
    hand_in(course, "ada", solved(course))
    late = hand_in(course, "bob", edited(course, WRONG))
    grade(course, progress=False)
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        book.update_or_create_assignment(UNIT, duedate="2026-03-01 00:00:00 UTC")
    (late.parent / "timestamp.txt").write_text("2026-03-03 00:00:00 UTC")
    grade(course, progress=False)
    found = {row["student"]: row for row in rows(export(course, "csv"))}
    assert (found["ada"]["score"], found["bob"]["score"], found["bob"]["raw_score"]) == ("5", "0", "3")
    assert found["bob"]["timestamp"] == "2026-03-03 00:00:00 UTC"
