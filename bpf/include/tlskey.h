// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/*
 * tlskey.h turns calls of a TLS library's key schedule into tls_key_events.
 *
 * A few calls a connection are seen, never one for each message. What could
 * resume or impersonate a session (resumption, exporter, PSK) is not copied.
 */
#ifndef REEL_TLSKEY_H
#define REEL_TLSKEY_H

#include "emit.h"
#include "function.h"
#include "target.h"

/* A derivation between its call and its return. */
struct derivation {
	__u64 out; /* user memory where the result goes */
	__u64 len; /* bytes of it; of EVP_PKEY_derive the user memory that says how many */
	__u8 label; /* enum tls_label */
	__u8 random_len;
	__u8 context_len;
	__u8 seeds; /* parameters of that name so far: the label, the server's random, the client's */
	__u8 pad[4];
	__u8 random[TLS_RANDOM_LEN];
	__u8 context[TLS_CONTEXT_LEN];
};

/* Who is in a call. A goroutine moves between threads while it is. */
struct caller {
	__u64 pid_tgid;  /* of Go without the thread */
	__u64 goroutine; /* its address; 0: not Go */
};

/*
 * derivations: calls that derive a secret and have not returned.
 *   key        struct caller
 *   value      struct derivation
 *   inserted   entry of the function
 *   deleted    its return
 *   read by    its return
 *   bound      4,096
 *   overflow   the oldest goes: its secret is not seen
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct caller);
	__type(value, struct derivation);
} derivations SEC(".maps");

/* What EVP_PKEY_derive gave this thread last. */
struct outputs {
	__u8 last_len;
	__u8 before_len;
	__u8 pad[6];
	__u8 last[48];
	__u8 before[48];
};

/*
 * recent_outputs: the last two results of EVP_PKEY_derive that may be a secret and a key made of it.
 *   key        pid_tgid
 *   value      struct outputs
 *   inserted   return of the function
 *   deleted    when an IV came after them
 *   read by    the same return
 *   bound      1,024 threads
 *   overflow   the oldest goes: its secret is not seen
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct outputs);
} recent_outputs SEC(".maps");

/* One entry of OSSL_PARAM (openssl/core.h). */
struct ossl_param {
	__u64 key;
	__u32 data_type;
	__u32 pad;
	__u64 data;
	__u64 data_size;
	__u64 return_size;
};

#define MAX_PARAMS 12

#define WORD4(a, b, c, d) ((__u32)(a) | (__u32)(b) << 8 | (__u32)(c) << 16 | (__u32)(d) << 24)

/* A parameter's name, of which the first eight bytes tell those of interest apart. */
#define NAME_LABEL 0x6c6562616cull /* "label" */
#define NAME_DATA  0x61746164ull   /* "data" */
#define NAME_SEED  0x64656573ull   /* "seed" */

/* A user-space string of up to seven bytes as a number; 0: it is longer, or not there. */
static __always_inline __u64 short_name(__u64 addr)
{
	char name[8] = {};
	long n = bpf_probe_read_user_str(name, sizeof(name), (const void *)addr);

	return n > 0 && n < (long)sizeof(name) ? *(__u64 *)name : 0;
}

/* The label of RFC 8446 7.1 that a secret is derived by. */
static __always_inline __u8 label_of_schedule(__u64 addr, __u64 size)
{
	__u32 head = 0;

	if ((size != 12 && size != 11) || bpf_probe_read_user(&head, sizeof(head), (const void *)addr))
		return TLS_LABEL_INVALID;
	if (size == 11)
		return head == WORD4('c', ' ', 'e', ' ') ? TLS_CLIENT_EARLY : TLS_LABEL_INVALID;
	switch (head) {
	case WORD4('c', ' ', 'h', 's'):
		return TLS_CLIENT_HANDSHAKE;
	case WORD4('s', ' ', 'h', 's'):
		return TLS_SERVER_HANDSHAKE;
	case WORD4('c', ' ', 'a', 'p'):
		return TLS_CLIENT_TRAFFIC;
	case WORD4('s', ' ', 'a', 'p'):
		return TLS_SERVER_TRAFFIC;
	}
	return TLS_LABEL_INVALID;
}

/* The label of a key log's line. Others than these begin otherwise (EXPORTER_SECRET, EARLY_EXPORTER_SECRET, ECH_…). */
static __always_inline __u8 label_of_log(__u64 addr)
{
	char name[16] = {};

	bpf_probe_read_user(name, sizeof(name) - 1, (const void *)addr);
	switch (*(__u64 *)name) {
	case 0x485f544e45494c43ull: /* "CLIENT_H": _HANDSHAKE_TRAFFIC_SECRET */
		return TLS_CLIENT_HANDSHAKE;
	case 0x485f524556524553ull: /* "SERVER_H" */
		return TLS_SERVER_HANDSHAKE;
	case 0x545f544e45494c43ull: /* "CLIENT_T": _TRAFFIC_SECRET_0 */
		return TLS_CLIENT_TRAFFIC;
	case 0x545f524556524553ull: /* "SERVER_T" */
		return TLS_SERVER_TRAFFIC;
	case 0x455f544e45494c43ull: /* "CLIENT_E": _EARLY_TRAFFIC_SECRET */
		return TLS_CLIENT_EARLY;
	case 0x525f544e45494c43ull: /* "CLIENT_R": _RANDOM */
		return TLS_MASTER;
	}
	return TLS_LABEL_INVALID;
}

static __always_inline bool read_random(struct derivation *d, __u64 addr)
{
	if (bpf_probe_read_user(d->random, TLS_RANDOM_LEN, (const void *)addr))
		return false;
	d->random_len = TLS_RANDOM_LEN;
	return true;
}

/* Reserves the event of a secret, which is empty so far. */
static __always_inline struct tls_key_event *reserve_key(struct cpu_state *cpu, __u8 label, __u8 source)
{
	struct tls_key_event *e = reserve(cpu, EVENT_TLS_KEY, sizeof(*e));

	if (!e)
		return NULL;
	by_thread(&e->h, bpf_ktime_get_ns(), bpf_get_current_pid_tgid());
	e->label = label;
	e->source = source;
	e->pad[0] = e->pad[1] = e->pad[2] = 0;
	__builtin_memset(e->secret, 0, TLS_SECRET_LEN);
	return e;
}

/* Emits the secret of `len` bytes at a user address. A secret that cannot be read is an event with none: it is counted. */
static __noinline int emit_key(struct derivation *d, __u64 addr, __u64 len, __u8 source)
{
	struct cpu_state *cpu = this_cpu();
	__u32 n = len > TLS_SECRET_LEN ? TLS_SECRET_LEN : (__u32)len;
	struct tls_key_event *e;

	if (!cpu || !d)
		return 0;
	e = reserve_key(cpu, d->label, source);
	if (!e)
		return 0;
	e->random_len = d->random_len;
	e->context_len = d->context_len;
	__builtin_memcpy(e->random, d->random, TLS_RANDOM_LEN);
	__builtin_memcpy(e->context, d->context, TLS_CONTEXT_LEN);
	barrier_var(n);
	if (n > TLS_SECRET_LEN)
		n = TLS_SECRET_LEN;
	if (bpf_probe_read_user(e->secret, n, (const void *)addr))
		n = 0;
	e->secret_len = (__u8)n;
	commit_preempted(cpu, e, sizeof(*e));
	return 0;
}

/* Takes one parameter of EVP_KDF_derive. */
static __always_inline void take_param(struct derivation *d, const struct ossl_param *p)
{
	__u64 name = short_name(p->key);
	__u32 n = (__u32)p->data_size, head[4] = {};

	if (name == NAME_LABEL) {
		d->label = label_of_schedule(p->data, p->data_size);
	} else if (name == NAME_DATA) {
		if (p->data_size > TLS_CONTEXT_LEN)
			return;
		barrier_var(n);
		n &= 127;
		if (n <= TLS_CONTEXT_LEN && !bpf_probe_read_user(d->context, n, (const void *)p->data))
			d->context_len = (__u8)n;
	} else if (name == NAME_SEED) {
		d->seeds++;
		if (d->seeds == 1) {
			if (p->data_size == 13 && !bpf_probe_read_user(head, 13, (const void *)p->data) &&
			    head[0] == WORD4('k', 'e', 'y', ' ') && head[1] == WORD4('e', 'x', 'p', 'a'))
				d->label = TLS_KEY_BLOCK;
		} else if (d->seeds == 3 && p->data_size == TLS_RANDOM_LEN) {
			read_random(d, p->data);
		}
	}
}

static __always_inline void take_params(struct derivation *d, __u64 params)
{
	struct ossl_param p;

	for (int i = 0; i < MAX_PARAMS; i++) {
		if (bpf_probe_read_user(&p, sizeof(p), (const void *)(params + i * sizeof(p))) || !p.key)
			break;
		take_param(d, &p);
	}
}

static __always_inline struct caller c_caller(void)
{
	return (struct caller){.pid_tgid = bpf_get_current_pid_tgid()};
}

/* EVP_KDF_derive(ctx, key, keylen, params) */
static __always_inline int on_kdf(const struct pt_regs *regs)
{
	struct derivation fresh = {.out = C_ARG1(regs), .len = C_ARG2(regs)}, *d;
	struct caller caller = c_caller();

	if (!is_target(caller.pid_tgid >> 32) || bpf_map_update_elem(&derivations, &caller, &fresh, BPF_ANY))
		return 0;
	d = bpf_map_lookup_elem(&derivations, &caller); /* it is filled there, where the verifier does not follow each value */
	if (!d)
		return 0;
	take_params(d, C_ARG3(regs));
	if (!d->label)
		bpf_map_delete_elem(&derivations, &caller);
	return 0;
}

static __always_inline int on_kdf_return(const struct pt_regs *regs)
{
	struct caller caller = c_caller();
	struct derivation *d = bpf_map_lookup_elem(&derivations, &caller);

	if (!d)
		return 0;
	if ((__s32)C_RESULT(regs) > 0)
		emit_key(d, d->out, d->len, TLS_SOURCE_KDF);
	bpf_map_delete_elem(&derivations, &caller);
	return 0;
}

/* EVP_PKEY_derive(ctx, key, keylen) */
static __always_inline int on_pkey(const struct pt_regs *regs)
{
	struct derivation d = {.out = C_ARG1(regs), .len = C_ARG2(regs)};
	struct caller caller = c_caller();

	if (d.out && d.len && is_target(caller.pid_tgid >> 32)) /* without a buffer it is asked for the length */
		bpf_map_update_elem(&derivations, &caller, &d, BPF_ANY);
	return 0;
}

/*
 * Lengths of key blocks of TLS 1.2: two MAC keys, keys and IVs each (RFC 5246
 * 6.3). None is that of a master secret (48) or of what a key agreement gives
 * (32, 48, 56, 66, 128 of a group that nobody has used for long, 256 and more).
 */
static __always_inline bool is_block_length(__u64 n)
{
	return n == 40 || n == 72 || n == 88 || n == 104 || n == 136 || n == 192;
}

/* Keeps a result that may be a traffic secret, or a key made of the one before. */
static __always_inline void keep_output(__u64 pid_tgid, __u64 addr, __u64 len)
{
	struct outputs fresh = {}, *o = bpf_map_lookup_elem(&recent_outputs, &pid_tgid);
	__u32 n = (__u32)len;

	if (o) {
		__builtin_memcpy(fresh.before, o->last, sizeof(fresh.before));
		fresh.before_len = o->last_len;
	}
	barrier_var(n);
	n &= 63;
	if (n > sizeof(fresh.last) || bpf_probe_read_user(fresh.last, n, (const void *)addr))
		return;
	fresh.last_len = (__u8)n;
	bpf_map_update_elem(&recent_outputs, &pid_tgid, &fresh, BPF_ANY);
}

/* A secret's own bytes lie in the map: the event is filled from there. */
static __noinline int emit_output(struct outputs *o)
{
	struct cpu_state *cpu = this_cpu();
	struct tls_key_event *e;

	if (!cpu || !o)
		return 0;
	e = reserve_key(cpu, TLS_ANY_TRAFFIC, TLS_SOURCE_PKEY);
	if (!e)
		return 0;
	e->random_len = e->context_len = 0;
	__builtin_memset(e->random, 0, TLS_RANDOM_LEN);
	__builtin_memset(e->context, 0, TLS_CONTEXT_LEN);
	__builtin_memcpy(e->secret, o->before, sizeof(o->before));
	e->secret_len = o->before_len;
	commit_preempted(cpu, e, sizeof(*e));
	return 0;
}

/*
 * OpenSSL 1.1.1 derives a traffic secret, its key (16 or 32 bytes) and its IV
 * (12) one after the other: what an IV and a key follow is the secret, and
 * nothing else is kept. (Resumption and exporter secrets make no keys.)
 */
static __always_inline int on_pkey_return(const struct pt_regs *regs)
{
	struct caller caller = c_caller();
	struct derivation *d = bpf_map_lookup_elem(&derivations, &caller);
	__u64 len = 0;
	struct outputs *o;

	if (!d)
		return 0;
	if ((__s32)C_RESULT(regs) > 0 && !bpf_probe_read_user(&len, sizeof(len), (const void *)d->len)) {
		if (is_block_length(len)) {
			d->label = TLS_KEY_BLOCK;
			emit_key(d, d->out, len, TLS_SOURCE_PKEY);
		} else if (len == 16 || len == 32 || len == 48) {
			keep_output(caller.pid_tgid, d->out, len);
		} else if (len == 12) {
			o = bpf_map_lookup_elem(&recent_outputs, &caller.pid_tgid);
			if (o && o->before_len >= 32 && (o->last_len == 16 || o->last_len == 32))
				emit_output(o);
			bpf_map_delete_elem(&recent_outputs, &caller.pid_tgid);
		}
	}
	bpf_map_delete_elem(&derivations, &caller);
	return 0;
}

/* crypto/tls.(*Config).writeKeyLog(label, clientRandom, secret). Of TLS 1.2 it says the master secret, which is left where it is. */
static __always_inline int on_go_log(const struct pt_regs *regs)
{
	struct derivation d = {};

	if (!is_target(bpf_get_current_pid_tgid() >> 32))
		return 0;
	d.label = label_of_log(GO_REG1(regs));
	if (!d.label || d.label == TLS_MASTER || GO_REG4(regs) != TLS_RANDOM_LEN || !read_random(&d, GO_REG3(regs)))
		return 0;
	return emit_key(&d, GO_REG6(regs), GO_REG7(regs), TLS_SOURCE_GO);
}

static __always_inline struct caller go_caller(const struct pt_regs *regs)
{
	return (struct caller){.pid_tgid = bpf_get_current_pid_tgid() >> 32 << 32, .goroutine = GO_G(regs)};
}

/* crypto/tls.keysFromMasterSecret(version, suite, masterSecret, clientRandom, serverRandom, macLen, keyLen, ivLen) */
static __always_inline int on_go_block(const struct pt_regs *regs)
{
	struct derivation d = {.label = TLS_KEY_BLOCK};
	struct caller caller = go_caller(regs);

	if (!is_target(caller.pid_tgid >> 32))
		return 0;
	if (GO_REG6(regs) == TLS_RANDOM_LEN && read_random(&d, GO_REG5(regs)))
		bpf_map_update_elem(&derivations, &caller, &d, BPF_ANY);
	return 0;
}

/* Its results are slices of one block, the first of them from its beginning: address, length, and the capacity, which is that of the block. */
static __always_inline int on_go_block_return(const struct pt_regs *regs)
{
	struct caller caller = go_caller(regs);
	struct derivation *d = bpf_map_lookup_elem(&derivations, &caller);

	if (!d)
		return 0;
	emit_key(d, GO_REG0(regs), GO_REG2(regs), TLS_SOURCE_GO);
	bpf_map_delete_elem(&derivations, &caller);
	return 0;
}

/* The function of a C library that writes key logs: (connection, label, secret, length). */
static __always_inline int on_log(const struct pt_regs *regs)
{
	struct derivation d = {};

	if (!is_target(bpf_get_current_pid_tgid() >> 32))
		return 0;
	d.label = label_of_log(C_ARG1(regs));
	if (!d.label || (C_ARG3(regs) != 32 && C_ARG3(regs) != 48)) /* of SHA-256, of SHA-384 or a master secret */
		return 0;
	return emit_key(&d, C_ARG2(regs), C_ARG3(regs), TLS_SOURCE_KEY_LOG);
}

#endif /* REEL_TLSKEY_H */
