package text

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the tables of README.md")

const (
	tablesBegin = "<!-- tables: written by the test, go test ./format/text -update -->\n"
	tablesEnd   = "<!-- end of tables -->\n"
)

func TestReadmeExamplesParse(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(readme), "```reel\n")
	if len(parts) < 3 {
		t.Fatalf("README.md has %d examples", len(parts)-1)
	}
	for i, part := range parts[1:] {
		example, _, _ := strings.Cut(part, "```")
		whole := canonical(t, example)
		if i == 0 && whole != example {
			t.Errorf("the first example is not canonical: it should be\n%s", whole)
		}
		if _, err := NewSource([]byte(example)); err != nil {
			t.Error(err)
		}
	}
}

func TestReadmeDescribesEveryColumn(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := bytes.Cut(readme, []byte(tablesBegin))
	_, after, ok2 := bytes.Cut(rest, []byte(tablesEnd))
	if !ok || !ok2 {
		t.Fatal("README.md has lost the marks around its tables")
	}
	want := bytes.Join([][]byte{before, []byte(tablesBegin), []byte(describeTables()), []byte(tablesEnd), after}, nil)
	if bytes.Equal(readme, want) {
		return
	}
	if !*update {
		t.Fatal("README.md does not describe the columns as they are: run go test ./format/text -update")
	}
	if err := os.WriteFile("README.md", want, 0o644); err != nil {
		t.Fatal(err)
	}
}

func describeTables() string {
	var b strings.Builder
	describe := func(name, about string, columns []column) {
		fmt.Fprintf(&b, "\n**%s** — %s\n\n| column | value | default |\n|---|---|---|\n", name, about)
		for i := range columns {
			c := &columns[i]
			key, deflt := "`"+c.key+"`", c.deflt
			if c.key == "" {
				key = "payload, without key"
			}
			if c.word != nil {
				key += " (word)"
			}
			if deflt == "" {
				deflt = map[string]string{"number": "0", "0x number": "0", "duration": "0", "seconds": "0", "word": "no"}[c.form]
			}
			if deflt == "" {
				deflt = "none"
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", key, strings.ReplaceAll(c.form, "|", `\|`), deflt)
		}
	}
	describe("info", "the manifest; one line a column", infoColumns)
	for i := range tables {
		describe(tables[i].name, tables[i].about, tables[i].columns)
	}
	describe("problem", "what is wrong with a reel, in scenarios", problemColumns)
	b.WriteString("\n")
	return b.String()
}
