package report

import (
	"fmt"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
	"github.com/ebpf-reel/reel/report/quantity"
)

// Cause says where the time of an exchange went, as far as other exchanges tell: into calls of its process, for a server; to the
// server, for a client. "" when they do not.
func Cause(x *facts.Exchange) string {
	switch {
	case x.Duration <= 0:
		return ""
	case x.Calls > 0 && x.CriticalTime > 0:
		s := fmt.Sprintf("%s in %s", quantity.Share(uint64(x.CriticalTime), uint64(x.Duration)), quantity.Of(uint64(x.Calls), "call"))
		if x.Calls > 1 {
			s += fmt.Sprintf(", #%d alone %s", x.SlowestCall, quantity.Duration(x.SlowestCallTime))
		}
		if x.SameCalls > 2 {
			s += fmt.Sprintf(", %d alike", x.SameCalls)
		}
		return s
	case x.Role == format.RoleClient && x.PeerDuration > 0:
		return quantity.Share(uint64(min(x.PeerDuration, x.Duration)), uint64(x.Duration)) + " in the server"
	}
	return ""
}
