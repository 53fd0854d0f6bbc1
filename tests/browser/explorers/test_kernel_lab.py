"""KernelLab in Chromium: its picture against torch's, drawing by mouse, keyboard and touch, an upload."""

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from course.explorers import KernelLab

pytestmark = pytest.mark.browser
RAMP = np.add.outer(np.arange(6) * 10, np.arange(8) * 3)


def numbers(sentence):
    """Return what the pixel was and became, as the sentence says."""
    found = re.search(r": (.*) becomes (.*)\. The", sentence.replace("−", "-"))
    return float(found[1]), float(found[2])


@pytest.mark.parametrize("flip", [False, True])
def test_the_number_under_the_cursor_is_torchs(show, flip):
    explorer = KernelLab(image=RAMP, kernel=[[1, 2, -4], [0, 5, 1]], divisor=3, border="replicate", flip=flip)
    shown = show(explorer)
    shown.grid("Result").focus()
    shown.page.keyboard.press("Home")
    names = {"print": lambda *_: None}
    code = shown.code("PyTorch").replace("torch.rand(1, 1, 256, 256, dtype=torch.float64) * 255", "given")
    exec(code, names | {"given": torch.tensor(RAMP, dtype=torch.float64)[None, None]}, names)
    for row, col in [(0, 0), (1, 0), (1, 1)]:
        if (row, col) != (0, 0):
            shown.page.keyboard.press("ArrowDown" if row and not col else "ArrowRight")
        shown.grid("Result").focus()
        assert numbers(shown.sentence())[1] == pytest.approx(names["out"][0, 0, row, col].item(), rel=1e-3)


def test_editing_a_weight_changes_the_picture_and_the_call(show):
    shown = show(KernelLab(image=RAMP))
    shown.grid("Kernel").focus()
    shown.page.keyboard.press("ArrowRight")
    shown.page.keyboard.type("9")
    shown.page.keyboard.press("Enter")
    shown.settle()
    assert shown.state("kernel")[1][2] == 9
    assert repr(eval(shown.code("Python"))).startswith("KernelLab(kernel=[[-1, 0, 1], [-2, 0, 9]")


def test_a_preset_sets_kernel_divisor_and_view(show):
    shown = show(KernelLab())
    shown.page.get_by_role("combobox", name="Kernel").select_option("gauss")
    shown.settle()
    assert shown.state("divisor") == 256
    assert "sum to 1" in shown.text(".cx-remarks")
    shown.fill("divided by", 0)
    assert "Dividing by 0" in shown.text(".cx-error")


def test_a_kernel_grows_round_its_middle(show):
    shown = show(KernelLab(kernel=[[7]], divisor=1))
    shown.fill("kernel rows", 3)
    shown.fill("kernel columns", 5)
    assert shown.state("kernel") == [[0] * 5, [0, 0, 7, 0, 0], [0] * 5]


def test_a_size_of_two_digits_can_be_typed_without_losing_weights(show):
    shown = show(KernelLab())
    shown.page.locator('input[aria-label="kernel rows"]').select_text()
    shown.page.keyboard.press("1")
    shown.settle()
    assert shown.state("kernel") == [[-2, 0, 2]]
    shown.page.keyboard.press("1")
    assert shown.state("kernel")[4:7] == KernelLab().kernel
    assert len(shown.state("kernel")) == 11
    for name in ("rows", "columns"):
        shown.fill(f"kernel {name}", 1)
    shown.fill("weight chosen", 7)
    for name in ("rows", "columns"):
        shown.fill(f"kernel {name}", 3)
    assert shown.state("kernel") == [[0, 0, 0], [0, 7, 0], [0, 0, 0]]


def test_the_field_shows_the_weight_that_is_left(show):
    shown = show(KernelLab(kernel=[[7, 8], [9, 5]]))
    for name in ("rows", "columns"):
        shown.fill(f"kernel {name}", 1)
    assert "weight [0, 0]" in shown.text(".cx-small")
    assert shown.page.get_by_label("weight chosen").input_value() == str(shown.state("kernel")[0][0])


def test_an_image_is_drawn_when_it_is_set_again_and_is_among_the_pictures(show):
    shown = show(KernelLab(image=[[10] * 8] * 8, kernel=[[1]], divisor=1))
    assert numbers(shown.sentence()) == (10, 10)
    shown.page.evaluate("model.set('image', Array(5).fill(Array(5).fill(200)))")
    assert numbers(shown.sentence()) == (200, 200)
    pictures = shown.page.get_by_role("combobox", name="Picture")
    assert pictures.input_value() == "image"
    pictures.select_option("rings")
    pictures.select_option("image")
    assert numbers(shown.sentence()) == (200, 200)


def test_a_picture_that_is_missing_is_spoken_of(show):
    shown = show(KernelLab(picture="image"))
    assert "No image was given: this is the photograph." in shown.text(".cx-remarks")
    pictures = shown.page.get_by_role("combobox", name="Picture")
    pictures.select_option("photo")
    assert "this is the photograph" not in shown.text(".cx-remarks")
    assert pictures.locator("option:not([hidden])").count() == 4


@pytest.mark.parametrize("way", ["mouse", "keys", "touch"])
def test_a_drawing_is_made_by(show, way):
    identity = dict(kernel=[[1]], divisor=1, picture="drawing", shown="as it is")
    shown = show(KernelLab(**identity), has_touch=way == "touch")
    canvas = shown.grid("Picture")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    place = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    if way == "mouse":
        shown.page.mouse.move(*place)
        shown.page.mouse.down()
        shown.page.mouse.move(place[0] + 40, place[1])
        shown.page.mouse.up()
    elif way == "touch":
        shown.page.touchscreen.tap(*place)
    else:
        canvas.focus()
        shown.page.keyboard.press("Enter")
        shown.page.keyboard.press("Shift+ArrowRight")
    assert numbers(shown.sentence()) == (255, 255)


@pytest.mark.parametrize("way", ["mouse", "touch"])
def test_a_second_stroke_begins_where_it_is_put_down(show, way):
    shown = show(KernelLab(kernel=[[1]], divisor=1, picture="drawing", shown="as it is"), has_touch=True)
    canvas = shown.grid("Picture")
    canvas.scroll_into_view_if_needed()
    box, mouse = canvas.bounding_box(), shown.page.mouse
    for y in (40, 200):
        if way == "touch":
            shown.finger("touchStart", box, 40, y)
            for x in (100, 160):
                shown.finger("touchMove", box, x, y)
            shown.finger("touchEnd")
        else:
            mouse.move(box["x"] + 40, box["y"] + y)
            mouse.down()
            mouse.move(box["x"] + 160, box["y"] + y)
            mouse.up()
    shown.settle()
    bright = canvas.evaluate("""canvas => {
        const dense = canvas.width / canvas.clientWidth;
        const { data } = canvas.getContext("2d").getImageData(Math.round(100 * dense), 0, 1, canvas.height);
        return [...Array(canvas.height).keys()].filter(y => y > 2 && y < canvas.height - 3 && data[4 * y] > 200).map(y => y / dense);
    }""")
    assert min(bright) < 40 < max(y for y in bright if y < 120)
    assert min(y for y in bright if y >= 120) < 200 < max(bright)
    assert all(min(abs(y - 40), abs(y - 200)) < 12 for y in bright)


def test_shift_with_arrows_draws_a_line_without_a_gap(show):
    shown = show(KernelLab(kernel=[[1]], divisor=1, picture="drawing", shown="as it is"))
    shown.grid("Picture").focus()
    for _ in range(5):
        shown.page.keyboard.press("Shift+ArrowRight")
    for _ in range(5):
        assert numbers(shown.sentence()) == (255, 255)
        shown.page.keyboard.press("[")


def test_an_upload_stays_in_the_page_and_is_filtered(show):
    shown = show(KernelLab(kernel=[[1]], divisor=1, picture="upload", shown="as it is"))
    file = io.BytesIO()
    Image.new("RGB", (30, 20), (10, 200, 30)).save(file, "PNG")
    upload = shown.page.get_by_label("picture to upload")
    assert "No file is chosen yet: this is the photograph." in shown.text(".cx-remarks")
    upload.set_input_files({"name": "green.png", "mimeType": "image/png", "buffer": file.getvalue()})
    shown.page.wait_for_function("document.querySelector('.cx-live').textContent.includes('124 becomes 124')")
    assert "this is the photograph" not in shown.text(".cx-remarks")
    upload.set_input_files({"name": "note.txt", "mimeType": "text/plain", "buffer": b"no picture"})
    shown.page.wait_for_function("document.querySelector('.cx-live').textContent.includes('no picture')")
