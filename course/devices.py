"""Where training runs and in what form: the device, the precision, the layout in memory, and what to say when it cannot."""

from __future__ import annotations

import contextlib
import os
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from course.errors import TrainingError

PRECISIONS = ("auto", "fp32", "bf16")


def best_device() -> torch.device:
    """Return where torch computes fastest here: a CUDA GPU, Apple's GPU (mps), or the processor (cpu).

    Under ``torchrun`` each process gets a GPU of its own.

    >>> best_device().type in ("cuda", "mps", "cpu")
    True
    """
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


@dataclass(frozen=True)
class Settings:
    """A device, the type that autocast computes in (None: no autocast), and whether images are kept channels last."""

    device: torch.device
    autocast_type: torch.dtype | None
    channels_last: bool

    def autocast(self) -> contextlib.AbstractContextManager:
        """Return the context of a forward pass."""
        if self.autocast_type is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, self.autocast_type)

    def batch(self, x: torch.Tensor) -> torch.Tensor:
        """Return a batch of images on the device, in the layout."""
        layout = torch.channels_last if self.channels_last and x.ndim == 4 else torch.preserve_format
        return x.to(self.device, non_blocking=True, memory_format=layout)

    def place(self, model: torch.nn.Module) -> torch.nn.Module:
        """Move a model to the device, in the layout; return it."""
        if self.channels_last:
            return model.to(self.device, memory_format=torch.channels_last)
        return model.to(self.device)

    def synchronize(self) -> None:
        """Wait until the device has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()


def settings(device: Any = None, precision: str = "auto", channels_last: bool | None = None) -> Settings:
    """Return the settings that these arguments of fit() mean on this machine.

    >>> settings("cpu").autocast_type, settings("cpu", "bf16").autocast_type
    (None, torch.bfloat16)

    Raises TrainingError for a device that is not there and for another precision.
    """
    if precision not in PRECISIONS:
        raise TrainingError(f"precision={precision!r} is not one of {', '.join(map(repr, PRECISIONS))}")
    place = checked_device(device)
    cuda = place.type == "cuda"
    bf16 = precision == "bf16" or (
        precision == "auto" and cuda and torch.cuda.is_bf16_supported(including_emulation=False)
    )
    return Settings(place, torch.bfloat16 if bf16 else None, cuda if channels_last is None else channels_last)


def checked_device(device: Any) -> torch.device:
    """Return a device that is there; None means the best one."""
    if device is None:
        return best_device()
    try:
        place = torch.device(device)
    except (RuntimeError, TypeError):
        raise TrainingError(
            f"device={device!r} is no device; use 'cuda', 'mps' or 'cpu', or leave it out"
        ) from None
    if place.type == "cuda" and not torch.cuda.is_available():
        raise TrainingError(
            f"device={str(device)!r}: torch sees no CUDA GPU here. Leave device out to train on {best_device()}"
        )
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        there = "there is 1 GPU" if count == 1 else f"there are {count} GPUs"
        raise TrainingError(
            f"device={str(device)!r}: {there} here, counted from 0. Leave device out to use {best_device()}"
        )
    if place.type == "mps" and not torch.backends.mps.is_available():
        raise TrainingError(
            f"device='mps': torch sees no Apple GPU here. Leave device out to train on {best_device()}"
        )
    return place


def as_tensors(data: Any, name: str = "data") -> tuple[torch.Tensor, torch.Tensor]:
    """Return images as float32 and labels as int64 tensors, from arrays or tensors, checked to belong together."""
    try:
        x, y = data
    except (TypeError, ValueError):
        raise TrainingError(f"{name} is a pair (images, labels), for example (train_x, train_y)") from None
    x, y = (
        torch.from_numpy(np.ascontiguousarray(part))
        if isinstance(part, np.ndarray)
        else torch.as_tensor(part)
        for part in (x, y)
    )
    if len(x) != len(y) or y.ndim != 1:
        raise TrainingError(
            f"{name}: images {tuple(x.shape)} and labels {tuple(y.shape)} do not belong together; N images go with labels (N,)"
        )
    if len(x) == 0:
        raise TrainingError(f"{name} holds no images")
    if not x.is_floating_point():
        raise TrainingError(
            f"{name}: the images are {x.dtype}, but a net takes floats; divide them by 255 first".replace(
                "torch.", ""
            )
        )
    if y.is_floating_point():
        raise TrainingError(
            f"{name}: the labels are {y.dtype}, but a class is a whole number".replace("torch.", "")
        )
    if y.min() < 0:
        raise TrainingError(f"{name}: there is a label {int(y.min())}, but classes are counted from 0")
    return x.float(), y.long()


def resident(
    data: tuple[torch.Tensor, torch.Tensor], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the data on the device if they take less than half of its free memory, else where they are."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if sum(part.nbytes for part in data) > free / 2:
            return data
    return data[0].to(device), data[1].to(device)


@contextlib.contextmanager
def explained(batch_size: int, device: torch.device) -> Iterator[None]:
    """Within the block, a full memory and a compiler that fails are said in one line that suggests something smaller."""
    try:
        yield
    except RuntimeError as error:
        if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            reason = str(error).strip().splitlines()[0]
            raise TrainingError(f"torch.compile does not work here, leave compile out ({reason})") from None
        if not is_out_of_memory(error):
            raise
        traceback.clear_frames(error.__traceback__)  # they hold the tensors that filled the memory
        where = "the GPU" if device.type != "cpu" else "this computer"
        smaller = (
            f"try batch_size={batch_size // 2}" if batch_size > 1 else "a smaller net or image is needed"
        )
        raise TrainingError(f"{where} ran out of memory with batch_size={batch_size}: {smaller}") from None
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()


def is_out_of_memory(error: RuntimeError) -> bool:
    """Tell whether an error of torch's means that there is no memory left."""
    words = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or any(
        sign in words for sign in ("out of memory", "can't allocate memory", "not enough memory")
    )
