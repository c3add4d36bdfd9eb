package tls_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	stdtls "crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	mrand "math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/keylog"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/analyze/tls"
	"github.com/ebpf-reel/reel/format"
)

// crypto/tls is the oracle: two of its ends talk, and what they said must come out of what they sent.

// flight is what one end sent by one write.
type flight struct {
	d conn.Dir // as the client sees it
	b []byte
}

// wiretap records the writes of both ends of a connection, in order.
type wiretap struct {
	mu      sync.Mutex
	flights []flight
}

type tapped struct {
	net.Conn
	tap *wiretap
	d   conn.Dir
}

func (c tapped) Write(b []byte) (int, error) {
	c.tap.mu.Lock()
	c.tap.flights = append(c.tap.flights, flight{c.d, bytes.Clone(b)})
	c.tap.mu.Unlock()
	return c.Conn.Write(b)
}

var certificates = sync.OnceValue(func() []stdtls.Certificate {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"shop.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	sign := func(public, private any) stdtls.Certificate {
		der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
		if err != nil {
			panic(err)
		}
		return stdtls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return []stdtls.Certificate{sign(&r.PublicKey, r), sign(&e.PublicKey, e)}
})

// talk lets two ends exchange turns of n bytes each, the client first, and returns what they sent and the key log.
func talk(t testing.TB, client, server *stdtls.Config, turns []int) (*wiretap, *keylog.Log, stdtls.ConnectionState) {
	t.Helper()
	var keys bytes.Buffer
	tap := &wiretap{}
	client, server = client.Clone(), server.Clone()
	client.KeyLogWriter, client.InsecureSkipVerify, client.ServerName = &keys, true, "shop.example"
	server.Certificates = certificates()
	a, b := pair(t)
	c, s := stdtls.Client(tapped{a, tap, conn.Out}, client), stdtls.Server(tapped{b, tap, conn.In}, server)
	ends := [2]*stdtls.Conn{c, s}
	serverDone := make(chan error, 1)
	run := func(self int) error {
		defer ends[self].Close()
		sent := [2]uint64{}
		for i, n := range turns {
			from := i % 2
			if self == from {
				if _, err := ends[self].Write(numbers(sent[from], n)); err != nil {
					return err
				}
			} else if _, err := io.CopyN(io.Discard, ends[self], int64(n)); err != nil {
				return err
			}
			sent[from] += uint64(n)
		}
		if self != (len(turns)-1)%2 {
			return nil // it closes first
		}
		if _, err := ends[self].Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			return fmt.Errorf("after the last turn: %w", err)
		}
		return nil
	}
	go func() { serverDone <- run(1) }()
	if err := run(0); err != nil {
		t.Fatal("client:", err)
	}
	if err := <-serverDone; err != nil {
		t.Fatal("server:", err)
	}
	log, err := keylog.Read(&keys)
	if err != nil {
		t.Fatal(err)
	}
	return tap, log, c.ConnectionState()
}

// pair returns a connection over loopback: both ends may write at once.
func pair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// numbers returns n bytes of a stream from offset off on in which every place can be told: each eight bytes are their offset.
func numbers(off uint64, n int) []byte {
	b := make([]byte, 0, n+16)
	for at := off &^ 7; len(b) < n+8; at += 8 {
		b = binary.BigEndian.AppendUint64(b, at|1<<62)
	}
	return b[off%8:][:n]
}

// heard is the conn.Handler that keeps what comes, and holds it against what was said.
type heard struct {
	t       testing.TB
	said    [2]int // bytes
	at      [2]uint64
	known   [2]bool // at is
	bytes   [2]uint64
	cut     [2]uint64
	lost    [2]int64
	jumps   [2]int
	raw     [2]uint64 // bytes that came as they were
	passing bool
}

func (h *heard) Data(_ *conn.Conn, d conn.Dir, ch *conn.Chunk) {
	if h.passing {
		h.raw[d] += uint64(len(ch.Bytes)) + ch.Cut
		return
	}
	if !h.known[d] && len(ch.Bytes) >= 16 {
		// Behind a jump the bytes tell where they belong.
		for i := range 8 {
			if v := binary.BigEndian.Uint64(ch.Bytes[i:]); v>>32 == 1<<30 && v&7 == 0 {
				h.at[d], h.known[d] = v&^(1<<62)-uint64(i), true
				break
			}
		}
	}
	if h.known[d] {
		if want := numbers(h.at[d], len(ch.Bytes)); !bytes.Equal(ch.Bytes, want) {
			h.t.Errorf("direction %d at %d: %d bytes are not those that were said", d, h.at[d], len(ch.Bytes))
		}
	}
	h.at[d] += uint64(len(ch.Bytes)) + ch.Cut
	h.bytes[d] += uint64(len(ch.Bytes))
	h.cut[d] += ch.Cut
}

func (h *heard) Lost(_ *conn.Conn, d conn.Dir, n int64, _ *conn.Chunk) {
	if n < 0 {
		h.known[d] = false
		h.jumps[d]++
		return
	}
	h.lost[d] += n
	h.at[d] += uint64(n)
}

func (h *heard) End(*conn.Conn, conn.Dir, conn.Ending, *conn.Chunk) {}
func (h *heard) Closed(*conn.Conn)                                  {}
func (h *heard) Gone(*conn.Conn) error                              { return nil }
func (h *heard) Joined(_, _ *conn.Conn)                             {}

// piece is a part of the stream as calls moved it.
type piece struct {
	d    conn.Dir
	b    []byte
	cut  int  // bytes behind b that the budget cut
	gone bool // the call is lost
}

// play gives pieces to a Stage and returns what came out.
func play(t testing.TB, log *keylog.Log, pieces []piece, turns []int) (*heard, *conn.Conn) {
	h := newHeard(t, turns)
	h.passing = log == nil
	return h, h.hear(tls.New(tls.Config{Log: log, KeepSecrets: true}, ledger.NewTally(), h), pieces)
}

func newHeard(t testing.TB, turns []int) *heard {
	h := &heard{t: t, known: [2]bool{true, true}}
	for i, n := range turns {
		h.said[1-i%2] += n
	}
	return h
}

// hear gives the pieces of one connection to a Stage.
func (h *heard) hear(stage *tls.Stage, pieces []piece) *conn.Conn {
	c := &conn.Conn{}
	seqs := [2]format.Seq{1<<32 - 100, 5}
	now := format.KTime(1000)
	for i, p := range pieces {
		now += 10
		ch := conn.Chunk{Start: now, End: now + 5, Call: uint32(i + 1), Seq: seqs[p.d], SeqValid: true, Bytes: bytes.Clone(p.b), Cut: uint64(p.cut)}
		seqs[p.d] += format.Seq(uint32(len(p.b) + p.cut))
		if p.gone {
			ch.Bytes, ch.Cut = nil, 0
			stage.Lost(c, p.d, int64(len(p.b)+p.cut), &ch)
			continue
		}
		stage.Data(c, p.d, &ch)
		clear(ch.Bytes) // valid during the call only
	}
	for d := range conn.Dir(2) {
		stage.End(c, d, conn.FIN, &conn.Chunk{Start: now, End: now})
	}
	stage.Closed(c)
	if err := stage.Gone(c); err != nil {
		h.t.Fatal(err)
	}
	return c
}

// whole checks that everything came out.
func (h *heard) whole() {
	h.t.Helper()
	for d := range h.said {
		if h.bytes[d] != uint64(h.said[d]) || h.cut[d] != 0 || h.lost[d] != 0 || h.jumps[d] != 0 {
			h.t.Errorf("direction %d: %d bytes of %d came out, %d cut, %d lost, %d jumps", d, h.bytes[d], h.said[d], h.cut[d], h.lost[d], h.jumps[d])
		}
	}
}

func (w *wiretap) pieces(size func() int) []piece {
	var all []piece
	for _, f := range w.flights {
		for b := f.b; len(b) > 0; {
			n := min(size(), len(b))
			all = append(all, piece{d: f.d, b: b[:n]})
			b = b[n:]
		}
	}
	return all
}

var whole = func() int { return 1 << 30 }

type setting struct {
	name           string
	client, server *stdtls.Config
}

func settings() []setting {
	s := []setting{{"TLS 1.3", &stdtls.Config{}, &stdtls.Config{}},
		{"TLS 1.3 retry", &stdtls.Config{}, &stdtls.Config{CurvePreferences: []stdtls.CurveID{stdtls.CurveP521}}}}
	for _, id := range []uint16{
		stdtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, stdtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, stdtls.TLS_RSA_WITH_AES_256_GCM_SHA384,
		stdtls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, stdtls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		stdtls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, stdtls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, stdtls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
	} {
		only := &stdtls.Config{MaxVersion: stdtls.VersionTLS12, CipherSuites: []uint16{id}}
		s = append(s, setting{stdtls.CipherSuiteName(id), only, only})
	}
	return s
}

var turns = []int{40, 5, 1, 40_000, 300, 16_384, 16_385, 0, 7, 100_000}

func TestStreamsComeOutAsTheyWereSaid(t *testing.T) {
	for _, s := range settings() {
		t.Run(s.name, func(t *testing.T) {
			tap, log, state := talk(t, s.client, s.server, turns)
			rng := mrand.New(mrand.NewPCG(1, 2))
			for _, size := range []func() int{whole, func() int { return 1 }, func() int { return 1 + rng.IntN(40) }, func() int { return 1 + rng.IntN(9000) }} {
				h, c := play(t, log, tap.pieces(size), turns)
				h.whole()
				if c.TLS.ServerName != "shop.example" || c.TLS.Cipher != stdtls.CipherSuiteName(state.CipherSuite) || c.TLS.Version != stdtls.VersionName(state.Version) {
					t.Errorf("TLS is %+v, the ends say %s %s", c.TLS, stdtls.VersionName(state.Version), stdtls.CipherSuiteName(state.CipherSuite))
				}
				if c.TLS.Unproved != 0 || c.TLS.Plain != [2]uint64{uint64(h.said[0]), uint64(h.said[1])} {
					t.Errorf("TLS is %+v", c.TLS)
				}
			}
		})
	}
}

// Without its secret a connection is passed on byte by byte, and its handshake is told all the same.
func TestWithoutSecrets(t *testing.T) {
	tap, _, state := talk(t, &stdtls.Config{}, &stdtls.Config{}, turns)
	var sent [2]uint64
	for _, f := range tap.flights {
		sent[f.d] += uint64(len(f.b))
	}
	rng := mrand.New(mrand.NewPCG(3, 4))
	for _, size := range []func() int{whole, func() int { return 1 }, func() int { return 1 + rng.IntN(300) }} {
		h, c := play(t, nil, tap.pieces(size), turns)
		if h.raw != sent {
			t.Errorf("%d bytes were passed on of %d", h.raw, sent)
		}
		if c.TLS.ServerName != "shop.example" || c.TLS.Cipher != stdtls.CipherSuiteName(state.CipherSuite) || c.TLS.Records != 0 {
			t.Errorf("TLS is %+v", c.TLS)
		}
	}
}

// A resumed session has the secrets of its first connection, which a key log of Go does not repeat in TLS 1.2.
func TestResumption(t *testing.T) {
	for _, version := range []uint16{stdtls.VersionTLS12, stdtls.VersionTLS13} {
		client := &stdtls.Config{MaxVersion: version, ClientSessionCache: stdtls.NewLRUClientSessionCache(1)}
		server := &stdtls.Config{}
		server.SetSessionTicketKeys([][32]byte{{1}})
		var stage *tls.Stage
		next := &struct{ conn.Handler }{}
		for i := range 2 {
			tap, log, state := talk(t, client, server, turns)
			if state.DidResume != (i == 1) {
				t.Fatalf("%s: connection %d resumed: %t", stdtls.VersionName(version), i, state.DidResume)
			}
			h := newHeard(t, turns)
			if i == 0 || version == stdtls.VersionTLS13 {
				stage = tls.New(tls.Config{Log: log, KeepSecrets: true}, ledger.NewTally(), next)
			}
			next.Handler = h
			h.hear(stage, tap.pieces(whole))
			h.whole()
		}
	}
}

// A byte budget keeps the first bytes of each call: what there is comes out in its place, and the holes have their length.
func TestCutCalls(t *testing.T) {
	for _, s := range settings() {
		if bytes.Contains([]byte(s.name), []byte("CBC")) {
			continue // padding hides how long its records are: TestLostCalls
		}
		t.Run(s.name, func(t *testing.T) {
			tap, log, _ := talk(t, s.client, s.server, turns)
			for _, budget := range []int{20_000, 4096, 600, 100} {
				pieces := tap.pieces(whole)
				data := 0
				for i := range pieces {
					p := &pieces[i]
					// The handshake is kept: what of it a budget takes is TestCutHandshake's.
					if data++; data > 8 && len(p.b) > budget {
						p.cut, p.b = len(p.b)-budget, p.b[:budget]
					}
				}
				h, c := play(t, log, pieces, turns)
				for d := range h.said {
					if total := h.bytes[d] + h.cut[d]; total != uint64(h.said[d]) || h.jumps[d] > 0 || h.lost[d] > 0 {
						t.Errorf("budget %d, direction %d: %d of %d bytes, %d of them cut, %d jumps", budget, d, total, h.said[d], h.cut[d], h.jumps[d])
					}
				}
				if budget <= 4096 && c.TLS.Unproved == 0 {
					t.Errorf("budget %d: no record is unproved", budget)
				}
			}
		})
	}
}

// Calls are lost at random, and cut at random, the handshake too: what comes out is right wherever it is known to be.
func TestLostCalls(t *testing.T) {
	for _, s := range settings() {
		t.Run(s.name, func(t *testing.T) {
			tap, log, _ := talk(t, s.client, s.server, turns)
			out := uint64(0)
			for seed := range uint64(60) {
				rng := mrand.New(mrand.NewPCG(seed, 9))
				pieces := tap.pieces(func() int { return 1 + rng.IntN(20_000) })
				for i := range pieces[4:] { // a connection whose hellos are missing is passed on as it is
					p := &pieces[4+i]
					switch {
					case rng.IntN(12) == 0:
						p.gone = true
					case rng.IntN(8) == 0:
						n := rng.IntN(len(p.b) + 1)
						p.cut, p.b = len(p.b)-n, p.b[:n]
					}
				}
				h, _ := play(t, log, pieces, turns)
				out += h.bytes[0] + h.bytes[1]
			}
			if out < 60*20_000 {
				t.Errorf("only %d bytes came out of 60 runs", out)
			}
		})
	}
}
