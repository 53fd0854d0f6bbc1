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
# # 12 · ResNet
#
# A deeper network can do all that a shallower one can, and more. So why did deeper networks become *worse*, for years, even on the images
# that they were trained on? And why did a mere `+ x` put an end to it?
#
# You build the residual nets of 2015, from CIFAR's 20 layers to ImageNet's 152, train them against their twins without the `+ x`, and
# look inside both.
#
# Take three hours. You need units 04 (batch norm) and 08 (PyTorch). Everything runs on a CPU, with about a minute of computing in all;
# with an NVIDIA GPU the nets are larger and train longer.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import torch
import torch.nn.functional as F
from torch import nn

from course.checks import check, hint
from course.data import shapes, standardized
from course.figures import plot_bars, plot_lines, show_images
from course.training import best_device, evaluate, fit, throughput

# %% [markdown]
# ## The data
#
# The course's own set: small colour images of ten classes of shapes. On a CPU we take 2,000 of them, shrunk to 16 x 16 pixels, so that a
# net with 32 layers trains while you wait.

# %% tags=["experiment"]
device = best_device()
large = device.type == "cuda"
images, width, epochs, batch_size = (5000, 16, 30, 128) if large else (2000, 8, 6, 32)
train_x, train_y, _, _ = shapes()
train_x, train_y = torch.tensor(train_x[:images]), torch.tensor(train_y[:images])
pixels = train_x if large else F.avg_pool2d(train_x, 2)
x = torch.tensor(standardized(pixels.numpy())[0])
print(device, tuple(x.shape))
show_images(*pixels[:8])

# %% [markdown]
# ## The puzzle
#
# Take a net that works, and put more layers on top. If the new layers did nothing at all, the deeper net would be as good as the shallow
# one. So its *training* error should never be higher.
#
# In 2015 Kaiming He and colleagues measured it on CIFAR-10: a plain net of 56 layers ended with a higher training error than one of 20. Overfitting
# it was not, for that lowers the training error. They called it **degradation**: the better solution exists, and training does not find it.
#
# Is doing nothing so hard to learn?

# %% [markdown]
# ### Learning to do nothing
#
# Here is the plain block that nets were made of: two convolutions, each with a batch norm and a ReLU. `conv_norm` is for you to use, too. It returns a
# pair, a convolution and its norm, which a star unpacks, as below. It is padded so that stride 1 keeps the size (for odd sizes). The convolution has no bias,
# since the norm would subtract it again.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "given_conv_norm", "locked": true, "schema_version": 3, "solution": false, "task": false}
def conv_norm(in_channels, out_channels, size, stride=1):
    conv = nn.Conv2d(in_channels, out_channels, size, stride, padding=size // 2, bias=False)
    return conv, nn.BatchNorm2d(out_channels)

# %% tags=["experiment"]
class PlainBlock(nn.Sequential):
    expansion = 1

    def __init__(self, in_channels, out_channels, stride=1):
        first = conv_norm(in_channels, out_channels, 3, stride)
        second = conv_norm(out_channels, out_channels, 3)
        super().__init__(*first, nn.ReLU(), *second, nn.ReLU())

# %% [markdown]
# We stack 1, 4 or 16 plain blocks and train them to give back the very image that came in (shrunk to 8 x 8, its three colours four times over, so that
# there are twelve channels to work with). The error is a share: 0 is a perfect copy; 1 is what you get for one flat colour.
#
# **Predict:** after 100 steps, which stack copies best? Does the stack of 16 learn anything?

# %% tags=["experiment"]
little = F.adaptive_avg_pool2d(pixels, 8).repeat(1, 4, 1, 1)


def copying_error(blocks, steps=100):
    torch.manual_seed(0)
    net = nn.Sequential(*(PlainBlock(12, 12) for _ in range(blocks)))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for _ in range(steps):
        batch = little[torch.randint(len(little), (32,))]
        loss = F.mse_loss(net(batch), batch) / little.var()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()

# %% tags=["experiment"]
copies = {f"{n} plain block{'s' * (n > 1)}": copying_error(n) for n in (1, 4, 16)}
plot_bars(copies, "error of the copy")

# %% [markdown]
# Each block has to learn to hand the image on, through two convolutions that mix it, and the more blocks there are, the less arrives. The stack of 16
# has learnt nothing that shows: with an error of about 1 it does no better than one flat colour.

# %% [markdown]
# ## The shortcut
#
# The idea of 2015: let the block compute only what has to be *added* to x, the residual.
#
# ```
# x ──┬── conv 3x3 ── norm ── ReLU ── conv 3x3 ── norm ── (+) ── ReLU ──
#     └──────────────────── shortcut ──────────────────────┘
# ```
#
# Now doing nothing is easy: the branch has to give zeros. The shortcut is x itself, as long as both sides have the same shape.
#
# Some blocks change the shape: half as many rows and columns, twice as many channels. Then the shortcut must do so, too, and there are two ways.
# **Option A** has nothing to learn: it drops pixels and adds channels of zeros. **Option B** is a 1x1 convolution with a batch norm.

# %% [markdown]
# ## Exercise: `pad_channels`
#
# *easy · 10 minutes · 2 points*
#
# Option A. Keep every `stride`-th row and column, beginning with the first. Then add channels of zeros until there are
# `out_channels`: half of the new ones before those of x, half behind. (Some codes put all of them behind. Any fixed place works, but weights trained
# with one habit do not fit the other.)
#
# **Predict:** x is (1, 16, 32, 32), out_channels 32 and stride 2. What is the output's shape? Which channel of the output begins with `x[0, 0]`?
#
# <details><summary>Answer</summary>(1, 32, 16, 16). Channel 8: eight channels of zeros come first.</details>

# %% nbgrader={"grade": false, "grade_id": "pad_channels", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pad_channels(x, out_channels, stride):
    """Return x (N, C, H, W) with fewer pixels and out_channels channels.

    out_channels - C is even: half of the zeros before, half behind.

    >>> pad_channels(torch.ones(1, 2, 4, 4), 4, 2)[0, :, 0, 0]
    tensor([0., 1., 1., 0.])
    """
    # F.pad(x, numbers) counts axes from the last: two numbers for W, two for H, two for C.
    ### BEGIN SOLUTION
    extra = (out_channels - x.shape[1]) // 2
    return F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, extra, extra))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_pad_channels", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(pad_channels)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

tensors = through("torch_drivers.with_tensors")
cases = [
    Case("one channel becomes three", tensors, normal(1, 1, 2, 4), 3, 2),
    Case("three channels become seven", tensors, normal(2, 3, 4, 4), 7, 2),
    Case("a stride that does not divide", tensors, normal(1, 2, 7, 5), 4, 2),
    Case("stride 1", tensors, normal(3, 2, 2, 3), 4, 1),
    Case("stride 3", tensors, normal(2, 3, 8, 7), 9, 3),
    Case("as many channels as before", tensors, normal(2, 2, 5, 4), 2, 2, weight=0.5),
]
check(pad_channels, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("pad_channels")

# %% [markdown]
# A function cannot stand in a net beside convolutions; a module can. So here is one that calls yours.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "given_shortcut", "locked": true, "schema_version": 3, "solution": false, "task": false}
class PadShortcut(nn.Module):
    def __init__(self, out_channels, stride):
        super().__init__()
        self.out_channels, self.stride = out_channels, stride

    def forward(self, x):
        return pad_channels(x, self.out_channels, self.stride)

# %% [markdown]
# ## Exercise: `make_shortcut`
#
# *easy · 15 minutes · 3 points*
#
# Return the module for one block's shortcut: `nn.Identity()` where x fits as it is, otherwise option "A" or "B". In every net of this notebook, each
# convolution is followed by a batch norm and has no bias; that of option B too. No ReLU follows.
#
# **Predict:** when does x fit as it is? And how many parameters has option B from 64 to 128 channels?
#
# <details><summary>Answer</summary>When stride is 1 *and* the channels stay the same. 64 · 128 = 8,192 weights, and 2 · 128 in the batch norm.</details>

# %% nbgrader={"grade": false, "grade_id": "make_shortcut", "locked": false, "schema_version": 3, "solution": true, "task": false}
def make_shortcut(in_channels, out_channels, stride=1, option="B"):
    """Return a module that gives x the shape of the block's output.

    The identity where it has it; else "A", PadShortcut, or "B", 1x1 convolution and norm.

    >>> make_shortcut(4, 8, 2)(torch.ones(1, 4, 6, 6)).shape
    torch.Size([1, 8, 3, 3])
    """
    ### BEGIN SOLUTION
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    if option == "A":
        return PadShortcut(out_channels, stride)
    return nn.Sequential(*conv_norm(in_channels, out_channels, 1, stride))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_make_shortcut", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(make_shortcut)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

outputs = through("torch_drivers.outputs")
cases = [
    Case("same shape", outputs, [2, 2], normal(2, 2, 3, 4), weight=0.5),
    Case("same shape, option A", outputs, [4, 4, 1, "A"], normal(1, 4, 4, 3), weight=0.5),
    Case("option A", outputs, [3, 5, 2, "A"], normal(2, 3, 6, 5)),
    Case("option A, more channels", outputs, [1, 3, 1, "A"], normal(2, 1, 3, 4)),
    Case("option A, fewer pixels", outputs, [2, 2, 2, "A"], normal(2, 2, 6, 5)),
    Case("option B", outputs, [3, 6, 2, "B"], normal(2, 3, 5, 6)),
    Case("option B, more channels", outputs, [3, 5], normal(1, 3, 4, 6)),
    Case("option B, fewer pixels", outputs, [2, 2, 2], normal(3, 2, 7, 5)),
    Case("option B, fewer channels", outputs, [5, 3], normal(1, 5, 4, 3)),
]
check(make_shortcut, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("make_shortcut")

# %% [markdown]
# ## Exercise: `BasicBlock`
#
# *medium · 25 minutes · 4 points*
#
# Build the block of the picture. It is the plain block with three changes: the last ReLU moves behind the sum, the shortcut comes in, and
# `option` goes to the shortcut. The stride belongs to the first convolution.
#
# The order in which `__init__` sets the parts is that of the parameters. This course copies weights in that order (torch's
# `load_state_dict` goes by names). So keep the order of the computation, and **make the shortcut last**.
#
# **Predict:** what would a block lose if the ReLU came before the addition and not behind it?
#
# <details><summary>Answer</summary>It could only ever add to x, never take anything away: the branch would have no negative values.</details>

# %% nbgrader={"grade": false, "grade_id": "BasicBlock", "locked": false, "schema_version": 3, "solution": true, "task": false}
class BasicBlock(nn.Module):
    """relu(branch(x) + shortcut(x)); branch: conv 3x3, norm, ReLU, conv 3x3, norm.

    (N, in_channels, H, W) -> (N, out_channels, H / stride, W / stride)
    Convolutions have padding 1 and no bias. Parts are registered in the order above,
    the shortcut last. x is not changed.
    """

    expansion = 1  # out_channels is once the width of the branch

    def __init__(self, in_channels, out_channels, stride=1, option="B"):
        super().__init__()
        ### BEGIN SOLUTION
        first = conv_norm(in_channels, out_channels, 3, stride)
        second = conv_norm(out_channels, out_channels, 3)
        self.branch = nn.Sequential(*first, nn.ReLU(), *second)
        self.shortcut = make_shortcut(in_channels, out_channels, stride, option)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        return F.relu(self.branch(x) + self.shortcut(x))
        ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_BasicBlock", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 4}
check(BasicBlock)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

outputs = through("torch_drivers.outputs")
cases = [
    Case("one channel", outputs, [1, 1], normal(2, 1, 5, 5)),
    Case("the same shape", outputs, [4, 4], normal(2, 4, 6, 5)),
    Case("more channels", outputs, [3, 4], normal(1, 3, 5, 7)),
    Case("stride 2", outputs, [2, 2, 2], normal(3, 2, 6, 7)),
    Case("stride 2 and more channels", outputs, [3, 6, 2], normal(2, 3, 8, 6)),
    Case("stride 2 on a small image", outputs, [3, 3, 2], normal(2, 3, 3, 4), weight=0.5),
    Case("option A", outputs, [3, 5, 2, "A"], normal(2, 3, 5, 6), weight=2),
]
check(BasicBlock, cases=cases, random=10)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("BasicBlock")

# %% [markdown]
# ### Doing nothing, again
#
# Sixteen of your blocks. As they come they are not the identity: each adds something random to x, and these add up. But if you set `gamma`, the
# factor of the branch's last batch norm, to zero, what does a block do?
#
# **Predict** the copying error before a single step of training: with gamma as it comes, and with zero.

# %% tags=["experiment"]
torch.manual_seed(0)
stack = nn.Sequential(*(BasicBlock(12, 12) for _ in range(16)))
with torch.no_grad():
    usual = F.mse_loss(stack(little), little) / little.var()
    for block in stack:
        norms = [part for part in block.modules() if isinstance(part, nn.BatchNorm2d)]
        norms[1].weight.zero_()
    zeroed = F.mse_loss(stack(little), little) / little.var()
print(f"error of the copy: {usual:.2f} as they come, {zeroed:.2f} with gamma = 0")

# %% [markdown]
# What sixteen plain blocks did not learn in a hundred steps, these do before the first. (The last ReLU does no harm: pixels are not negative.)
# As they come, each branch ends in a batch norm, and so adds a variance of about 1, twenty times that of the images.
#
# Nets are often started with zeros today: every block begins as the identity, and grows into something when the loss asks for it.

# %% [markdown]
# ## Exercise: `make_stage`
#
# *easy · 15 minutes · 3 points*
#
# A stage is a row of blocks. The first may change the shape, the others keep it. Build it for *any* class of blocks that is called as
# `block(in_channels, width, stride, **settings)` and gives out `block.expansion * width` channels. (Yours has expansion 1; another will have 4.)
#
# `**settings` collects what else is named in the call, such as `option="A"`: hand it on to each block. The check brings blocks of its own.
#
# **Predict:** three blocks, from 64 channels to width 128, stride 2. Write down channels in, width and stride of each.
#
# <details><summary>Answer</summary>64, 128, 2, then twice 128, 128, 1 (for expansion 1).</details>

# %% nbgrader={"grade": false, "grade_id": "make_stage", "locked": false, "schema_version": 3, "solution": true, "task": false}
def make_stage(block, in_channels, width, blocks, stride=1, **settings):
    """Return one module of so many new blocks in a row, nothing between them.

    The first takes in_channels and the stride; each later one takes what the one
    before gives out, block.expansion * width channels, and has stride 1.

    >>> make_stage(BasicBlock, 4, 8, 3, stride=2)(torch.ones(1, 4, 6, 6)).shape
    torch.Size([1, 8, 3, 3])
    """
    ### BEGIN SOLUTION
    row = [block(in_channels, width, stride, **settings)]
    for _ in range(blocks - 1):
        row.append(block(block.expansion * width, width, 1, **settings))
    return nn.Sequential(*row)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_make_stage", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(make_stage)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

stage = through("residual_drivers.stage")
cases = [
    Case("one block", stage, 1, [3, 2, 1], normal(2, 3, 3, 4), weight=0.5),
    Case("two blocks", stage, 1, [4, 4, 2], normal(1, 4, 5, 3)),
    Case("four blocks, fewer channels, stride 2", stage, 1, [5, 3, 4, 2], normal(2, 5, 6, 7)),
    Case("one block of expansion 4", stage, 4, [2, 3, 1, 2], normal(1, 2, 5, 4), weight=0.5),
    Case("three blocks of expansion 4", stage, 4, [2, 3, 3, 2], normal(2, 2, 7, 5)),
    Case("two blocks of expansion 4", stage, 4, [12, 3, 2], normal(1, 12, 4, 4)),
    Case("settings for the blocks", stage, 1, [3, 6, 3, 2], normal(2, 3, 4, 5), option="A"),
    Case("another setting", stage, 1, [2, 3, 2], normal(2, 2, 4, 3), groups=3),
]
check(make_stage, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("make_stage")

# %% [markdown]
# ## Exercise: `CifarResNet`
#
# *medium · 20 minutes · 4 points*
#
# The net for small images: a stem, three stages with equally many basic blocks, the mean of each map, a linear layer.
#
# | part | output, for 32 x 32 images |
# |---|---|
# | stem: conv 3x3 (padding 1), norm, ReLU | width x 32 x 32 |
# | stage 1 | width x 32 x 32 |
# | stage 2, stride 2 | 2 width x 16 x 16 |
# | stage 3, stride 2 | 4 width x 8 x 8 |
# | mean over H and W | 4 width |
# | linear, with bias | num_classes |
#
# `depth` counts the convolutions of stem and blocks, and the linear layer (not those in shortcuts).
#
# **Predict:** how many blocks has a stage for depth 20? For 56?
#
# <details><summary>Answer</summary>3 and 9. Stem and linear layer are 2, a block is 2, and there are three stages: depth = 6 n + 2.</details>

# %% nbgrader={"grade": false, "grade_id": "CifarResNet", "locked": false, "schema_version": 3, "solution": true, "task": false}
class CifarResNet(nn.Module):
    """The residual net for small images: (N, 3, H, W) -> scores (N, num_classes).

    depth: 6 n + 2, as 20, 32, 56. option: of the shortcuts. Parts in the table's order.
    """

    def __init__(self, depth, option="A", num_classes=10, width=16):
        super().__init__()
        ### BEGIN SOLUTION
        blocks, more = (depth - 2) // 6, {"option": option}
        first = make_stage(BasicBlock, width, width, blocks, **more)
        second = make_stage(BasicBlock, width, 2 * width, blocks, 2, **more)
        third = make_stage(BasicBlock, 2 * width, 4 * width, blocks, 2, **more)
        head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, num_classes)
        stages = nn.Sequential(first, second, third)
        self.net = nn.Sequential(*conv_norm(3, width, 3), nn.ReLU(), stages, *head)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        return self.net(x)
        ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_CifarResNet", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 4}
check(CifarResNet)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

image = normal(2, 3, 22, 18).astype("float32")
outputs, parameters = through("torch_drivers.outputs"), through("torch_drivers.parameters")
cases = [
    Case("the parameters of the 20", parameters, [20]),
    Case("the parameters of the 44, option B", parameters, [44, "B"]),
    Case("the parameters of the 56", parameters, [56]),
    Case("the output of an 8", outputs, [8, "A", 4, 6], image),
    Case("a 14, option B", outputs, [14, "B", 7, 4], image),
]
check(CifarResNet, cases=cases, random=10)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("CifarResNet")

# %% [markdown]
# The paper gives 0.27 million parameters for 20 layers, 0.46 for 32 and 0.85 for 56. Here are yours.
#
# **Predict:** with option B, are there many more?

# %% tags=["experiment"]
for depth in (20, 32, 56):
    a, b = (sum(p.numel() for p in CifarResNet(depth, o).parameters()) for o in "AB")
    print(f"{depth} layers: {a:,} with option A, {b:,} with B")

# %% [markdown]
# ## The experiment
#
# A plain net for comparison, made with your `make_stage`. With option A the two have *the same* parameters, shape by shape, so both can start from
# the very same numbers, and see the same images in the same order. All that differs is `+ x`.

# %% tags=["experiment"]
def plain_net(depth):
    first = make_stage(PlainBlock, width, width, (depth - 2) // 6)
    rest = [make_stage(PlainBlock, c, 2 * c, (depth - 2) // 6, 2) for c in (width, 2 * width)]
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, 10)
    return nn.Sequential(*conv_norm(3, width, 3), nn.ReLU(), first, *rest, *head)


def twins(depth):
    torch.manual_seed(depth)
    plain, residual = plain_net(depth), CifarResNet(depth, width=width)
    numbers = nn.utils.parameters_to_vector(plain.parameters())
    nn.utils.vector_to_parameters(numbers, residual.parameters())
    return {f"plain {depth}": plain, f"residual {depth}": residual}

# %% [markdown]
# **Predict** the order of the six training errors, from best to worst: plain and residual, each with 8, 20 and 32 layers (56 in place of 32 on a GPU).

# %% tags=["experiment"]
depths = [8, 20, 56 if large else 32]
nets = {name: net for depth in depths for name, net in twins(depth).items()}
errors = {}
for name, net in nets.items():
    print(name, end=": ")
    history = fit(net, (x, train_y), epochs=epochs, batch_size=batch_size, device=device)
    errors[name] = [1 - accuracy for accuracy in history.train_accuracy]

# %% tags=["experiment"]
ends = [name for name in errors if name.endswith((" 8", f" {depths[-1]}"))]
plot_lines({name: errors[name] for name in ends}, "epoch", "training error")
last = {kind: [errors[f"{kind} {d}"][-1] for d in depths] for kind in ("plain", "residual")}
plot_lines(last, "layers", "training error at the end", x=depths)

# %% [markdown]
# The deepest plain net is the worst on its own training images, although it has all that it needs to be as good as the shallow one. This is
# degradation. The residual nets, from the same start, learn at every depth.
#
# Be careful with what this shows: a few thousand images, few epochs, one seed. Even the deep residual net may lag behind the shallow one here, for
# lack of time. The paper trained 64,000 steps: there the plain 56 stayed behind the plain 20 to the end, and the residual 56 was ahead of the
# residual 20.

# %% [markdown]
# ## Why?
#
# "The gradient vanishes in deep nets", one often hears. You can look.
#
# ## Exercise: `gradient_norms`
#
# *easy · 10 minutes · 2 points*
#
# After `loss.backward()`, each parameter has its gradient in `.grad`. Return the size of each layer's: the root of the sum of the squares of all
# its numbers (the L2 norm), for the weights of convolutions and linear layers, in the order of `model.named_parameters()`.
#
# **Predict:** how can you tell these weights from biases and the parameters of batch norms, without their names?
#
# <details><summary>Answer</summary>By their number of axes: 4 and 2. The others have 1.</details>

# %% nbgrader={"grade": false, "grade_id": "gradient_norms", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gradient_norms(model):
    """Return a dictionary: name of a weight -> L2 norm of its gradient, a number.

    Only parameters with two or more axes; those whose .grad is None are left out.
    Nothing in the model changes.

    >>> net = nn.Linear(2, 1)
    >>> net(torch.tensor([[3.0, 4.0]])).sum().backward()
    >>> gradient_norms(net)
    {'weight': 5.0}
    """
    ### BEGIN SOLUTION
    weights = {name: p for name, p in model.named_parameters() if p.ndim > 1}
    return {name: p.grad.norm().item() for name, p in weights.items() if p.grad is not None}
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_gradient_norms", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(gradient_norms)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

norms = through("residual_drivers.norms_after_backward")
cases = [
    Case("one linear layer", norms, [normal(2, 3)], normal(4, 3)),
    Case("three linear layers", norms, [normal(3, 2), "relu", normal(4, 3), "relu", normal(2, 4)], normal(5, 2)),
    Case("convolutions and norms", norms, [normal(2, 3, 3, 3), "norm", "relu", normal(4, 2, 3, 3)], normal(3, 3, 3, 5)),
    Case("a net with a head", norms, [normal(2, 2, 3, 3), "relu", "flatten", normal(5, 12)], normal(3, 2, 2, 3)),
    Case("a frozen layer in the middle", norms, [normal(4, 2), "relu", normal(3, 4), "relu", normal(2, 3)], normal(4, 2), frozen=["layer3.weight"]),
    Case("the last layer got no gradient", norms, [normal(3, 4), "relu", normal(2, 3)], normal(5, 4), unused=["layer3.weight"]),
]
check(gradient_norms, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("gradient_norms")

# %% [markdown]
# Now the deepest twins, untrained, with one batch. **Predict:** as you go from the last layer back to the first, does the gradient of the plain
# net shrink or grow? By how much?

# %% tags=["experiment"]
def norms_of(net):
    net = net.to(device).train()
    net.zero_grad()
    F.cross_entropy(net(x[:256].to(device)), train_y[:256].to(device)).backward()
    return [float(norm) for norm in gradient_norms(net).values()]


fresh = {name: norms_of(net) for name, net in twins(depths[-1]).items()}
plot_lines(fresh, "layer", "norm of the gradient", log="y")
for name, values in fresh.items():
    first, spread = values[0] / values[-1], max(values) / min(values)
    print(f"{name}: first / last layer {first:.3g}, largest / smallest {spread:.3g}")

# %% [markdown]
# It does not vanish, it *explodes*: on the way back each plain block makes it a little larger. A ReLU lets half of its square through, but leaves only a third
# of the signal's variance (the rest becomes mean, which the next norm subtracts); and the norm divides by that small spread. One learning rate cannot fit the
# first layer and the last. (Without batch norm, gradients can also vanish, like the signals of unit 06.)

# %% [markdown]
# With a shortcut, the gradient has a way around every block, on which nothing but the ReLU behind each sum touches it (and twice option A,
# which drops pixels). Its norm stays within one power of ten. The jump at the end is the linear layer, whose gradient is a product with
# its input: the sums have made that four times the plain net's.

# %% [markdown]
# ## To a thousand classes
#
# The nets for ImageNet have four stages and a larger stem. From 50 layers on they have another block, as two 3x3 convolutions on many channels
# cost too much.

# %% [markdown]
# ## Exercise: `Bottleneck`
#
# *medium · 20 minutes · 3 points*
#
# A 1x1 convolution makes it narrow (`width` channels), a 3x3 works there, a 1x1 makes it wide again (4 · `width`). A batch norm follows each
# convolution, a ReLU the first two norms and the sum. The shortcut is of option B.
#
# The stride belongs to the 3x3. The paper had it in the first 1x1, which throws three of four pixels away unread; torchvision and most others have it
# here ("ResNet 1.5").
#
# **Predict** the number of weights for 256 channels in and out: two 3x3 convolutions, and a bottleneck of width 64.
#
# <details><summary>Answer</summary>2 · 9 · 256² = 1,179,648, and 256 · 64 + 9 · 64² + 64 · 256 = 69,632.</details>

# %% nbgrader={"grade": false, "grade_id": "Bottleneck", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Bottleneck(nn.Module):
    """relu(branch(x) + shortcut(x)); branch: 1x1, norm, ReLU, 3x3, norm, ReLU, 1x1, norm.

    (N, in_channels, H, W) -> (N, 4 * width, H / stride, W / stride)
    No biases; the stride in the 3x3, padded by 1. The shortcut is registered last.
    """

    expansion = 4

    def __init__(self, in_channels, width, stride=1):
        super().__init__()
        ### BEGIN SOLUTION
        narrow, middle = conv_norm(in_channels, width, 1), conv_norm(width, width, 3, stride)
        wide = conv_norm(width, 4 * width, 1)
        self.branch = nn.Sequential(*narrow, nn.ReLU(), *middle, nn.ReLU(), *wide)
        self.shortcut = make_shortcut(in_channels, 4 * width, stride)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        return F.relu(self.branch(x) + self.shortcut(x))
        ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_Bottleneck", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(Bottleneck)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

outputs = through("torch_drivers.outputs")
cases = [
    Case("the same shape", outputs, [12, 3], normal(2, 12, 4, 5)),
    Case("width 1", outputs, [4, 1], normal(2, 4, 3, 3)),
    Case("more channels", outputs, [2, 3], normal(1, 2, 6, 5)),
    Case("stride 2, the same channels", outputs, [12, 3, 2], normal(2, 12, 6, 7)),
    Case("stride 2 and more channels", outputs, [8, 4, 2], normal(1, 8, 7, 6)),
]
check(Bottleneck, cases=cases, random=10)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("Bottleneck")

# %% [markdown]
# ## Exercise: `ResNet`
#
# *medium · 30 minutes · 4 points*
#
# Stem: a 7x7 convolution to 64 channels with stride 2 and padding 3, norm, ReLU, then a max-pool with 3x3 windows, stride 2 and padding 1. Then
# four stages of widths 64, 128, 256, 512, each but the first with stride 2; the mean of each map; a linear layer. All shortcuts are of option B
# (the default; `Bottleneck` takes no option).
#
# | depth | block | blocks in each stage |
# |---|---|---|
# | 18 | basic | 2, 2, 2, 2 |
# | 34 | basic | 3, 4, 6, 3 |
# | 50 | bottleneck | 3, 4, 6, 3 |
# | 101 | bottleneck | 3, 4, 23, 3 |
# | 152 | bottleneck | 3, 8, 36, 3 |
#
# **Predict:** how many inputs has the linear layer of ResNet-34, and of ResNet-50?
#
# <details><summary>Answer</summary>512, and 4 · 512 = 2,048.</details>

# %% nbgrader={"grade": false, "grade_id": "ResNet", "locked": false, "schema_version": 3, "solution": true, "task": false}
class ResNet(nn.Module):
    """The residual net for large images: (N, 3, H, W) -> scores (N, num_classes).

    depth: 18, 34, 50, 101 or 152. Parts are registered in the order of computation.
    """

    def __init__(self, depth, num_classes=1000):
        super().__init__()
        ### BEGIN SOLUTION
        counts = {18: (2, 2, 2, 2), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
        block, channels = BasicBlock if depth < 50 else Bottleneck, 64
        layers = [*conv_norm(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)]
        for width, blocks in zip((64, 128, 256, 512), counts.get(depth, (3, 4, 6, 3))):
            layers.append(make_stage(block, channels, width, blocks, 1 if width == 64 else 2))
            channels = block.expansion * width
        head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, num_classes)
        self.net = nn.Sequential(*layers, *head)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        return self.net(x)
        ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_ResNet", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 4}
check(ResNet)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

parameters = through("torch_drivers.parameters")
outputs = through("residual_drivers.outputs_within_memory")
cases = [
    Case("the parameters of ResNet-18 and 7 classes", parameters, [18, 7]),
    Case("the parameters of ResNet-34", parameters, [34]),
    Case("the parameters of ResNet-50", parameters, [50]),
    Case("the parameters of ResNet-101", parameters, [101], weight=0.5),
    Case("the parameters of ResNet-152", parameters, [152], weight=0.5),
    Case("the output of ResNet-18", outputs, [18, 5], normal(1, 3, 72, 40).astype("float32"), weight=2),
    Case("the output of ResNet-50", outputs, [50, 3], normal(1, 3, 40, 33).astype("float32")),
]
check(ResNet, cases=cases)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("ResNet")

# %% [markdown]
# What do they cost? On torch's *meta* device tensors have a shape and no numbers, so even the largest net is built and traced at no cost. One
# multiply-add counts as one.
#
# **Predict:** VGG-16 has 138 million parameters and needs 15.5 billion multiply-adds an image. How many of each has ResNet-152?

# %% tags=["experiment"]
from torch.utils.flop_counter import FlopCounterMode

for depth in (18, 34, 50, 101, 152):
    with torch.device("meta"):
        net, image = ResNet(depth), torch.empty(1, 3, 224, 224)
    with FlopCounterMode(display=False) as counter:
        net(image)
    count = sum(p.numel() for p in net.parameters())
    macs = counter.get_total_flops() / 2e9
    print(f"ResNet-{depth:<4} {count:10,} parameters, {macs:5.2f} G multiply-adds")

# %% [markdown]
# Nine times as deep as VGG-16, and cheaper. The counts are those of torchvision, to the last digit; and since your parts are registered
# in the same order, its trained weights could be copied into yours one by one. (The paper says 3.8 G for 50 layers. Ours are 4.1, as our bottlenecks stride
# later: their first 1x1 still sees all the pixels.)
#
# **Predict** how many images of 224 x 224 your machine classifies in a second, with 18 layers and with 50. The multiply-adds say 2.3 to 1.

# %% tags=["experiment"]
batch = torch.randn(64 if large else 1, 3, 224, 224)
how = {"training": False, "device": device}
speed = {f"ResNet-{depth}": throughput(ResNet(depth), batch, **how) for depth in (18, 50)}
plot_bars(speed, "images a second")

# %% [markdown]
# If your ratio is larger, that is because multiply-adds are not time. All numbers have to be written and read as well, and the convolutions of ResNet-50 give
# out 11.1 million an image, those of ResNet-18 only 2.5: a 1x1 computes little with each number that it fetches.

# %% [markdown]
# ## Your picture
#
# Back to the deepest twins that you trained. A loss is a landscape over all parameters, far too many to draw. But along *one line* it is a curve: walk
# from the trained weights in a random direction, a part `a` of each filter's own length, and look at the loss on the way.
#
# **Predict** the two curves.

# %% tags=["experiment"]
def direction(weights):
    torch.manual_seed(0)
    sizes = [w.flatten(1).norm(dim=1).view(-1, *[1] * (w.ndim - 1)) for w in weights]
    away = [torch.randn(w.shape).to(w.device) for w in weights]
    return [size * F.normalize(d.flatten(1)).view(d.shape) for d, size in zip(away, sizes)]

# %% tags=["experiment"]
def loss_along(net, steps, images=500):
    weights = [p for p in net.parameters() if p.ndim > 1]
    start = [w.detach().clone() for w in weights]
    losses = []
    for a in [*steps, 0]:  # back to the start in the end
        with torch.no_grad():
            for w, s, d in zip(weights, start, direction(start)):
                w.copy_(s + a * d)
        losses.append(evaluate(net, (x[:images], train_y[:images]))[0])
    return losses[:-1]

# %% tags=["experiment"]
steps = torch.linspace(-1, 1, 15)
deepest = [name for name in nets if name.endswith(f" {depths[-1]}")]
curves = {name: loss_along(nets[name], steps) for name in deepest}
plot_lines(curves, "a", "loss on training images", x=steps)

# %% [markdown]
# The residual net lies at the bottom of a bowl: from everywhere on this line, the slope says where to go. The plain net sits on a plateau, where
# neither direction is better than the other. At the ends both curves rise: there the random part is as long as the weights themselves. And the plateau is
# not just a lack of training: after a single epoch the residual 32 has learnt as little (a loss of 2.33 on our CPU), and lies at the bottom of a bowl already. Try it.

# %% [markdown]
# (It is one line of very many. Li and colleagues drew such pictures in 2018, in two directions: of deep
# nets, those without shortcuts had rugged landscapes, those with shortcuts smooth ones.)

# %% [markdown]
# ## What you have learnt
#
# Depth alone makes a plain net worse, on its own training images, since training does not find what the net could do. A shortcut leaves each block
# only the difference to learn, gives the gradient a way around it, and so lets one learning rate train fifty layers or more. From two blocks
# and one table you built every net from ResNet-18 to ResNet-152, to the last parameter.
#
# **Next:** for now the course ends here. What follows ResNet (wider, grouped, dense and separable blocks) is planned, and fits into the training loop
# that you have.
