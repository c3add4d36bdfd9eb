package mask

// Ciphertext is left as it is: it holds no credential that could be read, and one byte that looked like one would cost the record
// that it lies in (RFC 8446 §5.2: the tag covers all of it). But what only looks like TLS must not hide what is none:
//
//   - A stream that was seen from its first byte, and begins with a handshake record, is TLS to its end: no other protocol
//     begins so, and TLS does not end before its connection.
//   - In a stream that is older than the recording, or has gaps, records are followed one by one, from a call that begins with
//     one. Where a header should be and is none, masking goes on. So a body that was made to look like a record hides no more
//     than that record's bytes.
type ciphertext struct {
	state cipherState
	head  [recordHeader]byte // of the record at hand, as far as seen
	n     uint8              // bytes of head
	left  int                // bytes of the record's body that are to come
}

type cipherState uint8

const (
	undecided cipherState = iota // at the first byte of a stream
	none                         // it is no TLS, or nobody knows
	framed                       // records are followed
	certain                      // all of it is TLS
)

const (
	recordHeader = 5
	maxRecord    = 1<<14 + 2048 // RFC 5246 §6.2.3
)

// plausible reports whether h begins a record.
func plausible(h []byte) bool {
	const changeCipherSpec, applicationData = 20, 23
	for i, b := range h {
		switch i {
		case 0:
			if b < changeCipherSpec || b > applicationData {
				return false
			}
		case 1:
			if b != 3 {
				return false
			}
		case 2:
			if b > 4 {
				return false
			}
		case 4:
			if n := int(h[3])<<8 | int(b); n == 0 || n > maxRecord {
				return false
			}
		}
	}
	return true
}

// covers takes a call that moved moved bytes, of which b are there, and reports whether b is ciphertext. resync says that the
// place in the stream is not known, so that a record may begin with the call.
func (c *ciphertext) covers(b []byte, moved int64, resync bool) bool {
	switch c.state {
	case certain:
		return true
	case undecided:
		return c.begin(b, moved)
	case none:
		if !resync || len(b) < recordHeader || !plausible(b[:recordHeader]) {
			return false
		}
		c.state, c.n, c.left = framed, 0, 0
	case framed:
	}
	if !c.follow(b) {
		c.state = none
		return false
	}
	c.skip(moved - int64(len(b)))
	return true
}

// begin decides by the first bytes of a stream.
func (c *ciphertext) begin(b []byte, moved int64) bool {
	const handshake = 22
	c.n += uint8(copy(c.head[c.n:], b))
	switch {
	case c.n > 0 && (c.head[0] != handshake || !plausible(c.head[:c.n])):
		c.state = none
		return false
	case c.n == recordHeader:
		c.state = certain
	case moved > int64(len(b)):
		c.state = none // who knows what was cut
	}
	return true
}

// follow walks over the records in b; false if there is something else.
func (c *ciphertext) follow(b []byte) bool {
	for len(b) > 0 {
		if c.left > 0 {
			n := min(c.left, len(b))
			c.left -= n
			b = b[n:]
			continue
		}
		n := copy(c.head[c.n:], b)
		c.n += uint8(n)
		b = b[n:]
		if !plausible(c.head[:c.n]) {
			return false
		}
		if c.n == recordHeader {
			c.n, c.left = 0, int(c.head[3])<<8|int(c.head[4])
		}
	}
	return true
}

// skip steps over bytes that are not there. Behind a header among them nothing is known.
func (c *ciphertext) skip(n int64) {
	if n == 0 {
		return
	}
	if c.n == 0 && n <= int64(c.left) {
		c.left -= int(n)
		return
	}
	c.lose()
}

// lose forgets the place in the stream.
func (c *ciphertext) lose() {
	if c.state != certain {
		c.state = none
	}
}
