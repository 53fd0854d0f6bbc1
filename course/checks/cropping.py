"""Unit 05: random crops, judged by what must hold whatever was drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course.checks.chance import (
    add_ideas_about_the_generator,
    array_of,
    close,
    is_share,
    repeatable,
    shows,
    wrong_shape,
)
from course.checks.exercise import Case, Exercise, normal
from course.checks.flipping import ENOUGH, UNIT, equal_images
from course.checks.oracle import padded, tensor
from course.checks.recipe import through

# ---------------------------------------------------------------------------------------------------- random_crop


def crop(x: Any, padding: int, rows: Any, columns: Any, mode: str = "constant", border: int | None = None):
    """Return for each image the part of it, padded, that starts at its row and column; by torch."""
    room = torch.as_tensor(padded(x, *(padding if border is None else border,) * 4, mode=mode))
    height, width = np.shape(x)[2:]
    places = zip(room, np.broadcast_to(rows, len(room)), np.broadcast_to(columns, len(room)), strict=True)
    return torch.stack(
        [plane.narrow(1, int(i), height).narrow(2, int(j), width) for plane, i, j in places]
    ).numpy()


def starts(rng: np.random.Generator, padding: int, *shape: int) -> np.ndarray:
    """Return starts for crops: whole numbers from 0 to 2 * padding."""
    return rng.integers(0, 2 * padding + 1, shape)


def places_of(value: np.ndarray, x: np.ndarray, padding: int, mode: str = "constant") -> np.ndarray | None:
    """Return each image's (row, column) in the padded image, or None where one is cut from nowhere in it."""
    room, (height, width) = padded(x, *(padding,) * 4, mode=mode), np.shape(x)[2:]
    found = np.full((len(x), 2), -1)
    for i, j in np.ndindex(2 * padding + 1, 2 * padding + 1):
        here = equal_images(value, room[:, :, i : i + height, j : j + width])
        found[here & (found[:, 0] < 0)] = i, j
    return None if (found < 0).any() else found


def judge_crop(value: Any, x: np.ndarray, padding: int, rng: Any) -> str:
    """Return what is wrong with a batch of crops, or an empty string."""
    array = array_of(value, np.shape(x))
    if array is None:
        return wrong_shape(value, np.shape(x))
    places = places_of(array, x, padding)
    if places is None:
        return "Not every image is a part, of the old size and in one piece, of the image with its border of zeros."
    if len(x) < ENOUGH * (2 * padding + 1) or not padding:
        return ""
    for axis, name in enumerate(("row", "column")):
        missing = sorted(set(range(2 * padding + 1)) - set(places[:, axis].tolist()))
        if missing:
            return f"A crop may start at any {name} from 0 to {2 * padding}; of {len(x)} crops none starts at {name} {missing[0]}."
    if (places[:, 0] == places[:, 1]).all():
        return "Row and column of every crop are the same number: they are drawn one by one, not together."
    return evenness_of(places, padding)


def evenness_of(places: np.ndarray, padding: int) -> str:
    """Return what is wrong with how often each place was drawn, or an empty string; of few crops for each, nothing."""
    total, share = len(places), 1 / (2 * padding + 1) ** 2
    if total * share < 2 * ENOUGH:
        return ""
    for row, column in np.ndindex(2 * padding + 1, 2 * padding + 1):
        count = int((places == (row, column)).all(1).sum())
        if not is_share(count, total, share):
            return (
                f"Every place is equally likely, so of {total} crops about {total * share:.0f} start at row {row} and "
                f"column {column}; of yours {count} do."
            )
    return ""


random_crop = Exercise(
    "random_crop",
    UNIT,
    points=3,
    parameters=("x", "padding", "rng"),
    oracle=lambda x, padding, rng: crop(
        x, padding, starts(rng, padding, len(x)), starts(rng, padding, len(x))
    ),
    check_answer=repeatable(judge_crop),
    cases=(
        Case("four grey images, padding 1", normal(4, 1, 4, 5), 1, np.random.default_rng(1), weight=0.5),
        Case("colour images, padding 2", normal(130, 3, 6, 4), 2, np.random.default_rng(2)),
        Case(
            "six hundred images, padding 1",
            normal(600, 2, 2, 3),
            1,
            np.random.default_rng(3),
            weight=2,
        ),
        Case("two hundred images, padding 3", normal(200, 1, 5, 4), 3, np.random.default_rng(4)),
        Case("padding 0 changes nothing", normal(3, 2, 3, 4), 0, np.random.default_rng(5), weight=0.5),
        Case(
            "the same rng, the same crops", through("draws"), normal(40, 1, 4, 4), 2, np.random.default_rng(6)
        ),
    ),
    random=lambda rng: Case(
        "random",
        rng.standard_normal((int(rng.integers(30, 150)), int(rng.integers(1, 4)), *rng.integers(3, 6, 2))),
        int(rng.integers(1, 3)),
        np.random.default_rng(int(rng.integers(1000))),
    ),
    hints=(
        "With a border of `padding` on all sides, at which rows may a part of the old height start? Count them for padding 1.",
        "Pad height and width with zeros. A part may start at 0, 1, ..., 2 * padding, which are 2 * padding + 1 places. Draw a row and "
        "a column for every image, and in a loop over the images cut out all channels at once.",
        "`rng.integers(0, 2 * padding + 1, size=(N, 2))` has all the places: the upper end is left out. Image n is "
        "`padded[n, :, row : row + H, col : col + W]` with its own row and col.",
    ),
)


def crop_idea(name: str, hint: str, when: Callable[[np.ndarray, np.ndarray, int], Any]):
    """Add a wrong idea that shows in a batch of crops: ``when(value, x, padding)``."""

    def seen(value: Any, x: np.ndarray, padding: int, rng: Any) -> bool:
        array = array_of(value, np.shape(x))
        return array is not None and bool(when(array, x, padding))

    return random_crop.misconception(name, hint, shows(judge_crop, seen))


def at_places(test: Callable[[np.ndarray, int], Any], mode: str = "constant"):
    """Return a test of where the crops were taken: ``test(places, padding)``, places (N, 2)."""

    def when(value: np.ndarray, x: np.ndarray, padding: int) -> bool:
        places = places_of(value, x, padding, mode)
        return places is not None and bool(test(places, padding))

    return when


@crop_idea(
    "returns-x", "Every image stays where it was: the crops never move.", lambda value, x, p: close(value, x)
)
def _(x, padding, rng):
    return tensor(x).numpy()


@crop_idea(
    "one-place-for-the-batch",
    "All images of the batch are cut at one and the same place. Draw a row and a column for each image.",
    at_places(lambda places, padding: len(np.unique(places, axis=0)) == 1),
)
def _(x, padding, rng):
    return crop(x, padding, *starts(rng, padding, 2))


@crop_idea(
    "moves-one-way-only",
    "The images move in one direction only. Starting at 0 to padding leaves half of the places out: they go up to 2 * padding, with padding, in the "
    "middle, for an image that stays.",
    at_places(lambda places, padding: padding and places.max() <= padding),
)
def _(x, padding, rng):
    return crop(x, padding, *(rng.integers(0, padding + 1, (2, len(x)))))


@crop_idea(
    "never-reaches-the-last-place",
    "No crop starts at the last place, 2 * padding. `rng.integers(0, n)` leaves n out, so n must be 2 * padding + 1.",
    at_places(lambda places, padding: padding and places.max() < 2 * padding),
)
def _(x, padding, rng):
    return crop(x, padding, *(rng.integers(0, max(2 * padding, 1), (2, len(x)))))


@crop_idea(
    "never-starts-at-0",
    "No crop starts at row or column 0. The places are 0 to 2 * padding, both included.",
    at_places(lambda places, padding: padding and places.min() > 0),
)
def _(x, padding, rng):
    return crop(x, padding, *(rng.integers(min(1, padding), 2 * padding + 1, (2, len(x)))))


@crop_idea(
    "one-number-for-row-and-column",
    "Row and column are always the same number, so the images move along the diagonal only. Draw two numbers an image.",
    at_places(lambda places, padding: (places[:, 0] == places[:, 1]).all()),
)
def _(x, padding, rng):
    place = starts(rng, padding, len(x))
    return crop(x, padding, place, place)


@crop_idea(
    "some-places-more-often",
    "Some places come up more often than others. Rounding what rng.uniform drew does that, since the ends get only half a step, and so "
    "does adding two draws. rng.integers draws all places alike.",
    at_places(lambda places, padding: padding and evenness_of(places, padding)),
)
def _(x, padding, rng):
    return crop(x, padding, *np.rint(rng.uniform(0, 2 * padding, (2, len(x)))))


@crop_idea(
    "moves-rows-only",
    "The images move up and down, but not left and right: draw a column too.",
    at_places(lambda places, padding: (places[:, 1] == padding).all()),
)
def _(x, padding, rng):
    return crop(x, padding, starts(rng, padding, len(x)), padding)


@crop_idea(
    "moves-columns-only",
    "The images move left and right, but not up and down: draw a row too.",
    at_places(lambda places, padding: (places[:, 0] == padding).all()),
)
def _(x, padding, rng):
    return crop(x, padding, padding, starts(rng, padding, len(x)))


def _planes(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1, 1, *array.shape[2:])


@crop_idea(
    "a-place-for-each-channel",
    "The channels of one image are cut at different places, so its colours no longer lie on each other. One place an image, for all channels.",
    lambda value, x, padding: (
        places_of(value, x, padding) is None and places_of(_planes(value), _planes(x), padding) is not None
    ),
)
def _(x, padding, rng):
    planes = _planes(np.asarray(x))
    places = starts(rng, padding, 2, len(planes))
    return crop(planes, padding, *places).reshape(np.shape(x))


@crop_idea(
    "wraps-around",
    "What leaves the image on one side comes in again on the other; np.roll does that. The border is of zeros.",
    at_places(lambda places, padding: True, mode="circular"),
)
def _(x, padding, rng):
    return crop(x, padding, starts(rng, padding, len(x)), starts(rng, padding, len(x)), mode="circular")


@crop_idea(
    "repeats-the-edge",
    "Your border repeats the edge of the image. Here it is of zeros.",
    at_places(lambda places, padding: True, mode="replicate"),
)
def _(x, padding, rng):
    return crop(x, padding, starts(rng, padding, len(x)), starts(rng, padding, len(x)), mode="replicate")


@random_crop.misconception(
    "returns-the-padded-images",
    "Your images have grown: you return them with their border. Cut a part of the old size out of each.",
    when=shows(
        judge_crop,
        lambda value, x, padding, rng: (
            array_of(value, (*np.shape(x)[:2], *(np.array(np.shape(x)[2:]) + 2 * padding))) is not None
        ),
    ),
)
def _(x, padding, rng):
    return padded(x, *(padding,) * 4)


@random_crop.misconception(
    "cuts-without-padding",
    "Your images have shrunk. Put the border around them first, and then cut a part of the old size, H x W, out of each.",
    when=shows(
        judge_crop,
        lambda value, x, padding, rng: (
            np.ndim(value) == 4
            and np.shape(value)[:2] == np.shape(x)[:2]
            and np.shape(value)[2] < np.shape(x)[2]
        ),
    ),
)
def _(x, padding, rng):
    height, width = np.shape(x)[2:]
    return tensor(x)[:, :, : max(height - padding, 1), : max(width - padding, 1)].numpy()


add_ideas_about_the_generator(random_crop)
