package tie

import (
	"cmp"
	"maps"
	"slices"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// Where a library is given its ciphertext in memory, the thread that calls it moves that to and from a socket right before and
// right after: it reads from a socket and hands the bytes to the library, or takes bytes from the library and writes them. So
//
//   - plaintext that comes out of a session votes for the socket that the thread has read last, if it has read from one only
//     since plaintext came out before;
//   - plaintext that goes into a session votes for the socket that the thread writes next, if it put plaintext into no other
//     session meanwhile. Such a vote is proved when the bytes written are those of the plaintext and of records around it: the
//     same overhead a record as at all other times (RFC 8446 §5.2, RFC 5246 §6.2.3).
//
// A session is tied to the socket that its votes agree on; to none where they do not, or where another session has a better
// claim to that socket at the same time.

// thread is what one thread did last.
type thread struct {
	read  Socket // that it has read from last; 0 none, or several
	fresh bool   // no plaintext came out since
	puts  []put  // that no socket was written after
}

// put is plaintext that went into a session.
type put struct {
	session format.SessionID
	bytes   int64
	records int64
}

// claim is what speaks for one socket of a session.
type claim struct {
	votes       int
	proved      int
	first, last format.KTime
}

// loose is a session without system calls of its own.
type loose struct {
	claims   map[Socket]*claim
	overhead int64 // bytes a record, by the first vote that could tell; 0 none could
	differs  int   // votes with another
}

// side is what is known of a socket.
type side struct {
	tls   int // calls that began with the header of a TLS record
	calls int
}

type threadID struct {
	pid format.PID
	tid format.TID
}

// Bounds of what is kept.
const (
	maxThreads = 1 << 16
	maxClaims  = 16 // of a session
	maxPuts    = 64 // of a thread
	maxSides   = 1 << 18
)

type memory struct {
	pids    map[format.PID]bool // that have loose sessions
	threads map[threadID]*thread
	sides   map[Socket]*side
}

// Row takes a row, in the second pass.
func (b *Builder) Row(row format.Row) {
	switch r := row.(type) {
	case *format.IO:
		if b.pids[r.PID] && r.Ret > 0 && r.Socket != 0 && r.Flags&(format.IOPeek|format.IODgram) == 0 {
			b.moved(r)
		}
	case *format.TLS:
		if l := b.loose[r.Session]; l != nil {
			b.said(l, r)
		}
	}
}

func (b *Builder) thread(pid format.PID, tid format.TID) *thread {
	k := threadID{pid, tid}
	t := b.threads[k]
	if t == nil {
		if len(b.threads) >= maxThreads {
			return new(thread)
		}
		t = new(thread)
		b.threads[k] = t
	}
	return t
}

// moved takes a system call that moved bytes of a socket.
func (b *Builder) moved(r *format.IO) {
	s := Socket{r.Socket, r.Inode}
	if b.ties.sockets[s] != facts.Unknown || !b.encrypted(s, r) {
		return
	}
	t := b.thread(r.PID, r.TID)
	if r.Dir == format.Read {
		if t.fresh && t.read != s {
			t.read = Socket{} // of several, who knows whose plaintext comes next
		} else {
			t.read = s
		}
		t.fresh = true
		return
	}
	puts := t.puts
	t.puts = t.puts[:0]
	if len(puts) == 0 {
		return
	}
	var bytes, records int64
	for _, p := range puts {
		if p.session != puts[0].session {
			return
		}
		bytes, records = bytes+p.bytes, records+p.records
	}
	if l := b.loose[puts[0].session]; l != nil {
		b.vote(l, s, r.Time, overhead(r.Ret-bytes, records))
	}
}

// overhead is what each of some records adds to its plaintext, 0 if they cannot be all that adds.
func overhead(more, records int64) int64 {
	const least, most = 5 + 16, 5 + 16 + 48 + 16 // header and tag; header, IV, MAC and padding
	if records == 0 || more%records != 0 || more/records < least || more/records > most {
		return 0
	}
	return more / records
}

// encrypted reports whether a socket carries TLS, as far as it has been seen.
func (b *Builder) encrypted(s Socket, r *format.IO) bool {
	k := b.sides[s]
	if k == nil {
		if len(b.sides) >= maxSides {
			return false
		}
		k = new(side)
		b.sides[s] = k
	}
	k.calls++
	if p := r.Payload; len(p) >= 5 && p[0] >= 20 && p[0] <= 23 && p[1] == 3 && p[2] <= 4 && int(p[3])<<8|int(p[4]) <= 1<<14+2048 {
		k.tls++
	}
	return k.tls > 0
}

// maxRecord is the most plaintext that a record holds.
const maxRecord = 1 << 14

// said takes plaintext of a loose session.
func (b *Builder) said(l *loose, r *format.TLS) {
	t := b.thread(r.PID, r.TID)
	if r.Dir == format.Write {
		if len(t.puts) == maxPuts {
			t.puts = t.puts[:0]
		}
		t.puts = append(t.puts, put{r.Session, r.Ret, (r.Ret + maxRecord - 1) / maxRecord})
		return
	}
	if t.fresh {
		t.fresh = false
		if t.read.ID != 0 {
			b.vote(l, t.read, r.Time, 0)
		}
	}
}

// vote counts one vote; over is the overhead of its records, 0 if it cannot tell.
func (b *Builder) vote(l *loose, s Socket, at format.KTime, over int64) {
	c := l.claims[s]
	if c == nil {
		if len(l.claims) >= maxClaims {
			return
		}
		c = &claim{first: at}
		l.claims[s] = c
	}
	c.votes++
	c.last = at
	switch {
	case over == 0:
	case l.overhead == 0:
		l.overhead = over
		c.proved++
	case over == l.overhead:
		c.proved++
	default:
		l.differs++
	}
}

// candidate is a session and the socket that its votes are for.
type candidate struct {
	session format.SessionID
	socket  Socket
	claim   *claim
	sure    bool
}

// decide ties sessions to sockets, the best claims first.
func (b *Builder) decide() {
	var all []candidate
	for _, id := range slices.Sorted(maps.Keys(b.loose)) {
		if c, ok := b.loose[id].best(id); ok {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(x, y candidate) int {
		return cmp.Or(cmp.Compare(y.claim.proved, x.claim.proved), cmp.Compare(y.claim.votes, x.claim.votes))
	})
	taken := map[Socket][]*claim{}
	for _, c := range all {
		if slices.ContainsFunc(taken[c.socket], c.claim.overlaps) {
			continue
		}
		taken[c.socket] = append(taken[c.socket], c.claim)
		by := facts.Inferred
		if c.sure {
			by = facts.Exact
		}
		b.ties.sessions[c.session] = Tie{c.socket, by}
		if old := b.ties.sockets[c.socket]; old == facts.Unknown || by < old {
			b.ties.sockets[c.socket] = by
		}
	}
}

// agreement is the share of a session's votes that its socket needs, in percent.
const agreement = 90

// best returns the socket that nearly all votes are for.
func (l *loose) best(id format.SessionID) (c candidate, ok bool) {
	total := 0
	c.session = id
	for _, s := range slices.SortedFunc(maps.Keys(l.claims), compareSockets) {
		k := l.claims[s]
		total += k.votes
		if c.claim == nil || k.proved > c.claim.proved || k.proved == c.claim.proved && k.votes > c.claim.votes {
			c.socket, c.claim = s, k
		}
	}
	if c.claim == nil || c.claim.votes*100 < total*agreement {
		return c, false
	}
	c.sure = len(l.claims) == 1 && c.claim.proved >= 2 && l.differs == 0
	return c, true
}

func compareSockets(a, b Socket) int {
	return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Inode, b.Inode))
}

// overlaps reports whether two claims are of one time.
func (c *claim) overlaps(d *claim) bool { return c.first <= d.last && d.first <= c.last }
