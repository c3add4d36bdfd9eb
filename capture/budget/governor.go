package budget

import (
	"fmt"
	"time"

	"github.com/ebpf-reel/reel/format"
)

// Reading is the state of the recorder and of its node. Totals are since any fixed time.
type Reading struct {
	Time format.KTime

	CPU     time.Duration // total of the recorder, its children, and the BPF programs as far as known
	Journal Bytes         // total appended
	Memory  Bytes         // resident, of the recorder with its children
	Lost    uint64        // total of records that found no room in a ring

	Reel       Bytes // on disk now: sealed and not
	Unsealed   Bytes // of that
	Reserve    Bytes // of disk that sealing takes for a moment
	FreeDisk   Bytes
	FreeMemory Bytes
	Load       float64 // of the last minute, per core; 0: not read

	SealingBehind bool // what is not sealed is above the second bound of DESIGN D3
	SealingBusy   bool // above the first
}

// Decision is what a reading leads to.
type Decision struct {
	From, To Level
	Cause    Cause  // of a rise
	Why      string // what was read, and against what: "31 % of one core, 20 % are allowed"
	Stop     *Stop  // not nil: the capture is to end
}

// Changed reports whether the level is another one.
func (d Decision) Changed() bool { return d.From != d.To }

// Stop is why a capture is to end.
type Stop struct {
	Cause Cause
	Why   string // "900.0 MiB of disk are free, 1.0 GiB are to stay free (--min-free-disk)"
}

// Governor decides. The zero value is not usable; see New. It is not safe for concurrent use.
type Governor struct {
	limits Limits

	at      int          // index in steps
	changed format.KTime // of the level
	lowered format.KTime // last time a level was taken back
	trial   bool         // and that is not older than Trial
	calm    format.KTime // since when all readings are calm
	hold    time.Duration

	begun    bool
	last     Reading
	cpu      window       // nanoseconds
	journal  window       // bytes
	unsealed Bytes        // at the last change of level
	fewFree  int          // readings in a row with too little free memory
	overLast format.KTime // since when there is too much memory at the last level; 0: there is not
}

// New returns a Governor that holds limits, which are complete. now is when it begins.
func New(limits Limits, now format.KTime) *Governor {
	return &Governor{limits: limits, changed: now.Add(-Window), calm: now, hold: Hold}
}

// Level is what is left out now.
func (g *Governor) Level() Level { return steps[g.at] }

// Observe decides by a reading. Readings come in the order of their times, about once a second.
func (g *Governor) Observe(r Reading) Decision {
	if !g.begun {
		g.begun, g.last = true, r
	}
	d := Decision{From: g.Level(), To: g.Level()}
	lost := r.Lost > g.last.Lost
	g.cpu.add(r.Time, float64(r.CPU-g.last.CPU))
	g.journal.add(r.Time, float64(r.Journal-g.last.Journal))
	growth := r.Reel - min(r.Reel, g.last.Reel)
	g.last = r

	if d.Stop = g.stop(r, growth); d.Stop != nil {
		return d
	}
	cause, why, over := g.pressure(r, lost)
	if over {
		g.calm = r.Time
		if r.Time.Sub(g.changed) >= settleOf(cause) {
			return g.raise(r.Time, cause, why)
		}
		return d
	}
	if !g.isCalm(r) {
		g.calm = r.Time
	}
	return g.recover(r.Time)
}

// ObserveRing decides by how full the fullest ring is, from 0 to 1. It is called more often than Observe.
func (g *Governor) ObserveRing(now format.KTime, fill float64) Decision {
	if fill >= ringCalm {
		g.calm = now
	}
	if fill >= ringHigh && now.Sub(g.changed) >= settleOf(CauseRing) {
		return g.raise(now, CauseRing, fmt.Sprintf("a ring was %.0f %% full", fill*100))
	}
	return Decision{From: g.Level(), To: g.Level()}
}

// settleOf is the least time between a change of level and the next rise for a cause. What is held over a Window settles by
// itself: its window begins anew with each level.
func settleOf(c Cause) time.Duration {
	switch c {
	case CauseRing:
		return RingSettle
	case CauseCPU, CauseRate:
		return 0
	case CauseSealing:
		return Window
	}
	return Settle
}

// pressure says whether something is over its limit.
func (g *Governor) pressure(r Reading, lost bool) (Cause, string, bool) {
	l := &g.limits
	cpu := Share(g.cpu.mean() / 1e9)
	rate := Bytes(g.journal.mean())
	switch {
	case lost:
		return CauseLoss, fmt.Sprintf("%d records in all found no room in a ring", r.Lost), true
	case r.SealingBehind && (g.at == 0 || r.Unsealed > g.unsealed): // what has begun to fall is left to fall
		return CauseSealing, fmt.Sprintf("%v of the journal are not sealed yet", r.Unsealed), true
	case l.Memory > 0 && r.Memory > l.Memory:
		return CauseMemory, fmt.Sprintf("%v of memory, %v are allowed (--max-memory)", r.Memory, l.Memory), true
	case l.CPU > 0 && cpu > l.CPU:
		return CauseCPU, fmt.Sprintf("%v of one core over %v, %v are allowed (--max-cpu)", cpu, Window, l.CPU), true
	case l.Rate > 0 && rate > l.Rate:
		return CauseRate, fmt.Sprintf("%v/s over %v, %v/s are allowed (--max-rate)", rate, Window, l.Rate), true
	}
	return "", "", false
}

// isCalm reports whether all readings are well below their limits.
func (g *Governor) isCalm(r Reading) bool {
	l := &g.limits
	return !r.SealingBusy &&
		(l.Memory == 0 || float64(r.Memory) < calm*float64(l.Memory)) &&
		(l.CPU == 0 || g.cpu.mean()/1e9 < calm*float64(l.CPU)) &&
		(l.Rate == 0 || g.journal.mean() < calm*float64(l.Rate))
}

// raise goes to the next level, if there is one.
func (g *Governor) raise(now format.KTime, cause Cause, why string) Decision {
	d := Decision{From: g.Level(), To: g.Level(), Cause: cause, Why: why}
	if g.trial && now.Sub(g.lowered) < Trial {
		g.hold = min(2*g.hold, MaxHold)
		g.trial = false // once for each try
	}
	g.calm = now
	if g.at == len(steps)-1 {
		return d
	}
	g.at++
	g.change(now)
	d.To = g.Level()
	return d
}

// recover takes a level back when that is due.
func (g *Governor) recover(now format.KTime) Decision {
	d := Decision{From: g.Level(), To: g.Level()}
	if g.trial && now.Sub(g.lowered) >= Trial {
		g.trial = false
		if g.at == 0 {
			g.hold = Hold
		}
	}
	since := max(g.calm, g.changed)
	if g.at == 0 || now.Sub(since) < g.hold {
		return d
	}
	d.Why = fmt.Sprintf("all readings were calm for %v", g.hold)
	g.at--
	g.lowered, g.trial = now, true
	g.change(now)
	d.To = g.Level()
	return d
}

func (g *Governor) change(now format.KTime) {
	g.changed, g.calm, g.unsealed = now, now, g.last.Unsealed
	g.cpu.clear()
	g.journal.clear()
}
