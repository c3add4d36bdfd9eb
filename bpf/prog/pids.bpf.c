// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* The ids of processes, for a recorder in a pid namespace of its own. */
#include "pids.h"

SEC("iter/task")
int process_ids(struct bpf_iter__task *ctx)
{
	return on_task(ctx);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
