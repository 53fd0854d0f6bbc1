"""An instructor's course folder: the lessons' source, nbgrader's configuration, and what to do next."""

from __future__ import annotations

import shutil
from pathlib import Path

from autograder.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent
PAGE = Path(__file__).with_name("INSTRUCTOR.md")  # what to do in such a folder, step by step


def init(folder: Path) -> list[Path]:
    """Fill ``folder``, which must be new or empty, and return what was put there."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; give the name of a new folder.")
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty; give the name of a new folder.")
    if not (ROOT / "source").is_dir():
        raise UsageError(f"There are no lessons in {ROOT / 'source'}: run this from a checkout of convnets.")
    folder.mkdir(parents=True, exist_ok=True)
    leftovers = shutil.ignore_patterns(".*", "__pycache__", "*.ipynb")  # an .ipynb there is jupytext's twin
    shutil.copytree(ROOT / "source", folder / "source", ignore=leftovers)
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    shutil.copy(PAGE, folder / "README.md")
    return [folder / "source", folder / "nbgrader_config.py", folder / "README.md"]
