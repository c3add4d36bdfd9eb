package tracecontext

import (
	"iter"

	"github.com/ebpf-reel/reel/analyze/anomaly"
)

// Anomaly is something odd about a request's trace context, with a registered name, a severity and a sentence (DESIGN D6).
type Anomaly uint8

// Anomalies is a set of them.
type Anomalies = anomaly.Set[Anomaly]

// The anomalies.
const (
	B3Invalid Anomaly = iota
	B3MultiInvalid
	TraceparentInvalid
	TracestateInvalid
	SW8Invalid
	UberInvalid
	Repeated
	Conflict
)

var registered = anomaly.Table[Anomaly]{
	B3Invalid:          anomaly.Notice("trace_b3_invalid", "A b3 field is not {trace}-{span}[-{sampled}[-{parent}]]; it was ignored."),
	B3MultiInvalid:     anomaly.Notice("trace_b3multi_invalid", "X-B3-* fields are not valid ids, or lack the trace or the span; they were ignored."),
	TraceparentInvalid: anomaly.Notice("trace_traceparent_invalid", "A traceparent is not valid (W3C Trace Context §3.2); it was ignored."),
	TracestateInvalid:  anomaly.Notice("trace_tracestate_invalid", "A tracestate is not a list of at most 32 key=value members (W3C Trace Context §3.3); it was ignored, its traceparent was not."),
	SW8Invalid:         anomaly.Notice("trace_sw8_invalid", "An sw8 field does not have SkyWalking's eight parts, or they cannot be decoded; it was ignored."),
	UberInvalid:        anomaly.Notice("trace_uber_invalid", "An uber-trace-id is not {trace}:{span}:{parent}:{flags}; it was ignored."),
	Repeated:           anomaly.Notice("trace_repeated", "A trace field was sent more than once; the first was taken."),
	Conflict:           anomaly.Notice("trace_conflict", "Trace fields of two formats name different traces; the first of b3, X-B3-*, traceparent, sw8 and uber-trace-id was taken."),
}

// Def returns the registered name, the severity and the sentence of a.
func (a Anomaly) Def() anomaly.Def { return registered.Of(a) }

func (a Anomaly) String() string { return a.Def().Name }

// Registered yields every anomaly of this package.
func Registered() iter.Seq2[Anomaly, anomaly.Def] { return registered.All() }

// AppendNames appends the registered names of the anomalies in s that dst does not have yet. It allocates only to grow dst.
func AppendNames(dst []string, s Anomalies) []string { return registered.AppendNames(dst, s) }
