"""A class from hand-ins to gradebook, feedback and grades.csv."""

import csv
import json

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder.errors import UsageError
from autograder.grading import grade
from tests.grading.classroom import PERFECT, SECRET, UNIT, WRONG, edited, hand_in, make_course, solved

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A graded class: one of each kind. Tests only read it."""
    course = make_course(tmp_path_factory.mktemp("class") / "course")
    hand_in(course, "ada", solved(course))
    hand_in(course, "bob", edited(course, WRONG))
    hand_in(course, "cyd", "{ this is not a notebook")
    hand_in(
        course, "dan", edited(course, ("return np.transpose(image, (2, 0, 1))", "raise NotImplementedError"))
    )
    (course / "submitted" / "ada" / UNIT / "timestamp.txt").write_text("2026-01-02 03:04:05 UTC")
    return course, grade(course, progress=False)


def table(course):
    """Return grades.csv as {(student, exercise): row}."""
    with (course / "grades.csv").open(newline="") as file:
        return {(row["student"], row["exercise"]): row for row in csv.DictReader(file)}


def gradebook(course):
    """Return the automatic marks in the gradebook by student and cell."""
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        return {
            s.student.id: {grade.name: grade.auto_score for grade in s.notebooks[0].grades}
            for s in book.assignment_submissions(UNIT)
        }


def test_grades_csv_has_a_row_for_every_exercise_of_every_student(graded):
    course, summary = graded
    rows = table(course)
    assert len(rows) == 4 * 3 == len(summary.rows)
    assert {name: float(rows["ada", name]["score"]) for name in PERFECT} == PERFECT
    assert rows["bob", "output_size"]["verdict"] == "failed"
    assert rows["dan", "to_chw"]["verdict"] == "missing"


def test_an_unreadable_notebook_is_its_students_row_and_nobody_elses(graded):
    course, summary = graded
    row = table(course)["cyd", "zero_pad"]
    assert (row["verdict"], row["score"]) == ("not_graded", "")
    assert "not a notebook" in row["message"]
    assert [one["student"] for one in summary.not_graded] == ["cyd"]
    assert summary.graded == 3


def test_the_gradebook_holds_the_marks_and_no_zero_where_nothing_was_graded(graded):
    course, _ = graded
    marks = gradebook(course)
    assert marks["ada"] == {f"test_{name}": points for name, points in PERFECT.items()}
    assert marks["bob"]["test_output_size"] == 0
    assert set(marks["cyd"].values()) == {None}
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        assert book.find_submission(UNIT, "cyd").needs_manual_grade
        assert not book.find_submission(UNIT, "ada").needs_manual_grade
        assert book.find_submission(UNIT, "ada").timestamp.year == 2026
        comments = {c.name: c.comment for c in book.find_submission(UNIT, "dan").notebooks[0].comments}
    assert comments == {"output_size": None, "zero_pad": None, "to_chw": None}


def test_feedback_has_the_message_and_never_the_hidden_tests(graded):
    course, _ = graded
    page = (course / "feedback" / "bob" / UNIT / f"{UNIT}.html").read_text()
    assert "Score: 3.0 / 5.0" in page
    assert "output_size" in page
    assert "HIDDEN TESTS" not in page and "random=5" not in page
    kept = (course / "autograded" / "bob" / UNIT / f"{UNIT}.ipynb").read_text()
    assert "HIDDEN TESTS" in kept and SECRET in kept


def test_grading_again_writes_nothing_and_one_more_costs_one(course):
    for name in ("ada", "bob"):
        hand_in(course, name, solved(course))
    grade(course, progress=False)
    before = {path: path.stat().st_mtime_ns for path in course.rglob("*.ipynb")} | {
        0: (course / "grades.csv").read_text()
    }
    again = grade(course, progress=False)
    assert (again.graded, again.from_store) == (0, 2)
    assert before == {path: path.stat().st_mtime_ns for path in course.rglob("*.ipynb")} | {
        0: (course / "grades.csv").read_text()
    }
    hand_in(course, "cyd", edited(course, WRONG))
    one_more = grade(course, progress=False)
    assert (one_more.graded, one_more.from_store) == (1, 2)
    hand_in(course, "bob", edited(course, WRONG))
    changed = grade(course, progress=False)
    assert changed.from_store == 3  # bob's text is now cyd's: known already, and only written
    assert gradebook(course)["bob"] == gradebook(course)["cyd"]


def test_what_a_person_entered_stays_and_shows_in_the_feedback(course):
    hand_in(course, "ada", edited(course, WRONG))
    grade(course, progress=False)
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        book.find_grade("test_output_size", UNIT, UNIT, "ada").manual_score = 1.5
        book.find_comment("output_size", UNIT, UNIT, "ada").manual_comment = "Nearly, Ada!"
        book.db.commit()
    grade(course, progress=False)
    page = (course / "feedback" / "ada" / UNIT / f"{UNIT}.html").read_text()
    assert "Nearly, Ada!" in page and "Score: 4.5 / 5.0" in page
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        assert book.find_grade("test_output_size", UNIT, UNIT, "ada").score == 1.5


def test_a_lost_gradebook_is_filled_again_from_the_store(course):
    hand_in(course, "ada", solved(course))
    grade(course, progress=False)
    before = gradebook(course)
    (course / "gradebook.db").unlink()
    assert grade(course, progress=False).graded == 0
    assert gradebook(course) == before


def test_late_work_is_penalized_by_nbgraders_plugin(course):
    config = course / "nbgrader_config.py"
    config.write_text(config.read_text() + "c.LateSubmissionPlugin.penalty_method = 'zero'\n")
    path = hand_in(course, "ada", solved(course))
    (path.parent / "timestamp.txt").write_text("2026-03-02 00:00:00 UTC")
    grade(course, progress=False)
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        book.update_or_create_assignment(UNIT, duedate="2026-03-01 00:00:00 UTC")
    (path.parent / "timestamp.txt").write_text("2026-03-03 00:00:00 UTC")
    grade(course, progress=False)
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        assert book.find_submission_notebook(UNIT, UNIT, "ada").late_submission_penalty == 5
    assert "Score: 0.0 / 5.0" in (course / "feedback" / "ada" / UNIT / f"{UNIT}.html").read_text()


def test_work_that_came_without_a_time_is_not_late_by_the_time_of_what_it_replaced(course):
    path = hand_in(course, "ada", solved(course))
    (path.parent / "timestamp.txt").write_text("2026-03-03 00:00:00 UTC")
    grade(course, progress=False)
    (path.parent / "timestamp.txt").unlink()
    grade(course, progress=False)
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        assert book.find_submission(UNIT, "ada").timestamp is None


def test_a_broken_timestamp_or_a_link_stops_nobody(course, tmp_path):
    path = hand_in(course, "ada", solved(course))
    (path.parent / "timestamp.txt").write_bytes(b"\xff\xfenonsense")
    other = hand_in(course, "eve", "x")
    other.unlink()
    other.symlink_to(path)
    (other.parent / "stolen.txt").symlink_to("/etc/passwd")
    summary = grade(course, progress=False)
    assert summary.graded == 1
    assert "link" in summary.not_graded[0]["why"]


def test_a_notebook_of_another_unit_is_said_to_be_one(course):
    notebook = solved(course)
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.grade_id += "_of_another"
            cell.source = "another = 'exercise'"
            cell.id += "-of-another"
    hand_in(course, "ada", notebook)
    assert "not a notebook of 90-tiny" in grade(course, progress=False).not_graded[0]["why"]


@pytest.mark.parametrize(
    ("units", "spoil", "words"),
    [
        (["91-none"], None, "no unit called '91-none'"),
        ([], "submitted", "submitted is missing"),
        ([], "hand-ins", "Nobody has handed in anything"),
        ([], "source", "has no units"),
        ([], "setting", "has no setting 'cell_secs'"),
        ([], "database", "cannot be opened"),
    ],
)
def test_a_wrong_call_ends_in_one_clear_line(course, units, spoil, words):
    if spoil not in ("submitted", "hand-ins"):
        hand_in(course, "ada", solved(course))
    if spoil == "hand-ins":
        (course / "submitted").mkdir()
    if spoil == "source":
        (course / "source").rename(course / "elsewhere")
    more = {
        "setting": f"c.Sandbox.units = {{{UNIT!r}: {{'cell_secs': 1}}}}\n",
        "database": "c.CourseDirectory.db_url = 'postgresql://nobody@127.0.0.1:1/none'\n",
    }.get(spoil, "")
    (course / "nbgrader_config.py").write_text((course / "nbgrader_config.py").read_text() + more)
    with pytest.raises(UsageError, match=words) as caught:
        grade(course, units, progress=False)
    assert "\n" not in str(caught.value)


def test_the_summary_is_plain_data(graded):
    _, summary = graded
    assert json.loads(json.dumps(summary.as_dict()))["graded"] == 3
    assert "1 not graded" in str(summary) and "cyd" in str(summary)


def test_two_workers_give_what_one_gives(graded, tmp_path):
    course, summary = graded
    other = make_course(tmp_path / "other")
    (other / ".convnets").mkdir(mode=0o700)
    (other / ".convnets" / "secret").write_text((course / ".convnets" / "secret").read_text())
    for path in (course / "submitted").glob("*/*/*.ipynb"):
        hand_in(other, path.parent.parent.name, path.read_text())
    assert grade(other, workers=2, progress=False).rows == summary.rows
    for student in ("ada", "bob", "dan"):
        place = f"autograded/{student}/{UNIT}/{UNIT}.ipynb"
        assert nbformat.reads((other / place).read_text(), 4) == nbformat.reads(
            (course / place).read_text(), 4
        )


OTHER = "91-second"


def test_a_changed_test_regrades_its_own_unit_says_so_and_keeps_what_a_person_entered(course):
    source = course / "source" / UNIT / f"{UNIT}.py"
    other = course / "source" / OTHER / f"{OTHER}.py"
    other.parent.mkdir()
    other.write_text(source.read_text())
    for student, changes in (("ada", ()), ("bob", [WRONG])):
        path = hand_in(course, student, edited(course, *changes))
        second = course / "submitted" / student / OTHER / f"{OTHER}.ipynb"
        second.parent.mkdir()
        second.write_text(path.read_text())
    grade(course, progress=False)
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        book.find_grade("test_to_chw", UNIT, UNIT, "ada").manual_score = 0.5
        book.db.commit()
    source.write_text(
        source.read_text().replace('points": 2', 'points": 4').replace("11, 3, stride=2", "9, 3, stride=2")
    )
    again = grade(course, progress=False)
    assert again.units == {UNIT: {"graded": 2, "from_store": 0}, OTHER: {"graded": 0, "from_store": 2}}
    assert f"  {UNIT}: 2 graded, 0 unchanged\n  {OTHER}: 0 graded, 2 unchanged" in str(again)
    assert gradebook(course)["bob"] == {"test_output_size": 0, "test_zero_pad": 4, "test_to_chw": 1}
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        assert book.find_submission(UNIT, "ada").score == 8.5


def test_a_test_cell_added_after_collection_is_refused_in_one_clear_line(course):
    hand_in(course, "ada", solved(course))
    grade(course, progress=False)
    source = course / "source" / UNIT / f"{UNIT}.py"
    text = source.read_text()
    cell = text[text.index('# %% nbgrader={"grade": true, "grade_id": "test_to_chw"') :]
    source.write_text(text + "\n" + cell.replace("test_to_chw", "test_again"))
    with pytest.raises(UsageError, match="Cannot add or remove cells") as caught:
        grade(course, progress=False)
    assert "\n" not in str(caught.value)
    assert gradebook(course)["ada"] == {f"test_{name}": points for name, points in PERFECT.items()}


def test_a_hidden_test_that_the_instructors_own_solution_fails_is_told_each_time(course):
    hand_in(course, "ada", solved(course))
    source = course / "source" / UNIT / f"{UNIT}.py"
    good = source.read_text()
    wrong = f'check(zero_pad, cases=[Case("{SECRET}"'
    assert wrong in good
    source.write_text(good.replace(wrong, f"assert zero_pad(np.ones((1, 1, 2, 2)), 1).sum() == 5\n{wrong}"))
    for _ in range(2):  # graded, and taken from the store
        summary = grade(course, progress=False)
        assert (summary.graded + summary.from_store, len(summary.rows)) == (1, 3)
        assert len(summary.doubts) == 1
        assert f"your own solution of {UNIT} does not pass test_zero_pad" in str(summary)
    source.write_text(good)
    assert grade(course, progress=False).doubts == []
