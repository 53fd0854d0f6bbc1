"""The trusted end of the sandbox: it starts the fork server inside and asks it for children."""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from .inside import wire
from .sandbox import MEGABYTE, SandboxError, require_sandbox
from .view import INSIDE, bubblewrap, view

START_SECONDS = 120.0
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
        self.settings, self.is_ready = settings, False
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 closed with the server
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {**ENVIRONMENT, **settings["environment"]}
        self.folder = None  # where children work that no sandbox holds
        if settings["unsafe"]:
            self.folder = tempfile.TemporaryDirectory(prefix="convnets-")
            environment["TMPDIR"] = self.folder.name
        command = python_command(theirs.fileno(), settings, kernels=sockets is not None)
        if not settings["unsafe"]:
            require_sandbox()
            variables = [word for pair in environment.items() for word in ("--setenv", *pair)]
            command = [*bubblewrap(), *view(settings["packages"], sockets), *variables, "--", *command]
        with theirs:
            self.process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
                stderr=self.errors,
                cwd="/",
            )
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
        if self.folder:
            self.folder.cleanup()


def python_command(fd: int, settings: dict[str, Any], kernels: bool) -> list[str]:
    """Return the command that runs the fork server, with only the paths that it needs."""
    unsafe = settings["unsafe"]
    stdlib = sysconfig.get_path("stdlib")
    site = [path for path in sys.path if path] if unsafe else ["/site"]
    path = [stdlib, f"{stdlib}/lib-dynload", *site, str(INSIDE.parent if unsafe else "/engine")]
    arguments = f"{fd}, {not unsafe}, {settings['preload']!r}, {kernels}"
    program = f"import sys; sys.path[:] = {path!r}; from inside.server import main; main({arguments})"
    return [os.path.realpath(sys.executable), "-I", "-S", "-B", "-c", program]


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
