"""The Python side of the explorers, and Node's tests of their maths."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import traitlets

import course.explorers
from course.explorers import ConvExplorer
from course.explorers.base import HERE, joined
from tests.js.make_cases import MAKERS

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "tests/js"
ALL = course.explorers.__all__


def node(*arguments, **options):
    if not shutil.which("node"):
        pytest.skip("node is missing: install Node.js 20 or newer")
    return subprocess.run(["node", *arguments], capture_output=True, text=True, cwd=ROOT, **options)


def test_node_finds_the_maths_right():
    ran = node("--test", "tests/js/")
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]


@pytest.mark.parametrize("name", MAKERS)
def test_the_case_file_is_what_torch_says(name):
    cases = json.loads((CASES / f"{name}_cases.json").read_text("utf-8"))
    made = json.loads(json.dumps(MAKERS[name]()))
    assert len(cases) >= 200
    for case, now in zip(cases, made, strict=True):
        assert case["settings"] == now["settings"]
        for key in set(now) - {"settings"}:
            assert (case[key] is None) == (now[key] is None)
            if now[key] is not None:
                np.testing.assert_allclose(case[key], now[key], rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", ALL)
def test_the_joined_module_parses_and_imports_nothing(name, tmp_path):
    source = getattr(course.explorers, name)._esm
    assert not re.search(r"^import ", source, re.MULTILINE)
    (tmp_path / "joined.mjs").write_text(source)
    ran = node("--check", str(tmp_path / "joined.mjs"))
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("path", sorted(HERE.glob("*.js")), ids=lambda path: path.name)
def test_a_module_of_javascript_stays_under_250_lines(path):
    assert len(path.read_text("utf-8").splitlines()) <= 250


def test_joining_puts_what_is_needed_first_and_once():
    source = joined("conv_explorer")
    assert source.count("class Grid") == 1
    assert (
        source.index("function forward")
        < source.index("class Convolution")
        < source.index("class ConvExplorer")
    )


@pytest.mark.parametrize("name", ALL)
def test_it_is_loaded_when_asked_for_and_needs_no_torch(name):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import course.explorers; assert 'anywidget' not in sys.modules\n"
        f"from course.explorers import {name}; print({name}())"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert ran.stdout.strip() == f"{name}()", ran.stderr


@pytest.mark.parametrize("name", ALL)
def test_an_unknown_setting_is_named_with_the_known_ones(name):
    with pytest.raises(TypeError, match=f"{name} has no 'strid'; it has "):
        getattr(course.explorers, name)(strid=2)


@pytest.mark.parametrize("name", ALL)
def test_a_notebook_keeps_a_page_beside_the_live_widget(name):
    data, _ = getattr(course.explorers, name)()._repr_mimebundle_()
    assert data["text/plain"] == f"{name}()"
    assert "application/vnd.jupyter.widget-view+json" in data
    assert not re.search(r"(src|href)=|https?://", data["text/html"])


def test_the_repr_is_the_call_and_nothing_is_named_that_was_not_changed():
    for settings in [case["settings"] for case in json.loads((CASES / "conv_cases.json").read_text("utf-8"))]:
        explorer = ConvExplorer(**settings)
        again = eval(repr(explorer))
        assert {k: getattr(again, k) for k in settings} == {k: getattr(explorer, k) for k in settings}
    assert repr(ConvExplorer(stride=(2, 2), padding=(1, 1, 3, 3))) == "ConvExplorer(stride=2, padding=(1, 3))"


def test_sizes_and_channels_follow_the_numbers_given():
    explorer = ConvExplorer(x=np.ones((2, 4, 5)), w=np.ones((3, 2, 1, 2)), b=[1, 2, 3])
    assert (explorer.size, explorer.kernel_size) == ([4, 5], [1, 2])
    assert (explorer.in_channels, explorer.out_channels) == (2, 3)


@pytest.mark.parametrize(
    "bad", [{"stride": "2"}, {"stride": (1, 2, 3)}, {"padding": 1.5}, {"x": [1, 2]}, {"padding_mode": "odd"}]
)
def test_a_setting_of_the_wrong_type_is_refused(bad):
    with pytest.raises(traitlets.TraitError):
        ConvExplorer(**bad)


def test_changing_a_setting_in_python_changes_the_repr():
    explorer = ConvExplorer()
    explorer.stride = 3
    assert repr(explorer) == "ConvExplorer(stride=3)"


def conv2d(x, w, b, stride=1, padding=0):
    arrays = [torch.tensor(part) for part in (x, w, b)]
    return torch.nn.functional.conv2d(*arrays, stride=stride, padding=padding).numpy()


@pytest.mark.parametrize(
    "settings",
    [
        dict(stride=2, padding=1),
        dict(padding=(0, 1, 2, 0)),
        dict(padding=2, padding_mode="reflect"),
        dict(padding=1, padding_mode="circular", dilation=(1, 2)),
        dict(in_channels=3, out_channels=2),
    ],
)
def test_a_function_is_asked_something_that_means_the_same(settings):
    explorer = ConvExplorer(conv2d, **settings)
    x, w, b = (torch.tensor(part) for part in explorer.numbers())
    top, bottom, left, right = explorer.padding
    mode = {"zeros": "constant"}.get(explorer.padding_mode, explorer.padding_mode)
    padded = torch.nn.functional.pad(x, (left, right, top, bottom), mode=mode)
    right_map = torch.nn.functional.conv2d(padded, w, b, explorer.stride, dilation=explorer.dilation)
    assert explorer._yours["shape"] == list(right_map.shape)
    np.testing.assert_allclose(explorer._yours["values"], right_map.flatten())
    assert repr(explorer).startswith("ConvExplorer(conv2d, ")


def test_what_a_function_cannot_be_asked_is_said():
    assert "one stride" in ConvExplorer(conv2d, stride=(1, 2))._yours["why"]
    assert "untick" in ConvExplorer(conv2d, transposed=True)._yours["why"]


def test_an_odd_answer_becomes_plain_data():
    def odd(x, w, b, stride=1, padding=0):
        return np.array([np.nan, np.inf, -np.inf])

    assert ConvExplorer(odd)._yours["values"] == ["NaN", "Infinity", "-Infinity"]

    def nothing(x, w, b, stride=1, padding=0):
        return None

    assert ConvExplorer(nothing)._yours["error"].startswith("returned None")

    def ragged(x, w, b, stride=1, padding=0):
        return [[1, 2], [3]]

    assert ConvExplorer(ragged)._yours["error"].startswith("returned lists of different lengths")

    def yields(x, w, b, stride=1, padding=0):
        yield 1

    assert ConvExplorer(yields)._yours["error"].startswith("returned a generator")

    def fails(x, w, b, stride=1, padding=0):
        raise KeyError("w")

    assert ConvExplorer(fails)._yours["error"].startswith("raised KeyError")


@pytest.mark.parametrize(
    "settings",
    [
        dict(size=20000),
        dict(in_channels=10**9),
        dict(dilation=100000),
        dict(padding=10**6, stride=10**6),
        dict(stride=0),
    ],
)
def test_a_function_is_not_asked_what_cannot_be_drawn(settings):
    asked = []
    explorer = ConvExplorer(lambda *arrays, **options: asked.append(arrays), **settings)
    assert "no output" in explorer._yours["why"] and not asked
    assert repr(explorer).startswith("ConvExplorer(") and "lambda" not in repr(explorer)


def test_numbers_are_taken_from_numpy_and_ragged_rows_refused():
    assert ConvExplorer(size=np.int64(5), stride=np.array([1, 2])).size == [5, 5]
    for ragged in ([[[1, 2], [3]]], [["a"]], []):
        with pytest.raises(traitlets.TraitError, match="x needs"):
            ConvExplorer(x=ragged)


def test_the_question_of_the_browser_is_answered_with_its_name():
    explorer = ConvExplorer(conv2d)
    explorer.stride = 2
    explorer._ask = "the question"
    assert explorer._yours["ask"] == "the question"
    assert explorer._yours["shape"] == [1, 1, 3, 3]
