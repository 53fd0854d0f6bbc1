"""Drivers of unit 08, second part: one epoch, an evaluation, and a clock that no machine makes faster or slower."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, default_collate

from course.checks.torch_drivers import array


class NotOnTheDevice(RuntimeError):
    """A batch was used where the loader had put it, without having been moved to the device first."""


class Parked(torch.Tensor):
    """A tensor as the loader hands it out: elsewhere. It can be asked for its shape and moved; nothing else.

    So "is it moved to the device?" can be told on a machine that has only one.
    """

    HARMLESS = ("to", "__get__", "__len__", "size", "dim", "numel", "__repr__", "__format__", "stride")

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Let through what does not compute; once moved it is a tensor like any other."""
        if getattr(func, "__name__", "") not in cls.HARMLESS:
            raise NotOnTheDevice("a batch was used before it was moved to the device")
        with torch._C.DisableTorchFunctionSubclass():
            out = func(*args, **(kwargs or {}))
            return out.as_subclass(torch.Tensor) if func.__name__ == "to" else out


def parked(rows: list) -> list[torch.Tensor]:
    """Return a batch of rows, as tensors that have to be moved before use."""
    return [tensor.as_subclass(Parked) for tensor in default_collate(rows)]


class Silencer(nn.Module):
    """Something like dropout: in training the last column of x is silent, in evaluation none is."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x, its last column times 0 in training."""
        mask = torch.ones(x.shape[1], dtype=x.dtype)
        mask[-1] = 0 if self.training else 1
        return x * mask


class Watched(nn.Module):
    """A linear layer behind a silencer, which is a part of the model and has a mode of its own, as dropout has."""

    def __init__(self, w: Any, b: Any):
        super().__init__()
        self.w, self.b = nn.Parameter(torch.tensor(w)), nn.Parameter(torch.tensor(b))
        self.silencer, self.tracked = Silencer(), False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the scores, and note whether autograd is recording."""
        scores = self.silencer(x) @ self.w.T + self.b
        self.tracked = self.tracked or scores.requires_grad
        return scores


def loader(x: Any, labels: Any, batch_size: int) -> DataLoader:
    """Return the batches in order, the last one smaller where the size does not divide."""
    return DataLoader(TensorDataset(torch.tensor(x), torch.tensor(labels)), batch_size, collate_fn=parked)


def trained(
    train: Callable, w: Any, b: Any, x: Any, labels: Any, batch_size: int, lr: float, epochs: int = 2
) -> dict[str, Any]:
    """Train a linear model for some epochs; return what each returned, and the parameters afterwards."""
    model = Watched(w, b).eval()
    batches, optimizer = loader(x, labels, batch_size), torch.optim.SGD(model.parameters(), lr=lr)
    with torch.enable_grad():  # whatever a cell of the notebook has switched off
        losses = [train(model, batches, optimizer, torch.device("cpu")) for _ in range(epochs)]
    graphs = any(isinstance(loss, torch.Tensor) and loss.requires_grad for loss in losses)
    return {
        **{f"loss of epoch {i + 1}": array(loss) for i, loss in enumerate(losses)},
        "w afterwards": array(model.w),
        "b afterwards": array(model.b),
        "the loss holds a graph": graphs,
    }


def evaluated(
    evaluate: Callable, w: Any, b: Any, x: Any, labels: Any, batch_size: int, training: bool
) -> dict[str, Any]:
    """Evaluate a linear model, and return what that did to it besides."""
    model = Watched(w, b).train(training)
    with torch.enable_grad():  # which also puts back what evaluate leaves off
        accuracy = evaluate(model, loader(x, labels, batch_size), torch.device("cpu"))
        goes_on = torch.is_grad_enabled() and all(p.requires_grad for p in model.parameters())
    return {
        "accuracy": array(accuracy),
        "autograd was recording": model.tracked,
        "in training mode afterwards": all(part.training for part in model.modules()),
        "can be trained afterwards": goes_on,
    }


class SlowDevice:
    """A device with a clock of its own: a call takes ``launch`` seconds, and its work, ``work``, is done later, one after the other.

    The first call takes ``first`` seconds of work, as where a kernel is compiled or chosen. wait() returns when all work is done.
    """

    def __init__(self, launch: float, work: float, first: float):
        self.launch, self.work, self.first = launch, work, first
        self.now, self.free = 100.0, 0.0
        self.calls = self.asked = 0
        self.recording = True

    def model(self, x: torch.Tensor) -> torch.Tensor:
        """Give the device one batch to work on."""
        self.now += self.launch
        self.free = max(self.free, self.now) + (self.work if self.calls else self.first)
        self.calls += 1
        self.recording = self.recording and torch.is_grad_enabled()
        return x

    def clock(self) -> float:
        """Return the seconds."""
        self.asked += 1
        return self.now

    def wait(self) -> None:
        """Let time pass until the device is idle."""
        self.now = max(self.now, self.free)


def timed(
    throughput: Callable, images: int, steps: int, launch: float, work: float, first: float
) -> dict[str, Any]:
    """Measure a slow device, and return what came out and whether its clock was read."""
    device, x = SlowDevice(launch, work, first), torch.zeros(images, 1, 4, 4)
    with torch.enable_grad():  # whatever a cell of the notebook has switched off
        rate = throughput(device.model, x, steps, clock=device.clock, wait=device.wait)
    return {
        "images a second": array(rate),
        "read the clock": device.asked > 0,
        "left autograd on": device.recording,
    }
