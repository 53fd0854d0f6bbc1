"""The VGG nets of unit 10 are exact: the published parameters, in the published order, and what they compute."""

import pytest
import torch
import torch.nn.functional as F

from tests.hidden import solution

COUNTS = {11: 132_863_336, 13: 133_047_848, 16: 138_357_544, 19: 143_667_240}
WITH_BATCH_NORM = {11: 132_868_840, 13: 133_053_736, 16: 138_365_992, 19: 143_678_248}
CHANNELS = {
    11: [[64], [128], [256] * 2, [512] * 2, [512] * 2],
    13: [[64] * 2, [128] * 2, [256] * 2, [512] * 2, [512] * 2],
    16: [[64] * 2, [128] * 2, [256] * 3, [512] * 3, [512] * 3],
    19: [[64] * 2, [128] * 2, [256] * 4, [512] * 4, [512] * 4],
}


def on_meta(*args, **kwargs):
    with torch.device("meta"):
        return solution("VGG")(*args, **kwargs)


def published(depth, batch_norm=False):
    """Return the shapes of the published net's parameters and buffers, in the order in which torchvision saves them."""
    shapes, channels = [], 3
    for out in [c for block in CHANNELS[depth] for c in block]:
        shapes += [(out, channels, 3, 3), (out,)]
        shapes += [(out,)] * 4 + [()] if batch_norm else []
        channels = out
    return [*shapes, (4096, 25_088), (4096,), (4096, 4096), (4096,), (1000, 4096), (1000,)]


@pytest.mark.parametrize("depth", COUNTS)
def test_the_nets_have_exactly_the_published_number_of_parameters(depth):
    assert sum(p.numel() for p in on_meta(depth).parameters()) == COUNTS[depth]
    with_norm = on_meta(depth, batch_norm=True).parameters()
    assert sum(p.numel() for p in with_norm) == WITH_BATCH_NORM[depth]


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("depth", COUNTS)
def test_published_weights_load_by_position(depth, batch_norm):
    state = on_meta(depth, batch_norm=batch_norm).state_dict()
    assert [tuple(t.shape) for t in state.values()] == published(depth, batch_norm)


def weights(module, seed=0):
    """Return new numbers for a module's saved tensors, in order, in float64; running variances are positive."""
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.rand(t.shape, generator=generator, dtype=torch.float64) + 0.5
        if t.ndim == 1
        else torch.randn(t.shape, generator=generator, dtype=torch.float64) * (2 / t[0].numel()) ** 0.5
        if t.ndim
        else t.clone()
        for t in module.state_dict().values()
    ]


def computed(x, tensors, depth, batch_norm):
    """Return the scores by torch's functions alone."""
    rest = iter(tensors)
    for block in CHANNELS[depth]:
        for _ in block:
            x = F.conv2d(x, next(rest), next(rest), padding=1)
            if batch_norm:
                gamma, beta, mean, var, _ = (next(rest) for _ in range(5))
                x = F.batch_norm(x, mean, var, gamma, beta)
            x = x.relu()
        x = F.max_pool2d(x, 2)
    x = F.adaptive_avg_pool2d(x, 7).flatten(1)
    for _ in range(2):
        x = F.linear(x, next(rest), next(rest)).relu()
    x = F.linear(x, next(rest), next(rest))
    assert next(rest, None) is None
    return x


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("depth", COUNTS)
def test_the_outputs_are_those_of_the_functions_with_the_same_weights(depth, batch_norm):
    net = solution("VGG")(depth, 10, batch_norm=batch_norm, width=4).double().eval()
    tensors = weights(net)
    net.load_state_dict(dict(zip(net.state_dict(), tensors, strict=True)))
    x = torch.randn(2, 3, 96, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(net(x), computed(x, tensors, depth, batch_norm))


def test_dropout_works_in_training_only():
    net = solution("VGG")(11, 10, width=2)
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    assert torch.equal(net.eval()(x), net(x))
    assert not torch.equal(net.train()(x), net(x))


def test_vgg16_keeps_15_million_activations_most_of_them_in_its_first_block():
    kept = solution("activation_memory")(on_meta(16).eval(), (3, 224, 224))
    numbers = {name: size // 4 for name, size in kept.items()}
    assert sum(numbers.values()) == 15_237_608 + 25_088  # the slide's lines, and the adaptive pooling
    assert list(numbers.values())[:4] == [150_528, 3_211_264, 3_211_264, 802_816]


def test_an_output_of_vgg16_sees_212_pixels():
    layers = [layer for block in CHANNELS[16] for layer in [(3, 1)] * len(block) + [(2, 2)]]
    assert solution("receptive_field")(layers) == 212
