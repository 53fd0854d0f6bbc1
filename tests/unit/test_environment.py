"""environment.yml, constraints.txt and pyproject.toml say the same."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TESTED_EXTRAS = ("grading", "dev")


@pytest.fixture(scope="module")
def conda():
    return yaml.safe_load((ROOT / "environment.yml").read_text())


@pytest.fixture(scope="module")
def pins():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    return dict(line.split("==") for line in lines)


def pip_lines(conda):
    return next(item["pip"] for item in conda["dependencies"] if isinstance(item, dict))


def test_conda_takes_a_python_that_the_project_allows(conda):
    python = next(item for item in conda["dependencies"] if str(item).startswith("python="))
    assert SpecifierSet(PROJECT["requires-python"]).contains(python.removeprefix("python=") + ".0")


def test_conda_installs_the_project_with_the_extras_that_make_env_installs(conda):
    wanted = f"-e .[{','.join(TESTED_EXTRAS)}]"
    assert wanted in pip_lines(conda)
    assert wanted.replace(".[", '".[').replace("]", ']"') in (ROOT / "Makefile").read_text()


def test_conda_takes_the_tested_versions(conda):
    assert "-c constraints.txt" in pip_lines(conda)


def test_conda_names_no_package_that_pyproject_does_not(conda):
    plain = {re.split("[=<>]", item)[0] for item in conda["dependencies"] if isinstance(item, str)}
    assert plain == {"python", "pip"}
    assert len(pip_lines(conda)) == 2


def test_every_declared_package_is_pinned_to_one_version(pins):
    lines = PROJECT["dependencies"] + [
        line for extra in TESTED_EXTRAS for line in PROJECT["optional-dependencies"][extra]
    ]
    names = {canonicalize_name(Requirement(line).name) for line in lines}
    assert names <= {canonicalize_name(name) for name in pins}


def test_torch_is_pinned_without_a_build_so_that_each_machine_takes_its_own(pins):
    assert pins["torch"] == "2.13.0"


def test_the_tests_run_on_the_pinned_versions(pins):
    from autograder.doctor import compare_versions

    assert compare_versions(pins) == ([], [])
