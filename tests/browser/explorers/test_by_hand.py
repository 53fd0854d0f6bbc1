"""What the mouse can do, keys alone and touch alone can do: the same place, the same sentence, the same settings."""

import pytest

import course.explorers

pytestmark = pytest.mark.browser
EXPLORERS = course.explorers.__all__
GRIDS = "() => [...document.querySelectorAll('.cx canvas[tabindex]')].filter(one => one.offsetParent).map(one => one.ariaLabel)"
# as many keys as lead to a corner from anywhere: at most 256 rows or columns
CORNER = """keys => { for (const key of keys) for (let n = 0; n < 256; n++)
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })); }"""
USED = """() => [...document.querySelectorAll('.cx button, .cx input, .cx select, .cx summary, .cx canvas[tabindex], .cx textarea')]
    .filter(node => node.offsetParent && !node.disabled)"""
TOUCH = dict(has_touch=True, is_mobile=True)


def new(name):
    return getattr(course.explorers, name)()


def outcome(shown):
    """Return the settings and what is said of them."""
    shown.settle()
    return shown.page.evaluate("[model.state, document.querySelector('.cx-live').textContent]")


FIRST = {"x": 2, "y": 2}  # a place in the first cell of any grid


def grid(shown, n):
    """Return the n-th grid, on the screen."""
    canvas = shown.page.locator(".cx canvas[tabindex]:visible").nth(n)
    canvas.scroll_into_view_if_needed()
    return canvas


def step(shown):
    """Return the button that steps to another place: back where the explorer starts at the last."""
    at_end = shown.page.locator(".cx-scrub input").evaluate("range => range.value === range.max")
    return shown.page.get_by_label("Step back" if at_end else "Step on")


@pytest.mark.parametrize("name", EXPLORERS)
def test_keys_and_a_tap_choose_what_a_click_chooses(show, name):
    for n in range(len(show(new(name)).page.evaluate(GRIDS))):
        found = {}
        for way in ("mouse", "touch", "keys"):
            shown = show(new(name), **(TOUCH if way == "touch" else {}))
            canvas = grid(shown, n)
            if way == "keys":
                canvas.focus()
                shown.page.evaluate(CORNER, ["ArrowUp", "ArrowLeft"])
                shown.page.keyboard.press("Enter")
            else:
                (canvas.click if way == "mouse" else canvas.tap)(position=FIRST)
            found[way] = outcome(shown)
        assert found["touch"] == found["mouse"], n
        assert found["keys"] == found["mouse"], n


@pytest.mark.parametrize("name", EXPLORERS)
def test_tab_reaches_all_that_can_be_used(show, name):
    shown = show(new(name))
    count = shown.page.evaluate(f"({USED})().length")
    shown.page.evaluate(
        f"window.used = ({USED})(); window.met = new Set(); document.querySelector('main').focus()"
    )
    for _ in range(count + 5):
        shown.page.keyboard.press("Tab")
        shown.page.evaluate("met.add(document.activeElement)")
    missed = shown.page.evaluate(
        "used.filter(node => !met.has(node)).map(node => node.outerHTML.slice(0, 120))"
    )
    assert missed == []


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_button_can_be_tapped_and_every_setting_typed_by_touch(show, name):
    shown = show(new(name), width=360, **TOUCH)
    for button in shown.page.locator(".cx-bar button:visible").all():
        button.tap()
        shown.settle()
    shown.page.get_by_role("button", name="Reset").tap()
    start = shown.page.evaluate("model.state")
    field = shown.page.locator(".cx input[type=number]:visible:enabled").first
    field.tap()
    assert field.evaluate("node => node === document.activeElement")
    shown.page.keyboard.press("ArrowUp")
    shown.settle()
    assert shown.page.evaluate("model.state") != start
    before = outcome(shown)
    step(shown).tap()
    assert outcome(shown) != before


def stroke(shown, canvas, way):
    """Go across the middle of a canvas, the mouse's button or the finger down."""
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    ends = [(box["width"] * part, box["height"] / 2) for part in (0.3, 0.5, 0.7)]
    if way == "touch":
        shown.finger("touchStart", box, *ends[0])
        for x, y in ends[1:]:
            shown.finger("touchMove", box, x, y)
        shown.finger("touchEnd")
        return
    for n, (x, y) in enumerate(ends):
        shown.page.mouse.move(box["x"] + x, box["y"] + y)
        if n == 0:
            shown.page.mouse.down()
    shown.page.mouse.up()


def test_a_finger_drags_the_start_of_the_optimizers_as_the_mouse_does(show):
    found = {}
    for way in ("mouse", "touch"):
        shown = show(course.explorers.OptimizerPlane(), **(TOUCH if way == "touch" else {}))
        stroke(shown, grid(shown, 0), way)
        found[way] = shown.state("start")
    assert found["touch"] == found["mouse"]
    assert found["mouse"][0] > 1


def test_a_finger_draws_a_line_as_the_mouse_does(show):
    found = {}
    for way in ("mouse", "touch"):
        explorer = course.explorers.KernelLab(kernel=[[1]], divisor=1, picture="drawing", shown="as it is")
        shown = show(explorer, **(TOUCH if way == "touch" else {}))
        stroke(shown, shown.grid("Picture"), way)
        result = shown.grid("Result")
        result.focus()
        shown.page.keyboard.press("Home")
        shown.settle()  # arrows go on from the place drawn
        found[way] = []
        shown.page.evaluate(CORNER.replace("256", "127"), ["ArrowDown"])
        for _ in range(8):  # along the row of the line
            shown.page.evaluate(CORNER.replace("256", "31"), ["ArrowRight"])
            found[way].append(shown.sentence())
    assert found["touch"] == found["mouse"]
    assert sum("255 becomes 255" in said for said in found["mouse"]) >= 2
