// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/*
 * budget.h decides how many bytes of a call are copied (D5): the first
 * `snaplen` bytes after each change of direction on a socket or after an idle
 * gap, and the first bytes of every call besides; and how much less while the
 * recorder sheds load.
 */
#ifndef REEL_BUDGET_H
#define REEL_BUDGET_H

#include "config.h"
#include "event.h"

#define SNAPLEN_FULL     (~0U)
#define LATER_CALL_BYTES 256             /* of each call when the message's budget is used up */
#define SHED_HEAD_BYTES  512             /* of a message at SHED_BODIES: request lines, status lines, most heads */
#define SHED_LATER_BYTES 64              /* of each later call there: chunk sizes, frame headers; less than the row itself */
#define IDLE_GAP_NS      1000000000ULL   /* after which a call counts as a new message */
#define CONVERSATIONS    65536           /* power of two */

/* What is left out while the recorder is over its budget. Each level includes those below it. */
enum shed_level {
	SHED_NONE = 0,
	SHED_BODIES = 1, /* SHED_HEAD_BYTES of each message are copied */
	SHED_HEADS = 2,  /* no bytes are copied; lengths, offsets and times stay exact */
	SHED_STACKS = 3, /* no stacks are taken */
	SHED_IO = 4,     /* io makes no rows; its calls and bytes are counted (cpu.h) */
};

/*
 * What user space changes while the programs run, by the mapped page of .data:
 * one load here, no call there. Programs on other CPUs see it at their next run.
 */
volatile __u32 snaplen = 4096;      /* bytes per message (D5); SNAPLEN_FULL: all */
volatile __u32 shed = SHED_NONE;    /* enum shed_level */

struct conversation {
	__u64 sk; /* tag: with inode, the socket that the entry is about */
	__u64 inode;
	__u64 last_ns;
	__u32 used; /* bytes of the message so far, as far as a __u32 counts. Not what is left: snaplen may change meanwhile. */
	__u8 dir;   /* enum io_direction of the last call */
	__u8 ktls;  /* the kernel encrypts what is written (ktls.h) */
	__u8 pad[2];
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

/* Bytes to copy of a call of `moved` bytes, of a message that has moved `used` before. */
static __always_inline __u32 within(__u32 used, __u32 moved, __u32 message, __u32 later)
{
	__u32 left = used < message ? message - used : 0;

	if (left < later)
		left = later;
	return moved < left ? moved : left;
}

/*
 * How many of `moved` bytes to copy. Sets IO_MSG_START in *flags, and *cut if
 * that is less. A peek takes no part: its bytes come again.
 */
static __always_inline __u32 spend(struct conversation *c, __u8 dir, __u64 now, __u64 moved, __u16 *flags, __u8 *cut)
{
	__u32 snap = snaplen, level = shed, used = c->used, want, less;
	__u32 bytes = moved < SNAPLEN_FULL ? (__u32)moved : SNAPLEN_FULL;

	if (c->dir != dir)
		*flags |= IO_MSG_START;
	if (c->dir != dir || now - c->last_ns > IDLE_GAP_NS)
		used = 0;
	if (!(*flags & IO_PEEK)) {
		c->dir = dir;
		c->last_ns = now;
		c->used = used + bytes < used ? SNAPLEN_FULL : used + bytes;
	}
	want = snap == SNAPLEN_FULL ? bytes : within(used, bytes, snap, snap < LATER_CALL_BYTES ? snap : LATER_CALL_BYTES);
	if (want < moved)
		*cut = CUT_BUDGET;
	if (level == SHED_NONE)
		return want;
	less = level == SHED_BODIES ? within(used, bytes, SHED_HEAD_BYTES, SHED_LATER_BYTES) : 0;
	if (less < want) {
		want = less;
		*cut = CUT_SHED;
	}
	return want;
}

#endif /* REEL_BUDGET_H */
