"""Other ways to work out the exercises of unit 07."""

import functools

import numpy as np

from course.carry import conv2d, conv2d_backward, linear, linear_backward
from tests.fairness.variants import VARIANTS, variant
from tests.hidden import solution


class FlattenThatKeepsX:
    def forward(self, x):
        self.x = x
        n, c, h, w = x.shape
        return x.reshape(n, c * h * w).copy()

    def backward(self, grad_out):
        return np.reshape(grad_out, self.x.shape)


class FlattenImageByImage:
    def forward(self, x):
        self.shape = x.shape[1:]
        return np.array([image.ravel() for image in x])

    def backward(self, grad_out):
        return np.stack([row.reshape(self.shape) for row in grad_out])


class FlattenAsViewOfItself:
    def __init__(self):
        self.shapes = []

    def forward(self, x):
        self.shapes.append(np.shape(x))
        return np.concatenate([x[:, c, i] for c in range(x.shape[1]) for i in range(x.shape[2])], axis=1)

    def backward(self, grad_out):
        return grad_out.reshape(len(grad_out), *self.shapes[-1][1:])


class LinearWithItsOwnProducts:
    """Does not call linear at all."""

    def __init__(self, w, b):
        self.params, self.grads = [w, b], [np.zeros_like(w), np.zeros_like(b)]

    def forward(self, x):
        self.kept = x.copy()
        return x @ self.params[0].T + self.params[1]

    def backward(self, grad_out):
        self.grads = [grad_out.T @ self.kept, grad_out.sum(axis=0)]
        return grad_out @ self.params[0]


class LinearWithPropertiesForParams:
    def __init__(self, w, b):
        self.w, self.b = w, b
        self.gw = self.gb = None

    @property
    def params(self):
        return [self.w, self.b]

    @property
    def grads(self):
        return [self.gw, self.gb]

    def forward(self, x):
        self.x = x
        return linear(x, self.w, self.b)

    def backward(self, grad_out):
        gx, self.gw, self.gb = linear_backward(grad_out, self.x, self.w)
        return gx


class LinearThatCopiesAtFirst:
    def __init__(self, w, b):
        self.params, self.grads = (np.array(w), np.array(b)), ()

    def forward(self, x):
        self.cache = (x, self.params[0])
        return linear(x, *self.params)

    def backward(self, grad_out):
        all_three = linear_backward(grad_out, *self.cache)
        self.grads = all_three[1:]
        return all_three[0]


class LinearWithGradientsWrittenInPlace:
    def __init__(self, w, b):
        self.params, self.grads = [w, b], [np.zeros_like(w), np.zeros_like(b)]

    def forward(self, x):
        self.x = x
        return linear(x, self.params[0], self.params[1])

    def backward(self, grad_out):
        gx, gw, gb = linear_backward(grad_out, self.x, self.params[0])
        self.grads[0][:], self.grads[1][:] = gw, gb
        return gx


class ConvByKeyword:
    def __init__(self, w, b, stride=1, padding=0):
        self.params, self.grads, self.settings = [w, b], [], {"stride": stride, "padding": padding}

    def forward(self, x):
        self.x = x
        w, b = self.params
        return conv2d(x, w, b, **self.settings)

    def backward(self, grad_out):
        grads = conv2d_backward(grad_out, self.x, self.params[0], **self.settings)
        self.grads = list(grads[1:])
        return grads[0]


class ConvWithFunctionsAsAttributes(ConvByKeyword):
    def __init__(self, w, b, stride=1, padding=0):
        super().__init__(w, b, stride, padding)
        self.function, self.derivative = conv2d, conv2d_backward

    def forward(self, x):
        self.x = x
        return self.function(x, *self.params, **self.settings)

    def backward(self, grad_out):
        gx, *self.grads = self.derivative(grad_out, self.x, self.params[0], **self.settings)
        return gx


class ConvOfTheRealKind(ConvByKeyword):
    """Calls the conv2d of unit 01 and 02, pasted into the notebook."""

    def forward(self, x):
        self.x = x
        return solution("conv2d")(x, *self.params, **self.settings)

    def backward(self, grad_out):
        gx, *self.grads = solution("conv2d_backward")(grad_out, self.x, self.params[0], **self.settings)
        return gx


class Row:
    def __init__(self, layers):
        self.layers = layers

    @property
    def params(self):
        return sum((layer.params for layer in self.layers), [])

    @property
    def grads(self):
        return sum((layer.grads for layer in self.layers), [])


class SequentialByReduce(Row):
    def forward(self, x):
        return functools.reduce(lambda value, layer: layer.forward(value), self.layers, x)

    def backward(self, grad_out):
        return functools.reduce(lambda grad, layer: layer.backward(grad), self.layers[::-1], grad_out)


class SequentialByIndex(Row):
    def forward(self, x):
        values = [x]
        for i in range(len(self.layers)):
            values.append(self.layers[i].forward(values[i]))
        self.values = values
        return values[-1]

    def backward(self, grad_out):
        for i in range(len(self.layers) - 1, -1, -1):
            grad_out = self.layers[i].backward(grad_out)
        return grad_out


class SequentialByRecursion(Row):
    def forward(self, x, start=0):
        if start == len(self.layers):
            return x
        return self.forward(self.layers[start].forward(x), start + 1)

    def backward(self, grad_out):
        waiting = list(self.layers)
        while waiting:
            grad_out = waiting.pop().backward(grad_out)
        return grad_out


for exercise, others in {
    "Flatten": (FlattenThatKeepsX, FlattenImageByImage, FlattenAsViewOfItself),
    "Linear": (
        LinearWithItsOwnProducts,
        LinearWithPropertiesForParams,
        LinearThatCopiesAtFirst,
        LinearWithGradientsWrittenInPlace,
    ),
    "Conv2d": (ConvByKeyword, ConvWithFunctionsAsAttributes, ConvOfTheRealKind),
    "Sequential": (SequentialByReduce, SequentialByIndex, SequentialByRecursion),
}.items():
    for other in others:
        VARIANTS[exercise, other.__name__] = other


@variant("train_step", "gradients and parameters by index, np.subtract into place")
def _(net, loss, x, labels, lr):
    scores = net.forward(x)
    value = loss.forward(scores, labels)
    net.backward(loss.backward())
    for i in range(len(net.params)):
        np.subtract(net.params[i], lr * net.grads[i], out=net.params[i])
    return value


@variant("train_step", "assigns to a slice")
def _(net, loss, x, labels, lr):
    value = loss.forward(net.forward(x), labels)
    grad = loss.backward()
    net.backward(grad)
    for p, g in zip(net.params, net.grads, strict=True):
        p[...] = p - lr * g
    return np.float64(value)


@variant("train_step", "adds the negative, last parameter first")
def _(net, loss, x, labels, lr):
    value = np.array(loss.forward(net.forward(x), labels))
    net.backward(loss.backward())
    for p, g in reversed(list(zip(net.params, net.grads, strict=True))):
        p += -lr * g
    return value


def _classes():
    from tests.hidden import solutions

    return solutions("07-lenet-in-numpy")


@variant("LeNet5", "standard normal numbers, scaled; layers appended one by one")
def _(rng):
    own, layers = _classes(), []
    for out, into in [(6, 1), (16, 6)]:
        w = rng.standard_normal((out, into, 5, 5)) * (2 / (into * 25)) ** 0.5
        layers += [own["Conv2d"](w, np.zeros(out)), own["ReLU"](), own["MaxPool2d"](2)]
    layers.append(own["Flatten"]())
    for out, into in [(120, 400), (84, 120), (10, 84)]:
        w = np.sqrt(2 / into) * rng.standard_normal((out, into))
        layers += [own["Linear"](w, np.zeros((out,))), own["ReLU"]()]
    return own["Sequential"](layers[:-1])


@variant("LeNet5", "drawn from the last layer to the first")
def _(rng):
    own, shapes = _classes(), [(6, 1, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120), (10, 84)]
    w = [rng.normal(scale=np.sqrt(2 / (np.prod(s) / s[0])), size=s) for s in shapes[::-1]][::-1]
    b = [np.zeros(len(a)) for a in w]
    kinds = ["Conv2d", "Conv2d", "Linear", "Linear", "Linear"]
    c1, c3, c5, f6, last = (own[k](*pair) for k, *pair in zip(kinds, w, b, strict=True))
    relu, pool = own["ReLU"], own["MaxPool2d"]
    return own["Sequential"](
        [c1, relu(), pool(2), c3, relu(), pool(2), own["Flatten"](), c5, relu(), f6, relu(), last]
    )


@variant("LeNet5", "uniform numbers of the same spread")
def _(rng):
    net = _classes()["LeNet5"](rng)
    for w in net.params[::2]:
        reach = np.sqrt(6 / np.prod(w.shape[1:]))
        w[...] = rng.uniform(-reach, reach, w.shape)
    return net


@variant("LeNet5", "a class of its own")
class _:
    def __init__(self, rng):
        self.layers = _classes()["LeNet5"](rng).layers


@variant("count_macs", "counting windows in a loop")
def _(in_channels, in_size, out_channels, kernel_size, stride=1, padding=0, pairs=None):
    places = len(range(0, in_size + 2 * padding - kernel_size + 1, stride))
    if pairs is None:
        return sum(places**2 * kernel_size**2 * in_channels for _ in range(out_channels))
    return sum(places**2 * kernel_size**2 for _ in range(pairs))


@variant("count_macs", "np.prod of a shape")
def _(in_channels, in_size, out_channels, kernel_size, stride=1, padding=0, pairs=None):
    side = int(np.floor((in_size + 2 * padding - kernel_size) / stride)) + 1
    if not pairs:
        pairs = in_channels * out_channels
    return np.prod([side, side, kernel_size, kernel_size, pairs])


@variant("count_macs", "scaled down from the full table")
def _(in_channels, in_size, out_channels, kernel_size, stride=1, padding=0, pairs=None):
    side = (in_size - kernel_size + 2 * padding) // stride + 1
    full = in_channels * out_channels * kernel_size**2 * side**2
    return full if pairs is None else full * pairs // (in_channels * out_channels)


@variant("confusion_matrix", "a loop")
def _(labels, predictions, classes):
    counts = np.zeros((classes, classes))
    for label, prediction in zip(labels, predictions, strict=True):
        counts[label, prediction] += 1
    return counts


@variant("confusion_matrix", "lists of sums")
def _(labels, predictions, classes):
    return [[int(np.sum((labels == i) & (predictions == j))) for j in range(classes)] for i in range(classes)]


@variant("confusion_matrix", "one-hot rows, a matrix product")
def _(labels, predictions, classes):
    return np.eye(classes)[labels].T @ np.eye(classes)[predictions]


@variant("confusion_matrix", "a histogram")
def _(labels, predictions, classes):
    return np.bincount(labels * classes + predictions, minlength=classes**2).reshape(classes, classes)
