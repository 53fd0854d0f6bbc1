"""Slips that end in one of PyTorch's exceptions, or beside the answer: each is told from the others, by its message where need be."""

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


SLIPS = [  # the exercise, what becomes of our answer, the idea that must be named
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
    ("vgg_block", {NORM + RELU: RELU + NORM}, "norm-behind-the-relu"),
    ("vgg_block", {"out_channels if i else in_channels": "in_channels"}, "always-from-in-channels"),
    ("vgg_block", {", padding=1": ""}, "does-not-pad"),
    ("VGG", {"num_classes))": "num_classes), nn.Softmax(dim=1))"}, "softmax-on-the-scores"),
    ("VGG", {", nn.Flatten()": ""}, "forgets-to-flatten"),
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
