#!/usr/bin/env bash
# test.sh: everything that must hold on every change, from a fresh machine on. 30 minutes on 2 cores at most; the time of
# each part is printed at the end. Hooks are real, servers are real, so it wants root (a test that cannot run says so and
# fails; REEL_ALLOW_SKIP=1 turns that into a skip).
. "$(dirname "$0")/env.sh"

# What must build, and whose tests must compile, on every system (DESIGN §1): no kernel, no cgo.
pure="./format/... ./analyze/... ./report/..."

cross() {
	local target
	for target in linux/amd64 linux/arm64; do
		CGO_ENABLED=0 GOOS=${target%/*} GOARCH=${target#*/} go build ./...
	done
	for target in linux/arm64 darwin/arm64 windows/amd64; do
		# shellcheck disable=SC2086 # a list of packages
		CGO_ENABLED=0 GOOS=${target%/*} GOARCH=${target#*/} go vet $pure
	done
}
# shellcheck disable=SC2086
race() { go test -race -short -timeout 10m $pure; }
# What records runs alone: other tests on the same cores would measure the machine's patience instead.
recording="./bpf/... ./capture/... ./cmd/... ./scripts/e2e/... ./scripts/kernels/..."
# shellcheck disable=SC2086,SC2046
tests() {
	go test -timeout 25m $(go list ./... | grep -vFxf <(go list $recording))
	go test -p 1 -timeout 25m $recording
}
deployment() { (cd scripts/deploy && go vet . && go test .); }
benchmarks() { go test -run '^$' -bench . -benchtime 1x -timeout 10m ./...; }

part "set-up" scripts/setup.sh test
part "generated files are reproducible" scripts/generate.sh --check
part "lint" scripts/lint.sh
part "vet" go vet ./... ./testdata/shop/...
part "build for every system" cross
part "tests" tests
part "tests of the files of docs/deploy" deployment
part "tests of the pure packages under the race detector" race
part "each benchmark once" benchmarks
parts_report
