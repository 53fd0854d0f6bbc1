"""Where student code runs: bubblewrap around a warm fork server, with limits.

Inside, one sees Python, the allowed packages, the ``course`` package and an empty folder; no network, no other process,
no file of the instructor or of another student. autograder/inside is the code that runs there.
"""

from __future__ import annotations

import atexit
import importlib.metadata
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from traitlets import Bool, Dict, Float, Integer, List, Unicode
from traitlets.config import LoggingConfigurable

import course

from .errors import UsageError
from .inside import wire

MEGABYTE = 1 << 20
INSIDE = Path(__file__).with_name("inside")
START_SECONDS = 120.0
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
    file_mb = Integer(64, help="The largest file that a submission may write.").tag(config=True)
    files = Integer(256, help="Files that a process may have open.").tag(config=True)
    output_kb = Integer(1024, help="Output of one cell that is kept; the rest is dropped.").tag(config=True)
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


def limits_of(settings: dict[str, Any]) -> dict[str, int]:
    """Return what a child process is held to."""
    return {
        "memory_bytes": settings["memory_mb"] * MEGABYTE,
        "disk_bytes": settings["disk_mb"] * MEGABYTE,
        "file_bytes": settings["file_mb"] * MEGABYTE,
        "processes": settings["processes"],
        "cpu_seconds": int(settings["notebook_seconds"]) + 1,
        "files": settings["files"],
    }


@cache
def why_no_sandbox() -> str:
    """Return why bubblewrap cannot be used here, or an empty string."""
    if not sys.platform.startswith("linux"):
        return "it exists on Linux only"
    if not shutil.which("bwrap"):
        return "no bwrap on the PATH"
    command = [*bubblewrap(), "--ro-bind", "/", "/", "--", "true"]
    result = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ.get("PATH", "")})
    return result.stderr.strip().splitlines()[-1] if result.returncode else ""


def require_sandbox() -> None:
    """Raise a UsageError that says what to do where student code cannot be contained."""
    if why_no_sandbox():
        raise UsageError(NO_BUBBLEWRAP.format(why=why_no_sandbox()))


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
    """Return bubblewrap's options for what can be seen inside."""
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


ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "USER": "student",
    "LOGNAME": "student",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "MPLCONFIGDIR": "/tmp/.matplotlib",
    "IPYTHONDIR": "/tmp/.ipython",
    "NBGRADER_EXECUTION": "autograde",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
}


class Child:
    """A process for one submission: a socket to it and the power to end it."""

    def __init__(self, server: ForkServer, number: int, sock: socket.socket):
        self.server, self.number, self.socket = server, number, sock

    def end(self, grace: float = 0) -> str:
        """Kill it and all that it started; return why it had ended, if it did within ``grace`` seconds."""
        self.socket.close()
        return self.server.ask({"op": "end", "child": self.number, "grace": grace})["why"]

    def signal(self, number: int) -> bool:
        """Send it a signal (0: none); return whether it still runs."""
        return self.server.ask({"op": "signal", "child": self.number, "number": number})["running"]


class ForkServer:
    """The trusted end of a sandbox: it asks the server inside for children.

    Raises SandboxError when the sandbox does not start or has gone.
    """

    def __init__(self, settings: dict[str, Any], sockets: Path | None = None):
        self.settings, self.errors = settings, tempfile.TemporaryFile()  # noqa: SIM115 closed with the server
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fd = theirs.fileno()
        unsafe = settings["unsafe"]
        site = [str(Path(p)) for p in sys.path if p] if unsafe else ["/site"]
        stdlib = [path for key in ("stdlib", "platstdlib") if (path := sysconfig.get_path(key))]
        path = [
            *dict.fromkeys(stdlib),
            f"{stdlib[0]}/lib-dynload",
            *site,
            str(INSIDE.parent if unsafe else "/engine"),
        ]
        program = f"import sys; sys.path[:] = {path!r}; from inside.server import main; main({fd}, {not unsafe}, {settings['preload']!r}, {bool(sockets)})"
        python = [os.path.realpath(sys.executable), "-I", "-S", "-B", "-c", program]
        environment = {**ENVIRONMENT, **settings["environment"]}
        wrapper: list[str] = []
        if not unsafe:
            require_sandbox()
            wrapper = [*bubblewrap(), *view(settings["packages"], sockets)]
            for name, value in environment.items():
                wrapper += ["--setenv", name, value]
            wrapper.append("--")
        with theirs:
            self.process = subprocess.Popen(
                [*wrapper, *python],
                pass_fds=[fd],
                env=environment,
                stdin=subprocess.DEVNULL,
                stderr=self.errors,
                cwd="/",
            )
        self.is_ready = False
        atexit.register(self.close)

    def ask(self, request: dict, *fds: int) -> dict:
        """Send one request and return its answer; the first one waits until the server is ready."""
        if not self.is_ready:
            self.receive(START_SECONDS)
            self.is_ready = True
        try:
            socket.send_fds(self.control, [json.dumps(request).encode()], fds)
        except OSError as error:
            raise SandboxError(f"the sandbox is gone: {error}") from None
        return self.receive(START_SECONDS)

    def receive(self, seconds: float) -> dict:
        """Return the server's next word."""
        self.control.settimeout(seconds)
        try:
            data = self.control.recv(1 << 16)
        except OSError as error:
            raise SandboxError(f"the sandbox does not answer: {error}") from None
        if not data:
            raise SandboxError(f"the sandbox ended with exit code {self.process.wait()}: {self.last_words()}")
        return json.loads(data)

    def last_words(self) -> str:
        """Return the last line that the sandbox wrote to its standard error."""
        self.errors.seek(0)
        return (self.errors.read().decode("utf8", "replace").strip().splitlines() or ["it said nothing"])[-1]

    def spawn(self, kernel: dict | None = None, files: dict[str, bytes] | None = None) -> Child:
        """Return a new child, ready in milliseconds; a ``kernel`` finds ``files`` in its working folder."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            request = {"op": "spawn", "limits": limits_of(self.settings), "kernel": kernel}
            child = Child(self, self.ask(request, theirs.fileno())["child"], ours)
        if kernel:
            given = {name: np.frombuffer(content, np.uint8) for name, content in (files or {}).items()}
            wire.send(ours, wire.pack(given), time.monotonic() + START_SECONDS)
        ours.settimeout(START_SECONDS)
        word = ours.recv(1)
        if word != b"+":
            raise SandboxError(
                f"a child of the sandbox did not start: {ours.recv(1000).decode()} ({child.end()})"
            )
        return child

    def close(self) -> None:
        """End the sandbox and everything in it."""
        atexit.unregister(self.close)
        self.control.close()
        self.process.kill()
        self.process.wait()
        self.errors.close()


SERVERS: dict[str, ForkServer] = {}


def server_for(settings: dict[str, Any], sockets: Path | None = None) -> ForkServer:
    """Return this process's warm fork server for these settings, starting it where there is none."""
    keys = ("packages", "preload", "environment", "unsafe")
    key = json.dumps([os.getpid(), str(sockets), *(settings[name] for name in keys)])
    server = SERVERS.get(key)
    if server is None or server.process.poll() is not None:
        SERVERS[key] = server = ForkServer(settings, sockets)
    server.settings = settings
    return server
