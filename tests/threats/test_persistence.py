"""Persistence: when a notebook is done, nothing of it goes on."""

import time
from pathlib import Path

import pytest

from tests.threats.attack import attack

pytestmark = pytest.mark.sandbox
MARKER = "86413579"  # seconds to sleep, and so a word to look for among the commands that run

ATTACKS = {
    "a detached process": f"import subprocess; subprocess.Popen(['/usr/bin/sleep', '{MARKER}'], start_new_session=True)",
    "a double fork": f"""
import os
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: os.execv('/usr/bin/sleep', ['sleep', '{MARKER}'])
    os._exit(0)
os.wait()""",
    "a process that ignores every signal": f"""
import os, signal
if os.fork() == 0:
    for number in range(1, 65):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    os.execv('/usr/bin/sleep', ['sleep', '{MARKER}'])""",
    "a process that brings itself back": f"""
import os, time
if os.fork() == 0:
    while True:
        if os.fork() == 0: os.execv('/usr/bin/sleep', ['sleep', '{MARKER}'])
        time.sleep(0.05)""",
    "a thread that never ends": """
import threading, time
def forever():
    while True: time.sleep(0.01)
for _ in range(5): threading.Thread(target=forever).start()""",
    "handlers at the end": """
import atexit, os, signal, time
@atexit.register
def stay(): time.sleep(1000)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, lambda *a: time.sleep(1000))
get_ipython().events.register("post_run_cell", lambda *a: time.sleep(0))""",
    "a timer": """
import signal, os
signal.signal(signal.SIGALRM, lambda *a: None)
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)""",
}


def running():
    """Return the processes of this machine that carry the marker."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except OSError:
            continue
        if MARKER.encode() in command and b"pytest" not in command:
            found.append(command)
    return found


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_goes_on_after_the_notebook(course, name):
    attack(course, after=ATTACKS[name])
    deadline = time.monotonic() + 10
    while running() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running() == []
