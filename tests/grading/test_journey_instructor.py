"""The instructor's page, command by command: what it says happens, from an empty folder to marks and report."""

import csv
import re
import shlex
import subprocess
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder import build, init
from tests.grading.classroom import cell
from tests.grading.test_exchange import Person
from tests.grading.test_scale import environment

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]
PAGE = init.PAGE.read_text()
UNIT = "00-start-here"
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()]
CANVAS = 'Student,ID,SIS User ID,SIS Login ID,Section\n"Bloggs, Bob",102,,bob,1\n"Gone, Gil",109,,gil,1\n'
LATE = "2020-01-02 00:00:00 UTC"


class Journey:
    """A course folder, a student who uses the exchange (ada) and one whose work comes from Canvas (bob)."""

    def __init__(self, base):
        self.base, self.course, self.said = base, base / "mycourse", {}
        self.env = environment() | {
            name: str(base / "home" / name.lower())
            for name in (
                "HOME",
                "JUPYTER_DATA_DIR",
                "JUPYTER_CONFIG_DIR",
                "JUPYTER_RUNTIME_DIR",
                "IPYTHONDIR",
            )
        }
        self.ada = Person("ada", base / "home-ada", base / "ada")

    def run(self, command, code=0):
        """Run a command of the page in the course folder and return what it said."""
        done = subprocess.run(
            shlex.split(command), cwd=self.course, env=self.env, capture_output=True, text=True
        )
        assert done.returncode == code, f"{command}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
        return done.stdout + done.stderr

    def prepare(self):
        """Make the course folder as the README says, and let it and Ada share an exchange."""
        readme = (Path(init.ROOT) / "README.md").read_text()
        (command,) = re.findall(r"^\.venv/bin/(convnets init) ~/mycourse", readme, re.M)
        subprocess.run([*command.split(), str(self.course)], env=self.env, check=True, capture_output=True)
        shared = f"c.Exchange.root = {str(self.base / 'exchange')!r}\n"
        with (self.course / "nbgrader_config.py").open("a") as file:
            file.write(shared + "c.LateSubmissionPlugin.penalty_method = 'zero'\n")
        (self.ada.folder / "nbgrader_config.py").write_text("c = get_config()\n" + shared)

    def before(self, command):
        """Do what others do before a command makes sense: students hand in, an administrator exports the class."""
        if command.startswith("nbgrader collect"):
            self.ada.nbgrader("fetch_assignment", UNIT, "--course", "convnets")
            path = self.ada.folder / UNIT / f"{UNIT}.ipynb"
            fill(path, self.solutions())
            self.ada.nbgrader("submit", UNIT, "--course", "convnets", "--student=ada")
        elif command.startswith("convnets collect"):
            with zipfile.ZipFile(self.course / "lessons.zip") as lessons:
                (name,) = [name for name in lessons.namelist() if name.endswith(f"{UNIT}.ipynb")]
                lessons.extract(name, self.base / "bob")
            wrong = self.solutions() | {"to_chw": "def to_chw(image):\n    return image.transpose(2, 1, 0)"}
            fill(self.base / "bob" / name, wrong)
            (self.course / "downloads").mkdir()
            with zipfile.ZipFile(self.course / "downloads/canvas.zip", "w") as download:
                download.write(self.base / "bob" / name, f"bloggsbob_102_9_{UNIT}.ipynb")
            (self.course / "roster.csv").write_text(CANVAS)

    def solutions(self):
        """Return the answers of the solved notebook."""
        solved = build.solved(self.course / "source" / UNIT / f"{UNIT}.py")
        return {c.metadata.nbgrader.grade_id: c.source for c in solved.cells if is_answer(c)}

    def grades(self):
        """Return grades.csv by student and exercise."""
        with (self.course / "grades.csv").open() as file:
            return {(row["student"], row["exercise"]): row for row in csv.DictReader(file)}

    def gradebook(self):
        """Open the gradebook."""
        return Gradebook(f"sqlite:///{self.course}/gradebook.db")

    def feedback(self, student):
        """Return a student's feedback."""
        return (self.course / "feedback" / student / UNIT / f"{UNIT}.html").read_text()


def is_answer(c):
    """Return whether a cell is a solution."""
    return c.metadata.get("nbgrader", {}).get("solution", False)


def fill(path, answers):
    """Write answers into a notebook."""
    notebook = nbformat.read(path, 4)
    for name, text in answers.items():
        cell(notebook, name).source = text
    nbformat.write(notebook, path)


@pytest.fixture(scope="module")
def journey(tmp_path_factory):
    """The page's commands, run in its order in a new course folder; tests look at what came of it, in theirs."""
    journey = Journey(tmp_path_factory.mktemp("journey"))
    journey.prepare()
    for command in COMMANDS:
        journey.before(command)
        journey.said[command] = journey.run(command)
    journey.ada.nbgrader("fetch_feedback", UNIT, "--course", "convnets")
    return journey


def said(journey, start):
    """Return what the command said that starts so."""
    return next(text for command, text in journey.said.items() if command.startswith(start))


def test_the_page_is_in_the_course_folder_and_linked_from_the_readme(journey):
    assert (journey.course / "README.md").read_text() == PAGE
    assert "(autograder/INSTRUCTOR.md)" in (init.ROOT / "README.md").read_text()


def test_the_page_names_every_step_by_its_command():
    words = {" ".join(command.split()[:2]) for command in COMMANDS}
    steps = ["build", "check", "bundle", "collect", "grade", "export", "report"]
    assert words == {f"convnets {step}" for step in steps} | {
        "nbgrader release_assignment",
        "nbgrader collect",
        "nbgrader db",
        "nbgrader release_feedback",
    }


def test_students_get_no_solution_and_the_solutions_pass_every_check(journey):
    release = (journey.course / "release" / UNIT / f"{UNIT}.ipynb").read_text()
    assert "raise NotImplementedError" in release and "HIDDEN TESTS" not in release
    assert "2 of 2 exercises right." in said(journey, "convnets check")


def test_both_ways_of_collecting_end_in_submitted(journey):
    for student in ("ada", "bob"):
        assert (journey.course / "submitted" / student / UNIT / f"{UNIT}.ipynb").exists()
    assert "1 new" in said(journey, "convnets collect")


def test_grading_fills_what_the_page_says_with_a_progress_bar(journey):
    text = said(journey, "convnets grade")
    assert "2 graded, 0 unchanged, 0 not graded" in text and "2/2" in text
    for name in ("gradebook.db", "autograded/ada", "feedback/bob", "grades.csv"):
        assert (journey.course / name).exists()
    rows = journey.grades()
    assert rows["ada", "to_chw"]["verdict"] == "passed"
    assert rows["bob", "to_chw"]["verdict"] == "failed"


def test_the_student_fetches_message_and_score(journey):
    (page,) = (journey.ada.folder / UNIT / "feedback").rglob("*.html")
    text = page.read_text()
    assert "Score:" in text and "All " in text and "HIDDEN TESTS" not in text


def test_canvas_gets_the_marks_and_the_instructor_who_is_missing(journey):
    text = said(journey, "convnets export")
    assert "Not on roster.csv, so not in the file: ada." in text
    assert "On roster.csv, but without a mark: gil." in text
    with (journey.course / "marks-canvas.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["SIS Login ID"] for row in rows] == ["", "bob"]
    assert float(rows[1][UNIT]) == sum(
        float(r["score"]) for (s, _), r in journey.grades().items() if s == "bob"
    )


def test_the_report_is_one_page(journey):
    text = (journey.course / "reports" / f"{UNIT}.html").read_text()
    for heading in (
        "For the next lecture",
        "Scores",
        "Wrong ideas",
        "Exercises",
        "Similar answers",
        "Timeouts",
    ):
        assert f"<h2>{heading}" in text


def test_a_second_run_grades_nothing_and_a_changed_test_its_unit_and_a_mark_by_hand_stays(journey):
    assert "0 graded, 2 unchanged" in journey.run(f"convnets grade {UNIT}")
    with journey.gradebook() as book:
        book.find_grade("test_to_chw", UNIT, UNIT, "bob").manual_score = 0.5
        book.find_comment("to_chw", UNIT, UNIT, "bob").manual_comment = "Which axis is which?"
        book.db.commit()
    assert "0 graded, 2 unchanged" in journey.run(f"convnets grade {UNIT}")
    assert "Which axis is which?" in journey.feedback("bob")
    source = journey.course / "source" / UNIT / f"{UNIT}.py"
    text = source.read_text()
    source.write_text(re.sub(r"random=\d+", "random=7", text))
    assert source.read_text() != text
    assert "2 graded, 0 unchanged" in journey.run(f"convnets grade {UNIT}")
    with journey.gradebook() as book:
        assert book.find_grade("test_to_chw", UNIT, UNIT, "bob").score == 0.5
        assert book.find_submission(UNIT, "bob").needs_manual_grade  # Formgrader asks to look again
    assert "Which axis is which?" in journey.feedback("bob")


def test_late_work_loses_its_points_at_the_next_run(journey):
    command = next(command for command in COMMANDS if command.startswith("nbgrader db assignment"))
    journey.run(re.sub(r'".*"', f'"{LATE}"', command))
    text = journey.run(f"convnets grade {UNIT}")
    assert "0 not graded" in text
    with journey.gradebook() as book:
        late = book.find_submission_notebook(UNIT, UNIT, "ada")
        assert late.late_submission_penalty == late.score > 0
    assert "Score: 0.0" in journey.feedback("ada")
