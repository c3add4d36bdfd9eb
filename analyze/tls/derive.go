package tls

import (
	"slices"

	"github.com/ebpf-reel/reel/format"
)

// Deriver implements format.KeyDeriver. A library that logs a master secret does not say whose it is, so keys are derived for each
// handshake that its process had lately.
type Deriver struct {
	hellos    map[format.SocketID]*halves
	order     []format.SocketID // of hellos, the oldest first
	processes map[format.PID]*handshakes
	partial   map[way][]byte // records that have begun
	dropped   uint64
}

// halves is a hello without its answer, or an answer without its hello: the rings of the CPUs are read in turn, so that either may come
// first.
type halves struct {
	agreed
	hasClient, hasServer bool
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
	return &Deriver{hellos: map[format.SocketID]*halves{}, processes: map[format.PID]*handshakes{}, partial: map[way][]byte{}}
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
	of := d.halvesOf(socket)
	if msg == msgClientHello {
		of.client, of.hasClient = h.random, true
	} else {
		of.server, of.suite, of.hasServer = h.random, suites[h.suite], true
		if _, readable := suites[h.suite]; !readable || h.version != TLS12 {
			d.forget(socket)
			return nil
		}
	}
	if !of.hasClient || !of.hasServer {
		return nil
	}
	d.forget(socket)
	a := of.agreed
	p := d.process(pid)
	p.recent = append(p.recent, a)
	if len(p.recent) > derivedRecent {
		p.recent = slices.Delete(p.recent, 0, 1)
	}
	for i := range p.masters { // the rings of other CPUs may be read first
		keys = append(keys, a.derive(&p.masters[i]))
	}
	return keys
}

func (d *Deriver) halvesOf(socket format.SocketID) *halves {
	of := d.hellos[socket]
	if of == nil {
		if len(d.order) == derivedHellos {
			d.forget(d.order[0])
		}
		of = new(halves)
		d.hellos[socket] = of
		d.order = append(d.order, socket)
	}
	return of
}

func (d *Deriver) forget(socket format.SocketID) {
	delete(d.hellos, socket)
	if i := slices.Index(d.order, socket); i >= 0 {
		d.order = slices.Delete(d.order, i, i+1)
	}
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
