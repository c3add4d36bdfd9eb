package text

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
)

// readAll parses a text to its end.
func readAll(r io.Reader) error {
	_, rows, err := Parse(r)
	if err != nil {
		return err
	}
	for _, err := range rows {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestSyntaxErrorsPointAtTheirPlace(t *testing.T) {
	const head = "reel-text 1\n"
	for _, test := range []struct{ name, text, want string }{
		{"empty", "", "line 1, column 1: the text is empty: its first line must be reel-text 1"},
		{"only comments", "# a\n\n", "line 1, column 1: the text is empty: its first line must be reel-text 1"},
		{"other file", "\x7fELF", "line 1, column 1: not the text form of a reel: its first line must be reel-text 1"},
		{"json", `{"a":1}`, "line 1, column 1: not the text form of a reel: its first line must be reel-text 1"},
		{"too new", "# hm\nreel-text 2\n", "line 2, column 11: the text form has version 2, this reel reads up to 1: use a newer reel"},
		{"no version", "reel-text\n", "line 1, column 11: the version of the text form is a number"},
		{"after version", "reel-text 1 x\n", "line 1, column 13: the line should end here"},
		{"not UTF-8", head + "note 1 name=\"\xff\"\n", `line 2, column 14: not UTF-8: write such bytes as \xff in a quoted string`},
		{"unknown table", head + "nota 1\n", `line 2, column 1: "nota" is neither a table nor a connection that a conn line has named`},
		{"string first", head + "\"a\"\n", "line 2, column 1: a line starts with the name of a table or of a connection"},
		{"unknown column", head + "ring 1 cpus=1\n", `line 2, column 8: there is no column "cpus" here; there are cpu captured lost lost_bytes`},
		{"unknown word", head + "ring 1 blue\n", `line 2, column 8: "blue" means nothing here; columns are cpu captured lost lost_bytes`},
		{"payload of a note", head + "note 1 \"a\"\n", "line 2, column 8: a value without key= means nothing here"},
		{"twice", head + "ring 1 cpu=1 lost=2 cpu=3\n", "line 2, column 21: cpu is given twice"},
		{"too large", head + "ring 1 cpu=65536\n", `line 2, column 8: "65536" is not a number from 0 to 65535`},
		{"quoted number", head + "ring 1 cpu=\"1\"\n", "line 2, column 8: cpu takes number, without quotes"},
		{"no value", head + "ring 1 cpu= lost=1\n", "line 2, column 8: cpu= has no value"},
		{"open quote", head + "note 1 name=\"a\n", "line 2, column 13: the string has no closing quote on its line"},
		{"bad escape", head + "note 1 name=\"a\\q\"\n", `line 2, column 15: not an escape of a Go string: use \n, \", \\, \x00 or \u0000`},
		{"glued", head + "note 1 name=\"a\"count=1\n", "line 2, column 16: a blank must follow the string"},
		{"quote in word", head + "note 1 name=a\"b\"\n", "line 2, column 14: a quote inside a word: separate the words by a blank"},
		{"odd hex", head + "io 1 < read hex:123\n", "line 2, column 17: hex: needs an even number of hexadecimal digits"},
		{"repetition", head + "io 1 < \"ab\"*9000000\n", "line 2, column 8: the repetition after * must be a number, and a line with repetitions make at most 16 MiB"},
		{"repetitions", head + "io 1 < \"ab\"*8000000\n  \"ab\"*8000000\n", "line 3, column 3: the repetition after * must be a number, and a line with"},
		{"open list", head + "process 1 exec args=[\"a\"\n", "line 2, column 21: the list has no closing bracket"},
		{"bare in list", head + "process 1 exec args=[ a ]\n", `line 2, column 23: a list holds quoted strings: ["a" "b"]`},
		{"no list", head + "process 1 exec args=\"a\"\n", `line 2, column 16: args takes a list: args=["a" "b"]`},
		{"no operation", head + "socket 1 pid=3\n", "line 2, column 1: the row needs an event: connect, accept, close, shutdown, state, seen, snapshot, listen, pair, long_read or long_write"},
		{"no direction", head + "io 1 read\n", "line 2, column 1: the row needs a direction, < for read or > for write"},
		{"time", head + "ring 1.0000000001\n", "line 2, column 6: a time is seconds with at most nine decimals, like 12.000345678"},
		{"large time", head + "ring 9223372036.854775808\n", "line 2, column 6: the time does not fit into 64 bits of nanoseconds"},
		{"relative time", head + "ring +5\n", "line 2, column 6: a time that starts with + is a duration after the row before, like +5ms"},
		{"duration", head + "io 1 < dur=5\n", `line 2, column 8: "5" is not a duration: write it with its unit, like 12.5us or 1m2s, or ? for unknown`},
		{"address", head + "socket 1 seen local=10.0.0.1\n", `line 2, column 15: "10.0.0.1" is not an address with port: write 10.0.0.1:80, [::1]:80 or ?:80`},
		{"wall time", head + "clock 1 realtime=3000-01-01T00:00:00Z\n", `line 2, column 9: "3000-01-01T00:00:00Z" does not fit into 64 bits of nanoseconds: it must lie between 1677 and 2262`},
		{"flag", head + "io 1 < flags=PEEK|LOUD\n", `line 2, column 8: "LOUD" is no io flag`},
		{"hole and ret", head + "io 1 < ret=5 hole=3 \"abc\"\n", "line 2, column 1: ret is 5, but payload and hole make 6 bytes: leave out one of them"},
		{"late info", head + "ring 1\ninfo host=\"a\"\n", "line 3, column 1: info lines stand before the first row"},
		{"conn name", head + "conn io\n", "line 2, column 6: io means something else: take another name for the connection"},
		{"conn again", head + "conn a\nconn a\n", "line 3, column 6: the connection a is already named"},
		{"conn peer", head + "conn a peer=b\n", "line 2, column 8: peer=b is not a connection that a line above has named"},
		{"conn verb", head + "conn a\na \"x\"\n", "line 3, column 3: a connection's line needs < or >, a system call, or an event like connect or close"},
		{"lost row", head + "lost ring 1\n", "line 2, column 6: lost stands before a line of a connection: lost c1 > \"bytes\""},
		{"step", head + "step 5\n", "line 2, column 6: step takes a duration like 10us"},
		{"continuation", head + "io 1 < \"a\"\n  # why\n\t\"b\" oops\n", `line 4, column 6: "oops" means nothing here; columns are dir call pid`},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := readAll(strings.NewReader(test.text))
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("error %v is no *SyntaxError", err)
			}
			if !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got  %s\nwant %s", err, test.want)
			}
		})
	}
}

// What stands before a fault is delivered, and an error of the file is no fault of the text.
func TestRowsBeforeAnErrorArrive(t *testing.T) {
	broken := errors.New("the disk broke")
	r := io.MultiReader(strings.NewReader("reel-text 1\nring 1\nring 2\n"), iotest.ErrReader(broken))
	_, rows, err := Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err = range rows {
		if err == nil {
			n++
		}
	}
	if n != 2 || !errors.Is(err, broken) {
		t.Errorf("%d rows, then %v; want 2 rows, then %v", n, err, broken)
	}
}

func TestTextsWithOddLineEndsParse(t *testing.T) {
	for _, text := range []string{"reel-text 1\r\nring 1 lost=1\r\n", "reel-text 1\nring 1 lost=1", "# c\n\n  \nreel-text 1 # c\n\n   # c\nring 1\n  lost=1\n\n"} {
		if got, want := canonical(t, text), "reel-text 1\nring 1.000000000 lost=1\n"; got != want {
			t.Errorf("%q gives %q", text, got)
		}
	}
}

// Whatever parses has a canonical form, which is a fixed point.
func FuzzParse(f *testing.F) {
	f.Add([]byte("reel-text 1\ninfo host=\"a\" ports=80,443 snaplen=full unclean\nproblem kind=\"x\"\nring 1 cpu=3\n"))
	f.Add([]byte("reel-text 1\nconn a\nconn b peer=a\na connect\na > \"x\"*3 hole=4\nb +1us < \"x\"\nlost b <\nstep 3us\nb close\n"))
	for i := range tables {
		line, err := AppendRow([]byte("reel-text 1\n"), tables[i].fresh())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
	}
	large := regexp.MustCompile(`\*[0-9]{4}`)
	f.Fuzz(func(t *testing.T, text []byte) {
		if large.Match(text) {
			t.Skip("repetitions cost time and find nothing: their bound has its own test")
		}
		var first bytes.Buffer
		m, rows, err := Parse(bytes.NewReader(text))
		if err == nil {
			err = Write(&first, m, rows)
		}
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("error %v is no *SyntaxError", err)
			}
			if syntax.Line < 1 || syntax.Col < 1 {
				t.Fatalf("error without place: %v", err)
			}
			return
		}
		checkCanonical(t, first.Bytes())
	})
}
