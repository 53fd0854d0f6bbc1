"""Networks as functions of numbered tensors: what the oracles of the residual nets are made of.

A functional net asks a Tape for a convolution, a batch norm, a linear layer, and gets it computed with the numbers that a student's
module is filled with at the same places (torch_drivers.fill). It never sees a module.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from course.checks.exercise import runs_into
from course.checks.torch_drivers import numbers, shape_words

Net = Callable[["Tape", torch.Tensor], torch.Tensor]

# As many tensors as a ResNet-18 has: twenty wrong ideas of it want the same ones, and drawing them takes longest.
kept_numbers = functools.lru_cache(maxsize=110)(numbers)


class Tape:
    """Hands out parameters and running statistics by their places, and notes the shapes asked for.

    ``parameters`` is how many parameters there will be, since the places of the statistics follow theirs. Without it, nothing is
    computed: all tensors are on the meta device.
    """

    def __init__(self, parameters: int | None = None, dtype: torch.dtype = torch.float64):
        self.total, self.dtype = parameters, dtype
        self.shapes: list[tuple[int, ...]] = []
        self.statistics = 0

    def _numbers(self, place: int, shape: Sequence[int]) -> torch.Tensor:
        if self.total is None:
            return torch.empty(tuple(shape), device="meta", dtype=self.dtype)
        return kept_numbers(place, tuple(shape), self.dtype)

    def parameter(self, *shape: int) -> torch.Tensor:
        """Return the next parameter."""
        self.shapes.append(shape)
        return self._numbers(len(self.shapes) - 1, shape)

    def statistic(self, size: int) -> torch.Tensor:
        """Return the next running mean or running variance."""
        self.statistics += 1
        return self._numbers((self.total or 0) + self.statistics - 1, (size,))

    def conv(
        self, x: torch.Tensor, out: int, kernel_size: int, stride: int = 1, bias: bool = False, **more: int
    ) -> torch.Tensor:
        """Return a convolution of x, padded so that stride 1 keeps its size unless ``padding`` is given."""
        w = self.parameter(out, more.get("inside", x.shape[1]), kernel_size, kernel_size)
        b = self.parameter(out) if bias else None
        return F.conv2d(x, w, b, stride, more.get("padding", kernel_size // 2))

    def norm(self, x: torch.Tensor) -> torch.Tensor:
        """Return the batch norm of x with running statistics."""
        size = x.shape[1]
        gamma, beta = self.parameter(size), self.parameter(size)
        mean, variance = self.statistic(size), self.statistic(size)
        if self.total is None:
            return x  # the shape stays, and the first batch norm on the meta device costs a second of imports
        return F.batch_norm(x, mean, variance, gamma, beta)

    def linear(self, x: torch.Tensor, out: int) -> torch.Tensor:
        """Return a linear layer of the rows of x."""
        w = self.parameter(out, x.shape[1])
        return F.linear(x, w, self.parameter(out))


def shapes(net: Net, x_shape: Sequence[int]) -> list[tuple[int, ...]]:
    """Return the shapes of a net's parameters, computing nothing."""
    tape = Tape()
    with refusing():
        net(tape, torch.empty(tuple(x_shape), device="meta", dtype=tape.dtype))
    return tape.shapes


def parameters(net: Net, x_shape: Sequence[int]) -> dict[str, Any]:
    """Return what torch_drivers.parameters gives for a module that computes ``net``."""
    found = shapes(net, x_shape)
    count = sum(int(torch.Size(shape).numel()) for shape in found)
    return {"parameters": [shape_words(shape) for shape in found], "count": count}


def outputs(net: Net, x: Any) -> dict[str, Any]:
    """Return what torch_drivers.outputs gives for a module that computes ``net``."""
    given = torch.as_tensor(x)
    found = shapes(net, given.shape)
    with torch.no_grad(), refusing():
        out = net(Tape(len(found), given.dtype), given)
    return {"parameters": [shape_words(shape) for shape in found], "output": out.numpy()}


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """Within the block, shapes that do not fit are a Refusal: a wrong idea ends where the student's code would."""
    try:
        yield
    except RuntimeError as error:
        raise runs_into("RuntimeError", "ValueError") from error


def arguments(setup: Sequence[Any], given: Sequence[Any], **parameters: Any) -> list[Any]:
    """Return the arguments of a call in the order of its parameters: by place, by name in a dictionary of ``given``, or by default.

    >>> arguments([20, "B"], [{"width": 8}], depth=None, option="A", width=16)
    [20, 'B', 8]
    """
    by_name = next((more for more in given if isinstance(more, dict)), {})
    return list((parameters | dict(zip(parameters, setup, strict=False)) | by_name).values())
