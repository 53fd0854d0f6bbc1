"""Drivers of unit 08, first part: arrays into tensors, a function for autograd, weights into a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from course.carry import plugged
from course.checks.drivers import (
    one_channel_conv2d,
    one_channel_conv2d_backward,
    one_input_linear,
    one_input_linear_backward,
)
from course.checks.torch_drivers import array, outputs, seeded

SIMPLE: dict[str, Callable] = {
    "conv2d": one_channel_conv2d,
    "conv2d_backward": one_channel_conv2d_backward,
    "linear": one_input_linear,
    "linear_backward": one_input_linear_backward,
}  # right for 1 x 1 kernels on one channel, as in unit 07: what is judged is what goes in and out

ARGUMENTS = ("x", "w", "b", "stride", "padding")


def dtype_words(value: Any) -> str:
    """Return the dtype of a tensor as a person writes it.

    >>> dtype_words(torch.zeros(1)), dtype_words(np.zeros(1))
    ('torch.float32', 'no tensor')
    """
    return str(value.dtype) if isinstance(value, torch.Tensor) else "no tensor"


def tensors_made(convert: Callable, images: Any, labels: Any) -> Any:
    """Return the two tensors that ``convert`` makes of two arrays, with their dtypes."""
    made = convert(images, labels)
    if made is None:
        return None
    if not isinstance(made, tuple | list) or len(made) != 2:
        raise TypeError("two tensors are wanted, in one return: images, labels")
    x, y = made
    return {
        "images": array(x),
        "labels": array(y),
        "dtype of the images": dtype_words(x),
        "dtype of the labels": dtype_words(y),
    }


def in_autograd(
    function: Any, x: Any, w: Any, b: Any, grad_out: Any, stride: int = 1, padding: int = 0
) -> dict[str, Any]:
    """Call an autograd function twice, the second time with other numbers, stride and padding too; go back through the first."""
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, w, b)]
    doubled = [torch.tensor(2 * a, requires_grad=True) for a in (x, w, b)]
    apply = getattr(function, "apply", function)
    with plugged(SIMPLE), torch.enable_grad():
        out = apply(*leaves, stride, padding)
        apply(*doubled, stride + 1, padding + 1)
        if not isinstance(out, torch.Tensor):
            raise TypeError(f"forward must return a tensor, and returned {type(out).__name__}")
        with torch.no_grad():
            gradients = function.backward(out.grad_fn, torch.tensor(grad_out))
        refuse_what_autograd_refuses(gradients)
        passes = passes_gradcheck(apply, [*leaves, stride, padding])
    return {"output": array(out), **named(gradients), "passes gradcheck": passes}


def refuse_what_autograd_refuses(gradients: Any) -> None:
    """Raise TypeError, with words of our own, for a list in place of a tuple, and for arrays."""
    if isinstance(gradients, list):
        raise TypeError("backward must return a tuple, and returned a list")
    if any(isinstance(g, np.ndarray) for g in (gradients if isinstance(gradients, tuple) else [gradients])):
        raise TypeError("backward must return tensors, and returned arrays")


def named(gradients: Any) -> dict[str, Any]:
    """Return what a convolution's backward gave, each under the name of the argument that it belongs to."""
    given = [array(g) for g in gradients] if isinstance(gradients, tuple | list) else [array(gradients)]
    padded = [*given, *[None] * len(ARGUMENTS)]
    gradients_of = {f"gradient of {name}": g for name, g in zip(ARGUMENTS, padded, strict=False)}
    return {"number of gradients": len(given), **gradients_of}


def passes_gradcheck(function: Callable, inputs: Sequence[Any]) -> bool:
    """Return whether a function's gradients are those that torch finds by nudging its inputs."""
    try:
        return torch.autograd.gradcheck(function, inputs, fast_mode=True)
    except Exception:  # whatever the student's backward runs into; its parts were compared already
        return False


def lenet_outputs(make: Callable[..., nn.Module], x: Any) -> dict[str, Any]:
    """Make a LeNet, fill it by place, and return the shapes of its parameters and its output for x, in training mode.

    Layers are made in x's dtype, so that those which torch does not find take part in forward all the same.
    """
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.as_tensor(x).dtype)
    try:
        return outputs(make, [], x, training=True)  # where a dropout would show
    finally:
        torch.set_default_dtype(default)


def held(shapes: Sequence[Sequence[int]]) -> nn.Module:
    """Return a model of linear and convolution layers with parameters of these shapes, weight and bias in turn, each 0.1."""
    layers = [
        nn.Linear(s[1], s[0]) if len(s) == 2 else nn.Conv2d(s[1], s[0], (s[2], s[3])) for s in shapes[::2]
    ]
    model = nn.Sequential(*layers)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.1)
    return model


def parameters_named(arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return a model's parameters, each under its number."""
    return {f"parameter {place}": one for place, one in enumerate(arrays, start=1)}


def weights_loaded(load: Callable, params: list[np.ndarray]) -> dict[str, Any]:
    """Load arrays into a model, change the arrays, and return what the model has then."""
    model = seeded(held, [np.shape(p) for p in params])
    before, handed = list(model.parameters()), [np.array(p) for p in params]
    returned = load(model, handed)
    for one in handed:
        one += 1
    after = list(model.parameters())
    return {
        **parameters_named([array(p) for p in after]),
        "dtypes": " ".join(sorted({dtype_words(p) for p in after})),
        "the same parameters as before": [id(p) for p in before] == [id(p) for p in after],
        "can be trained": all(p.requires_grad for p in after),
        "returns the model": returned is model,
    }
