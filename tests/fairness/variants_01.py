"""Other ways to work out the exercises of units 00 and 01."""

import math

import numpy as np

from tests.fairness.variants import VARIANTS, variant


@variant("to_chw", "moveaxis")
def _(image):
    return np.moveaxis(image, -1, 0)


@variant("to_chw", "a stack of planes")
def _(image):
    return np.stack([image[:, :, c] for c in range(image.shape[2])])


@variant("to_chw", "loops")
def _(image):
    height, width, channels = image.shape
    return [[[image[i, j, c] for j in range(width)] for i in range(height)] for c in range(channels)]


@variant("to_chw", "einsum, a view")
def _(image):
    return np.einsum("hwc->chw", image)


@variant("normalize", "a loop over channels")
def _(image, mean, std):
    out = np.empty(image.shape)
    for c in range(len(image)):
        out[c] = (image[c] - mean[c]) / std[c]
    return out


@variant("normalize", "None for axes, multiplied by the inverse")
def _(image, mean, std):
    return (image - mean[:, None, None]) * (1 / std)[:, None, None]


@variant("normalize", "transposed twice")
def _(image, mean, std):
    return ((image.T - mean) / std).T


@variant("output_size", "math.floor")
def _(size, kernel_size, stride=1, padding=0):
    return math.floor((size + 2 * padding - kernel_size) / stride) + 1


@variant("output_size", "the length of a range")
def _(size, kernel_size, stride=1, padding=0):
    return len(range(0, size + 2 * padding - kernel_size + 1, stride))


@variant("output_size", "counting in a loop")
def _(size, kernel_size, stride=1, padding=0):
    count, left = 0, -padding
    while left + kernel_size <= size + padding:
        count, left = count + 1, left + stride
    return count


@variant("zero_pad", "slices into zeros")
def _(x, padding):
    n, c, h, w = x.shape
    out = np.zeros((n, c, h + 2 * padding, w + 2 * padding), dtype=x.dtype)
    out[:, :, padding : h + padding, padding : w + padding] = x
    return out


@variant("zero_pad", "concatenated strips")
def _(x, padding):
    n, c, h, w = x.shape
    side, top = np.zeros((n, c, h, padding)), np.zeros((n, c, padding, w + 2 * padding))
    return np.concatenate([top, np.concatenate([side, x, side], axis=3), top], axis=2)


@variant("zero_pad", "one pixel at a time")
def _(x, padding):
    n, c, h, w = x.shape
    out = np.zeros((n, c, h + 2 * padding, w + 2 * padding))
    for place in np.ndindex(x.shape):
        out[place[0], place[1], place[2] + padding, place[3] + padding] = x[place]
    return out


@variant("window_dot", "vdot")
def _(x, w, b, row, col):
    return np.vdot(x[:, row : row + w.shape[1], col : col + w.shape[2]], w) + b


@variant("window_dot", "loops")
def _(x, w, b, row, col):
    total = b
    for c, i, j in np.ndindex(w.shape):
        total += x[c, row + i, col + j] * w[c, i, j]
    return total


@variant("window_dot", "flattened, @")
def _(x, w, b, row, col):
    return x[:, row:, col:][:, : w.shape[1], : w.shape[2]].reshape(-1) @ w.reshape(-1) + b


def _sizes(x, w, stride, padding):
    return [(s + 2 * padding - k) // stride + 1 for s, k in zip(x.shape[2:], w.shape[2:], strict=True)]


def _pad(x, padding):
    return np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))


@variant("conv2d_loops", "seven loops, plain Python sums")
def _(x, w, b, stride=1, padding=0):
    p, (height, width) = _pad(x, padding), _sizes(x, w, stride, padding)
    out = np.zeros((len(x), len(w), height, width))
    for n, o, i, j in np.ndindex(out.shape):
        total = float(b[o])
        for c, a, e in np.ndindex(w.shape[1:]):
            total += p[n, c, i * stride + a, j * stride + e] * w[o, c, a, e]
        out[n, o, i, j] = total
    return out


@variant("conv2d_loops", "no padded copy: the border is skipped")
def _(x, w, b, stride=1, padding=0):
    height, width = _sizes(x, w, stride, padding)
    out = np.zeros((len(x), len(w), height, width)) + b[None, :, None, None]
    for n, o, i, j in np.ndindex(out.shape):
        for c, a, e in np.ndindex(w.shape[1:]):
            row, col = i * stride + a - padding, j * stride + e - padding
            if 0 <= row < x.shape[2] and 0 <= col < x.shape[3]:
                out[n, o, i, j] += x[n, c, row, col] * w[o, c, a, e]
    return out


def _windows(x, w, stride, padding):
    view = np.lib.stride_tricks.sliding_window_view(_pad(x, padding), w.shape[2:], axis=(2, 3))
    return view[:, :, ::stride, ::stride]


def _strided_view(x, w, stride, padding):
    p, (height, width) = np.ascontiguousarray(_pad(x, padding)), _sizes(x, w, stride, padding)
    n, c, h, wd = p.strides
    shape = (*p.shape[:2], height, width, *w.shape[2:])
    return np.lib.stride_tricks.as_strided(p, shape, (n, c, h * stride, wd * stride, h, wd))


@variant("conv2d", "sliding windows and einsum")
def _(x, w, b, stride=1, padding=0):
    return np.einsum("nchwij,ocij->nohw", _windows(x, w, stride, padding), w) + b.reshape(1, -1, 1, 1)


@variant("conv2d", "as_strided and tensordot")
def _(x, w, b, stride=1, padding=0):
    out = np.tensordot(_strided_view(x, w, stride, padding), w, axes=([1, 4, 5], [1, 2, 3]))
    return np.moveaxis(out + b, -1, 1)


@variant("conv2d", "im2col and one matrix product")
def _(x, w, b, stride=1, padding=0):
    windows = _windows(x, w, stride, padding)
    n, c, height, width, kh, kw = windows.shape
    columns = windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * height * width, c * kh * kw)
    return (columns @ w.reshape(len(w), -1).T + b).reshape(n, height, width, -1).transpose(0, 3, 1, 2)


@variant("conv2d", "the whole stride-1 map, then every stride-th")
def _(x, w, b, stride=1, padding=0):
    full = np.einsum("nchwij,ocij->nohw", _windows(x, w, 1, padding), w, optimize=True)
    return full[:, :, ::stride, ::stride] + b[:, None, None]


@variant("conv2d", "a loop over the kernel, each place by an optimized einsum")
def _(x, w, b, stride=1, padding=0):
    windows, out = _windows(x, w, stride, padding), 0
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            out = out + np.einsum("nchw,oc->nohw", windows[..., i, j], w[..., i, j], optimize=True)
    return out + b.reshape(1, -1, 1, 1)


@variant("conv2d", "float32 inside")
def _(x, w, b, stride=1, padding=0):
    x, w, b = (a.astype(np.float32) for a in (x, w, b))
    return np.einsum("nchwij,ocij->nohw", _windows(x, w, stride, padding), w) + b.reshape(1, -1, 1, 1)


@variant("conv2d", "the Fourier transform")
def _(x, w, b, stride=1, padding=0):
    p = _pad(x, padding)
    shape = [s + k - 1 for s, k in zip(p.shape[2:], w.shape[2:], strict=True)]
    spectrum = np.einsum(
        "nchw,ochw->nohw", np.fft.rfft2(p, shape), np.fft.rfft2(w[:, :, ::-1, ::-1], shape), optimize=True
    )
    full = np.fft.irfft2(spectrum, shape)
    kh, kw = w.shape[2:]
    valid = full[:, :, kh - 1 : p.shape[2], kw - 1 : p.shape[3]]
    return valid[:, :, ::stride, ::stride] + b.reshape(1, -1, 1, 1)


VARIANTS["conv2d_loops", "a fast one in place of loops"] = VARIANTS["conv2d", "sliding windows and einsum"]


@variant("same_padding", "kernel_size // 2")
def _(kernel_size):
    return kernel_size // 2


@variant("same_padding", "int of a division")
def _(kernel_size):
    return int((kernel_size - 1) / 2)


@variant("count_parameters", "out_size as an array's product")
def _(in_channels, out_channels, kernel_size, out_size=None):
    places = 1 if out_size is None else np.prod(out_size)
    return (out_channels + out_channels * in_channels * kernel_size * kernel_size) * places


@variant("count_parameters", "counting an array")
def _(in_channels, out_channels, kernel_size, out_size=None):
    weights, biases = np.empty((out_channels, in_channels, kernel_size, kernel_size)), np.empty(out_channels)
    height, width = out_size or (1, 1)
    return (weights.size + biases.size) * height * width


@variant("edge_kernel", "Prewitt")
def _():
    return np.tile([-1.0, 0.0, 1.0], (3, 1))[None, None]


@variant("edge_kernel", "one row, whole numbers")
def _():
    return np.array([[[[0, 0, 0], [-1, 0, 1], [0, 0, 0]]]])


@variant("edge_kernel", "Scharr, scaled")
def _():
    return np.outer([3, 10, 3], [-1, 0, 1]).reshape(1, 1, 3, 3) / 32


@variant("edge_kernel", "without a middle column")
def _():
    return [[[[-1, 1, 0], [-1, 1, 0], [-1, 1, 0]]]]


@variant("blur_kernel", "ones, divided by their sum")
def _(size):
    ones = np.ones((1, 1, size, size))
    return ones / ones.sum()


@variant("blur_kernel", "an outer product")
def _(size):
    return np.outer(np.full(size, 1 / size), np.full(size, 1 / size))[np.newaxis, np.newaxis]
