// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* state.h turns a change of a TCP socket's state into a sock_event, whatever task or softirq brought it about. */
#ifndef REEL_STATE_H
#define REEL_STATE_H

#include "lifecycle.h"
#include "target.h"
#include "track.h"

/*
 * 1: a socket stays in `sockets` past its change to CLOSE, until the kernel
 * frees it: a reset that a close sends comes after that change. User space
 * sets it once tcp_destroy_sock is attached, without which nothing would
 * delete the entry.
 */
volatile __u8 kept_until_freed = 0;

/* The role of a socket that is not known yet, if the change shows that it belongs to a target; else 0. */
static __always_inline __u8 role_by_change(const struct sock *sk, int old_state, int new_state)
{
	/* connect(2) and listen(2) change the state in the calling task. */
	if (new_state == TCP_SYN_SENT && is_target(current_pid_tgid() >> 32))
		return ROLE_CLIENT;
	if (old_state == TCP_SYN_RECV && new_state == TCP_ESTABLISHED && has_listener(sk))
		return ROLE_SERVER;
	return ROLE_UNKNOWN;
}

static __always_inline void emit_change(struct cpu_state *cpu, const struct sock *sk, int old_state, int new_state, __u64 inode, __u8 role)
{
	struct sock_event *e = reserve(cpu, EVENT_SOCK, sizeof(*e));
	struct call_facts f = {.now = bpf_ktime_get_ns(), .fd = -1, .op = SOCK_STATE, .role = role};

	if (new_state == TCP_LISTEN)
		f.op = SOCK_LISTEN;
	if (!e)
		return;
	fill_socket(e, sk, inode);
	fill_call(e, &f);
	e->old_state = (__u8)old_state;
	e->new_state = (__u8)new_state;
	commit(cpu, e, sizeof(*e));
}

/* `argument` is where the program's context holds the address of the struct sock. */
static __always_inline int on_state(const void *argument, int old_state, int new_state)
{
	struct sock *sk = read_argument(argument);
	struct cpu_state *cpu = this_cpu();
	struct tracked *known;
	struct socket_ref s = {.sk = sk};
	__u64 inode = 0;
	__u8 role = ROLE_UNKNOWN;
	bool listens = new_state == TCP_LISTEN && is_target(current_pid_tgid() >> 32);

	if (!cpu || !describe(&s) || s.kind != SOCKET_TCP)
		return 0;
	known = tracked_socket(sk);
	if (known) {
		inode = known->inode;
		role = known->role;
	} else if (!listens) {
		role = role_by_change(sk, old_state, new_state);
		if (role == ROLE_UNKNOWN)
			return 0;
	}
	if (!ports_wanted(s.lport, s.rport))
		return 0;
	emit_change(cpu, sk, old_state, new_state, inode, role);
	if (old_state == TCP_LISTEN)
		forget_listener(sk);
	if (new_state == TCP_CLOSE) {
		if (!kept_until_freed)
			forget_socket(sk);
		return 0;
	}
	if (new_state == TCP_LISTEN)
		track_listener(cpu, sk);
	if (!known)
		remember_socket(cpu, sk, inode, role);
	return 0;
}

/* The kernel is about to free a TCP socket: its address may name another soon. */
static __always_inline int on_destroy(const void *argument)
{
	const struct sock *sk = read_argument(argument);

	if (tracked_socket(sk))
		forget_socket(sk);
	return 0;
}

#endif /* REEL_STATE_H */
