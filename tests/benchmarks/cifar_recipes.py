"""The two recipes of tests/benchmarks/cifar.py: what is trained, and how.

The fast one is the course's own: a residual net of nine layers after David Page's DAWNBench entry, its first layer set to
the principal components of the training patches and frozen, a rate that rises and falls in straight lines at every step,
Nesterov momentum, smoothed labels, crops of 2 pixels and flips, and a test that averages an image and its mirror image (ideas
collected in K. Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024).
"""

import time
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from course.training import best_device, evaluate, fit
from tests.hidden import solution

# --- augmentation, on the device, a whole batch at once ---


def crop_and_flip(x, padding):
    """Return every image moved by up to ``padding`` pixels each way, half of them mirrored; zeros come in at the edges."""
    n, channels, height, width = x.shape
    top, left = torch.randint(0, 2 * padding + 1, (2, n, 1), device=x.device)
    rows = top + torch.arange(height, device=x.device)
    columns = left + torch.arange(width, device=x.device)
    mirrored = torch.rand(n, 1, device=x.device) < 0.5
    columns = torch.where(mirrored, columns.flip(1), columns)
    image, channel = torch.arange(n, device=x.device), torch.arange(channels, device=x.device)
    padded = F.pad(x, (padding,) * 4)
    return padded[
        image[:, None, None, None], channel[:, None, None], rows[:, None, :, None], columns[:, None, None, :]
    ]


# --- the paper's ResNet-20 (He et al. 2015, section 4.2) ---


def paper_net(seed):
    """Return the solution of unit 12, initialised as in the paper."""
    torch.manual_seed(seed)
    model = solution("CifarResNet")(20)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return model


def paper_rate(epoch, epochs):
    """Return 0.1, a tenth of it from half of the run on, and a hundredth from three quarters on (32k, 48k of 64k steps)."""
    return 0.1 * 0.1 ** ((epoch >= epochs / 2) + (epoch >= 3 * epochs / 4))


def run_paper(train, test, seed, options):
    """Return the accuracy in per cent and the seconds of one run: the last epoch's, no picking."""
    model, epochs = paper_net(seed), options.epochs or 164
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    history = fit(
        *(model, train, test),
        epochs=epochs,
        batch_size=options.batch_size or 128,
        optimizer=optimizer,
        schedule=lambda epoch, history: paper_rate(epoch, epochs),
        augment=partial(crop_and_flip, padding=4),
        checkpoint=options.checkpoint,
        compile=options.compile,
        seed=seed,
    )
    return 100 * history.test_accuracy[-1], history.seconds


# --- the fast net ---


class Residual(nn.Module):
    """x plus what the layers make of it."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.layers(x)


def unit(channels_in, channels_out):
    """Return a 3 x 3 convolution, batch norm and ReLU."""
    convolution = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels_out), nn.ReLU(inplace=True))


def whitening(images, size=3, eps=1e-2):
    """Return a frozen convolution to 2 x 3 x size x size channels: the principal components of the patches, and minus them."""
    patches = F.unfold(images[:5000], size).transpose(1, 2).reshape(-1, 3 * size * size)
    values, vectors = torch.linalg.eigh(torch.cov(patches.T.double()).cpu())
    filters = (vectors / (values + eps).sqrt()).T.float().reshape(-1, 3, size, size)
    layer = nn.Conv2d(3, 2 * len(filters), size, padding=size // 2, bias=False)
    layer.weight.data[:] = torch.cat([filters, -filters])
    layer.weight.requires_grad_(False)
    return layer


class FastNet(nn.Module):
    """Nine layers; the logits are scaled down, so that the labels' smoothing is not fought from the start."""

    def __init__(self, images, width=64):
        super().__init__()
        first = whitening(images)
        w = width
        self.layers = nn.Sequential(
            first,
            nn.Conv2d(first.out_channels, w, 1, bias=False),
            nn.BatchNorm2d(w),
            nn.ReLU(inplace=True),
            *(unit(w, 2 * w), nn.MaxPool2d(2), Residual(unit(2 * w, 2 * w), unit(2 * w, 2 * w))),
            *(unit(2 * w, 4 * w), nn.MaxPool2d(2)),
            *(unit(4 * w, 8 * w), nn.MaxPool2d(2), Residual(unit(8 * w, 8 * w), unit(8 * w, 8 * w))),
            *(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(8 * w, 10, bias=False)),
        )

    def forward(self, x):
        return 0.125 * self.layers(x)


class Mirrored(nn.Module):
    """The mean of what a net says to an image and to its mirror image."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return (self.net(x) + self.net(x.flip(3))) / 2


def triangle(step, steps, peak=0.2):
    """Return a share of the highest rate: up in a straight line for a fifth of the run, down to nothing for the rest."""
    done = (step + 1) / steps
    return min(done / peak, (1 - done) / (1 - peak))


def run_fast(train, test, seed, options):
    """Return the accuracy in per cent (with the mirror image), without it, and the seconds of training."""
    epochs, batch_size = options.epochs or 14, options.batch_size or 512
    if options.compile and seed == 0:
        train_fast(tuple(part[: 2 * batch_size] for part in train), 1, batch_size, 0, True)
    torch.manual_seed(seed)
    began = time.perf_counter()
    model = train_fast(train, epochs, batch_size, seed, options.compile)
    seconds = time.perf_counter() - began  # fit() has read the loss, so the device is done
    return 100 * evaluate(Mirrored(model), test)[1], 100 * evaluate(model, test)[1], seconds


def train_fast(train, epochs, batch_size, seed, compiled):
    """Return a net, made and trained."""
    torch.manual_seed(seed)
    model = FastNet(train[0])
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.4, momentum=0.9, weight_decay=5e-4, nesterov=True)
    steps = epochs * -(-len(train[1]) // batch_size)
    by_step = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(triangle, steps=steps))
    optimizer.register_step_post_hook(
        lambda *_: by_step.step()
    )  # at every step, where fit() would do it every epoch
    fit(
        *(model, train),
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        augment=partial(crop_and_flip, padding=2),
        loss=nn.CrossEntropyLoss(label_smoothing=0.2),
        compile=compiled,
        seed=seed,
        progress=False,
    )
    return model


@dataclass
class Recipe:
    """A way to train, and how its results are shown."""

    title: str
    note: str
    header: list
    run: object
    device = staticmethod(best_device)


RECIPES = {
    "paper": Recipe(
        "ResNet-20 by the paper's recipe",
        "The paper reports 91.25 %. Accuracy after the last epoch; the seconds include a test after every epoch.",
        ["seed", "accuracy %", "seconds"],
        run_paper,
    ),
    "fast": Recipe(
        "the shortest time to 94 %",
        "Seconds from the whitening of the first layer to the last step, data on the device; with `--compile` after a warm-up.",
        ["seed", "accuracy %, with mirror image", "without", "seconds"],
        run_fast,
    ),
}
