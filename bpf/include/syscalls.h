// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* syscalls.h is what happens at the entry and at the exit of every system call of the machine. */
#ifndef REEL_SYSCALLS_H
#define REEL_SYSCALLS_H

#include "close.h"
#include "io.h"
#include "lifecycle.h"
#include "mapped.h"
#include "unseen.h"

/* Is the current call one of the 32-bit ABI? With current_pid_tgid in one: a call of a helper costs 10 ns where returns are mitigated. */
static __always_inline bool current_call_is_compat(__u64 *pid_tgid)
{
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();

	if (HAVE_CAST)
		*pid_tgid = (__u64)READ(task_struct, task, tgid) << 32 | (__u32)READ(task_struct, task, pid);
	else
		*pid_tgid = bpf_get_current_pid_tgid();
	return in_compat_call(task);
}

/* The exit of a call in the 32-bit ABI, of any process: its number means another call there. */
static __always_inline int on_compat_call(__u64 pid_tgid, __u8 entry)
{
	struct cpu_state *cpu;

	if (!(entry & CALL_COMPAT) || !is_target(pid_tgid >> 32))
		return 0;
	cpu = this_cpu();
	if (!cpu)
		return 0;
	COUNT(cpu->compat, 1);
	count_unseen(UNSEEN_COMPAT);
	return 0;
}

static __always_inline int on_sys_enter(const struct pt_regs *regs, __u64 nr)
{
	__u8 call = lookup_call(nr) & CALL_MASK;
	struct inflight *entry;
	struct cpu_state *cpu;
	__u64 pid_tgid;

	if (!call)
		return 0;
	pid_tgid = current_pid_tgid();
	if (!is_target(pid_tgid >> 32))
		return 0;
	cpu = this_cpu();
	if (!cpu)
		return 0;
	entry = begin_call(cpu, pid_tgid, nr, (__s32)SYSCALL_ARG0(regs));
	if (call == CALL_CLOSE)
		before_close(entry, entry->fd);
	else if (call == CALL_DUP2)
		before_close(entry, SYSCALL_ARG0(regs) == SYSCALL_ARG1(regs) ? -1 : (__s32)SYSCALL_ARG1(regs));
	else if (call == CALL_CLOSE_RANGE)
		before_close_range(regs);
	return 0;
}

static __always_inline void on_rare_call(struct cpu_state *cpu, const struct inflight *entry, __u8 call, const struct pt_regs *regs, __s64 ret)
{
	if (call == CALL_SOCKETPAIR)
		on_socketpair(cpu, entry, regs, ret);
	else if (call == CALL_DUP2)
		on_dup2(cpu, entry, ret);
	else if (call == CALL_SETSOCKOPT)
		on_setsockopt(regs, ret);
	else if (call == CALL_URING)
		count_unseen(UNSEEN_URING);
	else if (call == CALL_MMAP)
		on_mmap(cpu, regs, ret);
}

static __always_inline void on_call(struct cpu_state *cpu, __u8 call, const struct pt_regs *regs, __s64 ret, __u64 pid_tgid, const bool loops)
{
	struct inflight *entry;

	/* Now, since keeping the number until on_io would take stack. */
	cpu->work.event.h.pid = pid_tgid >> 32;
	cpu->work.event.h.tid = (__u32)pid_tgid;
	entry = take_call(cpu, pid_tgid, syscall_nr(regs));
	if (call == CALL_CLOSE)
		on_close(cpu, entry, ret);
	else if (is_retry(ret))
		COUNT(cpu->retries, 1);
	else if (call > CALL_SHUTDOWN)
		on_rare_call(cpu, entry, call, regs, ret);
	else if (call == CALL_CONNECT)
		on_connect(cpu, entry, regs, ret);
	else if (call == CALL_ACCEPT)
		on_accept(cpu, entry, regs, ret);
	else if (call == CALL_SHUTDOWN)
		on_shutdown(cpu, entry, regs, ret);
	else
		on_io(cpu, entry, call, regs, ret, loops);
	end_call(entry);
}

static __always_inline int on_sys_exit(const struct pt_regs *regs, __s64 ret, const bool loops)
{
	__u8 call = lookup_call(syscall_nr(regs));
	struct cpu_state *cpu;
	__u64 pid_tgid;

	if (!call)
		return 0;
	if (current_call_is_compat(&pid_tgid))
		return on_compat_call(pid_tgid, call);
	call &= CALL_MASK;
	if (!call || !is_target(pid_tgid >> 32))
		return 0;
	cpu = this_cpu();
	if (cpu)
		on_call(cpu, call, regs, ret, pid_tgid, loops);
	return 0;
}

#endif /* REEL_SYSCALLS_H */
