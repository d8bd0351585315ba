.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
EXAMPLE := examples/sales-forecast
LINT := $(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

.PHONY: help setup demo docs test test-docs test-recipes soak test-faults test-many corpus fuzz bench bench-full report test-report bench-memory lint clean

help: ## these words
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

setup: ## .venv, a Docker Engine if none answers, a base image
	@scripts/setup

demo: setup ## build the example's image and run its flow in it
	@$(BIN)/imagekit build $(EXAMPLE)
	@cd $(EXAMPLE) && ../../$(BIN)/imagekit run flow.py:forecast -p days=14

docs: $(BIN)/imagekit ## the site of docs/, in build/docs; a broken link is an error
	@$(BIN)/pip install -q --disable-pip-version-check --group docs
	@$(BIN)/sphinx-build -q -W --keep-going -E -b html docs build/docs
	@echo build/docs/index.html

# What tests start reads the bytecode of the package: where PYTHONDONTWRITEBYTECODE is set, each process would compile
# anew what was edited since `make setup`.
# A group of tests that shares something dear (a base image, an engine of its own) runs in one worker. While mypy has
# one processor, another rewrites the tests' asserts: the workers find them done, and else each would do them all.
test: setup ## lint, then the tests
	@$(BIN)/python -m compileall -q imagekit
	@PYTHONDONTWRITEBYTECODE= $(BIN)/pytest --collect-only -qq >/dev/null 2>&1 & \
	$(LINT); linted=$$?; wait; [ $$linted = 0 ] && \
	$(BIN)/pytest -n 3 --dist loadgroup $(PYTEST_ARGS)

bench: setup ## imagekit beside the best Dockerfile there is, within 25 minutes; ONLY=tail,cold chooses cases
	@$(BIN)/python -m benchmarks --only '$(ONLY)' $(BENCH_ARGS)

bench-full: setup ## the same with all cases and sets and more rounds, by its cases two and three quarter hours
	@$(BIN)/python -m benchmarks --full --only '$(ONLY)' $(BENCH_ARGS)

report: $(BIN)/imagekit ## a page of what was measured (benchmarks.html), and the figures of README.md; RESULTS=FILE…
	@$(BIN)/imagekit bench report $(RESULTS)
	@$(BIN)/python -m benchmarks.readme

test-report: setup ## the pages in a real Chromium: light, dark, on a phone; screenshots below SCREENSHOTS=DIR
	@command -v chromium >/dev/null || { apt-get update -q && apt-get install -qy --no-install-recommends chromium; }
	@$(BIN)/pip install -q --disable-pip-version-check --group browser
	@$(BIN)/pytest tests/report -m 'browser or not browser' $(PYTEST_ARGS)

bench-memory: setup ## what a build of 2 GB of wheels holds in memory
	@$(BIN)/python -m benchmarks.memory

test-docs: setup ## every command of README.md and docs/, typed as a reader does; PYTEST_ARGS='-k tutorial' chooses
	@$(BIN)/pip install -q --disable-pip-version-check --group docs
	@$(BIN)/pytest tests/documentation -m 'soak or not soak' $(PYTEST_ARGS)

test-recipes: setup ## each recipe built on the base and tried, an hour or so; PYTEST_ARGS='-k hdf5' chooses
	@$(BIN)/pytest tests/recipes_contents -m 'recipes or not recipes' --durations=0 --durations-min=1 $(PYTEST_ARGS)

soak: setup ## builds and engines killed at many points
	@$(BIN)/pytest -m soak $(PYTEST_ARGS)

TIMES := 10

test-faults: setup ## what befalls workers, their runs, store and engine, with real kills; ten times, or TIMES=2
	@for time in $$(seq $(TIMES)); do echo "$$time of $(TIMES)"; $(BIN)/pytest tests/worker -m faults -q $(PYTEST_ARGS) || exit 1; done

RUNS := 1000
AT_ONCE := 4

test-many: setup ## so many runs that wait, by one worker: none lost or doubled, store and memory bounded; RUNS=100 AT_ONCE=4
	@$(BIN)/python -m benchmarks.queued --runs $(RUNS) --at-once $(AT_ONCE)

corpus: setup ## public projects' dependencies: read, resolved, built and checked, or refused as their table says
	@for python in 3.13 3.14; do $(BIN)/imagekit base ensure --quiet --python $$python >/dev/null; done
	@$(BIN)/pytest tests/corpus -m 'soak or not soak' --durations=0 --durations-min=1 $(PYTEST_ARGS)

fuzz: $(BIN)/imagekit ## every parser with any bytes, a minute each, guided by coverage; FUZZ_ARGS='-t 600 requirement'
	@$(BIN)/pip install -q --disable-pip-version-check --group fuzz
	@$(BIN)/python -m tests.fuzz $(FUZZ_ARGS)

lint: $(BIN)/imagekit ## ruff and mypy
	@$(LINT)

$(BIN)/imagekit:
	@scripts/setup --no-engine

clean: ## remove what was made in this checkout; images, engine and caches stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks build dist
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
