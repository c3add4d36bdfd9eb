package tls

import (
	"slices"

	"github.com/ebpf-reel/reel/format"
)

// Deriver implements format.KeyDeriver. A library that logs a master secret does not say whose it is, so keys are derived for each
// handshake that its process had lately.
type Deriver struct {
	hellos    map[format.SocketID][32]byte // random of a ClientHello without its ServerHello
	order     []format.SocketID            // of hellos, the oldest first
	processes map[format.PID]*handshakes
	partial   map[way][]byte // records that have begun
	dropped   uint64
}

// way is one direction of a connection.
type way struct {
	socket format.SocketID
	dir    format.Direction
}

// handshakes are those of TLS 1.2 of one process, and its master secrets, the newest last.
type handshakes struct {
	recent  []agreed
	masters []format.TLSKey
}

// agreed is what client and server have said.
type agreed struct {
	client, server [32]byte
	suite          suite
}

// Bounds of what is kept, and of what is derived of one master secret.
const (
	derivedHellos    = 4096
	derivedProcesses = 1024
	derivedRecent    = 8
	derivedPartial   = 8 << 10 // bytes of a record that has begun
	derivedPartials  = 64
)

// NewDeriver returns a Deriver that has seen nothing.
func NewDeriver() *Deriver {
	return &Deriver{hellos: map[format.SocketID][32]byte{}, processes: map[format.PID]*handshakes{}, partial: map[way][]byte{}}
}

// Handshake takes a call that may move a handshake record.
func (d *Deriver) Handshake(c *format.HeadCall) (keys []format.TLSKey) {
	at := way{c.Socket, c.Dir}
	b := c.Bytes
	if begun, ok := d.partial[at]; ok {
		delete(d.partial, at)
		b = append(begun, b...)
	}
	var m messages
	for len(b) >= headerLen {
		h := header(b)
		if h.typ() != handshake || !h.plausible() {
			return keys
		}
		whole := headerLen + h.length()
		body := b[headerLen:min(len(b), whole)]
		m.add(body, func(msg byte, body []byte) {
			if msg == msgClientHello || msg == msgServerHello {
				keys = append(keys, d.hello(c.PID, c.Socket, msg, body)...)
			}
		})
		if len(b) < whole {
			break
		}
		b = b[whole:]
	}
	if len(keys) == 0 && len(b) > 0 && len(b) < derivedPartial && c.Moved == int64(len(c.Bytes)) && len(d.partial) < derivedPartials {
		d.partial[at] = slices.Clone(b)
	}
	return keys
}

// Waits reports whether the rest of a record is to come.
func (d *Deriver) Waits() bool { return len(d.partial) > 0 }

func (d *Deriver) hello(pid format.PID, socket format.SocketID, msg byte, body []byte) (keys []format.TLSKey) {
	h, ok := parseHello(msg, body)
	if !ok {
		return nil
	}
	if msg == msgClientHello {
		if _, known := d.hellos[socket]; !known {
			if len(d.order) == derivedHellos {
				delete(d.hellos, d.order[0])
				d.order = slices.Delete(d.order, 0, 1)
			}
			d.order = append(d.order, socket)
		}
		d.hellos[socket] = h.random
		return nil
	}
	client, known := d.hellos[socket]
	s, readable := suites[h.suite]
	if !known || !readable || h.version != TLS12 {
		return nil
	}
	p := d.process(pid)
	a := agreed{client, h.random, s}
	p.recent = append(p.recent, a)
	if len(p.recent) > derivedRecent {
		p.recent = slices.Delete(p.recent, 0, 1)
	}
	for i := range p.masters { // the rings of other CPUs may be read first
		keys = append(keys, a.derive(&p.masters[i]))
	}
	return keys
}

// Master takes a master secret. It is kept in memory for the next handshakes of its process, since the order of records of
// several CPUs is not that of their times.
func (d *Deriver) Master(row *format.TLSKey) (keys []format.TLSKey) {
	p := d.process(row.PID)
	for i := range p.recent {
		keys = append(keys, p.recent[i].derive(row))
	}
	kept := *row
	kept.Secret = slices.Clone(row.Secret)
	p.masters = append(p.masters, kept)
	if len(p.masters) > derivedRecent {
		clear(p.masters[0].Secret)
		p.masters = slices.Delete(p.masters, 0, 1)
	}
	if len(keys) == 0 {
		d.dropped++
	}
	return keys
}

func (d *Deriver) process(pid format.PID) *handshakes {
	p := d.processes[pid]
	if p == nil {
		if len(d.processes) == derivedProcesses {
			clear(d.processes) // most of them have ended
		}
		p = new(handshakes)
		d.processes[pid] = p
	}
	return p
}

// derive makes the row of the key block that a master secret gives in a handshake.
func (a *agreed) derive(master *format.TLSKey) format.TLSKey {
	row := *master
	seed := append(append([]byte{}, a.server[:]...), a.client[:]...)
	row.Label, row.Random = format.TLSKeyBlock, slices.Clone(a.client[:])
	row.Secret = prf12(a.suite.hash, master.Secret, "key expansion", seed, a.suite.blockLen())
	return row
}

// Dropped returns how many master secrets found no handshake.
func (d *Deriver) Dropped() uint64 { return d.dropped }
