// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* lifecycle.h turns connect, accept, shutdown, socketpair and the first sight of a socket into sock_events and unix_events. */
#ifndef REEL_LIFECYCLE_H
#define REEL_LIFECYCLE_H

#include "emit.h"
#include "endpoint.h"
#include "inflight.h"
#include "syscall.h"
#include "track.h"
#include "unix.h"

static __always_inline void fill_call(struct sock_event *e, const struct call_facts *f)
{
	by_thread(&e->h, f->now, current_pid_tgid());
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

static __always_inline void fill_unix_call(struct unix_event *e, const struct call_facts *f)
{
	by_thread(&e->h, f->now, current_pid_tgid());
	e->duration_ns = f->duration_ns;
	e->ret = f->ret;
	e->fd = f->fd;
	e->flags = f->flags;
	e->op = f->op;
	e->role = f->role;
}

#define UNIX_PATHS_ROOM 256 /* a power of two that holds two paths */

/* A path that connect was given: who is at the other end is not known when it fails. */
static __always_inline __u32 copy_user_path(void *dst, __u64 addr, __u64 len)
{
	__u32 n = len > UNIX_PATH_LEN + 2 ? UNIX_PATH_LEN : len < 2 ? 0 : (__u32)len - 2;

	barrier_var(n);
	n &= 127;
	return bpf_probe_read_user(dst, n, (const void *)(addr + 2)) ? 0 : n;
}

/* Emits a unix_event with the paths of both ends. `addr` and `len`: what connect was given, or 0. */
static __noinline bool emit_unix(struct cpu_state *cpu, const struct socket_ref *s, const struct call_facts *f, __u64 addr, __u64 len)
{
	struct unix_event *e = reserve(cpu, EVENT_UNIX, sizeof(*e) + UNIX_PATHS_ROOM);
	struct sock *peer;
	__u32 local, remote = 0;
	__u8 *paths;

	if (!e)
		return false;
	peer = unix_peer(s->sk); /* after the check, which old verifiers want next to the reservation */
	fill_unix(e, s->sk, s->inode);
	fill_unix_call(e, f);
	paths = (__u8 *)(e + 1);
	local = copy_unix_path(paths, s->sk) & 127;
	if (peer)
		remote = copy_unix_path(paths + local, peer);
	else if (addr)
		remote = copy_user_path(paths + local, addr, len);
	e->local_len = (__u16)local;
	e->paths_len = local + remote;
	if (f->op == SOCK_SHUTDOWN)
		e->state = (__u8)f->how;
	commit(cpu, e, (__u32)sizeof(*e) + local + remote);
	return true;
}

/* What the probe counted of a UDP socket's bytes: it stands where TCP has its sequence numbers. */
static __always_inline void fill_counted(struct sock_event *e, const struct socket_ref *s)
{
	struct endpoint *p;

	if (s->kind != SOCKET_UDP)
		return;
	p = endpoint_of(s->sk, s->inode);
	e->snd_seq = p ? p->moved[DIR_WRITE] : 1;
	e->rcv_seq = p ? p->moved[DIR_READ] : 1;
}

/* Emits a sock_event. False: the ring had no room. */
static __noinline bool emit_inet(struct cpu_state *cpu, const struct socket_ref *s, const struct call_facts *f)
{
	struct sock_event *e = reserve(cpu, EVENT_SOCK, sizeof(*e));

	if (!e)
		return false;
	fill_socket(e, s->sk, s->inode);
	fill_counted(e, s);
	fill_call(e, f);
	if (f->op == SOCK_SHUTDOWN)
		e->new_state = (__u8)f->how;
	commit(cpu, e, sizeof(*e));
	return true;
}

/*
 * Emits an event of a socket. False: the ring had no room. It is inlined, since
 * the stacks of all functions in a chain of calls share 512 bytes.
 */
static __always_inline bool emit_socket(struct cpu_state *cpu, const struct socket_ref *s, const struct call_facts *f)
{
	return s->family == AF_UNIX ? emit_unix(cpu, s, f, 0, 0) : emit_inet(cpu, s, f);
}

/* Remembers a socket that was announced. */
static __always_inline void remember(struct cpu_state *cpu, const struct socket_ref *s, __u8 role)
{
	if (s->kind == SOCKET_TCP)
		remember_open_socket(cpu, s->sk, s->inode, role);
	else
		remember_endpoint(s->sk, s->inode, role);
}

/* Is it a socket that the reader knows? Fills the role that is known of it. */
static __always_inline bool announced(const struct socket_ref *s, __u8 *role)
{
	struct tracked *known;
	struct endpoint *p;

	if (s->kind != SOCKET_TCP) {
		p = endpoint_of(s->sk, s->inode);
		if (p)
			*role = p->role;
		return p != NULL;
	}
	known = tracked_socket(s->sk);
	if (known)
		*role = known->role;
	else if (has_listener(s->sk))
		*role = ROLE_SERVER;
	return known && known->inode == s->inode;
}

/*
 * Makes sure that the reader knows the socket: its addresses precede its first
 * io. False: it does not, since the ring had no room; the next io tries again.
 */
static __always_inline bool announce(struct cpu_state *cpu, const struct socket_ref *s, __s32 fd, __u64 now)
{
	struct call_facts *f = &cpu->work.facts;
	__u8 role = ROLE_UNKNOWN;

	if (announced(s, &role))
		return true;
	*f = (struct call_facts){.now = now, .fd = fd, .op = SOCK_SEEN, .role = role};
	if (!emit_socket(cpu, s, f))
		return false;
	remember(cpu, s, role);
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

/* Is a socket recorded under the filter of ports? AF_UNIX has none: it is, unless ports were asked for. */
static __always_inline bool wanted(const struct socket_ref *s)
{
	return ports_wanted(s->lport, s->rport);
}

/* Reads a socket address of user space. False: there is none. An address that is no internet one gives port 0. */
static __always_inline bool read_peer(__u8 *addr16, __u16 *port, __u64 addr)
{
	struct user_sockaddr peer = {};

	if (!addr || bpf_probe_read_user(&peer, 8, (const void *)addr))
		return false;
	if (peer.family != AF_INET && peer.family != AF_INET6)
		return false;
	*port = swap16(peer.port);
	if (peer.family == AF_INET) {
		*(__u32 *)addr16 = peer.v4;
		return true;
	}
	return !bpf_probe_read_user(addr16, 16, (const void *)(addr + 8));
}

/* An internet socket: it forgets the peer when connect fails, so that is read from the call. */
static __always_inline bool emit_connect(struct cpu_state *cpu, const struct socket_ref *s, const struct call_facts *f, __u64 addr)
{
	struct sock_event *e = reserve(cpu, EVENT_SOCK, sizeof(*e));

	if (!e)
		return false;
	fill_socket(e, s->sk, s->inode);
	fill_counted(e, s);
	fill_call(e, f);
	if (!s->rport)
		read_peer(e->raddr, &e->rport, addr);
	commit(cpu, e, sizeof(*e));
	return true;
}

static __always_inline void on_connect(struct cpu_state *cpu, const struct inflight *entry, const struct pt_regs *regs, __s64 ret)
{
	struct call_facts f = call_facts(entry, SOCK_CONNECT, ROLE_CLIENT, (__s32)SYSCALL_ARG0(regs), ret);
	struct socket_ref s;
	bool done;

	if (!socket_of_call(entry, f.fd, &s))
		return;
	if (filter_ports && (s.rport || s.family == AF_UNIX) && !wanted(&s))
		return;
	nonblock_flag(&s, &f);
	if (s.family == AF_UNIX)
		done = emit_unix(cpu, &s, &f, SYSCALL_ARG1(regs), SYSCALL_ARG2(regs));
	else
		done = emit_connect(cpu, &s, &f, SYSCALL_ARG1(regs));
	if (s.kind == SOCKET_TCP || done)
		remember(cpu, &s, ROLE_CLIENT);
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
	if (!found || !wanted(&s))
		return;
	nonblock_flag(&s, &f);
	if (emit_socket(cpu, &s, &f) && ret >= 0)
		remember(cpu, &s, ROLE_SERVER);
}

static __always_inline void on_shutdown(struct cpu_state *cpu, const struct inflight *entry, const struct pt_regs *regs, __s64 ret)
{
	struct call_facts f = call_facts(entry, SOCK_SHUTDOWN, ROLE_UNKNOWN, (__s32)SYSCALL_ARG0(regs), ret);
	struct socket_ref s;

	if (!socket_of_call(entry, f.fd, &s) || !wanted(&s))
		return;
	f.how = (__u32)SYSCALL_ARG1(regs);
	emit_socket(cpu, &s, &f);
}

/* One event for each end of a pair, of which neither is client or server. */
static __always_inline void on_socketpair(struct cpu_state *cpu, const struct inflight *entry, const struct pt_regs *regs, __s64 ret)
{
	struct call_facts f = call_facts(entry, SOCK_PAIR, ROLE_UNKNOWN, -1, ret);
	__s32 fds[2] = {-1, -1};
	struct socket_ref s;

	if (ret || bpf_probe_read_user(fds, sizeof(fds), (const void *)SYSCALL_ARG3(regs)))
		return;
	for (int i = 0; i < 2; i++) {
		f.fd = fds[i];
		if (socket_of_fd(f.fd, &s) && wanted(&s) && emit_socket(cpu, &s, &f))
			remember(cpu, &s, ROLE_UNKNOWN);
	}
}

#endif /* REEL_LIFECYCLE_H */
