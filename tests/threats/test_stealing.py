"""Stealing tests or answers: nothing of the instructor's or of another student's can be seen from inside."""

import os

import pytest

from autograder.grading import grade
from tests.grading.classroom import SECRET, WRONG, edited, hand_in, solved
from tests.threats.attack import attack

pytestmark = pytest.mark.sandbox
BACKWARDS = repr(SECRET[::-1])  # the search must not find itself

SEARCHES = {
    "frames": """
import sys
frame = sys._getframe()
while frame:
    if backwards[::-1] in repr(frame.f_locals): print("FOUND", frame)
    frame = frame.f_back""",
    "every object": """
import gc
gc.unfreeze()
for thing in gc.get_objects():
    if type(thing) in (dict, list, tuple):
        for item in (thing.values() if type(thing) is dict else thing):
            if type(item) is str and backwards[::-1] in item and len(item) < 100_000: print("FOUND", type(thing))""",
    "linecache": """
import linecache
for name, entry in linecache.cache.items():
    if backwards[::-1] in str(entry): print("FOUND", name)""",
    "memory": """
try:
    with open("/proc/self/mem", "rb") as memory: print("FOUND memory")
except OSError: pass""",
    "other processes": """
import os
if os.listdir("/proc"): print("FOUND", os.listdir("/proc"))
for pid in (1, 2, 3):
    if os.path.exists(f"/proc/{pid}/environ"): print("FOUND", pid)""",
    "every file": """
import os
for folder, folders, files in os.walk("/"):
    if folder == "/": folders[:] = [f for f in folders if f not in ("usr", "lib", "lib64", "bin", "site")]
    if "/lib/python3" in folder: folders.clear()
    for name in files:
        path = os.path.join(folder, name)
        try: text = open(path, errors="ignore").read(1 << 20) if os.path.isfile(path) else ""
        except OSError: continue
        if backwards[::-1] in text: print("FOUND", path)""",
    "the environment": """
import os
for name in os.environ:
    if "WOMBAT" in name: print("FOUND", name)""",
    "open files": """
import os
for fd in range(3, 64):
    try: target = os.fstat(fd)
    except OSError: continue
    import stat
    if not stat.S_ISSOCK(target.st_mode) and not stat.S_ISFIFO(target.st_mode): print("FOUND file", fd)""",
    "memory mapped devices": """
import os
for name in ("mem", "kmem", "vda", "sda", "kmsg", "pts", "tty"):
    if os.path.exists("/dev/" + name): print("FOUND", name)""",
}


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("during", ["cell", "call"])
def test_searching_finds_nothing(course, monkeypatch, name, during):
    monkeypatch.setenv("WOMBAT_TOKEN", SECRET)
    code = f"backwards = {BACKWARDS}\n" + SEARCHES[name]
    if during == "cell":
        said = attack(course, after=code)
    else:  # while a hidden case is being asked
        indented = code.replace("\n", "\n    ")
        said = attack(course, ("    n, c, h, w", f"    {indented}\n    n, c, h, w"))
    assert "FOUND" not in said and "Error" not in said


def test_the_instructors_files_are_not_there(course):
    places = [
        course,
        course / "source",
        course / "gradebook.db",
        course / ".convnets",
        os.path.expanduser("~/.jupyter"),
    ]
    places += [
        os.path.abspath("source"),
        os.path.abspath("autograder"),
        os.path.abspath("tests"),
        os.path.abspath(".git"),
    ]
    code = f"import os\nfor place in {[str(place) for place in places]!r}:\n    if os.path.exists(place): print('FOUND', place)"
    code += "\ntry: import autograder; print('FOUND autograder')\nexcept ImportError: pass"
    assert "FOUND" not in attack(course, after=code)


def test_links_in_a_submission_lead_nowhere(course, tmp_path):
    hand_in(course, "ada", solved(course))
    read = "import os\nfor name in ('a', 'b'):\n    if os.path.exists(name): print('FO' + 'UND', open(name).read())"
    path = hand_in(course, "eve", edited(course, WRONG, after=read))
    (path.parent / "a").symlink_to(course / "submitted" / "ada" / "90-tiny" / "90-tiny.ipynb")
    (path.parent / "b").symlink_to(course / "source")
    summary = grade(course, progress=False)
    assert not summary.not_graded
    assert "FOUND" not in (course / "feedback" / "eve" / "90-tiny" / "90-tiny.html").read_text()


def test_the_exercise_bank_inside_holds_no_hidden_case(course):
    code = f"""
import os, course
backwards = {BACKWARDS}
for folder, _, files in os.walk(os.path.dirname(course.__file__)):
    for name in files:
        if backwards[::-1] in open(os.path.join(folder, name), errors="ignore").read(): print("FOUND", name)"""
    assert "FOUND" not in attack(course, after=code)
