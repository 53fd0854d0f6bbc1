"""The bundle for students works by itself, and nothing of the instructor's is in it."""

import io
import json
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import nbformat
import pytest
import yaml

from autograder.build import find_units, read_source
from autograder.bundle import bundle
from autograder.errors import UsageError

ROOT = Path(__file__).parents[2]
UNIT = "01-convolution"
EXERCISES = 9  # of unit 01
BLOCK = re.compile(r"### BEGIN (SOLUTION|HIDDEN TESTS)\n(.*?)\n[ \t]*### END \1", re.S)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    out = tmp_path_factory.mktemp("bundle") / "convnets.zip"
    bundle(ROOT, [], out)
    return out


@pytest.fixture(scope="module")
def files(packed):
    with zipfile.ZipFile(packed) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.fixture(scope="module")
def lines(files):
    """Return every line of the bundle: of notebooks, those in their cells."""
    found = {}
    for name, text in files.items():
        cells = json.loads(text)["cells"] if name.endswith(".ipynb") else [{"source": text}]
        found[name] = {line.strip() for cell in cells for line in "".join(cell["source"]).splitlines()}
    return found


def released_units():
    return [source for source in find_units(ROOT) if (ROOT / "release" / source.stem).is_dir()]


def blocks(kind):
    """Return what tells something in all units' solutions or hidden tests: long lines of the ones, cases of the others.

    Not what stands elsewhere in the unit too; nor lines as common as `rng = np.random.default_rng(seed)`, nor a case
    that is a name and no more.
    """
    told = set()
    for source in find_units(ROOT):
        for cell in read_source(source).cells:
            for found, block in BLOCK.findall(cell.source):
                told |= {line.strip() for line in block.splitlines() if found == kind}
        shown = "\n".join(BLOCK.sub("", cell.source) for cell in read_source(source).cells)
        told -= {line.strip() for line in shown.splitlines()}
    length, mark = (40, "") if kind == "SOLUTION" else (30, 'Case("')
    return {line for line in told if len(line) > length and mark in line}


@pytest.mark.parametrize("kind", ["SOLUTION", "HIDDEN TESTS"])
def test_no_line_of_a_solution_or_of_a_hidden_test_is_in_it(lines, kind):
    secrets = blocks(kind)
    assert len(secrets) > 100
    for name, said in lines.items():
        assert not secrets & said, name


def test_the_short_lines_of_both_are_not_in_the_lessons_either(lines):
    for source in released_units():
        (name,) = [name for name in lines if name.endswith(f"release/{source.stem}/{source.stem}.ipynb")]
        text = "\n".join(cell.source for cell in read_source(source).cells)
        shown = {line.strip() for line in BLOCK.sub("", text).splitlines()}
        secrets = {line.strip() for _, block in BLOCK.findall(text) for line in block.splitlines()} - shown
        assert not {line for line in secrets if len(line) > 3} & lines[name]


def test_nothing_but_lessons_course_and_installation_is_in_it(files):
    tops = {name.split("/")[1] for name in files}
    installation = {"README.md", "LICENSE", "pyproject.toml", "environment.yml", "constraints.txt"}
    assert tops == {"course", "release"} | installation
    assert not [name for name in files if "/." in name or "__pycache__" in name]


def test_no_module_of_it_imports_the_grading_engine(files):
    for name, text in files.items():
        assert not re.search(r"^\s*(from|import) +autograder", text, re.M), name


def test_the_same_course_gives_the_same_bytes(packed, tmp_path):
    bundle(ROOT, [], tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_it_asks_for_the_packages_of_the_course_and_not_for_those_of_grading(files):
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    theirs = tomllib.loads(files["convnets/pyproject.toml"])["project"]
    assert theirs["dependencies"] == ours["dependencies"]
    assert "optional-dependencies" not in theirs
    conda = yaml.safe_load(files["convnets/environment.yml"])
    assert conda["dependencies"][-1] == {"pip": ["-c constraints.txt", "-e ."]}


@pytest.fixture
def course(tmp_path):
    """Return an instructor's course folder with one small released unit."""
    unit = tmp_path / "source" / "00-small"
    unit.mkdir(parents=True)
    (unit / "00-small.py").write_text(
        "# %%\ndef f():\n    ### BEGIN SOLUTION\n    return 6 * 7\n    ### END SOLUTION\n"
    )
    release(tmp_path, "def f():\n    raise NotImplementedError")
    return tmp_path


def release(course, source, name="00-small/00-small.ipynb"):
    path = course / "release" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path)


def names(path):
    with zipfile.ZipFile(path) as archive:
        return {name for name in archive.namelist() if "/release/" in name}


def test_the_lessons_are_those_of_the_instructors_own_course(course):
    assert bundle(course, [], course / "out.zip") == ["00-small"]
    assert names(course / "out.zip") == {"convnets/release/00-small/00-small.ipynb"}


def test_only_the_units_asked_for_are_packed(course):
    release(course, "x = 1", "01-more/01-more.ipynb")
    bundle(course, ["01-more"], course / "out.zip")
    assert names(course / "out.zip") == {"convnets/release/01-more/01-more.ipynb"}


@pytest.mark.parametrize("text", ["    return 6 * 7", "### BEGIN HIDDEN TESTS\nassert f() == 3"])
def test_a_release_that_gives_something_away_is_refused_and_nothing_is_written(course, text):
    release(course, f"def f():\n{text}")
    with pytest.raises(UsageError, match=r"00-small.ipynb holds a solution or a hidden test"):
        bundle(course, [], course / "out.zip")
    assert not (course / "out.zip").exists()


def test_a_unit_that_is_not_there_and_a_course_without_release_are_told(course, tmp_path):
    with pytest.raises(UsageError, match="no unit '09-x'; there are: 00-small"):
        bundle(course, ["09-x"], course / "out.zip")
    with pytest.raises(UsageError, match="convnets build"):
        bundle(tmp_path / "nowhere", [], course / "out.zip")


def commands(page):
    """Return the commands of a page, in order."""
    blocks = re.findall(r"^```\n(.*?)^```$", page, re.S | re.M)
    return [line.split("#")[0].split() for block in blocks for line in block.splitlines()]


@pytest.fixture(scope="module")
def installed(packed, files, tmp_path_factory):
    """Unpack the bundle and install it as its README says, into an environment that has never heard of this checkout."""
    home = tmp_path_factory.mktemp("student")
    zipfile.ZipFile(io.BytesIO(packed.read_bytes())).extractall(home)
    folder = home / "convnets"
    make, install = commands(files["convnets/README.md"])[:2]
    subprocess.run([sys.executable, *make[1:], "--without-pip"], cwd=folder, check=True)
    (own,) = (folder / ".venv").glob("lib/python3*/site-packages")
    # the packages from the network are those that are here; this checkout, being a link among them, is not taken along
    (own / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    assert install[:2] == [".venv/bin/pip", "install"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation"]
    pip = [folder / ".venv/bin/python", "-m", "pip", *install[1:], "-q", *offline]
    subprocess.run(pip, cwd=folder, check=True)
    return folder


def run(folder, *command, code=0):
    """Run a command of the bundle in its folder; return what it printed."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder.parent), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_unit_01_can_be_done_from_the_unpacked_bundle_alone_as_its_page_says(installed, files):
    where = run(installed, ".venv/bin/python", "-c", "import course; print(course.__file__)")
    assert where.strip() == str(installed / "course/__init__.py")
    run(installed, ".venv/bin/python", "-c", "import autograder", code=1)
    lab, check, hint, submit, upgrade = commands(files["convnets/README.md"])[2:]
    assert f"new: my-lessons/{UNIT}/{UNIT}.ipynb" in run(installed, *lab, "--", "--version")
    assert f"0 of {EXERCISES} exercises right" in run(installed, *check, code=1)
    assert "conv2d, hint 2 of 3" in run(installed, *hint)
    assert "no solution of conv2d here" in run(installed, *hint[:-1], "solution")
    solve(installed / f"my-lessons/{UNIT}/{UNIT}.ipynb")
    assert f"{EXERCISES} of {EXERCISES} exercises right" in run(installed, *check)
    assert f"made: my-lessons/hand-in/{UNIT}.ipynb" in run(installed, *submit)
    correct(installed / f"release/{UNIT}/{UNIT}.ipynb")
    assert "convnets lab --upgrade" in run(installed, *lab, "--", "--version")
    assert "my-lessons/backups/" in run(installed, *upgrade, "--", "--version")
    mine = nbformat.read(installed / f"my-lessons/{UNIT}/{UNIT}.ipynb", 4)
    assert mine.cells[0].source.endswith("Corrected.")
    assert not [cell for cell in mine.cells if "raise NotImplementedError" in cell.source]


def correct(path):
    """Publish a newer release of a lesson."""
    notebook = nbformat.read(path, 4)
    notebook.cells[0].source += "\n\nCorrected."
    notebook.cells[0]["id"] = "another"
    nbformat.write(notebook, path)


def solve(path):
    """Write the solutions into a student's notebook."""
    notebook = nbformat.read(path, 4)
    solution = nbformat.read(ROOT / "solutions" / UNIT / f"{UNIT}.ipynb", 4)
    solved = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell.source for cell in solution.cells}
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = solved[cell.metadata.nbgrader.grade_id]
    nbformat.write(notebook, path)
