"""The student's page and the page for self-study say what is so: their commands run, what they name is there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from course import explorers
from course.checks import exercises
from course.student import cli
from course.student.lab import update

ROOT = Path(__file__).parents[2]
STUDENT = (ROOT / "course/student/README.md").read_text()
ALONE = (ROOT / "course/student/SELF_STUDY.md").read_text()
README = (ROOT / "README.md").read_text()
WITHOUT_NETWORK = ("unshare", "--user", "--map-root-user", "--net")


def commands(page):
    """Return the commands in a page's blocks, each as its words."""
    blocks = re.findall(r"^```\n(.*?)^```$", page, re.S | re.M)
    return [line.split("#")[0].split() for block in blocks for line in block.splitlines()]


@pytest.fixture
def lessons(tmp_path, monkeypatch):
    update(tmp_path / "my-lessons", ROOT / "release")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "my-lessons"


@pytest.mark.parametrize("page", [STUDENT, ALONE, README], ids=["student", "self-study", "README"])
def test_every_convnets_command_that_a_page_names_is_one_with_these_options(page):
    from autograder import cli as all_commands

    named = re.findall(r"(?:`|^)(?:\.venv/bin/)?convnets (\w+)((?: --\w+)*)", page, re.M)
    assert named or page is README
    for command, options in named:
        known = {flag for option in all_commands.cli.commands[command].params for flag in option.opts}
        assert set(options.split()) <= known


@pytest.mark.parametrize("page", [STUDENT, ALONE, README], ids=["student", "self-study", "README"])
def test_what_make_is_asked_for_is_in_the_makefile(page):
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M)
    assert set(re.findall(r"(?:`|^)make (\w+)", page, re.M)) <= set(targets)


def test_the_commands_for_self_study_run_as_they_stand(lessons, monkeypatch, capsys):
    lab, solution, *checks, upgrade = commands(ALONE)
    assert (lab, upgrade) == (["make", "lab"], ["make", "lab", "ARGS=--upgrade"])
    dry = subprocess.run(["make", "-n", "-o", "env", *upgrade[1:]], cwd=ROOT, capture_output=True, text=True)
    assert "convnets lab --upgrade" in dry.stdout
    assert [command[1:] for command in checks] == [["check", "01"], ["check"]]
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda *_: "n")
    with pytest.raises(SystemExit) as left:
        cli.main(solution[1:])
    assert not left.value.code
    assert "def conv2d" not in capsys.readouterr().out


def test_the_exercises_and_lessons_that_the_pages_name_are_there():
    for page in (STUDENT, ALONE):
        assert set(re.findall(r'hint\("(\w+)"', page)) <= set(exercises())
        for unit in re.findall(r"\d\d-[a-z-]+", page):
            assert (ROOT / "release" / unit / f"{unit}.ipynb").is_file()
    for page, folder in ((STUDENT, "course/student"), (ALONE, "course/student"), (README, ".")):
        for link in re.findall(r"\]\((?!http)([^)#]+)\)", page):
            assert (ROOT / folder / link).exists(), link


def test_the_readme_names_every_explorer():
    named = re.findall(r"^\| `([A-Z]\w+)` \|", README, re.M)
    assert sorted(named) == sorted(explorers.__all__)


def test_the_lab_saves_as_often_as_the_page_says():
    settings = (ROOT / "course/student/jupyter/labconfig/default_setting_overrides.json").read_text()
    assert '"autosaveInterval": 10' in settings
    assert "every ten seconds" in STUDENT


@pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run([*WITHOUT_NETWORK, "true"]).returncode,
    reason="needs Linux with user namespaces, to take the network away",
)
def test_checks_hints_and_solutions_need_no_network(lessons):
    convnets = [*WITHOUT_NETWORK, Path(sys.executable).with_name("convnets")]
    for words, said in (
        (["check", str(ROOT / "solutions/00-start-here/00-start-here.ipynb")], "2 of 2 exercises right"),
        (["hint", "conv2d"], "hint 1 of 3"),
        (["hint", "conv2d", "solution", "--dir", str(ROOT / "solutions")], "def conv2d"),
    ):
        done = subprocess.run([*convnets, *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
