"""What has been graded already, by content: the same text, tests and environment are never graded twice.

One SQLite file in the course folder (.convnets/results.sqlite). A result is in it as soon as it exists, so a run that is
killed resumes where it was.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import secrets
import sqlite3
import zlib
from functools import cache
from pathlib import Path
from typing import Any

from .errors import UsageError
from .touched import sources

SCHEMA = """
create table if not exists results (key text primary key, verdicts text not null, notebook blob not null);
create table if not exists written (student text, unit text, mark text not null, primary key (student, unit));
"""
VERSION = "1"  # of the form of a result; raise it when the engine's results change
ENGINE = (
    "inside/*.py",
    "cells.py",
    "isolated.py",
    "rebuild.py",
    "remote.py",
    "sandbox.py",
    "view.py",
    "forkserver.py",
    "worker.py",
)


class Store:
    """Results by key, and what was last written to the gradebook and the folders for each student's unit."""

    def __init__(self, folder: Path):
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            self.database = sqlite3.connect(folder / "results.sqlite", isolation_level=None)
            self.database.executescript("pragma journal_mode = wal; pragma synchronous = normal;" + SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"{folder} cannot be written: {error}") from None
        self.secret = course_secret(folder)

    def verdicts(self, key: str) -> list[dict[str, Any]] | None:
        """Return the verdicts stored under ``key``, or None; damaged ones count as none."""
        row = self.database.execute("select verdicts from results where key = ?", (key,)).fetchone()
        try:
            return json.loads(row[0]) if row else None
        except ValueError:
            return None

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the whole result stored under ``key``, executed notebook included, or None."""
        row = self.database.execute("select verdicts, notebook from results where key = ?", (key,)).fetchone()
        try:
            return (
                {"verdicts": json.loads(row[0]), "notebook": zlib.decompress(row[1]).decode()}
                if row
                else None
            )
        except (ValueError, zlib.error):
            return None

    def put(self, key: str, result: dict[str, Any]) -> None:
        """Store a result."""
        notebook = zlib.compress(result["notebook"].encode(), 6)
        row = (key, json.dumps(result["verdicts"]), notebook)
        self.database.execute("insert or replace into results values (?, ?, ?)", row)

    def written(self, student: str, unit: str) -> str:
        """Return the mark of what was last written for a student's unit."""
        row = self.database.execute(
            "select mark from written where student = ? and unit = ?", (student, unit)
        ).fetchone()
        return row[0] if row else ""

    def set_written(self, student: str, unit: str, mark: str) -> None:
        """Note that all of a student's unit has been written."""
        self.database.execute("insert or replace into written values (?, ?, ?)", (student, unit, mark))

    def close(self) -> None:
        """Close the file."""
        self.database.close()


def course_secret(folder: Path) -> str:
    """Return the course's secret, from which random cases are drawn; made on first use, readable by its owner alone."""
    path = folder / "secret"
    if not path.exists():
        part = folder / f"secret.{os.getpid()}"
        part.touch(mode=0o600)
        part.write_text(secrets.token_hex(32))
        try:
            os.link(part, path)  # the first one wins
        except FileExistsError:
            pass
        finally:
            part.unlink()
    return path.read_text()


def key_of(exercises: tuple[str, ...], *parts: object) -> str:
    """Return the key of what follows from ``parts``, plain data, where ``exercises`` are checked in this environment."""
    text = json.dumps([environment(sources(exercises)), *parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def environment(files: tuple[Path, ...]) -> str:
    """Return a digest of everything else that a mark depends on: the checks, the engine, the libraries."""
    digest = hashlib.sha256(VERSION.encode())
    engine = {path for pattern in ENGINE for path in Path(__file__).parent.glob(pattern)}
    for path in (*files, *sorted(engine)):
        digest.update(path.read_bytes())
    for name in ("numpy", "torch", "ipython", "matplotlib"):
        digest.update(importlib.metadata.version(name).encode())
    digest.update(f"{platform.python_version()} {platform.machine()}".encode())
    return digest.hexdigest()
