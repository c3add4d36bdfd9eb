//go:build linux && (amd64 || arm64)

package sealer

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// At idle priority the worker gets what time the others leave. They pay for it all the same: at each of its turns the caches are its
// own, and where it lives in a cgroup beside theirs, the group weighs as much as any other, whatever runs in it (sched(7)). So it
// rests while they keep the machine busy, until the recorder wants it to work at the priority of all (docs/decisions/004-sealer-process.md).
const (
	restFor   = 200 * time.Millisecond
	paceEvery = 100 * time.Millisecond
	idleShare = 0.1 // of the CPUs' time that others must leave
	maxRests  = 25  // of one journal, 5 s: somebody may wait for it (reel snap)
)

// pace is when a worker rests.
type pace struct {
	read  func() (cpuTime, bool) // what the CPUs did so far
	idle  func() bool            // this process has idle priority
	sleep func(time.Duration)
	last  cpuTime
	at    time.Time
	rests int  // of the journal at hand
	young bool // there was no time to look at yet
}

// cpuTime is a sum over all CPUs since the boot, in ticks.
type cpuTime struct{ idle, all uint64 }

func newPace() *pace {
	p := &pace{read: readCPUTime, idle: hasIdlePriority, sleep: time.Sleep, young: true}
	p.last, _ = p.read()
	p.at = time.Now()
	return p
}

// rest returns once the worker may go on; while it waits it calls tell at times.
func (p *pace) rest(tell func()) {
	own := true
	if p.young && p.idle() {
		p.pause(tell) // else its first work would be for a machine that it knows nothing of
		own = false
	} else if time.Since(p.at) < paceEvery {
		return
	}
	p.young = false
	for ; p.rests < maxRests && p.idle() && p.busy(own); own = false {
		p.pause(tell)
	}
	p.at = time.Now()
}

func (p *pace) pause(tell func()) {
	p.rests++
	tell()
	p.sleep(restFor)
}

// busy reports whether others used nearly all of the CPUs since the last look. own: one of them was this worker's.
func (p *pace) busy(own bool) bool {
	now, ok := p.read()
	last := p.last
	p.last = now
	if !ok || now.all <= last.all {
		return false
	}
	left := float64(now.idle-min(last.idle, now.idle)) / float64(now.all-last.all)
	if own {
		return left < idleShare/2 // it took some of what was left
	}
	return left < idleShare
}

func hasIdlePriority() bool {
	attr, err := unix.SchedGetAttr(0, 0)
	return err == nil && attr.Policy == unix.SCHED_IDLE
}

// readCPUTime reads the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal (proc_stat(5)).
func readCPUTime() (t cpuTime, ok bool) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return t, false
	}
	line, _, _ := bytes.Cut(data, []byte{'\n'})
	fields := bytes.Fields(line)
	if len(fields) < 9 || string(fields[0]) != "cpu" {
		return t, false
	}
	const idle, iowait, steal = 4, 5, 8
	for i := 1; i <= steal; i++ {
		n, err := strconv.ParseUint(string(fields[i]), 10, 64)
		if err != nil {
			return t, false
		}
		t.all += n
		if i == idle || i == iowait {
			t.idle += n
		}
	}
	return t, true
}
