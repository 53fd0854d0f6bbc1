"""Tampering: nothing outside changes, and nothing is left for the next student."""

import sqlite3

import pytest

from autograder.grading import grade
from tests.grading.classroom import UNIT, WRONG, edited, hand_in, make_course, solved
from tests.threats.attack import HONEST, attack

pytestmark = pytest.mark.sandbox

ATTACKS = {
    "writing over the installed packages": """
for place in ("/site/numpy/evil.py", "/site/course/evil.py", "/engine/inside/evil.py", "/usr/evil", "/evil", "/dev/evil", "/run/evil", "/etc/evil"):
    try: open(place, "w").write("x"); print("FOUND", place)
    except OSError: pass""",
    "replacing what runs the next student": """
import os, sys
for module in list(sys.modules.values()):
    path = getattr(module, "__file__", None)
    if path and path.endswith(".py"):
        try: os.chmod(path, 0o777); open(path, "a").write("x"); print("FOUND", path)
        except OSError: pass""",
    "killing everything": """
import os, signal
for pid in (-1, 0, 2, 3, os.getppid()):
    if pid != 0:
        try: os.kill(pid, signal.SIGSTOP)
        except OSError: pass""",
    "tracing the fork server": """
import ctypes, os
libc = ctypes.CDLL(None)
for pid in range(1, 20):
    if libc.ptrace(16, pid, 0, 0) == 0: print("FOUND", pid)""",
    "becoming root again": """
import os, ctypes
for call in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: os.chroot("/")):
    try: call(); print("FOUND" if os.getuid() == 0 else "")
    except OSError: pass
libc = ctypes.CDLL(None)
for flags in (0x10000000, 0x20000, 0x20000000, 0x40000000):
    if libc.unshare(flags) == 0: print("FOUND", hex(flags))
if libc.mount(b"none", b"/", None, 0x20 | 0x1000, None) == 0: print("FOUND mount")
if libc.umount2(b"/proc", 2) == 0: print("FOUND umount")""",
    "new namespaces by clone": """
import ctypes, os
libc = ctypes.CDLL(None)
pid = libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0)
if pid == 0: os._exit(0)
if pid > 0: print("FOUND")""",
    "shadow packages in its folder": """
import os, sys
for name in ("numpy", "course", "json", "random", "IPython"):
    open(name + ".py", "w").write("raise SystemExit")
sys.path.insert(0, os.getcwd())""",
    "raising its limits": """
import resource
for kind in (resource.RLIMIT_DATA, resource.RLIMIT_NPROC, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE):
    try: resource.setrlimit(kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)); print("FOUND", kind)
    except (ValueError, OSError): pass""",
    "the kernel's keys and special files": """
import ctypes, os
libc = ctypes.CDLL(None)
if libc.syscall(250, 0, -4, 1) >= 0: print("FOUND keyring")
try: os.mknod("disk", 0o60660, os.makedev(254, 0)); print("FOUND device")
except OSError: pass""",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_outside_can_be_changed(course, name):
    assert "FOUND" not in attack(course, after=ATTACKS[name])


def test_nothing_is_left_for_the_next_student(course):
    leave = """
import os
for place in ("/tmp", "/dev/shm", "/tmp/submission", "/run", "/run/kernel", "/var/tmp", "/home", "."):
    try: open(os.path.join(place, "wombat"), "w").write("x")
    except OSError: pass
import sys, builtins, numpy
sys.wombat = builtins.wombat = numpy.wombat = True
from multiprocessing import shared_memory
try: shared_memory.SharedMemory("wombat", create=True, size=10)
except Exception: pass"""
    look = """
import os
for folder, folders, files in os.walk("/"):
    if folder == "/": folders[:] = [f for f in folders if f not in ("usr", "lib", "lib64", "bin", "site", "root")]
    if "wombat" in files: print("FOUND", folder)
import sys, builtins, numpy
if hasattr(sys, "wombat") or hasattr(builtins, "wombat") or hasattr(numpy, "wombat"): print("FOUND")"""
    attack(course, after=leave)
    assert "FOUND" not in attack(course, after=look)


@pytest.mark.slow
def test_an_attack_in_a_class_changes_no_other_result(course, tmp_path):
    (course / ".convnets").mkdir(mode=0o700)
    (course / ".convnets" / "secret").write_text("the same")
    calm = make_course(tmp_path / "calm")
    (calm / ".convnets").mkdir(mode=0o700)
    (calm / ".convnets" / "secret").write_text("the same")
    for folder in (course, calm):
        hand_in(folder, "ada", solved(course))
        hand_in(folder, "zoe", edited(course, ("(2, 0, 1)", "(2, 1, 0)")))
    trigger = """
import glob, sqlite3
for place in glob.glob("/**/gradebook.db", recursive=True) + [PLACE]:
    try:
        with sqlite3.connect(place) as db:
            db.execute("create trigger cheat after update on grade begin update grade set auto_score = 100; end")
    except sqlite3.Error: pass
""".replace("PLACE", repr(str(course / "gradebook.db")))
    for number, code in enumerate([trigger, *ATTACKS.values()]):
        hand_in(course, f"eve{number}", edited(course, WRONG, after=code))
    rows = grade(course, workers=2, progress=False).rows
    others = [row for row in rows if not row["student"].startswith("eve")]
    assert others == grade(calm, progress=False).rows
    for student in ("ada", "zoe"):
        graded = f"autograded/{student}/{UNIT}/{UNIT}.ipynb"
        assert (course / graded).read_bytes() == (calm / graded).read_bytes()
    evil = {(r["student"], r["exercise"]): r["score"] for r in rows if r["student"].startswith("eve")}
    assert set(evil.values()) == {0.0, 1.0, 2.0}
    assert all(score == HONEST[exercise] for (_, exercise), score in evil.items())
    with sqlite3.connect(course / "gradebook.db") as book:
        assert book.execute("select count(*) from sqlite_master where type = 'trigger'").fetchone() == (0,)
