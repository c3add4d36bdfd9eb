package facts

import "time"

// Lineage is what an exchange has to do with others of its process.
type Lineage struct {
	// Of a request that a process sends: the exchange that it served by it.
	Parent     ExchangeID // 0 unknown
	ParentBy   string     // "trace", "thread", "process", "request", "turn"; "" unknown
	ParentSure Certainty

	// Of a request that it serves: those that it sent meanwhile.
	Calls           uint32
	SameCalls       uint32        // the most of one method, host and form of path: 1 + N
	CallsTime       time.Duration // in any of them: the union of their times
	CriticalCalls   uint32        // on the critical path: back from the end, the one that ended last before the one behind it began
	CriticalTime    time.Duration // in those
	SlowestCall     ExchangeID
	SlowestCallTime time.Duration
}
