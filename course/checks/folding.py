"""Unit 04: batch normalisation folded into the convolution before it.

The oracle is torch's own fusion of the two, in float64. A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch.nn.utils.fusion import fuse_conv_bn_weights

from course.checks.batch_norm import TRUNCATES, UNIT, truncated
from course.checks.compare import matches
from course.checks.exercise import Case, Exercise, Refusal, integers, normal
from course.checks.oracle import tensor


def torch_fold(w, b, gamma, beta, running_mean, running_var, eps=1e-5) -> tuple[np.ndarray, np.ndarray]:
    """Return the filters and biases of the one convolution, by torch."""
    w, b, gamma, beta, mean, var = (tensor(a) for a in (w, b, gamma, beta, running_mean, running_var))
    weights, bias = fuse_conv_bn_weights(w, b, mean, var, eps, gamma, beta)
    return weights.detach().numpy(), bias.detach().numpy()


def fold_case(name: str, *shape: int, **options: Any) -> Case:
    """Return a case with filters of ``shape`` and parameters that are all different from each other."""
    b, gamma, beta, mean, var = np.random.default_rng(sum(shape)).standard_normal((5, shape[0]))
    return Case(name, normal(*shape), b, gamma, beta, mean, var**2 + 0.5, **options)


def _random_fold(rng: np.random.Generator) -> Case:
    shape = tuple(int(s) for s in rng.integers(2, 5, 4))
    b, gamma, beta, mean, var = rng.standard_normal((5, shape[0]))
    return Case(
        "random",
        rng.standard_normal(shape),
        b,
        gamma,
        beta,
        mean,
        var**2 + 0.5,
        eps=float(rng.uniform(0.1, 1)),
    )


WHOLE_NUMBERS = Case(
    "whole numbers", integers(3, 2, 2, 4), integers(3), *np.random.default_rng(3).uniform(0.5, 2, (4, 3))
)

fold_batch_norm = Exercise(
    "fold_batch_norm",
    UNIT,
    points=3,
    parameters=("w", "b", "gamma", "beta", "running_mean", "running_var", "eps"),
    returns="two arrays: w, b",
    oracle=torch_fold,
    cases=(
        Case(
            "one weight, by hand",
            *(np.full((1, 1, 1, 1), 3.0), *(np.array([v]) for v in (7.0, 2.0, 10.0, 1.0, 5.0))),
            eps=4.0,
            answer=([[[[2.0]]]], [14.0]),
        ),
        fold_case("one filter", 1, 1, 3, 2),
        fold_case("three filters of three channels, 3 by 3", 3, 3, 3, 3),
        fold_case("more filters than channels", 4, 2, 3, 2),
        fold_case("fewer filters than channels", 2, 5, 1, 3),
        fold_case("a large eps", 3, 2, 2, 3, eps=0.5),
        WHOLE_NUMBERS,
    ),
    random=_random_fold,
    hints=(
        "Write down what happens to one output: (w · window + b - mean) / root · gamma + beta. Multiply the bracket out: which factor "
        "stands before w, and what is left over?",
        "Each filter has one factor, gamma over the root of (running_var + eps), of shape (O,). The new w is the old one times its filter's "
        "factor. The new b is what comes out where w · window is 0.",
        "`factor = gamma / np.sqrt(...)`. For w it needs the shape (O, 1, 1, 1), since O is the first axis. For b: subtract running_mean from "
        "the old b, times factor, plus beta.",
    ),
)


@fold_batch_norm.misconception(
    "forgets-the-bias",
    "The convolution's own bias is gone. It was added before the normalisation, so it goes through it too: b less the running mean, scaled.",
)
def _(w, b, gamma, beta, running_mean, running_var, eps=1e-5):
    return torch_fold(w, np.zeros_like(b), gamma, beta, running_mean, running_var, eps)


@fold_batch_norm.misconception(
    "leaves-the-bias-unscaled",
    "You add the convolution's bias as it was. It was added before the normalisation, so the factor applies to it as to everything else.",
)
def _(w, b, gamma, beta, running_mean, running_var, eps=1e-5):
    weights, bias = torch_fold(w, np.zeros_like(b), gamma, beta, running_mean, running_var, eps)
    return weights, bias + b


@fold_batch_norm.misconception(
    "leaves-the-mean-unscaled",
    "You subtract the running mean as it is. It is subtracted before the division, so the factor applies to it too.",
)
def _(w, b, gamma, beta, running_mean, running_var, eps=1e-5):
    weights, bias = torch_fold(w, b, gamma, beta, np.zeros_like(running_mean), running_var, eps)
    return weights, bias - running_mean


@fold_batch_norm.misconception(
    "forgets-the-running-mean", "The new bias does not contain running_mean, which batch norm subtracts."
)
def _(w, b, gamma, beta, running_mean, running_var, eps=1e-5):
    return torch_fold(w, b, gamma, beta, np.zeros_like(running_mean), running_var, eps)


@fold_batch_norm.misconception(
    "adds-the-running-mean", "The running mean has the wrong sign in the new bias: batch norm subtracts it."
)
def _(w, b, gamma, beta, running_mean, running_var, eps=1e-5):
    return torch_fold(w, b, gamma, beta, -np.asarray(running_mean), running_var, eps)


@fold_batch_norm.misconception(
    "forgets-beta", "The new bias does not contain beta, which batch norm adds at the end."
)
def _(w, b, gamma, beta, running_mean, running_var, eps=1e-5):
    return torch_fold(w, b, gamma, np.zeros_like(beta), running_mean, running_var, eps)


@fold_batch_norm.misconception(
    "scales-beta-too",
    "You scale beta. It is added after gamma and the division, so it goes into the new bias as it is.",
)
def _(w, b, gamma, beta, running_mean, running_var, eps=1e-5):
    return torch_fold(w, np.asarray(b) + beta, gamma, np.zeros_like(beta), running_mean, running_var, eps)


@fold_batch_norm.misconception(
    "forgets-gamma", "Gamma is missing: the factor is gamma over the root, not 1 over the root."
)
def _(w, b, gamma, beta, running_mean, running_var, eps=1e-5):
    return torch_fold(w, b, np.ones_like(gamma), beta, running_mean, running_var, eps)


@fold_batch_norm.misconception(
    "leaves-the-filters-as-they-were",
    "The new bias is right but w is the old one. Every weight of a filter is multiplied by the filter's factor.",
)
def _(w, b, gamma, beta, running_mean, running_var, eps=1e-5):
    return np.array(w), torch_fold(w, b, gamma, beta, running_mean, running_var, eps)[1]


def _factor(gamma: Any, running_var: Any, eps: float) -> np.ndarray:
    ones, zeros = np.ones((len(gamma), 1, 1, 1)), np.zeros(len(gamma))
    return torch_fold(ones, zeros, gamma, zeros, zeros, running_var, eps)[0]


@fold_batch_norm.misconception(
    "scales-the-input-channels",
    "You scale along axis 1, the input channels. Batch norm comes after the convolution, so it has one factor for each filter: axis 0, a factor "
    "of shape (O, 1, 1, 1).",
)
def _(w, b, gamma, beta, running_mean, running_var, eps=1e-5):
    if np.shape(w)[1] not in (1, len(gamma)) and len(gamma) != 1:
        raise Refusal("the shapes do not broadcast")
    weights = np.asarray(w) * _factor(gamma, running_var, eps).swapaxes(0, 1)
    return weights, torch_fold(w, b, gamma, beta, running_mean, running_var, eps)[1]


@fold_batch_norm.misconception(
    "scales-the-columns",
    "A factor of shape (O,) meets the last axis of w, the columns of the kernel: NumPy pairs shapes from the right. Give it the shape "
    "(O, 1, 1, 1).",
)
def _(w, b, gamma, beta, running_mean, running_var, eps=1e-5):
    if np.shape(w)[3] not in (1, len(gamma)) and len(gamma) != 1:
        raise Refusal("the shapes do not broadcast")
    weights = np.asarray(w) * _factor(gamma, running_var, eps).reshape(-1)
    return weights, torch_fold(w, b, gamma, beta, running_mean, running_var, eps)[1]


@fold_batch_norm.misconception(
    "divides-by-the-variance",
    "You divide by the running variance. Divide by its root (with eps added before the root is taken).",
)
def _(w, b, gamma, beta, running_mean, running_var, eps=1e-5):
    root = np.sqrt(np.asarray(running_var) + eps)
    return torch_fold(w, b, gamma / root, beta, running_mean, running_var, eps)


@fold_batch_norm.misconception(
    "eps-outside-the-root",
    "You add eps to the standard deviation. It belongs inside the root, added to the variance.",
)
def _(w, b, gamma, beta, running_mean, running_var, eps=1e-5):
    outside = (np.sqrt(np.asarray(running_var)) + eps) ** 2
    return torch_fold(w, b, gamma, beta, running_mean, outside, 0.0)


@fold_batch_norm.misconception(
    "forgets-eps",
    "Your answer does not depend on eps, or only where the variance is small. eps is added to every variance, before the root.",
)
def _(w, b, gamma, beta, running_mean, running_var, eps=1e-5):
    return torch_fold(w, b, gamma, beta, running_mean, running_var, 0.0)


@fold_batch_norm.misconception(
    TRUNCATES,
    "Your answer is cut to whole numbers when w and b hold whole numbers: an array made by np.zeros_like(w) or w.copy() takes over its "
    "dtype. np.zeros(w.shape) holds floats.",
    when=lambda value, w, b, *args, **kwargs: _is_cut(value, w, torch_fold(w, b, *args, **kwargs)),
)
def _(w, b, gamma, beta, running_mean, running_var, eps=1e-5):
    weights, bias = torch_fold(w, b, gamma, beta, running_mean, running_var, eps)
    return truncated(weights, w), truncated(bias, b)


def _is_cut(value: Any, w: Any, right: tuple) -> bool:
    """Return whether the filters are cut to whole numbers, whatever the biases are."""
    cut = truncated(right[0], w)
    return matches(value[0], cut) and not matches(cut, right[0])
