"""Writes what was measured into RESULTS.md: with the command, the machine and how often; nothing that was not measured."""

import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "tests/benchmarks/RESULTS.md"


def machine():
    """Return the device that torch computes on here, and the versions."""
    software = f"torch {torch.__version__}, Python {platform.python_version()}"
    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name(0)}, CUDA {torch.version.cuda}, {software}"
    names = (
        re.findall(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.M)
        if sys.platform == "linux"
        else []
    )
    return f"{(names or [platform.machine()])[0]}, threads: {torch.get_num_threads()}, {software}"


def commit():
    """Return the commit that this checkout is at, if it is one."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True
    )
    return done.stdout.strip() or "no checkout"


def table(header, rows):
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def section(title, body):
    """Return a section: what was called, when, on what, and the table."""
    command = " ".join([f"python -m {sys.modules['__main__'].__spec__.name}", *sys.argv[1:]])
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"## {title}\n\n    {command}\n\n{when}, commit {commit()}, {machine()}.\n\n{body}\n"


def record(text, path=RESULTS):
    """Put a section into the file: in the place of the one with its title, or at the end."""
    title = text.splitlines()[0]
    old = path.read_text() if path.exists() else "# Results, as measured\n"
    head, *parts = ("\n" + old).split("\n## ")
    kept = [f"## {part.strip()}\n" for part in parts]
    place = next((i for i, part in enumerate(kept) if part.splitlines()[0] == title), len(kept))
    kept[place : place + 1] = [text]
    path.write_text("\n".join([head.strip() + "\n", *kept]))
