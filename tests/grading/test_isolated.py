"""One notebook in the sandbox: honest work gets its marks, and trouble costs only the exercise it happened in."""

import pytest

from autograder import build
from autograder.isolated import grade_notebook
from autograder.rebuild import plain_cell, rebuild, uses_torch
from autograder.sandbox import Sandbox
from tests.grading.classroom import LIMITS, PERFECT, WRONG, edited, grade_one, scores, solved

pytestmark = pytest.mark.sandbox


def test_a_solved_notebook_gets_all_points(course):
    verdicts, _ = grade_one(course, solved(course))
    assert scores(verdicts) == PERFECT
    assert {verdict.verdict for verdict in verdicts.values()} == {"passed"}


def test_a_wrong_answer_costs_its_own_exercise_and_names_the_idea(course):
    verdicts, _ = grade_one(course, edited(course, WRONG))
    assert scores(verdicts) == PERFECT | {"output_size": 0}
    assert verdicts["output_size"].verdict == "failed"


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("while True: pass", "timeout"),
        ("import os; os._exit(0)", "crashed"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL); import ctypes; ctypes.string_at(0)",
            "crashed",
        ),
        ("raise SystemExit(3)", "failed"),
        ("raise NotImplementedError", "missing"),
        ("return lambda: 3", "failed"),
        ("import time; time.sleep(60)", "timeout"),
    ],
)
def test_trouble_in_a_call_costs_only_its_exercise(course, line, word):
    verdicts, _ = grade_one(course, edited(course, ("    n, c, h, w", f"    {line}\n    n, c, h, w")))
    assert verdicts["zero_pad"].verdict == word
    assert scores(verdicts) == PERFECT | {"zero_pad": 0}


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("while True: pass", "timeout"),
        ("import os; os._exit(1)", "crashed"),
        ("def zero_pad(x, padding: return", "failed"),
        ("1 / 0", "failed"),
        ("def zeropad(x, padding): return x", "missing"),
        ("zero_pad = 3", "missing"),
        ("", "missing"),
    ],
)
def test_trouble_in_a_cell_costs_only_its_exercise(course, code, word):
    notebook = solved(course)
    next(c for c in notebook.cells if "def zero_pad" in c.source).source = code
    verdicts, _ = grade_one(course, notebook)
    assert verdicts["zero_pad"].verdict == word
    assert scores(verdicts) == PERFECT | {"zero_pad": 0}


def test_trouble_in_a_cell_of_the_students_own_costs_nothing(course):
    verdicts, notebook = grade_one(course, edited(course, after="import os; os._exit(5)"))
    assert scores(verdicts) == PERFECT
    own = next(cell for cell in notebook.cells if "_exit" in cell.source)
    assert "exit 5" in own.outputs[0]["evalue"]


def test_what_a_notebook_prints_warns_logs_and_plots_costs_nothing(course):
    noise = (
        "import logging, sys, warnings\nimport matplotlib.pyplot as plt\n"
        "print('out'); print('err', file=sys.stderr); warnings.warn('w'); logging.warning('l'); plt.plot([1, 2]); plt.show()\n"
        "import os; os.write(1, b'raw'); os.write(2, b'raw')\n"
    )
    inside = "    import warnings, sys; warnings.warn('in'); print('in'); print('in', file=sys.stderr)\n    return np.transpose"
    quiet, _ = grade_one(course, solved(course))
    noisy, notebook = grade_one(course, edited(course, ("    return np.transpose", inside), after=noise))
    assert noisy == quiet
    outputs = next(cell for cell in notebook.cells if "logging.warning" in cell.source).outputs
    assert {output.get("name", output["output_type"]) for output in outputs} >= {
        "stdout",
        "stderr",
        "display_data",
    }


def test_experiments_are_not_run(course):
    _, notebook = grade_one(course, solved(course))
    assert next(cell for cell in notebook.cells if "experiments are not" in cell.source).outputs == []


def test_earlier_cells_are_run_again_after_a_crash(course):
    before = "calls = []\ndef helper(image):\n    return np.transpose(image, (2, 0, 1))"
    changes = [
        ("return np.transpose(image, (2, 0, 1))", "return helper(image)"),
        ("    n, c, h", "    import os; os.abort()\n    n, c, h"),
    ]
    verdicts, _ = grade_one(course, edited(course, *changes, before=before))
    assert scores(verdicts) == PERFECT | {"zero_pad": 0}


def test_the_same_notebook_gets_the_same_verdicts_twice(course):
    notebook = edited(course, ("return np.transpose", "return np.random.rand() * np.transpose"))
    assert grade_one(course, notebook)[0] == grade_one(course, notebook)[0]


def test_a_fault_of_the_sandbox_is_never_a_zero(course, monkeypatch):
    from autograder import remote, sandbox

    def broken(self, *args):
        raise sandbox.SandboxError("no more processes")

    monkeypatch.setattr(remote.Student, "start", broken)
    verdicts, _ = grade_one(course, solved(course))
    assert {verdict.verdict for verdict in verdicts.values()} == {"not_graded"}


def test_a_test_written_as_plain_asserts_is_graded_too(course):
    source = course / "source" / "90-tiny" / "90-tiny.py"
    text = source.read_text().replace(
        "check(to_chw)\n", "assert to_chw(np.zeros((2, 3, 4))).shape == (4, 2, 3)\n"
    )
    text = text.replace(
        'check(to_chw, cases=[Case("a wombat in a tall hat", normal(3, 4, 3))], random=5)', ""
    )
    source.write_text(text)
    assert grade_one(course, solved(course))[0]["to_chw"].score == 1
    wrong = edited(course, ("return np.transpose(image, (2, 0, 1))", "return None"))
    assert grade_one(course, wrong)[0]["to_chw"].verdict == "failed"


def test_the_time_for_a_whole_notebook_is_bounded(course):
    slow = edited(
        course,
        ("    n, c, h", "    import time; time.sleep(1)\n    n, c, h"),
        after="import time; time.sleep(1)",
    )
    verdicts, _ = grade_one(course, slow, notebook_seconds=2)
    assert verdicts["output_size"].verdict == "passed" or verdicts["output_size"].verdict == "timeout"
    assert verdicts["to_chw"].verdict == "timeout"


def test_files_beside_the_notebook_are_there_and_come_after_the_packages(course):
    files = {"data/numbers.txt": b"7", "helper.py": b"seven = 7", "numpy.py": b"raise RuntimeError('shadow')"}
    use = "import helper\nassert open('data/numbers.txt').read() == '7' and helper.seven == 7\nimport numpy; numpy.zeros(3)\nok = 1"
    check = ("return np.transpose", "assert ok\n    return np.transpose")
    verdicts, _ = grade_one(course, edited(course, check, after=use), files=files)
    assert scores(verdicts) == PERFECT


def test_without_the_sandbox_marks_are_the_same_when_asked_for(course):
    verdicts, _ = grade_one(course, edited(course, WRONG), unsafe=True)
    assert scores(verdicts) == PERFECT | {"output_size": 0}


@pytest.mark.slow
def test_a_torch_unit_has_torch_inside(course):
    source = course / "source" / "90-tiny" / "90-tiny.py"
    source.write_text(
        source.read_text().replace("import numpy as np\n", "import numpy as np\nimport torch\n", 1)
    )
    use = "layer = torch.nn.Conv2d(3, 4, 3)\nloss = layer(torch.ones(1, 3, 8, 8)).sum(); loss.backward()\nassert layer.weight.grad is not None"
    notebook = edited(
        course,
        ("return np.transpose(image, (2, 0, 1))", "return torch.as_tensor(image).permute(2, 0, 1)"),
        after=use,
    )
    template = build.template(source)
    assert uses_torch(template)
    rebuilt, _ = rebuild(template, [plain_cell(c) for c in notebook.cells])
    verdicts = grade_notebook(rebuilt, Sandbox(**LIMITS).for_unit("90-tiny", True), {}, 1)
    assert [verdict.score for verdict in verdicts] == [2, 2, 1]
    own = next(cell for cell in rebuilt.cells if "Conv2d" in cell.source)
    assert own.outputs == []
