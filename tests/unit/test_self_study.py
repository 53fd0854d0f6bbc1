"""Whoever studies alone has hints that escalate, a solution when it is time, and units that say what they take."""

import itertools
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from autograder.build import find_units, read_source
from course.checks import exercises, hint, hints, solutions
from course.checks.hints import LEVELS
from course.checks.verdict import Verdict
from course.student import cli

ROOT = Path(__file__).parents[2]
UNITS = [unit for unit in find_units(ROOT) if (ROOT / "release" / unit.stem).is_dir()]
CODE = "np.transpose(image, (2, 0, 1))"


@pytest.fixture
def lessons(tmp_path, monkeypatch):
    """Return a student's lessons in which to_chw has not passed; the notebook of its unit is open."""
    save_check(tmp_path, "0.0")
    monkeypatch.chdir(tmp_path / "00-start-here")
    return tmp_path


def save_check(lessons, score):
    save_output(lessons, new_output("execute_result", {"text/plain": score}))


def save_output(lessons, output):
    about = {"grade_id": "test_to_chw", "grade": True, "points": 1}
    path = lessons / "00-start-here/00-start-here.ipynb"
    path.parent.mkdir(exist_ok=True)
    cell = new_code_cell("check(to_chw)", metadata={"nbgrader": about}, outputs=[output])
    nbformat.write(new_notebook(cells=[cell]), path)


def test_hints_come_one_after_the_other_and_the_third_stays(monkeypatch):
    monkeypatch.setattr(hints, "_given", hints.Counter())
    given = [hint("conv2d") for _ in range(4)]
    assert [each.level for each in given] == [1, 2, 3, 3]
    assert [each.text for each in given[:3]] == list(exercises()["conv2d"].hints)
    assert "Run it again for more" in repr(given[1])
    assert "Run the cell again for more" in given[1]._repr_html_()
    assert "again" not in repr(given[2])


def test_every_exercise_has_three_different_hints():
    for exercise in exercises().values():
        assert len(set(exercise.hints)) == len(LEVELS), exercise.name


def test_the_last_hint_says_how_to_see_a_solution_where_there_are_solutions(monkeypatch, tmp_path):
    assert 'hint("conv2d", "solution")' in repr(hint("conv2d", 3))
    monkeypatch.setattr(solutions, "SOLUTIONS", tmp_path)
    assert "solution" not in repr(hint("conv2d", 3)) + hint("conv2d", 3)._repr_html_()


def test_a_solution_stays_closed_until_the_exercise_has_passed(lessons):
    said = hint("to_chw", "solution")
    assert CODE not in repr(said) + said._repr_html_()
    assert "You have not passed to_chw yet" in repr(said)
    assert 'hint("to_chw", "show me")' in repr(said)
    save_check(lessons, "1.0")
    assert CODE in repr(hint("to_chw", "solution"))
    assert CODE in hint("to_chw", "solution")._repr_html_()


def test_a_check_that_ended_in_an_error_is_not_called_a_failure(lessons):
    assert "did not pass" in repr(hint("to_chw", "solution"))
    save_output(lessons, new_output("error", ename="NameError", evalue="name 'to_chw' is not defined"))
    said = repr(hint("to_chw", "solution"))
    assert CODE not in said and "not passed" not in said and "did not pass" not in said
    assert "ended in an error and says nothing: run the cells above it, then the check" in said


def test_a_solution_opens_on_an_honest_show_me(lessons):
    assert CODE in repr(hint("to_chw", "show me"))


@pytest.mark.parametrize("level", ["solution", "show me"])
def test_a_class_without_solutions_is_told_so_politely(lessons, monkeypatch, tmp_path, level):
    save_check(lessons, "1.0")
    monkeypatch.setattr(solutions, "SOLUTIONS", tmp_path / "nowhere")
    assert "your instructor keeps it" in repr(hint("to_chw", level))


@pytest.mark.parametrize("level", [0, 4, "2", "solutions"])
def test_another_level_is_an_error_that_names_the_levels(level):
    with pytest.raises(ValueError, match='1, 2, 3, "solution" and "show me"'):
        hint("to_chw", level)


def error_of(name):
    with pytest.raises(ValueError) as raised:
        hint(name)
    return str(raised.value)


def test_a_name_that_no_exercise_has_brings_the_close_ones_or_those_of_the_lesson(lessons):
    assert error_of("outputsize") == "no exercise is called 'outputsize'; did you mean output_size?"
    assert error_of("xyzzy").endswith("; this lesson has to_chw, normalize")  # the lesson that is open


@pytest.mark.parametrize("call", [("outputsize",), ("output_size", 4), ("output_size", "sol"), (7,)])
def test_bad_input_to_a_hint_is_one_line_in_a_notebook(call):
    with pytest.raises(ValueError) as raised:
        hint(*call)
    assert "\n" not in str(raised.value)
    assert raised.value._render_traceback_() == [f"HintError: {raised.value}"]


def test_after_the_last_check_has_passed_the_cell_with_the_hint_gives_none(monkeypatch, tmp_path):
    def verdict(word):
        return Verdict("to_chw", word, 1, 1)

    class Shell:
        user_ns = {"Out": {1: verdict("failed"), 2: verdict("passed")}}

    monkeypatch.setattr(hints, "_given", hints.Counter())
    monkeypatch.setattr("IPython.get_ipython", Shell)
    assert "has passed" in repr(hint("to_chw"))
    assert 'hint("to_chw", "solution")' in repr(hint("to_chw"))
    assert "a nudge" in repr(hint("to_chw", 1)) and "hint 1 of 3" in repr(hint("normalize"))
    monkeypatch.setattr(solutions, "SOLUTIONS", tmp_path)
    assert "solution" not in repr(hint("to_chw"))
    Shell.user_ns["Out"][3] = verdict("failed")  # and then the student broke it again
    assert "hint 1 of 3" in repr(hint("to_chw"))


def test_every_released_exercise_has_a_solution_without_fences():
    for unit in UNITS:
        for cell in read_source(unit).cells:
            if cell.metadata.get("nbgrader", {}).get("solution"):
                found = solutions.find(exercises()[cell.metadata.nbgrader.grade_id])
                assert found and "raise NotImplementedError" not in found and "### " not in found


def run(capsys, monkeypatch, said, *args):
    answers = iter([said])
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda *_: next(answers))
    with pytest.raises(SystemExit) as left:
        cli.main([str(arg) for arg in args])
    assert not left.value.code
    return capsys.readouterr().out


@pytest.mark.parametrize(("said", "shown"), [("y", True), ("n", False), ("", False)])
def test_the_command_asks_before_it_shows_a_solution(lessons, capsys, monkeypatch, said, shown):
    out = run(capsys, monkeypatch, said, "hint", "to_chw", "solution", "--dir", lessons)
    assert (CODE in out) is shown


def test_where_nobody_answers_the_command_shows_no_solution_and_ends_its_line(lessons, capsys, monkeypatch):
    def at_the_end(*_):
        raise EOFError

    monkeypatch.setattr("click.termui.visible_prompt_func", at_the_end)
    with pytest.raises(SystemExit) as left:
        cli.main(["hint", "to_chw", "solution", "--dir", str(lessons)])
    assert not left.value.code
    said = capsys.readouterr().out
    assert CODE not in said and said.endswith("\n")


def test_the_command_does_not_ask_whoever_says_show_me(lessons, capsys, monkeypatch):
    assert CODE in run(capsys, monkeypatch, "n", "hint", "to_chw", "show me", "--dir", lessons)


def test_the_command_does_not_ask_once_the_exercise_has_passed(lessons, capsys, monkeypatch):
    save_check(lessons, "1.0")
    out = run(capsys, monkeypatch, "n", "hint", "to_chw", "solution", "--dir", lessons)
    assert CODE in out


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_a_unit_says_before_its_first_code_how_long_it_takes_and_what_it_needs(unit):
    opening = itertools.takewhile(lambda cell: cell.cell_type == "markdown", read_source(unit).cells)
    said = " ".join(" ".join(cell.source for cell in opening).split())
    assert re.search(r"\b(minutes|hours?)\b", said)
    assert re.search(r"\b(needs?|units? \d\d[^.]* first)\b", said)
