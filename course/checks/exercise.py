"""An exercise as data: cases, the oracle, the misconceptions and the hints of one function to write."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from course.checks.recipe import is_recipe

EXERCISES: dict[str, Exercise] = {}  # by name, filled as the topic modules are imported


class Case:
    """One input to a check: a name that the student reads, and the call's arguments.

    >>> Case("a stride that does not divide", normal(1, 1, 5, 6), normal(1, 1, 3, 3), normal(1), stride=2)
    Case('a stride that does not divide', x (1, 1, 5, 6), w (1, 1, 3, 3), b (1,), stride=2)

    ``weight`` is the case's share of the marks among its check's cases; ``answer``, where given, was worked out by hand and
    must equal the oracle's (a test holds them together). ``max_steps`` bounds how many lines of Python the call may run:
    so a loop over pixels is told from array operations on any machine.
    """

    def __init__(
        self,
        name: str,
        *args: Any,
        weight: float = 1,
        answer: Any = None,
        max_steps: int | None = None,
        **kwargs: Any,
    ):
        self.name, self.args, self.kwargs = name, args, kwargs
        self.weight, self.answer, self.max_steps = weight, answer, max_steps

    def __repr__(self) -> str:
        return f"Case({self.name!r}, {describe_call(self.args, self.kwargs, ())})"


def normal(*shape: int) -> np.ndarray:
    """Return standard normal float64 numbers of ``shape``: always the same ones for the same shape.

    >>> normal(2, 3).shape, bool((normal(2, 3) == normal(2, 3)).all())
    ((2, 3), True)
    """
    return np.random.default_rng(zlib.crc32(repr(shape).encode())).standard_normal(shape)


def integers(*shape: int) -> np.ndarray:
    """Return small whole numbers (int64, -4 to 9) of ``shape``: always the same ones for the same shape."""
    return np.random.default_rng(zlib.crc32(repr(shape).encode())).integers(-4, 10, shape)


@dataclass(frozen=True)
class Misconception:
    """A named wrong idea: the answer it leads to, and what to tell someone who has it.

    ``wrong`` takes the exercise's arguments and returns the wrong answer, computed by perturbing the oracle, never by a
    student's solution. It raises Refusal for a case in which the idea leads to an exception. ``when``, for exercises with
    many right answers, takes the student's answer and the arguments and says whether the idea shows in it; otherwise the
    answer must equal that of ``wrong``.
    """

    name: str
    hint: str
    wrong: Callable[..., Any]
    when: Callable[..., bool] | None = None


class Refusal(ValueError):
    """What a misconception raises where the student's code would run into an exception, of any type if none is named.

    With ``words``, only into one whose message has one of these in it.
    """

    types: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


def runs_into(*types: str, words: str | tuple[str, ...] = ()) -> Refusal:
    """Return a Refusal that stands for an exception of one of these types, and goes by the name of the first.

    ``words`` are parts of messages, one of which must be in the exception's: so a slip is told from others that end in the same type.
    """
    words = (words,) if isinstance(words, str) else words
    refusal = type(types[0], (Refusal,), {})(*(words[:1] or ("as the student's code would",)))
    refusal.types, refusal.words = types, words
    return refusal


class Objection(Refusal):
    """What a misconception raises where the student would have written `raise` or `assert`."""


@dataclass
class Exercise:
    """One function to write, with everything needed to judge it.

    ``oracle`` takes the same arguments as the student's function and is independent of any solution of ours.
    ``random`` draws one case from a generator. ``hints`` are a nudge, the structure, and nearly the code.
    ``returns`` says in words what comes back. ``check_answer``, where there are many right answers, judges one instead of
    comparing with the oracle's: it returns an empty string, or what is wrong in a sentence. ``driven`` says that every case
    goes through a driver, as for a class; oracle and misconceptions then give what the driver would.
    """

    name: str
    unit: str
    points: float
    parameters: tuple[str, ...]
    oracle: Callable[..., Any]
    cases: tuple[Case, ...]
    hints: tuple[str, str, str]
    random: Callable[[np.random.Generator], Case] | None = None
    returns: str = "an array"
    check_answer: Callable[..., str] | None = None
    driven: bool = False
    misconceptions: list[Misconception] = field(default_factory=list)

    def __post_init__(self) -> None:
        EXERCISES[self.name] = self
        if any(isinstance(arg, np.ndarray) for case in self.cases for arg in case.args):
            self.misconceptions.append(changes_its_input(self))

    def misconception(
        self, name: str, hint: str, when: Callable[..., bool] | None = None
    ) -> Callable[[Callable], Callable]:
        """Add the decorated function to the bank as the answer of a wrong idea."""

        def add(wrong: Callable) -> Callable:
            self.misconceptions.append(Misconception(name, hint, wrong, when))
            return wrong

        return add

    def describe(self, case: Case) -> str:
        """Return the call of ``case`` as the student reads it: shapes of arrays, values of the rest."""
        return describe_call(case.args, case.kwargs, self.parameters)


CHANGES_ITS_INPUT = "changes-its-input"
LOOPS_OVER_PIXELS = "loops-over-the-pixels"


def changes_its_input(exercise: Exercise) -> Misconception:
    """Return the misconception that every function of arrays can suffer from."""

    def wrong(*args: Any, **kwargs: Any) -> Any:
        answer = exercise.oracle(*args, **kwargs)
        for array in args:
            if isinstance(array, np.ndarray) and array.size:
                array += 1  # in the caller's own array: this is the wrong idea
                break
        return answer

    hint = (
        "Your function writes into the array that it was given, so whoever called it finds their data changed. "
        "Start from a new array (np.zeros, or x.copy()) and avoid += and out= on an argument."
    )
    return Misconception(CHANGES_ITS_INPUT, hint, wrong)


def describe_call(args: Iterable, kwargs: dict, parameters: tuple[str, ...]) -> str:
    """Return the arguments of a call in words.

    >>> describe_call((np.zeros((2, 3)), 5), {"stride": 2}, ("x", "size"))
    'x (2, 3), size=5, stride=2'
    """
    args = [arg for arg in args if not is_recipe(arg, "through")]
    names = [*(parameters or ("x", "w", "b")), *(f"argument {i + 1}" for i in range(len(args)))]
    shown = [*zip(names, args, strict=False), *kwargs.items()]
    return ", ".join(f"{n} {v.shape}" if isinstance(v, np.ndarray) else f"{n}={_short(v)}" for n, v in shown)


def _short(value: Any) -> str:
    if isinstance(value, np.random.Generator):
        return "a random generator"
    if is_recipe(value, "function"):
        return f"the function {value['argument']} -> {value['expression']}"
    if isinstance(value, list) and any(isinstance(v, np.ndarray) for v in value):
        return (
            "[" + ", ".join(str(np.shape(v)) if isinstance(v, np.ndarray) else repr(v) for v in value) + "]"
        )
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
