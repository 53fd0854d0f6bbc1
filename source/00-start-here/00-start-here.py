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
# # 00 · Start here
#
# In this course you build the networks that see: first by hand, in NumPy, then in PyTorch, up to ResNet. You need Python and a little
# NumPy. You need to know nothing about convolution.
#
# This first notebook takes about 30 minutes. You will learn how a notebook, a check, a hint and a hand-in work, and find out what a
# photograph is to a computer. At its end stands a picture that your own two functions made.

# %% [markdown]
# ## Running cells
#
# A notebook is a list of cells. Click into a code cell and press **Shift + Enter**: it runs, and its answer appears below it.
#
# Begin with the next cell. It loads what this notebook uses, so run it, and your own functions, each time you open the notebook. It is locked, and so are the
# cells with checks. All others you may change as you like.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import numpy as np

from course.checks import check, hint
from course.data import photograph
from course.figures import show_images, show_maps

# %% [markdown]
# ## A photograph is a block of numbers
#
# The course brings two photographs along. Here is one.

# %% tags=["experiment"]
flower = photograph("flower")
show_images(flower, titles="flower")

# %% [markdown]
# To you it is a flower. To the computer it is an array: for each of 427 rows and 640 columns, three numbers from 0 to 255, the amounts of
# red, green and blue.

# %% tags=["experiment"]
print("shape:", flower.shape, " dtype:", flower.dtype)
print("the pixel in row 100, column 300:", flower[100, 300])

# %% [markdown]
# **Predict.** How many numbers is that in all, and how many bytes? Make a guess, then run the cell. (`uint8` is one byte.)

# %% tags=["experiment"]
print(f"{flower.size:,} numbers, {flower.nbytes:,} bytes")

# %% [markdown]
# ### Channels
#
# All the red numbers together form a *channel*: a picture of its own, in grey, that is bright where there is much red. The flower's
# photograph has three channels, and you can look at each.
#
# **Predict.** The petals are orange, which on a screen is much red light and some green. In which channel will they be brightest, in
# which darkest?

# %% tags=["experiment"]
show_images(flower[:, :, 0], flower[:, :, 1], flower[:, :, 2], titles=["red", "green", "blue"])

# %% [markdown]
# ### Which axis is which
#
# The shape `(427, 640, 3)` is *height, width, channels*, or HWC. Files and cameras order their numbers like this.
#
# Networks in this course want the channels first: *channels, height, width*, or CHW. So do PyTorch and the papers. (TensorFlow keeps the
# channels last; when you meet code that disagrees with yours, look there first.) One picture is then a stack of planes, which is called
# a *volume*, and it is what goes into a network's first layer, the *input layer*.

# %% [markdown]
# ## Exercise: `to_chw`
#
# *easy · 5 minutes · 1 point*
#
# Write a function that turns an HWC image into a CHW image. Nothing is computed: the same numbers are put in another order, so that
# `result[c, row, col]` is what was `image[row, col, c]`.
#
# **Predict.** `image.reshape(3, 427, 640)` has the right shape. Would it be the right answer?

# %% [markdown]
# In the next cell, replace the line `raise NotImplementedError` by your own code, and run the cell. The text in triple quotes says what
# goes in and what comes out. Its example, behind `>>>`, shows one call and its answer.
#
# When you are done, run the cell below it. `check(to_chw)` tries your function on several inputs and tells you what it found. Run it as
# often as you like: it costs nothing, and a wrong answer is where it is most useful.

# %% [markdown]
# Three things to know about running:
#
# - A check judges your function as you last **ran** it. After each change run your cell first. While it is not run, or ends in a `SyntaxError`, the
#   old function is still the one that counts.
# - A `NameError` says that a name is not known yet: run the first cell, and the cells of your own functions, and try again.
# - A cell with a star, `[*]`, is still running. When it does not end, stop it with the square button above the notebook (or press Escape, then
#   I twice).

# %% nbgrader={"grade": false, "grade_id": "to_chw", "locked": false, "schema_version": 3, "solution": true, "task": false}
def to_chw(image):
    """Reorder an image from (H, W, C) to (C, H, W), for any H, W and C.

    >>> to_chw(np.zeros((427, 640, 3))).shape
    (3, 427, 640)
    """
    ### BEGIN SOLUTION
    return np.transpose(image, (2, 0, 1))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_to_chw", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 1}
check(to_chw)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

check(
    to_chw,
    cases=[
        Case("two pixels, one above the other", np.array([[[1, 2, 3]], [[4, 5, 6]]])),
        Case("a high photograph", integers(7, 4, 3)),
        Case("as high and wide as it is deep", integers(4, 4, 4)),
        Case("one channel", normal(3, 5, 1)),
        Case("two channels", normal(2, 3, 2)),
    ],
    random=20,
)
### END HIDDEN TESTS

# %% [markdown]
# ### When you are stuck
#
# Run the next cell for a hint. Run it again for a stronger one: the first is a nudge, the second shows the structure, the third is
# nearly the code. Hints cost nothing. A good habit is to think for five minutes before each.

# %% tags=["experiment"]
hint("to_chw")

# %% [markdown]
# ### What a wrong answer looks like
#
# Let us answer the prediction above. Here is the function that many people write first, given to the same check under the name of the
# exercise. Read the answer from top to bottom: which case it was, what was expected and what came, a hint that fits *this* mistake, and
# the two arrays side by side.

# %% tags=["experiment"]
def reshaped(image):
    height, width, channels = image.shape
    return image.reshape(channels, height, width)


check(reshaped, name="to_chw")

# %% [markdown]
# And here is what the mistake does to a photograph: `reshape` keeps the numbers in their order and only moves the line breaks. Each
# "channel" is now one third of the photograph's rows, with the three colours interleaved along them.
#
# Your own function should give a whole, quiet picture.

# %% tags=["experiment"]
scrambled, yours = reshaped(flower)[0] / 255, np.asarray(to_chw(flower)[0]) / 255
show_images(scrambled, yours, titles=["reshape: scrambled", "yours"])

# %% [markdown]
# ## Numbers that a network likes
#
# Pixels run from 0 to 255, and most photographs are brighter in one channel than in another. Networks learn faster when every channel is
# centred on 0 with a spread of about 1: no channel shouts louder than the rest. (You will see *how much* faster in unit 04.)
#
# So before an image goes in, each channel has its mean subtracted and is divided by its standard deviation:
#
# $$\text{result}[c] = \frac{\text{image}[c] - \text{mean}[c]}{\text{std}[c]}$$

# %% [markdown]
# Where do the mean and the standard deviation come from? Not from the image itself: then a dark photograph and a bright one would look
# the same to the network. They are measured once, over the whole training set, and the same numbers serve every image, also when the
# network is used later. That is why they come in as arguments below.

# %% [markdown]
# ## Exercise: `normalize`
#
# *easy · 10 minutes · 2 points*
#
# `image` has shape (C, H, W); `mean` and `std` have one number a channel, shape (C,).
#
# **Predict.** What does NumPy say to `image - mean` when the shapes are (3, 427, 640) and (3,)? And when they are (3, 5, 3) and (3,)? One
# of the two is worse than an error.

# %% [markdown]
# *Broadcasting in one breath.* NumPy lines shapes up **from the right**. Where one of the two lengths is 1, that axis is stretched to fit;
# any other disagreement is an error. So (3,) meets the last axis, the width, while (3, 1, 1) meets (3, H, W) as you want it: the 3 meets
# the channels, and the ones are stretched over rows and columns. (`reshape(-1, 1, 1)` gives that shape for any number of channels: NumPy
# works out what -1 stands for.) Run the cell and see.

# %% tags=["experiment"]
ones = np.ones((3, 5, 3))
three = np.array([1, 2, 3])
print((ones * three)[0, 0], "along a row: (3,) met the width")
print((ones * three.reshape(3, 1, 1))[:, 0, 0], "down the channels: (3, 1, 1) met them")

# %% nbgrader={"grade": false, "grade_id": "normalize", "locked": false, "schema_version": 3, "solution": true, "task": false}
def normalize(image, mean, std):
    """Shift and scale each channel of a (C, H, W) image: (image - mean) / std.

    mean and std are arrays of shape (C,). Returns a new array; image is left as it is.

    >>> normalize(np.full((1, 1, 2), 14.0), np.array([10.0]), np.array([2.0]))
    array([[[2., 2.]]])
    """
    # 1. Give mean and std the shape (C, 1, 1).
    # 2. Subtract, then divide.
    ### BEGIN SOLUTION
    mean, std = np.reshape(mean, (-1, 1, 1)), np.reshape(std, (-1, 1, 1))
    return (image - mean) / std
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_normalize", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(normalize)
### BEGIN HIDDEN TESTS
from course.checks import Case, integers, normal

check(
    normalize,
    cases=[
        Case("one pixel", np.array([[[8.0]], [[28.0]], [[20.0]]]), np.array([10.0, 20, 30]), np.array([2.0, 4, 5])),
        Case("a high image", normal(3, 5, 2), np.array([1.0, -2, 3]), np.array([0.5, 2, 4])),
        Case("as high and wide as it is deep", normal(4, 4, 4), normal(4), np.array([1.5, 2, 3, 0.5])),
        Case("whole-number pixels", integers(3, 2, 6), np.array([-0.5, 2.75, 3.5]), np.array([0.75, 1.5, 3.25])),
        Case("one channel", normal(1, 4, 3), np.array([-1.5]), np.array([3.0])),
    ],
    random=20,
)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("normalize")

# %% [markdown]
# ## Your code at work
#
# Both your functions together are what every image in this course goes through. The next cell measures the mean and the standard
# deviation of each channel over both photographs, as one does over a training set, and uses your functions to prepare each.
#
# **Predict.** After normalising, what are the mean and the standard deviation of *one* of the two photographs: exactly 0 and 1, or only
# near them?

# %% tags=["experiment"]
photos = np.stack([to_chw(photograph("china")), to_chw(photograph("flower"))])
mean, std = photos.mean(axis=(0, 2, 3)), photos.std(axis=(0, 2, 3))
prepared = [np.asarray(normalize(image, mean, std)) for image in photos]
for name, image in zip(["china", "flower"], prepared):
    means, stds = image.mean(axis=(1, 2)), image.std(axis=(1, 2))
    print(f"{name:>6}: mean {means.round(2)}, std {stds.round(2)}")

# %% [markdown]
# One is brighter than the average of the two, one darker, and the numbers say so: the difference between the photographs has survived.
# Below are the red channels as a network gets them: red is above the training set's mean, blue below it, white just on it.

# %% tags=["experiment"]
show_maps(prepared[0][0], prepared[1][0], titles=["china, red channel", "flower, red channel"])

# %% [markdown]
# ## How far you are
#
# Each check leaves its answer in its notebook. The next cell reads them in all your units and shows which exercises have passed, each a
# filled dot. Come back to it whenever you like. What you did in another notebook counts once you have saved it.

# %% tags=["experiment"]
from course.student.progress import progress

progress()

# %% [markdown]
# ## Handing in
#
# A notebook is handed in as the file that it is. **Save** it (Ctrl + S), and let your instructor tell you where it goes: to
# *Nbgrader → Assignment List* in the menu, or as an upload of the file that `convnets submit 00` makes. Before you do, press **Validate**
# above the notebook: it runs all of it afresh and lists the exercises whose check fails. (One that you leave unwritten costs its own
# points only.)

# %% [markdown]
# Grading looks at the functions that you wrote and nothing else. It tries them on inputs other than those of the check here, of the same
# kinds. Extra cells, prints, warnings and pictures of yours cost nothing, nor does the way you write: loops or one line, lists or
# arrays, all is fair unless the exercise says otherwise. Only, up to unit 07 you write in NumPy: torch, SciPy and scikit-learn are not
# there when your functions are graded.

# %% [markdown]
# Studying alone? Then the checks are your teacher, and `convnets check 00-start-here` in a terminal runs all of them at once. When an
# exercise has passed, `hint("to_chw", "solution")` shows another way to write it.
#
# ## What you have learnt
#
# A photograph is a volume of numbers, with an order of axes that one has to know. Reordering axes is not reshaping. And an image is
# normalised channel by channel, with numbers that come from the training set.
#
# **Next:** in [01 · Convolution](../01-convolution/01-convolution.ipynb) a small window starts to move over such a volume, and finds things.
