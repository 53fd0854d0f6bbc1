"""Unit 04: wrong ideas of batch_norm2d about which numbers of the feature maps belong together.

A misconception is the oracle with one wrong idea put into it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course.checks.batch_norm import (
    Arrays,
    along,
    batch_norm2d,
    batch_var,
    spread,
    torch_batch_norm,
    values_per_channel,
)
from course.checks.compare import matches
from course.checks.exercise import Refusal, runs_into
from course.checks.oracle import tensor


def refuse_where_it_breaks(x: Any, axes: tuple[int, ...]) -> None:
    """Raise what NumPy raises where a mean over these axes does not meet running statistics of shape (C,)."""
    left = [length for axis, length in enumerate(np.shape(x)) if axis not in axes]
    try:
        np.broadcast_shapes(left, (np.shape(x)[1],))
    except ValueError:
        raise runs_into("ValueError", words="broadcast") from None


def spatial_idea(name: str, hint: str, over: tuple[int, ...] = (0, 2, 3)) -> Callable[[Callable], Callable]:
    """Add a function for the wrong output to batch_norm2d's bank: it shows in the output, whatever the statistics are.

    ``over`` are the axes of a mean that may not have the shape of the running one.
    """

    def add(wrong_out: Callable) -> Callable:
        def bent(x, gamma, beta, running_mean, running_var, training, *args, **kwargs):
            right = torch_batch_norm(x, gamma, beta, running_mean, running_var, training, *args, **kwargs)
            eps = kwargs.get("eps", 1e-5)
            out = wrong_out(tensor(x), gamma, beta, eps) if training else right[0]
            return np.asarray(out), *right[1:]

        def wrong(x, gamma, beta, running_mean, running_var, training, *args, **kwargs):
            if training:
                refuse_where_it_breaks(x, over)
            return bent(x, gamma, beta, running_mean, running_var, training, *args, **kwargs)

        def when(value, *args, **kwargs):
            answer = bent(*args, **kwargs)
            right = torch_batch_norm(*args, **kwargs)
            return (
                isinstance(value, list | tuple)
                and bool(value)
                and matches(value[0], answer[0])
                and not matches(answer[0], right[0])
            )

        batch_norm2d.misconception(name, hint, when)(wrong)
        return wrong_out

    return add


def _affine(hat: torch.Tensor, gamma: Any, beta: Any) -> torch.Tensor:
    return hat * tensor(gamma).reshape(-1, 1, 1) + tensor(beta).reshape(-1, 1, 1)


def _normalized(rows: torch.Tensor, eps: float) -> torch.Tensor:
    if rows.shape[0] == 1:  # one value a column: torch refuses, the arithmetic gives 0
        return torch.zeros_like(rows)
    return F.batch_norm(rows, None, None, training=True, eps=eps)


def _normalized_over(x: torch.Tensor, axes: tuple[int, ...], eps: float) -> torch.Tensor:
    order = [*axes, *(axis for axis in range(x.ndim) if axis not in axes)]
    moved = x.permute(order)
    count = int(np.prod(moved.shape[: len(axes)]))
    return _normalized(moved.reshape(count, -1), eps).reshape(moved.shape).permute(*np.argsort(order))


@spatial_idea(
    "statistics-per-pixel",
    "You average over the images only, so every pixel has a mean of its own. All the pixels of a channel share one mean and one "
    "variance: average over the axes (0, 2, 3).",
    over=(0,),
)
def _(x, gamma, beta, eps):
    return _affine(_normalized(x.flatten(1), eps).reshape(x.shape), gamma, beta)


@spatial_idea(
    "statistics-per-image",
    "You average within each image, so every image has a mean of its own (that is instance norm). The batch takes part as well: "
    "average over the axes (0, 2, 3).",
)
def _(x, gamma, beta, eps):
    if x[0, 0].numel() == 1:
        return _affine(torch.zeros_like(x), gamma, beta)
    return _affine(F.instance_norm(x, eps=eps), gamma, beta)


@spatial_idea(
    "all-channels-of-an-image",
    "You average over the channels within each image (that is layer norm). Every channel has its own mean, and all the images share it: "
    "average over the axes (0, 2, 3).",
)
def _(x, gamma, beta, eps):
    return _affine(_normalized_over(x, (1, 2, 3), eps), gamma, beta)


@spatial_idea(
    "averages-the-variances",
    "You take the variance within each image and average those. That leaves out how far the images' means lie from each other: take one "
    "variance over the axes (0, 2, 3), around one mean.",
)
def _(x, gamma, beta, eps):
    within = x.var((2, 3), correction=0).mean(0)
    gamma = tensor(gamma) * tensor(spread(x, eps)).reshape(-1) / (within + eps).sqrt()
    return _affine(F.batch_norm(x, None, None, training=True, eps=eps), gamma, beta)


def over_other_axes(value, x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    """Return whether an output is that of means over axes which are neither the right ones nor those of an idea above."""
    if not training or not isinstance(value, list | tuple) or not value:
        return False
    axes = [(0, 1, 2), (0, 1, 3), (0, 1), (0, 2), (0, 3)]
    outs = [_affine(_normalized_over(tensor(x), a, eps), gamma, beta).numpy() for a in axes]
    return any(matches(value[0], out) for out in outs)


@batch_norm2d.misconception(
    "averages-over-other-axes",
    "Your mean and variance run over other axes than the images, rows and columns: average over (0, 2, 3), which leaves one number for each "
    "channel, axis 1.",
    when=over_other_axes,
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    out, mean, var = torch_batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)
    if training:
        refuse_where_it_breaks(x, (0, 1, 2))
        out = _affine(_normalized_over(tensor(x), (0, 1, 2), eps), gamma, beta).numpy()
    return out, mean, var


@spatial_idea(
    "one-mean-for-all-channels",
    "You take one mean over the whole array. Every channel has its own, since every channel is the answer to another question: "
    "average over the axes (0, 2, 3), not over 1.",
)
def _(x, gamma, beta, eps):
    return _affine(_normalized(x.reshape(-1, 1), eps).reshape(x.shape), gamma, beta)


@spatial_idea(
    "reshapes-without-transposing",
    "`x.reshape(-1, C)` cuts the array into pieces of C neighbouring pixels; they are not the C channels of one pixel. Bring the channels "
    "last with transpose before you reshape.",
)
def _(x, gamma, beta, eps):
    rows = _normalized(x.reshape(-1, x.shape[1]), eps) * tensor(gamma) + tensor(beta)
    return rows.reshape(x.shape)


@spatial_idea(
    "reshapes-back-without-transposing",
    "The numbers are right but in the wrong places: on the way back, rows of C numbers become (N, H, W, C) by reshape, and only a "
    "transpose makes (N, C, H, W) of that.",
)
def _(x, gamma, beta, eps):
    right = _affine(F.batch_norm(x, None, None, training=True, eps=eps), gamma, beta)
    return right.permute(0, 2, 3, 1).reshape(x.shape)


@batch_norm2d.misconception(
    "gamma-along-the-columns",
    "gamma and beta of shape (C,) meet the last axis, the columns, when they are multiplied with x: NumPy pairs shapes from the right. "
    "Give them the shape (1, C, 1, 1) first.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    width = np.shape(x)[3]
    if len(gamma) not in (1, width):
        raise Refusal("the shapes do not broadcast")
    ones, zeros = np.ones_like(gamma), np.zeros_like(beta)
    hat, mean, var = torch_batch_norm(x, ones, zeros, running_mean, running_var, training, momentum, eps)
    return hat * np.asarray(gamma) + np.asarray(beta), mean, var


def mean_along_columns(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5) -> Arrays:
    """Return what comes of means and variances of shape (C,) that meet the columns; gamma and beta meet the channels."""
    width, flat = np.shape(x)[3], np.ones_like(gamma)
    if len(gamma) not in (1, width):
        raise Refusal("the shapes do not broadcast")
    _, *running = torch_batch_norm(x, flat, flat, running_mean, running_var, training, momentum, eps)
    used = running_mean, running_var
    if training:
        _, mean, var = torch_batch_norm(x, flat, flat, flat, flat, True, 1.0, eps)
        used = mean, var * (1 - 1 / values_per_channel(x))
    wide_mean, wide_var = (np.broadcast_to(a, width) for a in used)
    turned = np.swapaxes(x, 1, 3)
    out, *_ = torch_batch_norm(turned, np.ones(width), np.zeros(width), wide_mean, wide_var, False, eps=eps)
    hat = out.swapaxes(1, 3)
    return along(gamma, x) * hat + along(beta, x), running[0], running[1]


def all_along_columns(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5) -> Arrays:
    """Return what comes of it where gamma and beta meet the columns too."""
    ones, zeros = np.ones_like(gamma), np.zeros_like(beta)
    hat, *running = mean_along_columns(x, ones, zeros, running_mean, running_var, training, momentum, eps)
    return hat * np.asarray(gamma) + np.asarray(beta), running[0], running[1]


def is_along_columns(value, *args, **kwargs):
    """Return whether an answer is one of the two."""
    return any(matches(value, idea(*args, **kwargs)) for idea in (mean_along_columns, all_along_columns))


@batch_norm2d.misconception(
    "mean-along-the-columns",
    "A mean of shape (C,) meets the last axis, the columns, when it is subtracted from x: NumPy pairs shapes from the right. Average with "
    "keepdims=True, or give mean, variance, gamma and beta the shape (1, C, 1, 1).",
    when=is_along_columns,
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    return all_along_columns(x, gamma, beta, running_mean, running_var, training, momentum, eps)


@batch_norm2d.misconception(
    "counts-images-only",
    "Your running variance divides by N - 1, as if the mean had been taken over N numbers. It was taken over N · H · W of them: "
    "divide by N · H · W - 1.",
)
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    out, mean, var = torch_batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)
    if not training:
        return out, mean, var
    count, images = values_per_channel(x), np.float64(len(x))
    with np.errstate(divide="ignore"):
        factor = (1 - 1 / count) * images / (images - 1)
    return out, mean, var + momentum * batch_var(x) * (factor - 1)
