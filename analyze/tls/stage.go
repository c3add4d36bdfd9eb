// Package tls turns the ciphertext of TLS connections into plaintext streams, with the secrets of a key log. It stands between
// the connections and those who read their streams: it passes on what is not TLS, and what it has no secrets for, as it came.
//
// Every record is proved by its tag or MAC, so no plaintext is ever on a wrong connection. Records that a byte budget cut are
// decrypted up to the cut, which proves nothing, and are counted. Behind a hole the sequence number is found by trial against
// the next whole record (trial.go); until that proves it, nothing is given out.
package tls

import (
	"bytes"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/keylog"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/analyze/mask"
	"github.com/ebpf-reel/reel/format"
)

// Config is what a Stage decrypts with. The zero value decrypts nothing: handshakes are read all the same.
type Config struct {
	Log         *keylog.Log
	KeepSecrets bool // else credentials in the plaintext are masked (DESIGN D15): no seal has seen it
}

// Stage is the conn.Handler that decrypts.
type Stage struct {
	next   conn.Handler
	cfg    Config
	ledger *ledger.Tally
	// masters are the master secrets of TLS 1.2 sessions by ticket and by id: a key log need not repeat them when a session
	// is resumed (Go's does not).
	masters map[string]*keylog.Secrets

	plain []byte     // of the record at hand
	out   conn.Chunk // given to next
}

// New returns a Stage that gives streams to next.
func New(cfg Config, tally *ledger.Tally, next conn.Handler) *Stage {
	return &Stage{next: next, cfg: cfg, ledger: tally, masters: make(map[string]*keylog.Secrets)}
}

// phase is how far a connection is.
type phase uint8

const (
	waiting phase = iota // for a ClientHello; what came is held
	keyed                // there are secrets: records are decrypted
	watched              // there are none: the ServerHello is read, everything is passed on
	passed               // it is not TLS, or nothing more is to be learnt of it
)

// session is the TLS side of one connection.
type session struct {
	phase   phase
	client  conn.Dir // direction of the client; valid from keyed and watched on
	secrets *keylog.Secrets
	hellos  [2]hello // client's, server's
	suite   *suite   // nil until the ServerHello
	held    []heldData
	heldLen int
	early   [][]byte // records of early data, until the server says whether it takes them
	dirs    [2]direction
	pending [2]protection // TLS 1.2: from the next ChangeCipherSpec on; client first
	tried   int64         // bytes of trial decryption
	last    conn.Dir      // that plaintext was given out of
	any     bool
}

// plain stands for every connection that there is nothing to do for.
var plain = &session{phase: passed}

// direction is one direction of a session.
type direction struct {
	framer
	msgs   messages
	keys   protection // nil: records are in the clear
	secret []byte     // TLS 1.3: of keys
	seq    uint64     // of the next record
	later  [][]byte   // TLS 1.3: secrets of the epochs to come
	data   bool       // keys are those of application data
	mask   mask.Stream
}

// heldData is a chunk that waits for the decision whether the connection is TLS.
type heldData struct {
	d  conn.Dir
	ch conn.Chunk
}

// maxHeld bounds what is held of one connection.
const maxHeld = 32 << 10

func (s *Stage) session(c *conn.Conn) *session {
	t, _ := c.Layer.(*session)
	return t
}

// Data takes the next bytes of a direction.
func (s *Stage) Data(c *conn.Conn, d conn.Dir, ch *conn.Chunk) {
	t := s.session(c)
	if t == nil {
		t = plain
		if b := ch.Bytes; len(b) > 0 && b[0] == byte(handshake) && (len(b) == 1 || b[1] == 3) {
			t = &session{phase: waiting, client: d}
		}
		c.Layer = t
	}
	switch t.phase {
	case waiting:
		s.hold(c, t, d, ch)
		return
	case watched:
		s.watch(c, t, d, ch)
	case keyed:
		s.decrypt(c, t, d, ch)
		return
	}
	s.next.Data(c, d, ch)
}

// hold keeps a chunk, and looks whether the ClientHello is there.
func (s *Stage) hold(c *conn.Conn, t *session, d conn.Dir, ch *conn.Chunk) {
	kept := *ch
	kept.Bytes = bytes.Clone(ch.Bytes)
	t.held, t.heldLen = append(t.held, heldData{d, kept}), t.heldLen+len(kept.Bytes)
	dir := &t.dirs[d]
	dir.bytes(ch.Bytes, 0, ch, func(r *record) {
		if t.phase == waiting && d == t.client && r.header.typ() == handshake {
			dir.msgs.add(r.body, func(msg byte, body []byte) { s.helloMessage(c, t, d, msg, body) })
			return
		}
		if t.phase == keyed {
			s.record(c, t, d, r, ch)
		}
	})
	if t.phase == waiting && (d != t.client || ch.Cut > 0 || dir.lost || t.heldLen > maxHeld) {
		t.phase = passed
	}
	if t.phase != waiting {
		s.release(c, t)
	}
}

// release gives out what was held, unless it belongs to a handshake that is decrypted.
func (s *Stage) release(c *conn.Conn, t *session) {
	held := t.held
	t.held = nil
	if t.phase == keyed {
		return
	}
	for i := range held {
		s.next.Data(c, held[i].d, &held[i].ch)
	}
	if t.phase == passed {
		c.Layer = plain
	}
}

// watch reads the server's handshake in the clear as far as the ServerHello, for the sake of version and suite.
func (s *Stage) watch(c *conn.Conn, t *session, d conn.Dir, ch *conn.Chunk) {
	if d == t.client {
		return
	}
	dir := &t.dirs[d]
	dir.bytes(ch.Bytes, 0, ch, func(r *record) {
		if t.phase == watched && r.header.typ() == handshake {
			dir.msgs.add(r.body, func(msg byte, body []byte) { s.helloMessage(c, t, d, msg, body) })
		}
	})
	if t.phase == passed || ch.Cut > 0 || dir.lost {
		c.Layer = plain
	}
}

// helloMessage takes a handshake message that is in the clear, or was decrypted.
func (s *Stage) helloMessage(c *conn.Conn, t *session, d conn.Dir, msg byte, body []byte) {
	switch {
	case msg == msgClientHello && d == t.client:
		h, ok := parseHello(msg, body)
		if !ok {
			return
		}
		t.hellos[0] = h
		c.Secure = true
		if c.TLS.ServerName == "" {
			c.TLS.ServerName = h.serverName
		}
		secrets := s.secrets(&h)
		switch {
		case secrets != nil:
			t.phase, t.secrets = keyed, secrets
		case t.phase == waiting:
			t.phase = watched
		}
	case msg == msgServerHello && d != t.client:
		h, ok := parseHello(msg, body)
		if !ok || h.retry {
			return
		}
		t.hellos[1] = h
		c.TLS.Version, c.TLS.Cipher = h.version.String(), h.suite.String()
		if h.alpn != "" {
			c.TLS.ALPN = h.alpn
		}
		if t.phase != keyed {
			t.phase = passed
			return
		}
		if h.session != "" && h.version == TLS12 {
			s.remember(h.session, t.secrets)
		}
		s.schedule(c, t)
	case msg == msgTicket && d != t.client && t.phase == keyed && t.hellos[1].version == TLS12:
		if ticket, ok := parseTicket(body); ok {
			s.remember(ticket, t.secrets)
		}
	case msg == msgExtensions && d != t.client:
		h, ok := parseExtensions(body)
		if !ok {
			return
		}
		if h.alpn != "" {
			c.TLS.ALPN = h.alpn
		}
		s.earlyData(c, t, h.early)
	}
}

// secrets finds the secrets of the connection that a ClientHello begins: by its random, else by the session that it resumes.
func (s *Stage) secrets(h *hello) *keylog.Secrets {
	random := keylog.Random(h.random)
	if found := s.cfg.Log.Find(&random); found != nil {
		return found
	}
	if found := s.masters[h.ticket]; found != nil {
		return found
	}
	return s.masters[h.session]
}

// maxSessions bounds the sessions that are remembered.
const maxSessions = 1 << 14

func (s *Stage) remember(session string, secrets *keylog.Secrets) {
	if len(s.masters) < maxSessions && secrets[keylog.Master] != nil {
		s.masters[session] = secrets
	}
}

// schedule derives what the secrets give once version and suite are known.
func (s *Stage) schedule(c *conn.Conn, t *session) {
	known, ok := suites[t.hellos[1].suite]
	version := t.hellos[1].version
	if !ok || known.mode == unread || version != TLS12 && version != TLS13 {
		s.ledger.Add(ledger.TLSUnreadable, 1, ledger.Where{At: c.Start, Conn: c.ID, PID: c.PID, Text: version.String() + " " + t.hellos[1].suite.String()})
		return
	}
	t.suite = &known
	if version == TLS12 {
		if master := t.secrets[keylog.Master]; master != nil {
			t.pending = keyBlock12(t.suite, master, t.hellos[0].random[:], t.hellos[1].random[:], t.hellos[1].etm)
		}
		return
	}
	for i, labels := range [2][]keylog.Label{{keylog.ClientHandshake, keylog.ClientTraffic}, {keylog.ServerHandshake, keylog.ServerTraffic}} {
		dir := &t.dirs[t.side(i)]
		for _, label := range labels {
			if secret := t.secrets[label]; len(secret) == t.suite.hash.Size() {
				dir.later = append(dir.later, secret)
			}
		}
	}
}

// side returns the direction of the client (0) or the server (1).
func (t *session) side(i int) conn.Dir {
	if i == 0 {
		return t.client
	}
	return t.client.Other()
}

// index is the inverse of side.
func (t *session) index(d conn.Dir) int {
	if d == t.client {
		return 0
	}
	return 1
}

// decrypt takes bytes of a connection that there are secrets for.
func (s *Stage) decrypt(c *conn.Conn, t *session, d conn.Dir, ch *conn.Chunk) {
	dir := &t.dirs[d]
	take := func(r *record) { s.record(c, t, d, r, ch) }
	dir.bytes(ch.Bytes, 0, ch, take)
	s.search(c, t, d, ch)
	if ch.Cut > 0 {
		dir.skip(int64(min(ch.Cut, 1<<62)), true, take)
	}
}

// Lost takes bytes whose calls are missing.
func (s *Stage) Lost(c *conn.Conn, d conn.Dir, n int64, at *conn.Chunk) {
	t := s.session(c)
	if t == nil {
		t = plain
		c.Layer = t
	}
	switch t.phase {
	case waiting, watched:
		t.phase = passed
		s.release(c, t)
	case keyed:
		dir := &t.dirs[d]
		if n < 0 {
			dir.hole.unknown = true
			dir.lose(0, true)
			return
		}
		dir.skip(n, false, func(r *record) { s.record(c, t, d, r, at) })
		return
	}
	s.next.Lost(c, d, n, at)
}

// record takes one record.
func (s *Stage) record(c *conn.Conn, t *session, d conn.Dir, r *record, ch *conn.Chunk) {
	dir := &t.dirs[d]
	typ := r.header.typ()
	if dir.keys == nil && typ == handshake && r.whole {
		dir.msgs.add(r.body, func(msg byte, body []byte) { s.helloMessage(c, t, d, msg, body) })
		return
	}
	if dir.keys == nil && typ == changeCipherSpec && t.hellos[1].version == TLS12 {
		s.install(t, d)
		return
	}
	switch {
	case typ != applicationData && t.hellos[1].version != TLS12:
		return // of TLS 1.3 and in the clear: ChangeCipherSpec for middleboxes (RFC 8446 D.4), alerts
	case dir.keys == nil && len(dir.later) == 0:
		if typ == applicationData && d == t.client && r.whole && t.suite == nil && t.secrets[keylog.ClientEarly] != nil {
			s.holdEarly(t, r)
			return
		}
		dir.unopened(r)
	case r.whole:
		if !s.open(c, t, d, r, ch) {
			dir.unopened(r)
		}
	case dir.keys != nil && dir.data && !dir.hole.open() && typ == applicationData && !(dir.secret != nil && r.header.length() == alertLen):
		s.peek(c, t, d, r, ch)
	default:
		dir.unopened(r)
	}
}

// alertLen is the body of an alert in TLS 1.3, which looks like two bytes of data: with one, connections end.
const alertLen = 2 + 1 + tagLen

// unopened makes a record part of the hole.
func (dir *direction) unopened(r *record) {
	dir.hole.bytes += int64(headerLen + r.header.length())
	dir.hole.lost = dir.hole.lost || !r.whole && !r.cut
	dir.msgs.reset()
}

// install takes the keys of TLS 1.2 into use.
func (s *Stage) install(t *session, d conn.Dir) {
	if p := t.pending[t.index(d)]; p != nil {
		dir := &t.dirs[d]
		dir.keys, dir.seq, dir.data = p, 0, true
		t.pending[t.index(d)] = nil
	}
}

// maxEarly bounds the early data that is held of one connection: servers take 16 KiB by default.
const maxEarly = 64 << 10

func (s *Stage) holdEarly(t *session, r *record) {
	n := 0
	for _, e := range t.early {
		n += len(e)
	}
	if n+len(r.body) <= maxEarly {
		t.early = append(t.early, append(append([]byte{}, r.header[:]...), r.body...))
	}
}

// earlyData decrypts the early data if the server takes it.
func (s *Stage) earlyData(c *conn.Conn, t *session, taken bool) {
	records := t.early
	t.early = nil
	secret := t.secrets[keylog.ClientEarly]
	if !taken || t.suite == nil || len(secret) != t.suite.hash.Size() {
		return
	}
	keys := traffic13(t.suite, secret)
	at := &conn.Chunk{Start: c.Start, End: c.Start, PID: c.PID}
	for i, b := range records {
		h := header(b)
		plain, typ, ok := keys.open(s.plain[:0], uint64(i), &h, b[headerLen:])
		s.plain = plain
		if ok && typ == applicationData {
			c.TLS.Records++
			s.emit(c, t, t.client, plain, 0, &origin{start: c.Start}, at)
		}
	}
}

// emit gives out plaintext, and cut bytes of it behind that are not there.
func (s *Stage) emit(c *conn.Conn, t *session, d conn.Dir, plain []byte, cut uint64, first *origin, ch *conn.Chunk) {
	if len(plain) == 0 && cut == 0 {
		return // an empty record hides the length of others (RFC 5246 §6.2.1)
	}
	s.out = conn.Chunk{
		Start: min(first.start, ch.Start), End: ch.End, PID: ch.PID, TID: ch.TID, Call: ch.Call, Turn: !t.any || t.last != d,
		Seq: first.seq, SeqValid: first.seqValid, Bytes: plain, Cut: cut,
	}
	if dir := &t.dirs[d]; !s.cfg.KeepSecrets {
		dir.mask.Mask(plain)
		if cut > 0 {
			dir.mask.Skip()
		}
	}
	t.any, t.last = true, d
	c.TLS.Plain[d] += uint64(len(plain)) + cut
	s.next.Data(c, d, &s.out)
}

// emitLost says that n bytes of plaintext are missing; -1 if nobody knows how many.
func (s *Stage) emitLost(c *conn.Conn, t *session, d conn.Dir, n int64, at format.KTime, ch *conn.Chunk) {
	s.out = conn.Chunk{Start: min(at, ch.Start), End: ch.End, Call: ch.Call, Turn: !t.any || t.last != d}
	t.any, t.last = true, d
	t.dirs[d].mask.Skip()
	c.TLS.Plain[d] += uint64(max(n, 0))
	s.next.Lost(c, d, n, &s.out)
}

// End takes the end of a direction.
func (s *Stage) End(c *conn.Conn, d conn.Dir, how conn.Ending, at *conn.Chunk) {
	if t := s.session(c); t != nil {
		switch t.phase {
		case waiting:
			t.phase = passed
			s.release(c, t)
		case keyed:
			s.endHole(c, t, d, at)
		}
	}
	s.next.End(c, d, how, at)
}

// endHole gives out a hole that no record came behind.
func (s *Stage) endHole(c *conn.Conn, t *session, d conn.Dir, at *conn.Chunk) {
	dir := &t.dirs[d]
	if dir.lost || dir.filled > 0 {
		dir.lose(0, !dir.cut)
	}
	lastAlert := dir.secret != nil && !dir.hole.lost && !dir.hole.unknown && dir.hole.bytes == headerLen+alertLen
	if dir.hole.open() && !lastAlert && (dir.data || len(dir.later) > 0) {
		s.ledger.AddBytes(ledger.TLSUnopened, 1, uint64(dir.hole.bytes), ledger.Where{At: at.End, Conn: c.ID, PID: c.PID})
		s.emitLost(c, t, d, -1, at.Start, at)
	}
	*dir = direction{}
}

// Closed takes the end of both directions.
func (s *Stage) Closed(c *conn.Conn) {
	if t := s.session(c); t != nil {
		if t.phase == waiting {
			t.phase = passed
			s.release(c, t)
		}
		c.Layer = plain
	}
	s.next.Closed(c)
}

// Gone takes a connection that is complete.
func (s *Stage) Gone(c *conn.Conn) error {
	where := ledger.Where{At: c.Start, Conn: c.ID, PID: c.PID}
	switch {
	case c.TLS.Unproved > 0:
		s.ledger.Add(ledger.TLSUnproved, c.TLS.Unproved, where)
	case c.Secure && s.cfg.Log != nil && c.TLS.Records == 0:
		s.ledger.Add(ledger.TLSNoSecret, 1, where)
	}
	return s.next.Gone(c)
}

// Joined passes on that the other end was found.
func (s *Stage) Joined(c, other *conn.Conn) { s.next.Joined(c, other) }
