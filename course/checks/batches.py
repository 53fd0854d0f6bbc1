"""Unit 06: shuffling and cutting into mini-batches, judged by what must hold whatever order was drawn.

A misconception is a torch draw with one wrong idea put into it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course.checks.chance import (
    add_ideas_about_the_generator,
    array_of,
    repeatable,
    shows,
    wrong_shape,
)
from course.checks.exercise import Case, Exercise, integers, normal
from course.checks.recipe import through

UNIT = "06-momentum-and-training"


def order(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return a random order of n by torch."""
    source = torch.Generator().manual_seed(int(rng.integers(2**62)))
    return torch.randperm(n, generator=source).numpy()


# ----------------------------------------------------------------------------------------------- shuffle_together


def places(rows: np.ndarray, x: np.ndarray) -> np.ndarray | None:
    """Return where in x each of the rows stands, or None if one stands nowhere; the rows of x all differ."""
    flat, all_flat = rows.reshape(len(rows), -1), np.asarray(x).reshape(len(x), -1)
    equal = np.isclose(flat[:, None], all_flat[None], rtol=1e-4, atol=1e-6).all(2)
    return equal.argmax(1) if equal.any(1).all() else None


def pair(value: Any, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the two parts of an answer, shaped like x and y, or None."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    images, labels = array_of(value[0], np.shape(x)), array_of(value[1], np.shape(y))
    return None if images is None or labels is None else (images, labels)


def judge_together(value: Any, x: np.ndarray, y: np.ndarray, rng: Any) -> str:
    """Return what is wrong with shuffled x and y, or an empty string."""
    parts = pair(value, x, y)
    if parts is None:
        if value is None or not isinstance(value, list | tuple) or len(value) != 2:
            return "It must return two arrays, the shuffled x and y: `return x, y`."
        which = 0 if array_of(value[0], np.shape(x)) is None else 1
        return wrong_shape(value[which], np.shape((x, y)[which]), f"{'xy'[which]}: ")
    where = places(parts[0], x)
    if where is None:
        return "There are rows in the new x that are not in the old one: samples move as a whole."
    if len(set(where.tolist())) < len(x):
        return "Some samples come twice, others are missing."
    wrong = int((parts[1] != np.asarray(y)[where]).sum())
    if wrong:
        return f"{wrong} of {len(y)} samples have the label of another."
    if len(x) >= 12 and (_is_old(where) or _is_old(where[::-1])):
        return "The order is the old one" + ("." if _is_old(where) else ", turned round.")
    return ""


def _together(
    x: Any, y: Any, rng: np.random.Generator, of_x: Any = None, of_y: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y in one random order, or each in an order of its own."""
    drawn = order(len(x), rng)
    of_x, of_y = drawn if of_x is None else of_x, drawn if of_y is None else of_y
    return np.asarray(x)[of_x], np.asarray(y)[of_y]


def _set(*shape: int) -> tuple[np.ndarray, np.ndarray]:
    return normal(*shape), 3 * np.arange(shape[0]) % 10


def _random_set(rng: np.random.Generator) -> Case:
    n, d = int(rng.integers(12, 60)), int(rng.integers(2, 6))
    x = rng.standard_normal((n, d) if rng.random() < 0.5 else (n, 1, d, 3))
    return Case("random", x, rng.integers(0, 10, n), np.random.default_rng(int(rng.integers(1000))))


shuffle_together = Exercise(
    "shuffle_together",
    UNIT,
    points=1,
    parameters=("x", "y", "rng"),
    returns="x and y",
    oracle=_together,
    check_answer=repeatable(judge_together),
    cases=(
        Case("forty points", *_set(40, 3), np.random.default_rng(1)),
        Case("images (N, C, H, W)", *_set(30, 1, 4, 5), np.random.default_rng(2)),
        Case("as many samples as pixels", *_set(20, 20), np.random.default_rng(3)),
        Case(
            "whole numbers",
            100 * np.arange(24).reshape(24, 1) + integers(24, 4),
            *_set(24)[1:],
            np.random.default_rng(4),
        ),
        Case(
            "the same rng, the same order; the next call, another",
            through("draws"),
            *_set(25, 2),
            np.random.default_rng(5),
        ),
    ),
    random=_random_set,
    hints=(
        "A sample and its label must stay together. What single thing could you draw and use for both?",
        "Draw one random order of the numbers 0 to N - 1, and pick the rows of x and the entries of y in that order.",
        "`rng.permutation(len(x))` is such an order; use it as an index, once in x and once in y.",
    ),
)


def together_idea(name: str, hint: str, when: Callable[..., bool]):
    """Add a wrong idea that shows in the new x and y: ``when(where, labels, x, y)``."""

    def seen(value: Any, x: np.ndarray, y: np.ndarray, rng: Any) -> bool:
        parts = pair(value, x, y)
        where = None if parts is None else places(parts[0], x)
        return parts is not None and where is not None and bool(when(where, parts[1], x, y))

    return shuffle_together.misconception(name, hint, shows(judge_together, seen))


def _is_order(where: np.ndarray) -> bool:
    return len(set(where.tolist())) == len(where)


def _is_old(where: np.ndarray) -> bool:
    return bool((where == np.arange(len(where))).all())


@together_idea(
    "shuffles-the-images-without-their-labels",
    "You shuffle x and leave y as it was, so most images now carry the label of another. Use one order for both.",
    lambda where, labels, x, y: _is_order(where) and not _is_old(where) and (labels == y).all(),
)
def _(x, y, rng):
    return _together(x, y, rng, of_y=np.arange(len(y)))


@together_idea(
    "shuffles-the-labels-without-their-images",
    "You shuffle y and leave x as it was, so most images now carry the label of another. Use one order for both.",
    lambda where, labels, x, y: _is_old(where) and (labels != y).any(),
)
def _(x, y, rng):
    return _together(x, y, rng, of_x=np.arange(len(x)))


@together_idea(
    "shuffles-each-on-its-own",
    "You shuffle x and y one after the other, each into an order of its own, so labels and images no longer belong together. Draw one order, and "
    "use it for both.",
    lambda where, labels, x, y: (
        _is_order(where)
        and not _is_old(where)
        and (labels != np.asarray(y)[where]).any()
        and (labels != y).any()
    ),
)
def _(x, y, rng):
    return _together(x, y, rng, of_y=order(len(y), rng))


@together_idea(
    "does-not-shuffle",
    "x and y come back in the order in which they went in.",
    lambda where, labels, x, y: _is_old(where) and (labels == y).all(),
)
def _(x, y, rng):
    return np.array(x), np.array(y)


@together_idea(
    "draws-with-replacement",
    "Some samples come twice and others never: you draw indices one by one. Draw an order, in which each index comes exactly once.",
    lambda where, labels, x, y: not _is_order(where),
)
def _(x, y, rng):
    drawn = rng.integers(0, len(x), len(x))
    return _together(x, y, rng, drawn, drawn)


@together_idea(
    "turns-the-order-round",
    "You turn the order round. Every call must give a new, random one.",
    lambda where, labels, x, y: (where == np.arange(len(where))[::-1]).all() and (labels == y[::-1]).all(),
)
def _(x, y, rng):
    return np.array(x[::-1]), np.array(y[::-1])


@shuffle_together.misconception(
    "shuffles-within-the-samples",
    "You shuffle along the wrong axis, so the pixels within the images are mixed up. The samples are the first axis.",
    when=shows(
        judge_together,
        lambda value, x, y, rng: (parts := pair(value, x, y)) is not None and places(parts[0], x) is None,
    ),
)
def _(x, y, rng):
    return np.roll(x, 1 + order(np.shape(x)[-1] - 1, rng)[0], axis=-1), np.array(y)


add_ideas_about_the_generator(shuffle_together)


# ---------------------------------------------------------------------------------------------------- minibatches


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
        "The order is not random.": n >= 12 and _is_in_order(batches, n, size),
    }
    return next((sentence for sentence, is_so in problems.items() if is_so), "")


def _few(sizes: list[int]) -> str:
    return (
        ", ".join(map(str, sizes))
        if len(sizes) <= 6
        else f"{', '.join(map(str, sizes[:3]))}, ... {sizes[-1]}"
    )


def _is_in_order(batches: list[np.ndarray], n: int, size: int) -> bool:
    """Return whether all is in order, or only the batches, or only what is within them, was shuffled."""
    runs = all((np.diff(batch) == 1).all() for batch in batches)
    return (runs and size > 1) or _is_old(np.concatenate(batches)) or _shuffled_within(batches, n, size)


def _shuffled_within(batches: list[np.ndarray], n: int, size: int) -> bool:
    blocks = cut(np.arange(n), size)
    pairs = zip(batches, blocks, strict=False)
    return (
        1 < size < n and len(batches) == len(blocks) and all(np.array_equal(np.sort(b), k) for b, k in pairs)
    )


def _random_batches(rng: np.random.Generator) -> Case:
    size = int(rng.integers(3, 12))
    n = size * int(rng.integers(4, 9)) + int(rng.integers(1, size))
    return Case("random", n, size, np.random.default_rng(int(rng.integers(1000))))


minibatches = Exercise(
    "minibatches",
    UNIT,
    points=2,
    parameters=("n", "size", "rng"),
    returns="a list of index arrays",
    oracle=lambda n, size, rng: cut(order(n, rng), size),
    check_answer=repeatable(judge_batches),
    cases=(
        Case("a size that divides", 60, 12, np.random.default_rng(1)),
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
        return bool(batches) and bool(when(batches, np.concatenate(batches), n, size))

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
        len(drawn) == n // size * size
        and len(set(drawn.tolist())) == len(drawn)
        and set(_sizes(batches)) == {size}
    ),
)
def _(n, size, rng):
    return cut(order(n, rng), size)[: n // size]


@batch_idea(
    "repeats-samples-to-fill-the-last",
    "You fill the last batch up with samples that were in another already, so they count twice. Let the last batch be smaller.",
    lambda batches, drawn, n, size: (
        len(drawn) == -(-n // size) * size
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
    lambda batches, drawn, n, size: _is_old(drawn) if len(drawn) else False,
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
    lambda batches, drawn, n, size: _shuffled_within(batches, n, size) and not _is_old(drawn),
)
def _(n, size, rng):
    return [batch[order(len(batch), rng)] for batch in cut(np.arange(n), size)]


@batch_idea(
    "evens-the-sizes-out",
    "Your batches are all about equally long, as np.array_split makes them. Every batch but the last has exactly `size` indices.",
    lambda batches, drawn, n, size: (
        _has_all(drawn, n)
        and len(batches) == -(-n // size)
        and max(_sizes(batches)) - min(_sizes(batches)) <= 1
    ),
)
def _(n, size, rng):
    return list(np.array_split(order(n, rng), -(-n // size)))


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
    lambda batches, drawn, n, size: _has_all(drawn, n) and len(batches) == max(n // size, 1),
)
def _(n, size, rng):
    return list(np.split(order(n, rng), [i * size for i in range(1, n // size)]))


@batch_idea(
    "ends-with-an-empty-batch",
    "When size divides n there is an empty batch at the end. A mean over no samples is nan: make no batch where nothing is left.",
    lambda batches, drawn, n, size: _has_all(drawn, n) and (len(batches[-1]) == 0 or n % size != 0),
)
def _(n, size, rng):
    return list(np.split(order(n, rng), range(size, n + 1, size)))


add_ideas_about_the_generator(minibatches)
