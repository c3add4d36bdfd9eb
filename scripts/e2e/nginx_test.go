package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// nginx is one server of Debian's package, with its own prefix and its access log in JSON.
type nginx struct {
	*proc
	dir  string
	port int // on the IPv4 and the IPv6 loopback address
	tls  int // port for TLS
}

// logLine is one line of the access log: nginx's own account of one exchange.
type logLine struct {
	Conn   int64   `json:"conn"` // serial number of the connection
	N      int     `json:"n"`    // request number on it, from 1
	Addr   string  `json:"addr"`
	Port   int     `json:"port"` // of the client
	PID    int     `json:"pid"`  // worker
	Method string  `json:"method"`
	URI    string  `json:"uri"`
	Status int     `json:"status"`
	Length uint64  `json:"request_length"` // request line, headers and body
	Body   uint64  `json:"body_bytes_sent"`
	Sent   uint64  `json:"bytes_sent"`
	Time   float64 `json:"request_time"` // seconds, resolution 1 ms
	Msec   float64 `json:"msec"`         // wall time of the log write, seconds
	Pipe   string  `json:"pipe"`         // "p" when pipelined
}

const nginxConf = `
user root;
worker_processes %[4]d;
daemon off;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log warn;
events { worker_connections 4096; }
http {
  log_format oracle escape=json '{"conn":$connection,"n":$connection_requests,"addr":"$remote_addr","port":$remote_port,"pid":$pid,'
    '"method":"$request_method","uri":"$request_uri","status":$status,"request_length":$request_length,'
    '"body_bytes_sent":$body_bytes_sent,"bytes_sent":$bytes_sent,"request_time":$request_time,"msec":$msec,"pipe":"$pipe"}';
  access_log %[1]s/access.log oracle buffer=256k flush=200ms;
  default_type text/plain;
  sendfile on;
  if_modified_since before;
  tcp_nodelay on;
  keepalive_timeout 300s;
  keepalive_requests 1000000;
  client_max_body_size 8m;
  client_body_buffer_size 64k;
  client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
  upstream backend { server 127.0.0.1:%[3]d; keepalive 8; }
  server {
    listen 127.0.0.1:%[2]d; listen [::1]:%[2]d;
    root %[1]s/html;
    location /204 { return 204; }
    location /500 { return 500 "boom\n"; }
    location /moved { return 302 /small; }
    location /app { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering on; }
    location /status { stub_status; }
  }
  server {
    listen 127.0.0.1:%[5]d ssl;
    root %[1]s/html;
    ssl_certificate %[1]s/cert.pem; ssl_certificate_key %[1]s/cert.pem;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ALL:@SECLEVEL=0; ssl_session_cache shared:oracle:1m;
    location /204 { return 204; }
    location /app { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`

// startNginx starts nginx with the given number of workers; backend is the port that /app is proxied to.
func startNginx(t *testing.T, workers, backend int) *nginx {
	t.Helper()
	bin := need(t, "nginx", "nginx-light")
	dir := t.TempDir()
	html := filepath.Join(dir, "html")
	if err := os.Mkdir(html, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, size := range map[string]int{"small": 100, "medium": 16 << 10, "large": 1 << 20} {
		if err := os.WriteFile(filepath.Join(html, name), pattern(size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	n := &nginx{dir: dir, port: freePort(t), tls: freePort(t)}
	writeCertificate(t, filepath.Join(dir, "cert.pem"))
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, n.port, backend, workers, n.tls), 0o644); err != nil {
		t.Fatal(err)
	}
	n.proc = start(t, nil, bin, "-p", dir, "-c", conf)
	waitFor(t, 20*time.Second, "nginx listens", func() bool {
		if !n.running() {
			t.Fatalf("nginx ended: %s", n.out.String())
		}
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(n.port)))
		if err == nil {
			c.Close()
		}
		return err == nil && len(n.workers()) >= workers
	})
	return n
}

// workers returns the pids of the worker processes.
func (n *nginx) workers() []int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", n.pid(), n.pid()))
	if err != nil {
		return nil
	}
	var pids []int
	for _, f := range strings.Fields(string(data)) {
		if pid, err := strconv.Atoi(f); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// reload makes the master fork new workers, and waits until the old ones are gone.
func (n *nginx) reload(t *testing.T) {
	t.Helper()
	old := n.workers()
	n.signal(t, syscall.SIGHUP)
	waitFor(t, 20*time.Second, "nginx has new workers", func() bool {
		now := n.workers()
		return len(now) == len(old) && !slices.ContainsFunc(now, func(pid int) bool { return slices.Contains(old, pid) })
	})
}

// quit lets the workers finish and returns the whole access log.
func (n *nginx) quit(t *testing.T) []logLine {
	t.Helper()
	if n.running() {
		n.signal(t, syscall.SIGQUIT)
		n.wait(t, 30*time.Second, 0)
	}
	return n.log(t)
}

// log reads the access log as it is on disk now.
func (n *nginx) log(t *testing.T) []logLine {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(n.dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	data = data[:bytes.LastIndexByte(data, '\n')+1] // nginx may be in the middle of a line
	var lines []logLine
	sc := bufio.NewScanner(bytes.NewReader(data))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var l logLine
		if err := json.Unmarshal(sc.Bytes(), &l); err != nil {
			t.Fatalf("access log: %v in %q", err, sc.Text())
		}
		lines = append(lines, l)
	}
	return lines
}

// pattern is a body whose every position can be told from its neighbours.
func pattern(n int) []byte {
	b := make([]byte, 0, n+16)
	for i := 0; len(b) < n; i++ {
		b = fmt.Appendf(b, "%07x\n", i)
	}
	return b[:n]
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
