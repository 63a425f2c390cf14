# make demo · make test · make docs · make clean
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
PACKAGE := $(PIP) --no-build-isolation --editable

.PHONY: demo test lint types budget docs clean

demo: $(VENV)/package  ## train a spiking network on handwritten digits and write a report
	$(BIN)/surgrad train experiments/digits.toml --out runs/demo
	@echo "The report lies at $(CURDIR)/runs/demo/report.html"

# the tests build the documentation as well
test: lint types budget  ## everything that must hold before a change lands
	$(BIN)/python -m pytest -n 2 -m "not slow"

lint: $(VENV)/tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/tools
	$(BIN)/pyright --pythonpath $(BIN)/python

budget: $(VENV)/tools
	$(BIN)/python tools/budget.py surgrad

docs: $(VENV)/tools  ## the documentation, in site/
	$(BIN)/python tools/build_docs.py

clean:
	rm -rf $(VENV) site runs/demo .pytest_cache .ruff_cache .hypothesis

$(VENV)/torch: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("surgrad needs Python 3.11 or newer; run: make PYTHON=python3.11 ..." \
	  if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch==2.13.0
	$(PIP) hatchling editables
	@touch $@

$(VENV)/package: $(VENV)/torch pyproject.toml
	$(PACKAGE) '.[data,report]'
	@touch $@

$(VENV)/tools: $(VENV)/torch pyproject.toml
	$(PACKAGE) '.[data,report,dev]'
	@touch $@ $(VENV)/package
