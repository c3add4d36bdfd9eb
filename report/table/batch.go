package table

import (
	"net/netip"
	"strings"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// batchRows is how many rows go to a table's writer at a time.
const batchRows = 1024

// batch collects rows, and the values that their optional columns point to.
type batch[T any] struct {
	rows  []T
	ints  []int64
	ids   []uint64
	walls []Wall
	words []uint32
	short []uint16
	lists []string
	err   error // of writing what it held before
}

func (b *batch[T]) reset() {
	clear(b.rows) // strings are not kept
	b.rows, b.ints, b.ids, b.walls = b.rows[:0], b.ints[:0], b.ids[:0], b.walls[:0]
	b.words, b.short, b.lists = b.words[:0], b.short[:0], b.lists[:0]
}

// point appends v to slab and returns its address. Addresses given out before stay valid: a slab that grows leaves them
// its old memory.
func point[V any](slab *[]V, v V) *V {
	*slab = append(*slab, v)
	return &(*slab)[len(*slab)-1]
}

func (b *batch[T]) unless(v, unknown int64) *int64 {
	if v == unknown {
		return nil
	}
	return point(&b.ints, v)
}

func (b *batch[T]) id(v uint64) *uint64 {
	if v == 0 {
		return nil
	}
	return point(&b.ids, v)
}

func (b *batch[T]) wall(w facts.Wall) *Wall {
	if w == 0 {
		return nil
	}
	return point(&b.walls, Wall(w))
}

// valid replaces what is no UTF-8, as captured bytes may be: readers of Parquet and Arrow refuse a whole file for it.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// addresses prints addresses once each: they repeat.
type addresses map[netip.Addr]string

// maxAddresses bounds what is kept of them.
const maxAddresses = 1 << 14

func (m addresses) string(e format.Endpoint) string {
	if !e.Addr.IsValid() {
		return ""
	}
	s, ok := m[e.Addr]
	if !ok {
		if len(m) >= maxAddresses {
			clear(m)
		}
		s = e.Addr.String()
		m[e.Addr] = s
	}
	return s
}

func (w *Writer) connectionRow(b *batch[connectionRow], c *facts.Connection) connectionRow {
	x := &c.TCP
	return connectionRow{
		ID: uint64(c.ID), Peer: b.id(uint64(c.Peer)), Socket: uint64(c.Socket), Inode: uint64(c.Inode), NetNS: c.NetNS,
		PID: uint32(c.PID), Process: valid(c.Process), Role: c.Role.String(), RoleBy: c.RoleBy,
		LocalAddress: w.addresses.string(c.Local), LocalPort: c.Local.Port,
		RemoteAddress: w.addresses.string(c.Remote), RemotePort: c.Remote.Port,
		Protocol: c.Protocol, Start: int64(c.Start), End: int64(c.End), StartWall: b.wall(c.StartWall),
		SawStart: c.SawStart, SawEnd: c.SawEnd, Errno: c.Errno,
		Connect: b.unless(int64(c.Connect), -1), SRTT: b.unless(int64(c.SRTT), 0), Retrans: c.Retrans,
		ReadCalls: c.Calls[0], WriteCalls: c.Calls[1], ReadBytes: c.Bytes[0], WriteBytes: c.Bytes[1],
		ReadCaptured: c.Captured[0], WriteCaptured: c.Captured[1], ReadLost: c.Lost[0], WriteLost: c.Lost[1],
		ReadGaps: c.Gaps[0], WriteGaps: c.Gaps[1], ReadTime: int64(c.CallTime[0]), WriteTime: int64(c.CallTime[1]),
		Exchanges: c.Exchanges, TLSVersion: c.TLS.Version, TLSCipher: c.TLS.Cipher, TLSServerName: c.TLS.ServerName, TLSALPN: c.TLS.ALPN,
		TLSAlert: c.TLS.Alert, TLSClear: c.TLS.Clear[0] + c.TLS.Clear[1], TLSOpened: c.TLS.Opened[0] + c.TLS.Opened[1], TLSUnread: c.TLS.Unread.String(),
		TLSRecords: c.TLS.Records, TLSUnproved: c.TLS.Unproved, TLSRead: c.TLS.Plain[0], TLSWrite: c.TLS.Plain[1],
		AcceptWait: b.unless(int64(x.AcceptWait), -1), Close: b.unless(int64(x.Close), -1),
		RTTMin: b.unless(int64(x.RTTMin), 0), RTTMean: b.unless(int64(x.RTTMean), 0),
		ResentFast: x.Resent[format.CauseFast], ResentTimeout: x.Resent[format.CauseTimeout] + x.Resent[format.CauseAfterTimeout],
		ResentProbe: x.Resent[format.CauseProbe], ResentSYN: x.Resent[format.CauseHandshake],
		ResentOther: x.Resent[format.CauseUnknown] + x.Resent[facts.ResentCauses-1],
		Dropped:     x.Dropped(), DropReasons: b.drops(x.Drops),
		ResetsSent: x.ResetsSent, ResetsReceived: x.ResetsReceived, ResetReason: x.ResetReason,
		OwnZero: x.ZeroWindows[0], OwnZeroTime: int64(x.ZeroWindowTime[0]),
		PeerZero: x.ZeroWindows[1], PeerZeroTime: int64(x.ZeroWindowTime[1]), Upgrade: c.Upgrade, PeerBy: c.PeerBy.String(), CloseCall: b.unless(int64(c.CloseCall), -1),
	}
}

// drops prints what was thrown away, by reason.
func (b *batch[T]) drops(drops []facts.Drop) []string {
	if len(drops) == 0 {
		return noStrings
	}
	from := len(b.lists)
	for _, d := range drops {
		b.lists = append(b.lists, d.String())
	}
	return b.lists[from:len(b.lists):len(b.lists)]
}

func (w *Writer) exchangeRow(b *batch[exchangeRow], x *facts.Exchange) exchangeRow {
	r := exchangeRow{
		ID: uint64(x.ID), Connection: uint64(x.Conn), Index: x.Index, Peer: b.id(uint64(x.Peer)),
		Role: x.Role.String(), PID: uint32(x.PID), TID: uint32(x.TID),
		LocalAddress: w.addresses.string(x.Local), LocalPort: x.Local.Port,
		RemoteAddress: w.addresses.string(x.Remote), RemotePort: x.Remote.Port,
		Protocol: x.Protocol, Method: valid(x.Method), Host: valid(x.Host), Target: valid(x.Target),
		StartWall: b.wall(x.StartWall), Start: int64(x.Start),
		Duration: b.unless(int64(x.Duration), -1), TTFB: b.unless(int64(x.TTFB), -1),
		RequestVersion: x.Request.Version, ResponseVersion: x.Response.Version,
		RequestHead: x.Request.HeadBytes, RequestBody: x.Request.BodyBytes, RequestWire: x.Request.WireBytes,
		RequestChunked: x.Request.Chunked, RequestCalls: x.Request.Calls,
		ResponseHead: x.Response.HeadBytes, ResponseBody: x.Response.BodyBytes, ResponseWire: x.Response.WireBytes,
		ResponseChunked: x.Response.Chunked, ResponseCalls: x.Response.Calls,
		Pipelined: x.Pipelined, Complete: x.Missing == 0, Missing: w.missing.list(x.Missing), Pairing: x.Pairing.String(),
		Interim: noShort, Anomalies: noStrings,
		Process: x.Process, Upgrade: x.Upgrade, Upload: b.unless(int64(x.Upload), -1), Download: b.unless(int64(x.Download), -1),
		RequestTime: int64(x.Request.CallTime), RequestBlocked: x.Request.Blocked,
		ResponseTime: int64(x.Response.CallTime), ResponseBlocked: x.Response.Blocked,
	}
	if x.SeqValid {
		r.Sequence = point(&b.words, uint32(x.Seq))
	}
	if x.Status != 0 {
		r.Status = point(&b.short, uint16(x.Status))
	}
	if t := x.Trace; t != nil {
		r.TraceFormat, r.TraceID, r.SpanID, r.ParentSpanID, r.Sampled = t.Format, valid(t.TraceID), valid(t.SpanID), valid(t.ParentID), valid(t.Sampled)
		r.TraceState, r.TraceService, r.TraceInstance, r.TraceEndpoint, r.TraceAddress = valid(t.State), valid(t.Service), valid(t.Instance), valid(t.Endpoint), valid(t.Address)
	}
	r.Parent, r.ParentBy, r.ParentSure = b.id(uint64(x.Parent)), x.ParentBy, x.ParentSure.String()
	r.Calls, r.SameCalls, r.CallsTime, r.CriticalCalls, r.CriticalTime = x.Calls, x.SameCalls, int64(x.CallsTime), x.CriticalCalls, int64(x.CriticalTime)
	r.SlowestCall, r.SlowestCallTime = b.id(uint64(x.SlowestCall)), int64(x.SlowestCallTime)
	r.PeerDuration = b.unless(int64(x.PeerDuration), -1)
	if n := len(x.Interim); n > 0 {
		from := len(b.short)
		for _, status := range x.Interim {
			b.short = append(b.short, uint16(status))
		}
		r.Interim = b.short[from : from+n : from+n]
	}
	if n := len(x.Anomalies); n > 0 {
		from := len(b.lists)
		b.lists = append(b.lists, x.Anomalies...)
		r.Anomalies = b.lists[from : from+n : from+n]
	}
	return r
}

var (
	noShort   = []uint16{}
	noStrings = []string{}
)

// side is what one end of an edge saw, and its name.
type side struct {
	name string
	*facts.Side
}

func sides(e *facts.Edge) [2]side { return [2]side{{"client", e.ClientSide}, {"server", e.ServerSide}} }

func edgeRows(e *facts.Edge) []edgeRow {
	var rows []edgeRow
	for _, side := range sides(e) {
		s := side.Side
		if s == nil {
			continue
		}
		rows = append(rows, edgeRow{
			Client: valid(e.Client), Server: valid(e.Server), Port: e.Port, Protocol: e.Protocol, RoleBy: e.RoleBy, Side: side.name,
			Connections: s.Connections, Exchanges: s.Exchanges, Incomplete: s.Incomplete, Errors4xx: s.Errors4xx, Errors5xx: s.Errors5xx,
			ReadBytes: s.BytesRead, WriteBytes: s.BytesWrite, LostBytes: s.LostBytes, Retrans: s.Retrans,
			Dropped: s.Dropped, Resets: s.Resets, Failed: s.Failed, ZeroWindows: s.ZeroWindows, ZeroWindow: int64(s.ZeroWindow), AcceptWait: int64(s.AcceptWaitMax),
			DurationSum: int64(s.DurationSum), DurationMax: int64(s.DurationMax), P50: int64(s.P50), P90: int64(s.P90), P99: int64(s.P99),
		})
	}
	return rows
}

func nodeRowOf(n *facts.Node) nodeRow {
	r := nodeRow{ID: valid(n.ID), Kind: "remote", Name: valid(n.Name), PIDs: []uint32{}, Addresses: []string{}, Group: valid(n.Group)}
	if n.Kind == facts.NodeProcess {
		r.Kind = "process"
	}
	for _, pid := range n.PIDs {
		r.PIDs = append(r.PIDs, uint32(pid))
	}
	for _, a := range n.Addrs {
		r.Addresses = append(r.Addresses, valid(a))
	}
	return r
}

func coverageRowOf(c *facts.TLSCoverage) coverageRow {
	r := coverageRow{
		PID: uint32(c.PID), Process: c.Process, Exe: c.Exe, Libraries: []string{}, Errors: []string{}, Connections: c.Connections, Handshakes: c.Handshakes,
		Decrypted: c.Decrypted, Failed: c.Failed, Alert: c.Alert, Ciphertext: c.Ciphertext, Opened: c.Opened, Plaintext: c.Plaintext,
		Inferred: c.Inferred, Untied: c.Untied, NoHandshake: c.Unread[facts.UnreadNoHandshake].Bytes, NoKey: c.Unread[facts.UnreadNoKey].Bytes,
		Suite: c.Unread[facts.UnreadSuite].Bytes, Gap: c.Unread[facts.UnreadGap].Bytes, Bounded: c.Unread[facts.UnreadBounded].Bytes,
	}
	for _, x := range c.Libraries {
		r.Libraries = append(r.Libraries, strings.Join(strings.Fields(x.Name+" "+x.Version+" "+x.Path), " "))
		r.Probes += x.Probes
		if x.Error != "" {
			r.Errors = append(r.Errors, x.Name+": "+x.Error)
		}
	}
	return r
}

func processRowOf(p *facts.Process) processRow {
	r := processRow{
		PID: uint32(p.PID), NSPID: uint32(p.NSPID), PPID: uint32(p.PPID), UID: p.UID, Comm: valid(p.Comm), Exe: valid(p.Exe), Args: []string{},
		Cgroup: valid(p.Cgroup), From: int64(p.From), SawStart: p.SawStart, End: p.End.String(), Core: p.Core,
	}
	for _, a := range p.Args {
		r.Args = append(r.Args, valid(a))
	}
	if c := p.Container; c != nil {
		r.ContainerID, r.Container, r.Runtime, r.Image = valid(c.ID), valid(c.Name), valid(c.Runtime), valid(c.Image)
		r.Pod, r.Namespace, r.PodUID = valid(c.Pod), valid(c.Namespace), valid(c.PodUID)
	}
	if p.FromWall != 0 {
		r.FromWall = (*Wall)(&p.FromWall)
	}
	switch p.End {
	case facts.EndNone:
		return r
	case facts.EndExit:
		code := uint16(p.Code)
		r.ExitCode = &code
	case facts.EndSignal:
		signal := uint16(p.Code)
		r.Signal = &signal
	}
	r.Until = (*int64)(&p.Until)
	if p.UntilWall != 0 {
		r.UntilWall = (*Wall)(&p.UntilWall)
	}
	return r
}

func ledgerRowOf(l *facts.LedgerEntry) ledgerRow {
	return ledgerRow{l.Name, l.Severity.String(), l.Source, l.Count, l.Bytes, int64(l.First), valid(l.Example), l.Sentence}
}
