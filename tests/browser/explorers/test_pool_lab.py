"""PoolLab in Chromium: numbers against torch's, the move, the gradient, keys and touch."""

import pytest

from course.explorers import PoolLab

pytestmark = pytest.mark.browser


def read(canvas_value):
    return float(canvas_value.replace("−", "-"))


@pytest.mark.parametrize("kind", ["max", "average", "l2"])
def test_the_copied_code_gives_the_numbers_shown(show, kind):
    shown = show(PoolLab(kind=kind, size=(5, 6), kernel_size=(3, 2), stride=(2, 1), shift=(1, -1)))
    names = {"print": lambda *_: None}
    exec(shown.code("PyTorch"), names)
    shown.grid("Output").focus()
    shown.page.keyboard.press("ArrowRight")
    shown.page.keyboard.press("ArrowDown")
    sentence = shown.sentence()
    assert sentence.startswith("Output row 1, column 1")
    assert read(sentence.split(" is ")[1][:-1]) == pytest.approx(names["out"][0, 0, 1, 1].item(), rel=1e-3)
    shown.grid("Gradient").focus()
    shown.page.keyboard.press("ArrowRight")
    sentence = shown.sentence()
    assert sentence.startswith("Input row 0, column 1")
    grad = names["x"].grad[0, 0, 0, 1].item()
    assert read(sentence.split("gradient is ")[1][:-1]) == pytest.approx(grad, rel=1e-3, abs=1e-9)


def test_a_move_crosses_out_what_changed_and_can_be_taken_back(show):
    shown = show(PoolLab(x=[[0, 0, 9, 0], [0, 0, 0, 0]], kernel_size=2, stride=2))
    assert not shown.grid("Before").is_visible()
    shown.page.get_by_label("move the input left").click()
    shown.settle()
    assert "The move changed 2 of 2 outputs" in shown.text(".cx")
    shown.page.get_by_label("move the input right").click()
    shown.page.get_by_label("move the input right").click()
    shown.settle()
    assert "The move changed 0 of 2 outputs" in shown.text(".cx")
    shown.page.get_by_label("move the input back").click()
    shown.settle()
    assert not shown.grid("Before").is_visible()
    assert shown.state("shift") == [0, 0]


def test_an_edit_is_kept_where_it_was_made_though_the_input_has_moved(show):
    shown = show(PoolLab(shift=(0, 2)))
    shown.grid("Input").focus()
    shown.page.keyboard.press("ArrowRight")
    shown.page.keyboard.type("5")
    shown.page.keyboard.press("Enter")
    shown.settle()
    assert "Input row 0, column 1 is 5" in shown.sentence()
    assert shown.state("x")[0][7] == 5
    assert repr(eval(shown.code("Python"))).startswith("PoolLab(shift=(0, 2), x=")


def test_enter_pins_and_touch_chooses(show):
    shown = show(PoolLab(), has_touch=True)
    shown.grid("Output").tap(position={"x": 30, "y": 30})
    assert "pinned: out[0, 0] = max(" in shown.text(".cx")
    shown.page.get_by_label("more Window").tap()
    shown.page.get_by_label("Step on").tap()
    assert "the largest of 9 numbers" in shown.sentence()
    assert "Output row 0, column 1" in shown.sentence()


def test_a_window_that_does_not_fit_is_explained(show):
    shown = show(PoolLab(size=2, kernel_size=3))
    assert "The window spans 3 rows, the input has 2" in shown.text(".cx-error")


def test_the_presets_work(show):
    shown = show(PoolLab())
    for name in ["alexnet", "dense", "whole", "picture", "halve"]:
        shown.page.get_by_role("combobox", name="Preset").select_option(name)
        assert "numbers is" in shown.sentence()


def test_an_arrow_goes_on_from_where_home_has_led_though_no_frame_was_drawn_between(show):
    shown = show(PoolLab())
    shown.grid("Output").focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight"):
        shown.page.keyboard.press(key)
    assert shown.sentence().startswith("Output row 1, column 2")
    shown.page.evaluate("""() => { for (const key of ["Home", "ArrowRight", "ArrowRight"])
        document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })); }""")
    assert shown.sentence().startswith("Output row 0, column 2")


def test_the_gradient_of_one_output_stays_where_the_input_is_walked_through(show):
    shown = show(PoolLab(kind="average", x=[[-3, 4, 1, 2]], kernel_size=(1, 2), stride=(1, 1)))
    shown.page.get_by_label("gradient of the chosen output alone").check()
    shown.grid("Output").focus()
    shown.page.keyboard.press("ArrowRight")
    shown.grid("Gradient").focus()
    shown.page.keyboard.press("ArrowRight")  # place 1 is in two windows: the sum's gradient is 1
    assert (
        shown.sentence()
        == "Input row 0, column 1 is 4: its gradient is 0.5 for output row 0, column 1 alone."
    )
    shown.page.keyboard.press("ArrowLeft")
    assert "its gradient is 0 for output row 0, column 1 alone" in shown.sentence()
    shown.grid("Output").focus()
    for key in ("Home", "Enter", "ArrowRight", "ArrowRight"):
        shown.page.keyboard.press(key)
    shown.grid("Input").focus()
    shown.page.keyboard.press("ArrowLeft")
    assert "its gradient is 0.5 for output row 0, column 0 alone" in shown.sentence()
    shown.page.get_by_label("gradient of the chosen output alone").uncheck()
    assert shown.sentence().endswith("its gradient is 0.5.")


def test_steps_go_on_from_the_output_chosen_though_the_input_was_looked_at(show):
    shown = show(PoolLab())
    shown.grid("Input").focus()
    shown.page.keyboard.press("ArrowDown")
    shown.page.keyboard.press("]")
    assert shown.sentence().startswith("Output row 0, column 1")


@pytest.mark.parametrize(
    ("kind", "formula"),
    [("max", "max(−3, 4)"), ("average", "((−3) + 4) / 2"), ("l2", "√((−3)² + 4²)")],
)
def test_negative_numbers_stand_in_brackets_where_they_are_summed(show, kind, formula):
    shown = show(PoolLab(kind=kind, x=[[-3, 4]], kernel_size=(1, 2)))
    assert formula in shown.text(".cx-formula")


def test_numbers_that_are_none_are_copied_as_python_has_them(show):
    shown = show(PoolLab(x=[[float("nan"), float("inf")], [float("-inf"), 1]]))
    names = {"print": lambda *_: None}
    exec(shown.code("PyTorch"), names)
    x = names["x"].detach()[0, 0].tolist()
    assert str(x) == "[[nan, inf], [-inf, 1.0]]"
