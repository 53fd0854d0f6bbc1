"""Unit 06: learning rates that fall, in steps and along a cosine.

The oracle is torch's scheduler. A misconception is that schedule with one wrong idea put into it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
from torch.optim.lr_scheduler import CosineAnnealingLR, StepLR

from course.checks.compare import matches
from course.checks.exercise import Case, Exercise

UNIT = "06-momentum-and-training"


def torch_rate(scheduler: type, step: float, lr: float, **settings: float) -> float:
    """Return a torch scheduler's rate at one step, without its optimiser, which takes 3 s to load."""
    state = SimpleNamespace(base_lrs=[lr], last_epoch=step, **settings)
    return float(scheduler._get_closed_form_lr(state)[0])  # type: ignore[attr-defined]


# ----------------------------------------------------------------------------------------------------- step_decay


def torch_step_decay(epoch: int, lr: float, every: int, factor: float = 0.1) -> float:
    """Return the rate of torch's StepLR in one epoch."""
    return torch_rate(StepLR, epoch, lr, step_size=every, gamma=factor)


def _random_drop(rng: np.random.Generator) -> Case:
    every = int(rng.integers(2, 12))
    factor, lr = float(rng.uniform(0.2, 0.8)), float(rng.uniform(0.01, 2))
    return Case("random", int(rng.integers(5 * every)), lr, every, factor=factor)


step_decay = Exercise(
    "step_decay",
    UNIT,
    points=1,
    parameters=("epoch", "lr", "every", "factor"),
    returns="one number",
    oracle=torch_step_decay,
    cases=(
        Case("epoch 0", 0, 0.5, 10, answer=0.5, weight=0.5),
        Case("the last epoch before the first drop", 9, 0.5, 10, answer=0.5, weight=0.5),
        Case("the epoch of the first drop", 10, 0.5, 10, answer=0.05),
        Case("two drops", 25, 0.5, 10, answer=0.005),
        Case("halved every 4 epochs", 13, 0.8, 4, factor=0.5, answer=0.1),
        Case("the epoch of the third drop", 21, 0.3, 7, factor=0.6),
    ),
    random=_random_drop,
    hints=(
        "How many times has the rate been dropped before this epoch? Make a table: every=3, epochs 0 to 7.",
        "The number of drops is the number of whole periods that fit into `epoch`; epochs count from 0, so epoch `every` is the first with "
        "one drop. Each drop multiplies by the factor once more.",
        "Whole-number division `//` of the epoch by `every` counts the drops; `factor ** ...` multiplies so many times; lr in front.",
    ),
)


@step_decay.misconception(
    "drops-one-epoch-late",
    "You drop one epoch late. Epochs count from 0: with every=10 the epochs 0 to 9 are the first ten, and epoch 10 has the lower rate already.",
)
def _(epoch, lr, every, factor=0.1):
    return torch_step_decay(max(epoch - 1, 0), lr, every, factor)


@step_decay.misconception(
    "counts-epochs-from-one",
    "You count epochs from 1. Here the first epoch is 0, and its rate is lr itself; in your code it has not even had that.",
)
def _(epoch, lr, every, factor=0.1):
    return torch_step_decay(epoch - 1, lr, every, factor)


@step_decay.misconception(
    "drops-in-epoch-0-already",
    "Your rate has dropped once too often in every epoch, epoch 0 included: `every` divides 0 as well. The first drop comes in epoch `every`.",
)
def _(epoch, lr, every, factor=0.1):
    return torch_step_decay(epoch + every, lr, every, factor)


@step_decay.misconception(
    "drops-one-epoch-early",
    "You drop one epoch early. Epochs count from 0: with every=10 the epochs 0 to 9 share the first rate, and epoch 10 is the first with less.",
)
def _(epoch, lr, every, factor=0.1):
    return torch_step_decay(epoch + 1, lr, every, factor)


@step_decay.misconception(
    "falls-smoothly",
    "Your rate falls a little in every epoch. In between two drops it stays as it is: count whole periods, with `//` in place of `/`.",
)
def _(epoch, lr, every, factor=0.1):
    return lr * factor ** (epoch / every)


@step_decay.misconception(
    "drops-in-every-epoch",
    "You multiply by the factor once for every epoch. It is once for every `every` epochs.",
)
def _(epoch, lr, every, factor=0.1):
    return torch_step_decay(epoch, lr, 1, factor)


@step_decay.misconception(
    "drops-only-once", "Your rate drops once and never again. Each further period drops it once more."
)
def _(epoch, lr, every, factor=0.1):
    return torch_step_decay(min(epoch, every), lr, every, factor)


def _at_multiples(first: int) -> Callable[..., float]:
    """Return the schedule that drops in the multiples of ``every`` from ``first`` on, and only there."""
    return lambda epoch, lr, every, factor=0.1: lr * factor if epoch % every == 0 and epoch >= first else lr


step_decay.misconception(
    "drops-at-the-multiples-only",
    "You lower the rate in the epochs that `every` divides, and have it back in the next one: nothing remembers a drop from call to call. Find from "
    "the epoch alone how many drops there have been.",
    when=lambda value, *args, **kwargs: any(
        matches(value, _at_multiples(first)(*args, **kwargs)) for first in (0, 1)
    ),
)(_at_multiples(1))


@step_decay.misconception(
    "takes-the-factor-away",
    "You read the factor as the share that is lost. It is what is left: with factor 0.1 a tenth of the rate remains.",
)
def _(epoch, lr, every, factor=0.1):
    return torch_step_decay(epoch, lr, every, 1 - factor)


@step_decay.misconception(
    "multiplies-by-the-number-of-drops",
    "You multiply by the factor times the number of drops. Two drops multiply by the factor twice: that is a power.",
)
def _(epoch, lr, every, factor=0.1):
    return lr * factor * (epoch // every)


@step_decay.misconception("grows", "Your rate grows at each drop. Multiply by the factor; it is less than 1.")
def _(epoch, lr, every, factor=0.1):
    return torch_step_decay(epoch, lr, every, 1 / factor)


@step_decay.misconception(
    "ignores-the-factor",
    "Your answer does not depend on the factor that is handed in. 0.1 is only what it is when nobody says otherwise.",
)
def _(epoch, lr, every, factor=0.1):
    return torch_step_decay(epoch, lr, every)


@step_decay.misconception(
    "forgets-the-rate", "You return what is left of the rate, as a share. Multiply by lr."
)
def _(epoch, lr, every, factor=0.1):
    return torch_step_decay(epoch, 1.0, every, factor)


# --------------------------------------------------------------------------------------------------- cosine_decay


def torch_cosine_decay(step: float, total: float, lr: float, min_lr: float = 0.0) -> float:
    """Return the rate of torch's CosineAnnealingLR at one step."""
    return torch_rate(CosineAnnealingLR, step, lr, T_max=total, eta_min=min_lr)


def _random_cosine(rng: np.random.Generator) -> Case:
    total = int(rng.integers(5, 60))
    lr, min_lr = float(rng.uniform(0.1, 2)), float(rng.uniform(0.01, 0.08))
    return Case("random", int(rng.integers(total + 1)), total, lr, min_lr=min_lr)


cosine_decay = Exercise(
    "cosine_decay",
    UNIT,
    points=2,
    parameters=("step", "total", "lr", "min_lr"),
    returns="one number",
    oracle=torch_cosine_decay,
    cases=(
        Case("half-way", 5, 10, 0.4, answer=0.2),
        Case("a third of the way", 4, 12, 0.4, answer=0.3),
        Case("the start", 0, 10, 0.4, answer=0.4, weight=0.5),
        Case("the end", 10, 10, 0.4, answer=0.0),
        Case("half-way to a smallest rate", 4, 8, 0.5, min_lr=0.1, answer=0.3),
        Case("the end, at a smallest rate", 8, 8, 0.5, min_lr=0.1, answer=0.1),
        Case("an odd step", 7, 31, 0.9, min_lr=0.02),
    ),
    random=_random_cosine,
    hints=(
        "The cosine of 0 is 1, and the cosine of pi is -1. Over the whole training the angle goes from 0 to pi.",
        "Shift and scale: 1 plus the cosine runs from 2 to 0, and half of that from 1 to 0. That is the share of the way from min_lr up to lr "
        "that is still there.",
        "`angle = np.pi * step / total`; the share is `(1 + cos) / 2`; multiply it by `lr - min_lr`, and add min_lr.",
    ),
)


def _with(share: Callable[[float], float]) -> Callable[..., float]:
    """Return the schedule in which so much of lr - min_lr is left at a share ``t`` of the way."""
    return lambda step, total, lr, min_lr=0.0: min_lr + (lr - min_lr) * float(share(step / total))


cosine_decay.misconception(
    "takes-a-quarter-of-the-wave",
    "You let the angle go from 0 to half of pi. Start and end are right, but the end is abrupt: go from 0 to pi, down the whole flank "
    "of the wave, which is flat at both ends.",
)(_with(lambda t: np.cos(np.pi * t / 2)))

cosine_decay.misconception(
    "comes-back-up",
    "Your rate is back at lr in the end: the angle goes through a whole turn. From 0 to pi is half a turn.",
)(_with(lambda t: (1 + np.cos(2 * np.pi * t)) / 2))

cosine_decay.misconception(
    "goes-below-the-minimum",
    "The cosine itself runs from 1 to -1, so your rate turns negative (or falls below min_lr), and you would climb. Add 1 and halve it: that "
    "runs from 1 to 0.",
)(_with(lambda t: np.cos(np.pi * t)))

cosine_decay.misconception(
    "starts-at-twice-the-rate", "1 plus the cosine starts at 2, so you start at twice the rate. Halve it."
)(_with(lambda t: 1 + np.cos(np.pi * t)))

cosine_decay.misconception(
    "is-upside-down",
    "Your rate rises: 1 minus the cosine runs from 0 to 2. The falling one has a plus sign.",
)(_with(lambda t: (1 - np.cos(np.pi * t)) / 2))

cosine_decay.misconception(
    "falls-in-a-straight-line",
    "Your rate falls evenly, in a straight line. The cosine stays high at first, falls fastest in the middle, and comes in flat.",
)(_with(lambda t: 1 - t))

cosine_decay.misconception(
    "mixes-degrees-and-radians",
    "np.cos takes radians, and you give it degrees: half a turn is np.pi, not 180.",
)(_with(lambda t: (1 + np.cos(180 * t)) / 2))

cosine_decay.misconception(
    "rounds-the-progress",
    "`step // total` is 0 until the last step, so your rate does not fall at all before that. Divide with `/`.",
)(_with(lambda t: (1 + np.cos(np.pi * (t // 1))) / 2))


@cosine_decay.misconception(
    "ends-one-step-early",
    "You divide by total - 1, so your rate is at its minimum one step early. Here step 0 has lr and step `total` has min_lr, as in PyTorch.",
)
def _(step, total, lr, min_lr=0.0):
    return torch_cosine_decay(step, total - 1, lr, min_lr)


@cosine_decay.misconception(
    "does-not-reach-the-minimum",
    "Your rate is still above its minimum at step `total`: you divide by total + 1. Step 0 has lr, and step `total` has min_lr.",
)
def _(step, total, lr, min_lr=0.0):
    return torch_cosine_decay(step, total + 1, lr, min_lr)


@cosine_decay.misconception(
    "counts-steps-from-one",
    "You are one step ahead: here steps count from 0, and step 0 has the full rate.",
)
def _(step, total, lr, min_lr=0.0):
    return torch_cosine_decay(step + 1, total, lr, min_lr)


@cosine_decay.misconception(
    "ignores-the-minimum",
    "Your rate falls to 0 whatever min_lr is. Let only the part above min_lr shrink: lr - min_lr.",
)
def _(step, total, lr, min_lr=0.0):
    return torch_cosine_decay(step, total, lr)


@cosine_decay.misconception(
    "adds-the-minimum-on-top",
    "You add min_lr to the full cosine, so you start above lr. What shrinks is lr - min_lr.",
)
def _(step, total, lr, min_lr=0.0):
    return min_lr + torch_cosine_decay(step, total, lr)


@cosine_decay.misconception(
    "adds-where-it-should-subtract",
    "You scale the wave by lr + min_lr, so you start above lr. What shrinks is the part above min_lr: lr - min_lr.",
)
def _(step, total, lr, min_lr=0.0):
    return torch_cosine_decay(step, total, lr + 2 * min_lr, min_lr)


@cosine_decay.misconception(
    "cuts-off-at-the-minimum",
    "You let the rate fall to 0 and cut it off at min_lr. The curve should come in flat on min_lr: let only lr - min_lr shrink.",
)
def _(step, total, lr, min_lr=0.0):
    return max(torch_cosine_decay(step, total, lr), min_lr)
