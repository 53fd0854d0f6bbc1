"""Unit 07: LeNet-5, judged by its layers and their parameters.

Any way of drawing the weights is right that has the asked-for mean and spread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from course.checks.exercise import Case, Exercise
from course.checks.recipe import through

UNIT = "07-lenet-in-numpy"

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
    drawn = {"fixed": False, "repeats": True}
    return {"kinds": list(kinds), "settings": settings, "params": params, "objects": len(kinds), **drawn}


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
    if value["objects"] < len(kinds):
        return f"The {len(kinds)} layers are only {value['objects']} objects: some stand in the row more than once."
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
        if not all(isinstance(p, np.ndarray) and p.dtype.kind == "f" for p in (w, b)):
            return f"{name} should have arrays of floats in params, which can be changed in place."
        if np.any(b):
            return f"{name} should have biases of 0."
        if not 0.75 < share < 1.25:
            wanted = np.sqrt(2 / np.prod(SHAPES[i][1:]))
            return (
                f"{name} should have weights of standard deviation {wanted:.3f}; yours have {np.std(w):.3f}."
            )
        if abs(np.mean(w)) > 0.35 * np.std(w):
            return f"{name} should have weights of mean 0; yours have {np.mean(w):.3f}."
    if not value["repeats"]:
        return "Two rng in the same state give different weights: draw all of them from rng."
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
        shares = np.divide(spreads(value), wanted)
        fits = (
            all(abs(shares - 1) < 0.25) and abs(shares[2] - 1) < 0.05
        )  # C5 has most weights, and tells best
        return fits and any(abs(w - 1) > 0.25 for w in wanted)

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
    when=lambda value, seed: list(value["kinds"]).count("ReLU") < 4 and set(value["kinds"]) <= set(KINDS),
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
    when=lambda value, seed: "Flatten" not in value["kinds"] and "type" not in value["kinds"],
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
    "two-outside-the-root",
    "Your weights are too large by sqrt(2): the 2 belongs under the root as well, sqrt(2 / inputs).",
    when=_has_spread(lambda shape: 2 * float(np.prod(shape[1:])) ** -0.5),
)
def _(seed):
    return lenet(seed, gain=4.0)


@LeNet5.misconception(
    "uses-a-layer-twice",
    "One object stands in the row several times. A layer keeps the x of its last forward for its backward, so each place needs an object of "
    "its own: write `ReLU()` and `MaxPool2d(2)` anew each time.",
    when=lambda value, seed: value["objects"] < len(value["kinds"]) and set(value["kinds"]) <= set(KINDS),
)
def _(seed):
    return lenet(seed) | {"objects": 8}


@LeNet5.misconception(
    "puts-classes-into-the-row",
    "A class stands in the row where an object should: `ReLU()` with its brackets makes one.",
    when=lambda value, seed: "type" in value["kinds"],
)
def _(seed):
    return lenet(seed, kinds=["type" if k in ("ReLU", "Flatten") else k for k in KINDS])


@LeNet5.misconception(
    "leaves-a-list-packed",
    "A list stands in the row where a layer should. Sequential takes one flat list: unpack the inner ones with `*`, or join them with `+`.",
    when=lambda value, seed: bool({"list", "tuple"} & set(value["kinds"])),
)
def _(seed):
    kinds = ["list", "list", *KINDS[6:]]
    return lenet(seed, kinds=kinds, shapes={i - 4: s for i, s in SHAPES.items() if i > 6})


@LeNet5.misconception(
    "parameters-that-cannot-learn",
    "Some of your parameters are lists, or arrays of whole numbers. A training step takes fractions off them, in place: use arrays of floats, as "
    "np.zeros gives them without a dtype.",
    when=lambda value, seed: any(
        not isinstance(p, np.ndarray) or p.dtype.kind != "f" for pair in value["params"] for p in pair
    ),
)
def _(seed):
    net = lenet(seed)
    return net | {"params": [[p.astype(int) if p.ndim == 1 else p for p in pair] for pair in net["params"]]}


@LeNet5.misconception(
    "draws-elsewhere",
    "Your weights do not come from the rng that was given: two in the same state lead to different nets. Draw with `rng.normal`, not with np.random.",
    when=lambda value, seed: not value["repeats"],
)
def _(seed):
    return lenet(seed) | {"repeats": False}


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
