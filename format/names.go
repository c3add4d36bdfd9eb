package format

import (
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// The names below are on disk (Parquet strings) and in the text form: they never change and are never reused. Each
// String has a Parse that takes back whatever String gives, also for numbers that this version has no name for ("CALL_99"),
// so that a newer reel's rows survive an older reader.

var callNames = []string{"", "read", "readv", "recvfrom", "recvmsg", "recvmmsg", "write", "writev", "sendto", "sendmsg",
	"sendmmsg", "sendfile", "splice", "preadv2", "pwritev2"}

var directionNames = []string{"", "read", "write"}

var cutNames = []string{"none", "budget", "no_copy", "fault", "limit", "shed", "lost", "protocol", 16: "policy", 17: "damaged"}

var sockOpNames = []string{"", "connect", "accept", "close", "shutdown", "state", "seen", "snapshot", "listen", "pair",
	16: "long_read", "long_write"}

var sockTypeNames = []string{"", "stream", "dgram", 5: "seqpacket"}

var roleNames = []string{"unknown", "client", "server"}

var triggerOpNames = []string{"", "armed", "fired", "acted", "failed", "silenced"}

var procOpNames = []string{"", "fork", "exec", "exit", "snapshot", "rename"}

// ioFlagNames are in the order of their bits.
var ioFlagNames = []string{"BLOCKED", "PEEK", "NO_ENTRY", "EOF", "MSG_START", "TRUNC", "NONBLOCK", "OFFSET_VALID", "MASKED",
	"OOB", "ZEROCOPY", "DGRAM", "SAME_CALL", "KTLS"}

// familyNames and protocolNames cover what reel records; other numbers print as "AF_n" and "IPPROTO_n".
var familyNames = []string{"none", "unix", "inet", 10: "inet6"}

var protocolNames = []string{"none", 6: "tcp", 17: "udp", 136: "udplite"}

// nameOf returns the name of n, or prefix and the number.
func nameOf(names []string, prefix string, n uint8) string {
	if int(n) < len(names) && names[n] != "" {
		return names[n]
	}
	return prefix + "_" + strconv.Itoa(int(n))
}

// parseName is the inverse of nameOf.
func parseName(names []string, prefix, s string) (uint8, error) {
	if s != "" {
		if i := slices.Index(names, s); i >= 0 {
			return uint8(i), nil
		}
	}
	if digits, ok := strings.CutPrefix(s, prefix+"_"); ok {
		if n, err := strconv.ParseUint(digits, 10, 8); err == nil && nameOf(names, prefix, uint8(n)) == s {
			return uint8(n), nil
		}
	}
	return 0, fmt.Errorf("%q is no %s", s, strings.ToLower(prefix))
}

// String returns the system call's name: "recvfrom".
func (c Call) String() string { return nameOf(callNames, "CALL", uint8(c)) }

// ParseCall is the inverse of Call.String.
func ParseCall(s string) (Call, error) {
	n, err := parseName(callNames, "CALL", s)
	return Call(n), err
}

// String returns "read" or "write".
func (d Direction) String() string { return nameOf(directionNames, "DIR", uint8(d)) }

// ParseDirection is the inverse of Direction.String.
func ParseDirection(s string) (Direction, error) {
	n, err := parseName(directionNames, "DIR", s)
	return Direction(n), err
}

// String returns "none", "budget", ...
func (c Cut) String() string { return nameOf(cutNames, "CUT", uint8(c)) }

// ParseCut is the inverse of Cut.String.
func ParseCut(s string) (Cut, error) {
	n, err := parseName(cutNames, "CUT", s)
	return Cut(n), err
}

// String returns "connect", "accept", ...
func (o SockOp) String() string { return nameOf(sockOpNames, "SOCK", uint8(o)) }

// ParseSockOp is the inverse of SockOp.String.
func ParseSockOp(s string) (SockOp, error) {
	n, err := parseName(sockOpNames, "SOCK", s)
	return SockOp(n), err
}

// String returns "stream", "dgram" or "seqpacket"; "" on other than AF_UNIX sockets.
func (t SockType) String() string {
	if t == 0 {
		return ""
	}
	return nameOf(sockTypeNames, "TYPE", uint8(t))
}

// ParseSockType is the inverse of SockType.String.
func ParseSockType(s string) (SockType, error) {
	if s == "" {
		return 0, nil
	}
	n, err := parseName(sockTypeNames, "TYPE", s)
	return SockType(n), err
}

// String returns "unknown", "client" or "server".
func (r Role) String() string { return nameOf(roleNames, "ROLE", uint8(r)) }

// ParseRole is the inverse of Role.String.
func ParseRole(s string) (Role, error) {
	n, err := parseName(roleNames, "ROLE", s)
	return Role(n), err
}

// String returns "fork", "exec", ...
func (o ProcOp) String() string { return nameOf(procOpNames, "PROC", uint8(o)) }

// ParseProcOp is the inverse of ProcOp.String.
func ParseProcOp(s string) (ProcOp, error) {
	n, err := parseName(procOpNames, "PROC", s)
	return ProcOp(n), err
}

// String returns "armed", "fired", ...
func (o TriggerOp) String() string { return nameOf(triggerOpNames, "TRIGGER", uint8(o)) }

// ParseTriggerOp is the inverse of TriggerOp.String.
func ParseTriggerOp(s string) (TriggerOp, error) {
	n, err := parseName(triggerOpNames, "TRIGGER", s)
	return TriggerOp(n), err
}

// ParseTCPState is the inverse of TCPState.String.
func ParseTCPState(s string) (TCPState, error) {
	n, err := parseName(tcpStates, "TCP", s)
	return TCPState(n), err
}

// FamilyName names an AF_* number: "inet", "inet6", "unix"; others are "AF_n".
func FamilyName(family uint8) string { return nameOf(familyNames, "AF", family) }

// ParseFamily is the inverse of FamilyName.
func ParseFamily(s string) (uint8, error) { return parseName(familyNames, "AF", s) }

// ProtocolName names an IPPROTO_* number: "tcp", "udp"; others are "IPPROTO_n".
func ProtocolName(protocol uint8) string { return nameOf(protocolNames, "IPPROTO", protocol) }

// ParseProtocol is the inverse of ProtocolName.
func ParseProtocol(s string) (uint8, error) { return parseName(protocolNames, "IPPROTO", s) }

// ioFlagStrings holds every combination of flags that was asked for: rows print and seal without an allocation.
var ioFlagStrings [1 << 16]atomic.Pointer[string]

// String returns the names of the flags in the order of their bits, joined by "|": "BLOCKED|EOF"; "" when none is set. A
// bit without a name is "0x…".
func (f IOFlags) String() string {
	if s := ioFlagStrings[f].Load(); s != nil {
		return *s
	}
	s := joinFlags(f)
	ioFlagStrings[f].Store(&s)
	return s
}

func joinFlags(f IOFlags) string { return joinNames(ioFlagNames, uint16(f)) }

func joinNames(names []string, flags uint16) string {
	var s strings.Builder
	for rest := flags; rest != 0; rest &= rest - 1 {
		if s.Len() > 0 {
			s.WriteByte('|')
		}
		if bit := bits.TrailingZeros16(rest); bit < len(names) {
			s.WriteString(names[bit])
		} else {
			fmt.Fprintf(&s, "0x%x", 1<<bit)
		}
	}
	return s.String()
}

// ParseIOFlags is the inverse of IOFlags.String. Names may come in any order.
func ParseIOFlags(s string) (IOFlags, error) {
	f, err := parseNames(ioFlagNames, "io flag", s)
	return IOFlags(f), err
}

// parseNames is the inverse of joinNames.
func parseNames(names []string, what, s string) (flags uint16, err error) {
	if s == "" {
		return 0, nil
	}
	for name := range strings.SplitSeq(s, "|") {
		if bit := slices.Index(names, name); bit >= 0 {
			flags |= 1 << bit
			continue
		}
		n, err := strconv.ParseUint(name, 0, 16)
		if err != nil || bits.OnesCount64(n) != 1 || name[0] != '0' {
			return 0, fmt.Errorf("%q is no %s", name, what)
		}
		flags |= uint16(n)
	}
	return flags, nil
}

var tableNames = []string{TableSocket: "socket", TableIO: "io", TablePayload: "payload", TableProcess: "process",
	TableClock: "clock", TableHeartbeat: "heartbeat", TableRing: "ring", TableHook: "hook", TableNote: "note", TableTrigger: "trigger", TableContainer: "container",
	TableTCP: "tcp", TableTLSKey: "tls_key", TableProbe: "probe", TableTLS: "tls",
	TableOnCPU: "oncpu", TableOffCPU: "offcpu", TableOffCPUTotal: "offcpu_total", TableStack: "stack", TableSymbol: "symbol", TableModule: "module", TableMapping: "mapping"}

// String returns the table's name, which is also that of its file without ".parquet".
func (t TableID) String() string { return nameOf(tableNames, "TABLE", uint8(t)) }

// TableIDs yields all tables in the order of their numbers, which have gaps.
func TableIDs() iter.Seq[TableID] {
	return func(yield func(TableID) bool) {
		for t, name := range tableNames {
			if name != "" && !yield(TableID(t)) {
				return
			}
		}
	}
}

// ParseTableID is the inverse of TableID.String.
func ParseTableID(s string) (TableID, error) {
	n, err := parseName(tableNames, "TABLE", s)
	return TableID(n), err
}
