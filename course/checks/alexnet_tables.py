"""Unit 09: tables of AlexNet's kind, and what they mean, as functions of numbered tensors.

A row is a name and numbers: ("CONV1", filters, kernel_size, stride, padding, groups), ("MAXPOOL1", kernel_size, stride),
("NORM1",), ("FC6", units). ``idea`` puts one wrong idea into a computation; the names are those of the misconceptions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from course.checks.alexnet_drivers import ALEXNET as ALEXNET
from course.checks.functional import Tape

Row = Sequence[Any]
Table = Sequence[Row]

UNIT = "09-alexnet"

GROUPED = ("CONV2", "CONV4", "CONV5")  # what each GPU of the paper computed from its own maps alone
TWO_GPU: Table = [(*row[:5], 2) if row[0] in GROUPED else row for row in ALEXNET]


def kind(row: Row) -> str:
    """Return a row's kind.

    >>> kind(("MAXPOOL1", 3, 2))
    'MAXPOOL'
    """
    return row[0].rstrip("0123456789")


def stage(tape: Tape, x: Tensor, row: Row, idea: str = "") -> Tensor:
    """Return what the layers of one row make of x; dropout is not in it."""
    numbers = row[1:]
    if kind(row) == "CONV":
        return conv(tape, x, numbers, idea)
    if kind(row) == "MAXPOOL":
        return pool(x, numbers, idea)
    if kind(row) == "NORM":
        return norm(x, idea)
    return connected(tape, x, numbers[0], row[0] == "FC8", idea)


def conv(tape: Tape, x: Tensor, given: Row, idea: str = "") -> Tensor:
    """Return a convolution and a ReLU."""
    filters, size, stride, padding, groups = given
    groups = 1 if idea == "ignores-the-groups" else groups
    if idea == "swaps-stride-and-padding":
        stride, padding = padding, stride
    dilation = 1
    if idea == "groups-for-dilation":
        groups, dilation = 1, groups
    padding = 0 if idea == "forgets-the-padding" else padding
    stride = 1 if idea == "forgets-the-stride" else stride
    w = tape.parameter(filters, x.shape[1] // groups, size, size)
    b = None if idea == "leaves-the-biases-out" else tape.parameter(filters)
    if idea == "rounds-up":
        more = -(x.shape[2] + 2 * padding - size) % stride
        x = F.pad(x, (0, more, 0, more))
    out = F.conv2d(x, w, b, stride, padding, dilation, groups)
    return out if idea in ("forgets-the-relu", "relu-of-the-linear-layers-only") else F.relu(out)


def pool(x: Tensor, given: Row, idea: str = "") -> Tensor:
    """Return the maxima of windows."""
    size, stride = given
    if idea == "halves-in-the-pooling":
        return F.max_pool2d(x, stride)
    if idea == "pools-without-overlap":
        stride = size
    if idea == "averages":
        return F.avg_pool2d(x, size, stride)
    return F.max_pool2d(x, size, stride, ceil_mode=idea == "rounds-up")


def norm(x: Tensor, idea: str = "") -> Tensor:
    """Return local response normalisation."""
    if idea == "leaves-the-norms-out" or x.device.type == "meta":
        return x
    return F.local_response_norm(x, 5, 1e-4, 0.75, 1.0 if idea == "torchs-own-k" else 2.0)


def connected(tape: Tape, x: Tensor, units: int, is_last: bool, idea: str = "") -> Tensor:
    """Return a linear layer of all values of x, and a ReLU unless it gives the scores."""
    rows = (
        x.permute(0, 2, 3, 1).flatten(1)
        if idea == "flattens-channels-last" and x.dim() == 4
        else x.flatten(1)
    )
    w = tape.parameter(units, rows.shape[1])
    b = None if idea == "leaves-the-biases-out" else tape.parameter(units)
    out = F.linear(rows, w, b)
    if is_last and idea == "ends-in-a-softmax":
        return out.softmax(1)
    silent = is_last and idea != "relu-on-the-scores"
    return out if silent or idea in ("forgets-the-relu", "relu-of-the-convolutions-only") else F.relu(out)


def net(tape: Tape, x: Tensor, num_classes: int = 1000, layers: Table = ALEXNET, idea: str = "") -> Tensor:
    """Return the scores that a table's net gives x."""
    last = layers[-1] if idea == "ignores-num-classes" else (layers[-1][0], num_classes)
    for row in [*layers[:-1], last]:
        x = stage(tape, x, row, idea)
    return x
