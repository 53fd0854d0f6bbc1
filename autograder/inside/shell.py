"""The student's side of a grading: it runs cells and calls functions, and answers with plain data.

Whatever it says is taken for the student's word. Nothing here knows an expected value, a test or a mark.
"""

from __future__ import annotations

import io
import random
import socket
import sys
from base64 import b64encode
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type

from course.checks.subject import Failure, LocalSubject, Outcome, describe

from . import wire
from .child import write_files

OUTPUT_TYPES = ("text/plain", "image/png", "image/jpeg")  # the grader takes no others


class Record:
    """The outputs of one cell, in order, up to ``limit`` bytes."""

    def __init__(self) -> None:
        self.start(0)

    def start(self, limit: int) -> None:
        """Forget what was recorded."""
        self.outputs: list[dict] = []
        self.left = limit

    def stream(self, name: str, text: str) -> None:
        """Add printed text; what is over the limit is dropped."""
        if self.left <= 0 or not text:
            return
        room, self.left = self.left, self.left - wire.cost(text)
        if self.left <= 0:
            text = text[: room // (wire.LINE_COST + 4)] + wire.DROPPED  # fits, whatever it is made of
        if self.outputs and self.outputs[-1].get("name") == name:
            self.outputs[-1]["text"].append(text)
        else:
            self.left -= wire.OUTPUT_COST
            self.outputs.append({"output_type": "stream", "name": name, "text": [text]})

    def show(self, output_type: str, data: dict, **more: object) -> None:
        """Add a displayed object."""
        data = {kind: data[kind] for kind in OUTPUT_TYPES if isinstance(data.get(kind), str | bytes)}
        data = {kind: b64encode(v).decode() if isinstance(v, bytes) else v for kind, v in data.items()}
        self.left -= wire.OUTPUT_COST + sum(map(wire.cost, data.values()))
        if self.left > 0 and data:
            self.outputs.append({"output_type": output_type, "data": data, "metadata": {}, **more})

    def taken(self) -> list[dict]:
        """Return the outputs, the pieces of each stream put together: one by one would copy all of it each time."""
        return [
            {**output, "text": "".join(output["text"])} if output["output_type"] == "stream" else output
            for output in self.outputs
        ]


RECORD = Record()


class Stream(io.TextIOBase):
    """Standard output or error, into the record."""

    def __init__(self, name: str):
        self.name = name

    def write(self, text: str) -> int:
        """Record ``text``."""
        RECORD.stream(self.name, str(text))
        return len(text)


class Displays(DisplayPublisher):
    """What ``display`` shows, into the record."""

    def publish(self, data, metadata=None, source=None, *, transient=None, update=False, **more):  # noqa: D102
        RECORD.show("display_data", data)

    def clear_output(self, wait=False):  # noqa: D102
        RECORD.outputs.clear()


class LastValue(DisplayHook):
    """The value of a cell's last line, into the record."""

    def start_displayhook(self):  # noqa: D102
        pass

    def write_output_prompt(self):  # noqa: D102
        pass

    def write_format_data(self, format_dict, md_dict=None):  # noqa: D102
        RECORD.show("execute_result", format_dict, execution_count=self.prompt_count)

    def finish_displayhook(self):  # noqa: D102
        pass


class StudentShell(InteractiveShell):
    """IPython without a terminal, a history file or a kernel."""

    displayhook_class = Type(LastValue)
    display_pub_class = Type(Displays)

    def enable_gui(self, gui=None):  # noqa: D102
        pass

    def _showtraceback(self, etype, evalue, stb):
        text = "\n".join(stb if isinstance(stb, list) else [stb])
        RECORD.outputs.append(
            {
                "output_type": "error",
                "ename": etype.__name__,
                "evalue": str(evalue)[:2000],
                "traceback": [text[:20_000]],
            }
        )


def make_shell() -> InteractiveShell:
    """Return the one shell of this process, with pictures as in a notebook."""
    HistoryManager.enabled = False  # type: ignore[assignment]
    shell = StudentShell.instance(user_module=None, colors="nocolor")
    shell.enable_matplotlib("inline")
    shell.run_cell("0", silent=True)
    shell.reset(new_session=True)
    return shell


class Student:
    """Answers requests: ``files``, ``run`` and ``call``."""

    def __init__(self, shell: InteractiveShell, home: Path):
        self.shell, self.home = shell, home
        self.run_cell = (
            shell.run_cell
        )  # what a student does to the shell's class later is the student's own affair

    def serve(self, sock: socket.socket) -> None:
        """Answer one request after another until the other side hangs up."""
        while True:
            try:
                request: Any = wire.receive(sock)
            except (EOFError, OSError):
                return
            answer = getattr(self, "answer_" + request["op"])(**request["with"])
            wire.send(sock, self.pack(request["id"], answer))

    def pack(self, number: int, answer: dict) -> bytes:
        """Return the frame of an answer; an answer that cannot be sent becomes a failure."""
        try:
            return wire.pack({"id": number, **answer})
        except (wire.WireError, ValueError, RecursionError) as error:
            odd = Failure("odd_value", message=f"It returned something that cannot be passed on: {error}")
            return wire.pack({"id": number, **message(Outcome(failure=odd))})

    def answer_start(self, files: dict[str, np.ndarray]) -> dict:
        """Put the files of the submission into the working folder and seed the global generators, the same for all."""
        write_files(self.home, files)
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002 the student's own code may use it
        return {}

    def answer_run(self, source: str, limit: int) -> dict:
        """Run a cell; return its outputs and, when it raised, what."""
        RECORD.start(limit)
        streams = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = Stream("stdout"), Stream("stderr")
        try:
            result = self.run_cell(source, store_history=True)
        finally:
            sys.stdout, sys.stderr = streams
        error = result.error_before_exec or result.error_in_exec
        return {"outputs": RECORD.taken(), "error": asdict(cell_failure(error)) if error else None}

    def answer_call(self, name: str, args: list, kwargs: dict, count_steps: bool) -> dict:
        """Call one of the student's functions on plain data."""
        function = self.shell.user_ns.get(name)
        if function is None:
            return message(Outcome(failure=Failure("missing")))
        if not callable(function):
            return message(Outcome(failure=Failure("missing", message=f"{name} is not a function")))
        answer = LocalSubject(function, name).call(args, kwargs, count_steps=count_steps)
        return message(answer)


def message(outcome: Outcome) -> dict:
    """Return an Outcome as the message that carries it."""
    failure = asdict(outcome.failure) if outcome.failure else None
    return {**vars(outcome), "failure": failure}


def cell_failure(error: BaseException) -> Failure:
    """Return why a cell stopped."""
    if isinstance(error, SyntaxError):
        return Failure(
            "raised", type(error).__name__, str(error.msg), error.lineno, (error.text or "").strip()
        )
    return describe(error, "raised")
