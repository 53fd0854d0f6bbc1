"""NormLab: which numbers are averaged together, and what normalising does to them."""

from __future__ import annotations

import traitlets

from .base import SETTING, Explorer, joined, style


class NormLab(Explorer):
    """Show batch, layer, instance and group normalisation of a batch of shape (batch, channels, places).

    ``training`` uses the batch's own statistics, else batch normalisation uses the running ones; ``momentum`` is the
    weight of the new batch, and the running variance is unbiased, as in torch. ``outlier`` is added to the first number.

    >>> NormLab(kind="group", groups=2, outlier=30)
    NormLab(kind='group', outlier=30)

    Raises TypeError for a setting that does not exist, TraitError for one of the wrong type.
    """

    _esm = joined("norm_lab")
    _css = style()

    kind = traitlets.Enum(["batch", "layer", "instance", "group"], default_value="batch").tag(**SETTING)
    batch = traitlets.Int(4).tag(**SETTING)
    channels = traitlets.Int(4).tag(**SETTING)
    places = traitlets.Int(4).tag(**SETTING)
    groups = traitlets.Int(2).tag(**SETTING)
    gamma = traitlets.Float(1).tag(**SETTING)
    beta = traitlets.Float(0).tag(**SETTING)
    eps = traitlets.Float(1e-5).tag(**SETTING)
    momentum = traitlets.Float(0.1).tag(**SETTING)
    training = traitlets.Bool(True).tag(**SETTING)
    outlier = traitlets.Float(0).tag(**SETTING)
