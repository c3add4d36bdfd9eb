//go:build linux && (amd64 || arm64)

package capture

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestClocksAgree(t *testing.T) {
	before := systemClock{}.Now()
	wall := time.Now()
	row, err := systemClock{}.Read()
	if err != nil {
		t.Fatal(err)
	}
	after := systemClock{}.Now()
	if row.Time < before || row.Time > after {
		t.Errorf("CLOCK_MONOTONIC %d is not between %d and %d", row.Time, before, after)
	}
	if off := row.Realtime.Time().Sub(wall); off < 0 || off > time.Second {
		t.Errorf("CLOCK_REALTIME is %v from the runtime's", off)
	}
	uptime, err := os.ReadFile("/proc/uptime") // CLOCK_BOOTTIME in hundredths of a second
	if err != nil {
		t.Fatal(err)
	}
	up, err := strconv.ParseFloat(strings.Fields(string(uptime))[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	if off := time.Duration(up*1e9) - time.Duration(row.Boottime); off < -20*time.Millisecond || off > time.Second {
		t.Errorf("CLOCK_BOOTTIME is %v from /proc/uptime", off)
	}
	if row.Width <= 0 || row.Width > 10*time.Millisecond {
		t.Errorf("read within %v", row.Width)
	}
}
