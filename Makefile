# `make demo` and `make test` are all that a fresh machine needs (Python 3.11+).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUN := runs/demo

.PHONY: demo test lint types bench docs lock clean

demo: $(STAMP)  ## the main job: whole ResNet-50, cycle by cycle, with a cause for every cycle
	$(BIN)/tilesim run resnet50 --chip tpu_like --out $(RUN) --force

test: $(STAMP) lint types  ## linter, type checker, tests
	$(BIN)/pytest -n auto

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

bench: $(STAMP)  ## every benchmark; one alone: .venv/bin/python -m validation.bench NAME
	$(BIN)/python -m validation.bench all

docs: $(STAMP)  ## the documentation, notebooks run: build/docs/index.html
	$(BIN)/python -m sphinx -q -W docs build/docs

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

lock:  ## renew requirements.lock (needs uv)
	uv pip compile pyproject.toml --group dev --group build --universal --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --output-file requirements.lock

clean:
	rm -rf $(VENV) .bench runs .pytest_cache .mypy_cache .ruff_cache .hypothesis
