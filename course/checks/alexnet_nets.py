"""Unit 09: AlexNet, judged by the shapes of their parameters, their number, and what they compute.

The oracle is a table computed by torch's functions on numbered tensors; a net of full size is only counted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from course.checks import functional
from course.checks.alexnet_shapes import torch_shapes
from course.checks.alexnet_tables import ALEXNET, TWO_GPU, UNIT, Table, kind, net
from course.checks.exercise import Case, Exercise, normal, runs_into
from course.checks.functional import Tape
from course.checks.recipe import through
from course.checks.torch_drivers import shape_words

# -------------------------------------------------------------------------------------------------------- AlexNet

CHANGES_THE_TABLE = (
    "You write into the table that was handed in (`layers[-1] = ...`, .append, .pop), so that ALEXNET or TWO_GPU itself is another one from now on. "
    "Make a new list: `[*layers[:-1], ...]`. Then run the cell with the table once more, which puts it right."
)


def filled(setup: Sequence[Any]) -> tuple[int, Table, int]:
    """Return num_classes, layers and size, the ones that are not given as AlexNet has them."""
    usual: list[Any] = [1000, ALEXNET, 227]
    num_classes, layers, size = [*setup, *usual[len(setup) :]]
    return num_classes, layers, size


def torch_alexnet(
    setup: Sequence[Any],
    x: Any = None,
    dropout: float | None = None,
    idea: str = "",
    table: Table | None = None,
) -> dict[str, Any]:
    """Return what the drivers of a net give: with x its output; without x only its parameters are counted.

    setup: num_classes, layers, size, as far as they are given. dropout: given where training is looked at as well.
    ``table`` is what a wrong idea builds in place of it.
    """
    num_classes, layers, size = filled(setup)
    layers = layers if table is None else table
    if idea == "works-for-227-only":
        with_size = functional.shapes(lambda tape, x: net(tape, x, num_classes, layers), (1, 3, 227, 227))
        if x is not None and with_size != functional.shapes(
            lambda t, x: net(t, x, num_classes, layers), np.shape(x)
        ):
            raise runs_into("RuntimeError")
        size = 227

    def forward(tape: Tape, x: torch.Tensor) -> torch.Tensor:
        return net(tape, x, num_classes, layers, idea)

    if x is None:
        return functional.parameters(forward, (1, 3, size, size))
    found = functional.outputs(forward, x)
    return found if dropout is None else found | in_training(dropout)


def in_training(dropout: float) -> dict[str, str]:
    """Return what the driver ``both_modes`` says of a net with this dropout."""
    return {"in training": "something is dropped" if dropout else "nothing is dropped"}


SMALL: Table = [
    ("CONV1", 6, 5, 2, 1, 1),
    ("MAXPOOL1", 3, 2),
    ("NORM1",),
    ("CONV2", 8, 3, 1, 1, 2),
    ("MAXPOOL2", 3, 2),
    ("FC6", 12),
    ("FC7", 10),
    ("FC8", 1000),
]
TINY: Table = [("CONV1", 4, 3, 1, 0, 1), ("MAXPOOL1", 2, 2), ("FC8", 10)]


def loud(*shape: int) -> np.ndarray:
    """Return images loud enough for local response normalisation to show."""
    return 60 * normal(*shape)


def _computed(name: str, x: np.ndarray, *setup: Any, **more: Any) -> Case:
    return Case(name, through("torch_drivers.outputs"), list(setup), x, **more)


def _counted(name: str, *setup: Any, **more: Any) -> Case:
    return Case(name, through("torch_drivers.parameters"), list(setup), **more)


AlexNet = Exercise(
    "AlexNet",
    UNIT,
    points=3,
    parameters=("arguments", "x", "dropout"),
    returns="a module",
    oracle=torch_alexnet,
    driven=True,
    cases=(
        _computed("a net of three rows", normal(2, 3, 8, 8), 3, TINY, 8),
        _computed("a small AlexNet of seven classes", loud(2, 3, 33, 33), 7, SMALL, 33, weight=2),
        _computed("the same on other images", loud(1, 3, 41, 41), 5, SMALL, 41),
        Case(
            "without dropout, in training too",
            through("alexnet_drivers.both_modes"),
            [6, SMALL, 33],
            loud(3, 3, 33, 33),
            dropout=0.0,
        ),
        Case(
            "with dropout, in training",
            through("alexnet_drivers.both_modes"),
            [4, SMALL, 33],
            loud(2, 3, 33, 33),
            dropout=0.6,
        ),
        _counted("the parameters of AlexNet"),
        _counted("of AlexNet for ten classes", 10),
        _counted("of the two-GPU net", 1000, TWO_GPU),
    ),
    hints=(
        "alexnet_stage needs, for each row, the shape of what comes in. Where can you read that shape off?",
        "Change the last row so that it has num_classes units. alexnet_shapes then gives the shape behind each row, the input's first: what comes "
        "into a row is the shape of the line before. One alexnet_stage for each row, in order, in one nn.Sequential.",
        "`layers = [*layers[:-1], ('FC8', num_classes)]`. Then `zip(layers, shapes)` pairs each row with what comes into it, as shapes "
        "begins with the input.",
    ),
)


def net_idea(exercise: Exercise, name: str, hint: str, **more: Any) -> None:
    """Add a wrong idea that the table's functions know by its name."""

    def wrong(setup: Sequence[Any], x: Any = None, dropout: float | None = None) -> dict[str, Any]:
        return torch_alexnet(setup, x, dropout, name, **more)

    exercise.misconception(name, hint)(wrong)


net_idea(
    AlexNet,
    "ignores-num-classes",
    "Your last layer has as many units as the table says. It should have num_classes: put that into the last row first.",
)
net_idea(
    AlexNet,
    "works-for-227-only",
    "Your FC6 fits images of 227 x 227 only. Hand `size` on to alexnet_shapes.",
)
net_idea(
    AlexNet,
    "leaves-the-norms-out",
    "There is no normalisation in your net: the rows NORM1 and NORM2 count too.",
)
net_idea(
    AlexNet, "ends-in-a-softmax", "Your net ends in a softmax. The loss has it in it: end with the scores."
)
net_idea(
    AlexNet,
    "relu-on-the-scores",
    "There is a ReLU behind the last layer. Scores may be negative: its row must be called FC8.",
)
net_idea(AlexNet, "forgets-the-relu", "There are no ReLUs in your net. They come with alexnet_stage.")
net_idea(
    AlexNet, "ignores-the-groups", "Your net has no groups: hand the rows on whole, as they are in the table."
)
net_idea(AlexNet, "leaves-the-biases-out", "Your layers have no biases. In AlexNet they all have them.")


@AlexNet.misconception(
    "ignores-the-table",
    "You build the AlexNet of 2012 whatever table is handed in. Use the argument `layers`: smaller nets come from it too.",
)
def _(setup, x=None, dropout=None):
    if x is not None:
        raise runs_into("RuntimeError")
    return torch_alexnet(setup[:1])


@AlexNet.misconception(
    "keeps-its-stages-in-a-list",
    "Your net has no parameters: a plain list hides its modules from PyTorch. Put them into an nn.Sequential.",
)
def _(setup, x=None, dropout=None):
    if x is not None:
        raise runs_into("TypeError", "RuntimeError", words=("object is not callable", "should be the same"))
    return {"parameters": [], "count": 0}


@AlexNet.misconception(
    "leaves-a-list-packed",
    "nn.Sequential wants the stages one by one, and you hand it a list of them. A star unpacks the list: `nn.Sequential(*stages)`.",
)
def _(setup, x=None, dropout=None):
    raise runs_into("TypeError", words="list is not a Module subclass")


@AlexNet.misconception(
    "forgets-the-dropout",
    "Nothing is dropped in your net: FC6 and FC7 drop outputs in training. Make the stages by alexnet_stage, with `dropout` as its third argument.",
)
def _(setup, x=None, dropout=None):
    return torch_alexnet(setup, x, None if dropout is None else 0.0)


@AlexNet.misconception(
    "builds-rows-for-their-own-output",
    "Each of your stages is made for the shape that it gives, not for the one that it gets. What comes into a row is the shape of the line before; "
    "what comes into the first is the INPUT.",
)
def _(setup, x=None, dropout=None):
    if x is not None:
        raise runs_into("RuntimeError", "ValueError")
    num_classes, layers, size = filled(setup)
    shapes: list[tuple[int, ...]] = []
    for row, (after, _) in zip(layers, list(torch_shapes(layers, size).values())[1:], strict=True):
        if kind(row) == "CONV":
            shapes += [(row[1], row[1] // row[5], row[2], row[2]), (row[1],)]
        elif kind(row) == "FC":
            units = num_classes if row[0] == "FC8" else row[1]
            shapes += [(units, after[0] if row[0] != "FC8" else units), (units,)]
    words = [shape_words(shape) for shape in shapes]
    return {"parameters": words, "count": sum(int(torch.Size(shape).numel()) for shape in shapes)}


@AlexNet.misconception(
    "drops-the-last-row",
    "The last row of the table is missing in your net: change its number, but keep it.",
)
def _(setup, x=None, dropout=None):
    _, layers, size = filled(setup)
    return torch_alexnet([layers[-2][1] if len(layers[-2]) == 2 else 0, layers[:-1], size], x, dropout)


@AlexNet.misconception(
    "adds-a-layer-of-scores",
    "Your net has one layer too many. num_classes takes the place of the last row's number; it is not another row.",
)
def _(setup, x=None, dropout=None):
    num_classes, layers, size = filled(setup)
    renamed = [("FC9", *row[1:]) if row[0] == "FC8" else row for row in layers]
    return torch_alexnet([num_classes, [*renamed, ("FC8", num_classes)], size], x, dropout)


@AlexNet.misconception(
    "ignores-its-dropout",
    "Your net drops half of the outputs whatever `dropout` says. Hand it on to alexnet_stage, as its third argument.",
)
def _(setup, x=None, dropout=None):
    return torch_alexnet(setup, x, None if dropout is None else 0.5)


def of_tables(exercise: Exercise) -> None:
    """Let the wrong idea of changing an input, which is told for arrays, speak of tables."""
    exercise.misconceptions[0] = dataclasses.replace(exercise.misconceptions[0], hint=CHANGES_THE_TABLE)


of_tables(AlexNet)
