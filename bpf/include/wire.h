// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/*
 * wire.h keeps the types of event.h in the object's BTF, from which their Go
 * mirror is generated (wiregen). No program refers to its section, so nothing
 * of it is loaded.
 */
#ifndef REEL_WIRE_H
#define REEL_WIRE_H

#include "event.h"
#include "kernel.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded" /* no event crosses the ring as this */
struct wire_types {
	struct event_header header;
	struct io_event io;
	struct io_more_event io_more;
	struct sock_event sock;
	struct proc_event proc;
	struct tcp_event tcp;
	struct unix_event unix_sock;
	struct tls_key_event tls_key;
	struct sample_event sample;
	struct block_event block;
	struct tls_event tls;
	enum event_kind event_kind;
	enum io_call io_call;
	enum io_direction io_direction;
	enum cut_reason cut_reason;
	enum io_flag io_flag;
	enum sock_op sock_op;
	enum sock_role sock_role;
	enum proc_op proc_op;
	enum tcp_op tcp_op;
	enum tcp_cause tcp_cause;
	enum proc_flag proc_flag;
	enum block_state block_state;
	enum block_taken block_taken;
	enum tls_label tls_label;
	enum tls_source tls_source;
	enum tls_call tls_call;
	enum tls_library tls_library;
	enum tls_flag tls_flag;
};
#pragma clang diagnostic pop

const struct wire_types wire_types SEC(".wire");

#endif /* REEL_WIRE_H */
