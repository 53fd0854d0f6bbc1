"""Which files a unit's marks depend on: so a changed check means grading again where it counts, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import course

COURSE = Path(course.__file__).parent
IMPORT = re.compile(r"^\s*(?:from|import)\s+([\w.]+)(?:\s+import\s+(\([^)]*\)|.*))?", re.M)
QUOTED = re.compile(r"""["'](\w+)["']""")
ALWAYS = ("__init__", "registry")  # the way into the checks; registry only lists the others


@cache
def sources(exercises: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the files of course/ on which verdicts on ``exercises`` depend: all but the checks of other exercises.

    Of an exercise that no check module names, nothing is known, and all files count.
    """
    checks = {path.stem: path for path in (COURSE / "checks").glob("*.py")}
    words = {name: mentions(path) for name, path in checks.items()}
    topics = {name: [module for module, found in words.items() if name in found] for name in exercises}
    if not all(topics.values()):
        return tuple(sorted(COURSE.rglob("*.py")))
    waiting = [*ALWAYS, *(module for modules in topics.values() for module in modules)]
    needed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += [] if name == "registry" else words[name] & set(checks)
    others = {path for name, path in checks.items() if name not in needed}
    return tuple(sorted(path for path in COURSE.rglob("*.py") if path not in others))


@cache
def mentions(path: Path) -> frozenset[str]:
    """Return what a module names: modules that it imports, and whatever it has in quotes, exercises and modules among it."""
    text = path.read_text("utf8")
    imported = " ".join(f"{module} {names}" for module, names in IMPORT.findall(text))
    return frozenset(re.findall(r"\w+", imported)) | frozenset(QUOTED.findall(text))


def exercises_of(names: Iterable[str]) -> tuple[str, ...]:
    """Return the exercises that test cells called ``names`` test."""
    return tuple(sorted(name.removeprefix("test_") for name in names))
