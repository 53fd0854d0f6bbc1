"""The cases of affine_warp leave nothing to the last bit: no source place lies halfway between two pixels."""

import numpy as np
import pytest

from course.checks import exercises
from tests.hidden import grade

CASES = list(exercises()["affine_warp"].cases)


def halfway(image, matrix):
    """Return how near a source place comes to the middle between two pixels."""
    height, width = image.shape[-2:]
    places = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), -1).reshape(-1, 2)
    source = np.linalg.solve(matrix[:, :2], (places - matrix[:, 2]).T)
    return np.abs(np.abs(source - np.floor(source)) - 0.5).min()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_open_case_has_a_source_place_halfway(case):
    assert halfway(*case.args[:2]) > 1e-6


def other_way(round_to_nearest):
    def affine_warp(x, matrix):
        out = np.zeros_like(x)
        for place in np.ndindex(x.shape[-2:]):
            source = round_to_nearest(np.linalg.solve(matrix[:, :2], np.array(place) - matrix[:, 2])).astype(
                int
            )
            if (source >= 0).all() and (source < x.shape[-2:]).all():
                out[..., place[0], place[1]] = x[..., source[0], source[1]]
        return out

    return affine_warp


@pytest.mark.parametrize("round_to_nearest", [np.rint, lambda s: np.floor(s + 0.5)], ids=["rint", "floor"])
def test_a_solved_system_rounded_in_any_way_is_right(round_to_nearest):
    verdict = grade("affine_warp", other_way(round_to_nearest))
    assert verdict.score == verdict.max_score, verdict.text
