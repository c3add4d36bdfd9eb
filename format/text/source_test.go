package text

import (
	"slices"
	"testing"

	"github.com/ebpf-reel/reel/format"
)

func TestSourceGivesRowsInTheOrderOfAReel(t *testing.T) {
	s, err := NewSource([]byte(`reel-text 1
info host="node1" unclean
problem kind="file_corrupt" file="segment-000001/io.parquet" loss message="gone"
io 3 < cpu=1 ret=1
io 3 < cpu=0 ret=2
io 3 < cpu=1 ret=3
note 3 name="late"
socket 3 close
ring 2 cpu=4
io 1 < "GET"
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for row, err := range s.Rows(format.RowsOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		line, err := AppendRow(nil, row)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(line))
	}
	want := []string{
		"io 1.000000000 < read ret=3 \"GET\"\n",
		"ring 2.000000000 cpu=4\n",
		"socket 3.000000000 close\n",
		"io 3.000000000 < read ret=2 captured=0 hole=2\n",
		"io 3.000000000 < read cpu=1 ret=1 captured=0 hole=1\n",
		"io 3.000000000 < read cpu=1 ret=3 captured=0 hole=3\n",
		"note 3.000000000 name=\"late\"\n",
	}
	for i := range want {
		want[i] = canonicalLine(t, want[i])
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	for row, err := range s.Rows(format.RowsOptions{Tables: []format.TableID{format.TableIO}, NoPayload: true}) {
		if r, ok := row.(*format.IO); err != nil || !ok || r.Payload != nil {
			t.Errorf("%v, %v: want io rows without payload", row, err)
		}
	}
	if m := s.Manifest(); m.Clean || m.Capture.Host != "node1" {
		t.Errorf("manifest %+v", m)
	}
	if p := s.Problems(); len(p) != 1 || p[0].Kind != format.ProblemCorrupt || !p[0].Loss || p[0].Offset != -1 {
		t.Errorf("problems %+v", p)
	}
}

func TestSourceOfAnUncleanTextHasThatProblem(t *testing.T) {
	s, err := NewSource([]byte("reel-text 1\ninfo unclean\n"))
	if err != nil {
		t.Fatal(err)
	}
	if p := s.Problems(); len(p) != 1 || p[0].Kind != format.ProblemUnclean {
		t.Errorf("problems %+v", p)
	}
}

func canonicalLine(t *testing.T, line string) string {
	t.Helper()
	whole := canonical(t, "reel-text 1\n"+line)
	return whole[len("reel-text 1\n"):]
}
