"""JupyterLab as a student has it (`convnets lab`), driven in headless Chromium."""

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from jupyter_server.serverapp import list_running_servers
from playwright.sync_api import Page, sync_playwright

from autograder.doctor import find_browser

# chromium of Debian, as root and without a network (background requests would only be refused)
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PATIENCE = 90  # seconds; a full machine is slow, and a test that waits is not a test that fails


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab and its folder of lessons."""

    server: dict
    lessons: Path

    def address(self, path: str) -> str:
        """Return the address of a notebook, in a workspace of its own: no tabs of earlier tests come back."""
        workspace = path.replace("/", "-").replace(".", "-")
        return f"{self.server['url']}lab/workspaces/{workspace}/tree/{path}?token={self.server['token']}"


@contextlib.contextmanager
def running_lab(home: Path, nbgrader_config: str = ""):
    """Run `convnets lab` on a new working copy under ``home``, where nbgrader is configured so; gives a Lab."""
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "HOME")
    environment = os.environ | {name: str(home / name.lower()) for name in folders}
    for name in folders:
        Path(environment[name]).mkdir(parents=True)
    (home / "jupyter_config_dir" / "nbgrader_config.py").write_text(nbgrader_config)
    arguments = ["--no-browser", "--", "--port=0", "--LabApp.expose_app_in_browser=True"]
    command = [
        str(Path(sys.executable).with_name("convnets")),
        "lab",
        "--dir",
        str(home / "lessons"),
        *arguments,
    ]
    with (home / "lab.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=home)
    try:
        yield Lab(wait_for(home / "jupyter_runtime_dir", server, home / "lab.log"), home / "lessons")
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


def wait_for(runtime: Path, server: subprocess.Popen, log: Path) -> dict:
    """Wait until the server listens, and return what it says of itself."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        for found in list_running_servers(str(runtime)):
            return found
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")


@contextlib.contextmanager
def browser_page(**options):
    """A page in a new Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(FLAGS))
        page = browser.new_page(**options)
        page.set_default_timeout(1000 * PATIENCE)
        yield page
        browser.close()


class Notebook:
    """A notebook open in JupyterLab."""

    def __init__(self, page: Page, address: str):
        self.page = page
        page.goto(address)
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        page.wait_for_function("window.jupyterapp && window.jupyterapp.shell.currentWidget.context")
        page.evaluate("window.jupyterapp.shell.currentWidget.context.ready")
        self.wait_until_idle()

    def wait_until_idle(self):
        """Wait until the kernel has nothing left to do."""
        self.page.wait_for_function(
            "window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
        )

    def cells(self) -> list[dict]:
        """Return each cell's source, outputs and nbgrader id, as they are in the notebook now."""
        return self.page.evaluate(
            """() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells.map(cell => {
                 const json = cell.toJSON();
                 return {type: json.cell_type, source: json.source, outputs: json.outputs || [],
                         id: json.metadata.nbgrader?.grade_id || "", tags: json.metadata.tags || [],
                         count: json.execution_count}; })"""
        )

    def index(self, grade_id: str) -> int:
        """Return the number of the cell with this nbgrader id."""
        return next(i for i, cell in enumerate(self.cells()) if cell["id"] == grade_id)

    def select(self, index: int):
        """Make a cell the active one, scroll to it and return it."""
        self.page.evaluate(
            """async index => { const notebook = window.jupyterapp.shell.currentWidget.content;
                 notebook.activeCellIndex = index; await notebook.scrollToItem(index, 'start'); }""",
            index,
        )
        return self.page.locator(".jp-Notebook .jp-Cell.jp-mod-active")

    def run(self, index: int):
        """Run one cell by the keyboard, as a student does, and wait for the answer."""
        self.select(index)
        before = self.cells()[index]["count"]
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("Control+Enter")
        self.page.wait_for_function(
            """([index, before]) => { const cell = window.jupyterapp.shell.currentWidget.content.widgets[index];
                 const count = cell.model.sharedModel.execution_count; return count && count !== before; }""",
            arg=[index, before],
        )
        self.wait_until_idle()

    def run_all(self):
        """Run all cells; an unwritten exercise does not stop the rest."""
        for index, cell in enumerate(self.cells()):
            if cell["type"] == "code" and cell["source"].strip():
                self.run(index)

    def save(self):
        """Save the notebook by the keyboard and wait until it is on the disk."""
        self.page.keyboard.press("Control+s")
        self.page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")

    def write(self, index: int, text: str):
        """Replace a cell's text by typing."""
        self.select(index).locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)
