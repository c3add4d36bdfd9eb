// Package headwatch turns the first bytes of messages, as a recorder drains them, into counts of HTTP responses and their
// times: what trigger rules look at while nothing is analyzed yet.
//
// It is less than an analysis, on purpose: it reads start lines only, and only where a message begins. A request begins at
// the first call after a change of direction; its response is the first status line that comes back, interim ones left out.
// Bodies are never looked into: what looks like a status line there has no request before it. What a
// pipeline sends in one call, or in further calls before an answer, counts once.
package headwatch

import (
	"bytes"
	"math"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"

	"github.com/ebpf-reel/reel/analyze/http1"
	"github.com/ebpf-reel/reel/format"
)

// Sizes of what is kept, all allocated by New: about 1.5 MiB.
const (
	connections = 1 << 14 // open at a time; two places for each, so that few that are open share one
	pending     = 4       // requests of one connection that wait for their response
	lineBytes   = 2048    // of a call that are looked at
	sketchBins  = 2048    // at 1 % these span 17 decades of time
)

// MaxScopes is how many scopes a Watcher can have: requests keep a set of them.
const MaxScopes = 64

// Watcher implements format.HeadWatcher.
type Watcher struct {
	scopes []scope
	conns  []conn
	blind  format.HeadBlind
}

type scope struct {
	format.HeadScope
	counts format.HeadCounts
	sum    time.Duration
	times  *ddsketch.DDSketch // milliseconds
}

// conn is what is known of one connection.
type conn struct {
	socket format.SocketID
	inode  format.Inode
	asked  [pending]ask // the oldest first
	early  answer       // came before its request did
	n      uint8        // of asked
	other  bool         // it speaks something else: it is not looked at any more
	server bool         // requests are read here
}

// ask is a request without its response.
type ask struct {
	at     format.KTime // its first byte
	scopes uint64       // that it belongs to, one bit each
}

// answer is a response without its request: the rings of two CPUs are drained one after the other.
type answer struct {
	at     format.KTime // its first byte; 0: none
	status int
}

// New returns a watcher that counts for at most MaxScopes scopes; more are not counted.
func New(scopes []format.HeadScope) *Watcher {
	w := &Watcher{conns: make([]conn, connections)}
	for _, s := range scopes[:min(len(scopes), MaxScopes)] {
		times, err := ddsketch.LogCollapsingLowestDenseDDSketch(0.01, sketchBins)
		if err != nil {
			panic(err) // only an accuracy outside of 0 to 1 can fail
		}
		w.scopes = append(w.scopes, scope{HeadScope: s, times: times})
	}
	return w
}

// Call implements format.HeadWatcher.
func (w *Watcher) Call(c *format.HeadCall) {
	if c.Moved <= 0 || c.Flags&format.IOPeek != 0 || c.Dir != format.Read && c.Dir != format.Write {
		return
	}
	b := c.Bytes
	if len(b) == 0 {
		if c.Flags&format.IOMsgStart != 0 {
			w.blind.NoBytes++
		}
		return
	}
	if !mayBegin(b[0]) {
		return
	}
	b = bytes.TrimLeft(b[:min(len(b), lineBytes)], "\r\n") // RFC 9112 §2.2
	protocol, kind := http1.Detect(b)
	switch {
	case protocol == http1.HTTP1 && kind == http1.Response:
		w.response(c, b)
	case c.Flags&format.IOMsgStart == 0:
		// Within a message: nothing there begins one that asks.
	case protocol == http1.HTTP1:
		w.request(c, b)
	case protocol == http1.TLS:
		w.turn(c, &w.blind.TLS)
	case protocol == http1.HTTP2:
		w.turn(c, &w.blind.HTTP2)
	}
}

// Gone implements format.HeadWatcher.
func (w *Watcher) Gone(socket format.SocketID) {
	for i, pair := 0, w.pair(socket); i < len(pair); i++ {
		if pair[i].socket == socket {
			pair[i] = conn{}
		}
	}
}

// mayBegin reports whether a byte can be the first of a start line, a TLS record or an HTTP/2 connection: most calls are
// neither, and pay this one look.
func mayBegin(b byte) bool {
	return 'A' <= b && b <= 'Z' || 20 <= b && b <= 24 || b == '\r' || b == '\n' || b == 0
}

// turn notes that a connection speaks what is not looked at.
func (w *Watcher) turn(c *format.HeadCall, blind *uint64) {
	k := w.take(c)
	if !k.other {
		k.other = true
		k.n = 0
		*blind++
	}
}

func (w *Watcher) request(c *format.HeadCall, line []byte) {
	k := w.take(c)
	if k.other {
		return
	}
	server := c.Dir == format.Read
	if k.n > 0 && k.server != server {
		return // the side that answers never asks
	}
	k.server = server
	a := ask{at: begins(c), scopes: w.match(c, server, line)}
	if k.n == 0 && k.early.at >= a.at {
		w.count(a, k.early)
		k.early = answer{}
		return
	}
	k.early = answer{}
	if k.n == pending {
		w.blind.Unpaired++
		copy(k.asked[:], k.asked[1:])
		k.n--
	}
	k.asked[k.n] = a
	k.n++
}

// response gives a response to the last request before it. Requests before that one have no response that was seen.
func (w *Watcher) response(c *format.HeadCall, line []byte) {
	k := w.find(c)
	r := answer{at: begins(c), status: int(line[9]-'0')*100 + int(line[10]-'0')*10 + int(line[11]-'0')}
	if r.status < 200 && r.status != 101 || k != nil && (k.other || k.n > 0 && k.server != (c.Dir == format.Write)) {
		return
	}
	last := -1
	if k != nil {
		for i := range k.asked[:k.n] {
			if k.asked[i].at <= r.at {
				last = i
			}
		}
	}
	if last < 0 {
		if c.Flags&format.IOMsgStart == 0 {
			return // a body
		}
		if k = w.place(c); k.n == 0 || k.socket == c.Socket { // it may be one that was forgotten: not worth another
			w.take(c).early = r
		}
		return
	}
	w.count(k.asked[last], r)
	w.blind.Unpaired += uint64(last)
	k.n = uint8(copy(k.asked[:], k.asked[last+1:k.n]))
	if r.status == 101 {
		k.other = true
		k.n = 0
	}
}

func (w *Watcher) count(a ask, r answer) {
	took := r.at.Sub(a.at)
	for i := range w.scopes {
		if a.scopes>>i&1 == 0 {
			continue
		}
		s := &w.scopes[i]
		s.counts.Responses++
		if r.status >= 500 && r.status <= 599 {
			s.counts.Errors++
		}
		s.sum += took
		_ = s.times.Add(float64(took) / float64(time.Millisecond)) // fails beyond 1e300 only
	}
}

// begins is when the first byte of the call's bytes moved: a write has them from its entry on, a read at its exit.
func begins(c *format.HeadCall) format.KTime {
	if c.Dir == format.Write && c.Duration > 0 {
		return c.Time.Add(-c.Duration)
	}
	return c.Time
}

// pair is the two places that a connection may have.
func (w *Watcher) pair(socket format.SocketID) []conn {
	// Fibonacci hashing: ids are well mixed, but that is not this package's to trust.
	slot := uint64(socket) * 0x9e3779b97f4a7c15 >> 32 & (connections - 1) &^ 1
	return w.conns[slot : slot+2]
}

// find returns the state of the call's connection, nil if there is none.
func (w *Watcher) find(c *format.HeadCall) *conn {
	pair := w.pair(c.Socket)
	for i := range pair {
		if k := &pair[i]; k.socket == c.Socket && k.inode == c.Inode {
			return k
		}
	}
	return nil
}

// take is find, and gives a place to a connection that has none: one that is free, or of an earlier socket of that id, or else of
// the connection with the least to lose.
func (w *Watcher) take(c *format.HeadCall) *conn {
	if k := w.find(c); k != nil {
		return k
	}
	k := w.place(c)
	if k.n > 0 && k.socket != c.Socket {
		w.blind.Evicted++
	}
	*k = conn{socket: c.Socket, inode: c.Inode}
	return k
}

// place returns the place that take would give.
func (w *Watcher) place(c *format.HeadCall) *conn {
	pair := w.pair(c.Socket)
	if pair[0].loss(c.Socket) > pair[1].loss(c.Socket) {
		return &pair[1]
	}
	return &pair[0]
}

// loss orders places by what is lost when another socket takes them.
func (k *conn) loss(to format.SocketID) int {
	switch {
	case k.socket == to:
		return 0
	case k.n > 0:
		return 3
	case k.other:
		return 2
	}
	return 1
}

// match returns the scopes that a request belongs to.
func (w *Watcher) match(c *format.HeadCall, server bool, line []byte) (set uint64) {
	port := c.RPort
	if server {
		port = c.LPort
	}
	for i := range w.scopes {
		s := &w.scopes[i]
		if s.Client == server || s.Port != 0 && s.Port != port {
			continue
		}
		if s.Path != "" && !bytes.HasPrefix(path(line), []byte(s.Path)) {
			continue
		}
		set |= 1 << i
	}
	return set
}

// path returns the path of a request line's target, and what follows it: of the absolute form, without scheme and authority (RFC
// 9112 §3.2.2).
func path(line []byte) []byte {
	_, target, _ := bytes.Cut(line, []byte(" "))
	if len(target) > 0 && target[0] == '/' {
		return target
	}
	if i := bytes.Index(target, []byte("://")); i >= 0 {
		rest := target[i+3:]
		if j := bytes.IndexAny(rest, "/ "); j >= 0 && rest[j] == '/' {
			return rest[j:]
		}
	}
	return nil
}

// Take implements format.HeadWatcher.
func (w *Watcher) Take(i int) format.HeadCounts {
	if i < 0 || i >= len(w.scopes) {
		return format.HeadCounts{}
	}
	s := &w.scopes[i]
	counts := s.counts
	if counts.Responses > 0 {
		counts.Mean = s.sum / time.Duration(counts.Responses)
		if p, err := s.times.GetValueAtQuantile(nearest(0.99, counts.Responses)); err == nil {
			counts.P99 = time.Duration(min(p*float64(time.Millisecond), math.MaxInt64/2))
		}
		s.times.Clear()
	}
	s.counts, s.sum = format.HeadCounts{}, 0
	return counts
}

// nearest returns what a sketch of n values has to be asked for, for the least value that is not below a share q of them (nearest
// rank): it counts ranks from 0 to n-1 and rounds down, so that of two values the smaller would be their 99th percentile.
func nearest(q float64, n uint64) float64 {
	if n < 2 {
		return 1
	}
	return min(1, (math.Ceil(q*float64(n))-1)/float64(n-1)+1e-12)
}

// Blind implements format.HeadWatcher.
func (w *Watcher) Blind() format.HeadBlind { return w.blind }
