"""How a check uses a student's class: each driver takes the class, then plain data, and returns plain data.

Drivers run beside the student's code, in the sandbox too, where there is no torch: they import NumPy and nothing else.
A case calls one by ``through("name")`` as its first argument; see course/checks/recipe.py.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np


def forward_backward(layer: type, setup: list, x: np.ndarray, grad_out: np.ndarray) -> tuple[Any, Any]:
    """Make ``layer(*setup)``, and return what its forward gives for x and its backward for grad_out."""
    made = layer(*setup)
    return made.forward(x), made.backward(grad_out)


def draws(function: Callable, *args: Any) -> dict[str, Any]:
    """Call a function that takes a generator three times: as given, again from the same state, and on from there."""
    again, following = copy.deepcopy(args), copy.deepcopy(args)
    once = function(*args)
    on = (
        used if isinstance(used, np.random.Generator) else fresh
        for used, fresh in zip(args, following, strict=True)
    )
    return {"once": once, "again": function(*again), "next": function(*on)}
