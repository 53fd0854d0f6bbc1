"""Unit 12: residual blocks and nets as functions of numbered tensors.

``idea`` puts one wrong idea into them; the names are those of the misconceptions in blocks.py and resnet.py.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course.checks.exercise import runs_into
from course.checks.functional import Tape

# ------------------------------------------------------------------------------------------------------ shortcuts


def padded_channels(x: Tensor, out: int, stride: int, before: float = 0.5) -> Tensor:
    """Return every stride-th row and column of x, with planes of zeros around its channels, a share of them before."""
    rows, columns = (torch.arange(0, size, stride, device=x.device) for size in x.shape[2:])
    kept = x.index_select(2, rows).index_select(3, columns)
    extra = out - x.shape[1]
    first = int(extra * before)
    zeros = kept.new_zeros(len(x), extra, *kept.shape[2:])
    return torch.cat([zeros[:, :first], kept, zeros[:, first:]], dim=1)


def shortcut(tape: Tape, x: Tensor, out: int, stride: int, option: str = "B", idea: str = "") -> Tensor:
    """Return what goes round a block: x itself where the shapes fit, else option A or B."""
    fits = stride == 1 and x.shape[1] == out
    fits = {
        "always-projects": False,
        "looks-at-the-stride-only": stride == 1,
        "looks-at-the-channels-only": x.shape[1] == out,
        "asks-for-one-of-the-two": stride == 1 or x.shape[1] == out,
        "never-projects": True,
    }.get(idea, fits)
    if idea == "swaps-the-options":
        option = {"A": "B", "B": "A"}[option]
    if idea == "ignores-the-option":
        option = "B"
    if fits or option == "A":
        return x if fits else padded_channels(x, out, stride)
    step = 1 if idea == "projects-without-the-stride" else stride
    x = tape.conv(
        x, out, 3 if idea == "projects-with-3x3" else 1, step, bias=idea == "gives-the-projection-a-bias"
    )
    x = x if idea == "projects-without-a-norm" else tape.norm(x)
    return F.relu(x) if idea == "puts-a-relu-behind-the-projection" else x


# --------------------------------------------------------------------------------------------------------- blocks


def joined(tape: Tape, x: Tensor, y: Tensor, around: Callable[[], Tensor], idea: str) -> Tensor:
    """Return a residual and a shortcut, added, with the ReLU behind; or what an idea makes of them."""
    if idea == "leaves-the-shortcut-out":
        around()
        return F.relu(y)
    if idea in ("relu-before-the-addition", "relu-before-and-after"):
        y = F.relu(y)
    if idea == "adds-x-itself":
        around()
        y = y + x
    else:
        y = y + around()
    return y if idea in ("forgets-the-last-relu", "relu-before-the-addition") else F.relu(y)


def basic(tape: Tape, x: Tensor, out: int, stride: int = 1, option: str = "B", idea: str = "") -> Tensor:
    """Return a basic block of x."""
    biased = idea == "keeps-the-biases"
    early = None
    if idea == "registers-the-shortcut-first":
        early = shortcut(tape, x, out, stride, option)
    first, second = {
        "strides-the-second-convolution": (1, stride),
        "strides-both-convolutions": (stride, stride),
    }.get(idea, (stride, 1))
    h = tape.conv(x, out, 3, first, biased, padding=0 if idea == "forgets-the-padding" else 1)
    h = tape.norm(h)
    h = h if idea == "no-relu-in-between" else F.relu(h)
    y = tape.conv(h, out, 3, second, biased, padding=0 if idea == "forgets-the-padding" else 1)
    y = y if idea == "forgets-the-second-norm" else tape.norm(y)
    if idea == "shortcut-from-the-middle":
        if x.shape[1] != out:
            raise runs_into("RuntimeError")
        return joined(tape, h, y, lambda: shortcut(tape, h, out, stride, option), idea)
    if idea == "overwrites-x":
        x = overwritten(x, y)
    step = 1 if idea == "projects-without-the-stride" else stride
    return joined(
        tape, x, y, lambda: shortcut(tape, x, out, step, option, idea) if early is None else early, idea
    )


def overwritten(x: Tensor, y: Tensor) -> Tensor:
    """Return y, the branch's output, for the shortcut to take in place of x."""
    if x.shape[1] != y.shape[1]:
        raise runs_into("RuntimeError")
    return y


def bottleneck(tape: Tape, x: Tensor, width: int, stride: int = 1, idea: str = "") -> Tensor:
    """Return a bottleneck block of x, four times as many channels as ``width``."""
    out, biased, early = 4 * width, idea == "keeps-the-biases", None
    if idea == "forgets-the-expansion":
        out = width
    if idea == "takes-width-for-the-output":
        out, width = width, max(width // 4, 1)
    if idea == "registers-the-shortcut-first":
        early = shortcut(tape, x, out, stride)
    steps = {
        "strides-the-first-1x1": (stride, 1, 1),
        "strides-every-convolution": (stride, stride, stride),
    }.get(idea, (1, stride, 1))
    h = tape.norm(tape.conv(x, width, 1, steps[0], biased))
    h = h if idea == "no-relu-behind-the-first-norm" else F.relu(h)
    middle = out if idea == "widens-in-the-3x3" else width
    pad = 0 if idea == "forgets-the-padding" else 1
    h = tape.norm(tape.conv(h, middle, 3, steps[1], biased, padding=pad))
    h = h if idea == "no-relu-in-between" else F.relu(h)
    y = tape.conv(h, out, 1, steps[2], biased)
    y = y if idea == "forgets-the-last-norm" else tape.norm(y)
    if idea == "overwrites-x":
        x = overwritten(x, y)
    target = width if idea == "shortcut-to-the-width" else out
    return joined(
        tape, x, y, lambda: shortcut(tape, x, target, stride, idea=idea) if early is None else early, idea
    )


# ----------------------------------------------------------------------------------------------------------- nets

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def stages(tape: Tape, x: Tensor, block: Any, widths: Any, counts: Any, idea: str = "") -> Tensor:
    """Return x after stages of blocks; every stage but the first begins with a stride of 2."""
    for number, (width, count) in enumerate(zip(widths, counts, strict=True)):
        if idea == "forgets-the-expansion-of-the-stages" and x.shape[1] > width:
            x = narrowed(x, width // 2 if number else width)
        for position in range(count):
            first = position == 0 and (number > 0 or idea == "strides-the-first-stage")
            if idea == "strides-the-last-block":
                first = position == count - 1 and number > 0
            if idea == "never-strides" or (idea == "strides-where-the-width-grows" and x.shape[1] > width):
                first = False
            x = block(tape, x, width, 2 if first else 1)
    return x


def narrowed(x: Tensor, channels: int) -> Tensor:
    """Return as many channels of x as a layer was made for that does not fit: only its shapes can be told."""
    if not x.is_meta:
        raise runs_into("RuntimeError")
    return x[:, :channels]


def imagenet_stem(tape: Tape, x: Tensor, idea: str = "") -> Tensor:
    """Return x after the stem of an ImageNet-sized net: 7x7 with stride 2, and a max-pool 3x3 with stride 2."""
    if idea == "stem-of-the-small-nets":
        return F.relu(tape.norm(tape.conv(x, 64, 3)))
    x = tape.conv(
        x, 64, 7, 1 if idea == "stem-without-stride" else 2, bias=idea == "keeps-the-biases-in-the-stem"
    )
    x = tape.norm(x)
    x = x if idea == "no-relu-in-the-stem" else F.relu(x)
    if idea == "forgets-the-max-pool":
        return x
    if idea == "pools-2x2":
        return F.max_pool2d(x, 2)
    return F.max_pool2d(x, 3, 2, 0 if idea == "pools-without-padding" else 1)


BLOCK_IDEAS = {  # wrong ideas of a block, as they show in a net
    "a-block-without-its-last-relu": "forgets-the-last-relu",
    "a-block-without-its-shortcut": "leaves-the-shortcut-out",
}


def resnet(tape: Tape, x: Tensor, depth: int, classes: int = 1000, idea: str = "") -> Tensor:
    """Return the scores of a ResNet for ImageNet."""
    deep = depth >= 50 and idea != "basic-blocks-throughout"
    deep = deep or idea == "bottlenecks-throughout"
    widths = [64, 128, 256, 512]
    if idea == "widths-four-times-too-large" and deep:
        if not x.is_meta:
            raise runs_into("ValueError", words="too many to be run")
        widths = [256, 512, 1024, 2048]
    if idea == "the-same-width-throughout":
        widths = [64] * 4
    block = functools.partial(bottleneck if deep else basic, idea=BLOCK_IDEAS.get(idea, ""))
    if idea in ("hands-the-option-on", "takes-option-A"):
        if deep:
            raise runs_into("TypeError", words="'option'")
        block = functools.partial(basic, option="A" if idea == "takes-option-A" else "B")
    counts = (2, 2, 2, 2) if idea == "always-two-blocks" else BLOCKS[depth]
    x = imagenet_stem(tape, x, idea)
    x = stages(tape, x, block, widths, counts, idea)
    if idea == "forgets-the-average":
        return tape.linear(x.flatten(1), classes)
    x = averaged(x, idea)
    if idea in ("forgets-the-expansion-at-the-end", "forgets-the-expansion-of-the-stages") and deep:
        x = narrowed(x, 512)
    return scored(tape, x, 1000 if idea == "ignores-num-classes" else classes, idea)


def averaged(x: Tensor, idea: str) -> Tensor:
    """Return the mean of each map; or what an idea takes for it, as a linear layer is given it: a matrix of so many rows and columns."""
    n, c, h, w = x.shape
    matrices = {
        "leaves-the-average-out": [(n, c * h * w), (n * c * h, w)],
        "forgets-to-flatten": [(n * c, 1)],
        "averages-over-other-axes": [(n, w), (n, h), (n * c, w), (n * c, h), (n * h, w)],
    }.get(idea)
    if matrices and not x.is_meta:
        raise runs_into("RuntimeError", words=tuple(f"({rows}x{columns} and" for rows, columns in matrices))
    if idea == "pools-a-square" and not x.is_meta:
        if h < w:
            raise runs_into("RuntimeError", words="too small")
        x = x[:, :, :w]
    return x.amax(dim=(2, 3)) if idea == "takes-the-maximum-at-the-end" else x.mean(dim=(2, 3))


def scored(tape: Tape, x: Tensor, classes: int, idea: str) -> Tensor:
    """Return the scores of a linear layer; or their softmax."""
    scores = tape.linear(x, classes)
    return scores.softmax(dim=1) if idea == "ends-in-a-softmax" else scores


def cifar_resnet(
    tape: Tape, x: Tensor, depth: int, option: str = "A", classes: int = 10, width: int = 16, idea: str = ""
) -> Tensor:
    """Return the scores of a ResNet for small images."""
    if idea == "ignores-the-option":
        option = "B"
    if idea == "ignores-the-width":
        width = 16
    count = {
        "counts-a-block-as-one-layer": (depth - 2) // 3,
        "one-block-too-many": (depth - 2) // 6 + 1,
    }.get(idea, (depth - 2) // 6)
    if idea == "stem-of-the-large-nets":
        x = F.max_pool2d(F.relu(tape.norm(tape.conv(x, width, 7, 2))), 3, 2, 1)
    else:
        x = tape.norm(tape.conv(x, width, 3, bias=idea == "keeps-the-biases-in-the-stem"))
        x = x if idea == "no-relu-in-the-stem" else F.relu(x)
    widths = [width, 2 * width, 4 * width, 8 * width][: 4 if idea == "four-stages" else 3]
    if idea == "the-same-width-throughout":
        widths = [width] * 3
    block = functools.partial(basic, option=option, idea=BLOCK_IDEAS.get(idea, ""))
    x = stages(tape, x, block, widths, [count] * len(widths), idea)
    if idea == "pools-8x8" and min(x.shape[2:]) < 8:
        raise runs_into("RuntimeError", words="too small")
    return scored(tape, averaged(x, idea), 10 if idea == "ignores-num-classes" else classes, idea)
