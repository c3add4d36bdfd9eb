// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* Socket calls: connect, accept, shutdown, the read/write family, and all that closes a socket. */
#include "syscalls.h"
#include "wire.h"

SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter, struct pt_regs *regs, long nr)
{
	return on_sys_enter(regs, nr);
}

/* One of the two exits is loaded: the first where bpf_loop exists (Linux 5.17), else the second. */
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long ret)
{
	return on_sys_exit(regs, ret, true);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit_bounded, struct pt_regs *regs, long ret)
{
	return on_sys_exit(regs, ret, false);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(sched_switch)
{
	return on_switch();
}

SEC("tp_btf/sched_prepare_exec")
int BPF_PROG(sched_prepare_exec)
{
	return before_exec();
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(exit_closes, struct task_struct *task)
{
	return before_exit(task);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
