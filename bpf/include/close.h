// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/*
 * close.h tells of each descriptor of a socket that is dropped, by whatever
 * call, and whether it was the last: closing one of several ends nothing.
 */
#ifndef REEL_CLOSE_H
#define REEL_CLOSE_H

#include "lifecycle.h"

static __always_inline __u8 known_role(const struct socket_ref *s)
{
	__u8 role = ROLE_UNKNOWN;

	announced(s, &role);
	return role;
}

/* Entry of close, dup2 and dup3: the last moment at which fd names the socket. */
static __always_inline void before_close(struct inflight *call, __s32 fd)
{
	struct file *file = file_of_fd(fd);
	struct socket_ref s;
	__u32 refs;

	call->resolved = 1;
	call->fd = fd;
	if (!file || !socket_of_file(file, &s) || !wanted(&s))
		return;
	call->sk = (__u64)s.sk;
	call->inode = s.inode;
	call->family = (__u8)s.family;
	if (s.family == AF_UNIX) {
		fill_unix(&call->close.local, s.sk, s.inode);
		call->close.local.role = known_role(&s);
		call->close.local.file_refs = references(file);
		return;
	}
	fill_socket(&call->close.inet, s.sk, s.inode);
	fill_counted(&call->close.inet, &s);
	call->close.inet.role = known_role(&s);
	refs = references(file);
	call->close.inet.file_refs = refs < 0xffff ? (__u16)refs : 0xffff;
}

static __always_inline void emit_close_unix(struct cpu_state *cpu, const struct inflight *entry, struct call_facts *f)
{
	struct unix_event *e = reserve(cpu, EVENT_UNIX, sizeof(*e));
	struct event_header h;

	if (!e)
		return;
	h = e->h;
	__builtin_memcpy(e, &entry->close.local, sizeof(*e));
	e->h = h;
	f->role = entry->close.local.role;
	fill_unix_call(e, f);
	commit(cpu, e, sizeof(*e));
}

static __always_inline void emit_close(struct cpu_state *cpu, const struct inflight *entry, struct call_facts *f)
{
	struct sock_event *e;
	struct event_header h;

	if (entry->family == AF_UNIX) {
		emit_close_unix(cpu, entry, f);
		return;
	}
	e = reserve(cpu, EVENT_SOCK, sizeof(*e));
	if (!e)
		return;
	h = e->h;
	__builtin_memcpy(e, &entry->close.inet, sizeof(*e));
	e->h = h;
	f->role = entry->close.inet.role;
	fill_call(e, f);
	commit(cpu, e, sizeof(*e));
}

/* Exit of close, and of dup2 and dup3, which say nothing of what they closed. */
static __always_inline void on_close(struct cpu_state *cpu, const struct inflight *entry, __s64 ret)
{
	struct call_facts f;

	if (!entry->sk)
		return;
	f = call_facts(entry, SOCK_CLOSE, ROLE_UNKNOWN, entry->fd, ret);
	emit_close(cpu, entry, &f);
}

static __always_inline void on_dup2(struct cpu_state *cpu, const struct inflight *entry, __s64 ret)
{
	if (ret >= 0)
		on_close(cpu, entry, 0);
}

/*
 * A descriptor that is about to be dropped by a call that drops several. The
 * verifier looks at this function by itself, so that it may stand in a loop.
 */
__noinline int drop_descriptor(__u32 fd)
{
	struct cpu_state *cpu = this_cpu();
	struct inflight *call;
	struct call_facts f = {.op = SOCK_CLOSE, .fd = (__s32)fd, .flags = IO_NO_ENTRY};

	if (!cpu)
		return 0;
	call = &cpu->drop;
	call->sk = 0;
	before_close(call, (__s32)fd);
	if (!call->sk)
		return 0;
	f.now = bpf_ktime_get_ns();
	emit_close(cpu, call, &f);
	return 0;
}

#define WORD_BITS 64
#define MAX_WORDS 1024 /* of the table of descriptors: 65,536 */

/* The descriptors of one word of the table, from first to last; on_exec: those with FD_CLOEXEC. 1 ends the walk. */
__noinline int drop_word(__u32 word, __u32 first, __u32 last, __u32 on_exec)
{
	struct fdtable *table = current_descriptors();
	__u64 bits = 0, cloexec = ~0ULL;

	if (!table || word * WORD_BITS >= READ(fdtable, table, max_fds) || word * WORD_BITS > last)
		return 1;
	bpf_probe_read_kernel(&bits, sizeof(bits), READ(fdtable, table, open_fds) + word);
	if (on_exec) {
		bpf_probe_read_kernel(&cloexec, sizeof(cloexec), READ(fdtable, table, close_on_exec) + word);
		bits &= cloexec;
	}
	if (!bits)
		return 0;
	for (__u32 i = 0; i < WORD_BITS; i++) {
		__u32 fd = word * WORD_BITS + i;

		if (bits >> i & 1 && fd >= first && fd <= last) {
			int ended = drop_descriptor(fd);

			/* Before 6.6 the verifier refuses a loop in which a call is followed by a place that is jumped to. */
			barrier_var(ended);
			if (ended)
				return 1;
		}
	}
	return 0;
}

/* Tells of all sockets among the descriptors from first to last. */
static __always_inline void drop_range(__u32 first, __u32 last, __u32 on_exec)
{
	__u32 word = first / WORD_BITS;

	for (__u32 i = 0; i < MAX_WORDS; i++)
		if (drop_word(word + i, first, last, on_exec))
			break;
}

/* Entry of close_range(2): it closes what is there, and fails for nothing but its arguments. */
static __always_inline void before_close_range(const struct pt_regs *regs)
{
	__u32 first = (__u32)SYSCALL_ARG0(regs), last = (__u32)SYSCALL_ARG1(regs), flags = (__u32)SYSCALL_ARG2(regs);

	if (first <= last && !(flags & CLOSE_RANGE_CLOEXEC))
		drop_range(first, last, 0);
}

/* An exec that cannot fail any more: descriptors with FD_CLOEXEC go. */
static __always_inline int before_exec(void)
{
	if (is_target(current_pid_tgid() >> 32))
		drop_range(0, ~0U, 1);
	return 0;
}

/* The last thread of a process ends: all its descriptors go. */
static __always_inline int before_exit(const struct task_struct *task)
{
	struct signal_struct *signal;

	if (!is_target(current_pid_tgid() >> 32))
		return 0;
	signal = READ(task_struct, task, signal);
	if (READ(signal_struct, signal, live.counter) <= 0)
		drop_range(0, ~0U, 0);
	return 0;
}

#endif /* REEL_CLOSE_H */
