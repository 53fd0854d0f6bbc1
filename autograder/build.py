"""Builds release/ and solutions/ from source/NN-name/NN-name.py, through nbgrader's own generate_assignment.

A build is reproducible: cell ids come from the cells themselves, and a solved notebook, whose pictures and times differ
from run to run, is executed again only when its cells have changed. Delete it to have it made afresh.
"""

from __future__ import annotations

import hashlib
import io
import logging
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from autograder.cells import uncounted
from autograder.errors import UsageError
from autograder.rebuild import is_test

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
STUB = "# Your code here.\nraise NotImplementedError"
UNIT_NAME = re.compile(r"\d\d-[a-z0-9-]+")
CELL_TIMEOUT = 300  # seconds; a solved notebook as a whole takes under two minutes


def find_units(root: Path, names: Iterable[str] = ()) -> list[Path]:
    """Return the source files of the units called ``names`` in the course at ``root``, or of all its units.

    Raises UsageError for a name that there is no unit of, or when there is no unit at all.
    """
    sources = {
        path.parent.name: path
        for path in sorted((root / "source").glob("*/*.py"))
        if path.stem == path.parent.name
    }
    if not sources:
        raise UsageError(
            f"{root} has no units: a unit is source/NN-name/NN-name.py. `convnets init DIR` makes a course folder."
        )
    for name in names:
        if name not in sources:
            meant = [unit for unit in sources if name and unit.startswith(name)]
            advice = f"Did you mean {meant[0]}?" if len(meant) == 1 else f"Units here: {', '.join(sources)}."
            raise UsageError(f"There is no unit called {name!r}. {advice}")
    return [sources[name] for name in names] or list(sources.values())


def read_source(source: Path) -> NotebookNode:
    """Return a unit's source as a notebook, solutions and hidden tests in it, with ids that depend on the cells alone."""
    try:
        notebook = jupytext.read(source, fmt="py:percent")
    except Exception as error:  # jupytext raises what it meets: bad encodings, broken metadata
        raise UsageError(f"{source} cannot be read as a notebook: {error}") from error
    notebook.metadata = NotebookNode(
        kernelspec=NotebookNode(KERNELSPEC), language_info=NotebookNode(name="python")
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: set[str] = set()
    for cell in notebook.cells:
        cell["id"] = cell_id(cell, seen)
        cell.metadata.pop("lines_to_next_cell", None)  # jupytext's note to itself
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    check_cells(notebook, source)
    return notebook


def cell_id(cell: NotebookNode, seen: set[str]) -> str:
    """Return the cell's grade_id, or else a digest of its text; with a number where that was seen before."""
    text = (
        cell.metadata.get("nbgrader", {}).get("grade_id")
        or hashlib.sha256(cell.source.encode()).hexdigest()[:12]
    )
    name, number = text, 2
    while name in seen:
        name, number = f"{text}-{number}", number + 1
    seen.add(name)
    return name


def check_cells(notebook: NotebookNode, source: Path) -> None:
    """Raise UsageError for what would only do harm later: a grade_id used twice, a fence left open, a check that would not count."""
    ids = [cell.metadata.nbgrader.grade_id for cell in notebook.cells if "nbgrader" in cell.metadata]
    for name in ids:
        if ids.count(name) > 1:
            raise UsageError(
                f"{source}: the grade_id {name!r} is used by {ids.count(name)} cells; each needs its own."
            )
    for cell in notebook.cells:
        for fence in ("SOLUTION", "HIDDEN TESTS"):
            if cell.source.count(f"### BEGIN {fence}") != cell.source.count(f"### END {fence}"):
                name = cell.metadata.get("nbgrader", {}).get("grade_id", cell.source[:40])
                raise UsageError(
                    f"{source}: cell {name!r} has a BEGIN {fence} without its END, or the reverse."
                )
        if is_test(cell) and (wrong := uncounted(cell.source)):
            raise UsageError(f"{source}: cell {cell.metadata.nbgrader.grade_id!r} {wrong}.")


def template(source: Path) -> NotebookNode:
    """Return the notebook that grading starts from: hidden tests in it, solutions replaced by the stub."""
    notebook = read_source(source)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = without_solution(cell.source)
    return notebook


def without_solution(text: str) -> str:
    """Return a cell's text with the solution replaced by the stub, as nbgrader does it."""
    pattern = r"^([ \t]*)### BEGIN SOLUTION\n.*?^[ \t]*### END SOLUTION"
    return re.sub(
        pattern,
        lambda match: "\n".join(match[1] + line for line in STUB.split("\n")),
        text,
        flags=re.M | re.S,
    )


def generate(course: Path, units: Iterable[str] = (), *, database: bool = True) -> dict[str, NotebookNode]:
    """Run nbgrader's generate_assignment for units of a course and return their release notebooks by unit.

    With ``database`` the units and their cells are entered in the course's gradebook, as grading needs them.
    """
    sources = find_units(course, units)
    with tempfile.TemporaryDirectory() as folder:
        workshop = Path(folder)
        for source in sources:
            target = workshop / "source" / source.stem / f"{source.stem}.ipynb"
            target.parent.mkdir(parents=True)
            nbformat.write(read_source(source), target)
            for extra in sorted(source.parent.iterdir()):
                if extra.is_file() and extra != source:
                    shutil.copy2(extra, target.parent)
        run_generate_assignment(course, workshop, [source.stem for source in sources], database)
        return {
            s.stem: tidy(nbformat.read(workshop / "release" / s.stem / f"{s.stem}.ipynb", 4)) for s in sources
        }


def run_generate_assignment(course: Path, workshop: Path, units: list[str], database: bool) -> None:
    """Let nbgrader convert ``workshop``/source into ``workshop``/release."""
    from nbgrader.converters import GenerateAssignment
    from nbgrader.converters.base import NbGraderException
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.preprocessors import SaveCells

    config = course_config(course)
    config.ClearSolutions.code_stub = {"python": STUB}
    config.CourseDirectory.root = str(course.resolve() if database else workshop)
    config.CourseDirectory.source_directory = str(workshop / "source")
    config.CourseDirectory.release_directory = str(workshop / "release")
    for unit in units:
        config.CourseDirectory.assignment_id = unit
        converter = GenerateAssignment(coursedir=CourseDirectory(config=config), config=config, force=True)
        if not database:
            converter.no_database = True
            converter.preprocessors = [step for step in converter.preprocessors if step is not SaveCells]
        complaints = converter_complaints(converter)
        try:
            converter.start()
        except NbGraderException as error:
            said = complaints.getvalue().strip().splitlines() or [str(error)]
            raise UsageError(f"nbgrader cannot make unit {unit}: {said[-1]}{advice_on(said[-1])}") from error


def advice_on(complaint: str) -> str:
    """Return what to do about one of nbgrader's complaints, where it does not say so itself."""
    if "Cannot add or remove cells" not in complaint:
        return ""
    return " Its gradebook knows other exercises: put the cells back, or make the changed lesson a unit with another name."


def converter_complaints(converter) -> io.StringIO:
    """Return a buffer that collects what an nbgrader converter logs as an error, in place of the terminal."""
    buffer = io.StringIO()
    log = logging.getLogger(f"convnets.{id(converter)}")
    log.propagate = False
    handler = logging.StreamHandler(buffer)
    handler.addFilter(lambda record: not record.getMessage().startswith(("There was an error", "Please see")))
    handler.setLevel(logging.ERROR)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.addHandler(handler)
    converter.log = log
    return buffer


def course_config(course: Path):
    """Return the traitlets configuration of a course folder's nbgrader_config.py, empty where there is none."""
    from traitlets.config import Config
    from traitlets.config.loader import PyFileConfigLoader

    if not (course / "nbgrader_config.py").exists():
        return Config()
    return PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config()


def tidy(notebook: NotebookNode) -> NotebookNode:
    """Return a release notebook with the metadata that JupyterLab needs, and no more."""
    notebook.metadata = NotebookNode(
        kernelspec=NotebookNode(KERNELSPEC), language_info=NotebookNode(name="python")
    )
    notebook.nbformat_minor = 5
    return notebook


def solved(source: Path) -> NotebookNode:
    """Return the notebook with its solutions in, before execution.

    Hidden tests are left out, since people read these notebooks. Cells that grade are tagged so that nbval compares their
    outputs; the other outputs hold times and pictures.
    """
    notebook = read_source(source)
    for cell in notebook.cells:
        cell.source = re.sub(r"^[ \t]*### (BEGIN|END) SOLUTION\n?", "", cell.source, flags=re.M).rstrip("\n")
        cell.source = re.sub(r"\n### BEGIN HIDDEN TESTS.*### END HIDDEN TESTS", "", cell.source, flags=re.S)
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.metadata.tags = [*cell.metadata.get("tags", []), "nbval-check-output"]
    return notebook


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run a solved notebook from top to bottom, in place; raises UsageError at the first cell that fails."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        cell = next(cell for cell in notebook.cells if failed_in(cell))
        begins = next((line for line in cell.source.splitlines() if line.strip()), "").strip()
        raise UsageError(
            f"The solved notebook of {folder.name} does not run: {error.ename}: {error.evalue.strip()}, in the cell that "
            f"begins {begins[:60]!r}. Mend it in source/ and build again."
        ) from error
    except RuntimeError as error:  # DeadKernelError is one
        raise UsageError(
            f"The kernel ended before the solved notebook of {folder.name} was through it, so nothing was made. Build again."
        ) from error
    for cell in notebook.cells:
        if cell.get("outputs"):
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = NotebookNode(name="python")
    return notebook


def failed_in(cell: NotebookNode) -> bool:
    """Return whether a cell's run ended in an exception."""
    return any(output.output_type == "error" for output in cell.get("outputs", []))


def build(units: Iterable[str] = (), *, check: bool = False, root: Path | None = None) -> list[Path]:
    """Make release/ and solutions/ of ``units`` (all by default) and return the files that were stale.

    With ``check`` nothing is written. Raises UsageError for an unknown unit, an unreadable source, or a solved notebook
    that does not run.
    """
    root = root or Path.cwd()
    stale = []
    sources = find_units(root, units)
    releases = generate(root, [source.stem for source in sources], database=False)
    for source in sources:
        release = root / "release" / source.stem / f"{source.stem}.ipynb"
        solution = root / "solutions" / source.stem / f"{source.stem}.ipynb"
        text = nbformat.writes(releases[source.stem]) + "\n"
        is_stale = {
            release: not release.exists() or release.read_text("utf8") != text,
            solution: not is_current(solution, source),
        }
        stale += [path for path in is_stale if is_stale[path]]
        if check:
            continue
        if is_stale[solution]:  # first, since it may fail: then neither is written
            # It runs where it will stand, beside other units.
            solution.parent.mkdir(parents=True, exist_ok=True)
            write(solution, nbformat.writes(execute(solved(source), solution.parent)) + "\n")
        if is_stale[release]:
            write(release, text)
    return stale + remove_left_over(root, check) if not units else stale


def is_current(solution: Path, source: Path) -> bool:
    """Return whether a solved notebook was made from this very source."""
    if not solution.exists():
        return False
    made, wanted = nbformat.read(solution, 4), solved(source)
    return [(c.source, c.id, c.metadata) for c in made.cells] == [
        (c.source, c.id, c.metadata) for c in wanted.cells
    ]


def remove_left_over(root: Path, check: bool) -> list[Path]:
    """Remove made notebooks whose unit is gone, and return them."""
    names = {source.stem for source in find_units(root)}
    made = [
        path
        for folder in ("release", "solutions")
        for path in sorted((root / folder).glob("*"))
        if path.is_dir()
    ]
    left_over = [path for path in made if path.name not in names and UNIT_NAME.fullmatch(path.name)]
    if not check:
        for path in left_over:
            shutil.rmtree(path)
    return left_over


def write(path: Path, text: str) -> None:
    """Write a file as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_text(text, "utf8")
    temporary.replace(path)
