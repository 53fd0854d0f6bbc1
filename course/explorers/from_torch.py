"""A torch module as layers of ArchitectureBuilder: an input without numbers is followed through its forward pass."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .torch_calls import READERS, RESHAPES, SAME, CannotDraw, reshaped

IMAGES = 2  # batch normalization in training takes no single one
SUM = "a sum of two branches"


@dataclass(eq=False)
class Step:
    """What one call of torch made: a layer and the steps that its input came from (none: the net's input)."""

    layer: Any
    inputs: list[Step]
    place: int


class Follow(TorchFunctionMode):
    """Notes each call of torch that takes something made of the input ``x``."""

    def __init__(self, x: Tensor, weights: set[int]):
        super().__init__()
        self.steps = [Step(None, [], 0)]
        self.made = {id(x): self.steps[0]}
        self.alive = [x]  # so that no id is used twice
        self.weights, self.used_weights = weights, set[int]()

    def __torch_function__(self, func: Callable, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = tensors_of([*args, *kwargs.values()])
        used = [self.made[id(value)] for value in given if id(value) in self.made]
        shapes = [tuple(value.shape) for value in given]  # before a call in place
        out = func(*args, **kwargs)
        if used and tensors_of([out]):
            layers = self.read(func.__name__.strip("_"), args, kwargs, used, shapes, out)
            self.check_weights({id(value) for value in given} & self.weights, layers)
            for layer in layers:
                self.steps.append(Step(layer, used, len(self.steps)))
                used = self.steps[-1:]
            self.made[id(out)] = used[0]
            self.alive.append(out)
        return out

    def read(self, name: str, args: Any, kwargs: Any, used: list[Step], shapes: list, out: Any) -> list:
        """Return the layers that one call stands for."""
        if name in ("add", "iadd", "radd") and len(used) == 2 and kwargs.get("alpha", 1) == 1:
            if shapes[0] != shapes[1]:
                raise CannotDraw(
                    f"it adds {shapes[0][1:]} and {shapes[1][1:]}, which only broadcasting makes equal."
                )
            return [SUM]
        if len(used) == 1 and name in SAME:
            return []
        if len(used) == 1 and name in RESHAPES:
            return reshaped(name, shapes[0], tuple(out.shape))
        if len(used) == 1 and name in READERS:
            return READERS[name](*args, **kwargs)
        raise CannotDraw(f"“{name}” is not among its layers.")

    def check_weights(self, given: set[int], layers: list) -> None:
        """Refuse weights that another layer has used: they would be counted twice."""
        if given & self.used_weights:
            raise CannotDraw("two of its layers share their weights, which would be counted twice.")
        self.used_weights |= given


def tensors_of(values: list) -> list[Tensor]:
    """Return the tensors among values, and those in lists among them."""
    flat = [part for value in values for part in (value if isinstance(value, list | tuple) else [value])]
    return [value for value in flat if isinstance(value, Tensor)]


def fork(a: Step, b: Step, doors: dict[Step, Step]) -> Step:
    """Return the last step that every way from the input to ``a`` and to ``b`` passes."""
    while a is not b:
        a, b = (doors[a], b) if a.place > b.place else (a, doors[b])
    return a


def chain(end: Step, start: Step, doors: dict[Step, Step], drawn: set[Step]) -> list:
    """Return the layers from ``start`` (left out) to ``end``, sums of two branches as residual blocks."""
    layers: list = []
    while end is not start:
        if end in drawn:
            raise CannotDraw("its branches cross; only two that start at one place can be added.")
        drawn.add(end)
        if end.layer == SUM:
            branches = [chain(branch, doors[end], doors, drawn) for branch in end.inputs]
            layers.append(["residual", *sorted(branches, key=len, reverse=True)])
        else:
            layers.append(end.layer)
        end = doors[end]
    return layers[::-1]


def followed(module: nn.Module, input_size: tuple[int, int, int]) -> list:
    """Return the layers that an input goes through, or raise CannotDraw without the module's name."""
    held = {name: torch.empty_like(value, device="meta") for name, value in module.named_parameters()}
    buffers = {name: torch.empty_like(value, device="meta") for name, value in module.named_buffers()}
    dtype = next((value.dtype for value in held.values() if value.is_floating_point()), None)
    with torch.device("meta"), torch.no_grad():
        x = torch.empty(IMAGES, *input_size, dtype=dtype)
        follow = Follow(x, {id(value) for value in held.values()})
        with follow, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the module's own run nobody asked to hear
            out = torch.func.functional_call(module, held | buffers, (x,))
    if id(out) not in follow.made:
        raise CannotDraw("what it gives is not one tensor made of its input.")
    doors: dict[Step, Step] = {}
    for step in follow.steps[1:]:
        doors[step] = fork(step.inputs[0], step.inputs[-1], doors)
    return chain(follow.made[id(out)], follow.steps[0], doors, set())


def layers_of(module: nn.Module, input_size: tuple[int, int, int]) -> list:
    """Return the layers that an input of ``input_size`` (C, H, W) goes through in a module.

    >>> layers_of(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), (3, 2, 2))
    ['flatten', ['linear', 2, True]]

    Raises CannotDraw, in one line, for a module that is no such chain.
    """
    name, size = type(module).__name__, " × ".join(map(str, input_size))
    try:
        return followed(module, input_size)
    except CannotDraw as problem:
        raise CannotDraw(f"{name} cannot be drawn: {problem}") from None
    except Exception as problem:  # whatever the module's own code raises
        raise CannotDraw(f"{name} does not take an input of {size}: {str(problem).splitlines()[0]}") from None
