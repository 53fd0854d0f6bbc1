"""Unit 06: shuffling samples and labels together, judged by what must hold whatever order was drawn.

A misconception is a torch draw with one wrong idea put into it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course.checks.chance import (
    add_ideas_about_the_generator,
    array_of,
    shows,
    wrong_shape,
)
from course.checks.exercise import Case, Exercise, integers, normal
from course.checks.orders import add_ideas_about_the_order, is_old, not_random, order, random_orders
from course.checks.recipe import through

UNIT = "06-momentum-and-training"


# ----------------------------------------------------------------------------------------------- shuffle_together


def places(rows: np.ndarray, x: np.ndarray) -> np.ndarray | None:
    """Return where in x each of the rows stands, or None if one stands nowhere; the rows of x all differ."""
    flat, all_flat = rows.reshape(len(rows), -1), np.asarray(x).reshape(len(x), -1)
    equal = np.isclose(flat[:, None], all_flat[None], rtol=1e-4, atol=1e-6).all(2)
    return equal.argmax(1) if equal.any(1).all() else None


def pair(value: Any, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the two parts of an answer, shaped like x and y, or None."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    images, labels = array_of(value[0], np.shape(x)), array_of(value[1], np.shape(y))
    return None if images is None or labels is None else (images, labels)


def judge_together(value: Any, x: np.ndarray, y: np.ndarray, rng: Any) -> str:
    """Return what is wrong with shuffled x and y, or an empty string."""
    parts = pair(value, x, y)
    if parts is None:
        if value is None or not isinstance(value, list | tuple) or len(value) != 2:
            return "It must return two arrays, the shuffled x and y: `return x, y`."
        which = 0 if array_of(value[0], np.shape(x)) is None else 1
        return wrong_shape(value[which], np.shape((x, y)[which]), f"{'xy'[which]}: ")
    where = places(parts[0], x)
    if where is None:
        return "There are rows in the new x that are not in the old one: samples move as a whole."
    if len(set(where.tolist())) < len(x):
        return "Some samples come twice, others are missing."
    wrong = int((parts[1] != np.asarray(y)[where]).sum())
    if wrong:
        return f"{wrong} of {len(y)} samples have the label of another."
    if np.asarray(y).dtype.kind in "iu" and parts[1].dtype.kind == "f":
        return FLOATS
    return not_random(where)


FLOATS = "The new y holds floats, where the old one had whole numbers: floats cannot count classes."


def _order_together(value: Any, x: np.ndarray, y: np.ndarray, rng: Any) -> np.ndarray:
    """Return the order of the samples in an answer, or an empty one where there is none."""
    parts = pair(value, x, y)
    where = None if parts is None else places(parts[0], x)
    return np.empty(0, int) if where is None else where


def _together(
    x: Any, y: Any, rng: np.random.Generator, of_x: Any = None, of_y: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y in one random order, or each in an order of its own."""
    drawn = order(len(x), rng)
    of_x, of_y = drawn if of_x is None else of_x, drawn if of_y is None else of_y
    return np.asarray(x)[of_x], np.asarray(y)[of_y]


def _set(*shape: int) -> tuple[np.ndarray, np.ndarray]:
    return normal(*shape), 3 * np.arange(shape[0]) % 10


def _random_set(rng: np.random.Generator) -> Case:
    n, d = int(rng.integers(80, 120)), int(rng.integers(2, 6))
    x = rng.standard_normal((n, d) if rng.random() < 0.5 else (n, 1, d, 3))
    return Case("random", x, rng.integers(0, 10, n), np.random.default_rng(int(rng.integers(1000))))


shuffle_together = Exercise(
    "shuffle_together",
    UNIT,
    points=1,
    parameters=("x", "y", "rng"),
    returns="x and y",
    oracle=_together,
    check_answer=random_orders(judge_together, _order_together),
    cases=(
        Case("a hundred points", *_set(100, 6), np.random.default_rng(1)),
        Case("images (N, C, H, W)", *_set(30, 1, 4, 5), np.random.default_rng(2)),
        Case("as many samples as pixels", *_set(20, 20), np.random.default_rng(3)),
        Case(
            "whole numbers",
            100 * np.arange(24).reshape(24, 1) + integers(24, 4),
            *_set(24)[1:],
            np.random.default_rng(4),
        ),
        Case(
            "the same rng, the same order; the next call, another",
            through("draws"),
            *_set(25, 7),
            np.random.default_rng(5),
        ),
        Case("eight calls", through("order_drivers.eight_draws"), *_set(30, 3), np.random.default_rng(6)),
    ),
    random=_random_set,
    hints=(
        "A sample and its label must stay together. What single thing could you draw and use for both?",
        "Draw one random order of the numbers 0 to N - 1, and pick the rows of x and the entries of y in that order.",
        "`rng.permutation(len(x))` is such an order; use it as an index, once in x and once in y.",
    ),
)


def together_idea(name: str, hint: str, when: Callable[..., bool]):
    """Add a wrong idea that shows in the new x and y: ``when(where, labels, x, y)``."""

    def seen(value: Any, x: np.ndarray, y: np.ndarray, rng: Any) -> bool:
        parts = pair(value, x, y)
        where = None if parts is None else places(parts[0], x)
        return parts is not None and where is not None and bool(when(where, parts[1], x, y))

    return shuffle_together.misconception(name, hint, shows(judge_together, seen))


def _is_order(where: np.ndarray) -> bool:
    return len(set(where.tolist())) == len(where)


@together_idea(
    "shuffles-the-images-without-their-labels",
    "You shuffle x and leave y as it was, so most images now carry the label of another. Use one order for both.",
    lambda where, labels, x, y: _is_order(where) and not is_old(where) and (labels == y).all(),
)
def _(x, y, rng):
    return _together(x, y, rng, of_y=np.arange(len(y)))


@together_idea(
    "shuffles-the-labels-without-their-images",
    "You shuffle y and leave x as it was, so most images now carry the label of another. Use one order for both.",
    lambda where, labels, x, y: is_old(where) and (labels != y).any(),
)
def _(x, y, rng):
    return _together(x, y, rng, of_x=np.arange(len(x)))


@together_idea(
    "shuffles-each-on-its-own",
    "You shuffle x and y one after the other, each into an order of its own, so labels and images no longer belong together. Draw one order, and "
    "use it for both.",
    lambda where, labels, x, y: (
        _is_order(where)
        and not is_old(where)
        and (labels != np.asarray(y)[where]).any()
        and (labels != y).any()
    ),
)
def _(x, y, rng):
    return _together(x, y, rng, of_y=order(len(y), rng))


@together_idea(
    "does-not-shuffle",
    "x and y come back in the order in which they went in.",
    lambda where, labels, x, y: is_old(where) and (labels == y).all(),
)
def _(x, y, rng):
    return np.array(x), np.array(y)


@together_idea(
    "draws-with-replacement",
    "Some samples come twice and others never: you draw indices one by one. Draw an order, in which each index comes exactly once.",
    lambda where, labels, x, y: not _is_order(where),
)
def _(x, y, rng):
    drawn = rng.integers(0, len(x), len(x))
    return _together(x, y, rng, drawn, drawn)


@together_idea(
    "turns-the-order-round",
    "You turn the order round. Every call must give a new, random one.",
    lambda where, labels, x, y: (where == np.arange(len(where))[::-1]).all() and (labels == y[::-1]).all(),
)
def _(x, y, rng):
    return np.array(x[::-1]), np.array(y[::-1])


@shuffle_together.misconception(
    "shuffles-within-the-samples",
    "You shuffle along the wrong axis, so the pixels within the images are mixed up. The samples are the first axis.",
    when=shows(
        judge_together,
        lambda value, x, y, rng: (parts := pair(value, x, y)) is not None and places(parts[0], x) is None,
    ),
)
def _(x, y, rng):
    return np.roll(x, 1 + order(np.shape(x)[-1] - 1, rng)[0], axis=-1), np.array(y)


@shuffle_together.misconception(
    "turns-the-labels-into-floats",
    "Your labels come back as floats, since they shared an array with x on the way. A float cannot be an index or a class: leave x and y in arrays "
    "of their own, and use one order for both.",
    when=shows(judge_together, lambda value, x, y, rng: judge_together(value, x, y, rng) == FLOATS),
)
def _(x, y, rng):
    images, labels = _together(x, y, rng)
    return images, labels.astype(float)


add_ideas_about_the_generator(shuffle_together)
add_ideas_about_the_order(
    shuffle_together,
    judge_together,
    _order_together,
    lambda found, x, y, rng: (np.asarray(x)[found], np.asarray(y)[found]),
)
