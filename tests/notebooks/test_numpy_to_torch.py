"""Unit 08 keeps what issue 5 promises: the solved notebook, run beside the others, shows that NumPy and PyTorch agree."""

import re
from pathlib import Path

import nbformat

UNIT = "08-numpy-to-torch"
NOTEBOOK = Path(__file__).parents[2] / "solutions" / UNIT / f"{UNIT}.ipynb"


def printed():
    cells = nbformat.read(NOTEBOOK, 4).cells
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    texts = [output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in outputs]
    return "\n".join(texts)


def test_the_functions_and_the_net_were_carried_from_the_units_before():
    assert "stand-in" not in printed()
    assert printed().count("yours") == 11


def test_the_students_gradients_are_those_of_autograd():
    apart = re.findall(r"(?:grad_[xwb]: they differ by|gradients up to [\d.]+, apart) (\S+)", printed())
    assert len(apart) == 3 + 10
    assert max(map(float, apart)) < 1e-12


def test_the_students_backward_passes_gradcheck_with_3_x_3_filters_and_a_sloppy_one_does_not():
    assert re.findall(r"(\w+) +passes: (\w+)", printed()) == [("Conv2dFunction", "True"), ("Sloppy", "False")]


def test_lenet_in_torch_gives_the_scores_of_lenet_in_numpy():
    apart = dict(re.findall(r"torch\.(float\d\d): they differ by (\S+)", printed()))
    assert float(apart["float64"]) < 1e-12
    assert float(apart["float32"]) < 1e-4


def test_lenet_reads_97_of_100_test_digits():
    assert float(re.findall(r"right ([\d.]+)%", printed())[-1]) >= 97


def test_each_way_to_make_it_faster_was_tried_and_timed():
    for name in ("float32", "bf16", "channels last", "both", "compiled"):
        assert re.search(rf"^{name} +(measured in|does not work here)", printed(), re.M), name


def test_the_trained_weights_give_the_same_answers_in_numpy():
    assert "0 of 397 answers differ" in printed()
