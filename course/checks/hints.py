"""hint(): three levels of help for an exercise, one more each time it is asked for; and, studying alone, a solution."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from course.checks import registry
from course.checks.exercise import Exercise
from course.checks.message import code, panel
from course.checks.solutions import Solution, find, solution

LEVELS = ("a nudge", "the structure", "nearly the code")

_given: Counter[str] = Counter()


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
    """
    exercise = exercise_of(function)
    if level in ("solution", "show me"):
        return solution(exercise, wanted=level == "show me")
    if level is None:
        _given[exercise.name] = level = min(_given[exercise.name] + 1, len(LEVELS))
    if level not in range(1, len(LEVELS) + 1):
        raise ValueError(f'hint levels are 1, 2, 3 and "solution", not {level!r}')
    number = int(level)
    after = (
        f'After that: hint("{exercise.name}", "solution").'
        if number == len(LEVELS) and find(exercise)
        else ""
    )
    return Hint(exercise.name, number, exercise.hints[number - 1], after)


def exercise_of(function: Callable | str) -> Exercise:
    """Return the exercise for a function or a name, or raise ValueError with the names that exist."""
    name = function if isinstance(function, str) else getattr(function, "__name__", str(function))
    exercise = registry.find(name)
    if exercise is None:
        raise ValueError(f"no exercise is called {name!r}; there are {', '.join(sorted(registry.load()))}")
    return exercise
