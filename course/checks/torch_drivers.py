"""Drivers of the torch units: how a check uses a student's module; see course/checks/drivers.py.

A module is judged by the shapes of its parameters, in the order in which it registers them, and by what it computes once they are
filled with numbers that depend on their place alone. So any way of writing it is right that others' weights would fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn


def numbers(place: int, shape: Sequence[int], dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Return the numbers that the parameter (or buffer) at ``place`` is filled with: the same ones for the same place and shape.

    Weights keep the size of a signal through a ReLU; biases, the parameters of a normalisation and its running statistics lie between
    0.5 and 1.5.

    >>> numbers(0, (2, 3)).shape, bool((numbers(1, (5,)) >= 0.5).all())
    (torch.Size([2, 3]), True)
    """
    generator = torch.Generator().manual_seed(1000 * place + len(shape))
    if len(shape) < 2:
        return 0.5 + torch.rand(tuple(shape), generator=generator, dtype=dtype)
    fan_in = math.prod(shape[1:])
    return torch.randn(tuple(shape), generator=generator, dtype=dtype) * math.sqrt(2 / fan_in)


def fill(module: nn.Module) -> nn.Module:
    """Fill the parameters, and then the buffers of fractions, by their places; return the module."""
    tensors = [*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())]
    with torch.no_grad():
        for place, tensor in enumerate(tensors):
            tensor.copy_(numbers(place, tensor.shape, tensor.dtype))
    return module


def shape_words(shape: Sequence[int]) -> str:
    """Return a shape as a person reads it.

    >>> shape_words((64, 3, 7, 7))
    '64 x 3 x 7 x 7'
    """
    return " x ".join(map(str, shape))


def parameters(
    make: Callable[..., nn.Module], setup: Sequence[Any], settings: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Make ``make(*setup, **settings)`` without memory (on the meta device); return the shapes of its parameters and their number."""
    with torch.device("meta"):
        module = make(*setup, **(settings or {}))
    shapes = [tuple(p.shape) for p in module.parameters()]
    return {"parameters": [shape_words(s) for s in shapes], "count": sum(math.prod(s) for s in shapes)}


def outputs(
    make: Callable[..., nn.Module],
    setup: Sequence[Any],
    x: np.ndarray,
    settings: dict[str, Any] | None = None,
    training: bool = False,
) -> dict[str, Any]:
    """Make ``make(*setup, **settings)``, fill it, and return the shapes of its parameters and its output for x, in x's dtype."""
    module = fill(seeded(make, *setup, **(settings or {})).to(torch.as_tensor(x).dtype)).train(training)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        out = module(torch.as_tensor(x))
    return {"parameters": [shape_words(p.shape) for p in module.parameters()], "output": array(out)}


def seeded(make: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return ``make(*args, **kwargs)``, which draws the same numbers each time and leaves torch's generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make(*args, **kwargs)


def with_tensors(function: Callable, *args: Any, **kwargs: Any) -> Any:
    """Call the student's function with tensors in place of arrays."""
    tensors = [as_tensors(arg) for arg in args]
    return seeded(function, *tensors, **{name: as_tensors(value) for name, value in kwargs.items()})


def as_tensors(value: Any) -> Any:
    """Return arrays, also those in lists and dictionaries, as tensors; anything else as it is."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, list | tuple):
        return type(value)(map(as_tensors, value))
    if isinstance(value, dict):
        return {name: as_tensors(item) for name, item in value.items()}
    return value


def array(value: Any) -> Any:
    """Return a tensor as an array; tensors in a tuple or list too; anything else as it is."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy()
    if isinstance(value, list | tuple):
        return type(value)(map(array, value))
    return value
