package text

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ebpf-reel/reel/format"
)

// maxConns bounds the connections that one text may name.
const maxConns = 1 << 16

// conn is a connection that a conn line names: what its rows have in common, and where its two streams stand.
type conn struct {
	socket format.Socket // SndSeq and RcvSeq move on with the bytes
	last   format.Direction
}

// declare reads a conn line after its keyword: a name, peer=, and columns of the socket table.
func (p *parser) declare() error {
	name, err := p.lexer.next()
	if err != nil {
		return err
	}
	at := p.lexer.line.errorAt
	id := string(name.text)
	switch {
	case name.kind != tokenBare || name.key != "" || keyLength([]byte(id+"=")) == 0:
		return at(name.offset, "conn takes a name of small letters, digits and _, like conn c1")
	case tableByName(id) != nil || slices.Contains(reserved, id):
		return at(name.offset, id+" means something else: take another name for the connection")
	case p.conns[id] != nil:
		return at(name.offset, "the connection "+id+" is already named")
	case len(p.conns) == maxConns:
		return at(name.offset, fmt.Sprintf("more than %d connections in one text", maxConns))
	}
	c := &conn{}
	var other *conn
	p.fields.reset(socketColumns)
	p.fields.line = p.lexer.line
	for {
		t, err := p.lexer.next()
		if err != nil {
			return err
		}
		if t.kind == tokenEnd {
			break
		}
		if t.key == "peer" {
			peer := p.conns[string(t.text)]
			if peer == nil {
				return at(t.offset, fmt.Sprintf("peer=%.40s is not a connection that a line above has named", t.text))
			}
			other = peer
			c.socket = p.otherEnd(peer)
			continue
		}
		if err := p.fields.set(&t, &c.socket); err != nil {
			return err
		}
	}
	p.complete(&c.socket)
	if other != nil && c.socket.Family == familyUnix { // no addresses tell that they belong together
		other.socket.Peer, other.socket.PeerInode = c.socket.Socket, c.socket.Inode
		c.socket.Peer, c.socket.PeerInode = other.socket.Socket, other.socket.Inode
	}
	p.conns[id] = c
	return nil
}

// otherEnd is the socket that talks to c, in another process.
func (p *parser) otherEnd(c *conn) format.Socket {
	s := &c.socket
	role := format.RoleServer
	if s.Role == format.RoleServer {
		role = format.RoleClient
	}
	return format.Socket{PID: s.PID + 100, NetNS: s.NetNS, Role: role, Family: s.Family, Protocol: s.Protocol, Type: s.Type,
		Local: s.Remote, Remote: s.Local, SndSeq: s.RcvSeq, RcvSeq: s.SndSeq}
}

// complete gives a connection what its line did not say, such that connections differ.
func (p *parser) complete(s *format.Socket) {
	n := len(p.conns) + 1
	missing := func(key string, isZero bool) bool { return isZero && p.fields.token(key) == nil }
	if missing("role", s.Role == 0) {
		s.Role = format.RoleClient
	}
	client := format.Endpoint{Addr: netip.AddrFrom4([4]byte{10, 0, 0, 1}), Port: uint16(40000 + n)}
	server := format.Endpoint{Addr: netip.AddrFrom4([4]byte{10, 0, 0, 2}), Port: 80}
	if s.Role == format.RoleServer {
		client, server = server, client
	}
	if missing("local", !s.Local.IsValid()) && s.Family != familyUnix {
		s.Local = client
	}
	if missing("remote", !s.Remote.IsValid()) && s.Family != familyUnix {
		s.Remote = server
	}
	if missing("pid", s.PID == 0) {
		s.PID = 100
	}
	if missing("tid", s.TID == 0) {
		s.TID = format.TID(s.PID)
	}
	if missing("fd", s.FD == 0) {
		s.FD = format.FD(n + 3)
	}
	if missing("sock", s.Socket == 0) {
		s.Socket = format.SocketID(0x1000 + n)
	}
	if missing("inode", s.Inode == 0) {
		s.Inode = format.Inode(1000 + n)
	}
	if missing("netns", s.NetNS == 0) {
		s.NetNS = 4026531840
	}
	if missing("snd", s.SndSeq == 0) {
		s.SndSeq = 1000
	}
	if missing("rcv", s.RcvSeq == 0) {
		s.RcvSeq = 5000
	}
	if missing("protocol", s.Protocol == 0) && s.Family != familyUnix {
		s.Protocol = protocolTCP
	}
	if missing("family", s.Family == 0) {
		s.Family = familyInet
		if s.Local.Addr.Is6() {
			s.Family = familyInet6
		}
	}
}

// lost reads a line whose row did not reach the reel: time and streams move on, nothing else shows.
func (p *parser) lost() error {
	name, err := p.lexer.next()
	if err != nil {
		return err
	}
	c := p.conns[string(name.text)]
	if c == nil || name.kind != tokenBare {
		return p.lexer.line.errorAt(name.offset, "lost stands before a line of a connection: lost c1 > \"bytes\"")
	}
	_, err = p.shorthand(c)
	return err
}

// shorthand reads a line of a connection after its name and makes the whole row of it.
func (p *parser) shorthand(c *conn) (format.Row, error) {
	var at format.KTime
	if err := p.time(&at); err != nil {
		return nil, err
	}
	before := p.lexer.pos
	verb, err := p.lexer.next()
	if err != nil {
		return nil, err
	}
	p.lexer.pos = before
	if verb.kind == tokenBare && verb.key == "" {
		name := string(verb.text)
		switch {
		case isValid(parseArrow(name)), isValid(format.ParseCall(name)):
			return p.connIO(c, at)
		case isValid(format.ParseSockOp(name)):
			return p.connSocket(c, at)
		}
	}
	return nil, p.lexer.line.errorAt(verb.offset, "a connection's line needs < or >, a system call, or an event like connect or close")
}

func isValid[T any](_ T, err error) bool { return err == nil }

func (p *parser) connSocket(c *conn, at format.KTime) (format.Row, error) {
	t := tableByName("socket")
	r := p.fresh(t).(*format.Socket)
	*r = c.socket
	r.Time = at
	p.fields.reset(t.columns)
	if err := p.fields.read(&p.lexer, r); err != nil {
		return nil, err
	}
	p.fields.preset("fd", "family", "protocol")
	if p.fields.token("pid") == nil {
		p.fields.preset("tid")
	}
	if err := p.fields.finish(t, r); err != nil {
		return nil, err
	}
	if r.Op == format.SockAccept && p.fields.token("ret") == nil {
		r.Ret = int64(r.FD)
	}
	c.socket.SndSeq, c.socket.RcvSeq = r.SndSeq, r.RcvSeq
	return r, nil
}

func (p *parser) connIO(c *conn, at format.KTime) (format.Row, error) {
	t := tableByName("io")
	r := p.fresh(t).(*format.IO)
	s := &c.socket
	*r = format.IO{Time: at, PID: s.PID, TID: s.TID, FD: s.FD, Socket: s.Socket, Inode: s.Inode, CPU: s.CPU,
		Family: s.Family, LPort: s.Local.Port, RPort: s.Remote.Port, SRTT: s.SRTT, RTTVar: s.RTTVar}
	p.fields.reset(t.columns)
	if err := p.fields.read(&p.lexer, r); err != nil {
		return nil, err
	}
	given := func(key string) bool { return p.fields.token(key) != nil }
	if !given("dir") {
		r.Dir = directionOf(r.Call)
	}
	p.fields.preset("dir", "fd", "family")
	if !given("pid") {
		p.fields.preset("tid")
	}
	if err := p.fields.finish(t, r); err != nil {
		return nil, err
	}
	next := &s.RcvSeq
	if r.Dir == format.Write {
		next = &s.SndSeq
	}
	if !given("seq") && !given("noseq") {
		r.Seq = *next
		r.Flags |= format.IOOffsetValid
	}
	if !given("flags") {
		if r.Dir != c.last {
			r.Flags |= format.IOMsgStart
		}
		if r.Dir == format.Read && r.Ret == 0 {
			r.Flags |= format.IOEOF
		}
	}
	if !given("cut") && r.Ret > int64(len(r.Payload)) {
		r.Cut = format.CutBudget
		if r.Call == format.CallSendfile || r.Call == format.CallSplice {
			r.Cut = format.CutNoCopy
		}
	}
	if r.Ret >= 0 && r.Flags&format.IOPeek == 0 {
		c.last = r.Dir
		if given("seq") || !given("noseq") {
			*next = r.Seq + format.Seq(r.Ret)
		} else {
			*next += format.Seq(r.Ret)
		}
	}
	return r, nil
}

// directionOf tells which way a call moves bytes. splice does both: a text that means a read says <.
func directionOf(c format.Call) format.Direction {
	switch c {
	case format.CallRead, format.CallReadv, format.CallRecvfrom, format.CallRecvmsg, format.CallRecvmmsg, format.CallPreadv2:
		return format.Read
	}
	return format.Write
}
