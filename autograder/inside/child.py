"""How a forked process becomes the student's: what it can no longer see, use up or do."""

from __future__ import annotations

import os
import resource
import socket
import tempfile
from pathlib import Path
from typing import Any

from . import linux, wire

HOME = "/tmp"
FIRST_USER = (
    1_000_000_000  # far from any account; one per child, so that a limit on processes is a limit per child
)


def become_student(fd: int, limits: dict, number: int, sandboxed: bool, kernel: dict | None) -> None:
    """Give up everything but the socket ``fd``, then serve it; returns when the grader hangs up."""
    keep_only(fd)
    baseline = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    if sandboxed:
        hide_everything(limits, kernel)
    else:
        os.setsid()
        linux.call("prctl", linux.PR_SET_PDEATHSIG, 9, 0, 0, 0)
    home = Path(HOME if sandboxed else tempfile.mkdtemp(prefix="convnets-unsafe-")) / "submission"
    home.mkdir(mode=0o777)
    home.chmod(0o777)
    os.chdir(home)
    set_limits(limits, baseline)
    if sandboxed:
        drop_rights(number)
    if kernel:
        from .kernel import run_kernel

        write_files(home, wire.receive(socket.socket(fileno=os.dup(fd))))
        os.write(fd, b"+")
        run_kernel(kernel["connection"])
    else:
        from .shell import Student, StudentShell

        os.write(fd, b"+")
        Student(StudentShell.instance(), home).serve(socket.socket(fileno=fd))


def keep_only(fd: int) -> None:
    """Close every file but ``fd``; the standard ones lead nowhere."""
    null = os.open("/dev/null", os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    os.closerange(3, fd)
    os.closerange(fd + 1, 4096)


def hide_everything(limits: dict, kernel: dict | None) -> None:
    """Enter namespaces of its own, with an empty /tmp, an empty /proc and no network, not even loopback."""
    linux.call("unshare", linux.NEWNS | linux.NEWIPC | linux.NEWNET | linux.NEWUTS)
    linux.private_mounts()
    if kernel:
        linux.bind(f"/run/kernels/{kernel['folder']}", "/run/kernel")
        linux.mount_tmpfs("/run/kernels", "size=4k,mode=0555", linux.MS_RDONLY)
    linux.mount_tmpfs(HOME, f"size={limits['disk_bytes']},nr_inodes=20000,mode=1777")
    os.mkdir(f"{HOME}/.shm")
    os.chmod(f"{HOME}/.shm", 0o1777)
    linux.bind(f"{HOME}/.shm", "/dev/shm")
    linux.bind("/dev/null", "/dev/zero")  # a shared mapping of it would be memory that no limit counts
    linux.mount_tmpfs("/proc", "size=4k,mode=0555", linux.MS_RDONLY)


def set_limits(limits: dict, baseline: int) -> None:
    """Set the limits that the kernel keeps; ``baseline`` is what the fork server already holds."""
    for kind, value in {
        resource.RLIMIT_DATA: baseline + limits["memory_bytes"],
        resource.RLIMIT_CPU: limits["cpu_seconds"],
        resource.RLIMIT_FSIZE: limits["file_bytes"],
        resource.RLIMIT_NOFILE: limits["files"],
        resource.RLIMIT_NPROC: limits["processes"],
        resource.RLIMIT_CORE: 0,
    }.items():
        resource.setrlimit(kind, (value, value))


def drop_rights(number: int) -> None:
    """Become a user of its own where possible, and give up every capability and the calls that could win one back."""
    if os.getuid() == 0:
        user = FIRST_USER + number
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    linux.drop_capabilities()
    linux.forbid_system_calls()


def write_files(home: Path, files: Any) -> None:
    """Put the files of the submission into its working folder."""
    for name, content in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.tobytes())
