"""Other ways to work out the exercises of unit 08."""

import copy
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course.carry import conv2d, conv2d_backward
from tests.fairness.variants import VARIANTS, variant
from tests.hidden import solution


@variant("to_tensors", "from_numpy, float and long")
def _(images, labels):
    return torch.from_numpy(images).float(), torch.from_numpy(labels).long()


@variant("to_tensors", "converted in NumPy, as a list")
def _(images, labels):
    return [torch.from_numpy(images.astype("float32")), torch.from_numpy(labels.astype("int64"))]


@variant("to_tensors", "the old constructors")
def _(images, labels):
    return torch.FloatTensor(images), torch.LongTensor(labels)


@variant("to_tensors", "as_tensor and to")
def _(images, labels):
    return torch.as_tensor(images).to(torch.float32), torch.as_tensor(labels).to(dtype=torch.long)


class ConvWithAttributes(torch.autograd.Function):
    """Keeps everything as attributes of ctx, and fills tensors."""

    @staticmethod
    def forward(ctx, x, w, b, stride=1, padding=0):
        ctx.x, ctx.w = x.detach().numpy(), w.detach().numpy()
        ctx.stride, ctx.padding = stride, padding
        return torch.from_numpy(np.asarray(conv2d(ctx.x, ctx.w, b.detach().numpy(), stride, padding)))

    @staticmethod
    def backward(ctx, grad_out):
        gx, gw, gb = conv2d_backward(grad_out.numpy(), ctx.x, ctx.w, ctx.stride, padding=ctx.padding)
        return torch.tensor(gx), torch.tensor(gw), torch.tensor(gb), None, None


class ConvThatLooksWhatIsNeeded(torch.autograd.Function):
    """Computes gradients only of what needs one; a tuple built bit by bit."""

    @staticmethod
    def forward(ctx, x, w, b, stride, padding):
        ctx.save_for_backward(x, w, b, torch.tensor([stride, padding]))
        out = conv2d(*(t.detach().cpu().numpy() for t in (x, w, b)), stride, padding)
        return x.new_tensor(out)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_out):
        x, w, _, settings = ctx.saved_tensors
        stride, padding = settings.tolist()
        grads = conv2d_backward(grad_out.numpy(), x.detach().numpy(), w.detach().numpy(), stride, padding)
        wanted = [
            torch.as_tensor(g) if need else None for g, need in zip(grads, ctx.needs_input_grad, strict=False)
        ]
        return (*wanted, None, None)


class ConvInNewStyle(torch.autograd.Function):
    """forward without ctx, setup_context beside it."""

    @staticmethod
    def forward(x, w, b, stride, padding):
        return torch.from_numpy(conv2d(*(t.detach().numpy() for t in (x, w, b)), stride, padding))

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, w, _, ctx.stride, ctx.padding = inputs
        ctx.save_for_backward(x, w)

    @staticmethod
    def backward(ctx, grad_out):
        arrays = [t.detach().numpy() for t in (grad_out, *ctx.saved_tensors)]
        grads = conv2d_backward(*arrays, ctx.stride, ctx.padding)
        return *map(torch.from_numpy, grads), None, None


class ConvOfTheRealKind(torch.autograd.Function):
    """Has the functions of units 01 and 02 pasted into the notebook."""

    @staticmethod
    def forward(ctx, x, w, b, stride, padding):
        ctx.save_for_backward(x, w)
        ctx.settings = {"stride": stride, "padding": padding}
        arrays = [t.detach().numpy() for t in (x, w, b)]
        return torch.from_numpy(solution("conv2d")(*arrays, **ctx.settings))

    @staticmethod
    def backward(ctx, grad_out):
        x, w = (t.detach().numpy() for t in ctx.saved_tensors)
        grads = solution("conv2d_backward")(grad_out.numpy(), x, w, **ctx.settings)
        return tuple(torch.from_numpy(g) for g in grads) + (None, None)


class LeNetInOneRow(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            *(
                nn.Conv2d(1, 6, 5),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(6, 16, 5),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ),
            *(nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
        )

    def forward(self, x):
        return self.layers(x)


class LeNetThatPoolsFirst(nn.Module):
    """Pools before the ReLU, which gives the same; views in place of flatten."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(1, 6, (5, 5)), nn.Conv2d(6, 16, (5, 5), stride=1, padding=0)])
        self.linears = nn.ModuleList(nn.Linear(i, o) for i, o in [(400, 120), (120, 84), (84, 10)])
        self.pool = nn.MaxPool2d(kernel_size=2, stride=2)

    def forward(self, x):
        for conv in self.convs:
            x = torch.relu(self.pool(conv(x)))
        x = x.view(-1, 400)
        for linear in self.linears[:-1]:
            x = linear(x).clamp(min=0)
        return self.linears[-1](x)


class LeNetWithItsOwnParameters(nn.Module):
    """No layers at all: parameters, and functions on them."""

    def __init__(self):
        super().__init__()
        shapes = [(6, 1, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120), (10, 84)]
        pairs = ((torch.randn(s) * 0.1, torch.zeros(s[0])) for s in shapes)
        self.weights = nn.ParameterList(nn.Parameter(t) for pair in pairs for t in pair)

    def forward(self, x):
        w1, b1, w2, b2, w3, b3, w4, b4, w5, b5 = self.weights
        x = F.relu(F.max_pool2d(F.conv2d(x, w1, b1), 2))
        x = F.relu(F.max_pool2d(F.conv2d(x, w2, b2), 2))
        x = torch.stack([image.ravel() for image in x])
        return F.relu(F.relu(x @ w3.T + b3) @ w4.T + b4) @ w5.T + b5


for exercise, others in {
    "Conv2dFunction": (ConvWithAttributes, ConvThatLooksWhatIsNeeded, ConvInNewStyle, ConvOfTheRealKind),
    "LeNet": (LeNetInOneRow, LeNetThatPoolsFirst, LeNetWithItsOwnParameters),
}.items():
    for other in others:
        VARIANTS[exercise, other.__name__] = other


@variant("load_numpy_weights", "a state dict, in the order of the names")
def _(model, params):
    model.load_state_dict(dict(zip(model.state_dict(), map(torch.from_numpy, params), strict=True)))
    return model


@variant("load_numpy_weights", "through data, by index")
def _(model, params):
    ours = list(model.parameters())
    for i in range(len(params)):
        ours[i].data[...] = torch.tensor(params[i])
    return model


@variant("load_numpy_weights", "a new tensor behind data, of the old dtype")
def _(model, params):
    for p, array in zip(model.parameters(), params, strict=True):
        p.data = torch.tensor(array).to(p)
    return model


@variant("load_numpy_weights", "layer by layer, weight and bias")
def _(model, params):
    rest = map(torch.tensor, params)
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                layer.weight.copy_(next(rest))
                layer.bias.copy_(next(rest))
    return model


@torch.no_grad()
def as_a_decorated_function(model, params):
    for p, array in zip(model.parameters(), params, strict=True):
        p.mul_(0).add_(torch.as_tensor(np.array(array)))
    return model


VARIANTS["load_numpy_weights", "decorated with no_grad, zero and add"] = as_a_decorated_function


@variant("train_one_epoch", "an object for the loss, the graph cleared through the model, detached sums")
def _(model, loader, optimizer, device):
    criterion = nn.CrossEntropyLoss()
    model.train(True)
    total, images = torch.zeros((), device=device), 0
    for batch in loader:
        x, y = (t.to(device, non_blocking=True) for t in batch)
        loss = criterion(model.forward(x), y)
        model.zero_grad()
        loss.backward()
        optimizer.step()
        total = total + loss.detach() * x.shape[0]
        images += x.size(0)
    return total / images


@variant("train_one_epoch", "emptied after the step, mean by the size of the data set")
def _(model, loader, optimizer, device):
    model.train()
    total = 0.0
    for i, (x, y) in enumerate(loader):
        n = len(x)
        x = x.to(device)
        scores = model(x)
        y = y.to(device=device)
        loss = -F.log_softmax(scores, dim=1)[torch.arange(n), y].mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        total += float(loss) * n
        assert i < len(loader)
    return total / len(loader.dataset)


@variant("train_one_epoch", "lists, and a mean with weights")
def _(model, loader, optimizer, device):
    losses, sizes = [], []
    model = model.to(device).train()
    for x, y in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x.to(device)), y.to(device))
        grads = torch.autograd.grad(loss, list(model.parameters()))
        for p, g in zip(model.parameters(), grads, strict=True):
            p.grad = g
        optimizer.step()
        losses.append(loss.item())
        sizes.append(len(y))
    return np.average(losses, weights=sizes)


@variant("evaluate", "all scores at once, a float at the end")
@torch.no_grad()
def _(model, loader, device):
    mode = model.training
    model.eval()
    pairs = [(model(x.to(device)).max(dim=1).indices, y.to(device)) for x, y in loader]
    model.train() if mode else model.eval()
    guesses, truths = (torch.cat(part) for part in zip(*pairs, strict=True))
    return (guesses == truths).float().mean().item()


@variant("evaluate", "inference mode, a tensor")
def _(model, loader, device):
    was, right = model.training, torch.tensor(0.0)
    model.train(False)
    with torch.inference_mode():
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            right += torch.eq(torch.argmax(F.softmax(model(images), -1), -1), labels).sum()
    model.train(was)
    return right / len(loader.dataset)


@variant("evaluate", "a copy of the model, in NumPy")
def _(model, loader, device):
    tested, hits = copy.deepcopy(model).eval(), []
    for p in tested.parameters():
        p.requires_grad_(False)
    with torch.no_grad():
        model.eval() if not model.training else model.train()
        for x, y in loader:
            hits.extend(tested(x.to(device)).numpy().argmax(axis=1) == y.to(device).numpy())
    return np.mean(hits)


@variant("throughput", "several warm-up calls, a while loop, start taken off at the end")
def _(model, x, steps, clock=time.perf_counter, wait=lambda: None):
    for _ in range(3):
        model(x)
    wait()
    wait()
    begin, done = clock(), 0
    while done < steps:
        model(x)
        done += 1
    wait()
    end = clock()
    return x.shape[0] / ((end - begin) / steps)


@variant("throughput", "images counted as they go")
def _(model, x, steps, clock=time.perf_counter, wait=lambda: None):
    _ = model(x)
    wait()
    images, seconds = 0, -clock()
    for _ in range(steps):
        model(x)
        images += len(x)
    wait()
    seconds += clock()
    return np.float64(images) / seconds


@variant("throughput", "a tensor of results kept")
def _(model, x, steps, clock=time.perf_counter, wait=lambda: None):
    outs = [model(x)]
    wait()
    clock()
    start = clock()
    outs += [model(x) for _ in range(steps)]
    wait()
    stop = clock()
    return sum(map(len, outs[1:])) / (stop - start)


@torch.no_grad()
def layers_one_by_one(model, loader, device):
    modes = [(part, part.training) for part in model.modules()]
    for part in model.modules():
        part.training = False
    right = sum((model(x.to(device)).argmax(1) == y.to(device)).sum() for x, y in loader)
    for part, mode in modes:
        part.training = mode
    return right / sum(len(y) for _, y in loader)


VARIANTS["evaluate", "the mode of each part, one by one"] = layers_one_by_one
