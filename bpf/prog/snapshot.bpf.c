// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* Sockets that targets hold open. */
#include "acceptqueue.h"
#include "snapshot.h"

SEC("iter/task_file")
int listening_sockets(struct bpf_iter__task_file *ctx)
{
	return on_file(ctx, true);
}

SEC("iter/task_file")
int open_sockets(struct bpf_iter__task_file *ctx)
{
	return on_file(ctx, false);
}

SEC("iter/task_file")
int queued_connections(struct bpf_iter__task_file *ctx)
{
	return on_listening_file(ctx);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
