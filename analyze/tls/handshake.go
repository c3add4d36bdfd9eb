package tls

import (
	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/keylog"
	"github.com/ebpf-reel/reel/analyze/ledger"
)

// helloMessage takes a handshake message that is in the clear, or was decrypted.
func (s *Stage) helloMessage(c *conn.Conn, t *session, d conn.Dir, msg byte, body []byte) {
	switch {
	case msg == msgClientHello && d == t.client:
		h, ok := parseHello(msg, body)
		if !ok {
			return
		}
		t.hellos[0] = h
		if c.TLS == nil {
			c.TLS = new(facts.TLS)
		}
		if c.TLS.ServerName == "" {
			c.TLS.ServerName = h.serverName
		}
		secrets := s.secrets(&h)
		if s.cfg.Ties.Decrypted(c.Socket, c.Inode) {
			secrets = nil // they would open nothing
		}
		switch {
		case secrets != nil:
			t.phase, t.secrets = keyed, secrets
			t.early.waits = secrets[keylog.ClientEarly] != nil && !t.retried
		case !s.cfg.Keys.Empty() && t.phase == waiting:
			s.ask(t, body)
		case t.phase == waiting:
			t.phase = watched
			c.TLS.Unread = facts.UnreadNoKey
		}
	case msg == msgServerHello && d != t.client:
		h, ok := parseHello(msg, body)
		if !ok {
			return
		}
		if h.retry {
			t.retried, t.early = true, early{} // which refuses early data (RFC 8446 §4.1.4)
			t.offer.retry(h.suite, body)
			return
		}
		t.hellos[1] = h
		if h.version != TLS13 {
			t.early = early{}
		}
		c.TLS.Version, c.TLS.Cipher = h.version.String(), h.suite.String()
		if h.alpn != "" {
			c.TLS.ALPN = h.alpn
		}
		if t.offer.asks {
			s.answer(c, t, body)
		}
		if t.phase != keyed {
			return
		}
		if h.version == TLS12 {
			s.masters.remember(h.session, t.secrets)
		}
		s.schedule(c, t)
	case msg == msgTicket && d != t.client && t.phase == keyed && t.hellos[1].version == TLS12:
		if ticket, ok := parseTicket(body); ok {
			s.masters.remember(ticket, t.secrets)
		}
	case msg == msgEndOfEarly && d == t.client:
		t.endEarly()
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
	if found := s.cfg.Keys.Find(&random); found != nil {
		return found
	}
	if found := s.masters.find(h.ticket); found != nil {
		return found
	}
	return s.masters.find(h.session)
}

// schedule derives what the secrets give once version and suite are known.
func (s *Stage) schedule(c *conn.Conn, t *session) {
	known, ok := suites[t.hellos[1].suite]
	version := t.hellos[1].version
	if !ok || version != TLS12 && version != TLS13 {
		c.TLS.Unread = facts.UnreadSuite
		s.ledger.Add(ledger.TLSUnreadable, 1, ledger.Where{At: c.Start, Conn: c.ID, PID: c.PID, Text: version.String() + " " + t.hellos[1].suite.String()})
		return
	}
	t.suite = &known
	if version == TLS12 {
		if master := t.secrets[keylog.Master]; master != nil {
			t.pending = keyBlock12(t.suite, master, t.hellos[0].random[:], t.hellos[1].random[:], t.hellos[1].etm)
		} else if pair, ok := splitBlock(t.suite, t.secrets[keylog.KeyBlock], t.hellos[1].etm); ok {
			t.pending = pair
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

// install takes the keys of TLS 1.2 into use.
func (s *Stage) install(t *session, d conn.Dir) {
	if p := t.pending[t.index(d)]; p != nil {
		dir := &t.dirs[d]
		dir.keys, dir.seq, dir.data = p, 0, true
		t.pending[t.index(d)] = nil
	}
}
