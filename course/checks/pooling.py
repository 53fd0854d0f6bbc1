"""Unit 03: max pooling, forward and backward.

The oracle is torch in float64, its gradients by autograd. A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.nn.functional as F

from course.checks.compare import matches
from course.checks.exercise import LOOPS_OVER_PIXELS, Case, Exercise, normal
from course.checks.oracle import gradient, tensor
from course.checks.pool_ideas import (
    COUNTING,
    POOL_PARAMETERS,
    UNIT,
    backward_case,
    backward_misconceptions,
    every_pixel,
    one_by_one,
    out_size,
    pool_backward_cases,
    pool_cases,
    random_pool,
    random_pool_backward,
    window_misconceptions,
)

# ----------------------------------------------------------------------------------------------------- max_pool2d


def torch_max_pool(x: Any, kernel_size: int, stride: int | None = None) -> np.ndarray:
    """Return the maximum of each window, by torch."""
    return F.max_pool2d(tensor(x), kernel_size, stride).numpy()


NO_PIXEL_LOOP = Case(
    "images and channels all at once", normal(600, 2, 6, 6), 2, max_steps=600
)  # 9 places: even a loop over the images alone takes longer

max_pool2d = Exercise(
    "max_pool2d",
    UNIT,
    points=3,
    parameters=POOL_PARAMETERS,
    oracle=torch_max_pool,
    cases=(
        Case("one window, by hand", np.array([[[[2.0, 1.0], [5.0, 3.0]]]]), 2, answer=[[[[5.0]]]]),
        Case("four windows, by hand", COUNTING, 2, answer=[[[[6.0, 8.0], [14.0, 16.0]]]]),
        *pool_cases(),
        Case("far below zero", -1e6 * (1 + np.abs(normal(1, 2, 4, 6))), 2),
        NO_PIXEL_LOOP,
    ),
    random=random_pool,
    hints=(
        "How many windows fit along the height, and where does window i start? output_size of unit 01 answers the first, with "
        "stride in place of None.",
        "Settle the stride first, then height and width of the output, and make it of zeros. Go through its places (i, j). For "
        "each cut out the window, of all images and channels at once, and take the maximum over its last two axes.",
        "The window's rows are `i * stride : i * stride + kernel_size`, its columns likewise with j, and the first two axes are "
        "`:`. `window.max(axis=(2, 3))` has shape (N, C) and belongs at `out[:, :, i, j]`.",
    ),
)
window_misconceptions(max_pool2d, F.max_pool2d, "take the maximum")


@max_pool2d.misconception(
    "starts-from-zero",
    "Where all values of a window are negative you answer 0, which is not among them: you compare with zeros that you started "
    "from, or padded with. Start from the window's own values.",
)
def _(x, kernel_size, stride=None):
    return np.maximum(torch_max_pool(x, kernel_size, stride), 0)


def _stops_at_a_number(value: Any, x: Any, kernel_size: int, stride: int | None = None) -> bool:
    answer = torch_max_pool(x, kernel_size, stride)
    lowest = np.min(value)
    return lowest < 0 and matches(value, np.maximum(answer, lowest)) and not matches(value, answer)


@max_pool2d.misconception(
    "starts-from-a-low-number",
    "Where all values of a window are lower than the number that you started from, you answer that number. However low, it is not among "
    "them: start from the window's own values, or from -np.inf.",
    when=_stops_at_a_number,
)
def _(x, kernel_size, stride=None):
    return np.maximum(torch_max_pool(x, kernel_size, stride), -1000)


@max_pool2d.misconception(
    "averages", "You take the average of each window. Max pooling takes its largest value."
)
def _(x, kernel_size, stride=None):
    return F.avg_pool2d(tensor(x), kernel_size, stride).numpy()


@max_pool2d.misconception("takes-the-minimum", "You take the smallest value of each window, not the largest.")
def _(x, kernel_size, stride=None):
    return -torch_max_pool(-tensor(x), kernel_size, stride)


@max_pool2d.misconception(
    "takes-the-largest-magnitude",
    "You take the value that is farthest from zero, or drop the sign. The largest of -5 and 2 is 2.",
)
def _(x, kernel_size, stride=None):
    return torch_max_pool(np.abs(x), kernel_size, stride)


@max_pool2d.misconception(
    "returns-the-place",
    "You return where in the window the maximum lies (argmax), not the maximum itself.",
)
def _(x, kernel_size, stride=None):
    return every_pixel(x, kernel_size, stride).flatten(4).argmax(4).numpy()


SLOWLY = (
    "You go through images or channels in Python, one after the other. That is right but slow, and unit 07 trains with this "
    "function: cut the window out of all images and channels at once, and let NumPy work along their axes."
)


@max_pool2d.misconception(LOOPS_OVER_PIXELS, SLOWLY)
def _(x, kernel_size, stride=None):
    return copied_slowly(torch_max_pool(x, kernel_size, stride))


def copied_slowly(array: np.ndarray) -> np.ndarray:
    """Return a copy that took a Python step or more for every value."""
    copied = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        value = array[place]
        copied[place] = value
    return copied


# --------------------------------------------------------------------------------------------- max_pool2d_backward


def torch_max_pool_backward(grad_out: Any, x: Any, kernel_size: int, stride: int | None = None) -> np.ndarray:
    """Return the gradient of max pooling, by autograd: torch gives a tie to the first maximum."""
    return gradient(lambda x: F.max_pool2d(x, kernel_size, stride), grad_out, x)


SLOW_BACKWARD = backward_case("images and channels all at once", normal(600, 2, 6, 6), 2, max_steps=600)
TIES = np.array([[[[3.0, 3.0, 1.0, 0.0], [3.0, 2.0, 0.0, 1.0]]]])

max_pool2d_backward = Exercise(
    "max_pool2d_backward",
    UNIT,
    points=4,
    parameters=("grad_out", *POOL_PARAMETERS),
    oracle=torch_max_pool_backward,
    cases=(
        Case(
            "one window, by hand",
            np.array([[[[7.0]]]]),
            np.array([[[[2.0, 1.0], [5.0, 3.0]]]]),
            2,
            answer=[[[[0.0, 0.0], [7.0, 0.0]]]],
        ),
        Case(
            "ties, by hand",
            np.array([[[[6.0, -2.0]]]]),
            TIES,
            2,
            answer=[[[[6.0, 0.0, -2.0, 0.0], [0.0, 0.0, 0.0, 0.0]]]],
        ),
        *pool_backward_cases(),
        backward_case("ties in overlapping windows", np.round(normal(2, 2, 5, 7)), 3, 2),
        SLOW_BACKWARD,
    ),
    random=random_pool_backward,
    hints=(
        "If you raise one pixel of a window a little, when does the window's maximum change, and by how much? For all the other "
        "pixels the answer is: not at all.",
        "Begin with zeros in the shape of x. Go through the places (i, j) of grad_out. Find where the window has its first "
        "maximum, and add grad_out's value there. For all images and channels at once: flatten the window's two axes into one, "
        "take argmax along it, and make a mask that is 1 there and 0 elsewhere.",
        "With the window as `flat` of shape (N, C, K * K): `first = flat.argmax(axis=2)`; comparing `np.arange(K * K)` with "
        "`first[..., None]` gives the mask. Mask times `grad_out[:, :, i, j, None]`, reshaped to (N, C, K, K), is added (+=) to "
        "the window's slice of grad_x.",
    ),
)
backward_misconceptions(max_pool2d_backward, F.max_pool2d)


@max_pool2d_backward.misconception(
    "gives-it-to-all-maxima",
    "Where several pixels share the maximum, each of them gets the whole gradient in your answer, more than arrived. `window == max` "
    "is true at all of them. Here the first one in reading order gets it (np.argmax finds that one).",
)
def _(grad_out, x, kernel_size, stride=None):
    return through_ties(grad_out, x, kernel_size, stride, share=False)


@max_pool2d_backward.misconception(
    "shares-among-all-maxima",
    "Where several pixels share the maximum, you divide the gradient among them. That is a fair rule, and torch.amax has "
    "it; pooling here, as in torch, gives all of it to the first maximum in reading order.",
)
def _(grad_out, x, kernel_size, stride=None):
    return through_ties(grad_out, x, kernel_size, stride, share=True)


def through_ties(grad_out, x, kernel_size, stride, share):
    """Return the gradient that all maxima of a window get, shared or each the whole."""

    def layer(x):
        windows = x.unfold(2, kernel_size, stride or kernel_size).unfold(
            3, kernel_size, stride or kernel_size
        )
        ties = (windows == windows.amax((4, 5), keepdim=True)).sum((4, 5)).detach()
        return windows.amax((4, 5)) * (1 if share else ties)  # amax shares its gradient evenly

    return gradient(layer, grad_out, x)


@max_pool2d_backward.misconception(
    "gives-it-to-the-last-maximum",
    "Where several pixels share the maximum, you give the gradient to the last of them (`>=` in a search does that). Here the "
    "first one in reading order gets it.",
)
def _(grad_out, x, kernel_size, stride=None):
    height, width = out_size(x, kernel_size, stride)
    step = stride or kernel_size
    read = (
        slice(None),
        slice(None),
        slice((height - 1) * step + kernel_size),
        slice((width - 1) * step + kernel_size),
    )
    turned = np.flip(np.asarray(x)[read], (2, 3)).copy()
    answer = np.zeros(x.shape)
    answer[read] = np.flip(
        torch_max_pool_backward(np.flip(grad_out, (2, 3)).copy(), turned, kernel_size, stride), (2, 3)
    )
    return answer


@max_pool2d_backward.misconception(
    "spreads-it-over-the-window",
    "You spread the gradient evenly over the window. That is the backward pass of average pooling. A maximum depends on one pixel "
    "only, and that one gets everything.",
)
def _(grad_out, x, kernel_size, stride=None):
    return gradient(lambda x: F.avg_pool2d(x, kernel_size, stride), grad_out, x)


@max_pool2d_backward.misconception(
    "overwrites-a-shared-maximum",
    "A pixel can be the maximum of two overlapping windows. You keep the gradient of the later one only: add (+=) in place of "
    "assigning (=). With arrays of indices += does not help, since it counts a repeated pixel once: use np.add.at, or go place by place.",
)
def _(grad_out, x, kernel_size, stride=None):
    left = np.zeros(x.shape)
    for own, _covered in one_by_one(F.max_pool2d, grad_out, x, kernel_size, stride):
        left = np.where(own != 0, own, left)
    return left


@max_pool2d_backward.misconception(
    "multiplies-by-the-maximum",
    "You multiply the gradient by the maximum itself. The slope of the output with respect to its largest pixel is 1, whatever "
    "that pixel is.",
)
def _(grad_out, x, kernel_size, stride=None):
    return torch_max_pool_backward(grad_out * torch_max_pool(x, kernel_size, stride), x, kernel_size, stride)


@max_pool2d_backward.misconception(
    "uses-the-first-channel-s-places",
    "You look for the maximum in the first channel (or image) and use its place for all. Each channel of each image has its own.",
)
def _(grad_out, x, kernel_size, stride=None):
    return torch_max_pool_backward(grad_out, np.broadcast_to(x[:1, :1], x.shape).copy(), kernel_size, stride)


@max_pool2d_backward.misconception(LOOPS_OVER_PIXELS, SLOWLY)
def _(grad_out, x, kernel_size, stride=None):
    return copied_slowly(torch_max_pool_backward(grad_out, x, kernel_size, stride))
