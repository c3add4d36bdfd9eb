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
	dropped   uint64
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
)

// NewDeriver returns a Deriver that has seen nothing.
func NewDeriver() *Deriver {
	return &Deriver{hellos: map[format.SocketID][32]byte{}, processes: map[format.PID]*handshakes{}}
}

// Handshake takes the first bytes of a call that moved a handshake record.
func (d *Deriver) Handshake(pid format.PID, socket format.SocketID, b []byte) (keys []format.TLSKey) {
	var m messages
	for len(b) >= headerLen {
		h := header(b)
		if h.typ() != handshake || !h.plausible() {
			break
		}
		body := b[headerLen:]
		body = body[:min(len(body), h.length())]
		b = b[headerLen+len(body):]
		m.add(body, func(msg byte, body []byte) {
			if msg == msgClientHello || msg == msgServerHello {
				keys = append(keys, d.hello(pid, socket, msg, body)...)
			}
		})
	}
	return keys
}

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
	if p == nil {
		return nil
	}
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
	if p == nil {
		d.dropped++
		return nil
	}
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
	if p == nil && len(d.processes) < derivedProcesses {
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
