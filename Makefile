# Everything a fresh machine needs is Python 3.11 or newer and make. `make demo` and `make test` are the two to know.
PYTHON ?= python3
VENV ?= .venv
# Further words for the command behind a target: make demo ARGS="--exit --json demo.json", make test ARGS="-k ring"
ARGS ?=
# Tests in this many processes; each has its own PostgreSQL and Valkey. Two more than two cores, as tests also wait.
JOBS ?= 4
SEEDS ?= 200
MINUTES ?= 5
# In each of the worlds, and through the processes; the tests play 40 of each, and 60.
CASES ?= 300

# Works with `make -C checkout` and `make -f checkout/Makefile` alike, blanks in the path included.
IN = cd "$$(dirname "$(strip $(MAKEFILE_LIST))")" &&
TOO_OLD = make: this needs Python 3.11 or newer as "$(PYTHON)"; name another: make PYTHON=python3.12
PYTHON_OK = "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo '$(TOO_OLD)' >&2; exit 1; }
SETUP = $(IN) $(PYTHON_OK); "$(PYTHON)" tools/environment.py "$(VENV)"

.DEFAULT_GOAL := help
.PHONY: help demo test lint pytest simulate parity chaos pictures audit lock clean setup setup-dev

help:  ## what can be made
	@$(IN) sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile

setup:
	@$(SETUP)

setup-dev:
	@$(SETUP) dev

demo: setup  ## 45 days of 200 failing customers in about a minute, on real parts; ends with Ctrl-C
	@$(IN) exec "$(VENV)/bin/recovery" demo $(ARGS)

# Style and types beside the tests: the tests also wait, and mypy runs on one core.
test:  ## set up, check style, types and layers, run all tests
	@$(IN) $(MAKE) --no-print-directory -f "$$PWD/Makefile" -j2 lint pytest

lint: setup-dev  ## style, types and the one-way flow between the rooms
	@$(IN) echo "lint: ruff" && "$(VENV)/bin/ruff" check --quiet . && "$(VENV)/bin/ruff" format --check --quiet .
	@$(IN) echo "lint: mypy" && "$(VENV)/bin/mypy" recovery tests tools benchmarks
	@$(IN) echo "lint: import-linter" && "$(VENV)/bin/lint-imports" --no-logo

pytest: setup-dev
	@$(IN) exec "$(VENV)/bin/python" -m pytest -n $(JOBS) $(ARGS)

simulate: setup-dev  ## whole worlds from seeds, each judged by checkers: make simulate SEEDS=2000
	@$(IN) exec "$(VENV)/bin/python" tests/simulation/run.py --seeds $(SEEDS) $(ARGS)

parity: setup-dev  ## many cases over HTTP and a real database, and through the processes, decision by decision against the backtest: make parity CASES=1000
	@$(IN) RECOVERY_PARITY_CUSTOMERS=$(CASES) exec "$(VENV)/bin/python" -m pytest -n $(JOBS) --timeout 3600 tests/backtest/test_backtest_parity.py tests/chaos/test_chaos_parity.py $(ARGS)

chaos: setup-dev  ## real processes killed at random, servers too, judged by checkers: make chaos MINUTES=10
	@$(IN) PYTHONPATH=tests/simulation exec "$(VENV)/bin/python" tests/chaos/chaos_run.py --minutes $(MINUTES) $(ARGS)

pictures: setup-dev  ## the pictures of docs/emails anew, after a change of letters or pages; look at them
	@$(IN) exec "$(VENV)/bin/python" tools/pictures.py $(ARGS)

audit:  ## ask for known advisories about the pinned packages; says so where nobody can be asked
	@$(IN) $(PYTHON_OK); "$(PYTHON)" tools/audit.py $(ARGS)

lock:  ## write constraints.txt anew from what pyproject.toml admits
	@$(IN) $(PYTHON_OK); "$(PYTHON)" tools/environment.py --renew-pins

clean:  ## remove what was made here (not the data in .recovery)
	@$(IN) rm -rf "$(VENV)" .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@$(IN) find recovery tests benchmarks tools -name __pycache__ -type d -prune -exec rm -rf {} +
