//go:build linux && (amd64 || arm64)

package capture

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/format"
)

// systemClock is the clocks of the kernel.
type systemClock struct{}

// Now reads CLOCK_MONOTONIC.
func (systemClock) Now() format.KTime {
	ns, err := nanoseconds(unix.CLOCK_MONOTONIC)
	if err != nil {
		panic(err) // POSIX: only for a clock that does not exist
	}
	return format.KTime(ns)
}

// Tick is a time.Ticker.
func (systemClock) Tick(interval time.Duration) (<-chan time.Time, func()) {
	t := time.NewTicker(interval)
	return t.C, t.Stop
}

// clockTries is how often the clocks are read, to keep the reading that was disturbed least.
const clockTries = 8

// Read reads CLOCK_BOOTTIME and CLOCK_REALTIME between two readings of CLOCK_MONOTONIC. Time is the middle of those; Width
// is their distance: neither clock is off by more than half of it.
func (systemClock) Read() (best format.Clock, err error) {
	for try := range clockTries {
		var t [4]int64
		for i, id := range [4]int32{unix.CLOCK_MONOTONIC, unix.CLOCK_BOOTTIME, unix.CLOCK_REALTIME, unix.CLOCK_MONOTONIC} {
			if t[i], err = nanoseconds(id); err != nil {
				return best, err
			}
		}
		width := time.Duration(t[3] - t[0])
		if try == 0 || width < best.Width {
			best = format.Clock{Time: format.KTime(t[0] + int64(width/2)), Boottime: t[1], Realtime: format.WallTime(t[2]), Width: width}
		}
	}
	return best, nil
}

func nanoseconds(clock int32) (int64, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, fmt.Errorf("read clock %d: %w", clock, err)
	}
	return ts.Nano(), nil
}
