//go:build linux && (amd64 || arm64)

package capture

import (
	"testing"
	"time"

	"github.com/ebpf-reel/reel/bpf"
)

// TestHitCost holds that what a probe costs is measured at all: more than a call, less than a hundred microseconds.
func TestHitCost(t *testing.T) {
	needRoot(t)
	o, err := bpf.Load(bpf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	cost, err := hitCost(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a hit costs %v", cost)
	if cost < 50*time.Nanosecond || cost > 100*time.Microsecond {
		t.Errorf("a hit costs %v", cost)
	}
}
