package html

import (
	"bytes"

	"encoding/base64"
	"fmt"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/report"
	"github.com/ebpf-reel/reel/report/visible"
)

// block is one piece of data of the page: JSON, compressed, as base64, so that no byte of it can end its element. The page
// decodes a block when a view asks for it.
type block struct {
	name string
	text string
}

// detailsPerBlock bounds what the page must decode to show one exchange.
const detailsPerBlock = 250

// encoder turns report data into blocks.
type encoder struct {
	d    *report.Data
	base format.KTime // the page's times count from here
}

func newEncoder(d *report.Data) *encoder {
	e := &encoder{d: d}
	first := true
	see := func(t format.KTime) {
		if t != 0 && (first || t < e.base) {
			e.base, first = t, false
		}
	}
	for i := range d.Exchanges {
		see(d.Exchanges[i].Start)
	}
	for i := range d.Connections {
		see(d.Connections[i].Start)
	}
	return e
}

// meta is the block that every view needs.
type meta struct {
	Version     int      `json:"version"` // of the layout of the blocks
	Base        string   `json:"base"`    // wall time of time 0, nanoseconds since the epoch; "" unknown
	Edges       []edge   `json:"edges"`
	Lacks       []string `json:"lacks"` // words for the bits of an exchange's completeness
	Inferred    string   `json:"inferred"`
	Cuts        int      `json:"cuts"` // the bits that are lengths without bytes
	Exchanges   uint64   `json:"exchanges"`
	Connections uint64   `json:"connections"`
	Left        struct {
		Exchanges   uint64 `json:"exchanges"`
		Details     uint64 `json:"details"`
		Connections uint64 `json:"connections"`
	} `json:"left"`
	DetailsPerBlock int      `json:"detailsPerBlock"`
	Firings         []firing `json:"firings,omitempty"`
}

// firing is when a trigger rule fired, for the chart.
type firing struct {
	At   int64  `json:"at"`
	Name string `json:"name"`
}

type edge struct {
	Client   string `json:"client"`
	Server   string `json:"server"`
	Port     uint16 `json:"port"`
	Protocol string `json:"protocol"`
}

func (e *encoder) meta() []byte {
	d := e.d
	m := meta{Version: 1, Edges: []edge{}, Lacks: report.LackWords(), Inferred: report.InferredWords, Cuts: int(report.Cuts), DetailsPerBlock: detailsPerBlock,
		Exchanges: d.Summary.Exchanges, Connections: d.Summary.Connections}
	m.Left.Exchanges, m.Left.Details, m.Left.Connections = d.Left.Exchanges, d.Left.Details, d.Left.Connections
	m.Base = e.baseWall()
	for i := range d.Summary.Triggers {
		t := &d.Summary.Triggers[i]
		for _, f := range t.Firings {
			m.Firings = append(m.Firings, firing{int64(f.At - e.base), visible.Text(t.Name)})
		}
	}
	names := d.NodeNames()
	for i := range d.Edges {
		x := &d.Edges[i]
		m.Edges = append(m.Edges, edge{names[x.Client], names[x.Server], x.Port, visible.Text(x.Protocol)})
	}
	return mustJSON(m)
}

// baseWall finds a row whose wall time is known and counts back from it.
func (e *encoder) baseWall() string {
	for i := range e.d.Exchanges {
		if x := &e.d.Exchanges[i]; x.StartWall != 0 && x.Start != 0 {
			return fmt.Sprint(int64(x.StartWall) - int64(x.Start-e.base))
		}
	}
	for i := range e.d.Connections {
		if x := &e.d.Connections[i]; x.StartWall != 0 && x.Start != 0 {
			return fmt.Sprint(int64(x.StartWall) - int64(x.Start-e.base))
		}
	}
	return ""
}

func (e *encoder) exchanges() []byte {
	rows := e.d.Exchanges
	t := table{rows: len(rows)}
	t.deltas("id", func(i int) int64 { return int64(rows[i].ID) })
	t.deltas("start", func(i int) int64 { return int64(rows[i].Start - e.base) })
	t.ints("duration", func(i int) int64 { return int64(rows[i].Duration) })
	t.ints("ttfb", func(i int) int64 { return int64(rows[i].TTFB) })
	t.ints("upload", func(i int) int64 { return sinceStart(rows[i].Request.Last, rows[i].Start) })
	t.ints("status", func(i int) int64 { return int64(rows[i].Status) })
	t.ints("role", func(i int) int64 { return int64(rows[i].Role) })
	t.ints("missing", func(i int) int64 { return int64(rows[i].Missing) })
	t.ints("pid", func(i int) int64 { return int64(rows[i].PID) })
	t.ints("tid", func(i int) int64 { return int64(rows[i].TID) })
	t.ints("conn", func(i int) int64 { return int64(rows[i].Conn) })
	t.ints("index", func(i int) int64 { return int64(rows[i].Index) })
	t.ints("peer", func(i int) int64 {
		if rows[i].Peer == 0 {
			return 0
		}
		return int64(rows[i].Peer) - int64(rows[i].ID)
	})
	t.ints("edge", func(i int) int64 { return int64(rows[i].Edge) })
	t.ints("sent", func(i int) int64 { return int64(rows[i].Request.WireBytes) })
	t.ints("received", func(i int) int64 { return int64(rows[i].Response.WireBytes) })
	t.ints("pairing", func(i int) int64 { return int64(rows[i].Pairing) })
	t.ints("pipelined", func(i int) int64 { return bit(rows[i].Pipelined) })
	t.ints("why", func(i int) int64 { return int64(rows[i].Why) })
	ordinal := int64(-1)
	t.ints("detail", func(i int) int64 {
		if !rows[i].Detailed {
			return -1
		}
		ordinal++
		return ordinal
	})
	t.strings("method", func(i int) string { return rows[i].Method })
	t.strings("target", func(i int) string { return rows[i].Target })
	t.strings("host", func(i int) string { return rows[i].Host })
	t.strings("process", func(i int) string { return rows[i].Process })
	t.strings("local", func(i int) string { return rows[i].Local.String() })
	t.strings("remote", func(i int) string { return rows[i].Remote.String() })
	t.strings("protocol", func(i int) string { return rows[i].Protocol })
	t.strings("anomalies", func(i int) string { return strings.Join(rows[i].Anomalies, ", ") })
	t.strings("trace", func(i int) string {
		if rows[i].Trace == nil {
			return ""
		}
		return rows[i].Trace.TraceID
	})
	return t.encode()
}

// sinceStart returns t relative to start, -1 if either is unknown.
func sinceStart(t, start format.KTime) int64 {
	if t == 0 || start == 0 {
		return -1
	}
	return int64(t - start)
}

func (e *encoder) connections() []byte {
	rows := e.d.Connections
	t := table{rows: len(rows)}
	t.deltas("id", func(i int) int64 { return int64(rows[i].ID) })
	t.ints("peer", func(i int) int64 { return int64(rows[i].Peer) })
	t.ints("start", func(i int) int64 { return int64(rows[i].Start - e.base) })
	t.ints("end", func(i int) int64 { return int64(rows[i].End - e.base) })
	t.ints("sawStart", func(i int) int64 { return bit(rows[i].SawStart) })
	t.ints("sawEnd", func(i int) int64 { return bit(rows[i].SawEnd) })
	t.ints("connect", func(i int) int64 { return int64(rows[i].Connect) })
	t.ints("srtt", func(i int) int64 { return int64(rows[i].SRTT) })
	t.ints("retrans", func(i int) int64 { return int64(rows[i].Retrans) })
	t.ints("rttMin", func(i int) int64 { return int64(rows[i].TCP.RTTMin) })
	t.ints("rttMean", func(i int) int64 { return int64(rows[i].TCP.RTTMean) })
	t.ints("acceptWait", func(i int) int64 { return int64(rows[i].TCP.AcceptWait) })
	t.ints("close", func(i int) int64 { return int64(rows[i].TCP.Close) })
	t.ints("dropped", func(i int) int64 { return int64(rows[i].TCP.Dropped()) })
	t.ints("resets", func(i int) int64 { return int64(rows[i].TCP.ResetsSent) + int64(rows[i].TCP.ResetsReceived) })
	t.ints("zeroWindow", func(i int) int64 { return zeroWindow(&rows[i].TCP) })
	t.ints("role", func(i int) int64 { return int64(rows[i].Role) })
	t.ints("errno", func(i int) int64 { return int64(rows[i].Errno) })
	t.ints("pid", func(i int) int64 { return int64(rows[i].PID) })
	t.ints("edge", func(i int) int64 { return int64(rows[i].Edge) })
	t.ints("exchanges", func(i int) int64 { return int64(rows[i].Exchanges) })
	t.ints("inode", func(i int) int64 { return int64(rows[i].Inode) })
	t.ints("netns", func(i int) int64 { return int64(rows[i].NetNS) })
	for dir, name := range [...]string{"Read", "Write"} {
		t.ints("calls"+name, func(i int) int64 { return int64(rows[i].Calls[dir]) })
		t.ints("bytes"+name, func(i int) int64 { return int64(rows[i].Bytes[dir]) })
		t.ints("captured"+name, func(i int) int64 { return int64(rows[i].Captured[dir]) })
		t.ints("lost"+name, func(i int) int64 { return int64(rows[i].Lost[dir]) })
		t.ints("gaps"+name, func(i int) int64 { return int64(rows[i].Gaps[dir]) })
		t.ints("time"+name, func(i int) int64 { return int64(rows[i].CallTime[dir]) })
	}
	t.strings("process", func(i int) string { return rows[i].Process })
	t.strings("roleBy", func(i int) string { return rows[i].RoleBy })
	t.strings("protocol", func(i int) string { return rows[i].Protocol })
	t.strings("local", func(i int) string { return rows[i].Local.String() })
	t.strings("remote", func(i int) string { return rows[i].Remote.String() })
	t.strings("socket", func(i int) string { return fmt.Sprintf("%016x", uint64(rows[i].Socket)) })
	t.strings("resent", func(i int) string { return report.Resent(&rows[i].TCP) })
	t.strings("drops", func(i int) string { return report.Drops(&rows[i].TCP) })
	t.strings("resetWords", func(i int) string { return report.Resets(&rows[i].TCP) })
	t.strings("zeroWindows", func(i int) string { return report.ZeroWindows(&rows[i].TCP) })
	return t.encode()
}

// zeroWindow is how long windows were closed on a connection; -1 never.
func zeroWindow(x *facts.Transport) int64 {
	if x.ZeroWindows == [2]uint32{} {
		return -1
	}
	return int64(x.ZeroWindowTime[0] + x.ZeroWindowTime[1])
}

// details are the columns of a block of exchanges with heads and bodies, in the order of their rows.
type details struct {
	Request  messages   `json:"request"`
	Response messages   `json:"response"`
	Interim  [][]int    `json:"interim"`
	Trace    [][]string `json:"trace"` // format, trace id, span id, parent id, sampled; empty: none
}

type messages struct {
	First    []int64    `json:"first"` // nanoseconds since the exchange's start; -1 unknown
	Last     []int64    `json:"last"`
	Version  []string   `json:"version"`
	Head     []uint64   `json:"head"` // bytes
	Body     []uint64   `json:"body"`
	Wire     []uint64   `json:"wire"`
	Calls    []uint32   `json:"calls"`
	Chunked  []int64    `json:"chunked"`
	Headers  [][]string `json:"headers"` // name, value, name, value …
	Bytes    [][]byte   `json:"bytes"`   // the first bytes of the body; JSON has them as base64
	BytesCut []int64    `json:"bytesCut"`
}

func (m *messages) add(x *facts.Message, start format.KTime, cut bool) {
	m.First = append(m.First, sinceStart(x.First, start))
	m.Last = append(m.Last, sinceStart(x.Last, start))
	m.Version = append(m.Version, visible.Text(x.Version))
	m.Head = append(m.Head, x.HeadBytes)
	m.Body = append(m.Body, x.BodyBytes)
	m.Wire = append(m.Wire, x.WireBytes)
	m.Calls = append(m.Calls, x.Calls)
	m.Chunked = append(m.Chunked, bit(x.Chunked))
	fields := make([]string, 0, 2*len(x.Headers))
	for _, h := range x.Headers {
		fields = append(fields, visible.Text(h.Name), visible.Text(h.Value))
	}
	m.Headers = append(m.Headers, fields)
	m.Bytes = append(m.Bytes, x.Body)
	m.BytesCut = append(m.BytesCut, bit(cut))
}

// details returns the detail blocks of all detailed exchanges.
func (e *encoder) details() [][]byte {
	var out [][]byte
	var b details
	flush := func() {
		if len(b.Interim) > 0 {
			out = append(out, mustJSON(b))
			b = details{}
		}
	}
	for i := range e.d.Exchanges {
		x := &e.d.Exchanges[i]
		if !x.Detailed {
			continue
		}
		b.Request.add(&x.Request, x.Start, x.BodyCut[0])
		b.Response.add(&x.Response, x.Start, x.BodyCut[1])
		b.Interim = append(b.Interim, append([]int{}, x.Interim...))
		trace := []string{}
		if t := x.Trace; t != nil {
			for _, s := range []string{t.Format, t.TraceID, t.SpanID, t.ParentID, t.Sampled} {
				trace = append(trace, visible.Text(s))
			}
		}
		b.Trace = append(b.Trace, trace)
		if len(b.Interim) == detailsPerBlock {
			flush()
		}
	}
	flush()
	return out
}

// pack compresses JSON into a block. gzip is what every browser can undo (DecompressionStream).
func pack(name string, json []byte) block {
	var compressed bytes.Buffer
	z, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	if err == nil {
		if _, err = z.Write(json); err == nil {
			err = z.Close()
		}
	}
	if err != nil { // a bytes.Buffer takes everything
		panic("report/html: " + err.Error())
	}
	return block{name, base64.StdEncoding.EncodeToString(compressed.Bytes())}
}
