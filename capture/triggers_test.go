//go:build linux && (amd64 || arm64)

package capture

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/capture/procfs"
	"github.com/ebpf-reel/reel/capture/trigger"
	"github.com/ebpf-reel/reel/format"
)

func parseRules(t *testing.T, texts ...string) (rules []trigger.Rule) {
	t.Helper()
	for _, text := range texts {
		r, err := trigger.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, r)
	}
	return rules
}

// stubbornKernel does not change the snaplen.
type stubbornKernel struct{ *fakeKernel }

func (stubbornKernel) SetSnaplen(uint32) error { return errors.New("the page is gone") }

// fullDisk makes no snap.
type fullDisk struct{}

func (fullDisk) Snap(time.Duration, time.Duration, string) (string, error) {
	return "", errors.New("no space left on device")
}

func newTestTriggers(t *testing.T, k Kernel, s *fakeSink, texts ...string) *triggers {
	t.Helper()
	cfg := fakeConfig(t)
	cfg.Snaplen, cfg.Triggers = 4096, parseRules(t, texts...)
	tr, err := newTriggers(&cfg, k, s, systemClock{})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func (s *fakeSink) triggers(op format.TriggerOp) (rows []*format.Trigger) {
	for _, row := range s.rows {
		if r, ok := row.(*format.Trigger); ok && r.Op == op {
			rows = append(rows, r)
		}
	}
	return rows
}

var killed = occurrence{metric: trigger.Exit, signal: 9, sample: trigger.Sample{Subject: trigger.Subject{PID: 7, Comm: "web", Detail: "SIGKILL"}}}

func TestFailedActionsAreRecorded(t *testing.T) {
	s := &fakeSink{}
	tr := newTestTriggers(t, stubbornKernel{&fakeKernel{}}, s, "exit by signal => snaplen full 10s, snap, mark")
	tr.snap = fullDisk{}
	if err := tr.occur(killed); err != nil {
		t.Fatal(err)
	}
	if err := tr.end(); err != nil {
		t.Fatal(err)
	}
	var failed []string
	for _, r := range s.triggers(format.TriggerFailed) {
		failed = append(failed, r.Action+": "+r.Detail)
		if r.Firing != 1 || r.Name != "exit" {
			t.Errorf("%+v", r)
		}
	}
	if want := []string{"snaplen full 10s: the page is gone", "snap: no space left on device"}; !slices.Equal(failed, want) {
		t.Errorf("failed: %q, want %q", failed, want)
	}
	if acted := s.triggers(format.TriggerActed); len(acted) != 1 || acted[0].Action != "mark" {
		t.Errorf("done: %+v", acted)
	}
}

// Of several snaplens the largest holds, and at the end the one that the capture was started with.
func TestSnaplensOverlap(t *testing.T) {
	k, s := &fakeKernel{}, &fakeSink{}
	tr := newTestTriggers(t, k, s, "exit by SIGKILL => snaplen full 1s, snaplen 64KiB 2s, snaplen 16B 3s")
	if err := tr.occur(killed); err != nil {
		t.Fatal(err)
	}
	got := []uint32{k.snaplen}
	for range 3 {
		select {
		case <-tr.expired():
		case <-time.After(30 * time.Second):
			t.Fatal("a snaplen does not run out")
		}
		if err := tr.shorten(); err != nil {
			t.Fatal(err)
		}
		got = append(got, k.snaplen)
	}
	if want := []uint32{bpf.SnapFull, 64 << 10, 4096, 4096}; !slices.Equal(got, want) {
		t.Errorf("snaplens %v, want %v: 16 bytes are less than what the capture copies anyway", got, want)
	}
}

// More events than wait to be judged are counted; the hot path does not wait for them.
func TestEventsThatFindNoRoomAreCounted(t *testing.T) {
	s := &fakeSink{}
	tr := newTestTriggers(t, &fakeKernel{}, s, "exit by SIGKILL => mark")
	for range occurrences + 7 {
		tr.observer.exited(&format.Process{PID: 7, ExitStatus: 9})
	}
	tr.observer.exited(&format.Process{PID: 8, ExitStatus: 3 << 8}) // ended by itself: no event
	if err := tr.end(); err != nil {
		t.Fatal(err)
	}
	counts := map[NoteName]uint64{}
	tr.notes(func(name NoteName, n uint64, _ string) { counts[name] += n })
	if counts[NoteTriggerDropped] != 7 {
		t.Errorf("notes: %v", counts)
	}
	if fired, silenced := s.triggers(format.TriggerFired), s.triggers(format.TriggerSilenced); len(fired) != 1 || len(silenced) != 1 || silenced[0].Count != occurrences-1 {
		t.Errorf("fired: %+v, silenced: %+v", fired, silenced)
	}
}

// What is read of a process is of the last second: neither its life before nor another process that had its id counts.
func TestReadingsOfProcesses(t *testing.T) {
	const second = format.KTime(time.Second)
	stat := func(start int, cpu time.Duration) procfs.Stat {
		return procfs.Stat{PID: 7, Start: uint64(start) * uint64(procfs.Tick), CPU: cpu, Threads: 3, State: 'S', Comm: "web"}
	}
	proc := fakeProc{map[format.PID]procfs.Stat{7: stat(1, 1000*time.Hour)}}
	rules := parseRules(t, "cpu > 80% => mark", "threads > 1 => mark", "load > 0.4 => mark")
	var pointers []*trigger.Rule
	for i := range rules {
		pointers = append(pointers, &rules[i])
	}
	r := newReadings(proc, newDescriber(proc, systemClock{}, &fakeSink{}, nil), nil, pointers, 0)
	cpu := func(now format.KTime) []trigger.Sample {
		r.take(now, []uint32{7, 8}, pointers) // 8 has ended
		return r.Read(&rules[0].Condition, nil)
	}
	if got := cpu(second); len(got) != 0 {
		t.Errorf("a process of which there is one reading: %+v", got)
	}
	if got := cpu(2 * second); len(got) != 1 || got[0].Value != 0 {
		t.Errorf("a process that was busy for weeks, and sleeps: %+v", got)
	}
	proc.stats[7] = stat(1, 1000*time.Hour+3500*time.Millisecond)
	if got := cpu(3 * second); len(got) != 1 || got[0].Value != 350_000 || got[0].PID != 7 || got[0].Comm != "web" {
		t.Errorf("a process on three and a half CPUs: %+v", got)
	}
	proc.stats[7] = stat(1, 1000*time.Hour+5500*time.Millisecond)
	if got := cpu(7 * second); len(got) != 1 || got[0].Value != 50_000 {
		t.Errorf("two seconds of four: %+v", got)
	}
	proc.stats[7] = stat(700, 10*time.Second)
	if got := cpu(8 * second); len(got) != 0 {
		t.Errorf("another process with the id of one that was read: %+v", got)
	}
	if got := r.Read(&rules[1].Condition, nil); len(got) != 1 || got[0].Value != 3000 {
		t.Errorf("threads: %+v", got)
	}
	if got := r.Read(&rules[2].Condition, nil); len(got) != 1 || got[0].Value != 500 {
		t.Errorf("load: %+v", got)
	}
}

// A record that is cut short, or says that more follows than does, is no event for a rule, and no panic.
func TestObserverStandsBrokenRecords(t *testing.T) {
	tr := newTestTriggers(t, &fakeKernel{}, &fakeSink{}, "transfer > 1MiB => mark", "retransmits > 1/s => mark", "exit by signal => mark")
	tr.observer.heads = deaf{}
	for kind := format.EventKind(0); kind < 20; kind++ {
		for size := range 260 {
			ev := make([]byte, size)
			for i := range ev {
				ev[i] = byte(16 + i%2) // ops long_read and long_write, and impossible lengths
			}
			if size >= kindOffset+2 {
				binary.LittleEndian.PutUint16(ev[kindOffset:], uint16(kind))
			}
			tr.observer.see(kind, ev)
		}
	}
	if n := len(tr.observer.occurred); n != 0 {
		t.Errorf("%d events", n)
	}
}

// deaf watches nothing.
type deaf struct{}

func (deaf) Call(*format.HeadCall)      {}
func (deaf) Gone(format.SocketID)       {}
func (deaf) Take(int) format.HeadCounts { return format.HeadCounts{} }
func (deaf) Blind() format.HeadBlind    { return format.HeadBlind{} }
