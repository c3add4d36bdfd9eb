// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* syscall.h turns registers into a call that the probes know, and its arguments. */
#ifndef REEL_SYSCALL_H
#define REEL_SYSCALL_H

#include "event.h"
#include "read.h"

/* Calls that are not io. They continue the numbers of enum io_call. */
enum {
	CALL_CONNECT = 32,
	CALL_ACCEPT = 33, /* accept, accept4 */
	CALL_CLOSE = 34,
	CALL_SHUTDOWN = 35,
	CALL_SOCKETPAIR = 36,
	CALL_DUP2 = 37, /* dup2, dup3: they close what the second descriptor was */
	CALL_CLOSE_RANGE = 38,
	CALL_SETSOCKOPT = 39,
	CALL_URING = 40, /* io_uring_enter */
	CALL_MMAP = 41,
	CALL_MASK = 0x3f,
	CALL_COMPAT = 0x80, /* the number is a socket call of the 32-bit ABI */
};

#define CALL_TABLE_SIZE 512

#if defined(__TARGET_ARCH_x86)

/* arch/x86/entry/syscalls/syscall_64.tbl; CALL_COMPAT: syscall_32.tbl */
static const volatile __u8 calls[CALL_TABLE_SIZE] = {
	[0] = CALL_READ,
	[1] = CALL_WRITE,
	[3] = CALL_CLOSE | CALL_COMPAT, /* i386: read */
	[4] = CALL_COMPAT,              /* i386: write */
	[6] = CALL_COMPAT,              /* i386: close */
	[9] = CALL_MMAP,
	[19] = CALL_READV,
	[20] = CALL_WRITEV,
	[33] = CALL_DUP2,
	[40] = CALL_SENDFILE,
	[42] = CALL_CONNECT,
	[43] = CALL_ACCEPT,
	[44] = CALL_SENDTO,
	[45] = CALL_RECVFROM,
	[46] = CALL_SENDMSG,
	[47] = CALL_RECVMSG,
	[48] = CALL_SHUTDOWN,
	[53] = CALL_SOCKETPAIR,
	[54] = CALL_SETSOCKOPT,
	[102] = CALL_COMPAT, /* i386: socketcall */
	[145] = CALL_COMPAT, /* i386: readv */
	[146] = CALL_COMPAT, /* i386: writev */
	[187] = CALL_COMPAT, /* i386: sendfile */
	[239] = CALL_COMPAT, /* i386: sendfile64 */
	[275] = CALL_SPLICE,
	[288] = CALL_ACCEPT,
	[292] = CALL_DUP2, /* dup3 */
	[299] = CALL_RECVMMSG,
	[307] = CALL_SENDMMSG,
	[313] = CALL_COMPAT, /* i386: splice */
	[327] = CALL_PREADV2,
	[328] = CALL_PWRITEV2,
	[337] = CALL_COMPAT, /* i386: recvmmsg */
	[345] = CALL_COMPAT, /* i386: sendmmsg */
	[362] = CALL_COMPAT, /* i386: connect */
	[364] = CALL_COMPAT, /* i386: accept4 */
	[369] = CALL_COMPAT, /* i386: sendto */
	[370] = CALL_COMPAT, /* i386: sendmsg */
	[371] = CALL_COMPAT, /* i386: recvfrom */
	[372] = CALL_COMPAT, /* i386: recvmsg */
	[373] = CALL_COMPAT, /* i386: shutdown */
	[426] = CALL_URING,
	[436] = CALL_CLOSE_RANGE,
};

static __always_inline __u64 syscall_nr(const struct pt_regs *regs)
{
	return regs->orig_ax;
}

#define SYSCALL_ARG0(regs) ((regs)->di)
#define SYSCALL_ARG1(regs) ((regs)->si)
#define SYSCALL_ARG2(regs) ((regs)->dx)
#define SYSCALL_ARG3(regs) ((regs)->r10)
#define SYSCALL_ARG4(regs) ((regs)->r8)

/* TS_COMPAT: set for the length of a 32-bit call, also one that a 64-bit process makes by int 0x80. */
static __always_inline bool in_compat_call(const struct task_struct *task)
{
	return READ(task_struct, task, thread_info.status) & 0x2;
}

#elif defined(__TARGET_ARCH_arm64)

/* include/uapi/asm-generic/unistd.h; CALL_COMPAT: arch/arm64/tools/syscall_32.tbl */
static const volatile __u8 calls[CALL_TABLE_SIZE] = {
	[3] = CALL_COMPAT, /* arm: read */
	[4] = CALL_COMPAT, /* arm: write */
	[6] = CALL_COMPAT, /* arm: close */
	[24] = CALL_DUP2, /* dup3 */
	[57] = CALL_CLOSE,
	[63] = CALL_READ,
	[64] = CALL_WRITE,
	[65] = CALL_READV,
	[66] = CALL_WRITEV,
	[71] = CALL_SENDFILE,
	[76] = CALL_SPLICE,
	[145] = CALL_COMPAT, /* arm: readv */
	[146] = CALL_COMPAT, /* arm: writev */
	[187] = CALL_COMPAT, /* arm: sendfile */
	[199] = CALL_SOCKETPAIR,
	[202] = CALL_ACCEPT,
	[203] = CALL_CONNECT,
	[206] = CALL_SENDTO,
	[207] = CALL_RECVFROM,
	[208] = CALL_SETSOCKOPT,
	[210] = CALL_SHUTDOWN,
	[211] = CALL_SENDMSG,
	[212] = CALL_RECVMSG,
	[222] = CALL_MMAP,
	[239] = CALL_COMPAT, /* arm: sendfile64 */
	[242] = CALL_ACCEPT, /* accept4 */
	[243] = CALL_RECVMMSG,
	[269] = CALL_SENDMMSG,
	[283] = CALL_COMPAT, /* arm: connect */
	[285] = CALL_COMPAT, /* arm: accept */
	[286] = CALL_PREADV2,
	[287] = CALL_PWRITEV2,
	[290] = CALL_COMPAT, /* arm: sendto */
	[292] = CALL_COMPAT, /* arm: recvfrom */
	[293] = CALL_COMPAT, /* arm: shutdown */
	[296] = CALL_COMPAT, /* arm: sendmsg */
	[297] = CALL_COMPAT, /* arm: recvmsg */
	[340] = CALL_COMPAT, /* arm: splice */
	[365] = CALL_COMPAT, /* arm: recvmmsg */
	[366] = CALL_COMPAT, /* arm: accept4 */
	[374] = CALL_COMPAT, /* arm: sendmmsg */
	[426] = CALL_URING,
	[436] = CALL_CLOSE_RANGE,
};

static __always_inline __u64 syscall_nr(const struct pt_regs *regs)
{
	return (__u64)regs->syscallno;
}

#define SYSCALL_ARG0(regs) ((regs)->orig_x0)
#define SYSCALL_ARG1(regs) ((regs)->regs[1])
#define SYSCALL_ARG2(regs) ((regs)->regs[2])
#define SYSCALL_ARG3(regs) ((regs)->regs[3])
#define SYSCALL_ARG4(regs) ((regs)->regs[4])

/* TIF_32BIT */
static __always_inline bool in_compat_call(const struct task_struct *task)
{
	return READ(task_struct, task, thread_info.flags) & (1UL << 22);
}

#endif

/* The table's entry for a syscall number; 0: no call of interest in either ABI. */
static __always_inline __u8 lookup_call(__u64 nr)
{
	return nr < CALL_TABLE_SIZE ? calls[nr] : 0;
}

/* Calls that user space sees as "try again", or never sees end. */
static __always_inline bool is_retry(__s64 ret)
{
	return ret == -EAGAIN || (ret <= -ERESTARTSYS && ret >= -ERESTART_RESTARTBLOCK);
}

#endif /* REEL_SYSCALL_H */
