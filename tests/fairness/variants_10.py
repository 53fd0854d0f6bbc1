"""Other ways to work out the exercises of unit 10."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from tests.fairness.variants import VARIANTS, variant

CONVS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


@variant("receptive_field", "from the top down")
def _(layers):
    size = 1
    for kernel_size, stride in reversed(layers):
        size = (size - 1) * stride + kernel_size
    return size


@variant("receptive_field", "a sum over products of strides")
def _(layers):
    strides = [stride for _, stride in layers]
    return 1 + sum((k - 1) * math.prod(strides[:i]) for i, (k, _) in enumerate(layers))


@variant("receptive_field", "recursion")
def receptive_field(layers):
    if not layers:
        return 1
    (kernel_size, stride), *above = layers
    return (receptive_field(above) - 1) * stride + kernel_size


@variant("receptive_field", "the first and the last pixel followed")
def _(layers):
    first, last = 0, 0
    for kernel_size, stride in layers[::-1]:
        first, last = first * stride, last * stride + kernel_size - 1
    return torch.tensor(last - first + 1)


@variant("stack_savings", "2 convs + 1")
def _(channels, convs=3):
    return 9 * convs * channels * channels, (2 * convs + 1) ** 2 * channels * channels


@variant("stack_savings", "layers of torch, counted")
def _(channels, convs=3):
    small = [nn.Conv2d(channels, channels, 3, bias=False, device="meta") for _ in range(convs)]
    large = nn.Conv2d(channels, channels, 2 * convs + 1, bias=False, device="meta")
    return [sum(layer.weight.numel() for layer in small), large.weight.numel()]


@variant("stack_savings", "a loop")
def _(channels, convs=3):
    stack, side = 0, 1
    for _ in range(convs):
        stack, side = stack + (3 * channels) ** 2, side + 2
    return stack, (side * channels) ** 2


@variant("vgg_block", "add_module, one by one")
def _(in_channels, out_channels, convs, batch_norm=False):
    block = nn.Sequential()
    for i in range(convs):
        block.add_module(f"conv{i}", nn.Conv2d(in_channels, out_channels, (3, 3), padding="same"))
        if batch_norm:
            block.add_module(f"norm{i}", nn.BatchNorm2d(out_channels))
        block.add_module(f"relu{i}", nn.ReLU(inplace=True))
        in_channels = out_channels
    block.add_module("pool", nn.MaxPool2d(kernel_size=2, stride=2))
    return block


class Block(nn.Module):
    def __init__(self, in_channels, out_channels, convs, batch_norm=False):
        super().__init__()
        sizes = [in_channels] + [out_channels] * convs
        self.steps = nn.ModuleList()
        for a, b in zip(sizes, sizes[1:], strict=False):
            layers = [nn.Conv2d(a, b, 3, 1, 1)] + ([nn.BatchNorm2d(b)] if batch_norm else [])
            self.steps.append(nn.Sequential(*layers))

    def forward(self, x):
        for step in self.steps:
            x = step(x).clamp(min=0)
        return F.max_pool2d(x, 2)


VARIANTS["vgg_block", "a module of its own, functions for what has no weights"] = Block


@variant("vgg_block", "nested blocks, the pooling as the largest of four")
def _(in_channels, out_channels, convs, batch_norm=False):
    class Largest(nn.Module):
        def forward(self, x):
            x = x[:, :, : x.shape[2] // 2 * 2, : x.shape[3] // 2 * 2]
            return x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).amax(dim=(3, 5))

    def step(i):
        conv = nn.Conv2d(out_channels if i else in_channels, out_channels, 3, padding=1)
        return nn.Sequential(conv, nn.BatchNorm2d(out_channels) if batch_norm else nn.Identity(), nn.ReLU())

    return nn.Sequential(nn.Sequential(*map(step, range(convs))), Largest())


@variant("VGG", "a function, one flat Sequential, as published")
def _(depth, num_classes=1000, batch_norm=False, width=64, dropout=0.5):
    layers, channels = [], 3
    for convs, times in zip(CONVS[depth], (1, 2, 4, 8, 8), strict=True):
        for _ in range(convs):
            layers.append(nn.Conv2d(channels, times * width, 3, padding=1))
            layers += [nn.BatchNorm2d(times * width)] if batch_norm else []
            layers.append(nn.ReLU(inplace=True))
            channels = times * width
        layers.append(nn.MaxPool2d(2, 2))
    layers += [nn.AdaptiveAvgPool2d((7, 7)), nn.Flatten()]
    layers += [nn.Linear(8 * width * 7 * 7, 64 * width), nn.ReLU(True), nn.Dropout(dropout)]
    layers += [nn.Linear(64 * width, 64 * width), nn.ReLU(True), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(64 * width, num_classes))


class WithFunctions(nn.Module):
    def __init__(self, depth, num_classes=1000, batch_norm=False, width=64, dropout=0.5):
        super().__init__()
        sizes = [3, width, 2 * width, 4 * width, 8 * width, 8 * width]
        self.blocks = nn.ModuleList(
            Block(sizes[i], sizes[i + 1], convs, batch_norm) for i, convs in enumerate(CONVS[depth])
        )
        self.fc6 = nn.Linear(sizes[-1] * 49, 64 * width)
        self.fc7 = nn.Linear(64 * width, 64 * width)
        self.fc8 = nn.Linear(64 * width, num_classes)
        self.dropout = dropout

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        x = torch.flatten(F.adaptive_avg_pool2d(x, 7), 1)
        for layer in (self.fc6, self.fc7):
            x = F.dropout(F.relu(layer(x)), self.dropout, self.training)
        return self.fc8(x)


VARIANTS["VGG", "functions in forward"] = WithFunctions


@variant("VGG", "the head as convolutions that see 7 x 7, drawn by He's rule")
def _(depth, num_classes=1000, batch_norm=False, width=64, dropout=0.5):
    class Convolved(nn.Linear):
        def forward(self, x):
            weight = self.weight.view(len(self.weight), -1, 7, 7)
            return F.conv2d(x, weight, self.bias).flatten(1)

    sizes = [3, width, 2 * width, 4 * width, 8 * width, 8 * width]
    features = [Block(*s, batch_norm) for s in zip(sizes, sizes[1:], CONVS[depth], strict=False)]
    head = [nn.AdaptiveAvgPool2d(7), Convolved(sizes[-1] * 49, 64 * width), nn.ReLU(), nn.Dropout(dropout)]
    head += [nn.Linear(64 * width, 64 * width), nn.Dropout(dropout), nn.ReLU()]
    net = nn.Sequential(*features, *head, nn.Linear(64 * width, num_classes))
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return net


FREE = (nn.ReLU, nn.Flatten, nn.Dropout)


def leaves(model):
    return [(n, m) for n, m in model.named_modules() if not list(m.children()) and not isinstance(m, FREE)]


@variant("activation_memory", "a hook for each layer, with its name")
def _(model, input_size):
    image = torch.zeros(1, *input_size, device=next(model.parameters()).device)
    sizes, hooks = {"image": image.nbytes}, []
    for name, module in leaves(model):

        def note(module, inputs, output, name=name):
            sizes[name] = output.element_size() * output.nelement()

        hooks.append(module.register_forward_hook(note))
    with torch.no_grad():
        model(image)
    for hook in hooks:
        hook.remove()
    return sizes


@variant("activation_memory", "forward of each layer wrapped, and put back")
def _(model, input_size):
    sizes = {"image": 4 * math.prod(input_size)}

    def watch(name, module):
        inner = module.forward

        def forward(x):
            out = inner(x)
            sizes[name] = math.prod(out.shape) * 4
            return out

        module.forward = forward

    for name, module in leaves(model):
        watch(name, module)
    model(torch.rand(1, *input_size).to(next(model.parameters()).device))
    for _, module in leaves(model):
        del module.forward
    return sizes


@variant("activation_memory", "a batch of two, on a copy")
def _(model, input_size):
    import copy

    twin, sizes = copy.deepcopy(model), {}
    for name, module in leaves(twin):
        module.register_forward_hook(
            lambda module, inputs, output, name=name: sizes.update({name: output[0].numel() * 4})
        )
    device = next(model.parameters()).device
    twin(torch.ones(2, *input_size, device=device))
    return {**sizes, "image": 4 * input_size[0] * input_size[1] * input_size[2]}
