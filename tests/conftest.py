"""What a machine cannot run is skipped with the reason; in CI the same is a failure, for all but the GPU."""

import os
import sys
from functools import cache
from pathlib import Path

import pytest

from autograder import doctor

# the arrays are small and the workers as many as the cores: threads of torch's would only wait for each other
os.environ.setdefault("OMP_NUM_THREADS", "1")
# as the convnets command does: nbgrader calls `alembic` by name
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

NEEDS = {"sandbox": doctor.sandbox, "browser": doctor.browser, "postgres": doctor.postgres, "gpu": doctor.gpu}


@cache
def finding(marker):
    return NEEDS[marker]()


def pytest_runtest_setup(item):
    for marker in NEEDS:
        if item.get_closest_marker(marker) and not (found := finding(marker)).works:
            reason = f"{found.name}: {found.seen}; {found.advice}"
            if os.environ.get("CI") == "true" and marker != "gpu":
                pytest.fail(f"CI runs everything, but here {reason}", pytrace=False)
            pytest.skip(reason)
