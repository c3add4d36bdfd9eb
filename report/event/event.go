// Package event turns a sampled exchange into the events that are shown beside the spans of a trace: one for the request, one for the
// response, and one for each system call on the socket that moved them.
//
// Names, tags and their values are those of Apache SkyWalking Rover where it has them, so that what reads its events reads these.
package event

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/report/content"
	"github.com/ebpf-reel/reel/report/quantity"
)

// The names of events of messages; those of system calls are "Syscall Recvfrom", ….
const (
	Request  = "HTTP Request Sampling"
	Response = "HTTP Response Sampling"
	syscall  = "Syscall "
)

// Event is something with a beginning and an end inside an exchange.
type Event struct {
	Name               string
	Type               string // "request", "response": whose message it is, or moved
	Start, End         format.KTime
	StartWall, EndWall facts.Wall // 0: the reel has no clock
	Tags               []Tag
	Summary            []Number
}

// Tag is a property as text.
type Tag struct{ Key, Value string }

// Number is a property as a number; its unit is in its key.
type Number struct {
	Key   string
	Value int64
}

// Of returns the events of s: request and response, as far as there are such messages, and the system calls in order of time.
func Of(s *facts.Sample) []Event {
	x := s.Exchange
	var out []Event
	for _, part := range [...]struct {
		name, kind string
		m          *facts.Message
		keep       bool
		max        int
	}{{Request, "request", &x.Request, s.Request, s.RequestMax}, {Response, "response", &x.Response, s.Response, s.ResponseMax}} {
		if part.m.WireBytes == 0 {
			continue
		}
		e := Event{Name: part.name, Type: part.kind}
		e.Start, e.End = bounds(x, part.m, part.kind)
		e.StartWall, e.EndWall = wall(x, e.Start), wall(x, e.End)
		e.Tags = append(e.Tags,
			Tag{"data_type", part.kind},
			Tag{"data_direction", direction(x, part.kind)},
			Tag{"connection_role", x.Role.String()},
			Tag{"process_name", x.Process},
			Tag{"data_size", quantity.Bytes(part.m.WireBytes)})
		if lacks := x.Missing.Names(); len(lacks) > 0 {
			e.Tags = append(e.Tags, Tag{"missing", strings.Join(lacks, " ")})
		}
		if part.keep {
			e.Tags = append(e.Tags, Tag{"data_content", Text(x, part.m, part.kind, part.max)})
		}
		e.Summary = []Number{
			{"head_bytes", int64(part.m.HeadBytes)}, {"content_bytes", int64(part.m.BodyBytes)}, {"wire_bytes", int64(part.m.WireBytes)},
			{"syscalls", int64(part.m.Calls)}, {"syscall_ns", int64(part.m.CallTime)},
			{"blocked_syscalls", int64(part.m.Blocked)}, {"blocked_ns", int64(part.m.BlockedTime)},
		}
		out = append(out, e)
		for i := range part.m.Syscalls {
			out = append(out, call(x, &part.m.Syscalls[i], part.kind))
		}
	}
	return out
}

// bounds returns from when to when a message was moved on this end: what is read is there when the call ends, whatever it waited for.
func bounds(x *facts.Exchange, m *facts.Message, kind string) (start, end format.KTime) {
	start, end = m.First, m.Last
	if direction(x, kind) == "inbound" {
		if kind == "request" {
			start = x.Start
		} else if x.TTFB >= 0 {
			start = x.Start + format.KTime(x.TTFB)
		}
	}
	return start, max(start, end)
}

// direction says which way a message went, as the recorded process sees it.
func direction(x *facts.Exchange, kind string) string {
	if (kind == "request") == (x.Role == format.RoleServer) {
		return "inbound"
	}
	return "outbound"
}

// wall returns the wall time of t: within an exchange the clocks run alike.
func wall(x *facts.Exchange, t format.KTime) facts.Wall {
	if x.StartWall == 0 {
		return 0
	}
	return x.StartWall + facts.Wall(t-x.Start)
}

func call(x *facts.Exchange, c *facts.Call, kind string) Event {
	blocked := "false"
	if c.Blocked {
		blocked = "true"
	}
	name := c.By.String()
	e := Event{
		Name: syscall + strings.ToUpper(name[:1]) + name[1:], Type: kind, Start: c.Start, End: c.End,
		StartWall: wall(x, c.Start), EndWall: wall(x, c.End),
		Tags: []Tag{
			{"package_size", quantity.Bytes(c.Bytes)}, {"data_direction", map[format.Direction]string{format.Read: "inbound", format.Write: "outbound"}[c.Dir]},
			{"blocked", blocked}, {"pid", strconv.FormatUint(uint64(c.PID), 10)}, {"tid", strconv.FormatUint(uint64(c.TID), 10)}, {"process_name", x.Process},
		},
		Summary: []Number{{"bytes", int64(c.Bytes)}, {"duration_ns", int64(c.End.Sub(c.Start))}},
	}
	if c.SRTT > 0 {
		e.Tags = append(e.Tags, Tag{"avg_rtt_time", strconv.FormatInt(int64(c.SRTT), 10) + "ns"})
		e.Summary = append(e.Summary, Number{"srtt_ns", int64(c.SRTT)})
	}
	return e
}

// Text returns a message as people read it: start line, fields, and at most most bytes of the content, its coding undone. What is not
// there is said in brackets.
func Text(x *facts.Exchange, m *facts.Message, kind string, most int) string {
	var b strings.Builder
	if kind == "request" {
		fmt.Fprintf(&b, "%s %s %s\n", unknown(x.Method), unknown(x.Target), unknown(m.Version))
	} else {
		fmt.Fprintf(&b, "%s %d\n", unknown(m.Version), x.Status)
	}
	for _, h := range m.Headers {
		fmt.Fprintf(&b, "%s: %s\n", h.Name, h.Value)
	}
	b.WriteByte('\n')
	if m.BodyBytes == 0 {
		return b.String()
	}
	c := content.Decode(m, most)
	switch {
	case c.Text != "":
		b.WriteString(c.Text)
	case len(c.Bytes) == 0:
		fmt.Fprintf(&b, "[%s of content, not kept]", quantity.Bytes(m.BodyBytes))
		return b.String()
	default:
		fmt.Fprintf(&b, "[%s of %s]", quantity.Bytes(m.BodyBytes), or(c.Type, "content that is no text"))
	}
	if c.Problem != "" {
		fmt.Fprintf(&b, "\n[%s]", c.Problem)
	}
	if c.Cut {
		fmt.Fprintf(&b, "\n[cut: the content has %s on the wire]", quantity.Bytes(m.BodyBytes))
	}
	return b.String()
}

func unknown(s string) string { return or(s, "?") }

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// Duration returns how long e took.
func (e *Event) Duration() time.Duration { return e.End.Sub(e.Start) }
