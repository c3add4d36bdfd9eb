// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/*
 * block.h turns a time in which a thread of a target did not run into a
 * block_event, if it is long, and counts it in any case.
 *
 * When a thread leaves its CPU, nobody knows how long it will be gone, and when
 * another makes room for it, its user memory is not mapped. So a block begins
 * with a note of the time, is weighed when the thread comes back (its kernel
 * stack is still that of the wait), and gets its user stack by the thread
 * itself, a moment later: where the scheduler ends (sched_exit_tp), or on
 * kernels without that where the system call ends, or at the latest when the
 * thread leaves again. docs/decisions has the measurement.
 */
#ifndef REEL_BLOCK_H
#define REEL_BLOCK_H

#include "sample.h"

const volatile __u64 min_block_ns = 1000000; /* shorter blocks are counted only */

#define COPIES_A_SECOND 200 /* of stacks, on each CPU; further blocks have frame pointers and registers */

/* A thread that does not run. */
struct away {
	__u64 since_ns;
	__u64 wake_ns; /* when it was made runnable; 0: not yet */
	__u32 pid;
	__u32 waker_pid, waker_tid;
	__s16 syscall; /* in flight; -1 none */
	__u8 state;    /* enum block_state */
	__u8 pad;
	char waker_comm[PROC_COMM_LEN];
};

/*
 * away: threads of targets that do not run.
 *   key        tid
 *   value      struct away
 *   inserted   sched_switch, of the thread that leaves
 *   deleted    sched_switch, of the thread that comes; exit of the thread leaves one that nobody asks for, until its tid comes again
 *   read by    sched_waking; user space at the end: what still waits
 *   bound      65,536 threads
 *   overflow   the block is not seen
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct away);
} away SEC(".maps");

struct block_key {
	__u32 tid;
	__u32 state;
};

struct block_total {
	__u64 count;
	__u64 time_ns;
	__u64 delay_ns; /* of time_ns, runnable */
	__u32 pid;
	__u32 pad;
	char comm[PROC_COMM_LEN];
};

/*
 * block_totals: all blocks of a thread, short and long.
 *   key        tid and enum block_state
 *   value      struct block_total
 *   inserted   first block of a thread in a state
 *   deleted    never
 *   read by    user space
 *   bound      65,536 threads and states
 *   overflow   the thread's short blocks are not counted
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct block_key);
	__type(value, struct block_total);
} block_totals SEC(".maps");

/* The long block of the thread that has just come back to this CPU. */
struct block_record {
	struct block_event event;
	__u8 tail[2 * 1024 + 512 + STACK_BYTES];
	__u64 second; /* that copies are counted in */
	__u32 copies;
	__u32 pending_tid; /* 0: none */
};

/*
 * blocks: one record for each CPU.
 *   key        CPU number
 *   value      struct block_record
 *   inserted   at load (array), one per possible CPU
 *   deleted    never
 *   read by    nobody: what is built here is copied to a ring
 *   bound      possible CPUs
 *   overflow   cannot happen
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set at load */
	__type(key, __u32);
	__type(value, struct block_record);
} blocks SEC(".maps");

static __always_inline __u8 block_state_of(const struct task_struct *task, bool preempt)
{
	const struct task_struct___since_5_14 *named = (const void *)task;
	const struct task_struct___before_5_14 *old = (const void *)task;
	__u32 state = 0;
	long before = 0;

	if (preempt)
		return BLOCK_RUNNABLE;
	if (bpf_core_field_exists(named->__state)) {
		bpf_probe_read_kernel(&state, sizeof(state), &named->__state);
	} else {
		bpf_probe_read_kernel(&before, sizeof(before), &old->state);
		state = (__u32)before;
	}
	if (!state)
		return BLOCK_RUNNABLE;
	if (state & 0xc) /* __TASK_STOPPED, __TASK_TRACED */
		return BLOCK_STOPPED;
	if (state & 2)
		return BLOCK_DISK;
	if (state & 1)
		return BLOCK_SLEEP;
	return BLOCK_OTHER;
}

/* Adds what the leaving or resumed thread itself can read, and sends the block. The thread is current. */
static __always_inline void send_block(void *ctx, struct cpu_state *cpu, struct block_record *r, __u8 taken)
{
	struct block_event *e = &r->event;
	__u32 used = e->kernel_bytes & 1023;
	__u64 second = e->h.time_ns >> 30;
	const void *regs;
	__u64 sp = 0;
	long n;

	r->pending_tid = 0;
	e->taken = taken;
	n = bpf_get_stack(ctx, r->tail + used, FRAMES_BYTES, BPF_F_USER_STACK);
	e->user_bytes = n > 0 ? (__u16)(n & 1023) : 0;
	used += e->user_bytes & 1023;
	used &= 2047;
	e->regs_bytes = 0;
	e->stack_bytes = 0;
	e->stack_fault = 0;
	e->stack_addr = 0;
	regs = user_regs();
	if (copy_chunks && !bpf_probe_read_kernel(r->tail + used, REGS_BYTES, regs)) {
		e->regs_bytes = REGS_BYTES;
		bpf_probe_read_kernel(&sp, sizeof(sp), regs + REGS_SP);
		e->stack_addr = sp & ~(__u64)(STACK_CHUNK - 1);
		if (r->second != second) {
			r->second = second;
			r->copies = 0;
		}
		if (r->copies < COPIES_A_SECOND) {
			r->copies++;
			e->stack_bytes = copy_stack(r->tail + used + REGS_BYTES, e->stack_addr, &e->stack_fault);
		}
		used += REGS_BYTES + e->stack_bytes;
	}
	if (used > sizeof(r->tail))
		return;
	e->tail_len = used;
	output_quietly(cpu, r, EVENT_BLOCK, (__u32)sizeof(*e) + used);
}

static __always_inline struct block_record *this_block(void)
{
	__u32 id = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&blocks, &id);
}

/* Before the switch: current is the thread that leaves. */
static __always_inline void on_leave(void *ctx, bool preempt, struct task_struct *prev, struct block_record *r, __u64 now)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	__u32 tid = (__u32)pid_tgid;
	struct away a = {.since_ns = now, .pid = (__u32)(pid_tgid >> 32), .syscall = -1};
	__s32 nr = -1;
	struct cpu_state *cpu;

	if (!is_target(a.pid))
		return;
	if (r->pending_tid == tid) { /* it did not get to a place where its user stack is that of the block: is it still there? */
		cpu = this_cpu();
		if (cpu)
			send_block(ctx, cpu, r, r->event.syscall >= 0 ? TAKEN_SWITCH : TAKEN_LATER);
	}
	a.state = block_state_of(prev, preempt);
	if (a.state == BLOCK_RUNNABLE)
		a.wake_ns = now;
	bpf_probe_read_kernel(&nr, sizeof(nr), user_regs() + REGS_SYSCALL);
	if (nr >= 0 && nr < 4096)
		a.syscall = (__s16)nr;
	bpf_map_update_elem(&away, &tid, &a, BPF_ANY);
}

static __always_inline void count_block(const struct away *a, __u32 tid, __u64 time, __u64 delay, struct task_struct *task)
{
	struct block_key k = {.tid = tid, .state = a->state};
	struct block_total *t = bpf_map_lookup_elem(&block_totals, &k), fresh = {};

	if (!t) {
		fresh.pid = a->pid;
		bpf_probe_read_kernel(fresh.comm, sizeof(fresh.comm), &task->comm);
		bpf_map_update_elem(&block_totals, &k, &fresh, BPF_NOEXIST);
		t = bpf_map_lookup_elem(&block_totals, &k);
		if (!t)
			return;
	}
	t->count++;
	t->time_ns += time;
	t->delay_ns += delay;
}

/* Before the switch: next is the thread that comes. */
static __always_inline void on_return(struct task_struct *next, struct block_record *r, __u64 now)
{
	struct block_event *e = &r->event;
	__u32 tid = 0;
	struct away *a;
	__u64 time, delay;
	long n;

	bpf_probe_read_kernel(&tid, sizeof(tid), &next->pid);
	a = bpf_map_lookup_elem(&away, &tid);
	if (!a)
		return;
	time = now - a->since_ns;
	delay = a->wake_ns && a->wake_ns < now ? now - a->wake_ns : 0;
	count_block(a, tid, time, delay, next);
	if (time >= min_block_ns && !shed_stacks) {
		e->h.time_ns = now;
		e->h.pid = a->pid;
		e->h.tid = tid;
		e->since_ns = a->since_ns;
		e->delay_ns = a->wake_ns ? delay : ~0ULL;
		e->waker_pid = a->waker_pid;
		e->waker_tid = a->waker_tid;
		e->syscall = a->syscall;
		e->state = a->state;
		e->pad = 0;
		__builtin_memcpy(e->waker_comm, a->waker_comm, sizeof(e->waker_comm));
		bpf_probe_read_kernel(e->comm, sizeof(e->comm), &next->comm);
		n = bpf_get_task_stack(next, r->tail, FRAMES_BYTES, 0);
		e->kernel_bytes = n > 0 ? (__u16)(n & 1023) : 0;
		r->pending_tid = tid;
	}
	bpf_map_delete_elem(&away, &tid);
}

static __always_inline int on_block_switch(void *ctx, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct block_record *r = this_block();
	__u64 now;

	if (!r)
		return 0;
	now = bpf_ktime_get_ns();
	on_leave(ctx, preempt, prev, r, now);
	r->pending_tid = 0;
	on_return(next, r, now);
	return 0;
}

/* The thread that has come back is current, and its user memory is mapped. */
static __always_inline int on_resumed(void *ctx, __u8 taken)
{
	struct block_record *r = this_block();
	struct cpu_state *cpu;

	if (!r || !r->pending_tid || r->pending_tid != (__u32)bpf_get_current_pid_tgid())
		return 0;
	cpu = this_cpu();
	if (cpu)
		send_block(ctx, cpu, r, taken);
	return 0;
}

/* A thread is made runnable, by the current one or by an interrupt of it. */
static __always_inline int on_waking(const struct task_struct *task)
{
	__u64 pid_tgid;
	struct away *a;
	__u32 tid = 0;

	bpf_probe_read_kernel(&tid, sizeof(tid), &task->pid);
	a = bpf_map_lookup_elem(&away, &tid);
	if (!a || a->wake_ns)
		return 0;
	pid_tgid = bpf_get_current_pid_tgid();
	a->wake_ns = bpf_ktime_get_ns();
	a->waker_pid = (__u32)(pid_tgid >> 32);
	a->waker_tid = (__u32)pid_tgid;
	bpf_get_current_comm(a->waker_comm, sizeof(a->waker_comm));
	return 0;
}

#endif /* REEL_BLOCK_H */
