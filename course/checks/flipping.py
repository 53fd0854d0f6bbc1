"""Unit 05: random flips, judged by what must hold whatever was drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course.checks.chance import (
    add_ideas_about_the_generator,
    array_of,
    close,
    is_share,
    repeatable,
    shows,
    wrong_shape,
)
from course.checks.compare import wrong_places
from course.checks.exercise import Case, Exercise, integers, normal
from course.checks.oracle import tensor
from course.checks.recipe import through

UNIT = "05-dropout-and-data"
ENOUGH = 24  # so many images, and one coin or one place for all of them can be told from chance


def equal_images(value: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """Return for each image of a batch whether it equals the answer's."""
    return ~np.any(wrong_places(value, answer).reshape(len(value), -1), axis=1)


# ---------------------------------------------------------------------------------------------------- random_flip


def flip(x: Any, coins: np.ndarray, axis: int = 3) -> np.ndarray:
    """Return x with an axis turned around where a coin (N, 1, 1, 1), or of any shape that fits, says so; by torch."""
    x = tensor(x)
    return torch.where(torch.as_tensor(coins), x.flip(axis), x).numpy()


def judge_flip(value: Any, x: np.ndarray, rng: Any) -> str:
    """Return what is wrong with a batch of flipped images, or an empty string."""
    array = array_of(value, np.shape(x))
    if array is None:
        return wrong_shape(value, np.shape(x))
    as_it_was, flipped = equal_images(array, x), equal_images(array, x[..., ::-1])
    if not (as_it_was | flipped).all():
        number = int(np.argmin(as_it_was | flipped))
        return f"Image {number} is neither x[{number}] nor its mirror image, left and right exchanged."
    if len(x) >= ENOUGH and not is_share(int(flipped.sum()), len(x), 0.5):
        return f"About half of the images should be flipped; {int(flipped.sum())} of {len(x)} are."
    return ""


def _coins(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.random(shape) < 0.5


random_flip = Exercise(
    "random_flip",
    UNIT,
    points=2,
    parameters=("x", "rng"),
    oracle=lambda x, rng: flip(x, _coins(rng, len(x), 1, 1, 1)),
    check_answer=repeatable(judge_flip),
    cases=(
        Case("six images of three channels", normal(6, 3, 4, 5), np.random.default_rng(1)),
        Case("as high as wide as deep", normal(7, 3, 3, 3), np.random.default_rng(2)),
        Case("two thousand small images", normal(2000, 2, 2, 3), np.random.default_rng(3), weight=2),
        Case("grey images", normal(60, 1, 5, 2), np.random.default_rng(4)),
        Case("whole-number pixels", integers(40, 2, 3, 5), np.random.default_rng(5)),
        Case("the same rng, the same coins", through("draws"), normal(50, 2, 2, 4), np.random.default_rng(6)),
    ),
    random=lambda rng: Case(
        "random",
        rng.standard_normal((int(rng.integers(2, 60)), *rng.integers(2, 6, 3))),
        np.random.default_rng(int(rng.integers(1000))),
    ),
    hints=(
        "Which of the four axes of (N, C, H, W) runs from left to right? And how many coins do you need for N images?",
        "Draw N coins at once. Take a copy of x, and in it turn the last axis of the images whose coin shows heads; `::-1` turns an axis.",
        "`heads = rng.random(len(x)) < 0.5` is an index: `out[heads]` are the images to change, and `x[heads][..., ::-1]` what to put there.",
    ),
)


def flip_idea(name: str, hint: str, when: Callable[[np.ndarray, np.ndarray], Any]):
    """Add a wrong idea that shows in a batch: ``when(value, x)``."""

    def seen(value: Any, x: np.ndarray, rng: Any) -> bool:
        array = array_of(value, np.shape(x))
        return array is not None and bool(when(array, x))

    return random_flip.misconception(name, hint, shows(judge_flip, seen))


def _each(*choices: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray, np.ndarray], bool]:
    """Return a test for batches in which every image is one of these changes of the original."""
    return lambda value, x: np.logical_or.reduce([equal_images(value, change(x)) for change in choices]).all()


def _same(x: np.ndarray) -> np.ndarray:
    return x


def _mirror(x: np.ndarray) -> np.ndarray:
    return x[..., ::-1]


@flip_idea("never-flips", "No image is flipped: you return x as it came.", close)
def _(x, rng):
    return tensor(x).numpy()


@flip_idea(
    "always-flips",
    "Every image is flipped. Throw a coin for each: about half of them stay as they are.",
    lambda value, x: close(value, x[..., ::-1]),
)
def _(x, rng):
    return flip(x, np.array(True))


@flip_idea(
    "one-coin-for-the-batch",
    "You throw one coin, and flip the whole batch or none of it. Draw as many coins as there are images.",
    lambda value, x: close(value, x) or close(value, x[..., ::-1]),
)
def _(x, rng):
    return flip(x, _coins(rng, 1, 1, 1, 1))


@flip_idea(
    "flips-top-and-bottom",
    "Your images stand on their heads. Left and right are exchanged along the width, the last axis.",
    _each(_same, lambda x: x[:, :, ::-1]),
)
def _(x, rng):
    return flip(x, _coins(rng, len(x), 1, 1, 1), axis=2)


@flip_idea(
    "flips-the-channels",
    "You turn the order of the channels around (np.fliplr turns axis 1, which is the width only in a plane). The width is the last axis.",
    _each(_same, lambda x: x[:, ::-1]),
)
def _(x, rng):
    return flip(x, _coins(rng, len(x), 1, 1, 1), axis=1)


@flip_idea(
    "turns-by-half",
    "You turn rows and columns around, which is a half turn. Only left and right are exchanged: the last axis.",
    _each(_same, lambda x: x[:, :, ::-1, ::-1]),
)
def _(x, rng):
    coins = _coins(rng, len(x), 1, 1, 1)
    return flip(flip(x, coins, axis=2), coins)


@flip_idea(
    "reverses-the-batch",
    "You turn the order of the images in the batch around, so that they no longer belong to their labels. Turn the width, the last axis.",
    lambda value, x: close(value, x[::-1]),
)
def _(x, rng):
    return tensor(x).flip(0).numpy()


@flip_idea(
    "one-coin-for-each-channel",
    "Within one image some channels are flipped and some are not, so its colours no longer lie on each other. One coin an image.",
    lambda value, x: np.all(
        not _each(_same, _mirror)(value, x)
        and equal_images(np.concatenate(list(value)), np.concatenate(list(x)))
        | equal_images(np.concatenate(list(value)), np.concatenate(list(x))[..., ::-1])
    ),
)
def _(x, rng):
    return flip(x, _coins(rng, *np.shape(x)[:2], 1, 1))


@flip_idea(
    "one-coin-for-each-row",
    "Within one image some rows are flipped and some are not, which tears it apart. One coin an image.",
    lambda value, x: np.all(
        not _each(_same, _mirror)(value, x)
        and (value == x).all(3) | (np.abs(value - x[..., ::-1]) < 1e-4 * np.abs(x).max()).all(3)
    ),
)
def _(x, rng):
    return flip(x, _coins(rng, *np.shape(x)[:3], 1))


@flip_idea(
    "drops-the-others",
    "Only the images that are flipped hold anything, the others are zero. Start from a copy of x, not from zeros.",
    _each(np.zeros_like, lambda x: x[..., ::-1]),
)
def _(x, rng):
    coins = _coins(rng, len(x), 1, 1, 1)
    return flip(x, coins) * coins


add_ideas_about_the_generator(random_flip)
