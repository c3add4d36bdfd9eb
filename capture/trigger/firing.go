package trigger

import (
	"github.com/ebpf-reel/reel/format"
)

// Subject is what a reading is of. The zero value is all that is recorded.
type Subject struct {
	PID    format.PID
	Start  uint64 // of the process, as format.Process has it
	Comm   string
	Socket format.SocketID
	Inode  format.Inode
	Local  format.Endpoint
	Remote format.Endpoint
	Detail string // what else is known: "signal SIGSEGV", "12 of 40 responses"
}

// Sample is one value of a metric.
type Sample struct {
	Subject
	Value int64 // thousandths of the condition's unit
}

// Firing is what an Engine says when a rule fires.
type Firing struct {
	Rule   *Rule
	Time   format.KTime
	Sample     // of the subject that is farthest past the limit
	Held   int // periods of the last Rule.Hold.Periods in which the condition held
	Others int // further subjects of which the condition holds
}
