"""Unit 03: the linear layer and its gradients.

The oracle is torch in float64, its gradients by autograd. A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course.checks.exercise import Case, Exercise, Refusal, integers, normal
from course.checks.oracle import tensor

UNIT = "03-pooling-and-activations"

# --------------------------------------------------------------------------------------------------------- linear


def torch_linear(x: Any, w: Any, b: Any) -> np.ndarray:
    """Return the linear layer, by torch."""
    return F.linear(tensor(x), tensor(w), tensor(b)).numpy()


def _random_linear(rng: np.random.Generator) -> Case:
    n, d, o = (int(v) for v in rng.integers(1, 6, 3))
    return Case("random", *(rng.standard_normal(shape) for shape in ((n, d), (o, d), o)))


ROW = np.array([[1.0, 2.0]])
WEIGHTS = np.array([[1.0, 1.0], [0.0, 3.0], [-1.0, 0.0]])  # three outputs of two inputs

linear = Exercise(
    "linear",
    UNIT,
    points=1,
    parameters=("x", "w", "b"),
    oracle=torch_linear,
    cases=(
        Case("one row, by hand", ROW, WEIGHTS, np.array([0.5, 0.0, 10.0]), answer=[[3.5, 6.0, 9.0]]),
        Case("four rows", normal(4, 3), normal(2, 3), normal(2)),
        Case("as many outputs as inputs", normal(2, 3), normal(3, 3), normal(3)),
        Case("as many rows as outputs", normal(4, 2), normal(4, 2), normal(4)),
        Case("one output", normal(5, 3), normal(1, 3), normal(1)),
        Case("whole numbers", integers(3, 2), normal(4, 2), normal(4)),
    ),
    random=_random_linear,
    hints=(
        "Look at the shapes: (N, D) and (O, D) should become (N, O). Which axis do the two have in common?",
        "It is a matrix product, summed over D. For `@` the common axis must be last on the left and first on the right, so one of "
        "the two has to be transposed. Then one bias is added to each column.",
        "`w.T` has shape (D, O). After `x @ w.T` b lines up with the last axis by itself.",
    ),
)


@linear.misconception(
    "reads-w-the-other-way",
    "You use w as (inputs, outputs), as CS231n does. Here, as in torch, it is (outputs, inputs), like the filters of a convolution: "
    "transpose it.",
)
def _(x, w, b):
    if w.shape[0] != w.shape[1]:
        raise Refusal("the shapes do not fit")
    return torch_linear(x, w.T, b)


@linear.misconception("forgets-the-bias", "Each column of your answer is off by its bias: add b.")
def _(x, w, b):
    return torch_linear(x, w, np.zeros_like(b))


@linear.misconception(
    "adds-the-bias-to-rows",
    "You add one bias to each row (example). There is one for each output, and that is a column.",
)
def _(x, w, b):
    if len(x) != len(b) and len(b) != 1:
        raise Refusal("the shapes do not fit")
    return torch_linear(x, w, np.zeros_like(b)) + np.reshape(b, (-1, 1))


@linear.misconception("puts-outputs-first", "Your answer is (O, N). Rows are examples: (N, O).")
def _(x, w, b):
    return torch_linear(x, w, b).T


@linear.misconception(
    "adds-the-bias-for-every-input",
    "The bias goes in once for each output, after the sum over the inputs. Yours counts once for every input.",
)
def _(x, w, b):
    return torch_linear(x, w, np.multiply(b, x.shape[1]))


@linear.misconception("averages", "You take the mean over the inputs. A linear layer takes the sum.")
def _(x, w, b):
    return torch_linear(x, np.divide(w, x.shape[1]), b)


@linear.misconception(
    "subtracts-the-bias", "You subtract the bias. It is added (what is subtracted is called a threshold)."
)
def _(x, w, b):
    return torch_linear(x, w, np.negative(b))


@linear.misconception(
    "applies-relu-too", "You set what is negative to 0. The linear layer does not bend: relu comes after it."
)
def _(x, w, b):
    return torch_linear(x, w, b).clip(min=0)


# ------------------------------------------------------------------------------------------------ linear_backward


def torch_linear_backward(grad_out: Any, x: Any, w: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the three gradients of the linear layer, by autograd."""
    inputs = [tensor(a).clone().requires_grad_() for a in (x, w, np.zeros(len(w)))]
    return tuple(g.numpy() for g in torch.autograd.grad(F.linear(*inputs), inputs, tensor(grad_out)))  # type: ignore[return-value]


def _backward_case(name: str, n: int, d: int, o: int, **more: Any) -> Case:
    return Case(name, normal(n, o, 1)[:, :, 0], normal(n, d), normal(o, d), **more)


def _random_linear_backward(rng: np.random.Generator) -> Case:
    n, d, o = (int(v) for v in rng.integers(1, 6, 3))
    return Case("random", *(rng.standard_normal(shape) for shape in ((n, o), (n, d), (o, d))))


linear_backward = Exercise(
    "linear_backward",
    UNIT,
    points=3,
    parameters=("grad_out", "x", "w"),
    returns="three arrays",
    oracle=torch_linear_backward,
    cases=(
        Case(
            "one row, by hand",
            np.array([[1.0, 0.0, 10.0]]),
            ROW,
            WEIGHTS,
            answer=([[-9.0, 1.0]], [[1.0, 2.0], [0.0, 0.0], [10.0, 20.0]], [1.0, 0.0, 10.0]),
        ),
        Case(
            "two rows, by hand",
            np.array([[1.0], [2.0]]),
            np.array([[1.0, 0.0], [3.0, 5.0]]),
            np.array([[2.0, -1.0]]),
            answer=([[2.0, -1.0], [4.0, -2.0]], [[7.0, 10.0]], [3.0]),
        ),
        _backward_case("four rows", 4, 3, 2),
        _backward_case("as many outputs as inputs", 2, 3, 3),
        _backward_case("as many rows as inputs and outputs", 3, 3, 3),
        _backward_case("as many rows as outputs", 4, 2, 4),
        Case("whole-number inputs", normal(3, 4), integers(3, 2), normal(4, 2)),
    ),
    random=_random_linear_backward,
    hints=(
        "Take one weight, w[o, d]. It multiplies x[n, d] and adds to output [n, o], for every row n of the batch. So how much does the "
        "loss change with it?",
        "Each gradient has the shape of what it belongs to, which nearly fixes the formulas: grad_x (N, D) sums over the outputs, "
        "grad_w (O, D) over the rows of the batch, and so does grad_b (O,). The first two are matrix products.",
        "From (N, O) and (O, D) make (N, D): that is one `@` as they stand. From (N, O) and (N, D) make (O, D): one of them has to be "
        "transposed. grad_b is grad_out summed over axis 0.",
    ),
)


@linear_backward.misconception(
    "transposes-grad-w",
    "Your grad_w is (D, O). It has the shape of w, (O, D): swap the factors of the product and which of them is transposed.",
)
def _(grad_out, x, w):
    gx, gw, gb = torch_linear_backward(grad_out, x, w)
    return gx, gw.T, gb


@linear_backward.misconception(
    "does-not-sum-the-bias",
    "Your grad_b has a row for every example. The same bias is used for all of them, so its gradients are summed over the batch.",
)
def _(grad_out, x, w):
    gx, gw, _ = torch_linear_backward(grad_out, x, w)
    return gx, gw, np.array(grad_out)


@linear_backward.misconception(
    "sums-the-bias-over-outputs",
    "You sum grad_out over the outputs, which gives one number for every example. There is one bias for each output: sum over axis 0.",
)
def _(grad_out, x, w):
    gx, gw, _ = torch_linear_backward(grad_out, x, w)
    return gx, gw, tensor(grad_out).sum(1).numpy()


@linear_backward.misconception(
    "sums-the-bias-to-one-number",
    "Your grad_b is a single number: you sum over both axes. Sum over the batch only, axis 0.",
)
def _(grad_out, x, w):
    gx, gw, _ = torch_linear_backward(grad_out, x, w)
    return gx, gw, float(tensor(grad_out).sum())


@linear_backward.misconception(
    "keeps-a-row-in-grad-b", "Your grad_b is (1, O), and b is (O,): leave keepdims away."
)
def _(grad_out, x, w):
    gx, gw, gb = torch_linear_backward(grad_out, x, w)
    return gx, gw, gb[None]


@linear_backward.misconception(
    "averages-over-the-batch",
    "You divide grad_w and grad_b by the number of examples. The mean over the batch belongs to the loss, and grad_out brings it along "
    "already: here everything is summed.",
)
def _(grad_out, x, w):
    gx, gw, gb = torch_linear_backward(grad_out, x, w)
    return gx, gw / len(x), gb / len(x)


@linear_backward.misconception(
    "averages-grad-b", "You take the mean of grad_out for the bias. It is summed over the batch."
)
def _(grad_out, x, w):
    gx, gw, gb = torch_linear_backward(grad_out, x, w)
    return gx, gw, gb / len(x)


@linear_backward.misconception(
    "turns-w-in-grad-x",
    "Your grad_x uses w.T. The forward pass had w.T, and on the way back it is turned again: w as it is.",
)
def _(grad_out, x, w):
    if w.shape[0] != w.shape[1]:
        raise Refusal("the shapes do not fit")
    _, gw, gb = torch_linear_backward(grad_out, x, w)
    return torch_linear_backward(grad_out, x, w.T)[0], gw, gb


@linear_backward.misconception(
    "reads-w-the-other-way",
    "These are the gradients for w as (inputs, outputs), as CS231n has it. Here w is (O, D), as in torch, and the forward pass was "
    "x @ w.T + b.",
)
def _(grad_out, x, w):
    if w.shape[0] != w.shape[1]:
        raise Refusal("the shapes do not fit")
    _, gw, gb = torch_linear_backward(grad_out, x, w)
    return torch_linear_backward(grad_out, x, w.T)[0], gw.T, gb


@linear_backward.misconception(
    "forgets-to-transpose-grad-out",
    "Your grad_w multiplies along the wrong axis: it sums over something other than the examples. Two arrays (N, O) and (N, D) have N "
    "in common, and it must be the summed axis.",
)
def _(grad_out, x, w):
    if not len(x) == x.shape[1] == len(w):
        raise Refusal("the shapes do not fit")
    gx, _, gb = torch_linear_backward(grad_out, x, w)
    return gx, (tensor(grad_out) @ tensor(x)).numpy(), gb


@linear_backward.misconception(
    "changes-the-order",
    "You return the gradients in another order. It is the order of the inputs: grad_x, grad_w, grad_b.",
)
def _(grad_out, x, w):
    gx, gw, gb = torch_linear_backward(grad_out, x, w)
    return gw, gb, gx


@linear_backward.misconception(
    "puts-grad-w-first", "You return grad_w before grad_x. The order is that of the inputs: x, w, b."
)
def _(grad_out, x, w):
    gx, gw, gb = torch_linear_backward(grad_out, x, w)
    return gw, gx, gb


@linear_backward.misconception(
    "leaves-grad-b-out", "You return two gradients. b has one too: grad_x, grad_w, grad_b."
)
def _(grad_out, x, w):
    return torch_linear_backward(grad_out, x, w)[:2]


@linear_backward.misconception(
    "forgets-grad-out-in-the-bias",
    "Your grad_b is 1 (or the number of examples) for every output. The slope is 1, but the chain rule multiplies it by grad_out.",
)
def _(grad_out, x, w):
    gx, gw, _ = torch_linear_backward(grad_out, x, w)
    return gx, gw, torch_linear_backward(np.ones_like(grad_out), x, w)[2]
