"""The nets of unit 09 are exact: the counts of the paper, torchvision's shapes, and the outputs of an independent computation."""

import pytest
import torch
import torch.nn.functional as F

from course.checks.alexnet_tables import ALEXNET, TWO_GPU
from course.checks.pretend import PretendDevices
from course.checks.torch_drivers import fill
from tests.hidden import solution

AlexNet, TwoTowerAlexNet, ZFNet = map(solution, ("AlexNet", "TwoTowerAlexNet", "ZFNet"))
SMALL = [
    *(
        ("CONV1", 8, 5, 2, 1, 1),
        ("MAXPOOL1", 3, 2),
        ("NORM1",),
        ("CONV2", 12, 3, 1, 1, 2),
        ("CONV3", 16, 3, 1, 1, 1),
    ),
    *(
        ("CONV4", 16, 3, 1, 1, 2),
        ("CONV5", 8, 3, 1, 1, 2),
        ("MAXPOOL3", 3, 2),
        ("FC6", 32),
        ("FC7", 24),
        ("FC8", 10),
    ),
]


def count(make, *args, **kwargs):
    with torch.device("meta"):
        return sum(p.numel() for p in make(*args, **kwargs).parameters())


def test_the_two_tower_net_has_the_60965224_parameters_of_2012():
    assert count(TwoTowerAlexNet) == 60_965_224
    assert count(AlexNet, layers=TWO_GPU) == 60_965_224


def test_the_single_tower_has_62378344_parameters():
    assert count(AlexNet) == 62_378_344
    assert count(AlexNet, 10) == 62_378_344 - 990 * 4097


def test_zfnet_has_107627624_parameters():
    assert count(ZFNet) == 107_627_624


def test_torchvisions_alexnet_comes_out_of_its_table():
    new = {"CONV1": (64, 11, 4, 2, 1), "CONV2": (192, 5, 1, 2, 1), "CONV4": (256, 3, 1, 1, 1)}
    table = [(row[0], *new.get(row[0], row[1:])) for row in ALEXNET]
    assert count(AlexNet, 1000, table, 224) == 61_100_840


def test_the_two_gpu_net_takes_724_million_multiply_adds():
    entries = solution("alexnet_shapes")(TWO_GPU).values()
    adds = sum((p - s[0]) * torch.Size(s[1:]).numel() for s, p in entries if p)
    assert adds == 724_406_816


def norm(x):
    return F.local_response_norm(x, 5, 1e-4, 0.75, 2.0)


def alexnet_by_functions(x, weights, groups):
    """AlexNet of 2012 as functions of sixteen tensors in forward order."""
    w = list(weights)
    x = norm(F.max_pool2d(F.relu(F.conv2d(x, w[0], w[1], stride=4)), 3, 2))
    x = norm(F.max_pool2d(F.relu(F.conv2d(x, w[2], w[3], padding=2, groups=groups)), 3, 2))
    x = F.relu(F.conv2d(x, w[4], w[5], padding=1))
    x = F.relu(F.conv2d(x, w[6], w[7], padding=1, groups=groups))
    x = F.max_pool2d(F.relu(F.conv2d(x, w[8], w[9], padding=1, groups=groups)), 3, 2).flatten(1)
    x = F.relu(F.linear(F.relu(F.linear(x, w[10], w[11])), w[12], w[13]))
    return F.linear(x, w[14], w[15])


@pytest.mark.parametrize(("layers", "groups"), [(ALEXNET, 1), (TWO_GPU, 2)], ids=["one tower", "two groups"])
@torch.no_grad()
def test_alexnet_in_full_size_equals_a_functional_computation_with_the_same_weights(layers, groups):
    net = AlexNet(1000, layers).eval()
    x = 50 * torch.randn(2, 3, 227, 227, generator=torch.Generator().manual_seed(0))
    expected = alexnet_by_functions(x, net.parameters(), groups)
    assert expected.shape == (2, 1000)
    torch.testing.assert_close(net(x), expected)


def small_towers(devices=(None, None), size=35):
    """Return a small two-tower net in float64, and the sixteen tensors of the net in groups with the same weights."""
    two = fill(TwoTowerAlexNet(7, SMALL, size, devices).to(torch.float64)).eval()
    tensors = list(two.parameters())
    halves = [torch.cat([tensors[4 * i + k], tensors[4 * i + 2 + k]]) for i in range(7) for k in (0, 1)]
    return two, [*halves, *tensors[-2:]]


def normed_by_halves(x):
    return torch.cat([norm(half) for half in x.chunk(2, 1)], 1)


def small_by_functions(x, w):
    x = normed_by_halves(F.max_pool2d(F.relu(F.conv2d(x, w[0], w[1], stride=2, padding=1)), 3, 2))
    x = F.relu(F.conv2d(x, w[2], w[3], padding=1, groups=2))
    x = F.relu(F.conv2d(x, w[4], w[5], padding=1))
    x = F.relu(F.conv2d(x, w[6], w[7], padding=1, groups=2))
    x = F.max_pool2d(F.relu(F.conv2d(x, w[8], w[9], padding=1, groups=2)), 3, 2).flatten(1)
    x = F.relu(F.linear(F.relu(F.linear(x, w[10], w[11])), w[12], w[13]))
    return F.linear(x, w[14], w[15])


@pytest.mark.parametrize("devices", [(None, None), ("cpu", "cpu")])
@torch.no_grad()
def test_two_towers_equal_convolutions_in_two_groups_with_the_same_weights(devices):
    two, weights = small_towers(devices)
    x = 60 * torch.randn(3, 3, 35, 35, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(two(x), small_by_functions(x, weights))


@torch.no_grad()
def test_two_towers_lie_on_two_devices_and_meet_only_where_they_must():
    x = 60 * torch.randn(2, 3, 35, 35, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = small_towers()[0](x)
    with PretendDevices() as devices:
        split = TwoTowerAlexNet(7, SMALL, 35, devices=("cuda:0", "cuda:1")).to(torch.float64)
        fill(split).eval()
        places = [str(devices.of(p)) for p in split.parameters()]
        out = split(x)
        assert str(devices.of(out)) == "cuda:0"
    assert places == ["cuda:0", "cuda:0", "cuda:1", "cuda:1"] * 7 + ["cuda:0"] * 2
    torch.testing.assert_close(out, expected)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
@torch.no_grad()
def test_two_towers_run_on_two_gpus():
    two, weights = small_towers(("cuda:0", "cuda:1"))
    x = 60 * torch.randn(2, 3, 35, 35, dtype=torch.float64)
    torch.testing.assert_close(two(x).cpu(), small_by_functions(x, [w.cpu() for w in weights]))


def test_gradients_flow_into_both_towers():
    two, _ = small_towers()
    two.train()(torch.randn(2, 3, 35, 35, dtype=torch.float64)).sum().backward()
    assert all(p.grad is not None for p in two.parameters())


def test_modules_stand_in_forward_order_so_that_weights_load_by_position():
    with torch.device("meta"):
        shapes = [tuple(p.shape) for p in AlexNet(layers=TWO_GPU).parameters()]
    assert shapes[::2] == [
        *((96, 3, 11, 11), (256, 48, 5, 5), (384, 256, 3, 3), (384, 192, 3, 3), (256, 192, 3, 3)),
        *((4096, 9216), (4096, 4096), (1000, 4096)),
    ]
    assert shapes[1::2] == [shape[:1] for shape in shapes[::2]]


def test_zfnet_gives_scores_for_images_of_227():
    with torch.device("meta"), torch.no_grad():
        assert ZFNet(12).eval()(torch.empty(2, 3, 227, 227)).shape == (2, 12)
