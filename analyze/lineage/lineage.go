// Package lineage turns exchanges in flight into parents and children: which request a process served when it sent another.
//
// The parent of a request that a process sends is sought among the requests that the same process is serving at that moment, in
// this order:
//
//   - "trace", exact: the only one with the same trace id; of several, the only one whose span is the parent span, or the span,
//     of what is sent.
//   - "thread", inferred: the only one that the sending thread has read, in a process whose threads have read one each.
//   - "process", inferred: the only one that the process serves.
//   - "request", inferred: the only one of the same method and target that was not passed on yet: a proxy.
//   - "turn", inferred: the one that the sending thread read or wrote last, less than a millisecond ago: an event loop, or a goroutine
//     that has not left its thread.
//
// Else it is unknown. What a trace id excludes is not considered by what follows.
package lineage

import (
	"cmp"
	"slices"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// Bounds of what is followed at a time; an exchange beyond them has no parent and is none.
const (
	maxServed  = 1024     // requests that one process serves
	maxNodes   = 64 << 10 // of all
	maxThreads = 64 << 10
	maxIdle    = 4096 // processes that serve nothing now
	maxCalls   = 1024 // of one request, whose times are kept; the others count
	turn       = time.Millisecond
)

// Node is an exchange in flight.
type Node struct {
	id     facts.ExchangeID
	pid    format.PID
	tid    format.TID
	server bool
	at     int // in its process's list

	traceID, spanID, parentSpan string
	method, target              string
	passedOn                    bool

	// Of a request that is sent.
	parent   *Node
	parentID facts.ExchangeID // of parent, which may be another exchange by now
	by       string
	sure     facts.Certainty

	// Of one that is served.
	calls []call
	count uint32
	kinds map[kind]uint32 // how often the same was asked for
	most  uint32
}

type call struct {
	id         facts.ExchangeID
	start, end format.KTime
}

// kind is what calls must have in common to be a repetition.
type kind struct{ method, host, shape string }

// process is one that serves requests.
type process struct {
	serves []*Node
	by     map[format.TID]int // how many of them a thread has read
	shared int                // threads that have read more than one
}

func (p *process) add(n *Node) {
	n.at = len(p.serves)
	p.serves = append(p.serves, n)
	if p.by[n.tid]++; p.by[n.tid] == 2 {
		p.shared++
	}
}

func (p *process) remove(n *Node) {
	last := len(p.serves) - 1
	p.serves[n.at] = p.serves[last]
	p.serves[n.at].at = n.at
	p.serves[last] = nil
	p.serves = p.serves[:last]
	switch p.by[n.tid]--; p.by[n.tid] {
	case 0:
		delete(p.by, n.tid)
	case 1:
		p.shared--
	}
}

// thread is what a thread did last.
type thread struct {
	on *Node
	id facts.ExchangeID // of on
	at format.KTime
}

// Tracker follows exchanges. It is not safe for concurrent use.
type Tracker struct {
	shape     func(target string) string
	processes map[format.PID]*process
	threads   map[format.TID]*thread
	last      *thread
	lastTID   format.TID
	nodes     int
	free      []*Node
	crowded   uint64
}

// New returns an empty Tracker. shape tells what targets have in common whose calls are a repetition.
func New(shape func(target string) string) *Tracker {
	return &Tracker{shape: shape, processes: make(map[format.PID]*process), threads: make(map[format.TID]*thread)}
}

// Crowded returns how many exchanges were beyond the bounds.
func (t *Tracker) Crowded() uint64 { return t.crowded }

// Begin takes an exchange whose request begins; nil: it is not followed.
func (t *Tracker) Begin(id facts.ExchangeID, server bool, pid format.PID, tid format.TID) *Node {
	if pid == 0 {
		return nil
	}
	p := t.processes[pid]
	if t.nodes >= maxNodes || server && p != nil && len(p.serves) >= maxServed {
		t.crowded++
		return nil
	}
	n := t.node()
	n.id, n.server, n.pid, n.tid = id, server, pid, tid
	if server {
		if p == nil {
			p = &process{by: make(map[format.TID]int)}
			t.processes[pid] = p
		}
		p.add(n)
	}
	return n
}

func (t *Tracker) node() *Node {
	t.nodes++
	if k := len(t.free); k > 0 {
		n := t.free[k-1]
		t.free = t.free[:k-1]
		return n
	}
	return new(Node)
}

// Head takes what the head of the request says. Of a request that is sent, it finds the parent.
func (t *Tracker) Head(n *Node, x *facts.Exchange, at format.KTime) {
	if n == nil {
		return
	}
	n.method, n.target = x.Method, x.Target
	if x.Trace != nil {
		n.traceID, n.spanID, n.parentSpan = x.Trace.TraceID, x.Trace.SpanID, x.Trace.ParentID
	}
	if n.server || n.by != "" {
		return
	}
	p := t.processes[n.pid]
	if p == nil {
		return
	}
	parent, by, sure := t.find(n, p, at)
	if parent == nil {
		return
	}
	n.parent, n.parentID, n.by, n.sure = parent, parent.id, by, sure
	if parent.method == n.method && parent.target == n.target {
		parent.passedOn = true
	}
	parent.count++
	k := kind{x.Method, x.Host, t.shape(x.Target)}
	if parent.kinds == nil {
		parent.kinds = make(map[kind]uint32)
	}
	if _, known := parent.kinds[k]; known || len(parent.kinds) < 64 {
		parent.kinds[k]++
		parent.most = max(parent.most, parent.kinds[k])
	}
}

// only returns the only node that is of a kind; nil: there is none, or several.
func only(nodes []*Node, is func(*Node) bool) (found *Node, several bool) {
	for _, n := range nodes {
		if is(n) {
			if found != nil {
				return nil, true
			}
			found = n
		}
	}
	return found, false
}

func (t *Tracker) find(n *Node, p *process, at format.KTime) (*Node, string, facts.Certainty) {
	serves := p.serves
	able := func(o *Node) bool { return true }
	if n.traceID != "" {
		same := func(o *Node) bool { return o.traceID == n.traceID }
		found, several := only(serves, same)
		if found != nil {
			return found, "trace", facts.Exact
		}
		if several {
			for _, is := range []func(o *Node) bool{
				func(o *Node) bool { return same(o) && n.parentSpan != "" && o.spanID == n.parentSpan },
				func(o *Node) bool { return same(o) && o.spanID == n.spanID },
			} {
				if found, _ := only(serves, is); found != nil {
					return found, "trace", facts.Exact
				}
			}
			able = same
		} else {
			able = func(o *Node) bool { return o.traceID == "" } // the others belong to other traces
		}
	}
	if found, _ := only(serves, func(o *Node) bool { return able(o) && o.tid == n.tid }); found != nil && p.shared == 0 {
		return found, "thread", facts.Inferred
	}
	found, several := only(serves, able)
	if found != nil {
		return found, "process", facts.Inferred
	}
	if !several {
		return nil, "", facts.Unknown
	}
	if found, _ := only(serves, func(o *Node) bool {
		return able(o) && !o.passedOn && o.method == n.method && o.target == n.target
	}); found != nil {
		return found, "request", facts.Inferred
	}
	if th := t.threads[n.tid]; th != nil && th.on != nil && th.on.id == th.id && th.on.server && th.on.pid == n.pid && able(th.on) &&
		at.Sub(th.at) < turn && th.at <= at {
		return th.on, "turn", facts.Inferred
	}
	return nil, "", facts.Unknown
}

// Moved notes that a thread moved bytes of an exchange: of one that is sent, it works for its parent.
func (t *Tracker) Moved(tid format.TID, n *Node, at format.KTime) {
	if n == nil {
		return
	}
	if !n.server {
		if n.parent == nil || n.parent.id != n.parentID {
			return
		}
		n = n.parent
	}
	th := t.last
	if th == nil || t.lastTID != tid {
		th = t.threads[tid]
		if th == nil {
			if len(t.threads) >= maxThreads {
				clear(t.threads)
			}
			th = new(thread)
			t.threads[tid] = th
		}
		t.last, t.lastTID = th, tid
	}
	th.on, th.id, th.at = n, n.id, at
}

// End takes an exchange that is over, and completes x by what is known.
func (t *Tracker) End(n *Node, x *facts.Exchange) {
	if n == nil {
		return
	}
	if n.server {
		p := t.processes[n.pid]
		p.remove(n)
		if len(p.serves) == 0 && len(t.processes) > maxIdle {
			delete(t.processes, n.pid)
		}
		n.account(x)
	} else if n.by != "" {
		x.Parent, x.ParentBy, x.ParentSure = n.parentID, n.by, n.sure
		if p := n.parent; p.id == n.parentID && x.Duration >= 0 && len(p.calls) < maxCalls {
			p.calls = append(p.calls, call{x.ID, x.Start, x.Start + format.KTime(x.Duration)})
		}
	}
	t.nodes--
	calls := n.calls[:0]
	*n = Node{calls: calls}
	if len(t.free) < 4096 && cap(calls) <= 64 {
		t.free = append(t.free, n)
	}
}

// account sums up the calls of a request that was served.
func (n *Node) account(x *facts.Exchange) {
	x.Calls, x.SameCalls = n.count, n.most
	if len(n.calls) == 0 {
		return
	}
	for _, c := range n.calls {
		if d := c.end.Sub(c.start); x.SlowestCall == 0 || d > x.SlowestCallTime {
			x.SlowestCall, x.SlowestCallTime = c.id, d
		}
	}
	// In any of them: the union of their times.
	slices.SortFunc(n.calls, func(a, b call) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.id, b.id)) })
	until := n.calls[0].start
	for _, c := range n.calls {
		if c.end > until {
			x.CallsTime += c.end.Sub(max(c.start, until))
			until = c.end
		}
	}
	// On the critical path: back from the end, the call that ended last before what is behind it began.
	slices.SortFunc(n.calls, func(a, b call) int { return cmp.Or(cmp.Compare(b.end, a.end), cmp.Compare(a.id, b.id)) })
	before := format.KTime(1<<63 - 1)
	if x.Duration >= 0 {
		before = x.Start + format.KTime(x.Duration)
	}
	for _, c := range n.calls {
		if c.end <= before {
			x.CriticalCalls++
			x.CriticalTime += c.end.Sub(c.start)
			before = c.start
		}
	}
}
