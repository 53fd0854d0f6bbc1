"""nbgrader's own pipeline with two links of ours: Rebuild before everything, IsolatedExecute in place of Execute."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from traitlets import Bool, Enum, Instance, default

from .cells import calls_check
from .isolated import grade_notebook
from .provisioner import SandboxKernelManager
from .rebuild import belongs, is_test, plain_cell, rebuild, uses_torch
from .remote import seed_of
from .sandbox import Sandbox
from .template import find_template


class NotGraded(Exception):
    """Something of the grader's own failed; nbgrader reports the submission and goes on with the next."""


class Rebuild(NbGraderPreprocessor):
    """Puts the student's answers into the instructor's notebook; without a source/NN-name/NN-name.py it does nothing."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Return the rebuilt notebook."""
        template = find_template(course_folder(self), resources["nbgrader"]["assignment"])
        if template is None:
            return nb, resources
        cells = [plain_cell(cell) for cell in nb.cells]
        if not belongs(template, cells):
            raise NotGraded(f"This is not a notebook of {resources['nbgrader']['assignment']}.")
        nb, changes = rebuild(template, cells)
        for change in changes:
            self.log.warning(change)
        return nb, resources


class IsolatedExecute(Execute):
    """Runs the student's cells in the sandbox and the tests outside it.

    A notebook whose tests are not checks of this course runs in a sandboxed kernel as a whole: the tests then share it with
    the student's code, as everywhere else, but nothing outside can be reached.
    """

    isolation = Enum(
        ["auto", "always", "never"],
        "auto",
        help="Whether tests run outside the student's process: always, never, or where they are checks of this course.",
    ).tag(config=True)

    torch = Bool(False, help="Whether a notebook that runs as a whole may import torch.").tag(config=True)
    sandbox = Instance(Sandbox)

    @default("sandbox")
    def _sandbox(self) -> Sandbox:
        return Sandbox(parent=self)

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any], km: Any = None):
        """Run the notebook and leave the marks where nbgrader reads them."""
        if not self.is_isolated(nb):
            return self.run_whole(nb, resources, km)
        unit = resources["nbgrader"]["assignment"]
        files = submission_files(Path(resources.get("metadata", {}).get("path") or "."))
        settings = self.sandbox.for_unit(unit, uses_torch(nb))
        verdicts = grade_notebook(nb, settings, files, notebook_seed(nb))
        resources["convnets"] = verdicts
        for verdict in verdicts:
            if verdict.verdict == "not_graded":
                raise NotGraded(verdict.text)
        return nb, resources

    def is_isolated(self, nb: NotebookNode) -> bool:
        """Return whether the tests of ``nb`` run outside the student's process."""
        tests = [cell for cell in nb.cells if is_test(cell)]
        if self.isolation == "auto":
            return bool(tests) and all(calls_check(cell.source) for cell in tests)
        return self.isolation == "always"

    def run_whole(self, nb: NotebookNode, resources: dict[str, Any], km: Any):
        """Run a notebook as nbgrader does, in a kernel of the sandbox."""
        self.whole = self.sandbox.for_unit(resources["nbgrader"]["assignment"], self.torch or uses_torch(nb))
        return super().preprocess(nb, resources, km)

    def create_kernel_manager(self) -> Any:
        """Return the manager of a kernel in the sandbox; whoever runs the notebook also ends it."""
        if self.sandbox.unsafe:
            return super().create_kernel_manager()
        self.kernel_manager_class = SandboxKernelManager
        manager = super().create_kernel_manager()
        manager.settings = self.whole
        return manager


def course_folder(preprocessor: NbGraderPreprocessor) -> Path:
    """Return the course folder that nbgrader works in."""
    return Path(preprocessor.config.get("CourseDirectory", {}).get("root") or ".")


def submission_files(folder: Path) -> dict[str, bytes]:
    """Return the plain files that came with a notebook, by their path; links are left out."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.suffix != ".ipynb"
    }


def notebook_seed(nb: NotebookNode, secret: str = "") -> int:
    """Return the seed of a notebook's random cases: it follows from its text and the course's secret."""
    sources = json.dumps([cell.source for cell in nb.cells])
    return seed_of(secret, hashlib.sha256(sources.encode()).hexdigest())
