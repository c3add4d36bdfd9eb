package mask

import "github.com/ebpf-reel/reel/format"

// noInode is the inode of no socket: sessions are kept beside connections.
const noInode = ^format.Inode(0)

// tls masks and cuts plaintext that a TLS library moved: a session is a connection, and offsets are its sequence numbers.
func (f *filter) tls(r *format.TLS) {
	io := format.IO{
		Time: r.Time, PID: r.PID, TID: r.TID, Socket: format.SocketID(r.Session), Inode: noInode, Dir: r.Dir, Flags: format.IOOffsetValid,
		Seq: format.Seq(uint32(r.Offset)), Ret: r.Ret, Captured: r.Captured, Cut: r.Cut, Payload: r.Payload,
	}
	f.io(&io)
	r.Payload, r.Cut = io.Payload, io.Cut
	if io.Flags&format.IOMasked != 0 {
		r.Flags |= format.TLSMasked
	}
}
