package conn

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/analyze/process"
	"github.com/ebpf-reel/reel/format"
)

// Limits bound a Table. Zero fields take the defaults. Times are of the recording.
type Limits struct {
	Conns     int           // open connections (192 Ki)
	Hold      time.Duration // how long a connection waits for a call that may be late (200 ms)
	HoldRows  int           // of one connection (1,024)
	HoldBytes int           // of all connections (64 MiB)
	Closing   time.Duration // how long a socket in state CLOSE may still be read, until its close is seen (10 s)
	Linger    time.Duration // how long a finished connection is kept for its other end and for late rows (1 s)
	Lingering int           // finished connections kept (32 Ki)
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Conns:     cmp.Or(max(l.Conns, 0), 192<<10),
		Hold:      cmp.Or(max(l.Hold, 0), 200*time.Millisecond),
		HoldRows:  cmp.Or(max(l.HoldRows, 0), 1024),
		HoldBytes: cmp.Or(max(l.HoldBytes, 0), 64<<20),
		Closing:   cmp.Or(max(l.Closing, 0), 10*time.Second),
		Linger:    cmp.Or(max(l.Linger, 0), time.Second),
		Lingering: cmp.Or(max(l.Lingering, 0), 32<<10),
	}
}

// Table holds the connections that are open at the time of the row at hand. Rows must come in causal order.
type Table struct {
	limits  Limits
	handler Handler
	plain   PlaintextHandler // nil: plaintext is of no interest
	ledger  *ledger.Tally
	procs   *process.Table

	now      format.KTime
	lastID   facts.ConnID
	open     int // not finished
	measured int // have metrics

	live      map[format.SocketID]*Conn // the newest of each socket id, finished or not
	tuples    map[uint64]*Conn          // chains by hash of both endpoints
	started   map[uint64]*Conn          // by first sequence numbers
	listeners map[listener]*process.Image

	holds     fifo[due] // connections that wait for a call
	closing   fifo[due]
	lingering fifo[due]
	byAge     fifo[*Conn] // for eviction: second chance for who was active
	heldBytes int
	free      []*heldRow

	chunk Chunk
	err   error
}

// due is a connection and the time at which something is to be done about it.
type due struct {
	c  *Conn
	at format.KTime
}

// NewTable returns an empty Table.
func NewTable(l Limits, h Handler, procs *process.Table, tally *ledger.Tally) *Table {
	return &Table{
		limits: l.withDefaults(), handler: h, ledger: tally, procs: procs, now: math.MinInt64,
		live:      make(map[format.SocketID]*Conn),
		tuples:    make(map[uint64]*Conn),
		started:   make(map[uint64]*Conn),
		listeners: make(map[listener]*process.Image),
	}
}

// Overhear gives what TLS libraries were seen to move to h, which takes the streams of the same connections.
func (t *Table) Overhear(h PlaintextHandler) { t.plain = h }

// Row takes the next row; at is its causal time. The error is the handler's.
func (t *Table) Row(at format.KTime, row format.Row) error {
	if at > t.now {
		t.now = at
		t.expire()
	}
	switch r := row.(type) {
	case *format.IO:
		t.io(r)
	case *format.Socket:
		t.socket(r)
	case *format.TCP:
		t.tcp(r)
	case *format.TLS:
		t.plaintext(r)
	}
	return t.err
}

// Flush ends what is open: the reel ends here.
func (t *Table) Flush() error {
	var rest []*Conn
	for _, c := range t.live {
		if !c.has(flagFinished) {
			rest = append(rest, c)
		}
	}
	slices.SortFunc(rest, byID)
	for _, c := range rest {
		t.finish(c)
	}
	for t.lingering.len() > 0 {
		t.gone(t.lingering.pop().c)
	}
	return t.err
}

func byID(a, b *Conn) int { return cmp.Compare(a.ID, b.ID) }

// expire does what is due by now.
func (t *Table) expire() {
	for t.holds.len() > 0 && t.holds.head().at <= t.now {
		d := t.holds.pop()
		t.giveUp(d.c, d.at)
	}
	for t.closing.len() > 0 && t.closing.head().at <= t.now {
		c := t.closing.pop().c
		c.flags &^= flagClosing
		if idle := later(c.End, t.limits.Closing); idle > t.now && !c.has(flagFinished) {
			t.closeLater(c, idle)
			continue
		}
		t.finish(c)
	}
	for t.lingering.len() > 0 && (t.lingering.head().at <= t.now || t.lingering.len() > t.limits.Lingering) {
		c := t.lingering.pop().c
		if c.dying() && t.lingering.len() < t.limits.Lingering && t.now < later(c.End, t.limits.Closing) {
			t.lingering.push(due{c, later(t.now, t.limits.Linger)}) // its last state tells how long it took to close
			continue
		}
		t.gone(c)
	}
}

// later returns t+d, at most the greatest time.
func later(t format.KTime, d time.Duration) format.KTime {
	if t > math.MaxInt64-format.KTime(d) {
		return math.MaxInt64
	}
	return t + format.KTime(d)
}

// create adds the connection of a socket, which begins at a time.
func (t *Table) create(id format.SocketID, inode format.Inode, at format.KTime) *Conn {
	c := t.add(id, inode, at)
	t.live[id] = c
	return c
}

// add makes a connection, and room for it.
func (t *Table) add(id format.SocketID, inode format.Inode, at format.KTime) *Conn {
	if t.open >= t.limits.Conns {
		t.evict()
	}
	t.lastID++
	c := &Conn{ID: t.lastID, Socket: id, Inode: inode, Start: at, End: at, Connect: -1, CloseCall: -1}
	t.open++
	if t.byAge.len() > 2*t.open+1024 {
		t.byAge.keep(func(c *Conn) bool { return !c.has(flagFinished) })
	}
	t.byAge.push(c)
	return c
}

// evict ends the connection that was idle for longest, roughly: the oldest that did nothing since it was last passed over.
func (t *Table) evict() {
	for t.byAge.len() > 0 {
		c := t.byAge.pop()
		if c.has(flagFinished) {
			continue
		}
		if c.calls != c.activity {
			c.activity = c.calls
			t.byAge.push(c)
			continue
		}
		t.ledger.Add(ledger.ConnEvicted, 1, c.where(t.now))
		t.finish(c)
		return
	}
}

// closeLater finishes c at a time unless it is used before.
func (t *Table) closeLater(c *Conn, at format.KTime) {
	if !c.has(flagClosing) && !c.has(flagFinished) {
		c.set(flagClosing)
		t.closing.push(due{c, at})
	}
}

// finish ends both streams of c.
func (t *Table) finish(c *Conn) {
	if c.has(flagFinished) {
		return
	}
	t.giveUp(c, math.MaxInt64)
	t.dismiss(c)
	for _, d := range [...]Dir{In, Out} {
		t.tail(c, d)
	}
	for _, d := range [...]Dir{In, Out} {
		t.end(c, d, c.ending(d))
	}
	t.infer(c)
	t.guess(c)
	c.set(flagFinished)
	t.open--
	t.handler.Closed(c)
	t.lingering.push(due{c, later(t.now, t.limits.Linger)})
}

// tail counts as lost what lies between the last call of a direction and the end that a socket row shows.
func (t *Table) tail(c *Conn, d Dir) {
	s := &c.dirs[d]
	if n := s.ahead(s.last); s.known && s.lastKnown && !s.ended && !s.unplaced && n > 0 && n < maxJump {
		t.lose(c, d, n, c.End, ledger.StreamTailLost)
	}
}

// ending says how a direction that has not ended itself ends with its connection.
func (c *Conn) ending(d Dir) Ending {
	switch {
	case !c.SawEnd:
		return Open
	case d == Out && c.has(flagFinSent), d == In && c.has(flagFinReceived):
		return FIN
	case c.has(flagReset):
		return Reset
	case d == Out:
		return FIN // closed by the process, by a call or by its exit
	}
	return Closed
}

func (t *Table) end(c *Conn, d Dir, how Ending) {
	s := &c.dirs[d]
	if s.ended {
		return
	}
	s.ended = true
	ch := &t.chunk
	*ch = Chunk{Start: c.End, End: c.End, Call: c.nextCall(), Seq: s.seq, SeqValid: s.known}
	t.handler.End(c, d, how, ch)
}

// gone hands c over and forgets it.
func (t *Table) gone(c *Conn) {
	if !c.has(flagSocketRow) {
		t.ledger.Add(ledger.SocketUnnamed, 1, c.where(c.Start))
	}
	if c.Image != nil && !c.Image.Known {
		t.ledger.Add(ledger.ProcessUnknown, 1, c.where(c.Start))
	}
	if err := t.handler.Gone(c); err != nil && t.err == nil {
		t.err = err
	}
	if c.Metrics != nil {
		t.measured--
	}
	t.unindex(c)
	t.forgetStart(c)
	if c.peer != nil {
		c.peer.peer = nil
		c.peer = nil
	}
	if t.live[c.Socket] == c {
		delete(t.live, c.Socket)
	}
	c.State = nil
}

func (c *Conn) where(at format.KTime) ledger.Where {
	return ledger.Where{At: at, Conn: c.ID, PID: c.PID}
}
