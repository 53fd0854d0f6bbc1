"""Whose error it was: an answer that calls another exercise's function can stop in there.

The message of a check says which line stopped, and the graded notebook in which answer this line stands. A wrong value
that came out of another exercise's function leaves no such trace, and is not told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from .grades import Grade, graded, grouped

LINE = re.compile(r".* in line (\d+): `(.*)`")
UNWRITTEN = re.compile(r"\w+ calls (\w+), which is not written yet")

Answers = Mapping[str, Mapping[str, str]]  # exercise -> student -> the text of the answer


def with_causes(grades: list[Grade], answers: Answers) -> list[Grade]:
    """Return the grades, each with the exercise in which it stopped, if that is another that the student lost points in."""
    wrong = {
        student: [grade.exercise for grade in own if grade.lost]
        for student, own in grouped(graded(grades), "student").items()
    }
    return [replace(grade, cause=cause(grade, wrong.get(grade.student, []), answers)) for grade in grades]


def cause(grade: Grade, wrong: list[str], answers: Answers) -> str:
    """Return which of the student's ``wrong`` exercises an answer stopped in, or an empty string."""
    others = [name for name in wrong if name != grade.exercise]
    if grade.exercise not in wrong:
        return ""
    if called := UNWRITTEN.match(grade.sentence):
        return called[1] if called[1] in others else ""
    found = LINE.match(grade.sentence)
    if not found or stands(answers, grade.exercise, grade.student, found):
        return ""
    places = [name for name in others if stands(answers, name, grade.student, found)]
    return places[0] if len(places) == 1 else ""


def stands(answers: Answers, exercise: str, student: str, found: re.Match[str]) -> bool:
    """Return whether the line that a message names stands there in a student's answer."""
    lines = answers.get(exercise, {}).get(student, "").split("\n")
    number = int(found[1])
    return 0 < number <= len(lines) and lines[number - 1].strip() == found[2]
