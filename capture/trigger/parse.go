package trigger

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ebpf-reel/reel/format"
)

// Parse reads one rule. Errors are *SyntaxError.
func Parse(text string) (Rule, error) {
	p := &parser{lexer: lexer{text: text}}
	p.advance()
	if len(text) > maxText {
		p.fail(p.tok, fmt.Sprintf("begins a rule of more than %d bytes", maxText), "")
	}
	rule := p.rule()
	if p.err != nil {
		return Rule{}, p.err
	}
	return rule, nil
}

// parser reads by recursive descent, one function for each production of docs/triggers.md. The first mistake sticks: from
// there on the rule seems to end, so that every function comes to its end.
type parser struct {
	lexer
	tok token
	err error
}

func (p *parser) advance() { p.tok = p.next() }

func (p *parser) fail(t token, reason, accept string) {
	if p.err == nil {
		p.err = &SyntaxError{Column: column(p.text, t.at), Found: t.text, Reason: reason, Accept: accept}
	}
	p.at = len(p.text)
	p.advance()
}

// take reports whether the token is this word or symbol, and steps over it.
func (p *parser) take(text string) bool {
	if p.tok.text != text || p.tok.kind != tokenWord && p.tok.kind != tokenSymbol {
		return false
	}
	p.advance()
	return true
}

func (p *parser) expect(text, what string) {
	if !p.take(text) {
		p.fail(p.tok, "stands where "+what+" is expected", text)
	}
}

func (p *parser) rule() Rule {
	var r Rule
	first := p.tok
	p.advance()
	if first.kind == tokenWord && p.take(":") {
		if len(first.text) > 32 {
			p.fail(first, "is a name of more than 32 characters", "a shorter one")
		}
		r.Name = first.text
		first = p.tok
		p.advance()
	}
	r.Condition = p.condition(first)
	r.Hold = Hold{1, 1}
	if p.take("for") {
		r.Hold = p.hold()
	}
	if p.take("every") {
		r.Every = p.time("the silence after a firing, as 5m", time.Second, maxSilence)
	}
	p.expect("=>", "the arrow before the actions")
	for {
		if len(r.Actions) == maxActions {
			p.fail(p.tok, fmt.Sprintf("is one action more than the %d that a rule can have", maxActions), "")
		}
		r.Actions = append(r.Actions, p.action())
		if !p.take(",") {
			break
		}
	}
	if p.tok.kind != tokenEnd {
		p.fail(p.tok, "means nothing after an action", "a comma and another action, or end the rule")
	}
	return r
}

var metricWords = func() string {
	var names []string
	for m := CPU; int(m) < len(metrics); m++ {
		names = append(names, m.String())
	}
	return list(names)
}()

// list joins words: "a, b or c".
func list(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func (p *parser) condition(name token) (c Condition) {
	m, ok := metricByName(name.text)
	if !ok {
		p.fail(name, "is no metric", metricWords)
		return c
	}
	c.Metric = m
	if m == Exit {
		p.signals(&c)
		return c
	}
	if p.tok.text == "of" {
		p.scope(&c)
	}
	p.comparison(&c)
	p.limit(&c)
	if m.HTTP() && p.take("min") {
		c.AtLeast = uint32(p.integer("the least number of responses in a period, as 20", 1, math.MaxInt32))
	}
	return c
}

func (p *parser) signals(c *Condition) {
	p.expect("by", "how a process ended")
	if p.take("signal") {
		return
	}
	for {
		s, ok := signalByName(p.tok.text)
		if !ok {
			p.fail(p.tok, "is no signal that ends a process", "signal for any, or names as SIGSEGV or SIGKILL")
		}
		p.advance()
		c.Signals = append(c.Signals, s)
		if !p.take("or") {
			return
		}
		if len(c.Signals) == len(signals) {
			p.fail(p.tok, "is one signal more than there are", "")
			return
		}
	}
}

func (p *parser) scope(c *Condition) {
	of := p.tok
	p.advance()
	words := "comm NAME"
	switch {
	case metrics[c.Metric].process:
	case c.Metric.HTTP():
		words = `server, client, port NUMBER or path "/PREFIX"`
	default:
		p.fail(of, fmt.Sprintf("means nothing after %s, which is of all that is recorded", c.Metric), "a comparison, as > or >=")
		return
	}
	for n := 0; ; n++ {
		word := p.tok
		switch {
		case metrics[c.Metric].process && c.Scope.Comm == "" && p.take("comm"):
			c.Scope.Comm = p.name()
		case c.Metric.HTTP() && p.take("server"):
			c.Scope.Client = false
		case c.Metric.HTTP() && p.take("client"):
			c.Scope.Client = true
		case c.Metric.HTTP() && c.Scope.Port == 0 && p.take("port"):
			c.Scope.Port = uint16(p.integer("a port, 1 to 65535", 1, math.MaxUint16))
		case c.Metric.HTTP() && c.Scope.Path == "" && p.take("path"):
			c.Scope.Path = p.path()
		case n > 0 && word.kind == tokenSymbol:
			return
		default:
			p.fail(word, "narrows nothing here", words)
			return
		}
	}
}

// name is a word or a string.
func (p *parser) name() string {
	t := p.tok
	if t.kind == tokenWord || t.kind == tokenAmount {
		p.advance()
		return t.text
	}
	return p.quoted("the name of a process", `nginx, or a name in quotes`)
}

// MaxPath is how many bytes of a path a rule can ask for: a watcher keeps no more of a request target than that.
const MaxPath = 64

func (p *parser) path() string {
	t := p.tok
	s := p.quoted("a path", `"/checkout"`)
	if p.err == nil && (s[0] != '/' || len(s) > MaxPath) {
		p.fail(t, "is no path", fmt.Sprintf(`one that begins with / and has at most %d bytes, as "/checkout"`, MaxPath))
	}
	return s
}

func (p *parser) quoted(what, example string) string {
	t := p.tok
	if t.kind == tokenString {
		if s, err := strconv.Unquote(t.text); err == nil && s != "" {
			p.advance()
			return s
		}
	}
	p.fail(t, "stands where "+what+" is expected", example)
	return ""
}

func (p *parser) comparison(c *Condition) {
	t := p.tok
	for op, symbol := range comparisons {
		if p.take(symbol) {
			if c.Metric == Transfer && Comparison(op) != Above {
				p.fail(t, "is no comparison of a transfer, which only grows", ">")
			}
			c.Op = Comparison(op)
			return
		}
	}
	p.fail(p.tok, "stands where a comparison is expected", ">, >=, < or <=")
}

func (p *parser) hold() Hold {
	first := p.tok
	if n, err := strconv.ParseUint(first.text, 10, 16); err == nil {
		p.advance()
		p.expect("of", "how many of the last periods must hold")
		periods := p.periods()
		if p.err == nil && (n == 0 || int(n) > periods) {
			p.fail(first, fmt.Sprintf("of %d periods is not possible", periods), fmt.Sprintf("a number from 1 to %d", periods))
		}
		return Hold{int(n), periods}
	}
	periods := p.periods()
	return Hold{periods, periods}
}

func (p *parser) periods() int {
	t := p.tok
	d := p.time("how long the condition has to hold, as 3 of 10s, or 10s", time.Second, maxPeriods*time.Second)
	if d%time.Second != 0 {
		p.fail(t, "is no whole number of seconds", "one as 10s")
	}
	return int(d / time.Second)
}

// time reads a duration within bounds.
func (p *parser) time(what string, least, most time.Duration) time.Duration {
	t := p.tok
	d, err := time.ParseDuration(t.text)
	if t.kind != tokenAmount || err != nil {
		p.fail(t, "stands where a time is expected", what)
		return 0
	}
	if d < least || d > most {
		p.fail(t, "is out of bounds", "from "+duration(least)+" to "+duration(most))
		return 0
	}
	p.advance()
	return d
}

func (p *parser) integer(what string, least, most int64) int64 {
	t := p.tok
	n, err := strconv.ParseInt(t.text, 10, 64)
	if t.kind != tokenAmount || err != nil || n < least || n > most {
		p.fail(t, "stands where a number is expected", what)
		return 0
	}
	p.advance()
	return n
}

var collectors = map[string]string{
	"oncpu":      "on-CPU stacks",
	"offcpu":     "off-CPU stacks",
	"tls-memory": "TLS keys from memory",
}

const actionWords = "snap, snaplen, mark or stop"

func (p *parser) action() (a Action) {
	t := p.tok
	switch {
	case p.take("mark"):
		a.Kind = Mark
	case p.take("stop"):
		a.Kind = Stop
	case p.take("snap"):
		a.Kind = Snap
		for range 2 {
			switch {
			case a.Before == 0 && p.take("before"):
				a.Before = p.time("the time before the firing, as 30s", time.Second, maxTime)
			case a.After == 0 && p.take("after"):
				a.After = p.time("the time after the firing, as 5s", time.Second, maxTime)
			}
		}
	case p.take("snaplen"):
		a.Kind = Snaplen
		a.Bytes = p.snaplen()
		a.For = p.time("the time that it lasts, as 10s", time.Second, maxTime)
	case collectors[t.text] != "":
		p.fail(t, "is not possible, since this version of reel has no collector of "+collectors[t.text], actionWords)
	case t.text == "exec":
		p.fail(t, "is not possible, since reel runs with privileges and a line of text must not decide what else does", actionWords)
	default:
		p.fail(t, "is no action", actionWords)
	}
	return a
}

func (p *parser) snaplen() uint32 {
	if p.take("full") {
		return format.FullSnaplen
	}
	t := p.tok
	n, ok := size(t.text)
	if t.kind != tokenAmount || !ok || n == 0 || n >= int64(format.FullSnaplen) {
		p.fail(t, "stands where bytes of each message are expected", "full, or a size as 64KiB")
		return 0
	}
	p.advance()
	return uint32(n)
}
