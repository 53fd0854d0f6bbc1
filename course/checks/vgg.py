"""Unit 10: the whole VGG net, judged by the shapes of its parameters and by what it computes.

The oracle is a plan that torch's functions carry out (course/checks/plans.py); a misconception is a plan with one wrong idea in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course.checks.exercise import Case, Exercise, normal, runs_into
from course.checks.plans import Plan, report
from course.checks.recipe import through
from course.checks.vgg_blocks import UNIT, block_plan, without
from course.checks.vgg_drivers import PASSES

CONVS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
TIMES = (1, 2, 4, 8, 8)  # a stage's channels, in widths


def body(depth: int, batch_norm: bool, width: int, times: tuple[int, ...] = TIMES) -> Plan:
    """Return the plan of the five stages."""
    channels = [3, *(width * t for t in times)]
    stages = zip(channels, channels[1:], CONVS[depth], strict=False)
    return [op for i, o, convs in stages for op in block_plan(i, o, convs, batch_norm)]


def head(inputs: int, hidden: int, num_classes: int, side: int = 7) -> Plan:
    """Return the plan of everything behind the stages, for inputs of so many channels."""
    plan: Plan = [("resize", side), ("flatten",)]
    for o, i in [(hidden, inputs * side**2), (hidden, hidden)]:
        plan += [("linear", o, i), ("relu",), ("dropout",)]
    return [*plan, ("linear", num_classes, hidden)]


def net_plan(depth: int, num_classes: int = 1000, batch_norm: bool = False, width: int = 64) -> Plan:
    """Return the plan of a VGG net."""
    return body(depth, batch_norm, width) + head(8 * width, 64 * width, num_classes)


def told(
    plan: Plan,
    x: Any,
    batch_norm: bool,
    dropout: float,
    evaluation: bool = False,
    first: int = 0,
    shares: list[float] | None = None,
) -> dict[str, Any]:
    """Return what the driver reports of a plan; evaluation: whether two passes differ in it; shares: of each dropout, if not all are alike."""
    said = report(plan, x, first)
    if x is None or batch_norm:
        return said
    shares = plan.count(("dropout",)) * [dropout] if shares is None else shares
    words = [f"{share:.3g}" for share in shares if share]
    return said | dict(zip(PASSES, (0 < dropout < 1, evaluation, words), strict=True))


def net(
    depth: int,
    num_classes: int = 1000,
    batch_norm: bool = False,
    width: int = 64,
    dropout: float = 0.5,
    x: Any = None,
) -> dict[str, Any]:
    """Return what the driver reports of a VGG net."""
    return told(net_plan(depth, num_classes, batch_norm, width), x, batch_norm, dropout)


NET = through("vgg_drivers.network")


def _random_net(rng: np.random.Generator) -> Case:
    depth, classes = int(rng.choice([11, 13, 16, 19])), int(rng.integers(2, 30))
    settings: dict[str, Any] = {"batch_norm": True} if rng.random() < 0.5 else {}
    settings |= {"dropout": float(rng.choice([0, 0.3]))} if rng.random() < 0.5 else {}
    if rng.random() < 0.3:
        return Case("random", NET, depth, classes, **settings)
    height, width = (int(n) for n in rng.integers(32, 100, 2))
    x = rng.standard_normal((int(rng.integers(1, 3)), 3, height, width))
    return Case("random", NET, depth, classes, width=int(rng.integers(1, 4)), x=x, **settings)


VGG = Exercise(
    "VGG",
    UNIT,
    points=4,
    parameters=("depth", "num_classes", "batch_norm", "width", "dropout"),
    returns="an nn.Module",
    oracle=net,
    driven=True,
    cases=(
        Case("VGG-11, two channels wide", NET, 11, 10, width=2, x=normal(1, 3, 32, 32)),
        Case("images of 224 x 224", NET, 11, 3, width=1, x=normal(1, 3, 224, 224)),
        Case("images that are not square", NET, 11, 7, width=1, x=normal(2, 3, 64, 96)),
        Case("batch norm", NET, 11, 5, batch_norm=True, width=2, x=normal(2, 3, 64, 64)),
        Case("no dropout", NET, 13, 4, width=1, dropout=0, x=normal(1, 3, 32, 64)),
        Case("a fifth dropped", NET, 11, 6, width=1, dropout=0.2, x=normal(1, 3, 32, 32), weight=0.5),
        Case("VGG-16, its parameters counted", NET, 16),
        Case("VGG-19 for ten classes, counted", NET, 19, 10),
    ),
    random=_random_net,
    hints=(
        "The net has two parts. The first is five blocks in a row; what goes into each is what the one before has made, and the first reads "
        "3 colours. The second is the table's last four lines. Which numbers in the two depend on width?",
        "In `__init__`, after `super().__init__()`, make one nn.Sequential of the five blocks, then one of the head: AdaptiveAvgPool2d(7), "
        "Flatten, and three Linear layers, the first two each with a ReLU and nn.Dropout(dropout) behind it. `forward` calls one and then the other.",
        "The blocks' channels are `[3, width, 2 * width, 4 * width, 8 * width, 8 * width]`; block i goes from number i to number i + 1, and has "
        "`CONVS[depth][i]` convolutions. The first linear layer reads `8 * width * 7 * 7` values, both hidden ones make `64 * width`.",
    ),
)


def _bent(change: Callable[[Plan], Plan], **more: Any) -> Callable[..., dict[str, Any]]:
    """Return the driver's report of a net in whose plan something is different."""

    def wrong(depth, num_classes=1000, batch_norm=False, width=64, dropout=0.5, x=None):
        plan = change(net_plan(depth, num_classes, batch_norm, width))
        return told(plan, x, batch_norm, **({"dropout": dropout} | more))

    return wrong


VGG.misconception(
    "relu-on-the-scores",
    "There is a ReLU behind the last linear layer. Scores may be negative: softmax takes them as they are.",
)(_bent(lambda plan: [*plan, ("relu",)]))

VGG.misconception(
    "softmax-on-the-scores",
    "There is a softmax at the end. The net gives the scores as they are: cross_entropy does the softmax itself.",
)(_bent(lambda plan: [*plan, ("softmax",)]))

VGG.misconception(
    "no-relu-in-the-head",
    "There is no ReLU between your linear layers. Without it three of them are no more than one.",
)(_bent(lambda plan: plan[:-7] + without(plan[-7:], "relu")))

VGG.misconception(
    "one-hidden-layer",
    "Your head has two linear layers. There are three: two hidden ones, then the scores. So 13 convolutions make VGG-16.",
)(_bent(lambda plan: plan[:-4] + plan[-1:]))

VGG.misconception(
    "forgets-the-dropout",
    "Two passes over the same images give the same in training: there is no dropout. nn.Dropout(dropout) stands behind both hidden ReLUs.",
    when=lambda value, *setup, dropout=0.5, **settings: (
        dropout > 0 and value.get("two passes differ in training") is False
    ),
)(_bent(lambda plan: plan, dropout=0))

VGG.misconception(
    "ignores-dropout",
    "Your net drops half of the values whatever `dropout` says: hand it on, `nn.Dropout(dropout)`.",
    when=lambda value, *setup, dropout=0.5, **settings: (
        dropout != 0.5 and value.get("shares dropped in training") == ["0.5", "0.5"]
    ),
)(_bent(lambda plan: plan, dropout=0.5))


@VGG.misconception(
    "drops-the-rest",
    "nn.Dropout takes the share that is dropped, and so does your net: hand it on as it is, not as 1 - dropout.",
    when=lambda value, *setup, dropout=0.5, **settings: (
        dropout != 0.5 and value.get("shares dropped in training") == 2 * [f"{1 - dropout:.3g}"]
    ),
)
def _(depth, num_classes=1000, batch_norm=False, width=64, dropout=0.5, x=None):
    return net(depth, num_classes, batch_norm, width, 1 - dropout, x)


@VGG.misconception(
    "one-dropout-for-two",
    "Your head drops values in one place. There are two: nn.Dropout(dropout) stands behind both hidden ReLUs.",
    when=lambda value, *setup, dropout=0.5, **settings: (
        dropout > 0 and value.get("shares dropped in training") == [f"{dropout:.3g}"]
    ),
)
def _(depth, num_classes=1000, batch_norm=False, width=64, dropout=0.5, x=None):
    return told(net_plan(depth, num_classes, batch_norm, width), x, batch_norm, dropout, shares=[dropout])


@VGG.misconception(
    "leaves-a-list-packed",
    "nn.Sequential wants the modules one by one, and you hand it a list of them. A star unpacks the list: `nn.Sequential(*blocks)`.",
)
def _(*setup, **settings):
    raise runs_into("TypeError", words="list is not a Module subclass")


VGG.misconception(
    "drops-in-evaluation",
    "Your net drops values in evaluation too. nn.Dropout stops by itself when net.eval() is called; F.dropout needs training=self.training.",
    when=lambda value, *setup, x=None, **settings: value.get("two passes differ in evaluation") is True,
)(_bent(lambda plan: plan, evaluation=True))

VGG.misconception(
    "reads-nhwc",
    "Your head has its values in another order: channels last. Flatten the maps as they are, (N, C, H, W): all of channel 0 first.",
)(_bent(lambda plan: [op for o in plan for op in ([("channels last",), o] if o[0] == "flatten" else [o])]))

VGG.misconception(
    "registers-the-head-first",
    "The head's parameters come before those of the convolutions. Others' weights are matched by position: make the modules in `__init__` "
    "in the order in which an image meets them.",
)(_bent(lambda plan: plan, first=9))


@VGG.misconception(
    "doubles-once-more",
    "Your last stage is 16 widths. Channels double from stage to stage up to 8 widths; the fifth has as many as the fourth.",
)
def _(depth, num_classes=1000, batch_norm=False, width=64, dropout=0.5, x=None):
    plan = body(depth, batch_norm, width, (1, 2, 4, 8, 16)) + head(16 * width, 64 * width, num_classes)
    return told(plan, x, batch_norm, dropout)


@VGG.misconception(
    "averages-each-map",
    "Your pooling leaves one number of each map, as later nets do. VGG's head reads 7 x 7 of them: AdaptiveAvgPool2d(7).",
)
def _(depth, num_classes=1000, batch_norm=False, width=64, dropout=0.5, x=None):
    plan = body(depth, batch_norm, width) + head(8 * width, 64 * width, num_classes, side=1)
    return told(plan, x, batch_norm, dropout)


@VGG.misconception(
    "only-224",
    "Your net takes images of 224 x 224 only. AdaptiveAvgPool2d(7) in front of Flatten turns maps of any size into 7 x 7.",
)
def _(depth, num_classes=1000, batch_norm=False, width=64, dropout=0.5, x=None):
    if x is not None and not all(224 <= side < 256 for side in x.shape[2:]):
        raise runs_into("RuntimeError", words="mat1 and mat2 shapes")
    return net(depth, num_classes, batch_norm, width, dropout, x)


@VGG.misconception(
    "blocks-in-a-plain-list",
    "The net does not know of its blocks' parameters. A plain list hides modules from it: put them into nn.Sequential or nn.ModuleList.",
)
def _(depth, num_classes=1000, batch_norm=False, width=64, dropout=0.5, x=None):
    if x is not None:  # the net is moved to float64, and the hidden blocks are not
        raise runs_into("RuntimeError", words="same")
    return report(head(8 * width, 64 * width, num_classes))


@VGG.misconception(
    "forgets-to-flatten",
    "Flatten is missing. A linear layer takes the last axis of what it gets, and here that must be all 7 · 7 values of all channels.",
)
def _(depth, num_classes=1000, batch_norm=False, width=64, dropout=0.5, x=None):
    if x is not None:  # the last axis is 7 long
        raise runs_into("RuntimeError", words="x7 and ")
    return net(depth, num_classes, batch_norm, width)


@VGG.misconception(
    "reads-a-number-a-channel",
    "Your first linear layer reads as many values as there are channels. Each channel is a map of 7 x 7: `8 * width * 7 * 7`.",
)
def _(depth, num_classes=1000, batch_norm=False, width=64, dropout=0.5, x=None):
    if x is not None:
        raise runs_into("RuntimeError", words="mat1 and mat2 shapes")
    return report(body(depth, batch_norm, width) + head(8 * width, 64 * width, num_classes, side=1))


@VGG.misconception(
    "always-a-thousand",
    "Your net has 1,000 scores for any num_classes: the last linear layer makes num_classes.",
)
def _(depth, num_classes=1000, batch_norm=False, width=64, dropout=0.5, x=None):
    return net(depth, 1000, batch_norm, width, dropout, x)


@VGG.misconception(
    "ignores-batch-norm", "Your net is the same with batch_norm=True: hand it on to vgg_block."
)
def _(depth, num_classes=1000, batch_norm=False, width=64, dropout=0.5, x=None):
    return told(net_plan(depth, num_classes, False, width), x, batch_norm, dropout)


def _too_large(plan: Plan, x: Any, batch_norm: bool) -> dict[str, Any]:
    """Return what the driver reports of a net that is too large to compute anything: the shapes of its parameters."""
    if x is None:
        return report(plan)
    nothing = {} if batch_norm else dict.fromkeys(PASSES)
    return {"parameters": report(plan)["parameters"], "output": None} | nothing


@VGG.misconception(
    "ignores-the-width",
    "Your net does not depend on width. The stages have width, 2, 4, 8 and 8 widths, and the hidden layers 64.",
    when=lambda value, *setup, width=64, **settings: width != 64 and "64 x 3 x 3 x 3" in value["parameters"],
)
def _(depth, num_classes=1000, batch_norm=False, width=64, dropout=0.5, x=None):
    return _too_large(net_plan(depth, num_classes, batch_norm), x, batch_norm)


@VGG.misconception(
    "hidden-layers-of-4096",
    "Your hidden layers have 4,096 values for any width. They grow and shrink with the net: 64 * width.",
)
def _(depth, num_classes=1000, batch_norm=False, width=64, dropout=0.5, x=None):
    return _too_large(body(depth, batch_norm, width) + head(8 * width, 4096, num_classes), x, batch_norm)


def _reading_25088(plan: Plan) -> Plan:
    """Return a net's plan in which the first linear layer reads 25,088 values."""
    first = [op[0] for op in plan].index("linear")
    return [*plan[:first], (*plan[first][:2], 8 * 64 * 49), *plan[first + 1 :]]


@VGG.misconception(
    "reads-25088",
    "Your first linear layer reads 25,088 values for any width. Those are 512 · 7 · 7, for width 64: write `8 * width * 7 * 7`.",
)
def _(depth, num_classes=1000, batch_norm=False, width=64, dropout=0.5, x=None):
    return _too_large(_reading_25088(net_plan(depth, num_classes, batch_norm, width)), x, batch_norm)


@VGG.misconception(
    "head-of-width-64",
    "Your linear layers have the sizes of width 64 always, 25,088 and 4,096. They grow and shrink with the net: `8 * width * 7 * 7` and "
    "`64 * width`.",
)
def _(depth, num_classes=1000, batch_norm=False, width=64, dropout=0.5, x=None):
    plan = _reading_25088(body(depth, batch_norm, width) + head(8 * width, 4096, num_classes))
    return _too_large(plan, x, batch_norm)


@VGG.misconception(
    "depth-counts-convolutions",
    "Your stages have other numbers of convolutions than the table: depth counts the three linear layers too. VGG-16 has 13 convolutions.",
)
def _(depth, num_classes=1000, batch_norm=False, width=64, dropout=0.5, x=None):
    if depth != 16:  # 16 convolutions are VGG-19's
        return net(depth, num_classes, batch_norm, width, dropout, x)
    return net(19, num_classes, batch_norm, width, dropout, x)
