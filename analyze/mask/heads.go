package mask

import "github.com/ebpf-reel/reel/format"

// headMode is where in an HTTP/1 stream the policy Heads is.
type headMode uint8

const (
	headBoundary  headMode = iota // a start line may follow
	headLines                     // in a head or a trailer section
	headLength                    // in a body of left bytes
	headChunkSize                 // in a chunk-size line
	headChunkData                 // in a chunk of left bytes
	headChunkEnd                  // in the line end behind it
	headDropped                   // content, until a call begins with a start line
)

// headKeeper decides which bytes the policy Heads keeps: start lines, fields, and chunk-size lines, without which the lengths of
// chunked bodies would not be known. Where framing is in doubt it keeps nothing until a call begins with a start line. A body that
// has a whole head at the start of a call is taken for a head: nothing else can tell responses to HEAD.
type headKeeper struct {
	mode    headMode
	left    uint64 // of a body or chunk; also the chunk size while it is read
	digits  uint8
	ext     bool // in a chunk extension
	trailer bool
	first   bool // in the start line
	chunked bool
	length  uint64
	n       uint8 // bytes of the line in word, lower case
	word    [48]byte
}

func (h *headKeeper) lose() { h.mode = headDropped }

// keep overwrites what is not kept of b, the first bytes of a call that moved ret bytes, and returns how many bytes of b to keep
// and whether bytes among them were overwritten.
func (h *headKeeper) keep(b []byte, ret int64) (kept int, blanked bool) {
	switch h.mode {
	case headLines:
	case headBoundary, headDropped:
		if startsMessage(b) {
			h.begin()
		}
	default:
		if startsResponse(b) { // the body that was announced does not come: it answers HEAD
			h.begin()
		}
	}
	gap := false
	for i := 0; i < len(b); {
		from := i
		keep := true
		switch h.mode {
		case headLines:
			i = h.lines(b, i)
		case headBoundary:
			switch {
			case b[i] == '\r' || b[i] == '\n':
				i++
			case startsMessage(b[i:]):
				h.begin()
				continue
			default:
				h.mode = headDropped
				continue
			}
		case headLength, headChunkData:
			n := min(uint64(len(b)-i), h.left)
			h.left -= n
			i += int(n)
			keep = false
			if h.left == 0 {
				h.bodyEnd()
			}
		case headChunkSize:
			keep = h.chunkSize(b[i])
			i++
		case headChunkEnd:
			switch b[i] {
			case '\r':
			case '\n':
				h.chunk()
			default:
				h.mode = headDropped
				continue
			}
			i++
		default:
			i, keep = len(b), false
		}
		if !keep {
			for j := from; j < i; j++ {
				b[j] = '*'
			}
			gap = true
			continue
		}
		kept = i
		blanked = blanked || gap
	}
	h.hole(uint64(ret) - uint64(len(b)))
	return kept, blanked
}

func (h *headKeeper) begin() {
	*h = headKeeper{mode: headLines, first: true}
}

func (h *headKeeper) chunk() {
	h.mode, h.left, h.digits, h.ext = headChunkSize, 0, 0, false
}

// lines reads a head up to the end of the line or of b.
func (h *headKeeper) lines(b []byte, i int) int {
	end, whole := lineEnd(b, i)
	for _, c := range b[i:min(end, i+len(h.word)-int(h.n))] {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		h.word[h.n] = c
		h.n++
	}
	if !whole {
		return end
	}
	line := trimCR(h.word[:h.n])
	h.n = 0
	switch {
	case len(line) == 0 && end-i <= 1:
		h.headEnd()
	case h.first:
		h.first = false
		if len(line) >= 12 && string(line[:7]) == "http/1." {
			// No body follows these, whatever they announce (RFC 9112 §6.3).
			h.trailer = line[9] == '1' || string(line[9:12]) == "204" || string(line[9:12]) == "304"
		}
	default:
		h.field(line)
	}
	return end + 1
}

func trimCR(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\r' {
		return b[:n-1]
	}
	return b
}

// field takes from a line what frames the body.
func (h *headKeeper) field(line []byte) {
	name, value := line, []byte(nil)
	for i, c := range line {
		if c == ':' {
			name, value = line[:i], line[i+1:]
			break
		}
	}
	switch string(name) {
	case "transfer-encoding":
		for len(value) > 0 && (value[len(value)-1] == ' ' || value[len(value)-1] == '\t') {
			value = value[:len(value)-1]
		}
		h.chunked = len(value) >= 7 && string(value[len(value)-7:]) == "chunked"
	case "content-length":
		h.length = 0
		for _, c := range value {
			if isDigit(c) && h.length < 1<<59 {
				h.length = h.length*10 + uint64(c-'0')
			}
		}
	}
}

func (h *headKeeper) headEnd() {
	switch {
	case h.trailer:
		h.mode = headBoundary
	case h.chunked:
		h.chunk()
	case h.length > 0:
		h.mode, h.left = headLength, h.length
	default:
		h.mode = headBoundary
	}
}

func (h *headKeeper) bodyEnd() {
	if h.mode == headLength {
		h.mode = headBoundary
		return
	}
	h.mode = headChunkEnd
}

// chunkSize reads one character of a chunk-size line and reports whether it is kept: extensions are not.
func (h *headKeeper) chunkSize(c byte) bool {
	switch {
	case c == '\n' && h.digits > 0:
		if h.left > 0 {
			h.mode = headChunkData
			return true
		}
		*h = headKeeper{mode: headLines, trailer: true}
		return true
	case c == '\r' && h.digits > 0:
		return true
	case h.ext:
		return false
	case c == ';' && h.digits > 0:
		h.ext = true
		return true
	case unhex(c) < 16 && h.digits < 15:
		h.digits++
		h.left = h.left<<4 | uint64(unhex(c))
		return true
	}
	h.mode = headDropped
	return false
}

// hole steps over n bytes of the call that were not captured.
func (h *headKeeper) hole(n uint64) {
	switch {
	case n == 0:
	case h.mode == headLength && n <= h.left, h.mode == headChunkData && n <= h.left:
		if h.left -= n; h.left == 0 {
			h.bodyEnd()
		}
	case h.mode == headChunkData && n == h.left+2:
		h.chunk()
	default:
		h.mode = headDropped
	}
}

var _ format.Filter = (*filter)(nil)
