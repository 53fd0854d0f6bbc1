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
# # 04 · Batch normalisation
#
# A deep network is a chain, and every link has to hope that the one before it sends numbers of a sensible size. Batch normalisation
# replaces the hope by arithmetic: between two layers it subtracts the mean and divides by the spread.
#
# You write it forward and backward, for rows and for feature maps, then remove it again without changing an answer. It takes about three
# hours and needs units 01 to 03. At the end your code draws the map of all the learning rates and starting weights with which a network
# trains, with batch normalisation and without.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import copy

import numpy as np

from course.checks import check, hint
from course.data import digits
from course.explorers import NormLab
from course.figures import plot_bars, plot_lines, show_grid, show_images
from course.layers import avg_pool2d, avg_pool2d_backward, conv2d, conv2d_backward, linear
from course.layers import linear_backward, relu, relu_backward
from course.layers import softmax_cross_entropy, softmax_cross_entropy_gradient
from course.timing import seconds

# %% [markdown]
# `course.layers` holds the layers of units 01 to 03, computed by PyTorch, with the signatures that you know. The data are 1,797 real handwritten digits of 8 x 8
# pixels, small enough to train on within seconds.

# %% tags=["experiment"]
train_x, train_y, test_x, test_y = digits()
show_images(*train_x[4:8])
print(train_x.shape, test_x.shape, "labels", train_y[4:8])

# %% [markdown]
# ## Twenty layers
#
# Send 200 digits through twenty layers of random weights and write down the spread of the numbers (their standard deviation) after each. Each layer does the same
# to the numbers, so what it does is done twenty times over.
#
# **Predict:** with weights a third smaller, each layer's output is a third smaller. How small is it after twenty layers?

# %% tags=["experiment"]
def spreads(scale, between=lambda h: h):
    rng, h, found = np.random.default_rng(0), train_x[:200].reshape(200, 64), []
    for _ in range(20):
        h = np.asarray(between(relu(h) @ rng.normal(0, scale / 8, (64, 64))))
        found.append(h.std())
    return found

# %% tags=["experiment"]
signals = {f"weights x {scale}": spreads(scale) for scale in (2.0, 1.4, 0.9)}
plot_lines(signals, "layer", "spread of its output", log="y")

# %% [markdown]
# One choice of weights holds the signal, just about; the others blow it up some hundred times, or lose all but a ten-thousandth. And weights change
# as they are learned: whoever found the right size at the start (unit 06 shows how) may lose it later.
#
# So put the numbers right after every layer, whatever the weights do.
#
# ## Normalise a batch
#
# Each column of the batch is one feature, one row is one image. For each **feature**, over the batch:
#
# $$\mu = \frac{1}{N}\sum_n x_n \qquad \sigma^2 = \frac{1}{N}\sum_n (x_n - \mu)^2 \qquad \hat{x}_n = \frac{x_n - \mu}{\sqrt{\sigma^2 + \epsilon}}$$
#
# The small ε keeps a feature that is the same for the whole batch from dividing 0 by 0.

# %% [markdown]
# ## Exercise: `normalize_batch`
#
# *easy · 10 minutes · 2 points*
#
# Compute $\hat{x}$. The variance here divides by N, as `np.var` does.
#
# **Predict** by hand: the column 1, 3, 5, 7 with ε = 4. (Its variance is 5.)

# %% nbgrader={"grade": false, "grade_id": "normalize_batch", "locked": false, "schema_version": 3, "solution": true, "task": false}
def normalize_batch(x, eps=1e-5):
    """Return x with every feature at mean 0 and (but for eps) variance 1 over the batch.

    x: (N, D), N rows of D features. Returns a new array (N, D), floats.

    >>> normalize_batch(np.array([[1.0], [3.0], [5.0], [7.0]]), eps=4).round(2).ravel()
    array([-1.  , -0.33,  0.33,  1.  ])
    """
    ### BEGIN SOLUTION
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_normalize_batch", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(normalize_batch)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

check(
    normalize_batch,
    cases=[
        Case("one feature by hand", np.array([[0.0], [2.0], [4.0], [6.0]]), eps=4.0),
        Case("as many features as rows", 3 * normal(5, 5) - 2),
        Case("more features than rows", 3 * normal(3, 6) + 5),
        Case("a feature that never changes", np.array([[1.0, -2.0], [4.0, -2.0], [6.0, -2.0], [5.0, -2.0]])),
        Case("whole numbers", integers(4, 2)),
        Case("a large eps", 2 * normal(6, 3) - 1, eps=0.3),
    ],
    random=20,
)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("normalize_batch")

# %% [markdown]
# Now the same twenty layers with your function after each, in the same picture.
#
# **Predict** where the three new lines run.
#
# <details><summary>Answer</summary>All three lie exactly on each other, at 1: a factor in the weights is divided out again.</details>

# %% tags=["experiment"]
for scale in (2.0, 1.4, 0.9):
    signals[f"x {scale}, normalised"] = spreads(scale, normalize_batch)
plot_lines(signals, "layer", "spread of its output", "with your normalize_batch", log="y")

# %% [markdown]
# ## A memory, and two numbers to learn
#
# Two things are missing.
#
# **Gamma and beta.** Perhaps the next layer would do better with a spread of 3 around 1. So each feature gets a learned scale and
# shift, $y = \gamma \hat{x} + \beta$, which start at 1 and 0.
#
# **A memory.** Afterwards the network must answer for *one* image, and the answer should not depend on which others happen to be in the batch.
# So training keeps a moving average of the means and variances that it meets:
#
# $$\text{running} \leftarrow (1 - \text{momentum}) \cdot \text{running} + \text{momentum} \cdot \text{batch}$$
#
# In **training** the batch's own statistics normalise it. In **evaluation** the running ones do, and nothing is updated.

# %% [markdown]
# Three details, in which books and libraries differ. Here we do as PyTorch does:
#
# | | here | elsewhere |
# |---|---|---|
# | momentum | weight of the *new* batch, 0.1 | weight of the old value, 0.9 (CS231n) |
# | running variance takes up | the *unbiased* variance, divided by N - 1 | the biased one (CS231n) |
# | running variance starts at | 1 | 0 (CS231n) |
#
# The batch itself is still normalised by the variance whose sum is divided by N. The running one stands for images not yet
# seen, and a few values underestimate the spread of all; dividing by N - 1 (`ddof=1`) makes up for it.

# %% [markdown]
# ## Exercise: `batch_norm`
#
# *medium · 25 minutes · 4 points*
#
# Return three arrays: the output and the new running mean and variance. Nothing is changed in place: in evaluation the
# running ones come back as they were. In training N is at least 2.
#
# **Predict:** the running mean is 0, momentum 0.1, and batch after batch has mean 4. What is the running mean after one batch, after two?
#
# <details><summary>Answer</summary>0.4, then 0.9 · 0.4 + 0.1 · 4 = 0.76. It comes closer by a tenth of what is missing.</details>

# %% nbgrader={"grade": false, "grade_id": "batch_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def batch_norm(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    """Return out, running_mean, running_var: the batch, normalised, and the new memory.

    x: (N, D). gamma, beta, running_mean, running_var: (D,). training: True or False.

    >>> x, one, zero = np.array([[1.0], [3.0], [5.0], [7.0]]), np.ones(1), np.zeros(1)
    >>> out, mean, var = batch_norm(x, 2 * one, 10 * one, zero, one, training=True, eps=4)
    >>> out.round(2).ravel(), mean, var.round(3)
    (array([ 8.  ,  9.33, 10.67, 12.  ]), array([0.4]), array([1.567]))
    """
    # 1. In training: mean and variance of the batch, and the new running ones.
    # 2. In evaluation: the running ones. 3. Normalise; scale by gamma, shift by beta.
    ### BEGIN SOLUTION
    mean, var = running_mean, running_var
    if training:
        mean, var, unbiased = x.mean(axis=0), x.var(axis=0), x.var(axis=0, ddof=1)
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * unbiased
    out = gamma * (x - mean) / np.sqrt(var + eps) + beta
    return out, running_mean, running_var
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_batch_norm", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 4}
check(batch_norm)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal


def case(name, x, training, **options):
    gamma, beta, mean, var = np.random.default_rng(100 + x.shape[1]).standard_normal((4, x.shape[1]))
    return Case(name, x, gamma, beta, mean, var**2 + 0.3, training, **options)


check(
    batch_norm,
    cases=[
        case("one feature, in training", 3 * normal(4, 1) + 2, True, eps=2.0),
        case("one feature, in evaluation", 3 * normal(4, 1) + 2, False, eps=2.0),
        case("four features, in training", 3 * normal(6, 4) - 2, True),
        case("four features, in evaluation", 3 * normal(6, 4) - 2, False),
        case("as many features as rows", 2 * normal(3, 3) + 1, True),
        case("another momentum", 3 * normal(5, 2) + 2, True, momentum=0.25),
        case("a large eps", 2 * normal(7, 3), True, eps=0.4),
        case("a large eps, in evaluation", 2 * normal(7, 3), False, eps=0.4),
        case("one row, in evaluation", normal(1, 5), False, weight=0.5),
        case("whole numbers", integers(6, 3), True),
    ],
    random=20,
)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("batch_norm")

# %% [markdown]
# Watch the memory form: feature 20 of the digits (counted from 0; a pixel in the middle), in batches of 16, with three values of momentum. The dotted
# line is the mean over all images.
#
# **Predict:** which momentum is quickest to forget the wrong start, and which is steadiest in the end?

# %% tags=["experiment"]
def memory(momentum):
    mean, var, seen = np.zeros(64), np.ones(64), []
    for start in range(0, 1280, 16):
        rows = train_x[start : start + 16].reshape(16, 64)
        answer = batch_norm(rows, np.ones(64), np.zeros(64), mean, var, True, momentum)
        _, mean, var = map(np.asarray, answer)
        seen.append(mean[20])
    return seen

# %% tags=["experiment"]
lines = {f"momentum {momentum}": memory(momentum) for momentum in (0.5, 0.1, 0.02)}
lines["all images"] = np.full(80, train_x[:, 0].reshape(-1, 64)[:, 20].mean())
plot_lines(lines, "batch", "running mean of pixel 20")

# %% [markdown]
# With momentum 0.5 the wrong start is forgotten at once, but the line follows every batch. With 0.02 it is the steadiest, and after 80 batches has not
# arrived: 0.98⁸⁰, a fifth of the wrong start, is still in it.
#
# ### Play with it
#
# Which numbers are averaged, what comes out, and what the memory keeps, for a batch of your own. Three things to find: what one outlier
# does to the rest of its channel; what a batch of one gives; and what changes in evaluation.

# %% tags=["experiment"]
NormLab()

# %% [markdown]
# ## Backward
#
# To train, the gradient has to come back through all this. For gamma and beta it is what you know of shared weights: each was used N times, so
# its gradient is a sum of N.
#
# For x there is a catch. One value $x_n$ reaches the loss in three ways: directly, through the mean μ (move one value and all of its column
# shift), and through the variance σ². Forgetting the last two is the classic mistake in this layer, and a quiet
# one: nothing crashes.

# %% [markdown]
# Let $s = \sqrt{\sigma^2 + \epsilon}$ and $g_n = \gamma \cdot \partial L / \partial y_n$, the gradient that arrives at $\hat{x}_n$. You need three derivatives;
# take them with a pencil, one column at a time:
#
# $$\frac{\partial \hat{x}_n}{\partial x_n} = \frac{1}{s} \text{ (directly)} \qquad
# \frac{\partial \hat{x}_m}{\partial \mu} = -\frac{1}{s}, \; \frac{\partial \mu}{\partial x_n} = \frac{1}{N} \qquad
# \frac{\partial \hat{x}_m}{\partial \sigma^2} = -\frac{\hat{x}_m}{2 s^2}, \; \frac{\partial \sigma^2}{\partial x_n} = \frac{2 (x_n - \mu)}{N}$$
#
# The chain rule sums over all $m$, since μ and σ² reach every row. Those sums over $m$, divided by N, are averages over
# the batch. (σ² also contains μ, but that way adds nothing: the deviations from a mean sum to 0.)

# %% [markdown]
# ## Exercise: `batch_norm_backward`
#
# *hard · 45 minutes · 6 points*
#
# The backward pass in **training** mode. Compute μ, σ² and $\hat{x}$ again from x.
#
# **Predict:** add 1 to all values of a column. How does the output change, and what does that say about the sum of the column's gradient?

# %% nbgrader={"grade": false, "grade_id": "batch_norm_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def batch_norm_backward(grad_out, x, gamma, eps=1e-5):
    """Return grad_x (N, D), grad_gamma (D,), grad_beta (D,) of batch_norm in training.

    grad_out: (N, D), the gradient of the loss by the output. x: (N, D). gamma: (D,).

    >>> grad_out, x = np.eye(4)[:, :1], np.array([[1.0], [3.0], [5.0], [7.0]])
    >>> grad_x, grad_gamma, grad_beta = batch_norm_backward(grad_out, x, 2 * np.ones(1), eps=4)
    >>> (9 * grad_x).round(6).ravel() + 0, grad_gamma, grad_beta
    (array([ 3., -2., -1.,  0.]), array([-1.]), array([1.]))
    """
    # 1. The normalised x again. 2. grad_gamma and grad_beta: sums over the batch.
    # 3. g = grad_out * gamma; its three ways to x, added up.
    ### BEGIN SOLUTION
    root = np.sqrt(x.var(axis=0) + eps)
    hat = (x - x.mean(axis=0)) / root
    g = grad_out * gamma
    grad_x = (g - g.mean(axis=0) - hat * (g * hat).mean(axis=0)) / root
    return grad_x, (grad_out * hat).sum(axis=0), grad_out.sum(axis=0)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_batch_norm_backward", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 6}
check(batch_norm_backward)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal


def case(name, x, **options):
    rng = np.random.default_rng(100 + x.size)
    return Case(name, rng.standard_normal(x.shape), x, rng.standard_normal(x.shape[1]) + 1, **options)


check(
    batch_norm_backward,
    cases=[
        case("one feature, a large eps", 3 * normal(4, 1) + 2, eps=2.0),
        case("one feature", 3 * normal(6, 1) - 2),
        case("four features", 3 * normal(7, 4) + 2),
        case("as many features as rows", 2 * normal(5, 5) - 1),
        case("more features than rows", 2 * normal(4, 6) - 1, eps=0.1),
        case("a large eps", 2 * normal(6, 3), eps=0.7),
        Case("whole numbers", integers(3, 5).T, integers(5, 3), np.array([1.5, -0.7, 0.4])),
    ],
    random=20,
)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("batch_norm_backward")

# %% [markdown]
# Two facts to test your derivation by. Shifting a column changes nothing, so no gradient may push that way: each column of `grad_x` sums to 0.
# Stretching it changes (nearly) nothing either, so its gradient has no part along $\hat{x}$.

# %% tags=["experiment"]
rng = np.random.default_rng(0)
x, grad_out = rng.normal(5, 3, (50, 4)), rng.normal(size=(50, 4))
grad_x, *_ = map(np.asarray, batch_norm_backward(grad_out, x, np.ones(4)))
print("sums of the columns:", grad_x.sum(axis=0).round(8) + 0)
print("sums against hat:   ", (grad_x * normalize_batch(x)).sum(axis=0).round(4) + 0)

# %% [markdown]
# ## Feature maps
#
# In a convolutional layer all the pixels of a channel were computed by the same filter, so they are all values of *one* feature. They share one
# mean, one variance, one gamma, one beta: the statistics run over images, rows and columns, N · H · W numbers.
#
# So 8 channels have 8 means, whatever the size of the image. One for each pixel would break what unit 01 bought with shared
# weights: the map would no longer move along with the image.

# %% [markdown]
# ## Exercise: `batch_norm2d` and `batch_norm2d_backward`
#
# *medium · 30 minutes · 3 points each*
#
# Either average over three axes, or turn the maps into N · H · W rows of C numbers and call what you have. To get such rows,
# `x.reshape(-1, C)` alone is not enough. A Python loop over the pixels would pass, but the training below would take minutes.
#
# **Predict** why: what are the first three numbers in the memory of an (N, 3, H, W) array?
#
# <details><summary>Answer</summary>Three pixels side by side, of one channel. The three channels of one pixel lie H · W numbers apart.</details>

# %% nbgrader={"grade": false, "grade_id": "batch_norm2d", "locked": false, "schema_version": 3, "solution": true, "task": false}
def batch_norm2d(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    """Return out, running_mean, running_var, with one mean and variance for each channel.

    x: (N, C, H, W). gamma, beta, running_mean, running_var: (C,). Otherwise as batch_norm.

    >>> x = np.array([1.0, 3.0, 5.0, 7.0]).reshape(2, 1, 1, 2)
    >>> one, zero = np.ones(1), np.zeros(1)
    >>> batch_norm2d(x, one, zero, zero, one, training=True, eps=4)[0].round(2).ravel()
    array([-1.  , -0.33,  0.33,  1.  ])
    """
    ### BEGIN SOLUTION
    n, c, h, w = x.shape
    rows = x.transpose(0, 2, 3, 1).reshape(-1, c)
    arguments = gamma, beta, running_mean, running_var, training, momentum, eps
    out, *running = batch_norm(rows, *arguments)
    return out.reshape(n, h, w, c).transpose(0, 3, 1, 2), *running
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_batch_norm2d", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(batch_norm2d)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal


def case(name, x, training, **options):
    gamma, beta, mean, var = np.random.default_rng(100 + x.shape[1]).standard_normal((4, x.shape[1]))
    return Case(name, x, gamma, beta, mean, var**2 + 0.3, training, **options)


check(
    batch_norm2d,
    cases=[
        case("one channel, in training", 3 * normal(2, 1, 2, 2) + 2, True, eps=2.0),
        case("one channel, in evaluation", 3 * normal(2, 1, 2, 2) + 2, False, eps=2.0),
        case("one channel, high", 3 * normal(3, 1, 5, 2) + 2, True),
        case("as many channels as columns", 3 * normal(3, 4, 2, 4) - 2, True),
        case("more channels than columns", 3 * normal(2, 5, 4, 3) + 2, True),
        case("four channels, in evaluation", 3 * normal(3, 4, 2, 3) + 2, False),
        case("another momentum", 3 * normal(3, 3, 2, 5) + 2, True, momentum=0.25),
        case("a large eps", 2 * normal(3, 2, 3, 4), True, eps=0.4),
        case("a large eps, in evaluation", 2 * normal(3, 2, 3, 4), False, eps=0.4),
        case("a single image", 2 * normal(1, 2, 5, 4) + 1, True),
        case("whole numbers", integers(3, 2, 2, 5), True),
    ],
    random=20,
)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("batch_norm2d")

# %% nbgrader={"grade": false, "grade_id": "batch_norm2d_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def batch_norm2d_backward(grad_out, x, gamma, eps=1e-5):
    """Return grad_x (N, C, H, W), grad_gamma (C,), grad_beta (C,) of batch_norm2d in training.

    grad_out: (N, C, H, W). x: (N, C, H, W). gamma: (C,).

    >>> x = np.array([1.0, 3.0, 5.0, 7.0]).reshape(2, 1, 1, 2)
    >>> grad_out = np.eye(4)[0].reshape(x.shape)
    >>> grad_x, *others = batch_norm2d_backward(grad_out, x, 2 * np.ones(1), eps=4)
    >>> (9 * grad_x).round(6).ravel() + 0, others
    (array([ 3., -2., -1.,  0.]), [array([-1.]), array([1.])])
    """
    ### BEGIN SOLUTION
    n, c, h, w = x.shape
    rows, grad_rows = (a.transpose(0, 2, 3, 1).reshape(-1, c) for a in (x, grad_out))
    grad_x, *others = batch_norm_backward(grad_rows, rows, gamma, eps)
    return grad_x.reshape(n, h, w, c).transpose(0, 3, 1, 2), *others
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_batch_norm2d_backward", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(batch_norm2d_backward)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal


def case(name, x, **options):
    rng = np.random.default_rng(100 + x.size)
    return Case(name, rng.standard_normal(x.shape), x, rng.standard_normal(x.shape[1]) + 1, **options)


check(
    batch_norm2d_backward,
    cases=[
        case("one channel, a large eps", 3 * normal(2, 1, 2, 2) + 2, eps=2.0),
        case("one channel, high", 3 * normal(3, 1, 5, 2) + 2),
        case("one channel, wide", 3 * normal(2, 1, 3, 4) + 2),
        case("as many channels as columns", 3 * normal(3, 4, 2, 4) - 2),
        case("more channels than columns", 3 * normal(2, 5, 4, 3) + 2),
        case("a single image", 2 * normal(1, 2, 5, 4) + 1),
        case("a large eps", 2 * normal(3, 2, 3, 4), eps=0.7),
        Case("whole numbers", integers(3, 2, 2, 1), integers(3, 2, 1, 2).reshape(3, 2, 2, 1), np.array([1.5, -0.7])),
    ],
    random=20,
)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("batch_norm2d_backward")

# %% [markdown]
# ## A network to try it in
#
# Six convolutions of 8 filters, each followed by batch norm (or not) and a ReLU, then average pooling and a linear layer. The next cells are
# given; read them once. `mode` is "none" (no batch norm), "train" or "test". The weights start at the size that suits ReLU (He's;
# unit 06), times `scale`.

# %% tags=["experiment"]
def make_net(scale=1.0, width=8):
    rng, layers = np.random.default_rng(0), []
    zeros, ones = np.zeros(width, "float32"), np.ones(width, "float32")
    for c in [1] + [width] * 5:
        w = rng.normal(0, scale * np.sqrt(2 / (9 * c)), (width, c, 3, 3)).astype("float32")
        start = {"w": w, "b": zeros, "gamma": ones, "beta": zeros, "mean": zeros, "var": ones}
        layers.append(start)
    w = rng.normal(0, (16 * width) ** -0.5, (10, 16 * width)).astype("float32")
    return {"layers": layers, "head": {"w": w, "b": np.zeros(10, "float32")}}

# %% tags=["experiment"]
def forward(net, x, mode):
    """Return the scores and, for the backward pass, what each layer met."""
    met = []
    for layer in net["layers"]:
        z = h = conv2d(x, layer["w"], layer["b"], padding=1)
        if mode != "none":
            state = [layer[name] for name in ("gamma", "beta", "mean", "var")]
            answer = batch_norm2d(z, *state, mode == "train")
            h, layer["mean"], layer["var"] = map(np.asarray, answer)
        met.append((x, z, h))
        x = relu(h)
    pooled = avg_pool2d(x, 2)
    flat = pooled.reshape(len(x), -1)
    return linear(flat, net["head"]["w"], net["head"]["b"]), (met, x, pooled.shape, flat)

# %% tags=["experiment"]
def move(layer, rate, **gradients):
    for name, gradient in gradients.items():
        layer[name] = layer[name] - rate * gradient

# %% tags=["experiment"]
def backward(net, seen, grad, mode, rate):
    """Take the gradient of the scores back through the net, and a step with every parameter."""
    met, x, pooled_shape, flat = seen
    grad, grad_w, grad_b = linear_backward(grad, flat, net["head"]["w"])
    move(net["head"], rate, w=grad_w, b=grad_b)
    grad = avg_pool2d_backward(grad.reshape(pooled_shape), x, 2)
    for layer, (x, z, h) in zip(net["layers"][::-1], met[::-1]):
        grad = relu_backward(grad, h)
        if mode != "none":
            answer = batch_norm2d_backward(grad, z, layer["gamma"])
            grad, grad_gamma, grad_beta = map(np.asarray, answer)
            move(layer, rate, gamma=grad_gamma, beta=grad_beta)
        grad, grad_w, grad_b = conv2d_backward(grad, x, layer["w"], padding=1)
        move(layer, rate, w=grad_w, b=grad_b)

# %% tags=["experiment"]
def train(mode, rate, steps=120, batch=32, scale=1.0):
    """Return the trained net and the loss of each step; stop where the loss blows up."""
    net, rng, losses = make_net(scale), np.random.default_rng(1), []
    for _ in range(steps):
        pick = rng.integers(0, len(train_x), batch)
        scores, seen = forward(net, train_x[pick], mode)
        losses.append(softmax_cross_entropy(scores, train_y[pick]))
        if not losses[-1] < 100:
            break
        backward(net, seen, softmax_cross_entropy_gradient(scores, train_y[pick]), mode, rate)
    return net, losses

# %% tags=["experiment"]
def accuracy(net, mode):
    """Return the share of the test digits that the net gets right."""
    return (forward(net, test_x, mode)[0].argmax(axis=1) == test_y).mean()

# %% [markdown]
# ### Which learning rates train?
#
# Six learning rates, with and without your batch norm, 120 steps of 32 images each. (This takes some ten seconds.)
#
# **Predict:** is the largest rate that trains larger with batch norm? By how much?

# %% tags=["experiment"]
RATES = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0]
runs = {mode: [train(mode, rate) for rate in RATES] for mode in ("train", "none")}
lines = {
    "without": [accuracy(net, "none") for net, _ in runs["none"]],
    "with batch norm": [accuracy(net, "test") for net, _ in runs["train"]],
}
plot_lines(lines, "learning rate", "test accuracy after 120 steps", x=RATES, log="x")

# %% [markdown]
# Read the width of the two hills, not only their height. Without batch norm one has to hit the rate within a factor of about three. With it, any
# of a wide range will do, up to rates about ten times as large.
#
# ### How many steps does it save?
#
# The paper (Ioffe and Szegedy, 2015) reached the accuracy of an Inception network in 14 times fewer steps, with larger learning rates and some other
# changes. Give each of our two networks its own best rate, and count the steps until the loss, averaged over ten steps, is below 0.5.
#
# **Predict** the ratio.

# %% tags=["experiment"]
def steps_to(losses, goal=0.5):
    below = np.convolve(losses, np.ones(10) / 10, "valid") < goal
    return int(below.argmax()) + 10 if below.any() else np.inf


losses = {mode: [losses for _, losses in found] for mode, found in runs.items()}
plain, normed = min(losses["none"], key=steps_to), min(losses["train"], key=steps_to)

# %% tags=["experiment"]
print(f"{steps_to(plain)} steps without, {steps_to(normed)} with batch norm:")
print(f"{steps_to(plain) / steps_to(normed):.1f} times fewer")
plot_lines({"without": plain, "with batch norm": normed}, "step", "loss", "each at its best")

# %% [markdown]
# Fewer steps, but with us it is nearer to 3 times than to 14. Both are right. The factor belongs to the network, the rates that were tried
# and the goal: ours has six layers and starts from weights made for ReLU. Each step also costs more with batch norm. Quote such a factor
# with its experiment, or not at all.

# %% [markdown]
# ### In other company
#
# Why keep running statistics at all? Let a trained network answer with the *batch's* statistics in evaluation, too: on mixed batches of 32
# test images, on batches sorted by digit (mostly one kind at a time), and on single images.
#
# **Predict** the order of the four bars.

# %% tags=["experiment"]
net = runs["train"][RATES.index(0.1)][0]


def in_batches(order, size):
    pieces = [order[start : start + size] for start in range(0, len(order), size)]
    scores = [forward(copy.deepcopy(net), test_x[piece], "train")[0] for piece in pieces]
    return (np.concatenate(scores).argmax(axis=1) == test_y[order]).mean()

# %% tags=["experiment"]
mixed, by_digit = np.arange(len(test_y)), test_y.argsort()
right = {"running": accuracy(net, "test"), "mixed batches": in_batches(mixed, 32)}
right |= {"sorted by digit": in_batches(by_digit, 32), "one by one": in_batches(mixed, 1)}
plot_bars({name: 100 * (1 - share) for name, share in right.items()}, "% of the digits wrong")

# %% [markdown]
# Same weights, same images, other neighbours, and other answers: a batch of sevens takes as usual what is special about a seven. That is
# the bug to look for when a network is good in training and odd afterwards: somebody left it in training mode.
#
# ### A batch of one
#
# With rows, a batch of one is its own mean.
#
# **Predict** what `normalize_batch` makes of a single row, and what the layers behind it can learn from that. Then: can the convolutional network train
# on batches of one?

# %% tags=["experiment"]
print("a single row:", *normalize_batch(train_x[:1].reshape(1, 64))[0][:8])
print("accuracy without and with batch norm")
for batch in (1, 4, 32):
    without = accuracy(train("none", 0.03, batch=batch)[0], "none")
    with_norm = accuracy(train("train", 0.03, batch=batch)[0], "test")
    print(f"batches of {batch:2}: {without:.2f} {with_norm:.2f}")

# %% [markdown]
# A single row becomes zeros, whatever it was: nothing is left to learn from, and PyTorch refuses it. A single feature *map* of 8 x 8 still has 64
# numbers to average, so the network trains, on noisier statistics. Compare the two numbers within a line, not the lines with each other: a larger batch
# has also seen more images in its 120 steps.

# %% [markdown]
# ## Remove it again
#
# In evaluation, batch norm subtracts a constant and multiplies by a constant, channel by channel. A convolution can do that itself: its
# filters can be larger by a factor, its biases moved.
#
# ## Exercise: `fold_batch_norm`
#
# *medium · 20 minutes · 3 points*
#
# Return the filters and biases of the *one* convolution that does what convolution and batch norm (in evaluation) do together.
#
# **Predict** by hand: w = 3, b = 7, γ = 2, β = 10, running mean 1, running variance 5, ε = 4.

# %% nbgrader={"grade": false, "grade_id": "fold_batch_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fold_batch_norm(w, b, gamma, beta, running_mean, running_var, eps=1e-5):
    """Return new w, b, floats, of a convolution that does the batch norm behind it as well.

    w: (O, C, KH, KW). b, gamma, beta, running_mean, running_var: (O,).

    >>> numbers = [np.array([value]) for value in (7.0, 2.0, 10.0, 1.0, 5.0)]
    >>> fold_batch_norm(np.full((1, 1, 1, 1), 3.0), *numbers, eps=4)
    (array([[[[2.]]]]), array([14.]))
    """
    ### BEGIN SOLUTION
    factor = gamma / np.sqrt(running_var + eps)
    return w * factor.reshape(-1, 1, 1, 1), (b - running_mean) * factor + beta
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_fold_batch_norm", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(fold_batch_norm)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal


def case(name, *shape, **options):
    b, gamma, beta, mean, var = np.random.default_rng(100 + sum(shape)).standard_normal((5, shape[0]))
    return Case(name, normal(*shape), b, gamma, beta, mean, var**2 + 0.3, **options)


check(
    fold_batch_norm,
    cases=[
        case("one weight", 1, 1, 1, 1, eps=2.0),
        case("one filter", 1, 1, 2, 3),
        case("four filters of four channels, 4 by 4", 4, 4, 4, 4),
        case("more filters than channels", 5, 3, 2, 3),
        case("fewer filters than channels", 3, 4, 2, 2),
        case("a large eps", 4, 2, 3, 2, eps=0.4),
        Case("whole numbers", integers(4, 1, 3, 2), integers(4), *np.random.default_rng(4).uniform(0.5, 2, (4, 4))),
    ],
    random=20,
)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("fold_batch_norm")

# %% [markdown]
# Fold a network of six such layers. It need not be trained: its γ and β are drawn, its memory comes from a few forward passes.
#
# **Predict:** how much do the scores of the test images change? How much time is saved?

# %% tags=["experiment"]
net, drawn = make_net(), np.random.default_rng(1)
for layer in net["layers"]:
    layer["gamma"], layer["beta"] = drawn.uniform(0.5, 2, (2, 8)).astype("float32")
for _ in range(5):
    forward(net, train_x[:500], "train")

# %% tags=["experiment"]
names = ["w", "b", "gamma", "beta", "mean", "var"]
pairs = [fold_batch_norm(*(layer[name] for name in names)) for layer in net["layers"]]
layers = [{"w": np.asarray(w), "b": np.asarray(b)} for w, b in pairs]
folded = {"layers": layers, "head": net["head"]}
change = forward(net, test_x, "test")[0] - forward(folded, test_x, "none")[0]
print("largest change of a score:", np.abs(change).max())

# %% tags=["experiment"]
times = {
    "with batch norm": 1000 * seconds(forward, net, test_x, "test"),
    "folded": 1000 * seconds(forward, folded, test_x, "none"),
}
plot_bars(times, "milliseconds", "the scores of 397 digits")

# %% [markdown]
# Only rounding is left of the difference. A part of the time is saved; how large a part says little about batch norm in general, since
# yours is NumPy while `course.layers` convolves by PyTorch. Frameworks fold like this when they prepare a trained network for use.

# %% [markdown]
# ## What there was before
#
# AlexNet (2012) had no batch norm. It normalised by **local response normalisation**: at each pixel, a channel is divided by something that grows with
# the squares of its neighbour channels. A loud channel makes its neighbours quieter, and itself as well.
#
# $$y_c = x_c \Big/ \Big(k + \frac{\alpha}{\text{size}} \sum_{i = c - \lfloor \text{size}/2 \rfloor}^{c + \lfloor \text{size}/2 \rfloor} x_i^2\Big)^{\beta}$$
#
# Nothing in it is learned, and no batch takes part; β is an exponent here. As in PyTorch, α is divided by the size. AlexNet's paper and
# TensorFlow take α as it is, so with size 5 the paper's α = 0.0001, our default, is five times weaker here.

# %% [markdown]
# ## Exercise: `local_response_norm`
#
# *medium · 20 minutes · 3 points*
#
# `size` is odd, and the window lies over the channels, at one pixel. Channels beyond the ends count as zeros, and the division is by `size`
# there too. A loop over channels, or over the window, is fine.
#
# **Predict** the answer for five channels of the values 1, 2, 3, 0, 1 with size 3, α = 3, β = 1, k = 1.

# %% nbgrader={"grade": false, "grade_id": "local_response_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def local_response_norm(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    """Return x / (k + alpha / size * sum of squares) ** beta, the sum over `size` channels.

    x: (N, C, H, W). Returns a new array of the same shape, floats.

    >>> x = np.array([1.0, 2.0, 3.0, 0.0, 1.0]).reshape(1, 5, 1, 1)
    >>> local_response_norm(x, size=3, alpha=3, beta=1, k=1).ravel().round(3)
    array([0.167, 0.133, 0.214, 0.   , 0.5  ])
    """
    ### BEGIN SOLUTION
    squares = np.pad(x**2, [(0, 0), (size // 2, size // 2), (0, 0), (0, 0)])
    total = sum(squares[:, i : i + x.shape[1]] for i in range(size))
    return x / (k + alpha / size * total) ** beta
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_local_response_norm", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(local_response_norm)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

hand = np.array([2.0, 0.0, 1.0, 3.0, 1.0, 2.0]).reshape(1, 6, 1, 1)
check(
    local_response_norm,
    cases=[
        Case("one pixel of six channels", hand, size=3, alpha=3.0, beta=1.0, k=1.0),
        Case("a window of 5", hand, size=5, alpha=5.0, beta=1.0, k=1.0),
        Case("another power", normal(1, 7, 2, 1), size=3, alpha=1.5, beta=0.6, k=1.0),
        Case("another k", normal(1, 7, 2, 1), size=3, alpha=1.5, beta=0.6, k=3.0),
        Case("high images", 2 * normal(2, 8, 4, 3), size=5, alpha=1.0, beta=0.5, k=1.5),
        Case("as many rows and columns as channels", 2 * normal(2, 6, 6, 6), size=3, alpha=1.0, beta=0.75, k=1.0),
        Case("whole numbers", integers(2, 5, 2, 2), size=3, alpha=0.7, beta=0.75, k=1.0),
        Case("fewer channels than the window", 2 * normal(2, 3, 1, 3), size=5, alpha=1.5, beta=0.6, k=1.0),
        Case("AlexNet's settings", 40 * normal(2, 9, 1, 3)),
    ],
    random=20,
)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("local_response_norm")

# %% [markdown]
# Sixteen channels at one pixel, all of them at 50 but channel 8 (counted from 1, as the picture does), which is at 300. (AlexNet's numbers are of that size: its pixels go to 255.)
#
# **Predict** which channels are pressed down the most, and what happens to numbers around 1.

# %% tags=["experiment"]
x = np.full((1, 16, 1, 1), 50.0)
x[0, 7] = 300
quiet, after = np.asarray(local_response_norm(x / 50)), np.ravel(local_response_norm(x))
plot_lines({"before": x.ravel(), "after": after}, "channel", "value")
print("numbers around 1 are all divided by", np.unique((x / 50 / quiet).round(2)))

# %% [markdown]
# Channels 6 to 10 are divided by 2.8, all other ones by about 1.8. The loud channel is one of the five: its own square counts in every window that
# it lies in, so it stays six times as large as the neighbours that it pushes down. What changes is the ground: 50 everywhere before, now 18 close
# to the loud channel and 27 further off.
#
# Numbers around 1 are only made smaller, all alike, since k = 2 outweighs their squares. With these settings the layer does something for large values
# alone. It came out of use; you will need it once more, for AlexNet in unit 09.

# %% [markdown]
# ## Your picture
#
# A network that trains has been lucky twice: with its learning rate, and with the size of its first weights. So try all combinations. Each cell
# is one training run of 40 steps with your layers, forward and backward, and shows the share of the test digits that it then gets right.
#
# **Predict** the shape of the bright region on either side. (This cell takes half a minute or less on a quiet machine.)

# %% tags=["experiment"]
SCALES, SOME_RATES = [0.25, 0.5, 1.0, 2.0], [0.03, 0.1, 0.3, 1.0]


def trained(mode, scale, rate):
    net, _ = train(mode, rate, steps=40, scale=scale)
    return accuracy(net, "test" if mode == "train" else "none")

# %% tags=["experiment"]
modes = {"train": "with your batch norm", "none": "without"}
grids = [[[trained(mode, s, r) for r in SOME_RATES] for s in SCALES] for mode in modes]
axes = {"xlabel": "learning rate", "ylabel": "size of the first weights"}
show_grid(*grids, rows=SCALES, columns=SOME_RATES, titles=list(modes.values()), **axes)

# %% [markdown]
# Without batch norm the bright region is a small corner: large weights, small rates, and a step too far in either loses all. With it nearly the whole
# square is bright. It is darker where large weights meet a small rate, since a step then changes them little; any other dark cell is the chance of one
# short run.

# %% [markdown]
# ## What you have learnt
#
# Batch normalisation puts each channel at mean 0 and variance 1, then lets it learn another scale and shift; in evaluation a running memory takes the place of
# the batch. Its gradient also flows through the mean and the variance. It makes training quicker and, above all, good settings
# common; and afterwards it costs nothing, since it folds into the convolution before it.
#
# **Next:** a network that trains this easily can learn its training images by heart. [05 · Dropout and
# data](../05-dropout-and-data/05-dropout-and-data.ipynb) is about that.
