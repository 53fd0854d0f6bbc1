"""Errors that a reader can mend: one line, and in a notebook no traceback around it."""


class PlainError(Exception):
    """Something that the caller can mend, said in one line; a notebook shows that line alone."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class TrainingError(PlainError, ValueError):
    """Training cannot start, or cannot go on."""


class DataError(PlainError, OSError):
    """A data set is not here and cannot be fetched."""
