"""A progress bar that leaves one line behind: in a notebook, in a terminal, and in a log file."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


class Cell:
    """What tqdm writes to in a notebook: each text takes the place of the one before, so that the saved output is one line."""

    encoding = "utf-8"  # tqdm then draws blocks

    def __init__(self) -> None:
        from IPython.display import display

        self.handle = display({"text/plain": ""}, raw=True, display_id=True)

    def write(self, text: str) -> None:
        """Show a text."""
        if text.strip():
            self.handle.update({"text/plain": text.strip()}, raw=True)

    def flush(self) -> None:
        """There is nothing to flush."""


class Bar:
    """Counts images through epochs (or another unit), with the time that is left; ``close`` leaves a summary in its place.

    Where nobody watches (a log file), it writes one line an epoch. ``shown=False`` shows nothing at all.
    """

    def __init__(self, total: int, done: int = 0, shown: bool = True, unit: str = " images"):
        self.shown, self.cell = shown, Cell() if shown and in_notebook() else None
        watched = self.cell is not None or sys.stderr.isatty()
        self.bar = tqdm(
            total=total,
            initial=done,
            unit=unit,
            unit_scale=True,
            leave=False,
            file=self.cell or sys.stderr,  # type: ignore[arg-type]
            disable=not (shown and watched),
            dynamic_ncols=self.cell is None,
            mininterval=0.2,
        )

    def advance(self, images: int) -> None:
        """Count images."""
        self.bar.update(images)

    def say(self, title: str) -> None:
        """Set the words before the bar."""
        self.bar.set_description(title, refresh=False)

    def note(self, text: str) -> None:
        """Set the words after the bar."""
        self.bar.set_postfix_str(text, refresh=False)

    def line(self, text: str) -> None:
        """Write a line that stays, where there is no bar to watch."""
        if self.shown and self.bar.disable:
            print(text, flush=True)

    def close(self, summary: str) -> None:
        """Put the summary in the bar's place."""
        self.bar.close()
        if self.cell:
            self.cell.write(summary)
        elif self.shown:
            print(summary, flush=True)


def in_notebook() -> bool:
    """Tell whether this runs in a kernel, whose output cells can be rewritten."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return hasattr(shell, "kernel")
