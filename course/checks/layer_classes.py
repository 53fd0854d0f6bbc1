"""Unit 07: layers as classes, which keep what backward needs.

The oracle is torch in float64, its gradients by autograd. A case goes through a driver, which runs the layer twice and
changes its parameters in between; a misconception gives what the driver would give.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course.checks.drivers import NUDGE
from course.checks.exercise import Case, Exercise, Refusal, normal, runs_into
from course.checks.oracle import tensor
from course.checks.recipe import through

UNIT = "07-lenet-in-numpy"


# -------------------------------------------------------------------------------------------------------- Flatten


def flattened(x: Any, grad_out: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return x as rows, and the gradient as volumes, by torch."""
    return tensor(x).flatten(1).numpy(), tensor(grad_out).unflatten(1, np.shape(x)[1:]).numpy()


def _flatten_case(name: str, *shape: int, **more: Any) -> Case:
    return Case(
        name, through("layer_alone"), normal(*shape), normal(shape[0], int(np.prod(shape[1:]))), **more
    )


def _random_flatten(rng: np.random.Generator) -> Case:
    shape = tuple(int(n) for n in rng.integers(2, 5, 4))
    return Case(
        "random",
        through("layer_alone"),
        rng.standard_normal(shape),
        rng.standard_normal((shape[0], int(np.prod(shape[1:])))),
    )


Flatten = Exercise(
    "Flatten",
    UNIT,
    points=1,
    parameters=("x", "grad_out"),
    returns="the output and grad_x",
    oracle=flattened,
    driven=True,
    cases=(
        Case(
            "a 2 x 2 image",
            through("layer_alone"),
            np.array([[[[1.0, 2.0], [3.0, 4.0]]]]),
            np.array([[5.0, 6.0, 7.0, 8.0]]),
            answer=([[1.0, 2.0, 3.0, 4.0]], [[[[5.0, 6.0], [7.0, 8.0]]]]),
        ),
        _flatten_case("two channels", 1, 2, 3, 2),
        _flatten_case("three images", 3, 1, 2, 3),
        _flatten_case("two images of three channels", 2, 3, 4, 2),
    ),
    random=_random_flatten,
    hints=(
        "Both methods are a change of shape. Which shape does backward have to return, and who knows it?",
        "forward keeps x.shape in an attribute, and reshapes x to one row for each image. backward reshapes grad_out to the shape that "
        "was kept. reshape reads and writes in NumPy's order, which is the one asked for.",
        "`self.shape = x.shape`; the new shape is `(len(x), -1)`, where -1 lets NumPy work out the length. In backward the target is "
        "`self.shape`.",
    ),
)


@Flatten.misconception(
    "puts-channels-last",
    "Your rows go pixel by pixel, all channels of a pixel together: the order of NHWC frameworks. Here it is channel by channel, as "
    "the array lies: reshape without a transpose.",
)
def _(x, grad_out):
    n, c, h, w = x.shape
    back = tensor(grad_out).reshape(n, h, w, c).permute(0, 3, 1, 2)
    return tensor(x).permute(0, 2, 3, 1).flatten(1).numpy(), back.numpy()


@Flatten.misconception(
    "swaps-rows-and-columns",
    "Your rows go down the columns of each plane first. Leave H and W in their order (no transpose, no order='F').",
)
def _(x, grad_out):
    n, c, h, w = x.shape
    back = tensor(grad_out).reshape(n, c, w, h).transpose(2, 3)
    return tensor(x).transpose(2, 3).flatten(1).numpy(), back.numpy()


@Flatten.misconception(
    "reads-in-fortran-order",
    "You flatten with order='F' (or after .T), which takes the last channel's and column's turn last. NumPy's own order is asked for.",
)
def _(x, grad_out):
    back = tensor(grad_out).numpy().reshape(x.shape, order="F")
    return np.reshape(x, (len(x), -1), order="F"), back


@Flatten.misconception(
    "flattens-the-batch-too",
    "You make one row of the whole batch. Each image keeps a row of its own: only the last three axes are joined.",
)
def _(x, grad_out):
    return tensor(x).flatten().numpy(), flattened(x, grad_out)[1]


@Flatten.misconception(
    "does-not-go-back",
    "forward is right, but your backward returns grad_out as rows. The layer before has maps: give the gradient the shape that x had.",
)
def _(x, grad_out):
    return flattened(x, grad_out)[0], tensor(grad_out).numpy()


@Flatten.misconception(
    "returns-x-in-backward",
    "Your backward returns the x that was kept. It should return the gradient, in the shape of x: only the shape is worth keeping.",
)
def _(x, grad_out):
    return flattened(x, grad_out)[0], tensor(x).numpy()


@Flatten.misconception(
    "keeps-the-shape-of-the-first-batch",
    "Your layer remembers the shape of the first batch that it saw. Batches can differ in size: remember it anew in each forward.",
)
def _(x, grad_out):
    raise runs_into("ValueError")


@Flatten.misconception(
    "forgets-the-shape",
    "A name is missing. If backward wants the shape that forward had: a local name is gone when forward ends. Keep it in an attribute, "
    "`self.shape = x.shape`, and read it from there.",
)
def _(x, grad_out):
    raise runs_into("AttributeError", "NameError", "UnboundLocalError")


# ---------------------------------------------------------------------------------------------- Linear and Conv2d


def torch_layer(
    function: Callable, w: Any, b: Any, x: Any, grad_out: Any, kept: Any = None, **settings: int
) -> list[np.ndarray]:
    """Return output, grad_x, grad_w, grad_b of a layer by torch; ``kept`` is what backward takes for x, if not x."""
    inputs = [tensor(a).clone().requires_grad_() for a in (x, w, b)]
    out = function(*inputs, **settings)
    behind = [tensor(x if kept is None else kept).clone().requires_grad_(), *inputs[1:]]
    again = function(*behind, **settings)
    if again.shape != np.shape(grad_out):
        raise Refusal("the shapes do not fit")
    return [a.detach().numpy() for a in (out, *torch.autograd.grad(again, behind, tensor(grad_out)))]


def second_round(function: Callable) -> Callable:
    """Return the oracle: what the driver's second round gives, after the parameters were changed in place."""

    def oracle(w: Any, b: Any, x: Any, grad_out: Any, **settings: int) -> tuple[np.ndarray, ...]:
        moved = np.subtract(w, NUDGE), np.subtract(b, NUDGE)
        return tuple(torch_layer(function, *moved, x, grad_out, **settings))

    return oracle


def add_ideas_about_layers(exercise: Exercise, function: Callable) -> None:
    """Add the wrong ideas that both layers with parameters share."""
    oracle = second_round(function)

    def idea(name: str, hint: str) -> Callable:
        return exercise.misconception(name, hint)

    @idea(
        "keeps-no-gradients",
        "backward returns grad_x but leaves `grads` as it was, so nobody can train the layer: set `self.grads = [grad_w, grad_b]`.",
    )
    def _(w, b, x, grad_out, **settings):
        return oracle(w, b, x, grad_out, **settings)[:2]

    @idea(
        "adds-gradients-up",
        "Your grads hold the sum over all backward passes so far. That is PyTorch's habit, which needs a zero_grad before each step. "
        "Here each backward replaces them.",
    )
    def _(w, b, x, grad_out, **settings):
        out, gx, gw, gb = oracle(w, b, x, grad_out, **settings)
        _, _, before_w, before_b = torch_layer(function, w, b, 2 * x, 3 * grad_out, **settings)
        return out, gx, gw + before_w, gb + before_b

    @idea(
        "appends-gradients",
        "Your grads grow with each backward: you append to the list. Give it two new entries each time: `self.grads = [grad_w, grad_b]`.",
    )
    def _(w, b, x, grad_out, **settings):
        out, gx, *now = oracle(w, b, x, grad_out, **settings)
        return out, gx, *torch_layer(function, w, b, 2 * x, 3 * grad_out, **settings)[2:], *now

    @idea(
        "keeps-the-gradients-of-the-first-pass",
        "Your grads are those of the first backward, and never change again. Each backward replaces them.",
    )
    def _(w, b, x, grad_out, **settings):
        out, gx, *_ = oracle(w, b, x, grad_out, **settings)
        return out, gx, *torch_layer(function, w, b, 2 * x, 3 * grad_out, **settings)[2:]

    @idea(
        "works-with-old-parameters",
        "The parameters were changed in place, as training does, but your layer still works with the old ones: it uses copies. Look into "
        "`self.params` each time.",
    )
    def _(w, b, x, grad_out, **settings):
        return tuple(torch_layer(function, w, b, x, grad_out, **settings))

    @idea(
        "keeps-the-first-input",
        "Your backward uses the x of the very first forward. Keep it anew in each forward.",
    )
    def _(w, b, x, grad_out, **settings):
        return tuple(torch_layer(function, w - NUDGE, b - NUDGE, x, grad_out, kept=2 * x, **settings))

    @idea(
        "keeps-the-output",
        "Your backward hands on the layer's output where its input is needed: keep x itself in forward, before anything is computed.",
    )
    def _(w, b, x, grad_out, **settings):
        out = oracle(w, b, x, grad_out, **settings)[0]
        if np.shape(out) != np.shape(x):
            raise Refusal("the shapes do not fit")
        return tuple(torch_layer(function, w - NUDGE, b - NUDGE, x, grad_out, kept=out, **settings))

    @idea(
        "forgets-the-input",
        "A name is missing. A local name is gone when its method ends: x with forward, w and b with `__init__`. What another method needs is "
        "kept in an attribute, as in `self.x = x`, and read from there; w and b are in `self.params`.",
    )
    def _(w, b, x, grad_out, **settings):
        raise runs_into("AttributeError", "NameError", "UnboundLocalError")

    @idea(
        "hands-over-too-much",
        "A function got more than it takes. The one that goes backward takes grad_out, x and w, but not b, since no gradient depends on it: "
        "`self.params[0]`, not `*self.params`.",
    )
    def _(w, b, x, grad_out, **settings):
        raise runs_into("TypeError", words="_backward() takes")

    @idea(
        "returns-all-three-gradients",
        "Your backward returns all three gradients. The layer before must get grad_x alone; the other two belong into `grads`.",
    )
    def _(w, b, x, grad_out, **settings):
        out, *grads = oracle(w, b, x, grad_out, **settings)
        return out, tuple(grads), *grads[1:]

    @idea(
        "returns-all-three-and-keeps-none",
        "Your backward returns the three gradients and keeps none. Return grad_x alone, and set `self.grads = [grad_w, grad_b]`.",
    )
    def _(w, b, x, grad_out, **settings):
        out, *grads = oracle(w, b, x, grad_out, **settings)
        return out, tuple(grads)

    @idea(
        "puts-grad-x-into-grads",
        "Your grads hold three arrays. They belong to params, [w, b], one to one: leave grad_x out, and return it.",
    )
    def _(w, b, x, grad_out, **settings):
        out, gx, gw, gb = oracle(w, b, x, grad_out, **settings)
        return out, gx, gx, gw, gb

    @idea(
        "swaps-the-gradients",
        "Your grads are in the order b, w. They must stand in the order of params: w, b.",
    )
    def _(w, b, x, grad_out, **settings):
        out, gx, gw, gb = oracle(w, b, x, grad_out, **settings)
        return out, gx, gb, gw

    @idea(
        "returns-nothing-from-backward",
        "Your backward returns None. Its grad_x is what the layer before is waiting for: return it.",
    )
    def _(w, b, x, grad_out, **settings):
        out, _, *grads = oracle(w, b, x, grad_out, **settings)
        return out, None, *grads

    @idea(
        "hands-grad-out-on",
        "Your backward returns grad_out as it came. The layer before needs the gradient of *its* output, which is this layer's grad_x.",
    )
    def _(w, b, x, grad_out, **settings):
        out, _, *grads = oracle(w, b, x, grad_out, **settings)
        return out, np.array(grad_out), *grads

    @idea(
        "averages-over-the-batch",
        "You divide the gradients by the size of the batch. The mean belongs to the loss, and grad_out brings it along already.",
    )
    def _(w, b, x, grad_out, **settings):
        out, gx, gw, gb = oracle(w, b, x, grad_out, **settings)
        return out, gx, gw / len(x), gb / len(x)


def _linear_case(name: str, rows: int, outputs: int, **more: Any) -> Case:
    arrays = normal(outputs, 1), normal(outputs), normal(rows, 1), normal(rows, outputs)
    return Case(name, through("layer_twice"), *arrays, **more)


def _random_linear(rng: np.random.Generator) -> Case:
    n, o = (int(v) for v in rng.integers(2, 6, 2))
    arrays = (rng.standard_normal(shape) for shape in ((o, 1), (o,), (n, 1), (n, o)))
    return Case("random", through("layer_twice"), *arrays)


Linear = Exercise(
    "Linear",
    UNIT,
    points=2,
    parameters=("w", "b", "x", "grad_out"),
    returns="output, grad_x, and the two gradients in grads",
    oracle=second_round(F.linear),
    driven=True,
    cases=(
        Case(
            "one weight",
            through("layer_twice"),
            np.array([[2.25]]),
            np.array([1.25]),  # the driver takes 0.25 from both
            np.array([[3.0]]),
            np.array([[5.0]]),
            answer=([[7.0]], [[10.0]], [[15.0]], [5.0]),
        ),
        _linear_case("two outputs", 1, 2),
        _linear_case("four rows", 4, 3),
        _linear_case("as many rows as outputs", 2, 2),
    ),
    random=_random_linear,
    hints=(
        "forward has x, backward has grad_out. linear_backward needs both, and w. How does x get from one method into the other?",
        "forward: keep x as an attribute of self, then call linear with x and the two params. backward: call linear_backward, put the "
        "second and third of what it returns into self.grads, and return the first.",
        "`w, b = self.params` in both methods, so that w and b are always the current ones. In forward `self.x = x`. In backward "
        "`grad_x, grad_w, grad_b = ...`, then `self.grads = [grad_w, grad_b]`.",
    ),
)
add_ideas_about_layers(Linear, F.linear)


def _conv_case(name: str, n: int, o: int, h: int, w: int, **settings: int) -> Case:
    out = F.conv2d(torch.zeros(n, 1, h, w), torch.zeros(o, 1, 1, 1), **settings)  # type: ignore[arg-type]
    arrays = normal(o, 1, 1, 1), normal(o), normal(n, 1, h, w), normal(*out.shape)
    return Case(name, through("layer_twice"), *arrays, **settings)


def _random_conv(rng: np.random.Generator) -> Case:
    n, o, h, w = (int(v) for v in rng.integers([2, 2, 3, 3], [4, 4, 7, 7]))
    settings = {"stride": int(rng.integers(1, 4)), "padding": int(rng.integers(3))}
    out = F.conv2d(torch.zeros(n, 1, h, w), torch.zeros(o, 1, 1, 1), **settings)  # type: ignore[arg-type]
    arrays = (rng.standard_normal(tuple(shape)) for shape in ((o, 1, 1, 1), (o,), (n, 1, h, w), out.shape))
    return Case("random", through("layer_twice"), *arrays, **settings)


Conv2d = Exercise(
    "Conv2d",
    UNIT,
    points=2,
    parameters=("w", "b", "x", "grad_out"),
    returns="output, grad_x, and the two gradients in grads",
    oracle=second_round(F.conv2d),
    driven=True,
    cases=(
        Case(
            "one weight, one pixel",
            through("layer_twice"),
            np.array([[[[2.25]]]]),
            np.array([1.25]),  # the driver takes 0.25 from both
            np.array([[[[3.0]]]]),
            np.array([[[[5.0]]]]),
            answer=([[[[7.0]]]], [[[[10.0]]]], [[[[15.0]]]], [5.0]),
        ),
        _conv_case("one filter on a high image", 1, 1, 4, 2),
        _conv_case("three filters", 1, 3, 2, 3),
        _conv_case("two images", 2, 2, 3, 4),
        _conv_case("stride 2", 2, 2, 5, 4, stride=2),
        _conv_case("padding 1", 2, 1, 3, 2, padding=1),
        _conv_case("stride and padding", 3, 2, 5, 6, stride=3, padding=2),
    ),
    random=_random_conv,
    hints=(
        "It is Linear again, with other functions and two numbers more. Both functions need both numbers.",
        "forward: keep x, call conv2d with x, the two params, the stride and the padding. backward: call conv2d_backward with grad_out, "
        "x, w, stride and padding; keep its second and third gradient in self.grads, return the first.",
        "The settings are `self.stride, self.padding`; the weights `self.params[0]`. In backward "
        "`grad_x, grad_w, grad_b = conv2d_backward(...)`, then `self.grads = [grad_w, grad_b]`.",
    ),
)
add_ideas_about_layers(Conv2d, F.conv2d)
_conv = second_round(F.conv2d)


@Conv2d.misconception(
    "forgets-the-settings",
    "Only stride 1 without padding works: your layer takes stride and padding but does not hand them on. Both conv2d and "
    "conv2d_backward need self.stride and self.padding.",
)
def _(w, b, x, grad_out, stride=1, padding=0):
    return _conv(w, b, x, grad_out)


@Conv2d.misconception(
    "swaps-stride-and-padding",
    "You hand on padding where stride belongs, and stride where padding does. The order is stride, padding.",
)
def _(w, b, x, grad_out, stride=1, padding=0):
    if padding == 0:
        raise runs_into("ValueError", "ZeroDivisionError", words="zero")
    return _conv(w, b, x, grad_out, stride=padding, padding=stride)


@Conv2d.misconception(
    "forgets-the-settings-in-forward",
    "Your backward uses stride and padding, but your forward does not: hand them to conv2d too.",
)
def _(w, b, x, grad_out, **settings):
    out = F.conv2d(*map(tensor, (x, w - NUDGE, b - NUDGE))).numpy()
    return out, *_conv(w, b, x, grad_out, **settings)[1:]


@Conv2d.misconception(
    "forgets-the-padding",
    "Strides work, padding does not. Both conv2d and conv2d_backward need self.padding, and x as it came in: they pad it themselves.",
)
def _(w, b, x, grad_out, stride=1, padding=0):
    return _conv(w, b, x, grad_out, stride=stride)


@Conv2d.misconception(
    "forgets-the-stride",
    "Padding works, strides do not. Both conv2d and conv2d_backward need self.stride.",
)
def _(w, b, x, grad_out, stride=1, padding=0):
    return _conv(w, b, x, grad_out, padding=padding)
