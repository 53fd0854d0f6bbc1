"""Unit 12: what goes round a block: the identity, option A and option B.

The oracles are functional; see residual_nets.py. A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch.nn.functional as F

from course.checks.exercise import Case, Exercise, Refusal, normal, runs_into
from course.checks.functional import arguments, outputs
from course.checks.oracle import tensor
from course.checks.recipe import through
from course.checks.residual_nets import padded_channels, shortcut

UNIT = "12-resnet"

PAIRED_LAYERS = (
    "leaves-a-pair-packed",
    "conv_norm gives a pair, a convolution and its norm. A pair (or a list) is no module: it cannot be called, nor stand in an nn.Sequential as it "
    "is. Unpack it there with a star, as PlainBlock does, or give each of the two a name of its own.",
)


def no_module() -> Refusal:
    """Return what a pair of layers runs into that is taken for a module."""
    words = [f"{kind}{rest}" for kind in ("tuple", "list") for rest in ("' object", " is not a Module")]
    return runs_into("TypeError", "AttributeError", words=tuple(words))


# --------------------------------------------------------------------------------------------------- pad_channels


def padded(x: Any, out_channels: int, stride: int) -> np.ndarray:
    """Return the answer of pad_channels."""
    return padded_channels(tensor(x), out_channels, stride).numpy()


def _pad_case(name: str, shape: tuple[int, ...], out_channels: int, stride: int, **more: Any) -> Case:
    return Case(name, through("torch_drivers.with_tensors"), normal(*shape), out_channels, stride, **more)


def _random_pad(rng: np.random.Generator) -> Case:
    n, c, h, w = (int(v) for v in rng.integers([1, 2, 4, 4], [4, 5, 9, 9]))
    x = rng.standard_normal((n, c, h, w))
    wanted = c + 2 * int(rng.integers(1, 4))
    return Case("random", through("torch_drivers.with_tensors"), x, wanted, int(rng.integers(2, 4)))


pad_channels = Exercise(
    "pad_channels",
    UNIT,
    points=2,
    parameters=("x", "out_channels", "stride"),
    oracle=padded,
    driven=True,
    cases=(
        Case(
            "one channel becomes three",
            through("torch_drivers.with_tensors"),
            np.arange(1.0, 10.0).reshape(1, 1, 3, 3),
            3,
            2,
            answer=[[[[0.0, 0.0], [0.0, 0.0]], [[1.0, 3.0], [7.0, 9.0]], [[0.0, 0.0], [0.0, 0.0]]]],
        ),
        _pad_case("two channels become four", (2, 2, 4, 6), 4, 2),
        _pad_case("a stride that does not divide", (1, 4, 5, 7), 8, 2),
        _pad_case("stride 1", (2, 3, 3, 2), 7, 1),
        _pad_case("stride 3", (1, 2, 7, 4), 6, 3),
        _pad_case("as many channels as before", (1, 3, 4, 5), 3, 2, weight=0.5),
    ),
    random=_random_pad,
    hints=(
        "There are two steps, and no number is computed: choose rows and columns, then put planes of zeros on both sides of the "
        "channels.",
        "A slice with a step keeps every stride-th row and column. F.pad counts axes from the last: two numbers for W, two for H, "
        "two for C. Each of the last two is half of the channels that are missing.",
        "`x[:, :, ::stride, ::stride]`, and `extra = (out_channels - x.shape[1]) // 2`. The padding for F.pad is six numbers: four "
        "zeros, then extra twice.",
    ),
)


@pad_channels.misconception(
    "puts-all-zeros-behind",
    "All your planes of zeros follow the channels of x. That is another habit (Facebook's code for Torch has it). Here half of them come "
    "before and half after.",
)
def _(x, out_channels, stride):
    return padded_channels(tensor(x), out_channels, stride, before=0).numpy()


@pad_channels.misconception(
    "puts-all-zeros-before",
    "All your planes of zeros come before the channels of x. Put half of them there, and half behind.",
)
def _(x, out_channels, stride):
    return padded_channels(tensor(x), out_channels, stride, before=1).numpy()


@pad_channels.misconception(
    "repeats-the-channels",
    "You fill up with copies of x. The new channels are zeros: the shortcut has nothing to say about them.",
)
def _(x, out_channels, stride):
    kept = padded(x, np.shape(x)[1], stride)
    if out_channels % kept.shape[1]:
        raise Refusal("a whole number of copies does not fit")
    return np.concatenate([kept] * (out_channels // kept.shape[1]), axis=1)


@pad_channels.misconception(
    "averages-the-pixels",
    "You take the mean of each window. Subsampling keeps the window's first pixel, top left, and drops the others.",
)
def _(x, out_channels, stride):
    smooth = F.avg_pool2d(tensor(x), stride, ceil_mode=True)
    return padded_channels(smooth, out_channels, 1).numpy()


@pad_channels.misconception(
    "takes-the-maximum",
    "You take the largest pixel of each window. Subsampling keeps the window's first pixel, top left, and drops the others.",
)
def _(x, out_channels, stride):
    largest = F.max_pool2d(tensor(x), stride, ceil_mode=True)
    return padded_channels(largest, out_channels, 1).numpy()


@pad_channels.misconception(
    "ignores-the-stride",
    "The channels are right, but all rows and columns are still there. Keep every stride-th of them.",
)
def _(x, out_channels, stride):
    return padded(x, out_channels, 1)


@pad_channels.misconception(
    "strides-the-rows-only",
    "You keep every stride-th row, but all columns. Both axes take the stride.",
)
def _(x, out_channels, stride):
    return padded_channels(tensor(x).transpose(2, 3), out_channels, 1).transpose(2, 3)[:, :, ::stride].numpy()


@pad_channels.misconception(
    "starts-at-the-second-pixel",
    "You begin with the second row and column. The first ones are kept: indices 0, stride, 2 stride and so on.",
)
def _(x, out_channels, stride):
    return padded(tensor(x)[:, :, 1:, 1:], out_channels, stride)


def starts_late(name: str, axis: str, which: str, rows: int, columns: int) -> None:
    """Add the idea of beginning with the second row, or the second column, alone."""
    hint = f"You begin with the second {axis}: the {which} slice starts at 1. Keep indices 0, stride, 2 stride and so on: `::stride`."

    @pad_channels.misconception(name, hint)
    def _(x, out_channels, stride):
        return padded(tensor(x)[:, :, rows:, columns:], out_channels, stride)


starts_late("starts-at-the-second-row", "row", "third", 1, 0)
starts_late("starts-at-the-second-column", "column", "fourth", 0, 1)


@pad_channels.misconception(
    "pads-the-image",
    "The zeros went round the image, and the channels are as many as before. F.pad takes the last axis first: its numbers are for W, "
    "then for H, then for C.",
)
def _(x, out_channels, stride):
    kept, extra = tensor(padded(x, np.shape(x)[1], stride)), (out_channels - np.shape(x)[1]) // 2
    return F.pad(kept, (extra, extra)).numpy()


@pad_channels.misconception(
    "pads-all-of-them-on-each-side",
    "There are too many channels: you put all the missing ones on each side. Half of them go before, half after.",
)
def _(x, out_channels, stride):
    return padded(x, 2 * out_channels - np.shape(x)[1], stride)


@pad_channels.misconception(
    "pads-to-out-channels-more",
    "You add out_channels zeros. out_channels is how many there should be in the end: only the missing ones are added.",
)
def _(x, out_channels, stride):
    return padded(x, out_channels + np.shape(x)[1], stride)


# -------------------------------------------------------------------------------------------------- make_shortcut


def made_shortcut(setup: list, x: Any, settings: dict | None = None, idea: str = "") -> dict[str, Any]:
    """Return what a shortcut's parameters and output are."""
    _, out, stride, option = arguments(setup, [settings], in_channels=1, out_channels=1, stride=1, option="B")
    return outputs(lambda tape, x: shortcut(tape, x, out, stride, option, idea), x)


def shortcut_case(name: str, setup: list, *rest: Any, **more: Any) -> Case:
    """Return a case: the arguments of make_shortcut, then the shape of x."""
    shape, settings = rest[0], [rest[1]] if len(rest) > 1 else []
    return Case(name, through("torch_drivers.outputs"), setup, normal(*shape), *settings, **more)


def _random_shortcut(rng: np.random.Generator) -> Case:
    n, c, h, w = (int(v) for v in rng.integers([1, 1, 5, 5], [4, 5, 9, 9]))
    option = str(rng.choice(["A", "B"]))
    x = rng.standard_normal((n, c, h, w))
    return Case("random", through("torch_drivers.outputs"), [c, 3 * c, int(rng.integers(1, 4)), option], x)


make_shortcut = Exercise(
    "make_shortcut",
    UNIT,
    points=3,
    parameters=("arguments", "x", "settings"),
    returns="a module",
    oracle=made_shortcut,
    driven=True,
    cases=(
        Case(
            "same shape: x itself",
            through("torch_drivers.outputs"),
            [1, 1],
            np.array([[[[1.0, -2.0], [3.0, 4.0]]]]),
            answer={"parameters": [], "output": [[[[1.0, -2.0], [3.0, 4.0]]]]},
            weight=0.5,
        ),
        shortcut_case("same shape, option A", [3, 3, 1, "A"], (2, 3, 4, 5), weight=0.5),
        shortcut_case("option A, fewer pixels and more channels", [2, 6, 2, "A"], (2, 2, 5, 6)),
        shortcut_case("option A, more channels", [2, 4, 1, "A"], (2, 2, 3, 4)),
        shortcut_case("option A, fewer pixels", [3, 3, 3, "A"], (1, 3, 7, 5)),
        shortcut_case("option B, fewer pixels and more channels", [2, 4, 2, "B"], (3, 2, 6, 5)),
        shortcut_case("option B, more channels", [2, 4], (1, 2, 5, 5)),
        shortcut_case("option B, fewer pixels", [3, 3, 2], (2, 3, 5, 7)),
        shortcut_case("option B, fewer channels", [6, 2], (2, 6, 3, 4)),
    ),
    random=_random_shortcut,
    hints=(
        "Three answers are possible. When can x be added to the block's output as it is? Two things must hold.",
        "If stride is 1 and the channels stay the same, return nn.Identity(). Otherwise option A is PadShortcut, and option B is a "
        "Sequential of two layers: a 1x1 convolution, then a batch norm.",
        "For B: `nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)` and then a BatchNorm2d of its out_channels, in an "
        "nn.Sequential.",
    ),
)

SHORTCUT_IDEAS = {
    "never-projects": "Your shortcut is always x itself. Where the block changes the number of channels, or of pixels, the two could not be "
    "added: the shortcut must change its shape too.",
    "always-projects": "Your shortcut has parameters where x itself would do. With stride 1 and as many channels out as in, return the identity.",
    "asks-for-one-of-the-two": "You give x itself where the stride is 1 or the channels stay the same. Both have to hold: `and`, not `or`.",
    "looks-at-the-stride-only": "You look at the stride alone. With stride 1 the number of channels can change too, and then x cannot be added as it is.",
    "looks-at-the-channels-only": "You look at the channels alone. With as many channels, a stride of 2 still leaves fewer pixels, and then x cannot be "
    "added as it is.",
    "swaps-the-options": "Your options are the wrong way round: A pads with zeros and has no parameters, B projects with a 1x1 convolution.",
    "ignores-the-option": "You project for both options. Option A has no parameters: it pads with zeros.",
    "projects-without-the-stride": "Your projection keeps all pixels. The residual branch has stride times fewer rows and columns: the 1x1 convolution "
    "takes the same stride.",
    "projects-without-a-norm": "Behind the 1x1 convolution there is no batch norm. Every convolution of this net has one, that of the shortcut too.",
    "gives-the-projection-a-bias": "Your 1x1 convolution has a bias. The batch norm behind it subtracts the mean and with it the bias: bias=False.",
    "projects-with-3x3": "Your projection has 3x3 kernels. A shortcut only changes the shape: 1x1 is enough.",
    "puts-a-relu-behind-the-projection": "Your shortcut ends in a ReLU. Nothing follows its batch norm: the block's only ReLU behind the sum is the block's "
    "business.",
}


@make_shortcut.misconception(*PAIRED_LAYERS)
def _(setup, x, settings=None):
    right = made_shortcut(setup, x, settings)
    if right["parameters"]:
        raise no_module()
    return right


@make_shortcut.misconception(
    "gives-no-module-for-the-identity",
    "Where x fits as it is, what comes back is no module. A block calls its shortcut in any case: nn.Identity() is the module that gives x "
    "itself. Mind the brackets: nn.Identity alone is the class.",
)
def _(setup, x, settings=None):
    right = made_shortcut(setup, x, settings)
    if not right["parameters"] and np.array_equal(right["output"], x):
        raise runs_into("AttributeError", words=("has no attribute 'to'", "has no attribute '_apply'"))
    return right


for name, hint in SHORTCUT_IDEAS.items():
    make_shortcut.misconception(name, hint)(functools.partial(made_shortcut, idea=name))
