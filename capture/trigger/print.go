package trigger

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ebpf-reel/reel/format"
)

// String prints the rule in the words of Parse, which reads the same rule out of it.
func (r *Rule) String() string {
	var b strings.Builder
	if r.Name != "" {
		b.WriteString(r.Name + ": ")
	}
	b.WriteString(r.Condition.String())
	switch {
	case r.Hold == Hold{1, 1}:
	case r.Hold.Count == r.Hold.Periods:
		fmt.Fprintf(&b, " for %ds", r.Hold.Periods)
	default:
		fmt.Fprintf(&b, " for %d of %ds", r.Hold.Count, r.Hold.Periods)
	}
	if r.Every > 0 {
		b.WriteString(" every " + duration(r.Every))
	}
	for i, a := range r.Actions {
		b.WriteString([]string{" => ", ", "}[min(i, 1)] + a.String())
	}
	return b.String()
}

// String prints the condition in the words of Parse.
func (c *Condition) String() string {
	s := c.Metric.String()
	if c.Metric == Exit {
		if len(c.Signals) == 0 {
			return s + " by signal"
		}
		for i, sig := range c.Signals {
			s += []string{" by ", " or "}[min(i, 1)] + sig.String()
		}
		return s
	}
	s += c.Scope.String() + " " + c.Op.String() + " " + Value(c.Limit, c.Unit)
	if c.AtLeast > 0 {
		s += " min " + strconv.FormatUint(uint64(c.AtLeast), 10)
	}
	return s
}

// String prints the scope in the words of Parse, with a space before; "" for everything.
func (s Scope) String() string {
	var words string
	if s.Comm != "" {
		words += " comm " + strconv.Quote(s.Comm)
	}
	if s.Client {
		words += " client"
	}
	if s.Port != 0 {
		words += " port " + strconv.Itoa(int(s.Port))
	}
	if s.Path != "" {
		words += " path " + strconv.Quote(s.Path)
	}
	if words == "" {
		return ""
	}
	return " of" + words
}

// String prints the action in the words of Parse.
func (a Action) String() string {
	s := a.Kind.String()
	if a.Before > 0 {
		s += " before " + duration(a.Before)
	}
	if a.After > 0 {
		s += " after " + duration(a.After)
	}
	if a.Kind == Snaplen {
		length := "full"
		if a.Bytes != format.FullSnaplen {
			length = bytesText(int64(a.Bytes))
		}
		s += " " + length + " " + duration(a.For)
	}
	return s
}
