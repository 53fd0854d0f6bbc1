"""Nets of unit 10 as plans: rows of operations that torch's functions carry out on tensors filled by place.

A plan is a list of tuples, such as ("conv", 8, 3, 1), ("relu",), ("pool", 2). It says which parameters a module would
register, in order, and what it would compute. A wrong idea is a plan in which something is different.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from course.checks.torch_drivers import numbers, shape_words

Plan = list[tuple]  # ("conv", out, in, padding), ("again",), ("norm", channels), ("linear", out, in), ...

PLAIN: dict[str, Callable[..., torch.Tensor]] = {
    "relu": F.relu,
    "pool": F.max_pool2d,
    "average": F.avg_pool2d,
    "resize": F.adaptive_avg_pool2d,
    "flatten": lambda x: x.flatten(1),
    "channels last": lambda x: x.movedim(1, -1),
    "dropout": lambda x: x,
    "softmax": lambda x: x.softmax(1),
}


def shapes(op: tuple) -> list[tuple[int, ...]]:
    """Return the shapes of an operation's parameters, in order."""
    kind, *sizes = op
    if kind in ("conv", "conv without bias"):
        weight = (sizes[0], sizes[1], 3, 3)
        return [weight, weight[:1]] if kind == "conv" else [weight]
    return {"linear": [tuple(sizes), tuple(sizes[:1])], "norm": [tuple(sizes)] * 2}.get(kind, [])


def report(plan: Plan, x: Any = None, first: int = 0) -> dict[str, Any]:
    """Return what the drivers report: the parameters' shapes, with their number or with the output for x.

    first: how many operations at the end were registered before all the others.
    """
    registered = plan[len(plan) - first :] + plan[: len(plan) - first]
    all_shapes = [shape for op in registered for shape in shapes(op)]
    said: dict[str, Any] = {"parameters": [shape_words(shape) for shape in all_shapes]}
    if x is None:
        return said | {"count": sum(map(math.prod, all_shapes))}
    places = [place for place, op in enumerate(registered) for _ in shapes(op)]
    tensors: dict[int, list[torch.Tensor]] = {}
    for number, (place, shape) in enumerate(zip(places, all_shapes, strict=True)):
        tensors.setdefault((place - first) % len(plan), []).append(numbers(number, shape))
    norms = [(place - first) % len(plan) for place, op in enumerate(registered) if op[0] == "norm"]
    for number, place in enumerate(norms):  # the running mean and variance are filled after all parameters
        shape = shapes(plan[place])[0]
        buffers = (numbers(len(all_shapes) + 2 * number + i, shape) for i in range(2))
        tensors[place] += buffers
    return said | {"output": carried_out(plan, torch.as_tensor(x), tensors).numpy()}


def carried_out(plan: Plan, x: torch.Tensor, tensors: dict[int, list[torch.Tensor]]) -> torch.Tensor:
    """Return what a plan computes from x with the given tensors of each operation."""
    last: Sequence[torch.Tensor] = ()
    for place, (kind, *sizes) in enumerate(plan):
        if kind in ("conv", "conv without bias"):
            last = tensors[place]
            x = F.conv2d(x, *last, padding=sizes[2])
        elif kind == "again":
            x = F.conv2d(x, *last, padding=1)
        elif kind == "norm":
            gamma, beta, mean, var = tensors[place]
            x = F.batch_norm(x, mean, var, gamma, beta)
        elif kind == "linear":
            x = F.linear(x, *tensors[place])
        else:
            x = PLAIN[kind](x, *sizes)
    return x
