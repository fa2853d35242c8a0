# Everything here needs make and Python >= 3.11 with venv; the rest comes from requirements.lock into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
TESTS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench soak peers lock clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST))

setup: $(READY) ## the environment alone

demo: $(READY) ## simulate scenes and run a job on them, into ./demo
	$(BIN)/sarbatch demo

test: check ## check, then the whole test suite (TESTS="-k speckle": a part of it)
	$(BIN)/python -m pytest -n 2 --dist loadfile $(TESTS)

check: $(READY) ## style, types, directions of imports, spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

bench: $(READY) ## the scripts in tests/benchmarks, one by one
	@set -e; for script in tests/benchmarks/[!_]*.py; do \
	  test -e "$$script" || continue; echo "== $$script"; $(BIN)/python "$$script"; done

soak: $(READY) ## the long random suites
	$(BIN)/python -m pytest -m soak --timeout 0 $(TESTS)

peers: $(READY) ## our files and numbers against MintPy, in an environment of its own
	set -e; PEER_MINTPY=$$(tests/peers/make_environment.sh); export PEER_MINTPY; \
	  $(BIN)/python -m pytest -m peers --timeout 0 $(TESTS)

lock: ## pin anew what pyproject.toml asks for
	@command -v uv >/dev/null || { echo "make lock needs uv: 'python3 -m pip install uv' in an environment of your own" >&2; exit 1; }
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --quiet -o requirements.lock

clean: ## remove the environment, the demo and every cache
	rm -rf $(VENV) .peers demo dist build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A Python that is too old, or without venv, is told before anything is made. An environment whose Python is gone is made anew.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "sarbatch needs Python >= 3.11, and $(PYTHON) is older or not there: try 'make PYTHON=python3.12 $(or $(MAKECMDGOALS),setup)'" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	  { echo "$(PYTHON) has no venv with pip: install it (Debian, Ubuntu: the package python3-venv)" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
