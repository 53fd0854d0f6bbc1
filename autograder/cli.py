"""The ``convnets`` command.

What is slow to import (nbgrader, torch) is imported by the command that needs it: ``--help`` answers at once.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path

import click

from autograder.errors import UsageError

NOT_THE_CODES_FAULT = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC)
FOLDER = click.Path(path_type=Path, file_okay=False)


def main(args: list[str] | None = None) -> None:
    """Run the command line; what the caller did wrong becomes one line on stderr and exit code 2."""
    # nbgrader calls `alembic` by name, and this may run from an environment that nobody activated
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    try:
        sys.exit(cli.main(args, prog_name="convnets", standalone_mode=False))
    except click.ClickException as error:
        complain(f"{error.format_message()} See `convnets --help`.")
    except UsageError as error:
        complain(str(error))
    except OSError as error:
        if error.errno not in NOT_THE_CODES_FAULT:
            raise
        complain(f"{error.strerror}: {error.filename}")
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


def complain(text: str) -> None:
    """Say in one line what was wrong with the call, and exit."""
    click.echo(f"convnets: {' '.join(text.split())}", err=True)
    sys.exit(2)


@click.group(
    no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="convnets")
def cli() -> None:
    """Convolutional networks from NumPy to ResNet: a course that grades itself."""


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
@click.argument("target", required=False, metavar="[UNIT|NOTEBOOK]")
@click.option("--exercise", metavar="NAME", help="Check only this exercise.")
@click.option("--dir", "folder", type=FOLDER, default="my-lessons", show_default=True, help="Your lessons.")
@click.option("--seconds", default=30.0, show_default=True, help="Stop a cell that runs for longer.")
def check(target: str | None, exercise: str | None, folder: Path, seconds: float) -> int:
    """Check your own notebook and print what each check says; exit 1 if not all is right."""
    from autograder.lab import lessons
    from autograder.selfcheck import check_notebook

    answers = []
    for path in lessons(folder, target):
        for number, answer in enumerate(check_notebook(path, exercise, seconds)):
            if number == 0:
                click.secho(str(path), bold=True)
            click.echo(f"\n{answer.text}")
            answers.append(answer)
        click.echo()
    right = sum(answer.passed for answer in answers)
    click.echo(f"{right} of {len(answers)} exercises right.")
    return int(right < len(answers))


@cli.command()
@click.argument("exercise")
@click.argument("level", type=click.Choice(["1", "2", "3"]), default="1", metavar="LEVEL")
def hint(exercise: str, level: str) -> None:
    """Help with an exercise: LEVEL 1 is a nudge, 2 the structure, 3 nearly the code."""
    from course.checks.hints import LEVELS
    from course.checks.hints import hint as hint_for

    try:
        given = hint_for(exercise, int(level))
    except ValueError as error:
        raise UsageError(str(error)) from None
    click.echo(f"{given.name}, hint {level} of {len(LEVELS)}: {LEVELS[given.level - 1]}\n{given.text}")
    if given.level < len(LEVELS):
        click.echo(f"More: convnets hint {exercise} {given.level + 1}")


@cli.command()
@click.argument("units", nargs=-1, metavar="[UNIT]...")
@click.option("--course", type=FOLDER, default=".", help="The course folder.  [default: this one]")
@click.option("--workers", type=click.IntRange(min=1), help="How many to grade at a time.")
@click.option("--scheduler", metavar="ADDR", help="A Dask scheduler (tcp://...) instead of this machine.")
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
    """Grade what is in submitted/; exit 3 if something could not be graded."""
    from autograder.grading import grade as grade_units

    summary = grade_units(
        course,
        units,
        workers=workers,
        scheduler=scheduler,
        unsafe_no_sandbox=unsafe_no_sandbox,
        progress=not as_json,
    )
    click.echo(json.dumps(summary.as_dict(), indent=1) if as_json else str(summary))
    return 3 if summary.not_graded else 0


@cli.command()
@click.option("--dir", "folder", type=FOLDER, default="demo", show_default=True, help="Where to do it.")
def demo(folder: Path) -> int:
    """Build unit 01, make a sample class of known wrong ideas, grade it and show the result."""
    from autograder.demo import demo as run

    return run(folder)


@cli.command()
@click.option("--dir", "folder", type=FOLDER, default="my-lessons", show_default=True, help="Your lessons.")
@click.option("--no-browser", is_flag=True, help="Start JupyterLab, but open no browser.")
@click.argument("jupyter_args", nargs=-1, metavar="[-- JUPYTER-ARGS]")
def lab(folder: Path, no_browser: bool, jupyter_args: tuple[str, ...]) -> int:
    """Open JupyterLab on your own copy of the lessons; an update never overwrites your work."""
    from autograder.lab import lab as run

    return run(folder, not no_browser, jupyter_args)


@cli.command()
def doctor() -> int:
    """Say what works on this machine, and what to do about what does not."""
    from autograder.doctor import examine

    findings = examine()
    for finding in findings:
        click.echo(str(finding))
    return int(any(finding.needed and not finding.works for finding in findings))
