"""Rebuilding: the instructor's notebook with the student's answers in it, whatever was done to the rest.

Taken from a submission are the text of its solution cells, by ``grade_id``, and the student's own extra code, in place.
What was deleted, doubled, moved, retyped or relabelled is listed and changes nothing.
"""

from __future__ import annotations

import copy
import json
import os
import re
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

MEGABYTE = 1 << 20
DEFINITION = re.compile(r"^(?:(?:async +)?def|class) +(\w+)|^(\w+) *=(?!=)", re.M)
HIDDEN_TESTS = re.compile(r"^[^\n]*BEGIN HIDDEN TESTS.*?END HIDDEN TESTS[^\n]*\n?", re.M | re.S)


class Unreadable(Exception):
    """A submission that cannot be graded, in a sentence for its row."""


def read_submission(path: Path, limit_mb: int) -> list[dict[str, Any]]:
    """Return the cells of a submitted notebook as type, text, grade_id, id; raises Unreadable.

    Nothing of its metadata is trusted, and a broken one costs nobody else anything.
    """
    data = read_file(path, limit_mb * MEGABYTE)
    try:
        notebook = json.loads(decode(data))
        if "cells" in notebook:
            cells = notebook["cells"]
        else:  # format 3 and older
            cells = [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]
        if not isinstance(cells, list):
            raise TypeError("cells is not a list")
    except RecursionError:
        raise Unreadable(f"{path.name} is nested too deeply to be a notebook.") from None
    except Exception as error:
        raise Unreadable(f"{path.name} is not a notebook: {one_line(error)}") from None
    return [plain_cell(cell) for cell in cells if isinstance(cell, dict)]


def read_file(path: Path, limit: int) -> bytes:
    """Return the content of a regular file; a link, a pipe or a giant is Unreadable."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        what = "is a link to somewhere else" if path.is_symlink() else f"cannot be opened: {error.strerror}"
        raise Unreadable(f"{path.name} {what}.") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unreadable(f"{path.name} is not a file.")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(limit + 1)
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise Unreadable(f"{path.name} is larger than {limit // MEGABYTE} MB.")
    return data


def decode(data: bytes) -> str:
    """Return the text of a notebook: UTF-8, or what an old editor made of it."""
    for encoding in ("utf-8-sig", "utf-16") if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def one_line(error: BaseException) -> str:
    """Return the first line of an error, short."""
    return next(iter(str(error).splitlines()), type(error).__name__)[:200]


def plain_cell(cell: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of a submitted cell that matter, each of the type it should have."""
    source = cell.get("source", cell.get("input", ""))  # input: format 3
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    label = cell.get("metadata")
    label = label.get("nbgrader") if isinstance(label, dict) else None
    grade_id = label.get("grade_id") if isinstance(label, dict) else None
    return {
        "type": cell.get("cell_type"),
        "source": (source if isinstance(source, str) else "").encode("utf-8", "replace").decode(),
        "grade_id": grade_id if isinstance(grade_id, str) else None,
        "id": cell.get("id") if isinstance(cell.get("id"), str) else None,
    }


def rebuild(template: NotebookNode, cells: list[dict[str, Any]]) -> tuple[NotebookNode, list[str]]:
    """Return the template with the student's answers and own cells, and what had been changed beside these."""
    places = match(template, cells)
    answers = choose(template, cells, places)
    notebook = copy.deepcopy(template)
    changes = describe_changes(template, cells, places)
    for place, index in answers.items():
        if is_solution(notebook.cells[place]):
            notebook.cells[place].source = cells[index]["source"]
    own = own_cells(template, cells, places, answers)
    rebuilt = []
    for place in range(-1, len(notebook.cells)):
        rebuilt += [notebook.cells[place]] if place >= 0 else []
        rebuilt += [own_cell(number, source) for number, source in own.get(place, [])]
    notebook.cells = rebuilt
    return notebook, changes


def match(template: NotebookNode, cells: list[dict[str, Any]]) -> dict[int, int]:
    """Return for cells of the submission (by index) the template's cell that each one is.

    A text tells only where no label or id does, and once: `check(conv2d)` typed again is not the test cell.
    """
    places = named(template, cells)
    taken = set(places.values())
    free = {released(cell).strip(): i for i, cell in enumerate(template.cells) if i not in taken}
    for index, cell in enumerate(cells):
        text = cell["source"].strip()
        if index not in places and text in free:
            places[index] = free.pop(text)
    return places


def named(template: NotebookNode, cells: list[dict[str, Any]]) -> dict[int, int]:
    """Return the part of ``match`` that labels and ids tell."""
    by_label = {label(cell): i for i, cell in enumerate(template.cells) if label(cell)}
    by_id = {cell.get("id"): i for i, cell in enumerate(template.cells) if not label(cell) and cell.get("id")}
    places = {}
    for index, cell in enumerate(cells):
        place = by_label.get(relabelled(template, cell, by_label) or cell["grade_id"])
        place = by_id.get(cell["id"]) if place is None else place
        if place is not None:
            places[index] = place
    return places


def relabelled(template: NotebookNode, cell: dict[str, Any], by_label: dict[str | None, int]) -> str | None:
    """Return the exercise that a labelled cell defines where its label says another: labels can be swapped, code not."""
    if cell["grade_id"] not in by_label:
        return None
    defined = definitions(cell["source"])
    exercises = [name for name in defined if name in by_label and is_solution(template.cells[by_label[name]])]
    return exercises[0] if len(exercises) == 1 and cell["grade_id"] not in defined else None


def choose(template: NotebookNode, cells: list[dict[str, Any]], places: dict[int, int]) -> dict[int, int]:
    """Return by place the cell that counts: of doubles the first, of answers the last that defines what is asked for."""

    def worth(index: int) -> tuple[bool, int]:
        place = places[index]
        late = index if is_solution(template.cells[place]) else -index
        return answers_for(template, cells[index], place), late

    return {places[index]: index for index in sorted(places, key=worth)}


def answers_for(template: NotebookNode, cell: dict[str, Any], place: int) -> bool:
    """Return whether a submitted cell defines what the template's solution cell at ``place`` is there for."""
    return label(template.cells[place]) in definitions(cell["source"])


def definitions(source: str) -> set[str]:
    """Return the names that a cell's text defines, whether or not it is valid Python."""
    return {name for pair in DEFINITION.findall(source) for name in pair if name}


def own_cells(
    template: NotebookNode, cells: list[dict[str, Any]], places: dict[int, int], answers: dict[int, int]
) -> dict[int, list[tuple[int, str]]]:
    """Return the student's own code by the place in the template that it follows (-1: before everything)."""
    own: dict[int, list[tuple[int, str]]] = {}
    given = {released(cell).strip() for cell in template.cells} | {""}
    times = Counter(named(template, cells).values())
    anchor = -1
    for index, cell in enumerate(cells):
        place = places.get(index)
        if place is not None and answers[place] == index:
            # a cell that is there twice, or known by its text alone, may be a copy: own cells never go back to it
            anchor = place if times[place] == 1 else max(anchor, place)
            if is_solution(template.cells[place]):
                continue
        experiment = place is not None and has_tag(template.cells[place], "experiment")
        if cell["type"] == "code" and cell["source"].strip() not in given and not experiment:
            own.setdefault(anchor, []).append((index, cell["source"]))
    return own


def own_cell(number: int, source: str) -> NotebookNode:
    """Return a code cell of the student's own."""
    cell = nbformat.v4.new_code_cell(source, metadata={"convnets": {"own": True}})
    cell["id"] = f"own-{number}"
    return cell


def describe_changes(
    template: NotebookNode, cells: list[dict[str, Any]], places: dict[int, int]
) -> list[str]:
    """Return what the student changed that a student need not change, in sentences."""
    labels = {label(cell): cell for cell in template.cells if label(cell)}
    counts = Counter(cell["grade_id"] for cell in cells if cell["grade_id"])
    found = {cell["grade_id"]: cell for cell in cells if cell["grade_id"] in labels}
    changes = [f"Cell {name} was deleted." for name in labels if name not in found]
    changes += [f"Cell {name} was there {n} times." for name, n in counts.items() if n > 1 and name in labels]
    changes += [f"There is no cell {name} in this unit." for name in counts if name not in labels]
    for name, cell in found.items():
        original = labels[name]
        if cell["type"] != original.cell_type:
            changes.append(f"Cell {name} was made a {cell['type']} cell.")
        if not is_solution(original) and cell["source"].strip() != released(original).strip():
            changes.append(f"Cell {name}, which is the instructor's, was edited.")
    order = [place for index, place in sorted(places.items()) if label(template.cells[place])]
    if order != sorted(order) and max(counts.values(), default=0) < 2:
        changes.append("Cells were moved.")
    return changes


def has_exercise(template: NotebookNode, cells: list[dict[str, Any]]) -> bool:
    """Return whether a submission has one of this unit's exercises; a setup cell says nothing, since units share it."""
    exercises = {i for i, cell in enumerate(template.cells) if is_solution(cell) or is_test(cell)}
    return not exercises or not exercises.isdisjoint(match(template, cells).values())


def belongs(template: NotebookNode, cells: list[dict[str, Any]]) -> bool:
    """Return whether a submission is of this unit: it has one of its exercises, or no labelled cell at all."""
    return all(cell["grade_id"] is None for cell in cells) or has_exercise(template, cells)


def label(cell: NotebookNode) -> str | None:
    """Return a template cell's grade_id."""
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def is_solution(cell: NotebookNode) -> bool:
    """Return whether a template cell is for the student to write in."""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def is_test(cell: NotebookNode) -> bool:
    """Return whether a template cell gives a mark by itself."""
    about = cell.metadata.get("nbgrader", {})
    return bool(about.get("grade")) and not about.get("solution") and cell.cell_type == "code"


def has_tag(cell: NotebookNode, tag: str) -> bool:
    """Return whether a template cell has a tag."""
    return tag in cell.metadata.get("tags", [])


def released(cell: NotebookNode) -> str:
    """Return a template cell's text as students get it."""
    return HIDDEN_TESTS.sub("", cell.source)


def uses_torch(notebook: NotebookNode) -> bool:
    """Return whether the instructor's setup cells import torch."""
    words = ("import torch", "from torch")
    return any(
        line.strip().startswith(words)
        for c in notebook.cells
        if has_tag(c, "setup")
        for line in c.source.split("\n")
    )
