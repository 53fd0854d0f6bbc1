"""The class report says which ideas the class got wrong, from grades.csv alone."""

import csv
import html
import re
from html.parser import HTMLParser

import nbformat
import pytest

from autograder.errors import UsageError
from autograder.report import COLUMNS, figures, read_grades, report, reports
from autograder.report.causes import with_causes
from autograder.sandbox import SandboxError
from autograder.similar import Pair
from autograder.submissions import read
from autograder.worker import not_graded

UNIT = "01-convolution"
BIAS = "forgets-the-bias"
CLASS = [
    ("ada", UNIT, "zero_pad", "2", "2", "passed", "", ""),
    ("ada", UNIT, "conv2d", "6", "6", "passed", "", ""),
    ("boris", UNIT, "zero_pad", "2", "2", "passed", "", ""),
    ("boris", UNIT, "conv2d", "1.5", "6", "partial", BIAS, "✗ conv2d"),
    ("chandra", UNIT, "zero_pad", "0", "2", "timeout", "", "✗ 0 of 2\n  pad(x)\n  Endless, in `pad`?\n  ✗ a"),
    ("chandra", UNIT, "conv2d", "0", "6", "failed", BIAS, "✗ conv2d"),
    ("dolores", UNIT, "zero_pad", "0", "2", "not_graded", "", "the sandbox went away"),
    ("dolores", UNIT, "conv2d", "0", "6", "missing", "", ""),
    ("ada", "00-start-here", "to_chw", "0", "1", "failed", "reshapes", ""),
]


@pytest.fixture
def course(tmp_path):
    def write(rows, columns=COLUMNS):
        with (tmp_path / "grades.csv").open("w", newline="") as file:
            csv.writer(file).writerows([columns, *rows])
        return tmp_path

    return write


@pytest.fixture
def numbers(course):
    return figures(read_grades(course(CLASS) / "grades.csv", UNIT), {("conv2d", BIAS): "Add b."})


def text_of(page):
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.read_text())).split())


def test_scores_are_summed_over_the_units_own_exercises(numbers):
    assert [(row["name"], row["score"], row["most"]) for row in numbers["students"]] == [
        ("ada", 8, 8),
        ("boris", 3.5, 8),
        ("chandra", 0, 8),
        ("dolores", 0, 6),  # zero_pad was not graded: it counts neither for nor against her
    ]
    assert numbers["mean"] == pytest.approx((1 + 3.5 / 8) / 4)
    assert numbers["median"] == pytest.approx(3.5 / 16)
    assert numbers["full"] == 1


def test_every_number_is_of_what_was_graded(course):
    lost = [
        ("eve", UNIT, e, "", most, "not_graded", "", "no file")
        for e, most in [("zero_pad", 2), ("conv2d", 6)]
    ]
    numbers = figures(read_grades(course([*CLASS, *lost]) / "grades.csv", UNIT), {})
    assert [(row["counts"]["passed"], row["n"]) for row in numbers["exercises"]] == [(2, 3), (1, 4)]
    assert [(topic["students"], topic["of"]) for topic in numbers["topics"]] == [(3, 4), (1, 3)]
    assert (numbers["misconceptions"][0]["share"], numbers["misconceptions"][0]["of"]) == (0.5, 4)
    assert (numbers["graded"], sum(b["count"] for b in numbers["histogram"])) == (4, 4)
    assert numbers["students"][-1]["name"] == "eve"
    text = text_of(report(course([*CLASS, *lost]), UNIT))
    assert "5 students," in text and "1 of 4 have full marks" in text
    assert "Every number is of what was graded: 1 student is in none of them." in text
    assert "eve not graded ? ?" in text


def test_the_histogram_counts_every_student_once_and_full_marks_in_the_last_bin(numbers):
    assert [(b["from"], b["count"]) for b in numbers["histogram"] if b["count"]] == [(0, 2), (40, 1), (90, 1)]


def test_the_hardest_exercise_is_the_one_with_the_smallest_share_of_its_points(numbers):
    assert numbers["hardest"]["name"] == "conv2d"
    assert numbers["hardest"]["mean"] == pytest.approx((1 + 0.25) / 4)


def test_a_wrong_idea_comes_with_its_share_of_the_class_and_its_hint(numbers):
    (idea,) = numbers["misconceptions"]
    assert (idea["share"], idea["students"], idea["hint"]) == (0.5, ["boris", "chandra"], "Add b.")


def test_the_commonest_wrong_idea_comes_first(course):
    grades = read_grades(
        course([*CLASS, ("eve", UNIT, "zero_pad", "0", "2", "failed", "rare", "")]) / "grades.csv", UNIT
    )
    assert [idea["name"] for idea in figures(grades, {})["misconceptions"]] == [BIAS, "rare"]


def test_the_lecture_begins_with_the_exercise_that_cost_the_class_most(numbers):
    first, second = numbers["topics"]
    assert (first["exercise"], first["lost"], first["students"], first["of"]) == ("conv2d", 16.5, 3, 4)
    assert first["share"] == pytest.approx(16.5 / 18.5)
    assert first["ideas"] == [{"name": BIAS, "students": 2, "lost": 10.5, "hint": "Add b."}]
    assert (first["missing"], first["unexplained"], second["stopped"]) == (1, 0, 1)
    assert second["lost"] == 2  # what could not be graded cost dolores nothing


def raised(line):
    return f"✗ 0 of 2 points - one window\n  f(x)\n  It raised NameError: name 'kernel' is not defined {line}\n  ✗ one window"


INSIDE = raised("in line 2: `return size - kernel`")
SLIP = [
    ("ada", UNIT, "output_size", "0", "2", "failed", "", INSIDE),
    ("ada", UNIT, "conv2d_loops", "0", "4", "failed", "", INSIDE),
    ("ada", UNIT, "conv2d", "0", "6", "failed", "", INSIDE),
    ("boris", UNIT, "output_size", "2", "2", "passed", "", ""),
    ("boris", UNIT, "conv2d_loops", "4", "4", "passed", "", ""),
    ("boris", UNIT, "conv2d", "0", "6", "failed", "", INSIDE),
]
WROTE = {
    "output_size": "def output_size(size):\n    return size - kernel\n",
    "conv2d_loops": "def conv2d_loops(x):\n    return output_size(x)\n",
    "conv2d": "def conv2d(x):\n    return output_size(x)\n",
}


def causes(course, rows, wrote=WROTE):
    """Return the cause of each grade by student and exercise."""
    answers = {name: {"ada": text, "boris": text} for name, text in wrote.items()}
    grades = with_causes(read_grades(course(rows) / "grades.csv", UNIT), answers)
    return {(grade.student, grade.exercise): grade.cause for grade in grades if grade.cause}


def test_an_answer_that_stopped_in_another_wrong_answer_of_the_same_student_names_it(course):
    assert causes(course, SLIP) == {  # of boris the output_size is right: the fault is where he calls it
        ("ada", "conv2d_loops"): "output_size",
        ("ada", "conv2d"): "output_size",
    }


def test_an_answer_that_calls_one_that_is_not_written_names_it(course):
    says = (
        "○ conv2d: 0 of 6 points\n  conv2d calls output_size, which is not written yet: write that one first."
    )
    unwritten = ("ada", UNIT, "output_size", "0", "2", "missing", "", "○\n  output_size is not written yet.")
    rows = [unwritten, ("ada", UNIT, "conv2d", "0", "6", "missing", "", says)]
    assert causes(course, rows) == {("ada", "conv2d"): "output_size"}


@pytest.mark.parametrize(
    "wrote",
    [
        WROTE | {"conv2d": WROTE["output_size"]},  # its own line reads the same
        WROTE | {"output_size": "# mine\n" + WROTE["output_size"]},  # the line stands elsewhere
        {},  # no graded notebook
    ],
)
def test_no_other_exercise_is_blamed_unless_the_line_stands_there_and_not_here(course, wrote):
    assert ("ada", "conv2d") not in causes(course, SLIP, wrote)


def test_the_lecture_counts_points_at_the_exercise_whose_answer_was_at_fault(course, monkeypatch):
    answers = {name: {"ada": text} for name, text in WROTE.items()}
    monkeypatch.setattr("autograder.report.read_answers", lambda *args: answers)
    text = text_of(report(course(SLIP), UNIT))
    first, second = text.split("For the next lecture")[1].split("Scores")[0].split("2. conv2d")
    assert "1. output_size cost the class 12 points, 67 % of all that were lost: 1 of 2" in first
    assert (
        "6 of these points were lost in conv2d , where 1 answer stopped in the student's own wrong" in first
    )
    assert "cost the class 6 points, 33 % of all that were lost: 2 of 2" in second
    assert "1 stopped in the student's own wrong output_size : 6 more points, counted there" in second


def test_no_lecture_is_needed_where_nobody_lost_a_point(course):
    assert "Nobody lost a point" in text_of(report(course(CLASS[:2]), UNIT))


def ten(first, second):
    """Return the rows of ten students with these shares of two exercises."""
    shares = [("a", first), ("b", second)]
    return [(f"s{i}", UNIT, e, str(of[i]), "1", "partial", "", "") for e, of in shares for i in range(10)]


@pytest.mark.parametrize(
    ("second", "expected", "says"),
    [
        ([0, 0, 0, 0, 0, 1, 1, 1, 1, 1], 1.0, "tells much"),
        ([1, 1, 1, 1, 1, 0, 0, 0, 0, 0], -1.0, "look at it"),
        ([0, 1, 0, 1, 0, 1, 0, 1, 0, 1], 0.2, "tells some"),
        ([1] * 10, None, ""),
    ],
)
def test_discrimination_is_the_point_biserial_correlation_with_the_rest_of_the_score(
    course, second, expected, says
):
    rows = ten([0, 0, 0, 0, 0, 1, 1, 1, 1, 1], second)
    row = figures(read_grades(course(rows) / "grades.csv", UNIT), {})["exercises"][0]
    assert row["discrimination"] == (None if expected is None else pytest.approx(expected))
    assert row["tells"] == says


def test_few_students_have_no_discrimination(numbers):
    assert {row["discrimination"] for row in numbers["exercises"]} == {None}


def test_reports_are_written_on_every_unit_that_has_grades_or_on_those_named(course):
    folder = course(CLASS)
    assert [path.stem for path in reports(folder)] == ["00-start-here", UNIT]
    assert [path.stem for path in reports(folder, [UNIT])] == [UNIT]


def test_similar_answers_are_shown_with_a_warning_against_haste(course, monkeypatch):
    pairs = [Pair("conv2d", (f"s{i:02}", "t"), 0.93, 50) for i in range(23)]
    monkeypatch.setattr("autograder.report.similar", lambda course, unit: pairs)
    text = text_of(report(course(CLASS), UNIT))
    assert "Similar is not copied." in text
    assert "s00 and t conv2d 93 %" in text and "s22 and t" not in text
    assert "3 more pairs of students have less in common." in text


def test_two_students_with_much_in_common_are_one_line_with_their_exercises(course, monkeypatch):
    pairs = [Pair(name, ("ada", "boris"), share, 30) for name, share in [("conv2d", 1), ("zero_pad", 0.9)]]
    pairs.insert(0, Pair("conv2d", ("ada", "chandra"), 1, 50))  # more than in either, less than in both
    monkeypatch.setattr("autograder.report.similar", lambda course, unit: pairs)
    text = text_of(report(course(CLASS), UNIT))
    assert "ada and boris conv2d 100 % , zero_pad 90 % ada and chandra conv2d 100 %" in text


def test_the_page_shows_timeouts_and_what_was_not_graded(course):
    text = text_of(report(course(CLASS), UNIT))
    assert "chandra , zero_pad : ran out of time Endless, in pad ?" in text
    assert "dolores, zero_pad : the sandbox went away" in text


OF_UNIT_00 = (
    '{"cells": [{"cell_type": "code", "source": "", "metadata": {"nbgrader": {"grade_id": "to_chw"}}}]}'
)
NOT_A_NOTEBOOK = {
    "broken JSON": lambda path: path.write_text("{"),
    "another notebook": lambda path: path.write_text(OF_UNIT_00),
    "a folder": lambda path: path.mkdir(),
    "a link": lambda path: path.symlink_to("/etc/hosts"),
    "nothing": lambda path: None,
    "too much": lambda path: path.write_text("[" * 2**20 + " "),
}


@pytest.mark.parametrize("spoil", NOT_A_NOTEBOOK.values(), ids=NOT_A_NOTEBOOK)
def test_a_hand_in_that_cannot_be_opened_is_told_from_a_fault_of_the_machinery(course, tmp_path, spoil):
    spoil(tmp_path / f"{UNIT}.ipynb")
    settings = {"notebook_mb": 1, "disk_mb": 1}
    exercise = nbformat.v4.new_code_cell(
        "def conv2d(): ...", metadata={"nbgrader": {"grade_id": "conv2d", "solution": True}}
    )
    template = nbformat.v4.new_notebook(cells=[exercise])
    submission = read("eve", UNIT, tmp_path, template, settings, "")
    assert submission.unreadable
    rows = [
        ("eve", UNIT, e, "", "2", "not_graded", "", submission.unreadable) for e in ("zero_pad", "conv2d")
    ]
    text = text_of(report(course([*CLASS, *rows]), UNIT))
    opened, failed = text.split("Hand-ins that cannot be opened")[1].split("Not graded by a fault of ours")
    assert f"eve: {submission.unreadable}" in opened and "ask for a new one" in opened
    assert "eve" not in failed and "dolores, zero_pad" in failed


def failures_of_ours():
    """Return what grades.csv says of faults of the machinery, from the places that say it."""
    from course.checks.message import failure_sentence
    from course.checks.subject import Failure

    cell = nbformat.v4.new_code_cell(metadata={"nbgrader": {"grade_id": "test_conv2d", "points": 6}})
    return [
        failure_sentence("conv2d", Failure("machinery", message="no room on the disk")),
        not_graded(cell, str(SandboxError("the sandbox does not answer: timed out"))).text,
    ]


@pytest.mark.parametrize("message", failures_of_ours())
def test_a_fault_of_the_machinery_is_not_blamed_on_the_hand_in(course, message):
    rows = [("eve", UNIT, e, "", "2", "not_graded", "", message) for e in ("zero_pad", "conv2d")]
    text = text_of(report(course(rows), UNIT))
    assert f"eve, zero_pad , conv2d : {message}" in text
    assert "2 answers not graded by a fault of ours" in text and "cannot be opened" not in text


def test_the_page_explains_a_wrong_idea_with_the_hint_that_the_student_got(course):
    from course.checks import exercises

    bank = {m.name: m.hint for m in exercises()["conv2d"].misconceptions}
    text = text_of(report(course(CLASS), UNIT))
    assert "forgets the bias" in text
    assert " ".join(bank[BIAS].replace("`", " ").split()) in text


def test_the_page_needs_no_other_file_and_no_network(course):
    page = report(course(CLASS), UNIT).read_text()
    assert not re.search(r"""(src|href)=|url\(|@import|<script|<link""", page)


def test_what_students_wrote_cannot_become_markup(course):
    evil = "<script>alert(1)</script>"
    rows = [
        (evil, UNIT, "conv2d", "0", "6", verdict, evil, f"`{evil}`") for verdict in ("timeout", "not_graded")
    ]
    page = report(course(rows), UNIT).read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_pages_tags_are_closed(course):
    class Tags(HTMLParser):
        open = []

        def handle_starttag(self, tag, attrs):
            if tag not in ("meta", "br"):
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    parser = Tags()
    parser.feed(report(course(CLASS), UNIT).read_text())
    assert parser.open == []


def test_a_class_of_which_nothing_could_be_graded_has_a_report(course):
    rows = [("ada", UNIT, "conv2d", "", "6", "not_graded", "", "the sandbox went away")]
    text = text_of(report(course(rows), UNIT))
    assert "0 of 0 have full marks" in text and "mean score" not in text and "Hardest" not in text
    assert "Nothing was graded." in text and "go on" not in text
    assert "ada, conv2d : the sandbox went away" in text


def test_a_class_of_one_without_a_mistake_has_a_report(course):
    text = text_of(report(course(CLASS[:2]), UNIT))
    assert "1 student," in text
    assert "No answer matched a known wrong idea." in text


@pytest.mark.parametrize(
    ("rows", "columns", "says"),
    [
        (CLASS, COLUMNS[:-1], "no column message"),
        ([("ada", "02-other", "f", "0", "1", "failed", "", "")], COLUMNS, "02-other"),
        ([], COLUMNS, "there are grades of: none"),
        ([("ada", UNIT, "conv2d", "many", "6", "failed", "", "")], COLUMNS, "no number"),
    ],
)
def test_a_grades_file_that_cannot_be_used_is_one_clear_line(course, rows, columns, says):
    with pytest.raises(UsageError, match=says):
        report(course([row[: len(columns)] for row in rows], columns), UNIT)


def test_a_folder_without_grades_says_what_to_run(tmp_path):
    with pytest.raises(UsageError, match="convnets grade"):
        report(tmp_path, UNIT)
