"""Unit 01: counting parameters, and filters made by hand.

The oracle is torch in float64. A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course.checks.chance import array_of, wrong_shape
from course.checks.exercise import Case, Exercise
from course.checks.oracle import tensor

UNIT = "01-convolution"


# ---------------------------------------------------------------------------------------------------- count_parameters


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
    "Without sharing, each place has its own bias too. You give every place its own weights, but count only one bias a filter.",
)
def _(in_channels, out_channels, kernel_size, out_size=None):
    places = out_size[0] * out_size[1] if out_size else 1
    return (
        places * torch.empty(in_channels, out_channels, kernel_size, kernel_size, device="meta").numel()
        + out_channels
    )


@count_parameters.misconception(
    "one-bias-for-all",
    "You count one bias for the whole layer. Each filter has its own: six filters, six biases.",
)
def _(in_channels, out_channels, kernel_size, out_size=None):
    places = out_size[0] * out_size[1] if out_size else 1
    return places * (
        torch.empty(in_channels, out_channels, kernel_size, kernel_size, device="meta").numel() + 1
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
VERTICAL_EDGE = RAMP.expand(1, 1, 6, 6)
HORIZONTAL_EDGE = VERTICAL_EDGE.transpose(2, 3)
SOBEL = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=torch.float64)


def _response(kernel: Any, image: torch.Tensor) -> torch.Tensor:
    return F.conv2d(image, tensor(kernel).reshape(1, 1, 3, 3))


def _is_kernel(value: Any, shape: tuple[int, ...] = (1, 1, 3, 3)) -> bool:
    return array_of(value, shape) is not None


def judge_edge_kernel(value: Any) -> str:
    """Return what is wrong with a kernel for vertical edges, or an empty string."""
    if not _is_kernel(value):
        return wrong_shape(value, (1, 1, 3, 3))
    if not np.isfinite(value).all():
        return "Every weight of a kernel is a finite number; yours holds nan or inf."
    flat, vertical, horizontal = (
        _response(value, image) for image in (torch.ones(1, 1, 6, 6).double(), VERTICAL_EDGE, HORIZONTAL_EDGE)
    )
    size = float(tensor(value).abs().max()) or 1.0
    if flat.abs().max() > 1e-6 * size:
        return f"On a plain grey area the answer must be 0; your kernel gives {float(flat.flatten()[0]):.4g} for pixels of 1."
    if horizontal.abs().max() > 1e-6 * size:
        return f"On a horizontal edge (dark above bright) the answer must be 0; your kernel gives {float(horizontal.abs().max()):.4g}."
    strongest = float(vertical.flatten()[vertical.abs().argmax()])
    if strongest <= 1e-6 * size or vertical.min() < -1e-6 * size:
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
    cases=(Case("silent on plain areas and horizontal edges, positive on vertical ones"),),
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
    "finds-horizontal-edges",
    "Your kernel answers to edges between above and below. Swap its rows and columns: left against right makes a vertical edge.",
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
    "Your kernel answers to edges in every direction, like the Laplacian. Here it should be vertical edges only: every row of weights does the "
    "same, left against right.",
    when=lambda value: (
        _is_kernel(value)
        and judge_edge_kernel(value).startswith("On a horizontal")
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
    "always-a-ninth",
    "A ninth is right for 3 x 3. A kernel of another size has another number of weights, and they must sum to 1.",
)
def _(size):
    return np.full((1, 1, size, size), 1 / 9)


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
