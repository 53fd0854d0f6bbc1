"""Unit 05: centre and standardize by what the training set says. The oracle is torch in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from course.checks.chance import array_of, close
from course.checks.exercise import Case, Exercise, normal
from course.checks.oracle import tensor

UNIT = "05-dropout-and-data"

FOUR_PLACES = np.array([[1.0, 10.0], [3.0, 30.0]])  # two samples of two features; their means are 2 and 20


def mixed(samples: int, features: int, shift: float = 2.0) -> np.ndarray:
    """Return correlated data (samples, features) with a mean that is not 0, always the same for the same sizes."""
    spread = np.linspace(2, 0.5, features)
    return normal(samples, features) * spread @ normal(features, features) + shift * np.arange(
        1, features + 1
    )


def with_constant(data: np.ndarray, value: float = 3.0) -> np.ndarray:
    """Return the data with one more feature, which never changes."""
    return np.column_stack([data[:, :1], np.full(len(data), value), data[:, 1:]])


def random_data(rng: np.random.Generator, *more: Any) -> Case:
    """Return a case of drawn x and train, followed by ``more`` arguments."""
    features = int(rng.integers(2, 6))
    mixing, mean = rng.standard_normal((features, features)), rng.uniform(-5, 5, features)
    x, train = (
        rng.standard_normal((int(n), features)) @ mixing + mean for n in rng.integers([3, 12], [9, 30])
    )
    return Case("random", x, train, *more)


# -------------------------------------------------------------------------------------------------- subtract_mean


def centred(x: Any, train: Any) -> np.ndarray:
    """Return x less the training set's mean of each feature, by torch."""
    return (tensor(x) - tensor(train).mean(0)).numpy()


subtract_mean = Exercise(
    "subtract_mean",
    UNIT,
    points=1,
    parameters=("x", "train"),
    oracle=centred,
    cases=(
        Case(
            "two samples by hand",
            FOUR_PLACES,
            FOUR_PLACES,
            answer=[[-1.0, -10.0], [1.0, 10.0]],
        ),
        Case("new samples, the training set's mean", np.array([[2.0, 20.0], [5.0, 0.0]]), FOUR_PLACES),
        Case("as many samples as features", mixed(3, 3), mixed(3, 3)),
        Case("more of everything", mixed(5, 4), mixed(9, 4)),
        Case("one new sample", mixed(1, 4), mixed(9, 4)),
    ),
    random=random_data,
    hints=(
        "How many means are there, if each feature (each pixel) has one of its own? Over which axis do you average to get so many?",
        "The mean is taken over the samples, axis 0, of *train*. It has shape (D,), and broadcasting subtracts it from every row of x.",
        "`train.mean(axis=0)`, taken away from x.",
    ),
)


@subtract_mean.misconception(
    "uses-its-own-mean",
    "You subtract the mean of x. Every sample, new or not, must be moved by the same amount: the mean of `train`.",
)
def _(x, train):
    return centred(x, x)


@subtract_mean.misconception(
    "averages-over-the-features",
    "You average within each sample, along axis 1. Each feature has a mean of its own, taken over all samples: axis 0.",
)
def _(x, train):
    return (tensor(x) - tensor(x).mean(1, keepdim=True)).numpy()


@subtract_mean.misconception(
    "takes-the-means-of-the-rows",
    "`train.mean(axis=1)` is one mean for each sample; it only seems to fit when there are as many samples as features. "
    "Average over the samples, axis 0.",
)
def _(x, train):
    return (tensor(x) - tensor(train).mean(1)).numpy()


@subtract_mean.misconception(
    "one-mean-for-all",
    "You subtract one number, the mean of everything. Each feature has a mean of its own: give mean() an axis.",
)
def _(x, train):
    return (tensor(x) - tensor(train).mean()).numpy()


@subtract_mean.misconception("adds-the-mean", "You add the mean. Subtract it, so that the new mean is 0.")
def _(x, train):
    return (tensor(x) + tensor(train).mean(0)).numpy()


@subtract_mean.misconception(
    "returns-train",
    "You return the centred training set. x is what should be moved; train only says by how much.",
)
def _(x, train):
    return centred(train, train)


@subtract_mean.misconception("returns-the-mean", "That is the mean. Subtract it from x.")
def _(x, train):
    return tensor(train).mean(0).numpy()


# ---------------------------------------------------------------------------------------------------- standardize


def standardized(x: Any, train: Any, centre: Any = None, spread: Any = None) -> np.ndarray:
    """Return x less the training set's mean, over its standard deviation (1 where that is 0), by torch."""
    x, train = tensor(x), tensor(train)
    mean = train.mean(0) if centre is None else centre
    std = train.std(0, correction=0) if spread is None else spread
    return ((x - mean) / torch.where(std == 0, 1.0, std)).numpy()


standardize = Exercise(
    "standardize",
    UNIT,
    points=2,
    parameters=("x", "train"),
    oracle=standardized,
    cases=(
        Case(
            "two samples by hand",
            FOUR_PLACES,
            FOUR_PLACES,
            answer=[[-1.0, -1.0], [1.0, 1.0]],
        ),
        Case("new samples, by the training set", np.array([[2.0, 20.0], [5.0, 0.0]]), FOUR_PLACES),
        Case("as many samples as features", mixed(4, 4), mixed(4, 4)),
        Case("more of everything", mixed(5, 3), mixed(8, 3)),
        Case(
            "a feature that never changes", with_constant(mixed(6, 2)), with_constant(mixed(6, 2)), weight=2
        ),
        Case(
            "the same, but it differs in the new samples",
            with_constant(mixed(4, 2), 5),
            with_constant(mixed(6, 2)),
        ),
        Case("one new sample", mixed(1, 4), mixed(9, 4)),
    ),
    random=random_data,
    hints=(
        "subtract_mean does the first half. What is still different between the features, and which number measures that?",
        "Divide by the standard deviation of each feature of *train*, over axis 0. Some features never change, and theirs is 0: put a 1 "
        "in its place first.",
        "`std = train.std(axis=0)`; np.where can replace its zeros by ones; then subtract_mean(x, train) over that.",
    ),
)


@standardize.misconception(
    "divides-by-zero",
    "A feature that never changes has the standard deviation 0, and 0 / 0 is nan. Such a feature is only centred: replace a std of 0 by 1 "
    "before you divide.",
)
def _(x, train):
    x, train = tensor(x), tensor(train)
    return ((x - train.mean(0)) / train.std(0, correction=0)).numpy()


@standardize.misconception(
    "adds-a-tiny-number-to-zero",
    "A feature that never changed in training is blown up where new samples differ: you divide it by a tiny number, or by 0 with "
    "np.nan_to_num after it. Replace a std of 0 by 1.",
    when=lambda value, x, train: (
        (array := array_of(value, np.shape(x))) is not None
        and bool((fixed := np.ptp(train, axis=0) == 0).any())
        and close(array[:, ~fixed], standardized(x, train)[:, ~fixed])
        and bool((np.abs(array[:, fixed]) > 30).any())
    ),
)
def _(x, train):
    return standardized(x, train, spread=tensor(train).std(0, correction=0) + 1e-8)


@standardize.misconception(
    "leaves-constants-at-zero",
    "You set a feature that never changed in training to 0. It is only centred: in new samples it may differ, and then shows.",
)
def _(x, train):
    return standardized(x, train) * (np.ptp(np.asarray(train), axis=0) != 0)


@standardize.misconception(
    "uses-its-own-statistics",
    "You take mean and std from x. Test images must be treated exactly as the training images were: both come from `train`.",
)
def _(x, train):
    return standardized(x, x)


@standardize.misconception(
    "uses-its-own-std", "The mean is the training set's, but the std is that of x. Both come from `train`."
)
def _(x, train):
    return standardized(x, train, spread=tensor(x).std(0, correction=0))


@standardize.misconception(
    "forgets-to-divide", "You subtract the mean, but do not divide by the standard deviation."
)
def _(x, train):
    return centred(x, train)


@standardize.misconception(
    "forgets-to-subtract", "You divide by the standard deviation, but do not subtract the mean first."
)
def _(x, train):
    return standardized(x, train, centre=0)


@standardize.misconception(
    "divides-first",
    "You divide by the std and then subtract the mean. The other way round: subtract first. Mind the brackets.",
)
def _(x, train):
    return (tensor(standardized(x, train, centre=0)) - tensor(train).mean(0)).numpy()


@standardize.misconception(
    "forgets-the-brackets",
    "You divide the mean alone: a division comes before a subtraction. Put brackets around (x - mean).",
)
def _(x, train):
    mean = tensor(train).mean(0)
    std = tensor(train).std(0, correction=0)
    return (tensor(x) - mean / torch.where(std == 0, 1.0, std)).numpy()


@standardize.misconception(
    "divides-by-the-variance",
    "You divide by the variance. Divide by its square root, the standard deviation.",
)
def _(x, train):
    return standardized(x, train, spread=tensor(train).var(0, correction=0))


@standardize.misconception(
    "divides-by-n-minus-1",
    "Your std divides by n - 1 (ddof=1, as pandas and torch do by default). Here it is NumPy's, which divides by n.",
)
def _(x, train):
    return standardized(x, train, spread=tensor(train).std(0))


@standardize.misconception(
    "one-std-for-all",
    "You divide everything by one number. Each feature has a std of its own: give std() an axis.",
)
def _(x, train):
    return standardized(x, train, spread=tensor(train).std(correction=0))


@standardize.misconception(
    "works-along-the-features",
    "Mean and std are taken within each sample, along axis 1. Each feature has its own, taken over all samples: axis 0.",
)
def _(x, train):
    x = tensor(x)
    return standardized(x, train, x.mean(1, keepdim=True), x.std(1, correction=0, keepdim=True))
