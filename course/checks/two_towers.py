"""Unit 09: the net of two towers, judged on two devices that are only pretended.

The oracle computes both towers by torch's functions on numbered tensors. ``idea`` puts one wrong idea into it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course.checks import functional
from course.checks.alexnet_nets import SMALL, loud, of_tables
from course.checks.alexnet_shapes import torch_shapes
from course.checks.alexnet_tables import TWO_GPU, UNIT, Row, Table, connected, kind, stage
from course.checks.exercise import Case, Exercise, Refusal, normal, runs_into
from course.checks.functional import Tape
from course.checks.recipe import through


def halved(row: Row) -> Row:
    """Return a row for one tower: half the filters or units, and no groups."""
    name, *numbers = row
    if kind(row) == "CONV":
        return (name, numbers[0] // 2, *numbers[1:4], 1)
    return (name, numbers[0] // 2) if kind(row) == "FC" else row


def sees_both(row: Row, idea: str = "") -> bool:
    """Return whether a tower's half of a row takes the maps of both towers."""
    if idea in ("never-crosses", "always-crosses"):
        return kind(row) in ("CONV", "FC") and idea == "always-crosses"
    if kind(row) == "FC":
        return idea != "crosses-in-the-convolutions-only"
    return kind(row) == "CONV" and row[5] == 1 and idea != "crosses-in-the-linear-layers-only"


def joined(a: Tensor, b: Tensor, idea: str = "") -> tuple[Tensor, Tensor]:
    """Return what each tower sees of both."""
    if idea == "own-maps-first":
        return torch.cat([a, b], 1), torch.cat([b, a], 1)
    if idea == "adds-the-towers":
        return a + b, a + b
    both = torch.cat([a, b], 1)
    return both, both


def normalised(row: Row, a: Tensor, b: Tensor, tape: Tape) -> tuple[Tensor, Tensor]:
    """Return a row computed on the maps of both towers together, each tower's share of it."""
    first, second = stage(tape, torch.cat([a, b], 1), row).chunk(2, 1)
    return first, second


def towers(tape: Tape, x: Tensor, num_classes: int, layers: Table, idea: str = "") -> Tensor:
    """Return the scores of the net of two towers."""
    a = b = x
    for place, row in enumerate(layers[:-1]):
        if kind(row) == "NORM" and idea == "normalises-across-the-towers":
            a, b = normalised(row, a, b, tape)
            continue
        if place and sees_both(row, idea):
            a, b = joined(a, b, idea)
        whole = row if idea == "keeps-all-the-filters" else halved(row)
        a, b = stage(tape, a, whole), stage(tape, b, whole)
    if idea == "one-tower-decides":
        return connected(tape, a, num_classes, True)
    if idea == "splits-the-scores":
        a, b = joined(a, b)
        halves = [connected(tape, t, num_classes // 2, True) for t in (a, b)]
        return torch.cat(halves, 1)
    return connected(tape, torch.cat([a, b], 1), num_classes, True)


def torch_towers(num_classes: int, layers: Table, size: int, x: Any, idea: str = "") -> dict[str, Any]:
    """Return what the driver ``two_towers`` gives."""

    def net(tape: Tape, x: Tensor) -> Tensor:
        return towers(tape, x, num_classes, layers, idea)

    found = functional.outputs(net, x)
    pairs = (len(found["parameters"]) - 2) // 4
    return {
        "parameters": found["parameters"],
        "devices": ["first", "first", "second", "second"] * pairs + ["first"] * 2,
        "output": found["output"],
    }


def counted(setup: Sequence[Any], idea: str = "") -> dict[str, Any]:
    """Return what torch_drivers.parameters gives for the net of full size."""
    num_classes = setup[0] if setup else 1000
    return functional.parameters(
        lambda tape, x: towers(tape, x, num_classes, TWO_GPU, idea), (1, 3, 227, 227)
    )


def either(*args: Any, idea: str = "") -> dict[str, Any]:
    """Return what the driver of the case gives: two_towers with four arguments, parameters with one."""
    if len(args) == 4:
        num_classes, layers, size, x = args
        return torch_towers(num_classes, layers, size, x, idea)
    return counted(args[0], idea)


CROSSING: Table = [
    ("CONV1", 4, 3, 2, 0, 1),
    ("CONV2", 6, 3, 1, 1, 2),
    ("MAXPOOL2", 3, 2),
    ("CONV3", 8, 3, 1, 1, 1),
    ("CONV4", 6, 3, 1, 1, 2),
    ("FC6", 10),
    ("FC7", 8),
    ("FC8", 1000),
]
SHORT: Table = [("CONV1", 4, 3, 1, 0, 1), ("MAXPOOL1", 2, 2), ("FC8", 10)]


def _case(name: str, num_classes: int, layers: Table, x: np.ndarray, **more: Any) -> Case:
    return Case(name, through("alexnet_drivers.two_towers"), num_classes, layers, x.shape[2], x, **more)


TwoTowerAlexNet = Exercise(
    "TwoTowerAlexNet",
    UNIT,
    points=5,
    parameters=("num_classes", "layers", "size", "x"),
    returns="a module",
    oracle=either,
    driven=True,
    cases=(
        _case("each tower its own convolution", 3, SHORT, normal(2, 3, 8, 8)),
        _case("two that go on alone, then the normalisation", 4, SMALL, loud(2, 3, 33, 33)),
        _case("the towers meet, and part again", 5, CROSSING, normal(2, 3, 21, 21), weight=2),
        Case("the parameters of the two-GPU net", through("torch_drivers.parameters"), []),
    ),
    hints=(
        "Take the rows one by one. For each, ask twice: what comes into the first tower's half, and what into the second's? Either its own "
        "maps or those of both.",
        "In __init__: for each row but the last, two modules made by alexnet_stage from half(row), each sent to its device; keep the pairs in "
        "an nn.ModuleList of nn.ModuleLists. in_shape is that of the whole net where the row sees both, and has half the channels where it does not. In "
        "forward: two tensors, a and b, each on its device; before a row that sees both, each becomes torch.cat of a and b, on its own device.",
        "`torch.cat([a, b.to(a.device)], dim=1)` is what the first tower sees of both; the second has `[a.to(b.device), b]`, in the same order. "
        "CONV1 is the exception: both halves take the image itself. FC8 is one module, on the first device.",
    ),
)


def tower_idea(name: str, hint: str) -> None:
    """Add a wrong idea that ``towers`` knows by its name."""

    def wrong(*args: Any) -> dict[str, Any]:
        return either(*args, idea=name)

    TwoTowerAlexNet.misconception(name, hint)(wrong)


tower_idea(
    "never-crosses",
    "Your towers never meet before the last layer. CONV3 and the linear layers see the maps of both: sees_both(row) says which rows do.",
)
tower_idea(
    "always-crosses",
    "Each of your halves sees the maps of both towers. A convolution in two groups sees those of its own tower only.",
)
tower_idea(
    "crosses-in-the-convolutions-only",
    "FC6 and FC7 see only their own tower in your net. In the linear layers each half takes what both towers have computed.",
)
tower_idea(
    "crosses-in-the-linear-layers-only",
    "CONV3 sees only its own tower in your net. Its row has one group: each half takes the maps of both.",
)
tower_idea(
    "own-maps-first",
    "Each of your towers puts its own maps first. Both must see them in the same order, the first tower's before the second's, or the weights of "
    "elsewhere meet the wrong maps.",
)
tower_idea(
    "adds-the-towers",
    "You add the maps of the two towers up. They lie one behind the other: torch.cat along the channels.",
)
tower_idea(
    "normalises-across-the-towers",
    "You normalise the maps of both towers together. A GPU has only its own maps there: each half normalises those.",
)
tower_idea(
    "keeps-all-the-filters",
    "Each of your towers has all the filters. A tower has half of them: make its stages from half(row).",
)
tower_idea(
    "one-tower-decides",
    "FC8 sees only the first tower. It takes what both have computed: torch.cat once more.",
)
tower_idea(
    "splits-the-scores",
    "You cut FC8 in two as well. It is one layer, on the first device, and takes both towers.",
)


@TwoTowerAlexNet.misconception(
    "everything-on-one-device",
    "The numbers are right, but your net lies on the first device alone. Send each tower's modules to its own device when you make "
    "them: `.to(device)`.",
)
def _(*args):
    found = either(*args)
    return found | ({"devices": ["first"] * len(found["devices"])} if "devices" in found else {})


@TwoTowerAlexNet.misconception(
    "never-leaves-the-cpu",
    "Your modules stay on the CPU. Send them to the devices in __init__: `.to(device)`.",
)
def _(*args):
    found = either(*args)
    return found | ({"devices": ["cpu"] * len(found["devices"])} if "devices" in found else {})


def runs_aground(name: str, hint: str, how: Callable[[int, Table, int, Any], Refusal | None]) -> None:
    """Add a wrong idea that ends in an exception when the net computes, where ``how`` returns one."""

    @TwoTowerAlexNet.misconception(name, hint)
    def _(*args: Any) -> dict[str, Any]:
        refusal = how(*args) if len(args) == 4 else None
        if refusal:
            raise refusal
        return either(*args)


runs_aground(
    "leaves-something-on-the-cpu",
    "Tensors of the CPU and of a device met. Two things may have stayed on the CPU: modules, which `module.to(device)` sends to their device in "
    "__init__ (FC8 too), or the image, which goes to each tower's device first: `x.to(device)`.",
    lambda *args: runs_into("DevicesMeet", words="cpu and"),
)
runs_aground(
    "lets-the-towers-meet",
    "Tensors of the two devices met. Before torch.cat the other tower's maps are fetched, `b.to(a.device)`, and the same the other way round. FC8, and what it "
    "takes, lie on the first device.",
    lambda *args: runs_into("DevicesMeet", words="cuda:0 and cuda:1"),
)


def misfit(layers: Table, size: int, n: int, batch: float, wide: float) -> Refusal | None:
    """Return the exception where the first row after CONV1 that takes both towers gets ``wide`` times the channels, ``batch`` times the images."""
    entries = list(torch_shapes(layers, size).values())
    for place, row in enumerate(layers):
        if place and sees_both(row):
            shape, values = entries[place][0], math.prod(entries[place][0])
            conv = f"to have {shape[0]} channels, but got {int(wide * shape[0])} channels"
            rows = f"({int(batch * n)}x{int(wide * values)} and {values}x"
            return runs_into("RuntimeError", words=conv if kind(row) == "CONV" else rows)
    return None


runs_aground(
    "joins-the-images",
    "CONV1 gets 6 channels. Both halves take the image itself, of 3 channels, and not two images one behind the other.",
    lambda *args: runs_into("RuntimeError", words="to have 3 channels, but got 6 channels"),
)
runs_aground(
    "joins-with-the-joined",
    "The second tower gets too many maps: `a` was joined already when `b` was joined with it. Work out both before you give either a new name: "
    "`a, b = ..., ...`.",
    lambda num_classes, layers, size, x: misfit(layers[:-1], size, len(x), 1, 1.5),
)
runs_aground(
    "joins-along-the-batch",
    "You put the towers' maps together as if they were more images. They are channels of the same images: torch.cat along dim=1.",
    lambda num_classes, layers, size, x: misfit(layers, size, len(x), 2, 0.5),
)


@TwoTowerAlexNet.misconception(
    "registers-tower-by-tower",
    "Your parameters are in the order of the towers: all of the first, then all of the second. Make them layer by layer, both halves of one before "
    "those of the next, so that weights from elsewhere load by their place.",
    when=lambda value, *args: isinstance(value, dict) and is_tower_by_tower(value, either(*args)),
)
def _(*args):
    found = either(*args)
    return found | {"parameters": tower_by_tower(found["parameters"])}


def tower_by_tower(words: list[str]) -> list[str]:
    """Return the parameters of the pairs in another order: the first tower's, then the second's."""
    pairs, last = words[:-2], words[-2:]
    first = [word for i, word in enumerate(pairs) if i % 4 < 2]
    return [*first, *(word for i, word in enumerate(pairs) if i % 4 >= 2), *last]


def is_tower_by_tower(value: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Return whether parameters come in the order of the towers, where that shows."""
    other = tower_by_tower(expected["parameters"])
    return other != expected["parameters"] and value.get("parameters") == other


@TwoTowerAlexNet.misconception(
    "hides-its-modules-in-a-list",
    "The net does not know of the parameters of its rows. A plain list hides modules from PyTorch: put each pair into an nn.ModuleList, and the pairs into "
    "another.",
)
def _(*args):
    if len(args) == 4:  # the net is moved to float64, and the hidden modules are not
        raise runs_into("RuntimeError", words="should be the same")
    found = counted(args[0])["parameters"][-2:]
    sizes = [[int(side) for side in word.split(" x ")] for word in found]
    return {"parameters": found, "count": sum(map(math.prod, sizes))}


of_tables(TwoTowerAlexNet)
