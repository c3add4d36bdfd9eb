// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* Sockets that targets hold open. */
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

char LICENSE[] SEC("license") = "Dual BSD/GPL";
