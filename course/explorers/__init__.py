"""Explorers: figures to play with. Their maths runs in the browser, so they go on when the kernel stops.

A saved notebook keeps a page of each, which also works when it is exported (nbconvert) and there is no network. Only a
notebook that stores widget state does not: `jupyter nbconvert --execute --ExecutePreprocessor.store_widget_state=False`.

Each is loaded only when it is asked for, and none needs torch:

>>> from course.explorers import ConvExplorer
>>> ConvExplorer(stride=2, padding=1)
ConvExplorer(stride=2, padding=1)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .architecture_builder import ArchitectureBuilder
    from .conv_explorer import ConvExplorer
    from .dropout_lab import DropoutLab
    from .kernel_lab import KernelLab
    from .norm_lab import NormLab
    from .optimizer_plane import OptimizerPlane
    from .pool_lab import PoolLab
    from .receptive_field import ReceptiveField

_MODULES = {
    "ArchitectureBuilder": "architecture_builder",
    "ConvExplorer": "conv_explorer",
    "DropoutLab": "dropout_lab",
    "KernelLab": "kernel_lab",
    "NormLab": "norm_lab",
    "OptimizerPlane": "optimizer_plane",
    "PoolLab": "pool_lab",
    "ReceptiveField": "receptive_field",
}
__all__ = [
    "ArchitectureBuilder",
    "ConvExplorer",
    "DropoutLab",
    "KernelLab",
    "NormLab",
    "OptimizerPlane",
    "PoolLab",
    "ReceptiveField",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
