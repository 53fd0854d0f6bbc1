"""Other ways to work out the exercises of unit 09."""

import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tests.fairness.variants import VARIANTS, variant
from tests.hidden import solution

UNIT = "09-alexnet"
ours = {name: solution(name) for name in ("alexnet_shapes", "alexnet_stage", "AlexNet", "LocalResponseNorm")}
shapes_of, stage_of, OurAlexNet, OurNorm = ours.values()
ALEXNET = shapes_of.__globals__["ALEXNET"]
TWO_GPU = [(*row[:5], 2) if row[0] in ("CONV2", "CONV4", "CONV5") else row for row in ALEXNET]


# alexnet_shapes --------------------------------------------------------------------------------------------------


@variant("alexnet_shapes", "reads it off torch's modules")
def shapes_by_torch(layers=ALEXNET, size=227):
    x, table = torch.zeros(1, 3, size, size, device="meta"), {"INPUT": ((3, size, size), 0)}
    for name, *n in layers:
        module = nn.Identity()
        with torch.device("meta"):
            if "CONV" in name:
                module = nn.Conv2d(x.shape[1], n[0], n[1], stride=n[2], padding=n[3], groups=n[4])
            elif "POOL" in name:
                module = nn.MaxPool2d(n[0], n[1])
            elif "FC" in name:
                module = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(x.shape), n[0]))
        x = module(x)
        table[name] = x.shape[1:], sum(p.numel() for p in module.parameters())
    return table


@variant("alexnet_shapes", "with match and lists for shapes")
def shapes_by_match(layers=ALEXNET, size=227):
    table, c, s = {"INPUT": [[3, size, size], 0]}, 3, size
    for row in layers:
        match row:
            case (name, filters, kernel, stride, padding, groups):
                count = filters * kernel * kernel * (c // groups) + filters
                c, s = filters, math.floor((s - kernel + 2 * padding) / stride) + 1
                table[name] = [[c, s, s], count]
            case (name, kernel, stride):
                s = math.floor((s - kernel) / stride + 1)
                table[name] = [[c, s, s], 0]
            case (name,):
                table[name] = [[c, s, s], 0]
            case (name, units):
                count = (c * s * s if s else c) * units + units
                c, s = units, 0
                table[name] = [[units], count]
    return table


@variant("alexnet_shapes", "in NumPy's integers, backwards into a new dictionary")
def shapes_in_numpy(layers=ALEXNET, size=227):
    table = shapes_of(layers, size)
    turned = list(table.items())[::-1]
    return {name: (np.array(shape), np.int64(count)) for name, (shape, count) in turned}


# LocalResponseNorm -----------------------------------------------------------------------------------------------


@variant("LocalResponseNorm", "by torch's own function")
class NormByFunction(nn.Module):
    def __init__(self, size=5, alpha=1e-4, beta=0.75, k=2.0):
        super().__init__()
        self.settings = size, alpha, beta, k

    def forward(self, x):
        return F.local_response_norm(x, *self.settings)


@variant("LocalResponseNorm", "as a subclass of torch's")
class NormBySubclass(nn.LocalResponseNorm):
    def __init__(self, size=5, alpha=1e-4, beta=0.75, k=2.0):
        super().__init__(size, alpha, beta, k)


@variant("LocalResponseNorm", "by a convolution over the channels")
class NormByConvolution(nn.Module):
    def __init__(self, size=5, alpha=1e-4, beta=0.75, k=2.0):
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x):
        band = torch.ones(1, 1, self.size, 1, 1, dtype=x.dtype, device=x.device) / self.size
        mean = F.conv3d(x.pow(2).unsqueeze(1), band, padding=(self.size // 2, 0, 0)).squeeze(1)
        return x * (self.k + self.alpha * mean).pow(-self.beta)


@variant("LocalResponseNorm", "channel by channel, with a buffer that says nothing")
class NormByChannel(nn.Module):
    def __init__(self, size=5, alpha=1e-4, beta=0.75, k=2.0):
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k
        self.register_buffer("seen", torch.tensor(0))

    def forward(self, x):
        half = self.size // 2
        sums = [(x[:, max(0, c - half) : c + half + 1] ** 2).sum(dim=1) for c in range(x.shape[1])]
        return x / (self.k + self.alpha / self.size * torch.stack(sums, dim=1)) ** self.beta


# alexnet_stage ---------------------------------------------------------------------------------------------------


class Stage(nn.Module):
    """Everything in one module of its own."""

    def __init__(self, row, in_shape, dropout=0.5):
        super().__init__()
        self.name, self.p = row[0].rstrip("12345678"), dropout * (row[0] != "FC8")
        self.is_last = row[0] == "FC8"
        if self.name == "CONV":
            self.layer = nn.Conv2d(in_shape[0], *row[1:3], stride=row[3], padding=row[4], groups=row[5])
        elif self.name == "FC":
            self.layer = nn.Linear(int(np.prod(in_shape)), row[1])
        self.row = row

    def forward(self, x):
        if self.name == "MAXPOOL":
            return F.max_pool2d(x, *self.row[1:])
        if self.name == "NORM":
            return F.local_response_norm(x, 5, k=2.0)
        out = self.layer(x if self.name == "CONV" else x.reshape(len(x), -1))
        return (
            out if self.is_last else F.dropout(F.relu(out), self.p if self.name == "FC" else 0, self.training)
        )


@variant("alexnet_stage", "a module of its own")
def stage_as_module(row, in_shape, dropout=0.5):
    return Stage(row, in_shape, dropout)


@variant("alexnet_stage", "dropout in front of the ReLU, which is the same")
def stage_with_dropout_first(row, in_shape, dropout=0.5):
    made = stage_of(row, in_shape, dropout)
    if row[0] in ("FC6", "FC7"):
        return nn.Sequential(made[0], made[1], made[3], nn.ReLU(inplace=True))
    return made


@variant("alexnet_stage", "by the number of entries in the row")
def stage_with_torchs_norm(row, in_shape, dropout=0.5):
    match row:
        case (name, units) if name.startswith("FC"):
            layers = [nn.Flatten(1), nn.Linear(torch.Size(in_shape).numel(), units)]
            return nn.Sequential(*layers + ([nn.ReLU(), nn.Dropout(p=dropout)] if name != "FC8" else []))
        case (_,):
            return nn.LocalResponseNorm(5, k=2)
        case (_, size, step):
            return nn.MaxPool2d(kernel_size=size, stride=step, padding=0)
        case (_, filters, *rest):
            return nn.Sequential(nn.Conv2d(in_shape[0], filters, *rest[:3], 1, rest[3]), nn.ReLU())


VARIANTS["alexnet_stage", "the class itself"] = Stage


# AlexNet ---------------------------------------------------------------------------------------------------------


@variant("AlexNet", "a function")
def alexnet_as_function(num_classes=1000, layers=ALEXNET, size=227, dropout=0.5):
    table = shapes_of(layers, size)
    modules, names = nn.Sequential(), list(table)
    for row, before in zip(layers, names, strict=False):
        row = ("FC8", num_classes) if row is layers[-1] else row
        modules.append(Stage(row, table[before][0], dropout))
    return modules


@variant("AlexNet", "by adding lists, in a loop")
class AlexNetByLists(nn.Module):
    def __init__(self, num_classes=1000, layers=ALEXNET, size=227, dropout=0.5):
        super().__init__()
        rows, made = layers.copy(), []
        rows[-1:] = layers[:0] + [("FC8", num_classes)]
        for row, (shape, _) in zip(rows, shapes_of(layers + [], size).values(), strict=False):
            made = made + [stage_of(row, shape, dropout)]
        self.stages = nn.Sequential(*made)

    def forward(self, x):
        return self.stages(x)


@variant("AlexNet", "features and classifier, as torchvision has them")
class AlexNetInTwoParts(nn.Module):
    def __init__(self, num_classes=1000, layers=ALEXNET, size=227, dropout=0.5):
        super().__init__()
        whole = OurAlexNet(num_classes, layers, size, dropout).stages
        first = next(i for i, row in enumerate(layers) if row[0].startswith("FC"))
        self.features, self.classifier = whole[:first], whole[first:]

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


@variant("AlexNet", "by a loop in forward over a list")
class AlexNetWithForward(nn.Module):
    def __init__(self, num_classes=1000, layers=ALEXNET, size=227, dropout=0.5):
        super().__init__()
        shape, made = (3, size, size), []
        for row in [*layers[:-1], (layers[-1][0], num_classes)]:
            made.append(stage_of(row, shape, dropout))
            with torch.no_grad():
                shape = tuple(made[-1].eval()(torch.zeros(1, *shape)).shape[1:])
        self.made = nn.ModuleList(made).train()

    def forward(self, x):
        for module in self.made:
            x = module(x)
        return x


# TwoTowerAlexNet -------------------------------------------------------------------------------------------------


def half(row):
    name, *n = row
    return (name, n[0] // 2, *n[1:4], 1) if len(n) == 5 else (name, n[0] // 2) if len(n) == 1 else row


def crosses(row):
    return row[0].startswith("FC") or (row[0].startswith("CONV") and row[5] == 1)


@variant("LocalResponseNorm", "by a matrix of neighbours, made like x")
class NormByMatrix(nn.Module):
    def __init__(self, size=5, alpha=1e-4, beta=0.75, k=2.0):
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x):
        channel = torch.arange(x.shape[1], device=x.device)
        near = ((channel[:, None] - channel).abs() <= self.size // 2).to(x)
        sums = torch.einsum("dc,nchw->ndhw", near, x * x)
        return x / (self.k + self.alpha / self.size * sums) ** self.beta


@variant("TwoTowerAlexNet", "with the moves decided by the weights' own devices")
class TowersByWeights(nn.Module):
    def __init__(self, num_classes=1000, layers=TWO_GPU, size=227, devices=(None, None)):
        super().__init__()
        self.layers, shape = layers, (3, size, size)
        for i, row in enumerate(layers[:-1]):
            seen = shape if crosses(row) else (shape[0] // 2, *shape[1:])
            for tower, device in zip("ab", devices, strict=True):
                self.add_module(f"{tower}{i}", stage_of(half(row), seen).to(device))
            shape = list(shapes_of(layers, size).values())[i + 1][0]
        self.last = stage_of(("FC8", num_classes), shape).to(devices[0])

    def forward(self, x):
        there = [self.get_submodule(f"{t}0")[0].weight.device for t in "ab"]
        maps = [x.to(there[0]), x.to(there[1])]
        for i, row in enumerate(self.layers[:-1]):
            if i and crosses(row):
                maps = [torch.cat([m.to(d) for m in maps], dim=1) for d in there]
            maps = [self.get_submodule(f"{t}{i}")(m) for t, m in zip("ab", maps, strict=True)]
        return self.last(torch.cat([m.to(there[0]) for m in maps], dim=1))


@variant("TwoTowerAlexNet", "made on its device at once, moved by .to(tensor)")
class TowersMadeInPlace(nn.Module):
    def __init__(self, num_classes=1000, layers=TWO_GPU, size=227, devices=(None, None)):
        super().__init__()
        self.devices, self.pairs, self.meets = devices, nn.ModuleList(), []
        shapes = [shape for shape, _ in shapes_of(layers, size).values()]
        for row, shape in zip(layers[:-1], shapes, strict=False):
            self.meets.append(bool(self.meets) and crosses(row))
            seen = shape if crosses(row) else (shape[0] // 2, *shape[1:])
            pair = nn.ModuleDict()
            for tower, device in zip(("first", "second"), devices, strict=True):
                pair[tower] = Stage(half(row), seen).to(device=device)
            self.pairs.append(pair)
        self.scores = nn.Linear(math.prod(shapes[-2]), num_classes).to(device=devices[0])

    def forward(self, x):
        a, b = x.to(device=self.devices[0]), x.to(device=self.devices[1])
        for meets, pair in zip(self.meets, self.pairs, strict=True):
            if meets:
                a, b = torch.cat((a, b.to(a)), 1), torch.cat((a.to(b), b), 1)
            a, b = pair["first"](a), pair["second"](b)
        return self.scores(torch.cat((a, b.to(a)), dim=1).flatten(1))


@variant("TwoTowerAlexNet", "keeps what was joined, and moves it once")
class TowersThatMeetOnTheFirst(nn.Module):
    def __init__(self, num_classes=1000, layers=TWO_GPU, size=227, devices=(None, None)):
        super().__init__()
        self.devices, self.rows = devices, layers[:-1]
        shapes = [shape for shape, _ in shapes_of(layers, size).values()]
        flat = []
        for row, (c, *rest) in zip(self.rows, shapes, strict=False):
            seen = (c if crosses(row) else c // 2, *rest)
            flat += [stage_of(half(row), seen).to(device) for device in devices]
        self.flat = nn.ModuleList([*flat, stage_of(("FC8", num_classes), shapes[-2]).to(devices[0])])

    def forward(self, x):
        towers = x.to(self.devices[0]), x.to(self.devices[1])
        for i, row in enumerate(self.rows):
            if i and crosses(row):
                whole = torch.cat([towers[0], towers[1].to(self.devices[0])], dim=1)
                towers = whole, whole.to(self.devices[1])
            towers = self.flat[2 * i](towers[0]), self.flat[2 * i + 1](towers[1])
        return self.flat[-1](torch.cat([towers[0], towers[1].to(self.devices[0])], dim=1))


# ZFNet -----------------------------------------------------------------------------------------------------------

NEW = dict(zip(("CONV3", "CONV4", "CONV5"), (512, 1024, 512), strict=True))


@variant("ZFNet", "a class")
class ZFNetAsClass(OurAlexNet):
    def __init__(self, num_classes=1000):
        rows = [list(row) for row in ALEXNET]
        rows[0][2:4], rows[3][3] = [7, 2], 2
        for row in rows:
            row[1:2] = [NEW.get(row[0], row[1])] if len(row) > 1 else []
        super().__init__(num_classes, rows)


@variant("ZFNet", "with a table of its own")
def zfnet_from_its_own_table(num_classes=1000):
    pools = [[("MAXPOOL1", 3, 2), ("NORM1",)], [("MAXPOOL2", 3, 2), ("NORM2",)], [("MAXPOOL3", 3, 2)]]
    rows = [("CONV1", 96, 7, 2, 0, 1), *pools[0], ("CONV2", 256, 5, 2, 2, 1), *pools[1]]
    rows += [(name, filters, 3, 1, 1, 1) for name, filters in NEW.items()] + pools[2]
    return OurAlexNet(num_classes, [*rows, ("FC6", 4096), ("FC7", 4096), ("FC8", num_classes)], 227)


@variant("ZFNet", "layer by layer")
def zfnet_by_hand(num_classes=1000):
    convs = [
        (3, 96, 7, 2, 0),
        (96, 256, 5, 2, 2),
        (256, 512, 3, 1, 1),
        (512, 1024, 3, 1, 1),
        (1024, 512, 3, 1, 1),
    ]
    made = [nn.Sequential(nn.Conv2d(*conv), nn.ReLU()) for conv in convs]
    for place in (1, 3, 7):
        made.insert(place, nn.MaxPool2d(3, 2))
    head = [nn.Flatten(), nn.Linear(512 * 36, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU()]
    return nn.Sequential(*made, *head, nn.Linear(4096, num_classes))


# plateau_schedule ------------------------------------------------------------------------------------------------


@variant("plateau_schedule", "by recursion from the end")
def plateau_by_recursion(errors, lr, patience=2, factor=0.1):
    def state(n):
        if n == 0:
            return lr, 0
        rate, waited = state(n - 1)
        waited = 0 if all(errors[n - 1] < e for e in errors[: n - 1]) else waited + 1
        return (rate * factor, 0) if waited > patience else (rate, waited)

    return state(len(errors))[0]


@variant("plateau_schedule", "by the lengths of the plateaus")
def plateau_by_runs(errors, lr, patience=2, factor=0.1):
    lowest = list(itertools.accumulate(errors, min))
    progress = [i == 0 or lowest[i] < lowest[i - 1] for i in range(len(errors))]
    runs = [len(list(group)) for better, group in itertools.groupby(progress) if not better]
    return lr * factor ** sum(run // (patience + 1) for run in runs)


@variant("plateau_schedule", "as a NumPy number")
def plateau_in_numpy(errors, lr, patience=2, factor=0.1):
    best, bad, rate = np.inf, 0, np.float64(lr)
    for error in np.asarray(errors, dtype=float):
        bad = 0 if error < best else bad + 1
        best = np.minimum(best, error)
        if bad == patience + 1:
            bad, rate = 0, rate * factor
    return rate


# pca_color_augment -----------------------------------------------------------------------------------------------


@variant("pca_color_augment", "image by image, with eig and its own covariance")
def colours_one_by_one(images, generator, training=None):
    pixels = (images if training is None else training).permute(1, 0, 2, 3).flatten(1)
    centred = pixels - pixels.mean(dim=1, keepdim=True)
    values, vectors = torch.linalg.eigh(centred @ centred.T / pixels.shape[1])
    out = images.clone()
    for i in range(len(images)):
        alpha = torch.normal(0.0, 0.1, (3,), generator=generator).to(images)
        for k in range(3):
            out[i] += (alpha[k] * values[k] * vectors[:, k]).view(3, 1, 1)
    return out


@variant("pca_color_augment", "by the singular values of the pixels")
def colours_by_svd(images, generator, training=None):
    pixels = (images if training is None else training).movedim(1, -1).reshape(-1, 3)
    _, spread, rows = torch.linalg.svd(pixels - pixels.mean(dim=0), full_matrices=False)
    alpha = torch.randn((len(images), 3), generator=generator, dtype=images.dtype).to(images.device) * 0.1
    return images + (alpha * (spread**2 / len(pixels)) @ rows).reshape(-1, 3, 1, 1)


@variant("pca_color_augment", "without finding the components at all")
def colours_by_covariance(images, generator, training=None):
    """0.1 times the covariance times a normal vector has the very distribution that is asked for."""
    pixels = (images if training is None else training).transpose(0, 1).reshape(3, -1)
    normal = torch.randn(3, len(images), generator=generator, dtype=torch.float64)
    shift = 0.1 * torch.cov(pixels.double()) @ normal.to(pixels.device)
    return images + shift.T.reshape(-1, 3, 1, 1)


@variant("pca_color_augment", "with matrices of the images' own dtype")
def colours_by_matrices(images, generator, training=None):
    pixels = (images if training is None else training).movedim(1, 0).reshape(3, -1)
    values, vectors = torch.linalg.eigh(torch.cov(pixels))
    alpha = torch.randn(len(images), 3, generator=generator).to(images)
    scaled = (0.1 * vectors * values).type_as(images)
    return images + (alpha @ scaled.T)[..., None, None]


@variant("pca_color_augment", "in NumPy, in another order of the components")
def colours_in_numpy(images, generator, training=None):
    pixels = np.asarray(images if training is None else training).transpose(1, 0, 2, 3).reshape(3, -1)
    values, vectors = np.linalg.eig(np.cov(pixels, bias=True))
    alpha = torch.randn(len(images), 3, generator=generator).numpy() * 0.1
    return np.asarray(images) + np.einsum("ck,nk->nc", vectors, alpha * values)[:, :, None, None]
