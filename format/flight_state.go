package format

import (
	"encoding/binary"
	"maps"
	"math"
	"unsafe"

	"github.com/ebpf-reel/reel/format/wire"
)

// liveState is what was there at a moment: the sockets that were open, with their role, addresses, owner and place in both
// streams; the processes that ran; the last word on hooks, rings, clocks and notes. A flight recorder keeps it for the moment at
// which its ring begins, by folding each journal into it that leaves the ring. Its memory is bounded by what lives, and by limit.
type liveState struct {
	limit   int // sockets, and processes
	sockets map[SocketID]*liveSocket
	procs   map[PID]*Process
	clock   *Clock
	beat    *Heartbeat
	rings   map[uint16]Ring
	hooks   map[string]Hook
	notes   map[string]Note
	rules   map[string]Trigger // that are in force
	boxes   map[string]Container

	// Sockets that ended in the journal at hand and in the one before: the last io of one may come late, from another CPU.
	dead, deadBefore map[SocketID]KTime

	decoder *journalRows // of rows, without their journal

	evicted uint64 // sockets and processes beyond limit
	skipped uint64 // bytes of journals that were dropped unread
}

// liveSocket is one socket. row holds what its last rows said of it.
type liveSocket struct {
	row   Socket
	named bool // a socket row was seen: row has addresses
	next  [2]liveStream
}

// liveStream is one direction: reads, then writes.
type liveStream struct {
	seq   Seq // of the byte behind the last one moved
	known bool
}

func newLiveState(limit int) *liveState {
	return &liveState{
		limit: limit, sockets: map[SocketID]*liveSocket{}, procs: map[PID]*Process{}, rings: map[uint16]Ring{}, hooks: map[string]Hook{}, notes: map[string]Note{}, rules: map[string]Trigger{}, boxes: map[string]Container{},
		dead: map[SocketID]KTime{}, deadBefore: map[SocketID]KTime{}, decoder: new(journalRows),
	}
}

func (s *liveState) clone() *liveState {
	c := *s
	c.sockets = make(map[SocketID]*liveSocket, len(s.sockets))
	for id, sock := range s.sockets {
		copied := *sock
		c.sockets[id] = &copied
	}
	c.procs = make(map[PID]*Process, len(s.procs))
	for pid, p := range s.procs {
		copied := *p
		c.procs[pid] = &copied
	}
	c.rings, c.hooks, c.notes = maps.Clone(s.rings), maps.Clone(s.hooks), maps.Clone(s.notes)
	c.rules, c.boxes = maps.Clone(s.rules), maps.Clone(s.boxes)
	c.dead, c.deadBefore = maps.Clone(s.dead), maps.Clone(s.deadBefore)
	c.decoder = new(journalRows)
	return &c
}

// Where fields of a call lie that folding looks at.
const (
	ioSockOffset  = unsafe.Offsetof(wire.IOEvent{}.Sock)
	ioRetOffset   = unsafe.Offsetof(wire.IOEvent{}.Ret)
	ioSeqOffset   = unsafe.Offsetof(wire.IOEvent{}.Seq)
	ioFDOffset    = unsafe.Offsetof(wire.IOEvent{}.FD)
	ioFlagsOffset = unsafe.Offsetof(wire.IOEvent{}.Flags)
	ioDirOffset   = unsafe.Offsetof(wire.IOEvent{}.Dir)
	ioLeast       = ioDirOffset + 1
)

// age makes room for the ends of another journal's sockets.
func (s *liveState) age() {
	s.dead, s.deadBefore = s.deadBefore, s.dead
	clear(s.dead)
}

// foldJournal takes the rows in the first size bytes of a journal whose time is before a bound, and which are not taken already. What it
// holds was written by this process, so frames are not checksummed again; a length that is none ends the journal.
func (s *liveState) foldJournal(file ReadFile, size int64, done mark, before KTime) error {
	win := window{file: file, size: size, step: windowBytes}
	var d Decoded
	for off := int64(journalHeaderSize); size-off >= frameHeaderSize; {
		h, err := win.at(off, frameHeaderSize)
		if err != nil {
			return err
		}
		kind := frameKind(binary.LittleEndian.Uint16(h[8:]))
		n, ok := frameLength(h)
		if !ok || int64(n) > size-off {
			s.skipped += uint64(size - off)
			return nil
		}
		frame, err := win.at(off, n)
		if err != nil {
			return err
		}
		from := KTime(0)
		if off < done.bytes {
			from = done.before
		}
		off += int64(n)
		s.frame(kind, frame[frameHeaderSize:], from, before, &d)
	}
	return nil
}

func (s *liveState) frame(kind frameKind, body []byte, from, before KTime, d *Decoded) {
	if kind == frameRow {
		if _, t, _, err := rowHead(body); err == nil && t >= from && t < before {
			if row, _, err := s.decoder.decode(entry{kind: frameRow, table: TableID(body[0])}, body, 0); err == nil && row != nil {
				s.take(row)
			}
		}
		return
	}
	h, err := readEventHead(body)
	if err != nil || h.time < from || h.time >= before {
		return
	}
	switch h.kind {
	case EventIO:
		if len(body) >= int(ioLeast) {
			s.io(readMoved(h, body), body)
		}
	case EventSock, EventUnix:
		if DecodeEvent(body, d) == nil {
			s.socket(&d.Socket)
		}
	case EventProc:
		if DecodeEvent(body, d) == nil {
			s.process(&d.Process)
		}
	}
}

// take folds a row that was made in user space.
func (s *liveState) take(row Row) {
	switch r := row.(type) {
	case *IO:
		s.io(moved{r.Time, r.Socket, r.PID, r.TID, r.FD, r.Flags, r.Dir, r.Ret, r.Seq}, nil)
	case *Socket:
		s.socket(r)
	case *Process:
		s.process(r)
	case *Clock:
		if s.clock == nil || r.Time >= s.clock.Time {
			clock := *r
			s.clock = &clock
		}
	case *Heartbeat:
		if s.beat == nil || r.Time >= s.beat.Time {
			beat := *r
			s.beat = &beat
		}
	case *Ring:
		if last, ok := s.rings[r.CPU]; !ok || r.Time >= last.Time {
			s.rings[r.CPU] = *r
		}
	case *Hook:
		if len(s.hooks) < maxNames || s.hooks[r.Name].Name != "" {
			s.hooks[r.Name] = *r
		}
	case *Trigger:
		if r.Op == TriggerArmed && (len(s.rules) < maxNames || s.rules[r.Name].Name != "") {
			s.rules[r.Name] = *r
		}
	case *Container:
		key := r.ID + "/" + r.PodUID
		if _, known := s.boxes[key]; known || len(s.boxes) < s.limit {
			s.boxes[key] = *r
		}
	case *Note:
		if len(s.notes) < maxNames || s.notes[r.Name].Name != "" {
			last := s.notes[r.Name]
			r.Count += last.Count
			s.notes[r.Name] = *r
		}
	}
}

// maxNames bounds hooks, rules and notes, which are few.
const maxNames = 1024

// moved is what folding needs of a call.
type moved struct {
	at    KTime
	id    SocketID
	pid   PID
	tid   TID
	fd    FD
	flags IOFlags
	dir   Direction
	ret   int64
	seq   Seq
}

func readMoved(h eventHead, body []byte) moved {
	return moved{
		at: h.time, tid: h.tid,
		id:    SocketID(binary.LittleEndian.Uint64(body[ioSockOffset:])),
		pid:   PID(binary.LittleEndian.Uint32(body[pidOffset:])),
		fd:    FD(int32(binary.LittleEndian.Uint32(body[ioFDOffset:]))),
		flags: IOFlags(binary.LittleEndian.Uint16(body[ioFlagsOffset:])),
		dir:   Direction(body[ioDirOffset]),
		ret:   int64(binary.LittleEndian.Uint64(body[ioRetOffset:])),
		seq:   Seq(binary.LittleEndian.Uint32(body[ioSeqOffset:])),
	}
}

// io moves a socket's place in one stream. ev is the record, of which a socket that was not known yet needs more; nil: none.
func (s *liveState) io(m moved, ev []byte) {
	sock := s.sockets[m.id]
	if sock == nil {
		if s.late(m.id, m.at) {
			return
		}
		// Its addresses come with a socket row, or never.
		sock = s.add(m.id)
		sock.row = Socket{Socket: m.id, FD: -1}
		var d Decoded
		if ev != nil && DecodeEvent(ev, &d) == nil {
			sock.row.Inode = d.IO.Inode
		}
	}
	r := &sock.row
	r.Time = max(r.Time, m.at)
	if r.PID == 0 {
		r.PID, r.TID, r.FD = m.pid, m.tid, m.fd
	}
	if m.flags&IOOffsetValid == 0 || m.flags&IOPeek != 0 || m.ret < 0 || m.ret > math.MaxInt32 || m.dir != Read && m.dir != Write {
		return
	}
	seq := m.seq + Seq(m.ret)
	if st := &sock.next[m.dir-Read]; !st.known || seq.Sub(st.seq) > 0 {
		*st = liveStream{seq: seq, known: true}
	}
}

// late reports whether a socket has ended at or after a time.
func (s *liveState) late(id SocketID, at KTime) bool {
	end, ok := s.dead[id]
	if !ok {
		end, ok = s.deadBefore[id]
	}
	return ok && at <= end
}

// add makes an entry, at the cost of one that was idle for longer where there are too many.
func (s *liveState) add(id SocketID) *liveSocket {
	if len(s.sockets) >= s.limit {
		const tries = 16
		var victim SocketID
		oldest, n := KTime(math.MaxInt64), 0
		for other, sock := range s.sockets {
			if sock.row.Op != SockListen && sock.row.Time < oldest {
				victim, oldest = other, sock.row.Time
			}
			if n++; n == tries {
				break
			}
		}
		delete(s.sockets, victim)
		s.evicted++
	}
	sock := new(liveSocket)
	s.sockets[id] = sock
	return sock
}

// socket takes one event of a socket's life.
func (s *liveState) socket(r *Socket) {
	if ended(r) {
		if old := s.sockets[r.Socket]; old == nil || r.Inode == 0 || old.row.Inode == 0 || old.row.Inode == r.Inode {
			delete(s.sockets, r.Socket)
			s.dead[r.Socket] = r.Time
		}
		return
	}
	if r.Ret < 0 && (r.Op == SockAccept || r.Op == SockConnect && r.NewState == 0) {
		return // no connection came of it
	}
	sock := s.sockets[r.Socket]
	switch {
	case sock == nil && (s.late(r.Socket, r.Time) || r.Op == SockClose || r.Op == SockShutdown):
		return
	case sock == nil, sock.row.Inode != 0 && r.Inode != 0 && sock.row.Inode != r.Inode: // another one by now
		if sock == nil {
			sock = s.add(r.Socket)
		} else {
			*sock = liveSocket{}
		}
	}
	sock.merge(r)
}

// ended reports whether a row is the end of its socket.
func ended(r *Socket) bool {
	switch r.Op {
	case SockState:
		return r.NewState == TCPClose || r.OldState == TCPListen
	case SockClose:
		return r.NewState == TCPClose || r.NewState == TCPListen || r.Protocol != protocolTCP
	}
	return false
}

const protocolTCP = 6

// merge takes what a row says that lives on.
func (l *liveSocket) merge(r *Socket) {
	old := l.row
	l.named = true
	l.row = *r
	n := &l.row
	n.Time, n.Op = max(old.Time, r.Time), old.Op
	switch {
	case r.Op == SockListen, r.NewState == TCPListen:
		n.Op = SockListen
	case old.Op != SockListen:
		n.Op = SockSnapshot
	}
	if r.Op == SockState { // the task that happened to be current is no owner
		n.PID, n.TID, n.FD = 0, 0, -1
	}
	if r.Op == SockShutdown { // NewState says how
		n.NewState = old.NewState
	}
	if old.PID != 0 { // the first that used it
		n.PID, n.TID, n.FD = old.PID, old.TID, old.FD
	}
	n.Duration, n.Ret, n.OldState = -1, 0, 0
	if n.Role == RoleUnknown {
		n.Role = old.Role
	}
	if n.Inode == 0 {
		n.Inode = old.Inode
	}
	if !n.Local.IsValid() {
		n.Local = old.Local
	}
	if !n.Remote.IsValid() {
		n.Remote = old.Remote
	}
	if n.NewState == 0 {
		n.NewState = old.NewState
	}
	if n.SRTT == 0 {
		n.SRTT, n.RTTVar = old.SRTT, old.RTTVar
	}
	// Later rows may count a FIN as a byte: only an established connection's numbers are those of its bytes.
	if r.NewState == TCPEstablished && (r.Op != SockConnect || r.Ret == 0) && (r.SndSeq != 0 || r.RcvSeq != 0) {
		for d, seq := range [2]Seq{r.RcvSeq, r.SndSeq} {
			if st := &l.next[d]; !st.known || seq.Sub(st.seq) > 0 {
				*st = liveStream{seq: seq, known: true}
			}
		}
	}
}

// process takes one event of a process's life.
func (s *liveState) process(r *Process) {
	old := s.procs[r.PID]
	if r.Op == ProcExit {
		delete(s.procs, r.PID)
		return
	}
	if old == nil && len(s.procs) >= s.limit {
		s.evicted++
		return
	}
	row := *r
	if r.Op == ProcFork {
		if parent := s.procs[r.PPID]; parent != nil { // the child runs its parent's program until it execs
			row = *parent
			row.PID, row.TID, row.PPID, row.Start, row.Time = r.PID, r.TID, r.PPID, r.Start, r.Time
		}
	} else if old != nil && r.Op == ProcSnapshot && old.Start == r.Start {
		// Found again, or described a moment after its exec: what one row lacks, the other has.
		if row.Exe == "" && row.Comm == old.Comm {
			row.Exe, row.Cgroup = old.Exe, old.Cgroup
		}
		if len(row.Args) == 0 {
			row.Args, row.ArgsCut = old.Args, old.ArgsCut
		}
		row.Target = row.Target || old.Target
	}
	row.Op = ProcSnapshot
	s.procs[r.PID] = &row
}
