"""What works on this machine, in plain words, and what to do about what does not."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# the least that the sandbox needs: a user namespace with no network and its own processes, able to mount
BWRAP = (
    *("bwrap", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),
    *("--unshare-user", "--unshare-net", "--unshare-pid", "--cap-add", "CAP_SYS_ADMIN", "true"),
)


@dataclass(frozen=True)
class Finding:
    """One thing looked at: whether it works, what was seen, and what to do if it does not.

    ``needed`` is False for what only some people need: ``convnets doctor`` fails only on the rest.
    """

    name: str
    works: bool
    seen: str
    advice: str = ""
    needed: bool = False

    def __str__(self) -> str:
        mark = "works " if self.works else "BROKEN" if self.needed else "absent"
        lines = [f"{mark}  {self.name + ':':<12} {self.seen}"]
        if not self.works and self.advice:
            lines.append(f"{'':21} -> {self.advice}")
        return "\n".join(lines)


def examine() -> list[Finding]:
    """Look at everything, in the order in which it is shown."""
    return [look() for look in LOOKS]


def python() -> Finding:
    """Look at the interpreter."""
    seen = f"{sys.version.split()[0]} in {sys.prefix}"
    advice = "install Python 3.11 or newer, then: make env PYTHON=python3.11"
    return Finding("Python", sys.version_info >= (3, 11), seen, advice, needed=True)


def packages() -> Finding:
    """Hold what is installed against constraints.txt: missing breaks the course, another version only may."""
    advice = "run: make env"
    try:
        declared = declared_packages()
    except importlib.metadata.PackageNotFoundError:
        return Finding("Packages", False, "convnets itself is not installed", advice, needed=True)
    missing, other = compare_versions(pinned_versions())
    missing = [name for name in missing if name in declared]
    if missing:
        return Finding("Packages", False, f"not installed: {', '.join(missing)}", advice, needed=True)
    if other:
        seen = f"all there, but not in the versions that were tested: {', '.join(other)}"
        return Finding("Packages", False, seen, f"if something misbehaves, {advice}")
    return Finding("Packages", True, "all there, in the versions that were tested")


def pinned_versions() -> dict[str, str]:
    """Return name to version as in constraints.txt; empty when there is no such file (a plain install)."""
    path = ROOT / "constraints.txt"
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", path.read_text(), re.M)) if path.exists() else {}


def declared_packages() -> set[str]:
    """Return the names that the course itself asks for, without its extras."""
    lines = importlib.metadata.requires("convnets") or []
    return {re.split(r"[^\w.-]", line)[0] for line in lines if "extra ==" not in line}


def compare_versions(pinned: dict[str, str]) -> tuple[list[str], list[str]]:
    """Return the pinned packages that are missing, and the others as ``name 2.0 (tested: 1.9)``."""
    missing, other = [], []
    for name, version in pinned.items():
        try:
            found = importlib.metadata.version(name).partition("+")[0]  # 2.13.0+cpu is 2.13.0
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        if found != version:
            other.append(f"{name} {found} (tested: {version})")
    return missing, other


def gpu() -> Finding:
    """Ask torch for an accelerator."""
    advice = "nothing to do: every unit also runs on the processor"
    try:
        import torch
    except ImportError:
        return Finding("GPU", False, "torch is not installed", "run: make env")
    if torch.cuda.is_available():
        return Finding("GPU", True, torch.cuda.get_device_name(0))
    if torch.backends.mps.is_available():
        return Finding("GPU", True, "Apple's, through Metal (mps)")
    return Finding("GPU", False, f"torch {torch.__version__} sees none", advice)


def sandbox() -> Finding:
    """Run bubblewrap for real, as grading does."""
    if not sys.platform.startswith("linux"):
        return Finding("Sandbox", False, "needs Linux", "grade on Linux; doing the course needs no sandbox")
    if not shutil.which("bwrap"):
        return Finding(
            "Sandbox", False, "bubblewrap is not installed", "to grade: sudo apt install bubblewrap"
        )
    done = run(*BWRAP)
    if done.returncode == 0:
        return Finding("Sandbox", True, run("bwrap", "--version").stdout.strip())
    advice = (
        "to grade, let users make namespaces: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 "
        "(Ubuntu) or kernel.unprivileged_userns_clone=1 (Debian), in Docker --security-opt seccomp=unconfined"
    )
    return Finding("Sandbox", False, f"bubblewrap cannot run: {last_line(done.stderr)}", advice)


def browser() -> Finding:
    """Start Chromium, which the browser tests and the screenshots need."""
    path = find_browser()
    if not path:
        advice = "only the browser tests need it: sudo apt install chromium"
        return Finding("Browser", False, "no Chromium", advice)
    done = run(path, "--version")
    seen = last_line(done.stdout or done.stderr)
    return Finding("Browser", done.returncode == 0, seen, "reinstall chromium")


def find_browser() -> str | None:
    """Return the path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def postgres() -> Finding:
    """Look for PostgreSQL's own programs, with which the tests start a server of theirs."""
    debian = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    found = shutil.which("initdb") or next(iter(debian), "")
    advice = "only a large course's gradebook needs it: sudo apt install postgresql"
    return Finding("PostgreSQL", bool(found), found or "not installed", advice)


def data() -> Finding:
    """Load the pictures that come with scikit-learn: the lessons start with them, with no network."""
    try:
        from sklearn.datasets import load_sample_images

        count = len(load_sample_images().images)
    except Exception as error:  # whatever it is, the lessons cannot show a photograph
        return Finding("Data", False, f"scikit-learn's photographs: {error}", "run: make env", needed=True)
    folder = os.environ.get("CONVNETS_DATA")
    more = f"; downloads are read from {folder}" if folder else ""
    return Finding("Data", True, f"{count} photographs and the digits come with scikit-learn{more}")


def nbgrader() -> Finding:
    """Look at what nbgrader needs around it: its alembic on PATH, and a kernel called python3."""
    if not importlib.util.find_spec("nbgrader"):
        return Finding("nbgrader", False, "not installed", "run: make env", needed=True)
    version = importlib.metadata.version("nbgrader")
    if not shutil.which("alembic"):
        advice = "put .venv/bin on PATH"
        return Finding("nbgrader", False, f"{version}, but it finds no alembic", advice, needed=True)
    from jupyter_client.kernelspec import KernelSpecManager

    if "python3" not in KernelSpecManager().find_kernel_specs():
        advice = "run: python -m ipykernel install --sys-prefix"
        return Finding("nbgrader", False, f"{version}, but no kernel named python3", advice, needed=True)
    return Finding("nbgrader", True, f"{version}, with its alembic and the python3 kernel")


def run(*command: str) -> subprocess.CompletedProcess:
    """Run a command that answers at once."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


def last_line(text: str) -> str:
    """Return the last line that says something."""
    return (text.strip().splitlines() or ["it said nothing"])[-1]


LOOKS: tuple[Callable[[], Finding], ...] = (python, packages, nbgrader, data, sandbox, gpu, browser, postgres)
