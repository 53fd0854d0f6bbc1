"""From release to fetched feedback by nbgrader's own commands, with our grading in the middle."""

import html
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder import build
from autograder.grading import grade
from autograder.submissions import read
from autograder.template import find_template
from tests.grading.classroom import LIMITS, SECRET, UNIT, cell, make_course, settings, solved
from tests.grading.test_scale import environment

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
ONE_TOO_LOW = """def output_size(size, kernel_size, stride=1, padding=0):
    return (size - kernel_size + 2 * padding) // stride"""
HINT = "You are one too low."


class Person:
    """Somebody with a home of their own who runs nbgrader's commands in a folder."""

    def __init__(self, name, home, folder):
        self.name, self.home, self.folder = name, home, folder
        for place in (home, folder):
            place.mkdir(parents=True, exist_ok=True)

    def nbgrader(self, *arguments):
        """Run a command and return what it said."""
        variables = ("HOME", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *arguments],
            cwd=self.folder,
            env=environment() | {name: str(self.home / name.lower()) for name in variables},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stderr

    def hand_in(self):
        """Submit the notebook as it is."""
        self.nbgrader("submit", UNIT, "--course", "convnets", f"--student={self.name}")


def student(name, base, exchange):
    """Return a student whose nbgrader knows the exchange."""
    person = Person(name, base / f"home-{name}", base / name)
    (person.folder / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.Exchange.root = {str(exchange)!r}\n"
    )
    return person


def write(person, answers):
    """Put answers into the fetched notebook, by exercise."""
    path = person.folder / UNIT / f"{UNIT}.ipynb"
    notebook = nbformat.read(path, 4)
    for name, text in answers.items():
        cell(notebook, name).source = text
    nbformat.write(notebook, path)


def released_course(base):
    """Return an instructor with a course folder whose unit is released to an exchange, and the exchange."""
    exchange = base / "exchange"
    course = make_course(base / "course")
    limits = "".join(f"c.Sandbox.{name} = {value}\n" for name, value in LIMITS.items())
    config = (ROOT / "nbgrader_config.py").read_text() + limits + f"c.Exchange.root = {str(exchange)!r}\n"
    (course / "nbgrader_config.py").write_text(config)
    released = build.generate(course, [UNIT], database=False)[UNIT]
    build.write(course / "release" / UNIT / f"{UNIT}.ipynb", nbformat.writes(released))
    instructor = Person("instructor", base / "home", course)
    instructor.nbgrader("release_assignment", UNIT)
    return instructor, exchange


@pytest.fixture(scope="module")
def classroom(tmp_path_factory):
    """The whole path, once; tests only read what it left."""
    base = tmp_path_factory.mktemp("exchange")
    instructor, exchange = released_course(base)
    ada, bob = (student(name, base, exchange) for name in ("ada", "bob"))
    right = {
        name: cell(solved(instructor.folder), name).source for name in ("output_size", "zero_pad", "to_chw")
    }
    for person in (ada, bob):
        person.nbgrader("fetch_assignment", UNIT, "--course", "convnets")
    write(ada, right)
    bob.hand_in()  # nothing written yet, and then:
    write(bob, {**right, "output_size": ONE_TOO_LOW})
    for person in (ada, bob):
        person.hand_in()
    instructor.nbgrader("collect", UNIT)
    summary = grade(instructor.folder, progress=False)
    instructor.nbgrader("release_feedback", UNIT)
    for person in (ada, bob):
        person.nbgrader("fetch_feedback", UNIT, "--course", "convnets")
    return instructor, {"ada": ada, "bob": bob}, summary


def feedback_of(person):
    """Return the text of the pages that a student has fetched, the earliest first."""
    pages = sorted((person.folder / UNIT / "feedback").rglob("*.html"))
    return [html.unescape(re.sub(r"<[^>]+>", "", page.read_text())) for page in pages]


def test_students_fetch_no_solution_and_no_hidden_test(classroom):
    instructor, _, _ = classroom
    (text,) = [
        path.read_text() for path in (instructor.folder.parent / "exchange").glob("*/outbound/*/*.ipynb")
    ]
    assert "def output_size" in text and "raise NotImplementedError" in text
    for secret in (SECRET, "HIDDEN TESTS", "// stride + 1", "np.transpose"):
        assert secret not in text


def test_the_last_hand_in_is_the_one_that_is_graded(classroom):
    instructor, _, summary = classroom
    assert (summary.graded, summary.not_graded) == (2, [])
    bob = {row["exercise"]: row for row in summary.rows if row["student"] == "bob"}
    assert bob["output_size"]["misconception"] == "forgets-the-plus-one"
    assert bob["zero_pad"]["verdict"] == "passed"
    with Gradebook(f"sqlite:///{instructor.folder}/gradebook.db") as book:
        assert book.find_submission(UNIT, "ada").score == 5
        assert book.find_submission(UNIT, "ada").timestamp


def test_a_student_finds_message_score_and_hint_and_never_a_hidden_test(classroom):
    _, students, _ = classroom
    (page,) = feedback_of(students["bob"])
    assert HINT in page
    assert "Score: 3.0 / 5.0" in page
    assert "got 4" in page and "def output_size" in page
    for hidden in ("HIDDEN TESTS", "random=5", "Case("):
        assert hidden not in page


def test_students_fetch_their_own_page_and_no_other(classroom):
    _, students, _ = classroom
    (ada,), (bob,) = feedback_of(students["ada"]), feedback_of(students["bob"])
    assert "Score: 5.0 / 5.0" in ada and HINT not in ada
    assert HINT in bob


def test_feedback_that_nbgrader_makes_of_our_grading_has_no_hidden_tests_either(classroom):
    instructor, _, _ = classroom
    pages = instructor.folder / "feedback" / "bob" / UNIT
    instructor.nbgrader("generate_feedback", UNIT, "--force")
    page = (pages / f"{UNIT}.html").read_text()
    assert HINT in page and "Score: 3.0 / 5.0" in page
    assert "HIDDEN TESTS" not in page and "random=5" not in page
    assert (pages / "submission_secret.txt").exists()


def test_the_exchanges_secret_is_no_part_of_the_work(classroom):
    instructor, _, _ = classroom
    course = instructor.folder
    folder = course / "submitted" / "bob" / UNIT
    template = find_template(course, UNIT)
    first = read("bob", UNIT, folder, template, settings(), "")
    (folder / "submission_secret.txt").write_text("another")
    second = read("bob", UNIT, folder, template, settings(), "")
    assert (first.key, first.files) == (second.key, {})
    assert first.secret != second.secret == "another"
