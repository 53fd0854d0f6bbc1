"""Unit 01: slips in conv2d_loops and conv2d that end in shapes that do not fit.

Each is told from the others by the shapes in NumPy's message, which are those that this idea leads to and no other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from course.checks.convolution import conv2d, conv2d_loops, conv_misconception, torch_conv2d
from course.checks.exercise import runs_into
from course.checks.oracle import positions


def map_size(x: Any, w: Any, stride: int, padding: int) -> tuple[int, int]:
    """Return the height and width of the map, by torch."""
    height, width = (positions(np.shape(x)[a], np.shape(w)[a], stride, padding) for a in (2, 3))
    return height, width


def first_short_block(image: tuple, kernel: tuple, stride: int, wanted: tuple[int, int]) -> str:
    """Return how the message ends a shape that is shorter than ``wanted``: the first of the kernel's blocks that is cut off."""
    for place in np.ndindex(kernel):
        met = [len(range(first, size, stride)) for first, size in zip(place, image, strict=True)]
        block = tuple(min(pair) for pair in zip(met, wanted, strict=True))
        if block != wanted:
            return f"{block[0]},{block[1]})"
    return "no block is cut off"


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
        raise runs_into("ValueError", words=f"{w.shape[2]},{w.shape[3]})")
    return torch_conv2d(x, w, b, stride, padding)


@conv2d.misconception(
    "counts-the-padding-twice",
    "With padding, your output is too large: output_size adds `2 * padding` itself, so give it the height and width that x had before it was "
    "padded.",
)
def _(x, w, b, stride=1, padding=0):
    if padding:
        height, width = map_size(x, w, stride, 2 * padding)
        raise runs_into("ValueError", words=f"{height},{width})")
    return torch_conv2d(x, w, b, stride, padding)


@conv2d.misconception(
    "cuts-its-blocks-from-x",
    "With padding, the blocks of pixels are smaller than the output: cut them from the padded image, not from x.",
)
def _(x, w, b, stride=1, padding=0):
    if padding:
        wanted = map_size(x, w, stride, padding)
        raise runs_into("ValueError", words=first_short_block(x.shape[2:], w.shape[2:], stride, wanted))
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
        raise runs_into("ValueError", words=f"{maps.shape[2]},{maps.shape[3]})")
    return np.broadcast_to(maps, (*maps.shape[:2], *wanted))


@conv2d.misconception("stops-its-slices-early-and-returns-less", STOPS_EARLY)
def _(x, w, b, stride=1, padding=0):
    return short_maps(x, w, b, stride, padding)
