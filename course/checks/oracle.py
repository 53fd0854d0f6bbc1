"""What the oracles share: float64 tensors, and counting windows and padding by torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F


def tensor(array: Any) -> torch.Tensor:
    """Return an array as a float64 tensor."""
    return torch.as_tensor(np.asarray(array), dtype=torch.float64)


def positions(size: int, kernel_size: int, stride: int = 1, padding: int = 0) -> int:
    """Return how many windows torch finds along one axis."""
    return torch.empty(size + 2 * padding, device="meta").unfold(0, kernel_size, stride).shape[0]


def padded(x: Any, left: int, right: int, top: int, bottom: int, mode: str = "constant") -> np.ndarray:
    """Return x with its last two axes padded by so much on each side."""
    return F.pad(tensor(x), (left, right, top, bottom), mode=mode).numpy()


def torch_zero_pad(x: np.ndarray, padding: int) -> np.ndarray:
    """Return x with a border of zeros, by torch."""
    return F.pad(tensor(x), (padding,) * 4).numpy()


def gradient(layer: Callable[[torch.Tensor], torch.Tensor], grad_out: Any, x: Any) -> np.ndarray:
    """Return the gradient of ``sum(layer(x) * grad_out)`` with respect to x, by autograd."""
    inputs = tensor(x).clone().requires_grad_()
    return torch.autograd.grad(layer(inputs), inputs, tensor(grad_out))[0].numpy()
