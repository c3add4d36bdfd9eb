package mask

import (
	"fmt"

	"github.com/ebpf-reel/reel/format"
)

// Policy is which payload bytes a sealed reel keeps (--payload).
type Policy uint8

// The policies.
const (
	None  Policy = 1 // no byte
	Heads Policy = 2 // HTTP/1 heads, and the chunk-size lines between them; of other protocols nothing
	Snap  Policy = 3 // what the kernel captured (--snaplen)
	Full  Policy = 4 // the same: the kernel was asked for everything
)

var policyNames = [...]string{"", "none", "heads", "snap", "full"}

func (p Policy) String() string { return policyNames[min(int(p), len(policyNames)-1)] }

// ParsePolicy reads a --payload value.
func ParsePolicy(s string) (Policy, error) {
	for p := None; p <= Full; p++ {
		if s == p.String() {
			return p, nil
		}
	}
	return 0, fmt.Errorf("payload policy %q is unknown: use none, heads, snap or full", s)
}

// Options say what a Filter leaves in a reel. The zero value masks, and keeps what was captured.
type Options struct {
	KeepSecrets bool
	Payload     Policy // 0: Snap
}

// version of the masking rules: it goes up with each change of what is masked.
const version = 3

// maxConnections bounds the connections whose state is kept. Of one beyond, the oldest is forgotten, and treated as one of which
// bytes are missing when it comes back.
const maxConnections = 1 << 15

// New returns a filter for one reel. It is not safe for concurrent use.
func New(opts Options) format.Filter {
	if opts.Payload == 0 {
		opts.Payload = Snap
	}
	return &filter{opts: opts, conns: newTable(maxConnections)}
}

type filter struct {
	opts   Options
	conns  *table
	peeked stream // for the length of a call
	spare  place
}

// Version implements format.Filter.
func (f *filter) Version() string {
	if f.opts.KeepSecrets {
		return "keep-secrets " + f.opts.Payload.String()
	}
	return fmt.Sprintf("mask/%d %s", version, f.opts.Payload)
}

// Fresh implements format.Filter.
func (f *filter) Fresh() format.Filter { return New(f.opts) }

// Apply implements format.Filter.
func (f *filter) Apply(row format.Row) {
	switch r := row.(type) {
	case *format.IO:
		f.io(r)
	case *format.TLS:
		f.tls(r)
	case *format.Socket:
		f.socket(r)
	case *format.Process:
		if !f.opts.KeepSecrets {
			r.Args = Args(r.Args)
		}
	}
}

// socket notes where streams begin and end.
func (f *filter) socket(r *format.Socket) {
	k := key{r.Socket, r.Inode}
	switch {
	case r.Inode == 0:
	case r.Op == format.SockConnect, r.Op == format.SockAccept:
		if f.conns.find(k) != nil {
			return // its first io came before, from another CPU
		}
		c := f.conns.add(k)
		c.fresh()
		c[format.Write-1] = stream{next: r.SndSeq, known: true}
		if r.Op == format.SockAccept || r.Ret == 0 {
			c[format.Read-1] = stream{next: r.RcvSeq, known: true}
		}
	case r.Op == format.SockState && r.NewState == format.TCPEstablished:
		// What a connect that did not wait could not know.
		if c := f.conns.find(k); c != nil && !c[format.Read-1].known {
			c[format.Read-1] = stream{next: r.RcvSeq, known: true}
		}
	case r.Op == format.SockState && r.NewState == format.TCPClose:
		f.conns.remove(k)
	}
}

// io masks and cuts the payload of one call.
func (f *filter) io(r *format.IO) {
	if f.opts.Payload == None || r.Ret <= 0 || r.Dir != format.Read && r.Dir != format.Write {
		drop(r, 0)
		return
	}
	if f.opts.KeepSecrets && f.opts.Payload != Heads {
		return
	}
	if uint64(len(r.Payload)) > uint64(r.Ret) {
		r.Payload = r.Payload[:r.Ret] // no recorder writes such a row
	}
	k := key{r.Socket, r.Inode}
	c := f.conns.find(k)
	if c == nil {
		c = f.conns.add(k)
		c.fresh()
	}
	s := &c[r.Dir-1]
	if r.Flags&format.IOPeek != 0 {
		f.peeked = *s // the same bytes come again: the stream does not move
		s = &f.peeked
	}
	p := s.at(r, &f.spare)
	f.bytes(p, r, s.ciphertext(p, r))
}

func (f *filter) bytes(p *place, r *format.IO, ciphertext bool) {
	if ciphertext {
		p.lex.lose()
	} else if !f.opts.KeepSecrets {
		shown := p.lex.resume(r.Payload)
		if p.lex.mask(r.Payload[shown:]) {
			r.Flags |= format.IOMasked
		}
		if int64(len(r.Payload)) < r.Ret {
			p.lex.lose()
		}
	}
	if f.opts.Payload == Heads {
		n, blanked := p.heads.keep(r.Payload, r.Ret)
		if blanked {
			r.Flags |= format.IOMasked
		}
		drop(r, n)
	}
}

// drop keeps n bytes of the payload.
func drop(r *format.IO, n int) {
	if n < len(r.Payload) {
		r.Payload = r.Payload[:n]
		r.Cut = format.CutPolicy
	}
}
