package event

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

func sample(role format.Role) *facts.Sample {
	ms := func(n int) format.KTime { return format.KTime(n) * format.KTime(time.Millisecond) }
	read, write := format.CallRecvfrom, format.CallWritev
	in, out := facts.Call{By: read, Dir: format.Read, Start: ms(0), End: ms(100), Bytes: 40, Blocked: true, SRTT: 43 * time.Microsecond},
		facts.Call{By: write, Dir: format.Write, Start: ms(120), End: ms(121), Bytes: 60}
	x := &facts.Exchange{ID: 1, Role: role, Process: "nginx", Method: "POST", Target: "/p", Status: 200, Start: ms(100), StartWall: facts.Wall(time.Hour),
		TTFB: 20 * time.Millisecond, Duration: 21 * time.Millisecond,
		Request: facts.Message{First: ms(0), Last: ms(100), HeadBytes: 36, BodyBytes: 4, WireBytes: 40, Version: "HTTP/1.1", Body: []byte("body"), Calls: 1,
			CallTime: 100 * time.Millisecond, Blocked: 1, BlockedTime: 100 * time.Millisecond, Syscalls: []facts.Call{in}, Headers: []facts.Header{{Name: "Host", Value: "a"}}},
		Response: facts.Message{First: ms(120), Last: ms(121), HeadBytes: 40, BodyBytes: 20, WireBytes: 60, Version: "HTTP/1.1", Calls: 1, CallTime: time.Millisecond,
			Syscalls: []facts.Call{out}, Headers: []facts.Header{{Name: "Content-Type", Value: "image/png"}}, Body: []byte("\x89PNG\x00")},
	}
	if role == format.RoleClient {
		x.Request, x.Response = x.Response, x.Request
		x.Request.Syscalls[0].Start, x.Request.Syscalls[0].End = ms(100), ms(101)
		x.Request.First, x.Request.Last = ms(100), ms(101)
		x.Response.First, x.Response.Last = ms(101), ms(140)
		x.Response.Syscalls[0].Start, x.Response.Syscalls[0].End = ms(101), ms(120)
	}
	return &facts.Sample{Exchange: x, Rule: "default", Reason: "slow", Request: true, Response: true, RequestMax: 100, ResponseMax: 100}
}

func lines(events []Event) []string {
	var out []string
	for _, e := range events {
		tags := map[string]string{}
		for _, t := range e.Tags {
			tags[t.Key] = t.Value
		}
		out = append(out, fmt.Sprintf("%s %s %v..%v (%v) %s %s %s%s %s", e.Name, e.Type, time.Duration(e.Start), time.Duration(e.End), e.Duration(), time.Duration(e.StartWall),
			tags["data_direction"], tags["data_size"], tags["package_size"], tags["blocked"]))
	}
	return out
}

// A server's read that waited 100 ms for the request is long in its own event only; a client's response begins when its first byte was read.
func TestOf(t *testing.T) {
	for role, want := range map[format.Role][]string{
		format.RoleServer: {
			"HTTP Request Sampling request 100ms..100ms (0s) 1h0m0s inbound 40 B ",
			"Syscall Recvfrom request 0s..100ms (100ms) 59m59.9s inbound 40 B true",
			"HTTP Response Sampling response 120ms..121ms (1ms) 1h0m0.02s outbound 60 B ",
			"Syscall Writev response 120ms..121ms (1ms) 1h0m0.02s outbound 60 B false",
		},
		format.RoleClient: {
			"HTTP Request Sampling request 100ms..101ms (1ms) 1h0m0s outbound 60 B ",
			"Syscall Writev request 100ms..101ms (1ms) 1h0m0s outbound 60 B false",
			"HTTP Response Sampling response 120ms..140ms (20ms) 1h0m0.02s inbound 40 B ",
			"Syscall Recvfrom response 101ms..120ms (19ms) 1h0m0.001s inbound 40 B true",
		},
	} {
		if d := cmp.Diff(want, lines(Of(sample(role)))); d != "" {
			t.Errorf("%v: -want +got\n%s", role, d)
		}
	}
	// What is not known, or not kept, is not there.
	s := sample(format.RoleServer)
	s.Request, s.Exchange.StartWall, s.Exchange.Response = false, 0, facts.Message{}
	s.Exchange.Missing = facts.NoResponse
	events := Of(s)
	if len(events) != 2 || events[0].StartWall != 0 || strings.Contains(fmt.Sprint(events), "data_content") || !strings.Contains(fmt.Sprint(events), "no_response") {
		t.Errorf("%+v", events)
	}
}

func TestText(t *testing.T) {
	x := sample(format.RoleServer).Exchange
	if got, want := Text(x, &x.Request, "request", 100), "POST /p HTTP/1.1\nHost: a\n\nbody"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := Text(x, &x.Request, "request", 2), "POST /p HTTP/1.1\nHost: a\n\nbo\n[cut: the content has 4 B on the wire]"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := Text(x, &x.Response, "response", 100), "HTTP/1.1 200\nContent-Type: image/png\n\n[20 B of image/png]\n[cut: the content has 20 B on the wire]"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	x.Response.Body = nil
	if got, want := Text(x, &x.Response, "response", 100), "HTTP/1.1 200\nContent-Type: image/png\n\n[20 B of content, not kept]"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
