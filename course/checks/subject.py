"""A subject: the student's function as a check sees it, by calls that take and give plain data.

Here a subject is the function itself, in the student's own kernel. In grading it is a function in a sandbox, and only
plain data crosses over (autograder/remote.py). The checks cannot tell the two apart.

Plain data is None, bool, int, float, complex, str, NumPy arrays of numbers, and lists, tuples and dicts of these.
"""

from __future__ import annotations

import contextlib
import contextvars
import copy
import functools
import io
import linecache
import numbers
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Literal, Protocol

import numpy as np

from course.checks.recipe import is_recipe, make

_checking = contextvars.ContextVar("checking", default=False)

FailureKind = Literal[
    "raised", "unwritten", "missing", "odd_value", "interrupted", "timeout", "crashed", "machinery"
]
LIBRARIES = (sys.prefix, sys.base_prefix, str(Path(np.__file__).parents[1]))
NOT_THE_STUDENTS = (*LIBRARIES, str(Path(__file__).parents[1]))
PRINTED_LIMIT = 2_000  # characters of what the student printed that an outcome keeps


@dataclass(frozen=True)
class Failure:
    """Why a call gave no value.

    ``kind`` is ``raised`` (an exception), ``unwritten`` (the stub's NotImplementedError), ``missing`` (no such name),
    ``odd_value`` (returned something that is not plain data), ``interrupted`` (the student pressed stop), and in grading
    ``timeout``, ``crashed`` (the process died) or ``machinery`` (our fault: never a zero).
    """

    kind: FailureKind
    type: str = ""
    message: str = ""
    line: int | None = None  # of the student's cell
    source: str = ""  # the text of that line

    @property
    def ends_the_check(self) -> bool:
        """Whether asking again is useless or costly."""
        return self.kind not in ("raised", "odd_value")


@dataclass(frozen=True)
class Outcome:
    """What one call gave: a value or a failure, which arguments it changed, and what it printed."""

    value: object = None
    failure: Failure | None = None
    changed: tuple[int | str, ...] = ()  # positions and keywords of the arguments that differ after the call
    printed: str = ""
    steps: int | None = None  # Python lines and calls that ran, where they were asked for


class Subject(Protocol):
    """Anything that a check can call."""

    name: str

    def call(
        self, args: Sequence[object], kwargs: Mapping[str, object], *, count_steps: bool = False
    ) -> Outcome:
        """Call with copies of ``args`` and ``kwargs``; never raises for what the student's code does.

        With ``count_steps`` the outcome says how much Python ran: a loop over pixels shows, however fast the machine.
        """
        ...


class LocalSubject:
    """The student's function, called in this very process."""

    def __init__(self, function: Callable, name: str):
        self.function, self.name = function, name

    def call(
        self, args: Sequence[object], kwargs: Mapping[str, object], *, count_steps: bool = False
    ) -> Outcome:
        """Call the function on copies, silence it, and turn what happens into an Outcome."""
        steps = StepCounter() if count_steps else None
        called, args = with_driver(self.function, args)
        args = [make(copy.deepcopy(arg)) for arg in args]
        kwargs = {name: make(copy.deepcopy(value)) for name, value in kwargs.items()}
        before = copy.deepcopy((args, kwargs))
        printed = io.StringIO()
        try:
            with (
                contextlib.redirect_stdout(printed),
                contextlib.redirect_stderr(printed),
                warnings.catch_warnings(),
                steps or contextlib.nullcontext(),
            ):
                warnings.simplefilter("ignore")
                checking = _checking.set(True)
                try:
                    returned = called(*args, **kwargs)
                finally:
                    _checking.reset(checking)
            value, failure = plain(returned), None
        except KeyboardInterrupt as error:
            value, failure = None, describe(error, "interrupted")
        except NotPlain as error:
            value, failure = None, Failure("odd_value", message=str(error))
        except BaseException as error:  # a student's SystemExit must not end the check
            value, failure = None, describe(error, "unwritten" if is_stub(error) else "raised")
        changed = changed_arguments(before, (args, kwargs))
        return Outcome(
            value, failure, changed, printed.getvalue()[:PRINTED_LIMIT], steps.count if steps else None
        )


def being_checked() -> bool:
    """Return whether a check is calling the student's function right now."""
    return _checking.get()


def with_driver(function: Callable, args: Sequence[object]) -> tuple[Callable, Sequence[object]]:
    """Return what to call and with which arguments, where the first of them may be a recipe for a driver."""
    if args and is_recipe(args[0], "through"):
        return functools.partial(make(args[0]), function), args[1:]
    return function, args


class StepCounter:
    """Counts the Python lines and calls that run inside the block, but for a library's own, up to a limit.

    >>> with StepCounter() as steps:
    ...     total = sum(i for i in range(100))
    >>> steps.count > 100
    True
    """

    LIMIT = 20_000

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> StepCounter:
        self._previous = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._previous)

    def _trace(self, frame: FrameType, event: str, arg: object) -> Callable | None:
        if event == "call" and frame.f_code.co_filename.startswith(LIBRARIES):
            return None  # what NumPy does in Python is nobody's loop over pixels
        self.count += 1
        if self.count >= self.LIMIT:
            sys.settrace(None)
            return None
        return self._trace


class NotPlain(TypeError):
    """A value that cannot be judged because it is not plain data."""


def plain(value: object) -> object:
    """Return ``value`` as plain data.

    >>> plain((np.float64(2), [1, None]))
    (2.0, [1, None])

    Raises NotPlain, with a sentence for the student, for anything else.
    """
    if value is None or type(value) in (bool, int, float, complex, str):
        return value
    if isinstance(value, np.generic):
        value = np.asarray(value)
        return value.item() if value.dtype.kind in "biufc" else plain_array(value)
    if isinstance(value, np.ndarray):
        return plain_array(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, list | tuple):
        return type(value)(map(plain, value)) if type(value) in (list, tuple) else tuple(map(plain, value))
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if hasattr(value, "__array__") and not callable(value):  # torch tensors, array-likes
        if hasattr(value, "detach"):
            value = value.detach().cpu()  # type: ignore[union-attr]
        return plain_array(np.asarray(value))
    kind = a_or_an(type(value).__name__)
    if isinstance(value, Iterable):
        raise NotPlain(f"It returned {kind}, not the values themselves: put list(...) around it.")
    raise NotPlain(f"It returned {kind}, where an array or a number was expected.")


def plain_array(array: np.ndarray) -> np.ndarray:
    """Return ``array`` as a base-class array of numbers, or raise NotPlain."""
    if array.dtype.kind not in "biufc":
        raise NotPlain(f"It returned an array of dtype {array.dtype}, where numbers were expected.")
    return np.array(array, subok=False)


def a_or_an(noun: str) -> str:
    """Return ``noun`` with its article."""
    return f"an {noun}" if noun[:1].lower() in "aeiou" else f"a {noun}"


def changed_arguments(before: tuple, after: tuple) -> tuple[int | str, ...]:
    """Return the positions and keywords of the arguments that differ between two ``(args, kwargs)`` pairs."""
    (old_args, old_kwargs), (args, kwargs) = before, after
    positions = [i for i, (old, new) in enumerate(zip(old_args, args, strict=True)) if not same(old, new)]
    return (*positions, *(name for name, old in old_kwargs.items() if not same(old, kwargs[name])))


def same(old: object, new: object) -> bool:
    """Return whether two pieces of data are equal, to the bit for arrays."""
    if isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
        return (
            old.shape == new.shape
            and old.dtype == new.dtype
            and np.array_equal(old, new, equal_nan=old.dtype.kind in "fc")
        )
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        return len(old) == len(new) and all(map(same, old, new))
    if isinstance(old, np.random.Generator) or callable(old):
        return True  # drawing from a generator, calling a function, is what they are for
    return type(old) is type(new) and bool(old == new)


def is_stub(error: BaseException) -> bool:
    """Return whether ``error`` is the one that a released, unwritten exercise raises; a library's says something."""
    return isinstance(error, NotImplementedError) and not str(error)


def describe(error: BaseException, kind: FailureKind) -> Failure:
    """Return what happened and on which of the student's lines; none of our frames, none of a library's.

    Of an unwritten stub the message is the name of the function that is not written.
    """
    line, source, message = None, "", str(error)[:500]
    for frame in traceback.extract_tb(error.__traceback__):
        if is_students(frame.filename):
            line, source = frame.lineno, frame.line or linecache.getline(frame.filename, frame.lineno or 0)
            message = frame.name if kind == "unwritten" else message
    return Failure(kind, type(error).__name__, message, line, source.strip())


def is_students(filename: str) -> bool:
    """Return whether code under ``filename`` is the student's: neither Python's, nor installed, nor the course's."""
    if filename.startswith("<"):
        return not filename.startswith("<frozen")
    return "ipykernel_" in filename or not filename.startswith(NOT_THE_STUDENTS)
