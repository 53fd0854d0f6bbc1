"""Unit 08: images a second, judged on a device whose clock stands still unless it is given work.

The oracle adds up that device's seconds: calls follow each other at ``launch``, work follows work. No real time is measured.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from course.checks.exercise import Case, Exercise, runs_into
from course.checks.recipe import through

UNIT = "08-numpy-to-torch"
TIMED = "epoch_drivers.timed"
START = 100.0  # what the device's clock shows at first


def busy(calls: int, launch: float, work: float, left: float = 0.0) -> float:
    """Return the seconds until ``calls`` are worked off, from a moment at which ``left`` seconds of older work remain."""
    arrivals = launch * np.arange(1, calls + 1)
    behind = work * np.arange(calls, 0, -1)  # the work that is still to come when each of them arrives
    return float(max(np.max(arrivals + behind), left + work * calls))


def seen(rate: Any, clock: bool = True, autograd: bool = True) -> dict[str, Any]:
    """Return what the driver returns."""
    return {"images a second": rate, "read the clock": clock, "left autograd on": autograd}


def measured(images: int, steps: int, launch: float, work: float, first: float) -> dict[str, Any]:
    """Return the images a second of a device that is warm and idle when the steps begin."""
    return seen(images * steps / busy(steps, launch, work))


def _case(name: str, images: int, steps: int, launch: float, work: float, first: float, **more: Any) -> Case:
    return Case(name, through(TIMED), images, steps, launch, work, first, **more)


def _random(rng: np.random.Generator) -> Case:
    images, steps = (int(n) for n in rng.integers([2, 3], [65, 12]))
    launch, work = float(rng.uniform(0.01, 0.1)), float(rng.uniform(0.2, 2))
    return _case("random", images, steps, launch, work, float(rng.uniform(5, 9)))


throughput = Exercise(
    "throughput",
    UNIT,
    points=3,
    parameters=("images", "steps", "launch", "work", "first"),
    returns="images a second",
    oracle=measured,
    driven=True,
    cases=(
        _case("one image, four steps", 1, 4, 0.25, 2.0, 8.0, answer=seen(4 / 8.25)),
        _case("a batch of 32", 32, 5, 0.5, 1.0, 6.0),
        _case("ten steps, a slow start", 8, 10, 0.125, 0.5, 30.0),
        _case("slower to call than to work", 4, 6, 1.0, 0.25, 5.0),
    ),
    random=_random,
    hints=(
        "The clock is read twice. What must be true of the device at each of the two moments, so that exactly `steps` calls lie between them?",
        "Call once to warm up, wait, read the clock. Then `steps` calls without a pause, wait, read the clock. Images are steps times the "
        "batch.",
        "`model(x); wait(); start = clock()`, then the loop, then `wait()` and `seconds = clock() - start`. Return "
        "`steps * len(x) / seconds`.",
    ),
)


@throughput.misconception(
    "does-not-wait",
    "You read the clock when all work has been *handed out*, not when it is done, so the device looks far too fast. Call wait() before you "
    "read the clock again.",
)
def _(images, steps, launch, work, first):
    return seen(images * steps / (launch * steps))


@throughput.misconception(
    "starts-while-the-device-is-busy",
    "The clock starts while the device still works on your warm-up. Call wait() before the first reading too.",
)
def _(images, steps, launch, work, first):
    return seen(images * steps / busy(steps, launch, work, first))


@throughput.misconception(
    "no-warm-up",
    "The first call is slow, since things are loaded, chosen and compiled, and you time it with the others. Make one call before the clock starts.",
)
def _(images, steps, launch, work, first):
    return seen(images * steps / max(launch + first + work * (steps - 1), busy(steps, launch, work)))


@throughput.misconception(
    "waits-after-reading-the-clock",
    "You start the clock before the warm-up is done, and wait for it then. First wait, then read the clock.",
)
def _(images, steps, launch, work, first):
    return seen(images * steps / (first + busy(steps, launch, work)))


@throughput.misconception(
    "times-the-warm-up",
    "You start the clock before the warm-up, so that it is timed after all. First warm up and wait, then read the clock.",
)
def _(images, steps, launch, work, first):
    both = launch + first + busy(steps, launch, work)
    return seen(images * steps / both)


@throughput.misconception(
    "times-the-warm-up-without-waiting-for-it",
    "You start the clock before the warm-up is done, so that it is timed after all. First warm up and wait, then read the clock.",
)
def _(images, steps, launch, work, first):
    return seen(images * steps / (launch + busy(steps, launch, work, first)))


@throughput.misconception(
    "counts-batches",
    "You return batches a second. Each step is a whole batch: multiply by len(x).",
)
def _(images, steps, launch, work, first):
    return (
        seen(steps / busy(steps, launch, work))
        if images > 1
        else measured(images, steps, launch, work, first)
    )


@throughput.misconception(
    "seconds-per-image",
    "You return seconds per image. Images a second is the other way round: images divided by seconds.",
)
def _(images, steps, launch, work, first):
    return seen(busy(steps, launch, work) / (images * steps))


@throughput.misconception(
    "returns-seconds",
    "You return the seconds that it took. Divide the number of images by them.",
)
def _(images, steps, launch, work, first):
    return seen(busy(steps, launch, work))


@throughput.misconception(
    "counts-one-step",
    "You divide one batch by the time of all steps. So many images went through: steps times len(x).",
)
def _(images, steps, launch, work, first):
    return seen(images / busy(steps, launch, work))


@throughput.misconception(
    "takes-one-step",
    "You take a single step, and count it `steps` times. Loop over range(steps).",
)
def _(images, steps, launch, work, first):
    return seen(images * steps / busy(1, launch, work))


@throughput.misconception(
    "counts-the-warm-up",
    "You count the images of the warm-up too, which were not timed: steps times len(x) is all.",
)
def _(images, steps, launch, work, first):
    return seen(images * (steps + 1) / busy(steps, launch, work))


@throughput.misconception(
    "waits-after-each-step",
    "You wait after each step, so the device stands idle while the next one is handed out. Wait once, behind the loop.",
)
def _(images, steps, launch, work, first):
    return seen(images * steps / (steps * (launch + work)))


@throughput.misconception(
    "forgets-the-start",
    "You divide by what the clock shows at the end. Only the difference of two readings is a time.",
)
def _(images, steps, launch, work, first):
    return seen(images * steps / (START + launch + first + busy(steps, launch, work)))


@throughput.misconception(
    "subtracts-the-wrong-way",
    "Your result is negative: the later reading is the larger one, so subtract the start from the end.",
)
def _(images, steps, launch, work, first):
    return seen(-images * steps / busy(steps, launch, work))


@throughput.misconception(
    "reads-another-clock",
    "You time with another clock than the one that you were given. Read `clock()`.",
    when=lambda value, *_: isinstance(value, dict) and value["read the clock"] is False,
)
def _(images, steps, launch, work, first):
    return seen(images * steps / 1e-5, clock=False)


@throughput.misconception(
    "switches-autograd-off",
    "The number is right, but you switch autograd off. Then a step of training cannot be timed: leave that to whoever calls.",
)
def _(images, steps, launch, work, first):
    return measured(images, steps, launch, work, first) | {"left autograd on": False}


@throughput.misconception(
    "treats-the-function-as-a-net",
    "You use `model` as if it were a module (its mode, its parameters). It can be any function of x: call it, and no more.",
)
def _(images, steps, launch, work, first):
    raise runs_into("AttributeError")
