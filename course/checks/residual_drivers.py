"""Drivers of unit 12: how a check uses make_stage and gradient_norms; see course/checks/torch_drivers.py.

A stage is built of given blocks that are no residual blocks: each says what it was made with. A net whose gradients are
measured is built of plain layers with given weights.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from course.checks.torch_drivers import array, fill, outputs, parameters, seeded, shape_words

MOST_PARAMETERS = 100_000_000  # of a net that is run: 400 MB


def block_words(in_channels: int, out_channels: int, stride: int, settings: Mapping[str, Any]) -> str:
    """Return what a given block was made with.

    >>> block_words(4, 8, 2, {"option": "A"})
    '4 to 8 channels, stride 2, option=A'
    """
    more = "".join(f", {name}={value}" for name, value in settings.items())
    return f"{in_channels} to {out_channels} channels, stride {stride}{more}"


def expect(value: Any, kind: type, name: str, wanted: str) -> None:
    """Raise TypeError, in a sentence for the student, for a value of another kind."""
    if not isinstance(value, kind):
        got = "None" if value is None else f"a {type(value).__name__}"
        raise TypeError(f"{name} gave {got}, where {wanted} was expected")


def given_block(expansion: int, ran: list[str]) -> type[nn.Module]:
    """Return a class of blocks that note in ``ran`` what they were made with, each time they run."""

    class Block(nn.Module):
        def __init__(self, in_channels: int, width: int, stride: int = 1, **settings: Any):
            super().__init__()
            self.words = block_words(in_channels, expansion * width, stride, settings)
            self.conv = nn.Conv2d(in_channels, expansion * width, 1, stride)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if x.shape[1] != self.conv.in_channels:
                raise ValueError(f"a block made for {self.conv.in_channels} channels was given {x.shape[1]}")
            ran.append(self.words)
            return self.conv(x)

    Block.expansion = expansion  # type: ignore[attr-defined]
    return Block


def stage(
    make_stage: Callable, expansion: int, arguments: Sequence[int], x: np.ndarray, **settings: Any
) -> dict[str, Any]:
    """Make a stage of given blocks; return the blocks that ran, the shapes of all parameters, and the output for x."""
    ran: list[str] = []
    made = seeded(make_stage, given_block(expansion, ran), *arguments, **settings)
    expect(made, nn.Module, "make_stage", "one module")
    out = fill(made.to(torch.float64)).eval()(torch.from_numpy(x.copy()))
    return {
        "blocks": ran,
        "parameters": [shape_words(p.shape) for p in made.parameters()],
        "output": array(out),
    }


def outputs_within_memory(
    make: Callable[..., nn.Module], setup: Sequence[Any], x: np.ndarray
) -> dict[str, Any]:
    """Return what torch_drivers.outputs gives; raise ValueError for a net too large to be run."""
    count = parameters(make, setup)["count"]
    if count > MOST_PARAMETERS:
        raise ValueError(f"the net has {count:,} parameters, too many to be run here")
    return outputs(make, setup, x)


def given_layer(entry: Any, size: int) -> nn.Module:
    """Return the module of one entry; ``size`` is the channels that come into a norm."""
    if isinstance(entry, str):
        kinds = {"relu": nn.ReLU, "flatten": nn.Flatten, "norm": functools.partial(nn.BatchNorm2d, size)}
        return kinds[entry]()
    into = entry.shape[1]
    layer: Any = (
        nn.Linear(into, size) if entry.ndim == 2 else nn.Conv2d(into, size, entry.shape[2:], padding="same")
    )
    layer.weight.data, layer.bias.data = torch.from_numpy(entry.copy()), torch.zeros(size)
    return layer


def given_net(layers: Sequence[Any]) -> nn.Sequential:
    """Return a net with one layer for each entry: "relu", "norm", "flatten", or the weights of a linear layer or a convolution.

    Biases are 0, and a norm is as torch makes it. No name tells what kind of layer it is.
    """
    net, size = nn.Sequential(), 0
    for number, entry in enumerate(layers, start=1):
        if isinstance(entry, np.ndarray):
            size = len(entry)
        net.add_module(f"layer{number}", given_layer(entry, size))
    return net.to(torch.float64)


def norms_after_backward(
    gradient_norms: Callable,
    layers: Sequence[Any],
    x: np.ndarray,
    frozen: Sequence[str] = (),
    unused: Sequence[str] = (),
) -> Any:
    """Run a given net forward on x and backward from the sum of its outputs; return the names and numbers that are reported.

    ``frozen`` names weights that want no gradient, ``unused`` those that want one and got none. Raises TypeError for what is
    not a dictionary.
    """
    net = seeded(given_net, layers)
    for name in frozen:
        net.get_parameter(name).requires_grad_(False)
    net(torch.from_numpy(x.copy())).sum().backward()
    for name in unused:
        net.get_parameter(name).grad = None
    before = [None if p.grad is None else p.grad.clone() for p in net.parameters()]
    reported = gradient_norms(net)
    expect(reported, Mapping, "gradient_norms", "a dictionary")
    after = [p.grad for p in net.parameters()]
    kept = all(
        b is None if a is None else b is not None and torch.equal(a, b)
        for a, b in zip(after, before, strict=True)
    )
    return {"names": list(reported), "norms": array(list(reported.values())), "gradients kept": kept}
