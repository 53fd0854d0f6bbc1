"""Unit 02: slips in the gradients of a convolution that end in an exception, told from each other by what NumPy's message says.

What a slip leads to is worked out from the sizes of the blocks of pixels that it cuts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from course.checks.convolution_shapes import in_message, padded_size
from course.checks.exercise import runs_into
from course.checks.input_gradient import conv2d_backward, conv2d_grad_input
from course.checks.weight_gradients import conv2d_grad_weight, torch_gradients

BOTH = (conv2d_grad_weight, conv2d_grad_input)


class Stretched(Exception):
    """What is raised where NumPy stretches a block of length 1: an answer comes out that these ideas say nothing about."""


def in_messages(channels: int, block: Iterable[int]) -> tuple[str, str]:
    """Return how NumPy's message ends the shape of a block, and the shape of one channel of it."""
    plane = in_message(block)
    return f"{channels},{plane}", f"({plane}"


def misfit(
    places: tuple[int, ...],
    x: Any,
    image: tuple[int, ...],
    wanted: tuple[int, ...],
    length: Callable,
    stretches: bool,
) -> tuple[str, ...]:
    """Return the first block that is not as large as ``wanted``, as in NumPy's message, or an empty tuple if all are.

    ``length`` gives a side of a block from its place and the sides of the image and of what is wanted. A block of length 1
    is stretched, unless it is what is written to. Raises Stretched if that is all.
    """
    stretched = False
    for place in np.ndindex(*places):
        block = tuple(map(length, place, image, wanted))
        pairs = [(met, full) for met, full in zip(block, wanted, strict=True) if met != full]
        if any(full != 1 and not (met == 1 and stretches) for met, full in pairs):
            return in_messages(x.shape[1], block)
        stretched = stretched or bool(pairs)
    if stretched:
        raise Stretched
    return ()


def for_both(name: str, hint: str):
    """Add the decorated function, which takes the exercise first, to the banks of both gradients."""

    def add(wrong: Callable) -> Callable:
        for exercise in BOTH:
            exercise.misconception(name, hint)(partial(wrong, exercise))
        return wrong

    return add


def slice_slip(name: str, hint: str, length: Callable[[int, int, int, int], int]) -> None:
    """Add to both banks what comes of slices of this length: it follows from where they start, and from three sizes.

    These are the size of the padded image, the size of the output, and the stride.
    """

    @for_both(name, hint)
    def _(exercise, grad_out, x, w, stride=1, padding=0):
        def of_stride(first: int, size: int, out: int) -> int:
            return length(first, size, out, stride)

        stretches = exercise is conv2d_grad_weight
        image = padded_size(x, padding)
        if words := misfit(w.shape[2:], x, image, grad_out.shape[2:], of_stride, stretches):
            raise runs_into("ValueError", words=words)
        return exercise.oracle(grad_out, x, w, stride, padding)


slice_slip(
    "lets-its-slices-run-to-the-end",
    "Your blocks of pixels run to the end of the image, and are larger than grad_out. Each kernel position met H_out rows and W_out columns, "
    "no more: say where the slices stop.",
    lambda first, size, out, stride: len(range(first, size, stride)),
)

slice_slip(
    "stops-its-slices-early",
    "With a stride, your slice stops too early. It runs over H_out rows, of which the step leaves fewer: it must run over `stride * H_out` "
    "rows, and over as many columns for W_out.",
    lambda first, size, out, stride: len(range(first, min(first + out, size), stride)),
)


@for_both(
    "loops-over-a-square-kernel",
    "Your loop takes as many kernel columns as there are rows. A kernel need not be square: `w.shape[2]` is its height, `w.shape[3]` its width.",
)
def _(exercise, grad_out, x, w, stride=1, padding=0):
    height, width = w.shape[2:]
    if height > width:
        columns = range(width, min(width + stride * grad_out.shape[3], padded_size(x, padding)[1]), stride)
        block = in_messages(x.shape[1], (grad_out.shape[2], len(columns)))
        raise runs_into("IndexError", "ValueError", words=("out of bounds", *block))
    visited = np.arange(width) < height
    if exercise is conv2d_grad_input:
        return exercise.oracle(grad_out, x, w * visited, stride, padding)
    return exercise.oracle(grad_out, x, w, stride, padding) * visited


def cut_off(grad_out: Any, x: Any, w: Any, stride: int, stretches: bool) -> tuple[str, ...]:
    """Return the first block, and the first window, that x itself is too small for, as in NumPy's message."""

    def block(first: int, size: int, out: int) -> int:
        return len(range(first, min(first + stride * out, size), stride))

    def window(place: int, size: int, kernel: int) -> int:
        return max(0, min(kernel, size - stride * place))

    outputs, kernel, image = grad_out.shape[2:], w.shape[2:], x.shape[2:]
    return (
        *misfit(kernel, x, image, outputs, block, stretches),
        *misfit(outputs, x, image, kernel, window, stretches),
    )


@for_both(
    "forgets-the-padding",
    "With padding, some of your blocks of pixels are cut off. The kernel went over the *padded* image: take the blocks from an array of its "
    "size.",
)
def _(exercise, grad_out, x, w, stride=1, padding=0):
    if padding and (words := cut_off(grad_out, x, w, stride, exercise is conv2d_grad_weight)):
        raise runs_into("ValueError", words=words)
    return exercise.oracle(grad_out, x, w, stride, padding)


@conv2d_backward.misconception(
    "does-not-hand-on-the-padding",
    "With padding, the blocks of pixels are cut off in one of your functions: it takes padding for 0. Hand padding on to the functions that "
    "compute grad_x and grad_w.",
)
def _(grad_out, x, w, stride=1, padding=0):
    if padding and (words := cut_off(grad_out, x, w, stride, False)):
        raise runs_into("ValueError", words=words)
    return torch_gradients(grad_out, x, w, stride, padding)


@for_both(
    "adds-to-whole-numbers",
    "np.zeros_like takes over the dtype too, and an array of whole numbers takes no sums of floats. Make your array by np.zeros and a shape.",
)
def _(exercise, grad_out, x, w, stride=1, padding=0):
    if (x if exercise is conv2d_grad_input else w).dtype.kind in "iu":
        raise runs_into("UFuncTypeError", words="Cannot cast ufunc 'add'")
    return exercise.oracle(grad_out, x, w, stride, padding)
