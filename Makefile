# Everything a developer asks for, by name. Needs Python 3.11 or newer and make; `make` alone lists the names.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
ROLE ?= content_manager
TENANT ?= demo
SUB ?= user_001
WORKERS ?= 2

BIN := .venv/bin
INSTALLED := .venv/.installed
MEMBERS := $(patsubst %/pyproject.toml,%,$(wildcard libs/*/pyproject.toml services/*/pyproject.toml) deploy/local/pyproject.toml deploy/ops/pyproject.toml)
SOURCES := $(MEMBERS:%=%/src)
SERVICES := analytics auditor gateway media posts publisher sandbox webhooks
EXPORT := uv export -q --no-emit-workspace --no-annotate --no-header
STORE_VERSION := 0.5.3-beta.196
CHECKOV_VERSION := 3.3.30
PROMTOOL_VERSION := v0.316.0
AZURITE_VERSION := 3.35.0
FAKE_GCS_VERSION := v1.56.1
BANDIT_VERSION := 1.9.4
SEMGREP_VERSION := 1.185.0
PIP_AUDIT_VERSION := 2.10.1
CYCLONEDX_VERSION := 7.5.0
SEMGREP := PATH=$(CURDIR)/.local/semgrep/bin:$$PATH semgrep scan --metrics=off --disable-version-check
CACHE := $(or $(SOCIAL_CACHE),$(HOME)/.cache/social-publishing)

# A tool in a virtual environment of its own: $(call tool,name,requirement)
tool = test -x .local/$(1)/bin/python || $(PYTHON) -m venv .local/$(1); \
	.local/$(1)/bin/pip install -q --disable-pip-version-check "$(2)"

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Run it

.PHONY: run
run: doctor ## start everything on this machine, publish a first post, stay until Ctrl-C
	@exec $(BIN)/python -m localstack run

.PHONY: once
once: doctor ## the same, but end after the first posts are published
	@exec $(BIN)/python -m localstack run --once

.PHONY: down
down: $(INSTALLED) ## end a running stack, or one left behind
	@$(BIN)/python -m localstack down

.PHONY: up
up: $(INSTALLED) ## the same system in containers (needs Docker)
	@$(BIN)/python -m localstack token > /dev/null
	@mkdir -p .local/data/objects .local/data/media-work
	@SOCIAL_UID=$$(id -u) SOCIAL_GID=$$(id -g) docker compose up --build

.PHONY: doctor
doctor: $(INSTALLED) ## can this machine run it, and if not, why
	@$(BIN)/python -m localstack doctor

.PHONY: smoke
smoke: $(INSTALLED) ## publish through a running stack and check what is live
	@$(BIN)/python -m localstack smoke

.PHONY: token
token: $(INSTALLED) ## print an access token (ROLE=creator TENANT=demo SUB=user_001)
	@$(BIN)/python -m localstack token --role $(ROLE) --tenant $(TENANT) --sub $(SUB)

.PHONY: rotate-keys
rotate-keys: $(INSTALLED) ## seal all tokens and webhook keys anew under the active keys of a running stack's vaults
	@eval "$$($(BIN)/python -m localstack env)"; exec $(BIN)/python -m ops rotate-keys

.PHONY: rebuild
rebuild: $(INSTALLED) ## fold the posts' log again from its beginning and compare (REPAIR=1 mends)
	@$(BIN)/python -m localstack rebuild $(if $(REPAIR),--repair)

.PHONY: ops
ops: $(INSTALLED) ## the operator's command, on a running stack (ARGS="topics", ARGS=--help)
	@eval "$$($(BIN)/python -m localstack env)"; exec $(BIN)/python -m ops $(ARGS)

.PHONY: audit
audit: $(INSTALLED) ## hold the whole log against the publisher's journal, on a running stack: nothing lost, nothing twice
	@eval "$$($(BIN)/python -m localstack env)"; exec $(BIN)/python -m auditor check

##@ Work on it

.PHONY: test
test: $(INSTALLED) ## all tests, against real Kafkas and stores started for them (WORKERS=2 at a time, each with its own)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

.PHONY: test-fast
test-fast: $(INSTALLED) ## only the tests that need no Kafka and no store
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not stack"

.PHONY: lint
lint: $(INSTALLED) ## style, types, and which way imports point
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy $(SOURCES) deploy/k8s deploy/observability bench tests
	@$(BIN)/lint-imports

.PHONY: bench
bench: $(INSTALLED) ## what the main road costs here, as ratios to its bare parts (QUICK=1: smaller numbers)
	@$(BIN)/python bench $(if $(QUICK),--quick)

.PHONY: simulate
simulate: $(INSTALLED) ## the event log under simulated disaster (SEEDS=20000)
	@SEEDS=$(or $(SEEDS),20000) $(BIN)/python -m tests.simulation

.PHONY: crash-matrix
crash-matrix: $(INSTALLED) ## kill every process at every named step, on the real stack (ROUNDS=3)
	@CRASH_ROUNDS=$(or $(ROUNDS),3) $(BIN)/python -m pytest tests/crashes tests/media/test_crashes.py tests/operations/test_ending.py --deselect tests/crashes/test_soak.py

.PHONY: races
races: $(INSTALLED) ## cancel, edit and reschedule against the due moment (RACES=1000 of each)
	@RACES=$(or $(RACES),1000) $(BIN)/python -m pytest tests/races

.PHONY: webhook-losses
webhook-losses: $(INSTALLED) ## webhooks while the service dies again and again: none is lost (EVENTS=100000)
	@WEBHOOK_EVENTS=$(or $(EVENTS),100000) $(BIN)/python -m pytest -s tests/webhooks/test_losses.py

.PHONY: soak
soak: $(INSTALLED) ## kill processes at random under load (MINUTES=30)
	@SOAK_MINUTES=$(or $(MINUTES),30) $(BIN)/python -m pytest tests/crashes/test_soak.py

.PHONY: large-upload
large-upload: $(INSTALLED) ## a gigabyte through the gateway, whose memory must stay flat (MB=1024)
	@LARGE_MB=$(or $(MB),1024) $(BIN)/python -m pytest tests/media/test_large.py -s

.PHONY: tenants
tenants: $(INSTALLED) ## ids of another tenant in every place where an id can stand: nothing is told (REQUESTS=50000)
	@TENANT_REQUESTS=$(or $(REQUESTS),50000) $(BIN)/python -m pytest -q --timeout 3600 --junitxml=.local/tenants.xml tests/security/test_tenants.py
	@grep -o '<property [^>]*>' .local/tenants.xml

.PHONY: images-dry
images-dry: $(INSTALLED) ## follow the Dockerfiles without a container engine, and run the system from what they make
	@IMAGES=1 $(BIN)/python -m pytest -q tests/manifests/test_images.py

.PHONY: install
install: $(INSTALLED) ## only install what the other commands need

##@ Now and then

.PHONY: store
store: ## build a faster store than the packaged one (needs cargo, a C compiler and CMake; some minutes)
	@command -v cargo > /dev/null || { echo "cargo is needed: install Rust, then run this again"; exit 1; }
	cargo install secantus-mdb --version $(STORE_VERSION) --ignore-rust-version --root $(CACHE)/secantus

.PHONY: manifests
manifests: $(INSTALLED) ## write anew what of deploy/k8s and deploy/observability follows from the code
	@$(BIN)/python deploy/k8s/generate.py
	@$(BIN)/python deploy/observability/generate.py

.PHONY: promtool
promtool: ## build what tries the alerts, from its source (needs Go; up to ten minutes)
	@mkdir -p .local/promtool && cd .local/promtool && { test -f go.mod || go mod init promtool; }
	@cd .local/promtool && go get github.com/prometheus/prometheus/cmd/promtool@$(PROMTOOL_VERSION) \
		&& go build -tags remove_all_sd -o promtool github.com/prometheus/prometheus/cmd/promtool

.PHONY: emulators
emulators: ## install what plays Azure's and Google's buckets in tests (needs npm and Go; some minutes)
	@npm install --silent --no-fund --no-audit --prefix .local/azurite azurite@$(AZURITE_VERSION)
	@mkdir -p .local/fake-gcs
	@GOBIN=$(CURDIR)/.local/fake-gcs go install github.com/fsouza/fake-gcs-server@$(FAKE_GCS_VERSION)

.PHONY: drills
drills: $(INSTALLED) ## cause each alert on a stack of its own, for real, and see that it fires (needs promtool; ten minutes)
	@DRILLS=1 $(BIN)/python -m pytest -s tests/drills

.PHONY: checkov
checkov: ## what checkov says about the production manifests (installs it for itself; needs kubectl)
	@test -x .local/checkov/bin/checkov || { $(PYTHON) -m venv .local/checkov && .local/checkov/bin/pip install -q checkov==$(CHECKOV_VERSION); }
	@kubectl kustomize deploy/k8s/overlays/production > .local/production.yaml
	@.local/checkov/bin/checkov --config-file deploy/k8s/checkov.yaml -f .local/production.yaml

.PHONY: security
security: ## what bandit, and semgrep by our own rules, say about the code (installs them for itself)
	@$(call tool,bandit,bandit==$(BANDIT_VERSION))
	@$(call tool,semgrep,semgrep==$(SEMGREP_VERSION))
	@.local/bandit/bin/bandit -q -c tests/security/bandit.yaml -r libs services deploy
	@$(SEMGREP) --test --config tests/security/semgrep/rules.yml tests/security/semgrep/rules.py
	@$(SEMGREP) --quiet --error --config tests/security/semgrep/rules.yml libs services deploy

.PHONY: sbom
sbom: ## what is in each image, with hashes, as CycloneDX: .local/sbom/<service>.json (installs a tool for itself)
	@$(call tool,cyclonedx,cyclonedx-bom==$(CYCLONEDX_VERSION))
	@mkdir -p .local/sbom
	@for service in $(SERVICES); do \
		.local/cyclonedx/bin/python -W ignore -m cyclonedx_py requirements services/$$service/requirements.lock \
			--pyproject services/$$service/pyproject.toml --spec-version 1.6 --output-reproducible -o .local/sbom/$$service.json; \
		echo ".local/sbom/$$service.json"; \
	done

.PHONY: audit-dependencies
audit-dependencies: ## known vulnerabilities of what is locked; fails when the advisories cannot be reached
	@$(call tool,pip-audit,pip-audit==$(PIP_AUDIT_VERSION))
	@.local/pip-audit/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r requirements.lock

.PHONY: lock
lock: $(INSTALLED) ## renew requirements.lock and each service's own
	@$(BIN)/uv lock -q
	@$(BIN)/$(EXPORT) --all-packages --all-groups -o requirements.lock > /dev/null
	@$(BIN)/$(EXPORT) --package social-ops --no-dev -o deploy/ops/requirements.lock > /dev/null
	@for service in $(SERVICES); do \
		$(BIN)/$(EXPORT) --package social-$$service --no-dev -o services/$$service/requirements.lock > /dev/null; \
	done

.PHONY: lock-kafka
lock-kafka: $(INSTALLED) ## renew deploy/local/kafka.lock (needs Maven)
	@$(BIN)/python -m localstack.lock

$(INSTALLED): requirements.lock $(MEMBERS:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed: install it, or name it with PYTHON=/path/to/python3"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv || { \
		echo "$(PYTHON) cannot make a virtual environment: install its venv module (Debian, Ubuntu: python3-venv)"; exit 1; }
	@echo "Installing into .venv, from requirements.lock"
	@$(BIN)/pip install --disable-pip-version-check --progress-bar off --require-hashes -r requirements.lock 2>&1 | \
		awk -v all=$$(grep -c '^[A-Za-z0-9]' requirements.lock) -v tty=$$(test -t 1 && echo 1 || echo 0) \
			'/^Collecting/ { n++; if (tty) printf "\r  %d of %d packages", n, all; else if (n % 25 == 0) print "  " n " of " all " packages"; fflush() } \
			/^Installing/ { print (tty ? "\n" : "") "  unpacking"; fflush() } \
			/^ERROR/ || /^ *Expected/ || /^ *Got/'
	@$(BIN)/uv pip install -q --no-deps --no-build-isolation $(MEMBERS:%=-e %)
	@touch $@
