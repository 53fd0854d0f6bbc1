# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 07 · LeNet in NumPy
#
# You have written every part of a convolutional network. In this notebook you put the parts together: LeNet-5, the network with which Yann
# LeCun and colleagues read handwritten digits in 1998.
#
# It learns to read digits with nothing but NumPy, while you wait. Then you count what it costs, look at the digits that it gets
# wrong, and at the six filters that it has learned. Take three hours, and units 01, 02 and 03 first.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
from time import perf_counter

import numpy as np

from course.carry import carry, conv2d, conv2d_backward, linear, linear_backward
from course.carry import max_pool2d, max_pool2d_backward, relu, relu_backward
from course.carry import softmax_cross_entropy, softmax_cross_entropy_gradient
from course.checks import check, hint
from course.data import large_digits
from course.figures import plot_lines, show_grid, show_images, show_maps

# %% [markdown]
# ## Bring your own
#
# `carry` looks into your notebooks of units 01 to 03, which lie beside this one, and takes your functions out. Each must first pass its own
# check. Where one is missing or does not pass, a stand-in computed by PyTorch takes its place; the table says which and why.
#
# Nothing below depends on that. You can finish an earlier unit at any time and run this cell again.

# %% tags=["experiment"]
carry()

# %% [markdown]
# ## The data
#
# Scikit-learn has 1,797 digits that people wrote by hand, 8 x 8 pixels each. LeNet-5 wants 32 x 32, so they are enlarged and get a margin. 1,400
# are for training; with the other 397 the network is tested, and it never learns from them.
#
# The pixels are shifted and scaled to mean 0 and standard deviation 1. The two numbers come from the training images alone.
#
# **Predict:** how many of the 397 would be right if the network just guessed?
#
# <details><summary>Answer</summary>About one in ten, 40.</details>

# %% tags=["experiment"]
train_images, train_y, test_images, test_y = large_digits()
mean, std = train_images.mean(), train_images.std()
train_x, test_x = (train_images - mean) / std, (test_images - mean) / std
print(train_x.shape, test_x.shape)
show_images(*train_images[:8, 0], titles=[str(label) for label in train_y[:8]])

# %% [markdown]
# ## A layer remembers
#
# `relu_backward(grad_out, x)` needs the x of the forward pass. With one function that is easy; with twelve layers somebody has to keep twelve
# inputs. So make each layer an **object** that keeps its own: `forward(x)` computes the output and remembers what backward will need;
# `backward(grad_out)` returns grad_x.
#
# Here are two, and a loss. `params` and `grads` are lists of arrays; these layers learn nothing, so theirs are empty. (`MaxPool2d(ReLU)` takes
# over ReLU's two empty lists, and nothing else.) The loss starts the way back, so its `backward` takes nothing.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "given_layers", "locked": true, "schema_version": 3, "solution": false, "task": false}
class ReLU:
    params, grads = [], []

    def forward(self, x):
        self.x = x
        return relu(x)

    def backward(self, grad_out):
        return relu_backward(grad_out, self.x)

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "given_pooling", "locked": true, "schema_version": 3, "solution": false, "task": false}
class MaxPool2d(ReLU):
    def __init__(self, kernel_size):
        self.kernel_size = kernel_size

    def forward(self, x):
        self.x = x
        return max_pool2d(x, self.kernel_size)

    def backward(self, grad_out):
        return max_pool2d_backward(grad_out, self.x, self.kernel_size)

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "given_loss", "locked": true, "schema_version": 3, "solution": false, "task": false}
class SoftmaxCrossEntropy:
    def forward(self, scores, labels):
        self.scores, self.labels = scores, labels
        return softmax_cross_entropy(scores, labels)

    def backward(self):
        return softmax_cross_entropy_gradient(self.scores, self.labels)

# %% [markdown]
# ## Exercise: `Flatten`
#
# *easy · 10 minutes · 1 point*
#
# Between the last map and the first linear layer, each image's volume becomes one row: channel by channel, and within a channel row by row, which
# is the order in which NumPy stores an NCHW array. Backward does the opposite. No value changes either way.
#
# The check runs a layer forward and backward twice, first on another batch. It shows the second run: part 1 is the output, part 2 grad_x, then
# come the arrays in `grads`, if any.
#
# **Predict:** what must this layer remember? The whole x?
#
# <details><summary>Answer</summary>Only the shape of x: backward gives grad_out that shape.</details>

# %% nbgrader={"grade": false, "grade_id": "Flatten", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Flatten:
    """Turn (N, C, H, W) into (N, C * H * W), and gradients back.

    >>> Flatten().forward(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[0., 1., 2., 3., 4., 5., 6., 7.]])
    """

    params, grads = [], []

    def forward(self, x):
        ### BEGIN SOLUTION
        self.shape = x.shape
        return x.reshape(len(x), -1)
        ### END SOLUTION

    def backward(self, grad_out):
        ### BEGIN SOLUTION
        return grad_out.reshape(self.shape)
        ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_Flatten", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 1}
check(Flatten)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

cases = [
    Case("one channel", through("layer_alone"), normal(1, 1, 3, 2), normal(1, 6)),
    Case("three channels", through("layer_alone"), normal(1, 3, 2, 4), normal(1, 24)),
    Case("four images", through("layer_alone"), normal(4, 1, 3, 2), normal(4, 6)),
    Case("two images of five channels", through("layer_alone"), normal(2, 5, 2, 3), normal(2, 30)),
]
check(Flatten, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("Flatten")

# %% [markdown]
# ## Layers that learn
#
# A linear layer and a convolution have weights. These lie in `params`, always as `[w, b]`. Their gradients have to lie in `grads`, in the same
# order, once `backward` has run. So whoever trains the net needs to know two lists and nothing else about the layer.
#
# Two habits differ from ours. In PyTorch, gradients *add up* over several backward passes until they are set to zero; here each `backward`
# replaces them. In some courses `backward` returns all three gradients; here it returns grad_x, and keeps the others.

# %% [markdown]
# ## Exercise: `Linear`
#
# *medium · 15 minutes · 2 points*
#
# Call `linear(x, w, b)` and `linear_backward(grad_out, x, w)`, which returns grad_x, grad_w, grad_b. Training will change the arrays in
# `params`: take w and b from there each time, and make no copies. The check changes them too: between its two runs it
# takes 0.25 from each number in `params`.
#
# **Predict** the shapes in `grads` for w (3, 5) and a batch of 32.
#
# <details><summary>Answer</summary>(3, 5) and (3,), those of w and b. The batch is summed over.</details>

# %% nbgrader={"grade": false, "grade_id": "Linear", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Linear:
    """A linear layer with weights w (O, D) and biases b (O,).

    forward(x): x (N, D) -> (N, O). backward(grad_out): grad_out (N, O) -> grad_x (N, D);
    afterwards grads is [grad_w, grad_b], of this backward only.

    >>> Linear(np.array([[3.0]]), np.array([1.0])).forward(np.array([[2.0]]))
    array([[7.]])
    """

    def __init__(self, w, b):
        self.params, self.grads = [w, b], []

    def forward(self, x):
        ### BEGIN SOLUTION
        self.x = x
        return linear(x, *self.params)
        ### END SOLUTION

    def backward(self, grad_out):
        ### BEGIN SOLUTION
        grad_x, *self.grads = linear_backward(grad_out, self.x, self.params[0])
        return grad_x
        ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_Linear", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(Linear)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

cases = [
    Case("one output", through("layer_twice"), np.array([[-1.0]]), np.array([2.0]), np.array([[3.0]]), np.array([[0.5]])),
    Case("three outputs", through("layer_twice"), normal(3, 1), normal(3), normal(1, 1), normal(1, 3)),
    Case("five rows", through("layer_twice"), normal(2, 1), normal(2), normal(5, 1), normal(5, 2)),
    Case("as many rows as outputs", through("layer_twice"), normal(3, 1), normal(3), normal(3, 1), normal(3, 3)),
]
check(Linear, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("Linear")

# %% [markdown]
# ## Exercise: `Conv2d`
#
# *easy · 15 minutes · 2 points*
#
# The same for `conv2d(x, w, b, stride, padding)` and `conv2d_backward(grad_out, x, w, stride, padding)`.
#
# **Predict:** which two things does `backward` need here that `Linear.backward` did not?
#
# <details><summary>Answer</summary>The stride and the padding. `__init__` has kept them in `self`.</details>

# %% nbgrader={"grade": false, "grade_id": "Conv2d", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Conv2d:
    """A convolution with filters w (O, C, KH, KW) and biases b (O,).

    forward(x): (N, C, H, W) -> (N, O, H_out, W_out). backward(grad_out): returns grad_x;
    afterwards grads is [grad_w, grad_b], of this backward only.

    >>> Conv2d(np.array([[[[3.0]]]]), np.array([1.0])).forward(np.array([[[[2.0]]]])).item()
    7.0
    """
    def __init__(self, w, b, stride=1, padding=0):
        self.params, self.grads = [w, b], []
        self.stride, self.padding = stride, padding

    def forward(self, x):
        ### BEGIN SOLUTION
        self.x = x
        return conv2d(x, *self.params, self.stride, self.padding)
        ### END SOLUTION

    def backward(self, grad_out):
        ### BEGIN SOLUTION
        args = grad_out, self.x, self.params[0], self.stride, self.padding
        grad_x, *self.grads = conv2d_backward(*args)
        return grad_x
        ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_Conv2d", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(Conv2d)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

cases = [
    Case("one filter", through("layer_twice"), normal(1, 1, 1, 1), normal(1), normal(1, 1, 3, 2), normal(1, 1, 3, 2)),
    Case("two filters", through("layer_twice"), normal(2, 1, 1, 1), normal(2), normal(1, 1, 2, 4), normal(1, 2, 2, 4)),
    Case("three images", through("layer_twice"), normal(2, 1, 1, 1), normal(2), normal(3, 1, 2, 3), normal(3, 2, 2, 3)),
    Case("stride 3", through("layer_twice"), normal(2, 1, 1, 1), normal(2), normal(2, 1, 6, 4), normal(2, 2, 2, 2), stride=3),
    Case("padding 2", through("layer_twice"), normal(1, 1, 1, 1), normal(1), normal(2, 1, 3, 2), normal(2, 1, 7, 6), padding=2),
    Case("stride and padding", through("layer_twice"), normal(2, 1, 1, 1), normal(2), normal(2, 1, 4, 7), normal(2, 2, 3, 5), stride=2, padding=1),
]
check(Conv2d, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("Conv2d")

# %% [markdown]
# ## Layers in a row
#
# A network is a row of layers. Forward, each layer's output is the next one's input. Backward, each layer's grad_x is the `grad_out` of the
# layer *before* it.

# %% [markdown]
# ## Exercise: `Sequential`
#
# *easy · 15 minutes · 3 points*
#
# A row of layers that behaves like one layer. `params` and `grads` are given: they put the lists of all layers one behind the other.
#
# **Predict.** Three layers: times 3, squared, times 2. For x = 1 the values are 3, 9, 18. A `grad_out` of 1 comes in from the right. Which three
# gradients do the layers return, and in which order?
#
# <details><summary>Answer</summary>Times 2 returns 2, squared returns 2 · (2 · 3) = 12, times 3 returns 36: from the last to the first.</details>

# %% nbgrader={"grade": false, "grade_id": "Sequential", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Sequential:
    """Layers one after the other: forward(x) -> output, backward(grad_out) -> grad_x.

    layers: a list; it must stay in its order. Both methods work any number of times.
    """
    params = property(lambda self: [p for layer in self.layers for p in layer.params])
    grads = property(lambda self: [g for layer in self.layers for g in layer.grads])

    def __init__(self, layers):
        self.layers = layers

    def forward(self, x):
        ### BEGIN SOLUTION
        for layer in self.layers:
            x = layer.forward(x)
        return x
        ### END SOLUTION

    def backward(self, grad_out):
        ### BEGIN SOLUTION
        for layer in reversed(self.layers):
            grad_out = layer.backward(grad_out)
        return grad_out
        ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_Sequential", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(Sequential)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

cases = [
    Case("one layer", through("chain_twice"), [normal(4, 3)], normal(2, 4), normal(2, 3), weight=0.5),
    Case("two layers", through("chain_twice"), [normal(3, 3), normal(3, 3) + 1], normal(2, 3), normal(2, 3)),
    Case("layers of several sizes", through("chain_twice"), [normal(4, 2), normal(2, 5)], normal(3, 4), normal(3, 5)),
    Case("a layer without parameters", through("chain_twice"), [normal(3, 3), "square", normal(3, 3) - 1], normal(4, 3), normal(4, 3)),
    Case("six layers", through("chain_twice"), [normal(2, 2), "square", normal(2, 2) + 1, "square", normal(2, 3), normal(3, 1)], normal(3, 2), normal(3, 1)),
]
check(Sequential, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("Sequential")

# %% [markdown]
# ### Nudge it
#
# Do all these backward passes fit together? Build a small net of every kind of layer, and nudge one weight of its first convolution, as in unit
# 02. Its own backward has to give the same slope.
#
# **Predict** how many digits agree.

# %% tags=["experiment"]
def random_params(rng, *shape):
    return rng.normal(0, 0.5, shape), np.zeros(shape[0])


rng = np.random.default_rng(0)
first = Conv2d(*random_params(rng, 2, 1, 3, 3), stride=2, padding=1)
last = Linear(*random_params(rng, 3, 2 * 4 * 4))
small = Sequential([first, ReLU(), MaxPool2d(2), Flatten(), last])
few, classes = rng.normal(size=(5, 1, 16, 16)), rng.integers(0, 3, 5)
loss = SoftmaxCrossEntropy()

# %% tags=["experiment"]
loss.forward(small.forward(few), classes)
small.backward(loss.backward())
values = []
for nudge in (1e-5, -2e-5):
    small.params[0][1, 0, 2, 1] += nudge
    values.append(loss.forward(small.forward(few), classes))
print("by nudging: ", (values[0] - values[1]) / 2e-5)
print("by backward:", small.grads[0][1, 0, 2, 1])

# %% [markdown]
# ## LeNet-5
#
# Two convolutions, each followed by pooling, then three linear layers. With every stage the maps get smaller and there are more of them.
#
# | layer | | output |
# |---|---|---|
# | C1 | 6 filters, 5 x 5 | 6 x 28 x 28 |
# | S2 | pooling, 2 x 2 | 6 x 14 x 14 |
# | C3 | 16 filters, 5 x 5 | 16 x 10 x 10 |
# | S4 | pooling, 2 x 2 | 16 x 5 x 5 |
# | C5 | linear | 120 |
# | F6 | linear | 84 |
# | output | linear | 10 |
#
# Ours is today's version: ReLU, max pooling, softmax. The paper had tanh, the trained `subsample` of unit 03, and ten units that measure a
# distance. And in the paper each filter of C3 saw only some of the six maps; here, as is usual today, it sees all.

# %% [markdown]
# ## Exercise: `LeNet5`
#
# *medium · 25 minutes · 3 points*
#
# Build the net in the table with your classes. A ReLU follows C1, C3, C5 and F6; pooling follows the ReLU. Nothing is padded.
#
# The weights are drawn from `rng` with mean 0 and standard deviation sqrt(2 / inputs), where inputs is the number of values that go into
# *one* output. The biases are 0. (This is He's initialisation; unit 06 says why. You need no more of it here.)
#
# **Predict:** how many values go into one output of C1? Of C3? Of C5?
#
# <details><summary>Answer</summary>1 · 5 · 5 = 25, then 6 · 5 · 5 = 150, then 16 · 5 · 5 = 400.</details>

# %% nbgrader={"grade": false, "grade_id": "LeNet5", "locked": false, "schema_version": 3, "solution": true, "task": false}
def LeNet5(rng):
    """Return a new LeNet-5 for images (N, 1, 32, 32): a Sequential whose output is (N, 10).

    Its layers, by class: Conv2d, ReLU, MaxPool2d, Conv2d, ReLU, MaxPool2d, Flatten,
    Linear, ReLU, Linear, ReLU, Linear. rng: draws all weights.
    """
    # A small function inside saves work: (shape of w) -> w, b.
    ### BEGIN SOLUTION
    def fresh(*shape):
        return rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape), np.zeros(shape[0])

    stages = [[Conv2d(*fresh(o, c, 5, 5)), ReLU(), MaxPool2d(2)] for o, c in [(6, 1), (16, 6)]]
    c5, f6, last = (Linear(*fresh(*shape)) for shape in [(120, 400), (84, 120), (10, 84)])
    return Sequential([*stages[0], *stages[1], Flatten(), c5, ReLU(), f6, ReLU(), last])
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_LeNet5", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(LeNet5)
### BEGIN HIDDEN TESTS
from course.checks import Case, through

check(LeNet5, cases=[Case("the layers and their weights", through("lenet_table"), seed) for seed in (11, 12)])
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("LeNet5")

# %% [markdown]
# Send two digits through, and read the shapes. Then the loss of the untrained net: unit 03 says log 10 = 2.3 for a net that gives all digits
# the same score. **Predict:** is this net better or worse than that?

# %% tags=["experiment"]
net = LeNet5(np.random.default_rng(0))
x = train_x[:2]
for layer in net.layers:
    x = layer.forward(x)
    print(f"{type(layer).__name__:10} {x.shape}")
scores = net.forward(train_x[:100])
print("loss of the untrained net:", round(loss.forward(scores, train_y[:100]), 2))

# %% [markdown]
# Worse. Its scores are random, but far from equal: it is sure, and mostly wrong. The first steps of training put that right.
#
# ## What does it cost?
#
# Almost all the time goes into *multiply-adds*: a weight times a value, added to a sum. One such pair counts as **one** operation (some papers
# count it as two). Biases are left out, as is usual.

# %% [markdown]
# ## Exercise: `count_macs`
#
# *medium · 20 minutes · 3 points*
#
# Count the multiply-adds of a convolution with square kernels on square maps, for one image. Every output is one window: how many outputs are
# there, and how many products in each? As in unit 01, there is no output where the window would stick out.
#
# In the paper a filter of C3 does not see all maps. `pairs` says how many pairs of an input map and a filter are connected; if it is None,
# all are.
#
# **Predict** for C1 without a computer.
#
# <details><summary>Answer</summary>28 · 28 · 6 outputs, 25 products each: 117,600.</details>

# %% nbgrader={"grade": false, "grade_id": "count_macs", "locked": false, "schema_version": 3, "solution": true, "task": false}
def count_macs(in_channels, in_size, out_channels, kernel_size, stride=1, padding=0,
               pairs=None):
    """Return the multiply-adds of a convolution on one image, an int; biases not counted.

    in_size: side of the square input. kernel_size: side of the kernel. pairs: connected
    (input map, filter) pairs; None means all, in_channels * out_channels.

    >>> count_macs(3, 4, 2, 3), count_macs(3, 4, 2, 3, pairs=5)
    (216, 180)
    """
    ### BEGIN SOLUTION
    out_size = (in_size + 2 * padding - kernel_size) // stride + 1
    pairs = in_channels * out_channels if pairs is None else pairs
    return out_size**2 * kernel_size**2 * pairs
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_count_macs", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(count_macs)
### BEGIN HIDDEN TESTS
from course.checks import Case

cases = [
    Case("one map, one filter", 1, 6, 1, 3),
    Case("five filters", 1, 5, 5, 2),
    Case("LeNet-5's C3", 6, 14, 16, 5),
    Case("a linear layer as a convolution", 120, 1, 84, 1),
    Case("padding", 3, 8, 5, 5, padding=2),
    Case("AlexNet's first layer", 3, 227, 96, 11, stride=4),
    Case("a stride that does not divide", 3, 14, 4, 3, stride=5, padding=1),
    Case("partly connected", 6, 12, 10, 3, pairs=31),
    Case("partly connected, stride and padding", 4, 11, 5, 3, stride=3, padding=2, pairs=9),
]
check(count_macs, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("count_macs")

# %% [markdown]
# A linear layer is a convolution too: with one place, and a kernel as large as its input. So one function counts them all.

# %% tags=["experiment"]
table = {  # in_channels, in_size, out_channels, kernel_size
    "C1": (1, 32, 6, 5),
    "C3": (6, 14, 16, 5),
    "C5": (16, 5, 120, 5),
    "F6": (120, 1, 84, 1),
    "output": (84, 1, 10, 1),
}
for i, (name, layer) in enumerate(table.items()):
    w, b = net.params[2 * i : 2 * i + 2]
    print(f"{name:7}{w.size + b.size:7,} parameters {count_macs(*layer):8,} multiply-adds")
macs = sum(count_macs(*layer) for layer in table.values())
print(f"in all {sum(p.size for p in net.params):7,} parameters {macs:8,} multiply-adds")

# %% [markdown]
# ### A slide says 341 k
#
# A lecture slide gives LeNet-5 as "60 k weights, 341 k multiply-adds", and six filters in *both* convolutions. We found 61,706 and 416,520.
# Who is right?
#
# Try six filters twice first. **Predict**, from the table: which layer loses most weights, and which most multiply-adds?
#
# <details><summary>Answer</summary>C5 loses most weights: 120 · 150 are left of 120 · 400, 30,000 fewer. C3 loses most multiply-adds: 90,000 are left of 240,000.</details>

# %% tags=["experiment"]
six = {**table, "C3": (6, 14, 6, 5), "C5": (6, 5, 120, 5)}
weights = 6 * 25 + 6 * 6 * 25 + 120 * 6 * 25 + 84 * 120 + 10 * 84
print(f"six filters twice: {weights:,} weights,", end=" ")
print(f"{sum(count_macs(*layer) for layer in six.values()):,} multiply-adds")

# %% [markdown]
# Half of the weights are gone; so the slide has dropped a number, and C3 has 16 filters.
#
# The rest is a way of counting. The 1998 paper counts *connections*: everything that adds a term to a sum. That changes our number three times:
#
# 1. In C3, six filters see three maps each, nine see four, one sees all six: 60 of the 96 pairs.
# 2. A bias is a connection too, one for each output of C1, C3, C5 and F6.
# 3. The pooling of the paper has four inputs and a bias for each of its outputs.
#
# **Predict** which of the three changes most.

# %% tags=["experiment"]
partial = macs - count_macs(6, 14, 16, 5) + count_macs(6, 14, 16, 5, pairs=6 * 3 + 9 * 4 + 6)
biases = 6 * 28**2 + 16 * 10**2 + 120 + 84
pooling = (4 + 1) * (6 * 14**2 + 16 * 5**2)
print(f"ours                   {macs:,}")
print(f"C3 partly connected    {partial:,}")
print(f"and the biases         {partial + biases:,}")
print(f"and the pooling        {partial + biases + pooling:,}")
free = 6 * 26 + 12 + 60 * 25 + 16 + 32 + 120 * 401 + 84 * 121
print(f"trained parameters     {free:,}")

# %% [markdown]
# 340,908 connections and exactly 60,000 parameters: these are the paper's numbers. (Each pooled map has two trained numbers, 12 and 32 in all;
# the ten outputs were set by hand, not trained.) So the slide's 341 k are connections, biases and pooling included, and not multiply-adds as
# they are counted today. When you compare two nets, first find out how each was counted.

# %% [markdown]
# ## Learning
#
# One step of gradient descent on a batch has three parts: forward through net and loss, backward through loss and net, and a small change
# of every parameter against its gradient.

# %% [markdown]
# ## Exercise: `train_step`
#
# *medium · 20 minutes · 3 points*
#
# Until now, functions had to leave their inputs alone. Here the net is *meant* to change, and the arrays in `net.params` are the very ones
# that its layers use. So change them **in place**: an array changed with `-=` stays the same array, while `p = p - ...` only makes a new one,
# which no layer will ever see.
#
# **Predict:** after `p = np.ones(2); q = p; q -= 1`, what is p? And if the last part is `q = q - 1` instead?
#
# <details><summary>Answer</summary>[0, 0]: p and q are two names of one array. With `q = q - 1`, p stays [1, 1].</details>

# %% nbgrader={"grade": false, "grade_id": "train_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def train_step(net, loss, x, labels, lr):
    """Take one step of gradient descent, in place; return the loss before the step.

    net: has forward(x), backward(grad_out), params, grads (lists of arrays, same order).
    loss: has forward(scores, labels), which gives one number, and backward(), which
    gives the gradient of the scores, the mean over the batch already in it.
    The check brings a small net and a loss of its own, and takes two steps.
    """
    ### BEGIN SOLUTION
    value = loss.forward(net.forward(x), labels)
    net.backward(loss.backward())
    for param, grad in zip(net.params, net.grads):
        param -= lr * grad
    return value
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_train_step", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(train_step)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

cases = [
    Case("one weight", through("two_steps"), [np.array([[-1.0]])], np.array([[2.0]]), np.array([[2.0]]), 0.25),
    Case("one layer", through("two_steps"), [normal(4, 2)], normal(5, 4), normal(5, 2), 0.2),
    Case("two layers", through("two_steps"), [normal(2, 4), normal(4, 3)], normal(6, 2), normal(6, 3), 0.05),
    Case("a layer without parameters between them", through("two_steps"), [normal(2, 3), "square", normal(3, 2)], normal(3, 2), normal(3, 2), 0.02),
]
check(train_step, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("train_step")

# %% [markdown]
# ### Read digits
#
# Now everything runs together: 35 digits a step, shuffled anew each time round, eight times round. For the last three rounds the rate is smaller.
#
# **Predict** the share of test digits that the net reads after the first round, and after the last.

# %% tags=["experiment"]
def predict(net, x):
    batches = np.array_split(x, max(1, len(x) // 100))
    return np.concatenate([net.forward(batch).argmax(axis=1) for batch in batches])

# %% tags=["experiment"]
rng, losses, guesses = np.random.default_rng(1), [], []
net = LeNet5(rng)
untrained, start = net.params[0].copy(), perf_counter()
for lr in [0.05] * 5 + [0.01] * 3:
    order = rng.permutation(len(train_x)).reshape(-1, 35)
    steps = [train_step(net, loss, train_x[rows], train_y[rows], lr) for rows in order]
    losses.append(np.mean(steps))
    guesses.append(predict(net, test_x))
    print(f"loss {losses[-1]:.3f}, right {np.mean(guesses[-1] == test_y):.1%}")
print(f"in {perf_counter() - start:.0f} seconds")

# %% tags=["experiment"]
errors = [np.mean(guess != test_y) for guess in guesses]
lines = {"test digits wrong": errors, "loss in training": losses}
plot_lines(lines, "round", "share wrong, or loss", log="y")

# %% [markdown]
# Nobody told the net what a loop or a stroke is. The loss told it in which direction 61,706 numbers should move, and your backward passes
# carried that message to each of them.
#
# ## Where is it wrong?
#
# One number hides a lot: does the net confuse all digits alike, or some pairs again and again?
#
# ## Exercise: `confusion_matrix`
#
# *easy · 15 minutes · 2 points*
#
# Count, for each digit that it was (row), what the net said (column). Rows are the truth, as in scikit-learn; other books have it the other way
# round.
#
# **Predict:** which sum of entries, divided by which other, is the accuracy?
#
# <details><summary>Answer</summary>The sum of the diagonal (right answers), divided by the sum of all entries.</details>

# %% nbgrader={"grade": false, "grade_id": "confusion_matrix", "locked": false, "schema_version": 3, "solution": true, "task": false}
def confusion_matrix(labels, predictions, classes):
    """Return counts (classes, classes): entry [i, j] says how often an i was called a j.

    labels, predictions: (N,), whole numbers from 0 to classes - 1.

    >>> confusion_matrix(np.array([0, 1, 1, 1]), np.array([0, 1, 0, 0]), 2).tolist()
    [[1, 0], [2, 1]]
    """
    # Several examples can fall into the same entry: try yours on the example above.
    ### BEGIN SOLUTION
    counts = np.zeros((classes, classes), dtype=int)
    np.add.at(counts, (labels, predictions), 1)
    return counts
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_confusion_matrix", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(confusion_matrix)
### BEGIN HIDDEN TESTS
from course.checks import Case

cases = [
    Case("no two alike", np.array([2, 0, 1]), np.array([2, 2, 0]), 3),
    Case("the same mistake three times", np.array([0, 0, 0, 1]), np.array([1, 1, 1, 1]), 2),
    Case("nine examples", np.array([3, 1, 2, 0, 1, 1, 3, 3, 2]), np.array([3, 1, 2, 1, 2, 1, 0, 0, 2]), 4),
    Case("a class that never occurs", np.array([1, 0, 1, 1]), np.array([0, 0, 1, 0]), 4),
    Case("one example", np.array([2]), np.array([1]), 3),
]
check(confusion_matrix, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("confusion_matrix")

# %% [markdown]
# Here is the net after its first and after its last round. **Predict** two digits that the first confuses.

# %% tags=["experiment"]
tables = [np.array(confusion_matrix(test_y, guess, 10)) for guess in (guesses[0], guesses[-1])]
names = {"xlabel": "the net said", "ylabel": "it was", "titles": ["round 1", "round 8"]}
show_grid(*tables, rows=range(10), columns=range(10), **names)
for counts in tables:
    print(f"{np.trace(counts)} of {counts.sum()} right: {np.trace(counts) / counts.sum():.1%}")

# %% [markdown]
# ## Your pictures
#
# Here are the eight test digits on which your net has the highest loss; most mistakes are among them. **Predict** for each, before you
# read the title, what you would have said.

# %% tags=["experiment"]
scores = net.forward(test_x)
each = [softmax_cross_entropy(scores[[i]], test_y[[i]]) for i in range(len(test_y))]
hardest = np.argsort(each)[::-1][:8]
titles = [f"was {test_y[i]}, said {guesses[-1][i]}" for i in hardest]
show_images(*test_images[hardest, 0], titles=titles)

# %% [markdown]
# Would you have done better? At 8 x 8 pixels, some digits are hard for a person as well.
#
# And here is what the six filters of C1 have learned: first as they were drawn, then after training.

# %% tags=["experiment"]
show_maps(*untrained[:, 0], titles=[f"{i}, drawn" for i in range(1, 7)])
show_maps(*net.params[0][:, 0], titles=[f"{i}, trained" for i in range(1, 7)])

# %% [markdown]
# Compare them one by one: much of the noise that they were drawn with is still there. What counts is what the filters make of a digit.
# **Predict:** which of the six will answer to the background, and not to the strokes?
#
# <details><summary>Answer</summary>Those with mostly negative weights (blue): since the scaling, the background is below 0, and minus times minus is plus.</details>

# %% tags=["experiment"]
digit = test_x[:1]
maps = relu(conv2d(digit, *net.params[:2]))
show_maps(digit, *maps[0], titles=["digit"] + [f"filter {i}" for i in range(1, 7)])

# %% [markdown]
# Look for maps that light up on one side of a stroke only, or on strokes of one direction. From these six maps the rest of the net
# reads the digit.

# %% [markdown]
# ## What you have learnt
#
# A layer that remembers its input, and a row of such layers, walked forward and then backward, is all that a network is; a training step needs
# nothing from it but two lists. With your own code, LeNet-5 has learned to read digits it had never seen. What a net costs can be counted
# exactly, once it is said what is counted.
#
# **Next:** in [08 · NumPy to PyTorch](../08-numpy-to-torch/08-numpy-to-torch.ipynb) you hand the backward passes over to a machine that finds
# them itself, compare it with your own, and run the same LeNet on a GPU if you have one.
