//go:build linux && (amd64 || arm64)

package capture

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/format"
)

const (
	beatInterval  = time.Second
	clockInterval = 5 * time.Second
)

// heart writes the recorder's receipt: what it cost, what was lost, and the clocks (DESIGN D6, D7).
type heart struct {
	kernel Kernel
	sink   Sink
	clock  Clock
	events func() uint64
	shed   *shedder

	rings     map[int]bpf.CPULoss // as last written
	nextClock format.KTime
	statsOn   bool // the kernel keeps run times of BPF programs anyway
	last      format.Heartbeat
}

func newHeart(kernel Kernel, sink Sink, clock Clock, events func() uint64, shed *shedder) *heart {
	return &heart{kernel: kernel, sink: sink, clock: clock, events: events, shed: shed, rings: map[int]bpf.CPULoss{}, statsOn: programStatsOn()}
}

// beat appends one heartbeat, the rings that changed, and the clocks when they are due or final is set. An error of the sink's
// background work is returned too: it must end the capture.
func (h *heart) beat(final bool) error {
	stats := h.sink.Stats()
	if stats.Err != nil {
		return stats.Err
	}
	h.shed.update(stats)
	row, err := h.measure(stats)
	if err != nil {
		return err
	}
	h.last = row
	if err := h.sink.AppendRow(&row); err != nil {
		return err
	}
	if final || row.Time >= h.nextClock {
		h.nextClock = row.Time.Add(clockInterval)
		return h.clocks()
	}
	return nil
}

func (h *heart) clocks() error {
	row, err := h.clock.Read()
	if err != nil {
		return err
	}
	return h.sink.AppendRow(&row)
}

func (h *heart) measure(stats format.WriterStats) (row format.Heartbeat, err error) {
	targets, err := h.kernel.Targets()
	if err != nil {
		return row, err
	}
	now := h.clock.Now()
	lost, err := h.account(now)
	if err != nil {
		return row, err
	}
	cpu, err := ownCPU()
	if err != nil {
		return row, err
	}
	rss, err := ownRSS()
	if err != nil {
		return row, err
	}
	row = format.Heartbeat{
		Time: now, RecorderCPU: cpu, RSS: rss, Events: h.events(), LostEvents: lost, ProgramTime: -1,
		JournalBytes: uint64(stats.JournalBytes), SealedBytes: uint64(stats.SealedBytes), UnsealedBytes: uint64(max(stats.UnsealedBytes, 0)),
		ShedLevel: uint8(h.shed.level.Load()), Targets: uint32(len(targets)),
	}
	if h.statsOn {
		if t, ok := h.kernel.ProgramTime(); ok {
			row.ProgramTime = t
		}
	}
	return row, nil
}

// account appends a row for each ring that changed, and returns how many records all rings have lost.
func (h *heart) account(now format.KTime) (lost uint64, err error) {
	loss, err := h.kernel.Loss()
	if err != nil {
		return 0, err
	}
	for _, l := range loss {
		lost += l.Lost
		if h.rings[l.CPU] == l || l == (bpf.CPULoss{CPU: l.CPU}) {
			continue
		}
		h.rings[l.CPU] = l
		row := format.Ring{Time: now, CPU: uint16(l.CPU), Captured: l.Captured, Lost: l.Lost, LostBytes: l.LostBytes}
		if err := h.sink.AppendRow(&row); err != nil {
			return lost, err
		}
	}
	return lost, nil
}

// programStatsOn reports whether the kernel keeps run times of BPF programs. The recorder never switches that on: it costs
// every program of the node.
func programStatsOn() bool {
	text, err := os.ReadFile("/proc/sys/kernel/bpf_stats_enabled")
	return err == nil && strings.TrimSpace(string(text)) == "1"
}

// ownCPU is the user and system time of this process.
func ownCPU() (time.Duration, error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("read the recorder's CPU time: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// ownRSS is the resident memory of this process, in bytes.
func ownRSS() (uint64, error) {
	const path = "/proc/self/statm"
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, fmt.Errorf("%s: %q is not memory in pages", path, text)
	}
	pages, err := strconv.ParseUint(string(fields[1]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return pages * uint64(os.Getpagesize()), nil
}
