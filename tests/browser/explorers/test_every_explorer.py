"""What holds for every explorer: no serious fault by axe-core, 320 px, big enough targets, exported pages."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import course.explorers
from course.explorers import *  # noqa: F403

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[3]
AXE = ROOT / "tests/js/node_modules/axe-core/axe.min.js"
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
    if not AXE.exists():
        pytest.skip("axe-core is missing: npm install --prefix tests/js")
    shown = show(new(name), dark=dark)
    shown.page.add_script_tag(content=AXE.read_text("utf-8"))
    found = shown.page.evaluate("async () => (await axe.run('.cx')).violations")
    serious = [(fault["id"], [node["html"][:150] for node in fault["nodes"]]) for fault in found
               if fault["impact"] in ("serious", "critical")]  # fmt: skip
    assert serious == []


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


def test_all_work_in_a_page_exported_by_nbconvert_without_a_network(chromium, tmp_path):
    outputs = []
    for name in EXPLORERS:
        data, _ = new(name)._repr_mimebundle_()
        outputs.append(nbformat.v4.new_output("display_data", data=data))
    cell = nbformat.v4.new_code_cell("...", outputs=outputs)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "page.ipynb")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "page.ipynb"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    context = chromium.new_context(offline=True)
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_function(
        "count => [...document.querySelectorAll('.cx-live')].filter(p => p.textContent).length === count",
        arg=len(EXPLORERS),
    )
    before = page.locator(".cx-live").first.inner_text()
    page.locator(".cx").first.get_by_label("Step on").click()
    page.wait_for_function("before => document.querySelector('.cx-live').textContent !== before", arg=before)
    context.close()
