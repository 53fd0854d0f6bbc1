"""In a NumPy unit, a check lets no other library do the exercise: none is there in grading, so none may count at home."""

from __future__ import annotations

import builtins
import contextlib
import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any, NoReturn

import numpy as np

from course.checks.subject import is_students

LIBRARIES = frozenset({"torch", "scipy", "sklearn", "skimage", "cv2", "tensorflow", "jax"})
FIRST_TORCH_UNIT = "08"


class Absent:
    """Stands where a library, or something of it, is in the student's notebook: whatever is done with it is refused."""

    def __init__(self, library: str):
        self.__dict__["library"] = library

    def __getattr__(self, name: str) -> NoReturn:
        raise refusal(self.library)

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse to be called."""
        raise refusal(self.library)


def refusal(library: str) -> ModuleNotFoundError:
    """Return the exception that says why a library cannot be used."""
    return ModuleNotFoundError(
        f"{library} is not there when your function is graded: write this one with NumPy"
    )


@contextlib.contextmanager
def numpy_only(unit: str, function: object) -> Iterator[None]:
    """Within the block the student's code finds no library but NumPy's own, if the unit is one of NumPy's."""
    if (
        unit >= FIRST_TORCH_UNIT
        or not isinstance(function, FunctionType)
        or not is_students(function.__code__.co_filename)
    ):
        yield
        return
    names = function.__globals__
    hidden = {name: value for name, value in names.items() if library_of(value) in LIBRARIES}
    original = builtins.__import__

    def importing(name: str, globals: Any = None, *args: Any, **kwargs: Any) -> Any:
        library = name.partition(".")[0]
        if globals is names and library in LIBRARIES:
            raise refusal(library)
        return original(name, globals, *args, **kwargs)

    names.update((name, Absent(library_of(value))) for name, value in hidden.items())
    builtins.__import__ = importing
    try:
        yield
    finally:
        builtins.__import__ = original
        names.update((name, value) for name, value in hidden.items() if isinstance(names.get(name), Absent))


def library_of(value: object) -> str:
    """Return the name of the library that a module, a class or a function is of, or an empty string.

    >>> library_of(np.linalg), library_of(np.sum), library_of(3)
    ('numpy', 'numpy', '')
    """
    if (
        isinstance(value, np.ufunc)
        and getattr(sys.modules.get("scipy.special"), value.__name__, None) is value
    ):
        return "scipy"  # its functions of numbers do not say where they are from
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "")
    return name.partition(".")[0] if isinstance(name, str) else ""
