"""Unit 04: batch normalisation backward, of rows of features and of feature maps.

The oracle is torch.autograd in float64, through the batch's mean and variance. Most wrong ideas leave out or misweigh a
part of it: the gradient of evaluation mode, where mean and variance are constants, is the one part, and what is missing
in it the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course.checks.batch_norm import (
    BY_HAND,
    NO_EPS,
    TRUNCATES,
    TRUNCATES_HINT,
    UNIT,
    Arrays,
    spread,
    truncated,
    values_per_channel,
)
from course.checks.exercise import Case, Exercise, integers, normal
from course.checks.oracle import tensor


def torch_backward(grad_out: Any, x: Any, gamma: Any, eps: float = 1e-5, constants: bool = False) -> Arrays:
    """Return grad_x, grad_gamma, grad_beta by autograd; with ``constants`` mean and variance are held fixed."""
    x, gamma = (tensor(a).clone().requires_grad_() for a in (x, gamma))
    beta = torch.zeros_like(gamma, requires_grad=True)
    rest = [axis for axis in range(x.ndim) if axis != 1]
    mean = x.detach().mean(rest) if constants else None
    var = x.detach().var(rest, correction=0) if constants else None
    out = F.batch_norm(x, mean, var, gamma, beta, not constants, 0.0, eps)
    gradients = torch.autograd.grad(out, (x, gamma, beta), tensor(grad_out))
    return tuple(g.numpy() for g in gradients)  # type: ignore[return-value]


def parts(grad_out: Any, x: Any, gamma: Any, eps: float) -> Arrays:
    """Return the three paths that grad_x is the first less the second less the third of: direct, mean, variance."""
    direct = torch_backward(grad_out, x, gamma, eps, constants=True)[0]
    rest = tuple(axis for axis in range(np.ndim(x)) if axis != 1)
    mean = direct.mean(rest, keepdims=True) + np.zeros_like(direct)
    return direct, mean, direct - mean - torch_backward(grad_out, x, gamma, eps)[0]


def gradient_case(name: str, x: np.ndarray, **options: Any) -> Case:
    """Return a case with a gradient and gamma of its own."""
    rng = np.random.default_rng(x.size)
    return Case(name, rng.standard_normal(x.shape), x, rng.standard_normal(x.shape[1]) + 1, **options)


def random_gradient_case(rng: np.random.Generator, *more_axes: int) -> Case:
    """Return a drawn case: (N, D), or (N, C, H, W) with ``more_axes``."""
    shape = (int(rng.integers(3, 8)), int(rng.integers(2, 6)), *more_axes)
    grad_out, x, gamma = (
        rng.standard_normal(shape),
        3 * rng.standard_normal(shape) + 2,
        rng.standard_normal(shape[1]),
    )
    return Case("random", grad_out, x, gamma, eps=float(rng.uniform(0.1, 1)))


HAND_GRAD = np.array([[1.0], [0.0], [0.0], [0.0]])
HAND_GRAD_X = np.array([3, -2, -1, 0]) / 9
GRADIENT_PARAMETERS = ("grad_out", "x", "gamma", "eps")
GRADIENTS = "three arrays: grad_x, grad_gamma, grad_beta"

batch_norm_backward = Exercise(
    "batch_norm_backward",
    UNIT,
    points=6,
    parameters=GRADIENT_PARAMETERS,
    returns=GRADIENTS,
    oracle=torch_backward,
    cases=(
        Case(
            "by hand, the gradient of the first output",
            *(HAND_GRAD, BY_HAND, np.array([2.0])),
            eps=4.0,
            answer=(HAND_GRAD_X[:, None], [-1.0], [1.0]),
        ),
        gradient_case("one feature", 3 * normal(5, 1) + 2),
        gradient_case("three features", 3 * normal(6, 3) + 2),
        gradient_case("as many features as rows", 2 * normal(4, 4) - 1),
        gradient_case("more features than rows", 2 * normal(3, 5) - 1, eps=0.2),
        gradient_case("a large eps", 2 * normal(5, 2), eps=0.5),
        Case("whole numbers", integers(2, 6).T, integers(6, 2), np.array([1.5, -0.7])),
    ),
    random=random_gradient_case,
    hints=(
        "grad_gamma and grad_beta are sums over the batch, like the gradients of any shared weight. For grad_x, a value of x has three "
        "ways to the loss: directly, through the mean, and through the variance of its column.",
        "Compute the normalised x again, and the root that it was divided by. Let g be grad_out times gamma. From each column of g subtract "
        "its average over the batch (that is the mean's way), and the normalised x times the average of (g times normalised x) "
        "(the variance's way). Divide by the root.",
        "`g = grad_out * gamma`, then g, less `g.mean(axis=0)`, less `hat * (g * hat).mean(axis=0)`, all divided by the root of "
        "(variance + eps). And grad_gamma sums `grad_out * hat` over axis 0, grad_beta sums grad_out.",
    ),
)

batch_norm2d_backward = Exercise(
    "batch_norm2d_backward",
    UNIT,
    points=3,
    parameters=GRADIENT_PARAMETERS,
    returns=GRADIENTS,
    oracle=torch_backward,
    cases=(
        Case(
            "two images of one channel, by hand",
            *(HAND_GRAD.reshape(2, 1, 1, 2), BY_HAND.reshape(2, 1, 1, 2), np.array([2.0])),
            eps=4.0,
            answer=(HAND_GRAD_X.reshape(2, 1, 1, 2), [-1.0], [1.0]),
        ),
        gradient_case("one channel, wide", 3 * normal(3, 1, 2, 5) + 2),
        gradient_case("one channel, high", 3 * normal(2, 1, 4, 3) + 2),
        gradient_case("as many channels as columns", 3 * normal(2, 3, 4, 3) + 2),
        gradient_case("more channels than columns", 3 * normal(3, 4, 3, 2) + 2),
        gradient_case("a single image", 2 * normal(1, 3, 4, 5) + 1),
        gradient_case("a large eps", 2 * normal(2, 2, 4, 3), eps=0.5),
        Case(
            "whole numbers",
            integers(2, 2, 1, 3),
            integers(2, 2, 3, 1).reshape(2, 2, 1, 3),
            np.array([1.5, -0.7]),
        ),
    ),
    random=lambda rng: random_gradient_case(rng, *(int(s) for s in rng.integers(1, 6, 2))),
    hints=(
        "Nothing is new but the axes: a channel's gamma was used at every pixel of every image, and its mean was taken over all of them.",
        "Either take over batch_norm_backward with sums and averages over the axes (0, 2, 3), and gamma as (1, C, 1, 1). Or turn grad_out "
        "and x into rows of C numbers, as in batch_norm2d, call batch_norm_backward, and turn grad_x back.",
        "For the rows: `transpose(0, 2, 3, 1)` then `reshape(-1, C)`, for grad_out as well as for x. The gradient of the rows goes back by "
        "reshape to (N, H, W, C) and `transpose(0, 3, 1, 2)`; the other two are right as they are.",
    ),
)


def shared_idea(name: str, hint: str) -> Callable[[Callable], Callable]:
    """Add the decorated function to the banks of both backwards."""

    def add(wrong: Callable) -> Callable:
        batch_norm_backward.misconception(name, hint)(wrong)
        return batch_norm2d_backward.misconception(name, hint)(wrong)

    return add


@shared_idea(
    "mean-and-variance-as-constants",
    "You treat mean and variance as constants, as in evaluation. In training they are computed from x: a change in one value moves them, "
    "and through them every output of its channel. Two terms are missing in grad_x.",
)
def _(grad_out, x, gamma, eps=1e-5):
    return torch_backward(grad_out, x, gamma, eps, constants=True)


@shared_idea(
    "no-gradient-through-the-variance",
    "grad_x lacks the way through the variance: moving one value also changes what all of its channel is divided by.",
)
def _(grad_out, x, gamma, eps=1e-5):
    direct, mean, _ = parts(grad_out, x, gamma, eps)
    return direct - mean, *torch_backward(grad_out, x, gamma, eps)[1:]


@shared_idea(
    "no-gradient-through-the-mean",
    "grad_x lacks the way through the mean: moving one value also moves what is subtracted from all of its channel. (Each channel of the "
    "right grad_x sums to 0.)",
)
def _(grad_out, x, gamma, eps=1e-5):
    direct, _, variance = parts(grad_out, x, gamma, eps)
    return direct - variance, *torch_backward(grad_out, x, gamma, eps)[1:]


@shared_idea(
    "wrong-sign-of-the-variance-path",
    "The way through the variance has the wrong sign in grad_x. A larger variance makes the outputs smaller: the derivative of "
    "1 / root is negative.",
)
def _(grad_out, x, gamma, eps=1e-5):
    direct, mean, variance = parts(grad_out, x, gamma, eps)
    return direct - mean + variance, *torch_backward(grad_out, x, gamma, eps)[1:]


@shared_idea(
    "half-the-variance-path",
    "The way through the variance counts half in grad_x. The square's 2 and the root's 1/2 cancel: look whether you have both.",
)
def _(grad_out, x, gamma, eps=1e-5):
    direct, mean, variance = parts(grad_out, x, gamma, eps)
    return direct - mean - variance / 2, *torch_backward(grad_out, x, gamma, eps)[1:]


@shared_idea(
    "wrong-sign-of-the-mean-path",
    "The way through the mean has the wrong sign in grad_x. A larger mean makes all the outputs of its channel smaller: its term is "
    "subtracted.",
)
def _(grad_out, x, gamma, eps=1e-5):
    direct, mean, variance = parts(grad_out, x, gamma, eps)
    return direct + mean - variance, *torch_backward(grad_out, x, gamma, eps)[1:]


@shared_idea(
    "a-sum-in-the-mean-path",
    "The way through the mean lacks its one over the count in grad_x: subtract the average of g, not its sum.",
)
def _(grad_out, x, gamma, eps=1e-5):
    direct, mean, variance = parts(grad_out, x, gamma, eps)
    count = values_per_channel(x)
    return direct - count * mean - variance, *torch_backward(grad_out, x, gamma, eps)[1:]


@shared_idea(
    "a-sum-in-the-variance-path",
    "The way through the variance lacks its one over the count in grad_x: it takes the average of g times the normalised x, not their sum.",
)
def _(grad_out, x, gamma, eps=1e-5):
    direct, mean, variance = parts(grad_out, x, gamma, eps)
    count = values_per_channel(x)
    return direct - mean - count * variance, *torch_backward(grad_out, x, gamma, eps)[1:]


@shared_idea(
    "sums-in-place-of-averages",
    "In grad_x you subtract sums where averages belong: the mean and the variance are averages, so each value's share in them is one "
    "over the count.",
)
def _(grad_out, x, gamma, eps=1e-5):
    direct, mean, variance = parts(grad_out, x, gamma, eps)
    count = values_per_channel(x)
    return direct - count * (mean + variance), *torch_backward(grad_out, x, gamma, eps)[1:]


@shared_idea(
    "forgets-gamma",
    "grad_x lacks gamma. The normalised values were multiplied by it on the way to the output, so their gradient is too.",
)
def _(grad_out, x, gamma, eps=1e-5):
    right = torch_backward(grad_out, x, gamma, eps)
    return torch_backward(grad_out, x, np.ones_like(gamma), eps)[0], *right[1:]


@shared_idea(
    "x-in-place-of-normalised-x",
    "Your grad_gamma pairs grad_out with x. What gamma multiplies is the normalised x.",
)
def _(grad_out, x, gamma, eps=1e-5):
    grad_x, grad_gamma, grad_beta = torch_backward(grad_out, x, gamma, eps)
    rest = [axis for axis in range(np.ndim(x)) if axis != 1]
    return grad_x, (tensor(grad_out) * tensor(x)).sum(rest).numpy(), grad_beta


@shared_idea(
    "gamma-in-grad-gamma",
    "Your grad_gamma has gamma in it. The output is gamma times the normalised x, so its derivative by gamma is the normalised x alone: "
    "pair that with grad_out, not with g.",
)
def _(grad_out, x, gamma, eps=1e-5):
    grad_x, grad_gamma, grad_beta = torch_backward(grad_out, x, gamma, eps)
    return grad_x, np.asarray(gamma) * grad_gamma, grad_beta


@shared_idea(
    "gamma-in-the-parameter-gradients",
    "Your grad_gamma and grad_beta have gamma in them. Both are sums of grad_out as it came (for gamma, times the normalised x): grad_out "
    "times gamma is for grad_x.",
)
def _(grad_out, x, gamma, eps=1e-5):
    grad_x, grad_gamma, grad_beta = torch_backward(grad_out, x, gamma, eps)
    return grad_x, np.asarray(gamma) * grad_gamma, np.asarray(gamma) * grad_beta


@shared_idea(TRUNCATES, TRUNCATES_HINT)
def _(grad_out, x, gamma, eps=1e-5):
    grad_x, *others = torch_backward(grad_out, x, gamma, eps)
    return truncated(grad_x, x), *others


@shared_idea(
    "averages-the-parameter-gradients",
    "You average grad_gamma and grad_beta. They are sums: each of the batch's values used gamma and beta once. Where the loss is an "
    "average, grad_out already has that in it.",
)
def _(grad_out, x, gamma, eps=1e-5):
    grad_x, grad_gamma, grad_beta = torch_backward(grad_out, x, gamma, eps)
    return grad_x, grad_gamma / values_per_channel(x), grad_beta / values_per_channel(x)


@shared_idea(
    "swaps-the-gradients",
    "You return grad_beta before grad_gamma. The order is that of the inputs: x, gamma, beta.",
)
def _(grad_out, x, gamma, eps=1e-5):
    grad_x, grad_gamma, grad_beta = torch_backward(grad_out, x, gamma, eps)
    return grad_x, grad_beta, grad_gamma


@shared_idea("returns-only-grad-x", "You return grad_x alone. `return grad_x, grad_gamma, grad_beta`.")
def _(grad_out, x, gamma, eps=1e-5):
    return torch_backward(grad_out, x, gamma, eps)[0]


def rescaled(grad_out: Any, x: Any, gamma: Any, eps: float, by: np.ndarray) -> Arrays:
    """Return the gradients if the normalised values, and the inverse of the root, were ``by`` times as large."""
    direct, mean, variance = parts(grad_out, x, gamma, eps)
    _, grad_gamma, grad_beta = torch_backward(grad_out, x, gamma, eps)
    return by * (direct - mean - by**2 * variance), np.reshape(by, -1) * grad_gamma, grad_beta


@shared_idea(
    "unbiased-variance",
    "You divide the squares by the count less 1 (ddof=1). Forward, the batch was normalised by the plain average of the squares, so "
    "backward is too.",
)
def _(grad_out, x, gamma, eps=1e-5):
    share = 1 - 1 / values_per_channel(x)
    return rescaled(grad_out, x, gamma, eps * share, np.full(1, np.sqrt(share)))


@shared_idea(
    "eps-outside-the-root",
    "You add eps to the standard deviation. It belongs inside the root, added to the variance.",
)
def _(grad_out, x, gamma, eps=1e-5):
    deviation = spread(x, 0)
    return rescaled(grad_out, x, gamma, NO_EPS, deviation / (deviation + eps))


@shared_idea(
    "forgets-eps",
    "Your answer does not depend on eps, or only where the variance is small. eps is added to every variance, before the root; if "
    "another function of yours does the work, hand it on.",
)
def _(grad_out, x, gamma, eps=1e-5):
    return torch_backward(grad_out, x, gamma, NO_EPS)


@batch_norm_backward.misconception(
    "does-not-sum",
    "Your grad_gamma and grad_beta have a row for each sample. One gamma serves the whole batch: sum over axis 0.",
)
def _(grad_out, x, gamma, eps=1e-5):
    grad_x, *_ = torch_backward(grad_out, x, gamma, eps)
    hat = F.batch_norm(tensor(x), None, None, training=True, eps=eps)
    return grad_x, (hat * tensor(grad_out)).numpy(), np.array(grad_out)


@batch_norm2d_backward.misconception(
    "sums-over-the-images-only",
    "Your grad_gamma and grad_beta have the shape (C, H, W). One gamma serves all the pixels of its channel: sum over the axes (0, 2, 3).",
)
def _(grad_out, x, gamma, eps=1e-5):
    hat = F.batch_norm(tensor(x), None, None, training=True, eps=eps)
    sums = (hat * tensor(grad_out)).sum(0).numpy(), tensor(grad_out).sum(0).numpy()
    return torch_backward(grad_out, x, gamma, eps)[0], *sums


@batch_norm2d_backward.misconception(
    "counts-images-only",
    "You divide by N where the mean was taken over N · H · W numbers: all the pixels of the channel count.",
)
def _(grad_out, x, gamma, eps=1e-5):
    direct, mean, variance = parts(grad_out, x, gamma, eps)
    pixels = np.size(x[0, 0])
    return direct - pixels * (mean + variance), *torch_backward(grad_out, x, gamma, eps)[1:]


@batch_norm2d_backward.misconception(
    "statistics-per-pixel",
    "You average over the images only, so every pixel is normalised by itself. All the pixels of a channel share one mean and one variance: "
    "use the axes (0, 2, 3).",
)
def _(grad_out, x, gamma, eps=1e-5):
    if len(x) == 1:
        return np.zeros(np.shape(x)), np.zeros(len(gamma)), torch_backward(grad_out, x, gamma, eps)[2]
    pixels = np.size(x[0, 0])
    flat_grad, flat = tensor(grad_out).flatten(1), tensor(x).flatten(1)
    grad_x, *sums = torch_backward(flat_grad, flat, np.repeat(gamma, pixels), eps)
    return grad_x.reshape(np.shape(x)), *(s.reshape(len(gamma), pixels).sum(1) for s in sums)


@batch_norm2d_backward.misconception(
    "reshapes-without-transposing",
    "`reshape(-1, C)` cuts the array into pieces of C neighbouring pixels; they are not the C channels of one pixel. Bring the channels last "
    "with transpose before you reshape.",
)
def _(grad_out, x, gamma, eps=1e-5):
    grad_rows, rows = (tensor(a).reshape(-1, len(gamma)) for a in (grad_out, x))
    grad_x, *sums = torch_backward(grad_rows, rows, gamma, eps)
    return grad_x.reshape(np.shape(x)), *sums


@batch_norm2d_backward.misconception(
    "reshapes-one-without-transposing",
    "You bring the channels last in x, but grad_out only goes through reshape. Its rows must be the same pixels as those of x: transpose both "
    "before you reshape.",
)
def _(grad_out, x, gamma, eps=1e-5):
    n, c, h, w = np.shape(x)
    paired = np.reshape(grad_out, (n, h, w, c)).transpose(0, 3, 1, 2)
    return torch_backward(paired, x, gamma, eps)


@batch_norm2d_backward.misconception(
    "reshapes-back-without-transposing",
    "The numbers of grad_x are right but in the wrong places: rows of C numbers become (N, H, W, C) by reshape, and only a transpose makes "
    "(N, C, H, W) of that.",
)
def _(grad_out, x, gamma, eps=1e-5):
    grad_x, *sums = torch_backward(grad_out, x, gamma, eps)
    return grad_x.transpose(0, 2, 3, 1).reshape(grad_x.shape), *sums
