"""Unit 02: the gradient of a convolution's input, and all three gradients at once.

The oracle is torch.autograd in float64. A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np

from course.checks.compare import matches
from course.checks.exercise import (
    CHANGES_ITS_INPUT,
    LOOPS_OVER_PIXELS,
    Case,
    Exercise,
    Misconception,
    Refusal,
    normal,
)
from course.checks.oracle import torch_zero_pad
from course.checks.weight_gradients import (
    GRAD_PARAMETERS,
    POINTS_DOWNHILL,
    UNIT,
    backward_cases,
    conv2d_grad_bias,
    conv2d_grad_weight,
    corner,
    random_backward,
    torch_gradients,
)

# ----------------------------------------------------------------------------------------------- conv2d_grad_input


def torch_grad_input(grad_out: Any, x: Any, w: Any, stride: int = 1, padding: int = 0) -> np.ndarray:
    """Return the gradient of the images, by torch.autograd."""
    return torch_gradients(grad_out, x, w, stride, padding)[0]


conv2d_grad_input = Exercise(
    "conv2d_grad_input",
    UNIT,
    points=5,
    parameters=GRAD_PARAMETERS,
    returns="an array of the shape of x",
    oracle=torch_grad_input,
    cases=backward_cases([[[[1, 2, 0], [3, 6, 4], [0, 6, 8]]]], [[[[2, 4], [6, 8]]]]),
    random=random_backward,
    hints=(
        "Think of a single output. Which pixels went into it, and with which weight each? If this output matters g, how much does "
        "each of these pixels matter because of it? And a pixel that went into several outputs?",
        "Begin with zeros of the *padded* image's size. Each output adds its part to the window that it was made from: its grad_out "
        "times the filter. As in conv2d, do it for all outputs at once, one kernel position (i, j) at a time: the block that the weight "
        "met in the forward pass is the block to which its part is added. At the end cut the border off.",
        "For (i, j): `np.einsum('nohw,oc->nchw', grad_out, w[:, :, i, j])` is what all outputs send back through these weights. Add it "
        "(+=) to the block with rows `i : i + stride * H_out : stride`, and columns likewise. Return rows "
        "`padding : padding + H`, columns `padding : padding + W`.",
    ),
)


@conv2d_grad_input.misconception(
    "is-empty-without-padding",
    "With padding 0 your answer is empty: the slice `padding:-padding` is then `0:-0`, and since -0 is 0 it ends where it begins. "
    "Say where to stop by counting from the front: `padding : padding + H`.",
)
def _(grad_out, x, w, stride=1, padding=0):
    gradient = torch_grad_input(grad_out, x, w, stride, padding)
    return gradient if padding else gradient[:, :, :0, :0]


def overwritten(grad_out: Any, x: Any, w: Any, stride: int, padding: int, first: bool = False) -> np.ndarray:
    """Return what each pixel gets from the last (or the first) window alone that it lies in."""
    result = np.zeros(x.shape)
    places = list(np.ndindex(grad_out.shape[2:]))
    for i, j in reversed(places) if first else places:
        only, here = np.zeros_like(grad_out), np.zeros((1, 1, *grad_out.shape[2:]))
        only[:, :, i, j], here[:, :, i, j] = grad_out[:, :, i, j], 1
        part = torch_grad_input(only, x, w, stride, padding)
        window = torch_grad_input(here, x[:1, :1], np.ones((1, 1, *w.shape[2:])), stride, padding)[0, 0] > 0
        result[:, :, window] = part[:, :, window]
    return result


@conv2d_grad_input.misconception(
    "overwrites-the-overlap",
    "Where windows overlap you keep one window's part and lose the others: you assign (=) to the block, where each part must be "
    "added (+=). If you do write +=, your index or view holds a pixel several times, and NumPy adds to it only once: use np.add.at, or "
    "loop over kernel positions.",
    when=lambda value, grad_out, x, w, stride=1, padding=0: any(
        matches(value, wrong)
        for wrong in (
            overwritten(grad_out, x, w, stride, padding),
            overwritten(grad_out, x, w, stride, padding, first=True),
            overwritten(grad_out[:, -1:], x, w[-1:], stride, padding),
        )
    ),
)
def _(grad_out, x, w, stride=1, padding=0):
    return overwritten(grad_out, x, w, stride, padding)


@conv2d_grad_input.misconception(
    "adds-to-a-copy",
    "Your gradient is 0 everywhere. `block = block + ...` makes a new array and leaves the old one as it was. `block += ...` changes it, and "
    "with it the array that the block was cut from.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return np.zeros(x.shape)


@conv2d_grad_input.misconception(
    "averages-the-overlap",
    "Where windows overlap you take the mean of their parts. A pixel moves every output that it went into, and the loss through each "
    "of them: add.",
)
def _(grad_out, x, w, stride=1, padding=0):
    ones = np.ones((1, 1, *grad_out.shape[2:])), np.ones_like(x[:1, :1]), np.ones((1, 1, *w.shape[2:]))
    windows = torch_grad_input(*ones, stride, padding)
    return torch_grad_input(grad_out, x, w, stride, padding) / np.maximum(windows, 1)


@conv2d_grad_input.misconception(
    "averages-over-the-batch",
    "You divide by the number of images. If the loss is a mean over the batch, that division is in grad_out already: here only add.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return torch_grad_input(grad_out, x, w, stride, padding) / len(x)


@conv2d_grad_input.misconception("points-downhill", POINTS_DOWNHILL)
def _(grad_out, x, w, stride=1, padding=0):
    return -torch_grad_input(grad_out, x, w, stride, padding)


@conv2d_grad_input.misconception(
    "flips-the-kernel",
    "Your kernel is turned the wrong way. If you add grad_out times the filter to each window, leave the filter as it is. If you "
    "write this as a convolution *over* grad_out, with a border of kernel size less 1, then the kernel must be flipped, up and down and "
    "left and right.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return torch_grad_input(grad_out, x, np.flip(w, (2, 3)).copy(), stride, padding)


@conv2d_grad_input.misconception(
    "transposes-the-kernel", "The kernel's rows and columns are swapped in your answer: rows come first."
)
def _(grad_out, x, w, stride=1, padding=0):
    if w.shape[2] != w.shape[3]:
        raise Refusal("not square")
    return torch_grad_input(grad_out, x, w.swapaxes(2, 3).copy(), stride, padding)


@conv2d_grad_input.misconception(
    "steps-by-one",
    "Your windows move by one pixel from output to output. With a stride the part of output (i, j) goes back to the window that starts "
    "at row `i * stride` and column `j * stride`.",
)
def _(grad_out, x, w, stride=1, padding=0):
    read = corner(grad_out, x, w, padding)
    gradient = torch_zero_pad(np.zeros(x.shape), padding)
    gradient[:, :, : read.shape[2], : read.shape[3]] = torch_grad_input(grad_out, read, w)
    return gradient[:, :, padding : padding + x.shape[2], padding : padding + x.shape[3]]


@conv2d_grad_input.misconception(
    "keeps-the-border",
    "You return the gradient of the padded image. The border is not part of x: cut `padding` rows and columns off on each side.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return torch_grad_input(grad_out, torch_zero_pad(x, padding), w, stride)


@conv2d_grad_input.misconception(
    "cuts-at-the-corner",
    "The size is right, but you keep the top left corner of the padded gradient. x lies in its middle: begin at row `padding` and "
    "column `padding`.",
)
def _(grad_out, x, w, stride=1, padding=0):
    whole = torch_grad_input(grad_out, torch_zero_pad(x, padding), w, stride)
    return whole[:, :, : x.shape[2], : x.shape[3]]


@conv2d_grad_input.misconception(
    "forgets-the-pixels-that-no-window-reads",
    "Your gradient is smaller than x. When the stride does not divide, no window reads the last rows or columns: their gradient is 0, "
    "but they are there. Take the size from x, not from grad_out.",
)
def _(grad_out, x, w, stride=1, padding=0):
    whole = torch_grad_input(grad_out, torch_zero_pad(x, padding), w, stride)
    ends = [(g - 1) * stride + k - padding for g, k in zip(grad_out.shape[2:], w.shape[2:], strict=True)]
    return whole[:, :, padding : ends[0], padding : ends[1]]


@conv2d_grad_input.misconception(
    "leaves-out-the-weights",
    "Each output sends the same to all pixels of its window in your answer. A pixel counts as much as the weight that it met: multiply "
    "by the filter.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return torch_grad_input(grad_out, x, np.ones_like(w), stride, padding)


@conv2d_grad_input.misconception(
    "leaves-out-grad-out",
    "You add up the weights that each pixel met, but not how much each output matters: multiply by grad_out.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return torch_grad_input(np.ones_like(grad_out), x, w, stride, padding)


@conv2d_grad_input.misconception(
    "multiplies-by-the-pixels",
    "You multiply grad_out by the pixels. That is what the weights' gradient is made of; a pixel's gradient has the *weights* in it "
    "that it met.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return x * torch_grad_input(grad_out, x, np.ones_like(w), stride, padding)


@conv2d_grad_input.misconception(
    "takes-the-first-filter",
    "Only the first filter sends something back in your answer. A pixel went into the maps of all filters: add over all of them.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return torch_grad_input(grad_out[:, :1], x, w[:1], stride, padding)


@conv2d_grad_input.misconception(
    "keeps-the-last-filter",
    "Only the last filter sends something back in your answer: you assign (=) in the loop over filters, where each must be added (+=).",
)
def _(grad_out, x, w, stride=1, padding=0):
    return torch_grad_input(grad_out[:, -1:], x, w[-1:], stride, padding)


@conv2d_grad_input.misconception(
    "mixes-the-channels",
    "All channels of your gradient are the same: each has the weights of all channels in it. Channel c gets only what went through "
    "`w[:, c]`.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return torch_grad_input(grad_out, x, np.repeat(w.sum(1, keepdims=True), w.shape[1], 1), stride, padding)


@conv2d_grad_input.misconception(
    "swaps-filters-and-channels",
    "You read w as (channels, filters, ...). Filters come first: what map o sends to channel c goes through `w[o, c]`.",
)
def _(grad_out, x, w, stride=1, padding=0):
    if w.shape[0] != w.shape[1]:
        raise Refusal("the shapes do not fit")
    return torch_grad_input(grad_out, x, w.swapaxes(0, 1).copy(), stride, padding)


@conv2d_grad_input.misconception(
    "leaves-the-other-images-empty",
    "Only the first image of the batch has a gradient, the others are zero: loop over all N, or keep the batch axis in your arrays.",
)
def _(grad_out, x, w, stride=1, padding=0):
    first = np.zeros_like(grad_out)
    first[:1] = grad_out[:1]
    return torch_grad_input(first, x, w, stride, padding)


@conv2d_grad_input.misconception(
    "takes-the-dtype-of-the-pixels",
    "When the pixels are whole numbers your gradient is too, and loses what comes after the point: np.zeros_like(x) takes over their "
    "dtype. Use np.zeros(x.shape).",
    when=lambda value, grad_out, x, w, stride=1, padding=0: (
        np.asarray(x).dtype.kind in "iu"
        and np.shape(value) == x.shape
        and np.array_equal(value, np.trunc(value))
    ),
)
def _(grad_out, x, w, stride=1, padding=0):
    gradient = torch_grad_input(grad_out, x, w, stride, padding)
    return np.trunc(gradient) if x.dtype.kind in "iu" else gradient


# ------------------------------------------------------------------------------------------------- conv2d_backward

conv2d_backward = Exercise(
    "conv2d_backward",
    UNIT,
    points=3,
    parameters=GRAD_PARAMETERS,
    returns="three arrays",
    oracle=torch_gradients,
    cases=(
        *backward_cases(
            ([[[[1, 2, 0], [3, 6, 4], [0, 6, 8]]]], [[[[11, 14], [20, 23]]]], [3]),
            ([[[[2, 4], [6, 8]]]], [[[[10, 12], [14, 16]]]], [2]),
        ),
        Case(
            "no Python loop over pixels",
            normal(1, 2, 38, 48),
            normal(1, 2, 40, 50),
            normal(2, 2, 3, 3),
            max_steps=1500,
            weight=3,
        ),
    ),
    random=random_backward,
    hints=(
        "The three gradients are written already. What is left is to call them, to hand on stride and padding, and to return the results "
        "in the right order.",
        "conv2d takes x, w, b, so the gradients are returned in this order: first the one of x, then w, then b, as a tuple. If the case "
        "about Python loops fails, one of your three functions still visits every place: let it loop over kernel positions only.",
        "`return grad_x, grad_w, grad_b`, each made by its function; the first two get `grad_out, x, w, stride, padding`, the last only "
        "grad_out.",
    ),
)


def _at_part(part: int, idea: Misconception, name: str) -> None:
    """Add a wrong idea about one of the three gradients to the bank of conv2d_backward."""

    def wrong(*args: Any, **kwargs: Any) -> tuple:
        answer = list(torch_gradients(*args, **kwargs))
        answer[part] = idea.wrong(*args[:1]) if part == 2 else idea.wrong(*args, **kwargs)
        return tuple(answer)

    def when(value: Any, *args: Any, **kwargs: Any) -> bool:
        right = torch_gradients(*args, **kwargs)
        if not isinstance(value, list | tuple) or len(value) != 3:
            return False
        if not all(matches(value[i], right[i]) for i in range(3) if i != part):
            return False
        assert idea.when
        return idea.when(value[part], *args[:1]) if part == 2 else idea.when(value[part], *args, **kwargs)

    hint = f"In {name}: {idea.hint[0].lower()}{idea.hint[1:]}"
    conv2d_backward.misconception(f"{name}-{idea.name}", hint, when if idea.when else None)(wrong)


for _part, _exercise, _name in (
    (0, conv2d_grad_input, "grad_x"),
    (1, conv2d_grad_weight, "grad_w"),
    (2, conv2d_grad_bias, "grad_b"),
):
    for _idea in _exercise.misconceptions:
        if _idea.name != CHANGES_ITS_INPUT:
            _at_part(_part, _idea, _name)


@conv2d_backward.misconception(
    "returns-them-in-another-order",
    "The three gradients are right, in another order than agreed. They come in the order of conv2d's inputs: x, w, b.",
    when=lambda value, *args, **kwargs: (
        isinstance(value, list | tuple)
        and any(matches(value, order) for order in list(permutations(torch_gradients(*args, **kwargs)))[1:])
    ),
)
def _(grad_out, x, w, stride=1, padding=0):
    grad_x, grad_w, grad_b = torch_gradients(grad_out, x, w, stride, padding)
    return grad_w, grad_b, grad_x


@conv2d_backward.misconception(
    "leaves-out-the-bias",
    "You return the gradients of x and w only. The third input of conv2d is b.",
)
def _(grad_out, x, w, stride=1, padding=0):
    return torch_gradients(grad_out, x, w, stride, padding)[:2]


@conv2d_backward.misconception(
    "does-not-hand-on-the-stride",
    "Both grad_x and grad_w are those of stride 1: hand stride on to the functions that compute them.",
)
def _(grad_out, x, w, stride=1, padding=0):
    wrong = [e.misconceptions for e in (conv2d_grad_input, conv2d_grad_weight)]
    ideas = [next(idea for idea in bank if idea.name == "steps-by-one") for bank in wrong]
    parts = [idea.wrong(grad_out, x, w, stride, padding) for idea in ideas]
    return (*parts, torch_gradients(grad_out, x, w, stride, padding)[2])


@conv2d_backward.misconception(
    "points-downhill", f"In all three: {POINTS_DOWNHILL[0].lower()}{POINTS_DOWNHILL[1:]}"
)
def _(grad_out, x, w, stride=1, padding=0):
    return tuple(-part for part in torch_gradients(grad_out, x, w, stride, padding))


@conv2d_backward.misconception(
    "averages-over-the-batch",
    "You divide grad_w and grad_b by the number of images. If the loss is a mean over the batch, that division is in grad_out already.",
    when=lambda value, grad_out, x, *args, **kwargs: (
        isinstance(value, list | tuple)
        and len(value) == 3
        and len(x) > 1
        and any(
            matches(value, (right[0] / n, right[1] / len(x), right[2] / len(x)))
            for right in [torch_gradients(grad_out, x, *args, **kwargs)]
            for n in (1, len(x))
        )
    ),
)
def _(grad_out, x, w, stride=1, padding=0):
    grad_x, grad_w, grad_b = torch_gradients(grad_out, x, w, stride, padding)
    return grad_x, grad_w / len(x), grad_b / len(x)


@conv2d_backward.misconception(
    LOOPS_OVER_PIXELS,
    "Python runs a line or more for every pixel here, in conv2d_backward or in a function that it calls. Descent calls it hundreds of "
    "times: let one NumPy operation work on all places at once, and loop over the few kernel positions only.",
)
def _(grad_out, x, w, stride=1, padding=0):
    grad_x, grad_w, grad_b = torch_gradients(grad_out, x, w, stride, padding)
    copied = np.zeros_like(grad_x)
    for place in np.ndindex(grad_x.shape):
        copied[place] = grad_x[place]
    return copied, grad_w, grad_b
