"""Unit 03: average pooling, forward and backward, L2 pooling and LeNet's subsampling.

The oracle is torch in float64, its gradients by autograd. A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course.checks.exercise import Case, Exercise, Objection, Refusal, integers, normal
from course.checks.oracle import gradient, tensor
from course.checks.pool_ideas import (
    COUNTING,
    POOL_PARAMETERS,
    UNIT,
    backward_misconceptions,
    every_pixel,
    pool_backward_cases,
    pool_cases,
    random_pool,
    random_pool_backward,
    window_misconceptions,
)

# ----------------------------------------------------------------------------------------------------- avg_pool2d


def torch_avg_pool(x: Any, kernel_size: int, stride: int | None = None) -> np.ndarray:
    """Return the average of each window, by torch."""
    return F.avg_pool2d(tensor(x), kernel_size, stride).numpy()


WHOLE_NUMBERS = Case("whole-number pixels", integers(2, 1, 4, 6), 2)

avg_pool2d = Exercise(
    "avg_pool2d",
    UNIT,
    points=2,
    parameters=POOL_PARAMETERS,
    oracle=torch_avg_pool,
    cases=(
        Case("one window, by hand", np.array([[[[1.0, 2.0], [5.0, 3.0]]]]), 2, answer=[[[[2.75]]]]),
        Case("four windows, by hand", COUNTING, 2, answer=[[[[3.5, 5.5], [11.5, 13.5]]]]),
        *pool_cases(),
        WHOLE_NUMBERS,
    ),
    random=random_pool,
    hints=(
        "Your max_pool2d does nearly everything: the windows are the same.",
        "Same stride, same output size, same windows. One operation differs.",
        "Copy max_pool2d and take the mean of each window over its last two axes, `axis=(2, 3)`, in place of the maximum.",
    ),
)
window_misconceptions(avg_pool2d, F.avg_pool2d, "average")


@avg_pool2d.misconception(
    "sums", "You add up the window and do not divide by the number of its pixels, kernel_size * kernel_size."
)
def _(x, kernel_size, stride=None):
    return torch_avg_pool(x, kernel_size, stride) * kernel_size**2


@avg_pool2d.misconception(
    "divides-by-the-side", "You divide by kernel_size. A window has kernel_size * kernel_size pixels."
)
def _(x, kernel_size, stride=None):
    return torch_avg_pool(x, kernel_size, stride) * kernel_size


@avg_pool2d.misconception("takes-the-maximum", "You take the maximum of each window, not its average.")
def _(x, kernel_size, stride=None):
    return F.max_pool2d(tensor(x), kernel_size, stride).numpy()


@avg_pool2d.misconception("takes-the-median", "You take the median of each window, not its average.")
def _(x, kernel_size, stride=None):
    return torch.quantile(every_pixel(x, kernel_size, stride).flatten(4), 0.5, dim=4).numpy()


@avg_pool2d.misconception(
    "rounds-to-whole-numbers",
    "When the pixels are whole numbers you lose what comes after the decimal point: `//`, or an output array with the dtype "
    "of x (np.zeros_like, dtype=x.dtype).",
)
def _(x, kernel_size, stride=None):
    answer = torch_avg_pool(x, kernel_size, stride)
    return np.trunc(answer) if x.dtype.kind in "iu" else answer


@avg_pool2d.misconception(
    "rounds-down", "You divide with `//`, which throws away what comes after the decimal point. Use `/`."
)
def _(x, kernel_size, stride=None):
    return np.floor(torch_avg_pool(x, kernel_size, stride))


# --------------------------------------------------------------------------------------------- avg_pool2d_backward


def torch_avg_pool_backward(grad_out: Any, x: Any, kernel_size: int, stride: int | None = None) -> np.ndarray:
    """Return the gradient of average pooling, by autograd."""
    return gradient(lambda x: F.avg_pool2d(x, kernel_size, stride), grad_out, x)


avg_pool2d_backward = Exercise(
    "avg_pool2d_backward",
    UNIT,
    points=2,
    parameters=("grad_out", *POOL_PARAMETERS),
    oracle=torch_avg_pool_backward,
    cases=(
        Case(
            "one window, by hand",
            np.array([[[[8.0]]]]),
            np.array([[[[2.0, 1.0], [5.0, 3.0]]]]),
            2,
            answer=[[[[2.0, 2.0], [2.0, 2.0]]]],
        ),
        Case(
            "two overlapping windows, by hand",
            np.array([[[[4.0, 8.0]]]]),
            np.array([[[[2.0, 1.0, 0.0], [5.0, 3.0, 1.0]]]]),
            2,
            stride=1,
            answer=[[[[1.0, 3.0, 2.0], [1.0, 3.0, 2.0]]]],
        ),
        *pool_backward_cases(),
    ),
    random=random_pool_backward,
    hints=(
        "Raise one pixel of a 2 x 2 window by 1. By how much does the window's average rise?",
        "Every pixel of a window gets the same share of that window's gradient. Begin with zeros in the shape of x and add (+=) "
        "the share to the whole window, place by place.",
        "`share = grad_out[:, :, i, j] / kernel_size**2` has shape (N, C). Give it two more axes with `[..., None, None]`, and add "
        "it to the slice of grad_x that max_pool2d_backward uses.",
    ),
)
backward_misconceptions(avg_pool2d_backward, F.avg_pool2d)


@avg_pool2d_backward.misconception(
    "divides-by-the-side",
    "You divide by kernel_size. A window has kernel_size * kernel_size pixels to share the gradient.",
)
def _(grad_out, x, kernel_size, stride=None):
    return torch_avg_pool_backward(grad_out, x, kernel_size, stride) * kernel_size


@avg_pool2d_backward.misconception(
    "gives-it-to-the-maximum",
    "You give the gradient to the largest pixel, as max pooling does. An average depends on all its pixels alike.",
)
def _(grad_out, x, kernel_size, stride=None):
    return gradient(lambda x: F.max_pool2d(x, kernel_size, stride), grad_out, x)


@avg_pool2d_backward.misconception(
    "evens-out-the-overlap",
    "You divide by the number of windows that cover a pixel. A pixel in two windows moves both averages, so it gets both shares.",
)
def _(grad_out, x, kernel_size, stride=None):
    times = torch_avg_pool_backward(np.ones_like(grad_out), x, kernel_size, stride) * kernel_size**2
    return torch_avg_pool_backward(grad_out, x, kernel_size, stride) / np.maximum(times, 1)


@avg_pool2d_backward.misconception(
    "weights-by-the-pixels",
    "You multiply by x. How much an average moves with a pixel does not depend on how bright the pixel is.",
)
def _(grad_out, x, kernel_size, stride=None):
    return torch_avg_pool_backward(grad_out, x, kernel_size, stride) * x


@avg_pool2d_backward.misconception(
    "repeats-the-gradient",
    "You blow grad_out up by repeating it. That fits only where windows lie side by side and fill the image. With another stride, or "
    "with rows left over, go window by window and add.",
)
def _(grad_out, x, kernel_size, stride=None):
    return (
        F.interpolate(tensor(grad_out), scale_factor=kernel_size, mode="nearest") / kernel_size**2
    ).numpy()


# ------------------------------------------------------------------------------------------------------ l2_pool2d


def l2_pool(x: torch.Tensor, kernel_size: Any, stride: Any = None) -> torch.Tensor:
    """Return the L2 norm of each window, by torch."""
    return F.lp_pool2d(x, 2.0, kernel_size, stride)


def torch_l2_pool(x: Any, kernel_size: int, stride: int | None = None) -> np.ndarray:
    """Return the L2 norm of each window, by torch, as an array."""
    return l2_pool(tensor(x), kernel_size, stride).numpy()


l2_pool2d = Exercise(
    "l2_pool2d",
    UNIT,
    points=1,
    parameters=POOL_PARAMETERS,
    oracle=torch_l2_pool,
    cases=(
        Case("one window, by hand", np.array([[[[-3.0, 0.0], [4.0, 0.0]]]]), 2, answer=[[[[5.0]]]]),
        *pool_cases(),
        WHOLE_NUMBERS,
    ),
    random=random_pool,
    hints=(
        "It is the length of the window, taken as a vector: Pythagoras.",
        "Square, add up the squares of a window, take the root of the sum. The adding up can be done by a function you have.",
        "avg_pool2d of `x ** 2` is the sum of squares divided by kernel_size ** 2. Undo the division, then np.sqrt.",
    ),
)
window_misconceptions(
    l2_pool2d,
    l2_pool,
    "take the root of the sum of squares",
    leave_out=("rounds-the-size-up", "fills-up-with-zeros"),  # zeros change no sum: the two are one here
)


@l2_pool2d.misconception(
    "hangs-over-the-edge",
    "You count a last window that hangs over the edge. The size is rounded down: rows and columns left over are not read.",
)
def _(x, kernel_size, stride=None):
    step = stride or kernel_size
    extra = [(kernel_size - size) % step for size in x.shape[2:]]
    return torch_l2_pool(F.pad(tensor(x), (0, extra[1], 0, extra[0])), kernel_size, step)


@l2_pool2d.misconception(
    "takes-the-mean-of-the-squares",
    "You take the root of the *mean* of the squares (the RMS; some papers call that L2 pooling). Here, as in torch's LPPool2d, it is "
    "the root of their sum.",
)
def _(x, kernel_size, stride=None):
    return torch_l2_pool(x, kernel_size, stride) / kernel_size


@l2_pool2d.misconception("forgets-the-root", "You return the sum of the squares: the square root is missing.")
def _(x, kernel_size, stride=None):
    return torch_l2_pool(x, kernel_size, stride) ** 2


@l2_pool2d.misconception(
    "adds-magnitudes",
    "You add up absolute values: that is the L1 norm, or the root taken of each square before the sum. First sum the squares, then "
    "take the root.",
)
def _(x, kernel_size, stride=None):
    return torch_avg_pool(np.abs(x), kernel_size, stride) * kernel_size**2


@l2_pool2d.misconception(
    "averages-the-squares-without-a-root", "You return the mean of the squares: sum them, then take the root."
)
def _(x, kernel_size, stride=None):
    return torch_avg_pool(np.square(x), kernel_size, stride)


@l2_pool2d.misconception(
    "squares-the-sum",
    "You sum the pixels first and square afterwards, so that 3 and -3 cancel. Square each pixel first.",
)
def _(x, kernel_size, stride=None):
    return np.abs(torch_avg_pool(x, kernel_size, stride)) * kernel_size**2


# ------------------------------------------------------------------------------------------------------ subsample


def torch_subsample(x: Any, beta: Any, bias: Any) -> np.ndarray:
    """Return LeNet's trained average pooling: a convolution of each channel with its own constant 2 x 2 filter, stride 2."""
    channels = np.shape(x)[1]
    w = tensor(beta).reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2) / 4
    return F.conv2d(tensor(x), w, tensor(bias), stride=2, groups=channels).numpy()


def _random_subsample(rng: np.random.Generator) -> Case:
    n, c, h, w = (int(v) for v in rng.integers([1, 2, 2, 2], [4, 6, 9, 9]))
    return Case("random", rng.standard_normal((n, c, h, w)), rng.standard_normal(c), rng.standard_normal(c))


subsample = Exercise(
    "subsample",
    UNIT,
    points=2,
    parameters=("x", "beta", "bias"),
    oracle=torch_subsample,
    cases=(
        Case(
            "one window, by hand",
            np.array([[[[2.0, 1.0], [5.0, 4.0]]]]),
            np.array([10.0]),
            np.array([0.5]),
            answer=[[[[30.5]]]],
        ),
        Case("one channel", normal(1, 1, 4, 6), np.array([2.0]), np.array([-1.0])),
        Case("three channels", normal(1, 3, 4, 4), np.array([2.0, -1.0, 0.5]), np.array([-1.0, 3.0, 0.25])),
        Case("two images", normal(2, 2, 2, 6), np.array([0.5, 3.0]), np.array([1.0, -2.0])),
        Case("as many channels as columns", normal(1, 3, 4, 6), normal(3), normal(3) + 1),
        Case("odd sizes", normal(2, 2, 5, 7), normal(2), normal(2) - 1),
        Case("whole-number pixels", integers(1, 2, 4, 6), normal(2) * 3, normal(2)),
    ),
    random=_random_subsample,
    hints=(
        "One of your functions does the averaging. What is left is one number to multiply and one to add, for each channel.",
        "beta and bias have shape (C,), the pooled maps (N, C, H_out, W_out). NumPy lines shapes up from the right, so give beta and "
        "bias two more axes at the end.",
        "`beta[:, None, None]` has shape (C, 1, 1). Multiply avg_pool2d of x with window 2 by it, then add the bias in the same form.",
    ),
)


@subsample.misconception(
    "sums-the-four",
    "You add up the four pixels, as LeNet's paper does. Here they are averaged first (a beta four times as large gives the same).",
)
def _(x, beta, bias):
    return torch_subsample(x, 4 * np.asarray(beta), bias)


@subsample.misconception("forgets-the-bias", "You are off by the channel's bias: add it at the end.")
def _(x, beta, bias):
    return torch_subsample(x, beta, np.zeros_like(bias))


@subsample.misconception(
    "forgets-beta", "You average and add the bias, but beta has no effect: multiply first."
)
def _(x, beta, bias):
    return torch_subsample(x, np.ones_like(beta), bias)


@subsample.misconception(
    "adds-before-multiplying",
    "You add the bias first and multiply it by beta as well. First times beta, then plus bias.",
)
def _(x, beta, bias):
    return torch_subsample(x, beta, np.multiply(beta, bias))


@subsample.misconception(
    "one-beta-for-all",
    "All channels get the beta and bias of the first. Each channel has its own: beta[c], bias[c].",
)
def _(x, beta, bias):
    return torch_subsample(x, np.full_like(beta, beta[0]), np.full_like(bias, bias[0]))


@subsample.misconception(
    "lines-beta-up-with-the-columns",
    "beta and bias went along the columns, not the channels: NumPy lines shapes up from the right. Give them two more axes at "
    "the end, with reshape or `[:, None, None]`.",
)
def _(x, beta, bias):
    pooled = F.avg_pool2d(tensor(x), 2)
    if len(beta) not in (1, pooled.shape[3]):
        raise Refusal("the shapes do not fit")
    return (pooled * tensor(beta) + tensor(bias)).numpy()


@subsample.misconception(
    "squashes",
    "You apply a squashing function as well. LeNet does that next, but here the answer is beta times the average plus bias.",
)
def _(x, beta, bias):
    return np.tanh(torch_subsample(x, beta, bias))


@subsample.misconception(
    "squashes-with-a-sigmoid",
    "You apply the sigmoid as well. LeNet does that next, but here the answer is beta times the average plus bias.",
)
def _(x, beta, bias):
    return torch.sigmoid(tensor(torch_subsample(x, beta, bias))).numpy()


@subsample.misconception("takes-the-maximum", "You take the maximum of each window. LeNet averaged.")
def _(x, beta, bias):
    pooled = F.max_pool2d(tensor(x), 2)
    return (pooled * tensor(beta).reshape(-1, 1, 1) + tensor(bias).reshape(-1, 1, 1)).numpy()


@subsample.misconception(
    "moves-by-one", "Your windows move by one pixel. Subsampling halves height and width: stride 2."
)
def _(x, beta, bias):
    pooled = F.avg_pool2d(tensor(x), 2, 1)
    return (pooled * tensor(beta).reshape(-1, 1, 1) + tensor(bias).reshape(-1, 1, 1)).numpy()


@subsample.misconception(
    "refuses-odd-sizes",
    "You raise an error for an odd height or width. The last row and column are simply not read.",
)
def _(x, beta, bias):
    if x.shape[2] % 2 or x.shape[3] % 2:
        raise Objection("odd")
    return torch_subsample(x, beta, bias)
