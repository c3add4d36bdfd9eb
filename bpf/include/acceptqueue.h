// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/*
 * acceptqueue.h turns the connections that wait in the accept queues of
 * targets into sock_events: they have no file yet, so no walk over open files
 * finds them.
 */
#ifndef REEL_ACCEPTQUEUE_H
#define REEL_ACCEPTQUEUE_H

#include "lifecycle.h"
#include "target.h"

#define QUEUE_WALK 4096 /* connections of one listening socket: the default of net.core.somaxconn */

/*
 * One connection of a queue. It was read without the queue's lock: what was
 * accepted meanwhile may name anything, so it is believed only if it is what a
 * connection of this port must be. A function of its own, and global: the
 * verifier looks into it once, and not at each turn of the loop.
 */
__noinline int queued_connection(__u64 address, __u32 port)
{
	const struct sock *sk = (const struct sock *)address;
	struct call_facts f = {.fd = -1, .op = SOCK_SNAPSHOT, .role = ROLE_SERVER};
	struct cpu_state *cpu = this_cpu();
	struct socket_ref s = {.sk = (struct sock *)address};
	struct sock_event *e;
	__u8 state;

	if (!cpu || !address || tracked_socket(sk) || !describe(&s) || s.lport != port)
		return 0;
	state = READ(sock, sk, __sk_common.skc_state);
	if (state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT)
		return 0;
	e = reserve(cpu, EVENT_SOCK, sizeof(*e));
	if (!e)
		return 0;
	f.now = bpf_ktime_get_ns();
	fill_socket(e, sk, 0);
	fill_call(e, &f);
	e->h.pid = 0; /* whoever accepts it */
	e->h.tid = 0;
	commit(cpu, e, sizeof(*e));
	remember_socket(cpu, sk, 0, ROLE_SERVER);
	return 0;
}

/* The queue of a listening socket. */
static __always_inline void walk_queue(struct cpu_state *cpu, const struct sock *sk, __u16 port)
{
	const struct inet_connection_sock *listener = (const struct inet_connection_sock *)sk;
	const struct request_sock *req = read_address(&listener->icsk_accept_queue.rskq_accept_head);

	for (int i = 0; i < QUEUE_WALK; i++) {
		if (!req)
			return;
		queued_connection((__u64)read_address(&req->sk), port);
		req = read_address(&req->dl_next);
	}
	if (req)
		COUNT(cpu->queue_cut, 1);
}

/* One open file of one task. */
static __always_inline int on_listening_file(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct cpu_state *cpu;
	struct socket_ref s;

	if (!task || !file || !is_target((__u32)task->tgid))
		return 0;
	cpu = this_cpu();
	if (!cpu || !socket_of_file(file, &s) || READ(sock, s.sk, sk_protocol) != IPPROTO_TCP || !is_listener(s.sk))
		return 0;
	if (ports_wanted(s.lport, s.rport))
		walk_queue(cpu, s.sk, s.lport);
	return 0;
}

#endif /* REEL_ACCEPTQUEUE_H */
