// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/*
 * tie.h ties plaintext to its socket: while a thread, or a goroutine, is inside
 * a call of a TLS library, what its system calls work on is the socket of that
 * TLS connection.
 */
#ifndef REEL_TIE_H
#define REEL_TIE_H

#include "function.h"
#include "socket.h"

/* Who is inside a call: a thread, or (Go) a goroutine, which may end the call on another thread. */
struct caller {
	__u32 tgid;
	__u32 tid;       /* 0: goroutine says who */
	__u64 goroutine; /* address of its struct */
};

/* A call of a TLS library between its entry and its return. */
struct tls_inflight {
	__u64 object; /* address of the connection's object: SSL, gnutls_session_t, *tls.Conn */
	__u64 addr;   /* of the buffer; what was copied of it is counted here */
	__u64 length; /* that was asked for */
	__u64 moved;  /* where SSL_read_ex and SSL_write_ex store the number of bytes */
	__u64 stack;  /* pointer at entry */
	__u64 enter_ns;
	__u64 exit_ns;
	__u64 sk; /* struct sock of the call's own io; 0: none yet */
	__u64 inode;
	__u64 left;  /* bytes that no row is about yet */
	__u64 wanted; /* of these, the bytes to copy */
	__u16 flags; /* enum tls_flag */
	__u8 call;   /* enum tls_call */
	__u8 library;
	__u8 dir; /* enum io_direction */
	__u8 cut; /* enum cut_reason */
	__u8 pad[2];
};

/*
 * tls_calls: calls of TLS libraries under way.
 *   key        struct caller
 *   value      struct tls_inflight
 *   inserted   entry of the function
 *   deleted    its return
 *   read by    exit of read/write-like system calls, return of the function
 *   bound      16,384 callers
 *   overflow   the caller that was quiet for longest is forgotten: no row of its call
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct caller);
	__type(value, struct tls_inflight);
} tls_calls SEC(".maps");

enum tie_mode { TIE_THREADS = 1, TIE_GOROUTINES = 2 };

/* Which callers there may be in tls_calls: enum tie_mode, or-ed. User space changes it; 0 costs one load a call. */
volatile __u32 tie_modes = 0;

/* At the exit of a call that moved bytes of a socket. */
static __always_inline void tie(const struct socket_ref *s, const struct pt_regs *regs)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	struct caller who = {.tgid = pid_tgid >> 32, .tid = (__u32)pid_tgid};
	struct tls_inflight *call = bpf_map_lookup_elem(&tls_calls, &who);

	if (!call && tie_modes & TIE_GOROUTINES) {
		who.tid = 0;
		who.goroutine = GO_G(regs);
		call = bpf_map_lookup_elem(&tls_calls, &who);
	}
	if (!call || (s->kind != SOCKET_TCP && s->kind != SOCKET_UNIX_STREAM))
		return;
	if (call->sk && call->sk != (__u64)s->sk) {
		call->flags |= TLS_FLAG_TWO_SOCKETS;
		return;
	}
	call->sk = (__u64)s->sk;
	call->inode = s->inode;
}

#endif /* REEL_TIE_H */
