"""DropoutLab: masks over a small net, and the average over many of them against the whole net."""

from __future__ import annotations

import traitlets

from .base import SETTING, Explorer, Numbers, joined, style


class DropoutLab(Explorer):
    """Show dropout in a net of two hidden layers: one mask at a time, the average over masks, and the scaled net.

    ``p`` is the probability of dropping a unit; ``inverted`` scales in training by 1 / (1 - p), as torch does, else the
    classic form scales in evaluation by 1 - p. ``units`` a layer are 1 to 6, so that all masks can be counted.

    >>> DropoutLab(p=0.2, activation="linear")
    DropoutLab(p=0.2, activation='linear')

    Raises TypeError for a setting that does not exist, TraitError for one of the wrong type.
    """

    _esm = joined("dropout_lab")
    _css = style()

    p = traitlets.Float(0.5).tag(**SETTING)
    training = traitlets.Bool(True).tag(**SETTING)
    inverted = traitlets.Bool(True).tag(**SETTING)
    activation = traitlets.Enum(["relu", "linear"], default_value="relu").tag(**SETTING)
    units = traitlets.Int(5).tag(**SETTING)
    masks = traitlets.Int(200).tag(**SETTING)
    x = Numbers(1, [1, -2, 0.5]).tag(**SETTING)
