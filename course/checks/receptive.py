"""Unit 10: how far a stack of layers sees, and what it costs in weights.

The oracle of the receptive field lights one output of the stack and follows it back through torch's own convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import prod
from operator import mul

import numpy as np
import torch
import torch.nn.functional as F

from course.checks.exercise import Case, Exercise

UNIT = "10-vgg"

Layers = Sequence[Sequence[int]]  # (kernel_size, stride), from the image on


# ------------------------------------------------------------------------------------------------ receptive_field


def lit(layers: Layers) -> int:
    """Return how many inputs in a row one output hears: its light, spread backward through the layers by torch."""
    light = torch.ones(1, 1, 1, dtype=torch.float64)
    for kernel_size, stride in reversed(layers):
        window = torch.ones(1, 1, kernel_size, dtype=torch.float64)
        light = (F.conv_transpose1d(light, window, stride=stride) > 0).double()
        reached = light[0, 0].nonzero()
        light = torch.ones(1, 1, int(reached[-1] - reached[0]) + 1, dtype=torch.float64)
    return light.shape[-1]


def jumps(layers: Layers) -> list[int]:
    """Return how many pixels apart two neighbours lie, before the first layer and after each."""
    return list(accumulate((stride for _, stride in layers), mul, initial=1))


def _random_layers(rng: np.random.Generator) -> Case:
    kinds = [(3, 1), (2, 2), (3, 2), (5, 1), (1, 1), (7, 2), (5, 3)]
    return Case("random", [kinds[i] for i in rng.integers(0, len(kinds), rng.integers(2, 7))])


receptive_field = Exercise(
    "receptive_field",
    UNIT,
    points=2,
    parameters=("layers",),
    returns="a whole number",
    oracle=lit,
    cases=(
        Case("one layer", [(5, 1)], answer=5),
        Case("two 3 x 3", [(3, 1), (3, 1)], answer=5),
        Case("three 3 x 3", [(3, 1)] * 3, answer=7),
        Case("a pooling between", [(3, 1), (2, 2), (3, 1)], answer=8),
        Case("two strides", [(3, 2), (3, 2), (3, 1)], answer=15),
        Case("AlexNet's first three", [(11, 4), (3, 2), (5, 1)], answer=51),
        Case("no layer at all", [], answer=1, weight=0.5),
    ),
    random=_random_layers,
    hints=(
        "Take a pixel's neighbour on a map as a step of some pixels on the image. At the start the step is 1 pixel. What does a stride "
        "of 2 make of it? And by how many steps does a window of 3 reach further than one of 1?",
        "Keep two numbers, the size (1 at first) and the step (1 at first), and go through the layers. Each layer adds kernel_size - 1 "
        "steps to the size; only then does its own stride make the step longer.",
        "In the loop: `size += (kernel_size - 1) * step`, then `step *= stride`. Return size.",
    ),
)


@receptive_field.misconception(
    "ignores-the-strides",
    "Every layer adds kernel_size - 1 to your size, whatever came before. Behind a stride of 2, neighbours lie 2 pixels apart: "
    "each then adds twice as many pixels.",
)
def _(layers):
    return lit([(kernel_size, 1) for kernel_size, _ in layers])


@receptive_field.misconception(
    "takes-its-own-stride-at-once",
    "You multiply by a layer's own stride before you add its kernel. A window reads neighbours as they lie *before* it; its stride "
    "moves the next window, and counts for the layers behind it.",
)
def _(layers):
    return 1 + sum((k - 1) * jump for (k, _), jump in zip(layers, jumps(layers)[1:], strict=True))


@receptive_field.misconception(
    "takes-the-last-stride-only",
    "You take the stride of the layer before. Strides multiply: behind two of them with stride 2, neighbours lie 4 pixels apart.",
)
def _(layers):
    before = [1, *(stride for _, stride in layers)]
    return 1 + sum((k - 1) * stride for (k, _), stride in zip(layers, before, strict=False))


@receptive_field.misconception(
    "adds-the-strides",
    "You add up the strides. They multiply: a step of 2 maps, each of which steps 2 pixels, is a step of 4 pixels.",
)
def _(layers):
    steps = list(accumulate((stride - 1 for _, stride in layers), initial=1))
    return 1 + sum((k - 1) * step for (k, _), step in zip(layers, steps, strict=False))


@receptive_field.misconception(
    "adds-the-kernels",
    "You add whole kernels. The windows overlap: a second 3 x 3 adds one pixel on each side, kernel_size - 1 in all.",
)
def _(layers):
    return sum(k * jump for (k, _), jump in zip(layers, jumps(layers), strict=False))


@receptive_field.misconception(
    "multiplies-the-kernels",
    "You multiply the kernels. The windows overlap, so a second 3 x 3 sees 5 pixels in a row and not 9.",
)
def _(layers):
    return prod(k for k, _ in layers)


@receptive_field.misconception(
    "starts-at-0",
    "You are too low by 1. Before the first layer, one output is one pixel: begin with a size of 1.",
)
def _(layers):
    return lit(layers) - 1


@receptive_field.misconception(
    "leaves-the-last-layer-out",
    "You leave out the last layer. Its stride has no effect any more, but its kernel has.",
)
def _(layers):
    return lit(layers[:-1])


@receptive_field.misconception(
    "goes-from-the-top",
    "You go through the layers from the last to the first, and let the strides of later layers stretch earlier kernels. Begin at the image.",
)
def _(layers):
    return lit(list(layers)[::-1])


@receptive_field.misconception(
    "gives-the-area", "That is the area in pixels. The side of the square is asked for: leave out the square."
)
def _(layers):
    return lit(layers) ** 2


@receptive_field.misconception(
    "gives-the-step",
    "You return how many pixels apart two outputs lie, the product of the strides. The size of what one of them sees is asked for.",
)
def _(layers):
    return jumps(layers)[-1]


# --------------------------------------------------------------------------------------------------- stack_savings


def weights_of(channels: int, sizes: Sequence[int], biases: int = 0) -> int:
    """Return the number of weights of convolutions from ``channels`` to as many, as torch makes them."""
    with torch.device("meta"):
        layers = [torch.nn.Conv2d(channels, channels, size) for size in sizes]
    return sum(layer.weight.numel() + biases * channels for layer in layers)


def savings(channels: int, convs: int = 3, **bend: int) -> tuple[int, int]:
    """Return the weights of a stack of 3 x 3 convolutions, and of one convolution that sees as far."""
    side = lit([(3, 1)] * convs)
    return weights_of(channels, [3] * convs, **bend), weights_of(channels, [side], **bend)


stack_savings = Exercise(
    "stack_savings",
    UNIT,
    points=1,
    parameters=("channels", "convs"),
    returns="two whole numbers",
    oracle=savings,
    cases=(
        Case("one channel", 1, answer=(27, 49), weight=0.5),
        Case("64 channels", 64, answer=(110_592, 200_704)),
        Case("two for one 5 x 5", 2, convs=2, answer=(72, 100)),
        Case("four for one 9 x 9", 10, convs=4, answer=(3_600, 8_100)),
        Case("one is one", 3, convs=1, answer=(81, 81), weight=0.5),
    ),
    random=lambda rng: Case("random", int(rng.integers(2, 600)), convs=int(rng.integers(2, 8))),
    hints=(
        "How many weights has one filter that is 3 x 3 and as deep as its input? How many such filters make as many channels again?",
        "One 3 x 3 convolution from C to C channels has 3 · 3 · C weights in each of C filters. The single convolution is "
        "as large as the receptive field of the whole stack, which you have just learned to compute.",
        "`side = receptive_field([(3, 1)] * convs)`. The stack has convs times 9 · channels², the single one side² · channels².",
    ),
)


@stack_savings.misconception(
    "forgets-the-filters",
    "You count one filter. A convolution that makes as many channels as it reads has `channels` of them: channels is squared.",
)
def _(channels, convs=3):
    return tuple(total // channels for total in savings(channels, convs))


@stack_savings.misconception(
    "one-channel-deep",
    "You count kernels alone. Each filter is as deep as its input, and there are as many filters as channels: times channels².",
)
def _(channels, convs=3):
    return savings(1, convs)


@stack_savings.misconception("counts-the-biases", "You count biases too. Only weights are asked for.")
def _(channels, convs=3):
    return savings(channels, convs, biases=1)


@stack_savings.misconception(
    "multiplies-the-sides",
    "Your single kernel is too large: 3 · convs on a side. The windows overlap, so three 3 x 3 see 7 x 7, and not 9 x 9.",
)
def _(channels, convs=3):
    return savings(channels, convs)[0], weights_of(channels, [3 * convs])


@stack_savings.misconception(
    "always-three",
    "Your answer does not depend on `convs`. It is 3 only if nothing else is said.",
)
def _(channels, convs=3):
    return savings(channels)


@stack_savings.misconception(
    "always-seven",
    "Your single convolution is 7 x 7 always. It has to see as far as the stack: `receptive_field([(3, 1)] * convs)`.",
)
def _(channels, convs=3):
    return savings(channels, convs)[0], savings(channels)[1]


@stack_savings.misconception("swaps-the-two", "The two are swapped: the stack comes first.")
def _(channels, convs=3):
    return savings(channels, convs)[::-1]


@stack_savings.misconception(
    "one-convolution-for-the-stack",
    "You count a single 3 x 3 convolution in place of the stack. It has `convs` of them.",
)
def _(channels, convs=3):
    return savings(channels, 1)[0], savings(channels, convs)[1]


@stack_savings.misconception(
    "gives-the-share", "You return a share. The two numbers of weights are asked for, the stack's first."
)
def _(channels, convs=3):
    stack, single = savings(channels, convs)
    return 1 - stack / single


@stack_savings.misconception(
    "gives-the-ratio", "You return a ratio. The two numbers of weights are asked for, the stack's first."
)
def _(channels, convs=3):
    stack, single = savings(channels, convs)
    return stack / single
