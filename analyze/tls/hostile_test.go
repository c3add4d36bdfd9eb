package tls

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/keylog"
	"github.com/ebpf-reel/reel/analyze/ledger"
)

// count returns how often the ledger has a name.
func count(tally *ledger.Tally, name ledger.Name) uint64 { return tally.Count(name) }

// As many connections as one likes that are open at a time, each with half a ClientHello, or with all of it and the beginning of a long record, keep
// no more than the bound; and nothing when they are over.
func TestManyConnections(t *testing.T) {
	tr := readTrace(t, "testdata/rfc8448_simple.txt")
	log, err := keylog.Read(strings.NewReader(tr.keylog))
	if err != nil {
		t.Fatal(err)
	}
	const n = 150_000 // the bound is met before half of them
	tally := ledger.NewTally()
	stage := New(Config{Log: log}, tally, &lenient{})
	conns := make([]conn.Conn, n)
	long := append([]byte{23, 3, 3, 0x40, 0}, make([]byte, 4000)...)
	hello := tr.records[0].bytes
	for i := range conns {
		c := &conns[i]
		c.ID = facts.ConnID(i + 1)
		switch i % 3 {
		case 0:
			stage.Data(c, conn.Out, &conn.Chunk{Bytes: hello[:100]})
		case 1:
			for _, r := range tr.records[:3] {
				stage.Data(c, r.d, &conn.Chunk{Bytes: r.bytes})
			}
			stage.Data(c, conn.In, &conn.Chunk{Bytes: long})
		default:
			stage.Data(c, conn.Out, &conn.Chunk{Bytes: []byte{22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc}})
		}
		if stage.kept > maxKept+1<<20 {
			t.Fatalf("%d bytes are kept of %d connections", stage.kept, i)
		}
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	if limit := uint64(2*maxKept) + uint64(n)*uint64(1200); m.HeapAlloc > limit { // conn.Conn itself is the table's
		t.Errorf("the heap has %d MB", m.HeapAlloc>>20)
	}
	if count(tally, ledger.TLSMemoryFull) == 0 {
		t.Error("the ledger does not say that memory was full")
	}
	for i := range conns {
		for d := range conn.Dir(2) {
			stage.End(&conns[i], d, conn.FIN, &conn.Chunk{})
		}
		stage.Closed(&conns[i])
	}
	if stage.kept != 0 {
		t.Errorf("%d bytes are kept of connections that are over", stage.kept)
	}
}

// Whoever makes up records, whole ones and headers only, in a connection that there are keys for: the time is linear in the bytes.
func TestTrialsAreBounded(t *testing.T) {
	tr := readTrace(t, "testdata/rfc8448_simple.txt")
	log, err := keylog.Read(strings.NewReader(tr.keylog))
	if err != nil {
		t.Fatal(err)
	}
	tally := ledger.NewTally()
	h := &lenient{}
	stage := New(Config{Log: log}, tally, h)
	rng := rand.New(rand.NewPCG(1, 1))
	record := make([]byte, headerLen+maxPlain)
	for i := range record {
		record[i] = byte(rng.Uint32())
	}
	copy(record, []byte{23, 3, 3, 0x40, 0})
	headers := bytes.Repeat([]byte{23, 3, 3, 0, 40}, 2000)
	total := int64(0)
	for i := range 200 {
		c := &conn.Conn{ID: facts.ConnID(i + 1)}
		for _, r := range tr.records[:3] {
			stage.Data(c, r.d, &conn.Chunk{Bytes: r.bytes})
		}
		stage.Lost(c, conn.In, -1, &conn.Chunk{})
		for range 20 {
			stage.Data(c, conn.In, &conn.Chunk{Bytes: record})
			stage.Data(c, conn.In, &conn.Chunk{Bytes: headers})
			total += int64(len(record) + len(headers))
		}
		stage.Closed(c)
	}
	if limit := int64(maxTriedAll) + maxTriedPerByte*total + 64<<20; stage.tried > limit {
		t.Errorf("%d bytes were tried for %d bytes", stage.tried, total)
	}
	if len(h.said[conn.In]) > 0 {
		t.Errorf("%d bytes came out", len(h.said[conn.In]))
	}
	if count(tally, ledger.TLSTrialsSpent) == 0 {
		t.Error("the ledger does not say that trials were given up")
	}
}

// What is no record between two records costs itself, and nothing behind it: records of no length, of too great a length, bytes that
// are none.
func TestJunkBetweenRecords(t *testing.T) {
	tr := readTrace(t, "testdata/rfc8448_simple.txt")
	log, err := keylog.Read(strings.NewReader(tr.keylog))
	if err != nil {
		t.Fatal(err)
	}
	data := slices.IndexFunc(tr.records, func(r sentRecord) bool { return r.typ == "application_data" })
	for _, junk := range [][]byte{{23, 3, 3, 0, 0}, {23, 3, 3, 0xff, 0xff}, {21, 3, 3, 0, 0, 22, 3, 3, 0, 0}, []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), {0}} {
		h := &lenient{}
		stage := New(Config{Log: log, KeepSecrets: true}, ledger.NewTally(), h)
		c := &conn.Conn{ID: 1}
		for i, r := range tr.records {
			b := r.bytes
			if i == data {
				b = append(bytes.Clone(junk), b...)
			}
			stage.Data(c, r.d, &conn.Chunk{Bytes: b})
		}
		if want := tr.records[data].content; !bytes.Equal(h.said[conn.Out], want) {
			t.Errorf("behind %x: %x came out, want %x", junk, h.said[conn.Out], want)
		}
	}
}

// A capture that starts within the handshake gives no byte, and says why.
func TestStartInTheHandshake(t *testing.T) {
	tr := readTrace(t, "testdata/rfc8448_simple.txt")
	log, err := keylog.Read(strings.NewReader(tr.keylog))
	if err != nil {
		t.Fatal(err)
	}
	for from := 1; from < len(tr.records); from++ {
		h := &passing{}
		stage := New(Config{Log: log}, ledger.NewTally(), h)
		c := &conn.Conn{ID: 1}
		sent := 0
		for _, r := range tr.records[from:] {
			sent += len(r.bytes)
			stage.Data(c, r.d, &conn.Chunk{Bytes: r.bytes})
		}
		for d := range conn.Dir(2) {
			stage.End(c, d, conn.FIN, &conn.Chunk{})
		}
		stage.Closed(c)
		if h.raw != sent || c.TLS != nil {
			t.Errorf("from record %d on: %d bytes were passed on of %d; TLS is %+v", from, h.raw, sent, c.TLS)
		}
	}
}

// passing counts bytes.
type passing struct {
	lenient
	raw int
}

func (h *passing) Data(_ *conn.Conn, _ conn.Dir, ch *conn.Chunk) { h.raw += len(ch.Bytes) }

// FuzzFramer: each byte of a stream is in a record, in what is kept for the next, or in the hole; nothing panics.
func FuzzFramer(f *testing.F) {
	f.Add([]byte{22, 3, 1, 0, 2, 1, 2, 23, 3, 3, 0, 1, 9}, []byte{3, 0, 5, 1})
	f.Add([]byte{23, 3, 3, 0, 0, 23, 3, 3, 0x48, 0x01}, []byte{1, 1, 1, 1, 1, 1})
	f.Add(append([]byte{23, 3, 3, 0x40, 0}, make([]byte, 600)...), []byte{200, 2, 255})
	f.Fuzz(func(t *testing.T, stream, script []byte) {
		var fr framer
		var given, taken uint64
		take := func(r *record) {
			taken += r.size()
			if len(r.body) > r.header.length() || r.whole && len(r.body) != r.header.length() {
				t.Fatalf("a record of %d bytes has a body of %d, whole: %t", r.header.length(), len(r.body), r.whole)
			}
		}
		for i := 0; len(stream) > 0; i++ {
			step := 1
			if len(script) > 0 {
				step = 1 + int(script[i%len(script)])
			}
			if len(script) > 0 && script[i%len(script)]%5 == 4 {
				fr.skip(int64(step), step%2 == 0, take)
				given += uint64(step)
			}
			n := min(step, len(stream))
			fr.bytes(stream[:n], 0, &conn.Chunk{}, take)
			given += uint64(n)
			stream = stream[n:]
		}
		kept := uint64(fr.filled)
		if fr.lost {
			kept = uint64(len(fr.buf))
		}
		if sum := taken + kept + uint64(fr.hole.bytes); sum != given {
			t.Fatalf("%d bytes were given: %d in records, %d kept, %d in the hole", given, taken, kept, fr.hole.bytes)
		}
	})
}

// FuzzHandshake: messages are the same whatever the pieces that they come in, and no body makes their readers panic.
func FuzzHandshake(f *testing.F) {
	for _, file := range []string{"simple", "retry", "resumed_0rtt", "compatibility"} {
		for _, r := range readTrace(f, "testdata/rfc8448_"+file+".txt").records {
			if r.bytes[0] == byte(handshake) {
				f.Add(r.bytes[headerLen:], uint8(7))
			}
			if r.typ == "handshake" && len(r.content) > 0 {
				f.Add(r.content, uint8(1))
			}
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		type message struct {
			typ  byte
			body []byte
		}
		read := func(size int) (all []message, left int) {
			var m messages
			for b := stream; len(b) > 0; {
				n := min(size, len(b))
				m.add(b[:n], func(typ byte, body []byte) {
					all = append(all, message{typ, bytes.Clone(body)})
					h, ok := parseHello(typ, body)
					if ok && len(h.serverName) > 3*255 {
						t.Fatalf("a server name of %d bytes", len(h.serverName))
					}
					_, _ = parseExtensions(body)
					_, _ = parseTicket(body)
				})
				b = b[n:]
			}
			if len(m.buf) > 4+maxMessage {
				t.Fatalf("%d bytes are kept of a message", len(m.buf))
			}
			return all, len(m.buf)
		}
		whole, left1 := read(1 << 20)
		pieces, left2 := read(1 + int(size))
		if left1 != left2 || !slices.EqualFunc(whole, pieces, func(a, b message) bool { return a.typ == b.typ && bytes.Equal(a.body, b.body) }) {
			t.Fatalf("in pieces of %d: %d messages and %d bytes, else %d and %d", 1+int(size), len(pieces), left2, len(whole), left1)
		}
	})
}
