// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* track.h remembers the sockets of targets, so that what happens to a socket is attributed to it and not to the task that happens to run. */
#ifndef REEL_TRACK_H
#define REEL_TRACK_H

#include "cpu.h"
#include "socket.h"

struct tracked {
	__u64 inode; /* 0: no file yet */
	__u64 moved; /* bytes of the message that moves now (transfer.h) */
	__u8 role;   /* enum sock_role */
	__u8 dir;    /* enum io_direction of that message */
	__u8 pad[6];
};

/*
 * sockets: live sockets whose addresses have been recorded.
 *   key        address of struct sock
 *   value      struct tracked
 *   inserted   connect, accept, state changes of a target's connection, snapshot, first io; each only after its event was committed
 *   deleted    when the kernel frees the socket (tcp_destroy_sock); where that is not seen, at its state change to CLOSE
 *   read by    state changes and tcp.h (is it ours?), first io after a cache miss (was it announced?)
 *   bound      131,072: a process with 50,000 connections to itself
 *   overflow   counted in sockets_full: the socket's state changes and TCP events are not seen, its io is
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__type(key, __u64);
	__type(value, struct tracked);
} sockets SEC(".maps");

struct listener_key {
	__u32 netns;
	__u16 port; /* host order */
	__u16 pad;
};

/*
 * listeners: local ports that targets listen on: the kernel makes a connection's
 * socket in a softirq, where nothing else says whose it will be. Another
 * process that shares the port (SO_REUSEPORT) has the state changes of its
 * connections recorded too, and nothing else of them.
 *   key        network namespace, port
 *   value      address of the listening struct sock
 *   inserted   state change to LISTEN, snapshot
 *   deleted    that socket's state change from LISTEN
 *   read by    state changes to ESTABLISHED, snapshot (role of a connection)
 *   bound      4,096
 *   overflow   counted in listeners_full: connections of that port are seen from accept on
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct listener_key);
	__type(value, __u64);
} listeners SEC(".maps");

static __always_inline struct tracked *tracked_socket(const struct sock *sk)
{
	__u64 key = (__u64)sk;

	return bpf_map_lookup_elem(&sockets, &key);
}

/* Remembers a socket whose event was committed. */
static __always_inline void remember_socket(struct cpu_state *cpu, const struct sock *sk, __u64 inode, __u8 role)
{
	struct tracked *known = tracked_socket(sk);
	struct tracked fresh = {.inode = inode, .role = role};
	__u64 key = (__u64)sk;

	if (known) {
		known->inode = inode;
		if (role != ROLE_UNKNOWN)
			known->role = role;
		return;
	}
	if (bpf_map_update_elem(&sockets, &key, &fresh, BPF_ANY))
		COUNT(cpu->sockets_full, 1);
}

/* The same for a socket that may be closed already: it changes its state no more, so nothing would ever delete it. */
static __always_inline void remember_open_socket(struct cpu_state *cpu, const struct sock *sk, __u64 inode, __u8 role)
{
	if (READ(sock, sk, __sk_common.skc_state) != TCP_CLOSE)
		remember_socket(cpu, sk, inode, role);
}

static __always_inline void forget_socket(const struct sock *sk)
{
	__u64 key = (__u64)sk;

	bpf_map_delete_elem(&sockets, &key);
}

static __always_inline struct listener_key listener_key(const struct sock *sk)
{
	struct net *net = READ(sock, sk, __sk_common.skc_net.net);
	struct listener_key key = {
		.netns = READ(net, net, ns.inum),
		.port = local_port(sk),
	};

	return key;
}

static __always_inline void track_listener(struct cpu_state *cpu, const struct sock *sk)
{
	struct listener_key key = listener_key(sk);
	__u64 value = (__u64)sk;

	if (bpf_map_update_elem(&listeners, &key, &value, BPF_ANY))
		COUNT(cpu->listeners_full, 1);
}

static __always_inline void forget_listener(const struct sock *sk)
{
	struct listener_key key = listener_key(sk);
	__u64 *value = bpf_map_lookup_elem(&listeners, &key);

	if (value && *value == (__u64)sk)
		bpf_map_delete_elem(&listeners, &key);
}

static __always_inline bool has_listener(const struct sock *sk)
{
	struct listener_key key = listener_key(sk);

	return bpf_map_lookup_elem(&listeners, &key) != NULL;
}

#endif /* REEL_TRACK_H */
