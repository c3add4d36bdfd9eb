// Package filter turns an expression over the fields of an exchange, such as `status >= 500 && duration > 200ms`, into a test of
// exchanges. docs/filter.md has the language and every field.
package filter

import (
	"errors"
	"fmt"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/ebpf-reel/reel/analyze/facts"
)

// maxLength bounds an expression, in bytes.
const maxLength = 64 << 10

// Filter is a compiled expression. It is not safe for concurrent use.
type Filter struct {
	text    string
	units   units
	program *vm.Program
	machine vm.VM
	fields  fields
	headers bool
}

// Error says where an expression is not one, or what it could not be evaluated for. Line and Col count from 1; Col counts characters.
type Error struct {
	Text      string // the expression
	Line, Col int    // 0, 0: not known
	Msg       string // a sentence without its full stop
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Msg
	}
	return fmt.Sprintf("%s (line %d, column %d)", e.Msg, e.Line, e.Col)
}

// Pointer returns the line of the expression and, below it, a mark at the column; "" when the place is not known.
func (e *Error) Pointer() string {
	if e.Line == 0 {
		return ""
	}
	lines := strings.Split(e.Text, "\n")
	line := strings.ReplaceAll(lines[min(e.Line, len(lines))-1], "\t", " ")
	return line + "\n" + strings.Repeat(" ", e.Col-1) + "^"
}

// Compile reads an expression. The error is an *Error.
func Compile(text string) (*Filter, error) {
	if len(text) > maxLength {
		return nil, &Error{Text: text, Msg: fmt.Sprintf("the expression has %d bytes: at most %d are taken", len(text), maxLength)}
	}
	if strings.TrimSpace(text) == "" {
		return nil, &Error{Text: text, Msg: "the expression is empty"}
	}
	f := &Filter{text: text}
	plain, units, err := withoutUnits(text)
	if err != nil {
		return nil, err
	}
	f.units = units
	options := []expr.Option{expr.Env(&f.fields), expr.AsBool(), expr.DisableAllBuiltins()}
	for _, name := range builtins {
		options = append(options, expr.EnableBuiltin(name.name))
	}
	for _, h := range [...]struct {
		name string
		of   func(*facts.Exchange) *facts.Message
	}{
		{"request_header", func(x *facts.Exchange) *facts.Message { return &x.Request }},
		{"response_header", func(x *facts.Exchange) *facts.Message { return &x.Response }},
	} {
		options = append(options, expr.Function(h.name, func(args ...any) (any, error) {
			return header(h.of(f.fields.exchange), args[0].(string)), nil
		}, new(func(string) string)))
	}
	program, err := expr.Compile(plain, options...)
	if err != nil {
		return nil, f.wrong(err)
	}
	f.program = program
	node := program.Node()
	ast.Walk(&node, visitor{f})
	return f, nil
}

// visitor finds out what a filter needs.
type visitor struct{ f *Filter }

func (v visitor) Visit(node *ast.Node) {
	if c, ok := (*node).(*ast.CallNode); ok {
		if id, ok := c.Callee.(*ast.IdentifierNode); ok && strings.HasSuffix(id.Value, "_header") {
			v.f.headers = true
		}
	}
}

// NeedsHeaders reports whether exchanges must come with their headers.
func (f *Filter) NeedsHeaders() bool { return f != nil && f.headers }

// String returns the expression as it was given.
func (f *Filter) String() string { return f.text }

// Match evaluates the expression for x. What it can fail with is in the expression: a regular expression that was put together and
// is none, an index outside of a list. A nil Filter matches everything.
func (f *Filter) Match(x *facts.Exchange) (bool, error) {
	if f == nil {
		return true, nil
	}
	f.fields.set(x)
	out, err := f.machine.Run(f.program, &f.fields)
	if err != nil {
		e := f.wrong(err)
		e.Msg = fmt.Sprintf("exchange %d: %s", x.ID, e.Msg)
		return false, e
	}
	return out.(bool), nil
}

// wrong words an error of the library, in the places of the expression as it was given.
func (f *Filter) wrong(err error) *Error {
	var at *file.Error
	if !errors.As(err, &at) {
		return &Error{Text: f.text, Msg: err.Error()}
	}
	msg := strings.TrimSpace(at.Message)
	if at.Snippet == "" && at.Line == 0 {
		return &Error{Text: f.text, Msg: msg}
	}
	if name, ok := strings.CutPrefix(msg, "unknown name "); ok {
		msg = "there is no field " + name + near(name)
	}
	return &Error{Text: f.text, Line: max(at.Line, 1), Col: f.units.original(max(at.Line, 1), at.Column) + 1, Msg: msg}
}

// near suggests the field that a name was meant to be; "" none comes close.
func near(name string) string {
	best, least := "", 3
	for _, f := range Fields() {
		if d := distance(name, f.Name); d < least {
			best, least = f.Name, d
		}
	}
	if best == "" {
		return ": docs/filter.md has them all"
	}
	return ": did you mean " + best + "?"
}

// distance is the number of letters to insert, remove or replace (Levenshtein); both names are short.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return len(a) + len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// header returns the values of a field, joined as RFC 9110 §5.3 says; "" there is none.
func header(m *facts.Message, name string) string {
	value, n := "", 0
	for _, h := range m.Headers {
		if strings.EqualFold(h.Name, name) {
			if n++; n > 1 {
				value += ", "
			}
			value += h.Value
		}
	}
	return value
}
