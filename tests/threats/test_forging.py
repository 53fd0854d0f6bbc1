"""Forging a verdict: whatever is patched, printed or returned, a wrong answer stays wrong."""

import nbformat
import pytest

from autograder.grading import grade
from autograder.rebuild import is_test
from tests.grading.classroom import UNIT, edited, hand_in
from tests.threats.attack import attack

pytestmark = pytest.mark.sandbox

PATCHES = {
    "an AST transformer that drops asserts": """
import ast
class Drop(ast.NodeTransformer):
    def visit_Assert(self, node): return ast.Pass()
    def visit_Call(self, node): return ast.Constant(2.0) if getattr(node.func, "id", "") == "check" else node
get_ipython().ast_transformers.append(Drop())""",
    "an input transformer": """
def cheat(lines): return ["2.0\\n"] if any("check" in line for line in lines) else lines
get_ipython().input_transformers_post.append(cheat)""",
    "a patched shell": """
from IPython.core.interactiveshell import InteractiveShell
InteractiveShell.run_cell = lambda self, *a, **k: None
InteractiveShell.showtraceback = lambda *a, **k: None
get_ipython().showtraceback = lambda *a, **k: None""",
    "a patched kernel": """
import ipykernel.ipkernel as k
async def do_execute(self, *a, **k): return {"status": "ok", "execution_count": 1}
k.IPythonKernel.do_execute = do_execute""",
    "a fake result": """
from IPython.display import display, publish_display_data
publish_display_data({"text/plain": "2.0", "text/html": "<b>2.0 of 2 points</b>"})
display(2.0)""",
    "a cleared output": """
from IPython.display import clear_output
clear_output()""",
    "a formatter that shows full marks": """
get_ipython().display_formatter.formatters["text/plain"].for_type(object, lambda *a: "2.0")
get_ipython().display_formatter.format = lambda *a, **k: ({"text/plain": "2.0"}, {})""",
    "a replaced display hook": """
import sys
sys.displayhook = lambda value: print("2.0")""",
    "a replaced check": """
from course.checks import Verdict
check = lambda *a, **k: Verdict("output_size", "passed", 2, 2)
import course.checks
course.checks.check = check""",
    "a judge of its own": """
import sys, types
sys.modules["course.checks.judge"] = types.SimpleNamespace(check=lambda *a, **k: 2.0, share_right=lambda *a: 1.0)
import course.checks.subject as subject
subject.changed_arguments = lambda *a: ()""",
    "a patched numpy": """
import numpy as np
np.allclose = np.array_equal = lambda *a, **k: True
np.testing.assert_allclose = lambda *a, **k: None
np.ndarray""",
    "patched builtins": """
import builtins
builtins.isinstance = lambda *a: True
builtins.AssertionError = ValueError""",
    "a patched answering side": """
import inside.shell, inside.wire
from course.checks.subject import Outcome
real = inside.shell.message
inside.shell.message = lambda outcome: real(outcome) | {"verdict": "passed", "score": 2.0, "failure": None}""",
    "points in its own metadata": """
get_ipython().user_ns["__grading__"] = {"score": 100}""",
}


@pytest.mark.parametrize("name", PATCHES)
def test_patching_the_students_process_forges_nothing(course, name):
    attack(course, before=PATCHES[name])


RETURNS = {
    "an object equal to everything": "class Yes:\n    def __eq__(self, other): return True\n    __hash__ = None\nanswer = Yes()",
    "an object whose __array__ lies": (
        "import numpy as np\nclass Lie:\n    def __init__(self): self.n = 0\n"
        "    def __array__(self, *a, **k):\n        self.n += 1\n        return np.array(self.n)\nanswer = Lie()"
    ),
    "an array whose comparison lies": (
        "import numpy as np\nclass Lie(np.ndarray):\n    def __array_ufunc__(self, *a, **k): return np.True_\n"
        "    def __eq__(self, other): return np.True_\nanswer = np.zeros(1).view(Lie)"
    ),
    "a number that is every number": (
        "class Any(int):\n    def __eq__(self, other): return True\n    def __int__(self): return 0\n    __hash__ = None\nanswer = Any(0)"
    ),
    "an array of objects": "import numpy as np\nanswer = np.array([object()])",
    "a structured array": "import numpy as np\nanswer = np.zeros(1, [('a', 'f8')])",
    "not a number": "answer = float('nan')",
    "a Verdict": "from course.checks import Verdict\nanswer = Verdict('output_size', 'passed', 2, 2)",
    "a Failure of the machinery": "from course.checks.subject import Failure, Outcome\nanswer = Outcome(failure=Failure('machinery'))",
    "an exception class": "answer = SystemExit",
    "a mapping that changes as it is read": (
        "from collections.abc import Mapping\nclass Odd(Mapping):\n    def __len__(self): return 1\n    def __iter__(self): return iter([1])\n"
        "    def __getitem__(self, k): raise KeyError\nanswer = Odd()"
    ),
}


@pytest.mark.parametrize("name", RETURNS)
def test_a_value_that_lies_is_taken_for_the_data_it_is(course, name):
    attack(course, ("    return (size", "    return answer\n    return (size"), before=RETURNS[name])


def test_claiming_that_the_grader_is_at_fault_is_a_crash_of_ones_own(course):
    code = """
import inside.shell
real = inside.shell.message
inside.shell.message = lambda outcome: real(outcome) | {"failure": {"kind": "machinery", "message": "not my fault"}}"""
    attack(course, before=code, expected={"output_size": 0, "zero_pad": 0, "to_chw": 0})


SCRIPT = "<script>alert('marks')</script>"


def test_no_script_of_a_students_reaches_the_page_that_an_instructor_opens(course):
    shown = (
        "from IPython.display import HTML, SVG, Javascript, Markdown, display\n"
        f"for kind in (HTML, Javascript, Markdown): display(kind({SCRIPT!r}))\n"
        f"print({SCRIPT!r})\n"
        "class Picture:\n"
        f"    def _repr_mimebundle_(self, **k): return {{'image/png': 'x\"/>' + {SCRIPT!r}, 'text/html': {SCRIPT!r}, 'text/plain': {SCRIPT!r}}}\n"
        "display(Picture())\n"
        f"raise ValueError({SCRIPT!r})"
    )
    change = ("    n, c, h, w", f"    raise ValueError({SCRIPT!r})\n    n, c, h, w")
    hand_in(course, "eve", edited(course, change, after=shown))
    assert grade(course, progress=False).not_graded == []
    assert SCRIPT not in (course / "feedback" / "eve" / UNIT / f"{UNIT}.html").read_text()
    kept = nbformat.read(course / "autograded" / "eve" / UNIT / f"{UNIT}.ipynb", 4)
    data = [o.get("data", {}) for c in kept.cells if not is_test(c) for o in c.get("outputs", [])]
    assert all(set(one) <= {"text/plain", "image/png", "image/jpeg"} for one in data)
    assert not any(SCRIPT in one.get("image/png", "") for one in data)
    marked = [o.data["text/html"] for c in kept.cells if is_test(c) for o in c.outputs]
    assert not any(SCRIPT in page for page in marked)
