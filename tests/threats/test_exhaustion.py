"""Exhaustion: a limit is met, the exercise is lost, the run goes on."""

import pytest

from tests.grading.classroom import PERFECT, solved
from tests.threats.attack import HONEST, attack, grade_one, scores

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


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_that_eats_everything_loses_nothing_else(course, name):
    said = attack(course, after=CELLS[name])
    assert len(said) < 3_000_000


def test_the_server_goes_on_after_all_of_this(course):
    assert scores(grade_one(course, solved(course))[0]) == PERFECT
