#!/usr/bin/env bash
# demo.sh: the whole journey on a small shop of real processes. Builds reel, starts the shop, records it for 10 s, analyzes
# the reel and writes the report. Where this machine cannot record, it says why and takes the reel in testdata/.
. "$(dirname "$0")/env.sh"

seconds=${DEMO_SECONDS:-10}
out=$ROOT/out/demo
reel=$ROOT/bin/reel
recorded=testdata/reels/shop-v1.reel

why=
if [ "$(uname -s)" != Linux ]; then
	why="recording needs Linux"
elif [ "$(id -u)" -ne 0 ]; then
	why="recording needs root (sudo make demo)"
elif [ ! -r /sys/kernel/btf/vmlinux ]; then
	why="this kernel was built without BTF (/sys/kernel/btf/vmlinux)"
fi

[ -n "$why" ] || scripts/setup.sh demo
say "== building reel"
go build -trimpath -o "$reel" ./cmd/reel
rm -rf "$out"
mkdir -p "$out"

if [ -n "$why" ]; then
	say "== nothing is recorded here: $why. The rest runs on the recorded $recorded"
	cp -r "$recorded" "$out/shop.reel"
else
	say "== starting the shop (testdata/shop): client -> nginx -> frontend -> catalog, cart"
	testdata/shop/shop.sh "$out/shop" $((seconds + 6)) >"$out/shop.log" 2>&1 </dev/null &
	shop=$!
	trap 'kill -TERM $shop 2>/dev/null || true; wait $shop 2>/dev/null || true' EXIT
	for ((i = 0; ; i++)); do # the first start compiles the shop
		[ ! -s "$out/shop/pids" ] || break
		kill -0 $shop 2>/dev/null || die "the shop did not start: $(cat "$out/shop.log")"
		[ $i -lt 1800 ] || die "the shop did not start within 3 minutes: $(cat "$out/shop.log")"
		sleep 0.1
	done
	pids=$(cut -d' ' -f1 "$out/shop/pids" | paste -sd,)
	say "== reel capture -p $pids -d ${seconds}s -w shop.reel"
	"$reel" capture -p "$pids" -d "${seconds}s" -w "$out/shop.reel"
	wait $shop || die "the shop failed: $(cat "$out/shop.log")"
	trap - EXIT
	say "== what the client itself counted, in $((seconds + 6)) s: $(cat "$out/shop.log")"
fi

say "== reel analyze shop.reel"
"$reel" analyze "$out/shop.reel" -o "$out/tables"
say "== reel report shop.reel -o shop.html"
"$reel" report "$out/shop.reel" -o "$out/shop.html"

cat <<END

The report: $out/shop.html   (one file, works offline: open it by double click)

What to look at:
  ledger       first of all: what was lost, cut or guessed while recording. Here: nothing lost.
  edges        client -> nginx -> frontend -> catalog and cart, most of them seen from both ends.
  exchanges    sort by duration: POST .../checkout waits for a lock, GET /search for a slow disk, GET /recommend burns CPU.
               Search for " 500": every seventh payment fails in cart, and frontend and nginx hand the failure on.
               GET /products makes ten calls to catalog, one after the other.
  credentials  the client sends Authorization and Cookie in each request; the reel holds stars in their place.

The same on your own service, as root:  bin/reel capture --comm nginx -d 60s -w checkout.reel
END
