"""How long a call takes, measured so that two functions can be compared."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def seconds(function: Callable, *args: Any, budget: float = 0.5) -> float:
    """Return the seconds that the fastest of several calls takes: at least one, more while ``budget`` seconds last."""
    best, start = float("inf"), time.perf_counter()
    while best == float("inf") or time.perf_counter() - start < budget:
        before = time.perf_counter()
        function(*args)
        best = min(best, time.perf_counter() - before)
    return best
