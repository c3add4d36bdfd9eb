package tls

import (
	"iter"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/keylog"
	"github.com/ebpf-reel/reel/analyze/keyring"
	"github.com/ebpf-reel/reel/format"
)

// Secrets that a recorder saw in a process without the client random are offered to the connections of that process. A secret of
// the handshake that came with its transcript is the connection's; any other is, if a record's tag proves it.

// offer is where secrets of a connection are looked for.
type offer struct {
	asks       bool   // the ServerHello decides whether there are secrets
	transcript []byte // up to it: the messages, or what a HelloRetryRequest makes of them (RFC 8446 §4.4.1)
	pid        format.PID
	at         format.KTime // of the ServerHello
	context    []byte       // of the traffic secret that was proved first: that of the other direction has the same
}

// ask keeps what the transcript of a ClientHello is, if there may be secrets for it.
func (s *Stage) ask(t *session, body []byte) {
	if s.cfg.Keys.Empty() || t.phase != waiting {
		return
	}
	t.offer.asks = true
	t.offer.transcript = appendMessage(t.offer.transcript, msgClientHello, body)
}

// appendMessage appends a handshake message as the transcript has it.
func appendMessage(b []byte, msg byte, body []byte) []byte {
	n := len(body)
	return append(append(b, msg, byte(n>>16), byte(n>>8), byte(n)), body...)
}

// retry takes a HelloRetryRequest: the first ClientHello stands in the transcript by its hash.
func (o *offer) retry(chosen Suite, body []byte) {
	known, ok := suites[chosen]
	if !o.asks || !ok {
		return
	}
	const messageHash = 254
	h := known.hash.New()
	h.Write(o.transcript)
	o.transcript = appendMessage(appendMessage(nil, messageHash, h.Sum(nil)), msgServerHello, body)
}

// answer takes the ServerHello of a connection that asks, and decides whether records are decrypted.
func (s *Stage) answer(c *conn.Conn, t *session, body []byte) {
	o := &t.offer
	transcript := appendMessage(o.transcript, msgServerHello, body)
	o.asks, o.transcript = false, nil
	t.phase = watched
	known, ok := suites[t.hellos[1].suite]
	if !ok {
		return
	}
	o.pid = c.PID
	secrets := new(keylog.Secrets)
	labels := []format.TLSLabel{format.TLSKeyBlock}
	if t.hellos[1].version == TLS13 {
		labels = []format.TLSLabel{format.TLSServerHandshake, format.TLSServerTraffic, format.TLSAnyTraffic}
		h := known.hash.New()
		h.Write(transcript)
		context := h.Sum(nil)
		for label, at := range map[format.TLSLabel]keylog.Label{format.TLSClientHandshake: keylog.ClientHandshake, format.TLSServerHandshake: keylog.ServerHandshake} {
			if k := s.cfg.Keys.ByContext(context, label); k != nil {
				k.Used = true
				secrets[at] = k.Secret
				s.cfg.Keys.Resolve(keylog.Random(t.hellos[0].random), at, k.Secret)
				o.pid, o.at = k.PID, k.Time
			}
		}
	}
	random := keylog.Random(t.hellos[0].random)
	offered := secrets[keylog.ServerHandshake] != nil || t.hellos[1].version == TLS12 && len(s.cfg.Keys.Blocks(&random)) > 0
	for range s.cfg.Keys.Near(o.pid, o.at, labels...) {
		offered = true
		break
	}
	if !offered {
		return
	}
	t.phase, t.secrets = keyed, secrets
	t.dirs[0].awaits, t.dirs[1].awaits = true, true
}

// offerCost is what a trial costs beside the bytes of the record: the keys are derived for it. In bytes of decryption.
const offerCost = 4096

// offered tries the secrets that are offered to a direction on a whole record. It reports whether a tag proved one.
func (s *Stage) offered(c *conn.Conn, t *session, d conn.Dir, r *record, ch *conn.Chunk) bool {
	dir := &t.dirs[d]
	if !dir.awaits || r.header.typ() == changeCipherSpec {
		return false
	}
	if t.hellos[1].version == TLS12 {
		return s.offeredBlock(c, t, d, r, ch)
	}
	for k := range s.candidates(t, d) {
		if len(k.Secret) != t.suite.hash.Size() {
			continue
		}
		if !s.try(t, len(r.body)+offerCost) {
			return false
		}
		g := guess{traffic13(t.suite, k.Secret), k.Secret, 2, 0}
		seq, plain, typ, ok := s.proveOffer(t, &g, dir, r)
		if !ok {
			continue
		}
		s.plain = plain
		s.take(t, d, k, typ)
		s.settle(c, t, d, &g, seq, ch)
		s.content(c, t, d, typ, plain, r, ch)
		return true
	}
	return false
}

// maxOfferSkipped bounds the records that came before the one at hand under a secret that is offered.
const maxOfferSkipped = 8

func (s *Stage) proveOffer(t *session, g *guess, dir *direction, r *record) (seq uint64, plain []byte, typ contentType, ok bool) {
	n := uint64(1)
	if dir.hole.open() {
		n = maxOfferSkipped
	}
	for ; seq < n && s.try(t, len(r.body)); seq++ {
		if plain, typ, ok = g.keys.open(s.plain[:0], seq, &r.header, r.body); ok {
			return seq, plain, typ, true
		}
	}
	return 0, nil, 0, false
}

// candidates yields the secrets that the next epoch of a direction may have, the most probable first.
func (s *Stage) candidates(t *session, d conn.Dir) iter.Seq[*keyring.Key] {
	handshakeLabel, traffic, logged := format.TLSClientHandshake, format.TLSClientTraffic, keylog.ClientTraffic
	if d != t.client {
		handshakeLabel, traffic, logged = format.TLSServerHandshake, format.TLSServerTraffic, keylog.ServerTraffic
	}
	random := keylog.Random(t.hellos[0].random)
	return func(yield func(*keyring.Key) bool) {
		// The other end of the connection may have proved it, or the other direction its transcript.
		if found := s.cfg.Keys.Find(&random); found != nil && found[logged] != nil && !yield(&keyring.Key{Label: traffic, Secret: found[logged]}) {
			return
		}
		if k := s.cfg.Keys.ByContext(t.offer.context, traffic); len(t.offer.context) > 0 && k != nil && !yield(k) {
			return
		}
		labels := []format.TLSLabel{traffic, format.TLSAnyTraffic}
		if dir := &t.dirs[d]; dir.keys == nil && len(dir.later) == 0 {
			labels = append(labels, handshakeLabel)
		}
		for k := range s.cfg.Keys.Near(t.offer.pid, t.offer.at, labels...) {
			if !yield(k) {
				return
			}
		}
	}
}

// take takes a secret that a record of the type typ proved.
func (s *Stage) take(t *session, d conn.Dir, k *keyring.Key, typ contentType) {
	dir := &t.dirs[d]
	k.Used = true
	dir.later = [][]byte{k.Secret}
	// Without a label, the first secret is the handshake's, unless its records were missed.
	if k.Label == format.TLSClientHandshake || k.Label == format.TLSServerHandshake || k.Label == format.TLSAnyTraffic && dir.keys == nil && typ == handshake {
		s.cfg.Keys.Resolve(keylog.Random(t.hellos[0].random), [...]keylog.Label{keylog.ClientHandshake, keylog.ServerHandshake}[t.index(d)], k.Secret)
		return
	}
	dir.awaits = false
	t.offer.context = k.Context
	label := keylog.ClientTraffic
	if d != t.client {
		label = keylog.ServerTraffic
	}
	s.cfg.Keys.Resolve(keylog.Random(t.hellos[0].random), label, k.Secret)
}

// blocks yields the key blocks that a connection of TLS 1.2 may have.
func (s *Stage) blocks(t *session) iter.Seq[*keyring.Key] {
	random := keylog.Random(t.hellos[0].random)
	return func(yield func(*keyring.Key) bool) {
		for _, k := range s.cfg.Keys.Blocks(&random) {
			if !yield(k) {
				return
			}
		}
		s.cfg.Keys.Near(t.offer.pid, t.offer.at, format.TLSKeyBlock)(yield)
	}
}

// offeredBlock does the same for key blocks of TLS 1.2, which hold the keys of both directions.
func (s *Stage) offeredBlock(c *conn.Conn, t *session, d conn.Dir, r *record, ch *conn.Chunk) bool {
	dir := &t.dirs[d]
	if dir.keys != nil || dir.hole.open() {
		return false
	}
	for k := range s.blocks(t) {
		pair, ok := splitBlock(t.suite, k.Secret, t.hellos[1].etm)
		if !ok {
			continue
		}
		if !s.try(t, len(r.body)+offerCost) {
			return false
		}
		i := t.index(d)
		plain, typ, ok := pair[i].open(s.plain[:0], 0, &r.header, r.body)
		if !ok {
			continue
		}
		s.plain = plain
		k.Used = true
		s.cfg.Keys.Resolve(keylog.Random(t.hellos[0].random), keylog.KeyBlock, k.Secret)
		for i := range t.dirs {
			t.dirs[i].awaits, t.dirs[i].changed = false, false
		}
		t.pending = pair
		s.install(t, d)
		dir.seq = 1
		s.content(c, t, d, typ, plain, r, ch)
		return true
	}
	return false
}
