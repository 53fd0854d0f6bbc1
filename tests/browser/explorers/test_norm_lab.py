"""NormLab in Chromium: the copied code gives the numbers shown, batches go by, an outlier is turned."""

import re

import pytest

from course.explorers import NormLab

pytestmark = pytest.mark.browser


def becomes(sentence):
    return float(re.search(r"becomes (\S+), by", sentence.replace("−", "-"))[1])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", ["batch", "layer", "instance", "group"])
def test_the_copied_code_gives_the_number_shown(show, kind, training):
    shown = show(NormLab(kind=kind, training=training, gamma=1.5, beta=-1, outlier=9))
    shown.page.get_by_label("Step on").click()
    names = {"print": lambda *_: None}
    exec(shown.code("PyTorch"), names)
    assert becomes(shown.sentence()) == pytest.approx(names["out"][0, 0, 0].item(), rel=1e-3)


def test_keys_and_touch_choose_a_number(show):
    shown = show(NormLab(), has_touch=True)
    shown.grid("Before").focus()
    shown.page.keyboard.press("ArrowDown")
    shown.page.keyboard.press("ArrowRight")
    assert shown.sentence().startswith("Sample 1, channel 0, place 1")
    shown.grid("After").tap(position={"x": 5, "y": 5})
    assert shown.sentence().startswith("Sample 0, channel 0, place 0")
    shown.page.get_by_label("outlier by slider").press("ArrowRight")
    assert shown.state("outlier") == 1
    assert repr(eval(shown.code("Python"))) == "NormLab(outlier=1)"


def test_evaluation_uses_what_was_kept_of_the_batches_seen(show):
    shown = show(NormLab(training=False))
    assert "by the mean 0 and variance 1 of the running statistics of 0 batches" in shown.sentence()
    shown.page.get_by_label("Step on").click()
    assert "running statistics of 1 batches" in shown.sentence()
    shown.page.keyboard.press("Tab")
    shown.grid("Before").focus()
    shown.page.keyboard.press("Home")
    assert "running statistics of 0 batches" in shown.sentence()


def test_a_batch_without_spread_is_explained(show):
    shown = show(NormLab(batch=1, places=1))
    assert "One number a channel has no spread" in shown.text(".cx-error")
    shown.fill("Batch size", 2)
    assert shown.sentence().startswith("Sample 0")


def test_a_batch_without_spread_is_no_fault_in_evaluation(show):
    shown = show(NormLab(batch=1, places=1, training=False, beta=-1))
    shown.page.get_by_label("Step on").click()
    assert "by the mean 0 and variance 1 of the running statistics of 0 batches" in shown.sentence()
    assert "cannot be trained on" in shown.text(".cx-note")
    names = {"print": lambda *_: None}
    exec(shown.code("PyTorch"), names)
    assert becomes(shown.sentence()) == pytest.approx(names["out"][0, 0, 0].item(), rel=1e-3)


def test_groups_are_not_spoken_of_where_there_are_none(show):
    assert show(NormLab(channels=3)).page.locator(".cx-remarks li").count() == 0


def test_negative_numbers_stand_in_brackets_in_the_formula(show):
    shown = show(NormLab(beta=-1))
    formula = shown.text(".cx-formula")
    assert re.search(r"− \(−[\d.]+\)\) / √", formula)
    assert "+ (−1) =" in formula
