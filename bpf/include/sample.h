// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* sample.h turns a tick of the CPU's clock into a sample_event, if a target runs. */
#ifndef REEL_SAMPLE_H
#define REEL_SAMPLE_H

#include "emit.h"
#include "target.h"
#include "userstack.h"

/* A sample_event while it is built: too big for the stack. */
struct sample_record {
	struct sample_event event;
	__u8 tail[2 * 1024 + 512 + STACK_BYTES];
};

/*
 * samples: one record for each CPU.
 *   key        CPU number
 *   value      struct sample_record
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
	__type(value, struct sample_record);
} samples SEC(".maps");

/* The recorder is over its budget, at SHED_STACKS (budget.h) or above: no samples. User space sets it. */
volatile __u32 shed_stacks = 0;

/* Frames of one side, behind what the tail holds. Returns their bytes. */
static __always_inline __u32 add_frames(void *ctx, struct sample_record *r, __u32 used, __u64 side)
{
	long n;

	used &= 1023; /* for the verifier: the kernel's frames are at most 1,016 bytes */
	n = bpf_get_stack(ctx, r->tail + used, FRAMES_BYTES, side);
	return n > 0 ? (__u32)n & 1023 : 0;
}

/* Registers and stack, behind what the tail holds: `used` is at most 2,032. Returns their bytes. */
static __always_inline __u32 add_user_state(struct sample_record *r, __u32 used)
{
	struct sample_event *e = &r->event;
	const void *regs = user_regs();
	__u64 sp = 0;

	used &= 2047; /* for the verifier */
	if (bpf_probe_read_kernel(r->tail + used, REGS_BYTES, regs))
		return 0;
	bpf_probe_read_kernel(&sp, sizeof(sp), regs + REGS_SP);
	e->regs_bytes = REGS_BYTES;
	e->stack_addr = sp & ~(__u64)(STACK_CHUNK - 1);
	e->stack_bytes = copy_stack(r->tail + used + REGS_BYTES, e->stack_addr, &e->stack_fault);
	return REGS_BYTES + e->stack_bytes;
}

static __always_inline void fill_sample(struct sample_event *e, __u64 pid_tgid, bool in_kernel)
{
	by_thread(&e->h, bpf_ktime_get_ns(), pid_tgid);
	e->stack_addr = 0;
	e->stack_bytes = 0;
	e->regs_bytes = 0;
	e->in_kernel = in_kernel;
	e->stack_fault = 0;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
}

static __always_inline int on_tick(void *ctx, bool in_kernel)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	__u32 id = bpf_get_smp_processor_id(), used;
	struct sample_record *r;
	struct cpu_state *cpu;

	if (shed_stacks || !is_target(pid_tgid >> 32))
		return 0;
	cpu = this_cpu();
	r = bpf_map_lookup_elem(&samples, &id);
	if (!cpu || !r)
		return 0;
	fill_sample(&r->event, pid_tgid, in_kernel);
	r->event.kernel_bytes = (__u16)add_frames(ctx, r, 0, 0);
	used = r->event.kernel_bytes & 1023;
	r->event.user_bytes = (__u16)add_frames(ctx, r, used, BPF_F_USER_STACK);
	used += r->event.user_bytes & 1023;
	if (copy_chunks)
		used += add_user_state(r, used);
	if (used > sizeof(r->tail))
		return 0;
	r->event.tail_len = used;
	output_quietly(cpu, r, EVENT_SAMPLE, (__u32)sizeof(r->event) + used);
	return 0;
}

#endif /* REEL_SAMPLE_H */
