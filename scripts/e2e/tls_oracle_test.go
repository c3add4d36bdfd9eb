package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/analyze/order"
	"github.com/ebpf-reel/reel/analyze/process"
	reeltls "github.com/ebpf-reel/reel/analyze/tls"
	"github.com/ebpf-reel/reel/format"
)

// secureBy returns the driver's TLS configurations, by connection: versions and suites in turn, sessions resumed. They write a key log
// into file; "" is none.
func secureBy(file string) (func(i int) *tls.Config, error) {
	if file == "" {
		return nil, nil
	}
	log, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	base := tls.Config{KeyLogWriter: log, InsecureSkipVerify: true, ServerName: "shop.test"}
	configs := []*tls.Config{base.Clone()}
	for _, suite := range []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256} {
		c := base.Clone()
		c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{suite}
		configs = append(configs, c)
	}
	for _, c := range configs[:2] {
		again := c.Clone()
		again.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		configs = append(configs, again)
	}
	return func(i int) *tls.Config { return configs[i%len(configs)] }, nil
}

// speakTLS wraps the connection.
func (c *client) speakTLS(config *tls.Config) {
	c.conn = tls.Client(c.conn, config)
	c.in.r = c.conn
	c.br = bufio.NewReaderSize(c.in, 32<<10)
}

// TestThousandTLSConnections opens a thousand connections at a time and holds what nginx logged, and what the client counted, against
// the analysis: by the client's key log, and by the secrets that probes saw in both ends.
func TestThousandTLSConnections(t *testing.T) {
	needRoot(t)
	t.Run("key log", func(t *testing.T) { thousandTLSConnections(t, "off") })
	t.Run("probes", func(t *testing.T) { thousandTLSConnections(t, "keys") })
}

func thousandTLSConnections(t *testing.T, mode string) {
	n := startNginx(t, 2, startBackend(t))
	keys := filepath.Join(t.TempDir(), "keys.log")
	d := startDriver(t, driverSpec{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(n.tls)), Conns: 1000, Requests: 4000, KeyLog: keys})
	r := record(t, "--tls", mode, "--snaplen", "full", "--ring-bytes", "128MiB", "-p", fmt.Sprintf("%d,%d", n.pid(), d.pid()))
	all := d.run(t, 2*time.Minute)
	lines := n.quit(t)
	r.stop(t)
	if mode == "keys" {
		keys = ""
		checkFinished(t, r.dir)
	}
	a := decrypted(t, r.dir, keys)
	if a.Summary.LostEvents != 0 {
		t.Errorf("%d events lost with the default buffers", a.Summary.LostEvents)
	}
	compareLog(t, logByKey(t, lines), serverView(t, a, n.tls))
	view, unasked := clientView(t, a, n.tls)
	compareSent(t, sentByKey(t, all), view, unasked)
	for _, c := range a.Coverage {
		if c.Opened != c.Ciphertext || c.Connections != c.Decrypted {
			t.Errorf("coverage of %s: %+v", c.Process, c)
		}
	}
	resumed := map[string]int{}
	for _, c := range a.Connections {
		resumed[c.TLS.Cipher]++
	}
	if len(a.Coverage) < 2 || len(resumed) < 4 {
		t.Errorf("%d rows of coverage, suites %v", len(a.Coverage), resumed)
	}
}

// plaintexts are the decrypted streams of a reel, by the port of the client and the end that saw them; of each, what the client said
// and what the server said.
type plaintexts map[plainEnd]*[2][]byte

type plainEnd struct {
	port   int
	server bool
}

// collect is the conn.Handler that keeps streams.
type collect struct {
	t    *testing.T
	port int // of the server
	out  plaintexts
}

func (h *collect) stream(c *conn.Conn, d conn.Dir) *[]byte {
	end := plainEnd{port: int(c.Local.Port)}
	client := d == conn.Out
	if int(c.Local.Port) == h.port {
		end = plainEnd{port: int(c.Remote.Port), server: true}
		client = d == conn.In
	}
	p := h.out[end]
	if p == nil {
		p = new([2][]byte)
		h.out[end] = p
	}
	if client {
		return &p[0]
	}
	return &p[1]
}

func (h *collect) Data(c *conn.Conn, d conn.Dir, ch *conn.Chunk) {
	if c.TLS == nil {
		return
	}
	s := h.stream(c, d)
	*s = append(*s, ch.Bytes...)
	if ch.Cut > 0 {
		h.t.Errorf("%d bytes of connection %d are cut", ch.Cut, c.ID)
	}
}

func (h *collect) Lost(c *conn.Conn, d conn.Dir, n int64, _ *conn.Chunk) {
	h.t.Errorf("%d bytes of connection %d are lost in direction %d", n, c.ID, d)
}
func (h *collect) End(*conn.Conn, conn.Dir, conn.Ending, *conn.Chunk) {}
func (h *collect) Closed(*conn.Conn)                                  {}
func (h *collect) Gone(*conn.Conn) error                              { return nil }
func (h *collect) Joined(_, _ *conn.Conn)                             {}

// plaintextsOf runs the stages of an analysis up to the decryption.
func plaintextsOf(t *testing.T, dir, keys string, port int) plaintexts {
	t.Helper()
	r, err := format.Open(dir, format.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	h := &collect{t: t, port: port, out: plaintexts{}}
	tally := ledger.NewTally()
	table := conn.NewTable(conn.Limits{}, reeltls.New(reeltls.Config{Log: readKeyLog(t, keys), KeepSecrets: true}, tally, h), process.NewBuilder(0).Table(), tally)
	window := order.New(order.Limits{}, table.Row)
	for row, err := range r.Rows(format.RowsOptions{Tables: []format.TableID{format.TableSocket, format.TableIO}}) {
		if err == nil {
			err = window.Push(row)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := window.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	return h.out
}

// tsharkPlaintexts lets tshark decrypt what tcpdump wrote.
func tsharkPlaintexts(t *testing.T, pcap, keys string, port int) map[int]*[2][]byte {
	t.Helper()
	run := func(args ...string) string {
		cmd := exec.Command(need(t, "tshark", "tshark"), append([]string{"-r", pcap, "-d", fmt.Sprintf("tcp.port==%d,tls", port), "-o", "tls.keylog_file:" + keys}, args...)...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", strings.Join(cmd.Args, " "), err)
		}
		return string(out)
	}
	clients := map[int]int{} // port by stream
	for line := range strings.Lines(run("-T", "fields", "-e", "tcp.stream", "-e", "tcp.srcport")) {
		var stream, from int
		if n, err := fmt.Sscan(line, &stream, &from); n == 2 && err == nil && from != port {
			clients[stream] = from
		}
	}
	args := []string{"-q"}
	for stream := range len(clients) {
		args = append(args, "-z", fmt.Sprintf("follow,tls,raw,%d", stream))
	}
	all := map[int]*[2][]byte{}
	now := new([2][]byte)
	first := 0 // index in now of the node whose lines are not indented
	for line := range strings.Lines(run(args...)) {
		line = strings.TrimRight(line, "\r\n")
		var n int
		if _, err := fmt.Sscanf(line, "Filter: tcp.stream eq %d", &n); err == nil {
			now = new([2][]byte)
			all[clients[n]] = now
			continue
		}
		if node, ok := strings.CutPrefix(line, "Node 0: "); ok {
			first = 0
			if strings.HasSuffix(node, ":"+strconv.Itoa(port)) {
				first = 1
			}
			continue
		}
		b, err := hex.DecodeString(strings.TrimPrefix(line, "\t"))
		if err != nil {
			continue
		}
		from := first
		if strings.HasPrefix(line, "\t") {
			from = 1 - first
		}
		now[from] = append(now[from], b...)
	}
	return all
}

// sniff runs tcpdump on the loopback for one port until stop. Room is kept by whole packets, in the next power of two: 512 MiB hold 4,096
// of the largest, which is more than any test sends.
func sniff(t *testing.T, file string, port int) (stop func()) {
	t.Helper()
	p := start(t, nil, need(t, "tcpdump", "tcpdump"), "-i", "lo", "-U", "--immediate-mode", "-B", "524288", "-s", "66000", "-Z", "root", "-w", file, "tcp port "+strconv.Itoa(port))
	waitFor(t, 20*time.Second, "tcpdump listens", func() bool { return strings.Contains(p.out.String(), "listening on") })
	return func() {
		t.Helper()
		size, same := int64(-1), 0
		waitFor(t, 20*time.Second, "tcpdump has written all", func() bool {
			info, err := os.Stat(file)
			if err != nil || info.Size() != size {
				same = 0
			}
			if err == nil {
				size = info.Size()
			}
			same++
			return same > 25
		})
		p.signal(t, syscall.SIGINT)
		if out := p.wait(t, 20*time.Second, 0); !strings.Contains(out, "0 packets dropped by kernel") {
			t.Fatalf("tcpdump lost packets:\n%s", out)
		}
	}
}

// TestTsharkReadsTheSame lets tshark decrypt the packets of the same run by the same key log: each connection has the same bytes in
// both directions, at both ends.
func TestTsharkReadsTheSame(t *testing.T) {
	needRoot(t)
	curl, openssl := need(t, "curl", "curl"), need(t, "openssl", "openssl")
	t.Run("nginx", func(t *testing.T) {
		n := startNginx(t, 1, startBackend(t))
		dir := t.TempDir()
		keys, pcap := filepath.Join(dir, "keys.log"), filepath.Join(dir, "wire.pcap")
		var script strings.Builder
		for _, c := range tlsClients {
			url := func(path string) string { return fmt.Sprintf("https://127.0.0.1:%d%s", n.tls, path) }
			fmt.Fprintf(&script, "%s -ksS --http1.1 %s %s %s %s --next -ksS --http1.1 %s --data-binary @%s %s >/dev/null\n",
				curl, c.options, url("/small"), url("/medium"), url("/large"), c.options, filepath.Join(n.dir, "html/medium"), url("/app"))
		}
		// A session and its resumption, by ticket and (of TLS 1.2) by id.
		for i, version := range []string{"-tls1_3", "-tls1_2", "-tls1_2 -no_ticket"} {
			session := filepath.Join(dir, fmt.Sprint("session", i))
			for _, how := range []string{"-sess_out", "-sess_in"} {
				fmt.Fprintf(&script, "printf 'GET /small HTTP/1.0\\r\\n\\r\\n' | %s s_client -connect 127.0.0.1:%d -quiet -keylogfile %s %s %s %s >/dev/null 2>&1\n",
					openssl, n.tls, keys, version, how, session)
			}
		}
		got, want := sameAsTshark(t, script.String(), n.pid(), n.tls, keys, pcap, func() { n.quit(t) })
		compareTshark(t, got, want, len(tlsClients)+6)
	})
	t.Run("early data", func(t *testing.T) {
		dir := t.TempDir()
		cert, keys, pcap, early, port := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "keys.log"), filepath.Join(dir, "wire.pcap"), filepath.Join(dir, "early"), freePort(t)
		writeCertificate(t, cert)
		if err := os.WriteFile(early, pattern(3000), 0o600); err != nil {
			t.Fatal(err)
		}
		stdin, input, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer input.Close()
		s := startWith(t, stdin, nil, openssl, "s_server", "-accept", "127.0.0.1:"+strconv.Itoa(port), "-cert", cert, "-tls1_3", "-early_data")
		stdin.Close()
		waitFor(t, 20*time.Second, "s_server listens", func() bool {
			c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
			if err == nil {
				c.Close()
			}
			return err == nil
		})
		var script strings.Builder
		session := filepath.Join(dir, "session")
		// The second connection's early data is taken, and the third's is refused: its ticket was used.
		for _, how := range []string{"-sess_out " + session, "-sess_in " + session + " -early_data " + early, "-sess_in " + session + " -early_data " + early} {
			fmt.Fprintf(&script, "(echo hello; until [ -s "+session+" ]; do sleep 0.05; done) | %s s_client -connect 127.0.0.1:%d -quiet -no_ign_eof -keylogfile %s %s >/dev/null 2>&1\n", openssl, port, keys, how)
		}
		got, want := sameAsTshark(t, script.String(), s.pid(), port, keys, pcap, func() { s.kill() })
		// tshark shows the refused early data too, which the server never gave to its program.
		taken, refused := 0, 0
		for at, w := range want {
			for _, server := range []bool{false, true} {
				g := got[plainEnd{at, server}]
				if g != nil && bytes.HasPrefix(w[0], pattern(3000)) && bytes.Equal(g[0], w[0][3000:]) {
					g[0] = w[0]
					refused++
				} else if g != nil && bytes.HasPrefix(g[0], pattern(3000)) {
					taken++
				}
			}
		}
		if taken != 2 || refused != 2 {
			t.Errorf("early data was taken at %d ends and refused at %d, want 2 and 2", taken, refused)
		}
		compareTshark(t, got, want, 3)
	})
}

// sameAsTshark runs a script of clients, records it and the server, and returns what the reel and what the packets hold.
func sameAsTshark(t *testing.T, script string, server, port int, keys, pcap string, end func()) (plaintexts, map[int]*[2][]byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "clients.sh")
	if err := os.WriteFile(file, []byte("set -e\nexport SSLKEYLOGFILE="+keys+"\n"+script), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := sniff(t, pcap, port)
	dir := filepath.Join(t.TempDir(), "tls.reel")
	reel(t, 0, "capture", "--tls", "off", "-w", dir, "--snaplen", "full", "--ring-bytes", "128MiB", "-p", fmt.Sprint(server), "--", "bash", file)
	t.Cleanup(func() { keepReel(t, dir) })
	end()
	stop()
	return plaintextsOf(t, dir, keys, port), tsharkPlaintexts(t, pcap, keys, port)
}

// compareTshark holds both ends of each connection against tshark's account.
func compareTshark(t *testing.T, got plaintexts, want map[int]*[2][]byte, conns int) {
	t.Helper()
	if len(want) != conns || len(got) != 2*conns {
		t.Errorf("tshark has %d connections, the reel %d ends, of %d connections", len(want), len(got), conns)
	}
	for at, streams := range got {
		w := want[at.port]
		if w == nil {
			t.Errorf("tshark has no connection from port %d", at.port)
			continue
		}
		for i, who := range []string{"client", "server"} {
			if !bytes.Equal(streams[i], w[i]) {
				t.Errorf("port %d, seen by the server: %t: the %s said %d bytes, tshark has %d: %s", at.port, at.server, who, len(streams[i]), len(w[i]), firstDifference(streams[i], w[i]))
			}
		}
		if len(w[0]) == 0 {
			t.Errorf("tshark has nothing that the client said on port %d", at.port)
		}
	}
}
