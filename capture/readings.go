//go:build linux && (amd64 || arm64)

package capture

import (
	"fmt"
	"slices"
	"time"

	"github.com/ebpf-reel/reel/capture/trigger"
	"github.com/ebpf-reel/reel/format"
)

// readings takes the readings of a second for trigger rules: each source once, however many rules ask.
type readings struct {
	proc     Proc
	procs    *describer
	observer *observer
	scopes   []format.HeadScope // that the observer counts

	now     format.KTime
	elapsed time.Duration // since the readings before
	cpu     map[format.PID]cpuTime
	process []processReading
	load    int64 // thousandths; -1 unknown
	http    []format.HeadCounts

	retransmits uint64 // since the start
	resent      uint64 // of these, in the second
}

// cpuTime is the CPU time that a process had used at a time.
type cpuTime struct {
	start uint64
	used  time.Duration
	at    format.KTime
}

// processReading is one process in the second.
type processReading struct {
	trigger.Subject
	threads int64
	cpu     int64 // thousandths of a percent of one CPU; -1 unknown: it was not there a second ago
}

func newReadings(proc Proc, procs *describer, observer *observer, rules []*trigger.Rule, now format.KTime) *readings {
	return &readings{proc: proc, procs: procs, observer: observer, scopes: headScopes(rules), now: now, cpu: map[format.PID]cpuTime{}}
}

// take reads all sources that rules look at.
func (r *readings) take(now format.KTime, targets []uint32, rules []*trigger.Rule) {
	r.elapsed, r.now = now.Sub(r.now), now
	wants := func(metrics ...trigger.Metric) bool {
		return slices.ContainsFunc(rules, func(rule *trigger.Rule) bool { return slices.Contains(metrics, rule.Condition.Metric) })
	}
	if wants(trigger.CPU, trigger.Threads) {
		r.processes(now, targets)
	}
	if wants(trigger.Load) {
		var err error
		if r.load, err = r.proc.Load(); err != nil {
			r.load = -1
		}
	}
	if wants(trigger.Retransmits) {
		total := r.observer.retransmits.Load()
		r.resent, r.retransmits = total-r.retransmits, total
	}
	if len(r.scopes) > 0 {
		r.observer.mu.Lock()
		r.http = r.http[:0]
		for i := range r.scopes {
			r.http = append(r.http, r.observer.heads.Take(i))
		}
		r.observer.mu.Unlock()
	}
}

// processes reads the targets. One that has ended is none any more.
func (r *readings) processes(now format.KTime, targets []uint32) {
	r.process = r.process[:0]
	next := make(map[format.PID]cpuTime, len(targets))
	for _, id := range targets {
		pid := format.PID(id)
		s, err := r.proc.Stat(pid)
		if err != nil || s.Ended() {
			continue
		}
		at := cpuTime{start: s.Start, used: s.CPU, at: now}
		reading := processReading{Subject: trigger.Subject{PID: pid, Start: r.procs.exact(pid, s.Start), Comm: s.Comm}, threads: int64(s.Threads), cpu: -1}
		if last, ok := r.cpu[pid]; ok && last.start == s.Start && now > last.at {
			reading.cpu = int64(float64(s.CPU-last.used) / float64(now.Sub(last.at)) * 100_000)
		}
		next[pid] = at
		r.process = append(r.process, reading)
	}
	r.cpu = next
}

// Read implements trigger.Readings.
func (r *readings) Read(c *trigger.Condition, dst []trigger.Sample) []trigger.Sample {
	switch {
	case c.Metric == trigger.CPU || c.Metric == trigger.Threads:
		for i := range r.process {
			p := &r.process[i]
			value := p.threads * 1000
			if c.Metric == trigger.CPU {
				value = p.cpu
			}
			if value >= 0 && (c.Scope.Comm == "" || cutComm(c.Scope.Comm) == p.Comm) {
				dst = append(dst, trigger.Sample{Subject: p.Subject, Value: value})
			}
		}
	case c.Metric == trigger.Load && r.load >= 0:
		dst = append(dst, trigger.Sample{Value: r.load})
	case c.Metric == trigger.Retransmits:
		dst = append(dst, trigger.Sample{Subject: trigger.Subject{Detail: fmt.Sprintf("%d segments", r.resent)}, Value: r.perSecond(r.resent)})
	case c.Metric.HTTP():
		if value, detail, ok := r.headValue(c); ok {
			dst = append(dst, trigger.Sample{Subject: trigger.Subject{Detail: detail}, Value: value})
		}
	}
	return dst
}

// headValue is what a condition looks at in the counts of the second; not ok when there were too few responses to say.
func (r *readings) headValue(c *trigger.Condition) (value int64, detail string, ok bool) {
	n := r.http[slices.Index(r.scopes, headScope(c))]
	if n.Responses == 0 || n.Responses < uint64(c.AtLeast) {
		// A rate of errors is 0 without responses, and that is known.
		return 0, "", c.Metric == trigger.HTTP5xx && c.Unit == trigger.PerSecond && c.AtLeast == 0
	}
	detail = fmt.Sprintf("%d responses, %d of them 5xx, mean %s, p99 %s", n.Responses, n.Errors, n.Mean.Round(time.Microsecond), n.P99.Round(time.Microsecond))
	switch {
	case c.Metric == trigger.HTTPMean:
		value = n.Mean.Microseconds()
	case c.Metric == trigger.HTTPP99:
		value = n.P99.Microseconds()
	case c.Unit == trigger.PerSecond:
		value = r.perSecond(n.Errors)
	default:
		value = int64(n.Errors * 100_000 / n.Responses)
	}
	return value, detail, true
}

// perSecond is how many there were a second, in thousandths.
func (r *readings) perSecond(n uint64) int64 {
	return int64(float64(n) * 1000 / max(r.elapsed.Seconds(), 1e-3))
}
