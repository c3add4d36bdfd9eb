package tracecontext

import (
	"iter"
	"math/bits"

	"github.com/ebpf-reel/reel/analyze/facts"
)

// Anomaly is something odd about a request's trace context, with a registered name, a severity and a sentence (DESIGN D6).
type Anomaly uint8

// Anomalies is a set of them.
type Anomalies uint8

// The anomalies.
const (
	B3Invalid Anomaly = iota
	B3MultiInvalid
	TraceparentInvalid
	SW8Invalid
	UberInvalid
	Repeated
	Conflict
	numAnomalies
)

var anomalies = [numAnomalies]struct {
	name     string
	severity facts.Severity
	sentence string
}{
	B3Invalid:          {"trace_b3_invalid", facts.Notice, "A b3 field is not {trace}-{span}[-{sampled}[-{parent}]]; it was ignored."},
	B3MultiInvalid:     {"trace_b3multi_invalid", facts.Notice, "X-B3-* fields are not valid ids, or lack the trace or the span; they were ignored."},
	TraceparentInvalid: {"trace_traceparent_invalid", facts.Notice, "A traceparent is not valid (W3C Trace Context §3.2); it was ignored."},
	SW8Invalid:         {"trace_sw8_invalid", facts.Notice, "An sw8 field does not have SkyWalking's eight parts, or they cannot be decoded; it was ignored."},
	UberInvalid:        {"trace_uber_invalid", facts.Notice, "An uber-trace-id is not {trace}:{span}:{parent}:{flags}; it was ignored."},
	Repeated:           {"trace_repeated", facts.Notice, "A trace field was sent more than once; the first was taken."},
	Conflict:           {"trace_conflict", facts.Notice, "Trace fields of two formats name different traces; the first of b3, X-B3-*, traceparent, sw8 and uber-trace-id was taken."},
}

// Name returns the registered name ("trace_b3_invalid").
func (a Anomaly) Name() string {
	if a < numAnomalies {
		return anomalies[a].name
	}
	return "trace_unregistered"
}

func (a Anomaly) String() string { return a.Name() }

// Severity returns how much it matters.
func (a Anomaly) Severity() facts.Severity {
	if a < numAnomalies {
		return anomalies[a].severity
	}
	return facts.Error
}

// Sentence returns what it means and what was done.
func (a Anomaly) Sentence() string {
	if a < numAnomalies {
		return anomalies[a].sentence
	}
	return ""
}

// Registered yields every anomaly of this package.
func Registered() iter.Seq[Anomaly] {
	return func(yield func(Anomaly) bool) {
		for a := range numAnomalies {
			if !yield(a) {
				return
			}
		}
	}
}

func (s *Anomalies) add(a Anomaly) { *s |= 1 << a }

// All yields the anomalies in s, in their order.
func (s Anomalies) All() iter.Seq[Anomaly] {
	return func(yield func(Anomaly) bool) {
		for s != 0 {
			if !yield(Anomaly(bits.TrailingZeros8(uint8(s)))) {
				return
			}
			s &= s - 1
		}
	}
}

// AppendNames appends the registered names of the anomalies in s. It allocates only to grow dst.
func (s Anomalies) AppendNames(dst []string) []string {
	for a := range s.All() {
		dst = append(dst, a.Name())
	}
	return dst
}
