"""Unit 09: a learning rate that falls when the validation error has stopped falling.

The oracle is torch's own scheduler. A misconception is a plain loop with one wrong idea in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from course.checks.alexnet_tables import UNIT
from course.checks.exercise import Case, Exercise, runs_into


class Rate(Optimizer):
    """An optimiser that is nothing but a learning rate: a real one takes 3 s to load."""

    def __init__(self, lr: float):
        self.param_groups, self.defaults = [{"lr": lr}], {"lr": lr}


def torch_plateau(errors: Sequence[float], lr: float, patience: int = 2, factor: float = 0.1) -> float:
    """Return the rate after these errors, by torch's ReduceLROnPlateau."""
    rate = Rate(lr)
    scheduler = ReduceLROnPlateau(rate, factor=factor, patience=patience, threshold=0, eps=0)
    for error in errors:
        scheduler.step(float(error))
    return float(rate.param_groups[0]["lr"])


def _random_errors(rng: np.random.Generator) -> Case:
    steps = rng.normal(-0.02, 0.06, int(rng.integers(5, 25)))
    errors = np.clip(0.8 + np.cumsum(steps), 0.05, 0.95).round(2)
    return Case(
        "random",
        errors.tolist(),
        float(rng.uniform(0.01, 0.5)),
        int(rng.integers(1, 4)),
        float(rng.uniform(0.1, 0.6)),
    )


FALLING = [0.9, 0.8, 0.7, 0.6]

plateau_schedule = Exercise(
    "plateau_schedule",
    UNIT,
    points=3,
    parameters=("errors", "lr", "patience", "factor"),
    returns="one number",
    oracle=torch_plateau,
    cases=(
        Case("before the first epoch", [], 0.01, answer=0.01, weight=0.25),
        Case(
            "the error falls, at last by little",
            [*FALLING, 0.59999, 0.59998, 0.59997],
            0.01,
            answer=0.01,
            weight=0.5,
        ),
        Case(
            "two epochs without progress are forgiven", [*FALLING, 0.61, 0.6], 0.01, answer=0.01, weight=0.5
        ),
        Case("the third is not", [*FALLING, 0.61, 0.6, 0.63], 0.01, answer=0.001),
        Case(
            "the second drop takes three more",
            [*FALLING, 0.61, 0.6, 0.63, 0.7, 0.65, 0.62],
            0.013,
            answer=0.00013,
        ),
        Case("two epochs after a drop", [*FALLING, 0.61, 0.6, 0.63, 0.7, 0.65], 0.01, answer=0.001),
        Case("progress in between, in per cent", [90, 80, 85, 84, 79, 80, 80], 0.01, answer=0.01),
        Case("down and up", [0.5, 0.6, 0.55, 0.6, 0.54, 0.53, 0.6], 0.2, answer=0.002),
        Case("no patience, halved", [0.5, 0.6, 0.55, 0.4, 0.45], 0.8, patience=0, factor=0.5, answer=0.1),
        Case("a patience of 1", [0.9, 0.7, 0.8, 0.75, 0.6, 0.65], 0.1, patience=1, factor=0.2, answer=0.02),
    ),
    random=_random_errors,
    hints=(
        "Go through the errors with a pencil. Which two numbers do you keep in mind from one epoch to the next, besides the rate?",
        "Keep the lowest error so far and a count. An error below the lowest becomes the lowest and sets the count to 0; any other adds 1 to "
        "the count. When the count is larger than patience, multiply the rate by the factor and set the count to 0.",
        "Begin with `best, waited = math.inf, 0`, loop over the errors, and ask two things in each round: `error < best`, and afterwards "
        "`waited > patience`. The lowest error stays what it is after a drop.",
    ),
)


def plateau(
    errors: Sequence[float],
    lr: float,
    patience: int,
    factor: float,
    better: Callable[[float, float], bool] = lambda error, best: error < best,
    enough: Callable[[int, int], bool] = lambda waited, patience: waited > patience,
    idea: str = "",
) -> float:
    """Return the rate after these errors; the last three arguments make wrong ideas."""
    best, waited, before, drops = float("inf"), 0, float("inf"), 0
    if idea == "waits-for-the-lowest" and not errors:
        raise runs_into("ValueError", "IndexError")
    if idea == "counts-the-first-epoch" and errors:
        best = errors[0]
    if idea == "begins-at-1":
        best = 1
    for error in errors:
        if better(error, before if idea == "looks-one-epoch-back" else best):
            best, waited = error, waited if idea == "never-forgives" else 0
        else:
            waited += 1
        before = error
        if enough(waited, patience) and not (drops and idea == "drops-only-once"):
            drops += 1
            waited = waited if idea == "goes-on-dropping" else 0
            best = float("inf") if idea == "forgets-the-lowest" else best
    return lr - drops * factor * lr if idea == "subtracts" else lr * factor**drops


def idea(name: str, hint: str, **more: Callable) -> None:
    """Add a wrong idea to plateau_schedule."""

    def wrong(errors, lr, patience=2, factor=0.1):
        return plateau(errors, lr, patience, factor, idea=name, **more)

    plateau_schedule.misconception(name, hint)(wrong)


idea(
    "drops-one-epoch-early",
    "You drop one epoch early. So many epochs as `patience` says are forgiven; the next one in a row brings the drop.",
    enough=lambda waited, patience: waited >= patience and waited > 0,
)
idea(
    "drops-one-epoch-late",
    "You drop one epoch late: with patience 2, the third epoch in a row without progress brings the drop.",
    enough=lambda waited, patience: waited > patience + 1,
)
idea(
    "looks-one-epoch-back",
    "You compare each error with the one before it. Progress is an error below the lowest of *all* so far: after 0.5, 0.6, 0.55 there is none.",
)
idea(
    "goes-on-dropping",
    "After a drop your rate falls again in every epoch. The new rate gets its chance: count from 0 again.",
)
idea(
    "forgets-the-lowest",
    "After a drop you forget the lowest error, so that any next error counts as progress. Only the count begins again; the lowest stays.",
)
idea(
    "drops-only-once",
    "Your rate drops once and never again. After a drop the count begins anew, and the next plateau brings the next.",
)
idea(
    "never-forgives",
    "Your count of epochs without progress never goes back to 0. A new lowest error sets it to 0: only epochs in a row count.",
)
idea(
    "takes-equal-for-better",
    "You count an error equal to the lowest as progress. A plateau is just that: it must be lower.",
    better=lambda error, best: error <= best,
)
idea(
    "waits-for-the-highest",
    "You look for the highest number. These are errors: less is better.",
    better=lambda error, best: error > (best if best < float("inf") else -1),
)
idea(
    "subtracts",
    "You take the factor of the rate away. The rate is multiplied by the factor: what is left is a tenth.",
)
idea(
    "waits-for-the-lowest",
    "Before the first epoch there are no errors yet, and the rate is lr: an empty list has no minimum.",
)


idea(
    "counts-the-first-epoch",
    "You count the first epoch as one without progress: its error is not lower than itself. There is nothing before it, so it is the lowest so far: "
    "begin with `math.inf`.",
)
idea(
    "begins-at-1",
    "Your lowest error begins at 1. Errors may be larger, as in per cent: then none is ever lower. Begin with `math.inf`.",
)


@plateau_schedule.misconception("never-drops", "Your rate is always lr: it never falls.")
def _(errors, lr, patience=2, factor=0.1):
    return lr


@plateau_schedule.misconception(
    "counts-from-the-lowest-alone",
    "You look at how long ago the lowest error was, and drop once. After a drop the count begins again: long plateaus bring several drops.",
)
def _(errors, lr, patience=2, factor=0.1):
    if not errors:
        return lr
    ago = len(errors) - 1 - int(np.argmin(errors))
    return lr * factor if ago > patience else lr


@plateau_schedule.misconception(
    "takes-drops-back",
    "You count from the lowest error alone, so a new lowest takes the drops before it back. A drop is for good: go through the errors one by one, and "
    "keep the rate.",
)
def _(errors, lr, patience=2, factor=0.1):
    if not errors:
        return lr
    ago = len(errors) - 1 - int(np.argmin(errors))
    return lr * factor ** (ago // (patience + 1))


@plateau_schedule.misconception(
    "ignores-its-settings",
    "Your answer does not depend on patience or factor: 2 and 0.1 are only what they are when nobody says otherwise.",
)
def _(errors, lr, patience=2, factor=0.1):
    return torch_plateau(errors, lr)
