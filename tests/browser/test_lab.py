"""A student opens unit 01 by `convnets lab` in Chromium, works in it, and gets an answer."""

import contextlib
import shutil
from pathlib import Path

import nbformat
import pytest

from course.student.lab import update
from tests.browser.jupyterlab import Notebook, browser_page, running_lab

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
UNIT = "01-convolution/01-convolution.ipynb"
WITHOUT_BIAS = """def conv2d(x, w, b, stride=1, padding=0):
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], (2, 3))
    return np.einsum("nchwij,ocij->nohw", windows[:, :, ::stride, ::stride], w)"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def opened(lab, request):
    """Open a copy of a lesson: each test has a file and a kernel of its own."""
    with contextlib.ExitStack() as at_the_end:

        def open_copy(lesson):
            copy = lab.lessons / f"{request.node.name}.ipynb"
            shutil.copy(lab.lessons / lesson, copy)
            page = at_the_end.enter_context(browser_page(viewport={"width": 1300, "height": 900}))
            return Notebook(page, lab.address(copy.name))

        yield open_copy


def errors(notebook):
    outputs = [output for cell in notebook.cells() for output in cell["outputs"]]
    return {output["ename"] for output in outputs if output["output_type"] == "error"}


def test_a_wrong_conv2d_typed_in_gets_its_mistake_named(opened):
    notebook = opened(UNIT)
    notebook.run(notebook.index("setup"))
    written = notebook.index("conv2d")
    notebook.write(written, WITHOUT_BIAS)
    notebook.run(written)
    notebook.run(written + 1)
    answer = notebook.page.locator(".jp-Notebook .jp-Cell.jp-mod-active .jp-OutputArea .convnets-check")
    assert answer.is_visible()
    assert "expected" in answer.inner_text()
    assert "filter's bias" in answer.inner_text()


def test_the_lesson_opens_with_a_running_kernel_and_no_question(opened):
    notebook = opened(UNIT)
    notebook.page.wait_for_timeout(1000)  # a dialog would come by itself
    assert notebook.page.locator(".jp-Dialog").count() == 0
    assert notebook.page.locator(".jp-toast, .Toastify__toast").count() == 0
    assert notebook.page.locator("text=Create Assignment").count() == 0  # the instructor's tools stay away


def test_every_cell_of_the_untouched_lesson_runs_up_to_what_is_not_written_yet(opened):
    notebook = opened("00-start-here/00-start-here.ipynb")
    notebook.run_all()
    # NameError: an experiment may use what one before it made of the unwritten function
    assert errors(notebook) <= {"NotImplementedError", "NameError"}
    checks = [cell for cell in notebook.cells() if cell["id"].startswith("test_")]
    assert len(checks) == 2
    for cell in checks:
        assert "not written yet" in cell["outputs"][0]["data"]["text/html"]


def test_with_every_exercise_solved_every_cell_runs_and_every_check_passes(opened):
    notebook = opened(UNIT)
    solution = nbformat.read(ROOT / "solutions" / UNIT, as_version=4)
    solved = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell.source for cell in solution.cells}
    for index, cell in enumerate(notebook.cells()):
        if cell["id"] and f"test_{cell['id']}" in solved:
            notebook.write(index, solved[cell["id"]])
    notebook.run_all()
    assert errors(notebook) == set()
    checks = [cell for cell in notebook.cells() if cell["id"].startswith("test_")]
    assert checks
    for cell in checks:
        assert "✓ " + cell["id"].removeprefix("test_") in cell["outputs"][0]["data"]["text/html"]


def test_a_lesson_that_was_opened_and_saved_still_counts_as_untouched(opened, lab, tmp_path):
    opened(UNIT).save()
    saved = next(lab.lessons.glob("test_a_lesson*.ipynb"))
    mine, release = tmp_path / "lessons", tmp_path / "release"
    update(mine, ROOT / "release")
    assert saved.read_bytes() != (mine / UNIT).read_bytes()
    shutil.copy(saved, mine / UNIT)
    newer = nbformat.read(ROOT / "release" / UNIT, as_version=4)
    newer.cells[0].source += " New."
    (release / UNIT).parent.mkdir(parents=True)
    nbformat.write(newer, release / UNIT)
    assert update(mine, release) == [f"updated: {mine / UNIT}"]
