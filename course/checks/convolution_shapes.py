"""Unit 01: slips in window_dot, conv2d_loops and conv2d that end in shapes that do not fit.

Each is told from the others by the shapes in NumPy's message, which are those that this idea leads to and no other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from course.checks.convolution import conv2d, conv2d_loops, conv_misconception, torch_conv2d
from course.checks.exercise import Refusal, runs_into
from course.checks.oracle import positions
from course.checks.windows import torch_window_dot, window_dot


def map_size(x: Any, w: Any, stride: int, padding: int) -> tuple[int, int]:
    """Return the height and width of the map, by torch."""
    height, width = (positions(x.shape[axis], w.shape[axis], stride, padding) for axis in (2, 3))
    return height, width


def padded_size(x: Any, padding: int) -> tuple[int, int]:
    """Return the height and width of the padded image."""
    return x.shape[2] + 2 * padding, x.shape[3] + 2 * padding


def in_message(block: Iterable[int]) -> str:
    """Return how NumPy's message ends a shape whose last axes are ``block``."""
    return ",".join(map(str, block)) + ")"


def first_short_block(
    image: Iterable[int], w: Any, stride: int, wanted: tuple[int, int], apart: int = 1
) -> str:
    """Return the first block that is too small for ``wanted``, as in the message; a length of 1 is stretched and fits.

    Kernel positions lie so many pixels ``apart``.
    """
    for place in np.ndindex(w.shape[2:]):
        met = [len(range(first * apart, size, stride)) for first, size in zip(place, image, strict=True)]
        block = tuple(min(pair) for pair in zip(met, wanted, strict=True))
        if any(1 != cut != full for cut, full in zip(block, wanted, strict=True)):
            return in_message(block)
    return "no block is cut off"


def misfit_of(w: Any, *windows: tuple[int, ...]) -> Refusal | None:
    """Return what NumPy says when one of these windows meets the kernel, or None where all of them fit."""
    words = [str(window).replace(" ", "") for window in windows if not meets(window, np.shape(w))]
    return runs_into("ValueError", words=tuple(words)) if words else None


def meets(window: tuple[int, ...], kernel: tuple[int, ...]) -> bool:
    """Return whether NumPy multiplies arrays of these shapes; a length of 1 is stretched and fits."""
    return all(1 in pair or pair[0] == pair[1] for pair in zip(window, kernel, strict=True))


def dot_unless_misfit(x: Any, w: Any, b: Any, row: int, col: int, *windows: np.ndarray) -> float:
    """Return the right answer, or raise what comes of multiplying one of these windows with the kernel."""
    if misfit := misfit_of(w, *(window.shape for window in windows)):
        raise misfit
    return torch_window_dot(x, w, b, row, col)


@window_dot.misconception(
    "takes-the-kernel-for-square",
    "Your window is not as high and as wide as the kernel. A kernel need not be square: its height is `w.shape[1]`, its width `w.shape[2]`.",
)
def _(x, w, b, row, col):
    (height, width), x = w.shape[1:], np.asarray(x)
    sides = ((height, height), (width, width), (width, height))
    windows = [x[:, row : row + h, col : col + k] for h, k in sides]
    return dot_unless_misfit(x, w, b, row, col, *windows)


@window_dot.misconception(
    "stops-at-the-kernel-size",
    "Your window ends at the kernel's height and width, wherever it starts. It has as many rows as the kernel, from `row` on: it ends at "
    "`row + w.shape[1]`.",
)
def _(x, w, b, row, col):
    return dot_unless_misfit(x, w, b, row, col, np.asarray(x)[:, row : w.shape[1], col : w.shape[2]])


@window_dot.misconception(
    "slices-the-channels",
    "You cut rows out of the channels, and columns out of the rows: x has three axes, (C, H, W). The window has all channels, so the first of "
    "three slices is `:`.",
)
def _(x, w, b, row, col):
    window = np.asarray(x)[row : row + w.shape[1], col : col + w.shape[2]]
    return dot_unless_misfit(x, w, b, row, col, window)


@conv_misconception(
    "lines-the-bias-up-with-the-columns",
    "NumPy lines shapes up from the right, so b's numbers, one a filter, meet the columns of the maps. Give b two more axes, `b[:, None, "
    "None]` of shape (O, 1, 1), and they meet the maps.",
)
def _(x, w, b, stride=1, padding=0):
    maps = torch_conv2d(x, w, np.zeros_like(b), stride, padding)
    if len({1, len(b), maps.shape[3]}) > 2:
        raise runs_into("ValueError", words=f"({len(b)},)")
    return maps + b


@conv2d_loops.misconception(
    "hands-over-all-biases",
    "You give window_dot all the biases, so what comes back is one number a filter, and there is room for one. Filter o has the bias `b[o]`.",
)
def _(x, w, b, stride=1, padding=0):
    raise runs_into("ValueError", words="with a sequence")


@conv2d_loops.misconception(
    "windows-hang-over-the-edge",
    "With padding, your last windows hang over the edge of the image. Either it is x that you cut them from, not the padded x; or the padding "
    "counts twice: output_size adds `2 * padding` itself, so give it the height and width that x had before.",
)
def _(x, w, b, stride=1, padding=0):
    if padding:
        raise runs_into("ValueError", words=in_message(w.shape[2:]))
    return torch_conv2d(x, w, b, stride, padding)


@conv2d_loops.misconception(
    "hands-over-the-batch",
    "You give window_dot the whole batch. It wants one image of shape (C, H, W): image n of the padded batch.",
)
def _(x, w, b, stride=1, padding=0):
    height, width = padded_size(x, padding)
    window = (len(x), min(x.shape[1], w.shape[2]), min(height, w.shape[3]), width)
    if any(1 != cut != full != 1 for cut, full in zip(window[1:], w.shape[1:], strict=True)):
        raise runs_into("ValueError", words=in_message(window))
    return torch_conv2d(x, w, b, stride, padding)


@conv2d_loops.misconception(
    "steps-through-the-output",
    "Your loop over the output moves by the stride, so most of its places stay empty. Visit every place of the output; it is the window that "
    "starts at row `i * stride`.",
)
def _(x, w, b, stride=1, padding=0):
    height, width = map_size(x, w, stride, padding)
    maps = torch_conv2d(x, w, b, 1, padding)[:, :, :height, :width]
    rows, columns = np.indices((height, width)) % stride
    return maps * ((rows == 0) & (columns == 0))


@conv2d_loops.misconception(
    "writes-where-the-window-is",
    "You write the answer to the place where the window starts, and the output has no such row or column. Let i count the rows of the output; "
    "the window starts at row `i * stride`.",
)
def _(x, w, b, stride=1, padding=0):
    if stride > 1 and max(map_size(x, w, stride, padding)) > 1:
        raise runs_into("IndexError", words="out of bounds")
    return torch_conv2d(x, w, b, stride, padding)


def filled(x: Any, w: Any, b: Any, stride: int, padding: int, size: tuple[int, int]) -> np.ndarray:
    """Return maps of this size, filled in loops; where it is too large, a window hangs over the edge and ends them."""
    image, kernel = padded_size(x, padding), w.shape[2:]
    for place in np.ndindex(size):
        window = [min(k, max(n - p * stride, 0)) for p, n, k in zip(place, image, kernel, strict=True)]
        if any(cut not in (1, full) for cut, full in zip(window, kernel, strict=True)):
            raise runs_into("ValueError", words=in_message(window))
    return torch_conv2d(x, w, b, stride, padding)[:, :, : size[0], : size[1]]


SQUARE_KERNEL = (
    "You take the kernel for square. Its height is `w.shape[2]` and its width `w.shape[3]`, which can differ."
)
SQUARE_MAPS = "You take the maps for square. Their width follows from the width of the image and of the kernel, as their height does from the heights."


@conv2d_loops.misconception("takes-the-kernel-for-square", SQUARE_KERNEL)
def _(x, w, b, stride=1, padding=0):
    square = w[..., :1].repeat(w.shape[2], axis=3)
    return filled(x, w, b, stride, padding, map_size(x, square, stride, padding))


@conv2d_loops.misconception("makes-square-maps", SQUARE_MAPS)
def _(x, w, b, stride=1, padding=0):
    height, _ = map_size(x, w, stride, padding)
    return filled(x, w, b, stride, padding, (height, height))


@conv2d.misconception("takes-the-kernel-for-square", SQUARE_KERNEL)
def _(x, w, b, stride=1, padding=0):
    if w.shape[2] > w.shape[3]:
        raise runs_into("IndexError", words="out of bounds")
    return torch_conv2d(x, w[..., : w.shape[2]], b, stride, padding)


@conv2d.misconception("makes-square-maps", SQUARE_MAPS)
def _(x, w, b, stride=1, padding=0):
    height, width = map_size(x, w, stride, padding)
    if height > width:
        cut_off = first_short_block(padded_size(x, padding), w, stride, (height, height))
        raise runs_into("ValueError", words=cut_off)
    return torch_conv2d(x, w, b, stride, padding)[..., :height]


@conv2d.misconception(
    "counts-the-padding-twice",
    "With padding, your output is too large: output_size adds `2 * padding` itself, so give it the height and width that x had before it was "
    "padded.",
)
def _(x, w, b, stride=1, padding=0):
    if padding:
        wanted = map_size(x, w, stride, 2 * padding)
        cut_off = first_short_block(padded_size(x, padding), w, stride, wanted)
        raise runs_into("ValueError", words=(in_message(wanted), cut_off))
    return torch_conv2d(x, w, b, stride, padding)


@conv2d.misconception(
    "cuts-its-blocks-from-x",
    "With padding, the blocks of pixels are smaller than the output: cut them from the padded image, not from x.",
)
def _(x, w, b, stride=1, padding=0):
    if padding:
        wanted = map_size(x, w, stride, padding)
        raise runs_into("ValueError", words=first_short_block(x.shape[2:], w, stride, wanted))
    return torch_conv2d(x, w, b, stride, padding)


STOPS_EARLY = (
    "With a stride, your slice stops too early. It runs over H_out rows, of which the step leaves fewer: it must run over `stride * H_out` rows, "
    "and over as many columns for W_out."
)


def short_maps(x: Any, w: Any, b: Any, stride: int, padding: int) -> np.ndarray:
    """Return the part of the maps that slices reach which stop after H_out rows and W_out columns."""
    height, width = map_size(x, w, stride, padding)
    return torch_conv2d(x, w, b, stride, padding)[:, :, : -(-height // stride), : -(-width // stride)]


@conv2d.misconception("stops-its-slices-early", STOPS_EARLY)
def _(x, w, b, stride=1, padding=0):
    maps = short_maps(x, w, b, stride, padding)
    wanted = map_size(x, w, stride, padding)
    if any(short not in (1, full) for short, full in zip(maps.shape[2:], wanted, strict=True)):
        raise runs_into("ValueError", words=in_message(maps.shape[2:]))
    return np.broadcast_to(maps, (*maps.shape[:2], *wanted))


@conv2d.misconception("stops-its-slices-early-and-returns-less", STOPS_EARLY)
def _(x, w, b, stride=1, padding=0):
    return short_maps(x, w, b, stride, padding)


@conv2d.misconception(
    "lets-its-slices-run-to-the-end",
    "Your blocks of pixels run to the end of the image, and are larger than the output. Each kernel position meets H_out rows and W_out "
    "columns, no more: say where the slices stop.",
)
def _(x, w, b, stride=1, padding=0):
    whole = padded_size(x, padding)
    if (w.shape[2], w.shape[3]) != (1, 1):
        raise runs_into("ValueError", words=in_message(-(-size // stride) for size in whole))
    return torch_conv2d(x, w, b, stride, padding)


@conv2d.misconception(
    "forgets-the-step-of-its-slices",
    "With a stride, your blocks are larger than the output: they hold every row and column. The slices need a step.",
)
def _(x, w, b, stride=1, padding=0):
    pairs = zip(map_size(x, w, stride, padding), padded_size(x, padding), strict=True)
    if stride > 1:
        raise runs_into("ValueError", words=in_message(min(out * stride, size) for out, size in pairs))
    return torch_conv2d(x, w, b, stride, padding)


@conv2d.misconception(
    "starts-its-slices-strides-apart",
    "With a stride, your blocks start too far down and to the right. Inside the window all pixels are neighbours: kernel row kh meets the rows "
    "from kh on, not from `kh * stride`. The stride is the step.",
)
def _(x, w, b, stride=1, padding=0):
    if stride > 1:
        wanted = map_size(x, w, stride, padding)
        cut_off = first_short_block(padded_size(x, padding), w, stride, wanted, apart=stride)
        raise runs_into("ValueError", words=cut_off)
    return torch_conv2d(x, w, b, stride, padding)
