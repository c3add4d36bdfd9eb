package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// Where says where an anomaly was met first; zero fields are not known.
type Where struct {
	At       format.KTime
	Conn     facts.ConnID
	Exchange facts.ExchangeID
	PID      format.PID
	Socket   format.SocketID
	File     string // of the reel
	Offset   int64  // in File, or in the stream of Conn; -1 none
	Text     string // anything else, short
}

func (w Where) String() string {
	var parts []string
	add := func(ok bool, f string, v any) {
		if ok {
			parts = append(parts, fmt.Sprintf(f, v))
		}
	}
	add(w.Exchange != 0, "exchange %d", w.Exchange)
	add(w.Conn != 0, "connection %d", w.Conn)
	add(w.Conn == 0 && w.Socket != 0, "socket %016x", uint64(w.Socket))
	add(w.PID != 0, "pid %d", w.PID)
	add(w.File != "", "%s", w.File)
	add(w.Offset > 0, "byte %d", w.Offset)
	add(w.Text != "", "%s", w.Text)
	return strings.Join(parts, ", ")
}

// Tally counts anomalies. It is deterministic: First and Example are those of the first Add.
type Tally struct {
	entries []entry // by Name
}

type entry struct {
	count, bytes uint64
	first        Where
}

// NewTally returns an empty Tally.
func NewTally() *Tally {
	n := int(numNames)
	for name := range All() {
		n = max(n, int(name)+1)
	}
	return &Tally{entries: make([]entry, n)}
}

// Add counts an anomaly that touches n things.
func (t *Tally) Add(name Name, n uint64, w Where) { t.AddBytes(name, n, 0, w) }

// AddBytes counts an anomaly that touches n things and b bytes.
func (t *Tally) AddBytes(name Name, n, b uint64, w Where) {
	e := &t.entries[name]
	if e.count == 0 {
		e.first = w
	}
	e.count += n
	e.bytes += b
}

// Count returns how often a name was counted.
func (t *Tally) Count(name Name) uint64 { return t.entries[name].count }

// Entries returns what was counted: the most severe first, then by name.
func (t *Tally) Entries() []facts.LedgerEntry {
	var out []facts.LedgerEntry
	for name := range All() {
		e := &t.entries[name]
		if e.count == 0 {
			continue
		}
		r := name.registered()
		out = append(out, facts.LedgerEntry{
			Name: r.name, Severity: r.severity, Source: r.source, Sentence: r.sentence,
			Count: e.count, Bytes: e.bytes, First: e.first.At, Example: e.first.String(),
		})
	}
	slices.SortStableFunc(out, func(a, b facts.LedgerEntry) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Name, b.Name))
	})
	return out
}
