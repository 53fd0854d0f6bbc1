"""The sample class gets exactly the verdicts that it was made to get."""

import pytest

from autograder import demo
from autograder.sample_class import MEMBERS
from course.checks import exercises


@pytest.mark.sandbox
@pytest.mark.slow
def test_the_demo_ends_well_and_again_in_a_moment(tmp_path, capsys):
    assert demo.demo(tmp_path / "class") == 0
    said = capsys.readouterr().out
    assert f"{9 * len(MEMBERS)} of {9 * len(MEMBERS)} verdicts are the expected ones." in said
    assert (tmp_path / "class/reports/01-convolution.html").exists()
    assert (tmp_path / "class/feedback/chidi/01-convolution/01-convolution.html").exists()
    assert demo.demo(tmp_path / "class") == 0
    assert f"0 graded, {len(MEMBERS)} unchanged" in capsys.readouterr().out


def test_the_demo_fails_when_a_verdict_is_not_the_expected_one():
    rows = {("ada", "conv2d"): {"verdict": "partial", "misconception": "forgets-the-bias"}}
    assert "ada, conv2d: expected passed , got partial forgets-the-bias" in demo.surprises(rows, ["conv2d"])


def test_the_sample_class_is_as_large_and_as_wrong_as_promised():
    ideas = {idea for member in MEMBERS for _, idea in member.expected.values() if idea}
    assert len([member for member in MEMBERS if member.expected]) >= 12 + 3
    assert len(ideas) >= 12
    named = {m.name for name in exercises() for m in exercises()[name].misconceptions}
    assert ideas <= named
