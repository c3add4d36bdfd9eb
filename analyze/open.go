package analyze

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"math"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/analyze/order"
	"github.com/ebpf-reel/reel/analyze/tls"
	"github.com/ebpf-reel/reel/format"
)

// Opener implements format.Opener: what the keys of a reel open becomes rows of plaintext, as if its calls had been recorded.
type Opener struct{}

// Open reads src once for its keys and once for its streams. Nothing is masked: put does it.
func (Opener) Open(src *format.Reel, put func(*format.TLS) error) (format.Opened, error) {
	ctx, tally := context.Background(), ledger.NewTally()
	ground, err := survey(ctx, src, Config{}, tally)
	if err != nil {
		return nil, err
	}
	o := &opening{put: put, opened: opened{}, said: map[*conn.Conn]*said{}}
	table := conn.NewTable(conn.Limits{}, tls.New(tls.Config{Keys: ground.keys, KeepSecrets: true}, tally, o), ground.processes, tally)
	window := order.New(order.Limits{}, func(at format.KTime, row format.Row) error {
		o.release(at)
		return table.Row(at, row)
	})
	for row, err := range src.Rows(format.RowsOptions{Tables: []format.TableID{format.TableSocket, format.TableIO}}) {
		if err != nil {
			continue // told whenever the reel is read
		}
		if err := window.Push(row); err != nil {
			return nil, err
		}
		if o.err != nil {
			return nil, o.err
		}
	}
	if err := window.Flush(); err != nil {
		return nil, err
	}
	if err := table.Flush(); err != nil {
		return nil, err
	}
	o.release(math.MaxInt64)
	return o.opened, o.err
}

// opening makes rows of the plaintext that the stage gives out.
type opening struct {
	put      func(*format.TLS) error
	opened   opened
	said     map[*conn.Conn]*said
	waiting  rowHeap
	rows     uint64
	sessions uint64
	err      error
}

// release puts the rows whose calls returned before at. The streams come in causal order, in which a write counts from its entry,
// so that a row may come before others whose calls returned earlier.
func (o *opening) release(at format.KTime) {
	for len(o.waiting) > 0 && o.waiting[0].row.Time < at && o.err == nil {
		o.err = o.put(&heap.Pop(&o.waiting).(*waitingRow).row)
	}
}

// waitingRow is a row that others may come before.
type waitingRow struct {
	row format.TLS
	n   uint64 // in the order in which they came
}

type rowHeap []*waitingRow

func (h rowHeap) Len() int { return len(h) }
func (h rowHeap) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[i].row.Time, h[j].row.Time), cmp.Compare(h[i].n, h[j].n)) < 0
}
func (h rowHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *rowHeap) Push(x any)   { *h = append(*h, x.(*waitingRow)) }
func (h *rowHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return x
}

// said is what was put of one connection.
type said struct {
	session [2]format.SessionID
	offset  [2]uint64
}

// derivedSession marks sessions that are no address in a process.
const derivedSession = 1 << 63

func (o *opening) of(c *conn.Conn, d conn.Dir) *said {
	s := o.said[c]
	if s == nil {
		s = new(said)
		o.said[c] = s
	}
	if s.session[d] == 0 {
		o.sessions++
		s.session[d] = format.SessionID(derivedSession | o.sessions)
	}
	return s
}

// Data takes the next bytes of a direction: plaintext, if anything of it was opened.
func (o *opening) Data(c *conn.Conn, d conn.Dir, ch *conn.Chunk) {
	if c.TLS == nil || c.TLS.Opened[d] == 0 || o.err != nil {
		return
	}
	s := o.of(c, d)
	row := format.TLS{
		Time: ch.End, Duration: ch.End.Sub(ch.Start), PID: ch.PID, TID: ch.TID, Session: s.session[d], Socket: c.Socket, Inode: c.Inode,
		Call: format.TLSRead, Dir: format.Read, Flags: format.TLSDecrypted, Offset: s.offset[d], Ret: int64(len(ch.Bytes)) + int64(min(ch.Cut, 1<<62)),
		Captured: uint32(len(ch.Bytes)), Payload: ch.Bytes,
	}
	if d == conn.Out {
		row.Call, row.Dir = format.TLSWrite, format.Write
	}
	if ch.Cut > 0 {
		row.Cut = format.CutBudget
	}
	s.offset[d] += uint64(row.Ret)
	k := socketKey{c.Socket, c.Inode}
	w := o.opened[k]
	if w == nil {
		w = new([2]clear)
		o.opened[k] = w
	}
	w[d].opened = true
	row.Payload = bytes.Clone(row.Payload)
	o.rows++
	heap.Push(&o.waiting, &waitingRow{row, o.rows})
}

// Lost takes bytes that are missing: what comes behind them has another place, or belongs to another session if that is not known.
func (o *opening) Lost(c *conn.Conn, d conn.Dir, n int64, _ *conn.Chunk) {
	s := o.said[c]
	switch {
	case s == nil:
	case n < 0:
		s.session[d], s.offset[d] = 0, 0
	default:
		s.offset[d] += uint64(n)
	}
}

// The rest of conn.Handler is nothing to it.

// End does nothing.
func (o *opening) End(*conn.Conn, conn.Dir, conn.Ending, *conn.Chunk) {}

// Closed does nothing.
func (o *opening) Closed(*conn.Conn) {}

// Gone forgets a connection.
func (o *opening) Gone(c *conn.Conn) error {
	delete(o.said, c)
	return o.err
}

// Joined does nothing.
func (o *opening) Joined(_, _ *conn.Conn) {}

type socketKey struct {
	socket format.SocketID
	inode  format.Inode
}

// opened implements format.Opened: of connections that were opened, what is in the clear stays.
type opened map[socketKey]*[2]clear

// clear is how far one direction is in the clear.
type clear struct {
	opened bool // its plaintext was put
	ended  bool // what comes is encrypted, or not known
	head   [5]byte
	n      int // bytes of head
	left   int // bytes of the record's body to come
}

// Keeps returns how many bytes of a row's payload are in the clear.
func (o opened) Keeps(row *format.IO) int {
	w := o[socketKey{row.Socket, row.Inode}]
	if w == nil || row.Dir != format.Read && row.Dir != format.Write {
		return len(row.Payload)
	}
	d := conn.In
	if row.Dir == format.Write {
		d = conn.Out
	}
	switch c := &w[d]; {
	case !c.opened:
		return len(row.Payload)
	case row.Flags&format.IOPeek != 0:
		return 0 // it is read again
	default:
		return c.follow(row.Payload, row.Ret)
	}
}

// follow walks over the records of a call, and returns the bytes before the first that is encrypted.
func (c *clear) follow(b []byte, moved int64) (keeps int) {
	const changeCipherSpec, applicationData = 20, 23
	rest := b
	for len(rest) > 0 && !c.ended {
		if c.left > 0 {
			n := min(c.left, len(rest))
			c.left, rest, keeps = c.left-n, rest[n:], keeps+n
			continue
		}
		n := copy(c.head[c.n:], rest)
		c.n += n
		if c.head[0] == applicationData {
			c.ended = true
			break
		}
		rest, keeps = rest[n:], keeps+n
		if c.n == len(c.head) {
			c.n, c.left = 0, int(c.head[3])<<8|int(c.head[4])
			c.ended = c.head[0] == changeCipherSpec
			if c.ended {
				keeps += min(c.left, len(rest))
			}
		}
	}
	if moved > int64(len(b)) {
		c.ended = true // what is missing may have been the rest of it
	}
	return min(keeps, len(b))
}
