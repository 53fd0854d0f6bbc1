"""One notebook, graded: its cells run in the sandbox, its tests here, and the two meet in plain data only."""

from __future__ import annotations

import ast
import contextlib
import io
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

from course.checks import Verdict, seeding
from course.checks.message import failure_sentence
from course.checks.subject import Failure

from .cells import is_check, plain_python
from .forkserver import server_for
from .rebuild import has_tag, is_solution, is_test, label
from .remote import RemoteSubject, Student, StudentError
from .sandbox import SandboxError

_setups: dict[
    str, dict[str, Any]
] = {}  # the names that a template's setup cells define; they are the same for all


@dataclass
class Grading:
    """The state of grading one notebook."""

    student: Student
    seed: int
    names: dict[str, Any]
    broken: dict[str, Failure] = field(default_factory=dict)  # exercise: why its cell did not run to its end
    verdicts: list[Verdict] = field(default_factory=list)


def grade_notebook(
    notebook: NotebookNode, settings: Mapping[str, Any], files: Mapping[str, bytes], seed: int
) -> list[Verdict]:
    """Run a rebuilt notebook in place and return a verdict for each test cell, in order.

    Never raises for what the student's code does. A fault of the sandbox makes the verdicts that it touched
    ``not_graded``.
    """
    student = Student(server_for(dict(settings)), settings, files)
    state = Grading(student, seed, setup_names(notebook))
    try:
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
                run_cell(cell, state)
    finally:
        with contextlib.suppress(SandboxError):
            student.end()
    return state.verdicts


def run_cell(cell: NotebookNode, state: Grading) -> None:
    """Run a student's cell in the sandbox, or a test cell here."""
    if has_tag(cell, "experiment") or not cell.source.strip():
        return
    if is_test(cell):
        verdict = run_test(cell, state)
        state.verdicts.append(verdict)
        cell.outputs = [verdict_output(verdict)]
        cell.metadata["convnets"] = verdict_data(verdict, cell)
        return
    try:
        outputs, failure = state.student.run_cell(cell.source)
    except SandboxError as error:
        outputs, failure = [], Failure("machinery", message=str(error))
    cell.outputs = [NotebookNode(output) for output in outputs]
    if failure and failure.kind != "raised":
        cell.outputs.append(failure_output(failure))
    name = label(cell)
    if failure and name and is_solution(cell):
        state.broken[name] = failure


def run_test(cell: NotebookNode, state: Grading) -> Verdict:
    """Return the mark of a test cell: the value of its last expression, or that it ran without an error."""
    name = (label(cell) or "").removeprefix("test_")
    points = float(cell.metadata.nbgrader.points)
    subjects: dict[str, RemoteSubject] = {}
    try:
        tree = ast.parse(plain_python(cell.source))
        subjects = {
            unknown: RemoteSubject(state.student, unknown, state.broken.get(unknown))
            for unknown in unknown_names(tree, state.names) | ({name} if name in state.names else set())
        }
        value = evaluate(tree, {**state.names, **subjects}, state.seed)
        return as_verdict(value, name, points)
    except StudentError as error:
        return failed(name, points, error.failure)
    except SandboxError as error:
        return failed(name, points, Failure("machinery", message=str(error)))
    except AssertionError as error:
        return simple(name, "failed", 0, points, f"A test failed. {error}".strip())
    except Exception as error:  # a student's odd value in a plain assert; else the test itself is at fault
        said = f"{type(error).__name__}: {error}"
        if any(subject.was_called for subject in subjects.values()):
            return simple(name, "failed", 0, points, f"A test could not use what {name} returned. {said}")
        return failed(name, points, Failure("machinery", message=f"the test cell raised {said}"))


def evaluate(tree: ast.Module, names: dict[str, Any], seed: int) -> object:
    """Run a test cell and return the value of its last expression; a visible check before that is left out.

    The hidden check covers what the visible one does, and only the last expression is the mark (cells.py sees to it that
    no other check is lost).
    """
    body = list(tree.body)
    last = body.pop().value if body and isinstance(body[-1], ast.Expr) else None  # type: ignore[attr-defined]
    body = [node for node in body if not is_check(node)]
    quiet = io.StringIO()
    with (
        seeding(seed),
        contextlib.redirect_stdout(quiet),
        contextlib.redirect_stderr(quiet),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        exec(compile(ast.Module(body, []), "<test>", "exec"), names)
        return eval(compile(ast.Expression(last), "<test>", "eval"), names) if last else None


def unknown_names(tree: ast.Module, known: Mapping[str, Any]) -> set[str]:
    """Return the names that a test cell reads and neither it nor the setup defines: the student's."""
    read = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    set_here = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    }
    set_here |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    set_here |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    imports = (
        alias
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    )
    set_here |= {(alias.asname or alias.name).split(".")[0] for alias in imports}
    builtins = __builtins__ if isinstance(__builtins__, dict) else vars(__builtins__)
    return {name for name in read - set_here if name not in known and name not in builtins}


def setup_names(notebook: NotebookNode) -> dict[str, Any]:
    """Return what the instructor's setup cells define, run once per text in this process."""
    sources = [c.source for c in notebook.cells if c.cell_type == "code" and has_tag(c, "setup")]
    key = "\n".join(plain_python(source) for source in sources)
    if key not in _setups:
        names: dict[str, Any] = {"__name__": "__grading__"}
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(key, "<setup>", "exec"), names)
        _setups[key] = names
    return dict(_setups[key])


def as_verdict(value: object, name: str, points: float) -> Verdict:
    """Return the mark that a test cell's last value stands for, as nbgrader reads it."""
    if isinstance(value, Verdict):
        share = (
            points / value.max_score if value.max_score else 0
        )  # the notebook's points count, not the bank's
        return value if share == 1 else replace(value, score=round(value.score * share, 2), max_score=points)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= points:
        word = "passed" if value == points else "partial" if value else "failed"
        return simple(name, word, float(value), points, f"{value} of {points} points")
    return simple(name, "passed", points, points, "All tests passed.")


def failed(name: str, points: float, failure: Failure) -> Verdict:
    """Return the verdict for a test that got no value to judge."""
    words = {"timeout": "timeout", "crashed": "crashed", "machinery": "not_graded"}
    words |= {"missing": "missing", "unwritten": "missing"}
    return simple(name, words.get(failure.kind, "failed"), 0, points, failure_sentence(name, failure))


def simple(name: str, word: Any, score: float, points: float, message: str) -> Verdict:
    """Return a verdict that says one sentence."""
    from html import escape

    return Verdict(name, word, score, points, text=message, html=f"<p>{escape(message)}</p>")


def verdict_data(verdict: Verdict, cell: NotebookNode) -> dict[str, Any]:
    """Return the verdict of a test cell as plain data, without the page that shows it."""
    data = asdict(verdict)
    del data["html"]
    return data | {"cell": label(cell)}


def verdict_output(verdict: Verdict) -> NotebookNode:
    """Return a verdict as nbgrader finds it in a test cell: the score as text, the message as HTML."""
    data = {"text/plain": repr(float(verdict.score)), "text/html": verdict.html}
    return new_output("execute_result", data=data, execution_count=None)


def failure_output(failure: Failure) -> NotebookNode:
    """Return why a student's cell ended, for the feedback."""
    sentence = failure_sentence("this cell", failure)
    return new_output("error", ename=failure.kind, evalue=sentence, traceback=[sentence])
