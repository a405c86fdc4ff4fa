# Two commands do everything on a fresh machine with Python 3.11 or later: `make day` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The CPU build of torch by default; with a GPU: make day TORCH_INDEX=https://download.pytorch.org/whl/cu130
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

.PHONY: day test check lint benchmark schema clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Commonwatt needs Python 3.11 or later")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	@echo "Installing torch and the other packages (a few minutes the first time)"
	$(BIN)/pip install --quiet --constraint constraints.txt --extra-index-url $(TORCH_INDEX) --retries 1 torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

day: $(READY)
	$(BIN)/python simulation.py day

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

check: lint test

benchmark: $(READY)
	$(BIN)/python -m benchmarks.core
	$(BIN)/python -m benchmarks.mechanisms --honest
	$(BIN)/python -m benchmarks.datagen
	$(BIN)/python -m benchmarks.learning

schema: $(READY)
	$(BIN)/python -m report.json_schema

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
