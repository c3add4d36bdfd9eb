// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* target.h answers the one question that every hook asks first: is this process recorded? */
#ifndef REEL_TARGET_H
#define REEL_TARGET_H

#include "kernel.h"

struct target_block {
	__u8 flags[64]; /* by tgid & 63; 0: not a target */
};

/*
 * targets: the processes that are recorded.
 *   key        tgid / 64
 *   value      one byte for each of 64 tgids
 *   inserted   user space (AddTarget), fork of a target
 *   deleted    user space (RemoveTarget), exit of the last thread
 *   read by    every hook; user space, by mmap
 *   bound      kernel.pid_max / 64 blocks: 32 KiB, or 4 MiB at the largest pid_max
 *   overflow   cannot happen
 * Bytes in an array instead of a hash: the check is two loads, and it is all
 * that a process which is not a target pays. A byte is written alone, so CPUs
 * that change neighbours do not disturb each other.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set at load */
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct target_block);
} targets SEC(".maps");

static __always_inline __u8 *target_flags(__u32 tgid)
{
	__u32 block = tgid >> 6;
	struct target_block *b = bpf_map_lookup_elem(&targets, &block);

	return b ? &b->flags[tgid & 63] : NULL;
}

static __always_inline bool is_target(__u32 tgid)
{
	__u8 *flags = target_flags(tgid);

	return flags && *flags;
}

static __always_inline void set_target(__u32 tgid, __u8 value)
{
	__u8 *flags = target_flags(tgid);

	if (flags)
		*flags = value;
}

#endif /* REEL_TARGET_H */
