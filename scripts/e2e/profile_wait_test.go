package e2e

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/profile"
	"github.com/ebpf-reel/reel/format"
)

// TestProfileWaits records a program whose waits are known: how often and how long it waits in each function, who ends the wait for a
// lock, and a deadlock that lasts until the program ends.
func TestProfileWaits(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	program := filepath.Join(dir, "wait")
	build := exec.Command(need(t, "gcc", "gcc"), "-O2", "-pthread", "-o", program, "wait.c")
	build.Dir = "../../testdata/profile"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	reelDir := filepath.Join(dir, "c.reel")
	begun := time.Now()
	r := start(t, nil, reelBin, "capture", "--offcpu", "-w", reelDir, "--", program)
	r.wait(t, 2*time.Minute, 0)
	took := time.Since(begun)

	p := foldReel(t, reelDir, profile.OffCPU, profile.Scope{Comms: []string{"wait"}})
	waits := waitsIn(p, "hold_lock", "wait_lock", "take_nap", "embrace")
	for name, want := range map[string]struct {
		least uint64
		each  time.Duration
	}{"hold_lock": {20, 40 * time.Millisecond}, "take_nap": {20, 25 * time.Millisecond}} {
		w := waits[name]
		if w.count < want.least || w.time < time.Duration(want.least)*want.each || w.time > took {
			t.Errorf("%s: %d waits of %v in all, want %d of at least %v each", name, w.count, w.time, want.least, want.each)
		}
	}
	if w := waits["wait_lock"]; w.count == 0 || w.time < 100*time.Millisecond {
		t.Errorf("wait_lock: %d waits of %v in all", w.count, w.time)
	}
	// Both threads of the deadlock wait from the beginning to the end, which is 20 × 45 ms and more after it.
	if w := waits["embrace"]; w.time < 2*900*time.Millisecond {
		t.Errorf("embrace: the deadlock has %v", w.time)
	}
	checkWakers(t, reelDir)
	var whole, all uint64
	for _, v := range p.Verdicts {
		all += v.Count
		if v.Verdict == format.StackComplete {
			whole += v.Count
		}
	}
	if whole*100 < all*95 {
		t.Errorf("%d of %d stacks are whole: %+v", whole, all, p.Verdicts)
	}
}

type waited struct {
	count uint64
	time  time.Duration
}

// waitsIn sums up the waits whose stacks go through functions.
func waitsIn(p *facts.Profile, names ...string) map[string]waited {
	sums := map[string]waited{}
	for _, s := range p.Stacks {
		for _, name := range names {
			for _, l := range s.Frames {
				if p.Functions[p.Locations[l].Function].Name == name {
					w := sums[name]
					sums[name] = waited{w.count + s.Count, w.time + s.Time}
					break
				}
			}
		}
	}
	return sums
}

// checkWakers holds that waits in a futex are ended by another thread of the program, and that totals count what is recorded and more.
func checkWakers(t *testing.T, dir string) {
	t.Helper()
	r, err := format.Open(dir, format.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	const futex = 202 // amd64
	waits, woken := 0, 0
	blocks, totals := map[format.TID]uint64{}, map[format.TID]uint64{}
	for row, err := range r.Rows(format.RowsOptions{Tables: []format.TableID{format.TableOffCPU, format.TableOffCPUTotal}}) {
		if err != nil {
			t.Fatal(err)
		}
		switch r := row.(type) {
		case *format.OffCPU:
			blocks[r.TID]++
			if r.Comm == "wait" && r.Syscall == futex && r.State == format.BlockSleep {
				waits++
				if r.WakerPID == r.PID && r.WakerTID != r.TID {
					woken++
				}
			}
			if r.RunDelay > r.Duration {
				t.Errorf("%v of %v could it run: %+v", r.RunDelay, r.Duration, r)
			}
		case *format.OffCPUTotal:
			totals[r.TID] += r.Count
		}
	}
	if waits < 5 || woken*10 < waits*8 {
		t.Errorf("%d of %d waits for a lock were ended by another thread of the program", woken, waits)
	}
	for tid, n := range blocks {
		if totals[tid] < n {
			t.Errorf("thread %d: %d blocks, and a total of %d", tid, n, totals[tid])
		}
	}
}
