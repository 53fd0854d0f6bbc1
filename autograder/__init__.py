"""What an instructor runs: building the notebooks and grading a class."""
