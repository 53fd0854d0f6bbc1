"""Brings a student's own earlier functions into a later notebook, and says which are theirs and which are stand-ins.

A notebook imports the functions by name (``from course.carry import conv2d``) and gets a *slot*: until something better is
put into it, it calls the stand-in of course/layers.py. ``carry()`` then reads the student's notebooks beside this one and puts
in every function of theirs that passes its own visible check. In grading there are no other notebooks and no torch:
``carry()`` is not run there, and the drivers of course/checks put simple functions into the slots for as long as they need.
"""

from __future__ import annotations

import ast
import contextlib
import contextvars
import dis
import io
import json
import linecache
import warnings
from collections.abc import Callable, Iterator, Mapping
from html import escape
from pathlib import Path
from types import CodeType
from typing import Any

from course import layers

HOME = {  # where the student wrote it
    "conv2d": "01-convolution",
    "conv2d_backward": "02-convolution-backward",
    "max_pool2d": "03-pooling-and-activations",
    "max_pool2d_backward": "03-pooling-and-activations",
    "relu": "03-pooling-and-activations",
    "relu_backward": "03-pooling-and-activations",
    "linear": "03-pooling-and-activations",
    "linear_backward": "03-pooling-and-activations",
    "softmax_cross_entropy": "03-pooling-and-activations",
    "softmax_cross_entropy_gradient": "03-pooling-and-activations",
    "LeNet5": "07-lenet-in-numpy",
}
PARTS = {  # what something is built from in its own notebook, each with a check of its own
    "LeNet5": ("Flatten", "Linear", "Conv2d", "Sequential"),
}
FUNCTIONS = tuple(name for name in HOME if name not in PARTS)

_plugged: contextvars.ContextVar[Mapping[str, Callable] | None] = contextvars.ContextVar(
    "plugged", default=None
)


class Slot:
    """A function by name: the student's own once it is carried in, until then the stand-in.

    >>> Slot("relu")
    relu (stand-in)
    """

    def __init__(self, name: str):
        self.name = self.__name__ = name
        self.__doc__ = getattr(layers, name).__doc__
        self.own: Callable | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call what is in the slot."""
        function = (_plugged.get() or {}).get(self.name) or self.own or getattr(layers, self.name)
        return function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"{self.name} ({'yours' if self.own else 'stand-in'})"


SLOTS = {name: Slot(name) for name in HOME}


def __getattr__(name: str) -> Slot:
    """Return a slot, for ``from course.carry import conv2d``."""
    if name in SLOTS:
        return SLOTS[name]
    raise AttributeError(f"course.carry knows no function {name!r}; it knows {', '.join(SLOTS)}")


@contextlib.contextmanager
def plugged(functions: Mapping[str, Callable]) -> Iterator[None]:
    """Within the block the slots call these functions, whatever was carried in."""
    token = _plugged.set(functions)
    try:
        yield
    finally:
        _plugged.reset(token)


class Luggage:
    """What was carried: for each function None (it is the student's own), or why a stand-in takes its place."""

    def __init__(self, reasons: Mapping[str, str | None]):
        self.reasons = dict(reasons)

    def rows(self) -> list[tuple[str, str, str]]:
        """Return name, unit, and what is used."""
        return [
            (name, HOME[name], "yours" if reason is None else f"stand-in: {reason}")
            for name, reason in self.reasons.items()
        ]

    def __repr__(self) -> str:
        return "\n".join(f"{name:32}{unit:28}{used}" for name, unit, used in self.rows())

    def _repr_html_(self) -> str:
        head = "<tr><th>function</th><th>written in</th><th>used here</th></tr>"
        body = "".join(
            f"<tr><td><code>{escape(name)}</code></td><td>{escape(unit)}</td>"
            f"<td>{'✓' if used == 'yours' else '○'} {escape(used)}</td></tr>"
            for name, unit, used in self.rows()
        )
        return f"<table>{head}{body}</table>"


def carry(*names: str, folder: Path | str = "..") -> Luggage:
    """Put the student's own functions (all of units 01 to 03, or these) into their slots; returns the list of what is used.

    ``"LeNet5"`` brings all those functions along, since its layers call them. ``folder`` holds the units' folders, each with
    its notebook. A function that is missing, unwritten, broken, or fails its visible check leaves the stand-in in place, and
    the list says why.
    """
    reasons = {}
    wanted = [*FUNCTIONS, *names] if any(name in PARTS for name in names) else names or FUNCTIONS
    for name in dict.fromkeys(wanted):
        SLOTS[name].own, reasons[name] = fetch(name, Path(folder))
    return Luggage(reasons)


def fetch(name: str, folder: Path) -> tuple[Callable | None, str | None]:
    """Return the student's function and None, or None and why it cannot be used."""
    from course.checks import check

    path = folder / HOME[name] / f"{HOME[name]}.ipynb"
    try:
        cells = code_cells(path)
    except OSError:
        return None, "there is no such notebook beside this one"
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, "its notebook cannot be read"
    parts = needed(name, definitions(cells))
    if name not in parts:
        return None, "its notebook does not define it"
    try:
        made = run(parts, str(path))
    except Exception as error:  # whatever the student's code does
        return None, f"its code raised {type(error).__name__}: {error}"[:100]
    for each in (*(part for part in PARTS.get(name, ()) if part in made), name):
        verdict = check(made[each], name=each)
        part = "" if each == name else f"its {each}: "
        if verdict.verdict == "missing":
            return None, f"{part}not written yet"
        if verdict.verdict != "passed":
            return None, f"{part}its check gives {verdict.score:g} of {verdict.max_score:g} points"
    return made[name], None


def code_cells(path: Path) -> list[str]:
    """Return the text of a notebook's code cells."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def definitions(cells: list[str]) -> dict[str, ast.stmt]:
    """Return the top-level statement that gives each name its last value: functions, classes, imports, plain assignments."""
    found: dict[str, ast.stmt] = {}
    for source in cells:
        lines = ["" if line.lstrip().startswith(("%", "!")) else line for line in source.split("\n")]
        try:
            body = ast.parse("\n".join(lines)).body
        except SyntaxError:
            continue
        for statement in body:
            found.update(dict.fromkeys(names_bound(statement), statement))
    return found


def names_bound(statement: ast.stmt) -> list[str]:
    """Return the names that a top-level statement defines."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).split(".")[0] for alias in statement.names]
    if isinstance(statement, ast.Assign):
        return [
            node.id for target in statement.targets for node in ast.walk(target) if isinstance(node, ast.Name)
        ]
    return []


def names_read(statement: ast.stmt) -> list[str]:
    """Return the global names that a statement reads, in the functions in it too; not their arguments and local names."""
    waiting: list[CodeType] = [compile(ast.Module([statement], []), "<carried>", "exec")]
    names = []
    while waiting:
        code = waiting.pop()
        names += [i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")]
        waiting += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return names


def needed(name: str, found: Mapping[str, ast.stmt]) -> dict[str, ast.stmt]:
    """Return the statements that a function needs, itself among them, in an order in which they can run."""
    parts: dict[str, ast.stmt] = {}
    waiting: set[str] = set()

    def add(wanted: str) -> None:
        if wanted not in found or wanted in parts or wanted in waiting:
            return
        waiting.add(wanted)
        for other in names_read(found[wanted]):
            add(other)
        parts[wanted] = found[wanted]

    add(name)
    return parts


def run(parts: Mapping[str, ast.stmt], filename: str) -> dict[str, Any]:
    """Run the statements, each once, in a namespace of their own, in silence."""
    once = list(dict.fromkeys(parts.values()))
    text = "\n\n".join(ast.unparse(statement) for statement in once) + "\n"
    name = f"<student {filename}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    names: dict[str, Any] = {"__name__": "__carried__"}
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(text, name, "exec"), names)
    return names
