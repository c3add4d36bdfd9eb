// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/*
 * event.h is the one source of the structs that cross the ring buffer.
 *
 * format/wire mirrors it in Go (generated from the compiled object's BTF, and
 * compared with it by bpf's wire test). Rules:
 *   - no packed structs and no implicit padding (-Wpadded -Werror);
 *   - times are CLOCK_MONOTONIC nanoseconds (bpf_ktime_get_ns);
 *   - pids and tids are those of the initial pid namespace;
 *   - enum values are numbered, never reused; 0 is invalid on purpose, so that
 *     unwritten memory is recognisable;
 *   - every struct starts with an event_header, whose `size` is what user
 *     space keeps: a ring record may be larger than its event.
 */
#ifndef REEL_EVENT_H
#define REEL_EVENT_H

enum event_kind {
	EVENT_INVALID = 0,
	EVENT_IO = 1,      /* struct io_event, then captured_len payload bytes */
	EVENT_IO_MORE = 2, /* struct io_more_event, then payload: bytes past the first chunk of one call */
	EVENT_SOCK = 3,    /* struct sock_event */
	EVENT_PROC = 4,    /* struct proc_event, then tail_len bytes: argv and paths */
	EVENT_TCP = 5,     /* struct tcp_event */
	EVENT_TLS = 6,     /* struct tls_event, then captured_len payload bytes */
	EVENT_TLS_KEY = 7, /* struct tls_key_event */
	/* 9..15 are reserved for offcpu */
	EVENT_BLOCK = 9,   /* struct block_event, then tail_len bytes as in sample_event */
	EVENT_SAMPLE = 8,  /* struct sample_event, then tail_len bytes: kernel frames, user frames, user registers, bytes of the user stack */
	EVENT_DGRAM = 16, /* struct io_event of a UDP socket, then 16 bytes, the peer's address, then captured_len payload bytes */
	EVENT_UNIX = 17,  /* struct unix_event, then paths_len bytes: path of this end, path of the peer */
	EVENT_MAPPED = 18, /* struct event_header: the process has mapped a file executable; for the recorder alone, in no reel */
};

/* Read/write-like calls. Numbers are ours: the kernel's differ by architecture. */
enum io_call {
	CALL_INVALID = 0,
	CALL_READ = 1,
	CALL_READV = 2,
	CALL_RECVFROM = 3,
	CALL_RECVMSG = 4,
	CALL_RECVMMSG = 5,
	CALL_WRITE = 6,
	CALL_WRITEV = 7,
	CALL_SENDTO = 8,
	CALL_SENDMSG = 9,
	CALL_SENDMMSG = 10,
	CALL_SENDFILE = 11,
	CALL_SPLICE = 12,
	CALL_PREADV2 = 13,
	CALL_PWRITEV2 = 14,
};

enum io_direction {
	DIR_INVALID = 0,
	DIR_READ = 1,  /* socket -> process */
	DIR_WRITE = 2, /* process -> socket */
};

/* Why captured_len is less than the bytes moved. */
enum cut_reason {
	CUT_NONE = 0,
	CUT_BUDGET = 1,  /* --snaplen: budget of this message is used up (D5) */
	CUT_NO_COPY = 2, /* sendfile, splice, MSG_TRUNC: the bytes were never in the process */
	CUT_FAULT = 3,   /* the user page was not resident when the probe read it */
	CUT_LIMIT = 4,   /* a limit of the probe: more iovecs or chunks than it walks */
	CUT_SHED = 5,    /* the recorder asked the probe to copy less (load shedding) */
	CUT_LOST = 6,    /* a continuation record found no room in the ring */
	CUT_PROTOCOL = 7, /* the payload of this protocol is not recorded: UDP other than DNS */
};

enum io_flag {
	IO_BLOCKED = 1,       /* the task left the CPU inside the call */
	IO_PEEK = 2,          /* MSG_PEEK: the bytes will be read again, the offset did not move */
	IO_NO_ENTRY = 4,      /* entered before its process was a target: duration unknown */
	IO_EOF = 8,           /* a read of 0 bytes with room for more: the peer's FIN */
	IO_MSG_START = 16,    /* first call after a change of direction */
	IO_TRUNC = 32,        /* MSG_TRUNC: bytes of a stream were thrown away, or a datagram was longer than its buffer */
	IO_NONBLOCK = 64,     /* O_NONBLOCK or MSG_DONTWAIT */
	IO_OFFSET_VALID = 128, /* seq is valid */
	/* 256 is the recorder's: MASKED */
	IO_OOB = 512,         /* MSG_OOB; of an ordinary read: it stepped over the urgent byte before its first byte */
	IO_ZEROCOPY = 1024,   /* MSG_ZEROCOPY: the payload was read when the call returned */
	IO_DGRAM = 2048,      /* one message with boundaries: datagram or SOCK_SEQPACKET; 0 bytes are a message too */
	IO_SAME_CALL = 4096,  /* a further message of the recvmmsg or sendmmsg whose row came just before on this CPU */
	IO_KTLS = 8192        /* the kernel encrypts: bytes are plaintext, and have no place in the TCP stream */
};

enum sock_op {
	SOCK_INVALID = 0,
	SOCK_CONNECT = 1,  /* connect(2) returned */
	SOCK_ACCEPT = 2,   /* accept(2)/accept4(2) returned a socket */
	SOCK_CLOSE = 3,    /* an fd that is a socket was dropped: close, close_range, dup2 or dup3 onto it, exec, exit; file_refs says if by the last */
	SOCK_SHUTDOWN = 4, /* shutdown(2) returned; `how` in new_state */
	SOCK_STATE = 5,    /* inet_sock_set_state: old_state -> new_state */
	SOCK_SEEN = 6,     /* first io on a socket that the probe's cache does not hold: addresses for it */
	SOCK_SNAPSHOT = 7, /* the iterator found it open, at the start or the end of the capture */
	SOCK_LISTEN = 8,   /* a listening socket of a target (snapshot, or state change to LISTEN) */
	SOCK_PAIR = 9,     /* socketpair(2) made it: one event for each end */
	SOCK_LONG_READ = 16,  /* a message that is read grew beyond the size that a trigger names; ret: its bytes so far */
	SOCK_LONG_WRITE = 17, /* the same for one that is written */
};

/* What TCP did, in whatever task or softirq. */
enum tcp_op {
	TCP_OP_INVALID = 0,
	TCP_OP_RETRANSMIT = 1,      /* data, SYN or FIN was sent again; value: 0 or -errno of the attempt */
	TCP_OP_SYNACK = 2,          /* a listening socket sent a SYN-ACK again; sock is the listener's */
	TCP_OP_DROP = 3,            /* a segment was thrown away; value: enum skb_drop_reason of this kernel */
	TCP_OP_RESET_SENT = 4,      /* value: enum sk_rst_reason of this kernel */
	TCP_OP_RESET_RECEIVED = 5,
	TCP_OP_WINDOW_CLOSED = 6,   /* DIR_WRITE: the peer advertised a window of 0; DIR_READ: a segment met a window of 0 of ours */
	TCP_OP_WINDOW_OPENED = 7,   /* DIR_WRITE: the first segment that ends it */
};

/* Why a segment was sent again. */
enum tcp_cause {
	TCP_CAUSE_UNKNOWN = 0,
	TCP_CAUSE_FAST = 1,          /* acknowledgements show that it is lost (RFC 6675, RFC 8985) */
	TCP_CAUSE_TIMEOUT = 2,       /* the retransmission timer ran out (RFC 6298) */
	TCP_CAUSE_PROBE = 3,         /* a tail loss probe */
	TCP_CAUSE_AFTER_TIMEOUT = 4, /* acknowledgements after a timeout ask for it */
	TCP_CAUSE_HANDSHAKE = 5,     /* SYN or SYN-ACK */
};

enum sock_role {
	ROLE_UNKNOWN = 0,
	ROLE_CLIENT = 1, /* connect(2) */
	ROLE_SERVER = 2, /* accept(2), or SYN_RECV -> ESTABLISHED */
};

enum proc_op {
	PROC_INVALID = 0,
	PROC_FORK = 1, /* pid is the new process, ppid its parent */
	PROC_EXEC = 2,
	PROC_EXIT = 3,
	PROC_SNAPSHOT = 4, /* found, at the start, at the end, or when it became a target */
	PROC_RENAME = 5,   /* comm is its new name */
};

enum proc_flag {
	PROC_EXE_CUT = 1,       /* the path has more parts than were walked: its first directories are missing */
	PROC_EXE_DELETED = 2,   /* the file has no name any more */
	PROC_CGROUP_CUT = 4,    /* as PROC_EXE_CUT */
};

/* Which secret of a TLS connection it is. */
enum tls_label {
	TLS_LABEL_INVALID = 0,
	TLS_CLIENT_EARLY = 1, /* TLS 1.3: traffic secrets (RFC 8446 7.1) */
	TLS_CLIENT_HANDSHAKE = 2,
	TLS_SERVER_HANDSHAKE = 3,
	TLS_CLIENT_TRAFFIC = 4,
	TLS_SERVER_TRAFFIC = 5,
	TLS_ANY_TRAFFIC = 6, /* a traffic secret; which one is not known */
	TLS_KEY_BLOCK = 7,   /* TLS 1.2: the key block (RFC 5246 6.3) */
	TLS_MASTER = 8,      /* TLS 1.2: the master secret; the recorder derives keys of it and drops it: in no reel */
};

/* Where a secret was seen. */
enum tls_source {
	TLS_SOURCE_INVALID = 0,
	TLS_SOURCE_KDF = 1,    /* OpenSSL 3: EVP_KDF_derive */
	TLS_SOURCE_PKEY = 2,   /* OpenSSL 1.1: EVP_PKEY_derive */
	TLS_SOURCE_GO = 3,     /* crypto/tls: writeKeyLog, keysFromMasterSecret */
	TLS_SOURCE_KEY_LOG = 4, /* the function of a library that writes key logs */
};

/* Functions of TLS libraries that move plaintext. */
enum tls_call {
	TLS_CALL_INVALID = 0,
	TLS_CALL_READ = 1,     /* SSL_read, gnutls_record_recv, crypto/tls.(*Conn).Read: the result is the number of bytes */
	TLS_CALL_READ_EX = 2,  /* SSL_read_ex: the number is stored where the fourth argument says */
	TLS_CALL_WRITE = 3,    /* SSL_write, gnutls_record_send, crypto/tls.(*Conn).Write */
	TLS_CALL_WRITE_EX = 4, /* SSL_write_ex */
	TLS_CALL_SENDFILE = 5, /* SSL_sendfile: the bytes were never in the process */
};

enum tls_library {
	TLS_LIBRARY_INVALID = 0,
	TLS_LIBRARY_OPENSSL = 1, /* and what has its functions: BoringSSL, LibreSSL */
	TLS_LIBRARY_GNUTLS = 2,
	TLS_LIBRARY_GO = 3,
};

enum tls_flag {
	TLS_FLAG_NESTED = 1,      /* sock is what this call's own system calls worked on */
	TLS_FLAG_TWO_SOCKETS = 2, /* they worked on several: sock is the first */
	TLS_FLAG_SAME_CALL = 4,   /* further bytes of the call whose row came just before */
};

struct event_header {
	__u64 time_ns; /* when the event was complete: exit of the call */
	__u64 seq;     /* per CPU from 1, counts attempts: a jump is the number of lost records; 0 if cpu is CPU_NONE */
	__u32 size;    /* bytes of this event, header and payload; at most the ring record's length */
	__u32 pid;     /* tgid */
	__u32 tid;
	__u16 cpu;  /* CPU_NONE: the event did not pass through a ring (snapshots) */
	__u16 kind; /* enum event_kind */
};

#define CPU_NONE 0xffff

struct io_event {
	struct event_header h;
	__u64 duration_ns; /* valid unless IO_NO_ENTRY */
	__u64 sock;        /* socket id: salted hash of the struct sock address, unique among live sockets */
	__u64 inode;       /* sockfs inode: unique over the life of the kernel short of 2^32 sockets */
	__s64 ret;         /* bytes moved, or -errno */
	__u32 seq;         /* of the first byte moved: TCP sequence number, else bytes of this direction that the probe counted before, plus 1; valid iff IO_OFFSET_VALID */
	__u32 srtt_us;     /* smoothed RTT, microseconds; 0 unknown */
	__u32 rttvar_us;   /* RTT variance, microseconds; 0 unknown */
	__u32 captured_len; /* payload bytes in this record */
	__s32 fd;
	__u16 flags; /* enum io_flag, or-ed */
	__u8 call;   /* enum io_call */
	__u8 dir;    /* enum io_direction */
	__u8 cut;    /* enum cut_reason, of the whole call */
	__u8 family; /* AF_* */
	__u16 lport; /* host order: lets user space filter and label before the socket row arrives */
	__u16 rport; /* of a datagram: the peer's, if the call or the socket tells */
	__u16 more; /* number of io_more records that follow on this CPU, same tid and time_ns */
};

struct io_more_event {
	struct event_header h; /* time_ns, pid, tid, cpu of the io_event that it continues */
	__u64 sock;
	__u32 offset;       /* of this chunk in the captured bytes of the call */
	__u32 captured_len; /* payload bytes in this record */
};

struct sock_event {
	struct event_header h;
	__u64 sock;
	__u64 inode; /* 0: no file yet (a connection that was not accepted so far) */
	__u64 netns; /* inode number of the network namespace */
	__u64 duration_ns; /* connect, accept, close, shutdown; 0 otherwise; valid unless IO_NO_ENTRY in flags */
	__s64 ret;         /* 0, fd of accept, or -errno */
	/* Sequence numbers count bytes only: a FIN that was sent, received or read is taken off again. */
	__u32 snd_seq;     /* write_seq: sequence number of the next byte written */
	__u32 rcv_seq;     /* copied_seq: sequence number of the next byte read */
	__u32 rcv_nxt;     /* next byte expected from the peer: rcv_nxt - rcv_seq bytes wait unread */
	__u32 snd_una;     /* oldest byte not acknowledged */
	__u32 srtt_us;
	__u32 rttvar_us;
	__u32 total_retrans; /* segments, over the life of the socket */
	__u32 lost_out;      /* segments thought lost now */
	__u32 segs_in;
	__u32 segs_out;
	__s32 fd;
	__u16 flags; /* enum io_flag: IO_BLOCKED, IO_NO_ENTRY, IO_NONBLOCK */
	__u16 lport; /* host order */
	__u16 rport; /* host order */
	__u8 op;     /* enum sock_op */
	__u8 role;   /* enum sock_role */
	__u8 family; /* AF_INET, AF_INET6; v4-mapped addresses are AF_INET6 as the socket has them */
	__u8 old_state; /* TCP_* of include/net/tcp_states.h; 0 none */
	__u8 new_state;
	__u8 protocol; /* IPPROTO_* */
	__u8 laddr[16]; /* network order; IPv4 in the first 4 bytes, rest 0 */
	__u8 raddr[16];
	/* Since schema version 2. */
	__u64 bytes_acked;    /* by the peer, over the life of the socket: SYN and FIN count one each */
	__u64 bytes_received; /* in order, over the life of the socket */
	__u32 snd_wnd;        /* that the peer advertised last */
	__u32 rcv_wnd;        /* that was advertised to the peer last */
	__u32 snd_cwnd;       /* segments */
	__u32 mss;            /* bytes of data in a full segment */
	__u32 ifindex;        /* interface that the peer's segments come in by, or that ours leave by; 0 unknown */
	__u32 rtt_min_us;     /* least round trip time of the last minutes (sysctl tcp_min_rtt_wlen); 0 unknown */
	__u16 error;          /* errno that waits in the socket (SO_ERROR); 0 none */
	__u16 file_refs; /* of SOCK_CLOSE: references to the socket's file before it, of all descriptors and calls under way: 1 is the last; 0 unknown */
	__u8 tail_pad[4];
};

#define TCP_REASON_LEN 32

struct tcp_event {
	struct event_header h; /* pid and tid are 0: the task that happened to run has nothing to do with it */
	__u64 sock;
	__u64 inode; /* 0: not accepted so far, or not known */
	__u64 netns;
	__s64 value; /* by op */
	__u32 seq;   /* of the segment's first byte; 0 unknown */
	__u32 len;   /* bytes of data in the segment */
	__u32 segs;  /* that the event is about */
	__u32 srtt_us;
	__u32 snd_cwnd;      /* segments */
	__u32 snd_ssthresh;  /* segments */
	__u32 snd_wnd;       /* bytes */
	__u32 rcv_wnd;       /* bytes */
	__u32 total_retrans; /* segments, over the life of the socket */
	__u32 lost_out;      /* segments thought lost now */
	__u16 lport; /* host order */
	__u16 rport;
	__u8 op;        /* enum tcp_op */
	__u8 cause;     /* enum tcp_cause */
	__u8 dir;       /* enum io_direction: DIR_WRITE: the segment was sent by this end */
	__u8 state;     /* TCP_* of include/net/tcp_states.h */
	__u8 ca_state;  /* TCP_CA_* of include/uapi/linux/tcp.h: 0 open, 1 disorder, 2 cwr, 3 recovery, 4 loss */
	__u8 tcp_flags; /* of the segment's header: FIN 1, SYN 2, RST 4, PSH 8, ACK 16 */
	__u8 family;
	__u8 pad[5];
	__u8 laddr[16]; /* as in sock_event */
	__u8 raddr[16];
	char reason[TCP_REASON_LEN]; /* the kernel's name for value, less its prefix; "" none */
};

#define UNIX_PATH_LEN 108 /* sun_path */

/* A sock_event of an AF_UNIX socket. */
struct unix_event {
	struct event_header h;
	__u64 sock;
	__u64 inode; /* 0: not accepted yet */
	__u64 peer_sock;  /* socket id of the peer; 0 none */
	__u64 peer_inode; /* 0: the peer was not accepted yet, or is closed */
	__u64 netns;
	__u64 duration_ns; /* as in sock_event */
	__s64 ret;
	__u32 snd_seq; /* bytes written that the probe has counted, plus 1: as io_event.seq of the next call */
	__u32 rcv_seq;
	__u32 peer_pid; /* who connected, listened or made the pair at the other end, at that time; 0 unknown */
	__u32 file_refs; /* as in sock_event */
	__s32 fd;
	__u32 paths_len; /* bytes after this struct */
	__u16 local_len; /* of these, the path of this end: NUL first if abstract; the rest is the peer's */
	__u16 flags; /* enum io_flag: IO_BLOCKED, IO_NO_ENTRY, IO_NONBLOCK */
	__u8 op;     /* enum sock_op */
	__u8 role;   /* enum sock_role */
	__u8 type;   /* SOCK_STREAM 1, SOCK_DGRAM 2, SOCK_SEQPACKET 5 */
	__u8 state;  /* TCP_ESTABLISHED, TCP_LISTEN or TCP_CLOSE; of SOCK_SHUTDOWN: how */
};

#define PROC_COMM_LEN 16

struct proc_event {
	struct event_header h;
	__u64 start_ns;  /* start of the process, CLOCK_BOOTTIME: with pid, its identity */
	__u64 cgroup_id; /* cgroup v2 id; 0 unknown */
	__u32 ppid;
	__u32 uid;
	__u32 pid_ns; /* inode numbers */
	__u32 mnt_ns;
	__u32 net_ns;
	__u32 exit_code; /* wait status, as waitpid(2) gives it: valid iff PROC_EXIT */
	__u32 tail_len;  /* bytes after this struct: argv, then the three paths below */
	__u8 op;         /* enum proc_op */
	__u8 args_cut;   /* 1: argv was longer than what was copied */
	__u16 flags;     /* enum proc_flag, or-ed */
	char comm[PROC_COMM_LEN];
	/* Since schema 2. Of each path its parts, the last first, each ended by NUL: bytes of the tail, in this order, after argv. */
	__u32 exe_len;       /* of the program, in the mount namespace of the process */
	__u32 cgroup_len;    /* of the cgroup in the v2 hierarchy; the root has no parts */
	__u32 cgroup_v1_len; /* in the v1 hierarchy of the memory controller, where there is one */
	__u32 ns_pid;        /* pid in the innermost pid namespace */
	__u32 seen_pid;      /* pid in the pid namespace that user space named (own_pid_ns); 0: that is the initial one, or it has none there */
	__u32 pad2;
};

#define TLS_RANDOM_LEN  32
#define TLS_CONTEXT_LEN 64
#define TLS_SECRET_LEN  192

struct tls_key_event {
	struct event_header h;
	__u8 label;       /* enum tls_label */
	__u8 source;      /* enum tls_source */
	__u8 random_len;  /* 32, or 0: not known */
	__u8 context_len; /* of TLS 1.3: the transcript hash that the secret was derived with; 0: not known */
	__u8 secret_len;  /* 0: it could not be read */
	__u8 pad[3];
	__u8 random[TLS_RANDOM_LEN]; /* of the ClientHello */
	__u8 context[TLS_CONTEXT_LEN];
	__u8 secret[TLS_SECRET_LEN];
};

/*
 * A thread that was running, as it was found by the clock. The recorder makes rows of it: it does not reach the disk as it is.
 * Frames are addresses, the innermost first; those of callers are where they go on. Registers are a struct pt_regs of the
 * architecture's ABI (asm/ptrace.h): those with which the thread left, or will come back to, user mode.
 */
struct sample_event {
	struct event_header h;
	__u64 stack_addr;   /* of the first byte that was copied of the user stack, at or below its pointer */
	__u32 tail_len;     /* bytes after this struct: the sum of those below */
	__u32 stack_bytes;
	__u16 kernel_bytes; /* 8 a frame */
	__u16 user_bytes;   /* 8 a frame: found by frame pointers */
	__u16 regs_bytes;   /* 0: there are none */
	__u8 in_kernel;     /* 1: it was in the kernel */
	__u8 stack_fault;   /* 1: a page of the user stack was not in memory; what comes before it was copied */
	char comm[PROC_COMM_LEN];
};

/* Plaintext that a call of a TLS library moved. Calls that moved none make no event. */
struct tls_event {
	struct event_header h;
	__u64 duration_ns; /* of the call */
	__u64 session;     /* id: of one TLS connection of one process, as far as the probe can tell; never 0 */
	__u64 sock;        /* socket id, as in io_event; 0: no system call of the session was seen inside one of its calls */
	__u64 inode;       /* of sock */
	__u64 offset;      /* plaintext bytes that the session moved before in this direction, since it was first seen */
	__s64 ret;         /* bytes of plaintext; of a call with several rows, those of this row */
	__u32 captured_len; /* payload bytes in this record */
	__u16 flags;        /* enum tls_flag, or-ed */
	__u8 call;          /* enum tls_call */
	__u8 library;       /* enum tls_library */
	__u8 dir;           /* enum io_direction */
	__u8 cut;           /* enum cut_reason */
	__u8 pad[6];
};

/* Why a thread did not run. */
enum block_state {
	BLOCK_INVALID = 0,
	BLOCK_SLEEP = 1,    /* it waited, and a signal could have ended that */
	BLOCK_DISK = 2,     /* it waited, and no signal could: mostly for a disk or a lock of the kernel */
	BLOCK_RUNNABLE = 3, /* another had its CPU */
	BLOCK_STOPPED = 4,  /* by a signal or a debugger */
	BLOCK_OTHER = 5,
};

/* Where the user stack of a block was taken. */
enum block_taken {
	TAKEN_INVALID = 0,
	TAKEN_RESUMED = 1, /* as the thread came back: it is that of the block */
	TAKEN_SYSCALL = 2, /* as the system call returned: the same */
	TAKEN_SWITCH = 3,  /* as it left again, in the same system call: the same */
	TAKEN_LATER = 4,   /* as it left again: it may be another by then */
};

/* A time in which a thread did not run: from since_ns to h.time_ns. The recorder makes rows of it, as of sample_event. */
struct block_event {
	struct event_header h;
	__u64 since_ns;
	__u64 delay_ns;   /* of that, runnable; ~0: unknown */
	__u64 stack_addr; /* as in sample_event */
	__u32 tail_len;
	__u32 stack_bytes;
	__u32 waker_pid; /* who made it runnable, or was interrupted by what did; 0 unknown */
	__u32 waker_tid;
	__u16 kernel_bytes;
	__u16 user_bytes;
	__u16 regs_bytes;
	__s16 syscall;    /* in flight, as the architecture numbers it; -1: none */
	__u8 state;       /* enum block_state */
	__u8 taken;       /* enum block_taken */
	__u8 stack_fault;
	__u8 pad;
	char comm[PROC_COMM_LEN];
	char waker_comm[PROC_COMM_LEN];
	__u8 tail_pad[4];
};

#define EVENT_SIZE_CHECK(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type " changed size")

EVENT_SIZE_CHECK(event_header, 32);
EVENT_SIZE_CHECK(io_event, 96);
EVENT_SIZE_CHECK(io_more_event, 48);
EVENT_SIZE_CHECK(sock_event, 208);
EVENT_SIZE_CHECK(proc_event, 120);
EVENT_SIZE_CHECK(unix_event, 120);
EVENT_SIZE_CHECK(tcp_event, 184);
EVENT_SIZE_CHECK(tls_key_event, 328);
EVENT_SIZE_CHECK(sample_event, 72);
EVENT_SIZE_CHECK(block_event, 120);
EVENT_SIZE_CHECK(tls_event, 96);

#endif /* REEL_EVENT_H */
