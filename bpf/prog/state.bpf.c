// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* State changes of TCP sockets. */
#include "state.h"

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(inet_sock_set_state, struct sock *sk, int old_state, int new_state)
{
	return on_state(&ctx[0], old_state, new_state);
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(tcp_destroy_sock)
{
	return on_destroy(ctx);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
