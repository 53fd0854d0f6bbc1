import pytest

from tests.grading.classroom import make_course


@pytest.fixture
def course(tmp_path):
    """A course folder of its own with one small unit."""
    return make_course(tmp_path / "course")
