# Each command makes its own virtual environment where there is none.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: verify test docs browse bench format clean

verify: $(VENV)/for-use  ## judge every theorem; table here, page in report/index.html
	$(BIN)/rltheory verify

test: $(VENV)/for-test  ## lint, format, types, import contracts, tests, proof checks, doctests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --numprocesses=auto

docs: $(VENV)/for-docs  ## build the documentation in docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going --jobs auto -b html docs docs/_build/html

browse: $(VENV)/for-browser docs verify  ## open report, documentation and demos in a browser; needs Chromium, or installs it
	$(BIN)/pytest --no-header tests/browser/check_pages.py

bench: $(VENV)/for-bench  ## race the peers and the machine's limits; one table
	$(BIN)/python -m benchmarks

format: $(VENV)/for-test  ## put the sources into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove what the other commands made
	rm -rf $(VENV) report docs/_build docs/gallery docs/api docs/theorems

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/for-use: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/for-test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@ $(VENV)/for-use

$(VENV)/for-docs: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	touch $@

$(VENV)/for-browser: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[test,browser]"
	touch $@

# A peer that does not install here is named, by this and by the benchmarks, and the others race without it.
$(VENV)/for-bench: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['bench'], sep='\n')" \
	  | while read -r peer; do $(BIN)/python -m pip install --quiet "$$peer" || echo "$$peer does not install here"; done
	touch $@
