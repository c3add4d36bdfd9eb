// Package quantity turns numbers into short text with their unit, the same in every document: three significant digits,
// so that neighbouring rows compare at a glance.
package quantity

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Unknown is what stands for a number that nobody knows.
const Unknown = "?"

// Duration prints d with three significant digits: "412 ms", "1.85 ms", "12.4 s", "3 min 20 s". Negative is Unknown.
func Duration(d time.Duration) string {
	ns := float64(d)
	switch {
	case d < 0:
		return Unknown
	case d == 0:
		return "0 s"
	case d < time.Microsecond:
		return strconv.FormatInt(int64(d), 10) + " ns"
	case ns < 999.5e3:
		return digits3(ns/1e3) + " µs"
	case ns < 999.5e6:
		return digits3(ns/1e6) + " ms"
	case ns < 119.5e9:
		return digits3(ns/1e9) + " s"
	}
	s := int64(math.Round(d.Seconds()))
	if s < 2*3600 {
		return strconv.FormatInt(s/60, 10) + " min " + strconv.FormatInt(s%60, 10) + " s"
	}
	return strconv.FormatInt(s/3600, 10) + " h " + strconv.FormatInt(s%3600/60, 10) + " min"
}

// Bytes prints n in binary units: "832 B", "4.00 KiB", "1.21 MiB".
func Bytes(n uint64) string {
	if n < 1024 {
		return strconv.FormatUint(n, 10) + " B"
	}
	v := float64(n)
	units := [...]string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	u := -1
	for v >= 1023.5 && u < len(units)-1 {
		v /= 1024
		u++
	}
	if u < 0 {
		return strconv.FormatUint(n, 10) + " B"
	}
	return digits3(v) + " " + units[u]
}

// Count prints n with a comma at each thousand.
func Count(n uint64) string {
	s := strconv.FormatUint(n, 10)
	if len(s) <= 3 {
		return s
	}
	var b strings.Builder
	lead := len(s) % 3
	b.WriteString(s[:lead])
	for i := lead; i < len(s); i += 3 {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(s[i : i+3])
	}
	return b.String()
}

// Of prints a count with its noun: "1 exchange", "20,000 exchanges".
func Of(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "s") {
		noun += "e"
	}
	return Count(n) + " " + noun + "s"
}

// Share prints part of whole in percent. What is not all never rounds up to 100 %, what is not nothing never down to 0 %.
func Share(part, whole uint64) string {
	switch {
	case whole == 0:
		return Unknown
	case part == 0:
		return "0 %"
	case part >= whole:
		return "100 %"
	}
	p := float64(part) / float64(whole) * 100
	switch {
	case p < 0.01:
		return "< 0.01 %"
	case p > 99.99:
		return "> 99.99 %"
	case p < 10 || p > 99:
		return strconv.FormatFloat(p, 'f', 2, 64) + " %"
	}
	return strconv.FormatFloat(p, 'f', 1, 64) + " %"
}

// Rate prints n events over d per second. Without a duration it is Unknown.
func Rate(n uint64, d time.Duration) string {
	if d <= 0 {
		return Unknown
	}
	r := float64(n) / d.Seconds()
	if r >= 999.5 {
		return Count(uint64(math.Round(r))) + "/s"
	}
	return digits3(r) + "/s"
}

func digits3(v float64) string {
	prec := 2
	switch {
	case v >= 99.95:
		prec = 0
	case v >= 9.995:
		prec = 1
	}
	return strconv.FormatFloat(v, 'f', prec, 64)
}
