package filter

import (
	"math"
	"reflect"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/http1"
	"github.com/ebpf-reel/reel/format"
)

// fields are what an expression sees of an exchange. Times and sizes that are not known are NaN, with which every comparison but
// != is false: an unknown duration is neither above nor below a limit.
type fields struct {
	exchange *facts.Exchange

	ID            int      `expr:"id" doc:"number of the exchange, as in the table exchanges"`
	Connection    int      `expr:"connection" doc:"number of the connection"`
	Index         int      `expr:"index" doc:"number on its connection, from 1"`
	Role          string   `expr:"role" doc:"what the recorded process was: client or server"`
	Process       string   `expr:"process" doc:"name of the recorded process"`
	PID           int      `expr:"pid" doc:"the recorded process"`
	TID           int      `expr:"tid" doc:"thread that moved the first byte"`
	LocalAddress  string   `expr:"local_address" doc:"of the recorded process"`
	LocalPort     int      `expr:"local_port" doc:"of the recorded process"`
	RemoteAddress string   `expr:"remote_address" doc:"of its peer"`
	RemotePort    int      `expr:"remote_port" doc:"of its peer"`
	Port          int      `expr:"port" doc:"of the server, whichever side it is"`
	Protocol      string   `expr:"protocol" doc:"http, or https for what was decrypted"`
	Upgrade       string   `expr:"upgrade" doc:"what the connection speaks behind it: websocket, h2c, connect, ...; empty: HTTP/1"`
	Method        string   `expr:"method" doc:"of the request; empty: unknown"`
	Host          string   `expr:"host" doc:"that the request is for"`
	Target        string   `expr:"target" doc:"request target as sent, credentials masked"`
	Path          string   `expr:"path" doc:"of the target, without scheme, host and query"`
	Query         string   `expr:"query" doc:"of the target, without the question mark"`
	Status        int      `expr:"status" doc:"of the response; 0: there is none, or its start is lost"`
	Interim       []int    `expr:"interim" doc:"statuses of the 1xx responses before it"`
	Version       string   `expr:"version" doc:"of the request: HTTP/1.1, HTTP/1.0 or HTTP/1.x"`
	Start         float64  `expr:"start" unit:"time" doc:"of the first request byte, since the node booted (CLOCK_MONOTONIC)"`
	Duration      float64  `expr:"duration" unit:"time" doc:"client: first request byte written to last response byte read; server: first request byte read to last response byte written"`
	FirstByte     float64  `expr:"first_byte" unit:"time" doc:"from the same start to the first response byte"`
	Upload        float64  `expr:"upload" unit:"time" doc:"from the first to the last request byte"`
	Download      float64  `expr:"download" unit:"time" doc:"from the first to the last response byte"`
	RequestBytes  int      `expr:"request_bytes" unit:"size" doc:"as sent: head, framing, content, trailers"`
	ResponseBytes int      `expr:"response_bytes" unit:"size" doc:"as sent: head, framing, content, trailers"`
	RequestBody   int      `expr:"request_body_bytes" unit:"size" doc:"content, framing removed"`
	ResponseBody  int      `expr:"response_body_bytes" unit:"size" doc:"content, framing removed"`
	RequestCalls  int      `expr:"request_calls" doc:"system calls that moved the request"`
	ResponseCalls int      `expr:"response_calls" doc:"system calls that moved the response"`
	Blocked       int      `expr:"blocked_calls" doc:"of these calls, those inside which the thread left its CPU"`
	CallTime      float64  `expr:"call_time" unit:"time" doc:"in these calls, waiting included"`
	Pipelined     bool     `expr:"pipelined" doc:"its request was sent before the response before it was complete"`
	Complete      bool     `expr:"complete" doc:"nothing is missing"`
	Missing       []string `expr:"missing" doc:"what is missing: no_request, no_response, request_gap, ... (docs/tables.md)"`
	Pairing       string   `expr:"pairing" doc:"that the response answers this request: exact, inferred or unknown"`
	Anomalies     []string `expr:"anomalies" doc:"names in the ledger"`
	TraceID       string   `expr:"trace_id" doc:"of the request's trace context; empty: none"`
	SpanID        string   `expr:"span_id" doc:"of the caller"`
	TraceFormat   string   `expr:"trace_format" doc:"b3, b3multi, w3c, sw8 or jaeger; empty: none"`
	TraceSampled  string   `expr:"trace_sampled" doc:"what the caller decided: 1, 0, d (debug) or empty"`
	TraceService  string   `expr:"trace_service" doc:"calling service, of an sw8 context"`
}

func (f *fields) set(x *facts.Exchange) {
	path, query := http1.SplitTarget(x.Target)
	f.exchange = x
	f.ID, f.Connection, f.Index = int(x.ID), int(x.Conn), int(x.Index)
	f.Role, f.Process, f.PID, f.TID = x.Role.String(), x.Process, int(x.PID), int(x.TID)
	f.LocalAddress, f.LocalPort = address(x.Local), int(x.Local.Port)
	f.RemoteAddress, f.RemotePort = address(x.Remote), int(x.Remote.Port)
	f.Port = f.LocalPort
	if x.Role == format.RoleClient {
		f.Port = f.RemotePort
	}
	f.Protocol, f.Upgrade, f.Method, f.Host, f.Target, f.Path, f.Query = x.Protocol, x.Upgrade, x.Method, x.Host, x.Target, path, query
	f.Status, f.Interim, f.Version = x.Status, x.Interim, x.Request.Version
	f.Start = float64(x.Start)
	f.Duration, f.FirstByte, f.Upload, f.Download = span(x.Duration), span(x.TTFB), span(x.Upload), span(x.Download)
	f.RequestBytes, f.ResponseBytes = int(x.Request.WireBytes), int(x.Response.WireBytes)
	f.RequestBody, f.ResponseBody = int(x.Request.BodyBytes), int(x.Response.BodyBytes)
	f.RequestCalls, f.ResponseCalls = int(x.Request.Calls), int(x.Response.Calls)
	f.Blocked = int(x.Request.Blocked) + int(x.Response.Blocked)
	f.CallTime = float64(x.Request.CallTime + x.Response.CallTime)
	f.Pipelined, f.Complete, f.Missing = x.Pipelined, x.Missing == 0, x.Missing.Names()
	f.Pairing, f.Anomalies = x.Pairing.String(), x.Anomalies
	f.TraceID, f.SpanID, f.TraceFormat, f.TraceSampled, f.TraceService = "", "", "", "", ""
	if t := x.Trace; t != nil {
		f.TraceID, f.SpanID, f.TraceFormat, f.TraceSampled, f.TraceService = t.TraceID, t.SpanID, t.Format, t.Sampled, t.Service
	}
}

func address(e format.Endpoint) string {
	switch {
	case e.Path != "":
		return "unix:" + e.Path
	case e.Addr.IsValid():
		return e.Addr.String()
	}
	return ""
}

func span(d time.Duration) float64 {
	if d < 0 {
		return math.NaN()
	}
	return float64(d)
}

// Field is a field of the language.
type Field struct {
	Name, Type, Doc string
}

// Fields returns every field, in the order of the documentation.
func Fields() []Field {
	t := reflect.TypeFor[fields]()
	var out []Field
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("expr")
		if name == "" {
			continue
		}
		typ := f.Tag.Get("unit")
		if typ == "" {
			switch f.Type.Kind() {
			case reflect.Int:
				typ = "number"
			case reflect.Slice:
				typ = "list"
			default:
				typ = f.Type.Kind().String()
			}
		}
		out = append(out, Field{name, typ, f.Tag.Get("doc")})
	}
	return out
}

// builtins are the functions of the library that make sense here and depend on nothing but their arguments.
var builtins = []struct{ name, doc string }{
	{"len", "length of a string in bytes, or of a list"},
	{"lower", "a string in lower case"},
	{"upper", "a string in upper case"},
	{"any", "some element of a list: `any(anomalies, # startsWith \"http1_\")`"},
	{"all", "every element of a list"},
	{"none", "no element of a list"},
	{"abs", "a number without its sign"},
	{"min", "the least of numbers"},
	{"max", "the greatest of numbers"},
}
