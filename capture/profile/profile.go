//go:build linux && (amd64 || arm64)

// Package profile turns samples of the kernel side into rows: who ran what, with stacks whose frames have names.
//
// It works beside the hot path, which hands it copies of records and never waits for it. What it needs of a process it looks up
// while the process is there: mappings, files, names. Bytes of stacks that it was given to unwind leave it nowhere.
package profile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ebpf-reel/reel/capture/unwind"
	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/format/wire"
)

// Sink takes rows: format.Writer. It may be called from several goroutines.
type Sink interface {
	AppendRow(row format.Row) error
}

// Config says how samples are to be understood.
type Config struct {
	Hz     int                 // samples a second
	Now    func() format.KTime // CLOCK_MONOTONIC
	Forget time.Duration       // names and frames are stored again after this time, for a reel that loses its beginning; 0: never
}

// Profiler makes rows of samples. Take and Process may be called while Run runs.
type Profiler struct {
	cfg     Config
	sink    Sink
	queue   chan item
	spare   chan []byte
	named   chan struct{} // closed once kernel is read: that takes a while
	kernel  *kernelNames
	maps    *stream     // nil: refused
	refused error       // why
	early   []mapRecord // of processes that are not known to be targets yet

	modules *modules
	stacks  *stacks
	spaces  map[format.PID]*space
	ended   []endedSpace
	swept   format.KTime
	fresh   format.KTime // when all was last forgotten

	event  wire.Event
	path   []met // of the stack at hand
	copied copied
	waits  map[waitKey]*waitStack
	thread unwind.Thread
	walk   unwind.Result

	// Read by other goroutines.
	held    atomic.Uint32 // process; 0: none
	samples atomic.Uint64
	dropped atomic.Uint64
	unnamed atomic.Uint64 // processes whose mappings could not be read
	unread  error         // why the first could not; once Run has ended
	hidden  error         // why kernel functions have no names; once Run has ended
}

// item is work: a sample, or an event in the life of a process.
type item struct {
	sample []byte
	op     format.ProcOp
	pid    format.PID
	parent format.PID
	at     format.KTime
}

type endedSpace struct {
	pid format.PID
	at  format.KTime
}

const (
	queueItems = 1024 // of some 18 KiB
	spareItems = 64
	// endedFor is how long a process is remembered after its end: samples of other CPUs come later than it.
	endedFor = 2 * time.Second
	sweep    = time.Second
	// readAgain bounds how often the mappings of a process are read because an address is in none of them.
	readAgain = 10 * time.Millisecond
)

// New makes a profiler that stores rows in sink. It begins to listen to mappings, which takes privileges.
func New(cfg Config, sink Sink) *Profiler {
	maps, refused := openStream() // refused: /proc has to do
	p := &Profiler{
		maps: maps, refused: refused, named: make(chan struct{}),
		cfg: cfg, sink: sink, queue: make(chan item, queueItems), spare: make(chan []byte, spareItems),
		modules: newModules(), stacks: newStacks(), spaces: map[format.PID]*space{}, waits: map[waitKey]*waitStack{},
	}
	go func() {
		p.kernel, p.hidden = readKernel()
		close(p.named)
	}()
	return p
}

// Take copies a record of the kernel side. It never waits: what comes too fast is dropped, and counted.
func (p *Profiler) Take(ev []byte) {
	if held := p.held.Load(); held != 0 && len(ev) >= pidOffset+4 && binary.LittleEndian.Uint32(ev[pidOffset:]) == held {
		return
	}
	var buf []byte
	select {
	case buf = <-p.spare:
	default:
	}
	buf = append(buf[:0], ev...)
	select {
	case p.queue <- item{sample: buf}:
	default:
		p.dropped.Add(1)
	}
}

// Process takes an event in the life of a process.
func (p *Profiler) Process(row *format.Process) {
	if row.Op == format.ProcExec && uint32(row.PID) == p.held.Load() {
		p.held.Store(0)
	}
	switch row.Op {
	case format.ProcFork, format.ProcExec, format.ProcExit:
	default:
		return
	}
	select {
	case p.queue <- item{op: row.Op, pid: row.PID, parent: row.PPID, at: row.Time}:
	default: // its mappings are read when a sample needs them
	}
}

// Hold leaves out a process until its exec: it is the recorder's own until then.
func (p *Profiler) Hold(pid format.PID) { p.held.Store(uint32(pid)) }

// Begin reads the mappings of a process that is there already: later it may be gone when they are needed.
func (p *Profiler) Begin(pid format.PID) {
	select {
	case p.queue <- item{op: format.ProcSnapshot, pid: pid}:
	default:
	}
}

// End makes Run return once all that was taken is stored.
func (p *Profiler) End() { close(p.queue) }

// Account is what a profiler could not do.
type Account struct {
	Samples  uint64 // stored
	Dropped  uint64 // came too fast
	Unmapped uint64 // processes whose mappings could not be read
	Unread   error  // why the first of them could not; nil: it had ended
	Lost     uint64 // mappings that the kernel could not tell of
	NoStream error  // why it tells of none
	NoKernel error  // why functions of the kernel have no names
}

// Account is called after Run has returned.
func (p *Profiler) Account() Account {
	a := Account{Samples: p.samples.Load(), Dropped: p.dropped.Load(), Unmapped: p.unnamed.Load(), Unread: p.unread, NoStream: p.refused, NoKernel: p.hidden}
	if p.maps != nil {
		a.Lost = p.maps.lost
	}
	return a
}

// Run works until End. An error is the sink's.
func (p *Profiler) Run() error {
	defer p.modules.close()
	if p.maps != nil {
		defer p.maps.close()
	}
	for it := range p.queue {
		if err := p.take(it); err != nil {
			return err
		}
	}
	<-p.named
	return nil
}

func (p *Profiler) take(it item) error {
	now := p.cfg.Now()
	p.tidy(now)
	p.listen(now)
	if it.sample == nil {
		p.life(it)
		return nil
	}
	err := p.record(it.sample)
	select {
	case p.spare <- it.sample:
	default:
	}
	return err
}

// record stores what the kernel side found.
func (p *Profiler) record(ev []byte) error {
	if len(ev) > kindOffset && ev[kindOffset] == wire.EventBlock {
		return p.block(ev)
	}
	return p.sample(ev)
}

// Offsets of event_header.pid and kind in event.h.
const (
	pidOffset  = 20
	kindOffset = 30
)

// copied says where the bytes of the stack at hand are from.
type copied struct {
	addr  uint64
	fault bool
}

// tidy forgets processes that have ended, and what a flight recorder may have lost.
func (p *Profiler) tidy(now format.KTime) {
	if now.Sub(p.swept) < sweep {
		return
	}
	p.swept = now
	for len(p.ended) > 0 && now.Sub(p.ended[0].at) > endedFor {
		if s := p.spaces[p.ended[0].pid]; s != nil && s.gone {
			delete(p.spaces, s.pid)
			delete(p.modules.jit, s.pid)
		}
		p.ended = p.ended[1:]
	}
	if p.stacks.full() || p.cfg.Forget > 0 && now.Sub(p.fresh) > p.cfg.Forget {
		p.forget(now)
	}
}

func (p *Profiler) forget(now format.KTime) {
	p.fresh = now
	p.stacks.forget()
	clear(p.waits)
	p.modules.forget()
	for _, s := range p.spaces {
		for i := range s.ranges {
			s.ranges[i].stored = false
		}
	}
}

func (p *Profiler) life(it item) {
	switch it.op {
	case format.ProcExit:
		if s := p.spaces[it.pid]; s != nil {
			s.gone = true
			p.ended = append(p.ended, endedSpace{it.pid, it.at})
		}
	case format.ProcFork:
		p.forked(it.pid, it.parent)
	case format.ProcExec:
		if p.maps != nil && p.spaces[it.pid] != nil { // the stream told, and told when
			return
		}
		fallthrough
	default:
		s := &space{pid: it.pid}
		p.spaces[it.pid] = s
		p.read(s)
		p.replay(it.pid)
	}
}

// forked gives a child what its parent has: it may end before anybody can read its own.
func (p *Profiler) forked(pid, parent format.PID) {
	if from := p.spaces[parent]; from != nil && (p.spaces[pid] == nil || p.spaces[pid].gone) {
		p.spaces[pid] = from.fork(pid)
		p.replay(pid)
	}
}

// listen takes what the kernel told of mappings.
func (p *Profiler) listen(now format.KTime) {
	if p.maps == nil {
		return
	}
	for _, r := range p.maps.read() {
		p.mapped(r)
	}
	if n := len(p.early); n > 0 && (n > maxPending || now.Sub(p.early[0].at) > endedFor) {
		p.early = slices.DeleteFunc(p.early, func(r mapRecord) bool { return now.Sub(r.at) > endedFor })
		p.early = slices.Delete(p.early, 0, max(0, len(p.early)-maxPending))
	}
}

func (p *Profiler) mapped(r mapRecord) {
	if r.kind == recordFork {
		if p.spaces[r.parent] == nil {
			p.early = append(p.early, r)
		}
		p.forked(r.pid, r.parent)
		return
	}
	s := p.spaces[r.pid]
	switch {
	case s == nil:
		p.early = append(p.early, r)
	case r.kind == recordExec:
		if r.at > s.read {
			s.ranges = nil
		}
	case r.at > s.read: // else it was there when /proc was read
		l := &r.line
		s.add(codeRange{start: l.start, end: l.end, offset: l.offset, path: l.path, module: p.modules.of(s.pid, s.parent, l)})
	}
}

// inherit gives a process what its parent has, if a fork was told of: should it have ended, it has no other mappings.
func (p *Profiler) inherit(s *space) {
	i := slices.IndexFunc(p.early, func(r mapRecord) bool { return r.kind == recordFork && r.pid == s.pid })
	if i < 0 {
		return
	}
	parent := p.early[i].parent
	p.early = slices.Delete(p.early, i, i+1)
	s.parent, s.ranges = parent, p.space(parent).fork(s.pid).ranges
}

// replay applies what was told of a process before it was known.
func (p *Profiler) replay(pid format.PID) {
	var mine []mapRecord
	p.early = slices.DeleteFunc(p.early, func(r mapRecord) bool {
		if r.kind == recordFork && r.parent == pid || r.kind != recordFork && r.pid == pid {
			mine = append(mine, r)
			return true
		}
		return false
	})
	for _, r := range mine {
		p.mapped(r)
	}
}

// read reads the mappings of a process.
func (p *Profiler) read(s *space) {
	begun := p.cfg.Now()
	old := s.ranges
	s.ranges = nil
	err := readMaps(s.pid, func(l mapLine) {
		s.ranges = append(s.ranges, codeRange{start: l.start, end: l.end, offset: l.offset, path: l.path, module: p.modules.of(s.pid, s.parent, &l)})
	})
	if err != nil || len(s.ranges) == 0 { // it has ended
		s.ranges = old
		if _, statErr := os.Stat(fmt.Sprintf("/proc/%d", s.pid)); statErr != nil {
			s.gone = true
		}
		if len(old) == 0 {
			p.unnamed.Add(1)
			if err != nil && p.unread == nil {
				p.unread = err
			}
		}
		return
	}
	s.read = begun
	s.keepStored(old)
}

// space returns what is known of a process.
func (p *Profiler) space(pid format.PID) *space {
	s := p.spaces[pid]
	if s == nil {
		s = &space{pid: pid}
		p.spaces[pid] = s
		p.inherit(s)
		p.read(s)
		p.replay(pid)
	}
	return s
}

// locate finds the range of an address, and looks for new mappings when there is none.
func (p *Profiler) locate(s *space, addr uint64) *codeRange {
	if r := s.find(addr); r != nil {
		return r
	}
	if now := p.cfg.Now(); s.gone || now.Sub(s.tried) < readAgain {
		return nil
	} else {
		s.tried = now
	}
	p.read(s)
	return s.find(addr)
}

// sample stores one sample, after the frames, modules and symbols that it is the first to need.
func (p *Profiler) sample(ev []byte) error {
	if err := wire.Decode(ev, &p.event); err != nil || p.event.Kind != wire.EventSample {
		return fmt.Errorf("a sample cannot be read: %w", err)
	}
	e := &p.event.Sample
	parts, ok := splitTail(e.KernelBytes, e.UserBytes, e.RegsBytes, e.StackBytes, p.event.Payload)
	if !ok {
		return fmt.Errorf("a sample of %d bytes says that it has others", len(ev))
	}
	at := format.KTime(e.H.TimeNS)
	s := p.space(format.PID(e.H.PID))
	p.copied = copied{addr: e.StackAddr, fault: e.StackFault != 0}
	verdict, unwound := p.userPart(s, parts)
	p.kernelPart(parts.kernel)
	id, err := p.store(at)
	if err != nil {
		return err
	}
	p.samples.Add(1)
	comm, _, _ := bytes.Cut(e.Comm[:], []byte{0})
	return p.append(&format.OnCPU{
		Time: at, CPU: e.H.CPU, PID: format.PID(e.H.PID), TID: format.TID(e.H.TID), Comm: string(comm), Period: time.Second / time.Duration(p.cfg.Hz),
		Kernel: e.InKernel != 0, Stack: id, Verdict: verdict, Unwound: unwound,
	})
}

// append stores a row. One that cannot be stored, a name with strange bytes, does not end the capture.
func (p *Profiler) append(row format.Row) error {
	err := p.sink.AppendRow(row)
	var unfit *format.RowError
	if errors.As(err, &unfit) {
		return nil
	}
	return err
}
