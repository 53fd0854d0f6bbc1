"""CIFAR-10: ResNet-20 by its paper's recipe, and the shortest time to 94 %.

    python -m tests.benchmarks.cifar paper [--runs 1] [--write]
    python -m tests.benchmarks.cifar fast [--runs 5] [--epochs 14] [--write]

Reads the JPEG copy from shared/data beside the checkout when it is there ("CIFAR-10 (JPEG)"), else the original through
course.data.cifar10. Both train with course.training.fit on the best device.
"""

import argparse
import io
import statistics
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from course.data import cifar10, standardized
from course.training import TrainingError
from tests.benchmarks.cifar_recipes import RECIPES
from tests.benchmarks.training_results import ROOT, record, section, table

FOLDERS = (ROOT / "shared/data", ROOT.parent / "shared/data")


def decode(path, most=None):
    """Return the images of one file of the JPEG copy, (N, 3, 32, 32) float32 from 0 to 1, and their labels."""
    with np.load(path) as stored:
        jpeg, offsets, labels = stored["jpeg"], stored["offsets"], stored["labels"][:most].astype(np.int64)
    images = np.empty((len(labels), 32, 32, 3), np.uint8)
    for place, (start, end) in enumerate(zip(offsets[: len(labels)], offsets[1:], strict=False)):
        images[place] = Image.open(io.BytesIO(jpeg[start:end].tobytes()))
    return images.transpose(0, 3, 1, 2) / np.float32(255), labels


def load(train=None, test=None):
    """Return the name of the set that is here, and its training and test pair."""
    folder = next((folder for folder in FOLDERS if (folder / "cifar10_jpeg_train.npz").exists()), None)
    if folder is None:
        train_x, train_y, test_x, test_y = cifar10()
        return "CIFAR-10", (train_x[:train], train_y[:train]), (test_x[:test], test_y[:test])
    pairs = decode(folder / "cifar10_jpeg_train.npz", train), decode(folder / "cifar10_jpeg_test.npz", test)
    return "CIFAR-10 (JPEG)", *pairs


def on_device(pair, device):
    """Return a pair as tensors on the device, once for all runs."""
    return tuple(torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in pair)


def main():
    """Train so many times and show the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--epochs", type=int, help="another number of epochs than the recipe's")
    parser.add_argument("--batch-size", type=int, help="another batch size than the recipe's")
    parser.add_argument(
        "--compile", action="store_true", help="with torch.compile; a short run before the clock warms it up"
    )
    parser.add_argument("--train", type=int, help="only the first so many images, to try it out")
    parser.add_argument("--checkpoint", type=Path, help="go on from this file (one run)")
    parser.add_argument("--write", action="store_true", help="write the table into RESULTS.md")
    options = parser.parse_args()
    if options.checkpoint and options.runs > 1:
        parser.error("--checkpoint is for one run: leave --runs out")
    try:
        text = measure(options)
    except (TrainingError, OSError) as error:
        parser.exit(2, f"{error}\n")
    print(text)
    if options.write:
        record(text)


def measure(options):
    """Return the section of a recipe's runs."""
    recipe = RECIPES[options.recipe]
    name, train, test = load(options.train, options.train)
    train_x, test_x = standardized(train[0], test[0])
    train, test = (on_device(pair, recipe.device()) for pair in ((train_x, train[1]), (test_x, test[1])))
    rows = []
    for seed in range(options.runs):
        result = recipe.run(train, test, seed, options)
        rows.append([seed, *(f"{value:.2f}" for value in result)])
        print(rows[-1], flush=True)
    note = f"{recipe.note} {name}, {len(train[1]):,} training and {len(test[1]):,} test images, n = {options.runs}"
    accuracy = [float(row[1]) for row in rows]
    spread = f", standard deviation {statistics.stdev(accuracy):.2f}" if len(rows) > 1 else ""
    note += f", mean {statistics.mean(accuracy):.2f} %{spread}."
    return section(f"{name}: {recipe.title}", note + "\n\n" + table(recipe.header, rows))


if __name__ == "__main__":
    main()
