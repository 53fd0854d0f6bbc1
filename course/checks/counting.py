"""Unit 07: what a net costs, and where it is wrong.

The oracles are torch: a window is counted by unfolding, a pair of digits by a histogram. A misconception is the oracle with
one wrong idea put into it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from course.checks.exercise import Case, Exercise
from course.checks.oracle import positions

UNIT = "07-lenet-in-numpy"


# ----------------------------------------------------------------------------------------------------- count_macs


def macs(
    in_channels: int,
    in_size: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    padding: int = 0,
    pairs: int | None = None,
) -> int:
    """Return the multiply-adds of a convolution."""
    places = positions(in_size, kernel_size, stride, padding)
    connected = in_channels * out_channels if pairs is None else pairs
    return places * places * connected * kernel_size * kernel_size


def _random_count(rng: np.random.Generator) -> Case:
    ints = (int(n) for n in rng.integers([2, 7, 2, 2], [9, 40, 9, 7]))
    more: dict[str, int] = {"stride": int(rng.integers(1, 4)), "padding": int(rng.integers(3))}
    if rng.random() < 0.3:
        more["pairs"] = int(rng.integers(2, 5))
    return Case("random", *ints, **more)


count_macs = Exercise(
    "count_macs",
    UNIT,
    points=3,
    parameters=("in_channels", "in_size", "out_channels", "kernel_size", "stride", "padding", "pairs"),
    returns="a whole number",
    oracle=macs,
    cases=(
        Case("one map, one filter", 1, 5, 1, 3, answer=9 * 9),
        Case("LeNet-5's C1", 1, 32, 6, 5, answer=117_600),
        Case("three channels, two filters", 3, 4, 2, 3, answer=4 * 9 * 6),
        Case("a linear layer as a convolution", 16, 5, 120, 5, answer=48_000),
        Case("padding", 2, 6, 3, 3, padding=1, answer=36 * 9 * 6),
        Case("a stride that does not divide", 2, 11, 4, 3, stride=5, answer=4 * 9 * 8),
        Case("LeNet-5's C3, in part connected", 6, 14, 16, 5, pairs=60, answer=150_000),
        Case(
            "in part connected, stride and padding",
            3,
            9,
            4,
            3,
            stride=2,
            padding=1,
            pairs=7,
            answer=25 * 9 * 7,
        ),
    ),
    random=_random_count,
    hints=(
        "Take one output of one filter: how many products are in its sum? Then: how many such outputs are there?",
        "The number of outputs in one map is the square of output_size (unit 01). Each connected pair of an input map and a filter costs "
        "one kernel's worth of products for each of these places. How many pairs are there?",
        "`out_size = (in_size + 2 * padding - kernel_size) // stride + 1`. The answer is a product of three: places (out_size squared), "
        "products in a pair (kernel_size squared), and pairs (in_channels * out_channels, unless given).",
    ),
)


@count_macs.misconception(
    "forgets-the-channels",
    "You leave out the input channels. Each filter is as deep as its input: its products are kernel_size² in *every* channel.",
)
def _(in_channels, in_size, out_channels, kernel_size, stride=1, padding=0, pairs=None):
    return macs(1, in_size, out_channels, kernel_size, stride, padding, pairs)


@count_macs.misconception(
    "forgets-the-filters",
    "You count one filter. Each of the out_channels filters makes a map of its own.",
)
def _(in_channels, in_size, out_channels, kernel_size, stride=1, padding=0, pairs=None):
    return macs(in_channels, in_size, 1, kernel_size, stride, padding, pairs)


@count_macs.misconception(
    "counts-the-biases",
    "You count one more for each output: its bias. A bias is added but multiplies nothing, and is left out here.",
)
def _(in_channels, in_size, out_channels, kernel_size, stride=1, padding=0, pairs=None):
    places = positions(in_size, kernel_size, stride, padding) ** 2
    return (
        macs(in_channels, in_size, out_channels, kernel_size, stride, padding, pairs) + places * out_channels
    )


@count_macs.misconception(
    "takes-the-input-size",
    "You count a window for each pixel of the input. There is one for each *output*: work out the output's size first.",
)
def _(in_channels, in_size, out_channels, kernel_size, stride=1, padding=0, pairs=None):
    return macs(in_channels, in_size, out_channels, 1, 1, 0, pairs) * kernel_size**2


@count_macs.misconception(
    "counts-two-for-a-pair",
    "You are too high by a factor of 2: you count the multiplication and the addition. Here the two together are one (papers that say "
    "FLOPs often count two).",
)
def _(in_channels, in_size, out_channels, kernel_size, stride=1, padding=0, pairs=None):
    return 2 * macs(in_channels, in_size, out_channels, kernel_size, stride, padding, pairs)


@count_macs.misconception(
    "ignores-the-table",
    "Your answer does not depend on `pairs`. Where it is given, only so many pairs of a map and a filter are connected.",
)
def _(in_channels, in_size, out_channels, kernel_size, stride=1, padding=0, pairs=None):
    return macs(in_channels, in_size, out_channels, kernel_size, stride, padding)


@count_macs.misconception(
    "counts-pairs-for-each-filter",
    "You multiply `pairs` by the number of filters (or of channels) again. It counts all pairs of the layer: it stands in place of "
    "in_channels * out_channels.",
)
def _(in_channels, in_size, out_channels, kernel_size, stride=1, padding=0, pairs=None):
    connected = None if pairs is None else pairs * out_channels
    return macs(in_channels, in_size, out_channels, kernel_size, stride, padding, connected)


@count_macs.misconception(
    "counts-pairs-for-each-map",
    "You multiply `pairs` by the number of input maps again. It counts all pairs of the layer: it stands in place of "
    "in_channels * out_channels.",
)
def _(in_channels, in_size, out_channels, kernel_size, stride=1, padding=0, pairs=None):
    connected = None if pairs is None else pairs * in_channels
    return macs(in_channels, in_size, out_channels, kernel_size, stride, padding, connected)


@count_macs.misconception(
    "counts-parameters",
    "You count the weights. Each of them is used at every place of the output: multiply by the number of places.",
)
def _(in_channels, in_size, out_channels, kernel_size, stride=1, padding=0, pairs=None):
    return macs(in_channels, kernel_size, out_channels, kernel_size, 1, 0, pairs)


@count_macs.misconception(
    "counts-one-row-of-places",
    "You take out_size once. A map has out_size rows *and* as many columns: square it.",
)
def _(in_channels, in_size, out_channels, kernel_size, stride=1, padding=0, pairs=None):
    places = positions(in_size, kernel_size, stride, padding)
    return macs(in_channels, in_size, out_channels, kernel_size, stride, padding, pairs) // places


@count_macs.misconception(
    "takes-the-kernel-once",
    "You take kernel_size once. A kernel has kernel_size rows *and* as many columns: square it.",
)
def _(in_channels, in_size, out_channels, kernel_size, stride=1, padding=0, pairs=None):
    return macs(in_channels, in_size, out_channels, kernel_size, stride, padding, pairs) // kernel_size


@count_macs.misconception(
    "ignores-the-padding", "Your answer does not depend on the padding. A padded image has more places."
)
def _(in_channels, in_size, out_channels, kernel_size, stride=1, padding=0, pairs=None):
    return macs(in_channels, in_size, out_channels, kernel_size, stride, 0, pairs)


@count_macs.misconception(
    "ignores-the-stride", "Your answer does not depend on the stride. A stride of 2 skips every second place."
)
def _(in_channels, in_size, out_channels, kernel_size, stride=1, padding=0, pairs=None):
    return macs(in_channels, in_size, out_channels, kernel_size, 1, padding, pairs)


@count_macs.misconception(
    "returns-a-float",
    "The number is right but it is a float: use `//` in place of `/` for the output's size.",
)
def _(in_channels, in_size, out_channels, kernel_size, stride=1, padding=0, pairs=None):
    return float(macs(in_channels, in_size, out_channels, kernel_size, stride, padding, pairs))


# ----------------------------------------------------------------------------------------------- confusion_matrix


def torch_confusion(labels: Any, predictions: Any, classes: int) -> np.ndarray:
    """Return the counts, by a histogram of places in the table."""
    places = torch.as_tensor(np.array(labels)) * classes + torch.as_tensor(np.array(predictions))
    return torch.bincount(places, minlength=classes**2).reshape(classes, classes).numpy()


def _random_confusion(rng: np.random.Generator) -> Case:
    classes, n = int(rng.integers(3, 7)), int(rng.integers(10, 60))
    return Case("random", rng.integers(0, classes, n), rng.integers(0, classes, n), classes)


confusion_matrix = Exercise(
    "confusion_matrix",
    UNIT,
    points=2,
    parameters=("labels", "predictions", "classes"),
    oracle=torch_confusion,
    cases=(
        Case(
            "three examples",
            np.array([0, 1, 2]),
            np.array([0, 2, 2]),
            3,
            answer=[[1, 0, 0], [0, 0, 1], [0, 0, 1]],
        ),
        Case(
            "the same mistake twice",
            np.array([0, 1, 1, 1]),
            np.array([0, 1, 0, 0]),
            2,
            answer=[[1, 0], [2, 1]],
        ),
        Case("eight examples", np.array([2, 0, 1, 1, 2, 2, 0, 2]), np.array([2, 1, 1, 0, 2, 0, 1, 2]), 3),
        Case("a class that never occurs", np.array([0, 2, 2, 0]), np.array([2, 2, 0, 2]), 5),
        Case("one example", np.array([1]), np.array([3]), 4, weight=0.5),
    ),
    random=_random_confusion,
    hints=(
        "Take one example: it was a 3 and the net said 5. Which one entry of the table grows, and by how much?",
        "Begin with zeros, classes by classes. Go through labels and predictions side by side (zip) and add 1 to the entry in the "
        "label's row and the prediction's column.",
        "`counts = np.zeros((classes, classes), dtype=int)`, then for each pair `counts[label, prediction] += 1`. (Without a loop this "
        "line would count a pair that comes twice only once; np.add.at does not.)",
    ),
)


@confusion_matrix.misconception(
    "swaps-rows-and-columns",
    "Your rows are what the net said and your columns what it was, as some books have it. Here the truth is the row.",
)
def _(labels, predictions, classes):
    return torch_confusion(predictions, labels, classes)


@confusion_matrix.misconception(
    "counts-every-pair-once",
    "A pair that comes several times is counted once: `counts[labels, predictions] += 1` with whole arrays adds to each entry only once. "
    "Loop over the examples, or use np.add.at.",
)
def _(labels, predictions, classes):
    return torch_confusion(labels, predictions, classes).clip(max=1)


@confusion_matrix.misconception(
    "shares-one-row",
    "All rows of your table are the same: `[[0] * classes] * classes` is one row, `classes` times over. Make each anew, or start from "
    "np.zeros.",
)
def _(labels, predictions, classes):
    return np.tile(torch_confusion(labels, predictions, classes).sum(axis=0), (classes, 1))


@confusion_matrix.misconception(
    "gives-shares-of-rows",
    "You divide each row by its sum. Counts are asked for, whole numbers.",
)
def _(labels, predictions, classes):
    counts = torch_confusion(labels, predictions, classes)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


@confusion_matrix.misconception(
    "gives-shares", "You divide by the number of examples. Counts are asked for, whole numbers."
)
def _(labels, predictions, classes):
    return torch_confusion(labels, predictions, classes) / len(labels)


@confusion_matrix.misconception(
    "counts-mistakes-only",
    "Your diagonal is empty. Examples that were right count as well: they are the diagonal.",
)
def _(labels, predictions, classes):
    counts = torch_confusion(labels, predictions, classes)
    return counts * (1 - np.eye(classes, dtype=int))


@confusion_matrix.misconception(
    "counts-right-ones-only",
    "Only your diagonal is filled. The mistakes are what the table is for: row of the label, column of the prediction.",
)
def _(labels, predictions, classes):
    return torch_confusion(labels, predictions, classes) * np.eye(classes, dtype=int)


@confusion_matrix.misconception(
    "leaves-empty-classes-out",
    "Your table is as large as the largest class that occurs. It has `classes` rows and columns, also where nothing was counted.",
)
def _(labels, predictions, classes):
    seen = int(max(np.max(labels), np.max(predictions))) + 1
    return torch_confusion(labels, predictions, seen)


@confusion_matrix.misconception(
    "counts-from-one",
    "You subtract 1 from the classes. They are counted from 0 already.",
)
def _(labels, predictions, classes):
    counts = torch_confusion(labels, predictions, classes)
    return np.roll(counts, (-1, -1), axis=(0, 1))
