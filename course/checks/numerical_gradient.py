"""Unit 02: the gradient of any function, by nudging its input.

The oracle is torch.autograd in float64, on the same expression that the student's side gets as a NumPy function, averaged
over the way from one nudge to the other. A misconception is that gradient with one wrong idea put into it; what a step that
is not centred costs follows from the second derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course.checks.compare import matches, tolerance
from course.checks.exercise import Case, Exercise, integers, normal
from course.checks.oracle import tensor
from course.checks.recipe import function, is_recipe

UNIT = "02-convolution-backward"


# ---------------------------------------------------------------------------------------------- numerical_gradient


def in_torch(f: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the function of a recipe, or the one made from it, as a function of tensors."""
    expression = f["expression"] if is_recipe(f) else f.__name__
    return eval(f"lambda x: {expression}", {"np": torch})


def torch_gradient(f: Any, x: Any, eps: float = 1e-5) -> np.ndarray:
    """Return the slopes of f, averaged over the way from x - eps to x + eps by Simpson's rule, which is exact for cubes."""
    at = tensor(x)
    steps = eps * tensor(np.eye(at.numel())).reshape(-1, *at.shape)
    below, here, above = (slopes(f, at + way * steps) for way in (-1, 0, 1))
    return ((below + 4 * here + above) / 6).reshape(at.shape).numpy()


def slopes(f: Any, places: torch.Tensor) -> torch.Tensor:
    """Return the slope of f in its first number at the first place, in its second at the second and so on, by autograd."""
    places = places.clone().requires_grad_()
    total = torch.stack([in_torch(f)(place) for place in places]).sum()
    return torch.autograd.grad(total, places)[0].flatten(1).diag()


def second_derivatives(f: Any, x: Any) -> np.ndarray:
    """Return the matrix of second derivatives of f at x, a row for each element of x."""
    at = tensor(x).flatten()
    shape = np.shape(x)
    return torch.autograd.functional.hessian(lambda flat: in_torch(f)(flat.reshape(shape)), at).numpy()


EXPRESSIONS = (
    "np.sum(x ** 3)",
    "np.sum(np.exp(2 * x))",
    "np.sum(x) ** 2 + np.sum(np.sin(x))",
    "np.sum(np.cos(x)) * np.sum(x ** 2)",
)


def _random_function(rng: np.random.Generator) -> Case:
    shape = tuple(int(n) for n in rng.integers(2, 4, int(rng.integers(2, 4))))
    return Case("random", function(EXPRESSIONS[rng.integers(len(EXPRESSIONS))]), rng.standard_normal(shape))


numerical_gradient = Exercise(
    "numerical_gradient",
    UNIT,
    points=3,
    parameters=("f", "x", "eps"),
    returns="an array of the shape of x",
    oracle=torch_gradient,
    cases=(
        Case("squares", function("np.sum(x ** 2)"), np.array([1.0, -2.0, 3.0]), answer=[2, -4, 6]),
        Case("a product", function("np.prod(x)"), np.array([2.0, 3.0, 4.0]), answer=[12, 8, 6]),
        Case("a table of numbers", function("np.sum(np.exp(3 * x))"), normal(2, 3)),
        Case("four axes", function("np.sum(np.sin(x)) * np.sum(x ** 2)"), normal(2, 1, 2, 3)),
        Case("whole numbers", function("np.sum(x ** 2) + np.sum(np.sin(x))"), integers(4)),
        Case("a larger eps", function("np.sum(x) ** 2 + np.sum(x ** 3)"), normal(3, 2), eps=0.1),
    ),
    random=_random_function,
    hints=(
        "Begin with a single number of x: what is f when it is a little larger, and a little smaller, and all others stay? "
        "Then do the same for the next number, starting from the original x again.",
        "Make a float copy of x and an array of zeros for the answer. Loop over all positions, whatever the shape; in each "
        "round change the copy at one position upwards, call f, change it downwards, call f, and put the old value back.",
        "`np.ndindex(x.shape)` gives each position as a tuple. With `nudged = x.astype(float)` (always a copy): set "
        "`nudged[place] = x[place] + eps`, call f, the same with minus, then `nudged[place] = x[place]`. The answer there is "
        "the difference of the two values divided by `(2 * eps)`.",
    ),
)


def _is_multiple(error: np.ndarray, of: np.ndarray) -> bool:
    """Return whether an error is a small multiple of ``of``, whatever the size of the step that made it."""
    size = float(np.sum(of**2))
    if size == 0:
        return False
    factor = float(np.sum(error * of)) / size
    return 0 < abs(factor) < 0.2 and bool(np.linalg.norm(error - factor * of) < 0.05 * np.linalg.norm(error))


def _error_like(shape_of_error: Callable[[np.ndarray], np.ndarray]):
    """Return a test for answers that are off by a multiple of something made from the second derivatives."""

    def when(value: Any, f: Any, x: Any, eps: float = 1e-5) -> bool:
        right, got = torch_gradient(f, x, eps), np.asarray(value, dtype=float)
        if (
            got.shape != right.shape
            or np.abs(got - right).max() < tolerance(right.dtype) * np.abs(right).max()
        ):
            return False
        return _is_multiple((got - right).ravel(), shape_of_error(second_derivatives(f, x)))

    return when


@numerical_gradient.misconception(
    "nudges-one-way",
    "You compare f at x with f at a nudged x, on one side only. That is off by half of eps times the curve of f. Nudge up "
    "and down: the two errors cancel.",
    when=_error_like(np.diag),
)
def _(f, x, eps=1e-5):
    return torch_gradient(f, x, eps) + eps / 2 * np.diag(second_derivatives(f, x)).reshape(np.shape(x))


@numerical_gradient.misconception(
    "does-not-put-it-back",
    "Each number that you have nudged stays nudged while you go on to the next, so the later ones are measured at another "
    "place. Put the old value back first.",
    when=_error_like(lambda second: np.tril(second, -1).sum(1)),
)
def _(f, x, eps=1e-5):
    return torch_gradient(f, x, eps) - eps * np.tril(second_derivatives(f, x), -1).sum(1).reshape(np.shape(x))


@numerical_gradient.misconception(
    "divides-by-eps",
    "Your gradient is twice too large: from x - eps to x + eps the way is 2 * eps long.",
)
def _(f, x, eps=1e-5):
    return 2 * torch_gradient(f, x, eps)


@numerical_gradient.misconception(
    "halves-it-once-more",
    "Your gradient is half of what it should be: 2 * eps is the way between two nudges, one up and one down. From x itself to "
    "x + eps it would be eps; nudge both ways.",
    when=lambda value, f, x, eps=1e-5: (
        np.shape(value) == np.shape(x)
        and bool(
            np.abs(2 * np.asarray(value) - torch_gradient(f, x, eps)).max()
            < 0.01 * np.abs(torch_gradient(f, x, eps)).max()
        )
    ),
)
def _(f, x, eps=1e-5):
    return torch_gradient(f, x, eps) / 2


@numerical_gradient.misconception(
    "forgets-the-brackets",
    "`difference / 2 * eps` divides by 2 and then multiplies by eps. Put brackets around (2 * eps).",
)
def _(f, x, eps=1e-5):
    return eps**2 * torch_gradient(f, x, eps)


@numerical_gradient.misconception(
    "divides-the-second-value-only",
    "Division comes before subtraction: `above - below / (2 * eps)` divides only the second value. Put brackets around the "
    "difference.",
)
def _(f, x, eps=1e-5):
    value, gradient = float(in_torch(f)(tensor(x))), torch_gradient(f, x, eps)
    return value + eps * gradient - (value - eps * gradient) / (2 * eps)


@numerical_gradient.misconception(
    "does-not-divide",
    "You return how much f changes. The gradient is how much it changes for each unit of x: divide by the way, 2 * eps.",
)
def _(f, x, eps=1e-5):
    return 2 * eps * torch_gradient(f, x, eps)


@numerical_gradient.misconception(
    "points-downhill",
    "Your signs are turned round. The gradient is positive where f grows with x: take f above minus f below.",
)
def _(f, x, eps=1e-5):
    return -torch_gradient(f, x, eps)


@numerical_gradient.misconception(
    "nudges-all-at-once",
    "You get one number for all of x: you nudge them together (`x + eps` moves every number), or you add their slopes up. The "
    "gradient says for each number what it alone does: nudge one, leave the rest, and keep its slope in its own place.",
    when=lambda value, f, x, eps=1e-5: (
        torch_gradient(f, x, eps).size > 1
        and any(
            matches(value, a) for a in (torch_gradient(f, x, eps).sum(), _filled(torch_gradient(f, x, eps)))
        )
    ),
)
def _(f, x, eps=1e-5):
    return _filled(torch_gradient(f, x, eps))


def _filled(gradient: np.ndarray) -> np.ndarray:
    return np.full_like(gradient, gradient.sum())


@numerical_gradient.misconception(
    "nudges-whole-rows",
    "You loop over the first axis only, and so nudge a whole row (or plane) at a time. Visit every single number: "
    "np.ndindex(x.shape) gives all positions, whatever the shape.",
    when=lambda value, f, x, eps=1e-5: (
        np.shape(value) == np.shape(x)
        and any(_is_near(part * np.asarray(value), _of_rows(torch_gradient(f, x, eps))) for part in (1, 2))
    ),
)
def _(f, x, eps=1e-5):
    return _of_rows(torch_gradient(f, x, eps))


def _of_rows(gradient: np.ndarray) -> np.ndarray:
    return np.broadcast_to(gradient.sum(tuple(range(1, gradient.ndim)), keepdims=True), gradient.shape)


def _is_near(value: np.ndarray, answer: np.ndarray) -> bool:
    """Return whether two arrays agree but for the curve of f: half an answer comes from an old row that was a view, and moved."""
    return bool(np.abs(value - answer).max() < 0.01 * np.abs(answer).max())


@numerical_gradient.misconception(
    "returns-it-flat",
    "The numbers are right but they come in one row. The gradient has the shape of x.",
)
def _(f, x, eps=1e-5):
    return torch_gradient(f, x, eps).ravel()


@numerical_gradient.misconception(
    "nudges-whole-numbers",
    "x holds whole numbers here, and an array of whole numbers cannot hold x + eps: it cuts off what comes after the point, "
    "without a word. Work on a float copy, x.astype(float).",
    when=lambda value, f, x, eps=1e-5: (
        np.asarray(x).dtype.kind in "iu"
        and np.shape(value) == np.shape(x)
        and bool(np.abs(value).max() > 1000 * np.abs(torch_gradient(f, x, eps)).max())
    ),
)
def _(f, x, eps=1e-5):
    gradient = torch_gradient(f, x, eps)
    return gradient / (2 * eps) if np.asarray(x).dtype.kind in "iu" else gradient


@numerical_gradient.misconception(
    "answers-in-whole-numbers",
    "x holds whole numbers here, so np.zeros_like(x) makes an array of whole numbers, and your gradient loses what comes "
    "after the point. Use np.zeros(x.shape).",
    when=lambda value, f, x, eps=1e-5: (
        np.asarray(x).dtype.kind in "iu"
        and np.shape(value) == np.shape(x)
        and np.array_equal(value, np.trunc(value))
        and bool(np.abs(value - torch_gradient(f, x, eps)).max() < 1.01)
    ),
)
def _(f, x, eps=1e-5):
    gradient = torch_gradient(f, x, eps)
    return np.trunc(gradient) if np.asarray(x).dtype.kind in "iu" else gradient


@numerical_gradient.misconception(
    "ignores-eps",
    "Your nudge has the same size whatever eps is. Nudge by the eps that the function is given: its default stands in the first "
    "line, so do not set it again.",
)
def _(f, x, eps=1e-5):
    return torch_gradient(f, x)


@numerical_gradient.misconception(
    "calls-f-at-x",
    "Your gradient is 0 everywhere: f gives the same twice, so it does not see the nudge. If you nudge a copy of x, call f with "
    "that copy.",
)
def _(f, x, eps=1e-5):
    return np.zeros(np.shape(x))
