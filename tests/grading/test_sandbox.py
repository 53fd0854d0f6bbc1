"""The sandbox's settings and what it says when it cannot work."""

import re
from pathlib import Path

import pytest
from traitlets.config import Config

from autograder import sandbox, view
from autograder.errors import UsageError
from autograder.inside import linux
from autograder.sandbox import Sandbox

CONFIG = Path(__file__).resolve().parents[2] / "nbgrader_config.py"


def test_the_configuration_file_lists_every_setting_with_its_default():
    listed = dict(re.findall(r"^# c\.Sandbox\.(\w+) = (.*?)  # ", CONFIG.read_text(), re.M))
    defaults = {name: repr(Sandbox().trait_defaults(name)) for name in Sandbox.class_own_traits(config=True)}
    assert listed == defaults


def test_a_unit_can_have_settings_of_its_own():
    config = Config()
    config.Sandbox.call_seconds = 3
    config.Sandbox.units = {"07-lenet": {"call_seconds": 90, "torch": True}}
    made = Sandbox(config=config)
    assert made.for_unit("01-convolution", False)["call_seconds"] == 3
    assert made.for_unit("07-lenet", False)["call_seconds"] == 90
    assert "torch" in made.for_unit("07-lenet", False)["packages"]
    assert "torch" not in made.for_unit("01-convolution", False)["packages"]


def test_only_the_allowed_packages_and_what_they_need_are_inside():
    inside = view.installed(Sandbox().packages)
    assert {"numpy", "matplotlib", "IPython", "ipywidgets"} <= set(inside)
    assert not {"torch", "scipy", "sklearn", "nbgrader", "jupyterlab", "autograder"} & set(inside)


@pytest.mark.parametrize(("which", "words"), [(None, "no bwrap on the PATH"), ("/bin/false", "")])
def test_without_bubblewrap_grading_refuses_in_one_line(monkeypatch, which, words):
    sandbox.why_no_sandbox.cache_clear()
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: which)
    try:
        with pytest.raises(UsageError, match="apt-get install bubblewrap") as caught:
            sandbox.require_sandbox()
    finally:
        sandbox.why_no_sandbox.cache_clear()
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_of_system_calls_only_jumps_forward_and_stays_inside(machine):
    program = linux.seccomp_program(machine)
    count = len(program) // 8
    for place in range(count):
        code, true, false = (
            int.from_bytes(program[place * 8 : place * 8 + 2], "little"),
            *program[place * 8 + 2 : place * 8 + 4],
        )
        assert place + 1 + max(true, false) < count or code == linux.RETURN
    assert linux.seccomp_program("a machine nobody knows") == b""
