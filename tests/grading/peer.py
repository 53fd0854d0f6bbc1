"""A pytest plugin: nbgrader with our preprocessors in its default lists."""

from nbgrader.converters import Autograde
from nbgrader.preprocessors import Execute

from autograder.execute import IsolatedExecute, Rebuild


def swap(trait, change):
    """Change the default of a list trait of Autograde's."""
    trait = Autograde.class_traits()[trait]
    trait.default_args = (change(list(trait.default_args[0])),)


swap("sanitize_preprocessors", lambda steps: [Rebuild, *steps])
swap(
    "autograde_preprocessors", lambda steps: [IsolatedExecute if step is Execute else step for step in steps]
)
