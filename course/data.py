"""Data sets of the notebooks; the embedded ones need no network."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from course.downloads import cifar10, fashion_mnist
from course.shapes import shapes

__all__ = [
    "cifar10",
    "digits",
    "fashion_mnist",
    "grey_photograph",
    "large_digits",
    "mystery_filter",
    "photograph",
    "shapes",
    "spirals",
    "standardized",
]

PHOTOGRAPHS = ("china", "flower")


def photograph(name: str = "china") -> np.ndarray:
    """Return one of scikit-learn's two photographs, ``china`` or ``flower``, as (427, 640, 3) uint8, channels last.

    >>> photograph("flower").shape
    (427, 640, 3)

    Raises ValueError for another name.
    """
    from PIL import Image

    if name not in PHOTOGRAPHS:
        raise ValueError(f"there is no photograph {name!r}; there are {' and '.join(PHOTOGRAPHS)}")
    folder = Path(find_spec("sklearn").origin).parent  # type: ignore[union-attr, arg-type]  # importing it takes a second
    with Image.open(folder / "datasets" / "images" / f"{name}.jpg") as image:
        return np.asarray(image)


def grey_photograph(name: str = "china", height: int = 213) -> np.ndarray:
    """Return a photograph in grey as one image of one channel: (1, 1, height, width), floats from 0 to 1.

    >>> grey_photograph("china", 100).shape
    (1, 1, 100, 150)
    """
    from PIL import Image

    image = Image.fromarray(photograph(name)).convert("L")
    width = round(image.width * height / image.height)
    pixels = np.asarray(image.resize((width, height), Image.Resampling.LANCZOS), dtype=float) / 255
    return pixels[None, None]


def mystery_filter() -> np.ndarray:
    """Return the filter (1, 1, 7, 7), of mean 0, that unit 02 finds again from its output.

    >>> mystery_filter().shape
    (1, 1, 7, 7)
    """
    rows = ".##.##.", "#######", "#######", "#######", ".#####.", "..###..", "...#..."
    drawn = np.array([[[[float(mark == "#") for mark in row] for row in rows]]])
    return drawn - drawn.mean()


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return scikit-learn's 1,797 handwritten digits, shuffled once and split: train_x, train_y, test_x, test_y.

    Images are (N, 1, 8, 8) float32 from 0 to 1, labels (N,) whole numbers; 1,400 to train on and 397 to test with.

    >>> train_x, train_y, test_x, test_y = digits()
    >>> train_x.shape, test_y.shape
    ((1400, 1, 8, 8), (397,))
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    x, y = (images[order] / 16).astype(np.float32).reshape(-1, 1, 8, 8), labels[order]
    return x[:1400], y[:1400], x[1400:], y[1400:]


def spirals(points: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Return three spirals of so many points each, slightly shaken: points (N, 2) from about -1 to 1, and labels (N,).

    >>> spirals(50)[0].shape
    (150, 2)
    """
    rng, arm = np.random.default_rng(0), np.repeat(np.arange(3), points)
    radius = np.tile(np.linspace(0.05, 1, points), 3)
    angle = 4 * radius + 2 * np.pi * arm / 3 + 0.1 * rng.standard_normal(3 * points)
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1), arm


def large_digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return digits() as LeNet-5 takes them: enlarged smoothly to 24 x 24, in the middle of 32 x 32 pixels, float64.

    >>> large_digits()[0].shape
    (1400, 1, 32, 32)
    """
    from PIL import Image

    def enlarge(images: np.ndarray) -> np.ndarray:
        planes = [Image.fromarray(image[0]).resize((24, 24), Image.Resampling.BILINEAR) for image in images]
        return np.array([np.pad(np.asarray(plane, dtype=float), 4) for plane in planes])[:, None]

    train_x, train_y, test_x, test_y = digits()
    return enlarge(train_x), train_y, enlarge(test_x), test_y


def standardized(train_x: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Return images (N, C, H, W) with each channel of the training images brought to mean 0 and spread 1, others likewise.

    >>> train_x, test_x = standardized(*shapes(500, 100)[::2])
    >>> float(abs(train_x.mean())) < 1e-3, test_x.shape
    (True, (100, 3, 32, 32))
    """
    mean, spread = train_x.mean((0, 2, 3), keepdims=True), train_x.std((0, 2, 3), keepdims=True)
    return [(images - mean) / spread for images in (train_x, *others)]
