"""What to go over in the next lecture: the exercises that cost the class most, and what went wrong in each."""

from __future__ import annotations

from typing import Any

from .grades import Grade, grouped, ratio

TOPICS = 3  # more is not a lecture


def topics(grades: list[Grade], hints: dict[tuple[str, str], str]) -> list[dict[str, Any]]:
    """Return the exercises that cost the class the most points, with the ideas behind the loss, the dearest first.

    What was not graded is nobody's loss.
    """
    counted = [grade for grade in grades if grade.verdict != "not_graded"]
    all_lost = sum(grade.lost for grade in counted)
    rows: list[dict[str, Any]] = []
    for name, own in grouped(counted, "exercise").items():
        losers = [grade for grade in own if grade.lost > 0]
        lost = sum(grade.lost for grade in losers)
        verdicts = grouped(losers, "verdict")
        rows.append(
            {
                "exercise": name,
                "lost": lost,
                "share": ratio(lost, all_lost),
                "students": len(losers),
                "of": len(own),
                "ideas": ideas(losers, hints),
                "missing": len(verdicts.get("missing", [])),
                "stopped": len(verdicts.get("timeout", [])) + len(verdicts.get("crashed", [])),
                "unexplained": unexplained(losers),
            }
        )
    return sorted((row for row in rows if row["lost"]), key=lambda row: -row["lost"])[:TOPICS]


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
