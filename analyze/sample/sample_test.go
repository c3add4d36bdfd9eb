package sample

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

func TestParseFileSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"rules: [{uri: \"(\"}]":                             "rule 1: uri: \"(\" is no regular expression",
		"rules: [{uri: x}, {min_duration: 1s}]":             "rule 2: it has no uri",
		"rules: [{uri: x, min_duration: soon}]":             "rule 1: min_duration: \"soon\" is no time",
		"rules: [{uri: x, min_duration: -1s}]":              "rule 1: min_duration: \"-1s\" is no time",
		"rules: [{uri: x, where: stauts > 1}]":              "rule 1: where: there is no field stauts: did you mean status? (line 1, column 1)",
		"rules: [{uri: x, max_request_bytes: 2MiB}]":        "rule 1: max_request_bytes: \"2MiB\" is no size",
		"rules: [{uri: x, max_request_bytes: 10s}]":         "rule 1: max_request_bytes: \"10s\" is no size",
		"rules:\n  - uri: x\n    whne: y":                   "[3:5] unknown field \"whne\"",
		"rules:\n  - uri: x\n   bad":                        "[3:",
		"default: {uri: x}":                                 "default: it has a uri",
		"{}":                                                "there are neither rules nor a default",
		"limit: 5":                                          "there are neither rules nor a default",
		"default: {}\nlimit: -1":                            "limit is negative",
		strings.Repeat("#", MaxFile+1):                      "the rules have 1048577 bytes",
		"rules:" + strings.Repeat("\n- uri: x", maxRules+1): "1001 rules",
	} {
		if _, err := ParseFile([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

func TestParseFlagSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"uri=( 5xx": "is no regular expression", "urí=x": "is no key", "5xx=maybe": "neither true nor false", "min-duration=": "", "": "",
	} {
		err := new(Rules).ParseFlag(text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	var r Rules
	for _, text := range []string{"uri=^/a 4xx", "5xx=false 4xx=true", "uri=^/b"} {
		if err := r.ParseFlag(text); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.List) != 2 || r.Default == nil || !r.Default.Status4xx || r.Default.Status5xx {
		t.Errorf("%+v", r)
	}
	if err := r.ParseFlag("5xx"); err == nil {
		t.Error("two rules for every other URI")
	}
}

// A number alone is milliseconds, as SkyWalking has it; 0 samples all whose duration is known.
func TestMinDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"200": 200 * time.Millisecond, "0": 0, "1.5s": 1500 * time.Millisecond} {
		r, err := ParseFile([]byte("default: {min_duration: \"" + text + "\"}"))
		if err != nil || *r.Default.MinDuration != want {
			t.Errorf("%s: %v", text, err)
			continue
		}
		s := New(r)
		for d, sampled := range map[time.Duration]bool{-1: false, want: true, want + 1: true, want - 1: false} {
			if got, err := s.Sample(&facts.Exchange{Duration: d}, new(facts.Sample)); err != nil || got != (sampled && d >= 0) {
				t.Errorf("%s: %v is sampled: %v, %v", text, d, got, err)
			}
		}
	}
}

// The bounds of a reel that somebody made to fill memory: many paths, many edges, more samples than anybody looks at.
func TestBounds(t *testing.T) {
	r, err := ParseFile([]byte("rules: [{uri: ^/x}]\ndefault: {}\nlimit: 7"))
	if err != nil {
		t.Fatal(err)
	}
	s, top := New(r), NewTop[int](3)
	given := 0
	for i := range 100_000 {
		x := &facts.Exchange{ID: facts.ExchangeID(i + 1), Target: fmt.Sprintf("/x/%d", i), Duration: time.Duration(i * 7919 % 100_000), Status: 200 + i%400, Role: format.RoleClient}
		ok, err := s.Sample(x, new(facts.Sample))
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			given++
		}
		top.Add(i%10_000, x)
	}
	if given != 7 || s.Left() != 100_000-7 || len(s.paths) > maxPaths {
		t.Errorf("%d samples, %d left, %d paths", given, s.Left(), len(s.paths))
	}
	if len(top.groups) != maxGroups || top.Left() == 0 {
		t.Errorf("%d groups, %d left", len(top.groups), top.Left())
	}
	lists := top.Lists(func(g int) facts.EdgeKey { return facts.EdgeKey{Client: "c", Server: fmt.Sprint(g % 2)} })
	count := map[string]int{}
	for _, e := range lists {
		count[e.List+e.Edge.Server]++
		if e.Edge == (facts.EdgeKey{}) && e.List == facts.TopSlow && e.Exchange.Duration != time.Duration(100_000-e.Rank) {
			t.Errorf("rank %d of all took %d ns", e.Rank, e.Exchange.Duration)
		}
	}
	for list, n := range count {
		if n != 3 {
			t.Errorf("list %s has %d entries", list, n)
		}
	}
}

// FuzzParse: whatever a file or a flag says, rules or one error; what is read can be applied.
func FuzzParse(f *testing.F) {
	f.Add("rules: [{uri: ^/a, min_duration: 5ms, where: status > 1}]\ndefault: {status_5xx: true}", "uri=^/checkout min-duration=200ms 5xx request response")
	f.Add("&a [*a, *a]", "=")
	f.Fuzz(func(t *testing.T, file, flag string) {
		if len(file)+len(flag) > 4<<10 {
			return
		}
		r, err := ParseFile([]byte(file))
		if err != nil {
			r = new(Rules)
		}
		_ = r.ParseFlag(flag) // an error leaves r as it was
		if _, err := New(r).Sample(&facts.Exchange{Target: "/a?b", Status: 500, Duration: time.Second}, new(facts.Sample)); err != nil && !strings.HasPrefix(err.Error(), "where of ") {
			t.Fatal(err)
		}
	})
}
