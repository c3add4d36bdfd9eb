// Package budget turns readings of the node into shed levels and stops.
//
// A recorder on a production node has a budget: how much CPU, memory, disk and rate it may take, and what it must leave free.
// A Governor is told readings, once a second and at each look at the rings, and answers what the probes are to leave out
// (a Level) and whether the capture is to end (a Stop). It reads nothing itself and has no clock: the same readings give the
// same decisions.
package budget

// Level says what is left out. Each level includes those below it. The numbers stand in heartbeat rows and in the kernel's
// configuration (bpf/include/budget.h).
type Level uint8

// The levels, in the order in which load is shed.
const (
	None   Level = 0
	Bodies Level = 1 // the first 512 bytes of each message are copied
	Heads  Level = 2 // no bytes are copied
	Stacks Level = 3 // no stacks are taken: reserved, nothing is shed there yet
	IO     Level = 4 // reads and writes are counted instead of recorded
)

// steps are the levels that shed something. Stacks is not among them while no stacks are recorded.
var steps = []Level{None, Bodies, Heads, IO}

var levelNames = map[Level]string{None: "nothing", Bodies: "bodies", Heads: "bodies and heads", Stacks: "bodies, heads and stacks", IO: "bodies, heads and the rows of reads and writes"}

// String says what is left out: "bodies and heads".
func (l Level) String() string { return levelNames[l] }

// Cause is why load is shed, or why a capture is ended.
type Cause string

// What sheds load.
const (
	CauseCPU     Cause = "cpu"     // Limits.CPU
	CauseRate    Cause = "rate"    // Limits.Rate
	CauseMemory  Cause = "memory"  // Limits.Memory; at the last level it ends the capture
	CauseRing    Cause = "ring"    // a ring was nearly full
	CauseLoss    Cause = "loss"    // records found no room in a ring
	CauseSealing Cause = "sealing" // too much of the journal is not sealed (DESIGN D3)
)

// What ends a capture.
const (
	CauseDisk       Cause = "disk"        // Limits.Disk: the reel is as large as it may get
	CauseFreeDisk   Cause = "free disk"   // Limits.MinFreeDisk
	CauseFreeMemory Cause = "free memory" // Limits.MinFreeMemory
	CauseLoad       Cause = "load"        // Limits.Load
)
