"""Loss and accuracy of a classifier."""

from __future__ import annotations

from collections.abc import Callable

import torch

from course.devices import Settings
from course.distributed import World
from course.errors import TrainingError

Data = tuple[torch.Tensor, torch.Tensor]


def scores(
    model: torch.nn.Module, data: Data, chosen: Settings, loss: Callable, batch_size: int, world: World
) -> tuple[float, float]:
    """Return the mean loss and the accuracy of a model in evaluation mode; its own mode is put back."""
    (images, labels), most = data, int(data[1].max())
    was, sums = model.training, torch.zeros(2, device=chosen.device)
    model.eval()
    with torch.no_grad():
        for batch in torch.arange(len(labels), device=images.device).split(batch_size):
            part, weight = world.share(batch)
            y = labels[part].to(chosen.device)
            with chosen.autocast():
                logits = model(chosen.batch(images[part]))
            check_logits(logits, y, most)
            sums += torch.stack([loss(logits.float(), y) * len(y), (logits.argmax(dim=1) == y).sum()]) * bool(
                weight
            )
    model.train(was)
    total, right = world.total(sums).tolist()
    return total / len(labels), right / len(labels)


def check_logits(logits: torch.Tensor, y: torch.Tensor, most: int) -> None:
    """Raise TrainingError unless there is a row of numbers for each image, with one for each label up to the highest."""
    if logits.ndim != 2 or len(logits) != len(y):
        raise TrainingError(
            f"the model gave {tuple(logits.shape)} for {len(y)} images; it should give one row of logits for each"
        )
    if most >= logits.shape[1]:
        raise TrainingError(
            f"there is a label {most}, but the model tells only {logits.shape[1]} classes apart: 0 to {logits.shape[1] - 1}"
        )
