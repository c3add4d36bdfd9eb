// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/*
 * inflight.h carries what is known at the entry of a call to its exit.
 *
 * A call that does not block stays on its CPU: its entry lies in the CPU's own
 * slot, which costs one store. When the task leaves the CPU inside the call,
 * the slot moves to a map. That is also the moment to look up the socket: while
 * the task sleeps, another thread may close the descriptor and reuse its number.
 */
#ifndef REEL_INFLIGHT_H
#define REEL_INFLIGHT_H

#include "cpu.h"
#include "socket.h"
#include "target.h"

/*
 * blocked: socket calls of targets whose task left its CPU inside the call.
 *   key        pid_tgid
 *   value      struct inflight
 *   inserted   sched_switch
 *   deleted    exit of the call, exit of the thread
 *   read by    exit of the call
 *   bound      16,384 threads
 *   overflow   counted in inflight_full: the call's row has IO_NO_ENTRY and the socket that fd names at exit
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct inflight);
} blocked SEC(".maps");

/* At entry. `call` of the slot is complete but for the socket. */
static __always_inline struct inflight *begin_call(struct cpu_state *cpu, __u64 pid_tgid, __u64 nr, __s32 fd)
{
	struct inflight *call = &cpu->call;

	call->pid_tgid = pid_tgid;
	call->enter_ns = bpf_ktime_get_ns();
	call->sk = 0;
	call->fd = fd;
	call->nr = (__u16)nr;
	call->resolved = 0;
	call->blocked = 0;
	return call;
}

static __always_inline void resolve(struct inflight *call)
{
	struct socket_ref s;

	if (call->resolved)
		return;
	if (socket_of_fd(call->fd, &s)) {
		call->sk = (__u64)s.sk;
		call->inode = s.inode;
	}
	call->resolved = 1;
}

/* At sched_switch: the current task is the one that leaves. */
static __always_inline int on_switch(void)
{
	struct cpu_state *cpu = this_cpu();
	__u64 pid_tgid;

	if (!cpu || !cpu->call.pid_tgid)
		return 0;
	pid_tgid = cpu->call.pid_tgid;
	cpu->call.pid_tgid = 0;
	if (pid_tgid != current_pid_tgid() || !is_target(pid_tgid >> 32))
		return 0;
	resolve(&cpu->call);
	cpu->call.blocked = 1;
	cpu->call.pid_tgid = pid_tgid;
	if (bpf_map_update_elem(&blocked, &pid_tgid, &cpu->call, BPF_ANY))
		COUNT(cpu->inflight_full, 1);
	cpu->call.pid_tgid = 0;
	return 0;
}

/*
 * At exit: brings the entry of this call back into the CPU's slot. A slot with
 * pid_tgid 0 says that it was not seen.
 */
static __always_inline struct inflight *take_call(struct cpu_state *cpu, __u64 pid_tgid, __u64 nr)
{
	struct inflight *call = &cpu->call, *parked;

	if (call->pid_tgid == pid_tgid && call->nr == nr)
		return call;
	call->pid_tgid = 0;
	call->resolved = 0;
	call->blocked = 0;
	call->sk = 0;
	parked = bpf_map_lookup_elem(&blocked, &pid_tgid);
	if (!parked)
		return call;
	if (parked->nr == nr)
		*call = *parked;
	bpf_map_delete_elem(&blocked, &pid_tgid);
	return call;
}

static __always_inline bool entry_seen(const struct inflight *call)
{
	return call->pid_tgid != 0;
}

static __always_inline void end_call(struct inflight *call)
{
	call->pid_tgid = 0;
}

#endif /* REEL_INFLIGHT_H */
