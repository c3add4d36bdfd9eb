// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* mapped.h tells the recorder that a target has loaded code: a library whose functions it may want to probe. */
#ifndef REEL_MAPPED_H
#define REEL_MAPPED_H

#include "emit.h"
#include "syscall.h"

enum { PROT_EXEC = 4, MAP_ANONYMOUS = 0x20, LAST_ERRNO = 4095 };

static __always_inline void on_mmap(struct cpu_state *cpu, const struct pt_regs *regs, __s64 ret)
{
	__u64 pid_tgid = current_pid_tgid();
	struct event_header *h;

	if (!(SYSCALL_ARG2(regs) & PROT_EXEC) || SYSCALL_ARG3(regs) & MAP_ANONYMOUS || (ret < 0 && ret >= -LAST_ERRNO))
		return;
	h = reserve(cpu, EVENT_MAPPED, sizeof(*h));
	if (!h)
		return;
	by_thread(h, bpf_ktime_get_ns(), pid_tgid);
	commit_now(cpu, h, sizeof(*h));
}

#endif /* REEL_MAPPED_H */
