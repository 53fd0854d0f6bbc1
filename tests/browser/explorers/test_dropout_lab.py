"""DropoutLab in Chromium: masks, units turned by hand, and the code that gives the same output."""

import re

import pytest

from course.explorers import DropoutLab

pytestmark = pytest.mark.browser


def first_number(sentence):
    return float(re.search(r"gives (\S+?)\.? ", sentence.replace("−", "-"))[1])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("inverted", [True, False])
def test_the_copied_code_gives_the_output_shown(show, training, inverted):
    shown = show(DropoutLab(p=0.2, training=training, inverted=inverted))
    names = {"print": lambda *_: None}
    exec(shown.code("PyTorch"), names)
    assert first_number(shown.sentence()) == pytest.approx(names["h"].item(), rel=1e-3)


def test_a_unit_is_dropped_and_taken_back_by_enter_and_by_touch(show):
    shown = show(DropoutLab(p=0), has_touch=True)
    assert "drops 0 of 10" in shown.sentence()
    shown.grid("Mask").focus()
    shown.page.keyboard.press("ArrowRight")
    shown.page.keyboard.press("Enter")
    assert "drops 1 of 10" in shown.sentence()
    shown.page.keyboard.press("Enter")
    assert "drops 0 of 10" in shown.sentence()
    shown.grid("Mask").tap(position={"x": 30, "y": 30})
    assert "drops 1 of 10" in shown.sentence()


def test_masks_are_stepped_through_and_p_is_turned(show):
    shown = show(DropoutLab())
    before = shown.sentence()
    shown.page.get_by_label("Step on").click()
    assert shown.sentence().startswith("Mask 1 drops")
    shown.grid("Mask").focus()
    shown.page.keyboard.press("Home")
    assert shown.sentence() == before
    shown.page.get_by_label("p by slider").press("ArrowRight")
    assert shown.state("p") == 0.55
    shown.fill("p", 2)
    assert "p is the probability" in shown.text(".cx-error")


def test_linear_units_agree_with_the_scaled_net(show):
    shown = show(DropoutLab(activation="linear", p=0.3))
    mean, whole = re.search(r"odds (\S+); .* gives (\S+)\.$", shown.sentence()).groups()
    assert float(mean.replace("−", "-")) == pytest.approx(float(whole.replace("−", "-")), rel=1e-3)
    assert "exactly" in shown.text(".cx")


def test_with_p_of_1_no_unit_is_taken_back_and_the_code_agrees(show):
    shown = show(DropoutLab())
    shown.grid("Mask").focus()
    shown.page.keyboard.press("Enter")
    shown.fill("p", 1)
    shown.grid("Mask").focus()
    shown.page.keyboard.press("ArrowRight")
    shown.page.keyboard.press("Enter")
    assert "drops 10 of 10" in shown.sentence()
    assert not shown.page.get_by_text("Choose a unit to drop").is_visible()
    names = {"print": lambda *_: None}
    exec(shown.code("PyTorch"), names)
    assert first_number(shown.sentence()) == pytest.approx(names["h"].item(), rel=1e-3)


def test_in_evaluation_no_unit_is_dropped_nor_remembered(show):
    shown = show(DropoutLab(), has_touch=True)
    before = shown.sentence()
    way = shown.page.get_by_role("combobox", name="The net is")
    way.select_option("evaluation")
    shown.settle()
    assert not shown.page.get_by_text("Choose a unit to drop").is_visible()
    shown.grid("In evaluation").focus()
    shown.page.keyboard.press("Enter")
    shown.grid("In evaluation").tap(position={"x": 100, "y": 30})
    way.select_option("training")
    assert shown.sentence() == before
    assert shown.page.get_by_text("Choose a unit to drop").is_visible()


def test_why_the_averages_agree_or_do_not_is_said_by_p_and_the_units(show):
    shown = show(DropoutLab(p=0))
    assert "exactly: nothing is dropped" in shown.text(".cx-formula")
    shown.fill("p", 1)
    assert "1 / (1 − 1) has no value" in shown.text(".cx-formula")
    assert "scaled whole net" not in shown.text(".cx-formula")
