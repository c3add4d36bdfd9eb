// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/*
 * payload.h copies the bytes of a call, once, from user memory into a ring
 * reservation. A call's buffer is one range, or a vector of ranges that is
 * walked to its end.
 */
#ifndef REEL_PAYLOAD_H
#define REEL_PAYLOAD_H

#include "emit.h"

#define CHUNK_BYTES 16384 /* payload of one record at most; a longer capture goes on in io_more records */

/*
 * The verifier does not know that offset + length stays within a buffer when
 * both vary. So a vector is copied into a reservation of twice its room, a
 * power of two: both are then bounded on their own. The second half costs ring
 * space for a moment and is neither written nor delivered.
 */
struct copy {
	__u8 *dst;
	struct source *src;
	__u64 room; /* a power of two; half of dst for a vector. Of 64 bits, since Linux 5.10 forgets a narrower number on the stack. */
};

/*
 * n, or 0 if that is more than room. The comparison is written out, since the
 * compiler may compare one register and pass on a copy that lies on the stack:
 * before Linux 6.6 the verifier then does not know the bound of the copy.
 */
static __always_inline __u64 within_room(__u64 n, __u64 room)
{
	asm volatile("if %0 <= %1 goto +1\n\t%0 = 0" : "+r"(n) : "r"(room));
	return n;
}

/* Copies up to the last page that is there, where a read of n bytes failed. Returns the bytes copied. */
static __always_inline __u32 copy_pages(void *dst, __u64 n, const __u64 room, __u64 addr)
{
	for (int i = 0; i <= CHUNK_BYTES / PAGE_BYTES; i++) {
		__u64 last_page = (addr + n - 1) & ~(__u64)(PAGE_BYTES - 1);

		if (last_page <= addr)
			return 0;
		n = within_room(last_page - addr, room);
		if (!n)
			return 0;
		if (!bpf_probe_read_user(dst, (__u32)n, (const void *)addr))
			return (__u32)n;
	}
	return 0;
}

/* Copies n bytes (at most room, a constant on each path) or what is there of them, and says if that was less. */
static __always_inline __u32 copy_range(void *dst, __u64 n, const __u64 room, __u64 addr, __u8 *fault)
{
	barrier_var(n);
	if (n > room)
		n = room;
	if (!bpf_probe_read_user(dst, (__u32)n, (const void *)addr))
		return (__u32)n;
	*fault = 1;
	return copy_pages(dst, n, room, addr);
}

/* The current element of a vector; NULL, and src->fault, when it cannot be read. */
static __always_inline struct user_iovec *current_element(struct source *src)
{
	__u32 n = src->count - src->index;

	if (src->index >= src->batched) {
		if (n > ELEMENT_BATCH)
			n = ELEMENT_BATCH;
		if (bpf_probe_read_user(src->batch, n * sizeof(src->batch[0]), (const void *)(src->addr + src->index * sizeof(src->batch[0])))) {
			src->fault = 1;
			return NULL;
		}
		src->batched = src->index + n;
	}
	return &src->batch[src->index & (ELEMENT_BATCH - 1)];
}

/* One step of the walk: (the rest of) one element. 1 ends the walk. */
static __always_inline long copy_one(const struct copy *c)
{
	struct source *src = c->src;
	__u32 done = src->done, left = src->want - done;
	__u64 room = c->room;
	struct user_iovec *element;
	__u64 size;

	if (!left || src->index >= src->count || src->fault)
		return 1;
	element = current_element(src);
	if (!element)
		return 1;
	size = element->len - src->skip;
	if (size <= left) {
		left = (__u32)size;
		src->index++;
	}
	if (left) {
		__u64 at = done & (room - 1);

		src->done = done + copy_range(c->dst + at, left, room, element->base + src->skip, &src->fault);
	}
	src->skip = size <= left ? 0 : src->skip + left;
	return 0;
}

static long copy_element(__u32 i, void *ctx)
{
	return copy_one(ctx);
}

struct scratch {
	__u8 bytes[2 * CHUNK_BYTES]; /* twice the room of a copy, as above */
};

/*
 * scratch: the bytes of a vector, gathered, where bpf_loop does not exist
 * (before 5.17). There the walk must be a function of its own, which is given
 * no pointer to a reservation; so what it copies is copied again.
 *   key        CPU number
 *   value      struct scratch
 *   inserted   at load (array), one per possible CPU
 *   deleted    never
 *   read by    sys_exit, in the same run
 *   bound      possible CPUs × 32 KiB; one where bpf_loop exists
 *   overflow   cannot happen
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set at load */
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

static __always_inline struct scratch *this_scratch(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&scratch, &cpu);
}

/* The next element of the vector in the work space, copied to scratch. 1 ends the walk. The verifier looks at it once, and so it may stand in a loop. */
__noinline int gather_element(void)
{
	struct cpu_state *cpu = this_cpu();
	struct scratch *to = this_scratch();

	if (!cpu || !to)
		return 1;
	struct copy c = {.dst = to->bytes, .src = &cpu->work.source, .room = CHUNK_BYTES};

	return (int)copy_one(&c);
}

/* The next source.want bytes of the vector. A function of its own too, so that the loop is verified once. */
__noinline int gather(__u32 elements)
{
	for (__u32 i = 0; i < UIO_MAXIOV; i++)
		if (i >= elements || gather_element())
			break;
	return 0;
}

/* Copies the bytes of a vector into dst, without bpf_loop. */
static __always_inline __u32 copy_gathered(void *dst, const __u32 room, struct source *src)
{
	struct scratch *from;
	__u64 n;

	gather(src->count);
	from = this_scratch();
	n = within_room(src->done, room);
	if (!from || !n || bpf_probe_read_kernel(dst, (__u32)n, from->bytes))
		return 0;
	return (__u32)n;
}

/*
 * Copies the next `want` bytes, at most room, of src into a reservation of
 * `bytes`: room for a range, twice that for a vector. Both must be constants on
 * each path of the verifier. Returns the bytes copied.
 */
static __always_inline __u32 copy_next(void *dst, const __u32 bytes, const __u32 room, __u32 want, struct source *src, const bool loops)
{
	if (loops ? bytes == room : !src->vector) {
		__u32 n = copy_range(dst, want, room, src->addr + src->skip, &src->fault);

		src->skip += n;
		return n;
	}
	src->want = want;
	src->done = 0;
	if (loops) {
		struct copy c = {.dst = dst, .src = src, .room = room};

		bpf_loop(src->count - src->index, copy_element, &c, 0);
		return src->done;
	}
	return copy_gathered(dst, room, src);
}

#endif /* REEL_PAYLOAD_H */
