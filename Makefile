# Everything a person types here, `.ci/run` types too.
# Asks for nothing but Python >= 3.11 and make; `couch up` fetches Terraform for the queue where it is missing.

PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
ENVIRONMENTS := couch_explorers/local/environments
COUCH := $(BIN)/couch

.DEFAULT_GOAL := help
.PHONY: help demo test unit rights kills mutants abuse storm rehearse check format benchmarks lab lock setup project clean

help: ## what can be done here
	@printf 'Couch Explorers\n\n'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)$$/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: .venv/.synced ## the local cloud, everything deployed on it, and five reports
	@$(COUCH) up
	@$(COUCH) run smoke_test
	@$(COUCH) run prompt_exploration -p rubric '["shows the Eiffel Tower", "polaroid look"]'
	@$(COUCH) run prompt_exploration --out reports/template -p title "A cow, by medium and place" -p purpose "" -p seeds '[7]' \
	  -p prompts '{"cow": "A {medium} of a cow in {place}"}' -p rubric '["looks like a watercolour", "shows a cow"]' \
	  -p variables '{"medium": ["photo", "watercolour"], "place": {"Norway": "a fjord at dusk", "Egypt": "Giza"}}'
	@$(COUCH) seed-metrics
	@$(COUCH) run metric_review
	@$(COUCH) run capacity_planning -p replay_hours 24
	@$(COUCH) run exam_report

lab: .venv/.synced ## JupyterLab on the workspace
	@$(COUCH) lab

test: .venv/.synced ## the tests (8 min); with ALL=1 the slow ones too (25 min)
	@$(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder -m "not rights$(if $(ALL),, and not slow)"

unit: .venv/.project ## the tests that start nothing and draw little (1 min)
	@COUCH_HYPOTHESIS_PROFILE=unit $(BIN)/pytest --numprocesses 2 --dist loadfile -m "not end_to_end and not programs and not drawing"

kills: .venv/.synced ## kill the local cloud 100 times, count what is lost (1 h)
	@$(BIN)/python -m tests.local.engine.kills 50

abuse: .venv/.project ## thousands of broken requests and orders of faults (12 min)
	@COUCH_HYPOTHESIS_PROFILE=abuse $(BIN)/pytest tests/lambda_code/test_deliveries.py tests/sam_lambda/test_abuse.py \
	  tests/sam_lambda/test_openapi.py

mutants: .venv/.mutants ## change what ships in the Lambdas; a test must fail (40 min)
	@$(BIN)/python tools/mutants.py

rights: .venv/.synced ## take each permission away; something must break (10 min)
	@$(BIN)/pytest tests/end_to_end/test_grants.py tests/end_to_end/test_account.py -m "rights or not rights"

storm: .venv/.synced ## 1,000 jobs while everything fails, each accounted for (30 min)
	@$(BIN)/python benchmarks/storm.py

rehearse: .venv/.synced ## the real workflows, run by act on a local cloud of their own
	@$(BIN)/pytest tests/rehearsal --verbose --numprocesses 2 --dist loadfile

check: .venv/.synced .venv/.checkov ## formatters, linters and validators; changes nothing
	@$(BIN)/python tools/check.py

format: .venv/.synced ## what the formatters would have you do
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(BIN)/nbstripout --keep-id notebooks/*.ipynb
	@if command -v mvn >/dev/null; then cd java_sqs_client && mvn --batch-mode --quiet spotless:apply; \
	  else echo "Java files left as they are: mvn not found"; fi

benchmarks: .venv/.synced ## measure everything again (75 min), and update the pages
	@$(BIN)/python benchmarks/all.py; failed=$$?; $(BIN)/python tools/measured.py && exit $$failed

setup: .venv/.synced ## only the Python environments
	@$(BIN)/python tools/environments.py

project: .venv/.project ## only the environment that deploys to AWS: no local cloud

lock: .venv/.synced ## resolve the newest versions into requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --upgrade --quiet \
	  --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" --output-file requirements.lock
	@cd $(ENVIRONMENTS) && for name in engine lambda; do \
	  $(CURDIR)/$(BIN)/uv pip compile $$name.in $$(test -f $$name.overrides && echo "--override $$name.overrides") --universal \
	    --python-version 3.11 --upgrade --quiet --generate-hashes --no-emit-index-url --no-annotate \
	    --custom-compile-command "make lock" --output-file $$name.lock || exit 1; done
	@cd tools && $(CURDIR)/$(BIN)/uv pip compile checkov.in --universal --python-version 3.11 --upgrade --quiet --generate-hashes \
	  --no-emit-index-url --no-annotate --custom-compile-command "make lock" --output-file checkov.lock
	@cd tools && $(CURDIR)/$(BIN)/uv pip compile mutants.in --universal --python-version 3.11 --upgrade --quiet --generate-hashes \
	  --no-emit-index-url --no-annotate --custom-compile-command "make lock" --output-file mutants.lock

# Many containers forbid Python to keep what it compiles. Then each `couch` would compile again whatever it imports, which takes
# more than half of its time: there all packages are compiled once, here.
COMPILE := $(if $(PYTHONDONTWRITEBYTECODE),--compile-bytecode)

# For the same reason pytest keeps what it compiles, beside the tests, whatever the container says: 400 modules, a third of its start.
test unit rehearse: export PYTHONDONTWRITEBYTECODE :=

.venv/.project: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12")'
	@test -x $(BIN)/python || { echo "Making .venv"; $(PYTHON) -m venv .venv; }
	@$(BIN)/python -c 'import importlib.metadata as m, sys; sys.exit(m.version("uv") != "$(UV_VERSION)")' 2>/dev/null \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"
	@echo "Installing what requirements.lock names"
	@VIRTUAL_ENV=.venv $(BIN)/uv pip sync --quiet --require-hashes $(COMPILE) requirements.lock
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.synced: .venv/.project $(ENVIRONMENTS)/engine.lock $(ENVIRONMENTS)/lambda.lock
	@$(BIN)/python tools/environments.py
	@touch $@

.venv/.checkov: .venv/.project tools/checkov.lock
	@$(BIN)/python tools/environments.py checkov
	@touch $@

.venv/.mutants: .venv/.project tools/mutants.lock
	@$(BIN)/python tools/environments.py mutants
	@touch $@

clean: ## remove the environment; the cloud's data: couch down --erase
	@rm -rf .mutants .venv .venv-mutants .venv-checkov .venv-engine .venv-lambda
