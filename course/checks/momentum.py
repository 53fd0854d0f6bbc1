"""Unit 06: one step of gradient descent, plain and with momentum in its two forms.

The oracle is torch's own SGD in float64. A misconception is that step with one wrong idea put into it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch.optim.sgd import sgd

from course.checks.exercise import Case, Exercise, normal
from course.checks.oracle import tensor

UNIT = "06-momentum-and-training"
Step = tuple[np.ndarray, np.ndarray]


def torch_step(
    w: Any, v: Any, g: Any, lr: float, beta: float = 0.9, dampening: float = 0.0, nesterov: bool = False
) -> Step:
    """Return the weights and the velocity after one step of torch's SGD."""
    w, v = tensor(w).clone(), tensor(v).clone()
    options = {"weight_decay": 0.0, "maximize": False, "foreach": False}
    sgd([w], [tensor(g)], [v], momentum=beta, lr=lr, dampening=dampening, nesterov=nesterov, **options)
    return w.numpy(), v.numpy()


def plain_step(w: Any, g: Any, lr: float) -> np.ndarray:
    """Return the weights after one step of torch's SGD without momentum."""
    w = tensor(w).clone()
    options = {"momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False, "maximize": False}
    sgd([w], [tensor(g)], [None], lr=lr, foreach=False, **options)
    return w.numpy()


def shape_of(rng: np.random.Generator) -> tuple[int, ...]:
    """Return a random shape of one to four axes."""
    return tuple(int(n) for n in rng.integers(2, 6, int(rng.integers(1, 5))))


def rates_of(rng: np.random.Generator) -> tuple[float, float]:
    """Return a random learning rate and a random beta."""
    return float(rng.uniform(0.01, 0.5)), float(rng.uniform(0.2, 0.8))


# ------------------------------------------------------------------------------------------------------- sgd_step


def _random_plain(rng: np.random.Generator) -> Case:
    shape = shape_of(rng)
    return Case("random", rng.standard_normal(shape), rng.standard_normal(shape), rates_of(rng)[0])


sgd_step = Exercise(
    "sgd_step",
    UNIT,
    points=1,
    parameters=("w", "g", "lr"),
    oracle=plain_step,
    cases=(
        Case("by hand", np.array([1.0, -2.0]), np.array([4.0, 6.0]), 0.5, answer=[-1.0, -5.0]),
        Case("a small rate", normal(3, 4), 5 * normal(3, 4) + 2, 0.01),
        Case("four axes", normal(2, 3, 2, 4), 3 * normal(2, 3, 2, 4) + 1, 0.2),
    ),
    random=_random_plain,
    hints=(
        "The gradient points to where the loss grows. Which way do you want to go, and how far?",
        "Scale the gradient by lr, and take it away from the weights. Let the result be a new array.",
        "`w` minus the product of `lr` and `g`, returned at once; no `-=`, which would write into the caller's w.",
    ),
)


@sgd_step.misconception(
    "climbs", "You add the gradient, so the loss grows. Downhill is against the gradient: subtract."
)
def _(w, g, lr):
    return plain_step(w, g, -lr)


@sgd_step.misconception("ignores-the-rate", "Your step is as long as the gradient. Scale it by lr first.")
def _(w, g, lr):
    return plain_step(w, g, 1.0)


@sgd_step.misconception(
    "divides-by-the-rate", "You divide by lr, so a small rate makes a large step. Multiply by it."
)
def _(w, g, lr):
    return plain_step(w, g, 1 / lr)


@sgd_step.misconception(
    "returns-the-change", "You return the step alone. Return where it leads: the weights after the step."
)
def _(w, g, lr):
    return plain_step(np.zeros(np.shape(w)), g, lr)


@sgd_step.misconception(
    "follows-the-sign-only",
    "You use only the gradient's sign. A steep slope calls for a longer step than a gentle one: multiply lr by the gradient itself.",
)
def _(w, g, lr):
    return plain_step(w, np.sign(g), lr)


@sgd_step.misconception(
    "makes-the-gradient-a-unit-vector",
    "You divide the gradient by its length, so that every step is equally long. Plain gradient descent uses the gradient as it is.",
)
def _(w, g, lr):
    return plain_step(w, g / np.linalg.norm(g), lr)


# -------------------------------------------------------------------------------------------------- momentum_step


def _random_step(rng: np.random.Generator) -> Case:
    (lr, beta), shape = rates_of(rng), shape_of(rng)
    w, v, g = rng.standard_normal((3, *shape))
    return Case("random", w, v, g, lr, beta=beta)


def _steps(by_hand: Any) -> tuple[Case, ...]:
    """Return the open cases that the two forms of momentum share; ``by_hand`` is the answer to the first."""
    w, v, g = np.array([1.0, 2.0]), np.array([0.5, -1.0]), np.array([2.0, 4.0])
    return (
        Case("by hand", w, v, g, 0.1, beta=0.5, answer=by_hand),
        Case("from rest", normal(3), np.zeros(3), 2 * normal(3) + 1, 0.2, beta=0.8, weight=0.5),
        Case("a table", normal(3, 4), normal(3, 4) + 1, 2 * normal(3, 4) - 1, 0.05, beta=0.7),
        Case("beta is 0.9 where it is not given", normal(2, 5), normal(2, 5) ** 2, 4 * normal(2, 5) + 1, 0.3),
        Case("filters", normal(2, 3, 3, 2), normal(2, 3, 3, 2) + 2, -3 * normal(2, 3, 3, 2), 0.4, beta=0.6),
    )


STATE = ("w", "v", "g", "lr", "beta")

momentum_step = Exercise(
    "momentum_step",
    UNIT,
    points=2,
    parameters=STATE,
    returns="the new w and v",
    oracle=torch_step,
    cases=_steps(([0.775, 1.65], [2.25, 3.5])),
    random=_random_step,
    hints=(
        "Two lines, in this order: first the velocity changes, then the weights move. Which velocity do they move by?",
        "The new velocity is what beta leaves of the old one, and all of the gradient. The new weights are the old ones less lr times the "
        "new velocity. The rate stands in the second line only.",
        "`v = beta * ... + ...` makes a new array and does not touch the caller's; then `w - lr * ...` with the v that you have just made. "
        "Return both, w first.",
    ),
)


def add_ideas_about_steps(exercise: Exercise, step: Callable[..., Step]) -> None:
    """Add the wrong ideas that every step with a velocity can suffer from; ``step`` is torch's, as this exercise wants it."""

    @exercise.misconception(
        "climbs",
        "Your weights move the wrong way: the velocity adds up gradients, which point uphill. Subtract lr times v.",
    )
    def _(w, v, g, lr, beta=0.9):
        moved, velocity = step(w, v, g, lr, beta)
        return 2 * np.asarray(w) - moved, velocity

    @exercise.misconception(
        "subtracts-the-gradient",
        "You subtract the gradient from the velocity and then the velocity from the weights: two minus signs, and you climb. Here the "
        "gradient is added to v, and the minus comes once, when w moves.",
    )
    def _(w, v, g, lr, beta=0.9):
        return step(w, v, _negative(g), lr, beta)

    @exercise.misconception(
        "velocity-points-downhill",
        "You subtract the gradient from v and add v to w. That is a way to do it, but not the one asked for: here v adds gradients up, and w "
        "subtracts lr times v.",
    )
    def _(w, v, g, lr, beta=0.9):
        return step(w, v, _negative(g), -lr, beta)

    @exercise.misconception(
        "is-cs231ns-form",
        "This is CS231n's form, v = mu v - lr g and w = w + v: the rate and the minus sign sit in the velocity. Here, as in PyTorch, v "
        "knows nothing of the rate: lr and the minus come when w moves.",
    )
    def _(w, v, g, lr, beta=0.9):
        return step(w, v, _scaled(g, -lr), -1.0, beta)

    @exercise.misconception(
        "puts-the-rate-into-the-velocity",
        "You scale the gradient by lr before it enters the velocity. Then v depends on the rate, and a schedule that lowers lr reaches the "
        "steps only later. Let v collect plain gradients, and multiply by lr when w moves.",
    )
    def _(w, v, g, lr, beta=0.9):
        return step(w, v, _scaled(g, lr), 1.0, beta)

    @exercise.misconception(
        "applies-the-rate-twice",
        "The rate comes in twice, in the velocity and again in the step. It belongs to the step only.",
    )
    def _(w, v, g, lr, beta=0.9):
        return step(w, v, _scaled(g, lr), lr, beta)

    @exercise.misconception(
        "forgets-the-rate",
        "Your velocity is right, but you move w by all of it. The rate says how far: subtract lr times v.",
    )
    def _(w, v, g, lr, beta=0.9):
        velocity = step(w, v, g, lr, beta)[1]
        return plain_step(w, velocity, 1.0), velocity

    @exercise.misconception(
        "returns-the-velocity-times-the-rate",
        "The weights are right, but what you return beside them is the step, lr times v. Return v itself: the next step goes on from it.",
    )
    def _(w, v, g, lr, beta=0.9):
        moved, velocity = step(w, v, g, lr, beta)
        return moved, lr * velocity

    @exercise.misconception(
        "steps-with-the-old-velocity",
        "You move w by the velocity that came in. Bring the velocity up to date first, then move by the new one.",
    )
    def _(w, v, g, lr, beta=0.9):
        return plain_step(w, v, lr), step(w, v, g, lr, beta)[1]

    @exercise.misconception(
        "steps-by-the-gradient-alone",
        "You compute the velocity, but move w by the gradient alone: that is plain gradient descent. Move by lr times v.",
    )
    def _(w, v, g, lr, beta=0.9):
        return plain_step(w, g(w) if callable(g) else g, lr), step(w, v, g, lr, beta)[1]

    @exercise.misconception(
        "ignores-beta",
        "Your answer does not depend on the beta that is handed in. 0.9 is only what it is when nobody says otherwise.",
    )
    def _(w, v, g, lr, beta=0.9):
        return step(w, v, g, lr, 0.9)

    @exercise.misconception(
        "returns-the-velocity-first", "You return the velocity and then the weights. The order is w, v."
    )
    def _(w, v, g, lr, beta=0.9):
        return step(w, v, g, lr, beta)[::-1]

    @exercise.misconception(
        "returns-the-weights-only",
        "The next step needs the velocity too, and nothing keeps it for you: return both, `return w, v`.",
    )
    def _(w, v, g, lr, beta=0.9):
        return step(w, v, g, lr, beta)[0]

    @exercise.misconception(
        "returns-the-old-velocity",
        "The weights are right, but the velocity that you return is the one that came in. Return the new one, or the next step starts without it.",
    )
    def _(w, v, g, lr, beta=0.9):
        return step(w, v, g, lr, beta)[0], np.array(v)


def _scaled(g: Any, factor: float) -> Any:
    """Return ``factor`` times a gradient, or times what a gradient function gives."""
    return (lambda at: factor * g(at)) if callable(g) else factor * np.asarray(g)


def _negative(g: Any) -> Any:
    return _scaled(g, -1.0)


def _average_step(w: Any, v: Any, g: Any, lr: float, beta: float = 0.9) -> Step:
    return torch_step(w, v, g, lr, beta, dampening=beta)


@momentum_step.misconception(
    "is-the-average-form",
    "You give the gradient a weight of 1 - beta, which makes v an average. That is the other common form, and an exercise of its own further "
    "down. Here the whole gradient is added.",
)
def _(w, v, g, lr, beta=0.9):
    return _average_step(w, v, g, lr, beta)


@momentum_step.misconception(
    "puts-beta-on-the-gradient",
    "beta scales the gradient in your code, and the old velocity stays whole, so the ball never slows down. beta belongs to the old velocity.",
)
def _(w, v, g, lr, beta=0.9):
    return torch_step(w, v, _scaled(g, beta), lr, 1.0)


@momentum_step.misconception(
    "never-slows-down",
    "You add up all gradients and forget none, so nothing ever brakes. Multiply the old velocity by beta first.",
)
def _(w, v, g, lr, beta=0.9):
    return torch_step(w, v, g, lr, 1.0)


@momentum_step.misconception(
    "is-nesterovs",
    "The velocity is right, but you move w by g + beta v, which is PyTorch's way to write Nesterov's method. Plain momentum moves by lr times v.",
)
def _(w, v, g, lr, beta=0.9):
    return torch_step(w, v, g, lr, beta, nesterov=True)


add_ideas_about_steps(momentum_step, torch_step)


# ---------------------------------------------------------------------------------------------- ema_momentum_step

ema_momentum_step = Exercise(
    "ema_momentum_step",
    UNIT,
    points=1,
    parameters=STATE,
    returns="the new w and v",
    oracle=_average_step,
    cases=_steps(([0.875, 1.85], [1.25, 1.5])),
    random=_random_step,
    hints=(
        "An average has weights that add up to 1. The old velocity has the weight beta; what is left for the gradient?",
        "The same two lines as in momentum_step, with one factor more, in front of the gradient, in the first line.",
        "In the line of the velocity: `beta * v` and `(1 - beta)` times the gradient, added. The line of the weights stays as it was.",
    ),
)


@ema_momentum_step.misconception(
    "is-the-plain-form",
    "This is the plain form again: the whole gradient is added. In an average the weights add up to 1, so the gradient's is 1 - beta.",
)
def _(w, v, g, lr, beta=0.9):
    return torch_step(w, v, g, lr, beta)


@ema_momentum_step.misconception(
    "swaps-the-shares",
    "The two weights are swapped: beta is what the old velocity keeps, and 1 - beta what the new gradient adds. (Some libraries call the "
    "weight of the new one momentum, as batch norm does in PyTorch.)",
)
def _(w, v, g, lr, beta=0.9):
    return torch_step(w, v, g, lr, 1 - beta, dampening=1 - beta)


@ema_momentum_step.misconception(
    "corrects-for-the-start",
    "You divide by 1 - beta, as Adam does to make up for the start from rest. Here the average is used as it is.",
)
def _(w, v, g, lr, beta=0.9):
    return _average_step(w, v, g, lr / (1 - beta), beta)[0], _average_step(w, v, g, lr, beta)[1]


add_ideas_about_steps(ema_momentum_step, _average_step)
