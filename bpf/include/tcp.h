// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/*
 * tcp.h turns retransmits, drops, resets and closed windows of targets' sockets
 * into tcp_events. The hooks run in softirqs and timers, in the middle of
 * whatever task had the CPU: that a socket is a target's is known by its
 * address in `sockets`, and by nothing else.
 */
#ifndef REEL_TCP_H
#define REEL_TCP_H

#include "emit.h"
#include "socket.h"
#include "track.h"

/* How many arguments this kernel's tracepoints have: what later kernels added is not there to be read. Set at load. */
const volatile __u8 kfree_skb_arguments = 2;
const volatile __u8 retransmit_arguments = 2;
const volatile __u8 reset_arguments = 2;

#define DROP_REASONS  256 /* of the core: a kernel has some 130; those of subsystems have greater numbers */
#define RESET_REASONS 64

struct reason_name {
	char text[TCP_REASON_LEN];
};

/*
 * drop_reasons, reset_reasons: this kernel's names of its numbers, which change from one kernel to the next.
 *   key        enum skb_drop_reason, enum sk_rst_reason
 *   value      the name less its prefix, NUL-terminated
 *   inserted   user space, at load, from the kernel's BTF
 *   deleted    never
 *   read by    drops, resets sent
 *   bound      256, 64
 *   overflow   a number without a name: the event holds the number alone
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DROP_REASONS);
	__type(key, __u32);
	__type(value, struct reason_name);
} drop_reasons SEC(".maps");

/* See drop_reasons.
 *   key        enum sk_rst_reason
 *   value      its name
 *   inserted   at load
 *   deleted    never
 *   read by    resets sent
 *   bound      64
 *   overflow   the event holds the number alone
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RESET_REASONS);
	__type(key, __u32);
	__type(value, struct reason_name);
} reset_reasons SEC(".maps");

static __always_inline void name_reason(struct tcp_event *e, const void *names, __u32 reason)
{
	const struct reason_name *name = bpf_map_lookup_elem((void *)names, &reason);

	if (name)
		__builtin_memcpy(e->reason, name->text, sizeof(e->reason));
}

/* What an event says of the socket, at the moment. */
static __always_inline void fill_tcp(struct tcp_event *e, const struct sock *sk, const struct tracked *known, __u8 op)
{
	__u64 head = __builtin_offsetof(struct tcp_event, sock);
	const struct net *net = READ(sock, sk, __sk_common.skc_net.net);

	__builtin_memset((__u8 *)e + head, 0, sizeof(*e) - head);
	e->h.time_ns = bpf_ktime_get_ns();
	e->h.pid = 0;
	e->h.tid = 0;
	e->sock = socket_id(sk);
	e->inode = known->inode;
	e->netns = READ(net, net, ns.inum);
	e->srtt_us = READ(tcp_sock, sk, srtt_us) >> 3;
	e->snd_cwnd = READ(tcp_sock, sk, snd_cwnd);
	e->snd_ssthresh = READ(tcp_sock, sk, snd_ssthresh);
	e->snd_wnd = READ(tcp_sock, sk, snd_wnd);
	e->rcv_wnd = READ(tcp_sock, sk, rcv_wnd);
	e->total_retrans = READ(tcp_sock, sk, total_retrans);
	e->lost_out = READ(tcp_sock, sk, lost_out);
	e->op = op;
	e->state = READ(sock, sk, __sk_common.skc_state);
	e->ca_state = (__u8)BPF_CORE_READ_BITFIELD_PROBED((struct inet_connection_sock *)sk, icsk_ca_state);
	e->family = (__u8)READ(sock, sk, __sk_common.skc_family);
	e->lport = local_port(sk);
	e->rport = swap16(READ(sock, sk, __sk_common.skc_dport));
	read_addresses(e->laddr, e->raddr, &sk->__sk_common, e->family);
}

/* A record about a socket that is known to be a target's. NULL: it is none, or the ring has no room. */
static __always_inline struct tcp_event *tcp_event(struct cpu_state **cpu, const struct sock *sk, __u8 op)
{
	const struct tracked *known = tracked_socket(sk);
	struct tcp_event *e;

	if (!known)
		return NULL;
	*cpu = this_cpu();
	if (!*cpu)
		return NULL;
	e = reserve(*cpu, EVENT_TCP, sizeof(*e));
	if (e)
		fill_tcp(e, sk, known, op);
	return e;
}

static __always_inline __u8 why_again(const struct sock *sk, __u8 state, __u8 ca_state)
{
	__u8 timer = READ(inet_connection_sock, sk, icsk_pending);

	if (state == TCP_SYN_SENT || state == TCP_SYN_RECV)
		return TCP_CAUSE_HANDSHAKE;
	if (ca_state == TCP_CA_RECOVERY)
		return TCP_CAUSE_FAST;
	if (ca_state == TCP_CA_LOSS) /* the timer is taken down before its own retransmission (tcp_write_timer_handler) */
		return timer == TIMER_NONE ? TCP_CAUSE_TIMEOUT : TCP_CAUSE_AFTER_TIMEOUT;
	return timer == TIMER_LOSS_PROBE ? TCP_CAUSE_PROBE : TCP_CAUSE_UNKNOWN;
}

static __always_inline void fill_sent(struct tcp_event *e, const struct sk_buff *skb)
{
	const struct tcp_skb_cb *cb = (const struct tcp_skb_cb *)&skb->cb[0];
	__u32 end;

	e->dir = DIR_WRITE;
	e->seq = READ(tcp_skb_cb, cb, seq);
	end = READ(tcp_skb_cb, cb, end_seq);
	e->segs = READ(tcp_skb_cb, cb, tcp_gso_segs);
	READ_INTO(&e->tcp_flags, 1, tcp_skb_cb, cb, tcp_flags); /* the low eight bits: both architectures are little endian */
	e->len = end - e->seq - !!(e->tcp_flags & TCP_FLAG_SYN) - !!(e->tcp_flags & TCP_FLAG_FIN);
}

/* tcp_retransmit_skb(sk, skb[, err]) */
static __always_inline int on_retransmit(const void *ctx)
{
	const struct sock *sk = read_argument(ctx);
	struct cpu_state *cpu;
	struct tcp_event *e = tcp_event(&cpu, sk, TCP_OP_RETRANSMIT);

	if (!e)
		return 0;
	fill_sent(e, read_argument(ctx + 8));
	e->cause = why_again(sk, e->state, e->ca_state);
	if (retransmit_arguments > 2)
		e->value = (__s32)(__u64)read_argument(ctx + 16);
	commit(cpu, e, sizeof(*e));
	return 0;
}

/* tcp_retransmit_synack(sk, req): sk is the listening socket, the request has the addresses. */
static __always_inline int on_synack(const void *ctx)
{
	const struct request_sock *req = read_argument(ctx + 8);
	struct cpu_state *cpu;
	struct tcp_event *e = tcp_event(&cpu, read_argument(ctx), TCP_OP_SYNACK);

	if (!e)
		return 0;
	e->dir = DIR_WRITE;
	e->cause = TCP_CAUSE_HANDSHAKE;
	e->segs = 1;
	e->state = TCP_SYN_RECV;
	e->rport = swap16(READ(request_sock, req, __req_common.skc_dport));
	read_addresses(e->laddr, e->raddr, &req->__req_common, e->family);
	commit(cpu, e, sizeof(*e));
	return 0;
}

/* What the header of a segment says. */
struct segment {
	__u32 seq;
	__u32 len;  /* bytes of data */
	__u8 dir;   /* enum io_direction; DIR_INVALID: the packet has no TCP header (yet) */
	__u8 flags; /* of the header */
	__u8 pad[6];
};

static __always_inline struct segment read_segment(const struct sock *sk, const struct sk_buff *skb)
{
	const unsigned char *head = read_address(&skb->head), *data = read_address(&skb->data);
	__u16 at = READ(sk_buff, skb, transport_header), lport = local_port(sk);
	struct segment s = {.len = READ(sk_buff, skb, len)};
	struct {
		__be16 source, dest;
		__be32 seq, ack_seq;
		__u8 doff, flags;
		__be16 window;
	} th;
	__s64 len;

	if (at == 0xffff || bpf_probe_read_kernel(&th, sizeof(th), head + at))
		return s;
	if (swap16(th.dest) == lport)
		s.dir = DIR_READ;
	else if (swap16(th.source) == lport)
		s.dir = DIR_WRITE;
	else
		return s;
	s.seq = __builtin_bswap32(th.seq);
	s.flags = th.flags;
	/* skb->data is at the network header, at the TCP header or behind it, as far as the segment got. */
	len = (__s64)s.len + (data - (head + at)) - (th.doff >> 4) * 4;
	s.len = len > 0 ? (__u32)len : 0;
	return s;
}

static __always_inline void fill_segment(struct tcp_event *e, const struct segment *s)
{
	e->seq = s->seq;
	e->len = s->len;
	e->dir = s->dir;
	e->tcp_flags = s->flags;
	e->segs = 1;
}

#define IS_REASON(reason, name)                                                  \
	(bpf_core_enum_value_exists(enum skb_drop_reason, SKB_DROP_REASON_##name) && \
	 (reason) == bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_##name))

/*
 * TCP frees by kfree_skb what it has used, too: acknowledgements outside of
 * ESTABLISHED, resets, and the probes of keepalive and of a closed window,
 * which repeat an old number to be answered. None of these is a loss.
 */
static __always_inline bool was_used(const struct segment *s, __u32 reason)
{
	if (s->dir != DIR_READ || s->len || s->flags & (TCP_FLAG_SYN | TCP_FLAG_FIN))
		return false;
	return IS_REASON(reason, NOT_SPECIFIED) || IS_REASON(reason, TCP_OLD_SEQUENCE) || IS_REASON(reason, TCP_OLD_ACK) ||
	       IS_REASON(reason, TCP_RESET);
}

/* kfree_skb(skb, location, reason[, sk]) */
static __always_inline int on_drop(const void *ctx)
{
	const struct sk_buff *skb = read_argument(ctx);
	__u32 reason = (__u32)(__u64)read_argument(ctx + 16);
	const struct sock *sk = NULL;
	struct cpu_state *cpu;
	struct tcp_event *e;
	struct segment s;

	if (kfree_skb_arguments > 3)
		sk = read_argument(ctx + 24);
	if (!sk)
		sk = read_address(&skb->sk);
	if (!sk || !tracked_socket(sk))
		return 0;
	s = read_segment(sk, skb);
	if (was_used(&s, reason))
		return 0;
	e = tcp_event(&cpu, sk, TCP_OP_DROP);
	if (!e)
		return 0;
	fill_segment(e, &s);
	e->value = reason;
	name_reason(e, &drop_reasons, reason);
	commit(cpu, e, sizeof(*e));
	return 0;
}

/* tcp_send_reset(sk, skb[, reason]): skb is the segment that is answered, if one is. */
static __always_inline int on_send_reset(const void *ctx)
{
	const struct sock *sk = read_argument(ctx);
	struct cpu_state *cpu;
	struct tcp_event *e;

	if (!sk)
		return 0;
	e = tcp_event(&cpu, sk, TCP_OP_RESET_SENT);
	if (!e)
		return 0;
	e->dir = DIR_WRITE;
	e->segs = 1;
	e->tcp_flags = TCP_FLAG_RST;
	if (reset_arguments > 2) {
		e->value = (__u32)(__u64)read_argument(ctx + 16);
		name_reason(e, &reset_reasons, (__u32)e->value);
	}
	commit(cpu, e, sizeof(*e));
	return 0;
}

/* tcp_receive_reset(sk) */
static __always_inline int on_receive_reset(const void *ctx)
{
	struct cpu_state *cpu;
	struct tcp_event *e = tcp_event(&cpu, read_argument(ctx), TCP_OP_RESET_RECEIVED);

	if (!e)
		return 0;
	e->dir = DIR_READ;
	e->segs = 1;
	e->tcp_flags = TCP_FLAG_RST;
	commit(cpu, e, sizeof(*e));
	return 0;
}

/*
 * tcp_probe(sk, skb): each segment that an established socket receives, before
 * it is processed. Nearly all end at the first test: only a window of 0 that
 * was advertised, before this segment or by it, is looked into.
 */
static __always_inline int on_segment(const void *ctx)
{
	/* Typed by the verifier: it costs no call, but may not be hashed. */
	const struct sock *seen_sk = (const struct sock *)((const __u64 *)ctx)[0];
	const struct sk_buff *seen_skb = (const struct sk_buff *)((const __u64 *)ctx)[1];
	const struct tcphdr *th = read_address(&seen_skb->data); /* tcp_rcv_established has it there */
	bool closed = READ(tcphdr, th, window) == 0, was_closed = READ(tcp_sock, seen_sk, snd_wnd) == 0;
	bool ours = READ(tcp_sock, seen_sk, rcv_wnd) == 0;
	const struct sk_buff *skb;
	const struct sock *sk;
	struct cpu_state *cpu;
	struct tcp_event *e;
	struct segment s;

	if (!closed && !was_closed && !ours)
		return 0;
	sk = read_argument(ctx);
	skb = read_argument(ctx + 8);
	e = tcp_event(&cpu, sk, closed || ours ? TCP_OP_WINDOW_CLOSED : TCP_OP_WINDOW_OPENED);
	if (!e)
		return 0;
	s = read_segment(sk, skb);
	fill_segment(e, &s);
	e->dir = closed || was_closed ? DIR_WRITE : DIR_READ;
	if (closed)
		e->snd_wnd = 0;
	commit(cpu, e, sizeof(*e));
	return 0;
}

#endif /* REEL_TCP_H */
