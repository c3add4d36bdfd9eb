// Package tie turns calls of TLS libraries into the sockets that their plaintext belongs to.
//
// A call that makes system calls itself is tied to their socket, and with it its whole session, exactly: the recorder saw the
// one inside the other. Where a library is given its ciphertext in memory, and an event loop moves that to and from sockets,
// the calls of the same thread around it and the lengths of TLS records decide: see memory.go.
package tie

import (
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/format"
)

// Socket is the identity of a socket: the kernel uses addresses again, but not inodes.
type Socket struct {
	ID    format.SocketID
	Inode format.Inode
}

// Tie is the socket of a session.
type Tie struct {
	Socket
	By facts.Certainty // Exact: the session's own system calls, or the lengths of its records; Inferred: neighbours in time alone
}

// Ties are the sockets of all sessions of a reel. The zero value has none.
type Ties struct {
	sessions map[format.SessionID]Tie
	sockets  map[Socket]facts.Certainty
	// decrypted are sockets whose plaintext was decrypted when the reel was finished: what calls of the library moved there is the same.
	decrypted map[Socket]bool
}

// Decrypted reports whether the plaintext of a socket was decrypted when the reel was finished: its ciphertext is not there any more.
func (t *Ties) Decrypted(id format.SocketID, inode format.Inode) bool {
	return t != nil && t.decrypted[Socket{id, inode}]
}

// Twice reports whether the plaintext of a row, which Tied gave, is there once more, decrypted.
func (t *Ties) Twice(r *format.TLS) bool {
	return r.Flags&format.TLSDecrypted == 0 && t.decrypted[Socket{r.Socket, r.Inode}]
}

// Tied returns the row, or a copy of it with the socket that its session is tied to.
func (t *Ties) Tied(r *format.TLS) *format.TLS {
	if r.Socket != 0 {
		return r
	}
	tied := *r
	s := t.sessions[r.Session]
	tied.Socket, tied.Inode = s.ID, s.Inode
	return &tied
}

// Plaintext reports whether rows of plaintext are tied to a socket, and how certainly: the least of them.
func (t *Ties) Plaintext(id format.SocketID, inode format.Inode) facts.Certainty {
	return t.sockets[Socket{id, inode}]
}

// maxSessions bounds the sessions that are kept; of those beyond, rows with a socket of their own are tied all the same.
const maxSessions = 1 << 20

// Builder finds ties. It is given all TLS rows, then, if Loose says that sessions are left, all rows of tables socket, io and tls
// in the order of time.
type Builder struct {
	ledger *ledger.Tally
	ties   Ties
	loose  map[format.SessionID]*loose
	memory
}

// NewBuilder returns a Builder that has seen nothing.
func NewBuilder(tally *ledger.Tally) *Builder {
	return &Builder{ledger: tally, ties: Ties{sessions: map[format.SessionID]Tie{}, sockets: map[Socket]facts.Certainty{}, decrypted: map[Socket]bool{}}, loose: map[format.SessionID]*loose{},
		memory: memory{pids: map[format.PID]bool{}, threads: map[threadID]*thread{}, sides: map[Socket]*side{}}}
}

// Call takes a TLS row, in the first pass.
func (b *Builder) Call(r *format.TLS) {
	if r.Socket == 0 {
		if _, known := b.ties.sessions[r.Session]; !known && len(b.loose) < maxSessions {
			if b.loose[r.Session] == nil {
				b.loose[r.Session] = &loose{claims: map[Socket]*claim{}}
			}
			b.pids[r.PID] = true
		}
		return
	}
	s := Socket{r.Socket, r.Inode}
	b.ties.sockets[s] = facts.Exact
	if r.Flags&format.TLSDecrypted != 0 {
		b.ties.decrypted[s] = true
	}
	if _, known := b.ties.sessions[r.Session]; known || len(b.ties.sessions) < maxSessions {
		b.ties.sessions[r.Session] = Tie{s, facts.Exact}
		delete(b.loose, r.Session)
	}
}

// Loose reports whether there are sessions without a system call of their own.
func (b *Builder) Loose() bool { return len(b.loose) > 0 }

// Ties returns what was found.
func (b *Builder) Ties() *Ties {
	b.decide()
	return &b.ties
}
