# The commands of this repository; `make help` lists them. Set-up happens on the way and only where something changed.
#
#   PYTHON   the Python to set up with (default: the first of python3, python3.13 ... that is 3.11-3.13)
#   ARGS     passed on: make up ARGS="--port 8000", make test ARGS="-k ledger -x"
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh

# Three environments. The first is for people and tests. The embedded AWS stands alone, so that handlers see the
# layers and nothing else. SAM stands alone, because its pins and the tests' exclude each other.
VENV := .venv
MINISTACK := .local/venvs/ministack
SAM := .local/venvs/sam

PYTHON_BIN := $(VENV)/bin/python
UV := $(VENV)/bin/uv
INSTALL := $(UV) pip install --quiet --require-hashes --compile-bytecode

# uv would trust its own list of authorities alone, and fail behind a proxy that this machine trusts.
export UV_SYSTEM_CERTS := 1
export SAM_CLI_TELEMETRY := 0
# Nothing here calls AWS; its libraries ask for a region all the same.
export AWS_DEFAULT_REGION ?= us-east-1

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---------------------------------------------------------------- run

.PHONY: demo up down
demo: $(VENV)/.local $(MINISTACK)/.installed ## Start the system here, make images with it, stop it again
	@$(PYTHON_BIN) -m local.demo $(ARGS)

up: $(VENV)/.local $(MINISTACK)/.installed ## Start the system here and keep it up until Ctrl-C
	@$(PYTHON_BIN) -m local up --with-parent $(ARGS)

down: $(VENV)/.local ## Stop a system that was started in the background
	@$(PYTHON_BIN) -m local down $(ARGS)

# ---------------------------------------------------------------- check and test

.PHONY: check test sam-build format
check: $(VENV)/.tests $(SAM)/.installed ## Lint, format, types, import rules, template
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	PYTHONPATH=functions:layers/core:. $(VENV)/bin/lint-imports
	$(SAM)/bin/cfn-lint template.yaml
	$(SAM)/bin/sam validate --lint

test: check sam-build $(MINISTACK)/.installed ## All checks and all tests; what continuous integration runs
	@PYTHONPATH=functions:layers/core $(PYTHON_BIN) -m tests.safety
	$(VENV)/bin/pytest --numprocesses 2 --dist loadgroup --cov --cov-branch --cov-report term --cov-fail-under 95 $(ARGS)

sam-build: $(VENV)/.uv $(SAM)/.installed ## Build what `sam deploy` uploads, for Lambda
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(SAM)/bin/sam build

format: $(VENV)/.tests ## Format the code and mend what the linter can
	$(VENV)/bin/ruff format
	$(VENV)/bin/ruff check --fix

.PHONY: docs limiter soak mutants
limiter: $(VENV)/.tests ## Measure the pace in simulation; prints the table of docs/reliability.md
	PYTHONPATH=layers/core $(PYTHON_BIN) -m tests.simulation.limiter

soak: $(VENV)/.tests $(MINISTACK)/.installed ## Play the long proofs: a thousand histories, every crash point ...
	PYTHONPATH=functions:layers/core $(PYTHON_BIN) -m tests.simulation.soak $(ARGS)
	$(if $(ARGS),,$(VENV)/bin/pytest -m long tests/e2e tests/simulation/test_photo_crash_points.py)

mutants: $(VENV)/.tests ## Plant bugs one by one, see a test fail of each; writes docs/reliability.md
	@$(PYTHON_BIN) -m tests.mutants $(ARGS)

docs: $(VENV)/.tests ## Write what the documentation takes from the code
	PYTHONPATH=functions:layers/core:. $(PYTHON_BIN) docs/generate.py

# ---------------------------------------------------------------- set up

.PHONY: setup pins clean
setup: $(VENV)/.tests $(MINISTACK)/.installed $(SAM)/.installed ## Set up everything, for an editor say

# Without ensurepip, which Debian packs apart: the pip that is there fills the new environment.
$(VENV)/.uv: local/requirements-uv.txt
	@for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	    "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && break; \
	    python=; \
	done; \
	test -n "$$python" || { echo "Python 3.11, 3.12 or 3.13 is needed: apt install python3, or make PYTHON=/path/to/python" >&2; exit 1; }; \
	"$$python" -m pip --version >/dev/null 2>&1 || { echo "pip is needed: apt install python3-pip" >&2; exit 1; }; \
	echo "setting up $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv --without-pip $(VENV) && \
	"$$python" -m pip --disable-pip-version-check --quiet --python $(PYTHON_BIN) install --require-hashes -r $<
	@touch $@

$(VENV)/.local: local/requirements.txt $(VENV)/.uv
	@echo "installing the local engine"
	@$(INSTALL) --python $(PYTHON_BIN) -r $<
	@touch $@

$(VENV)/.tests: tests/requirements.txt local/requirements-faces.txt $(VENV)/.local
	@echo "installing what tests and checks need"
	@$(INSTALL) --python $(PYTHON_BIN) -r $< -r local/requirements-faces.txt
	@touch $@

$(MINISTACK)/.installed: local/requirements-ministack.txt $(VENV)/.uv
	@echo "installing the embedded AWS"
	@$(UV) venv --quiet --clear --python $(PYTHON_BIN) $(MINISTACK)
	@$(INSTALL) --python $(MINISTACK) -r $<
	@touch $@

$(SAM)/.installed: tests/requirements-sam.txt $(VENV)/.uv
	@echo "installing SAM"
	@$(UV) venv --quiet --clear --python $(PYTHON_BIN) $(SAM)
	@$(INSTALL) --python $(SAM) -r $<
	@touch $@

# One resolution for Python 3.11 to 3.13 on any machine. What the layers pin binds everything that runs their code.
PIN := $(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --custom-compile-command "make pins"

pins: $(VENV)/.uv ## Move every pinned version to the newest that fits
	$(PIN) layers/dependencies/requirements.in -o layers/dependencies/requirements.txt
	$(PIN) layers/imaging/requirements.in -o layers/imaging/requirements.txt
	$(PIN) local/requirements.in -o local/requirements.txt \
	    -c layers/dependencies/requirements.txt -c layers/imaging/requirements.txt
	$(PIN) local/requirements-faces.in -o local/requirements-faces.txt
	$(PIN) tests/requirements.in -o tests/requirements.txt -c local/requirements.txt -c local/requirements-faces.txt
	$(PIN) local/requirements-ministack.in -o local/requirements-ministack.txt
	$(PIN) local/requirements-uv.in -o local/requirements-uv.txt
	$(PIN) tests/requirements-sam.in -o tests/requirements-sam.txt

clean: ## Remove all that these commands made, environments included
	@test ! -e .local/state.json || $(PYTHON_BIN) -m local down || true
	rm -rf $(VENV) .local .aws-sam demo-output .coverage* .hypothesis .*_cache
	find functions layers local tests -name __pycache__ -prune -exec rm -rf {} +
