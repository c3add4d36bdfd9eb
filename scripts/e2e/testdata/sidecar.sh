#!/bin/sh
# sidecar.sh DIR ENVOY PYTHON: in a network namespace of its own, clients whose traffic to the service is redirected to an Envoy,
# which goes on to nginx, which goes on to an application. Every request has a target of its own.
set -e
dir=$1 envoy=$2 python=$3
cd "$dir"
ip link set lo up
ip address add 10.77.0.1/32 dev lo
nft -f - <<'N'
table ip mesh {
  chain output {
    type nat hook output priority -100; policy accept;
    ip daddr 10.77.0.1 tcp dport 80 meta skuid != 1337 redirect to :15001
  }
}
N
cat >app.py <<'P'
import http.server, socketserver, time
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def do_GET(self):
        time.sleep(0.005)
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"ok")
class S(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True; request_queue_size = 64
S(("127.0.0.1", 9000), H).serve_forever()
P
cat >nginx.conf <<N
daemon off; master_process off; pid $dir/nginx.pid; error_log $dir/error.log;
events {}
http {
  log_format t '\$request_uri \$status'; access_log $dir/access.log t;
  upstream app { server 127.0.0.1:9000; keepalive 8; }
  server { listen 10.77.0.1:80; location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; } }
}
N
cat >envoy.yaml <<'Y'
static_resources:
  listeners:
  - name: outbound
    address: {socket_address: {address: 0.0.0.0, port_value: 15001}}
    listener_filters:
    - name: envoy.filters.listener.original_dst
      typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: outbound
          route_config: {virtual_hosts: [{name: all, domains: ["*"], routes: [{match: {prefix: "/"}, route: {cluster: original}}]}]}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - {name: original, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, connect_timeout: 5s}
Y
"$python" app.py & app=$!
nginx -c "$dir/nginx.conf" & web=$!
setpriv --reuid=1337 --regid=1337 --clear-groups "$envoy" -c envoy.yaml --concurrency 1 -l error --disable-hot-restart & mesh=$!
trap 'kill $app $web $mesh 2>/dev/null; wait' EXIT
n=0
until curl -fsS -o /dev/null http://10.77.0.1/ready 2>/dev/null; do
  n=$((n+1)); [ $n -lt 600 ] || { echo "the chain does not come up" >&2; exit 1; }
  sleep 0.1
done
for i in $(seq 1 20); do curl -fsS -o /dev/null "http://10.77.0.1/one/$i"; done
seq 1 60 | xargs -P 6 -I{} curl -fsS -o /dev/null "http://10.77.0.1/many/{}"
