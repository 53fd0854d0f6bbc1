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
# # 02 · Convolution backward
#
# Unit 01 ended with a question: who chooses the nine numbers of a filter? Nobody does. They are learned, by changing each of them a
# little so that the answer gets better, again and again.
#
# In this notebook you find out *how* to change each number: first by trying, then by calculating, which is far faster. It takes two to
# three hours, and needs unit 01. At the end your own code finds a filter that it has never seen, from nothing but a
# photograph and what the filter made of it.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import numpy as np

from course.checks import check, hint
from course.data import grey_photograph, mystery_filter
from course.explorers import ConvExplorer
from course.figures import plot_bars, plot_lines, show_images, show_maps, show_numbers
from course.layers import conv2d
from course.timing import seconds

# %% [markdown]
# The `conv2d` here does what yours of unit 01 does. It is computed by PyTorch, so that this notebook works even if yours is not finished.
# It is for the experiments; what you write does without it.
#
# ## A filter that nobody shows you
#
# On the left is a photograph, shifted and scaled so that its mean is 0 and its standard deviation 1. On the right is what a 7 x 7 filter
# made of it. (Red is positive, blue negative.) You may use both pictures. The filter itself, 49 numbers, stays hidden until the end;
# printing it now would spoil the story.

# %% tags=["experiment"]
photo, no_bias = grey_photograph("china", 60), np.zeros(1)
photo = (photo - photo.mean()) / photo.std()
target = conv2d(photo, mystery_filter(), no_bias)
show_maps(photo, target, titles=["photograph", "what the filter made of it"])

# %% [markdown]
# To find it, guess. Filter the photograph with your guess, and measure how wrong the result is by one number, the **loss**: here the mean
# of the squared differences. The smaller the loss, the better the guess.
#
# Begin with a guess of all zeros.
#
# **Predict:** make only the weight in the middle a little larger. Does the loss rise or fall? If you cannot know, how could you find out?

# %% tags=["experiment"]
def loss(w):
    return np.mean((conv2d(photo, w, no_bias) - target) ** 2)


guess = np.zeros((1, 1, 7, 7))
nudged = guess.copy()
nudged[0, 0, 3, 3] = 0.001
print(f"loss {loss(guess):.5f}, with the nudge {loss(nudged):.5f}")

# %% [markdown]
# You try it: nudge the weight and look. The change of the loss, divided by the size of the nudge, is the *slope* in the direction of that
# weight. If it is negative, a larger weight makes the loss smaller.
#
# The slopes of all 49 weights together are the **gradient**. It has the shape of the weights, and it points to where the loss grows
# fastest, so a small step *against* it makes the loss smaller. Repeating that step is *gradient descent*.

# %% [markdown]
# ## Exercise: `numerical_gradient`
#
# *easy · 20 minutes · 3 points*
#
# Find the gradient of any function by nudging. For each number of `x`, one at a time, with all others left as they are:
#
# ```text
# f(x with this number + eps) - f(x with this number - eps)
# ---------------------------------------------------------
#                         2 · eps
# ```
#
# Nudging up *and* down is more accurate than nudging up only.
#
# **Predict** for f(x) = x² at 3 with eps = 0.1: what do you get from both sides, and what from (f(3.1) - f(3)) / 0.1?
#
# <details><summary>Answer</summary>(9.61 - 8.41) / 0.2 = 6, which is exact, against 0.61 / 0.1 = 6.1.</details>

# %% nbgrader={"grade": false, "grade_id": "numerical_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def numerical_gradient(f, x, eps=1e-5):
    """Return the gradient of f at x: floats, of the shape of x.

    f: takes an array like x, returns one number. x: an array of any shape, also of whole
    numbers; it must be unchanged when you return. eps: the size of a nudge.

    >>> numerical_gradient(lambda x: np.sum(x ** 2), np.array([1, -2, 3])).round(6)
    array([ 2., -4.,  6.])
    """
    # 1. An answer of zeros, and a copy of x as floats. 2. Visit every position:
    # np.ndindex(x.shape). 3. Nudge up, nudge down, note the slope, put the old value back.
    ### BEGIN SOLUTION
    gradient, moved = np.zeros(x.shape), x.astype(float)
    for place in np.ndindex(x.shape):
        moved[place] = x[place] + eps
        above = f(moved)
        moved[place] = x[place] - eps
        gradient[place] = (above - f(moved)) / (2 * eps)
        moved[place] = x[place]
    return gradient
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_numerical_gradient", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(numerical_gradient)
### BEGIN HIDDEN TESTS
from course.checks import Case, function, integers, normal

check(
    numerical_gradient,
    cases=[
        Case("squares", function("np.sum(x ** 2)"), np.array([-1.5, 0.5, 4.0])),
        Case("a product", function("np.prod(x)"), np.array([1.0, -2.0, 5.0])),
        Case("a table of numbers", function("np.sum(np.exp(2 * x))"), normal(3, 2)),
        Case("four axes", function("np.sum(np.cos(x)) * np.sum(x ** 2)"), normal(1, 2, 3, 2)),
        Case("whole numbers", function("np.sum(x ** 2) + np.sum(np.cos(x))"), integers(5)),
        Case("a larger eps", function("np.sum(x) ** 2 - np.sum(x ** 3)"), normal(2, 4), eps=0.1),
    ],
    random=20,
)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("numerical_gradient")

# %% [markdown]
# ### How small a nudge?
#
# The slope of eˣ at 1 is e, so the error can be measured.
#
# **Predict:** is a smaller nudge always better?

# %% tags=["experiment"]
sizes = 10.0 ** -np.arange(1, 14)
up_only = [abs((np.exp(1 + eps) - np.exp(1)) / eps - np.e) for eps in sizes]


def total(x):
    return np.exp(x).sum()


both = [abs(numerical_gradient(total, np.ones(1), eps)[0] - np.e) for eps in sizes]
errors = {"up only": up_only, "up and down (yours)": both}
plot_lines(errors, "size of the nudge", "error of the slope", x=sizes, log="xy")

# %% [markdown]
# From right to left, both lines fall at first. Up only, a tenth of the nudge leaves a tenth of the error; with both sides, a hundredth.
#
# Then both rise again. A computer keeps about 16 digits, and two nearly equal values of f differ in the last few only: what is left after
# subtracting is mostly rounding. That is why eps is 1e-5 here, not 1e-15.
#
# ### What it costs
#
# Two calls of f for every number in x: for 49 weights that is fine. AlexNet has 61 million.
#
# **Predict:** if each call took no longer than this small one, how long would one step of gradient descent take?

# %% tags=["experiment"]
one_call = seconds(loss, guess)
hours = 2 * 61e6 * one_call / 3600
print(f"one call: {1000 * one_call:.2f} ms")
print(f"one step of descent on 61 million weights: {hours:.1f} hours")

# %% [markdown]
# So nudging is for checking. To learn, calculate.
#
# ## Backward, from the output
#
# The loss does not see the weights. It sees the *outputs*. So ask first: how does the loss change with each output? For the mean of squares
# that is 2 · (output - target) / number of outputs.
#
# This array is called **`grad_out`**. It has the shape of the output, and it is all that a layer needs to know about the loss.

# %% tags=["experiment"]
out = conv2d(photo, guess, no_bias)
grad_out = 2 * (out - target) / out.size
print("outputs of the guess:", out.min(), "to", out.max())
show_maps(target, grad_out, titles=["target", "grad_out"])

# %% [markdown]
# All outputs are 0, so `grad_out` is the target turned negative and scaled: where the target is high, a higher output lowers the loss.
#
# Now go one step back. A weight changes some outputs, and each of them changes the loss. The **chain rule** says: multiply along each path,
# then add up the paths. Three functions do that, for b, w and x.
#
# They are pure functions: `grad_out` and the layer's inputs go in, a new array comes out, and nothing is changed in place. (CS231n hands over
# a tuple called `cache` instead.)

# %% [markdown]
# ## Exercise: `conv2d_grad_bias`
#
# *easy · 10 minutes · 1 point*
#
# The bias of map o is added to every output of map o, in every image. If it grows by 1, so does each of these outputs.
#
# Some courses divide by the number of images in here. We leave that to the loss, as PyTorch does: if the loss is a mean, `grad_out` has the
# division in it already.
#
# **Predict:** `grad_out` is all ones, of shape (2, 3, 4, 5). What is the gradient of b?
#
# <details><summary>Answer</summary>2 · 4 · 5 = 40 for each of the three maps: array([40., 40., 40.])</details>

# %% nbgrader={"grade": false, "grade_id": "conv2d_grad_bias", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv2d_grad_bias(grad_out):
    """Return the gradient of the loss with respect to b.

    grad_out: (N, O, H_out, W_out). Returns (O,), sums and not means.

    >>> conv2d_grad_bias(np.array([[[[1.0, 2.0], [3.0, -1.0]]]]))
    array([5.])
    """
    ### BEGIN SOLUTION
    return grad_out.sum(axis=(0, 2, 3))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_conv2d_grad_bias", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 1}
check(conv2d_grad_bias)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

check(
    conv2d_grad_bias,
    cases=[
        Case("one map", np.array([[[[2.0, -0.5, 1.0]]]])),
        Case("two maps", normal(1, 2, 3, 2)),
        Case("four images of three maps", normal(4, 3, 2, 5)),
        Case("as many images as maps", normal(2, 2, 3, 4)),
        Case("maps as wide as they are many", normal(4, 3, 2, 3)),
        Case("whole numbers", integers(3, 2, 4, 3)),
    ],
    random=20,
)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("conv2d_grad_bias")

# %% [markdown]
# ## One weight, many places
#
# A weight is used at every place of the output. At each it is multiplied by the pixel that it meets there. So if the weight grows by 1, the
# output at that place grows by that pixel, and the loss by `grad_out` there times the pixel. The paths add up:
#
# **the gradient of a shared weight is the sum over all the places where it is used.**
#
# Here a 2 x 2 kernel lies on a 3 x 3 image, so there are four places, and these are the pixels that the kernel's upper right weight met.
#
# **Predict** the gradient of that weight.

# %% tags=["experiment"]
image = np.arange(1.0, 10.0).reshape(3, 3)
sample = np.array([[1.0, 0.0], [0.0, 2.0]])
titles = ["image", "met by weight (0, 1)", "grad_out"]
show_numbers(image, image[0:2, 1:3], sample, titles=titles)

# %% [markdown]
# <details><summary>Answer</summary>2 · 1 + 3 · 0 + 5 · 0 + 6 · 2 = 14</details>
#
# ## Exercise: `conv2d_grad_weight`
#
# *medium · 30 minutes · 4 points*
#
# You know the blocks from unit 01: for kernel position (i, j), the pixels that the weights there meet are one block of the padded image, as
# large as the output. To pad, use np.pad with a pair for each axis, or paste your `zero_pad` into a cell above.
#
# Of `w` you need the shape only. (It does not follow from the other shapes: when the stride does not divide, kernels of several sizes give
# the same output size.)
#
# A loop over places is accepted here. The last exercise wants none, so a loop over kernel positions saves you work.

# %% nbgrader={"grade": false, "grade_id": "conv2d_grad_weight", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv2d_grad_weight(grad_out, x, w, stride=1, padding=0):
    """Return the gradient of the loss with respect to w.

    grad_out: (N, O, H_out, W_out). x: (N, C, H, W), not padded. w: (O, C, KH, KW).
    Returns floats of the shape of w: sums over images and places, not means.

    >>> image = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    >>> conv2d_grad_weight(np.ones((1, 1, 2, 2)), image, np.zeros((1, 1, 2, 2)))[0, 0]
    array([[12., 16.],
           [24., 28.]])
    """
    # 1. Pad x. 2. Start with zeros. 3. For each kernel position: the block that it met,
    # times grad_out, summed over images and places: a number for each filter and channel.
    ### BEGIN SOLUTION
    height, width = grad_out.shape[2:]
    padded = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    grad_w = np.zeros(w.shape)
    for i, j in np.ndindex(w.shape[2:]):
        block = padded[:, :, i : i + stride * height : stride, j : j + stride * width : stride]
        grad_w[:, :, i, j] = np.einsum("nohw,nchw->oc", grad_out, block)
    return grad_w
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_conv2d_grad_weight", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 4}
check(conv2d_grad_weight)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

cases = [
    Case("six windows", normal(1, 1, 2, 3), normal(1, 1, 3, 4), normal(1, 1, 2, 2)),
    Case("one window", np.array([[[[-3.0]]]]), normal(1, 1, 2, 3), normal(1, 1, 2, 3)),
    Case("a high image, a wide kernel", normal(1, 1, 6, 2), normal(1, 1, 7, 5), normal(1, 1, 2, 4)),
    Case("four channels, three filters", normal(1, 3, 4, 2), normal(1, 4, 5, 4), normal(3, 4, 2, 3)),
    Case("as many filters as channels", normal(1, 3, 2, 5), normal(1, 3, 4, 6), normal(3, 3, 3, 2)),
    Case("three images", normal(3, 2, 3, 2), normal(3, 2, 5, 4), normal(2, 2, 3, 3)),
    Case("padding", normal(1, 1, 6, 5), normal(1, 1, 4, 3), normal(1, 1, 3, 3), padding=2),
    Case("a stride that divides", normal(1, 1, 3, 4), normal(1, 1, 7, 9), normal(1, 1, 3, 3), stride=2),
    Case("a stride that does not divide", normal(1, 2, 3, 2), normal(1, 2, 9, 7), normal(2, 2, 3, 2), stride=3),
    Case("a stride larger than the kernel", normal(1, 2, 2, 3), normal(1, 1, 7, 9), normal(2, 1, 2, 1), stride=4, weight=0.5),
    Case("stride and padding together", normal(2, 3, 4, 4), normal(2, 2, 6, 5), normal(3, 2, 3, 2), stride=2, padding=2),
    Case("whole-number pixels and weights", normal(1, 2, 2, 4), integers(1, 1, 4, 5), integers(2, 1, 3, 2)),
]
check(conv2d_grad_weight, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("conv2d_grad_weight")

# %% [markdown]
# ### See the sum
#
# Take the weight in the middle of the 7 x 7 kernel. Below are `grad_out`, the pixels that the weight met, and the product of the two: what
# each place says about this one weight.
#
# **Predict:** three ways lead to its gradient: adding up the picture on the right, your `conv2d_grad_weight`, and nudging. How well do they
# agree?

# %% tags=["experiment"]
met = photo[:, :, 3:-3, 3:-3]
show_maps(grad_out, met, grad_out * met, titles=["grad_out", "pixels met", "product"])
print("sum of the picture:", np.sum(grad_out * met))
print("conv2d_grad_weight:", conv2d_grad_weight(grad_out, photo, guess)[0, 0, 3, 3])
print("numerical_gradient:", numerical_gradient(loss, guess)[0, 0, 3, 3])

# %% [markdown]
# Some places want the weight larger (blue: the loss falls), some want it smaller. The sum decides.
#
# And the time, for all 49 weights? **Predict** how many times faster the calculation is than nudging. (The axis is logarithmic.)

# %% tags=["experiment"]
times = {
    "numerical_gradient": 1000 * seconds(numerical_gradient, loss, guess),
    "conv2d_grad_weight": 1000 * seconds(conv2d_grad_weight, grad_out, photo, guess),
}
plot_bars(times, "milliseconds", "the gradient of 49 weights", log=True)
nudging, calculating = times.values()
print(f"calculating is {nudging / calculating:.0f} times faster")

# %% [markdown]
# ## Back to the pixels
#
# In a deep network `x` is no photograph but the output of the layer before. That layer needs *its* `grad_out`, which is our gradient of x. So
# the gradient travels back layer by layer; this is *backpropagation*.
#
# A pixel lies in several windows, and so goes into several outputs. Each of these sends back its `grad_out` times the weight that the
# pixel met there, and again the paths add up.
#
# Point at a pixel of the input below: the explorer shows the outputs that it goes into. Which pixels go into one output only?
#
# <details><summary>Answer</summary>The four corners.</details>

# %% tags=["experiment"]
ConvExplorer(size=5)

# %% [markdown]
# **Predict**, for this kernel and this `grad_out` on a 3 x 3 image, the gradient of the pixel in the middle. Which weight did it meet in each of
# the four windows?

# %% tags=["experiment"]
kernel = np.array([[1.0, 2.0], [3.0, 4.0]])
show_numbers(kernel, sample, titles=["kernel", "grad_out"])

# %% [markdown]
# <details><summary>Answer</summary>The weights 4, 3, 2 and 1, in the windows top left, top right, bottom left and bottom right. So
# 1 · 4 + 0 · 3 + 0 · 2 + 2 · 1 = 6.</details>
#
# With padding, the gradient is gathered on the *padded* image, and the border comes off at the end. Many people cut it off with
# `padding:-padding`.
#
# **Predict** what this prints, above all the last line.
#
# <details><summary>Answer</summary>With 0 the row is empty: -0 is 0, so the slice is `0:0`. Say where to stop by counting from the
# front.</details>

# %% tags=["experiment"]
row = np.arange(6)
for padding in (2, 1, 0):
    print(padding, row[padding:-padding])

# %% [markdown]
# ## Exercise: `conv2d_grad_input`
#
# *hard · 40 minutes · 5 points*
#
# Send every output's `grad_out` back to the pixels of its window, through the weights. Where windows overlap, add. A pixel that no window
# reads has the gradient 0.
#
# Again there are two ways round: output by output, which is a loop over places, or kernel position by kernel position, with the very
# blocks of the forward pass. (A slice is a view: `block += ...` changes the array that it is cut from.) Of `x` you need the shape only.
#
# (Frameworks call it *transposed convolution*. At stride 1 it is a convolution over `grad_out` in a border of kernel size less 1, with the
# kernel flipped, filters and channels exchanged. Blocks need no flip.)

# %% nbgrader={"grade": false, "grade_id": "conv2d_grad_input", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv2d_grad_input(grad_out, x, w, stride=1, padding=0):
    """Return the gradient of the loss with respect to x.

    grad_out: (N, O, H_out, W_out). x: (N, C, H, W), not padded. w: (O, C, KH, KW).
    Returns floats of the shape of x.

    >>> kernel = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> conv2d_grad_input(np.ones((1, 1, 2, 2)), np.zeros((1, 1, 3, 3)), kernel)[0, 0]
    array([[ 1.,  3.,  2.],
           [ 4., 10.,  6.],
           [ 3.,  7.,  4.]])
    """
    # 1. Zeros, as large as the padded x. 2. For each kernel position: add what the outputs
    # send back, summed over filters, to the block it met. 3. Cut the border off.
    ### BEGIN SOLUTION
    (height, width), (rows, columns) = grad_out.shape[2:], x.shape[2:]
    whole = np.zeros((*x.shape[:2], rows + 2 * padding, columns + 2 * padding))
    for i, j in np.ndindex(w.shape[2:]):
        block = whole[:, :, i : i + stride * height : stride, j : j + stride * width : stride]
        block += np.einsum("nohw,oc->nchw", grad_out, w[:, :, i, j])
    return whole[:, :, padding : padding + rows, padding : padding + columns]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_conv2d_grad_input", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 5}
check(conv2d_grad_input)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

cases = [
    Case("six windows", normal(1, 1, 2, 3), normal(1, 1, 3, 4), normal(1, 1, 2, 2)),
    Case("one window", np.array([[[[-3.0]]]]), normal(1, 1, 2, 3), normal(1, 1, 2, 3)),
    Case("a high image, a wide kernel", normal(1, 1, 6, 2), normal(1, 1, 7, 5), normal(1, 1, 2, 4)),
    Case("four channels, three filters", normal(1, 3, 4, 2), normal(1, 4, 5, 4), normal(3, 4, 2, 3)),
    Case("as many filters as channels", normal(1, 3, 2, 5), normal(1, 3, 4, 6), normal(3, 3, 3, 2)),
    Case("three images", normal(3, 2, 3, 2), normal(3, 2, 5, 4), normal(2, 2, 3, 3)),
    Case("padding", normal(1, 1, 6, 5), normal(1, 1, 4, 3), normal(1, 1, 3, 3), padding=2),
    Case("a stride that divides", normal(1, 1, 3, 4), normal(1, 1, 7, 9), normal(1, 1, 3, 3), stride=2),
    Case("a stride that does not divide", normal(1, 2, 3, 2), normal(1, 2, 9, 7), normal(2, 2, 3, 2), stride=3),
    Case("a stride larger than the kernel", normal(1, 2, 2, 3), normal(1, 1, 7, 9), normal(2, 1, 2, 1), stride=4, weight=0.5),
    Case("stride and padding together", normal(2, 3, 4, 4), normal(2, 2, 6, 5), normal(3, 2, 3, 2), stride=2, padding=2),
    Case("whole-number pixels and weights", normal(1, 2, 2, 4), integers(1, 1, 4, 5), integers(2, 1, 3, 2)),
]
check(conv2d_grad_input, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("conv2d_grad_input")

# %% [markdown]
# If all weights and all of `grad_out` are 1, the gradient of a pixel says in how many windows it lies.
#
# **Predict** the three tables for a 3 x 3 kernel on a 6 x 6 image. Where are zeros?

# %% tags=["experiment"]
blank, ones = np.zeros((1, 1, 6, 6)), np.ones((1, 1, 3, 3))
counts = []
for stride, padding in [(1, 0), (2, 0), (1, 1)]:
    places = np.ones_like(conv2d(blank, ones, no_bias, stride, padding))
    counts.append(conv2d_grad_input(places, blank, ones, stride, padding))
show_numbers(*counts, titles=["stride 1", "stride 2", "stride 1, padding 1"])

# %% [markdown]
# The zeros belong to the pixels that stride 2 leaves over: the loss does not depend on them at all.
#
# ### Descent on pixels
#
# The gradient of x has a use of its own: you can change the *image*. Below, a photograph is blurred. Begin with the blurred one, and change
# its pixels step by step until, blurred again, it gives the blurred photograph. The loss is half the sum of the squared errors, so its
# `grad_out` is simply the error.
#
# **Predict:** does the sharp photograph come back?

# %% tags=["experiment"]
sharp, blur = grey_photograph("china", 100), np.full((1, 1, 5, 5), 1 / 25)
blurred = conv2d(sharp, blur, no_bias, padding=2)
image = blurred
for _ in range(100):
    error = conv2d(image, blur, no_bias, padding=2) - blurred
    image = image - conv2d_grad_input(error, image, blur, padding=2)
show_images(blurred, image, sharp, titles=["blurred", "after 100 steps", "sharp"])
distance = [np.abs(picture - sharp).mean() for picture in (blurred, image)]
print("mean distance from the sharp photograph: {:.3f}, then {:.3f}".format(*distance))

# %% [markdown]
# Much of it does. What the blur has wiped out all but completely, the finest detail, does not. In its place there are ripples: along the
# edges, and over much of the sky, strongest at the top and at the left border.

# %% [markdown]
# ## Exercise: `conv2d_backward`
#
# *easy · 15 minutes · 3 points*
#
# Put the three together. The gradients come back in the order of conv2d's inputs: x, w, b.
#
# From now on this function is called hundreds of times, so it is graded without a Python loop over pixels, in the functions that it calls
# too. If yours loop over places, go back and let them loop over kernel positions.
#
# **Predict** the shapes of the three gradients for x (2, 3, 8, 6), w (5, 3, 3, 3) and stride 2.
#
# <details><summary>Answer</summary>(2, 3, 8, 6), (5, 3, 3, 3) and (5,): those of x, w and b, whatever the stride.</details>

# %% nbgrader={"grade": false, "grade_id": "conv2d_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv2d_backward(grad_out, x, w, stride=1, padding=0):
    """Return the gradients of the loss with respect to x, w and b, as a tuple in this order.

    grad_out: (N, O, H_out, W_out). x: (N, C, H, W), not padded. w: (O, C, KH, KW).

    >>> ones = np.ones((1, 1, 2, 2))
    >>> grad_x, grad_w, grad_b = conv2d_backward(ones, np.ones((1, 1, 3, 3)), ones)
    >>> grad_x.shape, grad_w.shape, grad_b
    ((1, 1, 3, 3), (1, 1, 2, 2), array([4.]))
    """
    ### BEGIN SOLUTION
    grad_x = conv2d_grad_input(grad_out, x, w, stride, padding)
    grad_w = conv2d_grad_weight(grad_out, x, w, stride, padding)
    return grad_x, grad_w, conv2d_grad_bias(grad_out)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_conv2d_backward", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(conv2d_backward)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

cases = [
    Case("six windows", normal(1, 1, 2, 3), normal(1, 1, 3, 4), normal(1, 1, 2, 2)),
    Case("one window", np.array([[[[-3.0]]]]), normal(1, 1, 2, 3), normal(1, 1, 2, 3)),
    Case("a high image, a wide kernel", normal(1, 1, 6, 2), normal(1, 1, 7, 5), normal(1, 1, 2, 4)),
    Case("four channels, three filters", normal(1, 3, 4, 2), normal(1, 4, 5, 4), normal(3, 4, 2, 3)),
    Case("as many filters as channels", normal(1, 3, 2, 5), normal(1, 3, 4, 6), normal(3, 3, 3, 2)),
    Case("three images", normal(3, 2, 3, 2), normal(3, 2, 5, 4), normal(2, 2, 3, 3)),
    Case("padding", normal(1, 1, 6, 5), normal(1, 1, 4, 3), normal(1, 1, 3, 3), padding=2),
    Case("a stride that divides", normal(1, 1, 3, 4), normal(1, 1, 7, 9), normal(1, 1, 3, 3), stride=2),
    Case("a stride that does not divide", normal(1, 2, 3, 2), normal(1, 2, 9, 7), normal(2, 2, 3, 2), stride=3),
    Case("stride and padding together", normal(2, 3, 4, 4), normal(2, 2, 6, 5), normal(3, 2, 3, 2), stride=2, padding=2),
    Case("whole-number pixels and weights", normal(1, 2, 2, 4), integers(1, 1, 4, 5), integers(2, 1, 3, 2)),
    Case("no Python loop over pixels", normal(2, 3, 43, 38), normal(2, 2, 45, 40), normal(3, 2, 3, 3), max_steps=1500, weight=3),
]
check(conv2d_backward, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("conv2d_backward")

# %% [markdown]
# ### Check it yourself
#
# No check of ours is needed to trust a gradient: nudging knows nothing about convolutions. Take sum(g · output) as the loss, whose `grad_out`
# is g.
#
# **Predict** the order of magnitude of the largest difference.

# %% tags=["experiment"]
rng = np.random.default_rng(0)
x, w, b = (rng.normal(size=shape) for shape in [(2, 3, 7, 6), (4, 3, 3, 2), (4,)])
g = rng.normal(size=conv2d(x, w, b, 2, 1).shape)
by_nudging = {
    "x": numerical_gradient(lambda x: np.sum(g * conv2d(x, w, b, 2, 1)), x),
    "w": numerical_gradient(lambda w: np.sum(g * conv2d(x, w, b, 2, 1)), w),
    "b": numerical_gradient(lambda b: np.sum(g * conv2d(x, w, b, 2, 1)), b),
}
for calculated, (name, nudged) in zip(conv2d_backward(g, x, w, 2, 1), by_nudging.items()):
    print(name, "largest difference", np.abs(calculated - nudged).max())

# %% [markdown]
# ## Find the filter
#
# Everything is there. Guess, compare, go backward, take a step against the gradient; the size of the step is the *learning rate*. The
# filter to be found is not in this loop: only the photograph and the target are.

# %% tags=["experiment"]
def find_filter(x, target, rate, steps):
    """Return the guesses of a descent, first to last, and their losses."""
    guesses, losses = [np.zeros((1, 1, 7, 7))], []
    for _ in range(steps):
        out = conv2d(x, guesses[-1], no_bias)
        losses.append(np.mean((out - target) ** 2))
        _, grad_w, _ = conv2d_backward(2 * (out - target) / out.size, x, guesses[-1])
        guesses.append(guesses[-1] - rate * grad_w)
    return guesses, losses


guesses, losses = find_filter(photo, target, rate=0.012, steps=2000)
show_maps(*(guesses[n] for n in (1, 10, 100, 2000)), titles=["1 step", "10", "100", "2000"])

# %% [markdown]
# Something appears, blurred at first, then sharper. But slowly. Would larger steps help?
#
# **Predict** what the loss does with a rate of 0.03.

# %% tags=["experiment"]
too_large = find_filter(photo, target, rate=0.03, steps=30)[1]
plot_lines({"rate 0.03": too_large}, "step", "loss", log="y")

# %% [markdown]
# It falls for a few steps, and then explodes. So why is it slow? Perhaps the photograph is a poor teacher: neighbouring pixels are nearly
# the same, so neighbouring weights do nearly the same, and the loss hardly tells them apart.
#
# Test that idea with an image in which neighbours have nothing in common: pure noise. It bears a rate of 0.4.
#
# **Predict** how many steps the noise needs until its loss is below that of the photograph after 2000.

# %% tags=["experiment"]
noise = np.random.default_rng(1).normal(size=photo.shape)
for name, x in {"photograph": photo, "noise": noise}.items():
    alike = np.corrcoef(x[..., 1:].ravel(), x[..., :-1].ravel())[0, 1]
    print(f"{name}: correlation of neighbours {alike:.2f}")
noise_target = conv2d(noise, mystery_filter(), no_bias)
noise_guesses, noise_losses = find_filter(noise, noise_target, rate=0.4, steps=20)
print("steps with noise:", np.argmax(np.array(noise_losses) < losses[-1]))
lines = {"photograph": losses, "noise": noise_losses}
plot_lines(lines, "step", "loss", log="xy")

# %% [markdown]
# With noise, each step makes the loss several times smaller: three do what took 2000 on the photograph. There, a few broad features of
# the filter are found quickly, and the rest only creeps along: the loss is a long valley. Units 04, 05 and 06 are about getting out of
# such valleys.
#
# ## Your picture
#
# Here is what your code has found, next to what was hidden.

# %% tags=["experiment"]
found = guesses[-1], noise_guesses[-1], mystery_filter()
show_maps(*found, titles=["from the photograph", "from noise", "hidden until now"])
for name, w in zip(["photograph", "noise"], found):
    print(f"{name}: largest error of a weight {np.abs(w - mystery_filter()).max():.2g}")

# %% [markdown]
# ## What you have learnt
#
# A gradient can be found by nudging, which is slow and easy to trust, or by calculating backward from `grad_out`, which is fast and has to
# be checked. What is used in many places collects its gradient from all of them: a shared weight from every window, a pixel from every window
# that it lies in. With the gradient, descent finds the numbers of a filter that nobody has told it, sooner or later depending on the data.
#
# **Next:** between convolutions, networks shrink their maps and bend them. In [03 · Pooling and
# activations](../03-pooling-and-activations/03-pooling-and-activations.ipynb) you write these layers, forward and backward, and a loss for
# classes.
