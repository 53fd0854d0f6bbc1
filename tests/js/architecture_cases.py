"""Cases for ArchitectureBuilder: nets drawn at random, and what torch says of each of their rows.

A shape is a module's output's, multiply-adds are half of what torch's flop counter finds, memory is what a module's
output takes beyond its input's, and a field is where the gradient of one output is not zero, far from any edge.
"""

from __future__ import annotations

import random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from course.explorers.architecture_builder import shortest

PLAIN = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "leakyrelu": nn.LeakyReLU,
    "dropout": nn.Dropout,
    "flatten": nn.Flatten,
    "lrn": nn.LocalResponseNorm,
}


class Residual(nn.Module):
    """What two branches put out, added; unequal shapes are refused, though torch might broadcast them."""

    def __init__(self, body: nn.Sequential, shortcut: nn.Sequential):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Tensor) -> Tensor:
        body, shortcut = self.body(x), self.shortcut(x)
        if body.shape != shortcut.shape:
            raise ValueError("different shapes")
        return body + shortcut


def module_of(layer: Any, x: Tensor) -> nn.Module:
    """Return a layer as a torch module that takes ``x``."""
    kind, *values = [layer] if isinstance(layer, str) else layer
    channels = x.shape[1]
    if kind == "residual":
        return Residual(*(sequence_of(part, x)[0] for part in [*values, []][:2]))
    if kind == "conv":
        return nn.Conv2d(channels, *values[:6], **({"bias": values[6]} if len(values) > 6 else {}))
    if kind in ("maxpool", "avgpool"):
        return (nn.MaxPool2d if kind == "maxpool" else nn.AvgPool2d)(*values)
    if kind == "adaptivepool":
        return nn.AdaptiveAvgPool2d(*(values or [1]))
    if kind == "batchnorm":
        return (nn.BatchNorm2d if x.ndim == 4 else nn.BatchNorm1d)(channels)
    if kind == "lrn":
        return nn.LocalResponseNorm(*(values or [5]))
    if kind == "softmax":
        return nn.Softmax(dim=1)
    if kind == "linear":
        if x.ndim != 2:
            raise ValueError("not in a line")
        return nn.Linear(channels, *values)
    return PLAIN[kind](*values)


def sequence_of(layers: list, x: Tensor) -> tuple[nn.Sequential, Tensor]:
    """Return layers as one module, and what they make of ``x``; raises where one does not fit."""
    modules = []
    for layer in layers:
        modules.append(ready(module_of(layer, x)))
        with torch.no_grad():
            x = modules[-1](x)
    return nn.Sequential(*modules), x


def taken(module: nn.Module, x: Tensor) -> int:
    """Return the bytes of all that a module puts out, its branches' layers included; a view takes none."""
    if isinstance(module, Residual):
        total, out = 0, module(x)
        for branch in (module.body, module.shortcut):
            y = x
            for part in branch:
                total += taken(part, y)
                y = part(y)
        return total + out.numel() * out.element_size()
    out = module(x)
    shared = out.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    return 0 if shared else out.numel() * out.element_size()


class Line:
    """One axis of a net on a long line of numbers, all weights 1: its sums see what the net's outputs see.

    ``size`` is the axis' size in the real net. Where windows differ in size, only their union is kept (``uneven``).
    """

    def __init__(self, size: int, length: int):
        self.x = torch.zeros(1, 1, length, dtype=torch.float64, requires_grad=True)
        self.y, self.size, self.flat, self.uneven = self.x, size, False, False

    def slide(self, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> None:
        weight = torch.ones(1, 1, kernel, dtype=torch.float64)
        self.y = F.conv1d(self.y, weight, None, stride, padding, dilation)

    def go(self, layer: Any, size_after: int) -> None:
        """Take one layer; ``size_after`` is the size that the real layer puts out, 0 where it has none."""
        kind, *values = [layer] if isinstance(layer, str) else layer
        if kind == "residual":
            self.add(*[*values, []][:2])
        elif kind in ("conv", "maxpool", "avgpool"):
            kernel, *steps = values[1:5] if kind == "conv" else values
            self.slide(kernel, *(steps or [1 if kind == "conv" else kernel]))
        elif kind == "adaptivepool" and self.size % size_after:
            self.uneven = True
            return
        elif kind == "adaptivepool":
            self.slide(self.size // size_after, self.size // size_after)
        elif kind == "linear" or (kind == "softmax" and self.flat):
            self.slide(self.size)
            self.size, self.uneven = 1, False
        self.flat = self.flat or kind == "flatten"
        self.size = size_after or self.size

    def add(self, *branches: list) -> None:
        """Add what two branches make, as far as both go."""
        start, ends = self.y, []
        for branch in branches:
            self.y = start
            for layer in branch:
                self.go(layer, 0)
            ends.append(self.y)
        length = min(end.shape[2] for end in ends)
        self.y = ends[0][:, :, :length] + ends[1][:, :, :length]

    def field(self) -> int | None:
        """Return how many places the middle output sees, -1 where outputs differ; None where the line is too short."""
        if self.uneven:
            return -1
        length = self.y.shape[2]
        if length < 3:
            return None
        (grad,) = torch.autograd.grad(self.y[0, 0, length // 2], self.x, retain_graph=True)
        seen = grad[0, 0].nonzero().flatten()
        if seen[0] == 0 or seen[-1] == grad.numel() - 1:
            return None
        return int(seen[-1] - seen[0]) + 1


def fields(layers: list, size: int, sizes: list[int]) -> list[int]:
    """Return what an output of each layer sees along one axis, whose sizes after the layers are ``sizes``."""
    for power in range(10, 24):
        line, found = Line(size, 2**power), []
        try:
            for layer, after in zip(layers, sizes, strict=True):
                line.go(layer, after)
                found.append(line.field())
        except RuntimeError:  # the line ended
            continue
        if None not in found:
            return found
    raise AssertionError(f"no line is long enough for {layers}")


def draw_layer(rng: random.Random, channels: int, flat: bool) -> Any:
    """Draw a layer that fits more often than not."""
    if flat:
        kinds: list = ["relu", "tanh", "dropout", "batchnorm", "softmax", "flatten"]
        return rng.choice(
            [["linear", rng.randint(1, 12)], ["linear", 5, False], *kinds, ["conv", 4, 1], "lrn"]
        )
    kernel, filters, stride = rng.randint(1, 5), 2 * rng.randint(1, 6), rng.choice([1, 1, 1, 2, 3])
    window = [kernel, stride, rng.choice([0, 0, 1, kernel // 2])]
    conv = [
        "conv",
        filters,
        *window,
        rng.choice([1, 1, 1, 2]),
        rng.choice([1, 1, 2, channels]),
        rng.random() < 0.7,
    ]
    plain = ["relu", "leakyrelu", "tanh", "sigmoid", "gelu", "silu", "lrn", "batchnorm", "softmax"]
    return rng.choice(
        [
            *[conv] * 5,
            *[[rng.choice(["maxpool", "avgpool"]), *window]] * 2,
            *[draw_block(rng, channels)] * 3,
            rng.choice(plain),
            rng.choice([["dropout", 0.2], ["dropout", 1.5], ["lrn", 3], ["leakyrelu", 0.2]]),
            ["adaptivepool", rng.randint(1, 3)],
            "flatten",
            rng.choice([["linear", 4], ["conv", 4, 3, 0], ["maxpool", 0, 1], ["conv", 4, 3, 1, -1]]),
        ]
    )


def draw_block(rng: random.Random, channels: int) -> list:
    """Draw a residual block: with or without a shortcut of its own, now and then one that does not fit."""
    filters, stride = rng.choice([channels, channels, 4]), rng.choice([1, 1, 2])
    deep = [["conv", filters, 3, stride, 1, 1, 1, False], "batchnorm", "relu", ["conv", filters, 3, 1, 1]]
    wide = ["batchnorm", "relu", ["conv", filters, 3, stride, 2, 2]]
    nested = [["residual", [["conv", channels, 5, 1, 2], "relu"]], ["conv", filters, 3, stride, 1]]
    body = rng.choice([deep, wide, nested])
    if filters == channels and stride == 1:
        return ["residual", body]
    project = [["conv", filters, 1, stride], "batchnorm"]
    skewed = [["conv", filters, 2, 1, 1], ["conv", filters, 2, stride]]
    return ["residual", body, *rng.choice([[project], [project], [skewed], []])]


def sizes_of(shape: torch.Size, axis: int) -> int:
    """Return the size of an output along an axis; 0 where it has none."""
    return shape[2 + axis] if len(shape) == 4 else 0


def cases(count: int = 260, seed: int = 13) -> list[dict]:
    """Return ``count`` nets, each with the number of its first layer that does not fit (-1: all do) and the rows before."""
    rng = random.Random(seed)
    return [case(rng) for _ in range(count)]


def case(rng: random.Random) -> dict:
    """Draw one net layer by layer, and measure it."""
    size = [rng.randint(1, 4), rng.randint(6, 40), rng.randint(6, 40)]
    x, layers, outs, broken = torch.zeros(1, *size), [], [], -1
    measured: dict[str, list[int]] = {"parameters": [], "multiply_adds": [], "memory": []}
    for _ in range(rng.randint(2, 10)):
        layer = draw_layer(rng, x.shape[1], x.ndim == 2)
        if layer == "flatten" and rng.random() < 0.5:
            continue
        try:
            module = ready(module_of(layer, x))
            with torch.no_grad(), FlopCounterMode(display=False) as flops:
                out = module(x)
        except (RuntimeError, ValueError, ZeroDivisionError):
            if rng.random() < 0.8:
                continue
            broken = len(layers)
            layers += [shortest(layer), "relu"]
            break
        layers.append(shortest(layer))
        measured["parameters"].append(sum(p.numel() for p in module.parameters()))
        measured["multiply_adds"].append(flops.get_total_flops() // 2)
        with torch.no_grad():
            measured["memory"].append(taken(module, x))
        outs.append(out.shape)
        x = out
        if layer[0] == "adaptivepool" and any(
            n % layer[1] for n in (outs[-2:-1] or [[1, 1, *size[1:]]])[0][2:]
        ):
            layers.append("flatten")
            module = nn.Flatten()
            outs.append(module(x).shape)
            x = module(x)
            for values in measured.values():
                values.append(0)
    seen = {
        name: fields(layers[: len(outs)], size[1 + axis], [sizes_of(shape, axis) for shape in outs])
        for axis, name in enumerate(["rows", "columns"])
    }
    shapes = [n for shape in outs for n in shape[1:]]
    return {
        "settings": {"layers": layers, "input_size": size},
        "broken": broken,
        "shapes": shapes,
        **measured,
        **seen,
    }


def ready(module: nn.Module) -> nn.Module:
    """Return a module as it is in use: batch normalization takes one image, dropout drops."""
    module.eval()
    return module.train() if isinstance(module, nn.Dropout) else module
