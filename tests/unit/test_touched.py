"""A changed check touches the units whose exercises it judges, and no others."""

import sys
from types import ModuleType

import pytest

from autograder import build, touched
from autograder.rebuild import is_test, label
from autograder.touched import COURSE, exercises_of, sources
from course.checks import exercises

CHECKS = COURSE / "checks"
UNITS = {source.stem: source for source in build.find_units(COURSE.parent)}


def files(unit):
    """Return the checks that a unit's marks depend on."""
    cells = build.template(UNITS[unit]).cells
    return {path.name for path in sources(exercises_of(label(cell) for cell in cells if is_test(cell)))}


@pytest.mark.parametrize(
    ("check", "touches", "spares"),
    [
        ("convolution.py", "01-convolution", "03-pooling-and-activations"),
        ("pooling.py", "03-pooling-and-activations", "01-convolution"),
        ("dropout.py", "05-dropout-and-data", "01-convolution"),
    ],
)
def test_a_check_touches_the_unit_of_its_exercises_and_spares_the_others(check, touches, spares):
    assert check in files(touches)
    assert check not in files(spares)


@pytest.mark.parametrize(
    "common", ["judge.py", "compare.py", "exercise.py", "recipe.py", "data.py", "figures.py"]
)
def test_what_all_exercises_share_touches_every_unit(common):
    assert all(common in files(unit) for unit in UNITS)


def used_by(module):
    """Return the check modules whose functions, classes or selves a loaded module holds."""
    held = vars(sys.modules[module]).values()
    names = {
        value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        for value in held
    }
    return {name for name in names if isinstance(name, str) and name.startswith("course.checks.")}


def test_each_exercise_depends_on_all_modules_whose_functions_judge_it():
    for name, exercise in exercises().items():
        ideas = [idea.wrong for idea in exercise.misconceptions]
        waiting = {
            part.__module__
            for part in (exercise.oracle, exercise.random, *ideas)
            if hasattr(part, "__module__")
        }
        waiting = {module for module in waiting if module.startswith("course.checks.")}
        assert waiting, name
        needed = set()
        while waiting:
            needed.add(module := waiting.pop())
            waiting |= used_by(module) - needed
        found = {path.stem for path in sources((name,))}
        assert {module.split(".")[2] for module in needed} <= found, name


def test_of_an_exercise_that_nobody_knows_everything_counts():
    assert set(sources(("no_such_exercise",))) == set(COURSE.rglob("*.py"))


def test_modules_named_in_quotes_or_imported_are_found(tmp_path):
    path = tmp_path / "check.py"
    path.write_text(
        'from course.checks.oracle import (\n    padded,\n)\nfrom course.checks import functional\nx = through("plans")\n'
    )
    assert {"oracle", "functional", "plans"} <= touched.mentions(path)
