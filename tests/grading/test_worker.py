"""A worker with several threads, as a campus cluster may have: each job is graded as if it were alone."""

import threading

import nbformat
import pytest

from autograder import build
from autograder.rebuild import plain_cell, rebuild
from autograder.worker import work
from tests.grading.classroom import PERFECT, UNIT, WRONG, edited, settings

pytestmark = pytest.mark.sandbox


def test_jobs_in_threads_of_one_process_do_not_mix(course):
    template = build.template(course / "source" / UNIT / f"{UNIT}.py")
    points = {f"test_{name}": worth for name, worth in PERFECT.items()}
    found: dict[int, list] = {}

    def grade(number):
        changes = [WRONG] if number % 2 else []
        cells = edited(course, *changes, after=f"print('this is {number}')").cells
        notebook, _ = rebuild(template, [plain_cell(cell) for cell in cells])
        job = {"notebook": nbformat.writes(notebook), "settings": settings(), "files": {}, "seed": 1}
        done = work(job | {"known": {"unit": UNIT, "points": points}})
        found[number] = [
            [verdict["score"] for verdict in done["result"]["verdicts"]],
            [other for other in range(12) if f"this is {other}\\n" in done["result"]["notebook"]],
        ]

    threads = [threading.Thread(target=grade, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: [[0.0 if n % 2 else 2.0, 2.0, 1.0], [n]] for n in range(12)}
