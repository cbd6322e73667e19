# Two commands do everything: `make run` and `make test`.
# Whatever they need they install into .venv; nothing else on the machine is touched, except Debian's
# Chromium, which `make test` installs where it runs as root on Debian.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
export PORT ?= 8501

.PHONY: run test lint demo bench clean

run: $(VENV)/run.stamp
	@$(BIN)/python -m billing_core migrate
	@exec $(BIN)/python app.py

demo: $(VENV)/run.stamp
	@$(BIN)/python -m billing_core migrate
	@$(BIN)/python -m billing_core demo

test: $(VENV)/test.stamp
	@$(BIN)/python -m pytest -n 2 --dist load

lint: $(VENV)/test.stamp
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/test.stamp
	@$(BIN)/python -m benchmarks $(ONLY)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make run PYTHON=/path/to/python3.11")'
	@echo "Creating the virtual environment (once)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.txt | $(BIN)/python
	@echo "Installing requirements.txt (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/test.stamp: requirements.txt requirements-dev.txt tests/install_browser.sh | $(BIN)/python
	@echo "Installing requirements-dev.txt and a browser (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@sh tests/install_browser.sh $(BIN)/python
	@touch $@ $(VENV)/run.stamp

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
