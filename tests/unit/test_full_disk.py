"""On a full disk nothing of the student's is lost: each file is as it was, and the command says in one line what is wrong."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from course.student.lab import update

ROOT = Path(__file__).parents[2]
UNIT = "00-start-here/00-start-here.ipynb"
CONVNETS = Path(sys.executable).with_name("convnets")
# in a mount namespace of its own: a disk of 400 kB with the student's lessons on it, filled to the last byte
FILL = """mount -t tmpfs -o size=400k full "$1" && cp -r "$2" "$1/my-lessons" && cd "$1"
cat /dev/zero > filling 2> /dev/null
shift 2
"$@"; code=$?
find my-lessons -type f -exec sha256sum {} +
exit $code"""
SAVE = """import sys
from jupyter_server.services.contents.filemanager import FileContentsManager
contents = FileContentsManager(root_dir="my-lessons")
model = contents.get(sys.argv[1])
model["content"]["cells"][0]["source"] = "longer " * 100_000
contents.save(model, sys.argv[1])"""


def can_mount():
    command = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return shutil.which("unshare") and subprocess.run(command, capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(
    not can_mount(), reason="needs Linux with user namespaces, to mount a small disk"
)


@pytest.fixture
def lessons(tmp_path):
    """Return a student's lessons, one of them half done, which a newer release is out for."""
    mine = tmp_path / "before"
    update(mine, ROOT / "release")
    for folder in mine.iterdir():
        if folder.is_dir() and folder.name not in UNIT:
            shutil.rmtree(folder)
    notebook = nbformat.read(mine / UNIT, 4)
    notebook.cells[0].source, notebook.cells[0]["id"] = "An earlier title", "earlier"
    nbformat.write(notebook, mine / UNIT)
    (mine / ".convnets-lessons.json").unlink()
    return mine


def on_a_full_disk(lessons, *command):
    """Run a command where the lessons are and no byte is free; return its code, its words, and checksums by file."""
    disk = lessons.parent / "disk"
    disk.mkdir()
    shell = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", FILL, "sh", disk, lessons]
    done = subprocess.run([*shell, *command], capture_output=True, text=True)
    sums = [line.split(maxsplit=1) for line in done.stdout.splitlines() if "  my-lessons/" in line]
    return done.returncode, done.stderr, {name.removeprefix("my-lessons/"): digest for digest, name in sums}


def checksums(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize(
    "command",
    [("submit", "00"), ("lab", "--", "--version"), ("lab", "--upgrade", "--", "--version")],
    ids=" ".join,
)
def test_our_commands_leave_every_file_as_it_was_and_nothing_beside_it(lessons, command):
    code, said, after = on_a_full_disk(lessons, CONVNETS, *command)
    assert after == checksums(lessons)
    assert (code, said.count("\n")) == (2, 1)
    assert "No space left on device: my-lessons/" in said


def test_jupyterlab_keeps_the_notebook_that_it_cannot_save(lessons):
    code, said, after = on_a_full_disk(lessons, sys.executable, "-c", SAVE, UNIT)
    assert code != 0 and "No space left on device" in said
    assert after[UNIT] == checksums(lessons)[UNIT]
