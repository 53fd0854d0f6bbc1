"""Unit 09: the table of AlexNet, line by line.

The oracle runs torch on tensors without content and reads shapes off. A misconception is that with one wrong idea in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course.checks.alexnet_tables import ALEXNET, TWO_GPU, UNIT, Table, kind, stage
from course.checks.compare import quoted
from course.checks.exercise import Case, Exercise, Refusal
from course.checks.functional import Tape

Entry = tuple[tuple[int, ...], int]  # a layer's output shape and its number of parameters


def torch_shapes(layers: Table = ALEXNET, size: int = 227, idea: str = "") -> dict[str, Entry]:
    """Return each layer's output shape and number of parameters, from torch."""
    tape, x = Tape(), torch.empty(1, 3, size, size, device="meta", dtype=torch.float64)
    entries: dict[str, Entry] = {"INPUT": ((3, size, size), 0)}
    for row in layers:
        before = len(tape.shapes)
        try:
            x = stage(tape, x, row, idea)
        except RuntimeError as error:
            raise Refusal("the shapes do not fit") from error
        entries[row[0]] = tuple(x.shape[1:]), sum(math.prod(shape) for shape in tape.shapes[before:])
    return entries


def judge(value: Any, layers: Table = ALEXNET, size: int = 227) -> str:
    """Return what is wrong with a table, in a sentence, or an empty string."""
    expected = torch_shapes(layers, size)
    if value is None:
        return "It returned None. Does the function end in `return ...`?"
    if not isinstance(value, dict):
        return "A dictionary was expected: the name of each layer, and with it (output shape, parameters)."
    if missing := [name for name in expected if name not in value]:
        return f"The dictionary has no {missing[0]!r}; it has {quoted(*value) or 'nothing'}."
    if extra := [name for name in value if name not in expected]:
        return f"The dictionary has {quoted(extra[0])}, which is not in the table."
    wrong = (judge_entry(name, value[name], entry) for name, entry in expected.items())
    return next((sentence for sentence in wrong if sentence), "")


def judge_entry(name: str, got: Any, expected: Entry) -> str:
    """Return what is wrong with one line of the table."""
    if not isinstance(got, list | tuple) or len(got) != 2:
        return f"{name}: expected the pair {expected}, got {quoted(got)}"
    for what, one, right in zip(("output shape", "parameters"), map(tidy, got), expected, strict=True):
        if one != right:
            return f"{name}: expected {what} {right}, got {quoted(one)}"
        if has_floats(one):
            return f"{name}: {what} {one} must be whole numbers. Try // in place of /."
    return ""


def tidy(value: Any) -> Any:
    """Return arrays and lists as tuples."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return tuple(map(tidy, value)) if isinstance(value, list | tuple) else value


def has_floats(value: Any) -> bool:
    """Return whether a number, or one in a tuple, is a float."""
    return any(map(has_floats, value)) if isinstance(value, tuple) else isinstance(value, float)


def _random_table(rng: np.random.Generator) -> Case:
    """Return a small table, of a kind that nobody has worked out before."""
    groups = int(rng.integers(1, 3))
    layers = [
        ("CONV1", 2 * int(rng.integers(2, 9)), int(rng.choice([5, 7])), int(rng.integers(2, 4)), int(rng.integers(0, 3)), 1),
        ("MAXPOOL1", 3, 2),
        ("NORM1",),
        ("CONV2", 2 * int(rng.integers(2, 9)), int(rng.choice([3, 5])), 1, int(rng.integers(1, 3)), groups),
        ("MAXPOOL2", int(rng.integers(2, 4)), 2),
        ("FC6", int(rng.integers(5, 40))),
        ("FC8", int(rng.integers(2, 12))),
    ]  # fmt: skip
    return Case("random", layers, int(rng.integers(40, 70)))


ONE_CONV = [("CONV1", 2, 3, 2, 1, 1), ("MAXPOOL1", 2, 2), ("FC8", 5)]

alexnet_shapes = Exercise(
    "alexnet_shapes",
    UNIT,
    points=4,
    parameters=("layers", "size"),
    returns="a dictionary of pairs",
    oracle=torch_shapes,
    check_answer=judge,
    cases=(
        Case(
            "three rows, by hand",
            ONE_CONV,
            7,
            answer={
                "INPUT": ((3, 7, 7), 0),
                "CONV1": ((2, 4, 4), 56),
                "MAXPOOL1": ((2, 2, 2), 0),
                "FC8": ((5,), 45),
            },
        ),
        Case("one convolution in two groups", [("CONV1", 4, 3, 1, 0, 1), ("CONV2", 6, 3, 1, 1, 2)], 9),
        Case("no padding, no stride", [("CONV1", 4, 5, 1, 0, 1), ("NORM1",), ("MAXPOOL1", 3, 2)], 15),
        Case(
            "windows that do not fit",
            [("CONV1", 4, 3, 4, 0, 1), ("MAXPOOL1", 2, 4), ("FC8", 2)],
            34,
            weight=0.5,
        ),
        Case("AlexNet", weight=2),
        Case("AlexNet on images of 224", ALEXNET, size=224),
        Case("the two-GPU net", TWO_GPU),
    ),
    random=_random_table,
    hints=(
        "Walk through the rows with one variable that holds the shape so far, beginning with (3, size, size). Which of the four kinds of row "
        "changes the number of channels? Which have parameters?",
        "CONV: both sides shrink by the formula of unit 01, the channels become `filters`; each filter has kernel_size² weights for each of the "
        "channels / groups that it sees, and one bias. MAXPOOL: the same formula without padding. NORM: nothing. FC: each unit has a weight "
        "for every value that comes in, and one bias.",
        "`name, *numbers = row` takes a row apart, `name.startswith('CONV')` tells its kind. A side is (side + 2 * padding - kernel_size) // "
        "stride + 1. Parameters: filters * (channels // groups * kernel_size**2 + 1), and units * (math.prod(shape) + 1).",
    ),
)


def idea(
    name: str, hint: str, change: Callable[[dict[str, Entry], Table], dict[str, Any]] | None = None
) -> None:
    """Add a wrong idea: one that the oracle knows by its name, or a change to the right table."""

    def wrong(layers: Table = ALEXNET, size: int = 227) -> dict[str, Any]:
        if change is None:
            return torch_shapes(layers, size, name)
        return change(torch_shapes(layers, size), layers)

    alexnet_shapes.misconception(name, hint)(wrong)


def by_row(count: Callable[[str, int, tuple[int, ...], tuple[int, ...], Any], int]) -> Callable:
    """Return a change of the parameters alone: ``count(kind, parameters, shape before, shape, numbers)``."""

    def change(entries: dict[str, Entry], layers: Table) -> dict[str, Any]:
        shapes = [shape for shape, _ in entries.values()]
        changed: dict[str, Any] = {"INPUT": entries["INPUT"]}
        for row, before, after in zip(layers, shapes, shapes[1:], strict=False):
            changed[row[0]] = after, count(kind(row), entries[row[0]][1], before, after, row[1:])
        return changed

    return change


def without_bias(kind: str, parameters: int, before: Any, after: Any, numbers: Any) -> int:
    """Return the weights alone."""
    return parameters - (numbers[0] if kind in ("CONV", "FC") else 0)


idea(
    "rounds-up",
    "Where the stride does not divide you round up. What is left over at the edge is not read: floor, in the pooling too.",
)
idea(
    "forgets-the-padding",
    "Your maps are too small: the padding of the convolutions is missing. It adds its width on both sides.",
)
idea(
    "forgets-the-stride",
    "Your maps are too large: the stride of the convolutions is missing. Divide by it, then round down, then add 1.",
)
idea(
    "halves-in-the-pooling",
    "You divide by the stride in the pooling. A window of 3 with stride 2 is not a half: 54 gives 26. Use the formula of the convolution, "
    "with kernel_size 3.",
)
idea(
    "pools-without-overlap",
    "You take the window's size for the pooling's stride. In AlexNet the windows overlap: the row gives kernel_size, then stride.",
)
idea(
    "ignores-the-groups",
    "You count weights for all the channels, but with groups = 2 each filter sees only half of them: channels // groups.",
)
idea(
    "leaves-the-biases-out",
    "Your counts are those of the weights. Each filter and each unit has a bias too: one more parameter each.",
)
idea(
    "puts-channels-last",
    "Your shapes end in the channels, as the lecture's table writes them. Here channels come first, as in the arrays: (96, 55, 55).",
    lambda entries, layers: {n: ((*s[1:], s[0]) if len(s) == 3 else s, p) for n, (s, p) in entries.items()},
)
idea(
    "one-bias-for-a-layer",
    "You add a single bias for the whole layer. Every filter, and every unit, has one of its own.",
    by_row(lambda k, p, b, a, n: without_bias(k, p, b, a, n) + (k in ("CONV", "FC"))),
)
idea(
    "forgets-the-channels",
    "Your filters are one channel deep. Each looks at all the channels that come in (of its group): multiply by them.",
    by_row(lambda k, p, b, a, n: n[0] * (n[1] ** 2 + 1) if k == "CONV" else p),
)
idea(
    "a-weight-for-every-place",
    "You count weights for every place of the map. They are shared: a filter has one set, wherever it stands.",
    by_row(lambda k, p, b, a, n: p * a[1] * a[2] if k == "CONV" else p),
)
idea(
    "connects-channels-only",
    "The first linear layer is fed with every value of the maps, not with one for each channel: multiply all three numbers of the shape.",
    by_row(lambda k, p, b, a, n: n[0] * (b[0] + 1) if k == "FC" else p),
)
idea(
    "side-by-one",
    "You multiply by kernel_size once. The kernel is a square: kernel_size ** 2.",
    by_row(lambda k, p, b, a, n: n[0] * (b[0] // n[4] * n[1] + 1) if k == "CONV" else p),
)
idea(
    "counts-up",
    "Your numbers grow down the table: you keep adding to one sum. Each line has the parameters of its own layer only; start from 0 in each.",
    lambda entries, layers: {
        name: (shape, sum(p for _, p in list(entries.values())[: i + 1]))
        for i, (name, (shape, _)) in enumerate(entries.items())
    },
)
idea(
    "leaves-the-input-out",
    'The first line is missing: "INPUT", with the shape of an image and no parameters.',
    lambda entries, layers: {name: entry for name, entry in entries.items() if name != "INPUT"},
)
idea(
    "linear-as-maps",
    "The linear layers give a row of numbers: their shape is (4096,), with no height and width.",
    lambda entries, layers: {n: ((*s, 1, 1) if len(s) == 1 else s, p) for n, (s, p) in entries.items()},
)
idea(
    "divides-the-count-by-the-groups",
    "You divide the whole count by the groups, biases too. It is the channels that a filter sees that are halved.",
    by_row(lambda k, p, b, a, n: n[0] * (b[0] * n[1] ** 2 + 1) // n[4] if k == "CONV" else p),
)
