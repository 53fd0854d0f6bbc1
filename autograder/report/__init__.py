"""The class report: one page a unit that says how the class did, which ideas it got wrong and what to go over.

The figures come from grades.csv, so they are what the checks gave: marks and penalties that a person or a plugin set later
are in the gradebook and in ``convnets export``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from autograder.similar import Pair, by_students, common_limit, read_answers, similar

from .causes import with_causes
from .figures import figures
from .grades import COLUMNS, Grade, known_units, read_grades

__all__ = ["COLUMNS", "Grade", "figures", "read_grades", "render", "report", "reports"]

MOST_PAIRS = 20  # pairs of students that are listed
# as they are counted and shown: the mark, the word, and what it says of the student
VERDICTS = {
    "passed": ("✓", "passed"),
    "partial": ("◐", "partly right"),
    "failed": ("✗", "wrong"),
    "missing": ("–", "not written"),
    "timeout": ("∞", "ran out of time"),
    "crashed": ("!", "crashed"),
    "not_graded": ("?", "not graded"),
}


def reports(course: Path, units: Iterable[str] = ()) -> list[Path]:
    """Write the reports on ``units``, or on all that have grades, and return their paths; raises as report does."""
    return [report(course, unit) for unit in list(units) or known_units(course / "grades.csv")]


def report(course: Path, unit: str) -> Path:
    """Write the report on ``unit`` to ``reports/<unit>.html`` in the course folder and return its path.

    Raises UsageError where there are no grades, or none of that unit.
    """
    path = course / "reports" / f"{unit}.html"
    grades = read_grades(course / "grades.csv", unit)
    names = sorted({grade.exercise for grade in grades})
    grades = with_causes(grades, read_answers(course, unit, names))
    page = render(unit, grades, known_hints(), similar(course, unit))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, "utf8")
    return path


def known_hints() -> dict[tuple[str, str], str]:
    """Return the hint of each misconception by the names of its exercise and itself."""
    from course.checks import exercises

    return {(e.name, m.name): m.hint for e in exercises().values() for m in e.misconceptions}


def render(unit: str, grades: list[Grade], hints: dict[tuple[str, str], str], pairs: list[Pair]) -> str:
    """Return the page."""
    import jinja2
    from markupsafe import Markup

    from course.checks.message import code

    folder = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=folder, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["code"] = lambda text: Markup(code(text))
    environment.filters["percent"] = lambda share: f"{100 * share:.0f} %"
    environment.filters["points"] = lambda number: f"{number:.2f}".rstrip("0").rstrip(".")
    template = environment.get_template("page.html")
    shown = figures(grades, hints)
    both = by_students(pairs)
    alike = {"pairs": both[:MOST_PAIRS], "left_out": len(both[MOST_PAIRS:])}
    alike["common"] = common_limit(len(shown["students"]))
    return template.render(unit=unit, verdicts=VERDICTS, alike=alike, **shown)
