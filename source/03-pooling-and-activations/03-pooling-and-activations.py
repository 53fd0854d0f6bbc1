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
# # 03 · Pooling and activations
#
# A convolution says where something is, to the pixel, and its answer is a sum. What stands between two convolutions makes the answer
# coarser, and bends it. What stands after the last one makes a decision, and says how bad it was.
#
# Here you write all of that, forward and backward. Most functions are a few lines long. It takes three to four hours, and needs unit 02. At the end
# your own code learns to tell three spirals apart, and you see every place where it bends.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import numpy as np

from course.checks import check, hint
from course.data import digits, grey_photograph, spirals
from course.explorers import PoolLab
from course.figures import plot_bars, plot_lines, show_maps, show_numbers, show_plane
from course.layers import conv2d

# %% [markdown]
# ## Too much detail
#
# Here is a photograph through an edge filter, only the positive answers. (`conv2d` is the course's own this time; it does what yours does.)
#
# The map has nearly as many numbers as the photograph has pixels. For "is there a roof?" nobody needs to know the column of each edge. So
# cut the map into small windows and keep **one** number of each: that is *pooling*. *Max pooling* keeps the largest.
#
# **Predict:** with windows of 2 x 2 side by side, what share of the numbers is left?

# %% tags=["experiment"]
photo = grey_photograph("china")
edge = np.array([[[[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]]])
edges = np.maximum(conv2d(photo, edge, np.zeros(1)), 0)
show_maps(photo, edges, titles=["photograph", "edges"])
left = np.prod([size // 2 for size in edges.shape[2:]])
print(f"of {edges.size:,} numbers, windows of 2 x 2 leave {left:,}: about a quarter")

# %% [markdown]
# Try it out first. Find
#
# 1. a window whose maximum stays when you move the input by one pixel, and one where it changes,
# 2. a window size and a stride with which a pixel lies in two windows,
# 3. and two with which a row of the input is never read.

# %% tags=["experiment"]
PoolLab()

# %% [markdown]
# ## Exercise: `max_pool2d`
#
# *medium · 20 minutes · 3 points*
#
# The windows are square and as in a convolution, but there are no weights, and **each channel is pooled for itself**. If no stride is
# given (None), it is kernel_size: the windows lie side by side. There is no padding, and rows left over at the end are not read.
#
# You will train with it, so let NumPy do all images and channels at once. A loop over the places (i, j) is fine.
#
# **Predict** the shape for x (2, 3, 7, 8), windows 3 wide, and stride 2. And without a stride?
#
# <details><summary>Answer</summary>(2, 3, 3, 3), and (2, 3, 2, 2).</details>

# %% nbgrader={"grade": false, "grade_id": "max_pool2d", "locked": false, "schema_version": 3, "solution": true, "task": false}
def max_pool2d(x, kernel_size, stride=None):
    """Return the largest value of each window.

    x: (N, C, H, W). kernel_size: the window's side. stride: None means kernel_size.
    Returns (N, C, H_out, W_out). Graded, too: no Python loop over images and channels.

    >>> max_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    # 1. Settle the stride, and the output's height and width. 2. Make the output.
    # 3. For each place (i, j): cut the window out of all images and channels, take its maximum.
    ### BEGIN SOLUTION
    stride = stride or kernel_size
    height, width = ((size - kernel_size) // stride + 1 for size in x.shape[2:])
    out = np.zeros((*x.shape[:2], height, width))
    for i, j in np.ndindex(height, width):
        rows, columns = (slice(k * stride, k * stride + kernel_size) for k in (i, j))
        out[:, :, i, j] = x[:, :, rows, columns].max(axis=(2, 3))
    return out
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_max_pool2d", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(max_pool2d)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal

cases = [
    Case("one window", np.array([[[[-2.0, 0.5], [-5.0, -3.0]]]]), 2),
    Case("nine windows", np.arange(36.0, 0, -1).reshape(1, 1, 6, 6), 2),
    Case("a high image", normal(1, 1, 9, 3), 3),
    Case("nothing but negative values", -2 - np.abs(normal(1, 1, 4, 8)), 2),
    Case("two channels", normal(1, 2, 6, 4), 2),
    Case("three images", normal(3, 2, 4, 6), 2),
    Case("overlapping windows, 3 wide, stride 2", normal(1, 1, 9, 7), 3, stride=2),
    Case("overlapping windows on 9 x 6 pixels", normal(1, 2, 9, 6), 3, stride=2),
    Case("windows with gaps between them", normal(1, 1, 9, 6), 2, stride=3),
    Case("sizes that do not divide", normal(1, 2, 8, 11), 3),
    Case("a window as large as the image", normal(2, 1, 4, 4), 4),
    Case("far below zero", -2e6 * (1 + np.abs(normal(2, 1, 6, 4))), 2),
    Case("images and channels all at once", normal(700, 2, 6, 6), 2, max_steps=600),
]
check(max_pool2d, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("max_pool2d")

# %% tags=["experiment"]
titles = ["2 x 2", "4 x 4", "8 x 8"]
show_maps(*[max_pool2d(edges, size) for size in (2, 4, 8)], titles=titles)

# %% [markdown]
# One number of 64 is left on the right, and you still recognise the pavilion.
#
# Windows may also **overlap**. AlexNet pools 3 x 3 windows with stride 2, so neighbours share a row or column; its authors found it a
# little better than 2 x 2. **Predict** what becomes of AlexNet's maps of 55 x 55, then of the next two sizes.

# %% tags=["experiment"]
maps = np.zeros((1, 1, 55, 55))
for size in (55, 27, 13):
    print(size, "->", max_pool2d(maps[..., :size, :size], 3, stride=2).shape[2])

# %% [markdown]
# ## The way back
#
# Unit 02 asked of each input: if it rises a little, how does the loss change? For a window's maximum the answer is short. Its largest pixel
# passes the change on one to one. The others change nothing.
#
# Two things need care. A pixel may be the largest of **two** overlapping windows: then both gradients arrive, and are added. And two pixels
# may be **equally large**. Then there is no true slope, only a convention. Ours is torch's: the *first* maximum in reading order gets it all.
# (Some code gives it to all of them, or shares it out.)
#
# Here every output sends back a 1. **Find** an input whose gradient is larger, and say why.

# %% tags=["experiment"]
PoolLab(kernel_size=3, stride=2)

# %% [markdown]
# ## Exercise: `max_pool2d_backward`
#
# *hard · 30 minutes · 4 points*
#
# Hand each gradient back to the pixel that won. `*_backward` functions take `grad_out` first, shaped like the output, then those of the
# layer's own arguments that its gradients need: `linear_backward`, later on, does without the bias.
#
# **Predict** grad_x for a window [[3, 3], [1, 2]] and grad_out 6.
#
# <details><summary>Answer</summary>[[6, 0], [0, 0]]</details>

# %% nbgrader={"grade": false, "grade_id": "max_pool2d_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def max_pool2d_backward(grad_out, x, kernel_size, stride=None):
    """Return grad_x, in the shape of x, floats; a tie goes to the first maximum.

    grad_out: (N, C, H_out, W_out). x: (N, C, H, W). The rest as in max_pool2d.
    Graded, too: no Python loop over images and channels.

    >>> x = np.array([[[[3.0, 3.0], [1.0, 2.0]]]])
    >>> max_pool2d_backward(np.array([[[[6.0]]]]), x, 2)[0, 0]
    array([[6., 0.],
           [0., 0.]])
    """
    # For each place (i, j): 1. Flatten the windows, (N, C, K * K). 2. argmax, then a mask.
    # 3. The mask times grad_out's values, as (N, C, K, K), is added to grad_x's window.
    ### BEGIN SOLUTION
    stride, k = stride or kernel_size, kernel_size
    grad_x = np.zeros(x.shape)
    for i, j in np.ndindex(grad_out.shape[2:]):
        rows, columns = (slice(n * stride, n * stride + k) for n in (i, j))
        winner = x[:, :, rows, columns].reshape(*x.shape[:2], k * k).argmax(axis=2)
        mask = np.arange(k * k) == winner[:, :, None]
        share = mask * grad_out[:, :, i, j, None]
        grad_x[:, :, rows, columns] += share.reshape(*x.shape[:2], k, k)
    return grad_x
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_max_pool2d_backward", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 4}
check(max_pool2d_backward)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

cases = [
    Case("one window", np.array([[[[-3.0]]]]), np.array([[[[2.0, 7.0], [5.0, 3.0]]]]), 2),
    Case("ties", np.array([[[[4.0, 5.0]]]]), np.array([[[[1.0, 2.0, 0.0, 6.0], [2.0, 2.0, 6.0, 6.0]]]]), 2),
    Case("a high image", normal(1, 1, 4, 2), normal(1, 1, 8, 4), 2),
    Case("two channels", normal(1, 2, 2, 3), normal(1, 2, 4, 6), 2),
    Case("three images", normal(3, 2, 1, 2), normal(3, 2, 3, 6), 3),
    Case("overlapping windows, 3 wide, stride 2", normal(1, 1, 4, 3), normal(1, 1, 9, 7), 3, stride=2),
    Case("overlapping windows, stride 1", normal(2, 1, 4, 3), normal(2, 1, 5, 4), 2, stride=1),
    Case("windows with gaps between them", normal(1, 1, 2, 3), normal(1, 1, 5, 8), 2, stride=3),
    Case("sizes that do not divide", normal(1, 2, 3, 2), normal(1, 2, 7, 5), 2),
    Case("whole-number pixels", normal(1, 1, 3, 2), integers(1, 1, 6, 4), 2),
    Case("ties in overlapping windows", normal(2, 2, 3, 2), np.round(normal(2, 2, 7, 5)), 3, stride=2),
    Case("images and channels all at once", normal(700, 2, 3, 3), normal(700, 2, 6, 6), 2, max_steps=600),
]
check(max_pool2d_backward, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("max_pool2d_backward")

# %% [markdown]
# Now with your function, on a piece of the edge map: a gradient of 1 from every output. With windows side by side a pixel gets 1 or nothing.
# **Predict:** how large can its gradient become when 3-wide windows move by 2?

# %% tags=["experiment"]
patch = edges[:, :, 60:84, 120:144]
apart, overlap = max_pool2d(patch, 3), max_pool2d(patch, 3, stride=2)
grads = [
    max_pool2d_backward(np.ones_like(apart), patch, 3),
    max_pool2d_backward(np.ones_like(overlap), patch, 3, stride=2),
]
show_maps(patch, *grads, titles=["a piece of the map", "3 wide, stride 3", "3 wide, stride 2"])
print("largest gradients:", [int(grad.max()) for grad in grads])

# %% [markdown]
# A pixel shared by four windows can win all four. Most pixels get nothing: max pooling teaches only the winners.

# %% [markdown]
# ## Averages
#
# *Average pooling* keeps the mean of each window. All its pixels matter, and all of them alike.
#
# ## Exercise: `avg_pool2d` and `avg_pool2d_backward`
#
# *easy · 15 minutes · 2 points each*
#
# Same windows, another operation. On the way back each pixel of a window gets the same share; where windows overlap, shares are added.
# (`x` is needed for its shape only.)
#
# **Predict** both for the window [[2, 1], [5, 3]]: the output, and grad_x for grad_out 8.
#
# <details><summary>Answer</summary>2.75, and [[2, 2], [2, 2]]</details>

# %% nbgrader={"grade": false, "grade_id": "avg_pool2d", "locked": false, "schema_version": 3, "solution": true, "task": false}
def avg_pool2d(x, kernel_size, stride=None):
    """Return the mean of each window, floats. Shapes as in max_pool2d.

    >>> avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    ### BEGIN SOLUTION
    stride = stride or kernel_size
    height, width = ((size - kernel_size) // stride + 1 for size in x.shape[2:])
    out = np.zeros((*x.shape[:2], height, width))
    for i, j in np.ndindex(height, width):
        rows, columns = (slice(k * stride, k * stride + kernel_size) for k in (i, j))
        out[:, :, i, j] = x[:, :, rows, columns].mean(axis=(2, 3))
    return out
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_avg_pool2d", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(avg_pool2d)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

cases = [
    Case("one window", np.array([[[[-2.0, 0.5], [-5.0, -3.0]]]]), 2),
    Case("nine windows", np.arange(36.0, 0, -1).reshape(1, 1, 6, 6), 2),
    Case("a high image", normal(1, 1, 9, 3), 3),
    Case("nothing but negative values", -2 - np.abs(normal(1, 1, 4, 8)), 2),
    Case("two channels", normal(1, 2, 6, 4), 2),
    Case("three images", normal(3, 2, 4, 6), 2),
    Case("overlapping windows, 3 wide, stride 2", normal(1, 1, 9, 7), 3, stride=2),
    Case("overlapping windows on 9 x 6 pixels", normal(1, 2, 9, 6), 3, stride=2),
    Case("windows with gaps between them", normal(1, 1, 9, 6), 2, stride=3),
    Case("sizes that do not divide", normal(1, 2, 8, 11), 3),
    Case("a window as large as the image", normal(2, 1, 4, 4), 4),
    Case("whole-number pixels", integers(1, 2, 6, 4), 2),
]
check(avg_pool2d, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("avg_pool2d")

# %% nbgrader={"grade": false, "grade_id": "avg_pool2d_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def avg_pool2d_backward(grad_out, x, kernel_size, stride=None):
    """Return grad_x, in the shape of x, floats. The arguments are max_pool2d_backward's.

    >>> avg_pool2d_backward(np.array([[[[8.0]]]]), np.ones((1, 1, 2, 2)), 2)[0, 0]
    array([[2., 2.],
           [2., 2.]])
    """
    ### BEGIN SOLUTION
    stride = stride or kernel_size
    grad_x = np.zeros(x.shape)
    for i, j in np.ndindex(grad_out.shape[2:]):
        rows, columns = (slice(k * stride, k * stride + kernel_size) for k in (i, j))
        grad_x[:, :, rows, columns] += grad_out[:, :, i, j, None, None] / kernel_size**2
    return grad_x
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_avg_pool2d_backward", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(avg_pool2d_backward)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

cases = [
    Case("one window", np.array([[[[-3.0]]]]), np.array([[[[2.0, 7.0], [5.0, 3.0]]]]), 2),
    Case("overlap, by hand", np.array([[[[12.0, -4.0]]]]), np.array([[[[1.0, 2.0, 0.0], [2.0, 2.0, 6.0]]]]), 2, stride=1),
    Case("a high image", normal(1, 1, 4, 2), normal(1, 1, 8, 4), 2),
    Case("two channels", normal(1, 2, 2, 3), normal(1, 2, 4, 6), 2),
    Case("three images", normal(3, 2, 1, 2), normal(3, 2, 3, 6), 3),
    Case("overlapping windows, 3 wide, stride 2", normal(1, 1, 4, 3), normal(1, 1, 9, 7), 3, stride=2),
    Case("overlapping windows, stride 1", normal(2, 1, 4, 3), normal(2, 1, 5, 4), 2, stride=1),
    Case("windows with gaps between them", normal(1, 1, 2, 3), normal(1, 1, 5, 8), 2, stride=3),
    Case("sizes that do not divide", normal(1, 2, 3, 2), normal(1, 2, 7, 5), 2),
    Case("whole-number pixels", normal(1, 1, 3, 2), integers(1, 1, 6, 4), 2),
]
check(avg_pool2d_backward, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("avg_pool2d_backward")

# %% [markdown]
# ## Two relatives
#
# *L2 pooling* takes the length of the window as a vector: the square root of the sum of its squares. (Some take the mean of the squares.)
#
# *LeNet* (1998) averaged 2 x 2 windows, then let each channel learn how much of that to pass on: times its own `beta`, plus its own `bias`.
# The paper adds the four pixels instead; a beta four times smaller makes up for it. The squashing that LeNet does next is left out here.
#
# ## Exercise: `l2_pool2d` and `subsample`
#
# *easy · 15 minutes · 1 and 2 points*
#
# Use what you have; each is one or two lines.
#
# **Predict** the L2 pooling of [[-3, 0], [4, 0]].

# %% nbgrader={"grade": false, "grade_id": "l2_pool2d", "locked": false, "schema_version": 3, "solution": true, "task": false}
def l2_pool2d(x, kernel_size, stride=None):
    """Return the square root of each window's sum of squares. Shapes as in max_pool2d.

    >>> float(l2_pool2d(np.array([[[[-3.0, 0.0], [4.0, 0.0]]]]), 2)[0, 0, 0, 0])
    5.0
    """
    ### BEGIN SOLUTION
    return np.sqrt(avg_pool2d(np.square(x), kernel_size, stride)) * kernel_size
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_l2_pool2d", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 1}
check(l2_pool2d)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

cases = [
    Case("one window", np.array([[[[-2.0, 0.5], [-5.0, -3.0]]]]), 2),
    Case("nine windows", np.arange(36.0, 0, -1).reshape(1, 1, 6, 6), 2),
    Case("a high image", normal(1, 1, 9, 3), 3),
    Case("nothing but negative values", -2 - np.abs(normal(1, 1, 4, 8)), 2),
    Case("two channels", normal(1, 2, 6, 4), 2),
    Case("three images", normal(3, 2, 4, 6), 2),
    Case("overlapping windows, 3 wide, stride 2", normal(1, 1, 9, 7), 3, stride=2),
    Case("overlapping windows on 9 x 6 pixels", normal(1, 2, 9, 6), 3, stride=2),
    Case("windows with gaps between them", normal(1, 1, 9, 6), 2, stride=3),
    Case("sizes that do not divide", normal(1, 2, 8, 11), 3),
    Case("a window as large as the image", normal(2, 1, 4, 4), 4),
    Case("whole-number pixels", integers(1, 2, 6, 4), 2),
]
check(l2_pool2d, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("l2_pool2d")

# %% nbgrader={"grade": false, "grade_id": "subsample", "locked": false, "schema_version": 3, "solution": true, "task": false}
def subsample(x, beta, bias):
    """Return beta * average + bias over 2 x 2 windows side by side.

    x: (N, C, H, W). beta, bias: (C,), one number a channel. Returns (N, C, H // 2, W // 2).

    >>> x = np.array([[[[2.0, 1.0], [5.0, 4.0]]]])
    >>> float(subsample(x, np.array([10.0]), np.array([0.5]))[0, 0, 0, 0])
    30.5
    """
    ### BEGIN SOLUTION
    return beta[:, None, None] * avg_pool2d(x, 2) + bias[:, None, None]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_subsample", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(subsample)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

cases = [
    Case("one window", np.array([[[[2.0, -1.0], [5.0, 0.0]]]]), np.array([4.0]), np.array([-1.5])),
    Case("one channel", normal(1, 1, 6, 4), np.array([-3.0]), np.array([0.5])),
    Case("four channels", normal(1, 4, 4, 6), np.array([1.5, -2.0, 0.5, 3.0]), np.array([1.0, -0.5, 2.0, 0.25])),
    Case("three images", normal(3, 2, 6, 2), np.array([2.0, -0.5]), np.array([-1.0, 1.5])),
    Case("as many channels as columns", normal(2, 4, 6, 8), normal(4) - 1, normal(4) + 2),
    Case("odd sizes", normal(1, 2, 7, 3), normal(2) + 2, normal(2) + 1),
    Case("whole-number pixels", integers(1, 3, 2, 4), 3 * normal(3), normal(3)),
]
check(subsample, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("subsample")

# %% [markdown]
# ## Move by a pixel
#
# "Max pooling makes a network indifferent to small shifts", one reads. Test it: move the image, pool both, and compare. How much do they
# differ, measured against how much the map varies anyway?
#
# **Predict** two winners: max or average, on the sharp edge map, and on the smooth photograph.

# %% tags=["experiment"]
def change(image, pool, shift):
    here = np.asarray(pool(image[..., shift:]))
    there = np.asarray(pool(image[..., : image.shape[3] - shift]))
    return np.abs(here - there).mean() / np.abs(here - here.mean()).mean()

# %% tags=["experiment"]
pools = {
    "no pooling": lambda image: image,
    "average 4 x 4": lambda image: avg_pool2d(image, 4),
    "max 4 x 4": lambda image: max_pool2d(image, 4),
}
for name, image in {"edge map": edges, "photograph": photo}.items():
    lines = {key: [change(image, pool, s) for s in range(1, 7)] for key, pool in pools.items()}
    plot_lines(lines, "moved by so many pixels", "relative change", name)

# %% [markdown]
# So it depends. On the edge map, where few values are large, the maximum changes least: the edge is still somewhere in its window. On the
# photograph the average wins. And neither is indifferent: a move by one pixel changes little, a move by a whole window a lot.

# %% [markdown]
# ## Why bend?
#
# In a *linear layer* each output is a sum of all inputs, each times a weight of its own. It only multiplies and adds, as a convolution does.
# **Predict:** a net of two linear layers against one layer with the product of their weights. How far apart are the outputs?

# %% tags=["experiment"]
rng = np.random.default_rng(0)
rows, w1, w2 = rng.normal(size=(5, 8)), rng.normal(size=(16, 8)), rng.normal(size=(3, 16))
print("largest difference:", np.abs((rows @ w1.T) @ w2.T - rows @ (w2 @ w1).T).max())

# %% [markdown]
# Rounding, nothing else: however many there are, they are worth one. Something has to bend between them, an *activation function*. The
# simplest is the **ReLU**: what is negative becomes 0, the rest stays. (Activation alone can mean the function, or the values that come
# out of it.)
#
# ## Exercise: `relu` and `relu_backward`
#
# *easy · 10 minutes · 1 and 2 points*
#
# The slope is 1 for x > 0 and 0 for x < 0. At exactly 0 there is a corner; here, as in torch, the slope there is 0. (Others take 1, or a half.)
#
# **Predict** grad_x for x = [-2, 0, 3, 4] and grad_out = [5, 5, -5, 5].
#
# <details><summary>Answer</summary>[0, 0, -5, 5]: the sign of x decides, not that of the gradient.</details>

# %% nbgrader={"grade": false, "grade_id": "relu", "locked": false, "schema_version": 3, "solution": true, "task": false}
def relu(x):
    """Return the larger of x and 0, value by value, for x of any shape.

    >>> relu(np.array([-2.0, 0.0, 3.0]))
    array([0., 0., 3.])
    """
    ### BEGIN SOLUTION
    return np.maximum(x, 0)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_relu", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 1}
check(relu)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

cases = [
    Case("a few values", np.array([-1.0, 0.0, 2.5, -7.0, 1.5])),
    Case("a table", 2 * normal(5, 4)),
    Case("a batch of maps", 3 * normal(3, 2, 4, 4)),
    Case("whole numbers", integers(4, 3)),
]
check(relu, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("relu")

# %% nbgrader={"grade": false, "grade_id": "relu_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def relu_backward(grad_out, x):
    """Return grad_x, in the shape of x; the slope at 0 is 0. x: relu's input.

    >>> relu_backward(np.array([5.0, 5.0, -5.0]), np.array([-2.0, 0.0, 3.0]))
    array([ 0.,  0., -5.])
    """
    ### BEGIN SOLUTION
    return grad_out * (x > 0)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_relu_backward", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(relu_backward)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

cases = [
    Case("positive and negative", np.array([-4.0, 2.0, 3.0]), np.array([2.0, -3.0, 5.0])),
    Case("zeros in x", np.array([-4.0, 2.0, 3.0]), np.array([0.0, 0.0, 2.0]), weight=2),
    Case("a table", normal(5, 4), 2 * normal(4, 5).T),
    Case("a batch of maps", normal(3, 2, 4, 5), normal(3, 2, 5, 4).swapaxes(2, 3)),
    Case("whole numbers in x", normal(4, 3), integers(4, 3)),
]
check(relu_backward, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("relu_backward")

# %% [markdown]
# ## Exercise: `leaky_relu`
#
# *easy · 5 minutes · 1 point*
#
# A *unit*, or neuron, is one number of a layer's output. (The units of this course are something else.) One whose sum is negative for
# every example passes no gradient, so it never learns again. The *leaky* ReLU keeps a small slope on the negative side.
#
# **Predict** its value at -2 with slope 0.1.

# %% nbgrader={"grade": false, "grade_id": "leaky_relu", "locked": false, "schema_version": 3, "solution": true, "task": false}
def leaky_relu(x, slope=0.01):
    """Return x where x > 0, else slope * x. slope: from 0 to 1.

    >>> leaky_relu(np.array([-2.0, 0.0, 3.0]), slope=0.1)
    array([-0.2,  0. ,  3. ])
    """
    ### BEGIN SOLUTION
    return np.where(x > 0, x, slope * x)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_leaky_relu", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 1}
check(leaky_relu)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

cases = [
    Case("a few values", np.array([-1.0, 0.0, 2.5, -7.0]), 0.2),
    Case("the slope left out", 2 * normal(5, 4)),
    Case("a batch of maps", 3 * normal(3, 2, 4, 4), slope=0.3),
    Case("slope 0 is plain ReLU", normal(4, 3), slope=0.0, weight=0.5),
    Case("whole numbers", integers(4, 3), slope=0.15),
]
check(leaky_relu, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("leaky_relu")

# %% [markdown]
# ### Flat ends
#
# Before the ReLU people bent with the *sigmoid* or with *tanh*. Compare the slopes, which is what gradients are multiplied by on the way back.
#
# **Predict:** at x = 5, which slope is the largest, which the smallest? And how much of a gradient can come through ten sigmoids?

# %% tags=["experiment"]
def sigmoid(x):
    return 0.5 + 0.5 * np.tanh(x / 2)


ACTIVATIONS = {
    "ReLU": (lambda x: relu(x), lambda grad_out, x: relu_backward(grad_out, x)),
    "tanh": (np.tanh, lambda grad_out, x: grad_out * (1 - np.tanh(x) ** 2)),
    "sigmoid": (sigmoid, lambda grad_out, x: grad_out * sigmoid(x) * (1 - sigmoid(x))),
}

# %% tags=["experiment"]
line = np.linspace(-6, 6, 241)
slopes = {key: backward(np.ones_like(line), line) for key, (_, backward) in ACTIVATIONS.items()}
plot_lines(slopes, "x", "slope", x=line)
print({name: float(f"{slope[220]:.2g}") for name, slope in slopes.items()}, "at x = 5")
print(f"through ten sigmoids, at best: {slopes['sigmoid'].max() ** 10:.1e}")

# %% [markdown]
# Far from 0 sigmoid and tanh are flat: they *saturate*, on both sides. The ReLU is flat on one side only, and never weakens a gradient on
# the other.
#
# ## The decision
#
# After the last convolution the maps are flattened to a row of numbers, and a linear layer makes one score for each class: a sum of all
# inputs with weights of its own, now plus a bias. The scores are called *logits*.

# %% [markdown]
# ## Exercise: `linear` and `linear_backward`
#
# *medium · 25 minutes · 1 and 3 points*
#
# `w` is (outputs, inputs), like the filters of a convolution and as in torch. (CS231n has it the other way round.)
#
# On the way back, one weight is used by all N rows of the batch, so its gradient is a **sum** over the rows, as a filter's was over places.
# Each gradient has the shape of what it belongs to, and they come in the order of the inputs.
#
# **Predict** from the shapes: which matrix product of grad_out (N, O) and w (O, D) can be grad_x?
#
# <details><summary>Answer</summary>grad_out @ w, for grad_x is (N, D), and O is what the two have in common.</details>

# %% nbgrader={"grade": false, "grade_id": "linear", "locked": false, "schema_version": 3, "solution": true, "task": false}
def linear(x, w, b):
    """Return every row of x times every row of w, summed, plus b: an array (N, O).

    x: (N, D), one example a row. w: (O, D). b: (O,).

    >>> linear(np.array([[1.0, 2.0]]), np.array([[1.0, 1.0], [0.0, 3.0]]), np.array([0.5, 0.0]))
    array([[3.5, 6. ]])
    """
    ### BEGIN SOLUTION
    return x @ w.T + b
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_linear", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 1}
check(linear)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

cases = [
    Case("one row", np.array([[2.0, -1.0]]), np.array([[1.0, 0.0], [3.0, 1.0], [0.0, 2.0]]), np.array([0.0, 0.5, 7.0])),
    Case("five rows", normal(5, 2), normal(3, 2), normal(3)),
    Case("as many outputs as inputs", normal(3, 4), normal(4, 4), normal(4)),
    Case("as many rows as outputs", normal(3, 5), normal(3, 5), normal(3)),
    Case("one output", normal(4, 2), normal(1, 2), normal(1)),
    Case("whole numbers", integers(4, 3), normal(2, 3), normal(2)),
]
check(linear, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("linear")

# %% nbgrader={"grade": false, "grade_id": "linear_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def linear_backward(grad_out, x, w):
    """Return grad_x (N, D), grad_w (O, D), grad_b (O,), from grad_out (N, O).

    >>> grad_out, x = np.array([[1.0], [2.0]]), np.array([[1.0, 0.0], [3.0, 5.0]])
    >>> [grad.tolist() for grad in linear_backward(grad_out, x, np.array([[2.0, -1.0]]))]
    [[[2.0, -1.0], [4.0, -2.0]], [[7.0, 10.0]], [3.0]]
    """
    ### BEGIN SOLUTION
    return grad_out @ w, grad_out.T @ x, grad_out.sum(axis=0)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_linear_backward", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(linear_backward)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

cases = [
    Case("one row", np.array([[3.0, -1.0]]), np.array([[2.0, 0.5]]), np.array([[1.0, 4.0], [0.0, 2.0]])),
    Case("two rows", np.array([[3.0], [-1.0]]), np.array([[2.0, 1.0], [0.0, 4.0]]), np.array([[5.0, 1.0]])),
    Case("five rows", normal(5, 2), normal(5, 3), normal(2, 3)),
    Case("as many outputs as inputs", normal(3, 4), normal(4, 3).T, normal(4, 4)),
    Case("as many rows as inputs and outputs", normal(2, 2), 2 * normal(2, 2) + 1, normal(2, 2) - 1),
    Case("as many rows as outputs", normal(5, 5), normal(5, 3), 2 * normal(5, 3) - 1),
    Case("whole-number inputs", normal(4, 3), integers(4, 2), normal(3, 2)),
]
check(linear_backward, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("linear_backward")

# %% [markdown]
# ## How bad is it?
#
# *Softmax* turns a row of logits z into probabilities: exp of each, divided by the row's sum. *Cross-entropy* is minus the log of the
# probability that the **right** class got: 0 if the net was sure and right, and the larger the surer it was and wrong. The loss of a batch is
# the **mean** over its examples.
#
# On paper that is all. On a computer it breaks, in two places:

# %% tags=["experiment"]
with np.errstate(all="ignore"):
    large, small = np.exp(1000.0), np.exp(-1000.0)
    print(f"exp of 1000 is {large}, divided by itself {large / large}")
    print(f"exp of -1000 is {small}, its log {np.log(small)}")

# %% [markdown]
# The cure for the first: a row's softmax stays the same if you subtract the same number from all its logits. Subtract the row's
# **largest**, and no exponential is above 1.
#
# The cure for the second: do not form a probability in order to take its log. The log of a fraction is a difference,
#
# $$\log p_k = z_k - \log \sum_j e^{z_j}$$
#
# Adding a tiny number inside the log only hides the problem: the loss of a net that is sure and wrong would come out far too small.

# %% [markdown]
# ## Exercise: `softmax_cross_entropy`
#
# *medium · 25 minutes · 3 points*
#
# **Predict** the loss of a net that knows nothing, all logits equal, for ten classes.
#
# <details><summary>Answer</summary>log 10, about 2.3. It is worth remembering: an untrained net should start there.</details>

# %% nbgrader={"grade": false, "grade_id": "softmax_cross_entropy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def softmax_cross_entropy(logits, labels):
    """Return the mean loss of a batch, one number; logits in the thousands must work.

    logits: (N, K). labels: (N,), the right class of each row, whole numbers from 0 to K - 1.

    >>> z = np.array([[np.log(3.0), 0.0]])  # probabilities 3/4 and 1/4
    >>> bool(np.isclose(softmax_cross_entropy(z, np.array([1])), np.log(4)))
    True
    """
    # 1. Subtract each row's largest. 2. The log-probabilities, as a difference.
    # 3. Each row's entry for its label. 4. Minus the mean.
    ### BEGIN SOLUTION
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(labels)), labels].mean()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_softmax_cross_entropy", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(softmax_cross_entropy)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

cases = [
    Case("two examples of three classes", np.log([[1.0, 4.0, 3.0], [2.0, 1.0, 7.0]]), np.array([2, 0])),
    Case("one example", np.array([[0.0, np.log(4.0)]]), np.array([0])),
    Case("four examples of two classes", normal(4, 2), np.array([1, 0, 0, 1])),
    Case("three examples of six classes", normal(3, 6), np.array([5, 2, 2])),
    Case("five examples of four classes", 2 * normal(5, 4), np.array([0, 3, 1, 3, 2])),
    Case("as many examples as classes", normal(4, 4), np.array([2, 2, 0, 1])),
    Case("huge logits, and equal", np.array([[5.0, 900.0, 900.0]]), np.array([1])),
    Case("huge negative logits", np.array([[-800.0, -801.0], [-3000.0, -3000.0]]), np.array([1, 0])),
    Case("one huge row and a small one", np.array([[2.0, 1.0], [998.0, 1000.0]]), np.array([1, 1])),
    Case("far apart, the largest last", np.array([[-1000.0, 1000.0], [1.0, 0.0]]), np.array([1, 1])),
    Case("far apart, the largest first", np.array([[1500.0, 0.0, 0.0], [2.0, 0.0, 1.0]]), np.array([0, 2])),
    Case("sure and wrong", np.array([[0.0, 1500.0]]), np.array([0])),
    Case("sure and wrong, by 715", np.array([[0.0, 3.0, 715.0]]), np.array([0])),
    Case("whole-number logits", integers(4, 3), np.array([1, 0, 2, 2])),
]
check(softmax_cross_entropy, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("softmax_cross_entropy")

# %% [markdown]
# ## Exercise: `softmax_cross_entropy_gradient`
#
# *medium · 20 minutes · 3 points*
#
# The way back through log and softmax is long on paper, and ends in something short: for one example the gradient with respect to its logits
# is its probabilities, minus 1 at the right class. The loss is a mean, so each example counts 1/N. This is where every backward pass
# starts, so there is no `grad_out`.
#
# **Predict** the sign at the right class, and what each row sums to.
#
# <details><summary>Answer</summary>Negative, since a larger logit there lowers the loss. Each row sums to 0: probabilities sum to 1.</details>

# %% nbgrader={"grade": false, "grade_id": "softmax_cross_entropy_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def softmax_cross_entropy_gradient(logits, labels):
    """Return the gradient (N, K) of softmax_cross_entropy; logits in the thousands must work.

    >>> softmax_cross_entropy_gradient(np.array([[np.log(3.0), 0.0]]), np.array([1])).round(9)
    array([[ 0.75, -0.75]])
    """
    ### BEGIN SOLUTION
    grad = np.exp(logits - logits.max(axis=1, keepdims=True))
    grad /= grad.sum(axis=1, keepdims=True)
    grad[np.arange(len(labels)), labels] -= 1
    return grad / len(labels)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_softmax_cross_entropy_gradient", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(softmax_cross_entropy_gradient)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

cases = [
    Case("two examples of three classes", np.log([[1.0, 4.0, 3.0], [2.0, 1.0, 7.0]]), np.array([2, 0])),
    Case("one example", np.array([[0.0, np.log(4.0)]]), np.array([0])),
    Case("four examples of two classes", normal(4, 2), np.array([1, 0, 0, 1])),
    Case("three examples of six classes", normal(3, 6), np.array([5, 2, 2])),
    Case("five examples of four classes", 2 * normal(5, 4), np.array([0, 3, 1, 3, 2])),
    Case("as many examples as classes", normal(4, 4), np.array([2, 2, 0, 1])),
    Case("huge logits, and equal", np.array([[5.0, 900.0, 900.0]]), np.array([1])),
    Case("huge negative logits", np.array([[-800.0, -801.0], [-3000.0, -3000.0]]), np.array([1, 0])),
    Case("one huge row and a small one", np.array([[2.0, 1.0], [998.0, 1000.0]]), np.array([1, 1])),
    Case("far apart, the largest last", np.array([[-1000.0, 1000.0], [1.0, 0.0]]), np.array([1, 1])),
    Case("far apart, the largest first", np.array([[1500.0, 0.0, 0.0], [2.0, 0.0, 1.0]]), np.array([0, 2])),
    Case("sure and wrong", np.array([[0.0, 1500.0]]), np.array([0])),
    Case("sure and wrong, by 715", np.array([[0.0, 3.0, 715.0]]), np.array([0])),
    Case("whole-number logits", integers(4, 3), np.array([1, 0, 2, 2])),
]
check(softmax_cross_entropy_gradient, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("softmax_cross_entropy_gradient")

# %% tags=["experiment"]
logits = np.array([[2.0, 1.0, 0.0, -1.0]])
grads = [softmax_cross_entropy_gradient(logits, np.array([label])).round(2) for label in (0, 3)]
show_numbers(logits, *grads, titles=["logits", "class 0 is right", "class 3 is right"])

# %% [markdown]
# A net that is right gets a small push, one that is wrong a large one.
#
# ## A network of yours
#
# That is all a network needs. `forward` keeps each layer's sums, `step` walks back through them and moves every weight against its gradient.
# Find your functions in it.

# %% tags=["experiment"]
def make_net(*sizes):
    rng = np.random.default_rng(0)
    pairs = zip(sizes, sizes[1:])
    return [(rng.normal(size=(o, d)) * np.sqrt(2 / d), np.zeros(o)) for d, o in pairs]


def forward(net, x, act=None):
    act = act or relu
    sums = [linear(x, *net[0])]
    for w, b in net[1:]:
        sums.append(linear(act(sums[-1]), w, b))
    return sums

# %% tags=["experiment"]
def step(net, x, labels, rate, act=None, act_backward=None):
    act, act_backward = act or relu, act_backward or relu_backward
    sums, new = forward(net, x, act), []
    inputs = [x, *map(act, sums[:-1])]
    grad = np.asarray(softmax_cross_entropy_gradient(sums[-1], labels))
    for i in reversed(range(len(net))):
        w, b = net[i]
        grad, grad_w, grad_b = linear_backward(grad, inputs[i], w)
        new.insert(0, (w - rate * grad_w, b - rate * grad_b))
        if i:
            grad = np.asarray(act_backward(grad, sums[i - 1]))
    return new

# %% [markdown]
# ### A race
#
# AlexNet's authors report that a net with ReLU reached their goal in a *sixth* of the steps that tanh took, on colour photographs. Try it on 600
# handwritten digits of 8 x 8 pixels: a net of three layers, all 600 digits in every step, until 9 in 10 are right. Each activation may choose
# the best of four learning rates.
#
# **Predict** the order, and the factor.

# %% tags=["experiment"]
images, labels, _, _ = digits()
pixels, labels = 2.0 * images[:600].reshape(600, 64) - 1, labels[:600]


def steps_to_learn(act, act_backward, rate, most=150):
    net = make_net(64, 64, 64, 10)
    for count in range(most):
        if np.mean(forward(net, pixels, act)[-1].argmax(axis=1) == labels) >= 0.9:
            return count
        net = step(net, pixels, labels, rate, act, act_backward)
    return most

# %% tags=["experiment"]
rates = [0.1, 0.3, 1.0, 3.0]
best = {name: min(steps_to_learn(*act, r) for r in rates) for name, act in ACTIVATIONS.items()}
plot_bars(best, "steps", "until 90 % of the digits are right (at most 150)")

# %% [markdown]
# The sigmoid is several times slower. But tanh keeps up, and may even win: the factor of six belongs to one net on one set of images, not to
# every net. What does not depend on the net is the picture of the slopes.

# %% [markdown]
# ## Silent and dead
#
# A ReLU that gives 0 passes no gradient. How many do that? **Predict** for a fresh net: what share of all activations is 0? And how many units
# are 0 for *every* example?
#
# ## Exercise: `dead_fraction`
#
# *easy · 10 minutes · 2 points*
#
# To be silent for one image is a unit's work. To be silent for all is to be *dead*. Count the second.

# %% nbgrader={"grade": false, "grade_id": "dead_fraction", "locked": false, "schema_version": 3, "solution": true, "task": false}
def dead_fraction(activations):
    """Return the share of the units that are 0 for every example, from 0 to 1.

    activations: (N, D), what a ReLU gave: one example a row, one unit a column, none negative.

    >>> float(dead_fraction(np.array([[0.0, 3.0, 0.0, 1.0], [0.0, 0.0, 2.0, 0.0]])))
    0.25
    """
    ### BEGIN SOLUTION
    return np.all(activations == 0, axis=0).mean()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_dead_fraction", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(dead_fraction)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal

active = np.maximum(normal(9, 7), 0) * (normal(7) > -0.5)
cases = [
    Case("two of five units", np.array([[0.0, 2.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 3.0, 0.0]])),
    Case("a row that is all silent", np.array([[1.0, 0, 0, 0], [0, 2.0, 0, 0], [0, 0, 5.0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])),
    Case("a unit that hardly answers", np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0002, 0.0, 0.0]])),
    Case("more examples than units", active),
    Case("more units than examples", np.maximum(normal(4, 15), 0)),
    Case("one example", np.maximum(normal(1, 9), 0)),
    Case("no unit is dead", 0.5 + np.abs(normal(5, 4)), weight=0.5),
    Case("all are dead", np.zeros((4, 3)), weight=0.5),
]
check(dead_fraction, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("dead_fraction")

# %% tags=["experiment"]
hidden = np.asarray(relu(linear(pixels, *make_net(64, 64, 10)[0])))
print(f"silent, over all images: {np.mean(hidden == 0):.0%}")
for count in (1, 10, 100, 600):
    print(f"silent for all of {count} images: {dead_fraction(hidden[:count]):.0%}")

# %% [markdown]
# About half are silent at any moment, since sums start around 0, and hardly any for all the images. Now train with ever bolder steps.
# A step too large can push a unit so far down that no image reaches it any more.
#
# **Predict** at which rate the net dies.

# %% tags=["experiment"]
def train(net, rate, steps, act=None, act_backward=None):
    for _ in range(steps):
        net = step(net, pixels, labels, rate, act, act_backward)
    return net


nets = {rate: train(make_net(64, 64, 10), rate, 60) for rate in (0.3, 1.0, 1.5, 2.0, 3.0)}
outputs = {rate: np.asarray(relu(forward(net, pixels)[0])) for rate, net in nets.items()}
dead = {f"rate {rate}": dead_fraction(output) for rate, output in outputs.items()}
plot_bars(dead, "share of dead units", "after 60 steps")

# %% [markdown]
# **Predict:** take the deadest of these nets and train it 200 careful steps more, once as it is, once with a leaky slope of 0.1. Which of
# the two comes back?

# %% tags=["experiment"]
leaky = (
    lambda x: leaky_relu(x, 0.1),
    lambda grad_out, x: grad_out * np.where(x > 0, 1, 0.1),
)
for name, act in {"ReLU": (relu, relu_backward), "leaky": leaky}.items():
    revived = train(nets[3.0], 0.1, 200, *act)
    answers = forward(revived, pixels, act[0])[-1].argmax(axis=1)
    print(f"{name}: {np.mean(answers == labels):.0%} right")

# %% [markdown]
# Without a gradient nothing moves a dead unit again. A leak is a way back; a smaller rate, as the bars show, keeps units alive in the first
# place.

# %% [markdown]
# ## Your picture
#
# Three spirals of points, three classes. No straight line parts them, so a net without activations cannot. Yours has two hidden layers of 16
# ReLUs. Each of the first 16 draws one straight line through the plane, on one side of which it is silent; those of the second layer draw lines
# that break wherever they meet one of the first.
#
# **Predict** into how many pieces these lines cut the plane.

# %% tags=["experiment"]
points, arms = spirals()
spiral_net = make_net(2, 16, 16, 3)
losses = []
for _ in range(2000):
    spiral_net = step(spiral_net, points, arms, 0.3)
    losses.append(softmax_cross_entropy(forward(spiral_net, points)[-1], arms))
plot_lines({"your net": losses}, "step", "loss", log="y")

# %% tags=["experiment"]
side = np.linspace(-1.2, 1.2, 480)
plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
sums = forward(spiral_net, plane)
awake = np.hstack(sums[:2]) > 0  # which of the 32 ReLUs pass, for each pixel
show_plane(sums[-1].reshape(480, 480, 3), awake.reshape(480, 480, 32), points, arms)
right = np.mean(forward(spiral_net, points)[-1].argmax(axis=1) == arms)
print(f"{right:.0%} right, {len(np.unique(awake, axis=0))} pieces in view")

# %% [markdown]
# Every thin line is the corner of one of your ReLUs. Between the lines nothing bends: there each logit is a tilted plane. Out of such
# pieces the net has built spirals.

# %% [markdown]
# ## What you have learnt
#
# Pooling makes maps smaller and a little less sensitive to where things are, and its gradients go back to the pixels that counted. An
# activation is what makes depth worth anything, and ReLU is the one that does not weaken gradients, though it can die. A linear layer,
# softmax and cross-entropy turn maps into a decision and a loss whose gradient starts every backward pass.
#
# **Next:** learning rates had to be chosen with care here. In [04 · Batch
# normalisation](../04-batch-normalization/04-batch-normalization.ipynb) you build the layer that makes nets far less touchy about them.
