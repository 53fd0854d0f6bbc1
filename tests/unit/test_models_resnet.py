"""The nets of unit 12 are exact: their counts, and that torchvision's weights would load by position and give the same outputs."""

from collections import OrderedDict

import pytest
import torch
import torch.nn.functional as F

from tests.hidden import solution

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
COUNTS = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}


def norm_state(name, size):
    """Return the entries of a batch norm, as torch names them."""
    return {
        f"{name}.weight": 0.5 + torch.rand(size),
        f"{name}.bias": 0.1 * torch.randn(size),
        f"{name}.running_mean": 0.1 * torch.randn(size),
        f"{name}.running_var": 0.5 + torch.rand(size),
        f"{name}.num_batches_tracked": torch.tensor(1),
    }


def conv_state(name, norm, out, into, size):
    """Return the entries of a convolution and its batch norm."""
    w = torch.randn(out, into, size, size) * (2 / (into * size**2)) ** 0.5
    return {f"{name}.weight": w, **norm_state(norm, out)}


def torchvision_state(depth, classes):
    """Return random weights under the names, in the order and in the shapes of torchvision's state_dict."""
    torch.manual_seed(depth)
    state, channels = conv_state("conv1", "bn1", 64, 3, 7), 64
    for stage, count in enumerate(BLOCKS[depth]):
        width = 64 * 2**stage
        kernels, out = ((3, 3), width) if depth < 50 else ((1, 3, 1), 4 * width)
        for block in range(count):
            at, into = f"layer{stage + 1}.{block}", channels
            for i, kernel in enumerate(kernels):
                target = out if i == len(kernels) - 1 else width
                state |= conv_state(f"{at}.conv{i + 1}", f"{at}.bn{i + 1}", target, into, kernel)
                into = target
            if block == 0 and (stage > 0 or channels != out):
                state |= conv_state(f"{at}.downsample.0", f"{at}.downsample.1", out, channels, 1)
            channels = out
    state |= {"fc.weight": torch.randn(classes, channels) / channels**0.5, "fc.bias": torch.randn(classes)}
    return OrderedDict(state)


def functional(state, depth, x):
    """Return the scores of torchvision's net, by its names and nothing else."""

    def conv_norm(x, conv, norm, stride=1):
        w = state[f"{conv}.weight"]
        x = F.conv2d(x, w, None, stride, w.shape[-1] // 2)
        n = {key: state[f"{norm}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")}
        return F.batch_norm(x, **n)

    x = F.max_pool2d(F.relu(conv_norm(x, "conv1", "bn1", 2)), 3, 2, 1)
    last = 2 if depth < 50 else 3
    strided = 1 if depth < 50 else 2  # in a bottleneck the 3x3
    for stage, count in enumerate(BLOCKS[depth], start=1):
        for block in range(count):
            at, y = f"layer{stage}.{block}", x
            stride = 2 if stage > 1 and block == 0 else 1
            for i in range(1, last + 1):
                y = conv_norm(y, f"{at}.conv{i}", f"{at}.bn{i}", stride if i == strided else 1)
                y = F.relu(y) if i < last else y
            if f"{at}.downsample.0.weight" in state:
                x = conv_norm(x, f"{at}.downsample.0", f"{at}.downsample.1", stride)
            x = F.relu(x + y)
    return F.linear(x.mean(dim=(2, 3)), state["fc.weight"], state["fc.bias"])


def count(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("depth", COUNTS)
def test_a_resnet_has_the_parameters_of_the_paper_and_of_torchvision(depth):
    with torch.device("meta"):
        assert count(solution("ResNet")(depth)) == COUNTS[depth]


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_torchvisions_weights_load_by_position_and_give_the_same_outputs(depth):
    state, model = torchvision_state(depth, 7), solution("ResNet")(depth, 7)
    ours = model.state_dict()
    assert [t.shape for t in ours.values()] == [t.shape for t in state.values()]
    model.load_state_dict(dict(zip(ours, state.values(), strict=True)))
    x = torch.randn(2, 3, 65, 48)
    with torch.no_grad():
        expected = functional(state, depth, x)
        torch.testing.assert_close(model.eval()(x), expected, rtol=1e-4, atol=1e-4 * expected.abs().max())


@pytest.mark.parametrize(
    ("depth", "option", "parameters"),
    [
        (20, "A", 269_722),
        (32, "A", 464_154),
        (56, "A", 853_018),
        (20, "B", 272_474),
        (32, "B", 466_906),
        (56, "B", 855_770),
    ],
)
def test_a_residual_net_for_small_images_has_these_parameters(depth, option, parameters):
    width, n = 16, (depth - 2) // 6
    convolutions = 3 * width * 9 + 9 * width**2 * (2 * n + 4 * (2 * n - 1) + 2 + 16 * (2 * n - 1) + 8)
    norms = 2 * width + 2 * width * (2 * n + 2 * 2 * n + 4 * 2 * n)
    projections = 0 if option == "A" else (2 + 8) * width**2 + 2 * (2 + 4) * width
    assert convolutions + norms + projections + 4 * width * 10 + 10 == parameters
    assert count(solution("CifarResNet")(depth, option)) == parameters


def test_a_residual_net_with_option_a_has_the_parameters_of_its_plain_twin():
    shapes = [tuple(p.shape) for p in solution("CifarResNet")(20, "A").parameters()]
    assert len(shapes) == 3 * 19 + 2  # a convolution and its norm for each layer but the last, and no more
    assert all(len(shape) != 4 or shape[2:] == (3, 3) for shape in shapes)
