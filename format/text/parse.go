package text

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"

	"github.com/ebpf-reel/reel/format"
)

// Parse reads the text form. It reads the header at once and the rows as they are asked for: a row is valid until the
// next one. The first fault of the text ends it with a *SyntaxError, after all rows before it; errors of r come as they are.
// The manifest has no segments.
func Parse(r io.Reader) (*format.Manifest, iter.Seq2[format.Row, error], error) {
	p := newParser(r)
	h, err := p.header()
	if err != nil {
		return nil, nil, err
	}
	return &h.manifest, p.rows, nil
}

// The clock of a text without times: the first row is a step after one second, and every other one a step after the row
// before it.
const (
	firstTime   = format.KTime(time.Second)
	defaultStep = time.Millisecond
)

type parser struct {
	lines *lineReader
	lexer lexer
	ahead *line // the line after the header, read with it

	now   format.KTime // time of the last row
	step  time.Duration
	conns map[string]*conn

	keep   bool                  // rows stay valid
	reuse  map[*table]format.Row // else they are valid until the next step
	fields fields
}

func newParser(r io.Reader) *parser {
	return &parser{lines: newLineReader(r), now: firstTime, step: defaultStep, conns: map[string]*conn{},
		reuse: map[*table]format.Row{}}
}

// header is what stands before the rows.
type header struct {
	manifest format.Manifest
	problems []format.Problem
}

// header reads up to the first line that is not of the header, which stays in p.ahead.
func (p *parser) header() (*header, error) {
	l, err := p.lines.read()
	if errors.Is(err, io.EOF) {
		return nil, &SyntaxError{Line: 1, Col: 1, Msg: "the text is empty: its first line must be " + magic + " " + strconv.Itoa(Version)}
	}
	if err != nil {
		return nil, err
	}
	if err := p.checkMagic(l); err != nil {
		return nil, err
	}
	h := &header{manifest: format.Manifest{Format: "reel", SchemaVersion: format.SchemaVersion}}
	var info, problem fields
	info.reset(infoColumns)
	for {
		if l, err = p.lines.read(); errors.Is(err, io.EOF) {
			return h, info.fill(&h.manifest)
		}
		if err != nil {
			return nil, err
		}
		p.lexer.reset(l)
		keyword, err := p.lexer.next()
		if err != nil {
			return nil, err
		}
		switch string(keyword.text) {
		case "info":
			err = info.read(&p.lexer, &h.manifest)
		case "problem":
			h.problems = append(h.problems, format.Problem{})
			problem.reset(problemColumns)
			last := &h.problems[len(h.problems)-1]
			if err = problem.read(&p.lexer, last); err == nil {
				err = problem.fill(last)
			}
		default:
			p.ahead = l
			return h, info.fill(&h.manifest)
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *parser) checkMagic(l *line) error {
	p.lexer.reset(l)
	name, err := p.lexer.next()
	if err != nil || name.kind != tokenBare || string(name.text) != magic {
		return l.errorAt(name.offset, "not the text form of a reel: its first line must be "+magic+" "+strconv.Itoa(Version))
	}
	number, err := p.lexer.next()
	if err != nil {
		return err
	}
	n, err := parseUnsigned[uint32](number.text)
	switch {
	case err != nil || n == 0:
		return l.errorAt(number.offset, "the version of the text form is a number")
	case n > Version:
		return l.errorAt(number.offset, fmt.Sprintf("the text form has version %d, this reel reads up to %d: use a newer reel", n, Version))
	}
	return p.end()
}

// end checks that the line holds nothing more.
func (p *parser) end() error {
	t, err := p.lexer.next()
	if err == nil && t.kind != tokenEnd {
		err = p.lexer.line.errorAt(t.offset, "the line should end here")
	}
	return err
}

func (p *parser) rows(yield func(format.Row, error) bool) {
	for {
		l, err := p.ahead, error(nil)
		if p.ahead = nil; l == nil {
			if l, err = p.lines.read(); errors.Is(err, io.EOF) {
				return
			}
		}
		var row format.Row
		if err == nil {
			row, err = p.statement(l)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		if row != nil && !yield(row, nil) {
			return
		}
	}
}

// statement reads one line; a line that makes no row gives nil.
func (p *parser) statement(l *line) (format.Row, error) {
	p.lexer.reset(l)
	keyword, err := p.lexer.next()
	if err != nil {
		return nil, err
	}
	if keyword.kind != tokenBare || keyword.key != "" {
		return nil, l.errorAt(keyword.offset, "a line starts with the name of a table or of a connection")
	}
	name := string(keyword.text)
	if t := tableByName(name); t != nil {
		return p.row(t)
	}
	switch name {
	case "info", "problem":
		return nil, l.errorAt(keyword.offset, name+" lines stand before the first row")
	case "step":
		return nil, p.setStep()
	case "conn":
		return nil, p.declare()
	case "lost":
		return nil, p.lost()
	}
	if c := p.conns[name]; c != nil {
		return p.shorthand(c)
	}
	return nil, l.errorAt(keyword.offset, fmt.Sprintf("%.40q is neither a table nor a connection that a conn line has named", name))
}

func (p *parser) setStep() error {
	t, err := p.lexer.next()
	if err != nil {
		return err
	}
	d, err := parseDuration(t.text)
	if err != nil || t.kind != tokenBare || t.key != "" || d < 0 {
		return p.lexer.line.errorAt(t.offset, "step takes a duration like 10us")
	}
	p.step = d
	return p.end()
}

// row reads a line of the canonical form after its table.
func (p *parser) row(t *table) (format.Row, error) {
	row := p.fresh(t)
	p.fields.reset(t.columns)
	if err := p.time(t.time(row)); err != nil {
		return nil, err
	}
	if err := p.fields.read(&p.lexer, row); err != nil {
		return nil, err
	}
	return row, p.fields.finish(t, row)
}

// fresh returns a zero row. Unless rows are kept, the one of the same table before it ceases to be valid.
func (p *parser) fresh(t *table) format.Row {
	if row := p.reuse[t]; row != nil {
		return t.clear(row)
	}
	row := t.fresh()
	if !p.keep {
		p.reuse[t] = row
	}
	return row
}

// time reads the time of a row: seconds, +duration after the row before, or nothing for a step after it.
func (p *parser) time(at *format.KTime) error {
	before := p.lexer.pos
	t, err := p.lexer.next()
	if err != nil {
		return err
	}
	isTime := t.kind == tokenBare && t.key == "" && (t.text[0] == '+' || t.text[0] == '-' || '0' <= t.text[0] && t.text[0] <= '9')
	switch {
	case !isTime:
		p.lexer.pos = before
		p.now = p.now.Add(p.step)
	case t.text[0] == '+':
		d, err := parseDuration(t.text[1:])
		if err != nil || d < 0 {
			return p.lexer.line.errorAt(t.offset, "a time that starts with + is a duration after the row before, like +5ms")
		}
		p.now = p.now.Add(d)
	default:
		ns, err := parseSignedSeconds(t.text)
		if err != nil {
			return p.lexer.line.errorAt(t.offset, err.Error())
		}
		p.now = format.KTime(ns)
	}
	*at = p.now
	return nil
}
