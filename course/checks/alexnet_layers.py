"""Unit 09: local response normalisation as a module, and the layers of one row of the table.

The oracle computes with torch's functions on numbered tensors. A misconception is that with one wrong idea in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course.checks import functional
from course.checks.alexnet_drivers import dropping
from course.checks.alexnet_tables import UNIT, Row, kind, stage
from course.checks.batch_norm import TRUNCATES
from course.checks.exercise import CHANGES_ITS_INPUT, Case, Exercise, normal, runs_into
from course.checks.functional import Tape
from course.checks.recipe import through
from course.checks.response_norm import FIVE, local_response_norm, torch_response_norm

# ---------------------------------------------------------------------------------------------- LocalResponseNorm


def as_layer(
    output: np.ndarray, parameters: tuple[str, ...] = (), gradient: str = "flows back"
) -> dict[str, Any]:
    """Return what the driver ``layer`` gives for a layer with this output."""
    return {"parameters": list(parameters), "output": output, "gradient": gradient}


def _norm_case(name: str, x: np.ndarray, answer: Any = None, **settings: Any) -> Case:
    expected = None if answer is None else as_layer(np.reshape(answer, x.shape))
    return Case(name, through("alexnet_drivers.layer"), x, answer=expected, **settings)


def _random_norm(rng: np.random.Generator) -> Case:
    shape = (2, int(rng.integers(4, 9)), *(int(s) for s in rng.integers(1, 4, 2)))
    size, k = int(rng.choice([3, 5])), float(rng.uniform(0.5, 1.9))
    alpha, beta = float(rng.uniform(0.5, 3)), float(rng.uniform(0.4, 0.7))
    return _norm_case("random", 2 * rng.standard_normal(shape), size=size, alpha=alpha, beta=beta, k=k)


LocalResponseNorm = Exercise(
    "LocalResponseNorm",
    UNIT,
    points=2,
    parameters=("x", "size", "alpha", "beta", "k"),
    returns="a tensor as large as x",
    oracle=lambda x, device="cpu", **settings: as_layer(torch_response_norm(x, **settings)),
    driven=True,
    cases=(
        _norm_case(
            "one pixel of five channels, by hand",
            FIVE,
            [1 / 6, 2 / 15, 3 / 14, 0, 1 / 2],
            size=3,
            alpha=3.0,
            beta=1.0,
            k=1.0,
        ),
        _norm_case("a window of 5", normal(1, 7, 2, 1), size=5, alpha=2.0, beta=0.6, k=1.5),
        _norm_case("two wide images", 2 * normal(2, 6, 2, 4), size=3, alpha=1.5, beta=0.5, k=0.7),
        _norm_case(
            "as many rows and columns as channels",
            2 * normal(1, 5, 5, 5),
            size=3,
            alpha=1.0,
            beta=0.75,
            k=1.2,
        ),
        _norm_case("AlexNet's settings", 40 * normal(1, 8, 2, 3)),
        _norm_case("images on a GPU, which is pretended", normal(2, 5, 1, 3), device="cuda:0", weight=0.5),
    ),
    random=_random_norm,
    hints=(
        "It is your function of unit 04, with tensors in place of arrays. Which of NumPy's functions did it use, and what are they called in torch?",
        "Square x, put size // 2 channels of zeros before and behind the channels, and add up `size` slices of that, each as many channels long as x. "
        "Keep to torch's functions: a tensor that has been an array has lost its gradient.",
        "`nn.functional.pad(x**2, (0, 0, 0, 0, half, half))` pads the channels, as the pairs of numbers go from the last axis to the first. Then "
        "the sum over i of `squares[:, i : i + x.shape[1]]` for i in range(size).",
    ),
)


def _from_unit_04(wrong: Callable) -> Callable:
    return lambda x, device="cpu", **settings: as_layer(wrong(x, **settings))


for known in local_response_norm.misconceptions:
    if known.name not in (CHANGES_ITS_INPUT, TRUNCATES):  # those are of arrays
        LocalResponseNorm.misconception(known.name, known.hint)(_from_unit_04(known.wrong))


@LocalResponseNorm.misconception(
    "ignores-its-settings",
    "Your layer works with AlexNet's settings whatever it is given. Use self.size, self.alpha, self.beta and self.k.",
)
def _(x, **settings):
    return as_layer(torch_response_norm(x))


@LocalResponseNorm.misconception(
    "leaves-torch",
    "The numbers are right, but no gradient finds its way back: you go through NumPy, .detach(), .data or torch.no_grad(). Compute "
    "with torch's functions from beginning to end.",
)
def _(x, device="cpu", **settings):
    return as_layer(torch_response_norm(x, **settings), gradient="does not flow back")


@LocalResponseNorm.misconception(
    "leaves-torch-for-the-sum",
    "The numbers are right, but the sum of squares went through NumPy, .detach(), .data or torch.no_grad(): no gradient finds its way back through it, only "
    "through the x above. Compute the sum with torch's functions, too.",
)
def _(x, device="cpu", **settings):
    return as_layer(torch_response_norm(x, **settings), gradient="flows back, but not all of it")


@LocalResponseNorm.misconception(
    "makes-tensors-on-the-cpu",
    "Your layer makes a tensor that stays on the CPU when x is on a GPU, and the two meet. New tensors belong on x's device: `x.new_zeros(...)`, "
    "or `nn.functional.pad`, which pads where x is.",
)
def _(x, device="cpu", **settings):
    if device != "cpu":
        raise runs_into("DevicesMeet", words="cpu and")
    return as_layer(torch_response_norm(x, **settings))


# ------------------------------------------------------------------------------------------------- alexnet_stage


def torch_stage(
    row: Row, in_shape: Any, x: Any, dropout: float = 0.5, idea: str = "", training: str = ""
) -> dict[str, Any]:
    """Return what the driver ``stage`` gives for the layers of one row."""
    if idea == "does-not-flatten" and kind(row) == "FC" and np.ndim(x) > 2:
        raise runs_into("RuntimeError")

    def net(tape: Tape, x: torch.Tensor) -> torch.Tensor:
        return stage(tape, x, row, idea)

    drops = kind(row) == "FC" and row[0] != "FC8" and dropout > 0
    words = dropping(dropout) if drops else "nothing is dropped"
    return {**functional.outputs(net, x), "in training": training if drops and training else words}


def _stage_case(name: str, row: Row, x: np.ndarray, **more: Any) -> Case:
    return Case(name, through("alexnet_drivers.stage"), row, x.shape[1:], x, **more)


def _random_stage(rng: np.random.Generator) -> Case:
    filters, size = 2 * int(rng.integers(1, 4)), int(rng.choice([1, 3, 5]))
    groups, padding = int(rng.choice([1, 2])), int(rng.integers(0, 3))
    row = ("CONV2", filters, size, int(rng.integers(1, 4)), padding, groups)
    shape = (2, 2 * int(rng.integers(1, 4)), *(int(s) for s in rng.integers(5, 9, 2)))
    return _stage_case("random", row, rng.standard_normal(shape))


alexnet_stage = Exercise(
    "alexnet_stage",
    UNIT,
    points=4,
    parameters=("row", "in_shape", "x", "dropout"),
    returns="a module",
    oracle=torch_stage,
    driven=True,
    cases=(
        _stage_case("a convolution", ("CONV1", 4, 3, 1, 0, 1), normal(2, 3, 6, 5)),
        _stage_case("a convolution with stride and padding", ("CONV1", 4, 5, 2, 1, 1), normal(2, 3, 8, 8)),
        _stage_case("a convolution in two groups", ("CONV4", 6, 3, 1, 1, 2), normal(2, 4, 5, 5)),
        _stage_case("overlapping pooling", ("MAXPOOL1", 3, 2), normal(2, 3, 7, 6), weight=0.5),
        _stage_case("pooling without overlap", ("MAXPOOL2", 2, 2), normal(2, 3, 5, 6), weight=0.5),
        _stage_case("normalisation", ("NORM1",), 50 * normal(2, 7, 3, 2), weight=0.5),
        _stage_case("a linear layer of maps", ("FC6", 60), normal(8, 2, 3, 2), dropout=0.25, weight=2),
        _stage_case("a linear layer of a row, half dropped", ("FC7", 60), normal(8, 10)),
        _stage_case("the scores", ("FC8", 7), normal(40, 12)),
    ),
    random=_random_stage,
    hints=(
        "Four kinds of row, four answers. Which modules of torch.nn have the numbers of the row as their arguments, and which need to know what "
        "comes in?",
        "CONV: nn.Conv2d with in_shape[0] channels coming in, then nn.ReLU. MAXPOOL: nn.MaxPool2d. NORM: your LocalResponseNorm. FC: "
        "nn.Flatten, nn.Linear with as many inputs as in_shape has values, nn.ReLU, nn.Dropout; the row FC8 ends after the linear layer. "
        "nn.Sequential puts several into one.",
        "`name, *numbers = row`; for a convolution `filters, kernel_size, stride, padding, groups = numbers`, and `groups` goes to nn.Conv2d by "
        "its name. For pooling `nn.MaxPool2d(*numbers)`. A linear layer takes `math.prod(in_shape)` inputs.",
    ),
)


def stage_idea(name: str, hint: str, training: str = "") -> None:
    """Add a wrong idea: one that the table's functions know by its name, or one that shows in training."""

    def wrong(row: Row, in_shape: Any, x: Any, dropout: float = 0.5) -> dict[str, Any]:
        return torch_stage(row, in_shape, x, dropout, name, training)

    alexnet_stage.misconception(name, hint)(wrong)


stage_idea("forgets-the-relu", "There is no ReLU. It follows every convolution, and FC6 and FC7.")
stage_idea(
    "relu-of-the-linear-layers-only",
    "There is no ReLU behind the convolution. Put both into an nn.Sequential.",
)
stage_idea(
    "relu-of-the-convolutions-only", "There is no ReLU behind the linear layer. FC6 and FC7 have one each."
)
stage_idea(
    "relu-on-the-scores",
    "There is a ReLU behind FC8. Scores may be negative: the loss takes them as they are.",
)
stage_idea(
    "ends-in-a-softmax",
    "There is a softmax behind FC8. The loss has it in it already: FC8 ends with its scores.",
)
stage_idea("forgets-the-padding", "The padding of the row is missing in your convolution.")
stage_idea("forgets-the-stride", "The stride of the row is missing in your convolution.")
stage_idea(
    "swaps-stride-and-padding",
    "You took the stride for the padding. The row has kernel_size, stride, padding, in the order in which nn.Conv2d has them.",
)
stage_idea(
    "ignores-the-groups",
    "Your convolution has one group. The last number of the row is `groups`; nn.Conv2d takes it by that name.",
)
stage_idea(
    "groups-for-dilation",
    "The sixth number that nn.Conv2d takes by its place is `dilation`, and the seventh `groups`. Hand the row's last number over by name: "
    "`groups=groups`.",
)
stage_idea("leaves-the-biases-out", "Your layers have no biases (bias=False). In AlexNet they all have them.")
stage_idea(
    "pools-without-overlap",
    "The stride of the pooling is missing: nn.MaxPool2d then takes kernel_size for it. Hand both numbers of the row on.",
)
stage_idea("averages", "You pool by averages. The row says MAXPOOL: take the maximum.")
stage_idea(
    "torchs-own-k",
    "Your normalisation has k = 1, which is what torch's own nn.LocalResponseNorm takes if nobody says otherwise. AlexNet has k = 2: use "
    "your LocalResponseNorm.",
)
stage_idea(
    "does-not-flatten",
    "A linear layer takes rows, and maps come in. Begin with nn.Flatten(): a row that comes in, it leaves as it is.",
)
stage_idea(
    "flattens-channels-last", "You flatten with the channels last. nn.Flatten takes the values as they lie."
)
stage_idea(
    "forgets-the-dropout",
    "FC6 and FC7 drop outputs in training: nn.Dropout(dropout) behind the ReLU.",
    "nothing is dropped",
)
stage_idea(
    "drops-other-than-the-outputs",
    "Something is dropped, but not the outputs of this layer. As in the paper, nn.Dropout comes last, behind the ReLU. (torchvision has it before the "
    "linear layer.) FC8 drops nothing.",
    "not dropout of the outputs, but something else",
)


@alexnet_stage.misconception(
    "leaves-a-list-packed",
    "nn.Sequential wants the layers one by one, and you hand it a list of them. A star unpacks the list: `nn.Sequential(*layers)`.",
)
def _(row, in_shape, x, dropout=0.5):
    if kind(row) in ("CONV", "FC"):
        raise runs_into("TypeError", words="list is not a Module subclass")
    return torch_stage(row, in_shape, x, dropout)


@alexnet_stage.misconception(
    "always-drops-half", "You drop half whatever `dropout` says. Hand it on: nn.Dropout(dropout)."
)
def _(row, in_shape, x, dropout=0.5):
    return torch_stage(row, in_shape, x)


@alexnet_stage.misconception(
    "drops-the-scores", "FC8 drops some of its outputs in training. It gives the scores: no dropout there."
)
def _(row, in_shape, x, dropout=0.5):
    found = torch_stage(row, in_shape, x, dropout)
    return found | ({"in training": dropping(dropout)} if row[0] == "FC8" else {})


@alexnet_stage.misconception(
    "treats-fc8-like-the-others",
    "FC8 ends in a ReLU and dropout, like FC6 and FC7. It gives the scores: after its linear layer comes nothing.",
)
def _(row, in_shape, x, dropout=0.5):
    if row[0] != "FC8":
        return torch_stage(row, in_shape, x, dropout)
    return torch_stage(row, in_shape, x, dropout, "relu-on-the-scores") | {"in training": dropping(dropout)}
