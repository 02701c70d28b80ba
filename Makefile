# Each target does its own set-up on Debian 12: git, make and a Rust toolchain are enough to begin with.

CARGO ?= cargo

# What is to be measured (all, if nothing), how often each takes its turn, and where the report goes.
GROUPS ?=
RUNS ?= 10
REPORT ?= target/bench

# What other systems get in place of Linux's own, run on Linux; it does not tell the mark of what comes in.
PORTABLE_TESTS := roaming outages fallback connect background job_control forwarder tied

# What a static program may do otherwise than one with the system's C library.
DIST_TESTS := connect roaming outages carried sessions offer fallback login background

.PHONY: help demo test test-portable bench check fuzz dist test-dist release-check set-up clean-lab

help:
	@echo 'make demo           as root: mosh through a NAT router, and on a walk, in a network of namespaces'
	@echo 'make test           all tests; those that need root or a missing program are shown as ignored'
	@echo 'make test-portable  the scenarios of the client, with what other systems get in place of the own of Linux'
	@echo 'make bench          as root: moshpunch beside its peers; an hour (see docs/benchmarks.md)'
	@echo 'make check          format, lints (also for macOS and FreeBSD), documentation, licences'
	@echo 'make fuzz           every parser, for a short while'
	@echo 'make dist           static programs for hosts, in target/dist'
	@echo 'make release-check  as root: whether those are what a release needs; half an hour'
	@echo 'make set-up         install the Debian packages that these need, if any is missing'
	@echo 'make clean-lab      remove what a killed test or demo left behind'

demo:
	@test "$$(id -u)" -eq 0 || { echo 'make demo: run it as root: it makes network namespaces' >&2; exit 1; }
	@scripts/install-test-programs
	@$(CARGO) build --locked --bins
	@$(CARGO) run --quiet --locked --bin lab -- demo

test: set-up
	$(CARGO) test --workspace --locked --no-fail-fast

test-portable: set-up
	$(CARGO) test --locked -p system --features portable
	$(CARGO) test --locked --no-fail-fast -p moshpunch --features portable $(PORTABLE_TESTS:%=--test %) -- --skip marks

bench: set-up
	@test "$$(id -u)" -eq 0 || { echo 'make bench: run it as root: it makes network namespaces' >&2; exit 1; }
	@$(CARGO) build --release --locked -p moshpunch -p bench
	@$(CARGO) bench --locked -p bench --bench calls -- --noplot --quiet
	@target/release/bench --runs $(RUNS) --out $(REPORT) $(GROUPS)

check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) clippy --manifest-path fuzz/Cargo.toml --locked -- -D warnings
	CARGO='$(CARGO)' scripts/check-other-systems
	scripts/check-rules
	scripts/check-circles
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --locked --no-deps --document-private-items
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
	    $(CARGO) deny check --hide-inclusion-graph bans licenses sources; \
	else \
	    echo 'cargo deny: skipped: cargo-deny is not installed'; \
	fi

fuzz: set-up
	scripts/run-fuzz-targets

dist:
	@CARGO='$(CARGO)' scripts/dist

# The scenarios of sessions with the released program, in place of that of the build.
test-dist: set-up
	scripts/check-dist
	mkdir -p target/dist/this
	ln -f target/dist/moshpunch-$$(uname -m)-linux target/dist/this/moshpunch
	MOSHPUNCH=$(CURDIR)/target/dist/this/moshpunch \
	    $(CARGO) test --locked --no-fail-fast -p moshpunch $(DIST_TESTS:%=--test %)

# Beside `make check` and `make test`. It builds everything twice.
release-check: set-up
	scripts/check-reproducible
	scripts/bare-hosts
	$(CARGO) test --locked -p moshpunch --test bare
	$(MAKE) test-dist

set-up:
	@scripts/install-test-programs

clean-lab:
	@$(CARGO) run --quiet --locked --bin lab -- clean
