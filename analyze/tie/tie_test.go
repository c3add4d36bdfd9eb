package tie_test

import (
	"testing"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/analyze/tie"
	"github.com/ebpf-reel/reel/format"
)

// loop is the rows of one process, in the order in which they happen.
type loop struct {
	rows []format.Row
	at   format.KTime
	tid  format.TID
}

const overhead = 5 + 1 + 16 // of a record of TLS 1.3

func (l *loop) io(dir format.Direction, socket int, bytes int64, payload []byte) *loop {
	l.at++
	l.rows = append(l.rows, &format.IO{Time: l.at, PID: 1, TID: l.tid, Dir: dir, Socket: format.SocketID(socket), Inode: format.Inode(socket), Ret: bytes, Payload: payload})
	return l
}

// receive reads a record of n bytes of plaintext from a socket; send writes one; clear reads what is not TLS.
func (l *loop) receive(socket int, n int64) *loop {
	return l.io(format.Read, socket, n+overhead, []byte{23, 3, 3, 0, byte(n + overhead - 5)})
}

func (l *loop) send(socket int, n int64) *loop {
	return l.io(format.Write, socket, n+overhead, []byte{23, 3, 3, 0, byte(n + overhead - 5)})
}

func (l *loop) clear(socket int) *loop { return l.io(format.Read, socket, 10, []byte("HTTP/1.1 2")) }

// get takes plaintext out of a session; put puts some in.
func (l *loop) get(session int, n int64) *loop { return l.tls(format.Read, session, n) }
func (l *loop) put(session int, n int64) *loop { return l.tls(format.Write, session, n) }

func (l *loop) tls(dir format.Direction, session int, n int64) *loop {
	l.at++
	l.rows = append(l.rows, &format.TLS{Time: l.at, PID: 1, TID: l.tid, Dir: dir, Session: format.SessionID(session), Ret: n})
	return l
}

// on goes on in another thread.
func (l *loop) on(tid format.TID) *loop {
	l.tid = tid
	return l
}

// ties runs both passes and returns the socket of each session, 0 for none, and how certain it is.
func (l *loop) ties(sessions int) (sockets []int, by []facts.Certainty) {
	b := tie.NewBuilder(ledger.NewTally())
	for _, row := range l.rows {
		if r, ok := row.(*format.TLS); ok {
			b.Call(r)
		}
	}
	for _, row := range l.rows {
		b.Row(row)
	}
	t := b.Ties()
	for s := range sessions {
		r := t.Tied(&format.TLS{Session: format.SessionID(s + 1)})
		sockets = append(sockets, int(r.Socket))
		by = append(by, t.Plaintext(r.Socket, r.Inode))
	}
	return sockets, by
}

func TestMemory(t *testing.T) {
	exchange := func(l *loop, session, socket int) *loop {
		return l.receive(socket, 40).get(session, 40).put(session, 90).send(socket, 90)
	}
	rounds := func(l *loop) *loop {
		for range 3 {
			exchange(exchange(l, 1, 101), 2, 102)
		}
		return l
	}
	for _, c := range []struct {
		name    string
		loop    *loop
		sockets []int
		by      []facts.Certainty
	}{
		{"a loop serves two connections of equal messages", rounds(new(loop)), []int{101, 102}, []facts.Certainty{facts.Exact, facts.Exact}},
		{"one message is no proof", exchange(new(loop), 1, 101), []int{101}, []facts.Certainty{facts.Inferred}},
		{"two sockets are read before plaintext comes out", new(loop).receive(101, 40).receive(102, 40).get(1, 40).get(2, 40), []int{0, 0}, []facts.Certainty{0, 0}},
		{"two sessions are written before a socket is", new(loop).put(1, 90).put(2, 90).send(101, 90).send(102, 90), []int{0, 0}, []facts.Certainty{0, 0}},
		{"answers are written in another order than they were made", rounds(new(loop)).put(1, 90).put(2, 90).send(102, 90).send(101, 90), []int{101, 102}, []facts.Certainty{facts.Exact, facts.Exact}},
		{"head and body in two calls, one write", new(loop).receive(101, 40).get(1, 40).put(1, 30).put(1, 60).io(format.Write, 101, 90+2*overhead, []byte{23, 3, 3, 0, 47}).
			receive(101, 40).get(1, 40).put(1, 90).send(101, 90), []int{101}, []facts.Certainty{facts.Exact}},
		{"an upstream in the clear is asked between", new(loop).receive(101, 40).get(1, 40).clear(7).put(1, 90).send(101, 90).receive(101, 40).get(1, 40).clear(7).put(1, 90).send(101, 90),
			[]int{101}, []facts.Certainty{facts.Exact}},
		{"threads take turns", func() *loop {
			l := new(loop)
			for i := range 6 {
				s := 1 + i%2
				exchange(l.on(format.TID(i/2)), s, 100+s)
			}
			return l
		}(), []int{101, 102}, []facts.Certainty{facts.Exact, facts.Exact}},
		{"votes that disagree tie nothing", new(loop).receive(101, 40).get(1, 40).receive(102, 40).get(1, 40), []int{0}, []facts.Certainty{0}},
		{"a socket is one session's at a time", exchange(rounds(new(loop)), 3, 101).receive(101, 40).get(1, 40), []int{101, 102, 0}, []facts.Certainty{facts.Exact, facts.Exact, 0}},
		{"a socket serves one session after another", exchange(exchange(rounds(new(loop)), 3, 101), 3, 101), []int{101, 102, 101}, []facts.Certainty{facts.Exact, facts.Exact, facts.Exact}},
		{"lengths that do not fit prove nothing", new(loop).receive(101, 40).get(1, 40).put(1, 90).send(101, 500).receive(101, 40).get(1, 40).put(1, 90).send(101, 700),
			[]int{101}, []facts.Certainty{facts.Inferred}},
	} {
		sockets, by := c.loop.ties(len(c.sockets))
		for i := range c.sockets {
			if sockets[i] != c.sockets[i] || by[i] != c.by[i] {
				t.Errorf("%s: session %d is tied to %d, %v; want %d, %v", c.name, i+1, sockets[i], by[i], c.sockets[i], c.by[i])
			}
		}
	}
}
