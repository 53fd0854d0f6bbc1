"""ConvExplorer: a convolution window by window, forwards, backwards and transposed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import traitlets

from .base import SETTING, Explorer, Numbers, Sides, joined, style

PAD_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
LARGEST, MOST_NUMBERS = 64, 1_000_000  # rows of an input, weights or inputs in all, as in core.js
LONGEST_ANSWER = 400_000  # of a function's answer that are sent to the browser


class ConvExplorer(Explorer):
    """Show one convolution: the window under the pointer, its products and sum, and where each input goes.

    ``size``, ``kernel_size``, ``stride`` and ``dilation`` are one number or (rows, columns); ``padding`` is one, (top and
    bottom, left and right) or (top, bottom, left, right). ``x`` (C, H, W), ``w`` (O, C, KH, KW) and ``b`` (O,) set the
    numbers. Give it your own function and it is compared: ``ConvExplorer(conv2d)`` calls
    ``conv2d(x, w, b, stride=..., padding=...)`` with x of shape (1, C, H, W).

    >>> ConvExplorer(size=(5, 7), stride=2)
    ConvExplorer(size=(5, 7), stride=2)

    Raises TypeError for a setting that does not exist, TraitError for one of the wrong type. Settings that do not work
    together are explained in the figure. Input sizes up to 64 are drawn.
    """

    _esm = joined("conv_explorer")
    _css = style()

    size = Sides([7, 7]).tag(**SETTING)
    kernel_size = Sides([3, 3]).tag(**SETTING)
    stride = Sides([1, 1]).tag(**SETTING)
    padding = Sides([0, 0, 0, 0]).tag(**SETTING)
    padding_mode = traitlets.Enum(list(PAD_MODES), default_value="zeros").tag(**SETTING)
    dilation = Sides([1, 1]).tag(**SETTING)
    in_channels = traitlets.Int(1).tag(**SETTING)
    out_channels = traitlets.Int(1).tag(**SETTING)
    transposed = traitlets.Bool(False).tag(**SETTING)
    output_padding = Sides([0, 0]).tag(**SETTING)
    x = Numbers(3).tag(**SETTING)
    w = Numbers(4).tag(**SETTING)
    b = Numbers(1).tag(**SETTING)

    _ask = traitlets.Unicode("").tag(sync=True)
    _yours = traitlets.Dict(None, allow_none=True).tag(sync=True, page=True)

    def __init__(self, function: Callable | None = None, **settings: object):
        self.function = function
        super().__init__(**settings)
        self._fit_to_given(settings)
        if function is not None:
            self._function = getattr(function, "__name__", type(function).__name__)
            self._answer()

    def _fit_to_given(self, settings: dict) -> None:
        """Take sizes and channels from the numbers given, where they are not settings themselves."""
        shapes: dict[str, object] = {}
        if self.x is not None:
            shapes.update(in_channels=len(self.x), size=[len(self.x[0]), len(self.x[0][0])])
        if self.w is not None:
            outer, inner, *kernel = np.shape(self.w)
            names = ("in_channels", "out_channels") if self.transposed else ("out_channels", "in_channels")
            shapes.update(zip(names, (outer, inner), strict=True), kernel_size=kernel)
        if self.b is not None:
            shapes["out_channels"] = len(self.b)
        for name, value in shapes.items():
            if name not in settings:
                setattr(self, name, value)

    def numbers(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return x (1, C, H, W), w and b as the figure has them now.

        >>> [part.shape for part in ConvExplorer(size=5, out_channels=2).numbers()]
        [(1, 1, 5, 5), (2, 1, 3, 3), (2,)]
        """
        ends = (self.out_channels, self.in_channels)
        w = overlay(start_weights(*ends, *self.kernel_size, transposed=self.transposed), self.w)
        x = overlay(start_input(self.in_channels, *self.size), self.x)
        return x[None], w, overlay(np.arange(1.0, self.out_channels + 1), self.b)

    @traitlets.observe("_ask")
    def _answer(self, change: object = None) -> None:
        if self.function is not None:
            self._yours = {"ask": self._ask, **answer(self.function, self)}


def answer(function: Callable, explorer: ConvExplorer) -> dict:
    """Return what ``function`` makes of the explorer's numbers, or why it was not asked."""
    from course.checks.subject import LocalSubject

    name = explorer._function
    if explorer.transposed:
        return {"why": f"A transposed convolution is not what {name} computes: untick it to compare."}
    if explorer.stride[0] != explorer.stride[1]:
        return {"why": f"{name} takes one stride for both directions: make them equal to compare."}
    if not has_output(explorer):
        return {"why": "These settings give no output that can be drawn, so there is nothing to compare."}
    x, w, b, padding, notes = simplified(explorer)
    keywords = {"stride": explorer.stride[0], "padding": padding}
    call = f"{name}(x, w, b, stride={keywords['stride']}, padding={padding}){notes}"
    outcome = LocalSubject(function, name).call([x, w, b], keywords)
    if outcome.failure:
        where = f" (line {outcome.failure.line}: {outcome.failure.source})" if outcome.failure.line else ""
        if outcome.failure.kind == "odd_value":
            return {"call": call, "error": outcome.failure.message.replace("It returned", "returned", 1)}
        said = f"raised {outcome.failure.type}: {outcome.failure.message}{where}"
        return {"call": call, "error": said.replace(": (", " (")}
    if outcome.value is None:
        return {"call": call, "error": "returned None: is there a `return`?"}
    try:
        values = np.asarray(outcome.value)
    except ValueError:
        return {"call": call, "error": "returned lists of different lengths, which are no array."}
    if values.dtype.kind not in "biuf":
        return {"call": call, "error": f"returned values of dtype {values.dtype}, where numbers are right."}
    if values.size > LONGEST_ANSWER:
        return {"why": f"{call} returned {values.size} numbers, too many to compare here."}
    flat = [
        v if math.isfinite(v) else {"inf": "Infinity", "-inf": "-Infinity"}.get(str(v), "NaN")
        for v in values.ravel().tolist()
    ]
    return {"call": call, "shape": list(values.shape), "values": flat}


def has_output(explorer: ConvExplorer) -> bool:
    """Return whether the settings give an output at all, and one of a size that the figure draws (remarks in core.js)."""
    pairs = (explorer.size, explorer.kernel_size, explorer.stride, explorer.dilation)
    channels = explorer.in_channels, explorer.out_channels
    if min(*channels, *(n for pair in pairs for n in pair)) < 1 or min(explorer.padding) < 0:
        return False
    if (
        max(math.prod(channels) * math.prod(explorer.kernel_size), channels[0] * math.prod(explorer.size))
        > MOST_NUMBERS
    ):
        return False
    for axis, (size, kernel, _, dilation) in enumerate(zip(*pairs, strict=True)):
        room = size + sum(explorer.padding[2 * axis : 2 * axis + 2])
        if size > LARGEST or room > 4 * LARGEST or dilation * (kernel - 1) + 1 > room:
            return False
    return True


def simplified(explorer: ConvExplorer) -> tuple[np.ndarray, np.ndarray, np.ndarray, int, str]:
    """Return x, w, b and one padding that mean the same to a function without dilation, modes or uneven padding."""
    x, w, b = explorer.numbers()
    top, bottom, left, right = explorer.padding
    padding, notes = top, []
    if len(set(explorer.padding)) > 1 or explorer.padding_mode != "zeros":
        around: Any = ((0, 0), (0, 0), (top, bottom), (left, right))
        x = np.pad(x, around, PAD_MODES[explorer.padding_mode])  # type: ignore[call-overload]
        padding = 0
        notes.append("x padded beforehand")
    if explorer.dilation != [1, 1]:
        (rows, cols), (height, width) = explorer.dilation, w.shape[2:]
        holes = np.zeros((*w.shape[:2], rows * (height - 1) + 1, cols * (width - 1) + 1))
        holes[:, :, ::rows, ::cols] = w
        w = holes
        notes.append("w filled up with zeros for the dilation")
    return x, w, b, padding, f" with {' and '.join(notes)}" if notes else ""


def overlay(start: np.ndarray, given: list | None) -> np.ndarray:
    """Lay numbers given by hand over ``start`` wherever both have the place (overlay in core.js)."""
    if given is not None:
        array = np.asarray(given, float)
        shared = tuple(slice(min(sizes)) for sizes in zip(start.shape, array.shape, strict=True))
        start[shared] = array[shared]
    return start


def mixed(c: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Return numbers that look random and depend on the place alone (hash in core.js)."""
    wrap, first, second, third = 2**32, 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
    h = ((c + 1) * first + (i + 1) * second + (j + 1) * third) % wrap
    h = ((h ^ (h >> 15)) * second) % wrap
    return h ^ (h >> 13)


def start_input(channels: int, height: int, width: int) -> np.ndarray:
    """Return digits where they can be read, rings where only the picture can: (C, H, W) (startInput in core.js)."""
    c, i, j = np.indices((channels, height, width), dtype=np.uint64).astype(object)
    if max(height, width) <= 12:
        return (mixed(c, i, j) % 10).astype(float)
    c, i, j = np.indices((channels, height, width))
    return np.abs((((i - 5) ** 2 + (j - 5 - 3 * c) ** 2) >> 4) % 18 - 9).astype(float)


def start_weights(
    filters: int, channels: int, height: int, width: int, *, transposed: bool = False
) -> np.ndarray:
    """Return an edge, an edge the other way, a blur and digits in turn (startWeights in core.js)."""

    def hill(n: int) -> np.ndarray:
        return 1.0 + np.minimum(np.arange(n), np.arange(n)[::-1])

    def slope(n: int) -> np.ndarray:
        return np.ones(1) if n == 1 else np.sign(n - 1 - 2.0 * np.arange(n))

    w = np.empty((filters, channels, height, width))
    for o, c in np.ndindex(filters, channels):
        i, j = np.indices((height, width)).astype(object)
        kinds = [
            lambda: np.outer(hill(height), slope(width)),
            lambda: np.outer(slope(height), hill(width)),
            lambda: np.ones((height, width)),
            lambda: (mixed(o, i + 7 * c, j) % 5 - 2).astype(float),  # noqa: B023
        ]
        w[o, c] = kinds[(o + c) % 4]()
    return w.swapaxes(0, 1).copy() if transposed else w
