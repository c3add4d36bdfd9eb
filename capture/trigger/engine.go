package trigger

import (
	"fmt"
	"time"

	"github.com/ebpf-reel/reel/format"
)

// Silence is how long a rule without `every` stays silent after a firing, at least.
const Silence = time.Minute

// Readings gives the values of a period.
type Readings interface {
	// Read appends to dst what the condition's metric was in the period that ends now: a sample for each subject, none where
	// nothing is known.
	Read(c *Condition, dst []Sample) []Sample
}

// Engine holds rules against readings. It is not safe for concurrent use.
//
// A rule fires when its condition comes to hold: when it held in Hold.Count of the last Hold.Periods periods. It does not
// fire again before it has ceased to hold, nor within the silence after a firing, whichever subject it was of; with Every it
// fires again each Every while it holds. What came to hold within the silence and ceased before its end is counted.
type Engine struct {
	rules   []state
	period  int64 // the one that is open now; from 1
	last    format.KTime
	samples []Sample // scratch
}

// state is a rule and what was seen of its subjects.
type state struct {
	Rule
	subjects map[key]*subject
	fired    bool
	firedAt  format.KTime
	silenced uint64
}

// key tells apart the subjects that a rule judges by themselves: processes.
type key struct {
	pid   format.PID
	start uint64
}

// subject is one subject of one rule.
type subject struct {
	*window
	latest  Sample // of those for which the condition held
	seen    int64  // period of the latest sample of all
	latched bool   // fired, and has held since
	waits   bool   // came to hold within the silence
}

// NewEngine returns an engine for rules from time now on. Rules without a name get that of their metric, and a number where
// there are several.
func NewEngine(rules []Rule, now format.KTime) (*Engine, error) {
	if len(rules) > maxRules {
		return nil, fmt.Errorf("%d trigger rules are more than %d", len(rules), maxRules)
	}
	e := &Engine{period: 1, last: now}
	given := map[string]bool{}
	for i := range rules {
		if name := rules[i].Name; name != "" {
			if given[name] {
				return nil, fmt.Errorf("two trigger rules are called %s: give each a name of its own", name)
			}
			given[name] = true
		}
	}
	for _, r := range rules {
		base := r.Condition.Metric.String()
		for n := 1; r.Name == ""; n++ {
			name := base
			if n > 1 {
				name = fmt.Sprintf("%s-%d", base, n)
			}
			if !given[name] {
				r.Name, given[name] = name, true
			}
		}
		e.rules = append(e.rules, state{Rule: r, subjects: map[key]*subject{}})
	}
	return e, nil
}

// Rules returns the rules with their names.
func (e *Engine) Rules() []*Rule {
	rules := make([]*Rule, len(e.rules))
	for i := range e.rules {
		rules[i] = &e.rules[i].Rule
	}
	return rules
}

// Second ends the period that is open: it takes a reading of every metric that is read, and returns what fires. It is to be
// called each second; when it comes late, an average covers all periods since the last, and a level the last one.
func (e *Engine) Second(now format.KTime, readings Readings) []Firing {
	passed := max(1, int64((now.Sub(e.last)+time.Second/2)/time.Second))
	e.last = now
	e.period += passed - 1
	var firings []Firing
	for i := range e.rules {
		s := &e.rules[i]
		kind := metrics[s.Condition.Metric].kind
		if kind != event {
			covers := passed
			if kind == level {
				covers = 1
			}
			e.samples = readings.Read(&s.Condition, e.samples[:0])
			for j := range e.samples {
				s.take(&e.samples[j], e.period, covers)
			}
		}
		s.turn(e.period)
		if kind != event {
			if f, ok := s.judge(now); ok {
				firings = append(firings, f)
			}
		}
	}
	e.period++
	return firings
}

// Event takes one occurrence of a metric that is not read, and returns what fires. Its value is in thousandths of the
// metric's unit; accept, which may be nil, says whether a rule's condition is about it.
func (e *Engine) Event(now format.KTime, m Metric, sample Sample, accept func(*Condition) bool) []Firing {
	var firings []Firing
	for i := range e.rules {
		s := &e.rules[i]
		if s.Condition.Metric != m || accept != nil && !accept(&s.Condition) {
			continue
		}
		// Every occurrence is of a subject of its own: they are judged together, and each that makes the count full is an end in itself.
		sub := s.subject(key{}, e.period)
		sub.advance(e.period)
		sub.latest, sub.seen = sample, e.period
		sub.set(e.period, true)
		if sub.held < s.Hold.Count {
			continue
		}
		if s.silent(now) {
			s.silenced++
			continue
		}
		firings = append(firings, s.fire(now, sub, 0))
		sub.clear()
	}
	return firings
}

func (s *state) subject(k key, period int64) *subject {
	sub := s.subjects[k]
	if sub == nil {
		sub = &subject{window: newWindow(s.Hold.Periods, period)}
		s.subjects[k] = sub
	}
	return sub
}

// take takes a reading that is of the last periods.
func (s *state) take(sample *Sample, period, covers int64) {
	k := key{}
	if metrics[s.Condition.Metric].process {
		k = key{sample.PID, sample.Start}
	}
	sub := s.subject(k, period)
	sub.advance(period)
	sub.seen = period
	if s.Condition.holds(sample.Value) {
		sub.latest = *sample
		sub.hold(covers)
	}
}

// turn ends a period: subjects without a reading did not hold, and those that were not seen for the whole window are forgotten.
func (s *state) turn(period int64) {
	for k, sub := range s.subjects {
		sub.advance(period)
		if sub.held < s.Hold.Count {
			if sub.waits {
				s.silenced++
			}
			sub.latched, sub.waits = false, false
		}
		if sub.held == 0 && period-sub.seen >= int64(s.Hold.Periods) {
			delete(s.subjects, k)
		}
	}
}

// silent reports whether a firing was so short a time ago that the next has to wait.
func (s *state) silent(now format.KTime) bool {
	silence := s.Every
	if silence == 0 {
		silence = Silence
	}
	return s.fired && now.Sub(s.firedAt) < silence
}

// judge fires when a subject came to hold, or holds on for Every.
func (s *state) judge(now format.KTime) (Firing, bool) {
	var worst *subject
	holding, due := 0, 0
	for _, sub := range s.subjects {
		if sub.held < s.Hold.Count {
			continue
		}
		holding++
		if sub.latched && s.Every == 0 {
			continue
		}
		due++
		if worst == nil || s.farther(sub, worst) {
			worst = sub
		}
	}
	if due == 0 {
		return Firing{}, false
	}
	silent := s.silent(now)
	for _, sub := range s.subjects {
		if sub.held >= s.Hold.Count {
			// With Every, what fired already is no news that the silence keeps back.
			sub.waits = silent && (sub.waits || !sub.latched)
			sub.latched = sub.latched || !silent
		}
	}
	if silent {
		return Firing{}, false
	}
	return s.fire(now, worst, holding-1), true
}

// farther orders subjects by how far they are past the limit, and by pid where that is equal.
func (s *state) farther(a, b *subject) bool {
	if a.latest.Value != b.latest.Value {
		return s.Condition.Op.worse(a.latest.Value, b.latest.Value)
	}
	return a.latest.PID < b.latest.PID
}

func (s *state) fire(now format.KTime, sub *subject, others int) Firing {
	s.fired, s.firedAt = true, now
	return Firing{Rule: &s.Rule, Time: now, Sample: sub.latest, Held: sub.held, Others: others}
}

// Silenced returns how often each rule, in the order of Rules, came to hold within the silence after a firing and did not
// fire for it.
func (e *Engine) Silenced() []uint64 {
	counts := make([]uint64, len(e.rules))
	for i := range e.rules {
		counts[i] = e.rules[i].silenced
		for _, sub := range e.rules[i].subjects {
			if sub.waits {
				counts[i]++
			}
		}
	}
	return counts
}
