// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* moved.h turns bytes that were moved, by a call or by one message of it, into their io_event: their place, how many are kept, and whose they are. */
#ifndef REEL_MOVED_H
#define REEL_MOVED_H

#include "arguments.h"
#include "budget.h"
#include "endpoint.h"
#include "lifecycle.h"
#include "record.h"
#include "transfer.h"
#include "unseen.h"

#define DNS_PORT   53
#define HTTPS_PORT 443

static __always_inline bool is_dgram(__u8 kind)
{
	return kind == SOCKET_UDP || kind == SOCKET_UNIX_DGRAM;
}

/* Counts the bytes of a socket that has no sequence numbers of its own. */
static __always_inline void place_counted(struct cpu_state *cpu, struct work *w, __u32 moved)
{
	struct endpoint *p = endpoint_of(w->sock.sk, w->sock.inode);
	struct io_event *e = &w->event;

	if (!p) { /* dropped, though its budget is still there */
		announce(cpu, &w->sock, e->fd, e->h.time_ns);
		p = endpoint_of(w->sock.sk, w->sock.inode);
	}
	e->flags &= ~IO_OFFSET_VALID;
	if (!p)
		return;
	e->flags |= IO_OFFSET_VALID;
	e->seq = count_moved(p, e->dir, e->flags & IO_PEEK ? 0 : moved);
}

/* Is the first byte that of a QUIC long header (RFC 9000 17.2)? */
static __always_inline bool is_quic(struct source *src)
{
	struct user_iovec *element;
	__u64 addr = src->addr;
	__u8 first = 0;

	if (src->vector) {
		element = src->count ? current_element(src) : NULL;
		if (!element)
			return false;
		addr = element->base;
	}
	bpf_probe_read_user(&first, 1, (const void *)addr);
	return (first & 0xc0) == 0xc0;
}

/* The peer of a datagram: as the call says, else as the socket is connected. */
static __always_inline void find_peer(struct work *w)
{
	const struct sock *sk = w->sock.sk;
	struct io_event *e = &w->event;

	__builtin_memset(w->peer, 0, sizeof(w->peer));
	e->rport = w->sock.rport;
	if (read_peer(w->peer, &e->rport, w->name) || !w->sock.rport)
		return;
	if (w->sock.family == AF_INET6)
		READ_INTO(w->peer, 16, sock, sk, __sk_common.skc_v6_daddr);
	else
		*(__u32 *)w->peer = READ(sock, sk, __sk_common.skc_daddr);
}

/* The bytes to copy of `moved`, and e->cut if that is less. */
static __always_inline __u32 bytes_wanted(struct conversation *c, struct work *w, __u64 moved)
{
	struct io_event *e = &w->event;
	__u8 cut = CUT_NONE;
	__u32 want;

	if (is_dgram(w->sock.kind))
		c->dir = DIR_INVALID; /* each is a message */
	want = spend(c, e->dir, e->h.time_ns, moved, &e->flags, &cut);
	if (e->cut == CUT_NO_COPY)
		return 0;
	if (cut != CUT_NONE)
		e->cut = cut;
	if (want > w->source.bytes) { /* a datagram that was longer than its buffer */
		e->cut = CUT_NO_COPY;
		return (__u32)w->source.bytes;
	}
	return want;
}

/* A UDP datagram: those of DNS are kept, of others the length. */
static __always_inline void emit_udp(struct cpu_state *cpu, struct work *w, __u64 moved, __u32 want, const bool loops)
{
	struct io_event *e = &w->event;

	find_peer(w);
	if (e->lport != DNS_PORT && e->rport != DNS_PORT) {
		if ((e->lport == HTTPS_PORT || e->rport == HTTPS_PORT) && moved && is_quic(&w->source))
			count_unseen(UNSEEN_QUIC);
		if (want)
			e->cut = CUT_PROTOCOL;
		want = 0;
	}
	emit_dgram(cpu, want, loops);
}

static __always_inline int emit_filled(__u64 moved, const bool loops)
{
	struct cpu_state *cpu = this_cpu();
	struct conversation *c;
	struct work *w;
	__u32 want = 0;

	if (!cpu)
		return 0;
	w = &cpu->work;
	w->moved = moved;
	barrier(); /* it is read again: the stack is scarce */
	c = conversation(w->sock.sk);
	if (!c)
		return 0;
	if (w->sock.kind != SOCKET_TCP)
		place_counted(cpu, w, (__u32)w->moved);
	if (w->moved)
		want = bytes_wanted(c, w, w->moved);
	if (w->sock.kind == SOCKET_UDP)
		emit_udp(cpu, w, w->moved, want, loops);
	else
		emit_io(cpu, want, loops);
	if (w->sock.kind == SOCKET_TCP && w->moved && !(w->event.flags & IO_PEEK))
		count_transfer(cpu, &w->sock, w->event.dir, w->event.fd, w->moved);
	return 0;
}

/* The verifier looks at these two by themselves, once: from calls of one message and from loops over several. */
__noinline int emit_filled_looping(__u64 moved)
{
	return emit_filled(moved, true);
}

__noinline int emit_filled_bounded(__u64 moved)
{
	return emit_filled(moved, false);
}

/* The event in the work space is filled but for what depends on the bytes moved; emits it. */
static __always_inline void emit_moved(__u64 moved, const bool loops)
{
	if (loops)
		emit_filled_looping(moved);
	else
		emit_filled_bounded(moved);
}

#endif /* REEL_MOVED_H */
