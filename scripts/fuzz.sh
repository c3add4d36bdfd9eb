#!/usr/bin/env bash
# fuzz.sh [TIME]: runs every fuzz target for TIME (30s unless told), one after the other.
. "$(dirname "$0")/env.sh"
time=${1:-30s}
failed=
for dir in $(git ls-files -co --exclude-standard -- '*_test.go' | xargs grep -l '^func Fuzz' | xargs -rn1 dirname | sort -u); do
	for target in $(grep -ho '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go | cut -c6-); do
		say "== ./$dir $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "./$dir" || failed="$failed $dir/$target"
	done
done
[ -z "$failed" ] || die "failed:$failed (the input that fails was written to testdata/fuzz there)"
