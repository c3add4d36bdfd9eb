#!/usr/bin/env bash
# setup.sh demo|test|bench|generate|lint: installs what that job needs and nothing that is there. Quick when all is there.
#
# Debian packages come by apt-get (as root; else the command to run is printed), Python packages into .cache/venv by
# their pinned versions. Services that a package would start are kept from starting.
. "$(dirname "$0")/env.sh"

# What has to exist, and the Debian package that brings it.
demo="nginx:nginx-light curl:curl python3:python3 ip:iproute2"
generate="clang-14:clang-14 llvm-strip-14:llvm-14 /usr/include/bpf/bpf_helpers.h:libbpf-dev"
lint="shellcheck:shellcheck"
bench="nginx:nginx-light curl:curl wrk:wrk tshark:tshark tcpdump:tcpdump strace:strace perf:linux-perf bpftrace:bpftrace"
test="$demo $generate $lint $bench gcc:gcc chromium:chromium openssl:openssl g++:g++ rustc:rustc runc:runc ps:procps nft:nftables
	qemu-system-x86_64:qemu-system-x86 systemd-analyze:systemd
	/usr/share/doc/python3-venv:python3-venv"
# The report's page is built by npm; a machine that has Node.js needs no package.
node="node:nodejs npm:npm"

case ${1:-} in
demo) need=$demo ;;
generate) need="$generate $node" ;;
lint) need=$lint ;;
bench) need="$bench $demo" ;;
test) need="$test $node" ;;
*) die "usage: setup.sh demo|test|bench|generate|lint" ;;
esac

command -v go >/dev/null || die "reel is built with Go, and no 'go' is in PATH. Install Go ($(awk '/^go /{print $2}' go.mod) or newer) and try again."

missing() {
	local pair what
	for pair in $need; do
		what=${pair%:*}
		case $what in
		/*) [ -e "$what" ] || echo "${pair##*:}" ;;
		*) command -v "$what" >/dev/null || echo "${pair##*:}" ;;
		esac
	done | sort -u
}

# A package that brings a service starts it, unless policy-rc.d says no (Debian Policy 9.3.3).
policy=/usr/sbin/policy-rc.d
install_packages() {
	local own=
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
		own=1
	fi
	local ok=0
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" </dev/null >&2 || ok=$?
	[ -z "$own" ] || rm -f $policy
	[ $ok -eq 0 ] || die "apt-get could not install: $*. See its message above."
}

packages=$(missing)
if [ "$packages" = nginx-light ] && [ "$1" = demo ] && ! command -v apt-get >/dev/null; then
	say "no nginx here: the demo runs without it"
	packages=
fi
if [ -n "$packages" ]; then
	command -v apt-get >/dev/null || die "these programs are missing; install the packages that bring them here (Debian names):" $packages
	[ "$(id -u)" -eq 0 ] || die "Debian packages are missing. Run: sudo apt-get install --no-install-recommends" $packages
	say "== apt-get install" $packages
	DEBIAN_FRONTEND=noninteractive apt-get update -q </dev/null >&2 || die "apt-get update failed. See its message above."
	# shellcheck disable=SC2086 # a list of names
	install_packages $packages
	# What was not here before this script must not run at the next boot either.
	if [[ " $packages " == *nginx* ]] && command -v systemctl >/dev/null; then
		systemctl disable --now nginx >/dev/null 2>&1 || true
	fi
	packages=$(missing)
	[ -z "$packages" ] || die "still missing after apt-get install:" $packages
fi

# Python packages: only the tests read reels with other people's readers.
if [ "$1" = test ] && ! cmp -s scripts/requirements.txt "$CACHE/venv/requirements.txt"; then
	say "== Python packages into .cache/venv"
	rm -rf "$CACHE/venv"
	python=/usr/bin/python3
	[ -x $python ] || python=python3
	$python -m venv "$CACHE/venv"
	"$CACHE/venv/bin/pip" install -q --disable-pip-version-check --no-input -r scripts/requirements.txt >&2
	cp scripts/requirements.txt "$CACHE/venv/requirements.txt"
fi

# Kernels of the matrix (docs/kernels.md).
if [ "$1" = test ]; then
	scripts/kernels/fetch.sh
fi

# Go modules: at once, so that a test never waits for a download.
stamp=$CACHE/modules.sum
if ! cmp -s go.sum "$stamp"; then
	go mod download
	cp go.sum "$stamp"
fi
