"""ConvExplorer in Chromium: by mouse, by keyboard alone, by touch alone."""

import re

import numpy as np
import pytest
import torch

from course.explorers import ConvExplorer

pytestmark = pytest.mark.browser
SETTINGS = dict(size=6, padding=1, stride=2)


def conv2d(x, w, b, stride=1, padding=0):
    arrays = [torch.tensor(part) for part in (x, w, b)]
    return torch.nn.functional.conv2d(*arrays, stride=stride, padding=padding).numpy()


def flipped(x, w, b, stride=1, padding=0):
    return conv2d(x, w[:, :, ::-1, ::-1].copy(), b, stride, padding)


def run(code):
    """Run code that was copied, and return its names."""
    names = {"ConvExplorer": ConvExplorer, "print": lambda *_: None}
    exec(code, names)
    return names


def middle_of(canvas, row, col, rows, cols, edge=18):
    box = canvas.bounding_box()
    return (
        box["x"] + edge + (col + 0.5) * (box["width"] - edge - 1) / cols,
        box["y"] + edge + (row + 0.5) * (box["height"] - edge - 1) / rows,
    )


def test_the_pointer_on_an_output_tells_what_it_is_made_of(show):
    shown = show(ConvExplorer(**SETTINGS))
    shown.page.mouse.move(*middle_of(shown.grid("Output"), 1, 2, 3, 3))
    x, w, b = ConvExplorer(**SETTINGS).numbers()
    value = int(conv2d(x, w, b, 2, 1)[0, 0, 1, 2])
    assert shown.sentence().startswith("Output row 1, column 2: 9 products sum to")
    assert shown.sentence().endswith(f"that is {value}.".replace("-", "−"))


def test_the_pointer_on_an_input_tells_where_it_goes(show):
    shown = show(ConvExplorer(**SETTINGS))
    shown.page.mouse.move(*middle_of(shown.grid("Input"), 2, 2, 8, 8))
    assert shown.sentence() == "Input row 1, column 1 goes into 4 outputs of each filter."
    assert "gradient of x[0, 1, 1] = " in shown.text(".cx")


def test_a_click_pins_a_formula_that_stays(show):
    shown = show(ConvExplorer(**SETTINGS))
    place = middle_of(shown.grid("Output"), 1, 1, 3, 3)
    shown.page.mouse.click(*place)
    shown.page.mouse.move(*middle_of(shown.grid("Output"), 0, 0, 3, 3))
    assert "Output row 0, column 0" in shown.sentence()
    assert "pinned: out[0, 1, 1] = " in shown.text(".cx")


def test_keys_alone_move_pin_step_edit_and_leave(show):
    shown = show(ConvExplorer(**SETTINGS))
    keyboard = shown.page.keyboard
    shown.grid("Output").focus()
    keyboard.press("ArrowRight")
    keyboard.press("ArrowDown")
    assert "Output row 1, column 1" in shown.sentence()
    keyboard.press("Enter")
    keyboard.press("]")
    assert "Output row 1, column 2" in shown.sentence()
    keyboard.press("[")
    keyboard.press("[")
    assert "Output row 1, column 0" in shown.sentence()
    assert "pinned: out[0, 1, 1]" in shown.text(".cx")
    keyboard.press("Home")
    assert "Output row 0, column 0" in shown.sentence()
    assert "pinned" not in shown.text(".cx")
    shown.grid("Input").focus()
    keyboard.press("ArrowRight")
    keyboard.type("-7")
    keyboard.press("Enter")
    shown.settle()
    assert shown.state("x")[0][0][1] == -7
    assert shown.page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("Input")
    keyboard.press("Escape")
    assert shown.page.evaluate("document.activeElement.tagName") == "MAIN"


def test_no_key_gets_past_the_root(show):
    shown = show(ConvExplorer(**SETTINGS))
    shown.page.evaluate("window.heard = []; addEventListener('keydown', (e) => heard.push(e.key))")
    for name in ("Output", "Input", "Kernel"):
        shown.grid(name).focus()
        for key in ["d", "d", "a", "Enter", "Space", "ArrowDown", "[", "Home", "Shift+Tab"]:
            shown.page.keyboard.press(key)
    shown.page.get_by_label("Stride: rows").press("d")
    assert shown.page.evaluate("heard") == []
    assert shown.page.locator("[data-lm-suppress-shortcuts] canvas").count() > 0


def test_space_plays_and_stops(show):
    shown = show(ConvExplorer(size=40, stride=1))
    shown.grid("Output").focus()
    shown.page.keyboard.press("Space")
    shown.page.wait_for_function("!document.querySelector('.cx-live').textContent.includes('column 0:')")
    shown.page.keyboard.press("Space")
    assert shown.page.locator("button[aria-label^=Play]").inner_text() == "▶"


def test_reduced_motion_makes_play_one_step(show):
    shown = show(ConvExplorer(**SETTINGS), reduced_motion="reduce")
    shown.page.locator("button[aria-label^=Play]").click()
    assert "Output row 0, column 1" in shown.sentence()
    assert shown.page.locator("button[aria-label^=Play]").inner_text() == "▶"


def test_touch_alone_chooses_pins_and_edits(show):
    shown = show(ConvExplorer(**SETTINGS), width=360, has_touch=True, is_mobile=True)
    output = shown.grid("Output")
    output.scroll_into_view_if_needed()
    shown.page.touchscreen.tap(*middle_of(output, 2, 1, 3, 3))
    assert "Output row 2, column 1" in shown.sentence()
    assert "pinned: out[0, 2, 1]" in shown.text(".cx")
    shown.page.get_by_label("more Stride").tap()
    shown.settle()
    assert shown.state("stride") == [3, 3]
    shown.page.get_by_label("value of the chosen weight").tap()
    shown.page.keyboard.insert_text("4")
    shown.settle()
    assert shown.state("w") is not None


def test_settings_that_do_not_work_are_explained_and_can_be_undone(show):
    shown = show(ConvExplorer())
    shown.fill("Kernel: rows", 9)
    assert "pad 2 more" in shown.text(".cx-error")
    assert not shown.grid("Output").is_visible()
    shown.fill("Stride: columns", 0)
    assert "a stride of 0 never moves on" in shown.text(".cx-error")
    assert "columns out = ⌊(7 − 3) / 0⌋ + 1: no output" in shown.text(".cx")
    shown.page.get_by_role("button", name="Reset to the settings of the call").click()
    assert shown.sentence().startswith("Output row 0")


def test_every_preset_shows_a_map_and_python_gives_the_same_numbers(show):
    shown = show(ConvExplorer())
    for name in ["same", "alexnet", "vgg", "leftover", "dilated", "transposed", "valid"]:
        shown.page.get_by_label("Preset").last.select_option(name)
        assert re.search("goes into|product is|products sum to", shown.sentence())
        assert shown.page.locator(".cx-error").count() == 0


@pytest.mark.parametrize(
    "settings",
    [
        {},
        dict(size=(5, 8), kernel_size=(2, 3), stride=(2, 1), padding=(0, 1, 2, 0), padding_mode="reflect"),
        dict(size=6, padding=2, padding_mode="circular", dilation=2, in_channels=2, out_channels=2),
        dict(size=(3, 4), stride=3, padding=(1, 0, 0, 1), transposed=True, in_channels=2, out_channels=3),
        dict(size=4, stride=2, padding=1, output_padding=1, transposed=True),
        dict(x=np.arange(12.0).reshape(1, 3, 4) / 8, w=[[[[1, -2.5]]]], b=[0.5]),
    ],
)
def test_copied_code_runs_and_gives_what_is_shown(show, settings):
    explorer = ConvExplorer(**settings)
    shown = show(explorer)
    call = shown.code("Python")
    assert call == repr(explorer).replace("'", '"')
    assert repr(eval(call)) == repr(explorer)
    out = run(shown.code("PyTorch"))["out"]
    value = shown.page.evaluate(
        "() => document.querySelector('.cx-live').textContent.match(/that is (.*)\\.$/)[1]"
    )
    assert float(value.replace("−", "-")) == pytest.approx(out[0, 0, 0, 0].item(), rel=1e-3)


def test_the_right_function_is_called_right_and_the_flipped_one_is_crossed_out(show):
    right = show(ConvExplorer(conv2d, **SETTINGS))
    assert "✓ conv2d(x, w, b, stride=2, padding=1): all 9 numbers are right." in right.text(".cx")
    wrong = show(ConvExplorer(flipped, **SETTINGS))
    assert "of its 9 numbers are wrong" in wrong.text(".cx-yours")
    assert "Yours has" in wrong.sentence()
    assert wrong.grid("Yours: flipped").is_visible()


def test_an_exception_is_shown_in_place(show):
    def broken(x, w, b, stride=1, padding=0):
        raise ValueError("shapes do not fit")

    shown = show(ConvExplorer(broken))
    assert "✗ broken(x, w, b, stride=1, padding=0) raised ValueError: shapes do not fit" in shown.text(
        ".cx-yours"
    )


def test_a_new_setting_asks_the_kernel_and_its_answer_is_judged(show):
    explorer = ConvExplorer(flipped)
    shown = show(explorer)
    shown.fill("Stride: rows", 2)
    shown.fill("Stride: columns", 2)
    assert "Asking flipped" in shown.text(".cx-yours")
    explorer.stride = shown.state("stride")
    explorer._ask = shown.state("_ask")
    shown.page.evaluate("answer => model.set('_yours', answer)", explorer._yours)
    shown.settle()
    assert "✗ flipped(x, w, b, stride=2, padding=0)" in shown.text(".cx-yours")


def test_a_change_from_python_is_drawn(show):
    shown = show(ConvExplorer())
    shown.page.evaluate("model.set('stride', [3, 3])")
    shown.settle()
    assert "Output 2 × 2" in shown.text(".cx")


def test_stopping_removes_it_and_lets_go_of_the_model(show):
    shown = show(ConvExplorer())
    shown.page.evaluate("stop(); model.set('stride', [2, 2])")
    shown.settle()
    assert shown.page.locator(".cx").count() == 0


FIELDS = {"value of the chosen input": "x", "value of the chosen weight": "w", "bias of the filter": "b"}


@pytest.mark.parametrize("field", FIELDS)
def test_a_number_is_stored_as_it_is_typed_key_by_key(show, field):
    shown = show(ConvExplorer())
    box = shown.page.get_by_label(field)
    for typed in ("125", "-2.25"):
        box.press("Control+a")
        shown.page.keyboard.type(typed, delay=40)
        assert float(typed) in np.ravel(shown.state(FIELDS[field]))
        assert box.input_value() == typed


def test_padding_that_copies_an_input_brings_it_to_an_output_again(show):
    shown = show(ConvExplorer(size=3, padding=1, padding_mode="reflect"))
    for key in ("ArrowRight", "ArrowDown"):
        shown.grid("Input").press(key)
    assert shown.sentence() == "Input row 1, column 1 goes into 9 outputs of each filter."
    formula = shown.page.locator(".cx-formula").last.inner_text()
    assert formula.count("g[0, 0, 0]") == 1 and "(1 + " in formula


def test_settings_too_large_to_work_out_are_explained(show):
    shown = show(ConvExplorer())
    shown.fill("Channels", 10**9)
    assert "too many to work out here" in shown.text(".cx-remarks")
    shown.fill("Channels", 1)
    shown.fill("Padding (top, bottom, left, right): top", 10**6)
    assert "rows of padded input are too many to draw" in shown.text(".cx-remarks")
