"""Unit 08: the accuracy of a model, and what measuring it leaves behind.

The oracle is torch's own functions on plain tensors; the model is the one of course/checks/epochs.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course.checks.epochs import labels_for, scores_of
from course.checks.exercise import Case, Exercise, normal, runs_into
from course.checks.oracle import tensor
from course.checks.recipe import through

UNIT = "08-numpy-to-torch"
EVALUATED = "epoch_drivers.evaluated"


def accuracy(
    w: Any,
    b: Any,
    x: Any,
    labels: Any,
    batch_size: int,
    training: bool,
    mode: bool = False,
    share: Callable[[list[int], list[int]], Any] = lambda right, sizes: sum(right) / sum(sizes),
    pick: Callable[[torch.Tensor], torch.Tensor] = lambda scores: scores.argmax(1),
) -> dict[str, Any]:
    """Return what the driver sees of an evaluation; the arguments after ``training`` make wrong ideas."""
    scores = scores_of(tensor(w), tensor(b), tensor(x), mode).split(batch_size)
    truths = torch.tensor(labels).split(batch_size)
    right = [pick(s) == y for s, y in zip(scores, truths, strict=True)]
    value = share([int(batch.sum()) for batch in right], [len(batch) for batch in truths])
    return {
        "accuracy": value,
        "autograd was recording": False,
        "in training mode afterwards": training,
        "can be trained afterwards": True,
    }


def _accuracy_case(name: str, n: int, d: int, k: int, batch_size: int, training: bool) -> Case:
    w, b, x = normal(k, d), normal(k), normal(n, d) * np.append(np.ones(d - 1), 2)
    return Case(name, through(EVALUATED), w, b, x, labels_for(n, k), batch_size, training)


def _random_accuracy(rng: np.random.Generator) -> Case:
    n, d, k = (int(v) for v in rng.integers([9, 2, 3], [15, 5, 5]))
    arrays = (rng.standard_normal(s) for s in ((k, d), (k,), (n, d)))
    labels = rng.integers(0, k, n)
    return Case("random", through(EVALUATED), *arrays, labels, int(rng.integers(4, 7)), bool(rng.integers(2)))


evaluate = Exercise(
    "evaluate",
    UNIT,
    points=3,
    parameters=("w", "b", "x", "labels", "batch_size", "training"),
    returns="the accuracy",
    oracle=accuracy,
    driven=True,
    cases=(
        Case(
            "three images, two right",
            through(EVALUATED),
            np.array([[1.0, 0.0], [0.0, 1.0]]),
            np.zeros(2),
            np.array([[1.0, 4.0], [2.0, 3.0], [2.0, 1.0]]),
            np.array([1, 0, 0]),
            3,
            True,
            answer={
                "accuracy": 2 / 3,
                "autograd was recording": False,
                "in training mode afterwards": True,
                "can be trained afterwards": True,
            },
        ),
        _accuracy_case("two batches", 10, 3, 3, 5, True),
        _accuracy_case("the last batch is smaller", 11, 3, 4, 4, True),
        _accuracy_case("a model in evaluation mode", 13, 4, 3, 6, False),
        _accuracy_case("a last batch of one image", 9, 2, 3, 4, True),
    ),
    random=_random_accuracy,
    hints=(
        "Three things happen around the loop: the mode is noted and changed, autograd is switched off, and at the end the mode is put back.",
        "Note model.training, call model.eval(), open torch.no_grad(). In the loop: both tensors to the device, the class with the largest "
        "score in each row, the number of those that are right. Behind it: the mode back, and right divided by the number of images.",
        "`was_training = model.training` and at the end `model.train(was_training)`. In the loop "
        "`right += (model(x).argmax(1) == y).sum().item()`.",
    ),
)


def accuracy_idea(name: str, hint: str, effects: dict[str, bool] | None = None, **bent: Any) -> None:
    """Add a wrong idea of evaluate; ``effects`` are what the model has to bear."""

    @evaluate.misconception(name, hint)
    def _(w, b, x, labels, batch_size, training):
        return accuracy(w, b, x, labels, batch_size, training, **bent) | (effects or {})


@evaluate.misconception(
    "forgets-eval-mode",
    "You test the model in the mode in which it came, and in training mode dropout is at work. Call model.eval() first.",
)
def _(w, b, x, labels, batch_size, training):
    return accuracy(w, b, x, labels, batch_size, training, mode=training)


@evaluate.misconception(
    "forgets-eval-mode-and-no-grad",
    "You test the model in the mode in which it came, dropout at work, and autograd records it all. Call model.eval() first, and put the loop "
    "into `with torch.no_grad():`.",
)
def _(w, b, x, labels, batch_size, training):
    seen = accuracy(w, b, x, labels, batch_size, training, mode=training)
    return seen | {"autograd was recording": True}


accuracy_idea(
    "lets-autograd-record",
    "The accuracy is right, but autograd was recording all the time, which costs time and memory. Put the loop into `with torch.no_grad():`.",
    {"autograd was recording": True},
)
accuracy_idea(
    "leaves-it-in-evaluation-mode",
    "The accuracy is right, but you leave the model in evaluation mode, whatever mode it came in. Note model.training before, and put it back "
    "by model.train(was_training). (`model.training = ...` would not reach the layers inside.)",
    {"in training mode afterwards": False},
)
accuracy_idea(
    "leaves-it-in-evaluation-mode-recording",
    "The accuracy is right, but autograd was recording, and the model is left in evaluation mode. Put the loop into `with torch.no_grad():`, "
    "note model.training before, and put it back.",
    {"in training mode afterwards": False, "autograd was recording": True},
)
accuracy_idea(
    "always-ends-in-training-mode",
    "The accuracy is right, but you leave the model in training mode although it did not come in it. Note model.training before, and put "
    "that back: model.train(was_training).",
    {"in training mode afterwards": True},
)
accuracy_idea(
    "leaves-autograd-off",
    "The accuracy is right, but afterwards nothing can be trained: autograd is still off, or the parameters are frozen "
    "(requires_grad). `with torch.no_grad():` around the loop ends by itself.",
    {"can be trained afterwards": False},
)
accuracy_idea(
    "averages-over-batches",
    "You average the batches' accuracies, so the last, smaller batch counts as much as the others. Count right images and all images.",
    share=lambda right, sizes: float(np.mean(np.divide(right, sizes))),
)
accuracy_idea(
    "counts-the-right-ones",
    "You return how many are right. Divide by the number of images.",
    share=lambda right, sizes: sum(right),
)
accuracy_idea(
    "percent",
    "You return per cent. Here accuracy is a share, from 0 to 1.",
    share=lambda right, sizes: 100 * sum(right) / sum(sizes),
)
accuracy_idea(
    "share-of-mistakes",
    "You return the share that is wrong. Accuracy is the share that is right.",
    share=lambda right, sizes: 1 - sum(right) / sum(sizes),
)
accuracy_idea(
    "last-batch-only",
    "Your answer is that of the last batch. Add up over all batches, from 0 before the loop.",
    share=lambda right, sizes: right[-1] / sizes[-1],
)
accuracy_idea(
    "first-batch-only",
    "Only the first batch is looked at. Does your return stand inside the loop?",
    share=lambda right, sizes: right[0] / sizes[0],
)
accuracy_idea(
    "divides-by-the-batches",
    "You divide by len(loader), which is the number of batches. Divide by the number of images.",
    share=lambda right, sizes: sum(right) / len(sizes),
)
accuracy_idea(
    "smallest-score",
    "You take the class with the smallest score. The net's answer is the one with the largest: argmax.",
    pick=lambda scores: scores.argmin(1),
)


@evaluate.misconception(
    "compares-the-scores",
    "No image counts as right. Do you compare the largest scores themselves with the labels? `max(1)` gives values and places: the class is "
    "the place, argmax(1). (Or does `//` cut the share off?)",
)
def _(w, b, x, labels, batch_size, training):
    return accuracy(w, b, x, labels, batch_size, training, share=lambda right, sizes: 0.0)


accuracy_idea(
    "one-answer-for-the-batch",
    "Your argmax looks for the largest score of the whole batch. Each image has an answer of its own, the largest in its row: `argmax(1)`.",
    pick=lambda scores: scores.argmax(),
)


def misfit(name: str, hint: str, pick: Callable[[torch.Tensor], torch.Tensor], words: str) -> None:
    """Add a wrong idea whose guesses have another shape than the labels, and so most often end in an exception."""

    @evaluate.misconception(name, hint)
    def _(w, b, x, labels, batch_size, training):
        try:
            return accuracy(w, b, x, labels, batch_size, training, pick=pick)
        except RuntimeError as error:
            raise runs_into("RuntimeError", words=words) from error


misfit(
    "looks-down-the-columns",
    "Your argmax goes along axis 0: it finds for each class the image with the largest score. For each image the largest class is "
    "`argmax(1)`.",
    pick=lambda scores: scores.argmax(0),
    words="dimension 0",
)
misfit(
    "compares-all-scores",
    "You compare all scores of an image with its label. Take the class with the largest score first: `argmax(1)`.",
    pick=lambda scores: scores,
    words="dimension 1",
)


@evaluate.misconception(
    "compares-a-pair",
    "What you compare with the labels is no tensor. `max(1)` gives a pair, values and places; the class is the place: `argmax(1)`.",
)
def _(*args):
    raise runs_into("AttributeError", words="'bool' object")


@evaluate.misconception(
    "does-not-move-the-batch",
    "You compute with a batch where the loader has put it. Move both tensors to the device first. `.to(device)` returns the moved tensor; "
    "it does not move the old one: give the result a name.",
)
def _(*args):
    raise runs_into("NotOnTheDevice")


@evaluate.misconception(
    "returns-nothing", "All is done, but nothing is returned: return the share of right answers."
)
def _(w, b, x, labels, batch_size, training):
    return accuracy(w, b, x, labels, batch_size, training) | {"accuracy": None}
