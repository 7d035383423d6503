# `make` prints the targets.  Everything lives in .venv; nothing here touches the system but
# `make test SYSTEM=1`, which installs Debian packages by apt as root.
SHELL := /bin/bash
PYTHON ?= python3.11
BIN := .venv/bin
LOCK := requirements/dev.txt
STAMP := .venv/.installed-$(shell sha256sum $(LOCK) pyproject.toml 2>/dev/null | sha256sum | cut -c1-16)
# dbconfig-no-thanks: else glewlwyd, the provider tests sign in with, brings a database client.
SYSTEM_PACKAGES := chromium openssl strace postgresql prometheus dbconfig-no-thanks glewlwyd nginx-light systemd
DEMO_DIR ?= .demo
SEEDS ?= 100000
ENTRIES ?= 10000000
SIZE_DIR ?= .at-size
FUZZ_SECONDS ?= 60
PORT ?= 8000

.DEFAULT_GOAL := help
.PHONY: help demo test check wheel bench bench-full bench-faults audit lock demo-data setup

help:
	@echo "make demo       fill a ledger with real data and serve it on http://localhost:8000 (PORT=)"
	@echo "make test       run every test (SYSTEM=1: install chromium, glewlwyd, nginx, openssl, strace, postgresql by apt first)"
	@echo "make check      format, lint, types, import contracts, docs, pins and licences"
	@echo "make wheel      the wheel, its pins and their sums, in dist/: what docs/how-to/install.md installs"
	@echo "make bench      the benchmarks, small; make bench-full: the same for minutes"
	@echo "make bench-size a ledger of ENTRIES=10000000, and what it asks of the machine: an hour or two and 90 GiB in SIZE_DIR="
	@echo "make bench-faults  the long form of every fault test: SEEDS=100000 histories, 50 kills, every byte flipped, fuzzing"
	@echo "make audit      known vulnerabilities in the pinned dependencies"
	@echo "make lock       pin the dependencies again"
	@echo "make demo-data  take a fresh snapshot of this repository for the demo"

$(STAMP): $(LOCK)
	@test -x $(BIN)/python || $(PYTHON) -m venv --without-pip .venv
	$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@rm -f .venv/.installed-* && touch $(STAMP)

setup: $(STAMP)

demo: setup
	$(BIN)/counterfoil demo --dir $(DEMO_DIR) --port $(PORT)

test: setup
ifeq ($(SYSTEM),1)
	@tools/system_packages.sh $(SYSTEM_PACKAGES)
endif
	COUNTERFOIL_SYSTEM=$(SYSTEM) $(BIN)/python -m tools.recorded_suite -n 2 --dist worksteal

check: setup
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tools/check_pins.py
	$(BIN)/python -m pytest -q tests/house/test_docs.py tests/house/test_events_house.py

wheel: setup
	$(BIN)/python -m tools.wheel dist

bench: setup
	$(BIN)/python -m bench.append --seconds 2
	$(BIN)/python -m bench.ingest --seconds 3 --workers 0 --workers 1
	$(BIN)/python -m bench.peers --seconds 3
	$(BIN)/python -m bench.steps
	$(BIN)/python bench/verify.py --entries 60000
	$(BIN)/python -m bench.fsck --entries 60000
	$(BIN)/python bench/proofs.py --entries 100000
	$(BIN)/python -m bench.opening --entries 20000 --rounds 3
	-$(BIN)/python -m bench.pytest_overhead --tests 1000 --rounds 3
	$(BIN)/python bench/project.py
	$(BIN)/python bench/search.py --events 100000 --queries 200
	$(BIN)/python -m bench.startup
	$(BIN)/python -m bench.access --decisions 1000 --people 1000
	$(BIN)/python -m bench.wrong_tokens --seconds 8
	$(BIN)/python -m bench.blobs --mib 20
	$(BIN)/python -m bench.run_overhead --rounds 15

bench-full: setup
	$(BIN)/python -m bench.append --seconds 30
	$(BIN)/python -m bench.ingest --seconds 120 --workers 0 --workers 1 --workers 2
	$(BIN)/python -m bench.peers --seconds 60
	$(BIN)/python bench/verify.py --entries 500000
	$(BIN)/python bench/proofs.py --entries 10000000
	$(BIN)/python -m bench.opening --entries 1000000
	$(BIN)/python -m bench.access
	$(BIN)/python -m bench.wrong_tokens --seconds 60

bench-size: setup
	$(BIN)/python -m bench.fill $(SIZE_DIR) --entries $(ENTRIES)
	$(BIN)/python -m bench.at_size $(SIZE_DIR) --backup $(SIZE_DIR).backup --rebuild
	$(BIN)/python -m bench.pages $(SIZE_DIR)

bench-faults: setup
	$(BIN)/python -m bench.crash_seeds --seeds $(SEEDS)
	$(BIN)/python -m bench.flips --step 1
	$(BIN)/python -m bench.flips --cells --step 1
	$(BIN)/python -m bench.flips --files --step 1
	$(BIN)/python -m bench.flips --wal --step 1
	$(BIN)/python -m tests.fuzz.run all --seconds $(FUZZ_SECONDS) --jobs 2
	$(BIN)/python -m bench.kills --kills 50
	$(BIN)/python -m bench.strace_faults
	$(BIN)/python -m bench.strace_replay --seeds 3
	COUNTERFOIL_EXAMPLES=500 $(BIN)/python -m pytest -q -n 2 tests/web/test_openapi.py tests/web/test_hostile_calls.py

audit: setup
	$(PYTHON) -m venv .venv-audit && .venv-audit/bin/pip install --quiet pip-audit
	-.venv-audit/bin/pip-audit --disable-pip -r requirements/dev.txt

lock:
	$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv
	cd requirements && for set in "core" "server --extra server" "dev --extra server --extra test --extra dev"; do \
	  set -- $$set; name=$$1; shift; \
	  ../.venv-lock/bin/uv pip compile ../pyproject.toml $$@ --universal --python-version 3.11 \
	    --generate-hashes --no-header --no-annotate --upgrade --quiet -o $$name.txt; done

demo-data: setup
	$(BIN)/python tools/demo_data.py
