"""What holds for every explorer: no serious fault by axe-core, 320 px, big enough targets, exported pages."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.preprocessors import Execute
from traitlets.config import PyFileConfigLoader

import course.explorers
from course.explorers import *  # noqa: F403

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[3]
EXPLORERS = course.explorers.__all__
SMALL = """() => [...document.querySelectorAll('.cx button, .cx input, .cx select, .cx summary, .cx [tabindex]')]
    .filter(node => node.offsetParent && (node.offsetHeight < 24 || node.offsetWidth < 24))
    .map(node => [node.tagName, node.getAttribute('aria-label') || node.textContent, node.offsetWidth, node.offsetHeight])
    .filter(([tag, label]) => !(tag === 'INPUT' && label === ''))"""


def new(name):
    return getattr(course.explorers, name)()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", EXPLORERS)
def test_axe_finds_no_serious_fault(show, name, dark):
    assert show(new(name), dark=dark).serious_faults() == []


@pytest.mark.parametrize("name", EXPLORERS)
def test_nothing_runs_out_of_a_page_of_320_px(show, name):
    shown = show(new(name), width=320)
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_target_is_24_px_or_more(show, name):
    shown = show(new(name), width=400)
    assert shown.page.evaluate(SMALL) == []


@pytest.mark.parametrize("name", EXPLORERS)
def test_it_says_something_and_every_key_keeps_to_itself(show, name):
    shown = show(new(name))
    assert shown.sentence() != ""
    shown.page.evaluate("window.heard = []; addEventListener('keydown', (e) => heard.push(e.key))")
    for node in shown.page.locator(".cx canvas[tabindex], .cx select, .cx input, .cx button").all():
        if node.is_visible() and node.is_enabled():
            node.focus()
            shown.page.keyboard.press("d")
            shown.page.keyboard.press("d")
    assert shown.page.evaluate("heard") == []


@pytest.mark.parametrize("name", EXPLORERS)
def test_the_copied_call_is_the_repr(show, name):
    explorer = new(name)
    assert show(explorer).code("Python") == repr(explorer)


WORK = (
    """() => [...document.querySelectorAll('.cx')].map(root => root.querySelector('.cx-live').textContent)"""
)


def write_notebook(path, outputs=True):
    """Write a notebook of a cell an explorer, with what JupyterLab saves as its output."""
    cells = [nbformat.v4.new_code_cell("from course.explorers import *")]
    for name in EXPLORERS:
        data, _ = new(name)._repr_mimebundle_()
        shown = [nbformat.v4.new_output("execute_result", data=data)] if outputs else []
        cells.append(nbformat.v4.new_code_cell(f"{name}()", outputs=shown))
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)


def export(folder, *options):
    """Export page.ipynb of a folder as nbconvert does it, and return the page's address."""
    command = [sys.executable, "-m", "nbconvert", "--to", "html", *options, "page.ipynb"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stderr
    return (folder / "page.html").as_uri()


def each_steps_on(chromium, address):
    """Open a page without a network, and make a step in each explorer: each draws and answers."""
    with chromium.new_context(offline=True) as context, context.new_page() as page:
        page.goto(address)
        page.wait_for_function(f"({WORK})().filter(Boolean).length === {len(EXPLORERS)}")
        before = page.evaluate(WORK)
        for explorer in page.locator(".cx").all():
            at_end = explorer.locator(".cx-scrub input").evaluate("range => range.value === range.max")
            explorer.get_by_label("Step back" if at_end else "Step on").click()
        page.wait_for_function(f"before => ({WORK})().every((said, n) => said !== before[n])", arg=before)
        assert page.evaluate("document.querySelectorAll('.cx-error').length") == 0


def test_each_works_in_a_saved_notebook_exported_by_nbconvert_without_a_network(chromium, tmp_path):
    write_notebook(tmp_path / "page.ipynb")
    each_steps_on(chromium, export(tmp_path))


@pytest.mark.slow
def test_each_works_where_nbconvert_executes_and_stores_no_widget_state(chromium, tmp_path):
    write_notebook(tmp_path / "page.ipynb", outputs=False)
    without = "--ExecutePreprocessor.store_widget_state=False"
    each_steps_on(chromium, export(tmp_path, "--execute", without))


def test_nbgrader_stores_no_widget_state_so_that_feedback_shows_the_explorers():
    config = PyFileConfigLoader("nbgrader_config.py", path=str(ROOT)).load_config()
    assert Execute(config=config).store_widget_state is False


def test_release_notebooks_hold_no_output_and_no_widget_state():
    notebooks = sorted(ROOT.glob("release/*/*.ipynb"))
    assert notebooks
    for path in notebooks:
        notebook = nbformat.read(path, 4)
        assert "widgets" not in notebook.metadata
        assert not any(cell.get("outputs") for cell in notebook.cells)


@pytest.mark.parametrize(
    ("name", "field", "broken", "works", "sentence"),
    [
        ("ConvExplorer", "Kernel: rows", 20, 3, r"^Output row 0, column 0"),
        ("PoolLab", "Window: rows", 20, 2, r"^Output row 0, column 0: .* is \d+\.$"),
        ("ReceptiveField", "layer 1 kernel", 50, 3, r"^Output row 4, column 4 sees"),
    ],
)
def test_steps_while_the_settings_do_not_work_lead_nowhere(show, name, field, broken, works, sentence):
    shown = show(new(name))
    for key in ("]", "["):
        shown.fill(field, broken)
        shown.page.keyboard.press(key)
        shown.fill(field, works)
        assert re.search(sentence, shown.sentence())
