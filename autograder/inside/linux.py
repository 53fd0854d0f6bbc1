"""The few Linux calls that Python 3.11 has no function for: namespaces, mounts, capabilities, seccomp."""

from __future__ import annotations

import ctypes
import os
import platform
import struct

NEWNS, NEWUTS, NEWIPC, NEWPID, NEWNET = 0x20000, 0x04000000, 0x08000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 4096, 0x4000, 0x40000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 24, 38
CAPABILITY_VERSION_3, LAST_CAPABILITY = 0x20080522, 40

libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> None:
    """Call a function of the C library; raises OSError when it says no."""
    if getattr(libc, name)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def mount_tmpfs(path: str, options: str, flags: int = 0) -> None:
    """Mount a tmpfs of its own over ``path``."""
    flags |= MS_NOSUID | MS_NODEV
    call("mount", b"tmpfs", path.encode(), b"tmpfs", ctypes.c_ulong(flags), options.encode())


def bind(source: str, target: str) -> None:
    """Show ``source`` at ``target`` as well."""
    call("mount", source.encode(), target.encode(), None, ctypes.c_ulong(MS_BIND), None)


def private_mounts() -> None:
    """Keep later mounts from reaching any other process."""
    call("mount", b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None)


def drop_capabilities() -> None:
    """Give up every capability, for good."""
    for capability in range(LAST_CAPABILITY + 1):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = struct.pack("Ii", CAPABILITY_VERSION_3, 0)
    call("capset", header, bytes(24))
    call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


# What no exercise needs and what widens the kernel's surface, or holds memory that no limit counts.
FORBIDDEN = {
    "x86_64": (
        0xC000003E,
        {
            "ptrace": 101,
            "unshare": 272,
            "setns": 308,
            "mount": 165,
            "umount2": 166,
            "pivot_root": 155,
            "chroot": 161,
        }
        | {
            "bpf": 321,
            "perf_event_open": 298,
            "userfaultfd": 323,
            "keyctl": 250,
            "add_key": 248,
            "request_key": 249,
        }
        | {"io_uring_setup": 425, "memfd_create": 319, "memfd_secret": 447, "process_vm_readv": 310}
        | {"shmget": 29, "msgget": 68}
        | {
            "process_vm_writev": 311,
            "open_by_handle_at": 304,
            "fsopen": 430,
            "open_tree": 428,
            "move_mount": 429,
        }
        | {"fsmount": 432, "mount_setattr": 442, "kcmp": 312, "pidfd_getfd": 438, "quotactl": 179},
        {"clone": 56, "clone3": 435, "mmap": 9, "socket": 41},
    ),
    "aarch64": (
        0xC00000B7,
        {
            "ptrace": 117,
            "unshare": 97,
            "setns": 268,
            "mount": 40,
            "umount2": 39,
            "pivot_root": 41,
            "chroot": 51,
        }
        | {
            "bpf": 280,
            "perf_event_open": 241,
            "userfaultfd": 282,
            "keyctl": 219,
            "add_key": 217,
            "request_key": 218,
        }
        | {"io_uring_setup": 425, "memfd_create": 279, "memfd_secret": 447, "process_vm_readv": 270}
        | {"shmget": 194, "msgget": 186}
        | {
            "process_vm_writev": 271,
            "open_by_handle_at": 265,
            "fsopen": 430,
            "open_tree": 428,
            "move_mount": 429,
        }
        | {"fsmount": 432, "mount_setattr": 442, "kcmp": 272, "pidfd_getfd": 438, "quotactl": 60},
        {"clone": 220, "clone3": 435, "mmap": 222, "socket": 198},
    ),
}
X32_BIT = 0x40000000
NAMESPACES = 0x7E020000  # every CLONE_NEW* flag that clone takes
MAP_SHARED, MAP_ANONYMOUS = 1, 0x20
SOCKETS = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6; others lead to drivers, or past the sandbox to the host
NETLINK, NETLINK_ROUTE = 16, 0  # ZeroMQ asks the kernel for interfaces and dies without an answer
EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97
FIRST, THIRD, FOURTH = 16, 32, 40  # where the filter finds a call's arguments
LOAD, JUMP_EQUAL, JUMP_SET, JUMP_OVER, RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000


def seccomp_program(machine: str) -> bytes:
    """Return the filter for this machine, empty if unknown: no call of FORBIDDEN, and of four others not all they do."""
    if machine not in FORBIDDEN:
        return b""
    architecture, forbidden, partly = FORBIDDEN[machine]
    refuse = (RETURN, 0, 0, REFUSE | EPERM)
    allow = (RETURN, 0, 0, ALLOW)
    steps = [(LOAD, 0, 0, 4), (JUMP_EQUAL, 1, 0, architecture), refuse]
    steps += [(LOAD, 0, 0, 0), (JUMP_OVER, 0, 1, X32_BIT), refuse]
    for number in forbidden.values():
        steps += [(JUMP_EQUAL, 0, 1, number), refuse]
    # clone3 hides its flags behind a pointer: without it the C library falls back to clone
    steps += [(JUMP_EQUAL, 0, 1, partly["clone3"]), (RETURN, 0, 0, REFUSE | ENOSYS)]
    steps += [(JUMP_EQUAL, 0, 4, partly["clone"]), (LOAD, 0, 0, FIRST), (JUMP_SET, 0, 1, NAMESPACES)]
    steps += [refuse, allow]
    # memory that is shared and in no file is in no count of what a process holds
    steps += [(JUMP_EQUAL, 0, 5, partly["mmap"]), (LOAD, 0, 0, FOURTH), (JUMP_SET, 0, 2, MAP_ANONYMOUS)]
    steps += [(JUMP_SET, 0, 1, MAP_SHARED), refuse, allow]
    steps += [(JUMP_EQUAL, 0, 5 + len(SOCKETS), partly["socket"]), (LOAD, 0, 0, FIRST)]
    steps += [(JUMP_EQUAL, 3 + len(SOCKETS) - place, 0, family) for place, family in enumerate(SOCKETS)]
    steps += [(JUMP_EQUAL, 0, 2, NETLINK), (LOAD, 0, 0, THIRD), (JUMP_EQUAL, 1, 0, NETLINK_ROUTE)]
    steps += [(RETURN, 0, 0, REFUSE | EAFNOSUPPORT), allow]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def forbid_system_calls() -> None:
    """Refuse FORBIDDEN from here on, in this process and all that it starts; call drop_capabilities first."""
    program = seccomp_program(platform.machine())
    if not program:
        return
    steps = ctypes.create_string_buffer(program, len(program))
    filter_ = struct.pack("HP", len(program) // 8, ctypes.addressof(steps))
    call("prctl", PR_SET_SECCOMP, 2, filter_, 0, 0)
