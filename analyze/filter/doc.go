package filter

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Examples are expressions that the documentation shows, with what they are for. The tests compile each.
var Examples = []struct{ Text, For string }{
	{`status >= 500 && duration > 200ms && path matches "^/api"`, "slow failures of one API"},
	{`role == "client" && host == "payments:8080" && not complete`, "calls to one service that lack something"},
	{`status in 400..499 && not (status in [401, 404])`, "client errors that are worth a look"},
	{`first_byte > 1s and download < 10ms`, "the server thought for long, the network did not"},
	{`response_bytes > 1MiB || request_bytes > 1MiB`, "large messages"},
	{`blocked_calls > 0 && call_time > duration / 2`, "more than half of the time went by in system calls"},
	{`trace_id == "463ac35c9f6413ad48485a3953bb6124"`, "one trace"},
	{`request_header("user-agent") contains "kube-probe"`, "health checks"},
	{`"http1_length_with_chunked" in anomalies`, "what may be request smuggling"},
	{`any(missing, # endsWith "_gap")`, "exchanges that bytes are lost of"},
}

// Describe writes docs/filter.md.
func Describe(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# The filter language\n\n" +
		"`reel analyze --where EXPR`, and `where:` in [sampling rules](sampling.md), take an expression that is true or false for an exchange:\n\n" +
		"    reel analyze checkout.reel --where '" + Examples[0].Text + "'\n\n" +
		"- Compare with `==`, `!=`, `<`, `<=`, `>`, `>=`; join with `&&`, `||`, `!` (or `and`, `or`, `not`); group with `( )`; calculate with `+ - * / %`.\n" +
		"- Strings are in single or double quotes; between backquotes a backslash is a backslash. `contains`, `startsWith`, `endsWith`, and `matches`\n" +
		"  with a regular expression ([RE2](https://github.com/google/re2/wiki/Syntax): it never takes more than linear time).\n" +
		"- `in` looks into a list (`status in [502, 503]`), a range (`status in 400..499`), or a field that is a list.\n" +
		"- A number may carry a unit: `ns`, `us`, `ms`, `s`, `m`, `h` for times, `B`, `kB`, `MB`, `GB`, `KiB`, `MiB`, `GiB` for sizes. Without one, a time is nanoseconds and a size bytes.\n" +
		"- A time that is not known compares with nothing: `duration < 1s` and `duration > 1s` are both false. `duration != duration` finds them.\n" +
		"- `// …` to the end of the line and `/* … */` are comments. The language is that of [expr](https://expr-lang.org/docs/language-definition), with\n" +
		"  the fields and functions below and no others.\n\n" +
		"An error points at its column:\n\n    " + strings.ReplaceAll(exampleError(), "\n", "\n    ") + "\n\n" +
		"This page is made from the code: `go test ./analyze/filter -update`.\n\n## Examples\n\n| expression | what it finds |\n|---|---|\n")
	for _, e := range Examples {
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.ReplaceAll(e.Text, "|", `\|`), e.For)
	}
	b.WriteString("\n## Fields\n\n| field | type | meaning |\n|---|---|---|\n")
	for _, f := range Fields() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, f.Type, f.Doc)
	}
	b.WriteString("\n## Functions\n\n| function | gives |\n|---|---|\n" +
		"| `request_header(NAME)` | value of a request field, several joined by commas, credentials masked; empty: none |\n" +
		"| `response_header(NAME)` | the same of the response |\n")
	for _, f := range builtins {
		name := f.name + "(…)"
		if slices.Contains([]string{"any", "all", "none"}, f.name) {
			name = f.name + "(LIST, CONDITION)"
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, f.doc)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// exampleError is what the command line prints for an expression that is wrong.
func exampleError() string {
	_, err := Compile(`duration > 200ms && stauts >= 500`)
	var e *Error
	if !errors.As(err, &e) {
		return "it is none"
	}
	return e.Error() + "\n" + e.Pointer()
}
