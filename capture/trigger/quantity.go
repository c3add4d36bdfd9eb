package trigger

import (
	"strconv"
	"strings"
	"time"
)

// limit reads a number with one of the units that the metric has.
func (p *parser) limit(c *Condition) {
	t, m := p.tok, &metrics[c.Metric]
	if t.kind == tokenAmount {
		for _, unit := range m.units {
			if v, ok := amount(t.text, unit); ok && (v > 0 || c.Metric != Transfer) {
				c.Limit, c.Unit = v, unit
				p.advance()
				return
			}
		}
	}
	p.fail(t, "is no limit of "+m.name, "one as "+m.example)
}

// amount reads a number of a unit, in thousandths.
func amount(text string, unit Unit) (int64, bool) {
	switch unit {
	case Milliseconds:
		d, err := time.ParseDuration(text)
		v := int64(d / time.Microsecond)
		return v, err == nil && d%time.Microsecond == 0 && v <= maxLimit
	case Bytes:
		n, ok := size(text)
		return n * 1000, ok
	case Percent, PerSecond:
		number, ok := strings.CutSuffix(text, unit.String())
		if !ok {
			return 0, false
		}
		return thousandths(number)
	}
	return thousandths(text)
}

// thousandths reads a decimal number of at most three digits after the point, exactly.
func thousandths(text string) (int64, bool) {
	whole, part, point := strings.Cut(text, ".")
	if point && (part == "" || len(part) > 3) {
		return 0, false
	}
	n, err := strconv.ParseUint(whole+(part + "000")[:3], 10, 63)
	return int64(n), err == nil && whole != "" && int64(n) <= maxLimit
}

var sizes = []struct {
	suffix string
	bytes  int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1}}

// size reads a number of bytes up to maxSize: 65536, 64KiB.
func size(text string) (int64, bool) {
	for _, s := range sizes {
		number, ok := strings.CutSuffix(text, s.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 63)
		return int64(n) * s.bytes, err == nil && int64(n) <= maxSize/s.bytes
	}
	return 0, false
}

// Value prints a number of thousandths of a unit as rules write it.
func Value(v int64, unit Unit) string {
	switch unit {
	case Milliseconds:
		return duration(time.Duration(v) * time.Microsecond)
	case Bytes:
		return bytesText(v / 1000)
	}
	sign := ""
	if v < 0 {
		sign, v = "-", -v
	}
	s := strconv.FormatInt(v/1000, 10)
	if part := v % 1000; part != 0 {
		s += strings.TrimRight("."+strconv.FormatInt(1000+part, 10)[1:], "0")
	}
	return sign + s + unit.String()
}

func bytesText(n int64) string {
	for _, s := range sizes {
		if s.bytes == 1 || n >= s.bytes && n%s.bytes == 0 {
			return strconv.FormatInt(n/s.bytes, 10) + s.suffix
		}
	}
	return ""
}

// duration prints without the zeros of time.Duration.String: 1m, not 1m0s.
func duration(d time.Duration) string {
	s := strings.Replace(d.String(), "µs", "us", 1)
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
