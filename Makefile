# Touchline: every command a contributor or a first-time user needs. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help setup dev up demo test check bench lock clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

$(VENV)/.installed: pyproject.toml requirements.lock build_native.py $(wildcard stream/core/native/*)
	$(PYTHON) -c 'import sys; sys.exit("touchline needs Python 3.11 or newer, this is %s; try: make PYTHON=python3.12 ..." % sys.version.split()[0]) if sys.version_info < (3, 11) else 0'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[test,check]'
	touch $@

setup: $(VENV)/.installed ## create .venv and install the product into it

dev: $(VENV)/.installed-dev ## the same with the test and check tools

up: setup ## run everything on this machine (data in ./touchline-data)
	$(BIN)/touchline up --data touchline-data

demo: setup ## set up, start everything, play a B2B story and show its numbers
	$(BIN)/touchline demo

test: dev ## set up and run the tests, two files at a time
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: dev ## formatting, lint, types, layers: what CI checks before the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: dev ## measure the figures of docs/performance.md, each against its yardstick
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[bench]'
	$(BIN)/python -m bench

lock: ## refresh requirements.lock from pyproject.toml
	rm -rf .lock-venv && $(PYTHON) -m venv .lock-venv
	.lock-venv/bin/pip install --quiet --disable-pip-version-check -e '.[test,check,bench]'
	.lock-venv/bin/pip freeze --all --exclude pip --exclude-editable --disable-pip-version-check > requirements.lock
	rm -rf .lock-venv

clean: ## remove .venv and what the demo left
	rm -rf $(VENV) touchline-data .pytest_cache .mypy_cache .ruff_cache
