"""Unit 06: a step of Nesterov's momentum, which takes its gradient at the place ahead.

The oracle is torch's own SGD in float64. A misconception is that step with one wrong idea put into it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course.checks.exercise import Case, Exercise, normal
from course.checks.momentum import UNIT, Step, add_ideas_about_steps, rates_of, shape_of, torch_step
from course.checks.recipe import function


def look_ahead_step(
    w: Any, v: Any, gradient: Callable, lr: float, beta: float = 0.9, ahead: float | None = None
) -> Step:
    """Return Nesterov's step by way of torch's, which keeps its weights at the place looked ahead to.

    ``ahead`` times v is subtracted from w to get there: lr * beta, unless a wrong idea says otherwise.
    """
    ahead = lr * beta if ahead is None else ahead
    there = np.asarray(w) - ahead * np.asarray(v)
    g = np.asarray(gradient(there.copy()))
    if ahead != lr * beta:
        return torch_step(w, v, g, lr, beta)
    moved, velocity = torch_step(there, v, g, lr, beta, nesterov=True)
    return moved + ahead * velocity, velocity


def _random_look(rng: np.random.Generator) -> Case:
    (lr, beta), shape = rates_of(rng), shape_of(rng)
    w, v = rng.standard_normal((2, *shape))
    name = rng.choice(["w ** 3", "np.sin(3 * w)", "w + np.sum(w) ** 2", "np.exp(w)"])
    return Case("random", w, v, function(str(name), "w"), lr, beta=beta)


nesterov_step = Exercise(
    "nesterov_step",
    UNIT,
    points=2,
    parameters=("w", "v", "gradient", "lr", "beta"),
    returns="the new w and v",
    oracle=look_ahead_step,
    cases=(
        Case(
            "by hand: the gradient is w itself",
            np.array([3.0]),
            np.array([8.0]),
            function("w", "w"),
            0.5,
            beta=0.5,
            answer=([0.5], [5.0]),
        ),
        Case("from rest", normal(3), np.zeros(3), function("w ** 3 + 1", "w"), 0.2, beta=0.8, weight=0.5),
        Case("a cubic gradient", normal(3, 4), normal(3, 4) + 1, function("w ** 3", "w"), 0.1, beta=0.7),
        Case(
            "beta is 0.9 where it is not given", normal(2, 5), normal(2, 5) ** 2, function("2 * w", "w"), 0.3
        ),
        Case("a wave", normal(2, 3, 2), normal(2, 3, 2) + 2, function("np.sin(3 * w)", "w"), 0.4, beta=0.6),
    ),
    random=_random_look,
    hints=(
        "Before you ask for any gradient, you know already how far the old velocity will carry w. Where is that?",
        "Three lines: the place ahead, which is w less lr * beta * v; the new velocity, from beta * v and the gradient *there*; the new "
        "weights, which start from w and not from the place ahead.",
        "Call `gradient(...)` once, with the place ahead in the brackets, in the line where momentum_step has g. Everything else is as in "
        "momentum_step.",
    ),
)


def _at(place: Callable[..., Any]) -> Callable[..., Step]:
    """Return the step that takes its gradient at ``place(w, v, lr, beta)``."""

    def wrong(w, v, gradient, lr, beta=0.9):
        return torch_step(w, v, gradient(np.asarray(place(w, v, lr, beta), dtype=float)), lr, beta)

    return wrong


nesterov_step.misconception(
    "does-not-look-ahead",
    "You take the gradient at w, so this is plain momentum. The gradient belongs to the place that beta * v is about to carry w to.",
)(_at(lambda w, v, lr, beta: w))

nesterov_step.misconception(
    "looks-behind",
    "You look the wrong way: w moves by minus lr times v, so the place ahead is w minus something.",
)(_at(lambda w, v, lr, beta: w + lr * beta * v))

nesterov_step.misconception(
    "looks-ahead-without-the-rate",
    "You look ahead by beta * v. The old velocity will move w by lr * beta * v, so look there. (Where lr is part of the velocity, as in "
    "CS231n, it is beta * v.)",
)(_at(lambda w, v, lr, beta: w - beta * v))

nesterov_step.misconception(
    "looks-ahead-without-beta",
    "You look ahead by lr * v. Only beta of the old velocity is left when w moves, so look ahead by lr * beta * v.",
)(_at(lambda w, v, lr, beta: w - lr * v))


@nesterov_step.misconception(
    "steps-from-the-place-ahead",
    "You start the step from the place ahead, so the old velocity counts twice. Looking is not going: the step starts from w.",
)
def _(w, v, gradient, lr, beta=0.9):
    there = w - lr * beta * v
    return torch_step(there, v, gradient(there), lr, beta)


@nesterov_step.misconception(
    "is-torchs-form",
    "This is PyTorch's form: it takes the gradient at w and moves by g + beta v. Its w stands where ours looks ahead to. Here take the "
    "gradient at the place ahead, and move by lr times v.",
)
def _(w, v, gradient, lr, beta=0.9):
    return torch_step(w, v, gradient(np.asarray(w, dtype=float)), lr, beta, nesterov=True)


@nesterov_step.misconception(
    "is-the-average-form",
    "You give the gradient a weight of 1 - beta. Here the whole gradient is added, as in momentum_step.",
)
def _(w, v, gradient, lr, beta=0.9):
    return torch_step(w, v, gradient(w - lr * beta * v), lr, beta, dampening=beta)


@nesterov_step.misconception(
    "is-cs231ns-rearranged-form",
    "This is CS231n's rearranged form, - mu v_prev + (1 + mu) v: it takes the gradient at w, and its w stands where ours looks ahead to. Here "
    "compute the place ahead, take the gradient there, and move w by minus lr times v.",
)
def _(w, v, gradient, lr, beta=0.9):
    velocity = beta * v - lr * gradient(np.asarray(w, dtype=float))
    return w - beta * v + (1 + beta) * velocity, velocity


add_ideas_about_steps(nesterov_step, look_ahead_step)
