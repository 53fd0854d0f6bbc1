"""How a check uses a student's class: each driver takes the class, then plain data, and returns plain data.

Drivers run beside the student's code, in the sandbox too, where there is no torch: they import NumPy and nothing else.
A case calls one by ``through("name")`` as its first argument; see course/checks/recipe.py.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from course.carry import plugged


def forward_backward(layer: type, setup: list, x: np.ndarray, grad_out: np.ndarray) -> tuple[Any, Any]:
    """Make ``layer(*setup)``, and return what its forward gives for x and its backward for grad_out."""
    made = layer(*setup)
    return made.forward(x), made.backward(grad_out)


def draws(function: Callable, *args: Any) -> dict[str, Any]:
    """Call a function that takes a generator three times: as given, again from the same state, and on from there."""
    again, following = copy.deepcopy(args), copy.deepcopy(args)
    once = function(*args)
    on = (
        used if isinstance(used, np.random.Generator) else fresh
        for used, fresh in zip(args, following, strict=True)
    )
    return {"once": once, "again": function(*again), "next": function(*on)}


# Unit 07: layers as classes --------------------------------------------------------------------------------------
#
# The layers call conv2d and linear by name. In a check these are simple functions, right for 1 x 1 kernels on one channel
# and for one input: what is judged is what the class keeps and hands on.


def one_channel_conv2d(x: Any, w: Any, b: Any, stride: int = 1, padding: int = 0) -> np.ndarray:
    """Return a convolution with 1 x 1 kernels on one channel."""
    edge = [(padding, padding)] * 2
    return np.pad(x, [(0, 0), (0, 0), *edge])[..., ::stride, ::stride] * w[:, 0] + np.reshape(b, (-1, 1, 1))


def one_channel_conv2d_backward(
    grad_out: Any, x: Any, w: Any, stride: int = 1, padding: int = 0
) -> tuple[np.ndarray, ...]:
    """Return its gradients."""
    ones = np.ones((len(w), 1, 1, 1))
    met = one_channel_conv2d(x, ones, np.zeros(len(w)), stride, padding)
    places = np.pad(np.zeros(np.shape(x)), [(0, 0), (0, 0), *[(padding, padding)] * 2])
    places[..., ::stride, ::stride] = (grad_out * w[:, 0]).sum(axis=1, keepdims=True)
    height, width = np.shape(x)[2:]
    grad_x = places[..., padding : padding + height, padding : padding + width]
    return grad_x, (grad_out * met).sum(axis=(0, 2, 3)).reshape(np.shape(w)), grad_out.sum(axis=(0, 2, 3))


def one_input_linear(x: Any, w: Any, b: Any) -> np.ndarray:
    """Return a linear layer on one input."""
    return x * w[:, 0] + b


def one_input_linear_backward(grad_out: Any, x: Any, w: Any) -> tuple[np.ndarray, ...]:
    """Return its gradients."""
    grad_w = (grad_out * x).sum(axis=0)
    return (grad_out * w[:, 0]).sum(axis=1, keepdims=True), grad_w[:, None], grad_out.sum(axis=0)


NUDGE = 0.25  # what a parameter loses, in place, between two rounds


def layer_twice(layer: type, w: Any, b: Any, x: Any, grad_out: Any, **settings: int) -> list[Any]:
    """Run a layer forward and backward on twice x, change its parameters in place, and return what it then gives for x."""
    simple: dict[str, Callable] = {
        "conv2d": one_channel_conv2d,
        "conv2d_backward": one_channel_conv2d_backward,
        "linear": one_input_linear,
        "linear_backward": one_input_linear_backward,
    }
    with plugged(simple):
        made = layer(w.copy(), b.copy(), **settings)
        made.forward(2 * x)
        made.backward(3 * grad_out)
        for parameter in made.params:
            parameter -= NUDGE
        return [made.forward(x), made.backward(grad_out), *made.grads]


def layer_alone(layer: type, x: Any, grad_out: Any) -> list[Any]:
    """Run a layer without parameters, first on the batch turned round and a row longer, then on x; return what that gives."""
    made = layer()
    made.forward(np.concatenate([x[::-1], x[:1]]))
    return [made.forward(x), made.backward(grad_out)]


class Given:
    """A layer for a check: ``kind`` is "matrix", with parameters, or "square", without."""

    def __init__(self, kind: str, weight: Any = None):
        self.kind = kind
        self.params = [] if weight is None else [np.array(weight)]
        self.grads = [np.zeros_like(p) for p in self.params]

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Return x @ weight, or x squared."""
        self.x = x
        self.out = x**2 if self.kind == "square" else x @ self.params[0]
        return self.out

    def backward(self, grad_out: np.ndarray) -> np.ndarray:
        """Keep the gradient of the weight, return that of x."""
        if not hasattr(self, "x"):
            raise RuntimeError("backward of a layer was called before its forward")
        if np.shape(grad_out) != self.out.shape:
            message = (
                f"a layer's output has shape {self.out.shape}, its backward was given {np.shape(grad_out)}"
            )
            raise ValueError(message)
        if self.kind == "square":
            return 2 * self.x * grad_out
        self.grads = [self.x.T @ grad_out]
        return grad_out @ self.params[0].T


class GivenLoss:
    """A loss for a check: the mean over the rows of half the squared distance."""

    def forward(self, scores: np.ndarray, targets: np.ndarray) -> float:
        """Return the loss."""
        self.error = scores - targets
        return float((self.error**2).sum() / 2 / len(scores))

    def backward(self) -> np.ndarray:
        """Return the gradient of the scores."""
        if not hasattr(self, "error"):
            raise RuntimeError("backward of the loss was called before its forward")
        return self.error / len(self.error)


def given_layers(weights: list) -> list[Given]:
    """Return a layer for each entry: a matrix, or "square"."""
    return [Given("square") if isinstance(w, str) else Given("matrix", w) for w in weights]


def chain_twice(sequential: type, weights: list, x: Any, grad_out: Any) -> list[Any]:
    """Run a Sequential forward and backward twice, on twice x first, and return what the second round gives."""
    made = sequential(given_layers(weights))
    made.forward(2 * x)
    made.backward(grad_out)
    return [made.forward(x), made.backward(grad_out), *made.grads]


class GivenNet:
    """A net of given layers, for train_step."""

    def __init__(self, weights: list):
        self.layers = given_layers(weights)

    @property
    def params(self) -> list[np.ndarray]:
        """The weights, the very arrays that the layers use."""
        return [p for layer in self.layers for p in layer.params]

    @property
    def grads(self) -> list[np.ndarray]:
        """Their gradients: zeros until backward was called."""
        return [g for layer in self.layers for g in layer.grads]

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Return the scores."""
        return functools.reduce(lambda value, layer: layer.forward(value), self.layers, x)

    def backward(self, grad: np.ndarray) -> np.ndarray:
        """Return the gradient of x."""
        return functools.reduce(lambda value, layer: layer.backward(value), self.layers[::-1], grad)


def two_steps(train_step: Callable, weights: list, x: Any, targets: Any, lr: float) -> list[Any]:
    """Take two steps; return the two losses and the weights after them."""
    net, loss = GivenNet(weights), GivenLoss()
    losses = [train_step(net, loss, x, targets, lr) for _ in range(2)]
    return [*losses, *net.params]


def weights_of(net: Any) -> list[bytes]:
    """Return all parameters of a net's layers, as bytes."""
    return [np.array(p).tobytes() for layer in net.layers for p in getattr(layer, "params", [])]


def lenet_table(make: Callable, seed: int) -> dict[str, Any]:
    """Make a LeNet5 and return its layers in plain data: their names, settings and parameters."""
    made, again, other = (make(np.random.default_rng(s)) for s in (seed, seed, seed + 1))
    if not hasattr(made, "layers"):
        raise TypeError(f"LeNet5 must return a Sequential, and returned {type(made).__name__}")
    kinds = [type(layer).__name__ for layer in made.layers]
    names = ("stride", "padding", "kernel_size")
    settings = [{n: getattr(layer, n) for n in names if hasattr(layer, n)} for layer in made.layers]
    return {
        "kinds": kinds,
        "settings": settings,
        "objects": len(set(map(id, made.layers))),
        "fixed": weights_of(made) == weights_of(other),
        "repeats": weights_of(made) == weights_of(again),
        "params": [list(getattr(layer, "params", [])) for layer in made.layers],
    }
