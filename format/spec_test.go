package format

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the tables of SPEC.md")

var typeNames = map[ColumnType]string{ColumnInt64: "int64", ColumnUint64: "uint64", ColumnInt32: "int32", ColumnUint32: "uint32",
	ColumnUint16: "uint16", ColumnUint8: "uint8", ColumnBool: "boolean", ColumnEnum: "name", ColumnString: "string",
	ColumnStrings: "list of strings", ColumnBytes: "bytes"}

func describe[R any](t *table[R]) string {
	var s strings.Builder
	fmt.Fprintf(&s, "### %s (%d)\n\n| column | type | what |\n|---|---|---|\n", t.id, t.id)
	for _, c := range t.cols {
		typ := typeNames[c.Type]
		if c.Optional {
			typ += " or NULL"
		}
		doc := strings.ReplaceAll(c.Doc, "|", "\\|")
		if c.Since > 1 {
			doc += fmt.Sprintf(" (since %d)", c.Since)
		}
		fmt.Fprintf(&s, "| `%s` | %s | %s |\n", c.Name, typ, doc)
	}
	return s.String()
}

// SPEC.md lists the columns that the code has: their names, order and types.
func TestSpec(t *testing.T) {
	tables := map[string]string{
		"socket": describe(&socketTable), "io": describe(&ioTable), "payload": describe(&payloadTable), "process": describe(&processTable),
		"clock": describe(&clockTable), "heartbeat": describe(&heartbeatTable), "ring": describe(&ringTable), "hook": describe(&hookTable),
		"note": describe(&noteTable), "trigger": describe(&triggerTable), "container": describe(&containerTable), "tcp": describe(&tcpTable),
		"tls_key": describe(&tlsKeyTable), "probe": describe(&probeTable), "tls": describe(&tlsTable),
		"oncpu": describe(&onCPUTable), "offcpu": describe(&offCPUTable), "offcpu_total": describe(&offCPUTotalTable), "stack": describe(&stackTable), "symbol": describe(&symbolTable), "module": describe(&moduleTable), "mapping": describe(&mappingTable),
	}
	data, err := os.ReadFile("SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	spec := string(data)
	for name, want := range tables {
		head, rest, ok := strings.Cut(spec, "<!-- columns of "+name+" -->\n")
		have, tail, ok2 := strings.Cut(rest, "<!-- end -->")
		if !ok || !ok2 {
			t.Fatalf("SPEC.md has no place for the columns of %s", name)
		}
		if have == want {
			continue
		}
		if !*update {
			t.Errorf("SPEC.md differs in table %s: go test ./format -run TestSpec -update", name)
			continue
		}
		spec = head + "<!-- columns of " + name + " -->\n" + want + "<!-- end -->" + tail
	}
	if *update {
		if err := os.WriteFile("SPEC.md", []byte(spec), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, limit := range []string{"Schema version 2.", "16 MiB", "256 KiB", "65,536 rows, 24 MiB"} {
		if !strings.Contains(spec, limit) {
			t.Errorf("SPEC.md does not say %q", limit)
		}
	}
	if SchemaVersion != 2 || maxBody != 16<<20 || maxFooter != 256<<10 || maxBlockRows != 65536 || maxBlockBytes != 24<<20 || maxPageBytes != 18<<20 {
		t.Error("a limit has changed: say so in SPEC.md")
	}
}
