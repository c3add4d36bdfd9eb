package analyze_test

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"time"

	"github.com/ebpf-reel/reel/format"
)

// synthetic is a reel of a server with many keep-alive connections, as its worker processes see them: each exchange is a
// read and a write (every eighth has a body by sendfile), in the sizes of ordinary requests. It is made as it is read, so
// that a benchmark measures the analysis and nothing else.
type synthetic struct {
	exchanges, conns int
	perConn          int // exchanges before a connection is closed and another opened; 0: never
	drop             int // every drop-th io row is missing; 0: none
}

func (synthetic) Manifest() *format.Manifest {
	return &format.Manifest{UUID: "synthetic", Clean: true, Capture: format.CaptureInfo{Host: "bench"}}
}
func (synthetic) Problems() []format.Problem { return nil }

func (s synthetic) Rows(opts format.RowsOptions) iter.Seq2[format.Row, error] {
	return func(yield func(format.Row, error) bool) {
		want := func(t format.TableID) bool { return len(opts.Tables) == 0 || slices.Contains(opts.Tables, t) }
		if want(format.TableProcess) {
			for w := range 4 {
				p := format.Process{Time: 1, Op: format.ProcSnapshot, PID: format.PID(100 + w), Start: 1, Comm: "nginx", Exe: "/usr/sbin/nginx"}
				if !yield(&p, nil) {
					return
				}
			}
		}
		if want(format.TableClock) {
			for i := range 10 {
				c := format.Clock{Time: format.KTime(i) * 1e9, Realtime: format.WallTime(1e18 + i*1e9), Width: 1000}
				if !yield(&c, nil) {
					return
				}
			}
		}
		if want(format.TableIO) {
			s.stream(func(r format.Row) bool { return yield(r, nil) })
		}
	}
}

// wire is one connection of a synthetic reel.
type wire struct {
	socket   format.SocketID
	inode    format.Inode
	port     uint16
	snd, rcv format.Seq
	left     int
}

// stream gives the socket and io rows in time order.
func (s synthetic) stream(yield func(format.Row) bool) {
	requests := make([][]byte, 64)
	responses := make([][]byte, 64)
	for i := range requests {
		requests[i] = fmt.Appendf(nil, "GET /api/v1/items/%d?page=2 HTTP/1.1\r\nHost: shop.example.test\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) "+
			"Gecko/20100101 Firefox/115.0\r\nAccept: application/json\r\nAccept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\n\r\n", i)
		status, body := "200 OK", `{"id":12345,"name":"a thing that one can buy","price":1999,"stock":7}`
		if i%16 == 3 {
			status, body = "404 Not Found", `{"error":"no such item"}`
		}
		responses[i] = fmt.Appendf(nil, "HTTP/1.1 %s\r\nServer: nginx/1.22.1\r\nDate: Tue, 24 Nov 2026 06:00:00 GMT\r\nContent-Type: application/json\r\n"+
			"Content-Length: %d\r\nConnection: keep-alive\r\n\r\n%s", status, len(body), body)
	}
	const fileBytes = 16384
	head := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n", fileBytes)
	local, remote := netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.9")
	now := format.KTime(1e9)
	wires := make([]wire, s.conns)
	var born, rows int
	var sock format.Socket
	var io format.IO
	open := func(w *wire) bool {
		born++
		*w = wire{socket: format.SocketID(0x1000 + born%(2*s.conns)), inode: format.Inode(born), port: uint16(1024 + born%60000),
			snd: format.Seq(born * 7919), rcv: format.Seq(born * 104729), left: s.perConn}
		sock = format.Socket{Time: now, PID: format.PID(100 + born%4), TID: format.TID(100 + born%4), FD: 5, Socket: w.socket, Inode: w.inode, NetNS: 1,
			Op: format.SockAccept, Role: format.RoleServer, Family: 2, Protocol: 6, NewState: format.TCPEstablished, Ret: 5,
			Local: format.Endpoint{Addr: local, Port: 80}, Remote: format.Endpoint{Addr: remote, Port: w.port}, SndSeq: w.snd, RcvSeq: w.rcv, RcvNxt: w.rcv}
		return yield(&sock)
	}
	move := func(w *wire, d format.Direction, call format.Call, b []byte, n int64) bool {
		now += 2 * format.KTime(time.Microsecond)
		seq := &w.rcv
		if d == format.Write {
			seq = &w.snd
		}
		pid := format.PID(100 + int(w.inode)%4)
		io = format.IO{Time: now, Duration: time.Microsecond, PID: pid, TID: format.TID(pid), FD: 5, Socket: w.socket, Inode: w.inode, Call: call, Dir: d,
			Family: 2, Flags: format.IOOffsetValid, Ret: n, Seq: *seq, SRTT: 100 * time.Microsecond, Captured: uint32(len(b)), LPort: 80, RPort: w.port, Payload: b}
		if n > int64(len(b)) {
			io.Cut = format.CutNoCopy
		}
		*seq += format.Seq(uint32(n))
		if rows++; s.drop > 0 && rows%s.drop == 0 {
			return true
		}
		return yield(&io)
	}
	for i := range wires {
		if !open(&wires[i]) {
			return
		}
	}
	for i := range s.exchanges {
		w := &wires[(i*31)%s.conns]
		k := i % len(requests)
		ok := move(w, format.Read, format.CallRecvfrom, requests[k], int64(len(requests[k])))
		now += 20 * format.KTime(time.Microsecond)
		if i%8 == 5 {
			ok = ok && move(w, format.Write, format.CallWritev, head, int64(len(head))) && move(w, format.Write, format.CallSendfile, nil, fileBytes)
		} else {
			ok = ok && move(w, format.Write, format.CallWritev, responses[k], int64(len(responses[k])))
		}
		if !ok {
			return
		}
		if w.left--; s.perConn > 0 && w.left == 0 {
			now += format.KTime(time.Microsecond)
			pid := format.PID(100 + int(w.inode)%4)
			sock = format.Socket{Time: now - 500, PID: pid, TID: format.TID(pid), Socket: w.socket, Inode: w.inode, NetNS: 1, Op: format.SockState,
				OldState: format.TCPEstablished, NewState: format.TCPFinWait1, Protocol: 6, Family: 2,
				Local: format.Endpoint{Addr: local, Port: 80}, Remote: format.Endpoint{Addr: remote, Port: w.port}, SndSeq: w.snd, RcvSeq: w.rcv, RcvNxt: w.rcv}
			if !yield(&sock) {
				return
			}
			sock.Time, sock.Duration, sock.Op, sock.OldState, sock.NewState = now, 900, format.SockClose, 0, format.TCPEstablished
			if !yield(&sock) || !open(w) {
				return
			}
		}
	}
}
