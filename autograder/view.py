"""What can be seen and done inside the sandbox: bubblewrap's command line."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import sys
import sysconfig
from functools import cache
from pathlib import Path

import course

INSIDE = Path(__file__).with_name("inside")
CHECKS = "/site/course/checks"
STUDENTS_SIDE = ("drivers", "*_drivers", "exercise", "pretend", "recipe", "subject", "verdict")


def bubblewrap() -> list[str]:
    """Return the start of the command: namespaces, and the few rights that the fork server needs to make more."""
    rights = ["CAP_SYS_ADMIN", "CAP_SETPCAP"]
    if os.getuid() == 0:  # root needs no user namespace, and can give each child a user of its own
        rights += ["CAP_SETUID", "CAP_SETGID", "CAP_KILL"]
    return [
        shutil.which("bwrap") or "bwrap",
        *([] if os.getuid() == 0 else ["--unshare-user"]),
        *("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
        *("--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"),
        *(word for right in rights for word in ("--cap-add", right)),
    ]


def view(packages: list[str], sockets: Path | None = None) -> list[str]:
    """Return bubblewrap's options for what can be seen inside.

    With ``sockets``, notebooks run as a whole in kernels there, tests included, so all of the checks are there too.
    """
    stdlib = Path(sysconfig.get_path("stdlib"))
    options = []
    parents = [parent for parent in reversed(Path(sys.base_prefix).parents) if parent != Path("/")]
    for folder in ("/site", "/engine", "/etc", "/run", "/run/kernel", *parents):
        options += ["--perms", "0755", "--dir", str(folder)]
    options += ["--ro-bind", "/usr", "/usr"]
    for name in ("lib", "lib64", "bin"):
        if Path(f"/{name}").is_symlink():
            options += ["--symlink", os.readlink(f"/{name}"), f"/{name}"]
        elif Path(f"/{name}").exists():
            options += ["--ro-bind", f"/{name}", f"/{name}"]
    options += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    options += ["--ro-bind-try", "/etc/localtime", "/etc/localtime"]
    if not Path(sys.base_prefix).is_relative_to("/usr"):
        options += ["--ro-bind", sys.base_prefix, sys.base_prefix]
    hidden = {
        stdlib / "site-packages",
        stdlib / "dist-packages",
        Path("/usr/lib/python3"),
        Path("/usr/local"),
        Path("/usr/src"),
    }
    for folder in sorted(hidden):
        if folder.is_dir() and not Path(sys.base_prefix).is_relative_to(folder):
            options += ["--tmpfs", str(folder)]
    for name, path in {**installed(packages), "course": package_folder()}.items():
        options += ["--ro-bind", str(path), f"/site/{name}"]
    options += [] if sockets else students_side_of_the_checks()
    options += [
        "--ro-bind",
        str(INSIDE),
        "/engine/inside",
        "--proc",
        "/proc",
        "--perms",
        "0755",
        "--tmpfs",
        "/dev",
    ]
    options += ["--perms", "0755", "--dir", "/dev/shm"]
    for name in ("null", "zero", "random", "urandom"):
        options += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    if sockets:
        options += ["--bind", str(sockets), "/run/kernels"]
    return [*options, "--perms", "0755", "--tmpfs", "/tmp", "--remount-ro", "/dev", "--remount-ro", "/"]


def students_side_of_the_checks() -> list[str]:
    """Return the options that leave of course/checks what a student's process needs, and no exercise: its oracle is an answer."""
    options = ["--perms", "0755", "--tmpfs", CHECKS]
    options += ["--ro-bind", str(INSIDE / "checks.py"), f"{CHECKS}/__init__.py"]
    for name in STUDENTS_SIDE:
        for path in sorted(package_folder().glob(f"checks/{name}.py")):
            options += ["--ro-bind", str(path), f"{CHECKS}/{path.name}"]
    return [*options, "--remount-ro", CHECKS]


def package_folder() -> Path:
    """Return where the ``course`` package is."""
    return Path(course.__file__).parent


@cache
def _installed(distribution: str) -> tuple[dict[str, Path], frozenset[str]]:
    """Return the top-level entries of one installed distribution and the names of those it needs."""
    try:
        found = importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return {}, frozenset()
    tops = {file.parts[0] for file in found.files or []} - {"..", "__pycache__"}
    needs = [need for need in found.requires or [] if "extra ==" not in need]
    names = {re.split(r"[^A-Za-z0-9._-]", need, maxsplit=1)[0].lower() for need in needs}
    return {top: Path(str(found.locate_file(top))) for top in tops}, frozenset(names)


def installed(packages: list[str]) -> dict[str, Path]:
    """Return the files and folders of the named distributions and of all that they need.

    >>> {"numpy", "PIL"} <= set(installed(["matplotlib"]))
    True
    """
    entries: dict[str, Path] = {}
    seen: set[str] = set()
    waiting = [name.lower() for name in packages]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            tops, needs = _installed(name)
            entries |= {top: path for top, path in tops.items() if path.exists()}
            waiting += needs
    return dict(sorted(entries.items()))
