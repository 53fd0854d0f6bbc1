"""ReceptiveField in Chromium: editing the stack, choosing a pixel, levels, and the code that torch runs."""

import pytest

from course.explorers import ReceptiveField

pytestmark = pytest.mark.browser


def test_an_output_is_chosen_by_mouse_keys_and_touch(show):
    shown = show(ReceptiveField(), has_touch=True)
    assert shown.sentence().startswith(
        "Output row 4, column 4 sees rows 4 to 10 and columns 4 to 10 of the input: 7 × 7."
    )
    output = shown.grid("Output")
    output.focus()
    shown.page.keyboard.press("ArrowRight")
    assert "column 5 sees rows 4 to 10 and columns 5 to 11" in shown.sentence()
    output.hover(position={"x": 25, "y": 25})
    assert shown.sentence().startswith("Output row 0, column 0")
    shown.page.get_by_label("Step on").tap()
    assert shown.sentence().startswith("Output row 0, column 1")
    shown.grid("Output").focus()
    shown.page.keyboard.press("Home")
    assert shown.sentence().startswith("Output row 4, column 4")


def test_a_place_of_a_level_chooses_the_output_that_looks_there(show):
    shown = show(ReceptiveField(layers=[("conv", 5), ("pool", 2)], size=20))
    shown.grid("Input").focus()
    before = shown.sentence()
    for _ in range(3):
        shown.page.keyboard.press("ArrowDown")
    assert shown.sentence() != before
    shown.page.get_by_label("Level shown").last.select_option("1")
    assert "Level 1 (conv) 16 × 16" in shown.text(".cx")


@pytest.mark.parametrize(
    "layers", [[("conv", 3, 2)], [("conv", 2)], [("pool", 2)], [("conv", 5), ("pool", 3), ("conv", 2)]]
)
def test_an_arrow_on_a_level_takes_the_next_output(show, layers):
    shown = show(ReceptiveField(layers=layers, size=33))
    shown.grid("Input").focus()
    column = lambda: int(shown.sentence().split("column ")[1].split(" ")[0])  # noqa: E731
    start = column()
    for key, after in [("Right", 1), ("Right", 2), ("Left", 1), ("Left", 0), ("Left", -1)]:
        shown.page.keyboard.press(f"Arrow{key}")
        assert column() == start + after


def test_a_level_too_large_to_show_is_explained(show):
    shown = show(ReceptiveField())
    shown.fill("layer 1 padding", 100000)
    assert "puts out 200014 rows with a padding of 100000: 512 of each" in shown.text(".cx-error")
    assert shown.code("PyTorch").startswith("# Layer 1 (conv) puts out 200014 rows")
    shown.fill("layer 1 padding", 1)
    assert shown.sentence().startswith("Output row ")


def test_a_field_in_the_padding_has_no_weight_to_speak_of(show):
    shown = show(ReceptiveField(layers=[("conv", 1, 1, 5)], size=8))
    shown.grid("Output").hover(position={"x": 25, "y": 25})
    assert shown.sentence().endswith(
        "columns −5 to −5 of the input: 1 × 1, but only padding is there to be read."
    )


def test_the_focus_follows_a_layer_that_is_moved_and_stays_in_the_table(show):
    shown = show(ReceptiveField(layers=[("conv", 3), ("conv", 5), ("pool", 2)], size=30))
    focus = lambda: shown.page.evaluate("document.activeElement.getAttribute('aria-label')")  # noqa: E731
    shown.page.get_by_label("move layer 3 up").focus()
    shown.page.keyboard.press("Enter")
    assert focus() == "move layer 2 up"
    shown.page.keyboard.press("Enter")
    assert [layer[:2] for layer in shown.state("layers")] == [["pool", 2], ["conv", 3], ["conv", 5]]
    assert focus() == "move layer 1 up"
    shown.page.get_by_label("remove layer 3").focus()
    for left in ("remove layer 2", "remove layer 1", "Layers"):
        shown.page.keyboard.press("Enter")
        assert focus() == left


def test_layers_are_edited_added_moved_and_removed(show):
    shown = show(ReceptiveField(layers=[("conv", 3), ("pool", 2)]))
    shown.fill("layer 1 kernel", 5)
    shown.page.get_by_label("add a conv layer").click()
    shown.page.get_by_label("move layer 2 up").click()
    shown.settle()
    assert shown.state("layers") == [["pool", 2, 2, 0, 1], ["conv", 5, 1, 0, 1], ["conv", 3, 1, 1, 1]]
    shown.page.get_by_label("remove layer 1").click()
    shown.settle()
    assert "7 × 7" in shown.sentence()
    assert (
        repr(eval(shown.code("Python")))
        == "ReceptiveField(layers=[['conv', 5, 1, 0, 1], ['conv', 3, 1, 1, 1]])"
    )
    shown.fill("layer 1 kernel", 40)
    assert "Layer 1 (conv) spans 40 rows, but 16 are left" in shown.text(".cx-error")


@pytest.mark.parametrize("preset", ["lenet", "alexnet", "vgg", "resnet", "dilated", "seven"])
def test_a_preset_is_shown_and_its_code_runs(show, preset):
    shown = show(ReceptiveField())
    shown.page.get_by_role("combobox", name="Preset").select_option(preset)
    sentence = shown.sentence()
    names = {"print": lambda *_: None}
    exec(shown.code("PyTorch"), names)
    seen = (names["shares"] != 0).any(0).nonzero().flatten()
    first, last = sentence.split("columns ")[1].split(" of the input")[0].replace("−", "-").split(" to ")
    assert seen[0] == max(0, int(first))
    assert seen[-1] == min(len(names["shares"]) - 1, int(last))


def test_the_effective_field_is_spoken_of_only_where_it_is_shown(show):
    shown = show(ReceptiveField(layers=[("conv", 3)]))
    assert "In effect 95 %" in shown.sentence()
    shown.page.get_by_label("in effect (shares)").click()
    shown.settle()
    assert shown.sentence().endswith("3 × 3.")
