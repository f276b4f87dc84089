# Each target is self-sufficient: it makes the environment if there is none, and does its job.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= $(HANDFUL_DATA)

.PHONY: run test lint bench train

run: $(VENV)/ready
	$(BIN)/handful serve

test: $(VENV)/ready
	$(BIN)/pytest

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/ready
	$(BIN)/python -m benchmarks.batching

# All models of the zoo: make train DATA=omniglot.npz
train: $(VENV)/ready
	for model in sinusoid glyphs glyphs-vinyals glyphs-maml-start glyphs-maml; do \
		$(BIN)/handful train $$model $(if $(DATA),--data $(DATA)) || exit 1; done

$(VENV)/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=...")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@
