package tls

import "encoding/binary"

// contentType is the type of a record (RFC 8446 §5.1).
type contentType uint8

const (
	changeCipherSpec contentType = 20
	alert            contentType = 21
	handshake        contentType = 22
	applicationData  contentType = 23
)

const (
	headerLen  = 5
	maxPlain   = 1 << 14
	maxBodyLen = maxPlain + 2048 // RFC 5246 §6.2.3; RFC 8446 §5.2 allows 256
)

// header is the first five bytes of a record.
type header [headerLen]byte

func (h *header) typ() contentType { return contentType(h[0]) }
func (h *header) length() int      { return int(binary.BigEndian.Uint16(h[3:])) }

// plausible reports whether h can begin a record.
func (h *header) plausible() bool {
	n := h.length()
	return h.typ() >= changeCipherSpec && h.typ() <= applicationData && h[1] == 3 && h[2] <= 4 && n > 0 && n <= maxBodyLen
}

// protection is the keys of one direction.
type protection interface {
	// open decrypts the whole body of a record and proves it by its tag or MAC. The plaintext is appended to dst; body stays.
	open(dst []byte, seq uint64, h *header, body []byte) (plain []byte, typ contentType, ok bool)
	// peek decrypts the first bytes of a body that is not whole, without proof. total is the length of the plaintext of the
	// whole record, 0 if that cannot be told.
	peek(dst []byte, seq uint64, h *header, body []byte) (plain []byte, total int)
	// find returns the sequence number, of the n from from on, under which the record is likely to open, if there is a way to
	// tell that is faster than to try them. Nothing is proved by it.
	find(from, n uint64, h *header, body []byte) (seq uint64, ok bool)
	// overhead is by how much a record is longer than its plaintext, header included; 0 if that varies.
	overhead() int
	// alertLen is the length of the body of an alert record; 0 if such a record cannot be told from data by its header.
	alertLen() int
}

// additional is what TLS 1.2 authenticates besides the content (RFC 5246 §6.2.3.3).
type additional [8 + headerLen]byte

func (a *additional) set(seq uint64, h *header, n int) []byte {
	binary.BigEndian.PutUint64(a[:], seq)
	copy(a[8:], h[:3])
	binary.BigEndian.PutUint16(a[8+3:], uint16(n))
	return a[:]
}
