.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo-out
LAB_OUT ?= lab-out

.PHONY: help demo test lab lab-deps lint lock agent-zipapp agent-deb clean

help:  ## what can be made
	@sed -n 's/^\([a-z-]*\):.*##/\1 -/p' $(MAKEFILE_LIST)

$(VENV)/.run: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

demo: $(VENV)/.run  ## grade the lab bank, then this host, and write both reports
	$(BIN)/ztgrade demo --output $(DEMO)

test: $(VENV)/.dev  ## everything: ruff, mypy --strict, pytest; as root on Debian with the lab, unless LAB=0
	@if [ "$${LAB:-1}" != 0 ] && [ "$$(id -u)" = 0 ] && [ -r /etc/debian_version ]; then \
		$(MAKE) --no-print-directory lab-deps || [ -z "$$CI" ]; fi
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers 2
	$(BIN)/python -m pytest

lab: $(VENV)/.dev  ## start the lab bank's real servers on loopback (a domain, two cloud accounts) until Ctrl-C; root
	@$(BIN)/python -m tests.lab.bank_lab $(LAB_OUT)

lab-deps:  ## install what the real servers of the tests need (root, Debian): Samba 4.22 and its clients
	@tests/lab/deps.sh

lint: $(VENV)/.dev  ## ruff and mypy only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers 2

lock: $(VENV)/.dev  ## renew the locked dependencies, with hashes
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
		--extra lock -o requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
		--extra dev -o requirements-dev.lock pyproject.toml

agent-zipapp:  ## the agent as one file, dist/ztagent.pyz; the same bytes each time
	$(PYTHON) -m agent.packaging zipapp

agent-deb:  ## the agent as a Debian package in dist/; the same bytes each time
	$(PYTHON) -m agent.packaging deb

clean:  ## remove the environment and what the demo and the lab wrote
	rm -rf $(VENV) $(DEMO) $(LAB_OUT)
