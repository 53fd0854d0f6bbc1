"""ArchitectureBuilder: a net layer by layer, with what each costs, holds and sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from .base import SETTING, Explorer, joined, style, whole

if TYPE_CHECKING:
    from torch import nn

NETS = ["lenet-5", "alexnet", "vgg-16", "resnet-18"]
KERNEL = object()  # left out: as the kernel
# Kind -> its values, each with what it is when left out; a type where it has to be given (KINDS in layers.js).
POOL = {"kernel": int, "stride": KERNEL, "padding": 0}
KINDS: dict[str, dict[str, object]] = {
    "conv": {"filters": int, "kernel": int, "stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True},
    "maxpool": POOL,
    "avgpool": POOL,
    "adaptivepool": {"size": 1},
    "batchnorm": {},
    "lrn": {"size": 5},
    "relu": {},
    "leakyrelu": {"slope": 0.01},
    "tanh": {},
    "sigmoid": {},
    "gelu": {},
    "silu": {},
    "softmax": {},
    "dropout": {"p": 0.5},
    "flatten": {},
    "linear": {"features": int, "bias": True},
}  # fmt: skip


def shortest(layer: Any) -> Any:
    """Return a layer without what is left at its usual value, as a kind alone or [kind, values ...].

    >>> shortest(("conv", 6, 5, 1, 0)), shortest(("maxpool", 2, 2)), shortest(["relu"])
    (['conv', 6, 5], ['maxpool', 2], 'relu')

    Raises TraitError for a layer that is none.
    """
    parts: list = (
        [layer] if isinstance(layer, str) else list(layer) if isinstance(layer, list | tuple) else []
    )
    kind, *values = parts or [None]
    if (
        kind == "residual"
        and 1 <= len(values) <= 2
        and all(isinstance(part, list | tuple) for part in values)
    ):
        lists = [[shortest(one) for one in part] for part in values]
        return ["residual", *lists[: 2 if lists[1:] and lists[1] else 1]]
    known = KINDS.get(kind) if isinstance(kind, str) else None
    if known is None:
        raise traitlets.TraitError(f"{layer!r} is no layer: a layer is {', '.join(KINDS)} or residual.")
    usual = [values[0] if one is KERNEL and values else one for one in known.values()]
    if len(values) > len(usual) or int in usual[len(values) :] or not all(map(fits, values, usual)):
        form = ", ".join([repr(kind), *known])
        raise traitlets.TraitError(f"A layer of this kind is ({form}), each a number, not {layer!r}.")
    values = [whole(value) for value in values]
    while values and values[-1] == usual[len(values) - 1]:
        values.pop()
    return [kind, *values] if values else kind


def fits(value: object, usual: object) -> bool:
    """Return whether a value is of the kind of the usual one; whether it makes sense the figure says."""
    if isinstance(usual, bool):
        return isinstance(value, bool)
    return type(value) is int or (type(value) is float and isinstance(usual, float))


class Layers(traitlets.List):
    """Layers of a net, each in its shortest form; None where the preset's are meant."""

    def validate(self, obj: Any, value: Any) -> list | None:
        """Return the layers in their shortest form, or raise TraitError for one that is none."""
        return [shortest(layer) for layer in super().validate(obj, list(value)) or []]


class ArchitectureBuilder(Explorer):
    """Build a net layer by layer: shapes, parameters, multiply-adds, memory and what an output sees of the input.

    ``preset`` is "lenet-5", "alexnet", "vgg-16" or "resnet-18"; ``layers`` take the place of its layers, ``input_size``
    (C, H, W) of its input's. A layer is a kind, or a kind and its values, of which the last can be left out:
    ("conv", filters, kernel, stride, padding, dilation, groups, bias), ("maxpool" or "avgpool", kernel, stride, padding),
    ("adaptivepool", size), ("lrn", size), ("linear", features, bias), ("dropout", p), ("leakyrelu", slope), "batchnorm",
    "relu", "tanh", "sigmoid", "gelu", "silu", "softmax", "flatten". ("residual", body, shortcut) adds what two lists of
    layers put out; without a shortcut, what came in. Multiply-adds are those of convolutions and linear layers;
    memory is that of each row's output in float32.

    >>> ArchitectureBuilder(preset="alexnet")
    ArchitectureBuilder(preset='alexnet')
    >>> ArchitectureBuilder(layers=[("conv", 8, 3), "relu", "flatten", ("linear", 10)], input_size=(3, 32, 32))
    ArchitectureBuilder(layers=[['conv', 8, 3], 'relu', 'flatten', ['linear', 10]], input_size=[3, 32, 32])

    Raises TypeError for a setting that does not exist, TraitError for a layer of another form. Layers that do not fit
    together are explained in the figure.
    """

    _esm = joined("architecture_builder")
    _css = style()

    preset = traitlets.Enum(NETS, default_value="lenet-5").tag(**SETTING)
    layers = Layers(default_value=None, allow_none=True).tag(**SETTING)
    input_size = traitlets.List(traitlets.Int(), default_value=None, allow_none=True, minlen=3, maxlen=3).tag(
        **SETTING
    )

    @classmethod
    def from_module(
        cls, module: nn.Module, input_size: tuple[int, int, int] = (3, 224, 224)
    ) -> ArchitectureBuilder:
        """Return the figure of a torch module, by following an input of ``input_size`` (C, H, W) through it.

        Nothing is computed, and the module stays as it is. Sums of two branches become residual blocks.

        >>> from torch import nn
        >>> ArchitectureBuilder.from_module(nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU()), input_size=(1, 28, 28))
        ArchitectureBuilder(layers=[['conv', 6, 5], 'relu'], input_size=[1, 28, 28])

        Raises ValueError, in one line, for a module that cannot be drawn.
        """
        from .from_torch import layers_of

        return cls(layers=layers_of(module, input_size), input_size=list(input_size))
