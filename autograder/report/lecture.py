"""What to go over in the next lecture: the exercises that cost the class most, and what went wrong in each."""

from __future__ import annotations

from typing import Any

from .grades import Grade, graded, grouped, ratio

TOPICS = 3  # more is not a lecture


def topics(grades: list[Grade], hints: dict[tuple[str, str], str]) -> list[dict[str, Any]]:
    """Return the exercises that cost the class the most points, with the ideas behind the loss, the dearest first.

    Points go to the exercise whose answer was at fault. What was not graded is nobody's loss.
    """
    counted = graded(grades)
    all_lost = sum(grade.lost for grade in counted)
    rows = [topic(name, counted, hints) for name in grouped(counted, "exercise")]
    for row in rows:
        row["share"] = ratio(row["lost"], all_lost)
    return sorted((row for row in rows if row["lost"]), key=lambda row: -row["lost"])[:TOPICS]


def topic(name: str, counted: list[Grade], hints: dict[tuple[str, str], str]) -> dict[str, Any]:
    """Return what an exercise cost, there and in those whose answers stopped in it, and what went wrong."""
    own = [grade for grade in counted if grade.exercise == name]
    losers = [grade for grade in own if grade.lost > 0 and not grade.cause]
    verdicts = grouped(losers, "verdict")
    return {
        "exercise": name,
        "lost": sum(grade.lost for grade in counted if (grade.cause or grade.exercise) == name),
        "students": sum(grade.lost > 0 for grade in own),
        "of": len(own),
        "ideas": ideas(losers, hints),
        "missing": len(verdicts.get("missing", [])),
        "stopped": len(verdicts.get("timeout", [])) + len(verdicts.get("crashed", [])),
        "unexplained": unexplained(losers),
        "carried": at([grade for grade in counted if grade.cause == name], "exercise"),
        "caused": at([grade for grade in own if grade.cause], "cause"),
    }


def at(grades: list[Grade], field: str) -> list[dict[str, Any]]:
    """Return the points that were lost and by how many, by the exercise that ``field`` names."""
    return [
        {"exercise": name, "lost": sum(grade.lost for grade in own), "students": len(own)}
        for name, own in grouped(grades, field).items()
    ]


def ideas(losers: list[Grade], hints: dict[tuple[str, str], str]) -> list[dict[str, Any]]:
    """Return the wrong ideas behind the points lost in one exercise, the dearest first."""
    held = grouped([grade for grade in losers if grade.misconception], "misconception")
    rows = [
        {
            "name": name,
            "students": len(own),
            "lost": sum(grade.lost for grade in own),
            "hint": hints.get((own[0].exercise, name), ""),
        }
        for name, own in held.items()
    ]
    return sorted(rows, key=lambda row: (-row["lost"], row["name"]))


def unexplained(losers: list[Grade]) -> int:
    """Return how many wrong answers matched no known idea: perhaps one that the bank of ideas lacks."""
    return sum(grade.verdict in ("partial", "failed") and not grade.misconception for grade in losers)
