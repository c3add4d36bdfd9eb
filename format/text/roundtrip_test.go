package text

import (
	"bytes"
	"fmt"
	"iter"
	"math"
	"math/rand"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ebpf-reel/reel/format"
)

// values makes random values of any type, with a liking for the ends of its range and for what breaks printers.
type values struct{ *rand.Rand }

var strange = []string{"", "nginx", "two words", `"quoted"`, "\\", "\x00\xff\xfe", "caf\u00e9 \u202e\u2028", "\ufffd", "a=b", "# no comment",
	"new\nline", "hex:00", "[", "]", "*3", "\U0001F600", "\xed\xa0\x80"}

// same compares rows: nothing in the form tells nil from empty.
var same = cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})}

func (g values) string() string {
	if g.Intn(3) == 0 {
		b := make([]byte, g.Intn(40))
		g.Read(b)
		return string(b)
	}
	return strange[g.Intn(len(strange))]
}

// fill sets every field of a struct, so that a field that no column stands for shows as a difference.
func (g values) fill(v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *format.Socket: // no other table has paths
		defer func() { x.Local.Path, x.Remote.Path = g.string(), g.string() }()
	case *format.Endpoint:
		*x = g.endpoint()
		return
	case *netip.Addr:
		*x = g.endpoint().Addr
		return
	case *[]byte:
		*x = g.payload()
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			g.fill(v.Field(i))
		}
	case reflect.Slice:
		n := g.Intn(4)
		if n == 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			g.fill(v.Index(i))
		}
	case reflect.String:
		v.SetString(g.string())
	case reflect.Bool:
		v.SetBool(g.Intn(2) == 0)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(g.pick(0, 1, uint64(g.Intn(20)), uint64(g.Intn(1000)), g.Uint64(), math.MaxUint64))
		if v.Type() == reflect.TypeFor[uint16]() || v.Type() == reflect.TypeFor[format.IOFlags]() {
			v.SetUint(v.Uint() & math.MaxUint16)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(g.pick(0, 1, uint64(g.Intn(1000)), uint64(g.Intn(1e10)), g.Uint64(), math.MaxUint64, 1<<63, 1<<63-1, 1<<31, 1<<31-1)))
	default:
		panic(fmt.Sprintf("no values of %s", v.Type()))
	}
}

func (g values) pick(from ...uint64) uint64 { return from[g.Intn(len(from))] }

func (g values) endpoint() format.Endpoint {
	addrs := []string{"", "10.0.0.1", "0.0.0.0", "::", "::1", "::ffff:10.0.0.1", "fe80::1", "2001:db8::ff"}
	e := format.Endpoint{Port: uint16(g.pick(0, 80, math.MaxUint16))}
	if s := addrs[g.Intn(len(addrs))]; s != "" {
		e.Addr = netip.MustParseAddr(s)
	}
	return e
}

func (g values) payload() []byte {
	switch g.Intn(4) {
	case 0:
		return nil
	case 1:
		return []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	b := make([]byte, g.Intn(300))
	g.Read(b)
	if g.Intn(2) == 0 {
		for i := range b {
			b[i] = b[i]%64 + ' '
		}
	}
	return b
}

func (g values) row() format.Row {
	row := tables[g.Intn(len(tables))].fresh()
	g.fill(reflect.ValueOf(row).Elem())
	return row
}

func seq(rows []format.Row) iter.Seq2[format.Row, error] {
	return func(yield func(format.Row, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func TestRoundTripOfRandomReels(t *testing.T) {
	for seed := range int64(200) {
		g := values{rand.New(rand.NewSource(seed))}
		var m format.Manifest
		g.fill(reflect.ValueOf(&m.Capture).Elem())
		m.UUID, m.Unsealed, m.Clean = g.string(), g.string(), g.Intn(2) == 0
		var rows []format.Row
		for range 50 {
			rows = append(rows, g.row())
		}
		var first bytes.Buffer
		if err := Write(&first, &m, seq(rows)); err != nil {
			t.Fatal(err)
		}
		m.Format, m.SchemaVersion = "reel", format.SchemaVersion
		parsed, parsedRows, err := Parse(bytes.NewReader(first.Bytes()))
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, first.String())
		}
		if diff := cmp.Diff(&m, parsed, same); diff != "" {
			t.Fatalf("seed %d: manifest (-written +read):\n%s", seed, diff)
		}
		lines := strings.Split(first.String()[strings.Index(first.String(), "\n")+1:], "\n")
		i := 0
		for row, err := range parsedRows {
			if err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, err, first.String())
			}
			if diff := cmp.Diff(rows[i], row, same); diff != "" {
				t.Fatalf("seed %d row %d (-written +read):\n%s%s", seed, i, diff, lines)
			}
			i++
		}
		if i != len(rows) {
			t.Fatalf("seed %d: %d rows of %d", seed, i, len(rows))
		}
		checkCanonical(t, first.Bytes())
	}
}

// checkCanonical parses text in canonical form and demands the same bytes of writing it again.
func checkCanonical(t *testing.T, text []byte) {
	t.Helper()
	m, rows, err := Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := Write(&again, m, rows); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, again.Bytes()) {
		t.Fatalf("writing what was read gives other bytes:\n%s\nwas\n%s", again.Bytes(), text)
	}
}

// The zero row of every table is written and comes back: defaults that are not zero do not swallow it.
func TestRoundTripOfZeroRows(t *testing.T) {
	for i := range tables {
		line, err := AppendRow([]byte("reel-text 1\n"), tables[i].fresh())
		if err != nil {
			t.Fatal(err)
		}
		_, rows, err := Parse(bytes.NewReader(line))
		if err != nil {
			t.Fatal(err)
		}
		for row, err := range rows {
			if err != nil {
				t.Fatalf("%v\n%s", err, line)
			}
			if diff := cmp.Diff(tables[i].fresh(), row, same); diff != "" {
				t.Errorf("%s\n%s", line, diff)
			}
		}
	}
}

// A table of the format that the text form does not know would make dumps lossy.
func TestEveryTableOfTheFormatHasAText(t *testing.T) {
	for id := range format.TableIDs() {
		if id == format.TablePayload {
			continue // travels in its io row
		}
		spec := tableByID(id)
		if spec == nil {
			t.Errorf("no text form of table %s", id)
		} else if spec.name != id.String() {
			t.Errorf("table %s is called %s", id, spec.name)
		}
	}
}

func TestMemoryDoesNotGrowWithTheReel(t *testing.T) {
	const n = 200_000
	row := &format.IO{Time: 1, PID: 1, Dir: format.Read, Call: format.CallRead, Ret: 2000, Payload: bytes.Repeat([]byte("x"), 2000)}
	line, err := AppendRow(nil, row)
	if err != nil {
		t.Fatal(err)
	}
	src := &repeated{head: []byte("reel-text 1\n"), line: line, n: n}
	m, rows, err := Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	peak := &heapPeak{}
	if err := Write(peak, m, rows); err != nil {
		t.Fatal(err)
	}
	if want := int64(n*len(line) + len(src.head)); peak.bytes != want {
		t.Errorf("%d bytes written, want %d", peak.bytes, want)
	}
	if peak.max > 32<<20 {
		t.Errorf("the heap grew to %d MiB on a text of %d MiB", peak.max>>20, peak.bytes>>20)
	}
}
