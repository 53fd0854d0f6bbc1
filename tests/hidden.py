"""Runs a unit's hidden tests on a function, without a kernel; shared by tests/mutants and tests/fairness."""

import ast
from functools import cache
from pathlib import Path

from autograder.build import find_units, read_source, template
from autograder.cells import plain_python
from autograder.isolated import evaluate, has_tag, setup_names
from course.checks import exercises
from course.checks.recipe import is_recipe
from course.checks.subject import LocalSubject

ROOT = Path(__file__).parents[1]
UNITS = {source.stem: source for source in find_units(ROOT)}
EXERCISES = exercises()


@cache
def notebook(unit):
    return template(UNITS[unit])


@cache
def hidden_cell(name):
    """Return the syntax tree of an exercise's test cell."""
    cells = notebook(EXERCISES[name].unit).cells
    cell = next(c for c in cells if c.metadata.get("nbgrader", {}).get("grade_id") == f"test_{name}")
    return ast.parse(cell.source)


class Driverless(LocalSubject):
    """A wrong idea of a class: a function that gives what the driver would give, and so is called without one."""

    def call(self, args, kwargs, **options):
        return super().call([arg for arg in args if not is_recipe(arg, "through")], kwargs, **options)


def mutant(name, idea):
    """Return a misconception's answers as the subject of a check."""
    return (Driverless if EXERCISES[name].driven else LocalSubject)(idea.wrong, name)


def grade(name, function, seed=0):
    """Return the verdict of an exercise's hidden tests on a function or a subject."""
    subject = function if isinstance(function, LocalSubject) else LocalSubject(function, name)
    names = setup_names(notebook(EXERCISES[name].unit))
    return evaluate(hidden_cell(name), {**names, name: subject}, seed)


@cache
def solutions(unit):
    """Return the names that a unit's reference solutions define."""
    names = {"__name__": "__student__"}
    for cell in read_source(
        UNITS[unit]
    ).cells:  # a setup cell's class may call a function that the student writes
        if cell.metadata.get("nbgrader", {}).get("solution") or has_tag(cell, "setup"):
            exec(compile(plain_python(cell.source), "<student>", "exec"), names)
    return names


def solution(name):
    """Return the reference solution of an exercise."""
    return solutions(EXERCISES[name].unit)[name]
