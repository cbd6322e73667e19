# `make run` and `make test` do everything from a fresh clone on; `make` lists the others.
# Whatever they need they install into .venv; nothing else on the machine is touched, except Debian's
# Chromium, which `make test` installs where it runs as root on Debian.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
LOCK = sh .ci/uv.sh $(BIN)/python pip compile --quiet --universal --python-version 3.11 \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) pyproject.toml
export PORT ?= 8501

.DEFAULT_GOAL := help
.PHONY: help run demo test check lint bench mutants migration lock words clean

help: ## List what make can do
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1@\2/p' $(MAKEFILE_LIST) | while IFS=@ read -r name text; do \
		printf '  %-16s%s\n' "$$name" "$$text"; done

run: $(VENV)/run.stamp ## Serve the product on http://localhost:8501, or on PORT
	@$(BIN)/python -m billing_core migrate
	@exec $(BIN)/python app.py

demo: $(VENV)/run.stamp ## Fill the database with the demo company
	@$(BIN)/python -m billing_core migrate
	@$(BIN)/python -m billing_core demo

# A worker more than two cores, for what waits; each further one costs more than it brings. In small portions, so that all
# of them end at about the same time.
# What is marked `later` (docs/development.md says what that is) is tried before a change lands.
test: $(VENV)/test.stamp ## Run the tests; ALL=1 for those too that are left until a change lands
	@$(BIN)/python -m pytest -n 3 --dist load --maxschedchunk 8 $(if $(ALL),,-m "not later")

check: $(VENV)/dev.stamp lint ## Run the linters, and the tests that are quick and need neither PostgreSQL nor a browser
	@$(BIN)/python -m pytest -n 2 --dist load -m "not postgresql and not browser and not slow"

# Dependencies twice: what runs in production must not lean on what only tests declare, and tests declare theirs too.
lint: $(VENV)/dev.stamp ## Run the linters, the type checker and the checker of dependencies
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/deptry . --extend-exclude 'tests|benchmarks|\.ci'
	@$(BIN)/deptry . --non-dev-dependency-groups dev

bench: $(VENV)/test.stamp ## Measure speed and size against their aims; ONLY=name for one of them
	@$(BIN)/python -m benchmarks $(ONLY)

mutants: $(VENV)/dev.stamp ## Put faults into the rooms about money and name those that no test notices; MODULE=rating for one
	@PYTHONPATH=.ci MODULE="$(MODULE)" COUNT="$(COUNT)" SEED="$(SEED)" $(BIN)/python -m mutants

migration: $(VENV)/dev.stamp ## Write a migration from what the models declare: NAME="What changes"
	@PYTHONPATH=. $(BIN)/python .ci/new_migration.py "$(NAME)"

lock: $(VENV)/dev.stamp ## Pin what pyproject.toml declares and all that it needs; UPGRADE=1 for the newest of the latter
	@$(LOCK) -o requirements.txt
	@$(LOCK) --group dev -c requirements.txt -o requirements-dev.txt

words: $(VENV)/dev.stamp ## Bring the catalogues of translations up to date with the code
	@$(BIN)/pybabel -q extract -F pyproject.toml -k gettext_noop -k ngettext_noop:1,2 -c Translators: \
		--no-location -o $(VENV)/words.pot .
	@for file in billing_core/languages/catalogues/*.po; do $(BIN)/pybabel -q update -N --ignore-obsolete --no-wrap \
		--ignore-pot-creation-date -i $(VENV)/words.pot -o $$file -l $$(basename $$file .po); done

clean: ## Remove the virtual environment and what tools left behind
	rm -rf $(VENV) .mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make run PYTHON=/path/to/python3.11")'
	@echo "Creating the virtual environment (once)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.txt .ci/install.sh .ci/uv.sh | $(BIN)/python
	@echo "Installing requirements.txt (once)"
	@sh .ci/install.sh $(BIN)/python requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements.txt requirements-dev.txt .ci/install.sh .ci/uv.sh | $(BIN)/python
	@echo "Installing requirements-dev.txt (once)"
	@sh .ci/install.sh $(BIN)/python requirements-dev.txt
	@touch $@ $(VENV)/run.stamp

$(VENV)/test.stamp: tests/install_browser.sh $(VENV)/dev.stamp
	@echo "Installing a browser (once)"
	@sh tests/install_browser.sh $(BIN)/python
	@touch $@
