//go:build linux && (amd64 || arm64)

package capture

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ebpf-reel/reel/bpf"
	"github.com/ebpf-reel/reel/capture/trigger"
	"github.com/ebpf-reel/reel/format"
)

// triggers holds the rules of a capture against what happens, and does what they ask for. All of it runs on the goroutine that
// waits for the end of the capture; only the observer is on the hot path.
type triggers struct {
	kernel Kernel
	clock  Clock
	sink   Sink
	snap   snapper // nil: nothing to take a snap of

	engine   *trigger.Engine
	rules    []*trigger.Rule
	observer *observer // nil: no rule needs one
	readings *readings

	firings uint32
	stop    *trigger.Firing // that asked for the end of the capture

	snaplen uint32 // that the capture was started with
	overlay trigger.Overlay
	expires *time.Timer // runs when a snaplen may run out

	proc     Proc
	procs    *describer
	onFiring func(Firing)
	onAction func(ActionDone)
	snaps    chan snapped
	snapping int
}

// snapper keeps what a flight recorder holds: from before the call, for before at most (0: all), to after it. It returns when the
// reel is sealed, and says which it is.
type snapper interface {
	Snap(before, after time.Duration, reason string) (dir string, err error)
}

// snapped is the result of a snap, which takes as long as it reaches into the future.
type snapped struct {
	firing *trigger.Firing
	number uint32
	action trigger.Action
	dir    string
	err    error
}

// Firing is a trigger rule that fired, for whoever watches the capture.
type Firing struct {
	Name      string
	Rule      string
	Value     string // "93.5%"
	Subject   string // "process 4711 (nginx)"; "" all that is recorded
	Detail    string
	Condition string // "cpu > 80%"
}

// ActionDone is how an action of a firing went.
type ActionDone struct {
	Name   string // of the rule
	Action string
	Detail string // what came of it
	Err    error  // nil: it was done
}

// checkTriggers says what rules ask of this capture that it cannot give.
func (c *Config) checkTriggers() error {
	engine, err := trigger.NewEngine(c.Triggers, 0)
	if err != nil {
		return &UsageError{err.Error()}
	}
	for _, r := range engine.Rules() {
		switch m := r.Condition.Metric; {
		case m.HTTP() && c.Snaplen == 0:
			return &UsageError{fmt.Sprintf("the trigger %s reads the first bytes of messages, and --snaplen 0 or --payload none copies none: leave one out", r.Name)}
		case m.HTTP() && c.Heads == nil:
			return &UsageError{"capture: Config.Heads is missing"}
		case m == trigger.Transfer && r.Condition.Limit/1000 != int64(c.transfer()):
			return &UsageError{fmt.Sprintf("the trigger %s names another size of a transfer than one before it, and the kernel watches for one: use the same size", r.Name)}
		}
		for _, a := range r.Actions {
			if a.Kind == trigger.Snap && c.Flight == nil {
				return &UsageError{fmt.Sprintf("the trigger %s has the action snap, which keeps what a flight recorder holds, and this capture is none: make it one with --ring, or leave the action out", r.Name)}
			}
		}
	}
	return nil
}

// transfer is the size of a message that rules name; 0: none does.
func (c *Config) transfer() uint64 {
	for i := range c.Triggers {
		if cond := &c.Triggers[i].Condition; cond.Metric == trigger.Transfer {
			return uint64(cond.Limit / 1000)
		}
	}
	return 0
}

// triggerHooks refuses rules whose events the kernel does not tell of.
func (c *Config) triggerHooks(hooks []bpf.HookResult) error {
	needs := map[trigger.Metric]string{trigger.Retransmits: "tcp_retransmit_skb", trigger.Exit: "sched_process_exit"}
	for i := range c.Triggers {
		m := c.Triggers[i].Condition.Metric
		for _, h := range hooks {
			if need := needs[m]; need != "" && h.Err != nil && strings.HasSuffix(h.Name, need) {
				return &RefusedError{Why: fmt.Sprintf("a trigger looks at %s, and the hook %s that tells of it is refused by this kernel", m, h.Name), Do: "leave the rule out", Err: h.Err}
			}
		}
	}
	return nil
}

// newTriggers returns nil when there are no rules.
func newTriggers(cfg *Config, kernel Kernel, sink Sink, clock Clock) (*triggers, error) {
	if len(cfg.Triggers) == 0 {
		return nil, nil
	}
	engine, err := trigger.NewEngine(cfg.Triggers, clock.Now())
	if err != nil {
		return nil, err
	}
	t := &triggers{kernel: kernel, clock: clock, sink: sink, engine: engine, rules: engine.Rules(), snaplen: cfg.Snaplen, onFiring: cfg.OnFiring, onAction: cfg.OnAction,
		expires: time.NewTimer(math.MaxInt64), snaps: make(chan snapped, 1)}
	t.observer = newObserver(t.rules, cfg.Heads)
	return t, nil
}

// begin records the rules: from here on they are in force.
func (t *triggers) begin(proc Proc, procs *describer) error {
	if t == nil {
		return nil
	}
	now := t.clock.Now()
	t.proc, t.procs = proc, procs
	t.readings = newReadings(proc, procs, t.observer, t.rules, now)
	for _, r := range t.rules {
		if err := t.sink.AppendRow(t.row(format.TriggerArmed, r, 0)); err != nil {
			return err
		}
	}
	return nil
}

// row is a row about a rule.
func (t *triggers) row(op format.TriggerOp, r *trigger.Rule, firing uint32) *format.Trigger {
	return &format.Trigger{Time: t.clock.Now(), Op: op, Firing: firing, Name: r.Name, Rule: r.String(), Metric: r.Condition.Metric.String(),
		Unit: r.Condition.Unit.String(), Limit: r.Condition.Limit, Periods: uint16(r.Hold.Periods)}
}

// occurred is where events that rules are about come from; nil when none do.
func (t *triggers) occurred() <-chan occurrence {
	if t == nil || t.observer == nil {
		return nil
	}
	return t.observer.occurred
}

// expired is where the ends of snaplen actions come from.
func (t *triggers) expired() <-chan time.Time {
	if t == nil {
		return nil
	}
	return t.expires.C
}

// snapDone is where the results of snaps come from.
func (t *triggers) snapDone() <-chan snapped {
	if t == nil {
		return nil
	}
	return t.snaps
}

// stopped reports whether a firing asked for the end of the capture.
func (t *triggers) stopped() bool { return t != nil && t.stop != nil }

// second judges the second that has passed.
func (t *triggers) second(targets []uint32) error {
	if t == nil {
		return nil
	}
	now := t.clock.Now()
	t.readings.take(now, targets, t.rules)
	return t.fire(t.engine.Second(now, t.readings))
}

// occur judges an event.
func (t *triggers) occur(e occurrence) error {
	if s := &e.sample; s.PID != 0 && s.Comm == "" && t.proc != nil { // the kernel side named its number only
		if stat, err := t.proc.Stat(s.PID); err == nil {
			s.Comm, s.Start = stat.Comm, t.procs.exact(s.PID, stat.Start)
		}
	}
	accept := func(c *trigger.Condition) bool { return c.Metric != trigger.Exit || c.Wants(e.signal) }
	return t.fire(t.engine.Event(t.clock.Now(), e.metric, e.sample, accept))
}

// fire records firings and does their actions. What an action cannot do is recorded; only the sink's errors end the capture.
func (t *triggers) fire(firings []trigger.Firing) error {
	for i := range firings {
		f := &firings[i]
		t.firings++
		row := t.row(format.TriggerFired, f.Rule, t.firings)
		row.Time, row.Value, row.Held, row.Others = f.Time, f.Value, uint16(f.Held), uint32(f.Others)
		row.PID, row.Start, row.Comm = f.PID, f.Start, f.Comm
		row.Socket, row.Inode, row.Local, row.Remote = f.Socket, f.Inode, f.Local, f.Remote
		row.Detail = f.Detail
		if err := t.sink.AppendRow(row); err != nil {
			return err
		}
		if t.onFiring != nil {
			t.onFiring(tell(f))
		}
		for _, a := range f.Rule.Actions {
			if err := t.act(f, t.firings, a); err != nil {
				return err
			}
		}
	}
	return nil
}

func tell(f *trigger.Firing) Firing {
	told := Firing{Name: f.Rule.Name, Rule: f.Rule.String(), Condition: f.Rule.Condition.String(), Detail: f.Detail}
	if f.Rule.Condition.Metric != trigger.Exit {
		told.Value = trigger.Value(f.Value, f.Rule.Condition.Unit)
	}
	if f.PID != 0 {
		told.Subject = fmt.Sprintf("process %d (%s)", f.PID, f.Comm)
	}
	if f.Local.IsValid() {
		told.Subject += fmt.Sprintf(", connection of %s with %s", f.Local, f.Remote)
	}
	return told
}

// act does one action of a firing.
func (t *triggers) act(f *trigger.Firing, number uint32, a trigger.Action) error {
	switch a.Kind {
	case trigger.Snaplen:
		t.overlay.Add(a.Bytes, t.clock.Now().Add(a.For))
		detail, err := t.lengthen()
		return t.acted(f.Rule, number, a, detail, err)
	case trigger.Stop:
		t.stop = f
		return t.acted(f.Rule, number, a, "", nil)
	case trigger.Snap:
		if t.snap == nil {
			return t.acted(f.Rule, number, a, "", errors.New("there is no flight recorder"))
		}
		t.snapping++
		go func() {
			dir, err := t.snap.Snap(a.Before, a.After, "trigger "+f.Rule.String())
			t.snaps <- snapped{f, number, a, dir, err}
		}()
		return nil
	}
	return t.acted(f.Rule, number, a, "", nil)
}

// snapDone records how a snap went.
func (t *triggers) snapEnded(s snapped) error {
	t.snapping--
	return t.acted(s.firing.Rule, s.number, s.action, s.dir, s.err)
}

// acted records how an action went.
func (t *triggers) acted(r *trigger.Rule, firing uint32, a trigger.Action, detail string, failure error) error {
	row := t.row(format.TriggerActed, r, firing)
	row.Action, row.Detail = a.String(), detail
	if failure != nil {
		row.Op, row.Detail = format.TriggerFailed, failure.Error()
	}
	if t.onAction != nil {
		t.onAction(ActionDone{Name: r.Name, Action: row.Action, Detail: detail, Err: failure})
	}
	return t.sink.AppendRow(row)
}

// lengthen sets the snaplen that holds now, and the timer for the next change. It says which it is.
func (t *triggers) lengthen() (string, error) {
	now := t.clock.Now()
	bytes, next := t.overlay.At(now)
	if next > 0 {
		t.expires.Reset(next.Sub(now))
	}
	bytes = max(bytes, t.snaplen)
	detail := "snaplen full"
	if bytes != format.FullSnaplen {
		detail = fmt.Sprintf("snaplen %d", bytes)
	}
	return detail, t.kernel.SetSnaplen(bytes)
}

// shorten is lengthen when the timer ran.
func (t *triggers) shorten() error {
	_, err := t.lengthen()
	return err
}

// notes says what the rules could not see.
func (t *triggers) notes(note func(NoteName, uint64, string)) {
	if t == nil || t.observer == nil {
		return
	}
	blind := t.observer.blind()
	note(NoteTriggerBlindTLS, blind.TLS, "")
	note(NoteTriggerBlindHTTP2, blind.HTTP2, "")
	note(NoteTriggerBlindBytes, blind.NoBytes, "")
	note(NoteTriggerUnpaired, blind.Unpaired+blind.Evicted, "")
	note(NoteTriggerDropped, t.observer.dropped.Load(), "")
}

// stopper names the rule that ended the capture, for its last note.
func (t *triggers) stopper() string {
	if !t.stopped() {
		return ""
	}
	return ": " + t.stop.Rule.Name
}

// rest judges the events that are there, when the capture is to end: what ended it may be one, and a flight recorder makes no snap later.
func (t *triggers) rest() error {
	for {
		select {
		case e := <-t.occurred():
			if err := t.occur(e); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// end judges the events that are left, once nothing is drained any more, waits for snaps, and records what the rules did not
// fire for.
func (t *triggers) end() error {
	if t == nil {
		return nil
	}
	t.expires.Stop()
	if err := t.rest(); err != nil {
		return err
	}
	for t.snapping > 0 {
		if err := t.snapEnded(<-t.snaps); err != nil {
			return err
		}
	}
	for i, n := range t.engine.Silenced() {
		if n > 0 {
			row := t.row(format.TriggerSilenced, t.rules[i], 0)
			row.Count = n
			if err := t.sink.AppendRow(row); err != nil {
				return err
			}
		}
	}
	return nil
}
