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


def test_the_map_says_what_it_shows_of_an_optimizer_that_is_not_ticked(show):
    shown = show(OptimizerPlane(methods=["descent"], mapped="adam", beta=0.888))
    assert "learning rates across" in shown.grid("What Adam").get_attribute("aria-label")
    shown.grid("What Adam").focus()
    shown.page.keyboard.press("ArrowRight")
    said = re.search(r"On the map, Adam with rate (.*) and β 0.888 ends (.*) times as high", shown.sentence())
    assert float(said[1]) == shown.state("rate") > 0.03
    shown.page.get_by_role("checkbox", name="Adam").check()
    left = re.search(r"Adam at \(.*?\), (\S+) above the lowest", shown.sentence())[1]
    assert float(said[2]) == pytest.approx(float(left) / (3.5**2 / 2 + 25 * 2**2 / 2), rel=0.1)


def test_what_runs_away_on_the_map_is_said_and_hatched(show):
    shown = show(OptimizerPlane(rate=1.5, mapped="descent"))
    assert "gradient descent with rate 1.5 and β 0.888 has run away." in shown.sentence()
    corner = "canvas => { const ink = canvas.getContext('2d').getImageData(canvas.width - 10, 2, 7, 7).data; return new Set(new Uint32Array(ink.buffer)).size; }"
    assert shown.grid("What gradient").evaluate(corner) > 1


def test_an_arrow_on_the_map_leaves_what_lies_across_as_it_is(show):
    shown = show(OptimizerPlane(rate=0.00001))
    assert "This learning rate lies outside the map." in shown.sentence()
    shown.grid("What momentum").focus()
    shown.page.keyboard.press("ArrowUp")
    assert shown.state("rate") == 0.00001
    assert shown.state("beta") == 0.863
    shown.page.keyboard.press("ArrowRight")
    assert shown.state("rate") == 0.00121
    shown.fill("β", 0.995)
    assert "This β lies outside the map." in shown.sentence()


def test_at_the_lowest_place_the_map_tells_nothing(show):
    shown = show(OptimizerPlane(surface="noisy", start=(0, 0)))
    assert "The map tells nothing: the start is the lowest place." in shown.sentence()


def test_settings_that_do_not_work_are_explained(show):
    shown = show(OptimizerPlane(beta=1))
    assert "β is at least 0 and less than 1" in shown.text(".cx-error")
    shown.fill("β", 0.5)
    shown.fill("Learning rate", 0.5)
    assert "has run away" in shown.sentence()
