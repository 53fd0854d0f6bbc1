"""Unit 09 finds the numbers that are quoted for AlexNet, and its careful net is better than its plain one."""

import re
from pathlib import Path

import nbformat

UNIT = "09-alexnet"
NOTEBOOK = Path(__file__).parents[2] / "solutions" / UNIT / f"{UNIT}.ipynb"


def printed():
    cells = nbformat.read(NOTEBOOK, 4).cells
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    return "\n".join(o.get("text", "") or o.get("data", {}).get("text/plain", "") for o in outputs)


def test_the_quoted_numbers_come_out():
    for number in (
        "62,378,344",
        "61,100,840",
        "60,965,224 parameters, 724,406,816 multiply-adds",
        "107,627,624",
    ):
        assert number in printed()


def test_care_makes_the_small_net_better():
    shares = {
        name: int(test)
        for name, test in re.findall(r"(plain|with care) +\d+% in .*, (\d+)% in the test; drops", printed())
    }
    assert shares["with care"] > shares["plain"] >= 60
