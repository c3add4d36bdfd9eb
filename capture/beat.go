//go:build linux && (amd64 || arm64)

package capture

import (
	"time"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/capture/budget"
	"github.com/ebpf-reel/reel/format"
)

const (
	beatInterval  = time.Second
	busyShare     = 8 // of a ring, in a beat: above it rings are watched closely
	clockInterval = 5 * time.Second
)

// heart writes the recorder's receipt: what it cost, what was lost, and the clocks (DESIGN D6, D7); and has the budget kept by it.
type heart struct {
	kernel   Kernel
	sink     Sink
	clock    Clock
	gauges   Gauges
	events   func() uint64
	keeper   *keeper
	programs *programTimer
	flight   *flight // nil: all is kept
	dir      string  // the reel
	segment  int64   // bytes of journal
	ring     uint64  // bytes of one
	load     bool    // there is a limit of it

	rings     map[int]bpf.CPULoss // as last written
	nextClock format.KTime
	last      format.Heartbeat
	maxRSS    uint64
}

// beat appends one heartbeat, the rings that changed, and the clocks when they are due or final is set. An error of the sink's
// background work is returned too: it must end the capture.
func (h *heart) beat(final bool) error {
	stats := h.sink.Stats()
	if stats.Err != nil {
		return stats.Err
	}
	now := h.clock.Now()
	shed, err := h.keeper.shedCalls()
	if err != nil {
		return err
	}
	h.programs.tick(now, h.events()+shed.calls, false)
	row, reading, err := h.measure(now, stats)
	if err != nil {
		return err
	}
	if err := h.keeper.observe(reading); err != nil {
		return err
	}
	if h.keeper.takeChanged() {
		h.programs.soon()
	}
	h.keeper.busy.Store(row.JournalBytes-h.last.JournalBytes > h.ring/busyShare || row.ShedLevel > 0)
	row.ShedCalls, row.ShedBytes = shed.calls, shed.bytes
	row.ShedLevel = uint8(h.keeper.level.Load())
	h.last = row
	h.maxRSS = max(h.maxRSS, row.RSS)
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

// measure reads everything, for the reel and for the budget.
func (h *heart) measure(now format.KTime, stats format.WriterStats) (row format.Heartbeat, r budget.Reading, err error) {
	targets, err := h.kernel.Targets()
	if err != nil {
		return row, r, err
	}
	lost, err := h.account(now)
	if err != nil {
		return row, r, err
	}
	usage, err := h.gauges.Usage(append(h.sink.Helpers(), h.flight.helpers()...))
	if err != nil {
		return row, r, err
	}
	row = format.Heartbeat{
		Time: now, RecorderCPU: usage.CPU, RSS: usage.Memory, Events: h.events(), LostEvents: lost,
		JournalBytes: uint64(stats.JournalBytes), SealedBytes: uint64(stats.SealedBytes), UnsealedBytes: uint64(max(stats.UnsealedBytes, 0)),
		Targets: uint32(len(targets)),
	}
	row.ProgramTime, row.ProgramsMeasured = h.programs.estimate(now)
	r = budget.Reading{
		Time: now, CPU: usage.CPU + max(row.ProgramTime, 0), Journal: budget.Bytes(row.JournalBytes), Memory: budget.Bytes(usage.Memory), Lost: lost,
		Reel: budget.Bytes(row.SealedBytes + row.UnsealedBytes), Unsealed: budget.Bytes(row.UnsealedBytes),
		// A segment is there twice while it is sealed.
		Reserve:       budget.Bytes(min(int64(row.UnsealedBytes), h.segment)),
		SealingBehind: stats.Shed, SealingBusy: stats.Pressed,
		FreeDisk: unknown, FreeMemory: unknown,
	}
	return row, r, h.node(&row, &r)
}

// unknown is a reading that ends nothing.
const unknown = ^budget.Bytes(0)

// node reads what the node has left. What cannot be read, for once, is unknown.
func (h *heart) node(row *format.Heartbeat, r *budget.Reading) error {
	if free, _, err := h.gauges.Disk(h.dir); err == nil {
		row.FreeDisk, r.FreeDisk = free, budget.Bytes(free)
	}
	if free, _, err := h.gauges.Memory(); err == nil {
		row.FreeMemory, r.FreeMemory = free, budget.Bytes(free)
	}
	if !h.load {
		return nil
	}
	load, err := h.gauges.Load()
	r.Load = load
	return err
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
