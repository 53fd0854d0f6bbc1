"""ReceptiveField: what one output pixel sees of every level below it."""

from __future__ import annotations

from typing import Any

import traitlets

from .base import SETTING, Explorer, joined, style


class Layers(traitlets.List):
    """Layers as [kind, kernel, stride, padding, dilation]; what is left out is 1, 0, 1, and a pool's stride its kernel."""

    def validate(self, obj: Any, value: Any) -> list | None:
        """Return the layers at full length, or raise TraitError for one that is not a kind and whole numbers."""
        return [self.full(layer) for layer in super().validate(obj, list(value)) or []]

    def full(self, layer: Any) -> list:
        """Return one layer at full length."""
        kind, *sizes = layer if isinstance(layer, list | tuple) and layer else [None]
        if kind not in ("conv", "pool") or not 1 <= len(sizes) <= 4 or not all(type(n) is int for n in sizes):
            raise traitlets.TraitError(
                f"A layer is ('conv' or 'pool', kernel, stride, padding, dilation), not {layer!r}."
            )
        return [kind, *sizes, *[sizes[0] if kind == "pool" else 1, 0, 1][len(sizes) - 1 :]]


class ReceptiveField(Explorer):
    """Show the receptive field of an output pixel at every level: at most, and in effect where all layers average.

    ``layers`` are (kind, kernel, stride, padding, dilation), square, with kind "conv" or "pool"; ``size`` is the input's.

    >>> ReceptiveField(layers=[("conv", 5), ("pool", 2)], size=12)
    ReceptiveField(layers=[['conv', 5, 1, 0, 1], ['pool', 2, 2, 0, 1]], size=12)

    Raises TypeError for a setting that does not exist, TraitError for a layer of another form.
    """

    _esm = joined("receptive_field")
    _css = style()

    layers = Layers(default_value=[["conv", 3, 1, 0, 1]] * 3).tag(**SETTING)
    size = traitlets.Int(16).tag(**SETTING)
    effective = traitlets.Bool(True).tag(**SETTING)
