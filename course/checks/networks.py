"""Unit 07: layers in a row, and a step of training.

The oracle is torch in float64, its gradients by autograd. Every case goes through a driver that hands in layers, a net and
a loss of its own, so each exercise is judged alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from course.checks.exercise import Case, Exercise, Refusal, normal, runs_into
from course.checks.oracle import tensor
from course.checks.recipe import through

UNIT = "07-lenet-in-numpy"

Layers = list[Any]  # a matrix, or "square", for each


# ----------------------------------------------------------------------------------------------------- Sequential


def apply(layer: Any, x: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    """Return what one layer gives."""
    return x**2 if weight is None else x @ weight


def chain(
    layers: Layers, x: Any, chained: bool = True
) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor], list]:
    """Return x, the output, the weights, and each layer's own (input, weight, output), all tracked by autograd."""
    weights = [None if isinstance(w, str) else tensor(w).clone().requires_grad_() for w in layers]
    start = value = tensor(x).clone().requires_grad_()
    steps = []
    for layer, weight in zip(layers, weights, strict=True):
        value = value if chained else start
        if weight is not None and value.shape[-1] != len(weight):
            raise Refusal("the shapes do not fit")
        out = apply(layer, value, weight)
        steps.append((value, weight, out))
        value = out
    return start, value, [w for w in weights if w is not None], steps


def torch_chain(layers: Layers, x: Any, grad_out: Any) -> tuple[np.ndarray, ...]:
    """Return output, grad_x, and the gradients of the weights, by autograd."""
    start, out, weights, _ = chain(layers, x)
    grads = torch.autograd.grad(out, [start, *weights], tensor(grad_out))
    return tuple(a.detach().numpy() for a in (out, *grads))


def walk(
    layers: Layers, x: Any, grad_out: Any, order: Sequence[int], chained: bool = True, forward: bool = True
) -> list[np.ndarray]:
    """Return output, the last gradient and the weights' gradients of a backward pass in any order of the layers."""
    _, out, _, steps = chain(layers, x, forward)
    grad, grads = tensor(grad_out), {}
    last = grad
    for i in order:
        value, weight, result = steps[i]
        arriving = grad if chained else tensor(grad_out)
        if arriving.shape != result.shape:
            raise Refusal("the shapes do not fit")
        wanted = [value] if weight is None else [value, weight]
        given = torch.autograd.grad(result, wanted, arriving, retain_graph=True)
        grad = last = given[0]
        grads[i] = given[1:]
    missing = {i: (torch.zeros_like(s[1]),) if s[1] is not None else () for i, s in enumerate(steps)}
    kept = [
        g
        for i in range(len(steps))
        for g in (grads | {k: v for k, v in missing.items() if k not in grads})[i]
    ]
    return [a.detach().numpy() for a in (out, last, *kept)]


def _chain_case(name: str, layers: Layers, rows: int, **more: Any) -> Case:
    sizes = [np.shape(w) for w in layers if not isinstance(w, str)]
    return Case(
        name, through("chain_twice"), layers, normal(rows, sizes[0][0]), normal(rows, sizes[-1][1]), **more
    )


def _random_chain(rng: np.random.Generator) -> Case:
    sizes = [int(n) for n in rng.integers(2, 5, 4)]
    layers: Layers = [rng.standard_normal(pair) for pair in zip(sizes, sizes[1:], strict=False)]
    layers.insert(int(rng.integers(1, 3)), "square")
    rows = int(rng.integers(1, 5))
    x, grad_out = rng.standard_normal((rows, sizes[0])), rng.standard_normal((rows, sizes[-1]))
    return Case("random", through("chain_twice"), layers, x, grad_out)


Sequential = Exercise(
    "Sequential",
    UNIT,
    points=3,
    parameters=("layers", "x", "grad_out"),
    returns="output, grad_x, and the gradients in grads",
    oracle=torch_chain,
    driven=True,
    cases=(
        Case(
            "one layer, x times 3",
            through("chain_twice"),
            [np.array([[3.0]])],
            np.array([[2.0]]),
            np.array([[5.0]]),
            answer=([[6.0]], [[15.0]], [[10.0]]),
            weight=0.5,
        ),
        Case(
            "times 3, then squared, then times 2",
            through("chain_twice"),
            [np.array([[3.0]]), "square", np.array([[2.0]])],
            np.array([[1.0]]),
            np.array([[1.0]]),
            answer=([[18.0]], [[36.0]], [[12.0]], [[9.0]]),
        ),
        _chain_case("two matrices", [normal(2, 2), normal(2, 2) - 1], 3),
        _chain_case("layers of several sizes", [normal(3, 4), normal(4, 2)], 2),
        _chain_case("five layers", [normal(3, 3), "square", normal(3, 3) + 1, "square", normal(3, 3) / 2], 2),
    ),
    random=_random_chain,
    hints=(
        "In forward one value travels: each layer takes it and gives a new one. In backward a gradient travels. Where does it start?",
        "forward is a loop over self.layers in which x becomes `layer.forward(x)`. backward is a loop over the same list from the end, in "
        "which grad_out becomes `layer.backward(grad_out)`. Return what is left at the end.",
        "`for layer in reversed(self.layers)` goes backward and leaves the list alone. Inside the loop, one assignment: the gradient is "
        "replaced by what the layer's backward returns for it.",
    ),
)


@Sequential.misconception(
    "backward-in-forward-order",
    "Your backward visits the layers from first to last. grad_out belongs to the *last* layer's output: start there, and walk to the "
    "first.",
)
def _(layers, x, grad_out):
    return tuple(walk(layers, x, grad_out, range(len(layers))))


@Sequential.misconception(
    "does-not-chain-the-gradient",
    "Every layer gets the same grad_out. A layer's grad_out is what the layer behind it has just returned: hand that on.",
)
def _(layers, x, grad_out):
    return tuple(walk(layers, x, grad_out, range(len(layers))[::-1], chained=False))


@Sequential.misconception(
    "returns-grad-out",
    "The layers are all visited, but you return the grad_out that came in. Return what is left after the first layer: it is grad_x.",
)
def _(layers, x, grad_out):
    out, _, *grads = torch_chain(layers, x, grad_out)
    return out, np.array(grad_out), *grads


@Sequential.misconception(
    "returns-nothing-from-backward",
    "Your backward returns None. A row of layers behaves like one layer, so its backward returns grad_x.",
)
def _(layers, x, grad_out):
    out, _, *grads = torch_chain(layers, x, grad_out)
    return out, None, *grads


@Sequential.misconception(
    "returns-nothing-from-forward", "Your forward returns None: return the last layer's output."
)
def _(layers, x, grad_out):
    return None, *torch_chain(layers, x, grad_out)[1:]


@Sequential.misconception(
    "skips-the-first-layer",
    "Your backward stops before the first layer, so it never gets its gradients. Check where your loop ends (range's end is not "
    "included).",
)
def _(layers, x, grad_out):
    return tuple(walk(layers, x, grad_out, range(len(layers))[:0:-1]))


@Sequential.misconception(
    "stops-after-the-last-layer",
    "Your backward returns inside the loop, after the last layer, so the others never get their gradients. The return stands behind the loop.",
)
def _(layers, x, grad_out):
    return tuple(walk(layers, x, grad_out, [len(layers) - 1]))


@Sequential.misconception(
    "empties-the-list",
    "After the first backward there are no layers left: `pop` takes them out of the list. `reversed(...)` and `[::-1]` leave it alone.",
)
def _(layers, x, grad_out):
    return np.array(x), np.array(grad_out)


@Sequential.misconception(
    "stops-after-one-layer",
    "Your forward returns inside the loop, after the first layer, so the others never see anything. The return stands behind the loop.",
)
def _(layers, x, grad_out):
    if len(layers) > 1:
        raise runs_into("RuntimeError")
    return torch_chain(layers, x, grad_out)


@Sequential.misconception(
    "does-not-chain-the-values",
    "In your forward every layer gets x itself. Only the first one should: what a layer returns is what the next one takes.",
)
def _(layers, x, grad_out):
    return tuple(walk(layers, x, grad_out, range(len(layers))[::-1], forward=False))


@Sequential.misconception(
    "forward-in-reverse-order",
    "Your forward goes through the layers from last to first. The first layer in the list is the first to see x.",
)
def _(layers, x, grad_out):
    out, gx, *grads = walk(layers[::-1], x, grad_out, range(len(layers)))
    return out, gx, *grads[::-1]


@Sequential.misconception(
    "turns-the-list-round",
    "In the second forward the layers run from last to first. Did you use `list.reverse()` in backward? It turns the list itself round. "
    "`reversed(...)` and `[::-1]` leave it alone.",
)
def _(layers, x, grad_out):
    out, gx, *grads = torch_chain(layers[::-1], x, grad_out)
    return out, gx, *grads[::-1]


# ----------------------------------------------------------------------------------------------------- train_step


def torch_step(
    layers: Layers, x: Any, targets: Any, lr: float, change: Callable | None = None
) -> tuple[float, Layers, list[np.ndarray]]:
    """Return the loss, the layers after a step, and the gradients; ``change(grads)`` perturbs what is subtracted."""
    _, scores, weights, _ = chain(layers, x)
    loss = ((scores - tensor(targets)) ** 2).sum() / 2 / len(scores)
    grads = [g.numpy() for g in torch.autograd.grad(loss, weights)]
    steps = iter(change(grads) if change else [lr * g for g in grads])
    after = [w if isinstance(w, str) else w - next(steps) for w in layers]
    return float(loss.detach()), after, grads


def two_torch_steps(
    layers: Layers, x: Any, targets: Any, lr: float, change: Callable | None = None
) -> tuple[Any, ...]:
    """Return both losses and the weights after two steps."""
    losses = []
    for _ in range(2):
        loss, layers, _ = torch_step(layers, x, targets, lr, change)
        losses.append(loss)
    return *losses, *(w for w in layers if not isinstance(w, str))


def _random_step(rng: np.random.Generator) -> Case:
    a, b, c, n = (int(v) for v in rng.integers(2, 5, 4))
    layers: Layers = [rng.standard_normal((a, b)), rng.standard_normal((b, c))]
    arrays = rng.standard_normal((n, a)), rng.standard_normal((n, c))
    return Case("random", through("two_steps"), layers, *arrays, float(rng.uniform(0.02, 0.1)))


train_step = Exercise(
    "train_step",
    UNIT,
    points=3,
    parameters=("weights of the net", "x", "labels", "lr"),
    returns="the losses of two steps, and the parameters after them",
    oracle=two_torch_steps,
    driven=True,
    cases=(
        Case(
            "one weight, two steps",
            through("two_steps"),
            [np.array([[4.0]])],
            np.array([[1.0]]),
            np.array([[0.0]]),
            0.5,
            answer=(8.0, 2.0, [[1.0]]),
        ),
        Case("one layer", through("two_steps"), [normal(3, 2)], normal(4, 3), normal(4, 2), 0.1),
        Case(
            "two layers", through("two_steps"), [normal(3, 3), normal(3, 2)], normal(5, 3), normal(5, 2), 0.05
        ),
        Case(
            "a layer without parameters between them",
            through("two_steps"),
            [normal(3, 2), "square", normal(2, 2)],
            normal(2, 3),
            normal(2, 2),
            0.03,
        ),
    ),
    random=_random_step,
    hints=(
        "Name the four calls in their order: two forward, two backward. What goes into each, and what comes out?",
        "The scores are net.forward(x). loss.forward(scores, labels) gives the number to return. loss.backward() gives the gradient of "
        "the scores, and net.backward takes it; from then on net.grads is filled. Then a loop over pairs of params and grads.",
        "`for param, grad in zip(net.params, net.grads):` and inside it one line that subtracts lr times grad from param, in place "
        "(`-=`). Return the loss that you kept from the beginning.",
    ),
)


@train_step.misconception(
    "changes-nothing",
    "The parameters are what they were. Has net.backward run? Until then all gradients are 0. And `param = param - ...` makes a new array "
    "and gives it the name, while the layer still has the old one: change the array itself, `-=`.",
)
def _(layers, x, targets, lr):
    return two_torch_steps(layers, x, targets, 0.0)


@train_step.misconception(
    "goes-uphill",
    "Your parameters move *with* the gradient, and the loss grows. The gradient points to where the loss grows: subtract. (If you do: "
    "loss.forward takes the scores first, then the labels.)",
)
def _(layers, x, targets, lr):
    return two_torch_steps(layers, x, targets, -lr)


@train_step.misconception(
    "updates-before-backward",
    "You change the parameters before backward has run, with the gradients of the step before. First backward, then the update.",
)
def _(layers, x, targets, lr):
    first, after, _ = torch_step(layers, x, targets, lr)
    return first, first, *(w for w in after if not isinstance(w, str))


@train_step.misconception(
    "updates-first-of-all",
    "You change the parameters at the very beginning, with the gradients of the step before. First forward and backward, then the "
    "update.",
)
def _(layers, x, targets, lr):
    first, after, _ = torch_step(layers, x, targets, lr)
    return first, torch_step(after, x, targets, 0.0)[0], *(w for w in after if not isinstance(w, str))


@train_step.misconception(
    "replaces-the-list",
    "You assign to net.params. It is only a list of the arrays that the layers own: a new list changes no layer. Change each array in place.",
)
def _(layers, x, targets, lr):
    raise runs_into("AttributeError")


@train_step.misconception(
    "starts-with-backward",
    "Your backward comes before forward, so there is nothing to go back from. First net.forward and loss.forward.",
)
def _(layers, x, targets, lr):
    raise runs_into("RuntimeError")


@train_step.misconception(
    "hands-the-loss-to-the-net",
    "net.backward got something that is not shaped like the scores: the loss itself? It wants the gradient of the scores, which "
    "loss.backward() returns.",
)
def _(layers, x, targets, lr):
    raise runs_into("ValueError")


@train_step.misconception(
    "forgets-the-rate",
    "Your steps are as long as the gradient itself: multiply it by lr.",
)
def _(layers, x, targets, lr):
    return two_torch_steps(layers, x, targets, 1.0)


@train_step.misconception(
    "averages-again",
    "You divide the gradients by the size of the batch. The loss is a mean, so this division is in them already.",
)
def _(layers, x, targets, lr):
    return two_torch_steps(layers, x, targets, lr / len(x))


@train_step.misconception(
    "returns-the-loss-after-the-step",
    "The parameters are right, but you return the loss *after* the step, which costs another forward pass. Keep the one from before.",
)
def _(layers, x, targets, lr):
    first, second, *params = two_torch_steps(layers, x, targets, lr)
    after = [w if isinstance(w, str) else params.pop(0) for w in layers]
    return second, torch_step(after, x, targets, 0.0)[0], *two_torch_steps(layers, x, targets, lr)[2:]


@train_step.misconception(
    "returns-nothing", "The parameters are right, but nothing is returned: return the loss, one number."
)
def _(layers, x, targets, lr):
    return None, None, *two_torch_steps(layers, x, targets, lr)[2:]


@train_step.misconception(
    "updates-the-first-layer-only",
    "Only the first parameter moves. net.params is a list: loop over all of them, with their gradients (and return behind the loop).",
)
def _(layers, x, targets, lr):
    return two_torch_steps(
        layers, x, targets, lr, lambda grads: [lr * g if i == 0 else 0 * g for i, g in enumerate(grads)]
    )


@train_step.misconception(
    "steps-by-the-sign",
    "All your steps have the same length: you use the sign of the gradient only. Subtract lr times the gradient.",
)
def _(layers, x, targets, lr):
    return two_torch_steps(layers, x, targets, lr, lambda grads: [lr * np.sign(g) for g in grads])
