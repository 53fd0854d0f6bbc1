"""Drivers of unit 06: many random orders in a row, since one alone does not show what stays where it is every time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def eight_draws(function: Callable, *args: Any) -> dict[str, list]:
    """Call a function that takes a generator eight times in a row, with the same arguments."""
    return {"draws": [function(*args) for _ in range(8)]}
