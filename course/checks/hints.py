"""hint(): three levels of help for an exercise, one more each time it is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from course.checks import registry
from course.checks.exercise import Exercise
from course.checks.message import code, panel

LEVELS = ("a nudge", "the structure", "nearly the code")

_given: Counter[str] = Counter()


class Hint:
    """A hint that shows itself as HTML in a notebook and as text in a terminal."""

    def __init__(self, name: str, level: int, text: str):
        self.name, self.level, self.text = name, level, text

    def __repr__(self) -> str:
        return f"{self._head()}\n{self.text}" + (
            "" if self.level == len(LEVELS) else "\nRun it again for more."
        )

    def _head(self) -> str:
        return f"{self.name}, hint {self.level} of {len(LEVELS)}: {LEVELS[self.level - 1]}"

    def _repr_html_(self) -> str:
        lines, _, block = self.text.partition("\n")
        body = f"<div>{code(lines)}</div>" + (f"<pre>{code(block)}</pre>" if block else "")
        more = (
            "" if self.level == len(LEVELS) else '<div style="opacity:.8">Run the cell again for more.</div>'
        )
        return panel("#1565c0", f"<b>{self._head()}</b>{body}{more}")


def hint(function: Callable | str, level: int | None = None) -> Hint:
    """Return the next hint for an exercise, or the one of ``level`` (1 a nudge, 2 the structure, 3 nearly the code)."""
    exercise = find(function)
    if level is None:
        _given[exercise.name] = level = min(_given[exercise.name] + 1, len(LEVELS))
    if level not in range(1, len(LEVELS) + 1):
        raise ValueError(f"hint levels are 1, 2 and 3, not {level}")
    return Hint(exercise.name, level, exercise.hints[level - 1])


def find(function: Callable | str) -> Exercise:
    """Return the exercise for a function or a name, or raise ValueError with the names that exist."""
    name = function if isinstance(function, str) else getattr(function, "__name__", str(function))
    exercise = registry.find(name)
    if exercise is None:
        raise ValueError(f"no exercise is called {name!r}; there are {', '.join(sorted(registry.load()))}")
    return exercise
