// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* read.h turns a kernel pointer and a field name into the field's value. */
#ifndef REEL_READ_H
#define REEL_READ_H

#include "kernel.h"

/*
 * Linux 6.2 and later can treat any address as a typed, read-only pointer: a
 * field is then one load that the kernel makes fault-proof. Before that each
 * field is a call of bpf_probe_read_kernel. The verifier sees the constant and
 * drops the other branch. (docs/decisions/001-hot-path.md has the measurement.)
 */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

#define HAVE_CAST (bpf_rdonly_cast != NULL)

#define CAST(type, ptr) ((struct type *)bpf_rdonly_cast((const void *)(ptr), bpf_core_type_id_kernel(struct type)))

#define READ(type, ptr, field)                                                             \
	({                                                                                 \
		struct type *ptr_ = (struct type *)(ptr);                                  \
		typeof(ptr_->field) value_;                                                \
		if (HAVE_CAST)                                                             \
			value_ = CAST(type, ptr_)->field;                                  \
		else                                                                       \
			bpf_probe_read_kernel(&value_, sizeof(value_), &ptr_->field);      \
		value_;                                                                    \
	})

/* For arrays and structs: copies size bytes of a field to dst. */
#define READ_INTO(dst, size, type, ptr, field) bpf_probe_read_kernel(dst, size, &((struct type *)(ptr))->field)

/*
 * The pointer that stands at addr; NULL when it cannot be read. The verifier
 * takes it for a number, so it may be hashed and compared, unlike what READ
 * gives of a pointer field.
 */
static __always_inline void *read_address(const void *addr)
{
	void *value = NULL;

	if (HAVE_CAST) /* any struct whose first member is a 64-bit number serves */
		return (void *)CAST(timespec64, addr)->tv_sec;
	bpf_probe_read_kernel(&value, sizeof(value), addr);
	return value;
}

/* The same for an argument of a BTF tracepoint: the verifier knows the type of what it loads from the context itself. */
static __always_inline void *read_argument(const void *context)
{
	void *value = NULL;

	bpf_probe_read_kernel(&value, sizeof(value), context);
	return value;
}

/* tgid in the upper half, tid in the lower. Two loads instead of a call, where that can be: every call of every process pays it. */
static __always_inline __u64 current_pid_tgid(void)
{
	const struct task_struct *task;

	if (!HAVE_CAST)
		return bpf_get_current_pid_tgid();
	task = CAST(task_struct, bpf_get_current_task());
	return (__u64)task->tgid << 32 | (__u32)task->pid;
}

#endif /* REEL_READ_H */
