package format_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/format/formattest"
)

const (
	ringDir = "ring.reel"
	snapDir = "snap.reel"
)

// flight makes a ring whose journals hold about a hundred notes.
func flight(t testing.TB, fsys format.FS, cfg format.FlightConfig) *format.FlightRecorder {
	t.Helper()
	cfg.FS, cfg.Filter = fsys, format.NoFilter{}
	cfg.Bytes = cmp.Or(cfg.Bytes, format.MinFlightBytes)
	cfg.JournalBytes = cmp.Or(cfg.JournalBytes, 8<<10)
	cfg.FlushInterval = cmp.Or(cfg.FlushInterval, time.Hour)
	f, err := format.CreateFlight(ringDir, format.CaptureInfo{Tool: "test", Payload: "snap"}, cfg)
	must(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// flightRows are what a capture of connections gives: a listener and its process, then connection after connection, each with a
// request and a response. Time is in ms, 10 for each connection; long lives from the first to the last.
type flightRows struct {
	now  format.KTime
	seqs map[format.SocketID]*[2]format.Seq
}

func newFlightRows() *flightRows { return &flightRows{seqs: map[format.SocketID]*[2]format.Seq{}} }

const (
	longSocket = format.SocketID(1)
	listenID   = format.SocketID(2)
	rowStep    = format.KTime(time.Millisecond)
)

func endpointOf(port uint16) format.Endpoint {
	return format.Endpoint{Addr: netip.MustParseAddr("10.0.0.1"), Port: port}
}

func (f *flightRows) begin() []format.Row {
	f.now += rowStep
	return []format.Row{
		&format.Process{Time: f.now, Op: format.ProcSnapshot, PID: 7, TID: 7, PPID: 1, Start: 70, Comm: "nginx", Exe: "/usr/sbin/nginx", Args: []string{"nginx"}, Target: true},
		&format.Process{Time: f.now, Op: format.ProcFork, PID: 8, TID: 8, PPID: 7, Start: 80, Comm: "nginx", Target: true},
		&format.Hook{Time: f.now, Name: "tp_btf/sys_exit", Purpose: "calls", Attached: true},
		&format.Clock{Time: f.now, Boottime: 5, Realtime: 1_800_000_000_000_000_000},
		&format.Ring{Time: f.now, CPU: 1, Captured: 100, Lost: 3},
		&format.Note{Time: f.now, Name: "target_late", Count: 1, Detail: "one"},
		&format.Socket{Time: f.now, Op: format.SockListen, PID: 7, TID: 7, FD: 3, Socket: listenID, Inode: 30, NetNS: 1, Family: 2, Protocol: 6, NewState: format.TCPListen, Local: endpointOf(80)},
		f.accept(longSocket, 4000),
	}
}

func (f *flightRows) accept(id format.SocketID, port uint16) format.Row {
	f.now += rowStep
	f.seqs[id] = &[2]format.Seq{1000, 5000}
	return &format.Socket{Time: f.now, Op: format.SockAccept, PID: 8, TID: 8, FD: 9, Ret: 9, Socket: id, Inode: format.Inode(id) * 10, NetNS: 1, Family: 2, Protocol: 6, Role: format.RoleServer,
		NewState: format.TCPEstablished, Local: endpointOf(80), Remote: endpointOf(port), SndSeq: 5000, RcvSeq: 1000, RcvNxt: 1000, SndUna: 5000}
}

func (f *flightRows) exchange(id format.SocketID) []format.Row {
	var rows []format.Row
	for d, text := range []string{"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"} {
		f.now += rowStep
		rows = append(rows, &format.IO{Time: f.now, Duration: 1000, PID: 8, TID: 8, FD: 9, Socket: id, Inode: format.Inode(id) * 10, Call: 1, Dir: format.Direction(d + 1), Family: 2,
			Flags: format.IOOffsetValid | format.IOMsgStart, Ret: int64(len(text)), Captured: uint32(len(text)), Seq: f.seqs[id][d], LPort: 80, RPort: 4000, Payload: []byte(text)})
		f.seqs[id][d] += format.Seq(len(text))
	}
	return rows
}

func (f *flightRows) end(id format.SocketID) format.Row {
	f.now += rowStep
	delete(f.seqs, id)
	return &format.Socket{Time: f.now, Op: format.SockState, Socket: id, Inode: format.Inode(id) * 10, NetNS: 1, Family: 2, Protocol: 6, OldState: format.TCPLastAck, NewState: format.TCPClose, FD: -1}
}

// run appends n connections, each with an exchange, and after each one on the long connection.
func (f *flightRows) run(t testing.TB, w *format.FlightRecorder, n int) {
	t.Helper()
	for i := range n {
		for _, row := range f.turn(i) {
			must(t, w.AppendRow(row))
		}
	}
}

func (f *flightRows) turn(i int) []format.Row {
	id := format.SocketID(100 + i%50)
	rows := []format.Row{f.accept(id, uint16(5000+i%1000))}
	rows = append(rows, f.exchange(id)...)
	rows = append(rows, f.end(id))
	return append(rows, f.exchange(longSocket)...)
}

// runOnTwo is run by a worker that changes its CPU after each connection, with rings that are emptied one after the other: what the
// first CPU saw in the time of a batch comes after all that the second saw.
func (f *flightRows) runOnTwo(t testing.TB, w *format.FlightRecorder, n, batch int) {
	t.Helper()
	for n > 0 {
		var rings [2][]format.Row
		for i := range min(n, batch) {
			rings[i%2] = append(rings[i%2], f.turn(i)...)
		}
		n -= min(n, batch)
		for _, row := range slices.Concat(rings[1], rings[0]) {
			must(t, w.AppendRow(row))
		}
	}
}

func (f *flightRows) start(t testing.TB, w *format.FlightRecorder) {
	for _, row := range f.begin() {
		must(t, w.AppendRow(row))
	}
}

// settled waits until nothing is to leave the ring any more.
func settled(t testing.TB, fsys *formattest.FS, w *format.FlightRecorder) {
	t.Helper()
	last := ""
	waitFor(t, "the ring to settle", func() bool {
		now := fmt.Sprint(fsys.Files())
		same := now == last && !strings.Contains(now, ".tmp")
		last = now
		time.Sleep(time.Millisecond) // poll
		return same
	})
}

func snapNow(t testing.TB, w *format.FlightRecorder, dir string, s format.Snap, to format.KTime) *format.Manifest {
	t.Helper()
	p, err := w.BeginSnap(dir, s)
	must(t, err)
	must(t, p.Finish(to))
	m, err := p.Seal(nil, nil)
	must(t, err)
	return m
}

// readReel reads the rows of a reel, which must be clean and whole.
func readReel(t testing.TB, fsys format.FS, dir string, clean bool) []format.Row {
	t.Helper()
	r, err := format.Open(dir, format.OpenOptions{FS: fsys, Filter: format.NoFilter{}})
	must(t, err)
	defer r.Close()
	if r.Manifest().Clean != clean {
		t.Errorf("%s: clean is %v", dir, r.Manifest().Clean)
	}
	var rows []format.Row
	for row, err := range r.Rows(format.RowsOptions{}) {
		must(t, err)
		rows = append(rows, copyRow(row))
	}
	for _, p := range r.Problems() {
		if p.Loss {
			t.Errorf("%s: %v", dir, p)
		}
	}
	return rows
}

func copyRow(row format.Row) format.Row {
	switch r := row.(type) {
	case *format.IO:
		c := *r
		c.Payload = slices.Clone(r.Payload)
		return &c
	case *format.Socket:
		c := *r
		return &c
	case *format.Process:
		c := *r
		return &c
	case *format.Note:
		c := *r
		return &c
	case *format.Ring:
		c := *r
		return &c
	case *format.Hook:
		c := *r
		return &c
	case *format.Clock:
		c := *r
		return &c
	}
	return row
}

// checkState demands that the state at the beginning of rows is that of the moment: the long connection with its addresses, role,
// owner and the places where its next bytes are, the listener, both processes, and no connection that had ended.
func checkState(t testing.TB, rows []format.Row, from format.KTime) {
	t.Helper()
	var long, listen *format.Socket
	procs := map[format.PID]*format.Process{}
	alive := map[format.SocketID]bool{}
	next := map[format.Direction]format.Seq{}
	kinds := map[format.TableID]int{}
	skipped := false // journals left the ring faster than they could be read, on a busy machine, and the reel says so
	for _, row := range rows {
		switch r := row.(type) {
		case *format.Note:
			skipped = skipped || r.Name == format.NoteCarrySkipped
		case *format.Socket:
			switch {
			case r.Op == format.SockSnapshot && r.Socket == longSocket && long == nil:
				long = r
			case r.Op == format.SockListen && listen == nil:
				listen = r
			case r.Op == format.SockSnapshot || r.Op == format.SockAccept:
				alive[r.Socket] = true
			case r.Op == format.SockState && !alive[r.Socket] && r.Time > from+20*rowStep:
				t.Errorf("socket %d ends at %v and is not known", r.Socket, r.Time)
			}
		case *format.Process:
			if procs[r.PID] == nil {
				procs[r.PID] = r
			}
		case *format.IO:
			if r.Socket == longSocket && next[r.Dir] == 0 && r.Time >= from {
				next[r.Dir] = r.Seq
			}
		}
		if row.At() <= from {
			kinds[row.Table()]++
		}
	}
	if long == nil || long.Time != from || long.Role != format.RoleServer || long.Local != endpointOf(80) || long.Remote != endpointOf(4000) ||
		long.PID != 8 || long.Inode != 10 || long.NetNS != 1 || long.NewState != format.TCPEstablished ||
		!skipped && (long.RcvSeq != next[format.Read] || long.SndSeq != next[format.Write]) {
		t.Errorf("the long connection is %+v, its next bytes are %v", long, next)
	}
	if listen == nil || listen.Local.Port != 80 || listen.PID != 7 {
		t.Errorf("the listener is %+v", listen)
	}
	if p := procs[8]; p == nil || p.Exe != "/usr/sbin/nginx" || p.PPID != 7 || p.Start != 80 || !p.Target || p.Op != format.ProcSnapshot {
		t.Errorf("the worker is %+v", p)
	}
	if p := procs[7]; p == nil || !slices.Equal(p.Args, []string{"nginx"}) {
		t.Errorf("the master is %+v", p)
	}
	for _, table := range []format.TableID{format.TableHook, format.TableClock, format.TableRing, format.TableNote} {
		if kinds[table] == 0 {
			t.Errorf("no row of %v is carried", table)
		}
	}
}

// io returns the times of the calls.
func ioTimes(rows []format.Row) (times []format.KTime) {
	for _, row := range rows {
		if _, ok := row.(*format.IO); ok {
			times = append(times, row.At())
		}
	}
	return times
}

// A ring that wrapped many times holds no more than its bound at any moment, and a snap of it what is in it, with the state from
// before.
func TestFlightWrapsAndSnaps(t *testing.T) {
	fsys := formattest.New()
	var most atomic.Int64
	fsys.WatchSize(ringDir, func(n int64) { most.Store(max(most.Load(), n)) })
	w := flight(t, fsys, format.FlightConfig{JournalBytes: 64 << 10})
	rows := newFlightRows()
	rows.start(t, w)
	rows.run(t, w, 30_000) // 40 MB
	settled(t, fsys, w)
	if n := most.Load(); n > format.MinFlightBytes || n < format.MinFlightBytes*3/4 {
		t.Errorf("the ring took up to %d bytes of %d", n, format.MinFlightBytes)
	}
	last := rows.now
	m := snapNow(t, w, snapDir, format.Snap{Reason: "test", Asked: last}, last)
	rows.run(t, w, 10)
	if s := m.Snap; s == nil || s.Reason != "test" || s.To != last || !m.Clean || m.UUID == s.Of || m.Recovered != nil {
		t.Errorf("the manifest of the snap is %+v, snap %+v", m, s)
	}
	got := readReel(t, fsys, snapDir, true)
	times := ioTimes(got)
	if len(times) < 1000 || times[len(times)-1] != last || times[0] < m.Snap.From {
		t.Fatalf("%d calls from %v to %v, window from %v to %v", len(times), times[0], times[len(times)-1], m.Snap.From, last)
	}
	for i, at := range times[1:] {
		if at-times[i] > 4*rowStep {
			t.Errorf("no call between %v and %v", times[i], at)
		}
	}
	checkState(t, got, m.Snap.From)
	for _, name := range fsys.Files() {
		if strings.HasPrefix(name, snapDir) && strings.Contains(name, "journal") {
			t.Errorf("%s is left", name)
		}
	}
	if again, err := format.Recover(snapDir, recoverOptions(fsys)); err != nil || !again.Nothing {
		t.Errorf("recovering a snap: %+v, %v", again, err)
	}
}

// A window is cut to the row, whatever journals it lies in, with the state of its first moment.
func TestFlightWindow(t *testing.T) {
	fsys := formattest.New()
	w := flight(t, fsys, format.FlightConfig{})
	rows := newFlightRows()
	rows.start(t, w)
	rows.run(t, w, 2000)
	for i, before := range []time.Duration{time.Second, 37 * time.Millisecond, 3 * time.Second} {
		asked := rows.now
		p, err := w.BeginSnap(fmt.Sprintf("snap%d.reel", i), format.Snap{Asked: asked, Before: before, After: 50 * time.Millisecond})
		must(t, err)
		rows.run(t, w, 300) // more journals, and rows behind the window
		to := asked + 50*rowStep
		must(t, p.Finish(to))
		m, err := p.Seal(nil, nil)
		must(t, err)
		from := asked - format.KTime(before)
		got := readReel(t, fsys, fmt.Sprintf("snap%d.reel", i), true)
		times := ioTimes(got)
		if m.Snap.From != from || m.Snap.To != to || times[0] < from || times[0] > from+3*rowStep || times[len(times)-1] > to || times[len(times)-1] < to-3*rowStep {
			t.Errorf("before %v: window %v to %v, calls from %v to %v", before, m.Snap.From, m.Snap.To, times[0], times[len(times)-1])
		}
		for _, row := range got {
			if _, clock := row.(*format.Clock); !clock && (row.At() < from || row.At() > to) {
				t.Errorf("a row of %v at %v is outside", row.Table(), row.At())
			}
		}
		checkState(t, got, from)
	}
}

// Rows that come out of order, since each CPU has a ring of its own, are in the state or in the window, and in one of them only: the
// long connection has no hole, however much of the ring a batch is, and where it is cut.
func TestFlightOfTwoCPUs(t *testing.T) {
	for _, batch := range []int{4, 400} {
		t.Run(strconv.Itoa(batch), func(t *testing.T) {
			fsys := formattest.New()
			w := flight(t, fsys, format.FlightConfig{})
			rows := newFlightRows()
			rows.start(t, w)
			rows.runOnTwo(t, w, 8000, batch) // the ring wraps
			for i, before := range []time.Duration{0, 500 * time.Millisecond, 2 * time.Second} {
				rows.runOnTwo(t, w, 1000+700*i, batch)
				settled(t, fsys, w)
				dir := fmt.Sprintf("snap%d.reel", i)
				m := snapNow(t, w, dir, format.Snap{Asked: rows.now, Before: before}, rows.now)
				got := readReel(t, fsys, dir, true)
				checkState(t, got, m.Snap.From)
				next := map[format.Direction]format.Seq{}
				n := 0
				for _, row := range got {
					if r, ok := row.(*format.IO); ok && r.Socket == longSocket {
						if want, ok := next[r.Dir]; ok && r.Seq != want {
							t.Fatalf("snap %d from %v: a hole of %d bytes at %v", i, m.Snap.From, r.Seq.Sub(want), r.Time)
						}
						next[r.Dir] = r.Seq + format.Seq(r.Ret)
						n++
					}
				}
				if n < 100 {
					t.Errorf("snap %d has %d calls of the long connection", i, n)
				}
			}
		})
	}
}

// Snaps may overlap, with a ring that drops under them what they hold.
func TestFlightSnapsOverlap(t *testing.T) {
	fsys := formattest.New()
	w := flight(t, fsys, format.FlightConfig{JournalBytes: 512 << 10})
	rows := newFlightRows()
	rows.start(t, w)
	rows.run(t, w, 500)
	var pending []*format.PendingSnap
	for i := range 4 {
		p, err := w.BeginSnap(fmt.Sprintf("snap%d.reel", i), format.Snap{Asked: rows.now})
		must(t, err)
		pending = append(pending, p)
		rows.run(t, w, 300)
	}
	rows.run(t, w, 7000) // all of it leaves the ring
	for _, i := range []int{2, 0, 3, 1} {
		must(t, pending[i].Finish(rows.now))
	}
	done := make(chan error)
	for _, p := range pending {
		go func() {
			_, err := p.Seal(nil, nil)
			done <- err
		}()
	}
	for range pending {
		must(t, <-done)
	}
	first := 0
	for i := range 4 {
		times := ioTimes(readReel(t, fsys, fmt.Sprintf("snap%d.reel", i), true))
		if i == 0 {
			first = len(times)
		}
		if len(times) != first || times[0] > 20*rowStep { // the ring had not wrapped when they began
			t.Errorf("snap %d: %d calls from %v, the first snap has %d", i, len(times), times[0], first)
		}
	}
}

// A recorder that is killed, or a machine that goes down, at any operation leaves a ring that recovers to a clean reel with the state
// and all rows that had been written, and a snap that recovers too.
func TestFlightKilledAtEveryOperation(t *testing.T) {
	fsys := formattest.New()
	type moment struct {
		op      string
		fs      *formattest.FS
		written format.KTime
		killed  bool
	}
	var moments []moment
	var written atomic.Int64
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	w := flight(t, fsys, format.FlightConfig{JournalBytes: 512 << 10})
	rows := newFlightRows()
	rows.start(t, w)
	rows.run(t, w, 8000)
	settled(t, fsys, w)
	fsys.Watch(func(op string, crashed, killed *formattest.FS) {
		if len(moments) > 10 && (len(moments) > 60 || random.IntN(6) > 0) { // each costs the recovery of a ring
			return
		}
		moments = append(moments, moment{op, killed, format.KTime(written.Load()), true}, moment{op, crashed, 0, false})
	})
	p, err := w.BeginSnap(snapDir, format.Snap{Asked: rows.now, Before: time.Second})
	must(t, err)
	rows.run(t, w, 600)
	must(t, w.Flush())
	written.Store(int64(rows.now))
	must(t, p.Finish(rows.now))
	_, err = p.Seal(nil, nil)
	must(t, err)
	settled(t, fsys, w)
	fsys.Watch(nil)
	if len(moments) < 30 {
		t.Fatalf("only %d moments", len(moments))
	}
	for _, m := range moments {
		got, err := format.Recover(ringDir, recoverOptions(m.fs))
		if err != nil {
			t.Fatalf("%s: %v", m.op, err)
		}
		left := readReel(t, m.fs, ringDir, true)
		times := ioTimes(left)
		if m.killed && (len(times) == 0 || times[len(times)-1] < m.written) || got.CutBytes > 0 && got.CutBytes != got.TornBytes {
			t.Fatalf("after %s (killed %v): %d calls, up to %v were written; cuts %+v", m.op, m.killed, len(times), m.written, got.Cuts)
		}
		var state format.KTime
		for _, row := range left {
			if n, ok := row.(*format.Note); ok && n.Name == format.NoteCarried {
				state = n.Time
			}
		}
		if m.killed { // a crash may bring journals back that had left the ring
			checkState(t, left, state)
		}
		if t.Failed() {
			t.Fatalf("after %s (killed %v)", m.op, m.killed)
		}
		if _, err := format.Open(snapDir, format.OpenOptions{FS: m.fs}); err != nil {
			continue // not begun yet
		}
		if _, err := format.Recover(snapDir, recoverOptions(m.fs)); err != nil {
			t.Fatalf("the snap after %s: %v", m.op, err)
		}
		readReel(t, m.fs, snapDir, true)
	}
}

// Faults of the disk end the recorder, or the snap, with a typed error; what is in the ring stays whole.
func TestFlightFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault formattest.Fault
		snap  bool // it is the snap that fails
	}{
		{"a short write", formattest.Fault{Op: formattest.OpWrite, Match: ringDir + "/journal-", Short: 100}, false},
		{"a full disk", formattest.Fault{Op: formattest.OpWrite, Match: ringDir + "/journal-", Err: syscall.ENOSPC}, false},
		{"EIO of a journal", formattest.Fault{Op: formattest.OpWrite, Match: ringDir + "/journal-", Err: syscall.EIO}, false},
		{"fsync of a journal", formattest.Fault{Op: formattest.OpSync, Match: ringDir + "/journal-", Err: syscall.EIO}, false},
		{"creating a journal", formattest.Fault{Op: formattest.OpCreate, Match: ringDir + "/journal-", Err: syscall.EACCES}, false},
		{"reading a journal", formattest.Fault{Op: formattest.OpRead, Match: ringDir + "/journal-", Err: syscall.EIO}, false},
		{"renaming the state", formattest.Fault{Op: formattest.OpRename, Match: ringDir + "/journal-000001", Err: syscall.EIO}, false},
		{"removing a journal", formattest.Fault{Op: formattest.OpRemove, Match: ringDir + "/journal-0000", Err: syscall.EIO}, false},
		{"syncing the directory", formattest.Fault{Op: formattest.OpSyncDir, Match: ringDir, Err: syscall.EIO}, false},
		{"linking", formattest.Fault{Op: formattest.OpLink, Err: syscall.EIO}, true},
		{"sealing on a full disk", formattest.Fault{Op: formattest.OpWrite, Match: snapDir, Err: syscall.ENOSPC}, true},
		{"renaming a segment", formattest.Fault{Op: formattest.OpRename, Match: snapDir + "/segment", Err: syscall.EIO}, true},
		{"renaming the manifest", formattest.Fault{Op: formattest.OpRename, Match: snapDir + "/manifest", Err: syscall.EIO, Skip: 1}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fsys := formattest.New()
			w := flight(t, fsys, format.FlightConfig{JournalBytes: 64 << 10})
			rows := newFlightRows()
			rows.start(t, w)
			rows.run(t, w, 2000)
			settled(t, fsys, w)
			fsys.Inject(tt.fault)
			var failed error
			for i := 0; i < 20_000 && failed == nil && !tt.snap; i++ {
				rows.now += rowStep
				failed = w.AppendRow(&format.Note{Time: rows.now, Name: "test", Count: 1, Detail: strings.Repeat("x", 400)})
			}
			p, err := w.BeginSnap(snapDir, format.Snap{Asked: rows.now})
			if err == nil {
				if err = p.Finish(rows.now); err != nil {
					must(t, p.Abandon())
				} else {
					_, err = p.Seal(nil, nil)
				}
			}
			if tt.snap && (err == nil || w.Stats().Err != nil) {
				t.Errorf("the snap says %v, the recorder %v", err, w.Stats().Err)
			}
			if !tt.snap && failed == nil {
				t.Error("the recorder does not notice")
			}
			if errors.Is(tt.fault.Err, syscall.ENOSPC) && !errors.As(cmp.Or(failed, err), new(*format.DiskFullError)) {
				t.Errorf("a full disk is %v, %v", failed, err)
			}
			if !tt.snap {
				_ = w.Close()
			}
			fsys.Heal()
			if tt.snap {
				rows.run(t, w, 10) // it goes on
				must(t, w.Close())
			}
			_, err = format.Recover(ringDir, recoverOptions(fsys))
			must(t, err)
			if times := ioTimes(readReel(t, fsys, ringDir, true)); len(times) < 1000 {
				t.Errorf("%d calls", len(times))
			}
			if _, err := format.Open(snapDir, format.OpenOptions{FS: fsys}); err == nil {
				_, err := format.Recover(snapDir, recoverOptions(fsys))
				must(t, err)
				readReel(t, fsys, snapDir, true)
			}
		})
	}
}

// On a file system whose files have one name only, journals are copied.
func TestFlightCopies(t *testing.T) {
	fsys := formattest.New()
	w := flight(t, fsys, format.FlightConfig{})
	rows := newFlightRows()
	rows.start(t, w)
	rows.run(t, w, 500)
	fsys.Inject(formattest.Fault{Op: formattest.OpLink, Err: errors.ErrUnsupported})
	snapNow(t, w, snapDir, format.Snap{Asked: rows.now}, rows.now)
	fsys.Heal()
	snapNow(t, w, "other.reel", format.Snap{Asked: rows.now}, rows.now)
	if a, b := readReel(t, fsys, snapDir, true), readReel(t, fsys, "other.reel", true); !reflect.DeepEqual(a, b) {
		t.Errorf("%d rows of copies, %d of links", len(a), len(b))
	}
}

// Time bounds a ring too: what is older leaves, though there is room.
func TestFlightTime(t *testing.T) {
	fsys := formattest.New()
	w := flight(t, fsys, format.FlightConfig{Time: time.Second, FlushInterval: 10 * time.Millisecond})
	rows := newFlightRows()
	rows.start(t, w)
	rows.run(t, w, 1000)
	var m *format.Manifest
	i := 0
	waitFor(t, "old rows to leave", func() bool {
		m = snapNow(t, w, fmt.Sprintf("snap%d.reel", i), format.Snap{Asked: rows.now}, rows.now)
		i++
		return rows.now.Sub(m.Snap.From) < 1300*time.Millisecond
	})
	if age := rows.now.Sub(m.Snap.From); age < time.Second {
		t.Errorf("the ring reaches back %v, less than a second", age)
	}
}

// A snap that was asked to reach further back than the ring does begins with the ring.
func TestFlightYoung(t *testing.T) {
	fsys := formattest.New()
	w := flight(t, fsys, format.FlightConfig{})
	rows := newFlightRows()
	rows.start(t, w)
	rows.run(t, w, 5)
	m := snapNow(t, w, snapDir, format.Snap{Asked: rows.now, Before: time.Hour}, rows.now)
	if m.Snap.From != rowStep {
		t.Errorf("it begins at %v", m.Snap.From)
	}
	if _, err := w.BeginSnap(snapDir, format.Snap{Asked: rows.now}); !errors.As(err, new(*format.ExistsError)) {
		t.Errorf("a second snap of the same name: %v", err)
	}
	must(t, w.Close())
	must(t, w.Close())
	r, err := format.Open(ringDir, format.OpenOptions{FS: fsys, Filter: format.NoFilter{}})
	must(t, err)
	defer r.Close()
	if f := r.Manifest().Flight; f == nil || !f.Ended || f.Bytes != format.MinFlightBytes {
		t.Errorf("the manifest of the ring says %+v", f)
	}
}
