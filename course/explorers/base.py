"""What every explorer has: one joined JavaScript module, a repr that is the constructor call, a page without a kernel."""

from __future__ import annotations

import inspect
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

SETTING = {"sync": True, "setting": True}
HERE = Path(__file__).parent
IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.js";\n', re.MULTILINE)
MODEL = """const model = { get: (k) => state[k], set: (k, v) => { state[k] = v; }, on() {}, off() {}, save_changes() {} };"""


@cache
def joined(name: str) -> str:
    """Return ``name``.js and all that it imports as one module: a relative import fails in a module from a blob."""
    order: list[str] = []

    def visit(part: str) -> None:
        for needed in IMPORT.findall((HERE / f"{part}.js").read_text("utf-8")):
            if needed not in order:
                visit(needed)
        if part not in order:
            order.append(part)

    visit(name)
    parts = [IMPORT.sub("", (HERE / f"{part}.js").read_text("utf-8")) for part in order]
    shared = [re.sub(r"^export ", "", part, flags=re.MULTILINE) for part in parts[:-1]]
    return "\n".join([*shared, parts[-1]])


@cache
def style() -> str:
    """Return the style sheet that all explorers share."""
    return (HERE / "explorer.css").read_text("utf-8")


class Sides(traitlets.List):
    """A whole number for each side: two for rows and columns, four for top, bottom, left, right.

    One number stands for all; two of four are (top and bottom, left and right). Whether the numbers make sense is
    for the explorer to explain, not for this to block.
    """

    def __init__(self, default: list[int]):
        super().__init__(traitlets.Int(), default_value=default, minlen=len(default), maxlen=len(default))
        self.count = len(default)

    def validate(self, obj: Any, value: Any) -> list | None:
        """Return ``value`` as a list of the full length."""
        value = value.tolist() if hasattr(value, "tolist") else value  # NumPy's numbers and arrays
        if isinstance(value, int) and not isinstance(value, bool):
            value = [value] * self.count
        elif isinstance(value, list | tuple) and len(value) == 2 and self.count == 4:
            value = [value[0], value[0], value[1], value[1]]
        return super().validate(obj, list(value) if isinstance(value, tuple) else value)


def whole(value: object) -> object:
    """Return numbers with 1.0 written as 1, as JavaScript writes them, in lists of any depth."""
    if isinstance(value, list | tuple):
        return [whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Numbers(traitlets.TraitType):
    """Nested lists of numbers, made of an array, a tensor or a list; None where the explorer has its own."""

    info_text = "None or an array of numbers"

    def __init__(self, dimensions: int, default: list | None = None):
        super().__init__(default_value=default, allow_none=default is None)
        self.dimensions = dimensions

    def validate(self, obj: object, value: object) -> object:
        """Return ``value`` as nested lists, or raise TraitError where its dimensions are wrong."""
        if value is None and self.allow_none:
            return None
        try:
            array = np.asarray(value.tolist() if hasattr(value, "tolist") else value)
        except ValueError:
            raise traitlets.TraitError(f"{self.name} needs rows of one length.") from None
        if array.dtype.kind not in "biuf" or array.ndim != self.dimensions or not array.size:
            raise traitlets.TraitError(
                f"{self.name} needs {self.dimensions} dimensions of numbers, not {array.ndim}."
            )
        return whole(array.tolist())


class Explorer(anywidget.AnyWidget):
    """An interactive figure; its settings are the traits tagged ``setting``, in the order in which they are written."""

    _defaults = traitlets.Dict().tag(sync=True)
    _function = traitlets.Unicode().tag(sync=True)

    def __init__(self, **settings: object):
        unknown = sorted(set(settings) - set(self.settings()))
        if unknown:
            raise TypeError(
                f"{type(self).__name__} has no {unknown[0]!r}; it has {', '.join(self.settings())}."
            )
        super().__init__()
        self._defaults = {name: getattr(self, name) for name in self.settings()}
        with self.hold_trait_notifications():
            for name, value in settings.items():
                setattr(self, name, value)

    def __init_subclass__(cls, **kwargs: dict) -> None:
        super().__init_subclass__(**kwargs)
        parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in cls.settings()]
        cls.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]

    @classmethod
    def settings(cls) -> list[str]:
        """Return the names of the settings, in the order of the class."""
        every = [item for klass in reversed(cls.__mro__) for item in vars(klass).items()]
        return [name for name, trait in every if getattr(trait, "metadata", {}).get("setting")]

    def __repr__(self) -> str:
        changed = [name for name in self.settings() if getattr(self, name) != self._defaults[name]]
        given = [f"{name}={self.literal(name)}" for name in changed]
        return f"{type(self).__name__}({', '.join([self._function] * self._function.isidentifier() + given)})"

    def literal(self, name: str) -> str:
        """Return the value of a setting as Python source, sides in their shortest form."""
        value = getattr(self, name)
        if not isinstance(self.traits()[name], Sides):
            return repr(whole(value))
        if len(set(value)) == 1:
            return str(value[0])
        if len(value) == 4 and value[0] == value[1] and value[2] == value[3]:
            value = value[::2]
        return f"({', '.join(map(str, value))})"

    def page(self) -> str:
        """Return the explorer as HTML that needs neither kernel nor network, for exported pages."""
        names = [name for name in self.keys if name in self.settings() or name in self.traits(page=True)]
        state = {name: getattr(self, name) for name in [*names, "_defaults", "_function"]}
        code, start = (json.dumps(part).replace("<", "\\u003c") for part in (self._esm, state))
        return (
            f"<style>{style()}</style><div></div><script>{{ const host = document.currentScript.previousElementSibling;"
            f"const state = {start}; {MODEL} const code = {code};"
            'import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })))'
            ".then((module) => module.default.render({ model, el: host })); }</script>"
        )

    def _repr_mimebundle_(self, **kwargs: dict) -> tuple[dict, dict] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle:
            bundle[0]["text/html"] = self.page()
        return bundle
