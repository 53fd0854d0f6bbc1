"""Unit 12: gradient_norms, judged on nets of plain layers with given weights; see residual_drivers.norms_after_backward.

The oracle is a functional net and autograd. A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course.checks.exercise import Case, Exercise, normal, runs_into
from course.checks.recipe import through

UNIT = "12-resnet"


def parts(layers: Sequence[Any], dtype: torch.dtype = torch.float64) -> dict[str, torch.Tensor]:
    """Return the parameters of a given net by name: of each layer its weight, then its bias."""
    found, size = {}, 0
    for number, entry in enumerate(layers, start=1):
        if isinstance(entry, np.ndarray):
            size = len(entry)
            found[f"layer{number}.weight"] = torch.tensor(entry, dtype=dtype)
            found[f"layer{number}.bias"] = torch.zeros(size, dtype=dtype)
        elif entry == "norm":
            found[f"layer{number}.weight"] = torch.ones(size, dtype=dtype)
            found[f"layer{number}.bias"] = torch.zeros(size, dtype=dtype)
    return found


def run(layers: Sequence[Any], found: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """Return the output of a given net."""
    values = iter(found.values())
    for entry in layers:
        if isinstance(entry, np.ndarray):
            w, b = next(values), next(values)
            x = F.linear(x, w, b) if entry.ndim == 2 else F.conv2d(x, w, b, padding="same")
        elif entry == "norm":
            x = F.batch_norm(x, None, None, next(values), next(values), training=True)
        else:
            x = F.relu(x) if entry == "relu" else x.flatten(1)
    return x


def gradients(layers: Sequence[Any], x: Any) -> dict[str, torch.Tensor]:
    """Return the gradient of the sum of a net's outputs for each parameter, by name."""
    found = {name: value.requires_grad_() for name, value in parts(layers).items()}
    total = run(layers, found, torch.tensor(x, dtype=torch.float64)).sum()
    return dict(zip(found, torch.autograd.grad(total, list(found.values())), strict=True))


def reported(
    layers: Sequence[Any],
    x: Any,
    frozen: Sequence[str] = (),
    unused: Sequence[str] = (),
    measure: Callable[[torch.Tensor], torch.Tensor] = torch.linalg.vector_norm,
    wanted: Callable[[str, torch.Tensor], bool] = lambda name, value: value.ndim > 1,
    kept: bool = True,
) -> dict[str, Any]:
    """Return what the driver reports of gradient_norms; the last three arguments make wrong ideas."""
    found = {n: g for n, g in gradients(layers, x).items() if n not in (*frozen, *unused) and wanted(n, g)}
    return {
        "names": list(found),
        "norms": [float(measure(g)) for g in found.values()],
        "gradients kept": kept,
    }


def _case(name: str, layers: list, shape: tuple[int, ...], **more: Any) -> Case:
    return Case(name, through("residual_drivers.norms_after_backward"), layers, normal(*shape), **more)


def _random_net(rng: np.random.Generator) -> Case:
    c, d, h, w = (int(v) for v in rng.integers(2, 5, 4))
    draw = rng.standard_normal
    layers = [draw((c, 3, 3, 3)), "norm", "relu", draw((d, c, 1, 1)), "relu", "flatten", draw((4, d * h * w))]
    return Case("random", through("residual_drivers.norms_after_backward"), layers, draw((3, 3, h, w)))


gradient_norms = Exercise(
    "gradient_norms",
    UNIT,
    points=2,
    parameters=("layers", "x", "frozen", "unused"),
    returns="a dictionary",
    oracle=reported,
    driven=True,
    cases=(
        Case(
            "one linear layer",
            through("residual_drivers.norms_after_backward"),
            [np.array([[1.0, 2.0]])],
            np.array([[3.0, 4.0]]),
            answer={"names": ["layer1.weight"], "norms": [5.0], "gradients kept": True},
        ),
        Case(
            "two linear layers",
            through("residual_drivers.norms_after_backward"),
            [np.array([[2.0, 0.0]]), np.array([[5.0]])],
            np.array([[3.0, 4.0]]),
            answer={
                "names": ["layer1.weight", "layer2.weight"],
                "norms": [25.0, 6.0],
                "gradients kept": True,
            },
        ),
        _case(
            "convolutions and norms", [normal(3, 2, 3, 3), "norm", "relu", normal(2, 3, 1, 1)], (2, 2, 4, 5)
        ),
        _case("a net with a head", [normal(2, 1, 3, 3), "relu", "flatten", normal(3, 24)], (2, 1, 3, 4)),
        _case(
            "a frozen first layer",
            [normal(4, 3), "relu", normal(2, 4), "relu", normal(3, 2)],
            (5, 3),
            frozen=["layer1.weight"],
        ),
        _case(
            "a layer in the middle got no gradient",
            [normal(3, 2), "relu", normal(2, 3), "relu", normal(4, 2)],
            (4, 2),
            unused=["layer3.weight"],
        ),
    ),
    random=_random_net,
    hints=(
        "model.named_parameters() gives all names and parameters in the order of the net. Which of them are asked for, and how can you "
        "tell from their number of axes?",
        "Go through named_parameters. Leave out those with fewer than two axes, and those whose grad is None. For the others, the length "
        "of the gradient as one long vector: the root of the sum of its squares.",
        "A dictionary comprehension: `{name: p.grad.norm().item() for name, p in model.named_parameters() if ...}`; the conditions are on "
        "`p.ndim` and `p.grad`.",
    ),
)


def idea(name: str, hint: str, **how: Any) -> None:
    """Add a wrong idea that measures something else, or elsewhere."""

    def wrong(layers: Sequence[Any], x: Any, **without: Any) -> dict[str, Any]:
        return reported(layers, x, **without, **how)

    gradient_norms.misconception(name, hint)(wrong)


def largest_singular_value(g: torch.Tensor) -> torch.Tensor:
    """Return the matrix norm of a gradient; those of convolutions have none."""
    if g.ndim > 2:
        raise runs_into("RuntimeError", "ValueError", words=("must be 1D or 2D", "Improper number of dim"))
    return torch.linalg.matrix_norm(g, 2)


idea(
    "measures-the-biases-too",
    "Your dictionary has biases and the parameters of batch norms in it. Only weights of convolutions and linear layers are asked for: those with two axes or more.",
    wanted=lambda name, value: True,
)
idea(
    "goes-by-the-name",
    "Your dictionary has the weights of batch norms in it: they are called weight, too. Go by the number of axes, p.ndim.",
    wanted=lambda name, value: name.endswith("weight"),
)
idea(
    "squares-the-norm",
    "Your numbers are the squares of the norms: the root is missing.",
    measure=lambda g: g.square().sum(),
)
idea(
    "adds-absolute-values",
    "You add up absolute values. The (L2) norm is the root of the sum of squares.",
    measure=lambda g: g.abs().sum(),
)
idea(
    "averages-absolute-values",
    "You take the mean of the absolute values. The (L2) norm is the root of the sum of squares.",
    measure=lambda g: g.abs().mean(),
)
idea(
    "takes-the-root-of-the-mean-square",
    "You divide by the number of weights before the root. The norm is the root of the sum of squares.",
    measure=lambda g: g.square().mean().sqrt(),
)
idea(
    "takes-the-largest",
    "You take the largest absolute value. The (L2) norm is the root of the sum of squares.",
    measure=lambda g: g.abs().max(),
)
idea(
    "takes-a-matrix-norm",
    "You take the largest singular value, which is what torch.linalg.matrix_norm(..., 2) and np.linalg.norm(..., 2) do. Flatten the gradient to one vector "
    "first.",
    measure=largest_singular_value,
)
idea(
    "clears-the-gradients",
    "The numbers are right, but afterwards the model's gradients are gone or changed. Only look at them.",
    kept=False,
)


@gradient_norms.misconception(
    "measures-the-weights",
    "You measure the weights themselves. Their gradients are in `.grad`.",
)
def _(layers, x, **without):
    answer, weights = reported(layers, x, **without), parts(layers)
    return answer | {"norms": [float(weights[name].norm()) for name in answer["names"]]}


@gradient_norms.misconception(
    "goes-backwards",
    "Your dictionary begins with the last layer. Keep the order of named_parameters: the first layer first.",
)
def _(layers, x, **without):
    answer = reported(layers, x, **without)
    return answer | {"names": answer["names"][::-1], "norms": answer["norms"][::-1]}


@gradient_norms.misconception(
    "stumbles-over-frozen-layers",
    "A weight without a gradient has `.grad` None, which has no norm. Leave such weights out.",
)
def _(layers, x, frozen=(), unused=()):
    if frozen or unused:
        raise runs_into("AttributeError", "TypeError")
    return reported(layers, x)


@gradient_norms.misconception(
    "gives-frozen-layers-a-zero",
    "You give 0 for a weight that has no gradient. Leave such weights out: none is not the same as zero.",
)
def _(layers, x, **without):
    answer, all_of_them = reported(layers, x, **without), reported(layers, x)
    norms = dict(zip(answer["names"], answer["norms"], strict=True))
    return answer | {
        "names": all_of_them["names"],
        "norms": [norms.get(n, 0.0) for n in all_of_them["names"]],
    }
