"""CONTRIBUTING.md can be followed to the letter: its blocks are put where it says, and its commands are run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = (
    "autograder",
    "course",
    "release",
    "solutions",
    "source",
    "tests",
    "pyproject.toml",
    "nbgrader_config.py",
)
HANDING_IN = "# %% [markdown]\n# ## Handing in"


@pytest.fixture
def checkout(tmp_path):
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(
                ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("node_modules", "__pycache__")
            )
        else:
            shutil.copy(ROOT / part, tmp_path)
    return tmp_path


def append(path, text):
    path.write_text(path.read_text() + "\n\n" + text)


def insert_before(path, mark, text):
    before, after = path.read_text().split(mark)
    path.write_text(before + text + "\n" + mark + after)


def run(checkout, *command):
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    done = subprocess.run(
        [sys.executable, *command], cwd=checkout, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_an_exercise_added_as_contributing_says_is_built_and_held_against_its_misconceptions(checkout):
    data, cells, variants = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "CONTRIBUTING.md").read_text(), re.S | re.M
    )
    touched = ("course/checks/images.py", "tests/fairness/variants_01.py")
    append(checkout / touched[0], data)
    insert_before(checkout / "source/00-start-here/00-start-here.py", HANDING_IN, cells)
    append(checkout / touched[1], variants)
    convnets = ("-c", "from autograder.cli import main; main()")
    assert "release/00-start-here" in run(checkout, *convnets, "build", "00-start-here")
    run(checkout, *convnets, "build", "00-start-here", "--check")
    tested = run(checkout, "-m", "pytest", "-q", "-k", "mirror", "tests/mutants", "tests/fairness")
    assert int(re.search(r"(\d+) passed", tested)[1]) > 30
    run(checkout, "-m", "pytest", "-q", "-k", "00-start-here", "tests/notebooks/test_style.py")
    run(checkout, "-m", "ruff", "check", *touched)
