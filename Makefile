# The one gate, the same by hand and in CI: `make test`.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
ARCHWRIGHT := $(BIN)/archwright
DEMO := runs/demo
# Errors only.
PIP_QUIET := -qq --disable-pip-version-check --progress-bar off

.DEFAULT_GOAL := help
.PHONY: help install demo test lint docs slow format clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Make .venv with everything in it (again only when the requirements change)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "archwright needs Python 3.11 or newer, this is %d.%d: set PYTHON=" % v[:2])'
	@echo "installing into .venv (some minutes the first time)"
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install $(PIP_QUIET) -c constraints.txt -e '.[dev,data,export,prune]'
	@touch $@

demo: $(STAMP) ## Build a network for handwritten digits, from search to file; goes on where it was stopped
	$(ARCHWRIGHT) build --data digits --preset tiny --max-latency-ms 1 --macs 0.8 \
	    --against hand-made random --format onnx --out $(DEMO) --resume

# Two workers, a thread each: more threads than cores wait for each other.
test: lint ## The gate: format, lint, types, and every test that is not slow
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 -m "not slow"

lint: docs ## The gate without the tests
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/pyright

# Warnings are errors (mkdocs.yml), but with --quiet mkdocs does not count them. No network is needed.
docs: $(STAMP) ## Build the documentation site into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

slow: $(STAMP) ## The slow tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 -m slow

format: $(STAMP) ## Rewrite the sources as the gate wants them
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

clean: ## Remove caches and build outputs; .venv and runs stay
	rm -rf build dist site .pytest_cache .ruff_cache .hypothesis
	find src tests scripts -name __pycache__ -type d -exec rm -rf {} +
