# make daily   run the daily runbook against this machine
# make test    everything that a change has to pass; make help lists the parts
SHELL := /bin/bash

# The newest Python from 3.11 up, in .venv; with PYTHON=3.11 that one, in .venv-3.11 beside it.
PYTHON ?=
VENV ?= $(CURDIR)/.venv$(addprefix -,$(notdir $(PYTHON)))
LINK := collections/ansible_collections/sre/runbooks

# Absolute, so that they hold in whatever directory a tool runs a playbook.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PATH := $(VENV)/bin:$(PATH)

.PHONY: help daily setup runtime lint unit integration sanity build lock clean
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

daily: runtime ## run the daily runbook against this machine
	@python tools/daily.py

runtime: ## install what running playbooks takes
	@tools/setup.sh $(VENV) requirements.txt $(PYTHON)

setup: ## install what working on the collection takes
	@tools/setup.sh $(VENV) requirements-dev.txt $(PYTHON)

lint: setup ## formatting, types, documentation, YAML
	ruff check .
	ruff format --check .
	@# What runs on the hosts has to run on their Python, 3.8 at the oldest: ruff sees the syntax, vermin the library.
	vermin --quiet --no-tips --violations --target=3.8- plugins/modules plugins/module_utils
	mypy $(LINK)/plugins $(LINK)/tests tools
	yamllint --strict .
	ansible-lint
	antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=dependent .
	antsibull-changelog lint

unit: setup ## tests without services
	pytest tests/unit

integration: setup ## tests against real services, started by the tests themselves
	pytest tests/integration

sanity: setup ## what ansible-test sanity demands of a collection
	python tools/collection_test.py sanity

build: setup ## the collection as an archive, in build/
	ansible-galaxy collection build --force --output-path build

COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header pyproject.toml
lock: setup ## write the lock files anew
	$(COMPILE) -o requirements.txt
	$(COMPILE) --group dev -c requirements.txt -o requirements-dev.txt

clean: ## remove what the targets here made, virtual environments included
	rm -rf build .venv* .ansible .hypothesis .mypy_cache .pytest_cache .ruff_cache
