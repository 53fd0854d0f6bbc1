"""What a test cell's text says: its checks, and whether all of them would count."""

from __future__ import annotations

import ast

from IPython.core.inputtransformer2 import TransformerManager

from .rebuild import HIDDEN_TESTS


def plain_python(source: str) -> str:
    """Return a cell's text without IPython's magics."""
    lines = [line for line in source.split("\n") if not line.lstrip().startswith(("%", "!"))]
    return TransformerManager().transform_cell("\n".join(lines))


def is_check(node: ast.stmt) -> bool:
    """Return whether a statement is a bare call of ``check``."""
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "check"


def calls_check(source: str) -> bool:
    """Return whether a test cell's last line is a check of ours."""
    try:
        body = ast.parse(plain_python(source)).body
    except SyntaxError:
        return False
    return bool(body) and is_check(body[-1])


def uncounted(source: str) -> str:
    """Return what is wrong with a test cell in which a check would not count, or an empty string.

    The value of the last line is the mark, here and in plain nbgrader: what a check above it says is lost.

    >>> uncounted("check(pad)")
    ''
    >>> uncounted("check(pad)\\nassert pad(1) == 2")
    'ends in a line that is no check, so check(pad) would not count: put the line above the check'
    """
    try:
        visible, whole = (
            ast.parse(plain_python(text)).body for text in (HIDDEN_TESTS.sub("", source), source)
        )
    except SyntaxError:  # grading tells of a test that does not run
        return ""
    shown, checks = ([node for node in body if is_check(node)] for body in (visible, whole))
    for body, found in ((visible, shown), (whole, checks)):
        if found and not is_check(body[-1]):
            lost = ast.unparse(found[-1].value)  # type: ignore[attr-defined]
            return f"ends in a line that is no check, so {lost} would not count: put the line above the check"
    if len(shown) > 1 or len(checks) - len(shown) > 1:
        return (
            "has several checks, of which only the last would count: give each a cell, or one check all cases"
        )
    if len(checks) > len(shown) > 0:
        if ast.dump(checks[-1]) == ast.dump(shown[-1]):
            return "has its hidden check above the visible one, so it would not count: put it below"
        if subject(checks[0]) != subject(checks[-1]):
            return f"checks {subject(checks[0])} and then {subject(checks[-1])}, and only this would count: give each a cell"
    return ""


def subject(check: ast.stmt) -> str:
    """Return what a bare call of ``check`` is about."""
    arguments = check.value.args  # type: ignore[attr-defined]
    return ast.unparse(arguments[0]) if arguments else "nothing"
