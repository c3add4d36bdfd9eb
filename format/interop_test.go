package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// interopPython is a Python that has pyarrow and duckdb (scripts/requirements.txt).
func interopPython(t *testing.T) string {
	t.Helper()
	python := os.Getenv("REEL_PYTHON")
	if python == "" {
		python = filepath.Join("..", ".cache", "venv", "bin", "python")
	}
	python, err := filepath.Abs(python)
	if err == nil {
		_, err = os.Stat(python)
	}
	if err != nil {
		t.Fatalf("no Python with pyarrow and duckdb (%v): run scripts/setup.sh test, or set REEL_PYTHON", err)
	}
	return python
}

// summary is what both sides compute of a column: the sum of numbers, of booleans, of CRC-32s of strings and bytes (each
// element of a list), and how many values are NULL.
type summary struct {
	Rows  int64  `json:"rows"`
	Sum   string `json:"sum"`
	Nulls int64  `json:"nulls"`
}

func summarize[R any](t *table[R], rows []R, into map[string]summary) {
	nums := make([]int64, len(rows))
	for i := range t.cols {
		c := &t.cols[i]
		sum, nulls := new(big.Int), int64(0)
		text := func(s string) { sum.Add(sum, big.NewInt(int64(crc32.ChecksumIEEE([]byte(s))))) }
		switch c.Type {
		case ColumnString:
			for r := range rows {
				s := c.getString(&rows[r])
				if c.Optional && s == "" {
					nulls++
					continue
				}
				text(s)
			}
		case ColumnStrings:
			for r := range rows {
				for _, s := range c.getList(&rows[r]) {
					text(s)
				}
			}
		case ColumnBytes:
			for r := range rows {
				text(string(c.getBytes(&rows[r])))
			}
		default:
			c.get(rows, nums)
			for _, v := range nums {
				switch {
				case c.Optional && v == c.null:
					nulls++
				case c.Type == ColumnEnum:
					text(c.name(v))
				case c.Type == ColumnUint64:
					sum.Add(sum, new(big.Int).SetUint64(uint64(v)))
				default:
					sum.Add(sum, big.NewInt(v))
				}
			}
		}
		into[t.id.String()+"."+c.Name] = summary{Rows: int64(len(rows)), Sum: sum.String(), Nulls: nulls}
	}
}

// readTable reads one file of a segment whole.
func readTable[R any](t *testing.T, r *Reel, seg int, f File, def *table[R]) []R {
	source, err := openSource(r, seg, f, def)
	if err != nil {
		t.Fatal(err)
	}
	defer source.close()
	rows := make([]R, f.Rows)
	for n := range rows { // one at a time: payload lies in a page that the next one may reuse
		if _, err := source.t.read(rows[n : n+1]); err != nil {
			t.Fatal(err)
		}
		if p, ok := any(&rows[n]).(*payloadRow); ok {
			p.data = bytes.Clone(p.data)
		}
	}
	return rows
}

const interopScript = `
import json, sys, zlib, duckdb, pyarrow.parquet as pq
def crc(v): return zlib.crc32(v if isinstance(v, bytes) else v.encode("utf-8", "surrogateescape"))
def add(values):
    total = nulls = 0
    for v in values:
        if v is None: nulls += 1
        elif isinstance(v, (list, tuple)): total += sum(crc(e) for e in v)
        elif isinstance(v, (str, bytes)): total += crc(v)
        else: total += int(v)
    return total, nulls
out = {"pyarrow": {}, "duckdb": {}}
con = duckdb.connect()
for path in sys.argv[1:]:
    table = path.rsplit("/", 1)[1].removesuffix(".parquet")
    t = pq.read_table(path)
    cur = con.execute("SELECT * FROM read_parquet(?)", [path])
    names = [d[0] for d in cur.description]
    rows = cur.fetchall()
    for i, name in enumerate(t.column_names):
        for reader, values in (("pyarrow", t.column(name).to_pylist()), ("duckdb", [r[names.index(name)] for r in rows])):
            s, n = add(values)
            out[reader][table + "." + name] = {"rows": len(values), "sum": str(s), "nulls": n}
    # The page index has to be right: a filter by it must find each row once.
    half = t.column(0)[t.num_rows // 2].as_py()
    hit = con.execute(f"SELECT count(*) FROM read_parquet(?) WHERE {t.column_names[0]} >= ?", [path, half]).fetchone()[0]
    assert hit == sum(v >= half for v in t.column(0).to_pylist()), (path, hit)
json.dump(out, sys.stdout)
`

// Other people's readers see what was written, in every column of every table.
func TestInterop(t *testing.T) {
	python := interopPython(t)
	dir := filepath.Join(t.TempDir(), "a.reel")
	w := testWriter(t, dir, WriterConfig{SegmentBytes: 1 << 30, SegmentTime: time.Hour})
	for _, row := range sampleRows() {
		if err := w.AppendRow(row); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 300 { // pages with and without NULLs, dictionaries, more than a page of rows
		for _, row := range sampleRows() {
			if p, ok := row.(*Process); ok {
				p.Comm = fmt.Sprintf("task%d", n)
				p.Args = append(p.Args, strings.Repeat("ä", n%7), fmt.Sprint(n))
				if n%3 == 0 {
					p.Args = nil
				}
			}
			if err := w.AppendRow(row); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := nginxTraffic(25_000, w.AppendEvent); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Open(dir, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	want := map[string]summary{}
	args := []string{"-c", interopScript}
	seg := r.Manifest().Segments[0]
	for _, f := range seg.Files {
		args = append(args, join(dir, f.Name))
		id, err := ParseTableID(f.Table)
		if err != nil {
			t.Fatal(err)
		}
		switch id {
		case TableSocket:
			summarize(&socketTable, readTable(t, r, seg.Number, f, &socketTable), want)
		case TableIO:
			summarize(&ioTable, readTable(t, r, seg.Number, f, &ioTable), want)
		case TablePayload:
			summarize(&payloadTable, readTable(t, r, seg.Number, f, &payloadTable), want)
		case TableProcess:
			summarize(&processTable, readTable(t, r, seg.Number, f, &processTable), want)
		case TableClock:
			summarize(&clockTable, readTable(t, r, seg.Number, f, &clockTable), want)
		case TableHeartbeat:
			summarize(&heartbeatTable, readTable(t, r, seg.Number, f, &heartbeatTable), want)
		case TableRing:
			summarize(&ringTable, readTable(t, r, seg.Number, f, &ringTable), want)
		case TableHook:
			summarize(&hookTable, readTable(t, r, seg.Number, f, &hookTable), want)
		case TableNote:
			summarize(&noteTable, readTable(t, r, seg.Number, f, &noteTable), want)
		case TableTrigger:
			summarize(&triggerTable, readTable(t, r, seg.Number, f, &triggerTable), want)
		case TableContainer:
			summarize(&containerTable, readTable(t, r, seg.Number, f, &containerTable), want)
		case TableTCP:
			summarize(&tcpTable, readTable(t, r, seg.Number, f, &tcpTable), want)
		case TableTLSKey:
			summarize(&tlsKeyTable, readTable(t, r, seg.Number, f, &tlsKeyTable), want)
		case TableProbe:
			summarize(&probeTable, readTable(t, r, seg.Number, f, &probeTable), want)
		case TableOnCPU:
			summarize(&onCPUTable, readTable(t, r, seg.Number, f, &onCPUTable), want)
		case TableOffCPU:
			summarize(&offCPUTable, readTable(t, r, seg.Number, f, &offCPUTable), want)
		case TableOffCPUTotal:
			summarize(&offCPUTotalTable, readTable(t, r, seg.Number, f, &offCPUTotalTable), want)
		case TableStack:
			summarize(&stackTable, readTable(t, r, seg.Number, f, &stackTable), want)
		case TableSymbol:
			summarize(&symbolTable, readTable(t, r, seg.Number, f, &symbolTable), want)
		case TableModule:
			summarize(&moduleTable, readTable(t, r, seg.Number, f, &moduleTable), want)
		case TableMapping:
			summarize(&mappingTable, readTable(t, r, seg.Number, f, &mappingTable), want)
		case TableTLS:
			summarize(&tlsTable, readTable(t, r, seg.Number, f, &tlsTable), want)
		}
	}
	if all := slices.Collect(TableIDs()); len(seg.Files) != len(all) {
		t.Errorf("the reel has %d tables, there are %d", len(seg.Files), len(all))
	}
	cmd := exec.CommandContext(t.Context(), python, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]map[string]summary
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	for reader, columns := range got {
		if len(columns) != len(want) {
			t.Errorf("%s sees %d columns, there are %d", reader, len(columns), len(want))
		}
		for name, w := range want {
			if columns[name] != w {
				t.Errorf("%s: %s is %+v, want %+v", reader, name, columns[name], w)
			}
		}
	}
}
