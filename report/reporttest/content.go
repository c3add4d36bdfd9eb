package reporttest

import (
	"fmt"
	"strings"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/report"
)

// HostileBody tries everything at once.
const HostileBody = "<script>alert('body')</script></script><img src=x onerror=alert(5)>\n\x00\x1b[2J\u202edrawkcab\xff{{.}}${7*7}"

// fill gives e its messages, and now and then something that is missing.
func (g *generator) fill(e *facts.Exchange, n int) {
	trace := fmt.Sprintf("%016x%016x", g.rng.Uint64(), g.rng.Uint64())
	span := trace[16:]
	request := ""
	if e.Method == "POST" {
		request = fmt.Sprintf(`{"sku":"SKU-%05d","quantity":%d,"note":"gift wrap, please"}`, g.rng.IntN(99999), g.rng.IntN(5)+1)
	}
	body := fmt.Sprintf("{\n  \"id\": %d,\n  \"name\": \"Trail shoe\",\n  \"price\": %d.90,\n  \"stock\": %d\n}\n", g.rng.IntN(900), 20+g.rng.IntN(180), g.rng.IntN(50))
	length := uint64(len(body))
	switch {
	case e.Status == 304:
		body, length = "", 0
	case strings.HasPrefix(e.Target, "/static/"):
		body = "\x1f\x8b\x08\x00" + strings.Repeat("\x03\xf2\x00\x7f", 40)
		length = 48_231
	}
	hostile := g.Hostile && n/2 < len(HostileTargets)
	if hostile {
		request, body, length = HostileBody, HostileBody, uint64(len(HostileBody))
	}
	e.Request = facts.Message{
		First: e.Start, Last: e.Start.Add(e.Duration / 50), Version: "HTTP/1.1", Calls: 1,
		HeadBytes: 240, BodyBytes: uint64(len(request)), WireBytes: 240 + uint64(len(request)), Body: []byte(request),
		Headers: []facts.Header{
			{Name: "Host", Value: e.Host}, {Name: "User-Agent", Value: "python-requests/2.32"}, {Name: "Accept", Value: "*/*"},
			{Name: "Authorization", Value: "********************"}, {Name: "X-B3-TraceId", Value: trace}, {Name: "X-B3-SpanId", Value: span},
			{Name: "X-B3-Sampled", Value: "1"},
		},
	}
	e.Response = facts.Message{
		First: e.Start.Add(e.TTFB), Last: e.Start.Add(e.Duration), Version: "HTTP/1.1", Calls: 2,
		HeadBytes: 180, BodyBytes: length, WireBytes: 180 + length, Body: []byte(body),
		Headers: []facts.Header{
			{Name: "Server", Value: "nginx/1.22.1"}, {Name: "Date", Value: "Sun, 22 Nov 2026 10:11:12 GMT"},
			{Name: "Content-Type", Value: "application/json"}, {Name: "Content-Length", Value: fmt.Sprint(length)},
		},
	}
	if hostile {
		evil := HostileTargets[n/2]
		e.Request.Headers = append(e.Request.Headers, facts.Header{Name: "X-Evil", Value: evil})
		e.Response.Headers = append(e.Response.Headers, facts.Header{Name: "X-<b>Evil</b>", Value: evil})
	}
	e.Pairing = facts.Exact
	e.Trace = &facts.TraceContext{Format: "b3multi", TraceID: trace, SpanID: span, Sampled: "1"}
	if uint64(len(e.Response.Body)) < length {
		e.Missing |= facts.ResponseCut
	}
	switch r := g.rng.IntN(2000); {
	case r < 2:
		e.Missing |= facts.NoResponse | facts.EndUnknown
		e.Pairing = facts.Unknown
		e.Status, e.Duration, e.TTFB, e.Response = 0, -1, -1, facts.Message{}
	case r < 5:
		e.Missing |= facts.ResponseGap
	case r < 6:
		e.Pairing = facts.Inferred
	case r < 8:
		e.Missing |= facts.Malformed
		e.Anomalies = []string{"http1_bare_lf"}
	}
	e.StartWall = wall(e.Start)
}

func wall(t format.KTime) facts.Wall {
	return facts.Wall(time.Date(2026, 11, 22, 10, 11, 12, 0, time.UTC).UnixNano() + int64(t-start))
}

// connections emits both ends of one connection.
func (g *generator) connections(edge, from, to, k int) error {
	client, server := connID(edge, k, false), connID(edge, k, true)
	s := g.sides[[2]int{edge, 0}]
	if s == nil {
		s = new(sides)
	}
	c := facts.Connection{
		ID: client, Peer: server, Socket: format.SocketID(client) << 20, Inode: format.Inode(81000 + client), NetNS: 4026531840,
		PID: services[from].pid, Process: services[from].name, Role: format.RoleClient, RoleBy: "connect", Protocol: "http",
		Local: endpoint(services[from], uint16(40000+edge*100+k)), Remote: endpoint(services[to], services[to].port),
		Start: start, End: start.Add(9 * time.Second), StartWall: wall(start), SawStart: k%5 != 0, SawEnd: k%3 != 0,
		Connect: 48 * time.Microsecond, SRTT: time.Duration(60+g.rng.IntN(400)) * time.Microsecond,
		Calls:    [2]uint64{s.client.Exchanges / connsPerEdge, s.client.Exchanges / connsPerEdge},
		Bytes:    [2]uint64{s.client.BytesRead / connsPerEdge, s.client.BytesWrite / connsPerEdge},
		Captured: [2]uint64{s.client.BytesRead / connsPerEdge / 2, s.client.BytesWrite / connsPerEdge},
		CallTime: [2]time.Duration{4 * time.Second, 12 * time.Millisecond}, Exchanges: s.client.Exchanges / connsPerEdge,
	}
	c.TCP = facts.Transport{AcceptWait: -1, Close: 90 * time.Microsecond, RTTMin: 21 * time.Microsecond, RTTMean: c.SRTT + 30*time.Microsecond}
	if !c.SawStart {
		c.Connect = -1
	}
	if k == 3 {
		c.Errno = 104
		c.Retrans, c.Gaps, c.Lost = 4, [2]uint32{1, 0}, [2]uint64{17_204, 0}
		c.TCP.Resent[format.CauseFast], c.TCP.Resent[format.CauseTimeout] = 3, 1
		c.TCP.ResetsSent, c.TCP.ResetReason = 1, "TCP_ABORT_ON_CLOSE"
		c.TCP.ZeroWindows, c.TCP.ZeroWindowTime = [2]uint32{0, 2}, [2]time.Duration{0, 340 * time.Millisecond}
	}
	d := c
	d.ID, d.Peer, d.Role, d.RoleBy = server, client, format.RoleServer, "accept"
	d.PID, d.Process = services[to].pid, services[to].name
	d.Local, d.Remote = c.Remote, c.Local
	d.Bytes = [2]uint64{c.Bytes[1], c.Bytes[0]}
	d.Captured, d.Gaps, d.Lost, d.Retrans = d.Bytes, [2]uint32{}, [2]uint64{}, 0
	d.TCP = facts.Transport{AcceptWait: 35 * time.Microsecond, Close: 120 * time.Microsecond, RTTMin: 18 * time.Microsecond, RTTMean: d.SRTT}
	if k == 3 {
		d.TCP.Drops = []facts.Drop{{Reason: "NETFILTER_DROP", Segs: 4}, {Reason: "TCP_OLD_DATA", Segs: 1}}
		d.TCP.ResetsReceived = 1
	}
	g.conns += 2
	for _, x := range []*facts.Connection{&c, &d} {
		if err := g.sink.Connection(x); err != nil {
			return err
		}
	}
	return nil
}

func (g *generator) facts() report.Facts {
	f := report.Facts{Summary: facts.Summary{
		ReelID: "0f7c2a1e", Host: "web-3", Kernel: "6.18.0 x86_64",
		Command: []string{"reel", "capture", "--comm", "nginx,shop,cart,catalog,python3", "-d", "10s", "-w", "checkout.reel"},
		Start:   wall(start), End: wall(start) + 10e9, Duration: 10 * time.Second, Clean: true,
		Connections: g.conns, Exchanges: uint64(g.id), Complete: g.complete, Bytes: g.bytes, LostEvents: 12,
		Rows: map[string]uint64{"io": uint64(g.id) * 2, "socket": g.conns * 2},
		Overhead: facts.Overhead{RecorderCPU: 412 * time.Millisecond, MaxRSS: 58 << 20, Written: 21 << 20,
			Events: uint64(g.id) * 2, Lost: 12, ProgramTime: 96 * time.Millisecond},
	}}
	name := func(s service) string { return "process/" + s.name + "/usr/bin/" + s.name }
	for _, s := range services {
		f.Nodes = append(f.Nodes, facts.Node{ID: name(s), Kind: facts.NodeProcess, Name: s.name, PIDs: []format.PID{s.pid},
			Addrs: []string{s.addr}, Group: "web-3"})
	}
	for i, c := range calls {
		s := g.sides[[2]int{i, 0}]
		if s == nil {
			continue
		}
		f.Edges = append(f.Edges, facts.Edge{Client: name(services[c.from]), Server: name(services[c.to]), Port: services[c.to].port,
			Protocol: "http", RoleBy: "connect", ClientSide: &s.client, ServerSide: &s.server})
	}
	for i, remote := range []struct {
		addr  string
		from  int
		port  uint16
		proto string
	}{{"10.0.1.20", 3, 6379, "tcp"}, {"10.0.1.30", 4, 5432, "tls"}} {
		id := "remote/" + remote.addr
		f.Nodes = append(f.Nodes, facts.Node{ID: id, Kind: facts.NodeRemote, Name: remote.addr, Addrs: []string{remote.addr}})
		f.Edges = append(f.Edges, facts.Edge{Client: name(services[remote.from]), Server: id, Port: remote.port, Protocol: remote.proto,
			RoleBy: "connect", ClientSide: &facts.Side{Connections: 4, BytesRead: 1_200_000 * uint64(i+1), BytesWrite: 300_000, Retrans: 2, Resets: 1, Dropped: 3, ZeroWindows: 1, ZeroWindow: 40 * time.Millisecond}})
	}
	f.Coverage = []facts.TLSCoverage{
		{PID: services[4].pid, Process: services[4].name, Exe: "/usr/bin/java", Connections: 4, Handshakes: 2, Ciphertext: 2_700_000, Opened: 900_000, Plaintext: 890_000,
			Libraries: []facts.TLSLibrary{{Name: "openssl", Version: "3.0.17", Path: "/usr/lib/libssl.so.3", Purpose: "keys", How: "symbol", Probes: 2}},
			Unread:    [facts.NumUnread]facts.UnreadSum{facts.UnreadNoHandshake: {Connections: 2, Bytes: 1_800_000}}},
		{PID: services[2].pid, Process: services[2].name, Connections: 1, Handshakes: 1, Ciphertext: 10_000, Opened: 10_000, Plaintext: 9_000},
	}
	if g.Hostile {
		f.Coverage[1].Process = "evil\x1b[2J<script>"
	}
	f.Ledger = []facts.LedgerEntry{
		{Name: "payload_cut", Severity: facts.Info, Source: "capture", Count: g.bytes[0] / 50_000, First: start,
			Sentence: "Bodies are longer than the capture's byte budget; their lengths are exact. Record with --snaplen full to keep them."},
		{Name: "ring_lost", Severity: facts.DataLoss, Source: "capture", Count: 12, Bytes: 17_204, First: start.Add(3 * time.Second), Example: "CPU 1, 3.0 s after the start",
			Sentence: "Events found no room in a ring buffer and are lost. Record again with a larger ring (--ring-bytes 32MiB) or fewer targets."},
		{Name: "conn_before_capture", Severity: facts.Notice, Source: "analysis", Count: 20, First: start,
			Sentence: "Connections were open before the capture began; their roles come from the listening sockets."},
	}
	return f
}
