# Two commands do all: `make run` and `make test`. Each installs what it needs.
.DEFAULT_GOAL := help
.PHONY: help run test lint types floors format faults bench clean
.SILENT: help

VENV := .venv
BIN := $(VENV)/bin
# Three sessions on two cores, because most tests wait; each takes whole files, in the order of tests/conftest.py.
SIDE_BY_SIDE := -n 3 --dist loadfile --no-loadscope-reorder

help: ## Show this list
	grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

$(VENV)/.installed: pyproject.toml .ci/setup
	bash .ci/setup $(VENV) ""
	touch $@

$(VENV)/.installed-dev: pyproject.toml .ci/setup
	bash .ci/setup $(VENV) "[dev]"
	touch $(VENV)/.installed $@

run: $(VENV)/.installed ## Install, then run everything on samples/ and inbox/ (Ctrl-C stops)
	mkdir -p inbox
	exec $(BIN)/copydesk run

test: $(VENV)/.installed-dev ## Install, then run all tests
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

lint: $(VENV)/.installed-dev ## Check style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.installed-dev ## Check types
	$(BIN)/mypy

floors: $(VENV)/.installed-dev ## Check that modules import only downwards
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

faults: $(VENV)/.installed-dev ## Run every fault scenario in full, for hours (F='F1 F3 --runs 3 --server redis' chooses)
	$(BIN)/python -m tests.faults $(F)

bench: $(VENV)/.installed-dev ## Measure throughput
	$(BIN)/python benchmarks/throughput.py
	$(BIN)/python benchmarks/polling.py
	$(BIN)/python -m benchmarks.pull_workers

clean: ## Remove the environment and caches (never data/)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build *.egg-info
