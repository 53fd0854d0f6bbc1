"""A solution for those who study alone: open once the exercise has passed, or to whoever says that they want to see it.

Solutions stand in the course's repository, in solutions/. What an instructor hands out to a class has no such folder.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

from course.checks.exercise import Exercise
from course.checks.message import GREEN, code, panel

SOLUTIONS = Path(__file__).resolve().parents[2] / "solutions"


class Solution:
    """What there is to say about an exercise's solution, and its code if it may be shown."""

    def __init__(self, sentence: str, text: str = ""):
        self.sentence, self.text = sentence, text

    def __repr__(self) -> str:
        return f"{self.sentence}\n\n{self.text}" if self.text else self.sentence

    def _repr_html_(self) -> str:
        block = f"<pre>{escape(self.text)}</pre>" if self.text else ""
        return panel(GREEN if self.text else "#1565c0", f"<div>{code(self.sentence)}</div>{block}")


def solution(exercise: Exercise, *, wanted: bool = False, lessons: Path | str = "..") -> Solution:
    """Return the solution of an exercise that has passed in ``lessons`` or is ``wanted`` all the same; else what to do."""
    name = exercise.name
    text = find(exercise)
    if text is None:
        return Solution(
            f"There is no solution of {name} here. In a class your instructor keeps it until all have handed in."
        )
    passed = has_passed(name, lessons)
    if passed:
        return Solution(f"{name} has passed. Another way to write it:", text)
    if wanted:
        return Solution(f"A solution of {name}. Read it, close it, and write it again by yourself.", text)
    return Solution(
        f'{not_passed(name, passed)} `hint("{name}")` helps in three steps. '
        f'If you want to see the solution all the same, say so: `hint("{name}", "show me")`.'
    )


def has_passed(name: str, lessons: Path | str) -> bool | None:
    """Return whether an exercise has passed in the student's notebooks, or in this kernel since.

    None says that its check in the notebook ended in an error, and nothing else is known.
    """
    from course.student.progress import passed_here, progress

    units = progress(lessons).units.values()
    said = [exercises[name] for exercises in units if exercises and name in exercises]
    if name in passed_here() or any(said):
        return True
    return None if None in said else False


def not_passed(name: str, passed: bool | None) -> str:
    """Return why an exercise does not count as passed, and what to do about an error in the place of an answer."""
    if passed is None:
        return (
            f"The last run of {name}'s check in your notebook ended in an error and says nothing: "
            "run the cells above it, then the check, and save."
        )
    return f"You have not passed {name} yet: the last run of its check in your notebook did not pass, or there was none."


def find(exercise: Exercise) -> str | None:
    """Return the solved cell of an exercise, or None where there are no solutions."""
    path = SOLUTIONS / exercise.unit / f"{exercise.unit}.ipynb"
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError):
        return None
    found = [cell for cell in cells if cell["metadata"].get("nbgrader", {}).get("grade_id") == exercise.name]
    return "".join(found[0]["source"]) if found else None
