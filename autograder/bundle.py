"""One zip for students: the release notebooks, course/ with the student's commands, and how to install them.

The same input gives the same bytes. A release notebook that holds a line of a solution or of a hidden test is refused.
"""

from __future__ import annotations

import io
import json
import re
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from course.student.errors import UsageError
from course.student.files import write

ROOT = Path(__file__).resolve().parent.parent
FOLDER = "convnets"  # what the zip unpacks to
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can hold
FENCE = re.compile(r"### (BEGIN|END) (SOLUTION|HIDDEN TESTS)")
BLOCK = re.compile(
    r"### BEGIN (?:SOLUTION|HIDDEN TESTS)\n(.*?)\n[ \t]*### END (?:SOLUTION|HIDDEN TESTS)", re.S
)
PYPROJECT = """[build-system]
requires = {build}

[project]
name = "{name}"
version = "{version}"
description = "{description}"
requires-python = "{python}"
dependencies = {dependencies}

[project.scripts]
convnets = "course.student.cli:main"

[tool.setuptools.packages.find]
include = ["course*"]

[tool.setuptools.package-data]
"*" = {data}
"""


def bundle(course: Path, units: Iterable[str], out: Path) -> list[str]:
    """Write the zip for ``units`` (all by default) of the course folder to ``out``, and return their names.

    Raises UsageError for an unknown unit, or where release/ holds what students must not see.
    """
    lessons = find_lessons(course, units)
    files = {
        f"release/{path.relative_to(course / 'release').as_posix()}": path.read_bytes() for path in lessons
    }
    refuse_secrets(files, course)
    write(out, zipped(package_files() | files))
    return sorted({path.relative_to(course / "release").parts[0] for path in lessons})


def find_lessons(course: Path, units: Iterable[str]) -> list[Path]:
    """Return the files of release/ that belong to ``units``, or to all."""
    folders = {path.name: path for path in sorted((course / "release").glob("*")) if path.is_dir()}
    if not folders:
        raise UsageError(f"There are no lessons in {course / 'release'}: make them with `convnets build`.")
    for name in units:
        if name not in folders:
            raise UsageError(f"{course / 'release'} has no unit {name!r}; there are: {', '.join(folders)}.")
    chosen = [folders[name] for name in units] or list(folders.values())
    return [path for folder in chosen for path in visible_files(folder)]


def visible_files(folder: Path) -> Iterator[Path]:
    """Yield the files below ``folder``, but for hidden ones and what Python and npm leave behind."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(
            p.startswith(".") or p in ("__pycache__", "node_modules") for p in parts
        ):
            yield path


def package_files() -> dict[str, bytes]:
    """Return by name what every bundle holds beside the lessons."""
    course = [path for path in visible_files(ROOT / "course") if path.suffix not in (".png", ".md")]
    files = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in course}
    for name in ("LICENSE", "constraints.txt"):
        files[name] = (ROOT / name).read_bytes()
    files["README.md"] = (ROOT / "course/student/README.md").read_bytes()
    files["pyproject.toml"] = students_pyproject().encode()
    files["environment.yml"] = students_environment().encode()
    return files


def students_pyproject() -> str:
    """Return a pyproject.toml that installs course/ and the student's commands."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))
    project = settings["project"]
    return PYPROJECT.format(
        build=json.dumps(settings["build-system"]["requires"]),
        name=project["name"],
        version=project["version"],
        description=project["description"],
        python=project["requires-python"],
        dependencies=json.dumps(project["dependencies"], indent=4),
        data=json.dumps(settings["tool"]["setuptools"]["package-data"]["*"]),
    )


def students_environment() -> str:
    """Return conda's environment.yml without the extras that only grading and the tests need."""
    return re.sub(r"-e \.\[[\w,]+\]", "-e .", (ROOT / "environment.yml").read_text("utf8"))


def refuse_secrets(files: dict[str, bytes], course: Path) -> None:
    """Raise UsageError if a file of a release holds a line of its unit's solutions or hidden tests."""
    for name, content in files.items():
        text = notebook_text(content) if name.endswith(".ipynb") else content.decode("utf8", "replace")
        unit = name.split("/")[1]
        secrets = secret_lines(course / "source" / unit / f"{unit}.py")
        found = next(
            (line for line in text.splitlines() if line.strip() in secrets or FENCE.search(line)), ""
        )
        if found:
            raise UsageError(
                f"{name} holds a solution or a hidden test: `{found.strip()}`. Run `convnets build`."
            )


def notebook_text(content: bytes) -> str:
    """Return all that stands in a notebook's cells, their outputs included."""
    try:
        cells = json.loads(content)["cells"]
        return "\n".join(
            "".join(cell["source"]) + "\n" + json.dumps(cell.get("outputs", [])) for cell in cells
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"A notebook in release/ cannot be read: {error}") from None


def secret_lines(source: Path) -> set[str]:
    """Return the lines that stand in a source's solutions and hidden tests and nowhere else; none without a source."""
    if not source.is_file():
        return set()
    text = source.read_text("utf8")
    hidden = {line.strip() for block in BLOCK.findall(text) for line in block.splitlines()}
    shown = {line.strip() for line in BLOCK.sub("", text).splitlines()}
    return {line for line in hidden - shown if len(line) > 3}


def zipped(files: dict[str, bytes]) -> bytes:
    """Return a zip of files by name: in order, undated, readable by all."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(f"{FOLDER}/{name}", LONG_AGO)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # Unix, also when packed on Windows
            archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
