"""Unit 08: LeNet-5 as a module, judged by its parameters in order, and by its output once they are filled by place.

The oracle is a row of torch's functions on a list of tensors; a misconception is that row with one wrong idea in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from course.checks.exercise import Case, Exercise, normal, runs_into
from course.checks.oracle import tensor
from course.checks.recipe import through
from course.checks.torch_drivers import numbers, shape_words

UNIT = "08-numpy-to-torch"
OUTPUTS = "porting_drivers.lenet_outputs"
WEIGHTS = ((6, 1, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120), (10, 84))

Function = Callable[[torch.Tensor], torch.Tensor]


def dense(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """Return a linear layer's output, where the weights may be those of a convolution that looks at a whole map."""
    return F.linear(x, weight.flatten(1), bias)


def lenet(
    x: Any,
    weights: Sequence[tuple[int, ...]] = WEIGHTS,
    activation: Function = F.relu,
    pool: Callable = F.max_pool2d,
    rows: Function = lambda x: x.flatten(1),
    last: Function = lambda x: x,
    bias: bool = True,
    padding: int = 0,
    order: Sequence[int] = range(5),
    active: Sequence[bool] = (True,) * 4,
) -> dict[str, Any]:
    """Return the parameters' shapes and the output of a LeNet-5 filled by place; the arguments after x make wrong ideas."""
    shapes = [shape for i in order for shape in ((weights[i], weights[i][:1]) if bias else (weights[i],))]
    tensors = [numbers(place, shape) for place, shape in enumerate(shapes)]
    step = 2 if bias else 1
    layers = {i: (*tensors[step * k : step * k + step], None)[:2] for k, i in enumerate(order)}
    value = tensor(x)
    for i in range(5):
        if i == 2:
            value = rows(value)
        value = F.conv2d(value, *layers[i], padding=padding) if i < 2 else dense(value, *layers[i])
        value = activation(value) if i < 4 and active[i] else value
        value = pool(value, 2) if i < 2 else value
    return {"parameters": [shape_words(s) for s in shapes], "output": last(value).numpy()}


LeNet = Exercise(
    "LeNet",
    UNIT,
    points=3,
    parameters=("x",),
    returns="a module; the check compares its parameters and its scores",
    oracle=lenet,
    driven=True,
    cases=(
        Case("one image", through(OUTPUTS), normal(1, 1, 32, 32)),
        Case("three images", through(OUTPUTS), normal(3, 1, 32, 32)),
        Case("a bright image", through(OUTPUTS), normal(2, 1, 32, 32) + 1),
    ),
    random=lambda rng: Case("random", through(OUTPUTS), rng.standard_normal((2, 1, 32, 32))),
    hints=(
        "Only five of the layers have weights. Those are made once, in __init__; everything else happens to x on its way through forward.",
        "__init__: two nn.Conv2d(channels, filters, 5) and three nn.Linear(inputs, outputs), each an attribute of self, in forward order. "
        "forward: convolve, ReLU, pool, twice; flatten from axis 1 on; linear, ReLU, twice; the last linear layer alone.",
        "The sizes are (1, 6), (6, 16), then (400, 120), (120, 84), (84, 10). A stage is `F.max_pool2d(F.relu(self.c1(x)), 2)`; "
        "`x.flatten(1)` keeps the batch; the last line returns what the last linear layer gives.",
    ),
)


def is_a_part(shapes: Any) -> bool:
    """Return whether whole layers are missing, weights and bias, and the others stand in the right order."""
    pairs = [(shape_words(weight), shape_words(weight[:1])) for weight in WEIGHTS]
    there = [pair for pair in pairs if pair[0] in shapes]
    return len(there) < len(pairs) and list(shapes) == [shape for pair in there for shape in pair]


def idea(name: str, hint: str, **bent: Any) -> None:
    """Add a wrong idea: the row of functions with these arguments; shapes that do not fit stand for an exception."""

    @LeNet.misconception(name, hint)
    def _(x):
        try:
            return lenet(x, **bent)
        except RuntimeError as error:
            raise runs_into("RuntimeError") from error


def with_shapes(**changed: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Return the weights' shapes with some changed: ``with_shapes(layer_1=(6, 6, 5, 5))``."""
    return tuple(changed.get(f"layer_{i}", shape) for i, shape in enumerate(WEIGHTS))


idea(
    "softmax-at-the-end",
    "Your net ends in a softmax. cross_entropy takes the scores as they are and has its own softmax inside: with two of them the loss "
    "can hardly fall. Return the scores.",
    last=lambda x: x.softmax(1),
)
idea(
    "log-softmax-at-the-end",
    "Your net ends in a log_softmax. cross_entropy has its own inside. Return the scores as the last linear layer gives them.",
    last=lambda x: x.log_softmax(1),
)
idea(
    "relu-on-the-scores",
    "There is a ReLU behind the last layer. Scores may be negative: return them as they are.",
    last=F.relu,
)
idea(
    "no-activations",
    "There are no ReLUs. One follows each layer with weights but the last; without them several linear layers are no more than one.",
    active=(False,) * 4,
)
for place, layer in enumerate(("C1", "C3", "C5", "F6")):
    idea(
        f"no-relu-behind-{layer.lower()}",
        f"The ReLU behind {layer} is missing. One follows each layer with weights but the last.",
        active=tuple(i != place for i in range(4)),
    )
idea(
    "c5-as-a-convolution",
    "Your C5 is a convolution with kernels of 5 x 5, as in the paper. On maps of 5 x 5 that computes the same, but unit 07's weights lie as "
    "120 x 400: flatten, and make C5 an nn.Linear.",
    weights=with_shapes(layer_2=(120, 16, 5, 5)),
)
idea(
    "no-relu-between-linear-layers",
    "The convolutions have their ReLUs, the linear layers have none. One follows C5 and one follows F6.",
    active=(True, True, False, False),
)
idea(
    "no-relu-behind-convolutions",
    "The linear layers have their ReLUs, the convolutions have none. One follows C1 and one follows C3.",
    active=(False, False, True, True),
)
idea("tanh", "You use tanh, as the paper did. Here it is ReLU, as in unit 07.", activation=torch.tanh)
idea("sigmoid", "You use a sigmoid. Here it is ReLU, as in unit 07.", activation=torch.sigmoid)
idea(
    "average-pooling",
    "You pool by the average. Here it is the maximum, as in unit 07.",
    pool=F.avg_pool2d,
)
idea(
    "channels-last-in-the-rows",
    "Your rows go pixel by pixel. They go channel by channel, as the tensor lies: `x.flatten(1)` without a permute.",
    rows=lambda x: x.permute(0, 2, 3, 1).flatten(1),
)
idea(
    "swaps-rows-and-columns",
    "Your rows go down the columns of each map first. Leave H and W in their order: `x.flatten(1)`.",
    rows=lambda x: x.transpose(2, 3).flatten(1),
)
idea(
    "six-filters-twice",
    "Your second convolution has 6 filters. It has 16; only then are there 60 k weights.",
    weights=with_shapes(layer_1=(6, 6, 5, 5), layer_2=(120, 150)),
)
idea(
    "no-biases",
    "Your layers have no biases. Unit 07's have them, and nn.Conv2d and nn.Linear do too unless told otherwise.",
    bias=False,
)
idea(
    "pads",
    "You pad the convolutions. The images are 32 x 32 already, so that 28 x 28 is left. (padding=2 belongs to images of 28 x 28.)",
    weights=with_shapes(layer_2=(120, 1024)),
    padding=2,
)
idea(
    "linear-layers-first",
    "The linear layers are registered before the convolutions. parameters() lists them in the order in which __init__ makes them: make them "
    "in forward order, so that weights can be carried over by place.",
    order=(2, 3, 4, 0, 1),
)


@LeNet.misconception(
    "hides-layers-from-torch",
    "Some of your layers have no parameters that torch knows of, so they would never be trained. Layers must be attributes of self, made in __init__. torch does not find "
    "them in a plain list (nn.ModuleList is one that it looks into), nor if forward makes them.",
    when=lambda value, x: isinstance(value, dict) and is_a_part(value["parameters"]),
)
def _(x):
    return lenet(x) | {"parameters": []}


@LeNet.misconception(
    "flattens-the-batch",
    "You make one row of the whole batch. Each image keeps a row of its own: `x.flatten(1)` joins the axes from axis 1 on.",
)
def _(x):
    if len(x) > 1:
        raise runs_into("RuntimeError")
    seen = lenet(x)
    return seen | {"output": seen["output"][0]}


@LeNet.misconception(
    "layers-that-do-not-fit",
    "The shapes do not fit; the message names both. C5 wants 400 values of each image, sixteen maps of 5 x 5. If it got rows of 5, "
    "`x.flatten(1)` is missing before it; if it got 576 or 1024 a row, a convolution pads. Each other linear layer takes as many as the one "
    "before gives.",
)
def _(x):
    raise runs_into("RuntimeError")


@LeNet.misconception(
    "returns-nothing", "Your forward ends without a result: return the scores of the last linear layer."
)
def _(x):
    return lenet(x) | {"output": None}
