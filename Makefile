# `make demo` and `make test` set up all that they need. Each environment is made anew when its
# requirements file changes; nothing is installed outside this folder.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
# One recipe at a time: two builds, or two local accounts, would be in each other's way. Installers would not.
ifndef INSTALLING
.NOTPARALLEL:
endif

# Python 3.13, as the functions run on; LocalStack does not run on 3.11. pyenv finds it by .python-version.
PYTHON ?= python3.13
BIN := .venv/bin
SAM := $(CURDIR)/.venv-sam/bin/sam
ACCOUNT := $(BIN)/python local/account.py
REGION ?= eu-west-1
SOURCES := functions local tests bench
# Two of them test in a deployed account each, and wait most of the time (tests/conftest.py).
PROCESSES ?= 3
# Where COVERAGE is set, as in .ci/run: of functions/, lines and branches together.
COVERED := $(if $(COVERAGE),--cov --cov-report=term-missing:skip-covered --cov-fail-under=97)
# pytest-cov has no limit of branches alone.
BRANCHES := import json, sys; found = json.load(sys.stdin)["totals"]["percent_branches_covered"]; \
	print(f"test: {found:.2f} % of the branches are covered; 97 % have to be"); sys.exit(found < 97)
# Ten times as fast as pip (docs/benchmarks.md).
UV_FILE := .make/uv/bin/uv
UV := $(CURDIR)/$(UV_FILE)
UV_INSTALL := $(UV_FILE) pip install --quiet --require-hashes --python

# sam needs a region even where it talks to nobody, and a Python 3.13 on the PATH to build with; UV is for the functions.
# uv brings certificates of its own; an organization's are the system's.
export UV_SYSTEM_CERTS ?= 1
export SAM_CLI_TELEMETRY := 0
export AWS_DEFAULT_REGION ?= $(REGION)
export SAM
export UV
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help
help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: setup
setup: .venv/.ready ## Install all that the project needs, here
	@$(MAKE) --silent --jobs 3 INSTALLING=yes .venv-local/.ready .venv-sam/.ready node_modules/.ready

.PHONY: demo
demo: setup ## Deploy into an account on this machine and watch executions recover
	@$(ACCOUNT) run --beside '"$(SAM)" build' -- $(BIN)/python local/demo.py --built

.PHONY: test
test: setup ## Run all tests, those on the local account too
	@echo "test: deploys the template into accounts on this machine, and runs all tests (about six minutes)"
	@$(ACCOUNT) run --accounts 2 --beside '"$(SAM)" build' -- $(BIN)/python -m pytest --numprocesses $(PROCESSES) $(COVERED)
	@$(if $(COVERAGE),$(BIN)/coverage json --quiet -o - | $(BIN)/python -c '$(BRANCHES)')

.PHONY: check
check: setup ## Check format, lint, types, the template, its policies and every state machine
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(SAM) validate --lint
	.venv-sam/bin/cfn-lint .github/real-account-role.yaml
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/unit/test_policies.py
	npm exec --no -- asl-validator --no-arn-check $(addprefix --json-path ,$(wildcard statemachines/*.asl.json))

.PHONY: local-up
local-up: setup ## Start an account on this machine and keep it running (LOCAL_AWS_PORT, default 4566)
	@$(ACCOUNT) up

.PHONY: local-down
local-down: .venv/.ready ## Stop it
	@$(ACCOUNT) down

.PHONY: deploy-local
deploy-local: setup ## Build and deploy into the running local account
	@$(ACCOUNT) using -- bash -c '"$$SAM" build && "$$SAM" deploy --config-env local'

.PHONY: invoke
invoke: .venv/.ready .venv-sam/.ready ## Run FUNCTION on EVENT, with no container (docs/local-invoke.md; LOCAL=1, STACK=)
	@$(if $(LOCAL),$(ACCOUNT) using -- )$(BIN)/python local/invoke.py \
		--function '$(FUNCTION)' --event '$(EVENT)' --stack '$(STACK)'

# Lambda takes code from a bucket of its own region alone, so a package is for the bucket's region.
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
.PHONY: package
package: setup ## Package a template that deploys without a clone (BUCKET=a bucket of yours)
	@[ -n "$(BUCKET)" ] || { echo "package: name a bucket of yours: make package BUCKET=NAME" >&2; exit 2; }
	@mkdir -p .make
	$(SAM) build
	$(SAM) package --s3-bucket $(BUCKET) --s3-prefix sfn-resume/$(VERSION) --output-template-file .make/packaged.yaml
	@echo "package: .make/packaged.yaml (docs/deploy.md#from-a-release)"

.PHONY: bench
bench: setup ## Run the benchmarks (`python -m bench storm` is the storm alone)
	@PYTHONPATH=local $(ACCOUNT) run -- $(BIN)/python -m bench

.PHONY: mutants
mutants: .venv-mutation/.ready ## Mutate the pure core and see what the tests do not notice; takes long
	.venv-mutation/bin/python tests/mutants/run.py

.PHONY: docs
docs: .venv/.ready ## Write the options and the output of the command into the documents
	@PYTHONPATH=functions/resumer:tests $(BIN)/python local/commands_doc.py

.PHONY: format
format: .venv/.ready ## Format the code
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

.PHONY: lock
lock: .venv/.ready ## Pin the dependencies of requirements/*.in anew
	cd requirements && for name in uv dev sam local mutation; do $(LOCK) $$name.in -o $$name.txt; done
	cd requirements && $(LOCK) resumer.in -o ../functions/resumer/requirements.txt
LOCK := pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.venv/.ready: .venv/.requirements pyproject.toml
	@$(UV_FILE) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# With pip, as `sam build` asks for it.
.venv/.requirements: requirements/dev.txt | $(UV_FILE)
	@echo "setup: .venv"
	@$(find-python); rm -rf .venv; "$$python" -m venv --without-pip .venv
	@$(UV_INSTALL) $(BIN)/python -r requirements/dev.txt
	@touch $@

# By Python's own pip; where there is none, by that of an environment.
$(UV_FILE): requirements/uv.txt
	@echo "setup: uv"
	@rm -rf .make/uv; python3 -m pip install $(PIP_OPTIONS) --root-user-action ignore --target .make/uv 2>/dev/null \
		|| { rm -rf .make/uv; python3 -m venv .make/uv && .make/uv/bin/pip install $(PIP_OPTIONS); }
	@touch $@
PIP_OPTIONS := --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt

.venv-sam/.ready: requirements/sam.txt | .venv/.requirements
	@$(call new-venv,.venv-sam)
	@$(UV_INSTALL) .venv-sam/bin/python -r requirements/sam.txt
	@touch $@

.venv-local/.ready: .venv-local/.requirements local/pyproject.toml
	@$(UV_FILE) pip install --quiet --python .venv-local/bin/python --no-deps --no-build-isolation --editable ./local
	@touch $@

.venv-local/.requirements: requirements/local.txt | .venv/.requirements
	@$(call new-venv,.venv-local)
	@$(UV_INSTALL) .venv-local/bin/python -r requirements/local.txt
	@touch $@

.venv-mutation/.ready: requirements/mutation.txt | .venv/.requirements
	@$(call new-venv,.venv-mutation)
	@$(UV_INSTALL) .venv-mutation/bin/python -r requirements/mutation.txt
	@touch $@

node_modules/.ready: package-lock.json
	@echo "setup: node_modules"
	@command -v npm >/dev/null || { echo "setup: npm is missing; install Node.js 20 or newer" >&2; exit 1; }
	@npm ci --silent --no-audit --no-fund
	@touch $@

define new-venv
	echo "setup: $(1)"; $(UV_FILE) venv --quiet --clear --python $(BIN)/python $(1)
endef

# The base interpreter's own path, as the one on the PATH may be the environment that is removed. Where there is none
# of that version, uv fetches one into this folder if it can.
define find-python
	python=$$($(PYTHON) -c 'import sys; sys.version_info[:2] == (3, 13) and print(sys._base_executable)' 2>/dev/null) || python=; \
	[ -n "$$python" ] || { echo "setup: '$(PYTHON)' is no Python 3.13; uv tries to fetch one"; python=$$($(fetch-python)) || python=; }; \
	[ -n "$$python" ] || { echo "setup: Python 3.13 is needed; install it (pyenv install 3.13)" \
		"or name it: make PYTHON=/path/to/python3.13" >&2; exit 1; }
endef

define fetch-python
	export UV_PYTHON_INSTALL_DIR="$(CURDIR)/.make/python"; \
	$(UV_FILE) python install --quiet 3.13 >&2 && $(UV_FILE) python find --managed-python 3.13
endef
