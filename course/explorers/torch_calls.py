"""What ArchitectureBuilder makes of each call of torch: the layers that its arguments say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor


class CannotDraw(ValueError):
    """A module that ArchitectureBuilder cannot draw; the message says in one line why."""

    def _render_traceback_(self) -> list[str]:
        return [f"ArchitectureBuilder: {self}"]  # in a notebook the line alone


def one(value: Any, what: str) -> int:
    """Return the number that stands for rows and columns."""
    numbers = set(value) if isinstance(value, tuple | list) else {value}
    if len(numbers) != 1 or None in numbers:
        raise CannotDraw(f"a {what} of {tuple(value)} is not the same for rows and columns.")
    return numbers.pop()


def conv2d(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride=1, padding=0, dilation=1, groups=1
) -> list:
    """Return the convolution, the padding "same" as the number that it is."""
    reach = one(dilation, "dilation") * (weight.shape[2] - 1)
    if padding == "same" and reach % 2:
        raise CannotDraw("“same” with an even kernel pads one side more than the other.")
    padding = {"same": reach // 2, "valid": 0}.get(padding, padding) if isinstance(padding, str) else padding
    sizes = [one(tuple(weight.shape[2:]), "kernel"), one(stride, "stride"), one(padding, "padding")]
    return [["conv", weight.shape[0], *sizes, one(dilation, "dilation"), groups, bias is not None]]


def pooled(kind: str, kernel: Any, stride: Any, padding: Any, usual: bool) -> list:
    """Return a pooling of this kind, where its further options are the usual ones."""
    if not usual:
        raise CannotDraw("pooling with ceil_mode or dilation is not among its layers.")
    size = one(kernel, "window")
    return [[kind, size, one(stride or size, "stride"), one(padding, "padding")]]


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """Return the max pooling."""
    return pooled("maxpool", kernel_size, stride, padding, one(dilation, "dilation") == 1 and not ceil_mode)


def avg_pool2d(
    x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """Return the average pooling, which divides by the whole window, its padding included."""
    if divisor_override is not None or not (count_include_pad or one(padding, "padding") == 0):
        raise CannotDraw("pooling with count_include_pad=False or divisor_override is not among its layers.")
    return pooled("avgpool", kernel_size, stride, padding, not ceil_mode)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> list:
    """Return the linear layer of numbers in a line."""
    if x.ndim != 2:
        raise CannotDraw(f"a linear layer of {shape_text(x)} is not one of numbers in a line: flatten first.")
    return [["linear", weight.shape[0], bias is not None]]


def batch_norm(x, running_mean=None, running_var=None, weight=None, bias=None, *rest, **others) -> list:
    """Return the batch normalization, which always has its scales and shifts here."""
    if weight is None or bias is None:
        raise CannotDraw("batch normalization without weight and bias is not among its layers.")
    return ["batchnorm"]


def mean(x: Tensor, dim: Any = None, keepdim: bool = False, **others: Any) -> list:
    """Return the mean over rows and columns as the pooling that it is."""
    axes = [] if dim is None else [n % x.ndim for n in (dim if isinstance(dim, list | tuple) else [dim])]
    if x.ndim != 4 or sorted(axes) != [2, 3]:
        raise CannotDraw("a mean is among its layers only over rows and columns.")
    return ["adaptivepool"] if keepdim else ["adaptivepool", "flatten"]


def softmax(x: Tensor, dim: int | None = None, *rest: Any, **others: Any) -> list:
    """Return the softmax over channels."""
    if dim not in (1, 1 - x.ndim):
        raise CannotDraw("softmax is among its layers only over the channels.")
    return ["softmax"]


READERS: dict[str, Callable] = {
    "conv2d": conv2d,
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "adaptive_avg_pool2d": lambda x, output_size: [["adaptivepool", one(output_size, "size")]],
    "batch_norm": batch_norm,
    "local_response_norm": lambda x, size, *rest, **others: [["lrn", size]],
    "linear": linear,
    "leaky_relu": lambda x, negative_slope=0.01, *rest, **others: [["leakyrelu", float(negative_slope)]],
    "dropout": lambda x, p=0.5, *rest, **others: [["dropout", float(p)]],
    "softmax": softmax,
    "mean": mean,
    **{
        name: lambda *args, name=name, **others: [name]
        for name in ("relu", "tanh", "sigmoid", "gelu", "silu")
    },
}
SAME = {"contiguous", "clone", "detach", "to", "float", "double"}  # nothing that a row would say
RESHAPES = {"view", "reshape", "flatten", "squeeze"}


def reshaped(name: str, before: tuple[int, ...], after: tuple[int, ...]) -> list:
    """Return a reshaping as flatten, or as nothing where the shape stays."""
    if before == after:
        return []
    if len(after) != 2 or after[0] != before[0]:
        raise CannotDraw(f"{name} is among its layers only where it puts each image's numbers in a line.")
    return ["flatten"]


def shape_text(x: Tensor) -> str:
    """Return the shape of one image of a batch, in words."""
    return " × ".join(map(str, x.shape[1:]))
