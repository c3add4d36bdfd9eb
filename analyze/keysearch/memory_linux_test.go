package keysearch

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// wiretap is an end of a connection that keeps what came from the other.
type wiretap struct {
	net.Conn
	out, in *bytes.Buffer
}

func (w *wiretap) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.in.Write(b[:n])
	return n, err
}

func (w *wiretap) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	w.out.Write(b[:n])
	return n, err
}

// session is a TLS connection in this process between Go's client and Go's server, and what went over it since it was last cut.
type session struct {
	client, server *tls.Conn
	sent, answered bytes.Buffer // ciphertext of both directions
}

func certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"e"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func newSession(t testing.TB, cert tls.Certificate, version uint16, suite uint16) *session {
	t.Helper()
	a, b := net.Pipe()
	s := &session{}
	s.client = tls.Client(&wiretap{a, &s.sent, &s.answered}, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version, CipherSuites: []uint16{suite}})
	s.server = tls.Server(b, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: version, MaxVersion: version})
	go func() {
		in := bufio.NewReader(s.server)
		for {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			body := strings.Repeat("x", 10)
			fmt.Fprintf(s.server, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Path: %s\r\n\r\n%s", len(body), req.URL.Path, body)
		}
	}()
	t.Cleanup(func() { a.Close(); b.Close() })
	return s
}

func (s *session) ask(t testing.TB, request string) {
	t.Helper()
	if _, err := io.WriteString(s.client, request); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(s.client), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		t.Fatal(err)
	}
}

// cut returns the records since the last cut.
func (s *session) cut() (sent, answered []Record) {
	sent, answered = records(s.sent.Bytes()), records(s.answered.Bytes())
	s.sent, s.answered = bytes.Buffer{}, bytes.Buffer{}
	return sent, answered
}

func records(stream []byte) (all []Record) {
	for len(stream) >= 5 {
		r := Record{Header: [5]byte(stream)}
		n := 5 + r.length()
		r.Body = bytes.Clone(stream[5:n])
		stream = stream[n:]
		all = append(all, r)
	}
	return all
}

// ownMemory calls f with all writable anonymous memory of this process, in pieces.
func ownMemory(t testing.TB, f func(address uint64, mem []byte)) (total int64) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	const piece = 1 << 20
	buf := make([]byte, piece+Overlap)
	for line := range strings.Lines(string(maps)) {
		var from, to, inode uint64
		var mode, skip string
		if n, _ := fmt.Sscanf(line, "%x-%x %s %s %s %d", &from, &to, &mode, &skip, &skip, &inode); n != 6 || !strings.HasPrefix(mode, "rw") || inode != 0 {
			continue
		}
		for at := from; at < to; at += piece {
			n, _ := mem.ReadAt(buf[:min(uint64(len(buf)), to-at)], int64(at))
			total += int64(n)
			f(at, buf[:n])
		}
	}
	return total
}

// Connections that were opened before anything of them was recorded, in this very process: both directions are found and proved.
func TestKeysOfGo(t *testing.T) {
	cert := certificate(t)
	for _, c := range []struct {
		name           string
		version, suite uint16
		request        string
	}{
		{"TLS 1.3", tls.VersionTLS13, 0, "GET /some/thing HTTP/1.1\r\nHost: e\r\nUser-Agent: curl/7.88\r\nAccept: */*\r\n\r\n"},
		{"TLS 1.2, 128", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "POST /some HTTP/1.1\r\nHost: e\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n"},
		{"TLS 1.2, 256", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "GET /x HTTP/1.1\r\nHost: e\r\nAccept-Encoding: gzip, deflate\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			const before, recorded = 37, 3
			var sessions []*session
			for range 5 {
				s := newSession(t, cert, c.version, c.suite)
				for range before {
					s.ask(t, c.request)
				}
				s.cut()
				sessions = append(sessions, s)
			}
			search := New(1 << 28)
			index := map[*session]int{}
			for _, s := range sessions {
				for range recorded {
					s.ask(t, c.request)
				}
				sent, answered := s.cut()
				index[s] = search.Add(Direction{Records: sent, MaxSeq: 4000}, Direction{Records: answered, MaxSeq: 4000})
			}
			begun := time.Now()
			n := ownMemory(t, search.Scan)
			keys := search.Keys()
			search.Match()
			t.Logf("%d MB: %d keys; %d tries, %v", n>>20, keys, search.Tries(), time.Since(begun))
			if n := search.Unknown(); n > 0 {
				t.Errorf("%d directions are not found", n)
			}
			for _, s := range sessions {
				for d := range 2 {
					f, _ := search.Found(index[s] + d)
					// Go's sequence numbers of application data begin with 0 in TLS 1.3, with 1 in 1.2, where Finished was 0; a ticket comes first.
					seq := f.Seq
					if f.SeqMod > 0 { // the first that is possible
						seq = before + (f.Seq-before)&(f.SeqMod-1)
					}
					if f.Version != Version(c.version) || seq < before || seq > before+recorded+1 {
						t.Errorf("direction %d: %+v", d, f)
					}
				}
			}
			runtime.KeepAlive(sessions)
		})
	}
}
