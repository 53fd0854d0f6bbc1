"""Explorers in JupyterLab: keys stay in them, they follow the kernel, and they go on when the kernel is gone."""

import nbformat
import pytest

import course.explorers
from tests.browser.jupyterlab import PATIENCE, Notebook, running_lab

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CELLS = [
    "from course.explorers import ConvExplorer\ndef conv2d(x, w, b, stride=1, padding=0):\n    return x * 0",
    "explorer = ConvExplorer(conv2d, size=6)\nexplorer",
    "explorer.stride = 2",
    "repr(explorer)",
]


EVERY = ["from course.explorers import *", *(f"{name}()" for name in course.explorers.__all__)]
# in each of its parts that can hold the focus, once for each tag: what JupyterLab has commands for
PARTS = "canvas[tabindex], button.cx-name, button, input[type=number], input[type=range], input[type=checkbox], summary"
KEYS = [
    "d",
    "d",
    "x",
    "a",
    "b",
    "c",
    "v",
    "z",
    "y",
    "m",
    "Shift+m",
    "0",
    "0",
    "i",
    "i",
    "ArrowDown",
    "ArrowUp",
    "[",
]


def write_notebook(folder, cells=CELLS):
    cells = [nbformat.v4.new_code_cell(source) for source in cells]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "explore.ipynb")


def press_everything(page):
    for name in ("Output", "Input", "Kernel"):
        page.locator(f'.cx canvas[tabindex][aria-label^="{name}"]').click()
        for key in ["d", "d", "x", "a", "b", "Shift+m", "0", "0", "ArrowDown", "Enter"]:
            page.keyboard.press(key)


def test_no_key_reaches_the_notebook_and_it_lives_on_without_a_kernel(chromium, tmp_path):
    with running_lab(tmp_path) as lab, chromium.new_page(viewport={"width": 1300, "height": 1000}) as page:
        page.set_default_timeout(1000 * PATIENCE)
        write_notebook(lab.lessons)
        notebook = Notebook(page, lab.address("explore.ipynb"))
        notebook.run(0)
        notebook.run(1)
        page.wait_for_selector(".cx-live:not(:empty)")
        assert "returned the shape 1 × 1 × 6 × 6, where 1 × 1 × 4 × 4 is right" in page.inner_text(
            ".cx-yours"
        )
        press_everything(page)
        assert [cell["source"] for cell in notebook.cells()] == CELLS
        page.keyboard.press("Escape")  # leaves the explorer for the cell it stands in
        assert "jp-Cell" in page.evaluate("document.activeElement.className")
        notebook.run(2)
        page.wait_for_function("document.querySelector('.cx-yours').textContent.includes('stride=2')")
        page.locator('.cx [aria-label="more Padding (top, bottom, left, right)"]').click()
        page.wait_for_function("document.querySelector('.cx-yours').textContent.includes('padding=1')")
        page.keyboard.press("Escape")
        notebook.run(3)
        assert "padding=1" in str(notebook.cells()[3]["outputs"])
        page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        page.locator('.cx canvas[tabindex][aria-label^="Output"]').click()
        page.keyboard.press("]")
        page.locator('.cx [aria-label="less Stride"]').click()
        page.wait_for_function("document.querySelector('.cx').textContent.includes('Output 6 × 6')")


def press_in_every_part(page, explorer):
    """Press each key in each part of an explorer, and return how many parts there were."""
    parts = [part for part in explorer.locator(PARTS).all() if part.is_visible() and part.is_enabled()]
    for part in parts:
        part.focus()
        for key in KEYS:
            page.keyboard.press(key)
    return len(parts)


def test_in_none_of_them_a_key_reaches_the_notebook_nor_needs_the_kernel(chromium, tmp_path):
    with running_lab(tmp_path) as lab, chromium.new_page(viewport={"width": 1300, "height": 1000}) as page:
        page.set_default_timeout(1000 * PATIENCE)
        write_notebook(lab.lessons, EVERY)
        notebook = Notebook(page, lab.address("explore.ipynb"))
        notebook.run_all()
        page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        for n, name in enumerate(course.explorers.__all__, 1):
            cell = notebook.select(n)
            explorer = cell.locator(".cx")
            explorer.locator(".cx-live:not(:empty)").wait_for()
            assert press_in_every_part(page, explorer) >= 8, name
            assert [cell["source"] for cell in notebook.cells()] == EVERY, name
            assert page.locator(".jp-Dialog").count() == 0, name
            explorer.locator("select").first.focus()
            page.keyboard.press("Escape")  # leaves the explorer for the cell it stands in
            assert "jp-Cell" in page.evaluate("document.activeElement.className"), name
