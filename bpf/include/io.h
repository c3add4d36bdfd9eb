// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* io.h turns the exit of a read/write-like call into its io_events. */
#ifndef REEL_IO_H
#define REEL_IO_H

#include "inflight.h"
#include "ktls.h"
#include "messages.h"
#include "tie.h"

/* The socket that the call moved bytes of. */
static __always_inline bool socket_of_io(const struct inflight *entry, struct io_event *e, const struct pt_regs *regs, struct socket_ref *s)
{
	if (socket_of_call(entry, e->fd, s))
		return true;
	if (e->call != CALL_SPLICE)
		return false;
	e->fd = (__s32)SYSCALL_ARG2(regs);
	e->dir = DIR_WRITE;
	return socket_of_fd(e->fd, s);
}

/* Counts a call instead of recording it, at SHED_IO. */
static __always_inline bool shed_io(struct cpu_state *cpu, const struct io_event *e, __s64 ret)
{
	if (shed < SHED_IO)
		return false;
	COUNT(cpu->shed_calls, 1);
	if (ret > 0 && moves_messages(e->call))
		ret = (__s64)messages_sum(cpu->work.messages.addr, (__u32)ret);
	if (ret > 0 && !(e->flags & IO_PEEK))
		COUNT(cpu->shed_bytes, ret);
	return true;
}

/* Is a call that returned 0 of interest? It is if it met the end of the stream, or moved a message without bytes. */
static __always_inline bool keep_zero(struct work *w, const struct socket_ref *s)
{
	struct io_event *e = &w->event;

	if (e->dir == DIR_READ && !w->no_room && READ(sock, s->sk, sk_shutdown) & RCV_SHUTDOWN) {
		e->flags |= IO_EOF;
		return true;
	}
	return is_dgram(s->kind) && !moves_messages(e->call);
}

/* The place of a TCP call's bytes in the stream. `moved`: 0 if it is not known yet. */
static __always_inline void place_tcp(struct io_event *e, const struct socket_ref *s, __u32 moved)
{
	struct tcp_seqs seqs = read_seqs(s->sk);

	e->srtt_us = READ(tcp_sock, s->sk, srtt_us) >> 3;
	e->rttvar_us = READ(tcp_sock, s->sk, mdev_us) >> 2;
	e->flags |= IO_OFFSET_VALID;
	e->seq = e->dir == DIR_WRITE ? seqs.write : seqs.read;
	if (e->flags & IO_PEEK)
		return;
	e->seq -= moved;
	/* A read that steps over an urgent byte does so first: then a number is missing that no call will have. */
	if (e->dir == DIR_READ && moved && READ(tcp_sock, s->sk, urg_seq) == e->seq - 1)
		e->flags |= IO_OOB;
}

/* What does not depend on the bytes moved. */
static __always_inline void fill_io(struct io_event *e, const struct inflight *entry, const struct socket_ref *s, __u64 now)
{
	e->h.time_ns = now;
	if (!entry_seen(entry))
		e->flags |= IO_NO_ENTRY;
	else
		e->duration_ns = now - entry->enter_ns;
	if (entry->blocked)
		e->flags |= IO_BLOCKED;
	if (s->file_flags & O_NONBLOCK)
		e->flags |= IO_NONBLOCK;
	if (is_dgram(s->kind))
		e->flags |= IO_DGRAM;
	e->sock = socket_id(s->sk);
	e->inode = s->inode;
	e->family = (__u8)s->family;
	e->lport = s->lport;
	e->rport = s->rport;
}

/* Makes sure that the socket is known, and that its budget is its own. */
static __always_inline void open_conversation(struct cpu_state *cpu, struct conversation *c, const struct socket_ref *s, __s32 fd, __u64 now)
{
	if (c->sk == (__u64)s->sk && c->inode == s->inode)
		return;
	if (!announce(cpu, s, fd, now))
		return;
	c->inode = s->inode;
	c->used = 0;
	c->dir = DIR_INVALID;
	c->ktls = s->kind == SOCKET_TCP && has_ktls(s->sk);
	c->sk = (__u64)s->sk;
}

/* The exit of a read/write-like call of a target. */
static __always_inline void on_io(struct cpu_state *cpu, const struct inflight *entry, __u8 call, const struct pt_regs *regs, __s64 ret,
				  const bool loops)
{
	struct work *w = &cpu->work;
	struct io_event *e = &w->event;
	struct conversation *c;
	struct socket_ref s;
	__u64 now;

	describe_call(w, call, regs);
	if (!socket_of_io(entry, e, regs, &s)) {
		if (s.kind == SOCKET_MPTCP)
			count_unseen(UNSEEN_MPTCP);
		return;
	}
	if (!wanted(&s))
		return;
	if (w->errqueue) {
		COUNT(cpu->errqueue, 1);
		return;
	}
	if (tie_modes)
		tie(&s, regs);
	if (ret == 0 && !keep_zero(w, &s))
		return;
	if (shed_io(cpu, e, ret))
		return;
	c = conversation(s.sk);
	if (!c)
		return;
	now = bpf_ktime_get_ns();
	open_conversation(cpu, c, &s, e->fd, now);
	w->sock = s;
	fill_io(e, entry, &s, now);
	if (e->flags & IO_TRUNC && s.kind == SOCKET_TCP) /* tcp(7): the bytes are thrown away */
		e->cut = CUT_NO_COPY;
	if (s.kind == SOCKET_TCP)
		place_tcp(e, &s, ret > 0 && !moves_messages(call) ? (__u32)ret : 0);
	if (c->ktls)
		mark_ktls(e);
	if (ret > 0 && moves_messages(call)) {
		emit_messages(w, (__u32)ret, loops);
		return;
	}
	e->ret = ret;
	emit_moved(ret > 0 ? (__u64)ret : 0, loops);
}

#endif /* REEL_IO_H */
