// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/*
 * kernel.h declares what the probes use of the kernel: only the fields that
 * are read, relocated at load time (CO-RE), so that generation needs neither
 * a vmlinux.h nor the headers of one kernel.
 */
#ifndef REEL_KERNEL_H
#define REEL_KERNEL_H

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef signed short __s16;
typedef unsigned int __u32;
typedef signed int __s32;
typedef unsigned long long __u64;
typedef signed long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u16 __sum16;

#define NULL ((void *)0)
typedef _Bool bool;
#define true 1
#define false 0

/* include/uapi/linux/bpf.h */
enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_ANY = 0, BPF_NOEXIST = 1 };
enum { BPF_F_MMAPABLE = 1 << 10 };
enum { BPF_F_USER_STACK = 1 << 8 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

/* include/uapi: numbers that never change */
enum {
	AF_UNIX = 1,
	AF_INET = 2,
	AF_INET6 = 10,
	SOCK_STREAM = 1,
	IPPROTO_TCP = 6,
	IPPROTO_UDP = 17,
	IPPROTO_UDPLITE = 136,
	IPPROTO_MPTCP = 262,
	SOL_TCP = 6,
	TCP_ULP = 31,
	CLOSE_RANGE_CLOEXEC = 4,
	S_IFMT = 0170000,
	S_IFSOCK = 0140000,
	O_NONBLOCK = 04000,
	MSG_OOB = 0x1,
	MSG_PEEK = 0x2,
	MSG_TRUNC = 0x20,
	MSG_DONTWAIT = 0x40,
	MSG_ERRQUEUE = 0x2000,
	MSG_ZEROCOPY = 0x4000000,
	EAGAIN = 11,
	ERESTARTSYS = 512, /* 512..516: the call is entered again, user space never sees it */
	ERESTART_RESTARTBLOCK = 516,
	RCV_SHUTDOWN = 1,
	SOCK_DONE_BIT = 1, /* enum sock_flags: SOCK_DEAD 0, SOCK_DONE 1 (the FIN arrived) */
	SIGNAL_GROUP_EXIT = 4,
	UIO_MAXIOV = 1024,
	PAGE_BYTES = 4096, /* the least page size of both architectures */
};

/* include/uapi/linux/tcp.h */
enum {
	TCP_CA_CWR = 2,
	TCP_CA_RECOVERY = 3,
	TCP_CA_LOSS = 4,
};

/* include/net/inet_connection_sock.h: ICSK_TIME_LOSS_PROBE, and no timer at all */
enum { TIMER_NONE = 0, TIMER_LOSS_PROBE = 5 };

/* include/net/tcp.h: TCPHDR_* */
enum { TCP_FLAG_FIN = 1, TCP_FLAG_SYN = 2, TCP_FLAG_RST = 4 };

/* include/net/tcp_states.h */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT = 2,
	TCP_SYN_RECV = 3,
	TCP_FIN_WAIT1 = 4,
	TCP_FIN_WAIT2 = 5,
	TCP_TIME_WAIT = 6,
	TCP_CLOSE = 7,
	TCP_CLOSE_WAIT = 8,
	TCP_LAST_ACK = 9,
	TCP_LISTEN = 10,
	TCP_CLOSING = 11,
};

/* User-space layouts that the calls pass (64-bit ABI). */
struct user_iovec {
	__u64 base;
	__u64 len;
};

struct user_msghdr_head {
	__u64 name;
	__s32 namelen;
	__u32 pad;
	__u64 iov;
	__u64 iovlen;
};

/* struct mmsghdr; its first 56 bytes are struct msghdr */
struct user_mmsghdr {
	struct user_msghdr_head head;
	__u64 control;
	__u64 controllen;
	__u32 flags;
	__u32 pad;
	__u32 len; /* bytes moved; msghdr has none */
	__u32 pad2;
};

enum { USER_MSGHDR_SIZE = 56 };

struct user_sockaddr {
	__u16 family;
	__be16 port;
	__u32 v4; /* sin_addr, or sin6_flowinfo */
	__u8 v6[16];
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded" /* kernel layouts: offsets are relocated */

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r14, r12, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, sp;
};
struct thread_info {
	__u32 status;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	__u64 regs[31];
	__u64 sp;
	__u64 orig_x0;
	__s32 syscallno;
};
struct thread_info {
	unsigned long flags;
};
#else
#error "syscall arguments are known for amd64 and arm64"
#endif

struct timespec64 {
	__s64 tv_sec;
};

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	__u32 val;
} kuid_t;

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
	struct net *net_ns;
};

struct cred {
	kuid_t uid;
};

struct kernfs_node {
	__u64 id;
	const char *name;
	struct kernfs_node *__parent;
};

struct kernfs_node___before_6_15 {
	struct kernfs_node___before_6_15 *parent;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

struct css_set {
	struct cgroup *dfl_cgrp;
	struct cgroup_subsys_state *subsys[1]; /* by enum cgroup_subsys_id; without any controller, the kernel has none */
};

struct signal_struct {
	atomic_t live;
	int group_exit_code;
	unsigned int flags;
};

struct qstr {
	const unsigned char *name;
};

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct mm_struct {
	unsigned long arg_start, arg_end;
	struct file *exe_file;
};

struct inode {
	__u16 i_mode;
	unsigned long i_ino;
};

struct file {
	struct inode *f_inode;
	struct path f_path;
	unsigned int f_flags;
	void *private_data;
};

/* References to a file: a count up to 6.12, a count less one since. */
typedef struct {
	__s64 counter;
} atomic_long_t;

typedef struct {
	atomic_long_t refcnt;
} file_ref_t;

struct file___counted {
	atomic_long_t f_count;
};

struct file___ref {
	file_ref_t f_ref;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
	unsigned long *close_on_exec;
	unsigned long *open_fds;
};

struct files_struct {
	struct fdtable *fdt;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int in_execve : 1;
	int pid, tgid;
	int exit_code;
	__u64 start_boottime;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct signal_struct *signal;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct mm_struct *mm;
	const struct cred *cred;
	struct css_set *cgroups;
	struct pid *thread_pid;
	void *stack;
	char comm[16];
};

struct task_struct___since_5_14 {
	unsigned int __state;
};

struct task_struct___before_5_14 {
	long state;
};

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	unsigned long skc_flags;
};

struct net_device {
	int ifindex;
};

struct dst_entry {
	struct net_device *dev;
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_type;
	__u16 sk_protocol;
	__u8 sk_shutdown;
	int sk_err;
	struct dst_entry *sk_dst_cache;
	int sk_rx_dst_ifindex; /* 5.17 and later; before, it is in inet_sock */
	struct pid *sk_peer_pid;
	struct socket *sk_socket;
};

struct unix_address {
	int len; /* of family and path */
	char name[0];
};

struct unix_sock {
	struct unix_address *addr;
	struct sock *peer;
};

struct inet_sock {
	__be16 inet_sport;
};

struct tcp_ulp_ops {
	char name[16];
};

struct request_sock;

struct request_sock_queue {
	struct request_sock *rskq_accept_head;
};

struct inet_connection_sock {
	struct request_sock_queue icsk_accept_queue;
	const struct tcp_ulp_ops *icsk_ulp_ops;
	__u8 icsk_ca_state : 5;
	__u8 icsk_pending;
};

struct request_sock {
	struct sock_common __req_common;
	struct request_sock *dl_next;
	struct sock *sk;
	__u8 num_timeout : 7;
};

struct tcphdr {
	__be16 source, dest;
	__be32 seq;
	__be32 ack_seq;
	__u16 doff : 4;
	__be16 window;
};

struct tcp_skb_cb {
	__u32 seq, end_seq;
	__u16 tcp_gso_segs;
	__u8 tcp_flags; /* 8 bits wide, or 16 since 6.18 */
};

struct sk_buff {
	struct sock *sk;
	char cb[48];
	unsigned int len;
	__u16 transport_header;
	unsigned char *head, *data;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct minmax_sample {
	__u32 t, v;
};

struct minmax {
	struct minmax_sample s[3];
};

struct tcp_sock {
	struct minmax rtt_min;
	__u32 copied_seq, write_seq, rcv_nxt, snd_una;
	__u32 srtt_us, mdev_us;
	__u32 total_retrans, lost_out;
	__u32 segs_in, segs_out;
	__u64 bytes_acked, bytes_received;
	__u32 snd_wnd, rcv_wnd;
	__u32 snd_cwnd, snd_ssthresh;
	__u32 mss_cache;
	__u32 urg_seq;
};

struct seq_file;

#pragma clang attribute pop

/* Contexts of programs: fixed by the ABI, not relocated. */
struct bpf_iter_meta {
	struct seq_file *seq;
} __attribute__((preserve_access_index));

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} __attribute__((preserve_access_index));

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
} __attribute__((preserve_access_index));

/* Kernel enums that are asked for by name. */
enum skb_drop_reason {
	SKB_DROP_REASON_NOT_SPECIFIED = 1, /* numbers are the running kernel's */
	SKB_DROP_REASON_TCP_OLD_SEQUENCE = 2,
	SKB_DROP_REASON_TCP_OLD_ACK = 3,
	SKB_DROP_REASON_TCP_RESET = 4,
};

enum cgroup_subsys_id___reel { memory_cgrp_id___reel = 4 };
enum bpf_func_id___reel { BPF_FUNC_task_pt_regs___reel = 175, BPF_FUNC_loop___reel = 181 };

#pragma clang diagnostic pop

#endif /* REEL_KERNEL_H */
