# The one definition of green is `make test`; CI and people call the same target.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMPS := .stamps
TESTS  ?= tests
# Worker processes for the tests: the machine's cores, unless given.
JOBS   ?= auto

export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Numeric libraries get one thread: on few cores more threads make small calls slower.
export OMP_NUM_THREADS = 1
export OPENBLAS_NUM_THREADS = 1

.PHONY: help venv demo test check lint types house bench simulate faults lock clean

help:  ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## / - /'

$(STAMPS)/core: requirements/core.lock pyproject.toml
	@mkdir -p $(STAMPS)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked core dependencies into $(VENV) (about a minute on a new machine)"
	@$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements/core.lock
	@$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

$(STAMPS)/dev: requirements/dev.lock $(STAMPS)/core
	@echo "installing the locked test tools into $(VENV)"
	@$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements/dev.lock
	@touch $@

venv: $(STAMPS)/dev  ## .venv with the ratchet command and everything the tests want

demo: $(STAMPS)/core  ## the whole daemon on the embedded simulated market: no account, no network
	@$(BIN)/ratchet demo

lint:
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types:
	@$(BIN)/mypy

house:
	@$(BIN)/lint-imports --no-cache

check: $(STAMPS)/dev lint types house  ## lint, types and import rules, without the tests

test: $(STAMPS)/dev check  ## lint, types, import rules and every test
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadscope $(TESTS)

bench: $(STAMPS)/dev  ## benchmarks; figures are ratios between runs on this machine
	@$(BIN)/python -m bench

# Seeds to simulate, the first of them, and processes side by side; JOBS is that of the tests unless given.
SEEDS ?= 100
FIRST ?= 1
simulate: $(STAMPS)/dev  ## whole daemons on virtual time, with everything that goes wrong: make simulate SEEDS=1000
	@PYTHONPATH=tests $(BIN)/python -m simulation --first $(FIRST) --seeds $(SEEDS) --jobs $(if $(filter auto,$(JOBS)),2,$(JOBS))

# Random kills, and a file of `python -m simulation --json FILE` to take into the document.
KILLS ?= 1000
SIMULATION ?=
faults: $(STAMPS)/dev  ## a real daemon through every fault and 1,000 kills; rewrites the tables of docs/reliability.md
	@PYTHONPATH=tests $(BIN)/python -m fault_runs --kills $(KILLS) $(if $(SIMULATION),--simulation $(SIMULATION))

lock:  ## resolve the dependencies anew (needs uv on the PATH)
	uv pip compile -q --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  pyproject.toml -o requirements/core.lock
	uv pip compile -q --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --extra dev -c requirements/core.lock pyproject.toml -o requirements/dev.lock

clean:  ## remove the environment and caches
	rm -rf $(VENV) $(STAMPS) .mypy_cache .pytest_cache .ruff_cache .hypothesis
