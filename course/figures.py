"""One-line pictures: no matplotlib in the notebooks.

Each function draws at once and returns nothing, so that a cell may end in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

PANEL = 3.0  # inches, the greatest height of one picture
PAGE = 11.0  # inches, the width of a row of pictures
INK = "#1565c0"


def _plt():
    import matplotlib.pyplot as plt

    return plt


def show_images(*images: Any, titles: str | Sequence[str] = ()) -> None:
    """Show images side by side: (H, W), (H, W, 3), or channels-first (1, H, W) and (3, H, W); uint8 or floats 0 to 1.

    Where there are none, it prints that.
    """
    if not images:
        print("There are no images to show.")
        return
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

    Maps without a negative value are shown in grey, from the smallest value (black) to the largest (white). Colours are
    full at the 99.5th percentile, so that a few extreme values do not leave the rest pale.
    """
    planes = [
        plane for array in maps for plane in np.asarray(array, dtype=float).reshape(-1, *np.shape(array)[-2:])
    ]
    axes = _panels([plane.shape[1] / plane.shape[0] for plane in planes])
    for ax, plane, title in zip(axes, planes, _titles(titles, len(planes)), strict=True):
        limit = float(np.quantile(np.abs(plane), 0.995)) or float(np.abs(plane).max()) or 1.0
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
    limit = max(float(np.abs(plane).max()) for plane in planes) or 1.0
    for ax, plane, title in zip(axes, planes, _titles(titles, len(planes)), strict=True):
        ax.imshow(plane, cmap="RdBu_r", vmin=-2 * limit, vmax=2 * limit)
        for (row, col), value in np.ndenumerate(plane):
            ax.text(col, row, f"{value:.3g}", ha="center", va="center")
        ax.set_title(title)
    _plt().show()


def plot_bars(
    values: Mapping[str, float], ylabel: str, title: str = "", log: bool = False, decimals: int | None = None
) -> None:
    """Draw one bar for each name, with its value written on it: to three digits, or with so many decimals."""
    fig, ax = _plt().subplots(figsize=(1.7 * len(values) + 1, PANEL))
    bars = ax.bar(list(values), list(values.values()), color=INK, log=log)
    few = [f"{v:,.0f}" if v >= 1000 else f"{v:.3g}" for v in values.values()]
    labels = few if decimals is None else [f"{v:,.{decimals}f}" for v in values.values()]
    ax.bar_label(bars, labels, padding=2)
    ax.margins(y=0.2)
    ax.set(ylabel=ylabel, title=title)
    ax.spines[["top", "right"]].set_visible(False)
    _plt().show()


def plot_lines(
    lines: Mapping[str, Any], xlabel: str, ylabel: str, title: str = "", x: Any = None, log: str = ""
) -> None:
    """Draw one line for each name, against ``x`` or counted from 1; ``log`` names the logarithmic axes: "x", "y" or "xy"."""
    from matplotlib.ticker import MaxNLocator

    _, ax = _plt().subplots(figsize=(7.0, 1.2 * PANEL), layout="constrained")
    places = np.arange(1, max(map(len, lines.values())) + 1) if x is None else np.asarray(x)
    few = is_few_steps(places) and "x" not in log
    for (name, values), style in zip(lines.items(), ["-", "--", "-.", ":"] * len(lines), strict=False):
        ax.plot(places[: len(values)], values, style, label=name, marker="." if few else "")
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.set_xscale("log" if "x" in log else "linear")
    ax.set_yscale("log" if "y" in log else "linear")
    for axis in ax.xaxis, ax.yaxis:
        spread_ticks(axis)
    if few:
        ax.set_xticks(places)
    elif places.dtype.kind in "iu" and "x" not in log:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))  # there is no epoch 2.5
    ax.legend(frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
    _plt().show()


def spread_ticks(axis: Any) -> None:
    """Give a logarithmic axis of one to three decades ticks at 1, 2 and 5, in plain numbers: matplotlib's own labels crowd each other."""
    low, high = axis.get_view_interval()
    if axis.get_scale() == "log" and 10 * low < high < 1000 * low:
        axis.get_major_locator().set_params(subs=(1, 2, 5))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")


def is_few_steps(places: np.ndarray) -> bool:
    """Return whether places are a few whole numbers, none close to the next: then each has its own tick.

    >>> is_few_steps(np.array([20, 56, 110])), is_few_steps(np.linspace(0, 1, 5)), is_few_steps(np.arange(100))
    (True, False, False)
    """
    steps = np.diff(places)
    few = places.dtype.kind in "iu" and 1 < len(places) <= 16
    return bool(few and min(steps) * 20 >= np.ptp(places))


def show_grid(
    *grids: Any,
    rows: Sequence[Any],
    columns: Sequence[Any],
    xlabel: str,
    ylabel: str,
    titles: str | Sequence[str] = (),
) -> None:
    """Show tables of numbers of one scale side by side, each value in its coloured cell; ``rows`` and ``columns`` name them."""
    tables = [np.asarray(grid, dtype=float) for grid in grids]
    low, high = min(np.nanmin(table) for table in tables), max(np.nanmax(table) for table in tables)
    size = (min(PAGE, 0.75 * len(columns) * len(tables) + 1.5), 0.5 * len(rows) + 1.2)
    _, axes = _plt().subplots(1, len(tables), figsize=size, squeeze=False, sharey=True, layout="constrained")
    for ax, table, title in zip(axes.flat, tables, _titles(titles, len(tables)), strict=True):
        ax.imshow(table, cmap="viridis", vmin=low, vmax=high, aspect="auto")
        for (row, col), value in np.ndenumerate(table):
            dark = value < (low + high) / 2
            ax.text(col, row, f"{value:.2g}", ha="center", va="center", color="white" if dark else "black")
        ax.set(title=title, xlabel=xlabel, ylabel=ylabel if ax is axes.flat[0] else "")
        ax.set_xticks(range(len(columns)), columns)
        ax.set_yticks(range(len(rows)), rows)
    _plt().show()


def show_plane(logits: Any, awake: Any, points: Any, labels: Any, reach: float = 1.2) -> None:
    """Show what a net says on a square of the plane: colours for three classes, thin lines where a ReLU has its corner.

    logits: (S, S, 3), for places from -reach to reach. awake: (S, S, units), True where a unit passes. points: (N, 2),
    drawn with a marker for each of their labels.
    """
    colours = np.array([[0.34, 0.71, 0.91], [0.95, 0.75, 0.35], [0.80, 0.55, 0.72]])
    exps = np.exp(logits - np.max(logits, axis=2, keepdims=True))
    image = exps / exps.sum(axis=2, keepdims=True) @ colours
    corner = np.diff(awake, axis=0)[:, 1:].any(axis=2) | np.diff(awake, axis=1)[1:].any(axis=2)
    image[1:, 1:][corner] *= 0.65
    _, ax = _plt().subplots(figsize=(2 * PANEL, 2 * PANEL), layout="constrained")
    ax.imshow(image, origin="lower", extent=(-reach, reach, -reach, reach), interpolation="antialiased")
    for label, marker in enumerate("os^"):
        ax.scatter(
            *np.asarray(points)[labels == label].T, s=16, marker=marker, c="white", edgecolors="black", lw=0.8
        )
    ax.set_axis_off()
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


def _panels(aspects: Sequence[float]) -> Sequence[Any]:
    """Return axes without ticks, side by side in rows as wide as a page, for pictures of these aspect ratios."""
    most = 4 if max(aspects) <= 1.2 else 3
    rows = -(-len(aspects) // most)
    columns = -(-len(aspects) // rows)
    width = min(PANEL * max(aspects), PAGE / columns)
    size = (width * columns, (width / max(aspects) + 0.4) * rows)
    _, axes = _plt().subplots(rows, columns, figsize=size, squeeze=False, layout="compressed")
    for ax in axes.flat:
        ax.set_axis_off()
    return list(axes.flat)[: len(aspects)]


def _titles(titles: str | Sequence[str], count: int) -> Sequence[str]:
    titles = [titles] if isinstance(titles, str) else list(titles)
    if len(titles) > count:
        raise ValueError(f"{len(titles)} titles for {count} pictures")
    return titles + [""] * (count - len(titles))


def show_points(*clouds: Any, titles: str | Sequence[str] = ()) -> None:
    """Show clouds of points (N, 2) side by side, each around the two axes of its own plane, in one scale for both."""
    _, axes = _plt().subplots(
        1, len(clouds), figsize=(min(PAGE, PANEL * len(clouds)), PANEL), squeeze=False, layout="compressed"
    )
    for ax, cloud, title in zip(axes.flat, clouds, _titles(titles, len(clouds)), strict=True):
        ax.axhline(0, color="gray", linewidth=0.8)
        ax.axvline(0, color="gray", linewidth=0.8)
        ax.scatter(*np.asarray(cloud).T, s=6, color=INK, alpha=0.4)
        ax.set_title(title)
        ax.set_aspect("equal", adjustable="datalim")
    _plt().show()


def show_paths(loss: Any, paths: Mapping[str, Any], minimum: tuple[float, float] = (0, 0)) -> None:
    """Show paths (T, 2) through the landscape of ``loss``, a function of w[0] and w[1], one panel a path; a cross marks the minimum."""
    points = np.concatenate([np.asarray(path) for path in paths.values()])
    low, high = np.quantile(points, [0.01, 0.99], axis=0)
    low, high = np.minimum(low, minimum), np.maximum(high, minimum)
    (left, bottom), (right, top) = low - 0.2 * (high - low), high + 0.2 * (high - low)
    grid = np.meshgrid(np.linspace(left, right, 80), np.linspace(bottom, top, 80))
    size = (PAGE, PANEL * -(-len(paths) // 2) if len(paths) > 3 else PANEL)
    shape = (2, -(-len(paths) // 2)) if len(paths) > 3 else (1, len(paths))
    _, axes = _plt().subplots(*shape, figsize=size, squeeze=False, layout="constrained")
    for ax, (name, path) in zip(axes.flat, paths.items(), strict=False):
        ax.contour(*grid, np.sqrt(loss(np.stack(grid))), 12, cmap="Greys", linewidths=0.8)
        ax.plot(*np.asarray(path).T, ".-", color=INK, linewidth=1, markersize=4)
        ax.plot(*minimum, "x", color="#c62828", markersize=9, markeredgewidth=2)
        ax.set(title=name, xlim=(left, right), ylim=(bottom, top), xlabel="w[0]", ylabel="w[1]")
    _plt().show()
