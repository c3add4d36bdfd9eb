package trigger

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebpf-reel/reel/format"
)

func TestParse(t *testing.T) {
	mark := []Action{{Kind: Mark}}
	for text, want := range map[string]Rule{
		"cpu > 80% for 3 of 10s => snap, snaplen full 10s": {
			Condition: Condition{Metric: CPU, Limit: 80_000, Unit: Percent}, Hold: Hold{3, 10},
			Actions: []Action{{Kind: Snap}, {Kind: Snaplen, Bytes: format.FullSnaplen, For: 10 * time.Second}},
		},
		"busy: cpu of comm nginx>=12.5% for 5s every 5m=>mark": {
			Name: "busy", Condition: Condition{Metric: CPU, Scope: Scope{Comm: "nginx"}, Op: AtLeast, Limit: 12_500, Unit: Percent},
			Hold: Hold{5, 5}, Every: 5 * time.Minute, Actions: mark,
		},
		`threads of comm "Web Content" < 4 => stop`: {
			Condition: Condition{Metric: Threads, Scope: Scope{Comm: "Web Content"}, Op: Below, Limit: 4000}, Hold: Hold{1, 1}, Actions: []Action{{Kind: Stop}},
		},
		"load > 1.5 => snap before 2m after 5s": {
			Condition: Condition{Metric: Load, Limit: 1500}, Hold: Hold{1, 1}, Actions: []Action{{Kind: Snap, Before: 2 * time.Minute, After: 5 * time.Second}},
		},
		"http_5xx > 10/s => mark": {Condition: Condition{Metric: HTTP5xx, Limit: 10_000, Unit: PerSecond}, Hold: Hold{1, 1}, Actions: mark},
		`http_5xx of client port 8080 path "/pay" > 0.1% min 20 => snap after 1s`: {
			Condition: Condition{Metric: HTTP5xx, Scope: Scope{Client: true, Port: 8080, Path: "/pay"}, Limit: 100, Unit: Percent, AtLeast: 20},
			Hold:      Hold{1, 1}, Actions: []Action{{Kind: Snap, After: time.Second}},
		},
		"http_mean of server > 1m30s => mark": {Condition: Condition{Metric: HTTPMean, Limit: 90_000_000, Unit: Milliseconds}, Hold: Hold{1, 1}, Actions: mark},
		"http_p99 <= 250us => snaplen 64KiB 1s": {Condition: Condition{Metric: HTTPP99, Op: AtMost, Limit: 250, Unit: Milliseconds}, Hold: Hold{1, 1},
			Actions: []Action{{Kind: Snaplen, Bytes: 64 << 10, For: time.Second}}},
		"retransmits > 3/s => mark":              {Condition: Condition{Metric: Retransmits, Limit: 3000, Unit: PerSecond}, Hold: Hold{1, 1}, Actions: mark},
		"transfer > 1MiB => mark":                {Condition: Condition{Metric: Transfer, Limit: 1 << 20 * 1000, Unit: Bytes}, Hold: Hold{1, 1}, Actions: mark},
		"exit by signal for 3 of 60s => mark":    {Condition: Condition{Metric: Exit}, Hold: Hold{3, 60}, Actions: mark},
		"exit by SIGSEGV or SIGABRT => snap":     {Condition: Condition{Metric: Exit, Signals: []Signal{11, 6}}, Hold: Hold{1, 1}, Actions: []Action{{Kind: Snap}}},
		"\tcpu>0.001%\n=>\r\nmark , mark":        {Condition: Condition{Metric: CPU, Limit: 1, Unit: Percent}, Hold: Hold{1, 1}, Actions: []Action{{Kind: Mark}, {Kind: Mark}}},
		"cpu: cpu > 1% => mark":                  {Name: "cpu", Condition: Condition{Metric: CPU, Limit: 1000, Unit: Percent}, Hold: Hold{1, 1}, Actions: mark},
		`cpu of comm "a\"b\xff" > 1% => mark`:    {Condition: Condition{Metric: CPU, Scope: Scope{Comm: "a\"b\xff"}, Limit: 1000, Unit: Percent}, Hold: Hold{1, 1}, Actions: mark},
		"cpu of comm python3.11 > 100% => mark":  {Condition: Condition{Metric: CPU, Scope: Scope{Comm: "python3.11"}, Limit: 100_000, Unit: Percent}, Hold: Hold{1, 1}, Actions: mark},
		"load > 4 for 60s every 24h => snap":     {Condition: Condition{Metric: Load, Limit: 4000}, Hold: Hold{60, 60}, Every: 24 * time.Hour, Actions: []Action{{Kind: Snap}}},
		"load > 4 for 1 of 1h => snap after 1h":  {Condition: Condition{Metric: Load, Limit: 4000}, Hold: Hold{1, 3600}, Actions: []Action{{Kind: Snap, After: time.Hour}}},
		"load > 4 => snap after 3s before 1m30s": {Condition: Condition{Metric: Load, Limit: 4000}, Hold: Hold{1, 1}, Actions: []Action{{Kind: Snap, Before: 90 * time.Second, After: 3 * time.Second}}},
	} {
		got, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s:\n%s", text, d)
		}
		checkPrints(t, got)
	}
}

// checkPrints holds that a rule's text is the same rule, and that its text is stable.
func checkPrints(t *testing.T, r Rule) {
	t.Helper()
	again, err := Parse(r.String())
	if err != nil {
		t.Fatalf("%s, which was printed, is refused: %v", r.String(), err)
	}
	if d := cmp.Diff(r, again); d != "" {
		t.Fatalf("%s is another rule than the one that printed it:\n%s", r.String(), d)
	}
	if again.String() != r.String() {
		t.Fatalf("%s is printed as %s", r.String(), again.String())
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct {
		text, want string
	}{
		{"", "column 1: the rule ends too early: write cpu, threads, load, http_5xx, http_mean, http_p99, retransmits, transfer or exit"},
		{"cpuu > 80% => snap", `column 1: "cpuu" is no metric: write cpu, threads, load, http_5xx, http_mean, http_p99, retransmits, transfer or exit`},
		{"cpu 80% => snap", `column 5: "80%" stands where a comparison is expected: write >, >=, < or <=`},
		{"cpu > 80 => snap", `column 7: "80" is no limit of cpu: write one as 80%`},
		{"cpu > 80.1234% => snap", `column 7: "80.1234%" is no limit of cpu: write one as 80%`},
		{"cpu > 99999999999999999999% => snap", `column 7: "99999999999999999999%" is no limit of cpu: write one as 80%`},
		{"http_5xx > 5ms => snap", `column 12: "5ms" is no limit of http_5xx: write one as 5% or 10/s`},
		{"http_mean > 5 => snap", `column 13: "5" is no limit of http_mean: write one as 200ms`},
		{"transfer > 2MB => snap", `column 12: "2MB" is no limit of transfer: write one as 1MiB`},
		{"transfer > 0B => snap", `column 12: "0B" is no limit of transfer: write one as 1MiB`},
		{"transfer < 2MiB => snap", `column 10: "<" is no comparison of a transfer, which only grows: write >`},
		{"cpu > 80%", "column 10: the rule ends too early: write =>"},
		{"cpu > 80% -> snap", `column 11: "-" stands where the arrow before the actions is expected: write =>`},
		{"cpu > 80% =>", "column 13: the rule ends too early: write snap, snaplen, mark or stop"},
		{"cpu > 80% => snapp", `column 14: "snapp" is no action: write snap, snaplen, mark or stop`},
		{"cpu > 80% => snap, oncpu 30s", `column 20: "oncpu" is not possible, since this version of reel has no collector of on-CPU stacks: write snap, snaplen, mark or stop`},
		{"cpu > 80% => offcpu 30s", `column 14: "offcpu" is not possible, since this version of reel has no collector of off-CPU stacks: write snap, snaplen, mark or stop`},
		{"cpu > 80% => tls-memory", `column 14: "tls-memory" is not possible, since this version of reel has no collector of TLS keys from memory: write snap, snaplen, mark or stop`},
		{`cpu > 80% => exec "rm -rf /"`, `column 14: "exec" is not possible, since reel runs with privileges and a line of text must not decide what else does: write snap, snaplen, mark or stop`},
		{"cpu > 80% => snap snap", `column 19: "snap" means nothing after an action: write a comma and another action, or end the rule`},
		{"cpu > 80% => snap after 1s after 2s", `column 28: "after" means nothing after an action: write a comma and another action, or end the rule`},
		{"cpu > 80% for 11 of 10s => snap", `column 15: "11" of 10 periods is not possible: write a number from 1 to 10`},
		{"cpu > 80% for 0 of 10s => snap", `column 15: "0" of 10 periods is not possible: write a number from 1 to 10`},
		{"cpu > 80% for 3 => snap", `column 17: "=>" stands where how many of the last periods must hold is expected: write of`},
		{"cpu > 80% for 3 of 10 => snap", `column 20: "10" stands where a time is expected: write how long the condition has to hold, as 3 of 10s, or 10s`},
		{"cpu > 80% for 1500ms => snap", `column 15: "1500ms" is no whole number of seconds: write one as 10s`},
		{"cpu > 80% for 2h => snap", `column 15: "2h" is out of bounds: write from 1s to 1h`},
		{"cpu > 80% every 10ms => snap", `column 17: "10ms" is out of bounds: write from 1s to 24h`},
		{"cpu > 80% => snaplen 10s", `column 22: "10s" stands where bytes of each message are expected: write full, or a size as 64KiB`},
		{"cpu > 80% => snaplen full", "column 26: the rule ends too early: write the time that it lasts, as 10s"},
		{"cpu > 80% => snaplen 4096KiB 2h", `column 30: "2h" is out of bounds: write from 1s to 1h`},
		{"exit > 3 => snap", `column 6: ">" stands where how a process ended is expected: write by`},
		{"exit by SEGV => snap", `column 9: "SEGV" is no signal that ends a process: write signal for any, or names as SIGSEGV or SIGKILL`},
		{"exit by SIGSEGV or => snap", `column 20: "=>" is no signal that ends a process: write signal for any, or names as SIGSEGV or SIGKILL`},
		{"load of comm nginx > 3 => snap", `column 6: "of" means nothing after load, which is of all that is recorded: write a comparison, as > or >=`},
		{"cpu of port 80 > 80% => snap", `column 8: "port" narrows nothing here: write comm NAME`},
		{"http_5xx of > 5% => snap", `column 13: ">" narrows nothing here: write server, client, port NUMBER or path "/PREFIX"`},
		{"http_5xx of port 70000 > 5% => snap", `column 18: "70000" stands where a number is expected: write a port, 1 to 65535`},
		{`http_5xx of path "pay" > 5% => snap`, `column 18: "\"pay\"" is no path: write one that begins with / and has at most 64 bytes, as "/checkout"`},
		{`http_5xx of path "/pay > 5% => snap`, `column 18: "\"/pay > 5% => snap" stands where a path is expected: write "/checkout"`},
		{`cpu of comm "größe" ä`, `column 21: "ä" narrows nothing here: write comm NAME`},
		{"größe > 80% => snap", `column 1: "gr" is no metric: write cpu, threads, load, http_5xx, http_mean, http_p99, retransmits, transfer or exit`},
		{"a-name-of-more-than-thirty-two-characters: cpu > 80% => snap", `column 1: "a-name-of-more-than-thirty-two-character" is a name of more than 32 characters: write a shorter one`},
	} {
		_, err := Parse(c.text)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %v", c.text, err, c.want)
		}
	}
	many := "cpu > 1% => mark" + strings.Repeat(", mark", maxActions)
	if _, err := Parse(many); err == nil {
		t.Errorf("a rule of %d actions is taken", maxActions+1)
	}
	long := "cpu > 1% => " + strings.Repeat(" ", maxText) + "mark"
	if syntax := (*SyntaxError)(nil); !errors.As(func() error { _, err := Parse(long); return err }(), &syntax) {
		t.Errorf("a rule of %d bytes is taken", len(long))
	}
}

// randomRule makes a rule of all that a rule may have.
func randomRule(r *rand.Rand) Rule {
	pick := func(n int) bool { return r.IntN(n) == 0 }
	rule := Rule{Hold: Hold{1, 1}}
	c := &rule.Condition
	c.Metric = Metric(1 + r.IntN(len(metrics)-1))
	m := &metrics[c.Metric]
	switch c.Metric {
	case Exit:
		for i := range r.IntN(3) {
			c.Signals = append(c.Signals, Signal(1+i*7))
		}
	default:
		c.Unit = m.units[r.IntN(len(m.units))]
		c.Limit = r.Int64N(maxLimit >> r.IntN(50))
		if c.Unit == Bytes {
			c.Limit = (1 + r.Int64N(maxSize>>r.IntN(40))) * 1000
		}
		if c.Metric != Transfer {
			c.Op = Comparison(r.IntN(4))
		}
		if m.process && pick(2) {
			c.Scope.Comm = "a " + string(rune(r.IntN(0x1000))) + "\xfe"
		}
		if m.http {
			c.Scope = Scope{Client: pick(2), Port: uint16(r.IntN(math.MaxUint16 + 1)), Path: "/" + string(rune(r.IntN(0x800)))}
			c.AtLeast = uint32(r.IntN(3))
		}
	}
	if pick(2) {
		rule.Name = "n-" + string(rune('a'+r.IntN(26)))
	}
	if pick(2) {
		rule.Hold.Periods = 1 + r.IntN(maxPeriods)
		rule.Hold.Count = 1 + r.IntN(rule.Hold.Periods)
	}
	if pick(2) {
		rule.Every = time.Second + time.Duration(r.Int64N(int64(maxSilence-time.Second)))
	}
	second := func() time.Duration { return time.Second + time.Duration(r.Int64N(int64(maxTime-time.Second))) }
	for range 1 + r.IntN(maxActions) {
		a := Action{Kind: ActionKind(1 + r.IntN(len(actionNames)-1))}
		switch a.Kind {
		case Snap:
			if pick(2) {
				a.Before = second()
			}
			if pick(2) {
				a.After = second()
			}
		case Snaplen:
			a.For, a.Bytes = second(), 1+r.Uint32N(1<<31)
			if pick(2) {
				a.Bytes = format.FullSnaplen
			}
		}
		rule.Actions = append(rule.Actions, a)
	}
	return rule
}

func TestPrintedRulesAreTheSame(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		checkPrints(t, randomRule(r))
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"cpu > 80% for 3 of 10s => snap, snaplen full 10s, oncpu 30s", `x: http_5xx of client port 8080 path "/pay" > 0.1% min 20 every 5m => snap before 1m after 5s`,
		"transfer > 1GiB => mark", "exit by SIGSEGV or SIGKILL => stop", "retransmits >= 3/s for 10s => mark", "\"\\", "=>=>", "a:b:c", "cpu > 1e3% => mark",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rule, err := Parse(text)
		if err == nil {
			checkPrints(t, rule)
			return
		}
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.Column < 1 || syntax.Column > len(text)+1 || syntax.Reason == "" {
			t.Fatalf("%q: %#v", text, err)
		}
	})
}
