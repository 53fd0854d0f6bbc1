# Needs python3 (3.11 or newer) with venv, and make. Every target makes its own environment in .venv first.
PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
INSTALLED := $(VENV)/.installed
# nbgrader calls `alembic` by name
export PATH := $(abspath $(VENV)/bin):$(PATH)

.PHONY: help env demo test lab build gpu-check

help:
	@echo "make demo   build unit 01, make a sample class, grade it, show the result"
	@echo "make lab    open JupyterLab on your own copy of the lessons, in my-lessons/ (ARGS=... for more)"
	@echo "make test   run every test that this machine can run"
	@echo "make build  make release/ and solutions/ from source/"
	@echo "make gpu-check   on a machine with an NVIDIA GPU: the GPU's tests and the benchmarks of training"
	@echo "make env    only make the environment, in .venv/"

env: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	@echo "Installing the course and what it needs into $(VENV) (minutes, once)."
	$(VENV)/bin/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e ".[grading,dev]"
	touch $@

demo: env
	convnets demo

lab: env
	convnets lab $(ARGS)

build: env
	convnets build

# as many workers as cores: threads of torch's and NumPy's own would only wait for each other
test: export OMP_NUM_THREADS = 1
test: env
	ruff check .
	mypy
	convnets build --check
	pytest --nbval-lax solutions --doctest-modules course autograder --ignore-glob='*/nbgrader_config.py' -n $(WORKERS) --dist loadfile
	pytest -n $(WORKERS) --dist worksteal

# results go to tests/benchmarks/RESULTS.md; without a GPU it stops at the second line and says so
gpu-check: env
	pytest -m gpu tests/unit/test_gpu.py
	python -m tests.benchmarks.training --compile --write
	python -m tests.benchmarks.cifar paper --compile --write
	python -m tests.benchmarks.cifar fast --compile --runs 5 --write
