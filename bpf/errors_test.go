//go:build linux && (amd64 || arm64)

package bpf

import (
	"errors"
	"strings"
	"syscall"
	"testing"
)

func init() {
	scenarios["unprivileged"] = scenario{play: func(p *player) {
		check(syscall.Setuid(65534))
		o, err := Load(Options{})
		if err == nil {
			o.Close()
			p.did(step{Note: "loaded"})
			return
		}
		var unsupported *UnsupportedError
		if !errors.As(err, &unsupported) || unsupported.Err == nil {
			p.did(step{Note: "untyped: " + err.Error()})
			return
		}
		p.did(step{Note: err.Error()})
	}}
}

// TestUnprivileged holds that a user without privilege is told, in one sentence, what to do.
func TestUnprivileged(t *testing.T) {
	privileged(t)
	p := start(t, "unprivileged", "v4")
	p.proceed()
	said := p.finish()[0].Note
	if !strings.HasPrefix(said, "cannot load the programs of ") || !strings.Contains(said, "CAP_BPF") || strings.Contains(said, "\n") {
		t.Errorf("the user reads %q", said)
	}
}

func TestRingSizes(t *testing.T) {
	for _, n := range []int{1, pageSize - 1, pageSize + 1, 3 * pageSize, -pageSize, 1 << 31} {
		if _, err := (&Options{RingBytes: n}).ringBytes(); err == nil {
			t.Errorf("a ring of %d bytes is accepted", n)
		}
	}
	if n, err := (&Options{}).ringBytes(); n != DefaultRingBytes || err != nil {
		t.Errorf("default %d, %v", n, err)
	}
}
