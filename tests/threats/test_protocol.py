"""Abusing the protocol: whatever a student's process sends, the grader reads one well-formed answer or none."""

import json

import nbformat
import pytest

from autograder.inside import wire
from tests.grading.classroom import PERFECT, edited, solved
from tests.threats.attack import HONEST, attack, grade_one, printed, scores

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]
LOST = HONEST | {"zero_pad": 0.0}
SOCKET = """import gc, socket, struct, os, json, stat
    def alive(o):
        try: return stat.S_ISSOCK(os.fstat(o.fileno()).st_mode)
        except OSError: return False
    s = [o for o in gc.get_objects() if type(o) is socket.socket and alive(o)][0]
    s.settimeout(None)
    """

DURING_A_CALL = {
    "noise": "s.sendall(os.urandom(100_000))",
    "a head that is announced and never comes": "s.sendall(struct.pack('>IQ', 1000, 0)); import time; time.sleep(100)",
    "a giant head": "s.sendall(struct.pack('>IQ', 2 ** 32 - 1, 0) + b'x' * 100_000)",
    "a giant body": "s.sendall(struct.pack('>IQ', 2, 2 ** 60) + b'{}')",
    "an answer that never ends": "s.sendall(struct.pack('>IQ', 2, 60_000_000) + b'[]')\n    while True: s.sendall(b'x' * 10); import time; time.sleep(0.01)",
    "an answer to no question": "h = json.dumps(['dict', [['id', 1], ['value', 3]]]).encode(); s.sendall(struct.pack('>IQ', len(h), 0) + h)",
    "JSON nested too deeply": "h = b'[' * 1_000_000; s.sendall(struct.pack('>IQ', len(h), 0) + h)",
    "an array without its bytes": "h = b'[\"array\", \"<f8\", [1000]]'; s.sendall(struct.pack('>IQ', len(h), 0) + h)",
    "an array of objects": "h = b'[\"array\", \"|O\", [1]]'; s.sendall(struct.pack('>IQ', len(h), 8) + h + b'x' * 8)",
    "an array of what only Python can read": "h = b'[\"array\", \",\", [0]]'; s.sendall(struct.pack('>IQ', len(h), 0) + h)",
    "an impossible shape": "h = b'[\"array\", \"<f8\", [-1, 8]]'; s.sendall(struct.pack('>IQ', len(h), 8) + h + b'x' * 8)",
    "a pickle": "import pickle; h = pickle.dumps(print); s.sendall(struct.pack('>IQ', len(h), 0) + h)",
    "hanging up": "s.close()",
    "hanging up at once": "s.shutdown(socket.SHUT_RDWR)",
    "many answers": "h = b'{}'; [s.sendall(struct.pack('>IQ', 2, 0) + h) for _ in range(1000)]",
    "reading the grader's own questions": "s.recv(1)",
}


@pytest.mark.parametrize("name", DURING_A_CALL)
def test_a_broken_answer_loses_its_exercise(course, name):
    change = ("    n, c, h, w", f"    {SOCKET}{DURING_A_CALL[name]}\n    n, c, h, w")
    attack(course, change, expected=LOST)
    verdicts, _ = grade_one(course, edited(course, change))
    assert verdicts["zero_pad"].verdict in ("crashed", "timeout")  # it did send what it should


def test_an_unsolicited_message_is_not_taken_for_the_next_answer(course):
    code = (
        SOCKET.replace("\n    ", "\n")
        + "h = json.dumps(['dict', [['id', 7]]]).encode(); s.sendall(struct.pack('>IQ', len(h), 0) + h)"
    )
    attack(course, after=code)


def test_a_thread_that_keeps_talking_loses_what_it_disturbs(course):
    code = SOCKET.replace("\n    ", "\n") + (
        "import threading, time\ndef talk():\n    while True:\n        s.sendall(b'hello'); time.sleep(0.001)\n"
        "threading.Thread(target=talk, daemon=True).start()"
    )
    verdicts, _ = grade_one(course, solved(course))
    assert scores(verdicts) == PERFECT
    disturbed, _ = grade_one(course, edited(course, after=code))
    assert all(score <= PERFECT[name] for name, score in scores(disturbed).items())
    assert scores(grade_one(course, solved(course))[0]) == PERFECT


FRAMES = [
    b"",
    b"null",
    b"[]",
    b'["array"]',
    b'["array", "<f8"]',
    b'["array", "<f8", 3]',
    b'["array", "<f8", [1e9]]',
    b'["array", "<f8", [true]]',
    b'["array", "<f8", ["1"]]',
    b'["array", "f8,f8", [0]]',
    b'["array", ",", [0]]',
    b'["array", "<f3", [0]]',
    b'["array", "f8", [0]]',
    b'["array", "<U4", [0]]',
    b'["array", "|V8", [0]]',
    b'["array", "<M8[s]", [0]]',
    b'["array", 3, [0]]',
    b'["array", "<f8", [' + b"1," * 99 + b"1]]",
    b'["list"]',
    b'["list", 3]',
    b'["dict", [[1]]]',
    b'["dict", [[["list", []], 1]]]',
    b'["complex", "a", 1]',
    b'["complex", "' + b"a" * 1_000_000 + b'", 1]',
    b'["generator", 3]',
    b'["generator", ["dict", [["bit_generator", "os.system"]]]]',
    b'{"a": 1}',
    b"[1, 2]",
    b"\xff",
    b"1" * 10_000,
    b'["list", ' * 5_000,
]


@pytest.mark.parametrize("head", FRAMES)
def test_a_malformed_head_is_refused(head):
    if head == b"null":
        assert wire.unpack(head, b"") is None
    else:
        with pytest.raises(wire.WireError) as caught:
            wire.unpack(head, b"")
        assert len(str(caught.value)) < 1_000  # a student reads it, and so does grades.csv


def test_bytes_left_over_are_refused():
    with pytest.raises(wire.WireError):
        wire.unpack(b"null", b"x")


def test_text_that_no_file_can_hold_is_mended_where_it_comes_in():
    head = json.dumps(["dict", [["\ud800", ["list", ["a\udfff", "\U0001f600"]]]]]).encode()
    assert wire.unpack(head, b"") == {"?": ["a?", "\U0001f600"]}


HALF = "'\\ud800'"
SAID = {
    "printed": f"print({HALF})",
    "shown": f"{HALF}",
    "raised": f"raise ValueError({HALF})",
    "an exception's name": f"raise type({HALF}, (Exception,), {{}})({HALF})",
}
GIVEN = {
    "printed in a call": f"print({HALF}); return",
    "raised in a call": f"raise ValueError({HALF})",
    "returned": f"return {HALF}",
    "a key": f"return {{{HALF}: 1}}",
}


@pytest.mark.parametrize("name", [*SAID, *GIVEN])
def test_half_a_character_costs_nothing_but_its_own_exercise(course, name):
    change = ("    n, c, h, w", f"    {GIVEN.get(name, 'pass')}\n    n, c, h, w")
    verdicts, notebook = grade_one(course, edited(course, change, after=SAID.get(name, "")))
    assert scores(verdicts) == PERFECT | ({"zero_pad": 0.0} if name in GIVEN else {})
    assert nbformat.writes(notebook).encode()
    assert all(verdict.text.encode() and verdict.html.encode() for verdict in verdicts.values())


def test_the_seed_of_the_hidden_inputs_is_not_told(course):
    code = "import random\nprint(random.getstate(), np.random.get_state()[1].tolist())"
    one, other = (printed(grade_one(course, edited(course, after=code), seed=seed)[1]) for seed in (1, 4242))
    assert one == other != ""


def test_only_sockets_that_stay_inside_can_be_made(course):
    wanted = {"UNIX": (1, 0), "INET": (2, 0), "INET6": (10, 0), "ROUTE": (16, 0)}
    refused = {"NETFILTER": (16, 12), "CRYPTO": (38, 0), "VSOCK": (40, 0), "XDP": (44, 0), "QIPCRTR": (42, 0)}
    code = (
        f"import socket\nfor name, (family, protocol) in { ({**wanted, **refused})!r}.items():\n"
        "    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):\n"
        "        try:\n            socket.socket(family, kind, protocol)\n            print('FOUND', name)\n"
        "        except OSError: pass"
    )
    found = set(attack(course, after=code).split()) - {"FOUND"}
    assert found - {"INET6"} == set(wanted) - {"INET6"}  # a machine may have no INET6
