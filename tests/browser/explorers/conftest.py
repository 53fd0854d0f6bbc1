"""A page with a ten-line model stub that hosts an explorer's module in real Chromium: no kernel, no network."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from autograder.doctor import find_browser
from tests.browser.jupyterlab import FLAGS

AXE = Path(__file__).resolve().parents[2] / "js/node_modules/axe-core/axe.min.js"
MODEL = """
const state = %s, heard = {}, sent = [];
window.model = {
  sent, state,
  get: (name) => state[name],
  set: (name, value) => { state[name] = value; sent.push(name); (heard[`change:${name}`] || []).forEach((f) => f()); },
  on: (event, f) => (heard[event] ??= []).push(f),
  off: (event, f) => { heard[event] = (heard[event] || []).filter((g) => g !== f); },
  save_changes: () => { window.saved = (window.saved || 0) + 1; },
};
"""
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>An explorer</title>
<meta name="viewport" content="width=device-width"><style>%s</style></head>
<body data-jp-theme-light="%s" style="margin: 8px"><main tabindex="0"><div id="host"></div></main>
<script type="module">%s
const module = await import(URL.createObjectURL(new Blob([%s], { type: "text/javascript" })));
window.stop = module.default.render({ model, el: document.getElementById("host") });
</script></body></html>"""


class Shown:
    """An explorer on a page: the page, and short ways to what tests ask of it."""

    def __init__(self, page):
        self.page, self.errors, self.session = page, [], None
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self.note_request)

    def note_request(self, request):
        if not request.url.startswith(("blob:", "data:", "about:", "http://explorer.test/")):
            self.errors.append(f"asked the network for {request.url}")

    def state(self, name):
        self.settle()
        return self.page.evaluate("name => model.state[name]", name)

    def sentence(self):
        self.settle()
        return self.page.locator(".cx-live").inner_text()

    def text(self, selector):
        self.settle()
        return self.page.inner_text(selector)

    def settle(self):
        """Wait until what was asked for is drawn."""
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def fill(self, label, value):
        self.page.locator(f'.cx input[aria-label="{label}"]').fill(str(value))
        self.settle()

    def code(self, kind):
        self.page.get_by_role("button", name=f"Copy as {kind}").click()
        self.page.wait_for_function("document.querySelector('.cx-told').textContent !== ''")
        return self.page.get_by_label("Code", exact=True).input_value()

    def finger(self, kind, box=None, x=14, y=14):
        """Send a touch at a place of a box as a finger does, through the browser's own protocol."""
        self.session = self.session or self.page.context.new_cdp_session(self.page)
        points = [{"x": box["x"] + x, "y": box["y"] + y}] if box else []
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def serious_faults(self):
        """Return what axe-core finds serious or worse, with the places."""
        if not AXE.exists():
            pytest.skip("axe-core is missing: npm install --prefix tests/js")
        self.page.add_script_tag(content=AXE.read_text("utf-8"))
        found = self.page.evaluate("async () => (await axe.run('.cx')).violations")
        return [
            (fault["id"], [node["html"][:150] for node in fault["nodes"]])
            for fault in found
            if fault["impact"] in ("serious", "critical")
        ]

    def grid(self, name):
        """Return the canvas whose name starts with ``name``."""
        return self.page.locator(f'canvas[tabindex][aria-label^="{name}"]')


@pytest.fixture(scope="module")  # no longer: Playwright runs once a thread, and other tests start their own
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def show(chromium):
    """Return a function that shows an explorer and gives a Shown; a script error or a request fails the test."""
    opened = []

    def open_page(explorer, *, width=1000, height=900, dark=False, **options):
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        shown = Shown(context.new_page())
        opened.append((context, shown))
        state = {
            name: getattr(explorer, name) for name in explorer.keys if not name.startswith(("_esm", "_css"))
        }
        state = {
            name: value for name, value in state.items() if name in explorer.settings() or name[0] == "_"
        }
        script = MODEL % json.dumps(state), json.dumps(explorer._esm).replace("<", "\\u003c")
        html = PAGE % (explorer._css, str(not dark).lower(), *script)
        shown.page.route(
            "http://explorer.test/", lambda route: route.fulfill(body=html, content_type="text/html")
        )
        shown.page.goto("http://explorer.test/")
        shown.page.wait_for_selector(".cx")
        shown.settle()
        return shown

    yield open_page
    for context, shown in opened:
        context.close()
        assert shown.errors == []
