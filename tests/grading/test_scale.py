"""Killed runs, clusters and databases: nothing is lost, and it is the same everywhere."""

import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograder.grading import grade
from tests.grading.classroom import UNIT, WRONG, edited, hand_in, make_course

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
RUN = "import sys\nfrom pathlib import Path\nfrom autograder.grading import grade\n"
RUN += "if __name__ == '__main__':\n    grade(Path(sys.argv[1]), workers=2, progress=False)\n"


def fill(course, count):
    """Hand in ``count`` different notebooks, every third one wrong, and give the course a known secret."""
    for number in range(count):
        changes = [WRONG] if number % 3 == 0 else []
        hand_in(course, f"s{number:04d}", edited(course, *changes, after=f"number = {number}"))
    (course / ".convnets").mkdir(mode=0o700)
    (course / ".convnets" / "secret").write_text("the same for all")
    return course


def marks(course, url=None):
    """Return all automatic marks in the gradebook."""
    with Gradebook(url or f"sqlite:///{course}/gradebook.db") as book:
        return {
            (s.student.id, grade.name): (grade.auto_score, grade.needs_manual_grade)
            for s in book.assignment_submissions(UNIT)
            for grade in s.notebooks[0].grades
        }


def environment():
    """Return the environment in which a command of this checkout runs."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}


def stored(course):
    """Return how many results a run has stored so far."""
    try:
        with sqlite3.connect(f"file:{course}/.convnets/results.sqlite?mode=ro", uri=True) as database:
            return database.execute("select count(*) from results").fetchone()[0]
    except sqlite3.Error:
        return 0


@pytest.mark.parametrize(
    ("count", "kills"), [(6, 3), pytest.param(60, 20, marks=pytest.mark.scale, id="a whole class")]
)
def test_a_run_that_is_killed_again_and_again_ends_like_an_undisturbed_one(tmp_path, count, kills):
    calm = fill(make_course(tmp_path / "calm"), count)
    started = time.monotonic()
    grade(calm, workers=2, progress=False)
    span = time.monotonic() - started
    course = fill(make_course(tmp_path / "course"), count)
    script = tmp_path / "run.py"
    script.write_text(RUN)
    chance = random.Random(20)
    for _ in range(kills):
        process = subprocess.Popen([sys.executable, str(script), str(course)], env=environment())
        time.sleep(chance.uniform(0, span))
        process.kill()
        process.wait()
    grade(course, workers=2, progress=False)
    assert (course / "grades.csv").read_bytes() == (calm / "grades.csv").read_bytes()
    assert marks(course) == marks(calm)
    for path in calm.glob("autograded/*/*/*.ipynb"):
        assert (course / path.relative_to(calm)).read_bytes() == path.read_bytes()
        assert (course / "feedback" / path.relative_to(calm / "autograded").with_suffix(".html")).exists()


def test_ctrl_c_ends_a_run_in_one_line_and_the_next_goes_on(tmp_path):
    course = make_course(tmp_path)
    for number in range(8):
        hand_in(course, f"s{number}", edited(course, after=f"import time; time.sleep(1)  # {number}"))
    command = [Path(sys.executable).with_name("convnets"), "grade", "--workers", "2"]
    run = subprocess.Popen(
        ["env", "--default-signal=INT", *command],  # where the tests run behind `&`, it is ignored
        cwd=course,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    while stored(course) < 2 and run.poll() is None:
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to every process of the command
    said, _ = run.communicate(timeout=120)
    lines = [line for line in said.splitlines() if line and "/8 [" not in line]
    assert (run.returncode, lines) == (
        130,
        ["Stopped. What is graded is kept, and the same command goes on from there."],
    )
    again = grade(course, workers=2, progress=False)
    assert again.from_store > 0 and again.graded > 0 and again.from_store + again.graded == 8


LARGE = """
import os, signal, threading, time
from autograder import fanout

class Large:
    def __reduce__(self):  # while a worker sends it
        time.sleep(1)
        return Large, ()

def interrupt():
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGINT)

if __name__ == "__main__":
    fanout.work = lambda job: {"result": Large()}
    outcomes = fanout.run(((n, {}) for n in range(8)), 8, 2, None)
    try:
        for label, outcome in outcomes:
            threading.Thread(target=interrupt).start()
    except KeyboardInterrupt:
        outcomes.close()
        print("stopped")
"""


def test_ctrl_c_while_a_result_is_on_its_way_says_nothing_of_the_connections_it_ends(tmp_path):
    script = tmp_path / "large.py"
    script.write_text(LARGE)
    command = ["env", "--default-signal=INT", sys.executable, str(script)]
    run = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120)
    assert (run.returncode, run.stdout, run.stderr) == (0, "stopped\n", "")


@pytest.fixture
def scheduler(tmp_path):
    """A Dask scheduler and two workers, as processes of their own; yields the address and the workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    options = {"env": environment(), "cwd": tmp_path, "stderr": subprocess.DEVNULL, "start_new_session": True}
    dask = [sys.executable, "-m", "dask"]
    command = [*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--no-show"]
    processes = [subprocess.Popen(command, **options)]
    for number in range(2):
        place = ["--local-directory", str(tmp_path / f"w{number}"), "--no-dashboard", "--nthreads", "1"]
        processes.append(subprocess.Popen([*dask, "worker", address, *place], **options))
    yield address, processes[1:]
    for process in processes:
        kill(process)


def kill(process):
    """Kill a process and all of its session."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_cluster_of_ones_own_gives_the_same_and_survives_a_worker(tmp_path, scheduler):
    address, workers = scheduler
    calm = fill(make_course(tmp_path / "calm"), 12)
    expected = grade(calm, workers=2, progress=False)
    course = fill(make_course(tmp_path / "course"), 12)
    script = tmp_path / "run.py"
    script.write_text(RUN.replace("workers=2", f"scheduler={address!r}"))
    process = subprocess.Popen([sys.executable, str(script), str(course)], env=environment())
    deadline = time.monotonic() + 300
    while stored(course) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    kill(workers[0])
    assert process.wait(timeout=300) == 0
    assert (course / "grades.csv").read_bytes() == (calm / "grades.csv").read_bytes()
    assert len(expected.rows) == 36


@pytest.fixture
def postgres(tmp_path_factory):
    """The address of a PostgreSQL server on loopback, of this test's own."""
    programs = shutil.which("initdb") or sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))[-1]
    programs = Path(programs).parent
    folder = tmp_path_factory.mktemp("postgres")
    as_user = []
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        as_user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
        folder = Path("/tmp") / f"convnets-postgres-{os.getpid()}"
        folder.mkdir(mode=0o700)
        shutil.chown(folder, "postgres", "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": "/"}
    data = folder / "data"
    subprocess.run(
        [*as_user, programs / "initdb", "-D", data, "-U", "grader", "--auth", "trust", "-E", "utf8"], **quiet
    )
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
    subprocess.run(
        [*as_user, programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"],
        **quiet,
    )
    yield f"postgresql+psycopg2://grader@127.0.0.1:{port}/postgres"
    subprocess.run([*as_user, programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"], **quiet)
    shutil.rmtree(folder)


@pytest.mark.postgres
def test_postgresql_holds_the_same_marks_as_sqlite(tmp_path, postgres):
    calm = fill(make_course(tmp_path / "calm"), 4)
    grade(calm, progress=False)
    course = fill(make_course(tmp_path / "course", f"c.CourseDirectory.db_url = {postgres!r}\n"), 4)
    summary = grade(course, progress=False)
    assert not (course / "gradebook.db").exists()
    assert (course / "grades.csv").read_bytes() == (calm / "grades.csv").read_bytes()
    assert marks(course, postgres) == marks(calm)
    again = grade(course, progress=False)
    assert (summary.graded, again.graded, again.from_store) == (4, 0, 4)


@pytest.mark.scale
def test_the_main_process_stays_small_over_a_thousand_hand_ins(tmp_path):
    course = make_course(tmp_path / "course")
    notebook = edited(course, WRONG)
    for number in range(1000):
        hand_in(course, f"s{number:04d}", notebook)
    script = tmp_path / "run.py"
    # not ru_maxrss: across vfork and exec a child inherits the peak of pytest's own process there
    script.write_text(
        RUN + "    print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
    )
    command = [sys.executable, str(script), str(course)]
    result = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    assert int(result.stdout.split()[-1]) < 1024 * 1024  # KiB
    assert len((course / "grades.csv").read_text().splitlines()) > 3000
