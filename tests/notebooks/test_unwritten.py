"""An exercise that is not written yet, called by a cell of a notebook: one line, in a real kernel."""

import nbformat
import pytest
from nbclient import NotebookClient

WRITTEN_LATER = [
    "from course.checks import check",
    "def relu(x):\n    raise NotImplementedError\n\nclass Net:\n    def forward(self, x):\n        raise NotImplementedError",
]
CELLS = [
    (
        "[f(1) for f in [lambda x: relu(x)]]",
        "relu is not written yet: write it, run its cell, and then run this one again.",
    ),
    (
        "Net().forward(1)",
        "Net.forward is not written yet: write it, run its cell, and then run this one again.",
    ),
    ("raise NotImplementedError('not on a Tuesday')", "not on a Tuesday"),
]


@pytest.fixture(scope="module")
def outputs():
    """Return what the cells put out, run one after the other."""
    code = WRITTEN_LATER + [code for code, _ in CELLS]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in code])
    NotebookClient(notebook, allow_errors=True, kernel_name="python3").execute()
    return [cell.outputs for cell in notebook.cells[len(WRITTEN_LATER) :]]


@pytest.mark.parametrize("number", range(len(CELLS)))
def test_what_is_not_written_is_told_in_one_line(outputs, number):
    (output,) = outputs[number]
    sentence = CELLS[number][1]
    assert (output.ename, output.evalue) == ("NotImplementedError", sentence)
    if "written" in sentence:
        assert output.traceback == [f"NotImplementedError: {sentence}"]
    else:
        assert "line 1" in "".join(output.traceback)
