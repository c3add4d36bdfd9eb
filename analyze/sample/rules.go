// Package sample turns exchanges into the ones that are worth a closer look: those that rules choose (docs/sampling.md), and lists
// of the slowest and the failed ones.
package sample

import (
	"cmp"
	"fmt"
	"regexp"
	"regexp/syntax"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/filter"
	"github.com/ebpf-reel/reel/analyze/http1"
)

// Rule says which exchanges of some URIs are sampled, and what is kept of them. Without MinDuration, Status4xx and Status5xx it
// samples all that Where lets pass.
type Rule struct {
	URI         *regexp.Regexp // of the path, without query; nil: every one
	MinDuration *time.Duration // nil: none is sampled for being slow
	Status4xx   bool           // 400 to 499
	Status5xx   bool           // 500 to 599
	Where       *filter.Filter // that must hold as well; nil: always
	Request     Part           // data of the request
	Response    Part           // data of the response
}

// Part says what is kept of a message: head and content.
type Part struct {
	Keep bool
	Max  int // bytes of content; 0: DefaultBytes
}

// Limits of what is kept of a sampled message.
const (
	DefaultBytes = 64 << 10
	MaxBytes     = 1 << 20
	MaxCalls     = 64 // system calls of a message: the first and the last ones
)

// bytes returns how many bytes of content are kept.
func (p Part) bytes() int {
	if !p.Keep {
		return 0
	}
	return min(cmp.Or(p.Max, DefaultBytes), MaxBytes)
}

// Rules is a set of rules. The first whose URI matches is the one for an exchange, whatever it says of it; Default is for those
// that no rule's URI matches.
type Rules struct {
	List    []Rule
	Default *Rule // nil: such exchanges are not sampled
	Limit   int   // samples that are given out; 0: DefaultLimit. Beyond, they are counted
}

// DefaultLimit is how many samples an analysis gives out.
const DefaultLimit = 10_000

// name names a rule by its place: "rule 1", "default".
func (r *Rules) name(i int) string {
	if i == len(r.List) {
		return "default"
	}
	return fmt.Sprintf("rule %d", i+1)
}

// NeedsHeaders reports whether exchanges must come with their headers.
func (r *Rules) NeedsHeaders() bool {
	return r.any(func(x *Rule) bool { return x.Request.Keep || x.Response.Keep || x.Where.NeedsHeaders() })
}

// Body returns how many bytes of content exchanges must come with.
func (r *Rules) Body() int {
	most := 0
	r.any(func(x *Rule) bool {
		most = max(most, x.Request.bytes(), x.Response.bytes())
		return false
	})
	return most
}

func (r *Rules) any(is func(*Rule) bool) bool {
	if r == nil {
		return false
	}
	for i := range r.List {
		if is(&r.List[i]) {
			return true
		}
	}
	return r.Default != nil && is(r.Default)
}

// ParseURI reads the regular expression of a rule. It is RE2: it never takes more than linear time.
func ParseURI(s string) (*regexp.Regexp, error) {
	re, err := regexp.Compile(s)
	if e, ok := err.(*syntax.Error); ok { //nolint:errorlint // regexp returns it as it is
		return nil, fmt.Errorf("%q is no regular expression: %s: %s", s, e.Code, e.Expr)
	}
	return re, err
}

// Why an exchange is sampled. A failed one is sampled for that, even if it was slow too.
const (
	ReasonStatus5xx = "status_5xx"
	ReasonStatus4xx = "status_4xx"
	ReasonSlow      = "slow"
	ReasonMatched   = "matched" // the rule names no condition of these
)

// reason returns why the rule samples x; "" it does not.
func (r *Rule) reason(x *facts.Exchange) string {
	switch {
	case r.Status5xx && x.Status >= 500 && x.Status <= 599:
		return ReasonStatus5xx
	case r.Status4xx && x.Status >= 400 && x.Status <= 499:
		return ReasonStatus4xx
	case r.MinDuration != nil && x.Duration >= 0 && x.Duration >= *r.MinDuration:
		return ReasonSlow
	case r.MinDuration == nil && !r.Status4xx && !r.Status5xx:
		return ReasonMatched
	}
	return ""
}

// maxPaths bounds the paths whose rule is remembered.
const maxPaths = 4096

// Sampler applies rules.
type Sampler struct {
	rules *Rules
	paths map[string]int // index of the rule
	given int
	left  uint64
}

// New returns a Sampler; with nil it samples nothing.
func New(rules *Rules) *Sampler { return &Sampler{rules: rules, paths: make(map[string]int)} }

// Left returns how many samples were beyond the limit.
func (s *Sampler) Left() uint64 { return s.left }

// Sample reports whether x is sampled, and fills out. What out has of x is x itself: it lives as long. The error is that of a
// rule's Where.
func (s *Sampler) Sample(x *facts.Exchange, out *facts.Sample) (bool, error) {
	if s.rules == nil {
		return false, nil
	}
	at := s.find(x.Target)
	rule := s.rules.Default
	if at < len(s.rules.List) {
		rule = &s.rules.List[at]
	}
	if rule == nil {
		return false, nil
	}
	reason := rule.reason(x)
	if reason == "" {
		return false, nil
	}
	if ok, err := rule.Where.Match(x); !ok || err != nil {
		if err != nil {
			err = fmt.Errorf("where of %s: %w", s.rules.name(at), err)
		}
		return false, err
	}
	if s.given >= cmp.Or(s.rules.Limit, DefaultLimit) {
		s.left++
		return false, nil
	}
	s.given++
	*out = facts.Sample{Exchange: x, Rule: s.rules.name(at), Reason: reason, Request: rule.Request.Keep, Response: rule.Response.Keep,
		RequestMax: rule.Request.bytes(), ResponseMax: rule.Response.bytes()}
	return true, nil
}

// find returns the index of the rule for a target; len(List) for the default.
func (s *Sampler) find(target string) int {
	path, _ := http1.SplitTarget(target)
	if at, known := s.paths[path]; known {
		return at
	}
	at := 0
	for at < len(s.rules.List) && s.rules.List[at].URI != nil && !s.rules.List[at].URI.MatchString(path) {
		at++
	}
	if len(s.paths) >= maxPaths {
		clear(s.paths)
	}
	s.paths[path] = at
	return at
}
