"""How hard course.data.shapes() is: five small nets on it, from a linear one to a residual one.

python -m tests.benchmarks.training_shapes [--images 2000] [--epochs 8] [--runs 3] [--write]
"""

import argparse
from statistics import mean

import torch
from torch import nn

from course.data import shapes, standardized
from course.training import fit
from tests.benchmarks.cifar_recipes import Residual
from tests.benchmarks.training_results import record, section, table


def conv(channels_in, channels_out, kernel_size=3, stride=1):
    """Return a padded convolution and ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel_size, stride, kernel_size // 2), nn.ReLU()
    )


def normed(channels_in, channels_out, stride=1):
    """Return a padded 3 x 3 convolution, batch norm and ReLU."""
    convolution = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels_out), nn.ReLU())


def vgg():
    """Return six 3 x 3 convolutions with batch norm, in pairs, and a linear layer."""
    pairs = [(normed(i, o), normed(o, o), nn.MaxPool2d(2)) for i, o in ((3, 16), (16, 32), (32, 64))]
    return nn.Sequential(*sum(pairs, ()), nn.Flatten(), nn.Linear(1024, 10))


def alexnet():
    """Return three convolutions without any norm, overlapping pools, dropout and two linear layers."""
    pool = nn.MaxPool2d(3, 2, 1)
    convolutions = conv(3, 32, 5), pool, conv(32, 64), pool, conv(64, 64), pool
    return nn.Sequential(
        *convolutions, nn.Flatten(), nn.Dropout(), nn.Linear(1024, 128), nn.ReLU(), nn.Linear(128, 10)
    )


def resnet():
    """Return a residual net of eight convolutions and a linear layer on the mean of each map."""
    stages = [
        (normed(i, o, 2), Residual(normed(o, o), normed(o, o))) for i, o in ((3, 24), (24, 48), (48, 96))
    ]
    return nn.Sequential(*sum(stages, ()), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(96, 10))


# name: how it is made, the highest learning rate
NETS = {
    "linear": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(3072, 10)), 0.005),
    "two convolutions": (
        lambda: nn.Sequential(
            *(
                conv(3, 16, 5, 2),
                nn.MaxPool2d(2),
                conv(16, 32),
                nn.MaxPool2d(2),
                nn.Flatten(),
                nn.Linear(512, 10),
            )
        ),
        0.02,
    ),
    "AlexNet-like, no norm": (alexnet, 0.02),
    "VGG-like, batch norm": (vgg, 0.01),
    "ResNet-like": (resnet, 0.05),
}


def train(name, sets, epochs, seed):
    """Return a net's history: SGD with momentum, a one-cycle rate."""
    train_x, train_y, test_x, test_y = sets
    torch.manual_seed(seed)
    make, rate = NETS[name]
    model = make()
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=5e-4, nesterov=True)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs + 1, pct_start=0.25)
    options = dict(optimizer=optimizer, schedule=cycle, batch_size=32, seed=seed, progress=False)
    return fit(model, (train_x, train_y), (test_x, test_y), epochs=epochs, **options)


def main():
    """Train every net so many times and show the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write the table into RESULTS.md")
    options = parser.parse_args()
    train_x, train_y, test_x, test_y = shapes(options.images)
    train_x, test_x = standardized(train_x, test_x)
    rows = []
    for name in NETS:
        runs = [
            train(name, (train_x, train_y, test_x, test_y), options.epochs, seed)
            for seed in range(options.runs)
        ]
        tests = sorted(run.test_accuracy[-1] for run in runs)
        shown = mean(run.train_accuracy[-1] for run in runs), mean(tests), tests[0], tests[-1]
        rows.append([name, *(f"{share:.1%}" for share in shown)])
        print(rows[-1], flush=True)
    note = (
        f"Accuracy in the last of {options.epochs} epochs over {options.images:,} images (training, while learning) and on "
        f"the 1,000 test images; n = {options.runs} seeds."
    )
    header = ["net", "training, mean", "test, mean", "test, lowest", "test, highest"]
    text = section("shapes(): what small nets make of it", note + "\n\n" + table(header, rows))
    print(text)
    if options.write:
        record(text)


if __name__ == "__main__":
    main()
