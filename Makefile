.DEFAULT_GOAL := help
.PHONY: help setup wheel demo test test-rest test-all conformance lint format bench bench-compare costs notebooks clean

VENV   ?= .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
OUT    ?= results/demo
SCHEDULES ?= 5000
WORKERS ?= 2
BASE   ?= main
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

# many programs are started: keep what Python compiles for the first of them
unexport PYTHONDONTWRITEBYTECODE

help: ## show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## a virtual environment with chatsim and all its extras
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --editable '.[dev]' --constraint constraints.txt
	@touch $@

demo: setup ## race every creation strategy on a real MySQL; prints the table, saves the figure
	$(BIN)/chatsim race --pattern same_pair --pattern hot_pairs --pattern strangers --out $(OUT)

test: setup ## the first tier of tests, all but the slow ones; skips what this machine lacks (Docker), and says so
	$(PYTEST) -p no:nbmake -m "not slow" tests

test-rest: setup ## the second tier: the slow tests, and the notebooks are executed
	$(PYTEST) -m slow --nbmake tests notebooks

test-all: setup ## both tiers in one run
	$(PYTEST) --nbmake tests notebooks

conformance: setup ## does the model do what MySQL does? The recorded schedules, and SCHEDULES (5000) drawn ones; an hour
	CHATSIM_TEST_SCHEDULES=$(SCHEDULES) $(BIN)/python -m pytest tests/conformance

lint: setup ## ruff, mypy (strict), the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

wheel: setup ## build the wheel and try it, installed alone outside the checkout
	.ci/wheel.sh

format: setup ## let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## measure everything, most of an hour; a folder under results/bench with JSON, a table, figures
	$(BIN)/python benchmarks/report.py

bench-compare: setup ## the times of this tree beside those of BASE, a git ref (main); ARGS are given to pytest
	$(BIN)/chatsim bench-compare $(BASE) -- $(ARGS)

costs: setup ## costs that are counts, compared with benchmarks/costs.json; WRITE=1 records them
	$(BIN)/python benchmarks/costs.py $(if $(WRITE),--write)

notebooks: setup ## execute the notebooks again and keep their outputs
	TQDM_DISABLE=1 $(BIN)/jupyter nbconvert --to notebook --execute --inplace notebooks/*.ipynb

clean: ## remove the virtual environment, results and caches
	rm -rf $(VENV) results .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
