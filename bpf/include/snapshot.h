// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* snapshot.h turns an open file of a target into a sock_event, if it is a socket: what was open before the capture, and after it. */
#ifndef REEL_SNAPSHOT_H
#define REEL_SNAPSHOT_H

#include "lifecycle.h"
#include "target.h"

/* One open file of one task. Listening sockets are taken by a first pass, so that the second knows the role of connections. */
static __always_inline int on_file(struct bpf_iter__task_file *ctx, const bool listening)
{
	struct call_facts f = {.fd = (__s32)ctx->fd, .op = listening ? SOCK_LISTEN : SOCK_SNAPSHOT};
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct sock_event e = {};
	struct cpu_state *cpu;
	struct tracked *known;
	struct socket_ref s;

	if (!task || !file || !is_target((__u32)task->tgid))
		return 0;
	cpu = this_cpu();
	if (!cpu || !socket_of_file(file, &s) || is_listener(s.sk) != listening)
		return 0;
	if (!ports_wanted(s.lport, s.rport))
		return 0;
	known = tracked_socket(s.sk);
	if (known)
		f.role = known->role;
	else if (!listening && has_listener(s.sk))
		f.role = ROLE_SERVER;
	f.now = bpf_ktime_get_ns();
	if (s.file_flags & O_NONBLOCK)
		f.flags = IO_NONBLOCK;
	fill_socket(&e, s.sk, s.inode);
	fill_call(&e, &f);
	e.h.size = sizeof(e);
	e.h.pid = (__u32)task->tgid;
	e.h.tid = (__u32)task->pid;
	e.h.cpu = CPU_NONE;
	e.h.kind = EVENT_SOCK;
	if (bpf_seq_write(ctx->meta->seq, &e, sizeof(e))) /* the buffer is full: the kernel calls again */
		return 0;
	if (listening)
		track_listener(cpu, s.sk);
	remember_open_socket(cpu, s.sk, s.inode, f.role);
	return 0;
}

#endif /* REEL_SNAPSHOT_H */
