"""Unit 04: batch normalisation forward, of rows of features and of feature maps.

The oracle is torch in float64. A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch.nn.functional as F

from course.checks.exercise import Case, Exercise, integers, normal
from course.checks.oracle import tensor

UNIT = "04-batch-normalization"
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]
NO_EPS = 1e-30  # torch refuses 0
BY_HAND = np.array([[1.0], [3.0], [5.0], [7.0]])  # mean 4, variance 5; with eps = 4 the root is 3


# ------------------------------------------------------------------------------------------------ normalize_batch


def torch_normalize(x: Any, eps: float = 1e-5) -> np.ndarray:
    """Return x (N, D) with each feature standardised over the batch, by torch."""
    return F.batch_norm(tensor(x), None, None, training=True, eps=eps).numpy()


normalize_batch = Exercise(
    "normalize_batch",
    UNIT,
    points=2,
    parameters=("x", "eps"),
    oracle=torch_normalize,
    cases=(
        Case("one feature by hand", BY_HAND, eps=4.0, answer=[[-1], [-1 / 3], [1 / 3], [1]]),
        Case("as many features as rows", 3 * normal(4, 4) + 2),
        Case("more rows than features", 3 * normal(6, 2) + 5),
        Case("a feature that never changes", np.array([[3.0, 1.0], [3.0, 2.0], [3.0, 6.0]])),
        Case("whole numbers", integers(5, 3)),
        Case("a large eps", 2 * normal(3, 5) - 1, eps=0.5),
    ),
    random=lambda rng: Case(
        "random",
        rng.standard_normal((int(rng.integers(3, 8)), int(rng.integers(1, 6)))) * 3 + 2,
        eps=float(rng.uniform(0.1, 1)),
    ),
    hints=(
        "Each column of x is one feature. What is its average over the rows, and how far do its values lie from that?",
        "Two numbers a column: the mean over axis 0 and the variance over axis 0, each of shape (D,). Subtract the one from x, and "
        "divide by a root that the other is in, together with eps.",
        "`x.mean(axis=0)` and `x.var(axis=0)` are what you need. The divisor is the square root of (variance + eps): eps is added "
        "before the root is taken.",
    ),
)


@normalize_batch.misconception(
    "over-the-features",
    "You normalise each row by itself. Batch norm asks what is usual for one feature over the whole batch: mean and variance go down "
    "the columns, axis 0. (Per row it is called layer norm.)",
)
def _(x, eps=1e-5):
    return F.layer_norm(tensor(x), np.shape(x)[1:], eps=eps).numpy()


@normalize_batch.misconception(
    "over-everything",
    "You take one mean and one variance of the whole array. Every feature has its own: use axis=0.",
)
def _(x, eps=1e-5):
    return (
        F.batch_norm(tensor(x).reshape(1, 1, -1), None, None, training=True, eps=eps)
        .reshape(np.shape(x))
        .numpy()
    )


@normalize_batch.misconception(
    "does-not-centre", "You divide but do not subtract the mean: each column of the answer must average 0."
)
def _(x, eps=1e-5):
    return torch_normalize(x, eps) + tensor(x).mean(0).numpy() / spread(x, eps)


@normalize_batch.misconception(
    "does-not-scale",
    "You subtract the mean but do not divide: each column of the answer must have a spread of 1.",
)
def _(x, eps=1e-5):
    return torch_normalize(x, eps) * spread(x, eps)


@normalize_batch.misconception(
    "divides-by-the-variance",
    "You divide by the variance. It is in squared units: divide by its root, the standard deviation.",
)
def _(x, eps=1e-5):
    return torch_normalize(x, eps) / spread(x, eps)


@normalize_batch.misconception(
    "unbiased-variance",
    "You divide the squares by N - 1 (ddof=1, torch.var's habit). To normalise, batch norm uses the plain average of the squares, "
    "NumPy's default.",
)
def _(x, eps=1e-5):
    share = (len(x) - 1) / len(x)
    return np.sqrt(share) * torch_normalize(x, eps * share)


@normalize_batch.misconception(
    "eps-outside-the-root",
    "You add eps to the standard deviation. It belongs inside the root, added to the variance.",
)
def _(x, eps=1e-5):
    return torch_normalize(x, eps) * spread(x, eps) / (spread(x, 0) + eps)


@normalize_batch.misconception(
    "forgets-eps",
    "Your answer does not depend on eps, or only where the variance is small. eps is added to every variance, before the root.",
)
def _(x, eps=1e-5):
    with np.errstate(invalid="ignore"):
        return torch_normalize(x, eps) * spread(x, eps) / spread(x, 0)


@normalize_batch.misconception(
    "forgets-the-brackets",
    "You divide the mean alone: a division comes before a subtraction. Put brackets around (x - mean).",
)
def _(x, eps=1e-5):
    return torch_normalize(x, eps) + x * (1 - 1 / spread(x, eps))


TRUNCATES = "takes-the-dtype-of-the-input"
TRUNCATES_HINT = (
    "Your answer is cut to whole numbers when x holds whole numbers: an array made by np.zeros_like(x) or x.copy() takes over its dtype. "
    "np.zeros(x.shape) holds floats."
)


def truncated(answer: Any, x: Any) -> np.ndarray:
    """Return an answer as it looks once it is written into an array of the dtype of x."""
    return np.trunc(answer) if np.asarray(x).dtype.kind in "iu" else np.array(answer)


@normalize_batch.misconception(TRUNCATES, TRUNCATES_HINT)
def _(x, eps=1e-5):
    return truncated(torch_normalize(x, eps), x)


def spread(x: Any, eps: float) -> np.ndarray:
    """Return what torch divides each channel by, as (C,) for rows and (C, 1, 1) for maps."""
    x = tensor(x)
    rest = tuple(axis for axis in range(x.ndim) if axis != 1)
    root = (x.var(rest, correction=0) + eps).sqrt()
    return root.reshape(-1, *[1] * (x.ndim - 2)).numpy()


# ------------------------------------------------------------------------------------- batch_norm and batch_norm2d


def torch_batch_norm(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5) -> Arrays:
    """Return out and the new running mean and variance, by torch, in float64."""
    mean, var = tensor(running_mean).clone(), tensor(running_var).clone()
    out = F.batch_norm(tensor(x), mean, var, tensor(gamma), tensor(beta), bool(training), momentum, eps)
    return out.numpy(), mean.numpy(), var.numpy()


def norm_case(name: str, x: np.ndarray, training: bool, **options: Any) -> Case:
    """Return a case with parameters and running statistics that are all different from each other."""
    gamma, beta, mean, var = np.random.default_rng(x.shape[1]).standard_normal((4, x.shape[1]))
    return Case(name, x, gamma, beta, mean, var**2 + 0.5, training, **options)


def random_norm_case(rng: np.random.Generator, *more_axes: int) -> Case:
    """Return a drawn case: (N, D), or (N, C, H, W) with ``more_axes``."""
    n, channels = int(rng.integers(3, 8)), int(rng.integers(2, 6))
    gamma, beta, mean, var = rng.standard_normal((4, channels))
    x = 3 * rng.standard_normal((n, channels, *more_axes)) + 2
    momentum, eps = float(rng.uniform(0.05, 0.4)), float(rng.uniform(0.1, 1))
    training = bool(rng.random() < 0.6)
    return Case("random", x, gamma, beta, mean, var**2 + 0.5, training, momentum=momentum, eps=eps)


ONE = np.ones(1)
HAND_OUT = np.array([8, 28 / 3, 32 / 3, 12])
HAND_TRAINED = ([0.4], [0.9 + 0.1 * 20 / 3])
HAND_EVALUATED = np.array([-1, 1, 3, 5]) * 2 / 3 + 10
NORM_PARAMETERS = ("x", "gamma", "beta", "running_mean", "running_var", "training")
RETURNS = "three arrays: out, running_mean, running_var"

batch_norm = Exercise(
    "batch_norm",
    UNIT,
    points=4,
    parameters=NORM_PARAMETERS,
    returns=RETURNS,
    oracle=torch_batch_norm,
    cases=(
        Case(
            "in training, by hand",
            *(BY_HAND, 2 * ONE, 10 * ONE, 0 * ONE, ONE, True),
            eps=4.0,
            answer=(HAND_OUT[:, None], *HAND_TRAINED),
        ),
        Case(
            "in evaluation, by hand",
            *(BY_HAND, 2 * ONE, 10 * ONE, 2 * ONE, 5 * ONE, False),
            eps=4.0,
            answer=(HAND_EVALUATED[:, None], [2.0], [5.0]),
        ),
        norm_case("three features, in training", 3 * normal(5, 3) + 2, True),
        norm_case("three features, in evaluation", 3 * normal(5, 3) + 2, False),
        norm_case("as many features as rows", 2 * normal(4, 4) - 1, True),
        norm_case("another momentum", 3 * normal(6, 2) + 2, True, momentum=0.3),
        norm_case("a large eps", 2 * normal(4, 3), True, eps=0.5),
        norm_case("a large eps, in evaluation", 2 * normal(4, 3), False, eps=0.5),
        norm_case("one row, in evaluation", normal(1, 4), False, weight=0.5),
        norm_case("whole numbers", integers(5, 2), True),
    ),
    random=random_norm_case,
    hints=(
        "Two modes, and one line of arithmetic that they share: only the mean and the variance that go into it differ. Which ones are "
        "they in training, and which ones in evaluation?",
        "In training take the mean and variance of the batch, and compute the new running ones: a weighted average of old and batch, "
        "in which momentum is the weight of the batch, and in which the batch's variance is the unbiased one. In evaluation take the "
        "running ones and hand them back as they are. Then normalise, times gamma, plus beta.",
        "In training: new running mean = `(1 - momentum) * running_mean + momentum * batch_mean`; the same for the variance, with "
        "`x.var(axis=0, ddof=1)`, while the root divides by `x.var(axis=0)`. Assign to new names, not with `+=`. Return three things.",
    ),
)

batch_norm2d = Exercise(
    "batch_norm2d",
    UNIT,
    points=3,
    parameters=NORM_PARAMETERS,
    returns=RETURNS,
    oracle=torch_batch_norm,
    cases=(
        Case(
            "two images of one channel, by hand",
            *(BY_HAND.reshape(2, 1, 1, 2), 2 * ONE, 10 * ONE, 0 * ONE, ONE, True),
            eps=4.0,
            answer=(HAND_OUT.reshape(2, 1, 1, 2), *HAND_TRAINED),
        ),
        Case(
            "the same, in evaluation",
            *(BY_HAND.reshape(2, 1, 1, 2), 2 * ONE, 10 * ONE, 2 * ONE, 5 * ONE, False),
            eps=4.0,
            answer=(HAND_EVALUATED.reshape(2, 1, 1, 2), [2.0], [5.0]),
        ),
        norm_case("one channel, wide", 3 * normal(3, 1, 2, 5) + 2, True),
        norm_case("as many channels as columns", 3 * normal(2, 3, 4, 3) + 2, True),
        norm_case("more channels than columns", 3 * normal(3, 4, 3, 2) + 2, True),
        norm_case("three channels, in evaluation", 3 * normal(2, 3, 2, 4) + 2, False),
        norm_case("another momentum", 3 * normal(4, 2, 3, 5) + 2, True, momentum=0.3),
        norm_case("a large eps", 2 * normal(2, 2, 4, 3), True, eps=0.5),
        norm_case("a large eps, in evaluation", 2 * normal(2, 2, 4, 3), False, eps=0.5),
        norm_case("a single image", 2 * normal(1, 3, 4, 5) + 1, True),
        norm_case("whole numbers", integers(2, 2, 3, 4), True),
    ),
    random=lambda rng: random_norm_case(rng, *(int(s) for s in rng.integers(1, 6, 2))),
    hints=(
        "Every pixel of a channel was computed by the same filter, so they share one mean and one variance. Which three axes does the "
        "average run over?",
        "Either average over the axes (0, 2, 3) and give gamma, beta, mean and variance the shape (1, C, 1, 1) before they meet x. Or "
        "turn x into rows of C numbers, one for each pixel of each image, call your batch_norm on them, and turn back.",
        "For the rows: bring the channels last with `transpose(0, 2, 3, 1)`, then `reshape(-1, C)`. On the way back reshape to "
        "(N, H, W, C) first, then `transpose(0, 3, 1, 2)`. A reshape alone would mix the channels.",
    ),
)


def shared_idea(name: str, hint: str) -> Callable[[Callable], Callable]:
    """Add the decorated function to the banks of both batch_norm and batch_norm2d."""

    def add(wrong: Callable) -> Callable:
        batch_norm.misconception(name, hint)(wrong)
        return batch_norm2d.misconception(name, hint)(wrong)

    return add


def values_per_channel(x: Any) -> int:
    """Return how many numbers one mean is taken over."""
    return np.size(x) // np.shape(x)[1]


def batch_var(x: Any) -> np.ndarray:
    """Return the unbiased variance of each channel, as torch's buffer takes it up."""
    ones = np.ones(np.shape(x)[1])
    return torch_batch_norm(x, ones, ones, ones, ones, True, momentum=1.0)[2]


@shared_idea(
    "momentum-weighs-the-old",
    "Your momentum is the weight of the old value, as in CS231n. Here, as in torch, it is the weight of the new batch: the old value "
    "keeps 1 - momentum.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    return torch_batch_norm(x, gamma, beta, running_mean, running_var, training, 1 - momentum, eps)


@shared_idea(
    "biased-running-variance",
    "Your output is right, but the running variance takes up the biased variance of the batch (divided by the count). It stands for "
    "images not yet seen, so it takes the unbiased one: divided by the count less 1, `ddof=1`.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    out, mean, var = torch_batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)
    excess = momentum * batch_var(x) / values_per_channel(x) if training else 0
    return out, mean, var - excess


@shared_idea(
    "keeps-cs231ns-memory",
    "Your running statistics follow CS231n: momentum weighs the old value, and the variance is the biased one. Here, as in torch, momentum is the "
    "weight of the new batch, and the running variance takes up the unbiased variance, `ddof=1`.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    out, mean, var = torch_batch_norm(x, gamma, beta, running_mean, running_var, training, 1 - momentum, eps)
    excess = (1 - momentum) * batch_var(x) / values_per_channel(x) if training else 0
    return out, mean, var - excess


@shared_idea(
    "normalises-with-the-unbiased-variance",
    "You normalise the batch by its unbiased variance (ddof=1). What the batch is divided by is its own spread, the plain average of "
    "the squares; only the running variance takes up the unbiased one.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    share = 1 - 1 / values_per_channel(x) if training else 1
    scaled = np.sqrt(share) * np.asarray(gamma)
    return torch_batch_norm(x, scaled, beta, running_mean, running_var, training, momentum, eps * share)


@shared_idea(
    "swaps-the-variances",
    "You have the two variances the wrong way round: the batch is normalised by the biased one (divided by the count), the running "
    "variance takes up the unbiased one (divided by the count less 1).",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    share = 1 - 1 / values_per_channel(x) if training else 1
    scaled, excess = np.sqrt(share) * np.asarray(gamma), momentum * batch_var(x) * (1 - share)
    answer = torch_batch_norm(x, scaled, beta, running_mean, running_var, training, momentum, eps * share)
    return *answer[:2], answer[2] - excess


@shared_idea(
    "batch-statistics-in-evaluation",
    "In evaluation you still normalise with the batch's mean and variance. There the running ones are used, so that an image's answer "
    "does not depend on its neighbours.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    out = np.asarray(beta).reshape(-1, *[1] * (np.ndim(x) - 2)) + np.zeros(np.shape(x))
    if values_per_channel(x) > 1:
        out = torch_batch_norm(x, gamma, beta, running_mean, running_var, True, momentum, eps)[0]
    return out, *torch_batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)[1:]


@shared_idea(
    "updates-in-evaluation",
    "You update the running statistics in evaluation too. There they are used and handed back as they came: test images must not "
    "change the network.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    if values_per_channel(x) == 1:
        return torch_batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)
    updated = torch_batch_norm(x, gamma, beta, running_mean, running_var, True, momentum, eps)[1:]
    out = torch_batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)[0]
    return out, *updated


@shared_idea(
    "ignores-the-mode",
    "Your function does the same in both modes. With training=False it must use the running mean and variance, and return them unchanged.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    return torch_batch_norm(x, gamma, beta, running_mean, running_var, True, momentum, eps)


@shared_idea(
    "running-statistics-in-training",
    "In training you normalise with the old running statistics. There the batch's own mean and variance are used; the running ones are "
    "only brought up to date.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    updated = torch_batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)[1:]
    return torch_batch_norm(x, gamma, beta, running_mean, running_var, False, momentum, eps)[0], *updated


@shared_idea(
    "normalises-with-the-new-running-statistics",
    "In training you normalise with the running statistics that you have just updated. There the batch's own mean and variance are used.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    mean, var = torch_batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)[1:]
    return torch_batch_norm(x, gamma, beta, mean, var, False, momentum, eps)[0], mean, var


@shared_idea(
    "never-updates",
    "The running statistics come back as they went in. In training they move towards the batch's by the share momentum.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    out = torch_batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)[0]
    return out, np.array(running_mean), np.array(running_var)


@shared_idea(
    "forgets-the-old-running-values",
    "You return the batch's own mean and variance as the running ones. They are a moving average: the old value counts too, with the "
    "weight 1 - momentum.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    updated = torch_batch_norm(x, gamma, beta, running_mean, running_var, training, 1.0, eps)[1:]
    return torch_batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)[0], *updated


@shared_idea(
    "tracks-the-standard-deviation",
    "Your running_var takes up the standard deviation of the batch. It keeps variances: no root before it is stored.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    out, mean, var = torch_batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)
    unbiased = batch_var(x) if training else np.zeros(1)
    return out, mean, var + momentum * (np.sqrt(unbiased) - unbiased)


@shared_idea(
    "swaps-the-modes",
    "You have the two modes the wrong way round. With training=True the batch's own mean and variance are used and the running ones brought "
    "up to date; with training=False the running ones are used and handed back.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    return torch_batch_norm(x, gamma, beta, running_mean, running_var, not training, momentum, eps)


@shared_idea(
    "swaps-the-running-statistics",
    "The running mean and the running variance come back in the wrong order: `return out, running_mean, running_var`.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    out, mean, var = torch_batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)
    return out, var, mean


@shared_idea(
    "keeps-all-of-the-old",
    "The old running value counts in full. The weights add up to 1: it keeps (1 - momentum), and the batch gets momentum.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    out, mean, var = torch_batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)
    share = momentum if training else 0
    return out, mean + share * np.asarray(running_mean), var + share * np.asarray(running_var)


@shared_idea(
    "always-takes-a-tenth",
    "Your running statistics take up 0.1 of the batch, whatever the call asks for. Use the argument momentum; if another function of yours "
    "does the work, hand it on.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    return torch_batch_norm(x, gamma, beta, running_mean, running_var, training, 0.1, eps)


def along(numbers: Any, x: Any) -> np.ndarray:
    """Return one number a channel in a shape that meets x channel by channel."""
    return np.reshape(numbers, (-1, *[1] * (np.ndim(x) - 2)))


def divisor(x: Any, running_var: Any, training: bool, eps: float) -> np.ndarray:
    """Return what each channel of x is divided by, in a shape that meets x."""
    return spread(x, eps) if training else along(np.sqrt(np.asarray(running_var) + eps), x)


@shared_idea(
    "divides-by-the-variance",
    "You divide by the variance. It is in squared units: divide by its root, the standard deviation, in both modes.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    gamma = np.asarray(gamma) / np.ravel(divisor(x, running_var, training, eps))
    return torch_batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)


@shared_idea(
    "forgets-the-brackets",
    "You divide the mean alone: a division comes before a subtraction. Put brackets around (x - mean).",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    out, mean, var = torch_batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)
    return out + along(gamma, x) * x * (1 - 1 / divisor(x, running_var, training, eps)), mean, var


@shared_idea(TRUNCATES, TRUNCATES_HINT)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    out, mean, var = torch_batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)
    return truncated(out, x), mean, var


@shared_idea(
    "no-root-of-the-running-variance",
    "In evaluation you divide by the running variance itself. Divide by the root of (running_var + eps), as in training.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    if not training:
        gamma = np.asarray(gamma) / np.sqrt(np.asarray(running_var) + eps)
    return torch_batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)


@shared_idea(
    "eps-outside-the-root",
    "You add eps to the standard deviation. It belongs inside the root, added to the variance.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    var = spread(x, 0).reshape(-1) ** 2 if training else np.asarray(running_var)
    gamma = np.asarray(gamma) * np.sqrt(var + eps) / (np.sqrt(var) + eps)
    return torch_batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)


@shared_idea(
    "forgets-eps",
    "Your answer does not depend on eps, or only where the variance is small. eps is added to every variance, before the root; if "
    "another function of yours does the work, hand it on.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    return torch_batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, NO_EPS)


@shared_idea("forgets-gamma", "You do not multiply by gamma, the learned scale, after you have normalised.")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    ones = np.ones_like(gamma)
    return torch_batch_norm(x, ones, beta, running_mean, running_var, training, momentum, eps)


@shared_idea("forgets-beta", "You do not add beta, the learned shift, at the end.")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    zeros = np.zeros_like(beta)
    return torch_batch_norm(x, gamma, zeros, running_mean, running_var, training, momentum, eps)


@shared_idea("swaps-gamma-and-beta", "You multiply by beta and add gamma. Gamma scales, beta shifts.")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    return torch_batch_norm(x, beta, gamma, running_mean, running_var, training, momentum, eps)


@shared_idea(
    "returns-only-the-output",
    "You return the output alone. Three things come back: `return out, running_mean, running_var`, in both modes. Nothing is "
    "changed in place, so whoever calls you has no other way to get the new ones.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    return torch_batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)[0]
