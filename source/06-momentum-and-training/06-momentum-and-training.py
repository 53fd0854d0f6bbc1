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
# # 06 · Momentum and training
#
# Units 02 and 03 gave you gradients: for every weight, the direction that makes the loss grow. This notebook is about walking: how far to
# step, where to start, in which order to look at the data, and what to do at the end.
#
# It takes three to four hours, and needs NumPy and the idea of a gradient. At the end nets that you have trained read digits through
# fog, and read them better together than alone.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import numpy as np

from course.checks import check, hint
from course.data import digits
from course.explorers import OptimizerPlane
from course.figures import plot_bars, plot_lines, show_images, show_paths
from course.layers import linear, linear_backward, relu, relu_backward
from course.layers import softmax_cross_entropy, softmax_cross_entropy_gradient

# %% [markdown]
# The layers are those of unit 03, computed by PyTorch, so that this notebook works even if yours are not finished.
#
# These are the digits, clear above and in fog below. **Predict:** how many of the lower ones can *you* read?

# %% tags=["experiment"]
train_x, train_y, test_x, test_y = digits()
train_x, test_x = train_x.reshape(-1, 64), test_x.reshape(-1, 64)
foggy = test_x + 0.4 * np.random.default_rng(0).standard_normal(test_x.shape)
shown = np.concatenate([test_x[:4], foggy[:4]]).reshape(-1, 8, 8)
show_images(*shown, titles=[str(label) for label in test_y[:4]])

# %% [markdown]
# ## One step
#
# Start with two weights only, so that the loss can be drawn as a landscape. Ours is a *ravine*: 40 times as steep across as along. Its lowest
# point is at (0, 0).

# %% tags=["experiment"]
def ravine(w):
    return (w[0] ** 2 + 40 * w[1] ** 2) / 2


def slope(w):
    return np.array([1.0, 40.0]) * w


print("gradient at (-10, 1):", slope(np.array([-10.0, 1.0])))

# %% [markdown]
# At (-10, 1) the way to the bottom is ten times as far along as across. Yet the gradient is four times as large across. It points to where
# the loss grows fastest, and that is hardly ever the way to the minimum.
#
# ## Exercise: `sgd_step`
#
# *easy · 5 minutes · 1 point*
#
# Make one step of gradient descent: against the gradient `g`, scaled by the learning rate `lr`.
#
# All steps in this notebook return new arrays. What they are given stays as it was: no `w -= ...`.
#
# **Predict** the new weights from (-10, 1) with the gradient above and lr = 0.05.
#
# <details><summary>Answer</summary>(-10, 1) - 0.05 · (-10, 40) = (-9.5, -1): across, it has jumped to the other wall.</details>

# %% nbgrader={"grade": false, "grade_id": "sgd_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sgd_step(w, g, lr):
    """Return the weights after one step of gradient descent, a new array.

    w: weights, any shape. g: their gradient, same shape. lr: learning rate, a number.

    >>> sgd_step(np.array([1.0, -2.0]), np.array([4.0, 6.0]), 0.5)
    array([-1., -5.])
    """
    ### BEGIN SOLUTION
    return w - lr * g
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_sgd_step", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 1}
check(sgd_step)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal

check(
    sgd_step,
    cases=[
        Case("by hand", np.array([2.0, 3.0]), np.array([-1.0, 10.0]), 0.1),
        Case("a large rate", normal(2, 5), 2 * normal(2, 5) - 1, 1.5),
        Case("four axes", normal(3, 2, 2, 3), normal(3, 2, 2, 3) + 1, 0.03),
    ],
    random=20,
)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("sgd_step")

# %% [markdown]
# Walk 40 steps from (-10, 1) with three rates. **Predict:** which one gets closest to the cross at (0, 0), and what happens with the largest?

# %% tags=["experiment"]
def walk(step, lr, steps=40, **settings):
    state = [np.array([-10.0, 1.0]), np.zeros(2)]
    path = [state[0]]
    for _ in range(steps):
        state = [np.asarray(part) for part in step(*state, lr, **settings)]
        path.append(state[0])
    return np.array(path)


plain = lambda w, v, lr: (sgd_step(w, slope(w), lr), v)
show_paths(ravine, {f"rate {lr}": walk(plain, lr) for lr in (0.005, 0.045, 0.051)})

# %% [markdown]
# Too small, and it crawls along. Too large, and each step across overshoots by more than the last. In between it jumps from wall to wall:
# the steep direction sets the rate, the flat one pays for it.

# %% [markdown]
# ## A ball with momentum
#
# Let a heavy ball roll instead. It has a **velocity** `v`, a running sum of gradients in which older ones count less and less. Across the
# ravine gradients change sign and cancel. Along it they agree and add up.
#
# ```text
# v = beta · v + g
# w = w - lr · v
# ```
#
# That is how PyTorch writes it. CS231n puts the rate and the sign into the velocity: v = mu v - lr g, then w = w + v. The weights go the same way,
# until the rate changes; the v you return here is PyTorch's.

# %% [markdown]
# ## Exercise: `momentum_step`
#
# *easy · 15 minutes · 2 points*
#
# Make one such step, and return the new weights *and* the new velocity: the caller keeps both.
#
# **Predict:** a ball at rest (v = 0) gets the same gradient, 1, three times, with beta = 0.5. What is v after each step? Where does it end, if
# this goes on for ever?
#
# <details><summary>Answer</summary>1, 1.5, 1.75, and on to 2, which is 1 / (1 - beta).</details>

# %% nbgrader={"grade": false, "grade_id": "momentum_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def momentum_step(w, v, g, lr, beta=0.9):
    """Return w and v after one step with momentum, as new arrays.

    w, v, g: weights, velocity, gradient, of one shape. beta: what is kept of the old velocity.

    >>> momentum_step(np.array([1.0]), np.array([0.5]), np.array([2.0]), 0.1, beta=0.5)
    (array([0.775]), array([2.25]))
    """
    # First the velocity, then the weights, by the new velocity.
    ### BEGIN SOLUTION
    velocity = beta * v + g
    return w - lr * velocity, velocity
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_momentum_step", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(momentum_step)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal

cases = [
    Case("by hand", np.array([3.0, 0.0]), np.array([-1.0, 2.0]), np.array([4.0, 5.0]), 0.2, beta=0.75),
    Case("from rest", normal(4), np.zeros(4), 3 * normal(4) - 1, 0.3, beta=0.6, weight=0.5),
    Case("a table", normal(4, 2), normal(4, 2) - 1, 2 * normal(4, 2) + 1, 0.15, beta=0.35),
    Case("beta is 0.9 where it is not given", normal(3, 5), normal(3, 5) ** 2, 4 * normal(3, 5) - 1, 0.07),
    Case("filters", normal(3, 2, 2, 3), normal(3, 2, 2, 3) + 3, -2 * normal(3, 2, 2, 3), 0.25, beta=0.45),
]
check(momentum_step, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("momentum_step")

# %% [markdown]
# Now the ravine again: 60 steps, rate 0.04, four balls. **Predict:** which of beta 0, 0.5, 0.9 and 0.99 ends lowest?

# %% tags=["experiment"]
def rolling(w, v, lr, beta):
    return momentum_step(w, v, slope(w), lr, beta)


paths = {f"beta {beta}": walk(rolling, 0.04, 60, beta=beta) for beta in (0, 0.5, 0.9, 0.99)}
show_paths(ravine, paths)
for name, path in paths.items():
    print(f"{name}: the loss after 60 steps is {ravine(path[-1]):.2g}")

# %% [markdown]
# A little momentum hurries along, and here wins. With 0.9 the ball comes in so fast that it swings past the bottom. With 0.99 it hardly brakes: it
# remembers about 1 / (1 - 0.99) = 100 gradients, more than it has seen.
#
# **Predict** the winner in a ravine ten times as steep, at a tenth of the rate.

# %% tags=["experiment"]
def rolling_steeper(w, v, lr, beta):
    return momentum_step(w, v, np.array([1.0, 400.0]) * w, lr, beta)


for beta in (0, 0.5, 0.9, 0.99):
    along, across = walk(rolling_steeper, 0.004, 60, beta=beta)[-1]
    print(f"beta {beta}: the loss after 60 steps is {(along**2 + 400 * across**2) / 2:.2g}")

# %% [markdown]
# There the speed of 0.9 pays.
#
# ### Play with it
#
# Paths on the left, and a map of all rates and betas on the right. This ravine is gentler: 25 in place of 40. Three things to find:
#
# 1. the largest rate that does not run away, with beta 0 and with beta 0.9;
# 2. for beta 0.9, a rate at which Nesterov runs away and plain momentum does not;
# 3. what noise in the gradients does to a small beta and to a large one.
#
# <details><summary>Answers</summary>First: 2 / 25 = 0.08, and 0.15. Second: 0.06 to 0.15. Third: a small beta trembles near the bottom, a large one
# strays further, in wide curves.</details>

# %% tags=["experiment"]
OptimizerPlane(methods=["descent", "momentum", "nesterov"])

# %% [markdown]
# ## Exercise: `ema_momentum_step`
#
# *easy · 5 minutes · 1 point*
#
# Other courses prefer the velocity to be an *average* of gradients (an exponential moving average, EMA):
#
# ```text
# v = beta · v + (1 - beta) · g
# w = w - lr · v
# ```
#
# **Predict:** with beta = 0.9, which lr makes this ball roll exactly as the other did with 0.04?

# %% nbgrader={"grade": false, "grade_id": "ema_momentum_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def ema_momentum_step(w, v, g, lr, beta=0.9):
    """Return w and v after one step in which v is a moving average, as new arrays.

    w, v, g: weights, velocity, gradient, of one shape. beta: the old velocity's share.

    >>> ema_momentum_step(np.array([1.0]), np.array([0.5]), np.array([2.0]), 0.1, beta=0.5)
    (array([0.875]), array([1.25]))
    """
    ### BEGIN SOLUTION
    velocity = beta * v + (1 - beta) * g
    return w - lr * velocity, velocity
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_ema_momentum_step", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 1}
check(ema_momentum_step)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal

cases = [
    Case("by hand", np.array([3.0, 0.0]), np.array([-1.0, 2.0]), np.array([4.0, 5.0]), 0.2, beta=0.75),
    Case("from rest", normal(4), np.zeros(4), 3 * normal(4) - 1, 0.3, beta=0.6, weight=0.5),
    Case("a table", normal(4, 2), normal(4, 2) - 1, 2 * normal(4, 2) + 1, 0.15, beta=0.35),
    Case("beta is 0.9 where it is not given", normal(3, 5), normal(3, 5) ** 2, 4 * normal(3, 5) - 1, 0.07),
    Case("filters", normal(3, 2, 2, 3), normal(3, 2, 2, 3) + 3, -2 * normal(3, 2, 2, 3), 0.25, beta=0.45),
]
check(ema_momentum_step, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("ema_momentum_step")

# %% tags=["experiment"]
def averaging(w, v, lr, beta):
    return ema_momentum_step(w, v, slope(w), lr, beta)


for lr in (0.04, 0.4):
    apart = np.abs(walk(averaging, lr, 60, beta=0.9) - paths["beta 0.9"]).max()
    print(f"averaging with rate {lr}: at most {apart:.2g} away from momentum_step with 0.04")

# %% [markdown]
# From rest, the two are the same walk if the averaging one has a rate 1 / (1 - beta) times as large: ten times for 0.9. So a rate means
# little without its beta *and* its form.
#
# ## Look before you roll
#
# When w moves, the old velocity will carry it by `lr · beta · v` whatever the new gradient says. **Nesterov's** idea: take the gradient
# there, at the place ahead, not here. If the ground rises ahead, the ball brakes before it gets there.
#
# ```text
# ahead = w - lr · beta · v
# v     = beta · v + gradient(ahead)
# w     = w - lr · v
# ```
#
# PyTorch writes the same walk with the gradient at its own w; that w stands where ours looks ahead to.

# %% [markdown]
# ## Exercise: `nesterov_step`
#
# *medium · 15 minutes · 2 points*
#
# The place where the gradient is needed is found inside the step, so you get a *function*: `gradient(place)` returns the gradient there.
#
# **Predict** for the gradient of w²/2, which is w itself: w = 3, v = 8, lr = 0.5, beta = 0.5. Where does it look, and where does it go?
#
# <details><summary>Answer</summary>It looks at 3 - 0.5 · 0.5 · 8 = 1, so v = 4 + 1 = 5 and w = 3 - 2.5 = 0.5.</details>

# %% nbgrader={"grade": false, "grade_id": "nesterov_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nesterov_step(w, v, gradient, lr, beta=0.9):
    """Return w and v after one step of Nesterov's momentum, as new arrays.

    w, v: weights, velocity. gradient: a function of weights. lr, beta: as before.

    >>> nesterov_step(np.array([3.0]), np.array([8.0]), lambda w: w, 0.5, beta=0.5)
    (array([0.5]), array([5.]))
    """
    ### BEGIN SOLUTION
    ahead = w - lr * beta * v
    velocity = beta * v + gradient(ahead)
    return w - lr * velocity, velocity
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_nesterov_step", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(nesterov_step)
### BEGIN HIDDEN TESTS
from course.checks import Case, function, normal

cases = [
    Case("by hand: the gradient is 2 w", np.array([1.0]), np.array([5.0]), function("2 * w", "w"), 0.4, beta=0.5),
    Case("from rest", normal(4), np.zeros(4), function("w ** 3 - 1", "w"), 0.3, beta=0.6, weight=0.5),
    Case("a cubic gradient", normal(4, 2), normal(4, 2) - 1, function("w ** 3 + w", "w"), 0.15, beta=0.35),
    Case("beta is 0.9 where it is not given", normal(3, 5), normal(3, 5) ** 2, function("3 * w", "w"), 0.07),
    Case("a wave", normal(3, 2, 2), normal(3, 2, 2) + 1, function("np.cos(2 * w)", "w"), 0.25, beta=0.45),
]
check(nesterov_step, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("nesterov_step")

# %% [markdown]
# The same ravine at half the rate. **Predict:** across the ravine, who swings less?

# %% tags=["experiment"]
def looking(w, v, lr, beta):
    return nesterov_step(w, v, slope, lr, beta)


ahead = walk(looking, 0.02, 60, beta=0.9)
across = {"momentum": walk(rolling, 0.02, 60, beta=0.9)[:, 1], "Nesterov": ahead[:, 1]}
plot_lines(across, "step", "place across the ravine", "beta 0.9, rate 0.02", x=range(61))

# %% [markdown]
# Nesterov's ball comes to rest much sooner. But its largest rate is smaller: put 0.04 into the cell, and look. From here on we use plain
# momentum.

# %% [markdown]
# ## Where to start
#
# All weights zero is no start: units that compute the same stay the same for ever. So draw them at random. But how large?
#
# One output of a layer is a sum of `fan_in` products. For weights (O, D) fan_in is D; for filters (O, C, KH, KW) it is C · KH · KW. The more
# terms, the larger the sum: its variance is fan_in times the variance of a weight (for inputs of power 1). Going backward, the same holds with
# `fan_out`: O, or O · KH · KW. (A signal's *power* is its mean square, and its *size* the root of that.)

# %% [markdown]
# ## Exercise: `xavier_init`
#
# *medium · 15 minutes · 2 points*
#
# Glorot and Bengio want the size to stay the same in both directions, and settle for the middle: a variance of 2 / (fan_in + fan_out). They draw
# uniformly from -bound to bound, where bound² = 6 / (fan_in + fan_out), since a uniform draw up to some bound has the variance bound² / 3.
#
# (CS231n calls a variance of 1 / fan_in Xavier as well.)
#
# **Predict** the bound for weights (20, 30), and for filters (4, 2, 3, 3).
#
# <details><summary>Answer</summary>The root of 6 / 50, 0.35; the root of 6 / (18 + 36), 0.33.</details>

# %% nbgrader={"grade": false, "grade_id": "xavier_init", "locked": false, "schema_version": 3, "solution": true, "task": false}
def xavier_init(shape, rng):
    """Return weights of this shape, uniform within sqrt(6 / (fan_in + fan_out)) of 0.

    shape: (O, D) or (O, C, KH, KW), a tuple. rng: a NumPy generator, the source of the draw.

    >>> w = xavier_init((20, 30), np.random.default_rng(0))
    >>> w.shape, bool(np.abs(w).max() < 0.347)
    ((20, 30), True)
    """
    # 1. The two fans; np.prod(()) is 1. 2. The bound. 3. One draw from rng.
    ### BEGIN SOLUTION
    fan_in, fan_out = np.prod(shape[1:]), shape[0] * np.prod(shape[2:])
    bound = np.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-bound, bound, shape)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_xavier_init", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(xavier_init)
### BEGIN HIDDEN TESTS
from course.checks import Case, through

cases = [
    Case("a linear layer", (50, 120), np.random.default_rng(11)),
    Case("more outputs than inputs", (240, 25), np.random.default_rng(12)),
    Case("filters", (24, 16, 3, 5), np.random.default_rng(13)),
    Case("filters of one channel", (280, 1, 5, 2), np.random.default_rng(14)),
    Case("one rng, twice", through("draws"), (15, 20), np.random.default_rng(15)),
]
check(xavier_init, cases=cases, random=10)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("xavier_init")

# %% [markdown]
# ## Exercise: `he_init`
#
# *easy · 10 minutes · 2 points*
#
# A ReLU sets about half of the numbers to 0, and the signal loses half of its power at every layer. He et al. make up for that: normally
# distributed weights of mean 0 and **variance** 2 / fan_in. `rng.normal` takes the standard deviation.
#
# **Predict** the standard deviation for filters (64, 8, 5, 5).
#
# <details><summary>Answer</summary>fan_in is 200: the root of 0.01, 0.1.</details>

# %% nbgrader={"grade": false, "grade_id": "he_init", "locked": false, "schema_version": 3, "solution": true, "task": false}
def he_init(shape, rng):
    """Return weights of this shape, normal with mean 0 and variance 2 / fan_in.

    shape: (O, D) or (O, C, KH, KW), a tuple. rng: a NumPy generator, the source of the draw.

    >>> w = he_init((64, 8, 5, 5), np.random.default_rng(0))
    >>> w.shape, float(w.std().round(2))
    ((64, 8, 5, 5), 0.1)
    """
    ### BEGIN SOLUTION
    deviation = np.sqrt(2 / np.prod(shape[1:]))
    return rng.normal(0, deviation, shape)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_he_init", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(he_init)
### BEGIN HIDDEN TESTS
from course.checks import Case, through

cases = [
    Case("a linear layer", (50, 120), np.random.default_rng(11)),
    Case("more outputs than inputs", (240, 25), np.random.default_rng(12)),
    Case("filters", (24, 16, 3, 5), np.random.default_rng(13)),
    Case("filters of one channel", (280, 1, 5, 2), np.random.default_rng(14)),
    Case("one rng, twice", through("draws"), (15, 20), np.random.default_rng(15)),
]
check(he_init, cases=cases, random=10)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("he_init")

# %% [markdown]
# ### Thirty layers deep
#
# Send random numbers through 30 layers of 200 units, and measure their size after each. **Predict** with ReLU: which of the four starts keeps
# the size? By about which factor does Xavier shrink it in 30 layers?

# %% tags=["experiment"]
def sizes(init, activation, rng):
    x, noted = rng.standard_normal((100, 200)), []
    for _ in range(30):
        x = activation(x @ np.asarray(init((200, 200), rng)).T)
        noted.append(np.sqrt(np.mean(x**2)))
    return noted


starts = {
    "Xavier": xavier_init,
    "He": he_init,
    "always 0.01": lambda shape, rng: rng.normal(0, 0.01, shape),
    "always 0.2": lambda shape, rng: rng.normal(0, 0.2, shape),
}
rng = np.random.default_rng(0)
lines = {name: sizes(init, relu, rng) for name, init in starts.items()}
plot_lines(lines, "layer", "size of the signal", "ReLU", log="y")

# %% [markdown]
# With ReLU, He's holds; Xavier's halves the power each time, 2³⁰ in all, so the size shrinks by about 2¹⁵. A fixed 0.01 leaves next to nothing.
#
# Xavier's was made for tanh, which is steep in the middle and flat outside. **Predict** the lines there.

# %% tags=["experiment"]
starts.pop("always 0.01", None)
lines = {name: sizes(init, np.tanh, rng) for name, init in starts.items()}
plot_lines(lines, "layer", "size of the signal", "tanh")

# %% [markdown]
# Nothing explodes, since tanh ends at 1. He's line is flat, Xavier's falls slowly, and "always 0.2" pushes the units out to the flat ends.
# **Predict** the way back: which gradients shrink, which explode?

# %% tags=["experiment"]
def size_back(init, rng):
    x, layers = rng.standard_normal((100, 200)), []
    for _ in range(30):
        w = np.asarray(init((200, 200), rng))
        x = np.tanh(x @ w.T)
        layers.append((w, 1 - x**2))
    g = rng.standard_normal(x.shape)
    for w, steepness in reversed(layers):
        g = (g * steepness) @ w
    return np.sqrt(np.mean(g**2))


for name, init in starts.items():
    print(f"{name}: the gradient's size after 30 layers back is {size_back(init, rng):.2g}")

# %% [markdown]
# In spite of the flat ends "always 0.2" makes gradients explode. He's triple, Xavier's shrink to a sixth: either will do here; with ReLU, only
# He's. The start has to fit the activation.
#
# ## In which order
#
# The gradient of the loss over all images is exact and slow. Over a few it is noisy and quick. So nets learn from **mini-batches**:
# shuffle, cut into batches, make one step a batch; one pass over all of them is an *epoch*.

# %% [markdown]
# ## Exercise: `shuffle_together`
#
# *easy · 10 minutes · 1 point*
#
# Bring images and labels into a new random order, the same one for both.
#
# Draw from `rng` only: `rng.permutation(5)` is a random order of 0 to 4. (`rng.shuffle(x)` would change the caller's x.)
#
# **Predict:** what would a net learn if x and y were shuffled separately?
#
# <details><summary>Answer</summary>How often each label comes, and nothing about the images.</details>

# %% nbgrader={"grade": false, "grade_id": "shuffle_together", "locked": false, "schema_version": 3, "solution": true, "task": false}
def shuffle_together(x, y, rng):
    """Return x and y in one new random order, as new arrays.

    x: samples (N, ...). y: their labels (N,). rng: a NumPy generator.

    >>> x, y = np.array([[10], [20], [30]]), np.array([1, 2, 3])
    >>> new_x, new_y = shuffle_together(x, y, np.random.default_rng(0))
    >>> bool((new_x[:, 0] == 10 * new_y).all())
    True
    """
    ### BEGIN SOLUTION
    order = rng.permutation(len(x))
    return x[order], y[order]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_shuffle_together", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 1}
check(shuffle_together)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

labels = lambda n: 7 * np.arange(n) % 10
eight = through("order_drivers.eight_draws")
cases = [
    Case("ninety points", normal(90, 2), labels(90), np.random.default_rng(21)),
    Case("images", normal(24, 3, 2, 5), labels(24), np.random.default_rng(22)),
    Case("as many samples as pixels", normal(18, 18), labels(18), np.random.default_rng(23)),
    Case("whole numbers", 10 * np.arange(60).reshape(20, 3), labels(20), np.random.default_rng(24)),
    Case("one rng, twice", through("draws"), normal(16, 4), labels(16), np.random.default_rng(25)),
    Case("eight calls", eight, normal(28, 3), labels(28), np.random.default_rng(26)),
]
check(shuffle_together, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("shuffle_together")

# %% [markdown]
# ## Exercise: `minibatches`
#
# *easy · 15 minutes · 2 points*
#
# Copying all images in every epoch is wasteful. It is enough to shuffle and cut the *indices*: `x[batch]` and `y[batch]` then fit together by
# themselves.
#
# Every index comes exactly once. Where `size` does not divide `n`, the last batch is smaller.
#
# **Predict:** how many batches do 1,400 images make with size 64, and how large is the last?
#
# <details><summary>Answer</summary>22; the last has 1,400 - 21 · 64 = 56.</details>

# %% nbgrader={"grade": false, "grade_id": "minibatches", "locked": false, "schema_version": 3, "solution": true, "task": false}
def minibatches(n, size, rng):
    """Return a list of index arrays: 0 to n - 1 in random order, cut into batches of `size`.

    rng: a NumPy generator. The last batch holds what is left, and is never empty.

    >>> batches = minibatches(10, 4, np.random.default_rng(0))
    >>> [len(batch) for batch in batches], sorted(int(i) for batch in batches for i in batch)
    ([4, 4, 2], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    ### BEGIN SOLUTION
    order = rng.permutation(n)
    return [order[start : start + size] for start in range(0, n, size)]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_minibatches", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(minibatches)
### BEGIN HIDDEN TESTS
from course.checks import Case, through

cases = [
    Case("a size that divides", 96, 16, np.random.default_rng(31)),
    Case("a size that does not divide", 55, 15, np.random.default_rng(32)),
    Case("one left over", 36, 7, np.random.default_rng(33)),
    Case("one by one", 18, 1, np.random.default_rng(34)),
    Case("all at once", 16, 16, np.random.default_rng(35), weight=0.5),
    Case("fewer than a batch", 13, 50, np.random.default_rng(36), weight=0.5),
    Case("one rng, twice", through("draws"), 28, 6, np.random.default_rng(37)),
    Case("eight calls", through("order_drivers.eight_draws"), 32, 7, np.random.default_rng(38)),
]
check(minibatches, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("minibatches")

# %% [markdown]
# ### A net to train
#
# Two linear layers with a ReLU between them, as a list of four arrays. Start, minibatches and steps are yours.

# %% tags=["experiment"]
def new_net(rng, width=64):
    first, second = np.asarray(he_init((width, 64), rng)), np.asarray(he_init((10, width), rng))
    return [first, np.zeros(width), second, np.zeros(10)]


def scores(net, x):
    w1, b1, w2, b2 = map(np.asarray, net)
    return linear(relu(linear(x, w1, b1)), w2, b2)


def gradients(net, x, y):
    hidden = linear(x, net[0], net[1])
    grad_scores = softmax_cross_entropy_gradient(scores(net, x), y)
    grad_active, *second = linear_backward(grad_scores, relu(hidden), net[2])
    _, *first = linear_backward(relu_backward(grad_active, hidden), x, net[0])
    return [*first, *second]


net = new_net(np.random.default_rng(0))
print("shapes of the gradients:", [g.shape for g in gradients(net, train_x, train_y)])

# %% tags=["experiment"]
def move(net, velocities, grads, lr, beta=0.9):
    """Return the net and its velocities after one step, each a list of arrays."""
    pairs = [momentum_step(*state, lr, beta) for state in zip(net, velocities, grads)]
    # zip(*pairs) brings together all the new weights first, then all the new velocities
    return [[np.asarray(part) for part in parts] for parts in zip(*pairs)]

# %% tags=["experiment"]
def train(net, x, y, rates, size, rng, beta=0.9, fog=0.0):
    """Return the net after each epoch; rates holds one learning rate an epoch."""
    nets, velocities = [], [np.zeros_like(w) for w in net]
    for lr in rates:
        for batch in map(np.asarray, minibatches(len(x), size, rng)):
            seen = x[batch] + fog * rng.standard_normal(x[batch].shape)
            net, velocities = move(net, velocities, gradients(net, seen, y[batch]), lr, beta)
        nets.append(net)
    return nets


def loss(net, x, y):
    return softmax_cross_entropy(scores(net, x), y)


def accuracy(net, x, y):
    return np.mean(scores(net, x).argmax(1) == y)

# %% [markdown]
# ### All at once, fifty, or one
#
# Three nets see every image three times, without momentum: all 1,400 a step, 50 a step, one a step. Each has a rate that suits it.
#
# **Predict** the order of the losses, and of the times.

# %% tags=["experiment"]
import time

lines = {}
for size, lr in ((1400, 0.5), (50, 0.3), (1, 0.02)):
    begin, rng = time.perf_counter(), np.random.default_rng(0)
    nets = train(new_net(rng), train_x, train_y, [lr] * 3, size, rng, beta=0)
    steps, passed = 3 * 1400 // size, time.perf_counter() - begin
    print(f"{size} a step: {steps} steps, {passed:.1f} seconds")
    lines[f"{size} a step"] = [loss(net, train_x, train_y) for net in nets]
plot_lines(lines, "epoch", "loss on the training images", log="y")

# %% [markdown]
# All at once has made three steps only. One by one has made 4,200, and took by far the longest: each step is too small to keep the machine busy.
# Mini-batches are the bargain in between.
#
# ## Three tips for training
#
# **First: overfit a tiny set.** Twenty images must be learned by heart within moments. If not, something is broken, and no patience will mend it.
#
# **Predict** what happens if the twenty labels are shuffled.

# %% tags=["experiment"]
rng = np.random.default_rng(0)
few_x, few_y = train_x[:20], train_y[:20]
lines = {}
for name, y in {"right labels": few_y, "shuffled labels": rng.permutation(few_y)}.items():
    nets = train(new_net(rng), few_x, y, [0.05] * 60, 5, rng)
    lines[name] = [loss(net, few_x, y) for net in nets]
    seen, unseen = accuracy(nets[-1], few_x, y), accuracy(nets[-1], test_x, test_y)
    print(f"{name}: {seen:.0%} of the twenty right, {unseen:.0%} of the test images")
plot_lines(lines, "epoch", "loss on twenty images", log="y")

# %% [markdown]
# Even nonsense is learned by heart. So this test finds broken gradients and steps, and does *not* find labels that belong to other images.
#
# **Second: find the rate.** Let it grow a little with every step, from far too small to far too large, and watch the loss.
#
# **Predict** three parts of the curve.

# %% tags=["experiment"]
rng = np.random.default_rng(0)
net, rates, losses = new_net(rng), np.geomspace(1e-4, 10, 100), []
velocities = [np.zeros_like(w) for w in net]
for lr, batch in zip(rates, map(np.asarray, minibatches(1400, 14, rng))):
    grads = gradients(net, train_x[batch], train_y[batch])
    net, velocities = move(net, velocities, grads, lr)
    losses.append(min(loss(net, train_x, train_y), 10))
plot_lines({"momentum 0.9": losses}, "learning rate", "loss (cut off at 10)", x=rates, log="x")

# %% [markdown]
# Nothing happens; it falls; it blows up. Take a rate from where it falls steeply, some way before the turn: here about 0.05.
#
# **Third: read the gap** between training and test. Both low: the net has not learned; train longer, with a better rate, or a larger net. Training high,
# test low: it has learned by heart; get more data, or regularise (unit 05). Both high: done.
#
# **Predict** the two numbers of each net.

# %% tags=["experiment"]
x, y = map(np.asarray, shuffle_together(train_x, train_y, np.random.default_rng(0)))
trials = {"60 images": (60, 0.05), "a tiny rate": (1400, 0.0002), "1,400 images": (1400, 0.05)}
for name, (n, lr) in trials.items():
    rng = np.random.default_rng(1)
    net = train(new_net(rng), x[:n], y[:n], [lr] * 10, 20, rng)[-1]
    seen, unseen = accuracy(net, x[:n], y[:n]), accuracy(net, test_x, test_y)
    print(f"{name:14} training {seen:.0%}, test {unseen:.0%}, gap {seen - unseen:.0%}")

# %% [markdown]
# ## Slow down at the end
#
# A large rate gets far quickly, and then the noise of the mini-batches keeps throwing it about near the bottom. So start fast and end slowly.
#
# ## Exercise: `step_decay`
#
# *easy · 10 minutes · 1 point*
#
# The simplest schedule: every so many epochs, multiply the rate by a factor.
#
# **Predict** for lr = 1, every = 3, factor = 0.1: the rates of epochs 0 to 6. (Epochs count from 0.)
#
# <details><summary>Answer</summary>1, 1, 1, 0.1, 0.1, 0.1, 0.01</details>

# %% nbgrader={"grade": false, "grade_id": "step_decay", "locked": false, "schema_version": 3, "solution": true, "task": false}
def step_decay(epoch, lr, every, factor=0.1):
    """Return the learning rate of one epoch: lr, times factor after each `every` epochs.

    epoch: counted from 0; the epochs 0 to every - 1 have lr itself.

    >>> [step_decay(epoch, 1.0, 2, factor=0.5) for epoch in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    ### BEGIN SOLUTION
    return lr * factor ** (epoch // every)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_step_decay", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 1}
check(step_decay)
### BEGIN HIDDEN TESTS
from course.checks import Case

cases = [
    Case("epoch 0", 0, 0.2, 6, weight=0.5),
    Case("the last epoch before the first drop", 5, 0.2, 6, weight=0.5),
    Case("the epoch of the first drop", 6, 0.2, 6),
    Case("two drops", 16, 0.2, 6),
    Case("halved every 3 epochs", 11, 0.6, 3, factor=0.5),
    Case("the epoch of the fourth drop", 20, 0.7, 5, factor=0.7),
]
check(step_decay, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("step_decay")

# %% [markdown]
# ## Exercise: `cosine_decay`
#
# *medium · 15 minutes · 2 points*
#
# A gentler one follows half a wave of the cosine: flat at the start, steepest in the middle, flat at the end. cos runs from 1 at angle 0 to -1 at
# angle π (`np.pi`); your rate must run from `lr` at step 0 to `min_lr` at step `total`, as in PyTorch. (Some reach it at total - 1.)
#
# **Predict** for lr = 0.4: the rate half-way, and after a third of the way (cos 60° = 0.5).
#
# <details><summary>Answer</summary>0.2, and 0.3.</details>

# %% nbgrader={"grade": false, "grade_id": "cosine_decay", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cosine_decay(step, total, lr, min_lr=0.0):
    """Return the learning rate at a step from 0 (lr) to total (min_lr), along a cosine.

    >>> [round(float(cosine_decay(step, 4, 1.0)), 3) for step in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """
    # How much of the way from min_lr up to lr is left? A number from 1 to 0.
    ### BEGIN SOLUTION
    left = (1 + np.cos(np.pi * step / total)) / 2
    return min_lr + (lr - min_lr) * left
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_cosine_decay", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(cosine_decay)
### BEGIN HIDDEN TESTS
from course.checks import Case

cases = [
    Case("half-way", 8, 16, 0.6),
    Case("a third of the way", 3, 9, 0.8),
    Case("the start", 0, 20, 0.3, weight=0.5),
    Case("the end", 20, 20, 0.3),
    Case("half-way to a smallest rate", 6, 12, 0.7, min_lr=0.05),
    Case("the end, at a smallest rate", 12, 12, 0.7, min_lr=0.05),
    Case("an odd step", 11, 37, 1.2, min_lr=0.03),
]
check(cosine_decay, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("cosine_decay")

# %% tags=["experiment"]
schedules = {
    "constant": [0.1] * 15,
    "steps": [step_decay(epoch, 0.1, 5) for epoch in range(15)],
    "cosine": [cosine_decay(epoch, 15, 0.1) for epoch in range(15)],
}
plot_lines(schedules, "epoch", "learning rate", x=range(15))

# %% [markdown]
# ### Into the fog
#
# Now the hard digits. In training, every image gets new fog each time; the test images keep theirs. Same net, same start, three schedules.
#
# **Predict:** what does "steps" do at its first drop, and who is lowest at the end?

# %% tags=["experiment"]
runs = {}
for name, rates in schedules.items():
    rng = np.random.default_rng(0)
    runs[name] = train(new_net(rng), train_x, train_y, rates, 25, rng, fog=0.4)
lines = {name: [loss(net, foggy, test_y) for net in nets] for name, nets in runs.items()}
plot_lines(lines, "epoch", "loss on the test images in fog")

# %% [markdown]
# At its first drop "steps" falls at once, and then hardly moves. The constant rate keeps jumping about higher up. Cosine ends lowest.
#
# ## Many nets in one
#
# There is another cure for jumping about: take the **average of the weights** over several epochs. Nets that circle the same hollow have
# its bottom in their middle.

# %% [markdown]
# ## Exercise: `average_weights`
#
# *medium · 15 minutes · 2 points*
#
# A checkpoint is a list of arrays, such as our net: weights and biases of several shapes. Average several checkpoints into one, array by array,
# each counting the same. (`zip(*checkpoints)` brings together the first arrays of all, then the second ones, ...)
#
# **Predict:** starting from the first, `average = (average + next) / 2` for each further one. With four checkpoints, how much does each count?
#
# <details><summary>Answer</summary>1/8, 1/8, 1/4, 1/2: not the same at all.</details>

# %% nbgrader={"grade": false, "grade_id": "average_weights", "locked": false, "schema_version": 3, "solution": true, "task": false}
def average_weights(checkpoints):
    """Return one list of arrays, each the mean of that array over all checkpoints.

    checkpoints: a list of lists of arrays, of the same shapes; they stay as they were.

    >>> average_weights([[np.array([1.0, 4.0])], [np.array([3.0, 5.0])]])
    [array([2. , 4.5])]
    """
    ### BEGIN SOLUTION
    return [np.mean(arrays, axis=0) for arrays in zip(*checkpoints)]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_average_weights", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(average_weights)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal

net = lambda k, *shapes: [normal(9, *shape)[k] - k for shape in shapes]
cases = [
    Case("two checkpoints of one array", [[np.array([5.0, 1.0])], [np.array([2.0, -3.0])]]),
    Case("three checkpoints of two arrays", [net(k, (2,), (1, 1)) for k in range(3)]),
    Case("weights and biases", [net(k, (4, 3), (4,), (2, 4), (2,)) for k in range(5)]),
    Case("filters", [net(k, (3, 1, 2, 2), (3,)) for k in range(4)]),
    Case("arrays of one shape", [net(k, (3, 2), (3, 2), (3, 2), (3, 2), (3, 2)) for k in range(3)]),
    Case("one checkpoint", [net(0, (2, 3), (2,))], weight=0.5),
]
check(average_weights, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("average_weights")

# %% [markdown]
# **Predict:** the loss of the average of the last five nets of the *constant* run, against the loss of each of the five.

# %% tags=["experiment"]
last = runs["constant"][-5:]
print("each:   ", [round(loss(net, foggy, test_y), 2) for net in last])
print("average:", round(loss(average_weights(last), foggy, test_y), 2))

# %% [markdown]
# ## Exercise: `ensemble_predict`
#
# *medium · 20 minutes · 2 points*
#
# Or train several nets, each from another start, and ask them all. Here the nets' *probabilities* are averaged (softmax first, then the
# mean over the nets), and the class with the highest mean wins. Counting votes, or averaging scores, are other ways, and give other answers.
#
# Logits can be huge: subtract each row's maximum before `np.exp`.
#
# **Predict** for three nets that give class 0 the probabilities 0.99, 0.3, 0.3, the rest to class 1: who wins by votes, who by the mean?
#
# <details><summary>Answer</summary>Class 1 by two votes to one; class 0 by 0.53 to 0.47.</details>

# %% nbgrader={"grade": false, "grade_id": "ensemble_predict", "locked": false, "schema_version": 3, "solution": true, "task": false}
def ensemble_predict(logits):
    """Return the class, for each sample, with the highest probability averaged over the nets.

    logits: (M, N, K), the scores of M nets for N samples and K classes. Returns (N,).

    >>> ensemble_predict(np.array([[[6.0, 0.0]], [[-1.0, 0.0]], [[-1.0, 0.0]]]))
    array([0])
    """
    # Softmax over the classes, mean over the nets, then the decision.
    ### BEGIN SOLUTION
    exponentials = np.exp(logits - logits.max(axis=2, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=2, keepdims=True)
    return probabilities.mean(axis=0).argmax(axis=1)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_ensemble_predict", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(ensemble_predict)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal

cases = [
    Case("one sure, two in slight doubt", np.array([[[0.0, 5.0]], [[0.8, 0.0]], [[0.8, 0.0]]])),
    Case("two agree, one shouts", np.array([[[-1.5, 0.0]], [[-1.5, 0.0]], [[7.0, 0.0]]])),
    Case("many samples", 3 * normal(3, 48, 5)),
    Case("as many classes as samples", 3 * normal(4, 7, 7)),
    Case("one net", 2 * normal(1, 15, 4), weight=0.5),
    Case("as many nets as samples", 4 * normal(9, 9, 4)),
    Case("huge logits", 3 * normal(3, 25, 5) + 900 * normal(3, 25, 1)),
]
check(ensemble_predict, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("ensemble_predict")

# %% [markdown]
# ## Your picture
#
# Five nets from five starts, cosine schedule, in fog. **Predict** how the ensemble does against its members. And what do you get if you
# average the *weights* of these five?

# %% tags=["experiment"]
five = [runs["cosine"][-1]]
for seed in range(1, 5):
    rng = np.random.default_rng(seed)
    nets = train(new_net(rng), train_x, train_y, schedules["cosine"], 25, rng, fog=0.4)
    five.append(nets[-1])
logits = np.stack([scores(net, foggy) for net in five])
read = np.asarray(ensemble_predict(logits))

# %% tags=["experiment"]
members = [accuracy(net, foggy, test_y) for net in five]
right = {
    "constant,\nmean of last 5": np.mean([accuracy(net, foggy, test_y) for net in last]),
    "their weights,\naveraged": accuracy(average_weights(last), foggy, test_y),
    "cosine,\nmean of 5": np.mean(members),
    "the best\nof the 5": max(members),
    "the 5 as an\nensemble": np.mean(read == test_y),
    "the 5, weights\naveraged": accuracy(average_weights(five), foggy, test_y),
}
percent = {name: 100 * share for name, share in right.items()}
plot_bars(percent, "% of test images right", "in fog")

# %% [markdown]
# The ensemble beats its average member. One of them may be better still, but which, only the test images tell.
#
# Averaging weights works along one path, where unit 7 stays unit 7. Nets from different starts have given the same job to different units, and the
# average of two jobs is neither.
#
# Last, digits on which your five nets did not agree, and what they made of them together.

# %% tags=["experiment"]
disputed = np.flatnonzero(np.ptp(logits.argmax(2), axis=0))[:8]
titles = [f"read {read[i]}, is {test_y[i]}" for i in disputed]
show_images(*foggy[disputed].reshape(-1, 8, 8), titles=titles)

# %% [markdown]
# ## What you have learnt
#
# Momentum adds up what gradients agree on and cancels what they do not; a rate means something only together with beta and the form of the
# velocity. A good start keeps the signal's size through all layers, mini-batches buy many steps for little, and a rate that falls lets noisy
# steps come to rest. Averaged weights and ensembles squeeze out the last bit, and three quick tests tell whether any of it works.
#
# **Next:** you have every part. In [07 · LeNet in NumPy](../07-lenet-in-numpy/07-lenet-in-numpy.ipynb) you put your layers and steps
# together, and train a real convolutional net on digits.
