# `make` alone lists what there is. Options for a command: make test ARGS="--no-cov -k embedded -x"

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

ARGS ?=
# The first of these that is Python 3.11 or newer makes the environment.
PYTHON ?= python3 python3.13 python3.12 python3.11

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq install
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --no-emit-index-url --no-emit-find-links --no-header $(ARGS)

# Each stamp is newer than what its environment was made from.
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development
# The wheel that is deployed, unpacked; it is built from a copy, so that nothing compiled is left beside the sources.
COMPILED := build/compiled
# Names and sums of what is compiled: newer than the wheel once a file was changed, added, renamed or removed.
SUMS := build/sums
# What the tests of it read.
BESIDE := tests benchmarks docs README.md pyproject.toml
HOT_TESTS := tests/unit/worker tests/unit/api_adapter tests/conformance $(addprefix tests/integration/test_, \
	delivery_loop.py http_calls.py http_connecting.py http_pool.py intake_redis.py ledger_state_machine.py redis_scripts.py \
	simulator.py wallet_gateway.py)
# The peers of the benchmarks, apart from the product. Each name is that of a lock file too.
PEERS := .venv-bench .venv-bench-older-redis

.PHONY: help install demo dev drill fuzz test test-compiled lint format wheel bench bench-smoke bench-all lock clean always

help: ## list the targets
	@width=10000; if [ -t 1 ]; then width=$${COLUMNS:-$$(tput cols 2>/dev/null || echo 80)}; fi; \
	awk -F ':.*## ' -v width="$$width" '/^[a-z-]+:.*## / { \
		line = sprintf("  make %-13s", $$1); \
		count = split($$2, words, " "); \
		for (i = 1; i <= count; i++) { \
			if (length(line) + 1 + length(words[i]) > width) { print line; line = sprintf("%20s", "") } \
			line = line " " words[i]; \
		} \
		print line; \
	}' $(MAKEFILE_LIST)

install: $(DEVELOPMENT) ## make .venv with everything that running, testing and changing tidings needs

demo: $(RUNTIME) ## see it work: a whole stack on this machine sends 2,000 notices and accounts for each
	@$(BIN)/tidings demo $(ARGS)

dev: $(RUNTIME) ## the same stack, staying up; data is kept in .tidings, Ctrl-C stops it
	@$(BIN)/tidings dev $(ARGS)

drill: $(RUNTIME) ## play every fault under load and count what was lost or doubled (takes long; ARGS: see --help)
	@$(BIN)/tidings drill $(or $(ARGS),all)

fuzz: $(DEVELOPMENT) ## 100,000 bad and odd requests against real servers (takes minutes; ARGS: see --help)
	@$(BIN)/python -m tests.fuzz $(ARGS)

test: $(DEVELOPMENT) ## run all tests, a file at a time on each core, with coverage
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --cov --cov-report=term-missing $(ARGS)

test-compiled: $(COMPILED)/.built ## run those tests that concern the compiled modules on them
	@rm -rf $(addprefix $(COMPILED)/,$(BESIDE))
	@cp -R $(BESIDE) $(COMPILED)
	@cd $(COMPILED) && $(CURDIR)/$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --quiet $(HOT_TESTS) $(ARGS)

lint: $(DEVELOPMENT) ## check style, types, layers, dependencies and spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry worker api_adapter
	$(BIN)/codespell

format: $(DEVELOPMENT) ## lay out the code and repair what can be repaired
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

wheel: $(COMPILED)/.built ## build the wheel that deployments run, with the hot path compiled, into dist/ (takes a C compiler)

bench: $(DEVELOPMENT) $(COMPILED)/.built $(PEERS:=/.installed) ## the same job on tidings and on each peer; writes the figures of the documents
	@$(BIN)/python -m benchmarks main $(ARGS)

bench-smoke: $(DEVELOPMENT) $(COMPILED)/.built .venv-bench/.installed ## in small: how many times idiomatic Celery tidings delivers; fails under 25
	@$(BIN)/python -m benchmarks smoke $(ARGS)

bench-all: $(DEVELOPMENT) $(COMPILED)/.built $(PEERS:=/.installed) ## every benchmark (takes long); see docs/performance.md
	@$(BIN)/python -m benchmarks all $(ARGS)

lock: $(DEVELOPMENT) ## write the lock files anew from pyproject.toml (ARGS=--upgrade takes newer releases)
	$(COMPILE) pyproject.toml --output-file requirements.lock
	$(COMPILE) --group build --output-file requirements-build.lock
	$(COMPILE) --group compile --constraint requirements.lock --constraint requirements-build.lock --output-file requirements-compile.lock
	$(COMPILE) pyproject.toml --group dev --constraint requirements.lock --output-file requirements-dev.lock
	$(COMPILE) --group bench --output-file requirements-bench.lock
	$(COMPILE) --group bench-older-redis --output-file requirements-bench-older-redis.lock

clean: ## remove the environments and what tools left; .tidings, the data, stays
	rm -rf $(VENV) $(PEERS) build dist htmlcov .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): requirements.lock requirements-build.lock pyproject.toml
	@for python in $(PYTHON); do \
		if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi; \
		python=; \
	done; \
	if [ -z "$$python" ]; then \
		echo "tidings needs Python 3.11 or newer and found none as: $(PYTHON)." >&2; \
		echo "Install one, or name it: make install PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi; \
	if ! $$python -c 'import ensurepip' 2>/dev/null; then \
		echo "$$python can't make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; \
		exit 1; \
	fi; \
	echo "Installing into $(VENV), once ..."; \
	$$python -m venv --clear $(VENV)
	@$(PIP) --require-hashes --requirement requirements.lock --requirement requirements-build.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(DEVELOPMENT): requirements-dev.lock $(RUNTIME)
	@echo "Installing the tools for tests and checks, once ..."
	@$(PIP) --require-hashes --requirement requirements-dev.lock
	@touch $@

$(SUMS): always
	@mkdir -p $(@D)
	@find worker api_adapter -name __pycache__ -prune -o -type f -print | LC_ALL=C sort | xargs cksum >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(COMPILED)/.built: $(DEVELOPMENT) $(SUMS)
	@command -v cc >/dev/null || { \
		echo "To compile takes a C compiler and Python's headers. On Debian and Ubuntu: apt install gcc libc6-dev python3-dev" >&2; \
		exit 1; \
	}
	@echo "Compiling the hot path, for about a minute ..."
	@rm -rf build/source $(COMPILED) dist
	@mkdir -p build/source
	@cp -R worker api_adapter pyproject.toml README.md LICENSE build/source
	@HATCH_BUILD_HOOK_ENABLE_MYPYC=1 $(PIP:install=wheel) --no-deps --no-build-isolation --wheel-dir dist ./build/source
	@$(BIN)/python -m zipfile -e dist/*.whl $(COMPILED)
	@rm -rf build/source
	@touch $@

.venv-%/.installed: requirements-%.lock | $(RUNTIME)
	@echo "Installing the peers of the benchmarks into $(@D), once ..."
	@$(BIN)/python -m venv --clear $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check -qq install --require-hashes --requirement $<
	@touch $@
