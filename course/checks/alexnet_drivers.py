"""Drivers of unit 09: how a check uses a student's layers and nets; see course/checks/torch_drivers.py."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from course.checks.pretend import PretendDevices
from course.checks.torch_drivers import array, fill, outputs, parameters, seeded, shape_words
from course.checks.vgg_drivers import module_from

# as the notebook gives it, in a list: students add lists to it, and copy it
ALEXNET: list[tuple] = [
    ("CONV1", 96, 11, 4, 0, 1),
    ("MAXPOOL1", 3, 2),
    ("NORM1",),
    ("CONV2", 256, 5, 1, 2, 1),
    ("MAXPOOL2", 3, 2),
    ("NORM2",),
    ("CONV3", 384, 3, 1, 1, 1),
    ("CONV4", 384, 3, 1, 1, 1),
    ("CONV5", 256, 3, 1, 1, 1),
    ("MAXPOOL3", 3, 2),
    ("FC6", 4096),
    ("FC7", 4096),
    ("FC8", 1000),
]

TWO = ("cuda:0", "cuda:1")  # the names of two devices that nobody needs to have


def layer(
    make: Callable[..., nn.Module], x: np.ndarray, device: str = "cpu", **settings: float
) -> dict[str, Any]:
    """Make a layer without parameters; return its output for x on a device, which is pretended, and whether a gradient finds its way back."""
    with PretendDevices():
        made = seeded(make, **settings)
        out = made(torch.as_tensor(x).requires_grad_().to(device))
    return {
        "parameters": [shape_words(p.shape) for p in made.parameters()],
        "output": array(out),
        "gradient": flow(made, torch.as_tensor(x), out),
    }


def flow(made: nn.Module, x: torch.Tensor, out: Any) -> str:
    """Return in words whether the gradient finds all its ways back: autograd's against a difference of two outputs."""
    if not isinstance(out, torch.Tensor) or not out.requires_grad:
        return "does not flow back"
    generator = torch.Generator().manual_seed(0)
    weight, *steps = torch.randn(5, *x.shape, generator=generator, dtype=x.dtype)
    leaf = x.clone().requires_grad_()
    (grad,) = torch.autograd.grad((made(leaf) * weight).sum(), leaf)
    with torch.no_grad():
        short = [1e-3 * x.abs().max() * step for step in steps]
        ahead = torch.stack([(made(x + step) * weight - made(x - step) * weight).sum() / 2 for step in short])
        found = torch.stack([(grad * step).sum() for step in short])
    missing = (ahead - found).abs().max() > 0.02 * ahead.abs().max()
    return "flows back, but not all of it" if missing else "flows back"


def stage(
    make: Callable[..., nn.Module],
    row: Sequence[Any],
    in_shape: Sequence[int],
    x: np.ndarray,
    **settings: float,
) -> dict[str, Any]:
    """Make the layers of one row; return the parameters' shapes, the output for x, and what differs in training."""
    made = fill(seeded(module_from(make), row, in_shape, **settings).to(torch.float64)).eval()
    with torch.no_grad():
        out = made(torch.as_tensor(x))
        trained = in_training(made.train(), torch.as_tensor(x), out)
    shapes = [shape_words(p.shape) for p in made.parameters()]
    return {"parameters": shapes, "output": array(out), "in training": trained}


def in_training(made: nn.Module, x: torch.Tensor, out: torch.Tensor) -> str:
    """Return in words what dropout does to the output of a module in training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        trained = made(x)
    if torch.allclose(trained, out):
        return "nothing is dropped"
    clear = out.abs() > 1e-3 * out.abs().max()
    share = float((trained[clear] == 0).double().mean())
    kept = (trained / out)[clear & (trained != 0)]
    scaled = len(kept) > 0 and float(kept.max() - kept.min()) < 1e-6
    return dropping(share) if scaled and share > 0.05 else "not dropout of the outputs, but something else"


def dropping(share: float) -> str:
    """Return in words that a share of the outputs is set to 0, to the nearest quarter."""
    return f"about {25 * round(4 * share)} % of the outputs are set to 0"


def two_towers(
    make: Callable[..., nn.Module], num_classes: int, layers: Sequence[Any], size: int, x: np.ndarray
) -> dict[str, Any]:
    """Make a two-tower net on two pretended devices; return where its parameters are, their shapes, and the output for x."""
    with PretendDevices() as devices, torch.no_grad():
        made = seeded(make, num_classes, layers, size, devices=TWO).to(torch.float64)
        fill(made).eval()
        out = made(torch.as_tensor(x))
        tensors = list(made.parameters())
        places = ["first" if str(devices.of(t)) == TWO[0] else str(devices.of(t)) for t in tensors]
        places = ["second" if place == TWO[1] else place for place in places]
    return {
        "parameters": [shape_words(t.shape) for t in tensors],
        "devices": places,
        "output": array(out),
    }


def both_modes(
    make: Callable[..., nn.Module], setup: Sequence[Any], x: np.ndarray, dropout: float
) -> dict[str, Any]:
    """Make a net with this dropout; return what ``outputs`` does, and in words whether something is dropped in training."""
    found = outputs(make, setup, x, {"dropout": dropout})
    trained = outputs(make, setup, x, {"dropout": dropout}, training=True)
    same = np.shape(trained["output"]) == np.shape(found["output"]) and np.allclose(
        trained["output"], found["output"]
    )
    return {**found, "in training": "nothing is dropped" if same else "something is dropped"}


class Convolutions(TorchDispatchMode):
    """Within the block, notes the shape that each convolution gives, however it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one of torch's operators."""
        out = func(*args, **(kwargs or {}))
        if func == torch.ops.aten.convolution.default:
            self.shapes.append(shape_words(out.shape[1:]))
        return out


def traced(make: Callable[..., nn.Module], num_classes: int, size: int) -> dict[str, Any]:
    """Make a net on the meta device; return its parameters' shapes, their number, the shapes of convolutions and scores for one image, and
    whether the notebook's ALEXNET is as it was."""
    found = parameters(module_from(make), [num_classes])
    with torch.device("meta"), torch.no_grad():
        made = make(num_classes).eval()
        with Convolutions() as seen:
            out = made(torch.empty(1, 3, size, size))
    shapes = {"maps of the convolutions": seen.shapes, "output": shape_words(out.shape)}
    return {**found, **shapes, "ALEXNET": "as it was" if table_is_whole(make) else "changed"}


def table_is_whole(make: Callable) -> bool:
    """Return whether the convolutions of the table ALEXNET, if there is one where ``make`` was written, are still AlexNet's."""
    written = make.__init__ if isinstance(make, type) else make  # type: ignore[misc]
    table = getattr(written, "__globals__", {}).get("ALEXNET", ALEXNET)
    mine, ours = ([tuple(row) for row in rows if row[0].startswith("CONV")] for rows in (table, ALEXNET))
    return mine == ours


def colours(
    function: Callable, images: np.ndarray, seed: int, training: Any = None, device: str = "cpu"
) -> dict[str, Any]:
    """Call a function that takes a torch.Generator three times: twice from the same state, and once more from there.

    device: where the images are, pretended; the generator is on the CPU. What the first call writes into them, ``images`` shows.
    """
    before = copy.deepcopy((images, training))
    one, other = (torch.Generator().manual_seed(seed) for _ in range(2))

    def call(generator: torch.Generator, *given: Any) -> Any:
        with PretendDevices():
            x, *more = (torch.from_numpy(a).to(device) for a in given if a is not None)
            result = array(function(x, generator, *more))
        for kept, used in zip(given, (x, *more), strict=False):
            kept[...] = used.numpy()
        return copy.deepcopy(result)

    once = call(one, images, training)
    return {"once": once, "again": call(other, *copy.deepcopy(before)), "next": call(one, *before)}
