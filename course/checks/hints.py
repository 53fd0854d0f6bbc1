"""hint(): three levels of help for an exercise, one more each time it is asked for; and, studying alone, a solution."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from course.checks import registry
from course.checks.exercise import Exercise
from course.checks.message import code, panel
from course.checks.solutions import Solution, find, solution
from course.errors import PlainError

LEVELS = ("a nudge", "the structure", "nearly the code")

_given: Counter[str] = Counter()


class HintError(PlainError, ValueError):
    """There is no such exercise, or no such level."""


class Hint:
    """A hint that shows itself as HTML in a notebook and as text in a terminal."""

    def __init__(self, name: str, level: int, text: str, after: str = ""):
        self.name, self.level, self.text = name, level, text
        self.after = after if level == len(LEVELS) else "Run it again for more."

    def __repr__(self) -> str:
        return "\n".join(filter(None, [self._head(), self.text, self.after]))

    def _head(self) -> str:
        return f"{self.name}, hint {self.level} of {len(LEVELS)}: {LEVELS[self.level - 1]}"

    def _repr_html_(self) -> str:
        lines, _, block = self.text.partition("\n")
        body = f"<div>{code(lines)}</div>" + (f"<pre>{code(block)}</pre>" if block else "")
        more = f'<div style="opacity:.8">{code(self.after.replace("it again", "the cell again"))}</div>'
        return panel("#1565c0", f"<b>{self._head()}</b>{body}{more if self.after else ''}")


def hint(function: Callable | str, level: int | str | None = None) -> Hint | Solution:
    """Return the next hint for an exercise, or the one of ``level`` (1 a nudge, 2 the structure, 3 nearly the code).

    ``"solution"`` returns a solution once the exercise has passed, ``"show me"`` at once; a class's lessons hold none.
    Raises HintError for another level or an unknown exercise.
    """
    exercise = exercise_of(function)
    if level in ("solution", "show me"):
        return solution(exercise, wanted=level == "show me")
    if level is None:
        if passes_now(exercise.name):
            return Solution(after_passing(exercise))
        _given[exercise.name] = level = min(_given[exercise.name] + 1, len(LEVELS))
    if level not in range(1, len(LEVELS) + 1):
        raise HintError(f'hint levels are 1, 2, 3, "solution" and "show me", not {level!r}')
    number = int(level)
    after = (
        f'After that: hint("{exercise.name}", "solution").'
        if number == len(LEVELS) and find(exercise)
        else ""
    )
    return Hint(exercise.name, number, exercise.hints[number - 1], after)


def passes_now(name: str) -> bool:
    """Return whether the last check of an exercise in this kernel passed."""
    from course.student.progress import verdicts_here

    said = [verdict.verdict for verdict in verdicts_here() if verdict.exercise == name]
    return said[-1:] == ["passed"]


def after_passing(exercise: Exercise) -> str:
    """Return what is left to say once an exercise has passed."""
    name = exercise.name
    another = f'`hint("{name}", "solution")` shows another way to write it, and ' if find(exercise) else ""
    return f'{name} has passed. {another}`hint("{name}", 1)` still gives its first hint.'


def exercise_of(function: Callable | str) -> Exercise:
    """Return the exercise for a function or a name, or raise HintError with the names that may have been meant."""
    name = function if isinstance(function, str) else getattr(function, "__name__", str(function))
    exercise = registry.find(name)
    if exercise is None:
        exercises = registry.load()
        close = difflib.get_close_matches(name, exercises)
        meant = f"; did you mean {' or '.join(close)}?" if close else ""
        here = [each.name for each in exercises.values() if each.unit == Path.cwd().name]
        listed = f"; this lesson has {', '.join(here)}" if here and not close else ""
        raise HintError(f"no exercise is called {name!r}{meant or listed}")
    return exercise
