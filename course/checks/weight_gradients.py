"""Unit 02: the gradients of a convolution's biases and weights.

The oracle is torch.autograd in float64. A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course.checks.convolution import random_conv
from course.checks.exercise import Case, Exercise, integers, normal
from course.checks.oracle import padded, positions, tensor, torch_zero_pad

UNIT = "02-convolution-backward"


def torch_gradients(
    grad_out: Any, x: Any, w: Any, stride: int = 1, padding: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of a convolution with respect to x, w and b, by torch.autograd."""
    arrays = [tensor(array).clone().requires_grad_() for array in (x, w, np.zeros(len(w)))]
    images, filters, biases = arrays
    out = F.conv2d(images, filters, biases, stride=stride, padding=padding)
    return tuple(g.numpy() for g in torch.autograd.grad(out, arrays, tensor(grad_out)))  # type: ignore[return-value]


POINTS_DOWNHILL = (
    "Your signs are turned round. The gradient says where the loss grows; the minus belongs to the step against it, "
    "which is taken later."
)

# ------------------------------------------------------------------------------------------------ conv2d_grad_bias


def torch_grad_bias(grad_out: Any) -> np.ndarray:
    """Return the gradient of the biases of the plainest layer with this output."""
    n, o, height, width = np.shape(grad_out)
    return torch_gradients(grad_out, np.zeros((n, 1, height, width)), np.zeros((o, 1, 1, 1)))[2]


conv2d_grad_bias = Exercise(
    "conv2d_grad_bias",
    UNIT,
    points=1,
    parameters=("grad_out",),
    returns="an array of shape (O,)",
    oracle=torch_grad_bias,
    cases=(
        Case("one map", np.array([[[[1.0, 2.0], [3.0, -1.0]]]]), answer=[5]),
        Case("two maps", np.arange(12.0).reshape(1, 2, 2, 3), answer=[15, 51]),
        Case("three images of two maps", normal(3, 2, 4, 5)),
        Case("as many images as maps", normal(3, 3, 2, 4)),
        Case("maps as wide as they are many", normal(2, 4, 3, 4)),
        Case("whole numbers", integers(2, 3, 2, 2)),
    ),
    random=lambda rng: Case("random", rng.standard_normal(tuple(rng.integers(2, 6, 4)))),
    hints=(
        "Make the bias of map o larger by 1. Which outputs grow, and each by how much? Then what happens to the loss?",
        "The bias of map o is part of every output of map o, in all images, once each. So its gradient is the sum of grad_out over "
        "these, and one number is left for each map.",
        "np.sum takes a tuple of axes. Sum over images, rows and columns, axes 0, 2 and 3; the axis of the maps remains.",
    ),
)


@conv2d_grad_bias.misconception(
    "averages",
    "You take the mean. Every output has the bias in it once, so their gradients add up: sum. If the loss is a mean, its division is "
    "in grad_out already.",
)
def _(grad_out):
    return torch_grad_bias(grad_out) / grad_out[:, 0].size


@conv2d_grad_bias.misconception(
    "averages-over-the-batch",
    "You divide by the number of images. If the loss is a mean over the batch, that division is in grad_out already: here only add.",
)
def _(grad_out):
    return torch_grad_bias(grad_out) / len(grad_out)


@conv2d_grad_bias.misconception(
    "averages-over-the-places",
    "You take the mean over rows and columns. The bias is part of the output at every place, so the gradients of all places add up.",
)
def _(grad_out):
    return torch_grad_bias(grad_out) / grad_out[0, 0].size


@conv2d_grad_bias.misconception(
    "one-for-all-maps",
    "You sum over everything and get a single number. Each map has a bias of its own: keep axis 1.",
)
def _(grad_out):
    return torch_grad_bias(grad_out).sum()


@conv2d_grad_bias.misconception(
    "sums-the-maps-of-an-image",
    "You sum over axes 1, 2 and 3, and get one number for each image. What belongs to one bias is one *map*, in all the images.",
)
def _(grad_out):
    return torch_grad_bias(grad_out.swapaxes(0, 1))


@conv2d_grad_bias.misconception(
    "looks-for-maps-on-the-last-axis",
    "You sum over axes 0, 1 and 2, which suits arrays with their channels last (NHWC). Here the maps are axis 1: (N, O, H, W).",
)
def _(grad_out):
    return torch_grad_bias(np.moveaxis(grad_out, -1, 1))


@conv2d_grad_bias.misconception(
    "keeps-the-images-apart",
    "You have one number for each image and map. The same bias is used in all images: sum over them as well.",
)
def _(grad_out):
    return np.stack([torch_grad_bias(image[None]) for image in grad_out])


@conv2d_grad_bias.misconception(
    "sums-the-images-only",
    "You sum over the images only. The bias is used at every place of the map: sum over rows and columns as well.",
)
def _(grad_out):
    return tensor(grad_out).sum(0).numpy()


@conv2d_grad_bias.misconception(
    "keeps-empty-axes",
    "The numbers are right, but the gradient of b has the shape of b, (O,), and no axes of length 1 beside it: leave out keepdims, or the "
    "reshape to a column or a row.",
    when=lambda value, grad_out: (
        np.ndim(value) > 1
        and np.size(value) == grad_out.shape[1]
        and np.allclose(np.ravel(value), torch_grad_bias(grad_out))
    ),
)
def _(grad_out):
    return torch_grad_bias(grad_out).reshape(1, -1, 1, 1)


@conv2d_grad_bias.misconception(
    "takes-one-image", "Only one image of the batch counts in your sums. The bias is used in all of them."
)
def _(grad_out):
    return torch_grad_bias(grad_out[:1])


@conv2d_grad_bias.misconception(
    "reshapes-the-images-into-the-maps",
    "With several images, `reshape(O, -1)` mixes the maps: it cuts grad_out into O pieces as it lies in memory, image by image. Sum over axes "
    "0, 2 and 3, or bring the maps to the front first.",
)
def _(grad_out):
    pieces = np.reshape(grad_out, (1, np.shape(grad_out)[1], -1, 1))
    return torch_grad_bias(pieces)


@conv2d_grad_bias.misconception("points-downhill", POINTS_DOWNHILL)
def _(grad_out):
    return -torch_grad_bias(grad_out)


# ---------------------------------------------------------------------------------------------- conv2d_grad_weight


def random_backward(rng: np.random.Generator) -> Case:
    """Return a small convolution to go back through, with every size drawn."""
    case = random_conv(rng)
    x, w, _ = case.args
    grad_out = rng.standard_normal((len(x), len(w), *out_size(x, w, **case.kwargs)))
    return Case("random", grad_out, x, w, **case.kwargs)


def out_size(x: Any, w: Any, stride: int = 1, padding: int = 0) -> tuple[int, int]:
    """Return the height and width of a convolution's output."""
    height, width = (positions(np.shape(x)[a], np.shape(w)[a], stride, padding) for a in (2, 3))
    return height, width


COUNTING = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)  # 1 2 3 / 4 5 6 / 7 8 9
DIAGONAL = np.array([[[[1.0, 0.0], [0.0, 2.0]]]])
SMALL = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])

GRAD_PARAMETERS = ("grad_out", "x", "w", "stride", "padding")


def backward_cases(overlapping: Any, one: Any) -> tuple[Case, ...]:
    """Return the cases of the exercises that go back through a convolution, with the answers of the first two."""
    return (
        Case("four windows, by hand", DIAGONAL, COUNTING, SMALL, answer=overlapping),
        Case("one window, by hand", np.array([[[[2.0]]]]), SMALL + 4, SMALL, answer=one),
        Case("a wide image, a high kernel", normal(1, 1, 2, 6), normal(1, 1, 4, 7), normal(1, 1, 3, 2)),
        Case("three channels, two filters", normal(1, 2, 2, 4), normal(1, 3, 4, 5), normal(2, 3, 3, 2)),
        Case("as many filters as channels", normal(1, 2, 3, 3), normal(1, 2, 4, 5), normal(2, 2, 2, 3)),
        Case("two images", normal(2, 3, 2, 2), normal(2, 2, 4, 4), normal(3, 2, 3, 3)),
        Case("padding", normal(1, 1, 3, 4), normal(1, 1, 3, 4), normal(1, 1, 3, 3), padding=1),
        Case("a stride that divides", normal(1, 1, 2, 3), normal(1, 1, 5, 7), normal(1, 1, 3, 3), stride=2),
        Case(
            "a stride that does not divide",
            normal(1, 2, 2, 3),
            normal(1, 2, 6, 8),
            normal(2, 2, 3, 3),
            stride=2,
        ),
        Case(
            "a stride larger than the kernel",
            normal(2, 1, 3, 2),
            normal(2, 2, 8, 6),
            normal(1, 2, 2, 2),
            stride=3,
        ),
        Case(
            "stride and padding together",
            normal(2, 4, 3, 3),
            normal(2, 3, 5, 6),
            normal(4, 3, 3, 2),
            stride=3,
            padding=2,
        ),
        Case(
            "whole-number pixels and weights", normal(1, 1, 3, 4), integers(1, 1, 4, 5), integers(1, 1, 2, 2)
        ),
    )


def torch_grad_weight(grad_out: Any, x: Any, w: Any, stride: int = 1, padding: int = 0) -> np.ndarray:
    """Return the gradient of the weights, by torch.autograd."""
    return torch_gradients(grad_out, x, w, stride, padding)[1]


conv2d_grad_weight = Exercise(
    "conv2d_grad_weight",
    UNIT,
    points=4,
    parameters=GRAD_PARAMETERS,
    returns="an array of the shape of w",
    oracle=torch_grad_weight,
    cases=backward_cases([[[[11, 14], [20, 23]]]], [[[[10, 12], [14, 16]]]]),
    random=random_backward,
    hints=(
        "Take one single weight and ask where it was used. At each of these places it met a pixel; what does the output there "
        "change by, if the weight grows by 1? And the loss?",
        "Pad x. Loop over the kernel positions (i, j): the pixels that the weights there have met, over all outputs, are one strided "
        "block of the padded image, as large as the output. Multiply the block by grad_out and sum over images and places; what is "
        "left is a number for each filter and channel.",
        "The block of (i, j) has rows `i : i + stride * H_out : stride`, and columns likewise; it has shape "
        "(N, C, H_out, W_out). grad_out is (N, O, H_out, W_out). In np.einsum call them nchw and nohw: the letters that stay are oc.",
    ),
)


@conv2d_grad_weight.misconception(
    "averages-over-the-places",
    "You take the mean over the places where a weight was used. Its gradient is the sum over them: each use moves the loss.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return torch_grad_weight(grad_out, x, w, stride, padding) / grad_out[0, 0].size


@conv2d_grad_weight.misconception(
    "averages-over-the-batch",
    "You divide by the number of images. If the loss is a mean over the batch, that division is in grad_out already: here only add.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return torch_grad_weight(grad_out, x, w, stride, padding) / len(x)


@conv2d_grad_weight.misconception(
    "averages",
    "You take the mean over images and places. The gradient of a shared weight is the sum over all its uses.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return torch_grad_weight(grad_out, x, w, stride, padding) / grad_out[:, 0].size


@conv2d_grad_weight.misconception("points-downhill", POINTS_DOWNHILL)
def _(grad_out, x, w, stride=1, padding=0):
    return -torch_grad_weight(grad_out, x, w, stride, padding)


@conv2d_grad_weight.misconception(
    "keeps-the-last-place",
    "Only the last place counts: you assign (=) inside the loop over places, where each use must be added (+=).",
)
def _(grad_out, x, w, stride=1, padding=0):
    last = np.zeros_like(grad_out)
    last[-1, :, -1, -1] = grad_out[-1, :, -1, -1]
    return torch_grad_weight(last, x, w, stride, padding)


@conv2d_grad_weight.misconception(
    "keeps-the-last-image",
    "Only the last image of the batch counts: you assign (=) in the loop over images, where each must be added (+=).",
)
def _(grad_out, x, w, stride=1, padding=0):
    return torch_grad_weight(grad_out[-1:], x[-1:], w, stride, padding)


@conv2d_grad_weight.misconception(
    "takes-the-first-image",
    "Only the first image of the batch counts in your sums. The weights were used in all of them.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return torch_grad_weight(grad_out[:1], x[:1], w, stride, padding)


@conv2d_grad_weight.misconception(
    "keeps-the-images-apart",
    "You have a gradient for each image. The weights are the same for all images: sum over the batch.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return np.stack(
        [torch_grad_weight(g[None], i[None], w, stride, padding) for g, i in zip(grad_out, x, strict=True)]
    )


@conv2d_grad_weight.misconception(
    "leaves-out-grad-out",
    "You add up the pixels that each weight met, but not how much each output matters: multiply by grad_out.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return torch_grad_weight(np.ones_like(grad_out), x, w, stride, padding)


@conv2d_grad_weight.misconception(
    "multiplies-by-the-weights",
    "You multiply grad_out by the weights. That is the part that goes to the pixels; a weight's gradient has the *pixels* in it "
    "that the weight met.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return (tensor(w) * tensor(grad_out).sum((0, 2, 3)).reshape(-1, 1, 1, 1)).numpy()


@conv2d_grad_weight.misconception(
    "flips-the-gradient",
    "Your gradient is turned by 180 degrees. Nothing is flipped here, forward or backward: `grad_w[o, c, i, j]` has the pixels that "
    "lie i rows below and j columns right of each window's corner.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return np.flip(torch_grad_weight(grad_out, x, w, stride, padding), (2, 3))


@conv2d_grad_weight.misconception(
    "swaps-rows-and-columns", "Rows and columns of your gradient are swapped: rows come first."
)
def _(grad_out, x, w, stride=1, padding=0):
    return torch_grad_weight(grad_out, x, w, stride, padding).swapaxes(2, 3)


@conv2d_grad_weight.misconception(
    "swaps-filters-and-channels",
    "Your gradient is (C, O, KH, KW). It has the shape of w, filters first: (O, C, KH, KW).",
)
def _(grad_out, x, w, stride=1, padding=0):
    return torch_grad_weight(grad_out, x, w, stride, padding).swapaxes(0, 1)


@conv2d_grad_weight.misconception(
    "uses-the-first-channel",
    "Every channel of your gradient is made from the image's first channel: the weights of channel c met the pixels of channel c.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return torch_grad_weight(grad_out, np.repeat(x[:, :1], x.shape[1], 1), w, stride, padding)


@conv2d_grad_weight.misconception(
    "uses-the-first-map",
    "Every filter of your gradient is made from the first map of grad_out: filter o is moved by map o.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return torch_grad_weight(np.repeat(grad_out[:, :1], len(w), 1), x, w, stride, padding)


@conv2d_grad_weight.misconception(
    "adds-all-the-maps",
    "Every filter gets the sum over all maps of grad_out. Filter o made map o and no other: keep the axis O in your sum.",
)
def _(grad_out, x, w, stride=1, padding=0):
    total = np.repeat(grad_out.sum(1, keepdims=True), len(w), 1)
    return torch_grad_weight(total, x, w, stride, padding)


@conv2d_grad_weight.misconception(
    "one-number-for-all-filters",
    "At each kernel position all filters and channels get the same number: you sum over everything. Sum over images, rows and columns "
    "only; a number for each filter and each channel is left.",
)
def _(grad_out, x, w, stride=1, padding=0):
    maps, channels = (
        np.repeat(a.sum(1, keepdims=True), k, 1) for a, k in zip((grad_out, x), w.shape, strict=False)
    )
    return torch_grad_weight(maps, channels, w, stride, padding)


@conv2d_grad_weight.misconception(
    "does-not-centre",
    "Your padded image has the right size, but x lies in its top left corner. The border goes around all four sides.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return torch_grad_weight(grad_out, padded(x, 0, 2 * padding, 0, 2 * padding), w, stride)


@conv2d_grad_weight.misconception(
    "steps-by-one",
    "You move by one pixel from output to output. With a stride the window of output (i, j) starts at row `i * stride` and column "
    "`j * stride`, backward as forward.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return torch_grad_weight(grad_out, corner(grad_out, x, w, padding), w)


def corner(grad_out: Any, x: Any, w: Any, padding: int) -> np.ndarray:
    """Return as much of the padded image as the windows would read at stride 1."""
    height, width = (g + k - 1 for g, k in zip(grad_out.shape[2:], w.shape[2:], strict=True))
    return torch_zero_pad(x, padding)[:, :, :height, :width]


@conv2d_grad_weight.misconception(
    "works-out-a-larger-kernel",
    "Your gradient is larger than w. When the stride does not divide, the pixels left over make a larger kernel fit as well, so the "
    "kernel's size does not follow from the sizes of x and grad_out: take it from w.",
)
def _(grad_out, x, w, stride=1, padding=0):
    size = [s + 2 * padding - (g - 1) * stride for s, g in zip(x.shape[2:], grad_out.shape[2:], strict=True)]
    return torch_grad_weight(grad_out, x, np.zeros((*w.shape[:2], *size)), stride, padding)


@conv2d_grad_weight.misconception(
    "takes-the-dtype-of-the-weights",
    "When w holds whole numbers your gradient does too, and loses what comes after the point: np.zeros_like(w) takes over its dtype. "
    "Use np.zeros(w.shape).",
    when=lambda value, grad_out, x, w, stride=1, padding=0: (
        np.asarray(w).dtype.kind in "iu"
        and np.shape(value) == w.shape
        and np.array_equal(value, np.trunc(value))
    ),
)
def _(grad_out, x, w, stride=1, padding=0):
    gradient = torch_grad_weight(grad_out, x, w, stride, padding)
    return np.trunc(gradient) if w.dtype.kind in "iu" else gradient
