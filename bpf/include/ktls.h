// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* ktls.h knows TCP sockets whose records the kernel itself encrypts (Documentation/networking/tls.rst). */
#ifndef REEL_KTLS_H
#define REEL_KTLS_H

#include "budget.h"
#include "lifecycle.h"
#include "unseen.h"

/* Has setsockopt(TCP_ULP, "tls") been called on the socket? */
static __always_inline bool has_ktls(const struct sock *sk)
{
	const struct tcp_ulp_ops *ops = READ(inet_connection_sock, sk, icsk_ulp_ops);
	char name[4] = {};

	if (!ops)
		return false;
	READ_INTO(name, sizeof(name), tcp_ulp_ops, ops, name);
	return name[0] == 't' && name[1] == 'l' && name[2] == 's' && !name[3];
}

/* The call's bytes are plaintext, and TCP numbers those of the records. */
static __always_inline void mark_ktls(struct io_event *e)
{
	e->flags |= IO_KTLS;
	e->flags &= ~IO_OFFSET_VALID;
	count_unseen(UNSEEN_KTLS);
}

/* Exit of setsockopt: from here on the socket may be another. */
static __always_inline void on_setsockopt(const struct pt_regs *regs, __s64 ret)
{
	struct conversation *c;
	struct socket_ref s;

	if (ret || SYSCALL_ARG1(regs) != SOL_TCP || SYSCALL_ARG2(regs) != TCP_ULP)
		return;
	if (!socket_of_fd((__s32)SYSCALL_ARG0(regs), &s) || s.kind != SOCKET_TCP)
		return;
	c = conversation(s.sk);
	if (c && c->sk == (__u64)s.sk)
		c->ktls = has_ktls(s.sk);
}

#endif /* REEL_KTLS_H */
