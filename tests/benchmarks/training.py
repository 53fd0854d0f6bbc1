"""Training images a second of the course's ImageNet nets, against plain fp32 on the same card:

    python -m tests.benchmarks.training [--write] [--compile] [--batch-size N] [--seconds 5]

The nets are the solutions of units 09, 10 and 12. "Plain" is what torch does unasked: fp32, channels first, eager. "Ours" is
what fit() does unasked: bf16 autocast and channels last on a card that can; ``--compile`` adds torch.compile. Both take the
same step (forward, cross entropy, backward, SGD with momentum) on the same random batch, which is on the device already.

The share of the peak is the arithmetic of a step by torch's own counter (two operations a multiply-add), times steps a
second, over the card's bf16 peak: the published dense one where it is listed here, and the one that a large matrix product
reaches in the same run.
"""

import argparse
import time

import torch
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from course.training import TrainingError, best_device, throughput
from tests.benchmarks.training_results import record, section, table
from tests.hidden import solution

# name: exercise, arguments, the images' side, the batch
NETS = {
    "ResNet-50": ("ResNet", (50,), 224, 256),
    "VGG-16": ("VGG", (16,), 224, 128),
    "AlexNet": ("AlexNet", (), 227, 1024),
}

PUBLISHED = {
    "H200": 989,
    "H100 80GB HBM3": 989,
    "A100": 312,
}  # dense bf16, TFLOP/s, by a part of the card's name


def build(name):
    """Return a net, as the reference solution has it."""
    exercise, arguments, _, _ = NETS[name]
    return solution(exercise)(*arguments)


def step_operations(name):
    """Return the floating-point operations of a training step on one image; on meta tensors, so nothing is computed."""
    with torch.device("meta"):
        model, x = build(name), torch.empty(1, 3, NETS[name][2], NETS[name][2])
        with FlopCounterMode(display=False) as counter:
            cross_entropy(model(x), torch.zeros(1, dtype=torch.long)).backward()
    return counter.get_total_flops()


def matmul_peak(device, size=8192, seconds=1.0):
    """Return the operations a second of a square bf16 matrix product: the best of five blocks."""
    a = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None

    def block(count):
        wait()
        began = time.perf_counter()
        for _ in range(count):
            a @ a
        wait()
        return 2 * size**3 * count / (time.perf_counter() - began)

    block(1)
    count = max(1, int(block(2) * seconds / 5 / (2 * size**3)))
    return max(block(count) for _ in range(5))


def published_peak():
    """Return the card's published dense bf16 peak in operations a second, or None."""
    name = torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
    return next((1e12 * peak for part, peak in PUBLISHED.items() if part in name), None)


def measure(name, compiled=False, seconds=5.0, batch_size=None):
    """Return the images a second of one net: plain, ours, and ours compiled (or None)."""
    _, _, side, usual = NETS[name]
    x = torch.randn(batch_size or usual, 3, side, side, device=best_device())
    model = build(name)
    plain = throughput(model, x, precision="fp32", channels_last=False, seconds=seconds)
    ours = throughput(model, x, seconds=seconds)
    return plain, ours, throughput(model, x, compile=True, seconds=seconds) if compiled else None


def row(name, figures, peaks, batch_size=None):
    """Return a row of the table."""
    plain, ours, compiled = figures
    best = max(ours, compiled or 0)
    reached = best * step_operations(name)
    shares = [f"{reached / peak:.0%}" if peak else "not listed" for peak in peaks]
    speeds = [f"{plain:,.0f}", f"{ours:,.0f}", f"{compiled:,.0f}" if compiled else "not measured"]
    return [
        name,
        batch_size or NETS[name][3],
        *speeds,
        f"{best / plain:.2f}",
        f"{reached / 1e12:.0f}",
        *shares,
    ]


HEADER = [
    "net",
    "batch",
    "plain fp32",
    "ours",
    "ours, compiled",
    "best / plain",
    "TFLOP/s",
    "of published",
    "of matmul",
]


def main():
    """Measure all three and show the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the table into RESULTS.md")
    parser.add_argument("--compile", action="store_true", help="measure torch.compile too")
    parser.add_argument("--batch-size", type=int, help="one for all nets, for a smaller card")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each figure is measured")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        parser.exit(2, "There is no CUDA GPU here: these nets are measured on one.\n")
    peaks = published_peak(), matmul_peak(best_device())
    rows = []
    for name in NETS:
        try:
            figures = measure(name, options.compile, options.seconds, options.batch_size)
        except TrainingError as error:
            parser.exit(2, f"{name}: {error}\n")
        rows.append(row(name, figures, peaks, options.batch_size))
        print(rows[-1], flush=True)
    note = (
        f"Images a second in training, each the median of 5 blocks of steps within {options.seconds:g} s after 4 uncounted "
        f"steps. A bf16 product of two 8192 x 8192 matrices reached {peaks[1] / 1e12:.0f} TFLOP/s (best of 5)."
    )
    text = section("Training images a second", note + "\n\n" + table(HEADER, rows))
    print(text)
    if options.write:
        record(text)


if __name__ == "__main__":
    main()
