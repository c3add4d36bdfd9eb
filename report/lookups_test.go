package report_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/report"
)

// Failures come first, then what took longest; processes of one name are one, and what does not fit is summed up.
func TestLookupsAreSummedUp(t *testing.T) {
	c := report.NewCollector(report.Limits{})
	add := func(pid int, name, code string, took time.Duration, queries int) {
		t.Helper()
		if err := c.Lookup(&facts.Lookup{PID: format.PID(pid), Role: format.RoleClient, Name: name, Type: "A", Code: code, Duration: took, Queries: queries}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 { // three processes, whose names come later
		add(100+i, "slow.example", "NOERROR", time.Duration(i+1)*time.Second, 1)
	}
	add(100, "gone.example", "NXDOMAIN", time.Millisecond, 1)
	add(100, "silent.example", "", -1, 4)
	add(100, "silent.example", "", -1, 1)
	for i := range 5000 {
		add(100, fmt.Sprintf("host%d.example", i), "NOERROR", time.Millisecond, 1)
	}
	for i := range 3 {
		if err := c.Connection(&facts.Connection{ID: facts.ConnID(i + 1), PID: format.PID(100 + i), Process: "curl"}); err != nil {
			t.Fatal(err)
		}
	}
	lines := c.Data(report.Facts{}).Lookups
	if len(lines) < 100 || len(lines) > 4200 {
		t.Fatalf("%d lines", len(lines))
	}
	for i, want := range []report.LookupLine{
		{Process: "curl", Name: "silent.example", Type: "A", Code: "no response", Count: "2", Repeated: "3", Failed: true},
		{Process: "curl", Name: "gone.example", Type: "A", Code: "NXDOMAIN", Count: "1", Repeated: "0", Failed: true},
		{Process: "curl", Name: "slow.example", Type: "A", Code: "NOERROR", Count: "3", Repeated: "0"},
	} {
		got := lines[i]
		want.Server, want.Mean, want.Max = got.Server, got.Mean, got.Max
		if got != want {
			t.Errorf("line %d is %+v, want %+v", i, got, want)
		}
	}
	others := 0
	for _, l := range lines {
		if l.Name == "(others)" {
			others++
		}
	}
	if others != 1 {
		t.Errorf("%d lines sum up the others", others)
	}
}
