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
# # 01 · Convolution
#
# One small window moves over an image, and at every place it asks the same question. That is all a convolution is, and it is what
# networks see with.
#
# In this notebook you write it three times: one window, then all windows in loops, then all at once without a loop over pixels, which is
# how it is really done. It takes two to three hours, and needs unit 00 and NumPy. At the end your own code draws the edges of a
# photograph, in colour by their direction.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import numpy as np

from course.checks import check, hint
from course.data import grey_photograph
from course.explorers import ConvExplorer, KernelLab
from course.figures import plot_bars, show_images, show_maps, show_numbers
from course.timing import seconds

# %% [markdown]
# ## Why not connect everything?
#
# A classic layer connects every output to every pixel. The photograph below is small, 213 x 319 pixels. How many weights does *one* such
# layer have that turns it into another image of the same size?
#
# **Predict** the number of digits before you run the cell.

# %% tags=["experiment"]
photo = grey_photograph("china")
show_images(photo)
print(f"{photo.size:,} pixels, so the layer has {photo.size**2:,} weights")

# %% [markdown]
# More than four billion weights for one layer, and it would still not know that two neighbouring pixels are neighbours. Two ideas cure that.
#
# **Locality.** What a pixel means is decided by the pixels around it. So each output looks at a small window only, say 3 x 3.
#
# **Shared weights.** An edge is an edge in every corner of the image. So all windows use the same nine weights.
#
# The nine weights are called a *filter* or *kernel*; the image of its answers is a *feature map*.

# %% [markdown]
# ## How many places are there?
#
# Take one row of 7 pixels and a kernel that is 3 wide. Its left edge can stand at 5 places:
#
# ```text
# pixels      0 1 2 3 4 5 6
# places     [0 1 2]
#              [1 2 3]
#                [2 3 4]
#                  [3 4 5]
#                    [4 5 6]
# ```
#
# Two numbers change that. The **stride** is how far the window moves each time: with stride 2 only the places 0, 2 and 4 are visited.
# The **padding** is how many zeros are put at *each* end of the row first.

# %% [markdown]
# ## Exercise: `output_size`
#
# *easy · 10 minutes · 2 points*
#
# How many outputs are there along one axis?
#
# When the stride does not fit, the last window would hang over the edge. Then there is no such window: the pixels left over at the end
# are simply not read. (Some courses, CS231n's notes among them, call this case an error; PyTorch and every other framework do what we do.)
#
# **Predict** by drawing: 8 pixels, kernel 3, stride 2, no padding. How many places, and which pixel is never read?
#
# <details><summary>Answer</summary>Three places, 0, 2 and 4. The last window ends at pixel 6, so pixel 7 is never read.</details>

# %% nbgrader={"grade": false, "grade_id": "output_size", "locked": false, "schema_version": 3, "solution": true, "task": false}
def output_size(size, kernel_size, stride=1, padding=0):
    """Return the number of outputs along one axis, an int.

    size: pixels along this axis. padding: zeros added at each end.

    >>> output_size(7, 3, stride=2)
    3
    """
    ### BEGIN SOLUTION
    return (size + 2 * padding - kernel_size) // stride + 1
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_output_size", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(output_size)
### BEGIN HIDDEN TESTS
from course.checks import Case

check(
    output_size,
    cases=[
        Case("a 5-wide kernel on 9 pixels", 9, 5),
        Case("stride 3 that divides", 11, 2, stride=3),
        Case("padding on both sides", 6, 5, padding=2),
        Case("a stride that does not divide", 9, 4, stride=3),
        Case("everything at once", 15, 4, stride=4, padding=3),
        Case("a kernel as large as the image", 6, 6),
        Case("AlexNet's first layer", 227, 11, stride=4),
    ],
    random=20,
)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("output_size")

# %% [markdown]
# With your function a loop can list the pixels that no window reads: the window at place p begins at pixel `p * stride`.
#
# **Predict:** for which of the strides 1 to 5 does a 3-wide kernel read all of 11 pixels?

# %% tags=["experiment"]
for stride in range(1, 6):
    places = output_size(11, 3, stride)
    read = {place * stride + k for place in range(places) for k in range(3)}
    print(f"stride {stride}: {places} places, never read: {sorted(set(range(11)) - read)}")

# %% [markdown]
# Stride 3 leaves pixels over at the end. A stride larger than the kernel also jumps over pixels between two windows.

# %% [markdown]
# ### Play with it
#
# An image, a kernel and a map, all yours to change. Point at an output, or move with the arrow keys, to see which pixels it was computed
# from. Three things to find:
#
# 1. a stride with which some rows are never read;
# 2. a padding with which the map is as large as the image;
# 3. a kernel for which no output is left at all.
#
# (⌊ ⌋ means rounded down. How an output is computed, and what `b` is, comes below.)

# %% tags=["experiment"]
ConvExplorer(size=(7, 8), stride=2, b=[0])

# %% [markdown]
# ## Room at the border
#
# Without padding the map is smaller than the image, and a pixel in the corner is seen by one window only, while one in the middle is
# seen by nine (for a 3 x 3 kernel and stride 1). A border of zeros gives the windows room. It is the usual choice because it is simple: zero adds nothing to a sum.
#
# Layers get images in batches, with four axes, **NCHW**: number of images, channels, height, width. The photograph above is such a batch
# already, of one image with one channel.

# %% [markdown]
# ## Exercise: `zero_pad`
#
# *easy · 10 minutes · 2 points*
#
# Put a border of zeros around every plane of a batch. N and C stay as they are.
#
# **Predict** the shape: a batch of shape (2, 3, 4, 5) with padding 2.
#
# <details><summary>Answer</summary>(2, 3, 8, 9)</details>

# %% nbgrader={"grade": false, "grade_id": "zero_pad", "locked": false, "schema_version": 3, "solution": true, "task": false}
def zero_pad(x, padding):
    """Return x with `padding` rows and columns of zeros on all four sides.

    x: (N, C, H, W). Returns a new array (N, C, H + 2 * padding, W + 2 * padding).

    >>> zero_pad(np.array([[[[5.0]]]]), 1)[0, 0]
    array([[0., 0., 0.],
           [0., 5., 0.],
           [0., 0., 0.]])
    """
    ### BEGIN SOLUTION
    return np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_zero_pad", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(zero_pad)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal

check(
    zero_pad,
    cases=[
        Case("one pixel", np.array([[[[-2.0]]]]), 1),
        Case("a high image", normal(1, 1, 5, 2), 1),
        Case("padding 3", normal(1, 1, 4, 2), 3),
        Case("padding 0", normal(2, 1, 2, 3), 0, weight=0.5),
        Case("three images of two channels", normal(3, 2, 3, 4), 2),
    ],
    random=20,
)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("zero_pad")

# %% tags=["experiment"]
show_images(zero_pad(photo, 20), titles="your zero_pad, 20 pixels")

# %% [markdown]
# ## One window, one number
#
# Now the heart of it. Lay the kernel on the image. Multiply each weight by the pixel under it, add up all the products, and add one more
# number, the *bias*. The result is one number, large where bright pixels lie under large weights.
#
# An image with several channels has a kernel with as many: the window is a small volume, and all its products go into the **same** sum.
#
# Mathematicians turn the kernel by 180 degrees first and call that convolution. Networks do not, PyTorch included: what they do is really
# *cross-correlation*. Since the weights are learned, nothing is lost, and here the kernel stays as it is.

# %% tags=["experiment"]
x = np.arange(1.0, 17.0).reshape(1, 4, 4)
w = np.array([[[0.0, 1.0], [0.0, 2.0]]])
show_numbers(x, w, titles=["image x, one channel", "kernel w"])

# %% [markdown]
# **Predict.** The kernel's top left weight lies on the pixel 11 (row 2, column 2), and the bias is 0.5. Which number comes out? (Each
# weight meets one pixel; two of the four products are zero.)
#
# <details><summary>Answer</summary>1 · 12 + 2 · 16 + 0.5 = 44.5</details>

# %% [markdown]
# ## Exercise: `window_dot`
#
# *easy · 15 minutes · 2 points*
#
# Compute that number for any window of one image, (C, H, W). `row` and `col` say where the window's **top left corner** lies.

# %% nbgrader={"grade": false, "grade_id": "window_dot", "locked": false, "schema_version": 3, "solution": true, "task": false}
def window_dot(x, w, b, row, col):
    """Return the answer of one filter at one place, a single number.

    x: one image (C, H, W). w: one filter (C, KH, KW). b: its bias, a number.
    row, col: the place of the window's top left corner in x.

    >>> x = np.arange(1.0, 17.0).reshape(1, 4, 4)
    >>> float(window_dot(x, np.array([[[0.0, 1.0], [0.0, 2.0]]]), 0.5, 2, 2))
    44.5
    """
    # Cut out the window, multiply, sum over everything, add the bias once.
    ### BEGIN SOLUTION
    window = x[:, row : row + w.shape[1], col : col + w.shape[2]]
    return np.sum(window * w) + b
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_window_dot", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(window_dot)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

check(
    window_dot,
    cases=[
        Case("a window by hand", np.arange(20.0).reshape(1, 4, 5), np.array([[[1.0, 0], [3.0, 0]]]), 2.0, 0, 1),
        Case("further down and right", np.arange(20.0).reshape(1, 4, 5), np.array([[[1.0, 0], [3.0, 0]]]), 2.0, 2, 3),
        Case("a kernel wider than high", normal(1, 7, 8), normal(1, 2, 4), -0.5, 3, 1),
        Case("four channels", normal(4, 6, 5), normal(4, 3, 2), 1.5, 1, 2),
        Case("whole-number pixels", integers(2, 6, 6), normal(2, 3, 3), 0.75, 3, 0),
        Case("the whole image", normal(2, 4, 4), normal(2, 4, 4), 0.5, 0, 0),
    ],
    random=20,
)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("window_dot")

# %% [markdown]
# ## All windows of all filters
#
# A layer has many filters, each with its own weights and its own bias, and each makes one channel of the output. So four arrays take part:
#
# | array | shape | |
# |---|---|---|
# | `x` | (N, C, H, W) | N images of C channels |
# | `w` | (O, C, KH, KW) | O filters, as deep as the images |
# | `b` | (O,) | one bias a filter |
# | output | (N, O, H_out, W_out) | one map for each filter |
#
# The depth of the output is the number of *filters*. It has nothing to do with the depth of the input. (Some slides say otherwise; it is a
# misprint.)

# %% [markdown]
# ## Exercise: `conv2d_loops`
#
# *medium · 20 minutes · 4 points*
#
# Write the whole convolution with four loops: images, filters, rows, columns. Use what you have: `zero_pad`, `output_size` and
# `window_dot`.
#
# **Predict** the output's shape for x (2, 3, 6, 8), w (5, 3, 3, 3), stride 2, padding 1.
#
# <details><summary>Answer</summary>(2, 5, 3, 4)</details>

# %% nbgrader={"grade": false, "grade_id": "conv2d_loops", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv2d_loops(x, w, b, stride=1, padding=0):
    """Return the convolution of a batch with O filters; loops are welcome.

    x: (N, C, H, W). w: (O, C, KH, KW). b: (O,). Returns (N, O, H_out, W_out), floats.

    >>> conv2d_loops(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), np.array([0.5]))[0, 0]
    array([[4.5, 4.5],
           [4.5, 4.5]])
    """
    # 1. Pad x. 2. Make the output, of zeros. 3. Fill it, place by place.
    ### BEGIN SOLUTION
    height = output_size(x.shape[2], w.shape[2], stride, padding)
    width = output_size(x.shape[3], w.shape[3], stride, padding)
    padded = zero_pad(x, padding)
    out = np.zeros((len(x), len(w), height, width))
    for n, o, i, j in np.ndindex(out.shape):
        out[n, o, i, j] = window_dot(padded[n], w[o], b[o], i * stride, j * stride)
    return out
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_conv2d_loops", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 4}
check(conv2d_loops)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

cases = [
    Case("one window", np.arange(9.0).reshape(1, 1, 3, 3), np.array([[[[0, 0, 1.0], [3.0, 0, 0], [0, 0, 0]]]]), np.array([-1.5])),
    Case("a high image, a wide kernel", normal(1, 1, 7, 5), normal(1, 1, 2, 4), normal(1)),
    Case("four channels, three filters", normal(1, 4, 5, 4), normal(3, 4, 2, 3), normal(3)),
    Case("as many filters as channels", normal(1, 3, 4, 6), normal(3, 3, 3, 2), normal(3)),
    Case("three images", normal(3, 2, 5, 4), normal(2, 2, 3, 3), normal(2)),
    Case("padding", normal(1, 1, 4, 3), normal(1, 1, 3, 3), np.zeros(1), padding=1, weight=2),
    Case("a stride that divides", normal(1, 1, 7, 9), normal(1, 1, 3, 3), np.zeros(1), stride=2),
    Case("a stride that does not divide", normal(1, 2, 9, 7), normal(2, 2, 3, 2), normal(2), stride=3, weight=2),
    Case("stride and padding together", normal(2, 2, 6, 5), normal(3, 2, 3, 2), normal(3), stride=2, padding=2, weight=2),
    Case("whole-number pixels", integers(1, 2, 5, 4), normal(2, 2, 3, 2), normal(2)),
]
check(conv2d_loops, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("conv2d_loops")

# %% [markdown]
# ## Valid or same
#
# Without padding every window lies inside the image, and the map shrinks; this is called *valid*. With just enough padding the map is as
# large as the image; this is called *same*. Deep networks like *same*, since a stack of twenty layers would otherwise eat its image.

# %% [markdown]
# ## Exercise: `same_padding`
#
# *easy · 5 minutes · 1 point*
#
# With stride 1, how much padding keeps the size? Kernels here have an odd size (1, 3, 5, ...): an even one would need more on one side
# than on the other.
#
# **Predict** it for a 7-wide kernel: draw the kernel with its middle on the first pixel.
#
# <details><summary>Answer</summary>3: so many of its weights lie to the left of its middle.</details>

# %% nbgrader={"grade": false, "grade_id": "same_padding", "locked": false, "schema_version": 3, "solution": true, "task": false}
def same_padding(kernel_size):
    """Return the padding, an int, with which stride 1 keeps the size. kernel_size is odd.

    >>> same_padding(3)
    1
    """
    ### BEGIN SOLUTION
    return (kernel_size - 1) // 2
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_same_padding", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 1}
check(same_padding)
### BEGIN HIDDEN TESTS
from course.checks import Case

check(
    same_padding,
    cases=[Case("a 7-wide kernel", 7), Case("a 1-wide kernel", 1, weight=0.5), Case("a 9-wide kernel", 9), Case("a 13-wide kernel", 13)],
    random=20,
)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("same_padding")

# %% [markdown]
# See both. The image is small, so that your loops are quick; the kernel averages 5 x 5 pixels.
#
# **Predict:** what happens along the border of the *same* map, where the windows are partly filled with zeros?

# %% tags=["experiment"]
small = grey_photograph("china", 60)
average, no_bias = np.full((1, 1, 5, 5), 1 / 25), np.zeros(1)
valid = conv2d_loops(small, average, no_bias)
same = conv2d_loops(small, average, no_bias, padding=same_padding(5))
show_maps(small, valid, same, titles=["image", "valid", "same"])

# %% [markdown]
# The *same* map is darker along its border: there part of each window is zeros.

# %% [markdown]
# ## Without a loop over pixels
#
# Your loops are right, and slow: Python runs several lines for every single output. NumPy is fast when one operation works on many
# numbers at once, so turn the loops inside out.
#
# In place of asking, for each *output*, which nine pixels it needs, ask for each of the nine *weights* which pixels it meets. With stride 1
# the top left weight meets the image without its last two rows and columns. The weight to the right of it meets the same block, moved by
# one column:

# %% tags=["experiment"]
x = np.arange(1.0, 17.0).reshape(4, 4)
titles = ["image", "weight (0, 0) meets", "weight (0, 1) meets"]
show_numbers(x, x[0:2, 0:2], x[0:2, 1:3], titles=titles)

# %% [markdown]
# Each block has the shape of the output. So the output is nine blocks, each times one weight, added up: nine NumPy operations for all
# pixels, in place of millions of Python steps.
#
# With stride 2 a block takes every second row and column. Three outputs of kernel row 1 then meet rows 1, 3 and 5, which is the slice
# `1 : 1 + 2 * 3 : 2`: where it starts, where it stops, and the step.

# %% [markdown]
# Channels and filters fit in as well. For kernel position (kh, kw) the block has shape (N, C, H_out, W_out), and the weights there are
# `w[:, :, kh, kw]`, of shape (O, C). What is wanted is a sum over c.
#
# `np.einsum` does that. It names each axis by a letter: in `"nchw,oc->nohw"` the first array has the axes n, c, h, w (this w is the width,
# not the weights) and the second o and c. Equal letters go together, and a letter that is missing after `->` is summed over.

# %% tags=["experiment"]
block, weights = np.ones((1, 2, 1, 2)), np.array([[1.0, 2], [3, 4], [5, 6]])
result = np.einsum("nchw,oc->nohw", block, weights)
print(result.shape, "and filter 1 gives 3 + 4 =", result[0, 1, 0, 0])

# %% [markdown]
# ## Exercise: `conv2d`
#
# *hard · 40 minutes · 6 points*
#
# The same function with **no Python loop over pixels**. A loop over the few kernel positions is fine. Other ways are fine too, such as
# `np.lib.stride_tricks.sliding_window_view` and one einsum.
#
# **Predict:** how many times faster than `conv2d_loops` will it be on a photograph of 60 x 90 pixels?

# %% nbgrader={"grade": false, "grade_id": "conv2d", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv2d(x, w, b, stride=1, padding=0):
    """Return the convolution of a batch with O filters, without a Python loop over pixels.

    x: (N, C, H, W). w: (O, C, KH, KW). b: (O,). Returns (N, O, H_out, W_out), floats.

    >>> conv2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), np.array([0.5]))[0, 0]
    array([[4.5, 4.5],
           [4.5, 4.5]])
    """
    # 1. Pad; find the output's height and width. 2. Start with the bias, or zeros.
    # 3. For each kernel position: the block that it meets, times its weights, added up.
    ### BEGIN SOLUTION
    (kh, kw), padded = w.shape[2:], zero_pad(x, padding)
    height, width = (output_size(s, k, stride, padding) for s, k in zip(x.shape[2:], (kh, kw)))
    out = np.zeros((len(x), len(w), height, width)) + np.reshape(b, (1, -1, 1, 1))
    for i, j in np.ndindex(kh, kw):
        block = padded[:, :, i : i + stride * height : stride, j : j + stride * width : stride]
        out += np.einsum("nchw,oc->nohw", block[:, :, :height, :width], w[:, :, i, j])
    return out
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_conv2d", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 6}
check(conv2d)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

cases = [
    Case("one window", np.arange(2.0, 11.0).reshape(1, 1, 3, 3), np.array([[[[0, 0, 0], [5.0, 0, 0], [0, 1.0, 0]]]]), np.array([2.5])),
    Case("a wide image, a high kernel", normal(1, 1, 5, 8), normal(1, 1, 4, 2), normal(1)),
    Case("two channels, four filters", normal(1, 2, 5, 6), normal(4, 2, 3, 2), normal(4)),
    Case("as many filters as channels", normal(1, 3, 5, 4), normal(3, 3, 2, 3), normal(3)),
    Case("four images", normal(4, 2, 4, 5), normal(2, 2, 3, 3), normal(2)),
    Case("padding", normal(1, 1, 4, 5), normal(1, 1, 3, 3), np.zeros(1), padding=2, weight=2),
    Case("a stride that divides", normal(1, 1, 13, 16), normal(1, 1, 4, 4), np.zeros(1), stride=3),
    Case("a stride that does not divide", normal(1, 2, 8, 6), normal(2, 2, 3, 3), normal(2), stride=2, weight=2),
    Case("stride and padding together", normal(3, 2, 5, 7), normal(2, 2, 2, 3), normal(2), stride=3, padding=1, weight=2),
    Case("whole-number pixels", integers(2, 1, 4, 6), normal(2, 1, 2, 3), normal(2)),
    Case("no Python loop over pixels", normal(1, 2, 44, 41), normal(3, 2, 3, 3), normal(3), max_steps=1500, weight=3),
]
check(conv2d, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("conv2d")

# %% [markdown]
# Give the explorer your function, and it shows your map beside the right one, wrong cells marked, for any setting that you choose. Try
# stride 3 and different paddings.

# %% tags=["experiment"]
ConvExplorer(conv2d, size=(8, 9), stride=2, padding=1)

# %% [markdown]
# ### Loops, blocks, PyTorch
#
# Time the three against each other, on one small photograph and eight 3 x 3 filters. The axis is logarithmic: each line up is ten times
# slower.

# %% tags=["experiment"]
import torch

arrays = small, np.random.default_rng(0).normal(size=(8, 1, 3, 3)), np.zeros(8)
tensors = [torch.from_numpy(array) for array in arrays]
times = {
    "conv2d_loops": 1000 * seconds(conv2d_loops, *arrays),
    "conv2d": 1000 * seconds(conv2d, *arrays),
    "torch, on this CPU": 1000 * seconds(torch.conv2d, *tensors),
}
plot_bars(times, "milliseconds", "a 60 x 90 image, 8 filters", log=True)
print(f"conv2d is {times['conv2d_loops'] / times['conv2d']:,.0f} times faster than the loops")

# %% [markdown]
# ## Two filters by hand
#
# Later the weights will be learned. To see what they can do, choose some yourself.
#
# To **blur**, replace each pixel by the average of its neighbourhood: all weights the same, and summing to 1, so that the brightness stays.
#
# To find **vertical edges**, where dark on the left meets bright on the right, compute *right minus left*. On a plain area that must give 0,
# and so must a horizontal edge, where above differs from below but left does not differ from right.

# %% [markdown]
# ## Exercise: `blur_kernel` and `edge_kernel`
#
# *easy · 15 minutes · 1 point each*
#
# Both return one filter for images of one channel, so with all four axes: shape (1, 1, KH, KW).
#
# **Predict** what an edge kernel answers where bright on the left meets dark on the right.
#
# <details><summary>Answer</summary>A negative number: right minus left.</details>

# %% nbgrader={"grade": false, "grade_id": "blur_kernel", "locked": false, "schema_version": 3, "solution": true, "task": false}
def blur_kernel(size):
    """Return the filter (1, 1, size, size) that averages: equal weights that sum to 1.

    >>> float(blur_kernel(2).sum())
    1.0
    """
    ### BEGIN SOLUTION
    return np.full((1, 1, size, size), 1 / size**2)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_blur_kernel", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 1}
check(blur_kernel)
### BEGIN HIDDEN TESTS
from course.checks import Case

check(
    blur_kernel,
    cases=[Case("7 by 7", 7), Case("even, 2 by 2", 2), Case("6 by 6", 6), Case("1 by 1 changes nothing", 1, weight=0.5)],
    random=10,
)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("blur_kernel")

# %% nbgrader={"grade": false, "grade_id": "edge_kernel", "locked": false, "schema_version": 3, "solution": true, "task": false}
def edge_kernel():
    """Return a filter (1, 1, 3, 3) for vertical edges.

    Positive where dark (left) meets bright (right); 0 on a plain area and on a horizontal edge.

    >>> edge_kernel().shape
    (1, 1, 3, 3)
    """
    ### BEGIN SOLUTION
    return np.array([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]).reshape(1, 1, 3, 3)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_edge_kernel", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 1}
check(edge_kernel)
### BEGIN HIDDEN TESTS
from course.checks import Case

check(edge_kernel, cases=[Case("silent on plain areas and horizontal edges, positive on vertical ones")])
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("edge_kernel")

# %% tags=["experiment"]
no_bias, edge = np.zeros(1), np.asarray(edge_kernel())
blurred = conv2d(photo, np.asarray(blur_kernel(9)), no_bias, padding=same_padding(9))
edges = np.asarray(conv2d(photo, edge, no_bias))
show_maps(blurred, edges, titles=["blurred", "vertical edges"])

# %% [markdown]
# Red is positive: dark on the left, bright on the right. Blue is negative, the other way round. The pavilion is darker than the sky, so its
# left outline is blue and its right one red. Horizontal lines all but vanish. Nine numbers did that.

# %% [markdown]
# Which other nine numbers make a picture worth looking at? Edit the kernel below and watch.

# %% tags=["experiment"]
KernelLab()

# %% [markdown]
# ## What sharing saves
#
# One 5 x 5 filter on a colour image has 5 · 5 · 3 weights and one bias, 76 numbers, and with shared weights that is all. If every place of
# its 28 x 28 map had a filter of its own, it would be 28 · 28 · 76 = 59,584.
#
# ## Exercise: `count_parameters`
#
# *easy · 10 minutes · 2 points*
#
# Count weights and biases of a layer, with shared filters (`out_size=None`) or with a full set of filters, biases included, for every
# place of a map of `out_size = (height, width)`.
#
# **Predict:** AlexNet's first layer has 96 filters of 11 x 11 on three channels. How many numbers is that, to the nearest thousand?

# %% nbgrader={"grade": false, "grade_id": "count_parameters", "locked": false, "schema_version": 3, "solution": true, "task": false}
def count_parameters(in_channels, out_channels, kernel_size, out_size=None):
    """Return the number of weights and biases, an int. The kernel is kernel_size x kernel_size.

    out_size: None for shared weights, or (height, width) of the map, each place with its own.

    >>> count_parameters(3, 1, 5), count_parameters(3, 1, 5, (28, 28))
    (76, 59584)
    """
    ### BEGIN SOLUTION
    one_set = (in_channels * kernel_size**2 + 1) * out_channels
    return one_set if out_size is None else one_set * out_size[0] * out_size[1]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_count_parameters", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(count_parameters)
### BEGIN HIDDEN TESTS
from course.checks import Case

check(
    count_parameters,
    cases=[
        Case("LeNet-5's first layer", 1, 6, 5),
        Case("the same, unshared", 1, 6, 5, (28, 28)),
        Case("AlexNet's first layer", 3, 96, 11),
        Case("the same, unshared", 3, 96, 11, (55, 55)),
        Case("a map that is not square", 5, 2, 7, (3, 11)),
    ],
    random=20,
)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("count_parameters")

# %% [markdown]
# ### A slide with a mistake
#
# A lecture on AlexNet's first layer says: 96 filters of 11 x 11 x 3 make a map of 55 x 55 x 96 = 290,400 values. With own weights at each
# place these are 290,400 · 364 = 105,705,600 parameters. With shared weights, says the slide, "34,944 (+96 biases)".
#
# **Predict**, then let your function tell: what is wrong with that?
#
# <details><summary>Answer</summary>11 · 11 · 3 · 96 = 34,848 weights, and 34,944 is already with the 96 biases: the slide counts them twice.
# The first number has them in: 364 is 363 weights and a bias.</details>

# %% tags=["experiment"]
shared, unshared = count_parameters(3, 96, 11), count_parameters(3, 96, 11, (55, 55))
print(f"unshared {unshared:,}, shared {shared:,}: {unshared // shared:,} times fewer")
weights = 11 * 11 * 3 * 96
print(f"of the {shared:,}, {weights:,} are weights and {shared - weights} are biases")

# %% [markdown]
# ## Move the image, and the map moves
#
# With the same question asked everywhere, an object gives the same answer wherever it is. So when the image shifts, the map shifts along
# and does not change otherwise; this is called *equivariance*. It is why a network needs to learn an edge only once.
#
# **Predict:** move the photograph 30 columns to the right, take the map, and lay it on the old map moved by 30 columns. How large is the
# largest difference?

# %% tags=["experiment"]
moved = np.roll(photo, 30, axis=3)
map_of_moved = np.asarray(conv2d(moved, edge, no_bias))
show_maps(edges, map_of_moved, titles=["map", "map of the moved photograph"])
print("largest difference:", np.abs(map_of_moved[..., 30:] - edges[..., :-30]).max())

# %% [markdown]
# None at all. (The vertical line near the left of the second map is the seam, where `np.roll` joins the two ends of the photograph.)
#
# ## What one output sees
#
# One 3 x 3 window sees 3 x 3 pixels. An output of a *second* 3 x 3 layer sees 3 x 3 outputs of the first, and through them more. What it
# sees in all is its *receptive field*.
#
# To find its size, light a single pixel and see how far it spreads: if a pixel reaches 5 outputs in a row, then an output is reached by 5
# pixels in a row.
#
# **Predict** its width after two, and after four layers.

# %% tags=["experiment"]
signal = np.zeros((1, 1, 15, 15))
signal[0, 0, 7, 7] = 1
layers, blur = [signal], np.asarray(blur_kernel(3))
for _ in range(4):
    layers.append(np.asarray(conv2d(layers[-1], blur, no_bias, padding=1)))
print("width of the lit area:", [int((layer[0, 0, 7] > 0).sum()) for layer in layers])
show_maps(*layers[1:], titles=["1 layer", "2 layers", "3 layers", "4 layers"])

# %% [markdown]
# Each layer adds two: 3, 5, 7, 9. And the middle counts more than the rim, since more paths lead there. Small kernels in deep stacks see
# far; unit 10 builds VGG on that.

# %% [markdown]
# ## Your picture
#
# Last, an edge detector that knows every direction. Your kernel gives the change from left to right. The same kernel with rows and columns
# swapped gives the change from top to bottom. The two together are an arrow at each pixel, across the edge, from dark to bright. Its length
# is how strong the edge is and becomes brightness; its direction becomes colour. Opposite arrows get the same colour (`% np.pi`), so that
# both sides of a line match. A little of your blur takes the noise out first.

# %% tags=["experiment"]
from matplotlib.colors import hsv_to_rgb

soft = np.asarray(conv2d(photo, blur, no_bias))
across = np.asarray(conv2d(soft, edge, no_bias))[0, 0]
down = np.asarray(conv2d(soft, edge.swapaxes(2, 3), no_bias))[0, 0]
strength = np.hypot(across, down)
angle = np.arctan2(down, across) % np.pi / np.pi
brightness = np.clip(strength / np.quantile(strength, 0.98), 0, 1)
colour = np.stack([angle, np.full_like(angle, 0.8), brightness], axis=-1)
show_images(photo, hsv_to_rgb(colour), titles=["photograph", "your edges: colour is direction"])

# %% [markdown]
# ## What you have learnt
#
# A convolution slides one small window over an image and asks the same question everywhere. Padding, stride and kernel size decide how
# large the map is, the number of filters how deep. Sharing weights makes it cheap, makes maps move with the image, and is what lets nine
# numbers find every vertical edge in a photograph.
#
# **Next:** who chooses the nine numbers? In [02 · Convolution backward](../02-convolution-backward/02-convolution-backward.ipynb) you compute how
# each weight should change, and let gradient descent find an unknown filter.
