"""check(): runs an exercise's cases on the student's function and counts what is right."""

from __future__ import annotations

import contextlib
import contextvars
import os
import secrets
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from html import escape
from typing import Any

import numpy as np

from course.checks import registry
from course.checks.compare import Difference, difference, in_words
from course.checks.exercise import CHANGES_ITS_INPUT, EXERCISES, LOOPS_OVER_PIXELS, Case, Exercise
from course.checks.explain import explain
from course.checks.message import compose, failure_sentence
from course.checks.numpy_only import numpy_only
from course.checks.result import Result, own_arguments
from course.checks.subject import LocalSubject, Outcome, Subject
from course.checks.verdict import Verdict, Word

DIALOG = 80  # characters that the window of Validate shows in a line
RANDOM_WEIGHT = 2.0  # the random inputs count as one case of this weight: all of them right, or none

_seed: contextvars.ContextVar[int | None] = contextvars.ContextVar("seed", default=None)


def check(
    function: Callable | Subject | str | None,
    *,
    cases: Sequence[Case] | None = None,
    random: int = 0,
    seed: int | None = None,
    name: str | None = None,
) -> Verdict:
    """Check the student's function on ``cases`` (the exercise's open ones by default) and ``random`` drawn inputs.

    Returns a Verdict, which shows itself as the message; its score is in points. Never raises for what the student's
    code does. Which exercise it is follows from the function's name, unless ``name`` gives it.
    """
    if isinstance(function, str):
        sentence = f"check takes the function itself: check({function.strip()}), without quotes."
        return Verdict(function, "not_graded", 0, 0, text=sentence, html=escape(sentence))
    subject = as_subject(function, sys._getframe(1).f_globals, name)
    exercise = registry.find(subject.name)
    if exercise is None:
        sentence = no_such_exercise(subject.name)
        return Verdict(subject.name, "not_graded", 0, 0, text=sentence, html=sentence)
    fixed = seed if seed is not None else _seed.get()
    seed = secrets.randbits(32) if fixed is None else fixed
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # stock nbgrader gives 0 to a test cell in which anything is written to stderr
        with numpy_only(exercise.unit, getattr(subject, "function", None)):
            results = run(exercise, subject, exercise.cases if cases is None else tuple(cases), random, seed)
        return say_when_validating(conclude(exercise, results, seed))


def say_when_validating(verdict: Verdict) -> Verdict:
    """Return the verdict; under nbgrader's Validate, which shows nothing but what a failed cell wrote to stderr, say it there."""
    if os.environ.get("NBGRADER_EXECUTION") == "validate" and verdict.verdict != "passed":
        print(wrapped(verdict.text), file=sys.stderr)
    return verdict


def wrapped(text: str) -> str:
    """Return a text with its long lines folded, for a dialog that does not fold them; each keeps its indentation."""
    folded = []
    for line in text.replace("✓ ", "✓\N{NO-BREAK SPACE}").replace("✗ ", "✗\N{NO-BREAK SPACE}").splitlines():
        indent = line[: len(line) - len(line.lstrip(" "))]
        folded += textwrap.wrap(
            line, DIALOG, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
    return "\n".join(folded).replace("\N{NO-BREAK SPACE}", " ")


@contextlib.contextmanager
def seeding(seed: int) -> Iterator[None]:
    """Within the block every check draws its random inputs from ``seed``, so that grading twice gives the same mark."""
    token = _seed.set(seed)
    try:
        yield
    finally:
        _seed.reset(token)


def as_subject(function: Any, names: dict[str, Any], name: str | None = None) -> Subject:
    """Return ``function`` as a subject, named as the exercise that it stands for.

    Whoever writes ``conv2d = functools.partial(...)`` or ``conv2d = Convolution()`` has written conv2d: the name it is
    bound to in the notebook comes before the name that it carries.
    """
    if hasattr(function, "call") and hasattr(function, "name"):
        return function
    registry.load()
    bound = [name for name in EXERCISES if name in names and names[name] is function]
    own_name = getattr(function, "__name__", str(function))
    return LocalSubject(function, name or (bound[0] if bound else own_name))


def no_such_exercise(name: str) -> str:
    """Return the sentence for a function that no exercise asks for."""
    import difflib

    close = difflib.get_close_matches(name, EXERCISES, n=1)
    return f"There is no exercise called {name!r}." + (f" Did you mean check({close[0]})?" if close else "")


def run(exercise: Exercise, subject: Subject, cases: Sequence[Case], random: int, seed: int) -> list[Result]:
    """Return a Result for each case; after a failure that makes asking again useless, the rest fails like it."""
    rng = np.random.default_rng(seed)
    drawn = [exercise.random(rng) for _ in range(random)] if exercise.random else []
    results: list[Result] = []
    for index, case in enumerate([*cases, *drawn]):
        last = results[-1].outcome.failure if results else None
        if last and last.ends_the_check:
            results.append(replace(results[-1], case=case, is_random=index >= len(cases)))
        else:
            results.append(replace(run_case(exercise, subject, case), is_random=index >= len(cases)))
    return results


def run_case(exercise: Exercise, subject: Subject, case: Case) -> Result:
    """Return the Result of one case."""
    args, kwargs = own_arguments(case)
    expected = exercise.oracle(*args, **kwargs)
    outcome = subject.call(case.args, case.kwargs, count_steps=case.max_steps is not None)
    return Result(case, outcome, expected, problem_of(exercise, case, outcome, expected))


def problem_of(exercise: Exercise, case: Case, outcome: Outcome, expected: Any) -> Difference | None:
    """Return what is wrong with an outcome, or None."""
    if outcome.failure:
        return Difference(failure_sentence(exercise.name, outcome.failure))
    wrong = answer_problem(exercise, case, outcome.value, expected)
    if outcome.changed:
        names = ", ".join(
            exercise.parameters[c] if isinstance(c, int) and c < len(exercise.parameters) else str(c)
            for c in outcome.changed
        )
        if wrong:
            return replace(wrong, sentence=f"{wrong.sentence} And the call changed its input {names}.")
        sentence = f"The answer is right, but the call changed its input {names}."
        wrong = Difference(sentence, misconception=CHANGES_ITS_INPUT)
    if wrong is None and case.max_steps and (outcome.steps or 0) > case.max_steps:
        sentence = f"The answer is right, but it took a Python loop over the pixels: more than {case.max_steps} steps of Python."
        wrong = Difference(sentence, misconception=LOOPS_OVER_PIXELS)
    return wrong


def answer_problem(exercise: Exercise, case: Case, value: Any, expected: Any) -> Difference | None:
    """Return what is wrong with an answer, or None; one too strange to be judged is wrong, and no fault of the judge's."""
    try:
        return judged(exercise, case, value, expected)
    except Exception:
        if judged(exercise, case, expected, expected):
            raise  # the right answer fails too: the case is at fault
        return Difference(f"It returned {in_words(value)}, which is not what was asked for.")


def judged(exercise: Exercise, case: Case, value: Any, expected: Any) -> Difference | None:
    """Return what is wrong with an answer, or None."""
    if not exercise.check_answer:
        return difference(value, expected)
    args, kwargs = own_arguments(case)
    sentence = exercise.check_answer(value, *args, **kwargs)
    return Difference(sentence) if sentence else None


def conclude(exercise: Exercise, results: list[Result], seed: int) -> Verdict:
    """Return the verdict over all results: the share that is right, the wrong idea, and the message."""
    fraction = share_right(results)
    failed = [result for result in results if result.problem]
    misconception, shown = explain(exercise, results) or (None, failed[0] if failed else None)
    verdict = Verdict(
        exercise.name,
        word(fraction, failed),
        round(exercise.points * fraction, 2),
        exercise.points,
        misconception.name if misconception else "",
        seed=seed,
    )
    text, html = compose(exercise, verdict, results, misconception, shown)
    return replace(verdict, text=text, html=html)


def share_right(results: list[Result]) -> float:
    """Return the weighted share of cases that are right, the random ones being one case together."""
    parts = [(r.case.weight, r.problem is None) for r in results if not r.is_random]
    drawn = [r.problem is None for r in results if r.is_random]
    if drawn:
        parts.append((RANDOM_WEIGHT, all(drawn)))
    total = sum(weight for weight, _ in parts)
    return sum(weight for weight, right in parts if right) / total if total else 0.0


def word(fraction: float, failed: list[Result]) -> Word:
    """Return the verdict's word."""
    kinds = {result.outcome.failure.kind for result in failed if result.outcome.failure}
    if "machinery" in kinds:
        return "not_graded"
    if "timeout" in kinds or "interrupted" in kinds:
        return "timeout"
    if "crashed" in kinds:
        return "crashed"
    if kinds & {"unwritten", "missing"} and fraction == 0:
        return "missing"
    return "passed" if not failed else "partial" if fraction > 0 else "failed"
