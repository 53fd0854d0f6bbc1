"""Unit 08: a convolution for autograd, whose backward is the student's own.

The oracle is torch's convolution and its gradients. The driver puts simple functions into the slots of course/carry.py, right for
1 x 1 kernels on one channel: what is judged is what the class saves, takes back and returns.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course.checks.compare import matches
from course.checks.exercise import Case, Exercise, normal, runs_into
from course.checks.oracle import tensor
from course.checks.porting_drivers import named
from course.checks.recipe import through

UNIT = "08-numpy-to-torch"
IN_AUTOGRAD = "porting_drivers.in_autograd"

Arrays = tuple[Any, ...]


def gradients(
    x: Any, w: Any, b: Any, grad_out: Any, stride: int = 1, padding: int = 0
) -> tuple[np.ndarray, Arrays]:
    """Return a convolution's output, and its three gradients, by torch."""
    inputs = [tensor(a).clone().requires_grad_() for a in (x, w, b)]
    out = F.conv2d(*inputs, stride=stride, padding=padding)
    grads = torch.autograd.grad(out, inputs, tensor(grad_out))
    return out.detach().numpy(), tuple(g.numpy() for g in grads)


def seen(output: Any, given: Arrays, passes: bool) -> dict[str, Any]:
    """Return what the driver returns."""
    return {"output": output, **named(given), "passes gradcheck": passes}


def right(x: Any, w: Any, b: Any, grad_out: Any, **settings: int) -> dict[str, Any]:
    """Return what a right class gives."""
    out, grads = gradients(x, w, b, grad_out, **settings)
    return seen(out, (*grads, None, None), True)


def _case(name: str, n: int, o: int, h: int, w: int, **settings: Any) -> Case:
    more = {k: settings.pop(k) for k in ("weight",) if k in settings}
    out = F.conv2d(torch.zeros(n, 1, h, w), torch.zeros(o, 1, 1, 1), **settings)
    arrays = normal(n, 1, h, w), normal(o, 1, 1, 1), normal(o), normal(*out.shape)
    return Case(name, through(IN_AUTOGRAD), *arrays, **settings, **more)


def _random(rng: np.random.Generator) -> Case:
    n, o, h, w = (int(v) for v in rng.integers([1, 2, 2, 2], [3, 4, 6, 6]))
    settings: dict[str, int] = {"stride": int(rng.integers(1, 4)), "padding": int(rng.integers(3))}
    out = F.conv2d(torch.zeros(n, 1, h, w), torch.zeros(o, 1, 1, 1), **settings)  # type: ignore[arg-type]
    shapes = (n, 1, h, w), (o, 1, 1, 1), (o,), tuple(out.shape)
    return Case("random", through(IN_AUTOGRAD), *(rng.standard_normal(s) for s in shapes), **settings)


Conv2dFunction = Exercise(
    "Conv2dFunction",
    UNIT,
    points=4,
    parameters=("x", "w", "b", "grad_out"),
    returns="the output, the five gradients, and whether gradcheck agrees",
    oracle=right,
    driven=True,
    cases=(
        Case(
            "one weight, one pixel",
            through(IN_AUTOGRAD),
            np.array([[[[3.0]]]]),
            np.array([[[[2.0]]]]),
            np.array([1.0]),
            np.array([[[[5.0]]]]),
            answer=seen([[[[7.0]]]], ([[[[10.0]]]], [[[[15.0]]]], [5.0], None, None), True),
        ),
        _case("one filter on a wide image", 1, 1, 2, 3),
        _case("three filters", 1, 3, 2, 2),
        _case("two images", 2, 2, 3, 2),
        _case("stride 2", 2, 2, 5, 4, stride=2),
        _case("padding 1", 2, 1, 3, 2, padding=1),
        _case("stride and padding", 2, 2, 4, 5, stride=3, padding=2),
    ),
    random=_random,
    hints=(
        "Two calls that do not see each other share one thing, ctx. What must forward leave there so that backward can call "
        "conv2d_backward? And how many things came into forward, besides ctx?",
        "forward: keep x and w by ctx.save_for_backward, the two whole numbers as attributes of ctx; turn the three tensors into arrays, "
        "call conv2d, turn the result into a tensor. backward: take all of it back, call conv2d_backward with arrays, and return a "
        "tensor for each of x, w, b, then None for each whole number.",
        "`ctx.save_for_backward(x, w)` and `ctx.stride, ctx.padding = stride, padding`; in backward `x, w = ctx.saved_tensors`. The last "
        "line returns `like(grad_x, x)`, the two others in the same way, `None, None`.",
    ),
)


@Conv2dFunction.misconception(
    "forgets-the-nones",
    "Your backward returns three gradients, but five things came into forward. Whole numbers have no gradient: return None for stride "
    "and None for padding.",
)
def _(x, w, b, grad_out, **settings):
    out, grads = gradients(x, w, b, grad_out, **settings)
    return seen(out, grads, False)


@Conv2dFunction.misconception(
    "zeros-for-whole-numbers",
    "Your backward returns 0 for stride and padding. They are no tensors, so they have no gradient at all: None.",
)
def _(x, w, b, grad_out, **settings):
    out, grads = gradients(x, w, b, grad_out, **settings)
    return seen(out, (*grads, 0, 0), False)


@Conv2dFunction.misconception(
    "nones-first",
    "Your Nones come first. The gradients stand in the order of forward's arguments: x, w, b, stride, padding.",
)
def _(x, w, b, grad_out, **settings):
    out, grads = gradients(x, w, b, grad_out, **settings)
    return seen(out, (None, None, *grads), False)


@Conv2dFunction.misconception(
    "none-for-the-bias",
    "Your backward returns None for b. It is a tensor that learns: conv2d_backward's third gradient is for it.",
)
def _(x, w, b, grad_out, **settings):
    out, grads = gradients(x, w, b, grad_out, **settings)
    return seen(out, (*grads[:2], None, None, None), False)


@Conv2dFunction.misconception(
    "weight-before-input",
    "Your gradients of x and w stand in the wrong order. It is that of forward's arguments: x first.",
)
def _(x, w, b, grad_out, **settings):
    out, (gx, gw, gb) = gradients(x, w, b, grad_out, **settings)
    return seen(out, (gw, gx, gb, None, None), False)


@Conv2dFunction.misconception(
    "unpacks-in-another-order",
    "x and w have changed places on their way. ctx.saved_tensors gives the tensors in the order in which save_for_backward got them.",
)
def _(x, w, b, grad_out, **settings):
    if np.shape(x) != np.shape(w):
        raise runs_into("ValueError", "IndexError", "RuntimeError")
    out, _ = gradients(x, w, b, grad_out, **settings)
    _, swapped = gradients(w, x, b, grad_out, **settings)
    return seen(out, (*swapped, None, None), False)


@Conv2dFunction.misconception(
    "ignores-grad-out",
    "Your gradients are those of the plain sum of the output: you do not use the grad_out that comes in. It carries the message of all the "
    "layers behind this one.",
)
def _(x, w, b, grad_out, **settings):
    out, _ = gradients(x, w, b, grad_out, **settings)
    _, grads = gradients(x, w, b, np.ones_like(grad_out), **settings)
    return seen(out, (*grads, None, None), False)


@Conv2dFunction.misconception(
    "forgets-the-settings",
    "Only stride 1 without padding works. Keep stride and padding on ctx, and hand them to conv2d *and* to conv2d_backward.",
)
def _(x, w, b, grad_out, **settings):
    if settings:
        raise runs_into("ValueError", "RuntimeError")
    return right(x, w, b, grad_out)


@Conv2dFunction.misconception(
    "forgets-the-settings-in-forward",
    "Your backward uses stride and padding, but your forward does not: hand them to conv2d too.",
)
def _(x, w, b, grad_out, **settings):
    out, _ = gradients(x, w, b, 0 * F.conv2d(*map(tensor, (x, w, b))).numpy())
    return right(x, w, b, grad_out, **settings) | {"output": out, "passes gradcheck": not settings}


@Conv2dFunction.misconception(
    "keeps-settings-on-the-class",
    "Between your forward and its backward the class was called once more, with another stride and padding, and backward used those. "
    "What one call needs belongs on its own ctx: `ctx.stride = stride`.",
)
def _(x, w, b, grad_out, **settings):
    out, _ = gradients(x, w, b, grad_out, **settings)
    try:
        _, grads = gradients(x, w, b, grad_out, **later(**settings))
    except RuntimeError as error:
        raise runs_into("ValueError", "RuntimeError") from error
    return seen(out, (*grads, None, None), True)


def later(stride: int = 1, padding: int = 0) -> dict[str, int]:
    """Return the settings of the driver's second call."""
    return {"stride": stride + 1, "padding": padding + 1}


def uses_the_later_call(value: Any, x: Any, w: Any, b: Any, grad_out: Any, **settings: int) -> bool:
    """Return whether a gradient is the one that the driver's second call, on doubled numbers, would have."""
    if not isinstance(value, dict):
        return False
    for chosen in (settings, later(**settings)):
        with contextlib.suppress(RuntimeError):  # a grad_out of another shape
            _, (gx, gw, _) = gradients(2 * x, 2 * w, b, grad_out, **chosen)
            if matches(value["gradient of x"], gx) or matches(value["gradient of w"], gw):
                return True
    return False


@Conv2dFunction.misconception(
    "keeps-things-on-the-class",
    "Between your forward and its backward the class was called once more, on other numbers, and backward used those. What one call needs "
    "belongs on its own ctx, not on the class or in a global.",
    when=uses_the_later_call,
)
def _(x, w, b, grad_out, **settings):
    out, _ = gradients(x, w, b, grad_out, **settings)
    _, grads = gradients(2 * x, 2 * w, b, grad_out, **settings)
    return seen(out, (*grads, None, None), False)


def slip(name: str, hint: str, *types: str, words: str | tuple[str, ...]) -> None:
    """Add a wrong idea that ends in an exception of these types, told from others by its message."""

    @Conv2dFunction.misconception(name, hint)
    def _(x, w, b, grad_out, **settings):
        raise runs_into(*types, words=words)


slip(
    "forgets-to-save",
    "A name is missing. If backward wants something that forward had: a local name is gone when forward ends, and there is no self. "
    "Save tensors by ctx.save_for_backward, the whole numbers as attributes of ctx.",
    *("NameError", "AttributeError", "UnboundLocalError"),
    words=("is not defined", "Backward' object has no attribute", "local variable"),
)
slip(
    "saves-what-is-no-tensor",
    "`ctx.save_for_backward` takes tensors only: x and w as they came in, not as arrays. Stride and padding are plain numbers and become "
    "attributes: `ctx.stride = stride`.",
    "TypeError",
    words="save_for_backward can only save",
)
slip(
    "takes-a-self",
    "An argument too many or too few: there is no self here. Under `@staticmethod`, forward takes (ctx, x, w, b, stride, padding), and "
    "backward takes (ctx, grad_out).",
    "TypeError",
    words=(".forward() missing", ".backward() missing", ".forward() takes", ".backward() takes"),
)
slip(
    "hands-over-the-bias",
    "conv2d_backward got more than it takes: grad_out, x, w, stride and padding. The bias is not among them, since no gradient depends on it.",
    "TypeError",
    words="conv2d_backward() takes",
)
slip(
    "converts-what-is-no-tensor",
    "`to_array` takes a tensor, and here got something else. Stride and padding go into conv2d as they are, and so does what is an array "
    "already.",
    "AttributeError",
    words="no attribute 'detach'",
)
slip(
    "mixes-arrays-and-tensors",
    "A tensor stands where an array is wanted, or an array where a tensor is. conv2d and conv2d_backward take arrays, so `to_array(x)` "
    "for each tensor that goes in; what comes out becomes a tensor by `like(result, x)`.",
    *("TypeError", "RuntimeError"),
    words=("Tensor", "torch.dtype"),
)
slip(
    "returns-an-array",
    "Your forward returns a NumPy array. autograd hands on tensors: turn it back, with `like(result, x)`.",
    "TypeError",
    words="forward must return a tensor, and returned ndarray",
)


slip(
    "returns-arrays-from-backward",
    "What your backward returns are NumPy arrays, and autograd refuses those: turn each into a tensor, as in `like(grad_x, x)`.",
    "TypeError",
    words="backward must return tensors",
)
slip(
    "returns-a-list",
    "Your backward returns a list, which autograd takes for one thing: return a tuple, `return grad_x, grad_w, grad_b, None, None`.",
    "TypeError",
    words="backward must return a tuple",
)


@Conv2dFunction.misconception(
    "changes-the-dtype",
    "The numbers are right, but autograd's own check refuses them. Is something float32 that came in as float64? `like(result, x)` keeps the dtype.",
)
def _(x, w, b, grad_out, **settings):
    return right(x, w, b, grad_out, **settings) | {"passes gradcheck": False}


@Conv2dFunction.misconception(
    "averages-over-the-batch",
    "You divide the gradients of w and b by the size of the batch. A mean belongs to the loss, and grad_out brings it along.",
)
def _(x, w, b, grad_out, **settings):
    out, (gx, gw, gb) = gradients(x, w, b, grad_out, **settings)
    return seen(out, (gx, gw / len(x), gb / len(x), None, None), len(x) == 1)
