package text

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/ebpf-reel/reel/format"
)

// appendSeconds writes nanoseconds as seconds with nine decimals: 12.000345678.
func appendSeconds(dst []byte, negative bool, ns uint64) []byte {
	if negative {
		dst = append(dst, '-')
	}
	dst = strconv.AppendUint(dst, ns/1e9, 10)
	dst = append(dst, '.')
	var digits [9]byte
	for i, frac := 8, ns%1e9; i >= 0; i, frac = i-1, frac/10 {
		digits[i] = byte('0' + frac%10)
	}
	return append(dst, digits[:]...)
}

func appendSignedSeconds(dst []byte, ns int64) []byte {
	if ns < 0 {
		return appendSeconds(dst, true, -uint64(ns))
	}
	return appendSeconds(dst, false, uint64(ns))
}

var errSeconds = errors.New("a time is seconds with at most nine decimals, like 12.000345678")

func parseSeconds(s []byte) (negative bool, ns uint64, err error) {
	text := string(s)
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		negative, text = true, rest
	}
	whole, frac, _ := strings.Cut(text, ".")
	sec, err := strconv.ParseUint(whole, 10, 64)
	if err != nil || len(frac) > 9 || sec > math.MaxUint64/1_000_000_000 {
		return false, 0, errSeconds
	}
	var nanos uint64
	if frac != "" {
		if nanos, err = strconv.ParseUint(frac+"000000000"[len(frac):], 10, 64); err != nil {
			return false, 0, errSeconds
		}
	}
	if ns = sec*1e9 + nanos; ns < nanos {
		return false, 0, errSeconds
	}
	return negative, ns, nil
}

func parseSignedSeconds(s []byte) (int64, error) {
	negative, ns, err := parseSeconds(s)
	switch {
	case err != nil:
		return 0, err
	case negative && ns <= 1<<63:
		return int64(-ns), nil
	case !negative && ns < 1<<63:
		return int64(ns), nil
	}
	return 0, errors.New("the time does not fit into 64 bits of nanoseconds")
}

// appendDuration writes a duration in the manner of Go, in ASCII ("12.5us"); unknown (-1) is "?".
func appendDuration(dst []byte, d time.Duration) []byte {
	if d == -1 {
		return append(dst, '?')
	}
	return append(dst, strings.Replace(d.String(), "µ", "u", 1)...)
}

func parseDuration(s []byte) (time.Duration, error) {
	if string(s) == "?" {
		return -1, nil
	}
	d, err := time.ParseDuration(string(s))
	if err != nil {
		return 0, fmt.Errorf("%.40q is not a duration: write it with its unit, like 12.5us or 1m2s, or ? for unknown", s)
	}
	return d, nil
}

func appendWall(dst []byte, w format.WallTime) []byte {
	return w.Time().AppendFormat(dst, time.RFC3339Nano)
}

func parseWall(s []byte) (format.WallTime, error) {
	t, err := time.Parse(time.RFC3339Nano, string(s))
	if err != nil {
		return 0, fmt.Errorf("%.40q is not a wall time like 2026-01-02T03:04:05.000000006Z", s)
	}
	w := format.WallTime(t.UnixNano())
	if !w.Time().Equal(t) {
		return 0, fmt.Errorf("%.40q does not fit into 64 bits of nanoseconds: it must lie between 1677 and 2262", s)
	}
	return w, nil
}

// appendEndpoint writes 10.0.0.1:80, [::1]:80, or ?:80 when only the port is known.
func appendEndpoint(dst []byte, e format.Endpoint) []byte {
	if !e.Addr.IsValid() {
		dst = append(dst, "?:"...)
		return strconv.AppendUint(dst, uint64(e.Port), 10)
	}
	return netip.AddrPortFrom(e.Addr, e.Port).AppendTo(dst)
}

func parseEndpoint(s []byte) (format.Endpoint, error) {
	if rest, ok := strings.CutPrefix(string(s), "?:"); ok {
		port, err := strconv.ParseUint(rest, 10, 16)
		if err == nil {
			return format.Endpoint{Port: uint16(port)}, nil
		}
	}
	ap, err := netip.ParseAddrPort(string(s))
	if err != nil {
		return format.Endpoint{}, fmt.Errorf("%.60q is not an address with port: write 10.0.0.1:80, [::1]:80 or ?:80", s)
	}
	return format.Endpoint{Addr: ap.Addr(), Port: ap.Port()}, nil
}

// readable reports whether most of b is text, so that a quoted string says more than hexadecimal digits.
func readable(b []byte) bool {
	odd := 0
	for _, r := range string(b) {
		if r < ' ' && r != '\t' && r != '\r' && r != '\n' || r == 0x7f || r == 0xfffd {
			odd++
		}
	}
	return odd*4 <= len(b)
}

func appendPayload(dst, b []byte) []byte {
	if readable(b) {
		return strconv.AppendQuote(dst, string(b))
	}
	const digits = "0123456789abcdef"
	dst = append(dst, "hex:"...)
	for _, c := range b {
		dst = append(dst, digits[c>>4], digits[c&15])
	}
	return dst
}
