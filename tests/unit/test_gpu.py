"""What only a GPU can show, and the benchmarks that are run on one, at a size that any machine can run."""

import argparse
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from course.training import TrainingError, fit, throughput
from tests.benchmarks import cifar, cifar_recipes, training, training_results, training_shapes

ROOT = Path(__file__).parents[2]
DATA = next((folder for folder in cifar.FOLDERS if (folder / "cifar10_jpeg_test.npz").exists()), None)


@pytest.fixture
def cuda():
    if not torch.cuda.is_available():
        pytest.skip("CUDA: torch sees no CUDA GPU; these tests are about one")
    return torch.device("cuda")


def blobs(n=512):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 4
    x = rng.normal(size=(n, 3, 8, 8)).astype(np.float32)
    x[np.arange(n), :, y] += 2
    return x, y


class Watch(nn.Module):
    """A net that notes the type, the layout and the device of what goes through it."""

    def __init__(self, dropout=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm = nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16)
        self.end = nn.Sequential(nn.ReLU(), nn.Dropout(dropout), nn.Flatten(), nn.Linear(16 * 36, 4))
        self.seen = set()

    def forward(self, x):
        out = self.conv(x)
        if not torch.compiler.is_compiling():
            last = out.is_contiguous(memory_format=torch.channels_last)
            self.seen.add((out.dtype, last, out.device.type))
        return self.end(self.norm(out))


def quietly(model, *args, **options):
    return fit(model, *args, **{"epochs": 3, "batch_size": 64, "progress": False, **options})


# --- on a GPU ---


@pytest.mark.gpu
def test_a_gpu_trains_in_bf16_and_channels_last_unasked_with_weights_in_fp32(cuda):
    if not torch.cuda.is_bf16_supported(including_emulation=False):
        pytest.skip("GPU: this one does not compute in bf16")
    model = Watch()
    history = quietly(model, blobs(), blobs())
    assert model.seen == {(torch.bfloat16, True, "cuda")}
    assert {p.dtype for p in model.parameters()} == {torch.float32} and history.test_accuracy[-1] > 0.9


@pytest.mark.gpu
def test_in_fp32_a_gpu_learns_what_a_processor_learns(cuda):
    histories = [quietly(Watch(), blobs(), device=device, precision="fp32") for device in ("cuda", "cpu")]
    assert histories[0].train_loss == pytest.approx(histories[1].train_loss, rel=0.02)


@pytest.mark.gpu
def test_a_run_on_a_gpu_goes_on_from_its_checkpoint(cuda, tmp_path):
    whole = quietly(Watch(dropout=0.3), blobs(), epochs=4)
    quietly(Watch(dropout=0.3), blobs(), epochs=2, checkpoint=tmp_path / "run.pt")
    resumed = quietly(Watch(dropout=0.3), blobs(), epochs=4, checkpoint=tmp_path / "run.pt")
    assert resumed.train_loss == pytest.approx(whole.train_loss, rel=0.05)


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_a_compiled_model_learns_the_same(cuda):
    plain, compiled = quietly(Watch(), blobs()), quietly(Watch(), blobs(), compile=True)
    assert compiled.train_loss == pytest.approx(plain.train_loss, rel=0.05)


class Greedy(nn.Module):
    """Keeps a tensor of half the GPU's memory alive, twice."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(192, 4)

    def forward(self, x):
        half = torch.cuda.get_device_properties(x.device).total_memory // 2
        kept = [torch.empty(half + 2**28, dtype=torch.uint8, device=x.device) for _ in range(2)]
        return self.layer(x.flatten(1)) + len(kept)


@pytest.mark.gpu
def test_a_full_gpu_suggests_half_the_batch_and_is_empty_again(cuda):
    for call in (lambda: quietly(Greedy(), blobs()), lambda: throughput(Greedy(), blobs(64)[0])):
        with pytest.raises(TrainingError) as caught:
            call()
        assert str(caught.value) == "the GPU ran out of memory with batch_size=64: try batch_size=32"
        assert torch.cuda.memory_reserved() < 2**28


@pytest.mark.gpu
def test_data_too_large_for_the_gpu_stay_outside_and_train_to_the_same_weights(cuda, monkeypatch):
    inside, outside = Watch(), Watch()
    first = quietly(inside, blobs(), precision="fp32")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 1000))
    second = quietly(outside, blobs(), precision="fp32")
    assert second.train_loss == pytest.approx(first.train_loss, rel=1e-2)


SCRIPT = """
import sys
import torch
from course.training import fit
from tests.unit.test_gpu import Watch, blobs

model = Watch()
model.norm = torch.nn.Identity()
fit(model, blobs(), epochs=2, batch_size=64, precision="fp32", checkpoint=sys.argv[1])
"""


@pytest.mark.gpu
@pytest.mark.slow
def test_two_gpus_find_the_weights_of_one(cuda, tmp_path):
    if torch.cuda.device_count() < 2:
        pytest.skip("GPU: there is one here, this needs two")
    (tmp_path / "train.py").write_text(SCRIPT)
    found = []
    for count in (1, 2):
        launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [*launch, tmp_path / "train.py", tmp_path / f"{count}.pt"]
        subprocess.run(command, check=True, timeout=300, env=environment)
        found.append(torch.load(tmp_path / f"{count}.pt", weights_only=True, map_location="cpu")["model"])
    for name, weights in found[0].items():
        torch.testing.assert_close(weights, found[1][name], rtol=1e-2, atol=1e-3)


# --- the benchmarks, small ---


@pytest.mark.parametrize(
    ("name", "multiply_adds"), [("ResNet-50", 4.09e9), ("VGG-16", 15.47e9), ("AlexNet", 1.14e9)]
)
def test_a_training_step_is_nearly_three_forward_passes_of_two_operations_a_multiply_add(name, multiply_adds):
    """Nearly: the first layer needs no gradient of the image."""
    share = training.step_operations(name) / (3 * 2 * multiply_adds)
    assert 0.96 < share < 1.005


def test_the_throughput_of_a_net_is_measured_plain_and_with_our_settings(monkeypatch):
    monkeypatch.setitem(training.NETS, "small", ("CifarResNet", (20,), 32, 4))
    plain, ours, compiled = training.measure("small", seconds=0.01)
    assert plain > 0 and ours > 0 and compiled is None
    row = training.row("small", (100.0, 250.0, 300.0), (1e12, None))
    assert row[:6] == ["small", 4, "100", "250", "300", "3.00"] and len(row) == len(training.HEADER)
    assert row[7:] == [f"{300 * training.step_operations('small') / 1e12:.0%}", "not listed"]


def test_a_matrix_product_has_a_speed():
    assert training.matmul_peak(torch.device("cpu"), size=64, seconds=0.01) > 1e6


def test_crop_and_flip_moves_each_image_by_a_shift_of_its_own_and_mirrors_half_of_them():
    torch.manual_seed(0)
    x = torch.rand(64, 3, 6, 6)
    made = cifar_recipes.crop_and_flip(x, 2)
    padded, seen = nn.functional.pad(x, (2,) * 4), set()
    for image, source in zip(made, padded, strict=True):
        places = [(top, left, flip) for top in range(5) for left in range(5) for flip in (False, True)]
        windows = {place: source[:, place[0] : place[0] + 6, place[1] : place[1] + 6] for place in places}
        fits = [p for p, w in windows.items() if torch.equal(image, w.flip(2) if p[2] else w)]
        assert len(fits) == 1
        seen.add(fits[0])
    assert len(seen) > 30 and {flip for *_, flip in seen} == {False, True}


def test_the_whitened_first_layer_gives_patches_without_correlation():
    torch.manual_seed(0)
    mixed = nn.functional.avg_pool2d(torch.randn(300, 3, 16, 16), 3, stride=1, padding=1)
    layer = cifar_recipes.whitening(mixed, eps=0)
    out = layer(mixed)[:, :27, 1:-1, 1:-1].transpose(0, 1).flatten(1)
    torch.testing.assert_close(torch.cov(out), torch.eye(27), rtol=0, atol=0.1)
    assert not layer.weight.requires_grad


def test_the_papers_rates_and_the_triangle():
    assert [round(cifar_recipes.paper_rate(epoch, 164), 6) for epoch in (0, 81, 82, 122, 123, 163)] == [
        *(0.1, 0.1, 0.01, 0.01, 0.001, 0.001)
    ]
    rates = [cifar_recipes.triangle(step, 100) for step in range(100)]
    assert max(rates) == rates[19] == 1 and rates[-1] == 0 and rates[0] == pytest.approx(0.05)


def options(**given):
    usual = dict(recipe="fast", runs=1, epochs=1, batch_size=16, compile=False, train=48, checkpoint=None)
    return argparse.Namespace(**{**usual, **given})


def test_every_net_that_the_shapes_are_measured_with_trains_for_an_epoch():
    from course.data import shapes

    for name in training_shapes.NETS:
        assert len(training_shapes.train(name, shapes(40, 20), 1, seed=0).test_accuracy) == 1


@pytest.fixture
def images(monkeypatch):
    """CIFAR-10 as shapes: the recipes run without the data."""
    from course.data import shapes

    train_x, train_y, test_x, test_y = shapes(48, 48)
    monkeypatch.setattr(cifar, "load", lambda *most: ("shapes", (train_x, train_y), (test_x, test_y)))
    monkeypatch.setattr(cifar_recipes, "FastNet", partial(cifar_recipes.FastNet, width=4))
    monkeypatch.setattr(
        sys.modules["__main__"], "__spec__", argparse.Namespace(name="tests.benchmarks.cifar")
    )


@pytest.mark.parametrize("recipe", ["paper", "fast"])
def test_a_recipe_runs_and_its_section_says_how_often_on_what_and_by_which_command(recipe, images, capsys):
    text = cifar.measure(options(recipe=recipe, runs=2))
    assert text.startswith("## shapes: ") and "    python -m tests.benchmarks.cifar" in text
    assert "48 training and 48 test images, n = 2, mean " in text and f"torch {torch.__version__}" in text
    assert len(re.findall(r"^\| [01] \|", text, re.M)) == 2


def test_the_jpeg_copy_is_read_as_images_and_labels():
    if DATA is None:
        pytest.skip("data: no shared/data beside this checkout")
    x, y = cifar.decode(DATA / "cifar10_jpeg_test.npz", 20)
    assert x.shape == (20, 3, 32, 32) and x.dtype == np.float32 and 0 <= x.min() < 0.1 < 0.9 < x.max() <= 1
    assert y.shape == (20,) and set(y) <= set(range(10))


def test_a_section_takes_the_place_of_the_one_with_its_title_and_leaves_the_others(tmp_path):
    path = tmp_path / "RESULTS.md"
    for text in ("## One\n\nold\n", "## Two\n\nkept\n", "## One\n\nnew\n"):
        training_results.record(text, path)
    assert path.read_text() == "# Results, as measured\n\n## One\n\nnew\n\n## Two\n\nkept\n"


def test_without_a_gpu_the_speed_benchmark_says_so_and_writes_nothing(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["training", "--write"])
    monkeypatch.setattr(training, "record", lambda text: pytest.fail("something was written"))
    with pytest.raises(SystemExit) as caught:
        training.main()
    assert caught.value.code == 2
    assert capsys.readouterr().err == "There is no CUDA GPU here: these nets are measured on one.\n"
