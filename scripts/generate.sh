#!/usr/bin/env bash
# generate.sh [--check]: remakes what is made by a program and committed: BPF objects, wire structs, the report's page.
# --check does it in a copy of the tree and fails when the result differs from what stands here.
. "$(dirname "$0")/env.sh"

generate() {
	go generate ./...
	if [ -x scripts/ui.sh ]; then scripts/ui.sh; fi
}

if [ "${1:-}" != --check ]; then
	generate
	exit
fi

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -co --exclude-standard -z | while IFS= read -r -d '' f; do [ ! -e "$f" ] || printf '%s\0' "$f"; done |
	tar -c --null -T - | tar -x -C "$copy"
cd "$copy" || exit
git init -q . && git add -A
git -c user.name=reel -c user.email=reel@localhost -c commit.gpgsign=false commit -q -m 'as it stands'
generate
changed=$(git status --porcelain)
[ -z "$changed" ] || {
	git --no-pager diff --stat >&2
	die "generated files are stale or not reproducible; run 'make generate' and commit:
$changed"
}
