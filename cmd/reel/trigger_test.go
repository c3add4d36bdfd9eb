//go:build linux && (amd64 || arm64)

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/capture/capturetest"
	"github.com/ebpf-reel/reel/format"
)

// subject is a process that a test records and drives; it ends with the test.
type subject struct {
	*exec.Cmd
	out capturetest.Output
	in  io.WriteCloser
}

func subjectProcess(t *testing.T, args ...string) *subject {
	t.Helper()
	needRoot(t)
	s := &subject{Cmd: exec.Command(args[0], args[1:]...)}
	s.Stdout, s.Stderr = &s.out, &s.out
	var err error
	if s.in, err = s.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Process.Kill(); _ = s.Wait() })
	return s
}

// says waits until the process has printed what a pattern finds, and returns its first group.
func (s *subject) says(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(30 * time.Second); ; {
		if m := re.FindStringSubmatch(s.out.String()); m != nil {
			return m[len(m)-1]
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not print %q:\n%s", s.Args, pattern, s.out.String())
		}
		time.Sleep(2 * time.Millisecond) // poll
	}
}

// upstream is a server of testdata/upstream.py.
func upstream(t *testing.T) (s *subject, url string) {
	t.Helper()
	s = subjectProcess(t, "python3", "testdata/upstream.py")
	return s, "http://127.0.0.1:" + s.says(t, `port (\d+)`)
}

// watch records a process with rules until the test ends it.
func watch(t *testing.T, pid int, args ...string) (r *started, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "t.reel")
	r = start(t, command(t, append([]string{"capture", "-p", fmt.Sprint(pid), "-w", dir}, args...)...))
	r.await(t, r.stderr.String, "recording")
	return r, dir
}

// fired waits for a rule to fire.
func (s *started) fired(t *testing.T, name string) {
	s.await(t, s.stderr.String, "trigger "+name+" fired")
}

// quiet holds that no rule has fired so far.
func (s *started) quiet(t *testing.T, when string) {
	t.Helper()
	if strings.Contains(s.stderr.String(), " fired") {
		t.Fatalf("%s, a rule fired:\n%s", when, s.stderr.String())
	}
}

// finish ends the capture and returns its rows.
func (s *started) finish(t *testing.T, dir string) []format.Row {
	t.Helper()
	s.signal(t, unix.SIGINT)
	if status := s.wait(t); status.ExitStatus() != 0 {
		t.Fatalf("it ended with %v:\n%s", status, s.stderr.String())
	}
	return rowsOf(t, dir)
}

func rowsOf(t *testing.T, dir string) (rows []format.Row) {
	t.Helper()
	reel, err := format.Open(dir, format.OpenOptions{Filter: format.NoFilter{}})
	if err != nil {
		t.Fatal(err)
	}
	defer reel.Close()
	for row, err := range reel.Rows(format.RowsOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		switch r := row.(type) {
		case *format.Trigger:
			c := *r
			rows = append(rows, &c)
		case *format.Note:
			c := *r
			rows = append(rows, &c)
		case *format.IO:
			c := *r
			c.Payload = slices.Clone(r.Payload)
			rows = append(rows, &c)
		case *format.Process:
			c := *r
			rows = append(rows, &c)
		}
	}
	return rows
}

// firings are the rows of one step of one rule.
func triggerRows(rows []format.Row, name string, op format.TriggerOp) (found []*format.Trigger) {
	for _, row := range rows {
		if r, ok := row.(*format.Trigger); ok && r.Name == name && r.Op == op {
			found = append(found, r)
		}
	}
	return found
}

func oneFiring(t *testing.T, rows []format.Row, name string) *format.Trigger {
	t.Helper()
	all := triggerRows(rows, name, format.TriggerFired)
	if len(all) != 1 {
		t.Fatalf("the rule %s fired %d times, want once: %+v", name, len(all), all)
	}
	if r := all[0]; r.Rule == "" || r.Firing == 0 || r.Held == 0 || r.Periods < r.Held {
		t.Errorf("the firing of %s is %+v", name, r)
	}
	return all[0]
}

// get asks for a URL and returns its body. The client keeps one connection.
func get(t *testing.T, client *http.Client, url string) []byte {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

// pass lets the time of a condition go by.
func pass(ctx context.Context, d time.Duration, each func() bool) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for ctx.Err() == nil {
		if !each() {
			return
		}
	}
}

// What Rover does wrong: its CPU is the average since the process began. Here a process that was busy for a while before, and sleeps
// now, is not busy; and it is once it burns, though its average over its life is low by then.
func TestTriggerCPU(t *testing.T) {
	t.Parallel()
	burner := subjectProcess(t, "python3", "-c", `
import sys, time
def burn(s):
    end = time.process_time() + s
    while time.process_time() < end: pass
burn(2)
print("burnt", flush=True)
sys.stdin.readline()
while True: burn(1)
`)
	burner.says(t, "burnt")
	r, dir := watch(t, burner.Process.Pid, "--trigger", "busy: cpu > 10% for 2 of 5s => mark", "--trigger", "huge: cpu > 100.5% => mark", "--trigger", "cpu of comm nobody > 0% => mark",
		"--trigger", "few: threads < 2 => mark", "--trigger", "idle: load >= 0 for 2s => mark")
	r.fired(t, "idle") // two periods have passed, and the process has used no time in them
	if strings.Contains(r.stderr.String(), "busy fired") {
		t.Fatalf("fired for a process that sleeps:\n%s", r.stderr.String())
	}
	began := time.Now()
	fmt.Fprintln(burner.in, "go")
	r.fired(t, "busy")
	took := time.Since(began)
	rows := r.finish(t, dir)
	f := oneFiring(t, rows, "busy")
	if f.PID != format.PID(burner.Process.Pid) || f.Comm != "python3" || f.Value <= 10_000 || f.Value > 101_000 || f.Limit != 10_000 || f.Unit != "%" || f.Held != 2 || f.Periods != 5 || f.Start == 0 {
		t.Errorf("fired: %+v", f)
	}
	if took > 20*time.Second {
		t.Errorf("fired %v after it began to burn", took)
	}
	if f := oneFiring(t, rows, "few"); f.Value != 1000 {
		t.Errorf("fired: %+v", f)
	}
	for _, name := range []string{"huge", "cpu"} {
		if len(triggerRows(rows, name, format.TriggerArmed)) != 1 || len(triggerRows(rows, name, format.TriggerFired)) != 0 {
			t.Errorf("the rule %s is not one that was in force and did not fire", name)
		}
	}
}

// nginx answers with 500: the share is that of its access log. What comes after the firing is whole, what came before is cut at the budget.
func TestTriggerErrors(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	body := bytes.Repeat([]byte("0123456789abcde\n"), 4096) // 64 KiB
	if err := os.WriteFile(filepath.Join(dir, "big"), body, 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, `
user root; daemon off; worker_processes 1; pid %[1]s/pid; error_log %[1]s/error;
events { worker_connections 64; }
http { access_log %[1]s/access; client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
  sendfile off; server { listen %[2]s; root %[1]s; location /err { return 500 "oops"; } location /ok { return 200 "ok"; } } }`, dir, address), 0o644); err != nil {
		t.Fatal(err)
	}
	nginx := subjectProcess(t, "nginx", "-p", dir, "-c", conf)
	url := "http://" + address
	for deadline := time.Now().Add(10 * time.Second); ; {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("nginx does not listen:\n%s", nginx.out.String())
		}
		time.Sleep(2 * time.Millisecond) // poll
	}
	t.Cleanup(func() { _ = nginx.Process.Signal(syscall.SIGQUIT); _ = nginx.Wait() }) // its worker too

	r, reel := watch(t, nginx.Process.Pid, "--snaplen", "4KiB", "--trigger", `errors: http_5xx of path "/err" port `+address[strings.LastIndex(address, ":")+1:]+` >= 100% min 2 => snaplen full 20s`,
		"--trigger", "share: http_5xx > 20% min 10 for 2 of 10s => mark", "--trigger", "rate: http_5xx > 1/s for 2 of 10s => mark", "--trigger", "client: http_5xx of client > 0% => mark")
	client := newClient(t)
	pass(t.Context(), 1500*time.Millisecond, func() bool { get(t, client, url+"/ok"); return true })
	if got := get(t, client, url+"/big?before"); !bytes.Equal(got, body) {
		t.Fatalf("%d bytes came", len(got))
	}
	r.quiet(t, "without an error")
	pass(t.Context(), 20*time.Second, func() bool {
		get(t, client, url+"/err")
		get(t, client, url+"/ok")
		said := r.stderr.String()
		return !strings.Contains(said, "errors fired") || !strings.Contains(said, "share fired") || !strings.Contains(said, "rate fired")
	})
	get(t, client, url+"/big?after")
	rows := r.finish(t, reel)

	f := oneFiring(t, rows, "errors")
	if f.Value != 100_000 || f.Unit != "%" || f.Detail == "" {
		t.Errorf("fired: %+v", f)
	}
	// Errors and successes take turns: half, as nginx says too.
	if f := oneFiring(t, rows, "share"); f.Value < 40_000 || f.Value > 60_000 || f.Held != 2 {
		t.Errorf("fired: %+v", f)
	}
	if f := oneFiring(t, rows, "rate"); f.Unit != "/s" || f.Value < 1000 {
		t.Errorf("fired: %+v", f)
	}
	if len(triggerRows(rows, "client", format.TriggerFired)) != 0 {
		t.Error("nginx asks nobody, and a rule on what it asks for fired")
	}
	access, err := os.ReadFile(filepath.Join(dir, "access"))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(access, []byte(`" 500 `)); n < 10 {
		t.Errorf("nginx logged %d errors", n)
	}
	if acted := triggerRows(rows, "errors", format.TriggerActed); len(acted) != 1 || acted[0].Action != "snaplen full 20s" || acted[0].Detail != "snaplen full" {
		t.Errorf("done: %+v", acted)
	}
	before, after := bodyOf(rows, "GET /big?before"), bodyOf(rows, "GET /big?after")
	if !bytes.Contains(after, body) {
		t.Errorf("after the firing, %d bytes of a response of 64 KiB are in the reel", len(after))
	}
	if len(before) < 4096 || len(before) > 16<<10 {
		t.Errorf("before the firing, %d bytes of a response are in the reel, want about the snaplen", len(before))
	}
}

// bodyOf returns what was written on a connection after a request that begins so, up to its next request.
func bodyOf(rows []format.Row, request string) (body []byte) {
	var socket format.SocketID
	for _, row := range rows {
		r, ok := row.(*format.IO)
		switch {
		case !ok:
		case r.Dir == format.Read && bytes.HasPrefix(r.Payload, []byte(request)):
			socket, body = r.Socket, nil
		case r.Dir == format.Read && r.Socket == socket:
			return body
		case r.Dir == format.Write && r.Socket == socket:
			body = append(body, r.Payload...)
		}
	}
	return body
}

// A slow few move the 99th percentile, and not the mean; many move both. A status line that is cut in two across a vector counts.
func TestTriggerResponseTimes(t *testing.T) {
	server, url := upstream(t)
	r, dir := watch(t, server.Process.Pid, "--trigger", "p99: http_p99 > 400ms min 20 => mark", "--trigger", "mean: http_mean > 300ms min 2 => mark", "--trigger", "split: http_5xx > 0% => mark")
	client := newClient(t)
	pass(t.Context(), 1500*time.Millisecond, func() bool { get(t, client, url+"/ok"); return true })
	r.quiet(t, "with fast responses")
	get(t, client, url+"/err")
	r.fired(t, "split")
	slow := make(chan struct{})
	go func() { // each second has two slow ones among many
		defer close(slow)
		other := newClient(t)
		pass(t.Context(), 20*time.Second, func() bool {
			if resp, err := other.Get(url + "/slow"); err == nil {
				resp.Body.Close()
			}
			return !strings.Contains(r.stderr.String(), "p99 fired")
		})
	}()
	pace := time.NewTicker(30 * time.Millisecond) // less than a hundred a second: two of these are more than 1 %
	defer pace.Stop()
	fast := func(until string) {
		pass(t.Context(), 20*time.Second, func() bool {
			for range 3 {
				get(t, client, url+"/ok")
			}
			<-pace.C
			return !strings.Contains(r.stderr.String(), until)
		})
	}
	fast("p99 fired")
	<-slow
	if strings.Contains(r.stderr.String(), "mean fired") {
		t.Errorf("few slow responses moved the mean:\n%s", r.stderr.String())
	}
	for range 2 {
		go func() {
			other := newClient(t)
			pass(t.Context(), 15*time.Second, func() bool {
				if resp, err := other.Get(url + "/slow"); err == nil {
					resp.Body.Close()
				}
				return !strings.Contains(r.stderr.String(), "mean fired")
			})
		}()
	}
	r.fired(t, "mean")
	rows := r.finish(t, dir)
	for _, name := range []string{"p99", "mean"} {
		if f := oneFiring(t, rows, name); f.Unit != "ms" || f.Value < 300_000 || f.Value > 2_000_000 {
			t.Errorf("%s fired: %+v", name, f)
		}
	}
}

func TestTriggerExit(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "t.reel")
	r := start(t, command(t, "capture", "-w", dir, "--trigger", "segv: exit by SIGSEGV => mark", "--trigger", "kill: exit by SIGKILL or SIGTERM => mark", "--trigger", "any: exit by signal every 1h => mark",
		"--", "sh", "-c", `sh -c 'exit 11'; sh -c 'kill -SEGV $$'; sh -c 'kill -KILL $$'; sh -c 'kill -KILL $$'; true`))
	if status := r.wait(t); status.ExitStatus() != 0 {
		t.Fatalf("it ended with %v:\n%s", status, r.stderr.String())
	}
	rows := rowsOf(t, dir)
	killed := map[format.PID]uint32{}
	for _, row := range rows {
		if p, ok := row.(*format.Process); ok && p.Op == format.ProcExit {
			killed[p.PID] = p.ExitStatus & 0x7f
		}
	}
	if f := oneFiring(t, rows, "segv"); f.Detail != "SIGSEGV" || killed[f.PID] != uint32(unix.SIGSEGV) || f.Comm != "sh" || f.Start == 0 {
		t.Errorf("fired: %+v", f)
	}
	if f := oneFiring(t, rows, "kill"); f.Detail != "SIGKILL" || killed[f.PID] != uint32(unix.SIGKILL) {
		t.Errorf("fired: %+v", f)
	}
	if f := oneFiring(t, rows, "any"); f.Detail != "SIGSEGV" {
		t.Errorf("fired: %+v", f)
	}
	// The second kill came within the silence.
	if s := triggerRows(rows, "kill", format.TriggerSilenced); len(s) != 1 || s[0].Count != 1 {
		t.Errorf("silenced: %+v", s)
	}
	if s := triggerRows(rows, "any", format.TriggerSilenced); len(s) != 1 || s[0].Count != 2 {
		t.Errorf("silenced: %+v", s)
	}
}

// A transfer is one message: 2 MiB of one are told once, by the kernel; as many bytes in four messages are not.
func TestTriggerTransfer(t *testing.T) {
	server, url := upstream(t)
	r, dir := watch(t, server.Process.Pid, "--snaplen", "256", "--trigger", "big: transfer > 1MiB every 1s => mark")
	client := newClient(t)
	for range 4 {
		get(t, client, url+"/bytes/524288")
	}
	r.quiet(t, "with half of the size")
	get(t, client, url+"/bytes/2097152")
	r.fired(t, "big")
	pass(t.Context(), 20*time.Second, func() bool { // until the silence of the rule is over
		resp, err := client.Post(url+"/upload", "application/octet-stream", bytes.NewReader(make([]byte, 2<<20)))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return strings.Count(r.stderr.String(), "big fired") < 2
	})
	rows := r.finish(t, dir)
	var details []string
	for _, f := range triggerRows(rows, "big", format.TriggerFired) {
		details = append(details, f.Detail)
		if f.PID != format.PID(server.Process.Pid) || f.Unit != "B" || f.Value <= 1<<20*1000 || f.Value > 3<<20*1000 || f.Socket == 0 || f.Comm != "python3" || f.Start == 0 || "http://"+f.Local.String() != url || !f.Remote.IsValid() {
			t.Errorf("fired: %+v", f)
		}
	}
	if !slices.Equal(details, []string{"long_write", "long_read"}) {
		t.Errorf("fired for %v, want one download and one upload", details)
	}
}

func TestTriggerStops(t *testing.T) {
	t.Parallel()
	server, url := upstream(t)
	r, dir := watch(t, server.Process.Pid, "--trigger", "mine: transfer > 100KiB => mark, stop")
	get(t, newClient(t), url+"/bytes/200000")
	if status := r.wait(t); status.ExitStatus() != 0 {
		t.Fatalf("it ended with %v:\n%s", status, r.stderr.String())
	}
	rows := rowsOf(t, dir)
	if acted := triggerRows(rows, "mine", format.TriggerActed); len(acted) != 2 || acted[1].Action != "stop" {
		t.Errorf("done: %+v", acted)
	}
	stopped := slices.IndexFunc(rows, func(row format.Row) bool {
		n, ok := row.(*format.Note)
		return ok && n.Name == "stopped" && strings.Contains(n.Detail, "mine")
	})
	if stopped < 0 {
		t.Error("the reel does not say which rule ended the capture")
	}
}

// The snap of a firing holds what was before it, though nothing was kept until then, and the firing itself.
func TestTriggerSnaps(t *testing.T) {
	t.Parallel()
	server, url := upstream(t)
	dir := filepath.Join(t.TempDir(), "t.flight")
	r := start(t, command(t, "capture", "-p", fmt.Sprint(server.Process.Pid), "-w", dir, "--ring", "1m", "--trigger", "error: http_5xx > 0% => snap after 1s, snaplen full 5s"))
	r.await(t, r.stderr.String, "recording")
	client := newClient(t)
	get(t, client, url+"/before")
	get(t, client, url+"/err")
	r.fired(t, "error")
	get(t, client, url+"/after")
	var snap string
	for deadline := time.Now().Add(30 * time.Second); snap == ""; time.Sleep(5 * time.Millisecond) { // poll
		found, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "*snap*.reel"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if reel, err := format.Open(f, format.OpenOptions{Filter: format.NoFilter{}}); err == nil {
				if reel.Manifest().Clean {
					snap = f
				}
				reel.Close()
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("no snap:\n%s", r.stderr.String())
		}
	}
	r.signal(t, unix.SIGINT)
	r.wait(t)
	if want := "trigger error: its snap is "; !strings.Contains(r.stderr.String(), want) {
		t.Errorf("it did not print %q:\n%s", want, r.stderr.String())
	}
	rows := rowsOf(t, snap)
	oneFiring(t, rows, "error")
	if len(triggerRows(rows, "error", format.TriggerArmed)) != 1 {
		t.Error("the snap does not say which rules were in force")
	}
	for _, request := range []string{"GET /before", "GET /err", "GET /after"} {
		if len(bodyOf(rows, request)) == 0 {
			t.Errorf("the snap does not hold %s", request)
		}
	}
}

// TLS hides what a rule on HTTP looks at: the reel says so.
func TestTriggerIsBlindOnTLS(t *testing.T) {
	t.Parallel()
	server, url := upstream(t)
	r, dir := watch(t, server.Process.Pid, "--trigger", "http_5xx > 0% => mark")
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("\x16\x03\x01\x00\x05hello")); err != nil {
		t.Fatal(err)
	}
	get(t, newClient(t), url+"/ok") // behind it
	rows := r.finish(t, dir)
	blind := slices.IndexFunc(rows, func(row format.Row) bool {
		n, ok := row.(*format.Note)
		return ok && n.Name == "trigger_blind_tls" && n.Count == 1
	})
	if blind < 0 {
		t.Errorf("no note:\n%s", r.stderr.String())
	}
}

func TestTriggersAreRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rules")
	if err := os.WriteFile(file, []byte("# ours\n\nload > 100 => mark\r\n  cpu > 80 => mark\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, want string }{
		{"--trigger|cpu > 80% => oncpu 30s", `reel: --trigger, column 14: "oncpu" is not possible, since this version of reel has no collector of on-CPU stacks: write snap, snaplen, mark or stop`},
		{"--trigger|load > 1 => mark|--trigger|cpu => mark", `reel: --trigger number 2, column 5: "=>" stands where a comparison is expected: write >, >=, < or <=`},
		{"--trigger-file|" + file, "reel: " + file + `, line 4, column 9: "80" is no limit of cpu: write one as 80%`},
		{"--trigger-file|" + file + ".none", "no such file"},
		{"--trigger|load > 1 => snap", "which keeps what a flight recorder holds"},
		{"--payload|none|--trigger|http_p99 > 1s => mark", "reads the first bytes of messages"},
		{"--payload|heads|--trigger|load > 1 => snaplen full 1s", `--payload heads does not keep what the action "snaplen full 1s" of a trigger copies: leave one out`},
		{"--trigger|transfer > 1MiB => mark|--trigger|transfer > 2MiB => mark", "names another size of a transfer"},
		{"--trigger|a: load > 1 => mark|--trigger|a: load > 2 => mark", "two trigger rules are called a"},
	} {
		cmd := command(t, append([]string{"capture", "-p", fmt.Sprint(os.Getpid())}, strings.Split(c.args, "|")...)...)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != int(exitInput) || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %v\n%s", c.args, err, out)
		}
		if made, _ := filepath.Glob(filepath.Join(cmd.Dir, "*")); len(made) > 0 {
			t.Errorf("%s: left %v", c.args, made)
		}
	}
}

// lossy is a client and a server on the loopback of a network of their own, where one segment in ten is dropped on its way in.
const lossy = `
import socket, sys, threading
listener = socket.create_server(("127.0.0.1", 0))
def drain():
    conn = listener.accept()[0]
    while conn.recv(1 << 16): pass
threading.Thread(target=drain, daemon=True).start()
client = socket.create_connection(listener.getsockname())
print("connected", flush=True)
sys.stdin.readline()
while True: client.sendall(bytes(1 << 16))
`

func TestTriggerRetransmits(t *testing.T) {
	t.Parallel()
	s := subjectProcess(t, "unshare", "-n", "sh", "-c", `ip link set lo up &&
nft 'add table ip t; add chain ip t in { type filter hook input priority 0; }; add rule ip t in tcp flags != syn numgen inc mod 10 0 drop' && exec python3 -c "$0"`, lossy)
	s.says(t, "connected")
	r, dir := watch(t, s.Process.Pid, "--snaplen", "64", "--trigger", "lossy: retransmits > 2/s => mark", "--trigger", "idle: load >= 0 for 2s => mark")
	r.fired(t, "idle")
	if strings.Contains(r.stderr.String(), "lossy fired") {
		t.Fatalf("fired while nothing was sent:\n%s", r.stderr.String())
	}
	fmt.Fprintln(s.in, "go")
	r.fired(t, "lossy")
	rows := r.finish(t, dir)
	f := oneFiring(t, rows, "lossy")
	snmp, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/snmp", s.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	// "Tcp: RtoAlgorithm … RetransSegs …", then the same with numbers
	var lines [][]string
	for line := range strings.Lines(string(snmp)) {
		if fields := strings.Fields(line); fields[0] == "Tcp:" {
			lines = append(lines, fields)
		}
	}
	var resent int64
	if _, err := fmt.Sscan(lines[1][slices.Index(lines[0], "RetransSegs")], &resent); err != nil {
		t.Fatal(err)
	}
	if f.Unit != "/s" || f.Value <= 2000 || f.Value > resent*1000 || f.PID != 0 {
		t.Errorf("fired: %+v; the kernel has sent %d segments again", f, resent)
	}
}
