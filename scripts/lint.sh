#!/usr/bin/env bash
# lint.sh: golangci-lint (the rules are in .golangci.yml) and shellcheck over the whole tree.
. "$(dirname "$0")/env.sh"

# golangci-lint is a Go tool of its own module file, so that its 200 dependencies stay out of ours. Building it cold takes
# minutes: the binary is kept until its module file or the Go version changes.
linter=$CACHE/bin/golangci-lint
stamp=$(cat scripts/tools/go.mod scripts/tools/go.sum <(go env GOVERSION) | sha256sum)
if [ ! -x "$linter" ] || [ "$(cat "$linter.stamp" 2>/dev/null)" != "$stamp" ]; then
	say "== building golangci-lint (minutes when the build cache is cold)"
	go build -modfile=scripts/tools/go.mod -o "$linter" github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	echo "$stamp" >"$linter.stamp"
fi

if [ $# -eq 0 ]; then set -- ./... ./testdata/shop/...; fi
"$linter" run --timeout 10m "$@"

shell=$(git ls-files -co --exclude-standard -- '*.sh' .ci/run)
# shellcheck disable=SC2086 # a list of names
shellcheck -x -S warning $shell
