#!/usr/bin/env bash
# shop.sh DIR SECONDS: runs the shop for SECONDS on free loopback ports: catalog, cart, frontend, nginx before them where it
# is installed, and a client that drives them. DIR gets the binaries, logs, and `pids`: one line "PID NAME" for each process,
# written whole once all of them answer. Ends when the client does, or on SIGTERM, and takes its processes with it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
seconds=$2
PATH=$PATH:/usr/sbin

rm -f "$dir"/*.addr "$dir/pids"
(cd "$here" && go build -trimpath -o "$dir/" ./catalog ./cart ./frontend)

started=()
names=()
stop() {
	local i
	for ((i = ${#started[@]} - 1; i >= 0; i--)); do kill -TERM "${started[i]}" 2>/dev/null || true; done
	for i in "${started[@]}"; do wait "$i" 2>/dev/null || true; done
	started=()
}
trap stop EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# start NAME COMMAND...
start() {
	local name=$1
	shift
	"$@" >"$dir/$name.log" 2>&1 </dev/null &
	started+=($!)
	names+=("$name")
}
# address NAME: waits at most 10 s for the service to say where it listens.
address() {
	local i
	for ((i = 0; i < 200; i++)); do
		[ ! -s "$dir/$1.addr" ] || { cat "$dir/$1.addr"; return; }
		sleep 0.05
	done
	echo "$1 did not start: $(cat "$dir/$1.log")" >&2
	exit 1
}

start catalog "$dir/catalog" -addr "$dir/catalog.addr"
start cart "$dir/cart" -addr "$dir/cart.addr"
start frontend "$dir/frontend" -addr "$dir/frontend.addr" -catalog "$(address catalog)" -cart "$(address cart)"
entry=$(address frontend)

if command -v nginx >/dev/null; then
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	mkdir -p "$dir/nginx"
	sed -e "s#@DIR@#$dir/nginx#g; s#@PORT@#$port#; s#@FRONTEND@#$entry#" "$here/nginx.conf.in" >"$dir/nginx/nginx.conf"
	start nginx nginx -p "$dir/nginx" -e "$dir/nginx/error.log" -c "$dir/nginx/nginx.conf"
	entry=127.0.0.1:$port
fi
for ((i = 0; ; i++)); do
	curl -fsS -o "$dir/first.json" "http://$entry/cart" 2>"$dir/curl.log" && break
	[ $i -lt 100 ] || { echo "the shop does not answer: $(cat "$dir/curl.log" "$dir"/*.log)" >&2; exit 1; }
	sleep 0.05
done

start client python3 "$here/client.py" "$entry" "$seconds"
client=${started[-1]}
for i in "${!started[@]}"; do echo "${started[i]} ${names[i]}"; done >"$dir/pids.tmp"
mv "$dir/pids.tmp" "$dir/pids"
wait "$client"
cat "$dir/client.log"
