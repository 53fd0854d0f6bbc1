"""Unit 06: the size of the first weights, judged by the spread of what is drawn.

The oracle is torch.nn.init in float64. A misconception is that draw with one wrong idea put into it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod, sqrt
from typing import Any

import numpy as np
import torch

from course.checks.chance import (
    SIGMAS,
    add_ideas_about_the_generator,
    array_of,
    repeatable,
    shows,
    wrong_shape,
)
from course.checks.exercise import Case, Exercise
from course.checks.recipe import through

UNIT = "06-momentum-and-training"
UNIFORM, NORMAL = (
    1.8,
    3.0,
)  # the kurtosis, which tells the two apart: the mean fourth power of (w - mean) / std


def draw(fill: Callable, shape: tuple[int, ...], rng: np.random.Generator, **settings: Any) -> np.ndarray:
    """Return float64 weights of ``shape`` filled by one of torch's initialisers, from a generator seeded by ``rng``."""
    source = torch.Generator().manual_seed(int(rng.integers(2**62)))
    return fill(torch.empty(*shape, dtype=torch.float64), generator=source, **settings).numpy()


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return how many inputs feed one output, and how many outputs one input feeds: (O, C, KH, KW) or (O, D)."""
    return prod(shape[1:]), shape[0] * prod(shape[2:])


def xavier_std(shape: tuple[int, ...]) -> float:
    """Return the standard deviation that Glorot and Bengio ask for."""
    return sqrt(2 / sum(fans(shape)))


def he_std(shape: tuple[int, ...]) -> float:
    """Return the standard deviation that He et al. ask for."""
    return sqrt(2 / fans(shape)[0])


def is_spread(weights: np.ndarray, std: float, kurtosis: float = NORMAL) -> bool:
    """Return whether the weights' standard deviation is believable for draws of deviation ``std``."""
    return abs(weights.std() - std) <= SIGMAS * std * sqrt((kurtosis - 1) / (4 * weights.size))


def looks_uniform(weights: np.ndarray) -> bool | None:
    """Return whether the draws look uniform rather than normal, or None where they are too few to tell."""
    if weights.size < 2_000 or not weights.std():
        return None
    return bool(np.mean(((weights - weights.mean()) / weights.std()) ** 4) < (UNIFORM + NORMAL) / 2)


def has_repeats(weights: np.ndarray) -> bool:
    """Return whether less than half of the weights differ; of draws, nearly all do, in float32 too."""
    return np.unique(weights).size < weights.size / 2


def judge(std: Callable[[tuple], float], uniform: bool) -> Callable[..., str]:
    """Return the function that says what is wrong with weights that should have this spread and distribution."""

    def check_answer(value: Any, shape: tuple[int, ...], rng: Any) -> str:
        shape = tuple(shape)
        weights = array_of(value, shape)
        if weights is None:
            return wrong_shape(value, shape)
        wanted = std(shape)
        if has_repeats(weights):
            return f"Only {np.unique(weights).size} of the {weights.size} weights differ: draw each one on its own."
        if not is_spread(weights, wanted):
            return (
                f"For shape {shape} the standard deviation should be about {wanted:.3g}; "
                f"that of your weights is {weights.std():.3g}."
            )
        if abs(weights.mean()) > SIGMAS * wanted / sqrt(weights.size):
            return f"The weights should be about 0 on average; the mean of yours is {weights.mean():.3g}."
        if uniform and np.abs(weights).max() > sqrt(3) * wanted * (1 + 1e-6):
            return f"No weight should be further from 0 than {sqrt(3) * wanted:.3g}; the largest of yours is {np.abs(weights).max():.3g}."
        if looks_uniform(weights) not in (None, uniform):
            asked, got = ("uniform", "normal") if uniform else ("normal", "uniform")
            return f"The spread is right, but the weights should come from the {asked} distribution; yours look {got}."
        return ""

    return repeatable(check_answer)


def _judge(exercise: Exercise) -> Callable[..., str]:
    assert exercise.check_answer
    return exercise.check_answer


def _cases(*shapes: tuple[str, tuple[int, ...]]) -> tuple[Case, ...]:
    drawn = [Case(name, shape, np.random.default_rng(i)) for i, (name, shape) in enumerate(shapes)]
    again = Case(
        "the same rng, the same weights; the next call, others",
        through("draws"),
        (12, 30),
        np.random.default_rng(9),
    )
    return (*drawn, again)


CASES = _cases(
    ("a linear layer (O, D)", (40, 160)),
    ("a linear layer with more outputs than inputs", (200, 30)),
    ("filters (O, C, KH, KW)", (32, 12, 5, 3)),
    ("filters of one channel", (300, 1, 3, 3)),
)


def _random(rng: np.random.Generator) -> Case:
    shape = (60, 24) if rng.random() < 0.5 else (20, 6, 5, 5)
    factor = int(rng.integers(1, 4))
    return Case("random", (factor * shape[0], *shape[1:]), np.random.default_rng(int(rng.integers(1000))))


def add_spread(
    exercise: Exercise, name: str, hint: str, std: Callable[[tuple], float], uniform: bool
) -> None:
    """Add a wrong idea that shows in the standard deviation of the weights alone."""

    def seen(value: Any, shape: tuple[int, ...], rng: Any) -> bool:
        weights = array_of(value, tuple(shape))
        return weights is not None and is_spread(weights, std(tuple(shape)))

    @exercise.misconception(name, hint, when=shows(_judge(exercise), seen))
    def _(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return _draw(tuple(shape), rng, std(tuple(shape)), uniform)


def _draw(shape: tuple[int, ...], rng: np.random.Generator, std: float, uniform: bool) -> np.ndarray:
    """Return draws of deviation ``std`` by torch."""
    if uniform:
        return draw(torch.nn.init.uniform_, shape, rng, a=-sqrt(3) * std, b=sqrt(3) * std)
    return draw(torch.nn.init.normal_, shape, rng, std=std)


def add_ideas_about_first_weights(exercise: Exercise, std: Callable[[tuple], float], uniform: bool) -> None:
    """Add the wrong ideas that both initialisations can suffer from."""
    fixed = [
        (
            "is-not-scaled",
            "Your weights are of size 1 whatever the layer's size. Each output would be a sum of many such terms: the more inputs, the smaller the weights must be.",
            lambda shape: 1 / sqrt(3) if uniform else 1.0,
        ),
        (
            "is-always-0.01",
            "Your weights are of size 0.01 whatever the layer's size. That was the habit before; the right size depends on the fans.",
            lambda shape: 0.01,
        ),
        (
            "divides-by-all-the-weights",
            "You count all the weights of the layer. The fan-in is what one output adds up: one filter's weights, without the O.",
            lambda shape: sqrt(2 / prod(shape)),
        ),
    ]
    for name, hint, wrong in fixed:
        add_spread(exercise, name, hint, wrong, uniform)

    @exercise.misconception(
        "starts-at-zero",
        "All your weights are the same. Then all units compute the same, get the same gradient, and stay the same for ever. Draw them.",
        when=shows(
            _judge(exercise),
            lambda value, shape, rng: np.shape(value) == tuple(shape) and float(np.ptp(value)) == 0,
        ),
    )
    def _(shape, rng):
        return np.zeros(shape)

    @exercise.misconception(
        "draws-one-number-for-many",
        "You draw one number and use it for several weights, as for a whole kernel or for every row. What starts alike computes the same: draw "
        "as many numbers as there are weights, in the whole shape.",
        when=shows(
            _judge(exercise),
            lambda value, shape, rng: (
                (weights := array_of(value, tuple(shape))) is not None
                and has_repeats(weights)
                and np.ptp(weights) > 0
            ),
        ),
    )
    def _(shape, rng):
        size = std(tuple(shape))
        return np.broadcast_to(_draw((1, *shape[1:]), rng, size, uniform), shape).copy()

    @exercise.misconception(
        "draws-positive-weights-only",
        "None of your weights is negative. rng.random() gives numbers from 0 to 1: the weights must spread to both sides of 0.",
        when=shows(
            _judge(exercise),
            lambda value, shape, rng: (
                array_of(value, tuple(shape)) is not None and np.min(value) >= 0 and np.ptp(value) > 0
            ),
        ),
    )
    def _(shape, rng):
        return np.abs(_draw(tuple(shape), rng, std(tuple(shape)), uniform))

    def has_the_other_distribution(value: Any, shape: tuple[int, ...], rng: Any) -> bool:
        weights = array_of(value, tuple(shape))
        if weights is None or not is_spread(weights, std(tuple(shape))):
            return False
        return looks_uniform(weights) in (None, not uniform)

    name = "draws-from-the-normal-distribution" if uniform else "draws-from-the-uniform-distribution"
    hint = (
        "The size is right, but you draw from the normal distribution, which has no bound. Both are in use; here it is rng.uniform(-bound, bound, shape)."
        if uniform
        else "The size is right, but you draw from a uniform distribution. Both are in use; here it is the normal one: rng.normal."
    )

    @exercise.misconception(name, hint, when=shows(_judge(exercise), has_the_other_distribution))
    def _(shape, rng):
        return _draw(tuple(shape), rng, std(tuple(shape)), not uniform)

    add_ideas_about_the_generator(exercise)


# ---------------------------------------------------------------------------------------------------- xavier_init

xavier_init = Exercise(
    "xavier_init",
    UNIT,
    points=2,
    parameters=("shape", "rng"),
    oracle=lambda shape, rng: draw(torch.nn.init.xavier_uniform_, shape, rng),
    check_answer=judge(xavier_std, uniform=True),
    cases=CASES,
    random=_random,
    hints=(
        "Take one output of the layer: how many numbers does it add up? And take one input: into how many outputs does it go? For filters the "
        "kernel's size counts in both.",
        "fan_in is the product of all of shape but the first; fan_out is the first, times the kernel's height and width if there are any. The "
        "bound is the root of 6 over their sum.",
        "`np.prod(shape[1:])` and `shape[0] * np.prod(shape[2:])` are the fans (the product of nothing is 1). Then `rng.uniform(-bound, bound, ...)` "
        "with the shape as it came.",
    ),
)

for _name, _hint, _std in (
    (
        "forgets-the-root-of-three",
        "Your weights are too small by the root of 3. The standard deviation should be sqrt(2 / (fan_in + fan_out)); a uniform draw up to "
        "some bound has a deviation of bound / sqrt(3). So the bound has a 6 under the root.",
        lambda shape: xavier_std(shape) / sqrt(3),
    ),
    (
        "is-hes",
        "This is the size of He's initialisation, 2 / fan_in under the root. Xavier's takes both fans: it looks at the way forward and the way back.",
        he_std,
    ),
    (
        "uses-the-fan-in-only",
        "Your size is 1 / sqrt(fan_in). CS231n calls that Xavier too (it is LeCun's); here, as in the paper and in PyTorch, both fans count.",
        lambda shape: 1 / sqrt(fans(shape)[0]),
    ),
    (
        "is-torchs-default",
        "You draw up to 1 / sqrt(fan_in), as PyTorch's layers do when nobody says otherwise. Xavier's bound is sqrt(6 / (fan_in + fan_out)).",
        lambda shape: 1 / sqrt(3 * fans(shape)[0]),
    ),
    (
        "forgets-the-root",
        "Your bound is 6 / (fan_in + fan_out): that is the square of what it should be. Variance and standard deviation are a root apart.",
        lambda shape: xavier_std(shape) ** 2 * sqrt(3),
    ),
    (
        "forgets-the-kernel",
        "For filters you count channels only. One output adds up channels times kernel height times kernel width numbers; the kernel counts in both fans.",
        lambda shape: sqrt(2 / (shape[0] + shape[1])),
    ),
    (
        "forgets-the-kernel-in-the-fan-out",
        "The fan-in is right. In the fan-out the kernel counts as well: one pixel goes into KH x KW outputs of every one of the O maps.",
        lambda shape: sqrt(2 / (fans(shape)[0] + shape[0])),
    ),
    (
        "takes-the-bound-for-the-deviation",
        "You draw from the normal distribution with the bound as its deviation, which is too large by the root of 3. The bound is the furthest that a "
        "uniform draw may go: rng.uniform(-bound, bound, shape).",
        lambda shape: xavier_std(shape) * sqrt(3),
    ),
    (
        "halves-the-fans",
        "Your size is 1 / sqrt(fan_in + fan_out): the 2 above the line is missing. It comes from averaging the two fans.",
        lambda shape: sqrt(1 / sum(fans(shape))),
    ),
    (
        "forgets-the-kernel-in-the-fan-in",
        "The fan-out is right. In the fan-in the kernel counts as well: one output adds up KH x KW numbers of every one of the C channels.",
        lambda shape: sqrt(2 / (shape[1] + fans(shape)[1])),
    ),
    (
        "divides-by-the-mean-of-the-fans",
        "You divide by the mean of the two fans, so the weights are too large by the root of 2. Divide by their sum.",
        lambda shape: sqrt(4 / sum(fans(shape))),
    ),
    (
        "uses-the-fan-out-only",
        "You use the fan-out alone. Both fans count here, so that forward and backward are treated alike.",
        lambda shape: sqrt(2 / fans(shape)[1]),
    ),
):
    add_spread(xavier_init, _name, _hint, _std, True)

add_ideas_about_first_weights(xavier_init, xavier_std, uniform=True)


# -------------------------------------------------------------------------------------------------------- he_init

he_init = Exercise(
    "he_init",
    UNIT,
    points=2,
    parameters=("shape", "rng"),
    oracle=lambda shape, rng: draw(torch.nn.init.kaiming_normal_, shape, rng, nonlinearity="relu"),
    check_answer=judge(he_std, uniform=False),
    cases=CASES,
    random=_random,
    hints=(
        "How many numbers does one output add up, and which of them does a ReLU leave alive? Only that fan counts here.",
        "The standard deviation is the root of 2 over fan_in, the product of all of shape but the first. rng.normal takes a mean and a "
        "standard deviation (not a variance), then the shape.",
        "`np.sqrt(2 / np.prod(shape[1:]))` is the second thing that `rng.normal` wants; the first is 0, the third is the shape.",
    ),
)

for _name, _hint, _std in (
    (
        "is-xaviers",
        "This is the size of Xavier's initialisation, with both fans. He's looks at the way forward only: 2 / fan_in under the root.",
        xavier_std,
    ),
    (
        "uses-the-fan-out",
        "You use the fan-out. What an output adds up is the fan-in: all axes of the shape but the first. (Weights are (O, D) here, as in "
        "PyTorch; where they are (D, O), as in CS231n, it is the other axis.)",
        lambda shape: sqrt(2 / fans(shape)[1]),
    ),
    (
        "forgets-the-two",
        "Your size is 1 / sqrt(fan_in), which suits a layer without ReLU. A ReLU silences about half of the numbers, and the 2 makes up for that.",
        lambda shape: 1 / sqrt(fans(shape)[0]),
    ),
    (
        "takes-the-variance-for-the-deviation",
        "2 / fan_in is the variance. rng.normal wants the standard deviation, which is its root.",
        lambda shape: 2 / fans(shape)[0],
    ),
    (
        "forgets-the-kernel",
        "For filters you count channels only. One output adds up channels times kernel height times kernel width numbers.",
        lambda shape: sqrt(2 / shape[1]),
    ),
    (
        "counts-the-filters",
        "You use the number of outputs, O. That is not what an output adds up: it adds one product for each weight of its own filter.",
        lambda shape: sqrt(2 / shape[0]),
    ),
):
    add_spread(he_init, _name, _hint, _std, False)

add_ideas_about_first_weights(he_init, he_std, uniform=False)
