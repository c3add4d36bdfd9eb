// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* What threads of targets wait for. */
#include "block.h"

SEC("tp_btf/sched_switch")
int BPF_PROG(block_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return on_block_switch(ctx, preempt, prev, next);
}

SEC("tp_btf/sched_waking")
int BPF_PROG(block_waking, struct task_struct *task)
{
	return on_waking(task);
}

/* One of the two is loaded: the first where the kernel has it. */
SEC("tp_btf/sched_exit_tp")
int BPF_PROG(block_resumed)
{
	return on_resumed(ctx, TAKEN_RESUMED);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(block_returned)
{
	return on_resumed(ctx, TAKEN_SYSCALL);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
