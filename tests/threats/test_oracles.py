"""Asking the checks for the answer: an exercise knows its right answers, so no exercise is inside, and torch is of no help."""

import asyncio

import nbformat
import numpy as np
import pytest

from autograder import build
from course.checks import exercises, registry
from course.checks.recipe import is_recipe
from tests.grading.classroom import PERFECT, UNIT, edited, grade_one, scores
from tests.grading.test_provisioner import run
from tests.threats.attack import printed

pytestmark = pytest.mark.sandbox
TORCH = {"units": {UNIT: {"torch": True}}}  # where an oracle, if one were inside, would find what it needs
ORACLE = """
import sys
from unittest.mock import MagicMock
for name in ("torch", "torch.nn", "torch.nn.functional"):  # for oracles that need no more of it than to be imported
    try: __import__(name)
    except ImportError: sys.modules[name] = MagicMock()
import inside.shell
from course.checks import registry
from course.checks.subject import Outcome, plain
inside.shell.LocalSubject.call = lambda self, args, kwargs, **more: Outcome(
    plain(registry.find(self.name).oracle(*args, **kwargs))
)"""
IMPORT_ALL = """
import importlib, pkgutil
import course.checks
names = [module.name for module in pkgutil.iter_modules(course.checks.__path__)]
for name in names: importlib.import_module("course.checks." + name)
from course.checks.exercise import EXERCISES
print(*names, *(name.upper() for name in EXERCISES))"""


def blank(course, code, **more):
    """Grade a blank notebook with a cell of the student's own; return the verdicts and what was printed."""
    notebook = build.template(course / "source" / UNIT / f"{UNIT}.py")
    notebook.cells.insert(2, nbformat.v4.new_code_cell(code))
    verdicts, graded = grade_one(course, notebook, **more)
    return verdicts, printed(graded)


@pytest.mark.parametrize("more", [{}, TORCH], ids=["numpy", "torch"])
def test_a_blank_notebook_that_asks_the_oracles_is_a_blank_notebook(course, more):
    verdicts, said = blank(course, ORACLE, **more)
    assert "ImportError" in said
    assert verdicts == blank(course, "", **more)[0]
    assert scores(verdicts) == dict.fromkeys(PERFECT, 0)


def drivers():
    """Return the modules whose drivers the exercises' cases go through."""
    found = set()
    for exercise in exercises().values():
        drawn = [exercise.random(np.random.default_rng(0))] if exercise.random else []
        recipes = [case.args[0] for case in (*exercise.cases, *drawn) if case.args]
        found |= {r["driver"].rpartition(".")[0] or "drivers" for r in recipes if is_recipe(r, "through")}
    return found


def test_inside_are_the_drivers_and_no_exercise(course):
    _, said = blank(course, IMPORT_ALL, **TORCH)
    assert "Error" not in said  # whatever is inside needs nothing that is not
    there = set(said.split())
    assert there >= drivers() | {"subject"}
    assert not there & {*registry.TOPICS, *map(str.upper, exercises())}
    assert not there & {"oracle", "functional", "residual_nets", "plans", "solutions", "hints"}


def test_a_check_or_a_hint_left_in_a_cell_does_nothing(course):
    left = "check(to_chw)\nhint('to_chw', 'show me')"
    own = """
from course.checks import Case, integers, normal
check(output_size, cases=[Case("mine", 11, 3, stride=2)], random=3, seed=0).score
check(output_size)"""
    verdicts, notebook = grade_one(course, edited(course, ("2, 0, 1))", f"2, 0, 1))\n\n{left}"), after=own))
    assert scores(verdicts) == PERFECT
    assert "Error" not in printed(notebook)
    assert "the grader checks each exercise by itself" in printed(notebook)


@pytest.mark.filterwarnings("ignore")  # as in test_provisioner
def test_a_kernel_in_which_the_tests_run_too_has_all_of_the_checks():
    reply, _ = asyncio.run(run("from course.checks import registry, seeding"))
    assert reply["status"] == "ok"
