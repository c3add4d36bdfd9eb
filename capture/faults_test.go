//go:build linux && (amd64 || arm64)

package capture

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/capture/doctor"
	"github.com/ebpf-reel/reel/capture/procfs"
	"github.com/ebpf-reel/reel/format"
)

// The fakes here produce faults that a real kernel or disk cannot be made to have at will. Everything else is tested on
// the real ones.

// SetTies is never asked for either.
func (k *fakeKernel) SetTies(bpf.Ties) error { return nil }

// WatchCost is never asked for either.
func (k *fakeKernel) WatchCost(uint32, bool) error { return nil }

// ForgetCost is never asked for either.
func (k *fakeKernel) ForgetCost(uint32) error { return nil }

// Cost is never asked for either.
func (k *fakeKernel) Cost(uint32) (bpf.PlaintextCost, error) { return bpf.PlaintextCost{}, nil }

// AttachUprobes is never asked for: no test of faults records TLS.
func (k *fakeKernel) AttachUprobes(string, uint32, []bpf.Uprobe) (io.Closer, error) {
	return nil, errors.ErrUnsupported
}

type fakeKernel struct {
	mu       sync.Mutex
	hooks    []bpf.HookResult
	targets  []uint32
	pending  [][]byte // what the rings hold
	loss     []bpf.CPULoss
	counters bpf.Counters
	unseen   []bpf.Unseen
	snapshot error
	drain    error
	closed   bool
	snaplen  uint32
	shed     bpf.ShedLevel
	fill     float64
}

func (k *fakeKernel) Attach() []bpf.HookResult { return k.hooks }

func (k *fakeKernel) AddTarget(pid uint32) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.targets = append(k.targets, pid)
	return nil
}

func (k *fakeKernel) RemoveTarget(pid uint32) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.targets = slices.DeleteFunc(k.targets, func(p uint32) bool { return p == pid })
	return nil
}

func (k *fakeKernel) WatchCgroup(uint64, uint32) error { return nil }

func (k *fakeKernel) Targets() ([]uint32, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.targets), nil
}

func (k *fakeKernel) Snapshot(func([]byte)) error { return k.snapshot }

func (k *fakeKernel) Wait(time.Duration) error { return nil }

func (k *fakeKernel) Drain(fn func([]byte) error) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for ; len(k.pending) > 0; k.pending = k.pending[1:] {
		if err := fn(k.pending[0]); err != nil {
			return n, err
		}
		n++
	}
	return n, k.drain
}

func (k *fakeKernel) Loss() ([]bpf.CPULoss, error)           { return k.loss, nil }
func (k *fakeKernel) Counters() (bpf.Counters, error)        { return k.counters, nil }
func (k *fakeKernel) Unseen() ([]bpf.Unseen, error)          { return k.unseen, nil }
func (k *fakeKernel) CountRunTime() (io.Closer, error)       { return nil, errors.New("not permitted") }
func (k *fakeKernel) RunTime() (time.Duration, error)        { return 0, nil }
func (k *fakeKernel) Beside() int                            { return 0 }
func (k *fakeKernel) BlockTotals() ([]bpf.BlockTotal, error) { return nil, nil }
func (k *fakeKernel) Away() ([]bpf.Away, error)              { return nil, nil }
func (k *fakeKernel) Fill() float64                          { return k.fill }
func (k *fakeKernel) SetSnaplen(bytes uint32) error          { k.snaplen = bytes; return nil }
func (k *fakeKernel) SetShed(level bpf.ShedLevel) error      { k.shed = level; return nil }
func (k *fakeKernel) Close() error                           { k.closed = true; return nil }

type fakeSink struct {
	mu     sync.Mutex
	events [][]byte
	rows   []format.Row
	stats  format.WriterStats
	left   string
	slow   func() // called in AppendEvent
	closed bool
}

func (s *fakeSink) AppendEvent(ev []byte) error {
	if s.slow != nil {
		s.slow()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, slices.Clone(ev))
	return nil
}

func (s *fakeSink) AppendRow(row format.Row) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows = append(s.rows, row)
	return nil
}

func (s *fakeSink) Helpers() []format.PID     { return nil }
func (s *fakeSink) Abandon(why string)        { s.left = why }
func (s *fakeSink) Flush() error              { return nil }
func (s *fakeSink) Stats() format.WriterStats { return s.stats }
func (s *fakeSink) Close() error              { s.closed = true; return s.stats.Err }

func (s *fakeSink) notes() (names []string) {
	for _, row := range s.rows {
		if n, ok := row.(*format.Note); ok {
			names = append(names, n.Name)
		}
	}
	return names
}

// fakePorts is a world with one process besides ours: pid 4711.
func fakePorts(k *fakeKernel, s *fakeSink) ports {
	p := realPorts()
	p.load = func(bpf.Options) (Kernel, error) { return k, nil }
	p.create = func(string, format.CaptureInfo, format.WriterConfig) (Sink, error) { return s, nil }
	p.proc = fakeProc{map[format.PID]procfs.Stat{4711: {PID: 4711, PPID: 1, Comm: "web", State: 'S', Start: 7 * uint64(procfs.Tick), Threads: 1}}}
	return p
}

type fakeProc struct{ stats map[format.PID]procfs.Stat }

func (p fakeProc) Named(pid format.PID) (format.PID, error) { return pid, nil }

func (p fakeProc) Seen(pid format.PID) format.PID { return pid }

func (p fakeProc) PIDs() (pids []format.PID, err error) {
	for pid := range p.stats {
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	return pids, nil
}

func (p fakeProc) Stat(pid format.PID) (procfs.Stat, error) {
	if s, ok := p.stats[pid]; ok {
		return s, nil
	}
	return procfs.Stat{}, fs.ErrNotExist
}

func (p fakeProc) Comm(pid format.PID) (string, error) {
	s, err := p.Stat(pid)
	return s.Comm, err
}

func (p fakeProc) Leader(tid format.PID) (format.PID, error) { return tid, nil }

func (p fakeProc) Describe(pid format.PID) (format.Process, error) {
	s, err := p.Stat(pid)
	return format.Process{Op: format.ProcSnapshot, PID: pid, PPID: s.PPID, Start: s.Start, Comm: s.Comm}, err
}

func (p fakeProc) Cgroups(format.PID) ([]procfs.Membership, error) { return nil, nil }

func (p fakeProc) CPUs() int { return 1 }

func (p fakeProc) Load() (int64, error) { return 500, nil }

func (p fakeProc) OwnPIDNamespace() (uint64, error) { return doctor.InitialPIDNamespace, nil }

func fakeConfig(t *testing.T) Config {
	cfg := config(t)
	cfg.PIDs = []format.PID{4711}
	cfg.Duration = 10 * time.Millisecond
	return cfg
}

func event(kind format.EventKind, size int) []byte {
	ev := make([]byte, size)
	binary.LittleEndian.PutUint32(ev[16:], uint32(size)) // event_header.size
	binary.LittleEndian.PutUint16(ev[kindOffset:], uint16(kind))
	return ev
}

func TestLossIsCountedAndKept(t *testing.T) {
	k := &fakeKernel{loss: []bpf.CPULoss{{CPU: 0, Captured: 2}, {CPU: 1, Captured: 3, Lost: 5, LostBytes: 700}, {CPU: 2}},
		counters: bpf.Counters{SocketsFull: 1}, unseen: []bpf.Unseen{{PID: 4711, Kind: bpf.UnseenCompat, Count: 3}, {Kind: bpf.UnseenCompat, Count: 1}}, pending: [][]byte{event(format.EventIO, 96), event(9999, 40), make([]byte, 3)}}
	s := &fakeSink{}
	sum, err := record(t.Context(), fakeConfig(t), fakePorts(k, s))
	if err != nil {
		t.Fatal(err)
	}
	if sum.Lost != 5 || sum.LostBytes != 700 || sum.Events[format.EventIO] != 1 || sum.Events[0] != 2 {
		t.Errorf("the summary is %+v", sum)
	}
	rings := map[uint16]int{}
	var beat format.Heartbeat
	for _, row := range s.rows {
		switch row := row.(type) {
		case *format.Ring:
			rings[row.CPU]++
			if row.CPU == 1 && (row.Lost != 5 || row.LostBytes != 700) {
				t.Errorf("ring row %+v", row)
			}
		case *format.Heartbeat:
			beat = *row
		}
	}
	if rings[0] != 1 || rings[1] != 1 || rings[2] != 0 {
		t.Errorf("ring rows by CPU %v, want one for each that changed once", rings)
	}
	if beat.LostEvents != 5 || beat.ProgramTime != -1 {
		t.Errorf("the last heartbeat is %+v", beat)
	}
	for _, want := range []NoteName{NoteCompatCalls, NoteMapFull, NoteStopped} {
		if !slices.Contains(s.notes(), string(want)) {
			t.Errorf("no note %s in %v", want, s.notes())
		}
	}
	if !k.closed || !s.closed {
		t.Error("kernel or sink stay open")
	}
}

// A sink that blocks keeps the capture going: the rings take up what they can, and what they lose is counted there.
func TestSlowSinkDoesNotEndTheCapture(t *testing.T) {
	k := &fakeKernel{}
	for range 20 {
		k.pending = append(k.pending, event(format.EventIO, 200))
	}
	s := &fakeSink{slow: func() { time.Sleep(2 * time.Millisecond) }} // poll: the fault itself
	sum, err := record(t.Context(), fakeConfig(t), fakePorts(k, s))
	if err != nil || sum.Total() != 20 || len(s.events) != 20 {
		t.Errorf("%d of 20 events taken, %d stored: %v", sum.Total(), len(s.events), err)
	}
}

// An error of the sealer, which works behind our back, ends the capture.
func TestBackgroundErrorEndsTheCapture(t *testing.T) {
	k, s := &fakeKernel{}, &fakeSink{}
	full := &format.DiskFullError{File: "segment-000001/io.parquet"}
	cfg := fakeConfig(t)
	cfg.Duration = 0
	cfg.OnProgress = func(Progress) { s.stats.Err = full } // called by the goroutine that reads it
	sum, err := record(t.Context(), cfg, fakePorts(k, s))
	broken, ok := as[*BrokenError](err)
	if !ok || !errors.Is(err, full) || sum == nil || sum.Reason != ReasonBroken {
		t.Fatalf("%v, %+v", err, sum)
	}
	if !strings.Contains(broken.Error(), cfg.Dir) || strings.Contains(broken.Error(), "\n") {
		t.Errorf("the sentence is %q", broken)
	}
}

func TestBrokenRingEndsTheCapture(t *testing.T) {
	k, s := &fakeKernel{drain: errors.New("ring of CPU 1: a record does not fit")}, &fakeSink{}
	cfg := fakeConfig(t)
	cfg.Duration = 0
	_, err := record(t.Context(), cfg, fakePorts(k, s))
	if err == nil || !strings.Contains(err.Error(), "ring of CPU 1") {
		t.Errorf("it ended with %v", err)
	}
	if !k.closed || !s.closed {
		t.Error("kernel or sink stay open")
	}
}

func TestSnapshotThatFailsIsNoted(t *testing.T) {
	k, s := &fakeKernel{snapshot: errors.New("no iterators")}, &fakeSink{}
	if _, err := record(t.Context(), fakeConfig(t), fakePorts(k, s)); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(s.notes(), string(NoteSnapshotIncomplete)) {
		t.Errorf("notes are %v", s.notes())
	}
}

// unreadableProc is a process table that cannot be read for now.
type unreadableProc struct{ fakeProc }

func (unreadableProc) Stat(format.PID) (procfs.Stat, error) { return procfs.Stat{}, syscall.EMFILE }

// A target stays one while nobody can say whether it lives: only one that is gone is removed.
func TestSweepRemovesOnlyWhatIsGone(t *testing.T) {
	k := &fakeKernel{targets: []uint32{4711}}
	none := fakeProc{map[format.PID]procfs.Stat{}}
	if err := newTargets(k, unreadableProc{none}, 1).sweep(); err != nil {
		t.Fatal(err)
	}
	if left, _ := k.Targets(); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
	if err := newTargets(k, none, 1).sweep(); err != nil {
		t.Fatal(err)
	}
	if left, _ := k.Targets(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// Without the hook on exit, the end of a target is found in /proc.
func TestEndIsFoundWithoutItsHook(t *testing.T) {
	k := &fakeKernel{hooks: []bpf.HookResult{{Name: "tp_btf/sched_process_exit", Purpose: "the end of a target", Err: errors.New("no such tracepoint")}}}
	s := &fakeSink{}
	p := fakePorts(k, s)
	cfg := fakeConfig(t)
	cfg.Duration = 0
	proc := fakeProc{map[format.PID]procfs.Stat{4711: {PID: 4711, State: 'S', Comm: "web", Threads: 1}}}
	p.proc = proc
	cfg.OnReady = func(Ready) { delete(proc.stats, 4711) } // on the capture's own goroutine
	sum, err := record(t.Context(), cfg, p)
	if err != nil || sum.Reason != ReasonTargets {
		t.Fatalf("%v, %+v", err, sum)
	}
	if !slices.Contains(s.notes(), string(NoteExitUnseen)) {
		t.Errorf("notes are %v", s.notes())
	}
	for _, row := range s.rows {
		if h, ok := row.(*format.Hook); ok && (h.Attached || h.Error == "") {
			t.Errorf("hook row %+v", h)
		}
	}
}

func TestRequiredHookIsRequired(t *testing.T) {
	k := &fakeKernel{hooks: []bpf.HookResult{{Name: "tp_btf/sys_exit", Purpose: "socket calls", Required: true, Err: errors.New("not permitted")}}}
	_, err := record(t.Context(), fakeConfig(t), fakePorts(k, &fakeSink{}))
	if _, ok := as[*RefusedError](err); !ok || !k.closed {
		t.Errorf("it says %v", err)
	}
}

func TestKernelThatIsNotSupported(t *testing.T) {
	p := fakePorts(nil, nil)
	p.load = func(bpf.Options) (Kernel, error) {
		return nil, &bpf.UnsupportedError{What: "load BPF programs", Why: "this kernel is too old", Do: "Linux 5.10 or later is needed"}
	}
	_, err := record(t.Context(), fakeConfig(t), p)
	if refused, ok := as[*RefusedError](err); !ok || !strings.Contains(refused.Error(), "too old") || !strings.Contains(refused.Error(), "5.10") {
		t.Errorf("it says %v", err)
	}
}

// More programs than can be described are counted, and nobody waits for them.
func TestDescriberFallsBehind(t *testing.T) {
	d := newDescriber(fakeProc{}, systemClock{}, &fakeSink{}, newContainers(nil))
	for pid := range format.PID(describeQueue + 7) {
		d.want(wanted{pid: pid + 1, start: 1})
	}
	if d.missed.Load() != 7 {
		t.Errorf("%d were missed, want 7", d.missed.Load())
	}
	close(d.queue)
	if err := d.run(); err != nil {
		t.Fatal(err)
	}
	if d.missed.Load() != describeQueue+7 {
		t.Errorf("%d were missed, want all: none is in /proc", d.missed.Load())
	}
}

// A description belongs to the process that was asked about, not to the next owner of its id, and has its exact start.
func TestDescriberTakesTheRightProcess(t *testing.T) {
	s := &fakeSink{}
	tick := uint64(procfs.Tick)
	d := newDescriber(fakeProc{map[format.PID]procfs.Stat{4711: {PID: 4711, Comm: "web", Start: 7 * tick}}}, systemClock{}, s, newContainers(nil))
	d.want(wanted{pid: 4711, start: 7*tick + 123})
	d.want(wanted{pid: 4711, start: 6*tick + 123}) // an earlier owner
	close(d.queue)
	if err := d.run(); err != nil {
		t.Fatal(err)
	}
	if len(s.rows) != 1 || s.rows[0].(*format.Process).Start != 7*tick+123 || d.missed.Load() != 1 {
		t.Errorf("rows %v, missed %d", s.rows, d.missed.Load())
	}
	d.began(4711, 7*tick+123)
	if d.exact(4711, 7*tick) != 7*tick+123 || d.exact(4711, 8*tick) != 8*tick {
		t.Error("the exact start is not that of the process")
	}
	d.ended(4711)
	if d.exact(4711, 7*tick) != 7*tick {
		t.Error("a process that ended is remembered")
	}
}

// endlessForks is a process table in which every look shows a new child of the last.
type endlessForks struct{ fakeProc }

func (p endlessForks) PIDs() ([]format.PID, error) {
	last := format.PID(4710 + len(p.stats))
	p.stats[last+1] = procfs.Stat{PID: last + 1, PPID: last, State: 'S', Threads: 1}
	return p.fakeProc.PIDs()
}

func TestTargetsThatForkWithoutEnd(t *testing.T) {
	k, s := &fakeKernel{}, &fakeSink{}
	p := fakePorts(k, s)
	p.proc = endlessForks{p.proc.(fakeProc)}
	sum, err := record(t.Context(), fakeConfig(t), p)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(s.notes(), string(NoteSnapshotIncomplete)) || sum.Targets != adoptRounds {
		t.Errorf("%d targets, notes %v", sum.Targets, s.notes())
	}
}

// A process that ends while it is made a target, and whose id another one takes, is none.
func TestTargetWhoseIDIsTakenOver(t *testing.T) {
	k := &fakeKernel{}
	proc := fakeProc{map[format.PID]procfs.Stat{4711: {PID: 4711, State: 'S', Start: 2, Threads: 1}}}
	targets := newTargets(k, proc, format.PID(os.Getpid()))
	adopted, _, err := targets.adopt([]procfs.Stat{{PID: 4711, State: 'S', Start: 1, Threads: 1}})
	if err != nil || len(adopted) != 0 || len(k.targets) != 0 {
		t.Errorf("adopted %v, targets %v: %v", adopted, k.targets, err)
	}
}

func TestHotPathAllocatesNothing(t *testing.T) {
	k := &fakeKernel{}
	s := &countingSink{}
	d := newDrainer(k, s, systemClock{}, newDescriber(fakeProc{}, systemClock{}, s, newContainers(nil)))
	ev := event(format.EventIO, 400)
	allocs := testing.AllocsPerRun(1000, func() {
		if err := d.take(ev); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for an event", allocs)
	}
}

type countingSink struct {
	fakeSink
	bytes int
}

func (s *countingSink) AppendEvent(ev []byte) error { s.bytes += len(ev); return nil }

func BenchmarkTakeEvent(b *testing.B) {
	s := &countingSink{}
	d := newDrainer(&fakeKernel{}, s, systemClock{}, newDescriber(fakeProc{}, systemClock{}, s, newContainers(nil)))
	ev := event(format.EventIO, 400)
	b.SetBytes(int64(len(ev)))
	for b.Loop() {
		if err := d.take(ev); err != nil {
			b.Fatal(err)
		}
	}
}

func TestCancelledBeforeItBegan(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	cfg := fakeConfig(t)
	cfg.Duration = 0
	sum, err := record(ctx, cfg, fakePorts(&fakeKernel{}, &fakeSink{}))
	if err != nil || sum.Reason != ReasonStopped {
		t.Errorf("%v %+v", err, sum)
	}
}
