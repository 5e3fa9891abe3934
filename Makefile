# Two commands do all the set-up on a fresh machine (Debian 12, Ubuntu 24.04, or newer): `make demo` and `make test`.

.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3

# Twice as many processes as cores, for most tests wait for something half of the time. What is compiled once is not
# compiled again by each of the hundreds of processes that a run starts.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n $(shell expr 2 '*' $$(nproc)) --dist worksteal

# The system whose systemd `make boot` boots, beside this machine's own.
SUITE ?= trixie

BENCHES := failover providers probes scale estate pausing detection members page decide day

.PHONY: help demo test test-members test-kubernetes quick lint unit servers screenshots docs lock rules bench soak mutations boot manual packages image clean $(BENCHES:%=bench-%)

help:  ## say what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 17

demo: $(VENV)/runtime  ## break a region and watch the traffic move (about half a minute)
	$(BIN)/failoverd demo

# Two at a time, for each of them waits for the network or keeps one core busy: the servers are installed beside what pip
# installs and the linters, and the tests begin when all of it is there.
test: $(VENV)/made  ## everything: real servers, linters, types, import direction, tests
	@$(MAKE) --no-print-directory --jobs=2 servers lint unit AFTER=servers

# Two at a time on two cores: what takes a second on an idle machine must not take ten.
test-members: $(VENV)/dev servers  ## partitions and other bad luck of three members in three clouds (minutes)
	$(BIN)/pytest -n $$(nproc) -m members tests/app $(PYTEST_ARGS)

quick: servers $(VENV)/dev  ## the tests that start no server (about a minute)
	$(PYTEST) -m "not server and not slow" $(PYTEST_ARGS)

lint: $(VENV)/dev  ## linters, types, import direction
	@said=$$(for each in "ruff check ." "ruff format --check ." mypy lint-imports; do \
		echo "$$each"; $(BIN)/$$each 2>&1 || exit; \
	done); status=$$?; echo "$$said"; exit $$status

unit: $(VENV)/dev $(VENV)/rewritten $(AFTER)
	$(PYTEST) $(PYTEST_ARGS)

servers:  ## install the real servers that the tests start (bind9, knot, ...)
	./tests/install-servers

test-kubernetes: $(VENV)/dev servers  ## how members of one cluster agree, at a real kube-apiserver (built first: 5 minutes; then 10)
	./tests/install-kube-apiserver $(VENV)/servers/kube-apiserver
	FAILOVERD_KUBE_APISERVER=$(CURDIR)/$(VENV)/servers/kube-apiserver \
		$(BIN)/pytest -n $(shell nproc) -m kubernetes_api tests/coordination tests/kubernetes $(PYTEST_ARGS)

screenshots: $(VENV)/dev servers  ## pictures of the pages, for a person's eye: in build/screenshots
	PYTHONPATH=tests $(BIN)/python -m support.screenshots build/screenshots

soak: $(VENV)/dev servers mutations  ## property tests, fuzzers and races fifty times as long, 20 rounds of three clouds, and 100,000 simulations (17 hours on two cores)
	FAILOVERD_SOAK=50 FAILOVERD_SEEDS=2000 $(PYTEST) tests/core tests/config tests/probes \
		$(wildcard tests/*/test_*fuzz*.py tests/*/test_*_race.py) tests/runtime/test_members_simulation.py \
		tests/runtime/test_estate_simulation.py tests/runtime/test_fleet_simulation.py tests/providers/test_powerdns_weights.py \
		tests/providers/test_contract.py
	FAILOVERD_ROUNDS=20 $(BIN)/pytest -n $$(nproc) -m members tests/app/test_member_luck.py
	FAILOVERD_SEEDS=100000 $(PYTEST) tests/runtime/test_simulation.py

mutations: $(VENV)/dev  ## break each rule that never bends in a copy, and see that a simulation notices (minutes)
	PYTHONPATH=tests $(BIN)/python -u -m support.mutations

boot: $(VENV)/dev servers  ## the tests of the unit under the systemd of another Debian, SUITE=trixie (as root, about 3 minutes)
	./tests/install-servers boot
	@root=$$(mktemp -d) && trap 'rm -rf "$$root"' EXIT && chmod 755 "$$root" && \
	mmdebstrap --variant=minbase --include=systemd-sysv,dbus,python3,procps,passwd,sqlite3 $(SUITE) "$$root/made" && \
	FAILOVERD_USR="$$root/made/usr" $(BIN)/pytest tests/systemd $(PYTEST_ARGS)

# It says that mkdocs has a successor by the same people, each time, unless it is told that this is known.
docs: $(VENV)/docs  ## the pages of docs/ as a site, in build/site, without a network
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict
	@echo "build/site/index.html"

bench: $(VENV)/dev servers  ## measure everything beside its peers; writes docs/performance.md (about 135 minutes)
	./tests/install-servers bench
	status=0; for each in $(BENCHES); do \
		$(BIN)/python bench/$$each.py --write docs/performance.md || status=1; \
	done; exit $$status

# One of them alone, as in `make bench-probes`.
$(BENCHES:%=bench-%): bench-%: $(VENV)/dev servers
	./tests/install-servers bench
	$(BIN)/python bench/$*.py --write docs/performance.md

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header

lock:  ## resolve the dependencies again (needs uv)
	$(LOCK) --group pyproject.toml:build -o requirements/build.txt
	$(LOCK) pyproject.toml -o requirements/runtime.txt
	$(LOCK) pyproject.toml --extra aws --extra azure --extra oci --group dev -o requirements/dev.txt
	$(LOCK) pyproject.toml --extra all -o requirements/all.txt
	$(LOCK) --group pyproject.toml:docs --constraint requirements/dev.txt -o requirements/docs.txt

rules:  ## write the alerts of the Prometheus operator again, from monitoring/failoverd.rules.yaml
	./kubernetes/make-rules > kubernetes/prometheus/prometheusrule.yaml

manual: $(VENV)/dev  ## make the manual pages and the completion again
	$(BIN)/python packages/render.py

packages: $(VENV)/wheels  ## wheel, sdist, and the Debian packages of this machine's release, into dist/
	./tests/install-servers packages
	rm -rf dist && mkdir dist
	$(BIN)/hatchling build -d dist
	rm -f build/wheels/failoverd-*.whl
	cp dist/failoverd-*.whl build/wheels/
	$(BIN)/python packages/deb.py --wheels build/wheels --out dist
	lintian --fail-on error,warning dist/failoverd_*.deb

image:  ## a container image of the Debian packages in dist/
	./tests/install-servers packages
	packages/build-image
	packages/try-image

clean:
	rm -rf $(VENV)

# pytest rewrites the assertions of each test module and keeps what it made of it. In a fresh tree one process does so,
# beside the linters, and not each of those that run the tests. These tell what cannot be imported.
$(VENV)/rewritten: | $(VENV)/dev
	@PYTHONDONTWRITEBYTECODE= $(BIN)/pytest --collect-only --quiet --quiet >/dev/null 2>&1 || true
	@touch $@

# What pip installs on a machine, hashed and locked, for the Debian packages.
$(VENV)/wheels: requirements/all.txt | $(VENV)/dev
	rm -rf build/wheels
	$(BIN)/pip download --quiet --no-deps --require-hashes --dest build/wheels -r requirements/all.txt
	@touch $@

# A stamp, not bin/python: that is there already while the rest may still fail.
$(VENV)/made:
	./tests/install-servers python
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/runtime: requirements/runtime.txt requirements/build.txt pyproject.toml | $(VENV)/made
	$(BIN)/pip install --quiet --require-hashes -r requirements/build.txt -r requirements/runtime.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/docs: requirements/docs.txt | $(VENV)/made
	$(BIN)/pip install --quiet --require-hashes -r requirements/docs.txt
	@touch $@

# Most of it is never imported, so bytecode is made of what is, when it is: that halves the time this takes.
$(VENV)/dev: requirements/dev.txt pyproject.toml | $(VENV)/made
	$(BIN)/pip install --quiet --no-compile --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/runtime $(VENV)/docs
