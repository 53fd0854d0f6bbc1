"""Unit 09: ZFNet, judged by its parameters and by the sizes of its maps; nothing of it is computed."""

from __future__ import annotations

from typing import Any

from course.checks.alexnet_nets import torch_alexnet
from course.checks.alexnet_shapes import torch_shapes
from course.checks.alexnet_tables import ALEXNET, UNIT, Table, kind
from course.checks.exercise import Case, Exercise
from course.checks.recipe import through
from course.checks.torch_drivers import shape_words

MAPS = "maps of the convolutions"


def changed(**rows: tuple[Any, ...]) -> Table:
    """Return AlexNet's table with other numbers in some rows."""
    return [(row[0], *rows.get(row[0], row[1:])) for row in ALEXNET]


WIDER = {"CONV3": (512, 3, 1, 1, 1), "CONV4": (1024, 3, 1, 1, 1), "CONV5": (512, 3, 1, 1, 1)}
SMALLER_STEPS = {"CONV1": (96, 7, 2, 0, 1), "CONV2": (256, 5, 2, 2, 1)}


def torch_zfnet(num_classes: int, size: int, table: Table | None = None) -> dict[str, Any]:
    """Return what the driver ``traced`` gives for a table's net, ZFNet's if none is given."""
    table = table or changed(**SMALLER_STEPS, **WIDER)
    found, entries = torch_alexnet([num_classes], table=table), torch_shapes(table, size)
    maps = [shape_words(entries[row[0]][0]) for row in table if kind(row) == "CONV"]
    return {**found, MAPS: maps, "output": shape_words((1, num_classes)), "ALEXNET": "as it was"}


ZFNet = Exercise(
    "ZFNet",
    UNIT,
    points=2,
    parameters=("num_classes", "size"),
    returns="a module",
    oracle=torch_zfnet,
    driven=True,
    cases=(
        Case("ZFNet", through("alexnet_drivers.traced"), 1000, 227),
        Case("ZFNet for twenty classes", through("alexnet_drivers.traced"), 20, 227),
    ),
    hints=(
        "Which five rows of ALEXNET change? Write the new ones down next to the old ones, number by number.",
        "Make a new table in which these five rows are replaced and the other eight are as they were; ALEXNET itself must not change. "
        "AlexNet(num_classes, table) builds it.",
        'A dictionary from names to new rows helps: `[new.get(row[0], row) for row in ALEXNET]`, where new["CONV1"] is ("CONV1", 96, 7, 2, 0, 1).',
    ),
)


def zf_idea(name: str, hint: str, **rows: tuple[Any, ...]) -> None:
    """Add a wrong idea: ZFNet's table with some rows changed."""
    table = changed(**{**SMALLER_STEPS, **WIDER, **rows})

    def wrong(num_classes: int, size: int) -> dict[str, Any]:
        return torch_zfnet(num_classes, size, table)

    ZFNet.misconception(name, hint)(wrong)


zf_idea(
    "keeps-the-stride-of-conv2",
    "Your CONV2 has stride 1 still, so that FC6 alone has 354 million weights. The maps are twice as large now: CONV2 takes stride 2.",
    CONV2=(256, 5, 1, 2, 1),
)
zf_idea(
    "keeps-the-stride-of-conv1",
    "Your CONV1 has 7 x 7 filters, but stride 4 still. It is 2 now.",
    CONV1=(96, 7, 4, 0, 1),
)
zf_idea(
    "keeps-11-x-11",
    "The filters of your CONV1 are 11 x 11 still. In ZFNet they are 7 x 7.",
    CONV1=(96, 11, 2, 0, 1),
)
zf_idea(
    "keeps-the-filters",
    "CONV3, CONV4 and CONV5 have AlexNet's filters still. In ZFNet they are 512, 1024 and 512.",
    CONV3=(384, 3, 1, 1, 1),
    CONV4=(384, 3, 1, 1, 1),
    CONV5=(256, 3, 1, 1, 1),
)
zf_idea(
    "512-three-times",
    "CONV4 has 512 filters in your net. The three are 512, 1024 and 512.",
    CONV4=(512, 3, 1, 1, 1),
)
zf_idea(
    "1024-in-conv5",
    "CONV5 has 1,024 filters in your net. The three are 512, 1024 and 512: the middle one is the widest.",
    CONV5=(1024, 3, 1, 1, 1),
)
zf_idea(
    "keeps-both-strides",
    "CONV1 and CONV2 have AlexNet's strides still, 4 and 1. In ZFNet each has a stride of 2.",
    CONV1=(96, 7, 4, 0, 1),
    CONV2=(256, 5, 1, 2, 1),
)
zf_idea(
    "no-padding-in-conv2",
    "CONV2 has lost its padding of 2. Only its stride changes.",
    CONV2=(256, 5, 2, 0, 1),
)
zf_idea(
    "less-padding-in-conv2",
    "CONV2 has a padding of 1. In AlexNet it is 2, and the paddings do not change.",
    CONV2=(256, 5, 2, 1, 1),
)
zf_idea(
    "pads-conv1",
    "CONV1 has a padding of 1. In AlexNet it has none, and the paddings do not change.",
    CONV1=(96, 7, 2, 1, 1),
)


@ZFNet.misconception(
    "is-alexnet-still",
    "Your net has AlexNet's parameters: the table that you changed is not the one that is built.",
)
def _(num_classes, size):
    return torch_zfnet(num_classes, size, ALEXNET)


@ZFNet.misconception(
    "always-1000-classes", "Your ZFNet has 1,000 classes whatever it is asked for. Hand num_classes on."
)
def _(num_classes, size):
    return torch_zfnet(1000, size)


@ZFNet.misconception(
    "changes-alexnet",
    "The table ALEXNET is not what it was: your ZFNet writes into it, or did so before (`layers = ALEXNET` is no copy), and AlexNet() is another net from then "
    "on. Make a new list: `list(ALEXNET)`. Then run the cell with the table once more, which puts it right.",
    when=lambda value, *args: isinstance(value, dict) and value.get("ALEXNET") == "changed",
)
def _(num_classes, size):
    return torch_zfnet(num_classes, size) | {"ALEXNET": "changed"}
