"""Unit 10: how much memory the outputs of a net's layers take.

The oracle never builds the net: it follows the shapes through the layers' names, and counts windows by torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from course.checks.exercise import Case, Exercise, runs_into
from course.checks.oracle import positions
from course.checks.recipe import through
from course.checks.vgg_drivers import WRAPPED

UNIT = "10-vgg"

FREE = ("relu", "flatten", "dropout")  # these make nothing that has to be kept
HOOKED = "layers that still have a hook"
Walk = list[tuple[str, str, tuple[int, ...]]]  # name, kind and output shape of each layer


def walk(model: str, input_size: Sequence[int]) -> Walk:
    """Return each layer's name in the net, its kind and its output's shape."""
    blocks, shape, found = model.removeprefix(WRAPPED).split("|"), tuple(input_size), []
    before = "net." if model.startswith(WRAPPED) else ""
    for i, block in enumerate(blocks):
        for j, words in enumerate(block.split(",")):
            kind, *size = words.split()
            shape = after(kind, shape, *map(int, size))
            found.append((before + (f"{i}.{j}" if len(blocks) > 1 else str(j)), kind, shape))
    return found


def after(kind: str, shape: tuple[int, ...], size: int = 0) -> tuple[int, ...]:
    """Return the shape of a layer's output."""
    if kind == "pool":
        return (shape[0], *(positions(side, 2, 2) for side in shape[1:]))
    changed = {
        "conv": (size, *shape[1:]),
        "average": (shape[0], size, size),
        "flatten": (math.prod(shape),),
        "linear": (size,),
    }
    return changed.get(kind, shape)


def footprint(
    model: str, input_size: Sequence[int], device: str = "cpu", hooks: int = 0, **bend: Any
) -> dict[str, Any]:
    """Return what the driver reports: bytes by name. ``bend`` makes wrong ideas, see ``sizes``."""
    return {"bytes": sizes(walk(model, input_size), input_size, **bend), HOOKED: hooks}


def sizes(
    layers: Walk, input_size: Sequence[int], unit: float = 4, free: Sequence[str] = FREE, image: bool = True
) -> dict[str, Any]:
    """Return the size of each layer's output, ``unit`` for each number in it."""
    kept = {name: math.prod(shape) * unit for name, kind, shape in layers if kind not in free}
    return {"image": math.prod(input_size) * unit} | kept if image else kept


def _random_net(rng: np.random.Generator) -> Case:
    words, side = [], int(rng.integers(16, 30))
    for _ in range(int(rng.integers(1, 4))):
        norm = ["norm"] if rng.random() < 0.4 else []
        words.append(", ".join([f"conv {rng.integers(2, 12)}", *norm, "relu", "pool"]))
    words.append(f"flatten, linear {rng.integers(2, 30)}, relu, linear {rng.integers(2, 10)}")
    size = int(rng.integers(1, 4)), side, int(rng.integers(16, 30))
    return Case("random", through("vgg_drivers.memory"), " | ".join(words), size)


MEMORY = through("vgg_drivers.memory")

activation_memory = Exercise(
    "activation_memory",
    UNIT,
    points=3,
    parameters=("model", "input_size"),
    returns="a dictionary from names to bytes",
    oracle=footprint,
    driven=True,
    cases=(
        Case("one convolution", MEMORY, "conv 2", (1, 4, 5), weight=0.5),
        Case("a ReLU and a pooling", MEMORY, "conv 8, relu, conv 4, relu, pool", (3, 8, 6)),
        Case("a head", MEMORY, "conv 4, pool, flatten, linear 6, relu, dropout, linear 5", (3, 6, 6)),
        Case("two blocks", MEMORY, "conv 4, norm, relu, pool | conv 6, norm, relu, pool", (3, 9, 8)),
        Case(
            "a net of a class of its own", MEMORY, WRAPPED + "conv 3, sigmoid, pool | conv 2, relu", (1, 6, 8)
        ),
        Case(
            "full size, on meta",
            MEMORY,
            "conv 64, relu, pool | average 7, flatten, linear 4096",
            (3, 224, 224),
            device="meta",
        ),
    ),
    random=_random_net,
    hints=(
        "Do it in three steps: find the layers that count, with their names; put a hook on each; send one image through. What does the hook "
        "have to write down, and under which name?",
        "A layer is a module without children: `not list(module.children())`. Leave FREE out. The hook gets the module itself, so a dictionary "
        "from modules to names tells it which one it is. The image is `torch.zeros(1, *input_size, device=...)`, on the model's device.",
        "`names = {module: name for name, module in model.named_modules()}`. In the hook: `sizes[names[module]] = 4 * output.numel()`. Keep "
        "what register_forward_hook returns in a list, and call `.remove()` on each at the end.",
    ),
)


def _bent(**bend: Any) -> Callable[..., dict[str, Any]]:
    return lambda *args, **kwargs: footprint(*args, **(kwargs | bend))


activation_memory.misconception("counts-numbers", "You count numbers. Each is a float32 and takes 4 bytes.")(
    _bent(unit=1)
)

activation_memory.misconception(
    "counts-bits", "You count bits. A float32 has 32 of them, which are 4 bytes."
)(_bent(unit=32))

activation_memory.misconception(
    "eight-bytes", "You count 8 bytes for a number. The nets here compute in float32: 4 bytes."
)(_bent(unit=8))

activation_memory.misconception(
    "gives-megabytes", "You return megabytes. Bytes are asked for, whole numbers."
)(_bent(unit=4e-6))

activation_memory.misconception(
    "gives-kilobytes", "You return kilobytes. Bytes are asked for, whole numbers."
)(_bent(unit=4e-3))

activation_memory.misconception(
    "gives-mebibytes", "You divide by 1024². Bytes are asked for, whole numbers."
)(_bent(unit=4 / 1024**2))

activation_memory.misconception(
    "counts-the-relus-again",
    "You count ReLUs (or Flatten, or Dropout) as well. They can write into the memory of their input: leave FREE out.",
)(_bent(free=()))

activation_memory.misconception(
    "forgets-the-image", "The image itself is missing. It lies in memory too: it is the first entry, 'image'."
)(_bent(image=False))

activation_memory.misconception(
    "leaves-its-hooks",
    "Your hooks stay on the model, and run whenever it is used from now on. Keep what register_forward_hook returns, and call `.remove()` on "
    "each at the end.",
    when=lambda value, *args, **kwargs: value[HOOKED] > 0,
)(_bent(hooks=1))


@activation_memory.misconception(
    "counts-convolutions-only",
    "You count convolutions and linear layers only. Poolings and batch norms make outputs of their own: all count except FREE.",
)
def _(model, input_size, device="cpu"):
    return footprint(model, input_size, free=(*FREE, "pool", "norm", "average", "sigmoid"))


@activation_memory.misconception(
    "counts-blocks-again",
    "You count blocks as well as the layers in them, so that some outputs count twice. Take modules without children only.",
)
def _(model, input_size, device="cpu"):
    said, layers = footprint(model, input_size), walk(model, input_size)
    blocks = {name.rpartition(".")[0]: math.prod(shape) * 4 for name, _, shape in layers}
    whole = {name: math.prod(layers[-1][2]) * 4 for name in ("", *["net"] * model.startswith(WRAPPED))}
    return said | {"bytes": said["bytes"] | blocks | whole}


@activation_memory.misconception(
    "takes-sequentials-for-blocks-only",
    "Your dictionary has an entry for the model itself, whose name is empty. You leave out what is an nn.Sequential, but other modules have modules inside, too: "
    "ask for `list(module.children())`.",
)
def _(model, input_size, device="cpu"):
    said = footprint(model, input_size)
    whole = math.prod(walk(model, input_size)[-1][2]) * 4
    return said | {"bytes": said["bytes"] | ({"": whole} if model.startswith(WRAPPED) else {})}


@activation_memory.misconception(
    "counts-top-modules-only",
    "You look at the model's own children only. Blocks have layers inside: named_modules() finds them, named_children() does not.",
)
def _(model, input_size, device="cpu"):
    layers = walk(model, input_size)
    if not any("." in name for name, *_ in layers):
        return footprint(model, input_size)
    last = {name.split(".")[0]: math.prod(shape) * 4 for name, _, shape in layers}
    return {"bytes": {"image": math.prod(input_size) * 4} | last, HOOKED: 0}


@activation_memory.misconception(
    "counts-inputs",
    "You count what goes into each layer. What comes out is asked for; what goes in was counted with the layer before.",
)
def _(model, input_size, device="cpu"):
    layers = walk(model, input_size)
    before = [tuple(input_size), *(shape for *_, shape in layers)]
    moved = [(name, kind, shape) for (name, kind, _), shape in zip(layers, before, strict=False)]
    return {"bytes": sizes(moved, input_size), HOOKED: 0}


@activation_memory.misconception(
    "counts-parameters",
    "You count the weights. They take memory too, but what is asked for here are the outputs of the layers.",
)
def _(model, input_size, device="cpu"):
    layers = walk(model, input_size)
    counts, before = {"image": math.prod(input_size) * 4}, tuple(input_size)
    for name, kind, shape in layers:
        each = {"conv": 9 * before[0] + 1, "linear": before[0] + 1, "norm": 2}.get(kind, 0)
        if kind not in FREE:
            counts[name] = 4 * each * shape[0]
        before = shape
    return {"bytes": counts, HOOKED: 0}


@activation_memory.misconception(
    "one-name-for-all",
    "All your hooks write under the last layer's name: a hook looks `name` up when it runs, and by then the loop is over. Let the hook find "
    "the name from its module, or fix it with `name=name`.",
)
def _(model, input_size, device="cpu"):
    said = footprint(model, input_size)["bytes"]
    return {"bytes": {"image": said["image"], list(said)[-1]: list(said.values())[-1]}, HOOKED: 0}


@activation_memory.misconception(
    "gives-the-sum",
    "You return one number. The bytes of each layer are asked for, by name; whoever wants the sum can add them up.",
)
def _(model, input_size, device="cpu"):
    return {"bytes": sum(footprint(model, input_size)["bytes"].values()), HOOKED: 0}


@activation_memory.misconception(
    "an-image-elsewhere",
    "The model need not lie on the CPU. Make the image on the device of its parameters: `device=next(model.parameters()).device`.",
)
def _(model, input_size, device="cpu"):
    if device != "cpu":
        raise runs_into("RuntimeError", "NotImplementedError", words=("device", "meta"))
    return footprint(model, input_size)
