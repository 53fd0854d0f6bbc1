"""A result: what one case gave."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from course.checks.compare import Difference
from course.checks.exercise import Case
from course.checks.recipe import is_recipe, make
from course.checks.subject import Outcome


@dataclass(frozen=True)
class Result:
    """One case, what the subject gave for it, the right answer, and how the two differ (None: right)."""

    case: Case
    outcome: Outcome
    expected: Any
    problem: Difference | None
    is_random: bool = False


def own_arguments(case: Case) -> tuple[list, dict]:
    """Return a case's arguments, copied and made, as the oracle and the misconceptions take them: without the driver."""
    args, kwargs = copy.deepcopy((case.args, case.kwargs))
    made = [make(arg) for arg in args if not is_recipe(arg, "through")]
    return made, {name: make(value) for name, value in kwargs.items()}
