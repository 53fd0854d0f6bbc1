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
# # 08 · NumPy to PyTorch
#
# So far you have written every backward pass yourself. From here on a machine finds them: PyTorch's *autograd*. First you
# compare it with your own, and then you hand it one of yours.
#
# Then LeNet becomes a PyTorch module with the same weights and the same answers, and you write the loop that trains it,
# on a GPU if there is one. At the end you measure how many images a second all of this is worth on *your* machine.
#
# Take three hours. You need units 01 to 03 and 07, and no GPU; where there is one, it is used.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
from time import perf_counter

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from course.carry import LeNet5, carry, conv2d, conv2d_backward, softmax_cross_entropy_gradient
from course.checks import check, hint
from course.data import large_digits
from course.figures import plot_bars, plot_lines
from course.training import best_device

# %% [markdown]
# ## Bring your own
#
# As in unit 07, `carry` fetches your functions from the notebooks beside this one, and now your `LeNet5` too, with the classes that it is
# built from. What is missing or does not pass its check is replaced by a stand-in. That one is computed by PyTorch, so where you compare it with PyTorch
# below, the two will agree to the last digit.

# %% tags=["experiment"]
luggage = carry("LeNet5")
luggage

# %% [markdown]
# ## Tensors
#
# A **tensor** is an array with two gifts. It can lie on another *device*, such as a GPU, and be computed with there. And it can
# remember how it was computed. All else you know already: shapes, slices, broadcasting, NCHW.
#
# **Predict.** Two tensors are made of one array, and then the array is changed. What do the tensors hold?

# %% tags=["experiment"]
numbers = np.zeros(3)
shared, copied = torch.from_numpy(numbers), torch.tensor(numbers)
numbers[0] = 7
print(shared, copied, sep="\n")

# %% [markdown]
# `from_numpy` looks at the array's own memory; `torch.tensor` makes a copy.
#
# The dtype came along too: NumPy's floats are float64. **Predict** what happens when such a tensor goes into a layer of PyTorch's.

# %% tags=["experiment"]
layer = nn.Linear(3, 2)
print(shared.dtype, layer.weight.dtype)
try:
    layer(shared)
except RuntimeError as error:
    print("RuntimeError:", error)

# %% [markdown]
# A net's weights are float32, and PyTorch does not mix. They take half the memory, are faster (the last picture will show by how much), and are precise enough:
# a gradient from a batch is a rough guess anyway. A dtype can be stated when a tensor is made, or changed later, which gives a new tensor:

# %% tags=["experiment"]
torch.zeros(3, dtype=torch.int32), shared.to(torch.float16)

# %% [markdown]
# ## Exercise: `to_tensors`
#
# *easy · 10 minutes · 1 point*
#
# Turn a batch of images and their labels into tensors: images as float32, labels as int64, the dtype that PyTorch wants for the
# number of a class. Values and shapes stay as they are.
#
# **Predict:** how many bytes will 1,400 images of 32 x 32 take, one channel each?
#
# <details><summary>Answer</summary>1,400 · 1,024 · 4 = 5.7 million, half of what they take in NumPy.</details>

# %% nbgrader={"grade": false, "grade_id": "to_tensors", "locked": false, "schema_version": 3, "solution": true, "task": false}
def to_tensors(images, labels):
    """Return images (N, C, H, W) as a float32 tensor, labels (N,) as an int64 tensor.

    >>> to_tensors(np.array([[[[0.5]]]]), np.array([3]))
    (tensor([[[[0.5000]]]]), tensor([3]))
    """
    ### BEGIN SOLUTION
    return torch.tensor(images, dtype=torch.float32), torch.tensor(labels, dtype=torch.int64)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_to_tensors", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 1}
check(to_tensors)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

call = through("porting_drivers.tensors_made")
cases = [
    Case("one image of one pixel", call, np.array([[[[-0.25]]]]), np.array([7]), weight=0.5),
    Case("float64 images", call, normal(2, 1, 3, 5), np.array([4, 9])),
    Case("float32 images", call, normal(3, 2, 2, 5).astype(np.float32), np.array([1, 0, 8])),
    Case("labels of 32 bits", call, normal(2, 2, 4, 3), np.array([5, 2], dtype=np.int32), weight=0.5),
]
check(to_tensors, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("to_tensors")

# %% [markdown]
# Now the digits of unit 07 come as tensors; 1,400 to learn from, 397 to test with. And there is a device to compute on: a GPU of NVIDIA's
# (`cuda`), one of Apple's (`mps`), or the processor (`cpu`).

# %% tags=["experiment"]
train_images, train_labels, test_images, test_labels = large_digits()
mean, std = train_images.mean(), train_images.std()
train_x, train_y = to_tensors((train_images - mean) / std, train_labels)
test_x, test_y = to_tensors((test_images - mean) / std, test_labels)
device = best_device()
print(train_x.shape, train_x.dtype, "will be computed with on:", device)

# %% [markdown]
# ## A machine that differentiates
#
# With `requires_grad=True`, a tensor asks PyTorch to write down everything that is computed from it. `backward` then walks through those notes from
# the end to the beginning, as your `Sequential` did, and leaves each gradient in `.grad`.
#
# Here is one convolution, with the gradient of its output drawn at random. **Predict:** how far apart are PyTorch's three gradients and your own?

# %% tags=["experiment"]
torch.manual_seed(0)
shapes = [(2, 3, 9, 8), (4, 3, 3, 3), (4,)]
leaves = [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in shapes]
scene, kernels, bias = leaves
maps = F.conv2d(scene, kernels, bias, stride=2, padding=1)
grad_maps = torch.randn_like(maps)
maps.backward(grad_maps)
yours = conv2d_backward(*(t.detach().numpy() for t in (grad_maps, scene, kernels)), 2, 1)
for name, tensor, gradient in zip("xwb", leaves, yours):
    apart = np.abs(tensor.grad.numpy() - gradient).max()
    print(f"grad_{name}: they differ by {apart:.0e} at most")

# %% [markdown]
# Nobody derived anything, and it is what you derived in unit 02, up to rounding: 1e-15 is the last digit of a float64. (A plain 0e+00 says that a stand-in
# was there, and PyTorch was compared with itself.)
#
# One habit is different. Your layers *replaced* their gradients in each backward. **Predict** how `bias.grad` changes when we go back a second time.

# %% tags=["experiment"]
print("once: ", bias.grad)
F.conv2d(scene, kernels, bias, stride=2, padding=1).backward(grad_maps)
print("twice:", bias.grad)

# %% [markdown]
# PyTorch *adds*. That is right where a tensor is used in two places, as a shared weight is, and it means that somebody must empty the
# gradients before each step.

# %% [markdown]
# ## Your backward in its hands
#
# Autograd knows the derivative of each of PyTorch's own functions. You can teach it another: a class with a `forward` and a `backward`, in
# which you may do what you like, even leave PyTorch and come back.
#
# The two methods do not share a `self`. What `backward` will need goes into `ctx`, which belongs to *one* call. Tensors are handed over by
# `ctx.save_for_backward(...)` and come back as `ctx.saved_tensors`, a tuple; plain numbers become attributes, `ctx.stride = stride`.
#
# Two helpers take care of device and dtype:

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "given_conversions", "locked": true, "schema_version": 3, "solution": false, "task": false}
def to_array(tensor):
    return tensor.detach().cpu().numpy()


def like(array, tensor):
    return torch.as_tensor(array, dtype=tensor.dtype, device=tensor.device)

# %% [markdown]
# ## Exercise: `Conv2dFunction`
#
# *hard · 30 minutes · 4 points*
#
# Put your NumPy `conv2d(x, w, b, stride, padding)` and `conv2d_backward(grad_out, x, w, stride, padding)`, which returns grad_x, grad_w, grad_b,
# into autograd. Both take and return arrays; autograd hands you tensors and wants tensors.
#
# `backward` returns one thing for *each* argument of `forward` besides `ctx`, in that order. What has no gradient gets `None`.
#
# The check calls the class a second time before it goes back through the first call. Its filters are 1 x 1; larger ones come below.
#
# **Predict:** how many things does `backward` return?
#
# <details><summary>Answer</summary>Five: three tensors, and None for stride and padding, which are no tensors.</details>

# %% nbgrader={"grade": false, "grade_id": "Conv2dFunction", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Conv2dFunction(torch.autograd.Function):
    """Your convolution for autograd: Conv2dFunction.apply(x, w, b, stride, padding).

    x (N, C, H, W), w (O, C, KH, KW), b (O,): tensors. forward returns a tensor
    (N, O, H_out, W_out); backward takes its gradient, a tensor as large.

    >>> one = torch.ones(1, 1, 1, 1)
    >>> Conv2dFunction.apply(3 * one, 2 * one, torch.ones(1), 1, 0).item()
    7.0
    """
    @staticmethod
    def forward(ctx, x, w, b, stride, padding):
        ### BEGIN SOLUTION
        ctx.save_for_backward(x, w)
        ctx.settings = stride, padding
        return like(conv2d(to_array(x), to_array(w), to_array(b), stride, padding), x)
        ### END SOLUTION

    @staticmethod
    def backward(ctx, grad_out):
        ### BEGIN SOLUTION
        arrays = (to_array(t) for t in (grad_out, *ctx.saved_tensors))
        grads = conv2d_backward(*arrays, *ctx.settings)
        return *(like(g, grad_out) for g in grads), None, None
        ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_Conv2dFunction", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 4}
check(Conv2dFunction)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

call = through("porting_drivers.in_autograd")
cases = [
    Case("one pixel, one filter", call, np.array([[[[-2.0]]]]), np.array([[[[3.0]]]]), np.array([0.5]), np.array([[[[4.0]]]])),
    Case("a high image", call, normal(1, 1, 4, 2), normal(1, 1, 1, 1), normal(1), normal(1, 1, 4, 2)),
    Case("four filters", call, normal(1, 1, 2, 3), normal(4, 1, 1, 1), normal(4), normal(1, 4, 2, 3)),
    Case("three images", call, normal(3, 1, 2, 2), normal(2, 1, 1, 1), normal(2), normal(3, 2, 2, 2)),
    Case("stride 3", call, normal(2, 1, 6, 4), normal(2, 1, 1, 1), normal(2), normal(2, 2, 2, 2), stride=3),
    Case("padding 2", call, normal(2, 1, 2, 1), normal(1, 1, 1, 1), normal(1), normal(2, 1, 6, 5), padding=2),
    Case("stride and padding", call, normal(2, 1, 3, 4), normal(3, 1, 1, 1), normal(3), normal(2, 3, 3, 3), stride=2, padding=1),
]
check(Conv2dFunction, cases=cases, random=10)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("Conv2dFunction")

# %% [markdown]
# `torch.autograd.gradcheck` does what you did in unit 02: it nudges every input and compares. Here it judges your class with 3 x 3 filters, and
# then a copy whose grad_x is one per cent too large. **Predict** whether it notices.

# %% tags=["experiment"]
class Sloppy(Conv2dFunction):
    @staticmethod
    def backward(ctx, grad_out):
        grad_x, *others = Conv2dFunction.backward(ctx, grad_out)
        return 1.01 * grad_x, *others


for function in (Conv2dFunction, Sloppy):
    agrees = torch.autograd.gradcheck(function.apply, (*leaves, 2, 1), raise_exception=False)
    print(f"{function.__name__:14} passes: {agrees}")

# %% [markdown]
# ## LeNet as a module
#
# A `nn.Module` is what your layers and your `Sequential` were, in one. Layers that you set as attributes of `self` in `__init__` are
# found by PyTorch, with their weights; `model.parameters()` goes through these, one after the other, in the order in which you made them. You write `forward`. Nobody writes
# `backward`.
#
# Layers without weights need no object: `F.relu(x)` and `F.max_pool2d(x, 2)` are plain functions, and so is `x.flatten(1)`, which joins all axes
# from axis 1 on.

# %% [markdown]
# ## Exercise: `LeNet`
#
# *medium · 20 minutes · 3 points*
#
# The net of unit 07. `nn.Conv2d(channels, filters, kernel_size)` and `nn.Linear(inputs, outputs)` make layers with weights and biases.
#
# | layer | | output |
# |---|---|---|
# | C1 | 6 filters, 5 x 5; ReLU; max pooling 2 x 2 | 6 x 14 x 14 |
# | C3 | 16 filters, 5 x 5; ReLU; max pooling 2 x 2 | 16 x 5 x 5 |
# | C5 | linear, of all 400 values; ReLU | 120 |
# | F6 | linear; ReLU | 84 |
# | output | linear | 10 |
#
# C5, F6 and the output are `nn.Linear`, so flatten before C5. (In the paper C5 is a convolution on maps of 5 x 5, which computes the same.) The
# result is the ten scores as they are: the loss, `F.cross_entropy`, has the softmax inside. The check fills the weights with numbers of its
# own, by place.
#
# **Predict:** what would a plain Python list of layers in `self` do to `model.parameters()`?
#
# <details><summary>Answer</summary>It stays empty: PyTorch looks for modules and parameters among the attributes, not into lists.</details>

# %% nbgrader={"grade": false, "grade_id": "LeNet", "locked": false, "schema_version": 3, "solution": true, "task": false}
class LeNet(nn.Module):
    """LeNet-5: images (N, 1, 32, 32) -> scores (N, 10), not padded.

    The five layers with weights are attributes, made in __init__ in forward order.

    >>> sum(p.numel() for p in LeNet().parameters())
    61706
    """

    def __init__(self):
        super().__init__()
        ### BEGIN SOLUTION
        self.c1, self.c3 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.c5, self.f6 = nn.Linear(16 * 5 * 5, 120), nn.Linear(120, 84)
        self.out = nn.Linear(84, 10)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        x = F.max_pool2d(F.relu(self.c1(x)), 2)
        x = F.max_pool2d(F.relu(self.c3(x)), 2).flatten(1)
        return self.out(F.relu(self.f6(F.relu(self.c5(x)))))
        ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_LeNet", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(LeNet)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

call = through("porting_drivers.lenet_outputs")
cases = [
    Case("one image", call, normal(1, 1, 32, 32) - 0.5),
    Case("two images", call, normal(2, 1, 32, 32)),
    Case("four images", call, normal(4, 1, 32, 32)),
]
check(LeNet, cases=cases, random=5)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("LeNet")

# %% [markdown]
# ## Exercise: `load_numpy_weights`
#
# *easy · 15 minutes · 2 points*
#
# Write a list of arrays, such as unit 07's `net.params`, into a model's parameters: the first array into the first parameter, and so on. The shapes fit.
#
# The parameters must stay the same objects, of the same dtype, and able to learn, since an optimizer may know them already. So change them *in
# place*. PyTorch allows that only while autograd is not recording, inside `with torch.no_grad():`.
#
# **Predict:** what does `p = torch.from_numpy(array)` do to a parameter p?
#
# <details><summary>Answer</summary>Nothing: it gives the name p to another tensor. `p.copy_(tensor)` writes a tensor's numbers into the one that is there.</details>

# %% nbgrader={"grade": false, "grade_id": "load_numpy_weights", "locked": false, "schema_version": 3, "solution": true, "task": false}
def load_numpy_weights(model, params):
    """Copy each array of the list params into model's parameter at its place; return model.

    Afterwards model shares no memory with the arrays.

    >>> model = load_numpy_weights(nn.Linear(2, 1), [np.array([[3.0, 4.0]]), np.array([5.0])])
    >>> model(torch.tensor([[1.0, 1.0]])).item()
    12.0
    """
    ### BEGIN SOLUTION
    with torch.no_grad():
        for parameter, array in zip(model.parameters(), params, strict=True):
            parameter.copy_(torch.from_numpy(array))
    return model
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_load_numpy_weights", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 2}
check(load_numpy_weights)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

call = through("porting_drivers.weights_loaded")
cases = [
    Case("a matrix and a bias", call, [np.array([[-1.0], [2.5]]), np.array([3.0, -0.5])]),
    Case("a square matrix", call, [normal(4, 4), normal(4)]),
    Case("float32 arrays", call, [normal(3, 2).astype(np.float32), normal(3).astype(np.float32)]),
    Case("a convolution and a linear layer", call, [normal(2, 3, 4, 3), normal(2), normal(3, 5), normal(3)]),
]
check(load_numpy_weights, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("load_numpy_weights")

# %% [markdown]
# Your net of unit 07 and the module, with the same weights, on the same hundred digits. The module runs twice: in NumPy's float64, and in its own float32.
#
# **Predict** how many digits of the scores agree each time.

# %% tags=["experiment"]
numpy_net = LeNet5(np.random.default_rng(0))
hundred, hundred_labels = to_array(test_x[:100].double()), test_y[:100]
expected = numpy_net.forward(hundred)
print("scores such as", expected[0, :3])
for dtype in (torch.float64, torch.float32):
    model = load_numpy_weights(LeNet().to(dtype), numpy_net.params)
    scores = model(test_x[:100].to(dtype))
    print(f"{dtype}: they differ by {np.abs(to_array(scores) - expected).max():.0e} at most")

# %% [markdown]
# Read it off: 3e-06 beside scores of about 1 means that five to six digits agree, which is what a float32 holds. In float64 it is about fifteen. (0e+00
# where PyTorch has stood in for you.)
#
# And backward, through all ten parameters: your chain of layers against autograd's notes. **Predict:** how many digits now?

# %% tags=["experiment"]
model = load_numpy_weights(LeNet().double(), numpy_net.params)
F.cross_entropy(model(torch.from_numpy(hundred)), hundred_labels).backward()
numpy_net.backward(softmax_cross_entropy_gradient(expected, hundred_labels.numpy()))
for p, gradient in zip(model.parameters(), numpy_net.grads):
    apart = np.abs(to_array(p.grad) - gradient).max()
    largest = np.abs(gradient).max()
    print(f"{str(tuple(p.shape)):15} gradients up to {largest:.3f}, apart {apart:.0e}")

# %% [markdown]
# Compare the two numbers in a line: their quotient says how many digits agree, in all ten parameters. So the module is your net, and what you train
# from here on is the same thing.

# %% [markdown]
# ## The loop
#
# A `DataLoader` deals out the data in batches, shuffled if asked. An *optimizer* knows the parameters and takes the steps:
# `optimizer.zero_grad()` empties their gradients, `optimizer.step()` changes them as your `train_step` did. What is left for you is the loop.

# %% [markdown]
# ## Exercise: `train_one_epoch`
#
# *medium · 25 minutes · 4 points*
#
# First `model.train()`, training mode. Then for each batch: move images and labels to the device, empty the gradients, forward, backward, step.
# `x.to(device)` *returns* the moved tensor. A loss is one number, so `loss.backward()` takes nothing.
#
# Batches can differ in size: 100 images in batches of 32 leave 4 over. Each *image* counts the same in the mean. Use the loss that a batch had
# before its step.
#
# The check brings a linear model (w, b) that behaves differently in training, as dropout does, and batches that must be moved before use.
#
# **Predict:** losses 1.0 for 32 images and 3.0 for 4. The mean?
#
# <details><summary>Answer</summary>(32 · 1 + 4 · 3) / 36 = 1.22, not 2.</details>

# %% nbgrader={"grade": false, "grade_id": "train_one_epoch", "locked": false, "schema_version": 3, "solution": true, "task": false}
def train_one_epoch(model, loader, optimizer, device):
    """Train in training mode on each batch once; return the mean loss over all images.

    model: on device already, gives scores. loader: gives (images, labels) batches.
    optimizer: holds the model's parameters. The loss is F.cross_entropy(scores, labels).
    """
    # loss.item() is the plain number; a tensor would keep all its notes in memory.
    ### BEGIN SOLUTION
    model.train()
    total, count = 0.0, 0
    for x, y in loader:
        x, y = x.to(device), y.to(device)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        total, count = total + len(y) * loss.item(), count + len(y)
    return total / count
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_train_one_epoch", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 4}
check(train_one_epoch)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

call = through("epoch_drivers.trained")
cases = [
    Case("one image, one epoch", call, np.zeros((3, 2)), np.zeros(3), np.array([[0.0, 2.0]]), np.array([1]), 1, 0.5, epochs=1, weight=0.5),
    Case("one batch, one epoch", call, normal(3, 3), normal(3), normal(5, 3), np.array([2, 0, 1, 1, 0]), 5, 0.8, epochs=1, weight=0.5),
    Case("two batches of three, one epoch", call, normal(4, 3), normal(4), normal(6, 3), np.array([1, 0, 3, 2, 2, 1]), 3, 0.3, epochs=1),
    Case("a smaller last batch, two epochs", call, normal(3, 4), normal(3), normal(8, 4), np.array([2, 0, 1, 1, 2, 0, 1, 2]), 3, 0.25),
    Case("a last batch of one image", call, normal(2, 3), normal(2), normal(7, 3), np.array([1, 0, 0, 1, 1, 0, 1]), 3, 0.6),
]
check(train_one_epoch, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("train_one_epoch")

# %% [markdown]
# ## Exercise: `evaluate`
#
# *medium · 20 minutes · 3 points*
#
# The share of images whose largest score, `scores.argmax(1)`, is that of the right class. Three things make it an evaluation:
#
# - `model.eval()`: dropout and batch norm behave as in a test;
# - `torch.no_grad()`: no notes are taken, which saves time and memory;
# - afterwards the model is in the mode in which it came. `model.training` is True in training mode, and `model.train(was_training)` sets it.
#
# Move each batch to the device, as before.
#
# **Predict:** would a forgotten `no_grad` change the accuracy? A forgotten `eval`?
#
# <details><summary>Answer</summary>The first costs memory and time only. The second changes the answers of any net with dropout or batch norm.</details>

# %% nbgrader={"grade": false, "grade_id": "evaluate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def evaluate(model, loader, device):
    """Return the accuracy over all images of the loader, from 0 to 1.

    Runs in evaluation mode, records nothing, and leaves model in the mode it came in.
    """
    ### BEGIN SOLUTION
    was_training, right, count = model.training, 0, 0
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            x, y = x.to(device), y.to(device)
            right, count = right + (model(x).argmax(1) == y).sum().item(), count + len(y)
    model.train(was_training)
    return right / count
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_evaluate", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(evaluate)
### BEGIN HIDDEN TESTS
from course.checks import Case, normal, through

call = through("epoch_drivers.evaluated")
labels = np.array([2, 0, 1, 0, 1, 2, 0, 0, 2, 1, 1, 0, 2])
columns = np.array([1, 1, 1, 3])
cases = [
    Case("one batch of five", call, normal(3, 4), normal(3), normal(5, 4) * columns, labels[:5], 5, True),
    Case("a smaller last batch", call, normal(3, 4), normal(3), normal(13, 4) * columns, labels, 5, True),
    Case("a model in evaluation mode", call, normal(3, 4), normal(3), normal(11, 4) * columns, labels[:11], 4, False),
    Case("a last batch of one image", call, normal(3, 4) + 1, normal(3), normal(10, 4) * columns, labels[:10], 3, True),
]
check(evaluate, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("evaluate")

# %% [markdown]
# Now train: unit 07's recipe, eight rounds in batches of 35, from weights drawn in the same way. Unit 07 needed some 15 seconds, and read more than 97 digits of
# 100. **Predict** both numbers for PyTorch.

# %% tags=["experiment"]
torch.manual_seed(0)
train_loader = DataLoader(TensorDataset(train_x, train_y), batch_size=35, shuffle=True)
test_loader = DataLoader(TensorDataset(test_x, test_y), batch_size=100)
net = load_numpy_weights(LeNet(), LeNet5(np.random.default_rng(1)).params).to(device)
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)

# %% tags=["experiment"]
losses, errors, start = [], [], perf_counter()
for lr in [0.05] * 5 + [0.01] * 3:
    optimizer.param_groups[0]["lr"] = lr
    losses.append(train_one_epoch(net, train_loader, optimizer, device))
    errors.append(1 - evaluate(net, test_loader, device))
    print(f"loss {losses[-1]:.3f}, right {1 - errors[-1]:.1%}")
print(f"in {perf_counter() - start:.1f} seconds on {device}")

# %% [markdown]
# Compare the seconds with unit 07's (your own, if you noted them), and the last line with its 97 of 100. Then look at the rounds:

# %% tags=["experiment"]
plot_lines({"in training": losses}, "round", "loss")
plot_lines({"test digits": errors}, "round", "share wrong")

# %% [markdown]
# Both fall fast at first, and the smaller steps of the last three rounds make them calm. The same net and the same digits as in unit 07, and not one line
# of backward.
#
# The way back is open too. Write the trained weights into your NumPy net. **Predict** on how many of the 397 digits the two disagree.

# %% tags=["experiment"]
numpy_copy = LeNet5(np.random.default_rng(0))
for array, p in zip(numpy_copy.params, net.parameters()):
    array[...] = to_array(p)
in_numpy = numpy_copy.forward(to_array(test_x)).argmax(1)
with torch.no_grad():
    in_torch = to_array(net(test_x.to(device)).argmax(1))
print(f"{(in_numpy != in_torch).sum()} of {len(in_numpy)} answers differ")

# %% [markdown]
# Scores that differ in the sixth digit give another answer only where two classes were as good as level. So what is trained here can be used there.

# %% [markdown]
# ## How fast is it?
#
# A GPU works behind your back. A call only puts work into its queue and returns at once; Python goes on while the device computes. So a clock that is read too early measures how fast
# work is *handed out*.
#
# This waits until the device is done. On a processor there is nothing to wait for.

# %% tags=["setup"] nbgrader={"grade": false, "grade_id": "given_wait", "locked": true, "schema_version": 3, "solution": false, "task": false}
def wait_for_device():
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()

# %% [markdown]
# ## Exercise: `throughput`
#
# *medium · 20 minutes · 3 points*
#
# Images a second, measured fairly: first one call that is not timed, in which things are loaded, chosen and compiled; then `steps` calls, handed out without a
# pause. The device must be idle at both readings of the clock.
#
# `model` is anything that can be called with x, a net or a function that takes a training step. Do nothing else to it: no modes, no `no_grad`.

# %% [markdown]
# The check brings a device of its own, with its own `clock` and `wait`: handing out a call takes `launch` seconds, its work `work` seconds more, and
# that of the very first call `first`.
#
# **Predict:** where do you have to wait?
#
# <details><summary>Answer</summary>Before each reading of the clock: behind the warm-up, and behind the last step.</details>

# %% nbgrader={"grade": false, "grade_id": "throughput", "locked": false, "schema_version": 3, "solution": true, "task": false}
def throughput(model, x, steps, clock=perf_counter, wait=wait_for_device):
    """Return how many images a second `steps` calls model(x) work off, after a warm-up.

    x: a batch (N, ...). clock() gives seconds; wait() returns when the device is idle.
    """
    ### BEGIN SOLUTION
    model(x)
    wait()
    start = clock()
    for _ in range(steps):
        model(x)
    wait()
    return steps * len(x) / (clock() - start)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_throughput", "locked": true, "schema_version": 3, "solution": false, "task": false, "points": 3}
check(throughput)
### BEGIN HIDDEN TESTS
from course.checks import Case, through

call = through("epoch_drivers.timed")
cases = [
    Case("two images, three steps", call, 2, 3, 0.5, 1.5, 10.0),
    Case("a batch of 64", call, 64, 8, 0.25, 0.75, 4.0),
    Case("twelve steps, a slow start", call, 16, 12, 0.0625, 0.25, 20.0),
    Case("slower to call than to work", call, 5, 4, 2.0, 0.5, 9.0),
]
check(throughput, cases=cases, random=20)
### END HIDDEN TESTS

# %% tags=["experiment"]
hint("throughput")

# %% [markdown]
# Does it matter how many images go through at once? **Predict:** is LeNet faster, image for image, with 512 at a time than with one?

# %% tags=["experiment"]
rates = {}
with torch.no_grad():
    for size in (1, 8, 64, 512):
        batch = train_x[:size].to(device)
        rates[f"batch of {size}"] = throughput(net, batch, max(4, 1000 // size))
plot_bars(rates, "images a second", f"LeNet forward on {device}")

# %% [markdown]
# Each call has a price of its own, for finding the functions, checking shapes, starting the work. A batch shares it among its images. A GPU, where
# thousands of places compute at once, needs large batches to be busy at all. If your largest batch is slower again, as often on a processor, its
# maps no longer fit into the fast memory beside the chip, the cache.

# %% [markdown]
# ## Four promises
#
# People say that these make a net faster:
#
# - **bf16**: `torch.autocast` computes in 16 bits where that is safe; the weights stay float32;
# - **channels last**: the same NCHW tensor, but a pixel's channels lie side by side in memory (NHWC);
# - both together;
# - **torch.compile**: the net's functions are fused and compiled. It needs a C++ compiler (on a GPU, Triton), and its first call takes up to a minute.
#
# Here is a net with wider layers than LeNet's. **Predict** the order on your machine.

# %% tags=["experiment"]
def wide_net(memory_format=torch.contiguous_format):
    torch.manual_seed(0)
    sizes = [3, 32, 64, 64]
    layers = [[nn.Conv2d(i, o, 3, padding=1), nn.ReLU()] for i, o in zip(sizes, sizes[1:])]
    return nn.Sequential(*sum(layers, [])).to(device, memory_format=memory_format)


def in_bf16(model):
    return torch.autocast(device.type, torch.bfloat16)(model)

# %% tags=["experiment"]
last = torch.channels_last
photos = torch.randn(32, 3, 32, 32, device=device)
photos_last = photos.to(memory_format=last)
options = {
    "float32": (wide_net(), photos),
    "bf16": (in_bf16(wide_net()), photos),
    "channels last": (wide_net(last), photos_last),
    "both": (in_bf16(wide_net(last)), photos_last),
    "compiled": (torch.compile(wide_net()), photos),
}

# %% tags=["experiment"]
speeds = {}
for name, (model, batch) in options.items():
    start = perf_counter()
    try:
        with torch.no_grad():
            speeds[name] = max(throughput(model, batch, 10) for _ in range(3))
        print(f"{name:14} measured in {perf_counter() - start:.1f} seconds")
    except Exception as error:
        print(f"{name:14} does not work here: {str(error)[:65]}")
plot_bars(speeds, "images a second", f"a wider net, forward, on {device}")

# %% [markdown]
# Was your order right? The seconds in the list include the first calls, so you see there what compiling costs; the bars do not.
#
# None of the four is faster everywhere. bf16 pays where the chip has units for it (NVIDIA's since 2020, some processors); elsewhere numbers are only converted back
# and forth. Channels last suits some kernels and not others. So measure where you will run, with the net that you will run, and again after the next update.
#
# How much do the four change the *answers*?

# %% tags=["experiment"]
with torch.no_grad():
    exact = options["float32"][0](photos)
    for name in speeds:
        model, batch = options[name]
        apart = (model(batch).float() - exact).abs().max() / exact.abs().max()
        print(f"{name:14} differs by {apart:.0e} of the largest value")

# %% [markdown]
# ## Your picture
#
# Back to LeNet, and to whole steps of training: forward, backward, update. There are four ways to do it, five where there is a GPU. The first two run
# your own NumPy, if all of it was carried here. Where something was not, PyTorch computes in its place, and the bar says "stand-in".

# %% tags=["experiment"]
numpy_pupil = LeNet5(np.random.default_rng(1))
pupil_x, pupil_y = test_x[:100], test_y[:100]


def numpy_step(x):
    scores = numpy_pupil.forward(x)
    numpy_pupil.backward(softmax_cross_entropy_gradient(scores, pupil_y.numpy()))
    for param, grad in zip(numpy_pupil.params, numpy_pupil.grads):
        param -= 0.01 * grad


def with_your_convolution(model):
    for c in model.modules():
        if isinstance(c, nn.Conv2d):
            c.forward = lambda x, c=c: Conv2dFunction.apply(x, c.weight, c.bias, 1, 0)
    return model

# %% tags=["experiment"]
def torch_step(model, place="cpu"):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    answers = pupil_y.to(place)

    def step(x):
        optimizer.zero_grad()
        F.cross_entropy(model(x), answers).backward()
        optimizer.step()

    return step

# %% [markdown]
# **Predict** the order, and how many times faster the last is than the first.

# %% tags=["experiment"]
x64 = pupil_x.double()
net_is = "with stand-ins" if "stand-in" in repr(luggage) else "your NumPy"
conv2d_is = "stand-in" if "stand-in" in repr((conv2d, conv2d_backward)) else "yours"
ways = {
    f"LeNet5\n({net_is})": (numpy_step, to_array(x64)),
    f"torch, conv2d\n({conv2d_is})": (torch_step(with_your_convolution(LeNet()).double()), x64),
    "torch\nfloat64": (torch_step(LeNet().double()), x64),
    "torch\nfloat32": (torch_step(LeNet()), pupil_x),
}
if device.type != "cpu":
    ways[f"torch\n{device.type}"] = torch_step(LeNet().to(device), device), pupil_x.to(device)
rates = {name: throughput(step, x, 10) for name, (step, x) in ways.items()}
plot_bars(rates, "images a second", "training LeNet, 100 images a step")

# %% [markdown]
# What lies between the first bar and the last is not a better idea. It is the same net, the same gradients and the same steps, done by code that knows the machine.
# If the second bar says "yours", your own convolution takes part in it: everything around is PyTorch's, and it now sets the pace. A bar with stand-ins
# says nothing about NumPy: come back to it when your own functions pass their checks.

# %% [markdown]
# ## What you have learnt
#
# Autograd finds the gradients that you derived, and takes a derivative of yours where it has none. A module is your layers and your row of layers;
# the loop around it moves, empties, goes forward, goes back and steps, and an evaluation changes mode and takes no notes. And what is fast is a
# question to a clock, asked on the machine in question.
#
# **Next:** in [09 · AlexNet](../09-alexnet/09-alexnet.ipynb) the nets become so large that all of this is needed.
