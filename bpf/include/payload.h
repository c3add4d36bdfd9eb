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
	__u32 room; /* a power of two; half of dst for a vector */
	__u32 pad;
};

/* Copies up to the last page that is there, where a read of n bytes failed. Returns the bytes copied. */
static __always_inline __u32 copy_pages(void *dst, __u64 n, const __u32 room, __u64 addr)
{
	for (int i = 0; i <= CHUNK_BYTES / PAGE_BYTES; i++) {
		__u64 last_page = (addr + n - 1) & ~(__u64)(PAGE_BYTES - 1);

		if (last_page <= addr)
			return 0;
		n = last_page - addr;
		barrier_var(n);
		if (n > room)
			return 0;
		if (!bpf_probe_read_user(dst, (__u32)n, (const void *)addr))
			return (__u32)n;
	}
	return 0;
}

/* Copies n bytes (at most room, a constant on each path) or what is there of them, and says if that was less. */
static __always_inline __u32 copy_range(void *dst, __u32 n, const __u32 room, __u64 addr, __u8 *fault)
{
	barrier_var(n);
	if (n > room)
		n = room;
	if (!bpf_probe_read_user(dst, n, (const void *)addr))
		return n;
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
static long copy_element(__u32 i, void *ctx)
{
	struct copy *c = ctx;
	struct source *src = c->src;
	__u32 room = c->room, done = src->done, left = src->want - done;
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
		__u32 at = done & (room - 1);

		src->done = done + copy_range(c->dst + at, left, room, element->base + src->skip, &src->fault);
	}
	src->skip = size <= left ? 0 : src->skip + left;
	return 0;
}

/* Elements walked where bpf_loop does not exist (before 5.17): the verifier then walks each of them itself. */
#define ELEMENTS_WITHOUT_LOOP 32

/*
 * Copies the next `want` bytes, at most room, of src into a reservation of
 * `bytes`: room for a range, twice that for a vector. Both must be constants on
 * each path of the verifier. Returns the bytes copied.
 */
static __always_inline __u32 copy_next(void *dst, const __u32 bytes, const __u32 room, __u32 want, struct source *src, const bool loops)
{
	struct copy c = {.dst = dst, .src = src, .room = room};

	if (bytes == room) {
		__u32 n = copy_range(dst, want, room, src->addr + src->skip, &src->fault);

		src->skip += n;
		return n;
	}
	src->want = want;
	src->done = 0;
	if (loops) {
		bpf_loop(UIO_MAXIOV, copy_element, &c, 0);
	} else {
		for (__u32 i = 0; i < ELEMENTS_WITHOUT_LOOP; i++)
			if (copy_element(i, &c))
				break;
	}
	return src->done;
}

#endif /* REEL_PAYLOAD_H */
