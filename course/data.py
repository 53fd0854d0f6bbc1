"""Data sets of the notebooks; the embedded ones need no network."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

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
