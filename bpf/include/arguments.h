// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* arguments.h turns the arguments of a read/write-like call into a direction, flags, and where its bytes lie. */
#ifndef REEL_ARGUMENTS_H
#define REEL_ARGUMENTS_H

#include "cpu.h"
#include "syscall.h"

static __always_inline void apply_msg_flags(struct work *w, __u64 flags)
{
	struct io_event *e = &w->event;

	if (flags & MSG_DONTWAIT)
		e->flags |= IO_NONBLOCK;
	if (flags & MSG_OOB)
		e->flags |= IO_OOB;
	if (e->dir != DIR_READ) {
		if (flags & MSG_ZEROCOPY)
			e->flags |= IO_ZEROCOPY;
		return;
	}
	if (flags & MSG_ERRQUEUE)
		w->errqueue = 1;
	if (flags & (MSG_PEEK | MSG_OOB)) /* neither moves the offset */
		e->flags |= IO_PEEK;
	if (flags & MSG_TRUNC)
		e->flags |= IO_TRUNC;
}

static __always_inline void use_range(struct work *w, __u64 addr, __u64 len)
{
	w->source.addr = addr;
	w->source.bytes = len;
	w->no_room = len == 0;
}

static __always_inline void use_vector(struct work *w, __u64 addr, __u64 count)
{
	w->source.addr = addr;
	w->source.count = count > UIO_MAXIOV ? UIO_MAXIOV : (__u32)count;
	w->source.vector = 1;
}

/* A struct msghdr. What the kernel wrote to its flags says whether a datagram was cut. */
static __always_inline void use_message(struct work *w, const struct user_mmsghdr *m)
{
	use_vector(w, m->head.iov, m->head.iovlen);
	w->name = m->head.name;
	if (w->event.dir == DIR_READ && m->flags & MSG_TRUNC)
		w->event.flags |= IO_TRUNC;
}

static __always_inline void read_message(struct work *w, __u64 addr)
{
	struct user_mmsghdr *m = &w->message;

	if (bpf_probe_read_user(m, USER_MSGHDR_SIZE, (const void *)addr)) /* which zeroes it then */
		w->source.fault = 1;
	use_message(w, m);
}

static __always_inline bool moves_messages(__u8 call)
{
	return call == CALL_RECVMMSG || call == CALL_SENDMMSG;
}

/* Fills what the arguments say, and clears the rest of the work space but for the event's header. recvmmsg and sendmmsg are described message by message (messages.h). */
static __always_inline void describe_call(struct work *w, __u8 call, const struct pt_regs *regs)
{
	__u64 buf = SYSCALL_ARG1(regs), len = SYSCALL_ARG2(regs);
	struct io_event *e = &w->event;

	__builtin_memset((__u8 *)w + sizeof(e->h), 0, __builtin_offsetof(struct work, source) + __builtin_offsetof(struct source, batch) - sizeof(e->h));
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
		w->name = SYSCALL_ARG4(regs);
		break;
	case CALL_READV:
	case CALL_WRITEV:
	case CALL_PREADV2:
	case CALL_PWRITEV2:
		use_vector(w, buf, len);
		break;
	case CALL_RECVMSG:
	case CALL_SENDMSG:
		read_message(w, buf);
		apply_msg_flags(w, len);
		break;
	case CALL_RECVMMSG:
	case CALL_SENDMMSG:
		apply_msg_flags(w, SYSCALL_ARG3(regs));
		w->messages.addr = buf;
		break;
	default: /* sendfile, and splice out of a socket; splice into one is seen by socket_of_io */
		e->cut = CUT_NO_COPY;
	}
}

#endif /* REEL_ARGUMENTS_H */
