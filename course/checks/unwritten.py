"""One line in place of a traceback, when a cell of a notebook calls an exercise that is not written yet."""

from __future__ import annotations

import traceback
from types import TracebackType
from typing import Any

from course.checks.subject import is_stub, is_students


def tell_what_is_not_written() -> None:
    """Have the notebook's kernel say it in one line from now on."""
    from IPython import get_ipython

    get_ipython().set_custom_exc((NotImplementedError,), tell)


def tell(
    shell: Any, kind: type, error: NotImplementedError, trace: TracebackType, tb_offset: Any = None
) -> None:
    """Show one line for an exercise that is not written, and any other exception as ever."""
    if not is_stub(error):
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
        return
    sentence = f"{unwritten(trace)} is not written yet: write it, run its cell, and then run this one again."
    shell._showtraceback(kind, type(error)(sentence), [f"{kind.__name__}: {sentence}"])


def unwritten(trace: TracebackType) -> str:
    """Return the name of the function, with that of its class, whose stub raised."""
    names = [
        frame.f_code.co_qualname
        for frame, _ in traceback.walk_tb(trace)
        if is_students(frame.f_code.co_filename)
    ]
    name = names[-1].rpartition("<locals>.")[2] if names else ""
    return name if name and not name.startswith("<") else "This exercise"
