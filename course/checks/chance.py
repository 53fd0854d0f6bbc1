"""Judging functions that draw at random: by what must hold whatever was drawn, never by the draw itself."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np

from course.checks.compare import difference, quoted
from course.checks.exercise import Exercise
from course.checks.subject import same

SIGMAS = 6  # a fair coin is called unfair once in five hundred million times


def close(got: Any, expected: Any) -> bool:
    """Return whether two arrays are equal within the checks' tolerance."""
    return difference(got, np.asarray(expected)) is None


def array_of(value: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return ``value`` as an array of numbers if it has this shape, else None.

    >>> array_of([[1, 2]], (1, 2)), array_of("yes", (1, 2))
    (array([[1, 2]]), None)
    """
    try:
        array = np.asarray(value)
    except ValueError:  # a ragged list
        return None
    return array if array.dtype.kind in "biuf" and array.shape == shape else None


def wrong_shape(value: Any, shape: tuple[int, ...], what: str = "") -> str:
    """Return the sentence for an answer that is not an array of ``shape``."""
    if value is None:
        return "It returned None. Does the function end in `return ...`?"
    got = f"shape {value.shape}" if isinstance(value, np.ndarray) else quoted(value)
    return f"{what}expected an array of shape {shape}, got {got}"


def is_share(count: int, total: int, p: float) -> bool:
    """Return whether ``count`` hits in ``total`` draws are believable where each has the probability ``p``.

    >>> is_share(480, 1000, 0.5), is_share(300, 1000, 0.5)
    (True, False)
    """
    return abs(count - total * p) <= SIGMAS * sqrt(total * p * (1 - p)) + 1e-9


def three_calls(value: Any) -> bool:
    """Return whether an answer comes from the driver ``draws``: three calls of one function."""
    return isinstance(value, dict) and set(value) == {"once", "again", "next"}


DIFFERS = "Called twice with generators in the same state, it gave two different answers."
REPEATS = (
    "Called twice in a row with one generator, it gave the same answer both times: nothing new was drawn."
)


def repeatable(judge: Callable[..., str]) -> Callable[..., str]:
    """Return ``judge`` made to look at the driver's three calls too: the rng alone must decide, and go on drawing."""

    def check_answer(value: Any, *args: Any, **kwargs: Any) -> str:
        if not three_calls(value):
            return judge(value, *args, **kwargs)
        sentence = judge(value["once"], *args, **kwargs)
        if sentence:
            return sentence
        if not same(value["once"], value["again"]):
            return DIFFERS
        return REPEATS if same(value["once"], value["next"]) else ""

    return check_answer


def shows(judge: Callable[..., str], when: Callable[..., bool]) -> Callable[..., bool]:
    """Return ``when`` asked of wrong answers only, and of the first of the driver's three calls."""

    def seen(value: Any, *args: Any, **kwargs: Any) -> bool:
        first = value["once"] if three_calls(value) else value
        return judge(first, *args, **kwargs) != "" and bool(when(first, *args, **kwargs))

    return seen


def add_ideas_about_the_generator(exercise: Exercise) -> None:
    """Add two wrong ideas that every function with an ``rng`` as its last argument can suffer from."""

    @exercise.misconception(
        "draws-without-the-rng",
        "Your draws do not come from the `rng` that was handed in (np.random on its own is another generator), so nobody can "
        "repeat your run. Call methods of rng: `rng.random(...)`, `rng.integers(...)`, `rng.uniform(...)`.",
        when=lambda value, *args: three_calls(value) and not same(value["once"], value["again"]),
    )
    def _(*args: Any) -> Any:
        return exercise.oracle(*args[:-1], np.random.default_rng())

    @exercise.misconception(
        "seeds-anew",
        "Every call gives the same: you seed a generator inside the function, or draw nothing. Draw from the `rng` that was handed in; "
        "it goes on where the last call stopped.",
        when=lambda value, *args: three_calls(value) and same(value["once"], value["next"]),
    )
    def _(*args: Any) -> Any:
        return exercise.oracle(*args[:-1], np.random.default_rng(0))
