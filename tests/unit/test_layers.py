"""The stand-in layers: right by hand or by finite differences, pure, and importable without torch."""

import doctest
import subprocess
import sys

import numpy as np
import pytest
import torch

from course import layers

RNG = np.random.default_rng(0)
X, LABELS = RNG.standard_normal((2, 3, 5, 6)), np.array([2, 0, 1, 2])
ROWS, GAMMA = RNG.standard_normal((4, 3)), RNG.standard_normal(3)
W, V = RNG.standard_normal((4, 3, 3, 2)), RNG.standard_normal((5, 3))

# forward as a function of its inputs alone, backward likewise, the inputs
PAIRS = {
    "conv2d": (
        lambda x, w, b: layers.conv2d(x, w, b, 2, 1),
        lambda g, x, w, b: layers.conv2d_backward(g, x, w, 2, 1),
        (X, W, np.ones(4)),
    ),
    "max_pool2d": (
        lambda x: layers.max_pool2d(x, 3, 2),
        lambda g, x: [layers.max_pool2d_backward(g, x, 3, 2)],
        (X,),
    ),
    "avg_pool2d": (
        lambda x: layers.avg_pool2d(x, 2),
        lambda g, x: [layers.avg_pool2d_backward(g, x, 2)],
        (X,),
    ),
    "relu": (layers.relu, lambda g, x: [layers.relu_backward(g, x)], (X,)),
    "linear": (layers.linear, lambda g, x, w, b: layers.linear_backward(g, x, w), (ROWS, V, np.ones(5))),
    "softmax_cross_entropy": (
        lambda z: layers.softmax_cross_entropy(z, LABELS),
        lambda g, z: [g * layers.softmax_cross_entropy_gradient(z, LABELS)],
        (ROWS,),
    ),
    "batch_norm": (
        lambda x, c, d: layers.batch_norm(x, c, d, np.zeros(3), np.ones(3), True)[0],
        lambda g, x, c, d: layers.batch_norm_backward(g, x, c),
        (ROWS, GAMMA, np.ones(3)),
    ),
    "batch_norm2d": (
        lambda x, c, d: layers.batch_norm2d(x, c, d, np.zeros(3), np.ones(3), True)[0],
        lambda g, x, c, d: layers.batch_norm2d_backward(g, x, c),
        (X, GAMMA, np.ones(3)),
    ),
}


def slope(forward, inputs, which, grad_out, eps=1e-6):
    """Return the gradient of sum(forward * grad_out) with respect to one input, by central differences."""
    gradient = np.zeros(inputs[which].shape)
    for place in np.ndindex(gradient.shape):
        values = []
        for step in (eps, -eps):
            moved = [array.copy() for array in inputs]
            moved[which][place] += step
            values.append(np.sum(forward(*moved) * grad_out))
        gradient[place] = (values[0] - values[1]) / (2 * eps)
    return gradient


@pytest.mark.parametrize("name", PAIRS)
def test_a_backward_is_the_slope_of_its_forward(name):
    forward, backward, inputs = PAIRS[name]
    grad_out = np.random.default_rng(1).standard_normal(np.shape(forward(*inputs)))
    gradients = backward(grad_out, *inputs)
    assert len(gradients) == len(inputs)
    for which, gradient in enumerate(gradients):
        np.testing.assert_allclose(
            gradient, slope(forward, inputs, which, grad_out), rtol=1e-5, atol=1e-7, err_msg=str(which)
        )


@pytest.mark.parametrize("name", PAIRS)
def test_nothing_is_changed_and_read_only_or_reversed_views_are_taken(name):
    forward, backward, inputs = PAIRS[name]
    reversed_views = [np.array(array)[::-1][::-1] for array in inputs]
    for array in reversed_views:
        array.setflags(write=False)
    out = forward(*reversed_views)
    np.testing.assert_array_equal(out, forward(*inputs))
    backward(np.ones_like(out), *reversed_views)


def test_max_pool_gives_a_tied_gradient_to_the_first_maximum():
    grad = layers.max_pool2d_backward(np.array([[[[5.0]]]]), np.full((1, 1, 2, 2), 7.0), 2)
    assert grad.tolist() == [[[[5.0, 0.0], [0.0, 0.0]]]]


def test_overlapping_windows_add_their_gradients():
    grad = layers.avg_pool2d_backward(np.ones((1, 1, 1, 2)), np.ones((1, 1, 2, 3)), 2, 1)
    assert grad[0, 0].tolist() == [[0.25, 0.5, 0.25]] * 2


def test_pooling_strides_by_the_kernel_and_does_not_read_what_is_left_over():
    assert layers.max_pool2d(X, 2).shape == layers.avg_pool2d(X, 2).shape == (2, 3, 2, 3)


def test_relu_has_slope_zero_at_zero():
    assert layers.relu_backward(np.ones(1), np.zeros(1)).tolist() == [0.0]


def test_softmax_cross_entropy_stays_finite_for_huge_logits():
    assert layers.softmax_cross_entropy(np.array([[1e4, 0.0]]), np.array([1])) == 1e4


def test_the_loss_is_a_float():
    assert type(layers.softmax_cross_entropy(ROWS, LABELS)) is float


def test_batch_norm_follows_the_course_s_conventions():
    mean, var = np.full(3, 2.0), np.full(3, 5.0)
    out, new_mean, new_var = layers.batch_norm(ROWS, GAMMA, np.ones(3), mean, var, True)
    normal = (ROWS - ROWS.mean(0)) / np.sqrt(ROWS.var(0) + 1e-5)
    np.testing.assert_allclose(out, normal * GAMMA + 1)
    np.testing.assert_allclose(new_mean, 0.9 * 2 + 0.1 * ROWS.mean(0))
    np.testing.assert_allclose(new_var, 0.9 * 5 + 0.1 * ROWS.var(0, ddof=1))
    assert (mean == 2).all() and (var == 5).all()


def test_batch_norm_uses_the_running_statistics_outside_training():
    out, mean, var = layers.batch_norm2d(X, GAMMA, np.ones(3), np.full(3, 2.0), np.full(3, 5.0), False)
    expected = (X - 2) / np.sqrt(5 + 1e-5) * GAMMA[:, None, None] + 1
    np.testing.assert_allclose(out, expected)
    assert (mean == 2).all() and (var == 5).all()


def test_batch_norm_refuses_one_row_in_training():
    with pytest.raises(ValueError, match="more than one value"):
        layers.batch_norm(ROWS[:1], GAMMA, GAMMA, np.zeros(3), np.ones(3), True)


def test_float32_stays_and_whole_numbers_become_floats():
    assert layers.relu(np.ones(2, np.float32)).dtype == np.float32
    assert layers.conv2d(X.astype("f"), W.astype("f"), np.ones(4, "f")).dtype == np.float32
    assert layers.avg_pool2d(np.arange(4).reshape(1, 1, 2, 2), 2).item() == 1.5


def test_float32_stays_in_the_gradients():
    x, w, rows = X.astype("f"), W.astype("f"), np.eye(3, dtype="f")
    gradients = [
        *layers.conv2d_backward(layers.conv2d(x, w, np.zeros(len(w), "f")), x, w),
        *layers.linear_backward(rows, rows, rows),
        *layers.batch_norm_backward(rows, rows, np.ones(3, "f")),
        layers.softmax_cross_entropy_gradient(rows, np.array([0, 1, 2])),
    ]
    assert {gradient.dtype for gradient in gradients} == {np.dtype("float32")}


def test_a_gradient_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"grad_out has shape \(1, 2\), but the output has \(2,\)"):
        layers.relu_backward(np.ones((1, 2)), np.ones(2))


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(layers, extraglobs={"np": np}).failed == 0


def test_it_imports_without_torch():
    code = "import sys; sys.modules['torch'] = None; import course.layers"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_stand_in_is_no_answer_to_an_exercise():
    """It would pass here and fail in grading, where there is no torch."""
    from course.checks import check

    verdict = check(lambda *args, **kwargs: layers.conv2d(*args, **kwargs), name="conv2d")
    assert verdict.score == 0
    assert "course.layers is for experiments" in verdict.text
    assert layers.conv2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), np.zeros(1)).shape == (1, 1, 2, 2)


def test_a_backward_works_where_autograd_is_off():
    grad_out, x = np.ones((1, 2)), np.array([[-1.0, 2.0]])
    with torch.no_grad():
        assert layers.relu_backward(grad_out, x).tolist() == [[0.0, 1.0]]
