package tls

import (
	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/format"
)

// framer cuts the ciphertext of one direction into records, holes and all. Where a record's header was seen, a hole in its
// body is stepped over exactly. Behind a hole that takes a header with it the framing is lost: what comes then is kept until
// the keys prove a record in it (trial.go).
type framer struct {
	buf    []byte // header and body of the record at hand, as far as known from its beginning; lost: what is searched
	filled int    // bytes of it that went by
	holed  bool   // some of them are missing, or were not kept
	first  origin // of its first byte
	cut    bool   // what is missing was cut, not lost

	rec record // the one that take gets

	lost    bool // the framing is
	scanned int  // bytes of buf that begin no record (trial.go)
	hole    hole // behind the last record that was given out
}

// origin is where a record begins.
type origin struct {
	start    format.KTime
	seq      format.Seq
	seqValid bool
}

// hole is ciphertext between two records that were opened: bytes that are missing, and records that no key was known for.
type hole struct {
	bytes   int64 // as far as known
	unknown bool  // there is more, nobody knows how much
	lost    bool  // calls are missing; else their bytes were cut
	// Of the calls that moved them:
	start, end format.KTime
}

// moved notes that a call moved bytes of the hole.
func (h *hole) moved(ch *conn.Chunk) {
	if h.end == 0 {
		h.start = ch.Start
	}
	h.end = ch.End
}

func (h *hole) open() bool { return h.bytes > 0 || h.unknown }

// record is one record, as far as it is there.
type record struct {
	header header
	body   []byte // known bytes, from the first on
	whole  bool
	first  origin
	cut    bool
}

// size is how many bytes of the stream the record takes.
func (r *record) size() uint64 { return uint64(headerLen + r.header.length()) }

// bytes takes the next bytes of the stream; at is the offset of b in the bytes of ch. It calls take for each record.
func (f *framer) bytes(b []byte, at int, ch *conn.Chunk, take func(*record)) {
	for len(b) > 0 && !f.lost {
		if f.filled == 0 {
			f.first = origin{ch.Start, ch.Seq + format.Seq(uint32(at)), ch.SeqValid}
			// Most records lie in one call: they are not copied.
			if len(b) >= headerLen {
				h := header(b)
				if n := headerLen + h.length(); h.plausible() && len(b) >= n {
					f.rec = record{header: h, body: b[headerLen:n:n], whole: true, first: f.first}
					take(&f.rec)
					b, at = b[n:], at+n
					continue
				}
			}
		}
		n := min(f.want(), len(b))
		if !f.holed {
			f.buf = append(f.buf, b[:n]...)
		}
		f.filled += n
		b, at = b[n:], at+n
		f.step(take)
	}
	if f.lost && len(b) > 0 {
		f.buf = append(f.buf, b...)
	}
}

// skip takes n bytes that are not there.
func (f *framer) skip(n int64, cut bool, take func(*record)) {
	for n > 0 && !f.lost {
		if f.filled < headerLen {
			f.lose(n, !cut)
			return
		}
		k := min(int64(f.want()), n)
		f.filled += int(k)
		f.holed, f.cut = true, cut
		n -= k
		f.step(take)
	}
	if n > 0 {
		f.lose(n, !cut)
	}
}

// want is how many bytes the header, or the record, lacks.
func (f *framer) want() int {
	if f.filled < headerLen {
		return headerLen - f.filled
	}
	h := header(f.buf)
	return headerLen + h.length() - f.filled
}

// step looks whether the record is complete.
func (f *framer) step(take func(*record)) {
	if f.filled < headerLen {
		return
	}
	h := header(f.buf)
	if f.filled == headerLen && !h.plausible() {
		f.lost, f.filled = true, 0 // not TLS, or not where a record begins: what is there is searched
		return
	}
	if f.filled < headerLen+h.length() {
		return
	}
	f.rec = record{header: h, body: f.buf[headerLen:], whole: !f.holed, first: f.first, cut: f.cut}
	f.filled, f.holed = 0, false
	take(&f.rec)
	if !f.lost {
		f.buf = f.buf[:0]
	}
}

// lose gives the framing up: n more bytes are missing.
func (f *framer) lose(n int64, lost bool) {
	if !f.lost {
		n += int64(f.filled)
	} else {
		n += int64(len(f.buf))
	}
	f.buf, f.filled, f.holed = f.buf[:0], 0, false
	f.lost, f.scanned = true, 0
	f.hole.bytes += n
	f.hole.lost = f.hole.lost || lost
}
