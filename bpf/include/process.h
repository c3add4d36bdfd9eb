// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* process.h follows targets through fork, exec and exit. */
#ifndef REEL_PROCESS_H
#define REEL_PROCESS_H

#include "emit.h"
#include "inflight.h"
#include "read.h"
#include "target.h"

#define ARGS_BYTES 4096 /* of argv, at exec */

static __always_inline __u32 pid_namespace_of(const struct task_struct *task)
{
	struct pid *pid = READ(task_struct, task, thread_pid);
	struct upid *innermost;
	__u32 level;

	if (!pid)
		return 0;
	level = READ(pid, pid, level);
	innermost = (struct upid *)((__u64)pid + bpf_core_field_offset(struct pid, numbers) + level * bpf_core_type_size(struct upid));
	return READ(pid_namespace, READ(upid, innermost, ns), ns.inum);
}

static __always_inline __u64 cgroup_of(const struct task_struct *task)
{
	struct cgroup *cgroup = READ(css_set, READ(task_struct, task, cgroups), dfl_cgrp);

	return READ(kernfs_node, READ(cgroup, cgroup, kn), id);
}

static __always_inline void fill_process(struct proc_event *e, const struct task_struct *task, __u8 op)
{
	struct nsproxy *ns = READ(task_struct, task, nsproxy);

	e->h.time_ns = bpf_ktime_get_ns();
	e->h.pid = (__u32)READ(task_struct, task, tgid);
	e->h.tid = (__u32)READ(task_struct, task, pid);
	e->start_ns = READ(task_struct, READ(task_struct, task, group_leader), start_boottime);
	e->cgroup_id = cgroup_of(task);
	e->ppid = (__u32)READ(task_struct, READ(task_struct, task, real_parent), tgid);
	e->uid = READ(cred, READ(task_struct, task, cred), uid.val);
	e->pid_ns = pid_namespace_of(task);
	e->mnt_ns = ns ? READ(mnt_namespace, READ(nsproxy, ns, mnt_ns), ns.inum) : 0;
	e->net_ns = ns ? READ(net, READ(nsproxy, ns, net_ns), ns.inum) : 0;
	e->exit_code = 0;
	e->args_len = 0;
	e->op = op;
	e->args_cut = 0;
	e->pad = 0;
	READ_INTO(e->comm, PROC_COMM_LEN, task_struct, task, comm);
}

static __always_inline int on_fork(const struct task_struct *parent, const struct task_struct *child)
{
	__u32 tgid = (__u32)READ(task_struct, child, tgid);
	struct proc_event *e;
	struct cpu_state *cpu;

	if ((__u32)READ(task_struct, child, pid) != tgid) /* a thread */
		return 0;
	if (!is_target((__u32)READ(task_struct, parent, tgid)))
		return 0;
	set_target(tgid, 1);
	cpu = this_cpu();
	if (!cpu)
		return 0;
	e = reserve(cpu, EVENT_PROC, sizeof(*e));
	if (!e)
		return 0;
	fill_process(e, child, PROC_FORK);
	commit(cpu, e, sizeof(*e));
	return 0;
}

static __always_inline int on_exec(const struct task_struct *task)
{
	struct mm_struct *mm = READ(task_struct, task, mm);
	__u64 start, length;
	struct proc_event *e;
	struct cpu_state *cpu;
	__u32 n;

	if (!is_target((__u32)READ(task_struct, task, tgid)))
		return 0;
	cpu = this_cpu();
	if (!cpu)
		return 0;
	e = reserve(cpu, EVENT_PROC, sizeof(*e) + ARGS_BYTES);
	if (!e)
		return 0;
	fill_process(e, task, PROC_EXEC);
	start = READ(mm_struct, mm, arg_start);
	length = READ(mm_struct, mm, arg_end) - start;
	e->args_cut = length > ARGS_BYTES;
	n = length > ARGS_BYTES ? ARGS_BYTES : (__u32)length;
	barrier_var(n);
	if (n > ARGS_BYTES)
		n = ARGS_BYTES;
	if (bpf_probe_read_user(e + 1, n, (const void *)start)) {
		e->args_cut = 1;
		n = 0;
	}
	e->args_len = n;
	commit(cpu, e, (__u32)sizeof(*e) + n);
	return 0;
}

/* The status that waitpid(2) gives: that of the group if it was ended as one, else that of its leader. */
static __always_inline __u32 wait_status(const struct task_struct *task, const struct signal_struct *signal)
{
	if (READ(signal_struct, signal, flags) & SIGNAL_GROUP_EXIT)
		return (__u32)READ(signal_struct, signal, group_exit_code);
	return (__u32)READ(task_struct, READ(task_struct, task, group_leader), exit_code);
}

static __always_inline int on_exit(const struct task_struct *task)
{
	struct signal_struct *signal = READ(task_struct, task, signal);
	__u64 pid_tgid = current_pid_tgid();
	struct proc_event *e;
	struct cpu_state *cpu;

	if (!is_target(pid_tgid >> 32))
		return 0;
	bpf_map_delete_elem(&blocked, &pid_tgid);
	if (READ(signal_struct, signal, live.counter) > 0) /* other threads go on */
		return 0;
	set_target(pid_tgid >> 32, 0);
	cpu = this_cpu();
	if (!cpu)
		return 0;
	e = reserve(cpu, EVENT_PROC, sizeof(*e));
	if (!e)
		return 0;
	fill_process(e, task, PROC_EXIT);
	e->exit_code = wait_status(task, signal);
	commit(cpu, e, sizeof(*e));
	return 0;
}

#endif /* REEL_PROCESS_H */
