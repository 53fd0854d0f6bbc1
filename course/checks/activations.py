"""Unit 03: ReLU, its gradient, leaky ReLU, and counting units that are dead.

The oracle is torch in float64, its gradients by autograd. A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course.checks.compare import matches
from course.checks.exercise import Case, Exercise, Refusal, integers, normal, runs_into
from course.checks.oracle import gradient, tensor

UNIT = "03-pooling-and-activations"

SIGNS = np.array([-2.0, 0.0, 3.0, -0.5])


def _random_shape(rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(size) for size in rng.integers(2, 6, int(rng.integers(2, 5))))


# ----------------------------------------------------------------------------------------------------------- relu


def torch_relu(x: Any) -> np.ndarray:
    """Return ReLU, by torch."""
    return F.relu(tensor(x)).numpy()


relu = Exercise(
    "relu",
    UNIT,
    points=1,
    parameters=("x",),
    oracle=torch_relu,
    cases=(
        Case("four values, by hand", SIGNS, answer=[0.0, 0.0, 3.0, 0.0]),
        Case("a table", 3 * normal(4, 5)),
        Case("a batch of maps", 2 * normal(2, 3, 4, 5)),
        Case("whole numbers", integers(3, 4)),
    ),
    random=lambda rng: Case("random", 2 * rng.standard_normal(_random_shape(rng))),
    hints=(
        "Which of two numbers, x and 0, is the answer for each value?",
        "NumPy has a function that takes the larger of two arrays, value by value, and one of the two may be the number 0.",
        "np.maximum does that. (np.max is another function: its second argument is an axis.)",
    ),
)


@relu.misconception(
    "takes-the-maximum-along-an-axis",
    "np.max(x, 0) is the largest value along axis 0. For the larger of two values, place by place, there is np.maximum.",
)
def _(x):
    return tensor(x).amax(0).numpy()


@relu.misconception(
    "drops-the-sign", "You take the absolute value. What is negative becomes 0, not positive."
)
def _(x):
    return np.abs(x)


@relu.misconception(
    "keeps-the-negatives",
    "You keep the negative values and set the positive ones to 0: it is the other way round (maximum, not minimum).",
)
def _(x):
    return -torch_relu(-tensor(x))


@relu.misconception(
    "returns-the-mask",
    "You return whether x is positive (0 or 1), not the value. That is the slope of ReLU; the output is x itself where x > 0.",
)
def _(x):
    return (tensor(x) > 0).double().numpy()


@relu.misconception(
    "stops-at-one", "You cut off above 1 as well. ReLU has no upper end, and that is its point."
)
def _(x):
    return torch_relu(x).clip(max=1)


@relu.misconception("leaks", "Negative values become exactly 0. What leaks a little is the leaky ReLU.")
def _(x):
    return F.leaky_relu(tensor(x)).numpy()


@relu.misconception("squashes", "That is the sigmoid. ReLU leaves positive values as they are.")
def _(x):
    return torch.sigmoid(tensor(x)).numpy()


@relu.misconception(
    "removes-the-negatives",
    "You pick the positive values only (`x[x > 0]`), and lose their places. The output has the shape of x.",
)
def _(x):
    values = tensor(x)
    return values[values > 0].numpy()


@relu.misconception(
    "compares-the-whole-array",
    "Python's max and `if` want one True or False, and an array has one for each value. np.maximum takes the larger of two, value by value.",
)
def _(x):
    raise runs_into("ValueError", words="truth value")


# -------------------------------------------------------------------------------------------------- relu_backward


def torch_relu_backward(grad_out: Any, x: Any) -> np.ndarray:
    """Return the gradient of ReLU, by autograd; torch takes 0 for the slope at 0."""
    return gradient(F.relu, grad_out, x)


def _random_relu_backward(rng: np.random.Generator) -> Case:
    shape = _random_shape(rng)
    return Case("random", rng.standard_normal(shape), rng.standard_normal(shape))


relu_backward = Exercise(
    "relu_backward",
    UNIT,
    points=2,
    parameters=("grad_out", "x"),
    oracle=torch_relu_backward,
    cases=(
        Case(
            "positive and negative, by hand",
            np.array([5.0, 6.0, -7.0]),
            np.array([-2.0, 3.0, 4.0]),
            answer=[0.0, 6.0, -7.0],
        ),
        Case(
            "zeros in x, by hand",
            np.array([5.0, -6.0, 7.0]),
            np.array([0.0, 0.0, 2.0]),
            answer=[0.0, 0.0, 7.0],
            weight=2,
        ),
        Case("a table", normal(4, 5), 3 * normal(5, 4).T),
        Case("a batch of maps", normal(2, 3, 4, 5), normal(2, 3, 5, 4).swapaxes(2, 3)),
        Case("whole numbers in x", normal(3, 4), integers(3, 4)),
    ),
    random=_random_relu_backward,
    hints=(
        "The slope of ReLU is 1 on one side and 0 on the other. Which of the two arrays decides the side?",
        "The gradient passes unchanged where x was positive, and is stopped where it was not. The sign of grad_out plays no part.",
        "`x > 0` is True and False; multiplied with numbers, True counts as 1. Make a new array: `grad_out[x <= 0] = 0` would write "
        "into the caller's.",
    ),
)


@relu_backward.misconception(
    "applies-relu-to-the-gradient",
    "You keep the positive gradients. Whether a gradient passes is decided by the sign of x, the input of the forward pass; "
    "negative gradients pass as well.",
)
def _(grad_out, x):
    return torch_relu(grad_out)


@relu_backward.misconception(
    "stops-negative-gradients-too",
    "You stop gradients that are negative as well (guided backpropagation does that, to draw pictures). Only the sign of x decides.",
)
def _(grad_out, x):
    return torch_relu_backward(torch_relu(grad_out), x)


@relu_backward.misconception(
    "passes-at-zero",
    "At x = 0 you let the gradient pass: your slope there is 1. ReLU has a corner at 0 and any slope from 0 to 1 could be "
    "defended; this course, like torch, takes 0. Use > in place of >=.",
)
def _(grad_out, x):
    return torch_relu_backward(grad_out, tensor(x) + (tensor(x) == 0))


@relu_backward.misconception(
    "half-at-zero",
    "At x = 0 your slope is 0.5. It could be defended, since ReLU has a corner there; this course, like torch, takes 0.",
)
def _(grad_out, x):
    corner = (tensor(x) == 0).numpy()
    return torch_relu_backward(grad_out, x) + 0.5 * np.where(corner, grad_out, 0)


@relu_backward.misconception(
    "forgets-grad-out",
    "You return the slope of ReLU, 0 or 1. The chain rule multiplies it by the gradient that arrives, grad_out.",
)
def _(grad_out, x):
    return torch_relu_backward(np.ones_like(grad_out), x)


@relu_backward.misconception(
    "multiplies-by-the-output",
    "You multiply grad_out by relu(x), the output. The chain rule takes the slope: 1 where x is positive, else 0.",
)
def _(grad_out, x):
    return torch_relu_backward(grad_out, x) * x


@relu_backward.misconception(
    "masks-the-wrong-side", "You stop the gradient where x is positive: it passes there, and nowhere else."
)
def _(grad_out, x):
    return torch_relu_backward(grad_out, -tensor(x))


@relu_backward.misconception(
    "lets-everything-pass",
    "You hand the whole gradient back. Where x was not positive the output did not depend on x, so its gradient is 0.",
)
def _(grad_out, x):
    return np.array(grad_out)


@relu_backward.misconception(
    "swaps-the-arguments",
    "You have grad_out and x the wrong way round: the gradient that arrives comes first, x (which decides where it passes) second.",
)
def _(grad_out, x):
    return torch_relu_backward(x, grad_out)


@relu_backward.misconception(
    "takes-the-dtype-of-x",
    "When x holds whole numbers, your gradient does too, and loses what comes after the decimal point: np.zeros_like(x) takes over the "
    "dtype of x. np.zeros(x.shape) makes floats.",
)
def _(grad_out, x):
    answer = torch_relu_backward(grad_out, x)
    return np.trunc(answer) if x.dtype.kind in "iu" else answer


@relu_backward.misconception(
    "compares-the-whole-array",
    "Python's `if` and `and` want one True or False, and `x > 0` has one for each value. Multiply by it, or let np.where choose.",
)
def _(grad_out, x):
    raise runs_into("ValueError", words="truth value")


# ----------------------------------------------------------------------------------------------------- leaky_relu


def torch_leaky_relu(x: Any, slope: float = 0.01) -> np.ndarray:
    """Return leaky ReLU, by torch."""
    return F.leaky_relu(tensor(x), slope).numpy()


leaky_relu = Exercise(
    "leaky_relu",
    UNIT,
    points=1,
    parameters=("x", "slope"),
    oracle=torch_leaky_relu,
    cases=(
        Case("four values, by hand", SIGNS, 0.1, answer=[-0.2, 0.0, 3.0, -0.05]),
        Case("the slope left out", 3 * normal(4, 5)),
        Case("a batch of maps", 2 * normal(2, 3, 4, 5), slope=0.2),
        Case("slope 0 is plain ReLU", normal(3, 4), slope=0.0, weight=0.5),
        Case("whole numbers", integers(3, 4), slope=0.3),
    ),
    random=lambda rng: Case(
        "random", 2 * rng.standard_normal(_random_shape(rng)), slope=float(rng.random() * 0.9)
    ),
    hints=(
        "For x > 0 nothing changes. For the others, what is the answer at x = -2 with slope 0.1?",
        "Two formulas, one for each side: np.where picks between two arrays, value by value.",
        "Where x > 0 it is x, elsewhere `slope * x`.",
    ),
)


@leaky_relu.misconception(
    "leaks-on-the-wrong-side",
    "You shrink the positive values and keep the negative ones. The slope belongs to the negative side.",
)
def _(x, slope=0.01):
    return -torch_leaky_relu(-tensor(x), slope)


@leaky_relu.misconception("does-not-leak", "Your negative values become 0: they should become slope * x.")
def _(x, slope=0.01):
    return torch_relu(x)


@leaky_relu.misconception(
    "leaks-a-constant",
    "Your negative values all become slope, or -slope. They should become slope times x: a line, not a step.",
    when=lambda value, x, slope=0.01: any(
        np.shape(value) == x.shape and np.allclose(value, torch_relu(x) + sign * slope * (x < 0))
        for sign in (1, -1)
    ),
)
def _(x, slope=0.01):
    return torch_relu(x) + slope * (x < 0)


@leaky_relu.misconception(
    "always-one-hundredth", "Your slope is 0.01 whatever the argument says: use the name slope."
)
def _(x, slope=0.01):
    return torch_leaky_relu(x)


@leaky_relu.misconception(
    "leaks-upwards",
    "Your negative values come out positive: slope times the absolute value. They stay negative, and become small.",
)
def _(x, slope=0.01):
    return torch_leaky_relu(x, -slope)


@leaky_relu.misconception(
    "divides-by-the-slope",
    "You divide negative values by slope. They should become smaller: multiply.",
)
def _(x, slope=0.01):
    if slope == 0:
        raise Refusal("division by zero")
    return torch_leaky_relu(x, 1 / slope)


@leaky_relu.misconception(
    "adds-a-leak-to-everything",
    "You add slope * x everywhere, so the positive side is too steep: it stays x there.",
)
def _(x, slope=0.01):
    return torch_relu(x) + slope * np.asarray(x)


@leaky_relu.misconception(
    "bends-like-elu",
    "Your negative side is a curve that levels off: that is the ELU. The leaky ReLU is a straight line there.",
)
def _(x, slope=0.01):
    return F.elu(tensor(x), slope).numpy()


@leaky_relu.misconception(
    "takes-the-dtype-of-x",
    "When x holds whole numbers, your answer does too, and loses what comes after the decimal point: x.copy() and np.zeros_like(x) take "
    "over the dtype of x. Make a new array of floats, as np.where does.",
)
def _(x, slope=0.01):
    answer = torch_leaky_relu(x, slope)
    return np.trunc(answer) if x.dtype.kind in "iu" else answer


@leaky_relu.misconception(
    "multiplies-whole-numbers-in-place",
    "When x holds whole numbers, so does its copy, and `*=` cannot put fractions into it. Make a new array of floats, as np.where does.",
)
def _(x, slope=0.01):
    if x.dtype.kind in "iu":
        raise runs_into("UFuncTypeError", words="Cannot cast ufunc")
    return torch_leaky_relu(x, slope)


@leaky_relu.misconception(
    "compares-the-whole-array",
    "Python's max and `if` want one True or False, and an array has one for each value. np.where chooses value by value.",
)
def _(x, slope=0.01):
    raise runs_into("ValueError", words="truth value")


# -------------------------------------------------------------------------------------------------- dead_fraction


def torch_dead_fraction(activations: Any) -> float:
    """Return the share of columns without a positive value, by torch."""
    return float((tensor(activations).amax(0) <= 0).double().mean())


def _activations(rng: np.random.Generator, rows: int, units: int) -> np.ndarray:
    """Return activations after a ReLU: most of them 0, about a third of the units dead, some rows all silent."""
    values = rng.standard_normal((rows, units)) * (rng.random((rows, units)) < 0.6)
    values *= rng.random(units) < 0.7
    values *= rng.random((rows, 1)) < 0.8
    return np.maximum(values, 0)


def _drawn(seed: int, rows: int, units: int) -> np.ndarray:
    return _activations(np.random.default_rng(seed), rows, units)


ONE_DEAD = np.array([[0.0, 3.0, 0.0, 1.0], [0.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 5.0]])
HARDLY_AWAKE = np.array([[0.0, 0.0005, 0.0, 0.3], [0.0, 0.0, 0.2, 0.0]])

dead_fraction = Exercise(
    "dead_fraction",
    UNIT,
    points=2,
    parameters=("activations",),
    returns="one number from 0 to 1",
    oracle=torch_dead_fraction,
    cases=(
        Case("one of four units, by hand", ONE_DEAD, answer=0.25),
        Case("a row that is all silent", np.vstack([ONE_DEAD, np.zeros((1, 4))]), answer=0.25),
        Case("a unit that hardly answers", HARDLY_AWAKE, answer=0.25),
        Case("more examples than units", _drawn(1, 12, 5)),
        Case("more units than examples", _drawn(2, 3, 17)),
        Case("one example", _drawn(5, 1, 8) + np.eye(1, 8, 3)),
        Case("no unit is dead", 1 + np.abs(normal(4, 3)), answer=0.0, weight=0.5),
        Case("all are dead", np.zeros((3, 6)), answer=1.0, weight=0.5),
    ),
    random=lambda rng: Case("random", _activations(rng, *(int(v) for v in rng.integers([2, 3], [9, 20])))),
    hints=(
        "A unit is a column. What does a column look like when its unit was silent for every example?",
        "First one True or False for each unit: is its whole column 0? Then the share of True among the units.",
        "`activations == 0` is True or False everywhere; `.all(axis=0)` makes one answer a column, and the mean of True and False is "
        "the share of True.",
    ),
)


@dead_fraction.misconception(
    "counts-zeros",
    "You return the share of zeros among all activations. A unit is dead only when it is 0 for *every* example; to be silent "
    "for some is its work.",
)
def _(activations):
    return float((tensor(activations) <= 0).double().mean())


@dead_fraction.misconception(
    "looks-along-the-rows",
    "You count the examples (rows) for which every unit is silent. A unit is a column: look along axis 0.",
)
def _(activations):
    return torch_dead_fraction(activations.T)


@dead_fraction.misconception(
    "counts-any-silence",
    "You count a unit as dead when it is silent for one example or more. It must be silent for all of them (all, not any).",
)
def _(activations):
    return float((tensor(activations).amin(0) <= 0).double().mean())


@dead_fraction.misconception(
    "counts-the-living", "You return the share of the living: the dead are the rest."
)
def _(activations):
    return 1 - torch_dead_fraction(activations)


@dead_fraction.misconception(
    "returns-a-count", "You return how many units are dead. Divide by the number of units."
)
def _(activations):
    return torch_dead_fraction(activations) * activations.shape[1]


@dead_fraction.misconception(
    "divides-by-the-examples",
    "You divide the number of dead units by the number of examples. A fraction of the units is divided by the number of units, shape[1].",
)
def _(activations):
    return torch_dead_fraction(activations) * activations.shape[1] / activations.shape[0]


@dead_fraction.misconception(
    "returns-one-answer-a-unit", "You return which units are dead, one answer each. Take the mean of these."
)
def _(activations):
    return (tensor(activations).amax(0) <= 0).double().numpy()


@dead_fraction.misconception(
    "counts-the-mostly-silent",
    "You count the units that are silent for most of the examples. One example for which a unit answers is enough to be alive.",
)
def _(activations):
    return float(((tensor(activations) <= 0).double().mean(0) > 0.5).double().mean())


def _below(limit: float, activations: Any) -> list[float]:
    """Return the share of columns whose largest value, and that of those whose mean, is below a limit."""
    values = tensor(activations)
    return [float((column < limit).double().mean()) for column in (values.amax(0), values.mean(0))]


@dead_fraction.misconception(
    "takes-little-for-nothing",
    "You count a unit as dead when its answers are small. However little it answers, it is alive: compare with 0 itself.",
    when=lambda value, activations: any(
        matches(value, share)
        for limit in (0.5, 0.2, 0.1, 0.01, 0.001)
        for share in _below(limit, activations)
    ),
)
def _(activations):
    return _below(0.2, activations)[0]
