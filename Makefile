# The developer loop. Every target does all of its own set-up and is quick the second time; `make help` lists them.
#
#   PYTHON=python3.12       the interpreter that makes .venv (3.11 or newer)
#   TORCH_INDEX_URL=<url>   the package index that torch comes from, for a CPU-only or a certain CUDA build
#   DYAD_BROWSER=<path>     the Chromium or Chrome that the browser tests drive
#   ARGS="-k store"         further arguments for pytest (test, e2e) or for the benchmark (bench)

SHELL := /bin/bash
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help setup run test check soak bench e2e pins audit format clean FORCE

PYTHON ?= python3
export PYTHON TORCH_INDEX_URL
ARGS ?=
PY := .venv/bin/python
READY := .venv/.ready
STARTED := $(shell date +%s)

# Data sets are optional: tests that need one skip with a reason where it is not there.
ifneq ($(wildcard ../shared/data),)
export DYAD_DATA_DIR ?= $(abspath ../shared/data)
endif

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with everything pinned in constraints.txt
	@echo "==> .venv is ready: $$($(PY) --version)"

$(READY): pyproject.toml constraints.txt scripts/setup-environment
	@scripts/setup-environment
	@touch $@

# Another index for torch than the one it came from asks for another torch.
ifneq ($(TORCH_INDEX_URL),)
ifneq ($(TORCH_INDEX_URL),$(shell cat .venv/.torch-index 2>/dev/null))
$(READY): FORCE
endif
endif

run: $(READY) ## start the backend and the dashboard, print the address; Ctrl-C ends both
	@echo "==> Starting the backend and the dashboard (Ctrl-C ends both)"
	@exec .venv/bin/dyad up

check: $(READY) ## ruff, formatting, mypy --strict
	@echo "==> Checking style (ruff), formatting (ruff format) and types (mypy)"
	@$(PY) -m ruff check --quiet .
	@$(PY) -m ruff format --quiet --check . || { echo "Some files are not formatted: make format" >&2; exit 1; }
	@$(PY) -m mypy

test: check ## check, then every test, in a real browser too
	@browser=$$(scripts/find-browser) && echo "==> Running every test" && \
	  env $${browser:+DYAD_BROWSER="$$browser"} $(PY) scripts/run_tests.py $(ARGS) && \
	  echo "==> make test took $$(( $$(date +%s) - $(STARTED) )) s"

e2e: $(READY) ## the browser tests alone
	@browser=$$(scripts/find-browser) && echo "==> Running the browser tests" && \
	  env $${browser:+DYAD_BROWSER="$$browser"} $(PY) -m pytest tests/e2e $(ARGS)

soak: $(READY) ## the long proofs, an hour or more: kills under load, drawn requests, a crowd of clients (ARGS="-k faults": some of them)
	@export SOAK_REPORTS=$$PWD/.soak/$$(date -u +%Y%m%dT%H%M%SZ) && mkdir -p $$SOAK_REPORTS && \
	  echo "==> Running the long forms; their reports go to $$SOAK_REPORTS" && \
	  $(PY) -m pytest -m soak -s $(ARGS) && \
	  { [ -n "$(ARGS)" ] || $(PY) -m pytest tests/backend --database postgresql; }

bench: $(READY) ## measure the speed suite here, half an hour at most (ARGS=--quick: only try it, ARGS=--full: the whole grid)
	@echo "==> Measuring the speed suite; leave the machine alone meanwhile"
	@$(PY) -m dyad_core.bench --suite speed $(ARGS)

pins: $(READY) ## write docker/requirements anew: what the images install, with the hash of every file
	@$(PY) scripts/pin_hashes.py $(wildcard wheels/torch-*.whl)

audit: $(READY) ## hold what the images install against the known vulnerabilities; what could not be audited is an error
	@$(PY) scripts/audit_dependencies.py

format: $(READY) ## let ruff format the code and mend what it can
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

clean: ## remove .venv and every cache; runs and settings in .dyad stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
