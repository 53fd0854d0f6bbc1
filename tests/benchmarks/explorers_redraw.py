"""Time how long each explorer takes to redraw in Chromium, from the start of the frame to the last pixel drawn.

    python tests/benchmarks/explorers_redraw.py [NAME ...]

A frame is the callback that an explorer gives requestAnimationFrame: its maths and its drawing. After it the height of
the page and one pixel of every canvas are read, so that layout and drawing put off by the browser are in the time too.
Prints the 50th and 95th percentile of all passes, and the 95th of each redraw's best pass: where other work has the
processor, the first holds waiting for it and the second only what the redraw itself takes. And the load average.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

import course.explorers
from autograder.doctor import find_browser
from tests.browser.jupyterlab import FLAGS

WATCH = """
const ask = window.requestAnimationFrame.bind(window);
window.times = [];
window.requestAnimationFrame = (draw) => ask((now) => {
  const start = performance.now();
  draw(now);
  document.body.offsetHeight;
  for (const canvas of document.querySelectorAll(".cx canvas")) canvas.getContext("2d").getImageData(0, 0, 1, 1);
  if (draw.toString().includes("this.settle()")) window.times.push(performance.now() - start);
});
"""
SWEEP = """async ([selector, steps]) => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const canvas = document.querySelector(selector);
  window.times.length = 0;
  for (let n = 0; n < steps; n++) {
    const box = canvas.getBoundingClientRect();
    const spot = { clientX: box.left + 4 + ((n * 37) % Math.max(8, box.width - 8)), clientY: box.top + 4 + ((n * 23) % Math.max(8, box.height - 8)),
      bubbles: true, pointerType: "mouse", buttons: 1, pointerId: 1, screenX: n };
    canvas.dispatchEvent(new PointerEvent("pointermove", spot));
    await frame();
  }
  return window.times;
}"""
TURN = """async ([label, values, row]) => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  if (row !== undefined) { document.querySelectorAll(".cx-name")[row].click(); await frame(); }
  const field = document.querySelector(`.cx input[aria-label="${label}"]`);
  window.times.length = 0;
  for (const value of values) {
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    await frame();
  }
  return window.times;
}"""
CONV = "canvas[tabindex][aria-label^='%s']"
ALL = dict(methods=["descent", "momentum", "average", "nesterov", "adam"], mapped="adam")
VGG = dict(
    layers=[layer for n in (2, 2, 3, 3, 3) for layer in [("conv", 3, 1, 1)] * n + [("pool", 2)]], size=224
)
THIRTY = dict(
    layers=[
        *[layer for n in (64, 128, 256, 512) for layer in [("conv", n, 3, 1, 1), "batchnorm", "relu"] * 2],
        *["adaptivepool", "flatten", ("linear", 256), "relu", "dropout", ("linear", 10)],
    ],
    input_size=(3, 224, 224),
)
# explorer, settings, what is done: (what it is, script, its arguments)
RUNS: list = [
    ("ConvExplorer", {}, "move over the output", SWEEP, [CONV % "Output", 200]),
    (
        "ConvExplorer",
        dict(size=64, padding=1),
        "move over the output, 64 x 64",
        SWEEP,
        [CONV % "Output", 200],
    ),
    ("ConvExplorer", dict(size=64, padding=1), "move over the input, 64 x 64", SWEEP, [CONV % "Input", 200]),
    (
        "ConvExplorer",
        dict(size=63, kernel_size=11, stride=4, in_channels=3, out_channels=4),
        "AlexNet conv1, move over the output",
        SWEEP,
        [CONV % "Output", 200],
    ),
    (
        "ConvExplorer",
        dict(size=64, padding=1, in_channels=3, out_channels=4),
        "64 x 64 x 3, change a weight (all worked out anew)",
        TURN,
        ["value of the chosen weight", list(range(100))],
    ),
    ("KernelLab", {}, "256 x 256, change a weight of 3 x 3", TURN, ["weight chosen", list(range(100))]),
    (
        "KernelLab",
        dict(kernel=[[1] * 9] * 9),
        "256 x 256, change a weight of 9 x 9",
        TURN,
        ["weight chosen", list(range(100))],
    ),
    ("PoolLab", dict(size=64, kernel_size=3), "64 x 64, move over the output", SWEEP, [CONV % "Output", 200]),
    (
        "PoolLab",
        dict(size=64, kernel_size=3),
        "64 x 64, change an input",
        TURN,
        ["value of the chosen input", list(range(100))],
    ),
    ("ReceptiveField", VGG, "VGG-16, move over the input, 224 x 224", SWEEP, [CONV % "Input", 200]),
    ("ReceptiveField", VGG, "VGG-16, change a layer", TURN, ["layer 3 kernel", [2, 3, 4] * 30]),
    (
        "OptimizerPlane",
        ALL,
        "five paths of 100 steps, change beta",
        TURN,
        ["β", [n / 100 for n in range(99)]],
    ),
    (
        "OptimizerPlane",
        ALL,
        "move the start (paths and the map of 40 x 40 runs)",
        TURN,
        ["Start x", [n / 30 for n in range(99)]],
    ),
    ("DropoutLab", {}, "1024 masks, change p", TURN, ["p", [n / 100 for n in range(99)]]),
    ("DropoutLab", {}, "move over the units", SWEEP, [CONV % "Mask", 200]),
    ("NormLab", {}, "move over the numbers", SWEEP, [CONV % "Before", 200]),
    (
        "NormLab",
        dict(batch=16, channels=8, places=16),
        "2048 numbers, change the outlier",
        TURN,
        ["outlier", list(range(99))],
    ),
    (
        "ArchitectureBuilder",
        THIRTY,
        "30 layers, change the filters of the first",
        TURN,
        ["filters of the layer chosen", list(range(8, 108)), 1],
    ),
    (
        "ArchitectureBuilder",
        THIRTY,
        "30 layers, change the input's rows (every row changes)",
        TURN,
        ["input rows", list(range(100, 200)), 1],
    ),
    ("KernelLab", {}, "256 x 256, move over the result", SWEEP, [CONV % "Result", 200]),
]


def page_of(explorer) -> str:
    """Return a whole page that shows the explorer."""
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><body><script>{WATCH}</script>{explorer.page()}'


PASSES = 5


def measure(browser, name: str, settings: dict, script: str, arguments: list) -> list[list[float]]:
    """Return the milliseconds of each redraw, a list a pass."""
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "page.html")
        path.write_text(page_of(getattr(course.explorers, name)(**settings)), "utf-8")
        page.goto(path.as_uri())
        page.wait_for_function("document.querySelector('.cx-live')?.textContent")
        passes = [page.evaluate(script, arguments) for _ in range(PASSES)]
    page.close()
    return passes


def highest(times: list[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(times, n=20)[-1]


def main() -> None:
    """Measure all, or those named, and print a table in Markdown."""
    wanted = sys.argv[1:]
    print(
        f"{platform.machine()}, Python {platform.python_version()}, one page at a time, load {os.getloadavg()[0]:.1f}"
    )
    print("| explorer | what is done | redraws | median ms | 95th percentile ms | 95th, best pass ms |")
    print("|---|---|---|---|---|---|")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(FLAGS))
        for name, settings, what, script, arguments in RUNS:
            if wanted and name not in wanted:
                continue
            passes = measure(browser, name, settings, script, json.loads(json.dumps(arguments)))
            times = [time for one in passes for time in one]
            numbers = [
                statistics.median(times),
                highest(times),
                highest([min(one) for one in zip(*passes, strict=False)]),
            ]
            print(f"| {name} | {what} | {len(times)} |", " | ".join(f"{n:.1f}" for n in numbers), "|")
        browser.close()
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
