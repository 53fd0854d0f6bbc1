"""ArchitectureBuilder in Python: its layers, its repr, and torch modules made into layers."""

import json
from pathlib import Path

import pytest
import torch
import traitlets
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d, max_pool2d, relu

from course.explorers import ArchitectureBuilder
from tests.js.architecture_cases import sequence_of

CASES = json.loads((Path(__file__).parents[1] / "js/architecture_cases.json").read_text("utf-8"))
GOOD = [case["settings"] for case in CASES if case["broken"] < 0]


def layers_of(module, size=(3, 32, 32)):
    return ArchitectureBuilder.from_module(module, input_size=size).layers


class Block(nn.Module):
    """A residual block as in torchvision: relu in place, a sum in place, a shortcut where the stride is 2."""

    def __init__(self, channels, filters, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.relu = nn.ReLU(inplace=True)
        project = nn.Conv2d(channels, filters, 1, stride, bias=False)
        self.downsample = nn.Sequential(project, nn.BatchNorm2d(filters)) if stride > 1 else None

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += identity
        return self.relu(out)


def resnet18():
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    stages = [
        block
        for n, filters in enumerate([64, 128, 256, 512])
        for block in (Block(max(64, filters // 2), filters, 2 if n else 1), Block(filters, filters))
    ]
    return nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


class Written(nn.Module):
    """LeNet as students write it: functions, and a view whose size is computed."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5, padding="same")
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = max_pool2d(relu(self.conv1(x)), (2, 2))
        x = adaptive_avg_pool2d(torch.tanh(self.conv2(x)), 1)
        return self.fc(x.view(x.size(0), -1))


class Says(nn.Module):
    """A module with the given forward."""

    def __init__(self, forward):
        super().__init__()
        self.says = forward

    def forward(self, x):
        return self.says(x)


@pytest.mark.parametrize("start", range(0, len(GOOD), 50))
def test_a_module_made_of_layers_gives_the_layers_back(start):
    for settings in GOOD[start : start + 50]:
        layers, size = settings["layers"], settings["input_size"]
        net, _ = sequence_of(layers, torch.zeros(1, *size))
        found = layers_of(net, size)
        assert without_flat_repeats(found) == without_flat_repeats(layers)


def without_flat_repeats(layers):
    """Return layers without a flatten of what is flat: nothing that torch would do."""
    kept, flat = [], False
    for layer in layers:
        if not (layer == "flatten" and flat):
            kept.append(layer)
        flat = flat or layer == "flatten"
    return kept


def test_a_residual_net_comes_out_as_the_preset():
    drawn = ArchitectureBuilder.from_module(resnet18())
    assert drawn.input_size == [3, 224, 224]
    block = [
        ["conv", 128, 3, 2, 1, 1, 1, False],
        "batchnorm",
        "relu",
        ["conv", 128, 3, 1, 1, 1, 1, False],
        "batchnorm",
    ]
    assert drawn.layers[8] == ["residual", block, [["conv", 128, 1, 2, 0, 1, 1, False], "batchnorm"]]
    assert len(drawn.layers) == 23


def test_functions_and_a_view_are_layers_too():
    assert layers_of(Written()) == [
        ["conv", 6, 5], "relu", ["maxpool", 2], ["conv", 16, 5, 1, 2], "tanh", "adaptivepool", "flatten", ["linear", 10],
    ]  # fmt: skip


def test_padding_that_is_not_counted_matters_only_where_there_is_some():
    assert layers_of(nn.AvgPool2d(3, 1, count_include_pad=False)) == [["avgpool", 3, 1]]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_a_module_of_another_precision_is_drawn(dtype):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).to(dtype)
    assert layers_of(net) == [["conv", 4, 3], "batchnorm", "relu"]


def test_the_module_stays_as_it_is():
    net = resnet18()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert net.training
    layers_of(net)
    assert net.training
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_a_mean_over_rows_and_columns_is_a_pooling():
    assert layers_of(Says(lambda x: x.mean((2, 3)))) == ["adaptivepool", "flatten"]
    assert layers_of(Says(lambda x: x.mean(dim=[-1, -2], keepdim=True))) == ["adaptivepool"]


@pytest.mark.parametrize(
    ("module", "why"),
    [
        (Says(lambda x: torch.cat([x, x], 1)), "“cat” is not among its layers"),
        (Says(lambda x: 2 * x), "“mul” is not among its layers"),
        (Says(lambda x: x.chunk(3, 1)), "“chunk” is not among its layers"),
        (Says(lambda x: (x, x)), "what it gives is not one tensor"),
        (Says(lambda x: torch.zeros(1)), "what it gives is not one tensor"),
        (Says(lambda x: x + x.mean((2, 3), keepdim=True)), "only broadcasting makes equal"),
        (Says(lambda x: torch.sigmoid(torch.tanh(y := relu(x)) + x) + y), "its branches cross"),
        (Says(lambda x: x.view(2, 3, -1)), "view is among its layers only where"),
        (nn.Conv2d(3, 4, (1, 3)), r"a kernel of \(1, 3\) is not the same for rows and columns"),
        (nn.Conv2d(3, 4, 2, padding="same"), "pads one side more"),
        (nn.MaxPool2d(2, ceil_mode=True), "ceil_mode"),
        (nn.AvgPool2d(2, ceil_mode=True), "ceil_mode"),
        (nn.AvgPool2d(3, 1, 1, count_include_pad=False), "count_include_pad=False or divisor_override"),
        (nn.AvgPool2d(2, divisor_override=1), "count_include_pad=False or divisor_override"),
        (nn.BatchNorm2d(3, affine=False), "without weight and bias"),
        (nn.Linear(32, 2), "flatten first"),
        (nn.Softmax(dim=3), "only over the channels"),
        (nn.Sequential(*[nn.Conv2d(3, 3, 1)] * 2), "share their weights"),
        (nn.Conv2d(4, 3, 1), "Conv2d does not take an input of 3 × 32 × 32: "),
        (nn.Sequential(nn.Flatten(), nn.Linear(5, 2)), "does not take an input of 3 × 32 × 32: "),
    ],
)
def test_a_module_that_cannot_be_drawn_gives_one_clear_line(module, why):
    with pytest.raises(ValueError, match=why) as caught:
        layers_of(module)
    assert "\n" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert caught.value._render_traceback_() == [f"ArchitectureBuilder: {caught.value}"]


def test_the_repr_is_the_call():
    for settings in GOOD:
        explorer = ArchitectureBuilder(**settings)
        again = eval(repr(explorer))
        assert (again.layers, again.input_size) == (settings["layers"], settings["input_size"])
    assert repr(ArchitectureBuilder(preset="vgg-16")) == "ArchitectureBuilder(preset='vgg-16')"
    given = ArchitectureBuilder(
        layers=(("conv", 6, 5, 1, 0), ("maxpool", 2, 2), ["relu"], ("residual", ("relu",), ()))
    )
    assert (
        repr(given)
        == "ArchitectureBuilder(layers=[['conv', 6, 5], ['maxpool', 2], 'relu', ['residual', ['relu']]])"
    )


@pytest.mark.parametrize(
    "bad",
    [
        *[{"layers": [layer]} for layer in ("convolution", ("conv",), ("conv", 6), ("conv", 6.5, 3), ("conv", 6, 3, True))],
        *[{"layers": [layer]} for layer in (None, 3, [], ("relu", 1), ("residual",), ("residual", "relu"), ("linear", "10"))],
        {"layers": [("residual", ["odd"])]},
        {"preset": "lenet"},
        {"input_size": (3, 32)},
        {"input_size": 32},
    ],
)  # fmt: skip
def test_what_is_no_layer_is_refused(bad):
    with pytest.raises(traitlets.TraitError):
        ArchitectureBuilder(**bad)
