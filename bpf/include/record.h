// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* record.h turns the io_event in the work space into records of the ring: the event, its payload, and what one record does not hold. */
#ifndef REEL_RECORD_H
#define REEL_RECORD_H

#include "payload.h"

#define MAX_CHUNKS  128   /* 2 MiB of one call */

/* Why fewer bytes were copied than were wanted, if they were: a datagram may have been longer than its buffer. */
static __always_inline void say_why_less(struct io_event *e, const struct source *src, __u32 got, __u32 want)
{
	if (src->fault)
		e->cut = CUT_FAULT;
	else if (got < want)
		e->cut = e->flags & IO_TRUNC ? CUT_NO_COPY : CUT_LIMIT;
}

/*
 * Reserves an event whose struct has `head` bytes, with `bytes` behind it, one of the classes below. All
 * classes meet before their room is checked: before Linux 6.6 the verifier does
 * not know that room which was checked in its class cannot fail a second check.
 */
static __always_inline void *reserve_class(struct cpu_state *cpu, __u16 kind, const __u64 head, __u32 bytes)
{
	__u32 id = bpf_get_smp_processor_id();
	__u64 seq = next_seq(cpu);
	void *room = NULL;

	switch (bytes) {
#define CLASS(n)                           \
	case n:                                   \
		room = ring_room(id, head + (n)); \
		break
	CLASS(0);
	CLASS(128);
	CLASS(256);
	CLASS(512);
	CLASS(1024);
	CLASS(2048);
	CLASS(4096);
	CLASS(8192);
	CLASS(16384);
	CLASS(32768);
#undef CLASS
	}
	return admit(cpu, room, id, seq, kind, head + bytes);
}

static __always_inline struct io_event *reserve_io(struct cpu_state *cpu, __u32 bytes)
{
	return reserve_class(cpu, EVENT_IO, sizeof(struct io_event), bytes);
}

/* The least class that holds want bytes. */
static __always_inline __u32 room_for(__u32 want)
{
	if (want == 0)
		return 0;
	if (want <= 128)
		return 128;
	if (want <= 256)
		return 256;
	if (want <= 512)
		return 512;
	if (want <= 1024)
		return 1024;
	if (want <= 2048)
		return 2048;
	if (want <= 4096)
		return 4096;
	if (want <= 8192)
		return 8192;
	return 16384;
}

/* The payload past the first record of a call: its numbers are in cpu->more, this is the rest. */
struct chunks {
	struct cpu_state *cpu;
};

static __always_inline long emit_chunk(const struct chunks *c, const __u32 bytes, const bool loops)
{
	__u32 id = bpf_get_smp_processor_id();
	struct more *m = &c->cpu->work.more;
	__u32 n = m->want < CHUNK_BYTES ? m->want : CHUNK_BYTES;
	const struct io_event *first = &c->cpu->work.event;
	struct io_more_event *e;
	void *room;
	__u64 seq;

	if (n == 0 || c->cpu->work.source.fault)
		return 1;
	seq = next_seq(c->cpu);
	room = ring_room(id, sizeof(*e) + bytes);
	if (!room) { /* the only check: see reserve_io */
		lose(c->cpu, sizeof(*e) + bytes);
		m->lost = 1;
		return 1;
	}
	e = room;
	begin_event(&e->h, id, seq, EVENT_IO_MORE);
	e->h.time_ns = first->h.time_ns;
	e->h.pid = first->h.pid;
	e->h.tid = first->h.tid;
	e->sock = first->sock;
	e->offset = m->offset;
	n = copy_next(e + 1, bytes, CHUNK_BYTES, n, &c->cpu->work.source, loops);
	e->captured_len = n;
	m->offset += n;
	m->want -= n;
	m->chunks++;
	commit(c->cpu, e, (__u32)sizeof(*e) + n);
	return n == 0;
}

static long emit_chunk_step(__u32 i, void *ctx)
{
	struct chunks *c = ctx;

	if (c->cpu->work.source.vector)
		return emit_chunk(c, 2 * CHUNK_BYTES, true);
	return emit_chunk(c, CHUNK_BYTES, true);
}

/* The same without bpf_loop: the verifier looks at it by itself, so that it may stand in a loop. */
__noinline int emit_chunk_bounded(void)
{
	struct chunks c = {.cpu = this_cpu()};

	return c.cpu ? (int)emit_chunk(&c, CHUNK_BYTES, false) : 1;
}

__noinline int emit_chunks_bounded(void)
{
	for (__u32 i = 0; i < MAX_CHUNKS; i++)
		if (emit_chunk_bounded())
			break;
	return 0;
}

/* Emits the rest of `want` bytes. Returns why bytes are missing, if they are. */
static __always_inline __u8 emit_chunks(struct cpu_state *cpu, __u32 want, const bool loops)
{
	struct more *m = &cpu->work.more;
	struct chunks c = {.cpu = cpu};

	m->offset = CHUNK_BYTES;
	m->want = want - CHUNK_BYTES;
	if (loops)
		bpf_loop(MAX_CHUNKS, emit_chunk_step, &c, 0);
	else
		emit_chunks_bounded();
	if (m->lost)
		return CUT_LOST;
	return m->want ? CUT_LIMIT : CUT_NONE;
}

/* What the header of an event from the work space lacks. */
static __always_inline void stamp(struct io_event *e, __u64 seq, __u16 kind)
{
	e->h.seq = seq;
	e->h.cpu = (__u16)bpf_get_smp_processor_id();
	e->h.kind = kind;
}

/* Copies want bytes behind the event, in further records what one does not hold, and commits them all. */
static __always_inline void emit_io(struct cpu_state *cpu, __u32 want, const bool loops)
{
	__u32 room = room_for(want), now = want < CHUNK_BYTES ? want : CHUNK_BYTES, got = 0;
	struct source *src = &cpu->work.source;
	__u32 bytes = loops && src->vector ? 2 * room : room;
	struct io_event *e = reserve_io(cpu, bytes);
	__u64 seq;

	if (!e)
		return;
	seq = e->h.seq;
	*e = cpu->work.event;
	stamp(e, seq, EVENT_IO);
	if (room)
		got = copy_next(e + 1, bytes, room, now, src, loops);
	e->captured_len = got;
	if (want > CHUNK_BYTES && got == CHUNK_BYTES) {
		__u8 cut = emit_chunks(cpu, want, loops);

		e->more = cpu->work.more.chunks;
		if (cut != CUT_NONE)
			e->cut = cut;
	}
	say_why_less(e, src, got, now);
	commit(cpu, e, (__u32)sizeof(*e) + got);
}

#define DGRAM_ROOM    4096 /* payload of a datagram's record: DNS messages over UDP have at most as much (RFC 9715: 1,400 bytes) */
#define ADDRESS_BYTES 16

/* The record of a UDP datagram, which has its own peer. As in reserve_io, room is checked once. */
static __always_inline void emit_dgram(struct cpu_state *cpu, __u32 want, const bool loops)
{
	struct source *src = &cpu->work.source;
	__u32 id = bpf_get_smp_processor_id(), bytes = 0, got = 0;
	__u64 seq = next_seq(cpu);
	struct io_event *e;
	__u8 *address;
	void *room;

	if (want > DGRAM_ROOM)
		want = DGRAM_ROOM;
	if (!want) {
		room = ring_room(id, sizeof(*e) + ADDRESS_BYTES);
	} else if (loops && src->vector) {
		bytes = 2 * DGRAM_ROOM;
		room = ring_room(id, sizeof(*e) + ADDRESS_BYTES + 2 * DGRAM_ROOM);
	} else {
		bytes = DGRAM_ROOM;
		room = ring_room(id, sizeof(*e) + ADDRESS_BYTES + DGRAM_ROOM);
	}
	if (!room) { /* the only check: see reserve_io */
		lose(cpu, sizeof(*e) + ADDRESS_BYTES + bytes);
		return;
	}
	e = room;
	*e = cpu->work.event;
	stamp(e, seq, EVENT_DGRAM);
	address = (__u8 *)(e + 1);
	__builtin_memcpy(address, cpu->work.peer, ADDRESS_BYTES);
	if (bytes)
		got = copy_next(address + ADDRESS_BYTES, bytes, DGRAM_ROOM, want, src, loops);
	e->captured_len = got;
	say_why_less(e, src, got, want);
	commit(cpu, e, (__u32)sizeof(*e) + ADDRESS_BYTES + got);
}

#endif /* REEL_RECORD_H */
