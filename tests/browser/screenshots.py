"""Makes the README's pictures from the real thing: python -m tests.browser.screenshots [DEMO]

DEMO is the folder of a `convnets demo`; without one it makes one first.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from nbgrader.api import Gradebook

from tests.browser.jupyterlab import Notebook, browser_page, running_lab
from tests.browser.test_formgrader import instructors_lab

IMAGES = Path(__file__).parents[2] / "course" / "images"
PADS_ONE_SIDE = """def conv2d(x, w, b, stride=1, padding=0):
    x = np.pad(x, ((0, 0), (0, 0), (0, 2 * padding), (0, 2 * padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], (2, 3))
    out = np.einsum("nchwij,ocij->nohw", windows[:, :, ::stride, ::stride], w)
    return out + b[:, None, None]"""


def check_and_explorer(home: Path):
    """Take the pictures of a wrong conv2d: the answer that its check gives, and its map in ConvExplorer."""
    with running_lab(home) as lab, browser_page(viewport={"width": 1180, "height": 1000}) as page:
        notebook = Notebook(page, lab.address("01-convolution/01-convolution.ipynb"))
        notebook.run(notebook.index("setup"))
        written = notebook.index("conv2d")
        notebook.write(written, PADS_ONE_SIDE)
        notebook.run(written)
        notebook.run(written + 1)
        notebook.select(written)
        page.keyboard.press("Control+b")  # fold the file browser away
        page.wait_for_timeout(1000)
        boxes = [page.locator(f".jp-Cell[data-windowed-list-index='{i}']") for i in (written, written + 1)]
        top, bottom = (box.bounding_box() for box in boxes)
        clip = top | {"height": bottom["y"] + bottom["height"] - top["y"]}
        page.screenshot(path=IMAGES / "check.png", clip=clip)
        cell = next(
            i for i, one in enumerate(notebook.cells()) if one["source"].startswith("ConvExplorer(conv2d")
        )
        notebook.run(cell)
        explorer = page.locator(f".jp-Cell[data-windowed-list-index='{cell}'] .jp-OutputArea-output").first
        explorer.screenshot(path=IMAGES / "explorer.png")


def class_report(page_file: Path):
    """Take the pictures of a class report: its first screen, and the students' verdicts."""
    with browser_page(viewport={"width": 1000, "height": 860}) as page:
        page.goto(page_file.resolve().as_uri())
        page.screenshot(path=IMAGES / "report.png")
        page.add_style_tag(content=".matrix { margin: 12px; }")
        box = page.locator(".matrix").bounding_box()
        clip = {side: box[side] - 12 for side in "xy"} | {
            side: box[side] + 24 for side in ("width", "height")
        }
        page.screenshot(path=IMAGES / "class.png", clip=clip, full_page=True)


def manual_grading(demo: Path, home: Path):
    """Take the picture of a wrong conv2d in formgrader: the code, the marks, what the check said."""
    with (
        Gradebook(f"sqlite:///{demo}/gradebook.db") as book,
        instructors_lab(home, demo) as server,
        browser_page(viewport={"width": 1000, "height": 640}) as page,
    ):
        about = book.find_submission_notebook("01-convolution", "01-convolution", "chidi")
        page.goto(f"{server['url']}lab?token={server['token']}")
        page.goto(f"{server['url']}formgrader/submissions/{about.id}/")
        page.wait_for_function("document.querySelector('#test_conv2d').placeholder")
        page.locator("#conv2d-comment").fill("The loops had it: look at your first version again.")
        page.evaluate("document.querySelector('#conv2d-comment').closest('.cell').scrollIntoView()")
        page.mouse.wheel(0, -60)  # from under the bar at the top
        page.wait_for_timeout(1000)
        page.screenshot(path=IMAGES / "formgrader.png")


def main():
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        check_and_explorer(home / "home")
        demo = Path(sys.argv[1] if len(sys.argv) > 1 else home / "demo")
        if len(sys.argv) == 1:
            convnets = Path(sys.executable).with_name("convnets")
            subprocess.run([convnets, "demo", "--dir", str(demo)], check=True)
        class_report(next(demo.glob("reports/*.html")))
        manual_grading(demo, home / "instructor")


if __name__ == "__main__":
    main()
