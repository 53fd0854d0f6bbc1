"""An attack is a student's notebook with a wrong answer in it; it is defeated when it is marked like the honest one."""

from autograder.rebuild import is_test
from tests.grading.classroom import PERFECT, SECRET, WRONG, edited, grade_one, scores, solved

HONEST = PERFECT | {"output_size": 0.0}  # what the wrong answer costs an honest student


def printed(notebook):
    """Return all that the student's own cells showed; a failed check's message names its case, and may."""
    outputs = [o for cell in notebook.cells if not is_test(cell) for o in cell.get("outputs", [])]
    texts = [
        output.get("text", "") + "".join(output.get("traceback", [])) + output.get("evalue", "")
        for output in outputs
    ]
    return "\n".join(texts + [str(output.get("data", "")) for output in outputs])


def attack(course, *changes, expected=HONEST, files=None, **places):
    """Grade an attack, hold its marks against the honest ones, see that the next student is safe, return what it printed."""
    verdicts, notebook = grade_one(course, edited(course, WRONG, *changes, **places), files)
    assert scores(verdicts) == expected
    after, _ = grade_one(course, solved(course))
    assert scores(after) == PERFECT
    assert SECRET not in printed(notebook)
    return printed(notebook)
