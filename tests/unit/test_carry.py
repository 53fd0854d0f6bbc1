"""What of a student's earlier notebooks is carried into a later one, and why the rest is not."""

from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course import carry as carry_module
from course import layers
from course.carry import SLOTS, carry, plugged

UNIT = "03-pooling-and-activations"
GOOD = "def relu(x):\n    return np.maximum(x, floor)"


@pytest.fixture
def folder(tmp_path):
    yield tmp_path
    for slot in SLOTS.values():
        slot.own = None


def write(folder, *cells):
    (folder / UNIT).mkdir()
    notebook = new_notebook(cells=[new_markdown_cell("a title"), *map(new_code_cell, cells)])
    nbformat.write(notebook, folder / UNIT / f"{UNIT}.ipynb")


def test_a_function_comes_with_what_it_needs_and_nothing_else(folder):
    write(folder, "import numpy as np\n%time", "floor = 0", "x = 1 / 0", GOOD, "raise SystemExit")
    assert carry("relu", folder=folder).reasons == {"relu": None}
    assert carry_module.relu(np.array([-1.0, 2.0])).tolist() == [0.0, 2.0]
    assert repr(carry_module.relu) == "relu (yours)"


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["import numpy as np"], "its notebook does not define it"),
        (["def relu(x):\n    raise NotImplementedError"], "not written yet"),
        (["def relu(x):\n    return x"], "its check gives"),
        (["@decorate\ndef relu(x):\n    return x"], "its code raised NameError"),
        (["def relu(x)\n    return x"], "its notebook does not define it"),
    ],
    ids=["missing", "unwritten", "wrong", "raises", "syntax error"],
)
def test_what_cannot_be_carried_is_replaced_and_the_table_says_why(folder, cells, reason):
    write(folder, *cells)
    luggage = carry("relu", folder=folder)
    assert luggage.reasons["relu"].startswith(reason)
    assert f"stand-in: {reason}" in repr(luggage)
    assert f"stand-in: {reason}" in luggage._repr_html_()
    assert carry_module.relu(np.array([-1.0, 2.0])).tolist() == [0.0, 2.0]


def test_without_a_notebook_and_with_a_broken_one_the_stand_ins_stay(folder):
    assert set(carry(folder=folder).reasons.values()) == {"there is no such notebook beside this one"}
    (folder / UNIT).mkdir()
    (folder / UNIT / f"{UNIT}.ipynb").write_text("no json", encoding="utf-8")
    assert carry("relu", folder=folder).reasons["relu"] == "its notebook cannot be read"


def test_an_error_mended_and_carried_again_is_used(folder):
    write(folder, "def relu(x):\n    return x")
    assert carry("relu", folder=folder).reasons["relu"]
    notebook = new_notebook(cells=[new_code_cell("def relu(x):\n    return x * (x > 0)")])
    nbformat.write(notebook, folder / UNIT / f"{UNIT}.ipynb")
    assert carry("relu", folder=folder).reasons["relu"] is None


def test_plugged_functions_go_before_all_others():
    with plugged({"relu": lambda x: "plugged"}):
        assert carry_module.relu(1) == "plugged"


def test_an_unknown_name_is_named():
    with pytest.raises(AttributeError, match="no function 'rleu'"):
        carry_module.rleu  # noqa: B018


NET = Path(__file__).parents[2] / "solutions" / "07-lenet-in-numpy" / "07-lenet-in-numpy.ipynb"


def put_net(folder, change=("", "")):
    """Put unit 07's solved notebook, changed in one place, into a course folder."""
    (folder / "07-lenet-in-numpy").mkdir()
    notebook = nbformat.read(NET, 4)
    for cell in notebook.cells:
        cell.source = cell.source.replace(*change)
    nbformat.write(notebook, folder / "07-lenet-in-numpy" / "07-lenet-in-numpy.ipynb")


def test_a_net_of_unit_07_comes_with_its_classes_and_computes_what_its_stand_in_does(folder):
    put_net(folder)
    luggage = carry("LeNet5", folder=folder)
    assert luggage.reasons["LeNet5"] is None
    assert list(luggage.reasons) == list(SLOTS)  # the functions that its layers call come along
    net, stand_in = carry_module.LeNet5(np.random.default_rng(0)), layers.LeNet5(np.random.default_rng(0))
    x, grad_out = np.random.default_rng(1).normal(size=(2, 1, 32, 32)), np.ones((2, 10))
    assert [p.shape for p in net.params] == [p.shape for p in stand_in.params]
    stand_in.params = net.params
    assert np.allclose(net.forward(x), stand_in.forward(x))
    assert np.allclose(net.backward(grad_out), stand_in.backward(grad_out))
    assert all(map(np.allclose, net.grads, stand_in.grads))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("return conv2d(x,", "return -conv2d(x,"), "its Conv2d: its check gives 0 of 2 points"),
        (("return x.reshape(len(x), -1)", "raise NotImplementedError"), "its Flatten: not written yet"),
        (("(16, 6)]", "(6, 6)]"), "its check gives 0 of 3 points"),
    ],
    ids=["a wrong layer", "an unwritten layer", "a wrong net"],
)
def test_a_net_whose_parts_do_not_pass_is_replaced(folder, change, reason):
    put_net(folder, change)
    assert carry("LeNet5", folder=folder).reasons["LeNet5"] == reason
