#!/usr/bin/env bash
# bench.sh: builds reel and measures it on this machine; rewrites docs/benchmarks.md. Flags go to the program (-h lists them).
. "$(dirname "$0")/../env.sh"
mkdir -p bin
go build -trimpath -o bin/reel ./cmd/reel
go build -o bin/bench ./scripts/bench
exec bin/bench "$@"
