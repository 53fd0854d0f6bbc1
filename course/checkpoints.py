"""A training run in a file: written after every epoch, read to go on."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from course.errors import TrainingError


def write(path: Path, state: dict[str, Any]) -> None:
    """Write a state so that the file is always a whole one: the old, or the new."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(beside, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise TrainingError(f"the checkpoint {path} cannot be written: {error.strerror or error}") from None
    finally:
        beside.unlink(missing_ok=True)


def read(path: Path, same: dict[str, Any]) -> dict[str, Any] | None:
    """Return the state in a file, or None where there is no file; ``same`` must be what the run was started with."""
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = state["same"]
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError):
        raise TrainingError(
            f"{path} is not a checkpoint that fit() wrote: remove it, or name another file"
        ) from None
    for name, value in same.items():
        if found.get(name) != value:
            raise TrainingError(
                f"the checkpoint {path} was trained with {name}={found.get(name)!r}, this call says {value!r}: "
                "use the same, or name another file"
            )
    return state


def load(owner: Any, state: dict[str, Any], path: Path) -> None:
    """Give a model, an optimizer or a schedule its state back."""
    try:
        owner.load_state_dict(state)
    except (RuntimeError, ValueError, KeyError):
        name = type(owner).__name__
        raise TrainingError(
            f"the checkpoint {path} does not fit this {name}: name another file, or remove it"
        ) from None
