// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* plaintext.h turns calls of TLS libraries that move plaintext into tls_events. */
#ifndef REEL_PLAINTEXT_H
#define REEL_PLAINTEXT_H

#include "budget.h"
#include "record.h"
#include "target.h"
#include "tie.h"

struct tls_object {
	__u32 tgid;
	__u32 pad;
	__u64 address;
};

/* A TLS connection of a process. */
struct tls_session {
	__u64 id;
	__u64 sk[2]; /* struct sock that was read and written inside its calls; 0: not seen */
	__u64 inode[2];
	__u64 offset[2]; /* plaintext bytes moved, read and written */
	struct conversation budget;
};

/*
 * tls_sessions: TLS connections whose plaintext was seen.
 *   key        struct tls_object
 *   value      struct tls_session
 *   inserted   the first call that moved plaintext
 *   deleted    when the library frees the object
 *   read by    return of the library's calls
 *   bound      65,536 connections
 *   overflow   the one that was quiet for longest is forgotten: it goes on as another session
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct tls_object);
	__type(value, struct tls_session);
} tls_sessions SEC(".maps");

/* What plaintext probes cost a process, but for the traps themselves. */
struct tls_cost {
	__u64 hits; /* of entries and returns */
	__u64 ns;   /* that programs took at returns */
	__u64 off;  /* 1: nothing more is recorded; the probes are being taken out, one after the other */
};

/*
 * tls_costs: what plaintext probes cost processes.
 *   key        tgid
 *   value      struct tls_cost
 *   inserted   user space (WatchCost), for processes whose cost is watched
 *   deleted    user space
 *   read by    user space; written by every probe
 *   bound      4,096 processes
 *   overflow   user space is told, and places no probes
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct tls_cost);
} tls_costs SEC(".maps");

/* Is plaintext of the process recorded? Counts the hit if that is asked for. */
static __always_inline bool count_hit(__u32 tgid, __u64 ns)
{
	struct tls_cost *cost = bpf_map_lookup_elem(&tls_costs, &tgid);

	if (!cost)
		return true;
	if (cost->off)
		return false;
	COUNT(cost->hits, 1);
	COUNT(cost->ns, ns);
	return true;
}

/* tls_blank: a session before its first call: too big for the stack of a chain of programs. */
static const struct tls_session tls_blank;

static __always_inline struct caller this_thread(void)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();

	return (struct caller){.tgid = pid_tgid >> 32, .tid = (__u32)pid_tgid};
}

static __always_inline struct caller this_goroutine(const struct pt_regs *regs)
{
	return (struct caller){.tgid = bpf_get_current_pid_tgid() >> 32, .goroutine = GO_G(regs)};
}

static __always_inline int enter_tls(const struct caller *who, const struct tls_inflight *call)
{
	if (!is_target(who->tgid) || !count_hit(who->tgid, 0))
		return 0;
	bpf_map_update_elem(&tls_calls, who, call, BPF_ANY);
	return 0;
}

static __always_inline __u8 direction_of(__u8 call)
{
	return call == TLS_CALL_READ || call == TLS_CALL_READ_EX ? DIR_READ : DIR_WRITE;
}

/* The entry of a function (object, buffer, length[, where the number of bytes is stored]). */
static __always_inline int on_tls_entry(const struct pt_regs *regs, __u8 call, __u8 library)
{
	struct caller who = this_thread();
	struct tls_inflight c = {
		.object = C_ARG0(regs), .addr = C_ARG1(regs), .length = C_ARG2(regs), .moved = C_ARG3(regs),
		.enter_ns = bpf_ktime_get_ns(), .call = call, .library = library, .dir = direction_of(call),
	};

	return enter_tls(&who, &c);
}

/* func (c *Conn) Read(b []byte) (int, error), and Write */
static __always_inline int on_go_entry(const struct pt_regs *regs, __u8 call)
{
	struct caller who = this_goroutine(regs);
	struct tls_inflight c = {
		.object = GO_REG0(regs), .addr = GO_REG1(regs), .length = GO_REG2(regs), .stack = STACK(regs),
		.enter_ns = bpf_ktime_get_ns(), .call = call, .library = TLS_LIBRARY_GO, .dir = direction_of(call),
	};

	return enter_tls(&who, &c);
}

/* The library frees an object: what has its address later is another connection. */
static __always_inline int on_tls_free(__u64 object)
{
	struct tls_object key = {.tgid = bpf_get_current_pid_tgid() >> 32, .address = object};

	bpf_map_delete_elem(&tls_sessions, &key);
	return 0;
}

static __always_inline struct tls_session *session_of(const struct caller *who, __u64 object)
{
	struct tls_object key = {.tgid = who->tgid, .address = object};
	struct tls_session *s = bpf_map_lookup_elem(&tls_sessions, &key);

	if (s)
		return s;
	bpf_map_update_elem(&tls_sessions, &key, &tls_blank, BPF_NOEXIST);
	return bpf_map_lookup_elem(&tls_sessions, &key);
}

/* An id that no other session has, nor will: of its place and its first moment. */
static __always_inline __u64 new_session_id(__u64 object, __u64 now)
{
	__u64 id = socket_id((void *)(object ^ (now << 16)));

	return id ? id : 1;
}

/* Makes sure that the session is that of the call's socket: one object may serve another connection later (SSL_clear). */
static __always_inline void settle(struct tls_session *s, const struct tls_inflight *c)
{
	__u32 d = (c->dir - 1) & 1;

	if (c->sk && s->sk[d] && (s->sk[d] != c->sk || s->inode[d] != c->inode))
		s->id = 0;
	if (!s->id) {
		*s = tls_blank;
		s->id = new_session_id(c->object, c->exit_ns);
	}
	if (c->sk) {
		s->sk[d] = c->sk;
		s->inode[d] = c->inode;
	}
}

/* One row of a call: at most CHUNK_BYTES of payload. A function of its own, so that it is verified once and may stand in a loop. */
__noinline int emit_tls_row(__u64 tgid_tid, __u64 goroutine)
{
	struct caller who = {.tgid = tgid_tid >> 32, .tid = (__u32)tgid_tid, .goroutine = goroutine};
	struct tls_inflight *c = bpf_map_lookup_elem(&tls_calls, &who);
	struct cpu_state *cpu = this_cpu();
	struct tls_session *s;
	struct tls_event *e;
	__u32 want, room, d;
	__u8 fault = 0;

	if (!c || !cpu || !c->left)
		return 1;
	s = session_of(&who, c->object);
	if (!s)
		return 1;
	d = (c->dir - 1) & 1;
	want = c->wanted < CHUNK_BYTES ? (__u32)c->wanted : CHUNK_BYTES;
	room = room_for(want);
	e = reserve_class(cpu, EVENT_TLS, sizeof(*e), room);
	if (!e) { /* the next row's offset tells */
		s->offset[d] += c->left;
		return 1;
	}
	e->h.time_ns = c->exit_ns;
	e->h.pid = who.tgid;
	e->h.tid = (__u32)bpf_get_current_pid_tgid();
	e->duration_ns = c->exit_ns - c->enter_ns;
	e->session = s->id;
	e->sock = s->sk[d] ? socket_id((void *)s->sk[d]) : 0;
	e->inode = s->inode[d];
	e->offset = s->offset[d];
	e->flags = c->flags;
	e->call = c->call;
	e->library = c->library;
	e->dir = c->dir;
	e->cut = c->cut;
	__builtin_memset(e->pad, 0, sizeof(e->pad));
	e->captured_len = 0;
	if (want)
		e->captured_len = copy_range(e + 1, want, room, c->addr, &fault);
	if (fault)
		e->cut = CUT_FAULT;
	/* The last row that has payload is also about what is not copied. */
	e->ret = c->wanted > CHUNK_BYTES ? CHUNK_BYTES : (__s64)c->left;
	s->offset[d] += (__u64)e->ret;
	c->left -= (__u64)e->ret;
	c->addr += want;
	c->wanted -= want;
	c->flags |= TLS_FLAG_SAME_CALL;
	commit_preempted(cpu, e, (__u32)sizeof(*e) + e->captured_len);
	return fault;
}

/* Plaintext of a port that was not asked for is not recorded, nor where the port is not known. */
static __always_inline bool tls_wanted(const struct tls_session *s, const struct tls_inflight *c)
{
	return !filter_ports || s->sk[(c->dir - 1) & 1];
}

/* The call moved some bytes. */
static __always_inline void on_plaintext(const struct caller *who, struct tls_inflight *c, __u64 moved)
{
	struct tls_session *s = session_of(who, c->object);
	struct cpu_state *cpu = this_cpu();
	__u16 flags = 0;

	if (!s || !cpu)
		return;
	settle(s, c);
	if (c->sk)
		c->flags |= TLS_FLAG_NESTED;
	if (!tls_wanted(s, c))
		return;
	if (shed >= SHED_IO) {
		s->offset[(c->dir - 1) & 1] += moved;
		return;
	}
	c->left = moved;
	c->wanted = spend(&s->budget, c->dir, c->exit_ns, moved, &flags, &c->cut);
	if (c->call == TLS_CALL_SENDFILE) {
		c->wanted = 0;
		c->cut = CUT_NO_COPY;
	}
	for (int i = 0; i < MAX_CHUNKS; i++)
		if (emit_tls_row((__u64)who->tgid << 32 | who->tid, who->goroutine))
			break;
}

/* The bytes that a call moved, by its result. */
static __always_inline __s64 plaintext_moved(const struct tls_inflight *c, __u64 result)
{
	__u64 n = 0;

	switch (c->call) {
	case TLS_CALL_READ:
	case TLS_CALL_WRITE:
		return c->library == TLS_LIBRARY_OPENSSL ? (__s32)result : (__s64)result; /* int, else ssize_t or int of Go */
	case TLS_CALL_SENDFILE:
		return (__s64)result;
	}
	if ((__s32)result != 1 || bpf_probe_read_user(&n, sizeof(n), (const void *)c->moved))
		return 0;
	return (__s64)n;
}

static __always_inline int leave_tls(const struct caller *who, struct tls_inflight *c, __u64 result)
{
	__s64 moved = plaintext_moved(c, result);
	c->exit_ns = bpf_ktime_get_ns();
	if (moved > 0 && (c->call == TLS_CALL_SENDFILE || (__u64)moved <= c->length))
		on_plaintext(who, c, (__u64)moved);
	count_hit(who->tgid, bpf_ktime_get_ns() - c->exit_ns);
	bpf_map_delete_elem(&tls_calls, who);
	return 0;
}

static __always_inline int on_tls_return(const struct pt_regs *regs)
{
	struct caller who = this_thread();
	struct tls_inflight *c = bpf_map_lookup_elem(&tls_calls, &who);

	return c ? leave_tls(&who, c, C_RESULT(regs)) : 0;
}

/* Go may have moved the stack meanwhile, and with it a buffer that lies there: as far from the stack's end as before. */
static __always_inline void follow_stack(const struct caller *who, struct tls_inflight *c, __u64 stack)
{
	__u64 end = 0; /* struct g begins with the bounds of its stack, the lower first */

	if (stack == c->stack || bpf_probe_read_user(&end, sizeof(end), (const void *)(who->goroutine + 8)))
		return;
	if (c->addr - c->stack < end - stack)
		c->addr += stack - c->stack;
}

static __always_inline int on_go_return(const struct pt_regs *regs)
{
	struct caller who = this_goroutine(regs);
	struct tls_inflight *c = bpf_map_lookup_elem(&tls_calls, &who);

	if (!c)
		return 0;
	follow_stack(&who, c, STACK(regs));
	return leave_tls(&who, c, GO_REG0(regs));
}

#endif /* REEL_PLAINTEXT_H */
