"""Brings a newer release into a student's half-done notebook: its corrected cells, with the student's work in them.

An exercise is known by its grade_id, and carries nbgrader's checksum of what it was released as. Any other released
cell has an id that is a digest of its text: so without the earlier release one can tell a released cell that was left
alone (it follows the new release) from one that was edited.
"""

from __future__ import annotations

import copy
import hashlib
import re

import nbformat
from nbformat import NotebookNode

DIGEST = re.compile(r"([0-9a-f]{12})(-\d+)?")


def merge(mine: NotebookNode, release: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """Return ``release`` with the student's work from ``mine`` in it, and a sentence on each thing that changed its place.

    Kept are answers, edited experiments and notes, cells of the student's own, and the outputs of cells that are as
    they were. A solution in which nothing was written gives way to the new release's.
    """
    merged = copy.deepcopy(release)
    places = match(mine, release)
    own: dict[int, list[NotebookNode]] = {}
    exercises = {label(cell) for cell in release.cells}
    taken = {name for cell in release.cells if (name := cell.get("id"))}
    notes, anchor = [], -1
    for cell in mine.cells:
        place = places.get(id(cell))
        if place is not None:
            anchor = place
            merged.cells[place] = updated(cell, release.cells[place])
        elif is_own(cell):
            own.setdefault(anchor, []).append(own_cell(cell, taken))
            if is_solution(cell) and label(cell) not in exercises:
                notes.append(
                    f"{label(cell)} is no exercise any more: your code for it is now a cell of your own"
                )
    cells = list(own.get(-1, []))
    for place, cell in enumerate(merged.cells):
        cells += [cell, *own.get(place, [])]
    merged.cells = cells
    return merged, notes


def match(mine: NotebookNode, release: NotebookNode) -> dict[int, int]:
    """Return for cells of ``mine``, by Python's id, the place of the release's cell that each one is.

    Of several with the same label (a cell that was copied) it is the last one with something written in it.
    """
    by_name = {name_of(cell): place for place, cell in enumerate(release.cells)}
    by_text = {cell.source.strip(): place for place, cell in enumerate(release.cells) if not label(cell)}
    chosen: dict[int, NotebookNode] = {}
    for cell in mine.cells:
        place = by_name.get(name_of(cell), None if label(cell) else by_text.get(cell.source.strip()))
        if place is None:
            continue
        if place not in chosen or not is_unwritten(cell):
            chosen[place] = cell
    return {id(cell): place for place, cell in chosen.items()}


def updated(mine: NotebookNode, released: NotebookNode) -> NotebookNode:
    """Return a released cell with what the student has of it: the text, where that is theirs, and what it showed."""
    cell = copy.deepcopy(released)
    if is_solution(released) and not is_unwritten(mine):
        cell.source = mine.source
    elif not label(released):
        cell.source = mine.source
        cell |= {"attachments": mine.attachments} if "attachments" in mine else {}
    if cell.source == mine.source and cell.cell_type == mine.cell_type == "code":
        cell.outputs, cell.execution_count = mine.outputs, mine.execution_count
    return cell


def is_own(cell: NotebookNode) -> bool:
    """Return whether a cell that the new release has not holds work of the student's."""
    if label(cell):
        return is_solution(cell) and not is_unwritten(cell)
    return bool(cell.source.strip()) and not is_left_alone(cell)


def is_left_alone(cell: NotebookNode) -> bool:
    """Return whether a cell without a label was released, and is as it was then."""
    released_as = DIGEST.fullmatch(cell.get("id", ""))
    return bool(released_as and hashlib.sha256(cell.source.encode()).hexdigest().startswith(released_as[1]))


def is_of_another_release(mine: NotebookNode, release: NotebookNode) -> bool:
    """Return whether a notebook holds cells as another release had them: what the student did with them does not matter."""
    marks = {mark_of(cell) for cell in release.cells}
    released = [cell for cell in mine.cells if label(cell) or is_left_alone(cell)]
    return any(mark_of(cell) not in marks for cell in released)


def mark_of(cell: NotebookNode) -> tuple[str | None, str | None]:
    """Return what tells a released cell, even once it is written in, from the same cell of another release."""
    return name_of(cell), cell.metadata.get("nbgrader", {}).get("checksum")


def is_unwritten(cell: NotebookNode) -> bool:
    """Return whether a cell to write in is blank, or to the letter what it was released as: a comment is work too."""
    from nbgrader.utils import compute_checksum  # here, since it takes a second

    return not cell.source.strip() or compute_checksum(cell) == cell.metadata.nbgrader.get("checksum")


def own_cell(cell: NotebookNode, taken: set[str]) -> NotebookNode:
    """Return a copy of a cell as the student's own: nothing of the course's in its metadata, and an id not yet taken."""
    cell = copy.deepcopy(cell)
    for name in ("nbgrader", "editable", "deletable"):
        cell.metadata.pop(name, None)
    if cell.get("id", "") in taken | {""}:
        cell["id"] = nbformat.v4.new_raw_cell().id
    taken.add(cell["id"])
    return cell


def label(cell: NotebookNode) -> str | None:
    """Return a cell's grade_id."""
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def name_of(cell: NotebookNode) -> str | None:
    """Return what a cell is known by in every release: its grade_id or else its id."""
    return label(cell) or cell.get("id")


def is_solution(cell: NotebookNode) -> bool:
    """Return whether a cell is for the student to write in."""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def same(mine: NotebookNode, other: NotebookNode) -> bool:
    """Return whether two notebooks have the same cells, whatever their outputs."""

    def seen(notebook: NotebookNode) -> list[tuple]:
        return [(cell.cell_type, cell.source, cell.metadata.get("nbgrader")) for cell in notebook.cells]

    return seen(mine) == seen(other)
