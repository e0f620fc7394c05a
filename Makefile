# Two commands do everything on a fresh machine: `make demo` and `make test`. Needs Python 3.11+ and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.gorodok-dev
TORCH := torch==2.13.0

.DEFAULT_GOAL := help
.PHONY: help setup setup-vision demo test test-fast test-deps lint format bench docs shots lock clean

help: ## List these targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(STAMP) ## Make .venv with bin/gorodok and everything but torch

$(STAMP): requirements/dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	touch $@

setup-vision: setup ## Add ultralytics and torch (CPU) to .venv for vision jobs
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/vision.txt

demo: setup ## Run the city on embedded defaults and print its addresses (Ctrl-C ends)
	$(BIN)/gorodok demo

test: setup ## Run all tests (those that need a system package say so when they skip)
	$(BIN)/python -m pytest

test-fast: setup ## Run the tests that take less than five seconds
	$(BIN)/python -m pytest -m "not slow and not browser and not fault"

test-deps: ## Install what some tests need of the system, where we may (Debian, root)
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  missing=""; \
	  command -v mosquitto >/dev/null || test -x /usr/sbin/mosquitto || missing="$$missing mosquitto"; \
	  command -v mosquitto_pub >/dev/null || missing="$$missing mosquitto-clients"; \
	  command -v chromedriver >/dev/null || missing="$$missing chromium chromium-driver fonts-dejavu"; \
	  ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$$missing postgresql"; \
	  if [ -n "$$missing" ]; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; fi; \
	else echo "not root on Debian: tests that need mosquitto, chromium or postgresql will skip"; fi

lint: setup ## Check format, style, types, import rules and generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m ingest.derive --check
	$(BIN)/python docs/reference.py --check

format: setup ## Format and fix what can be fixed
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: setup ## Run the benchmarks and print their tables
	for name in $$($(BIN)/gorodok bench --list); do $(BIN)/gorodok bench $$name; done

docs: setup ## Build the documentation into site/
	$(BIN)/mkdocs build --strict

shots: setup ## Screenshot of every page, both languages and widths, into artefacts/screens
	$(BIN)/python -m tests.browser.shots

lock: setup ## Make requirements/*.txt anew from pyproject.toml
	for extra in dev scale; do \
	  $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --extra $$extra pyproject.toml -o requirements/$$extra.txt; done
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 pyproject.toml -o requirements/base.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 -c requirements/base.txt \
	  --overrides requirements/vision-overrides.txt requirements/vision.in -o requirements/vision.txt

clean: ## Remove what can be made again (data under var/ stay)
	rm -rf $(VENV) site dbt/target .pytest_cache .mypy_cache .ruff_cache artefacts
