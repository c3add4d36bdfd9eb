package analyze

import (
	"cmp"
	"slices"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// Bounds of what is kept of trigger rules. A recorder takes 64 rules, which fire once in a second at most.
const (
	maxTriggers = 64
	maxFirings  = 1000 // in all
	maxOutcomes = 16   // of a firing
	maxRows     = 1 << 14
)

// triggers folds the rows of trigger rules. It waits for all of them: rows of one time come in any order.
type triggers struct {
	rows    []format.Trigger
	rules   []facts.Trigger
	index   map[string]int // by name
	firings map[uint32]place
	kept    int
}

// place is where a firing is kept.
type place struct{ rule, firing int }

func newTriggers() *triggers {
	return &triggers{index: make(map[string]int), firings: make(map[uint32]place)}
}

func (t *triggers) add(r *format.Trigger) {
	if len(t.rows) < maxRows {
		t.rows = append(t.rows, *r)
	}
}

// inOrder orders rows by time; of one time, a firing comes before its actions.
func inOrder(a, b format.Trigger) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Op, b.Op), cmp.Compare(a.Firing, b.Firing), cmp.Compare(a.Name, b.Name),
		cmp.Compare(a.Action, b.Action), cmp.Compare(a.Detail, b.Detail))
}

func (t *triggers) fold(r *format.Trigger) {
	i, ok := t.index[r.Name]
	if !ok {
		if len(t.rules) == maxTriggers {
			return
		}
		i = len(t.rules)
		t.index[r.Name] = i
		t.rules = append(t.rules, facts.Trigger{Name: r.Name, Rule: r.Rule, Unit: r.Unit, Limit: r.Limit})
	}
	rule := &t.rules[i]
	switch r.Op {
	case format.TriggerFired:
		rule.Fired++
		if t.kept == maxFirings {
			return
		}
		t.kept++
		t.firings[r.Firing] = place{i, len(rule.Firings)}
		rule.Firings = append(rule.Firings, facts.Firing{At: r.Time, Value: r.Value, Held: r.Held, Periods: r.Periods, Others: r.Others,
			PID: r.PID, Comm: r.Comm, Local: r.Local, Remote: r.Remote, Detail: r.Detail})
	case format.TriggerActed, format.TriggerFailed:
		at, ok := t.firings[r.Firing]
		if !ok || at.rule != i {
			return
		}
		f := &rule.Firings[at.firing]
		if len(f.Outcomes) < maxOutcomes {
			f.Outcomes = append(f.Outcomes, facts.Outcome{Action: r.Action, Detail: r.Detail, Failed: r.Op == format.TriggerFailed})
		}
	case format.TriggerSilenced:
		rule.Silenced += r.Count
	}
}

// result returns the rules, their firings with wall times.
func (t *triggers) result(wall func(format.KTime) facts.Wall) []facts.Trigger {
	slices.SortStableFunc(t.rows, inOrder)
	for i := range t.rows {
		t.fold(&t.rows[i])
	}
	for i := range t.rules {
		for j := range t.rules[i].Firings {
			f := &t.rules[i].Firings[j]
			f.AtWall = wall(f.At)
		}
	}
	return t.rules
}
