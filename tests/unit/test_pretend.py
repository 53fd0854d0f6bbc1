"""Pretended devices behave as two GPUs do: what is moved carries its device, and tensors of two devices do not mix."""

import pytest
import torch
from torch import nn

from course.checks.pretend import DevicesMeet, PretendDevices

ONE, TWO = torch.device("cuda:0"), torch.device("cuda:1")


@pytest.fixture
def devices():
    with PretendDevices() as found:
        yield found


@pytest.mark.parametrize(
    "move",
    [
        lambda t: t.to("cuda:1"),
        lambda t: t.to(TWO),
        lambda t: t.to(device=1),
        lambda t: t.to(TWO, torch.float64, non_blocking=True),
        lambda t: t.cuda(1),
        lambda t: t.to(torch.ones(2, device="cuda:1")),
        lambda t: torch.zeros_like(t.to(TWO)),
        lambda t: t.type_as(torch.ones(2, device="cuda:1")),
    ],
)
def test_what_is_moved_is_there(devices, move):
    assert devices.of(move(torch.ones(3))) == TWO
    assert move(torch.ones(3)).device == TWO


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Conv2d(3, 4, 3).to(TWO),
        lambda: nn.Conv2d(3, 4, 3).to(device="cuda:1"),
        lambda: nn.Conv2d(3, 4, 3, device=TWO),
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3)).to(TWO).to(torch.float64)[0],
    ],
)
def test_a_module_that_is_moved_takes_its_parameters_along(devices, make):
    assert {devices.of(p) for p in make().parameters()} == {TWO}


def test_a_module_refuses_what_lies_elsewhere(devices):
    conv = nn.Conv2d(3, 4, 3).to(ONE)
    with pytest.raises(DevicesMeet, match="two devices: cpu and cuda:0"):
        conv(torch.ones(1, 3, 5, 5))
    assert devices.of(conv(torch.ones(1, 3, 5, 5).to(ONE))) == ONE


def test_tensors_of_two_devices_do_not_join_until_one_is_fetched(devices):
    a, b = torch.ones(2).to(ONE), torch.ones(2).to(TWO)
    with pytest.raises(DevicesMeet, match="cuda:0 and cuda:1"):
        torch.cat([a, b])
    assert devices.of(torch.cat([a, b.to(a.device)])) == ONE
    assert torch.cat([a, b.to(a)]).cpu().tolist() == [1, 1, 1, 1]


def test_moving_a_tensor_nowhere_leaves_it_where_it_is(devices):
    x = torch.ones(2).to(ONE)
    assert devices.of(x.to(None)) == devices.of(x.to(torch.float64)) == ONE


def test_a_tensor_that_is_sent_to_another_takes_its_dtype_too(devices):
    goal = torch.ones(2, dtype=torch.float64).to(ONE)
    assert torch.ones(3).to(goal).dtype == torch.ones(3).to(ONE).to(goal).dtype == torch.float64
    assert torch.ones(3).to(ONE).dtype == torch.float32


def test_a_generator_of_the_cpu_draws_nowhere_else(devices):
    with pytest.raises(RuntimeError, match="Expected a 'cuda' device type for generator but found 'cpu'"):
        torch.randn(3, generator=torch.Generator(), device=ONE)
    assert torch.randn(3, generator=torch.Generator(), device="cpu").shape == (3,)
