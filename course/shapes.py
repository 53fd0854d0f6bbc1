"""Ten kinds of shape in small colour images, drawn from random numbers: a set to train on that needs no network.

What a class is, is only its outline: colour, texture, place, size, turn, lighting and clutter are drawn from the same
distributions for all ten, so a net has to find the outline.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

SIZE = 32
CHUNK = (
    500  # images drawn at a time: a shorter set is the beginning of a longer one, and the memory stays small
)
Plane = np.ndarray  # (N, SIZE, SIZE) float32


def disc(u: Plane, v: Plane) -> Plane:
    """Return how deep a place (u, v) lies inside the outline of radius about 1; negative outside. So do the others."""
    return 0.9 - np.hypot(u, v)


def square(u: Plane, v: Plane) -> Plane:
    """Return the depth inside a square."""
    return 0.8 - np.maximum(abs(u), abs(v))


def triangle(u: Plane, v: Plane) -> Plane:
    """Return the depth inside an equilateral triangle."""
    return 0.55 - np.maximum(v, 0.866 * abs(u) - 0.5 * v)


def star(u: Plane, v: Plane) -> Plane:
    """Return the depth inside a star of five points."""
    radius, angle = np.hypot(u, v), np.arctan2(v, u)
    fold = abs((angle / (0.4 * np.pi)) % 1 - 0.5) * 0.4 * np.pi  # 0 in a notch, 36 degrees at a point
    notch, point = np.array([0.45, 0.0]), 1.1 * np.array([np.cos(0.2 * np.pi), np.sin(0.2 * np.pi)])
    along = (point - notch) / np.hypot(*(point - notch))
    x, y = radius * np.cos(fold) - notch[0], radius * np.sin(fold)
    return y * along[0] - x * along[1]


def cross(u: Plane, v: Plane) -> Plane:
    """Return the depth inside a plus sign."""
    long, short = np.maximum(abs(u), abs(v)), np.minimum(abs(u), abs(v))
    return np.minimum(0.95 - long, 0.32 - short)


def ring(u: Plane, v: Plane) -> Plane:
    """Return the depth inside a ring."""
    return 0.22 - abs(np.hypot(u, v) - 0.72)


def crescent(u: Plane, v: Plane) -> Plane:
    """Return the depth inside a crescent."""
    return np.minimum(1 - np.hypot(u + 0.25, v), np.hypot(u - 0.3, v) - 0.8)


def heart(u: Plane, v: Plane) -> Plane:
    """Return the depth inside a heart: a square on its corner and two discs."""
    a, b = (u + v + 0.25) * 0.7071, (v - u + 0.25) * 0.7071
    lobes = np.maximum(0.5 - np.hypot(a, b + 0.5), 0.5 - np.hypot(a + 0.5, b))
    return np.maximum(0.5 - np.maximum(abs(a), abs(b)), lobes)


def arrow(u: Plane, v: Plane) -> Plane:
    """Return the depth inside an arrow."""
    head = np.minimum(v + 0.1, (0.95 - v - 1.2 * abs(u)) * 0.64)
    return np.maximum(head, np.minimum(0.25 - abs(u), 0.5 - abs(v + 0.45)))


def corner(u: Plane, v: Plane) -> Plane:
    """Return the depth inside an L of two equal arms."""
    return np.minimum(0.8 - np.maximum(abs(u), abs(v)), np.maximum(-0.25 - u, -0.25 - v))


OUTLINES: tuple[Callable[[Plane, Plane], Plane], ...] = (
    *(disc, square, triangle, star, cross),
    *(ring, crescent, heart, arrow, corner),
)
NAMES = tuple(outline.__name__ for outline in OUTLINES)


def shapes(train: int = 5000, test: int = 1000) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return colour images of ten kinds of shape: train_x, train_y, test_x, test_y, the same ones at every call.

    Images are (N, 3, 32, 32) float32 from 0 to 1, labels (N,) whole numbers that course.shapes.NAMES names. A set of fewer
    images is the beginning of the larger one; the test images are the same whatever ``train`` is.

    >>> train_x, train_y, test_x, test_y = shapes(1000, 200)
    >>> train_x.shape, test_y.shape
    ((1000, 3, 32, 32), (200,))

    Raises ValueError for a count below 1.
    """
    if min(train, test) < 1:
        raise ValueError(f"shapes() draws at least one image of each, not {train} and {test}")
    sets = [[chunk(part, place) for place in range(-(-n // CHUNK))] for part, n in enumerate((train, test))]
    joined = [np.concatenate([piece[i] for piece in pieces]) for pieces in sets for i in (0, 1)]
    return joined[0][:train], joined[1][:train], joined[2][:test], joined[3][:test]


@lru_cache(maxsize=24)
def chunk(part: int, place: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the images and labels of one piece of the training (0) or the test set (1)."""
    rng = np.random.default_rng([2012, part, place])
    labels = rng.permutation(np.arange(CHUNK) % len(OUTLINES))
    return draw(labels, rng), labels


def draw(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return one image for each label, (N, 3, SIZE, SIZE); some are easy, some hard, and all degrees between are as likely."""
    n = len(labels)
    hard = rng.random(n, np.float32)  # 0: large, upright, plain; 1: small, turned, pale, noisy, among clutter
    ground = rng.uniform(0.15, 0.85, (n, 3)).astype(np.float32)
    image = ground[:, :, None, None] + texture(hard, rng)
    for _ in range(4):
        strew(image, ground, hard, rng.uniform(2, 4, n), 16, rng)
    colour = other(ground, hard, rng)[:, :, None, None] + texture(hard, rng)
    put(image, labels, 12 - 5 * hard * rng.random(n), colour, 1 + 4 * hard, 0.1 + 1.2 * hard, rng)
    for _ in range(2):
        strew(image, ground, hard, rng.uniform(1, 2.5, n), 12, rng)
    (x, y), slope = grid(), planes(rng.uniform(-0.5, 0.5, (2, n)) * hard / SIZE)
    image *= (1 + slope[0] * x + slope[1] * y)[:, None]  # light from one side
    image += planes(0.01 + 0.07 * hard)[:, None] * rng.standard_normal(image.shape, np.float32)
    return np.clip(image, 0, 1, out=image)


def planes(values: np.ndarray) -> np.ndarray:
    """Return one number for each image as float32, with two axes more, to go with whole planes of pixels."""
    return values.astype(np.float32)[..., None, None]


def grid() -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels' distances from the middle, x and y, (SIZE, SIZE)."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32) - (SIZE - 1) / 2
    return x, y


def other(ground: np.ndarray, hard: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return for each image a colour that differs from its ground's, (N, 3), less so in a hard image."""
    step = rng.standard_normal(ground.shape, np.float32)
    step *= ((0.95 - 0.6 * hard) / np.linalg.norm(step, axis=1))[:, None]
    one, two = np.clip(ground + step, 0, 1), np.clip(ground - step, 0, 1)
    further = abs(one - ground).sum(axis=1) > abs(two - ground).sum(axis=1)
    return np.where(further[:, None], one, two)


def texture(hard: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return for each image stripes or checks, (N, 3, SIZE, SIZE) around 0, stronger in a hard image."""
    (x, y), n = grid(), len(hard)
    angle, phase, phase2 = planes(rng.uniform(0, 2 * np.pi, (3, n)))
    wave, checks = planes(rng.uniform(0.5, 2, n)), planes(rng.random(n)) < 0.4
    across, along = wave * np.cos(angle), wave * np.sin(angle)
    stripes = np.sin(across * x + along * y + phase)
    stripes *= np.where(checks, np.sin(across * y - along * x + phase2), 1)
    return planes(rng.uniform(-1, 1, (n, 3)) * (0.02 + 0.13 * hard)[:, None]) * stripes[:, None]


def strew(
    image: np.ndarray,
    ground: np.ndarray,
    hard: np.ndarray,
    radius: np.ndarray,
    reach: float,
    rng: np.random.Generator,
) -> None:
    """Put a little shape of any kind into some of the images, in place: into a hard image more likely."""
    chosen = np.flatnonzero(rng.random(len(image)) < hard)
    part, n = image[chosen], len(chosen)
    colour = other(ground[chosen], hard[chosen], rng)[:, :, None, None]
    kinds = rng.integers(len(OUTLINES), size=n)
    put(part, kinds, radius[chosen], colour, np.full(n, reach), np.full(n, np.pi), rng)
    image[chosen] = part


def put(
    image: np.ndarray,
    kinds: np.ndarray,
    radius: np.ndarray,
    colour: np.ndarray,
    reach: np.ndarray,
    turn: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Put a shape into each of the images, in place: at most ``reach`` pixels off the middle, turned by at most ``turn``."""
    x, y = (axis - planes(rng.uniform(-reach, reach)) for axis in grid())
    angle, stretch, scale = (
        planes(rng.uniform(-turn, turn)),
        planes(rng.uniform(0.8, 1.25, len(image))),
        planes(radius),
    )
    u = (x * np.cos(angle) + y * np.sin(angle)) * (stretch / scale)
    v = (y * np.cos(angle) - x * np.sin(angle)) / (stretch * scale)
    depth = np.empty_like(u)
    for kind in np.unique(kinds):
        chosen = kinds == kind
        depth[chosen] = OUTLINES[kind](u[chosen], v[chosen])
    cover = np.clip(depth * scale + 0.5, 0, 1)[:, None]  # half covered on the outline itself: no jagged edges
    image += (colour - image) * cover
