package trigger

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/format"
)

const second = format.KTime(time.Second)

func rules(t *testing.T, texts ...string) []Rule {
	t.Helper()
	var all []Rule
	for _, text := range texts {
		r, err := Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		all = append(all, r)
	}
	return all
}

func engine(t *testing.T, texts ...string) *Engine {
	t.Helper()
	e, err := NewEngine(rules(t, texts...), 0)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// read gives the same samples for every condition.
type read []Sample

func (r read) Read(_ *Condition, dst []Sample) []Sample { return append(dst, r...) }

func values(vs ...int64) read {
	var r read
	for i, v := range vs {
		r = append(r, Sample{Subject{PID: format.PID(i + 1)}, v})
	}
	return r
}

// run feeds one value a second, -1 for none, and returns the seconds in which the only rule fired.
func run(e *Engine, vs []int64) (fired []int) {
	for i, v := range vs {
		r := read{}
		if v >= 0 {
			r = values(v)
		}
		for range e.Second(format.KTime(i+1)*second, r) {
			fired = append(fired, i+1)
		}
	}
	return fired
}

func TestFires(t *testing.T) {
	const hot, cold, none = 90_000, 10_000, -1
	repeat := func(v int64, n int) []int64 { return slices.Repeat([]int64{v}, n) }
	for _, c := range []struct {
		name, rule string
		values     []int64
		fired      []int
		silenced   uint64
	}{
		{"at once", "cpu > 80% => mark", []int64{cold, hot, hot, hot}, []int{2}, 0},
		{"the limit itself is not above", "cpu > 90% => mark", repeat(hot, 5), nil, 0},
		{"the limit itself is at least", "cpu >= 90% => mark", repeat(hot, 5), []int{1}, 0},
		{"below", "cpu < 20% => mark", []int64{hot, hot, cold}, []int{3}, 0},
		{"three that do not follow each other", "cpu > 80% for 3 of 5s => mark", []int64{hot, cold, hot, cold, hot}, []int{5}, 0},
		{"three that are too far apart", "cpu > 80% for 3 of 5s => mark", []int64{hot, cold, hot, cold, cold, hot, cold, hot}, nil, 0},
		{"every period of five", "cpu > 80% for 5s => mark", []int64{hot, hot, hot, hot, cold, hot, hot, hot, hot, hot, hot}, []int{10}, 0},
		{"a period without a reading does not hold", "cpu > 80% for 3s => mark", []int64{hot, hot, none, hot, hot, none, hot, hot, hot}, []int{9}, 0},
		{"once for as long as it holds", "cpu > 80% => mark", repeat(hot, 500), []int{1}, 0},
		{"again when it has ceased, after the silence", "cpu > 80% => mark", slices.Concat(repeat(hot, 70), repeat(cold, 1), repeat(hot, 70)), []int{1, 72}, 0},
		{"what ceases within the silence is counted", "cpu > 80% => mark", slices.Concat(repeat(hot, 5), repeat(cold, 2), repeat(hot, 3), repeat(cold, 100)), []int{1}, 1},
		{"what outlasts the silence fires at its end", "cpu > 80% => mark", slices.Concat(repeat(hot, 5), repeat(cold, 2), repeat(hot, 100)), []int{1, 61}, 0},
		{"again and again with every", "cpu > 80% every 20s => mark", repeat(hot, 65), []int{1, 21, 41, 61}, 0},
		{"a window holds on after it was full: no flutter", "cpu > 80% for 2 of 10s every 1s => mark", slices.Concat(repeat(hot, 2), repeat(cold, 20)), []int{2, 3, 4, 5, 6, 7, 8, 9, 10}, 0},
		{"a flutter around the limit is one firing", "cpu > 80% for 3 of 10s => mark", slices.Concat(slices.Repeat([]int64{hot, cold}, 200)), []int{5}, 0},
	} {
		e := engine(t, c.rule)
		if got := run(e, c.values); !slices.Equal(got, c.fired) {
			t.Errorf("%s: fired in seconds %v, want %v", c.name, got, c.fired)
		}
		if got := e.Silenced()[0]; got != c.silenced {
			t.Errorf("%s: %d silenced, want %d", c.name, got, c.silenced)
		}
	}
}

func TestProcessesAreJudgedByThemselves(t *testing.T) {
	e := engine(t, "cpu > 80% for 3s => mark", "load > 80 for 3s => mark")
	// Two processes take turns: neither is busy for three seconds, though one always is.
	for i := range 10 {
		vs := values(90_000, 10_000)
		if i%2 == 1 {
			vs = values(10_000, 90_000)
		}
		for _, f := range e.Second(format.KTime(i+1)*second, vs) {
			if f.Rule.Condition.Metric != Load {
				t.Fatalf("fired for process %d, which was busy for one second", f.PID)
			}
		}
	}
	fired := e.Second(11*second, values(0, 0))
	for n := format.KTime(12); n <= 14; n++ {
		fired = append(fired, e.Second(n*second, values(90_000, 95_000))...)
	}
	if len(fired) != 1 || fired[0].PID != 2 || fired[0].Value != 95_000 || fired[0].Others != 1 || fired[0].Held != 3 {
		t.Fatalf("fired: %+v; want the busier one of two", fired)
	}
}

func TestAProcessIdIsNoIdentity(t *testing.T) {
	e := engine(t, "cpu > 80% for 3s => mark")
	for i := range 6 {
		s := Sample{Subject{PID: 7, Start: uint64(i / 2)}, 90_000} // each lives two seconds
		if f := e.Second(format.KTime(i+1)*second, read{s}); len(f) > 0 {
			t.Fatalf("fired for processes that share an id: %+v", f)
		}
	}
	if n := len(e.rules[0].subjects); n > 3 {
		t.Errorf("%d subjects are kept of 3 in the last seconds", n)
	}
}

// A tick that comes late: an average is of all the time since the last, a level of one moment.
func TestLateTicks(t *testing.T) {
	e := engine(t, "cpu > 80% for 3s => mark", "threads > 80 for 3s => mark")
	e.Second(1*second, values(90_000))
	var names []string
	for _, f := range e.Second(3*second+second/3, values(90_000)) {
		names = append(names, f.Rule.Name)
	}
	if !slices.Equal(names, []string{"cpu"}) {
		t.Errorf("fired: %v; want cpu: its average covers three seconds", names)
	}
	// Ticks that come a little early and late are one second each.
	e = engine(t, "cpu > 80% for 3s => mark")
	for i, at := range []format.KTime{second * 6 / 5, second * 9 / 5, second * 16 / 5} {
		if fired := e.Second(at, values(90_000)); (len(fired) > 0) != (i == 2) {
			t.Errorf("tick %d: %d firings", i+1, len(fired))
		}
	}
}

func TestEvents(t *testing.T) {
	e := engine(t, "exit by SIGSEGV => mark", "loop: exit by signal for 3 of 10s => mark", "transfer > 1MiB => mark")
	exit := func(at format.KTime, s Signal) (names []string) {
		for _, f := range e.Event(at, Exit, Sample{Subject: Subject{PID: format.PID(at)}}, func(c *Condition) bool { return c.Wants(s) }) {
			names = append(names, f.Rule.Name)
			if f.PID != format.PID(at) {
				t.Errorf("fired for process %d", f.PID)
			}
		}
		return names
	}
	var log []string
	for i := range 30 {
		at := format.KTime(i) * second
		if i%4 == 0 {
			log = append(log, fmt.Sprint(i, exit(at, 11)))
		}
		if i == 5 {
			log = append(log, fmt.Sprint(i, exit(at, 9)))
		}
		e.Second(at+second, values())
	}
	// Only the first: all others are within its silence. Three of ten seconds: 0, 4, 5.
	want := "0 [exit] 4 [] 5 [loop] 8 [] 12 [] 16 [] 20 [] 24 [] 28 []"
	if got := strings.Join(log, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if s := e.Silenced(); s[0] != 7 || s[1] == 0 || s[2] != 0 {
		t.Errorf("silenced: %v", s)
	}
}

func TestNames(t *testing.T) {
	e := engine(t, "cpu > 1% => mark", "cpu-2: load > 1 => mark", "cpu > 2% => mark", "x: cpu > 3% => mark")
	var names []string
	for _, r := range e.Rules() {
		names = append(names, r.Name)
	}
	if got := strings.Join(names, " "); got != "cpu cpu-2 cpu-3 x" {
		t.Errorf("names: %s", got)
	}
	if _, err := NewEngine(rules(t, "a: cpu > 1% => mark", "a: load > 1 => mark"), 0); err == nil {
		t.Error("two rules of one name are taken")
	}
	if _, err := NewEngine(make([]Rule, maxRules+1), 0); err == nil {
		t.Error("too many rules are taken")
	}
}

// model is the meaning of a rule without every, of one subject, in the plainest words.
type model struct {
	hold    Hold
	held    []bool
	latched bool
	fired   int // second; 0: never
}

func (m *model) second(n int, holds bool) bool {
	m.held = append(m.held, holds)
	count := 0
	for _, h := range m.held[max(0, len(m.held)-m.hold.Periods):] {
		if h {
			count++
		}
	}
	if count < m.hold.Count {
		m.latched = false
		return false
	}
	if m.latched || m.fired > 0 && n-m.fired < int(Silence/time.Second) {
		return false
	}
	m.latched, m.fired = true, n
	return true
}

func TestFiresAsTheModelDoes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		rule := Rule{Condition: Condition{Metric: Load, Limit: 1}, Actions: []Action{{Kind: Mark}}}
		rule.Hold.Periods = 1 + r.IntN(12)
		rule.Hold.Count = 1 + r.IntN(rule.Hold.Periods)
		e, err := NewEngine([]Rule{rule}, 0)
		if err != nil {
			t.Fatal(err)
		}
		m := model{hold: rule.Hold}
		share, fired := r.IntN(100), format.KTime(0)
		for n := 1; n <= 600; n++ {
			if r.IntN(50) == 0 {
				share = r.IntN(100)
			}
			v := int64(0)
			if r.IntN(100) < share {
				v = 2
			}
			at := format.KTime(n) * second
			got := e.Second(at, values(v))
			if want := m.second(n, v > 1); (len(got) == 1) != want {
				t.Fatalf("%s: second %d: %d firings, the model says %v", rule.String(), n, len(got), want)
			}
			if len(got) == 0 {
				continue
			}
			if f := got[0]; f.Held < rule.Hold.Count || f.Value != 2 || fired > 0 && at.Sub(fired) < Silence {
				t.Fatalf("%s: fired with %+v, %v after the last", rule.String(), f, at.Sub(fired))
			}
			fired = at
		}
	}
}

// With every, firings are never closer than it, whatever comes.
func TestEveryBoundsTheRate(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 100 {
		every := time.Duration(1+r.IntN(30)) * time.Second
		e := engine(t, fmt.Sprintf("cpu > 1%% for 2 of 4s every %s => mark", every), fmt.Sprintf("exit by signal every %s => mark", every))
		last := map[string]format.KTime{}
		now := format.KTime(0)
		for range 300 {
			now += format.KTime(1 + r.Int64N(int64(2*time.Second)))
			var fired []Firing
			if r.IntN(2) == 0 {
				fired = e.Event(now, Exit, Sample{}, nil)
			} else {
				fired = e.Second(now, values(r.Int64N(4000), r.Int64N(2000)))
			}
			for _, f := range fired {
				if before, ok := last[f.Rule.Name]; ok && now.Sub(before) < every {
					t.Fatalf("%s fired %v after the last time", f.Rule.String(), now.Sub(before))
				}
				last[f.Rule.Name] = now
			}
		}
		if len(last) != 2 {
			t.Fatalf("fired: %v", last)
		}
	}
}
