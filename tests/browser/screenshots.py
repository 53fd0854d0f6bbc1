"""Makes the README's pictures from the real thing: python -m tests.browser.screenshots [REPORT.html]

Without a report it makes one by `convnets demo` first.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.browser.jupyterlab import Notebook, browser_page, running_lab

IMAGES = Path(__file__).parents[2] / "course" / "images"
PADS_ONE_SIDE = """def conv2d(x, w, b, stride=1, padding=0):
    x = np.pad(x, ((0, 0), (0, 0), (0, 2 * padding), (0, 2 * padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], (2, 3))
    out = np.einsum("nchwij,ocij->nohw", windows[:, :, ::stride, ::stride], w)
    return out + b[:, None, None]"""


def check_answer(home: Path):
    """Take the picture of a wrong conv2d and the answer that its check gives."""
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


def main():
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        check_answer(Path(folder) / "home")
        if len(sys.argv) > 1:
            report = Path(sys.argv[1])
        else:
            convnets = Path(sys.executable).with_name("convnets")
            subprocess.run([convnets, "demo", "--dir", f"{folder}/demo"], check=True)
            report = next(Path(folder).glob("demo/**/reports/*.html"))
        class_report(report)


if __name__ == "__main__":
    main()
