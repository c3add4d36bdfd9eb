package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// nginx is a server of one worker that answers 100 bytes, without a log: the least work per request that there is, and so
// the worst case for a recorder.
type nginx struct {
	cmd    *exec.Cmd
	worker int // pid
	addr   string
	secure string // the same by TLS
	scheme string // "https"; "": http
	each   bool   // a connection for each request
}

const nginxConf = `daemon off;
worker_processes 1;
user root;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log warn;
events { worker_connections 1024; }
http {
  access_log off;
  default_type text/plain;
  keepalive_requests 100000000;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  open_file_cache max=16;
  server { listen %[2]s; root %[1]s; }
  server { listen %[3]s ssl; root %[1]s; ssl_certificate %[1]s/cert.pem; ssl_certificate_key %[1]s/cert.pem; ssl_protocols TLSv1.2 TLSv1.3; }
}
`

// certificate returns a key and a self-signed certificate.
func certificate() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})...), nil
}

func startNginx(ctx context.Context, dir string) (*nginx, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var addrs [2]string
	for i := range addrs {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		addrs[i] = l.Addr().String()
		l.Close()
	}
	cert, err := certificate()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		"nginx.conf": fmt.Appendf(nil, nginxConf, dir, addrs[0], addrs[1]),
		"cert.pem":   cert,
		"page":       bytes.Repeat([]byte("x"), 100),
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return nil, err
		}
	}
	n := &nginx{cmd: exec.CommandContext(ctx, "nginx", "-p", dir, "-e", dir+"/error.log", "-c", dir+"/nginx.conf"), addr: addrs[0], secure: addrs[1]}
	n.cmd.Cancel = func() error { return n.cmd.Process.Signal(syscall.SIGTERM) }
	if err := n.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start nginx (Debian package nginx-light): %w", err)
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		kids, err := childPIDs(n.cmd.Process.Pid)
		if err != nil || len(kids) == 0 {
			continue
		}
		if c, err := net.Dial("tcp", n.addr); err == nil {
			c.Close()
			n.worker = kids[0]
			return n, nil
		}
	}
	n.stop()
	said, _ := os.ReadFile(dir + "/error.log") // nothing said is an answer too
	return nil, fmt.Errorf("nginx did not start: %s", said)
}

func (n *nginx) stop() {
	_ = n.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	_ = n.cmd.Wait()
}

func childPIDs(pid int) ([]int, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil, err
	}
	var kids []int
	for f := range strings.FieldsSeq(string(data)) {
		kid, err := strconv.Atoi(f)
		if err != nil {
			return nil, err
		}
		kids = append(kids, kid)
	}
	return kids, nil
}

// load drives the server in a closed loop over 16 connections and returns the requests that wrk counted, and the CPU time that it took.
func (n *nginx) load(ctx context.Context, d time.Duration) (requests int, cpu time.Duration, err error) {
	seconds := max(1, int(d.Round(time.Second)/time.Second))
	args := []string{"-t1", "-c16", fmt.Sprintf("-d%ds", seconds)}
	if n.each {
		args = append(args, "-H", "Connection: close")
	}
	cmd := exec.CommandContext(ctx, "wrk", append(args, cmp.Or(n.scheme, "http")+"://"+n.addr+"/page")...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("wrk: %w: %s", err, out)
	}
	if bytes.Contains(out, []byte("Socket errors")) || bytes.Contains(out, []byte("Non-2xx")) {
		return 0, 0, fmt.Errorf("wrk met errors: %s", out)
	}
	for line := range strings.SplitSeq(string(out), "\n") {
		if i := strings.Index(line, " requests in "); i > 0 {
			requests, err = strconv.Atoi(strings.TrimSpace(line[:i]))
			return requests, ended(cmd).cpu, err
		}
	}
	return 0, 0, errors.New("wrk printed no count: " + string(out))
}
