"""Unit 06: cutting a random order into mini-batches, judged by what must hold whatever order was drawn.

A misconception is a torch draw with one wrong idea put into it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course.checks.chance import add_ideas_about_the_generator, shows
from course.checks.exercise import Case, Exercise
from course.checks.orders import add_ideas_about_the_order, is_old, not_random, order, random_orders
from course.checks.recipe import through
from course.checks.shuffling import UNIT


def cut(drawn: Any, size: int) -> list[np.ndarray]:
    """Return an order cut into batches of ``size``, the last one smaller where it does not divide, by torch."""
    return [batch.numpy() for batch in torch.as_tensor(np.asarray(drawn)).split(size)]


def batches_of(value: Any) -> list[np.ndarray] | None:
    """Return an answer as a list of index arrays, or None."""
    if not isinstance(value, list | tuple | np.ndarray):
        return None
    arrays = [np.asarray(batch) if np.shape(batch) else None for batch in value]
    right = all(a is not None and a.ndim == 1 and (a.dtype.kind in "iu" or not a.size) for a in arrays)
    return arrays if right else None  # type: ignore[return-value]


def judge_batches(value: Any, n: int, size: int, rng: Any) -> str:
    """Return what is wrong with the batches, or an empty string."""
    if value is None:
        return "It returned None. Does the function end in `return ...`?"
    try:
        batches = batches_of(value)
    except ValueError:  # lists within lists that do not fit
        batches = None
    if batches is None:
        return "It must return a list of one-dimensional arrays of whole numbers, one array for each batch."
    sizes, drawn = [len(batch) for batch in batches], np.concatenate([*batches, np.empty(0, int)])
    wanted = [len(batch) for batch in cut(np.arange(n), size)]
    counts = np.bincount(drawn.astype(int), minlength=n) if drawn.size and drawn.min() >= 0 else np.zeros(n)
    if not drawn.size:
        return "There are no batches."
    problems = {
        f"There are indices that are not among 0 to {n - 1}.": drawn.size
        and (drawn.min() < 0 or drawn.max() >= n),
        f"{int((counts == 0).sum())} of {n} samples are in no batch.": (counts == 0).any(),
        f"{int((counts > 1).sum())} of {n} samples come more than once.": (counts > 1).any(),
        f"The batches have the sizes {_few(sizes)}, and should have {_few(wanted)}.": sizes != wanted,
        "The order is not random.": n > 12 and _is_in_order(batches, n, size),
    }
    return next((sentence for sentence, is_so in problems.items() if is_so), "") or not_random(drawn)


def _order_of(value: Any, n: int, size: int, rng: Any) -> np.ndarray:
    """Return all indices of an answer in a row, or none where there are no batches."""
    batches = batches_of(value)
    return np.concatenate([*(batches or ()), np.empty(0, int)])


def _few(sizes: list[int]) -> str:
    return (
        ", ".join(map(str, sizes))
        if len(sizes) <= 6
        else f"{', '.join(map(str, sizes[:3]))}, ... {sizes[-1]}"
    )


def _is_in_order(batches: list[np.ndarray], n: int, size: int) -> bool:
    """Return whether all is in order, or only the batches, or only what is within them, was shuffled."""
    runs = all((np.diff(batch) == 1).all() for batch in batches)
    return (runs and size > 1) or is_old(np.concatenate(batches)) or _shuffled_within(batches, n, size)


def _shuffled_within(batches: list[np.ndarray], n: int, size: int) -> bool:
    blocks = cut(np.arange(n), size)
    pairs = zip(batches, blocks, strict=False)
    return (
        1 < size < n and len(batches) == len(blocks) and all(np.array_equal(np.sort(b), k) for b, k in pairs)
    )


def _random_batches(rng: np.random.Generator) -> Case:
    size = int(rng.integers(3, 12))
    n = size * int(rng.integers(8, 14)) + int(rng.integers(1, size))
    return Case("random", n, size, np.random.default_rng(int(rng.integers(1000))))


minibatches = Exercise(
    "minibatches",
    UNIT,
    points=2,
    parameters=("n", "size", "rng"),
    returns="a list of index arrays",
    oracle=lambda n, size, rng: cut(order(n, rng), size),
    check_answer=random_orders(judge_batches, _order_of),
    cases=(
        Case("a size that divides", 120, 12, np.random.default_rng(1)),
        Case("a size that does not divide", 50, 12, np.random.default_rng(2)),
        Case("one left over", 41, 8, np.random.default_rng(3)),
        Case("one by one", 15, 1, np.random.default_rng(4)),
        Case("all at once", 20, 20, np.random.default_rng(5), weight=0.5),
        Case("fewer than a batch", 14, 32, np.random.default_rng(6), weight=0.5),
        Case(
            "the same rng, the same batches; the next call, others",
            through("draws"),
            30,
            7,
            np.random.default_rng(7),
        ),
        Case("eight calls", through("order_drivers.eight_draws"), 30, 8, np.random.default_rng(8)),
    ),
    random=_random_batches,
    hints=(
        "First one random order of all n indices. Then, where does each batch begin?",
        "Draw a permutation. The batches begin at 0, size, 2 * size, ...; each is a slice of the permutation. A slice that reaches past the "
        "end simply stops there, which is what the last batch needs.",
        "`rng.permutation(n)`, then a list comprehension over `range(0, n, size)`: from each start, the slice up to start plus size.",
    ),
)


def batch_idea(name: str, hint: str, when: Callable[..., bool]):
    """Add a wrong idea that shows in the batches: ``when(batches, all their indices, n, size)``."""

    def seen(value: Any, n: int, size: int, rng: Any) -> bool:
        batches = batches_of(value)
        return batches is not None and bool(when(batches, np.concatenate([*batches]), n, size))

    return minibatches.misconception(name, hint, shows(judge_batches, seen))


def _sizes(batches: list[np.ndarray]) -> list[int]:
    return [len(batch) for batch in batches]


def _has_all(drawn: np.ndarray, n: int) -> bool:
    return np.array_equal(np.sort(drawn), np.arange(n))


@batch_idea(
    "drops-the-last-samples",
    "The samples left over when size does not divide n are in no batch. They make a last, smaller batch. (PyTorch's DataLoader drops them only "
    "if told to: drop_last.)",
    lambda batches, drawn, n, size: (
        n % size != 0
        and len(drawn) == n // size * size
        and drawn.max() < n
        and len(set(drawn.tolist())) == len(drawn)
        and set(_sizes(batches)) == {size}
    ),
)
def _(n, size, rng):
    return cut(order(n, rng), size)[: n // size]


@batch_idea(
    "counts-from-one",
    "Your indices run from 1 to n. Those of an array run from 0 to n - 1: the first sample is in no batch, and the last index does not exist.",
    lambda batches, drawn, n, size: drawn.min() == 1 and drawn.max() == n,
)
def _(n, size, rng):
    return cut(order(n, rng) + 1, size)


@batch_idea(
    "repeats-samples-to-fill-the-last",
    "You fill the last batch up with samples that were in another already, so they count twice. Let the last batch be smaller.",
    lambda batches, drawn, n, size: (
        n % size != 0
        and len(drawn) == -(-n // size) * size
        and len(set(drawn.tolist())) == n
        and set(_sizes(batches)) == {size}
    ),
)
def _(n, size, rng):
    drawn = order(n, rng)
    return cut(np.resize(drawn, -(-n // size) * size), size)


@batch_idea(
    "draws-with-replacement",
    "You draw the indices of each batch anew, so some samples come twice in a pass and others never. Draw one order of all n, and cut it up.",
    lambda batches, drawn, n, size: len(set(drawn.tolist())) < min(n, len(drawn)),
)
def _(n, size, rng):
    return cut(rng.integers(0, n, n), size)


@batch_idea(
    "does-not-shuffle",
    "The indices come in order. Data often lie sorted, and every pass would be the same: shuffle before you cut.",
    lambda batches, drawn, n, size: is_old(drawn) if len(drawn) else False,
)
def _(n, size, rng):
    return cut(np.arange(n), size)


@batch_idea(
    "shuffles-the-batches-only",
    "You cut first and then shuffle the batches, so the same samples are together in every pass. Shuffle all n indices, then cut.",
    lambda batches, drawn, n, size: (
        all((np.diff(batch) == 1).all() for batch in batches)
        and _has_all(drawn, n)
        and size > 1
        and len(batches) > 1
    ),
)
def _(n, size, rng):
    batches = cut(np.arange(n), size)
    return [batches[i] for i in order(len(batches), rng)]


@batch_idea(
    "shuffles-within-the-batches-only",
    "You shuffle within each batch, so the same samples are together in every pass. Shuffle all n indices, then cut.",
    lambda batches, drawn, n, size: _shuffled_within(batches, n, size) and not is_old(drawn),
)
def _(n, size, rng):
    return [batch[order(len(batch), rng)] for batch in cut(np.arange(n), size)]


@batch_idea(
    "evens-the-sizes-out",
    "Your batches are all about equally long, as np.array_split makes them. Every batch but the last has exactly `size` indices.",
    lambda batches, drawn, n, size: (
        _has_all(drawn, n)
        and n % size != 0
        and len(batches) == -(-n // size)
        and max(_sizes(batches)) - min(_sizes(batches)) <= 1
    ),
)
def _(n, size, rng):
    return list(np.array_split(order(n, rng), -(-n // size)))


@batch_idea(
    "puts-the-small-batch-first",
    "Your small batch comes first. Cut full batches from the front; what is left makes the last one.",
    lambda batches, drawn, n, size: (
        _has_all(drawn, n)
        and n % size != 0
        and _sizes(batches) == [n % size, *[size] * (n // size)]
        and len(batches) > 1
    ),
)
def _(n, size, rng):
    return list(np.split(order(n, rng), range(n % size, n, size))) if n % size else cut(order(n, rng), size)


@batch_idea(
    "takes-the-size-for-the-number",
    "You make `size` batches. size is how many samples are in a batch, not how many batches there are.",
    lambda batches, drawn, n, size: len(batches) == size != 1 and _has_all(drawn, n),
)
def _(n, size, rng):
    return list(np.array_split(order(n, rng), size))


@batch_idea(
    "adds-the-rest-to-the-last-batch",
    "Your last full batch takes the rest as well and is larger than `size`, so it may not fit into memory. Let the rest be a batch of its own.",
    lambda batches, drawn, n, size: (
        _has_all(drawn, n) and n % size != 0 and len(batches) == max(n // size, 1)
    ),
)
def _(n, size, rng):
    return list(np.split(order(n, rng), [i * size for i in range(1, n // size)]))


@batch_idea(
    "ends-with-an-empty-batch",
    "When size divides n there is an empty batch at the end. A mean over no samples is nan: make no batch where nothing is left.",
    lambda batches, drawn, n, size: _has_all(drawn, n) and len(batches[-1]) == 0,
)
def _(n, size, rng):
    return list(np.split(order(n, rng), range(size, n + 1, size)))


add_ideas_about_the_generator(minibatches)
add_ideas_about_the_order(minibatches, judge_batches, _order_of, lambda found, n, size, rng: cut(found, size))
