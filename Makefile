# The work is in scripts/: this file names the jobs. `make test` and `make demo` install what they need themselves.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.PHONY: help build demo test kernels lint generate ui fuzz bench bench-capture clean

help: ## Show the jobs
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' Makefile

build: ## Build bin/reel, one static binary
	CGO_ENABLED=0 go build -trimpath -o bin/reel ./cmd/reel

demo: ## Run a small shop, capture it for 10 s, analyze it, write the report (as root; else on a recorded reel)
	@scripts/demo.sh

test: ## Everything: set-up, generated files, lint, builds for every system, tests on the real kernel (30 min at most)
	@scripts/test.sh

kernels: ## Record on Debian's kernels 5.10, 6.1 and 6.12 under qemu (VERSION=6.1 for one of them)
	@scripts/setup.sh test && go test -count=1 -v -run 'TestKernels/$(VERSION)' ./scripts/kernels

lint: ## golangci-lint (import law, errors, docs) and shellcheck
	@scripts/setup.sh lint && scripts/lint.sh

generate: ## Remake BPF objects, wire structs and the report's page
	@scripts/setup.sh generate && scripts/generate.sh

ui: ## Remake the report's page only
	@scripts/setup.sh generate && scripts/ui.sh

fuzz: ## Fuzz every target (FUZZTIME=30s each)
	@scripts/fuzz.sh $(or $(FUZZTIME),30s)

bench: ## Measure against tcpdump and tshark on this machine and rewrite docs/benchmarks.md
	@scripts/setup.sh bench && scripts/bench/bench.sh

bench-capture: ## What recording costs a server, beside tcpdump, strace, perf trace and bpftrace (part of make bench)
	@scripts/setup.sh bench && scripts/bench/bench.sh -parts cost,latency

clean: ## Remove what was built (not .cache)
	rm -rf bin out
