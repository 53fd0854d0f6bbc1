"""The notebooks keep to ../shared/STYLE.md: short cells, few words, no plumbing."""

import re
import statistics
from pathlib import Path

import pytest

from autograder.build import find_units, read_source

ROOT = Path(__file__).parents[2]
UNITS = find_units(ROOT)


def prose(cell) -> int:
    """Return the words of a cell that a person reads: no code blocks, no formulas, no markup."""
    text = re.sub(r"```.*?```|\$\$.*?\$\$|<[^>]+>|^\|.*$", " ", cell.source, flags=re.S | re.M)
    return len(re.findall(r"[\w'’×]+(?:[-.,][\w]+)*", text))


@pytest.fixture(params=UNITS, ids=lambda path: path.stem)
def notebook(request):
    return read_source(request.param)


def students_text(cell) -> str:
    """Return a code cell as the student sees it, without the hidden tests."""
    return re.sub(r"### BEGIN HIDDEN TESTS.*### END HIDDEN TESTS", "", cell.source, flags=re.S).strip()


def test_code_cells_are_short(notebook):
    lengths = [len(students_text(cell).splitlines()) for cell in notebook.cells if cell.cell_type == "code"]
    assert statistics.median(lengths) <= 6
    assert sum(length <= 15 for length in lengths) >= 0.9 * len(lengths)
    assert max(lengths) <= 25


def test_prose_is_short(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert prose(cell) <= 120, cell.source
    total = sum(prose(cell) for cell in notebook.cells if cell.cell_type == "markdown")
    assert 1000 <= total <= 2500


def test_lines_of_code_fit_the_page(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert max(map(len, students_text(cell).splitlines())) <= 96, students_text(cell)


def test_no_matplotlib_plumbing(notebook):
    assert not any("pyplot" in cell.source for cell in notebook.cells if cell.cell_type == "code")


def test_nothing_shouts(notebook):
    for cell in notebook.cells:
        assert "DO NOT" not in cell.source
        assert not re.search(r"#{5,}", students_text(cell))


def test_each_exercise_predicts_then_stubs_then_checks_then_hints(notebook):
    ids = [cell.metadata.get("nbgrader", {}).get("grade_id", "") for cell in notebook.cells]
    for position, name in enumerate(ids):
        if notebook.cells[position].metadata.get("nbgrader", {}).get("solution"):
            assert ids[position + 1] == f"test_{name}"
            assert notebook.cells[position + 1].source.startswith(f"check({name})")
            assert any(
                f'hint("{name}")' in cell.source for cell in notebook.cells[position + 2 : position + 5]
            )
            before = "".join(cell.source for cell in notebook.cells[max(0, position - 6) : position])
            assert "Predict" in before, name
            assert re.search(r"\*(easy|medium|hard) · \d+ minutes", before), name
