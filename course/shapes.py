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
    """Return one image for each label, (N, 3, SIZE, SIZE)."""
    n = len(labels)
    ground = rng.uniform(0.15, 0.85, (n, 3, 1, 1)).astype(np.float32)
    image = ground + texture(n, rng)
    for _ in range(5):  # clutter behind
        image = put(
            image, rng.integers(len(OUTLINES), size=n), rng.uniform(2, 4, n), other(ground, rng), 16, rng
        )
    image = put(image, labels, rng.uniform(7, 12, n), other(ground, rng), 5, rng)
    for _ in range(2):  # clutter in front
        image = put(image, np.zeros(n, int), rng.uniform(1, 2.5, n), other(ground, rng), 12, rng)
    x, y = grid()
    slope = rng.uniform(-0.25, 0.25, (2, n, 1, 1)).astype(np.float32)
    light = 1 + (slope[0] * x + slope[1] * y) / SIZE * 2
    image = image * light[:, None]
    image += rng.uniform(0.02, 0.08, (n, 1, 1, 1)).astype(np.float32) * rng.standard_normal(
        image.shape, np.float32
    )
    return np.clip(image, 0, 1)


def grid() -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels' distances from the middle, x and y, (SIZE, SIZE)."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32) - (SIZE - 1) / 2
    return x, y


def other(ground: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return for each image a colour that is at least a little away from its ground's."""
    step = rng.standard_normal(ground.shape)
    step *= rng.uniform(0.3, 0.6, (len(ground), 1, 1, 1)) / np.linalg.norm(step, axis=1, keepdims=True)
    step = np.where((ground + step > 1) | (ground + step < 0), -step, step)
    return (ground + step).astype(np.float32)


def texture(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return for each image stripes, checks or nothing much, (N, 3, SIZE, SIZE) around 0."""
    x, y = grid()
    angle, phase, phase2 = rng.uniform(0, 2 * np.pi, (3, n, 1, 1)).astype(np.float32)
    wave = rng.uniform(0.5, 2.0, (n, 1, 1)).astype(np.float32)
    checks = rng.random((n, 1, 1)) < 0.4
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    stripes = np.sin(wave * u + phase) * np.where(checks, np.sin(wave * v + phase2), 1)
    colour = rng.uniform(-0.15, 0.15, (n, 3, 1, 1)).astype(np.float32)
    return colour * stripes[:, None].astype(np.float32)


def put(
    image: np.ndarray,
    kinds: np.ndarray,
    radius: np.ndarray,
    colour: np.ndarray,
    reach: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the images with one shape more in each, turned, stretched, and at most ``reach`` pixels off the middle."""
    n = len(image)
    x, y = grid()
    x, y = (axis - rng.uniform(-reach, reach, (n, 1, 1)).astype(np.float32) for axis in (x, y))
    angle = rng.uniform(0, 2 * np.pi, (n, 1, 1)).astype(np.float32)
    stretch = rng.uniform(0.8, 1.25, (n, 1, 1)).astype(np.float32)
    scale = radius.astype(np.float32)[:, None, None]
    u = (x * np.cos(angle) + y * np.sin(angle)) / scale * stretch
    v = (y * np.cos(angle) - x * np.sin(angle)) / scale / stretch
    depth = np.empty_like(u)
    for kind in np.unique(kinds):
        chosen = kinds == kind
        depth[chosen] = OUTLINES[kind](u[chosen], v[chosen])
    cover = np.clip(depth * scale + 0.5, 0, 1)[:, None]  # half covered on the outline itself: no jagged edges
    return image * (1 - cover) + (colour + texture(n, rng)) * cover
