"""A check in a test cell either counts or is refused when the unit is read."""

import pytest

from autograder.build import read_source
from autograder.cells import uncounted
from autograder.errors import UsageError
from tests.grading.classroom import UNIT, make_course

HIDDEN = "\n### BEGIN HIDDEN TESTS\n{}\n### END HIDDEN TESTS"
LAST = 'check(pad, cases=[Case("a", 1)])'


@pytest.mark.parametrize(
    "text",
    [
        "check(pad)",
        "assert pad(1) == 2\ncheck(pad)",
        "check(pad)" + HIDDEN.format(f"x = 2\nassert pad(x) == 3\n{LAST}"),
        HIDDEN.format(LAST)[1:],
        "assert pad(1) == 2" + HIDDEN.format("assert pad(2) == 3"),
        "%matplotlib inline\ncheck(pad)",
        "import numpy as np\n",
        "check(pad",  # grading tells of a test that does not run
    ],
)
def test_a_cell_whose_last_line_is_its_check_is_taken(text):
    assert uncounted(text) == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("check(pad)\nassert pad(1) == 2", "check\\(pad\\) would not count: put the line above the check"),
        ("check(pad)" + HIDDEN.format("assert pad(2) == 3"), "check\\(pad\\) would not count"),
        ("check(pad)" + HIDDEN.format(f"{LAST}\nassert pad(2) == 3"), "would not count: put the line above"),
        ("check(pad)" + HIDDEN.format(f"{LAST}\ncheck(pad, random=5)"), "one check all cases"),
        ("check(pad)\ncheck(crop)", "has several checks"),
        ("check(pad)" + HIDDEN.format("check(crop)"), "checks pad and then crop"),
        (HIDDEN.format(LAST)[1:] + "\ncheck(pad)", "hidden check above the visible one"),
    ],
)
def test_a_check_that_would_not_count_is_refused(text, said, tmp_path):
    source = make_course(tmp_path) / "source" / UNIT / f"{UNIT}.py"
    whole = source.read_text()
    start = whole.index("check(to_chw)")
    source.write_text(whole[:start] + text + "\n")
    with pytest.raises(UsageError, match=f"test_to_chw' .*{said}") as caught:
        read_source(source)
    assert "\n" not in str(caught.value)
