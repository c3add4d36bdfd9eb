package table

import (
	"strconv"
	"strings"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/report/curl"
	"github.com/ebpf-reel/reel/report/event"
)

// The rows of what sampling chose.

type sampleRow struct {
	Exchange uint64 `parquet:"exchange_id" json:"exchange_id" doc:"id in exchanges"`
	Rule     string `parquet:"rule,dict" json:"rule" doc:"that chose it: rule 1, ... in the order of the file, or default"`
	Reason   string `parquet:"reason,dict" json:"reason" doc:"status_5xx, status_4xx, slow, or matched (the rule names none of these)"`
	Request  string `parquet:"request_content" json:"request_content" doc:"the request as text, content decoded; empty: the rule does not keep it"`
	Response string `parquet:"response_content" json:"response_content" doc:"the same of the response"`
	Curl     string `parquet:"curl" json:"curl" doc:"command that sends the request again; empty: the rule does not keep it, or it cannot be sent"`
}

type eventRow struct {
	Exchange   uint64   `parquet:"exchange_id" json:"exchange_id" doc:"id in samples and exchanges"`
	Name       string   `parquet:"name,dict" json:"name" doc:"HTTP Request Sampling, HTTP Response Sampling, or Syscall and its name"`
	Type       string   `parquet:"type,dict" json:"type" doc:"request or response: what it is, or moved"`
	Start      int64    `parquet:"start_ns" json:"start_ns" doc:"ns, CLOCK_MONOTONIC of the recorded node"`
	End        int64    `parquet:"end_ns" json:"end_ns" doc:"ns, CLOCK_MONOTONIC"`
	StartWall  *Wall    `parquet:"start_time,optional,timestamp(nanosecond)" json:"start_time" doc:"UTC; null: the reel has no clock"`
	EndWall    *Wall    `parquet:"end_time,optional,timestamp(nanosecond)" json:"end_time" doc:"UTC"`
	Blocked    bool     `parquet:"blocked" json:"blocked" doc:"a system call that the thread left its CPU in"`
	TraceID    string   `parquet:"trace_id" json:"trace_id" doc:"of the request's trace context; empty: none"`
	SpanID     string   `parquet:"span_id" json:"span_id" doc:"of the caller"`
	TagKeys    []string `parquet:"tag_keys,list" json:"tag_keys" doc:"properties as text (docs/sampling.md): their names; data_content is in samples"`
	TagValues  []string `parquet:"tag_values,list" json:"tag_values" doc:"and their values, in the same order"`
	NumberKeys []string `parquet:"summary_keys,list" json:"summary_keys" doc:"properties as numbers: their names, which say the unit"`
	Numbers    []int64  `parquet:"summary_values,list" json:"summary_values" doc:"and their values, in the same order"`
}

type topRow struct {
	List     string `parquet:"list,dict" json:"list" doc:"slow, 4xx or 5xx; each by duration"`
	Client   string `parquet:"client,dict" json:"client" doc:"of the edge, id in nodes; empty: of all edges"`
	Server   string `parquet:"server,dict" json:"server" doc:"of the edge, id in nodes; empty: of all edges"`
	Port     uint16 `parquet:"port" json:"port" doc:"of the edge"`
	Protocol string `parquet:"protocol,dict" json:"protocol" doc:"of the edge"`
	Side     string `parquet:"side,dict" json:"side" doc:"whose view: client or server; empty: of all edges, the client's view where there are both"`
	Rank     uint32 `parquet:"rank" json:"rank" doc:"in its list, from 1"`
	Exchange uint64 `parquet:"exchange_id" json:"exchange_id" doc:"id in exchanges"`
	Duration *int64 `parquet:"duration_ns,optional" json:"duration_ns" doc:"ns; null: unknown"`
	Status   uint16 `parquet:"status" json:"status" doc:"0: unknown"`
	Method   string `parquet:"method,dict" json:"method" doc:"of the request"`
	Host     string `parquet:"host,dict" json:"host" doc:"that it is for"`
	Target   string `parquet:"target" json:"target" doc:"as sent, credentials masked"`
	TraceID  string `parquet:"trace_id" json:"trace_id" doc:"of its trace context; empty: none"`
}

// Sample adds a row of samples, and those of its events. s is not used after the call.
func (w *Writer) Sample(s *facts.Sample) error {
	row := sampleRow{Exchange: uint64(s.Exchange.ID), Rule: s.Rule, Reason: s.Reason}
	b := w.events.batch
	for _, e := range event.Of(s) {
		r := eventRow{Exchange: row.Exchange, Name: e.Name, Type: e.Type, Start: int64(e.Start), End: int64(e.End),
			StartWall: b.wall(e.StartWall), EndWall: b.wall(e.EndWall), TagKeys: []string{}, TagValues: []string{}}
		if t := s.Exchange.Trace; t != nil {
			r.TraceID, r.SpanID = t.TraceID, t.SpanID
		}
		for _, tag := range e.Tags {
			switch {
			case tag.Key == "data_content" && e.Type == "request":
				row.Request = strings.ToValidUTF8(tag.Value, "\uFFFD")
				continue
			case tag.Key == "data_content":
				row.Response = strings.ToValidUTF8(tag.Value, "\uFFFD")
				continue
			case tag.Key == "blocked":
				r.Blocked, _ = strconv.ParseBool(tag.Value)
			}
			r.TagKeys, r.TagValues = append(r.TagKeys, tag.Key), append(r.TagValues, tag.Value)
		}
		for _, n := range e.Summary {
			r.NumberKeys, r.Numbers = append(r.NumberKeys, n.Key), append(r.Numbers, n.Value)
		}
		b.rows = append(b.rows, r)
	}
	if err := w.events.added(); err != nil {
		return err
	}
	if s.Request {
		row.Curl = curl.Command(s.Exchange)
	}
	w.samples.batch.rows = append(w.samples.batch.rows, row)
	return w.samples.added()
}

func topRowOf(t *facts.TopEntry) topRow {
	x := t.Exchange
	r := topRow{List: t.List, Client: t.Edge.Client, Server: t.Edge.Server, Port: t.Edge.Port, Protocol: t.Edge.Protocol, Rank: uint32(t.Rank),
		Exchange: uint64(x.ID), Status: uint16(x.Status), Method: x.Method, Host: x.Host, Target: x.Target}
	if t.Side != format.RoleUnknown {
		r.Side = t.Side.String()
	}
	if x.Duration >= 0 {
		duration := int64(x.Duration)
		r.Duration = &duration
	}
	if x.Trace != nil {
		r.TraceID = x.Trace.TraceID
	}
	return r
}
