"""Unit 07: layers in a row, LeNet-5, and a step of training.

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
    "The parameters are what they were. `param = param - ...` makes a new array and gives it the name; the layer still has the old one. "
    "Change the array itself: `-=`.",
)
def _(layers, x, targets, lr):
    return two_torch_steps(layers, x, targets, 0.0)


@train_step.misconception(
    "goes-uphill",
    "Your parameters move *with* the gradient, and the loss grows. The gradient points to where the loss grows: subtract.",
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


# --------------------------------------------------------------------------------------------------------- LeNet5

STAGE = ["Conv2d", "ReLU", "MaxPool2d"]
KINDS = [*STAGE, *STAGE, "Flatten", "Linear", "ReLU", "Linear", "ReLU", "Linear"]
SHAPES: dict[int, tuple[int, ...]] = {
    0: (6, 1, 5, 5),
    3: (16, 6, 5, 5),
    7: (120, 400),
    9: (84, 120),
    11: (10, 84),
}  # of w, by place


def lenet(
    seed: int,
    kinds: Sequence[str] = KINDS,
    shapes: dict[int, tuple[int, ...]] | None = None,
    gain: float = 2.0,
    count: Callable[[tuple[int, ...]], float] = lambda shape: float(np.prod(shape[1:])),
    padding: int = 0,
) -> dict[str, Any]:
    """Return a LeNet-5 as the driver reports it, drawn by torch; the arguments after ``seed`` make wrong ideas."""
    shapes, generator = SHAPES if shapes is None else shapes, torch.Generator().manual_seed(seed)
    conv, pool = {"stride": 1, "padding": padding}, {"kernel_size": 2}
    params: list[list[np.ndarray]] = []
    for i in range(len(kinds)):
        if i not in shapes:
            params.append([])
            continue
        w = (
            torch.randn(shapes[i], generator=generator, dtype=torch.float64)
            * (gain / count(shapes[i])) ** 0.5
        )
        params.append([w.numpy(), np.zeros(shapes[i][0])])
    settings = [conv if k == "Conv2d" else pool if k == "MaxPool2d" else {} for k in kinds]
    return {"kinds": list(kinds), "settings": settings, "params": params, "fixed": False}


def shapes_of(value: Any) -> dict[int, tuple[int, ...]]:
    """Return the shape of w for each layer that has parameters, by place."""
    return {i: np.shape(pair[0]) for i, pair in enumerate(value["params"]) if len(pair)}


def spreads(value: Any) -> list[float]:
    """Return each weight array's standard deviation, as a share of what it should be."""
    arrays = [pair[0] for pair in value["params"] if len(pair)]
    return [float(np.std(w) / np.sqrt(2 / np.prod(np.shape(w)[1:]))) for w in arrays]


def judge_lenet(value: Any, seed: int) -> str:
    """Return what is wrong with a net, in a sentence, or an empty string."""
    kinds = list(value["kinds"])
    if kinds != KINDS:
        place = next((i for i, (a, b) in enumerate(zip(kinds, KINDS, strict=False)) if a != b), None)
        if place is None:
            return f"It has {len(kinds)} layers, where {len(KINDS)} were expected."
        return f"Layer {place + 1} of {len(KINDS)} should be {KINDS[place]}, and is {kinds[place]}."
    for i, shape in SHAPES.items():
        got = [np.shape(p) for p in value["params"][i]]
        if got != [shape, shape[:1]]:
            return f"Layer {i + 1}, {KINDS[i]}, should have w {shape} and b {shape[:1]}; it has {got}."
    for i, settings in enumerate(value["settings"]):
        wanted = {"stride": 1, "padding": 0} if KINDS[i] == "Conv2d" else {"kernel_size": 2}
        for name, number in settings.items():
            if name in wanted and number != wanted[name]:
                return f"Layer {i + 1}, {KINDS[i]}, should have {name} {wanted[name]}, and has {number}."
    return judge_numbers(value)


def has_silent_kernels(w: Any) -> bool:
    """Return whether some kernels of a filter are all zeros, and others are not."""
    silent = np.all(np.asarray(w) == 0, axis=(2, 3))
    return bool(silent.any() and not silent.all())


def judge_numbers(value: Any) -> str:
    """Return what is wrong with the numbers that were drawn, or an empty string."""
    if has_silent_kernels(value["params"][3][0]):
        return "Layer 4, Conv2d, has filters that leave out some of the six maps: weights of 0."
    for i, share in zip(SHAPES, spreads(value), strict=True):
        w, b = value["params"][i]
        name = f"Layer {i + 1}, {KINDS[i]},"
        if np.any(b):
            return f"{name} should have biases of 0."
        if not 0.75 < share < 1.25:
            wanted = np.sqrt(2 / np.prod(SHAPES[i][1:]))
            return (
                f"{name} should have weights of standard deviation {wanted:.3f}; yours have {np.std(w):.3f}."
            )
        if abs(np.mean(w)) > 0.35 * np.std(w):
            return f"{name} should have weights of mean 0; yours have {np.mean(w):.3f}."
    return "Two different rng give the very same weights: draw them from rng." if value["fixed"] else ""


LeNet5 = Exercise(
    "LeNet5",
    UNIT,
    points=3,
    parameters=("seed",),
    returns="a Sequential of twelve layers",
    oracle=lenet,
    check_answer=judge_lenet,
    driven=True,
    cases=(
        Case("the layers and their weights", through("lenet_table"), 1),
        Case("another rng", through("lenet_table"), 2),
    ),
    hints=(
        "Write down the shape of w for the five layers that have one: (filters, channels, 5, 5) for the convolutions, (outputs, inputs) "
        "for the linear layers. What goes into C5 is the whole of S4.",
        "Return Sequential with a list of twelve objects, in the order of the docstring. For each of the five layers draw w with "
        "rng.normal(0, standard deviation, shape), and take zeros for b. The number of inputs is the product of w's shape without its "
        "first entry.",
        "C3's w is (16, 6, 5, 5): sixteen filters, each as deep as the six maps. C5's is (120, 400), as 16 · 5 · 5 = 400. The deviation is "
        "`np.sqrt(2 / np.prod(shape[1:]))`.",
    ),
)


def _has_shapes(wrong: dict[int, tuple[int, ...]]) -> Callable[..., bool]:
    return lambda value, seed: all(shapes_of(value).get(i) == shape for i, shape in wrong.items())


def _has_spread(low: Callable[[tuple[int, ...]], float]) -> Callable[..., bool]:
    """Return whether every weight array has the spread that a formula gives, and not the right one."""

    def when(value: Any, seed: int) -> bool:
        if shapes_of(value) != SHAPES:
            return False
        wanted = [low(shape) / np.sqrt(2 / np.prod(shape[1:])) for shape in SHAPES.values()]
        off = any(abs(w - 1) > 0.25 for w in wanted)
        return off and all(0.75 < s / w < 1.25 for s, w in zip(spreads(value), wanted, strict=True))

    return when


SIX_TWICE: dict[int, tuple[int, ...]] = {3: (6, 6, 5, 5), 7: (120, 150)}


@LeNet5.misconception(
    "six-filters-twice",
    "Your second convolution has 6 filters. Some lecture slides say so, but the table says 16, and only so are there 60 k weights.",
    when=lambda value, seed: shapes_of(value).get(3) == (6, 6, 5, 5),
)
def _(seed):
    return lenet(seed, shapes=SHAPES | SIX_TWICE)


@LeNet5.misconception(
    "one-channel-in-c3",
    "The filters of your second convolution are one channel deep. Each looks at all six maps of S2: w is (16, 6, 5, 5).",
    when=_has_shapes({3: (16, 1, 5, 5)}),
)
def _(seed):
    return lenet(seed, shapes=SHAPES | {3: (16, 1, 5, 5)})


@LeNet5.misconception(
    "connects-c3-in-part",
    "You let the filters of C3 see a few of the six maps, as in the paper. Here every filter sees all six: w is (16, 6, 5, 5), with no "
    "weight set to 0.",
    when=lambda value, seed: (
        (shapes_of(value).get(3, (0, 0))[1:2] in [(3,), (4,)])
        or (shapes_of(value) == SHAPES and has_silent_kernels(value["params"][3][0]))
    ),
)
def _(seed):
    net = lenet(seed)
    net["params"][3][0][:6, :3] = 0
    return net


@LeNet5.misconception(
    "swaps-inputs-and-outputs",
    "Your weights have inputs and outputs swapped. Outputs come first: (filters, channels, 5, 5), and (outputs, inputs).",
    when=lambda value, seed: (
        shapes_of(value).get(7) == (400, 120) or shapes_of(value).get(3) == (6, 16, 5, 5)
    ),
)
def _(seed):
    swapped = {i: (s[1], s[0], *s[2:]) for i, s in SHAPES.items()}
    return lenet(seed, shapes=swapped)


@LeNet5.misconception(
    "flattens-the-wrong-size",
    "C5 does not fit what Flatten gives: sixteen maps of 5 x 5 are 400 values. Without padding, a 5 x 5 window takes four rows and columns "
    "off, and pooling halves what is left.",
    when=lambda value, seed: shapes_of(value).get(7, (0, 400))[1] in (16, 256, 784, 576, 1024, 1600, 120),
)
def _(seed):
    return lenet(seed, shapes=SHAPES | {7: (120, 16 * 7 * 7)})


@LeNet5.misconception(
    "pads",
    "You pad the convolutions. The image is 32 x 32 already, so that 28 x 28 is left without padding. (padding=2 belongs to images of 28 x 28.)",
    when=lambda value, seed: any(settings.get("padding") for settings in value["settings"]),
)
def _(seed):
    return lenet(seed, padding=2)


@LeNet5.misconception(
    "no-activations",
    "There are no ReLUs, or too few. One follows each of C1, C3, C5 and F6; without them several linear layers are no more than one.",
    when=lambda value, seed: list(value["kinds"]).count("ReLU") < 4,
)
def _(seed):
    kept = [k for k in KINDS if k != "ReLU"]
    places = [i for i, k in enumerate(kept) if k in ("Conv2d", "Linear")]
    return lenet(seed, kinds=kept, shapes=dict(zip(places, SHAPES.values(), strict=True)))


@LeNet5.misconception(
    "relu-on-the-scores",
    "There is a ReLU behind the last layer. Scores may be negative: softmax takes them as they are.",
    when=lambda value, seed: list(value["kinds"])[-1:] == ["ReLU"],
)
def _(seed):
    return lenet(seed, kinds=[*KINDS, "ReLU"])


@LeNet5.misconception(
    "forgets-to-flatten",
    "Flatten is missing. The linear layers take rows, and pooling gives volumes: it stands between them.",
    when=lambda value, seed: "Flatten" not in value["kinds"],
)
def _(seed):
    kept = [k for k in KINDS if k != "Flatten"]
    places = [i for i, k in enumerate(kept) if k in ("Conv2d", "Linear")]
    return lenet(seed, kinds=kept, shapes=dict(zip(places, SHAPES.values(), strict=True)))


@LeNet5.misconception(
    "pools-before-the-relu",
    "You pool before the ReLU. The result would be the same, with less work even, but here the ReLU comes first: a stated order is an order.",
    when=lambda value, seed: list(value["kinds"])[1:3] == ["MaxPool2d", "ReLU"],
)
def _(seed):
    order = [0, 2, 1, 3, 5, 4, *range(6, 12)]
    return lenet(seed, kinds=[KINDS[i] for i in order])


@LeNet5.misconception(
    "standard-normal",
    "Your weights have standard deviation 1, so the signal explodes on its way: it must be sqrt(2 / inputs).",
    when=_has_spread(lambda shape: 1.0),
)
def _(seed):
    return lenet(seed, gain=1.0, count=lambda shape: 1.0)


@LeNet5.misconception(
    "variance-for-deviation",
    "You use 2 / inputs as the standard deviation. That is the variance: take its square root.",
    when=_has_spread(lambda shape: 2 / float(np.prod(shape[1:]))),
)
def _(seed):
    return lenet(seed, gain=4.0, count=lambda shape: float(np.prod(shape[1:])) ** 2)


@LeNet5.misconception(
    "one-for-two",
    "Your weights are too small by sqrt(2): you draw with sqrt(1 / inputs). A ReLU silences half of the values, and the 2 makes up for it.",
    when=_has_spread(lambda shape: float(np.prod(shape[1:])) ** -0.5),
)
def _(seed):
    return lenet(seed, gain=1.0)


@LeNet5.misconception(
    "counts-channels-only",
    "You count a filter's channels as its inputs. A window has 5 · 5 pixels in each of them: multiply.",
    when=_has_spread(lambda shape: (2 / shape[1]) ** 0.5),
)
def _(seed):
    return lenet(seed, count=lambda shape: float(shape[1]))


@LeNet5.misconception(
    "outputs-for-inputs",
    "You divide by the number of outputs. It is the inputs of one output that add up, so divide by those: the product of w's shape without its first entry.",
    when=_has_spread(lambda shape: (2 / shape[0]) ** 0.5),
)
def _(seed):
    return lenet(seed, count=lambda shape: float(shape[0]))


@LeNet5.misconception(
    "starts-at-zero",
    "Your weights are all 0 (or all the same). Then all filters get the same gradient and stay the same for ever: draw them from rng.",
    when=lambda value, seed: any(s < 1e-9 for s in spreads(value)),
)
def _(seed):
    return lenet(seed, gain=0.0)


@LeNet5.misconception(
    "draws-the-biases",
    "You draw the biases at random. They start at 0.",
    when=lambda value, seed: any(len(pair) > 1 and np.any(pair[1]) for pair in value["params"]),
)
def _(seed):
    net = lenet(seed)
    for pair in net["params"]:
        pair[1:] = [p + 0.1 for p in pair[1:]]
    return net


@LeNet5.misconception(
    "ignores-the-rng",
    "Your weights do not come from the rng that was given: two different ones lead to the same net. Draw with `rng.normal`, not with "
    "np.random or a generator of your own.",
    when=lambda value, seed: bool(value["fixed"]),
)
def _(seed):
    return lenet(seed) | {"fixed": True}
