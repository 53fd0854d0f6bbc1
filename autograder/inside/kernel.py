"""A whole Jupyter kernel as the student's process: for notebooks whose tests run beside the student's code."""

from __future__ import annotations

import json
from pathlib import Path

# imported before the fork, for they are most of what a kernel's start takes
PRELOAD = (
    "pdb",
    "debugpy",
    "ipykernel.kernelapp",
    "ipykernel.debugger",
    "IPython.core.debugger",
    "ipykernel.zmqshell",
)


def run_kernel(connection: dict) -> None:
    """Be the kernel that ``connection`` describes, until it is told to shut down."""
    from ipykernel.kernelapp import IPKernelApp

    from .shell import StudentShell

    StudentShell.clear_instance()
    path = Path("/tmp/.kernel.json")
    path.write_text(json.dumps(connection))
    path.chmod(0o600)
    IPKernelApp.launch_instance(["-f", str(path), "--HistoryManager.hist_file=:memory:"])
