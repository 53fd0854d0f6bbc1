"""Puts a verdict into words: plain text for a terminal, HTML with a picture for a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from course.checks.compare import Difference
from course.checks.exercise import EXERCISES, Case, Exercise, Misconception
from course.checks.picture import picture
from course.checks.recipe import is_recipe
from course.checks.subject import Failure
from course.checks.verdict import Verdict

if TYPE_CHECKING:
    from course.checks.result import Result

SMALL = 16  # numbers in an array that a person works with by hand
GREEN, AMBER, RED = "#2e7d32", "#b26a00", "#c62828"
MARK = {"passed": ("✓", GREEN), "partial": ("◐", AMBER), "missing": ("○", AMBER), "not_graded": ("?", AMBER)}


def compose(
    exercise: Exercise,
    verdict: Verdict,
    results: list[Result],
    misconception: Misconception | None,
    shown: Result | None,
) -> tuple[str, str]:
    """Return the message as plain text and as HTML; ``shown`` is the failed case that it speaks of.

    A failed check says, in this order: which case, the call, what differs, the misconception's hint, and a picture of
    where the arrays differ.
    """
    mark, colour = MARK.get(verdict.verdict, ("✗", RED))
    head = f"{mark} {exercise.name}: {points(verdict)}"
    listing = case_listing(results)
    if shown is None:
        said = f"All {len(listing)} cases right." if len(listing) > 1 else "Right."
        return f"{head}. {said}", panel(colour, f"<b>{escape(head)}</b>. {said}")
    problem = shown.problem
    assert problem  # it is one of those that failed
    if verdict.verdict == "missing":
        text = f"{head}\n  {problem.sentence}"
        return text, panel(colour, f"<b>{escape(head)}</b><br>{code(problem.sentence)}")
    return failed_text(exercise, head, shown, problem, listing, misconception), panel(
        colour, failed_html(exercise, head, shown, problem, listing, misconception)
    )


def points(verdict: Verdict) -> str:
    """Return the score in words.

    >>> points(Verdict("conv2d", "partial", 2.5, 6))
    '2.5 of 6 points'
    """
    return f"{verdict.score:g} of {verdict.max_score:g} points"


def case_listing(results: list[Result]) -> list[tuple[str, bool]]:
    """Return each case's name and whether it is right, the random ones as one."""
    listing = [(r.case.name, r.problem is None) for r in results if not r.is_random]
    drawn = [r.problem is None for r in results if r.is_random]
    if drawn:
        listing.append((f"{len(drawn)} random inputs", all(drawn)))
    return listing


def failed_text(
    exercise: Exercise,
    head: str,
    shown: Result,
    problem: Difference,
    listing: list[tuple[str, bool]],
    misconception: Misconception | None,
) -> str:
    """Return the plain message of a check that failed."""
    lines = [
        f"{head} - {case_name(shown)}",
        f"  {exercise.name}({exercise.describe(shown.case)})",
        f"  {problem.sentence}",
    ]
    lines[2:2] = [f"    {numbers}" for numbers in small_numbers(exercise, shown.case)]
    if misconception:
        lines.append(f"  Hint ({misconception.name}): {misconception.hint}")
    if shown.outcome.printed:
        lines += ["  It printed:", *(f"    {line}" for line in shown.outcome.printed.splitlines()[:5])]
    lines.append("  " + "   ".join(f"{'✓' if right else '✗'} {name}" for name, right in listing))
    return "\n".join(lines)


def failed_html(
    exercise: Exercise,
    head: str,
    shown: Result,
    problem: Difference,
    listing: list[tuple[str, bool]],
    misconception: Misconception | None,
) -> str:
    """Return the HTML message of a check that failed."""
    parts = [
        f"<b>{escape(head)}</b> &mdash; {escape(case_name(shown))}",
        f"<div><code>{escape(exercise.name)}({escape(exercise.describe(shown.case))})</code></div>",
        *(f"<div><code>{escape(numbers)}</code></div>" for numbers in small_numbers(exercise, shown.case)),
        f"<div>{code(problem.sentence)}</div>",
    ]
    if misconception:
        parts.append(
            f'<div style="margin:.5em 0"><b>Hint</b> ({escape(misconception.name)}): {code(misconception.hint)}</div>'
        )
    parts.append(picture(problem))
    if shown.outcome.printed:
        printed = "\n".join(shown.outcome.printed.splitlines()[:5])
        parts.append(f"<div>It printed:</div><pre>{escape(printed)}</pre>")
    parts.append(f'<div style="margin-top:.5em;opacity:.85">{listing_html(listing)}</div>')
    return "".join(parts)


def small_numbers(exercise: Exercise, case: Case) -> list[str]:
    """Return the arrays of a case that can be worked out by hand, as ``x = [[1, 2], [3, 4]]``, without axes of length 1."""
    given = [arg for arg in case.args if not is_recipe(arg, "through")]
    arrays = [
        (name, arg)
        for name, arg in zip(exercise.parameters, given, strict=False)
        if isinstance(arg, np.ndarray)
    ]
    if case.answer is None or any(array.size > SMALL for _, array in arrays):
        return []
    texts = [
        (name, np.array2string(np.squeeze(array), separator=", ", floatmode="maxprec"))
        for name, array in arrays
    ]
    return [f"{name} = {' '.join(text.split())}" for name, text in texts]


def listing_html(listing: list[tuple[str, bool]]) -> str:
    """Return the cases as a line of ticks and crosses."""
    items = (
        f'<span style="white-space:nowrap">{"✓" if right else "✗"} {escape(name)}</span>'
        for name, right in listing
    )
    return " &ensp; ".join(items)


def case_name(result: Result) -> str:
    """Return the case's name as the message opens with it."""
    return "a random input" if result.is_random else result.case.name


def code(sentence: str) -> str:
    """Return a sentence as HTML, with what stands between backticks as code.

    >>> code("use `x < 1`")
    'use <code>x &lt; 1</code>'
    """
    parts = escape(sentence).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


def panel(colour: str, inside: str) -> str:
    """Return ``inside`` in a box with a coloured edge that suits light and dark pages."""
    style = f"border-left:4px solid {colour};padding:.4em .8em;margin:.2em 0;line-height:1.5;max-width:60em"
    return f'<div class="convnets-check" style="{style}">{inside}</div>'


def failure_sentence(name: str, failure: Failure) -> str:
    """Return what a failure means, for the student."""
    where = f" in line {failure.line}" if failure.line else ""
    where += f": `{failure.source}`" if failure.source else ""
    error = f"{failure.type}: {failure.message}" if failure.message else failure.type
    is_class = name[:1].isupper()  # then what is not written is a method of it, unless it is an exercise
    other = failure.message not in ("", name) and (not is_class or failure.message in EXERCISES)
    if failure.kind == "unwritten" and other:
        return f"{name} calls {failure.message}, which is not written yet: write that one first."
    unwritten = f"{name}.{failure.message}" if is_class and failure.message not in ("", name) else name
    return {
        "raised": f"It raised {error}{where}{advice(failure)}",
        "unwritten": f"{unwritten} is not written yet. Replace its `raise NotImplementedError` line by your own code and run the cell.",
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
