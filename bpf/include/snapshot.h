// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* snapshot.h turns an open file of a target into a sock_event, if it is a socket: what was open before the capture, and after it. */
#ifndef REEL_SNAPSHOT_H
#define REEL_SNAPSHOT_H

#include "lifecycle.h"
#include "target.h"

/* Writes the event of an internet socket. False: the buffer is full, and the kernel calls again. */
static __always_inline bool write_socket(struct seq_file *seq, const struct socket_ref *s, const struct call_facts *f, const struct task_struct *task)
{
	struct sock_event e = {};

	fill_socket(&e, s->sk, s->inode);
	fill_counted(&e, s);
	fill_call(&e, f);
	e.h.size = sizeof(e);
	e.h.pid = (__u32)task->tgid;
	e.h.tid = (__u32)task->pid;
	e.h.cpu = CPU_NONE;
	e.h.kind = EVENT_SOCK;
	return !bpf_seq_write(seq, &e, sizeof(e));
}

/* The same for an AF_UNIX socket. The paths go through room on the stack, one after the other. */
static __always_inline bool write_unix(struct seq_file *seq, const struct socket_ref *s, const struct call_facts *f, const struct task_struct *task)
{
	struct sock *peer = unix_peer(s->sk);
	struct unix_event e = {};
	__u8 path[128] = {};
	__u32 local, remote = 0;

	fill_unix(&e, s->sk, s->inode);
	fill_unix_call(&e, f);
	local = copy_unix_path(path, s->sk);
	if (peer) /* its length first: the event comes before the paths */
		remote = unix_path_len(peer);
	e.local_len = (__u16)local;
	e.paths_len = local + remote;
	e.h.size = (__u32)sizeof(e) + local + remote;
	e.h.pid = (__u32)task->tgid;
	e.h.tid = (__u32)task->pid;
	e.h.cpu = CPU_NONE;
	e.h.kind = EVENT_UNIX;
	if (bpf_seq_write(seq, &e, sizeof(e)) || (local && bpf_seq_write(seq, path, local & 127)))
		return false;
	if (!remote)
		return true;
	copy_unix_path(path, peer);
	return !bpf_seq_write(seq, path, remote & 127);
}

/* One open file of one task. Listening sockets are taken by a first pass, so that the second knows the role of connections. */
static __always_inline int on_file(struct bpf_iter__task_file *ctx, const bool listening)
{
	struct call_facts f = {.fd = (__s32)ctx->fd, .op = listening ? SOCK_LISTEN : SOCK_SNAPSHOT};
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct cpu_state *cpu;
	struct socket_ref s;
	bool written;

	if (!task || !file || !is_target((__u32)task->tgid))
		return 0;
	cpu = this_cpu();
	if (!cpu || !socket_of_file(file, &s) || is_listener(s.sk) != listening)
		return 0;
	if (!wanted(&s))
		return 0;
	f.now = bpf_ktime_get_ns();
	if (!listening)
		announced(&s, &f.role);
	if (s.file_flags & O_NONBLOCK)
		f.flags = IO_NONBLOCK;
	if (s.family == AF_UNIX)
		written = write_unix(ctx->meta->seq, &s, &f, task);
	else
		written = write_socket(ctx->meta->seq, &s, &f, task);
	if (!written)
		return 0;
	if (listening && s.kind == SOCKET_TCP)
		track_listener(cpu, s.sk);
	remember(cpu, &s, f.role);
	return 0;
}

#endif /* REEL_SNAPSHOT_H */
