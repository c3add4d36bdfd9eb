package conn

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/format"
)

// maxReasons bounds the reasons of drops that are told apart on one connection: a kernel has some 130, one connection meets a few.
const maxReasons = 64

// transport is what a connection remembers of TCP. Very many are kept: what only some have is apart.
type transport struct {
	rttSum   time.Duration
	rttMin   uint32 // microseconds; 0 unknown
	rttCount uint32
	more     *detail // nil: nothing
}

// detail is what is known of a connection whose beginning or end was seen, or that met trouble.
type detail struct {
	facts.Transport
	established format.KTime    // when the handshake ended; 0 not seen
	closedAt    [2]format.KTime // when the window of a direction was seen closed; 0: it is open
	before      uint32          // segments that had been sent again before the capture
}

func (x *transport) detail() *detail {
	if x.more == nil {
		x.more = &detail{Transport: unseen}
	}
	return x.more
}

// unseen are the facts of a connection of which nothing was seen.
var unseen = facts.Transport{AcceptWait: -1, Close: -1}

// tcp takes what TCP did on a socket.
func (t *Table) tcp(r *format.TCP) {
	c := t.live[r.Socket]
	if r.State == format.TCPListen || r.Op == format.TCPSynAck {
		t.listenerTCP(r)
		return
	}
	if c == nil || c.Inode != 0 && r.Inode != 0 && c.Inode != r.Inode {
		t.ledger.Add(ledger.TCPUnattributed, 1, ledger.Where{At: r.Time, Socket: r.Socket})
		return
	}
	c.Retrans = max(c.Retrans, r.Retrans)
	if r.SRTT > 0 {
		c.SRTT = r.SRTT
	}
	x := c.transport.detail()
	switch r.Op {
	case format.TCPRetransmit:
		if r.Value != 0 {
			x.ResendFailed++
			return
		}
		x.Resent[min(int(r.Cause), facts.ResentCauses-1)] += max(r.Segs, 1)
	case format.TCPDrop:
		x.drop(r)
	case format.TCPResetSent:
		if x.ResetsSent++; x.ResetReason == "" {
			x.ResetReason = reasonName(r)
		}
	case format.TCPResetReceived:
		x.ResetsReceived++
	case format.TCPWindowClosed:
		if d := windowOf(r); x.closedAt[d] == 0 {
			x.ZeroWindows[d]++
			x.closedAt[d] = r.Time
		}
	case format.TCPWindowOpened:
		x.opened(windowOf(r), r.Time)
	}
}

// listenerTCP takes what happened to a handshake, which belongs to no connection yet.
func (t *Table) listenerTCP(r *format.TCP) {
	where := ledger.Where{At: r.Time, Socket: r.Socket, Text: fmt.Sprintf("port %d, from %v", r.Local.Port, r.Remote.Addr)}
	switch {
	case r.Op == format.TCPSynAck:
		t.ledger.Add(ledger.SynAckResent, 1, where)
	case r.Op == format.TCPDrop && r.Reason == reasonListenOverflow:
		t.ledger.Add(ledger.ListenOverflow, 1, where)
	case r.Op == format.TCPDrop:
		where.Text += ", " + reasonName(r)
		t.ledger.Add(ledger.ListenDrop, 1, where)
	}
}

// reasonListenOverflow is SKB_DROP_REASON_TCP_LISTEN_OVERFLOW of include/net/dropreason-core.h.
const reasonListenOverflow = "TCP_LISTEN_OVERFLOW"

// windowOf returns whose window a row is about: In is this end's, which bounds what it receives.
func windowOf(r *format.TCP) Dir {
	if r.Dir == format.Write {
		return Out
	}
	return In
}

// reasonName names the reason of a drop or a reset.
func reasonName(r *format.TCP) string {
	if r.Reason == "" && r.Value != 0 {
		return fmt.Sprintf("reason %d", r.Value)
	}
	return r.Reason
}

func (x *detail) drop(r *format.TCP) {
	name := cmp.Or(reasonName(r), "unknown")
	i, known := slices.BinarySearchFunc(x.Drops, name, func(d facts.Drop, name string) int { return cmp.Compare(d.Reason, name) })
	if !known && len(x.Drops) >= maxReasons {
		i = len(x.Drops) - 1
	} else if !known {
		x.Drops = slices.Insert(x.Drops, i, facts.Drop{Reason: name})
	}
	x.Drops[i].Segs += max(r.Segs, 1)
}

// opened ends the time in which a window was closed.
func (x *detail) opened(d Dir, at format.KTime) {
	if x == nil || x.closedAt[d] == 0 {
		return
	}
	x.ZeroWindowTime[d] += max(at.Sub(x.closedAt[d]), 0)
	x.closedAt[d] = 0
}

// rtt takes the smoothed round trip time at a call.
func (x *transport) rtt(srtt time.Duration) {
	x.leastRTT(srtt)
	if x.rttCount < math.MaxUint32 {
		x.rttSum += srtt
		x.rttCount++
	}
}

func (x *transport) leastRTT(rtt time.Duration) {
	if us := uint32(min(rtt/time.Microsecond, math.MaxUint32)); us > 0 && (x.rttMin == 0 || us < x.rttMin) {
		x.rttMin = us
	}
}

// facts returns what a reader is told of a connection that ended, or was last seen, at a time.
func (x *transport) facts(end format.KTime) facts.Transport {
	f := unseen
	if m := x.more; m != nil {
		m.opened(In, end)
		m.opened(Out, end)
		f = m.Transport
	}
	f.RTTMin = time.Duration(x.rttMin) * time.Microsecond
	if x.rttCount > 0 {
		f.RTTMean = x.rttSum / time.Duration(x.rttCount)
	}
	return f
}

// counters takes the socket's own counters of a row.
func (c *Conn) counters(r *format.Socket) {
	x := &c.transport
	if !c.has(flagSocketRow) && (r.Op == format.SockSnapshot || r.Op == format.SockSeen) {
		if r.Retrans > 0 {
			x.detail().before = r.Retrans // it is older than the capture
		}
	}
	c.Retrans = max(c.Retrans, r.Retrans)
	if r.RTTMin > 0 {
		x.leastRTT(r.RTTMin)
	}
}

// closeTime notes how long the end of a connection took: from the first FIN of this end to the end of the socket.
func (c *Conn) closeTime(r *format.Socket) {
	switch r.OldState {
	case format.TCPFinWait1, format.TCPFinWait2, format.TCPLastAck, format.TCPClosing, format.TCPTimeWait:
		if c.fin.at == 0 {
			return
		}
		if x := c.transport.detail(); x.Close < 0 {
			x.Close = max(r.Time.Sub(c.fin.at), 0)
		}
	}
}

// dying reports whether c has sent its FIN and its socket still lives in the kernel.
func (c *Conn) dying() bool { return c.fin.at != 0 && !c.has(flagDead) }

// Failed reports whether c's handshake failed.
func (c *Conn) Failed() bool { return c.Errno != 0 && !c.has(flagConnected) }

// Transport returns what TCP did on c. It is final once c is gone.
func (c *Conn) Transport() facts.Transport { return c.transport.facts(c.End) }
