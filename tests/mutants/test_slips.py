"""Slips that end in an exception, or beside the answer: each is told from the others, by its message where need be."""

import pytest

from autograder.build import read_source
from tests.hidden import EXERCISES, UNITS, grade, solutions

IN_THE_ENGINE = "like(conv2d(to_array(x), to_array(w), to_array(b), stride, padding), x)"
NORM = "        if batch_norm:\n            layers.append(nn.BatchNorm2d(out_channels))\n"
RELU = "        layers.append(nn.ReLU())\n"


def replaced(tensor):
    """Return the changes by which the parameters become new ones that hold ``tensor``, instead of being written into."""
    return {
        "parameter, array in zip(model.parameters()": "(name, parameter), array in zip(list(model.named_parameters())",
        "parameter.copy_(torch.from_numpy(array))": "layer, place = name.split('.'); "
        f"setattr(model[int(layer)], place, nn.Parameter({tensor}))",
    }


def headless(forward):
    """Return the changes by which CifarResNet's net takes the mean in forward, between the stages and the linear layer."""
    return {
        "nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear": "nn.Identity(), nn.Linear",
        "self.net(x)": f"self.net[-1](self.net[:-1](x){forward})",
    }


def over_axes(axes, keepdims=True, gamma="gamma.reshape(-1, 1, 1)", beta="beta.reshape(-1, 1, 1)"):
    """Return the changes by which batch_norm2d averages over these axes, and lines gamma and beta up as given."""
    column = ".reshape(-1, 1, 1)" if keepdims else ""
    lines = [
        f"mean, var = running_mean{column}, running_var{column}",
        "if training:",
        f"    mean, var = (f(axis=({axes}), keepdims={keepdims}) for f in (x.mean, x.var))",
        "    running_mean = (1 - momentum) * running_mean + momentum * mean.squeeze()",
        f"    unbiased = x.var(axis=({axes}), ddof=1).squeeze()",
        "    running_var = (1 - momentum) * running_var + momentum * unbiased",
        f"return {gamma} * (x - mean) / np.sqrt(var + eps) + {beta}, running_mean, running_var",
    ]
    return {"### BEGIN SOLUTION": "\n    ".join(lines)}


CUT = """new_w = np.zeros_like(w)
    new_w[:] = w * factor.reshape(-1, 1, 1, 1)
    return new_w"""
FROM_BEHIND = """out = np.zeros(x.shape)
    for c in range(x.shape[1]):
        near = [i for i in range(c - size // 2, c + size // 2 + 1) if i < x.shape[1]]
        out[:, c] = x[:, c] / (k + alpha / size * (x[:, near] ** 2).sum(axis=1)) ** beta
    return out"""

KEEP_IN_A_LIST = {
    "for width, blocks": "self.stages = []\n        for width, blocks",
    "layers.append": "self.stages.append",
    "self.net(x)": "self.net[4:](self.stages[3](self.stages[2](self.stages[1](self.stages[0](self.net[:4](x))))))",
}

TRANSPOSED = "np.transpose(image, (2, 0, 1))"
ONE_PIXEL_AT_A_TIME = (
    "np.moveaxis([[np.tensordot(padded[:, :, i * stride : i * stride + kh, j * stride : j * stride + kw], w, [(1, 2, 3)] * 2) + b"
    " for j in range(width)] for i in range(height)], (0, 1), (2, 3))"
)
COPY = "ALEXNET = list(ALEXNET)\n\n\n"  # so that a slip that writes into the table leaves the other tests' table alone

NORMALIZED = "np.reshape(mean, (-1, 1, 1)), np.reshape(std, (-1, 1, 1))"
PAD_FIRST = {
    "    height = ": "    padded = zero_pad(x, padding)\n    height = ",
    "output_size(x.": "output_size(padded.",
}
SUM_UP = {"np.zeros((len(x), len(w), height, width)) +": "", "out += ": "out = out + "}  # from the bias on
NO_STOP = {" i + stride * height ": "", " j + stride * width ": ""}
STOPS_EARLY = {"stride * height": "height", "stride * width": "width"}
BY_HALVES = "np.concatenate([rng.permutation(len(x) // 2), rng.permutation(np.arange(len(x) // 2, len(x)))])"
SLICES = {"[:, :, :height, :width]": ""}  # our answer cuts its slices to the right size

LARGEST = "logits.max(axis=1, keepdims=True)"

SLIPS = [  # the exercise, what becomes of our answer, the idea that must be named
    ("normalize", {NORMALIZED: "image.mean(), image.std()"}, "computes-one-mean-of-the-image"),
    ("normalize", {NORMALIZED: "np.mean(mean), np.mean(std)"}, "averages-the-means"),
    ("to_chw", {TRANSPOSED: "np.stack([image[:, :, c] for c in range(3)])"}, "counts-on-three-channels"),
    ("to_chw", {TRANSPOSED: f"{TRANSPOSED}.astype(np.uint8)"}, "holds-whole-numbers-only"),
    ("normalize", {NORMALIZED: "mean, std"}, "lines-up-with-the-width"),
    ("normalize", {NORMALIZED: "np.reshape(mean, (-1, 1, 1)), std"}, "forgets-to-reshape-the-std"),
    ("normalize", {"/ std": "// std"}, "truncates-to-whole-numbers"),
    (
        "normalize",
        {"return (image - mean) / std": "out = image.copy(); out[:] = (image - mean) / std; return out"},
        "takes-the-dtype-of-the-pixels",
    ),
    (
        "normalize",
        {"return (image - mean) / std": "out = image.copy(); out -= mean; out /= std; return out"},
        "updates-a-copy-of-the-pixels",
    ),
    (
        "zero_pad",
        {"[(0, 0), (0, 0), (padding, padding), (padding, padding)]": "[(padding, padding)] * 2"},
        "pads-two-axes-of-four",
    ),
    ("window_dot", {"w.shape[2]": "w.shape[1]"}, "takes-the-kernel-for-square"),
    ("window_dot", {"w.shape[1]": "w.shape[2]"}, "takes-the-kernel-for-square"),
    ("window_dot", {"row + w": "w", "col + w": "w"}, "stops-at-the-kernel-size"),
    ("window_dot", {"x[:, ": "x["}, "slices-the-channels"),
    ("window_dot", {"window * w": "window @ w"}, "multiplies-matrices-and-sums"),
    ("window_dot", {"window * w": "np.dot(window, w)"}, "multiplies-matrices-and-sums"),
    ("conv2d_loops", {"w.shape[3]": "w.shape[2]"}, "takes-the-kernel-for-square"),
    ("conv2d_loops", {"    padded = ": "    width = height; padded = "}, "makes-square-maps"),
    ("conv2d_loops", PAD_FIRST, "windows-hang-over-the-edge"),
    ("conv2d_loops", {"zero_pad(x, padding)": "x"}, "windows-hang-over-the-edge"),
    ("conv2d_loops", {"b[o]": "0", "return out": "return out + b"}, "lines-the-bias-up-with-the-columns"),
    ("conv2d_loops", {"b[o]": "b"}, "hands-over-all-biases"),
    ("conv2d_loops", {"padded[n]": "padded"}, "hands-over-the-batch"),
    (
        "conv2d_loops",
        {"np.ndindex(out.shape):": "np.ndindex(out.shape):\n        if i % stride or j % stride: continue"}
        | {"i * stride, j * stride": "i, j"},
        "steps-through-the-output",
    ),
    ("conv2d_loops", {"o, i, j] = ": "o, i * stride, j * stride] = "}, "writes-where-the-window-is"),
    ("conv2d", {"w.shape[2:], zero": "(w.shape[2], w.shape[2]), zero"}, "takes-the-kernel-for-square"),
    ("conv2d", {"    out = np": "    width = height; out = np"}, "makes-square-maps"),
    (
        "conv2d",
        {"    for i, j in": f"    return {ONE_PIXEL_AT_A_TIME}\n    for i, j in"},
        "loops-over-the-pixels",
    ),
    ("conv2d", {"np.reshape(b, (1, -1, 1, 1))": "b"}, "lines-the-bias-up-with-the-columns"),
    (
        "conv2d",
        {" + np.reshape(b, (1, -1, 1, 1))": "", "return out": "out += b; return out"},
        "lines-the-bias-up-with-the-columns",
    ),
    ("conv2d", {"zip(x.shape": "zip(padded.shape"}, "counts-the-padding-twice"),
    ("conv2d", {"zip(x.shape": "zip(padded.shape"} | SUM_UP, "counts-the-padding-twice"),
    (
        "conv2d",
        SLICES | {" i + stride * height ": "", " j + stride * width ": ""},
        "lets-its-slices-run-to-the-end",
    ),
    (
        "conv2d",
        SLICES | {"height : stride": "height", "width : stride": "width"},
        "forgets-the-step-of-its-slices",
    ),
    (
        "conv2d",
        {"i : i +": "i * stride : i * stride +", "j : j +": "j * stride : j * stride +"},
        "starts-its-slices-strides-apart",
    ),
    ("conv2d", {"zero_pad(x, padding)": "x"}, "cuts-its-blocks-from-x"),
    ("conv2d", {"stride * height": "height", "stride * width": "width"}, "stops-its-slices-early"),
    (
        "conv2d",
        {"stride * height": "height", "stride * width": "width"} | SUM_UP,
        "stops-its-slices-early-and-returns-less",
    ),
    (
        "numerical_gradient",
        {"np.ndindex(x.shape):": "range(len(x)):\n        old = moved[place]", "x[place]": "old"},
        "nudges-whole-rows",
    ),
    ("numerical_gradient", {"f(moved)": "f(x)"}, "calls-f-at-x"),
    ("numerical_gradient", {"gradient, moved = ": "eps = 1e-5; gradient, moved = "}, "ignores-eps"),
    ("conv2d_grad_weight", NO_STOP, "lets-its-slices-run-to-the-end"),
    ("conv2d_grad_weight", STOPS_EARLY, "stops-its-slices-early"),
    ("conv2d_grad_weight", {"w.shape[2:]": "(len(w[0, 0]),) * 2"}, "loops-over-a-square-kernel"),
    ("conv2d_grad_weight", {"= np.pad(": "= x; np.pad("}, "forgets-the-padding"),
    (
        "conv2d_grad_weight",
        {"np.zeros(w.shape)": "np.zeros_like(w)", "j] = ": "j] += "},
        "adds-to-whole-numbers",
    ),
    ("conv2d_grad_input", NO_STOP, "lets-its-slices-run-to-the-end"),
    ("conv2d_grad_input", STOPS_EARLY, "stops-its-slices-early"),
    ("conv2d_grad_input", {"w.shape[2:]": "(len(w[0, 0]),) * 2"}, "loops-over-a-square-kernel"),
    ("conv2d_grad_input", {"    (height": "    padding = 0; (height"}, "forgets-the-padding"),
    (
        "conv2d_grad_input",
        {"columns + 2 * padding))": "columns + 2 * padding), x.dtype)"},
        "adds-to-whole-numbers",
    ),
    ("conv2d_grad_input", {"block += ": "block = block + "}, "adds-to-a-copy"),
    ("conv2d_backward", {", stride, padding": ", stride"}, "does-not-hand-on-the-padding"),
    (
        "conv2d_backward",
        {"input(grad_out, x, w, stride, padding": "input(grad_out, x, w, stride"},
        "does-not-hand-on-the-padding",
    ),
    (
        "Conv2dFunction",
        {"ctx.save_for_backward(x, w)": "ctx.save_for_backward(x, w, stride)"},
        "saves-what-is-no-tensor",
    ),
    (
        "Conv2dFunction",
        {"ctx.save_for_backward(x, w)": "ctx.save_for_backward(to_array(x), w)"},
        "saves-what-is-no-tensor",
    ),
    ("Conv2dFunction", {"(ctx, x": "(self, ctx, x", "@staticmethod\n": "\n"}, "takes-a-self"),
    ("Conv2dFunction", {"(ctx, grad_out)": "(self, ctx, grad_out)"}, "takes-a-self"),
    ("Conv2dFunction", {"to_array(x), to_array(w), to_array(b)": "x, w, b"}, "mixes-arrays-and-tensors"),
    (
        "Conv2dFunction",
        {"stride, padding), x)": "to_array(stride), padding), x)"},
        "converts-what-is-no-tensor",
    ),
    ("Conv2dFunction", {IN_THE_ENGINE: IN_THE_ENGINE[5:-4]}, "returns-an-array"),
    ("Conv2dFunction", {"ctx.settings = ": "settings = "}, "forgets-to-save"),
    (
        "Conv2dFunction",
        {
            "ctx.save_for_backward(x, w)": "Conv2dFunction.kept = x, w",
            "ctx.saved_tensors": "Conv2dFunction.kept",
        },
        "keeps-things-on-the-class",
    ),
    ("load_numpy_weights", {"with torch.no_grad():": "if True:"}, "lets-autograd-watch"),
    ("load_numpy_weights", {"torch.from_numpy(array)": "array"}, "copies-from-an-array"),
    ("load_numpy_weights", {"zip(model": "zip(model.parameters()[:], model"}, "indexes-the-parameters"),
    (
        "load_numpy_weights",
        {"parameter.copy_(torch.from_numpy(array))": "parameter = nn.Parameter(torch.tensor(array))"},
        "changes-nothing",
    ),
    ("load_numpy_weights", replaced("torch.tensor(array)"), "makes-new-parameters-of-float64"),
    ("load_numpy_weights", replaced("torch.from_numpy(array)"), "makes-new-parameters-of-the-arrays"),
    ("load_numpy_weights", replaced("torch.tensor(array).float()"), "makes-new-parameters"),
    (
        "train_one_epoch",
        {"loss.item()": "F.cross_entropy(model(x), y).item()"},
        "takes-the-loss-after-the-step",
    ),
    ("Linear", {"self.params[0])\n": "*self.params)\n"}, "hands-over-too-much"),
    (
        "Conv2d",
        {"*self.params, self.stride, self.padding": "*self.params"},
        "forgets-the-settings-in-forward",
    ),
    (
        "Sequential",
        {"in reversed(self.layers):": "in [self.layers.pop() for _ in self.layers[:]]:"},
        "empties-the-list",
    ),
    ("Sequential", {"    return grad_out": "        return grad_out"}, "stops-after-the-last-layer"),
    ("train_step", {"net.forward(x), labels": "labels, net.forward(x)"}, "goes-uphill"),
    ("LeNet5", {"ReLU(), f6, ReLU()": "stages[0][1], f6, ReLU()"}, "uses-a-layer-twice"),
    ("LeNet5", {"ReLU()": "ReLU"}, "puts-classes-into-the-row"),
    ("LeNet5", {"*stages[0], *stages[1]": "stages[0], stages[1]"}, "leaves-a-list-packed"),
    ("LeNet5", {"np.zeros(shape[0])": "[0.0] * shape[0]"}, "parameters-that-cannot-learn"),
    ("LeNet5", {"np.zeros(shape[0])": "np.array([0] * shape[0])"}, "parameters-that-cannot-learn"),
    ("LeNet5", {"rng.normal": "np.random.normal"}, "draws-elsewhere"),
    (
        "confusion_matrix",
        {
            "np.zeros((classes, classes), dtype=int)": "[[0] * classes] * classes",
            "np.add.at(counts, (labels, predictions), 1)": "for i, j in zip(labels, predictions): counts[i][j] += 1",
        },
        "shares-one-row",
    ),
    (
        "Conv2dFunction",
        {"ctx.settings = ": "Conv2dFunction.settings = ", "*ctx.settings": "*Conv2dFunction.settings"},
        "keeps-settings-on-the-class",
    ),
    ("Conv2dFunction", {"ave_for_backward(x, w)": "ave_for_backward(x, w, b)"}, "hands-over-the-bias"),
    (
        "Conv2dFunction",
        {
            "return *(like(g, grad_out) for g in grads), None, None": "return [*(like(g, x) for g in grads), None, None]"
        }
        | {"grads = conv2d": "x = grad_out; grads = conv2d"},
        "returns-a-list",
    ),
    ("Conv2dFunction", {IN_THE_ENGINE: IN_THE_ENGINE + ".float()"}, "changes-the-dtype"),
    (
        "load_numpy_weights",
        {".copy_(torch.from_numpy(array))": ".data = torch.from_numpy(array).float()"},
        "shares-float32-arrays",
    ),
    (
        "evaluate",
        {"model.train(was_training)": "model.training = was_training"},
        "leaves-it-in-evaluation-mode",
    ),
    (
        "evaluate",
        {"with torch.no_grad():": "torch.set_grad_enabled(False)\n    if True:"},
        "leaves-autograd-off",
    ),
    ("evaluate", {"argmax(1)": "argmax()"}, "one-answer-for-the-batch"),
    ("evaluate", {"argmax(1)": "argmax(0)"}, "looks-down-the-columns"),
    ("evaluate", {"argmax(1)": "max(1)"}, "compares-a-pair"),
    ("evaluate", {"argmax(1)": "max(1).values"}, "compares-the-scores"),
    ("evaluate", {".argmax(1)": ""}, "compares-all-scores"),
    (
        "throughput",
        {"wait()\n    start = clock()": "start = clock()\n    wait()"},
        "waits-after-reading-the-clock",
    ),
    ("normalize_batch", {"x.var(axis=0) + eps": "np.maximum(x.var(axis=0), eps)"}, "forgets-eps"),
    ("batch_norm", {"if training:": "if not training:"}, "swaps-the-modes"),
    ("batch_norm", {"np.sqrt(var + eps)": "(var + eps)"}, "divides-by-the-variance"),
    (
        "batch_norm",
        {"(x - mean) / np.sqrt(var + eps)": "(x - mean / np.sqrt(var + eps))"},
        "forgets-the-brackets",
    ),
    ("batch_norm", {"(1 - momentum) * ": ""}, "keeps-all-of-the-old"),
    ("batch_norm2d", {"momentum, eps\n": "momentum\n"}, "forgets-eps"),
    ("batch_norm2d", {"training, momentum, eps\n": "training, 0.1, eps\n"}, "always-takes-a-tenth"),
    ("batch_norm2d", over_axes("0, 1, 2"), "averages-over-other-axes"),
    ("batch_norm2d", over_axes("0, 1"), "averages-over-other-axes"),
    ("batch_norm2d", over_axes("0,"), "statistics-per-pixel"),
    ("batch_norm2d", over_axes("1, 2, 3"), "all-channels-of-an-image"),
    ("batch_norm2d", over_axes("0, 2, 3", False), "mean-along-the-columns"),
    ("batch_norm2d", over_axes("0, 2, 3", False, "gamma", "beta"), "mean-along-the-columns"),
    (
        "batch_norm2d_backward",
        {
            "rows, grad_rows = (a.transpose(0, 2, 3, 1).reshape(-1, c) for a in (x, grad_out))": "rows, grad_rows = "
            "x.transpose(0, 2, 3, 1).reshape(-1, c), grad_out.reshape(-1, c)"
        },
        "reshapes-one-without-transposing",
    ),
    ("fold_batch_norm", {"return w * factor.reshape(-1, 1, 1, 1)": CUT}, "takes-the-dtype-of-the-input"),
    ("local_response_norm", {"np.pad(x**2, ": "np.pad(x**2, mode='wrap', pad_width="}, "wraps-round"),
    ("local_response_norm", {"### BEGIN SOLUTION": FROM_BEHIND}, "wraps-round"),
    ("vgg_block", {NORM + RELU: RELU + NORM}, "norm-behind-the-relu"),
    ("vgg_block", {"out_channels if i else in_channels": "in_channels"}, "always-from-in-channels"),
    ("vgg_block", {", padding=1": ""}, "does-not-pad"),
    ("VGG", {"num_classes))": "num_classes), nn.Softmax(dim=1))"}, "softmax-on-the-scores"),
    ("VGG", {", nn.Flatten()": ""}, "forgets-to-flatten"),
    ("VGG", {"nn.Sequential(*[vgg": "nn.Sequential([vgg"}, "leaves-a-list-packed"),
    ("VGG", {"nn.Dropout(dropout)": "nn.Dropout(1 - dropout)"}, "drops-the-rest"),
    ("VGG", {"nn.Dropout(dropout)": "nn.Dropout(dropout * (pair[0] == sizes[0]))"}, "one-dropout-for-two"),
    ("VGG", {"nn.Dropout(dropout)": "nn.Dropout()"}, "ignores-dropout"),
    (
        "vgg_block",
        {"nn.Sequential(*layers, nn.MaxPool2d(2))": "nn.Sequential(layers + [nn.MaxPool2d(2)])"},
        "leaves-a-list-packed",
    ),
    ("VGG", {"nn.AdaptiveAvgPool2d(7), ": ""}, "only-224"),
    ("VGG", {"49 * channels": "channels"}, "reads-a-number-a-channel"),
    ("VGG", {"49 * channels[-1]": "25088"}, "reads-25088"),
    ("VGG", {"64 * width, 64 * width": "4096, 4096"}, "hidden-layers-of-4096"),
    ("VGG", {"49 * channels[-1], 64 * width, 64 * width": "25088, 4096, 4096"}, "head-of-width-64"),
    (
        "VGG",
        {"nn.Sequential(*[vgg": "([vgg", "self.features(x)": "nn.Sequential(*self.features)(x)"},
        "blocks-in-a-plain-list",
    ),
    ("activation_memory", {", device=next(model.parameters()).device": ""}, "an-image-elsewhere"),
    ("activation_memory", {"hook.remove()": "hook"}, "leaves-its-hooks"),
    (
        "activation_memory",
        {"list(m.children())": "isinstance(m, nn.Sequential)"},
        "takes-sequentials-for-blocks-only",
    ),
    ("pad_channels", {":, :, ::stride, ": ":, :, 1::stride, "}, "starts-at-the-second-row"),
    ("pad_channels", {" ::stride]": " 1::stride]"}, "starts-at-the-second-column"),
    ("make_shortcut", {"nn.Sequential(*conv": "(conv"}, "leaves-a-pair-packed"),
    ("make_shortcut", {"nn.Sequential(*conv": "nn.Sequential(conv"}, "leaves-a-pair-packed"),
    ("make_shortcut", {" and in_channels": " or in_channels"}, "asks-for-one-of-the-two"),
    ("make_shortcut", {"nn.Identity()": "None"}, "gives-no-module-for-the-identity"),
    ("make_stage", {"nn.Sequential(*row)": "nn.ModuleList(row)"}, "returns-a-list"),
    ("make_stage", {"return nn": "nn"}, ""),
    (
        "BasicBlock",
        {"return F.relu(self.branch(x) + ": "x = self.branch(x); return F.relu(x + "},
        "overwrites-x",
    ),
    (
        "BasicBlock",
        {"out_channels, stride, option": "out_channels, 1, option"},
        "projects-without-the-stride",
    ),
    ("BasicBlock", {"nn.Sequential(*first, nn.ReLU(), *second)": "first"}, "leaves-a-pair-packed"),
    ("BasicBlock", {"nn.Sequential(*first": "nn.Sequential(first"}, "leaves-a-pair-packed"),
    ("Bottleneck", {"*narrow": "narrow"}, "leaves-a-pair-packed"),
    (
        "make_stage",
        {"* width, width, 1": "* width, block.expansion * width, 1"},
        "widens-the-width-of-later-blocks",
    ),
    (
        "make_stage",
        {"expansion * width, width, 1": "expansion ** 2 * width, width, 1"},
        "multiplies-what-comes-in-twice",
    ),
    ("make_stage", {"block(in_channels": "block(block.expansion * in_channels"}, "multiplies-in-channels"),
    ("CifarResNet", headless(".mean((1, 2))"), "averages-over-other-axes"),
    ("CifarResNet", headless(".mean(3)"), "averages-over-other-axes"),
    ("CifarResNet", headless(".mean((2, 3), keepdim=True)"), "forgets-to-flatten"),
    ("CifarResNet", {"nn.AdaptiveAvgPool2d(1)": "nn.AvgPool2d(8)"}, "pools-8x8"),
    (
        "CifarResNet",
        headless("")
        | {"self.net(x)": "self.net[-1](F.avg_pool2d(y := self.net[:-1](x), y.size(3)).flatten(1))"},
        "pools-a-square",
    ),
    ("CifarResNet", {"nn.AdaptiveAvgPool2d(1), ": ""}, "leaves-the-average-out"),
    ("CifarResNet", {"*conv_norm(3": "conv_norm(3"}, "leaves-a-pair-packed"),
    ("ResNet", {"nn.AdaptiveAvgPool2d(1), ": ""}, "leaves-the-average-out"),
    ("ResNet", {"= 64 else 2": "= 64 else 2, option='B'"}, "hands-the-option-on"),
    ("ResNet", {"1 if width == 64 else 2": "2 if width > channels else 1"}, "strides-where-the-width-grows"),
    (
        "ResNet",
        {
            "channels, width, blocks": "channels, block.expansion * width, blocks",
            "expansion * width\n": "expansion ** 2 * width\n",
        },
        "widths-four-times-too-large",
    ),
    ("ResNet", KEEP_IN_A_LIST, "hides-its-stages-in-a-list"),
    (
        "LocalResponseNorm",
        {
            "nn.functional.pad(x**2, (0, 0, 0, 0, *[self.size // 2] * 2))": "torch.cat([zeros, x**2, zeros], 1)",
            "squares = ": "zeros = torch.zeros(len(x), self.size // 2, *x.shape[2:]); squares = ",
        },
        "makes-tensors-on-the-cpu",
    ),
    (
        "alexnet_stage",
        {"nn.Conv2d(in_shape[0], filters, *sizes, groups=groups)": "nn.Conv2d(in_shape[0], *numbers)"},
        "groups-for-dilation",
    ),
    ("alexnet_stage", {'[] if name == "FC8" else ': ""}, "treats-fc8-like-the-others"),
    ("AlexNet", {"alexnet_stage(*pair, dropout)": "alexnet_stage(*pair)"}, "ignores-its-dropout"),
    ("TwoTowerAlexNet", {".to(d) for d in devices": " for d in devices"}, "leaves-something-on-the-cpu"),
    ("TwoTowerAlexNet", {", shapes[-2]).to(devices[0])": ", shapes[-2])"}, "leaves-something-on-the-cpu"),
    (
        "TwoTowerAlexNet",
        {"a, b = (x.to(device) for device in self.devices)": "a = b = x"},
        "leaves-something-on-the-cpu",
    ),
    ("TwoTowerAlexNet", {".to(a.device)": "", ".to(b.device)": ""}, "lets-the-towers-meet"),
    ("TwoTowerAlexNet", {"i > 0 and ": ""}, "joins-the-images"),
    ("TwoTowerAlexNet", {"], 1)": "], 0)"}, "joins-along-the-batch"),
    (
        "TwoTowerAlexNet",
        {"a, b = torch.cat": "a = torch.cat", ", 1), torch.cat": ", 1); b = torch.cat"},
        "joins-with-the-joined",
    ),
    ("LocalResponseNorm", {"pad(x**2": "pad(x.detach() ** 2"}, "leaves-torch-for-the-sum"),
    (
        "alexnet_stage",
        {
            "nn.Sequential(nn.Conv2d": "nn.Sequential([nn.Conv2d",
            "(*linear, *(": "(linear + (",
            ", nn.ReLU())\n": ", nn.ReLU()])\n",
        },
        "leaves-a-list-packed",
    ),
    ("AlexNet", {"nn.Sequential(*rows)": "nn.Sequential(rows)"}, "leaves-a-list-packed"),
    ("AlexNet", {"nn.Sequential(*rows)": "rows"}, "keeps-its-stages-in-a-list"),
    ("AlexNet", {"*pair, dropout": "*pair, 0"}, "forgets-the-dropout"),
    (
        "AlexNet",
        {
            "layers = [*layers[:-1], ": "layers[-1] = (",
            "num_classes)]": "num_classes))",
            "class AlexNet": COPY + "class AlexNet",
        },
        "changes-its-input",
    ),
    ("TwoTowerAlexNet", {"devices, nn.ModuleList()": "devices, []"}, "hides-its-modules-in-a-list"),
    (
        "ZFNet",
        {
            "def ZFNet": COPY + "def ZFNet",
            "    new = ": "    ALEXNET[0] = 'CONV1', 96, 7, 2, 0, 1\n    new = ",
        },
        "changes-alexnet",
    ),
    ("plateau_schedule", {"best, waited = math.inf": "best, waited = 1"}, "begins-at-1"),
    (
        "plateau_schedule",
        {"best, waited = math.inf": "best, waited = min(errors[:1], default=0)"},
        "counts-the-first-epoch",
    ),
    ("pca_color_augment", {"torch.randn": "torch.rand"}, "draws-uniformly"),
    (
        "pca_color_augment",
        {"generator=generator": "generator=generator, device=images.device"},
        "draws-on-the-gpu",
    ),
    ("ZFNet", {"7, 2, 0": "7, 4, 0"}, "keeps-the-stride-of-conv1"),
    ("ZFNet", {"7, 2, 0": "7, 4, 0", "5, 2, 2": "5, 1, 2"}, "keeps-both-strides"),
    ("ZFNet", {"5, 2, 2": "5, 2, 0"}, "no-padding-in-conv2"),
    ("shuffle_together", {"rng.permutation(len(x))": BY_HALVES}, "is-only-partly-random"),
    ("minibatches", {"rng.permutation(n)": BY_HALVES.replace("len(x)", "n")}, "is-only-partly-random"),
    (
        "minibatches",
        {"rng.permutation(n)": "np.append(rng.permutation(n - 1), n - 1)"},
        "never-moves-one-sample",
    ),
    ("he_init", {", shape)": ", (1, *shape[1:])) + np.zeros(shape)"}, "draws-one-number-for-many"),
    ("ZFNet", {"5, 2, 2": "5, 2, 1"}, "less-padding-in-conv2"),
    ("ZFNet", {"7, 2, 0": "7, 2, 1"}, "pads-conv1"),
    (
        "pca_color_augment",
        {"return images + (": "images += (", "None, None]": "None, None]; return images"},
        "changes-its-input",
    ),
    ("pca_color_augment", {".to(images)\n": "\n"}, "leaves-the-draws-on-the-cpu"),
    ("softmax_cross_entropy", {LARGEST: "logits[:, :1]"}, "shifts-by-the-first-logit"),
    ("softmax_cross_entropy", {LARGEST: "logits.mean(axis=1, keepdims=True)"}, "shifts-by-the-mean"),
    (
        "softmax_cross_entropy",
        {LARGEST: "logits[np.arange(len(labels)), labels][:, None]"},
        "shifts-by-the-label-s-logit",
    ),
    ("softmax_cross_entropy", {"log_p = shifted": "log_p = logits"}, "takes-the-unshifted-logit"),
    ("softmax_cross_entropy", {", labels]": ", labels - 1]"}, "counts-labels-from-one"),
    (
        "softmax_cross_entropy",
        {"    log_p = ": "    p = np.zeros_like(logits); p[:] = np.exp(shifted)\n    log_p = "}
        | {"np.exp(shifted).sum": "p.sum"},
        "takes-the-dtype-of-the-logits",
    ),
    ("softmax_cross_entropy_gradient", {LARGEST: "logits[:, :1]"}, "shifts-by-the-first-logit"),
    (
        "softmax_cross_entropy_gradient",
        {"grad = np.exp(": "grad = np.zeros_like(logits); grad[:] = np.exp("}
        | {"grad /= grad.sum": "grad = grad / grad.sum"},
        "takes-the-dtype-of-the-logits",
    ),
    ("relu", {"np.maximum(x, 0)": "max(x, 0)"}, "compares-the-whole-array"),
    ("leaky_relu", {"np.where(x > 0, x, slope * x)": "max(x, slope * x)"}, "compares-the-whole-array"),
    (
        "leaky_relu",
        {"return np.where(x > 0, x, slope * x)": "y = x.copy(); y[y < 0] *= slope; return y"},
        "multiplies-whole-numbers-in-place",
    ),
    (
        "leaky_relu",
        {"return np.where(x > 0, x, slope * x)": "y = x.copy(); y[y < 0] = y[y < 0] * slope; return y"},
        "takes-the-dtype-of-x",
    ),
    (
        "relu_backward",
        {"return grad_out * (x > 0)": "g = np.zeros_like(x); g[x > 0] = grad_out[x > 0]; return g"},
        "takes-the-dtype-of-x",
    ),
    ("max_pool2d_backward", {"np.zeros(x.shape)": "np.zeros_like(x)"}, "adds-to-whole-numbers"),
    ("avg_pool2d_backward", {"np.zeros(x.shape)": "np.zeros_like(x)"}, "adds-to-whole-numbers"),
    (
        "max_pool2d",
        {"return out": "return np.array([[np.maximum(c, -999) for c in image] for image in out])"},
        "starts-from-a-low-number",
    ),
    ("max_pool2d", {"return out": "return np.array([image + 0 for image in out])"}, "loops-over-the-pixels"),
    (
        "dead_fraction",
        {"np.all(activations == 0, axis=0)": "(activations.mean(0) < 1e-3)"},
        "takes-little-for-nothing",
    ),
    (
        "dead_fraction",
        {"np.all(activations == 0, axis=0)": "((activations == 0).mean(0) > 0.5)"},
        "counts-the-mostly-silent",
    ),
    ("standardize", {"subtract_mean(x, train) / np": "x - train.mean(axis=0) / np"}, "forgets-the-brackets"),
    ("decorrelate", {"subtract_mean(x, train) @": "(x - x.mean(axis=0)) @"}, "uses-its-own-mean"),
    ("decorrelate", {"subtract_mean(train, train)": "subtract_mean(x, train)"}, "uses-its-own-axes"),
    ("decorrelate", {"np.linalg.eigh(": "np.linalg.eig(", "[:, ::-1]": ""}, "puts-the-smallest-first"),
    (
        "whiten",
        {"np.maximum(values, 0)": "decorrelate(x, train).var(axis=0)"},
        "takes-the-spread-of-x",
    ),
    ("whiten", {"0) + eps)": "0) + 1e-5)"}, "forgets-eps"),
    ("dropout", {"if not training": "if training"}, "swaps-the-modes"),
    (
        "weight_decay_gradient",
        {"grad + weight_decay * w": "grad + weight_decay / 2 * w**2"},
        "adds-the-square",
    ),
    (
        "random_crop",
        {
            "rng.integers(0, 2 * padding + 1, (n, 2))": "np.rint(rng.uniform(0, 2 * padding, (n, 2))).astype(int)"
        },
        "some-places-more-often",
    ),
    ("color_jitter", {"(1 - strength, 1 + strength": "(1 - strength, 1"}, "only-brighter"),
    ("affine_warp", {"i >= 0": "i > 0", "j >= 0": "j > 0"}, "loses-the-last-row-and-column"),
    ("affine_warp", {"i >= 0": "i >= -height", "j >= 0": "j >= -width"}, "wraps-around"),
]


def written(name, changes):
    """Return what a student has who writes our answer with these changes."""
    names = dict(solutions(EXERCISES[name].unit))
    cells = read_source(UNITS[EXERCISES[name].unit]).cells
    source = next(c.source for c in cells if c.metadata.get("nbgrader", {}).get("grade_id") == name)
    for old, new in changes.items():
        assert old in source, f"{old!r} is not in our answer any more"
        source = source.replace(old, new)
    exec(compile(source, "<student>", "exec"), names)
    return names[name]


@pytest.mark.parametrize(
    ("name", "changes", "idea"), SLIPS, ids=[f"{name}-{i}-{idea}" for i, (name, _, idea) in enumerate(SLIPS)]
)
def test_a_slip_is_named(name, changes, idea):
    verdict = grade(name, written(name, changes))
    assert verdict.score < verdict.max_score
    assert verdict.misconception == idea, verdict.text


def test_another_exception_of_the_same_type_is_not_taken_for_a_slip():
    verdict = grade(
        "load_numpy_weights", written("load_numpy_weights", {"(array))": "(array).flatten()[:2])"})
    )
    assert "RuntimeError" in verdict.text
    assert verdict.misconception == ""
