# Two commands set everything up on a fresh machine: `make quickstart` and `make test`.
PYTHON ?= python3
WORKERS ?= 2
DATA ?= $(MOLFOUND_DATA)
BIN := .venv/bin
INSTALLED := .venv/.installed
CODE := molfound tests benchmarks docs
BENCHMARKS := batches featurize train_step sparse_tasks loader_share metrics mixing two_track conformers scaffold_sampling toymix_store scale kill_prepare kill_training resume_matrix predict conformal

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install quickstart test lint types layers tests docs format bench clean

help:
	@echo "make quickstart   install into .venv and train the quickstart (no download of data, a few minutes)"
	@echo "make test         install into .venv and run every check: lint, format, types, layers, documentation, tests"
	@echo "make docs         build the documentation: open site/index.html, no network needed"
	@echo "make format       mend what ruff can mend"
	@echo "make bench        run the benchmarks on real data: make bench DATA=FOLDER"
	@echo "make clean        remove .venv, caches and builds (runs and stores stay)"
	@echo "PYTHON=python3.12 chooses the interpreter, WORKERS=4 the test processes"

# torch goes first and alone, so that the pinned build is taken and no other dependency chooses one.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "molfound needs Python 3.11 to 3.13 and $(PYTHON) is %d.%d; choose another: make PYTHON=python3.12 ..." % v)'
	@test -x $(BIN)/python || { echo "== making .venv"; $(PYTHON) -m venv .venv; }
	@echo "== installing torch"
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt torch
	@echo "== installing molfound"
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

install: $(INSTALLED)

quickstart: $(INSTALLED)
	$(BIN)/molfound train quickstart --overwrite
	@echo "Next: $(BIN)/molfound predict runs/quickstart 'O=C(Nc1ccc(F)cc1)c1cccnc1' 'Clc1ccccc1C2=NCC(=O)Nc3ccccc23'"

test: lint types layers docs tests
	@echo "== all checks passed"

lint: $(INSTALLED)
	@echo "== lint: ruff check"
	@$(BIN)/ruff check $(CODE)
	@echo "== format: ruff format --check"
	@$(BIN)/ruff format --check $(CODE)

types: $(INSTALLED)
	@echo "== types: mypy"
	@$(BIN)/mypy

layers: $(INSTALLED)
	@echo "== layers: lint-imports"
	@$(BIN)/lint-imports

tests: $(INSTALLED)
	@echo "== tests: pytest"
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS)

docs: $(INSTALLED)
	@echo "== documentation: mkdocs build --strict"
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

format: $(INSTALLED)
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

bench: $(INSTALLED)
	@test -n "$(DATA)" || { echo "name the folder of the datasets: make bench DATA=FOLDER"; exit 2; }
	@set -e; for script in $(BENCHMARKS); do echo "== $$script"; MOLFOUND_DATA="$(DATA)" $(BIN)/python benchmarks/$$script.py; done

clean:
	rm -rf .venv build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find molfound tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
