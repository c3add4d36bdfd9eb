// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* io.h turns the exit of a read/write-like call into an io_event. */
#ifndef REEL_IO_H
#define REEL_IO_H

#include "budget.h"
#include "inflight.h"
#include "lifecycle.h"
#include "payload.h"
#include "syscall.h"
#include "transfer.h"

#define MAX_CHUNKS  128   /* 2 MiB of one call */

static __always_inline void apply_msg_flags(struct work *w, __u64 flags)
{
	struct io_event *e = &w->event;

	if (flags & MSG_DONTWAIT)
		e->flags |= IO_NONBLOCK;
	if (e->dir != DIR_READ)
		return;
	if (flags & MSG_ERRQUEUE)
		w->errqueue = 1;
	if (flags & (MSG_PEEK | MSG_OOB)) /* neither moves the offset */
		e->flags |= IO_PEEK;
	if (flags & MSG_TRUNC) { /* tcp(7): the bytes are thrown away */
		e->flags |= IO_TRUNC;
		e->cut = CUT_NO_COPY;
	}
}

static __always_inline void use_range(struct work *w, __u64 addr, __u64 len)
{
	w->source.addr = addr;
	w->no_room = len == 0;
}

static __always_inline void use_vector(struct work *w, __u64 addr, __u64 count)
{
	w->source.addr = addr;
	w->source.count = count > UIO_MAXIOV ? UIO_MAXIOV : (__u32)count;
	w->source.vector = 1;
}

static __always_inline void use_message(struct work *w, __u64 addr)
{
	struct user_msghdr_head msg = {};

	if (bpf_probe_read_user(&msg, sizeof(msg), (const void *)addr))
		w->source.fault = 1;
	use_vector(w, msg.iov, msg.iovlen);
}

/* Adds up msg_len of the messages that a call moved. */
struct message_sum {
	__u64 addr;
	__u64 total;
	__u32 count;
	__u32 pad;
};

static long add_message(__u32 i, void *ctx)
{
	struct message_sum *sum = ctx;
	__u32 len = 0;

	if (i >= sum->count)
		return 1;
	bpf_probe_read_user(&len, sizeof(len), (const void *)(sum->addr + i * USER_MMSGHDR_SIZE + USER_MMSGHDR_LEN));
	sum->total += len;
	return 0;
}

/* recvmmsg, sendmmsg: one row with the bytes of all messages, and the payload of the first. Returns the bytes moved. */
static __always_inline __s64 use_messages(struct work *w, __u64 addr, __s64 ret, const bool loops)
{
	struct message_sum sum = {.addr = addr, .count = (__u32)ret};
	__u32 first = 0;

	if (ret <= 0)
		return ret;
	use_message(w, addr);
	if (loops) {
		bpf_loop(UIO_MAXIOV, add_message, &sum, 0);
	} else {
		for (__u32 i = 0; i < UIO_MAXIOV; i++)
			if (add_message(i, &sum))
				break;
	}
	bpf_probe_read_user(&first, sizeof(first), (const void *)(addr + USER_MMSGHDR_LEN));
	w->source.bytes = first;
	return (__s64)sum.total;
}

/* Fills what the arguments say. Returns the bytes moved, or -errno. */
static __always_inline __s64 describe_call(struct work *w, __u8 call, const struct pt_regs *regs, __s64 ret, const bool loops)
{
	__u64 buf = SYSCALL_ARG1(regs), len = SYSCALL_ARG2(regs);
	struct io_event *e = &w->event;

	__builtin_memset(w, 0, __builtin_offsetof(struct work, source) + __builtin_offsetof(struct source, batch));
	w->source.bytes = ~0ULL;
	e->call = call;
	e->fd = (__s32)SYSCALL_ARG0(regs);
	e->dir = (call >= CALL_WRITE && call <= CALL_SENDFILE) || call == CALL_PWRITEV2 ? DIR_WRITE : DIR_READ;
	switch (call) {
	case CALL_READ:
	case CALL_WRITE:
		use_range(w, buf, len);
		break;
	case CALL_RECVFROM:
	case CALL_SENDTO:
		use_range(w, buf, len);
		apply_msg_flags(w, SYSCALL_ARG3(regs));
		break;
	case CALL_READV:
	case CALL_WRITEV:
	case CALL_PREADV2:
	case CALL_PWRITEV2:
		use_vector(w, buf, len);
		break;
	case CALL_RECVMSG:
	case CALL_SENDMSG:
		use_message(w, buf);
		apply_msg_flags(w, len);
		break;
	case CALL_RECVMMSG:
	case CALL_SENDMMSG:
		apply_msg_flags(w, SYSCALL_ARG3(regs));
		return use_messages(w, buf, ret, loops);
	default: /* sendfile, and splice out of a socket; splice into one is seen by socket_of_io */
		e->cut = CUT_NO_COPY;
	}
	return ret;
}

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

/*
 * Reserves an io_event with `bytes` behind it, one of the classes below. All
 * classes meet before their room is checked: before Linux 6.6 the verifier does
 * not know that room which was checked in its class cannot fail a second check.
 */
static __always_inline struct io_event *reserve_io(struct cpu_state *cpu, __u32 bytes)
{
	__u32 id = bpf_get_smp_processor_id();
	__u64 seq = next_seq(cpu);
	void *room = NULL;

	switch (bytes) {
#define CLASS(n)                                                  \
	case n:                                                   \
		room = ring_room(id, sizeof(struct io_event) + (n)); \
		break
	CLASS(0);
	CLASS(128);
	CLASS(256);
	CLASS(512);
	CLASS(1024);
	CLASS(2048);
	CLASS(4096);
	CLASS(8192);
	CLASS(16384);
	CLASS(32768);
#undef CLASS
	}
	return admit(cpu, room, id, seq, EVENT_IO, sizeof(struct io_event) + bytes);
}

/* The least class that holds want bytes. */
static __always_inline __u32 room_for(__u32 want)
{
	if (want == 0)
		return 0;
	if (want <= 128)
		return 128;
	if (want <= 256)
		return 256;
	if (want <= 512)
		return 512;
	if (want <= 1024)
		return 1024;
	if (want <= 2048)
		return 2048;
	if (want <= 4096)
		return 4096;
	if (want <= 8192)
		return 8192;
	return 16384;
}

/* The payload past the first record of a call: its numbers are in cpu->more, this is the rest. */
struct chunks {
	struct cpu_state *cpu;
};

static __always_inline long emit_chunk(const struct chunks *c, const __u32 bytes, const bool loops)
{
	struct more *m = &c->cpu->work.more;
	__u32 n = m->want < CHUNK_BYTES ? m->want : CHUNK_BYTES;
	const struct io_event *first = &c->cpu->work.event;
	struct io_more_event *e;

	if (n == 0 || c->cpu->work.source.fault)
		return 1;
	e = reserve(c->cpu, EVENT_IO_MORE, sizeof(*e) + bytes);
	if (!e) {
		m->lost = 1;
		return 1;
	}
	e->h.time_ns = first->h.time_ns;
	e->h.pid = first->h.pid;
	e->h.tid = first->h.tid;
	e->sock = first->sock;
	e->offset = m->offset;
	n = copy_next(e + 1, bytes, CHUNK_BYTES, n, &c->cpu->work.source, loops);
	e->captured_len = n;
	m->offset += n;
	m->want -= n;
	m->chunks++;
	commit(c->cpu, e, (__u32)sizeof(*e) + n);
	return n == 0;
}

static long emit_chunk_step(__u32 i, void *ctx)
{
	struct chunks *c = ctx;

	if (c->cpu->work.source.vector)
		return emit_chunk(c, 2 * CHUNK_BYTES, true);
	return emit_chunk(c, CHUNK_BYTES, true);
}

/* The same without bpf_loop: the verifier looks at it by itself, so that it may stand in a loop. */
__noinline int emit_chunk_bounded(void)
{
	struct chunks c = {.cpu = this_cpu()};

	return c.cpu ? (int)emit_chunk(&c, CHUNK_BYTES, false) : 1;
}

__noinline int emit_chunks_bounded(void)
{
	for (__u32 i = 0; i < MAX_CHUNKS; i++)
		if (emit_chunk_bounded())
			break;
	return 0;
}

/* Emits the rest of `want` bytes. Returns why bytes are missing, if they are. */
static __always_inline __u8 emit_chunks(struct cpu_state *cpu, __u32 want, const bool loops)
{
	struct more *m = &cpu->work.more;
	struct chunks c = {.cpu = cpu};

	m->offset = CHUNK_BYTES;
	m->want = want - CHUNK_BYTES;
	if (loops)
		bpf_loop(MAX_CHUNKS, emit_chunk_step, &c, 0);
	else
		emit_chunks_bounded();
	if (m->lost)
		return CUT_LOST;
	return m->want ? CUT_LIMIT : CUT_NONE;
}

/* Copies want bytes behind the event, in further records what one does not hold, and commits them all. */
static __always_inline void emit_io(struct cpu_state *cpu, __u32 want, const bool loops)
{
	__u32 room = room_for(want), now = want < CHUNK_BYTES ? want : CHUNK_BYTES, got = 0;
	struct source *src = &cpu->work.source;
	__u32 bytes = loops && src->vector ? 2 * room : room;
	struct io_event *e = reserve_io(cpu, bytes);
	struct event_header h;

	if (!e)
		return;
	h = e->h;
	*e = cpu->work.event;
	e->h.seq = h.seq;
	e->h.cpu = h.cpu;
	e->h.kind = h.kind;
	if (room)
		got = copy_next(e + 1, bytes, room, now, src, loops);
	e->captured_len = got;
	if (want > CHUNK_BYTES && got == CHUNK_BYTES) {
		__u8 cut = emit_chunks(cpu, want, loops);

		e->more = cpu->work.more.chunks;
		if (cut != CUT_NONE)
			e->cut = cut;
	}
	if (src->fault)
		e->cut = CUT_FAULT;
	else if (got < now)
		e->cut = CUT_LIMIT;
	commit(cpu, e, (__u32)sizeof(*e) + got);
}

/* The bytes to copy of `moved`, and e->cut if that is less. */
static __always_inline __u32 bytes_wanted(struct conversation *c, struct work *w, __u64 now, __u64 moved)
{
	__u8 cut = CUT_NONE;
	__u32 want = spend(c, w->event.dir, now, moved, &w->event.flags, &cut);

	if (w->event.cut == CUT_NO_COPY)
		return 0;
	if (want > w->source.bytes) { /* only the first of several messages lies there */
		w->event.cut = CUT_LIMIT;
		return (__u32)w->source.bytes;
	}
	if (cut != CUT_NONE)
		w->event.cut = cut;
	return want;
}

/* Counts a call instead of recording it, at SHED_IO. */
static __always_inline bool shed_io(struct cpu_state *cpu, const struct io_event *e, __s64 ret)
{
	if (shed < SHED_IO)
		return false;
	COUNT(cpu->shed_calls, 1);
	if (ret > 0 && !(e->flags & IO_PEEK))
		COUNT(cpu->shed_bytes, ret);
	return true;
}

static __always_inline void fill_io(struct io_event *e, const struct inflight *entry, const struct socket_ref *s, __u64 now, __u64 moved)
{
	struct tcp_seqs seqs = read_seqs(s->sk);
	__u64 pid_tgid = current_pid_tgid();

	e->h.time_ns = now;
	e->h.pid = pid_tgid >> 32;
	e->h.tid = (__u32)pid_tgid;
	if (!entry_seen(entry))
		e->flags |= IO_NO_ENTRY;
	else
		e->duration_ns = now - entry->enter_ns;
	if (entry->blocked)
		e->flags |= IO_BLOCKED;
	if (s->file_flags & O_NONBLOCK)
		e->flags |= IO_NONBLOCK;
	e->seq = e->dir == DIR_WRITE ? seqs.write : seqs.read;
	if (!(e->flags & IO_PEEK))
		e->seq -= (__u32)moved;
	e->flags |= IO_OFFSET_VALID;
	e->sock = socket_id(s->sk);
	e->inode = s->inode;
	e->srtt_us = READ(tcp_sock, s->sk, srtt_us) >> 3;
	e->rttvar_us = READ(tcp_sock, s->sk, mdev_us) >> 2;
	e->family = (__u8)s->family;
	e->lport = s->lport;
	e->rport = s->rport;
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
	__u32 want = 0;

	ret = describe_call(w, call, regs, ret, loops);
	if (!socket_of_io(entry, e, regs, &s) || !ports_wanted(s.lport, s.rport))
		return;
	if (w->errqueue) {
		COUNT(cpu->errqueue, 1);
		return;
	}
	if (ret == 0) {
		if (e->dir != DIR_READ || w->no_room || !(READ(sock, s.sk, sk_shutdown) & RCV_SHUTDOWN))
			return;
		e->flags |= IO_EOF;
	}
	if (shed_io(cpu, e, ret))
		return;
	c = conversation(s.sk);
	if (!c)
		return;
	now = bpf_ktime_get_ns();
	if ((c->sk != (__u64)s.sk || c->inode != s.inode) && announce(cpu, &s, e->fd, now)) {
		c->inode = s.inode;
		c->used = 0;
		c->dir = DIR_INVALID;
		c->sk = (__u64)s.sk;
	}
	e->ret = ret;
	if (ret > 0)
		want = bytes_wanted(c, w, now, (__u64)ret);
	fill_io(e, entry, &s, now, ret > 0 ? (__u64)ret : 0);
	emit_io(cpu, want, loops);
	if (ret > 0 && !(e->flags & IO_PEEK))
		count_transfer(cpu, &s, e->dir, e->fd, (__u64)ret);
}

#endif /* REEL_IO_H */
