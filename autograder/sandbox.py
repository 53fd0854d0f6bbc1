"""Where student code runs: bubblewrap around a warm fork server, with limits.

Inside, one sees Python, the allowed packages, the ``course`` package and an empty folder; no network, no other process,
no file of the instructor or of another student. autograder/inside is the code that runs there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from typing import Any

from traitlets import Bool, Dict, Float, Integer, List, Unicode
from traitlets.config import LoggingConfigurable

from .errors import UsageError
from .view import bubblewrap

MEGABYTE = 1 << 20
NO_BUBBLEWRAP = (
    "student code runs in bubblewrap, which does not work here ({why}); on Debian and Ubuntu: "
    "sudo apt-get install bubblewrap. `convnets doctor` says more; --unsafe-no-sandbox grades without any protection"
)


class SandboxError(RuntimeError):
    """The sandbox itself failed: never the student's fault."""


class Sandbox(LoggingConfigurable):
    """Settings of the place where student code runs (``c.Sandbox.call_seconds = 20`` in nbgrader_config.py)."""

    call_seconds = Float(10, help="Longest that one call of a student's function may take.").tag(config=True)
    cell_seconds = Float(30, help="Longest that one of the student's cells may run.").tag(config=True)
    notebook_seconds = Float(600, help="Longest that a whole notebook may take.").tag(config=True)
    memory_mb = Integer(2048, help="Memory that a submission's processes may hold together.").tag(config=True)
    processes = Integer(64, help="Processes and threads that a submission may have.").tag(config=True)
    disk_mb = Integer(256, help="What a submission may write, in all.").tag(config=True)
    file_mb = Integer(64, help="The largest file that a submission may bring or write.").tag(config=True)
    files = Integer(256, help="Files that a process may have open.").tag(config=True)
    output_kb = Integer(
        1024, help="Output of one cell that is kept, and of a notebook eight times that; the rest is dropped."
    ).tag(config=True)
    notebook_mb = Integer(100, help="The largest notebook file that is read.").tag(config=True)
    answer_mb = Integer(64, help="The largest value that a student's function may return.").tag(config=True)
    packages = List(
        Unicode(),
        ["numpy", "matplotlib", "ipython", "ipykernel", "ipywidgets", "anywidget", "pooch", "tqdm"],
        help="Distributions, with all that they need, that student code may import.",
    ).tag(config=True)
    torch_packages = List(
        Unicode(),
        ["torch", "scikit-learn"],
        help="Further distributions in units whose notebooks import torch; nowhere else.",
    ).tag(config=True)
    environment = Dict(
        {}, help="Environment variables that student code sees, beside those needed to run."
    ).tag(config=True)
    units = Dict(
        {}, help="Settings per unit: {'07-lenet-in-numpy': {'cell_seconds': 120}}; 'torch': True adds torch."
    ).tag(config=True)
    unsafe = Bool(
        False, help="Run student code with no sandbox at all: a cell can then do all that you can."
    ).tag(config=True)

    def for_unit(self, unit: str, torch: bool) -> dict[str, Any]:
        """Return all settings of a unit as plain data; ``torch`` is whether its notebook imports it."""
        own = dict(self.units.get(unit, {}))
        torch = bool(own.pop("torch", torch))
        unknown = set(own) - set(self.class_own_traits(config=True))
        if unknown:
            raise UsageError(
                f"nbgrader_config.py: Sandbox.units[{unit!r}] has no setting {sorted(unknown)[0]!r}"
            )
        settings = {name: getattr(self, name) for name in self.class_own_traits(config=True)} | own
        del settings["units"]
        extra = settings.pop("torch_packages")
        settings["packages"] = sorted({*settings["packages"], *(extra if torch else [])})
        settings["preload"] = ["torch"] if torch else []
        return settings


@cache
def why_no_sandbox() -> str:
    """Return why bubblewrap cannot be used here, or an empty string."""
    if not sys.platform.startswith("linux"):
        return "it exists on Linux only"
    if not shutil.which("bwrap"):
        return "no bwrap on the PATH"
    command = [*bubblewrap(), "--ro-bind", "/", "/", "--", "true"]
    result = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ.get("PATH", "")})
    said = result.stderr.strip().splitlines() or [f"bwrap ended with exit code {result.returncode}"]
    return said[-1] if result.returncode else ""


def require_sandbox() -> None:
    """Raise a UsageError that says what to do where student code cannot be contained."""
    if why_no_sandbox():
        raise UsageError(NO_BUBBLEWRAP.format(why=why_no_sandbox()))
