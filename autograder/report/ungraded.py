"""What was not graded, and whose task that is: a hand-in that cannot be opened, or a fault of the machinery."""

from __future__ import annotations

from dataclasses import dataclass

from .grades import Grade, grouped

OURS = ("the grader itself failed", "sandbox")  # what every message about a fault of the machinery has one of


@dataclass(frozen=True)
class Ungraded:
    """Exercises of a student that were not graded, all for one reason."""

    student: str
    exercises: list[str]
    why: str

    @property
    def number(self) -> int:
        """How many exercises these are."""
        return len(self.exercises)


def ungraded(grades: list[Grade]) -> dict[str, list[Ungraded]]:
    """Return what was not graded, by student: ``unopened`` hand-ins, and what ``failed`` on our side."""
    found: dict[str, list[Ungraded]] = {"unopened": [], "failed": []}
    for student, own in grouped(grades, "student").items():
        unopened = is_unopened(own)
        lost = [grade for grade in own if grade.verdict == "not_graded"]
        for why, alike in grouped(lost, "sentence").items():
            row = Ungraded(student, [grade.exercise for grade in alike], why)
            found["unopened" if unopened else "failed"].append(row)
    return found


def is_unopened(own: list[Grade]) -> bool:
    """Return whether a student's hand-in could not be opened: then all its exercises say so, and none that we failed."""
    if {grade.verdict for grade in own} != {"not_graded"} or len({grade.message for grade in own}) > 1:
        return False
    return not any(words in own[0].message.lower() for words in OURS)
