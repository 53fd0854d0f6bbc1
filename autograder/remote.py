"""The student's notebook as seen from the trusted side: cells to run, functions to call, plain data back.

The grader only asks and the student's process only answers. Each answer must carry its question's number, which cannot be
guessed, fit the limits and come in time; whatever else comes is a crash of the student's own making.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from course.checks.subject import PRINTED_LIMIT, Failure, FailureKind, Outcome

from .forkserver import Child, ForkServer
from .inside import wire
from .sandbox import MEGABYTE

TEXT_LIMIT = 2_000
TRACE_LIMIT = 20_000
ERROR_ROOM = 100_000  # bytes of an error, at most, which comes after all that a cell has shown
NOTEBOOK_OUTPUTS = 8  # how many cells' full output a notebook may hold
CONTROLS = re.compile(  # what steers a terminal: nbconvert takes minutes for many colours
    r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029]"
)
OUTPUT_TYPES = ("text/plain", "image/png", "image/jpeg")
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
STUDENT_KINDS: tuple[FailureKind, ...] = ("raised", "unwritten", "missing", "odd_value", "interrupted")


@dataclass(frozen=True)
class Ended(Exception):
    """The student's process is no more, and why."""

    failure: Failure


@dataclass
class Student:
    """One submission's process, brought back by running its earlier cells again when one of them killed it."""

    server: ForkServer
    settings: Mapping[str, Any]
    files: Mapping[str, bytes]
    clock: float = field(default_factory=time.monotonic)
    shown: int = 0  # bytes of output so far
    child: Child | None = None
    ran: list[str] = field(default_factory=list)  # the cells to run again after a restart

    def run_cell(self, source: str) -> tuple[list[dict], Failure | None]:
        """Run a cell and return its outputs and, when it raised, hung or killed its process, how."""
        limit = self.settings["output_kb"] * 1024
        try:
            answer = self.ask("run", self.settings["cell_seconds"], source=source, limit=limit)
        except Ended as end:
            return [], end.failure
        self.ran.append(source)
        room = min(limit + ERROR_ROOM, NOTEBOOK_OUTPUTS * limit - self.shown)
        outputs, size = checked_outputs(answer.get("outputs"), room)
        self.shown += size
        return outputs, checked_failure(answer.get("error"))

    def call(
        self, name: str, args: Sequence[object], kwargs: Mapping[str, object], count_steps: bool
    ) -> Outcome:
        """Call one of the student's functions."""
        question = {"name": name, "args": list(args), "kwargs": dict(kwargs), "count_steps": count_steps}
        try:
            answer = self.ask("call", self.settings["call_seconds"], **question)
        except Ended as end:
            return Outcome(failure=end.failure)
        return checked_outcome(answer, len(args), kwargs)

    def ask(self, what: str, seconds: float, **question: object) -> dict:
        """Put one question, to a new process where there is none; raises Ended."""
        seconds = self.within(seconds)
        if self.child is None:
            self.start()
        return self.exchange(what, seconds, question)

    def within(self, seconds: float) -> float:
        """Return ``seconds``, or what is left for the notebook when that is less; raises Ended when nothing is."""
        left = self.clock + self.settings["notebook_seconds"] - time.monotonic()
        if left <= 0:
            raise self.ended(Failure("timeout", message="The time for the whole notebook was used up."))
        return min(seconds, left)

    def start(self) -> None:
        """Start a process and bring it to where the last one was."""
        self.child = self.server.spawn()
        files = {name: np.frombuffer(content, np.uint8) for name, content in self.files.items()}
        self.exchange("start", 60, {"files": files})
        for source in list(self.ran):
            self.exchange("run", self.settings["cell_seconds"], {"source": source, "limit": 0})

    def exchange(self, what: str, seconds: float, question: dict) -> dict:
        """Send one question and return its answer; ends the process and raises Ended when none comes as it should."""
        assert self.child is not None
        sock, number = self.child.socket, secrets.randbits(62)
        deadline = time.monotonic() + self.within(seconds)
        try:
            frame = wire.pack({"id": number, "op": what, "with": question})
            wire.send(sock, frame, deadline)
            answer = wire.receive(sock, deadline, self.settings["answer_mb"] * MEGABYTE)
            if not isinstance(answer, dict) or answer.get("id") != number:
                raise wire.WireError("an answer to no question")
        except TimeoutError:
            raise self.ended(Failure("timeout")) from None
        except wire.WireError as error:
            raise self.ended(Failure("crashed", message=f"It sent {error}.")) from None
        except (EOFError, OSError):
            raise self.ended(None) from None
        return answer

    def ended(self, failure: Failure | None) -> Ended:
        """Kill the process and say how it ended: by ``failure``, or by what its server saw."""
        why = self.end(grace=0 if failure else 0.5)
        if failure is None:
            reasons = {
                "memory": f"It used more than {self.settings['memory_mb']} MB of memory.",
                "signal 9": "It was killed for using too much time or memory.",
                "signal 11": "It broke the Python interpreter (a segmentation fault; too deep a recursion?).",
            }
            failure = Failure("crashed", message=reasons.get(why, f"It ended with {why}."))
        return Ended(failure)

    def end(self, grace: float = 0) -> str:
        """Kill the process, if there is one, and return why it had ended within ``grace`` seconds."""
        child, self.child = self.child, None
        return child.end(grace) if child else "killed"


class RemoteSubject:
    """A function of the student's that a check calls by plain data; see course/checks/subject.py."""

    def __init__(self, student: Student, name: str, broken: Failure | None = None):
        self.student, self.name, self.broken = student, name, broken
        self.__name__ = name
        self.was_called = False

    def call(
        self, args: Sequence[object], kwargs: Mapping[str, object], *, count_steps: bool = False
    ) -> Outcome:
        """Call it in the sandbox; ``broken`` is why its cell never defined it, for when it is missing."""
        outcome = self.student.call(self.name, args, kwargs, count_steps)
        if outcome.failure and outcome.failure.kind == "missing" and self.broken:
            return Outcome(failure=self.broken)
        return outcome

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Call it as a function, for tests written as plain asserts; raises StudentError when there is no value."""
        self.was_called = True
        outcome = self.call(args, kwargs)
        if outcome.failure:
            raise StudentError(outcome.failure)
        return outcome.value


class StudentError(Exception):
    """The student's function gave no value."""

    def __init__(self, failure: Failure):
        self.failure = failure
        super().__init__(" ".join(filter(None, [failure.kind, failure.type, failure.message])))


def checked_outcome(answer: dict, count: int, kwargs: Mapping[str, object]) -> Outcome:
    """Return an answer to a call as an Outcome; anything odd in it is dropped."""
    changed = answer.get("changed")
    places = {*range(count), *kwargs}
    steps = answer.get("steps")
    return Outcome(
        answer.get("value"),
        checked_failure(answer.get("failure")),
        tuple(c for c in changed if type(c) in (int, str) and c in places)
        if isinstance(changed, tuple | list)
        else (),
        text(answer.get("printed"), PRINTED_LIMIT),
        steps if type(steps) is int else None,
    )


def checked_failure(data: object) -> Failure | None:
    """Return a failure as the student's side tells it; it cannot claim to be the grader's fault."""
    if data is None:
        return None
    if not isinstance(data, dict) or data.get("kind") not in STUDENT_KINDS:
        return Failure("crashed", message="It sent a malformed answer.")
    line = data.get("line")
    return Failure(
        data["kind"],
        text(data.get("type"), 200),
        text(data.get("message"), TEXT_LIMIT),
        line if type(line) is int and 0 < line < 1_000_000 else None,
        text(data.get("source"), TEXT_LIMIT),
    )


def text(value: object, limit: int) -> str:
    """Return ``value`` if it is text, cut to ``limit`` characters, without the codes that steer a terminal."""
    return CONTROLS.sub("", value[:limit]) if isinstance(value, str) else ""


def checked_outputs(outputs: object, room: int) -> tuple[list[dict], int]:
    """Return those outputs that have the form which a notebook wants, as far as there is ``room``, and their bytes."""
    kept: list[dict] = []
    size = 0
    for output in filter(None, map(checked_output, outputs if isinstance(outputs, list) else [])):
        size += weight(output)
        if size > room:
            return [*kept, {"output_type": "stream", "name": "stdout", "text": wire.DROPPED}], room
        kept.append(output)
    return kept, size


def weight(output: dict) -> int:
    """Return how many bytes an output counts for."""
    texts = [output.get(key, "") for key in ("text", "ename", "evalue")]
    texts += [*output.get("traceback", ()), *output.get("data", {}).values()]
    return wire.OUTPUT_COST + sum(map(wire.cost, texts))


def checked_output(output: object) -> dict | None:
    """Return one output rebuilt from the parts that are known, or None."""
    if not isinstance(output, dict):
        return None
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return {"output_type": "stream", "name": name, "text": text(output.get("text"), wire.HEAD_LIMIT)}
    if kind == "error":
        lines = output.get("traceback")
        trace = "\n".join(line for line in lines if isinstance(line, str)) if isinstance(lines, list) else ""
        names = {key: text(output.get(key), TEXT_LIMIT) for key in ("ename", "evalue")}
        return {"output_type": "error", **names, "traceback": [text(trace, TRACE_LIMIT)]}
    if kind in ("display_data", "execute_result") and isinstance(output.get("data"), dict):
        data = {key: text(output["data"].get(key), wire.HEAD_LIMIT) for key in OUTPUT_TYPES}
        data = {key: value for key, value in data.items() if value and fits(key, value)}
        more = {"execution_count": None} if kind == "execute_result" else {}
        return {"output_type": kind, "data": data, "metadata": {}, **more}
    return None


def fits(kind: str, value: str) -> bool:
    """Return whether shown data is text, or a picture that is a picture.

    HTML, SVG and JavaScript of a student's never reach the pages in which an instructor, logged in, looks at marks.
    """
    return kind == "text/plain" or BASE64.fullmatch(value) is not None


def seed_of(*parts: str) -> int:
    """Return a seed that follows from ``parts`` alone.

    >>> seed_of("secret", "text") == seed_of("secret", "text") != seed_of("secret", "other text")
    True
    """
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:4], "big")
