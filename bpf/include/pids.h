// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* pids.h turns a task into the ids that its process has: in the initial pid namespace, and in another. */
#ifndef REEL_PIDS_H
#define REEL_PIDS_H

#include "config.h"
#include "read.h"

#define PID_NAMESPACES 33 /* MAX_PID_NS_LEVEL and the initial one */

struct process_ids {
	__u64 start_ns; /* CLOCK_BOOTTIME */
	__u32 pid;      /* in the initial pid namespace */
	__u32 seen_pid; /* in own_pid_ns; 0: it has none there */
};

static __always_inline struct upid *upid_of(const struct pid *pid, __u32 level)
{
	return (struct upid *)((__u64)pid + bpf_core_field_offset(struct pid, numbers) + level * bpf_core_type_size(struct upid));
}

static __always_inline __u32 pid_namespace_of(const struct upid *upid)
{
	return READ(pid_namespace, READ(upid, upid, ns), ns.inum);
}

static __always_inline __u32 seen_pid_of(const struct task_struct *leader)
{
	struct pid *pid = READ(task_struct, leader, thread_pid);
	__u32 level, i;

	if (!pid)
		return 0;
	level = READ(pid, pid, level);
	for (i = 0; i < PID_NAMESPACES; i++) {
		struct upid *upid = upid_of(pid, i);

		if (i > level)
			break;
		if (pid_namespace_of(upid) == own_pid_ns)
			return (__u32)READ(upid, upid, nr);
	}
	return 0;
}

/* One task. The iterator walks those of the pid namespace of whoever reads it. */
static __always_inline int on_task(const struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct process_ids ids = {};

	if (!task || task->pid != task->tgid)
		return 0;
	ids.start_ns = READ(task_struct, task, start_boottime);
	ids.pid = (__u32)task->tgid;
	ids.seen_pid = seen_pid_of(task);
	bpf_seq_write(ctx->meta->seq, &ids, sizeof(ids));
	return 0;
}

#endif /* REEL_PIDS_H */
