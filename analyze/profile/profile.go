// Package profile turns samples and interned stacks into a folded profile: each distinct stack of each thread once, with names.
package profile

import (
	"cmp"
	"slices"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/symbol"
	"github.com/ebpf-reel/reel/format"
)

// Scope chooses samples. The zero value is all of them.
type Scope struct {
	PIDs     []format.PID
	TIDs     []format.TID
	Comms    []string     // of the process or of the thread
	From, To format.KTime // To is exclusive; 0: no bound
}

// Chooses reports whether the scope leaves anything out.
func (s *Scope) Chooses() bool {
	return len(s.PIDs) > 0 || len(s.TIDs) > 0 || len(s.Comms) > 0 || s.From != 0 || s.To != 0
}

// Wants reports whether a sample is in the scope.
func (s *Scope) Wants(pid format.PID, tid format.TID, process, thread string, at format.KTime) bool {
	switch {
	case s.From != 0 && at < s.From, s.To != 0 && at >= s.To:
		return false
	case len(s.PIDs) > 0 && !slices.Contains(s.PIDs, pid):
		return false
	case len(s.TIDs) > 0 && !slices.Contains(s.TIDs, tid):
		return false
	case len(s.Comms) > 0 && !slices.Contains(s.Comms, process) && !slices.Contains(s.Comms, thread):
		return false
	}
	return true
}

// Limits bound the memory.
type Limits struct {
	Symbols int // symbols and modules (symbol.DefaultLimit)
	Frames  int // interned frames (16 Mi)
	Stacks  int // distinct stacks of distinct threads (4 Mi)
}

const (
	defaultFrames = 16 << 20
	defaultStacks = 4 << 20
	maxDepth      = 4 << 10 // frames of one stack
)

// Fold collects rows: first stacks, modules and symbols, then samples.
type Fold struct {
	scope   Scope
	limits  Limits
	symbols *symbol.Table
	frames  map[format.StackID]frame
	stacks  map[key]*sum
	period  time.Duration
	kind    Kind

	first, last format.KTime // of all samples in the scope
	tooMany     uint64       // rows beyond a limit
	missing     uint64       // samples whose stack the reel does not have
}

// frame is a row of the table stack.
type frame struct {
	parent  format.StackID
	module  format.ModuleID
	kind    format.FrameKind
	address uint64
}

// key tells folded stacks apart.
type key struct {
	process, thread string
	pid             format.PID
	tid             format.TID
	stack           format.StackID
	verdict         format.StackVerdict
	state           format.BlockState // of off-CPU
}

type sum struct {
	count uint64
	time  time.Duration
}

// Kind is what a profile counts.
type Kind uint8

// The kinds.
const (
	OnCPU  Kind = iota // samples of what ran
	OffCPU             // times in which threads did not run
)

func (k Kind) String() string { return [...]string{"on-CPU", "off-CPU"}[k] }

// Table is where the rows of a kind are.
func (k Kind) Table() format.TableID {
	return [...]format.TableID{format.TableOnCPU, format.TableOffCPU}[k]
}

// New returns an empty fold.
func New(kind Kind, scope Scope, limits Limits) *Fold {
	limits.Frames = cmp.Or(limits.Frames, defaultFrames)
	limits.Stacks = cmp.Or(limits.Stacks, defaultStacks)
	return &Fold{kind: kind, scope: scope, limits: limits, symbols: symbol.NewTable(limits.Symbols), frames: map[format.StackID]frame{}, stacks: map[key]*sum{}}
}

// Tables are those that must be added before samples.
var Tables = []format.TableID{format.TableStack, format.TableModule, format.TableSymbol}

// Add takes a row of Tables.
func (f *Fold) Add(row format.Row) {
	switch r := row.(type) {
	case *format.Module:
		f.symbols.AddModule(r)
	case *format.Symbol:
		f.symbols.AddSymbol(r)
	case *format.Stack:
		if len(f.frames) >= f.limits.Frames {
			f.tooMany++
			return
		}
		parent := r.Parent
		if parent >= r.ID { // no writer makes such rows: stacks have an end
			parent = 0
		}
		f.frames[r.ID] = frame{parent, r.Module, r.Kind, r.Address}
	}
}

// Sample takes a sample of a process of that name.
func (f *Fold) Sample(r *format.OnCPU, process string) {
	if !f.scope.Wants(r.PID, r.TID, process, r.Comm, r.Time) {
		return
	}
	f.period = max(f.period, r.Period)
	f.add(key{process: process, thread: r.Comm, pid: r.PID, tid: r.TID, stack: r.Stack, verdict: r.Verdict}, r.Time, 1, r.Period)
}

// Block takes a time in which a thread of a process of that name did not run. Of one that lies only partly in the scope's time, that part
// counts.
func (f *Fold) Block(r *format.OffCPU, process string) {
	from, to := r.Time.Add(-r.Duration), r.Time
	if f.scope.From != 0 {
		from = max(from, f.scope.From)
	}
	if f.scope.To != 0 {
		to = min(to, f.scope.To)
	}
	if to <= from || !f.scope.Wants(r.PID, r.TID, process, r.Comm, from) {
		return
	}
	f.add(key{process: process, thread: r.Comm, pid: r.PID, tid: r.TID, stack: r.Stack, verdict: r.Verdict, state: r.State}, from, 1, to.Sub(from))
}

func (f *Fold) add(k key, at format.KTime, count uint64, d time.Duration) {
	s := f.stacks[k]
	if s == nil {
		if len(f.stacks) >= f.limits.Stacks {
			f.tooMany += count
			return
		}
		s = new(sum)
		f.stacks[k] = s
	}
	s.count += count
	s.time += d
	if f.first == 0 || at < f.first {
		f.first = at
	}
	f.last = max(f.last, at)
}

// TooMany returns how many rows were beyond a limit.
func (f *Fold) TooMany() uint64 { return f.tooMany + f.symbols.Left() }

// Missing returns how many samples have a stack that the reel does not hold.
func (f *Fold) Missing() uint64 { return f.missing }

// Span returns the times of the first and the last sample in the scope.
func (f *Fold) Span() (first, last format.KTime) { return f.first, f.last }

// Result folds what was taken.
func (f *Fold) Result() *facts.Profile {
	keys := make([]key, 0, len(f.stacks))
	for k := range f.stacks {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.process, b.process), cmp.Compare(a.pid, b.pid), cmp.Compare(a.tid, b.tid), cmp.Compare(a.thread, b.thread),
			cmp.Compare(a.stack, b.stack), cmp.Compare(a.verdict, b.verdict), cmp.Compare(a.state, b.state))
	})
	n := newNamer(f)
	p := &facts.Profile{Kind: f.kind.String(), Period: f.period}
	verdicts := map[facts.VerdictShare]uint64{}
	for _, k := range keys {
		s := f.stacks[k]
		frames := n.stack(k.stack, k.verdict)
		if frames == nil {
			f.missing += s.count
			frames = n.note("[stack is not in the reel]")
		}
		if text := stateText[k.state]; text != "" {
			frames = append(frames, n.note(text)...)
		}
		p.Stacks = append(p.Stacks, facts.ProfileStack{
			Frames: frames, PID: k.pid, TID: k.tid, Process: k.process, Thread: k.thread, Verdict: k.verdict, Count: s.count, Time: s.time,
		})
		p.Counts += s.count
		p.Time += s.time
		verdicts[facts.VerdictShare{Process: k.process, Verdict: k.verdict}] += s.count
	}
	p.Modules, p.Functions, p.Locations = n.modules, n.functions, n.locations
	for v, count := range verdicts {
		v.Count = count
		p.Verdicts = append(p.Verdicts, v)
	}
	slices.SortFunc(p.Verdicts, func(a, b facts.VerdictShare) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Process, b.Process), cmp.Compare(a.Verdict, b.Verdict))
	})
	return p
}
