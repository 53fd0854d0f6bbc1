"""OptimizerPlane: paths of several optimizers over one surface."""

from __future__ import annotations

import traitlets

from .base import SETTING, Explorer, Numbers, joined, style

METHODS = ["descent", "momentum", "average", "nesterov", "adam"]


class OptimizerPlane(Explorer):
    """Show how optimizers walk down a surface of two weights, and with which learning rates and betas one converges.

    ``methods`` are any of descent, momentum (v = beta v + g, as torch), average (v = beta v + (1 - beta) g), nesterov
    and adam; ``start`` is (x, y) from -4 to 4; ``mapped`` is the method of the map.

    >>> OptimizerPlane(surface="saddle", rate=0.1)
    OptimizerPlane(surface='saddle', rate=0.1)

    Raises TypeError for a setting that does not exist, TraitError for one of the wrong type.
    """

    _esm = joined("optimizer_plane")
    _css = style()

    surface = traitlets.Enum(["ravine", "bowl", "saddle", "noisy"], default_value="ravine").tag(**SETTING)
    methods = traitlets.List(traitlets.Enum(METHODS), default_value=["descent", "momentum"]).tag(**SETTING)
    rate = traitlets.Float(0.03).tag(**SETTING)
    beta = traitlets.Float(0.9).tag(**SETTING)
    steps = traitlets.Int(100).tag(**SETTING)
    start = Numbers(1, [-3.5, 2]).tag(**SETTING)
    mapped = traitlets.Enum(METHODS, default_value="momentum").tag(**SETTING)
