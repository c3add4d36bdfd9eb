package analyze

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/ebpf-reel/reel/analyze/clock"
	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/keyring"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/analyze/process"
	"github.com/ebpf-reel/reel/format"
)

// ground is what the small tables say.
type ground struct {
	clocks    *clock.Timeline
	processes *process.Table
	ledger    *ledger.Tally
	overhead  facts.Overhead
	keys      *keyring.Ring
	triggers  []facts.Trigger
	probes    []format.Probe
	rows      [math.MaxUint8 + 1]uint64 // by format.TableID

	base      *format.Baseline // counters from before the window of a snap
	lastBeat  format.Heartbeat
	shedSince format.KTime

	any         bool
	first, last format.KTime // of all rows
}

// survey reads the small tables.
func survey(ctx context.Context, src Source, cfg Config, tally *ledger.Tally) (*ground, error) {
	g := &ground{base: src.Manifest().Baseline(), ledger: tally, keys: keyring.New(), overhead: facts.Overhead{ProgramTime: -1}}
	for _, p := range src.Problems() {
		tally.AddBytes(ledger.Problem(p.Kind), max(1, uint64(max(p.Rows, 0))), uint64(max(p.Bytes, 0)),
			ledger.Where{File: p.File, Offset: p.Offset, Text: p.Message})
	}
	if !src.Manifest().Clean && tally.Count(ledger.UncleanEnd) == 0 {
		tally.Add(ledger.UncleanEnd, 1, ledger.Where{})
	}
	windowOf(src.Manifest(), tally)
	clocks, processes := new(clock.Builder), process.NewBuilder(cfg.Processes)
	rings, triggers := make(rings), newTriggers()
	tables := []format.TableID{format.TableProcess, format.TableClock, format.TableHeartbeat, format.TableRing, format.TableHook, format.TableNote, format.TableTrigger,
		format.TableContainer, format.TableTLSKey, format.TableProbe}
	var n uint64
	for row, err := range src.Rows(format.RowsOptions{Tables: tables}) {
		if err != nil {
			unread(tally, err)
			continue
		}
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		g.saw(row)
		switch r := row.(type) {
		case *format.Process:
			processes.Add(r)
		case *format.Container:
			processes.AddContainer(r)
		case *format.Clock:
			clocks.Add(r)
		case *format.TLSKey:
			g.keys.Add(r)
		case *format.Heartbeat:
			if beat, ok := g.base.Heartbeat(r); ok {
				g.heartbeat(&beat)
			}
		case *format.Ring:
			if ring, ok := g.base.Ring(r); ok {
				rings.add(&ring)
			}
		case *format.Hook:
			if !r.Attached {
				tally.Add(ledger.HookRefused, 1, ledger.Where{At: r.Time, Text: r.Name + ": " + r.Error})
			}
		case *format.Probe:
			if len(g.probes) < maxProbes {
				g.probes = append(g.probes, *r)
			}
		case *format.Trigger:
			triggers.add(r)
		case *format.Note:
			tally.Add(ledger.Note(r.Name), max(r.Count, 1), ledger.Where{At: r.Time, Text: note(r)})
		}
	}
	g.clocks, g.processes = clocks.Timeline(), processes.Table()
	g.triggers = triggers.result(g.wall)
	g.losses(rings)
	g.shed()
	if n := processes.Folded(); n > 0 {
		tally.Add(ledger.ProcessesFolded, n, ledger.Where{})
	}
	if !g.clocks.Known() {
		tally.Add(ledger.ClockMissing, 1, ledger.Where{})
	}
	for _, s := range g.clocks.Steps() {
		tally.Add(ledger.ClockStep, 1, ledger.Where{At: s.After, Text: "by " + s.By.String()})
	}
	return g, nil
}

// maxProbes bounds the probe rows that are kept: what is beyond names no library in the coverage of TLS.
const maxProbes = 1 << 16

// windowOf tells that a reel holds a window of a flight recorder.
func windowOf(m *format.Manifest, tally *ledger.Tally) {
	s := m.Snap
	if s == nil {
		return
	}
	tally.Add(ledger.FlightWindow, 1, ledger.Where{At: s.From, Text: s.Reason})
	if missing := s.From.Sub(s.Asked.Add(-s.Before)); s.Before > 0 && missing > 0 {
		tally.Add(ledger.FlightWindowShort, 1, ledger.Where{At: s.From, Text: missing.String() + " of " + s.Before.String()})
	}
}

// unread counts rows that could not be read: all others follow.
func unread(tally *ledger.Tally, err error) {
	var c *format.CorruptError
	if errors.As(err, &c) {
		tally.Add(ledger.FileCorrupt, 1, ledger.Where{File: c.File, Offset: c.Offset, Text: c.Err.Error()})
		return
	}
	tally.Add(ledger.ReadError, 1, ledger.Where{Text: err.Error()})
}

func note(r *format.Note) string {
	if ledger.Note(r.Name) == ledger.NoteUnknown {
		return r.Name + ": " + r.Detail
	}
	return r.Detail
}

// rings keeps the last account of each ring.
type rings map[uint16]format.Ring

func (m rings) add(r *format.Ring) {
	last := m[r.CPU]
	last.CPU = r.CPU
	last.Captured = max(last.Captured, r.Captured)
	last.LostBytes = max(last.LostBytes, r.LostBytes)
	if r.Lost > last.Lost {
		if last.Lost == 0 || r.Time < last.Time {
			last.Time = r.Time
		}
		last.Lost = r.Lost
	}
	m[r.CPU] = last
}

func (g *ground) heartbeat(r *format.Heartbeat) {
	o := &g.overhead
	if g.lastBeat.Time == 0 {
		o.LoadCPU = r.RecorderCPU
	}
	o.RecorderCPU = max(o.RecorderCPU, r.RecorderCPU)
	o.MaxRSS = max(o.MaxRSS, r.RSS)
	o.Written = max(o.Written, r.JournalBytes, r.SealedBytes)
	o.Events = max(o.Events, r.Events)
	o.Lost = max(o.Lost, r.LostEvents)
	o.ProgramTime = max(o.ProgramTime, r.ProgramTime)
	o.ProgramsMeasured = max(o.ProgramsMeasured, r.ProgramsMeasured)
	o.ShedLevel = max(o.ShedLevel, r.ShedLevel)
	o.ShedCalls, o.ShedBytes = max(o.ShedCalls, r.ShedCalls), max(o.ShedBytes, r.ShedBytes)
	if g.lastBeat.ShedLevel > 0 {
		o.ShedTime += max(r.Time.Sub(g.lastBeat.Time), 0)
	}
	if r.ShedLevel > 0 && g.shedSince == 0 {
		g.shedSince = r.Time
	}
	g.lastBeat = *r
}

// shed counts what was left out: by the recorder's notes, or by the heartbeats where they say more (the recorder was killed, or
// is of version 1, which has no notes while it records).
func (g *ground) shed() {
	o := &g.overhead
	if o.ShedLevel > 0 && g.ledger.Count(ledger.Shed) == 0 {
		g.ledger.Add(ledger.Shed, 1, ledger.Where{At: g.shedSince})
	}
	noted := g.ledger.Count(ledger.NoteShedCalls)
	o.ShedCalls = max(o.ShedCalls, noted)
	g.ledger.AddBytes(ledger.NoteShedCalls, o.ShedCalls-noted, o.ShedBytes, ledger.Where{At: g.shedSince})
}

// losses counts the records that found no room in a ring: by the rings' own accounts, or by the heartbeats' where they say more.
func (g *ground) losses(m rings) {
	var lost, bytes, captured uint64
	first := format.KTime(0)
	for _, r := range m {
		lost += r.Lost
		bytes += r.LostBytes
		captured += r.Captured
		if r.Lost > 0 && (first == 0 || r.Time < first) {
			first = r.Time
		}
	}
	if g.rows[format.TableHeartbeat] == 0 && len(m) == 0 {
		g.ledger.Add(ledger.NoHeartbeat, 1, ledger.Where{})
	}
	g.overhead.Lost = max(g.overhead.Lost, lost)
	g.overhead.Events = max(g.overhead.Events, captured)
	if g.overhead.Lost > 0 {
		g.ledger.AddBytes(ledger.RingLoss, g.overhead.Lost, bytes, ledger.Where{At: first})
	}
}

// saw counts a row.
func (g *ground) saw(row format.Row) {
	g.rows[row.Table()]++
	at := row.At()
	if !g.base.Within(at) {
		return
	}
	if !g.any {
		g.first, g.last, g.any = at, at, true
	}
	g.first, g.last = min(g.first, at), max(g.last, at)
}

// far is how far from the nearest clock row a wall time is still called good.
const far = 6 * time.Millisecond // of error: a minute at 100 ppm

func (g *ground) wall(t format.KTime) facts.Wall {
	w, bound, ok := g.clocks.Wall(t)
	if !ok {
		return 0
	}
	if bound > far {
		g.ledger.Add(ledger.ClockFar, 1, ledger.Where{At: t})
	}
	return w
}

func (g *ground) summary(src Source, o *output) facts.Summary {
	m := src.Manifest()
	s := facts.Summary{
		ReelID: m.UUID, Host: m.Capture.Host, Kernel: m.Capture.Kernel, Command: m.Capture.Command, Clean: m.Clean,
		Connections: o.connections, Exchanges: o.exchanges, Complete: o.complete, Statuses: o.statuses, Bytes: o.bytes,
		Rows: make(map[string]uint64), LostEvents: g.overhead.Lost, Overhead: g.overhead, Triggers: g.triggers,
	}
	for t := range format.TableIDs() {
		if t != format.TablePayload {
			s.Rows[t.String()] = g.rows[t]
		}
	}
	if g.any {
		s.Start, s.End = g.wall(g.first), g.wall(g.last)
		s.Duration = max(g.last.Sub(g.first), 0)
	}
	return s
}

// program returns what ran in the process of x.
func (g *ground) program(c *conn.Conn, x *facts.Exchange) *process.Image {
	if i := c.Image; i != nil && i.PID == x.PID {
		return i
	}
	return g.processes.At(x.PID, x.Start)
}
