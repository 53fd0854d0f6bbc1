"""No network, not even this machine's own; and no library that does the exercise."""

import socket
import sysconfig
import threading

import pytest

from tests.threats.attack import attack

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

TRY = """
import socket
def attempt(what, *address, family=socket.AF_INET, kind=socket.SOCK_STREAM):
    try:
        s = socket.socket(family, kind); s.settimeout(1)
        if kind == socket.SOCK_DGRAM: s.sendto(b"secret", *address)
        else: s.connect(*address)
        print("FOUND", what)
    except OSError: pass
"""


@pytest.fixture
def listener(tmp_path):
    """A TCP port, an abstract and a file socket on this machine, and what connected to them."""
    heard, servers = [], []
    for family, address in [
        (socket.AF_INET, ("127.0.0.1", 0)),
        (socket.AF_UNIX, f"\0wombat-{id(heard)}"),
        (socket.AF_UNIX, str(tmp_path / "s")),
    ]:
        server = socket.socket(family)
        server.bind(address)
        server.listen()
        threading.Thread(target=accept, args=(server, heard), daemon=True).start()
        servers.append(server)
    yield servers, heard
    for server in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def accept(server, heard):
    """Note who connects."""
    try:
        while True:
            connection, _ = server.accept()
            heard.append(connection)
            connection.close()
    except OSError:
        pass


def test_nothing_on_this_machine_can_be_reached(course, listener):
    servers, heard = listener
    port, abstract, file = servers[0].getsockname(), servers[1].getsockname(), servers[2].getsockname()
    code = TRY + f"attempt('loopback', {port!r})\nattempt('abstract', {abstract!r}, family=socket.AF_UNIX)\n"
    code += f"attempt('file', {file!r}, family=socket.AF_UNIX)"
    assert "FOUND" not in attack(course, after=code)
    assert heard == []


ATTACKS = {
    "an address": TRY
    + "attempt('tcp', ('1.1.1.1', 80))\nattempt('udp', ('1.1.1.1', 53), kind=socket.SOCK_DGRAM)",
    "a name": "import socket\ntry: socket.getaddrinfo('example.org', 80); print('FOUND')\nexcept OSError: pass",
    "the web": "import urllib.request\ntry: urllib.request.urlopen('http://example.org', timeout=1); print('FOUND')\nexcept OSError: pass",
    "an interface": "import socket\nprint('FOUND' if [n for _, n in socket.if_nameindex() if n != 'lo'] else '')",
    "raw packets": "import socket\ntry: socket.socket(socket.AF_PACKET, socket.SOCK_RAW); print('FOUND')\nexcept OSError: pass",
    "a server for its classmates": (
        "import socket\ns = socket.socket()\ntry: s.bind(('127.0.0.1', 45678)); s.listen(); "
        "c = socket.create_connection(('127.0.0.1', 45678), 1); print('FOUND')\nexcept OSError: pass"
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_beyond_this_machine_can_be_reached(course, name):
    assert "FOUND" not in attack(course, after=ATTACKS[name])


SITE = sysconfig.get_path("purelib")
IMPORTS = {
    "a plain import": "import {name}",
    "the real folder on the path": f"import sys; sys.path.insert(0, {SITE!r}); import {{name}}",
    "a search of the whole disk": (
        "import os, sys\nfor folder, folders, _ in os.walk('/'):\n    if '{name}' in folders and 'site' in folder + '/site':\n"
        "        sys.path.insert(0, folder)\nimport {name}\n{name}.__version__"
    ),
    "another interpreter": (
        "import subprocess\nfor python in ('/usr/bin/python3', '/usr/bin/python3.11', '/usr/local/bin/python3'):\n    try:\n"
        "        if subprocess.run([python, '-c', 'import {name}; {name}.__version__']).returncode == 0: FOUND = True\n"
        "    except OSError: pass\nFOUND"
    ),
    "pip": "import subprocess, sys; subprocess.run([sys.executable, '-m', 'pip', 'install', '{name}'], check=True)\nimport {name}",
}


@pytest.mark.parametrize("library", ["torch", "scipy", "sklearn"])
@pytest.mark.parametrize("way", IMPORTS)
def test_a_numpy_unit_has_no_library_that_does_the_exercise(course, way, library):
    code = IMPORTS[way].format(name=library).replace("\n", "\n    ")
    attack(
        course,
        after=f"try:\n    {code}\n    output_size = lambda *a, **k: 'FOUND it'\nexcept BaseException: pass",
    )
    said = attack(course, after=f"try:\n    {code}\n    print('FOUND')\nexcept BaseException: pass")
    assert "FOUND" not in said
