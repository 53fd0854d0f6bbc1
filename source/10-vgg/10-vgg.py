# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 10 · VGG
#
# In 2014 Karen Simonyan and Andrew Zisserman in Oxford asked: how good does a net get if it has nothing but convolutions of 3 x 3 and poolings of
# 2 x 2, and only grows *deeper*? Their nets of 16 and 19 layers brought the top-5 error on ImageNet down to 7.3 %, from AlexNet's 16.4 %.
#
# You build four of these nets from one table, find out where 138 million parameters sit and where the memory goes, and see why such a net
# does not start to learn by itself. Take three hours, and units 01, 02, 06 and 08 first. All cells together run for about a minute on two CPU
# cores; with a GPU they use it.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
from itertools import islice

import torch
from torch import nn
from torch.nn.functional import conv2d, cross_entropy

from course.checks import check, hint
from course.data import PHOTOGRAPHS, photograph, shapes, standardized
from course.explorers import ArchitectureBuilder, ReceptiveField
from course.figures import plot_bars, plot_lines, show_images
from course.shapes import NAMES
from course.training import best_device, evaluate, fit, throughput

# %% [markdown]
# Where do you compute?

# %% tags=["experiment"]
device = best_device()
on_gpu = device.type == "cuda"
print("on", device)

# %% [markdown]
# ## How far does an output see?
#
# In unit 01 you lit one pixel and watched it spread: after one, two, three 3 x 3 layers an output sees 3, 5, 7 pixels in a row. That is its
# *receptive field*.
#
# Here you can see it. Choose an output on the right, and look left at what it sees of the image. Then press *+ pool*, and move the pooling up the
# table with its arrow: neighbours behind it lie two pixels apart (a *jump* of 2), so every layer behind it reaches further. The bars show
# what the chosen output sees of each layer; the line below adds up its *field* on the image. In the exercise you write that sum.

# %% tags=["experiment"]
ReceptiveField(layers=[("conv", 3), ("conv", 3), ("conv", 3)], size=16, effective=False)

# %% [markdown]
# ## Exercise: `receptive_field`
#
# *easy · 15 minutes · 2 points*
#
# Count it for any stack of layers. Keep two numbers as you go from the image through the layers: how many pixels an output sees, and how many pixels apart
# two neighbouring outputs lie (the jump). Padding changes nothing: places beyond the border count as pixels here. Without any
# layer an output is a pixel.
#
# **Predict** for a convolution 7 x 7 with stride 2, a pooling 2 x 2 with stride 2, and a convolution 3 x 3.
#
# <details><summary>Answer</summary>7 after the first. Its outputs lie 2 pixels apart, so the pooling adds 2: 9. Now neighbours lie 4 pixels
# apart, and the last convolution adds 4 on each side: 17.</details>

# %% nbgrader={"grade": false, "grade_id": "receptive_field", "locked": false, "schema_version": 3, "solution": true, "task": false}
def receptive_field(layers):
    """Return how many pixels in a row one output of the last layer sees, an int.

    layers: a (kernel_size, stride) for each, from the image on; a pooling is a layer too.

    >>> receptive_field([(3, 1), (2, 2), (3, 1)])
    8
    """
    ### BEGIN SOLUTION
    size, step = 1, 1
    for kernel_size, stride in layers:
        size += (kernel_size - 1) * step
        step *= stride
    return size
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_receptive_field", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(receptive_field)
### BEGIN HIDDEN TESTS
from course.checks import Case

cases = [
    Case("one layer", [(7, 1)], weight=0.5),
    Case("four 3 x 3", [(3, 1)] * 4),
    Case("a pooling first", [(2, 2), (3, 1), (3, 1)]),
    Case("two strides", [(5, 2), (3, 2), (3, 1)]),
    Case("poolings with overlap", [(3, 2), (3, 2), (3, 2)]),
    Case("ZFNet's first four", [(7, 2), (3, 2), (5, 2), (3, 2)]),
    Case("no layer", [], weight=0.5),
]
check(receptive_field, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("receptive_field")

# %% [markdown]
# Is it true? Ask a real stack. Where the gradient of one output is not 0, there it looks. **Predict** the number of columns for five
# convolutions 3 x 3.

# %% tags=["experiment"]
stack = nn.Sequential(*[nn.Conv2d(1, 1, 3, padding=1) for _ in range(5)])
image = torch.zeros(1, 1, 32, 32, requires_grad=True)
stack(image)[0, 0, 16, 16].backward()
columns = (image.grad[0, 0] != 0).any(dim=0).sum().item()
print("columns that it looks at:", columns)
print("by receptive_field:      ", receptive_field([(3, 1)] * 5))

# %% [markdown]
# ## Exercise: `stack_savings`
#
# *easy · 10 minutes · 1 point*
#
# Three convolutions 3 x 3 see as far as one 7 x 7. What does each way cost? All read C channels and make C channels; count the weights and leave
# out the biases.
#
# **Predict** which is cheaper, and by how much.
#
# <details><summary>Answer</summary>The stack has 3 · 9 · C² = 27 C² weights, the single one 49 C²: the stack saves 45 %, for any C.</details>

# %% nbgrader={"grade": false, "grade_id": "stack_savings", "locked": false, "schema_version": 3, "solution": true, "task": false}
def stack_savings(channels, convs=3):
    """Return the weights of a stack of 3 x 3 convolutions, and of one that sees as far.

    channels: of every input and output. convs: convolutions in the stack. The single
    convolution is a square with the stack's receptive field as its side. Two ints.

    >>> stack_savings(1)
    (27, 49)
    """
    ### BEGIN SOLUTION
    side = receptive_field([(3, 1)] * convs)
    return convs * 9 * channels**2, side**2 * channels**2
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_stack_savings", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 1}
check(stack_savings)
### BEGIN HIDDEN TESTS
from course.checks import Case

cases = [
    Case("one channel, two layers", 1, convs=2, weight=0.5),
    Case("256 channels", 256),
    Case("five for one 11 x 11", 7, convs=5),
    Case("six layers", 12, convs=6),
    Case("one layer", 20, convs=1, weight=0.5),
]
check(stack_savings, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("stack_savings")

# %% [markdown]
# The further you want to see, the more a stack saves:

# %% tags=["experiment"]
pairs = [stack_savings(64, convs) for convs in range(1, 8)]
sides = [receptive_field([(3, 1)] * convs) for convs in range(1, 8)]
lines = {"a stack of 3 x 3": [a for a, _ in pairs], "one convolution": [b for _, b in pairs]}
plot_lines(lines, "receptive field", "weights, 64 channels", x=sides)

# %% [markdown]
# ### Cheaper, but is it as good?
#
# Three convolutions with nothing between them are *one* convolution: light a pixel, and its 7 x 7 kernel appears (turned round, as in unit 02).
# **Predict** the largest difference between the three and the one, first as they are, then with a ReLU behind each of the first two.

# %% tags=["experiment"]
torch.manual_seed(0)
small = [nn.Conv2d(1, 1, 3, bias=False) for _ in range(3)]
pixel = torch.zeros(1, 1, 13, 13)
pixel[0, 0, 6, 6] = 1
large = nn.Sequential(*small)(pixel).flip(2, 3)
image = torch.randn(1, 1, 32, 32)

# %% tags=["experiment"]
a, b, c, relu = *small, nn.ReLU()
for name, three in {"as they are": small, "with ReLUs": [a, relu, b, relu, c]}.items():
    gap = nn.Sequential(*three)(image) - conv2d(image, large)
    print(f"{name:12} differs by at most {gap.abs().max().item():.7f}")

# %% [markdown]
# As they are, they save weights and can do less than a free 7 x 7. The ReLUs make the difference: behind each, the stack can bend its
# answer, which no single convolution can. That is VGG's whole idea: fewer weights, more bends, the same view.

# %% [markdown]
# ## Exercise: `vgg_block`
#
# *medium · 20 minutes · 3 points*
#
# VGG is made of five blocks. Each is a few convolutions 3 x 3 that keep the size of the maps (padding 1), with a ReLU behind each, and at the end a
# max pooling 2 x 2 with stride 2 (`nn.MaxPool2d`). The first convolution goes from in_channels to out_channels, the others stay at out_channels.
#
# With `batch_norm=True` an `nn.BatchNorm2d` of as many channels stands between each convolution and its ReLU. The convolutions keep their
# biases even then, so that published weights fit.
#
# **Predict:** how many parameters has `vgg_block(3, 64, 2)`?
#
# <details><summary>Answer</summary>3 · 9 · 64 + 64 = 1,792 and 64 · 9 · 64 + 64 = 36,928: together 38,720.</details>

# %% nbgrader={"grade": false, "grade_id": "vgg_block", "locked": false, "schema_version": 3, "solution": true, "task": false}
def vgg_block(in_channels, out_channels, convs, batch_norm=False):
    """Return an nn.Sequential: (N, in_channels, H, W) -> (N, out_channels, H // 2, W // 2).

    convs: how many convolutions, each a new one with weights and a bias of its own.
    Others' weights are matched by position: make the layers in the order of use.

    >>> vgg_block(3, 64, 2)(torch.zeros(1, 3, 8, 10)).shape
    torch.Size([1, 64, 4, 5])
    """
    ### BEGIN SOLUTION
    layers = []
    for i in range(convs):
        layers.append(nn.Conv2d(out_channels if i else in_channels, out_channels, 3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(out_channels))
        layers.append(nn.ReLU())
    return nn.Sequential(*layers, nn.MaxPool2d(2))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_vgg_block", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(vgg_block)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

build = through("vgg_drivers.build")
cases = [
    Case("one convolution", build, 2, 3, 1, x=normal(1, 2, 6, 4), weight=0.5),
    Case("two convolutions", build, 3, 5, 2, x=normal(3, 3, 8, 6)),
    Case("four convolutions", build, 4, 2, 4, x=normal(1, 4, 10, 10)),
    Case("as many channels out as in", build, 3, 3, 3, x=normal(2, 3, 9, 7)),
    Case("batch norm", build, 3, 2, 3, batch_norm=True, x=normal(2, 3, 8, 10)),
    Case("a block of VGG-19, counted", build, 256, 512, 4, batch_norm=True),
]
check(vgg_block, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("vgg_block")

# %% [markdown]
# ## Four nets from one table
#
# The nets differ only in the number of convolutions in their five blocks:

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "given_table", "locked": true, "schema_version": 3, "solution": false, "task": false}
CONVS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}

# %% [markdown]
# The number in a net's name counts layers with weights: its convolutions, and three linear layers at the end.
#
# | part | makes |
# |---|---|
# | five blocks | 64, 128, 256, 512, 512 channels |
# | adaptive average pooling, then flatten | 512 maps of 7 x 7, as one row |
# | linear, ReLU, dropout | 4,096 values |
# | linear, ReLU, dropout | 4,096 values |
# | linear | the scores |
#
# An image of 224 x 224 leaves the blocks as maps of 7 x 7. `nn.AdaptiveAvgPool2d(7)` makes 7 x 7 of maps of *any* size, so
# that other images fit too; the paper's nets, without it, took 224 only.

# %% [markdown]
# ## Exercise: `VGG`
#
# *medium · 25 minutes · 4 points*
#
# Build the net with your `vgg_block`. Two settings are ours, for nets that are small enough to train here. `width` is the number of channels of the
# first block; the others have 2, 4, 8 and 8 times as many, and the hidden layers 64 times as many values. `dropout` is the share that is dropped.
#
# Which weights the layers start with is up to PyTorch for now.
#
# **Predict:** how many values does the first linear layer read, and how many weights has it, for width 64?
#
# <details><summary>Answer</summary>512 · 7 · 7 = 25,088 values, and 25,088 · 4,096 = 102,760,448 weights. All 13 convolutions of VGG-16 have
# 14.7 million.</details>

# %% nbgrader={"grade": false, "grade_id": "VGG", "locked": false, "schema_version": 3, "solution": true, "task": false}
class VGG(nn.Module):
    """VGG-11, 13, 16 or 19: images (N, 3, H, W) -> scores (N, num_classes).

    Behind the blocks: AdaptiveAvgPool2d(7), Flatten, and three linear layers, the first
    two each with a ReLU and nn.Dropout(dropout) behind it. batch_norm: in the blocks only.
    Others' weights are matched by position: make the layers in the order of use.
    """

    def __init__(self, depth, num_classes=1000, batch_norm=False, width=64, dropout=0.5):
        super().__init__()
        ### BEGIN SOLUTION
        channels = [3, width, 2 * width, 4 * width, 8 * width, 8 * width]
        stages = zip(channels, channels[1:], CONVS[depth])
        self.features = nn.Sequential(*[vgg_block(*stage, batch_norm) for stage in stages])
        sizes = [49 * channels[-1], 64 * width, 64 * width]
        layers = [nn.AdaptiveAvgPool2d(7), nn.Flatten()]
        for pair in zip(sizes, sizes[1:]):
            layers += [nn.Linear(*pair), nn.ReLU(), nn.Dropout(dropout)]
        self.classifier = nn.Sequential(*layers, nn.Linear(sizes[-1], num_classes))
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        return self.classifier(self.features(x))
        ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_VGG", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 4}
check(VGG)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

network = through("vgg_drivers.network")
cases = [
    Case("VGG-11, one channel wide", network, 11, 10, width=1, x=normal(2, 3, 32, 32)),
    Case("VGG-13, images that are not square", network, 13, 4, width=2, x=normal(1, 3, 96, 64)),
    Case("VGG-16 with batch norm", network, 16, 6, batch_norm=True, width=1, x=normal(2, 3, 64, 64)),
    Case("VGG-19 at full size, two channels wide", network, 19, 5, width=2, x=normal(1, 3, 224, 224)),
    Case("a quarter dropped", network, 13, 6, width=1, dropout=0.25, x=normal(1, 3, 64, 32), weight=0.5),
    Case("no dropout", network, 11, 8, width=2, dropout=0, x=normal(2, 3, 64, 32)),
    Case("VGG-16 for ten classes, counted", network, 16, 10),
    Case("VGG-13 with batch norm, counted", network, 13, batch_norm=True),
]
check(VGG, cases=cases, random=10)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("VGG")

# %% [markdown]
# Are they the nets of the paper? Their parameters are known to the last one: 132,863,336 for VGG-11, then 133,047,848, 138,357,544 and 143,667,240.
#
# A net of that size takes half a gigabyte. On the device `"meta"` it takes nothing: tensors there have shapes and no numbers.
#
# **Predict:** from VGG-16 to VGG-19 three convolutions are added. How many parameters?
#
# <details><summary>Answer</summary>5.3 million: 256 · 9 · 256 + 256 once, and 512 · 9 · 512 + 512 twice.</details>

# %% tags=["experiment"]
def on_meta(*args, **kwargs):
    with torch.device("meta"):
        return VGG(*args, **kwargs).eval()


for depth in CONVS:
    print(f"VGG-{depth}: {sum(p.numel() for p in on_meta(depth).parameters()):,} parameters")

# %% [markdown]
# ### What a number sees
#
# How much of the image does one number see at the end of each block of VGG-16? Cut that much out of the middle of a photograph.
#
# **Predict:** from which block on could *you* say what is in the picture?

# %% tags=["experiment"]
photo, layers, crops = photograph(PHOTOGRAPHS[1]), [], []
for convs in CONVS[16]:
    layers += [(3, 1)] * convs + [(2, 2)]
    half = receptive_field(layers) // 2
    crops.append(photo[180 - half : 180 + half, 320 - half : 320 + half])
sizes = [f"{len(crop)} x {len(crop)} pixels" for crop in crops]
show_images(*crops, titles=[f"block {i}: {size}" for i, size in enumerate(sizes, 1)])

# %% [markdown]
# The first blocks can know of edges and colours, and no more. Whatever says "flower" has to come from the last ones.

# %% [markdown]
# ## Where are 138 million parameters?
#
# Add them up by block and linear layer. The first linear layer alone has 102.8 million. **Predict** what share
# that is, and which block comes next to it.

# %% tags=["experiment"]
def by_part(sizes, lengths):
    rest = iter(sizes)
    return {part: sum(islice(rest, n)) / 1e6 for part, n in lengths.items()}


vgg16 = on_meta(16)
lengths = {f"block {i}": 2 * convs for i, convs in enumerate(CONVS[16], 1)}
lengths |= {"linear 1": 2, "linear 2": 2, "linear 3": 2}
sizes = [p.numel() for p in vgg16.parameters()]  # a weight and a bias for each layer
plot_bars(by_part(sizes, lengths), "million parameters", "VGG-16: parameters")

# %% [markdown]
# One layer has three quarters of them. The nets after VGG leave it out: in GoogLeNet and ResNet, each map is averaged to a single number.

# %% [markdown]
# ## Where is the memory?
#
# Weights are only one half of what a net keeps. The other half are *activations*: the outputs of all layers, which backward will need.
#
# To see them, hang a **hook** on a module: a function that PyTorch calls each time the module has run, with the module, its inputs and its output.
# A hook stays until it is removed. The block itself is a module too; its own name in it is empty.

# %% tags=["experiment"]
def tell(module, inputs, output):
    print(type(module).__name__, "made", tuple(output.shape))


block = vgg_block(3, 8, 1)
hooks = [module.register_forward_hook(tell) for module in block.modules()]
block(torch.zeros(1, 3, 6, 6))
for hook in hooks:
    hook.remove()
print("names:", [name for name, module in block.named_modules()])

# %% [markdown]
# ## Exercise: `activation_memory`
#
# *medium · 25 minutes · 3 points*
#
# Send one image through a net and write down what each layer's output takes, in bytes. Every number is a float32: 4 bytes. A *layer* is a module that
# has no modules inside (`module.children()` is empty). ReLU, Flatten and Dropout do not count: they can use the memory of their input. The image
# itself counts.
#
# The net may lie on `"meta"`. Make the image on its device: `torch.zeros` takes a `device=`, and each parameter knows its own, as in
# `next(model.parameters()).device`.
#
# **Predict** the bytes for VGG's very first convolution, 64 maps of 224 x 224.
#
# <details><summary>Answer</summary>64 · 224 · 224 · 4 = 12,845,056 bytes, almost 13 MB, for a layer with 1,792 parameters.</details>

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "given_free", "locked": true, "schema_version": 3, "solution": false, "task": false}
FREE = (nn.ReLU, nn.Flatten, nn.Dropout)

# %% nbgrader={"grade": false, "grade_id": "activation_memory", "locked": false, "schema_version": 3, "solution": true, "task": false}
def activation_memory(model, input_size):
    """Return a dictionary: the bytes of "image", then of each layer's output by its name.

    model: in evaluation mode, used for one image of float32; no hook stays on it.
    input_size: (C, H, W). Names: as in model.named_modules(). Layers in FREE are left out.

    >>> activation_memory(vgg_block(3, 8, 1), (3, 6, 6))
    {'image': 432, '0': 1152, '2': 288}
    """
    ### BEGIN SOLUTION
    sizes = {"image": 4 * torch.Size(input_size).numel()}
    names = {module: name for name, module in model.named_modules()}

    def note(module, inputs, output):
        sizes[names[module]] = 4 * output.numel()

    layers = [m for m in names if not list(m.children()) and not isinstance(m, FREE)]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    model(torch.zeros(1, *input_size, device=next(model.parameters()).device))
    for hook in hooks:
        hook.remove()
    return sizes
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_activation_memory", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(activation_memory)
### BEGIN HIDDEN TESTS
from course.checks import Case, through

memory = through("vgg_drivers.memory")
cases = [
    Case("one convolution", memory, "conv 5", (2, 6, 3), weight=0.5),
    Case("two convolutions and a pooling", memory, "conv 4, relu, conv 6, relu, pool", (1, 10, 8)),
    Case("a head", memory, "conv 2, average 3, flatten, linear 7, relu, dropout, linear 4", (3, 9, 7)),
    Case("three blocks", memory, "conv 4, norm, relu, pool | conv 6, relu, pool | flatten, linear 9", (2, 12, 9)),
    Case("a net of a class of its own", memory, "in a class: conv 2, relu, pool | conv 4, sigmoid", (2, 8, 6)),
    Case("full size on meta", memory, "conv 64, relu, pool | conv 128, relu, pool | average 7, flatten, linear 4096", (3, 224, 224), device="meta"),
]
check(activation_memory, cases=cases, random=10)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("activation_memory")

# %% [markdown]
# Now VGG-16, for one image. **Predict:** which block takes most memory?

# %% tags=["experiment"]
kept = activation_memory(vgg16, (3, 224, 224))
lengths = {f"block {i}": convs + 1 for i, convs in enumerate(CONVS[16], 1)}
lengths = {"image": 1} | lengths | {"the rest": 4}
plot_bars(by_part(kept.values(), lengths), "MB an image", "VGG-16: activations")
total = sum(kept.values())
print(f"{total // 4:,} numbers, {total / 1e6:.0f} MB an image")

# %% [markdown]
# The two pictures are opposites: parameters sit at the end, memory at the beginning. For a batch of 64 the activations take seven times as much as
# the weights.
#
# ### A slide says 24 M
#
# A well-known lecture slide has these layers, one a line, and says below: 24 M numbers, 96 MB an image. We found 15.3 M, 61 MB. Perhaps it
# counts more than we do? Two ways to count more:
#
# 1. Each ReLU has memory of its own.
# 2. Each layer with weights keeps a copy of its input.
#
# **Predict** which of them is the slide's.

# %% tags=["experiment"]
modules, names = dict(vgg16.named_modules()), list(kept)
weighted = [n for n in names if isinstance(modules.get(n), (nn.Conv2d, nn.Linear))]
relus = sum(kept[name] for name in weighted[:-1])
copies = sum(kept[a] for a, b in zip(names, names[1:]) if b in weighted)
ways = {"ours": total, "ReLUs too": total + relus, "copies of inputs": total + copies}
plot_bars({way: size / 4e6 for way, size in ways.items()}, "million numbers an image")

# %% [markdown]
# The copies come out at 24.4 M. But the numbers on the slide's own lines add up to 15.2 M (it has no adaptive pooling), so a slip is more likely than a
# hidden rule. Either way: when someone tells you a net's memory, ask what was counted.
#
# ### What does it cost?
#
# PyTorch can count the multiply-adds of a pass (it counts two for a pair, we one), on `"meta"` too. **Predict** how many an image costs
# for VGG-16: AlexNet needed 0.7 thousand million.

# %% tags=["experiment"]
from torch.utils.flop_counter import FlopCounterMode

for depth in CONVS:
    with FlopCounterMode(display=False) as counter:
        on_meta(depth)(torch.zeros(1, 3, 224, 224, device="meta"))
    print(f"VGG-{depth}: {counter.get_total_flops() / 2e9:.1f} thousand million multiply-adds")

# %% [markdown]
# And in seconds? Here a real VGG-11 and a real VGG-16 look at images of real size. On a GPU they also train. **Predict** how many
# images a second your machine looks at.

# %% tags=["experiment"]
images = torch.rand(32 if on_gpu else 1, 3, 224, 224)
for depth in (11, 16):
    for training in [False] + [True] * on_gpu:
        rate = throughput(VGG(depth), images, training=training, seconds=2)
        what = "trains on" if training else "looks at"
        print(f"VGG-{depth} {what} {rate:.1f} images a second on {device}")

# %% [markdown]
# By its multiply-adds, VGG-16 should manage half as many images as VGG-11. Where your figures say otherwise, something else takes time:
# moving maps through memory, say, or another program.
#
# ### Change it
#
# Here is your VGG-16, line by line. (Its memory counts each ReLU and leaves out the image: 28.7 M numbers, 109 MiB.) Click on the line
# *adaptivepool 7*, and set its size from 7 to 1, as the nets after VGG do. **Predict** how many of the 138 million parameters are left.
#
# <details><summary>Answer</summary>The first linear layer then reads 512 values: 100.7 million fewer weights, 37.7 million parameters.</details>

# %% tags=["experiment"]
ArchitectureBuilder.from_module(vgg16)

# %% [markdown]
# ## Why it does not start
#
# A deep net can stall from the start. So the authors trained VGG-11 first, and put its layers into the deeper nets. See what they were up against, with a
# VGG-16 that is eight channels wide (64 on a GPU), on images of ten shapes in all colours, sizes and places, one of each below. They are 32 x 32: each map leaves
# the blocks as one number, and the adaptive pooling copies it 49 times. Dropout is off, since in a few rounds of training it would only
# slow us down.

# %% tags=["experiment"]
train_x, train_y, test_x, test_y = shapes(3000, 500)
small_train, small_test = standardized(train_x, test_x)
show_images(*[train_x[train_y == k][0] for k in range(10)], titles=NAMES)

# %% [markdown]
# A net starts with random weights; how large should they be? Four ways:
#
# - standard deviation 0.01, as AlexNet began;
# - what PyTorch draws if nobody says anything;
# - He's rule of unit 06: standard deviation sqrt(2 / inputs), which keeps a signal's size through ReLUs;
# - PyTorch's again, with batch norm in the blocks.

# %% tags=["experiment"]
def started(std=None, **settings):
    torch.manual_seed(0)
    net = VGG(16, 10, width=64 if on_gpu else 8, dropout=0, **settings).to(device)
    for layer in net.modules():
        if std and isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.normal_(layer.weight, std=std(layer.weight[0].numel()))
            nn.init.zeros_(layer.bias)
    return net

# %% tags=["experiment"]
nets = {
    "0.01": started(lambda inputs: 0.01),
    "PyTorch's": started(),
    "He's": started(lambda inputs: (2 / inputs) ** 0.5),
    "batch norm": started(batch_norm=True),
}

# %% [markdown]
# Before any training, send 100 images through. Call a layer's *signal* how much its outputs differ from one image to another: what is the same for
# all images says nothing about any.
#
# PyTorch draws weights between plus and minus 1 / sqrt(inputs). Their variance is 1 / (3 · inputs), and a ReLU lets half of a signal's power
# pass, so each layer leaves sqrt(1 / 6) of the size, about 0.4.
#
# **Predict** what 13 convolutions leave.
#
# <details><summary>Answer</summary>0.4 to the 13th is 7 millionths. Measured it is less still, since images also become more alike from layer to
# layer.</details>

# %% tags=["experiment"]
def signals_and_gradients(net, x, labels):
    signals, layers = [], [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]

    def note(module, inputs, output):
        signals.append(output.std(dim=0).mean().item())

    hooks = [layer.register_forward_hook(note) for layer in layers]
    cross_entropy(net.train()(x.to(device)), labels.to(device)).backward()
    for hook in hooks:
        hook.remove()
    gradients = [layer.weight.grad.square().mean().sqrt().item() for layer in layers]
    net.zero_grad()
    return signals, gradients

# %% tags=["experiment"]
x, labels = torch.from_numpy(small_train[:100]), torch.from_numpy(train_y[:100])
found = {name: signals_and_gradients(net, x, labels) for name, net in nets.items()}
signals = {name: signal for name, (signal, _) in found.items()}
plot_lines(signals, "convolution", "size of the signal", log="y")

# %% [markdown]
# The first two nets give almost the same output for every image. With He's rule a tenth of the signal is left; batch norm scales it anew in every
# layer, however large the weights were.
#
# The loss goes back through the same weights, and is cut in the same way. A weight's gradient is the value that came in, times the gradient
# that came back. **Predict** for weights of 0.01: is it smallest in the first layers, in the last, or about the same in all?
#
# <details><summary>Answer</summary>About the same. The first layers read a large signal and get a tiny gradient back, the last ones the other way
# round: every layer has the cuts of the whole net.</details>

# %% tags=["experiment"]
gradients = {name: gradient for name, (_, gradient) in found.items()}
plot_lines(gradients, "convolution", "size of the gradient", log="y")

# %% [markdown]
# With 0.01 no layer hears anything: a step along such a gradient changes nothing. PyTorch's own weights come with small biases. These keep the
# later layers' values from shrinking, so that the last layers hear a little, though the same for every image; the first hear nothing. With He's
# rule and with batch norm, all layers hear.
#
# **Predict** the four curves: who learns?

# %% tags=["experiment"]
histories = {}
for name, net in nets.items():
    optimizer = torch.optim.SGD(net.parameters(), lr=0.005, momentum=0.9)
    train, test = (small_train, train_y), (small_test, test_y)
    histories[name] = fit(net, train, test, epochs=5, batch_size=50, optimizer=optimizer)
plot_lines({n: h.train_loss for n, h in histories.items()}, "epoch", "training loss")

# %% [markdown]
# The first two stay at 2.3, the logarithm of ten: they say "any of the ten" to everything. He's rule starts after a while, batch norm at once.
# This is one draw of weights and five rounds: with another seed He's net can wait longer, and given more time the first two might start as well.
#
# Batch norm came in 2015, a year after VGG; so did He's rule, found for nets like this one.

# %% [markdown]
# ## Your picture
#
# Twelve images that your net of 16 layers has never seen. **Predict** for each what *you* see, and write it down.

# %% tags=["experiment"]
show_images(*test_x[:12])

# %% [markdown]
# And this is what your net says after five rounds, with how sure it is.

# %% tags=["experiment"]
net = nets["batch norm"].eval()
with torch.no_grad():
    chances = net(torch.from_numpy(small_test[:12]).to(device)).softmax(dim=1).cpu()
said = [f"{NAMES[k]} {p:.0%}" for p, k in zip(*chances.max(dim=1))]
was = ["" if s.startswith(NAMES[y]) else f", was {NAMES[y]}" for s, y in zip(said, test_y)]
show_images(*test_x[:12], titles=[a + b for a, b in zip(said, was)])
print(f"right: {evaluate(net, (small_test, test_y))[1]:.0%} of {len(test_y)}")

# %% [markdown]
# ## What you have learnt
#
# Stacks of small convolutions see as far as one large one, for fewer weights and with more bends. VGG's parameters sit where the last maps meet the
# first linear layer, and its memory where the maps are large: two different places. And depth needs a good start: He's rule or batch norm keep
# the signal alive through all layers, forward and back.
#
# **Next:** VGG's depth ends at 19 layers. In [12 · ResNet](../12-resnet/12-resnet.ipynb) you see what stops deeper nets even where training
# starts, and how a shortcut mends that. (Unit 11, on GoogLeNet, which is as accurate with a twentieth of these parameters, is not written
# yet.)
