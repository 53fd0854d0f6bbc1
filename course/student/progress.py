"""How far a student is: which exercises have passed, read from what the checks left in their own notebooks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course.checks.verdict import Verdict


class Progress:
    """The units with their exercises, each True once it has passed; shows itself as a table. None: an unreadable unit.

    An exercise is None where its check ended in an error of the notebook's, which says neither that it passed nor that not.
    """

    def __init__(self, units: Mapping[str, Mapping[str, bool | None] | None]):
        self.units = dict(units)

    def rows(self) -> Iterator[tuple[str, str, str, str]]:
        """Yield for each unit its name, a dot for each exercise, how many are right, and which comes next."""
        for unit, exercises in self.units.items():
            if exercises is None:
                yield unit, "", "", "its notebook cannot be read"
                continue
            dots = "".join("●" if passed else "○" for passed in exercises.values())
            left = [name for name, passed in exercises.items() if not passed]
            count = f"{len(exercises) - len(left)} of {len(exercises)}"
            broken = [name for name in left if exercises[name] is None]
            more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
            after = [f"run again, with its check: {broken[0]}{more}"] if broken else []
            after += [f"next: {name}" for name in left if name not in broken][:1]
            yield unit, dots, count, "; ".join(after) or "done"

    def __repr__(self) -> str:
        rows = list(self.rows())
        wide = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
        lines = [
            f"{unit:{wide[0]}}  {dots:{wide[1]}}  {count:>{wide[2]}}  {after}"
            for unit, dots, count, after in rows
        ]
        return "\n".join(lines) or "There are no units here."

    def _repr_html_(self) -> str:
        left = ' style="text-align:left"'
        head = f"<tr><th{left}>unit</th><th{left}>exercises</th><th>passed</th><th></th></tr>"
        body = "".join(
            f'<tr><td{left}><a href="../{escape(unit)}/{escape(unit)}.ipynb">{escape(unit)}</a></td>'
            f'<td{left}><span aria-hidden="true">{dots}</span></td><td>{count}</td>'
            f"<td{left}>{escape(after)}</td></tr>"
            for unit, dots, count, after in self.rows()
        )
        return f"<table>{head}{body}</table>"


def progress(folder: Path | str = "..") -> Progress:
    """Return which exercises have passed, in the notebooks below ``folder`` as last saved and in this kernel since.

    >>> progress("no-such-folder")
    There are no units here.
    """
    paths = sorted(path for path in Path(folder).glob("*/*.ipynb") if path.stem == path.parent.name)
    units = {path.stem: passed_in(path) for path in paths}
    now = passed_here()
    return Progress(
        {
            unit: found and {name: name in now or ok for name, ok in found.items()}
            for unit, found in units.items()
        }
    )


def passed_in(path: Path) -> dict[str, bool | None] | None:
    """Return for each exercise of a notebook whether its check's saved answer is full marks; None if it is unreadable.

    For a check that ended in an error, as the NameError of a check that is run before its function, it is None.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        tests = [(cell, cell["metadata"].get("nbgrader", {})) for cell in cells]
        return {
            about["grade_id"].removeprefix("test_"): passed(cell.get("outputs", ()), about["points"])
            for cell, about in tests
            if about.get("grade") and about["grade_id"].startswith("test_")
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def passed(outputs: Iterable[Mapping[str, Any]], points: float) -> bool | None:
    """Return whether the outputs of a check say full marks, or None for an error in place of an answer."""
    scores = [score(output) for output in outputs]
    if any(said >= 0 for said in scores):
        return any(said >= points for said in scores)
    return None if any(output["output_type"] == "error" for output in outputs) else False


def score(output: Mapping[str, Any]) -> float:
    """Return the points that an output of a check says, or -1 for any other output."""
    try:
        return float("".join(output["data"]["text/plain"]))
    except (KeyError, TypeError, ValueError):
        return -1


def passed_here() -> set[str]:
    """Return the exercises that have passed a check in this kernel, saved or not."""
    return {verdict.exercise for verdict in verdicts_here() if verdict.verdict == "passed"}


def verdicts_here() -> list[Verdict]:
    """Return what the checks in this kernel have said, in order."""
    try:
        from IPython import get_ipython
    except ImportError:
        return []
    shown = getattr(get_ipython(), "user_ns", {}).get("Out")
    if not isinstance(shown, dict):
        return []
    from course.checks.verdict import Verdict

    return [answer for answer in shown.values() if isinstance(answer, Verdict)]
