"""A small picture of where two arrays differ: a table of numbers for small ones, two images and a map for large ones."""

from __future__ import annotations

import base64
import io

import numpy as np

from course.checks.compare import Difference

TABLE_SIDE = 8  # larger than this and the numbers are too many to read
IMAGE_SIDE = 144  # pixels on the page


def picture(problem: Difference | None) -> str:
    """Return HTML that shows the plane of the first wrong value, expected beside got; empty where there is none."""
    if problem is None or problem.wrong is None or problem.expected is None or problem.got is None:
        return ""
    if problem.wrong.ndim == 0 or problem.wrong.dtype.kind != "b" or problem.expected.dtype.kind == "c":
        return ""
    first = tuple(np.argwhere(problem.wrong)[0][:-2])
    planes = [np.atleast_2d(array[first]) for array in (problem.expected, problem.got, problem.wrong)]
    where = f" [{', '.join(map(str, first))}]" if first else ""
    expected, got, wrong = planes
    if max(wrong.shape) <= TABLE_SIDE:
        parts = [table("expected" + where, expected, wrong), table("yours" + where, got, wrong)]
    else:
        low, high = float(np.nanmin(expected)), float(np.nanmax(expected))
        parts = [
            image("expected" + where, grey(expected, low, high)),
            image("yours" + where, grey(got, low, high)),
            image("where they differ", np.where(wrong, 0, 255).astype(np.uint8)),
        ]
    return f'<div style="display:flex;flex-wrap:wrap;gap:1.5em;margin:.5em 0">{"".join(parts)}</div>'


def table(title: str, values: np.ndarray, wrong: np.ndarray) -> str:
    """Return a plane as an HTML table in which wrong places are boxed and marked, not only coloured."""
    cell = "padding:.15em .5em;text-align:right;font-variant-numeric:tabular-nums;border:1px solid rgba(128,128,128,.35)"
    bad = "padding:.15em .5em;text-align:right;font-weight:bold;border:2px solid #c62828"
    rows = "".join(
        "<tr>"
        + "".join(
            f'<td style="{bad if w else cell}">{number(v)}{" ✗" if w else ""}</td>'
            for v, w in zip(r, m, strict=True)
        )
        + "</tr>"
        for r, m in zip(values, wrong, strict=True)
    )
    return f'<div><div>{title}</div><table style="border-collapse:collapse;margin:0">{rows}</table></div>'


def number(value: float) -> str:
    """Return a value short enough for a table."""
    return f"{value:.3g}"


def grey(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return values from ``low`` to ``high`` as uint8 from black to white."""
    scaled = (np.nan_to_num(values.astype(float)) - low) / ((high - low) or 1.0)
    return (np.clip(scaled, 0, 1) * 255).astype(np.uint8)


def image(title: str, pixels: np.ndarray) -> str:
    """Return pixels as an inline PNG with a caption."""
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    source = base64.b64encode(data.getvalue()).decode()
    size = f"width:{IMAGE_SIDE}px;image-rendering:pixelated;border:1px solid rgba(128,128,128,.35)"
    return f'<div><div>{title}</div><img alt="{title}" style="{size}" src="data:image/png;base64,{source}"></div>'
