"""Unit 05: dropout backward and in its classic form, and weight decay.

The oracle is torch in float64, torch.autograd for gradients. A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from course.checks.chance import array_of, close
from course.checks.compare import matches
from course.checks.dropout import UNIT, drop
from course.checks.exercise import Case, Exercise, normal
from course.checks.oracle import tensor

# ----------------------------------------------------------------------------------------------- dropout_backward


def autograd_dropout(grad_out: Any, mask: Any) -> np.ndarray:
    """Return the gradient of sum(grad_out * x * mask) with respect to x, by torch."""
    x = torch.zeros(np.shape(mask), dtype=torch.float64, requires_grad=True)
    (grad,) = torch.autograd.grad(x * tensor(mask), x, tensor(grad_out))
    return grad.numpy()


def _mask(*shape: int, p: float, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random(shape) >= p) / (1 - p)


dropout_backward = Exercise(
    "dropout_backward",
    UNIT,
    points=1,
    parameters=("grad_out", "mask"),
    oracle=autograd_dropout,
    cases=(
        Case(
            "four values by hand",
            np.array([[3.0, -1.0, 2.0, 5.0]]),
            np.array([[2.0, 0.0, 0.0, 2.0]]),
            answer=[[6.0, 0.0, 0.0, 10.0]],
        ),
        Case("a fifth dropped", normal(6, 9), _mask(6, 9, p=0.2)),
        Case("feature maps", normal(2, 3, 4, 5), _mask(2, 3, 4, 5, p=0.6)),
        Case("a mask of ones, as in evaluation", normal(3, 4), np.ones((3, 4)), weight=0.5),
    ),
    random=lambda rng: Case(
        "random",
        *(
            lambda shape, p: (
                rng.standard_normal(shape),
                _mask(*shape, p=p, seed=int(rng.integers(1000))),
            )
        )(tuple(int(n) for n in rng.integers(3, 9, 2)), float(rng.uniform(0.3, 0.8))),
    ),
    hints=(
        "Each output is one input times one number. What is the derivative of `factor * x`?",
        "A dropped value did not influence the loss, so its gradient is 0. A kept one did, enlarged by its factor, so its gradient is "
        "enlarged by the same factor. Both factors stand in the mask.",
        "The same multiplication as in the forward pass, with grad_out in the place of x.",
    ),
)


@dropout_backward.misconception(
    "passes-everything", "You return grad_out as it is: what was dropped must get no gradient."
)
def _(grad_out, mask):
    return autograd_dropout(grad_out, np.ones_like(mask))


@dropout_backward.misconception(
    "forgets-the-factor",
    "You let the gradient through where the mask is not 0, but without its factor. The forward pass multiplied by 1 / (1 - p), so "
    "the gradient is multiplied by it too: use the mask itself.",
)
def _(grad_out, mask):
    return autograd_dropout(grad_out, mask > 0)


@dropout_backward.misconception(
    "scales-twice",
    "You apply the factor twice. It is in the mask already, so multiplying by the mask is all.",
)
def _(grad_out, mask):
    return autograd_dropout(grad_out, mask * np.max(mask))


@dropout_backward.misconception(
    "keeps-what-was-dropped",
    "The mask is turned round: you pass the gradient where a value was dropped, and block it where one was kept.",
)
def _(grad_out, mask):
    return autograd_dropout(grad_out, mask == 0)


@dropout_backward.misconception(
    "divides-by-the-mask",
    "You divide by the mask, which is 0 in places. The gradient is multiplied by the same factors as the values were.",
)
def _(grad_out, mask):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(grad_out) / np.asarray(mask)


@dropout_backward.misconception("returns-the-mask", "That is the mask. Multiply grad_out by it.")
def _(grad_out, mask):
    return np.array(mask, dtype=float)


@dropout_backward.misconception(
    "draws-a-new-mask",
    "The gradient is dropped, but in other places than the values were: you drew a new mask. Backward and forward must drop the same, "
    "which is why the mask is handed over.",
    when=lambda value, grad_out, mask: (
        array_of(value, np.shape(mask)) is not None
        and not close(value, autograd_dropout(grad_out, mask))
        and _is_other_mask(np.asarray(value) / np.where(grad_out == 0, 1, grad_out), mask)
    ),
)
def _(grad_out, mask):
    other = np.random.default_rng(8).permutation(np.ravel(mask)).reshape(np.shape(mask))
    return autograd_dropout(grad_out, other)


def _is_other_mask(factors: np.ndarray, mask: np.ndarray) -> bool:
    """Return whether the factors are 0 or one number, in other places than the mask's, and not in just the opposite ones."""
    dropped = np.abs(factors) < 1e-9
    kept = factors[~dropped]
    one_factor = bool(kept.size) and bool(dropped.any()) and np.ptp(kept) < 1e-4 * abs(kept[0])
    return one_factor and bool((dropped != (mask == 0)).any()) and bool((dropped != (mask != 0)).any())


# ------------------------------------------------------------------------------------------------ dropout_at_test


def expected_input(x: Any, p: float) -> np.ndarray:
    """Return the mean of what unscaled dropout lets through: 0 with probability p, x with 1 - p; by torch."""
    x = tensor(x)
    return torch.lerp(x, torch.zeros_like(x), p).numpy()


dropout_at_test = Exercise(
    "dropout_at_test",
    UNIT,
    points=1,
    parameters=("x", "p"),
    oracle=expected_input,
    cases=(
        Case("by hand", np.array([[10.0, -20.0]]), 0.2, answer=[[8.0, -16.0]]),
        Case("most was dropped", normal(3, 5), 0.75),
        Case("feature maps", normal(2, 3, 2, 4), 0.4),
        Case("p = 0", normal(2, 3), 0.0, weight=0.5),
    ),
    random=lambda rng: Case(
        "random",
        rng.standard_normal(tuple(rng.integers(1, 6, 2))),
        float(rng.choice([0.1, 0.2, 0.35, 0.6, 0.7, 0.85])),
    ),
    hints=(
        "In training a unit was there with probability 1 - p and else silent. What did the next layer get from it on average?",
        "The average of x (with probability 1 - p) and 0 (with probability p). At test nothing is drawn: every value is simply that average.",
        "One multiplication of the whole array, by the probability of being kept.",
    ),
)


@dropout_at_test.misconception(
    "scales-by-p",
    "You multiply by p, the probability of being dropped. What arrives on average is what is kept, 1 - p. (Where p is the probability of "
    "keeping, as in CS231n, it is `x * p`.)",
)
def _(x, p):
    return expected_input(x, 1 - p)


@dropout_at_test.misconception(
    "does-not-scale",
    "You return x as it is. That fits inverted dropout; in the classic form nothing was scaled in training, so it has to be done now.",
)
def _(x, p):
    return expected_input(x, 0.0)


@dropout_at_test.misconception(
    "divides-in-place-of-multiplying",
    "You divide by 1 - p, as inverted dropout does in training. In the classic form all units now speak where before only a part did: "
    "their values must become smaller.",
)
def _(x, p):
    return (tensor(x) / (1 - p)).numpy()


@dropout_at_test.misconception(
    "drops-at-test",
    "You drop values at random. At test all units are used, each a little weaker, and nothing is drawn.",
    when=lambda value, x, p: (
        array_of(value, np.shape(x)) is not None and bool(((np.asarray(value) == 0) & (x != 0)).any())
    ),
)
def _(x, p):
    return drop(x, max(p, 0.5), True, np.random.default_rng(3), scale=1)[0]


@dropout_at_test.misconception("drops-the-sign", "You lose the sign of negative values: scaling keeps it.")
def _(x, p):
    return np.abs(expected_input(x, p))


# ------------------------------------------------------------------------------------------- weight_decay_gradient


def autograd_weight_decay(grad: Any, w: Any, weight_decay: float, power: float = 2) -> np.ndarray:
    """Return the gradient of loss + weight_decay / 2 * sum(w ** 2), where the loss alone has the gradient ``grad``."""
    weights = tensor(w).requires_grad_()
    penalty = weight_decay / 2 * (weights.abs() ** power).sum()
    (slope,) = torch.autograd.grad((tensor(grad) * weights).sum() + penalty, weights)
    return slope.numpy()


weight_decay_gradient = Exercise(
    "weight_decay_gradient",
    UNIT,
    points=2,
    parameters=("grad", "w", "weight_decay"),
    oracle=autograd_weight_decay,
    cases=(
        Case(
            "two weights by hand",
            np.array([[1.0, 1.0]]),
            np.array([[4.0, -6.0]]),
            0.5,
            answer=[[3.0, -2.0]],
        ),
        Case("a layer's weights", normal(4, 6), normal(6, 4).T.copy(), 0.1),
        Case("filters (O, C, KH, KW)", normal(2, 3, 2, 2), 3 * normal(2, 3, 2, 2)[::-1].copy(), 0.03),
        Case("no decay", normal(3, 2), normal(2, 3).T.copy(), 0.0, weight=0.25),
        Case("no gradient left, only the decay", np.zeros((2, 4)), normal(2, 4), 0.2),
    ),
    random=lambda rng: (
        lambda shape: Case(
            "random", rng.standard_normal(shape), rng.standard_normal(shape), float(rng.uniform(0.05, 1))
        )
    )(tuple(rng.integers(1, 6, 2))),
    hints=(
        "The loss has a gradient already, and gradients of sums add up. So what is the derivative of the penalty, for one weight?",
        "The penalty of one weight is `weight_decay / 2 * w ** 2`. Differentiate it: the 2 comes down and cancels the half. Add the result "
        "to the gradient that came in.",
        "Each weight's gradient grows by weight_decay times that weight. Return a new array.",
    ),
)


@weight_decay_gradient.misconception(
    "wrong-sign",
    "You subtract the penalty's gradient. An update goes *against* the gradient, so a gradient that points along w makes w shrink: add it.",
)
def _(grad, w, weight_decay):
    return autograd_weight_decay(grad, w, -weight_decay)


@weight_decay_gradient.misconception(
    "doubles-it",
    "You add twice too much. The penalty here is *half* of weight_decay * sum(w ** 2), so the 2 of the derivative cancels. (Without the half, as in "
    "CS231n's notes in places, your answer would be right.)",
)
def _(grad, w, weight_decay):
    return autograd_weight_decay(grad, w, 2 * weight_decay)


@weight_decay_gradient.misconception(
    "halves-it",
    "You add half of what it should be: the derivative of w ** 2 is 2 w, and this 2 cancels the half of the penalty.",
)
def _(grad, w, weight_decay):
    return autograd_weight_decay(grad, w, weight_decay / 2)


@weight_decay_gradient.misconception(
    "leaves-the-gradient-alone",
    "You return the gradient of the loss alone. A penalty that is added to the loss but not to the gradient changes nothing in training.",
)
def _(grad, w, weight_decay):
    return autograd_weight_decay(grad, w, 0.0)


@weight_decay_gradient.misconception(
    "adds-the-penalty-itself",
    "You add the penalty, one number, to every gradient. What belongs there is its derivative, which is different for each weight.",
)
def _(grad, w, weight_decay):
    return (tensor(grad) + weight_decay / 2 * (tensor(w) ** 2).sum()).numpy()


@weight_decay_gradient.misconception(
    "forgets-the-loss",
    "You return the penalty's gradient alone. It comes on top of the gradient of the loss.",
)
def _(grad, w, weight_decay):
    return autograd_weight_decay(np.zeros_like(grad), w, weight_decay)


@weight_decay_gradient.misconception(
    "adds-the-square",
    "You add the square of the weights, as the penalty does. Its derivative is proportional to w itself, sign included.",
    when=lambda value, grad, w, weight_decay: any(
        matches(value, grad + part * weight_decay * w**2) and weight_decay for part in (0.5, 1)
    ),
)
def _(grad, w, weight_decay):
    return (tensor(grad) + weight_decay * tensor(w) ** 2).numpy()


@weight_decay_gradient.misconception(
    "decays-by-the-sign",
    "You add weight_decay times the sign of w: that is the gradient of the absolute values (L1), which pushes all weights equally hard. "
    "Here large weights are pushed harder.",
)
def _(grad, w, weight_decay):
    return autograd_weight_decay(grad, w, 2 * weight_decay, power=1)


@weight_decay_gradient.misconception(
    "returns-the-new-weights",
    "You return weights after a step. Only the gradient is asked for; the step, with its learning rate, comes elsewhere.",
)
def _(grad, w, weight_decay):
    return (tensor(w) - tensor(autograd_weight_decay(grad, w, weight_decay))).numpy()


@weight_decay_gradient.misconception(
    "averages-the-penalty",
    "You divide the penalty by the number of weights. It is a sum over all weights, not their mean.",
)
def _(grad, w, weight_decay):
    return autograd_weight_decay(grad, w, weight_decay / np.size(w))
