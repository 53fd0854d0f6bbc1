"""nbgrader's formgrader, in the instructor's JupyterLab, on a class that our engine has graded."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograder import build
from autograder.grading import grade
from tests.browser.jupyterlab import Notebook, browser_page, wait_for
from tests.grading.classroom import UNIT, edited, hand_in, make_course, solved

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
LESSON = "00-start-here"
PLUS_ONE = ("// stride + 1", "// stride")
HINT = "You are one too low."
SAID = "Nearly, Bob: count the starting place too."


@contextlib.contextmanager
def instructors_lab(home, course):
    """Run JupyterLab in a course folder, as an instructor does; gives the server's address and token."""
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "HOME")
    environment = os.environ | {name: str(home / name.lower()) for name in folders}
    for name in folders:
        Path(environment[name]).mkdir(parents=True)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0"]
    command.append("--LabApp.expose_app_in_browser=True")
    with (home / "lab.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, cwd=course, stdout=log, stderr=log)
    try:
        yield wait_for(home / "jupyter_runtime_dir", server, home / "lab.log")
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A graded class of two."""
    folder = make_course(tmp_path_factory.mktemp("class") / "course")
    (folder / "nbgrader_config.py").write_text((ROOT / "nbgrader_config.py").read_text())
    hand_in(folder, "ada", solved(folder))
    hand_in(folder, "bob", edited(folder, PLUS_ONE))
    grade(folder, progress=False)
    return folder


@pytest.fixture(scope="module")
def page(course, tmp_path_factory):
    """A browser that has signed in to the instructor's JupyterLab; gives a function that opens a path there."""
    with (
        instructors_lab(tmp_path_factory.mktemp("home"), course) as server,
        browser_page(viewport={"width": 1100, "height": 900}) as page,
    ):
        page.goto(f"{server['url']}lab?token={server['token']}")
        page.address = server["url"]
        yield page


def submission(course, student):
    """Return the address of a student's notebook in formgrader."""
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        return f"formgrader/submissions/{book.find_submission_notebook(UNIT, UNIT, student).id}/"


def test_the_menu_of_jupyterlab_opens_formgrader(page):
    page.wait_for_selector("#jp-MainLogo")
    page.get_by_role("menuitem", name="Nbgrader").click()
    page.get_by_role("menuitem", name="Formgrader", exact=True).click()
    frame = page.frame_locator("iframe").first
    frame.get_by_text(UNIT).first.wait_for()


def test_a_lesson_is_edited_in_jupyterlab_as_a_notebook_and_stays_a_lesson(page, course):
    source = course / "source" / LESSON / f"{LESSON}.py"
    source.parent.mkdir()
    source.write_text((ROOT / "source" / LESSON / source.name).read_text())
    before = build.read_source(source)
    page.goto(f"{page.address}lab/workspaces/edit/tree/source/{LESSON}")
    page.locator(".jp-DirListing-item", has_text=source.name).click(button="right")
    page.get_by_text("Open With").hover()
    page.get_by_text("Jupytext Notebook").click()
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_function("window.jupyterapp.shell.currentWidget.context?.isReady")
    notebook = Notebook.__new__(Notebook)
    notebook.page = page
    place = notebook.index("test_to_chw")
    text = notebook.cells()[place]["source"]
    assert "### BEGIN HIDDEN TESTS" in text
    notebook.write(place, text.replace("### END HIDDEN TESTS", "# one more thought\n### END HIDDEN TESTS"))
    notebook.save()
    after = build.read_source(source)
    changed = [(a, b) for a, b in zip(before.cells, after.cells, strict=True) if a != b]
    assert [a.metadata.nbgrader.grade_id for a, _ in changed] == ["test_to_chw"]
    assert changed[0][1].source == changed[0][0].source.replace("### END", "# one more thought\n### END")
    assert not list(source.parent.glob("*.ipynb"))


def test_formgrader_shows_the_scores_of_the_class(page):
    page.goto(f"{page.address}formgrader/manage_students")
    page.get_by_text("bob").wait_for()
    rows = [row.split("\t")[1:4:2] for row in page.locator("tbody tr").all_inner_texts()]
    assert ["ada", "5 / 5"] in rows and ["bob", "3 / 5"] in rows


def test_a_marked_notebook_shows_its_marks_and_what_the_checks_said(page, course):
    page.goto(page.address + submission(course, "bob"))
    marks = page.locator("input.score")
    page.wait_for_function("[...document.querySelectorAll('input.score')].every(box => box.placeholder)")
    assert [marks.nth(i).get_attribute("placeholder") for i in range(3)] == ["0", "2", "1"]
    assert HINT in page.locator("body").inner_text()


def test_grading_one_notebook_from_formgrader_runs_it_in_the_sandbox_too(page, course, tmp_path):
    spy = f"open({str(tmp_path / 'was-here')!r}, 'w')"
    hand_in(course, "eve", edited(course, after=spy))
    page.goto(f"{page.address}formgrader/manage_submissions/{UNIT}")
    row = page.locator("tr", has_text="eve")
    row.locator(".glyphicon-flash").click()
    page.get_by_text("Successfully autograded").wait_for()
    assert not (tmp_path / "was-here").exists()
    page.goto(f"{page.address}formgrader/manage_submissions/{UNIT}")
    row.get_by_text("5 / 5").wait_for()
    assert "FileNotFoundError" in (course / "autograded" / "eve" / UNIT / f"{UNIT}.ipynb").read_text()


def enter(page, box, text):
    """Type into a box of formgrader and wait until the server has it."""
    with page.expect_response(lambda answer: answer.request.method == "PUT" and answer.ok):
        page.locator(box).fill(text)
        page.locator(box).blur()


def entered(page, course):
    """Return Bob's mark and comment as formgrader shows them."""
    page.goto(page.address + submission(course, "bob"))
    page.wait_for_function("document.querySelector('#test_output_size').placeholder")
    page.wait_for_function("document.querySelector('#output_size-comment').value")
    return page.locator("#test_output_size").input_value(), page.locator("#output_size-comment").input_value()


def to_review(course):
    """Return the students whose marks a person is asked to look at."""
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        return [one.student.id for one in book.assignment_submissions(UNIT) if one.needs_manual_grade]


def test_a_persons_mark_and_comment_survive_grading_again_also_after_a_changed_test(page, course):
    page.goto(page.address + submission(course, "bob"))
    page.wait_for_function("document.querySelector('#test_output_size').placeholder")
    enter(page, "#test_output_size", "1.5")
    enter(page, "#output_size-comment", SAID)
    feedback = course / "feedback" / "bob" / UNIT / f"{UNIT}.html"

    grade(course, progress=False)
    assert entered(page, course) == ("1.5", SAID)
    assert "Score: 4.5 / 5.0" in feedback.read_text() and SAID in feedback.read_text()
    assert to_review(course) == []

    source = course / "source" / UNIT / f"{UNIT}.py"
    source.write_text(source.read_text().replace("11, 3, stride=2", "12, 3, stride=2"))
    assert grade(course, progress=False).graded == 3
    assert entered(page, course) == ("1.5", SAID)
    assert "Score: 4.5 / 5.0" in feedback.read_text() and SAID in feedback.read_text()
    assert to_review(course) == ["bob"]  # the test that this person's mark overrules is another one now
