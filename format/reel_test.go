package format

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ebpf-reel/reel/format/wire"
)

// every row of every table, with a value in each column that is not the zero value, and one of unknowns.
func sampleRows() []Row {
	local := Endpoint{Addr: netip.MustParseAddr("10.1.2.3"), Port: 8080}
	remote := Endpoint{Addr: netip.MustParseAddr("fe80::1"), Port: 54321}
	return []Row{
		&Hook{Time: 1, Name: "raw_tracepoint/sys_exit", Purpose: "socket calls", Attached: true, Hits: 12},
		&Hook{Time: 1, Name: "tp_btf/tcp_retransmit_skb", Purpose: "retransmits", Error: "no BTF"},
		&Clock{Time: 2, Boottime: 1002, Realtime: 1_700_000_000_000_000_000, Width: 55},
		&Process{Time: 3, Op: ProcSnapshot, PID: 100, TID: 101, PPID: 1, Start: 77, UID: 1000, Comm: "nginx", Exe: "/usr/sbin/nginx",
			Args: []string{"nginx", "-g", "", "daemon off;"}, ArgsCut: true, CgroupID: 1 << 60, Cgroup: "/a/b", PidNS: 4026531836, MntNS: 2, NetNS: 3, Target: true},
		&Socket{Time: 4, Duration: 123456, CPU: 3, PID: 100, TID: 101, FD: 7, Socket: 1<<63 + 5, Inode: 9, NetNS: 4026531840, Op: SockAccept,
			Role: RoleServer, Family: 2, Protocol: 6, OldState: TCPSynRecv, NewState: TCPEstablished, Flags: IOBlocked | IONonblock, Ret: 7,
			Local: Endpoint{Addr: local.Addr, Port: local.Port, Path: "/run/web.sock"}, Remote: Endpoint{Addr: remote.Addr, Port: remote.Port, Path: "@peer"}, SndSeq: 1<<32 - 1, RcvSeq: 2, RcvNxt: 3, SndUna: 4, SRTT: 44 * time.Microsecond, RTTVar: time.Millisecond,
			Retrans: 1, Lost: 2, SegsIn: 3, SegsOut: 4, Type: SockSeqpacket, Peer: 1<<63 + 6, PeerInode: 10, PeerPID: 99, FileRefs: 2},
		&IO{Time: 5, Duration: 900, CPU: 3, PID: 100, TID: 101, FD: 7, Socket: 1<<63 + 5, Inode: 9, Call: CallRecvfrom, Dir: Read, Family: 2,
			Flags: IOMsgStart | IOOffsetValid, Cut: CutBudget, Ret: 5000, Seq: 1<<32 - 2, SRTT: 44 * time.Microsecond, RTTVar: time.Microsecond, Captured: 4,
			LPort: 8080, RPort: 54321, Remote: netip.MustParseAddr("192.0.2.1"), Payload: []byte("GET ")},
		&IO{Time: 6, Duration: -1, FD: -1, PID: 100, TID: 101, Socket: 1<<63 + 5, Call: CallWrite, Dir: Write, Flags: IONoEntry, Ret: -32},
		&Socket{Time: 7, Duration: -1, FD: -1, Socket: 6, Op: SockShutdown, NewState: 1, Family: 10, Protocol: 6},
		&Ring{Time: 8, CPU: 1, Captured: 10, Lost: 1, LostBytes: 1 << 40},
		&Heartbeat{Time: 9, RecorderCPU: time.Second, RSS: 1 << 20, JournalBytes: 2, SealedBytes: 3, UnsealedBytes: 4, Events: 5, LostEvents: 6, ProgramTime: -1, ShedLevel: 2, Targets: 3,
			ProgramsMeasured: time.Second, ShedCalls: 7, ShedBytes: 8, FreeMemory: 9, FreeDisk: 10},
		&Note{Time: 10, Name: "target_exited", Count: 2, Detail: "pid 100"},
		&Trigger{Time: 10, Op: TriggerFired, Firing: 3, Name: "busy", Rule: "busy: cpu > 80% => mark", Metric: "cpu", Unit: "%", Value: 93_500, Limit: 80_000, Held: 3, Periods: 10,
			Others: 2, PID: 100, Start: 77, Comm: "nginx", Socket: 1 << 63, Inode: 9, Local: local, Remote: remote, Detail: "of 4 processes"},
		&Trigger{Time: 10, Op: TriggerFailed, Firing: 3, Name: "busy", Action: "snap", Detail: "no room", Count: 1},
		&Container{Time: 10, ID: "aaefb9d8feed", PodUID: "2fc932ce-fdcc-454b-97bd-aadfdeb4c340", Runtime: "containerd", Name: "app", Pod: "shop-7d9f", Namespace: "shop", Image: "docker.io/library/nginx:1.27", Cgroup: "/kubepods"},
		&Process{Time: 11, Op: ProcExit, PID: 100, TID: 100, ExitStatus: 9, Comm: "nginx"},
		&Socket{Time: 12, Duration: -1, FD: -1, Socket: 6, Op: SockState, OldState: TCPFinWait2, NewState: TCPClose, Family: 2, Protocol: 6,
			BytesAcked: 1 << 40, BytesReceived: 1<<64 - 1, SndWnd: 65535, RcvWnd: 1, Cwnd: 10, MSS: 1448, Interface: 2, Error: 110, RTTMin: 7 * time.Microsecond},
		&TLS{Time: 13, Duration: 900, CPU: 3, PID: 100, TID: 101, Session: 1<<63 + 7, Socket: 1<<63 + 5, Inode: 9, Library: TLSGnuTLS, Call: TLSReadEx, Dir: Read,
			Flags: TLSNested | TLSMasked, Cut: CutBudget, Offset: 1 << 40, Ret: 5000, Captured: 5, Payload: []byte("GET /")},
		&TCP{Time: 13, CPU: 2, Socket: 1<<63 + 5, Inode: 9, NetNS: 4026531840, Op: TCPRetransmit, Cause: CauseProbe, Dir: Write, State: TCPEstablished,
			CAState: 2, Flags: 24, Family: 2, Value: -11, Local: local, Remote: remote, Seq: 1<<32 - 1, Bytes: 1448, Segs: 1, SRTT: 44 * time.Microsecond,
			Cwnd: 10, Ssthresh: 1<<31 - 1, SndWnd: 65536, RcvWnd: 5, Retrans: 3, Lost: 1},
		&TLS{Time: 14, Duration: -1, PID: 100, TID: 101, Session: 8, Library: TLSGo, Call: TLSWrite, Dir: Write, Cut: CutNoCopy, Ret: 10},
		&TCP{Time: 14, Socket: 6, Op: TCPDrop, Dir: Read, Family: 10, Value: 41, Reason: "TCP_OLD_SEQUENCE", Flags: 0x82, Segs: 2},
		&TLSKey{Time: 15, CPU: 1, PID: 100, TID: 101, Label: TLSServerTraffic, Source: TLSSourceKDF, Random: []byte{0, 1, 255}, Context: []byte{2}, Secret: []byte{3, 4}},
		&TLSKey{Time: 16, PID: 100, TID: 100, Label: TLSKeyBlock, Source: TLSSourceGo},
		&Probe{Time: 17, PID: 100, Purpose: "keys", Library: "openssl", Version: "3.0.19", Path: "/usr/lib/libcrypto.so.3", BuildID: "ab12", Static: true, How: "symbol", Probes: 2},
		&Probe{Time: 18, PID: 100, Purpose: "keys", Library: "go", Error: "too old"},
		&OnCPU{Time: 19, CPU: 3, PID: 100, TID: 101, Comm: "nginx: worker", Period: 10_101_010, Kernel: true, Stack: 1<<32 - 1, Verdict: StackCopyEnd, Unwound: UnwoundBoth},
		&Stack{Time: 20, ID: 1<<32 - 1, Parent: 4, Kind: FrameUser, Module: 2, Address: 1<<64 - 1},
		&Module{Time: 21, ID: 2, Kind: ModuleELF, PID: 100, Path: "/usr/sbin/nginx", BuildID: "6b3a9e2c", BuildIDKind: BuildIDGNU, Bytes: 1 << 30, Symbols: 9, Names: "symtab+dynsym", Error: "no .symtab"},
		&Mapping{Time: 22, PID: 100, Start: 1 << 46, End: 1<<64 - 1, Offset: 4096, Module: 2, Path: "/usr/sbin/nginx"},
		&Symbol{Time: 23, Module: 2, Address: 1 << 63, Bytes: 16, Source: SymbolDynsym, Name: "_ZN3fooEv"},
		&OffCPU{Time: 24, CPU: 2, Duration: time.Second, PID: 100, TID: 101, Comm: "nginx", State: BlockSleep, Syscall: 202, RunDelay: 5, WakerPID: 9, WakerTID: 10, WakerComm: "kworker", Stack: 7, Verdict: StackComplete, Unwound: UnwoundTable, Taken: TakenSame, Unfinished: true},
		&OffCPU{Time: 25, Duration: 1, State: BlockRunnable, Syscall: -1, RunDelay: -1},
		&OffCPUTotal{Time: 26, PID: 100, TID: 101, Comm: "nginx", State: BlockDisk, Count: 1 << 40, Duration: time.Hour, RunDelay: time.Minute},
	}
}

func testWriter(t testing.TB, dir string, cfg WriterConfig) *Writer {
	t.Helper()
	if cfg.Filter == nil {
		cfg.Filter = NoFilter{}
	}
	w, err := Create(dir, CaptureInfo{Tool: "test", Host: "node", CPUs: 4}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// cloneRow copies a row, which is only valid during its step.
func cloneRow(row Row) Row {
	switch r := row.(type) {
	case *Socket:
		return ptr(*r)
	case *IO:
		c := *r
		c.Payload = slices.Clone(r.Payload)
		return &c
	case *Process:
		c := *r
		c.Args = slices.Clone(r.Args)
		return &c
	case *Clock:
		return ptr(*r)
	case *Heartbeat:
		return ptr(*r)
	case *Ring:
		return ptr(*r)
	case *Hook:
		return ptr(*r)
	case *Note:
		return ptr(*r)
	case *Trigger:
		return ptr(*r)
	case *Container:
		return ptr(*r)
	case *OnCPU:
		return ptr(*r)
	case *OffCPU:
		return ptr(*r)
	case *OffCPUTotal:
		return ptr(*r)
	case *Stack:
		return ptr(*r)
	case *Symbol:
		return ptr(*r)
	case *Module:
		return ptr(*r)
	case *Mapping:
		return ptr(*r)
	case *TCP:
		return ptr(*r)
	case *TLSKey:
		return ptr(r.clone())
	case *Probe:
		return ptr(*r)
	case *TLS:
		c := *r
		c.Payload = slices.Clone(r.Payload)
		return &c
	}
	panic(fmt.Sprintf("row of type %T", row))
}

func ptr[T any](v T) *T { return &v }

// readAll reads all rows, and the errors between them.
func readAll(t testing.TB, r *Reel, opts RowsOptions) (rows []Row, errs []error) {
	t.Helper()
	for row, err := range r.Rows(opts) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		rows = append(rows, cloneRow(row))
	}
	return rows, errs
}

func openAll(t testing.TB, dir string, opts OpenOptions) (rows []Row, errs []error, problems []Problem) {
	t.Helper()
	r, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	rows, errs = readAll(t, r, RowsOptions{})
	return rows, errs, r.Problems()
}

var sameRows = cmp.Options{cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })}

func TestRoundTrip(t *testing.T) {
	want := sampleRows()
	for _, sealed := range []bool{true, false} {
		dir := filepath.Join(t.TempDir(), "a.reel")
		w := testWriter(t, dir, WriterConfig{})
		for _, row := range want {
			if err := w.AppendRow(row); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if sealed {
			err = w.Close()
		} else {
			err = w.Flush()
			defer w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		got, errs, problems := openAll(t, dir, OpenOptions{Filter: NoFilter{}})
		if len(errs) > 0 {
			t.Fatalf("sealed %v: %v", sealed, errs)
		}
		if sealed && len(problems) > 0 {
			t.Errorf("a clean reel has problems: %v", problems)
		}
		if !sealed && (len(problems) != 1 || problems[0].Kind != ProblemUnclean) {
			t.Errorf("an open reel has problems %v", problems)
		}
		if diff := cmp.Diff(want, got, sameRows); diff != "" {
			t.Errorf("sealed %v: %s", sealed, diff)
		}
	}
}

// ioEvent makes a kernel record.
func ioEvent(e wire.IOEvent, payload []byte) []byte {
	e.CapturedLen = uint32(len(payload))
	e.H.Kind = wire.EventIO
	e.H.Size = uint32(wire.IOEventSize + len(payload))
	return append(e.Append(nil), payload...)
}

func TestErrorsOfOpen(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir, OpenOptions{}); !errors.Is(err, ErrNotReel) {
		t.Errorf("an empty directory: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none"), OpenOptions{}); !errors.Is(err, ErrNotReel) {
		t.Errorf("nothing: %v", err)
	}
}

// What was recorded is its owner's alone.
func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // has no such modes
	}
	dir := filepath.Join(t.TempDir(), "a.reel")
	w := testWriter(t, dir, WriterConfig{})
	if err := w.AppendRow(&Note{Time: 1}); err != nil {
		t.Fatal(err)
	}
	check := func() {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if want := fs.FileMode(0o600); err == nil && !d.IsDir() && info.Mode().Perm() != want {
				t.Errorf("%s has mode %v", path, info.Mode())
			}
			if err == nil && d.IsDir() && info.Mode().Perm() != 0o700 {
				t.Errorf("%s has mode %v", path, info.Mode())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	check()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	check()
}
