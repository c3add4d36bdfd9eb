//go:build linux && (amd64 || arm64)

package bpf

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// namespaces are two network namespaces of a test's own, with a wire between them: a has 10.77.0.1, b has 10.77.0.2.
type namespaces struct {
	t    testing.TB
	a, b string
}

func newNamespaces(t testing.TB) *namespaces {
	t.Helper()
	privileged(t)
	n := &namespaces{t, fmt.Sprintf("reel-a-%d", os.Getpid()), fmt.Sprintf("reel-b-%d", os.Getpid())}
	for _, ns := range []string{n.a, n.b} {
		n.run("ip", "netns", "add", ns)
		t.Cleanup(func() { n.run("ip", "netns", "del", ns) })
		n.run("ip", "-n", ns, "link", "set", "lo", "up")
	}
	n.run("ip", "link", "add", "wire", "netns", n.a, "type", "veth", "peer", "name", "wire", "netns", n.b)
	for ns, addr := range map[string]string{n.a: "10.77.0.1/24", n.b: "10.77.0.2/24"} {
		n.run("ip", "-n", ns, "addr", "add", addr, "dev", "wire")
		n.run("ip", "-n", ns, "link", "set", "wire", "up", "gso_max_segs", "1") // segments as a network would see them
	}
	return n
}

func (n *namespaces) run(name string, args ...string) string {
	n.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		n.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// in runs a command in a namespace.
func (n *namespaces) in(ns, name string, args ...string) string {
	n.t.Helper()
	return n.run("ip", append([]string{"netns", "exec", ns, name}, args...)...)
}

// counter returns a counter of a namespace, as nstat names it.
func (n *namespaces) counter(ns, name string) (value uint64) {
	n.t.Helper()
	out := n.in(ns, "nstat", "-a", "-z", "-s", name)
	for _, line := range strings.Split(out, "\n") {
		if f := strings.Fields(line); len(f) == 3 && f[0] == name {
			if _, err := fmt.Sscan(f[1], &value); err != nil {
				n.t.Fatal(err)
			}
			return value
		}
	}
	n.t.Fatalf("nstat knows no %s:\n%s", name, out)
	return 0
}

// peer is a program of testdata that obeys lines.
type peer struct {
	t     testing.TB
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines chan string
}

func (n *namespaces) start(ns string, args ...string) *peer {
	n.t.Helper()
	cmd := exec.Command("ip", append([]string{"netns", "exec", ns, "python3"}, args...)...)
	cmd.Stderr = os.Stderr
	p := &peer{t: n.t, cmd: cmd, lines: make(chan string)}
	var err error
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		n.t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(p.lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	n.t.Cleanup(func() {
		cmd.Process.Kill()
		for range p.lines {
		}
		<-done
		cmd.Wait()
	})
	p.answer()
	return p
}

func (p *peer) pid() uint32 { return uint32(p.cmd.Process.Pid) }

// order tells the peer to take a step; answer waits until it has.
func (p *peer) order(step string) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.stdin, step); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) answer() string {
	p.t.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			p.t.Fatalf("%s ended early", p.cmd.Args)
		}
		return line
	case <-time.After(3 * patience):
		p.t.Fatalf("%s does not answer", p.cmd.Args)
	}
	return ""
}

func (p *peer) do(step string) string {
	p.t.Helper()
	p.order(step)
	return p.answer()
}

// until waits for a condition.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v", what, patience)
		}
		time.Sleep(10 * time.Millisecond) // poll
	}
}
