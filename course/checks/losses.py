"""Unit 03: softmax with cross-entropy, as one stable loss, and its gradient.

The oracle is torch in float64, its gradients by autograd. A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course.checks.compare import matches
from course.checks.exercise import Case, Exercise, integers, normal
from course.checks.oracle import tensor

UNIT = "03-pooling-and-activations"


def _int(labels: Any) -> torch.Tensor:
    return torch.as_tensor(np.array(labels, dtype=np.int64))


def one_hot(logits: Any, labels: Any) -> torch.Tensor:
    """Return a row for each label, 1 at its class and 0 elsewhere."""
    return F.one_hot(_int(labels), np.shape(logits)[1]).double()


# ------------------------------------------------------------------------------------------ softmax_cross_entropy


def torch_loss(logits: Any, labels: Any, **kwargs: Any) -> float:
    """Return the loss, by torch."""
    return float(F.cross_entropy(tensor(logits), _int(labels), **kwargs))


def _random_loss(rng: np.random.Generator) -> Case:
    n, k = (int(v) for v in rng.integers([2, 2], [7, 7]))
    logits, labels = 10.0 ** int(rng.integers(0, 4)) * rng.standard_normal((n, k)), rng.integers(0, k, n)
    labels[0] = logits[0].argmin()  # a loss of nearly 0 would be all rounding
    return Case("random", logits, labels)


LABELS = np.array([2, 0, 2, 1])
PARAMETERS = ("logits", "labels")
BY_HAND = np.log([[2.0, 5.0, 1.0], [5.0, 1.0, 4.0]])  # probabilities 2/8, 5/8, 1/8 and 5/10, 1/10, 4/10
LOSS_CASES = (
    Case("three examples of two classes", normal(3, 2), np.array([1, 1, 0])),
    Case("two examples of five classes", normal(2, 5), np.array([4, 1])),
    Case("four examples of three classes", 2 * normal(4, 3), LABELS),
    Case("as many examples as classes", normal(3, 3), np.array([1, 2, 1])),
    Case("huge logits, and equal", np.array([[1000.0, 0.0, 1000.0]]), np.array([0])),
    Case("huge negative logits", np.array([[-2000.0, -2000.0], [-1000.0, -1001.0]]), np.array([0, 1])),
    Case("one huge row and a small one", np.array([[1000.0, 999.0], [0.0, 1.0]]), np.array([1, 0])),
    Case("far apart, the largest last", np.array([[0.0, 2000.0], [0.0, 2.0]]), np.array([1, 0])),
    Case("far apart, the largest first", np.array([[2000.0, 0.0], [3.0, 0.0]]), np.array([0, 1])),
    Case("sure and wrong", np.array([[1000.0, 0.0]]), np.array([1])),
    # exp(720) is inf, exp(-720) is not yet 0
    Case("sure and wrong, by 720", np.array([[720.0, 0.0]]), np.array([1])),
    Case("whole-number logits", integers(3, 4), np.array([3, 0, 1])),
)

softmax_cross_entropy = Exercise(
    "softmax_cross_entropy",
    UNIT,
    points=3,
    parameters=PARAMETERS,
    returns="one number",
    oracle=torch_loss,
    cases=(
        Case("two examples, by hand", BY_HAND, np.array([0, 2]), answer=float(np.log(10) / 2)),
        Case("one example, by hand", np.array([[np.log(3.0), 0.0]]), np.array([1]), answer=float(np.log(4))),
        *LOSS_CASES,
    ),
    random=_random_loss,
    hints=(
        "Subtract each row's largest logit from the row: the probabilities stay the same, and no exponential can overflow. Then write "
        "log(softmax) out as a difference, before you type anything.",
        "The log-probability of a class is its logit minus the log of the sum of the exponentials of its row. So no probability is "
        "ever formed, and no log of 0. Pick the label's entry from each row, average over the rows, change the sign.",
        "`shifted` is logits minus their max along axis 1 with keepdims=True. `log_p` is shifted minus the np.log of the row sums of "
        "np.exp(shifted), with keepdims again. Row n's entry for its label: index with `[np.arange(N), labels]`.",
    ),
)

LogP = Callable[[torch.Tensor], torch.Tensor]


def _loss_of(log_p: LogP) -> Callable[[Any, Any], float]:
    """Return the loss that follows from another way to get the log-probabilities."""
    return lambda logits, labels: float(F.nll_loss(log_p(tensor(logits)), _int(labels)))


Shift = Callable[[torch.Tensor, Any], torch.Tensor]
LARGEST = " Subtract the row's largest: then no exponential is above 1."
WHOLE_NUMBERS = (
    "When the logits are whole numbers you lose what comes after the decimal point: np.zeros_like(logits) takes over their dtype. "
    "np.zeros(logits.shape) makes floats."
)


def _are_whole(logits: Any) -> bool:
    return np.asarray(logits).dtype.kind in "iu"


def _one_less(logits: Any, labels: Any) -> np.ndarray:
    return (np.asarray(labels) - 1) % np.shape(logits)[1]


def _accuracy(logits: Any, labels: Any) -> float:
    return float(np.mean(np.argmax(logits, 1) == labels))


def _naive(z: torch.Tensor) -> torch.Tensor:
    return z.exp() / z.exp().sum(1, keepdim=True)


def _one_maximum(z: torch.Tensor) -> torch.Tensor:
    return _naive(z - z.max())


def _breaks_like(loss: Callable[[Any, Any], float]) -> Callable[..., bool]:
    """Return a test for answers that are what ``loss`` gives, where any infinity or nan is as good as another."""

    def when(value, logits, labels):
        wrong = loss(logits, labels)
        return matches(value, wrong) if np.isfinite(wrong) else not np.isfinite(np.sum(value))

    return when


_log_of_zero = _loss_of(lambda z: F.softmax(z, 1).log())
_overflow = _loss_of(lambda z: _naive(z).log())
_one_for_all = _loss_of(lambda z: _one_maximum(z).log())


def _zero_times_infinity(logits: Any, labels: Any) -> float:
    return float(-(one_hot(logits, labels) * F.softmax(tensor(logits), 1).log()).sum(1).mean())


@softmax_cross_entropy.misconception(
    "overflows",
    "Large logits give inf or nan: exp(1000) is too large for a float, and exp(-1000) is 0. Subtract the row's maximum from each row first; the "
    "softmax stays the same.",
    when=_breaks_like(_overflow),
)
def _(logits, labels):
    return _overflow(logits, labels)


@softmax_cross_entropy.misconception(
    "takes-the-log-of-zero",
    "A probability too small for a float becomes 0, and its log is -inf. Never form it: log(softmax) is the logit minus the log of the sum of "
    "exponentials.",
    when=_breaks_like(_log_of_zero),
)
def _(logits, labels):
    return _log_of_zero(logits, labels)


@softmax_cross_entropy.misconception(
    "multiplies-zero-by-infinity",
    "You multiply one-hot rows with log-probabilities. Where a probability is too small for a float its log is -inf, and 0 times -inf is nan, even "
    "for a wrong class. Take log(softmax) as a difference, and pick the label's entry by its index.",
    when=_breaks_like(_zero_times_infinity),
)
def _(logits, labels):
    return _zero_times_infinity(logits, labels)


@softmax_cross_entropy.misconception(
    "subtracts-one-maximum-for-all",
    "You subtract the largest logit of the whole batch. In a row far below it every exponential is then 0. Each row needs its own "
    "maximum: axis=1, keepdims=True.",
    when=_breaks_like(_one_for_all),
)
def _(logits, labels):
    return _one_for_all(logits, labels)


SHIFTS: dict[str, tuple[Shift, str]] = {
    "shifts-by-the-first-logit": (
        lambda z, labels: z[:, :1],
        "You subtract each row's first logit. Where another one is larger by 1000, its exponential is still too large for a float.",
    ),
    "shifts-by-the-mean": (
        lambda z, labels: z.mean(1, keepdim=True),
        "You subtract a mean. A row's largest logit can lie 1000 above it, and its exponential is then still too large "
        "for a float.",
    ),
    "shifts-by-the-label-s-logit": (
        lambda z, labels: z.gather(1, _int(labels)[:, None]),
        "You subtract the logit of the row's label. When the net is wrong, another one is larger, and its exponential can still be too large "
        "for a float.",
    ),
    "shifts-by-the-smallest": (
        lambda z, labels: z.amin(1, keepdim=True),
        "You subtract each row's smallest logit, so all the others become positive, and their exponentials can be too large for a float.",
    ),
}


def _shifted_loss(shift: Shift) -> Callable[[Any, Any], float]:
    """Return the loss that follows from subtracting the wrong number from each row."""

    def loss(logits, labels):
        z = tensor(logits) - shift(tensor(logits), labels)
        return float(F.nll_loss(z - z.exp().sum(1, keepdim=True).log(), _int(labels)))

    return loss


for _name, (_shift, _hint) in SHIFTS.items():
    _loss = _shifted_loss(_shift)
    softmax_cross_entropy.misconception(_name, _hint + LARGEST, when=_breaks_like(_loss))(_loss)


@softmax_cross_entropy.misconception(
    "takes-the-unshifted-logit",
    "You shift the row inside the sum of exponentials, but take the label's logit from the row that is not shifted. Take both from the "
    "shifted row, or the row's largest is left over.",
)
def _(logits, labels):
    return torch_loss(logits, labels) - float(tensor(logits).amax(1).mean())


@softmax_cross_entropy.misconception(
    "counts-labels-from-one",
    "You look at the class before the label. Labels count from 0, as indices do: use them as they are.",
)
def _(logits, labels):
    return torch_loss(logits, _one_less(logits, labels))


@softmax_cross_entropy.misconception(
    "returns-the-accuracy",
    "You return the share of the examples that are right (or wrong). The loss asks how sure the net was: minus the log of the right "
    "class's probability.",
    when=lambda value, logits, labels: any(
        matches(value, share) for share in (_accuracy(logits, labels), 1 - _accuracy(logits, labels))
    ),
)
def _(logits, labels):
    return _accuracy(logits, labels)


def _losses_in_whole_numbers(logits: Any, labels: Any) -> list[float]:
    """Return what becomes of the loss when the exponentials, or the log-probabilities, are kept as whole numbers."""
    z = tensor(logits) - tensor(logits).amax(1, keepdim=True)
    of_sums = z - z.exp().trunc().sum(1, keepdim=True).log()
    return [float(F.nll_loss(log_p, _int(labels))) for log_p in (of_sums, F.log_softmax(z, 1).trunc())]


@softmax_cross_entropy.misconception(
    "takes-the-dtype-of-the-logits",
    WHOLE_NUMBERS,
    when=lambda value, logits, labels: (
        _are_whole(logits) and any(matches(value, loss) for loss in _losses_in_whole_numbers(logits, labels))
    ),
)
def _(logits, labels):
    return _losses_in_whole_numbers(logits, labels)[0] if _are_whole(logits) else torch_loss(logits, labels)


def _is_patched(value, logits, labels) -> bool:
    p = F.softmax(tensor(logits), 1)
    patches = [10.0**-n for n in range(4, 17)]
    return any(
        matches(value, float(F.nll_loss(patched.log(), _int(labels))))
        for eps in patches
        for patched in (p + eps, p.clamp(min=eps), p.clamp(eps, 1 - eps))
    )


@softmax_cross_entropy.misconception(
    "patches-the-log",
    "You add a small number to the probability (or clip it) so that the log stays finite. That hides the problem and gives a wrong loss: a net "
    "that is sure and wrong pays the distance between its logits, and yours never more than minus the log of that small number. Compute "
    "log(softmax) as a difference.",
    when=_is_patched,
)
def _(logits, labels):
    return float(F.nll_loss((F.softmax(tensor(logits), 1) + 1e-12).log(), _int(labels)))


@softmax_cross_entropy.misconception(
    "sums-over-the-batch",
    "You add up the losses of the batch. Here, as in torch, the loss is their mean, so that the step does not grow with the batch.",
)
def _(logits, labels):
    return torch_loss(logits, labels, reduction="sum")


@softmax_cross_entropy.misconception(
    "one-loss-an-example", "You return one loss for each example. Take their mean: one number."
)
def _(logits, labels):
    return F.cross_entropy(tensor(logits), _int(labels), reduction="none").numpy()


@softmax_cross_entropy.misconception(
    "forgets-the-minus",
    "Your loss is negative. The log of a probability is never positive, so the loss is *minus* the log.",
)
def _(logits, labels):
    return -torch_loss(logits, labels)


@softmax_cross_entropy.misconception(
    "averages-over-the-classes",
    "You average over all N x K entries. There is one term for each example: divide by N.",
)
def _(logits, labels):
    return torch_loss(logits, labels) / np.shape(logits)[1]


@softmax_cross_entropy.misconception(
    "normalises-over-the-batch",
    "Your softmax runs down the columns, over the examples. The probabilities of one example, a row, sum to 1: axis=1.",
)
def _(logits, labels):
    return _loss_of(lambda z: F.log_softmax(z, 0))(logits, labels)


@softmax_cross_entropy.misconception(
    "normalises-over-everything",
    "You divide by the sum of all exponentials of the batch (a sum without axis). The probabilities of each row sum to 1.",
)
def _(logits, labels):
    return _loss_of(lambda z: F.log_softmax(z.flatten(), 0).reshape(z.shape))(logits, labels)


@softmax_cross_entropy.misconception(
    "picks-every-pair",
    "`p[:, labels]` picks all labels in every row, N x N numbers. You want label n in row n: give the row numbers as well, np.arange(N).",
)
def _(logits, labels):
    return -float(F.log_softmax(tensor(logits), 1)[:, _int(labels)].mean())


@softmax_cross_entropy.misconception(
    "trusts-the-prediction",
    "You use the class with the highest logit. The loss is about the right class, the label.",
)
def _(logits, labels):
    return torch_loss(logits, np.argmax(logits, 1))


@softmax_cross_entropy.misconception(
    "forgets-the-softmax",
    "You use the logits as if they were log-probabilities. Subtract the log of each row's sum of exponentials first.",
)
def _(logits, labels):
    return _loss_of(lambda z: z)(logits, labels)


@softmax_cross_entropy.misconception(
    "forgets-the-log", "You average the probabilities of the right classes. The loss is minus their log."
)
def _(logits, labels):
    return -_loss_of(lambda z: F.softmax(z, 1))(logits, labels)


@softmax_cross_entropy.misconception(
    "logs-to-base-two",
    "Your loss is too large by the factor 1.4427: that is log2. Take the natural logarithm, np.log.",
)
def _(logits, labels):
    return torch_loss(logits, labels) / float(np.log(2))


@softmax_cross_entropy.misconception(
    "adds-the-other-classes",
    "You add log(1 - p) for the wrong classes as well. That is the loss for several yes-or-no questions; here one class is right, and only its "
    "probability counts.",
)
def _(logits, labels):
    p, y = F.softmax(tensor(logits), 1), one_hot(logits, labels)
    return float(-(y * p.log() + (1 - y) * (1 - p).log()).sum(1).mean())


# ------------------------------------------------------------------------------- softmax_cross_entropy_gradient


def torch_gradient(logits: Any, labels: Any) -> np.ndarray:
    """Return the gradient of the loss, by autograd."""
    z = tensor(logits).clone().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(z, _int(labels)), z)[0].numpy()


softmax_cross_entropy_gradient = Exercise(
    "softmax_cross_entropy_gradient",
    UNIT,
    points=3,
    parameters=PARAMETERS,
    oracle=torch_gradient,
    cases=(
        Case(
            "two examples, by hand",
            BY_HAND,
            np.array([0, 2]),
            answer=[[-0.375, 0.3125, 0.0625], [0.25, 0.05, -0.3]],
        ),
        Case("one example, by hand", np.array([[np.log(3.0), 0.0]]), np.array([1]), answer=[[0.75, -0.75]]),
        *LOSS_CASES,
    ),
    random=_random_loss,
    hints=(
        "Begin with the probabilities. Which of them should be larger, and what would the others have to become, if the net were perfect?",
        "For one example it is the probabilities minus the one-hot row of its label (1 at the label, 0 elsewhere). The loss is a mean, so "
        "divide by N.",
        "Softmax of each row, with the row's maximum subtracted first; then subtract 1 at `[np.arange(N), labels]`; then divide by N.",
    ),
)


def _gradient_of(p: torch.Tensor, labels: Any) -> np.ndarray:
    return ((p - one_hot(p, labels)) / len(p)).numpy()


@softmax_cross_entropy_gradient.misconception(
    "turns-the-sign-around",
    "Your sign is the other way round: you have one-hot minus softmax. That is the direction in which the loss falls; the gradient points to where "
    "it rises.",
)
def _(logits, labels):
    return -torch_gradient(logits, labels)


@softmax_cross_entropy_gradient.misconception(
    "forgets-the-mean",
    "You are too large by the factor N. The loss is the mean over the batch, so each example counts 1/N in the gradient too.",
)
def _(logits, labels):
    return torch_gradient(logits, labels) * len(labels)


@softmax_cross_entropy_gradient.misconception(
    "averages-over-the-classes",
    "You divide by all N x K entries. The loss averages over the N examples only.",
)
def _(logits, labels):
    return torch_gradient(logits, labels) / np.shape(logits)[1]


@softmax_cross_entropy_gradient.misconception(
    "forgets-the-label",
    "You return the softmax and never subtract the label's 1, so nothing tells the net what is right.",
)
def _(logits, labels):
    return (F.softmax(tensor(logits), 1) / len(labels)).numpy()


@softmax_cross_entropy_gradient.misconception(
    "only-the-right-class",
    "Only the label's entry is different from 0 in your answer. The logits of the other classes matter too: they are in the sum of exponentials.",
)
def _(logits, labels):
    return (torch_gradient(logits, labels) * one_hot(logits, labels).numpy()) + 0.0


@softmax_cross_entropy_gradient.misconception(
    "stops-at-the-probabilities",
    "You return the gradient with respect to the *probabilities*, -1 / p at the label. What is wanted is one step further back: with respect to the "
    "logits.",
)
def _(logits, labels):
    return (-one_hot(logits, labels) / F.softmax(tensor(logits), 1) / len(labels)).nan_to_num(0).numpy()


@softmax_cross_entropy_gradient.misconception(
    "treats-softmax-like-a-sigmoid",
    "You took p (1 - p) for the slope of the softmax. That is its diagonal only: every probability depends on every logit of its row.",
)
def _(logits, labels):
    p, y = F.softmax(tensor(logits), 1), one_hot(logits, labels)
    return ((p - y) * p * (1 - p) / len(labels)).numpy()


@softmax_cross_entropy_gradient.misconception(
    "subtracts-at-every-pair",
    "`p[:, labels] -= 1` subtracts in every row at all labels. You want label n in row n only: give the row numbers as well, np.arange(N).",
)
def _(logits, labels):
    hit = one_hot(logits, labels).amax(0)
    return ((F.softmax(tensor(logits), 1) - hit) / len(labels)).numpy()


@softmax_cross_entropy_gradient.misconception(
    "subtracts-the-label-s-number",
    "You subtract the label itself, as a number, from its whole row. A label is the place where 1 is subtracted.",
)
def _(logits, labels):
    return ((F.softmax(tensor(logits), 1) - tensor(labels)[:, None]) / len(labels)).numpy()


@softmax_cross_entropy_gradient.misconception(
    "trusts-the-prediction",
    "You subtract 1 at the class with the highest logit. It belongs at the right class, the label.",
)
def _(logits, labels):
    return torch_gradient(logits, np.argmax(logits, 1))


@softmax_cross_entropy_gradient.misconception(
    "overflows",
    "Large logits give nan: exp(1000) is too large for a float, and exp(-1000) is 0. Subtract the row's maximum from each row first.",
)
def _(logits, labels):
    return _gradient_of(_naive(tensor(logits)), labels)


@softmax_cross_entropy_gradient.misconception(
    "subtracts-one-maximum-for-all",
    "You subtract the largest logit of the whole batch. In a row far below it every exponential is then 0. Each row needs its own "
    "maximum: axis=1, keepdims=True.",
)
def _(logits, labels):
    return _gradient_of(_one_maximum(tensor(logits)), labels)


@softmax_cross_entropy_gradient.misconception(
    "normalises-over-the-batch",
    "Your softmax runs down the columns, over the examples. The probabilities of one example, a row, sum to 1: axis=1.",
)
def _(logits, labels):
    return _gradient_of(F.softmax(tensor(logits), 0), labels)


@softmax_cross_entropy_gradient.misconception(
    "normalises-over-everything",
    "You divide by the sum of all exponentials of the batch (a sum without axis). The probabilities of each row sum to 1.",
)
def _(logits, labels):
    z = tensor(logits)
    return _gradient_of(F.softmax(z.flatten(), 0).reshape(z.shape), labels)


@softmax_cross_entropy_gradient.misconception(
    "forgets-the-softmax",
    "You subtract the one-hot rows from the logits. It is the probabilities that they are subtracted from.",
)
def _(logits, labels):
    return _gradient_of(tensor(logits), labels)


def _shifted_gradient(shift: Shift) -> Callable[[Any, Any], np.ndarray]:
    """Return the gradient that follows from subtracting the wrong number from each row."""

    def gradient(logits, labels):
        return _gradient_of(_naive(tensor(logits) - shift(tensor(logits), labels)), labels)

    return gradient


for _name, (_shift, _hint) in SHIFTS.items():
    softmax_cross_entropy_gradient.misconception(_name, _hint + LARGEST)(_shifted_gradient(_shift))


@softmax_cross_entropy_gradient.misconception(
    "counts-labels-from-one",
    "You subtract 1 at the class before the label. Labels count from 0, as indices do: use them as they are.",
)
def _(logits, labels):
    return torch_gradient(logits, _one_less(logits, labels))


def _gradients_in_whole_numbers(logits: Any, labels: Any) -> list[np.ndarray]:
    """Return what becomes of the gradient when the probabilities, the exponentials or itself are kept as whole numbers."""
    z = tensor(logits)
    exps = (z - z.amax(1, keepdim=True)).exp().trunc()
    kept = [_gradient_of(p, labels) for p in (F.softmax(z, 1).trunc(), exps / exps.sum(1, keepdim=True))]
    return [*kept, np.trunc(torch_gradient(logits, labels))]


@softmax_cross_entropy_gradient.misconception(
    "takes-the-dtype-of-the-logits",
    WHOLE_NUMBERS,
    when=lambda value, logits, labels: (
        _are_whole(logits) and any(matches(value, g) for g in _gradients_in_whole_numbers(logits, labels))
    ),
)
def _(logits, labels):
    whole = _are_whole(logits)
    return _gradients_in_whole_numbers(logits, labels)[0] if whole else torch_gradient(logits, labels)
