"""The student's commands: ``convnets lab``, ``check``, ``hint``, ``submit``, and how any command says that it was called wrongly.

What an instructor hands out has these and no others; in the repository autograder/cli.py adds the instructor's.
"""

from __future__ import annotations

import errno
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from course.student.errors import UsageError

if TYPE_CHECKING:
    from course.checks.exercise import Exercise

NOT_THE_CODES_FAULT = (
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG),  # a full disk, a full quota, a file that may not grow
)
FOLDER = click.Path(path_type=Path, file_okay=False)
LEVELS = ("1", "2", "3", "solution", "show me")  # as those of course.checks.hint()
MY_LESSONS = click.option(
    "--dir", "folder", type=FOLDER, default="my-lessons", show_default=True, help="Your lessons."
)


def run(commands: click.Group, args: list[str] | None = None) -> None:
    """Run a command line; what the caller did wrong becomes one line on stderr and exit code 2."""
    # nbgrader calls `alembic` by name, and this may run from an environment that nobody activated
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    try:
        sys.exit(commands.main(args, prog_name="convnets", standalone_mode=False))
    except click.NoSuchOption as error:
        complain(f"{error.format_message()} {advice(error)}")
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


def advice(error: click.NoSuchOption) -> str:
    """Return what to do about an option that a command has not."""
    command = error.ctx.info_name if error.ctx else ""
    if command == "lab" and error.option_name.startswith("--") and not error.possibilities:
        return f"If it is JupyterLab's, it goes after two dashes: `convnets lab -- {error.option_name} ...`."
    return "See `convnets --help`."


def complain(text: str) -> None:
    """Say in one line what was wrong with the call, and exit."""
    click.echo(f"convnets: {' '.join(text.split())}", err=True)
    sys.exit(2)


def main(args: list[str] | None = None) -> None:
    """Run a student's command line."""
    run(cli, args)


@click.group(
    no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="convnets")
def cli() -> None:
    """Convolutional networks from NumPy to ResNet: a course that grades itself."""


@cli.command()
@click.argument("target", required=False, metavar="[UNIT|NOTEBOOK]")
@click.option("--exercise", metavar="NAME", help="Check only this exercise.")
@MY_LESSONS
@click.option("--seconds", default=30.0, show_default=True, help="Stop a cell that runs for longer.")
def check(target: str | None, exercise: str | None, folder: Path, seconds: float) -> int:
    """Check your own notebook and print what each check says; exit 1 if not all is right."""
    from course.student.lab import lessons
    from course.student.selfcheck import check_notebook

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
@click.argument("level", type=click.Choice(LEVELS), default="1", metavar="LEVEL")
@MY_LESSONS
def hint(exercise: str, level: str, folder: Path) -> None:
    """Help with an exercise: LEVEL 1 is a nudge, 2 the structure, 3 nearly the code, then there is `solution`.

    It asks before it shows the solution of an exercise that has not passed; `"show me"` does not.
    """
    from course.checks import hints

    try:
        found = hints.exercise_of(exercise)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not level.isdigit():
        return show_solution(found, folder, asks=level == "solution")
    number, last = int(level), len(hints.LEVELS)
    text = found.hints[number - 1]
    click.echo(f"{found.name}, hint {number} of {last}: {hints.LEVELS[number - 1]}\n{text}")
    if number < last:
        click.echo(f"More: convnets hint {found.name} {number + 1}")


def show_solution(exercise: Exercise, folder: Path, asks: bool = True) -> None:
    """Print a solution to whoever has passed the exercise, or says that they want to see it."""
    from course.checks.solutions import find, has_passed, not_passed, solution

    passed = has_passed(exercise.name, folder)
    wanted = find(exercise) is None or passed
    if asks and not wanted:
        wanted = agrees(f"{not_passed(exercise.name, passed)} Show a solution all the same?")
    if wanted or not asks:
        click.echo(solution(exercise, wanted=True, lessons=folder))


def agrees(question: str) -> bool:
    """Ask, and return the answer; where nobody is there to give one, it is no."""
    try:
        return click.confirm(question)
    except click.Abort as left:
        click.echo()
        if isinstance(left.__context__, EOFError):
            return False
        raise


@cli.command()
@click.argument("unit")
@MY_LESSONS
@click.option("--out", type=FOLDER, help="Where to put the file.  [default: hand-in/ in your lessons]")
@click.option("--seconds", default=30.0, show_default=True, help="Stop a cell that runs for longer.")
def submit(unit: str, folder: Path, out: Path | None, seconds: float) -> None:
    """Make the file to upload, and say what its checks say; unfinished work can be handed in too."""
    from course.student.lab import lessons
    from course.student.selfcheck import check_notebook
    from course.student.submit import HAND_IN, make_hand_in, summary

    if unit.endswith(".ipynb"):
        raise UsageError("Name the unit, not a file: `convnets submit 01`.")
    for path in lessons(folder, unit):
        made = make_hand_in(path, out or folder / HAND_IN)
        saved = datetime.fromtimestamp(path.stat().st_mtime)
        click.secho(f"made: {made}", bold=True)
        click.echo(f"from what you last saved, on {saved:%d %B at %H:%M}. Upload it under this name.\n")
        for line in summary(check_notebook(path, None, seconds)):
            click.echo(line)


@cli.command()
@MY_LESSONS
@click.option(
    "--upgrade", is_flag=True, help="Bring newer releases of the lessons into the notebooks you worked in."
)
@click.option("--no-browser", is_flag=True, help="Start JupyterLab, but open no browser.")
@click.argument("jupyter_args", nargs=-1, metavar="[-- JUPYTER-ARGS]")
def lab(folder: Path, upgrade: bool, no_browser: bool, jupyter_args: tuple[str, ...]) -> int:
    """Open JupyterLab on your own copy of the lessons; an update never overwrites your work."""
    from course.student.lab import lab as run_lab

    return run_lab(folder, not no_browser, jupyter_args, upgrade)
