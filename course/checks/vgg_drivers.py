"""How checks use what a student builds in unit 10; see course/checks/torch_drivers.py."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

from course.checks import torch_drivers

LARGE = (
    1_000_000  # parameters; the nets of cases that compute have fewer, and whoever has more has a size wrong
)


PASSES = (
    "two passes differ in training",
    "two passes differ in evaluation",
    "shares dropped in training",
)
WRAPPED = "in a class: "  # a net in words that begins so is no nn.Sequential


def module_from(make: Callable[..., Any]) -> Callable[..., nn.Module]:
    """Return ``make``, which then raises TypeError where what it makes is no module."""

    def made(*setup: Any, **settings: Any) -> nn.Module:
        module = make(*setup, **settings)
        if isinstance(module, nn.Module):
            return module
        if module is None:
            raise TypeError("None came back, where an nn.Module was expected. Does it end in `return ...`?")
        raise TypeError(f"an nn.Module was expected, and a {type(module).__name__} came back.")

    return made


def build(make: Callable[..., Any], *setup: Any, x: np.ndarray | None = None, **settings: Any) -> dict:
    """Make a module; return the shapes of its parameters with their number, or with its output for x.

    A module that is far too large computes nothing, so that the answer comes at once: its shapes say what is wrong.
    """
    if x is None:
        return torch_drivers.parameters(module_from(make), setup, settings)
    with contextlib.suppress(Exception):  # whatever is wrong shows again when the module is made in earnest
        sizes = torch_drivers.parameters(make, setup, settings)
        if sizes["count"] > LARGE:
            return {"parameters": sizes["parameters"], "output": None}
    return torch_drivers.outputs(module_from(make), setup, x, settings)


def network(make: Callable[..., Any], *setup: Any, x: np.ndarray | None = None, **settings: Any) -> dict:
    """Make a net as ``build`` does; without batch norm, also say where two passes over the same images differ."""
    report = build(make, *setup, x=x, **settings)
    if x is None or settings.get("batch_norm"):
        return report
    if report["output"] is None:
        return report | dict.fromkeys(PASSES)
    module = torch_drivers.fill(torch_drivers.seeded(make, *setup, **settings).double())
    with Dropouts() as seen:
        in_training = differs(module.train(), x)
    shares = seen.shares[: len(seen.shares) // 2]  # of the first of two passes
    if in_training and not seen.shares:  # with masks of its own: nobody can read their shares off
        shares = 2 * [settings.get("dropout", 0.5)]
    found = in_training, differs(module.eval(), x), [f"{share:.3g}" for share in shares]
    return report | dict(zip(PASSES, found, strict=True))


class Dropouts(TorchFunctionMode):
    """Within the block, notes the share that each dropout sets to 0, however it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.shares: list[float] = []

    def __torch_function__(self, func: Callable, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one of torch's functions."""
        kwargs = kwargs or {}
        if func == F.dropout:
            given = dict(zip(("input", "p", "training"), args, strict=False)) | kwargs
            share, training = given.get("p", 0.5), given.get("training", True)
            self.shares += [share] if share and training else []
        return func(*args, **kwargs)


def differs(module: nn.Module, x: np.ndarray) -> bool | None:
    """Return whether two passes of the same images give two answers; None where there is no answer."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        once, again = (module(torch.from_numpy(x)) for _ in range(2))
    return not torch.equal(once, again) if torch.is_tensor(once) else None


def memory(
    function: Callable[..., Any], model: str, input_size: Sequence[int], device: str = "cpu"
) -> dict[str, Any]:
    """Call activation_memory twice on a net given in words; return the second answer, and how many layers are left with a hook."""
    net = from_words(model, input_size, device)
    function(net, tuple(input_size))
    answer = function(net, tuple(input_size))
    hooked = sum(bool(m._forward_hooks or m._forward_pre_hooks) for m in net.modules())
    return {"bytes": answer, "layers that still have a hook": hooked}


class Wrapped(nn.Module):
    """A net that is no nn.Sequential itself, as one of a class of its own is not."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the net makes of x."""
        return self.net(x)


def from_words(model: str, input_size: Sequence[int], device: str = "cpu") -> nn.Module:
    """Return a net from its layers in words, with "|" between blocks, in evaluation mode.

    >>> from_words("conv 8, pool | conv 4", (3, 6, 6))[1]
    Sequential(
      (0): Conv2d(8, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    )
    """
    blocks = []
    with torch.device(device), torch.random.fork_rng(devices=[]), torch.no_grad():
        x = torch.zeros(1, *input_size)
        for block in model.removeprefix(WRAPPED).split("|"):
            layers = nn.Sequential()
            for words in block.split(","):
                layers.append(layer(*words.split(), channels=x.shape[1]).eval())
                x = layers[-1](x)
            blocks.append(layers)
    net = blocks[0] if len(blocks) == 1 else nn.Sequential(*blocks)
    return Wrapped(net).eval() if model.startswith(WRAPPED) else net


def layer(kind: str, size: str = "0", *, channels: int) -> nn.Module:
    """Return one layer from its word, for an input of so many channels."""
    made: dict[str, Callable[[], nn.Module]] = {
        "conv": lambda: nn.Conv2d(channels, int(size), 3, padding=1),
        "norm": lambda: nn.BatchNorm2d(channels),
        "relu": nn.ReLU,
        "sigmoid": nn.Sigmoid,
        "pool": lambda: nn.MaxPool2d(2),
        "average": lambda: nn.AdaptiveAvgPool2d(int(size)),
        "flatten": nn.Flatten,
        "dropout": nn.Dropout,
        "linear": lambda: nn.Linear(channels, int(size)),
    }
    return made[kind]()
