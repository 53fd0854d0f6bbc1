"""A student's way through a lesson in real JupyterLab: open, write, check, take a hint, validate, hand in; and mishaps."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder.grading import grade
from tests.browser.jupyterlab import Notebook, browser_page, running_lab

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
FIRST, UNIT = "00-start-here", "01-convolution"
PICTURES = os.environ.get("CONVNETS_PICTURES")  # a folder, to look at what a student sees
ONE_TOO_LOW = """def output_size(size, kernel_size, stride=1, padding=0):
    return (size + 2 * padding - kernel_size) // stride"""
RIGHT = ONE_TOO_LOW + " + 1"
PADS_ONE_SIDE = (
    "def zero_pad(x, padding):\n    return np.pad(x, ((0, 0), (0, 0), (0, 2 * padding), (0, 2 * padding)))"
)
SOLVED = {
    "to_chw": "def to_chw(image):\n    return np.transpose(image, (2, 0, 1))",
    "normalize": "def normalize(image, mean, std):\n"
    "    return (image - mean.reshape(-1, 1, 1)) / std.reshape(-1, 1, 1)",
}


def lesson(unit):
    return f"{unit}/{unit}.ipynb"


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """Return an instructor's course folder whose unit 01 is released to an nbgrader exchange beside it."""
    base = tmp_path_factory.mktemp("class")
    (base / "exchange").mkdir()
    (base / "exchange").chmod(0o777)
    for folder in ("source", "release"):
        shutil.copytree(ROOT / folder / UNIT, base / "course" / folder / UNIT)
    config = (ROOT / "nbgrader_config.py").read_text() + configuration(base / "exchange")
    (base / "course" / "nbgrader_config.py").write_text(config)
    instructs(base / "course", "release_assignment", UNIT)
    return base / "course"


def instructs(course, *arguments):
    """Run one of nbgrader's commands in the course folder."""
    command = [sys.executable, "-m", "nbgrader", *arguments]
    done = subprocess.run(command, cwd=course, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def configuration(exchange):
    return f"c = get_config()  # noqa: F821\nc.Exchange.root = {str(exchange)!r}\n"


@pytest.fixture(scope="module")
def lab(tmp_path_factory, course):
    with running_lab(tmp_path_factory.mktemp("home"), configuration(course.parent / "exchange")) as running:
        yield running


@pytest.fixture
def browse():
    """Open one or more browsers, closed at the end."""
    with contextlib.ExitStack() as at_the_end:
        yield lambda: at_the_end.enter_context(browser_page(viewport={"width": 1300, "height": 900}))


def picture(page, name):
    if PICTURES:
        page.wait_for_timeout(500)
        page.screenshot(path=f"{PICTURES}/{name}.png")


def answer(notebook):
    """Return what stands below the active cell."""
    return notebook.page.locator(".jp-Notebook .jp-Cell.jp-mod-active .jp-OutputArea").inner_text()


def validate(notebook):
    """Press the button and return what the dialog says."""
    notebook.page.get_by_role("button", name="Validate").click()
    dialog = notebook.page.locator(".jp-Dialog:has-text('Validation Results')")
    dialog.wait_for()
    return dialog.inner_text()


def write_and_check(notebook, exercise, text):
    """Type an answer, run it and its check; return what the check says."""
    written = notebook.index(exercise)
    notebook.write(written, text)
    notebook.run(written)
    notebook.run(written + 1)
    return answer(notebook)


def saved(lab, unit):
    """Return a notebook as it is on the disk now."""
    return nbformat.read(lab.lessons / lesson(unit), as_version=4)


def source_of(notebook, exercise):
    return next(
        c.source for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == exercise
    )


def test_a_student_opens_unit_01_writes_checks_takes_a_hint_validates_and_hands_in(lab, course, browse):
    page = browse()
    notebook = Notebook(page, lab.address(lesson(UNIT)))
    notebook.run(notebook.index("setup"))
    assert "You are one too low." in write_and_check(notebook, "output_size", ONE_TOO_LOW)
    for level in (1, 2):
        notebook.run(notebook.index("test_output_size") + 1)
        assert f"output_size, hint {level} of 3" in answer(notebook)
    picture(page, "hint")
    assert "✓ output_size: 2 of 2 points" in write_and_check(notebook, "output_size", RIGHT)
    said = validate(notebook)
    picture(page, "validate-unsolved")
    assert "check(zero_pad)" in said
    assert "zero_pad is not written yet" in said
    assert "check(output_size)" not in said
    page.keyboard.press("Escape")
    notebook.save()

    hand_in_by_assignment_list(page)
    handed_in = max((course.parent / "exchange/convnets/inbound").glob(f"*+{UNIT}+*"), key=os.path.getmtime)
    assert source_of(nbformat.read(handed_in / f"{UNIT}.ipynb", 4), "output_size") == RIGHT

    said = convnets(lab, "submit", "01")
    assert "1 of 9 exercises right, 8 not written yet." in said
    assert source_of(nbformat.read(lab.lessons / "hand-in" / f"{UNIT}.ipynb", 4), "output_size") == RIGHT


def assignments(page):
    """Open the list that the menu offers, and return the hand-ins of unit 01 in it."""
    page.locator(".lm-MenuBar-item:has-text('Nbgrader')").click()
    page.locator(".lm-Menu-item:has-text('Assignment List')").click()
    return page.locator("#submitted_assignments_list")


def hand_in_by_assignment_list(page):
    """Hand in unit 01 as the menu offers it, and wait until it is in the list."""
    handed_in = assignments(page)
    page.locator("#fetched_assignments_list .list_item", has_text=UNIT).first.wait_for()
    before = handed_in.get_by_text("UTC").count()
    row = page.locator("#fetched_assignments_list .list_item", has_text=UNIT).first
    row.get_by_role("button", name="Submit").click()
    handed_in.get_by_text("UTC").nth(before).wait_for()
    picture(page, "assignment-list")
    return handed_in


@pytest.mark.sandbox
def test_feedback_fetched_in_the_lab_has_message_score_hint_and_picture_and_no_hidden_test(
    lab, course, browse
):
    notebook = saved(lab, UNIT)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "zero_pad":
            cell.source = PADS_ONE_SIDE
    nbformat.write(notebook, lab.lessons / lesson(UNIT))
    page = browse()
    Notebook(page, lab.address(lesson(UNIT)))
    handed_in = hand_in_by_assignment_list(page)
    instructs(course, "collect", UNIT, "--update")
    grade(course, progress=False)
    instructs(course, "release_feedback", UNIT)
    handed_in.get_by_role("button", name="Fetch Feedback").click()
    handed_in.get_by_text("view feedback").last.wait_for()
    picture(page, "feedback-fetched")
    file = max((lab.lessons / UNIT / "feedback").rglob("*.html"), key=os.path.getmtime)
    page.goto(file.as_uri())
    said = page.locator("body").inner_text()
    assert re.search(r"zero_pad: 0\.\d+ of 2 points", said)
    assert "Hint" in said
    assert page.locator(".convnets-check table").first.is_visible()  # where the arrays differ
    assert "HIDDEN TESTS" not in page.content() and "cases=[" not in page.content()
    page.locator(".convnets-check:has-text('zero_pad')").first.scroll_into_view_if_needed()
    picture(page, "feedback")


def convnets(lab, *arguments):
    """Run a command in the folder above the lessons, as a student does in a terminal; return what it printed."""
    command = [Path(sys.executable).with_name("convnets"), *arguments, "--dir", lab.lessons]
    done = subprocess.run(command, capture_output=True, text=True, cwd=lab.lessons.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_validate_says_success_and_the_panel_shows_what_has_passed_when_all_is_solved(lab, browse):
    notebook = Notebook(browse(), lab.address(lesson(FIRST)))
    notebook.run(notebook.index("setup"))
    for exercise, text in SOLVED.items():
        assert f"✓ {exercise}" in write_and_check(notebook, exercise, text)
    notebook.run(next(i for i, cell in enumerate(notebook.cells()) if "progress()" in cell["source"]))
    panel = answer(notebook)
    assert "2 of 2" in panel  # the notebook need not be saved for that
    assert "of 14" in panel
    picture(notebook.page, "progress")
    assert "Success! Your notebook passes all the tests." in validate(notebook)
    picture(notebook.page, "validate-solved")


def test_a_killed_browser_costs_seconds_and_what_it_had_saved_is_there_in_the_next(lab, browse):
    unit = "02-convolution-backward"
    half_written = (
        "def numerical_gradient(f, x, eps=1e-5):\n    gradient = np.zeros(x.shape)  # half a thought"
    )
    with browser_page(viewport={"width": 1300, "height": 900}) as page:
        notebook = Notebook(page, lab.address(lesson(unit)))
        notebook.write(notebook.index("numerical_gradient"), half_written)
        # nobody presses Ctrl+S: JupyterLab saves by itself every ten seconds
        page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty", timeout=60_000)
    assert source_of(saved(lab, unit), "numerical_gradient") == half_written
    again = Notebook(browse(), lab.address(lesson(unit)))
    assert again.cells()[again.index("numerical_gradient")]["source"] == half_written


def test_two_units_open_at_once_keep_what_was_written_in_each(lab, browse):
    units = {"03-pooling-and-activations": "relu", "04-batch-normalization": "normalize_batch"}
    browser = browse().context.browser
    open_now = [Notebook(browser.new_page(), lab.address(lesson(unit))) for unit in units]
    for turn in (1, 2):
        for notebook, exercise in zip(open_now, units.values(), strict=True):
            notebook.write(notebook.index(exercise), f"# {exercise}, turn {turn}")
    for notebook in open_now:
        notebook.save()
    for unit, exercise in units.items():
        assert source_of(saved(lab, unit), exercise) == f"# {exercise}, turn 2"


def test_a_restarted_kernel_and_cells_run_out_of_order_lose_nothing_and_the_check_says_what_to_do(
    lab, browse
):
    unit = "05-dropout-and-data"
    notebook = Notebook(browse(), lab.address(lesson(unit)))
    written = notebook.index("subtract_mean")
    notebook.write(written, "def subtract_mean(x, train):\n    return x - train.mean(0)")
    notebook.run(written + 1)  # the check first of all: nothing has been run yet
    assert "NameError" in answer(notebook)
    notebook.run(notebook.index("setup"))
    notebook.run(written)
    notebook.run(written + 1)
    before = answer(notebook)
    assert "✓ subtract_mean" in before
    notebook.page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    notebook.wait_until_idle()
    notebook.select(written + 1)
    assert answer(notebook) == before
    notebook.save()
    assert "return x - train.mean(0)" in source_of(saved(lab, unit), "subtract_mean")
