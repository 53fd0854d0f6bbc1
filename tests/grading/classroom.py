"""A small course for tests: one unit of three exercises, and hand-ins made from its solved notebook."""

import nbformat

from autograder import build
from autograder.isolated import grade_notebook
from autograder.rebuild import plain_cell, rebuild
from autograder.sandbox import Sandbox

UNIT = "90-tiny"
SOURCE = '''
# %% [markdown]
# # A tiny unit

# %% tags=["setup"]
import numpy as np

from course.checks import check, hint

# %% nbgrader={{"grade": false, "grade_id": "output_size", "locked": false, "schema_version": 3, "solution": true, "task": false}}
def output_size(size, kernel_size, stride=1, padding=0):
    """Return the length of the output."""
    ### BEGIN SOLUTION
    return (size - kernel_size + 2 * padding) // stride + 1
    ### END SOLUTION

# %% nbgrader={{"grade": true, "grade_id": "test_output_size", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
check(output_size)
### BEGIN HIDDEN TESTS
from course.checks import Case

check(output_size, cases=[Case("{secret}", 11, 3, stride=2)], random=5)
### END HIDDEN TESTS

# %% nbgrader={{"grade": false, "grade_id": "zero_pad", "locked": false, "schema_version": 3, "solution": true, "task": false}}
def zero_pad(x, padding):
    """Return x with a border of zeros."""
    ### BEGIN SOLUTION
    n, c, h, w = x.shape
    out = np.zeros((n, c, h + 2 * padding, w + 2 * padding), x.dtype)
    out[:, :, padding:padding + h, padding:padding + w] = x
    return out
    ### END SOLUTION

# %% nbgrader={{"grade": true, "grade_id": "test_zero_pad", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}}
check(zero_pad)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal

check(zero_pad, cases=[Case("{secret}", normal(2, 3, 4, 5), 2)], random=5)
### END HIDDEN TESTS

# %% tags=["experiment"]
raise RuntimeError("experiments are not run in grading")

# %% nbgrader={{"grade": false, "grade_id": "to_chw", "locked": false, "schema_version": 3, "solution": true, "task": false}}
def to_chw(image):
    """Return an HWC image as CHW."""
    ### BEGIN SOLUTION
    return np.transpose(image, (2, 0, 1))
    ### END SOLUTION

# %% nbgrader={{"grade": true, "grade_id": "test_to_chw", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}}
check(to_chw)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal

check(to_chw, cases=[Case("{secret}", normal(3, 4, 3))], random=5)
### END HIDDEN TESTS
'''
SECRET = "a wombat in a tall hat"  # stands in the hidden tests and nowhere else
WRONG = ("// stride + 1", "// stride + 2")  # makes output_size wrong in every case
PERFECT = {"output_size": 2.0, "zero_pad": 2.0, "to_chw": 1.0}
CONFIG = """
c = get_config()
c.CourseDirectory.course_id = "tiny"
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback", "[0-9][0-9]-*.py"]
"""
LIMITS = {
    "call_seconds": 4,
    "cell_seconds": 6,
    "memory_mb": 512,
    "disk_mb": 64,
    "file_mb": 16,
    "notebook_seconds": 60,
}


def make_course(folder, config=""):
    """Make a course folder and return it."""
    source = folder / "source" / UNIT / f"{UNIT}.py"
    source.parent.mkdir(parents=True)
    source.write_text(SOURCE.format(secret=SECRET))
    limits = "".join(f"c.Sandbox.{name} = {value}\n" for name, value in LIMITS.items())
    (folder / "nbgrader_config.py").write_text(CONFIG + limits + config)
    return folder


def solved(course):
    """Return the unit's solved notebook, as a student would hand it in."""
    notebook = build.solved(course / "source" / UNIT / f"{UNIT}.py")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = cell.source.split("### BEGIN HIDDEN TESTS")[0].rstrip()
    return notebook


def cell(notebook, name):
    """Return the cell with a grade_id."""
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == name)


def edited(course, *changes, before="", after="", first=""):
    """Return a solved notebook with texts replaced, and code put before or after the first solution, or first of all."""
    notebook = solved(course)
    for old, new in changes:
        found = [c for c in notebook.cells if old in c.source]
        assert found, f"{old!r} is nowhere in the notebook"
        for c in found:
            c.source = c.source.replace(old, new)
    place = next(i for i, c in enumerate(notebook.cells) if c is cell(notebook, "output_size"))
    for code, at in ((after, place + 1), (before, place), (first, 0)):
        if code:
            notebook.cells.insert(at, nbformat.v4.new_code_cell(code))
    return notebook


def hand_in(course, student, notebook):
    """Put a notebook (or its text) where it is collected, and return its path."""
    path = course / "submitted" / student / UNIT / f"{UNIT}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(notebook, bytes):
        path.write_bytes(notebook)
    else:
        path.write_text(notebook if isinstance(notebook, str) else nbformat.writes(notebook))
    return path


def settings(**more):
    """Return the settings of a sandbox with short limits."""
    return Sandbox(**{**LIMITS, **more}).for_unit(UNIT, False)


def grade_one(course, notebook, files=None, seed=1, **more):
    """Grade a notebook without a gradebook; return its verdicts by exercise and the executed notebook."""
    template = build.template(course / "source" / UNIT / f"{UNIT}.py")
    rebuilt, _ = rebuild(template, [plain_cell(c) for c in notebook.cells])
    verdicts = grade_notebook(rebuilt, settings(**more), files or {}, seed)
    return {verdict.exercise: verdict for verdict in verdicts}, rebuilt


def scores(verdicts):
    """Return the points by exercise."""
    return {name: verdict.score for name, verdict in verdicts.items()}
