"""Make the case files that Python and Node both read: settings drawn at random, answers by torch in float64.

python tests/js/make_cases.py            # write tests/js/*_cases.json
python tests/js/make_cases.py --check    # exit 1 where a file differs from what torch says now
"""

from __future__ import annotations

import itertools
import json
import random
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

from course.explorers import ConvExplorer
from course.explorers.conv_explorer import mixed
from tests.js.architecture_cases import cases as architecture_cases

HERE = Path(__file__).parent


def rounded(tensor: torch.Tensor) -> list:
    """Return the numbers in nested lists, rounded to nine places so that the file stays small."""
    return [round(v, 9) + 0.0 for v in tensor.flatten().tolist()]


def draw_settings(rng: random.Random) -> dict:
    """Draw settings that mostly work, now and then do not."""
    transposed = rng.random() < 0.3
    pair = lambda low, high: [rng.randint(low, high), rng.randint(low, high)]  # noqa: E731
    settings = {
        "size": pair(1, 9),
        "kernel_size": pair(1, 4),
        "stride": pair(1, 4),
        "padding": [rng.choice([0, 0, 1, 1, 2, 3]) for _ in range(4)],
        "padding_mode": "zeros"
        if transposed
        else rng.choice(["zeros", "zeros", "reflect", "replicate", "circular"]),
        "dilation": pair(1, 3) if rng.random() < 0.4 else [1, 1],
        "in_channels": rng.randint(1, 3),
        "out_channels": rng.randint(1, 3),
        "transposed": transposed,
        "output_padding": pair(0, 1) if transposed and rng.random() < 0.5 else [0, 0],
    }
    if rng.random() < 0.5:
        number = lambda *_: round(rng.uniform(-5, 5), 2)  # noqa: E731
        ends = [settings["out_channels"], settings["in_channels"]][:: -1 if transposed else 1]
        settings["x"] = [[[number() for _ in range(settings["size"][1])] for _ in range(settings["size"][0])]
                         for _ in range(settings["in_channels"])]  # fmt: skip
        settings["w"] = [[[[number() for _ in range(settings["kernel_size"][1])] for _ in range(settings["kernel_size"][0])]
                          for _ in range(ends[1])] for _ in range(ends[0])]  # fmt: skip
        settings["b"] = [number() for _ in range(settings["out_channels"])]
    return settings


def by_torch(settings: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the output and the gradient of its sum with respect to the input."""
    x, w, b = (torch.tensor(part) for part in ConvExplorer(**settings).numbers())
    x.requires_grad_()
    top, bottom, left, right = settings["padding"]
    steps = {"stride": settings["stride"], "dilation": settings["dilation"]}
    if settings["transposed"]:
        out = F.conv_transpose2d(x, w, b, output_padding=settings["output_padding"], **steps)
        out = out[:, :, top : out.shape[2] - bottom, left : out.shape[3] - right]
        if not out.numel():
            raise RuntimeError("nothing is left")
    else:
        mode = {"zeros": "constant"}.get(settings["padding_mode"], settings["padding_mode"])
        out = F.conv2d(F.pad(x, (left, right, top, bottom), mode=mode), w, b, **steps)
    out.sum().backward()
    return out.detach(), x.grad


def conv_cases(count: int = 320, seed: int = 6) -> list[dict]:
    """Return ``count`` convolutions; ``out`` is None where torch raises."""
    rng, cases = random.Random(seed), []
    for _ in range(count):
        settings = draw_settings(rng)
        try:
            out, grad = by_torch(settings)
        except (RuntimeError, ValueError):
            cases.append({"settings": settings, "out": None})
            continue
        cases.append(
            {"settings": settings, "shape": list(out.shape), "out": rounded(out), "grad": rounded(grad)}
        )
    return cases


def kernel_cases(count: int = 220, seed: int = 7) -> list[dict]:
    """Return ``count`` small pictures through a kernel, their size kept; ``out`` is None where torch cannot mirror."""
    rng, cases = random.Random(seed), []
    for _ in range(count):
        height, width, kh, kw = rng.randint(1, 8), rng.randint(1, 8), rng.randint(1, 5), rng.randint(1, 5)
        settings = {
            "image": [[rng.randint(0, 255) for _ in range(width)] for _ in range(height)],
            "kernel": [[rng.randint(-4, 4) for _ in range(kw)] for _ in range(kh)],
            "divisor": rng.choice([1, 2, 9, 0.5]),
            "border": rng.choice(["zeros", "reflect", "replicate", "circular"]),
            "flip": rng.random() < 0.5,
        }
        image, kernel = (
            torch.tensor(settings[k], dtype=torch.float64)[None, None] for k in ("image", "kernel")
        )
        kernel = kernel.flip(2, 3) if settings["flip"] else kernel
        top, left = (kh - 1) // 2, (kw - 1) // 2
        sides = (left, kw - 1 - left, top, kh - 1 - top)
        mode = {"zeros": "constant"}.get(settings["border"], settings["border"])
        try:
            out = F.conv2d(F.pad(image, sides, mode=mode), kernel / settings["divisor"])
        except (RuntimeError, ValueError):
            cases.append({"settings": settings, "out": None})
            continue
        cases.append({"settings": settings, "out": rounded(out)})
    return cases


def pool_cases(count: int = 290, seed: int = 8) -> list[dict]:
    """Return ``count`` poolings with the gradient of their sum; ``out`` is None where the window does not fit."""
    rng, cases = random.Random(seed), []
    for _ in range(count):
        height, width = rng.randint(2, 9), rng.randint(2, 9)
        number = rng.choice(
            [lambda: rng.randint(1, 9), lambda: rng.randint(-2, 2), lambda: round(rng.uniform(-3, 3), 2)]
        )
        settings = {
            "kind": rng.choice(["max", "average", "l2"]),
            "size": [height, width],
            "kernel_size": [rng.randint(1, 4), rng.randint(1, 4)],
            "stride": [rng.randint(1, 3), rng.randint(1, 3)],
            "shift": [rng.randint(-2, 2), rng.randint(-2, 2)],
            "x": [[number() for _ in range(width)] for _ in range(height)],
        }
        x = (
            torch.tensor(settings["x"], dtype=torch.float64)[None, None]
            .roll(settings["shift"], (2, 3))
            .requires_grad_()
        )
        steps = (settings["kernel_size"], settings["stride"])
        try:
            if settings["kind"] == "l2":
                out = F.lp_pool2d(x, 2, *steps)
            else:
                out = {"max": F.max_pool2d, "average": F.avg_pool2d}[settings["kind"]](x, *steps)
        except RuntimeError:
            cases.append({"settings": settings, "out": None})
            continue
        out.sum().backward()
        # torch has nan where all squares of a window are zero; here such a gradient is 0
        grad = None if x.grad.isnan().any() else rounded(x.grad)
        cases.append({"settings": settings, "shape": list(out.shape[2:]), "out": rounded(out), "grad": grad})
    return cases


def field_cases(count: int = 260, seed: int = 9) -> list[dict]:
    """Return ``count`` stacks of averaging layers with the gradient of one output; ``grad`` is None where one does not fit."""
    rng, cases = random.Random(seed), []
    for _ in range(count):
        layers = [
            [
                rng.choice(["conv", "pool"]),
                rng.randint(1, 5),
                rng.randint(1, 3),
                rng.randint(0, 2),
                rng.choice([1, 1, 2]),
            ]
            for _ in range(rng.randint(1, 4))
        ]
        settings = {"layers": layers, "size": rng.randint(6, 24)}
        x = torch.zeros(1, 1, settings["size"], settings["size"], dtype=torch.float64, requires_grad=True)
        out = x
        try:
            for _, kernel, stride, padding, dilation in layers:
                w = torch.full((1, 1, kernel, kernel), 1 / kernel**2, dtype=torch.float64)
                out = F.conv2d(out, w, None, stride, padding, dilation)
        except RuntimeError:
            cases.append({"settings": settings, "grad": None})
            continue
        place = [rng.randrange(out.shape[2]), rng.randrange(out.shape[3])]
        out[0, 0, place[0], place[1]].backward()
        rows = x.grad[0, 0].sum(1), x.grad[0, 0].sum(0)  # separable: enough to check
        cases.append(
            {
                "settings": settings,
                "size": out.shape[2],
                "place": place,
                "grad": [rounded(one) for one in rows],
            }
        )
    return cases


def surface(name: str, w: torch.Tensor) -> torch.Tensor:
    """Return the height of a surface of OptimizerPlane."""
    x, y = w
    return {
        "ravine": (x**2 + 25 * y**2) / 2,
        "noisy": (x**2 + 25 * y**2) / 2,
        "bowl": (x**2 + y**2) / 2,
        "saddle": (x**2 - y**2) / 2 + 0.05 * y**4,
    }[name]


def optimizer_of(method: str, w: torch.Tensor, rate: float, beta: float) -> torch.optim.Optimizer:
    """Return torch's optimizer for a method; averaged momentum is torch's with a smaller rate."""
    if method == "adam":
        return torch.optim.Adam([w], lr=rate, betas=(beta, 0.999))
    rate = rate * (1 - beta) if method == "average" else rate
    nesterov = method == "nesterov" and beta > 0
    return torch.optim.SGD([w], lr=rate, momentum=0 if method == "descent" else beta, nesterov=nesterov)


def optimizer_cases(count: int = 220, seed: int = 10) -> list[dict]:
    """Return ``count`` walks of a few steps by torch.optim, each place of the last three steps."""
    rng, cases = random.Random(seed), []
    for _ in range(count):
        settings = {
            "surface": rng.choice(["ravine", "bowl", "saddle", "noisy"]),
            "method": rng.choice(["descent", "momentum", "average", "nesterov", "adam"]),
            "start": [round(rng.uniform(-4, 4), 2), round(rng.uniform(-4, 4), 2)],
            "rate": rng.choice([0.001, 0.01, 0.03, 0.05, 0.08]),
            "beta": rng.choice([0.0, 0.5, 0.9, 0.99]),
            "steps": rng.randint(1, 30),
        }
        w = torch.tensor(settings["start"], dtype=torch.float64, requires_grad=True)
        optimizer, path = optimizer_of(settings["method"], w, settings["rate"], settings["beta"]), []
        for step in range(1, settings["steps"] + 1):
            optimizer.zero_grad()
            surface(settings["surface"], w).backward()
            if settings["surface"] == "noisy":
                w.grad += 6 * torch.tensor(
                    [(mixed(step, n, 0) % 2001) / 1000 - 1 for n in range(2)], dtype=torch.float64
                )
            optimizer.step()
            path.extend(w.tolist())
        cases.append({"settings": settings, "path": [float(f"{v:.12g}") for v in path[-6:]]})
    return cases


def dropped_net(settings: dict, masks: torch.Tensor | None) -> torch.Tensor:
    """Return the output of DropoutLab's net, its masks given, None for evaluation."""
    units, keep = settings["units"], 1 - settings["p"]
    h = torch.tensor(settings["x"], dtype=torch.float64)
    for layer, (outs, ins) in enumerate([(units, 3), (units, units), (1, units)]):
        quarters = [[((mixed(layer + 1, o, i) % 9) - 4) / 4 for i in [*range(ins), 50]] for o in range(outs)]
        table = torch.tensor(quarters, dtype=torch.float64)
        h = table[:, :-1] @ h + table[:, -1]
        if layer == 2:
            return h[0]
        h = torch.relu(h) if settings["activation"] == "relu" else h
        if masks is not None:
            h = h * masks[layer] / (keep if settings["inverted"] else 1)
        elif not settings["inverted"]:
            h = h * keep
    raise AssertionError("a net has three layers")


def dropout_cases(count: int = 220, seed: int = 11) -> list[dict]:
    """Return ``count`` nets: one mask's output, the whole net's, and the exact mean over all masks."""
    rng, cases = random.Random(seed), []
    for _ in range(count):
        settings = {
            "p": rng.choice([0.1, 0.25, 0.5, 0.8]),
            "inverted": rng.random() < 0.5,
            "activation": rng.choice(["relu", "linear"]),
            "units": rng.choice([1, 2, 2, 3]),
            "x": [round(rng.uniform(-3, 3), 1) for _ in range(3)],
        }
        units = settings["units"]
        masks = [[rng.randint(0, 1) for _ in range(units)] for _ in range(2)]
        mean = torch.zeros((), dtype=torch.float64)
        for n in range(4**units):
            bits = torch.tensor([n >> k & 1 for k in range(2 * units)], dtype=torch.float64)
            odds = (bits * (1 - settings["p"]) + (1 - bits) * settings["p"]).prod()
            mean += odds * dropped_net(settings, bits.reshape(2, units))
        given = dropped_net(settings, torch.tensor(masks, dtype=torch.float64))
        numbers = {"out": given, "whole": dropped_net(settings, None), "mean": mean}
        cases.append(
            {"settings": settings, "masks": masks, **{k: round(v.item(), 9) for k, v in numbers.items()}}
        )
    return cases


def batch_of(t: int, s: dict) -> torch.Tensor:
    """Return batch number t of NormLab: (batch, channels, places)."""
    shape = (s["batch"], s["channels"], s["places"])
    x = torch.empty(shape, dtype=torch.float64)
    for n, c, p in itertools.product(*map(range, shape)):
        total = sum(mixed(t, n * 100 + c, p * 4 + m) % 1001 for m in range(4))
        x[n, c, p] = c - 1 + (2 + c) * (total - 2000) / 1200
    x[0, 0, 0] += s["outlier"]
    return x


def by_torch_norm(x: torch.Tensor, s: dict, mean: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
    """Return ``x`` normalised; batch normalisation in training changes ``mean`` and ``variance``."""
    gamma, beta = (torch.full((s["channels"],), s[k], dtype=torch.float64) for k in ("gamma", "beta"))
    if s["kind"] == "batch":
        return F.batch_norm(x, mean, variance, gamma, beta, s["training"], s["momentum"], s["eps"])
    if s["kind"] == "instance":
        return F.instance_norm(x, weight=gamma, bias=beta, eps=s["eps"])
    if s["kind"] == "group":
        return F.group_norm(x, s["groups"], gamma, beta, s["eps"])
    full = [v[:, None].expand(x.shape[1:]).contiguous() for v in (gamma, beta)]
    return F.layer_norm(x, x.shape[1:], *full, s["eps"])


def norm_cases(count: int = 240, seed: int = 12) -> list[dict]:
    """Return ``count`` normalised batches after some training batches; ``out`` is None where torch raises."""
    rng, cases = random.Random(seed), []
    for _ in range(count):
        s = {
            "kind": rng.choice(["batch", "batch", "layer", "instance", "group"]),
            "batch": rng.randint(1, 4),
            "channels": rng.randint(1, 4),
            "places": rng.randint(1, 4),
            "groups": rng.choice([1, 2]),
            "gamma": rng.choice([1.0, 0.5, -2.0]),
            "beta": rng.choice([0.0, 1.5]),
            "eps": rng.choice([1e-5, 0.1]),
            "momentum": rng.choice([0.1, 0.9]),
            "training": rng.random() < 0.6,
            "outlier": rng.choice([0.0, 25.0]),
        }
        seen, zero = rng.randint(0, 3), torch.zeros(s["channels"], dtype=torch.float64)
        mean, variance = zero.clone(), zero + 1
        try:
            for t in range(seen):
                by_torch_norm(batch_of(t, s), s | {"kind": "batch", "training": True}, mean, variance)
            out = by_torch_norm(batch_of(seen, s), s, mean.clone(), variance.clone())
        except (ValueError, RuntimeError):
            cases.append({"settings": s, "seen": seen, "out": None})
            continue
        cases.append(
            {
                "settings": s,
                "seen": seen,
                "out": rounded(out),
                "mean": rounded(mean),
                "variance": rounded(variance),
            }
        )
    return cases


MAKERS = {
    "architecture": architecture_cases,
    "norm": norm_cases,
    "dropout": dropout_cases,
    "optimizer": optimizer_cases,
    "conv": conv_cases,
    "kernel": kernel_cases,
    "pool": pool_cases,
    "field": field_cases,
}


def main() -> int:
    """Write the files, or with --check compare them."""
    stale = []
    for name, make in MAKERS.items():
        path, text = HERE / f"{name}_cases.json", json.dumps(make(), separators=(",", ":")) + "\n"
        if "--check" not in sys.argv:
            path.write_text(text, "utf-8")
        elif path.read_text("utf-8") != text:
            stale.append(path.name)
    print("stale:" if stale else "done", *stale)
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
