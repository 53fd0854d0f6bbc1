"""The doctor finds what is broken, says so, and says what to do."""

import subprocess
import sys

import pytest

from autograder import doctor


@pytest.fixture
def no_programs(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)


def test_everything_that_everybody_needs_works_where_the_tests_run():
    findings = [doctor.python(), doctor.packages(), doctor.nbgrader(), doctor.data()]
    assert [str(found) for found in findings if not found.works] == []


def test_a_missing_bubblewrap_is_found_and_the_package_named(no_programs):
    found = doctor.sandbox()
    assert not found.works
    assert "bubblewrap" in found.advice


def test_a_bubblewrap_that_the_kernel_forbids_does_not_count_as_a_sandbox(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/usr/bin/{name}")
    refusal = subprocess.CompletedProcess([], 1, "", "bwrap: No permissions to create new namespace\n")
    monkeypatch.setattr(doctor, "run", lambda *command: refusal)
    found = doctor.sandbox()
    assert not found.works
    assert "No permissions to create new namespace" in found.seen


def test_a_missing_browser_is_no_fault_of_the_course(no_programs):
    found = doctor.browser()
    assert not found.works
    assert not found.needed


def test_nbgrader_without_its_alembic_is_broken(no_programs):
    found = doctor.nbgrader()
    assert not found.works
    assert found.needed
    assert "alembic" in found.seen


@pytest.mark.parametrize(
    ("pinned", "missing", "other"),
    [
        ({"no-such-package": "1.0"}, ["no-such-package"], []),
        ({"pytest": "0.1"}, [], [f"pytest {pytest.__version__} (tested: 0.1)"]),
        ({"pytest": pytest.__version__}, [], []),
    ],
)
def test_versions_are_compared_with_the_pinned_ones(pinned, missing, other):
    assert doctor.compare_versions(pinned) == (missing, other)


def test_a_missing_package_of_the_course_is_broken_and_one_of_the_extras_is_not(monkeypatch):
    monkeypatch.setattr(doctor, "pinned_versions", lambda: {"no-such-package": "1.0"})
    assert doctor.packages().works
    monkeypatch.setattr(doctor, "declared_packages", lambda: {"no-such-package"})
    found = doctor.packages()
    assert not found.works
    assert found.needed
    assert "no-such-package" in found.seen


def test_the_advice_is_shown_only_for_what_does_not_work():
    assert "buy one" in str(doctor.Finding("GPU", False, "none", "buy one"))
    assert "buy one" not in str(doctor.Finding("GPU", True, "there", "buy one"))


def test_a_command_that_is_not_there_counts_as_failed():
    assert doctor.run("/no/such/program").returncode != 0
    assert doctor.run(sys.executable, "-c", "print('here')").stdout == "here\n"
