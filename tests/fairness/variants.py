"""The register of right answers that look different; each unit fills it from its own tests/fairness/variants_NN.py."""

VARIANTS = {}  # (exercise, what is different) -> function


def variant(name, what):
    """Register the decorated function as another right way to write the exercise ``name``."""

    def add(function):
        VARIANTS[name, what] = function
        return function

    return add
