// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/*
 * userstack.h copies what user space needs to unwind the current thread: its
 * registers, and the top of its stack. It reads without faulting: what is not
 * in memory ends the copy.
 */
#ifndef REEL_USERSTACK_H
#define REEL_USERSTACK_H

#include "read.h"

#define FRAMES_MAX   127                    /* kernel.perf_event_max_stack */
#define FRAMES_BYTES (FRAMES_MAX * 8)
#define STACK_CHUNK  1024                   /* a power of two that divides a page: a chunk is there, or it is not */
#define STACK_CHUNKS 32                     /* at most; copy_chunks says how many */
#define STACK_BYTES  (STACK_CHUNK * STACK_CHUNKS)

#if defined(__TARGET_ARCH_x86)
#define REGS_BYTES (21 * 8) /* struct pt_regs of arch/x86/include/uapi/asm/ptrace.h */
#define REGS_SP    (19 * 8)
#define REGS_SYSCALL (15 * 8) /* orig_ax: the number of the call in flight, as 32 bits; -1 none */
#define THREAD_BYTES 16384  /* arch/x86/include/asm/page_64_types.h: THREAD_SIZE, without KASAN */
#else
#define REGS_BYTES (34 * 8) /* struct user_pt_regs of arch/arm64/include/uapi/asm/ptrace.h */
#define REGS_SP    (31 * 8)
#define REGS_SYSCALL (35 * 8) /* syscallno, 32 bits, behind what user space sees; -1 none */
#define THREAD_BYTES 16384  /* arch/arm64/include/asm/memory.h: THREAD_SIZE, of 4 KiB pages without KASAN */
#endif

/* Chunks of the user stack that are copied; 0: none, and no registers. User space sets it. */
volatile __u32 copy_chunks = 16;

/* The whole struct pt_regs of the kernel, for its size alone. */
struct pt_regs___whole {
} __attribute__((preserve_access_index));

/*
 * Where the kernel keeps the registers with which the current thread is in user mode. (Not by READ: programs of perf events
 * cannot call kernel functions everywhere.)
 */
static __always_inline const void *user_regs(void)
{
	const struct task_struct *task;
	void *stack = NULL;

	if (bpf_core_enum_value_exists(enum bpf_func_id___reel, BPF_FUNC_task_pt_regs___reel))
		return (const void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	/* Before 5.15: they end the thread's kernel stack. */
	task = (const struct task_struct *)bpf_get_current_task();
	bpf_probe_read_kernel(&stack, sizeof(stack), &task->stack);
	return stack + THREAD_BYTES - bpf_core_type_size(struct pt_regs___whole);
}

/* Bytes of the user stack from `base` on, copied to `to`: a whole number of chunks. Sets *fault if one was not in memory. */
static __always_inline __u32 copy_stack(__u8 *to, __u64 base, __u8 *fault)
{
	__u32 most = copy_chunks, i;

	for (i = 0; i < STACK_CHUNKS; i++) {
		if (i >= most)
			break;
		if (bpf_probe_read_user(to + i * STACK_CHUNK, STACK_CHUNK, (const void *)(base + i * STACK_CHUNK))) {
			*fault = 1;
			break;
		}
	}
	return i * STACK_CHUNK;
}

#endif /* REEL_USERSTACK_H */
