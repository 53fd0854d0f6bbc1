"""Unit 01, convolution: output size, padding, one window, the whole map, parameters, kernels.

The oracle is torch in float64. A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course.checks.exercise import LOOPS_OVER_PIXELS, Case, Exercise, Refusal, integers, normal

UNIT = "01-convolution"


def tensor(array: Any) -> torch.Tensor:
    """Return an array as a float64 tensor."""
    return torch.as_tensor(np.asarray(array), dtype=torch.float64)


def positions(size: int, kernel_size: int, stride: int = 1, padding: int = 0) -> int:
    """Return how many windows torch finds along one axis."""
    return torch.empty(size + 2 * padding, device="meta").unfold(0, kernel_size, stride).shape[0]


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
        raise Refusal("the stride does not divide")
    return positions(size, kernel_size, stride, padding)


# ------------------------------------------------------------------------------------------------------- zero_pad


def torch_zero_pad(x: np.ndarray, padding: int) -> np.ndarray:
    """Return x with a border of zeros, by torch."""
    return F.pad(tensor(x), (padding,) * 4).numpy()


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


def _padded(x: Any, left: int, right: int, top: int, bottom: int, mode: str = "constant") -> np.ndarray:
    return F.pad(tensor(x), (left, right, top, bottom), mode=mode).numpy()


@zero_pad.misconception(
    "pads-bottom-right-only", "You pad below and on the right only. The border goes around all four sides."
)
def _(x, padding):
    return _padded(x, 0, padding, 0, padding)


@zero_pad.misconception(
    "pads-top-left-only", "You pad above and on the left only. The border goes around all four sides."
)
def _(x, padding):
    return _padded(x, padding, 0, padding, 0)


@zero_pad.misconception(
    "does-not-centre",
    "The size is right, but x lies in the top left corner: it must start at row `padding` and column `padding`.",
)
def _(x, padding):
    return _padded(x, 0, 2 * padding, 0, 2 * padding)


@zero_pad.misconception(
    "pads-rows-only", "You add rows above and below, but no columns. Width grows as well."
)
def _(x, padding):
    return _padded(x, 0, 0, padding, padding)


@zero_pad.misconception(
    "pads-columns-only", "You add columns left and right, but no rows. Height grows as well."
)
def _(x, padding):
    return _padded(x, padding, padding, 0, 0)


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
    return _padded(x, padding, padding, padding, padding, "replicate")


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
    "leaves-garbage",
    "There are numbers other than zero in your border. np.empty does not clear its memory: use np.zeros. If you used np.ones, think what a border of ones would add to each window.",
)
def _(x, padding):
    return F.pad(tensor(x), (padding,) * 4, value=1.0).numpy()


# ----------------------------------------------------------------------------------------------------- window_dot


def torch_window_dot(x: np.ndarray, w: np.ndarray, b: float, row: int, col: int) -> float:
    """Return one output of a convolution, by torch."""
    x, w = tensor(x), tensor(w)
    window = x[:, row : row + w.shape[1], col : col + w.shape[2]]
    return float(F.conv2d(window[None], w[None], tensor([b])))


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


# ------------------------------------------------------------------------------------------ conv2d_loops and conv2d


def torch_conv2d(x: Any, w: Any, b: Any, stride: int = 1, padding: int = 0) -> np.ndarray:
    """Return the convolution by torch, in float64."""
    return F.conv2d(tensor(x), tensor(w), tensor(b), stride=stride, padding=padding).numpy()


def random_conv(rng: np.random.Generator) -> Case:
    """Return a small convolution with every size drawn."""
    n, c, o, kernel_height, kernel_width = (int(v) for v in rng.integers([1, 1, 1, 1, 1], [3, 4, 4, 4, 4]))
    height, width = int(rng.integers(kernel_height + 1, 8)), int(rng.integers(kernel_width + 1, 8))
    return Case(
        "random",
        rng.standard_normal((n, c, height, width)),
        rng.standard_normal((o, c, kernel_height, kernel_width)),
        rng.standard_normal(o),
        stride=int(rng.integers(1, 4)),
        padding=int(rng.integers(0, 3)),
    )


ONE_WINDOW = Case(
    "one window, by hand",
    np.arange(1.0, 10.0).reshape(1, 1, 3, 3),
    np.array([[[[0.0, 1.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 0.0]]]]),
    np.array([0.5]),
    answer=[[[[2 * 1 + 6 * 2 + 0.5]]]],
)
CONV_CASES = (
    ONE_WINDOW,
    Case("a wide image, a high kernel", normal(1, 1, 4, 7), normal(1, 1, 3, 2), normal(1)),
    Case("three channels, two filters", normal(1, 3, 4, 5), normal(2, 3, 3, 2), normal(2)),
    Case("as many filters as channels", normal(1, 2, 4, 5), normal(2, 2, 2, 3), normal(2)),
    Case("two images", normal(2, 2, 4, 4), normal(3, 2, 3, 3), normal(3)),
    Case("padding", normal(1, 1, 3, 4), normal(1, 1, 3, 3), normal(1), padding=1),
    Case("a stride that divides", normal(1, 1, 5, 7), normal(1, 1, 3, 3), normal(1), stride=2),
    Case("a stride that does not divide", normal(1, 2, 6, 8), normal(2, 2, 3, 3), normal(2), stride=2),
    Case(
        "stride and padding together", normal(2, 3, 5, 6), normal(4, 3, 3, 2), normal(4), stride=3, padding=2
    ),
    Case("whole-number pixels", integers(1, 1, 4, 5), normal(1, 1, 2, 2), normal(1)),
)
CONV_PARAMETERS = ("x", "w", "b", "stride", "padding")

conv2d_loops = Exercise(
    "conv2d_loops",
    UNIT,
    points=4,
    parameters=CONV_PARAMETERS,
    oracle=torch_conv2d,
    cases=CONV_CASES,
    random=random_conv,
    hints=(
        "You have all the parts: zero_pad makes the border, output_size says how many windows fit along each axis, window_dot gives "
        "one number. What is left is to visit every place of the output.",
        "Pad x once. Make an output of zeros of shape (N, O, H_out, W_out). Loop over images, filters, output rows and output "
        "columns. Output row i is the window that starts at row i * stride of the padded image.",
        "In the innermost loop: `out[n, o, i, j]` is window_dot of image n of the padded x, filter `w[o]` and bias `b[o]`, with the "
        "window's corner at row `i * stride` and column `j * stride`.",
    ),
)

conv2d = Exercise(
    "conv2d",
    UNIT,
    points=6,
    parameters=CONV_PARAMETERS,
    oracle=torch_conv2d,
    cases=(
        *CONV_CASES,
        Case(
            "no Python loop over pixels",
            normal(1, 2, 40, 50),
            normal(2, 2, 3, 3),
            normal(2),
            max_steps=1500,
            weight=3,
        ),
    ),
    random=random_conv,
    hints=(
        "Turn the loops inside out. In place of visiting each output and looking at its window, visit each element of the kernel: "
        "which pixel does it meet, for all the outputs at once?",
        "One way: loop over the few kernel positions (kh, kw). The pixels that this weight meets, over all outputs, are one strided "
        "slice of the padded image. Multiply them by `w[:, :, kh, kw]`, sum over channels, and add up. Another way: "
        "np.lib.stride_tricks.sliding_window_view gives all windows at once, and np.einsum the sums.",
        "For (kh, kw) the slice is rows `kh : kh + stride * H_out : stride` and columns likewise, of shape (N, C, H_out, W_out). "
        "`np.einsum('nchw,oc->nohw', that_slice, w[:, :, kh, kw])` is its part of the output; begin with the bias, as "
        "`b.reshape(1, -1, 1, 1)`, and add the parts.",
    ),
)


def conv_misconception(name: str, hint: str):
    """Add the decorated function to the banks of both conv2d_loops and conv2d."""

    def add(wrong):
        conv2d_loops.misconception(name, hint)(wrong)
        return conv2d.misconception(name, hint)(wrong)

    return add


def _size(x: Any, w: Any, stride: int, padding: int) -> tuple[int, int]:
    return tuple(positions(np.shape(x)[a], np.shape(w)[a], stride, padding) for a in (2, 3))  # type: ignore[return-value]


@conv_misconception(
    "forgets-the-bias",
    "Every value of a map is off by the same amount, the filter's bias: add `b[o]` to map o.",
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(x, w, np.zeros_like(b), stride, padding)


@conv_misconception(
    "adds-the-bias-to-every-product",
    "The bias is added once for each output, after the sum. Yours counts once for every element of the window.",
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(x, w, b * w[0].size, stride, padding)


@conv_misconception(
    "adds-the-bias-per-channel",
    "The bias is added once for each output. Yours counts once for every input channel: move it out of the loop over channels.",
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(x, w, b * w.shape[1], stride, padding)


@conv_misconception(
    "adds-the-bias-per-kernel-position",
    "The bias is added once for each output. Yours counts once for every position in the kernel: add it before or after the loop over kernel positions, not inside.",
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(x, w, b * w[0, 0].size, stride, padding)


@conv_misconception(
    "flips-the-kernel",
    "You turn the kernel by 180 degrees first. That is convolution as mathematics and scipy.signal.convolve2d define it; what "
    "networks call convolution, here and in torch, leaves the kernel as it is (cross-correlation).",
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(x, tensor(w).flip(2, 3), b, stride, padding)


@conv_misconception(
    "transposes-the-kernel",
    "The kernel's rows and columns are swapped: `w[o, c, row, column]` meets the pixel that lies `row` down and `column` to the right.",
)
def _(x, w, b, stride=1, padding=0):
    if w.shape[2] != w.shape[3]:
        raise Refusal("not square")
    return torch_conv2d(x, tensor(w).transpose(2, 3), b, stride, padding)


@conv_misconception(
    "averages",
    "You divide each sum by the number of elements in the window. A convolution sums; whether it averages is up to the weights.",
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(x, w / w[0].size, b, stride, padding)


@conv_misconception(
    "keeps-the-last-product",
    "Only the kernel's last position counts: you assign (=) inside the loop over the kernel, where each position must be added (+=).",
)
def _(x, w, b, stride=1, padding=0):
    last = np.zeros_like(w)
    last[:, :, -1, -1] = w[:, :, -1, -1]
    return torch_conv2d(x, last, b, stride, padding)


@conv_misconception(
    "does-not-sum-channels",
    "You keep one map for every input channel. A filter reaches through all channels, and their products go into one sum: out has shape (N, O, H_out, W_out).",
)
def _(x, w, b, stride=1, padding=0):
    maps = [
        F.conv2d(tensor(x)[:, c : c + 1], tensor(w)[:, c : c + 1], tensor(b), stride, padding)
        for c in range(w.shape[1])
    ]
    return torch.stack(maps, 2).numpy()


@conv_misconception(
    "uses-one-channel", "Only the first channel of the image counts in your sums. Sum over all channels."
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(x[:, :1], w[:, :1], b, stride, padding)


@conv_misconception(
    "keeps-the-last-channel",
    "Only the last channel of the image counts in your sums: you assign (=) in the loop over channels, where each must be added (+=).",
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(x[:, -1:], w[:, -1:], b, stride, padding)


@conv_misconception(
    "computes-the-first-filter-only",
    "You compute the map of the first filter only. Each of the O filters makes one channel of the output.",
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(x, w[:1], b[:1], stride, padding)


@conv_misconception(
    "repeats-the-first-filter",
    "All your maps are made with the weights of the first filter: use `w[o]` for map o.",
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(x, np.repeat(w[:1], len(w), 0), b, stride, padding)


@conv_misconception(
    "uses-the-first-bias", "All your maps have the bias of the first filter: use `b[o]` for map o."
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(x, w, np.repeat(b[:1], len(b)), stride, padding)


@conv_misconception(
    "computes-the-first-image-only",
    "You compute the first image of the batch only. The output has as many images as the input.",
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(x[:1], w, b, stride, padding)


@conv_misconception(
    "leaves-the-other-images-empty",
    "Only the first image of the batch has an answer, the others stay zero: loop over all N, or keep the batch axis in your arrays.",
)
def _(x, w, b, stride=1, padding=0):
    out = np.zeros_like(torch_conv2d(x, w, b, stride, padding))
    out[:1] = torch_conv2d(x[:1], w, b, stride, padding)
    return out


@conv_misconception(
    "repeats-the-first-image",
    "Every image of the batch gets the answer of the first one: use `x[n]` for image n.",
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(np.repeat(x[:1], len(x), 0), w, b, stride, padding)


@conv_misconception(
    "swaps-filters-and-channels",
    "You read w as (channels, filters, height, width). Here, as in torch, filters come first: `w[o, c]` is what filter o has for channel c.",
)
def _(x, w, b, stride=1, padding=0):
    if w.shape[0] != w.shape[1]:
        raise Refusal("the shapes do not fit")
    return torch_conv2d(x, tensor(w).transpose(0, 1), b, stride, padding)


@conv_misconception(
    "puts-filters-first",
    "Your output is (O, N, H, W): images come first, then the maps. Swap the first two axes.",
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(x, w, b, stride, padding).swapaxes(0, 1)


@conv_misconception(
    "puts-channels-last",
    "Your output has its channels last (N, H, W, O), as TensorFlow and photographs have them. This course, like torch, has them second: (N, O, H, W).",
)
def _(x, w, b, stride=1, padding=0):
    return np.moveaxis(torch_conv2d(x, w, b, stride, padding), 1, -1)


@conv_misconception(
    "swaps-height-and-width",
    "Your maps are turned on their side: height and width are swapped. Rows (height) come before columns (width).",
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(x, w, b, stride, padding).swapaxes(2, 3)


@conv_misconception(
    "ignores-the-padding",
    "Your answer is the one without padding. Pad x first, then compute everything from the padded image.",
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(x, w, b, stride, 0)


@conv_misconception(
    "pads-bottom-right-only", "You pad below and on the right only. The border goes around all four sides."
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(_padded(x, 0, padding, 0, padding), w, b, stride)


@conv_misconception(
    "pads-top-left-only", "You pad above and on the left only. The border goes around all four sides."
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(_padded(x, padding, 0, padding, 0), w, b, stride)


@conv_misconception(
    "does-not-centre",
    "The padded size is right, but the image lies in its top left corner: it must start at row `padding` and column `padding`.",
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(_padded(x, 0, 2 * padding, 0, 2 * padding), w, b, stride)


@conv_misconception("pads-rows-only", "You pad above and below, but not left and right. Width grows as well.")
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(_padded(x, 0, 0, padding, padding), w, b, stride)


@conv_misconception(
    "pads-columns-only", "You pad left and right, but not above and below. Height grows as well."
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(_padded(x, padding, padding, 0, 0), w, b, stride)


@conv_misconception(
    "pads-after-counting",
    "Your output has the size that belongs to the image without padding: take height and width after padding, or give padding to output_size.",
)
def _(x, w, b, stride=1, padding=0):
    height, width = _size(x, w, stride, 0)
    return torch_conv2d(x, w, b, stride, padding)[:, :, :height, :width]


@conv_misconception(
    "repeats-the-edge", "Your border repeats the image's edge. Zero padding puts zeros there."
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(_padded(x, padding, padding, padding, padding, "replicate"), w, b, stride)


@conv_misconception(
    "wraps-around",
    "At the border your windows continue on the opposite side of the image. np.roll and negative indices do that silently: pad with "
    "zeros first.",
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(
        np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)], mode="wrap"), w, b, stride
    )


@conv_misconception(
    "ignores-the-stride",
    "Your output is the one for stride 1: the window must move `stride` pixels at a time, and there are fewer outputs.",
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(x, w, b, 1, padding)


@conv_misconception(
    "steps-by-one",
    "The size of your output is right for this stride, but the windows still move by one pixel: output i starts at row `i * stride`, not "
    "at row i.",
)
def _(x, w, b, stride=1, padding=0):
    height, width = _size(x, w, stride, padding)
    return torch_conv2d(x, w, b, 1, padding)[:, :, :height, :width]


@conv_misconception("strides-rows-only", "The stride works on rows only. Columns move by it as well.")
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(x, w, b, 1, padding)[:, :, ::stride]


@conv_misconception("strides-columns-only", "The stride works on columns only. Rows move by it as well.")
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(x, w, b, 1, padding)[:, :, :, ::stride]


@conv_misconception(
    "thins-out-the-image",
    "You take every stride-th pixel of the image and convolve what is left. The stride moves the window; inside the window all pixels are neighbours.",
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(torch_zero_pad(x, padding)[:, :, ::stride, ::stride], w, b)


@conv_misconception(
    "slices-a-same-sized-map",
    "You compute a map as large as the image and then keep every stride-th value, so the windows sit in other places: they begin at the padded image's first row and column.",
)
def _(x, w, b, stride=1, padding=0):
    height, width = (k // 2 for k in w.shape[2:])
    return torch_conv2d(_padded(torch_zero_pad(x, padding), width, width, height, height), w, b)[
        :, :, ::stride, ::stride
    ]


@conv_misconception(
    "rounds-the-size-up",
    "You round the output size up when the stride does not divide, so the last windows hang over the edge. Round down: the rows left over are not read.",
)
def _(x, w, b, stride=1, padding=0):
    extra = [(-(n + 2 * padding - k)) % stride for n, k in zip(x.shape[2:], w.shape[2:], strict=True)]
    return torch_conv2d(_padded(torch_zero_pad(x, padding), 0, extra[1], 0, extra[0]), w, b, stride)


@conv_misconception(
    "forgets-the-plus-one",
    "Your output lacks its last row and column: the number of places is the number of steps plus one.",
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(x, w, b, stride, padding)[:, :, :-1, :-1]


@conv_misconception(
    "one-row-too-many", "Your output has a row and a column too many, which no window reaches."
)
def _(x, w, b, stride=1, padding=0):
    return np.pad(torch_conv2d(x, w, b, stride, padding), [(0, 0), (0, 0), (0, 1), (0, 1)])


@conv_misconception(
    "refuses-an-uneven-stride",
    "You raise an error when the stride does not divide, as CS231n's notes do. Here, as in every framework, the rows left over are simply "
    "not read.",
)
def _(x, w, b, stride=1, padding=0):
    if any((n + 2 * padding - k) % stride for n, k in zip(x.shape[2:], w.shape[2:], strict=True)):
        raise Refusal("the stride does not divide")
    return torch_conv2d(x, w, b, stride, padding)


@conv_misconception(
    "truncates-to-whole-numbers",
    "You lose what comes after the decimal point: your output array has a whole-number dtype. np.zeros(shape) without dtype makes floats.",
)
def _(x, w, b, stride=1, padding=0):
    return np.trunc(torch_conv2d(x, w, b, stride, padding))


@conv_misconception(
    "takes-the-dtype-of-the-pixels",
    "When the pixels are whole numbers, your output is too, and loses what comes after the decimal point: np.zeros_like(x) or "
    "dtype=x.dtype takes over the pixels' dtype.",
)
def _(x, w, b, stride=1, padding=0):
    out = torch_conv2d(x, w, b, stride, padding)
    return np.trunc(out) if x.dtype.kind in "iu" else out


@conv2d.misconception(
    LOOPS_OVER_PIXELS,
    "Python runs a line or more for every pixel here, and that is slow: a photograph takes seconds. Let one NumPy operation work on all "
    "outputs at once; a loop over the few kernel positions is fine.",
)
def _(x, w, b, stride=1, padding=0):
    out = torch_conv2d(x, w, b, stride, padding)
    copied = np.zeros_like(out)
    for place in np.ndindex(out.shape):
        copied[place] = out[place]
    return copied


# --------------------------------------------------------------------------------- same_padding, count_parameters


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


def torch_parameters(
    in_channels: int, out_channels: int, kernel_size: int, out_size: tuple | None = None
) -> int:
    """Return how many numbers torch would store for one layer, shared or not."""
    filters = sum(
        p.numel() for p in torch.nn.Conv2d(in_channels, out_channels, kernel_size, device="meta").parameters()
    )
    return filters * torch.empty(tuple(out_size) if out_size else (), device="meta").numel()


def _random_layer(rng: np.random.Generator) -> Case:
    i, o, k, h, w = (int(v) for v in rng.integers([2, 2, 2, 3, 3], [65, 65, 12, 40, 40]))
    return Case("random", i, o, k, (h, w)) if rng.random() < 0.5 else Case("random", i, o, k)


count_parameters = Exercise(
    "count_parameters",
    UNIT,
    points=2,
    parameters=("in_channels", "out_channels", "kernel_size", "out_size"),
    returns="a whole number",
    oracle=torch_parameters,
    cases=(
        Case("one 5x5 filter on a colour image", 3, 1, 5, answer=76),
        Case("the same, own weights at 28 x 28 places", 3, 1, 5, (28, 28), answer=59_584),
        Case("six filters", 3, 6, 5, answer=456),
        Case("a map that is not square", 2, 4, 3, (5, 7), answer=2_660),
        Case("many channels", 64, 128, 3, answer=73_856),
    ),
    random=_random_layer,
    hints=(
        "Begin with one filter: how many weights has it, over all the channels that it sees? And how many biases?",
        "One filter has in_channels * kernel_size * kernel_size weights and one bias. Then: how many filters? With out_size, every place of "
        "the output map has filters of its own, so how many places are there?",
        "`(in_channels * kernel_size ** 2 + 1) * out_channels`; when out_size is not None, multiply by out_size[0] * out_size[1].",
    ),
)


@count_parameters.misconception(
    "forgets-the-biases", "You count the weights only. Each filter has one bias as well."
)
def _(in_channels, out_channels, kernel_size, out_size=None):
    places = out_size[0] * out_size[1] if out_size else 1
    return places * torch.empty(in_channels, out_channels, kernel_size, kernel_size, device="meta").numel()


@count_parameters.misconception(
    "shares-the-biases",
    "Without sharing, each place has its own bias too. You give every place its own weights but count one bias a filter: lecture B's slide "
    "makes the same slip for AlexNet.",
)
def _(in_channels, out_channels, kernel_size, out_size=None):
    places = out_size[0] * out_size[1] if out_size else 1
    return (
        places * torch.empty(in_channels, out_channels, kernel_size, kernel_size, device="meta").numel()
        + out_channels
    )


@count_parameters.misconception(
    "one-bias-per-weight-slice",
    "You count a bias for every input channel. A filter sums over its channels and then adds one bias.",
)
def _(in_channels, out_channels, kernel_size, out_size=None):
    return torch_parameters(1, in_channels * out_channels, kernel_size, out_size)


@count_parameters.misconception(
    "forgets-the-input-channels",
    "A filter is as deep as its input: kernel_size * kernel_size weights for each input channel.",
)
def _(in_channels, out_channels, kernel_size, out_size=None):
    return torch_parameters(1, out_channels, kernel_size, out_size)


@count_parameters.misconception(
    "forgets-the-output-channels", "That is one filter. The layer has out_channels of them."
)
def _(in_channels, out_channels, kernel_size, out_size=None):
    return torch_parameters(in_channels, 1, kernel_size, out_size)


@count_parameters.misconception(
    "does-not-square-the-kernel", "A kernel of size k has k * k weights in each channel, not k."
)
def _(in_channels, out_channels, kernel_size, out_size=None):
    places = out_size[0] * out_size[1] if out_size else 1
    return (in_channels * kernel_size + 1) * out_channels * places


@count_parameters.misconception(
    "shares-anyway",
    "With out_size, every place of the map has weights of its own: the count grows with the number of places.",
)
def _(in_channels, out_channels, kernel_size, out_size=None):
    return torch_parameters(in_channels, out_channels, kernel_size)


@count_parameters.misconception(
    "counts-one-side", "out_size has two numbers, height and width: the places are their product."
)
def _(in_channels, out_channels, kernel_size, out_size=None):
    return torch_parameters(in_channels, out_channels, kernel_size, out_size[:1] if out_size else None)


# ----------------------------------------------------------------------------------------- edge_kernel, blur_kernel

RAMP = torch.tensor([0.0, 0, 0, 1, 1, 1], dtype=torch.float64)  # dark on the left, bright on the right
UPRIGHT_EDGE = RAMP.expand(1, 1, 6, 6)
LEVEL_EDGE = UPRIGHT_EDGE.transpose(2, 3)
SOBEL = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=torch.float64)


def _response(kernel: Any, image: torch.Tensor) -> torch.Tensor:
    return F.conv2d(image, tensor(kernel).reshape(1, 1, 3, 3))


def _is_kernel(value: Any, shape: tuple[int, ...] = (1, 1, 3, 3)) -> bool:
    try:
        return np.shape(value) == shape and np.asarray(value).dtype.kind in "iuf"
    except ValueError:
        return False


def judge_edge_kernel(value: Any) -> str:
    """Return what is wrong with a kernel for upright edges, or an empty string."""
    if not _is_kernel(value):
        return f"expected an array of shape (1, 1, 3, 3), got {np.shape(value) if isinstance(value, np.ndarray | list) else repr(value)[:60]}"
    flat, upright, level = (
        _response(value, image) for image in (torch.ones(1, 1, 6, 6).double(), UPRIGHT_EDGE, LEVEL_EDGE)
    )
    size = float(tensor(value).abs().max()) or 1.0
    if flat.abs().max() > 1e-6 * size:
        return f"On a plain grey area the answer must be 0; your kernel gives {float(flat.flatten()[0]):.4g} for pixels of 1."
    if level.abs().max() > 1e-6 * size:
        return f"On a level edge (dark above bright) the answer must be 0; your kernel gives {float(level.abs().max()):.4g}."
    strongest = float(upright.flatten()[upright.abs().argmax()])
    if strongest <= 1e-6 * size or upright.min() < -1e-6 * size:
        return f"Where dark on the left meets bright on the right the answer must be positive; your kernel gives {strongest:.4g}."
    return ""


edge_kernel = Exercise(
    "edge_kernel",
    UNIT,
    points=1,
    parameters=(),
    returns="an array of shape (1, 1, 3, 3)",
    oracle=lambda: SOBEL.reshape(1, 1, 3, 3).numpy(),
    check_answer=judge_edge_kernel,
    cases=(Case("silent on plain areas and level edges, positive on upright ones"),),
    hints=(
        "An edge is a difference between left and right. Which weights compute right minus left?",
        "Negative weights in the left column, zeros in the middle, positive ones in the right column, and all of them summing to 0.",
        "Take the row -1, 0, 1 three times (Prewitt), or with the middle row twice as strong (Sobel), and give the array the shape "
        "(1, 1, 3, 3) with reshape.",
    ),
)


def _like(sentence: str):
    """Return a test for answers that fail with a sentence beginning like this."""
    return lambda value, *args: judge_edge_kernel(value).startswith(sentence)


@edge_kernel.misconception(
    "finds-level-edges",
    "Your kernel answers to edges between above and below. Swap its rows and columns: left against right makes an upright edge.",
    when=lambda value: _is_kernel(value) and judge_edge_kernel(np.swapaxes(value, 2, 3)) == "",
)
def _():
    return SOBEL.T.reshape(1, 1, 3, 3).numpy()


@edge_kernel.misconception(
    "points-the-other-way",
    "Your kernel finds the edges, with the opposite sign: it would be right if the kernel were flipped before use, and here it is not. Put the "
    "positive weights on the right.",
    when=lambda value: _is_kernel(value) and judge_edge_kernel(-np.asarray(value)) == "",
)
def _():
    return -SOBEL.reshape(1, 1, 3, 3).numpy()


@edge_kernel.misconception(
    "does-not-sum-to-zero",
    "On a plain area an edge detector has nothing to say, so its weights must sum to 0.",
    when=_like("On a plain grey"),
)
def _():
    return np.ones((1, 1, 3, 3))


@edge_kernel.misconception(
    "finds-every-edge",
    "Your kernel answers to edges in every direction, like the Laplacian. Here it should be upright edges only: every row of weights does the "
    "same, left against right.",
    when=lambda value: (
        _is_kernel(value)
        and judge_edge_kernel(value).startswith("On a level")
        and float(np.max(np.abs(np.asarray(value) - np.swapaxes(value, 2, 3)))) < 1e-6
    ),
)
def _():
    return np.array([[[[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]]])


@edge_kernel.misconception(
    "forgets-the-filter-axes",
    "conv2d wants filters of shape (O, C, height, width). One filter on one channel is (1, 1, 3, 3): use reshape(1, 1, 3, 3).",
    when=lambda value: _is_kernel(value, (3, 3)) or _is_kernel(value, (1, 3, 3)),
)
def _():
    return SOBEL.numpy()


blur_kernel = Exercise(
    "blur_kernel",
    UNIT,
    points=1,
    parameters=("size",),
    oracle=lambda size: torch.full(
        (1, 1, size, size), 1 / torch.ones(size, size).double().sum().item(), dtype=torch.float64
    ).numpy(),
    cases=(
        Case("3 by 3", 3, answer=np.full((1, 1, 3, 3), 1 / 9)),
        Case("5 by 5", 5),
        Case("even, 4 by 4", 4),
        Case("1 by 1 changes nothing", 1, weight=0.5),
    ),
    random=lambda rng: Case("random", int(rng.integers(2, 20))),
    hints=(
        "A blurred pixel is the average of its neighbourhood. If all weights are the same, what must they be?",
        "There are size * size weights, and on a plain area the answer must be the area's own value: they sum to 1.",
        "np.full makes an array of one value; the shape is (1, 1, size, size) and the value one over the number of weights.",
    ),
)


@blur_kernel.misconception(
    "sums-in-place-of-averaging",
    "Your weights are all 1, so the result is the sum of the neighbours, far too bright. Divide by how many there are.",
)
def _(size):
    return np.ones((1, 1, size, size))


@blur_kernel.misconception(
    "divides-by-the-side", "You divide by size, but there are size * size weights, and they must sum to 1."
)
def _(size):
    return np.full((1, 1, size, size), 1 / size)


@blur_kernel.misconception(
    "rounds-to-zero",
    "All weights are 0: 1 // 9 is 0, and so is a fraction in a whole-number array. Divide with `/` and keep floats.",
)
def _(size):
    return np.zeros((1, 1, size, size))


@blur_kernel.misconception(
    "forgets-the-filter-axes",
    "conv2d wants filters of shape (O, C, height, width): one filter on one channel is (1, 1, size, size).",
)
def _(size):
    return np.full((size, size), 1 / size**2)


@blur_kernel.misconception(
    "blurs-one-direction",
    "Only the middle row has weights, so you blur from left to right only. All size * size weights are the same.",
)
def _(size):
    kernel = np.zeros((1, 1, size, size))
    kernel[0, 0, size // 2] = 1 / size
    return kernel
