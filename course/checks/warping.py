"""Unit 05: turn, scale, shear and shift images by a matrix. The oracle is torch's grid_sample in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course.checks.compare import matches
from course.checks.exercise import Case, Exercise, integers, normal
from course.checks.oracle import tensor

UNIT = "05-dropout-and-data"

IDENTITY = np.array([[1.0, 0, 0], [0, 1, 0]])
TWO_BY_THREE = np.array([[[[1.0, 2, 3], [4, 5, 6]]]])


def places(size: tuple[int, int]) -> torch.Tensor:
    """Return row and column of every pixel, (H, W, 2)."""
    rows, columns = (torch.arange(n, dtype=torch.float64) for n in size)
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1)


def sources(size: tuple[int, int], matrix: Any) -> torch.Tensor:
    """Return from which (row, column) each output pixel comes, (H, W, 2): the matrix, made square, inverted."""
    square = torch.vstack([tensor(matrix), torch.tensor([[0.0, 0, 1]])])
    inverse = torch.linalg.inv(square)[:2]
    return places(size) @ inverse[:, :2].T + inverse[:, 2]


def sample(x: Any, source: torch.Tensor, outside: str = "zeros") -> np.ndarray:
    """Return the pixels of x nearest to the sources, by torch."""
    x = tensor(x)
    size = torch.tensor(x.shape[2:], dtype=torch.float64)
    grid = (
        ((2 * source + 1) / size - 1).flip(-1).expand(len(x), -1, -1, -1)
    )  # grid_sample wants x, y from -1 to 1
    return F.grid_sample(x, grid, mode="nearest", padding_mode=outside, align_corners=False).numpy()


def warped(x: Any, matrix: Any) -> np.ndarray:
    """Return each image moved by the matrix, by torch."""
    return sample(x, sources(np.shape(x)[2:], matrix))


def about_the_middle(linear: Any, size: tuple[int, int], shift: Any = (0.0, 0.0)) -> np.ndarray:
    """Return the matrix (2, 3) that applies ``linear`` about the middle of an image and then shifts it."""
    middle = (np.array(size) - 1) / 2
    linear = np.asarray(linear, dtype=float)
    return np.column_stack([linear, middle - linear @ middle + shift])


def turn(degrees: float, scale: float = 1.0) -> np.ndarray:
    """Return the 2 x 2 matrix of a rotation in rows and columns, with a scale."""
    a = np.deg2rad(degrees)
    return scale * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])


def _random_warp(rng: np.random.Generator) -> Case:
    x = rng.standard_normal((*rng.integers(1, 3, 2), *rng.integers(4, 9, 2)))
    linear = turn(float(rng.uniform(-180, 180)), float(rng.uniform(0.6, 1.6))) + rng.uniform(
        -0.2, 0.2, (2, 2)
    )
    return Case("random", x, about_the_middle(linear, x.shape[2:], rng.uniform(-1, 1, 2)))


affine_warp = Exercise(
    "affine_warp",
    UNIT,
    points=5,
    parameters=("x", "matrix"),
    oracle=warped,
    cases=(
        Case(
            "one row down, by hand",
            TWO_BY_THREE,
            np.array([[1.0, 0, 1], [0, 1, 0]]),
            answer=[[[[0, 0, 0], [1, 2, 3]]]],
        ),
        Case(
            "two columns to the left, by hand",
            TWO_BY_THREE,
            np.array([[1.0, 0, 0], [0, 1, -2]]),
            answer=[[[[3, 0, 0], [6, 0, 0]]]],
        ),
        Case("nothing moves", normal(1, 1, 3, 4), IDENTITY, weight=0.5),
        Case("three times as large", normal(1, 1, 5, 7), np.array([[3.0, 0, 0], [0, 3, 0]])),
        Case("turned by 28 degrees about the middle", normal(1, 1, 7, 9), about_the_middle(turn(28), (7, 9))),
        Case("sheared and shifted", normal(1, 1, 6, 8), np.array([[1.0, 0.4, -0.3], [0, 1, 1.2]])),
        Case("half as large, a high image", normal(1, 1, 9, 5), about_the_middle(turn(0, 0.55), (9, 5))),
        Case("two images of three channels", normal(2, 3, 6, 5), about_the_middle(turn(-70, 1.3), (6, 5))),
        Case(
            "whole-number pixels", integers(2, 1, 5, 5), about_the_middle(turn(20, 0.8), (5, 5), (0.3, -0.4))
        ),
    ),
    random=_random_warp,
    hints=(
        "Do not ask where an input pixel goes; some output pixels would be hit twice and some never. Ask, for every output pixel, where it "
        "came from. What undoes `A @ p + t`?",
        "Make the row and the column of every output pixel (np.indices). Take t away, multiply by the inverse of A, round to whole numbers. Some "
        "of these sources lie outside: only those inside are copied, into an array of zeros.",
        "`rows, cols = np.indices((H, W))`. The sources are np.linalg.inv(A) @ (the two, flattened and stacked to (2, H * W), less `matrix[:, 2:]`), "
        "through np.rint and astype(int). A mask says which are >= 0 and < H, W; with it, `x[:, :, r[inside], c[inside]]` goes to the "
        "same flat places of the output.",
    ),
)


def _without_inverse(x: Any, matrix: Any) -> torch.Tensor:
    matrix = tensor(matrix)
    return places(np.shape(x)[2:]) @ matrix[:, :2].T + matrix[:, 2]


@affine_warp.misconception(
    "forgets-the-inverse",
    "Your images move the wrong way: you read each output pixel at `A @ p + t`. The matrix says where a pixel *goes*; to find where an output pixel "
    "came from, undo it: take t away, then multiply by the inverse of A.",
)
def _(x, matrix):
    return sample(x, _without_inverse(x, matrix))


@affine_warp.misconception(
    "swaps-rows-and-columns",
    "You use the matrix on (column, row), that is (x, y), as OpenCV and PIL do. Here it acts on (row, column): its first line and first "
    "column belong to rows.",
)
def _(x, matrix):
    return warped(x, np.asarray(matrix)[::-1][:, [1, 0, 2]])


@affine_warp.misconception(
    "adds-the-shift-after-the-inverse",
    "You invert A and then shift by t in its own direction. To undo `A @ p + t`, take t away first, then multiply by the inverse.",
)
def _(x, matrix):
    inverse = torch.linalg.inv(tensor(matrix)[:, :2])
    return sample(x, places(np.shape(x)[2:]) @ inverse.T + tensor(matrix)[:, 2])


@affine_warp.misconception(
    "subtracts-the-shift-after-the-inverse",
    "You multiply by the inverse of A and then take t away. In the other order: t came last, so it goes first.",
)
def _(x, matrix):
    inverse = torch.linalg.inv(tensor(matrix)[:, :2])
    return sample(x, places(np.shape(x)[2:]) @ inverse.T - tensor(matrix)[:, 2])


@affine_warp.misconception(
    "forgets-the-shift", "You use the 2 x 2 part of the matrix only. Its third column is the shift t."
)
def _(x, matrix):
    return warped(x, np.asarray(matrix) * [1, 1, 0])


@affine_warp.misconception(
    "uses-the-shift-only", "You shift the image, but the 2 x 2 part of the matrix, A, does nothing."
)
def _(x, matrix):
    return warped(x, np.column_stack([np.eye(2), np.asarray(matrix)[:, 2]]))


@affine_warp.misconception(
    "transposes-the-matrix",
    "You multiply from the wrong side, which is the same as transposing A (or its inverse): turns go the wrong way round. It is `inverse @ p` for columns "
    "p of shape (2, ...), and `p @ inverse.T` for rows.",
)
def _(x, matrix):
    matrix = np.asarray(matrix)
    return warped(x, np.column_stack([matrix[:, :2].T, matrix[:, 2]]))


@affine_warp.misconception(
    "rounds-down",
    "You cut off the fraction of the source places (int, astype or //). The nearest pixel is asked for: round first (np.rint).",
)
def _(x, matrix):
    return sample(x, (sources(np.shape(x)[2:], matrix) + 1e-9).floor())


@affine_warp.misconception(
    "cuts-fractions-off",
    "You cut off the fraction of the source places with astype(int), which moves negative ones up, into the image. The nearest pixel is "
    "asked for: round first (np.rint).",
)
def _(x, matrix):
    return sample(x, sources(np.shape(x)[2:], matrix).trunc())


def wrapped(x: Any, matrix: Any, only_below: bool = False) -> np.ndarray:
    """Return the answer of places that go round at both ends, or at 0 only, as negative indices do."""
    size = torch.tensor(np.shape(x)[2:], dtype=torch.float64)
    source = sources(np.shape(x)[2:], matrix).round()
    rounds = (source < 0) & (source >= -size) if only_below else torch.ones_like(source, dtype=torch.bool)
    return sample(x, torch.where(rounds, source % size, source))


@affine_warp.misconception(
    "wraps-around",
    "Pixels from outside show the opposite side of the image: negative indices count from the end, and % wraps around. What lies outside is 0.",
    when=lambda value, x, matrix: any(matches(value, wrapped(x, matrix, below)) for below in (False, True)),
)
def _(x, matrix):
    return wrapped(x, matrix)


@affine_warp.misconception(
    "repeats-the-edge",
    "Pixels from outside show the nearest edge (np.clip on the places does that). What lies outside is 0.",
)
def _(x, matrix):
    return sample(x, sources(np.shape(x)[2:], matrix), "border")


@affine_warp.misconception(
    "leaves-holes",
    "You send every input pixel to where it goes. Where the image grows or turns, some output pixels are hit by none and stay 0. Go over the "
    "output pixels, and fetch each from where it came from.",
)
def _(x, matrix):
    x = tensor(x)
    goals = _without_inverse(x, matrix).round().long().reshape(-1, 2)
    (height, width), out = x.shape[2:], torch.zeros_like(x)
    for (row, column), value in zip(goals.tolist(), x.flatten(2).permute(2, 0, 1), strict=True):
        if 0 <= row < height and 0 <= column < width:
            out[:, :, row, column] = value
    return out.numpy()


@affine_warp.misconception(
    "tests-before-rounding",
    "You throw away sources whose nearest pixel is inside. Round first, then test whether the whole numbers are inside: rows against H, "
    "columns against W.",
)
def _(x, matrix):
    height, width = np.shape(x)[2:]
    source = sources((height, width), matrix)
    inside = (source > -1e-9).all(-1) & (source < torch.tensor([height - 1 + 1e-9, width - 1 + 1e-9])).all(-1)
    return sample(x, source) * inside.numpy()


def without_ends(x: Any, matrix: Any, first: int = 0, last: int = 1) -> np.ndarray:
    """Return the answer that takes so many first and last rows and columns for outside."""
    x = tensor(x)
    rows, columns = (slice(first, n - last) for n in x.shape[2:])
    cut = torch.zeros_like(x)
    cut[:, :, rows, columns] = x[:, :, rows, columns]
    return warped(cut, matrix)


@affine_warp.misconception(
    "loses-the-last-row-and-column",
    "The first or the last row and column of x never show: your test for what is inside is off by one. Rows from 0 to H - 1 are inside, both "
    "included, and columns from 0 to W - 1.",
    when=lambda value, x, matrix: any(
        matches(value, without_ends(x, matrix, *ends)) for ends in ((0, 1), (1, 0), (1, 1))
    ),
)
def _(x, matrix):
    return without_ends(x, matrix)


@affine_warp.misconception(
    "keeps-the-old-image-outside",
    "Where nothing comes from, your output still shows the old image. Start from zeros, not from a copy of x.",
)
def _(x, matrix):
    lit = warped(np.ones_like(x, dtype=float), matrix)
    return np.where(lit > 0, warped(x, matrix), x)
