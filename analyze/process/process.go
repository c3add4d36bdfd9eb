// Package process turns process rows into names: which program a pid was at a time (pid reuse, fork and exec included).
package process

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"strconv"

	"github.com/ebpf-reel/reel/format"
)

// DefaultLimit bounds the programs that a Table keeps.
const DefaultLimit = 1 << 18

// Image is one program that a process ran: from a fork, an exec or the start of the capture on.
type Image struct {
	PID   format.PID
	From  format.KTime // math.MinInt64: since before the capture
	Start uint64       // of the process, CLOCK_BOOTTIME ns; 0 unknown
	Comm  string
	Exe   string // "" unknown
	PPID  format.PID
	NetNS uint64
	// Known is false for a pid that the reel has no row of: its name is its number.
	Known bool
}

// Name is what people call the program.
func (i *Image) Name() string {
	if i.Comm == "" {
		return "pid " + strconv.FormatUint(uint64(i.PID), 10)
	}
	return i.Comm
}

// NodeID is the same for all processes that run the same program under the same name.
func (i *Image) NodeID() string {
	if i.Comm == "" {
		return "process/pid-" + strconv.FormatUint(uint64(i.PID), 10) + "/"
	}
	return "process/" + i.Comm + "/" + i.Exe
}

// Builder collects process rows.
type Builder struct {
	limit  int
	rows   []format.Process
	folded uint64
}

// NewBuilder returns a Builder that keeps at most limit rows; 0 is DefaultLimit.
func NewBuilder(limit int) *Builder {
	if limit <= 0 {
		limit = DefaultLimit
	}
	return &Builder{limit: limit}
}

// Add takes a row, in any order. It keeps what it needs of it.
func (b *Builder) Add(r *format.Process) {
	if r.Op == format.ProcExit {
		return // a pid is free from here on; its next fork says so
	}
	if len(b.rows) == b.limit {
		b.folded++
		return
	}
	row := *r
	row.Args = nil
	b.rows = append(b.rows, row)
}

// Folded returns how many rows were beyond the limit.
func (b *Builder) Folded() uint64 { return b.folded }

// Table names processes.
type Table struct {
	images  map[format.PID][]*Image // by From
	unknown map[format.PID]*Image   // pids that were asked for and that no row names
}

// maxUnknown bounds the pids that are known by number only: all others share one image.
const maxUnknown = 1 << 16

// Table builds the names by the rows so far.
func (b *Builder) Table() *Table {
	slices.SortFunc(b.rows, func(x, y format.Process) int {
		return cmp.Or(cmp.Compare(x.Time, y.Time), cmp.Compare(x.Op, y.Op), cmp.Compare(x.PID, y.PID), cmp.Compare(x.Start, y.Start),
			cmp.Compare(x.Comm, y.Comm), cmp.Compare(x.Exe, y.Exe))
	})
	t := &Table{images: make(map[format.PID][]*Image), unknown: make(map[format.PID]*Image)}
	for i := range b.rows {
		t.apply(&b.rows[i])
	}
	return t
}

// apply takes rows in time order.
func (t *Table) apply(r *format.Process) {
	list := t.images[r.PID]
	var last *Image
	if len(list) > 0 {
		last = list[len(list)-1]
	}
	image := &Image{PID: r.PID, From: r.Time, Start: r.Start, Comm: r.Comm, Exe: r.Exe, PPID: r.PPID, NetNS: r.NetNS, Known: true}
	same := last != nil && (last.Start == r.Start || last.Start == 0 || r.Start == 0)
	switch r.Op {
	case format.ProcFork:
		if same && last.From == r.Time {
			return
		}
		// The child runs its parent's program until it execs.
		if p := t.At(r.PPID, r.Time); p.Known {
			image.Exe = cmp.Or(image.Exe, p.Exe)
			image.Comm = cmp.Or(image.Comm, p.Comm)
		}
	case format.ProcSnapshot:
		if same {
			// Found again, at the end or by a second snapshot: what was not known is now.
			last.Comm = cmp.Or(last.Comm, r.Comm)
			if last.Comm == r.Comm {
				last.Exe = cmp.Or(last.Exe, r.Exe)
			}
			last.Start = cmp.Or(last.Start, r.Start)
			return
		}
		if last == nil {
			image.From = math.MinInt64 // it was there before it was listed
		}
	}
	t.images[r.PID] = append(list, image)
}

// At returns what pid was at a time: never nil, Known says whether the reel tells. The same program is the same pointer.
func (t *Table) At(pid format.PID, at format.KTime) *Image {
	list := t.images[pid]
	i := sort.Search(len(list), func(i int) bool { return list[i].From > at }) - 1
	switch {
	case i >= 0:
		return list[i]
	case len(list) > 0 && list[0].Start != 0:
		return list[0] // first seen a moment later: rows of several CPUs
	}
	if len(t.unknown) >= maxUnknown && t.unknown[pid] == nil {
		pid = 0
	}
	u := t.unknown[pid]
	if u == nil {
		u = &Image{PID: pid, From: math.MinInt64}
		t.unknown[pid] = u
	}
	return u
}
