"""Other ways to work out the exercises of unit 05."""

import random as pythons_random

import numpy as np

from tests.fairness.variants import variant

# dropout and weight decay ----------------------------------------------------------------------------------------


@variant("dropout", "a binomial draw of what is kept")
def _(x, p, training, rng):
    keep = 1 - p if training else 1.0
    mask = rng.binomial(1, keep, size=x.shape) / keep
    return [x * mask, mask]


@variant("dropout", "choice between the two factors")
def _(x, p, training, rng):
    if not training:
        return x, np.ones_like(x)
    mask = rng.choice([0.0, 1 / (1 - p)], size=x.shape, p=[p, 1 - p])
    return mask * x, mask


@variant("dropout", "one draw for each value, in a loop")
def _(x, p, training, rng):
    mask = np.ones(x.shape)
    if training:
        for place in np.ndindex(x.shape):
            mask[place] = 0 if rng.uniform() < p else 1 / (1 - p)
    return mask * x, mask


@variant("dropout", "a layout of its own, float32")
def _(x, p, training, rng):
    mask = np.ones(x.shape[::-1], dtype=np.float32).T
    if training:
        mask[p > rng.random(x.shape[::-1], dtype=np.float32).T] = 0
        mask /= 1 - p
    return (x * mask).astype(np.float32), mask


@variant("dropout", "Python's random, seeded by rng")
def _(x, p, training, rng):
    coins = pythons_random.Random(int(rng.integers(1 << 40)))
    kept = np.array([coins.random() > p or not training for _ in range(x.size)]).reshape(x.shape)
    factor = 1 / (1 - p) if training else 1
    return np.where(kept, x * factor, 0), np.where(kept, factor, 0)


@variant("dropout_backward", "where")
def _(grad_out, mask):
    return np.where(mask == 0, 0, grad_out * mask)


@variant("dropout_backward", "into zeros")
def _(grad_out, mask):
    grad = np.zeros(grad_out.shape)
    kept = mask > 0
    grad[kept] = grad_out[kept] * mask.max()
    return grad


@variant("dropout_backward", "einsum")
def _(grad_out, mask):
    return np.einsum("...,...->...", mask, grad_out)


@variant("dropout_at_test", "x less p of it")
def _(x, p):
    return x - p * x


@variant("dropout_at_test", "the average of two outcomes")
def _(x, p):
    return np.average([np.zeros_like(x), x], axis=0, weights=[p, 1 - p])


@variant("dropout_at_test", "value by value")
def _(x, p):
    return np.vectorize(lambda value: value * (1 - p))(x)


@variant("weight_decay_gradient", "in place on a copy")
def _(grad, w, weight_decay):
    total = grad.copy()
    total += weight_decay * w
    return total


@variant("weight_decay_gradient", "both halves of the derivative")
def _(grad, w, weight_decay):
    return grad + 0.5 * weight_decay * 2 * w


@variant("weight_decay_gradient", "numerical derivative of the penalty")
def _(grad, w, weight_decay):
    h = 1e-2  # central differences are exact for a square
    return grad + (weight_decay / 2 * (w + h) ** 2 - weight_decay / 2 * (w - h) ** 2) / (2 * h)


# Preparing data --------------------------------------------------------------------------------------------------


@variant("subtract_mean", "sum over the count, keepdims")
def _(x, train):
    return x - train.sum(axis=0, keepdims=True) / train.shape[0]


@variant("subtract_mean", "feature by feature")
def _(x, train):
    out = np.empty(x.shape)
    for d in range(x.shape[1]):
        out[:, d] = x[:, d] - np.average(train[:, d])
    return out


@variant("subtract_mean", "transposed")
def _(x, train):
    return (x.T - train.T.mean(axis=1)[:, None]).T


@variant("standardize", "zeros replaced by index")
def _(x, train):
    std = np.sqrt(((train - train.mean(0)) ** 2).mean(0))
    std[std < 1e-10] = 1
    return (x - train.mean(0)) / std


@variant("standardize", "std or 1")
def _(x, train):
    columns = [(x[:, d] - c.mean()) / (c.std() or 1) for d, c in enumerate(train.T)]
    return np.stack(columns, axis=1)


@variant("standardize", "np.divide with where")
def _(x, train):
    centred = x - train.mean(0)
    std = train.std(0)
    return np.divide(centred, std, out=centred.copy(), where=std > 0)


@variant("standardize", "variance by squares")
def _(x, train):
    variance = (train**2).mean(0) - train.mean(0) ** 2
    std = np.where(variance > 1e-12, np.sqrt(np.abs(variance)), 1)
    return (x - train.mean(0)) / std


@variant("decorrelate", "the SVD of the centred train")
def _(x, train):
    mean = train.mean(0)
    return (x - mean) @ np.linalg.svd(train - mean)[2].T


@variant("decorrelate", "the SVD of the covariance")
def _(x, train):
    return (x - train.mean(0)) @ np.linalg.svd(np.cov(train, rowvar=False))[0]


@variant("decorrelate", "eig, sorted")
def _(x, train):
    values, vectors = np.linalg.eig(np.cov(train.T, bias=True))
    order = np.argsort(values.real)[::-1]
    return ((x - train.mean(0)) @ vectors.real)[:, order]


@variant("decorrelate", "eigh, the other signs")
def _(x, train):
    _, vectors = np.linalg.eigh(np.cov(train.T))
    return -np.flip((x - train.mean(0)) @ vectors, axis=1)


@variant("whiten", "the SVD of the covariance, as CS231n does it")
def _(x, train, eps=1e-5):
    c = train - train.mean(0)
    u, s, _ = np.linalg.svd(c.T @ c / c.shape[0])
    return (x - train.mean(0)) @ u / np.sqrt(s + eps)


@variant("whiten", "the spread of the decorrelated train")
def _(x, train, eps=1e-5):
    mean = train.mean(0)
    vt = np.linalg.svd(train - mean)[2]
    spread = ((train - mean) @ vt.T).var(axis=0)
    return (x - mean) @ vt.T / np.sqrt(spread + eps)


@variant("whiten", "one matrix")
def _(x, train, eps=1e-5):
    values, vectors = np.linalg.eigh(np.cov(train.T, bias=True))
    matrix = vectors @ np.diag((values + eps) ** -0.5)
    return (x - train.mean(0)) @ matrix[:, ::-1]


# More data -------------------------------------------------------------------------------------------------------


@variant("random_flip", "a loop with np.fliplr on planes")
def _(x, rng):
    out = []
    for image in x:
        out.append([np.fliplr(plane) for plane in image] if rng.integers(2) else list(image))
    return np.array(out)


@variant("random_flip", "where")
def _(x, rng):
    coins = rng.integers(0, 2, size=(x.shape[0], 1, 1, 1)).astype(bool)
    return np.where(coins, np.flip(x, axis=3), x)


@variant("random_flip", "by indices of the columns")
def _(x, rng):
    width = x.shape[3]
    columns = np.where(rng.uniform(size=len(x))[:, None] > 0.5, np.arange(width)[::-1], np.arange(width))
    return np.take_along_axis(x, columns[:, None, None, :], axis=3)


def _pad(x, padding):
    return np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))


@variant("random_flip", "a step of 1 or -1 for each image")
def _(x, rng):
    return [image[:, :, :: rng.choice([-1, 1])].tolist() for image in x]


@variant("random_crop", "the slices that stay inside, shifted")
def _(x, padding, rng):
    out, (height, width) = np.zeros_like(x), x.shape[2:]
    for n, (i, j) in enumerate(rng.integers(-padding, padding, (len(x), 2), endpoint=True)):
        part = x[n, :, max(i, 0) : height + i, max(j, 0) : width + j]
        out[n, :, max(-i, 0) : height - max(i, 0), max(-j, 0) : width - max(j, 0)] = part
    return out


@variant("random_crop", "windows and an index")
def _(x, padding, rng):
    windows = np.lib.stride_tricks.sliding_window_view(_pad(x, padding), x.shape[2:], axis=(2, 3))
    rows, columns = rng.integers(2 * padding + 1, size=(2, len(x)))
    return windows[np.arange(len(x)), :, rows, columns]


@variant("random_crop", "one number for both places")
def _(x, padding, rng):
    count = 2 * padding + 1
    out = np.zeros(x.shape)
    for n, place in enumerate(rng.integers(count * count, size=len(x))):
        row, column = divmod(int(place), count)
        out[n] = _pad(x, padding)[n, :, row : row + x.shape[2], column : column + x.shape[3]]
    return out


@variant("random_crop", "shifts from -padding to padding, rounded up from a uniform draw")
def _(x, padding, rng):
    out = np.zeros_like(x)
    height, width = x.shape[2:]
    for n in range(len(x)):
        i, j = np.floor(rng.random(2) * (2 * padding + 1)).astype(int)
        out[n] = _pad(x[n : n + 1], padding)[0][:, i:, j:][:, :height, :width]
    return out


@variant("color_jitter", "a factor around 1, minimum and maximum")
def _(x, strength, rng):
    factors = 1 + strength * (2 * rng.random((x.shape[0], x.shape[1])) - 1)
    return np.minimum(1, np.maximum(0, x * factors[:, :, None, None]))


@variant("color_jitter", "loops")
def _(x, strength, rng):
    out = np.empty(x.shape)
    for n, c in np.ndindex(x.shape[:2]):
        out[n, c] = (x[n, c] * rng.uniform(1 - strength, 1 + strength)).clip(0, 1)
    return out


@variant("color_jitter", "einsum")
def _(x, strength, rng):
    factors = rng.uniform(1 - strength, 1 + strength, size=x.shape[:2][::-1])
    return np.clip(np.einsum("nchw,cn->nchw", x, factors), 0.0, 1.0)


def _inverse(matrix):
    return np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]


@variant("affine_warp", "pixel by pixel")
def _(x, matrix):
    n, c, height, width = x.shape
    out = np.zeros((n, c, height, width))
    for i, j in np.ndindex(height, width):
        row, column = _inverse(matrix) @ [i, j, 1]
        row, column = round(row), round(column)
        if 0 <= row < height and 0 <= column < width:
            out[:, :, i, j] = x[:, :, row, column]
    return out


@variant("affine_warp", "solve, np.round, where")
def _(x, matrix):
    height, width = x.shape[2:]
    grid = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij")).reshape(2, -1)
    r, c = np.round(np.linalg.solve(matrix[:, :2], grid - matrix[:, 2:])).astype(int)
    inside = (r >= 0) & (r <= height - 1) & (c >= 0) & (c <= width - 1)
    picked = x[:, :, r.clip(0, height - 1), c.clip(0, width - 1)]
    return np.where(inside, picked, 0).reshape(x.shape)


@variant("affine_warp", "floor of plus a half, rows of points")
def _(x, matrix):
    height, width = x.shape[2:]
    points = np.argwhere(np.ones((height, width)))
    source = (points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    out = np.zeros_like(x)
    for (i, j), (r, c) in zip(points, np.floor(source + 0.5).astype(int), strict=True):
        if r in range(height) and c in range(width):
            out[:, :, i, j] = x[:, :, r, c]
    return out


@variant("affine_warp", "a frame of zeros around, places clipped into it")
def _(x, matrix):
    height, width = x.shape[2:]
    framed = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
    homogeneous = np.vstack([np.indices((height, width)).reshape(2, -1), np.ones(height * width)])
    r, c = np.rint(_inverse(matrix) @ homogeneous).astype(int) + 1
    return framed[:, :, r.clip(0, height + 1), c.clip(0, width + 1)].reshape(x.shape)
