// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/*
 * emit.h is the only way into the rings: it numbers every attempt, counts what
 * found no room, and decides when the reader is woken.
 */
#ifndef REEL_EMIT_H
#define REEL_EMIT_H

#include "config.h"
#include "cpu.h"

struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* set at load */
};

/*
 * rings: one ring buffer per CPU, so that producers never wait for each other.
 *   key        CPU number
 *   value      ring buffer
 *   inserted   at load, for CPUs that are online
 *   deleted    never
 *   read by    user space, by mmap
 *   bound      possible CPUs × Options.RingBytes
 *   overflow   the record is lost and counted in cpu_state (a CPU without a ring loses all)
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1); /* set at load */
	__type(key, __u32);
	__array(values, struct ring);
} rings SEC(".maps");

/* The number of the next attempt on this CPU. */
static __always_inline __u64 next_seq(struct cpu_state *cpu)
{
	/* BPF before 5.12 has no fetch-and-add: a softirq between the two lines can swap numbers, never lose one. */
	COUNT(cpu->attempts, 1);
	return *(volatile __u64 *)&cpu->attempts;
}

/* `bytes` (a constant) of this CPU's ring, for admit; NULL: no room. */
static __always_inline void *ring_room(__u32 id, const __u64 bytes)
{
	void *ring = bpf_map_lookup_elem(&rings, &id);

	return ring ? bpf_ringbuf_reserve(ring, bytes, 0) : NULL;
}

/* ring_room had no room. */
static __always_inline void lose(struct cpu_state *cpu, __u64 bytes)
{
	COUNT(cpu->lost, 1);
	COUNT(cpu->lost_bytes, bytes);
}

/* Fills the header of an event but for size, pid and tid. */
static __always_inline void begin_event(struct event_header *h, __u32 id, __u64 seq, __u16 kind)
{
	h->seq = seq;
	h->cpu = (__u16)id;
	h->kind = kind;
}

/* Fills in what a call of the current thread adds. */
static __always_inline void by_thread(struct event_header *h, __u64 now, __u64 pid_tgid)
{
	h->time_ns = now;
	h->pid = pid_tgid >> 32;
	h->tid = (__u32)pid_tgid;
}

/* Makes an event of what ring_room gave, or counts that there was no room (NULL). */
static __always_inline void *admit(struct cpu_state *cpu, void *room, __u32 id, __u64 seq, __u16 kind, __u64 bytes)
{
	if (!room) {
		lose(cpu, bytes);
		return NULL;
	}
	begin_event(room, id, seq, kind);
	return room;
}

/* Reserves `bytes` (a constant) on this CPU's ring for an event of `kind`. NULL: no room, counted. */
static __always_inline void *reserve(struct cpu_state *cpu, __u16 kind, const __u64 bytes)
{
	__u32 id = bpf_get_smp_processor_id();
	__u64 seq = next_seq(cpu);

	return admit(cpu, ring_room(id, bytes), id, seq, kind, bytes);
}

/* Hands over an event that was counted. */
static __always_inline void submit(struct cpu_state *cpu, void *event, __u32 bytes)
{
	__u64 flags = BPF_RB_NO_WAKEUP;
	struct event_header *h = event;

	h->size = bytes;
	if (cpu->unread >= wake_bytes) {
		cpu->unread = 0;
		flags = BPF_RB_FORCE_WAKEUP;
	}
	bpf_ringbuf_submit(event, flags);
}

/* Commits what reserve gave. `bytes` of it are valid. */
static __always_inline void commit(struct cpu_state *cpu, void *event, __u32 bytes)
{
	cpu->captured++;
	cpu->unread += bytes;
	submit(cpu, event, bytes);
}

/* The same in a uprobe: another may run on this CPU before it ends, where the kernel preempts. */
static __always_inline void commit_preempted(struct cpu_state *cpu, void *event, __u32 bytes)
{
	COUNT(cpu->captured, 1);
	COUNT(cpu->unread, bytes);
	submit(cpu, event, bytes);
}

/* commit, for what the reader has to know at once. */
static __always_inline void commit_now(struct cpu_state *cpu, void *event, __u32 bytes)
{
	cpu->unread += wake_bytes;
	commit(cpu, event, bytes);
}

/* Copies an event of `bytes` that was built elsewhere to this CPU's ring. False: there was no room, and that is counted. */
static __always_inline bool copy_event(struct cpu_state *cpu, void *event, __u16 kind, __u32 bytes, __u64 flags)
{
	__u32 id = bpf_get_smp_processor_id();
	struct event_header *h = event;
	void *ring;

	COUNT(cpu->attempts, 1);
	h->seq = *(volatile __u64 *)&cpu->attempts;
	h->size = bytes;
	h->cpu = (__u16)id;
	h->kind = kind;
	ring = bpf_map_lookup_elem(&rings, &id);
	if (!ring || bpf_ringbuf_output(ring, event, bytes, flags)) {
		COUNT(cpu->lost, 1);
		COUNT(cpu->lost_bytes, bytes);
		return false;
	}
	COUNT(cpu->captured, 1);
	return true;
}

/* copy_event that wakes the reader: for what is rare, of very different sizes, and wanted at once. */
static __always_inline void output(struct cpu_state *cpu, void *event, __u16 kind, __u32 bytes)
{
	if (copy_event(cpu, event, kind, bytes, BPF_RB_FORCE_WAKEUP))
		cpu->unread = 0;
}

/*
 * copy_event that lets the reader sleep: it looks at its rings a few times a second anyhow. An interrupt, in which this is
 * called, must leave `unread` to the program that it may have interrupted.
 */
static __always_inline void output_quietly(struct cpu_state *cpu, void *event, __u16 kind, __u32 bytes)
{
	copy_event(cpu, event, kind, bytes, BPF_RB_NO_WAKEUP);
}

#endif /* REEL_EMIT_H */
