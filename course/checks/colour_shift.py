"""Unit 09: AlexNet's change of colours, judged by what must hold whatever was drawn.

A shift is right that is the same for all pixels of an image and whose covariance over many images is 0.01 S @ S, S being
the covariance of the colours: that is what 0.1 · alpha · eigenvalue along each eigenvector amounts to, whatever their order and signs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course.checks.alexnet_tables import UNIT
from course.checks.chance import (
    DIFFERS,
    REPEATS,
    SIGMAS,
    array_of,
    close,
    repeatable,
    shows,
    three_calls,
    wrong_shape,
)
from course.checks.exercise import Case, Exercise, runs_into
from course.checks.oracle import tensor
from course.checks.recipe import through

SPREAD = 0.1  # of alpha


def covariance(images: Any, centred: bool = True) -> np.ndarray:
    """Return the covariance (3, 3) of the colours of all pixels, by torch."""
    pixels = tensor(images).movedim(1, 0).reshape(3, -1)
    return (torch.cov(pixels) if centred else pixels @ pixels.T / pixels.shape[1]).numpy()


def directions(
    images: Any, scale: Callable[[np.ndarray], np.ndarray] = lambda values: values, **more: Any
) -> np.ndarray:
    """Return the matrix (3, 3) that takes alpha to a shift: its columns are the scaled eigenvectors."""
    values, vectors = np.linalg.eigh(covariance(images, **more))
    return vectors * scale(values)


def shifts_of(value: np.ndarray, images: Any) -> np.ndarray | None:
    """Return the shift (N, 3) of every image, or None where the pixels of an image were shifted differently."""
    change = np.asarray(value, dtype=float) - np.asarray(images)
    one = change[:, :, :1, :1]
    same = np.abs(change - one).max() <= 1e-6 * max(1.0, float(np.abs(images).max()))
    return one[:, :, 0, 0] if same else None


def is_spread(shifts: np.ndarray, matrix: np.ndarray, spread: float = SPREAD) -> bool:
    """Return whether shifts could be ``matrix`` times normal numbers of this spread, independent of one another."""
    if abs(np.linalg.det(matrix)) < 1e-12:
        return False
    drawn = np.linalg.solve(matrix, shifts.T) / spread
    if len(shifts) < 30:
        return bool(np.abs(drawn).max() < 1.5 * SIGMAS)
    off = np.abs(drawn @ drawn.T / len(shifts) - np.eye(3)).max()
    return bool(
        off < SIGMAS * np.sqrt(2 / len(shifts)) and np.abs(drawn.mean(1)).max() < SIGMAS / len(shifts) ** 0.5
    )


def judge(value: Any, images: np.ndarray, seed: int, training: Any = None, device: str = "cpu") -> str:
    """Return what is wrong with recoloured images, or an empty string."""
    array = array_of(value, np.shape(images))
    if array is None:
        return wrong_shape(value, np.shape(images))
    shifts = shifts_of(array, images)
    if shifts is None:
        return "All pixels of an image must be shifted by the same three numbers; here they are not."
    if len(images) > 4 and np.ptp(shifts, axis=0).max() < 1e-6:
        return "Every image of the batch is shifted by the same numbers."
    return judge_spread(shifts, directions(images if training is None else training))


def judge_spread(shifts: np.ndarray, matrix: np.ndarray) -> str:
    """Return what is wrong with how the shifts (N, 3) are spread, or an empty string."""
    if is_spread(shifts, matrix):
        return ""
    if len(shifts) < 30:
        return f"This shift is not one of those asked for: {np.abs(shifts).max():.3g}"
    wanted, got = SPREAD * np.linalg.norm(matrix, axis=1), shifts.std(axis=0)
    if (np.abs(got / wanted - 1) > SIGMAS / np.sqrt(2 * len(shifts))).any():
        return f"Red, green and blue should be shifted with standard deviations of about {words(wanted)}; yours have {words(got)}."
    return "The size of the shifts is right, but they do not lie along the components: red, green and blue must move together as the covariance says."


def words(numbers: Any) -> str:
    """Return three numbers as a person reads them."""
    return ", ".join(f"{number:.2g}" for number in numbers)


def tinted(seed: int, n: int, height: int, width: int) -> np.ndarray:
    """Return images whose colours vary along three axes of their own: brightness most, as in photographs."""
    rng = np.random.default_rng(seed)
    mixing = np.array([[1.0, 0.5, 0.2], [0.9, -0.1, -0.35], [0.8, -0.6, 0.25]])
    return np.einsum("ck,nkhw->nchw", mixing, rng.standard_normal((n, 3, height, width))) + 0.7


def _case(name: str, *args: Any, **more: Any) -> Case:
    return Case(name, through("alexnet_drivers.colours"), *args, **more)


def recoloured(
    images: Any, seed: int, matrix: np.ndarray, spread: float = SPREAD, one: bool = False
) -> np.ndarray:
    """Return the images, each shifted by ``matrix`` times normal numbers of this spread; with ``one`` all by the same."""
    rng = np.random.default_rng(seed)
    alpha = rng.normal(0, spread, (1 if one else len(images), 3))
    return (tensor(images) + tensor(alpha @ matrix.T)[:, :, None, None]).numpy()


def oracle(images: Any, seed: int, training: Any = None, device: str = "cpu") -> np.ndarray:
    """Return images recoloured in one of the right ways."""
    return recoloured(images, seed, directions(images if training is None else training))


pca_color_augment = Exercise(
    "pca_color_augment",
    UNIT,
    points=4,
    parameters=("images", "seed", "training"),
    oracle=oracle,
    check_answer=repeatable(judge),
    driven=True,
    cases=(
        _case("400 images", tinted(1, 400, 3, 2), 0, weight=2),
        _case(
            "colours of other training images",
            tinted(2, 300, 2, 3),
            1,
            0.5 + 2 * tinted(3, 40, 5, 4)[:, ::-1],
            weight=2,
        ),
        _case("pixels of mean 100", 100 + 10 * tinted(4, 300, 2, 2), 2),
        _case("one image", tinted(5, 1, 6, 5), 3, weight=0.5),
        _case("images on a GPU, which is pretended", tinted(6, 300, 2, 2), 4, device="cuda:0", weight=0.5),
    ),
    random=lambda rng: _case(
        "random",
        tinted(int(rng.integers(10**6)), 300, *(int(s) for s in rng.integers(2, 4, 2))),
        int(rng.integers(1000)),
    ),
    hints=(
        "How many numbers are drawn for a batch of N images, and what is the shape of what is added to the batch?",
        "Put all pixels of all training images into one array (3, pixels). Its covariance has three eigenvalues and eigenvectors (unit 05). Draw alpha "
        "(N, 3), multiply it by the eigenvalues, and take each image's sum of eigenvectors with these weights. Add it to all its pixels.",
        "`training.movedim(1, 0).reshape(3, -1)` gives torch.cov what it wants; `values, vectors = torch.linalg.eigh(...)` has the eigenvectors as "
        "columns. `0.1 * torch.randn(len(images), 3, generator=generator)` are the alphas, and `(alpha * values) @ vectors.T` the shifts.",
    ),
)


def idea(
    name: str, hint: str, matrix: Callable[[Any], np.ndarray], spread: float = SPREAD, one: bool = False
) -> None:
    """Add a wrong idea: shifts of another spread."""

    def when(value: Any, images: Any, seed: int, training: Any = None, device: str = "cpu") -> bool:
        array = array_of(value, np.shape(images))
        shifts = None if array is None else shifts_of(array, images)
        return shifts is not None and bool(seen(shifts, matrix(images if training is None else training)))

    def seen(shifts: np.ndarray, found: np.ndarray) -> bool:
        if one:
            return np.ptp(shifts, axis=0).max() < 1e-6 < np.abs(shifts).max()
        return len(shifts) > 30 and is_spread(shifts, found, spread)

    @pca_color_augment.misconception(name, hint, shows(judge, when))
    def _(images, seed, training=None, device="cpu"):
        return recoloured(images, seed, matrix(images if training is None else training), spread, one)


idea(
    "one-shift-for-the-batch",
    "Every image of the batch is shifted alike. Draw three numbers for each image.",
    directions,
    one=True,
)
idea(
    "mixes-up-the-channels",
    "Your covariance is not that of red, green and blue: reshaping (N, 3, H, W) to (3, -1) at once puts pixels of all channels into each row. Move the channels "
    "to the front first: `movedim(1, 0)`.",
    lambda images: mixed_up(images),
)
idea(
    "standard-deviations-for-eigenvalues",
    "You multiply by the square roots of the eigenvalues, the standard deviations. The paper takes the eigenvalues themselves.",
    lambda images: directions(images, np.sqrt),
)
idea(
    "forgets-the-eigenvalues",
    "Your shifts are as long along each component. Multiply each alpha by its eigenvalue.",
    lambda images: directions(images, np.ones_like),
)
idea(
    "rows-for-eigenvectors",
    "You take the rows of the matrix for the eigenvectors. torch.linalg.eigh puts them into the columns: `vectors[:, k]` belongs to `values[k]`.",
    lambda images: rows(images),
)
idea(
    "forgets-the-eigenvectors",
    "You add alpha times eigenvalue to red, green and blue themselves. Each belongs to a component: multiply by its eigenvector.",
    lambda images: np.diag(np.linalg.eigvalsh(covariance(images))),
)
idea(
    "draws-with-spread-1",
    "Your alphas have standard deviation 1. The paper's have 0.1.",
    directions,
    spread=1.0,
)
idea(
    "variance-for-deviation",
    "Your alphas have variance 0.1. 0.1 is their standard deviation.",
    directions,
    spread=SPREAD**0.5,
)
idea(
    "forgets-the-mean",
    "You did not take the mean colour away before you multiplied the pixels: that is no covariance. torch.cov does it for you.",
    lambda images: directions(images, centred=False),
)


def mixed_up(images: Any) -> np.ndarray:
    """Return the matrix of someone who reshapes without moving the channels."""
    values, vectors = np.linalg.eigh(np.cov(np.reshape(images, (3, -1))))
    return vectors * values


def rows(images: Any) -> np.ndarray:
    """Return the matrix of someone who takes rows for eigenvectors."""
    values, vectors = np.linalg.eigh(covariance(images))
    return vectors.T * values


@pca_color_augment.misconception(
    "components-of-the-batch",
    "You find the components of the batch although training images are given. Theirs are asked for.",
    shows(
        judge,
        lambda value, images, seed, training=None, device="cpu": (
            training is not None
            and judge(value, images, seed) == ""
            and judge(value, images, seed, training) != ""
        ),
    ),
)
def _(images, seed, training=None, device="cpu"):
    return oracle(images, seed)


@pca_color_augment.misconception(
    "shifts-every-pixel-anew",
    "Every pixel gets a shift of its own, which is noise. The light of a picture is the same everywhere: draw three numbers for each image.",
    shows(
        judge,
        lambda value, images, seed, training=None, device="cpu": (
            array_of(value, np.shape(images)) is not None
            and shifts_of(value, images) is None
            and not keeps_range(value, images)
        ),
    ),
)
def _(images, seed, training=None, device="cpu"):
    matrix = directions(images if training is None else training)
    alpha = np.random.default_rng(seed).normal(0, SPREAD, (len(images), *np.shape(images)[2:], 3))
    return (tensor(images) + tensor(np.einsum("ck,nhwk->nchw", matrix, alpha))).numpy()


def keeps_range(value: Any, images: Any) -> bool:
    """Return whether pixels were clipped: some were left as they were or lie on an end of a range."""
    array = np.asarray(value)
    return bool((array == array.max()).mean() > 0.01 or (array == array.min()).mean() > 0.01)


@pca_color_augment.misconception(
    "clips",
    "You clip the pixels. These are images of mean 0, which are not bounded: add the shift, and leave them.",
    shows(
        judge,
        lambda value, images, seed, training=None, device="cpu": (
            array_of(value, np.shape(images)) is not None
            and shifts_of(value, images) is None
            and keeps_range(value, images)
        ),
    ),
)
def _(images, seed, training=None, device="cpu"):
    return tensor(oracle(images, seed, training)).clamp(0, 1).numpy()


@pca_color_augment.misconception(
    "changes-nothing",
    "The images come back as they were.",
    shows(judge, lambda value, images, seed, training=None, device="cpu": close(value, images)),
)
def _(images, seed, training=None, device="cpu"):
    return tensor(images).numpy()


def three(images: Any, *seeds: int, training: Any = None) -> dict[str, np.ndarray]:
    """Return what the driver gives where the three calls drew from generators of these seeds."""
    return dict(
        zip(("once", "again", "next"), (oracle(images, seed, training) for seed in seeds), strict=True)
    )


@pca_color_augment.misconception(
    "draws-without-the-generator",
    "Your draws do not come from the `generator` that was handed in, so nobody can repeat your run: "
    "`torch.randn(..., generator=generator)`.",
    when=lambda value, *args: three_calls(value) and repeatable(judge)(value, *args) == DIFFERS,
)
def _(images, seed, training=None, device="cpu"):
    return three(images, seed, seed + 1, seed + 2, training=training)


@pca_color_augment.misconception(
    "seeds-anew",
    "Every call draws the same: you make or seed a generator inside the function. Use the `generator` that was handed in; it goes on where the "
    "last call stopped.",
    when=lambda value, *args: three_calls(value) and repeatable(judge)(value, *args) == REPEATS,
)
def _(images, seed, training=None, device="cpu"):
    return three(images, 0, 0, 0, training=training)


@pca_color_augment.misconception(
    "leaves-the-draws-on-the-cpu",
    "What is drawn stays on the CPU, where the generator is, and meets images on a GPU. `.to(images)` behind torch.randn(...) sends it there.",
    when=lambda value, *args, **settings: repeatable(judge)(value, *args, **settings) == "",
)
def _(images, seed, training=None, device="cpu"):
    if device != "cpu":
        raise runs_into("DevicesMeet", words="cpu and")
    return oracle(images, seed, training)


@pca_color_augment.misconception(
    "draws-on-the-gpu",
    "You draw on the device of the images (device=images.device), but the generator is on the CPU, and draws there only. Draw without device=, then send the "
    "numbers over: `.to(images)`.",
    when=lambda value, *args, **settings: repeatable(judge)(value, *args, **settings) == "",
)
def _(images, seed, training=None, device="cpu"):
    if device != "cpu":
        raise runs_into("RuntimeError", words="device type for generator")
    return oracle(images, seed, training)


def uniform(value: Any, images: Any, seed: int, training: Any = None, device: str = "cpu") -> bool:
    """Return whether many alphas stay within 0.1 of 0, as normal ones do not."""
    array = array_of(value, np.shape(images))
    shifts = None if array is None or len(images) < 30 else shifts_of(array, images)
    if shifts is None:
        return False
    alpha = np.linalg.solve(directions(images if training is None else training), shifts.T)
    return bool(0.9 * SPREAD < np.abs(alpha).max() < 1.001 * SPREAD)


@pca_color_augment.misconception(
    "draws-uniformly",
    "None of your alphas is larger than 0.1: they are spread evenly. They are to be normally distributed with standard deviation 0.1: torch.randn, not "
    "torch.rand.",
    shows(judge, uniform),
)
def _(images, seed, training=None, device="cpu"):
    alpha = np.random.default_rng(seed).uniform(0, SPREAD, (len(images), 3))
    shifts = alpha @ directions(images if training is None else training).T
    return (tensor(images) + tensor(shifts)[:, :, None, None]).numpy()


pca_color_augment.misconceptions[0] = dataclasses.replace(
    pca_color_augment.misconceptions[0],
    hint="You write into the images that you were given (`images += ...`), so whoever called your function finds their data changed. Return new "
    "ones: `images + ...`.",
)
