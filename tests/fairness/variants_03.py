"""Other ways to work out the exercises of unit 03."""

import math

import numpy as np

from tests.fairness.variants import variant


def _windows(x, k, stride):
    view = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))
    return view[:, :, :: stride or k, :: stride or k]


def _blocks(x, k, stride):
    """Yield, for each place in the window, what all windows have there."""
    stride = k if stride is None else stride
    height, width = (x.shape[2] - k) // stride + 1, (x.shape[3] - k) // stride + 1
    for a in range(k):
        for b in range(k):
            yield x[
                :, :, a : a + stride * (height - 1) + 1 : stride, b : b + stride * (width - 1) + 1 : stride
            ]


@variant("max_pool2d", "sliding windows")
def _(x, kernel_size, stride=None):
    return _windows(x, kernel_size, stride).max(axis=(4, 5))


@variant("max_pool2d", "one place in the window after the other")
def _(x, kernel_size, stride=None):
    out = None
    for block in _blocks(x, kernel_size, stride):
        out = block if out is None else np.maximum(out, block)
    return out


@variant("max_pool2d", "starting from minus infinity, rows and columns in loops")
def _(x, kernel_size, stride=None):
    stride = stride or kernel_size
    n, c, h, w = x.shape
    out = np.full((n, c, int((h - kernel_size) / stride) + 1, int((w - kernel_size) / stride) + 1), -np.inf)
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            for window in x[:, :, i * stride :, j * stride :][:, :, :kernel_size, :kernel_size].T:
                out[:, :, i, j] = np.maximum(out[:, :, i, j], window.max(axis=0).T)
    return out


@variant("max_pool2d", "sorted, the last one")
def _(x, kernel_size, stride=None):
    flat = _windows(x, kernel_size, stride).reshape(*_windows(x, kernel_size, stride).shape[:4], -1)
    return np.sort(flat, axis=-1)[..., -1]


@variant("max_pool2d_backward", "np.add.at on all windows' winners")
def _(grad_out, x, kernel_size, stride=None):
    step = stride or kernel_size
    windows = _windows(x, kernel_size, stride)
    best = windows.reshape(*windows.shape[:4], -1).argmax(-1)
    n, c, i, j = np.indices(best.shape)
    grad_x = np.zeros(x.shape)
    np.add.at(grad_x, (n, c, i * step + best // kernel_size, j * step + best % kernel_size), grad_out)
    return grad_x


@variant("max_pool2d_backward", "place after place, taking each winner once")
def _(grad_out, x, kernel_size, stride=None):
    stride = kernel_size if stride is None else stride
    height, width = grad_out.shape[2:]
    out = _windows(x, kernel_size, stride).max(axis=(4, 5))
    left, grad_x = np.ones(out.shape, bool), np.zeros_like(x, dtype=float)
    for a in range(kernel_size):
        for b in range(kernel_size):
            place = (..., slice(a, a + stride * height, stride), slice(b, b + stride * width, stride))
            wins = left & (x[place][..., :height, :width] == out)
            grad_x[place][..., :height, :width] += np.where(wins, grad_out, 0)
            left &= ~wins
    return grad_x


@variant("max_pool2d_backward", "fancy indices, one place of the output at a time")
def _(grad_out, x, kernel_size, stride=None):
    s, grad_x = stride or kernel_size, np.zeros(x.shape)
    images, channels = np.ix_(range(x.shape[0]), range(x.shape[1]))
    for i in range(grad_out.shape[2]):
        for j in range(grad_out.shape[3]):
            window = x[:, :, i * s : i * s + kernel_size, j * s : j * s + kernel_size]
            row, col = np.divmod(window.reshape(*x.shape[:2], -1).argmax(2), kernel_size)
            grad_x[images, channels, i * s + row, j * s + col] += grad_out[:, :, i, j]
    return grad_x


@variant("max_pool2d", "places and pixels of the window in loops")
def _(x, kernel_size, stride=None):
    if stride is None:
        stride = kernel_size
    height = (x.shape[2] - kernel_size) // stride + 1
    width = (x.shape[3] - kernel_size) // stride + 1
    out = np.full((x.shape[0], x.shape[1], height, width), -np.inf)
    for i in range(height):
        for j in range(width):
            for a in range(kernel_size):
                for b in range(kernel_size):
                    pixel = x[:, :, i * stride + a, j * stride + b]
                    out[:, :, i, j] = np.maximum(out[:, :, i, j], pixel)
    return out


@variant("max_pool2d_backward", "places and pixels of the window in loops")
def _(grad_out, x, kernel_size, stride=None):
    stride, grad_x = stride or kernel_size, np.zeros(x.shape)
    for i in range(grad_out.shape[2]):
        for j in range(grad_out.shape[3]):
            top, left = i * stride, j * stride
            largest = x[:, :, top : top + kernel_size, left : left + kernel_size].max(axis=(2, 3))
            free = np.ones(largest.shape, bool)
            for a in range(kernel_size):
                for b in range(kernel_size):
                    wins = free & (x[:, :, top + a, left + b] == largest)
                    share = np.where(wins, grad_out[:, :, i, j], 0)
                    grad_x[:, :, top + a, left + b] += share
                    free &= ~wins
    return grad_x


@variant("avg_pool2d", "sliding windows")
def _(x, kernel_size, stride=None):
    return _windows(x, kernel_size, stride).mean((-2, -1))


@variant("avg_pool2d", "blocks, added and divided")
def _(x, kernel_size, stride=None):
    return sum(_blocks(x, kernel_size, stride)) / (kernel_size * kernel_size)


@variant("avg_pool2d", "four loops in plain Python")
def _(x, kernel_size, stride=None):
    stride = stride or kernel_size
    out = np.zeros((*x.shape[:2], *((s - kernel_size) // stride + 1 for s in x.shape[2:])))
    for n, c, i, j in np.ndindex(out.shape):
        window = x[n, c, i * stride : i * stride + kernel_size, j * stride : j * stride + kernel_size]
        out[n, c, i, j] = sum(map(float, window.ravel())) / window.size
    return out


@variant("avg_pool2d_backward", "loops over the place in the window")
def _(grad_out, x, kernel_size, stride=None):
    stride, grad_x = stride or kernel_size, np.zeros(x.shape)
    for a, b in np.ndindex(kernel_size, kernel_size):
        height, width = (stride * (n - 1) + 1 for n in grad_out.shape[2:])
        grad_x[:, :, a : a + height : stride, b : b + width : stride] += grad_out / kernel_size**2
    return grad_x


@variant("avg_pool2d_backward", "loops over everything")
def _(grad_out, x, kernel_size, stride=None):
    stride, grad_x = stride or kernel_size, np.zeros(x.shape)
    for n, c, i, j in np.ndindex(grad_out.shape):
        rows = slice(i * stride, i * stride + kernel_size)
        columns = slice(j * stride, j * stride + kernel_size)
        grad_x[n, c, rows, columns] += grad_out[n, c, i, j] * np.ones((kernel_size,) * 2) / kernel_size**2
    return grad_x


@variant("avg_pool2d_backward", "a matrix for rows and one for columns")
def _(grad_out, x, kernel_size, stride=None):
    def shares(size, count):
        matrix = np.zeros((size, count))
        for place in range(count):
            start = place * (stride or kernel_size)
            matrix[start : start + kernel_size, place] = 1 / kernel_size
        return matrix

    rows, columns = (shares(*sizes) for sizes in zip(x.shape[2:], grad_out.shape[2:], strict=True))
    return rows @ grad_out @ columns.T


@variant("l2_pool2d", "np.linalg.norm of the windows")
def _(x, kernel_size, stride=None):
    return np.linalg.norm(_windows(x, kernel_size, stride), axis=(4, 5))


@variant("l2_pool2d", "hypot, again and again")
def _(x, kernel_size, stride=None):
    out = 0.0
    for block in _blocks(x, kernel_size, stride):
        out = np.hypot(out, block)
    return out


@variant("l2_pool2d", "a power of one half")
def _(x, kernel_size, stride=None):
    return (_windows(x, kernel_size, stride) ** 2).sum(axis=(4, 5)) ** 0.5


@variant("subsample", "four slices")
def _(x, beta, bias):
    h, w = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
    total = x[..., 0:h:2, 0:w:2] + x[..., 1:h:2, 0:w:2] + x[..., 0:h:2, 1:w:2] + x[..., 1:h:2, 1:w:2]
    return total * beta.reshape(1, -1, 1, 1) / 4 + bias.reshape(1, -1, 1, 1)


@variant("subsample", "reshaped into blocks, cut to even sizes")
def _(x, beta, bias):
    n, c, h, w = x.shape
    blocks = x[:, :, : h - h % 2, : w - w % 2].reshape(n, c, h // 2, 2, w // 2, 2)
    return np.einsum("nciajb,c->ncij", blocks, beta / 4) + bias[None, :, None, None]


@variant("subsample", "channel by channel")
def _(x, beta, bias):
    maps = [beta[c] * _windows(x, 2, 2)[:, c].mean(axis=(3, 4)) + bias[c] for c in range(len(beta))]
    return np.stack(maps, axis=1)


@variant("relu", "np.where")
def _(x):
    return np.where(x > 0, x, 0)


@variant("relu", "times a mask")
def _(x):
    return x * (x >= 0)


@variant("relu", "half of the sum with the magnitude")
def _(x):
    return (x + np.abs(x)) / 2


@variant("relu", "a copy, set in place")
def _(x):
    out = x.copy()
    out[out < 0] = 0
    return out


@variant("relu_backward", "np.where")
def _(grad_out, x):
    return np.where(x > 0, grad_out, 0)


@variant("relu_backward", "a copy, set in place")
def _(grad_out, x):
    grad_x = np.array(grad_out, dtype=float)
    grad_x[x <= 0] = 0
    return grad_x


@variant("relu_backward", "the sign, cut off")
def _(grad_out, x):
    return grad_out * np.sign(x).clip(0)


@variant("leaky_relu", "the larger of two lines")
def _(x, slope=0.01):
    return np.maximum(x, slope * x)


@variant("leaky_relu", "both sides added")
def _(x, slope=0.01):
    return np.maximum(x, 0) + slope * np.minimum(x, 0)


@variant("leaky_relu", "a slope for each value")
def _(x, slope=0.01):
    slopes = np.ones(x.shape)
    slopes[x < 0] = slope
    return slopes * x


@variant("dead_fraction", "not any")
def _(activations):
    return 1 - activations.any(axis=0).mean()


@variant("dead_fraction", "the columns' sums, counted")
def _(activations):
    return np.count_nonzero(activations.sum(axis=0) == 0) / activations.shape[1]


@variant("dead_fraction", "plain Python")
def _(activations):
    columns = list(zip(*activations.tolist(), strict=True))
    return sum(max(column) <= 0 for column in columns) / len(columns)


@variant("linear", "einsum")
def _(x, w, b):
    return np.einsum("nd,od->no", x, w) + b


@variant("linear", "broadcast, multiplied, summed")
def _(x, w, b):
    return (x[:, None] * w[None]).sum(-1) + b[None]


@variant("linear", "the bias as one more weight")
def _(x, w, b):
    return np.c_[x, np.ones(len(x))] @ np.c_[w, b].T


@variant("linear_backward", "einsum, a list")
def _(grad_out, x, w):
    return [
        np.einsum("no,od->nd", grad_out, w),
        np.einsum("no,nd->od", grad_out, x),
        np.einsum("no->o", grad_out),
    ]


@variant("linear_backward", "row by row")
def _(grad_out, x, w):
    grad_x, grad_w, grad_b = np.zeros(x.shape), np.zeros(w.shape), np.zeros(len(w))
    for n, row in enumerate(grad_out):
        grad_x[n] = w.T @ row
        grad_w += np.outer(row, x[n])
        grad_b += row
    return grad_x, grad_w, grad_b


@variant("linear_backward", "transposed products")
def _(grad_out, x, w):
    return (w.T @ grad_out.T).T, (x.T @ grad_out).T, np.ones(len(x)) @ grad_out


@variant("softmax_cross_entropy", "logaddexp")
def _(logits, labels):
    return float(np.mean(np.logaddexp.reduce(logits, axis=1) - logits[range(len(labels)), labels]))


@variant("softmax_cross_entropy", "example by example, plain Python")
def _(logits, labels):
    total = 0.0
    for row, label in zip(logits.tolist(), labels, strict=True):
        top = max(row)
        total += top + math.log(sum(math.exp(z - top) for z in row)) - row[label]
    return total / len(labels)


@variant("softmax_cross_entropy", "one-hot rows")
def _(logits, labels):
    one_hot = np.eye(logits.shape[1])[labels]
    z = logits - np.max(logits, 1, keepdims=True)
    return -np.sum(one_hot * (z - np.log(np.exp(z).sum(1, keepdims=True)))) / logits.shape[0]


@variant("softmax_cross_entropy_gradient", "one-hot rows")
def _(logits, labels):
    e = np.exp(logits - logits.max(1)[:, None])
    return (e / e.sum(1)[:, None] - np.eye(logits.shape[1])[labels]) / len(logits)


@variant("softmax_cross_entropy_gradient", "exp of the log-probabilities")
def _(logits, labels):
    p = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    p[np.arange(len(p)), labels] -= 1
    return p / len(p)


@variant("softmax_cross_entropy_gradient", "through the full Jacobian of each row")
def _(logits, labels):
    rows = []
    for z, label in zip(logits, labels, strict=True):
        p = np.exp(z - z.max())
        p = p / p.sum()
        log_slopes = np.eye(len(z)) - p  # of log p[k] with respect to z[j]
        rows.append(-log_slopes[label] / len(labels))
    return np.array(rows)
