"""nbgrader's configuration of this course folder; `convnets grade` and plain `nbgrader` both read it.

Below, commented out, is every setting of the sandbox with its default. One unit can have its own:
``c.Sandbox.units = {"07-lenet-in-numpy": {"cell_seconds": 120}}``.
"""

c = get_config()  # noqa: F821 nbgrader provides it

c.CourseDirectory.course_id = "convnets"
# c.CourseDirectory.db_url = "postgresql+psycopg2://user:password@host/convnets"  # SQLite in this folder unless set

# A unit's own source, with solutions and hidden tests, must never be copied beside a student's notebook.
c.CourseDirectory.ignore = [
    ".ipynb_checkpoints",
    "*.pyc",
    "__pycache__",
    "feedback",
    "[0-9][0-9]-*.py",
]
c.ClearSolutions.code_stub = {"python": "# Your code here.\nraise NotImplementedError"}

# With these lines `nbgrader autograde` itself rebuilds each notebook from source/ and runs it in the sandbox, one at a
# time; `convnets grade` always does, many at a time. Without them nbgrader is as it comes.
# c.Autograde.sanitize_preprocessors = [
#     "autograder.execute.Rebuild",
#     "nbgrader.preprocessors.ClearOutput",
#     "nbgrader.preprocessors.DeduplicateIds",
#     "nbgrader.preprocessors.OverwriteKernelspec",
#     "nbgrader.preprocessors.OverwriteCells",
#     "nbgrader.preprocessors.CheckCellMetadata",
# ]
# c.Autograde.autograde_preprocessors = [
#     "autograder.execute.IsolatedExecute",
#     "nbgrader.preprocessors.IgnorePattern",
#     "nbconvert.preprocessors.ClearMetadataPreprocessor",
#     "nbgrader.preprocessors.LimitOutput",
#     "nbgrader.preprocessors.SaveAutoGrades",
#     "nbgrader.preprocessors.AssignLatePenalties",
#     "nbgrader.preprocessors.CheckCellMetadata",
# ]
