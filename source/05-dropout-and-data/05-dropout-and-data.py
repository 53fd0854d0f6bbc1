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
# # 05 · Dropout and data
#
# A network can learn a hundred pictures by heart, mistakes in their labels included, and know little about the next picture. In this
# notebook you see that happen, and then stop it in three ways: pull the weights towards zero, silence units at random, and make more
# pictures out of the ones you have. Before that, you put the data itself in order.
#
# It takes about three hours, and needs units 01 to 03. At the end your network points at pictures whose labels are wrong.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import numpy as np

from course.checks import check, hint
from course.data import digits, photograph
from course.explorers import DropoutLab
from course.figures import plot_bars, plot_lines, show_images, show_maps, show_points
from course.layers import linear, linear_backward, relu, relu_backward
from course.layers import softmax_cross_entropy_gradient

# %% [markdown]
# ## A hundred digits, twenty of them labelled wrong
#
# Real data sets contain wrong labels, even the famous ones. Ours gets some on purpose: of a hundred digits, the first twenty receive a
# label that is certainly wrong. The network will not be told which. The test images, 397 others, are all labelled right.
#
# The images have 8 x 8 pixels; each pixel is doubled to 2 x 2, so that later they can be moved by less than one original pixel.

# %% tags=["experiment"]
train_x, train_y, test_x, test_y = digits()
hundred, test_images = train_x[:100].astype(float), test_x.astype(float)
hundred, test_images = (x.repeat(2, axis=2).repeat(2, axis=3) for x in (hundred, test_images))
labels = train_y[:100].copy()
labels[:20] = (labels[:20] + np.random.default_rng(1).integers(1, 10, 20)) % 10
show_images(*hundred[:4], titles=[f"labelled {label}" for label in labels[:4]])

# %% [markdown]
# # First, put the data in order
#
# An image is now a row of numbers, one *feature* for each pixel, and a set of images is an array of shape (N, D).
#
# There is one rule for everything in this part: **what you subtract and divide by is measured on the training images, and used for all
# images.** Test images come one by one in real life; they have no mean of their own.
#
# Here are two pixels of the 8 x 8 images, one in the top row and one in the bottom row. Each point is an image.

# %% tags=["experiment"]
pixels = train_x.reshape(len(train_x), -1).astype(float)
pair = pixels[:, [2, 58]]
show_points(pair, titles="pixel 2 and pixel 58")
print("means:", pair.mean(axis=0).round(2), " correlation:", np.corrcoef(pair.T)[0, 1].round(2))

# %% [markdown]
# ## Exercise: `subtract_mean`
#
# *easy · 5 minutes · 1 point*
#
# Move the cloud to the middle: subtract from each feature of `x` that feature's mean in `train`.
#
# **Predict:** is the mean of the *test* images 0 afterwards?
#
# <details><summary>Answer</summary>Nearly, but not quite: they were moved by another set's mean.</details>

# %% nbgrader={"grade": false, "grade_id": "subtract_mean", "locked": false, "schema_version": 3, "solution": true, "task": false}
def subtract_mean(x, train):
    """Return x less the mean of each feature in train.

    x: (N, D). train: (M, D). Returns (N, D).

    >>> subtract_mean(np.array([[2.0, 20.0]]), np.array([[1.0, 10.0], [5.0, 0.0]]))
    array([[-1., 15.]])
    """
    ### BEGIN SOLUTION
    return x - train.mean(axis=0)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_subtract_mean", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 1}
check(subtract_mean)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal

cases = [
    Case("three samples by hand", np.array([[6.0, 1.0], [0.0, 1.0], [3.0, 4.0]]), np.array([[6.0, 1.0], [0.0, 1.0], [3.0, 4.0]])),
    Case("new samples", np.array([[1.0, 2.0], [4.0, 8.0]]), np.array([[5.0, 1.0], [1.0, 7.0]])),
    Case("as many samples as features", normal(4, 4) + 2, normal(4, 4) * 2 + 3),
    Case("more of everything", normal(6, 3) - 4, normal(7, 3) * 3 + np.arange(3)),
    Case("one new sample", normal(1, 5) + 1, normal(8, 5) - 2),
]
check(subtract_mean, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("subtract_mean")

# %% [markdown]
# ## Exercise: `standardize`
#
# *easy · 15 minutes · 2 points*
#
# Now divide each feature by its standard deviation in `train` too, so that all features are of one size. Use NumPy's `std`, which divides by
# the number of samples.
#
# One trap: the corner pixels of our digits are 0 in every image, so their standard deviation is 0. Such a feature is **only centred**, that
# is, divided by 1. (scikit-learn does the same. The other habit, adding a tiny number to the divisor, makes a value explode when a new
# image differs there.)
#
# **Predict:** which values does `np.array([0.0]) / np.array([0.0])` give?
#
# <details><summary>Answer</summary>nan, with a warning.</details>

# %% nbgrader={"grade": false, "grade_id": "standardize", "locked": false, "schema_version": 3, "solution": true, "task": false}
def standardize(x, train):
    """Return x with each feature's mean in train subtracted, divided by its std in train.

    x: (N, D). train: (M, D). A feature whose std in train is 0 is divided by 1. Returns (N, D).

    >>> standardize(np.array([[7.0, 9.0]]), np.array([[1.0, 4.0], [5.0, 4.0]]))
    array([[2., 5.]])
    """
    ### BEGIN SOLUTION
    std = train.std(axis=0)
    return subtract_mean(x, train) / np.where(std == 0, 1, std)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_standardize", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(standardize)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal

cases = [
    Case("three samples by hand", np.array([[6.0, 1.0], [0.0, 1.0], [3.0, 4.0]]), np.array([[6.0, 1.0], [0.0, 1.0], [3.0, 4.0]])),
    Case("new samples", np.array([[1.0, 2.0], [4.0, 8.0]]), np.array([[5.0, 1.0], [1.0, 7.0]])),
    Case("as many samples as features", normal(3, 3) + 2, normal(3, 3) * 2 + 3),
    Case("more of everything", normal(6, 4) - 4, normal(7, 4) * 3 + np.arange(4)),
    Case("a feature that is always 0", normal(5, 3) * [1, 0, 2], normal(5, 3) * [1, 0, 2] + [1, 0, 1], weight=2),
    Case("one that never changed, and now does", normal(5, 2) + 6, normal(8, 2) * [0, 2] + 4),
    Case("one new sample", normal(1, 3) + 1, normal(8, 3) * 2 - 2),
]
check(standardize, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("standardize")

# %% [markdown]
# ## Turn the cloud
#
# The two pixels say nearly the same thing. The **covariance** of the features says how much any two of them vary together: with `c` the
# centred training set of M rows, it is the (D, D) matrix `c.T @ c / M`, with the variances on its diagonal.
#
# A cloud that lies aslant can be turned until it lies along the axes; then nothing varies together any more. The directions of the cloud are
# the *eigenvectors* of the covariance, and the *eigenvalue* of each is the variance in its direction. `np.linalg.eigh(covariance)` returns
# both: the eigenvalues, smallest first, and a matrix with one eigenvector in each **column**.

# %% [markdown]
# ## Exercise: `decorrelate`
#
# *medium · 20 minutes · 3 points*
#
# Centre `x` by the mean of `train`, and multiply it by the matrix of the eigenvectors of train's covariance, **largest variance first**.
# (This is principal component analysis, PCA.) Each column may come out with either sign, since an eigenvector may point either way.
#
# **Predict:** does turning a cloud change how far its points are from the middle?
#
# <details><summary>Answer</summary>No. All distances stay.</details>

# %% nbgrader={"grade": false, "grade_id": "decorrelate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def decorrelate(x, train):
    """Return x in the axes of train's covariance, the axis of largest variance first.

    x: (N, D). train: (M, D). Returns (N, D); the sign of each column is free.

    >>> slope = np.array([[3.0, 3.0], [-3.0, -3.0], [1.0, -1.0], [-1.0, 1.0]])
    >>> np.abs(decorrelate(slope, slope)).round(2)[[0, 2]]
    array([[4.24, 0.  ],
           [0.  , 1.41]])
    """
    # 1. Centre train. 2. Its covariance. 3. Eigenvectors, largest first. 4. Turn the centred x.
    ### BEGIN SOLUTION
    c = subtract_mean(train, train)
    _, vectors = np.linalg.eigh(c.T @ c / len(c))
    return subtract_mean(x, train) @ vectors[:, ::-1]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_decorrelate", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(decorrelate)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal

mix, middle = np.array([[2.0, 1, 0, 1], [0, 1, 1, 0], [1, 0, -1, 2], [0, 0, 1, 0.5]]), np.array([3.0, -2, 5, 1])

cases = [
    Case("a cloud on a slope", normal(6, 2) @ mix[:2, :2] + 4, normal(6, 2) @ mix[:2, :2] + 4),
    Case("four correlated features", normal(13, 4) @ mix + middle, normal(13, 4) @ mix + middle),
    Case("new samples", normal(6, 4) @ mix + middle, normal(17, 4) @ mix + 2 * middle),
    Case("three features", normal(25, 3) @ mix[:3, :3] + middle[:3], normal(25, 3) @ mix[:3, :3] + middle[:3]),
    Case("one new sample", normal(1, 3) @ mix[:3, :3] + middle[:3], normal(14, 3) @ mix[1:, 1:] + middle[1:]),
]
check(decorrelate, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("decorrelate")

# %% [markdown]
# ## Exercise: `whiten`
#
# *medium · 15 minutes · 3 points*
#
# Last, make the cloud round: divide each decorrelated column by the square root of its variance plus `eps`. The variances are the
# eigenvalues. `eps` is under the root; without it, a direction in which nothing varies would be divided by 0.
#
# This is *PCA whitening*. Turning the white cloud back to the pixels would make it *ZCA whitening*; here it stays in its own axes.
#
# **Predict:** what will be the covariance of the whitened training set?
#
# <details><summary>Answer</summary>1 on the diagonal (a trifle less, by eps), 0 elsewhere.</details>

# %% nbgrader={"grade": false, "grade_id": "whiten", "locked": false, "schema_version": 3, "solution": true, "task": false}
def whiten(x, train, eps=1e-5):
    """Return the decorrelated x with each column over sqrt(its variance in train + eps).

    x: (N, D). train: (M, D). Variances divide by M. Returns (N, D); signs are free.

    >>> slope = np.array([[3.0, 3.0], [-3.0, -3.0], [1.0, -1.0], [-1.0, 1.0]])
    >>> np.abs(whiten(slope, slope)).round(2)[[0, 2]]
    array([[1.41, 0.  ],
           [0.  , 1.41]])
    """
    ### BEGIN SOLUTION
    c = subtract_mean(train, train)
    values = np.linalg.eigvalsh(c.T @ c / len(c))[::-1]
    return decorrelate(x, train) / np.sqrt(np.maximum(values, 0) + eps)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_whiten", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(whiten)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal

mix, middle = np.array([[2.0, 1, 0, 1], [0, 1, 1, 0], [1, 0, -1, 2], [0, 0, 1, 0.5]]), np.array([3.0, -2, 5, 1])

cases = [
    Case("a cloud on a slope", normal(6, 2) @ mix[:2, :2] + 4, normal(6, 2) @ mix[:2, :2] + 4, 0.4),
    Case("four correlated features", normal(13, 4) @ mix + middle, normal(13, 4) @ mix + middle),
    Case("new samples", normal(6, 4) @ mix + middle, normal(17, 4) @ mix + 2 * middle, 0.02),
    Case("a large eps", normal(25, 3) @ mix[:3, :3] + middle[:3], normal(25, 3) @ mix[:3, :3] + middle[:3], eps=3.0),
    Case("a feature that never changes", normal(9, 3) * [2, 0, 1] + 1, normal(9, 3) * [2, 0, 1] + 2, 0.3),
    Case("one new sample", normal(1, 3) @ mix[:3, :3] + middle[:3], normal(14, 3) @ mix[1:, 1:] + middle[1:], 0.2),
]
check(whiten, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("whiten")

# %% tags=["experiment"]
prepared = [pair] + [step(pair, pair) for step in (standardize, decorrelate, whiten)]
show_points(*prepared, titles=["two pixels", "standardized", "decorrelated", "whitened"])

# %% [markdown]
# Now all 64 pixels at once: the covariance of the images as they are, decorrelated and whitened, each a picture of 64 x 64.
#
# **Predict** what the second and third look like. Is there a 1 everywhere on the last diagonal?

# %% tags=["experiment"]
steps = subtract_mean, decorrelate, whiten
covariances = [np.cov(np.transpose(step(pixels, pixels))) for step in steps]
show_maps(*covariances, titles=["pixels", "decorrelated", "whitened"])
print("last diagonal:", np.diag(covariances[2]).round(2)[[0, 1, 2, -3, -2, -1]])

# %% [markdown]
# The first picture shows stripes: a pixel varies together with its neighbours and with those a row further on. Decorrelated, only the diagonal is left, and
# nearly all variance lies in its first few entries. Whitened, they are all 1, except where there was no variance to begin with: the pixels
# that are 0 in every image.
#
# Convolutional networks usually get by with the mean and the standard deviation, and so shall we from here: even `subtract_mean` will do.

# %% [markdown]
# # Second, do not learn by heart
#
# Here is a network with 200 hidden units, from the layers of unit 03. It is all given, but it calls *your* functions, when `p` or `weight_decay`
# is not 0 or when there is a way to `change` the images. Skim it; you will use `train` from here to the end.

# %% tags=["experiment"]
def prepare(images):
    """Return images as centred rows."""
    rows = np.reshape(images, (len(images), -1))
    return np.asarray(subtract_mean(rows, hundred.reshape(100, -1)))


def scores(net, rows):
    """Return the network's ten scores for each row."""
    w1, b1, w2, b2 = net
    return linear(relu(linear(rows, w1, b1)), w2, b2)


def accuracy(net, images, labels):
    """Return the share of images whose highest score is at their label."""
    return np.mean(scores(net, prepare(images)).argmax(axis=1) == labels)

# %% tags=["experiment"]
def gradients(net, x, labels, p, rng):
    """Return the gradients of the loss for w1, b1, w2, b2, with dropout before both layers."""
    w1, b1, w2, b2 = net
    if p:
        x = np.asarray(dropout(x, p, True, rng)[0])
    before = linear(x, w1, b1)
    hidden = relu(before)
    if p:
        hidden, mask = map(np.asarray, dropout(hidden, p, True, rng))
    grad = softmax_cross_entropy_gradient(linear(hidden, w2, b2), labels)
    grad, grad_w2, grad_b2 = linear_backward(grad, hidden, w2)
    if p:
        grad = np.asarray(dropout_backward(grad, mask))
    _, grad_w1, grad_b1 = linear_backward(relu_backward(grad, before), x, w1)
    return grad_w1, grad_b1, grad_w2, grad_b2

# %% tags=["experiment"]
def train(p=0.0, weight_decay=0.0, change=None, steps=240, rate=0.4):
    """Return the trained net and its accuracies, training and test, after every 20 steps."""
    rng = np.random.default_rng(0)
    w1, w2 = rng.normal(0, 0.1, (200, 256)), rng.normal(0, 0.1, (10, 200))
    net = [w1, np.zeros(200), w2, np.zeros(10)]
    history = []
    for step in range(steps):
        images = change(hundred, rng) if change else hundred
        grads = gradients(net, prepare(images), labels, p, rng)
        if weight_decay:
            grads = [weight_decay_gradient(g, w, weight_decay) for g, w in zip(grads, net)]
        net = [w - rate * np.asarray(g) for w, g in zip(net, grads)]
        if step % 20 == 19:
            pairs = (hundred, labels), (test_images, test_y)
            history.append([accuracy(net, *pair) for pair in pairs])
    return net, np.array(history)

# %% [markdown]
# **Predict.** Twenty of the hundred labels are wrong, in no way that could be foreseen. How many of the hundred will the network get "right"
# after 240 steps, and how many of the test images?

# %% tags=["experiment"]
by_heart, history = train()
curves = {"the hundred": history[:, 0], "test images": history[:, 1]}
plot_lines(curves, "step", "accuracy", x=range(20, 241, 20))
end, best = history[-1], history[:, 1].max()
print(f"at the end: training {end[0]:.2f}, test {end[1]:.2f}; the best test was {best:.2f}")

# %% [markdown]
# All hundred, and so the twenty wrong ones too: there is nothing in the picture to tell them, so the network has learnt them **by heart**. This is
# *overfitting*. Watch the test images: they are best near the beginning, when the network has learnt what is common, and get worse while it
# learns the exceptions.

# %% [markdown]
# ## Exercise: `weight_decay_gradient`
#
# *easy · 10 minutes · 2 points*
#
# An exception needs large weights, so make large weights cost something. Add to the loss a penalty, *half* of `weight_decay` times the sum of all
# squared weights. The loss's gradient is already there, as `grad`; add the penalty's.
#
# (The half is a convention, PyTorch's too. Without it, as in some of CS231n's notes, the result differs by a factor of 2.)
#
# **Predict:** where the loss does not care (gradient 0), where does an update `w - rate * gradient` lead w in the long run?
#
# <details><summary>Answer</summary>To 0: each step multiplies w by 1 - rate · weight_decay. Hence *decay*.</details>

# %% nbgrader={"grade": false, "grade_id": "weight_decay_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def weight_decay_gradient(grad, w, weight_decay):
    """Return the gradient for w of: loss + weight_decay / 2 * (sum of all squared w).

    grad: the gradient of the loss alone, shaped like w. weight_decay: a number.

    >>> weight_decay_gradient(np.array([1.0, 1.0]), np.array([3.0, -20.0]), 0.1)
    array([ 1.3, -1. ])
    """
    ### BEGIN SOLUTION
    return grad + weight_decay * w
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_weight_decay_gradient", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(weight_decay_gradient)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal

cases = [
    Case("three weights by hand", np.array([1.0, 0.0, -2.0]), np.array([2.0, -4.0, 10.0]), 0.25),
    Case("a layer's weights", normal(5, 3), normal(3, 5).T.copy(), 0.3),
    Case("filters", normal(3, 2, 3, 1), 2 - normal(3, 2, 3, 1), 0.07),
    Case("no decay", normal(2, 4), normal(4, 2).T.copy(), 0.0, weight=0.25),
    Case("only the decay", np.zeros((3, 3)), normal(3, 3), 0.6),
]
check(weight_decay_gradient, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("weight_decay_gradient")

# %% [markdown]
# ## Dropout
#
# The second way: in training, silence each unit with probability `p`, anew for every image and every step. No unit can then rely on one
# particular other, and it takes many together to keep an exception.
#
# At test time nothing is silenced. But then a layer hears more units than it was trained with, 1 / (1 - p) times as many. So the values that
# stay are enlarged by this factor **in training**, and evaluation needs nothing. This is *inverted* dropout, and it is what PyTorch does.
#
# Mind the letter: here p is the probability of **dropping**. In CS231n's notes it is the probability of keeping.

# %% [markdown]
# ## Exercise: `dropout`
#
# *medium · 20 minutes · 4 points*
#
# Return the output and the mask. The mask holds the factors, 0 for a value that is dropped and 1 / (1 - p) for one that is kept, so that
# `out = x * mask`. With `training=False`, out is x and all factors are 1.
#
# All randomness comes from `rng`, a `np.random.Generator`, so that a run can be repeated. Any way of drawing is right that drops each value of x with
# probability p, each on its own.
#
# **Predict** the mean of `out` when x is a million ones and p is 0.8.
#
# <details><summary>Answer</summary>About 1: a fifth stay, each as 5.</details>

# %% nbgrader={"grade": false, "grade_id": "dropout", "locked": false, "schema_version": 3, "solution": true, "task": false}
def dropout(x, p, training, rng):
    """Return out and mask, both shaped like x; x may have any shape, its first axis the batch.

    p: the probability of dropping, 0 <= p < 1. rng: the generator to draw from.

    >>> out, mask = dropout(np.array([[3.0, -4.0]]), 0.5, False, np.random.default_rng(0))
    >>> out, mask
    (array([[ 3., -4.]]), array([[1., 1.]]))
    """
    # Evaluation first. Then: draw for every value, make the factors, multiply.
    ### BEGIN SOLUTION
    if not training:
        return x.copy(), np.ones(x.shape)
    mask = (rng.random(x.shape) >= p) / (1 - p)
    return x * mask, mask
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_dropout", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 4}
check(dropout)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

rng = np.random.default_rng

cases = [
    Case("training, a third dropped", normal(35, 60), 0.33, True, rng(11), weight=2),
    Case("training, most dropped", normal(40, 40), 0.8, True, rng(12), weight=2),
    Case("evaluation drops nothing", normal(9, 40), 0.6, False, rng(13)),
    Case("one sample", normal(1, 900), 0.15, True, rng(14)),
    Case("feature maps (N, C, H, W)", normal(4, 5, 7, 6), 0.4, True, rng(15)),
    Case("p = 0 drops nothing", normal(2, 6), 0.0, True, rng(16), weight=0.5),
    Case("the same rng, the same mask", through("draws"), normal(10, 30), 0.4, True, rng(17)),
]
check(dropout, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("dropout")

# %% [markdown]
# ## Exercise: `dropout_backward`
#
# *easy · 5 minutes · 1 point*
#
# What was dropped had no part in the loss. Return the gradient for the input of dropout.
#
# **Predict:** why is the mask handed over, and not p and rng?
#
# <details><summary>Answer</summary>The rng has moved on and would silence other units.</details>

# %% nbgrader={"grade": false, "grade_id": "dropout_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def dropout_backward(grad_out, mask):
    """Return the gradient for x, where out, mask = dropout(x, ...).

    grad_out: the gradient for out. mask: the factors 0 or 1 / (1 - p). All have one shape.

    >>> dropout_backward(np.array([[3.0, 5.0]]), np.array([[0.0, 1.25]]))
    array([[0.  , 6.25]])
    """
    ### BEGIN SOLUTION
    return grad_out * mask
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_dropout_backward", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 1}
check(dropout_backward)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal

kept = np.random.default_rng(3).random((7, 8)) > 0.3

cases = [
    Case("four values by hand", np.array([[2.0, 7.0], [-3.0, 1.0]]), np.array([[0.0, 4.0], [4.0, 0.0]])),
    Case("a third dropped", normal(7, 8), kept / 0.7),
    Case("feature maps", normal(2, 4, 3, 2), (normal(2, 4, 3, 2) > 0.2) / 0.35),
    Case("a mask of ones", normal(4, 3), np.ones((4, 3)), weight=0.5),
]
check(dropout_backward, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("dropout_backward")

# %% [markdown]
# Each way alone, with the same hundred images. **Predict** with which of the two fewer wrong labels are learnt.

# %% tags=["experiment"]
decayed, dropped = train(weight_decay=0.03), train(p=0.5)
results = {"neither": history, "weight decay 0.03": decayed[1], "dropout 0.5": dropped[1]}
curves = {name: values[:, 1] for name, values in results.items()}
plot_lines(curves, "step", "accuracy on test images", x=range(20, 241, 20))
print("on the hundred:", {name: float(values[-1, 0]) for name, values in results.items()})

# %% [markdown]
# Weight decay ends well above the network that had neither. Dropout climbs highest and then loses most of it again: here it delays learning by
# heart more than it prevents it. And the accuracies on the hundred say that neither stops it: nearly all wrong labels were still learnt.
#
# ## A crowd of networks
#
# Every mask leaves another, thinner network. Training with dropout is training all of them a little, with weights that they share. At test
# time you could let many of them vote, with fresh masks. Or use the whole network once and hope that it says what the crowd says on average. For one
# layer this is exact, and there are two ways to have it.

# %% [markdown]
# ## Exercise: `dropout_at_test`
#
# *easy · 5 minutes · 1 point*
#
# The *classic* form, of the first paper and older lectures: in training a value is dropped or passed on **unscaled**. At test nothing is drawn, and
# each value is scaled to what arrived in training on average. Write this test-time half.
#
# **Predict:** by which number, for p = 0.2?
#
# <details><summary>Answer</summary>0.8, the share that was passed on.</details>

# %% nbgrader={"grade": false, "grade_id": "dropout_at_test", "locked": false, "schema_version": 3, "solution": true, "task": false}
def dropout_at_test(x, p):
    """Return what classic dropout gives at test: the average of its training outputs.

    x: any shape. p: the probability with which values were dropped in training.

    >>> dropout_at_test(np.array([8.0, -2.0]), 0.75)
    array([ 2. , -0.5])
    """
    ### BEGIN SOLUTION
    return x * (1 - p)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_dropout_at_test", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 1}
check(dropout_at_test)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal

cases = [
    Case("by hand", np.array([[5.0, -15.0, 0.0]]), 0.4),
    Case("a tenth was dropped", normal(4, 3), 0.1),
    Case("most was dropped", normal(2, 2, 3, 3), 0.9),
    Case("p = 0", normal(3, 2), 0.0, weight=0.5),
]
check(dropout_at_test, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("dropout_at_test")

# %% tags=["experiment"]
x, rng = np.array([[1.0, 2.0, -3.0]]), np.random.default_rng(0)
inverted = [dropout(x, 0.2, True, rng)[0] for _ in range(20_000)]
classic = np.array(inverted) * 0.8
print("inverted, average", np.mean(inverted, axis=0).round(2))
print("inverted, whole  ", np.asarray(dropout(x, 0.2, False, rng)[0]))
print("classic,  average", np.mean(classic, axis=0).round(2))
print("classic,  whole  ", np.asarray(dropout_at_test(x, 0.2)))

# %% [markdown]
# In the small net below you can draw masks, or turn single units off by hand.
#
# **Predict:** with linear units, how far is the average over all masks from the scaled net? And with ReLUs?
#
# <details><summary>Answer</summary>Linear: not at all. With ReLUs a gap stays.</details>

# %% tags=["experiment"]
DropoutLab(p=0.5)

# %% [markdown]
# Behind a ReLU and a softmax, the average of the outputs is no longer the output of the average. How near does it come? Let up to 500 masks vote
# with the network you trained with dropout, and measure how far their average probability is from that of the whole network.
#
# **Predict:** will the distance go to 0 with more and more masks?

# %% tags=["experiment"]
def probabilities(net, rows, p=0.0, rng=None):
    """Return the softmax of the scores, through one random mask on each layer if p > 0."""
    w1, b1, w2, b2 = net
    hidden = relu(linear(np.asarray(dropout(rows, p, p > 0, rng)[0]), w1, b1))
    z = linear(np.asarray(dropout(hidden, p, p > 0, rng)[0]), w2, b2)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)

# %% tags=["experiment"]
test_rows, rng, counts = prepare(test_images), np.random.default_rng(0), np.arange(1, 501)
votes = np.array([probabilities(dropped[0], test_rows, 0.5, rng) for _ in counts])
averages = np.cumsum(votes, axis=0) / counts[:, None, None]
whole = probabilities(dropped[0], test_rows)
distance = np.abs(averages - whole).mean(axis=(1, 2))
plot_lines({"crowd against whole": distance}, "masks", "mean distance", log="xy")
right = {"one mask": averages[0], "500 masks": averages[-1], "whole network": whole}
print({name: round(float(np.mean(p.argmax(1) == test_y)), 3) for name, p in right.items()})

# %% [markdown]
# The distance falls and then stays: the whole network is not the crowd's average, but a cheap stand-in. The last line compares their accuracies, and says
# how much worse a single thin network is.

# %% [markdown]
# # Third, make more data
#
# A flower is a flower in a mirror, a little to the left, in evening light, and askew. Each of these is a new image with a label that you get for nothing.
#
# Batches are (N, C, H, W). Every function returns a new batch, and **every image draws for itself**. As with dropout, any way of drawing from `rng`
# is right.

# %% tags=["experiment"]
flower = photograph("flower")[::6, ::6].transpose(2, 0, 1) / 255
flowers = np.stack([flower] * 6)
show_images(flower, titles=f"one flower, {flower.shape[1]} x {flower.shape[2]}")

# %% [markdown]
# ## Exercise: `random_flip`
#
# *easy · 15 minutes · 2 points*
#
# Flip each image left to right with probability 1/2.
#
# **Predict:** `x[:, ::-1]` turns an axis around. Which one?
#
# <details><summary>Answer</summary>Axis 1, the second: of (N, C, H, W), the channels.</details>

# %% nbgrader={"grade": false, "grade_id": "random_flip", "locked": false, "schema_version": 3, "solution": true, "task": false}
def random_flip(x, rng):
    """Return x with each image mirrored (left and right exchanged) with probability 1/2.

    x: (N, C, H, W). rng: the generator to draw from. Returns (N, C, H, W).

    >>> out = random_flip(np.array([[[[1.0, 2.0, 3.0]]]]), np.random.default_rng(0))
    >>> out.tolist() in ([[[[1.0, 2.0, 3.0]]]], [[[[3.0, 2.0, 1.0]]]])
    True
    """
    ### BEGIN SOLUTION
    out, heads = x.copy(), rng.random(len(x)) < 0.5
    out[heads] = x[heads][..., ::-1]
    return out
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_random_flip", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(random_flip)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal, through

rng = np.random.default_rng

cases = [
    Case("eight images of three channels", normal(8, 3, 5, 4), rng(21)),
    Case("as high as wide as deep", normal(9, 4, 4, 4), rng(22)),
    Case("eighteen hundred images", normal(1800, 3, 2, 2), rng(23), weight=2),
    Case("grey images", normal(70, 1, 3, 4), rng(24)),
    Case("whole-number pixels", integers(50, 3, 4, 2), rng(25)),
    Case("the same rng, the same coins", through("draws"), normal(45, 3, 3, 2), rng(26)),
]
check(random_flip, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("random_flip")

# %% tags=["experiment"]
show_images(*random_flip(flowers, np.random.default_rng(0)))

# %% [markdown]
# ## Exercise: `random_crop`
#
# *medium · 20 minutes · 3 points*
#
# Move each image a little: put a border of `padding` zeros around it, then cut a part of the old size out of it, at a random place. Every place is
# equally likely, and all channels of an image are cut at the same one.
#
# **Predict:** with padding 1, at how many places can the part be cut? (Draw it. `rng.integers(0, n)` never gives n.)
#
# <details><summary>Answer</summary>At 3 rows and 3 columns, so at 9 places.</details>

# %% nbgrader={"grade": false, "grade_id": "random_crop", "locked": false, "schema_version": 3, "solution": true, "task": false}
def random_crop(x, padding, rng):
    """Return a random part of each image with a border of zeros, as large as the image was.

    x: (N, C, H, W). padding: rows and columns of zeros on every side. Returns (N, C, H, W).

    >>> out = random_crop(np.array([[[[5.0]]]]), 1, np.random.default_rng(0))
    >>> out.shape, float(out[0, 0, 0, 0]) in (0.0, 5.0)
    ((1, 1, 1, 1), True)
    """
    # 1. Pad. 2. Draw a row and a column for each image. 3. Cut.
    ### BEGIN SOLUTION
    (n, _, height, width), border = x.shape, (padding, padding)
    padded = np.pad(x, [(0, 0), (0, 0), border, border])
    places = rng.integers(0, 2 * padding + 1, (n, 2))
    parts = [image[:, i : i + height, j : j + width] for image, (i, j) in zip(padded, places)]
    return np.stack(parts)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_random_crop", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(random_crop)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

rng = np.random.default_rng

cases = [
    Case("five images, padding 1", normal(5, 1, 5, 3), 1, rng(31), weight=0.5),
    Case("colour images, padding 2", normal(125, 3, 4, 6), 2, rng(32)),
    Case("seven hundred images, padding 1", normal(700, 2, 3, 2), 1, rng(33), weight=2),
    Case("two hundred images, padding 3", normal(200, 1, 4, 6), 3, rng(34)),
    Case("padding 0 changes nothing", normal(2, 3, 4, 2), 0, rng(35), weight=0.5),
    Case("the same rng, the same crops", through("draws"), normal(30, 2, 3, 5), 2, rng(36)),
]
check(random_crop, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("random_crop")

# %% tags=["experiment"]
show_images(*random_crop(flowers, 15, np.random.default_rng(0)))

# %% [markdown]
# ## Exercise: `color_jitter`
#
# *medium · 15 minutes · 3 points*
#
# Change the light: multiply each channel of each image by a factor of its own, drawn evenly between `1 - strength` and `1 + strength`. Then clip
# to the range from 0 to 1, since no pixel is whiter than white.
#
# **Predict:** what would the flower look like if every *pixel* had a factor of its own?
#
# <details><summary>Answer</summary>Noisy, in no light that exists.</details>

# %% nbgrader={"grade": false, "grade_id": "color_jitter", "locked": false, "schema_version": 3, "solution": true, "task": false}
def color_jitter(x, strength, rng):
    """Return x with every channel of every image times a random factor, clipped to 0 to 1.

    x: (N, C, H, W) from 0 to 1. strength: 0 to 1; factors lie in 1 - strength to 1 + strength.

    >>> color_jitter(np.array([[[[0.0, 1.0]]]]), 0.0, np.random.default_rng(0))
    array([[[[0., 1.]]]])
    """
    ### BEGIN SOLUTION
    factors = rng.uniform(1 - strength, 1 + strength, (*x.shape[:2], 1, 1))
    return np.clip(x * factors, 0, 1)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_color_jitter", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(color_jitter)
### BEGIN HIDDEN TESTS
from course.checks import Case, through

rng = np.random.default_rng


def pixels(n, c, h, w, top):
    x = rng(n * h + w).uniform(0.03, top, (n, c, h, w))
    x[..., 0, 0] = 0.03 + 0.1 * rng(n).random((n, c))
    return x



cases = [
    Case("seven dark images", pixels(7, 3, 5, 4, 0.45), 0.45, rng(41)),
    Case("as high as wide as deep", pixels(8, 3, 3, 3, 0.4), 0.6, rng(42)),
    Case("four hundred and fifty images", pixels(450, 3, 3, 2, 0.5), 0.8, rng(43), weight=2),
    Case("bright images, which reach white", pixels(25, 3, 4, 6, 0.97), 0.7, rng(44)),
    Case("grey images", pixels(14, 1, 4, 4, 0.6), 0.3, rng(45)),
    Case("strength 0 changes nothing", pixels(4, 3, 2, 3, 0.9), 0.0, rng(46), weight=0.5),
    Case("the same rng, the same colours", through("draws"), pixels(9, 3, 3, 4, 0.5), 0.5, rng(47)),
]
check(color_jitter, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("color_jitter")

# %% tags=["experiment"]
show_images(*color_jitter(flowers, 0.5, np.random.default_rng(0)))

# %% [markdown]
# ## Where does a pixel come from?
#
# To turn, stretch or shear an image, say where each pixel goes: from p = (row, column) to `A @ p + t`, with a 2 x 2 matrix A and a shift t. The two
# are written side by side as one matrix of shape (2, 3), `[A | t]`.
#
# Sending each pixel to its goal leaves holes where no pixel lands. So go the other way: for every place of the **output**, find where it
# came from, which undoes the movement, and take the pixel nearest to that. What comes from outside is 0.
#
# (OpenCV and PIL write (x, y), columns first. Here rows come first, as in the arrays.)

# %% [markdown]
# ## Exercise: `affine_warp`
#
# *hard · 40 minutes · 5 points*
#
# Move a whole batch by one matrix. The nearest pixel is found by **rounding** the row and the column that you compute; a rounded place that is not
# in the image gives 0. (`np.linalg.inv(A)` is the inverse of A.)
#
# **Predict** with A the identity and t = (1, 0): which row of the input is row 1 of the output?
#
# <details><summary>Answer</summary>Row 0: everything moves down by one.</details>

# %% nbgrader={"grade": false, "grade_id": "affine_warp", "locked": false, "schema_version": 3, "solution": true, "task": false}
def affine_warp(x, matrix):
    """Return x with the pixel at p = (row, column) moved to A @ p + t, where matrix = [A | t].

    x: (N, C, H, W). matrix: (2, 3). Output pixels are the nearest source pixels, or 0 outside.

    >>> x = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> affine_warp(x, np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]))[0, 0]
    array([[0., 0.],
           [1., 2.]])
    """
    # 1. Row and column of each output pixel. 2. Undo t, then A; round.
    # 3. Which sources lie inside? 4. Copy those into zeros.
    ### BEGIN SOLUTION
    height, width = x.shape[2:]
    rows, columns = np.indices((height, width)).reshape(2, -1)
    source = np.linalg.inv(matrix[:, :2]) @ (np.stack([rows, columns]) - matrix[:, 2:])
    i, j = np.rint(source).astype(int)
    inside = (i >= 0) & (i < height) & (j >= 0) & (j < width)
    out = np.zeros(x.shape)
    out[:, :, rows[inside], columns[inside]] = x[:, :, i[inside], j[inside]]
    return out
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_affine_warp", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 5}
check(affine_warp)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal


def about_the_middle(degrees, scale, height, width):
    a, middle = np.deg2rad(degrees), (np.array([height, width]) - 1) / 2
    turn = scale * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return np.column_stack([turn, middle - turn @ middle])



cases = [
    Case("a row up and a column right", normal(1, 1, 3, 4), np.array([[1.0, 0, -1], [0, 1, 1]])),
    Case("two rows down", normal(1, 1, 4, 3), np.array([[1.0, 0, 2], [0, 1, 0]])),
    Case("nothing moves", normal(1, 1, 4, 2), np.array([[1.0, 0, 0], [0, 1, 0]]), weight=0.5),
    Case("three times as wide", normal(1, 1, 4, 8), np.array([[1.0, 0, 0], [0, 3, 0]])),
    Case("turned by -25 degrees", normal(1, 1, 8, 6), about_the_middle(-25, 1, 8, 6)),
    Case("sheared and shifted", normal(1, 1, 7, 7), np.array([[1.0, 0, 0.7], [-0.3, 1, 0.9]])),
    Case("smaller, a wide image", normal(1, 1, 5, 10), about_the_middle(0, 0.63, 5, 10)),
    Case("three images of two channels", normal(3, 2, 5, 7), about_the_middle(80, 1.4, 5, 7)),
    Case("whole-number pixels", integers(2, 2, 6, 5), about_the_middle(-40, 0.85, 6, 5)),
]
check(affine_warp, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("affine_warp")

# %% [markdown]
# A turn about the middle of an image is a matrix, too: take the middle away, turn, and put it back.

# %% tags=["experiment"]
def turning(degrees, scale, size):
    """Return the matrix that turns (anticlockwise) and scales about the middle of an image."""
    a, middle = np.deg2rad(degrees), (np.array(size) - 1) / 2
    turn = scale * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return np.column_stack([turn, middle - turn @ middle])


size = flower.shape[1:]
moves = (20, 1), (-20, 1), (0, 1.5), (45, 0.7)
turned = [affine_warp(flowers[:1], turning(a, s, size))[0] for a, s in moves]
show_images(*turned, titles=["20 degrees", "-20 degrees", "1.5 times as large", "both"])

# %% [markdown]
# ## Which changes keep the label?
#
# Now for the hundred digits, with weight decay 0.03 as before. In each step the network sees them changed in another way, always with the
# old labels.
#
# **Predict:** which of the three helps, and which harms? (What is a 2 in a mirror?)

# %% tags=["experiment"]
def small_turn(x, rng):
    """Turn and scale the batch a little; another way each time."""
    return affine_warp(x, turning(rng.uniform(-15, 15), rng.uniform(0.9, 1.1), x.shape[2:]))


ways = {"none": None, "flip": random_flip, "turn": small_turn}
ways["crop"] = lambda x, rng: random_crop(x, 1, rng)
ends = {name: train(weight_decay=0.03, change=way)[1][-1, 1] for name, way in ways.items()}
plot_bars(ends, "accuracy on test images", "trained on changed digits")

# %% [markdown]
# Crops help most, turns a little; the mirror harms, since a mirrored 2 is no digit. Whether a change is harmless is not a question of mathematics but of what the labels mean.
#
# ## Your picture
#
# Everything together: your dropout, your weight decay, your crops and turns, and a longer training. On the twenty images whose labels are wrong, will the network
# say what it was told, or what it sees?
#
# **Predict** its accuracy on the hundred. (What would be ideal?)
#
# <details><summary>Answer</summary>Ideal is 0.80: eighty right labels, and none of the wrong ones learnt.</details>

# %% tags=["experiment"]
def change(x, rng):
    return small_turn(np.asarray(random_crop(x, 1, rng)), rng)


all_in, together = train(p=0.5, weight_decay=0.01, change=change, steps=400)
curves = {"by heart: the hundred": history[:, 0], "by heart: test": history[:, 1]}
curves |= {"all together: the hundred": together[:, 0], "all together: test": together[:, 1]}
plot_lines(curves, "steps / 20", "accuracy", "a hundred images, twenty labelled wrong")

# %% tags=["experiment"]
suspects = hundred[:20]
seen, learnt = (scores(net, prepare(suspects)).argmax(axis=1) for net in (all_in, by_heart))
titles = [f"labelled {a}, seen as {b}" for a, b in zip(labels[:8], seen)]
show_images(*suspects[:8], titles=titles)
for name, answer in {"by heart": learnt, "all together": seen}.items():
    print(f"{name}: {np.sum(answer == train_y[:20])} of the 20 wrong labels seen through")

# %% [markdown]
# ## What you have learnt
#
# A network that is free enough learns its training set by heart, mistakes included, and the gap between training and test accuracy shows it.
# Weight decay makes exceptions expensive, dropout trains a crowd in place of one, and images that are changed in ways that keep the label say what
# does not matter. What you subtract, divide by and rotate with comes from the training set alone.
#
# **Next:** all these networks took plain steps down the gradient. In [06 · Momentum and
# training](../06-momentum-and-training/06-momentum-and-training.ipynb) you learn to take better ones.
