// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* lifecycle.h turns connect, accept, close, shutdown and the first sight of a socket into sock_events. */
#ifndef REEL_LIFECYCLE_H
#define REEL_LIFECYCLE_H

#include "emit.h"
#include "inflight.h"
#include "syscall.h"
#include "track.h"

/* What a sock_event says of the call rather than of the socket. */
struct call_facts {
	__u64 now;
	__u64 duration_ns;
	__s64 ret;
	__s32 fd;
	__u16 flags; /* enum io_flag */
	__u8 op;     /* enum sock_op */
	__u8 role;   /* enum sock_role */
};

static __always_inline void fill_call(struct sock_event *e, const struct call_facts *f)
{
	__u64 pid_tgid = current_pid_tgid();

	e->h.time_ns = f->now;
	e->h.pid = pid_tgid >> 32;
	e->h.tid = (__u32)pid_tgid;
	e->duration_ns = f->duration_ns;
	e->ret = f->ret;
	e->fd = f->fd;
	e->flags = f->flags;
	e->op = f->op;
	e->role = f->role;
}

/* What the call's entry says: duration, and whether it blocked. */
static __always_inline struct call_facts call_facts(const struct inflight *entry, __u8 op, __u8 role, __s32 fd, __s64 ret)
{
	struct call_facts f = {.now = bpf_ktime_get_ns(), .ret = ret, .fd = fd, .op = op, .role = role};

	if (!entry_seen(entry))
		f.flags = IO_NO_ENTRY;
	else
		f.duration_ns = f.now - entry->enter_ns;
	if (entry->blocked)
		f.flags |= IO_BLOCKED;
	return f;
}

/* Emits a sock_event of a socket. False: the ring had no room. */
static __always_inline bool emit_socket(struct cpu_state *cpu, const struct sock *sk, __u64 inode, const struct call_facts *f)
{
	struct sock_event *e = reserve(cpu, EVENT_SOCK, sizeof(*e));

	if (!e)
		return false;
	fill_socket(e, sk, inode);
	fill_call(e, f);
	commit(cpu, e, sizeof(*e));
	return true;
}

/*
 * Makes sure that the reader knows the socket: its addresses precede its first
 * io. False: it does not, since the ring had no room; the next io tries again.
 */
static __always_inline bool announce(struct cpu_state *cpu, const struct socket_ref *s, __s32 fd, __u64 now)
{
	struct tracked *known = tracked_socket(s->sk);
	struct call_facts f = {.now = now, .fd = fd, .op = SOCK_SEEN};

	if (known && known->inode == s->inode)
		return true;
	if (known)
		f.role = known->role;
	else if (has_listener(s->sk))
		f.role = ROLE_SERVER;
	if (!emit_socket(cpu, s->sk, s->inode, &f))
		return false;
	remember_open_socket(cpu, s->sk, s->inode, f.role);
	return true;
}

/*
 * The socket that a call worked on. When the call blocked, it was looked up
 * then: fd may name another by now.
 */
static __always_inline bool socket_of_call(const struct inflight *entry, __s32 fd, struct socket_ref *s)
{
	if (!entry->resolved)
		return socket_of_fd(fd, s);
	s->sk = (struct sock *)entry->sk;
	s->inode = entry->inode;
	s->file_flags = 0;
	return s->sk && describe(s);
}

static __always_inline void nonblock_flag(const struct socket_ref *s, struct call_facts *f)
{
	if (s->file_flags & O_NONBLOCK)
		f->flags |= IO_NONBLOCK;
}

/* A peer that connect was given: the socket forgets it when the connect fails. */
static __always_inline void read_peer(struct sock_event *e, __u64 addr)
{
	struct {
		__u16 family;
		__be16 port;
		__u32 v4; /* sin_addr, or sin6_flowinfo */
		__u8 v6[16];
	} peer = {};

	if (bpf_probe_read_user(&peer, 8, (const void *)addr))
		return;
	e->rport = swap16(peer.port);
	if (peer.family == AF_INET) {
		*(__u32 *)e->raddr = peer.v4;
		return;
	}
	bpf_probe_read_user(e->raddr, sizeof(e->raddr), (const void *)(addr + 8));
}

static __always_inline void on_connect(struct cpu_state *cpu, const struct inflight *entry, const struct pt_regs *regs, __s64 ret)
{
	struct call_facts f = call_facts(entry, SOCK_CONNECT, ROLE_CLIENT, (__s32)SYSCALL_ARG0(regs), ret);
	struct sock_event *e;
	struct socket_ref s;

	if (!socket_of_call(entry, f.fd, &s))
		return;
	if (filter_ports && s.rport && !ports_wanted(s.lport, s.rport))
		return;
	nonblock_flag(&s, &f);
	e = reserve(cpu, EVENT_SOCK, sizeof(*e));
	if (!e)
		return;
	fill_socket(e, s.sk, s.inode);
	fill_call(e, &f);
	if (!s.rport)
		read_peer(e, SYSCALL_ARG1(regs));
	commit(cpu, e, sizeof(*e));
	remember_open_socket(cpu, s.sk, s.inode, ROLE_CLIENT);
}

static __always_inline void on_accept(struct cpu_state *cpu, const struct inflight *entry, const struct pt_regs *regs, __s64 ret)
{
	struct call_facts f = call_facts(entry, SOCK_ACCEPT, ROLE_SERVER, ret < 0 ? (__s32)SYSCALL_ARG0(regs) : (__s32)ret, ret);
	struct socket_ref s;
	bool found;

	if (ret < 0) /* the event is about the listening socket */
		found = socket_of_call(entry, f.fd, &s);
	else
		found = socket_of_fd(f.fd, &s);
	if (!found || !ports_wanted(s.lport, s.rport))
		return;
	nonblock_flag(&s, &f);
	if (emit_socket(cpu, s.sk, s.inode, &f) && ret >= 0)
		remember_open_socket(cpu, s.sk, s.inode, ROLE_SERVER);
}

static __always_inline void on_shutdown(struct cpu_state *cpu, const struct inflight *entry, const struct pt_regs *regs, __s64 ret)
{
	struct call_facts f = call_facts(entry, SOCK_SHUTDOWN, ROLE_UNKNOWN, (__s32)SYSCALL_ARG0(regs), ret);
	struct sock_event *e;
	struct socket_ref s;

	if (!socket_of_call(entry, f.fd, &s) || !ports_wanted(s.lport, s.rport))
		return;
	e = reserve(cpu, EVENT_SOCK, sizeof(*e));
	if (!e)
		return;
	fill_socket(e, s.sk, s.inode);
	fill_call(e, &f);
	e->new_state = (__u8)SYSCALL_ARG1(regs);
	commit(cpu, e, sizeof(*e));
}

/* Entry of close: the last moment at which fd names the socket. */
static __always_inline void before_close(struct inflight *call)
{
	struct tracked *known;
	struct socket_ref s;

	call->resolved = 1;
	if (!socket_of_fd(call->fd, &s) || !ports_wanted(s.lport, s.rport))
		return;
	call->sk = (__u64)s.sk;
	call->inode = s.inode;
	fill_socket(&call->close, s.sk, s.inode);
	known = tracked_socket(s.sk);
	call->close.role = known ? known->role : ROLE_UNKNOWN;
}

static __always_inline void on_close(struct cpu_state *cpu, const struct inflight *entry, __s64 ret)
{
	struct call_facts f;
	struct sock_event *e;
	struct event_header h;

	if (!entry->sk)
		return;
	f = call_facts(entry, SOCK_CLOSE, entry->close.role, entry->fd, ret);
	e = reserve(cpu, EVENT_SOCK, sizeof(*e));
	if (!e)
		return;
	h = e->h;
	__builtin_memcpy(e, &entry->close, sizeof(*e));
	e->h = h;
	fill_call(e, &f);
	commit(cpu, e, sizeof(*e));
}

#endif /* REEL_LIFECYCLE_H */
