"""Devices that are not there: tensors stay in memory and carry the name of the device that they were sent to.

So a net that is split over two GPUs is tried out without one: whoever lets tensors of two devices meet hears of it, as there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

HERE = torch.device("cpu")
MIXES = (  # what may meet a tensor of another device
    torch.Tensor.copy_,
    torch.Tensor.data.__set__,  # type: ignore[attr-defined]
    torch._has_compatible_shallow_copy_type,
    torch._C._nn._parse_to,  # reads the arguments of Module.to
)


class DevicesMeet(RuntimeError):
    """Tensors of two devices were put into one computation."""


class PretendDevices(TorchFunctionMode):
    """Within the block, moving a tensor only names it, and tensors of different names do not mix.

    >>> with PretendDevices() as devices:
    ...     moved = torch.ones(2).to("cuda:1")
    ...     print(devices.of(moved * 2), moved.device)
    cuda:1 cuda:1

    Raises DevicesMeet, where torch would raise a RuntimeError: where tensors of two devices meet.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[int, torch.device] = {}  # by the address of the memory
        self.held: list[Any] = []  # what has a name stays, so that no address is used again

    def of(self, tensor: torch.Tensor) -> torch.device:
        """Return the device that a tensor would be on."""
        with torch._C.DisableTorchFunction():
            return self.names.get(tensor.untyped_storage().data_ptr(), HERE)

    def named(self, value: Any, device: torch.device) -> Any:
        """Give every tensor in a value a device, and return the value."""
        for tensor in tensors_in(value):
            with torch._C.DisableTorchFunction():
                storage = tensor.untyped_storage()
            self.held.append(storage)
            self.names[storage.data_ptr()] = device
        return value

    def __torch_function__(self, func: Callable, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one of torch's functions."""
        kwargs = dict(kwargs or {})
        if func == torch.Tensor.device.__get__:
            return self.of(args[0])
        if func == torch.Tensor.type_as:
            func = torch.Tensor.to
        if func in (torch.Tensor.to, torch.Tensor.cuda, torch.Tensor.cpu):
            return self.moved(func, args, kwargs)
        if func in MIXES:
            return func(*args, **kwargs)
        asked = kwargs.get("device")
        if asked is not None:
            kwargs["device"] = HERE
            draws_here(kwargs.get("generator"), torch.device(asked))
        devices = {self.of(t) for t in tensors_in((args, kwargs)) if t.dim()}
        if len(devices) > 1:
            found = " and ".join(sorted(map(str, devices)))
            raise DevicesMeet(
                f"Expected all tensors to be on the same device, but found two devices: {found}"
            )
        out = func(*args, **kwargs)
        device = torch.device(asked) if asked is not None else next(iter(devices), HERE)
        return out if device == HERE else self.named(out, device)

    def moved(self, func: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Run Tensor.to, .cuda or .cpu: a new tensor with the name of its goal."""
        tensor, *rest = args
        here, goal = self.of(tensor), HERE
        if func == torch.Tensor.cuda:
            goal = device_named([*rest, kwargs.get("device"), 0], self, HERE)
        if func != torch.Tensor.to:
            rest, kwargs = [], {}
        else:
            rest.append(kwargs.pop("other", None))
            goal = device_named([*rest, kwargs.pop("device", None)], self, here)
            dtypes = [a.dtype if isinstance(a, torch.Tensor) else a for a in rest]  # .to(tensor) takes both
            rest = [a for a in dtypes if isinstance(a, torch.dtype)]
        out = torch.Tensor.to(tensor, *rest, **kwargs) if rest or kwargs else tensor
        return out if goal == here and out is tensor else self.named(out.clone(), goal)


def draws_here(generator: torch.Generator | None, asked: torch.device) -> None:
    """Refuse what torch refuses: to draw on one device by another's generator."""
    if generator is not None and generator.device.type != asked.type:
        raise RuntimeError(
            f"Expected a '{asked.type}' device type for generator but found '{generator.device.type}'"
        )


def is_device(what: Any) -> bool:
    """Return whether an argument of Tensor.to says where to."""
    return isinstance(what, str | int | torch.device | torch.Tensor) and not isinstance(what, bool)


def device_named(given: list[Any], devices: PretendDevices, otherwise: torch.device) -> torch.device:
    """Return the device that the first name, number, tensor or device among the arguments means."""
    for what in given:
        if isinstance(what, torch.Tensor):
            return devices.of(what)
        if is_device(what):
            return torch.device("cuda", what) if isinstance(what, int) else torch.device(what)
    return otherwise


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors of nested tuples, lists and dictionaries."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors_in(item)
