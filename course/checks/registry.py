"""Where the exercises are found, by name; their modules need torch, so they are loaded when first asked for."""

from __future__ import annotations

import importlib
import threading

from course.checks.exercise import EXERCISES, Exercise

TOPICS = (
    "images",
    "windows",
    "convolution",
    "convolution_shapes",
    "kernels",
    "numerical_gradient",
    "weight_gradients",
    "input_gradient",
    "gradient_shapes",
    "pooling",
    "averaging",
    "activations",
    "linear",
    "losses",
    "dropout",
    "regularization",
    "preprocessing",
    "whitening",
    "flipping",
    "cropping",
    "recolouring",
    "warping",
    "batch_norm",
    "norm_axes",
    "batch_norm_backward",
    "folding",
    "response_norm",
    "momentum",
    "nesterov",
    "initialization",
    "shuffling",
    "batches",
    "schedules",
    "ensembles",
    "layer_classes",
    "networks",
    "lenet",
    "counting",
    "porting",
    "torch_function",
    "torch_lenet",
    "epochs",
    "evaluation",
    "speed",
    "receptive",
    "vgg_blocks",
    "vgg",
    "footprint",
    "shortcuts",
    "blocks",
    "stages",
    "gradient_flow",
    "resnet",
    "alexnet_shapes",
    "alexnet_layers",
    "alexnet_nets",
    "zfnet",
    "two_towers",
    "plateau",
    "colour_shift",
)


def load() -> dict[str, Exercise]:
    """Return all exercises by name."""
    for topic in TOPICS:
        importlib.import_module(f"course.checks.{topic}")
    return EXERCISES


def find(name: str) -> Exercise | None:
    """Return the exercise called ``name``, or None."""
    return EXERCISES.get(name) or load().get(name)


def load_in_background() -> None:
    """Load while the student reads, so that the first check does not wait for torch (2 s)."""
    threading.Thread(target=load, name="load-checks", daemon=True).start()
