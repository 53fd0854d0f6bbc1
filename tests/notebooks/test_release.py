"""Release notebooks give nothing away and open as they should; builds are reproducible."""

import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest

from autograder.build import build, find_units, generate, read_source
from autograder.errors import UsageError

ROOT = Path(__file__).parents[2]
UNITS = find_units(ROOT)
BLOCK = re.compile(r"### BEGIN (SOLUTION|HIDDEN TESTS)\n(.*?)\n[ \t]*### END \1", re.S)


@pytest.fixture(params=UNITS, ids=lambda path: path.stem)
def source(request):
    return request.param


def released(source):
    return nbformat.read(ROOT / "release" / source.stem / f"{source.stem}.ipynb", 4)


def secret_lines(source):
    """Return the lines of all solutions and hidden tests that say anything."""
    lines = {
        line.strip()
        for cell in read_source(source).cells
        for _, block in BLOCK.findall(cell.source)
        for line in block.splitlines()
    }
    visible = {
        line.strip() for cell in read_source(source).cells for line in BLOCK.sub("", cell.source).splitlines()
    }
    return {line for line in lines - visible if len(line) > 3}


def test_no_line_of_a_solution_or_a_hidden_test_is_released(source):
    secrets = secret_lines(source)
    assert secrets
    for cell in released(source).cells:
        assert not secrets & {line.strip() for line in cell.source.splitlines()}, cell.source
        assert "BEGIN SOLUTION" not in cell.source
        assert "HIDDEN TESTS" not in cell.source


def test_no_line_of_a_solution_stands_in_the_course_package(source):
    """Single expressions as common as `return out` may; a line of substance may not."""
    text = {
        line.strip()
        for path in (ROOT / "course").rglob("*.py")
        for line in path.read_text("utf8").splitlines()
    }
    solutions = {
        line.strip()
        for cell in read_source(source).cells
        for kind, block in BLOCK.findall(cell.source)
        if kind == "SOLUTION"
        for line in block.splitlines()
        if len(line.strip()) > 30
    }
    assert not solutions & text


def test_release_notebooks_carry_no_outputs_and_open_without_a_question(source):
    notebook = released(source)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec == {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    }
    assert "widgets" not in notebook.metadata
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_stubs_say_where_to_write_and_raise(source):
    for cell in released(source).cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            assert "# Your code here." in cell.source
            assert cell.source.rstrip().endswith("raise NotImplementedError")


def test_setup_and_test_cells_are_locked(source):
    for cell in released(source).cells:
        details = cell.metadata.get("nbgrader", {})
        if details.get("grade") or "setup" in cell.metadata.get("tags", []):
            assert details["locked"]
            assert cell.metadata["editable"] is False


def test_solutions_ran_from_top_to_bottom(source):
    notebook = nbformat.read(ROOT / "solutions" / source.stem / f"{source.stem}.ipynb", 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [output for cell in code for output in cell.outputs if output.output_type == "error"]


def test_every_solution_passes_its_visible_check(source):
    notebook = nbformat.read(ROOT / "solutions" / source.stem / f"{source.stem}.ipynb", 4)
    for cell in notebook.cells:
        points = cell.metadata.get("nbgrader", {}).get("points")
        if points:
            (result,) = [o for o in cell.outputs if o.output_type == "execute_result"]
            assert float(result.data["text/plain"]) == points


@pytest.fixture
def small_course(tmp_path):
    """Return a course of one short unit that is quick to build."""
    folder = tmp_path / "source" / "00-small"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    details = {
        "grade": False,
        "locked": False,
        "schema_version": 3,
        "solution": True,
        "task": False,
        "grade_id": "to_chw",
    }
    text = f"# %% [markdown]\n# # Small\n\n# %% nbgrader={json.dumps(details)}\ndef to_chw(image):\n    ### BEGIN SOLUTION\n    return image.T\n    ### END SOLUTION\n\n# %%\n1 + 1\n\n# %%\n1 + 1\n"
    (folder / "00-small.py").write_text(text)
    return tmp_path


def made(course):
    return {path: path.read_bytes() for path in sorted(course.rglob("*.ipynb"))}


def test_a_build_gives_the_same_bytes_twice(small_course):
    build(root=small_course)
    first = made(small_course)
    assert len(first) == 2
    shutil.rmtree(small_course / "release")
    shutil.rmtree(small_course / "solutions")
    build(root=small_course)
    assert made(small_course) == first


def test_check_lists_stale_files_and_writes_nothing(small_course):
    stale = build(root=small_course, check=True)
    assert [path.parts[-3] for path in stale] == ["release", "solutions"]
    assert not made(small_course)
    build(root=small_course)
    assert build(root=small_course, check=True) == []
    source = small_course / "source/00-small/00-small.py"
    source.write_text(source.read_text().replace("image.T", "image.T.copy()"))
    assert [path.parts[-3] for path in build(root=small_course, check=True)] == ["solutions"]


def test_a_unit_that_is_gone_leaves_no_notebooks_behind(small_course):
    build(root=small_course)
    shutil.copytree(small_course / "release/00-small", small_course / "release/01-gone")
    assert build(root=small_course) == [small_course / "release/01-gone"]
    assert not (small_course / "release/01-gone").exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("### END SOLUTION", "", "has a BEGIN SOLUTION without its END"),
        (
            "# %%\n1 + 1\n\n# %%",
            '# %% nbgrader={"grade": false, "locked": true, "solution": false, "grade_id": "to_chw"}\n1\n\n# %%',
            "is used by 2 cells",
        ),
        ("return image.T", "return image.T\n    ### END SOLUTION\n    )", "END"),
    ],
)
def test_a_broken_source_is_told_in_one_line(small_course, old, new, said):
    source = small_course / "source/00-small/00-small.py"
    source.write_text(source.read_text().replace(old, new, 1))
    with pytest.raises(UsageError, match=said) as caught:
        build(root=small_course)
    assert "\n" not in str(caught.value)
    assert not made(small_course)


def test_a_solution_that_does_not_run_is_told(small_course):
    source = small_course / "source/00-small/00-small.py"
    source.write_text(source.read_text() + "\n# %%\n1 / 0\n")
    with pytest.raises(
        UsageError, match="00-small does not run: ZeroDivisionError.*in the cell that begins '1 / 0'"
    ):
        build(root=small_course)


def test_an_unknown_unit_is_told(small_course):
    with pytest.raises(UsageError, match="no unit called '07-nothing'. Units here: 00-small"):
        build(["07-nothing"], root=small_course)
    with pytest.raises(UsageError, match="no unit called '00'. Did you mean 00-small?"):
        build(["00"], root=small_course)


def test_nbgraders_own_step_makes_the_release(small_course):
    """The gradebook then knows the unit: stock nbgrader can grade it."""
    from nbgrader.api import Gradebook

    generate(small_course)
    with Gradebook(f"sqlite:///{small_course}/gradebook.db") as book:
        assert [assignment.name for assignment in book.assignments] == ["00-small"]
