package text

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/ebpf-reel/reel/format"
)

const (
	familyUnix  = 1  // AF_UNIX
	familyInet  = 2  // AF_INET
	familyInet6 = 10 // AF_INET6
	protocolTCP = 6
)

var socketColumns = []column{
	required(word(named("op", "an event: connect, accept, close, shutdown, state, seen, snapshot, listen, pair, long_read or long_write", format.ParseSockOp,
		func(r *format.Socket) *format.SockOp { return &r.Op }), format.ParseSockOp)),
	number("pid", func(r *format.Socket) *format.PID { return &r.PID }),
	withDefault(number("tid", socketTID), socketTID, "pid", func(r *format.Socket) format.TID { return format.TID(r.PID) }),
	withDefault(integer("fd", socketFD), socketFD, "-1, none", func(*format.Socket) format.FD { return -1 }),
	hexNumber("sock", func(r *format.Socket) *format.SocketID { return &r.Socket }),
	number("inode", func(r *format.Socket) *format.Inode { return &r.Inode }),
	number("netns", func(r *format.Socket) *uint64 { return &r.NetNS }),
	number("cpu", func(r *format.Socket) *uint16 { return &r.CPU }),
	word(named("role", "client or server", format.ParseRole,
		func(r *format.Socket) *format.Role { return &r.Role }), format.ParseRole),
	endpoint("local", func(r *format.Socket) *format.Endpoint { return &r.Local }),
	endpoint("remote", func(r *format.Socket) *format.Endpoint { return &r.Remote }),
	withDefault(numberNamed("family", "inet, inet6 or unix", format.FamilyName, format.ParseFamily, socketFamily), socketFamily, "inet",
		func(*format.Socket) uint8 { return familyInet }),
	withDefault(numberNamed("protocol", "tcp or udp", format.ProtocolName, format.ParseProtocol, socketProtocol), socketProtocol, "tcp",
		func(*format.Socket) uint8 { return protocolTCP }),
	named("old", "a TCP state", format.ParseTCPState, func(r *format.Socket) *format.TCPState { return &r.OldState }),
	newStateColumn(),
	howColumn(),
	flagsColumn(0, func(r *format.Socket) *format.IOFlags { return &r.Flags }),
	integer("ret", func(r *format.Socket) *int64 { return &r.Ret }),
	duration("dur", func(r *format.Socket) *time.Duration { return &r.Duration }),
	number("snd", func(r *format.Socket) *format.Seq { return &r.SndSeq }),
	number("rcv", func(r *format.Socket) *format.Seq { return &r.RcvSeq }),
	withDefault(number("rcv_nxt", socketRcvNxt), socketRcvNxt, "rcv", func(r *format.Socket) format.Seq { return r.RcvSeq }),
	withDefault(number("snd_una", socketSndUna), socketSndUna, "snd", func(r *format.Socket) format.Seq { return r.SndSeq }),
	duration("srtt", func(r *format.Socket) *time.Duration { return &r.SRTT }),
	duration("rttvar", func(r *format.Socket) *time.Duration { return &r.RTTVar }),
	number("retrans", func(r *format.Socket) *uint32 { return &r.Retrans }),
	number("lost", func(r *format.Socket) *uint32 { return &r.Lost }),
	number("segs_in", func(r *format.Socket) *uint32 { return &r.SegsIn }),
	number("segs_out", func(r *format.Socket) *uint32 { return &r.SegsOut }),
	number("acked", func(r *format.Socket) *uint64 { return &r.BytesAcked }),
	number("received", func(r *format.Socket) *uint64 { return &r.BytesReceived }),
	number("snd_wnd", func(r *format.Socket) *uint32 { return &r.SndWnd }),
	number("rcv_wnd", func(r *format.Socket) *uint32 { return &r.RcvWnd }),
	number("cwnd", func(r *format.Socket) *uint32 { return &r.Cwnd }),
	number("mss", func(r *format.Socket) *uint32 { return &r.MSS }),
	number("if", func(r *format.Socket) *uint32 { return &r.Interface }),
	number("error", func(r *format.Socket) *uint16 { return &r.Error }),
	duration("rtt_min", func(r *format.Socket) *time.Duration { return &r.RTTMin }),
	named("type", "stream, dgram or seqpacket", format.ParseSockType, func(r *format.Socket) *format.SockType { return &r.Type }),
	quoted("local_path", func(r *format.Socket) *string { return &r.Local.Path }),
	quoted("remote_path", func(r *format.Socket) *string { return &r.Remote.Path }),
	hexNumber("peer_sock", func(r *format.Socket) *format.SocketID { return &r.Peer }),
	number("peer_inode", func(r *format.Socket) *format.Inode { return &r.PeerInode }),
	number("peer_pid", func(r *format.Socket) *format.PID { return &r.PeerPID }),
	number("file_refs", func(r *format.Socket) *uint32 { return &r.FileRefs }),
}

func socketTID(r *format.Socket) *format.TID      { return &r.TID }
func socketFD(r *format.Socket) *format.FD        { return &r.FD }
func socketFamily(r *format.Socket) *uint8        { return &r.Family }
func socketProtocol(r *format.Socket) *uint8      { return &r.Protocol }
func socketRcvNxt(r *format.Socket) *format.Seq   { return &r.RcvNxt }
func socketSndUna(r *format.Socket) *format.Seq   { return &r.SndUna }
func socketNew(r *format.Socket) *format.TCPState { return &r.NewState }

// newStateColumn and howColumn are one field: for shutdown(2) it holds the argument `how`, which has no business to be
// printed as the TCP state of the same number.
func newStateColumn() column {
	c := named("new", "a TCP state", format.ParseTCPState, socketNew)
	c.omit = func(row any) bool {
		r := row.(*format.Socket)
		return r.Op == format.SockShutdown || r.NewState == 0
	}
	return c
}

func howColumn() column {
	hows := []string{"rd", "wr", "rdwr"} // by the numbers of shutdown(2)
	put := func(dst []byte, v format.TCPState) []byte {
		if int(v) < len(hows) {
			return append(dst, hows[v]...)
		}
		return strconv.AppendUint(dst, uint64(v), 10)
	}
	c := field("how", "rd, wr or rdwr", socketNew, put, func(s []byte) (format.TCPState, error) {
		if i := slices.Index(hows, string(s)); i >= 0 {
			return format.TCPState(i), nil
		}
		return parseUnsigned[format.TCPState](s)
	})
	c.omit = func(row any) bool { return row.(*format.Socket).Op != format.SockShutdown }
	return c
}

var ioColumns = []column{
	required(word(field("dir", "a direction, < for read or > for write", ioDir, appendDirection, parseDirection), parseArrow)),
	written(word(withDefault(named("call", "a system call like read or sendmsg", format.ParseCall, ioCall), ioCall,
		"read or write, by direction", defaultCall), format.ParseCall)),
	number("pid", func(r *format.IO) *format.PID { return &r.PID }),
	withDefault(number("tid", ioTID), ioTID, "pid", func(r *format.IO) format.TID { return format.TID(r.PID) }),
	withDefault(integer("fd", ioFD), ioFD, "-1, none", func(*format.IO) format.FD { return -1 }),
	hexNumber("sock", func(r *format.IO) *format.SocketID { return &r.Socket }),
	number("inode", func(r *format.IO) *format.Inode { return &r.Inode }),
	number("cpu", func(r *format.IO) *uint16 { return &r.CPU }),
	number("lport", func(r *format.IO) *uint16 { return &r.LPort }),
	number("rport", func(r *format.IO) *uint16 { return &r.RPort }),
	field("raddr", "address", func(r *format.IO) *netip.Addr { return &r.Remote },
		func(dst []byte, a netip.Addr) []byte { return a.AppendTo(dst) },
		func(s []byte) (netip.Addr, error) { return netip.ParseAddr(string(s)) }),
	withDefault(numberNamed("family", "inet, inet6 or unix", format.FamilyName, format.ParseFamily, ioFamily), ioFamily, "inet", func(*format.IO) uint8 { return familyInet }),
	duration("dur", func(r *format.IO) *time.Duration { return &r.Duration }),
	duration("srtt", func(r *format.IO) *time.Duration { return &r.SRTT }),
	duration("rttvar", func(r *format.IO) *time.Duration { return &r.RTTVar }),
	flagsColumn(format.IOOffsetValid, ioFlags),
	seqColumn("seq", true),
	seqColumn("noseq", false),
	retColumn(),
	withDefault(number("captured", ioCaptured), ioCaptured, "length of the payload",
		func(r *format.IO) uint32 { return uint32(min(len(r.Payload), math.MaxUint32)) }),
	named("cut", "why bytes are missing: budget, no_copy, fault, limit, shed, lost, protocol or policy", format.ParseCut,
		func(r *format.IO) *format.Cut { return &r.Cut }),
	holeColumn(),
	payloadColumn(ioPayload),
}

func ioPayload(r *format.IO) *[]byte { return &r.Payload }

func ioDir(r *format.IO) *format.Direction { return &r.Dir }
func ioCall(r *format.IO) *format.Call     { return &r.Call }
func ioTID(r *format.IO) *format.TID       { return &r.TID }
func ioFD(r *format.IO) *format.FD         { return &r.FD }
func ioFamily(r *format.IO) *uint8         { return &r.Family }
func ioFlags(r *format.IO) *format.IOFlags { return &r.Flags }
func ioCaptured(r *format.IO) *uint32      { return &r.Captured }

func defaultCall(r *format.IO) format.Call {
	if r.Dir == format.Write {
		return format.CallWrite
	}
	return format.CallRead
}

// The direction is an arrow in the text form, since "read" and "write" are system calls.
func appendDirection(dst []byte, d format.Direction) []byte {
	switch d {
	case format.Read:
		return append(dst, '<')
	case format.Write:
		return append(dst, '>')
	}
	return append(dst, d.String()...)
}

func parseDirection(s []byte) (format.Direction, error) { return parseArrow(string(s)) }

func parseArrow(s string) (format.Direction, error) {
	switch s {
	case "<":
		return format.Read, nil
	case ">":
		return format.Write, nil
	}
	d, err := format.ParseDirection(s)
	if err == nil && (d == format.Read || d == format.Write) {
		err = errors.New("a direction is < or >")
	}
	return d, err
}

// flagsColumn writes flags by name, but for those that other columns stand for.
func flagsColumn[R any](elsewhere format.IOFlags, at func(*R) *format.IOFlags) column {
	put := func(dst []byte, v format.IOFlags) []byte { return append(dst, (v &^ elsewhere).String()...) }
	c := field("flags", "names with | between, like PEEK|BLOCKED", at, put, func(s []byte) (format.IOFlags, error) {
		return format.ParseIOFlags(string(s))
	})
	c.omit = func(row any) bool { return *at(row.(*R))&^elsewhere == 0 }
	set := c.set
	c.set = func(row any, v *token) error {
		kept := *at(row.(*R)) & elsewhere // seq= may have come first
		err := set(row, v)
		*at(row.(*R)) |= kept
		return err
	}
	return c
}

// seqColumn is IO.Seq: a number that counts in the stream is seq=, one that does not is noseq=.
func seqColumn(key string, valid bool) column {
	c := number(key, func(r *format.IO) *format.Seq { return &r.Seq })
	c.omit = func(row any) bool {
		r := row.(*format.IO)
		isValid := r.Flags&format.IOOffsetValid != 0
		return isValid != valid || !valid && r.Seq == 0
	}
	set := c.set
	c.set = func(row any, v *token) error {
		if valid {
			row.(*format.IO).Flags |= format.IOOffsetValid
		}
		return set(row, v)
	}
	return c
}

func retColumn() column {
	c := integer("ret", func(r *format.IO) *int64 { return &r.Ret })
	c.deflt = "payload and hole"
	c = written(c)
	c.fill = func(row any) error {
		r := row.(*format.IO)
		r.Ret = int64(len(r.Payload)) // finishIO adds the hole
		return nil
	}
	return c
}

// holeColumn repeats what ret and payload say, for whoever reads or greps; written by hand it saves computing ret.
func holeColumn() column {
	hole := func(row any) int64 { r := row.(*format.IO); return r.Ret - int64(len(r.Payload)) }
	return column{
		key: "hole", form: "number", deflt: "ret less payload",
		// A negative ret less the payload may wrap around.
		omit:  func(row any) bool { return row.(*format.IO).Ret < 0 || hole(row) <= 0 },
		write: func(dst []byte, row any) []byte { return strconv.AppendInt(appendKey(dst, "hole"), hole(row), 10) },
		set: func(_ any, v *token) error {
			_, err := parseHole(v)
			return err
		},
	}
}

func parseHole(v *token) (int64, error) {
	n, err := strconv.ParseInt(string(v.text), 0, 64)
	if v.kind != tokenBare || err != nil || n < 0 {
		return 0, fmt.Errorf("%.40q is not a number of bytes", v.text)
	}
	return n, nil
}

// finishIO joins what hole= and ret= say about one number.
func finishIO(row format.Row, given func(key string) *token) error {
	hole := given("hole")
	if hole == nil {
		return nil
	}
	n, err := parseHole(hole)
	if err != nil {
		return err
	}
	r := row.(*format.IO)
	if n > math.MaxInt64-int64(len(r.Payload)) {
		return errors.New("payload and hole do not fit into 64 bits")
	}
	whole := n + int64(len(r.Payload))
	if given("ret") != nil && r.Ret != whole {
		return fmt.Errorf("ret is %d, but payload and hole make %d bytes: leave out one of them", r.Ret, whole)
	}
	r.Ret = whole
	return nil
}

func payloadColumn[R any](at func(*R) *[]byte) column {
	return column{
		key: "", form: "string or hex:", deflt: "no bytes",
		omit:  func(row any) bool { return len(*at(row.(*R))) == 0 },
		write: func(dst []byte, row any) []byte { return appendPayload(append(dst, ' '), *at(row.(*R))) },
		set: func(row any, v *token) error {
			payload := at(row.(*R))
			if len(*payload)+len(v.text) > maxPayload {
				return errors.New("the payload is larger than 64 MiB")
			}
			*payload = append(*payload, v.text...)
			return nil
		},
	}
}
