package conn

import (
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/format"
)

// plaintext takes what a TLS library's call moved. The row names its socket, by itself or because the analysis has tied it.
func (t *Table) plaintext(r *format.TLS) {
	if t.plain == nil || r.Ret <= 0 || r.Dir != format.Read && r.Dir != format.Write {
		return
	}
	c := t.live[r.Socket]
	if r.Socket == 0 || c == nil || c.Inode != r.Inode || c.has(flagFinished) {
		t.ledger.AddBytes(ledger.TLSUntied, 1, uint64(r.Ret), ledger.Where{At: r.Time, Socket: r.Socket, PID: r.PID})
		return
	}
	t.owner(c, r.PID, r.Time)
	if r.Flags&format.TLSMasked != 0 {
		t.ledger.Add(ledger.Masked, 1, c.where(r.Time))
	}
	have := min(int64(len(r.Payload)), r.Ret)
	start := r.Time
	if r.Duration > 0 && r.Time >= format.KTime(r.Duration) {
		start -= format.KTime(r.Duration)
	}
	t.chunk = Chunk{Start: start, End: r.Time, PID: r.PID, TID: r.TID, Call: c.nextCall(), Bytes: r.Payload[:have], Cut: uint64(r.Ret - have)}
	t.plain.Plaintext(c, Dir(r.Dir-format.Read), r.Session, r.Offset, &t.chunk)
}
