package tracecontext

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ebpf-reel/reel/analyze/facts"
)

type fields []string // "Name: value"

func (f fields) NumFields() int { return len(f) }
func (f fields) Field(i int) (name, value []byte) {
	n, v, _ := strings.Cut(f[i], ": ")
	return []byte(n), []byte(v)
}

const (
	id128 = "463ac35c9f6413ad48485a3953bb6124"
	id64  = "a2fb4a1d1a96d312"
	up64  = "0020000000000001"
)

func TestParse(t *testing.T) {
	tc := func(format, trace, span, parent, sampled string) *facts.TraceContext {
		return &facts.TraceContext{Format: format, TraceID: trace, SpanID: span, ParentID: parent, Sampled: sampled}
	}
	for name, c := range map[string]struct {
		in   fields
		want *facts.TraceContext
		odd  []string
	}{
		"nothing":               {fields{"Host: x", "b4: 0", "X-B3-Other: 1", "tracestate: a=b"}, nil, nil},
		"b3":                    {fields{"b3: " + id128 + "-" + id64}, tc("b3", id128, id64, "", ""), nil},
		"b3 sampled":            {fields{"B3: " + id128 + "-" + id64 + "-1"}, tc("b3", id128, id64, "", "1"), nil},
		"b3 debug with parent":  {fields{"b3: " + id64 + "-" + id64 + "-d-" + up64}, tc("b3", id64, id64, up64, "d"), nil},
		"b3 decision alone":     {fields{"b3: 0"}, tc("b3", "", "", "", "0"), nil},
		"b3 upper case":         {fields{"b3: " + strings.ToUpper(id128) + "-" + id64}, tc("b3", id128, id64, "", ""), nil},
		"b3 not padded":         {fields{"b3: 1f-2e"}, tc("b3", "1f", "2e", "", ""), nil},
		"b3 too long":           {fields{"b3: 0" + id128 + "-" + id64}, nil, []string{"trace_b3_invalid"}},
		"b3 zero":               {fields{"b3: 00000000000000000000000000000000-" + id64}, nil, []string{"trace_b3_invalid"}},
		"b3 of junk":            {fields{"b3: hello"}, nil, []string{"trace_b3_invalid"}},
		"b3 bad decision":       {fields{"b3: " + id128 + "-" + id64 + "-x"}, nil, []string{"trace_b3_invalid"}},
		"b3 bad parent":         {fields{"b3: " + id128 + "-" + id64 + "-1-"}, nil, []string{"trace_b3_invalid"}},
		"b3 twice":              {fields{"b3: 1-2", "b3: 3-4"}, tc("b3", "1", "2", "", ""), []string{"trace_repeated"}},
		"b3multi":               {fields{"X-B3-TraceId: " + id128, "x-b3-spanid: " + id64, "X-B3-ParentSpanId: " + up64, "X-B3-Sampled: 1"}, tc("b3multi", id128, id64, up64, "1"), nil},
		"b3multi by Go's names": {fields{"X-B3-Traceid: " + id64, "X-B3-Spanid: " + id64, "X-B3-Flags: 1"}, tc("b3multi", id64, id64, "", "d"), nil},
		"b3multi old decision":  {fields{"X-B3-Sampled: true"}, tc("b3multi", "", "", "", "1"), nil},
		"b3multi without span":  {fields{"X-B3-TraceId: " + id128}, nil, []string{"trace_b3multi_invalid"}},
		"b3multi of junk":       {fields{"X-B3-TraceId: zz", "X-B3-SpanId: " + id64}, nil, []string{"trace_b3multi_invalid"}},
		"w3c":                   {fields{"traceparent: 00-" + id128 + "-" + id64 + "-01", "X: 1"}, tc("w3c", id128, id64, "", "1"), nil},
		"w3c with the states of two vendors": {fields{"tracestate: rojo=00f067aa0ba902b7", "traceparent: 00-" + id128 + "-" + id64 + "-01", "Tracestate: fw529a3039@dt=FfV9 x, ,congo/a=t61"},
			&facts.TraceContext{Format: "w3c", TraceID: id128, SpanID: id64, Sampled: "1", State: "rojo=00f067aa0ba902b7,fw529a3039@dt=FfV9 x, ,congo/a=t61"}, nil},
		"w3c with a state of junk":   {fields{"traceparent: 00-" + id128 + "-" + id64 + "-01", "tracestate: UPPER=1"}, tc("w3c", id128, id64, "", "1"), []string{"trace_tracestate_invalid"}},
		"w3c with too many states":   {fields{"traceparent: 00-" + id128 + "-" + id64 + "-01", "tracestate: " + strings.Repeat("a=1,", 33)}, tc("w3c", id128, id64, "", "1"), []string{"trace_tracestate_invalid"}},
		"a state without its parent": {fields{"tracestate: UPPER=1"}, nil, nil},
		"w3c not sampled":            {fields{"Traceparent: 00-" + id128 + "-" + id64 + "-02"}, tc("w3c", id128, id64, "", "0"), nil},
		"w3c of the future":          {fields{"traceparent: cc-" + id128 + "-" + id64 + "-01-more"}, tc("w3c", id128, id64, "", "1"), nil},
		"w3c of the future, odd":     {fields{"traceparent: cc-" + id128 + "-" + id64 + "-01.more"}, nil, []string{"trace_traceparent_invalid"}},
		"w3c longer than version":    {fields{"traceparent: 00-" + id128 + "-" + id64 + "-01-more"}, nil, []string{"trace_traceparent_invalid"}},
		"w3c version ff":             {fields{"traceparent: ff-" + id128 + "-" + id64 + "-01"}, nil, []string{"trace_traceparent_invalid"}},
		"w3c upper case":             {fields{"traceparent: 00-" + strings.ToUpper(id128) + "-" + id64 + "-01"}, nil, []string{"trace_traceparent_invalid"}},
		"w3c zero":                   {fields{"traceparent: 00-" + id128 + "-0000000000000000-01"}, nil, []string{"trace_traceparent_invalid"}},
		"w3c short":                  {fields{"traceparent: 00-" + id128 + "-" + id64}, nil, []string{"trace_traceparent_invalid"}},
		// Values of the example in SkyWalking's specification of the header.
		"sw8": {fields{"sw8: 1-TRACEID-SEGID-3-" + "U0VSVklDRQ==-SU5T-L2VuZA==-aG9zdDo4MA=="}, nil, []string{"trace_sw8_invalid"}},
		"sw8 decoded": {fields{"sw8: 1-MS4yLjM=-NC41LjY=-3-c2VydmljZQ==-aW5zdGFuY2U=-L2VuZA==-aG9zdDo4MA=="}, &facts.TraceContext{Format: "sw8", TraceID: "1.2.3", SpanID: "4.5.6-3", Sampled: "1",
			Service: "service", Instance: "instance", Endpoint: "/end", Address: "host:80"}, nil},
		"sw8 of a service with a name of its own script": {fields{"sw8: 1-MS4yLjM=-NC41LjY=-3-5ZWG5Z+O-aQ==-L2VuZA==-aG9zdDo4MA=="}, &facts.TraceContext{Format: "sw8", TraceID: "1.2.3", SpanID: "4.5.6-3", Sampled: "1",
			Service: "商城", Instance: "i", Endpoint: "/end", Address: "host:80"}, nil},
		"sw8 that is no text": {fields{"sw8: 1-MS4yLjM=-NC41LjY=-3-//4=-aQ==-L2VuZA==-aG9zdDo4MA=="}, nil, []string{"trace_sw8_invalid"}},
		"sw8 seven parts":     {fields{"sw8: 1-MS4yLjM=-NC41LjY=-3-c2VydmljZQ==-aW5zdGFuY2U=-L2VuZA=="}, nil, []string{"trace_sw8_invalid"}},
		"sw8 bad number":      {fields{"sw8: 1-MS4yLjM=-NC41LjY=-x-c2VydmljZQ==-aW5zdGFuY2U=-L2VuZA==-aG9zdDo4MA=="}, nil, []string{"trace_sw8_invalid"}},
		"jaeger":              {fields{"uber-trace-id: " + id128 + ":" + id64 + ":" + up64 + ":3"}, tc("jaeger", id128, id64, up64, "d"), nil},
		"jaeger short":        {fields{"Uber-Trace-Id: 1f:2e:0:1"}, tc("jaeger", "1f", "2e", "", "1"), nil},
		"jaeger encoded":      {fields{"uber-trace-id: 1f%3A2e%3A0%3A0"}, tc("jaeger", "1f", "2e", "", "0"), nil},
		"jaeger of junk":      {fields{"uber-trace-id: 1f:2e:0"}, nil, []string{"trace_uber_invalid"}},
		"an invalid one gives way": {fields{"b3: junk", "traceparent: 00-" + id128 + "-" + id64 + "-01"}, tc("w3c", id128, id64, "", "1"),
			[]string{"trace_b3_invalid"}},
		"a decision gives way to ids": {fields{"b3: 1", "traceparent: 00-" + id128 + "-" + id64 + "-01"}, tc("w3c", id128, id64, "", "1"), nil},
		"two of one trace": {fields{"X-B3-TraceId: " + id128[16:], "X-B3-SpanId: 1", "traceparent: 00-" + id128 + "-" + id64 + "-01"},
			tc("b3multi", id128[16:], "1", "", ""), nil},
		"two traces": {fields{"b3: 1-2", "traceparent: 00-" + id128 + "-" + id64 + "-01"}, tc("b3", "1", "2", "", ""), []string{"trace_conflict"}},
	} {
		var got facts.TraceContext
		ok, odd := Parse(c.in, &got)
		if ok != (c.want != nil) {
			t.Errorf("%s: found %v: %+v", name, ok, got)
		} else if ok {
			if d := cmp.Diff(*c.want, got); d != "" {
				t.Errorf("%s: -want +got\n%s", name, d)
			}
		}
		if names := AppendNames(nil, odd); !slices.Equal(names, c.odd) {
			t.Errorf("%s: anomalies %v, want %v", name, names, c.odd)
		}
	}
}

func TestRegistered(t *testing.T) {
	seen := map[string]bool{}
	for a := range Registered() {
		if a.Def().Name == "" || seen[a.Def().Name] || !strings.HasSuffix(a.Def().Sentence, ".") || a.Def().Severity == 0 {
			t.Errorf("%d: %q %q", a, a.Def().Name, a.Def().Sentence)
		}
		seen[a.Def().Name] = true
	}
}

// FuzzParse: no panic, and ids of the right form.
func FuzzParse(f *testing.F) {
	f.Add("b3: "+id128+"-"+id64+"-d-"+up64, "X-B3-TraceId: 1")
	f.Add("traceparent: 00-"+id128+"-"+id64+"-01", "uber-trace-id: 1:2:3:1")
	f.Add("sw8: 1-MS4yLjM=-NC41LjY=-3-c2VydmljZQ==-aW5zdGFuY2U=-L2VuZA==-aG9zdDo4MA==", "X-B3-SpanId: 1")
	f.Fuzz(func(t *testing.T, a, b string) {
		var c facts.TraceContext
		ok, _ := Parse(fields{a, b}, &c)
		if !ok {
			return
		}
		if (c.TraceID == "") != (c.SpanID == "") || len(c.TraceID) > maxSW8 || c.Format != "sw8" && strings.Trim(c.TraceID+c.SpanID+c.ParentID, "0123456789abcdef") != "" {
			t.Fatalf("%q %q: %+v", a, b, c)
		}
	})
}
