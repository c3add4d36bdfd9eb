// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* cgroup.h makes targets of processes that enter a cgroup that is recorded, or one below it. */
#ifndef REEL_CGROUP_H
#define REEL_CGROUP_H

#include "process.h"
#include "target.h"

/* A cgroup. Numbers of two hierarchies may be equal. */
struct cgroup_key {
	__u64 id; /* of its kernfs node: the inode of its directory */
	__u32 hierarchy; /* 0: v2 */
	__u32 pad;
};

/*
 * wanted_cgroups: the cgroups whose processes are recorded, also those that come.
 *   key        struct cgroup_key
 *   value      1
 *   inserted   user space (WatchCgroup)
 *   deleted    never
 *   read by    cgroup_attach_task, sched_process_fork
 *   bound      1024 cgroups
 *   overflow   user space looks for processes of the rest once a second
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct cgroup_key);
	__type(value, __u8);
} wanted_cgroups SEC(".maps");

#define CGROUP_LEVELS 32 /* that are looked at, from a cgroup up */

static __always_inline bool is_wanted(struct cgroup *cgroup)
{
	struct cgroup_key key = {.hierarchy = (__u32)READ(cgroup_root, READ(cgroup, cgroup, root), hierarchy_id)};
	struct kernfs_node *node = FETCH(cgroup, kn);
	int i;

	for (i = 0; i < CGROUP_LEVELS && node; i++) {
		key.id = FETCH(node, id);
		if (bpf_map_lookup_elem(&wanted_cgroups, &key))
			return true;
		node = kernfs_parent(node);
	}
	return false;
}

/* A process has been moved. Its record is all that tells of it until it execs: its arguments cannot be read from here. */
static __always_inline int on_attach(struct cgroup *cgroup, struct task_struct *task)
{
	__u32 tgid = (__u32)READ(task_struct, task, tgid);
	struct mm_struct *mm = READ(task_struct, task, mm);
	struct process_record *r;

	if (!watch_cgroups || is_target(tgid) || !mm || !is_wanted(cgroup))
		return 0;
	set_target(tgid, 1);
	r = process_record();
	if (!r)
		return 0;
	fill_process(r, READ(task_struct, task, group_leader), PROC_SNAPSHOT);
	add_exe(r, mm);
	add_cgroups(r, task);
	emit_process(r);
	return 0;
}

/* clone3(2) can start a process in a cgroup. */
static __always_inline bool born_wanted(const struct task_struct *child)
{
	return watch_cgroups && is_wanted(READ(css_set, READ(task_struct, child, cgroups), dfl_cgrp));
}

#endif /* REEL_CGROUP_H */
