"""Messages between the grader and a student's process: a JSON head and raw array bytes, never pickle.

A frame is 4 bytes (length of the head), 8 bytes (length of the body), the head in JSON and the body, which is the bytes
of the arrays one after another. Both ends check what they read; the grader also limits how much and for how long.
"""

from __future__ import annotations

import json
import math
import re
import socket
import struct
import time

import numpy as np

FRAME = struct.Struct(">IQ")
HEAD_LIMIT = 8 << 20
DROPPED = "\n... the rest of the output was dropped ...\n"
LINE_COST = 10  # bytes that a line takes in a notebook file beside its text
OUTPUT_COST = 2_000  # an output of a cell, however small, takes as long to put on a page as so many bytes
NUMBERS = "biufc"
DTYPE = re.compile(r"[<>|][biufc](1|2|4|8|12|16|24|32)")  # Python's own parser reads what NumPy does not know


class WireError(Exception):
    """What the other side sent is not a message."""


def pack(message: object) -> bytes:
    """Return ``message``, plain data, as a frame.

    >>> unpack(*split(pack({"x": np.arange(3)})))["x"]
    array([0, 1, 2])

    Raises WireError for what is not plain data, or too much of it outside arrays.
    """
    buffers: list[bytes] = []
    head = json.dumps(to_json(message, buffers)).encode()
    if len(head) > HEAD_LIMIT:
        raise WireError("a message over the limit")
    return b"".join([FRAME.pack(len(head), sum(map(len, buffers))), head, *buffers])


def split(frame: bytes) -> tuple[bytes, bytes]:
    """Return the head and the body of a whole frame."""
    length, _ = FRAME.unpack_from(frame)
    return frame[FRAME.size : FRAME.size + length], frame[FRAME.size + length :]


def unpack(head: bytes | bytearray, body: bytes | bytearray) -> object:
    """Return the plain data of a frame; raises WireError when it is malformed."""
    try:
        buffer = memoryview(body)
        message, used = from_json(json.loads(head), buffer, 0)
    except Exception as error:  # whatever it is, who sent this is at fault
        raise WireError(f"malformed message: {str(error)[:200]}") from None
    if used != len(buffer):
        raise WireError("malformed message: bytes left over")
    return message


def to_json(value: object, buffers: list[bytes]) -> object:
    """Return ``value`` as JSON; arrays leave their bytes in ``buffers`` and a ``[tag, ...]`` in the JSON."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, complex) and type(value) is complex:
        return ["complex", value.real, value.imag]
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in NUMBERS:
        buffers.append(np.ascontiguousarray(value).tobytes())
        tag = "scalar" if isinstance(value, np.generic) else "array"
        return [tag, value.dtype.str, list(value.shape)]
    if type(value) in (list, tuple):
        return [type(value).__name__, [to_json(item, buffers) for item in value]]  # type: ignore[attr-defined]
    if type(value) is dict:
        return ["dict", [[to_json(key, buffers), to_json(item, buffers)] for key, item in value.items()]]
    if isinstance(value, np.random.Generator):
        return ["generator", to_json(value.bit_generator.state, buffers)]
    raise WireError(f"{type(value).__name__} is not plain data")


def from_json(node: object, body: memoryview, at: int) -> tuple[object, int]:
    """Return the value of ``node`` and how far into ``body`` it has read."""
    if isinstance(node, str):
        return node.encode(errors="replace").decode(), at  # half a surrogate pair goes into no file
    if not isinstance(node, list):
        if isinstance(node, dict):
            raise ValueError("an untagged object")
        return node, at
    tag, *rest = node
    if tag in ("array", "scalar"):
        dtype, shape = rest
        return array_from(tag, dtype, shape, body, at)
    if tag in ("list", "tuple"):
        items = []
        for item in rest[0]:
            value, at = from_json(item, body, at)
            items.append(value)
        return (items if tag == "list" else tuple(items)), at
    if tag == "dict":
        pairs = []
        for key, item in rest[0]:
            key, at = from_json(key, body, at)
            item, at = from_json(item, body, at)
            pairs.append((key, item))
        return dict(pairs), at
    if tag == "complex":
        return complex(float(rest[0]), float(rest[1])), at
    if tag == "generator":
        state, at = from_json(rest[0], body, at)
        return generator(state), at
    raise ValueError("an unknown tag")


def array_from(tag: str, dtype: str, shape: list, body: memoryview, at: int) -> tuple[object, int]:
    """Return the array (a copy of its own) whose bytes start at ``at``, and where they end."""
    if not isinstance(dtype, str) or not DTYPE.fullmatch(dtype):
        raise ValueError("an array that is not of numbers")
    kind = np.dtype(dtype)
    if len(shape) > 32 or any(type(size) is not int or not 0 <= size < 1 << 40 for size in shape):
        raise ValueError("an impossible shape")
    end = at + math.prod(shape) * kind.itemsize
    if end > len(body):
        raise ValueError("an array without its bytes")
    array = np.frombuffer(body[at:end], kind).reshape(shape).copy()
    return (array[()] if tag == "scalar" else array), end


def generator(state: object) -> np.random.Generator:
    """Return a random generator in the given state of PCG64, NumPy's default."""
    if not isinstance(state, dict) or state.get("bit_generator") != "PCG64":
        raise ValueError("a generator that is not PCG64")
    bits = np.random.PCG64()
    bits.state = state  # type: ignore[assignment]  # NumPy refuses what is not one
    return np.random.Generator(bits)


def receive(sock: socket.socket, deadline: float = math.inf, limit: int = 1 << 40) -> object:
    """Return the next message; all of it must come before ``deadline`` (time.monotonic).

    Raises TimeoutError, WireError (malformed, or a body over ``limit`` bytes) or EOFError (the other side is gone).
    """
    head_length, body_length = FRAME.unpack(read(sock, FRAME.size, deadline))
    if head_length > HEAD_LIMIT or body_length > limit:
        raise WireError("a message over the limit")
    head = read(sock, head_length, deadline)
    return unpack(head, read(sock, body_length, deadline))


def read(sock: socket.socket, length: int, deadline: float) -> bytearray:
    """Return exactly ``length`` bytes; memory grows with what arrives, not with what was announced."""
    data = bytearray()
    while len(data) < length:
        remaining = None if deadline == math.inf else deadline - time.monotonic()
        if remaining is not None and remaining <= 0:
            raise TimeoutError
        sock.settimeout(remaining)
        chunk = sock.recv(min(length - len(data), 1 << 20))
        if not chunk:
            raise EOFError
        data += chunk
    return data


def send(sock: socket.socket, frame: bytes, deadline: float = math.inf) -> None:
    """Send a whole frame before ``deadline``; raises TimeoutError, or OSError when the other side is gone."""
    sock.settimeout(None if deadline == math.inf else max(deadline - time.monotonic(), 0.001))
    sock.sendall(frame)


def cost(text: str) -> int:
    """Return how many bytes shown text counts for in what a cell or a notebook may show."""
    return len(text.encode(errors="replace")) + LINE_COST * (text.count("\n") + text.count("\r"))
