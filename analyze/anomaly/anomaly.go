// Package anomaly turns the numbers that a parser gives to oddities into registered names, severities and sentences for the
// ledger, and collects them in sets that allocate nothing (DESIGN D6).
package anomaly

import (
	"iter"
	"math/bits"
	"slices"

	"github.com/ebpf-reel/reel/analyze/facts"
)

// Def is what is said of one anomaly.
type Def struct {
	Name     string // registered, the same in every version: "http1_bare_lf"
	Severity facts.Severity
	Sentence string // what it means and what was done, for the ledger
}

// Info is a Def of what is worth knowing.
func Info(name, sentence string) Def { return Def{name, facts.Info, sentence} }

// Notice is a Def of what makes a result less sure.
func Notice(name, sentence string) Def { return Def{name, facts.Notice, sentence} }

// DataLoss is a Def of what is missing from the recording.
func DataLoss(name, sentence string) Def { return Def{name, facts.DataLoss, sentence} }

// Table holds the Def of each anomaly of a parser, whose numbers begin at 0 and stay below 64.
type Table[A ~uint8] []Def

// Of returns the Def of a; that of an unregistered one is an error without a sentence.
func (t Table[A]) Of(a A) Def {
	if int(a) < len(t) {
		return t[a]
	}
	return Def{Name: "unregistered", Severity: facts.Error}
}

// All yields every anomaly of the table, in order.
func (t Table[A]) All() iter.Seq2[A, Def] {
	return func(yield func(A, Def) bool) {
		for i, d := range t {
			if !yield(A(i), d) {
				return
			}
		}
	}
}

// Set is a set of anomalies of one parser.
type Set[A ~uint8] uint64

// Add puts a into the set.
func (s *Set[A]) Add(a A) { *s |= 1 << a }

// Has reports whether a is in the set.
func (s Set[A]) Has(a A) bool { return s&(1<<a) != 0 }

// All yields the anomalies in the set, in their order.
func (s Set[A]) All() iter.Seq[A] {
	return func(yield func(A) bool) {
		for s != 0 {
			if !yield(A(bits.TrailingZeros64(uint64(s)))) {
				return
			}
			s &= s - 1
		}
	}
}

// AppendNames appends the registered names of the anomalies in s that dst does not have yet. It allocates only to grow dst.
func (t Table[A]) AppendNames(dst []string, s Set[A]) []string {
	for a := range s.All() {
		if name := t.Of(a).Name; !slices.Contains(dst, name) {
			dst = append(dst, name)
		}
	}
	return dst
}
