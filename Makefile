# What people type. Everything lands in .venv; nothing is installed elsewhere.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo
SLURM := slurmctld slurmd slurm-client

.PHONY: help install demo test test-all faults test-airflow test-slurm test-ray lint types format docs bench sample sbom audit-deps clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.made: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "corpusmill needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --only-binary :all: -e .
	@touch $@

$(VENV)/.made-dev: $(VENV)/.made
	$(BIN)/python -m pip install --quiet --only-binary :all: --no-binary jsonpath-rw -e . --group dev
	@touch $@

install: $(VENV)/.made  ## the command, in .venv

demo: $(VENV)/.made  ## curate sample_data and say where the result and the report are
	$(BIN)/corpusmill run default --input sample_data --output $(DEMO)
	@$(BIN)/corpusmill verify $(DEMO)

test: $(VENV)/.made-dev  ## the tests, but for the slow ones
	$(BIN)/python -m pytest -m "not slow and not slurm and not ray" -n auto

test-all: $(VENV)/.made-dev  ## every test, with the heavy packages that some of them need
	$(BIN)/python -m pip install --quiet --only-binary :all: --group heavy
	$(BIN)/python -m pytest -m "not slurm and not ray" -n auto

faults: $(VENV)/.made-dev  ## every fault done to a run, and what came of it into docs/operations/faults.md (half an hour)
	CORPUSMILL_RECORD_FAULTS=1 $(BIN)/python -m pytest -n 0 tests/faults
	$(BIN)/python docs/generate.py

test-airflow: $(VENV)/.made-dev  ## the Airflow DAG on a real Airflow, in an environment of its own (.airflow)
	test -x .airflow/bin/airflow || ($(PYTHON) -m venv .airflow && .airflow/bin/pip install --quiet --only-binary :all: apache-airflow)
	CORPUSMILL_AIRFLOW=$(CURDIR)/.airflow/bin/airflow $(BIN)/python -m pytest -m slow tests/test_operations.py

test-slurm: $(VENV)/.made-dev  ## runs on a real Slurm of three nodes; Debian's packages are installed when root may
	@command -v slurmctld >/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null \
	  || apt-get install -y -qq --no-install-recommends $(SLURM) >/dev/null 2>&1 \
	  || { apt-get update -qq && apt-get install -y -qq --no-install-recommends $(SLURM); } >/dev/null 2>&1 || true
	$(BIN)/python -m pytest -n 0 -m slurm tests/cluster $(ONLY)

test-ray: $(VENV)/.made-dev  ## runs on a real Ray of two nodes
	$(BIN)/python -m pip install --quiet --only-binary :all: -e '.[ray]' || true
	$(BIN)/python -m pytest -n 0 -m ray tests/cluster $(ONLY)

lint: $(VENV)/.made-dev  ## formatting and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.made-dev  ## the type checker
	$(BIN)/mypy

format: $(VENV)/.made-dev  ## mend formatting and what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.made-dev  ## bring the generated parts of docs/ up to date
	$(BIN)/python docs/generate.py

bench: $(VENV)/.made-dev  ## MB/s of every filter and of the whole, beside plain pyarrow
	$(BIN)/python benchmarks/pipeline.py

sample: $(VENV)/.made  ## make sample_data anew
	$(BIN)/python sample_data/make.py

sbom: $(VENV)/.made-dev  ## sbom.json: what the command is installed with, as a CycloneDX bill of materials with licences
	$(BIN)/python .ci/sbom.py sbom.json

audit-deps: $(VENV)/.made-dev  ## known vulnerabilities of what is installed, by pip-audit (asks a public service), in an environment of its own (.audit)
	$(BIN)/python .ci/audit_deps.py .audit

clean:  ## remove what make made
	rm -rf $(VENV) .airflow .audit sbom.json $(DEMO) .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
