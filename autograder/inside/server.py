"""The fork server: imports everything once, then gives each submission a process of its own in milliseconds.

It runs alone in the sandbox's outer namespaces. The grader asks over one socket for children; inside/child.py says what a
child gives up before any of the student's code runs.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path

from . import linux
from .child import become_student

WATCH_SECONDS = 0.05
PRELOAD = (
    "numpy.random",
    "numpy.linalg",
    "numpy.fft",
    "numpy.lib.stride_tricks",
    "course.checks",
    "matplotlib.pyplot",
)
MESSAGE = 1 << 16
PAGE = os.sysconf("SC_PAGESIZE")


class Server:
    """Starts, watches and ends children, as the grader asks over ``control``."""

    def __init__(self, control: socket.socket, sandboxed: bool):
        self.control, self.sandboxed = control, sandboxed
        self.memory: dict[int, int] = {}  # child: how many bytes it may hold
        self.ended: dict[int, str] = {}  # child: why it ended
        self.started = 0
        self.own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY) if sandboxed else -1

    def serve(self) -> None:
        """Answer until the grader hangs up."""
        while True:
            ready, _, _ = select.select([self.control], [], [], WATCH_SECONDS if self.memory else None)
            if ready:
                data, fds, _, _ = socket.recv_fds(self.control, MESSAGE, 1)
                if not data:
                    break
                request = json.loads(data)
                answer = getattr(self, "do_" + request.pop("op"))(*fds, **request)
                self.control.send(json.dumps(answer).encode())
            self.watch()
        for child in list(self.memory):
            self.do_end(child)

    def do_spawn(self, fd: int, limits: dict, kernel: dict | None = None) -> dict:
        """Start a child that serves the socket ``fd``; a ``kernel`` is a Jupyter kernel instead."""
        self.started += 1
        if self.sandboxed:
            linux.call("setns", self.own_pids, linux.NEWPID)
            linux.call("unshare", linux.NEWPID)
        child = os.fork()
        if child == 0:
            try:
                become_student(fd, limits, self.started, self.sandboxed, kernel)
            except BaseException as error:
                os.write(fd, f"-{error!r}".encode())
            finally:
                os._exit(1)
        os.close(fd)
        self.memory[child] = limits["memory_bytes"]
        return {"child": child}

    def do_end(self, child: int, grace: float = 0) -> dict:
        """Kill a child and all that it started; say why it had ended, if it had or does within ``grace`` seconds."""
        deadline = time.monotonic() + grace
        self.watch()
        while child in self.memory and time.monotonic() < deadline:
            time.sleep(0.001)
            self.watch()
        if child in self.memory:
            self.kill(child)
            os.waitpid(child, 0)
            self.memory.pop(child)
        return {"why": self.ended.pop(child, "killed")}

    def do_signal(self, child: int, number: int) -> dict:
        """Send a signal to a child that still runs."""
        if child in self.memory:
            os.kill(child, number)
        return {"running": child in self.memory}

    def kill(self, child: int) -> None:
        """End a child's whole world: it is process 1 of its namespace, or at least leads its own group."""
        if self.sandboxed:
            os.kill(child, signal.SIGKILL)
        else:
            os.killpg(child, signal.SIGKILL)

    def watch(self) -> None:
        """Reap what ended by itself and kill what holds too much memory."""
        for child in list(self.memory):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                del self.memory[child]
                code = os.waitstatus_to_exitcode(status)
                self.ended.setdefault(child, f"signal {-code}" if code < 0 else f"exit {code}")
        if not self.memory:
            return
        for child, held in memory_held(list(self.memory)).items():
            if held > self.memory[child]:
                self.ended[child] = "memory"
                self.kill(child)


def memory_held(children: list[int]) -> dict[int, int]:
    """Return the bytes that each child and all its descendants hold of their own."""
    parents, held = {}, {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            stat, statm = (folder / "stat").read_bytes(), (folder / "statm").read_bytes().split()
        except OSError:
            continue  # it ended while we looked
        pid = int(folder.name)
        parents[pid] = int(stat[stat.rindex(b")") + 2 :].split()[1])
        held[pid] = (int(statm[1]) - int(statm[2])) * PAGE
    total = dict.fromkeys(children, 0)
    for pid in held:
        ancestor = pid
        while ancestor and ancestor not in total:
            ancestor = parents.get(ancestor, 0)
        if ancestor:
            total[ancestor] += held[pid]
    return total


def main(fd: int, sandboxed: bool, preload: list[str], kernels: bool) -> None:
    """Import what notebooks need, say so, and serve."""
    from . import kernel
    from .shell import make_shell

    for name in [*PRELOAD, *preload, *(kernel.PRELOAD if kernels else ())]:
        importlib.import_module(name)
    make_shell()
    # the grader's workers are deaf to Ctrl-C; a student's kernel is not
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    sys.path.append("")  # a student's own modules, after everything installed
    gc.collect()
    gc.freeze()
    control = socket.socket(fileno=fd)
    control.send(b'{"ready": true}')
    Server(control, sandboxed).serve()
