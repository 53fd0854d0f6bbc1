"""The loop behind fit(): epochs, batches, and what is kept of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from course import checkpoints
from course.devices import Settings
from course.distributed import World
from course.errors import TrainingError
from course.history import History
from course.progress import Bar
from course.scoring import Data, check_logits, scores


@dataclass
class Run:
    """A model in training, with all that one step needs."""

    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Any
    chosen: Settings
    world: World
    augment: Callable | None
    loss: Callable
    batch_size: int
    seed: int
    compiled: bool = False

    def __post_init__(self) -> None:
        self.net = self.world.wrap(self.model, self.chosen.device)
        if self.compiled:
            self.net = torch.compile(self.net)  # type: ignore[assignment]
        self.looked = 0.0

    def through(self, train: Data, test: Data | None, epochs: int, path: Path | None, shown: bool) -> History:
        """Train until so many epochs are done, those in the checkpoint counted in."""
        history = self.resume(path, len(train[0]))
        done, began = len(history.train_loss), time.perf_counter() - history.seconds
        bar = Bar(epochs * len(train[0]), done * len(train[0]), shown and self.world.rank == 0)
        summary = "stopped"
        try:
            for epoch in range(done, epochs):
                bar.say(f"epoch {epoch + 1}/{epochs}")
                self.epoch(epoch, train, test, history, bar)
                history.seconds = time.perf_counter() - began
                self.keep(path, history, len(train[0]))
                bar.line(f"epoch {epoch + 1}/{epochs}: {history.last()}")
            summary = f"{history}" + (f" (went on from {path} after epoch {done})" if done else "")
        finally:
            bar.close(summary)
        self.model.eval()
        return history

    def epoch(self, epoch: int, train: Data, test: Data | None, history: History, bar: Bar) -> None:
        """Train on every image once, test, and write both down."""
        rate = self.set_rate(epoch, history)
        torch.manual_seed(seed_of(self.seed, epoch, 1 + self.world.rank))  # dropout and augmentation
        began = time.perf_counter()
        loss, accuracy = self.pass_over(train, epoch, bar)
        history.epoch_seconds.append(time.perf_counter() - began)
        history.images += len(train[0])
        history.lr.append(rate)
        history.train_loss.append(loss)
        history.train_accuracy.append(accuracy)
        if test is not None:
            loss, accuracy = scores(
                self.model, test, self.chosen, self.loss, max(self.batch_size, 250), self.world
            )
            history.test_loss.append(loss)
            history.test_accuracy.append(accuracy)
        if hasattr(self.schedule, "step"):
            plateau = isinstance(self.schedule, torch.optim.lr_scheduler.ReduceLROnPlateau)
            self.schedule.step(*([loss] if plateau else []))

    def set_rate(self, epoch: int, history: History) -> float:
        """Set the learning rate of an epoch, where a function decides it; return it."""
        if self.schedule is not None and not hasattr(self.schedule, "step"):
            rate = float(self.schedule(epoch, history))
            if not (math.isfinite(rate) and rate >= 0):
                raise TrainingError(f"schedule({epoch}, history) gave {rate}, which is no learning rate")
            for group in self.optimizer.param_groups:
                group["lr"] = rate
        return float(self.optimizer.param_groups[0]["lr"])

    def pass_over(self, data: Data, epoch: int, bar: Bar) -> tuple[float, float]:
        """Train on every image once, in an order of the epoch's own; return the mean loss and the accuracy."""
        (images, labels), most = data, int(data[1].max())
        self.model.train()
        sums = torch.zeros(3, device=self.chosen.device)
        chance = torch.Generator().manual_seed(seed_of(self.seed, epoch))
        order = torch.randperm(len(labels), generator=chance).to(images.device)
        for batch in order.split(self.batch_size):
            part, weight = self.world.share(batch)
            x, y = self.chosen.batch(images[part]), labels[part].to(self.chosen.device)
            sums += self.step(x, y, weight, most)
            bar.advance(len(batch))
            if (
                time.perf_counter() - self.looked > 0.25
            ):  # looking waits for the device, so not at every batch
                self.look(sums, epoch, bar)
        return self.look(self.world.total(sums), epoch, bar)

    def step(self, x: torch.Tensor, y: torch.Tensor, weight: float, most: int) -> torch.Tensor:
        """Learn from one batch; return the sum of its losses, of its right answers, and of its images."""
        x = augmented(x, self.augment) if self.augment else x
        with self.chosen.autocast():
            logits = self.net(x)
        check_logits(logits, y, most)
        loss = self.loss(logits.float(), y)
        self.optimizer.zero_grad()
        (loss * weight).backward()
        self.optimizer.step()
        right = (logits.argmax(dim=1) == y).sum()
        return torch.stack([loss.detach() * len(y), right, torch.full_like(right, len(y))]) * bool(weight)

    def look(self, sums: torch.Tensor, epoch: int, bar: Bar) -> tuple[float, float]:
        """Return the mean loss and the accuracy so far, and show the loss; a loss that is no number ends the run."""
        total, right, count = sums.tolist()
        self.looked = time.perf_counter()
        if not math.isfinite(total):
            rate = self.optimizer.param_groups[0]["lr"]
            raise TrainingError(
                f"the loss became {total} in epoch {epoch + 1}: make the model anew and try a smaller learning rate "
                f"(it was {rate:g}), or look for inputs that are not numbers"
            )
        bar.note(f"loss {total / count:.3f}")
        return total / count, right / count

    def keep(self, path: Path | None, history: History, images: int) -> None:
        """Write the checkpoint."""
        if path and self.world.rank == 0:
            owners = {"model": self.model, "optimizer": self.optimizer, "schedule": self.schedule}
            states = {
                name: owner.state_dict() for name, owner in owners.items() if hasattr(owner, "state_dict")
            }
            checkpoints.write(path, {**states, "history": asdict(history), "same": self.same(images)})
        self.world.wait()

    def resume(self, path: Path | None, images: int) -> History:
        """Read the checkpoint, where there is one; return the history up to it."""
        state = checkpoints.read(path, self.same(images)) if path else None
        if path is None or state is None:
            return History()
        checkpoints.load(self.model, state["model"], path)
        checkpoints.load(self.optimizer, state["optimizer"], path)
        if "schedule" in state:
            checkpoints.load(self.schedule, state["schedule"], path)
        return History(**state["history"])

    def same(self, images: int) -> dict[str, int]:
        """Return what must not change between a run and its continuation."""
        return {"batch_size": self.batch_size, "seed": self.seed, "images": images}


def augmented(x: torch.Tensor, augment: Callable) -> torch.Tensor:
    """Return the batch that an augmentation makes of one, if it is as large."""
    made = augment(x)
    if not isinstance(made, torch.Tensor) or len(made) != len(x):
        kind = tuple(made.shape) if isinstance(made, torch.Tensor) else type(made).__name__
        raise TrainingError(
            f"augment gave {kind} for a batch {tuple(x.shape)}; it should give a tensor of as many images"
        )
    return made


def seed_of(*parts: int) -> int:
    """Return a seed that follows from whole numbers, unlike that of any others."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
