# Kinesight: one command each. `make help` lists them. Everything runs inside .venv, which `make setup` creates.
# Variables: ARGS (arguments of the command behind quickstart, bench or lock), PYTEST_ARGS (arguments of pytest),
# PYTHON (the interpreter that .venv is made from).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup quickstart test lint check bench lock clean

ARGS ?=
PYTEST_ARGS ?= -n auto -m "not sweep"

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: ## create .venv with the pinned requirements and this package; nothing to do when up to date
	@scripts/setup.sh

quickstart: setup ## collect, train, evaluate and report at laptop size (ARGS="--out DIR")
	@.venv/bin/kinesight quickstart $(ARGS)

test: setup ## run the tests but the long sweeps (PYTEST_ARGS="-n auto" runs all, "-k plan -x" some)
	@.venv/bin/pytest $(PYTEST_ARGS)

lint: setup ## formatting, lint, types and the import layers
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/pyright
	@.venv/bin/lint-imports

check: lint test ## lint, then test: what a change has to pass

bench: setup ## run the benchmarks in bench/ that need no run or data, results to runs/bench (ARGS are passed on)
	@for script in $$(grep -L "required=True" bench/*.py); do \
		echo "== $$script"; .venv/bin/python "$$script" --out runs/bench $(ARGS); done

lock: setup ## resolve requirements/*.txt again (ARGS=--upgrade takes newer versions)
	@scripts/lock.sh $(ARGS)

clean: ## remove .venv and every cache; data/ and runs/ stay
	@rm -rf .venv dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find src tests bench examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
