"""Stand-ins for layers not yet written: NumPy in, NumPy out, computed by torch, in the signatures of units 01 to 04.

Every function is pure: it returns new arrays and leaves its inputs alone. A ``*_backward`` takes ``grad_out``, the
gradient of the loss with respect to the output, then the layer's own arguments, and returns the gradients in the order of
the layer's inputs. float32 stays float32, whole numbers become float64. torch is imported by the first call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course.checks.subject import being_checked

Arrays = tuple[np.ndarray, ...]


def conv2d(x, w, b, stride=1, padding=0) -> np.ndarray:
    """Return the convolution (N, O, H_out, W_out) of images x (N, C, H, W) with filters w (O, C, KH, KW), biases b (O,).

    >>> conv2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), np.array([0.5]))[0, 0, 0]
    array([4.5, 4.5])
    """
    return _forward(lambda f, x, w, b: f.conv2d(x, w, b, stride, padding), x, w, b)


def conv2d_backward(grad_out, x, w, stride=1, padding=0) -> Arrays:
    """Return grad_x, grad_w, grad_b of a convolution, from grad_out (N, O, H_out, W_out).

    >>> grad_x, grad_w, grad_b = conv2d_backward(np.ones((1, 1, 2, 2)), np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)))
    >>> grad_x[0, 0, 1], grad_b
    (array([2., 4., 2.]), array([4.]))
    """
    b = np.zeros(len(w), np.asarray(w).dtype)
    return _backward(lambda f, x, w, b: f.conv2d(x, w, b, stride, padding), grad_out, x, w, b)


def max_pool2d(x, kernel_size, stride=None) -> np.ndarray:
    """Return the maximum of each window of x (N, C, H, W); stride=None means kernel_size, leftover rows are not read.

    >>> max_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    return _forward(lambda f, x: f.max_pool2d(x, kernel_size, stride), x)


def max_pool2d_backward(grad_out, x, kernel_size, stride=None) -> np.ndarray:
    """Return grad_x of max_pool2d: each window hands its gradient to its first maximum in row-major order."""
    return _backward(lambda f, x: f.max_pool2d(x, kernel_size, stride), grad_out, x)[0]


def avg_pool2d(x, kernel_size, stride=None) -> np.ndarray:
    """Return the average of each window of x (N, C, H, W); stride=None means kernel_size, leftover rows are not read.

    >>> avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    return _forward(lambda f, x: f.avg_pool2d(x, kernel_size, stride), x)


def avg_pool2d_backward(grad_out, x, kernel_size, stride=None) -> np.ndarray:
    """Return grad_x of avg_pool2d: each window spreads its gradient evenly over its pixels."""
    return _backward(lambda f, x: f.avg_pool2d(x, kernel_size, stride), grad_out, x)[0]


def relu(x) -> np.ndarray:
    """Return max(x, 0), value by value.

    >>> relu(np.array([-2.0, 0.0, 3.0]))
    array([0., 0., 3.])
    """
    return _forward(lambda f, x: f.relu(x), x)


def relu_backward(grad_out, x) -> np.ndarray:
    """Return grad_x of relu: grad_out where x > 0, else 0; ReLU'(0) = 0.

    >>> relu_backward(np.array([5.0, 5.0, -5.0]), np.array([-2.0, 0.0, 3.0]))
    array([ 0.,  0., -5.])
    """
    return _backward(lambda f, x: f.relu(x), grad_out, x)[0]


def linear(x, w, b) -> np.ndarray:
    """Return x @ w.T + b, (N, O), for rows x (N, D), weights w (O, D), biases b (O,).

    >>> linear(np.array([[1.0, 2.0]]), np.array([[1.0, 1.0], [0.0, 3.0]]), np.array([0.5, 0.0]))
    array([[3.5, 6. ]])
    """
    return _forward(lambda f, x, w, b: f.linear(x, w, b), x, w, b)


def linear_backward(grad_out, x, w) -> Arrays:
    """Return grad_x (N, D), grad_w (O, D), grad_b (O,) of linear, from grad_out (N, O)."""
    return _backward(
        lambda f, x, w, b: f.linear(x, w, b), grad_out, x, w, np.zeros(len(w), np.asarray(w).dtype)
    )


def softmax_cross_entropy(logits, labels) -> float:
    """Return the mean over the batch of minus the log of the right class's softmax probability.

    logits: (N, K). labels: (N,) whole numbers from 0 to K - 1.

    >>> round(softmax_cross_entropy(np.zeros((3, 4)), np.array([0, 1, 3])), 4)  # log 4
    1.3863
    """
    return float(_forward(lambda f, z: f.cross_entropy(z, _labels(labels)), logits))


def softmax_cross_entropy_gradient(logits, labels) -> np.ndarray:
    """Return the gradient (N, K) of softmax_cross_entropy with respect to the logits.

    >>> softmax_cross_entropy_gradient(np.zeros((1, 2)), np.array([0]))
    array([[-0.5,  0.5]])
    """
    return _backward(
        lambda f, z: f.cross_entropy(z, _labels(labels)), np.ones((), np.asarray(logits).dtype), logits
    )[0]


def batch_norm(
    x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return out, running_mean, running_var for x (N, D) and the rest (D,).

    In training the batch's own mean and (biased) variance normalise it, and the new running ones are ``1 - momentum``
    of the old and ``momentum`` of the batch's, the variance unbiased. Otherwise the running ones normalise it and come
    back as they were. Nothing is changed in place.

    >>> out, mean, var = batch_norm(np.array([[1.0], [3.0]]), *np.array([[1.0], [0.0], [0.0], [1.0]]), training=True)
    >>> out.round(3).ravel(), mean.round(3), var.round(3)
    (array([-1.,  1.]), array([0.2]), array([1.1]))
    """
    torch = _torch()
    x, gamma, beta, mean, var = _tensors(x, gamma, beta, running_mean, running_var)
    if (
        training and x.numel() == x.shape[1]
    ):  # one value a feature: torch refuses, since no variance can be told from it
        raise ValueError("batch_norm in training needs more than one value for each feature")
    out = torch.nn.functional.batch_norm(x, mean, var, gamma, beta, bool(training), momentum, eps)
    return (
        out.numpy(),
        mean.numpy(),
        var.numpy(),
    )  # mean and var are copies, which torch has brought up to date


def batch_norm_backward(grad_out, x, gamma, eps=1e-5) -> Arrays:
    """Return grad_x, grad_gamma, grad_beta of batch_norm in training, through the batch's mean and variance too."""

    def forward(f, x, gamma, beta):
        return f.batch_norm(x, None, None, gamma, beta, True, 0.1, eps)

    return _backward(forward, grad_out, x, gamma, np.zeros(len(gamma), np.asarray(gamma).dtype))


def batch_norm2d(
    x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return batch_norm over the channels of images x (N, C, H, W): one mean and variance a channel."""
    return batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)


def batch_norm2d_backward(grad_out, x, gamma, eps=1e-5) -> Arrays:
    """Return grad_x, grad_gamma, grad_beta of batch_norm2d in training."""
    return batch_norm_backward(grad_out, x, gamma, eps)


class LeNet5:
    """A new LeNet-5 for images (N, 1, 32, 32), its weights drawn from rng: forward, backward, params and grads as in unit 07.

    >>> net = LeNet5(np.random.default_rng(0))
    >>> net.forward(np.zeros((2, 1, 32, 32))).shape, net.backward(np.ones((2, 10))).shape, len(net.grads)
    ((2, 10), (2, 1, 32, 32), 10)
    """

    SHAPES = ((6, 1, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120), (10, 84))

    def __init__(self, rng):
        drawn = [(rng.normal(0, np.sqrt(2 / np.prod(s[1:])), s), np.zeros(s[0])) for s in self.SHAPES]
        self.params = [array for pair in drawn for array in pair]
        self.grads: list[np.ndarray] = []

    def forward(self, x) -> np.ndarray:
        """Return the scores (N, 10), and remember x."""
        self.x = x
        return _forward(_lenet, x, *self.params)

    def backward(self, grad_out) -> np.ndarray:
        """Return grad_x; afterwards grads are those of params."""
        grad_x, *self.grads = _backward(_lenet, grad_out, self.x, *self.params)
        return grad_x


def _lenet(f: Any, x: Any, *params: Any) -> Any:
    """Return the scores of a LeNet-5 from tensors."""
    for w, b in zip(params[:4:2], params[1:4:2], strict=True):
        x = f.max_pool2d(f.relu(f.conv2d(x, w, b)), 2)
    x = x.flatten(1)
    for w, b in zip(params[4:8:2], params[5:8:2], strict=True):
        x = f.relu(f.linear(x, w, b))
    return f.linear(x, *params[8:])


def _torch() -> Any:
    """Return torch, unless a check is running: a stand-in is no answer to an exercise, here as in grading."""
    if being_checked():
        raise RuntimeError(
            "course.layers is for experiments, and is not there in grading: use functions of your own here"
        )
    import torch

    return torch


def _tensors(*arrays: Any) -> list[Any]:
    """Return copies of the arrays as tensors of one dtype: float32 where all of them are, else float64."""
    torch = _torch()
    dtype = np.result_type(*arrays)
    dtype = dtype if dtype == np.float32 else np.dtype(np.float64)
    return [torch.from_numpy(np.array(array, dtype=dtype, order="C")) for array in arrays]


def _labels(labels: Any) -> Any:
    torch = _torch()
    return torch.as_tensor(np.array(labels, dtype=np.int64))


def _forward(layer: Callable, *arrays: Any) -> np.ndarray:
    """Return ``layer(torch.nn.functional, *tensors)`` as an array."""
    torch = _torch()
    with torch.no_grad():
        return layer(torch.nn.functional, *_tensors(*arrays)).numpy()


def _backward(layer: Callable, grad_out: Any, *arrays: Any) -> Arrays:
    """Return the gradients of ``sum(layer(...) * grad_out)`` with respect to the arrays."""
    torch = _torch()
    grad, *inputs = _tensors(grad_out, *arrays)
    for tensor in inputs:
        tensor.requires_grad_()
    with torch.enable_grad():  # also where autograd is off, as within a backward of the student's in PyTorch
        out = layer(torch.nn.functional, *inputs)
    if out.shape != grad.shape:
        raise ValueError(f"grad_out has shape {tuple(grad.shape)}, but the output has {tuple(out.shape)}")
    return tuple(gradient.numpy() for gradient in torch.autograd.grad(out, inputs, grad))
