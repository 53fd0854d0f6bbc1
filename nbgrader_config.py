"""nbgrader's configuration of this course folder; `convnets grade` and plain `nbgrader` both read it."""

c = get_config()  # noqa: F821 nbgrader provides it

c.CourseDirectory.course_id = "convnets"
# c.CourseDirectory.db_url = "postgresql+psycopg2://user:password@host/convnets"  # SQLite in this folder unless set
# c.Exchange.root = "/srv/nbgrader/exchange"  # the folder that you share with your students, where there is one

# A unit's own source, with solutions and hidden tests, must never be copied beside a student's notebook.
c.CourseDirectory.ignore = [
    ".ipynb_checkpoints",
    "*.pyc",
    "__pycache__",
    "feedback",
    "[0-9][0-9]-*.py",
]
# Feedback made by nbgrader itself, from formgrader or `nbgrader generate_feedback`, is without the hidden tests too.
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
c.NotebookClient.store_widget_state = False  # else a page of feedback asks the network for its explorers
c.ClearSolutions.code_stub = {"python": "# Your code here.\nraise NotImplementedError"}

# Grading from formgrader, or by `nbgrader autograde`: it too rebuilds each notebook from source/ and runs it in the
# sandbox, one at a time. `convnets grade` always does, many at a time. Without these lines nbgrader is as it comes, and
# runs students' code with your rights.
c.Autograde.sanitize_preprocessors = [
    "autograder.execute.Rebuild",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.DeduplicateIds",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "autograder.execute.IsolatedExecute",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]

# Below, commented out, is every setting of the sandbox with its default. One unit can have its own:
# c.Sandbox.units = {"07-lenet-in-numpy": {"cell_seconds": 120}}

# c.Sandbox.answer_mb = 64  # The largest value that a student's function may return.
# c.Sandbox.call_seconds = 10  # Longest that one call of a student's function may take.
# c.Sandbox.cell_seconds = 30  # Longest that one of the student's cells may run.
# c.Sandbox.disk_mb = 256  # What a submission may write, in all.
# c.Sandbox.environment = {}  # Environment variables that student code sees, beside those needed to run.
# c.Sandbox.file_mb = 64  # The largest file that a submission may bring or write.
# c.Sandbox.files = 256  # Files that a process may have open.
# c.Sandbox.memory_mb = 2048  # Memory that a submission's processes may hold together.
# c.Sandbox.notebook_mb = 100  # The largest notebook file that is read.
# c.Sandbox.notebook_seconds = 600  # Longest that a whole notebook may take.
# c.Sandbox.output_kb = 1024  # Output of one cell that is kept, and of a notebook eight times that; the rest is dropped.
# c.Sandbox.packages = ['numpy', 'matplotlib', 'ipython', 'ipykernel', 'ipywidgets', 'anywidget', 'pooch', 'tqdm']  # Distributions, with all that they need, that student code may import.
# c.Sandbox.processes = 64  # Processes and threads that a submission may have.
# c.Sandbox.torch_packages = ['torch', 'scikit-learn']  # Further distributions in units whose notebooks import torch; nowhere else.
# c.Sandbox.units = {}  # Settings per unit: {'07-lenet-in-numpy': {'cell_seconds': 120}}; 'torch': True adds torch.
# c.Sandbox.unsafe = False  # Run student code with no sandbox at all: a cell can then do all that you can.
