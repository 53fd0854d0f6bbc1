"""Unit 08: arrays into tensors, and the weights of a NumPy net into a model.

The oracles are torch's own conversions. Each case goes through a driver that also looks at what a number does not show: dtypes,
and whether the parameters are still the ones that an optimizer knows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from course.checks.exercise import Case, Exercise, integers, normal, runs_into
from course.checks.porting_drivers import parameters_named
from course.checks.recipe import through

UNIT = "08-numpy-to-torch"


# ----------------------------------------------------------------------------------------------------- to_tensors


def converted(
    images: Any, labels: Any, x_dtype: str = "torch.float32", y_dtype: str = "torch.int64"
) -> dict[str, Any]:
    """Return what the driver sees: both tensors' values, and their dtypes."""
    dtypes = {"torch.float32": torch.float32, "torch.int64": torch.int64}
    made = (
        torch.tensor(images, dtype=dtypes.get(x_dtype)),
        torch.tensor(labels, dtype=dtypes.get(y_dtype)),
    )
    return {
        "images": made[0].numpy(),
        "labels": made[1].numpy(),
        "dtype of the images": x_dtype,
        "dtype of the labels": y_dtype,
    }


def _labels(*shape: int) -> np.ndarray:
    return np.abs(integers(*shape)) % 10


def _random_pair(rng: np.random.Generator) -> Case:
    shape = tuple(int(n) for n in rng.integers([1, 1, 2, 2], [5, 4, 6, 6]))
    return Case("random", through(TENSORS), rng.standard_normal(shape), rng.integers(0, 10, shape[0]))


TENSORS = "porting_drivers.tensors_made"

to_tensors = Exercise(
    "to_tensors",
    UNIT,
    points=1,
    parameters=("images", "labels"),
    returns="two tensors",
    oracle=converted,
    driven=True,
    cases=(
        Case(
            "two images of one pixel", through(TENSORS), np.array([[[[0.5]]], [[[-1.0]]]]), np.array([3, 0])
        ),
        Case("float64 images", through(TENSORS), normal(3, 1, 2, 4), _labels(3)),
        Case("float32 images", through(TENSORS), normal(2, 3, 4, 2).astype(np.float32), _labels(2)),
        Case(
            "labels of 32 bits", through(TENSORS), normal(4, 2, 3, 3), _labels(4).astype(np.int32), weight=0.5
        ),
        Case("one image", through(TENSORS), normal(1, 1, 5, 3), _labels(1), weight=0.5),
    ),
    random=_random_pair,
    hints=(
        "Which dtype does an array of floats have in NumPy unless you say otherwise, and which do a net's weights have in torch?",
        "Make a tensor of each array, and say the dtype each time: one of the two has fractions, the other counts classes. Return both.",
        "`torch.tensor(array, dtype=...)`, with torch.float32 for the images and torch.int64 for the labels. "
        "(`torch.from_numpy(array)` has no dtype argument; a `.float()` or `.long()` behind it does the same.)",
    ),
)


@to_tensors.misconception(
    "leaves-float64",
    "Your images keep NumPy's float64. A model's weights are float32, and torch does not mix the two: it stops with an error. Say the "
    "dtype, torch.float32.",
)
def _(images, labels):
    return converted(images, labels, f"torch.{images.dtype}", f"torch.{labels.dtype}")


@to_tensors.misconception(
    "leaves-float64-images-only",
    "Your labels are right, and your images keep NumPy's float64. A model's weights are float32: say the dtype, torch.float32.",
)
def _(images, labels):
    return converted(images, labels, f"torch.{images.dtype}")


@to_tensors.misconception(
    "leaves-the-labels-as-they-are",
    "Your labels keep the dtype of the array, which need not be int64. For torch a class's number is an int64: say so.",
)
def _(images, labels):
    return converted(images, labels, y_dtype=f"torch.{labels.dtype}")


@to_tensors.misconception(
    "labels-as-fractions",
    "Your labels are floats (`torch.Tensor(...)` and `.float()` make them so). They are numbers of classes, and cross_entropy wants them "
    "whole: torch.int64.",
)
def _(images, labels):
    return converted(images, labels, y_dtype="torch.float32")


@to_tensors.misconception(
    "images-as-whole-numbers",
    "Your images are int64: their fractions are gone. The labels are the ones that are whole.",
)
def _(images, labels):
    return converted(images, labels, x_dtype="torch.int64")


@to_tensors.misconception(
    "returns-arrays",
    "What you return are still NumPy arrays. A net in torch takes tensors: `torch.tensor(...)` makes one of an array.",
)
def _(images, labels):
    words = {"dtype of the images": "no tensor", "dtype of the labels": "no tensor"}
    return converted(images, labels) | words


@to_tensors.misconception(
    "puts-channels-last",
    "Your images have their channels last. torch takes NCHW, which they were already: leave the axes alone.",
)
def _(images, labels):
    if images.shape[1] == images.shape[2] == images.shape[3]:
        raise runs_into("ValueError")
    return converted(np.transpose(images, (0, 2, 3, 1)), labels)


@to_tensors.misconception(
    "swaps-them", "You return the labels first. The order is that of the arguments: images, labels."
)
def _(images, labels):
    right = converted(images, labels)
    return dict(zip(right, [right["labels"], right["images"], "torch.int64", "torch.float32"], strict=True))


@to_tensors.misconception(
    "one-hot-labels",
    "You turn the labels into rows of zeros with a one. torch's cross_entropy takes the class's number: (N,), int64.",
)
def _(images, labels):
    rows = torch.nn.functional.one_hot(torch.tensor(labels, dtype=torch.int64), 10)
    return converted(images, labels) | {"labels": rows.numpy()}


# --------------------------------------------------------------------------------------------- load_numpy_weights

LOADED = "porting_drivers.weights_loaded"


def loaded(params: list[np.ndarray], values: list[Any] | None = None) -> dict[str, Any]:
    """Return what the driver sees of a model into which ``params`` were loaded, or other ``values`` in a wrong idea."""
    arrays = params if values is None else values
    return {
        **parameters_named([torch.tensor(p, dtype=torch.float32).numpy() for p in arrays]),
        "dtypes": "torch.float32",
        "the same parameters as before": True,
        "can be trained": True,
        "returns the model": True,
    }


def as_given(params: list[np.ndarray]) -> dict[str, Any]:
    """Return what the driver sees where the parameters have taken over the arrays, dtype and all."""
    words = {"dtypes": f"torch.{params[0].dtype}"}
    return loaded(params) | parameters_named(list(map(np.array, params))) | words


def untouched(params: list[np.ndarray]) -> list[np.ndarray]:
    """Return the parameters of the driver's model before anything is loaded."""
    return [np.full(np.shape(p), 0.1) for p in params]


def layer(outputs: int, inputs: int) -> list[np.ndarray]:
    """Return the two arrays of a linear layer."""
    return [normal(outputs, inputs), normal(outputs)]


def _random_params(rng: np.random.Generator) -> Case:
    a, b, c = (int(n) for n in rng.integers(2, 6, 3))
    shapes = [(b, a, 3, 3), (b,), (c, b), (c,)]
    return Case("random", through(LOADED), [rng.standard_normal(shape) for shape in shapes])


load_numpy_weights = Exercise(
    "load_numpy_weights",
    UNIT,
    points=2,
    parameters=("params",),
    returns="the model",
    oracle=loaded,
    driven=True,
    cases=(
        Case("two weights and a bias", through(LOADED), [np.array([[1.5, -2.0]]), np.array([0.5])]),
        Case("a square matrix", through(LOADED), layer(3, 3)),
        Case("float32 arrays", through(LOADED), [p.astype(np.float32) for p in layer(2, 4)]),
        Case("two layers", through(LOADED), layer(4, 2) + layer(2, 4)),
        Case(
            "a convolution and a linear layer", through(LOADED), [normal(3, 2, 5, 4), normal(3), *layer(2, 3)]
        ),
    ),
    random=_random_params,
    hints=(
        "Both sides have the same shapes in the same order. A parameter's name must stay with its tensor; only the numbers in it change.",
        "Loop over pairs of model.parameters() and params. Inside, write the array's numbers into the parameter; autograd must not "
        "record that. At the end return the model.",
        "`with torch.no_grad():` around the loop, and inside it `parameter.copy_(torch.from_numpy(array))`, which copies the numbers and "
        "turns float64 into the parameter's own dtype.",
    ),
)


@load_numpy_weights.misconception(
    "changes-nothing",
    "The model's weights are what they were. `parameter = ...` gives a name to something else; the model still has the old tensor. Write "
    "into the tensor: `copy_`.",
)
def _(params):
    return loaded(params, untouched(params))


@load_numpy_weights.misconception(
    "lets-autograd-watch",
    "torch refuses to change a parameter in place while autograd is recording: a change like this has no gradient. Put the loop into "
    "`with torch.no_grad():`.",
)
def _(params):
    raise runs_into("RuntimeError", words="leaf Variable")


@load_numpy_weights.misconception(
    "copies-from-an-array",
    "Only a tensor can be written into a tensor: make one of the array first, `torch.from_numpy(array)`.",
)
def _(params):
    raise runs_into("TypeError", words="numpy.ndarray")


@load_numpy_weights.misconception(
    "indexes-the-parameters",
    "`model.parameters()` is no list: it gives the parameters one after the other, to a loop or to `zip(model.parameters(), params)`.",
)
def _(params):
    raise runs_into("TypeError", words="'generator' object")


@load_numpy_weights.misconception(
    "makes-new-parameters",
    "You put new parameters into the model. An optimizer that was made before knows only the old ones, and would train those. Write into "
    "the ones that are there: `copy_`.",
)
def _(params):
    return loaded(params) | {"the same parameters as before": False}


@load_numpy_weights.misconception(
    "makes-new-parameters-of-float64",
    "You put new parameters into the model, with the arrays' own dtype. An optimizer still holds the old ones. Write into those that are "
    "there, `copy_`: they keep their float32, and an optimizer goes on knowing them.",
)
def _(params):
    return as_given(params) | {"the same parameters as before": False}


@load_numpy_weights.misconception(
    "makes-new-parameters-of-the-arrays",
    "You put new parameters into the model, and they lie in the arrays' own memory. An optimizer still holds the old ones. Copy the numbers "
    "into the tensors that are there: `copy_`.",
)
def _(params):
    return as_given([p + 1 for p in params]) | {"the same parameters as before": False}


@load_numpy_weights.misconception(
    "shares-the-arrays",
    "Your parameters lie in the same memory as the arrays (and have their dtype): when the arrays change, so does the model. Copy the "
    "numbers into the tensor that is there: `copy_`.",
)
def _(params):
    return as_given([p + 1 for p in params])


@load_numpy_weights.misconception(
    "shares-float32-arrays",
    "Where the arrays are float32 already, your parameters lie in the same memory: `.float()` makes no copy then. Copy the numbers into the "
    "tensor that is there: `copy_`.",
)
def _(params):
    return loaded(params, [p + 1 if p.dtype == np.float32 else p for p in params])


@load_numpy_weights.misconception(
    "takes-over-the-dtype",
    "Your parameters have become float64, and float32 images no longer fit them. `copy_` turns the numbers into the dtype that the "
    "parameter has.",
)
def _(params):
    return as_given(params)


@load_numpy_weights.misconception(
    "turns-matrices-round",
    "Your matrices are transposed. torch's linear layer keeps its weights as (outputs, inputs), as unit 07 does: copy them as they are.",
)
def _(params):
    if any(p.ndim > 1 and p.shape[0] != p.shape[1] for p in params):
        raise runs_into("RuntimeError")
    return loaded(params, [p.T for p in params])


@load_numpy_weights.misconception(
    "forgets-the-biases",
    "Only the weights have arrived; the biases are what they were. They have parameters of their own, each behind its weight.",
)
def _(params):
    return loaded(
        params, [p if p.ndim > 1 else old for p, old in zip(params, untouched(params), strict=True)]
    )


@load_numpy_weights.misconception(
    "first-layer-only",
    "Only the first parameter has changed. Loop over all of them (and return behind the loop).",
)
def _(params):
    return loaded(params, [params[0], *untouched(params)[1:]])


@load_numpy_weights.misconception(
    "freezes-the-model",
    "The numbers are right, but the model can no longer be trained: you have switched requires_grad off. `torch.no_grad()` around the "
    "copying is enough, and ends by itself.",
)
def _(params):
    return loaded(params) | {"can be trained": False}


@load_numpy_weights.misconception(
    "returns-nothing", "The numbers are right, but nothing is returned. Return the model."
)
def _(params):
    return loaded(params) | {"returns the model": False}
