package trigger

import "fmt"

// SyntaxError says where a rule is none, and what may stand there.
type SyntaxError struct {
	Column int    // in characters from 1
	Found  string // what stands there; "": the rule ends
	Reason string // "is no metric"
	Accept string // "cpu, threads or load"; "": there is no other word
}

func (e *SyntaxError) Error() string {
	s := fmt.Sprintf("column %d: %.40q %s", e.Column, e.Found, e.Reason)
	if e.Found == "" {
		s = fmt.Sprintf("column %d: the rule ends too early", e.Column)
	}
	if e.Accept != "" {
		s += ": write " + e.Accept
	}
	return s
}
