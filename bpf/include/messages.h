// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* messages.h turns the exit of recvmmsg or sendmmsg into an io_event for each message, with its own length, peer and payload. */
#ifndef REEL_MESSAGES_H
#define REEL_MESSAGES_H

#include "moved.h"

static __always_inline __u32 message_len(__u64 addr, __u32 i)
{
	__u32 len = 0;

	bpf_probe_read_user(&len, sizeof(len), (const void *)(addr + i * sizeof(struct user_mmsghdr) + __builtin_offsetof(struct user_mmsghdr, len)));
	return len;
}

/* Bytes of all messages. The verifier looks at it by itself, so that its loop is walked once. */
__noinline __u64 messages_sum(__u64 addr, __u32 count)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < UIO_MAXIOV; i++) {
		if (i >= count)
			break;
		sum += message_len(addr, i);
	}
	return sum;
}

/* The message i of the call in the work space. 1: there are no more. */
static __always_inline int emit_message(__u32 i, const bool loops)
{
	struct cpu_state *cpu = this_cpu();
	struct user_mmsghdr *m;
	struct io_event *e;
	struct work *w;

	if (!cpu)
		return 1;
	w = &cpu->work;
	e = &w->event;
	m = &w->message;
	if (i >= w->messages.count)
		return 1;
	__builtin_memset(&w->source, 0, __builtin_offsetof(struct source, batch));
	w->source.bytes = ~0ULL;
	e->flags = w->messages.flags;
	e->cut = CUT_NONE;
	if (i)
		e->flags |= IO_SAME_CALL;
	if (bpf_probe_read_user(m, sizeof(*m), (const void *)(w->messages.addr + i * sizeof(*m))))
		return 1;
	use_message(w, m);
	e->ret = m->len;
	if (w->sock.kind == SOCKET_TCP) {
		e->seq = w->messages.next;
		if (!(e->flags & IO_PEEK))
			w->messages.next += m->len;
	}
	emit_moved(m->len, loops);
	return 0;
}

/* The verifier looks at these two by themselves, so that they may stand in a loop. */
__noinline int emit_message_looping(__u32 i)
{
	return emit_message(i, true);
}

__noinline int emit_message_bounded(__u32 i)
{
	return emit_message(i, false);
}

/* All messages in the work space: the last of them ends the walk. */
__noinline int emit_each_looping(void)
{
	for (__u32 i = 0; i < UIO_MAXIOV; i++)
		if (emit_message_looping(i))
			break;
	return 0;
}

__noinline int emit_each_bounded(void)
{
	for (__u32 i = 0; i < UIO_MAXIOV; i++)
		if (emit_message_bounded(i))
			break;
	return 0;
}

/* All messages of a call that moved `count` of them. The work space is filled but for what differs between them. */
static __always_inline void emit_messages(struct work *w, __u32 count, const bool loops)
{
	w->messages.count = count;
	w->messages.flags = w->event.flags;
	if (w->sock.kind == SOCKET_TCP && !(w->event.flags & IO_PEEK))
		w->messages.next = w->event.seq - (__u32)messages_sum(w->messages.addr, count);
	else
		w->messages.next = w->event.seq;
	if (loops)
		emit_each_looping();
	else
		emit_each_bounded();
}

#endif /* REEL_MESSAGES_H */
