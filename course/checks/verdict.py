"""A verdict: what a check found, as data; course/checks/message.py puts it into words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Word = Literal["passed", "partial", "failed", "timeout", "crashed", "missing", "not_graded"]


@dataclass(frozen=True)
class Verdict:
    """The result of one check.

    ``score`` is in points, from 0 to ``max_score``. ``text`` and ``html`` are the message, in full, for a terminal and
    for a notebook. ``misconception`` is the name of the wrong idea that explains the answers, or empty. ``seed`` replays
    the random cases: ``check(conv2d, random=20, seed=verdict.seed)``.
    """

    exercise: str
    verdict: Word
    score: float
    max_score: float
    misconception: str = ""
    text: str = ""
    html: str = ""
    seed: int = 0

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        """In a notebook show the HTML; its plain text is the score, where nbgrader looks for partial credit."""
        return {
            "text/plain": repr(float(self.score)) if in_a_notebook() else self.text,
            "text/html": self.html,
        }


def in_a_notebook() -> bool:
    """Return whether this process is a Jupyter kernel."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return type(get_ipython()).__name__ == "ZMQInteractiveShell"
