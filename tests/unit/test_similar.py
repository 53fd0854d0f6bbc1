"""Similar answers: the same structure under other names is found, what follows from the exercise is not."""

import ast
from pathlib import Path

import nbformat
import pytest

from autograder import build
from autograder.rebuild import is_solution, label
from autograder.similar import pairs_of, runs, similar

ROOT = Path(__file__).resolve().parents[2]
STUB = "def pool(x, size):\n    # Your code here.\n    raise NotImplementedError"
LOOPS = '''
def pool(x, size):
    """Return the largest of each window."""
    n, c, h, w = x.shape
    out = np.zeros((n, c, h // size, w // size))
    for i in range(h // size):
        for j in range(w // size):
            window = x[:, :, i * size:(i + 1) * size, j * size:(j + 1) * size]
            out[:, :, i, j] = window.max(axis=(2, 3))
    return out
'''
DISGUISED = """
def pool(pictures, k: int):
    # I wrote this on my own
    batch, colours, height, width = pictures.shape
    result = np.zeros((batch, colours, height // k, width // k))
    for row in range(height // k):
        for column in range(width // k):
            patch = pictures[:, :, row * k:(row + 1) * k, column * k:(column + 1) * k]
            result[:, :, row, column] = patch.max(axis=(2, 3))
    print("done")
    return result
"""
OTHER = """
def pool(x, size):
    n, c, h, w = x.shape
    x = x[:, :, : h - h % size, : w - w % size]
    return x.reshape(n, c, h // size, size, w // size, size).max(axis=5).max(axis=3)
"""


def test_the_same_structure_under_other_names_is_found_with_its_share():
    (pair,) = pairs_of("pool", {"ada": LOOPS, "bob": DISGUISED, "cyd": OTHER}, STUB)
    assert pair.students == ("ada", "bob")
    assert 0.8 < pair.share < 1  # bob also prints


def test_what_much_of_the_class_wrote_says_nothing_about_any_two():
    assert pairs_of("pool", {f"s{i}": LOOPS for i in range(10)}, STUB) == []
    few = {"ada": LOOPS, "bob": LOOPS} | {f"s{i}": OTHER for i in range(10)}
    assert [pair.students for pair in pairs_of("pool", few, STUB)] == [("ada", "bob")]


def test_the_code_that_was_given_does_not_count():
    assert pairs_of("pool", {"ada": LOOPS, "bob": LOOPS}, LOOPS) == []


def test_what_is_too_short_to_mean_anything_does_not_count():
    short = "def relu(x):\n    return np.maximum(x, 0)"
    assert pairs_of("relu", {"ada": short, "bob": short}, STUB) == []


@pytest.mark.parametrize(
    "text", ["def f(:", "\0", "-" * 40_000 + "1", "a" + ".b" * 20_000, "x = 1\n" * 20_000]
)
def test_what_is_no_reasonable_python_is_like_nothing(text):
    assert len(runs(text)) < 25


def test_right_answers_that_people_found_on_their_own_are_hardly_ever_alike():
    """The variants of tests/fairness are all the ways to write an exercise that its authors could think of."""
    pairs = found = 0
    for source in build.find_units(ROOT):
        for cell in filter(is_solution, build.template(source).cells):
            texts = {what: text for (name, what), text in variant_texts().items() if name == label(cell)}
            pairs += len(texts) * (len(texts) - 1) // 2
            found += len(pairs_of(label(cell), texts, cell.source))
    assert pairs > 200
    assert found <= 0.01 * pairs


def variant_texts():
    """Return the text of each variant."""
    texts = {}
    for path in sorted((ROOT / "tests" / "fairness").glob("variants_??.py")):
        for node in ast.parse(path.read_text()).body:
            marks = [mark for mark in getattr(node, "decorator_list", []) if isinstance(mark, ast.Call)]
            if marks and ast.unparse(marks[0].func) == "variant":
                name, what = (argument.value for argument in marks[0].args[:2])
                node.decorator_list = []
                texts[name, what] = ast.unparse(node)
    return texts


def test_the_answers_are_read_from_the_graded_notebooks(tmp_path):
    unit = "01-convolution"
    source = tmp_path / "source" / unit / f"{unit}.py"
    source.parent.mkdir(parents=True)
    source.write_text((ROOT / "source" / unit / f"{unit}.py").read_text())
    notebook = build.solved(source)
    for student in ("ada", "bob"):
        path = tmp_path / "autograded" / student / unit / f"{unit}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
    path = tmp_path / "autograded" / "cyd" / unit / f"{unit}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text("{ no notebook")
    pairs = similar(tmp_path, unit)
    assert {pair.students for pair in pairs} == {("ada", "bob")}
    assert pairs[0].exercise == "conv2d" and pairs[0].share == 1
    assert [pair.runs for pair in pairs] == sorted((pair.runs for pair in pairs), reverse=True)
