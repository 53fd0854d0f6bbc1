"""Other ways to work out the exercises of unit 12."""

import functools
from collections import OrderedDict

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tests.fairness.variants import VARIANTS, variant
from tests.hidden import solution


@variant("pad_channels", "writes into zeros")
def _(x, out_channels, stride):
    kept = x[:, :, ::stride, ::stride]
    out = x.new_zeros(len(x), out_channels, *kept.shape[2:])
    first = (out_channels - x.shape[1]) // 2
    out[:, first : first + x.shape[1]] = kept
    return out


@variant("pad_channels", "joins two planes of zeros")
def _(x, out_channels, stride):
    n, c, h, w = x.shape
    zeros = torch.zeros(n, (out_channels - c) // 2, h, w, dtype=x.dtype)
    return torch.cat([zeros, x, zeros], dim=1)[:, :, ::stride, ::stride]


@variant("pad_channels", "pools with windows of one pixel; NumPy pads")
def _(x, out_channels, stride):
    small = F.max_pool2d(x, 1, stride).numpy()
    extra = (out_channels - small.shape[1]) // 2
    return np.pad(small, [(0, 0), (extra, extra), (0, 0), (0, 0)])


class OptionA(nn.Module):
    def __init__(self, in_channels, out_channels, stride):
        super().__init__()
        self.pool = nn.AvgPool2d(1, stride)
        self.pad = nn.ConstantPad3d((0, 0, 0, 0, *[(out_channels - in_channels) // 2] * 2), 0.0)

    def forward(self, x):
        return self.pad(self.pool(x))


@variant("make_shortcut", "a table of three; an empty Sequential is the identity")
def _(in_channels, out_channels, stride=1, option="B"):
    if (in_channels, 1) == (out_channels, stride):
        return nn.Sequential()
    projection = OrderedDict(
        conv=nn.Conv2d(in_channels, out_channels, kernel_size=(1, 1), stride=(stride, stride), bias=False),
        bn=nn.BatchNorm2d(out_channels),
    )
    return {"A": OptionA(in_channels, out_channels, stride), "B": nn.Sequential(projection)}[option]


class Projection(nn.Module):
    """Subsamples first, then projects with stride 1."""

    def __init__(self, in_channels, out_channels, stride):
        super().__init__()
        self.stride, self.conv = stride, nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x):
        return self.norm(self.conv(x[..., :: self.stride, :: self.stride]))


@variant("make_shortcut", "subsamples before the projection")
def _(in_channels, out_channels, stride=1, option="B"):
    if option == "A" and (stride > 1 or in_channels != out_channels):
        return OptionA(in_channels, out_channels, stride)
    if stride > 1 or in_channels != out_channels:
        return Projection(in_channels, out_channels, stride)
    return nn.Identity()


class Shortcut(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1, option="B"):
        super().__init__()
        self.plain = stride == 1 and in_channels == out_channels
        if not self.plain:
            self.way = (
                OptionA(in_channels, out_channels, stride)
                if option == "A"
                else Projection(in_channels, out_channels, stride)
            )

    def forward(self, x):
        return x if self.plain else self.way(x)


VARIANTS["make_shortcut", "a class that decides in forward"] = Shortcut


class TorchvisionBasic(nn.Module):
    """Named as torchvision does, with a downsample that may be None."""

    expansion = 1

    def __init__(self, in_channels, out_channels, stride=1, option="B"):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = Shortcut(in_channels, out_channels, stride, option)

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


class ListOfLayers(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1, option="B"):
        super().__init__()
        sizes = [(in_channels, stride), (out_channels, 1)]
        self.layers = nn.ModuleList()
        for into, step in sizes:
            self.layers.append(
                nn.Conv2d(into, out_channels, 3, step, padding="same" if step == 1 else 1, bias=False)
            )
            self.layers.append(nn.BatchNorm2d(out_channels))
        self.around = Shortcut(in_channels, out_channels, stride, option)

    def forward(self, x):
        y = F.relu(self.layers[1](self.layers[0](x)))
        y = self.layers[3](self.layers[2](y))
        return torch.clamp(torch.add(y, self.around(x)), min=0)


class PaddedByHand(nn.Module):
    """Pads before each convolution."""

    expansion = 1

    def __init__(self, in_channels, out_channels, stride=1, option="B"):
        super().__init__()
        self.w1 = nn.Conv2d(in_channels, out_channels, 3, stride, bias=False)
        self.n1 = nn.BatchNorm2d(out_channels)
        self.w2 = nn.Conv2d(out_channels, out_channels, 3, bias=False)
        self.n2 = nn.BatchNorm2d(out_channels)
        self.shortcut = solution("make_shortcut")(in_channels, out_channels, stride, option)

    def forward(self, x):
        y = self.n1(self.w1(F.pad(x, (1, 1, 1, 1)))).relu()
        y = self.n2(self.w2(F.pad(y, (1,) * 4)))
        return (self.shortcut(x) + y).relu_()


for other in (TorchvisionBasic, ListOfLayers, PaddedByHand):
    VARIANTS["BasicBlock", other.__name__] = other


class TorchvisionBottleneck(nn.Module):
    expansion = 4

    def __init__(self, in_channels, width, stride=1):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(in_channels, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, self.expansion * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(self.expansion * width)
        self.downsample = Shortcut(in_channels, 4 * width, stride)

    def forward(self, x):
        out = self.bn1(self.conv1(x)).relu()
        out = self.bn2(self.conv2(out)).relu()
        return F.relu(self.downsample(x) + self.bn3(self.conv3(out)), inplace=True)


class BottleneckOfABasic(TorchvisionBasic):
    """Inherits from the basic block, and makes everything anew."""

    expansion = 4

    def __init__(self, in_channels, width, stride=1):
        nn.Module.__init__(self)
        sizes = [(in_channels, width, 1, 1), (width, width, 3, stride), (width, 4 * width, 1, 1)]
        parts = []
        for into, out, size, step in sizes:
            parts += [nn.Conv2d(into, out, size, step, size // 2, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
        self.all = nn.Sequential(*parts[:-1])
        self.shortcut = Shortcut(in_channels, 4 * width, stride)

    def forward(self, x):
        return torch.relu(self.all(x).add(self.shortcut(x)))


class BottleneckThatStridesLate(nn.Module):
    """Computes the 3x3 everywhere and then drops pixels, which gives the same."""

    expansion = 4

    def __init__(self, in_channels, width, stride=1):
        super().__init__()
        self.stride = stride
        self.a, self.an = nn.Conv2d(in_channels, width, 1, bias=False), nn.BatchNorm2d(width)
        self.b, self.bn = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.c, self.cn = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.shortcut = solution("make_shortcut")(in_channels, 4 * width, stride)

    def forward(self, x):
        y = self.b(F.relu(self.an(self.a(x))))[:, :, :: self.stride, :: self.stride]
        return F.relu(self.shortcut(x) + self.cn(self.c(F.relu(self.bn(y)))))


for other in (TorchvisionBottleneck, BottleneckOfABasic, BottleneckThatStridesLate):
    VARIANTS["Bottleneck", other.__name__] = other


@variant("make_stage", "one loop, in_channels overwritten")
def _(block, in_channels, width, blocks, stride=1, **settings):
    stage = nn.Sequential()
    for number in range(blocks):
        stage.add_module(f"block{number}", block(in_channels, width, stride, **settings))
        in_channels, stride = width * block.expansion, 1
    return stage


@variant("make_stage", "three lists, zipped")
def _(block, in_channels, width, blocks, stride=1, **settings):
    channels = [in_channels] + [block.expansion * width] * (blocks - 1)
    strides = [stride] + [1] * (blocks - 1)
    return nn.Sequential(
        *(block(c, width, stride=s, **settings) for c, s in zip(channels, strides, strict=True))
    )


class Stage(nn.Module):
    def __init__(self, block, in_channels, width, blocks, stride=1, **settings):
        super().__init__()
        later = functools.partial(block, width * block.expansion, width, **settings)
        self.blocks = nn.ModuleList([block(in_channels, width, stride, **settings)])
        self.blocks.extend(later() for _ in range(blocks - 1))

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


VARIANTS["make_stage", "a class with a list of blocks"] = Stage


class CifarWithAttributes(nn.Module):
    """Blocks of torchvision's kind, a mean without a pooling layer."""

    def __init__(self, depth, option="A", num_classes=10, width=16):
        super().__init__()
        n = depth // 6
        self.conv1, self.bn1 = nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        stage = functools.partial(Stage, TorchvisionBasic, blocks=n, option=option)
        self.layer1 = stage(width, width)
        self.layer2 = stage(width, 2 * width, stride=2)
        self.layer3 = stage(2 * width, 4 * width, stride=2)
        self.fc = nn.Linear(4 * width, num_classes)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer3(self.layer2(self.layer1(out)))
        return self.fc(out.mean((2, 3)))


@variant("CifarResNet", "a function that returns a Sequential of all blocks")
def _(depth, option="A", num_classes=10, width=16):
    net = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
    now = width
    for i in range(3 * ((depth - 2) // 6)):
        out = width * 2 ** (i // ((depth - 2) // 6))
        net.append(solution("BasicBlock")(now, out, 1 if out == now else 2, option))
        now = out
    return nn.Sequential(*net, nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(now, num_classes))


class CifarByLoop(CifarWithAttributes):
    def forward(self, x):
        for part in (self.conv1, self.bn1, F.relu, self.layer1, self.layer2, self.layer3):
            x = part(x)
        return self.fc(F.avg_pool2d(x, x.shape[2:]).flatten(1))


for other in (CifarWithAttributes, CifarByLoop):
    VARIANTS["CifarResNet", other.__name__] = other


class ResNetWithAttributes(nn.Module):
    def __init__(self, depth, num_classes=1000):
        super().__init__()
        kind, counts = {
            18: (TorchvisionBasic, [2, 2, 2, 2]),
            34: (TorchvisionBasic, [3, 4, 6, 3]),
            50: (TorchvisionBottleneck, [3, 4, 6, 3]),
            101: (TorchvisionBottleneck, [3, 4, 23, 3]),
            152: (TorchvisionBottleneck, [3, 8, 36, 3]),
        }[depth]
        self.inplanes = 64
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for i, count in enumerate(counts):
            setattr(self, f"layer{i + 1}", self.make(kind, 64 * 2**i, count, 1 if i == 0 else 2))
        self.fc = nn.Linear(512 * kind.expansion, num_classes)

    def make(self, kind, width, count, stride):
        made = Stage(kind, self.inplanes, width, count, stride)
        self.inplanes = width * kind.expansion
        return made

    def forward(self, x):
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class ResNetThatPoolsByHand(ResNetWithAttributes):
    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2)  # behind a ReLU zeros do no harm
        for name in ("layer1", "layer2", "layer3", "layer4"):
            x = getattr(self, name)(x)
        return self.fc(x.flatten(2).mean(dim=2))


@variant("ResNet", "all in one Sequential")
def _(depth, num_classes=1000):
    made = ResNetWithAttributes(depth, num_classes)
    stem = [made.conv1, made.bn1, nn.ReLU(), made.maxpool]
    stages = [made.layer1, made.layer2, made.layer3, made.layer4]
    return nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), made.fc)


for other in (ResNetWithAttributes, ResNetThatPoolsByHand):
    VARIANTS["ResNet", other.__name__] = other


@variant("gradient_norms", "a loop, torch.linalg on the flat gradient")
def _(model):
    norms = {}
    for name, p in model.named_parameters():
        if len(p.shape) < 2 or p.grad is None:
            continue
        norms[name] = torch.linalg.norm(p.grad.flatten())
    return norms


@variant("gradient_norms", "by kind of module, with NumPy")
def _(model):
    learned = (nn.Conv2d, nn.Linear)
    layers = [(name, m.weight.grad) for name, m in model.named_modules() if isinstance(m, learned)]
    return {f"{name}.weight": np.sqrt((g.numpy() ** 2).sum()) for name, g in layers if g is not None}


@variant("gradient_norms", "in an OrderedDict, by squares")
def _(model):
    pairs = [(n, p.grad) for n, p in model.named_parameters() if p.dim() >= 2 and torch.is_tensor(p.grad)]
    return OrderedDict((n, float(g.pow(2).sum() ** 0.5)) for n, g in pairs)
