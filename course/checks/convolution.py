"""Unit 01: the whole convolution, in loops and without.

The oracle is torch in float64. A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course.checks.exercise import LOOPS_OVER_PIXELS, Case, Exercise, Objection, Refusal, integers, normal
from course.checks.oracle import padded, positions, tensor, torch_zero_pad

UNIT = "01-convolution"


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
    Case("padding", normal(1, 1, 3, 4), normal(1, 1, 3, 3), np.zeros(1), padding=1, weight=2),
    Case("a stride that divides", normal(1, 1, 5, 7), normal(1, 1, 3, 3), np.zeros(1), stride=2),
    Case(
        "a stride that does not divide", normal(1, 2, 6, 8), normal(2, 2, 3, 3), normal(2), stride=2, weight=2
    ),
    Case(
        "stride and padding together",
        normal(2, 3, 5, 6),
        normal(4, 3, 3, 2),
        normal(4),
        stride=3,
        padding=2,
        weight=2,
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
            normal(1, 2, 42, 43),
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
    return torch_conv2d(padded(x, 0, padding, 0, padding), w, b, stride)


@conv_misconception(
    "pads-top-left-only", "You pad above and on the left only. The border goes around all four sides."
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(padded(x, padding, 0, padding, 0), w, b, stride)


@conv_misconception(
    "does-not-centre",
    "The padded size is right, but the image lies in its top left corner: it must start at row `padding` and column `padding`.",
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(padded(x, 0, 2 * padding, 0, 2 * padding), w, b, stride)


@conv_misconception("pads-rows-only", "You pad above and below, but not left and right. Width grows as well.")
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(padded(x, 0, 0, padding, padding), w, b, stride)


@conv_misconception(
    "pads-columns-only", "You pad left and right, but not above and below. Height grows as well."
)
def _(x, w, b, stride=1, padding=0):
    return torch_conv2d(padded(x, padding, padding, 0, 0), w, b, stride)


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
    return torch_conv2d(padded(x, padding, padding, padding, padding, "replicate"), w, b, stride)


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
    return torch_conv2d(padded(torch_zero_pad(x, padding), width, width, height, height), w, b)[
        :, :, ::stride, ::stride
    ]


@conv_misconception(
    "rounds-the-size-up",
    "You round the output size up when the stride does not divide, so the last windows hang over the edge. Round down: the rows left over are not read.",
)
def _(x, w, b, stride=1, padding=0):
    extra = [(-(n + 2 * padding - k)) % stride for n, k in zip(x.shape[2:], w.shape[2:], strict=True)]
    return torch_conv2d(padded(torch_zero_pad(x, padding), 0, extra[1], 0, extra[0]), w, b, stride)


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
        raise Objection("the stride does not divide")
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
