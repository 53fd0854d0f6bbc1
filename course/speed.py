"""How many images a second a net takes, measured so that two settings can be compared."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from course.devices import Settings, as_tensors, explained, settings


def throughput(
    model: torch.nn.Module,
    x: Any,
    *,
    training: bool = True,
    device: Any = None,
    precision: str = "auto",
    channels_last: bool | None = None,
    compile: bool = False,
    seconds: float = 0.5,
) -> float:
    """Return how many images a second a copy of the model trains on, or only looks at, in batches like ``x``.

    x: one batch of images (N, ...). A training step is forward, cross entropy, backward and SGD with momentum. Three steps go
    first, uncounted; then blocks of steps are timed for about ``seconds``, and the median block counts. The other arguments
    are fit()'s. The model itself is not changed.

    >>> throughput(torch.nn.Linear(4, 2), torch.randn(8, 4), device="cpu", seconds=0.01) > 0
    True

    Raises TrainingError as fit() does.
    """
    chosen = settings(device, precision, channels_last)
    x, _ = as_tensors((x, torch.zeros(len(x), dtype=torch.long)), "x")
    with explained(len(x), chosen.device):
        twin = chosen.place(copy.deepcopy(model)).train(training)
        step = one_step(twin, torch.compile(twin) if compile else twin, chosen.batch(x), chosen, training)
        return len(x) / median_seconds(step, chosen, seconds)


def one_step(
    twin: torch.nn.Module, net: Callable, x: torch.Tensor, chosen: Settings, training: bool
) -> Callable:
    """Return a function that does one step on a batch."""
    optimizer = torch.optim.SGD(twin.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)
    labels = torch.zeros(len(x), dtype=torch.long, device=chosen.device)

    def look() -> None:
        with torch.no_grad(), chosen.autocast():
            net(x)

    def learn() -> None:
        with chosen.autocast():
            logits = net(x)
        optimizer.zero_grad()
        cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    return learn if training else look


def median_seconds(step: Callable, chosen: Settings, budget: float) -> float:
    """Return the seconds a step takes: the median over blocks of steps, so that the device is never kept waiting."""

    def block(steps: int) -> float:
        chosen.synchronize()
        began = time.perf_counter()
        for _ in range(steps):
            step()
        chosen.synchronize()
        return (time.perf_counter() - began) / steps

    block(3)
    steps = max(1, round(budget / 5 / max(block(1), 1e-6)))
    return sorted(block(steps) for _ in range(5))[2]
