"""What ``course.checks`` is inside the sandbox: no exercise, no answer and no hint is there; view.py puts it in place.

A check() or hint() that a student left in a cell does nothing: the grader asks by itself, from outside.
"""

from __future__ import annotations

from course.checks.exercise import Case, integers, normal
from course.checks.recipe import function, through
from course.checks.verdict import Verdict

__all__ = ["Case", "Verdict", "check", "function", "hint", "integers", "normal", "through"]

SENTENCE = "In grading, a check() of your own is not run: the grader checks each exercise by itself."


def check(subject: object, **settings: object) -> Verdict:
    """Judge nothing, and say so."""
    name = getattr(subject, "__name__", str(subject))
    return Verdict(name, "not_graded", 0, 0, text=SENTENCE, html=SENTENCE)


def hint(*wanted: object) -> None:
    """Give no hint."""
