// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* life.h follows targets through fork, exec, a new name, and exit. */
#ifndef REEL_LIFE_H
#define REEL_LIFE_H

#include "cgroup.h"
#include "inflight.h"
#include "process.h"

static __always_inline int on_fork(const struct task_struct *parent, const struct task_struct *child)
{
	__u32 tgid = (__u32)READ(task_struct, child, tgid);
	struct process_record *r;

	if ((__u32)READ(task_struct, child, pid) != tgid) /* a thread */
		return 0;
	if (!is_target((__u32)READ(task_struct, parent, tgid)) && !born_wanted(child))
		return 0;
	set_target(tgid, 1);
	r = process_record();
	if (!r)
		return 0;
	fill_process(r, child, PROC_FORK);
	add_cgroups(r, child);
	emit_process(r);
	return 0;
}

static __always_inline int on_exec(const struct task_struct *task)
{
	struct mm_struct *mm = READ(task_struct, task, mm);
	struct process_record *r;

	if (!is_target((__u32)READ(task_struct, task, tgid)))
		return 0;
	r = process_record();
	if (!r)
		return 0;
	fill_process(r, task, PROC_EXEC);
	add_args(r, mm);
	add_exe(r, mm);
	add_cgroups(r, task);
	emit_process(r);
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
	struct process_record *r;

	if (!is_target(pid_tgid >> 32))
		return 0;
	bpf_map_delete_elem(&blocked, &pid_tgid);
	if (READ(signal_struct, signal, live.counter) > 0) /* other threads go on */
		return 0;
	set_target(pid_tgid >> 32, 0);
	r = process_record();
	if (!r)
		return 0;
	fill_process(r, task, PROC_EXIT);
	r->event.exit_code = wait_status(task, signal);
	add_cgroups(r, task);
	emit_process(r);
	return 0;
}

/* A process takes another name: prctl(2), or a write to /proc/self/comm. An exec tells by itself, and threads have names of their own. */
static __always_inline int on_rename(const struct task_struct *task, const char *name)
{
	__u32 tgid = (__u32)READ(task_struct, task, tgid);
	struct process_record *r;

	if ((__u32)READ(task_struct, task, pid) != tgid || !is_target(tgid))
		return 0;
	if (BPF_CORE_READ_BITFIELD_PROBED(task, in_execve))
		return 0;
	r = process_record();
	if (!r)
		return 0;
	fill_process(r, task, PROC_RENAME);
	bpf_probe_read_kernel_str(r->event.comm, PROC_COMM_LEN, name);
	add_cgroups(r, task);
	emit_process(r);
	return 0;
}

#endif /* REEL_LIFE_H */
