"""Unit 06: one net from several checkpoints, and one answer from several nets.

The oracle is torch in float64. A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course.checks.compare import matches
from course.checks.exercise import CHANGES_ITS_INPUT, Case, Exercise, Refusal, normal
from course.checks.oracle import tensor

UNIT = "06-momentum-and-training"
Nets = list[list[np.ndarray]]


# ------------------------------------------------------------------------------------------------ average_weights


def combined(checkpoints: Nets, share: Callable[[int], Any]) -> tuple[np.ndarray, ...]:
    """Return the sum of the checkpoints, array by array, with the shares that ``share(how many)`` gives."""
    shares = tensor(share(len(checkpoints)))
    stacks = (torch.stack([tensor(array) for array in arrays]) for arrays in zip(*checkpoints, strict=True))
    return tuple(torch.tensordot(shares, stack, dims=1).numpy() for stack in stacks)


def torch_average(checkpoints: Nets) -> tuple[np.ndarray, ...]:
    """Return the mean of the checkpoints, array by array, by torch."""
    stacks = (torch.stack([tensor(array) for array in arrays]) for arrays in zip(*checkpoints, strict=True))
    return tuple(stack.mean(0).numpy() for stack in stacks)


def _nets(count: int, *shapes: tuple[int, ...]) -> Nets:
    return [[normal(count, *shape)[i] + i for shape in shapes] for i in range(count)]


def _random_nets(rng: np.random.Generator) -> Case:
    shapes = [tuple(int(n) for n in rng.integers(1, 5, axes)) for axes in (2, 1, 4)]
    return Case(
        "random", [[rng.standard_normal(s) + 1 for s in shapes] for _ in range(int(rng.integers(3, 7)))]
    )


average_weights = Exercise(
    "average_weights",
    UNIT,
    points=2,
    parameters=("checkpoints",),
    returns="one list of arrays",
    oracle=torch_average,
    cases=(
        Case(
            "two checkpoints of one array, by hand",
            [[np.array([1.0, 4.0])], [np.array([3.0, 5.0])]],
            answer=([2.0, 4.5],),
        ),
        Case(
            "three checkpoints, by hand",
            [
                [np.array([1.0, 0.0]), np.array([[9.0]])],
                [np.array([2.0, 0.0]), np.array([[0.0]])],
                [np.array([6.0, 3.0]), np.array([[3.0]])],
            ],
            answer=([3.0, 1.0], [[4.0]]),
        ),
        Case("weights and biases", _nets(4, (3, 5), (3,), (2, 3), (2,))),
        Case("filters", _nets(5, (2, 3, 3, 2), (2,))),
        Case("arrays of one shape", _nets(3, (2, 2), (2, 2), (2, 2), (2, 2))),
        Case("one checkpoint", _nets(1, (3, 2), (3,)), weight=0.5),
    ),
    random=_random_nets,
    hints=(
        "A checkpoint is a list of arrays, and the arrays of one checkpoint have different shapes. Which arrays may be added to each other?",
        "Bring the first arrays of all checkpoints together, then the second ones, and so on: zip(*checkpoints) does that. Each such group is "
        "averaged into one array of the same shape.",
        "A list comprehension over zip(*checkpoints), with np.mean of each group along axis 0.",
    ),
)


def average_idea(name: str, hint: str, share: Callable[[int], Any]) -> None:
    """Add a wrong idea that gives the checkpoints other shares."""
    average_weights.misconception(name, hint)(lambda checkpoints: combined(checkpoints, share))


def _halving(count: int) -> list[float]:
    """Return the shares that are left when each checkpoint in turn is averaged with the result so far."""
    return [0.5 ** (count - 1 if i == 0 else count - i) for i in range(count)]


average_idea(
    "averages-pair-by-pair",
    "You average what you have with the next checkpoint, again and again: the last one then counts half, the first hardly at all. Each "
    "should count the same: add all up, and divide once.",
    _halving,
)
average_idea(
    "is-a-moving-average",
    "You keep nine tenths of the average and add a tenth of each new checkpoint. That is a moving average, in use as well (EMA), but here "
    "all checkpoints count the same.",
    lambda count: [0.9 ** (count - 1)] + [0.1 * 0.9 ** (count - 1 - i) for i in range(1, count)],
)
average_idea(
    "always-divides-by-two",
    "You divide by 2 however many checkpoints there are. Divide by their number.",
    lambda count: np.full(count, 0.5),
)
average_idea("does-not-divide", "You add the checkpoints up. Divide by how many there are.", np.ones)
average_idea(
    "keeps-the-last",
    "Your answer is the last checkpoint: does each turn of your loop overwrite what came before?",
    lambda count: np.eye(count)[-1],
)
average_idea(
    "keeps-the-first",
    "Your answer is the first checkpoint: the others have no part in it.",
    lambda count: np.eye(count)[0],
)
average_idea(
    "weighs-later-ones-more",
    "You give later checkpoints more weight. Here all count the same.",
    lambda count: np.arange(1, count + 1) / np.arange(1, count + 1).sum(),
)
average_idea(
    "counts-one-too-many",
    "Your sum is right, and you divide by one more than there are.",
    lambda count: np.full(count, 1 / (count + 1)),
)


@average_weights.misconception(
    "divides-by-the-number-of-arrays",
    "You divide by the number of arrays in a checkpoint. What is averaged are the checkpoints: divide by how many of them there are.",
)
def _(checkpoints):
    return combined(checkpoints, lambda count: np.full(count, 1 / len(checkpoints[0])))


@average_weights.misconception(
    "averages-to-single-numbers",
    "Each array has become a single number: np.mean without an axis averages everything. Average over the checkpoints only.",
)
def _(checkpoints):
    return tuple(float(array.mean()) for array in torch_average(checkpoints))


@average_weights.misconception(
    "averages-within-the-checkpoints",
    "You average the arrays within each checkpoint. They belong to different layers; average the same array over all the checkpoints.",
)
def _(checkpoints):
    if len({array.shape for array in checkpoints[0]}) > 1:
        raise Refusal("these arrays have different shapes")
    return tuple(np.mean([np.asarray(a, float) for a in arrays], axis=0) for arrays in checkpoints)


@average_weights.misconception(
    "rounds-down",
    "You divide with `//`: what comes after the decimal point is lost. Use `/`.",
)
def _(checkpoints):
    return tuple(np.floor(array) for array in torch_average(checkpoints))


@average_weights.misconception(
    CHANGES_ITS_INPUT,
    "You add into the arrays of a checkpoint, so whoever saved it finds it changed. Start from new arrays, and avoid += on what was handed in.",
)
def _(checkpoints):
    answer = torch_average(checkpoints)
    checkpoints[0][0] += 1
    return answer


# ----------------------------------------------------------------------------------------------- ensemble_predict


def torch_ensemble(logits: Any) -> np.ndarray:
    """Return the class with the highest mean probability for each sample, by torch."""
    return torch.softmax(tensor(logits), 2).mean(0).argmax(1).numpy()


def _random_logits(rng: np.random.Generator) -> Case:
    """Return logits whose two highest means are not close for any sample, so that no rounding decides between them."""
    m, n, k = (int(v) for v in rng.integers([3, 20, 3], [6, 40, 6]))
    logits = 3 * rng.standard_normal((m, n, k))
    second, first = torch.softmax(tensor(logits), 2).mean(0).sort(1).values[:, -2:].T.numpy()
    return Case("random", logits[:, first - second > CLEAR])


CLEAR = 1e-3  # between the two highest mean probabilities of a sample, in every case
TWO_TO_ONE = np.array(
    [[[6.0, 0.0]], [[-1.0, 0.0]], [[-1.0, 0.0]]]
)  # 0.998, 0.27, 0.27 for class 0: mean 0.51
LOUD = np.array([[[2.0, 0.0]], [[2.0, 0.0]], [[-6.0, 0.0]]])  # 0.88, 0.88, 0.002 for class 0: mean 0.59

ensemble_predict = Exercise(
    "ensemble_predict",
    UNIT,
    points=2,
    parameters=("logits",),
    returns="one class a sample",
    oracle=torch_ensemble,
    cases=(
        Case("one sure, two in slight doubt", TWO_TO_ONE, answer=[0]),
        Case("two agree, one shouts", LOUD, answer=[0]),
        Case("many samples", 3 * normal(3, 40, 4)),
        Case("as many classes as samples", 3 * normal(4, 6, 6)),
        Case("one net", 2 * normal(1, 12, 3), weight=0.5),
        Case("as many nets as samples", 4 * normal(8, 8, 3)),
        Case("huge logits", 3 * normal(3, 20, 4) + 1000 * normal(3, 20, 1)),
    ),
    random=_random_logits,
    hints=(
        "Three things happen: probabilities, an average, a decision. In which order, and each along which axis?",
        "Softmax along the last axis, the classes, with each row's maximum subtracted first; the mean over axis 0, the nets; the argmax "
        "over the classes of what is left.",
        "`np.exp(logits - max)` with the max over axis 2 and keepdims; divide by its sum over axis 2 with keepdims; `.mean` over 0; "
        "`.argmax` over 1.",
    ),
)


@ensemble_predict.misconception(
    "averages-the-logits",
    "You average logits (or multiply probabilities, or average their logarithms, which comes to the same). One net that is very sure can then "
    "outvote all others. Here: softmax first, and average the probabilities.",
)
def _(logits):
    return tensor(logits).mean(0).argmax(1).numpy()


@ensemble_predict.misconception(
    "decides-before-it-averages",
    "You let each net decide and count votes, so a net that is sure weighs no more than one in doubt. Average the probabilities first, and decide last.",
)
def _(logits):
    votes = tensor(logits).argmax(2)
    return torch.nn.functional.one_hot(votes, np.shape(logits)[2]).sum(0).argmax(1).numpy()


def _rounded(value: Any, logits: Any) -> bool:
    """Return whether an answer is the mean of the classes, rounded in one way or another."""
    mean = tensor(logits).argmax(2).double().mean(0)
    return any(matches(value, change(mean).numpy()) for change in (torch.clone, torch.round, torch.floor))


@ensemble_predict.misconception(
    "averages-the-classes",
    "You average class numbers. Classes are names, and a 3 and a 7 do not make a 5: average the probabilities, and decide last.",
    when=_rounded,
)
def _(logits):
    return torch.round(tensor(logits).argmax(2).double().mean(0)).numpy()


@ensemble_predict.misconception(
    "takes-the-least-likely",
    "You return the class with the lowest mean probability. The highest wins: argmax, not argmin.",
)
def _(logits):
    return torch.softmax(tensor(logits), 2).mean(0).argmin(1).numpy()


@ensemble_predict.misconception(
    "listens-to-the-surest",
    "The one net that is surest decides alone. All of them have a say: average over the nets.",
)
def _(logits):
    return torch.softmax(tensor(logits), 2).amax(0).argmax(1).numpy()


@ensemble_predict.misconception(
    "listens-to-the-first-net", "You use the first net only. Average over all of them, axis 0."
)
def _(logits):
    return tensor(logits)[0].argmax(1).numpy()


def _divided_along(axis: int) -> Callable[[Any, Any], bool]:
    """Return a test for a softmax that divides by sums along another axis, whichever maximum was subtracted."""

    def when(value: Any, logits: Any) -> bool:
        z = tensor(logits)
        powers = (z - z.amax(2, keepdim=True)).exp()
        mixed = (powers / powers.sum(axis, keepdim=True)).mean(0).argmax(1)
        return any(
            matches(value, wrong.numpy()) for wrong in (mixed, torch.softmax(z, axis).mean(0).argmax(1))
        )

    return when


@ensemble_predict.misconception(
    "normalises-over-the-nets",
    "Your softmax runs over axis 0, the nets. Probabilities add up to 1 over the classes, the last axis.",
    when=_divided_along(0),
)
def _(logits):
    return torch.softmax(tensor(logits), 0).mean(0).argmax(1).numpy()


@ensemble_predict.misconception(
    "normalises-over-the-samples",
    "Your softmax runs over axis 1, the samples. Probabilities add up to 1 over the classes, the last axis.",
    when=_divided_along(1),
)
def _(logits):
    return torch.softmax(tensor(logits), 1).mean(0).argmax(1).numpy()


@ensemble_predict.misconception(
    "normalises-over-everything",
    "Your exponentials are divided by one sum for all. Each row has its own: sum over the classes with axis=-1, keepdims=True.",
)
def _(logits):
    z = tensor(logits)
    return (z - z.max()).exp().mean(0).argmax(1).numpy()


@ensemble_predict.misconception(
    "overflows",
    "Large logits overflow in np.exp, and the answer comes from nan. Subtract each row's maximum first: the softmax stays the same.",
)
def _(logits):
    z = tensor(logits).exp()
    return np.argmax((z / z.sum(2, keepdim=True)).mean(0).numpy(), axis=1)


@ensemble_predict.misconception(
    "subtracts-one-maximum-for-all",
    "You subtract the largest logit of all. In a row far below it every exponential is then 0, and 0 / 0 is nan. Each row needs its own "
    "maximum: axis=2, keepdims=True.",
)
def _(logits):
    z = tensor(logits)
    powers = (z - z.max()).exp()
    return np.argmax((powers / powers.sum(2, keepdim=True)).mean(0).numpy(), axis=1)


@ensemble_predict.misconception(
    "decides-along-the-wrong-axis",
    "You decide along the samples, and so return one sample for each class. After the mean the axes are (N, K): look for the highest along the last.",
)
def _(logits):
    return torch.softmax(tensor(logits), 2).mean(0).argmax(0).numpy()


@ensemble_predict.misconception(
    "returns-the-probabilities",
    "You return the averaged probabilities. Decide as well: the class with the highest one, for each sample.",
)
def _(logits):
    return torch.softmax(tensor(logits), 2).mean(0).numpy()


@ensemble_predict.misconception(
    "answers-for-every-net", "You return an answer of every net. Average over axis 0 before you decide."
)
def _(logits):
    return tensor(logits).argmax(2).numpy()


@ensemble_predict.misconception(
    "returns-the-highest-probability",
    "You return how high the highest probability is. Return which class it belongs to: argmax, not max.",
)
def _(logits):
    return torch.softmax(tensor(logits), 2).mean(0).amax(1).numpy()
