package anomaly_test

import (
	"slices"
	"testing"

	"github.com/ebpf-reel/reel/analyze/anomaly"
	"github.com/ebpf-reel/reel/analyze/facts"
)

type odd uint8

var table = anomaly.Table[odd]{
	0: anomaly.Info("first", "It is the first."),
	1: anomaly.Notice("second", "It is not."),
}

func TestSet(t *testing.T) {
	var s anomaly.Set[odd]
	for _, a := range []odd{63, 1, 0, 1} {
		s.Add(a)
	}
	if got := slices.Collect(s.All()); !slices.Equal(got, []odd{0, 1, 63}) {
		t.Errorf("the set yields %v", got)
	}
	if !s.Has(63) || s.Has(2) {
		t.Errorf("Has(63) = %t, Has(2) = %t", s.Has(63), s.Has(2))
	}
	if got := table.AppendNames([]string{"before"}, s); !slices.Equal(got, []string{"before", "first", "second", "unregistered"}) {
		t.Errorf("names %q", got)
	}
}

func TestTableOf(t *testing.T) {
	if d := table.Of(1); d.Name != "second" || d.Severity != facts.Notice || d.Sentence != "It is not." {
		t.Errorf("Of(1) = %+v", d)
	}
	if d := table.Of(2); d.Severity != facts.Error {
		t.Errorf("what is not registered is %+v", d)
	}
}
