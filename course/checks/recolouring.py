"""Unit 05: random colours, judged by what must hold whatever was drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course.checks.chance import (
    add_ideas_about_the_generator,
    array_of,
    close,
    is_share,
    repeatable,
    shows,
    wrong_shape,
)
from course.checks.exercise import Case, Exercise
from course.checks.flipping import UNIT
from course.checks.oracle import tensor
from course.checks.recipe import through

# --------------------------------------------------------------------------------------------------- color_jitter


def jitter(x: Any, factors: Any, shift: Any = 0.0) -> np.ndarray:
    """Return x times its factors plus a shift, kept within 0 and 1; by torch."""
    return (tensor(x) * tensor(factors) + tensor(shift)).clamp(0, 1).numpy()


def factors_of(value: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return value / x for each pixel, nan where it was clipped or x is 0 and it cannot be told."""
    unclear = (x <= 0) | (value <= 0) | (value >= 1 - 1e-6)
    return np.where(unclear, np.nan, value / np.where(unclear, 1, x))


def channel_factors(value: np.ndarray, x: np.ndarray) -> np.ndarray | None:
    """Return the factor (N, C) of every channel of every image, or None where a channel has no single one."""
    factors = factors_of(value, x).reshape(*x.shape[:2], -1)
    darkest = np.where(x > 0, x, np.inf).reshape(*x.shape[:2], -1).argmin(2)
    one = np.take_along_axis(factors, darkest[..., None], 2)  # the pixel that is clipped last
    one = np.where(np.isnan(one), 0, one)
    return one[..., 0] if close(value, np.clip(x * one[..., None], 0, 1)) else None


def judge_jitter(value: Any, x: np.ndarray, strength: float, rng: Any) -> str:
    """Return what is wrong with a batch of recoloured images, or an empty string."""
    array = array_of(value, np.shape(x))
    if array is None:
        return wrong_shape(value, np.shape(x))
    if array.min() < -1e-6 or array.max() > 1 + 1e-6:
        return f"Pixels stay between 0 and 1; yours go from {array.min():.3g} to {array.max():.3g}."
    factors = channel_factors(array, x)
    if factors is None:
        return "Within one channel of one image, all pixels must be multiplied by the same factor (and clipped to 0 and 1)."
    if factors.min() < 1 - strength - 1e-4 or factors.max() > 1 + strength + 1e-4:
        wanted = f"from {1 - strength:.3g} to {1 + strength:.3g}"
        return f"The factors must lie {wanted}; yours lie from {factors.min():.3g} to {factors.max():.3g}."
    return spread_of(factors, strength)


def spread_of(factors: np.ndarray, strength: float) -> str:
    """Return what is wrong with how the factors (N, C) are spread, or an empty string."""
    if len(factors) > 4 and np.ptp(factors, axis=0).max() < 1e-4 * strength:
        return "Every image of the batch gets the same factors."
    if len(factors) > 4 and factors.shape[1] > 1 and np.ptp(factors, axis=1).max() < 1e-4 * strength:
        return "All channels of an image get the same factor, so its colour does not change, only its brightness."
    if factors.size >= 150 and (factors.min() > 1 - 0.75 * strength or factors.max() < 1 + 0.75 * strength):
        wanted = f"all of {1 - strength:.3g} to {1 + strength:.3g}"
        return f"The factors should fill {wanted}; yours lie from {factors.min():.3g} to {factors.max():.3g}."
    return evenness_of(factors, strength) if factors.size >= 150 and strength else ""


def evenness_of(factors: np.ndarray, strength: float) -> str:
    """Return what is wrong with factors that fill their range, but are not drawn evenly from it, or an empty string."""
    for name, count in (
        ("below 1", (factors < 1).sum()),
        ("nearer to 1 than to the ends", (np.abs(factors - 1) < strength / 2).sum()),
    ):
        if not is_share(int(count), factors.size, 0.5):
            return f"Drawn evenly, about half of the factors lie {name}; of yours {100 * count / factors.size:.0f} % do."
    return ""


def _pixels(rng: np.random.Generator, *shape: int, top: float = 0.95) -> np.ndarray:
    """Return images from 0.05 to ``top``, each channel with a dark pixel."""
    x = rng.uniform(0.05, top, shape)
    x[..., 0, 0] = 0.05 + 0.1 * rng.random(shape[:2])
    return x


def uniform_factors(rng: np.random.Generator, strength: float, *shape: int) -> np.ndarray:
    """Return factors between 1 - strength and 1 + strength."""
    return rng.uniform(1 - strength, 1 + strength, shape)


color_jitter = Exercise(
    "color_jitter",
    UNIT,
    points=3,
    parameters=("x", "strength", "rng"),
    oracle=lambda x, strength, rng: jitter(x, uniform_factors(rng, strength, *np.shape(x)[:2], 1, 1)),
    check_answer=repeatable(judge_jitter),
    cases=(
        Case(
            "eight dark images",
            _pixels(np.random.default_rng(20), 8, 3, 4, 5, top=0.4),
            0.5,
            np.random.default_rng(1),
        ),
        Case(
            "as high as wide as deep",
            _pixels(np.random.default_rng(21), 9, 3, 3, 3, top=0.4),
            0.3,
            np.random.default_rng(2),
        ),
        Case(
            "four hundred images",
            _pixels(np.random.default_rng(22), 400, 3, 2, 3, top=0.5),
            0.9,
            np.random.default_rng(3),
            weight=2,
        ),
        Case(
            "bright images, which reach white",
            _pixels(np.random.default_rng(23), 20, 3, 5, 4),
            0.8,
            np.random.default_rng(4),
        ),
        Case(
            "grey images",
            _pixels(np.random.default_rng(24), 12, 1, 3, 5, top=0.6),
            0.4,
            np.random.default_rng(5),
        ),
        Case(
            "strength 0 changes nothing",
            _pixels(np.random.default_rng(25), 3, 2, 3, 4),
            0.0,
            np.random.default_rng(6),
            weight=0.5,
        ),
        Case(
            "the same rng, the same colours",
            through("draws"),
            _pixels(np.random.default_rng(26), 8, 3, 4, 3, top=0.5),
            0.4,
            np.random.default_rng(7),
        ),
    ),
    random=lambda rng: Case(
        "random",
        _pixels(
            rng, int(rng.integers(5, 80)), int(rng.integers(2, 4)), *(int(n) for n in rng.integers(2, 6, 2))
        ),
        float(rng.uniform(0.2, 0.9)),
        np.random.default_rng(int(rng.integers(1000))),
    ),
    hints=(
        "How many factors are there for N images of C channels, and which shape lets an array of them meet (N, C, H, W)?",
        "Draw N * C factors evenly between 1 - strength and 1 + strength, in a shape that broadcasts over height and width. Multiply, "
        "then bring what has left the range from 0 to 1 back to its ends.",
        "`rng.uniform(low, high, size=(N, C, 1, 1))` has the right shape; np.clip keeps the product between 0 and 1.",
    ),
)


def jitter_idea(name: str, hint: str, when: Callable[[np.ndarray, np.ndarray, float], Any]):
    """Add a wrong idea that shows in a batch of colours: ``when(value, x, strength)``."""

    def seen(value: Any, x: np.ndarray, strength: float, rng: Any) -> bool:
        array = array_of(value, np.shape(x))
        return array is not None and bool(when(array, x, strength))

    return color_jitter.misconception(name, hint, shows(judge_jitter, seen))


def by_factors(test: Callable[[np.ndarray, float], Any]):
    """Return a test of the factors (N, C) that were used: ``test(factors, strength)``."""

    def when(value: np.ndarray, x: np.ndarray, strength: float) -> bool:
        factors = channel_factors(value, x)
        return factors is not None and bool(test(factors, strength))

    return when


@jitter_idea(
    "changes-nothing", "You return the images as they came.", lambda value, x, strength: close(value, x)
)
def _(x, strength, rng):
    return tensor(x).numpy()


@jitter_idea(
    "does-not-clip",
    "Some pixels are brighter than 1, which is white. Bring them back to 1 (np.clip).",
    lambda value, x, strength: (
        (np.ptp((value / x).reshape(*x.shape[:2], -1), axis=2) < 1e-4).all() and value.max() > 1 + 1e-6
    ),
)
def _(x, strength, rng):
    return (tensor(x) * tensor(uniform_factors(rng, strength, *np.shape(x)[:2], 1, 1))).numpy()


@jitter_idea(
    "one-factor-for-the-batch",
    "One factor for everything: the whole batch becomes brighter or darker. Draw one for every channel of every image.",
    by_factors(lambda factors, strength: np.ptp(factors) < 1e-4 < factors.max()),
)
def _(x, strength, rng):
    return jitter(x, uniform_factors(rng, strength, 1, 1, 1, 1))


@jitter_idea(
    "same-colours-for-the-batch",
    "All images get the same factors. Draw for every image anew: N times C factors.",
    by_factors(lambda factors, strength: np.ptp(factors, axis=0).max() < 1e-4 < factors.max()),
)
def _(x, strength, rng):
    return jitter(x, uniform_factors(rng, strength, 1, np.shape(x)[1], 1, 1))


@jitter_idea(
    "changes-brightness-only",
    "All channels of an image get the same factor, so only its brightness changes. A factor for each channel changes the colour.",
    by_factors(lambda factors, strength: np.ptp(factors, axis=1).max() < 1e-4 < factors.max()),
)
def _(x, strength, rng):
    return jitter(x, uniform_factors(rng, strength, len(x), 1, 1, 1))


@jitter_idea(
    "only-brighter",
    "Your factors lie on one side of 1, so images only get brighter, or only darker. They lie on both sides: from 1 - strength to "
    "1 + strength.",
    by_factors(
        lambda factors, strength: (
            np.abs(factors - 1).max() <= strength + 1e-4
            and (factors.min() >= 1 - 1e-6 or factors.max() <= 1 + 1e-6)
        )
    ),
)
def _(x, strength, rng):
    return jitter(x, 1 + strength * rng.random((*np.shape(x)[:2], 1, 1)))


@jitter_idea(
    "forgets-the-one",
    "Your factors lie around 0, from -strength to strength, so the images turn nearly black. Around 1 nothing changes on average: add 1.",
    by_factors(
        lambda factors, strength: (factors == 0).mean() > 0.2 and 0 < factors.max() <= strength + 1e-4
    ),
)
def _(x, strength, rng):
    return jitter(x, rng.uniform(-strength, strength, (*np.shape(x)[:2], 1, 1)))


@jitter_idea(
    "draws-for-every-pixel",
    "Every pixel gets a factor of its own: that is noise. A colour cast is one factor for a whole channel, so draw the shape (N, C, 1, 1).",
    lambda value, x, strength: (
        channel_factors(value, x) is None
        and np.nanmax(np.abs(factors_of(value, x) - 1)) <= strength + 1e-4
        and not (np.nanmax(np.ptp(factors_of(value, x), axis=1)) < 1e-4 and x.shape[1] > 1)
    ),
)
def _(x, strength, rng):
    return jitter(x, uniform_factors(rng, strength, *np.shape(x)))


def _shifts(value: np.ndarray, x: np.ndarray, strength: float) -> bool:
    clear = (value > 1e-6) & (value < 1 - 1e-6)
    change = np.where(clear, value - x, np.nan).reshape(*x.shape[:2], -1)
    with np.errstate(all="ignore"):
        low, high = np.nanmin(change, axis=2, initial=np.inf), np.nanmax(change, axis=2, initial=-np.inf)
    return bool(clear.any() and (high - low < 1e-4).all()) and not close(value, x)


@jitter_idea(
    "adds-in-place-of-multiplying",
    "You add a random number to each channel. That makes black grey; multiply by a factor near 1.",
    _shifts,
)
def _(x, strength, rng):
    return jitter(x, 1.0, rng.uniform(-strength, strength, (*np.shape(x)[:2], 1, 1)))


add_ideas_about_the_generator(color_jitter)
