"""Unit 12: make_stage, judged with blocks that note what they were made with; see residual_drivers.stage.

The oracle is a list of blocks and a chain of 1x1 convolutions. A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course.checks.exercise import Case, Exercise, normal, runs_into
from course.checks.recipe import through
from course.checks.residual_drivers import block_words
from course.checks.torch_drivers import numbers, shape_words

UNIT = "12-resnet"
Row = list[tuple[int, int, int, dict[str, Any]]]  # for each block: channels in and out, stride, settings


def row(expansion: int, in_channels: int, width: int, blocks: int, stride: int = 1, **settings: Any) -> Row:
    """Return what the blocks of a stage are made with."""
    out = expansion * width
    channels = [in_channels] + [out] * blocks
    strides = [stride] + [1] * blocks
    return [(channels[i], out, strides[i], settings) for i in range(blocks)]


def ran(blocks: Row, x: Any, alone: int | None = None, relu: bool = False) -> dict[str, Any]:
    """Return what the driver reports of a stage of these blocks; from place ``alone`` on, all are one block with one set of weights."""
    value, shapes = torch.as_tensor(x), []
    for number, (into, out, stride, _) in enumerate(blocks):
        place = 2 * (number if alone is None else min(number, alone))
        if value.shape[1] != into:
            raise runs_into("ValueError", words=f"made for {into} channels was given {value.shape[1]}")
        value = F.conv2d(value, numbers(place, (out, into, 1, 1)), numbers(place + 1, (out,)), stride)
        value = F.relu(value) if relu else value
        shapes += [(out, into, 1, 1), (out,)] if place == 2 * number else []
    words = [block_words(*block) for block in blocks]
    return {"blocks": words, "parameters": [shape_words(s) for s in shapes], "output": value.numpy()}


def staged(expansion: int, arguments: list[int], x: Any, **settings: Any) -> dict[str, Any]:
    """Return the answer of make_stage."""
    return ran(row(expansion, *arguments, **settings), x)


def _stage_case(name: str, expansion: int, arguments: list[int], shape: tuple[int, ...], **more: Any) -> Case:
    return Case(name, through("residual_drivers.stage"), expansion, arguments, normal(*shape), **more)


def _random_stage(rng: np.random.Generator) -> Case:
    into, width, blocks, stride = (int(v) for v in rng.integers([1, 2, 2, 1], [5, 5, 6, 3]))
    x = rng.standard_normal((2, into, *(int(v) for v in rng.integers(4, 8, 2))))
    more: dict[str, Any] = {"option": "A"} if rng.random() < 0.5 else {"groups": int(rng.integers(2, 9))}
    arguments = [into, width, blocks, stride]
    return Case("random", through("residual_drivers.stage"), int(rng.choice([1, 4])), arguments, x, **more)


make_stage = Exercise(
    "make_stage",
    UNIT,
    points=3,
    parameters=("expansion", "arguments", "x"),
    returns="a module",
    oracle=staged,
    driven=True,
    cases=(
        _stage_case("one block", 1, [2, 3, 1], (1, 2, 4, 5), weight=0.5),
        _stage_case("two blocks", 1, [3, 3, 2], (2, 3, 4, 5)),
        _stage_case("three blocks, more channels, stride 2", 1, [2, 4, 3, 2], (2, 2, 6, 5)),
        _stage_case("one block of expansion 4", 4, [3, 2, 1, 2], (2, 3, 4, 5), weight=0.5),
        _stage_case("two blocks of expansion 4", 4, [3, 2, 2, 2], (1, 3, 5, 6)),
        _stage_case("four blocks of expansion 4", 4, [8, 2, 4], (2, 8, 3, 4)),
        _stage_case("a setting for the blocks", 1, [2, 4, 3, 2], (2, 2, 5, 4), option="A"),
        _stage_case("two other settings", 4, [3, 2, 2], (1, 3, 4, 4), groups=2, dropout=0.5),
    ),
    random=_random_stage,
    hints=(
        "Write the three numbers of each block in a column: channels that come in, width, stride. Only the first row differs from the rest.",
        "The first block gets in_channels and the stride. All others get what a block gives out, block.expansion * width, and stride 1. "
        "Every block is a new object, and gets **settings.",
        "A list that begins with `block(in_channels, width, stride, **settings)`; then, `blocks - 1` times, append "
        "`block(block.expansion * width, width, 1, **settings)`. `nn.Sequential(*the_list)` makes one module of it.",
    ),
)


def idea(name: str, hint: str, **how: Any) -> Callable:
    """Add a wrong idea that makes another row of blocks of the arguments."""

    def add(wrong_row: Callable[..., Row]) -> Callable:
        def wrong(expansion: int, arguments: list[int], x: Any, **settings: Any) -> dict[str, Any]:
            return ran(wrong_row(expansion, *arguments, **settings), x, **how)

        make_stage.misconception(name, hint)(wrong)
        return wrong_row

    return add


@idea(
    "strides-every-block",
    "Every block of your stage has the stride. One is enough: the first makes the maps smaller, the others keep their size.",
)
def _(expansion, in_channels, width, blocks, stride=1, **settings):
    return [
        (into, out, stride, more)
        for into, out, _, more in row(expansion, in_channels, width, blocks, stride, **settings)
    ]


@idea(
    "strides-the-last-block",
    "Your stride sits in the last block. The first takes it, so that all that follow have less to compute.",
)
def _(expansion, in_channels, width, blocks, stride=1, **settings):
    made = row(expansion, in_channels, width, blocks, 1, **settings)
    return [*made[:-1], (*made[-1][:2], stride, settings)]


@idea("forgets-the-stride", "No block of your stage has the stride. The first one takes it.")
def _(expansion, in_channels, width, blocks, stride=1, **settings):
    return row(expansion, in_channels, width, blocks, 1, **settings)


@idea(
    "gives-every-block-in-channels",
    "All your blocks are made for in_channels. What comes into the second block is what the first gave out.",
)
def _(expansion, in_channels, width, blocks, stride=1, **settings):
    made = row(expansion, in_channels, width, blocks, stride, **settings)
    return [(in_channels, *block[1:]) for block in made]


@idea(
    "forgets-the-expansion",
    "From the second block on, yours are made for `width` channels. A block gives out block.expansion times as many.",
)
def _(expansion, in_channels, width, blocks, stride=1, **settings):
    made = row(expansion, in_channels, width, blocks, stride, **settings)
    return [made[0], *((width, *block[1:]) for block in made[1:])]


@idea(
    "widens-the-width",
    "You hand block.expansion * width on as the width. A block multiplies by its expansion itself: it wants the plain width.",
)
def _(expansion, in_channels, width, blocks, stride=1, **settings):
    made = row(expansion, in_channels, width, blocks, stride, **settings)
    return [(into, expansion * out, *rest) for into, out, *rest in made]


@idea(
    "widens-the-width-of-later-blocks",
    "From the second block on, block.expansion comes in twice: what comes in is block.expansion * width, but the width handed on is the plain one. A "
    "block multiplies it itself.",
)
def _(expansion, in_channels, width, blocks, stride=1, **settings):
    first, *later = row(expansion, in_channels, width, blocks, stride, **settings)
    return [first, *((into, expansion * out, *rest) for into, out, *rest in later)]


@idea(
    "multiplies-what-comes-in-twice",
    "From the second block on, yours are made for too many channels: block.expansion is in there twice. A block gives out block.expansion * width.",
)
def _(expansion, in_channels, width, blocks, stride=1, **settings):
    first, *later = row(expansion, in_channels, width, blocks, stride, **settings)
    return [first, *((expansion * into, *rest) for into, *rest in later)]


@idea(
    "multiplies-in-channels",
    "Your first block is made for block.expansion * in_channels. in_channels says what comes in as it is; only what a block of this stage gives out is "
    "multiplied.",
)
def _(expansion, in_channels, width, blocks, stride=1, **settings):
    first, *later = row(expansion, in_channels, width, blocks, stride, **settings)
    return [(expansion * first[0], *first[1:]), *later]


@idea(
    "uses-one-block-again-and-again",
    "Your stage is one block, run several times: `[block(...)] * n` puts the same object n times into the list, with one set of weights. "
    "Make a new block for each place.",
    alone=0,
)
def _(expansion, in_channels, width, blocks, stride=1, **settings):
    first = row(expansion, in_channels, width, 1, stride, **settings)
    return first * blocks


@idea(
    "repeats-the-second-block",
    "All blocks behind the first are one and the same object: `[block(...)] * n` puts it n times into the list, with one set of weights. "
    "Make a new block for each place.",
    alone=1,
)
def _(expansion, in_channels, width, blocks, stride=1, **settings):
    return row(expansion, in_channels, width, blocks, stride, **settings)


@idea(
    "makes-one-block-too-many",
    "Your stage has one block too many. `blocks` counts all of them, the first included.",
)
def _(expansion, in_channels, width, blocks, stride=1, **settings):
    return row(expansion, in_channels, width, blocks + 1, stride, **settings)


@idea(
    "makes-one-block-too-few",
    "Your stage is one block short. range(blocks - 1) leaves the first one out: is it there?",
)
def _(expansion, in_channels, width, blocks, stride=1, **settings):
    return row(expansion, in_channels, width, blocks - 1, stride, **settings)


@idea(
    "keeps-the-settings-to-itself",
    "Settings do not arrive at your blocks. Hand all of them on to each, whatever their names: `block(..., **settings)`.",
)
def _(expansion, in_channels, width, blocks, stride=1, **settings):
    return row(expansion, in_channels, width, blocks, stride)


@idea(
    "gives-settings-to-the-first-block-only",
    "Only the first of your blocks gets the settings. All of them do.",
)
def _(expansion, in_channels, width, blocks, stride=1, **settings):
    made = row(expansion, in_channels, width, blocks, stride, **settings)
    return [made[0], *((*block[:3], {}) for block in made[1:])]


@idea(
    "puts-relus-between-the-blocks",
    "Something comes between your blocks, or behind them. A block ends in a ReLU of its own: the stage is nothing but blocks.",
    relu=True,
)
def _(expansion, in_channels, width, blocks, stride=1, **settings):
    return row(expansion, in_channels, width, blocks, stride, **settings)


@make_stage.misconception(
    "returns-a-list",
    "A list of blocks is no module that torch can run, and nor is an nn.ModuleList. nn.Sequential(*blocks), with the star, makes one module "
    "of a list.",
)
def _(expansion, arguments, x, **settings):
    words = ("make_stage gave a list", "make_stage gave a tuple", "list is not a Module", "[ModuleList]")
    raise runs_into("TypeError", "NotImplementedError", words=words)
