"""fit() and its neighbours: what is learnt, resumed, refused and shown."""

import copy
import os
import subprocess
import sys
import weakref
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient
from torch import nn
from torch.nn.functional import cross_entropy

from course import devices
from course.training import History, TrainingError, best_device, evaluate, fit, throughput

ROOT = Path(__file__).parents[2]


def blobs(n=60, seed=0):
    """Return small images (n, 2, 4, 4) of three classes, each bright in a place of its own."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    x = rng.normal(size=(n, 2, 4, 4)).astype(np.float32)
    x[np.arange(n), :, y] += 2
    return x, y


def net(seed=0, dropout=0.0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(2, 6, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(dropout), nn.Linear(24, 3))


def quietly(model, *args, **options):
    options = {"epochs": 2, "batch_size": 16, "device": "cpu", **options}
    return fit(model, *args, progress=False, **options)


def equal(one, two):
    """Tell whether two models hold the same numbers, bit for bit."""
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


class Watch(nn.Module):
    """Notes what its batches look like."""

    def __init__(self):
        super().__init__()
        self.net, self.seen = net(), []

    def forward(self, x):
        out = self.net(x)
        self.seen.append(
            (tuple(x.shape), out.dtype, x.is_contiguous(memory_format=torch.channels_last), self.training)
        )
        return out


# --- what is learnt ---


def test_fit_learns_and_keeps_one_number_an_epoch():
    history = quietly(net(), blobs(), blobs(seed=1), epochs=6)
    assert history.train_accuracy[-1] > 0.9 and history.test_accuracy[-1] > 0.8
    assert history.train_loss[-1] < history.train_loss[0]
    for numbers in (history.train_loss, history.test_loss, history.test_accuracy, history.epoch_seconds):
        assert len(numbers) == 6
    assert history.lr == [0.05] * 6 and history.images == 360
    assert history.images_per_second > 0 and "\n" not in repr(history)


def test_whole_numbers_of_numpy_are_whole_numbers():
    assert len(quietly(net(), blobs(), epochs=np.int64(1), batch_size=np.int32(20)).lr) == 1


def test_a_step_is_one_step_of_torch_on_the_mean_loss():
    x, y = blobs(12)
    ours, theirs = net(), net()
    quietly(ours, (x, y), epochs=1, batch_size=12)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    cross_entropy(theirs(torch.from_numpy(x)), torch.from_numpy(y)).backward()
    optimizer.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_every_image_is_seen_once_an_epoch_in_another_order_each_time():
    x = np.arange(10, dtype=np.float32)[:, None]
    seen = []

    def note(batch):
        seen.append(batch[:, 0].tolist())
        return batch

    quietly(nn.Linear(1, 2), (x, np.zeros(10, int)), augment=note, batch_size=4)
    first, second = sum(seen[:3], []), sum(seen[3:], [])
    assert sorted(first) == sorted(second) == list(range(10)) and first != second


def test_the_mean_loss_counts_each_image_once_when_the_last_batch_is_smaller():
    model, (x, y) = net(), blobs(10)
    frozen = torch.optim.SGD(model.parameters(), lr=0.0)
    history = quietly(model, (x, y), (x, y), epochs=1, batch_size=4, optimizer=frozen)
    expected = cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(y)).item()
    assert history.train_loss[0] == pytest.approx(expected) == pytest.approx(history.test_loss[0])
    assert history.train_accuracy == history.test_accuracy


def test_the_model_learns_in_training_mode_is_tested_in_evaluation_mode_and_stays_in_it():
    model = Watch()
    quietly(model, blobs(20), blobs(7), epochs=1)
    assert [(shape[0], training) for shape, _, _, training in model.seen] == [
        (16, True),
        (4, True),
        (7, False),
    ]
    assert not model.training


def test_the_same_seed_gives_the_same_weights_and_another_seed_gives_others():
    one, two, three = (net(dropout=0.5) for _ in range(3))
    for model, seed in ((one, 1), (two, 1), (three, 2)):
        torch.rand(1)  # the caller's own random numbers do not matter
        quietly(model, blobs(), seed=seed)
    assert equal(one, two) and not equal(one, three)


def test_fit_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    model = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(32, 3))
    torch.manual_seed(3)
    quietly(model, blobs())
    assert torch.equal(torch.rand(2), expected)


def test_another_loss_is_used_in_training_and_in_the_test():
    def twice(logits, labels):
        return 2 * cross_entropy(logits, labels)

    model = net()
    still = torch.optim.SGD(model.parameters(), lr=0.0)
    plain, double = (
        quietly(model, blobs(), blobs(), epochs=1, optimizer=still, loss=loss) for loss in (None, twice)
    )
    assert double.train_loss[0] == pytest.approx(2 * plain.train_loss[0])
    assert double.test_loss[0] == pytest.approx(2 * plain.test_loss[0])


# --- the learning rate ---


def test_a_schedule_is_asked_before_each_epoch_with_the_history_so_far():
    asked = []

    def schedule(epoch, history):
        asked.append((epoch, len(history.test_accuracy)))
        return 0.1 / (epoch + 1)

    history = quietly(net(), blobs(), blobs(), epochs=3, schedule=schedule)
    assert asked == [(0, 0), (1, 1), (2, 2)] and history.lr == [0.1, 0.05, 0.1 / 3]


def test_a_scheduler_of_torch_steps_after_each_epoch_and_brings_its_optimizer():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.08)
    history = quietly(
        model, blobs(), epochs=3, schedule=torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    )
    assert history.lr == [0.08, 0.04, 0.02]


def test_a_plateau_scheduler_sees_the_test_loss():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-12)  # the loss stays as it is
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, threshold=0.1, eps=0)
    history = quietly(model, blobs(), blobs(seed=1), epochs=3, optimizer=optimizer, schedule=plateau)
    assert history.lr == pytest.approx([1e-12, 1e-12, 1e-13], rel=1e-9, abs=0)
    assert plateau.best == pytest.approx(min(history.test_loss))


# --- going on from a checkpoint ---


def shaken(x):
    return x + 0.1 * torch.randn_like(x)


def run(model, epochs, path=None, augment=shaken):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 3, gamma=0.7)
    options = dict(optimizer=optimizer, schedule=schedule, augment=augment, checkpoint=path)
    return quietly(model, blobs(), blobs(seed=1), epochs=epochs, **options)


def same_numbers(one, two):
    names = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "lr", "images")
    return all(getattr(one, name) == getattr(two, name) for name in names)


def test_a_resumed_run_equals_the_undisturbed_one_bit_for_bit(tmp_path):
    whole, first, second = net(dropout=0.5), net(dropout=0.5), net(seed=9, dropout=0.5)
    undisturbed = run(whole, 4)
    run(first, 2, tmp_path / "run.pt")
    resumed = run(second, 4, tmp_path / "run.pt")
    assert equal(whole, second) and same_numbers(undisturbed, resumed)


def test_a_run_that_was_interrupted_within_an_epoch_equals_the_undisturbed_one_too(tmp_path):
    whole, broken = net(dropout=0.5), net(dropout=0.5)
    undisturbed, calls = run(whole, 3), []

    def tired(x):
        calls.append(1)
        if len(calls) == 6:  # within the second epoch of four batches
            raise KeyboardInterrupt
        return shaken(x)

    with pytest.raises(KeyboardInterrupt):
        run(broken, 3, tmp_path / "run.pt", tired)
    again = net(seed=5, dropout=0.5)
    assert same_numbers(undisturbed, run(again, 3, tmp_path / "run.pt")) and equal(whole, again)


def test_a_finished_run_is_read_and_not_trained_again(tmp_path):
    first, second = net(), net(seed=1)
    run(first, 2, tmp_path / "new" / "run.pt")
    history = run(second, 2, tmp_path / "new" / "run.pt", augment=lambda x: pytest.fail("trained again"))
    assert equal(first, second) and len(history.train_loss) == 2 and not second.training


def test_a_checkpoint_that_cannot_be_finished_leaves_the_old_one_whole(tmp_path, monkeypatch):
    path = tmp_path / "run.pt"
    run(net(), 1, path)
    before = path.read_bytes()

    def full(state, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError, match=r"run.pt cannot be written: No space left"):
        run(net(), 2, path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["run.pt"]


def test_a_broken_checkpoint_says_so(tmp_path):
    (tmp_path / "run.pt").write_bytes(b"no checkpoint")
    with pytest.raises(TrainingError, match=r"run.pt is not a checkpoint that fit\(\) wrote"):
        run(net(), 2, tmp_path / "run.pt")


def test_a_checkpoint_of_another_model_or_of_other_settings_says_so(tmp_path):
    quietly(net(), blobs(), epochs=1, checkpoint=tmp_path / "run.pt")
    other = nn.Sequential(nn.Flatten(), nn.Linear(32, 3))
    with pytest.raises(TrainingError, match=r"does not fit this Sequential"):
        quietly(other, blobs(), checkpoint=tmp_path / "run.pt")
    with pytest.raises(TrainingError, match=r"trained with batch_size=16, this call says 8"):
        quietly(net(), blobs(), checkpoint=tmp_path / "run.pt", batch_size=8)


# --- precision, layout, device ---


def test_bf16_computes_in_bf16_and_keeps_the_weights_in_fp32():
    model = Watch()
    history = quietly(model, blobs(), precision="bf16", epochs=6)
    assert {dtype for _, dtype, _, _ in model.seen} == {torch.bfloat16}
    assert {p.dtype for p in model.parameters()} == {torch.float32} and history.train_accuracy[-1] > 0.9


def test_on_a_processor_auto_means_fp32_and_the_usual_layout():
    model = Watch()
    quietly(model, blobs())
    assert {(dtype, last) for _, dtype, last, _ in model.seen} == {(torch.float32, False)}


def test_channels_last_reaches_the_model_and_changes_no_result():
    one, two = Watch(), Watch()
    histories = [quietly(model, blobs(), channels_last=last) for model, last in ((one, True), (two, False))]
    assert {last for _, _, last, _ in one.seen} == {True}
    assert histories[0].train_loss == pytest.approx(histories[1].train_loss, rel=1e-4)


def test_under_torchrun_each_process_gets_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert best_device() == torch.device("cuda", 0)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert best_device() == torch.device("cuda", 3)


# --- what is refused ---


def message(call, *args, **options):
    with pytest.raises(TrainingError) as caught:
        call(*args, **options)
    text = str(caught.value)
    assert "\n" not in text and caught.value._render_traceback_() == [f"TrainingError: {text}"]
    return text


X, Y = blobs(12)
STRANGER = torch.optim.SGD(net().parameters(), lr=0.1)

WRONG = [
    (dict(epochs=0), "epochs=0: it is a whole number of at least 1"),
    (dict(epochs=1.5), "epochs=1.5"),
    (dict(batch_size=0), "batch_size=0"),
    (dict(seed=-1), "seed=-1: it is a whole number of at least 0"),
    (dict(model=nn.Linear), "model is a type, not a torch.nn.Module"),
    (dict(train=X), "train is a pair (images, labels)"),
    (dict(train=(X, Y[:5])), "images (12, 2, 4, 4) and labels (5,) do not belong together"),
    (dict(train=(X[:0], Y[:0])), "train holds no images"),
    (
        dict(train=((X * 9).astype(np.uint8), Y)),
        "the images are uint8, but a net takes floats; divide them by 255",
    ),
    (dict(train=(X, Y.astype(float))), "the labels are float64, but a class is a whole number"),
    (dict(train=(X, Y - 1)), "there is a label -1, but classes are counted from 0"),
    (dict(train=(X, Y + 1)), "there is a label 3, but the model tells only 3 classes apart: 0 to 2"),
    (dict(test=(X, Y + 7)), "there is a label 9, but the model tells only 3 classes apart"),
    (
        dict(model=nn.Conv2d(2, 3, 3)),
        "the model gave (12, 3, 2, 2) for 12 images; it should give one row of logits",
    ),
    (dict(optimizer=STRANGER), "optimizer holds none of this model's parameters"),
    (dict(schedule=0.1), "schedule is a function of (epoch, history), or a scheduler"),
    (dict(schedule=lambda epoch, history: -1), "schedule(0, history) gave -1.0, which is no learning rate"),
    (dict(augment=lambda x: x[:3]), "augment gave (3, 2, 4, 4) for a batch (12, 2, 4, 4)"),
    (dict(augment=lambda x: None), "augment gave NoneType"),
    (dict(precision="fp16"), "precision='fp16' is not one of 'auto', 'fp32', 'bf16'"),
    (dict(device="gpu"), "device='gpu' is no device; use 'cuda', 'mps' or 'cpu', or leave it out"),
]


@pytest.mark.parametrize(("change", "words"), WRONG, ids=[words[:40] for _, words in WRONG])
def test_arguments_that_cannot_be_meant_are_refused_in_one_line(change, words):
    arguments = {"model": net(), "train": (X, Y), **change}
    assert words in message(quietly, arguments.pop("model"), arguments.pop("train"), **arguments)


def test_a_schedule_of_another_optimizer_is_refused():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(STRANGER, 1)
    assert "belongs to another optimizer" in message(
        quietly, model, blobs(), optimizer=optimizer, schedule=schedule
    )


@pytest.mark.parametrize("call", [quietly, evaluate])
def test_a_gpu_that_is_not_there_is_said_with_what_to_do(call, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    text = message(call, net(), blobs(), device="cuda")
    assert text.startswith("device='cuda': torch sees no CUDA GPU here. Leave device out to train on ")


def test_a_gpu_with_too_high_a_number_is_said_with_how_many_there_are(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert "there is 1 GPU here, counted from 0" in message(quietly, net(), blobs(), device="cuda:1")


def test_a_loss_that_is_no_number_ends_the_run_with_its_epoch_and_rate():
    model = net()
    wild = torch.optim.SGD(model.parameters(), lr=1e30)
    text = message(quietly, model, blobs(), optimizer=wild)
    assert "the loss became nan in epoch 1" in text and "(it was 1e+30)" in text


class Greedy(nn.Module):
    """Asks for more memory than there is, the more the larger the batch."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(32, 3)

    def forward(self, x):
        torch.empty(len(x), 2**50)
        return self.layer(x.flatten(1))


@pytest.mark.parametrize(
    ("batch_size", "suggestion"), [(32, "try batch_size=16"), (1, "a smaller net or image is needed")]
)
def test_a_full_memory_suggests_half_the_batch(batch_size, suggestion):
    text = message(quietly, Greedy(), blobs(), batch_size=batch_size)
    assert text == f"this computer ran out of memory with batch_size={batch_size}: {suggestion}"


def test_what_filled_the_memory_is_let_go_while_the_error_is_still_looked_at():
    kept = []

    class Hoarder(Greedy):
        def forward(self, x):
            half = torch.zeros(1000)
            kept.append(weakref.ref(half))
            return super().forward(x) + half.sum()

    for call in (lambda: quietly(Hoarder(), blobs()), lambda: throughput(Hoarder(), blobs()[0])):
        with pytest.raises(TrainingError) as caught:
            call()
        assert caught.value.__traceback__ and [ref() for ref in kept] == [None] * len(kept)
    assert len(kept) == 2


def test_throughput_and_evaluate_say_a_full_memory_too():
    assert "ran out of memory with batch_size=60: try batch_size=30" in message(
        throughput, Greedy(), blobs()[0]
    )
    assert "ran out of memory with batch_size=250: try batch_size=125" in message(evaluate, Greedy(), blobs())


def test_any_other_error_of_the_model_comes_through_as_it_is():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        quietly(nn.Sequential(nn.Flatten(), nn.Linear(5, 3)), blobs())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the compiler's own
def test_a_missing_compiler_says_to_leave_compile_out(monkeypatch):
    from torch._inductor import config

    monkeypatch.setattr(config.cpp, "cxx", ("no-such-compiler",))
    monkeypatch.setattr(config, "force_disable_caches", True)
    assert "torch.compile does not work here, leave compile out" in message(
        quietly, net(), blobs(), compile=True
    )


# --- evaluate and throughput ---


def test_evaluate_gives_the_mean_loss_and_the_accuracy_whatever_the_batch_size():
    model, (x, y) = net(dropout=0.5), blobs(11)
    model.eval()
    logits = model(torch.from_numpy(x))
    expected = cross_entropy(logits, torch.from_numpy(y)).item(), (logits.argmax(1).numpy() == y).mean()
    for batch_size in (1, 4, 100):
        assert evaluate(model, (x, y), batch_size=batch_size) == pytest.approx(expected)


@pytest.mark.parametrize("training", [True, False])
def test_evaluate_puts_the_mode_back_and_leaves_no_gradients(training):
    model = net().train(training)
    evaluate(model, blobs())
    assert model.training == training and all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("training", [True, False])
def test_throughput_changes_nothing_in_the_model(training):
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 3)).eval()
    before = copy.deepcopy(model)
    assert throughput(model, blobs()[0], training=training, device="cpu", seconds=0.01) > 0
    assert equal(model, before) and not model.training and all(p.grad is None for p in model.parameters())


def test_throughput_counts_the_images_of_the_steps_it_timed(monkeypatch):
    clock, steps = [0.0], []

    class Slow(nn.Linear):
        def forward(self, x):
            clock[0] += 0.5  # seconds a step, by the clock that throughput looks at
            steps.append(self.training)
            return super().forward(x)

    monkeypatch.setattr("course.speed.time.perf_counter", lambda: clock[0])
    found = throughput(Slow(4, 2), torch.randn(8, 4), training=False, device="cpu", seconds=10)
    assert found == pytest.approx(16) and set(steps) == {False} and len(steps) > 20


# --- what is shown ---


def test_where_nobody_watches_each_epoch_is_a_line(capsys):
    history = fit(net(), blobs(), epochs=2, device="cpu")
    said = capsys.readouterr()
    assert [line[:9] for line in said.out.splitlines()] == ["epoch 1/2", "epoch 2/2", "2 epochs "]
    assert said.out.splitlines()[-1] == repr(history) and said.err == ""


CELL = """
import torch
from course.training import fit
x = torch.randn(400, 4)
_ = fit(torch.nn.Linear(4, 2), (x, (x[:, 0] > 0).long()), epochs={epochs}, device="cpu")
"""


def test_in_a_notebook_one_line_is_left_of_a_run_and_one_of_an_error_without_widget_or_traceback():
    cells = [nbformat.v4.new_code_cell(CELL.format(epochs=epochs)) for epochs in (40, 0)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, kernel_name="python3", allow_errors=True).execute()
    (summary,), (error,) = (cell.outputs for cell in notebook.cells)
    assert summary.output_type == "display_data" and list(summary.data) == ["text/plain"]
    assert summary.data["text/plain"].startswith("40 epochs in ") and "\n" not in summary.data["text/plain"]
    assert error.output_type == "error" and error.ename == "TrainingError"
    assert error.traceback == ["TrainingError: epochs=0: it is a whole number of at least 1"]


def test_a_history_without_an_epoch_says_so():
    assert repr(History()) == "no epochs" and History().images_per_second == 0


def test_data_move_to_the_device_only_if_they_take_less_than_half_of_its_memory(monkeypatch):
    moved = []

    class Data:
        nbytes = 40

        def to(self, device):
            moved.append(device)
            return self

    data, gpu = (Data(), Data()), torch.device("cuda", 0)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (100, 200))
    assert devices.resident(data, gpu) == data and moved == []
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (161, 200))
    devices.resident(data, gpu)
    assert moved == [gpu, gpu]


# --- several processes ---

SCRIPT = """
import sys
import numpy as np, torch
from torch import nn
from course.training import fit

torch.manual_seed(int(sys.argv[3]))
rng = np.random.default_rng(0)
x, y = rng.normal(size=(41, 2, 4, 4)).astype(np.float32), np.arange(41) % 3
model = nn.Sequential(nn.Conv2d(2, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, 3))
history = fit(model, (x, y), (x[:7], y[:7]), epochs=int(sys.argv[2]), batch_size=8, checkpoint=sys.argv[1], device="cpu")
"""


@pytest.mark.slow
def test_two_processes_find_the_weights_of_one_with_the_same_whole_batch_and_go_on_from_a_checkpoint(
    tmp_path,
):
    """The 41 images leave a last batch of one, of which the second process has no share."""
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)

    def start(name, epochs, seed=0, processes=2):
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        command = [
            sys.executable,
            *(launcher if processes > 1 else []),
            script,
            tmp_path / name,
            str(epochs),
            str(seed),
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        assert done.returncode == 0, done.stderr[-3000:]
        state = torch.load(tmp_path / name, weights_only=True)
        return state["model"], state["history"], done.stdout

    alone, alone_history, _ = start("one.pt", 3, processes=1)
    start("two.pt", 1)
    both, history, said = start("two.pt", 3, seed=5)
    for name in alone:
        torch.testing.assert_close(both[name], alone[name], rtol=1e-4, atol=1e-6)
    for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "lr", "images"):
        assert history[name] == pytest.approx(alone_history[name], rel=1e-4)
    assert [line[:9] for line in said.splitlines()] == ["epoch 2/3", "epoch 3/3", "3 epochs "]
