"""Answers whose code has the same structure, names ignored: a reason to look, not a proof of anything.

An answer becomes the set of runs of RUN tokens of its syntax tree, after "Winnowing: local algorithms for document
fingerprinting" (Schleimer, Wilkerson, Aiken, 2003), here without the winnowing, since answers are short. Left out are runs
of the template, runs that much of the class has, and answers of which too little is left to mean anything.
"""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from .rebuild import Unreadable, is_solution, label, read_submission
from .template import find_template

RUN = 10  # tokens in a run: about one assignment
LEAST = 25  # runs of an answer's own, below which any two people may well write the same
FEW = 3  # a run that so many students share is never taken for common
COMMON = 0.2  # of the class: a run that more than these share is the natural way to write it
MANY = 20  # and in a large class, more than so many
ALIKE = 0.8  # share of the runs from which on a pair is shown
LONGEST = 50_000  # characters; nobody writes a longer answer by hand

Answers = dict[str, dict[str, str]]  # exercise -> student -> the text of the answer


@dataclass(frozen=True)
class Pair:
    """Two students whose answers to an exercise are alike, with the share of their own code that is the same."""

    exercise: str
    students: tuple[str, str]
    share: float
    runs: int


def similar(course: Path, unit: str) -> list[Pair]:
    """Return the pairs of graded answers of a unit that are alike, those with most in common first."""
    template = find_template(course, unit)
    cells = [cell for cell in template.cells if is_solution(cell)] if template else []
    released = {label(cell) or "": cell.source for cell in cells}
    answers = read_answers(course, unit, list(released))
    pairs = [pair for name in released for pair in pairs_of(name, answers.get(name, {}), released[name])]
    return sorted(pairs, key=lambda pair: (-pair.runs, pair.students, pair.exercise))


def by_students(pairs: list[Pair]) -> list[tuple[tuple[str, str], list[Pair]]]:
    """Return the exercises in which two students are alike, for each two; those with most in common first."""
    found: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        found.setdefault(pair.students, []).append(pair)
    return sorted(found.items(), key=lambda item: (-sum(pair.runs for pair in item[1]), item[0]))


def read_answers(course: Path, unit: str, exercises: list[str]) -> Answers:
    """Return what stands in the solution cells of the notebooks that have been graded."""
    answers: Answers = {}
    for path in sorted((course / "autograded").glob(f"*/{unit}/{unit}.ipynb")):
        try:
            cells = read_submission(path, 100)
        except Unreadable:
            continue
        for cell in cells:
            if cell["grade_id"] in exercises:
                answers.setdefault(cell["grade_id"], {})[path.parent.parent.name] = cell["source"]
    return answers


def pairs_of(exercise: str, texts: dict[str, str], released: str) -> list[Pair]:
    """Return the pairs of one exercise that are alike."""
    own = own_runs({student: runs(text) - runs(released) for student, text in texts.items()})
    holders: dict[int, list[str]] = {}
    for student, found in own.items():
        for run in found:
            holders.setdefault(run, []).append(student)
    shared = Counter(pair for students in holders.values() for pair in combinations(sorted(students), 2))
    pairs = []
    for (one, other), count in shared.items():
        share = 2 * count / (len(own[one]) + len(own[other]))
        if share >= ALIKE:
            pairs.append(Pair(exercise, (one, other), share, count))
    return pairs


def own_runs(found: dict[str, set[int]]) -> dict[str, set[int]]:
    """Return each student's runs without those that are common; who has too few left is not in it."""
    counts = Counter(run for student in found.values() for run in student)
    limit = common_limit(len(found))
    own = {student: {run for run in all_runs if counts[run] <= limit} for student, all_runs in found.items()}
    return {student: kept for student, kept in own.items() if len(kept) >= LEAST}


def common_limit(students: int) -> int:
    """Return how many of a class may share a run before it says nothing about any two of them.

    >>> common_limit(4), common_limit(40), common_limit(1000)
    (3, 8, 20)
    """
    return min(max(FEW, int(COMMON * students)), MANY)


def runs(text: str) -> set[int]:
    """Return the runs of tokens in a text's syntax tree; of what is no Python, none.

    >>> runs("def f(a):\\n    return a.sum() + 2 * a[0]") == runs("def g(b):  # mine\\n    return b.sum() + 2 * b[0]")
    True
    """
    if len(text) > LONGEST:
        return set()
    try:
        with warnings.catch_warnings(action="ignore"):
            words = list(tokens(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {hash(tuple(words[i : i + RUN])) for i in range(len(words) - RUN + 1)}


def tokens(node: ast.AST) -> Iterator[str]:
    """Yield the kinds of a tree's nodes from the outside in; what the writer named is only a name.

    Docstrings and annotations are left out. Attributes, keywords and numbers stay: nobody chose their spelling.
    """
    if (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ):
        return
    yield type(node).__name__
    if isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Constant):
        yield repr(node.value)
    elif isinstance(node, ast.keyword):
        yield str(node.arg)
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "ctx"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from tokens(child)
