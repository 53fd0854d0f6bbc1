"""OptimizerPlane in Chromium: the start is dragged, the map tunes, and the code ends where the figure does."""

import re

import pytest

from course.explorers import OptimizerPlane

pytestmark = pytest.mark.browser
ALL = ["descent", "momentum", "average", "nesterov", "adam"]


def ends(sentence):
    """Return the places that the sentence names."""
    found = re.findall(r"at \((.*?), (.*?)\)", sentence.replace("−", "-"))
    return [(float(x), float(y)) for x, y in found]


@pytest.mark.parametrize("surface", ["ravine", "bowl", "saddle"])
def test_the_copied_code_ends_where_the_figure_does(show, surface):
    shown = show(OptimizerPlane(methods=ALL, surface=surface, steps=40))
    names = {"print": lambda *_: None}
    exec(shown.code("PyTorch"), names)
    right = [tuple(names["ends"][name].tolist()) for name in ALL]
    for mine, wanted in zip(ends(shown.sentence()), right, strict=True):
        assert mine == pytest.approx(wanted, abs=6e-4)


def test_the_code_for_the_noisy_surface_runs(show):
    exec(
        show(OptimizerPlane(surface="noisy", methods=ALL, steps=5)).code("PyTorch"),
        {"print": lambda *_: None},
    )


def test_the_start_is_dragged_and_only_dragged(show):
    shown = show(OptimizerPlane())
    plane = shown.grid("A ravine")
    box = plane.bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    shown.page.mouse.move(*middle)
    assert shown.state("start") == [-3.5, 2]
    shown.page.mouse.down()
    shown.page.mouse.move(middle[0] + 60, middle[1])
    shown.page.mouse.up()
    x, y = shown.state("start")
    assert x > 0.5
    assert abs(y) < 0.2


def test_keys_move_the_start_tune_the_rate_and_step(show):
    shown = show(OptimizerPlane(steps=20))
    shown.grid("A ravine").focus()
    shown.page.keyboard.press("ArrowRight")
    assert shown.state("start")[0] > -3.5
    shown.grid("What momentum").focus()
    shown.page.keyboard.press("ArrowRight")
    assert shown.state("rate") > 0.03
    shown.page.keyboard.press("ArrowUp")
    assert shown.state("beta") < 0.9
    shown.page.keyboard.press("Home")
    assert shown.sentence().startswith("After 0 steps")
    shown.page.keyboard.press("]")
    assert shown.sentence().startswith("After 1 step:")


def test_touch_chooses_a_start_and_ticks_a_method(show):
    shown = show(OptimizerPlane(), has_touch=True)
    shown.grid("A ravine").tap(position={"x": 300, "y": 60})
    assert shown.state("start") != [-3.5, 2]
    shown.page.get_by_role("checkbox", name="Adam").tap()
    assert shown.state("methods") == ["descent", "momentum", "adam"]
    assert "Adam at" in shown.sentence()
    assert repr(eval(shown.code("Python"))).startswith(
        "OptimizerPlane(methods=['descent', 'momentum', 'adam'], start=["
    )


def test_settings_that_do_not_work_are_explained(show):
    shown = show(OptimizerPlane(beta=1))
    assert "β is at least 0 and less than 1" in shown.text(".cx-error")
    shown.fill("β", 0.5)
    shown.fill("Learning rate", 0.5)
    assert "has run away" in shown.sentence()
