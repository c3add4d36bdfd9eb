package tls

import (
	"crypto/sha256"

	"github.com/ebpf-reel/reel/analyze/keylog"
)

// sessionKey names a session of TLS 1.2: the hash of its id, or of its ticket, which may be 64 KiB long. The zero value is none.
type sessionKey [16]byte

func sessionKeyOf(b []byte) (k sessionKey) {
	if len(b) > 0 {
		sum := sha256.Sum256(b)
		copy(k[:], sum[:])
	}
	return k
}

// maxSessions bounds the sessions that are remembered; the oldest are forgotten.
const maxSessions = 1 << 14

// masters are the master secrets of TLS 1.2 sessions: a key log need not repeat them when a session is resumed (Go's does not).
type masters struct {
	known map[sessionKey]*keylog.Secrets
	order []sessionKey // ring, in the order of their arrival
	next  int
}

func (m *masters) find(k sessionKey) *keylog.Secrets { return m.known[k] }

func (m *masters) remember(k sessionKey, secrets *keylog.Secrets) {
	if k == (sessionKey{}) || secrets[keylog.Master] == nil {
		return
	}
	if m.known == nil {
		m.known = make(map[sessionKey]*keylog.Secrets)
	}
	if _, ok := m.known[k]; !ok {
		if len(m.order) < maxSessions {
			m.order = append(m.order, k)
		} else {
			delete(m.known, m.order[m.next])
			m.order[m.next] = k
			m.next = (m.next + 1) % maxSessions
		}
	}
	m.known[k] = secrets
}
