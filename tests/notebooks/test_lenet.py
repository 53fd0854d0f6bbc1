"""Unit 07 keeps what issue 4 promises: the solved notebook, run with the solved notebooks beside it, reads the digits."""

import re
from pathlib import Path

import nbformat

UNIT = "07-lenet-in-numpy"
NOTEBOOK = Path(__file__).parents[2] / "solutions" / UNIT / f"{UNIT}.ipynb"


def printed():
    cells = nbformat.read(NOTEBOOK, 4).cells
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    texts = [output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in outputs]
    return "\n".join(texts)


def test_lenet_reads_97_of_100_test_digits():
    shares = re.findall(r"right ([\d.]+)%", printed())
    assert float(shares[-1]) >= 97


def test_the_layers_that_it_was_trained_with_were_carried_from_the_units_before():
    assert "stand-in" not in printed()
    assert printed().count("yours") == 10


def test_the_slides_numbers_come_out_of_the_papers_way_of_counting():
    for number in ("61,706 parameters", "416,520 multiply-adds", "340,908", "60,000"):
        assert number in printed()
