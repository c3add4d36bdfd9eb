// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* unix.h turns an AF_UNIX socket into a unix_event: its path, and who is at the other end. */
#ifndef REEL_UNIX_H
#define REEL_UNIX_H

#include "endpoint.h"
#include "event.h"
#include "socket.h"

static __always_inline struct sock *unix_peer(const struct sock *sk)
{
	return read_address(&((struct unix_sock *)sk)->peer);
}

/* The inode of a socket's file; 0: it was not accepted yet, or is closed. */
static __always_inline __u64 inode_of(const struct sock *sk)
{
	struct socket *socket = READ(sock, sk, sk_socket);
	struct file *file = socket ? READ(socket, socket, file) : NULL;
	struct inode *inode = file ? READ(file, file, f_inode) : NULL;

	return inode ? READ(inode, inode, i_ino) : 0;
}

/* Who connected, listened or made the pair at the other end. The number is that of the initial pid namespace. */
static __always_inline __u32 peer_pid(const struct sock *sk)
{
	struct pid *pid = READ(sock, sk, sk_peer_pid);
	struct upid *first;

	if (!pid)
		return 0;
	first = (struct upid *)((__u64)pid + bpf_core_field_offset(struct pid, numbers));
	return (__u32)READ(upid, first, nr);
}

/* Length of the address that sk is bound to, at most UNIX_PATH_LEN; 0: it is not bound. */
static __always_inline __u32 unix_path_len(const struct sock *sk)
{
	struct unix_address *address = READ(unix_sock, sk, addr);
	__s32 n;

	if (!address)
		return 0;
	n = READ(unix_address, address, len) - 2; /* less the family */
	if (n < 0)
		return 0;
	return n > UNIX_PATH_LEN ? UNIX_PATH_LEN : (__u32)n;
}

/* Copies the address that sk is bound to, and returns its length. dst has room for 128 bytes. */
static __always_inline __u32 copy_unix_path(void *dst, const struct sock *sk)
{
	void *address = read_address(&((struct unix_sock *)sk)->addr);
	__u32 n = unix_path_len(sk);

	barrier_var(n);
	n &= 127;
	if (!address || bpf_probe_read_kernel(dst, n, address + bpf_core_field_offset(struct unix_address, name) + 2))
		return 0;
	return n;
}

/* Fills what a unix_event says of the socket itself, but for paths. */
static __always_inline void fill_unix(struct unix_event *e, const struct sock *sk, __u64 inode)
{
	struct net *net = READ(sock, sk, __sk_common.skc_net.net);
	struct endpoint *p = endpoint_of(sk, inode);
	struct sock *peer = unix_peer(sk);

	e->sock = socket_id(sk);
	e->inode = inode;
	e->peer_sock = peer ? socket_id(peer) : 0;
	e->peer_inode = peer ? inode_of(peer) : 0;
	e->netns = READ(net, net, ns.inum);
	e->snd_seq = p ? p->moved[DIR_WRITE] : 1;
	e->rcv_seq = p ? p->moved[DIR_READ] : 1;
	e->peer_pid = peer_pid(sk);
	e->file_refs = 0;
	e->paths_len = 0;
	e->local_len = 0;
	e->type = (__u8)READ(sock, sk, sk_type);
	e->state = READ(sock, sk, __sk_common.skc_state);
}

#endif /* REEL_UNIX_H */
