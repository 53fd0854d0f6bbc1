"""``convnets demo``: a sample class with known wrong ideas, graded, and every verdict held against the expected one."""

from __future__ import annotations

import shutil
from pathlib import Path

import click
import nbformat
from nbformat import NotebookNode

from autograder import build
from autograder.errors import UsageError
from autograder.init import ROOT
from autograder.sample_class import MEMBERS, PASSED, Member

UNIT = "01-convolution"
MARKS = {"passed": "✓", "partial": "◐", "missing": "○", "timeout": "∞", "crashed": "!", "not_graded": "?"}
CONFIG = """
# the demo's endless loop need not be waited for as long
c.Sandbox.call_seconds = 3
"""


def demo(folder: Path) -> int:
    """Build unit 01, make the sample class in ``folder``, grade it and show the result; return 1 for a wrong verdict."""
    from autograder.grading import grade
    from autograder.report import report

    make_course(folder)
    click.echo(f"Unit {UNIT} built; a class of {len(MEMBERS)} handed in.")
    summary = grade(folder, [UNIT])
    rows = {(row["student"], row["exercise"]): row for row in summary.rows}
    exercises = list(dict.fromkeys(row["exercise"] for row in summary.rows))
    for line in table(rows, exercises):
        click.echo(line)
    click.echo(f"\n{summary}")
    click.echo(f"Report:    {report(folder, UNIT)}")
    click.echo(
        f"Feedback:  {folder / 'feedback' / MEMBERS[2].name / UNIT / (UNIT + '.html')} and its siblings"
    )
    click.echo(f"Marks:     {folder / 'grades.csv'}, {folder / 'gradebook.db'}")
    wrong = surprises(rows, exercises)
    for line in wrong:
        click.echo(f"NOT AS EXPECTED: {line}", err=True)
    click.echo(f"{len(rows) - len(wrong)} of {len(rows)} verdicts are the expected ones.")
    return int(bool(wrong))


def make_course(folder: Path) -> None:
    """Make a course folder with unit 01 and the sample class's notebooks in ``submitted``."""
    if folder.exists() and any(folder.iterdir()) and not (folder / "source" / UNIT).is_dir():
        raise UsageError(f"{folder} holds something other than a demo; name another folder with --dir.")
    source = folder / "source" / UNIT / f"{UNIT}.py"
    source.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / "source" / UNIT / source.name, source)
    (folder / "nbgrader_config.py").write_text((ROOT / "nbgrader_config.py").read_text() + CONFIG)
    released = build.generate(folder, [UNIT], database=False)[UNIT]
    build.write(folder / "release" / UNIT / f"{UNIT}.ipynb", nbformat.writes(released) + "\n")
    solved = build.solved(source)
    for member in MEMBERS:
        text = nbformat.writes(hand_in(member, released, solved)) + "\n"
        build.write(folder / "submitted" / member.name / UNIT / f"{UNIT}.ipynb", text)


def hand_in(member: Member, released: NotebookNode, solved: NotebookNode) -> NotebookNode:
    """Return the notebook that a member hands in: the released one, filled in."""
    notebook = nbformat.from_dict(released)
    answers = {name: cell.source for name, cell in solution_cells(solved).items()}
    for name, cell in solution_cells(notebook).items():
        if not member.blank:
            cell.source = member.wrote.get(name, answers[name]).strip("\n")
    if member.extra:
        notebook.cells.insert(2, nbformat.v4.new_code_cell(member.extra.strip("\n"), id="extra"))
    return notebook


def solution_cells(notebook: NotebookNode) -> dict[str, NotebookNode]:
    """Return a notebook's solution cells by exercise."""
    cells = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("solution")]
    return {cell.metadata.nbgrader.grade_id: cell for cell in cells}


def table(rows: dict, exercises: list[str]) -> list[str]:
    """Return the class as lines of text: a row a member, a column an exercise, then the idea."""
    halves = [(name.split("_") + [""])[:2] for name in exercises]
    heads = ["".join(f"{half[i][:8]:>9}" for half in halves) for i in (0, 1)]
    lines = ["", f"{'':<6}{heads[0]}", f"{'':<6}{heads[1]}{'sum':>7}  idea"]
    for member in MEMBERS:
        cells = [rows[member.name, exercise] for exercise in exercises if (member.name, exercise) in rows]
        marks = "".join(f"{MARKS.get(c['verdict'], '✗')} {float(c['score']):.3g}".rjust(9) for c in cells)
        total = sum(float(c["score"]) for c in cells)
        lines.append(f"{member.name:<6}{marks}{total:>7.4g}  {member.idea}")
    return [*lines, "\n✓ passed  ◐ partly right  ✗ wrong  ○ not written  ∞ ran out of time  ! crashed"]


def surprises(rows: dict, exercises: list[str]) -> list[str]:
    """Return a sentence for every verdict that is not the expected one."""
    found = []
    for member in MEMBERS:
        for exercise in exercises:
            wanted = ("missing", "") if member.blank else member.expected.get(exercise, PASSED)
            row = rows.get((member.name, exercise))
            got = (row["verdict"], row["misconception"]) if row else ("no row", "")
            if got != wanted:
                found.append(f"{member.name}, {exercise}: expected {' '.join(wanted)}, got {' '.join(got)}")
    return found
