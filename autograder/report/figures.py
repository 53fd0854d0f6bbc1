"""What the report shows, in numbers: from lines of grades.csv to scores, exercises, wrong ideas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from statistics import StatisticsError, correlation, mean, median
from typing import Any

from .grades import Grade, graded, grouped, ratio
from .lecture import topics
from .ungraded import ungraded

BINS = 10
FEWEST = 8  # students from which on a correlation over them is worth a glance
HARD, EASY = 0.5, 0.8  # shares of an exercise's points
TELLING, POOR = 0.3, 0.1  # correlations


def figures(grades: list[Grade], hints: dict[tuple[str, str], str]) -> dict[str, Any]:
    """Return all that the page shows."""
    students = student_rows(grades)
    exercises = exercise_rows(grades)
    shares = [row["share"] for row in students if row["most"]]
    return {
        "students": students,
        "graded": len(shares),
        "exercises": exercises,
        "topics": topics(grades, hints),
        "misconceptions": misconception_rows(graded(grades), hints),
        "stopped": [grade for grade in grades if grade.verdict in ("timeout", "crashed")],
        "ungraded": ungraded(grades),
        "mean": mean(shares or [0.0]),
        "median": median(shares or [0.0]),
        "full": sum(share == 1 for share in shares),
        "hardest": min((row for row in exercises if row["n"]), key=lambda row: row["mean"], default=None),
        "histogram": histogram(shares),
        "fewest": FEWEST,
    }


def student_rows(grades: list[Grade]) -> list[dict[str, Any]]:
    """Return for each student the score, the share of the points, and the grade by exercise; the best first.

    What was not graded counts neither for nor against; who has nothing graded comes last.
    """
    rows = []
    for name, own in grouped(grades, "student").items():
        counted = graded(own)
        score, most = sum(grade.score for grade in counted), sum(grade.max_score for grade in counted)
        by_exercise = {grade.exercise: grade for grade in own}
        rows.append(
            {"name": name, "score": score, "most": most, "share": ratio(score, most), "of": by_exercise}
        )
    return sorted(rows, key=lambda row: (not row["most"], -row["share"], row["name"]))


def exercise_rows(grades: list[Grade]) -> list[dict[str, Any]]:
    """Return for each exercise, in the unit's order, its points, how often each verdict came, and what it tells."""
    return [
        {
            "name": name,
            "points": max(grade.max_score for grade in own),
            "counts": Counter(grade.verdict for grade in own),
            "n": len(graded(own)),
            "mean": (share := mean([ratio(g.score, g.max_score) for g in graded(own)] or [0.0])),
            "difficulty": "hard" if share < HARD else "medium" if share < EASY else "easy",
            "discrimination": (r := discrimination(grades, name)),
            "tells": tells(r),
        }
        for name, own in grouped(grades, "exercise").items()
    ]


def discrimination(grades: list[Grade], exercise: str) -> float | None:
    """Return how the score of an exercise goes with the score of all others, from -1 to 1.

    It is Pearson's correlation over the students; where answers are only right or wrong, that is the point-biserial one. The
    exercise itself is left out of the rest, or it would go with itself. None for few students, or when all did the same.
    """
    pairs = []
    for own in grouped(graded(grades), "student").values():
        here = [grade for grade in own if grade.exercise == exercise]
        rest = [grade for grade in own if grade.exercise != exercise]
        if here and rest:
            most = sum(grade.max_score for grade in rest)
            pairs.append((ratio(here[0].score, here[0].max_score), ratio(sum(g.score for g in rest), most)))
    try:
        return correlation(*zip(*pairs, strict=True)) if len(pairs) >= FEWEST else None
    except StatisticsError:  # one of them is the same for everybody
        return None


def tells(r: float | None) -> str:
    """Return what a discrimination says of the exercise, in words."""
    if r is None:
        return ""
    return "tells much" if r >= TELLING else "tells some" if r >= POOR else "look at it"


def misconception_rows(grades: list[Grade], hints: dict[tuple[str, str], str]) -> list[dict[str, Any]]:
    """Return each wrong idea that was met, with the share of the answers that show it; the commonest first."""
    rows = []
    for exercise, own in grouped(grades, "exercise").items():
        for name, holders in grouped(
            [grade for grade in own if grade.misconception], "misconception"
        ).items():
            names = sorted(grade.student for grade in holders)
            hint = hints.get((exercise, name), "")
            row = {"exercise": exercise, "name": name, "students": names, "of": len(own)}
            rows.append({**row, "share": len(names) / len(own), "hint": hint})
    return sorted(rows, key=lambda row: -row["share"])


def histogram(shares: Iterable[float]) -> list[dict[str, Any]]:
    """Return how many students are in each tenth of the points; whoever has all is in the last."""
    counts = Counter(min(int(share * BINS), BINS - 1) for share in shares)
    highest = max(counts.values(), default=1)
    return [{"from": 100 * i // BINS, "count": counts[i], "height": counts[i] / highest} for i in range(BINS)]
