"""Exhaustion: a limit is met, the exercise is lost, the run goes on."""

import time

import nbformat
import pytest

from tests.grading.classroom import PERFECT, edited, solved
from tests.threats.attack import HONEST, attack, grade_one, printed, scores

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]
LOST = HONEST | {"zero_pad": 0.0}

CALLS = {
    "a loop that ignores SIGINT": "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n    while True: pass",
    "a loop that catches everything": "while True:\n        try:\n            while True: pass\n        except BaseException: pass",
    "a loop in C": "sum(range(10 ** 12))",
    "memory in one piece": "return np.ones((1 << 36,))",
    "memory piece by piece": "hoard = []\n    while True: hoard.append(np.ones(1 << 20))",
    "memory in many processes": (
        "import os\n    for _ in range(20):\n        if os.fork() == 0:\n            hoard = []\n            while True: hoard.append(bytearray(b'x' * 1_000_000))\n"
        "    import time; time.sleep(100)"
    ),
    "memory that processes share": "import mmap; mmap.mmap(-1, 1 << 30)",
    "memory that a device shares": "import mmap, os; mmap.mmap(os.open('/dev/zero', os.O_RDWR), 1 << 30)",
    "memory that outlives its process": "import ctypes; assert ctypes.CDLL(None).shmget(0, 1 << 30, 0o1600) >= 0",
    "a fork bomb": "import os\n    while True:\n        try: os.fork()\n        except OSError: pass",
    "a thread bomb": "import threading, time\n    while True: threading.Thread(target=time.sleep, args=(1000,)).start()",
    "deep recursion": "f = lambda n: f(n + 1)\n    import sys; sys.setrecursionlimit(10 ** 9)\n    f(0)",
    "recursion in C": "import sys; sys.setrecursionlimit(10 ** 9)\n    x = []\n    for _ in range(10 ** 6): x = [x]\n    repr(x)",
    "a huge array as the answer": "return np.broadcast_to(np.float64(1), (1 << 40,))",
    "an answer over the limit": "return np.ones(10_000_000)",
    "an answer nested too deeply": "x = []\n    for _ in range(100_000): x = [x]\n    return x",
    "an answer that holds itself": "x = []\n    x.append(x)\n    return x",
    "a number of a million digits": "return 1 << 4_000_000",
    "sleeping": "import time; time.sleep(10 ** 6)",
    "stopping itself": "import os, signal; os.kill(os.getpid(), signal.SIGSTOP); os.kill(0, signal.SIGSTOP); signal.pause()",
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_eats_everything_loses_its_own_exercise(course, name):
    attack(course, ("    n, c, h, w", f"    {CALLS[name]}\n    n, c, h, w"), expected=LOST)


CELLS = {
    "100 MB of output": "for _ in range(100): print('x' * 1_000_000)",
    "output past Python": "import os\nfor _ in range(100): os.write(1, b'x' * 1_000_000)",
    "a million displays": "from IPython.display import display\nfor i in range(100_000): display(i)",
    "a huge error": "raise ValueError('x' * 50_000_000)",
    "a full disk": "with open('big', 'wb') as file:\n    while True: file.write(b'x' * 1_000_000)",
    "many files": "for i in range(10 ** 9): open(str(i), 'w').write('x' * 10_000)",
    "open files": "hoard = []\nwhile True: hoard.append(open('/dev/null'))",
    "a loop in a cell": "while True: pass",
    "a huge repr": "'x' * 50_000_000",
}


LIFT = "import inside.shell; inside.shell.RECORD.left = 10 ** 12\n"  # the limit that the student's own side keeps
FLOODS = {
    "cells within the limit": "print('x' * 1_000_000)",
    "cells over the limit": LIFT + "print('x' * 7_900_000)",
    "lines": LIFT + "print('\\n' * 1_000_000)",
    "displays": LIFT + "from IPython.display import display\nfor i in range(1000): display(i)",
    "tracebacks": "for _ in range(100): get_ipython()._showtraceback(ValueError, 'x', ['x' * 20_000])",
    "colours": "print('\\x1b[31ma' * 100_000)",
}


@pytest.mark.parametrize("name", FLOODS)
def test_many_cells_of_output_make_no_giant_of_a_notebook(course, name):
    notebook = edited(course)
    notebook.cells[1:1] = [nbformat.v4.new_code_cell(f"{FLOODS[name]}\n# {i}") for i in range(12)]
    verdicts, graded = grade_one(course, notebook)
    assert scores(verdicts) == PERFECT
    assert len(nbformat.writes(graded)) < 9_000_000
    assert sum(len(cell.get("outputs", [])) for cell in graded.cells) < 10_000
    assert "\x1b" not in printed(graded)  # each colour takes a page's maker longer than the one before


@pytest.mark.parametrize(
    "code", ["print('\U0001f600' * 900_000)", "for i in range(100_000): print(i)", "print('\\0' * 2_000_000)"]
)
def test_a_cell_that_prints_much_runs_to_its_end(course, code):
    graded = grade_one(course, edited(course, after=f"{code}\nran = True"))[1]
    outputs = next(cell for cell in graded.cells if "ran = True" in cell.source).outputs
    assert [output["output_type"] for output in outputs] == ["stream"]
    assert "the rest of the output was dropped" in outputs[0]["text"]


def test_an_error_after_much_output_is_shown(course):
    graded = grade_one(course, edited(course, after="print('x' * 2_000_000)\nraise ValueError('wombat')"))[1]
    assert "wombat" in printed(graded)


def test_cells_that_run_again_take_no_more_time_than_the_notebook_has(course):
    slow_again = "import inside.shell, time\nif inside.shell.RECORD.left == 0: time.sleep(5)"
    crash = ("    n, c, h, w", "    import os; os._exit(1)\n    n, c, h, w")
    grade_one(course, solved(course))  # the server is warm
    started = time.monotonic()
    verdicts, _ = grade_one(course, edited(course, crash, first=slow_again), notebook_seconds=2)
    assert time.monotonic() - started < 4
    assert scores(verdicts) == {"output_size": 2.0, "zero_pad": 0.0, "to_chw": 0.0}
    assert verdicts["to_chw"].verdict == "timeout"


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_that_eats_everything_loses_nothing_else(course, name):
    said = attack(course, after=CELLS[name])
    assert len(said) < 3_000_000


def test_the_server_goes_on_after_all_of_this(course):
    assert scores(grade_one(course, solved(course))[0]) == PERFECT
