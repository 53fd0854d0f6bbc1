"""Unit 08: one epoch of training.

The oracle is torch's own functions on plain tensors, its gradients by autograd, the steps taken by hand. The model is the driver's:
a linear layer in front of which the last column is silent in training, as dropout would have it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course.checks.exercise import Case, Exercise, normal, runs_into
from course.checks.oracle import tensor
from course.checks.recipe import through

UNIT = "08-numpy-to-torch"
EPOCHS = "epoch_drivers.trained"


def labels_for(n: int, classes: int) -> np.ndarray:
    """Return n labels in which every class comes up early, and no pattern."""
    return (np.arange(n) * 2 + np.arange(n) // 3) % classes


def scores_of(w: torch.Tensor, b: torch.Tensor, x: torch.Tensor, training: bool) -> torch.Tensor:
    """Return the driver's model's scores."""
    silent = x[:, -1:] * (0 if training else 1)
    return F.linear(torch.cat([x[:, :-1], silent], dim=1), w, b)


Batch = tuple[torch.Tensor, torch.Tensor]
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Bent:
    """The oracle of train_one_epoch, with a place for each wrong idea."""

    def __init__(
        self,
        training: bool = True,
        loss: Loss = F.cross_entropy,
        mean: Callable[[list[float], list[int]], float] = lambda losses, sizes: float(
            np.average(losses, weights=sizes)
        ),
        clear: str = "each batch",
        step: str = "each batch",
        most: int | None = None,
        sign: int = 1,
        late: bool = False,
    ):
        self.training, self.loss, self.mean = training, loss, mean
        self.clear, self.step, self.most, self.sign, self.late = clear, step, most, sign, late

    def __call__(
        self, w: Any, b: Any, x: Any, labels: Any, batch_size: int, lr: float, epochs: int = 2
    ) -> dict[str, Any]:
        """Return what the driver sees after some epochs."""
        params = [tensor(w).clone().requires_grad_(), tensor(b).clone().requires_grad_()]
        sums: list[torch.Tensor] = [torch.zeros_like(p) for p in params]
        losses = {}
        for epoch in range(epochs):
            batches = list(
                zip(
                    tensor(x).split(batch_size),
                    torch.tensor(labels, dtype=torch.int64).split(batch_size),
                    strict=True,
                )
            )
            values, sums = self.one(params, sums, batches[: self.most], lr)
            losses[f"loss of epoch {epoch + 1}"] = self.mean(
                values, [len(y) for _, y in batches[: self.most]]
            )
        after = {"w afterwards": params[0].detach().numpy(), "b afterwards": params[1].detach().numpy()}
        return {**losses, **after, "the loss holds a graph": False}

    def one(
        self, params: list[torch.Tensor], sums: list[torch.Tensor], batches: list[Batch], lr: float
    ) -> tuple[list[float], list[torch.Tensor]]:
        """Walk through the batches once, changing ``params``; return the losses and the gradients as they stand."""
        values = []
        sums = [torch.zeros_like(p) for p in params] if self.clear == "each epoch" else sums
        for x, y in batches:
            if self.step == "before backward":
                move(params, sums, lr)
            loss = self.loss(scores_of(*params, x, self.training), y)  # type: ignore[call-arg, arg-type]
            grads = torch.autograd.grad(loss, params)
            sums = (
                list(grads)
                if self.clear == "each batch"
                else [s + g for s, g in zip(sums, grads, strict=True)]
            )
            if self.step == "each batch":
                move(params, sums, self.sign * lr)
            if self.late:
                loss = self.loss(scores_of(*params, x, self.training), y)  # type: ignore[call-arg, arg-type]
            values.append(float(loss.detach()))
        if self.step == "each epoch":
            move(params, sums, lr)
        return values, sums


def move(params: list[torch.Tensor], grads: list[torch.Tensor], lr: float) -> None:
    """Take a step of gradient descent."""
    with torch.no_grad():
        for param, grad in zip(params, grads, strict=True):
            param -= lr * grad


def _epoch_case(name: str, n: int, d: int, k: int, batch_size: int, lr: float, **more: Any) -> Case:
    return Case(
        name, through(EPOCHS), normal(k, d), normal(k), normal(n, d), labels_for(n, k), batch_size, lr, **more
    )


def _random_epoch(rng: np.random.Generator) -> Case:
    n, d, k = (int(v) for v in rng.integers([7, 2, 2], [12, 5, 5]))
    arrays = (rng.standard_normal(s) for s in ((k, d), (k,), (n, d)))
    return Case("random", through(EPOCHS), *arrays, rng.integers(0, k, n), int(rng.integers(3, 5)), 0.3)


train_one_epoch = Exercise(
    "train_one_epoch",
    UNIT,
    points=4,
    parameters=("w", "b", "x", "labels", "batch_size", "lr"),
    returns="the mean loss",
    oracle=Bent(),
    driven=True,
    cases=(
        Case(
            "one image, one epoch",
            through(EPOCHS),
            np.zeros((2, 2)),
            np.zeros(2),
            np.array([[1.0, 0.0]]),
            np.array([0]),
            1,
            1.0,
            epochs=1,
            weight=0.5,
            answer={
                "loss of epoch 1": float(np.log(2)),
                "w afterwards": [[0.5, 0.0], [-0.5, 0.0]],
                "b afterwards": [0.5, -0.5],
                "the loss holds a graph": False,
            },
        ),
        _epoch_case("one batch, one epoch", 4, 3, 3, 4, 0.7, epochs=1, weight=0.5),
        _epoch_case("three batches of two, one epoch", 6, 3, 3, 2, 0.4, epochs=1),
        _epoch_case("the last batch is smaller, two epochs", 7, 2, 3, 3, 0.5),
        _epoch_case("a last batch of one image", 9, 4, 2, 4, 0.2),
    ),
    random=_random_epoch,
    hints=(
        "Five things happen to each batch: move it, empty the gradients, forward, backward, step. And one thing happens once, before "
        "all batches.",
        "model.train() first. In the loop: both tensors to the device; optimizer.zero_grad(); the loss from F.cross_entropy; "
        "loss.backward(); optimizer.step(). Keep a sum of losses in which a batch counts as often as it has images, and a sum of images.",
        "`total += loss.item() * len(labels)` and `count += len(labels)` in the loop; behind it `return total / count`. `.item()` gives the "
        "plain number.",
    ),
)


def epoch_idea(name: str, hint: str, **bent: Any) -> None:
    """Add a wrong idea of train_one_epoch."""
    train_one_epoch.misconception(name, hint)(Bent(**bent))


epoch_idea(
    "forgets-zero-grad",
    "Your gradients are never emptied. backward *adds* to what is there, so each step also walks along the gradients of all batches before. "
    "Call optimizer.zero_grad() for each batch, before backward.",
    clear="never",
)
epoch_idea(
    "zero-grad-once-an-epoch",
    "You empty the gradients once, before the loop; within the epoch they add up. It belongs into the loop: once for each batch.",
    clear="each epoch",
)
epoch_idea(
    "never-steps",
    "The parameters are what they were. Is optimizer.step() there? It comes after loss.backward(), with no zero_grad between the two.",
    step="never",
)
epoch_idea(
    "steps-before-backward",
    "You step before backward, so each step uses the gradients of the batch before. First loss.backward(), then optimizer.step().",
    step="before backward",
)
epoch_idea(
    "one-step-an-epoch",
    "You take one step at the end of the epoch. Each batch gets its own: optimizer.step() belongs into the loop.",
    step="each epoch",
)
epoch_idea(
    "one-step-with-all-gradients",
    "You add up the gradients of all batches and take one step at the end. Each batch gets its own zero_grad and its own step, in the loop.",
    step="each epoch",
    clear="each epoch",
)
epoch_idea(
    "averages-batch-means",
    "The steps are right, but your mean counts every batch the same. The last one is smaller: weight each batch's loss by its number of images.",
    mean=lambda losses, sizes: float(np.mean(losses)),
)
epoch_idea(
    "divides-batch-means-by-images",
    "The steps are right, but your mean is too small. A batch's loss is a mean already: multiply it by the number of its images before you "
    "divide by the number of all.",
    mean=lambda losses, sizes: float(np.sum(losses) / np.sum(sizes)),
)
epoch_idea(
    "divides-sums-by-batches",
    "The steps are right, but you divide by the number of batches. The mean is over images: divide by their number.",
    mean=lambda losses, sizes: float(np.dot(losses, sizes) / len(losses)),
)
epoch_idea(
    "returns-the-sum-over-images",
    "The steps are right, but you return a sum over all images. Divide it by their number.",
    mean=lambda losses, sizes: float(np.dot(losses, sizes)),
)
epoch_idea(
    "returns-the-sum-of-the-losses",
    "The steps are right, but you return the sum of the batches' losses. What is asked for is the mean over all images.",
    mean=lambda losses, sizes: float(np.sum(losses)),
)
epoch_idea(
    "returns-the-last-loss",
    "The steps are right, but you return the loss of the last batch. What is asked for is the mean over all images of the epoch.",
    mean=lambda losses, sizes: losses[-1],
)
epoch_idea(
    "one-batch-only",
    "Only the first batch is used. Does your return stand inside the loop?",
    most=1,
)
epoch_idea(
    "forgets-train-mode",
    "The model came in evaluation mode and you trained it so: dropout would do nothing. Call model.train() first.",
    training=False,
)
epoch_idea(
    "softmax-before-cross-entropy",
    "You put a softmax before cross_entropy, which has its own inside. Give it the scores as they are.",
    loss=lambda scores, y: F.cross_entropy(scores.softmax(1), y),
)
epoch_idea(
    "sums-within-the-batch",
    "Your loss is the sum over the batch (reduction='sum'), so the step grows with the batch. The loss to go back from is the mean.",
    loss=lambda scores, y: F.cross_entropy(scores, y, reduction="sum"),
    mean=lambda losses, sizes: float(np.sum(losses) / np.sum(sizes)),
)
epoch_idea(
    "takes-the-loss-after-the-step",
    "The steps are right, but you compute the loss anew after the step, when the batch has been learnt from already. Use the loss from "
    "which you went back.",
    late=True,
)
epoch_idea("goes-uphill", "The loss grows: your parameters move with the gradient.", sign=-1)


@train_one_epoch.misconception(
    "keeps-the-graphs",
    "The number is right, but it is a tensor that still hangs on the graphs of the batches, and keeps them all in memory. "
    "`loss.item()` gives the plain number.",
)
def _(*args, **kwargs):
    return Bent()(*args, **kwargs) | {"the loss holds a graph": True}


@train_one_epoch.misconception(
    "keeps-the-graphs-of-an-unweighted-mean",
    "What you return still hangs on the graphs of the batches, and keeps them all in memory: add up plain numbers, `loss.item()`. And weight "
    "each batch by the number of its images, since the last one is smaller.",
)
def _(*args, **kwargs):
    unweighted = Bent(mean=lambda losses, sizes: float(np.mean(losses)))
    return unweighted(*args, **kwargs) | {"the loss holds a graph": True}


@train_one_epoch.misconception(
    "does-not-move-the-batch",
    "You compute with a batch where the loader has put it. Move both tensors to the device first. `.to(device)` returns the moved tensor; "
    "it does not move the old one: give the result a name.",
)
def _(*args, **kwargs):
    raise runs_into("NotOnTheDevice")


@train_one_epoch.misconception(
    "returns-nothing", "The steps are right, but nothing is returned: return the mean loss."
)
def _(*args, **kwargs):
    seen = Bent()(*args, **kwargs)
    return {name: None if name.startswith("loss of") else value for name, value in seen.items()}
