# Tandem: `make serve` starts it, `make test` checks it. Everything is installed into .venv, nothing needs root.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
JOBS   ?= 3
PIP_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help serve talk test check node-clients format bench clean

help:  ## Show these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

serve: $(VENV)/.installed  ## Install if needed and start the server on http://127.0.0.1:8000 (ARGS="--port 9000")
	@$(BIN)/tandem serve $(ARGS)

talk: $(VENV)/.installed  ## Talk to a running server from the terminal (ARGS="--file in.wav --out out.wav")
	@$(BIN)/tandem talk $(ARGS)

test: check  ## Run every check and test, three files at a time (ARGS="-k turn" for some, JOBS=1)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.tested  ## Lint, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

node-clients:  ## Install the JavaScript clients that the end-to-end tests run; without them those tests skip
	cd tests/e2e/node && npm ci --ignore-scripts

format: $(VENV)/.tested  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.tested  ## Measure latency, load and memory, 15-20 minutes (ARGS="--recordings FOLDER", of FLAC files)
	$(BIN)/python -m tests.bench.latency $(ARGS)

clean:  ## Remove the environment and caches
	rm -rf $(VENV) tests/e2e/node/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Tandem needs Python 3.11 to 3.13; name one with: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	@echo "Installing Tandem into $(VENV) (once, a few minutes) ..."
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --editable .
	@touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --editable '.[test]'
	@touch $@
