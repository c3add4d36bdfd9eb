// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/*
 * budget.h decides how many bytes of a call are copied (D5): the first
 * `snaplen` bytes after each change of direction on a socket or after an idle
 * gap, and the first bytes of every call besides.
 */
#ifndef REEL_BUDGET_H
#define REEL_BUDGET_H

#include "config.h"
#include "event.h"

#define LATER_CALL_BYTES 256             /* of each call when the message's budget is used up */
#define IDLE_GAP_NS      1000000000ULL   /* after which a call counts as a new message */
#define CONVERSATIONS    65536           /* power of two */

struct conversation {
	__u64 sk; /* tag: with inode, the socket that the entry is about */
	__u64 inode;
	__u64 last_ns;
	__u32 left; /* budget, bytes */
	__u8 dir;   /* enum io_direction of the last call */
	__u8 pad[3];
};

/*
 * conversations: a direct-mapped cache of the budget of each socket.
 *   key        hash of the struct sock's address
 *   value      struct conversation
 *   inserted   first io of a socket, once the socket has been announced by an event
 *   deleted    never; taken over by the next socket with the same hash
 *   read by    every io
 *   bound      65,536 entries, 2 MiB
 *   overflow   two sockets of one hash reset each other's budget: more is copied, nothing is lost
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CONVERSATIONS);
	__type(key, __u32);
	__type(value, struct conversation);
} conversations SEC(".maps");

static __always_inline struct conversation *conversation(const void *sk)
{
	/* Fibonacci hashing; the low bits of a slab address say nothing */
	__u32 slot = (__u32)(((__u64)sk * 0x9e3779b97f4a7c15ULL) >> 48) & (CONVERSATIONS - 1);

	return bpf_map_lookup_elem(&conversations, &slot);
}

/* How many of `moved` bytes to copy. Sets IO_MSG_START in *flags. A peek takes no part: its bytes come again. */
static __always_inline __u32 spend(struct conversation *c, __u8 dir, __u64 now, __u64 moved, __u16 *flags)
{
	const __u32 later = snaplen < LATER_CALL_BYTES ? snaplen : LATER_CALL_BYTES;
	__u32 left, want = moved < SNAPLEN_FULL ? (__u32)moved : SNAPLEN_FULL;

	if (c->dir != dir)
		*flags |= IO_MSG_START;
	left = c->dir != dir || now - c->last_ns > IDLE_GAP_NS ? snaplen : c->left;
	if (!(*flags & IO_PEEK)) {
		c->dir = dir;
		c->last_ns = now;
		c->left = left > want ? left - want : 0;
	}
	if (snaplen == SNAPLEN_FULL)
		return want;
	if (left < later)
		left = later;
	return want < left ? want : left;
}

#endif /* REEL_BUDGET_H */
