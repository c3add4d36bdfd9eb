// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* unseen.h counts, by process, what the probes see happen and cannot record. */
#ifndef REEL_UNSEEN_H
#define REEL_UNSEEN_H

#include "read.h"

enum unseen_kind {
	UNSEEN_COMPAT = 1, /* socket calls by the 32-bit ABI */
	UNSEEN_URING = 2,  /* calls of io_uring_enter(2): what they move is not seen */
	UNSEEN_MPTCP = 3,  /* io calls on MPTCP sockets */
	UNSEEN_QUIC = 4,   /* QUIC packets with long headers (RFC 9000 17.2), on port 443: their lengths are recorded, their content is not */
	UNSEEN_KTLS = 5,   /* io calls on sockets whose records the kernel encrypts: recorded, without their place in the stream */
};

struct unseen_key {
	__u32 pid;
	__u32 what; /* enum unseen_kind */
};

/*
 * unseen: what is not recorded, by process.
 *   key        process, enum unseen_kind
 *   value      how often
 *   inserted   the first time
 *   deleted    never
 *   read by    user space
 *   bound      4,096
 *   overflow   later processes are counted under process 0
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct unseen_key);
	__type(value, __u64);
} unseen SEC(".maps");

static __always_inline bool add_unseen(struct unseen_key *key)
{
	__u64 *count = bpf_map_lookup_elem(&unseen, key), one = 1;

	if (!count && !bpf_map_update_elem(&unseen, key, &one, BPF_NOEXIST))
		return true;
	if (!count)
		count = bpf_map_lookup_elem(&unseen, key);
	if (count)
		__sync_fetch_and_add(count, 1);
	return count != NULL;
}

static __always_inline void count_unseen(__u32 what)
{
	struct unseen_key key = {.pid = current_pid_tgid() >> 32, .what = what};

	if (add_unseen(&key))
		return;
	key.pid = 0;
	add_unseen(&key);
}

#endif /* REEL_UNSEEN_H */
