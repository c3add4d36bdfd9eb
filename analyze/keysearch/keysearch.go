// Package keysearch turns the memory of a process and TLS records of its connections into the record keys of those connections.
//
// AES keys are found by their expansion, which an implementation that encrypts keeps in memory. Text that HTTP/1 messages are made of,
// at the place of a block, gives the nonce of its record for a key; the tag of the record proves both, so that nothing is guessed.
// Where a connection has no such text, values from near the keys are tried as nonces. (DESIGN D21.)
package keysearch

import (
	"crypto/cipher"
	"slices"
)

// Version is that of TLS, as on the wire.
type Version uint16

// The versions whose records can be proved.
const (
	TLS12 Version = 0x0303
	TLS13 Version = 0x0304
)

// Record is one TLS record with application data: its header, and its body, or the first bytes of it.
type Record struct {
	Header [5]byte
	Body   []byte
}

func (r *Record) length() int { return int(r.Header[3])<<8 | int(r.Header[4]) }
func (r *Record) whole() bool { return len(r.Body) == r.length() }

// Direction is what is known of one direction of a connection.
type Direction struct {
	Records []Record // one behind the other, without a gap
	// MaxSeq bounds the sequence number of the first: the records that fit into the bytes that went before.
	MaxSeq uint64
}

// Found is the keys of a direction, proved by the tag of a record.
type Found struct {
	Version Version
	Key     Key
	// IV is that of TLS 1.3 (RFC 8446 §5.3); of TLS 1.2, its first four bytes are the salt (RFC 5288 §3), the others zero.
	IV [12]byte
	// Seq is the sequence number of the record with the index Record.
	Seq    uint64
	Record int
	// SeqMod: Seq and IV are those of TLS 1.3 but for multiples of it. All nonces before the next multiple are the same; behind it, more
	// bits of the IV change with Seq, which the next record tells. 0: they are exact.
	SeqMod uint64
}

// Search collects what it is given. Its methods are called by one goroutine.
type Search struct {
	keys  []candidate // that are not tied to a direction
	tied  []candidate
	known map[Key]bool
	dirs  []*direction
	tries uint64
	limit uint64
}

// candidate is a key that was found and not yet tied to a direction.
type candidate struct {
	key     Key
	address uint64
	block   cipher.Block
	aead    cipher.AEAD
}

// direction is one that is searched for.
type direction struct {
	Direction
	peer  *direction // the other direction of the connection
	found *Found
}

// New returns a search that tries at most limit blocks; 0: no limit.
func New(limit uint64) *Search { return &Search{known: map[Key]bool{}, limit: limit} }

// maxKeys bounds what a hostile process can make a search try: one that holds more schedules hides its own.
const maxKeys = 1 << 16

// Scan looks for keys in a piece of memory, which begins at an address that is a multiple of four. Pieces that follow each other are to
// overlap by Overlap bytes.
func (s *Search) Scan(address uint64, mem []byte) {
	scanSchedules(mem, func(offset int, key Key) {
		if s.known[key] || len(s.keys) == maxKeys {
			return
		}
		c := candidate{key: key, address: address + uint64(offset)}
		if c.init() != nil {
			return
		}
		s.known[key] = true
		s.keys = append(s.keys, c)
	})
}

// Keys returns how many distinct keys were found that are not tied to a direction.
func (s *Search) Keys() int { return len(s.keys) }

// Tries returns how many blocks were tried so far.
func (s *Search) Tries() uint64 { return s.tries }

// Exhausted reports whether the limit of tries is reached.
func (s *Search) Exhausted() bool { return s.limit > 0 && s.tries >= s.limit }

// Add adds the directions of a connection: what the client sent, what the server sent. Their indices for Found are the next two.
func (s *Search) Add(client, server Direction) (index int) {
	c, r := &direction{Direction: client}, &direction{Direction: server}
	c.peer, r.peer = r, c
	index = len(s.dirs)
	s.dirs = append(s.dirs, c, r)
	return index
}

// Found returns what is known of a direction by now.
func (s *Search) Found(index int) (Found, bool) {
	d := s.dirs[index]
	if d.found == nil {
		return Found{}, false
	}
	return *d.found, true
}

// Unknown returns how many directions are not found.
func (s *Search) Unknown() (n int) {
	for _, d := range s.dirs {
		if d.found == nil {
			n++
		}
	}
	return n
}

// settle ties a key to a direction. Another has it only where both ends of a connection are in the process.
func (s *Search) settle(d *direction, c *candidate, f Found) {
	f.Key = c.key
	d.found = &f
	if i := slices.IndexFunc(s.keys, func(o candidate) bool { return o.key == f.Key }); i >= 0 {
		s.tied = append(s.tied, s.keys[i])
		s.keys = slices.Delete(slices.Clone(s.keys), i, i+1) // the old one may be under a loop
	}
}
