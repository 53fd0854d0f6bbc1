"""The convnets command: help at once, and one clear line with exit code 2 for a wrong call."""

import errno
import json
import subprocess
import sys

import pytest

from autograder import cli
from course.student.errors import UsageError

COMMANDS = sorted(cli.cli.commands)


@pytest.fixture
def convnets(capsys, monkeypatch, tmp_path):
    """Run the command in an empty folder; return its exit code, output and error output."""
    monkeypatch.chdir(tmp_path)

    def run(*args):
        with pytest.raises(SystemExit) as left:
            cli.main([str(arg) for arg in args])
        return (left.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture
def failing(monkeypatch):
    """Make the command `doctor` raise an error."""

    def set_up(error):
        def examine():
            raise error

        monkeypatch.setattr("autograder.doctor.examine", examine)

    return set_up


def test_the_promised_commands_are_there():
    student = {"lab", "check", "hint", "submit"}
    instructor = {"init", "build", "bundle", "collect", "grade", "report", "export", "demo", "doctor"}
    assert student | instructor <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(convnets, command):
    code, out, _ = convnets(command, "--help")
    assert code == 0
    assert f"Usage: convnets {command}" in out


def test_help_loads_nothing_slow():
    program = (
        "import sys, autograder.cli; print(*{'torch', 'nbgrader', 'numpy', 'IPython'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([], "Missing command"),
        (["bild"], "Did you mean 'build'"),
        (["check", "--exercize"], "No such option"),
        (["check", "01", "02"], "unexpected extra argument"),
        (["check"], "no folder my-lessons"),
        (["check", "nothing.ipynb"], "no notebook nothing.ipynb"),
        (["hint"], "Missing argument 'EXERCISE'"),
        (["hint", "conv3d"], "no exercise is called 'conv3d'"),
        (["hint", "conv2d", "4"], "'4' is not one of '1', '2', '3', 'solution', 'show me'"),
        (["lab", "--port", "9999"], "`convnets lab -- --port ...`"),
        (["lab", "--no-brows"], "Did you mean '--no-browser'? See `convnets --help`."),
        (["init"], "Missing argument 'DIR'"),
        (["bundle"], "no lessons in release"),
        (["collect", "01-convolution"], "Missing argument 'ZIP|FOLDER'"),
        (["collect", "01-convolution", "x.zip"], "has no units"),
        (["export"], "Missing option '--format'"),
        (["export", "--format", "excel"], "'excel' is not one of"),
        (["export", "--format", "csv"], "has no units"),
        (["report"], "There are no grades in grades.csv"),
        (["grade", "--workers", "0"], "'--workers'"),
        (["grade", "--workers", "many"], "'--workers'"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(convnets, args, says):
    code, out, err = convnets(*args)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("convnets: ")
    assert says in err


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (UsageError("there is no unit 99"), "there is no unit 99"),
        (UsageError("of two\nlines"), "of two lines"),
        (PermissionError(errno.EACCES, "Permission denied", "/course/gradebook.db"), "/course/gradebook.db"),
        (
            OSError(errno.EROFS, "Read-only file system", "/course/release"),
            "Read-only file system: /course/release",
        ),
    ],
)
def test_what_is_wrong_outside_the_program_is_one_line(convnets, failing, error, says):
    failing(error)
    code, _, err = convnets("doctor")
    assert (code, err) == (2, err.splitlines()[0] + "\n")
    assert says in err


def test_a_fault_of_the_program_is_not_dressed_up_as_the_callers(failing):
    failing(FileNotFoundError(errno.ENOENT, "No such file", "our-own-file"))
    with pytest.raises(FileNotFoundError):
        cli.main(["doctor"])


def test_ctrl_c_ends_without_a_traceback(convnets, failing):
    failing(KeyboardInterrupt())
    code, out, err = convnets("doctor")
    assert (code, (out + err).strip()) == (130, "")


def test_the_doctor_fails_only_on_what_everybody_needs(convnets, monkeypatch):
    from autograder.doctor import Finding

    absent, broken = Finding("GPU", False, "none"), Finding("Data", False, "none", needed=True)
    monkeypatch.setattr("autograder.doctor.examine", lambda: [absent])
    assert convnets("doctor")[0] == 0
    monkeypatch.setattr("autograder.doctor.examine", lambda: [absent, broken])
    code, out, _ = convnets("doctor")
    assert code == 1
    assert "BROKEN  Data" in out


def test_hints_go_from_a_nudge_to_nearly_the_code(convnets):
    hints = [convnets("hint", "conv2d", level)[1] for level in (1, 2, 3)]
    assert len(set(hints)) == 3
    assert "convnets hint conv2d 2" in hints[0]
    assert "convnets hint" not in hints[2]


def test_an_alembic_is_found_without_an_activated_environment(convnets, monkeypatch):
    import shutil

    monkeypatch.setenv("PATH", "/nowhere")
    convnets("--version")
    assert shutil.which("alembic")


def test_init_refuses_a_folder_with_something_in_it(convnets, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("two years of work")
    code, _, err = convnets("init", "mine")
    assert code == 2
    assert "not empty" in err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_init_refuses_a_name_that_is_a_file(convnets, tmp_path):
    (tmp_path / "mine").write_text("two years of work")
    assert convnets("init", "mine")[0] == 2
    assert (tmp_path / "mine").read_text() == "two years of work"


def test_init_makes_a_course_folder_that_the_other_commands_accept(convnets, tmp_path):
    code, out, _ = convnets("init", "mine")
    assert code == 0
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {
        "source",
        "nbgrader_config.py",
        "README.md",
    }
    code, out, _ = convnets("build", "--check", "--course", "mine")
    assert code == 1
    assert "stale: mine/release/01-convolution/01-convolution.ipynb" in out
    assert not (tmp_path / "mine/release").exists()


def test_check_ends_with_a_count_and_fails_when_not_all_is_right(convnets, tmp_path):
    from course.student.lab import ROOT, update

    update(tmp_path / "my-lessons", ROOT / "release")
    code, out, _ = convnets("check", "00")
    assert code == 1
    assert "to_chw is not written yet" in out
    assert out.endswith("0 of 2 exercises right.\n")
    code, out, _ = convnets("check", ROOT / "solutions/00-start-here/00-start-here.ipynb")
    assert code == 0
    assert out.endswith("2 of 2 exercises right.\n")


@pytest.fixture
def graded(monkeypatch):
    """Make `grade` end with a given list of what could not be graded; gives what it was called with."""
    from autograder.grading import GradingSummary

    calls = []

    def set_up(not_graded):
        def grade(course, units, **options):
            calls.append((course, units, options))
            return GradingSummary(graded=3, not_graded=not_graded)

        monkeypatch.setattr("autograder.grading.grade", grade)
        return calls

    return set_up


def test_grade_exits_with_0_when_all_is_graded(convnets, graded):
    calls = graded([])
    code, out, _ = convnets("grade", "01-convolution", "--workers", "3")
    assert code == 0
    assert "3 graded" in out
    ((course, units, options),) = calls
    assert (str(course), units, options["workers"]) == (".", ("01-convolution",), 3)
    assert options["unsafe_no_sandbox"] is False


def test_grade_exits_with_3_when_something_could_not_be_graded(convnets, graded):
    graded([{"student": "ada", "unit": "01-convolution", "why": "the sandbox went away"}])
    code, out, _ = convnets("grade")
    assert code == 3
    assert "ada" in out


def test_grade_prints_json_and_nothing_else_when_asked(convnets, graded):
    calls = graded([])
    code, out, _ = convnets("grade", "--json")
    assert code == 0
    assert json.loads(out)["graded"] == 3
    assert calls[0][2]["progress"] is False
