"""How long a visible check takes, for each exercise: python -m tests.benchmarks.check_time [UNIT ...]

Each is timed on the reference solution and on every misconception; the slowest counts, since a wrong answer also pays for
finding the idea behind it. The peer, in the same run, is the bare calls: the cases given to the solution, nothing judged.
"""

import sys
import time

from course.checks import check
from course.checks.result import own_arguments
from tests.hidden import EXERCISES, solution


def milliseconds(function, times=5):
    """Return the median of several calls, in processor time: the machine may be busy with other things."""
    spent = []
    for _ in range(times):
        before = time.process_time()
        function()
        spent.append(1000 * (time.process_time() - before))
    return sorted(spent)[times // 2]


def bare_calls(name):
    """Call the solution on every case."""
    for case in EXERCISES[name].cases:
        args, kwargs = own_arguments(case)
        solution(name)(*args, **kwargs)


def main(units):
    print(f"{'exercise':<28}{'bare calls':>12}{'right':>10}{'slowest':>10}   ms")
    for name, exercise in EXERCISES.items():
        if units and exercise.unit not in units:
            continue
        check(solution(name), name=name)
        answers = [lambda *a, idea=idea, **k: idea.wrong(*a, **k) for idea in exercise.misconceptions]
        slowest = max(milliseconds(lambda answer=answer: check(answer, name=name)) for answer in answers)  # noqa: B023
        right = milliseconds(lambda: check(solution(name), name=name))  # noqa: B023
        print(f"{name:<28}{milliseconds(lambda: bare_calls(name)):>12.2f}{right:>10.2f}{slowest:>10.2f}")  # noqa: B023


if __name__ == "__main__":
    main(sys.argv[1:])
