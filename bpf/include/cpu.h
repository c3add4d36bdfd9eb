// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* cpu.h is the state of one CPU: its account of records, its counters, and the socket call in flight on it. */
#ifndef REEL_CPU_H
#define REEL_CPU_H

#include "event.h"
#include "kernel.h"
#include "socket.h"

/* A socket call between its entry and its exit. */
struct inflight {
	__u64 pid_tgid; /* 0: none */
	__u64 enter_ns;
	__u64 sk;    /* struct sock that the call works on; 0: not a socket, or not resolved yet */
	__u64 inode; /* of sk */
	__s32 fd;
	__u16 nr;      /* syscall number */
	__u8 resolved; /* sk is final: 0 means that fd is no socket of interest */
	__u8 blocked;  /* the task left the CPU inside the call */
	union { /* valid iff the call closes fd and sk is not 0: what exit can no longer read */
		struct sock_event inet;
		struct unix_event local;
	} close;
	__u8 family; /* of the socket that is closed */
	__u8 pad[7];
};

/* Elements of a vector that are read at once: each read of user memory costs 70 ns and more. A power of two. */
#define ELEMENT_BATCH 8

/* Where the bytes of a call lie in user memory, and how far they have been copied (payload.h). */
struct source {
	__u64 addr;  /* of the range, or of the vector */
	__u64 skip;  /* bytes copied of the range, or of the current element */
	__u64 bytes; /* room of a range: a datagram may be longer, and that part was dropped */
	__u32 index; /* current element */
	__u32 count; /* elements; valid iff vector */
	__u32 want;  /* bytes to copy into the current record */
	__u32 done;  /* of these */
	__u32 batched; /* elements before this one have been read into batch, the last ELEMENT_BATCH of them are there */
	__u8 vector;
	__u8 fault; /* a page was not there: nothing past it is copied */
	__u8 pad[2];
	struct user_iovec batch[ELEMENT_BATCH];
};

/* The payload of a call past its first record (io.h). */
struct more {
	__u32 offset; /* of the next chunk in the captured bytes */
	__u32 want;   /* bytes still to capture */
	__u16 chunks; /* committed */
	__u8 lost;    /* a chunk found no room */
	__u8 pad[5];
};

/* The messages of recvmmsg or sendmmsg (messages.h). */
struct messages {
	__u64 addr;  /* of the vector of struct mmsghdr */
	__u32 count; /* that were moved */
	__u32 next;  /* TCP sequence number of the next one */
	__u16 flags; /* enum io_flag that all have */
	__u8 pad[6];
};

/* What a sock_event says of the call rather than of the socket. */
struct call_facts {
	__u64 now;
	__u64 duration_ns;
	__s64 ret;
	__s32 fd;
	__u16 flags; /* enum io_flag */
	__u8 op;     /* enum sock_op */
	__u8 role;   /* enum sock_role */
	__u32 how;   /* of shutdown */
	__u32 pad;
};

/*
 * Work space of sys_exit. It lies in a map and not on the stack, since the
 * verifier follows every number on the stack, through every branch and every
 * turn of a loop: in a map it forgets them, and paths that meet are one.
 */
struct work {
	struct io_event event; /* is built here, then copied to the ring before its payload; of its header pid, tid and time are */
	struct more more;
	__u64 name;    /* where a datagram's peer is, in user memory; 0: the call does not say */
	__u8 no_room;  /* the call asked for 0 bytes */
	__u8 errqueue; /* it reads the error queue: what it returns is no part of the stream */
	__u8 pad[6];
	struct source source; /* what comes before, but for the event's header, and its own first part is cleared for each call */
	struct messages messages;
	struct user_mmsghdr message; /* the one at hand */
	struct socket_ref sock;
	__u8 peer[16]; /* address of a datagram's peer */
	__u64 moved; /* bytes of the event at hand: of its message, where the call moved several */
	struct call_facts facts; /* of an event that the call's io brings about: its first sight, a long transfer */
};

struct cpu_state {
	/* The account of the ring, changed by emit.h only. */
	__u64 attempts;
	__u64 captured;
	__u64 lost;
	__u64 lost_bytes;
	__u64 unread; /* bytes since the last wake-up */
	/* What was seen and, for a stated reason, not recorded. */
	__u64 retries;        /* calls that ended with EAGAIN or are restarted by the kernel */
	__u64 compat;         /* socket calls by the 32-bit ABI */
	__u64 errqueue;       /* reads of the error queue: no stream bytes */
	__u64 inflight_full;  /* blocked calls that found no room: their rows lack a duration */
	__u64 sockets_full;   /* sockets that found no room: their state changes are not seen */
	__u64 listeners_full; /* listening sockets that found no room: connections are seen from accept on */
	__u64 shed_calls;     /* io at SHED_IO: no row */
	__u64 shed_bytes;     /* that these moved, in either direction */
	__u64 queue_cut;      /* accept queues that were longer than what is walked */
	struct inflight call;
	struct inflight drop; /* work space of calls that close several descriptors (close.h) */
	struct work work;
};

/*
 * cpus: state of each CPU.
 *   key        CPU number
 *   value      struct cpu_state
 *   inserted   at load (array), one per possible CPU
 *   deleted    never
 *   read by    user space, for the loss account and counters
 *   bound      possible CPUs
 *   overflow   cannot happen
 * An array instead of a per-CPU map: its lookup is inlined by every kernel.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set at load */
	__type(key, __u32);
	__type(value, struct cpu_state);
} cpus SEC(".maps");

static __always_inline struct cpu_state *this_cpu(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&cpus, &cpu);
}

/* Programs nest (a softirq inside a syscall's program): counters are changed atomically. */
#define COUNT(counter, n) __sync_fetch_and_add(&(counter), (n))

#endif /* REEL_CPU_H */
