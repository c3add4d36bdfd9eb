// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* What TCP does on the wire: segments sent again, dropped, resets, closed windows. */
#include "tcp.h"

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(tcp_retransmit_skb)
{
	return on_retransmit(ctx);
}

SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(tcp_retransmit_synack)
{
	return on_synack(ctx);
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(kfree_skb)
{
	return on_drop(ctx);
}

SEC("tp_btf/tcp_send_reset")
int BPF_PROG(tcp_send_reset)
{
	return on_send_reset(ctx);
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(tcp_receive_reset)
{
	return on_receive_reset(ctx);
}

SEC("tp_btf/tcp_probe")
int BPF_PROG(tcp_probe)
{
	return on_segment(ctx);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
