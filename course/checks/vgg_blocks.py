"""Unit 10: a VGG block, judged by the shapes of its parameters and by what it computes.

The oracle is a plan that torch's functions carry out (course/checks/plans.py); a misconception is a plan with one wrong idea in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course.checks.exercise import Case, Exercise, normal, runs_into
from course.checks.plans import Plan, report
from course.checks.recipe import through

UNIT = "10-vgg"


def block_plan(
    in_channels: int, out_channels: int, convs: int, batch_norm: bool = False, padding: int = 1
) -> Plan:
    """Return the plan of a VGG block."""
    plan: Plan = []
    for i in range(convs):
        plan.append(("conv", out_channels, out_channels if i else in_channels, padding))
        plan += [("norm", out_channels)] if batch_norm else []
        plan.append(("relu",))
    return [*plan, ("pool", 2)]


def without(plan: Plan, *kinds: str) -> Plan:
    """Return a plan without the operations of these kinds."""
    return [op for op in plan if op[0] not in kinds]


def _random_block(rng: np.random.Generator) -> Case:
    c, o, convs, height, width = (int(n) for n in rng.integers([1, 1, 1, 4, 4], [5, 6, 5, 11, 11]))
    bn = {"batch_norm": True} if rng.random() < 0.5 else {}
    x = rng.standard_normal((2, c, height, width))
    return Case("random", through("vgg_drivers.build"), c, o, convs, x=x, **bn)


def block(*setup: Any, x: Any = None, **settings: Any) -> dict[str, Any]:
    """Return what the driver reports of a VGG block."""
    return report(block_plan(*setup, **settings), x)


BLOCK = through("vgg_drivers.build")

vgg_block = Exercise(
    "vgg_block",
    UNIT,
    points=3,
    parameters=("in_channels", "out_channels", "convs", "batch_norm"),
    returns="an nn.Module",
    oracle=block,
    driven=True,
    cases=(
        Case("one convolution", BLOCK, 1, 2, 1, x=normal(1, 1, 4, 4), weight=0.5),
        Case("two convolutions", BLOCK, 3, 4, 2, x=normal(2, 3, 6, 8)),
        Case("three convolutions", BLOCK, 2, 3, 3, x=normal(1, 2, 8, 8)),
        Case("a size that 2 does not divide", BLOCK, 2, 2, 2, x=normal(1, 2, 7, 9)),
        Case("batch norm", BLOCK, 2, 4, 2, batch_norm=True, x=normal(2, 2, 6, 6)),
        Case("VGG-16's last block, counted", BLOCK, 512, 512, 3),
    ),
    random=_random_block,
    hints=(
        "Write down the layers of vgg_block(3, 8, 2) one below the other. There are five. Which of them depends on in_channels?",
        "Collect the layers in a list, in a loop that goes round `convs` times: a convolution (3 x 3, padding 1), a batch norm if it is "
        "asked for, a ReLU. After the first time round, the input has out_channels channels. The pooling comes once, behind the loop.",
        "In the loop: `layers += [nn.Conv2d(in_channels, out_channels, 3, padding=1)]`, then `nn.BatchNorm2d(out_channels)` if wanted, then "
        "`nn.ReLU()`, and `in_channels = out_channels` at the end. Return `nn.Sequential(*layers, nn.MaxPool2d(2))`.",
    ),
)


def _bent(change: Callable[[Plan], Plan]) -> Callable[..., dict[str, Any]]:
    """Return the driver's report of a block in whose plan something is different."""

    def wrong(*setup: Any, x: Any = None, **settings: Any) -> dict[str, Any]:
        try:
            return report(change(block_plan(*setup, **settings)), x)
        except RuntimeError:  # nothing is left to pool
            raise runs_into("RuntimeError", words="too small") from None

    return wrong


def _renamed(old: str, new: str) -> Callable[[Plan], Plan]:
    return lambda plan: [(new if kind == old else kind, *sizes) for kind, *sizes in plan]


@vgg_block.misconception(
    "leaves-a-list-packed",
    "nn.Sequential wants the layers one by one, and you hand it a list of them. A star unpacks the list: `nn.Sequential(*layers)`.",
)
def _(*setup, x=None, **settings):
    raise runs_into("TypeError", words="list is not a Module subclass")


vgg_block.misconception(
    "forgets-the-relu",
    "There is no ReLU. One follows each convolution; without them the whole block is a single linear layer.",
)(_bent(lambda plan: without(plan, "relu")))

vgg_block.misconception(
    "one-relu-for-all",
    "There is one ReLU, before the pooling. One follows *each* convolution: put it inside the loop.",
)(_bent(lambda plan: [*without(plan, "relu", "pool"), ("relu",), ("pool", 2)]))

vgg_block.misconception(
    "no-relu-before-the-pool",
    "The ReLU behind the last convolution is missing. Each convolution has one, the last too.",
)(_bent(lambda plan: [op for i, op in enumerate(plan) if i != len(plan) - 2]))

vgg_block.misconception(
    "forgets-the-pool", "The pooling at the end is missing, so that your maps keep their size: MaxPool2d(2)."
)(_bent(lambda plan: without(plan, "pool")))

vgg_block.misconception(
    "pools-after-every-convolution",
    "You pool after every convolution. A block pools once, at its end: take the pooling out of the loop.",
)(_bent(lambda plan: [part for op in plan[:-1] for part in ([op, ("pool", 2)] if op[0] == "relu" else [op])]))

vgg_block.misconception("averages", "You pool by averages. VGG takes the maximum: MaxPool2d(2).")(
    _bent(_renamed("pool", "average"))
)


@vgg_block.misconception(
    "pools-with-overlap",
    "You pool windows of 3 x 3, as AlexNet does. VGG's are 2 x 2 with stride 2: MaxPool2d(2).",
)
def _(*setup, x=None, **settings):
    return report([*block_plan(*setup, **settings)[:-1], ("pool", 3, 2)], x)


@vgg_block.misconception(
    "does-not-pad",
    "Your convolutions do not pad, so each takes a rim of one pixel away. padding=1 keeps the size of the maps.",
)
def _(in_channels, out_channels, convs, batch_norm=False, x=None):
    if x is not None and min(x.shape[2:]) < 2 * convs + 2:  # too little is left to pool
        raise runs_into("RuntimeError", words=("Kernel size", "too small"))
    return report(block_plan(in_channels, out_channels, convs, batch_norm, padding=0), x)


@vgg_block.misconception(
    "always-from-in-channels",
    "All your convolutions read in_channels. Only the first does: the others read what the one before has made, out_channels.",
)
def _(in_channels, out_channels, convs, batch_norm=False, x=None):
    if x is not None and convs > 1 and in_channels != out_channels:
        raise runs_into("RuntimeError", words="channels")
    first = block_plan(in_channels, out_channels, 1, batch_norm)[:-1]
    return report([*first * convs, ("pool", 2)], x)


@vgg_block.misconception(
    "one-layer-many-times",
    "You use one convolution several times: `[layer] * n` repeats the same object, with the same weights. Make a new one each time round a loop.",
)
def _(in_channels, out_channels, convs, batch_norm=False, x=None):
    plan = block_plan(in_channels, out_channels, min(convs, 2), batch_norm)[:-1]
    if batch_norm and convs > 2:
        raise ValueError("the norm would be used again too, which a plan cannot say")
    return report([*plan, *[("again",), ("relu",)] * (convs - 2), ("pool", 2)], x)


@vgg_block.misconception(
    "always-one-convolution", "Your block has one convolution, whatever `convs` is: it needs a loop."
)
def _(in_channels, out_channels, convs, batch_norm=False, x=None):
    return report(block_plan(in_channels, out_channels, 1, batch_norm), x)


@vgg_block.misconception(
    "one-convolution-too-many",
    "There is one convolution more than `convs`. The one that goes from in_channels to out_channels is one of them.",
)
def _(in_channels, out_channels, convs, batch_norm=False, x=None):
    return report(block_plan(in_channels, out_channels, convs + 1, batch_norm), x)


vgg_block.misconception(
    "ignores-batch-norm",
    "Your block is the same with batch_norm=True. Then an nn.BatchNorm2d(out_channels) stands between each convolution and its ReLU.",
)(_bent(lambda plan: without(plan, "norm")))


@vgg_block.misconception(
    "norm-behind-the-relu",
    "Your batch norm stands behind the ReLU. Here it stands before it, right behind the convolution.",
)
def _(*setup, x=None, **settings):
    plan = block_plan(*setup, **settings)
    for i in [i for i, (kind, *_) in enumerate(plan) if kind == "norm"]:
        plan[i : i + 2] = plan[i + 1], plan[i]
    return report(plan, x)


@vgg_block.misconception(
    "drops-the-biases",
    "The convolutions before a batch norm have no bias in your block. That saves a little, and is what many nets do; VGG keeps them, so "
    "that the weights of others fit.",
)
def _(*setup, x=None, **settings):
    plan = block_plan(*setup, **settings)
    return report(_renamed("conv", "conv without bias")(plan) if settings.get("batch_norm") else plan, x)
