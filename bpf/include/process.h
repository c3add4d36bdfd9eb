// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* process.h turns a task into a proc_event: who it is, what it runs, which cgroups and namespaces it is in. */
#ifndef REEL_PROCESS_H
#define REEL_PROCESS_H

#include "emit.h"
#include "path.h"
#include "pids.h"
#include "read.h"

#define ARGS_BYTES 4096 /* of argv, at exec */
#define TAIL_BYTES 12288 /* of argv and paths */
#define PATH_ROOM 2304   /* that are left for each later path: those of cgroups always find room */

/* A proc_event while it is built: too big for the stack. */
struct process_record {
	struct proc_event event;
	char tail[TAIL_BYTES];
	__u32 used; /* bytes of tail */
	__u32 pad;
};

/*
 * process_records: one record for each CPU; the last is that of the iterator, which another task may interrupt.
 *   key        CPU number
 *   value      struct process_record
 *   inserted   at load (array), one per possible CPU and one more
 *   deleted    never
 *   read by    nobody: what is built here is copied to a ring
 *   bound      possible CPUs + 1
 *   overflow   cannot happen
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set at load */
	__type(key, __u32);
	__type(value, struct process_record);
} process_records SEC(".maps");

static __always_inline struct process_record *process_record(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&process_records, &cpu);
}

/* The process's ids in other pid namespaces than the initial one. */
static __always_inline void fill_pids(struct proc_event *e, const struct task_struct *leader)
{
	struct pid *pid = READ(task_struct, leader, thread_pid);
	__u32 level, i;

	e->pid_ns = e->ns_pid = e->seen_pid = 0;
	if (!pid)
		return;
	level = READ(pid, pid, level);
	for (i = 0; i < PID_NAMESPACES; i++) {
		struct upid *upid;
		__u32 inode;

		if (i > level)
			break;
		if (i < level && !own_pid_ns)
			continue;
		upid = upid_of(pid, i);
		inode = pid_namespace_of(upid);
		if (inode == own_pid_ns)
			e->seen_pid = (__u32)READ(upid, upid, nr);
		if (i == level) {
			e->pid_ns = inode;
			e->ns_pid = (__u32)READ(upid, upid, nr);
		}
	}
}

static __always_inline __u64 cgroup_of(const struct task_struct *task)
{
	struct cgroup *cgroup = READ(css_set, READ(task_struct, task, cgroups), dfl_cgrp);

	return READ(kernfs_node, READ(cgroup, cgroup, kn), id);
}

static __always_inline void fill_process(struct process_record *r, const struct task_struct *task, __u8 op)
{
	struct task_struct *leader = READ(task_struct, task, group_leader);
	struct nsproxy *ns = READ(task_struct, task, nsproxy);
	struct proc_event *e = &r->event;

	e->h.time_ns = bpf_ktime_get_ns();
	e->h.pid = (__u32)READ(task_struct, task, tgid);
	e->h.tid = (__u32)READ(task_struct, task, pid);
	e->start_ns = READ(task_struct, leader, start_boottime);
	e->cgroup_id = cgroup_of(task);
	e->ppid = (__u32)READ(task_struct, READ(task_struct, task, real_parent), tgid);
	e->uid = READ(cred, READ(task_struct, task, cred), uid.val);
	e->mnt_ns = ns ? READ(mnt_namespace, READ(nsproxy, ns, mnt_ns), ns.inum) : 0;
	e->net_ns = ns ? READ(net, READ(nsproxy, ns, net_ns), ns.inum) : 0;
	e->exit_code = 0;
	e->tail_len = e->exe_len = e->cgroup_len = e->cgroup_v1_len = 0;
	e->op = op;
	e->args_cut = 0;
	e->flags = 0;
	e->pad2 = 0;
	fill_pids(e, leader);
	READ_INTO(e->comm, PROC_COMM_LEN, task_struct, task, comm);
	r->used = 0;
}

static __always_inline void add_args(struct process_record *r, const struct mm_struct *mm)
{
	__u64 start = READ(mm_struct, mm, arg_start);
	__u64 length = READ(mm_struct, mm, arg_end) - start;
	__u32 n = length > ARGS_BYTES ? ARGS_BYTES : (__u32)length;

	r->event.args_cut = length > ARGS_BYTES;
	barrier_var(n);
	if (n > ARGS_BYTES)
		n = ARGS_BYTES;
	if (bpf_probe_read_user(r->tail, n, (const void *)start)) {
		r->event.args_cut = 1;
		n = 0;
	}
	r->used = n;
}

static __always_inline void add_exe(struct process_record *r, const struct mm_struct *mm)
{
	struct file *exe = READ(mm_struct, mm, exe_file);
	__u32 before = r->used;

	if (!exe)
		return;
	r->event.flags |= add_file_path(r->tail, &r->used, TAIL_BYTES - 2 * PATH_ROOM, exe);
	r->event.exe_len = r->used - before;
}

/* The v2 cgroup; and the one of the memory controller, if that is in a v1 hierarchy, where container runtimes on such kernels put their ids. */
static __always_inline void add_cgroups(struct process_record *r, const struct task_struct *task)
{
	struct css_set *set = READ(task_struct, task, cgroups);
	struct cgroup *unified = READ(css_set, set, dfl_cgrp), *memory;
	struct cgroup_subsys_state *css = NULL;
	__u32 before = r->used;

	r->event.flags |= add_cgroup_path(r->tail, &r->used, TAIL_BYTES - PATH_ROOM, READ(cgroup, unified, kn));
	r->event.cgroup_len = r->used - before;
	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id___reel, memory_cgrp_id___reel))
		return;
	bpf_core_read(&css, sizeof(css), (void *)set + bpf_core_field_offset(struct css_set, subsys) +
						 bpf_core_enum_value(enum cgroup_subsys_id___reel, memory_cgrp_id___reel) * sizeof(css));
	if (!css)
		return;
	memory = READ(cgroup_subsys_state, css, cgroup);
	if (READ(cgroup, memory, root) == READ(cgroup, unified, root))
		return;
	before = r->used;
	r->event.flags |= add_cgroup_path(r->tail, &r->used, TAIL_BYTES, READ(cgroup, memory, kn));
	r->event.cgroup_v1_len = r->used - before;
}

/* The bytes of a finished record. */
static __always_inline __u32 close_record(struct process_record *r)
{
	__u32 n = *(volatile __u32 *)&r->used;

	if (n > TAIL_BYTES)
		n = TAIL_BYTES;
	r->event.tail_len = n;
	return (__u32)sizeof(r->event) + n;
}

static __always_inline void emit_process(struct process_record *r)
{
	struct cpu_state *cpu = this_cpu();

	if (cpu)
		output(cpu, r, EVENT_PROC, close_record(r));
}

#endif /* REEL_PROCESS_H */
