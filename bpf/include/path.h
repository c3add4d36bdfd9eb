// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/*
 * path.h turns an open file, or a cgroup, into the parts of the path that leads
 * to it, as /proc shows them: from the root of the mount namespace, whatever
 * root the process or the recorder has.
 */
#ifndef REEL_PATH_H
#define REEL_PATH_H

#include "read.h"

#define PART_BYTES 256 /* NAME_MAX and its NUL */
#define PARTS 64       /* of one path, steps from one mount to the next included */

/* Rare work: each field is a call of bpf_probe_read_kernel, and all pointers are numbers to the verifier, so that a loop may change them. */
#define FETCH(ptr, field)                                                   \
	({                                                                  \
		typeof((ptr)->field) value_ = 0;                            \
		bpf_core_read(&value_, sizeof(value_), &(ptr)->field);      \
		value_;                                                     \
	})

/* Appends a name and its NUL. False: no room, or not readable. */
static __always_inline bool add_part(char *tail, __u32 *used, const __u32 limit, const void *name)
{
	__u32 at = *(volatile __u32 *)used;
	long n;

	if (at > limit - PART_BYTES)
		return false;
	n = bpf_probe_read_kernel_str(tail + at, PART_BYTES, name);
	if (n <= 0 || n > PART_BYTES)
		return false;
	*(volatile __u32 *)used = at + (__u32)n;
	return true;
}

/* The parts of a file's path. Returns enum proc_flag. */
static __always_inline __u16 add_file_path(char *tail, __u32 *used, const __u32 limit, struct file *file)
{
	struct dentry *dentry = FETCH(file, f_path.dentry);
	struct vfsmount *vfsmount = FETCH(file, f_path.mnt);
	struct mount *mount = (struct mount *)((__u64)vfsmount - bpf_core_field_offset(struct mount, mnt));
	struct dentry *parent = FETCH(dentry, d_parent);
	__u16 flags = 0;
	int i;

	/* A file that was unlinked is in no hash table; one that never had a name (memfd) is a root of its own. */
	if (parent == dentry ? dentry != FETCH(mount, mnt.mnt_root) : !FETCH(dentry, d_hash.pprev))
		flags = PROC_EXE_DELETED;
	for (i = 0; i < PARTS; i++) {
		parent = FETCH(dentry, d_parent);
		if (dentry == FETCH(mount, mnt.mnt_root)) {
			struct mount *above = FETCH(mount, mnt_parent);

			if (above == mount)
				return flags;
			dentry = FETCH(mount, mnt_mountpoint);
			mount = above;
			continue;
		}
		if (!add_part(tail, used, limit, FETCH(dentry, d_name.name)))
			break;
		if (parent == dentry)
			return flags;
		dentry = parent;
	}
	return flags | PROC_EXE_CUT;
}

static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *node)
{
	struct kernfs_node___before_6_15 *old = (void *)node;

	if (bpf_core_field_exists(node->__parent))
		return FETCH(node, __parent);
	return (struct kernfs_node *)FETCH(old, parent);
}

/* The parts of a cgroup's path in its hierarchy. */
static __always_inline __u16 add_cgroup_path(char *tail, __u32 *used, const __u32 limit, struct kernfs_node *node)
{
	struct kernfs_node *parent;
	int i;

	for (i = 0; i < PARTS; i++) {
		parent = kernfs_parent(node);
		if (!parent) /* the root: its name is empty */
			return 0;
		if (!add_part(tail, used, limit, FETCH(node, name)))
			break;
		node = parent;
	}
	return PROC_CGROUP_CUT;
}

#endif /* REEL_PATH_H */
