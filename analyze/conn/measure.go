package conn

import (
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/format"
)

// maxMeasured bounds the connections whose calls are measured at a time; calls of the others are counted only.
const maxMeasured = 64 << 10

// bins bounds the histograms of one connection: the more there are, the coarser they may become. An honest connection has a
// few calls, or calls that resemble each other.
func (t *Table) bins() int {
	switch {
	case t.measured <= 4<<10:
		return 256
	case t.measured <= 16<<10:
		return 64
	}
	return 16
}

// measure adds a call that moved bytes to the connection's metrics. Of a call that moved several messages, each has a row: its
// bytes count, its time once.
func (t *Table) measure(c *Conn, d Dir, r *format.IO) {
	if r.Ret <= 0 {
		return
	}
	if c.Metrics == nil {
		if t.measured >= maxMeasured {
			t.ledger.Add(ledger.CallsUnmeasured, 1, c.where(r.Time))
			return
		}
		t.measured++
		c.Metrics = new(facts.Calls)
	}
	m := &c.Metrics.Read
	if d == Out {
		m = &c.Metrics.Write
	}
	m.Bytes += uint64(r.Ret)
	if r.Flags&format.IOSameCall != 0 {
		return
	}
	most := t.bins()
	if r.Duration >= 0 {
		m.Times.Add(uint64(r.Duration), most)
	}
	if d == Out && r.SRTT > 0 {
		c.Metrics.WriteRTT.Bytes += uint64(r.Ret)
		c.Metrics.WriteRTT.Times.Add(uint64(r.SRTT), most)
	}
}
