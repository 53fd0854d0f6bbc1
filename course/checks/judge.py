"""check(): runs an exercise's cases on the student's function, and finds the wrong idea behind a wrong answer."""

from __future__ import annotations

import contextlib
import contextvars
import copy
import secrets
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from course.checks import registry
from course.checks.compare import Difference, difference, matches
from course.checks.exercise import (
    CHANGES_ITS_INPUT,
    EXERCISES,
    LOOPS_OVER_PIXELS,
    Case,
    Exercise,
    Misconception,
    Objection,
    Refusal,
)
from course.checks.message import compose
from course.checks.recipe import is_recipe, make
from course.checks.subject import Failure, LocalSubject, Outcome, Subject
from course.checks.verdict import Verdict, Word

RANDOM_WEIGHT = 2.0  # the random inputs count as one case of this weight: all of them right, or none
EXPLAINED_CASES = 3  # so many failed cases are looked at until a wrong idea fits one
MISCONCEPTION_CASES = 12  # so many cases are compared with each wrong idea: enough to tell, and quick

_seed: contextvars.ContextVar[int | None] = contextvars.ContextVar("seed", default=None)


@dataclass(frozen=True)
class Result:
    """One case, what the subject gave for it, the right answer, and how the two differ (None: right)."""

    case: Case
    outcome: Outcome
    expected: Any
    problem: Difference | None
    is_random: bool = False


def check(
    function: Callable | Subject | None,
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
    subject = as_subject(function, sys._getframe(1).f_globals, name)
    exercise = registry.find(subject.name)
    if exercise is None:
        sentence = no_such_exercise(subject.name)
        return Verdict(subject.name, "not_graded", 0, 0, text=sentence, html=sentence)
    fixed = seed if seed is not None else _seed.get()
    seed = secrets.randbits(32) if fixed is None else fixed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # stock nbgrader gives 0 to a test cell in which anything is written to stderr
        results = run(exercise, subject, exercise.cases if cases is None else tuple(cases), random, seed)
        return conclude(exercise, results, seed)


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


def own_arguments(case: Case) -> tuple[list, dict]:
    """Return a case's arguments, copied and made, as the oracle and the misconceptions take them: without the driver."""
    args, kwargs = copy.deepcopy((case.args, case.kwargs))
    made = [make(arg) for arg in args if not is_recipe(arg, "through")]
    return made, {name: make(value) for name, value in kwargs.items()}


def problem_of(exercise: Exercise, case: Case, outcome: Outcome, expected: Any) -> Difference | None:
    """Return what is wrong with an outcome, or None."""
    if outcome.failure:
        return Difference(failure_sentence(exercise.name, outcome.failure))
    if exercise.check_answer:
        args, kwargs = own_arguments(case)
        sentence = exercise.check_answer(outcome.value, *args, **kwargs)
        wrong = Difference(sentence) if sentence else None
    else:
        wrong = difference(outcome.value, expected)
    if wrong is None and outcome.changed:
        names = [
            exercise.parameters[c] if isinstance(c, int) and c < len(exercise.parameters) else str(c)
            for c in outcome.changed
        ]
        sentence = f"The answer is right, but the call changed its input {', '.join(names)}."
        wrong = Difference(sentence, misconception=CHANGES_ITS_INPUT)
    if wrong is None and case.max_steps and (outcome.steps or 0) > case.max_steps:
        sentence = f"The answer is right, but it took a Python loop over the pixels: more than {case.max_steps} steps of Python."
        wrong = Difference(sentence, misconception=LOOPS_OVER_PIXELS)
    return wrong


def failure_sentence(name: str, failure: Failure) -> str:
    """Return what a failure means, for the student."""
    where = f" in line {failure.line}" if failure.line else ""
    where += f": `{failure.source}`" if failure.source else ""
    error = f"{failure.type}: {failure.message}" if failure.message else failure.type
    if failure.kind == "unwritten" and failure.message not in ("", name):
        return f"{name} calls {failure.message}, which is not written yet: write that one first."
    return {
        "raised": f"It raised {error}{where}{advice(failure)}",
        "unwritten": f"{name} is not written yet. Replace its `raise NotImplementedError` line by your own code and run the cell.",
        "missing": f"There is no function called {name}. Is it defined, under exactly that name?",
        "odd_value": failure.message,
        "interrupted": f"You stopped it while it was running{where}. An endless loop?",
        "timeout": f"It was still running when its time was up{where}. An endless loop?",
        "crashed": f"The Python process died while {name} was running. {failure.message}".strip(),
        "machinery": f"The grader itself failed, which costs you nothing: {failure.message}",
    }[failure.kind]


def advice(failure: Failure) -> str:
    """Return what to do about the exceptions that NumPy's shapes bring about, or an empty string."""
    words = ("broadcast", "subscripts", "matmul", "not aligned", "reshape array")
    about_shapes = any(word in failure.message for word in words)
    return ". The shapes do not fit: print the shape of each array in that line." if about_shapes else ""


def conclude(exercise: Exercise, results: list[Result], seed: int) -> Verdict:
    """Return the verdict over all results: the share that is right, the wrong idea, and the message."""
    fraction = share_right(results)
    failed = [result for result in results if result.problem]
    misconception = explain(exercise, results) if failed else None
    verdict = Verdict(
        exercise.name,
        word(fraction, failed),
        round(exercise.points * fraction, 2),
        exercise.points,
        misconception.name if misconception else "",
        seed=seed,
    )
    text, html = compose(exercise, verdict, results, misconception)
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


def explain(exercise: Exercise, results: list[Result]) -> Misconception | None:
    """Return the misconception that explains the answers best, or None.

    It must lead to what the student's function did in one of the first failed cases, and to an answer in one of them at
    least, since any idea can end in an exception, or else explain every case. Among several, the one that explains more of the other cases wins, and then the one that
    comes first in the bank.
    """
    judged = [r for r in results if r.outcome.failure is None or r.outcome.failure.kind == "raised"]
    if any(r.problem and not r.is_random for r in judged):
        judged = [
            r for r in judged if not r.is_random
        ]  # then the same answers are named the same, whatever was drawn
    failed = [r for r in judged if r.problem][:MISCONCEPTION_CASES]
    for first in failed[:EXPLAINED_CASES]:
        told = first.problem.misconception if first.problem else ""
        if told:
            return next((m for m in exercise.misconceptions if m.name == told), None)
        others = [r for r in judged if r is not first][:MISCONCEPTION_CASES]
        candidates = [m for m in exercise.misconceptions if gives(m, first)]
        candidates = [m for m in candidates if has_evidence(m, failed) or all(gives(m, r) for r in judged)]
        if candidates:
            return max(candidates, key=lambda m: sum(gives(m, r) for r in others))
    return None


def has_evidence(misconception: Misconception, failed: list[Result]) -> bool:
    """Return whether a failed case speaks for an idea: by its answer, or by an exception that the student wrote."""
    return any(
        gives(misconception, r)
        for r in failed
        if r.outcome.failure is None or is_deliberate(r.outcome.failure)
    )


def is_deliberate(failure: Failure) -> bool:
    """Return whether an exception was written by the student rather than run into."""
    return failure.type == Objection.__name__ or failure.source.startswith(("raise ", "assert "))


def gives(misconception: Misconception, result: Result) -> bool:
    """Return whether a wrong idea leads to what the student's function did."""
    args, kwargs = own_arguments(result.case)
    failure = result.outcome.failure
    try:
        if misconception.when and failure is None:
            return misconception.when(result.outcome.value, *args, **kwargs)
        return matches(result.outcome.value, misconception.wrong(*args, **kwargs)) and failure is None
    except Objection:
        return failure is not None and is_deliberate(failure)
    except Refusal as refusal:
        return failure is not None and (not refusal.types or failure.type in refusal.types)
    except Exception:  # the idea says nothing about this case
        return False
