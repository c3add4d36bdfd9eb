package mask

import "github.com/ebpf-reel/reel/format"

// place is what is known at one place of a stream.
type place struct {
	lex   lexer
	heads headKeeper
}

// lose forgets it.
func (p *place) lose() {
	p.lex.lose()
	p.heads.lose()
}

// stream is the state of one direction of one connection.
type stream struct {
	now   place
	tls   ciphertext
	next  format.Seq // of the byte that follows what was seen
	known bool       // next is known

	// The last gap, for rows that come late: where it begins, and what was known there.
	gap    bool
	gapSeq format.Seq
	before place
}

// maxLate is how many bytes a row may lie behind: one drain of the rings. What lies further behind lies 2^32 ahead.
const maxLate = 1 << 28

// at returns the place of a row's first byte, and moves the stream behind its last. spare is for a row whose place is not known.
func (s *stream) at(r *format.IO, spare *place) *place {
	if r.Flags&format.IOOffsetValid == 0 {
		return &s.now
	}
	end := r.Seq + format.Seq(r.Ret)
	switch d := r.Seq.Sub(s.next); {
	case !s.known || d == 0:
		s.next, s.known = end, true
		return &s.now
	case d > 0 || d < -maxLate:
		// Rows are missing, or on their way from another CPU.
		s.gap, s.gapSeq, s.before = true, s.next, s.now
		s.now.lose()
		s.tls.lose()
		s.next = end
		return &s.now
	case s.gap && r.Seq == s.gapSeq:
		s.gapSeq = end
		return &s.before
	}
	spare.lose()
	return spare
}

// ciphertext reports whether the payload of a row, whose place is p, is TLS.
func (s *stream) ciphertext(p *place, r *format.IO) bool {
	if p != &s.now {
		return s.tls.state == certain // a row that comes late says nothing about where the stream is
	}
	return s.tls.covers(r.Payload, r.Ret, p.lex.mode == inUnknown)
}

// key names a socket: the kernel uses addresses again, but not inodes.
type key struct {
	socket format.SocketID
	inode  format.Inode
}

type conn [2]stream

// fresh makes a recycled conn one of which nothing is known.
func (c *conn) fresh() {
	for i := range c {
		c[i] = stream{}
		c[i].now.lose()
		c[i].tls.lose()
	}
}

// table holds the connections that were used last.
type table struct {
	limit int
	conns map[key]*conn
	order []key // ring of keys in the order of their first use; a removed one stays until its turn
	head  int
	free  []*conn
}

func newTable(limit int) *table {
	return &table{limit: limit, conns: make(map[key]*conn)}
}

func (t *table) find(k key) *conn { return t.conns[k] }

// add returns a conn for k, whose content is left from an earlier one.
func (t *table) add(k key) *conn {
	if len(t.order) < t.limit {
		t.order = append(t.order, k)
	} else {
		t.remove(t.order[t.head])
		t.order[t.head] = k
		t.head = (t.head + 1) % t.limit
	}
	var c *conn
	if n := len(t.free); n > 0 {
		c, t.free = t.free[n-1], t.free[:n-1]
	} else {
		c = new(conn)
	}
	t.conns[k] = c
	return c
}

func (t *table) remove(k key) {
	if c, ok := t.conns[k]; ok {
		delete(t.conns, k)
		t.free = append(t.free, c)
	}
}

// Stream masks one direction of a plaintext that no filter has seen: what analysis decrypted. The zero value is at the start of
// the direction.
type Stream struct{ lex lexer }

// Mask overwrites the credentials in the next bytes.
func (s *Stream) Mask(b []byte) {
	shown := s.lex.resume(b)
	s.lex.mask(b[shown:])
}

// Skip says that bytes are missing behind those that Mask has seen.
func (s *Stream) Skip() { s.lex.lose() }
