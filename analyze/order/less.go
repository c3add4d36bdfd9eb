package order

import (
	"bytes"
	"cmp"

	"github.com/ebpf-reel/reel/format"
)

// less is a total order of rows up to equality: causal time, then what must come first when two events have the same time
// (a socket is opened before its io, and closed after it), then content.
func less(a, b *slot) bool {
	if a.key != b.key {
		return a.key < b.key
	}
	return compare(a, b) < 0
}

func compare(a, b *slot) int {
	if c := cmp.Compare(rank(a.row), rank(b.row)); c != 0 {
		return c
	}
	switch x := a.row.(type) {
	case *format.IO:
		return compareIO(x, b.row.(*format.IO))
	case *format.TCP:
		return compareTCP(x, b.row.(*format.TCP))
	case *format.TLS:
		return compareTLS(x, b.row.(*format.TLS))
	}
	return compareSocket(a.row.(*format.Socket), b.row.(*format.Socket))
}

// rank orders events of one time.
func rank(row format.Row) int {
	var s *format.Socket
	switch r := row.(type) {
	case *format.IO:
		return 1
	case *format.TLS:
		return 2
	case *format.TCP:
		return 3
	case *format.Socket:
		s = r
	}
	switch {
	case s.Op == format.SockClose || s.Op == format.SockShutdown || s.Op == format.SockState && s.NewState == format.TCPClose:
		return 4
	}
	return 0
}

func compareIO(a, b *format.IO) int {
	return cmp.Or(
		cmp.Compare(a.Time, b.Time), cmp.Compare(a.CPU, b.CPU), cmp.Compare(a.PID, b.PID), cmp.Compare(a.TID, b.TID),
		cmp.Compare(a.Socket, b.Socket), cmp.Compare(a.Inode, b.Inode), cmp.Compare(a.Dir, b.Dir), cmp.Compare(a.Seq, b.Seq),
		cmp.Compare(a.Ret, b.Ret), cmp.Compare(a.Duration, b.Duration), cmp.Compare(a.FD, b.FD), cmp.Compare(a.Call, b.Call),
		cmp.Compare(a.Flags, b.Flags), cmp.Compare(a.Cut, b.Cut), cmp.Compare(a.Captured, b.Captured),
		cmp.Compare(a.Family, b.Family), cmp.Compare(a.LPort, b.LPort), cmp.Compare(a.RPort, b.RPort),
		a.Remote.Compare(b.Remote), cmp.Compare(a.SRTT, b.SRTT), cmp.Compare(a.RTTVar, b.RTTVar), bytes.Compare(a.Payload, b.Payload))
}

// compareTLS puts the rows of one call in the order of their bytes.
func compareTLS(a, b *format.TLS) int {
	return cmp.Or(
		cmp.Compare(a.Time, b.Time), cmp.Compare(a.CPU, b.CPU), cmp.Compare(a.PID, b.PID), cmp.Compare(a.TID, b.TID),
		cmp.Compare(a.Session, b.Session), cmp.Compare(a.Dir, b.Dir), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Ret, b.Ret),
		cmp.Compare(a.Socket, b.Socket), cmp.Compare(a.Inode, b.Inode), cmp.Compare(a.Duration, b.Duration), cmp.Compare(a.Library, b.Library),
		cmp.Compare(a.Call, b.Call), cmp.Compare(a.Flags, b.Flags), cmp.Compare(a.Cut, b.Cut), cmp.Compare(a.Captured, b.Captured),
		bytes.Compare(a.Payload, b.Payload))
}

func compareSocket(a, b *format.Socket) int {
	return cmp.Or(
		cmp.Compare(a.CPU, b.CPU), cmp.Compare(a.PID, b.PID), cmp.Compare(a.TID, b.TID), cmp.Compare(a.Socket, b.Socket),
		cmp.Compare(a.Inode, b.Inode), cmp.Compare(a.Op, b.Op), cmp.Compare(a.OldState, b.OldState),
		cmp.Compare(a.NewState, b.NewState), cmp.Compare(a.FD, b.FD), cmp.Compare(a.Ret, b.Ret), cmp.Compare(a.Role, b.Role),
		cmp.Compare(a.Duration, b.Duration), cmp.Compare(a.NetNS, b.NetNS), cmp.Compare(a.Flags, b.Flags),
		cmp.Compare(a.Family, b.Family), cmp.Compare(a.Protocol, b.Protocol),
		a.Local.Addr.Compare(b.Local.Addr), cmp.Compare(a.Local.Port, b.Local.Port),
		a.Remote.Addr.Compare(b.Remote.Addr), cmp.Compare(a.Remote.Port, b.Remote.Port),
		cmp.Compare(a.SndSeq, b.SndSeq), cmp.Compare(a.RcvSeq, b.RcvSeq), cmp.Compare(a.RcvNxt, b.RcvNxt),
		cmp.Compare(a.SndUna, b.SndUna), cmp.Compare(a.SRTT, b.SRTT), cmp.Compare(a.RTTVar, b.RTTVar),
		cmp.Compare(a.Retrans, b.Retrans), cmp.Compare(a.Lost, b.Lost),
		cmp.Compare(a.SegsIn, b.SegsIn), cmp.Compare(a.SegsOut, b.SegsOut), cmp.Compare(a.BytesAcked, b.BytesAcked),
		cmp.Compare(a.BytesReceived, b.BytesReceived), cmp.Compare(a.SndWnd, b.SndWnd), cmp.Compare(a.RcvWnd, b.RcvWnd),
		cmp.Compare(a.Cwnd, b.Cwnd), cmp.Compare(a.MSS, b.MSS), cmp.Compare(a.Interface, b.Interface), cmp.Compare(a.Error, b.Error),
		cmp.Compare(a.RTTMin, b.RTTMin),
		cmp.Compare(a.Type, b.Type), cmp.Compare(a.Local.Path, b.Local.Path), cmp.Compare(a.Remote.Path, b.Remote.Path),
		cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.PeerInode, b.PeerInode), cmp.Compare(a.PeerPID, b.PeerPID),
		cmp.Compare(a.FileRefs, b.FileRefs))
}

func compareTCP(a, b *format.TCP) int {
	return cmp.Or(
		cmp.Compare(a.CPU, b.CPU), cmp.Compare(a.Socket, b.Socket), cmp.Compare(a.Inode, b.Inode), cmp.Compare(a.Op, b.Op),
		cmp.Compare(a.Dir, b.Dir), cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Bytes, b.Bytes), cmp.Compare(a.Segs, b.Segs),
		cmp.Compare(a.Cause, b.Cause), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.State, b.State),
		cmp.Compare(a.CAState, b.CAState), cmp.Compare(a.Flags, b.Flags), cmp.Compare(a.Family, b.Family), cmp.Compare(a.NetNS, b.NetNS),
		a.Local.Addr.Compare(b.Local.Addr), cmp.Compare(a.Local.Port, b.Local.Port),
		a.Remote.Addr.Compare(b.Remote.Addr), cmp.Compare(a.Remote.Port, b.Remote.Port),
		cmp.Compare(a.SRTT, b.SRTT), cmp.Compare(a.Cwnd, b.Cwnd), cmp.Compare(a.Ssthresh, b.Ssthresh), cmp.Compare(a.SndWnd, b.SndWnd),
		cmp.Compare(a.RcvWnd, b.RcvWnd), cmp.Compare(a.Retrans, b.Retrans), cmp.Compare(a.Lost, b.Lost))
}
