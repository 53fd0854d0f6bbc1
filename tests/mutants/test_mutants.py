"""Every wrong idea in the bank loses marks on the hidden tests and is named in the message; so is a blank stub."""

import pytest

from autograder.isolated import setup_names
from course.checks import check
from tests.hidden import EXERCISES, grade, hidden_cell, mutant, notebook

MUTANTS = [(name, idea) for name, exercise in EXERCISES.items() for idea in exercise.misconceptions]


@pytest.mark.parametrize(("name", "idea"), MUTANTS, ids=[f"{name}-{idea.name}" for name, idea in MUTANTS])
def test_a_misconception_loses_marks_and_is_named(name, idea):
    for seed in (0, 1):
        verdict = grade(name, mutant(name, idea), seed)
        assert verdict.score < verdict.max_score
        assert verdict.misconception == idea.name, verdict.text
        assert idea.hint in verdict.text


@pytest.mark.parametrize(("name", "idea"), MUTANTS, ids=[f"{name}-{idea.name}" for name, idea in MUTANTS])
def test_the_visible_check_names_it_too(name, idea):
    verdict = check(mutant(name, idea))
    assert verdict.misconception == idea.name, verdict.text


@pytest.mark.parametrize("name", EXERCISES)
def test_a_blank_stub_gets_nothing(name):
    cells = notebook(EXERCISES[name].unit).cells
    stub = next(c for c in cells if c.metadata.get("nbgrader", {}).get("grade_id") == name)
    names = setup_names(notebook(EXERCISES[name].unit))  # a class may stand on one of torch's
    exec(compile(stub.source, "<student>", "exec"), names)
    verdict = grade(name, names[name])
    assert (verdict.score, verdict.verdict) == (0, "missing")
    assert "not written yet" in verdict.text


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("answer", [None, 0, 1, 3, 0.5, [], "yes", True], ids=repr)
def test_a_constant_gets_next_to_nothing(name, answer):
    verdict = grade(name, lambda *args, **kwargs: answer)
    assert verdict.score <= 0.25 * verdict.max_score, verdict.text


@pytest.mark.parametrize("name", EXERCISES)
def test_returning_the_first_argument_gets_little(name):
    verdict = grade(name, lambda *args, **kwargs: args[0] if args else None)
    assert verdict.score <= 0.25 * verdict.max_score, verdict.text


@pytest.mark.parametrize("name", EXERCISES)
def test_an_exception_costs_the_exercise_and_is_told_with_its_line(name):
    names = {}
    exec(compile("def student(*args, **kwargs):\n    return 1 / 0", "<student>", "exec"), names)
    verdict = grade(name, names["student"])
    assert (verdict.score, verdict.verdict) == (0, "failed")
    assert "ZeroDivisionError: division by zero in line 2" in verdict.text


@pytest.mark.parametrize("name", EXERCISES)
def test_an_exercise_has_enough_misconceptions_and_hints(name):
    exercise = EXERCISES[name]
    names = [idea.name for idea in exercise.misconceptions]
    assert len(names) >= 4
    assert len(set(names)) == len(names)
    assert len(set(exercise.hints)) == 3
    assert all(exercise.hints)
    assert hidden_cell(name)


@pytest.mark.parametrize("name", EXERCISES)
def test_hand_worked_answers_equal_the_oracles(name):
    from course.checks.compare import difference
    from course.checks.result import own_arguments

    for case in EXERCISES[name].cases:
        if case.answer is not None:
            args, kwargs = own_arguments(case)
            assert difference(case.answer, EXERCISES[name].oracle(*args, **kwargs)) is None


@pytest.mark.parametrize("name", EXERCISES)
def test_the_points_in_the_notebook_are_the_exercises(name):
    cells = notebook(EXERCISES[name].unit).cells
    cell = next(c for c in cells if c.metadata.get("nbgrader", {}).get("grade_id") == f"test_{name}")
    assert cell.metadata.nbgrader.points == EXERCISES[name].points
