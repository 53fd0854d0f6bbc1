"""Unit 06: what tells a random order from one that is not, whoever drew it, and the wrong ideas about it.

Each threshold takes a random order for another less than once in 10^9 times.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course.checks.chance import repeatable, three_calls
from course.checks.exercise import Exercise


def order(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return a random order of n by torch."""
    source = torch.Generator().manual_seed(int(rng.integers(2**62)))
    return torch.randperm(n, generator=source).numpy()


def is_old(where: np.ndarray) -> bool:
    """Return whether an order is 0, 1, 2, ..."""
    return bool((where == np.arange(len(where))).all())


def not_random(where: np.ndarray) -> str:
    """Return what gives an order away as not random, or an empty string.

    Of a random order's samples about one stays in its place, and about one follows the same one as before, both with a Poisson
    distribution, so 13 or more come six times in 10^11. Its correlation with the old order has the deviation 1 / sqrt(n).
    """
    n, old = len(where), np.arange(len(where))
    if n < 13:
        return ""
    if is_old(where) or is_old(where[::-1]):
        return "The order is the old one" + ("." if is_old(where) else ", turned round.")
    steps = (where - np.roll(where, 1)) % n
    stay, follow = int((where == old).sum()), max(int((steps == step).sum()) for step in (1, n - 1))
    drift = abs(np.corrcoef(where, old)[0, 1]) * np.sqrt(n)
    problems = {
        f"{stay} of {n} samples are where they were.": stay > 12,
        f"{follow} of {n} samples come next to the same one as before.": follow > 12,
        "What stood in one half is still together.": drift > 6.5,
    }
    return next((f"{sentence} That is not random." for sentence, is_so in problems.items() if is_so), "")


def random_orders(judge: Callable[..., str], order_of: Callable[..., np.ndarray]) -> Callable[..., str]:
    """Return ``judge`` made to look at a driver's several calls too; ``order_of`` finds the order in an answer.

    One of n samples stays in its place eight times out of eight once in n^7.
    """

    def check_answer(value: Any, *args: Any) -> str:
        if not many_draws(value):
            return repeatable(judge)(value, *args)
        sentence = next(filter(None, (judge(answer, *args) for answer in value["draws"])), "")
        stay = sentence == "" and where_it_stays([order_of(answer, *args) for answer in value["draws"]])
        return f"Called eight times, it left sample {stay[0]} in its place each time." if stay else sentence

    return check_answer


def many_draws(value: Any) -> bool:
    """Return whether an answer comes from the driver ``eight_draws``."""
    return isinstance(value, dict) and set(value) == {"draws"}


def where_it_stays(orders: list[np.ndarray]) -> list[int]:
    """Return the samples that are in their old place in every one of several orders, unless all are one order."""
    found = np.stack(orders)
    stays = (found == np.arange(found.shape[1])).all(axis=0) & (found != found[0]).any()
    return np.flatnonzero(stays).tolist()


def count_of(samples: Any, *others: Any) -> int:
    """Return the number of samples that a call puts into a new order: its first argument, or the length of that."""
    return samples if isinstance(samples, int) else len(samples)


def add_ideas_about_the_order(
    exercise: Exercise, judge: Callable[..., str], order_of: Callable, arranged: Callable[..., Any]
) -> None:
    """Add two wrong ideas about the order; ``arranged(found, *args)`` is the answer that brings an order to the call's data."""

    @exercise.misconception(
        "never-moves-one-sample",
        "One sample is in its old place after every call. Where you draw a place for each sample, the upper end of rng.integers(low, high) is "
        "not drawn itself.",
        when=lambda value, *args: (
            many_draws(value)
            and not any(judge(answer, *args) for answer in value["draws"])
            and where_it_stays([order_of(answer, *args) for answer in value["draws"]]) != []
        ),
    )
    def _(*args: Any) -> Any:
        n = count_of(*args)
        return arranged(np.append(order(n - 1, args[-1]), n - 1), *args)

    def is_partly_random(value: Any, *args: Any) -> bool:
        first = value["once"] if three_calls(value) else value["draws"][0] if many_draws(value) else value
        sentence = judge(first, *args)
        return "That is not random." in sentence and sentence == not_random(order_of(first, *args))

    @exercise.misconception(
        "is-only-partly-random",
        "Much of the old order is still there, so the same samples meet in every pass. In a random order every sample can come to every place: "
        "rng.permutation draws one.",
        when=is_partly_random,
    )
    def _(*args: Any) -> Any:
        n = count_of(*args)
        return arranged(np.roll(np.arange(n), 1 + order(n - 1, args[-1])[0]), *args)
