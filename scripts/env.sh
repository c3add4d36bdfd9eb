# env.sh is sourced by the scripts beside it: the root of the repository, the cache, and timed parts.
# shellcheck shell=bash
set -Eeuo pipefail
export LC_ALL=C
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=$ROOT/.cache
export PATH=$PATH:/usr/sbin:/sbin # nginx and tcpdump live there, and a user's PATH may lack it
mkdir -p "$CACHE"
cd "$ROOT"

say() { printf '%s\n' "$*" >&2; }
die() {
	say "$*"
	exit 1
}

PARTS=()
# part NAME COMMAND...: run a part of a longer job and remember what it took. (Not under `if` or `||`: that would switch
# off `set -e` inside of the command.)
part() {
	local start=$SECONDS
	PART=$1
	shift
	say "== $PART"
	trap 'say "== failed: $PART"' ERR
	"$@"
	trap - ERR
	PARTS+=("$(printf '%6d s  %s' $((SECONDS - start)) "$PART")")
}

# parts_report prints what each part took.
parts_report() {
	say "== time of each part"
	printf '%s\n' "${PARTS[@]}" "$(printf '%6d s  all' "$SECONDS")" >&2
}
