# make daily   run the daily runbook against this machine
# make test    everything that a change has to pass; make help lists the parts
SHELL := /bin/bash

# The newest Python from 3.11 up, in .venv; with PYTHON=3.11 that one, in .venv-3.11 beside it.
PYTHON ?=
VENV ?= $(CURDIR)/.venv$(addprefix -,$(notdir $(PYTHON)))
LINK := collections/ansible_collections/sre/runbooks
SCENARIOS := $(patsubst molecule/%/molecule.yml,%,$(wildcard molecule/*/molecule.yml))

# Absolute, so that they hold in whatever directory a tool runs a playbook.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
# moto_server, which stands in for S3, comes from a venv of its own.
MOTO := $(CURDIR)/.venv-moto
export PATH := $(VENV)/bin:$(PATH):$(MOTO)/bin

.PHONY: help daily runtime setup system test lint sanity unit oldest integration molecule bench build ee lock clean
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

daily: runtime ## run the daily runbook against this machine
	@python tools/daily.py

runtime: ## install what running playbooks takes
	@tools/setup.sh $(VENV) requirements.txt $(PYTHON)

setup: ## install what working on the collection takes
	@tools/setup.sh $(VENV) requirements-dev.txt $(PYTHON)

system: ## install the Debian packages that tests need
	@tools/system.sh tools/system-packages.txt

# One after the other, the slow one last; all of them, so that one run shows everything that is wrong.
test: system setup ## everything that a change has to pass
	@failed=; \
	for stage in lint sanity unit oldest integration molecule; do \
	  printf '\n== %s: %s\n' $$stage "$$(sed -n "s/^$$stage:.*## //p" $(MAKEFILE_LIST))"; \
	  $(MAKE) --no-print-directory $$stage || failed="$$failed $$stage"; \
	done; \
	[ -z "$$failed" ] || { printf '\n== failed:%s\n' "$$failed"; exit 1; }

lint: setup ## formatting, types, documentation, YAML
	ruff check .
	ruff format --check .
	@# What runs on the hosts has to run on their Python, 3.8 at the oldest: ruff sees the syntax, vermin the library.
	@# It takes the kind called file for the function that Python 2 had.
	vermin --quiet --no-tips --violations --target=3.8- --exclude file plugins/modules plugins/module_utils
	mypy $(LINK)/plugins $(LINK)/tests tools
	yamllint --strict .
	ansible-lint
	antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=dependent .
	antsibull-changelog lint

sanity: setup ## what ansible-test sanity demands of a collection
	@# Not its pylint: it takes exception to subprocess and to _ as a name, and ruff sees the rest.
	python tools/collection_test.py sanity --skip-test pylint

unit: setup ## tests without services
	pytest tests/unit

# Debian 12 has nothing newer; where the default is newer, this is the proof that both do.
oldest: setup ## unit tests and the daily runbook once more, on the oldest Python and ansible-core
	@if python -c 'import sys; sys.exit(sys.version_info >= (3, 12))'; then \
	  echo 'the default is the oldest already'; \
	elif tools/python.sh 3.11; then \
	  $(MAKE) --no-print-directory setup PYTHON=3.11 && \
	  .venv-3.11/bin/python -m pytest tests/unit tests/integration/test_daily.py; \
	else \
	  echo 'NOT TRIED: ansible-core 2.19 takes Python 3.11'; \
	fi

integration: setup system ## tests against real services, started by the tests themselves
	@tools/setup.sh $(MOTO) requirements-s3-test.txt
	@# A file is one worker's: its tests share servers.
	pytest tests/integration -n 2 --dist loadfile

# Scenarios are independent: two at a time, each one's output in one piece.
molecule: ## real services under systemd in containers, broken on purpose and healed
	@$(MAKE) --no-print-directory --jobs 2 --keep-going --output-sync=target $(addprefix molecule-,$(SCENARIOS))

molecule-%: setup system
	@tools/molecule.sh $* test --no-command-borders

bench: setup ## measure against other ways of doing the same
	@for script in tests/benchmarks/bench_*.py; do echo "== $$script"; python "$$script" || exit; done

build: setup ## the collection as an archive, in build/
	@rm -f build/sre-runbooks-*.tar.gz
	ansible-galaxy collection build --force --output-path build

# EE_ARGS goes to podman build: a proxy's certificate, for instance.
ee: build system ## the controller as an image for AWX and ansible-runner, localhost/sre-runbooks
	tools/with_podman.sh molecule/image/build.sh plain
	cp build/sre-runbooks-*.tar.gz build/collection.tar.gz
	tools/with_podman.sh ansible-builder build -v 3 --container-runtime podman --squash off --context build/ee $(if $(EE_ARGS),--extra-build-cli-args='$(EE_ARGS)')

COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header
lock: setup ## write the lock files anew
	$(COMPILE) pyproject.toml -o requirements.txt
	$(COMPILE) pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt
	$(COMPILE) --group s3-test -o requirements-s3-test.txt

clean: ## remove what the targets here made, virtual environments included
	rm -rf build .venv* .ansible .hypothesis .mypy_cache .pytest_cache .ruff_cache
