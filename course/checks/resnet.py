"""Unit 12: the nets, judged by their parameters (which cost nothing to list) and by what the smaller ones compute.

The oracles are functional; see residual_nets.py. A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from course.checks.blocks import bank, paired_layers
from course.checks.exercise import Case, Exercise, normal
from course.checks.functional import arguments, outputs, parameters
from course.checks.recipe import through
from course.checks.residual_nets import cifar_resnet, resnet
from course.checks.shortcuts import PAIRED_LAYERS

UNIT = "12-resnet"


def listed(name: str, setup: list, settings: dict | None = None, **more: Any) -> Case:
    """Return a case that asks for the shapes of all parameters and their number."""
    given = [setup] if settings is None else [setup, settings]
    return Case(name, through("torch_drivers.parameters"), *given, **more)


def computed(
    name: str, setup: list, shape: tuple[int, ...], settings: dict | None = None, **more: Any
) -> Case:
    """Return a case that asks for the output too, in float32, for an image of ``shape``."""
    given = [] if settings is None else [settings]
    x = normal(*shape).astype(np.float32)
    return Case(name, through("torch_drivers.outputs"), setup, x, *given, **more)


def run(name: str, setup: list, shape: tuple[int, ...], **more: Any) -> Case:
    """Return a case like that of ``computed`` for a net that may turn out too large."""
    x = normal(*shape).astype(np.float32)
    return Case(name, through("residual_drivers.outputs_within_memory"), setup, x, **more)


def judged(net: Callable, given: tuple, *settings: Any) -> dict[str, Any]:
    """Return a net's shapes and output, where the case has an image, or else its shapes and their count."""
    if given and isinstance(given[0], np.ndarray):
        return outputs(lambda tape, x: net(tape, x, *settings), given[0])
    return dict(parameters_of(net, settings))


@functools.cache
def parameters_of(net: Callable, settings: tuple) -> dict[str, Any]:
    """Return the shapes of a net's parameters and their count."""
    return parameters(lambda tape, x: net(tape, x, *settings), (1, 3, 224, 224))


def hide_stages(exercise: Exercise) -> None:
    """Add the idea of keeping the stages in a list: at most stem and linear layer are seen, three parameters and two."""

    def wrong(setup: list, *given: Any) -> dict[str, Any]:
        right = exercise.oracle(setup, *given)
        return right | {"parameters": right["parameters"][:3] + right["parameters"][-2:]}

    hint = (
        "Of your net torch sees no stage: at most stem and linear layer have parameters. Do you keep the stages in a plain list? Put them into an "
        "nn.Sequential (or an nn.ModuleList), or give each an attribute of its own. `len(list(net.parameters()))` counts what is seen."
    )
    few = functools.partial(seen, at_most=5)
    exercise.misconception("hides-its-stages-in-a-list", hint, when=few)(wrong)


def seen(answer: Any, *_: Any, at_most: int) -> bool:
    """Return whether so few parameters of a net are seen."""
    return isinstance(answer, dict) and len(answer["parameters"]) <= at_most


# --------------------------------------------------------------------------------------------------------- ResNet


def imagenet(setup: list, *given: Any, idea: str = "") -> dict[str, Any]:
    """Return what a ResNet's parameters (and output) are."""
    depth, classes = arguments(setup, given, depth=18, num_classes=1000)
    return judged(resnet, given, depth, classes, idea)


ResNet = Exercise(
    "ResNet",
    UNIT,
    points=4,
    parameters=("arguments", "x"),
    returns="a module",
    oracle=imagenet,
    driven=True,
    cases=(
        listed("the parameters of ResNet-18", [18]),
        listed("the parameters of ResNet-34", [34]),
        listed("the parameters of ResNet-50", [50]),
        listed("the parameters of ResNet-101 and 10 classes", [101, 10], weight=0.5),
        listed("the parameters of ResNet-152", [152], weight=0.5),
        run("the output of ResNet-18", [18, 10], (2, 3, 80, 48), weight=2),
        run("the output of ResNet-50", [50, 4], (1, 3, 33, 40)),
    ),
    hints=(
        "It is CifarResNet with another stem, four stages in place of three, and a table that says for each depth which block, and how many.",
        "Stem: convolution, norm, ReLU, max-pool. Then make_stage four times, with widths 64, 128, 256, 512; the first without a stride. "
        "Keep count of the channels: a stage gives out block.expansion * width. Then average over H and W, and a linear layer.",
        "A dictionary: `{18: (BasicBlock, [2, 2, 2, 2]), ...}`. A loop over zip of widths and counts; stride 1 if the width is 64, else 2. "
        "`channels = block.expansion * width` after each stage. The pool is nn.MaxPool2d(3, 2, 1).",
    ),
)

STAGE_IDEAS = {
    "strides-the-first-stage": "Your first stage has a stride. It follows the stem as it is; only the later stages make the maps smaller.",
    "strides-the-last-block": "In your stages the last block takes the stride. The first one does.",
    "never-strides": "No stage of yours makes the maps smaller. All but the first begin with a stride of 2.",
    "the-same-width-throughout": "All your stages have the same width. It doubles from stage to stage.",
    "no-relu-in-the-stem": "A ReLU is missing in the stem: convolution, batch norm, ReLU.",
    "takes-the-maximum-at-the-end": "You take the maximum of each map before the linear layer. It is the mean.",
    "leaves-the-average-out": "The linear layer gets all numbers of all maps, or one row of them: the mean over H and W is missing. Take it first, so that "
    "each map gives one number.",
    "forgets-to-flatten": "Your mean leaves maps of 1 x 1, (N, C, 1, 1). The linear layer takes rows, (N, C): flatten them first.",
    "averages-over-other-axes": "Your mean does not run over the two axes of a map. x is (N, C, H, W): take the mean over the last two axes, (2, 3).",
    "pools-a-square": "Your mean is over a square, as in `F.avg_pool2d(x, x.size(3))`. Maps need not be square: take the mean over all of H and W.",
    "ends-in-a-softmax": "Your net ends in a softmax. It gives scores; the loss takes care of the softmax.",
    "keeps-the-biases-in-the-stem": "The convolution of your stem has a bias, which the batch norm behind it subtracts again: bias=False.",
    "ignores-num-classes": "The last layer does not follow num_classes.",
    "a-block-without-its-last-relu": "The net is put together rightly, but its blocks lack the ReLU behind the addition: check(BasicBlock).",
    "a-block-without-its-shortcut": "The net is put together rightly, but its blocks do not add their shortcut: check(BasicBlock).",
}

bank(
    ResNet,
    {
        **STAGE_IDEAS,
        "stem-of-the-small-nets": "Your stem is that of CifarResNet. Here it is a 7x7 convolution with stride 2 and padding 3, and a max-pool.",
        "stem-without-stride": "The 7x7 convolution of your stem has no stride. It has 2.",
        "forgets-the-max-pool": "The stem ends in a max-pool, 3x3 with stride 2 and padding 1. It has no parameters, so no count misses it.",
        "pools-2x2": "Your max-pool has windows of 2x2. Here they are 3x3 with stride 2 and padding 1: they overlap.",
        "pools-without-padding": "Your max-pool has no padding. 3x3 with stride 2 and padding 1 makes 56 of 112.",
        "basic-blocks-throughout": "From depth 50 on the blocks are bottlenecks. Yours are basic blocks: a 50 of these is ResNet-34.",
        "bottlenecks-throughout": "Your ResNet-18 and 34 have bottlenecks. These begin at depth 50; below, the blocks are basic.",
        "widths-four-times-too-large": "You hand 256, 512, 1024 and 2048 on as widths. These are what comes out; the bottleneck multiplies its width, 64 to 512, "
        "by four itself.",
        "forgets-the-expansion-at-the-end": "Your linear layer expects 512 inputs at every depth. After bottlenecks it is 4 * 512.",
        "forgets-the-expansion-of-the-stages": "From the second stage on, yours are made for too few channels. A stage of bottlenecks gives out 4 times its width: "
        "block.expansion * width, for the next stage and for the linear layer.",
        "always-two-blocks": "You have two blocks in each stage at every depth. The table has another row for each.",
        "forgets-the-average": "Your linear layer gets the maps as they are. Average each map over H and W first, so that one number a channel is left.",
        "hands-the-option-on": "A Bottleneck takes no option, unlike a BasicBlock. All shortcuts here are of option B, which both have by default: leave it out.",
        "takes-option-A": "Your shortcuts are of option A, as in the nets for small images. Here all are of option B, which both blocks have by default: leave "
        "the option out.",
        "strides-where-the-width-grows": "From 50 layers on, no stage of yours makes the maps smaller. Does the stride depend on the width being more than the "
        "channels that come in? After bottlenecks these are four times a width. All stages but the first have stride 2.",
    },
)


hide_stages(ResNet)
ResNet.misconception(*PAIRED_LAYERS)(paired_layers)


# ---------------------------------------------------------------------------------------------------- CifarResNet


def cifar(setup: list, *given: Any, idea: str = "") -> dict[str, Any]:
    """Return what a CifarResNet's parameters (and output) are."""
    depth, option, classes, width = arguments(setup, given, depth=20, option="A", num_classes=10, width=16)
    return judged(cifar_resnet, given, depth, option, classes, width, idea)


def _random_cifar(rng: np.random.Generator) -> Case:
    x = rng.standard_normal((1, 3, *(int(v) for v in rng.integers(16, 24, 2)))).astype(np.float32)
    setup = [8, str(rng.choice(["A", "B"])), int(rng.integers(2, 9)), 2 * int(rng.integers(1, 4))]
    return Case("random", through("torch_drivers.outputs"), setup, x)


CifarResNet = Exercise(
    "CifarResNet",
    UNIT,
    points=4,
    parameters=("arguments", "x", "settings"),
    returns="a module",
    oracle=cifar,
    driven=True,
    cases=(
        listed("the parameters of the 20", [20]),
        listed("the parameters of the 32", [32]),
        listed("the parameters of the 56, option B", [56, "B"]),
        computed("the output of an 8", [8], (2, 3, 20, 16), {"width": 4}),
        computed("a 14, five classes, option B", [14, "B", 5], (2, 3, 17, 18), {"width": 6}),
    ),
    random=_random_cifar,
    hints=(
        "How many convolutions has a block? How many layers are left of the depth when stem and linear layer are taken away, and how "
        "many blocks are these in each of three stages?",
        "Stem: 3x3 convolution without bias, norm, ReLU. Then make_stage three times: widths w, 2w, 4w, strides 1, 2, 2, each with "
        "option=option. Then the mean over H and W, and a linear layer from 4w.",
        "`blocks = (depth - 2) // 6`. The stages: `make_stage(BasicBlock, width, width, blocks, option=option)`, then from width to "
        "2 * width with stride 2, and so on. nn.AdaptiveAvgPool2d(1) and nn.Flatten() take the mean.",
    ),
)

bank(
    CifarResNet,
    {
        **STAGE_IDEAS,
        "ignores-the-option": "Your net has projections whatever the option. Hand the option on: make_stage passes it to the blocks.",
        "ignores-the-width": "Your net is 16 channels wide whatever `width` says. All three stages follow from it.",
        "counts-a-block-as-one-layer": "You have twice as many blocks as there should be. A block has two convolutions, so that three stages of n blocks are 6 n "
        "layers.",
        "one-block-too-many": "Each of your stages has a block too many. Stem and linear layer are two of the layers, and n blocks in each of three stages the "
        "rest: 6 n + 2 = depth.",
        "stem-of-the-large-nets": "Your stem is that of the ImageNet nets. Small images keep their size: one 3x3 convolution, no pooling.",
        "pools-8x8": "Your mean is over windows of fixed size, which fit images of 32 x 32 only. Take the mean over all of H and W, whatever they are.",
        "four-stages": "You have four stages, as the ImageNet nets. Here there are three.",
    },
)
hide_stages(CifarResNet)
CifarResNet.misconception(*PAIRED_LAYERS)(paired_layers)
