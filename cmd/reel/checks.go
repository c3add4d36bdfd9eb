package main

import (
	"fmt"
	"unicode/utf8"

	"github.com/ebpf-reel/reel/format"
)

// appendChecks writes a line for each check, and for what is missing two more.
func appendChecks(b []byte, checks []format.Check) []byte {
	width := 0
	for _, c := range checks {
		width = max(width, utf8.RuneCountInString(plain(c.Name)))
	}
	for _, c := range checks {
		b = fmt.Appendf(b, "%-8s  %-*s  %s\n", plain(string(c.State)), width, plain(c.Name), plain(c.Found))
		indent := fmt.Sprintf("%*s", len("blocked ")+2+width+2, "")
		if c.Lost != "" {
			b = fmt.Appendf(b, "%snot seen: %s\n", indent, plain(c.Lost))
		}
		if c.Remedy != "" {
			b = fmt.Appendf(b, "%sremedy:   %s\n", indent, plain(c.Remedy))
		}
	}
	return b
}
