"""One training loop for every net of the course, on whatever device there is."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from course.devices import as_tensors, best_device, explained, resident, settings
from course.distributed import World, join
from course.errors import TrainingError
from course.history import History
from course.loop import Run
from course.scoring import scores
from course.speed import throughput

__all__ = ["History", "TrainingError", "best_device", "evaluate", "fit", "throughput"]


def fit(
    model: torch.nn.Module,
    train: Any,
    test: Any = None,
    *,
    epochs: int,
    batch_size: int = 64,
    optimizer: torch.optim.Optimizer | None = None,
    schedule: Any = None,
    augment: Callable[[torch.Tensor], torch.Tensor] | None = None,
    device: Any = None,
    precision: str = "auto",
    channels_last: bool | None = None,
    checkpoint: str | Path | None = None,
    seed: int = 0,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
    compile: bool = False,
    progress: bool = True,
) -> History:
    """Train a classifier and return its history; afterwards it is on the device, in evaluation mode.

    train, test: pairs of images (N, ...) floats and labels (N,) whole numbers, NumPy or torch.
    optimizer: one over ``model.parameters()``; left out, SGD with rate 0.05, momentum 0.9 and weight decay 5e-4.
    schedule: a function of the epoch (from 0) and the history so far that gives the epoch's learning rate, or one of
    torch's schedulers, stepped after every epoch. augment: a function of a batch of images that returns one as large.
    device: left out, the best there is. precision: "auto" computes in bf16 where a GPU can, "fp32" and "bf16" do as they
    say. channels_last: left out, on CUDA only. loss: a function of logits and labels; left out, cross entropy.

    >>> x = torch.randn(200, 4)
    >>> history = fit(torch.nn.Linear(4, 2), (x, (x.sum(dim=1) > 0).long()), epochs=5, device="cpu", progress=False)
    >>> history.train_accuracy[-1] > 0.9
    True

    **To go on later**, name a file: ``checkpoint="run.pt"`` is written after every epoch, and a call that finds it goes on
    from there (to more epochs too). On a processor the resumed run equals the undisturbed one bit for bit: the order
    of the images and the dropout masks follow from ``seed`` and the epoch.

    **Several GPUs**: put the call into a script and start it with ``torchrun --nproc-per-node=4 train.py`` (on several
    machines as torchrun's own help says, with the checkpoint on a disk that all see). ``batch_size`` stays the
    size of the whole batch; each process takes its share, and gradients are averaged, so that the weights are those that one
    process would have found. Two things differ: dropout and augmentation draw anew in each process, and batch norm
    looks at its own share only, unless the model went through ``torch.nn.SyncBatchNorm.convert_sync_batchnorm``.

    Raises TrainingError, one line that says what to do, for arguments that do not go together, a device that is not there,
    a full memory, and a loss that is no longer a number.
    """
    epochs, batch_size, seed = checked(model, epochs=epochs, batch_size=batch_size, seed=seed)
    optimizer = optimizer or getattr(schedule, "optimizer", None)
    check_optimizer(model, optimizer, schedule)
    chosen = settings(device, precision, channels_last)
    train_set, test_set = as_tensors(train, "train"), None if test is None else as_tensors(test, "test")
    gpus = [chosen.device] if chosen.device.type == "cuda" else []
    with explained(batch_size, chosen.device), torch.random.fork_rng(gpus):
        world = join(chosen)
        chosen.place(model)
        train_set, test_set = (
            resident(train_set, chosen.device),
            test_set and resident(test_set, chosen.device),
        )
        optimizer = optimizer or default_optimizer(model)
        loss = loss or cross_entropy
        run = Run(model, optimizer, schedule, chosen, world, augment, loss, batch_size, seed, compile)
        return run.through(train_set, test_set, epochs, Path(checkpoint) if checkpoint else None, progress)


def default_optimizer(model: torch.nn.Module) -> torch.optim.Optimizer:
    """Return what fit() uses when it is given no optimizer."""
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)


def checked(model: Any, **numbers: Any) -> list[int]:
    """Return the numbers as Python's own whole numbers; raise TrainingError if they are none, or the model is no model."""
    if not isinstance(model, torch.nn.Module):
        raise TrainingError(
            f"model is a {type(model).__name__}, not a torch.nn.Module; did you mean to call the class?"
        )
    for name, number in numbers.items():
        least = 0 if name == "seed" else 1
        if not isinstance(number, Integral) or number < least:
            raise TrainingError(f"{name}={number!r}: it is a whole number of at least {least}")
    return [int(number) for number in numbers.values()]


def check_optimizer(model: torch.nn.Module, optimizer: torch.optim.Optimizer | None, schedule: Any) -> None:
    """Raise TrainingError for an optimizer that would not train the model, and a schedule that would not set its rate."""
    if optimizer is not None:
        trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
        if trained.isdisjoint(map(id, model.parameters())):
            raise TrainingError(
                "optimizer holds none of this model's parameters; make it from model.parameters()"
            )
    if schedule is not None and not (callable(schedule) or hasattr(schedule, "step")):
        raise TrainingError("schedule is a function of (epoch, history), or a scheduler of torch's")
    if getattr(schedule, "optimizer", optimizer) is not optimizer:
        raise TrainingError("schedule belongs to another optimizer; make it from this one")


def evaluate(
    model: torch.nn.Module,
    data: Any,
    *,
    batch_size: int = 250,
    device: Any = None,
    precision: str = "auto",
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
) -> tuple[float, float]:
    """Return a classifier's mean loss and its accuracy, from 0 to 1, on a pair (images, labels).

    The model is put into evaluation mode and back, and stays on its device unless another is named.

    >>> x = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> evaluate(torch.nn.Identity(), (x, torch.tensor([0, 0])), device="cpu")[1]
    0.5

    Raises TrainingError as fit() does.
    """
    (batch_size,) = checked(model, batch_size=batch_size)
    first = next(model.parameters(), None)
    chosen = settings(device if device is not None or first is None else first.device, precision, False)
    chosen.place(model)
    with explained(batch_size, chosen.device):
        return scores(model, as_tensors(data), chosen, loss or cross_entropy, batch_size, World())
