"""Unit 05: dropout, judged by the properties of what it draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from course.checks.chance import (
    add_ideas_about_the_generator,
    array_of,
    close,
    is_share,
    repeatable,
    shows,
    wrong_shape,
)
from course.checks.exercise import Case, Exercise, normal
from course.checks.oracle import tensor
from course.checks.recipe import through

UNIT = "05-dropout-and-data"


# -------------------------------------------------------------------------------------------------------- dropout


def drop(
    x: Any,
    p: float,
    training: bool,
    rng: np.random.Generator,
    scale: float | None = None,
    share: float | None = None,
    shape: tuple[int, ...] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return out and mask of dropout by torch; a wrong ``scale``, ``share`` dropped or mask ``shape`` makes a wrong idea."""
    x = tensor(x)
    if not training:
        return x.numpy(), torch.ones_like(x).numpy()
    draw = torch.as_tensor(rng.random(x.shape if shape is None else shape))
    kept = (draw >= (p if share is None else share)).double().expand(x.shape)
    mask = kept * (1 / (1 - p) if scale is None else scale)
    return (x * mask).numpy(), mask.numpy()


def out_and_mask(value: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the two parts of an answer, both shaped like x, or None."""
    if not isinstance(value, list | tuple | np.ndarray) or len(np.shape(value[:1])) == 0 or len(value) != 2:
        return None
    out, mask = (array_of(part, np.shape(x)) for part in value)
    return None if out is None or mask is None else (out, mask)


def judge_dropout(value: Any, x: np.ndarray, p: float, training: bool, rng: Any) -> str:
    """Return what is wrong with out and mask, or an empty string."""
    parts = out_and_mask(value, x)
    if parts is None:
        return wrong_parts(value, x)
    out, mask = parts
    if not training:
        if not close(out, x):
            return "In evaluation nothing is dropped or scaled: out must equal x, and it does not."
        return "" if close(mask, np.ones_like(x)) else "In evaluation every factor in the mask must be 1."
    factor = 1 / (1 - p)
    dropped = mask == 0
    if not close(mask, np.where(dropped, 0.0, factor)):
        return f"With p={p:g} each value of the mask must be 0 or 1 / (1 - p) = {factor:.4g}; yours holds {some(mask)}."
    if not close(out, np.where(dropped, 0.0, x * factor)):
        return "out is not x * mask."
    return chance_of(dropped, p)


def chance_of(dropped: np.ndarray, p: float) -> str:
    """Return what is wrong with which values were dropped, or an empty string."""
    count, total = int(dropped.sum()), dropped.size
    if total >= 200 and len(dropped) > 1 and 0 < count < total:
        rows = dropped.reshape(len(dropped), -1)
        if (rows == rows[:1]).all():
            return "Every sample of the batch has the same values dropped."
        if (rows == rows[:, :1]).all():
            return "Whole samples are dropped: within each, everything is dropped or nothing."
    if dropped.ndim == 4 and total >= 200 and (dropped == dropped[:, :, :1, :1]).all():
        return "Whole channels are dropped: within each, everything is dropped or nothing."
    if not is_share(count, total, p):
        return f"With p={p:g} about {round(100 * p)} % of the values should be dropped; you dropped {100 * count / total:.0f} %."
    return ""


def wrong_parts(value: Any, x: np.ndarray) -> str:
    """Return the sentence for an answer that is not two arrays shaped like x."""
    if value is None:
        return "It returned None. Does the function end in `return ...`?"
    if not isinstance(value, list | tuple):
        return f"It must return two arrays, out and mask, each of shape {np.shape(x)}: `return out, mask`."
    if len(value) != 2:
        return f"It must return two arrays, out and mask; you returned {len(value)} things."
    for name, part in zip(("out", "mask"), value, strict=True):
        if array_of(part, np.shape(x)) is None:
            return wrong_shape(part, np.shape(x), f"{name}: ")
    return ""


def some(values: np.ndarray) -> str:
    """Return up to three different values in words."""
    distinct = np.unique(np.round(np.asarray(values, dtype=float), 4))
    return ", ".join(f"{v:.4g}" for v in distinct[:3]) + (" and others" if len(distinct) > 3 else "")


def _random_dropout(rng: np.random.Generator) -> Case:
    x = rng.standard_normal(tuple(rng.integers(10, 40, 2)))
    p, seed = float(rng.uniform(0.1, 0.9)), int(rng.integers(1000))
    return Case("random", x, p, bool(rng.random() < 0.8), np.random.default_rng(seed))


dropout = Exercise(
    "dropout",
    UNIT,
    points=4,
    parameters=("x", "p", "training", "rng"),
    returns="out and mask",
    oracle=drop,
    check_answer=repeatable(judge_dropout),
    cases=(
        Case("training, a fifth dropped", normal(40, 50), 0.2, True, np.random.default_rng(1), weight=2),
        Case("training, most dropped", normal(30, 60), 0.7, True, np.random.default_rng(2), weight=2),
        Case("evaluation drops nothing", normal(8, 50), 0.4, False, np.random.default_rng(3)),
        Case("one sample", normal(1, 1000), 0.3, True, np.random.default_rng(4)),
        Case("feature maps (N, C, H, W)", normal(5, 4, 8, 6), 0.25, True, np.random.default_rng(5)),
        Case("p = 0 drops nothing", normal(3, 4), 0.0, True, np.random.default_rng(6), weight=0.5),
        Case(
            "the same rng, the same mask; the next call, another",
            through("draws"),
            normal(12, 20),
            0.3,
            True,
            np.random.default_rng(7),
        ),
    ),
    random=_random_dropout,
    hints=(
        "A coin is thrown for every single value of x. `rng.random(x.shape)` gives a number from 0 to 1 for each: with which probability "
        "is such a number less than p?",
        "First the evaluation: x as it is, and a mask of ones. In training: draw one number for each value, compare with p to see which "
        "are kept, turn that into factors (0 for a dropped value, 1 / (1 - p) for a kept one), and multiply x by them.",
        "`keep = rng.random(x.shape) >= p` is True with probability 1 - p. Divide it by (1 - p), which makes numbers of it, and you have the "
        "mask. Return the product with x, and the mask.",
    ),
)


def dropout_idea(name: str, hint: str, when: Any):
    """Add a wrong idea that shows in out and mask: ``when(out, mask, x, p, training)``."""

    def seen(value: Any, x: np.ndarray, p: float, training: bool, rng: Any) -> bool:
        parts = out_and_mask(value, x)
        return parts is not None and bool(when(*parts, x, p, training))

    return dropout.misconception(name, hint, shows(judge_dropout, seen))


def _holds(mask: np.ndarray, factor: float) -> bool:
    return close(mask, np.where(mask == 0, 0.0, factor)) and bool((mask != 0).any())


def _fits(mask: np.ndarray, share: float) -> bool:
    return is_share(int((mask == 0).sum()), mask.size, share)


@dropout_idea(
    "does-not-scale",
    "You drop, but do not make up for it: the values that stay must grow by 1 / (1 - p), so that what the next layer gets is as large on "
    "average as without dropout.",
    lambda out, mask, x, p, training: (
        training and close(out, x * mask) and _holds(mask, 1) and _fits(mask, p)
    ),
)
def _(x, p, training, rng):
    return drop(x, p, training, rng, scale=1)


@dropout_idea(
    "scales-in-evaluation",
    "You scale in evaluation. Inverted dropout has made up for the loss in training already, so here x stays as it is.",
    lambda out, mask, x, p, training: not training and (close(out, x * (1 - p)) or close(out, x / (1 - p))),
)
def _(x, p, training, rng):
    out, mask = drop(x, p, training, rng)
    return (out, mask) if training else (out * (1 - p), mask * (1 - p))


@dropout_idea(
    "is-the-classic-form",
    "This is the classic form: nothing scaled in training, and everything times 1 - p in evaluation (CS231n shows it first). Here dropout is "
    "inverted: scale by 1 / (1 - p) in training, and leave evaluation alone.",
    lambda out, mask, x, p, training: (
        _holds(mask, 1) and close(out, x * mask) and bool(not p or (mask == 0).any())
        if training
        else close(out, x * (1 - p))
    ),
)
def _(x, p, training, rng):
    out, mask = drop(x, p, training, rng, scale=1)
    return (out if training else out * (1 - p)), mask


@dropout_idea(
    "scales-by-p",
    "You divide what is kept by p. p is the probability of dropping; what is kept has the probability 1 - p, so divide by that. (In CS231n p is "
    "the probability of keeping.)",
    lambda out, mask, x, p, training: (
        training and p > 0 and close(out, x * mask) and _holds(mask, 1 / p) and _fits(mask, p)
    ),
)
def _(x, p, training, rng):
    return drop(x, p, training, rng, scale=1 / p if p else 1)


@dropout_idea(
    "takes-p-for-keeping",
    "You read p as the probability of keeping, as CS231n does. Here it is the probability of dropping, as in PyTorch: a share p becomes 0, and the "
    "rest is divided by 1 - p.",
    lambda out, mask, x, p, training: (
        training and (not p or not mask.any() or _holds(mask, 1 / p)) and _fits(mask, 1 - p)
    ),
)
def _(x, p, training, rng):
    return drop(x, p, training, rng, scale=1 / p if p else 1, share=1 - p)


@dropout_idea(
    "swaps-keep-and-drop",
    "The factor is right, but the comparison is turned round: you drop a share of 1 - p and keep p. A number from 0 to 1 is less than p with "
    "probability p, and those are the ones to drop.",
    lambda out, mask, x, p, training: (
        training and (not mask.any() or _holds(mask, 1 / (1 - p))) and _fits(mask, 1 - p)
    ),
)
def _(x, p, training, rng):
    return drop(x, p, training, rng, share=1 - p)


@dropout_idea(
    "multiplies-in-place-of-dividing",
    "You multiply what is kept by 1 - p, which makes it smaller still. A part was lost, so the rest must grow: divide by 1 - p.",
    lambda out, mask, x, p, training: training and _holds(mask, 1 - p) and _fits(mask, p),
)
def _(x, p, training, rng):
    return drop(x, p, training, rng, scale=1 - p)


@dropout_idea(
    "returns-a-mask-without-the-factor",
    "out is right, but the mask holds only which values were kept. Let it hold the factors, 0 or 1 / (1 - p): then out is x * mask, and "
    "the backward pass needs nothing else.",
    lambda out, mask, x, p, training: training and _holds(mask, 1) and close(out, x * mask / (1 - p)),
)
def _(x, p, training, rng):
    out, mask = drop(x, p, training, rng)
    return out, (mask > 0).astype(float)


@dropout_idea(
    "returns-what-was-dropped",
    "out is right, but the mask is turned round: it marks what was dropped. It must hold 0 there, and 1 / (1 - p) where a value was kept.",
    lambda out, mask, x, p, training: (
        bool(((mask != 0) == (out == 0)).all()) if training else close(out, x) and not mask.any()
    ),
)
def _(x, p, training, rng):
    out, mask = drop(x, p, training, rng)
    return out, (mask == 0).astype(float)


@dropout_idea(
    "one-mask-for-the-batch",
    "You draw one mask and use it for every sample of the batch. Draw for each value of x: the draw has the shape of all of x, not of "
    "one sample.",
    lambda out, mask, x, p, training: (
        training and len(mask) > 1 and _holds(mask, 1 / (1 - p)) and (mask == mask[:1]).all()
    ),
)
def _(x, p, training, rng):
    return drop(x, p, training, rng, shape=(1, *np.shape(x)[1:]))


@dropout_idea(
    "drops-whole-samples",
    "You throw one coin for each sample, so a sample is dropped as a whole. Throw one for every single value: the draw has the shape of x.",
    lambda out, mask, x, p, training: (
        training and (mask.reshape(len(mask), -1) == mask.reshape(len(mask), -1)[:, :1]).all()
    ),
)
def _(x, p, training, rng):
    return drop(x, p, training, rng, shape=(len(x), *(1 for _ in np.shape(x)[1:])))


@dropout_idea(
    "drops-whole-channels",
    "You drop whole channels (spatial dropout, a method of its own). Here each value is dropped or kept on its own: the draw has the shape of x.",
    lambda out, mask, x, p, training: training and mask.ndim == 4 and (mask == mask[:, :, :1, :1]).all(),
)
def _(x, p, training, rng):
    shape = np.shape(x)
    return drop(x, p, training, rng, shape=(*shape[:2], 1, 1) if len(shape) == 4 else None)


@dropout_idea(
    "drops-in-evaluation-too",
    "You drop in evaluation too. With training=False the network must answer the same each time, with all its units: return x, and a "
    "mask of ones.",
    lambda out, mask, x, p, training: not training and bool(((out == 0) & (x != 0)).any()),
)
def _(x, p, training, rng):
    return drop(x, p, True, rng)


@dropout_idea(
    "swaps-the-modes",
    "With training=True you drop nothing. Training is when to drop; if you drop in evaluation in its place, you have the two modes the wrong way "
    "round.",
    lambda out, mask, x, p, training: (
        close(mask, np.ones_like(mask)) if training else bool(((out == 0) & (x != 0)).any())
    ),
)
def _(x, p, training, rng):
    return drop(x, p, not training, rng)


@dropout_idea(
    "scales-twice",
    "The mask holds the factor already, and you scale once more: out is x * mask and nothing else.",
    lambda out, mask, x, p, training: (
        training and _holds(mask, 1 / (1 - p)) and close(out, x * mask / (1 - p))
    ),
)
def _(x, p, training, rng):
    out, mask = drop(x, p, training, rng)
    return out * mask, mask


@dropout.misconception(
    "returns-out-only",
    "The backward pass needs the mask as well: return two arrays, `return out, mask`.",
    when=shows(judge_dropout, lambda value, x, p, training, rng: array_of(value, np.shape(x)) is not None),
)
def _(x, p, training, rng):
    return drop(x, p, training, rng)[0]


@dropout.misconception(
    "returns-the-mask-first",
    "You return the mask and then out. The order is out, mask.",
    when=shows(
        judge_dropout,
        lambda value, x, p, training, rng: (
            out_and_mask(value, x) is not None
            and judge_dropout((value[1], value[0]), x, p, training, rng) == ""
        ),
    ),
)
def _(x, p, training, rng):
    return drop(x, p, training, rng)[::-1]


add_ideas_about_the_generator(dropout)
