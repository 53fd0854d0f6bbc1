"""What a training run has seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median


@dataclass
class History:
    """What fit() saw: losses, accuracies (0 to 1) and learning rates, one entry an epoch.

    The training numbers are taken while the net learns: with dropout, and before the epoch is over.
    """

    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)
    epoch_seconds: list[float] = field(default_factory=list)  # training alone
    seconds: float = 0.0  # all of it, with the tests after each epoch
    images: int = 0  # trained on, over all epochs

    @property
    def images_per_second(self) -> float:
        """Images trained on in a second of the median epoch: the tests, and a slow first epoch, left out."""
        return (
            self.images / len(self.epoch_seconds) / median(self.epoch_seconds) if self.epoch_seconds else 0.0
        )

    def last(self) -> str:
        """Return the losses and accuracies of the last epoch in words."""
        text = f"train loss {self.train_loss[-1]:.3f}, accuracy {self.train_accuracy[-1]:.1%}"
        if self.test_loss:
            text += f"; test loss {self.test_loss[-1]:.3f}, accuracy {self.test_accuracy[-1]:.1%}"
        return text

    def __repr__(self) -> str:
        if not self.train_loss:
            return "no epochs"
        count = f"{len(self.train_loss)} epoch{'s' if len(self.train_loss) > 1 else ''}"
        return (
            f"{count} in {self.seconds:.1f} s ({self.images_per_second:,.0f} images a second): {self.last()}"
        )
