// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* endpoint.h keeps what the kernel does not keep of sockets without TCP: how many bytes went each way. */
#ifndef REEL_ENDPOINT_H
#define REEL_ENDPOINT_H

#include "event.h"
#include "socket.h"

struct endpoint {
	__u64 inode;    /* with the key, the socket that the entry is about */
	__u32 moved[3]; /* bytes by enum io_direction, plus 1: a first number of 0 would mean unknown */
	__u8 role;      /* enum sock_role */
	__u8 pad[3];
};

/*
 * endpoints: AF_UNIX and UDP sockets of targets that have been announced.
 *   key        address of struct sock
 *   value      struct endpoint
 *   inserted   connect, accept, socketpair, snapshot, first io; each only after its event was committed
 *   deleted    by the kernel, the least recently used when it is full: no hook tells when such a socket is freed
 *   read by    every io on such a socket
 *   bound      16,384 sockets
 *   overflow   a socket that was dropped is announced again, and its bytes count from 1 again: the reader takes that as a break
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct endpoint);
} endpoints SEC(".maps");

static __always_inline struct endpoint *endpoint_of(const struct sock *sk, __u64 inode)
{
	__u64 key = (__u64)sk;
	struct endpoint *p = bpf_map_lookup_elem(&endpoints, &key);

	return p && p->inode == inode ? p : NULL;
}

/* Remembers a socket whose event was committed. */
static __always_inline void remember_endpoint(const struct sock *sk, __u64 inode, __u8 role)
{
	struct endpoint *known = endpoint_of(sk, inode);
	struct endpoint fresh = {.inode = inode, .moved = {1, 1, 1}, .role = role};
	__u64 key = (__u64)sk;

	if (!known)
		bpf_map_update_elem(&endpoints, &key, &fresh, BPF_ANY);
	else if (role != ROLE_UNKNOWN)
		known->role = role;
}

/*
 * Counts n bytes of a direction, and returns the number of the first. When two
 * CPUs count at once, both may get the number after both: the reader repairs
 * it, as it must for TCP.
 */
static __always_inline __u32 count_moved(struct endpoint *p, __u8 dir, __u32 n)
{
	__u32 *moved = &p->moved[dir == DIR_WRITE ? DIR_WRITE : DIR_READ];

	__sync_fetch_and_add(moved, n);
	return *(volatile __u32 *)moved - n;
}

#endif /* REEL_ENDPOINT_H */
