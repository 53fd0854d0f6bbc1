"""Other ways to work out the exercises of unit 06."""

import math
import random

import numpy as np

from tests.fairness.variants import variant


@variant("sgd_step", "adds the negative")
def _(w, g, lr):
    return w + (-lr) * g


@variant("sgd_step", "np.subtract into a new array")
def _(w, g, lr):
    return np.subtract(w, np.multiply(lr, g))


@variant("sgd_step", "a float copy, changed in place")
def _(w, g, lr):
    moved = np.array(w, dtype=float)
    moved -= lr * g
    return moved


@variant("sgd_step", "a copy of the gradient, changed in place")
def _(w, g, lr):
    moved = g.copy()
    moved *= -lr
    moved += w
    return moved


@variant("momentum_step", "copies of the weights and of the gradient, changed in place")
def _(w, v, g, lr, beta=0.9):
    w, velocity = w.copy(), g.copy()
    velocity += beta * v
    w -= lr * velocity
    return w, velocity


@variant("momentum_step", "copies, changed in place")
def _(w, v, g, lr, beta=0.9):
    w, v = w.astype(float), v.astype(float)
    v *= beta
    v += g
    w -= lr * v
    return w, v


@variant("momentum_step", "each number on its own, as lists")
def _(w, v, g, lr, beta=0.9):
    moves = [beta * old + new for old, new in zip(v.ravel(), g.ravel(), strict=True)]
    moved = [at - lr * move for at, move in zip(w.ravel(), moves, strict=True)]
    return [np.reshape(moved, w.shape).tolist(), np.reshape(moves, w.shape).tolist()]


@variant("momentum_step", "CS231n's velocity inside, ours outside")
def _(w, v, g, lr, beta=0.9):
    inner = beta * (-lr * v) - lr * g
    return w + inner, -inner / lr


@variant("ema_momentum_step", "moves v towards g")
def _(w, v, g, lr, beta=0.9):
    moved = v + (1 - beta) * (g - v)
    return w - lr * moved, moved


@variant("ema_momentum_step", "np.average with weights")
def _(w, v, g, lr, beta=0.9):
    moved = np.average([v, g], axis=0, weights=[beta, 1 - beta])
    return w - lr * moved, moved


@variant("ema_momentum_step", "the plain step with scaled numbers")
def _(w, v, g, lr, beta=0.9):
    total = beta * v / (1 - beta) + g
    return w - lr * (1 - beta) * total, (1 - beta) * total


@variant("nesterov_step", "the change of w, and v from it")
def _(w, v, gradient, lr, beta=0.9):
    drift = -lr * beta * v
    change = drift - lr * gradient(w + drift)
    return w + change, -change / lr


@variant("nesterov_step", "torch's form at the place ahead")
def _(w, v, gradient, lr, beta=0.9):
    ahead = w - lr * beta * v
    g = gradient(ahead)
    v = beta * v + g
    return ahead - lr * (g + beta * v) + lr * beta * v, v


@variant("nesterov_step", "a copy moved there and not back")
def _(w, v, gradient, lr, beta=0.9):
    there = w.astype(float)
    there -= lr * beta * v
    velocity = gradient(there) + beta * v
    there += lr * beta * v
    there -= lr * velocity
    return there, velocity


@variant("xavier_init", "a scaled draw from 0 to 1")
def _(shape, rng):
    field = math.prod(shape[2:])
    bound = math.sqrt(6) / math.sqrt(shape[0] * field + shape[1] * field)
    return (2 * rng.random(shape) - 1) * bound


@variant("xavier_init", "row by row")
def _(shape, rng):
    fan_in, fan_out = int(np.prod(shape[1:])), int(np.prod(shape)) // shape[1]
    bound = (6 / (fan_in + fan_out)) ** 0.5
    return np.stack([rng.uniform(-bound, bound, shape[1:]) for _ in range(shape[0])])


@variant("xavier_init", "by way of the standard deviation, float32")
def _(shape, rng):
    out, channels, *kernel = shape
    std = np.sqrt(2 / ((out + channels) * np.prod(kernel)))
    return rng.uniform(-std * 3**0.5, std * 3**0.5, size=shape).astype(np.float32)


@variant("he_init", "standard normal, scaled")
def _(shape, rng):
    return rng.standard_normal(shape) * math.sqrt(2 / math.prod(shape[1:]))


@variant("he_init", "all in one row, then reshaped")
def _(shape, rng):
    total = int(np.prod(shape))
    return (rng.standard_normal(total) / np.sqrt(total / shape[0] / 2)).reshape(shape)


@variant("he_init", "a seed drawn from rng for Python's own generator")
def _(shape, rng):
    source = random.Random(int(rng.integers(1 << 30)))
    std = (2 / np.prod(shape[1:])) ** 0.5
    return np.array([source.gauss(0, std) for _ in range(int(np.prod(shape)))]).reshape(shape)


@variant("shuffle_together", "sorts random keys")
def _(x, y, rng):
    order = np.argsort(rng.random(len(y)))
    return np.take(x, order, axis=0), np.take(y, order)


@variant("shuffle_together", "shuffles an array of indices")
def _(x, y, rng):
    order = np.arange(len(x))
    rng.shuffle(order)
    return np.array([x[i] for i in order]), np.array([y[i] for i in order])


@variant("shuffle_together", "a list of pairs")
def _(x, y, rng):
    pairs = list(zip(x, y, strict=True))
    order = rng.choice(len(pairs), len(pairs), replace=False)
    pairs = [pairs[i] for i in order]
    return np.stack([image for image, _ in pairs]), [int(label) for _, label in pairs]


@variant("shuffle_together", "swaps from the end on, by hand")
def _(x, y, rng):
    order = list(range(len(x)))
    for i in range(len(x) - 1, 0, -1):
        j = rng.integers(i + 1)
        order[i], order[j] = order[j], order[i]
    return x[order], y[order].tolist()


@variant("minibatches", "np.split")
def _(n, size, rng):
    return np.split(rng.permutation(n), range(size, n, size))


@variant("minibatches", "lists of Python numbers, a while loop")
def _(n, size, rng):
    left = rng.permutation(n).tolist()
    batches = []
    while left:
        batches.append(left[:size])
        left = left[size:]
    return batches


@variant("minibatches", "chosen without replacement, as a tuple")
def _(n, size, rng):
    order = rng.choice(n, size=n, replace=False)
    return tuple(order[k * size : (k + 1) * size] for k in range(math.ceil(n / size)))


@variant("minibatches", "one by one into the open batch")
def _(n, size, rng):
    batches = []
    for i in np.argsort(rng.random(n)):
        if not batches or len(batches[-1]) == size:
            batches.append([])
        batches[-1].append(i)
    return [np.array(batch) for batch in batches]


@variant("step_decay", "a loop over the epochs")
def _(epoch, lr, every, factor=0.1):
    for e in range(1, epoch + 1):
        if e % every == 0:
            lr = lr * factor
    return lr


@variant("step_decay", "recursion")
def _(epoch, lr, every, factor=0.1):
    def rate(epoch):
        return lr if epoch < every else factor * rate(epoch - every)

    return rate(epoch)


@variant("step_decay", "floor and power")
def _(epoch, lr, every, factor=0.1):
    return np.float64(lr) * np.power(factor, np.floor(epoch / every))


@variant("cosine_decay", "the square of a cosine")
def _(step, total, lr, min_lr=0.0):
    return min_lr + (lr - min_lr) * math.cos(math.pi * step / (2 * total)) ** 2


@variant("cosine_decay", "around the middle")
def _(step, total, lr, min_lr=0.0):
    return (lr + min_lr) / 2 + (lr - min_lr) / 2 * np.cos(np.pi * step / total)


@variant("cosine_decay", "takes away what is lost")
def _(step, total, lr, min_lr=0.0):
    return lr - (lr - min_lr) * np.sin(np.pi / 2 * step / total) ** 2


@variant("cosine_decay", "stays at the minimum afterwards")
def _(step, total, lr, min_lr=0.0):
    share = np.clip(step / total, 0, 1)
    return np.array(0.5 * (lr - min_lr) * (1 + np.cos(share * np.pi)) + min_lr)


@variant("average_weights", "sums in new arrays")
def _(checkpoints):
    total = [np.zeros(array.shape) for array in checkpoints[0]]
    for net in checkpoints:
        for i, array in enumerate(net):
            total[i] += array
    return [array / len(checkpoints) for array in total]


@variant("average_weights", "copies of the first, changed in place")
def _(checkpoints):
    average = [array.copy() for array in checkpoints[0]]
    for net in checkpoints[1:]:
        for mine, array in zip(average, net, strict=True):
            mine += array
    for mine in average:
        mine /= len(checkpoints)
    return average


@variant("average_weights", "a running mean that is right, as a tuple")
def _(checkpoints):
    mean = [np.array(array, dtype=float) for array in checkpoints[0]]
    for k, net in enumerate(checkpoints[1:], start=2):
        mean = [m + (array - m) / k for m, array in zip(mean, net, strict=True)]
    return tuple(mean)


@variant("average_weights", "sum over each position")
def _(checkpoints):
    positions = range(len(checkpoints[0]))
    return [sum(net[i] for net in checkpoints) / len(checkpoints) for i in positions]


@variant("average_weights", "nested lists")
def _(checkpoints):
    return [np.stack(arrays).mean(0).tolist() for arrays in zip(*checkpoints, strict=True)]


def _softmax(row):
    powers = np.exp(row - np.max(row))
    return powers / powers.sum()


@variant("ensemble_predict", "loops and a list")
def _(logits):
    answers = []
    for n in range(logits.shape[1]):
        mean = sum(_softmax(net[n]) for net in logits) / len(logits)
        answers.append(int(np.argmax(mean)))
    return answers


@variant("ensemble_predict", "float32, sorted, the last")
def _(logits):
    powers = np.exp((logits - logits.max(2, keepdims=True)).astype(np.float32))
    return (powers / powers.sum(2, keepdims=True)).mean(0).argsort(axis=1)[:, -1]


@variant("ensemble_predict", "the sum of probabilities, by einsum")
def _(logits):
    powers = np.exp(logits - logits.max(-1)[..., None])
    return np.einsum("mnk,mn->nk", powers, 1 / powers.sum(-1)).argmax(-1)


@variant("ensemble_predict", "log-probabilities, then exp, as floats")
def _(logits):
    z = logits - logits.max(2, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(2, keepdims=True))
    return np.exp(log_p).mean(0).argmax(1).astype(float)
