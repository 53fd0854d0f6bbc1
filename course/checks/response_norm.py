"""Unit 04: AlexNet's local response normalisation.

The oracle is torch in float64. A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course.checks.batch_norm import TRUNCATES, TRUNCATES_HINT, UNIT, truncated
from course.checks.compare import matches
from course.checks.exercise import Case, Exercise, integers, normal
from course.checks.oracle import tensor


def torch_response_norm(x, size=5, alpha=1e-4, beta=0.75, k=2.0) -> np.ndarray:
    """Return local response normalisation, by torch, in float64."""
    return F.local_response_norm(tensor(x), size, alpha, beta, k).numpy()


def _random_response(rng: np.random.Generator) -> Case:
    shape = (2, int(rng.integers(4, 9)), *(int(s) for s in rng.integers(1, 4, 2)))
    return Case(
        "random",
        rng.standard_normal(shape) * 2,
        size=int(rng.choice([3, 5])),
        alpha=float(rng.uniform(0.5, 3)),
        beta=float(rng.uniform(0.4, 1.2)),
        k=float(rng.uniform(0.5, 2)),
    )


FIVE = np.array([1.0, 2.0, 3.0, 0.0, 1.0]).reshape(1, 5, 1, 1)

local_response_norm = Exercise(
    "local_response_norm",
    UNIT,
    points=3,
    parameters=("x", "size", "alpha", "beta", "k"),
    oracle=torch_response_norm,
    cases=(
        Case(
            "one pixel of five channels, by hand",
            FIVE,
            size=3,
            alpha=3.0,
            beta=1.0,
            k=1.0,
            answer=np.array([1 / 6, 2 / 15, 3 / 14, 0, 1 / 2]).reshape(1, 5, 1, 1),
        ),
        Case(
            "a window of 5, by hand",
            FIVE,
            size=5,
            alpha=5.0,
            beta=1.0,
            k=1.0,
            answer=np.array([1 / 15, 2 / 15, 3 / 16, 0, 1 / 11]).reshape(1, 5, 1, 1),
        ),
        Case("another power", normal(1, 6, 1, 2), size=3, alpha=2.0, beta=0.75, k=1.0),
        Case("another k", normal(1, 6, 1, 2), size=3, alpha=2.0, beta=0.75, k=2.5),
        Case("wide images", 2 * normal(2, 7, 2, 4), size=5, alpha=1.0, beta=0.5, k=2.0),
        Case(
            "as many rows and columns as channels",
            2 * normal(1, 5, 5, 5),
            size=3,
            alpha=1.0,
            beta=0.75,
            k=1.0,
        ),
        Case("whole numbers", integers(1, 4, 3, 2), size=3, alpha=0.5, beta=0.75, k=1.0),
        Case("fewer channels than the window", 2 * normal(2, 3, 2, 1), size=5, alpha=1.0, beta=0.75, k=1.0),
        Case("AlexNet's settings", 40 * normal(1, 8, 2, 3)),
    ),
    random=_random_response,
    hints=(
        "For one channel, which channels lie in its window? At the ends of the stack some of them do not exist: they count as zeros.",
        "Square x. For each channel add up the squares of the channels from size // 2 before it to size // 2 after it. Then divide x by "
        "(k + alpha / size times that sum) to the power beta.",
        "A loop over the C channels is fine: the squares of channels `max(0, c - size // 2)` up to and with `c + size // 2` (a slice's end is "
        "not included, so one more), summed over axis 1. Or pad the squares with size // 2 channels of zeros at either end and add up `size` slices.",
    ),
)


def _divided(x: Any, mean_of_squares: torch.Tensor, alpha: float, beta: float, k: float) -> np.ndarray:
    """Return x over (k + alpha · mean of squares) ** beta."""
    return (tensor(x) / (k + alpha * mean_of_squares) ** beta).numpy()


def _means(x: Any, before: int, after: int, size: int) -> torch.Tensor:
    """Return, for each channel, the squares from so many before it to so many after it, summed, over size."""
    squares = F.pad(tensor(x) ** 2, (0, 0, 0, 0, before, after))
    return squares.unfold(1, before + after + 1, 1).sum(-1) / size


@local_response_norm.misconception(
    "alpha-not-divided-by-size",
    "You multiply the sum of squares by alpha as it is, as AlexNet's paper and TensorFlow do. Here, as in torch, alpha is divided by size first: "
    "it weighs the average square.",
)
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return torch_response_norm(x, size, alpha * size, beta, k)


@local_response_norm.misconception(
    "window-ends-one-early",
    "Your window lacks its last channel. It goes from size // 2 before to size // 2 after, both included, and a slice stops before its end.",
)
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return _divided(x, _means(x, size // 2, size // 2 - 1, size), alpha, beta, k)


@local_response_norm.misconception(
    "slice-stops-before-the-last-channel",
    "The paper's window ends with channel min(C - 1, c + size // 2), which is included. As the end of a slice it is not: the window lacks its "
    "last channel. Add 1; a slice may reach beyond the end.",
)
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    without_last = np.array(x)
    without_last[:, -1] = 0
    return _divided(x, _means(without_last, size // 2, size // 2 - 1, size), alpha, beta, k)


@local_response_norm.misconception(
    "negative-slice-start",
    "Your first channels are wrong: their window would begin before channel 0, and a negative start of a slice counts from the end, which leaves "
    "the slice empty. Begin at `max(0, ...)`.",
)
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    means, half = _means(x, size // 2, size // 2, size), size // 2
    for c in range(min(half, np.shape(x)[1])):
        means[:, c] = (tensor(x)[:, c - half : c + half + 1] ** 2).sum(1) / size
    return _divided(x, means, alpha, beta, k)


@local_response_norm.misconception(
    "window-looks-back-only",
    "Your window ends with the channel itself. The channel stands in its middle: size // 2 on either side.",
)
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return _divided(x, _means(x, size - 1, 0, size), alpha, beta, k)


@local_response_norm.misconception(
    "window-looks-ahead-only",
    "Your window begins with the channel itself. The channel stands in its middle: size // 2 on either side.",
)
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return _divided(x, _means(x, 0, size - 1, size), alpha, beta, k)


@local_response_norm.misconception(
    "size-on-either-side",
    "Your window reaches `size` channels to either side. `size` is its whole width: size // 2 on either side.",
)
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return _divided(x, _means(x, size, size, size), alpha, beta, k)


@local_response_norm.misconception(
    "over-space",
    "Your window lies over neighbouring pixels. Here the neighbours are the other channels at the same pixel: axis 1.",
)
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    means = F.avg_pool2d(tensor(x) ** 2, size, 1, size // 2) * size
    return _divided(x, means, alpha, beta, k)


@local_response_norm.misconception(
    "over-all-channels",
    "You add up the squares of all the channels. Only the neighbours count: size // 2 on either side.",
)
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return _divided(x, (tensor(x) ** 2).sum(1, keepdim=True) / size, alpha, beta, k)


@local_response_norm.misconception(
    "divides-by-what-is-there",
    "At the ends of the stack you average over the channels that exist. The missing ones count as zeros: divide by size everywhere.",
)
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    there = _means(np.ones(np.shape(x)), size // 2, size // 2, size)
    return _divided(x, _means(x, size // 2, size // 2, size) / there, alpha, beta, k)


@local_response_norm.misconception(
    "leaves-the-channel-itself-out", "The channel itself belongs to its window: its own square counts too."
)
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return _divided(x, _means(x, size // 2, size // 2, size) - tensor(x) ** 2 / size, alpha, beta, k)


@local_response_norm.misconception(
    "does-not-square",
    "You add up the values themselves. It is their squares that count, so that no sign can cancel.",
)
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    sums = F.pad(tensor(x), (0, 0, 0, 0, size // 2, size // 2)).unfold(1, size, 1).sum(-1)
    return _divided(x, sums / size, alpha, beta, k)


@local_response_norm.misconception(
    "forgets-the-power", "You divide by the bracket itself. It is raised to the power beta first."
)
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return torch_response_norm(x, size, alpha, 1.0, k)


@local_response_norm.misconception(
    "one-in-place-of-k", "You add 1 in place of k: the bracket is k plus the weighted squares."
)
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return torch_response_norm(x, size, alpha, beta, 1.0)


@local_response_norm.misconception(
    "forgets-k",
    "The bracket lacks k: it is k plus the weighted squares, so that small values are divided by nearly the same.",
)
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return torch_response_norm(x, size, alpha, beta, 0.0)


@local_response_norm.misconception(
    "x-to-the-power-too",
    "You raise all of x / (...) to the power beta. Only the bracket is: `x / (...) ** beta`.",
)
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    with np.errstate(invalid="ignore"):
        return torch_response_norm(x, size, alpha, 1.0, k) ** beta


def _wrapped(x, size, alpha, beta, k, behind: int) -> np.ndarray:
    """Return the answer of a window that goes round at the first channels, and ``behind`` places beyond the last."""
    channels = np.arange(-(size // 2), np.shape(x)[1] + behind)
    squares = np.take(np.asarray(x, float) ** 2, channels, 1, mode="wrap")
    squares = F.pad(tensor(squares), (0, 0, 0, 0, 0, size // 2 - behind))
    return _divided(x, squares.unfold(1, size, 1).sum(-1) / size, alpha, beta, k)


def _goes_round(value, x, size=5, alpha=1e-4, beta=0.75, k=2.0) -> bool:
    answers = [_wrapped(x, size, alpha, beta, k, behind) for behind in (0, size // 2)]
    return any(matches(value, answer) for answer in answers)


@local_response_norm.misconception(
    "wraps-round",
    "Your window goes round: the first channels meet the last ones. `roll` does that, and so does a negative index. Beyond the ends there are "
    "zeros.",
    when=_goes_round,
)
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return _wrapped(x, size, alpha, beta, k, size // 2)


@local_response_norm.misconception(
    "reads-what-is-already-divided",
    "You write the answer over the channels that you still read: the next window then holds squares that are already divided. Take the squares "
    "of x as it came, and write into a new array.",
)
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    done = tensor(x).clone()
    for c in range(done.shape[1]):
        done[:, c] = F.local_response_norm(done, size, alpha, beta, k)[:, c]
    return done.numpy()


@local_response_norm.misconception(TRUNCATES, TRUNCATES_HINT)
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return truncated(torch_response_norm(x, size, alpha, beta, k), x)


@local_response_norm.misconception(
    "multiplies", "You multiply by the bracket. Loud neighbours make a channel quieter: divide."
)
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return torch_response_norm(x, size, alpha, -beta, k)


@local_response_norm.misconception("returns-the-divisor", "You return what x is divided by. Divide x by it.")
def _(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return _divided(np.ones(np.shape(x)), _means(x, size // 2, size // 2, size), alpha, -beta, k)
