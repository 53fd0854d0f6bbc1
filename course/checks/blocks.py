"""Unit 12: the two residual blocks, judged by their parameters and by what they compute once these are filled by place.

The oracles are functional; see residual_nets.py. A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np

from course.checks.exercise import CHANGES_ITS_INPUT, Case, Exercise, runs_into
from course.checks.functional import arguments, outputs
from course.checks.recipe import through
from course.checks.residual_nets import basic, bottleneck
from course.checks.shortcuts import PAIRED_LAYERS, no_module, shortcut_case

UNIT = "12-resnet"

SHARED_IDEAS = {  # of both blocks
    "forgets-the-last-relu": "There is no ReLU behind the addition: negative values leave your block. Add first, then ReLU.",
    "relu-before-the-addition": "Your ReLU comes before the addition, and none behind it. So the block could only ever add to x, never take away. Add "
    "first, then ReLU.",
    "relu-before-and-after": "There is a ReLU on the residual branch before the addition, and one behind it. The first is too many: the branch ends in its "
    "batch norm, so that it can also take away from x.",
    "leaves-the-shortcut-out": "Your block computes its convolutions and stops there: this is the plain block. Add the shortcut of x before the last ReLU.",
    "adds-x-itself": "You add x itself in every block. With a stride, or other channels, x does not fit to the branch: what is added is the shortcut of x, which "
    "make_shortcut makes.",
    "always-projects": "Your block has a projection where x itself would do: with stride 1 and as many channels out as in, the shortcut has no parameters.",
    "projects-without-the-stride": "With a stride, branch and shortcut come out in different sizes: one of them does not get it. Hand it on to both.",
    "projects-without-a-norm": "The projection in your shortcut lacks its batch norm.",
    "keeps-the-biases": "Your convolutions have biases. A batch norm follows each of them, which subtracts the mean and with it the bias: bias=False.",
    "registers-the-shortcut-first": "All is there, but the shortcut is registered before the branch. The order in which attributes are set is the order of the "
    "parameters: make the shortcut last, so that others' weights fit.",
    "forgets-the-padding": "The 3x3 convolution has no padding, so the map shrinks, and x does not fit to it. padding=1 keeps the size.",
    "overwrites-x": "What you add is what your own convolutions made, not what came into the block: x was given a new value on the way. Give what the "
    "branch makes another name, as in `y = self.branch(x)`.",
    "no-relu-in-between": "A ReLU is missing inside the branch. Each batch norm there is followed by one, except for the last.",
}


CHANGED_X = (
    "Your module writes into the x that it was given: by `+=`, or by a ReLU with inplace=True right on x. Training would stop there, since backward "
    "still needs that x. Make a new tensor: `a + b`, `F.relu(...)`."
)


def bank(exercise: Exercise, ideas: dict[str, str]) -> None:
    """Add wrong ideas, by name and hint, that the oracle can play itself; say in torch's words how an input is changed."""
    for number, known in enumerate(exercise.misconceptions):
        if known.name == CHANGES_ITS_INPUT:
            exercise.misconceptions[number] = replace(known, hint=CHANGED_X)
    for name, hint in ideas.items():
        exercise.misconception(name, hint)(functools.partial(exercise.oracle, idea=name))


def reorder(exercise: Exercise) -> None:
    """Add the idea of registering all that the block has in another order, as the norms behind all convolutions."""

    def wrong(*given: Any) -> dict[str, Any]:
        right = exercise.oracle(*given)
        return right | {"parameters": sorted(right["parameters"], key=lambda shape: " x " not in shape)}

    def shows(answer: Any, *given: Any) -> bool:
        right = exercise.oracle(*given)["parameters"]
        found = answer["parameters"] if isinstance(answer, dict) else []
        return found != right and sorted(found) == sorted(right)

    hint = (
        "All parameters are there, but in another order. It is that in which __init__ sets the parts: keep to the order of the computation, each "
        "convolution followed by its norm, and the shortcut last."
    )
    exercise.misconception("registers-in-another-order", hint, when=shows)(wrong)


def hidden_layers(setup: list, x: Any, settings: dict | None = None) -> Any:
    """Stand for a module that keeps its layers in a list: torch does not see them, and leaves them in float32."""
    raise runs_into("RuntimeError", words=("scalar type", "dtype", "should be the same"))


def paired_layers(setup: list, *given: Any) -> Any:
    """Stand for a module that takes the pair of conv_norm for a layer."""
    raise no_module()


HIDDEN_LAYERS = (
    "hides-its-layers-in-a-list",
    "Does your block keep its layers in a plain list? Then torch does not see them: they are no parameters, and are not converted. Put them "
    "into an nn.Sequential, or give each an attribute of its own.",
)


# ----------------------------------------------------------------------------------------------------- BasicBlock


def basic_block(setup: list, x: Any, settings: dict | None = None, idea: str = "") -> dict[str, Any]:
    """Return what a basic block's parameters and output are."""
    _, out, stride, option = arguments(setup, [settings], in_channels=1, out_channels=1, stride=1, option="B")
    return outputs(lambda tape, x: basic(tape, x, out, stride, option, idea), x)


def _random_basic(rng: np.random.Generator) -> Case:
    n, c, h, w = (int(v) for v in rng.integers([1, 1, 5, 5], [4, 4, 9, 9]))
    setup = [c, 3 * c, int(rng.integers(1, 3)), str(rng.choice(["A", "B"]))]
    return Case("random", through("torch_drivers.outputs"), setup, rng.standard_normal((n, c, h, w)))


BasicBlock = Exercise(
    "BasicBlock",
    UNIT,
    points=4,
    parameters=("arguments", "x", "settings"),
    returns="a module",
    oracle=basic_block,
    driven=True,
    cases=(
        shortcut_case("one channel, one image", [1, 1], (1, 1, 5, 5)),
        shortcut_case("the same shape", [3, 3], (2, 3, 5, 6)),
        shortcut_case("more channels", [2, 5], (2, 2, 6, 5)),
        shortcut_case("stride 2", [3, 3, 2], (2, 3, 7, 6)),
        shortcut_case("stride 2 and more channels", [2, 4, 2], (2, 2, 6, 8)),
        shortcut_case("stride 2 on a small image", [2, 2, 2], (1, 2, 4, 3), weight=0.5),
        shortcut_case("option A", [2, 4, 2, "A"], (2, 2, 8, 5), weight=2),
    ),
    random=_random_basic,
    hints=(
        "Take the picture of the block: two convolutions above, the shortcut below, and where they meet a sum. Three parts to "
        "make in __init__: conv-norm-ReLU, conv-norm, shortcut.",
        "In __init__: a Sequential of conv, norm, ReLU, conv, norm as the branch; then, as the last attribute, make_shortcut with all four "
        "arguments. In forward: the branch of x plus the shortcut of x, and a ReLU of that sum.",
        "Convolutions: 3, padding 1, bias=False; the first takes in_channels and the stride, the second out_channels and stride 1. "
        "forward: `F.relu(self.branch(x) + self.shortcut(x))`.",
    ),
)

bank(
    BasicBlock,
    {
        **SHARED_IDEAS,
        "ignores-the-option": "You project for both options. Hand the option on to the shortcut: A has no parameters.",
        "strides-the-second-convolution": "Your stride sits in the second convolution. It belongs in the first, so that the second has less to compute.",
        "strides-both-convolutions": "Both of your convolutions take the stride: the map comes out four times smaller than x where the shortcut makes it "
        "half. Only the first does.",
        "forgets-the-second-norm": "A batch norm is missing: each of the two convolutions has one of its own, the second too, before the addition.",
        "shortcut-from-the-middle": "What you add is the result of the first convolution, not what came into the block. A name used again, perhaps (`x = "
        "...`)? Keep the x that came in.",
    },
)
reorder(BasicBlock)
BasicBlock.misconception(*HIDDEN_LAYERS)(hidden_layers)
BasicBlock.misconception(*PAIRED_LAYERS)(paired_layers)


# ----------------------------------------------------------------------------------------------------- Bottleneck


def bottleneck_block(setup: list, x: Any, settings: dict | None = None, idea: str = "") -> dict[str, Any]:
    """Return what a bottleneck block's parameters and output are."""
    _, width, stride = arguments(setup, [settings], in_channels=1, width=1, stride=1)
    return outputs(lambda tape, x: bottleneck(tape, x, width, stride, idea), x)


def _random_bottleneck(rng: np.random.Generator) -> Case:
    n, c, h, w = (int(v) for v in rng.integers([1, 1, 5, 5], [4, 7, 9, 9]))
    setup = [c, int(rng.integers(2, 5)), int(rng.integers(1, 3))]
    return Case("random", through("torch_drivers.outputs"), setup, rng.standard_normal((n, c, h, w)))


Bottleneck = Exercise(
    "Bottleneck",
    UNIT,
    points=3,
    parameters=("arguments", "x", "settings"),
    returns="a module",
    oracle=bottleneck_block,
    driven=True,
    cases=(
        shortcut_case("the same shape", [8, 2], (2, 8, 5, 4)),
        shortcut_case("width 1, one image", [4, 1], (1, 4, 3, 3)),
        shortcut_case("more channels", [3, 4], (2, 3, 5, 6)),
        shortcut_case("stride 2, the same channels", [8, 2, 2], (2, 8, 7, 6)),
        shortcut_case("stride 2 and more channels", [4, 3, 2], (2, 4, 6, 8)),
    ),
    random=_random_bottleneck,
    hints=(
        "It is BasicBlock with another branch. Write down the channels before and after each of its three convolutions.",
        "The branch: 1x1 from in_channels to width, 3x3 from width to width, 1x1 from width to 4 * width. A norm behind each, a ReLU "
        "behind the first two norms. The shortcut ends in 4 * width channels, too.",
        "The stride and padding=1 belong to the 3x3 alone. The shortcut is `make_shortcut(in_channels, 4 * width, stride)`, made last. "
        "forward is that of BasicBlock.",
    ),
)

bank(
    Bottleneck,
    {
        **SHARED_IDEAS,
        "strides-the-first-1x1": "Your stride sits in the first 1x1, as in the paper of 2015. That throws three of four pixels away unseen; here, as in "
        'torchvision ("ResNet 1.5"), the 3x3 takes it.',
        "no-relu-behind-the-first-norm": "A ReLU is missing inside the branch, behind the first batch norm. The first two norms are followed by one each.",
        "strides-every-convolution": "All of your convolutions take the stride. Only the 3x3 does.",
        "forgets-the-expansion": "Your block ends in `width` channels. The last 1x1 widens: 4 * width come out.",
        "takes-width-for-the-output": "You take width for what comes out, and narrow to a quarter of it. width is the narrow middle; 4 * width come out.",
        "widens-in-the-3x3": "Your 3x3 already has 4 * width filters. It stays narrow, which is what makes it cheap: the last 1x1 widens.",
        "shortcut-to-the-width": "Your shortcut ends in `width` channels, the branch in 4 * width: the two cannot be added.",
        "forgets-the-last-norm": "The last batch norm is missing: each of the three convolutions has one of its own, the last too, before the addition.",
    },
)
reorder(Bottleneck)
Bottleneck.misconception(*HIDDEN_LAYERS)(hidden_layers)
Bottleneck.misconception(*PAIRED_LAYERS)(paired_layers)
