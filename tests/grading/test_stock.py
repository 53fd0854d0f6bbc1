"""Stock nbgrader and ours live on the same course folder: the same marks, and nbgrader's own tests."""

import ast
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograder import build
from autograder.grading import grade
from tests.grading.classroom import UNIT, WRONG, edited, hand_in, make_course, solved
from tests.grading.test_scale import environment

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]
OURS = """
c.Autograde.sanitize_preprocessors = ["autograder.execute.Rebuild"] + [
    f"nbgrader.preprocessors.{n}" for n in ("ClearOutput", "DeduplicateIds", "OverwriteKernelspec", "OverwriteCells", "CheckCellMetadata")
]
c.Autograde.autograde_preprocessors = ["autograder.execute.IsolatedExecute"] + [
    f"nbgrader.preprocessors.{n}" for n in ("IgnorePattern", "LimitOutput", "SaveAutoGrades", "AssignLatePenalties", "CheckCellMetadata")
]
"""


def honest_class(folder, config=""):
    """Make a course with honest hand-ins: right, wrong, partly right, blank, noisy, and one that raises."""
    course = make_course(folder, config)
    hand_in(course, "right", solved(course))
    hand_in(course, "wrong", edited(course, WRONG))
    hand_in(course, "partly", edited(course, ("w + 2 * padding)", "h + 2 * padding)")))
    hand_in(course, "blank", build.template(course / "source" / UNIT / f"{UNIT}.py"))
    hand_in(course, "noisy", edited(course, after="import warnings; warnings.warn('w'); print('p')"))
    hand_in(
        course, "raises", edited(course, ("    n, c, h, w", "    raise ValueError('no')\n    n, c, h, w"))
    )
    return course


def marks(course):
    """Return all automatic marks in the gradebook."""
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        return {
            (s.student.id, g.name): g.auto_score
            for s in book.assignment_submissions(UNIT)
            for g in s.notebooks[0].grades
        }


def nbgrader(course, *arguments):
    """Run an nbgrader command in a course folder."""
    command = [sys.executable, "-m", "nbgrader", *arguments]
    result = subprocess.run(command, cwd=course, env=environment(), capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]


@pytest.mark.parametrize("config", ["", OURS], ids=["stock", "nbgrader with our preprocessors"])
def test_plain_nbgrader_gives_honest_notebooks_the_same_marks(tmp_path, config):
    ours = honest_class(tmp_path / "ours")
    grade(ours, progress=False)
    other = honest_class(tmp_path / "other", config)
    build.generate(other, [UNIT])
    nbgrader(other, "autograde", UNIT, "--ClearOutput.enabled=True")
    assert marks(other) == marks(ours)
    nbgrader(other, "generate_feedback", UNIT)
    assert (other / "feedback" / "right" / UNIT / f"{UNIT}.html").exists()


def test_nbgrader_goes_on_where_we_stopped(tmp_path):
    course = honest_class(tmp_path / "course")
    grade(course, progress=False)
    nbgrader(course, "generate_feedback", UNIT, "--force")
    nbgrader(course, "export")
    assert "right" in (course / "grades.csv").read_text()


# nbgrader's own tests of autograde, with our preprocessors in its default lists. These are left out:
DESELECTED = {
    "test_side_effects": "a notebook's files stay in its own private folder and end with it; nothing is written outside",
    "test_many_students": "nbgrader itself skips it: it takes too long",
    "test_infinite_loop_with_output": "nbgrader itself skips it: it takes too much memory",
}


PEERS = "nbgrader.tests.apps.test_nbgrader_autograde"
SHARES = 6  # so that workers can run them side by side


def peers_tests():
    """Return the names of nbgrader's own tests of autograde that apply."""
    tree = ast.parse(Path(find_spec(PEERS).origin).read_text(encoding="utf-8"))
    names = [n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]
    assert set(DESELECTED) < set(names)
    return [name for name in names if name not in DESELECTED]


@pytest.mark.scale
@pytest.mark.parametrize("share", range(SHARES))
def test_nbgraders_own_tests_of_autograde_pass(tmp_path, share):
    names = peers_tests()[share::SHARES]
    command = [sys.executable, "-m", "pytest", "-c", "/dev/null", "--rootdir", str(tmp_path)]
    command += ["-q", "-p", "no:cacheprovider", "-p", "tests.grading.peer", "--pyargs"]
    command += [f"{PEERS}::TestNbGraderAutograde::{name}" for name in names]
    result = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:]
    passed = re.search(r"(\d+) passed", result.stdout)
    assert passed and int(passed[1]) >= len(names) and "skipped" not in result.stdout
