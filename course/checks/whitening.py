"""Unit 05: decorrelate and whiten. The oracle is torch.linalg.eigh in float64; each column is right with either sign."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course.checks.chance import array_of, close, wrong_shape
from course.checks.compare import difference
from course.checks.exercise import Case, Exercise
from course.checks.oracle import tensor
from course.checks.preprocessing import UNIT, centred, mixed, random_data, with_constant

# ------------------------------------------------------------------------------------------- decorrelate, whiten


def covariance(train: Any, divisor: int | None = None, about: Any = None) -> torch.Tensor:
    """Return the covariance of the training set's features, divided by the number of samples."""
    train = tensor(train)
    rows = train - (train.mean(0) if about is None else about)
    return torch.einsum("ni,nj->ij", rows, rows) / (divisor or len(train))


def axes_of(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return eigenvalues (falling) and eigenvectors (columns) of a covariance."""
    values, vectors = torch.linalg.eigh(matrix)
    return values.flip(0), vectors.flip(1)


def rotated(x: Any, train: Any) -> np.ndarray:
    """Return x in the axes of the training set's covariance, largest variance first, by torch."""
    _, vectors = axes_of(covariance(train))
    return (tensor(centred(x, train)) @ vectors).numpy()


def whitened(x: Any, train: Any, eps: float = 1e-5) -> np.ndarray:
    """Return rotated x with each column over the root of its variance plus eps, by torch."""
    values, _ = axes_of(covariance(train))
    return (tensor(rotated(x, train)) / (values.clamp(min=0) + eps).sqrt()).numpy()


def up_to_signs(value: Any, answer: np.ndarray) -> np.ndarray | None:
    """Return an answer with each column turned to the sign that is nearer to ``answer``'s, or None for another shape."""
    array = array_of(value, answer.shape)
    if array is None:
        return None
    signs = np.where((array * answer).sum(0) < 0, -1.0, 1.0)
    return array * signs.astype(array.dtype if array.dtype.kind == "f" else float)


def same_up_to_signs(wrong: Callable[..., np.ndarray]) -> Callable[..., bool]:
    """Return a test for answers that are ``wrong``'s, whatever the signs of their columns."""

    def when(value: Any, *args: Any, **kwargs: Any) -> bool:
        answer = np.asarray(wrong(*args, **kwargs))
        turned = up_to_signs(value, answer)
        return turned is not None and close(turned, answer)

    return when


def judge_by(oracle: Callable[..., np.ndarray]) -> Callable[..., str]:
    """Return a judge that compares with the oracle's answer, whatever the signs of the columns."""

    def judge(value: Any, x: np.ndarray, *args: Any, **kwargs: Any) -> str:
        answer = oracle(x, *args, **kwargs)
        turned = up_to_signs(value, answer)
        if turned is None:
            return wrong_shape(value, answer.shape)
        problem = difference(turned, answer)
        return f"{problem.sentence}, each column up to its sign" if problem else ""

    return judge


decorrelate = Exercise(
    "decorrelate",
    UNIT,
    points=3,
    parameters=("x", "train"),
    oracle=rotated,
    check_answer=judge_by(rotated),
    cases=(
        Case(
            "four samples on a slope, by hand",
            np.array([[4.0, 4.0], [-4.0, -4.0], [1.0, -1.0], [-1.0, 1.0]]),
            np.array([[4.0, 4.0], [-4.0, -4.0], [1.0, -1.0], [-1.0, 1.0]]),
        ),
        Case("three correlated features", mixed(12, 3), mixed(12, 3)),
        Case("new samples, the training set's axes", mixed(5, 3), mixed(12, 3)),
        Case("five features", mixed(20, 5), mixed(20, 5)),
        Case("one new sample", mixed(1, 4), mixed(15, 4)),
    ),
    random=random_data,
    hints=(
        "In which directions does the cloud of training samples lie? A matrix that you can compute from train knows: its covariance, "
        "(D, D).",
        "Centre train; the covariance is the centred train, transposed, times itself, over its number of rows. np.linalg.eigh gives its eigenvalues "
        "(rising!) and its eigenvectors, one in each *column*. Put the columns in falling order of eigenvalue, and multiply the centred "
        "x by that matrix.",
        "With `c = subtract_mean(train, train)` the covariance is `c.T @ c / len(c)`. eigh returns `values, vectors`; `vectors[:, ::-1]` has the largest "
        "first. The answer is subtract_mean(x, train) @ those.",
    ),
)


def rotation_idea(exercise: Exercise, name: str, hint: str):
    """Add a wrong idea whose answers are recognised whatever the signs of their columns."""

    def add(wrong: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        return exercise.misconception(name, hint, same_up_to_signs(wrong))(wrong)

    return add


@rotation_idea(
    decorrelate,
    "does-not-rotate",
    "You centre x, but do not rotate it (or rotate it and then back). Multiply the centred x by the matrix of eigenvectors, once.",
)
def _(x, train):
    return centred(x, train)


def _in_another_order(value: Any, x: np.ndarray, train: np.ndarray) -> bool:
    """Return whether each column is one of the right ones, up to its sign, but they stand in another order."""
    array, answer = array_of(value, np.shape(x)), rotated(x, train)
    if array is None or same_up_to_signs(rotated)(value, x, train):
        return False
    orders = itertools.permutations(range(answer.shape[1]))
    return any(same_up_to_signs(lambda *_, by=list(by): answer[:, by])(array) for by in orders)


@decorrelate.misconception(
    "puts-the-smallest-first",
    "The axes are right, but in another order. np.linalg.eigh returns them with rising variance, and np.linalg.eig in no order at all. Put the "
    "columns of the eigenvectors in falling order of their eigenvalues.",
    when=_in_another_order,
)
def _(x, train):
    return rotated(x, train)[:, ::-1]


@rotation_idea(
    decorrelate,
    "forgets-to-centre",
    "The axes are right, but x was rotated without subtracting the mean first.",
)
def _(x, train):
    return (tensor(x) @ axes_of(covariance(train))[1]).numpy()


@rotation_idea(
    decorrelate,
    "takes-the-covariance-about-zero",
    "Your covariance is `train.T @ train` without subtracting the mean first: its first axis then points at the mean, not along the cloud. "
    "Centre train before.",
)
def _(x, train):
    return (tensor(centred(x, train)) @ axes_of(covariance(train, about=0))[1]).numpy()


@rotation_idea(
    decorrelate,
    "never-centres",
    "You never subtract the mean, neither for the covariance nor from x. Centre both by the training set's mean.",
)
def _(x, train):
    return (tensor(x) @ axes_of(covariance(train, about=0))[1]).numpy()


@rotation_idea(
    decorrelate,
    "uses-its-own-mean",
    "The axes are right, but you subtract the mean of x. New samples are moved exactly as the training samples were: by the mean of `train`.",
)
def _(x, train):
    return (tensor(centred(x, x)) @ axes_of(covariance(train))[1]).numpy()


def on_axes_of_x(x: Any, train: Any, about: Any = None) -> np.ndarray:
    """Return x less the training set's mean, in the axes of its own covariance (about another mean)."""
    return (tensor(centred(x, train)) @ axes_of(covariance(x, about=about))[1]).numpy()


def around_train_s_mean(x: Any, train: Any) -> np.ndarray:
    """Return what on_axes_of_x does, with the covariance about the training set's mean."""
    return on_axes_of_x(x, train, tensor(train).mean(0))


def rotated_by_itself(x: Any, train: Any) -> np.ndarray:
    """Return x rotated by its own mean and axes."""
    return rotated(x, x)


@decorrelate.misconception(
    "uses-its-own-axes",
    "You take the axes from x. New samples are rotated exactly as the training samples were: mean and axes both come from `train`.",
    when=lambda value, x, train: (
        not same_up_to_signs(rotated)(value, x, train)
        and any(
            same_up_to_signs(wrong)(value, x, train)
            for wrong in (rotated_by_itself, on_axes_of_x, around_train_s_mean)
        )
    ),
)
def _(x, train):
    return rotated_by_itself(x, train)


@rotation_idea(
    decorrelate,
    "scales-too",
    "You divide by the spread of each column as well. That is whitening, the next exercise; here the cloud is only turned.",
)
def _(x, train):
    return whitened(x, train, 0)


@rotation_idea(
    decorrelate,
    "multiplies-by-the-eigenvalues",
    "You scale each column by its eigenvalue. Multiply by the eigenvectors alone: the cloud is turned and not stretched.",
)
def _(x, train):
    return (tensor(rotated(x, train)) * axes_of(covariance(train))[0]).numpy()


def _turned_wrongly(value: Any, x: np.ndarray, train: np.ndarray) -> bool:
    """Return whether each row has the length it should have, but points elsewhere."""
    array = array_of(value, np.shape(x))
    as_long = array is not None and close((array**2).sum(1), (centred(x, train) ** 2).sum(1))
    return as_long and not same_up_to_signs(rotated)(value, x, train)


@decorrelate.misconception(
    "multiplies-by-the-transpose",
    "You turned the cloud, but not into its own axes: the features are still correlated. The eigenvectors are the *columns* of what eigh returns "
    "(the rows of SVD's Vt), and each must meet the samples: `c @ vectors`, not `c @ vectors.T`.",
    when=_turned_wrongly,
)
def _(x, train):
    return (tensor(centred(x, train)) @ axes_of(covariance(train))[1].T.roll(1, 1)).numpy()


whiten = Exercise(
    "whiten",
    UNIT,
    points=3,
    parameters=("x", "train", "eps"),
    oracle=whitened,
    check_answer=judge_by(whitened),
    cases=(
        Case(
            "four samples on a slope, by hand",
            np.array([[4.0, 4.0], [-4.0, -4.0], [1.0, -1.0], [-1.0, 1.0]]),
            np.array([[4.0, 4.0], [-4.0, -4.0], [1.0, -1.0], [-1.0, 1.0]]),
            0.5,
        ),
        Case("three correlated features", mixed(12, 3), mixed(12, 3)),
        Case("new samples, by the training set", mixed(5, 3), mixed(12, 3), 0.01),
        Case("five features, a large eps", mixed(20, 5), mixed(20, 5), 2.0),
        Case("a feature that never changes", with_constant(mixed(9, 2)), with_constant(mixed(9, 2)), 0.1),
        Case("one new sample", mixed(1, 4), mixed(15, 4), 0.1),
    ),
    random=lambda rng: random_data(rng, float(rng.uniform(0.01, 1))),
    hints=(
        "decorrelate does the rotation. The spread along each new axis is what differs still, and you know it: what do the eigenvalues "
        "of the covariance say?",
        "The eigenvalues are the variances of the new columns. Divide each column by the square root of its variance plus eps, "
        "and make sure that columns and eigenvalues stand in the same order.",
        "The eigenvalues in falling order are `values[::-1]` of eigh (eigvalsh gives the values alone). Divide decorrelate(x, train) by "
        "the root of those plus eps.",
    ),
)


@rotation_idea(
    whiten,
    "does-not-scale",
    "The cloud is rotated, but not scaled: divide each column by the square root of its variance plus eps.",
)
def _(x, train, eps=1e-5):
    return rotated(x, train)


@rotation_idea(
    whiten,
    "divides-by-the-eigenvalues",
    "You divide by the eigenvalues. They are variances; the spread is their square root.",
)
def _(x, train, eps=1e-5):
    return (tensor(rotated(x, train)) / (axes_of(covariance(train))[0] + eps)).numpy()


@whiten.misconception(
    "forgets-eps",
    "Your answer does not depend on eps, or only where the variance is small. A direction without any spread has the variance 0, and eps keeps "
    "you from dividing by it: add it to every variance, under the root.",
    when=lambda value, x, train, eps=1e-5: any(
        same_up_to_signs(whitened)(value, x, train, other) for other in (0, 1e-5) if other != eps
    ),
)
def _(x, train, eps=1e-5):
    return whitened(x, train, 0)


@rotation_idea(
    whiten,
    "adds-eps-outside-the-root",
    "You add eps to the root. It belongs under the root, to the variance: `sqrt(variance + eps)`.",
)
def _(x, train, eps=1e-5):
    return (tensor(rotated(x, train)) / (axes_of(covariance(train))[0].clamp(min=0).sqrt() + eps)).numpy()


@rotation_idea(
    whiten,
    "rotates-back",
    "You rotate back to the pixels after scaling. That is ZCA whitening, and it is white too; here PCA whitening is asked for, which stays "
    "in the axes of the covariance.",
)
def _(x, train, eps=1e-5):
    return (tensor(whitened(x, train, eps)) @ axes_of(covariance(train))[1].T).numpy()


@rotation_idea(
    whiten,
    "does-not-rotate",
    "You divide each feature by its own spread, without rotating. The features are then of one size, but still correlated: "
    "decorrelate first.",
)
def _(x, train, eps=1e-5):
    return (tensor(centred(x, train)) / (covariance(train).diagonal() + eps).sqrt()).numpy()


@rotation_idea(
    whiten,
    "scales-without-rotating",
    "You divide the centred features by the roots of the eigenvalues, without rotating. The eigenvalues belong to the rotated columns: "
    "decorrelate first.",
)
def _(x, train, eps=1e-5):
    return (tensor(centred(x, train)) / (axes_of(covariance(train))[0].clamp(min=0) + eps).sqrt()).numpy()


@rotation_idea(
    whiten,
    "mixes-up-the-order",
    "The columns stand in falling order of variance, but the eigenvalues you divide by in rising order, as eigh returns them. Turn both "
    "around, or none and the result at the end.",
)
def _(x, train, eps=1e-5):
    return (
        tensor(rotated(x, train)) / (axes_of(covariance(train))[0].flip(0).clamp(min=0) + eps).sqrt()
    ).numpy()


@rotation_idea(
    whiten,
    "puts-the-smallest-first",
    "White, but in rising order of variance, as np.linalg.eigh returns the axes. Largest first is asked for, as in decorrelate.",
)
def _(x, train, eps=1e-5):
    return whitened(x, train, eps)[:, ::-1]


@rotation_idea(
    whiten,
    "uses-its-own-statistics",
    "You take mean, axes or spread from x. New samples are treated exactly as the training samples were: all comes from `train`.",
)
def _(x, train, eps=1e-5):
    return whitened(x, x, eps)


@rotation_idea(
    whiten,
    "takes-the-spread-of-x",
    "The axes are right, but you divide by the spread of the rotated x. New samples are treated exactly as the training samples were: the "
    "variances are the eigenvalues, from `train`.",
)
def _(x, train, eps=1e-5):
    columns = tensor(rotated(x, train))
    return (columns / (columns.var(0, correction=0) + eps).sqrt()).numpy()


@rotation_idea(
    whiten,
    "divides-by-n-minus-1",
    "Your variances divide by n - 1, as np.cov does by default. Here they divide by n (np.cov's bias=True).",
)
def _(x, train, eps=1e-5):
    values, _ = axes_of(covariance(train, divisor=len(train) - 1))
    return (tensor(rotated(x, train)) / (values.clamp(min=0) + eps).sqrt()).numpy()


@rotation_idea(
    whiten,
    "divides-by-n-nowhere",
    "You forgot to divide the covariance by the number of samples, so every column comes out too small.",
)
def _(x, train, eps=1e-5):
    values, _ = axes_of(covariance(train, divisor=1))
    return (tensor(rotated(x, train)) / (values.clamp(min=0) + eps).sqrt()).numpy()


@rotation_idea(
    whiten,
    "multiplies-in-place-of-dividing",
    "You multiply by the spread. Divide by it, so that all columns come out with a spread of 1.",
)
def _(x, train, eps=1e-5):
    return (tensor(rotated(x, train)) * (axes_of(covariance(train))[0].clamp(min=0) + eps).sqrt()).numpy()
