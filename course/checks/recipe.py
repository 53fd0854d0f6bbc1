"""Recipes: what plain data cannot be, made where it is needed: a function to hand to the student's, a way to use a class.

A check writes ``function("np.sum(x ** 2)")`` where an argument must be callable; what crosses into the sandbox is the
recipe, a dictionary. The student's side makes the function from it, and so does the oracle's.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np


def function(expression: str, argument: str = "x") -> dict[str, str]:
    """Return a recipe for a function of one argument, given as a NumPy expression.

    >>> float(make(function("np.sum(x ** 2)"))(np.array([1.0, 2.0])))
    5.0
    """
    return {"recipe": "function", "expression": expression, "argument": argument}


def through(driver: str) -> dict[str, str]:
    """Return a recipe for calling the student's object by way of ``driver``, a function of course/checks/drivers.py.

    ``"torch_drivers.outputs"`` names one of another module of course/checks whose name ends in ``drivers``.

    It must be the first argument of the call: a subject called with ``(through("name"), a, b)`` gives
    ``drivers.name(student's object, a, b)``. So classes are judged: the driver makes one, uses it, returns plain data.
    """
    return {"recipe": "through", "driver": driver}


def is_recipe(value: object, kind: str | None = None) -> bool:
    """Return whether ``value`` is a recipe (of ``kind``)."""
    return isinstance(value, dict) and "recipe" in value and kind in (None, value["recipe"])


def make(value: Any) -> Any:
    """Return what a recipe describes; anything else as it is."""
    if is_recipe(value, "function"):
        made = eval(f"lambda {value['argument']}: {value['expression']}", {"np": np})
        made.__name__ = value["expression"]
        return made
    if is_recipe(value, "through"):
        return find_driver(value["driver"])
    return value


def find_driver(name: str) -> Callable:
    """Return a driver by its name, as through() takes it."""
    module, _, function = name.rpartition(".")
    return getattr(importlib.import_module(f"course.checks.{module or 'drivers'}"), function)
