"""One-line pictures: no matplotlib in the notebooks.

Each function draws at once and returns nothing, so that a cell may end in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

PANEL = 3.0  # inches, the height of one picture
INK = "#1565c0"


def _plt():
    import matplotlib.pyplot as plt

    return plt


def show_images(*images: Any, titles: str | Sequence[str] = ()) -> None:
    """Show images side by side: (H, W), (H, W, 3), or channels-first (1, H, W) and (3, H, W); uint8 or floats 0 to 1."""
    planes = [as_image(image) for image in images]
    axes = _panels([plane.shape[1] / plane.shape[0] for plane in planes])
    for ax, plane, title in zip(axes, planes, _titles(titles, len(planes)), strict=True):
        ax.imshow(
            plane if plane.dtype == np.uint8 else np.clip(plane, 0, 1), cmap="gray", interpolation="nearest"
        )
        ax.set_title(title)
    _plt().show()


def show_maps(*maps: Any, titles: str | Sequence[str] = ()) -> None:
    """Show feature maps side by side: every plane of (H, W), (C, H, W) or (1, C, H, W) arrays; blue is negative, red positive.

    Maps without a negative value are shown in grey, from the smallest value (black) to the largest (white).
    """
    planes = [
        plane for array in maps for plane in np.asarray(array, dtype=float).reshape(-1, *np.shape(array)[-2:])
    ]
    axes = _panels([plane.shape[1] / plane.shape[0] for plane in planes])
    for ax, plane, title in zip(axes, planes, _titles(titles, len(planes)), strict=True):
        limit = float(np.abs(plane).max()) or 1.0
        if plane.min() < -1e-9 * limit:
            drawn = ax.imshow(plane, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
        else:
            drawn = ax.imshow(plane, cmap="gray", interpolation="nearest")
        ax.figure.colorbar(drawn, ax=ax, fraction=0.03, pad=0.02)
        ax.set_title(f"{title}  {plane.shape[0]} x {plane.shape[1]}".strip())
    _plt().show()


def show_numbers(*grids: Any, titles: str | Sequence[str] = ()) -> None:
    """Show small planes, each value written in its cell: the last two axes of each array, which must be its only long ones."""
    planes = [np.asarray(grid).reshape(np.shape(grid)[-2:]) for grid in grids]
    axes = _panels([plane.shape[1] / plane.shape[0] for plane in planes])
    for ax, plane, title in zip(axes, planes, _titles(titles, len(planes)), strict=True):
        limit = float(np.abs(plane).max()) or 1.0
        ax.imshow(plane, cmap="RdBu_r", vmin=-1.6 * limit, vmax=1.6 * limit)
        for (row, col), value in np.ndenumerate(plane):
            ax.text(col, row, f"{value:.3g}", ha="center", va="center")
        ax.set_title(title)
    _plt().show()


def plot_bars(values: Mapping[str, float], ylabel: str, title: str = "", log: bool = False) -> None:
    """Draw one bar for each name, with its value written on it."""
    fig, ax = _plt().subplots(figsize=(1.7 * len(values) + 1, PANEL))
    bars = ax.bar(list(values), list(values.values()), color=INK, log=log)
    ax.bar_label(bars, fmt="{:,.3g}", padding=2)
    ax.margins(y=0.2)
    ax.set(ylabel=ylabel, title=title)
    ax.spines[["top", "right"]].set_visible(False)
    _plt().show()


def as_image(image: Any) -> np.ndarray:
    """Return an image as matplotlib draws it, (H, W) or (H, W, 3), from any of the layouts that show_images takes."""
    array = np.asarray(image)
    if array.ndim == 4 and len(array) == 1:
        array = array[0]
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3):
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3):
        raise ValueError(
            f"show_images draws one image at a time, (H, W), (H, W, 3) or (3, H, W); this has shape {array.shape}"
        )
    return array


def _panels(aspects: Sequence[float], widest: float = 11.0) -> Sequence[Any]:
    """Return axes without ticks, in rows that are no wider than a page, for pictures of these aspect ratios."""
    plt = _plt()
    width = PANEL * max(aspects) + 0.7
    columns = max(1, min(len(aspects), int(widest // width)))
    rows = -(-len(aspects) // columns)
    fig, axes = plt.subplots(
        rows,
        columns,
        figsize=(min(width * columns, widest), (PANEL + 0.4) * rows),
        squeeze=False,
        layout="compressed",
    )
    for ax in axes.flat:
        ax.set_axis_off()
    return list(axes.flat)[: len(aspects)]


def _titles(titles: str | Sequence[str], count: int) -> Sequence[str]:
    titles = [titles] if isinstance(titles, str) else list(titles)
    if len(titles) > count:
        raise ValueError(f"{len(titles)} titles for {count} pictures")
    return titles + [""] * (count - len(titles))
