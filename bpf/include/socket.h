// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* socket.h finds the socket behind a file descriptor and reads its facts. */
#ifndef REEL_SOCKET_H
#define REEL_SOCKET_H

#include "config.h"
#include "event.h"
#include "read.h"

/* What is recorded of a socket, and how. */
enum socket_kind {
	SOCKET_NONE = 0,
	SOCKET_TCP = 1,
	SOCKET_UNIX_STREAM = 2,
	SOCKET_UNIX_DGRAM = 3, /* SOCK_DGRAM and SOCK_SEQPACKET: messages with boundaries */
	SOCKET_UDP = 4,
	SOCKET_MPTCP = 5, /* not recorded, but counted */
};

struct socket_ref {
	struct sock *sk; /* NULL: not a socket that is recorded */
	__u64 inode;
	__u32 file_flags; /* O_* */
	__u16 lport;      /* host order; 0 for AF_UNIX */
	__u16 rport;
	__u16 family;
	__u8 kind; /* enum socket_kind */
	__u8 pad[5];
};

/* The id that events carry: a bijection of the address (murmur3's finaliser), keyed, so that it names but does not reveal. */
static __always_inline __u64 socket_id(const void *sk)
{
	__u64 x = (__u64)sk ^ salt;

	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	x ^= x >> 33;
	return x ^ salt;
}

static __always_inline __u16 swap16(__be16 v)
{
	return __builtin_bswap16(v);
}

/* The local port, host order. On the way to CLOSE the kernel gives the port back, and only inet_sport still has it. */
static __always_inline __u16 local_port(const struct sock *sk)
{
	__u16 port = READ(sock, sk, __sk_common.skc_num);

	return port ? port : swap16(READ(inet_sock, sk, inet_sport));
}

/* The kind of a socket that is not TCP over IPv4 or IPv6. Fills what it has of ports. */
static __always_inline bool describe_other(struct socket_ref *s, __u16 protocol)
{
	if (s->family == AF_UNIX) {
		s->kind = READ(sock, s->sk, sk_type) == SOCK_STREAM ? SOCKET_UNIX_STREAM : SOCKET_UNIX_DGRAM;
		s->lport = 0;
		s->rport = 0;
		return true;
	}
	if (s->family != AF_INET && s->family != AF_INET6)
		return false;
	if (protocol == IPPROTO_MPTCP)
		s->kind = SOCKET_MPTCP;
	if (protocol != IPPROTO_UDP && protocol != IPPROTO_UDPLITE)
		return false;
	s->kind = SOCKET_UDP;
	return true;
}

/* Is it a socket that is recorded? Fills kind, family and ports. */
static __always_inline bool describe(struct socket_ref *s)
{
	__u16 protocol = READ(sock, s->sk, sk_protocol);

	s->family = READ(sock, s->sk, __sk_common.skc_family);
	s->kind = SOCKET_NONE;
	if (protocol == IPPROTO_TCP && (s->family == AF_INET || s->family == AF_INET6))
		s->kind = SOCKET_TCP;
	else if (!describe_other(s, protocol))
		return false;
	if (s->family == AF_UNIX)
		return true;
	s->lport = local_port(s->sk);
	s->rport = swap16(READ(sock, s->sk, __sk_common.skc_dport));
	return true;
}

static __always_inline bool is_listener(const struct sock *sk)
{
	return READ(sock, sk, __sk_common.skc_state) == TCP_LISTEN;
}

/* The socket of a file. */
static __always_inline bool socket_of_file(const struct file *file, struct socket_ref *s)
{
	struct inode *inode = READ(file, file, f_inode);
	struct socket *socket;

	s->sk = NULL;
	s->kind = SOCKET_NONE;
	if ((READ(inode, inode, i_mode) & S_IFMT) != S_IFSOCK)
		return false;
	s->inode = READ(inode, inode, i_ino);
	s->file_flags = READ(file, file, f_flags);
	socket = READ(file, file, private_data);
	s->sk = read_address(&socket->sk);
	if (s->sk && describe(s))
		return true;
	s->sk = NULL;
	return false;
}

/* The descriptors of the current task. */
static __always_inline struct fdtable *current_descriptors(void)
{
	struct files_struct *files = READ(task_struct, bpf_get_current_task(), files);

	return files ? READ(files_struct, files, fdt) : NULL;
}

/* The file of a file descriptor of the current task; NULL: there is none. */
static __always_inline struct file *file_of_fd(__s32 fd)
{
	struct fdtable *table = current_descriptors();

	if (fd < 0 || !table || (__u32)fd >= READ(fdtable, table, max_fds))
		return NULL;
	return read_address(READ(fdtable, table, fd) + fd);
}

/* The socket of a file descriptor of the current task. */
static __always_inline bool socket_of_fd(__s32 fd, struct socket_ref *s)
{
	struct file *file = file_of_fd(fd);

	s->sk = NULL;
	s->kind = SOCKET_NONE;
	return file && socket_of_file(file, s);
}

/* References to a file: by descriptors of all processes, and by calls under way; 0 unknown. */
static __always_inline __u32 references(const struct file *file)
{
	if (bpf_core_field_exists(((struct file___ref *)0)->f_ref))
		return (__u32)READ(file___ref, file, f_ref.refcnt.counter) + 1;
	if (bpf_core_field_exists(((struct file___counted *)0)->f_count))
		return (__u32)READ(file___counted, file, f_count.counter);
	return 0;
}

struct tcp_seqs {
	__u32 read;     /* sequence number of the next byte read */
	__u32 received; /* of the next byte expected from the peer */
	__u32 write;    /* of the next byte written */
};

#define FIN_SENT_STATES                                                                              \
	(1U << TCP_FIN_WAIT1 | 1U << TCP_FIN_WAIT2 | 1U << TCP_TIME_WAIT | 1U << TCP_LAST_ACK | 1U << TCP_CLOSING)

/* copied_seq, rcv_nxt and write_seq, less the FIN where it has been counted: it takes a number but is no byte. */
static __always_inline struct tcp_seqs read_seqs(const struct sock *sk)
{
	struct tcp_seqs s;

	s.read = READ(tcp_sock, sk, copied_seq);
	s.received = READ(tcp_sock, sk, rcv_nxt);
	s.write = READ(tcp_sock, sk, write_seq);
	if (READ(sock, sk, __sk_common.skc_flags) & (1UL << SOCK_DONE_BIT)) {
		s.read -= s.read == s.received;
		s.received--;
	}
	if (FIN_SENT_STATES >> (READ(sock, sk, __sk_common.skc_state) & 31) & 1)
		s.write--;
	return s;
}

/* The interface of a socket's segments: what the last ones came in by, or what ours leave by; 0 when neither is known. */
static __always_inline __u32 interface_of(const struct sock *sk)
{
	const struct dst_entry *route;
	const struct net_device *dev;
	int index = 0;

	if (bpf_core_field_exists(((struct sock *)0)->sk_rx_dst_ifindex))
		index = READ(sock, sk, sk_rx_dst_ifindex);
	if (index > 0)
		return (__u32)index;
	route = read_address(&sk->sk_dst_cache);
	if (!route)
		return 0;
	dev = read_address(&route->dev);
	return dev ? (__u32)READ(net_device, dev, ifindex) : 0;
}

/* Both addresses of a socket, or of a request for one. */
static __always_inline void read_addresses(__u8 *laddr, __u8 *raddr, const struct sock_common *c, __u16 family)
{
	if (family == AF_INET6) {
		READ_INTO(laddr, 16, sock_common, c, skc_v6_rcv_saddr);
		READ_INTO(raddr, 16, sock_common, c, skc_v6_daddr);
		return;
	}
	__builtin_memset(laddr, 0, 16);
	__builtin_memset(raddr, 0, 16);
	*(__u32 *)laddr = READ(sock_common, c, skc_rcv_saddr);
	*(__u32 *)raddr = READ(sock_common, c, skc_daddr);
}

/* What TCP keeps of a socket. */
static __always_inline void fill_numbers(struct sock_event *e, const struct sock *sk)
{
	struct tcp_seqs seqs = read_seqs(sk);

	e->snd_seq = seqs.write;
	e->rcv_seq = seqs.read;
	e->rcv_nxt = seqs.received;
	e->snd_una = READ(tcp_sock, sk, snd_una);
	e->srtt_us = READ(tcp_sock, sk, srtt_us) >> 3;
	e->rttvar_us = READ(tcp_sock, sk, mdev_us) >> 2;
	e->total_retrans = READ(tcp_sock, sk, total_retrans);
	e->lost_out = READ(tcp_sock, sk, lost_out);
	e->segs_in = READ(tcp_sock, sk, segs_in);
	e->segs_out = READ(tcp_sock, sk, segs_out);
	e->bytes_acked = READ(tcp_sock, sk, bytes_acked);
	e->bytes_received = READ(tcp_sock, sk, bytes_received);
	e->snd_wnd = READ(tcp_sock, sk, snd_wnd);
	e->rcv_wnd = READ(tcp_sock, sk, rcv_wnd);
	e->snd_cwnd = READ(tcp_sock, sk, snd_cwnd);
	e->mss = READ(tcp_sock, sk, mss_cache);
	e->rtt_min_us = READ(tcp_sock, sk, rtt_min.s[0].v);
	if (e->rtt_min_us == ~0U) /* no sample yet */
		e->rtt_min_us = 0;
}

/* A socket without TCP has none of its numbers. */
static __always_inline void clear_numbers(struct sock_event *e)
{
	__builtin_memset(&e->snd_seq, 0, __builtin_offsetof(struct sock_event, fd) - __builtin_offsetof(struct sock_event, snd_seq));
	__builtin_memset(&e->bytes_acked, 0, __builtin_offsetof(struct sock_event, ifindex) - __builtin_offsetof(struct sock_event, bytes_acked));
	e->rtt_min_us = 0;
}

/* Fills what a sock_event says of the socket itself: TCP, or UDP but for the bytes that the probe counted. */
static __always_inline void fill_socket(struct sock_event *e, const struct sock *sk, __u64 inode)
{
	struct net *net = READ(sock, sk, __sk_common.skc_net.net);
	__u16 family = READ(sock, sk, __sk_common.skc_family);
	__u16 protocol = READ(sock, sk, sk_protocol);

	if (protocol == IPPROTO_TCP)
		fill_numbers(e, sk);
	else
		clear_numbers(e);
	e->sock = socket_id(sk);
	e->inode = inode;
	e->netns = READ(net, net, ns.inum);
	e->family = (__u8)family;
	e->protocol = (__u8)protocol;
	e->new_state = READ(sock, sk, __sk_common.skc_state);
	e->old_state = e->new_state;
	e->lport = local_port(sk);
	e->rport = swap16(READ(sock, sk, __sk_common.skc_dport));
	read_addresses(e->laddr, e->raddr, &sk->__sk_common, family);
	e->ifindex = interface_of(sk);
	e->error = (__u16)READ(sock, sk, sk_err);
	__builtin_memset(e->tail_pad, 0, sizeof(e->tail_pad));
	e->file_refs = 0;
}

#endif /* REEL_SOCKET_H */
