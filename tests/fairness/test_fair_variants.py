"""Right answers that look nothing like ours get full marks."""

import functools
import importlib
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from course.checks import check
from tests.fairness.variants import VARIANTS
from tests.hidden import EXERCISES, grade, solution

for path in sorted(Path(__file__).parent.glob("variants_*.py")):
    importlib.import_module(f"tests.fairness.{path.stem}")


OfTorch = torch.Tensor | torch.nn.Module  # NumPy would take a net apart into its layers

# Ways of giving the same answer that suit every exercise ---------------------------------------------------------


def on_each_part(change):
    """Return a wrapper that applies ``change`` to a function's answer, or to each part of one that is a tuple or a list."""

    def wrapper(function):
        def student(*args, **kwargs):
            answer = function(*args, **kwargs)
            several = isinstance(answer, tuple | list)
            return type(answer)(map(change, answer)) if several else change(answer)

        return student

    wrapper.__name__ = change.__name__
    return wrapper


@on_each_part
def in_float32(answer):
    is_float = isinstance(answer, np.ndarray) and answer.dtype.kind == "f"
    return answer.astype(np.float32) if is_float else answer


@on_each_part
def as_lists(answer):
    return answer.tolist() if isinstance(answer, np.ndarray) else answer


@on_each_part
def as_a_transposed_view(answer):
    return np.ascontiguousarray(answer.T).T if isinstance(answer, np.ndarray) else answer


@on_each_part
def as_numpy_scalars(answer):
    return answer if isinstance(answer, np.ndarray | OfTorch) else np.asarray(answer)[()]


@on_each_part
def as_zero_dimensional_arrays(answer):
    array = np.empty((), object) if isinstance(answer, OfTorch) else np.asarray(answer)
    return answer if array.dtype == object else array  # an object of the student's own class stays what it is


class Wrapped:
    def __init__(self, function):
        self.function = function

    def __call__(self, *args, **kwargs):
        return self.function(*args, **kwargs)


def chatty(function):
    def student(*args, **kwargs):
        print("called with", len(args))
        print("and to stderr", file=sys.stderr)
        warnings.warn("a warning of the student's", stacklevel=1)
        np.array([1.0]) / np.array([0.0])
        return function(*args, **kwargs)

    return student


@on_each_part
def read_only_answer(answer):
    if isinstance(answer, np.ndarray):
        answer.setflags(write=False)
    return answer


def on_fortran_order(function):
    def student(*args, **kwargs):
        args = [np.asfortranarray(a) if isinstance(a, np.ndarray) else a for a in args]
        return function(*args, **kwargs)

    return student


def in_float32_inside(function):
    """Compute in float32, and hand out float64: a buffer of np.float32 on the way does that."""

    def narrow(value):
        is_float = isinstance(value, np.ndarray) and value.dtype == np.float64
        return value.astype(np.float32) if is_float else value

    @on_each_part
    def widened(answer):
        is_float = isinstance(answer, np.ndarray) and answer.dtype == np.float32
        return answer.astype(np.float64) if is_float else answer

    return widened(lambda *args, **kwargs: function(*map(narrow, args), **kwargs))


def through_a_partial(function):
    return functools.partial(function)


WRAPPERS = [
    in_float32,
    as_lists,
    as_a_transposed_view,
    as_numpy_scalars,
    as_zero_dimensional_arrays,
    Wrapped,
    chatty,
    read_only_answer,
    on_fortran_order,
    in_float32_inside,
    through_a_partial,
]
USED_BY_ITS_OWN_METHODS = {"Conv2dFunction"}  # as Conv2dFunction.apply: a function around it has none


@pytest.mark.parametrize("name", EXERCISES)
def test_the_reference_solution_gets_full_marks(name):
    for seed in range(5):
        verdict = grade(name, solution(name), seed)
        assert (verdict.score, verdict.verdict) == (verdict.max_score, "passed"), verdict.text
    assert check(solution(name), name=name, random=20, seed=1).verdict == "passed"


@pytest.mark.parametrize("wrapper", WRAPPERS, ids=lambda wrapper: wrapper.__name__)
@pytest.mark.parametrize("name", EXERCISES)
def test_the_form_of_an_answer_costs_nothing(name, wrapper):
    if name in USED_BY_ITS_OWN_METHODS:
        pytest.skip("it is a class that is called through one of its own methods")
    if (name, wrapper) == ("numerical_gradient", in_float32_inside):
        pytest.skip("in float32, the difference between two places 1e-5 apart is mostly rounding")
    verdict = grade(name, wrapper(solution(name)))
    assert verdict.score == verdict.max_score, verdict.text


# Other ways to work it out, from variants_NN.py ----------------------------------------------------------------


@pytest.mark.parametrize(("name", "what"), VARIANTS, ids=[f"{name}-{what}" for name, what in VARIANTS])
def test_another_way_to_work_it_out_gets_full_marks(name, what):
    verdict = grade(name, VARIANTS[name, what])
    assert verdict.score == verdict.max_score, verdict.text
    assert verdict.misconception == ""


@pytest.mark.parametrize("name", EXERCISES)
def test_every_exercise_has_variants_of_its_own(name):
    assert sum(exercise == name for exercise, _ in VARIANTS) >= 2
