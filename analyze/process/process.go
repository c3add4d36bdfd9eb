// Package process turns process rows into names: which program a pid was at a time (pid reuse, fork and exec included).
package process

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"strconv"

	"github.com/ebpf-reel/reel/analyze/facts"
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
	// Container is nil for a process in none.
	Container *facts.Container

	row   *format.Process // that it is by
	until format.KTime    // of its exit or the next exec
	end   facts.ProcessEnd
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

// NodeID is the same for all processes that run the same program under the same name in the same pod, or container.
func (i *Image) NodeID() string {
	if i.Comm == "" {
		return "process/pid-" + strconv.FormatUint(uint64(i.PID), 10) + "/"
	}
	id := "process/" + i.Comm + "/" + i.Exe
	if i.Container != nil {
		id += "@" + i.Container.Group()
	}
	return id
}

// Builder collects process rows.
type Builder struct {
	limit      int
	rows       []format.Process
	containers map[containerKey]*facts.Container
	argBytes   int
	folded     uint64
}

// containerKey is how process rows name a container.
type containerKey struct{ id, pod string }

// NewBuilder returns a Builder that keeps at most limit rows; 0 is DefaultLimit.
func NewBuilder(limit int) *Builder {
	if limit <= 0 {
		limit = DefaultLimit
	}
	return &Builder{limit: limit, containers: make(map[containerKey]*facts.Container)}
}

// Add takes a row, in any order. It keeps what it needs of it.
func (b *Builder) Add(r *format.Process) {
	if len(b.rows) == b.limit {
		b.folded++
		return
	}
	row := *r
	row.Args = b.firstArgs(r.Args)
	b.rows = append(b.rows, row)
}

// Bounds on the bytes of command lines that are kept: of one, and of all.
const (
	maxArgs    = 512
	maxAllArgs = 16 << 20
)

func (b *Builder) firstArgs(args []string) []string {
	total := 0
	for i, a := range args {
		total += len(a) + 1
		if total > maxArgs || b.argBytes+total > maxAllArgs {
			args = append(slices.Clone(args[:i]), "...")
			break
		}
	}
	b.argBytes += min(total, maxArgs)
	return args
}

// AddContainer takes a row, in any order: what names a container best is kept.
func (b *Builder) AddContainer(r *format.Container) {
	k := containerKey{r.ID, r.PodUID}
	c := b.containers[k]
	if c == nil {
		if len(b.containers) >= b.limit {
			b.folded++
			return
		}
		c = &facts.Container{ID: r.ID, PodUID: r.PodUID}
		b.containers[k] = c
	}
	for _, f := range []struct {
		to   *string
		from string
	}{{&c.Runtime, r.Runtime}, {&c.Name, r.Name}, {&c.Image, r.Image}, {&c.Pod, r.Pod}, {&c.Namespace, r.Namespace}} {
		*f.to = max(*f.to, f.from) // rows of one container say the same; were they not to, the order of rows must not matter
	}
}

// containerOf returns what is known of the container that a row names; nil: it names none.
func (t *Table) containerOf(r *format.Process) *facts.Container {
	if r.ContainerID == "" && r.PodUID == "" {
		return nil
	}
	k := containerKey{r.ContainerID, r.PodUID}
	c := t.containers[k]
	if c == nil {
		c = &facts.Container{ID: r.ContainerID, PodUID: r.PodUID}
		t.containers[k] = c
	}
	return c
}

// Folded returns how many rows were beyond the limit.
func (b *Builder) Folded() uint64 { return b.folded }

// Table names processes.
type Table struct {
	images     map[format.PID][]*Image // by From
	order      []*Image                // all of them, by From
	containers map[containerKey]*facts.Container
	unknown    map[format.PID]*Image // pids that were asked for and that no row names
}

// maxUnknown bounds the pids that are known by number only: all others share one image.
const maxUnknown = 1 << 16

// Table builds the names by the rows so far.
func (b *Builder) Table() *Table {
	slices.SortFunc(b.rows, func(x, y format.Process) int {
		return cmp.Or(cmp.Compare(x.Time, y.Time), cmp.Compare(x.Op, y.Op), cmp.Compare(x.PID, y.PID), cmp.Compare(x.Start, y.Start),
			cmp.Compare(x.Comm, y.Comm), cmp.Compare(x.Exe, y.Exe))
	})
	t := &Table{images: make(map[format.PID][]*Image), containers: b.containers, unknown: make(map[format.PID]*Image)}
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
	same := last != nil && (last.Start == r.Start || last.Start == 0 || r.Start == 0)
	if r.Op == format.ProcExit {
		// The pid is free from here on; its next fork says so.
		if same && last.end == facts.EndNone {
			last.until, last.end, last.row.ExitStatus = r.Time, facts.EndExit, r.ExitStatus
			if r.ExitStatus&0x7f != 0 {
				last.end = facts.EndSignal
			}
		}
		return
	}
	image := &Image{PID: r.PID, From: r.Time, Start: r.Start, Comm: r.Comm, Exe: r.Exe, PPID: r.PPID, NetNS: r.NetNS, Known: true,
		Container: t.containerOf(r), row: r}
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
	case format.ProcRename:
		if same {
			// All but the name stays.
			image.Exe, image.Container, r.Args, r.Cgroup = last.Exe, last.Container, last.row.Args, last.row.Cgroup
			if last.end == facts.EndNone {
				last.until, last.end = r.Time, facts.EndRename
			}
		}
	case format.ProcSnapshot:
		if same {
			// Found again, at the end or by a second snapshot: what was not known is now.
			last.Comm = cmp.Or(last.Comm, r.Comm)
			if last.Comm == r.Comm {
				last.Exe = cmp.Or(last.Exe, r.Exe)
			}
			last.Start = cmp.Or(last.Start, r.Start)
			last.complete(r, t.containerOf(r))
			return
		}
		if last == nil {
			image.From = math.MinInt64 // it was there before it was listed
		}
	}
	if same && last.end == facts.EndNone && r.Op == format.ProcExec {
		last.until, last.end = r.Time, facts.EndExec
	}
	t.images[r.PID] = append(list, image)
	t.order = append(t.order, image)
}

// complete takes from a later row of the same program what was not known.
func (i *Image) complete(r *format.Process, c *facts.Container) {
	if i.Comm != r.Comm {
		return
	}
	if len(i.row.Args) == 0 {
		i.row.Args = r.Args
	}
	i.row.NSPID = cmp.Or(i.row.NSPID, r.NSPID)
	i.row.Cgroup = cmp.Or(i.row.Cgroup, r.Cgroup)
	if i.Container == nil {
		i.Container = c
	}
}

// Programs returns what every process ran, in order of time. wall converts times.
func (t *Table) Programs(wall func(format.KTime) facts.Wall) []facts.Process {
	out := make([]facts.Process, 0, len(t.order))
	for _, i := range t.order {
		p := facts.Process{
			PID: i.PID, NSPID: i.row.NSPID, PPID: i.PPID, UID: i.row.UID, Comm: i.Comm, Exe: i.Exe, Args: i.row.Args, Cgroup: i.row.Cgroup,
			Container: i.Container, From: i.row.Time, SawStart: i.row.Op != format.ProcSnapshot, Until: i.until, End: i.end,
		}
		p.FromWall = wall(p.From)
		switch i.end {
		case facts.EndExit:
			p.Code = uint8(i.row.ExitStatus >> 8)
		case facts.EndSignal:
			p.Code, p.Core = uint8(i.row.ExitStatus&0x7f), i.row.ExitStatus&0x80 != 0
		}
		if i.end != facts.EndNone {
			p.UntilWall = wall(p.Until)
		}
		out = append(out, p)
	}
	return out
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
