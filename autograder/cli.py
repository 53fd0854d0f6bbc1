"""The ``convnets`` command: the student's part of it (course/student/cli.py) and the instructor's.

What is slow to import (nbgrader, torch) is imported by the command that needs it: ``--help`` answers at once.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from course.student.cli import FOLDER, cli, run

FILE = click.Path(path_type=Path, dir_okay=False)


def main(args: list[str] | None = None) -> None:
    """Run the command line; what the caller did wrong becomes one line on stderr and exit code 2."""
    run(cli, args)


@cli.command()
@click.argument("units", nargs=-1, metavar="[UNIT]...")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 and list the files that are stale.")
@click.option("--course", type=FOLDER, default=".", help="The course folder.  [default: this one]")
def build(units: tuple[str, ...], check: bool, course: Path) -> int:
    """Make release/ and solutions/ from source/, for all units or those named."""
    from autograder.build import build as build_units

    stale = build_units(units, check=check, root=course)
    for path in stale:
        click.echo(f"{'stale' if check else 'made'}: {path}")
    if check and stale:
        click.echo("Run `convnets build` and commit what it makes.", err=True)
    return int(check and bool(stale))


@cli.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
def init(folder: Path) -> None:
    """Make an instructor's course folder."""
    from autograder.init import init as make

    for path in make(folder):
        click.echo(f"made: {path}")


@cli.command()
@click.argument("unit")
@click.argument("source", type=click.Path(path_type=Path), metavar="ZIP|FOLDER")
@click.option("--roster", type=FILE, help="A CSV exported by that system: who is who.")
@click.option("--update", is_flag=True, help="Replace what was collected before, where it differs.")
@click.option("--course", type=FOLDER, default=".", help="The course folder.  [default: this one]")
def collect(unit: str, source: Path, roster: Path | None, update: bool, course: Path) -> None:
    """Take in the hand-ins that Canvas, Moodle or Gradescope gave you as a zip."""
    from autograder.collect import collect as take_in

    click.echo(take_in(course, unit, source, roster, update))


@cli.command()
@click.argument("units", nargs=-1, metavar="[UNIT]...")
@click.option("--course", type=FOLDER, default=".", help="The course folder.  [default: this one]")
@click.option("--workers", type=click.IntRange(min=1), help="How many to grade at a time.")
@click.option(
    "--scheduler",
    metavar="ADDR",
    help="A Dask scheduler (tcp://...) instead of this machine; give its workers one thread each.",
)
@click.option("--unsafe-no-sandbox", is_flag=True, help="Run students' code with YOUR rights. Do not.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def grade(
    units: tuple[str, ...],
    course: Path,
    workers: int | None,
    scheduler: str | None,
    unsafe_no_sandbox: bool,
    as_json: bool,
) -> int:
    """Grade what is in submitted/; exit 3 if something could not be graded, or a test fails on your own solution."""
    from autograder.grading import grade as grade_units

    try:
        summary = grade_units(
            course,
            units,
            workers=workers,
            scheduler=scheduler,
            unsafe_no_sandbox=unsafe_no_sandbox,
            progress=not as_json,
        )
    except KeyboardInterrupt:
        click.echo("Stopped. What is graded is kept, and the same command goes on from there.", err=True)
        raise
    click.echo(json.dumps(summary.as_dict(), indent=1) if as_json else str(summary))
    return 3 if summary.not_graded or summary.doubts else 0


@cli.command()
@click.argument("units", nargs=-1, metavar="[UNIT]...")
@click.option("--course", type=FOLDER, default=".", help="The course folder.  [default: this one]")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default="convnets.zip",
    show_default=True,
    help="The zip to write.",
)
def bundle(units: tuple[str, ...], course: Path, out: Path) -> None:
    """Make one zip for students: the lessons and what they need, no solutions, no hidden tests."""
    from autograder.bundle import bundle as make

    lessons = make(course, units, out)
    click.echo(f"made: {out} with {', '.join(lessons)}. Its README.md tells students what to do.")


@cli.command()
@click.argument("units", nargs=-1, metavar="[UNIT]...")
@click.option("--course", type=FOLDER, default=".", help="The course folder.  [default: this one]")
def report(units: tuple[str, ...], course: Path) -> None:
    """Write a page on how the class did: scores, exercises, wrong ideas, what to go over."""
    from autograder.report import reports

    for path in reports(course, units):
        click.echo(f"made: {path}")


@cli.command()
@click.argument("units", nargs=-1, metavar="[UNIT]...")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "canvas", "moodle", "gradescope"]),
    required=True,
    help="Who is to take the file.",
)
@click.option("--course", type=FOLDER, default=".", help="The course folder.  [default: this one]")
@click.option("--out", type=FILE, help="The file to write.  [default: marks-FORMAT in the course folder]")
@click.option("--roster", type=FILE, help="A CSV exported by that system: who is who.")
def export(units: tuple[str, ...], kind: str, course: Path, out: Path | None, roster: Path | None) -> None:
    """Write the final marks for Canvas, Moodle or Gradescope, or as a plain CSV."""
    from autograder.export import export as write

    done = write(course, kind, units, out, roster)
    click.echo(f"made: {done.path}")
    for remark in done.remarks:
        click.echo(remark, err=True)


@cli.command()
@click.option("--dir", "folder", type=FOLDER, default="demo", show_default=True, help="Where to do it.")
def demo(folder: Path) -> int:
    """Build unit 01, make a sample class of known wrong ideas, grade it and show the result."""
    from autograder.demo import demo as run_demo

    return run_demo(folder)


@cli.command()
def doctor() -> int:
    """Say what works on this machine, and what to do about what does not."""
    from autograder.doctor import examine

    findings = examine()
    for finding in findings:
        click.echo(str(finding))
    return int(any(finding.needed and not finding.works for finding in findings))
