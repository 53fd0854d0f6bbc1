"""Whether an answer is right: nested plain data against the oracle's, with a tolerance that follows the dtype."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

QUOTE = 200  # characters of a value that a message quotes


@dataclass(frozen=True)
class Difference:
    """How an answer differs from the right one; ``sentence`` says it to the student.

    ``expected``, ``got`` and ``wrong`` (a mask) are arrays of one shape where the difference is one of values.
    ``misconception`` names the wrong idea where the difference itself tells it, as when an input was changed.
    """

    sentence: str
    expected: np.ndarray | None = None
    got: np.ndarray | None = None
    wrong: np.ndarray | None = None
    misconception: str = ""


def tolerance(*dtypes: np.dtype) -> float:
    """Return the relative tolerance for numbers that were once held in ``dtypes``.

    That of float64 leaves room for an answer that was worked out in float32 on the way, and is far below any wrong idea.

    >>> tolerance(np.dtype("float64")), tolerance(np.dtype("float64"), np.dtype("float32"))
    (5e-06, 0.0001)
    """
    sizes = [np.finfo(dtype).eps for dtype in dtypes if dtype.kind in "fc"]
    coarsest = max(sizes, default=0)
    return 5e-6 if coarsest < 1e-10 else 1e-4 if coarsest < 1e-5 else 1e-2


def difference(got: Any, expected: Any, what: str = "") -> Difference | None:
    """Return how ``got`` differs from ``expected``, or None where it is right.

    An array may come as nested lists; a tuple as a list; a whole number must be whole in type as well as in value.
    """
    if expected is None:  # only a wrong idea expects that
        return None if got is None else Difference(f"{what}expected None, got {in_words(got)}")
    if isinstance(expected, tuple):
        return _tuple_difference(got, expected)
    if got is None:
        if what:
            return Difference(f"{what}expected {in_words(expected)}, got None")
        return Difference("It returned None. Does the function end in `return ...`?")
    if isinstance(expected, dict):
        return _dict_difference(got, expected, what)
    if isinstance(expected, list) and any(isinstance(entry, str) for entry in expected):
        return _row_difference(got, expected, what)
    if isinstance(expected, bool | int) and not isinstance(expected, np.ndarray):
        return _whole_number_difference(got, expected, what)
    if isinstance(expected, str):
        right = isinstance(got, str) and got == expected
        return None if right else Difference(f"{what}expected {expected!r}, got {quoted(got)}")
    return _array_difference(got, np.asarray(expected), what)


def _tuple_difference(got: Any, expected: tuple) -> Difference | None:
    if got is None:
        return Difference("It returned None. Does the function end in `return ...`?")
    if isinstance(got, np.ndarray) and got.ndim == 1:
        got = got.tolist()
    elif isinstance(got, np.ndarray) and got.ndim and len(got) == len(expected):
        got = list(got)  # the parts, stacked
    was = "was" if len(expected) == 1 else "were"
    if not isinstance(got, list | tuple):
        return Difference(
            f"It returned {in_words(got)}, where {in_number(expected)} {was} expected: {how_to_return(expected)}."
        )
    if len(got) != len(expected):
        return Difference(
            f"It returned {in_number(got)}, where {in_number(expected)} {was} expected: {how_to_return(expected)}."
        )
    parts = (
        difference(g, e, f"part {i + 1} of the answer: ")
        for i, (g, e) in enumerate(zip(got, expected, strict=True))
    )
    return next((part for part in parts if part), None)


def in_number(things: Sequence[Any]) -> str:
    """Return how many things there are."""
    return "1 thing" if len(things) == 1 else f"{len(things)} things"


def how_to_return(things: Sequence[Any]) -> str:
    """Return what a function writes to return so many things."""
    return (
        f"`return {', '.join('abcd'[: len(things)])}`" if 2 <= len(things) <= 4 else "return them in a list"
    )


def _dict_difference(got: Any, expected: dict, what: str) -> Difference | None:
    if not isinstance(got, dict):
        return Difference(
            f"{what}expected a dictionary with {', '.join(map(str, expected))}, got {in_words(got)}"
        )
    if missing := [key for key in expected if key not in got]:
        return Difference(f"{what}the dictionary has no {missing[0]!r}; it has {quoted(*got)}.")
    if extra := [key for key in got if key not in expected]:
        return Difference(f"{what}the dictionary has {quoted(extra[0])}, which was not expected.")
    parts = (difference(got[key], value, f"{what}{key}: ") for key, value in expected.items())
    return next((part for part in parts if part), None)


def _row_difference(got: Any, expected: list, what: str) -> Difference | None:
    """Return how a row of words (and other entries) differs, by the first entry that does."""
    if not isinstance(got, list | tuple):
        return Difference(f"{what}expected a list of {len(expected)} entries, got {in_words(got)}")
    for number, (one, right) in enumerate(zip(got, expected, strict=False), start=1):
        if part := difference(one, right, f"{what}entry {number} of {len(expected)}: "):
            return part
    if len(got) != len(expected):
        return Difference(f"{what}expected {len(expected)} entries, got {len(got)}")
    return None


def _whole_number_difference(got: Any, expected: int, what: str) -> Difference | None:
    got = got.item() if isinstance(got, np.ndarray) and got.ndim == 0 else got
    if isinstance(got, int):
        return None if got == expected else Difference(f"{what}expected {expected}, got {quoted(got)}")
    if isinstance(got, float):
        if got == expected:
            return Difference(
                f"{what}expected the whole number {expected}, got the float {got}. Try // in place of /, or int()."
            )
        return Difference(f"{what}expected {expected}, got {got:.6g}")
    return Difference(f"{what}expected the whole number {expected}, got {in_words(got)}")


def _array_difference(got: Any, expected: np.ndarray, what: str) -> Difference | None:
    try:
        array = np.asarray(got)
        if array.dtype.kind not in "biufc":
            raise ValueError
    except ValueError:  # a ragged list, a dict, a string
        return Difference(f"{what}expected an array of shape {expected.shape}, got {in_words(got)}")
    if array.shape != expected.shape:
        if expected.shape == ():
            return Difference(f"{what}expected one number, got an array of shape {array.shape}")
        return Difference(
            f"{what}expected shape {expected.shape}, got {in_words(got) if array.ndim == 0 else array.shape}"
        )
    wrong = wrong_places(array, expected)
    if not wrong.any():
        return None
    return Difference(what + _first_place(array, expected, wrong), expected, array, wrong)


def wrong_places(got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return the boolean mask of where two arrays of one shape differ by more than rounding."""
    if got.dtype.kind in "biu" and expected.dtype.kind in "biu":
        return got != expected
    rtol = tolerance(got.dtype, expected.dtype)
    finite = np.abs(expected[np.isfinite(expected)]) if expected.dtype.kind in "fc" else np.abs(expected)
    scale = float(finite.max()) if finite.size else 0.0
    return ~np.isclose(got, expected, rtol=rtol, atol=rtol * max(scale, 1e-12), equal_nan=True)


def _first_place(got: np.ndarray, expected: np.ndarray, wrong: np.ndarray) -> str:
    if expected.shape == ():
        return f"expected {_number(expected[()])}, got {_number(got[()])}"
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = "[" + ", ".join(map(str, index)) + "]"
    count = f"{int(wrong.sum())} of {wrong.size} values differ"
    return f"expected {_number(expected[index])} at {place}, got {_number(got[index])} ({count})"


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)


def quoted(*values: Any) -> str:
    """Return values as a message quotes them: never long, whatever a student returned.

    >>> quoted("a", 1), len(quoted("a" * 100_000))
    ("'a', 1", 200)
    """
    try:
        text = ", ".join(map(repr, values))
    except (ValueError, RecursionError):  # a number of thousands of digits; lists in lists without end
        return "something too long to show"
    return text if len(text) <= QUOTE else text[: QUOTE - 3] + "..."


def in_words(value: Any) -> str:
    """Return what a value is: the shape of an array, the kind of a collection, and a single one itself."""
    names = {list: "a list", tuple: "a tuple", dict: "a dictionary", str: "a string", type(None): "None"}
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return names.get(type(value), f"the single value {quoted(value)}")


def matches(got: Any, answer: Any) -> bool:
    """Return whether ``got`` is what a misconception's ``answer`` is, whole number or not."""
    if isinstance(answer, float) and isinstance(got, int):
        answer = got if got == answer else answer
    return difference(got, answer) is None
