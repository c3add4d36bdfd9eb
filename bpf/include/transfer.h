// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* transfer.h tells when a message of a TCP connection grows beyond the size that a trigger rule names: once for each message. */
#ifndef REEL_TRANSFER_H
#define REEL_TRANSFER_H

#include "lifecycle.h"

/* Without a rule the limit is 0, and the verifier takes all of this out of the programs: it costs nothing. */
const volatile __u64 transfer_limit = 0; /* bytes */

/*
 * Counts the bytes that a call has moved. A message is what moves in one direction until the other direction moves bytes, as
 * for the budget (budget.h), but pauses do not end it. Two threads in calls on one socket at once may lose a count to
 * each other: a message that is much longer than the limit is told all the same.
 */
static __always_inline void count_transfer(struct cpu_state *cpu, const struct socket_ref *s, __u8 dir, __s32 fd, __u64 moved)
{
	struct call_facts *f = &cpu->work.facts;
	struct tracked *t;
	__u64 before;

	if (!transfer_limit)
		return;
	t = tracked_socket(s->sk);
	if (!t)
		return;
	before = t->dir == dir ? t->moved : 0;
	t->dir = dir;
	t->moved = before + moved;
	if (before > transfer_limit || t->moved <= transfer_limit)
		return;
	*f = (struct call_facts){.now = bpf_ktime_get_ns(), .fd = fd, .role = t->role,
		.ret = t->moved > 0x7fffffffffffffffULL ? 0x7fffffffffffffffLL : (__s64)t->moved,
		.op = dir == DIR_WRITE ? SOCK_LONG_WRITE : SOCK_LONG_READ};
	if (!emit_inet(cpu, s, f)) /* TCP alone has transfers */
		t->moved = before; /* the ring had no room: the next call tells */
}

#endif /* REEL_TRANSFER_H */
