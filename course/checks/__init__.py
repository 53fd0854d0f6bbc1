"""Checks that name the mistake: ``check(conv2d)`` judges the student's function, ``hint("conv2d")`` helps.

Exercises stand in one module a topic (course/checks/convolution.py, ...): cases, oracle, misconceptions, hints.
"""

from importlib.util import find_spec

from course.checks.exercise import Case, integers, normal
from course.checks.hints import hint
from course.checks.judge import check, seeding
from course.checks.recipe import function, through
from course.checks.registry import load as exercises
from course.checks.registry import load_in_background
from course.checks.unwritten import tell_what_is_not_written
from course.checks.verdict import Verdict, in_a_notebook

__all__ = [
    "Case",
    "Verdict",
    "check",
    "exercises",
    "function",
    "hint",
    "integers",
    "normal",
    "seeding",
    "through",
]

if in_a_notebook():
    tell_what_is_not_written()
    if find_spec("torch"):
        load_in_background()
