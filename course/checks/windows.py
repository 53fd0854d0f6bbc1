"""Unit 01: output size, padding, and one window.

The oracle is torch in float64. A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course.checks.exercise import Case, Exercise, Objection, Refusal, integers, normal, runs_into
from course.checks.oracle import padded, positions, tensor, torch_zero_pad

UNIT = "01-convolution"


# ---------------------------------------------------------------------------------------------------- output_size

output_size = Exercise(
    "output_size",
    UNIT,
    points=2,
    parameters=("size", "kernel_size", "stride", "padding"),
    returns="a whole number",
    oracle=positions,
    cases=(
        Case("a 3-wide kernel on 5 pixels", 5, 3, answer=3),
        Case("stride 2 that divides", 7, 3, stride=2, answer=3),
        Case("padding on both sides", 5, 3, padding=1, answer=5),
        Case("a stride that does not divide", 8, 3, stride=2, answer=3),
        Case("all but one pixel of a stride left over", 10, 3, stride=4, answer=2),
        Case("everything at once", 10, 4, stride=3, padding=2, answer=4),
        Case("a kernel as large as the image", 4, 4, answer=1),
    ),
    random=lambda rng: Case(
        "random",
        int(rng.integers(7, 40)),
        int(rng.integers(1, 8)),
        stride=int(rng.integers(1, 5)),
        padding=int(rng.integers(4)),
    ),
    hints=(
        "How far to the right can the window's left edge move before its right edge leaves the padded image? And in steps of "
        "how many pixels does it move?",
        "The padded image has `size + 2 * padding` pixels. The left edge starts at 0 and may go as far as the padded size less "
        "kernel_size. Count the steps of length stride that fit into that way, and do not forget where it started.",
        "`room = size + 2 * padding - kernel_size`, then the number of whole strides in room (`//` rounds down), plus one for the "
        "starting place.",
    ),
)


@output_size.misconception(
    "forgets-the-plus-one",
    "You are one too low. You count the steps that the window makes, but it already stands somewhere before the first step: "
    "n steps lead to n + 1 places.",
)
def _(size, kernel_size, stride=1, padding=0):
    return positions(size, kernel_size, stride, padding) - 1


@output_size.misconception(
    "rounds-up",
    "You round up when the stride does not divide. The last window would hang over the edge, and there is nothing to read "
    "there: round down. (torch's pooling has a ceil_mode for this; convolution does not.)",
)
def _(size, kernel_size, stride=1, padding=0):
    return -(-(size + 2 * padding - kernel_size) // stride) + 1


@output_size.misconception(
    "pads-once",
    "You add the padding once. It is put on both sides, so the image grows by `2 * padding`.",
)
def _(size, kernel_size, stride=1, padding=0):
    return (size + padding - kernel_size) // stride + 1


@output_size.misconception(
    "ignores-the-padding",
    "Your answer does not depend on the padding, but a padded image has more places for the window.",
)
def _(size, kernel_size, stride=1, padding=0):
    return positions(size, kernel_size, stride, 0)


@output_size.misconception(
    "ignores-the-stride",
    "Your answer does not depend on the stride: you count every place, also those that the window jumps over.",
)
def _(size, kernel_size, stride=1, padding=0):
    return positions(size, kernel_size, 1, padding)


@output_size.misconception(
    "adds-one-before-dividing",
    "You add the 1 before you divide by the stride. The starting place is one place, not one step: divide first, then add 1.",
)
def _(size, kernel_size, stride=1, padding=0):
    return positions(size, kernel_size, 1, padding) // stride


@output_size.misconception(
    "divides-the-size",
    "You divide the image by the stride and forget that the window itself takes up room at the end: subtract kernel_size first.",
)
def _(size, kernel_size, stride=1, padding=0):
    return (size + 2 * padding) // stride


@output_size.misconception(
    "returns-a-float",
    "The number is right but it is a float, and a shape needs whole numbers: use `//` in place of `/`, or int() around it.",
)
def _(size, kernel_size, stride=1, padding=0):
    return float(positions(size, kernel_size, stride, padding))


@output_size.misconception(
    "refuses-an-uneven-stride",
    "You raise an error when the stride does not divide, as CS231n's notes do. Here, as in every framework, the rows left over "
    "at the end are simply not read.",
)
def _(size, kernel_size, stride=1, padding=0):
    if (size + 2 * padding - kernel_size) % stride:
        raise Objection("the stride does not divide")
    return positions(size, kernel_size, stride, padding)


# ------------------------------------------------------------------------------------------------------- zero_pad


zero_pad = Exercise(
    "zero_pad",
    UNIT,
    points=2,
    parameters=("x", "padding"),
    oracle=torch_zero_pad,
    cases=(
        Case(
            "one pixel becomes 3 by 3", np.array([[[[5.0]]]]), 1, answer=[[[[0, 0, 0], [0, 5, 0], [0, 0, 0]]]]
        ),
        Case("a wide image", normal(1, 1, 2, 4), 1),
        Case("padding 2", normal(1, 1, 3, 4), 2),
        Case("padding 0", normal(1, 2, 3, 4), 0, weight=0.5),
        Case("two images of three channels", normal(2, 3, 4, 3), 1),
    ),
    random=lambda rng: Case(
        "random", rng.standard_normal(tuple(rng.integers(1, 5, 4))), int(rng.integers(1, 4))
    ),
    hints=(
        "The result is larger than x: how high and how wide is it? Most of it is zero, and x lies in the middle.",
        "Make an array of zeros with the new height and width, and the same N and C. Then assign x to the block in its middle, "
        "which is one slice for the rows and one for the columns. (np.pad can do it too, if you give it one pair for each axis.)",
        "`N, C, H, W = x.shape`, then zeros of shape `(N, C, H + 2 * padding, W + 2 * padding)`; the rows of the middle block are "
        "`padding : padding + H`, its columns `padding : padding + W`.",
    ),
)


@zero_pad.misconception(
    "pads-bottom-right-only", "You pad below and on the right only. The border goes around all four sides."
)
def _(x, padding):
    return padded(x, 0, padding, 0, padding)


@zero_pad.misconception(
    "pads-top-left-only", "You pad above and on the left only. The border goes around all four sides."
)
def _(x, padding):
    return padded(x, padding, 0, padding, 0)


@zero_pad.misconception(
    "does-not-centre",
    "The size is right, but x lies in the top left corner: it must start at row `padding` and column `padding`.",
)
def _(x, padding):
    return padded(x, 0, 2 * padding, 0, 2 * padding)


@zero_pad.misconception(
    "pads-rows-only", "You add rows above and below, but no columns. Width grows as well."
)
def _(x, padding):
    return padded(x, 0, 0, padding, padding)


@zero_pad.misconception(
    "pads-columns-only", "You add columns left and right, but no rows. Height grows as well."
)
def _(x, padding):
    return padded(x, padding, padding, 0, 0)


@zero_pad.misconception(
    "pads-every-axis",
    "You pad the batch and the channels too, so there are new images and new channels of zeros. np.pad with one number pads "
    "every axis: give it a pair for each, (0, 0) for the first two.",
)
def _(x, padding):
    return F.pad(tensor(x), (padding,) * 8).numpy()


@zero_pad.misconception(
    "repeats-the-edge",
    "Your border repeats the image's edge (np.pad's mode='edge'). Zero padding puts zeros there.",
)
def _(x, padding):
    return padded(x, padding, padding, padding, padding, "replicate")


@zero_pad.misconception(
    "wraps-around",
    "Your border continues with the opposite side of the image (np.pad's mode='wrap', or np.roll). Zero padding puts zeros there.",
)
def _(x, padding):
    return np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)], mode="wrap")


@zero_pad.misconception(
    "pads-twice",
    "Your border is twice as wide as asked for: `padding` zeros go on each side, so a side grows by 2 * padding in all.",
)
def _(x, padding):
    return torch_zero_pad(x, 2 * padding)


@zero_pad.misconception(
    "slices-up-to-minus-zero",
    "With padding 0 your slice is `0:-0`, which is `0:0`, and empty: minus zero does not mean the end. Count from the start: "
    "`padding : padding + H`.",
)
def _(x, padding):
    if padding == 0:
        raise Refusal("an empty slice")
    return torch_zero_pad(x, padding)


@zero_pad.misconception(
    "never-puts-x-in",
    "Your result is all zeros: x was never written into its middle. (`x = out` gives the zeros another name; it copies nothing.)",
)
def _(x, padding):
    return np.zeros_like(torch_zero_pad(x, padding))


def _is_x_in_garbage(value: Any, x: np.ndarray, padding: int) -> bool:
    """Return whether x lies where it should, and the border is not zero."""
    right, got = torch_zero_pad(x, padding), np.asarray(value)
    if not padding or got.shape != right.shape:
        return False
    middle = (..., slice(padding, -padding), slice(padding, -padding))
    return bool(np.allclose(got[middle], right[middle]) and not np.allclose(got, right))


@zero_pad.misconception(
    "leaves-garbage",
    "There are numbers other than zero in your border. np.empty does not clear its memory: use np.zeros. Of the modes of np.pad only the plain "
    "one, 'constant', puts zeros there.",
    when=_is_x_in_garbage,
)
def _(x, padding):
    return F.pad(tensor(x), (padding,) * 4, value=7.0).numpy()


@zero_pad.misconception(
    "pads-two-axes-of-four",
    "x has four axes, and np.pad wants a pair for each of them, images and channels too: (0, 0), (0, 0), and then the pairs for rows and columns.",
)
def _(x, padding):
    raise runs_into("ValueError", words="remapped shapes")


# ----------------------------------------------------------------------------------------------------- window_dot


def torch_window_dot(x: Any, w: Any, b: float, row: int, col: int) -> float:
    """Return one output of a convolution, by torch."""
    image, kernel = tensor(x), tensor(w)
    window = image[:, row : row + kernel.shape[1], col : col + kernel.shape[2]]
    return float(F.conv2d(window[None], kernel[None], tensor([b])))


def _random_window(rng: np.random.Generator) -> Case:
    channels, height, width, kernel_height, kernel_width = (
        int(n) for n in rng.integers([1, 5, 5, 1, 1], [4, 9, 9, 5, 5])
    )
    row, col = int(rng.integers(height - kernel_height + 1)), int(rng.integers(width - kernel_width + 1))
    x, w = (
        rng.standard_normal((channels, height, width)),
        rng.standard_normal((channels, kernel_height, kernel_width)),
    )
    return Case("random", x, w, float(rng.standard_normal()), row, col)


COUNTING = np.arange(1.0, 17.0).reshape(1, 4, 4)  # 1 2 3 4 / 5 6 7 8 / 9 10 11 12 / 13 14 15 16
CORNER = np.array([[[0.0, 1.0], [0.0, 2.0]]])

window_dot = Exercise(
    "window_dot",
    UNIT,
    points=2,
    parameters=("x", "w", "b", "row", "col"),
    returns="one number",
    oracle=torch_window_dot,
    cases=(
        Case("a 2x2 window at the top left", COUNTING, CORNER, 0.0, 0, 0, answer=2 * 1 + 6 * 2),
        Case("the same with a bias", COUNTING, CORNER, 0.5, 0, 0, answer=14.5),
        Case("further down and right", COUNTING, CORNER, 0.5, 2, 1, answer=11 + 2 * 15 + 0.5),
        Case("a kernel higher than wide", normal(1, 6, 7), normal(1, 3, 2), 1.0, 1, 3),
        Case("three channels", normal(3, 5, 6), normal(3, 2, 3), -1.0, 2, 0),
        Case("whole-number pixels", integers(2, 5, 5), normal(2, 3, 3), 0.25, 1, 2),
    ),
    random=_random_window,
    hints=(
        "Cut the window out of x first, and look at its shape. It should be the shape of w.",
        "Three steps: the window (all channels, some rows, some columns), the products (window and w have one shape, so `*` pairs "
        "them up), and the sum of all of them, to which the bias is added once.",
        "The rows of the window are `row : row + w.shape[1]`, the columns likewise with w.shape[2]. Multiply the window by w, sum "
        "with np.sum, add b.",
    ),
)


def _window(x: Any, w: Any, row: int, col: int) -> torch.Tensor:
    x = tensor(x)
    window = x[:, row : row + np.shape(w)[1], col : col + np.shape(w)[2]]
    if window.shape != np.shape(w):
        raise Refusal("the window does not fit")
    return window


@window_dot.misconception("forgets-the-bias", "You are off by exactly b: add the bias to the sum.")
def _(x, w, b, row, col):
    return torch_window_dot(x, w, 0.0, row, col)


@window_dot.misconception(
    "adds-the-bias-to-every-product",
    "The bias goes in once, after the sum. You add it to each product, so it counts as often as the window has elements.",
)
def _(x, w, b, row, col):
    return torch_window_dot(x, w, b * np.size(w), row, col)


@window_dot.misconception(
    "adds-the-bias-per-channel",
    "The bias goes in once, after the sum over all channels. You add it once in every channel.",
)
def _(x, w, b, row, col):
    return torch_window_dot(x, w, b * len(w), row, col)


@window_dot.misconception(
    "does-not-sum", "You return the products, not their sum: one window gives one number."
)
def _(x, w, b, row, col):
    return (_window(x, w, row, col) * tensor(w) + b).numpy()


@window_dot.misconception(
    "keeps-the-channels-apart",
    "You sum within each channel, and return one number a channel. A filter looks at all channels at once: sum over them too.",
)
def _(x, w, b, row, col):
    return ((_window(x, w, row, col) * tensor(w)).sum((1, 2)) + b).numpy()


@window_dot.misconception(
    "sums-one-axis",
    "You sum over one axis only, as Python's own sum() does. One window gives one number: np.sum adds up everything.",
)
def _(x, w, b, row, col):
    return ((_window(x, w, row, col) * tensor(w)).sum(0) + b).numpy()


MULTIPLIES_MATRICES = "np.dot and @ multiply matrices, rows by columns. Here each weight meets just the pixel under it: use `*`, then np.sum."


@window_dot.misconception("multiplies-matrices", MULTIPLIES_MATRICES)
def _(x, w, b, row, col):
    window = _window(x, w, row, col).numpy()
    if w.shape[1] != w.shape[2]:
        raise Refusal("the shapes do not fit")
    return np.dot(window, w) + b


@window_dot.misconception("multiplies-matrices-and-sums", MULTIPLIES_MATRICES)
def _(x, w, b, row, col):
    if w.shape[1] != w.shape[2]:
        raise runs_into("ValueError", words=("matmul", "not aligned"))
    return float((_window(x, w, row, col) @ tensor(w)).sum()) + b


@window_dot.misconception(
    "takes-the-channels-for-the-height",
    "Your window has the wrong size: w has three axes, (C, KH, KW), so its height is `w.shape[1]` and its width `w.shape[2]`.",
)
def _(x, w, b, row, col):
    window = tensor(x)[:, row : row + w.shape[0], col : col + w.shape[1]]
    try:
        return float((window * tensor(w)).sum()) + b
    except RuntimeError as error:
        raise Refusal("the shapes do not fit") from error


@window_dot.misconception(
    "uses-one-channel",
    "You use the first channel only. The window is as deep as the image: all channels take part.",
)
def _(x, w, b, row, col):
    return torch_window_dot(x[:1], w[:1], b, row, col)


@window_dot.misconception(
    "averages",
    "You take the mean of the products. A convolution sums them; a blur averages because its weights are small.",
)
def _(x, w, b, row, col):
    return float((_window(x, w, row, col) * tensor(w)).mean()) + b


@window_dot.misconception(
    "flips-the-kernel",
    "You turn the kernel upside down and left to right first. That is convolution as mathematics defines it. Networks, torch's too, leave the kernel as it is (cross-correlation).",
)
def _(x, w, b, row, col):
    return torch_window_dot(x, tensor(w).flip(1, 2), b, row, col)


@window_dot.misconception(
    "swaps-row-and-column", "You read at (col, row). In NumPy, rows come first: `x[:, rows, columns]`."
)
def _(x, w, b, row, col):
    _window(x, w, col, row)
    return torch_window_dot(x, w, b, col, row)


@window_dot.misconception(
    "centres-the-window",
    "You put the middle of the window at (row, col). Here (row, col) is its top left corner.",
)
def _(x, w, b, row, col):
    height, width = np.shape(w)[1:]
    return torch_window_dot(
        torch_zero_pad(np.asarray(x)[None], 9)[0], w, b, row + 9 - height // 2, col + 9 - width // 2
    )


@window_dot.misconception(
    "truncates-to-whole-numbers",
    "You lose what comes after the decimal point. An array made like whole-number pixels, or int(), can hold whole numbers only.",
)
def _(x, w, b, row, col):
    return float(np.trunc(torch_window_dot(x, w, b, row, col)))


# ---------------------------------------------------------------------------------------------------- same_padding


def smallest_same_padding(kernel_size: int) -> int:
    """Return the padding under which torch's output is as large as its input, found by trying."""
    return next(p for p in range(kernel_size) if positions(32, kernel_size, 1, p) == 32)


same_padding = Exercise(
    "same_padding",
    UNIT,
    points=1,
    parameters=("kernel_size",),
    returns="a whole number",
    oracle=smallest_same_padding,
    cases=(
        Case("a 3-wide kernel", 3, answer=1),
        Case("a 5-wide kernel", 5, answer=2),
        Case("a 1-wide kernel", 1, answer=0, weight=0.5),
        Case("an 11-wide kernel", 11, answer=5),
    ),
    random=lambda rng: Case("random", int(2 * rng.integers(1, 15) + 1)),
    hints=(
        "Without padding, how many pixels does a kernel of this size cost on each side?",
        "Set output_size(size, kernel_size, 1, padding) equal to size and solve for padding.",
        "size + 2 * padding - kernel_size + 1 = size, so 2 * padding = kernel_size - 1. The answer is a whole number: divide with `//`.",
    ),
)


@same_padding.misconception(
    "pads-for-both-sides-at-once",
    "That is what the image loses in all. Half of it is lost on each side, and padding is per side.",
)
def _(kernel_size):
    return kernel_size - 1


@same_padding.misconception("always-one", "One pixel is right for a 3-wide kernel. A wider one loses more.")
def _(kernel_size):
    return 1


@same_padding.misconception(
    "rounds-up", "One too many for this kernel: its middle pixel loses nothing. Take half of kernel_size - 1."
)
def _(kernel_size):
    return (kernel_size + 1) // 2


@same_padding.misconception(
    "halves-the-kernel",
    "Half a pixel of padding cannot be: the kernel's middle pixel stays on the image. Take it off before you halve, and divide with `//`.",
)
def _(kernel_size):
    return kernel_size / 2


@same_padding.misconception(
    "returns-a-float",
    "The number is right but it is a float, and a padding is a whole number: use `//` in place of `/`.",
)
def _(kernel_size):
    return (kernel_size - 1) / 2


@same_padding.misconception(
    "pads-by-the-kernel-size",
    "That much padding makes the output larger than the input. How far does the kernel reach beyond its middle pixel?",
)
def _(kernel_size):
    return kernel_size
