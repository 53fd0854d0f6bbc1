"""Unit 00, start here: an image is a volume of channels, rows and columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from course.checks.compare import matches
from course.checks.exercise import Case, Exercise, integers, normal, runs_into

UNIT = "00-start-here"


def torch_to_chw(image: Any) -> np.ndarray:
    """Return an HWC image as CHW, by torch."""
    return torch.as_tensor(np.asarray(image)).permute(2, 0, 1).contiguous().numpy()


TWO_PIXELS = np.array([[[10, 20, 30], [40, 50, 60]]])  # one row, two pixels, three channels

to_chw = Exercise(
    "to_chw",
    UNIT,
    points=1,
    parameters=("image",),
    oracle=torch_to_chw,
    cases=(
        Case("two pixels, by hand", TWO_PIXELS, answer=[[[10, 40]], [[20, 50]], [[30, 60]]]),
        Case("a wide photograph", integers(3, 5, 3)),
        Case("as high and wide as it is deep", integers(3, 3, 3)),
        Case("one channel", normal(4, 2, 1)),
    ),
    random=lambda rng: Case("random", rng.standard_normal(tuple(rng.integers(1, 6, 3)))),
    hints=(
        "The axes are there, in another order. Which axis of the image should come first?",
        "np.transpose (or the array's transpose method) takes the old axes in their new order. Axis 2 holds the channels.",
        "The new order is the old axis 2, then the old axis 0, then the old axis 1.",
    ),
)


@to_chw.misconception(
    "reshapes",
    "The shape is right but the pixels are scrambled: reshape deals the same numbers out again in the same order. To reorder axes, "
    "use transpose.",
)
def _(image):
    height, width, channels = np.shape(image)
    return torch.as_tensor(np.ascontiguousarray(image)).reshape(channels, height, width).numpy()


@to_chw.misconception(
    "swaps-height-and-width",
    "The channels come first now, but height and width are swapped: the picture lies on its side. `.T` and swapping axes 0 and 2 turn the "
    "order of all the axes around.",
)
def _(image):
    return torch.as_tensor(np.asarray(image)).permute(2, 1, 0).numpy()


@to_chw.misconception(
    "leaves-it-as-it-is",
    "Your answer is the image as it came in. Transposing gives a new array, which must be returned.",
)
def _(image):
    return np.array(image)


@to_chw.misconception(
    "moves-rows-last",
    "You moved the rows to the end, which gives width, channels, height. It is the channels, axis 2, that move, to the front.",
)
def _(image):
    return torch.as_tensor(np.asarray(image)).permute(1, 2, 0).numpy()


@to_chw.misconception(
    "keeps-one-channel", "There is only one channel left. All of them stay, they only move."
)
def _(image):
    return torch_to_chw(image)[:1]


@to_chw.misconception(
    "adds-a-batch-axis",
    "There is an axis too many at the front. A batch of images has four axes; this is one image, with three.",
)
def _(image):
    return torch_to_chw(image)[None]


@to_chw.misconception(
    "counts-on-three-channels",
    "Your function counts on three channels. It is for any number: ask the image, `image.shape[2]`.",
)
def _(image):
    if np.shape(image)[2] < 3:
        raise runs_into(
            "IndexError", "ValueError", words=("out of bounds", "cannot reshape", "not enough values")
        )
    return torch_to_chw(image)[:3]


def _is_cut(value: Any, image: Any) -> bool:
    """Return whether the right answer was written into an array that holds whole numbers, or those from 0 to 255, only."""
    right = torch_to_chw(image)
    with np.errstate(invalid="ignore"):
        cut = np.trunc(right), right.astype(np.int64).astype(np.uint8)
    return not matches(value, right) and any(matches(value, kind) for kind in cut)


@to_chw.misconception(
    "holds-whole-numbers-only",
    "The order is right, but numbers are lost: your array has a whole-number dtype, and not every image has. np.zeros without a dtype makes "
    "floats, and `dtype=image.dtype` takes what the image has.",
    when=_is_cut,
)
def _(image):
    return np.trunc(torch_to_chw(image))


def torch_normalize(image: Any, mean: Any, std: Any) -> np.ndarray:
    """Return the image with each channel shifted and scaled, by torch."""
    x, m, s = (torch.as_tensor(np.asarray(a), dtype=torch.float64) for a in (image, mean, std))
    return torch.stack([(channel - m[c]) / s[c] for c, channel in enumerate(x)]).numpy()


def _random_image(rng: np.random.Generator) -> Case:
    channels, height, width = (int(n) for n in rng.integers([2, 1, 1], [5, 6, 6]))
    return Case(
        "random",
        rng.standard_normal((channels, height, width)),
        rng.standard_normal(channels),
        rng.uniform(0.5, 3, channels),
    )


MEAN, STD = np.array([10.0, 20.0, 30.0]), np.array([2.0, 4.0, 5.0])

normalize = Exercise(
    "normalize",
    UNIT,
    points=2,
    parameters=("image", "mean", "std"),
    oracle=torch_normalize,
    cases=(
        Case(
            "one pixel, by hand",
            np.array([[[14.0]], [[16.0]], [[40.0]]]),
            MEAN,
            STD,
            answer=[[[2.0]], [[-1.0]], [[2.0]]],
        ),
        Case("a wide image", normal(3, 2, 4), MEAN, STD),
        Case("as high and wide as it is deep", normal(3, 3, 3), MEAN, STD),
        Case(
            "whole-number pixels", integers(3, 4, 2), np.array([1.5, -0.75, 2.25]), np.array([2.5, 0.5, 1.25])
        ),
        Case("one channel", normal(1, 3, 2), np.array([0.5]), np.array([0.25])),
    ),
    random=_random_image,
    hints=(
        "Each channel has a mean and a std of its own. How do three numbers meet an array of shape (3, H, W)?",
        "NumPy lines shapes up from the right: (3,) meets the width, not the channels. Give mean and std two more axes of length 1 and "
        "broadcasting does the rest. Or loop over the channels.",
        "`mean.reshape(-1, 1, 1)` has shape (3, 1, 1). Subtract it, then divide by the std in the same shape, and return the result.",
    ),
)


@normalize.misconception(
    "lines-up-with-the-width",
    "The means went along the width in place of the channels: NumPy lines shapes up from the right, so (3,) meets the last axis. Use "
    "`mean.reshape(-1, 1, 1)`.",
)
def _(image, mean, std):
    return (np.asarray(image) - np.asarray(mean)) / np.asarray(std)


@normalize.misconception("forgets-to-divide", "You subtract the mean, but do not divide by the std.")
def _(image, mean, std):
    return torch_normalize(image, mean, np.ones_like(std))


@normalize.misconception("forgets-to-subtract", "You divide by the std, but do not subtract the mean first.")
def _(image, mean, std):
    return torch_normalize(image, np.zeros_like(mean), std)


@normalize.misconception(
    "divides-first",
    "You divide by the std and then subtract the mean. The other way round: subtract first.",
)
def _(image, mean, std):
    return torch_normalize(image, mean * std, std)


@normalize.misconception(
    "forgets-the-brackets",
    "Division comes before subtraction, so only the mean is divided by the std: put brackets around `image - mean`.",
)
def _(image, mean, std):
    return torch_normalize(image, mean / std, np.ones_like(std))


@normalize.misconception("multiplies", "You multiply by the std. Divide by it, so that the spread becomes 1.")
def _(image, mean, std):
    return torch_normalize(image, mean, 1 / std)


@normalize.misconception(
    "divides-by-the-variance", "You divide by the square of the std, the variance. Divide by the std itself."
)
def _(image, mean, std):
    return torch_normalize(image, mean, std**2)


@normalize.misconception(
    "uses-one-mean-for-all",
    "Every channel is treated with the first channel's mean and std. Each has its own.",
)
def _(image, mean, std):
    return torch_normalize(image, np.full_like(mean, mean[0]), np.full_like(std, std[0]))


@normalize.misconception(
    "computes-its-own-mean",
    "You compute mean and std from this image. They are given: they come from the whole training set, so that every image is treated alike.",
)
def _(image, mean, std):
    x = np.asarray(image, dtype=float)
    return torch_normalize(x, x.mean((1, 2)), x.std((1, 2)) + 1e-300)


@normalize.misconception(
    "computes-one-mean-of-the-image",
    "You compute one mean and one std, of this image and all its channels together. They are given, one of each a channel: use the arguments.",
)
def _(image, mean, std):
    x = np.asarray(image, dtype=float)
    return (x - x.mean()) / (x.std() + 1e-300)


@normalize.misconception(
    "averages-the-means",
    "You treat every channel with the average of the means and of the stds. Each channel has its own: `mean.reshape(-1, 1, 1)` holds one a channel.",
)
def _(image, mean, std):
    return torch_normalize(image, np.full_like(mean, mean.mean()), np.full_like(std, std.mean()))


@normalize.misconception(
    "forgets-to-reshape-the-std",
    "The mean meets the channels, but std still has the shape (C,), which meets the width: give it the same two axes, `std.reshape(-1, 1, 1)`.",
)
def _(image, mean, std):
    return torch_normalize(image, mean, np.ones_like(std)) / np.asarray(std)


@normalize.misconception(
    "treats-the-first-channel-only",
    "Only the first channel has an answer. Does your `return` stand inside the loop over the channels? Then the loop ends after the first.",
)
def _(image, mean, std):
    out = np.zeros(np.shape(image))
    out[0] = torch_normalize(image, mean, std)[0]
    return out


def _is_cut_to_whole_numbers(value: Any, image: Any, mean: Any, std: Any) -> bool:
    """Return whether an answer has lost what comes after the decimal point, by `//` or by its dtype."""
    right = torch_normalize(image, mean, std)
    return not matches(value, right) and (matches(value, np.trunc(right)) or matches(value, np.floor(right)))


@normalize.misconception(
    "truncates-to-whole-numbers",
    "You lose what comes after the decimal point: `//`, or an array with a whole-number dtype.",
    when=_is_cut_to_whole_numbers,
)
def _(image, mean, std):
    return np.trunc(torch_normalize(image, mean, std))


TAKES_THE_DTYPE = (
    "When the pixels are whole numbers, your array is too, and cannot hold the answer: image.copy(), np.zeros_like(image) and "
    "`dtype=image.dtype` take over the pixels' dtype. `image - mean` makes floats by itself, np.zeros(image.shape) too."
)


@normalize.misconception("takes-the-dtype-of-the-pixels", TAKES_THE_DTYPE)
def _(image, mean, std):
    out = torch_normalize(image, mean, std)
    return np.trunc(out) if np.asarray(image).dtype.kind in "iu" else out


@normalize.misconception("updates-a-copy-of-the-pixels", TAKES_THE_DTYPE)
def _(image, mean, std):
    if np.asarray(image).dtype.kind in "iu":
        raise runs_into("UFuncTypeError", words="Cannot cast ufunc")
    return torch_normalize(image, mean, std)
