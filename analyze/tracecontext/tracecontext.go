package tracecontext

import (
	"bytes"

	"github.com/ebpf-reel/reel/analyze/facts"
)

// Fields are the fields of a head; *http1.Message is one.
type Fields interface {
	NumFields() int
	Field(i int) (name, value []byte)
}

// format numbers the formats in the order in which they are preferred: B3 first, since only it names the parent.
type format uint8

const (
	b3 format = iota
	b3Multi
	w3c
	sw8
	jaeger
	numFormats
)

var formatNames = [numFormats]string{"b3", "b3multi", "w3c", "sw8", "jaeger"}

// ids is one context as sent; the slices belong to the message.
type ids struct {
	present bool
	valid   bool
	trace   []byte
	span    []byte
	parent  []byte
	sampled string
	caller  [4]string // sw8: service, instance, endpoint, address
}

// Parse reads the trace context of a request into out and reports whether there is a valid one. When several formats are valid, the
// first of b3, b3multi, w3c, sw8, jaeger that has ids is taken.
//
// out.TraceID and SpanID are those of the span on the caller's side, in lower-case hex as long as they were sent; for sw8 they are
// text, and the span is "<segment id>-<span number>". Sampled is "1", "0", "d" (debug: sampled for sure) or "" (left to the callee).
// A context that only carries a sampling decision has no ids. An sw8 also says who called, a traceparent may have a tracestate.
func Parse(h Fields, out *facts.TraceContext) (ok bool, odd Anomalies) {
	var found [numFormats]ids
	multi := &found[b3Multi]
	multi.valid = true
	var state []byte
	for i := range h.NumFields() {
		name, value := h.Field(i)
		switch len(name) {
		case len("b3"):
			if equalFold(name, "b3") {
				take(&found[b3], parseB3, value, B3Invalid, &odd)
			}
		case len("sw8"):
			if equalFold(name, "sw8") {
				take(&found[sw8], parseSW8, value, SW8Invalid, &odd)
			}
		case len("traceparent"): // and x-b3-spanid
			if equalFold(name, "traceparent") {
				take(&found[w3c], parseTraceparent, value, TraceparentInvalid, &odd)
			} else {
				multi.field(name, value, &odd)
			}
		case len("uber-trace-id"):
			if equalFold(name, "uber-trace-id") {
				take(&found[jaeger], parseUber, value, UberInvalid, &odd)
			}
		case len("tracestate"): // and x-b3-flags
			if equalFold(name, "tracestate") {
				state = addState(state, value)
			} else {
				multi.field(name, value, &odd)
			}
		case len("x-b3-traceid"), len("x-b3-parentspanid"):
			multi.field(name, value, &odd)
		}
	}
	multi.finish(&odd)
	best := -1
	for f := range found {
		c := &found[f]
		if !c.present || !c.valid {
			continue
		}
		switch {
		case best < 0, len(found[best].trace) == 0 && len(c.trace) > 0:
			best = f
		case len(c.trace) > 0 && f != int(sw8) && !sameTrace(found[best].trace, c.trace):
			odd.Add(Conflict)
		}
	}
	if best < 0 {
		return false, odd
	}
	c := &found[best]
	*out = facts.TraceContext{Format: formatNames[best], Sampled: c.sampled}
	if best == int(sw8) {
		out.TraceID, out.SpanID = string(c.trace), string(c.span)
		out.Service, out.Instance, out.Endpoint, out.Address = c.caller[0], c.caller[1], c.caller[2], c.caller[3]
	} else {
		out.TraceID, out.SpanID, out.ParentID = lower(c.trace), lower(c.span), lower(c.parent)
	}
	if best == int(w3c) && len(state) > 0 {
		if validState(state) {
			out.State = string(state)
		} else {
			odd.Add(TracestateInvalid)
		}
	}
	return true, odd
}

// take parses a field that has its context to itself.
func take(c *ids, parse func([]byte) (ids, bool), value []byte, bad Anomaly, odd *Anomalies) {
	if c.present {
		odd.Add(Repeated)
		return
	}
	got, ok := parse(value)
	if !ok {
		odd.Add(bad)
	}
	*c = got
	c.present, c.valid = true, ok
}

// parseB3 reads {trace}-{span}[-{sampled}[-{parent}]] or {sampled} alone (openzipkin/b3-propagation).
func parseB3(v []byte) (c ids, ok bool) {
	if len(v) == 1 {
		c.sampled, ok = b3Sampled(v)
		return c, ok
	}
	trace, rest, ok := bytes.Cut(v, dash)
	if !ok || !isID(trace, 32) {
		return c, false
	}
	span, rest, more := bytes.Cut(rest, dash)
	if !isID(span, 16) {
		return c, false
	}
	c.trace, c.span = trace, span
	if !more {
		return c, true
	}
	sampled, parent, more := bytes.Cut(rest, dash)
	if c.sampled, ok = b3Sampled(sampled); !ok || more && !isID(parent, 16) {
		return c, false
	}
	c.parent = parent
	return c, true
}

func b3Sampled(v []byte) (string, bool) {
	switch string(v) {
	case "0", "false":
		return "0", true
	case "1", "true":
		return "1", true
	case "d":
		return "d", true
	}
	return "", false
}

// field takes one of the X-B3-* fields.
func (c *ids) field(name, value []byte, odd *Anomalies) {
	if len(name) < 6 || !equalFold(name[:5], "x-b3-") {
		return
	}
	ok := true
	switch name = name[5:]; {
	case equalFold(name, "traceid"):
		ok = c.set(&c.trace, value, 32, odd)
	case equalFold(name, "spanid"):
		ok = c.set(&c.span, value, 16, odd)
	case equalFold(name, "parentspanid"):
		ok = c.set(&c.parent, value, 16, odd)
	case equalFold(name, "sampled"):
		var s string
		if s, ok = b3Sampled(value); c.sampled == "" {
			c.sampled = s
		}
	case equalFold(name, "flags"):
		if string(value) == "1" {
			c.sampled = "d" // debug, which implies sampled
		}
	default:
		return
	}
	c.present = true
	c.valid = c.valid && ok
}

func (c *ids) set(to *[]byte, value []byte, most int, odd *Anomalies) bool {
	if *to != nil {
		odd.Add(Repeated)
		return true
	}
	*to = value
	return isID(value, most)
}

// finish checks what the X-B3-* fields make together.
func (c *ids) finish(odd *Anomalies) {
	if !c.present {
		return
	}
	if (c.trace == nil) != (c.span == nil) || c.parent != nil && c.trace == nil {
		c.valid = false
	}
	if !c.valid {
		odd.Add(B3MultiInvalid)
	}
}

// parseTraceparent reads version-trace-parent-flags (W3C Trace Context §3.2).
func parseTraceparent(v []byte) (c ids, ok bool) {
	const size = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if len(v) < size || v[2] != '-' || v[35] != '-' || v[52] != '-' {
		return c, false
	}
	version, flags := v[:2], v[53:55]
	if !isLowerHex(version) || string(version) == "ff" || !isLowerHex(flags) {
		return c, false
	}
	if len(v) > size && (string(version) == "00" || v[size] != '-') {
		return c, false
	}
	c.trace, c.span = v[3:35], v[36:52]
	c.sampled = "0"
	if unhex(flags[1])&1 != 0 {
		c.sampled = "1"
	}
	return c, isLowerHex(c.trace) && isID(c.trace, 32) && isLowerHex(c.span) && isID(c.span, 16)
}

// parseUber reads {trace}:{span}:{parent}:{flags} (Jaeger client libraries); the colons may be percent-encoded.
func parseUber(v []byte) (c ids, ok bool) {
	sep := []byte(":")
	if !bytes.Contains(v, sep) {
		sep = []byte("%3A")
	}
	parts := [4][]byte{}
	for i := range parts {
		var more bool
		parts[i], v, more = bytes.Cut(v, sep)
		if more != (i < 3) {
			return c, false
		}
	}
	c.trace, c.span = parts[0], parts[1]
	if !isID(c.trace, 32) || !isID(c.span, 16) || !isHex(parts[2]) || len(parts[2]) > 16 {
		return c, false
	}
	if len(bytes.Trim(parts[2], "0")) > 0 {
		c.parent = parts[2]
	}
	flags := parts[3]
	if len(flags) == 0 || len(flags) > 2 || !isHex(flags) {
		return c, false
	}
	switch low := unhex(flags[len(flags)-1]); {
	case low&2 != 0:
		c.sampled = "d"
	case low&1 != 0:
		c.sampled = "1"
	default:
		c.sampled = "0"
	}
	return c, true
}

var dash = []byte("-")

// isID reports whether v is 1 to most hex digits, not all zero. Ids shorter than they should be are sent by clients that do not pad.
func isID(v []byte, most int) bool {
	return len(v) <= most && isHex(v) && len(bytes.Trim(v, "0")) > 0
}

func isHex(v []byte) bool {
	for _, c := range v {
		if unhex(c) > 15 {
			return false
		}
	}
	return len(v) > 0
}

func isLowerHex(v []byte) bool {
	for _, c := range v {
		if unhex(c) > 15 || 'A' <= c && c <= 'F' {
			return false
		}
	}
	return true
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 0xff
}

func lower(v []byte) string { return string(bytes.ToLower(v)) }

// sameTrace compares ids as backends do: by their low 64 bits, since one side may have cut a 128-bit id, and without leading zeros.
func sameTrace(a, b []byte) bool {
	return bytes.EqualFold(low64(a), low64(b))
}

func low64(id []byte) []byte {
	return bytes.TrimLeft(id[max(0, len(id)-16):], "0")
}

// equalFold compares name with lower, which is in lower case.
func equalFold(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
