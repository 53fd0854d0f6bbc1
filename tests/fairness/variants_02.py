"""Other ways to work out the exercises of unit 02."""

import numpy as np

from tests.fairness.variants import variant


@variant("numerical_gradient", "in place on x, the old value put back")
def _(f, x, eps=1e-5):
    work = x if x.dtype.kind == "f" else x.astype(float)
    gradient = np.zeros(work.shape)
    walk = np.nditer(work, flags=["multi_index"], op_flags=["readwrite"])
    while not walk.finished:
        place = walk.multi_index
        old = work[place]
        work[place] = old + eps
        above = f(work)
        work[place] = old - eps
        below = f(work)
        work[place] = old
        gradient[place] = (above - below) / (2 * eps)
        walk.iternext()
    return gradient


@variant("numerical_gradient", "one-hot directions")
def _(f, x, eps=1e-5):
    steps = eps * np.eye(x.size).reshape(x.size, *x.shape)
    return np.array([f(x + step) - f(x - step) for step in steps]).reshape(x.shape) / (2 * eps)


@variant("numerical_gradient", "flat positions")
def _(f, x, eps=1e-5):
    gradient = np.zeros_like(x, dtype=float)
    for k in range(x.size):
        up, down = x.astype(float).ravel(), x.astype(float).ravel()
        up[k] += eps
        down[k] -= eps
        gradient.flat[k] = (f(up.reshape(x.shape)) - f(down.reshape(x.shape))) / eps / 2
    return gradient


def one_number_at_a_time(f, x, eps):
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[place] = eps
        gradient[place] = (f(x + step) - f(x - step)) / (2 * eps)
    return gradient


@variant("numerical_gradient", "a default of its own, 1e-6")
def _(f, x, eps=1e-6):
    return one_number_at_a_time(f, x, eps)


@variant("numerical_gradient", "a default of its own, 1e-4")
def _(f, x, eps=1e-4):
    return one_number_at_a_time(f, x, eps)


@variant("conv2d_grad_bias", "summed one axis after the other")
def _(grad_out):
    return grad_out.sum(3).sum(2).sum(0)


@variant("conv2d_grad_bias", "loops")
def _(grad_out):
    total = [0.0] * grad_out.shape[1]
    for n, o, i, j in np.ndindex(grad_out.shape):
        total[o] += grad_out[n, o, i, j]
    return total


@variant("conv2d_grad_bias", "einsum")
def _(grad_out):
    return np.einsum("nohw->o", grad_out)


def _pad(x, padding):
    return np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))


def _windows(x, w, stride, padding):
    view = np.lib.stride_tricks.sliding_window_view(_pad(x, padding), w.shape[2:], axis=(2, 3))
    return view[:, :, ::stride, ::stride]


def weight_loops(grad_out, x, w, stride=1, padding=0):
    p, (kh, kw), gradient = _pad(x, padding), w.shape[2:], np.zeros(w.shape)
    for n, o, i, j in np.ndindex(grad_out.shape):
        window = p[n, :, i * stride : i * stride + kh, j * stride : j * stride + kw]
        gradient[o] += grad_out[n, o, i, j] * window
    return gradient


def weight_windows(grad_out, x, w, stride=1, padding=0):
    return np.einsum("nohw,nchwij->ocij", grad_out, _windows(x, w, stride, padding))


def weight_matrix(grad_out, x, w, stride=1, padding=0):
    windows = _windows(x, w, stride, padding)
    n, c, height, width, kh, kw = windows.shape
    columns = windows.transpose(1, 4, 5, 0, 2, 3).reshape(c * kh * kw, n * height * width)
    maps = grad_out.transpose(1, 0, 2, 3).reshape(len(w), -1)
    return (maps @ columns.T).reshape(w.shape)


def weight_convolved(grad_out, x, w, stride=1, padding=0):
    """A convolution of x with grad_out, spread out by the stride, as its filter."""
    p, gradient = _pad(x, padding), np.zeros(w.shape)
    for i, j in np.ndindex(w.shape[2:]):
        block = p[:, :, i::stride, j::stride][:, :, : grad_out.shape[2], : grad_out.shape[3]]
        gradient[:, :, i, j] = np.tensordot(grad_out, block, axes=([0, 2, 3], [0, 2, 3]))
    return gradient


def weight_of_single_numbers(grad_out, x, w, stride=1, padding=0):
    p, gradient = _pad(x, padding), np.zeros(w.shape)
    height, width = grad_out.shape[2:]
    for n in range(len(x)):
        for o in range(w.shape[0]):
            for c in range(w.shape[1]):
                for i in range(w.shape[2]):
                    for j in range(w.shape[3]):
                        block = p[n, c, i : i + stride * height : stride, j : j + stride * width : stride]
                        gradient[o, c, i, j] += np.sum(grad_out[n, o] * block)
    return gradient


WEIGHT = {
    "loops over outputs": weight_loops,
    "all windows at once": weight_windows,
    "im2col and one matrix product": weight_matrix,
    "tensordot at each kernel position": weight_convolved,
    "a sum for each image and weight": weight_of_single_numbers,
}


def input_loops(grad_out, x, w, stride=1, padding=0):
    (kh, kw), gradient = w.shape[2:], np.zeros(_pad(x, padding).shape)
    for n, o, i, j in np.ndindex(grad_out.shape):
        gradient[n, :, i * stride : i * stride + kh, j * stride : j * stride + kw] += (
            grad_out[n, o, i, j] * w[o]
        )
    return gradient[:, :, padding : padding + x.shape[2], padding : padding + x.shape[3]]


def input_full_convolution(grad_out, x, w, stride=1, padding=0):
    """The flipped kernel over grad_out, spread out by the stride, in a border as wide as the kernel less one."""
    n, o, height, width = grad_out.shape
    (kh, kw), whole = w.shape[2:], _pad(x, padding).shape
    spread = np.zeros((n, o, whole[2] + kh - 1, whole[3] + kw - 1))
    rows = slice(kh - 1, kh - 1 + stride * height, stride)
    columns = slice(kw - 1, kw - 1 + stride * width, stride)
    spread[:, :, rows, columns][:, :, :height, :width] = grad_out
    view = np.lib.stride_tricks.sliding_window_view(spread, (kh, kw), axis=(2, 3))
    gradient = np.einsum("nohwij,ocij->nchw", view, w[:, :, ::-1, ::-1])
    return gradient[:, :, padding : whole[2] - padding, padding : whole[3] - padding]


def input_col2im(grad_out, x, w, stride=1, padding=0):
    gradient = np.zeros(_pad(x, padding).shape)
    parts = np.einsum("nohw,ocij->nchwij", grad_out, w)
    rows = stride * np.arange(grad_out.shape[2])[:, None, None, None] + np.arange(w.shape[2])[:, None]
    columns = stride * np.arange(grad_out.shape[3])[:, None, None] + np.arange(w.shape[3])
    np.add.at(gradient, (slice(None), slice(None), rows, columns), parts)
    return gradient[:, :, padding : padding + x.shape[2], padding : padding + x.shape[3]]


def input_blocks(grad_out, x, w, stride=1, padding=0):
    gradient = np.zeros(_pad(x, padding).shape)
    for i, j in np.ndindex(w.shape[2:]):
        block = gradient[:, :, i::stride, j::stride][:, :, : grad_out.shape[2], : grad_out.shape[3]]
        block += np.moveaxis(np.tensordot(grad_out, w[:, :, i, j], axes=(1, 0)), -1, 1)
    inside = slice(padding, -padding or None)
    return gradient[:, :, inside, inside]


def input_of_single_numbers(grad_out, x, w, stride=1, padding=0):
    gradient = np.zeros(_pad(x, padding).shape)
    height, width = grad_out.shape[2:]
    for n in range(len(x)):
        for o in range(w.shape[0]):
            for c in range(w.shape[1]):
                for i in range(w.shape[2]):
                    for j in range(w.shape[3]):
                        rows, columns = (
                            slice(i, i + stride * height, stride),
                            slice(j, j + stride * width, stride),
                        )
                        gradient[n, c, rows, columns] += grad_out[n, o] * w[o, c, i, j]
    return gradient[:, :, padding : padding + x.shape[2], padding : padding + x.shape[3]]


INPUT = {
    "loops over outputs": input_loops,
    "a convolution over grad_out": input_full_convolution,
    "np.add.at": input_col2im,
    "a view of each block": input_blocks,
    "a block for each image and weight": input_of_single_numbers,
}

for _what, _function in WEIGHT.items():
    variant("conv2d_grad_weight", _what)(_function)
for _what, _function in INPUT.items():
    variant("conv2d_grad_input", _what)(_function)


def both(weight, gradient_of_input):
    """Return a conv2d_backward made of these two."""

    def backward(grad_out, x, w, stride=1, padding=0):
        arguments = grad_out, x, w, stride, padding
        return gradient_of_input(*arguments), weight(*arguments), grad_out.sum((0, 2, 3))

    return backward


variant("conv2d_backward", "all windows, np.add.at")(both(weight_windows, input_col2im))
variant("conv2d_backward", "matrix product, convolution over grad_out")(
    both(weight_matrix, input_full_convolution)
)
variant("conv2d_backward", "loops over images, filters, channels and kernel positions")(
    both(weight_of_single_numbers, input_of_single_numbers)
)
variant("conv2d_backward", "one loop over kernel positions")(both(weight_convolved, input_blocks))


@variant("conv2d_backward", "a list of three")
def _(grad_out, x, w, stride=1, padding=0):
    return list(both(weight_windows, input_blocks)(grad_out, x, w, stride, padding))
