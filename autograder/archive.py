"""Files from a zip or a folder that came from outside: read one by one, never unpacked, and refused as a whole if hostile."""

from __future__ import annotations

import contextlib
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from .errors import UsageError
from .rebuild import MEGABYTE, Unreadable, read_file

FILES = 20_000
TOTAL_MB = 4_000
BROKEN = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError)


class Archive:
    """The plain files of a zip or folder, by their path in it."""

    def __init__(self, path: Path, names: list[str]):
        self.path, self.names, self.left = path, names, TOTAL_MB * MEGABYTE

    def read(self, name: str, limit_mb: int) -> bytes:
        """Return a file's content; raises UsageError for more than ``limit_mb``, whatever the archive claims."""
        limit = min(limit_mb * MEGABYTE, self.left)
        try:
            data = self.content(name, limit)
        except (*BROKEN, Unreadable) as error:
            raise UsageError(f"{name} in {self.path} cannot be read: {error}") from None
        if len(data) > limit:
            raise UsageError(
                f"{self.path} was not collected: {name} unpacks to more than {limit // MEGABYTE} MB."
            )
        self.left -= len(data)
        return data

    def content(self, name: str, limit: int) -> bytes:
        """Return up to ``limit`` + 1 bytes of a file."""
        raise NotImplementedError


class Folder(Archive):
    """A folder."""

    def content(self, name: str, limit: int) -> bytes:
        """Return up to ``limit`` + 1 bytes of a file, which must be no link."""
        return read_file(self.path / name, limit)


class Zip(Archive):
    """A zip."""

    def __init__(self, path: Path, names: list[str], file: zipfile.ZipFile):
        super().__init__(path, names)
        self.file = file

    def content(self, name: str, limit: int) -> bytes:
        """Return up to ``limit`` + 1 bytes of a file, unpacking no more than that."""
        with self.file.open(name) as file:
            return file.read(limit + 1)


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a zip or a folder; raises UsageError for what is neither, and for what leads out of it."""
    if path.is_dir():
        files = [file for file in sorted(path.rglob("*")) if file.is_symlink() or file.is_file()]
        links = [file for file in files if file.is_symlink()]
        if links:
            refuse(path, f"{links[0].relative_to(path)} is a link")
        yield Folder(path, checked(path, [file.relative_to(path).as_posix() for file in files]))
        return
    try:
        file = zipfile.ZipFile(path)
    except FileNotFoundError:
        raise UsageError(f"There is no {path}.") from None
    except BROKEN as error:
        raise UsageError(f"{path} is neither a zip nor a folder: {error}") from None
    with file:
        yield Zip(path, zip_names(path, file), file)


def zip_names(path: Path, file: zipfile.ZipFile) -> list[str]:
    """Return the names of a zip's files; raises UsageError for links, secrets and doubles."""
    entries = [entry for entry in file.infolist() if not entry.is_dir()]
    for entry in entries:
        if stat.S_ISLNK(entry.external_attr >> 16):
            refuse(path, f"{entry.filename} is a link")
        if entry.flag_bits & 1:
            refuse(path, f"{entry.filename} is encrypted")
    return checked(path, [entry.filename for entry in entries])


def checked(path: Path, names: list[str]) -> list[str]:
    """Return the names if they stay inside, each is there once, and they are not too many."""
    if len(names) > FILES:
        refuse(path, f"it holds {len(names)} files, and {FILES} are the most")
    for name, count in Counter(names).items():
        if count > 1:
            refuse(path, f"{name} is in it {count} times")
        if name.startswith("/") or "\\" in name or ":" in name[:2] or ".." in PurePosixPath(name).parts:
            refuse(path, f"{name} leads out of it")
    return names


def refuse(path: Path, why: str) -> None:
    """Raise UsageError for an archive that no learning system makes."""
    raise UsageError(f"{path} was not collected: {why}. No learning system makes such a file; look at it.")
