# Everything runs inside $(VENV), which the first command that needs it creates; nothing else on the machine changes.
#
#   VENV=path      another folder for the environment          PYTHON=path   the interpreter to create it with
#   ARGS="…"       further arguments for the command behind a target
#   TORCH=cpu      which torch, where one is needed: cpu, gpu, none, or an index's address; kept until another is named

VENV ?= .venv
PYTHON ?=
TORCH ?=
ARGS ?=
BIN = $(VENV)/bin

# Any Python that reads the bootstrap may start it; the bootstrap then looks for the one that Tithe needs.
define bootstrap
@for python in "$(PYTHON)" "$(BIN)/python" python3.13 python3.12 python3.11 python3 python; do \
  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' >/dev/null 2>&1 || continue; \
  exec "$$python" -E -s deploy/bootstrap.py $(1) --venv "$(VENV)" --python "$(PYTHON)" --torch "$(TORCH)"; \
done; \
echo "Tithe needs Python 3.11 or newer, and none was found. Install one, or name it: make setup PYTHON=/path/to/python3"; \
exit 1
endef

.DEFAULT_GOAL := help
.PHONY: help setup setup-text demo up test test-fast test-label-studio test-browser lint format types floors lock clean for-running for-text for-testing \
        bench-loop bench-nearest bench-round bench-selection bench-curves bench-text bench-ner bench-label-studio \
        bench-quality bench-proof bench-page

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

# ---- the environment ----

setup: for-testing ## Install everything pinned, for running and for testing

setup-text: for-text ## Install what a server needs that encodes with any model or fine-tunes (TORCH=gpu where there is one)

for-running:
	$(call bootstrap,setup --pins run)

for-text:
	$(call bootstrap,setup --pins text)

for-testing:
	$(call bootstrap,setup --pins dev)

# ---- running it ----

demo: for-running ## Watch the whole loop on real reviews (KEEP=1 leaves it running, KILL=trainer kills a service midway)
	"$(BIN)/tithe" demo --out demo $(if $(KEEP),--keep) $(if $(KILL),--kill "$(KILL)") $(ARGS)

up: for-running ## Start the whole stack here, its data in .tithe (Ctrl-C stops it)
	"$(BIN)/tithe" up --data .tithe $(ARGS)

# ---- checking it ----

# Tiny models on many threads wait for one another longer than they compute, and so do torch, BLAS and ONNX Runtime.
test test-fast test-label-studio test-browser: export OMP_NUM_THREADS ?= 1

test: for-testing lint types floors ## Check everything: lint, types, floors and all tests, with real servers
	"$(BIN)/python" -m pytest $(ARGS)

test-fast: for-testing ## Run the unit tests: seconds, no servers
	"$(BIN)/python" -m pytest tests/unit $(ARGS)

test-label-studio: for-testing $(VENV)/label-studio/ready ## Run the whole loop through a real Label Studio (installs it beside ours, some 1 GB)
	TITHE_LABEL_STUDIO="$(abspath $(VENV)/label-studio/bin/label-studio)" \
	TITHE_LABEL_STUDIO_CACHE="$(abspath $(VENV)/label-studio/data)" \
	"$(BIN)/python" -m pytest tests/label_studio $(ARGS)

$(VENV)/label-studio/ready: requirements/label-studio.txt | for-testing
	"$(BIN)/python" -m venv --clear "$(VENV)/label-studio"
	"$(VENV)/label-studio/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/label-studio.txt
	touch "$@"

# Whatever Chromium there is; Debian's package is called so.
CHROMIUM ?= $(shell for name in chromium chromium-browser google-chrome; do command -v $$name && break; done)

test-browser: for-testing ## Label, watch and break the connection in a real Chromium (PICTURES=folder keeps screenshots)
	@test -n "$(CHROMIUM)" || { echo "no Chromium here: install Debian's package chromium, or say CHROMIUM=/path/to/it" >&2; exit 1; }
	TITHE_CHROMIUM="$(CHROMIUM)" TITHE_PICTURES="$(if $(PICTURES),$(abspath $(PICTURES)))" "$(BIN)/python" -m pytest tests/browser $(ARGS)

lint: for-testing ## Check style and formatting
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .

format: for-testing ## Rewrite the code in the house style
	"$(BIN)/ruff" check --fix-only --quiet .
	"$(BIN)/ruff" format .

types: for-testing ## Check types, strictly
	"$(BIN)/mypy"

floors: for-testing ## Check that every file imports only from the floors below
	"$(BIN)/lint-imports"

bench-loop: for-running ## Measure the loop: labels in, round out
	"$(BIN)/python" benchmarks/loop.py $(ARGS)

bench-nearest: for-running ## Measure how far the nearest labeled item is: exact, by index, kept between rounds
	"$(BIN)/python" benchmarks/nearest_labeled.py $(ARGS)

bench-round: for-running ## Measure a scoring round through the queue beside the same choice in one bare process
	"$(BIN)/python" benchmarks/scoring_round.py $(ARGS)

bench-selection: for-running ## Measure from vectors to picks beside other libraries, in an environment of theirs (ARGS=--quick)
	test -x "$(VENV)/peers/bin/python" || "$(BIN)/python" -m venv "$(VENV)/peers"
	"$(VENV)/peers/bin/python" -m pip install --quiet --editable ".[bench]"
	"$(VENV)/peers/bin/python" -m pip install --quiet --no-deps "baal>=2.1"
	"$(BIN)/python" benchmarks/selection.py --python "$(abspath $(VENV)/peers/bin/python)" $(ARGS)

bench-curves: for-running ## Measure labels needed per strategy, on the labeled sets in TITHE_BENCH_DATA (ARGS="--growth 0.1" is quick)
	"$(BIN)/python" benchmarks/curves.py $(ARGS)

bench-quality: for-running ## Write benchmarks/quality.md: labels needed, beside random and two libraries, on the sets in TITHE_BENCH_DATA
	"$(BIN)/python" benchmarks/quality.py $(ARGS)

bench-proof: for-running ## Measure how far the control arm's figures hold: quality, savings, advice, machine labels
	"$(BIN)/python" benchmarks/proof_quality.py
	"$(BIN)/python" benchmarks/proof_savings.py
	"$(BIN)/python" benchmarks/proof_advice.py
	"$(BIN)/python" benchmarks/proof_autolabel.py
	"$(BIN)/python" benchmarks/proof_page.py

bench-text: for-text ## Measure token entropy over 2,000 sentences, beside one at a time, sorted batches and ONNX Runtime by hand
	"$(BIN)/python" benchmarks/text.py $(ARGS)

bench-ner: for-testing ## Measure labeled tokens needed for entities, per strategy, on the sets in TITHE_BENCH_DATA
	"$(BIN)/python" benchmarks/ner_curves.py $(ARGS)

bench-label-studio: for-testing $(VENV)/label-studio/ready ## Measure a window re-ranked in a real Label Studio, and the lag to the counted label
	TITHE_LABEL_STUDIO="$(abspath $(VENV)/label-studio/bin/label-studio)" \
	TITHE_LABEL_STUDIO_CACHE="$(abspath $(VENV)/label-studio/data)" \
	"$(BIN)/python" benchmarks/label_studio.py $(ARGS)

bench-page: for-testing ## Measure from a key to the next item on screen, while twenty others label and rounds run
	"$(BIN)/python" benchmarks/page.py --chromium "$(CHROMIUM)" $(ARGS)

# ---- upkeep ----

lock: for-testing ## Recompile the pins (UPGRADE=1 moves all of them to the newest versions)
	$(call bootstrap,lock $(if $(UPGRADE),--upgrade))

clean: ## Remove the environment, caches and build output (never .tithe: that is data)
	$(call bootstrap,clean)
	rm -rf build dist demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache
	find shared services tests benchmarks deploy -name __pycache__ -type d -prune -exec rm -rf {} +
