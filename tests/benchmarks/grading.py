"""Times a class: stock nbgrader against `convnets grade`, on the same hand-ins, in one run.

    python -m tests.benchmarks.grading [--students 60] [--unit 01-convolution] [--workers 2] [--without-experiments]

Stock runs every cell of a notebook, experiments included; with --without-experiments they are taken out of the hand-ins on
both sides, so that what is compared is grading alone.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from autograder import build
from autograder.marks import put_alembic_on_path

ROOT = Path(__file__).resolve().parents[2]
GRADE = "import sys\nfrom pathlib import Path\nfrom autograder.grading import grade\n"
GRADE += "if __name__ == '__main__':\n    print(grade(Path('.'), workers=int(sys.argv[1]) or None, progress=False))\n"
CONFIG = 'c = get_config()\nc.CourseDirectory.course_id = "bench"\nc.CourseDirectory.ignore = ["__pycache__", "*.py"]\n'


def make_course(folder, unit, students, experiments):
    """Make a course with different hand-ins: solved ones, wrong ones and blank ones."""
    source = folder / "source" / unit
    shutil.copytree(ROOT / "source" / unit, source)
    (folder / "nbgrader_config.py").write_text(CONFIG)
    (folder / "grade.py").write_text(GRADE)
    for number in range(students):
        hand_in(folder, unit, number, experiments)
    build.generate(folder, [unit])


def hand_in(folder, unit, number, experiments):
    """Hand in one notebook: every fifth has a mistake, every tenth is blank."""
    source = folder / "source" / unit / f"{unit}.py"
    notebook = build.template(source) if number % 10 == 9 else build.solved(source)
    for cell in notebook.cells:
        cell.metadata["tags"] = [t for t in cell.metadata.get("tags", []) if not t.startswith("nbval")]
        if number % 5 == 3:
            cell.source = cell.source.replace("// stride + 1", "// stride + 2")
    if not experiments:
        notebook.cells = [c for c in notebook.cells if "experiment" not in c.metadata.get("tags", [])]
    notebook.cells.append(nbformat.v4.new_code_cell(f"# student {number}"))
    path = folder / "submitted" / f"s{number:04d}" / unit / f"{unit}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)


def timed(folder, *command):
    """Run a command in a course folder and return its wall time."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if result.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{result.stderr[-3000:]}")
    return seconds


def marks(folder, unit):
    """Return the automatic marks of a course's gradebook."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder}/gradebook.db") as book:
        return {
            (s.student.id, g.name): g.auto_score
            for s in book.assignment_submissions(unit)
            for g in s.notebooks[0].grades
        }


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--students", type=int, default=60)
    parser.add_argument("--unit", default="01-convolution")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--without-experiments", action="store_true")
    given = parser.parse_args()
    put_alembic_on_path()
    with tempfile.TemporaryDirectory() as folder:
        ours, stock = Path(folder) / "ours", Path(folder) / "stock"
        for course in (ours, stock):
            course.mkdir()
            make_course(course, given.unit, given.students, not given.without_experiments)
        nbgrader = [sys.executable, "-m", "nbgrader"]
        grade = [sys.executable, "grade.py", str(given.workers)]
        times = {"stock autograde": timed(stock, *nbgrader, "autograde", given.unit)}
        times["stock feedback"] = timed(stock, *nbgrader, "generate_feedback", given.unit)
        times["convnets"] = timed(ours, *grade)
        times["convnets again"] = timed(ours, *grade)
        same = marks(ours, given.unit) == marks(stock, given.unit)
        hand_in(ours, given.unit, given.students, not given.without_experiments)
        times["convnets, one more"] = timed(ours, sys.executable, "grade.py", "0")
        both = times["stock autograde"] + times["stock feedback"]
        report = {
            "students": given.students,
            "workers": given.workers,
            "seconds": {name: round(seconds, 2) for name, seconds in times.items()},
            "submissions a minute, stock": round(60 * given.students / both, 1),
            "submissions a minute, convnets": round(60 * given.students / times["convnets"], 1),
            "times faster": round(both / times["convnets"], 1),
            "times faster, unchanged": round(both / times["convnets again"], 1),
            "same marks": same,
            "load": os.getloadavg()[0],
        }
        print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
