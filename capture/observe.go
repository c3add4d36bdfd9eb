//go:build linux && (amd64 || arm64)

package capture

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ebpf-reel/reel/capture/trigger"
	"github.com/ebpf-reel/reel/format"
)

// observer takes out of the records that are drained what trigger rules look at. It runs on the hot path, and only when a rule
// needs it: it allocates nothing for a record, and never waits for what comes of it.
type observer struct {
	exits       bool // a rule looks at them
	transfers   bool // a rule looks at them
	counts      bool // a rule looks at retransmits
	retransmits atomic.Uint64

	mu    sync.Mutex // of heads: the drain counts, a tick takes
	heads format.HeadWatcher
	call  format.HeadCall // scratch

	occurred chan occurrence
	dropped  atomic.Uint64 // found no room there
}

// occurrence is an event that a rule may be about.
type occurrence struct {
	metric trigger.Metric
	sample trigger.Sample
	signal trigger.Signal // of trigger.Exit
}

// occurrences bounds the events that wait to be judged. More of one moment make no other firing.
const occurrences = 1024

// newObserver returns what the rules need of an observer; nil when they need none.
func newObserver(rules []*trigger.Rule, newHeads func([]format.HeadScope) format.HeadWatcher) *observer {
	o := &observer{occurred: make(chan occurrence, occurrences)}
	for _, r := range rules {
		o.exits = o.exits || r.Condition.Metric == trigger.Exit
		o.transfers = o.transfers || r.Condition.Metric == trigger.Transfer
		o.counts = o.counts || r.Condition.Metric == trigger.Retransmits
	}
	if scopes := headScopes(rules); len(scopes) > 0 {
		o.heads = newHeads(scopes)
	}
	if o.heads == nil && !o.exits && !o.transfers && !o.counts {
		return nil
	}
	return o
}

// headScopes returns what a watcher of heads has to count, each once.
func headScopes(rules []*trigger.Rule) []format.HeadScope {
	var scopes []format.HeadScope
	for _, r := range rules {
		if s := headScope(&r.Condition); r.Condition.Metric.HTTP() && !slices.Contains(scopes, s) {
			scopes = append(scopes, s)
		}
	}
	return scopes
}

func headScope(c *trigger.Condition) format.HeadScope {
	return format.HeadScope{Client: c.Scope.Client, Port: c.Scope.Port, Path: c.Scope.Path}
}

// see looks at one record.
func (o *observer) see(kind format.EventKind, ev []byte) {
	if o.transfers && kind == format.EventSock && format.IsLongMessage(ev) {
		o.transferred(ev)
	}
	switch {
	case o.heads != nil && (kind == format.EventIO || kind == format.EventSock):
		o.watch(kind, ev)
	case o.counts && kind == format.EventTCP:
		o.retransmits.Add(format.Retransmitted(ev))
	}
}

func (o *observer) watch(kind format.EventKind, ev []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if kind == format.EventIO {
		if format.ReadHeadCall(ev, &o.call) {
			o.heads.Call(&o.call)
		}
		return
	}
	if socket, ok := format.SocketGone(ev); ok {
		o.heads.Gone(socket)
	}
}

// transferred looks at a message that grew beyond the size that a rule names.
func (o *observer) transferred(ev []byte) {
	var d format.Decoded
	if format.DecodeEvent(ev, &d) != nil {
		return // a reader says what is wrong with it
	}
	s := &d.Socket
	o.occur(occurrence{metric: trigger.Transfer, sample: trigger.Sample{Value: s.Ret * 1000, Subject: trigger.Subject{
		PID: s.PID, Socket: s.Socket, Inode: s.Inode, Local: s.Local, Remote: s.Remote, Detail: s.Op.String()}}})
}

// exited looks at a process that has ended.
func (o *observer) exited(p *format.Process) {
	if signal, ok := trigger.Ended(p.ExitStatus); ok && o.exits {
		o.occur(occurrence{metric: trigger.Exit, signal: signal, sample: trigger.Sample{Subject: trigger.Subject{
			PID: p.PID, Start: p.Start, Comm: p.Comm, Detail: signal.String()}}})
	}
}

func (o *observer) occur(e occurrence) {
	select {
	case o.occurred <- e:
	default:
		o.dropped.Add(1)
	}
}

// blind returns what the watcher could not look at.
func (o *observer) blind() format.HeadBlind {
	if o.heads == nil {
		return format.HeadBlind{}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.heads.Blind()
}
