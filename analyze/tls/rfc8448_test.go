package tls

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/keylog"
	"github.com/ebpf-reel/reel/analyze/ledger"
)

// trace is one of the handshakes of RFC 8448, as testdata holds them: what an implementation of somebody else's sent.
type trace struct {
	keylog  string
	secrets []derived
	records []sentRecord
}

// derived is a traffic secret and what protects records under it.
type derived struct{ secret, key, iv []byte }

// sentRecord is a record as it was sent, and its content.
type sentRecord struct {
	d       conn.Dir // as the client sees it
	typ     string
	bytes   []byte
	content []byte
}

func readTrace(t testing.TB, file string) (tr trace) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decode := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for line := range strings.Lines(string(text)) {
		switch f := append(strings.Fields(line), ""); f[0] {
		case "secret":
			tr.keylog += strings.TrimPrefix(line, "secret ")
			tr.secrets = append(tr.secrets, derived{secret: decode(f[3])})
		case "keys":
			last := &tr.secrets[len(tr.secrets)-1]
			last.key, last.iv = decode(f[1]), decode(f[2])
		case "client":
			tr.records = append(tr.records, sentRecord{conn.Out, f[1], decode(f[2]), decode(f[3])})
		case "server":
			tr.records = append(tr.records, sentRecord{conn.In, f[1], decode(f[2]), decode(f[3])})
		}
	}
	return tr
}

// collector is the conn.Handler that keeps what comes out.
type collector struct {
	t    testing.TB
	said [2][]byte
	ends int
}

func (h *collector) Data(_ *conn.Conn, d conn.Dir, ch *conn.Chunk) {
	h.said[d] = append(h.said[d], ch.Bytes...)
	if ch.Cut > 0 {
		h.t.Errorf("%d bytes are said to be cut", ch.Cut)
	}
}
func (h *collector) Lost(_ *conn.Conn, d conn.Dir, n int64, _ *conn.Chunk) {
	h.t.Errorf("direction %d: %d bytes are said to be lost", d, n)
}
func (h *collector) End(*conn.Conn, conn.Dir, conn.Ending, *conn.Chunk) { h.ends++ }
func (h *collector) Closed(*conn.Conn)                                  {}
func (h *collector) Gone(*conn.Conn) error                              { return nil }
func (h *collector) Joined(_, _ *conn.Conn)                             {}

// TestRFC8448 follows the traces of the RFC: simple handshake, resumption with 0-RTT, HelloRetryRequest, client authentication, and the
// compatibility mode. Whatever the calls that carried them, their data comes out, and nothing else.
func TestRFC8448(t *testing.T) {
	files, err := filepath.Glob("testdata/rfc8448_*.txt")
	if err != nil || len(files) != 5 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			tr := readTrace(t, file)
			for _, s := range tr.secrets {
				if key := expandLabel(crypto.SHA256, s.secret, "key", 16); s.key != nil && !bytes.Equal(key, s.key) {
					t.Errorf("key %x, the RFC has %x", key, s.key)
				}
				if iv := expandLabel(crypto.SHA256, s.secret, "iv", 12); s.iv != nil && !bytes.Equal(iv, s.iv) {
					t.Errorf("IV %x, the RFC has %x", iv, s.iv)
				}
			}
			log, err := keylog.Read(strings.NewReader(tr.keylog))
			if err != nil {
				t.Fatal(err)
			}
			for _, size := range []int{1, 3, 7, 100, 1 << 20} {
				follow(t, &tr, log, size)
			}
		})
	}
}

// follow gives the records of a trace to a Stage in calls of size bytes, and checks what comes out.
func follow(t *testing.T, tr *trace, log *keylog.Log, size int) {
	t.Helper()
	h := &collector{t: t}
	tally := ledger.NewTally()
	stage := New(Config{Log: log, KeepSecrets: true}, tally, h)
	c := &conn.Conn{ID: 1}
	var want [2][]byte
	var clear, sealed [2]uint64
	for _, r := range tr.records {
		switch {
		case r.bytes[0] == byte(applicationData):
			sealed[r.d] += uint64(len(r.bytes))
		default:
			clear[r.d] += uint64(len(r.bytes))
		}
		if r.typ == "application_data" {
			want[r.d] = append(want[r.d], r.content...)
		}
		for b := r.bytes; len(b) > 0; {
			n := min(size, len(b))
			c.Bytes[r.d] += uint64(n)
			stage.Data(c, r.d, &conn.Chunk{Bytes: bytes.Clone(b[:n])})
			b = b[n:]
		}
	}
	for d := range conn.Dir(2) {
		stage.End(c, d, conn.FIN, &conn.Chunk{})
	}
	stage.Closed(c)
	if err := stage.Gone(c); err != nil {
		t.Fatal(err)
	}
	for d := range want {
		if !bytes.Equal(h.said[d], want[d]) {
			t.Errorf("calls of %d bytes, direction %d: %x came out, %x was sent", size, d, h.said[d], want[d])
		}
	}
	x := c.TLS
	if x == nil || x.Version != "TLS 1.3" || x.Cipher != "TLS_AES_128_GCM_SHA256" || x.ServerName != "server" || x.Alert != "" ||
		x.Clear != clear || x.Opened != sealed || x.Unread != facts.UnreadNone || x.Unproved != 0 {
		t.Errorf("calls of %d bytes: TLS is %+v; %d bytes are in the clear, %d encrypted", size, x, clear, sealed)
	}
	if entries := tally.Entries(); len(entries) > 0 {
		t.Errorf("calls of %d bytes: the ledger has %+v", size, entries)
	}
	if stage.kept != 0 {
		t.Errorf("calls of %d bytes: %d bytes are kept of a connection that is over", size, stage.kept)
	}
}

// Without the secret of the handshake the data cannot be told from it, and without that of the data there is none: what is missing of a
// key log is missing of the connection, and nothing is guessed.
func TestRFC8448WithoutSomeSecrets(t *testing.T) {
	tr := readTrace(t, "testdata/rfc8448_simple.txt")
	for missing, want := range map[string][2]int{
		"CLIENT_HANDSHAKE_TRAFFIC_SECRET": {50, 50},
		"SERVER_TRAFFIC_SECRET_0":         {0, 50},
		"CLIENT_TRAFFIC_SECRET_0":         {50, 0},
	} {
		var keys strings.Builder
		for line := range strings.Lines(tr.keylog) {
			if !strings.HasPrefix(line, missing) {
				fmt.Fprint(&keys, line)
			}
		}
		log, err := keylog.Read(strings.NewReader(keys.String()))
		if err != nil {
			t.Fatal(err)
		}
		h := &lenient{}
		tally := ledger.NewTally()
		stage := New(Config{Log: log, KeepSecrets: true}, tally, h)
		c := &conn.Conn{ID: 1}
		for _, r := range tr.records {
			c.Bytes[r.d] += uint64(len(r.bytes))
			stage.Data(c, r.d, &conn.Chunk{Bytes: r.bytes})
		}
		for d := range conn.Dir(2) {
			stage.End(c, d, conn.FIN, &conn.Chunk{})
		}
		if err := stage.Gone(c); err != nil {
			t.Fatal(err)
		}
		for d, n := range want {
			if len(h.said[d]) != n {
				t.Errorf("without %s: direction %d: %x came out", missing, d, h.said[d])
			}
		}
	}
}

// lenient is a collector to whom bytes may be missing.
type lenient struct{ collector }

func (h *lenient) Lost(*conn.Conn, conn.Dir, int64, *conn.Chunk) {}
