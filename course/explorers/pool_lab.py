"""PoolLab: what a window keeps, what a shift by one pixel changes, where the gradient goes."""

from __future__ import annotations

import traitlets

from .base import SETTING, Explorer, Numbers, Sides, joined, style


class PoolLab(Explorer):
    """Show max, average and L2 pooling of one channel: each window, the effect of a move, the gradient.

    ``size``, ``kernel_size`` and ``stride`` are one number or (rows, columns). ``shift`` moves the input down and right,
    round its edges. ``x`` (H, W) sets the numbers. A gradient goes to the first of the largest, in row-major order.

    >>> PoolLab(kernel_size=3, kind="average")
    PoolLab(kind='average', kernel_size=3)

    Raises TypeError for a setting that does not exist, TraitError for one of the wrong type.
    """

    _esm = joined("pool_lab")
    _css = style()

    kind = traitlets.Enum(["max", "average", "l2"], default_value="max").tag(**SETTING)
    size = Sides([8, 8]).tag(**SETTING)
    kernel_size = Sides([2, 2]).tag(**SETTING)
    stride = Sides([2, 2]).tag(**SETTING)
    shift = Sides([0, 0]).tag(**SETTING)
    x = Numbers(2).tag(**SETTING)

    def __init__(self, **settings: object):
        super().__init__(**settings)
        if self.x is not None and "size" not in settings:
            self.size = [len(self.x), len(self.x[0])]
