"""ArchitectureBuilder in Chromium: rows by mouse, keys and touch, what breaks, and code that torch runs."""

import re

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from course.explorers import ArchitectureBuilder

pytestmark = pytest.mark.browser
SMALL = dict(layers=[("conv", 4, 3), "relu", ("maxpool", 2), "flatten", ("linear", 10)], input_size=(1, 8, 8))
BLOCK = ("residual", [("conv", 4, 3, 1, 1), "relu"])
NETS = ["lenet-5", "alexnet", "vgg-16", "resnet-18"]


def row(shown, n):
    """Return the button that names a row; the input is row 0."""
    return shown.page.locator(".cx-name").nth(n)


def kinds(shown):
    layers = shown.state("layers")
    return [layer if isinstance(layer, str) else layer[0] for layer in layers]


def cell(shown, n, name):
    place = ["output", "parameters", "multiply-adds", "memory", "sees"].index(name)
    shown.settle()
    return (
        shown.page.locator("tr", has=shown.page.locator(".cx-name"))
        .nth(n)
        .locator("td")
        .nth(1 + place)
        .inner_text()
    )


def built(code):
    """Run copied code without memory for the weights, and return the net."""
    names = {"print": lambda *_: None}
    with torch.device("meta"):
        exec(code, names)
    return names["net"]


def total(sentence):
    """Return the parameters and multiply-adds of the whole net that the sentence says."""
    found = re.search(r"In all (\S+) parameters, (\S+) multiply-adds", sentence).groups()
    return [int(text.replace(",", "")) for text in found]


@pytest.mark.parametrize("preset", NETS)
def test_the_copied_code_has_the_shapes_and_numbers_shown(show, preset):
    shown = show(ArchitectureBuilder())
    shown.page.get_by_role("combobox", name="Preset").select_option(preset)
    sentence, net = shown.sentence(), built(shown.code("PyTorch"))
    size = [
        int(shown.page.get_by_label(f"input {name}").input_value())
        for name in ("channels", "rows", "columns")
    ]
    x = torch.zeros(1, *size, device="meta")
    with FlopCounterMode(display=False) as flops:
        net.eval()(x)
    assert total(sentence) == [sum(p.numel() for p in net.parameters()), flops.get_total_flops() // 2]
    for n, module in enumerate(net):
        x = module(x)
        assert cell(shown, n + 1, "output") == " × ".join(map(str, x.shape[1:]))
        held = sum(p.numel() for p in module.parameters())
        assert cell(shown, n + 1, "parameters") == f"{held:,}"
    drawn = ArchitectureBuilder.from_module(net, size)
    assert drawn.layers == eval(repr(drawn)).layers
    again = show(drawn)
    assert again.page.get_by_role("combobox", name="Preset").input_value() == preset


@pytest.mark.parametrize("preset", NETS)
def test_the_copied_call_of_a_preset_names_it_alone(show, preset):
    call = show(ArchitectureBuilder(preset=preset)).code("Python")
    assert repr(eval(call)) == repr(ArchitectureBuilder(preset=preset))
    assert "layers" not in call


def test_a_field_larger_than_the_input_is_said_to_reach_into_the_padding(show):
    shown = show(ArchitectureBuilder(preset="vgg-16"))
    row(shown, 1).click()
    assert "an output sees 3 × 3 of the input. In all" in shown.sentence()
    shown.page.locator(".cx-name").last.click()
    assert "an output sees 404 × 404 of the input, padding included." in shown.sentence()


def test_a_row_is_chosen_by_mouse_and_edited(show):
    shown = show(ArchitectureBuilder(**SMALL))
    row(shown, 1).click()
    assert (
        "Layer 1 (conv) makes 4 × 6 × 6 of 1 × 8 × 8: 40 parameters, 1,296 multiply-adds, 576 B"
        in shown.sentence()
    )
    shown.fill("filters of the layer chosen", 6)
    shown.page.get_by_role("checkbox", name="bias").uncheck()
    shown.settle()
    assert shown.state("layers")[0] == ["conv", 6, 3, 1, 0, 1, 1, False]
    assert cell(shown, 5, "parameters") == "550"
    assert repr(eval(shown.code("Python"))).endswith(
        ", 'relu', ['maxpool', 2], 'flatten', ['linear', 10]], input_size=[1, 8, 8])"
    )


def test_keys_alone_choose_move_remove_and_edit(show):
    shown = show(ArchitectureBuilder(**SMALL))
    keyboard = shown.page.keyboard
    row(shown, 0).focus()
    for key in ("ArrowDown", "ArrowDown"):
        keyboard.press(key)
        shown.settle()
    assert shown.sentence().startswith("Layer 2 (relu)")
    keyboard.press("Shift+ArrowDown")
    assert kinds(shown) == ["conv", "maxpool", "relu", "flatten", "linear"]
    assert shown.sentence().startswith("Layer 3 (relu)")
    keyboard.press("Delete")
    assert kinds(shown) == ["conv", "maxpool", "flatten", "linear"]
    keyboard.press("End")
    shown.settle()
    assert shown.sentence().startswith("Layer 4 (linear)")
    keyboard.press("Tab")  # the kind
    keyboard.press("Tab")
    keyboard.press("3")
    shown.settle()
    assert shown.state("layers")[3] == ["linear", 3]
    keyboard.press("Escape")
    assert shown.page.evaluate("document.activeElement.tagName") == "MAIN"


def test_keys_pressed_before_the_next_frame_are_not_lost(show):
    shown = show(ArchitectureBuilder(**SMALL))
    row(shown, 0).focus()
    shown.page.evaluate("""() => { for (const key of ["ArrowDown", "ArrowDown", "ArrowDown"])
        document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })); }""")
    assert shown.sentence().startswith("Layer 3 (maxpool)")


def test_the_scrubber_goes_through_the_rows(show):
    shown = show(ArchitectureBuilder(**SMALL))
    shown.page.get_by_label("Step on").click()
    assert shown.sentence().startswith("Layer 1 (conv)")
    row(shown, 1).focus()
    shown.page.keyboard.press("]")
    assert shown.sentence().startswith("Layer 2 (relu)")
    shown.page.keyboard.press("Home")
    assert shown.sentence().startswith("In all ")


def test_a_layer_is_dragged_to_another_place(show):
    shown = show(ArchitectureBuilder(**SMALL))
    grips = shown.page.locator(".cx-grip:visible")
    start, end = grips.nth(0).bounding_box(), grips.nth(2).bounding_box()
    shown.page.mouse.move(start["x"] + 10, start["y"] + 10)
    shown.page.mouse.down()
    shown.settle()  # the editor opens beneath the row
    end = grips.nth(2).bounding_box()
    shown.page.mouse.move(end["x"] + 10, end["y"] + 4)
    assert shown.page.locator(".cx-behind").count() == 1
    shown.page.mouse.move(end["x"] + 10, end["y"] + 20)
    shown.page.mouse.up()
    assert kinds(shown) == ["relu", "maxpool", "conv", "flatten", "linear"]
    assert shown.page.locator(".cx-behind, .cx-before").count() == 0


def test_touch_alone_drags_adds_edits_and_removes(show):
    shown = show(ArchitectureBuilder(**SMALL), width=360, has_touch=True, is_mobile=True)
    grips = shown.page.locator(".cx-grip:visible")
    grips.nth(3).scroll_into_view_if_needed()
    shown.finger("touchStart", grips.nth(3).bounding_box())
    shown.settle()  # the editor opens beneath the row
    shown.finger("touchMove", grips.nth(1).bounding_box())
    shown.finger("touchEnd")
    assert kinds(shown) == ["conv", "flatten", "relu", "maxpool", "linear"]
    row(shown, 2).tap()
    shown.page.get_by_label("move the layer chosen down").tap()
    shown.page.get_by_label("remove the layer chosen").tap()
    assert kinds(shown) == ["conv", "relu", "maxpool", "linear"]
    row(shown, 3).tap()
    shown.page.get_by_role("button", name="+ batchnorm").tap()
    assert kinds(shown) == ["conv", "relu", "maxpool", "batchnorm", "linear"]
    shown.page.get_by_role("combobox", name="Kind").select_option("flatten")
    assert "Layer 4 (flatten) makes 36 of 4 × 3 × 3" in shown.sentence()


def test_the_first_layer_that_does_not_fit_says_why_and_the_rest_is_grey(show):
    shown = show(
        ArchitectureBuilder(
            layers=[("conv", 4, 3), ("maxpool", 9), "relu", ("linear", 2)], input_size=(1, 8, 8)
        )
    )
    assert "✗ Its window spans 9 rows, but only 6 are left" in shown.text(".cx-why")
    assert "It breaks at layer 2 (maxpool)." in shown.sentence()
    assert cell(shown, 2, "output") == "✗"
    assert shown.page.locator(".cx-after").count() == 2
    assert cell(shown, 1, "parameters") == "40"
    assert shown.code("PyTorch").startswith("# It breaks at layer 2 (maxpool).")
    row(shown, 2).click()
    shown.fill("kernel of the layer chosen", 2)
    assert "✗ It needs numbers in a line, but 4 × 3 × 3 come in: put flatten before it." in shown.text(
        ".cx-why"
    )
    shown.page.get_by_role("button", name="+ flatten").click()
    shown.settle()
    assert not shown.page.locator(".cx-why").is_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_serious_fault_in_a_net_that_breaks_and_an_open_block(show, dark):
    shown = show(
        ArchitectureBuilder(layers=[BLOCK, ("maxpool", 20), "relu"], input_size=(4, 8, 8)), dark=dark
    )
    row(shown, 1).click()
    row(shown, 1).click()
    shown.settle()
    assert shown.page.locator(".cx-name").count() == 6
    assert shown.page.locator(".cx-after, .cx-why:visible").count() == 2
    assert shown.serious_faults() == []


def test_a_wrong_input_is_explained(show):
    shown = show(ArchitectureBuilder(**SMALL))
    shown.fill("input rows", 0)
    assert "three whole numbers from 1 to 65,536" in shown.text(".cx-error")
    shown.fill("input rows", 100000)
    assert "three whole numbers from 1 to 65,536" in shown.text(".cx-error")
    shown.fill("input rows", 4)
    assert shown.state("input_size") == [1, 4, 8]
    assert not shown.page.locator(".cx-error").count()


def test_a_block_opens_takes_layers_and_closes(show):
    shown = show(ArchitectureBuilder(layers=[("conv", 4, 3), BLOCK, "relu"], input_size=(1, 8, 8)))
    assert shown.page.locator(".cx-name").count() == 4
    row(shown, 2).focus()
    shown.page.keyboard.press("Enter")
    shown.page.keyboard.press("ArrowRight")
    shown.settle()
    assert shown.page.locator(".cx-name").count() == 6
    shown.page.get_by_role("button", name="+ into shortcut").click()
    assert "different shapes cannot be added" in shown.text(".cx-why")
    shown.fill("filters of the layer chosen", 4)
    assert shown.state("layers")[1] == ["residual", [["conv", 4, 3, 1, 1], "relu"], [["conv", 4, 3, 1, 1]]]
    assert "shortcut: conv 4 of 3 × 3" in row(shown, 5).inner_text()
    net = built(shown.code("PyTorch"))
    assert net(torch.zeros(1, 1, 8, 8, device="meta")).shape == (1, 4, 6, 6)
    assert sum(p.numel() for p in net.parameters()) == total(shown.sentence())[0]
    row(shown, 3).click()
    shown.page.get_by_label("remove the layer chosen").click()
    shown.settle()
    assert shown.state("layers")[1][1] == ["relu"]
    row(shown, 2).click()
    row(shown, 2).click()
    shown.settle()
    assert shown.page.locator(".cx-name").count() == 4


def test_all_layers_can_be_taken_out_and_the_net_begun_anew(show):
    shown = show(ArchitectureBuilder(**SMALL))
    row(shown, 5).focus()
    for _ in range(5):
        shown.page.keyboard.press("Delete")
        shown.settle()
    assert shown.state("layers") == []
    shown.page.get_by_role("button", name="+ residual").click()
    shown.settle()
    assert shown.state("layers") == [["residual", ["relu"]]]
    shown.page.get_by_role("button", name="Reset").click()
    shown.settle()
    assert shown.state("layers") == ArchitectureBuilder(**SMALL).layers


def test_a_click_on_a_box_chooses_the_row_that_made_it(show):
    shown = show(ArchitectureBuilder(**SMALL))
    shown.page.locator(".cx figure canvas").click(position={"x": 10, "y": 80})
    assert shown.sentence().startswith("In all")
    shown.page.locator(".cx figure canvas").click(position={"x": 95, "y": 80})
    assert shown.sentence().startswith("Layer 1 (conv)")
