// Package topology turns connections and exchanges into nodes and edges: who calls whom, on which port, in which protocol,
// as each side saw it.
//
// Nodes are programs (all processes of one name and executable in one pod, container or host) and remote addresses. A connection whose other end is in
// the reel too joins its process, also when a sidecar proxy, a service address or NAT changed its addresses on the way. Where only the client's end was seen, but the reel knows who listens on that port of the
// same host, it joins the listener. Everything else is remote.
package topology

import (
	"cmp"
	"net/netip"

	"github.com/ebpf-reel/reel/analyze/conn"
	"github.com/ebpf-reel/reel/analyze/endpoint"
	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/analyze/names"
	"github.com/ebpf-reel/reel/analyze/process"
	"github.com/ebpf-reel/reel/format"
)

// Limits bound a Fold. Zero fields take the defaults.
type Limits struct {
	Remotes int // remote addresses (4,096)
	Flows   int // pairs of process and other end (32,768)

	Endpoints endpoint.Config
	Names     *names.Table // of remote addresses; nil: none
}

func (l Limits) withDefaults() Limits {
	l.Remotes, l.Flows = cmp.Or(max(l.Remotes, 0), 4096), cmp.Or(max(l.Flows, 0), 32<<10)
	return l
}

// key is what makes two connections of one flow: seen from one end.
type key struct {
	self   *process.Image // nil unknown
	other  *process.Image // nil: not in the reel
	remote netip.Addr     // if other is nil; invalid: folded
	path   string         // of an AF_UNIX socket, if other is nil
	netns  uint64         // of remote, when it is on this host
	role   format.Role
	port   uint16 // of the server
	proto  conn.Proto
}

// flow is the sum of connections of one key.
type flow struct {
	key
	roleBy    conn.RoleBy
	side      facts.Side
	endpoints *endpoint.Set // nil: no exchanges
	edge      facts.EdgeKey // once the result is asked for
}

// reported is what a connection has given to a flow that it left.
type reported struct {
	bytes, lost [2]uint64
	retrans     uint32
}

// Fold sums up.
type Fold struct {
	limits  Limits
	ledger  *ledger.Tally
	flows   map[key]*flow
	order   []*flow // by first sight
	remotes map[netip.Addr]struct{}
	paths   map[string]struct{}       // of AF_UNIX sockets
	moved   map[facts.ConnID]reported // connections whose other end became known late
	host    string

	endpoints *endpoint.Fold
}

// New returns an empty Fold. host is the node's name: the group of its processes.
func New(l Limits, host string, tally *ledger.Tally) *Fold {
	return &Fold{
		limits: l.withDefaults(), ledger: tally, host: host, flows: make(map[key]*flow),
		remotes: make(map[netip.Addr]struct{}), paths: make(map[string]struct{}), moved: make(map[facts.ConnID]reported),
		endpoints: endpoint.New(l.Endpoints, tally),
	}
}

// Exchange adds an exchange of c.
func (f *Fold) Exchange(c *conn.Conn, x *facts.Exchange) {
	fl := f.flow(c)
	s := &fl.side
	s.Exchanges++
	if x.Missing&^(facts.RequestCut|facts.ResponseCut) != 0 {
		s.Incomplete++
	}
	switch x.Status / 100 {
	case 4:
		s.Errors4xx++
	case 5:
		s.Errors5xx++
	}
	if x.Duration >= 0 {
		s.Durations.Add(uint64(x.Duration), f.bins())
	}
	if fl.endpoints == nil {
		fl.endpoints = f.endpoints.Set()
	}
	fl.endpoints.Add(x)
}

// bins bounds the histograms of a flow: the more flows there are, the coarser they may become.
func (f *Fold) bins() int {
	switch {
	case len(f.flows) <= 256:
		return 0
	case len(f.flows) <= 4096:
		return 256
	}
	return 32
}

// Joined takes a connection whose other end became known: what it gave to a flow without one stays there.
func (f *Fold) Joined(c *conn.Conn) {
	fl, ok := c.Flow.(*flow)
	if !ok || fl.other == c.PeerImage {
		return
	}
	f.numbers(c, fl)
	f.moved[c.ID] = reported{c.Bytes, c.Lost, c.Resent()}
	c.Flow = nil
}

// Gone adds a connection that is over.
func (f *Fold) Gone(c *conn.Conn) {
	fl := f.flow(c)
	fl.side.Connections++
	f.transport(c, &fl.side)
	f.numbers(c, fl)
	delete(f.moved, c.ID)
	c.Flow = nil
}

// numbers adds what c has not given to a flow yet.
func (f *Fold) numbers(c *conn.Conn, fl *flow) {
	before := f.moved[c.ID]
	s := &fl.side
	s.BytesRead += since(c.Bytes[conn.In], before.bytes[conn.In])
	s.BytesWrite += since(c.Bytes[conn.Out], before.bytes[conn.Out])
	s.LostBytes += since(c.Lost[conn.In], before.lost[conn.In]) + since(c.Lost[conn.Out], before.lost[conn.Out])
	s.Retrans += since(uint64(c.Resent()), uint64(before.retrans))
}

// transport adds what TCP and the calls did on a connection that is over.
func (f *Fold) transport(c *conn.Conn, s *facts.Side) {
	x := c.Transport()
	most := f.bins()
	if c.Metrics != nil {
		addCalls(&s.L4.Calls, c.Metrics, most)
	}
	established := c.Connect
	if c.Role == format.RoleServer {
		established = x.AcceptWait
	}
	if established >= 0 && !c.Failed() {
		s.L4.Connect.Times.Add(uint64(established), most)
	}
	if c.CloseCall >= 0 {
		s.L4.Close.Times.Add(uint64(c.CloseCall), most)
	}
	s.Dropped += uint64(x.Dropped())
	s.Resets += uint64(x.ResetsSent) + uint64(x.ResetsReceived)
	for d := range x.ZeroWindows {
		s.ZeroWindows += uint64(x.ZeroWindows[d])
		s.ZeroWindow += x.ZeroWindowTime[d]
	}
	s.AcceptWaitMax = max(s.AcceptWaitMax, x.AcceptWait)
	if c.Failed() {
		s.Failed++
	}
}

func addCalls(to, from *facts.Calls, bins int) {
	addMetric(&to.Write, &from.Write, bins)
	addMetric(&to.Read, &from.Read, bins)
	addMetric(&to.WriteRTT, &from.WriteRTT, bins)
}

func addMetric(to, from *facts.Metric, bins int) {
	to.Bytes += from.Bytes
	to.Times.Merge(&from.Times, bins)
}

func since(now, before uint64) uint64 {
	if now < before {
		return 0 // lost bytes that came late
	}
	return now - before
}

func (f *Fold) flow(c *conn.Conn) *flow {
	if fl, ok := c.Flow.(*flow); ok {
		return fl
	}
	k := key{self: c.Image, other: c.PeerImage, role: c.Role, proto: c.Protocol(), port: serverPort(c)}
	if k.other == nil && c.Remote.Path != "" {
		k.path = f.path(c.Remote.Path)
	} else if k.other == nil {
		k.remote = f.remote(c.Remote.Addr)
		if k.remote.IsValid() && (k.remote.IsLoopback() || k.remote == c.Local.Addr) {
			k.netns = c.NetNS
		}
	}
	fl := f.flows[k]
	if fl == nil && len(f.flows) >= f.limits.Flows {
		f.ledger.Add(ledger.FlowsFolded, 1, ledger.Where{At: c.Start, Conn: c.ID, PID: c.PID})
		k = key{role: k.role}
		fl = f.flows[k]
	}
	if fl == nil {
		fl = &flow{key: k}
		f.flows[k] = fl
		f.order = append(f.order, fl)
	}
	if c.RoleBy != conn.ByNothing && (fl.roleBy == conn.ByNothing || c.RoleBy < fl.roleBy) {
		fl.roleBy = c.RoleBy
	}
	c.Flow = fl
	return fl
}

// remote returns the address, or the invalid one when there are too many.
func (f *Fold) remote(a netip.Addr) netip.Addr {
	if _, known := f.remotes[a]; known {
		return a
	}
	if len(f.remotes) >= f.limits.Remotes {
		f.ledger.Add(ledger.NodesFolded, 1, ledger.Where{Text: a.String()})
		return netip.Addr{}
	}
	f.remotes[a] = struct{}{}
	return a
}

// path returns the path of an AF_UNIX socket, or none when there are too many.
func (f *Fold) path(p string) string {
	if _, known := f.paths[p]; !known {
		if len(f.paths) >= f.limits.Remotes {
			f.ledger.Add(ledger.NodesFolded, 1, ledger.Where{Text: p})
			return ""
		}
		f.paths[p] = struct{}{}
	}
	return p
}

// serverPort returns the port of the server's end, as its client knows it; of a connection whose role is not known, the smaller one.
func serverPort(c *conn.Conn) uint16 {
	if c.AskedPort != 0 {
		return c.AskedPort
	}
	switch c.Role {
	case format.RoleClient:
		return c.Remote.Port
	case format.RoleServer:
		return c.Local.Port
	}
	return min(c.Local.Port, c.Remote.Port)
}
