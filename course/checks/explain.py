"""Finding the wrong idea behind wrong answers: which misconception leads to what the student's function did."""

from __future__ import annotations

from course.checks.compare import matches
from course.checks.exercise import Exercise, Misconception, Objection, Refusal
from course.checks.result import Result, own_arguments
from course.checks.subject import Failure

EXPLAINED_CASES = 3  # so many failed cases are looked at until a wrong idea fits one
MISCONCEPTION_CASES = 12  # so many cases are compared with each wrong idea: enough to tell, and quick


def explain(exercise: Exercise, results: list[Result]) -> tuple[Misconception, Result] | None:
    """Return the misconception that explains the answers best and the failed case that shows it, or None.

    It must lead to what the student's function did in one of the first failed cases, and to an answer in one of them at
    least, since any idea can end in an exception, or else explain every case; and at least as many cases must speak for it
    as against it, since in a small case several ideas end alike. Among several, the one that explains more of the cases
    wins, and then the one that comes first in the bank.
    """
    judged = [r for r in results if r.outcome.failure is None or r.outcome.failure.kind == "raised"]
    if any(r.problem and not r.is_random for r in judged):
        judged = [
            r for r in judged if not r.is_random
        ]  # then the same answers are named the same, whatever was drawn
    failed = [r for r in judged if r.problem][:MISCONCEPTION_CASES]
    passed = [r for r in judged if not r.problem][:MISCONCEPTION_CASES]
    for shown in failed[:EXPLAINED_CASES]:
        told = shown.problem.misconception if shown.problem else ""
        if told:
            named = next((m for m in exercise.misconceptions if m.name == told), None)
            return (named, shown) if named else None
        candidates = []
        for idea in exercise.misconceptions:
            if not gives(idea, shown):
                continue
            speaks = [gives(idea, r) for r in failed]
            others = [gives(idea, r) for r in passed]
            against = speaks.count(False) + (0 if idea.when else others.count(False))
            if speaks.count(True) >= against and (has_evidence(idea, failed) or against == 0):
                candidates.append((speaks.count(True) + others.count(True), idea))
        if candidates:
            return max(candidates, key=lambda pair: pair[0])[1], shown
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


def gives(misconception: Misconception, result: Result) -> bool | None:
    """Return whether a wrong idea leads to what the student's function did; None where it says nothing about the case."""
    args, kwargs = own_arguments(result.case)
    failure = result.outcome.failure
    try:
        if misconception.when and failure is None:
            return bool(misconception.when(result.outcome.value, *args, **kwargs))
        return matches(result.outcome.value, misconception.wrong(*args, **kwargs)) and failure is None
    except Objection:
        return failure is not None and is_deliberate(failure)
    except Refusal as refusal:
        return failure is not None and is_meant(refusal, failure)
    except Exception:
        return None


def is_meant(refusal: Refusal, failure: Failure) -> bool:
    """Return whether an exception is of the kind that a wrong idea runs into, by its type and its message."""
    right_words = not refusal.words or any(word in failure.message for word in refusal.words)
    return right_words and (not refusal.types or failure.type in refusal.types)
