package report

import (
	"strings"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/report/quantity"
	"github.com/ebpf-reel/reel/report/visible"
)

// causes are the words for why segments were sent again, by format.TCPCause.
var causes = [facts.ResentCauses]string{
	format.CauseUnknown:      "for an unknown cause",
	format.CauseFast:         "fast",
	format.CauseTimeout:      "by timeout",
	format.CauseProbe:        "as tail probes",
	format.CauseAfterTimeout: "after a timeout",
	format.CauseHandshake:    "SYN",
	facts.ResentCauses - 1:   "for a cause that this version does not know",
}

// Resent puts into words why segments were sent again: "2 fast, 1 by timeout"; "" when none was, or no hook saw it.
func Resent(t *facts.Transport) string {
	var parts []string
	for cause, n := range t.Resent {
		if n > 0 {
			parts = append(parts, quantity.Count(uint64(n))+" "+causes[cause])
		}
	}
	if t.ResendFailed > 0 {
		parts = append(parts, quantity.Of(uint64(t.ResendFailed), "attempt")+" failed on this machine")
	}
	return strings.Join(parts, ", ")
}

// Drops puts into words what the kernel threw away: "NETFILTER_DROP 3, TCP_OLD_DATA 1"; "" nothing.
func Drops(t *facts.Transport) string {
	var parts []string
	for _, d := range t.Drops {
		parts = append(parts, visible.Text(d.String()))
	}
	return strings.Join(parts, ", ")
}

// Resets puts resets into words: "1 sent (TCP_STATE), 1 received"; "" none.
func Resets(t *facts.Transport) string {
	var parts []string
	if t.ResetsSent > 0 {
		sent := quantity.Count(uint64(t.ResetsSent)) + " sent"
		if t.ResetReason != "" {
			sent += " (" + visible.Text(t.ResetReason) + ")"
		}
		parts = append(parts, sent)
	}
	if t.ResetsReceived > 0 {
		parts = append(parts, quantity.Count(uint64(t.ResetsReceived))+" received")
	}
	return strings.Join(parts, ", ")
}

// ZeroWindows puts into words how often and for how long an end could not send since the other did not read; "" never.
func ZeroWindows(t *facts.Transport) string {
	var parts []string
	for d, who := range [...]string{"this end's, which did not read", "the peer's, which did not read"} {
		if n := t.ZeroWindows[d]; n > 0 {
			parts = append(parts, quantity.Of(uint64(n), "time")+" "+who+", for "+quantity.Duration(t.ZeroWindowTime[d]))
		}
	}
	return strings.Join(parts, "; ")
}

// Troubled reports whether TCP met trouble on a side of an edge.
func Troubled(s *facts.Side) bool {
	return s.Retrans+s.Dropped+s.Resets+s.Failed+s.ZeroWindows > 0
}
