"""Finding the wrong idea behind wrong answers: which misconception leads to what the student's function did."""

from __future__ import annotations

from course.checks.compare import matches
from course.checks.exercise import Exercise, Misconception, Objection, Refusal
from course.checks.result import Result, own_arguments
from course.checks.subject import Failure

EXPLAINED_CASES = 3  # so many failed cases are looked at until a wrong idea fits one
MISCONCEPTION_CASES = 12  # so many cases are compared with each wrong idea: enough to tell, and quick


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
            return bool(misconception.when(result.outcome.value, *args, **kwargs))
        return matches(result.outcome.value, misconception.wrong(*args, **kwargs)) and failure is None
    except Objection:
        return failure is not None and is_deliberate(failure)
    except Refusal as refusal:
        return failure is not None and is_meant(refusal, failure)
    except Exception:  # the idea says nothing about this case
        return False


def is_meant(refusal: Refusal, failure: Failure) -> bool:
    """Return whether an exception is of the kind that a wrong idea runs into, by its type and its message."""
    right_words = not refusal.words or any(word in failure.message for word in refusal.words)
    return right_words and (not refusal.types or failure.type in refusal.types)
