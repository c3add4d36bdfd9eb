package trigger

import "time"

// Rule is one rule: when its condition holds in Hold.Count of the last Hold.Periods seconds, it fires.
type Rule struct {
	Name      string // "": Name it by its metric (see NewEngine)
	Condition Condition
	Hold      Hold
	Every     time.Duration // while the condition goes on to hold, fire again each; 0: once for each time that it comes to hold
	Actions   []Action
}

// Condition compares a metric with a limit.
type Condition struct {
	Metric  Metric
	Scope   Scope
	Op      Comparison // of Exit: Above
	Limit   int64      // thousandths of Unit; of Exit: 0
	Unit    Unit
	AtLeast uint32   // of HTTP: periods with fewer responses do not count; 0: all do
	Signals []Signal // of Exit: in the order of the rule; empty: any
}

// Scope narrows what a metric is read of. The zero value is everything that is recorded.
type Scope struct {
	Comm   string // of process metrics: only processes of this name
	Client bool   // of HTTP: the requests that targets make, instead of those that they serve
	Port   uint16 // of HTTP: of the server; 0: any
	Path   string // of HTTP: what the request target begins with; "": any
}

// Comparison is how a value and the limit have to stand.
type Comparison uint8

// The comparisons.
const (
	Above   Comparison = iota // >
	AtLeast                   // >=
	Below                     // <
	AtMost                    // <=
)

var comparisons = [...]string{">", ">=", "<", "<="}

func (c Comparison) String() string { return comparisons[min(int(c), len(comparisons)-1)] }

// holds reports whether v compares so with limit.
func (c Comparison) holds(v, limit int64) bool {
	switch c {
	case Above:
		return v > limit
	case AtLeast:
		return v >= limit
	case Below:
		return v < limit
	default:
		return v <= limit
	}
}

// worse reports whether v is farther past a limit than w.
func (c Comparison) worse(v, w int64) bool {
	if c == Below || c == AtMost {
		return v < w
	}
	return v > w
}

// Hold is in how many of the last periods, of a second each, a condition has to hold.
type Hold struct{ Count, Periods int }

// ActionKind is what a firing does.
type ActionKind uint8

// The actions.
const (
	Mark    ActionKind = iota + 1 // record the firing, nothing else
	Snap                          // keep what the flight recorder holds
	Snaplen                       // copy more bytes of each message for a time
	Stop                          // end the capture
)

var actionNames = [...]string{Mark: "mark", Snap: "snap", Snaplen: "snaplen", Stop: "stop"}

func (k ActionKind) String() string { return actionNames[min(int(k), len(actionNames)-1)] }

// Action is one thing that a firing does.
type Action struct {
	Kind   ActionKind
	Before time.Duration // of Snap: how much from before the firing; 0: all that the flight recorder holds
	After  time.Duration // of Snap: how much from after it
	Bytes  uint32        // of Snaplen: of each message; format.FullSnaplen: all
	For    time.Duration // of Snaplen
}

// Bounds of what a rule may say.
const (
	maxPeriods = 3600
	maxSilence = 24 * time.Hour
	maxTime    = time.Hour      // of snaplen, and of a snap's windows
	maxLimit   = int64(1) << 50 // thousandths
	maxText    = 4096           // bytes of a rule
	maxRules   = 64             // of an Engine
	maxActions = 8              // of a rule
	maxSize    = int64(1) << 40 // bytes that a transfer can be compared with
)

// holds reports whether a value fulfils the condition.
func (c *Condition) holds(v int64) bool { return c.Op.holds(v, c.Limit) }

// Wants reports whether an exit by this signal is one that the condition asks for.
func (c *Condition) Wants(s Signal) bool {
	for _, wanted := range c.Signals {
		if wanted == s {
			return true
		}
	}
	return len(c.Signals) == 0
}
